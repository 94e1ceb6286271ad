---------------------------- MODULE SharedFailover ----------------------------
(***************************************************************************)
(* Recovery of the NF instances of one vertex whose flows share an object  *)
(* that instances keep copies of; and everything around it that takes      *)
(* part: root, store, manager and sink.                                    *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.4 and Table 1.                *)
(* Clauses: COE, R2, R3, R5, ROOT-1 to ROOT-3, STORE-2, STORE-4 to         *)
(* STORE-6, CACHE-3, CACHE-4, CLONE-2, DUP-1, DUP-2, DEL-2, DEL-3, REC-0   *)
(* to REC-2, LIVE; amended as docs/findings.md.                            *)
(*                                                                         *)
(* An instance fails with its queue, its copies, and any part of what it   *)
(* has under way; so accesses that a copy has served may never reach the   *)
(* store.  Its failover gets all logged packets of its flows once more.    *)
(* For those whose access the store has on record it goes on from what     *)
(* that returned; for others it accesses the object as it is now, and in   *)
(* an order of its own.  So nothing that others may go on from leaves an   *)
(* instance before the store has the accesses that it was computed from    *)
(* (Caching).  Recovery is that of Failover; the NF waits for the store    *)
(* where no copy serves it.                                                *)
(*                                                                         *)
(* Channels are FIFO, one for each pair.  Starts and replays are numbered  *)
(* together; each start or replay is a session.  A step is what one        *)
(* component makes of the oldest message of one channel, as in the Python  *)
(* core: the state graphs are equal.                                       *)
(*                                                                         *)
(* Left out: moves (see SharedObject), objects of single flows, other      *)
(* vertices, clones, failures of root and store.                           *)
(***************************************************************************)
EXTENDS Caching

CONSTANTS
    Ranked,     \* instances, in the order in which the log is replayed to them
    Home,       \* instance of each flow
    Alone,      \* the split gives all users of an object to one instance
    Fragile,    \* instances that may fail
    MostCrashes \* how often, in all

Instances == {Ranked[n] : n \in 1 .. Len(Ranked)}
Nobody == "nobody"
Framework == {"root", "store", "manager", "sink"}
Sessions == 0 .. 2 * MostCrashes  \* 0: no start, or no replay

ASSUME /\ Instances \cap (Framework \cup {Nobody}) = {}
       /\ Home \in [Flows -> Instances]
       /\ Alone \in BOOLEAN
       /\ Alone => \A f, g \in Flows : KeyOfFlow(f) = KeyOfFlow(g) => Home[f] = Home[g]
       /\ Fragile \subseteq Instances
       /\ MostCrashes \in Nat

(***************************************************************************)
(* Rules that a bounded instance may drop, besides those of Caching.       *)
(***************************************************************************)
SuppressUpdates == TRUE     \* DUP-2: an access that is on record is not made again
SetAside == TRUE            \* CLONE-2: what is not replayed waits for the end of the replay
ReplayLog == TRUE           \* REC-1: the log is replayed to the failover
LeaveOnFirstDelete == TRUE  \* REC-2: of two deletes of a packet one lets it leave
DeleteAfterCommits == TRUE  \* DEL-3: the log keeps a packet until its update is committed

VARIABLES
    channel,    \* what is under way from everybody to everybody, oldest first
    arrived,    \* root: packets that have come; 1 .. arrived are their clocks (ROOT-1)
    log,        \* root: what it knows of each packet that it has logged
    node,       \* NF instances, each with its queue; see Node
    owner,      \* store: instance that owns each flow
    raised,     \* store: packets that have raised each object, in order
    noted,      \* store: what each packet's read has returned (DUP-2)
    readers,    \* store: instances that keep a copy of the object that is read mostly
    fence,      \* store: what an instance sent before this session is void
    session,    \* manager: newest session
    replay,     \* manager: newest session that a replay may have
    starts,     \* manager: session of each instance's newest start
    recovering, \* manager: of each failover on its way up, its start, and whether it runs
    fencing,    \* manager: of these, those that wait for the store's fence
    delivered,  \* sink: outputs that have left the chain, in order
    crashed     \* how often each instance has failed

root == <<arrived, log>>
store == <<owner, raised, noted, readers, fence>>
manager == <<session, replay, starts, recovering, fencing>>
vars == <<channel, root, node, store, manager, delivered, crashed>>

