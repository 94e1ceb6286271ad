------------------------------- MODULE MCMove -------------------------------
(* Bounds for Move: what the .cfg files choose from. *)
EXTENDS Move

TwoInstances == {"nf1", "nf2"}
ThreeInstances == {"nf1", "nf2", "nf3"}
OneFlow == {"f"}
TwoFlows == {"f", "g"}
HomeOfOne == [f \in OneFlow |-> "nf1"]
HomeOfTwo == [f \in TwoFlows |-> IF f = "f" THEN "nf1" ELSE "nf2"]
OneEpoch == {0}
=============================================================================
