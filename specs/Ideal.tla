-------------------------------- MODULE Ideal ---------------------------------
(***************************************************************************)
(* The ideal chain of one vertex: one instance, no limits, and of failures *)
(* nothing but the losses that the protocol permits.                       *)
(*                                                                         *)
(* Paper: sections 1, 2.1 and 5.4.                                         *)
(* Clauses: COE, R1, R2, R5, ROOT-1, REC-2, REC-3.                         *)
(*                                                                         *)
(* It takes packets in the order of their arrival, and what each does to   *)
(* the state, and carries away of it, is fixed when it is taken.  What can *)
(* be seen from outside follows: the store comes to hold, one after the    *)
(* other, the values that the ideal chain had for a flow; and a flow's     *)
(* packets leave in order, each once.  COE says no more of different       *)
(* flows: an output of one may overtake one of another.                    *)
(*                                                                         *)
(* A constant says whose failures are to be seen, if any.  When an         *)
(* instance fails, the output of one packet is at risk: that of the packet *)
(* whose delete was not answered yet (REC-2).  When the root fails, the    *)
(* newest packets of a flow are: those that nobody has taken from it       *)
(* (REC-3).  What is at risk is lost or spared; nothing else is ever lost. *)
(***************************************************************************)
EXTENDS Vertex

CONSTANT Fails \* "nothing", "instance" or "root"

ASSUME Fails \in {"nothing", "instance", "root"}

VARIABLES
    taken,  \* packets taken so far
    stored, \* value of each flow's object, as the store has it
    total,  \* value of the object that all flows share, as the store has it
    left,   \* packets that have left, in order: clock, and what it carries
    failed, \* failures so far
    risk,   \* packets that a failure may still take away, or their outputs
    lost    \* packets that it has taken away, or their outputs

inside == <<stored, total, left>>
vars == <<taken, inside, failed, risk, lost>>

TypeOK ==
    /\ taken \in 0 .. Len(Packets)
    /\ stored \in [Flows -> Values]
    /\ total \in 0 .. Len(Packets)
    /\ left \in Seq([clock : Clocks, shown : 0 .. Len(Packets)])
    /\ failed \in Nat
    /\ risk \subseteq 1 .. taken /\ lost \subseteq 1 .. taken

Init ==
    /\ taken = 0
    /\ stored = [f \in Flows |-> ValueOf(<<>>)]
    /\ total = 0
    /\ left = <<>>
    /\ failed = 0 /\ risk = {} /\ lost = {}

-----------------------------------------------------------------------------
\* The packets of a flow that leave, and those that are processed: with an instance only an
\* output is lost, and with the root the packet.
Leaving(f) == LET isKept(k) == k \notin lost IN SelectSeq(Came(f, taken), isKept)
Processed(f) == IF Fails = "root" THEN Leaving(f) ELSE Came(f, taken)

\* The value of a flow after its packets up to k.
ValueAfter(f, k) == LET isUpTo(j) == j <= k IN ValueOf(SelectSeq(Processed(f), isUpTo))

LeftOf(f) == LET isTheirs(o) == Packets[o.clock] = f IN SelectSeq(left, isTheirs)
HasLeft(k) == \E n \in 1 .. Len(left) : left[n].clock = k

\* Several at once, if they have waited for one and the same thing.
Take ==
    /\ taken < Len(Packets)
    /\ taken' \in taken + 1 .. Len(Packets)
    /\ UNCHANGED <<inside, failed, risk, lost>>

\* R1: the store has what the next packet of the flow has done.
Settle(f) ==
    /\ \E n \in 1 .. Len(Processed(f)) :
         /\ stored[f] = ValueOf(SubSeq(Processed(f), 1, n - 1))
         /\ stored' = [stored EXCEPT ![f] = ValueOf(SubSeq(Processed(f), 1, n))]
    /\ UNCHANGED <<taken, total, left, failed, risk, lost>>

SettleTotal ==
    /\ Counts
    /\ total < taken
    /\ total' = total + 1
    /\ UNCHANGED <<taken, stored, left, failed, risk, lost>>

\* R2, R5: the next packets of the flow leave, with what the ideal chain made of them.
\* Several may leave at once, when they have waited for one and the same thing.
Leave(f) ==
    /\ LET leaving == Leaving(f)
           gone == Len(LeftOf(f))
           Output(n) == [clock |-> leaving[n], shown |-> Shown(ValueAfter(f, leaving[n]))]
       IN  \E m \in 1 .. Len(leaving) - gone :
             /\ \A n \in gone + 1 .. gone + m : leaving[n] \notin risk
             /\ left' = left \o [n \in 1 .. m |-> Output(gone + n)]
    /\ UNCHANGED <<taken, stored, total, failed, risk, lost>>

Inside == SettleTotal \/ \E f \in Flows : Settle(f) \/ Leave(f)

-----------------------------------------------------------------------------
(* What failures may do *)

\* REC-2: an instance fails, and with it at most one output is at risk, or lost at once.
FailInstance ==
    /\ Fails = "instance"
    /\ failed' = failed + 1
    /\ \E k \in (1 .. taken) \ lost :
         /\ ~HasLeft(k)
         /\ \/ risk' = risk \cup {k} /\ UNCHANGED lost
            \/ lost' = lost \cup {k} /\ UNCHANGED risk
    /\ UNCHANGED <<taken, inside>>

\* REC-3: the root fails, with the newest packets of some flows under way.  They are at risk, or
\* lost at once, as in Lose.
IsLater(k, j) == k > j /\ Packets[k] = Packets[j]
IsStored(k) == \E n \in 1 .. Len(stored[Packets[k]]) : stored[Packets[k]][n] = k

FailRoot ==
    /\ Fails = "root"
    /\ failed' = failed + 1
    /\ \E new \in SUBSET ((1 .. taken) \ lost) :
         /\ \A k \in new : ~IsStored(k) /\ ~HasLeft(k)
         /\ \A j \in new, k \in (1 .. taken) \ lost : IsLater(k, j) => k \in new
         /\ \E gone \in SUBSET new :
              /\ \A j \in gone, k \in new : IsLater(k, j) => k \in gone
              /\ lost' = lost \cup gone
              /\ risk' = new \ gone
    /\ UNCHANGED <<taken, inside>>

FailHarmlessly ==
    /\ Fails # "nothing"
    /\ failed' = failed + 1
    /\ UNCHANGED <<taken, inside, risk, lost>>

\* With a packet that is lost, all of its flow that are at risk behind it are.
Lose ==
    /\ \E gone \in SUBSET risk \ {{}} :
         /\ \A j \in gone, k \in risk : IsLater(k, j) => k \in gone
         /\ lost' = lost \cup gone
         /\ risk' = risk \ gone
    /\ UNCHANGED <<taken, inside, failed>>

Spare ==
    /\ risk' \subseteq risk /\ risk' # risk
    /\ UNCHANGED <<taken, inside, failed, lost>>

-----------------------------------------------------------------------------
Next == Take \/ Inside \/ FailInstance \/ FailRoot \/ FailHarmlessly \/ Lose \/ Spare

(***************************************************************************)
(* LIVE: packets need not come; what is taken, and not lost, is stored and *)
(* leaves in the end.  This is weak fairness of Inside, which is enabled   *)
(* as long as anything is left to do.                                      *)
(***************************************************************************)
IsDone ==
    /\ Counts => total = taken
    /\ \A f \in Flows : /\ stored[f] = ValueOf(Processed(f))
                        /\ Len(LeftOf(f)) = Len(Leaving(f))

Fairness == []<>IsDone \/ []<><<Inside>>_vars

\* [][Next]_vars; TLC tries in this order, and most steps of an implementation change nothing.
Safety == Init /\ [][UNCHANGED vars \/ Next]_vars
Spec == Safety /\ Fairness
=============================================================================