-----------------------------------------------------------------------------
(* Sequences, functions and places *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

RECURSIVE Total(_, _)
Total(g, S) ==  \* of a function, over a set
    IF S = {} THEN 0 ELSE LET x == CHOOSE x \in S : TRUE IN g[x] + Total(g, S \ {x})

Addresses == Instances \cup Framework
Receivers == [x \in Addresses |->
                CASE x \in Instances -> Framework
                  [] x = "root" -> Instances
                  [] x = "store" -> Instances \cup {"root", "manager"}
                  [] x = "manager" -> Instances \cup {"root", "store"}
                  [] x = "sink" -> {}]

-----------------------------------------------------------------------------
(* Messages.  A packet that is not replayed is for Nobody, in session 0. *)

Packet(k, target, s) == [type |-> "packet", clock |-> k, target |-> target, session |-> s]
ReplayEnd(target, s, newest) ==
    [type |-> "end", target |-> target, session |-> s, newest |-> newest]
Delete(k, s) == [type |-> "delete", clock |-> k, start |-> s]
Deleted(k, first, s) == [type |-> "deleted", clock |-> k, first |-> first, start |-> s]
Acquire(k, s) == [type |-> "acquire", clock |-> k, start |-> s]
Granted(k) == [type |-> "granted", clock |-> k]
Committed(k) == [type |-> "committed", clock |-> k]
Output(k, x) == [type |-> "output", clock |-> k, shown |-> x]
Start(s) == [type |-> "start", session |-> s]
Ready(s) == [type |-> "ready", session |-> s]
Recovered(s) == [type |-> "recovered", session |-> s]
Replay(i, s) == [type |-> "replay", target |-> i, session |-> s]
Fence(i, s) == [type |-> "fence", instance |-> i, start |-> s]
Fenced(m) == [m EXCEPT !.type = "fenced"]

PacketItem == [type : {"packet"}, clock : Clocks, target : Instances \cup {Nobody},
               session : Sessions]
EndItem == [type : {"end"}, target : Instances, session : Sessions, newest : Numbers]
Item == PacketItem \cup EndItem
LoadedItem == [type : {"loaded"}, packet : PacketItem]  \* whose flow's state has come for it alone
Leaving == [type : {"output"}, clock : Clocks, shown : Numbers]

Message ==
    Item \cup Leaving \cup Applies(Sessions) \cup Answers
    \cup [type : {"delete", "acquire"}, clock : Clocks, start : Sessions]
    \cup [type : {"deleted"}, clock : Clocks, first : BOOLEAN, start : Sessions]
    \cup [type : {"granted", "committed"}, clock : Clocks]
    \cup [type : {"start", "ready", "recovered"}, session : Sessions]
    \cup [type : {"replay"}, target : Instances, session : Sessions]
    \cup [type : {"fence", "fenced"}, instance : Instances, start : Sessions]

FlowOf(p) == Packets[p.clock]

-----------------------------------------------------------------------------
Entry == [ended : BOOLEAN,      \* a delete has come
          committed : BOOLEAN]  \* the store has the packet's update

(***************************************************************************)
(* An NF instance, with the queue before it.  It works on one packet at a  *)
(* time: that in work waits for the store's result, or has been processed, *)
(* and waits for the answer to its delete (REC-2).  A flow is blocked      *)
(* while it is asked for, or a packet that is replayed is in work.         *)
(***************************************************************************)
Node == [up : BOOLEAN,
         recovering : BOOLEAN,    \* its queue waits for the end of a replay
         valid : Sessions,        \* first replay to it that it has seen
         over : Sessions,         \* newest replay to it that has ended
         seen : SUBSET Clocks,    \* packets that were queued (DUP-1)
         aside : Seq(Item),       \* what is not replayed to it, in recovery
         work : Seq([for : {"result", "delete"}, packet : PacketItem, shown : Numbers]),
                                  \* the packet in work, if any
         ready : Seq(PacketItem \cup LoadedItem),  \* packets whose flow has just come
         lane : Seq(EndItem),     \* ends of replays
         queue : Seq(Item),       \* items not yet looked at
         owned : SUBSET Flows,
         client : Client(Sessions, [to : Framework \cup {Nobody}, message : Message])]
\* and blocked, a partial function on flows: packets that wait.

Down == [up |-> FALSE, recovering |-> FALSE, valid |-> 0, over |-> 0, seen |-> {},
         aside |-> <<>>, work |-> <<>>, ready |-> <<>>, lane |-> <<>>, queue |-> <<>>,
         owned |-> {}, client |-> NewClient(0, TRUE), blocked |-> <<>>]

NodeOK(n) ==
    /\ [field \in DOMAIN n \ {"blocked"} |-> n[field]] \in Node
    /\ Len(n.work) <= 1
    /\ DOMAIN n.blocked \subseteq Flows
    /\ \A f \in DOMAIN n.blocked : n.blocked[f] \in Seq(PacketItem)

TypeOK ==
    /\ DOMAIN channel = Addresses
    /\ \A x \in Addresses : channel[x] \in [Receivers[x] -> Seq(Message)]
    /\ arrived \in Numbers
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in Entry
    /\ \A i \in Instances : NodeOK(node[i])
    /\ owner \in [Flows -> Instances \cup {Nobody}]
    /\ raised \in [Keys -> Seq(Clocks)]
    /\ DOMAIN noted \subseteq 1 .. arrived
    /\ \A k \in DOMAIN noted : noted[k] \in Numbers
    /\ readers \subseteq Instances
    /\ fence \in [Instances -> Sessions]
    /\ session \in Sessions
    /\ replay \in Sessions
    /\ starts \in [Instances -> Sessions]
    /\ DOMAIN recovering \subseteq Instances
    /\ \A i \in DOMAIN recovering : recovering[i] \in [start : Sessions, runs : BOOLEAN]
    /\ fencing \subseteq DOMAIN recovering
    /\ delivered \in Seq(Leaving)
    /\ crashed \in [Instances -> 0 .. MostCrashes]

Begun(s) == [Down EXCEPT !.up = TRUE, !.client = NewClient(s, Alone)]  \* in session s

Init ==
    /\ channel = [x \in Addresses |-> [y \in Receivers[x] |-> <<>>]]
    /\ arrived = 0
    /\ log = <<>>
    /\ node = [i \in Instances |-> Begun(0)]
    /\ owner = [f \in Flows |-> Nobody]
    /\ raised = [key \in Keys |-> <<>>]
    /\ noted = <<>>
    /\ readers = {}
    /\ fence = [i \in Instances |-> 0]
    /\ session = 0
    /\ replay = 0
    /\ starts = [i \in Instances |-> 0]
    /\ recovering = <<>>
    /\ fencing = {}
    /\ delivered = <<>>
    /\ crashed = [i \in Instances |-> 0]

-----------------------------------------------------------------------------
(* Channels *)

Comes(x, y, type) == channel[x][y] # <<>> /\ Head(channel[x][y]).type = type
Oldest(x, y) == Head(channel[x][y])

SendFrom(y, effects) ==  \* without having been told to
    channel' = [channel EXCEPT ![y] = [z \in DOMAIN @ |-> @[z] \o MessagesTo(z, effects)]]

TakeAndSend(x, y, effects) ==  \* y takes the oldest message from x
    channel' = [channel EXCEPT
                  ![x][y] = Tail(@),
                  ![y] = [z \in DOMAIN @ |-> @[z] \o MessagesTo(z, effects)]]

-----------------------------------------------------------------------------
(* Root *)

\* ROOT-1, ROOT-2: a packet gets its clock, and is logged before it is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ log' = With(log, arrived + 1, [ended |-> FALSE, committed |-> FALSE])
    /\ LET p == Packet(arrived + 1, Nobody, 0)
       IN  SendFrom("root", <<To(Home[FlowOf(p)], p)>>)
    /\ UNCHANGED <<node, store, manager, delivered, crashed>>

\* DEL-3: a packet is over when its delete has come and its update is committed.
IsOver(k, entry) == entry.ended /\ (DeleteAfterCommits /\ Raises(k) => entry.committed)
Kept(k, entry) == IF IsOver(k, entry) THEN Without(log, k) ELSE With(log, k, entry)

\* ROOT-3, REC-2: a packet has ended; of its deletes the first lets it leave.
RootTakesDelete(i) ==
    /\ Comes(i, "root", "delete")
    /\ LET d == Oldest(i, "root")
           first == d.clock \in DOMAIN log /\ ~log[d.clock].ended
       IN  /\ log' = IF first THEN Kept(d.clock, [log[d.clock] EXCEPT !.ended = TRUE]) ELSE log
           /\ TakeAndSend(i, "root", <<To(i, Deleted(d.clock, first, d.start))>>)
    /\ UNCHANGED <<arrived, node, store, manager, delivered, crashed>>

\* DEL-2: the store has committed an update; a signal for a packet that is over is nothing.
RootTakesCommitted ==
    /\ Comes("store", "root", "committed")
    /\ LET k == Oldest("store", "root").clock
       IN  log' = IF k \in DOMAIN log THEN Kept(k, [log[k] EXCEPT !.committed = TRUE]) ELSE log
    /\ TakeAndSend("store", "root", <<>>)
    /\ UNCHANGED <<arrived, node, store, manager, delivered, crashed>>

\* CLONE-2, REC-1: every logged packet of the target's flows, in the order of the clocks, and
\* behind them the mark that the replay is over, with the newest clock that was given by then.
RootTakesReplay ==
    /\ Comes("manager", "root", "replay")
    /\ LET r == Oldest("manager", "root")
           isTheirs(k) == k \in DOMAIN log /\ ReplayLog /\ Home[Packets[k]] = r.target
           clocks == SelectSeq([k \in 1 .. arrived |-> k], isTheirs)
           again == [n \in 1 .. Len(clocks) |->
                       To(r.target, Packet(clocks[n], r.target, r.session))]
           end == To(r.target, ReplayEnd(r.target, r.session, arrived))
       IN  TakeAndSend("manager", "root", Append(again, end))
    /\ UNCHANGED <<root, node, store, manager, delivered, crashed>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* NF.  In the middle of a step r.state is what becomes of the instance,   *)
