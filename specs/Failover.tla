------------------------------- MODULE Failover -------------------------------
(***************************************************************************)
(* One vertex with several instances that may fail, and everything around  *)
(* it that takes part in bringing them back: root, store, manager and sink.*)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.3 and 5.4.                    *)
(* Clauses: COE, ROOT-1 to ROOT-3, QUEUE-2, STORE-2, CACHE-2, CLONE-2,     *)
(* DUP-1, DUP-2, DUP-3, DEL-1 to DEL-3, REC-0 to REC-2, LIVE.              *)
(*                                                                         *)
(* An instance fails with its queue, its cache, and any part of what it    *)
(* has under way.  The manager has the store void what the dead one sent,  *)
(* starts a failover under the same name, and has the root replay its log. *)
(* The failover processes what is replayed on the state that the flow had  *)
(* before that packet; what comes meanwhile waits until the replay is      *)
(* over.  An update that the store has already is not made again; and of   *)
(* the deletes of a packet only the first lets the packet leave.           *)
(*                                                                         *)
(* Starts and replays are numbered together; each start or replay is a     *)
(* session.  A step is what one component does at once, as in the Python   *)
(* core: the state graphs are equal.                                       *)
(*                                                                         *)
(* Left out: moves, failures of root and store, vertices above and below.  *)
(***************************************************************************)
EXTENDS Vertex, FiniteSets

CONSTANTS
    Ranked,      \* instances of the vertex, in the order in which the log is replayed to them
    Home,        \* instance of each flow
    Fragile,     \* instances that may fail
    MostCrashes, \* how often, in all
    Eager        \* flush after each packet (TRUE), or when the flush timer fires

Instances == {Ranked[n] : n \in 1 .. Len(Ranked)}
Nobody == "nobody"
Sessions == 0 .. 2 * MostCrashes  \* 0: no start, or no replay

ASSUME /\ Nobody \notin Instances
       /\ Home \in [Flows -> Instances]
       /\ Fragile \subseteq Instances
       /\ MostCrashes \in Nat
       /\ Eager \in BOOLEAN

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT SuppressUpdates <- Dropped.                                    *)
(***************************************************************************)
Dropped == FALSE

SuppressUpdates == TRUE     \* DUP-2: an update that the store has is not made again
SuppressPackets == TRUE     \* DUP-1: a packet that was queued is not queued again
SetAside == TRUE            \* CLONE-2: what is not replayed waits for the end of the replay
DropReplayed == TRUE        \* REC-1: of that, what was in the replay is dropped
ReplayLog == TRUE           \* REC-1: the log is replayed to the failover
FenceFirst == TRUE          \* REC-1: the store voids what the dead instance sent
SeeThePast == TRUE          \* DUP-3: a replayed packet does not see what later ones did
FlushReplayed == TRUE       \* DUP-3: what a replayed packet did is flushed at once
LeaveOnFirstDelete == TRUE  \* REC-2: of two deletes of a packet one lets it leave
OutputAfterDelete == TRUE   \* REC-2: a packet leaves once the root has its delete
DeleteAfterCommits == TRUE  \* DEL-3: the log keeps a packet until its updates are committed

VARIABLES
    arrived,    \* packets that have come: 1 .. arrived are their clocks (ROOT-1)
    crashed,    \* how often each instance has failed
    log,        \* root: what it knows of each packet that it has logged
    node,       \* NF instances; see Node
    owner,      \* store: instance that owns each flow
    applied,    \* store: packets applied to each flow's object, in order
    counted,    \* store: packets applied to the object that all flows share, in order
    fence,      \* store: what an instance sent before this session is void
    session,    \* manager: newest session
    replay,     \* manager: newest session that a replay may have
    starts,     \* manager: session of each instance's newest start
    recovering, \* manager: of each failover on its way up, its start, and whether it runs
    fencing,    \* manager: of these, those that wait for the store's fence
    delivered,  \* sink: outputs that have left the chain, in order
    toInstance, \* channel from the root to each instance
    begin,      \* channel from the manager to each instance: its start
    toRoot,     \* channel from each instance to the root: deletes
    toStore,    \* channel from each instance to the store
    fromStore,  \* channel from the store to each instance
    toManager,  \* channel from each instance to the manager
    toSink,     \* channel from each instance to the sink
    commits,    \* channel from the store to the root
    replays,    \* channel from the manager to the root
    fences,     \* channel from the manager to the store
    fenced      \* channel from the store to the manager

root == <<arrived, log>>
store == <<owner, applied, counted, fence>>
manager == <<session, replay, starts, recovering, fencing>>
fromInstance == <<toRoot, toStore, toManager, toSink>>
fromManager == <<begin, replays, fences>>
vars == <<root, crashed, node, store, manager, delivered, toInstance, fromInstance,
          fromStore, commits, fromManager, fenced>>

