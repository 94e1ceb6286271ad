-------------------------------- MODULE Move --------------------------------
(***************************************************************************)
(* Moving a flow between the instances of one vertex.                      *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, section 5.1 and Figure 4.                        *)
(* Clauses: MOVE-1 to MOVE-6, STORE-2, CACHE-2, LIVE.                      *)
(*                                                                         *)
(* A splitter sends the packets of every flow to one of several instances, *)
(* over a FIFO channel for each instance.  An instance that owns a flow    *)
(* processes the flow's packets on a cached value and flushes its updates  *)
(* to the store later.  A flow may be moved at any time, also while an     *)
(* earlier move of it is still under way.  The tenures of a flow are       *)
(* numbered by epochs, 0, 1, 2, ...; each move begins the next one.        *)
(*                                                                         *)
(* The value of a flow is the sequence of the packets that were applied to *)
(* it, so that a lost, doubled or misplaced update is visible.             *)
(*                                                                         *)
(* Left out: failures, replay, shared objects (MOVE-7), several splitters. *)
(***************************************************************************)
EXTENDS Naturals, Integers, Sequences

CONSTANTS
    Instances,   \* instances of the vertex
    Flows,       \* flows that may have packets
    Home,        \* instance of each flow before its first move
    MostPackets, \* how many packets may arrive
    MostMoves    \* how many moves may be requested

NoInstance == "nobody"
NoEpoch == -1

ASSUME /\ NoInstance \notin Instances
       /\ Home \in [Flows -> Instances]
       /\ MostPackets \in Nat
       /\ MostMoves \in Nat

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT MarkLast <- Dropped                                            *)
(***************************************************************************)
Dropped == FALSE

MarkLast == TRUE           \* MOVE-1: the old instance is told that a flow leaves
FlushBeforeRelease == TRUE \* MOVE-2: cached updates go to the store first
WaitForOwner == TRUE       \* MOVE-3: a later epoch waits until the owner has gone
BufferInOrder == TRUE      \* MOVE-4: buffered packets are processed as they came
HoldDownstream == TRUE     \* MOVE-6: the new instance's output is held back
WaitForAllMarks == TRUE    \* MOVE-6: until every earlier tenure has passed, not
                           \* only the one before it

VARIABLES
    clock,      \* splitter: packets so far; the last one's number
    moves,      \* splitter: moves so far
    route,      \* splitter: instance and epoch of each flow
    toInstance, \* channel to each instance: packets and last marks
    owned,      \* instance: epoch and cached value of each flow that it owns
    unflushed,  \* instance: packets whose updates are not yet sent, by flow
    waiting,    \* instance: packets and last marks that wait, by flow and epoch
    toStore,    \* channel from each instance to the store
    fromStore,  \* channel from the store to each instance
    owner,      \* store: instance and epoch that owns each flow
    parked,     \* store: requests of later epochs, by flow
    value,      \* store: packets applied to each flow, in order
    toSink,     \* channel from each instance to the sink
    passed,     \* sink: epochs of each flow for which the mark has come
    held,       \* sink: packets held back, by flow and epoch
    delivered,  \* sink: packets of each flow that were let through, in order
    arrived     \* history: packets of each flow, as the splitter saw them

splitter == <<clock, moves, route, arrived>>
instances == <<owned, unflushed, waiting>>
store == <<owner, parked, value>>
sink == <<passed, held, delivered>>
vars == <<splitter, toInstance, instances, toStore, fromStore, store, toSink, sink>>

-----------------------------------------------------------------------------
Clocks == 1 .. MostPackets
Epochs == 0 .. MostMoves

Packet(f, k, e) == [type |-> "packet", flow |-> f, clock |-> k, epoch |-> e]
LastMark(f, e) == [type |-> "last", flow |-> f, epoch |-> e]
Acquire(f, e, i) == [type |-> "acquire", flow |-> f, epoch |-> e, source |-> i]
Release(f, e, i) == [type |-> "release", flow |-> f, epoch |-> e, source |-> i]
Apply(f, k) == [type |-> "apply", flow |-> f, clock |-> k]
Granted(f, e, v) == [type |-> "granted", flow |-> f, epoch |-> e, value |-> v]
Output(f, k, e, v) == [type |-> "output", flow |-> f, clock |-> k, epoch |-> e, saw |-> v]
Passed(f, e) == [type |-> "passed", flow |-> f, epoch |-> e]

