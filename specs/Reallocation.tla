----------------------------- MODULE Reallocation -----------------------------
(***************************************************************************)
(* One vertex with several instances, and everything around it that takes  *)
(* part when its flows are moved: root, store, manager and sink.           *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.1 and Figure 4.               *)
(* Clauses: COE, CHAIN-3, ROOT-1 to ROOT-3, QUEUE-1, MOVE-1 to MOVE-6,     *)
(* STORE-2, STORE-4, STORE-5, CACHE-1, CACHE-2, DEL-1 to DEL-3, REC-2,     *)
(* LIVE.                                                                   *)
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
(* The vertex may be scaled once: further instances, which stood by, take  *)
(* part in it, and some flows have another home.  A flow may be at its old *)
(* one: its next packet waits at the root, which asks.  The manager says   *)
(* that the flow begins at the old home, and moves it, like any other.     *)
(*                                                                         *)
(* A step is what one component does at once: it takes the oldest message  *)
(* of one channel, or a timer fires, and it goes on as far as it can.      *)
(* These are the steps of the Python core: the state graphs are equal.     *)
(*                                                                         *)
(* Left out: failures, replay, cached shared objects, several splitters,   *)
(* several scalings, and those that give instances up.                     *)
(***************************************************************************)
EXTENDS Vertex, FiniteSets

CONSTANTS
    Instances, \* instances of the vertex
    Home,      \* instance of each flow before its first move
    Moves,     \* what the operator asks for, in this order: a flow, and whereto; or a
               \* scaling: the home that each flow has from now on
    Eager      \* flush after each packet (TRUE), or when the flush timer fires

Epochs == 0 .. Len(Moves)
Nobody == "nobody"
Unknown == Len(Packets) + 1  \* where a tenure begins, until the manager has said it

IsScaling(wish) == "home" \in DOMAIN wish
Scalings == {n \in 1 .. Len(Moves) : IsScaling(Moves[n])}
NewHome == IF Scalings = {} THEN Home ELSE Moves[CHOOSE n \in Scalings : TRUE].home

ASSUME /\ Nobody \notin Instances
       /\ Home \in [Flows -> Instances]
       /\ Moves \in Seq([flow : Flows, to : Instances] \cup [home : [Flows -> Instances]])
       /\ Cardinality(Scalings) <= 1
       /\ Eager \in BOOLEAN

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT MarkLast <- Dropped.  So it may change the operators Buffered, *)
(* Counting, MayPass and InTenureOrder, which are rules too.               *)
(***************************************************************************)
Dropped == FALSE

MarkLast == TRUE            \* MOVE-1: the old instance is told that a flow leaves
AskWhereItBegins == TRUE    \* MOVE-5: the manager fixes where a tenure begins
AskWhereItIs == TRUE        \* CHAIN-3, MOVE-5: a flow with a new home may be at its old one
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
    route,        \* root: tenures of each flow, oldest first: instance and first clock; none
                  \* of a flow that was never moved, and of which the manager has said nothing
    scaled,       \* root: whether it knows of the scaling
    gate,         \* root: what waits until the manager has said where a tenure, or a flow, begins
    node,         \* NF instances; see Node
    owner,        \* store: instance and epoch that owns each flow
    parked,       \* store: requests of later epochs, by flow, in the order of coming
    applied,      \* store: packets applied to each flow's object, in order
    counted,      \* store: packets applied to the object that all flows share, in order
    target,       \* manager: instances that each flow was moved to
    begun,        \* manager: first clock of each of these tenures, as far as it is known
    underWay,     \* manager: epochs of each flow that the old instance has not ended
    told,         \* manager: flows of which it has said, after the scaling, where they begin
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

root == <<arrived, log, route, scaled, gate>>
store == <<owner, parked, applied, counted>>
manager == <<asked, target, begun, underWay, told>>
sink == <<passed, held, delivered>>
fromInstance == <<toRoot, toStore, toManager, toSink>>
aboutMoves == <<questions, orders>>
vars == <<root, node, store, manager, sink, toInstance, fromInstance, fromStore,
          commits, aboutMoves>>