-----------------------------------------------------------------------------
(* Sequences and partial functions *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

RECURSIVE Total(_, _)
Total(g, S) ==  \* of a function, over a set
    IF S = {} THEN 0 ELSE LET x == CHOOSE x \in S : TRUE IN g[x] + Total(g, S \ {x})

-----------------------------------------------------------------------------
(* Messages.  A session of 0 says that a packet is not replayed. *)

Packet(k, s) == [type |-> "packet", flow |-> Packets[k], clock |-> k, session |-> s]
Loaded(k, v) == [type |-> "loaded", flow |-> Packets[k], clock |-> k, value |-> v]
ReplayEnd(s, newest) == [type |-> "end", session |-> s, newest |-> newest]
Deleted(k, first, s) == [type |-> "deleted", clock |-> k, first |-> first, start |-> s]
Delete(k, v, s) == [clock |-> k, vector |-> v, start |-> s]
Acquire(k, s) == [type |-> "acquire", flow |-> Packets[k], clock |-> k, start |-> s]
Apply(k, o, s) == [type |-> "apply", clock |-> k, object |-> o, start |-> s]
Granted(k, v, latest) == [flow |-> Packets[k], clock |-> k, value |-> v, latest |-> latest]
Committed(k, o) == [clock |-> k, object |-> o]
Output(k, x) == [flow |-> Packets[k], clock |-> k, shown |-> x]
Ready(s) == [type |-> "ready", session |-> s]
Recovered(s) == [type |-> "recovered", session |-> s]
Replay(i, s) == [to |-> i, session |-> s]
Fence(i, s) == [instance |-> i, start |-> s]

PacketItem == [type : {"packet"}, flow : Flows, clock : Clocks, session : Sessions]
LoadedItem == [type : {"loaded"}, flow : Flows, clock : Clocks, value : Values]
EndItem == [type : {"end"}, session : Sessions, newest : 0 .. Len(Packets)]
DeletedItem == [type : {"deleted"}, clock : Clocks, first : BOOLEAN, start : Sessions]
Request == [type : {"acquire"}, flow : Flows, clock : Clocks, start : Sessions]
           \cup [type : {"apply"}, clock : Clocks, object : Objects, start : Sessions]
Leaving == [flow : Flows, clock : Clocks, shown : 0 .. Len(Packets)]
Fencing == [instance : Instances, start : Sessions]

-----------------------------------------------------------------------------
Entry == [ended : BOOLEAN,          \* a delete has come
          vector : SUBSET Objects,  \* updates that the packet has induced; the delete tells
          signals : SUBSET Objects] \* updates that the store has committed

(***************************************************************************)
(* An NF instance, with the queue before it.  It works on one packet at a  *)
(* time: that in work has been processed, and waits for the answer to its  *)
(* delete (REC-2).  A flow is blocked while its state is asked for, or a   *)
(* packet of it is in work on state that came for that packet alone.       *)
(***************************************************************************)
Idle == [clock |-> 0, before |-> ValueOf(<<>>)]

Node == [up : BOOLEAN,
         start : Sessions,                        \* session of its start
         recovering : BOOLEAN,                    \* its queue waits for the end of a replay
         valid : Sessions,                        \* first replay that it has seen
         over : Sessions,                         \* newest replay that has ended
         seen : SUBSET Clocks,                    \* packets that were queued (DUP-1)
         aside : Seq(PacketItem),                 \* what is not replayed, in recovery
         work : [clock : 0 .. Len(Packets),       \* and the value that it was processed on
                 before : Values],
         ready : Seq(PacketItem \cup LoadedItem), \* items whose state has just come
         lane : Seq(EndItem),                     \* ends of replays
         queue : Seq(PacketItem \cup EndItem),    \* items not yet looked at
         unflushed : Seq(Clocks)]                 \* updates of flows' objects
\* and blocked and owned, partial functions on flows: what waits, and cached values.

Down == [up |-> FALSE, start |-> 0, recovering |-> FALSE, valid |-> 0, over |-> 0,
         seen |-> {}, aside |-> <<>>, work |-> Idle, ready |-> <<>>, lane |-> <<>>,
         queue |-> <<>>, blocked |-> <<>>, owned |-> <<>>, unflushed |-> <<>>]

NodeOK(n) ==
    /\ [field \in DOMAIN n \ {"blocked", "owned"} |-> n[field]] \in Node
    /\ DOMAIN n.blocked \subseteq Flows
    /\ \A f \in DOMAIN n.blocked : n.blocked[f] \in Seq(PacketItem)
    /\ DOMAIN n.owned \subseteq Flows
    /\ \A f \in DOMAIN n.owned : n.owned[f] \in Values

TypeOK ==
    /\ arrived \in 0 .. Len(Packets)
    /\ crashed \in [Instances -> 0 .. MostCrashes]
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in Entry
    /\ \A i \in Instances : NodeOK(node[i])
    /\ owner \in [Flows -> Instances \cup {Nobody}]
    /\ applied \in [Flows -> Seq(Clocks)]
    /\ counted \in Seq(Clocks)
    /\ fence \in [Instances -> Sessions]
    /\ session \in Sessions
    /\ replay \in Sessions
    /\ starts \in [Instances -> Sessions]
    /\ DOMAIN recovering \subseteq Instances
    /\ \A i \in DOMAIN recovering : recovering[i] \in [start : Sessions, runs : BOOLEAN]
    /\ fencing \subseteq DOMAIN recovering
    /\ delivered \in Seq(Leaving)
    /\ toInstance \in [Instances -> Seq(PacketItem \cup EndItem \cup DeletedItem)]
    /\ begin \in [Instances -> Seq(Sessions)]
    /\ toRoot \in [Instances -> Seq([clock : Clocks, vector : SUBSET Objects, start : Sessions])]
    /\ toStore \in [Instances -> Seq(Request)]
    /\ fromStore \in [Instances -> Seq([flow : Flows, clock : Clocks, value : Values,
                                        latest : BOOLEAN])]
    /\ toManager \in [Instances -> Seq([type : {"ready", "recovered"}, session : Sessions])]
    /\ toSink \in [Instances -> Seq(Leaving)]
    /\ commits \in Seq([clock : Clocks, object : Objects])
    /\ replays \in Seq([to : Instances, session : Sessions])
    /\ fences \in Seq(Fencing)
    /\ fenced \in Seq(Fencing)

Empty == [i \in Instances |-> <<>>]

Init ==
    /\ arrived = 0
    /\ crashed = [i \in Instances |-> 0]
    /\ log = <<>>
    /\ node = [i \in Instances |-> [Down EXCEPT !.up = TRUE]]
    /\ owner = [f \in Flows |-> Nobody]
    /\ applied = [f \in Flows |-> <<>>]
    /\ counted = <<>>
    /\ fence = [i \in Instances |-> 0]
    /\ session = 0
    /\ replay = 0
    /\ starts = [i \in Instances |-> 0]
    /\ recovering = <<>>
    /\ fencing = {}
    /\ delivered = <<>>
    /\ toInstance = Empty
    /\ begin = Empty
    /\ toRoot = Empty
    /\ toStore = Empty
    /\ fromStore = Empty
    /\ toManager = Empty
    /\ toSink = Empty
    /\ commits = <<>>
    /\ replays = <<>>
    /\ fences = <<>>
    /\ fenced = <<>>

-----------------------------------------------------------------------------
(* Root *)

\* ROOT-1, ROOT-2: a packet gets its clock, and is logged before it is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ log' = With(log, arrived + 1, [ended |-> FALSE, vector |-> {}, signals |-> {}])
    /\ toInstance' = [toInstance EXCEPT ![Home[Packets[arrived + 1]]] =
                        Append(@, Packet(arrived + 1, 0))]
    /\ UNCHANGED <<crashed, node, store, manager, delivered, fromInstance, fromStore,
                   commits, fromManager, fenced>>

