-------------------------------- MODULE Ideal ---------------------------------
(***************************************************************************)
(* The ideal chain of one vertex: one instance, no limits, no failures.    *)
(*                                                                         *)
(* Paper: sections 1 and 2.1.  Clauses: COE, R1, R2, R5, ROOT-1.           *)
(*                                                                         *)
(* It takes packets in the order of their clocks, one after the other, and *)
(* what each does to the state, and carries away of it, is fixed when it   *)
(* is taken.  What can be seen from outside follows: the store comes to    *)
(* hold, one after the other, the values that the ideal chain had for a    *)
(* flow; and a flow's packets leave in order, each once.  COE says no      *)
(* more of different flows: an output of one may overtake one of another.  *)
(***************************************************************************)
EXTENDS Vertex

VARIABLES
    taken,  \* packets taken so far
    stored, \* value of each flow's object, as the store has it
    total,  \* value of the object that all flows share, as the store has it
    left    \* packets that have left, in order: clock, and what it carries

vars == <<taken, stored, total, left>>

TypeOK ==
    /\ taken \in 0 .. Len(Packets)
    /\ stored \in [Flows -> Values]
    /\ total \in 0 .. Len(Packets)
    /\ left \in Seq([clock : Clocks, shown : 0 .. Len(Packets)])

Init ==
    /\ taken = 0
    /\ stored = [f \in Flows |-> ValueOf(<<>>)]
    /\ total = 0
    /\ left = <<>>

-----------------------------------------------------------------------------
\* The value of a flow after its first n packets.
ValueAfter(f, n) == ValueOf(SubSeq(Came(f, taken), 1, n))

Take ==
    /\ taken < Len(Packets)
    /\ taken' = taken + 1
    /\ UNCHANGED <<stored, total, left>>

\* R1: the store has what the next packet of the flow has done.
Settle(f) ==
    /\ \E n \in 1 .. Len(Came(f, taken)) :
         /\ stored[f] = ValueAfter(f, n - 1)
         /\ stored' = [stored EXCEPT ![f] = ValueAfter(f, n)]
    /\ UNCHANGED <<taken, total, left>>

SettleTotal ==
    /\ Counts
    /\ total < taken
    /\ total' = total + 1
    /\ UNCHANGED <<taken, stored, left>>

\* R2, R5: the next packets of the flow leave, with what the ideal chain made of them.
\* Several may leave at once, when they have waited for one and the same thing.
Leave(f) ==
    /\ LET came == Came(f, taken)
           isTheirs(o) == Packets[o.clock] = f
           gone == Len(SelectSeq(left, isTheirs))
           Leaving(n) == [clock |-> came[n], shown |-> Shown(ValueAfter(f, n))]
       IN  \E m \in 1 .. Len(came) - gone :
             left' = left \o [n \in 1 .. m |-> Leaving(gone + n)]
    /\ UNCHANGED <<taken, stored, total>>

Next == Take \/ SettleTotal \/ \E f \in Flows : Settle(f) \/ Leave(f)

\* Packets need not come; what is taken is stored and leaves in the end (LIVE).
Fairness ==
    /\ WF_vars(SettleTotal)
    /\ \A f \in Flows : WF_vars(Settle(f)) /\ WF_vars(Leave(f))

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
