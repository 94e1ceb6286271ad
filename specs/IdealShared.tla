----------------------------- MODULE IdealShared ------------------------------
(***************************************************************************)
(* The ideal chain of one vertex whose flows share an object: one          *)
(* instance, no limits, no caches, and of failures nothing but the losses  *)
(* that the protocol permits.                                              *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 1, 2.1 and 5.4.                         *)
(* Clauses: COE, R2, R3, R5, ROOT-1, STORE-4, REC-0, REC-2.                *)
(*                                                                         *)
(* It takes packets in some serial order, any one that keeps the order of  *)
(* each flow.  An update has its place in that order when it is made, once *)
(* and for ever.  A packet that only reads may be placed behind any update *)
(* that has been made, but for one thing: it sees no less than an earlier  *)
(* packet of its flow did.  That is enough for a serial order of all: put  *)
(* each reader right behind the last update that it sees, readers of one   *)
(* flow as they came.  With each failure, one packet may be lost that has  *)
(* not left (REC-2); what it has done to the object is not.                *)
(***************************************************************************)
EXTENDS SharedVertex, FiniteSets

CONSTANT MostFailures

ASSUME MostFailures \in Nat

VARIABLES
    taken,    \* packets taken so far
    failures, \* failures so far
    raised,   \* packets that have raised each object, in order
    left,     \* packets that have left, in order: clock and number
    lost      \* packets that never will

vars == <<taken, failures, raised, left, lost>>

IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
Has(s, x) == \E n \in 1 .. Len(s) : s[n] = x
Earlier(k) == {j \in 1 .. k - 1 : Packets[j] = Packets[k]}
HasLeft(k) == \E n \in 1 .. Len(left) : left[n].clock = k

TypeOK ==
    /\ taken \in Numbers
    /\ failures \in 0 .. MostFailures
    /\ raised \in [Keys -> Seq(Clocks)]
    /\ left \in Seq([clock : Clocks, shown : Numbers])
    /\ lost \subseteq 1 .. taken

Init ==
    /\ taken = 0
    /\ failures = 0
    /\ raised = [key \in Keys |-> <<>>]
    /\ left = <<>>
    /\ lost = {}

-----------------------------------------------------------------------------
Take ==
    /\ taken < Len(Packets)
    /\ taken' = taken + 1
    /\ UNCHANGED <<failures, raised, left, lost>>

\* R3, R5: the packet's update gets its place, behind those of earlier packets of its flow.
Raise(k) ==
    /\ k <= taken /\ Raises(k)
    /\ ~Has(raised[KeyOf(k)], k)
    /\ \A j \in Earlier(k) : Has(raised[KeyOf(k)], j)
    /\ raised' = [raised EXCEPT ![KeyOf(k)] = Append(@, k)]
    /\ UNCHANGED <<taken, failures, left, lost>>

\* What packet k may carry away by now, when these have left before it.
MaySee(k, number, before) ==
    IF Raises(k) THEN number \in 1 .. Len(raised[KeyOf(k)]) /\ raised[KeyOf(k)][number] = k
    ELSE /\ number \in 0 .. Len(raised[KeyOf(k)])
         /\ \A n \in 1 .. Len(before) :
              before[n].clock \in Earlier(k) => before[n].shown <= number

MayLeave(o, before) ==
    LET isGone(k) == \E n \in 1 .. Len(before) : before[n].clock = k
    IN  /\ o.clock \in (1 .. taken) \ lost
        /\ ~isGone(o.clock)
        /\ \A j \in Earlier(o.clock) : isGone(j) \/ j \in lost
        /\ MaySee(o.clock, o.shown, before)

\* R2, R5: the next packet of a flow leaves; or several, that have waited for one and the same
\* thing.
Leave ==
    /\ left' # left
    /\ IsPrefix(left, left')
    /\ \A n \in Len(left) + 1 .. Len(left') : MayLeave(left'[n], SubSeq(left', 1, n - 1))
    /\ UNCHANGED <<taken, failures, raised, lost>>

\* REC-2: a packet will not leave; not more of them than there were failures.
Loses(k, failed) ==
    /\ k <= taken /\ ~HasLeft(k) /\ k \notin lost
    /\ Cardinality(lost) < failed
    /\ lost' = lost \cup {k}

Lose(k) ==
    /\ Loses(k, failures)
    /\ UNCHANGED <<taken, failures, raised, left>>

\* REC-0: a failure is seen by nothing else.
Fail ==
    /\ failures < MostFailures
    /\ failures' = failures + 1
    /\ UNCHANGED lost \/ \E k \in Clocks : Loses(k, failures + 1)
    /\ UNCHANGED <<taken, raised, left>>

Next == Take \/ Fail \/ Leave \/ \E k \in Clocks : Raise(k) \/ Lose(k)

\* [][Next]_vars; TLC tries in this order, and most steps of an implementation change nothing.
Safety == Init /\ [][UNCHANGED vars \/ Next]_vars
=============================================================================
