---- MODULE MCReallocation ----
(* Two instances, under the names that the core has for them; flow A is at   *)
(* home at the second of them, flow D at the first.  Packets and moves are   *)
(* those of the models of the core that the configurations name.             *)
EXTENDS Reallocation

Two == {"count.0", "count.1"}
AtHome == [f \in Flows |-> IF f = "A" THEN "count.1" ELSE "count.0"]

JustA == <<"A">>
AA == <<"A", "A">>
AD == <<"A", "D">>
AAD == <<"A", "A", "D">>

Away == <<[flow |-> "A", to |-> "count.0"]>>
AwayAndBack == Away \o <<[flow |-> "A", to |-> "count.1"]>>
BothAway == Away \o <<[flow |-> "D", to |-> "count.1"]>>
====
