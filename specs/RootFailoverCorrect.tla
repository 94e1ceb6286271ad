------------------------- MODULE RootFailoverCorrect -------------------------
(***************************************************************************)
(* What RootFailover must keep, and situations in which it is hard to      *)
(* keep.                                                                   *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1, 5 and 5.4.                         *)
(* Clauses: COE, R2, R5, ROOT-1 to ROOT-3, ROOT-5, MOVE-1, MOVE-6, REC-0   *)
(* to REC-3, DEL-3, LIVE.                                                  *)
(***************************************************************************)
EXTENDS RootFailover

-----------------------------------------------------------------------------
InOrder(packets) ==  \* of arrival, and none twice
    \A m, n \in 1 .. Len(packets) : m < n => packets[m].number < packets[n].number

OfFlow(packets, f) ==
    LET isOfFlow(p) == FlowOf(p) = f
    IN  SelectSeq(packets, isOfFlow)

(***************************************************************************)
(* ROOT-1, ROOT-5: no clock is given twice, whichever root gives it, and a *)
(* later packet has a later clock.                                         *)
(***************************************************************************)
ClocksIncrease ==
    \A m, n \in 1 .. Len(root.entered) :
        m < n => root.entered[m].clock < root.entered[n].clock

(***************************************************************************)
(* REC-3: every packet that has arrived has entered the chain, or waits to *)
(* do so; in order of arrival, and none twice.  With the log in the store, *)
(* one that has a clock, but is not in the log, may die with its root.     *)
(***************************************************************************)
NumbersOf(packets) == [n \in 1 .. Len(packets) |-> packets[n].number]

Entering ==  \* packets that the store must have in the log first
    LET isForward(item) == item.type = "forward"
        items == SelectSeq(root.unwritten, isForward)
    IN  [n \in 1 .. Len(items) |-> items[n].packet]

InputInOrder ==
    LET numbers == NumbersOf(root.entered \o Entering) \o root.waiting
    IN  IF LogInStore /\ crashes > 0
        THEN \A m, n \in 1 .. Len(numbers) : m < n => numbers[m] < numbers[n]
        ELSE numbers = [n \in 1 .. arrived |-> n]

(***************************************************************************)
(* ROOT-2, ROOT-3: the log of a root holds every packet, of those that it  *)
(* has let in, that is not processed: one that waits somewhere, or whose   *)
(* update the store has not applied.  Where a store has the log, this is   *)
(* true of that, and whether or not there is a root.  A packet that one    *)
(* instance has processed may come to the new instance of its flow as      *)
(* well, when a new root forwards it again: that repeat need not be logged *)
(* (DUP-2).                                                                *)
(***************************************************************************)
Inside(i) ==  \* what waits in instance i
    Range(host[i].freed) \cup Range(host[i].queue)
    \cup UNION {Range(host[i].waits[slot]) : slot \in DOMAIN host[i].waits}

PacketIn(item) == IF item.type = "loaded" THEN item.packet ELSE item
IsOf(p, item) == item.type \in {"packet", "copy"} /\ item.clock = p.clock /\ item.number = p.number
Seen(p) == \E i \in Instances : p.clock \in host[i].seen

AtGate(p) == \E item \in Range(root.gate) : IsOf(p, item)

WaitsIn(i, p) == \E item \in Inside(i) : IsOf(p, PacketIn(item))
IsProcessed(p) == \E i \in Instances : p.clock \in host[i].seen /\ ~WaitsIn(i, p)

Waits(p) ==
    \/ AtGate(p)
    \/ \E i \in Instances :
         \/ WaitsIn(i, p)
         \/ p.clock \notin host[i].seen /\ \E m \in Range(channel[<<Root, i>>]) : IsOf(p, m)

IsUpdated(p) == p \in Range(value[FlowOf(p)])

IsLogged(p) ==
    \E e \in Range(IF LogInStore THEN stored.entries ELSE root.log) :
        e.clock = p.clock /\ e.number = p.number

