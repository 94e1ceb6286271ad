----------------------------- MODULE Reallocation -----------------------------
(***************************************************************************)
(* One vertex with several instances, and everything around it that takes  *)
(* part when its flows are moved: root, store, manager and sink.           *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.1 and Figure 4.               *)
(* Clauses: COE, ROOT-1 to ROOT-3, QUEUE-1, MOVE-1 to MOVE-6, STORE-2, STORE-4, *)
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
EXTENDS Vertex, FiniteSets

CONSTANTS
    Instances, \* instances of the vertex
    Home,      \* instance of each flow before its first move
    Moves,     \* what the operator asks for, in this order: a flow, and whereto
    Eager      \* flush after each packet (TRUE), or when the flush timer fires

Epochs == 0 .. Len(Moves)
Nobody == "nobody"
Unknown == Len(Packets) + 1  \* where a tenure begins, until the manager has said it

ASSUME /\ Nobody \notin Instances
       /\ Home \in [Flows -> Instances]
       /\ Moves \in Seq([flow : Flows, to : Instances])
       /\ Eager \in BOOLEAN

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT MarkLast <- Dropped.  So it may change the operators Buffered, *)
(* Counting, MayPass and InTenureOrder, which are rules too.               *)
(***************************************************************************)
Dropped == FALSE

MarkLast == TRUE            \* MOVE-1: the old instance is told that a flow leaves
AskWhereItBegins == TRUE    \* MOVE-5: the manager fixes where a tenure begins
FlushBeforeRelease == TRUE  \* MOVE-2: cached updates go to the store first
FinishBeforeRelease == TRUE \* MOVE-2: buffered packets are processed first
EndInOrder == TRUE          \* MOVE-2: a tenure does not end before the one before it
WaitForOwner == TRUE        \* MOVE-3: a later epoch waits until the owner has gone
CheckOwner == TRUE          \* STORE-2: an update of anybody but the owner is refused
SayPassed == TRUE           \* MOVE-6: the old instance tells when all has passed
OutputAfterDelete == TRUE   \* REC-2: a packet leaves once the root has its delete
DeleteAfterCommits == TRUE  \* DEL-3: the log keeps a packet until its updates are committed
SignalAtCommit == TRUE      \* DEL-2: it is the store that signals, and no instance before

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
(* Messages *)

Packet(k, e) == [type |-> "packet", flow |-> Packets[k], clock |-> k, epoch |-> e]
LastMark(f, e) == [type |-> "last", flow |-> f, epoch |-> e]
Deleted(k) == [type |-> "deleted", clock |-> k]
Delete(k, v) == [type |-> "delete", clock |-> k, vector |-> v]
Acquire(i, f, e) == [type |-> "acquire", source |-> i, flow |-> f, epoch |-> e]
Release(i, f, e) == [type |-> "release", source |-> i, flow |-> f, epoch |-> e]
Apply(k, o) == [type |-> "apply", clock |-> k, object |-> o]
Granted(f, e, v) == [flow |-> f, epoch |-> e, value |-> v]
Committed(k, o) == [type |-> "committed", clock |-> k, object |-> o]
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
Signal == [type : {"committed"}, clock : Clocks, object : Objects]
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
                                    \cup Signal)]
    /\ toStore \in [Instances -> Seq(Request \cup Update)]
    /\ fromStore \in [Instances -> Seq([flow : Flows, epoch : Epochs, value : Values])]
    /\ toManager \in [Instances -> Seq(ToManager)]
    /\ toSink \in [Instances -> Seq(Leaving \cup [type : {"passed"}, flow : Flows, epoch : Epochs])]
    /\ commits \in Seq(Signal)
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
    /\ Says(i, "committed")
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
        early == [m \in 1 .. Len(due) |-> Committed(due[m], OwnObject)]
    IN  [n EXCEPT !.store = @ \o updates,
                  !.root = IF SignalAtCommit THEN @ ELSE @ \o early,
                  !.state.unflushed = <<>>]

\* MOVE-6: the epoch of the tenure that it was processed in goes with an output.
Leave(n, w) == [n EXCEPT !.sink = Append(@, Output(w.clock, w.epoch, w.shown))]

\* STORE-5, CACHE-1: the update of the shared object is sent at once, and once.
Counting(k) == IF Counts THEN <<Apply(k, SharedObject)>> ELSE <<>>

