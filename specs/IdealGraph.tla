----------------------------- MODULE IdealGraph -----------------------------
(***************************************************************************)
(* The ideal chain of any vertices and edges: one instance for each        *)
(* vertex, no limits, no failures.                                         *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 1, 2.1 and 4, Figure 6.                 *)
(* Clauses: COE, R1, R2, R5, ROOT-1, CHAIN-1, SPLIT-3, QUEUE-2.            *)
(*                                                                         *)
(* Packets are taken in the order of their clocks, and a copy goes down    *)
(* every edge.  A vertex with state makes the updates of the copies of one *)
(* flow one after the other: those that have come the same way in the      *)
(* order of their clocks, and each once.  What a copy carries away is      *)
(* fixed by then; the store comes to hold the updates, and the copies      *)
(* leave in order, each once.  COE says no more of different flows.  Of    *)
(* copies that come to one vertex by different ways, any may be first.     *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Vertices, \* vertices of the chain
    Kind,     \* all but "pass" have state; a counter numbers the packets of a flow, and a
              \* borrower takes a number from a pool and puts it back behind the others
    Below,    \* for "root" and each vertex: the vertices behind it, in order
    Arrivals, \* the flows of the packets that come, in this order
    InPool,   \* the numbers, at first
    Objects   \* what is stored: records of vertex, name and key; the key may be a flow

VARIABLES
    taken,  \* packets taken so far
    made,   \* copies whose updates a vertex has made for a flow, in order: clock and branch
    stored, \* of each object, the number of updates that the store has
    left    \* copies that have left, in order: clock, branch, and what it carries

vars == <<taken, made, stored, left>>

Clocks == 1 .. Len(Arrivals)
Flows == {Arrivals[k] : k \in Clocks}
Stateful == {v \in Vertices : Kind[v] # "pass"}

(***************************************************************************)
(* The ways through the chain: sequences of visits.  A visit is a vertex,  *)
(* and a branch: one number for each place with more than one way to go.   *)
(***************************************************************************)
RECURSIVE Ways(_, _)
Ways(at, branch) ==
    LET edges == Below[at]
        Visit(n) == [vertex |-> edges[n],
                     branch |-> IF Len(edges) = 1 THEN branch ELSE Append(branch, n - 1)]
    IN  IF edges = <<>> THEN {<<>>}
        ELSE UNION {{<<Visit(n)>> \o way : way \in Ways(edges[n], Visit(n).branch)} :
                      n \in 1 .. Len(edges)}

Routes == Ways("root", <<>>)
End(route) == route[Len(route)]
Visits == UNION {{route[n] : n \in 1 .. Len(route)} : route \in Routes}

\* Visits to vertices with state, before another visit.
Above(visit) ==
    UNION {{route[m] : m \in {m \in 1 .. Len(route) :
              route[m].vertex \in Stateful /\ \E n \in m + 1 .. Len(route) : route[n] = visit}} :
                route \in Routes}

Earlier(k) == {j \in 1 .. k - 1 : Arrivals[j] = Arrivals[k]}
Copy(k, visit) == [clock |-> k, branch |-> visit.branch]
Has(s, x) == \E n \in 1 .. Len(s) : s[n] = x
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))

HasMade(k, visit) == Has(made[visit.vertex][Arrivals[k]], Copy(k, visit))

HasLeft(k, branch) ==
    \E n \in 1 .. Len(left) : left[n].clock = k /\ left[n].branch = branch

TypeOK ==
    /\ taken \in 0 .. Len(Arrivals)
    /\ \A v \in Vertices, f \in Flows : \A n \in 1 .. Len(made[v][f]) :
         made[v][f][n].clock \in Clocks /\ [vertex |-> v, branch |-> made[v][f][n].branch] \in Visits
    /\ stored \in [Objects -> Nat]
    /\ \A n \in 1 .. Len(left) : left[n].clock \in Clocks /\ left[n].said \in Seq(Nat)

Init ==
    /\ taken = 0
    /\ made = [v \in Vertices |-> [f \in Flows |-> <<>>]]
    /\ stored = [o \in Objects |-> 0]
    /\ left = <<>>

-----------------------------------------------------------------------------
Take ==
    /\ taken < Len(Arrivals)
    /\ taken' = taken + 1
    /\ UNCHANGED <<made, stored, left>>