(* and r.effects what it does, in order.                                   *)
(***************************************************************************)
Awake(i) == [self |-> i, state |-> node[i], effects |-> <<>>]
Does(r, effect) == [r EXCEPT !.effects = Append(@, effect)]
Ask(r, k) == Does(r, To("store", Acquire(k, r.state.client.start)))

\* A packet's work is over: the next one that waited behind it is asked for, if it was replayed.
Done(r, f) ==
    LET idle == [r EXCEPT !.state.work = <<>>]
    IN  IF f \notin DOMAIN r.state.blocked THEN idle
        ELSE IF r.state.blocked[f] = <<>> THEN [idle EXCEPT !.state.blocked = Without(@, f)]
        ELSE Ask(idle, Head(r.state.blocked[f]).clock)

\* The packet has been processed, and goes on as any other: by way of its delete (ROOT-3, REC-2).
Finish(r, p, number) ==
    LET work == [for |-> "delete", packet |-> Packet(p.clock, Nobody, 0), shown |-> number]
    IN  Does([r EXCEPT !.state.work = <<work>>],
             To("root", Delete(p.clock, r.state.client.start)))

\* DUP-2: a replayed packet always asks the store, which knows what it did before.
Process(r, p, mayServe) ==
    LET run == RunNF(r.state.client, p.clock, mayServe)
        sent == [r EXCEPT !.state.client = run.client, !.effects = @ \o run.sent]
        work == [for |-> "result", packet |-> p, shown |-> 0]
    IN  IF run.result = <<>> THEN [sent EXCEPT !.state.work = <<work>>]
        ELSE Finish(sent, p, run.result[1])