-----------------------------------------------------------------------------
(* Sequences *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]
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
Acquire(i, p) ==
    [type |-> "acquire", source |-> i, flow |-> p.flow, epoch |-> p.epoch, clock |-> p.clock]
Release(i, f, e) == [type |-> "release", source |-> i, flow |-> f, epoch |-> e]
Apply(k, o) == [type |-> "apply", clock |-> k, object |-> o]
Granted(r, owned, v, latest) ==
    [flow |-> r.flow, epoch |-> r.epoch, clock |-> r.clock, owned |-> owned, value |-> v,
     latest |-> latest]
Loaded(p, g) == [type |-> "loaded", packet |-> p, owned |-> g.owned, value |-> g.value]
Committed(k, o) == [type |-> "committed", clock |-> k, object |-> o]
HandedOver(f, e) == [flow |-> f, epoch |-> e]
Output(k, e, x) ==
    [type |-> "output", flow |-> Packets[k], clock |-> k, epoch |-> e, shown |-> x]
Passed(f, e) == [type |-> "passed", flow |-> f, epoch |-> e]
Begin(f, e, k) == [type |-> "begin", flow |-> f, epoch |-> e, clock |-> k]
Move(f, e, i) == [type |-> "move", flow |-> f, epoch |-> e, to |-> i]
Since(f, e, k) == [type |-> "since", flow |-> f, epoch |-> e, clock |-> k]
Scale == [type |-> "scale"]
ScaleKnown == [type |-> "scaled"]
Unrouted(f) == [type |-> "unrouted", flow |-> f]
Route(f) == [type |-> "route", flow |-> f]  \* it begins at its first home

DataItem == [type : {"packet"}, flow : Flows, clock : Clocks, epoch : Epochs]
            \cup [type : {"last"}, flow : Flows, epoch : Epochs]
LoadedItem == [type : {"loaded"}, packet : DataItem, owned : BOOLEAN, value : Values]
Request == [type : {"acquire"}, source : Instances, flow : Flows, epoch : Epochs, clock : Clocks]
           \cup [type : {"release"}, source : Instances, flow : Flows, epoch : Epochs]
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
(* What waits for a flow is kept by tenure, in the order of coming, under  *)
(* the flow and the epoch, as long as the flow is asked for, or a packet   *)
(* of it is processed on a value that came for that packet alone.          *)
(***************************************************************************)
Idle == [clock |-> 0, epoch |-> 0, before |-> ValueOf(<<>>), shown |-> 0]
NotOwned == [epoch |-> Len(Moves) + 1, value |-> ValueOf(<<>>)]

Node == [work : [clock : 0 .. Len(Packets), epoch : Epochs,
                 before : Values,                        \* the value that it was processed on
                 shown : 0 .. Len(Packets)],             \* and what it carries away
         ready : Seq(DataItem \cup LoadedItem),          \* items whose flow has just come
         queue : Seq(DataItem),                          \* items not yet looked at
         owned : [Flows -> [epoch : Epochs \cup {Len(Moves) + 1}, value : Values]],
         unflushed : Seq(Clocks)]                        \* updates of flows' objects
\* and the partial function blocked, on flows and epochs.

NodeOK(n) ==
    /\ [field \in DOMAIN n \ {"blocked"} |-> n[field]] \in Node
    /\ DOMAIN n.blocked \subseteq Flows \X Epochs
    /\ \A slot \in DOMAIN n.blocked : n.blocked[slot] \in Seq(DataItem)

