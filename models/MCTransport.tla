----------------------------- MODULE MCTransport -----------------------------
(* Bounds for Transport: what the .cfg files choose from. *)
EXTENDS Transport

Two == <<"a", "b">>
Three == <<"a", "b", "c">>

OneWay(n) == [c \in Channels |-> IF c = <<"a", "b">> THEN n ELSE 0]
One == OneWay(1)
TwoOneWay == OneWay(2)
ThreeOneWay == OneWay(3)
OneEach == [c \in Channels |-> 1]
TwoEach == [c \in Channels |-> 2]
ToOne == [c \in Channels |-> IF c = <<"a", "b">> THEN 2 ELSE IF c = <<"c", "b">> THEN 1 ELSE 0]

Nobody == [e \in Endpoints |-> 0]
Receiving == [e \in Endpoints |-> IF e = "b" THEN 1 ELSE 0]
Sending == [e \in Endpoints |-> IF e = "a" THEN 1 ELSE 0]
Both == [e \in Endpoints |-> 1]

ForAll == 1000            \* room for all the datagrams that there are
FirstStartOnly == {1}     \* too few for TypeOK, once somebody starts again
NeverTimed(e) == FALSE    \* so fairness would ask no timer to fire
=============================================================================