(***************************************************************************)
(* A packet waits behind others of its flow (MOVE-5); is processed; or     *)
(* asks for the flow.  A replayed packet always asks.                      *)
(***************************************************************************)
TakePacket(r, p) ==
    LET f == FlowOf(p)
        waits == [r EXCEPT !.state.blocked = With(@, f, <<p>>),
                           !.state.owned = IF p.target = r.self THEN @ \ {f} ELSE @]
    IN  IF f \in DOMAIN r.state.blocked
        THEN [r EXCEPT !.state.blocked[f] = Append(@, p)]
        ELSE IF p.target = Nobody /\ f \in r.state.owned THEN Process(r, p, TRUE)
        ELSE Ask(waits, p.clock)

Take(r, item) ==
    CASE item.type = "loaded" -> Process(r, item.packet, FALSE)
      [] item.type = "end" -> [r EXCEPT !.state.lane = Append(@, item)]
      [] item.type = "packet" -> TakePacket(r, item)

\* CLONE-2: a replay has been taken in when none of its packets waits any more.  There is nobody
\* below to be told.
LaneIsFree(r) ==
    \A f \in DOMAIN r.state.blocked : \A p \in Range(r.state.blocked[f]) : p.target = Nobody

TakeEnd(r, end) ==
    [r EXCEPT !.effects = @ \o <<To("manager", Recovered(end.session)), To(Nobody, end)>>]

RECURSIVE WorkOn(_)
WorkOn(r) ==  \* until a packet is in work, or nothing is left to do
    LET n == r.state
    IN  IF n.work # <<>> THEN r
        ELSE IF n.ready # <<>>
        THEN WorkOn(Take([r EXCEPT !.state.ready = Tail(@)], Head(n.ready)))
        ELSE IF n.lane # <<>> /\ LaneIsFree(r)
        THEN WorkOn(TakeEnd([r EXCEPT !.state.lane = Tail(@)], Head(n.lane)))
        ELSE IF n.queue # <<>>
        THEN WorkOn(Take([r EXCEPT !.state.queue = Tail(@)], Head(n.queue)))
        ELSE r

\* Instance i has taken a message from x, and has become r.  What comes to one that is down is
\* lost.
GoesOn(x, i, r) ==
    LET worked == WorkOn(r)
        done == LetOut(worked.state.client, worked.effects)
    IN  /\ node' = IF node[i].up
                   THEN [node EXCEPT ![i] = [worked.state EXCEPT !.client = done.client]]
                   ELSE node
        /\ TakeAndSend(x, i, IF node[i].up THEN done.out ELSE <<>>)
        /\ UNCHANGED <<root, store, manager, delivered, crashed>>

-----------------------------------------------------------------------------
(* Instance: its queue.  s is the state of the instance with the queue. *)

\* DUP-1: a packet goes in once.
LetIn(s, p) ==
    IF p.clock \in s.seen THEN s
    ELSE [s EXCEPT !.seen = @ \cup {p.clock}, !.queue = Append(@, p)]

RECURSIVE LetAllIn(_, _)
LetAllIn(s, items) == IF items = <<>> THEN s ELSE LetAllIn(LetIn(s, Head(items)), Tail(items))

