------------------------- MODULE ReallocationCorrect -------------------------
(***************************************************************************)
(* What Reallocation must keep, and situations in which it is hard to      *)
(* keep.                                                                   *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1, 4.3, 5.1 and Figure 4.             *)
(* Clauses: COE, CHAIN-3, MOVE-1 to MOVE-7, STORE-2, ROOT-3, DEL-3, REC-2, *)
(* LIVE.                                                                   *)
(***************************************************************************)
EXTENDS Reallocation

-----------------------------------------------------------------------------
(* Where a packet, or what it has done, may be. *)

ClocksOf(items) == {item.clock : item \in {one \in Range(items) : one.type \in {"packet", "copy"}}}

\* Packets that nobody has processed yet.
AtInstance(i) ==
    ClocksOf(toInstance[i]) \cup ClocksOf(node[i].ready) \cup ClocksOf(node[i].queue)
    \cup UNION {ClocksOf(node[i].blocked[slot]) : slot \in DOMAIN node[i].blocked}
ToProcess == ClocksOf(gate) \cup UNION {AtInstance(i) : i \in Instances}

\* Updates that have not reached the store yet, in order.
SentBy(i, o) == LET is(m) == m.type = "apply" /\ m.object = o IN SelectSeq(toStore[i], is)
UnderWay(i, o) ==
    LET sent == SentBy(i, o)
        clocks == [n \in 1 .. Len(sent) |-> sent[n].clock]
    IN  IF o = OwnObject THEN clocks \o node[i].unflushed ELSE clocks
AllUnderWay(o) == UNION {Range(UnderWay(i, o)) : i \in Instances}

Stored(k, o) == k \in IF o = OwnObject THEN Range(applied[Packets[k]]) ELSE Range(counted)

Outputs ==
    Range(held) \cup Range(delivered)
    \cup UNION {{m \in Range(toSink[i]) : m.type = "output"} : i \in Instances}

-----------------------------------------------------------------------------
(***************************************************************************)
(* MOVE-5, loss-freeness: of every packet that has arrived, each update is *)
(* in the store or on the way there; or the packet itself is on the way.   *)
(***************************************************************************)
LossFree ==
    \A k \in 1 .. arrived, o \in Objects :
        k \in ToProcess \/ k \in AllUnderWay(o) \/ Stored(k, o)

(***************************************************************************)
(* MOVE-5, order-preservation: the store has applied the packets of a flow *)
(* in the order of their arrival at the root, with no gap and none twice.  *)
(***************************************************************************)
OrderPreserved == \A f \in Flows : IsPrefix(applied[f], Came(f, arrived))

(***************************************************************************)
(* MOVE-7: the shared object has counted no packet twice.                  *)
(***************************************************************************)
CountedOnce == Len(counted) = Cardinality(Range(counted))

(***************************************************************************)
(* MOVE-5, as the packets see it: each was processed on a value that has   *)
(* exactly the flow's earlier packets.  The cached value is one that the   *)
(* ideal chain had, and what an output carries is what it made of it.      *)
(***************************************************************************)
Ideal(k) == Shown(ValueOf(Came(Packets[k], k)))

SeesAllEarlier ==
    /\ \A i \in Instances, f \in Flows :
         node[i].owned[f].value \in
            {ValueOf(SubSeq(Came(f, arrived), 1, n)) : n \in 0 .. Len(Came(f, arrived))}
    /\ \A o \in Outputs : o.shown = Ideal(o.clock)

(***************************************************************************)
(* STORE-2, single owner: an instance works on a flow's value only while   *)
(* the store has it down as the owner, for the same epoch.                 *)
(***************************************************************************)
SingleOwner ==
    \A i \in Instances, f \in Flows :
        node[i].owned[f] # NotOwned =>
            owner[f] = [instance |-> i, epoch |-> node[i].owned[f].epoch]

(***************************************************************************)
(* MOVE-6, downstream order: packets of a flow leave the chain in the      *)
(* order of their arrival at the root, with no gap and none twice.         *)
(***************************************************************************)
DeliveredOf(f) ==
    LET is(o) == o.flow = f
        theirs == SelectSeq(delivered, is)
    IN  [n \in 1 .. Len(theirs) |-> theirs[n].clock]

DownstreamOrder == \A f \in Flows : IsPrefix(DeliveredOf(f), Came(f, arrived))

(***************************************************************************)
(* ROOT-3, DEL-3: the root deletes a packet only when it is over: it has   *)
(* been processed, and all its updates are in the store.                   *)
(***************************************************************************)
DeletedWhenOver ==
    \A k \in (1 .. arrived) \ DOMAIN log :
        k \notin ToProcess /\ \A o \in Objects : Stored(k, o)

(***************************************************************************)
(* REC-2: nothing leaves an instance before the root has its delete.       *)
(***************************************************************************)
LeavesAfterDelete == \A o \in Outputs : o.clock \in DOMAIN log => log[o.clock].ended

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits; every *)
(* packet is in the state, has left, and is deleted; every move is over.   *)
(***************************************************************************)
NothingStuck ==
    AtRest =>
        /\ ToProcess = {} /\ held = <<>> /\ log = <<>>
        /\ \A k \in 1 .. arrived, o \in Objects : Stored(k, o)
        /\ {o.clock : o \in Range(delivered)} = 1 .. arrived
        /\ \A i \in Instances : node[i].work = Idle
        /\ \A f \in Flows : /\ parked[f] = <<>>
                              /\ underWay[f] = {}
                              /\ owner[f].epoch = Len(target[f])
                              /\ passed[f] = 1 .. Len(target[f])

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives leaves the chain, its updates reach the *)
(* store, the root deletes it, and every move ends.                        *)
(***************************************************************************)
EveryPacketLeaves ==
    \A k \in Clocks : arrived >= k ~> \E o \in Range(delivered) : o.clock = k

