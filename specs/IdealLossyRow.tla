---------------------------- MODULE IdealLossyRow ----------------------------
(***************************************************************************)
(* The ideal chain of a row of vertices, at the end of which a packet may  *)
(* be lost for each failure.                                               *)
(*                                                                         *)
(* Paper: sections 1, 2.1 and 5.4.  Clauses: COE, R1, R2, R5, R6, ROOT-1,  *)
(* REC-0, REC-2.                                                           *)
(*                                                                         *)
(* Each vertex has one instance.  It takes packets in the order of their   *)
(* clocks, and what each does to the state of every vertex, and carries    *)
(* away, is fixed when it is taken.  What can be seen from outside         *)
(* follows: the store comes to hold, one after the other, the values that  *)
(* the ideal chain had for a flow at a vertex; and a flow's packets leave  *)
(* in order, each once.  COE says no more of different flows or vertices.  *)
(*                                                                         *)
(* REC-2 has the last NF send the delete before the output, so one that    *)
(* fails in between takes an output with it, which looks like a loss in    *)
(* the network.  So this is all that a failure may do: with it, or after   *)
(* it, one packet is lost that has not left, and no other.  What it has    *)
(* done to the state is not: the store comes to hold it as any other's.    *)
(***************************************************************************)
EXTENDS Row, FiniteSets

CONSTANT MostFailures

VARIABLES
    taken,    \* packets taken so far
    failures, \* failures so far
    stored,   \* value of each flow's object at each vertex, as the store has it
    totals,   \* value of the object that all flows share, as the store has it
    left,     \* packets that have left, in order: clock, and what it carries
    lost      \* packets that never will

vars == <<taken, failures, stored, totals, left, lost>>

TypeOK ==
    /\ taken \in Numbers
    /\ failures \in 0 .. MostFailures
    /\ stored \in [Vertices -> [Flows -> Values]]
    /\ totals \in [Vertices -> Numbers]
    /\ left \in Seq([clock : Clocks, said : Sayings])
    /\ lost \subseteq 1 .. taken

Init ==
    /\ taken = 0
    /\ failures = 0
    /\ stored = [v \in Vertices |-> [f \in Flows |-> NoValue]]
    /\ totals = [v \in Vertices |-> 0]
    /\ left = <<>>
    /\ lost = {}

-----------------------------------------------------------------------------
HasLeft(k) == \E n \in 1 .. Len(left) : left[n].clock = k

Take ==
    /\ taken < Len(Packets)
    /\ taken' = taken + 1
    /\ UNCHANGED <<failures, stored, totals, left, lost>>

\* R1, R6: the store has what the next packet of the flow has done at a vertex.
Settle(v, f) ==
    /\ OwnObject \in ObjectsOf(v)
    /\ \E n \in 1 .. Len(Came(f, taken)) :
         /\ stored[v][f] = IdealValue[v][f][n - 1]
         /\ stored' = [stored EXCEPT ![v][f] = IdealValue[v][f][n]]
    /\ UNCHANGED <<taken, failures, totals, left, lost>>

SettleTotal(v) ==
    /\ SharedObject \in ObjectsOf(v)
    /\ totals[v] < taken
    /\ totals' = [totals EXCEPT ![v] = @ + 1]
    /\ UNCHANGED <<taken, failures, stored, left, lost>>

\* R2, R5: the next packets of a flow leave, with what the ideal chain made of them: several at
\* once, when they have waited for one and the same thing.
Leave(f) ==
    /\ LET isNext(k) == ~HasLeft(k) /\ k \notin lost
           next == SelectSeq(Came(f, taken), isNext)
           Output(n) == [clock |-> next[n], said |-> Said[next[n]]]
       IN  \E m \in 1 .. Len(next) : left' = left \o [n \in 1 .. m |-> Output(n)]
    /\ UNCHANGED <<taken, failures, stored, totals, lost>>

\* REC-2: a packet will not leave; not more of them than there were failures.
Loses(k, failed) ==
    /\ k <= taken /\ ~HasLeft(k) /\ k \notin lost
    /\ Cardinality(lost) < failed
    /\ lost' = lost \cup {k}

Lose(k) ==
    /\ Loses(k, failures)
    /\ UNCHANGED <<taken, failures, stored, totals, left>>

\* REC-0: a failure is seen by nothing else.
Fail ==
    /\ failures < MostFailures
    /\ failures' = failures + 1
    /\ UNCHANGED lost \/ \E k \in Clocks : Loses(k, failures + 1)
    /\ UNCHANGED <<taken, stored, totals, left>>

Next ==
    \/ Take \/ Fail
    \/ \E v \in Vertices : SettleTotal(v) \/ \E f \in Flows : Settle(v, f)
    \/ \E f \in Flows : Leave(f)
    \/ \E k \in Clocks : Lose(k)

\* Packets need not come, and nothing need fail or be lost; what is taken is stored at every
\* vertex, and leaves unless it is lost, in the end (LIVE).
Fairness ==
    /\ \A v \in Vertices : WF_vars(SettleTotal(v)) /\ \A f \in Flows : WF_vars(Settle(v, f))
    /\ \A f \in Flows : WF_vars(Leave(f))

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
