---- MODULE MCFailoverRow ----
(* Bounds for FailoverRow, under the names that the core has: two vertices   *)
(* with two instances each.  Flows A and B are at home at the second one of  *)
(* both vertices, flow D at the first.                                       *)
EXTENDS FailoverRowCorrect, TLC

Four == <<"first.0", "first.1", "second.0", "second.1">>
Places == [i \in {"first.0", "first.1"} |-> 1] @@ [i \in {"second.0", "second.1"} |-> 2]
HomeAt(zero, one) == [f \in Flows |-> IF f \in {"A", "B"} THEN one ELSE zero]
Homes == <<HomeAt("first.0", "first.1"), HomeAt("second.0", "second.1")>>

Anyone == {"first.0", "first.1", "second.0", "second.1"}
First == {"first.1"}
Second == {"second.1"}
Either == First \cup Second

JustA == <<"A">>
AA == <<"A", "A">>
AB == <<"A", "B">>
AD == <<"A", "D">>
AAB == <<"A", "A", "B">>
AAD == <<"A", "A", "D">>

\* One vertex.
Two == <<"first.0", "first.1">>
PlacesOfOne == [i \in {"first.0", "first.1"} |-> 1]
HomesOfOne == <<HomeAt("first.0", "first.1")>>
Record == <<"recorder">>
AtOnceAtOne == <<TRUE>>

CountPass == <<"counter", "pass">>
CountRecord == <<"counter", "recorder">>
RecordPass == <<"recorder", "pass">>
PassTwice == <<"pass", "pass">>
PassRecord == <<"pass", "recorder">>

AtOnce == <<TRUE, TRUE>>
ByTimer == <<FALSE, FALSE>>

(* Other rules, each of which is wrong. *)

EndIgnored(i, s, m) == s
NeverLeaves(r, p) == r
FewValues == {NoValue}
Always == TRUE
Newest(oldest, count) == count
====