\* CLONE-2: a replay is over.  What came meanwhile goes in, but for what was in the replay or had
\* ended before: the channel may bring it once more (REC-1).
AdmitEnd(s, m) ==
    LET ended == [s EXCEPT !.over = m.session, !.queue = Append(@, m)]
        isNew(p) == p.clock > m.newest
    IN  IF m.session <= s.over THEN s
        ELSE IF ~s.recovering THEN ended
        ELSE LetAllIn([ended EXCEPT !.recovering = FALSE, !.aside = <<>>],
                      SelectSeq(s.aside, isNew))

\* CLONE-2, REC-1: in recovery, what is not replayed waits; and a replay that began before this
\* instance was started may lack its beginning.
QueueItem(s, item) ==
    IF item.type = "packet" /\ item.target = Nobody
    THEN IF SetAside /\ s.recovering THEN [s EXCEPT !.aside = Append(@, item)] ELSE LetIn(s, item)
    ELSE LET known == [s EXCEPT !.valid = IF @ = 0 THEN item.session ELSE @]
         IN  IF item.session <= s.client.start \/ item.session < known.valid THEN s
             ELSE IF item.type = "end" THEN AdmitEnd(known, item) ELSE LetIn(known, item)

InstanceTakesItem(i) ==
    GoesOn("root", i, [Awake(i) EXCEPT !.state = QueueItem(@, Oldest("root", i))])

InstanceTakesPacket(i) == Comes("root", i, "packet") /\ InstanceTakesItem(i)
InstanceTakesReplayEnd(i) == Comes("root", i, "end") /\ InstanceTakesItem(i)

-----------------------------------------------------------------------------
(* Instance: answers.  One that nobody waits for was meant for a dead predecessor. *)

Awaits(n, for, k) == n.work # <<>> /\ n.work[1].for = for /\ n.work[1].packet.clock = k

\* REC-2: the root has the delete of the packet in work, which leaves if it was the first.
InstanceTakesDeleted(i) ==
    /\ Comes("root", i, "deleted")
    /\ LET r == Awake(i)
           d == Oldest("root", i)
           w == r.state.work[1]
           left == IF d.first \/ ~LeaveOnFirstDelete
                   THEN Does(r, To("sink", Output(d.clock, w.shown))) ELSE r
       IN  GoesOn("root", i, IF d.start = r.state.client.start /\ Awaits(r.state, "delete", d.clock)
                             THEN Done(left, FlowOf(w.packet)) ELSE r)

\* The flow has come: all that waited for it may go on; or a replayed packet alone, for it is not
\* known what comes behind it.
Serve(r, f) ==
    LET waiting == r.state.blocked[f]
        loaded == [type |-> "loaded", packet |-> Head(waiting)]
    IN  IF Head(waiting).target = Nobody
        THEN [r EXCEPT !.state.owned = @ \cup {f},
                       !.state.blocked = Without(@, f),
                       !.state.ready = @ \o waiting]
        ELSE [r EXCEPT !.state.blocked[f] = Tail(@),
                       !.state.ready = Append(@, loaded)]

InstanceTakesGranted(i) ==
    /\ Comes("store", i, "granted")
    /\ LET r == Awake(i)
           n == r.state
           g == Oldest("store", i)
           f == FlowOf(g)
           asked == /\ f \in DOMAIN n.blocked /\ n.blocked[f] # <<>>
                    /\ Head(n.blocked[f]).clock = g.clock
       IN  GoesOn("store", i, IF asked THEN Serve(r, f) ELSE r)

\* An answer for the packet in work, or one that confirms what a copy has served.
InstanceTakesResult(i) ==
    /\ Comes("store", i, "result")
    /\ LET m == Oldest("store", i)
           r == [Awake(i) EXCEPT !.state.client = OnResult(@, m)]
       IN  GoesOn("store", i, IF Awaits(r.state, "result", m.clock)
                              THEN Finish(r, r.state.work[1].packet, m.value) ELSE r)

\* CACHE-3: the new value of an object that is copied here.
InstanceTakesCallback(i) ==
    /\ Comes("store", i, "callback")
    /\ GoesOn("store", i, [Awake(i) EXCEPT !.state.client = OnCallback(@, Oldest("store", i))])

\* REC-1: a failover begins, empty, and waits for its replay.
InstanceTakesStart(i) ==
    /\ Comes("manager", i, "start")
    /\ LET s == Oldest("manager", i).session
       IN  /\ node' = [node EXCEPT ![i] = [Begun(s) EXCEPT !.recovering = TRUE]]
           /\ TakeAndSend("manager", i, <<To("manager", Ready(s))>>)
    /\ UNCHANGED <<root, store, manager, delivered, crashed>>

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
    /\ fencing' = fencing \cup {i}
    /\ SendFrom("manager", <<To("store", Fence(i, session + 1))>>)
    /\ UNCHANGED <<root, store, delivered>>

