------------------------------ MODULE MCChannel ------------------------------
(* Bounds for Channel: what the .cfg file chooses from. *)
EXTENDS Channel

Two == <<"a", "b">>
ThreeAndOne == [c \in Channels |-> IF c = <<"a", "b">> THEN 3 ELSE 1]
Both == [e \in Endpoints |-> 1]
=============================================================================