OfThisRoot(p) == root.phase = "ready" /\ p.clock > root.lost  \* with its log

LogComplete ==
    \A p \in Range(root.entered) :
        (LogInStore \/ OfThisRoot(p)) /\ ~IsLogged(p) => IsUpdated(p) /\ (Waits(p) => IsProcessed(p))

(***************************************************************************)
(* REC-0: nothing is lost but packets that nobody has taken from a root    *)
(* that failed with its log; when there is a root again.  The effect of    *)
(* every other one is in the state of its flow, or on the way there, or    *)
(* the packet itself is.                                                   *)
(***************************************************************************)
IsUpdating(p) ==
    \E i \in Instances :
        [type |-> "apply", clock |-> p.clock, number |-> p.number] \in Range(channel[<<i, Store>>])

NothingLost ==
    \A p \in Range(root.entered) :
        OfThisRoot(p) \/ Seen(p)
            => IsUpdated(p) \/ IsUpdating(p) \/ Waits(p)

(***************************************************************************)
(* R2, R5: the state of a flow has the updates of its packets in order of  *)
(* their arrival, and none twice; so they leave the chain.                 *)
(***************************************************************************)
OrderKept == \A f \in Flows : InOrder(value[f]) /\ InOrder(OfFlow(left, f))

(***************************************************************************)
(* Fairness speaks of messages under way instead of whether Take is        *)
(* enabled.  That is the same, as every message can be taken.              *)
(***************************************************************************)
AllTaken == UnderWay => ENABLED Take

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, there is a root,     *)
(* nothing waits, the log is empty, what is in the state of a flow has     *)
(* left the chain, and every move is over.                                 *)
(***************************************************************************)
Idle ==
    /\ root.phase = "ready" /\ ~recovering
    /\ root.waiting = <<>> /\ root.aside = <<>> /\ root.unwritten = <<>> /\ root.gate = <<>>
    /\ root.log = <<>> /\ stored.entries = <<>>
    /\ \A i \in Instances : /\ host[i].work = NoPacket
                             /\ host[i].freed = <<>> /\ host[i].queue = <<>>
                             /\ host[i].waits = <<>>
    /\ held = <<>> /\ \A f \in Flows : parked[f] = <<>>

IsOver(f, e) == owner[f].epoch >= e /\ e \notin underWay[f] /\ e \in passed[f]

NothingStuck ==
    ~UnderWay =>
        /\ Idle
        /\ \A f \in Flows : OfFlow(left, f) = value[f]
        /\ \A f \in Flows, e \in Epochs \ {0} : e <= Len(target[f]) => IsOver(f, e)

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every recovery ends, with nothing left undone; and so does every  *)
(* move.                                                                   *)
(***************************************************************************)
RecoveryEnds == recovering ~> Idle
EveryMoveEnds == \A f \in Flows, e \in Epochs \ {0} : Len(target[f]) >= e ~> IsOver(f, e)

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain, but for the packets  *)
(* that may be lost with a root: those that nobody has taken from it, or,  *)
(* where a store has the log, those that have a clock and are not in the   *)
(* log yet.  They are at risk as long as there is no root.  A packet that  *)
(* waits for a clock is not lost, and is taken when it gets one.           *)
(***************************************************************************)
IsOnItsWay(n) ==
    IF LogInStore
    THEN \E m \in Range(channel[<<Root, Store>>]) :
           m.type = "write" /\ \E e \in Range(m.entry) : e.number = n
    ELSE \/ \E item \in Range(root.gate) : item.type = "copy" /\ item.number = n
         \/ \E i \in Instances : \E m \in Range(channel[<<Root, i>>]) :
              m.type = "packet" /\ m.number = n

HasCome(n) ==
    IF LogInStore
    THEN \E e \in Range(stored.entries) \cup Range(root.entered) : e.number = n
    ELSE \E p \in Range(root.entered) : p.number = n /\ Seen(p)