\* What a dead instance had under way, and was not yet taken, may be lost.  What has left for
\* the sink is on the wire.
Lose(i) ==
    /\ ~node[i].up
    /\ \E y \in Framework \ {"sink"} :
         channel[i][y] # <<>> /\ channel' = [channel EXCEPT ![i][y] = <<>>]
    /\ UNCHANGED <<root, node, store, manager, delivered, crashed>>

-----------------------------------------------------------------------------
(* Store *)

IsVoid(i, m) == m.start < fence[i]

PlaceOf(k, s) == CHOOSE n \in 1 .. Len(s) : s[n] = k

ToEach(S, m) ==  \* the effects of telling several the same
    LET isOne(i) == i \in S
        ranked == SelectSeq(Ranked, isOne)
    IN  [n \in 1 .. Len(ranked) |-> To(ranked[n], m)]

(***************************************************************************)
(* STORE-4: an update is made, and has its place in the one order of all.  *)
(* CACHE-3: everybody who keeps a copy is told of the new value, before    *)
(* the updater has its answer.  DEL-2: the root is told.  A read that a    *)
(* copy has served is on record as it was served.  DUP-2: what is on       *)
(* record already is not made again, but answered as the first time.       *)
(***************************************************************************)
StoreTakesApply(i) ==
    /\ Comes(i, "store", "apply")
    /\ LET u == Oldest(i, "store")
           k == u.clock
           key == KeyOf(k)
           raises == u.op = "raise"
           known == SuppressUpdates /\
                    IF raises THEN k \in Range(raised[key]) ELSE k \in DOMAIN noted
           value == Len(raised[key]) + IF raises /\ ~known THEN 1 ELSE 0
           result == CASE known /\ raises -> PlaceOf(k, raised[key])
                       [] known /\ ~raises -> noted[k]
                       [] ~known /\ ~raises /\ u.seen # <<>> -> u.seen[1]
                       [] OTHER -> value
           copy == IF u.register THEN <<value>> ELSE <<>>
           told == IF raises /\ ~known /\ CallBack THEN ToEach(readers, Callback(key, value))
                   ELSE <<>>
           waits == Kind = "hot" \/ u.op = "read"
           answer == IF waits THEN <<To(i, Result(k, result, copy))>> ELSE <<>>
           signal == IF raises /\ ~known THEN <<To("root", Committed(k))>> ELSE <<>>
       IN  IF IsVoid(i, u)
           THEN TakeAndSend(i, "store", <<>>) /\ UNCHANGED <<raised, noted, readers>>
           ELSE /\ raised' = IF raises /\ ~known THEN [raised EXCEPT ![key] = Append(@, k)]
                             ELSE raised
                /\ noted' = IF raises THEN noted ELSE With(noted, k, result)
                /\ readers' = IF u.register /\ Kind = "limit" THEN readers \cup {i} ELSE readers
                /\ TakeAndSend(i, "store", told \o answer \o signal)
    /\ UNCHANGED <<root, node, owner, fence, manager, delivered, crashed>>

\* STORE-2: the flow is the instance's own.
StoreTakesAcquire(i) ==
    /\ Comes(i, "store", "acquire")
    /\ LET m == Oldest(i, "store")
       IN  IF IsVoid(i, m) THEN TakeAndSend(i, "store", <<>>) /\ UNCHANGED owner
           ELSE /\ owner' = [owner EXCEPT ![FlowOf(m)] = i]
                /\ TakeAndSend(i, "store", <<To(i, Granted(m.clock))>>)
    /\ UNCHANGED <<root, node, raised, noted, readers, fence, manager, delivered, crashed>>

\* REC-1: what this instance sent before its new start is void from now on.
StoreTakesFence ==
    /\ Comes("manager", "store", "fence")
    /\ LET m == Oldest("manager", "store")
       IN  /\ fence' = [fence EXCEPT ![m.instance] = m.start]
           /\ TakeAndSend("manager", "store", <<To("manager", Fenced(m))>>)
    /\ UNCHANGED <<root, node, owner, raised, noted, readers, manager, delivered, crashed>>

-----------------------------------------------------------------------------
(* Manager *)

\* REC-1: the failover may begin, unless it has failed again.
ManagerTakesFenced ==
    /\ Comes("store", "manager", "fenced")
    /\ LET m == Oldest("store", "manager")
           begins == m.start = starts[m.instance] /\ m.instance \in fencing
       IN  /\ fencing' = IF begins THEN fencing \ {m.instance} ELSE fencing
           /\ TakeAndSend("store", "manager",
                          IF begins THEN <<To(m.instance, Start(m.start))>> ELSE <<>>)
    /\ UNCHANGED <<root, node, store, session, replay, starts, recovering, delivered, crashed>>