TypeOK ==
    /\ arrived \in 0 .. Len(Packets)
    /\ asked \in 0 .. Len(Moves)
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in Entry
    /\ route \in [Flows -> Seq([instance : Instances, since : {0, Unknown} \cup Clocks])]
    /\ scaled \in BOOLEAN
    /\ gate \in Seq(GateItem)
    /\ DOMAIN node = Instances /\ \A i \in Instances : NodeOK(node[i])
    /\ owner \in [Flows -> [instance : Instances \cup {Nobody}, epoch : Epochs]]
    /\ parked \in [Flows -> Seq(Request)]
    /\ applied \in [Flows -> Seq(Clocks)]
    /\ counted \in Seq(Clocks)
    /\ target \in [Flows -> Seq(Instances)]
    /\ begun \in [Flows -> Seq(Clocks)]
    /\ underWay \in [Flows -> SUBSET Epochs]
    /\ told \subseteq Flows
    /\ passed \in [Flows -> SUBSET Epochs]
    /\ held \in Seq(Leaving)
    /\ delivered \in Seq(Leaving)
    /\ toInstance \in [Instances -> Seq(DataItem \cup [type : {"deleted"}, clock : Clocks])]
    /\ toRoot \in [Instances -> Seq([type : {"delete"}, clock : Clocks, vector : SUBSET Objects]
                                    \cup Signal)]
    /\ toStore \in [Instances -> Seq(Request \cup Update)]
    /\ fromStore \in [Instances -> Seq([flow : Flows, epoch : Epochs, clock : Clocks,
                                        owned : BOOLEAN, value : Values, latest : BOOLEAN])]
    /\ toManager \in [Instances -> Seq(ToManager)]
    /\ toSink \in [Instances -> Seq(Leaving \cup [type : {"passed"}, flow : Flows, epoch : Epochs])]
    /\ commits \in Seq(Signal)
    /\ questions \in Seq([type : {"begin"}, flow : Flows, epoch : Epochs, clock : Clocks]
                         \cup [type : {"unrouted"}, flow : Flows] \cup {ScaleKnown})
    /\ orders \in Seq([type : {"move"}, flow : Flows, epoch : Epochs, to : Instances]
                      \cup [type : {"since"}, flow : Flows, epoch : Epochs, clock : Clocks]
                      \cup [type : {"route"}, flow : Flows] \cup {Scale})

Empty == [i \in Instances |-> <<>>]

Init ==
    /\ arrived = 0
    /\ asked = 0
    /\ log = <<>>
    /\ route = [f \in Flows |-> <<>>]
    /\ scaled = FALSE
    /\ gate = <<>>
    /\ node = [i \in Instances |->
                 [work |-> Idle, ready |-> <<>>, queue |-> <<>>, blocked |-> <<>>,
                  owned |-> [f \in Flows |-> NotOwned],
                  unflushed |-> <<>>]]
    /\ owner = [f \in Flows |-> [instance |-> Nobody, epoch |-> 0]]
    /\ parked = [f \in Flows |-> <<>>]
    /\ applied = [f \in Flows |-> <<>>]
    /\ counted = <<>>
    /\ target = [f \in Flows |-> <<>>]
    /\ begun = [f \in Flows |-> <<>>]
    /\ underWay = [f \in Flows |-> {}]
    /\ told = {}
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

\* The tenures of a flow begin at its home.
StartsAt(i) == <<[instance |-> i, since |-> 0]>>
TenuresOf(routes, f) == IF routes[f] = <<>> THEN StartsAt(Home[f]) ELSE routes[f]

(***************************************************************************)
(* A splitter s is its routes, its gate, and the channels that it sends    *)
(* to.  It passes an item on; but the first packet of a tenure has to wait *)
(* until the manager has its clock, and whatever comes behind waits with   *)
(* it: no mark may overtake a packet.  CHAIN-3: so does the first packet   *)
(* after a scaling of a flow that has no route, and another home now.  One *)
(* that has a route keeps it.                                              *)
(***************************************************************************)
Splitter == [route |-> route, gate |-> gate, out |-> toInstance, questions |-> questions]

IsDivided(s, f) == scaled /\ s.route[f] = <<>>  \* by the new split
AsksWhereItIs(s, f) == IsDivided(s, f) /\ AskWhereItIs /\ NewHome[f] # Home[f]