\* DEL-3: a packet is over when its delete has come and all its updates are committed.
IsOver(entry) == entry.ended /\ (DeleteAfterCommits => entry.vector \subseteq entry.signals)
Kept(k, entry) == IF IsOver(entry) THEN Without(log, k) ELSE With(log, k, entry)

\* ROOT-3, REC-2: a packet has ended; of its deletes the first lets it leave.
RootTakesDelete(i) ==
    /\ toRoot[i] # <<>>
    /\ LET d == Head(toRoot[i])
           first == d.clock \in DOMAIN log /\ ~log[d.clock].ended
       IN  /\ log' = IF first
                     THEN Kept(d.clock, [log[d.clock] EXCEPT !.ended = TRUE, !.vector = d.vector])
                     ELSE log
           /\ toInstance' = [toInstance EXCEPT ![i] = Append(@, Deleted(d.clock, first, d.start))]
    /\ toRoot' = [toRoot EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<arrived, crashed, node, store, manager, delivered, toStore, toManager,
                   toSink, fromStore, commits, fromManager, fenced>>

\* DEL-2: the store has committed an update; a signal for a packet that is over is nothing.
RootTakesCommitted ==
    /\ commits # <<>>
    /\ LET c == Head(commits)
       IN  log' = IF c.clock \in DOMAIN log
                  THEN Kept(c.clock, [log[c.clock] EXCEPT !.signals = @ \cup {c.object}])
                  ELSE log
    /\ commits' = Tail(commits)
    /\ UNCHANGED <<arrived, crashed, node, store, manager, delivered, toInstance,
                   fromInstance, fromStore, fromManager, fenced>>

\* CLONE-2, REC-1: every logged packet of the target's flows, in the order of the clocks, and
\* behind them the mark that the replay is over, with the newest clock that was given by then.
RootTakesReplay ==
    /\ replays # <<>>
    /\ LET r == Head(replays)
           isTheirs(k) == k \in DOMAIN log /\ ReplayLog /\ Home[Packets[k]] = r.to
           clocks == SelectSeq([k \in 1 .. arrived |-> k], isTheirs)
       IN  toInstance' = [toInstance EXCEPT ![r.to] =
             @ \o [n \in 1 .. Len(clocks) |-> Packet(clocks[n], r.session)]
               \o <<ReplayEnd(r.session, arrived)>>]
    /\ replays' = Tail(replays)
    /\ UNCHANGED <<root, crashed, node, store, manager, delivered, fromInstance, fromStore,
                   commits, begin, fences, fenced>>

-----------------------------------------------------------------------------
(* Instance *)

(***************************************************************************)
(* An instance in the middle of a step: its state, and what it sends.      *)
(***************************************************************************)
Awake(i) == [state |-> node[i], root |-> <<>>, store |-> <<>>, manager |-> <<>>, sink |-> <<>>]

\* CACHE-2: what is flushed is updates, not values.
Flush(n) ==
    LET due == n.state.unflushed
        updates == [m \in 1 .. Len(due) |-> Apply(due[m], OwnObject, n.state.start)]
    IN  [n EXCEPT !.store = @ \o updates, !.state.unflushed = <<>>]

Leave(n, w) == [n EXCEPT !.sink = Append(@, Output(w.clock, Shown(Updated(w.before, w.clock))))]

