--------------------------- MODULE MCRootFailover ---------------------------
(* Bounds for RootFailover: what the .cfg files choose from. *)
EXTENDS RootFailoverCorrect

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
Nothing == <<>>
Away == <<[flow |-> "A", to |-> "record.0"]>>
AwayAndBack == Away \o <<[flow |-> "A", to |-> "record.1"]>>
OneClock == 1
=============================================================================
