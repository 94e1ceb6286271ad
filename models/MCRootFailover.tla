--------------------------- MODULE MCRootFailover ---------------------------
(* Bounds for RootFailover: what the .cfg files choose from. *)
EXTENDS RootFailover

OneInstance == {"record.1"}
TwoInstances == {"record.0", "record.1"}
OneFlow == {"A"}
TwoFlows == {"A", "D"}
HomeOfOne == [f \in OneFlow |-> "record.1"]
HomeOfTwo == [f \in TwoFlows |-> IF f = "A" THEN "record.1" ELSE "record.0"]
One == <<"A">>
OneOfEach == <<"A", "D">>
TwoOfOne == <<"A", "A">>
TwoAndOne == <<"A", "A", "D">>
OneClock == 1
=============================================================================