Pass(s, item) ==
    IF s.gate # <<>> THEN [s EXCEPT !.gate = Append(@, item)]
    ELSE IF item.type = "mark"
    THEN [s EXCEPT !.out[item.to] = Append(@, LastMark(item.flow, item.epoch))]
    ELSE LET k == item.clock
             f == Packets[k]
             tenures == IF IsDivided(s, f) THEN StartsAt(NewHome[f]) ELSE TenuresOf(s.route, f)
             newest == Len(tenures)
             begins == tenures[newest].since = Unknown
             known == IF begins THEN [tenures EXCEPT ![newest].since = k] ELSE tenures
             n == TenureOf(known, k)
         IN  IF AsksWhereItIs(s, f)
             THEN [s EXCEPT !.gate = <<item>>,
                            !.questions = Append(@, Unrouted(f))]
             ELSE IF begins /\ AskWhereItBegins
             THEN [s EXCEPT !.gate = <<item>>,
                            !.questions = Append(@, Begin(f, newest - 1, k))]
             ELSE [s EXCEPT !.route[f] = IF begins THEN known ELSE @,
                            !.out[known[n].instance] = Append(@, Packet(k, n - 1))]

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
    /\ UNCHANGED <<scaled, node, store, manager, sink, fromInstance, fromStore, commits, orders>>

Ordered(type) == orders # <<>> /\ Head(orders).type = type

\* MOVE-1, the mark "last": a message of its own, behind the flow's last packet.
RootTakesMove ==
    /\ Ordered("move")
    /\ LET m == Head(orders)
           tenures == TenuresOf(route, m.flow)
           old == tenures[Len(tenures)].instance
           s == [Splitter EXCEPT !.route[m.flow] =
                   Append(tenures, [instance |-> m.to, since |-> Unknown])]
       IN  Becomes(IF MarkLast THEN Pass(s, MarkFor(old, m.flow, m.epoch)) ELSE s)
    /\ orders' = Tail(orders)
    /\ UNCHANGED <<arrived, log, scaled, node, store, manager, sink, fromInstance, fromStore,
                   commits>>

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
    /\ UNCHANGED <<arrived, log, scaled, node, store, manager, sink, fromInstance, fromStore,
                   commits>>

\* CHAIN-3: flows that begin from now on begin where the new split puts them.
RootTakesScale ==
    /\ Ordered("scale")
    /\ scaled' = TRUE
    /\ questions' = Append(questions, ScaleKnown)
    /\ orders' = Tail(orders)
    /\ UNCHANGED <<arrived, log, route, gate, node, store, manager, sink, toInstance,
                   fromInstance, fromStore, commits>>

\* CHAIN-3, MOVE-5: the flow that waits at the gate begins at its old home, unless it was moved
\* meanwhile; the gate opens.
RootTakesRoute ==
    /\ Ordered("route")
    /\ LET m == Head(orders)
           s == [Splitter EXCEPT !.route[m.flow] = TenuresOf(route, m.flow), !.gate = <<>>]
       IN  Becomes(PassAll(s, gate))
    /\ orders' = Tail(orders)
    /\ UNCHANGED <<arrived, log, scaled, node, store, manager, sink, fromInstance, fromStore,
                   commits>>

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
    /\ UNCHANGED <<arrived, route, scaled, gate, node, store, manager, sink, toStore, toManager,
                   toSink, fromStore, commits, aboutMoves>>

\* DEL-2: the store has committed an update.
RootTakesCommitted ==
    /\ commits # <<>>
    /\ log' = SignalsOf(Head(commits).clock, Head(commits).object)
    /\ commits' = Tail(commits)
    /\ UNCHANGED <<arrived, route, scaled, gate, node, store, manager, sink, toInstance,
                   fromInstance, fromStore, aboutMoves>>

