----------------------------- MODULE SharedObject -----------------------------
(***************************************************************************)
(* One vertex with several instances, whose flows share an object that     *)
(* instances keep copies of; and everything around it that takes part when *)
(* its flows are moved: root, store, manager and sink.                     *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.1 and Table 1.                *)
(* Clauses: ROOT-1 to ROOT-3, QUEUE-1, MOVE-1 to MOVE-7, STORE-4 to        *)
(* STORE-6, CACHE-3, CACHE-4, DEL-2, DEL-3, REC-2, LIVE; amended as        *)
(* docs/findings.md.                                                       *)
(*                                                                         *)
(* Packets and marks take the ways that they take in Reallocation.  New is *)
(* that the NF waits for the store where no copy serves it (Caching), and  *)
(* what becomes of copies when a flow is to move.  The split that the      *)
(* chain begins with may give all users of an object to one instance; then *)
(* a moved flow would be a user of it elsewhere.  So before it moves, the  *)
(* manager has every instance give its copies up; when all flows are back  *)
(* where the split puts them, it asks every instance, by way of the store, *)
(* whether the store has all that was sent, and then copies begin again.   *)
(*                                                                         *)
(* Channels are FIFO, one for each pair.  A step is what one component     *)
(* makes of the oldest message of one channel, as in the Python core: the  *)
(* state graphs are equal.                                                 *)
(*                                                                         *)
(* Left out: failures (see SharedFailover), objects of single flows,       *)
(* several splitters, clones and scaling.                                  *)
(***************************************************************************)
EXTENDS Caching

CONSTANTS
    Instances, \* instances of the vertex
    Home,      \* instance of each flow before its first move
    Alone,     \* the split gives all users of an object to one instance
    Moves      \* what the operator asks for, in this order: a flow, and whereto

Epochs == 0 .. Len(Moves)
NoEpoch == Len(Moves) + 1
Nobody == "nobody"
Unknown == Len(Packets) + 1  \* where a tenure begins, until the manager has said it
Framework == {"root", "store", "manager", "sink"}

ASSUME /\ Instances \cap (Framework \cup {Nobody}) = {}
       /\ Home \in [Flows -> Instances]
       /\ Alone \in BOOLEAN
       /\ Alone => \A f, g \in Flows : KeyOfFlow(f) = KeyOfFlow(g) => Home[f] = Home[g]
       /\ Moves \in Seq([flow : Flows, to : Instances])

(***************************************************************************)
(* Rules that a bounded instance may drop, besides those of Caching.       *)
(***************************************************************************)
GiveCachesUp == TRUE  \* CACHE-4: before a flow moves, nobody serves from a cache any more

VARIABLES
    channel,   \* what is under way from everybody to everybody, oldest first
    arrived,   \* packets that have come: 1 .. arrived are their clocks (ROOT-1)
    log,       \* root: what it knows of each packet that it has logged
    route,     \* root: tenures of each flow, oldest first: instance and first clock
    gate,      \* root: what waits until the manager has said where a tenure begins
    node,      \* NF instances; see Node
    owner,     \* store: instance and epoch that owns each flow
    parked,    \* store: requests of later epochs, by flow, in the order of coming
    raised,    \* store: packets that have raised each object, in order
    noted,     \* store: what each packet's read has returned (DUP-2)
    readers,   \* store: instances that keep a copy of the object that is read mostly
    asked,     \* moves that the operator has asked for
    target,    \* manager: instances that each flow was moved to
    begun,     \* manager: first clock of each of these tenures, as far as it is known
    underWay,  \* manager: epochs of each flow that the old instance has not ended
    wishes,    \* manager: moves that wait
    caching,   \* manager: what it has told instances last: whether they are alone
    awaited,   \* manager: instances that have not said yet that they know
    drain,     \* manager: number of the newest question whether all has reached the store
    draining,  \* manager: instances whose answer to it has not come
    passed,    \* sink: epochs of each flow for which the mark "passed" has come
    held,      \* sink: outputs that are held back, in the order of coming
    delivered  \* sink: outputs that have left the chain, in order

root == <<arrived, log, route, gate>>
store == <<owner, parked, raised, noted, readers>>
moving == <<target, begun, underWay, wishes>>
aboutCaches == <<caching, awaited, drain, draining>>
manager == <<asked, moving, aboutCaches>>
sink == <<passed, held, delivered>>
vars == <<channel, root, node, store, manager, sink>>

