---- MODULE MCSharedObject ----
(* Bounds for SharedObject, under the names that the core has: a vertex of   *)
(* two instances.  The first letter of a flow is its host.  Split by host,   *)
(* or as the core's "limit" is, flows of host A are at home at the second    *)
(* instance, those of host D at the first; split by flow, A5 is at the first *)
(* as well.                                                                  *)
EXTENDS SharedObjectCorrect

Two == {"hot.0", "hot.1"}
TwoLimits == {"limit.0", "limit.1"}
Hosts == [f \in Flows |-> IF f = "D" THEN "D" ELSE "A"]
Split == [f \in Flows |-> IF f = "D" THEN "hot.0" ELSE "hot.1"]
Unsplit == [f \in Flows |-> IF f = "A" THEN "hot.1" ELSE "hot.0"]
LimitSplit == [f \in Flows |-> IF f = "A" THEN "limit.1" ELSE "limit.0"]

JustA == <<"A">>
A2A2 == <<"A2", "A2">>
AA == <<"A", "A">>
AA2 == <<"A", "A2">>
AAA == <<"A", "A", "A">>
AA2A == <<"A", "A2", "A">>
AA2D == <<"A", "A2", "D">>
AA5A == <<"A", "A5", "A">>
AD == <<"A", "D">>
DAD == <<"D", "A", "D">>

Nowhere == <<>>
Away == <<[flow |-> "A", to |-> "hot.0"]>>
AwayAndBack == Away \o <<[flow |-> "A", to |-> "hot.1"]>>
AwayAgain == AwayAndBack \o Away
ReaderAway == <<[flow |-> "D", to |-> "limit.1"]>>

(* Other rules, each of which is wrong. *)

AtOnce(marks, e) == TRUE
FirstTenureAlone(marks, e) == e = 0
KeptForNoCommit(k, entry) == IF entry.ended THEN Without(log, k) ELSE With(log, k, entry)
KeptForEver(k, entry) == With(log, k, entry)
Postponed(m) == m
NotAgain(m) == FALSE
FewNumbers == {0}
Always == TRUE
====