\* The copies of a flow that a vertex has had, n of them, and the next one may have been k's.
MayBeNext(v, f, k, branch, before) ==
    LET visit == [vertex |-> v, branch |-> branch]
    IN  /\ k \in 1 .. taken /\ Arrivals[k] = f /\ visit \in Visits
        /\ ~Has(before, Copy(k, visit))
        /\ \A j \in Earlier(k) : Has(before, Copy(j, visit))
        /\ \A other \in Above(visit) : HasMade(k, other)

\* R2, R5: a vertex makes the updates of one copy or several, which have waited for each other.
Make(v) ==
    /\ made' # made
    /\ \A w \in Vertices \ {v} : made'[w] = made[w]
    /\ \A f \in Flows :
         /\ IsPrefix(made[v][f], made'[v][f])
         /\ \A n \in Len(made[v][f]) + 1 .. Len(made'[v][f]) :
              LET next == made'[v][f][n]
              IN  MayBeNext(v, f, next.clock, next.branch, SubSeq(made'[v][f], 1, n - 1))
    /\ UNCHANGED <<taken, stored, left>>

\* R1: the store has one more of the updates that have been made.  Each copy updates all the
\* objects of a vertex, and of those that are kept by flow that of its own; a pool twice.
RECURSIVE MadeBy(_, _)
MadeBy(v, flows) ==
    IF flows = {} THEN 0
    ELSE LET f == CHOOSE f \in flows : TRUE IN Len(made[v][f]) + MadeBy(v, flows \ {f})

Made(o) ==
    LET copies == MadeBy(o.vertex, IF o.key \in Flows THEN {o.key} ELSE Flows)
    IN  IF Kind[o.vertex] = "borrow" THEN 2 * copies ELSE copies

Settle(o) ==
    /\ stored[o] < Made(o)
    /\ stored' = [stored EXCEPT ![o] = @ + 1]
    /\ UNCHANGED <<taken, made, left>>

\* What the copy carries away: its place among those of its flow, at every counter; and of each
\* pool the number that was the first when all packets before it had put theirs back.
Place(k, visit) ==
    CHOOSE n \in 1 .. Len(made[visit.vertex][Arrivals[k]]) :
        made[visit.vertex][Arrivals[k]][n] = Copy(k, visit)

RECURSIVE Said(_, _)
Said(k, route) ==
    IF route = <<>> THEN <<>>
    ELSE (CASE Kind[Head(route).vertex] = "counter" -> <<Place(k, Head(route))>>
            [] Kind[Head(route).vertex] = "borrow" -> <<InPool[((k - 1) % Len(InPool)) + 1]>>
            [] OTHER -> <<>>)
         \o Said(k, Tail(route))

\* R2, R5: a copy leaves behind the last vertex, in the order in which those of its flow that
\* have come the same way do, and in that in which the last vertex has made their updates.
Leave(k, route) ==
    /\ \A n \in 1 .. Len(route) : route[n].vertex \in Stateful => HasMade(k, route[n])
    /\ ~HasLeft(k, End(route).branch)
    /\ \A j \in Earlier(k) : HasLeft(j, End(route).branch)
    /\ End(route).vertex \in Stateful =>
         \A n \in 1 .. Place(k, End(route)) - 1 :
            LET other == made[End(route).vertex][Arrivals[k]][n]
            IN  HasLeft(other.clock, other.branch)
    /\ left' = Append(left, [clock |-> k, branch |-> End(route).branch, said |-> Said(k, route)])
    /\ UNCHANGED <<taken, made, stored>>

Inside ==
    \/ \E v \in Vertices : Make(v)
    \/ \E o \in Objects : Settle(o)
    \/ \E k \in 1 .. taken, route \in Routes : Leave(k, route)

Next == Take \/ Inside

(***************************************************************************)
(* LIVE: packets need not come; what is taken is stored, and leaves in all *)
(* its copies, in the end.  This is weak fairness of Inside, which is      *)
(* enabled as long as anything is left to do.                              *)
(***************************************************************************)
IsDone ==
    /\ \A o \in Objects : stored[o] = Made(o)
    /\ \A k \in 1 .. taken, route \in Routes : HasLeft(k, End(route).branch)

Fairness == []<>IsDone \/ []<><<Inside>>_vars

\* [][Next]_vars; TLC tries in this order, and most steps of an implementation change nothing.
Safety == Init /\ [][UNCHANGED vars \/ Next]_vars
Spec == Safety /\ Fairness
=============================================================================
