---- MODULE MCSharedFailover ----
(* Bounds for SharedFailover, under the names that the core has: a vertex of *)
(* one instance, or of two.  The first letter of a flow is its host.  Split  *)
(* by host, or as the core's "limit" is, flows of host D are at home at the  *)
(* first instance, those of host A at the second; split by flow, A5 is at    *)
(* the first as well.                                                        *)
EXTENDS SharedFailover

Single == <<"hot.0">>
Two == <<"hot.0", "hot.1">>
OneLimit == <<"limit.0">>
TwoLimits == <<"limit.0", "limit.1">>
Hosts == [f \in Flows |-> IF f \in {"D", "D2", "D3"} THEN "D" ELSE "A"]
Split == [f \in Flows |-> IF f = "A" THEN "hot.1" ELSE "hot.0"]
OneHome == [f \in Flows |-> "limit.0"]
LimitSplit == [f \in Flows |-> IF f = "A" THEN "limit.1" ELSE "limit.0"]

JustD == <<"D">>
DD == <<"D", "D">>
DD2 == <<"D", "D2">>
DD2D3 == <<"D", "D2", "D3">>
DD2A == <<"D", "D2", "A">>
AD == <<"A", "D">>
DAD == <<"D", "A", "D">>
AAA == <<"A", "A", "A">>
AA5A == <<"A", "A5", "A">>

(* Other rules, each of which is wrong. *)

EndIgnored(s, m) == s
FewNumbers == {0}
Always == TRUE
====
