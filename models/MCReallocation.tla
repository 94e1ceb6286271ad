---- MODULE MCReallocation ----
(* Bounds for Reallocation, under the names that the core has: flow A is at  *)
(* home at the second of two instances, flow D at the first.  Before a       *)
(* scaling both are at the first, and the second stands by.  Packets and     *)
(* moves are those of the core's model that a configuration names.           *)
EXTENDS ReallocationCorrect

Two == {"count.0", "count.1"}
Three == Two \cup {"count.2"}
AtHome == [f \in Flows |-> IF f = "A" THEN "count.1" ELSE "count.0"]
AllFirst == [f \in Flows |-> "count.0"]
OfThree == [f \in Flows |-> "count.2"]

JustA == <<"A">>
AA == <<"A", "A">>
AAA == <<"A", "A", "A">>
AD == <<"A", "D">>
ADA == <<"A", "D", "A">>
AAD == <<"A", "A", "D">>

Away == <<[flow |-> "A", to |-> "count.0"]>>
AwayAndBack == Away \o <<[flow |-> "A", to |-> "count.1"]>>
BothAway == Away \o <<[flow |-> "D", to |-> "count.1"]>>
RoundAbout == <<[flow |-> "A", to |-> "count.1"], [flow |-> "A", to |-> "count.0"]>>
Scaled == <<[home |-> AtHome]>>
ScaledAndMoved == Scaled \o <<[flow |-> "A", to |-> "count.1"]>>

(* Other rules, each of which is wrong. *)

NewestFirst(waiting, p) == <<Head(waiting), p>> \o Tail(waiting)
NothingBuffered(waiting, p) == waiting
CountingTwice(k) == <<Apply(k, SharedObject), Apply(k, SharedObject)>>
AtOnce(marks, e) == TRUE
NewestMark(marks, e) == \E d \in marks \cup {0} : d >= e
AsTheyCame(outputs) == outputs
FewValues == {ValueOf(<<>>)}
Always == TRUE
====