DataItem == [type : {"packet"}, flow : Flows, clock : Clocks, epoch : Epochs]
            \cup [type : {"last"}, flow : Flows, epoch : Epochs]
Request == [type : {"acquire", "release"}, flow : Flows, epoch : Epochs, source : Instances]
Update == [type : {"apply"}, flow : Flows, clock : Clocks]
Grant == [type : {"granted"}, flow : Flows, epoch : Epochs, value : Seq(Clocks)]
SinkItem == [type : {"output"}, flow : Flows, clock : Clocks, epoch : Epochs, saw : Seq(Clocks)]
            \cup [type : {"passed"}, flow : Flows, epoch : Epochs]

NotOwned == [epoch |-> NoEpoch, value |-> <<>>]

TypeOK ==
    /\ clock \in 0 .. MostPackets
    /\ moves \in 0 .. MostMoves
    /\ route \in [Flows -> [instance : Instances, epoch : Epochs]]
    /\ toInstance \in [Instances -> Seq(DataItem)]
    /\ owned \in [Instances -> [Flows -> [epoch : Epochs \cup {NoEpoch}, value : Seq(Clocks)]]]
    /\ unflushed \in [Instances -> [Flows -> Seq(Clocks)]]
    /\ waiting \in [Instances -> [Flows -> [Epochs -> Seq(DataItem)]]]
    /\ toStore \in [Instances -> Seq(Request \cup Update)]
    /\ fromStore \in [Instances -> Seq(Grant)]
    /\ owner \in [Flows -> [instance : Instances \cup {NoInstance}, epoch : Epochs]]
    /\ parked \in [Flows -> SUBSET Request]
    /\ value \in [Flows -> Seq(Clocks)]
    /\ toSink \in [Instances -> Seq(SinkItem)]
    /\ passed \in [Flows -> SUBSET Epochs]
    /\ held \in [Flows -> [Epochs -> Seq(Clocks)]]
    /\ delivered \in [Flows -> Seq(Clocks)]
    /\ arrived \in [Flows -> Seq(Clocks)]

Init ==
    /\ clock = 0
    /\ moves = 0
    /\ route = [f \in Flows |-> [instance |-> Home[f], epoch |-> 0]]
    /\ toInstance = [i \in Instances |-> <<>>]
    /\ owned = [i \in Instances |-> [f \in Flows |-> NotOwned]]
    /\ unflushed = [i \in Instances |-> [f \in Flows |-> <<>>]]
    /\ waiting = [i \in Instances |-> [f \in Flows |-> [e \in Epochs |-> <<>>]]]
    /\ toStore = [i \in Instances |-> <<>>]
    /\ fromStore = [i \in Instances |-> <<>>]
    /\ owner = [f \in Flows |-> [instance |-> NoInstance, epoch |-> 0]]
    /\ parked = [f \in Flows |-> {}]
    /\ value = [f \in Flows |-> <<>>]
    /\ toSink = [i \in Instances |-> <<>>]
    /\ passed = [f \in Flows |-> {}]
    /\ held = [f \in Flows |-> [e \in Epochs |-> <<>>]]
    /\ delivered = [f \in Flows |-> <<>>]
    /\ arrived = [f \in Flows |-> <<>>]

-----------------------------------------------------------------------------
(* Sequences *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
Reverse(s) == [n \in 1 .. Len(s) |-> s[Len(s) + 1 - n]]

RECURSIVE Joined(_, _)
Joined(sequences, n) ==  \* sequences[0], ..., sequences[n] put together
    IF n < 0 THEN <<>> ELSE Joined(sequences, n - 1) \o sequences[n]

-----------------------------------------------------------------------------
(* Splitter *)

\* MOVE-1, the mark "first": the epoch that is stamped on every packet.
Arrive(f) ==
    /\ clock < MostPackets
    /\ clock' = clock + 1
    /\ arrived' = [arrived EXCEPT ![f] = Append(@, clock + 1)]
    /\ toInstance' = [toInstance EXCEPT ![route[f].instance] =
                        Append(@, Packet(f, clock + 1, route[f].epoch))]
    /\ UNCHANGED <<moves, route, instances, toStore, fromStore, store, toSink, sink>>