\* REC-1: a failover runs.  The log is replayed to every one that does.
ManagerTakesReady(i) ==
    /\ Comes(i, "manager", "ready")
    /\ LET s == Oldest(i, "manager").session
           known == i \in DOMAIN recovering /\ recovering[i] = [start |-> s, runs |-> FALSE]
           run == With(recovering, i, [start |-> s, runs |-> TRUE])
           isTarget(j) == j \in DOMAIN run /\ run[j].runs
           targets == SelectSeq(Ranked, isTarget)
           replays == [n \in 1 .. Len(targets) |-> To("root", Replay(targets[n], session + 1))]
       IN  IF known
           THEN /\ recovering' = run
                /\ session' = session + 1
                /\ replay' = session + 1
                /\ TakeAndSend(i, "manager", replays)
           ELSE TakeAndSend(i, "manager", <<>>) /\ UNCHANGED <<recovering, session, replay>>
    /\ UNCHANGED <<root, node, store, starts, fencing, delivered, crashed>>

\* A failover has taken its replay in; the end of an earlier one tells nothing.
ManagerTakesRecovered(i) ==
    /\ Comes(i, "manager", "recovered")
    /\ recovering' = IF Oldest(i, "manager").session = replay THEN Without(recovering, i)
                     ELSE recovering
    /\ TakeAndSend(i, "manager", <<>>)
    /\ UNCHANGED <<root, node, store, session, replay, starts, fencing, delivered, crashed>>

-----------------------------------------------------------------------------
SinkTakesOutput(i) ==
    /\ Comes(i, "sink", "output")
    /\ delivered' = Append(delivered, Oldest(i, "sink"))
    /\ TakeAndSend(i, "sink", <<>>)
    /\ UNCHANGED <<root, node, store, manager, crashed>>

-----------------------------------------------------------------------------
FromOutside == Arrive \/ \E i \in Instances : Crash(i)

At(i) ==  \* what instance i does, or is the source of
    \/ InstanceTakesPacket(i) \/ InstanceTakesReplayEnd(i) \/ InstanceTakesDeleted(i)
    \/ InstanceTakesGranted(i) \/ InstanceTakesResult(i) \/ InstanceTakesCallback(i)
    \/ InstanceTakesStart(i)
    \/ RootTakesDelete(i)
    \/ StoreTakesApply(i) \/ StoreTakesAcquire(i)
    \/ ManagerTakesReady(i) \/ ManagerTakesRecovered(i)
    \/ SinkTakesOutput(i)
    \/ Lose(i)

Inside ==
    \/ RootTakesCommitted \/ RootTakesReplay \/ StoreTakesFence \/ ManagerTakesFenced
    \/ \E i \in Instances : At(i)

Next == FromOutside \/ Inside

\* Nothing is under way; instances have no timers here.
AtRest == \A x \in Addresses : \A y \in Receivers[x] : channel[x][y] = <<>>

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
Crashes == Total(crashed, Instances)
Value(key) == Len(raised[key])
OutputsIn(messages) == {m \in Range(messages) : m.type = "output"}
Outputs ==
    Range(delivered) \cup UNION {OutputsIn(channel[i]["sink"]) : i \in Instances}

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE, R3: there is a serial order of all packets that have come, which   *)
(* keeps the order of each flow, and which explains everything: what has   *)
(* left every instance, also one that has failed since, and which updates  *)
(* the store has made.                                                     *)
(***************************************************************************)
Explains(order) ==
    /\ \A o \in Outputs : \E n \in DOMAIN order :
         order[n] = o.clock /\ o.shown = CarriesAway(order, n)
    /\ \A key \in Keys : IsPrefix(raised[key], RaisedIn(order, key))

SerialOrder == \E order \in Orders[arrived] : Explains(order)

(***************************************************************************)
(* R5, DUP-2: the store makes no update twice.                             *)
(***************************************************************************)
RaisedOnce == \A key \in Keys : Len(raised[key]) = Cardinality(Range(raised[key]))

(***************************************************************************)
(* CACHE-3: when nothing is under way, all copies are fresh.               *)
(***************************************************************************)
CopiesAreFresh ==
    AtRest => \A i \in Instances, key \in Keys :
        node[i].client.copies[key] \in {NoCopy, Value(key)}

(***************************************************************************)
(* CACHE-3, CACHE-4, STORE-5: what has left an instance was computed from  *)
(* what the store has on record.                                           *)
(***************************************************************************)
OutputsOnRecord ==
    \A o \in Outputs :
        /\ Raises(o.clock) => o.clock \in Range(raised[KeyOf(o.clock)])
        /\ Kind = "limit" => o.clock \in DOMAIN noted /\ noted[o.clock] = o.shown

(***************************************************************************)
(* R5, REC-2: no packet leaves the chain twice, also counting those that   *)
(* are on their way to the sink.                                           *)
(***************************************************************************)
Left(k) ==
    LET is(o) == o.clock = k
        under == [i \in Instances |-> Len(SelectSeq(channel[i]["sink"], is))]
    IN  Len(SelectSeq(delivered, is)) + Total(under, Instances)