\* Only where SignalAtCommit is dropped: an instance speaks for the store.
RootTakesEarlySignal(i) ==
    /\ Says(i, "committed")
    /\ log' = SignalsOf(Head(toRoot[i]).clock, Head(toRoot[i]).object)
    /\ toRoot' = [toRoot EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<arrived, route, scaled, gate, node, store, manager, sink, toInstance, toStore,
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

\* MOVE-3: ask for the flow, and for its value as it was before the packet.
Ask(n, p) == [n EXCEPT !.store = Append(@, Acquire(n.self, p))]

\* A packet's work is over: if it was on a value of its own, the next one that waited is asked for.
RECURSIVE Done(_, _)
Done(n, slot) ==
    IF slot \notin DOMAIN n.state.blocked THEN n
    ELSE LET waiting == n.state.blocked[slot]
         IN  IF waiting = <<>> THEN [n EXCEPT !.state.blocked = Without(@, slot)]
             ELSE IF Head(waiting).type = "packet" THEN Ask(n, Head(waiting))
             ELSE Done([n EXCEPT !.state.blocked[slot] = Tail(@),
                                 !.state.ready = Append(@, Head(waiting))], slot)

(***************************************************************************)
(* A packet is processed on a value, and is in work until the root has its *)
(* delete (REC-2).  On a flow that the instance owns, the value is cached, *)
(* and the store not asked.  A value that came for the packet alone is not *)
(* cached, and what it did is flushed at once (DUP-3).  STORE-2: one whose *)
(* flow has another owner updates nothing.                                 *)
(***************************************************************************)
Process(n, p, before, cached, owned) ==
    LET value == Updated(before, p.clock)
        counting == IF owned THEN Counting(p.clock) ELSE <<>>
        early == IF counting # <<>> /\ ~SignalAtCommit
                 THEN <<Committed(p.clock, SharedObject)>> ELSE <<>>
        work == [clock |-> p.clock, epoch |-> p.epoch, before |-> before, shown |-> Shown(value)]
        done == [n EXCEPT !.state.owned[p.flow].value = IF cached THEN value ELSE @,
                          !.state.unflushed = IF owned THEN Append(@, p.clock) ELSE @,
                          !.store = @ \o counting,
                          !.root = @ \o early]
        flushed == IF owned /\ (Eager \/ ~cached) THEN Flush(done) ELSE done
        ended == [flushed EXCEPT !.root = Append(@, Delete(p.clock, Objects))]
    IN  IF OutputAfterDelete THEN [ended EXCEPT !.state.work = work]
        ELSE Done(Leave(ended, work), <<p.flow, p.epoch>>)

\* MOVE-3, MOVE-4: packets that come while their flow's value is not here wait for it.
\* The first of them has asked for it.
Buffered(waiting, p) == Append(waiting, p)

\* MOVE-3: the first packet of a tenure asks for the flow; what is cached goes first.
TakePacket(n, p) ==
    LET slot == <<p.flow, p.epoch>>
        waits == [Flush(n) EXCEPT !.state.blocked = With(@, slot, <<p>>)]
    IN  IF slot \in DOMAIN n.state.blocked
        THEN [n EXCEPT !.state.blocked[slot] = Buffered(@, p)]
        ELSE IF n.state.owned[p.flow].epoch = p.epoch
        THEN Process(n, p, n.state.owned[p.flow].value, TRUE, TRUE)
        ELSE Ask(waits, p)

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
Waiting(n, slot) == IF slot \in DOMAIN n.blocked THEN n.blocked[slot] ELSE <<>>

TakeLast(n, m) ==
    LET slot == <<m.flow, m.epoch - 1>>
    IN  IF FinishBeforeRelease /\ Waiting(n.state, slot) # <<>>
        THEN [n EXCEPT !.state.blocked[slot] = Append(@, m)]
        ELSE HandOver(n, m)