\* MOVE-1, the mark "last": a message of its own, behind the flow's last packet.
RequestMove(f, i) ==
    LET old == route[f]
        mark == IF MarkLast THEN <<LastMark(f, old.epoch + 1)>> ELSE <<>>
    IN  /\ moves < MostMoves
        /\ i # old.instance
        /\ moves' = moves + 1
        /\ route' = [route EXCEPT ![f] = [instance |-> i, epoch |-> old.epoch + 1]]
        /\ toInstance' = [toInstance EXCEPT ![old.instance] = @ \o mark]
        /\ UNCHANGED <<clock, arrived, instances, toStore, fromStore, store, toSink, sink>>

-----------------------------------------------------------------------------
(* Instance *)

(***************************************************************************)
(* Instance i works off items of one tenure of f: packets, which it        *)
(* processes on the given value, and at the end perhaps the mark that the  *)
(* tenure is over (MOVE-2): then it flushes the flow's updates, gives the  *)
(* flow up, and tells the sink that nothing of this tenure will follow.    *)
(***************************************************************************)
WorkOff(i, f, e, items, start) ==
    LET isPacket(item) == item.type = "packet"
        packets == SelectSeq(items, isPacket)
        came == [n \in 1 .. Len(packets) |-> packets[n].clock]
        done == IF BufferInOrder THEN came ELSE Reverse(came)
        outputs == [n \in 1 .. Len(done) |->
                      Output(f, done[n], e, start \o SubSeq(done, 1, n - 1))]
        pending == unflushed[i][f] \o done
        updates == [n \in 1 .. Len(pending) |-> Apply(f, pending[n])]
        flushed == IF FlushBeforeRelease THEN updates ELSE <<>>
        over == Len(packets) < Len(items)
    IN  IF over
        THEN /\ owned' = [owned EXCEPT ![i][f] = NotOwned]
             /\ unflushed' = [unflushed EXCEPT ![i][f] =
                                IF FlushBeforeRelease THEN <<>> ELSE pending]
             /\ toStore' = [toStore EXCEPT ![i] = @ \o flushed \o <<Release(f, e + 1, i)>>]
             /\ toSink' = [toSink EXCEPT ![i] = @ \o outputs \o <<Passed(f, e + 1)>>]
        ELSE /\ owned' = [owned EXCEPT ![i][f] = [epoch |-> e, value |-> start \o done]]
             /\ unflushed' = [unflushed EXCEPT ![i][f] = pending]
             /\ toSink' = [toSink EXCEPT ![i] = @ \o outputs]
             /\ UNCHANGED toStore

Comes(i, type) == toInstance[i] # <<>> /\ Head(toInstance[i]).type = type

\* A packet of a flow that is owned: on the cached value, without the store.
Process(i) ==
    /\ Comes(i, "packet")
    /\ LET p == Head(toInstance[i]) IN
       /\ owned[i][p.flow].epoch = p.epoch
       /\ WorkOff(i, p.flow, p.epoch, <<p>>, owned[i][p.flow].value)
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, waiting, fromStore, store, sink>>

\* MOVE-3: the first packet of a tenure asks for the flow, and is buffered.
Ask(i) ==
    /\ Comes(i, "packet")
    /\ LET p == Head(toInstance[i]) IN
       /\ owned[i][p.flow].epoch # p.epoch
       /\ waiting[i][p.flow][p.epoch] = <<>>
       /\ waiting' = [waiting EXCEPT ![i][p.flow][p.epoch] = <<p>>]
       /\ toStore' = [toStore EXCEPT ![i] = Append(@, Acquire(p.flow, p.epoch, i))]
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, owned, unflushed, fromStore, store, toSink, sink>>

\* MOVE-3: what follows the first packet is buffered behind it.
Buffer(i) ==
    /\ Comes(i, "packet")
    /\ LET p == Head(toInstance[i]) IN
       /\ waiting[i][p.flow][p.epoch] # <<>>
       /\ waiting' = [waiting EXCEPT ![i][p.flow][p.epoch] = Append(@, p)]
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, owned, unflushed, toStore, fromStore, store, toSink, sink>>