(***************************************************************************)
(* A packet of an owned flow: on the cached value, without the store.  It  *)
(* is in work until the root has its delete (REC-2).                       *)
(***************************************************************************)
Process(n, p) ==
    LET value == Updated(n.state.owned[p.flow].value, p.clock)
        early == IF Counts /\ ~SignalAtCommit
                 THEN <<Committed(p.clock, SharedObject)>> ELSE <<>>
        work == [clock |-> p.clock, epoch |-> p.epoch, shown |-> Shown(value)]
        done == [n EXCEPT !.state.owned[p.flow].value = value,
                          !.state.unflushed = Append(@, p.clock),
                          !.store = @ \o Counting(p.clock),
                          !.root = @ \o early]
        flushed == IF Eager THEN Flush(done) ELSE done
        ended == [flushed EXCEPT !.root = Append(@, Delete(p.clock, Objects))]
    IN  IF OutputAfterDelete THEN [ended EXCEPT !.state.work = work] ELSE Leave(ended, work)

\* MOVE-3, MOVE-4: packets that come while their flow's value is not here wait for it.
\* The first of them has asked for it.
Buffered(waiting, p) == Append(waiting, p)

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

\* MOVE-2: the old owner's ID is removed; a release that is not of this tenure changes nothing.
\* MOVE-3: nobody else owns the flow, so the new owner's ID is added.
OwnerAfter(r, o) ==
    IF r.type = "acquire" THEN [instance |-> r.source, epoch |-> r.epoch]
    ELSE IF r.epoch = o.epoch + 1 /\ o.instance \in {Nobody, r.source}
    THEN [instance |-> Nobody, epoch |-> r.epoch]
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
\* All marks, and not just the newest: a later tenure may have passed before.
MayPass(marks, e) == \A d \in 1 .. e : d \in marks

\* MOVE-6: of what one mark frees, outputs of earlier tenures go first.
InTenureOrder(outputs) ==
    LET OfEpoch(e) == LET is(o) == o.epoch = e IN SelectSeq(outputs, is)
    IN  Joined([e \in Epochs |-> OfEpoch(e)], Len(Moves))

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

\* MOVE-6: a tenure has passed; what waited for it alone follows.
SinkTakesPassed(i) ==
    /\ Leaves(i, "passed")
    /\ LET m == Head(toSink[i])
           marks == [passed EXCEPT ![m.flow] = @ \cup {m.epoch}]
           sorted == InTenureOrder(held)
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
AtManager == ManagerTakesBegin
At(i) ==  \* what instance i does, or is the source of
    \/ InstanceTakesPacket(i) \/ InstanceTakesLastMark(i) \/ InstanceTakesDeleted(i)
    \/ InstanceTakesGranted(i) \/ FlushTimer(i)
    \/ RootTakesDelete(i) \/ RootTakesEarlySignal(i)
    \/ StoreTakesApply(i) \/ StoreTakesAcquire(i) \/ StoreTakesRelease(i)
    \/ ManagerTakesHandedOver(i)
    \/ SinkTakesOutput(i) \/ SinkTakesPassed(i)

Inside == AtRoot \/ AtManager \/ \E i \in Instances : At(i)

Next == FromOutside \/ Inside

\* Nothing is under way, and nothing waits for a timer.
AtRest ==
    /\ commits = <<>> /\ questions = <<>> /\ orders = <<>>
    /\ \A i \in Instances :
         /\ toInstance[i] = <<>> /\ toRoot[i] = <<>> /\ toStore[i] = <<>>
         /\ fromStore[i] = <<>> /\ toManager[i] = <<>> /\ toSink[i] = <<>>
         /\ node[i].unflushed = <<>>

(***************************************************************************)
(* As long as anything can be done inside, something is: WF_vars(Inside).  *)
(* That is enough, for without a packet or a wish from outside all comes   *)
(* to rest; and neither need come.  It is written out because TLC takes a  *)
(* thousand times as long to find what is ENABLED; an invariant says that  *)
(* the two are the same.                                                   *)
(***************************************************************************)
Fairness == []<>AtRest \/ []<><<Inside>>_vars

InsideIsEnabled == AtRest <=> ~ENABLED <<Inside>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
(* Where a packet, or what it has done, may be. *)

ClocksOf(items) == {item.clock : item \in {one \in Range(items) : one.type \in {"packet", "copy"}}}

\* Packets that nobody has processed yet.
AtInstance(i) ==
    ClocksOf(toInstance[i]) \cup ClocksOf(node[i].ready) \cup ClocksOf(node[i].queue)
    \cup UNION {ClocksOf(node[i].blocked[f][e]) : f \in Flows, e \in Epochs}
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
        owner[f].instance # Nobody /\ owner[f].epoch < e => Len(node[i].blocked[f][e]) < 2

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
        \A item \in Range(node[i].blocked[f][e]) : item.type = "packet"

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
=============================================================================