\* Ask for the state of a packet's flow as it was before the packet (DUP-3).
Ask(n, k) == [n EXCEPT !.store = Append(@, Acquire(k, n.state.start))]

(***************************************************************************)
(* A packet's work is over: the next one that waited behind it is asked    *)
(* for, if it was on state of its own.                                     *)
(***************************************************************************)
Done(n, f) ==
    LET idle == [n EXCEPT !.state.work = Idle]
    IN  IF f \notin DOMAIN n.state.blocked THEN idle
        ELSE IF n.state.blocked[f] = <<>>
        THEN [idle EXCEPT !.state.blocked = Without(@, f)]
        ELSE Ask(idle, Head(n.state.blocked[f]).clock)

\* What becomes of packet k on a value, and its delete.  CACHE-1: the shared object's
\* update is sent at once; the flow's waits for its flush.
Process(n, k, before, cached, flushes) ==
    LET f == Packets[k]
        value == Updated(before, k)
        count == IF Counts THEN <<Apply(k, SharedObject, n.state.start)>> ELSE <<>>
        work == [clock |-> k, before |-> before]
        done == [n EXCEPT !.state.owned = IF cached THEN With(@, f, value) ELSE @,
                          !.state.unflushed = Append(@, k),
                          !.store = @ \o count]
        flushed == IF flushes THEN Flush(done) ELSE done
        ended == [flushed EXCEPT !.root = Append(@, Delete(k, Objects, n.state.start))]
    IN  IF OutputAfterDelete THEN [ended EXCEPT !.state.work = work]
        ELSE Done(Leave(ended, work), f)

(***************************************************************************)
(* A packet waits behind others of its flow (MOVE-5); is processed on the  *)
(* cache; or asks for the flow's state.  A replayed packet always asks,    *)
(* and the cache ends with it: its state is not the newest.                *)
(***************************************************************************)
TakePacket(n, p) ==
    LET f == p.flow
    IN  IF f \in DOMAIN n.state.blocked
        THEN [n EXCEPT !.state.blocked[f] = Append(@, p)]
        ELSE IF p.session = 0 /\ f \in DOMAIN n.state.owned
        THEN Process(n, p.clock, n.state.owned[f], TRUE, Eager)
        ELSE LET flushed == Flush(n)
                 waits == [flushed EXCEPT
                             !.state.blocked = With(@, f, <<p>>),
                             !.state.owned = IF p.session > 0 THEN Without(@, f) ELSE @]
             IN  Ask(waits, p.clock)

Take(n, item) ==
    IF item.type = "packet" THEN TakePacket(n, item)
    ELSE IF item.type = "end" THEN [n EXCEPT !.state.lane = Append(@, item)]
    ELSE Process(n, item.clock, item.value, FALSE, Eager \/ FlushReplayed)

\* CLONE-2: a replay has been taken in when none of its packets waits any more.
LaneIsFree(n) ==
    \A f \in DOMAIN n.state.blocked : \A p \in Range(n.state.blocked[f]) : p.session = 0

RECURSIVE WorkOn(_)
WorkOn(n) ==  \* until a packet is in work, or nothing is left to do
    IF n.state.work # Idle THEN n
    ELSE IF n.state.ready # <<>>
    THEN WorkOn(Take([n EXCEPT !.state.ready = Tail(@)], Head(n.state.ready)))
    ELSE IF n.state.lane # <<>> /\ LaneIsFree(n)
    THEN WorkOn([n EXCEPT !.state.lane = Tail(@),
                          !.manager = Append(@, Recovered(Head(n.state.lane).session))])
    ELSE IF n.state.queue # <<>>
    THEN WorkOn(Take([n EXCEPT !.state.queue = Tail(@)], Head(n.state.queue)))
    ELSE n

ComesToRest(i, n) ==  \* the end of the step
    /\ node' = [node EXCEPT ![i] = n.state]
    /\ toRoot' = [toRoot EXCEPT ![i] = @ \o n.root]
    /\ toStore' = [toStore EXCEPT ![i] = @ \o n.store]
    /\ toManager' = [toManager EXCEPT ![i] = @ \o n.manager]
    /\ toSink' = [toSink EXCEPT ![i] = @ \o n.sink]
    /\ UNCHANGED <<root, crashed, store, manager, delivered, commits, replays, fences, fenced>>

Comes(i, type) == toInstance[i] # <<>> /\ Head(toInstance[i]).type = type

-----------------------------------------------------------------------------
(* Instance: its queue.  s is the state of the instance with the queue. *)

\* DUP-1: a packet goes in once.
LetIn(s, p) ==
    IF SuppressPackets /\ p.clock \in s.seen THEN s
    ELSE [s EXCEPT !.seen = @ \cup {p.clock}, !.queue = Append(@, p)]

RECURSIVE LetAllIn(_, _)
LetAllIn(s, items) ==
    IF items = <<>> THEN s ELSE LetAllIn(LetIn(s, Head(items)), Tail(items))

\* A replay that began before the instance was started may lack its beginning.
IsWhole(s, replayed) == replayed > s.start /\ (s.valid = 0 \/ replayed >= s.valid)

QueuePacket(s, p) ==
    IF p.session = 0
    THEN IF SetAside /\ s.recovering THEN [s EXCEPT !.aside = Append(@, p)] ELSE LetIn(s, p)
    ELSE IF ~IsWhole(s, p.session) THEN s
    ELSE LetIn([s EXCEPT !.valid = IF @ = 0 THEN p.session ELSE @], p)

\* CLONE-2: the replay is over.  What came meanwhile goes in, but for what was in the replay
\* or had ended before: the channel from the root may bring it once more (REC-1).
QueueEnd(s, m) ==
    LET whole == IsWhole(s, m.session) /\ m.session > s.over
        begun == [s EXCEPT !.valid = IF @ = 0 /\ m.session > s.start THEN m.session ELSE @]
        isNew(p) == DropReplayed => p.clock > m.newest
        ended == [begun EXCEPT !.over = m.session, !.queue = Append(@, m)]
    IN  IF ~whole THEN begun
        ELSE IF ~s.recovering THEN ended
        ELSE LetAllIn([ended EXCEPT !.recovering = FALSE, !.aside = <<>>],
                      SelectSeq(s.aside, isNew))

\* What comes to an instance that is down is lost.
InstanceTakesItem(i, Queued(_, _)) ==
    LET n == Awake(i)
        item == Head(toInstance[i])
    IN  /\ ComesToRest(i, IF n.state.up THEN WorkOn([n EXCEPT !.state = Queued(@, item)]) ELSE n)
        /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
        /\ UNCHANGED <<fromStore, begin>>

InstanceTakesPacket(i) == Comes(i, "packet") /\ InstanceTakesItem(i, QueuePacket)
InstanceTakesReplayEnd(i) == Comes(i, "end") /\ InstanceTakesItem(i, QueueEnd)

-----------------------------------------------------------------------------
(* Instance: answers *)

\* REC-2: the root has the delete of the packet in work, which leaves if it was the first.
InstanceTakesDeleted(i) ==
    /\ Comes(i, "deleted")
    /\ LET n == Awake(i)
           d == Head(toInstance[i])
           waits == n.state.up /\ d.start = n.state.start /\ n.state.work.clock = d.clock
           left == IF d.first \/ ~LeaveOnFirstDelete THEN Leave(n, n.state.work) ELSE n
       IN  ComesToRest(i, IF waits THEN WorkOn(Done(left, Packets[d.clock])) ELSE n)
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<fromStore, begin>>

\* DUP-3: state that is the newest of its flow begins a cache, and all that waited for it may
\* go on; other state is for the first packet that waited, alone.
InstanceTakesGranted(i) ==
    /\ fromStore[i] # <<>>
    /\ LET g == Head(fromStore[i])
           n == Awake(i)
           waiting == IF g.flow \in DOMAIN n.state.blocked THEN n.state.blocked[g.flow] ELSE <<>>
           asked == n.state.up /\ waiting # <<>> /\ Head(waiting).clock = g.clock
           cached == [n EXCEPT !.state.owned = With(@, g.flow, g.value),
                               !.state.blocked = Without(@, g.flow),
                               !.state.ready = @ \o waiting]
           alone == [n EXCEPT !.state.blocked[g.flow] = Tail(@),
                              !.state.ready = Append(@, Loaded(g.clock, g.value))]
       IN  ComesToRest(i, IF ~asked THEN n
                          ELSE IF Head(waiting).session = 0 /\ g.latest THEN WorkOn(cached)
                          ELSE WorkOn(alone))
    /\ fromStore' = [fromStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<toInstance, begin>>

\* CACHE-2: cached updates may be flushed at any time.
FlushTimer(i) ==
    /\ node[i].unflushed # <<>>
    /\ ComesToRest(i, Flush(Awake(i)))
    /\ UNCHANGED <<toInstance, fromStore, begin>>

\* REC-1: a failover begins, empty, and waits for its replay.
InstanceTakesStart(i) ==
    /\ begin[i] # <<>>
    /\ LET s == Head(begin[i])
       IN  ComesToRest(i, [Awake(i) EXCEPT
             !.state = [Down EXCEPT !.up = TRUE, !.start = s, !.recovering = TRUE],
             !.manager = <<Ready(s)>>])
    /\ begin' = [begin EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<toInstance, fromStore>>

-----------------------------------------------------------------------------
(* Failures *)

\* REC-0, REC-1: an instance fails, and the manager knows at once.  It numbers the start of
\* its failover, which begins when the store has voided what the dead one sent.
Crash(i) ==
    /\ i \in Fragile
    /\ node[i].up
    /\ Total(crashed, Instances) < MostCrashes
    /\ crashed' = [crashed EXCEPT ![i] = @ + 1]
    /\ node' = [node EXCEPT ![i] = Down]
    /\ session' = session + 1
    /\ replay' = session + 1
    /\ starts' = [starts EXCEPT ![i] = session + 1]
    /\ recovering' = With(recovering, i, [start |-> session + 1, runs |-> FALSE])
    /\ IF FenceFirst
       THEN /\ fencing' = fencing \cup {i}
            /\ fences' = Append(fences, Fence(i, session + 1))
            /\ UNCHANGED begin
       ELSE /\ begin' = [begin EXCEPT ![i] = Append(@, session + 1)]
            /\ UNCHANGED <<fencing, fences>>
    /\ UNCHANGED <<root, store, delivered, toInstance, fromInstance, fromStore, commits,
                   replays, fenced>>

\* What a dead instance had under way, and was not yet taken, may be lost.  What has left for
\* the sink is on the wire.
LoseToRoot(i) ==
    /\ ~node[i].up /\ toRoot[i] # <<>>
    /\ toRoot' = [toRoot EXCEPT ![i] = <<>>]
    /\ UNCHANGED <<root, crashed, node, store, manager, delivered, toInstance, toStore,
                   toManager, toSink, fromStore, commits, fromManager, fenced>>

LoseToStore(i) ==
    /\ ~node[i].up /\ toStore[i] # <<>>
    /\ toStore' = [toStore EXCEPT ![i] = <<>>]
    /\ UNCHANGED <<root, crashed, node, store, manager, delivered, toInstance, toRoot,
                   toManager, toSink, fromStore, commits, fromManager, fenced>>

LoseToManager(i) ==
    /\ ~node[i].up /\ toManager[i] # <<>>
    /\ toManager' = [toManager EXCEPT ![i] = <<>>]
    /\ UNCHANGED <<root, crashed, node, store, manager, delivered, toInstance, toRoot,
                   toStore, toSink, fromStore, commits, fromManager, fenced>>

-----------------------------------------------------------------------------
(* Store *)

Asks(i, type) == toStore[i] # <<>> /\ Head(toStore[i]).type = type
IsVoid(i) == Head(toStore[i]).start < fence[i]

\* STORE-2: only the owner's update is applied.  DUP-2: one that is on record is not applied
\* again.  DEL-2: the root is told of what is applied.
StoreTakesApply(i) ==
    /\ Asks(i, "apply")
    /\ LET u == Head(toStore[i])
           f == Packets[u.clock]
           known == SuppressUpdates
                    /\ u.clock \in Range(IF u.object = OwnObject THEN applied[f] ELSE counted)
           mine == u.object = SharedObject \/ owner[f] = i
           takes == ~IsVoid(i) /\ ~known /\ mine
       IN  /\ applied' = IF takes /\ u.object = OwnObject
                         THEN [applied EXCEPT ![f] = Append(@, u.clock)] ELSE applied
           /\ counted' = IF takes /\ u.object = SharedObject
                         THEN Append(counted, u.clock) ELSE counted
           /\ commits' = IF takes THEN Append(commits, Committed(u.clock, u.object)) ELSE commits
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, crashed, node, owner, fence, manager, delivered, toInstance, toRoot,
                   toManager, toSink, fromStore, fromManager, fenced>>

\* DUP-3: what the flow's object was before packet k.
ValueBefore(f, k) ==
    LET isEarlier(c) == c < k \/ ~SeeThePast IN ValueOf(SelectSeq(applied[f], isEarlier))

\* STORE-2, DUP-3: the flow is the instance's own, and it gets the value that its packet is to
\* see; the newest, if no later packet has changed it.
StoreTakesAcquire(i) ==
    /\ Asks(i, "acquire")
    /\ LET r == Head(toStore[i])
           latest == \A k \in Range(applied[r.flow]) : k <= r.clock
       IN  IF IsVoid(i) THEN UNCHANGED <<owner, fromStore>>
           ELSE /\ owner' = [owner EXCEPT ![r.flow] = i]
                /\ fromStore' = [fromStore EXCEPT ![i] =
                     Append(@, Granted(r.clock, ValueBefore(r.flow, r.clock), latest))]
    /\ toStore' = [toStore EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, crashed, node, applied, counted, fence, manager, delivered, toInstance,
                   toRoot, toManager, toSink, commits, fromManager, fenced>>

\* REC-1: what this instance sent before its new start is void from now on.
StoreTakesFence ==
    /\ fences # <<>>
    /\ fence' = [fence EXCEPT ![Head(fences).instance] = Head(fences).start]
    /\ fenced' = Append(fenced, Head(fences))
    /\ fences' = Tail(fences)
    /\ UNCHANGED <<root, crashed, node, owner, applied, counted, manager, delivered, toInstance,
                   fromInstance, fromStore, commits, begin, replays>>

-----------------------------------------------------------------------------
(* Manager *)

\* REC-1: the failover may begin, unless it has failed again.
ManagerTakesFenced ==
    /\ fenced # <<>>
    /\ LET d == Head(fenced)
       IN  IF d.start = starts[d.instance] /\ d.instance \in fencing
           THEN /\ fencing' = fencing \ {d.instance}
                /\ begin' = [begin EXCEPT ![d.instance] = Append(@, d.start)]
           ELSE UNCHANGED <<fencing, begin>>
    /\ fenced' = Tail(fenced)
    /\ UNCHANGED <<root, crashed, node, store, session, replay, starts, recovering, delivered,
                   toInstance, fromInstance, fromStore, commits, replays, fences>>

Says(i, type) == toManager[i] # <<>> /\ Head(toManager[i]).type = type

\* REC-1: a failover runs.  The log is replayed to every one that does: a second failure may
\* have broken an earlier replay.
ManagerTakesReady(i) ==
    /\ Says(i, "ready")
    /\ LET s == Head(toManager[i]).session
           known == i \in DOMAIN recovering /\ recovering[i] = [start |-> s, runs |-> FALSE]
           run == With(recovering, i, [start |-> s, runs |-> TRUE])
           isTarget(j) == j \in DOMAIN run /\ run[j].runs
           targets == SelectSeq(Ranked, isTarget)
       IN  IF known
           THEN /\ recovering' = run
                /\ session' = session + 1
                /\ replay' = session + 1
                /\ replays' = replays
                     \o [n \in 1 .. Len(targets) |-> Replay(targets[n], session + 1)]
           ELSE UNCHANGED <<recovering, session, replay, replays>>
    /\ toManager' = [toManager EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, crashed, node, store, starts, fencing, delivered, toInstance, toRoot,
                   toStore, toSink, fromStore, commits, begin, fences, fenced>>

\* A failover has taken its replay in; the end of an earlier one tells nothing.
ManagerTakesRecovered(i) ==
    /\ Says(i, "recovered")
    /\ recovering' = IF Head(toManager[i]).session = replay THEN Without(recovering, i)
                     ELSE recovering
    /\ toManager' = [toManager EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, crashed, node, store, session, replay, starts, fencing, delivered,
                   toInstance, toRoot, toStore, toSink, fromStore, commits, fromManager, fenced>>

-----------------------------------------------------------------------------
SinkTakesOutput(i) ==
    /\ toSink[i] # <<>>
    /\ delivered' = Append(delivered, Head(toSink[i]))
    /\ toSink' = [toSink EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, crashed, node, store, manager, toInstance, toRoot, toStore, toManager,
                   fromStore, commits, fromManager, fenced>>

-----------------------------------------------------------------------------
FromOutside == Arrive \/ \E i \in Instances : Crash(i)

Inside ==
    \/ RootTakesCommitted \/ RootTakesReplay
    \/ StoreTakesFence
    \/ ManagerTakesFenced
    \/ \E i \in Instances :
         \/ InstanceTakesPacket(i) \/ InstanceTakesReplayEnd(i) \/ InstanceTakesDeleted(i)
         \/ InstanceTakesGranted(i) \/ InstanceTakesStart(i) \/ FlushTimer(i)
         \/ RootTakesDelete(i)
         \/ StoreTakesApply(i) \/ StoreTakesAcquire(i)
         \/ ManagerTakesReady(i) \/ ManagerTakesRecovered(i)
         \/ SinkTakesOutput(i)
         \/ LoseToRoot(i) \/ LoseToStore(i) \/ LoseToManager(i)

Next == FromOutside \/ Inside

\* Nothing is under way, and nothing waits for a timer.
AtRest ==
    /\ commits = <<>> /\ replays = <<>> /\ fences = <<>> /\ fenced = <<>>
    /\ \A i \in Instances :
         /\ toInstance[i] = <<>> /\ begin[i] = <<>> /\ toRoot[i] = <<>> /\ toStore[i] = <<>>
         /\ fromStore[i] = <<>> /\ toManager[i] = <<>> /\ toSink[i] = <<>>
         /\ node[i].unflushed = <<>>

(***************************************************************************)
(* As long as anything can be done inside, something is: WF_vars(Inside),  *)
(* written out as in Reallocation.  Packets need not come, and instances   *)
(* fail finitely often.                                                    *)
(***************************************************************************)
Fairness == []<>AtRest \/ []<><<Inside>>_vars

InsideIsEnabled == AtRest <=> ~ENABLED <<Inside>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
Stored(k, o) == k \in Range(IF o = OwnObject THEN applied[Packets[k]] ELSE counted)

(***************************************************************************)
(* R5, DUP-2: the store makes no update twice.                             *)
(***************************************************************************)
UpdatedOnce ==
    /\ \A f \in Flows : Len(applied[f]) = Cardinality(Range(applied[f]))
    /\ Len(counted) = Cardinality(Range(counted))

(***************************************************************************)
(* REC-0, R6: a flow's state is one that it would have without failures:   *)
(* the store has applied its packets in the order of their arrival, with   *)
(* no gap.                                                                 *)
(***************************************************************************)
OrderPreserved == \A f \in Flows : IsPrefix(applied[f], Came(f, arrived))

(***************************************************************************)
(* R5, REC-2: no packet leaves the chain twice, also counting those that   *)
(* are on their way to the sink.                                           *)
(***************************************************************************)
Left(k) ==
    LET is(o) == o.clock = k
        under == [i \in Instances |-> Len(SelectSeq(toSink[i], is))]
    IN  Len(SelectSeq(delivered, is)) + Total(under, Instances)

LeavesOnce == \A k \in Clocks : Left(k) <= 1

(***************************************************************************)
(* R5, DUP-1, no duplicate processing: no instance has ever two copies of  *)
(* one packet to process.  What is set aside may have been in the replay   *)
(* that it waits for, and is not let in then.                              *)
(***************************************************************************)
ToProcess(n) ==
    LET isPacket(m) == m.type \in {"packet", "loaded"}
        clocks(s) == LET ps == SelectSeq(s, isPacket) IN [m \in 1 .. Len(ps) |-> ps[m].clock]
        work == IF n.work = Idle THEN <<>> ELSE <<n.work.clock>>
    IN  work \o clocks(n.ready) \o clocks(n.queue)

OneCopyEach ==
    \A i \in Instances :
        LET flows == DOMAIN node[i].blocked
            waiting == [f \in flows |-> {p.clock : p \in Range(node[i].blocked[f])}]
            every == UNION {waiting[f] : f \in flows} \cup Range(ToProcess(node[i]))
            lengths == [f \in flows |-> Len(node[i].blocked[f])]
        IN  Cardinality(every) = Len(ToProcess(node[i])) + Total(lengths, flows)

(***************************************************************************)
(* R2: packets of a flow leave in the order of their arrival.  A gap may   *)
(* be there: what REC-2 gives up.                                          *)
(***************************************************************************)
DownstreamOrder ==
    \A m, n \in 1 .. Len(delivered) :
        m < n /\ delivered[m].flow = delivered[n].flow => delivered[m].clock < delivered[n].clock

(***************************************************************************)
(* COE: what leaves carries what the ideal chain made of it.               *)
(***************************************************************************)
OutputsAreIdeal ==
    LET isIdeal(o) == o.shown = Shown(ValueOf(Came(o.flow, o.clock)))
    IN  /\ \A o \in Range(delivered) : isIdeal(o)
        /\ \A i \in Instances : \A o \in Range(toSink[i]) : isIdeal(o)

(***************************************************************************)
(* ROOT-3, DEL-3: what the root has deleted needs no replay any more: all  *)
(* its updates are in the store.                                           *)
(***************************************************************************)
DeletedWhenOver == \A k \in (1 .. arrived) \ DOMAIN log : \A o \in Objects : Stored(k, o)

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits, every *)
(* instance is up, the state is that of the ideal chain, and at most one   *)
(* packet a crash has not left (REC-2).                                    *)
(***************************************************************************)
NothingStuck ==
    AtRest =>
        /\ log = <<>> /\ DOMAIN recovering = {} /\ fencing = {}
        /\ \A k \in 1 .. arrived, o \in Objects : Stored(k, o)
        /\ arrived - Cardinality({o.clock : o \in Range(delivered)}) <= Total(crashed, Instances)
        /\ \A i \in Instances :
             /\ node[i].up /\ ~node[i].recovering /\ node[i].work = Idle
             /\ node[i].blocked = <<>> /\ node[i].aside = <<>> /\ node[i].lane = <<>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives is deleted by the root, its updates     *)