Given == 1 .. arrived - Len(root.waiting)

IdealChain == INSTANCE Ideal WITH
    Fails <- "root",
    Packets <- Traffic,
    Counts <- FALSE,
    taken <- arrived - Len(root.waiting),
    stored <- [f \in Flows |-> NumbersOf(value[f])],
    total <- 0,
    left <- [n \in 1 .. Len(left) |-> [clock |-> left[n].number, shown |-> 0]],
    failed <- crashes,
    risk <- {n \in Given : root.phase = "down" /\ IsOnItsWay(n) /\ ~HasCome(n)},
    lost <- {n \in Given : ~IsOnItsWay(n) /\ ~HasCome(n)}

RefinesSafety == IdealChain!Safety
RefinesLiveness == IdealChain!Fairness
Refines == IdealChain!Spec

THEOREM Spec => Refines

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* The ideal chain has taken every packet, and nothing is left to do.
NeverThrough == ~(Given = Numbers /\ IdealChain!IsDone)

\* The ideal chain loses a packet that was at risk, or spares it.
NeverLoses == [][~IdealChain!Lose]_vars
NeverSpares == [][~IdealChain!Spare]_vars

\* Input waits while there is no root.
NeverWithoutRoot == root.phase = "down" => root.waiting = <<>>

\* A new root gives a clock, and leaves a gap behind the clocks of the old one.
NeverGap ==
    \A n \in 1 .. Len(root.entered) - 1 :
        root.entered[n + 1].clock <= root.entered[n].clock + 1

\* A packet has died with its root, and a later one of its flow is in the state.
NeverLost ==
    \A f \in Flows : \A m, n \in Numbers :
        LET p(k) == root.entered[k]
        IN  ~(/\ m < n /\ n <= Len(root.entered) /\ p(n) \in Range(value[f])
              /\ FlowOf(p(m)) = f /\ ~IsUpdated(p(m)))

\* A delete waits for a new root that still asks the store.
NeverSetAside == \A item \in Range(root.aside) : item.message.type # "delete"

\* A new root takes the delete of a packet that the old one had logged for the first.
NeverTakenAsFirst ==
    \A i \in Instances : \A m \in Range(channel[<<Root, i>>]) :
        m.type = "deleted" => ~(m.first /\ m.clock <= root.lost)

\* A new root has the log of the old one.
NeverTakenOver ==
    ~(/\ LogInStore /\ crashes > 0
      /\ root.phase = "ready" /\ root.written = 0 /\ root.log # <<>>)

\* A new root answers a delete as the old one had, though its entry is gone.
NeverAnsweredAgain ==
    \A i \in Instances : \A m \in Range(channel[<<Root, i>>]) :
        m.type = "deleted" /\ m.first
            => ~(/\ LogInStore /\ crashes > 0
                 /\ root.phase = "ready" /\ root.written = 0 /\ root.answered[i] = m.clock
                 /\ Logs(root, m.clock) = {})

\* A new root sends a mark that was lost with the old one.
NeverReminds ==
    [][root.phase = "asking" /\ root'.phase = "ready" =>
         \A i \in Instances : \A m \in Range(channel'[<<Root, i>>]) :
             m.type = "last" /\ m.epoch < Len(root.route[m.flow])
                 => \/ m \in Range(channel[<<Root, i>>])
                    \/ m.epoch \in Range(host[i].released[m.flow])]_vars

\* An instance is brought a mark that it has done already.
NeverMarkedTwice ==
    \A i \in Instances : \A m \in Range(channel[<<Root, i>>]) :
        m.type = "last" => m.epoch \notin Range(host[i].released[m.flow])

\* A packet that an old instance has processed is processed once more, by the new one.
NeverBoth ==
    \A p \in Range(root.entered) : Cardinality({i \in Instances : p.clock \in host[i].seen}) <= 1
=============================================================================