\* MOVE-2: the mark "last" comes, and all packets before it are processed.
HandOver(i) ==
    /\ Comes(i, "last")
    /\ LET m == Head(toInstance[i]) IN
       /\ waiting[i][m.flow][m.epoch - 1] = <<>>
       /\ WorkOff(i, m.flow, m.epoch - 1, <<m>>, <<>>)
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, waiting, fromStore, store, sink>>

\* MOVE-2: the mark "last" comes behind packets that still wait for the flow.
BufferLast(i) ==
    /\ Comes(i, "last")
    /\ LET m == Head(toInstance[i]) IN
       /\ waiting[i][m.flow][m.epoch - 1] # <<>>
       /\ waiting' = [waiting EXCEPT ![i][m.flow][m.epoch - 1] = Append(@, m)]
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, owned, unflushed, toStore, fromStore, store, toSink, sink>>

\* MOVE-4: the flow is granted, and the buffer is worked off in order.
TakeOver(i) ==
    /\ fromStore[i] # <<>>
    /\ LET g == Head(fromStore[i]) IN
       /\ WorkOff(i, g.flow, g.epoch, waiting[i][g.flow][g.epoch], g.value)
       /\ waiting' = [waiting EXCEPT ![i][g.flow][g.epoch] = <<>>]
    /\ fromStore' = [fromStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, store, sink>>

\* CACHE-2: cached updates may be flushed at any time; updates are sent, not values.
Flush(i, f) ==
    /\ unflushed[i][f] # <<>>
    /\ toStore' = [toStore EXCEPT ![i] = @ \o
                     [n \in 1 .. Len(unflushed[i][f]) |-> Apply(f, unflushed[i][f][n])]]
    /\ unflushed' = [unflushed EXCEPT ![i][f] = <<>>]
    /\ UNCHANGED <<splitter, toInstance, owned, waiting, fromStore, store, toSink, sink>>

-----------------------------------------------------------------------------
(* Store *)

Asks(i, type) == toStore[i] # <<>> /\ Head(toStore[i]).type = type

MustWait(r) ==
    IF r.type = "acquire"
    THEN WaitForOwner /\ r.epoch > owner[r.flow].epoch
    ELSE r.epoch > owner[r.flow].epoch + 1  \* tenures end in order, whoever speaks first

\* STORE-2: only the owner's update is applied; any other is refused, without effect.
ServeApply(i) ==
    /\ Asks(i, "apply")
    /\ LET u == Head(toStore[i]) IN
       value' = IF owner[u.flow].instance = i
                THEN [value EXCEPT ![u.flow] = Append(@, u.clock)]
                ELSE value
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, fromStore, owner, parked, toSink, sink>>

\* MOVE-3: the old owner's ID is still there, so the request becomes a callback.
Park(i) ==
    /\ Asks(i, "acquire") \/ Asks(i, "release")
    /\ LET r == Head(toStore[i]) IN
       /\ MustWait(r)
       /\ parked' = [parked EXCEPT ![r.flow] = @ \cup {r}]
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, fromStore, owner, value, toSink, sink>>

Give(r) ==  \* the new owner's ID is added, and it gets the value
    /\ owner' = [owner EXCEPT ![r.flow] = [instance |-> r.source, epoch |-> r.epoch]]
    /\ fromStore' = [fromStore EXCEPT ![r.source] =
                       Append(@, Granted(r.flow, r.epoch, value[r.flow]))]

End(r) ==  \* the old owner's ID is removed; a release of a past epoch changes nothing
    /\ owner' = IF r.epoch = owner[r.flow].epoch + 1
                THEN [owner EXCEPT ![r.flow] = [instance |-> NoInstance, epoch |-> r.epoch]]
                ELSE owner
    /\ UNCHANGED fromStore

\* MOVE-3: nobody else owns the flow any more.
ServeAcquire(i) ==
    /\ Asks(i, "acquire")
    /\ ~MustWait(Head(toStore[i]))
    /\ Give(Head(toStore[i]))
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, parked, value, toSink, sink>>

\* MOVE-2: the old instance has removed its ID from the object.
ServeRelease(i) ==
    /\ Asks(i, "release")
    /\ ~MustWait(Head(toStore[i]))
    /\ End(Head(toStore[i]))
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, parked, value, toSink, sink>>