(* reach the store, and every instance that fails is brought back.         *)
(***************************************************************************)
EveryEntryDeleted == \A k \in Clocks : arrived >= k ~> k \notin DOMAIN log

EveryUpdateArrives == \A k \in Clocks, o \in Objects : arrived >= k ~> Stored(k, o)

EveryFailureEnds == \A i \in Instances : ~node[i].up ~> node[i].up /\ i \notin DOMAIN recovering

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain, but for the outputs  *)
(* that REC-2 lets be lost: those of packets whose first delete the root   *)
(* has, while nobody waits for the answer any more.  Until the root has it *)
(* such an output is at risk.                                              *)
(***************************************************************************)
Waits(i, m) == node[i].up /\ node[i].start = m.start  \* for the answer to a delete

HasEnded(k) == k \notin DOMAIN log \/ log[k].ended

MayLeave(k) ==
    \E i \in Instances : \E m \in Range(toInstance[i]) :
        m.type = "deleted" /\ m.clock = k /\ m.first /\ Waits(i, m)

IsGivenUp(k) == HasEnded(k) /\ Left(k) = 0 /\ ~MayLeave(k)

IsAtRisk(k) ==
    ~HasEnded(k) /\ \E i \in Instances : \E d \in Range(toRoot[i]) : d.clock = k /\ ~Waits(i, d)

