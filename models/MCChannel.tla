------------------------------ MODULE MCChannel ------------------------------
(* Bounds for Channel: what the .cfg file chooses from. *)
EXTENDS Channel

Two == <<"a", "b">>
ThreeAndOne == [c \in Channels |-> IF c = <<"a", "b">> THEN 3 ELSE 1]
Both == [e \in Endpoints |-> 1]
Few == [c \in Channels |-> IF c = <<"a", "b">> THEN 2 ELSE 1]
Threes == [c \in Channels |-> IF c = <<"a", "b">> THEN 3 ELSE 0]
Sender == [e \in Endpoints |-> IF e = "a" THEN 1 ELSE 0]

-----------------------------------------------------------------------------
(* What is wrong in a mutant. *)

AnyOrphan(c) == SUBSET Orphans(c)  \* one in the middle may be lost
Anything(c) == SUBSET open[c]      \* so may what has a living sender
OfTheFirst(c) == Seq({1})          \* nobody sends after a start

RECURSIVE Backwards(_)
Backwards(S) == IF S = {} THEN <<>> ELSE <<Max(S)>> \o Backwards(S \ {Max(S)})
=============================================================================
