------------------------ MODULE MCStoreFailoverFlows -------------------------
(* Bounds for StoreFailoverFlows: flows A and B are at home at the second instance, flow D *)
(* at the first.                                                                           *)
EXTENDS StoreFailoverFlows

TwoInstances == <<"record.0", "record.1">>
One == <<"record.1">>
ThreeFlows == <<"A", "B", "D">>
Homes == [f \in {"A", "B", "D"} |-> IF f = "D" THEN "record.0" ELSE "record.1"]

JustA == <<"A">>
AA == <<"A", "A">>
AB == <<"A", "B">>
AD == <<"A", "D">>
NoStart == {}
====