-----------------------------------------------------------------------------
(* Sequences, functions and places *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
Max(S) == CHOOSE x \in S : \A y \in S : y <= x
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

Addresses == Instances \cup Framework
Receivers == [x \in Addresses |->
                CASE x \in Instances -> Framework
                  [] x = "root" -> Instances \cup {"manager"}
                  [] x = "store" -> Instances \cup {"root", "manager"}
                  [] x = "manager" -> Instances \cup {"root"}
                  [] x = "sink" -> {}]

-----------------------------------------------------------------------------
(* Messages *)

Packet(k, e) == [type |-> "packet", flow |-> Packets[k], clock |-> k, epoch |-> e]
LastMark(f, e) == [type |-> "last", flow |-> f, epoch |-> e]
Deleted(k) == [type |-> "deleted", clock |-> k]
Delete(k) == [type |-> "delete", clock |-> k]
Acquire(i, f, e) == [type |-> "acquire", source |-> i, flow |-> f, epoch |-> e]
Release(i, f, e) == [type |-> "release", source |-> i, flow |-> f, epoch |-> e]
Granted(f, e) == [type |-> "granted", flow |-> f, epoch |-> e]
Committed(k) == [type |-> "committed", clock |-> k]
HandedOver(f, e) == [type |-> "handed", flow |-> f, epoch |-> e]
Output(k, e, x) ==
    [type |-> "output", flow |-> Packets[k], clock |-> k, epoch |-> e, shown |-> x]
Passed(f, e) == [type |-> "passed", flow |-> f, epoch |-> e]
Begin(f, e, k) == [type |-> "begin", flow |-> f, epoch |-> e, clock |-> k]
Move(f, e, i) == [type |-> "move", flow |-> f, epoch |-> e, to |-> i]
Since(f, e, k) == [type |-> "since", flow |-> f, epoch |-> e, clock |-> k]
Cache(alone) == [type |-> "cache", alone |-> alone]  \* what may be cached from now on
Known(alone) == [type |-> "known", alone |-> alone]
Drain(n) == [type |-> "drain", number |-> n]
Drained(i, n) == [type |-> "drained", instance |-> i, number |-> n]

DataItem == [type : {"packet"}, flow : Flows, clock : Clocks, epoch : Epochs]
            \cup [type : {"last"}, flow : Flows, epoch : Epochs]
Request == [type : {"acquire", "release"}, source : Instances, flow : Flows, epoch : Epochs]
Leaving == [type : {"output"}, flow : Flows, clock : Clocks, epoch : Epochs, shown : Numbers]

Message ==
    DataItem \cup Request \cup Leaving \cup Applies({0}) \cup Answers
    \cup [type : {"delete", "deleted", "committed"}, clock : Clocks]
    \cup [type : {"granted", "handed", "passed"}, flow : Flows, epoch : Epochs]
    \cup [type : {"begin", "since"}, flow : Flows, epoch : Epochs, clock : Clocks]
    \cup [type : {"move"}, flow : Flows, epoch : Epochs, to : Instances]
    \cup [type : {"cache", "known"}, alone : BOOLEAN]
    \cup [type : {"drain"}, number : Epochs]
    \cup [type : {"drained"}, instance : Instances, number : Epochs]

-----------------------------------------------------------------------------
(***************************************************************************)
(* What waits at the root's gate: packets without an epoch yet, and marks  *)
(* for an instance.                                                        *)
(***************************************************************************)
Copy(k) == [type |-> "copy", clock |-> k]
MarkFor(i, f, e) == [type |-> "mark", to |-> i, flow |-> f, epoch |-> e]
GateItem == [type : {"copy"}, clock : Clocks]
            \cup [type : {"mark"}, to : Instances, flow : Flows, epoch : Epochs]

Entry == [ended : BOOLEAN,      \* the delete has come
          committed : BOOLEAN]  \* the store has the packet's update

(***************************************************************************)
(* An NF instance, with the queue before it.  It works on one packet at a  *)
(* time: that in work waits for the store's result, or has been processed, *)
(* and waits for the answer to its delete (REC-2).                         *)
(***************************************************************************)
Idle == [for |-> "nothing", clock |-> 0, epoch |-> 0, shown |-> 0]

Node == [work : [for : {"nothing", "result", "delete"}, clock : Numbers, epoch : Epochs,
                 shown : Numbers],
         ready : Seq(DataItem),                          \* items whose flow has just come
         queue : Seq(DataItem),                          \* items not yet looked at
         blocked : [Flows -> [Epochs -> Seq(DataItem)]], \* items that wait for their flow
         owned : [Flows -> Epochs \cup {NoEpoch}],
         client : Client({0}, [to : Framework, message : Message])]

TypeOK ==
    /\ DOMAIN channel = Addresses
    /\ \A x \in Addresses : channel[x] \in [Receivers[x] -> Seq(Message)]
    /\ arrived \in Numbers
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in Entry
    /\ route \in [Flows -> Seq([instance : Instances, since : {0, Unknown} \cup Clocks])]
    /\ gate \in Seq(GateItem)
    /\ node \in [Instances -> Node]
    /\ owner \in [Flows -> [instance : Instances \cup {Nobody}, epoch : Epochs]]
    /\ parked \in [Flows -> Seq(Request)]
    /\ raised \in [Keys -> Seq(Clocks)]
    /\ DOMAIN noted \subseteq 1 .. arrived
    /\ \A k \in DOMAIN noted : noted[k] \in Numbers
    /\ readers \subseteq Instances
    /\ asked \in 0 .. Len(Moves)
    /\ target \in [Flows -> Seq(Instances)]
    /\ begun \in [Flows -> Seq(Clocks)]
    /\ underWay \in [Flows -> SUBSET Epochs]
    /\ wishes \in Seq([flow : Flows, to : Instances])
    /\ caching \in BOOLEAN
    /\ awaited \subseteq Instances
    /\ drain \in Epochs
    /\ draining \subseteq Instances
    /\ passed \in [Flows -> SUBSET Epochs]
    /\ held \in Seq(Leaving)
    /\ delivered \in Seq(Leaving)

Init ==
    /\ channel = [x \in Addresses |-> [y \in Receivers[x] |-> <<>>]]
    /\ arrived = 0
    /\ log = <<>>
    /\ route = [f \in Flows |-> <<[instance |-> Home[f], since |-> 0]>>]
    /\ gate = <<>>
    /\ node = [i \in Instances |->
                 [work |-> Idle, ready |-> <<>>, queue |-> <<>>,
                  blocked |-> [f \in Flows |-> [e \in Epochs |-> <<>>]],
                  owned |-> [f \in Flows |-> NoEpoch],
                  client |-> NewClient(0, Alone)]]
    /\ owner = [f \in Flows |-> [instance |-> Nobody, epoch |-> 0]]
    /\ parked = [f \in Flows |-> <<>>]
    /\ raised = [key \in Keys |-> <<>>]
    /\ noted = <<>>
    /\ readers = {}
    /\ asked = 0
    /\ target = [f \in Flows |-> <<>>]
    /\ begun = [f \in Flows |-> <<>>]
    /\ underWay = [f \in Flows |-> {}]
    /\ wishes = <<>>
    /\ caching = Alone
    /\ awaited = {}
    /\ drain = 0
    /\ draining = {}
    /\ passed = [f \in Flows |-> {}]
    /\ held = <<>>
    /\ delivered = <<>>

-----------------------------------------------------------------------------
(* Channels *)

Comes(x, y, type) == channel[x][y] # <<>> /\ Head(channel[x][y]).type = type

SendFrom(y, effects) ==  \* without having been told to
    channel' = [channel EXCEPT ![y] = [z \in DOMAIN @ |-> @[z] \o MessagesTo(z, effects)]]

TakeAndSend(x, y, effects) ==  \* y takes the oldest message from x
    channel' = [channel EXCEPT
                  ![x][y] = Tail(@),
                  ![y] = [z \in DOMAIN @ |-> @[z] \o MessagesTo(z, effects)]]

ToEach(S, m) ==  \* the effects of telling several the same
    LET RECURSIVE Tell(_)
        Tell(rest) == IF rest = {} THEN <<>>
                      ELSE LET i == CHOOSE i \in rest : TRUE
                           IN  <<To(i, m)>> \o Tell(rest \ {i})
    IN  Tell(S)

-----------------------------------------------------------------------------
(* Root: its splitter *)

(***************************************************************************)
(* MOVE-5: a packet belongs to the newest tenure that has begun by its     *)
(* clock.  MOVE-1: its epoch is the mark "first".                          *)
(***************************************************************************)
TenureOf(tenures, k) ==
    Max({n \in 1 .. Len(tenures) : tenures[n].since # Unknown /\ tenures[n].since <= k})

(***************************************************************************)
(* A splitter s is its routes, its gate, and what it sends.  It passes an  *)
(* item on; but the first packet of a tenure has to wait until the manager *)
(* has its clock, and whatever comes behind waits with it: no mark may     *)
(* overtake a packet.                                                      *)
(***************************************************************************)
Splitter == [route |-> route, gate |-> gate, out |-> <<>>]

Pass(s, item) ==
    IF s.gate # <<>> THEN [s EXCEPT !.gate = Append(@, item)]
    ELSE IF item.type = "mark"
    THEN [s EXCEPT !.out = Append(@, To(item.to, LastMark(item.flow, item.epoch)))]
    ELSE LET k == item.clock
             f == Packets[k]
             newest == Len(s.route[f])
             n == TenureOf(s.route[f], k)
         IN  IF s.route[f][newest].since = Unknown
             THEN [s EXCEPT !.gate = <<item>>,
                            !.out = Append(@, To("manager", Begin(f, newest - 1, k)))]
             ELSE [s EXCEPT !.out = Append(@, To(s.route[f][n].instance, Packet(k, n - 1)))]

RECURSIVE PassAll(_, _)
PassAll(s, items) ==
    IF items = <<>> THEN s ELSE PassAll(Pass(s, Head(items)), Tail(items))

Becomes(s) == route' = s.route /\ gate' = s.gate

\* ROOT-1, ROOT-2: a packet gets its clock, and is logged before it is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ log' = With(log, arrived + 1, [ended |-> FALSE, committed |-> FALSE])
    /\ LET s == Pass(Splitter, Copy(arrived + 1)) IN Becomes(s) /\ SendFrom("root", s.out)
    /\ UNCHANGED <<node, store, manager, sink>>

\* MOVE-1, the mark "last": a message of its own, behind the flow's last packet.
RootTakesMove ==
    /\ Comes("manager", "root", "move")
    /\ LET m == Head(channel["manager"]["root"])
           old == route[m.flow][Len(route[m.flow])].instance
           moved == [Splitter EXCEPT !.route[m.flow] =
                       Append(@, [instance |-> m.to, since |-> Unknown])]
           s == Pass(moved, MarkFor(old, m.flow, m.epoch))
       IN  Becomes(s) /\ TakeAndSend("manager", "root", s.out)
    /\ UNCHANGED <<arrived, log, node, store, manager, sink>>

\* MOVE-5: the tenures up to this epoch begin with this clock; the gate opens.
RootTakesSince ==
    /\ Comes("manager", "root", "since")
    /\ LET m == Head(channel["manager"]["root"])
           tenures == [n \in 1 .. Len(route[m.flow]) |->
                         IF n <= m.epoch + 1 /\ route[m.flow][n].since = Unknown
                         THEN [route[m.flow][n] EXCEPT !.since = m.clock]
                         ELSE route[m.flow][n]]
           s == PassAll([Splitter EXCEPT !.route[m.flow] = tenures, !.gate = <<>>], gate)
       IN  Becomes(s) /\ TakeAndSend("manager", "root", s.out)
    /\ UNCHANGED <<arrived, log, node, store, manager, sink>>

-----------------------------------------------------------------------------
(* Root: its log *)

\* DEL-3: a packet is over when its delete has come and its update is committed.
Kept(k, entry) ==  \* the log with this entry, or without it once the packet is over
    IF entry.ended /\ (Raises(k) => entry.committed) THEN Without(log, k) ELSE With(log, k, entry)

\* ROOT-3, REC-2: the packet has ended, and its sender may let it leave.
RootTakesDelete(i) ==
    /\ Comes(i, "root", "delete")
    /\ LET k == Head(channel[i]["root"]).clock
       IN  /\ log' = Kept(k, [log[k] EXCEPT !.ended = TRUE])
           /\ TakeAndSend(i, "root", <<To(i, Deleted(k))>>)
    /\ UNCHANGED <<arrived, route, gate, node, store, manager, sink>>

\* DEL-2: the store has committed an update; a signal for a packet that is over is nothing.
RootTakesCommitted ==
    /\ Comes("store", "root", "committed")
    /\ LET k == Head(channel["store"]["root"]).clock
       IN  log' = IF k \in DOMAIN log THEN Kept(k, [log[k] EXCEPT !.committed = TRUE]) ELSE log
    /\ TakeAndSend("store", "root", <<>>)
    /\ UNCHANGED <<arrived, route, gate, node, store, manager, sink>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* Instance.  In the middle of a step r.state is what becomes of it, and   *)
(* r.effects what it does, in order.                                       *)
(***************************************************************************)
Awake(i) == [self |-> i, state |-> node[i], effects |-> <<>>]
Does(r, effect) == [r EXCEPT !.effects = Append(@, effect)]

\* The packet has been processed, and leaves by way of its delete (ROOT-3, REC-2).
Finish(r, k, e, number) ==
    Does([r EXCEPT !.state.work = [for |-> "delete", clock |-> k, epoch |-> e, shown |-> number]],
         To("root", Delete(k)))

\* A packet of an owned flow: on a copy of the object, or by asking the store.
Process(r, p) ==
    LET run == RunNF(r.state.client, p.clock, TRUE)
        asks == [r EXCEPT !.state.client = run.client, !.effects = @ \o run.sent]
        work == [for |-> "result", clock |-> p.clock, epoch |-> p.epoch, shown |-> 0]
    IN  IF run.result = <<>> THEN [asks EXCEPT !.state.work = work]
        ELSE Finish(asks, p.clock, p.epoch, run.result[1])

\* MOVE-3, MOVE-4: packets that come while their flow is not here wait for it, in order; the
\* first of a tenure asks for it.
TakePacket(r, p) ==
    LET waiting == r.state.blocked[p.flow][p.epoch]
        buffered == [r EXCEPT !.state.blocked[p.flow][p.epoch] = Append(@, p)]
    IN  IF waiting # <<>> THEN buffered
        ELSE IF r.state.owned[p.flow] = p.epoch THEN Process(r, p)
        ELSE Does(buffered, To("store", Acquire(r.self, p.flow, p.epoch)))

\* MOVE-2, MOVE-6: the tenure before the mark's epoch is over.
HandOver(r, m) ==
    [r EXCEPT !.state.owned[m.flow] = NoEpoch,
              !.effects = @ \o <<To("store", Release(r.self, m.flow, m.epoch)),
                                 To("manager", HandedOver(m.flow, m.epoch)),
                                 To("sink", Passed(m.flow, m.epoch))>>]

\* MOVE-2: packets of that tenure may still wait, and go first.
TakeLast(r, m) ==
    IF r.state.blocked[m.flow][m.epoch - 1] # <<>>
    THEN [r EXCEPT !.state.blocked[m.flow][m.epoch - 1] = Append(@, m)]
    ELSE HandOver(r, m)

Take(r, item) == IF item.type = "packet" THEN TakePacket(r, item) ELSE TakeLast(r, item)

RECURSIVE WorkOn(_)
WorkOn(r) ==  \* until a packet is in work, or nothing is left to do
    IF r.state.work # Idle THEN r
    ELSE IF r.state.ready # <<>>
    THEN WorkOn(Take([r EXCEPT !.state.ready = Tail(@)], Head(r.state.ready)))
    ELSE IF r.state.queue # <<>>
    THEN WorkOn(Take([r EXCEPT !.state.queue = Tail(@)], Head(r.state.queue)))
    ELSE r

\* Instance i has taken a message from x, and has become r.
GoesOn(x, i, r) ==
    LET worked == WorkOn(r)
        done == LetOut(worked.state.client, worked.effects)
    IN  /\ node' = [node EXCEPT ![i] = [worked.state EXCEPT !.client = done.client]]
        /\ TakeAndSend(x, i, done.out)
        /\ UNCHANGED <<root, store, manager, sink>>

InstanceTakesItem(i) ==  \* QUEUE-1: the instance polls its queue when it has nothing to do
    GoesOn("root", i, [Awake(i) EXCEPT !.state.queue = Append(@, Head(channel["root"][i]))])

InstanceTakesPacket(i) == Comes("root", i, "packet") /\ InstanceTakesItem(i)
InstanceTakesLastMark(i) == Comes("root", i, "last") /\ InstanceTakesItem(i)

\* REC-2: the root has the delete of the packet in work, which leaves.
\* MOVE-6: the epoch of the tenure that it was processed in goes with it.
InstanceTakesDeleted(i) ==
    /\ Comes("root", i, "deleted")
    /\ LET w == node[i].work
       IN  GoesOn("root", i, Does([Awake(i) EXCEPT !.state.work = Idle],
                                  To("sink", Output(w.clock, w.epoch, w.shown))))

\* MOVE-4: the flow is granted, and what waited for it may be worked off.
InstanceTakesGranted(i) ==
    /\ Comes("store", i, "granted")
    /\ LET g == Head(channel["store"][i])
       IN  GoesOn("store", i, [Awake(i) EXCEPT
                                 !.state.owned[g.flow] = g.epoch,
                                 !.state.ready = @ \o node[i].blocked[g.flow][g.epoch],
                                 !.state.blocked[g.flow][g.epoch] = <<>>])

\* An answer for the packet in work, or one that confirms what a copy has served.
InstanceTakesResult(i) ==
    /\ Comes("store", i, "result")
    /\ LET m == Head(channel["store"][i])
           w == node[i].work
           r == [Awake(i) EXCEPT !.state.client = OnResult(@, m)]
       IN  GoesOn("store", i, IF w.for = "result" /\ w.clock = m.clock
                              THEN Finish(r, w.clock, w.epoch, m.value) ELSE r)

\* CACHE-3: the new value of an object that is copied here.
InstanceTakesCallback(i) ==
    /\ Comes("store", i, "callback")
    /\ GoesOn("store", i, [Awake(i) EXCEPT
                             !.state.client = OnCallback(@, Head(channel["store"][i]))])

\* CACHE-4: caches are given up, or may begin again.
InstanceTakesCache(i) ==
    /\ Comes("manager", i, "cache")
    /\ LET alone == Head(channel["manager"][i]).alone
       IN  GoesOn("manager", i, Does([Awake(i) EXCEPT !.state.client = OnCache(@, alone)],
                                     To("manager", Known(alone))))

\* CACHE-4: what the store tells then has come behind all that was sent to it.
InstanceTakesDrain(i) ==
    /\ Comes("manager", i, "drain")
    /\ GoesOn("manager", i, Does(Awake(i), To("store",
                                   Drained(i, Head(channel["manager"][i]).number))))

-----------------------------------------------------------------------------
(* Store *)

(***************************************************************************)
(* STORE-4: an update is made, and has its place in the one order of all.  *)
(* CACHE-3: everybody who keeps a copy is told of the new value, before    *)
(* the updater has its answer.  DEL-2: the root is told.  A read that a    *)
(* copy has served is on record as it was served.                          *)
(***************************************************************************)
StoreTakesApply(i) ==
    /\ Comes(i, "store", "apply")
    /\ LET u == Head(channel[i]["store"])
           key == KeyOf(u.clock)
           raises == u.op = "raise"
           value == Len(raised[key]) + IF raises THEN 1 ELSE 0
           result == IF u.op = "read" /\ u.seen # <<>> THEN u.seen[1] ELSE value
           copy == IF u.register THEN <<value>> ELSE <<>>
           told == IF raises /\ CallBack THEN ToEach(readers, Callback(key, value)) ELSE <<>>
           waits == Kind = "hot" \/ u.op = "read"
           answer == IF waits THEN <<To(i, Result(u.clock, result, copy))>> ELSE <<>>
           signal == IF raises THEN <<To("root", Committed(u.clock))>> ELSE <<>>
       IN  /\ raised' = IF raises THEN [raised EXCEPT ![key] = Append(@, u.clock)] ELSE raised
           /\ noted' = IF raises THEN noted ELSE With(noted, u.clock, result)
           /\ readers' = IF u.register /\ Kind = "limit" THEN readers \cup {i} ELSE readers
           /\ TakeAndSend(i, "store", told \o answer \o signal)
    /\ UNCHANGED <<root, node, owner, parked, manager, sink>>

\* MOVE-2, MOVE-3: tenures end and begin in order, whoever speaks first.
MustWait(r, o) == r.epoch > IF r.type = "acquire" THEN o.epoch ELSE o.epoch + 1

OwnerAfter(r, o) ==
    IF r.type = "acquire" THEN [instance |-> r.source, epoch |-> r.epoch]
    ELSE IF r.epoch = o.epoch + 1 /\ o.instance \in {Nobody, r.source}
    THEN [instance |-> Nobody, epoch |-> r.epoch]
    ELSE o

(***************************************************************************)
(* Serve requests for one flow, in order.  One that must wait is parked    *)
(* (MOVE-3); when another epoch begins, all that is parked is looked at    *)
(* once more (MOVE-4).  s has the flow's owner, what is parked, and the    *)
(* grants.                                                                 *)
(***************************************************************************)
RECURSIVE Serve(_, _)
Serve(s, requests) ==
    IF requests = <<>> THEN s
    ELSE LET r == Head(requests)
             after == OwnerAfter(r, s.owner)
             grants == IF r.type = "acquire"
                       THEN Append(s.grants, To(r.source, Granted(r.flow, r.epoch)))
                       ELSE s.grants
         IN  IF MustWait(r, s.owner)
             THEN Serve([s EXCEPT !.parked = Append(@, r)], Tail(requests))
             ELSE IF after.epoch = s.owner.epoch
             THEN Serve([s EXCEPT !.owner = after, !.grants = grants], Tail(requests))
             ELSE Serve([owner |-> after, grants |-> grants, parked |-> <<>>],
                        Tail(requests) \o s.parked)

StoreTakesRequest(i) ==
    /\ LET r == Head(channel[i]["store"])
           f == r.flow
           s == Serve([owner |-> owner[f], parked |-> parked[f], grants |-> <<>>], <<r>>)
       IN  /\ owner' = [owner EXCEPT ![f] = s.owner]
           /\ parked' = [parked EXCEPT ![f] = s.parked]
           /\ TakeAndSend(i, "store", s.grants)
    /\ UNCHANGED <<root, node, raised, noted, readers, manager, sink>>

StoreTakesAcquire(i) == Comes(i, "store", "acquire") /\ StoreTakesRequest(i)
StoreTakesRelease(i) == Comes(i, "store", "release") /\ StoreTakesRequest(i)

StoreTakesDrained(i) ==
    /\ Comes(i, "store", "drained")
    /\ TakeAndSend(i, "store", <<To("manager", Head(channel[i]["store"]))>>)
    /\ UNCHANGED <<root, node, store, manager, sink>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* Manager.  In the middle of a step m is its state, with what it sends.   *)
(***************************************************************************)
Managing == [target |-> target, underWay |-> underWay, wishes |-> wishes, caching |-> caching,
             awaited |-> awaited, drain |-> drain, draining |-> draining, out |-> <<>>]

Manages(m) ==
    /\ target' = m.target /\ underWay' = m.underWay /\ wishes' = m.wishes
    /\ caching' = m.caching /\ awaited' = m.awaited
    /\ drain' = m.drain /\ draining' = m.draining

PlaceOf(m, f) == IF m.target[f] = <<>> THEN Home[f] ELSE m.target[f][Len(m.target[f])]

\* CACHE-4: tell all instances what they may cache from now on.
SetCaching(m, alone) ==
    [m EXCEPT !.caching = alone, !.awaited = Instances,
              !.out = @ \o ToEach(Instances, Cache(alone))]

BeginMove(m, w) ==
    LET e == Len(m.target[w.flow]) + 1
    IN  [m EXCEPT !.target[w.flow] = Append(@, w.to),
                  !.underWay[w.flow] = @ \cup {e},
                  !.out = Append(@, To("root", Move(w.flow, e, w.to)))]

(***************************************************************************)
(* Of the moves that the operator wants, begin those that may begin, in    *)
(* the order of asking for each flow.  One to where the flow is already is *)
(* none.  CACHE-4: if there are caches, they are given up first, and the   *)
(* move waits until all instances have said that they know.                *)
(***************************************************************************)
RECURSIVE BeginMoves(_, _)
BeginMoves(m, wanted) ==
    IF wanted = <<>> THEN m
    ELSE LET w == Head(wanted)
             behind == \E n \in 1 .. Len(m.wishes) : m.wishes[n].flow = w.flow
             isThere == ~behind /\ w.to = PlaceOf(m, w.flow)
             without == IF GiveCachesUp /\ m.caching THEN SetCaching(m, FALSE) ELSE m
             next == IF isThere THEN m
                     ELSE IF behind \/ without.awaited # {}
                     THEN [without EXCEPT !.wishes = Append(@, w)]
                     ELSE BeginMove(without, w)
         IN  BeginMoves(next, Tail(wanted))

BeginWhatMay(m) == BeginMoves([m EXCEPT !.wishes = <<>>], m.wishes)

\* CACHE-4: the split is what it was at first, and no move is under way, or wanted.
IsAloneAgain(m) ==
    /\ m.caching # Alone
    /\ m.wishes = <<>>
    /\ \A f \in Flows : m.underWay[f] = {} /\ PlaceOf(m, f) = Home[f]

AskWhetherDrained(m) ==
    IF ~IsAloneAgain(m) THEN m
    ELSE [m EXCEPT !.drain = @ + 1, !.draining = Instances,
                   !.out = @ \o ToEach(Instances, Drain(m.drain + 1))]

AskMove ==
    /\ asked < Len(Moves)
    /\ asked' = asked + 1
    /\ LET m == BeginWhatMay([Managing EXCEPT !.wishes = Append(@, Moves[asked + 1])])
       IN  Manages(m) /\ SendFrom("manager", m.out)
    /\ UNCHANGED <<root, node, store, begun, sink>>

\* MOVE-5: where a tenure begins is said once, for all tenures that have not begun.
ManagerTakesBegin ==
    /\ Comes("root", "manager", "begin")
    /\ LET b == Head(channel["root"]["manager"])
           new == b.epoch - Len(begun[b.flow])
           known == begun[b.flow] \o [n \in 1 .. new |-> b.clock]
       IN  /\ begun' = [begun EXCEPT ![b.flow] = known]
           /\ TakeAndSend("root", "manager",
                          <<To("root", Since(b.flow, b.epoch, known[b.epoch]))>>)
    /\ UNCHANGED <<root, node, store, asked, target, underWay, wishes, aboutCaches, sink>>

ManagerTakesHandedOver(i) ==
    /\ Comes(i, "manager", "handed")
    /\ LET h == Head(channel[i]["manager"])
           ended == [Managing EXCEPT !.underWay[h.flow] = @ \ {h.epoch}]
           m == AskWhetherDrained(BeginWhatMay(ended))
       IN  Manages(m) /\ TakeAndSend(i, "manager", m.out)
    /\ UNCHANGED <<root, node, store, asked, begun, sink>>

\* CACHE-4: when all instances know, moves may begin; an answer to an earlier order says nothing.
ManagerTakesKnown(i) ==
    /\ Comes(i, "manager", "known")
    /\ LET isAnswer == Head(channel[i]["manager"]).alone = caching /\ i \in awaited
           heard == [Managing EXCEPT !.awaited = @ \ {i}]
           m == IF ~isAnswer THEN Managing
                ELSE IF heard.awaited = {} THEN BeginWhatMay(heard)
                ELSE heard
       IN  Manages(m) /\ TakeAndSend(i, "manager", m.out)
    /\ UNCHANGED <<root, node, store, asked, begun, sink>>

\* CACHE-4: the store has all that any instance had sent; caches begin again, unless a flow is
\* to move, or has moved, meanwhile.
ManagerTakesDrained ==
    /\ Comes("store", "manager", "drained")
    /\ LET d == Head(channel["store"]["manager"])
           isAnswer == d.number = drain /\ d.instance \in draining
           heard == [Managing EXCEPT !.draining = @ \ {d.instance}]
           m == IF ~isAnswer THEN Managing
                ELSE IF heard.draining = {} /\ IsAloneAgain(heard) THEN SetCaching(heard, Alone)
                ELSE heard
       IN  Manages(m) /\ TakeAndSend("store", "manager", m.out)
    /\ UNCHANGED <<root, node, store, asked, begun, sink>>

-----------------------------------------------------------------------------
(* Sink: the queue behind the vertex *)

\* MOVE-6: an output of epoch e leaves when all earlier tenures have passed.
MayPass(marks, e) == \A d \in 1 .. e : d \in marks

RECURSIVE InTenureOrder(_, _)
InTenureOrder(outputs, n) ==  \* those of epochs up to n
    LET is(o) == o.epoch = n
    IN  IF n < 0 THEN <<>> ELSE InTenureOrder(outputs, n - 1) \o SelectSeq(outputs, is)

\* MOVE-6: an output leaves, or is held back while earlier ones may still come.
SinkTakesOutput(i) ==
    /\ Comes(i, "sink", "output")
    /\ LET o == Head(channel[i]["sink"])
       IN  IF MayPass(passed[o.flow], o.epoch)
           THEN delivered' = Append(delivered, o) /\ UNCHANGED held
           ELSE held' = Append(held, o) /\ UNCHANGED delivered
    /\ TakeAndSend(i, "sink", <<>>)
    /\ UNCHANGED <<root, node, store, manager, passed>>

\* MOVE-6: a tenure has passed; what waited for it alone follows.
SinkTakesPassed(i) ==
    /\ Comes(i, "sink", "passed")
    /\ LET m == Head(channel[i]["sink"])
           marks == [passed EXCEPT ![m.flow] = @ \cup {m.epoch}]
           sorted == InTenureOrder(held, Len(Moves))
           isFree(o) == MayPass(marks[o.flow], o.epoch)
           isHeld(o) == ~isFree(o)
       IN  /\ passed' = marks
           /\ delivered' = delivered \o SelectSeq(sorted, isFree)
           /\ held' = SelectSeq(sorted, isHeld)
    /\ TakeAndSend(i, "sink", <<>>)
    /\ UNCHANGED <<root, node, store, manager>>

-----------------------------------------------------------------------------
FromOutside == Arrive \/ AskMove

AtRoot == RootTakesMove \/ RootTakesSince \/ RootTakesCommitted
AtManager == ManagerTakesBegin \/ ManagerTakesDrained
At(i) ==  \* what instance i does, or is the source of
    \/ InstanceTakesPacket(i) \/ InstanceTakesLastMark(i) \/ InstanceTakesDeleted(i)
    \/ InstanceTakesGranted(i) \/ InstanceTakesResult(i) \/ InstanceTakesCallback(i)
    \/ InstanceTakesCache(i) \/ InstanceTakesDrain(i)
    \/ RootTakesDelete(i)
    \/ StoreTakesApply(i) \/ StoreTakesAcquire(i) \/ StoreTakesRelease(i) \/ StoreTakesDrained(i)
    \/ ManagerTakesHandedOver(i) \/ ManagerTakesKnown(i)
    \/ SinkTakesOutput(i) \/ SinkTakesPassed(i)

Inside == AtRoot \/ AtManager \/ \E i \in Instances : At(i)

Next == FromOutside \/ Inside

\* Nothing is under way; instances have no timers here.
AtRest == \A x \in Addresses : \A y \in Receivers[x] : channel[x][y] = <<>>

(***************************************************************************)
(* As long as anything can be done inside, something is: WF_vars(Inside),  *)
(* written out as in Reallocation.  Packets and wishes need not come.      *)
(***************************************************************************)
Fairness == []<>AtRest \/ []<><<Inside>>_vars

InsideIsEnabled == AtRest <=> ~ENABLED <<Inside>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

=============================================================================