Take(n, item) ==
    CASE item.type = "packet" -> TakePacket(n, item)
      [] item.type = "loaded" -> Process(n, item.packet, item.value, FALSE, item.owned)
      [] item.type = "last" -> TakeLast(n, item)

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
           w == n.state.work
           waits == w.clock = Head(toInstance[i]).clock
       IN  ComesToRest(i, WorkOn(IF waits
                                 THEN Done(Leave([n EXCEPT !.state.work = Idle], w),
                                           <<Packets[w.clock], w.epoch>>)
                                 ELSE n))
    /\ toInstance' = [toInstance EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED fromStore

\* MOVE-4: the flow is granted, and what waited for it may be worked off.  Other state is for the
\* first packet that waited, alone.
Serve(n, g) ==
    LET slot == <<g.flow, g.epoch>>
        waiting == n.state.blocked[slot]
    IN  IF g.owned /\ g.latest
        THEN [n EXCEPT !.state.owned[g.flow] = [epoch |-> g.epoch, value |-> g.value],
                       !.state.ready = @ \o waiting,
                       !.state.blocked = Without(@, slot)]
        ELSE [n EXCEPT !.state.ready = Append(@, Loaded(Head(waiting), g)),
                       !.state.blocked[slot] = Tail(@)]

InstanceTakesGranted(i) ==
    /\ fromStore[i] # <<>>
    /\ LET g == Head(fromStore[i])
           n == Awake(i)
           waiting == Waiting(n.state, <<g.flow, g.epoch>>)
           waits == waiting # <<>> /\ Head(waiting).type = "packet" /\ Head(waiting).clock = g.clock
       IN  ComesToRest(i, WorkOn(IF waits THEN Serve(n, g) ELSE n))
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

\* MOVE-3: nobody else owns the flow, so the new owner's ID is added.
Owns(r, o) == r.epoch >= o.epoch /\ o.instance \in {Nobody, r.source}

\* MOVE-2: the old owner's ID is removed; a release that is not of this tenure changes nothing.
OwnerAfter(r, o) ==
    IF r.type = "acquire"
    THEN IF Owns(r, o) THEN [instance |-> r.source, epoch |-> r.epoch] ELSE o
    ELSE IF r.epoch = o.epoch + 1 /\ o.instance \in {Nobody, r.source}
    THEN [instance |-> Nobody, epoch |-> r.epoch]
    ELSE o