LeavesOnce == \A k \in Clocks : Left(k) <= 1

(***************************************************************************)
(* R2: packets of a flow leave in the order of their arrival.  A gap may   *)
(* be there: what REC-2 gives up.                                          *)
(***************************************************************************)
DownstreamOrder ==
    \A m, n \in 1 .. Len(delivered) :
        m < n /\ FlowOf(delivered[m]) = FlowOf(delivered[n])
            => delivered[m].clock < delivered[n].clock

(***************************************************************************)
(* ROOT-3, DEL-3: what the root has deleted needs no replay any more: its  *)
(* update is in the store.                                                 *)
(***************************************************************************)
Stored(k) == Raises(k) => k \in Range(raised[KeyOf(k)])
DeletedWhenOver == \A k \in (1 .. arrived) \ DOMAIN log : Stored(k)

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits, every *)
(* instance is up, all updates are made, and at most one packet a crash    *)
(* has not left (REC-2).                                                   *)
(***************************************************************************)
NothingStuck ==
    AtRest =>
        /\ log = <<>> /\ DOMAIN recovering = {} /\ fencing = {}
        /\ \A k \in 1 .. arrived : Stored(k)
        /\ arrived - Len(delivered) <= Crashes
        /\ \A i \in Instances : LET n == node[i] IN
             /\ n.up /\ ~n.recovering /\ n.work = <<>>
             /\ n.blocked = <<>> /\ n.aside = <<>> /\ n.lane = <<>>
             /\ n.client.unconfirmed = {} /\ n.client.outbox = <<>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives is deleted by the root, its update is   *)
(* made, and every instance that fails is brought back.                    *)
(***************************************************************************)
EveryEntryDeleted == \A k \in Clocks : arrived >= k ~> k \notin DOMAIN log
EveryUpdateArrives == \A k \in Clocks : arrived >= k ~> Stored(k)
EveryFailureEnds == \A i \in Instances : ~node[i].up ~> node[i].up /\ i \notin DOMAIN recovering

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE, REC-2: this is an implementation of the ideal chain that may lose  *)
(* a packet for each failure.  It has taken what has arrived; what its     *)
(* store holds, and what leaves it, follows.  Lost is what the root has    *)
(* the delete of, and what nobody holds any more who will let it leave.    *)
(***************************************************************************)
HeldOutput(n, k) ==
    \E e \in Range(Held(n.client)) : e.to = "sink" /\ e.message.clock = k

MayLeave(k) ==
    \/ Left(k) > 0
    \/ \E i \in Instances : node[i].up /\
         \/ HeldOutput(node[i], k)
         \/ /\ Awaits(node[i], "delete", k)
            /\ \E m \in Range(channel["root"][i]) : m = Deleted(k, TRUE, node[i].client.start)

Lost == {k \in 1 .. arrived : (k \in DOMAIN log => log[k].ended) /\ ~MayLeave(k)}

IdealChain == INSTANCE IdealShared WITH
    MostFailures <- MostCrashes,
    taken <- arrived,
    failures <- Crashes,
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, shown |-> delivered[n].shown]],
    lost <- Lost

RefinesSafety == IdealChain!Safety

THEOREM Safety => RefinesSafety

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* An instance fails before the store has what its copy has served, and that is void.
NeverVoid ==
    \A i \in Instances : \A m \in Range(channel[i]["store"]) :
        m.type = "apply" /\ IsVoid(i, m) => m.seen = <<>>

\* The output of an earlier packet waits together with the delete of one that a copy has served.
NeverHeldBack == \A i \in Instances : Len(node[i].client.outbox) < 2

\* A replayed packet makes its access once more, and the store knows it.
NeverRepeated ==
    \A i \in Instances : \A m \in Range(channel[i]["store"]) :
        m.type = "apply" /\ m.start > 0 =>
            IF m.op = "raise" THEN m.clock \notin Range(raised[KeyOf(m.clock)])
            ELSE m.clock \notin DOMAIN noted

\* The store makes updates in another order than their packets came in.
NeverReordered ==
    \A key \in Keys : \A m, n \in 1 .. Len(raised[key]) : m < n => raised[key][m] < raised[key][n]

\* The failover serves from a copy again.
NeverServedAgain ==
    \A i \in Instances : node[i].client.start > 0 => node[i].client.unconfirmed = {}

\* A packet comes during a recovery, and waits for the end of the replay.
NeverSetAside == \A i \in Instances : node[i].aside = <<>>

\* A packet's output is lost.
NeverLost == Lost = {}

\* All that failed is back, and all has left.
NeverRecovered ==
    ~(AtRest /\ Crashes = MostCrashes /\ Crashes > 0 /\ Len(delivered) = Len(Packets))
=============================================================================