\* MOVE-4: the epoch of a parked request has begun, so it is served.
Notify(f) ==
    \E r \in parked[f] :
        /\ ~MustWait(r)
        /\ IF r.type = "acquire" THEN Give(r) ELSE End(r)
        /\ parked' = [parked EXCEPT ![f] = @ \ {r}]
        /\ UNCHANGED <<splitter, toInstance, instances, toStore, value, toSink, sink>>

-----------------------------------------------------------------------------
(* Sink: the queue behind the vertex *)

\* Given the epochs whose marks have come, may a packet of epoch e be let through?
MayPass(marks, e) ==
    \/ ~HoldDownstream
    \/ IF WaitForAllMarks
       THEN \A d \in 1 .. e : d \in marks
       ELSE \E d \in marks \cup {0} : d >= e

Leaves(i, type) == toSink[i] # <<>> /\ Head(toSink[i]).type = type

\* MOVE-6: all earlier tenures have passed.
Deliver(i) ==
    /\ Leaves(i, "output")
    /\ LET o == Head(toSink[i]) IN
       /\ MayPass(passed[o.flow], o.epoch)
       /\ delivered' = [delivered EXCEPT ![o.flow] = Append(@, o.clock)]
    /\ toSink' = [toSink EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, toStore, fromStore, store, passed, held>>

\* MOVE-6: something of an earlier tenure may still come.
Hold(i) ==
    /\ Leaves(i, "output")
    /\ LET o == Head(toSink[i]) IN
       /\ ~MayPass(passed[o.flow], o.epoch)
       /\ held' = [held EXCEPT ![o.flow][o.epoch] = Append(@, o.clock)]
    /\ toSink' = [toSink EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, toStore, fromStore, store, passed, delivered>>

\* MOVE-6: a tenure has passed; what waited for it alone follows, by epoch.
Pass(i) ==
    /\ Leaves(i, "passed")
    /\ LET m == Head(toSink[i])
           marks == passed[m.flow] \cup {m.epoch}
           free == [e \in Epochs |-> IF MayPass(marks, e) THEN held[m.flow][e] ELSE <<>>]
           kept == [e \in Epochs |-> IF MayPass(marks, e) THEN <<>> ELSE held[m.flow][e]]
       IN  /\ passed' = [passed EXCEPT ![m.flow] = marks]
           /\ delivered' = [delivered EXCEPT ![m.flow] = @ \o Joined(free, MostMoves)]
           /\ held' = [held EXCEPT ![m.flow] = kept]
    /\ toSink' = [toSink EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<splitter, toInstance, instances, toStore, fromStore, store>>

-----------------------------------------------------------------------------
FromSplitter(i) == Process(i) \/ Ask(i) \/ Buffer(i) \/ HandOver(i) \/ BufferLast(i)
AtStore(i) == ServeApply(i) \/ Park(i) \/ ServeAcquire(i) \/ ServeRelease(i)
AtSink(i) == Deliver(i) \/ Hold(i) \/ Pass(i)

Next ==
    \/ \E f \in Flows :
         \/ Arrive(f)
         \/ Notify(f)
         \/ \E i \in Instances : RequestMove(f, i) \/ Flush(i, f)
    \/ \E i \in Instances : FromSplitter(i) \/ TakeOver(i) \/ AtStore(i) \/ AtSink(i)

\* Every message is taken in the end, and every update is flushed in the end.
\* Packets and moves need not come.
Fairness ==
    /\ \A i \in Instances : /\ WF_vars(FromSplitter(i))
                            /\ WF_vars(TakeOver(i))
                            /\ WF_vars(AtStore(i))
                            /\ WF_vars(AtSink(i))
                            /\ \A f \in Flows : WF_vars(Flush(i, f))
    /\ \A f \in Flows : WF_vars(Notify(f))

Spec == Init /\ [][Next]_vars /\ Fairness

-----------------------------------------------------------------------------
(***************************************************************************)
(* MOVE-5, loss-freeness: every packet that arrived is in the state of its *)
(* flow, or its update is on the way there, or the packet itself is.       *)
(***************************************************************************)
UpdateUnderWay(f, k) ==
    \E i \in Instances : k \in Range(unflushed[i][f]) \/ Apply(f, k) \in Range(toStore[i])

PacketUnderWay(f, k) ==
    \E i \in Instances, e \in Epochs :
        Packet(f, k, e) \in Range(toInstance[i]) \cup Range(waiting[i][f][e])