(***************************************************************************)
(* Answer requests for one flow, in order.  One that must wait is parked   *)
(* (MOVE-3); when another epoch begins, all that is parked is looked at    *)
(* once more (MOVE-4).  s has the flow's owner, what is parked, and the    *)
(* answers: requests, and whether they get the flow.                       *)
(***************************************************************************)
RECURSIVE Answer(_, _)
Answer(s, requests) ==
    IF requests = <<>> THEN s
    ELSE LET r == Head(requests)
             after == OwnerAfter(r, s.owner)
             answers == IF r.type = "acquire"
                        THEN Append(s.answers, [request |-> r, owned |-> Owns(r, s.owner)])
                        ELSE s.answers
         IN  IF MustWait(r, s.owner)
             THEN Answer([s EXCEPT !.parked = Append(@, r)], Tail(requests))
             ELSE IF after.epoch = s.owner.epoch
             THEN Answer([s EXCEPT !.owner = after, !.answers = answers], Tail(requests))
             ELSE Answer([owner |-> after, answers |-> answers, parked |-> <<>>],
                         Tail(requests) \o s.parked)

\* DUP-3: the value of the packet's flow before the packet, and whether it is the newest.
Given(a) ==
    LET r == a.request
        isEarlier(k) == k < r.clock
        latest == \A k \in Range(applied[r.flow]) : k <= r.clock
    IN  Granted(r, a.owned, ValueOf(SelectSeq(applied[r.flow], isEarlier)), latest)

StoreTakesRequest(i) ==
    /\ LET r == Head(toStore[i])
           f == r.flow
           s == Answer([owner |-> owner[f], parked |-> parked[f], answers |-> <<>>], <<r>>)
           GrantsTo(j) == LET isTheirs(a) == a.request.source = j
                              theirs == SelectSeq(s.answers, isTheirs)
                          IN  [n \in 1 .. Len(theirs) |-> Given(theirs[n])]
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
    /\ asked < Len(Moves) /\ ~IsScaling(Moves[asked + 1])
    /\ asked' = asked + 1
    /\ LET m == Moves[asked + 1]
           e == Len(target[m.flow]) + 1
       IN  IF m.to = PlaceOf(m.flow)
           THEN UNCHANGED <<target, underWay, orders>>
           ELSE /\ target' = [target EXCEPT ![m.flow] = Append(@, m.to)]
                /\ underWay' = [underWay EXCEPT ![m.flow] = @ \cup {e}]
                /\ orders' = Append(orders, Move(m.flow, e, m.to))
    /\ UNCHANGED <<root, node, store, begun, told, sink, toInstance, fromInstance, fromStore,
                   commits, questions>>

\* CHAIN-3: the operator asks for a scaling, and the root is told of the new split.
AskScaling ==
    /\ asked < Len(Moves) /\ IsScaling(Moves[asked + 1])
    /\ asked' = asked + 1
    /\ orders' = Append(orders, Scale)
    /\ UNCHANGED <<root, node, store, target, begun, underWay, told, sink, toInstance,
                   fromInstance, fromStore, commits, questions>>

IsAsked(type) == questions # <<>> /\ Head(questions).type = type

\* MOVE-5: where a tenure begins is said once, for all tenures that have not begun.
ManagerTakesBegin ==
    /\ IsAsked("begin")
    /\ LET b == Head(questions)
           new == b.epoch - Len(begun[b.flow])
           known == begun[b.flow] \o [n \in 1 .. new |-> b.clock]
       IN  /\ begun' = [begun EXCEPT ![b.flow] = known]
           /\ orders' = Append(orders, Since(b.flow, b.epoch, known[b.epoch]))
    /\ questions' = Tail(questions)
    /\ UNCHANGED <<root, node, store, asked, target, underWay, told, sink, toInstance,
                   fromInstance, fromStore, commits>>

\* CHAIN-3, MOVE-5: a flow that may be at its old home begins there, and is moved at once, like
\* any other; but one that was moved meanwhile has its way already.
ManagerTakesUnrouted ==
    /\ IsAsked("unrouted")
    /\ LET f == Head(questions).flow
       IN  IF target[f] # <<>>
           THEN orders' = Append(orders, Route(f)) /\ UNCHANGED <<target, underWay, told>>
           ELSE /\ told' = told \cup {f}
                /\ target' = [target EXCEPT ![f] = <<NewHome[f]>>]
                /\ underWay' = [underWay EXCEPT ![f] = {1}]
                /\ orders' = orders \o <<Route(f), Move(f, 1, NewHome[f])>>
    /\ questions' = Tail(questions)
    /\ UNCHANGED <<root, node, store, asked, begun, sink, toInstance, fromInstance, fromStore,
                   commits>>

\* The root knows; nothing waits for that but a further scaling.
ManagerTakesScaled ==
    /\ IsAsked("scaled")
    /\ questions' = Tail(questions)
    /\ UNCHANGED <<root, node, store, manager, sink, toInstance, fromInstance, fromStore,
                   commits, orders>>

ManagerTakesHandedOver(i) ==
    /\ toManager[i] # <<>>
    /\ LET h == Head(toManager[i])
       IN  underWay' = [underWay EXCEPT ![h.flow] = @ \ {h.epoch}]
    /\ toManager' = [toManager EXCEPT ![i] = Tail(@)]
    /\ UNCHANGED <<root, node, store, asked, target, begun, told, sink, toInstance, toRoot,
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
FromOutside == Arrive \/ AskMove \/ AskScaling

AtRoot ==
    \/ RootTakesMove \/ RootTakesSince \/ RootTakesScale \/ RootTakesRoute
    \/ RootTakesCommitted
AtManager == ManagerTakesBegin \/ ManagerTakesUnrouted \/ ManagerTakesScaled
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
=============================================================================
