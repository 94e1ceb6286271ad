----------------------------- MODULE Reallocation -----------------------------
(***************************************************************************)
(* One vertex with several instances, and everything around it that takes  *)
(* part when its flows are moved: root, store, manager and sink.           *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.1 and Figure 4.               *)
(* Clauses: ROOT-1 to ROOT-3, QUEUE-1, MOVE-1 to MOVE-6, STORE-2, STORE-4, *)
(* STORE-5, CACHE-1, CACHE-2, DEL-1 to DEL-3, REC-2, LIVE.                 *)
(*                                                                         *)
(* The root gives each packet a clock, logs it, and sends it to the        *)
(* instance that has its flow.  The instance works on a cached value of    *)
(* the flow, and flushes its updates to the store later.  A packet leaves  *)
(* once the root has its delete; the root drops it from its log once the   *)
(* store has committed all its updates as well.  A flow may be moved at    *)
(* any time, also while an earlier move of it is still under way.  The     *)
(* tenures of a flow are numbered by epochs 0, 1, 2, ...; each move begins *)
(* the next one.                                                           *)
(*                                                                         *)
(* A step is what one component does at once: it takes the oldest message  *)
(* of one channel, or a timer fires, and it goes on as far as it can.      *)
(* These are the steps of the Python core: the state graphs are equal.     *)
(*                                                                         *)
(* Left out: failures, replay, cached shared objects, several splitters.   *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Instances, \* instances of the vertex
    Flows,     \* flows that may have packets
    Home,      \* instance of each flow before its first move
    Packets,   \* flow of each packet, in the order of arrival
    Moves,     \* what the operator asks for, in this order: a flow, and whereto
    Counts,    \* the NF: TRUE, it numbers the packets of a flow, and counts those of
               \* all flows; FALSE, it writes down the packets of a flow, in order
    Eager      \* flush after each packet (TRUE), or when the flush timer fires

Clocks == 1 .. Len(Packets)
Epochs == 0 .. Len(Moves)
Nobody == "nobody"
Unknown == Len(Packets) + 1  \* where a tenure begins, until the manager has said it

ASSUME /\ Nobody \notin Instances
       /\ Home \in [Flows -> Instances]
       /\ Packets \in Seq(Flows)
       /\ Moves \in Seq([flow : Flows, to : Instances])
       /\ Counts \in BOOLEAN
       /\ Eager \in BOOLEAN

(***************************************************************************)
(* Rules that a bounded instance may drop or change, to see what each is   *)
(* good for: CONSTANT MarkLast <- Dropped.                                 *)
(***************************************************************************)
Dropped == FALSE

MarkLast == TRUE            \* MOVE-1: the old instance is told that a flow leaves
AskWhereItBegins == TRUE    \* MOVE-5: the manager fixes where a tenure begins
FlushBeforeRelease == TRUE  \* MOVE-2: cached updates go to the store first
FinishBeforeRelease == TRUE \* MOVE-2: buffered packets are processed first
WaitForOwner == TRUE        \* MOVE-3: a later epoch waits until the owner has gone
EndInOrder == TRUE          \* MOVE-2: a tenure does not end before the one before it
CheckOwner == TRUE          \* STORE-2: an update of anybody but the owner is refused
BufferInOrder == TRUE       \* MOVE-4: buffered packets are processed as they came
SayPassed == TRUE           \* MOVE-6: the old instance tells when all has passed
HoldDownstream == TRUE      \* MOVE-6: the new instance's output is held back
WaitForAllMarks == TRUE     \* MOVE-6: until every earlier tenure has passed, not
                            \* only the one before it
FreeByEpoch == TRUE         \* MOVE-6: of what is freed at once, earlier tenures go first
OutputAfterDelete == TRUE   \* REC-2: a packet leaves once the root has its delete
DeleteAfterCommits == TRUE  \* DEL-3: the log keeps a packet until its updates are committed
SignalAtCommit == TRUE      \* DEL-2: the store signals what it has committed, and only that

VARIABLES
    arrived,      \* packets that have come: 1 .. arrived are their clocks (ROOT-1)
    asked,        \* moves that the operator has asked for
    log,          \* root: what it knows of each packet that it has logged
    route,        \* root: tenures of each flow, oldest first: instance and first clock
    gate,         \* root: what waits until the manager has said where a tenure begins
    node,         \* NF instances; see Node
    owner,        \* store: instance and epoch that owns each flow
    parked,       \* store: requests of later epochs, by flow, in the order of coming
    applied,      \* store: packets applied to each flow's object, in order
    counted,      \* store: packets applied to the object that all flows share, in order
    target,       \* manager: instances that each flow was moved to
    begun,        \* manager: first clock of each of these tenures, as far as it is known
    underWay,     \* manager: epochs of each flow that the old instance has not ended
    passed,       \* sink: epochs of each flow for which the mark "passed" has come
    held,         \* sink: outputs that are held back, in the order of coming
    delivered,    \* sink: outputs that have left the chain, in order
    toInstance,   \* channel from the root to each instance
    toRoot,       \* channel from each instance to the root
    toStore,      \* channel from each instance to the store
    fromStore,    \* channel from the store to each instance
    toManager,    \* channel from each instance to the manager
    toSink,       \* channel from each instance to the sink
    commits,      \* channel from the store to the root
    questions,    \* channel from the root to the manager
    orders        \* channel from the manager to the root

root == <<arrived, log, route, gate>>
store == <<owner, parked, applied, counted>>
manager == <<asked, target, begun, underWay>>
sink == <<passed, held, delivered>>
fromInstance == <<toRoot, toStore, toManager, toSink>>
aboutMoves == <<questions, orders>>
vars == <<root, node, store, manager, sink, toInstance, fromInstance, fromStore,
          commits, aboutMoves>>

-----------------------------------------------------------------------------
(* Sequences *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
Max(S) == CHOOSE x \in S : \A y \in S : y <= x

RECURSIVE Joined(_, _)
Joined(sequences, n) ==  \* sequences[0], ..., sequences[n] put together
    IF n < 0 THEN <<>> ELSE Joined(sequences, n - 1) \o sequences[n]

-----------------------------------------------------------------------------
(* The NF.  Each packet updates the object of its flow; a counting one also *)
(* the shared object, without waiting for the result (CACHE-1).  DEL-1: the *)
(* vector of a packet is the set of the objects that it has updated.        *)

OwnObject == "own"
SharedObject == "shared"
Objects == IF Counts THEN {OwnObject, SharedObject} ELSE {OwnObject}

Values == IF Counts THEN 0 .. Len(Packets) ELSE Seq(Clocks)
ValueOf(clocks) == IF Counts THEN Len(clocks) ELSE clocks  \* after these packets
Updated(value, k) == IF Counts THEN value + 1 ELSE Append(value, k)
Shown(value) == IF Counts THEN value ELSE 0  \* what a packet carries away of it

-----------------------------------------------------------------------------
(* Messages *)

Packet(k, e) == [type |-> "packet", flow |-> Packets[k], clock |-> k, epoch |-> e]
LastMark(f, e) == [type |-> "last", flow |-> f, epoch |-> e]
Deleted(k) == [type |-> "deleted", clock |-> k]
Delete(k, v) == [type |-> "delete", clock |-> k, vector |-> v]
Acquire(i, f, e) == [type |-> "acquire", source |-> i, flow |-> f, epoch |-> e]
Release(i, f, e) == [type |-> "release", source |-> i, flow |-> f, epoch |-> e]
Apply(k, o) == [type |-> "apply", clock |-> k, object |-> o]
Granted(f, e, v) == [flow |-> f, epoch |-> e, value |-> v]
Committed(k, o) == [clock |-> k, object |-> o]
HandedOver(f, e) == [flow |-> f, epoch |-> e]
Output(k, e, x) ==
    [type |-> "output", flow |-> Packets[k], clock |-> k, epoch |-> e, shown |-> x]
Passed(f, e) == [type |-> "passed", flow |-> f, epoch |-> e]
Begin(f, e, k) == [flow |-> f, epoch |-> e, clock |-> k]
Move(f, e, i) == [type |-> "move", flow |-> f, epoch |-> e, to |-> i]
Since(f, e, k) == [type |-> "since", flow |-> f, epoch |-> e, clock |-> k]

DataItem == [type : {"packet"}, flow : Flows, clock : Clocks, epoch : Epochs]
            \cup [type : {"last"}, flow : Flows, epoch : Epochs]
Request == [type : {"acquire", "release"}, source : Instances, flow : Flows, epoch : Epochs]
Update == [type : {"apply"}, clock : Clocks, object : Objects]
Leaving == [type : {"output"}, flow : Flows, clock : Clocks, epoch : Epochs,
            shown : 0 .. Len(Packets)]
ToManager == [flow : Flows, epoch : Epochs]

-----------------------------------------------------------------------------
(***************************************************************************)
(* What waits at the root's gate: packets without an epoch yet, and marks  *)
(* for an instance.                                                        *)
(***************************************************************************)
Copy(k) == [type |-> "copy", clock |-> k]
MarkFor(i, f, e) == [type |-> "mark", to |-> i, flow |-> f, epoch |-> e]
GateItem == [type : {"copy"}, clock : Clocks]
            \cup [type : {"mark"}, to : Instances, flow : Flows, epoch : Epochs]

Entry == [ended : BOOLEAN,          \* the delete has come
          vector : SUBSET Objects,  \* updates that the packet has induced; the delete tells
          signals : SUBSET Objects] \* updates that the store has committed

(***************************************************************************)
(* An NF instance, with the queue before it.  It works on one packet at a  *)
(* time: that in work has been processed, and waits for the answer to its  *)
(* delete (REC-2).  Items of flows whose value has just come go first.     *)
(***************************************************************************)
Idle == [clock |-> 0, epoch |-> 0, shown |-> 0]
NotOwned == [epoch |-> Len(Moves) + 1, value |-> ValueOf(<<>>)]

Node == [work : [clock : 0 .. Len(Packets), epoch : Epochs, shown : 0 .. Len(Packets)],
         ready : Seq(DataItem),                          \* items whose flow has just come
         queue : Seq(DataItem),                          \* items not yet looked at
         blocked : [Flows -> [Epochs -> Seq(DataItem)]], \* items that wait for their flow
         owned : [Flows -> [epoch : Epochs \cup {Len(Moves) + 1}, value : Values]],
         unflushed : Seq(Clocks)]                        \* updates of flows' objects

TypeOK ==
    /\ arrived \in 0 .. Len(Packets)
    /\ asked \in 0 .. Len(Moves)
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in Entry
    /\ route \in [Flows -> Seq([instance : Instances, since : {0, Unknown} \cup Clocks])]
    /\ gate \in Seq(GateItem)
    /\ node \in [Instances -> Node]
    /\ owner \in [Flows -> [instance : Instances \cup {Nobody}, epoch : Epochs]]
    /\ parked \in [Flows -> Seq(Request)]
    /\ applied \in [Flows -> Seq(Clocks)]
    /\ counted \in Seq(Clocks)
    /\ target \in [Flows -> Seq(Instances)]
    /\ begun \in [Flows -> Seq(Clocks)]
    /\ underWay \in [Flows -> SUBSET Epochs]
    /\ passed \in [Flows -> SUBSET Epochs]
    /\ held \in Seq(Leaving)
    /\ delivered \in Seq(Leaving)
    /\ toInstance \in [Instances -> Seq(DataItem \cup [type : {"deleted"}, clock : Clocks])]
    /\ toRoot \in [Instances -> Seq([type : {"delete"}, clock : Clocks, vector : SUBSET Objects]
                                    \cup [type : {"signal"}, clock : Clocks, object : Objects])]
    /\ toStore \in [Instances -> Seq(Request \cup Update)]
    /\ fromStore \in [Instances -> Seq([flow : Flows, epoch : Epochs, value : Values])]
    /\ toManager \in [Instances -> Seq(ToManager)]
    /\ toSink \in [Instances -> Seq(Leaving \cup [type : {"passed"}, flow : Flows, epoch : Epochs])]
    /\ commits \in Seq([clock : Clocks, object : Objects])
    /\ questions \in Seq([flow : Flows, epoch : Epochs, clock : Clocks])
    /\ orders \in Seq([type : {"move"}, flow : Flows, epoch : Epochs, to : Instances]
                      \cup [type : {"since"}, flow : Flows, epoch : Epochs, clock : Clocks])

Empty == [i \in Instances |-> <<>>]

Init ==
    /\ arrived = 0
    /\ asked = 0
    /\ log = <<>>
    /\ route = [f \in Flows |-> <<[instance |-> Home[f], since |-> 0]>>]
    /\ gate = <<>>
    /\ node = [i \in Instances |->
                 [work |-> Idle, ready |-> <<>>, queue |-> <<>>,
                  blocked |-> [f \in Flows |-> [e \in Epochs |-> <<>>]],
                  owned |-> [f \in Flows |-> NotOwned],
                  unflushed |-> <<>>]]
    /\ owner = [f \in Flows |-> [instance |-> Nobody, epoch |-> 0]]
    /\ parked = [f \in Flows |-> <<>>]
    /\ applied = [f \in Flows |-> <<>>]
    /\ counted = <<>>
    /\ target = [f \in Flows |-> <<>>]
    /\ begun = [f \in Flows |-> <<>>]
    /\ underWay = [f \in Flows |-> {}]
    /\ passed = [f \in Flows |-> {}]
    /\ held = <<>>
    /\ delivered = <<>>
    /\ toInstance = Empty
    /\ toRoot = Empty
    /\ toStore = Empty
    /\ fromStore = Empty
    /\ toManager = Empty
    /\ toSink = Empty
    /\ commits = <<>>
    /\ questions = <<>>
    /\ orders = <<>>

-----------------------------------------------------------------------------
(* Root: its splitter *)

(***************************************************************************)
(* MOVE-5: a packet belongs to the newest tenure that has begun by its     *)
(* clock.  MOVE-1: its epoch is the mark "first".                          *)
(***************************************************************************)
TenureOf(tenures, k) ==
    Max({n \in 1 .. Len(tenures) : tenures[n].since # Unknown /\ tenures[n].since <= k})

(***************************************************************************)
(* A splitter s is its routes, its gate, and the channels that it sends    *)
(* to.  It passes an item on; but the first packet of a tenure has to wait *)
(* until the manager has its clock, and whatever comes behind waits with   *)
(* it: no mark may overtake a packet.                                      *)
(***************************************************************************)
Splitter == [route |-> route, gate |-> gate, out |-> toInstance, questions |-> questions]

Pass(s, item) ==
    IF s.gate # <<>> THEN [s EXCEPT !.gate = Append(@, item)]
    ELSE IF item.type = "mark"
    THEN [s EXCEPT !.out[item.to] = Append(@, LastMark(item.flow, item.epoch))]
    ELSE LET k == item.clock
             f == Packets[k]
             newest == Len(s.route[f])
             begins == s.route[f][newest].since = Unknown
             route2 == IF begins /\ ~AskWhereItBegins
                       THEN [s.route EXCEPT ![f][newest].since = k]
                       ELSE s.route
             n == TenureOf(route2[f], k)
         IN  IF begins /\ AskWhereItBegins
             THEN [s EXCEPT !.gate = <<item>>,
                            !.questions = Append(@, Begin(f, newest - 1, k))]
             ELSE [s EXCEPT !.route = route2,
                            !.out[route2[f][n].instance] = Append(@, Packet(k, n - 1))]

RECURSIVE PassAll(_, _)
PassAll(s, items) ==
    IF items = <<>> THEN s ELSE PassAll(Pass(s, Head(items)), Tail(items))

Becomes(s) ==
    /\ route' = s.route
    /\ gate' = s.gate
    /\ toInstance' = s.out
    /\ questions' = s.questions

\* ROOT-1, ROOT-2: a packet gets its clock, and is logged before it is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ log' = [k \in DOMAIN log \cup {arrived + 1} |->
                 IF k \in DOMAIN log THEN log[k]
                 ELSE [ended |-> FALSE, vector |-> {}, signals |-> {}]]
    /\ Becomes(Pass(Splitter, Copy(arrived + 1)))
    /\ UNCHANGED <<node, store, manager, sink, fromInstance, fromStore, commits, orders>>

Ordered(type) == orders # <<>> /\ Head(orders).type = type

\* MOVE-1, the mark "last": a message of its own, behind the flow's last packet.
RootTakesMove ==
    /\ Ordered("move")
    /\ LET m == Head(orders)
           old == route[m.flow][Len(route[m.flow])].instance
           s == [Splitter EXCEPT !.route[m.flow] =
                   Append(@, [instance |-> m.to, since |-> Unknown])]
       IN  Becomes(IF MarkLast THEN Pass(s, MarkFor(old, m.flow, m.epoch)) ELSE s)
    /\ orders' = Tail(orders)
    /\ UNCHANGED <<arrived, log, node, store, manager, sink, fromInstance, fromStore, commits>>

\* MOVE-5: the tenures up to this epoch begin with this clock; the gate opens.
RootTakesSince ==
    /\ Ordered("since")
    /\ LET m == Head(orders)
           tenures == [n \in 1 .. Len(route[m.flow]) |->
                         IF n <= m.epoch + 1 /\ route[m.flow][n].since = Unknown
                         THEN [route[m.flow][n] EXCEPT !.since = m.clock]
                         ELSE route[m.flow][n]]
       IN  Becomes(PassAll([Splitter EXCEPT !.route[m.flow] = tenures, !.gate = <<>>], gate))
    /\ orders' = Tail(orders)
    /\ UNCHANGED <<arrived, log, node, store, manager, sink, fromInstance, fromStore, commits>>

-----------------------------------------------------------------------------
(* Root: its log *)

\* DEL-3: a packet is over when its delete has come and all its updates are committed.
IsOver(entry) == entry.ended /\ (DeleteAfterCommits => entry.vector \subseteq entry.signals)

Kept(k, entry) ==  \* the log with this entry, or without it once the packet is over
    IF IsOver(entry) THEN [n \in DOMAIN log \ {k} |-> log[n]] ELSE [log EXCEPT ![k] = entry]

SignalsOf(k, o) ==  \* a signal for a packet that is over changes nothing
    IF k \in DOMAIN log THEN Kept(k, [log[k] EXCEPT !.signals = @ \cup {o}]) ELSE log

Says(i, type) == toRoot[i] # <<>> /\ Head(toRoot[i]).type = type

\* ROOT-3, REC-2: the packet has ended, and its sender may let it leave.
RootTakesDelete(i) ==
    /\ Says(i, "delete")
    /\ LET d == Head(toRoot[i]) IN
       /\ log' = Kept(d.clock, [log[d.clock] EXCEPT !.ended = TRUE, !.vector = d.vector])
       /\ toInstance' = [toInstance EXCEPT ![i] = Append(@, Deleted(d.clock))]
    /\ toRoot' = [toRoot EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<arrived, route, gate, node, store, manager, sink, toStore, toManager,
                   toSink, fromStore, commits, aboutMoves>>

\* DEL-2: the store has committed an update.
RootTakesCommitted ==
    /\ commits # <<>>
    /\ log' = SignalsOf(Head(commits).clock, Head(commits).object)
    /\ commits' = Tail(commits)
    /\ UNCHANGED <<arrived, route, gate, node, store, manager, sink, toInstance,
                   fromInstance, fromStore, aboutMoves>>

\* Only where SignalAtCommit is dropped: an instance speaks for the store.
RootTakesEarlySignal(i) ==
    /\ Says(i, "signal")
    /\ log' = SignalsOf(Head(toRoot[i]).clock, Head(toRoot[i]).object)
    /\ toRoot' = [toRoot EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<arrived, route, gate, node, store, manager, sink, toInstance, toStore,
                   toManager, toSink, fromStore, commits, aboutMoves>>

-----------------------------------------------------------------------------
(* Instance *)

(***************************************************************************)
(* An instance in the middle of a step: its state, and what it sends.      *)
(***************************************************************************)
Awake(i) == [self |-> i, state |-> node[i], root |-> <<>>, store |-> <<>>,
             manager |-> <<>>, sink |-> <<>>]

\* CACHE-2: what is flushed is updates, not values.
Flush(n) ==
    LET due == n.state.unflushed
        updates == [m \in 1 .. Len(due) |-> Apply(due[m], OwnObject)]
        early == [m \in 1 .. Len(due) |->
                    [type |-> "signal", clock |-> due[m], object |-> OwnObject]]
    IN  [n EXCEPT !.store = @ \o updates,
                  !.root = IF SignalAtCommit THEN @ ELSE @ \o early,
                  !.state.unflushed = <<>>]

\* MOVE-6: the epoch of the tenure that it was processed in goes with an output.
Leave(n, w) == [n EXCEPT !.sink = Append(@, Output(w.clock, w.epoch, w.shown))]

(***************************************************************************)
(* A packet of an owned flow: on the cached value, without the store.  The *)
(* update of the shared object is sent at once (STORE-5).  The packet is   *)
(* in work until the root has its delete (REC-2).                          *)
(***************************************************************************)
Process(n, p) ==
    LET value == Updated(n.state.owned[p.flow].value, p.clock)
        count == IF Counts THEN <<Apply(p.clock, SharedObject)>> ELSE <<>>
        early == IF Counts /\ ~SignalAtCommit
                 THEN <<[type |-> "signal", clock |-> p.clock, object |-> SharedObject]>>
                 ELSE <<>>
        work == [clock |-> p.clock, epoch |-> p.epoch, shown |-> Shown(value)]
        done == [n EXCEPT !.state.owned[p.flow].value = value,
                          !.state.unflushed = Append(@, p.clock),
                          !.store = @ \o count,
                          !.root = @ \o early]
        flushed == IF Eager THEN Flush(done) ELSE done
        ended == [flushed EXCEPT !.root = Append(@, Delete(p.clock, Objects))]
    IN  IF OutputAfterDelete THEN [ended EXCEPT !.state.work = work] ELSE Leave(ended, work)

\* MOVE-3, MOVE-4: packets that come while their flow's value is not here wait for it.
Buffered(waiting, p) ==
    IF BufferInOrder THEN Append(waiting, p) ELSE <<Head(waiting), p>> \o Tail(waiting)

\* MOVE-3: the first packet of a tenure asks for the flow; what is cached goes first.
Ask(n, p) ==
    LET flushed == Flush(n)
    IN  [flushed EXCEPT !.state.blocked[p.flow][p.epoch] = <<p>>,
                        !.store = Append(@, Acquire(n.self, p.flow, p.epoch))]

TakePacket(n, p) ==
    LET waiting == n.state.blocked[p.flow][p.epoch]
    IN  IF waiting # <<>>
        THEN [n EXCEPT !.state.blocked[p.flow][p.epoch] = Buffered(waiting, p)]
        ELSE IF n.state.owned[p.flow].epoch = p.epoch THEN Process(n, p) ELSE Ask(n, p)

(***************************************************************************)
(* MOVE-2: the mark "last" comes, and all packets before it are processed. *)
(* The flow's updates are flushed, the store and the manager are told that *)
(* the tenure is over, and the sink that nothing of it will follow.        *)
(***************************************************************************)
HandOver(n, m) ==
    LET flushed == IF FlushBeforeRelease THEN Flush(n) ELSE n
    IN  [flushed EXCEPT !.state.owned[m.flow] = NotOwned,
                        !.store = Append(@, Release(n.self, m.flow, m.epoch)),
                        !.manager = Append(@, HandedOver(m.flow, m.epoch)),
                        !.sink = IF SayPassed THEN Append(@, Passed(m.flow, m.epoch)) ELSE @]

\* The mark ends the tenure before its epoch; packets of that one may still wait.
TakeLast(n, m) ==
    IF FinishBeforeRelease /\ n.state.blocked[m.flow][m.epoch - 1] # <<>>
    THEN [n EXCEPT !.state.blocked[m.flow][m.epoch - 1] = Append(@, m)]
    ELSE HandOver(n, m)

Take(n, item) == IF item.type = "packet" THEN TakePacket(n, item) ELSE TakeLast(n, item)

RECURSIVE WorkOn(_)
WorkOn(n) ==  \* until a packet is in work, or nothing is left to do
    IF n.state.work # Idle THEN n
    ELSE IF n.state.ready # <<>>
    THEN WorkOn(Take([n EXCEPT !.state.ready = Tail(@)], Head(n.state.ready)))
    ELSE IF n.state.queue # <<>>
    THEN WorkOn(Take([n EXCEPT !.state.queue = Tail(@)], Head(n.state.queue)))
    ELSE n

ComesToRest(i, n) ==  \* the end of the step
    /\ node' = [node EXCEPT ![i] = n.state]
    /\ toRoot' = [toRoot EXCEPT ![i] = @ \o n.root]
    /\ toStore' = [toStore EXCEPT ![i] = @ \o n.store]
    /\ toManager' = [toManager EXCEPT ![i] = @ \o n.manager]
    /\ toSink' = [toSink EXCEPT ![i] = @ \o n.sink]
    /\ UNCHANGED <<root, store, manager, sink, commits, aboutMoves>>

Comes(i, type) == toInstance[i] # <<>> /\ Head(toInstance[i]).type = type

InstanceTakesItem(i) ==  \* QUEUE-1: the instance polls its queue when it has nothing to do
    /\ ComesToRest(i, WorkOn([Awake(i) EXCEPT !.state.queue = Append(@, Head(toInstance[i]))]))
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED fromStore

InstanceTakesPacket(i) == Comes(i, "packet") /\ InstanceTakesItem(i)
InstanceTakesLastMark(i) == Comes(i, "last") /\ InstanceTakesItem(i)

\* REC-2: the root has the delete of the packet in work, which leaves.
InstanceTakesDeleted(i) ==
    /\ Comes(i, "deleted")
    /\ LET n == Awake(i)
           waits == n.state.work.clock = Head(toInstance[i]).clock
       IN  ComesToRest(i, WorkOn(IF waits
                                 THEN Leave([n EXCEPT !.state.work = Idle], n.state.work)
                                 ELSE n))
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED fromStore

\* MOVE-4: the flow is granted, and what waited for it may be worked off.
InstanceTakesGranted(i) ==
    /\ fromStore[i] # <<>>
    /\ LET g == Head(fromStore[i])
           n == Awake(i)
           waiting == n.state.blocked[g.flow][g.epoch]
       IN  ComesToRest(i, WorkOn(
             [n EXCEPT !.state.owned[g.flow] = [epoch |-> g.epoch, value |-> g.value],
                       !.state.ready = @ \o waiting,
                       !.state.blocked[g.flow][g.epoch] = <<>>]))
    /\ fromStore' = [fromStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED toInstance

\* CACHE-2: cached updates may be flushed at any time.
FlushTimer(i) ==
    /\ node[i].unflushed # <<>>
    /\ ComesToRest(i, Flush(Awake(i)))
    /\ UNCHANGED <<toInstance, fromStore>>

-----------------------------------------------------------------------------
(* Store *)

Asks(i, type) == toStore[i] # <<>> /\ Head(toStore[i]).type = type

CommitOf(k, o) == IF SignalAtCommit THEN <<Committed(k, o)>> ELSE <<>>

\* STORE-2: only the owner's update is applied; any other is refused, without effect.
\* DEL-2: the root is told of what is applied.
StoreTakesApply(i) ==
    /\ Asks(i, "apply")
    /\ LET u == Head(toStore[i])
           f == Packets[u.clock]
           mine == ~CheckOwner \/ owner[f].instance = i
       IN  IF u.object = SharedObject
           THEN /\ counted' = Append(counted, u.clock)
                /\ commits' = Append(commits, Committed(u.clock, u.object))
                /\ UNCHANGED applied
           ELSE /\ applied' = IF mine THEN [applied EXCEPT ![f] = Append(@, u.clock)] ELSE applied
                /\ commits' = IF mine THEN Append(commits, Committed(u.clock, u.object)) ELSE commits
                /\ UNCHANGED counted
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, node, owner, parked, manager, sink, toInstance, toRoot, toManager,
                   toSink, fromStore, aboutMoves>>

MustWait(r, o) ==  \* a request, and who owns its flow
    IF r.type = "acquire"
    THEN WaitForOwner /\ r.epoch > o.epoch
    ELSE EndInOrder /\ r.epoch > o.epoch + 1

\* MOVE-2: the old owner's ID is removed; a release of a past epoch changes nothing.
\* MOVE-3: nobody else owns the flow, so the new owner's ID is added.
OwnerAfter(r, o) ==
    IF r.type = "acquire" THEN [instance |-> r.source, epoch |-> r.epoch]
    ELSE IF r.epoch > o.epoch THEN [instance |-> Nobody, epoch |-> r.epoch]
    ELSE o

(***************************************************************************)
(* Serve requests for one flow, in order.  One that must wait is parked    *)
(* (MOVE-3); when another epoch begins, all that is parked is looked at    *)
(* once more (MOVE-4).  s has the flow's owner, what is parked, and the    *)
(* requests that are granted.                                              *)
(***************************************************************************)
RECURSIVE Serve(_, _)
Serve(s, requests) ==
    IF requests = <<>> THEN s
    ELSE LET r == Head(requests)
             after == OwnerAfter(r, s.owner)
             granted == IF r.type = "acquire" THEN Append(s.granted, r) ELSE s.granted
         IN  IF MustWait(r, s.owner)
             THEN Serve([s EXCEPT !.parked = Append(@, r)], Tail(requests))
             ELSE IF after.epoch = s.owner.epoch
             THEN Serve([s EXCEPT !.owner = after, !.granted = granted], Tail(requests))
             ELSE Serve([owner |-> after, granted |-> granted, parked |-> <<>>],
                        Tail(requests) \o s.parked)

StoreTakesRequest(i) ==
    /\ LET r == Head(toStore[i])
           f == r.flow
           s == Serve([owner |-> owner[f], parked |-> parked[f], granted |-> <<>>], <<r>>)
           GrantsTo(j) == LET isTheirs(a) == a.source = j
                              theirs == SelectSeq(s.granted, isTheirs)
                          IN  [n \in 1 .. Len(theirs) |->
                                 Granted(f, theirs[n].epoch, ValueOf(applied[f]))]
       IN  /\ owner' = [owner EXCEPT ![f] = s.owner]
           /\ parked' = [parked EXCEPT ![f] = s.parked]
           /\ fromStore' = [j \in Instances |-> fromStore[j] \o GrantsTo(j)]
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, node, applied, counted, manager, sink, toInstance, toRoot,
                   toManager, toSink, commits, aboutMoves>>

StoreTakesAcquire(i) == Asks(i, "acquire") /\ StoreTakesRequest(i)
StoreTakesRelease(i) == Asks(i, "release") /\ StoreTakesRequest(i)

-----------------------------------------------------------------------------
(* Manager *)

PlaceOf(f) == IF target[f] = <<>> THEN Home[f] ELSE target[f][Len(target[f])]

\* The operator asks for a move; where the flow is already, it need not go.
AskMove ==
    /\ asked < Len(Moves)
    /\ asked' = asked + 1
    /\ LET m == Moves[asked + 1]
           e == Len(target[m.flow]) + 1
       IN  IF m.to = PlaceOf(m.flow)
           THEN UNCHANGED <<target, underWay, orders>>
           ELSE /\ target' = [target EXCEPT ![m.flow] = Append(@, m.to)]
                /\ underWay' = [underWay EXCEPT ![m.flow] = @ \cup {e}]
                /\ orders' = Append(orders, Move(m.flow, e, m.to))
    /\ UNCHANGED <<root, node, store, begun, sink, toInstance, fromInstance, fromStore,
                   commits, questions>>

\* MOVE-5: where a tenure begins is said once, for all tenures that have not begun.
ManagerTakesBegin ==
    /\ questions # <<>>
    /\ LET b == Head(questions)
           new == b.epoch - Len(begun[b.flow])
           known == begun[b.flow] \o [n \in 1 .. new |-> b.clock]
       IN  /\ begun' = [begun EXCEPT ![b.flow] = known]
           /\ orders' = Append(orders, Since(b.flow, b.epoch, known[b.epoch]))
    /\ questions' = Tail(questions)
    /\ UNCHANGED <<root, node, store, asked, target, underWay, sink, toInstance,
                   fromInstance, fromStore, commits>>

ManagerTakesHandedOver(i) ==
    /\ toManager[i] # <<>>
    /\ LET h == Head(toManager[i])
       IN  underWay' = [underWay EXCEPT ![h.flow] = @ \ {h.epoch}]
    /\ toManager' = [toManager EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, node, store, asked, target, begun, sink, toInstance, toRoot,
                   toStore, toSink, fromStore, commits, aboutMoves>>

-----------------------------------------------------------------------------
(* Sink: the queue behind the vertex *)

\* MOVE-6: given the epochs whose marks have come, may an output of epoch e leave?
MayPass(marks, e) ==
    \/ ~HoldDownstream
    \/ IF WaitForAllMarks
       THEN \A d \in 1 .. e : d \in marks
       ELSE \E d \in marks \cup {0} : d >= e

Leaves(i, type) == toSink[i] # <<>> /\ Head(toSink[i]).type = type

\* MOVE-6: an output leaves, or is held back while earlier ones may still come.
SinkTakesOutput(i) ==
    /\ Leaves(i, "output")
    /\ LET o == Head(toSink[i])
       IN  IF MayPass(passed[o.flow], o.epoch)
           THEN delivered' = Append(delivered, o) /\ UNCHANGED held
           ELSE held' = Append(held, o) /\ UNCHANGED delivered
    /\ toSink' = [toSink EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, node, store, manager, passed, toInstance, toRoot, toStore,
                   toManager, fromStore, commits, aboutMoves>>

\* MOVE-6: a tenure has passed; what waited for it alone follows, earlier tenures first.
SinkTakesPassed(i) ==
    /\ Leaves(i, "passed")
    /\ LET m == Head(toSink[i])
           marks == [passed EXCEPT ![m.flow] = @ \cup {m.epoch}]
           OfEpoch(e) == LET is(o) == o.epoch = e IN SelectSeq(held, is)
           sorted == IF FreeByEpoch
                     THEN Joined([e \in Epochs |-> OfEpoch(e)], Len(Moves))
                     ELSE held
           isFree(o) == MayPass(marks[o.flow], o.epoch)
           isHeld(o) == ~isFree(o)
       IN  /\ passed' = marks
           /\ delivered' = delivered \o SelectSeq(sorted, isFree)
           /\ held' = SelectSeq(sorted, isHeld)
    /\ toSink' = [toSink EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, node, store, manager, toInstance, toRoot, toStore, toManager,
                   fromStore, commits, aboutMoves>>

-----------------------------------------------------------------------------
FromOutside == Arrive \/ AskMove
AtRoot == RootTakesMove \/ RootTakesSince \/ RootTakesCommitted
FromInstanceAtRoot(i) == RootTakesDelete(i) \/ RootTakesEarlySignal(i)
FromRoot(i) == InstanceTakesPacket(i) \/ InstanceTakesLastMark(i) \/ InstanceTakesDeleted(i)
AtStore(i) == StoreTakesApply(i) \/ StoreTakesAcquire(i) \/ StoreTakesRelease(i)
AtSink(i) == SinkTakesOutput(i) \/ SinkTakesPassed(i)

Next ==
    \/ FromOutside
    \/ AtRoot
    \/ ManagerTakesBegin
    \/ \E i \in Instances :
         \/ FromRoot(i)
         \/ InstanceTakesGranted(i)
         \/ FlushTimer(i)
         \/ FromInstanceAtRoot(i)
         \/ AtStore(i)
         \/ ManagerTakesHandedOver(i)
         \/ AtSink(i)

Spec == Init /\ [][Next]_vars
=============================================================================
