------------------------------- MODULE MCCHC --------------------------------
(* Bounds for CHC: a counter on two instances, and a marker behind or beside it. *)
EXTENDS CHC, TLC

TwoKinds == [v \in {"count", "mark"} |-> IF v = "count" THEN "counter" ELSE "marker"]
ThreeInstances ==
    [i \in {"count.0", "count.1", "mark.0"} |-> IF i = "mark.0" THEN "mark" ELSE "count"]
Homes == [v \in {"count", "mark"} |-> [f \in Flows |->
            IF v = "mark" THEN "mark.0" ELSE IF f = "A" THEN "count.1" ELSE "count.0"]]

Row == ("root" :> <<"count">>) @@ ("count" :> <<"mark">>) @@ ("mark" :> <<>>)
Fork == ("root" :> <<"count", "mark">>) @@ ("count" :> <<>>) @@ ("mark" :> <<>>)

TwoFlows == <<"A", "D">>
OneFlow == <<"A", "A">>
ThreePackets == <<"A", "A", "D">>

Numbers == (<<"count", "count">> :> 1) @@ (<<"count", "total">> :> 2) @@ (<<"mark", "marked">> :> 3)
=============================================================================
