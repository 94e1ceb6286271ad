---- MODULE MCReallocationRow ----
(* Bounds for ReallocationRow, under the names that the core has: one vertex *)
(* or two, with one or two instances each.  Flow A is at home at the last    *)
(* instance of every vertex, flow D at the first.                            *)
EXTENDS ReallocationRowCorrect, TLC

First == <<"one.0", "two.0">>
Second == <<"one.1", "two.1">>

Alone == <<"one.0", "one.1">>
Four == <<"one.0", "one.1", "two.0", "two.1">>
OneAndTwo == <<"one.0", "two.0", "two.1">>
TwoAndOne == <<"one.0", "one.1", "two.0">>
Places == [i \in Instances |-> IF i \in {"one.0", "one.1"} THEN 1 ELSE 2]
HomeOf(v, f) == IF f = "A" /\ Second[v] \in Instances THEN Second[v] ELSE First[v]
Homes == [v \in Vertices |-> [f \in Flows |-> HomeOf(v, f)]]

NoOne == {}
OldOne == {"one.1"}
NewOne == {"one.0"}
NewTwo == {"two.0"}

ListedA == <<"A">>
ListedAD == <<"A", "D">>
Nothing == <<>>
JustA == <<"A">>
AA == <<"A", "A">>
AAA == <<"A", "A", "A">>
AD == <<"A", "D">>
AAD == <<"A", "A", "D">>

AtOne == <<[flow |-> "A", to |-> "one.0"]>>
AtTwo == <<[flow |-> "A", to |-> "two.0"]>>
AtTwoAndBack == AtTwo \o <<[flow |-> "A", to |-> "two.1"]>>
AtOneThenTwo == AtOne \o AtTwo
AtTwoThenOne == AtTwo \o AtOne

JustPass == <<"pass">>
JustRecord == <<"recorder">>
JustCount == <<"counter">>
PassTwice == <<"pass", "pass">>
PassRecord == <<"pass", "recorder">>

AtOnce == [v \in Vertices |-> TRUE]
ByTimer == [v \in Vertices |-> FALSE]

(* Other rules, each of which is wrong. *)

NewestTenure(tenures, k) ==
    Max({n \in 1 .. Len(tenures) : tenures[n].since # Unknown})
BeginsAsAsked(clock, before) == clock
Anyway(marks, e) == TRUE
AtAnyTime(r) == TRUE
Never(e, heldOf) == FALSE
EndIgnored(i, s, m) == s
FewValues == {NoValue}
Always == TRUE
====