LossFree ==
    \A f \in Flows : \A k \in Range(arrived[f]) :
        k \in Range(value[f]) \/ UpdateUnderWay(f, k) \/ PacketUnderWay(f, k)

(***************************************************************************)
(* MOVE-5, order-preservation: the state of a flow has the updates of its  *)
(* packets in the order of their arrival at the splitter, with no gap and  *)
(* none twice.                                                             *)
(***************************************************************************)
OrderPreserved == \A f \in Flows : IsPrefix(value[f], arrived[f])

(***************************************************************************)
(* MOVE-5, as the packets see it: each was processed on a value that has   *)
(* exactly the flow's earlier packets.                                     *)
(***************************************************************************)
SeesAllEarlier ==
    \A i \in Instances : \A o \in Range(toSink[i]) :
        o.type = "output" => LET isEarlier(k) == k < o.clock
                             IN  o.saw = SelectSeq(arrived[o.flow], isEarlier)

(***************************************************************************)
(* STORE-2, single owner: an instance works on a flow's value only while   *)
(* the store has it down as the owner, for the same epoch.                 *)
(***************************************************************************)
SingleOwner ==
    \A i \in Instances, f \in Flows :
        owned[i][f] # NotOwned => owner[f] = [instance |-> i, epoch |-> owned[i][f].epoch]

(***************************************************************************)
(* MOVE-6, downstream order: packets of a flow leave the vertex in the     *)
(* order of their arrival at the splitter, with no gap and none twice.     *)
(***************************************************************************)
DownstreamOrder == \A f \in Flows : IsPrefix(delivered[f], arrived[f])

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits, every *)
(* packet is in the state and has left, and every move is over.            *)
(***************************************************************************)
AtRest ==
    /\ \A i \in Instances :
         /\ toInstance[i] = <<>> /\ toStore[i] = <<>>
         /\ fromStore[i] = <<>> /\ toSink[i] = <<>>
         /\ \A f \in Flows : unflushed[i][f] = <<>>
    /\ \A f \in Flows : \A r \in parked[f] : MustWait(r)

NothingStuck ==
    AtRest =>
        /\ value = arrived
        /\ delivered = arrived
        /\ \A f \in Flows : parked[f] = {} /\ owner[f].epoch = route[f].epoch
        /\ \A i \in Instances, f \in Flows, e \in Epochs : waiting[i][f][e] = <<>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives leaves the vertex, its update reaches   *)
(* the store, and every move ends.                                         *)
(***************************************************************************)
EveryPacketLeaves ==
    \A k \in Clocks : clock >= k ~> \E f \in Flows : k \in Range(delivered[f])

EveryUpdateArrives ==
    \A k \in Clocks : clock >= k ~> \E f \in Flows : k \in Range(value[f])

EveryMoveEnds ==
    \A f \in Flows, e \in Epochs \ {0} :
        route[f].epoch >= e ~> owner[f].epoch >= e /\ e \in passed[f]

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* Two packets wait at a new instance while the old one still owns the flow.
NeverBuffered ==
    \A i \in Instances, f \in Flows, e \in Epochs \ {0} :
        owner[f].instance # NoInstance /\ owner[f].epoch < e => Len(waiting[i][f][e]) < 2

\* A packet waits at the sink for an earlier one that is still on its way.
NeverHeld == \A f \in Flows, e \in Epochs : held[f][e] = <<>>

\* A tenure without packets ends before the one before it has ended.
NeverReleasedEarly == \A f \in Flows : \A r \in parked[f] : r.type = "acquire"

\* A flow has come back to the instance that it left first, and goes on from a value.
NeverCameBack ==
    \A f \in Flows :
        LET home == owned[Home[f]][f] IN ~(home.epoch >= 2 /\ Len(home.value) >= 2)

\* The mark "last" waits behind packets that wait for the flow themselves.
NeverMarkedWaiting ==
    \A i \in Instances, f \in Flows, e \in Epochs :
        \A item \in Range(waiting[i][f][e]) : item.type = "packet"

\* A cached update waits for its flush while its flow has moved on already.
NeverUnflushed ==
    \A i \in Instances, f \in Flows :
        ~(owned[i][f] # NotOwned /\ owned[i][f].epoch < route[f].epoch /\ unflushed[i][f] # <<>>)
=============================================================================