EveryUpdateArrives ==
    \A k \in Clocks, o \in Objects : arrived >= k ~> Stored(k, o)

EveryEntryDeleted == \A k \in Clocks : arrived >= k ~> k \notin DOMAIN log

EveryMoveEnds ==
    \A f \in Flows, e \in Epochs \ {0} :
        Len(target[f]) >= e ~> owner[f].epoch >= e /\ e \notin underWay[f] /\ e \in passed[f]

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain.  It has taken what   *)
(* has arrived; what its store holds, and what leaves it, follows.         *)
(***************************************************************************)
IdealChain == INSTANCE Ideal WITH
    Fails <- "nothing",
    taken <- arrived,
    stored <- [f \in Flows |-> ValueOf(applied[f])],
    total <- Len(counted),
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, shown |-> delivered[n].shown]],
    failed <- 0,
    risk <- {},
    lost <- {}

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
NeverThrough == ~(arrived = Len(Packets) /\ IdealChain!IsDone)

\* Two packets wait at a new instance while the old one still owns the flow.
NeverBuffered ==
    \A i \in Instances, f \in Flows, e \in Epochs \ {0} :
        owner[f].instance # Nobody /\ owner[f].epoch < e => Len(Waiting(node[i], <<f, e>>)) < 2

\* A packet waits at the sink for an earlier one that is still on its way.
NeverHeld == held = <<>>

\* A tenure without packets ends before the one before it has ended.
NeverReleasedEarly == \A f \in Flows : \A r \in Range(parked[f]) : r.type = "acquire"

\* A flow has come back to the instance that it left first, and goes on from a value.
NeverCameBack ==
    \A f \in Flows :
        LET own == node[Home[f]].owned[f] IN ~(own.epoch = 2 /\ own.value = ValueOf(Came(f, 2)))

\* The mark "last" waits behind packets that wait for the flow themselves.
NeverMarkedWaiting ==
    \A i \in Instances, f \in Flows, e \in Epochs :
        \A item \in Range(Waiting(node[i], <<f, e>>)) : item.type = "packet"

\* A cached update waits for its flush while its flow has moved on already.
NeverUnflushed ==
    \A i \in Instances, f \in Flows :
        LET own == node[i].owned[f]
        IN  ~(own # NotOwned /\ own.epoch < Len(target[f]) /\ node[i].unflushed # <<>>)

\* The gate closes once more when it opens: the flow has moved again meanwhile.
NeverClosedAgain ==
    \A f \in Flows : ~(gate # <<>> /\ Len(begun[f]) > 0 /\ Len(route[f]) > Len(begun[f]) + 1)

\* A packet is processed while another one, whose flow has just come, waits for it.
NeverReady == \A i \in Instances : node[i].work = Idle \/ node[i].ready = <<>>

\* CHAIN-3: a flow that a scaling sends elsewhere goes on there from where it was.
NeverSentElsewhere ==
    \A f \in told :
        LET own == node[NewHome[f]].owned[f] IN ~(own.epoch = 1 /\ own.value = ValueOf(Came(f, 2)))

\* CHAIN-3: a flow was moved while a packet of it waited to be told where it begins.
NeverMovedAsked ==
    ~(/\ questions # <<>> /\ Head(questions).type = "unrouted"
      /\ target[Head(questions).flow] # <<>>)

\* CHAIN-3: a flow begins after the scaling, and where it would have begun before.
NeverBeginsScaled ==
    \A f \in Flows : ~(scaled /\ route[f] = <<>> /\ applied[f] # <<>>)
=============================================================================
