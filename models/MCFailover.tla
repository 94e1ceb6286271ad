---- MODULE MCFailover ----
(* Bounds for Failover, under the names that the core has: flows A and B are *)
(* at home at the second of two instances, flow D at the first.  Packets and *)
(* crashes are those of the core's model that a configuration names.         *)
EXTENDS Failover

Two == <<"count.0", "count.1">>
AtHome == [f \in Flows |-> IF f \in {"A", "B"} THEN "count.1" ELSE "count.0"]

JustA == <<"A">>
AA == <<"A", "A">>
AB == <<"A", "B">>

(* Other rules, each of which is wrong. *)

EndIgnored(s, m) == s
NoOutput(n, w) == n
AlwaysFirst(k, first, s) == [type |-> "deleted", clock |-> k, first |-> TRUE, start |-> s]
FewValues == {ValueOf(<<>>)}
Always == TRUE
====