IdealChain == INSTANCE Ideal WITH
    Fails <- "instance",
    taken <- arrived,
    stored <- [f \in Flows |-> ValueOf(applied[f])],
    total <- Len(counted),
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, shown |-> delivered[n].shown]],
    failed <- Total(crashed, Instances),
    risk <- {k \in 1 .. arrived : IsAtRisk(k)},
    lost <- {k \in 1 .. arrived : IsGivenUp(k)}

RefinesSafety == IdealChain!Safety
RefinesLiveness == IdealChain!Fairness
Refines == IdealChain!Spec

THEOREM Spec => Refines

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* A packet comes during a recovery, and waits for the end of the replay.
NeverSetAside == \A i \in Instances : node[i].aside = <<>>

\* A packet is processed again whose update the store has already.
NeverRepeated ==
    \A i \in Instances :
        LET is(u) == u.type = "apply" /\ u.start = fence[i] /\ Stored(u.clock, u.object)
        IN  SelectSeq(toStore[i], is) = <<>>

\* An output is given up: its delete is in, and its sender has failed (REC-2).
NeverGivenUp == AtRest => {o.clock : o \in Range(delivered)} = 1 .. arrived

\* A packet is deleted a second time.
NeverDeletedTwice ==
    \A i \in Instances : \A m \in Range(toInstance[i]) : m.type = "deleted" => m.first

\* Something of a dead instance comes to the store behind its fence.
NeverVoid == \A i \in Instances : \A r \in Range(toStore[i]) : r.start >= fence[i]

\* The ideal chain has taken every packet, and nothing is left to do.
NeverThrough == ~(arrived = Len(Packets) /\ IdealChain!IsDone)

\* The ideal chain loses an output: one at risk, or at once when an instance fails.
NeverLoses == [][~IdealChain!Lose]_vars
NeverLosesAtOnce == [][~(\E i \in Instances : Crash(i) /\ \E k \in 1 .. arrived : IsGivenUp(k)')]_vars

\* The ideal chain spares an output that was at risk.
NeverSpares == [][~IdealChain!Spare]_vars

\* All that failed is back.
NeverRecovered ==
    ~(Total(crashed, Instances) > 0 /\ DOMAIN recovering = {} /\ delivered # <<>>)
=============================================================================
