------------------------------- MODULE MCCHC --------------------------------
(* Bounds for CHC: a counter on two instances, and a marker behind or beside it; a detector *)
(* behind two instances that have no state; one instance that borrows from a pool.          *)
EXTENDS CHC, TLC

TwoKinds == [v \in {"count", "mark"} |-> IF v = "count" THEN "counter" ELSE "marker"]
ThreeInstances ==
    [i \in {"count.0", "count.1", "mark.0"} |-> IF i = "mark.0" THEN "mark" ELSE "count"]
Homes == [v \in {"count", "mark"} |-> [f \in Flows |->
            IF v = "mark" THEN "mark.0" ELSE IF f = "A" THEN "count.1" ELSE "count.0"]]

Row == ("root" :> <<"count">>) @@ ("count" :> <<"mark">>) @@ ("mark" :> <<>>)
Join == ("root" :> <<"count", "mark">>) @@ ("mark" :> <<"count">>) @@ ("count" :> <<>>)
Fork == ("root" :> <<"count", "mark">>) @@ ("count" :> <<>>) @@ ("mark" :> <<>>)

TwoFlows == <<"A", "D">>
OnePacket == <<"A">>
OneFlow == <<"A", "A">>
ThreePackets == <<"A", "A", "D">>
ThreeOfOne == <<"A", "A", "A">>

Detector == ("pass" :> "pass") @@ ("detect" :> "earliest")
BehindTwo == [i \in {"pass.0", "pass.1", "detect.0"} |->
                IF i = "detect.0" THEN "detect" ELSE "pass"]
ToDetector == ("root" :> <<"pass">>) @@ ("pass" :> <<"detect">>) @@ ("detect" :> <<>>)
DetectorHomes == [v \in {"pass", "detect"} |-> [f \in Flows |->
            IF v = "detect" THEN "detect.0" ELSE IF f = "A" THEN "pass.1" ELSE "pass.0"]]

Borrowing == "take" :> "borrow"
Taker == "take.0" :> "take"
ToTaker == ("root" :> <<"take">>) @@ ("take" :> <<>>)
TakerHome == "take" :> [f \in Flows |-> "take.0"]
TwoNumbers == <<1, 2>>

Numbers == (<<"count", "count">> :> 1) @@ (<<"count", "total">> :> 2) @@ (<<"mark", "marked">> :> 3)

(* Other rules, each of which is wrong. *)

Numbered(p, s) == [p EXCEPT !.said = Append(@, s.cached[FlowOf(p.clock)] + 1)]
CountedOn(p, s) == [s EXCEPT !.cached[FlowOf(p.clock)] = @ + 1]
Uncounted(i, s, p) == Finish(i, CountedOn(p, s), Numbered(p, s))

TotalTwice(i, s, p) ==
    LET v == VertexOf[i]
        total == Update(p, Total(v))
        count == Update(p, Count(v, FlowOf(p.clock)))
        told == Tell(Tell(Tell(CountedOn(p, s), i, total, FALSE), i, total, FALSE), i, count, FALSE)
    IN  Finish(i, told, Induce(Induce(Numbered(p, s), Total(v)), Count(v, FlowOf(p.clock))))

NoUpdates == {}
NeverOnRecord(update) == FALSE
NoClock(k) == 0

\* DUP-2 without the number of the update: a second one of an object is taken for a repeat.
ObjectOnRecord(update) ==
    \E u \in Recorded(update.object) : u.clock = update.clock /\ u.branch = update.branch

OneName(source, at, p) ==
    [n \in 1 .. Len(Below[at]) |-> <<source, Home[Below[at][n]][FlowOf(p.clock)], p>>]
RECURSIVE Unnamed(_, _)
Unnamed(at, branch) == UNION {{<<v, branch>>} \cup Unnamed(v, branch) : v \in Range(Below[at])}

FirstEdge(source, at, p) ==
    LET edges == Below[at]
        named == [p EXCEPT !.branch = Append(@, 0), !.induced = {}, !.before = @ \cup p.induced]
    IN  IF edges = <<>> THEN <<>>
        ELSE <<<<source, Home[edges[1]][FlowOf(p.clock)], IF Len(edges) = 1 THEN p ELSE named>>>>
=============================================================================
