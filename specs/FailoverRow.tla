----------------------------- MODULE FailoverRow -----------------------------
(***************************************************************************)
(* Recovery of NF instances in a row of vertices with several instances    *)
(* each, and everything around them that takes part: root, store, manager  *)
(* and sink.                                                               *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.3 and 5.4.                    *)
(* Clauses: COE, CHAIN-2, SPLIT-3, ROOT-1 to ROOT-3, QUEUE-2, STORE-2,     *)
(* CACHE-1, CACHE-2, CLONE-2, DUP-1, DUP-2, DUP-3, DEL-1 to DEL-3,         *)
(* REC-0 to REC-2, R1, R2, R5, R6, LIVE; amended as docs/findings.md.      *)
(*                                                                         *)
(* An instance fails with its queue, its cache, its splitter, and any part *)
(* of what it has under way.  The manager has the store void what the dead *)
(* one sent, starts a failover under the same name, and has the root       *)
(* replay its log to it.  A replayed packet takes the way that it took     *)
(* before, and carries the instance that it is for: those on its way read  *)
(* the state that belongs to it, write on it what they wrote before, and   *)
(* update nothing.  Where it is for, it is processed on the state that its *)
(* flow had before it, and goes on as any other; behind that vertex, and   *)
(* at the store, repeats are suppressed.  What else comes to the failover  *)
(* waits until every splitter above has sent the end of the replay.        *)
(*                                                                         *)
(* The root may tell store and instances which packets are over.  They     *)
(* forget what they know of these, but not that they are over: copies may  *)
(* still be under way, in a replay that began before, and are dropped.     *)
(*                                                                         *)
(* Channels are FIFO, one for each pair.  Starts and replays are numbered  *)
(* together; each start or replay is a session.  A step is what one        *)
(* component makes of the oldest message of one channel, as in the Python  *)
(* core: the state graphs are equal.                                       *)
(*                                                                         *)
(* Left out: moves, clones, forks, NFs that wait for the store, failures   *)
(* of root and store; counters where packets are forgotten.                *)
(***************************************************************************)
EXTENDS Row, FiniteSets

CONSTANTS
    Ranked,      \* instances of all vertices, in the order in which the log is replayed to them
    VertexOf,    \* vertex of each
    Home,        \* for each vertex, the instance of each flow
    Fragile,     \* instances that may fail
    MostCrashes, \* how often, in all
    MostForgets, \* how often the root tells which packets are over
    Eager        \* for each vertex: flush after each packet, or when the flush timer fires

Instances == {Ranked[n] : n \in 1 .. Len(Ranked)}
Nobody == "nobody"
Sessions == 0 .. 2 * MostCrashes  \* 0: no start, or no replay

ASSUME /\ Instances \cap {Nobody, "root", "store", "manager", "sink"} = {}
       /\ VertexOf \in [Instances -> Vertices]
       /\ Home \in [Vertices -> [Flows -> Instances]]
       /\ \A v \in Vertices, f \in Flows : VertexOf[Home[v][f]] = v
       /\ Fragile \subseteq Instances
       /\ MostCrashes \in Nat
       /\ MostForgets \in Nat
       /\ MostForgets > 0 => \A v \in Vertices : Kinds[v] # "counter"
       /\ Eager \in [Vertices -> BOOLEAN]

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT SuppressUpdates <- Dropped.                                    *)
(***************************************************************************)
Dropped == FALSE

SuppressUpdates == TRUE     \* DUP-2: an update that the store has is not made again
SuppressPackets == TRUE     \* DUP-1: a packet that was queued is not queued again
TellReplays == TRUE         \* QUEUE-2: a packet replayed to another instance is no such repeat
Emulate == TRUE             \* DUP-3: a packet that is replayed to another instance updates nothing
ClearTarget == TRUE         \* DUP-3: a replayed packet goes on as any other from where it was for
SeeThePast == TRUE          \* DUP-3: it does not see what later ones did
FlushReplayed == TRUE       \* DUP-3: what it did where it was for is flushed at once
SetAside == TRUE            \* CLONE-2: what is not replayed waits for the end of the replay
AwaitEnds == TRUE           \* CLONE-2: which has come when every splitter above has sent it
ReplayLog == TRUE           \* REC-1: the log is replayed to the failover
LeaveOnFirstDelete == TRUE  \* REC-2: of two deletes of a packet one lets it leave
OutputAfterDelete == TRUE   \* REC-2: a packet leaves once the root has its delete
DeleteAfterCommits == TRUE  \* DEL-3: the log keeps a packet until its updates are committed
DropWhatIsOver == TRUE      \* DUP-2: of a packet that is over, what still comes is dropped

\* DUP-2: packets are over up to the oldest that is logged; count is the newest.
NewestOver(oldest, count) == oldest - 1

VARIABLES
    channel,    \* what is under way from everybody to everybody, oldest first
    arrived,    \* root: packets that have come; 1 .. arrived are their clocks (ROOT-1)
    log,        \* root: what it knows of each packet that it has logged
    node,       \* NF instances, each with its queue; see Node
    owner,      \* store: instance that owns each flow at each vertex
    applied,    \* store: entries of each flow's object at each vertex, in order
    counted,    \* store: packets applied to the object that all flows share there, in order
    base,       \* store: entries of each flow's object that it knows in the value alone
    forgot,     \* store: updates in an object that are on record no more: <<clock, vertex>>
    over,       \* store: newest packet that it has been told is over
    fence,      \* store: what an instance sent before this session is void
    session,    \* manager: newest session
    replay,     \* manager: newest session that a replay may have
    starts,     \* manager: session of each instance's newest start
    recovering, \* manager: of each failover on its way up, its start, and whether it runs
    fencing,    \* manager: of these, those that wait for the store's fence
    delivered,  \* sink: outputs that have left the chain, in order
    crashed,    \* how often each instance has failed
    forgets     \* how often the root has told which packets are over

root == <<arrived, log>>
memory == <<base, forgot, over>>
store == <<owner, applied, counted, fence, memory>>
manager == <<session, replay, starts, recovering, fencing>>
vars == <<channel, root, node, store, manager, delivered, crashed, forgets>>

-----------------------------------------------------------------------------
(* Sequences, functions and places *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

RECURSIVE Total(_, _)
Total(g, S) ==  \* of a function, over a set
    IF S = {} THEN 0 ELSE LET x == CHOOSE x \in S : TRUE IN g[x] + Total(g, S \ {x})

Members(v) == {i \in Instances : VertexOf[i] = v}
IsLast(i) == VertexOf[i] = Last
Above(i) == IF VertexOf[i] = 1 THEN {"root"} ELSE Members(VertexOf[i] - 1)

\* To whom everybody sends; a channel is a pair of these.
Addresses == Instances \cup {"root", "store", "manager", "sink"}
Below(v) == IF v = Last THEN {"root", "sink"} ELSE Members(v + 1)
To == [x \in Addresses |->
         CASE x \in Instances -> Below(VertexOf[x]) \cup {"store", "manager"}
           [] x = "root" -> IF MostForgets > 0 THEN Instances \cup {"store"}
                             ELSE Members(1) \cup Members(Last)
           [] x = "store" -> Instances \cup {"root", "manager"}
           [] x = "manager" -> Instances \cup {"root", "store"}
           [] x = "sink" -> {}]
Channels == UNION {{x} \X To[x] : x \in Addresses}

-----------------------------------------------------------------------------
(* Messages.  A session of 0 says that a packet is not replayed, Nobody that it is for no one. *)

Packet(k, target, s) == [type |-> "packet", clock |-> k, said |-> <<>>, vector |-> {},
                         target |-> target, session |-> s]
ReplayEnd(from, target, s, newest) ==
    [type |-> "end", from |-> from, target |-> target, session |-> s, newest |-> newest]
Delete(p, s) == [type |-> "delete", clock |-> p.clock, vector |-> p.vector, start |-> s]
Deleted(k, first, s) == [type |-> "deleted", clock |-> k, first |-> first, start |-> s]
Acquire(k, peek, s) == [type |-> "acquire", clock |-> k, peek |-> peek, start |-> s]
Granted(k, peek, v, latest) ==
    [type |-> "granted", clock |-> k, peek |-> peek, value |-> v, latest |-> latest,
     over |-> FALSE]
Over(k, peek) == [Granted(k, peek, NoValue, TRUE) EXCEPT !.over = TRUE]
Forget(k) == [type |-> "forget", clock |-> k]
Apply(entry, o, s) == [type |-> "apply", entry |-> entry, object |-> o, start |-> s]
Committed(k, v, o) == [type |-> "committed", clock |-> k, update |-> <<v, o>>]
Output(p) == [type |-> "output", clock |-> p.clock, said |-> p.said]
Start(s) == [type |-> "start", session |-> s]
Ready(s) == [type |-> "ready", session |-> s]
Recovered(s) == [type |-> "recovered", session |-> s]
Replay(i, s) == [type |-> "replay", target |-> i, session |-> s]
Fence(i, s) == [type |-> "fence", instance |-> i, start |-> s]
Fenced(m) == [m EXCEPT !.type = "fenced"]

PacketItem == [type : {"packet"}, clock : Clocks, said : Sayings, vector : SUBSET Updates,
               target : Instances \cup {Nobody}, session : Sessions]
EndItem == [type : {"end"}, from : Instances \cup {"root"}, target : Instances,
            session : Sessions, newest : Numbers]
Item == PacketItem \cup EndItem
LoadedItem == [type : {"loaded"}, packet : PacketItem, value : Values]
Leaving == [type : {"output"}, clock : Clocks, said : Sayings]

Message ==
    Item \cup Leaving
    \cup [type : {"delete"}, clock : Clocks, vector : SUBSET Updates, start : Sessions]
    \cup [type : {"deleted"}, clock : Clocks, first : BOOLEAN, start : Sessions]
    \cup [type : {"acquire"}, clock : Clocks, peek : BOOLEAN, start : Sessions]
    \cup [type : {"granted"}, clock : Clocks, peek : BOOLEAN, value : Values, latest : BOOLEAN,
          over : BOOLEAN]
    \cup [type : {"forget"}, clock : Clocks]
    \cup [type : {"apply"}, entry : Entries, object : {OwnObject, SharedObject}, start : Sessions]
    \cup [type : {"committed"}, clock : Clocks, update : Updates]
    \cup [type : {"start", "ready", "recovered"}, session : Sessions]
    \cup [type : {"replay"}, target : Instances, session : Sessions]
    \cup [type : {"fence", "fenced"}, instance : Instances, start : Sessions]

FlowOf(p) == Packets[p.clock]
IsPassing(i, p) == p.target \notin {i, Nobody}

-----------------------------------------------------------------------------
LogEntry == [ended : BOOLEAN,          \* a delete has come
             vector : SUBSET Updates,  \* what the packet has induced; the delete tells
             signals : SUBSET Updates] \* what the store has committed

(***************************************************************************)
(* An NF instance, with the queue before it.  It works on one packet at a  *)
(* time: what is in work waits for the store's grant, as it passes through *)
(* on its way to another instance, or has been processed, and waits for    *)
(* the answer to its delete (REC-2).  A flow is blocked while its state is *)
(* asked for, or a packet of it is in work on state that came for that     *)
(* packet alone.                                                           *)
(***************************************************************************)
Node == [up : BOOLEAN,
         start : Sessions,                       \* session of its start
         recovering : BOOLEAN,                   \* its queue waits for the end of a replay
         valid : Sessions,                       \* first replay to it that it has seen
         seen : SUBSET [clock : Clocks, target : Instances \cup {Nobody}, session : Sessions],
                                                 \* packets that were queued (DUP-1)
         gone : Nat,                             \* how many of these it has forgotten (CHAIN-3)
         past : Numbers,                         \* newest packet that is over, as it was told
         aside : Seq(Item),                      \* what is not replayed to it, in recovery
         work : Seq([for : {"grant", "delete"},  \* the packet in work, if any, and the value that
                     packet : PacketItem,        \* it was processed on
                     before : Values]),
         ready : Seq(PacketItem \cup LoadedItem),\* packets whose state has just come
         lane : Seq(Item),                       \* what passes through, and ends of replays
         queue : Seq(Item),                      \* items not yet looked at
         unflushed : Seq(Entries)]               \* updates of flows' objects
\* and these partial functions: blocked and owned, on flows: what waits, and cached values; ends
\* and over, on targets of replays: who has sent the end of one, and the newest that has ended.

Down == [up |-> FALSE, start |-> 0, recovering |-> FALSE, valid |-> 0, seen |-> {},
            gone |-> 0, past |-> 0,
            aside |-> <<>>, work |-> <<>>, ready |-> <<>>, lane |-> <<>>, queue |-> <<>>,
            unflushed |-> <<>>, blocked |-> <<>>, owned |-> <<>>, ends |-> <<>>, over |-> <<>>]

NodeOK(i, n) ==
    /\ [field \in DOMAIN n \ {"blocked", "owned", "ends", "over"} |-> n[field]] \in Node
    /\ Len(n.work) <= 1
    /\ DOMAIN n.blocked \subseteq Flows
    /\ \A f \in DOMAIN n.blocked : n.blocked[f] \in Seq(PacketItem)
    /\ DOMAIN n.owned \subseteq Flows
    /\ \A f \in DOMAIN n.owned : n.owned[f] \in Values
    /\ DOMAIN n.ends \subseteq Instances \X Sessions
    /\ \A r \in DOMAIN n.ends : n.ends[r] \in [heard : SUBSET Above(i), newest : Numbers]
    /\ DOMAIN n.over \subseteq Instances
    /\ \A j \in DOMAIN n.over : n.over[j] \in Sessions

TypeOK ==
    /\ DOMAIN channel = Addresses
    /\ \A x \in Addresses : channel[x] \in [To[x] -> Seq(Message)]
    /\ arrived \in Numbers
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in LogEntry
    /\ \A i \in Instances : NodeOK(i, node[i])
    /\ owner \in [Vertices -> [Flows -> Instances \cup {Nobody}]]
    /\ applied \in [Vertices -> [Flows -> Seq(Entries)]]
    /\ counted \in [Vertices -> Seq(Clocks)]
    /\ base \in [Vertices -> [Flows -> Seq(Entries)]]
    /\ forgot \subseteq Clocks \X Vertices
    /\ over \in Numbers
    /\ fence \in [Instances -> Sessions]
    /\ session \in Sessions
    /\ replay \in Sessions
    /\ starts \in [Instances -> Sessions]
    /\ DOMAIN recovering \subseteq Instances
    /\ \A i \in DOMAIN recovering : recovering[i] \in [start : Sessions, runs : BOOLEAN]
    /\ fencing \subseteq DOMAIN recovering
    /\ delivered \in Seq(Leaving)
    /\ crashed \in [Instances -> 0 .. MostCrashes]
    /\ forgets \in 0 .. MostForgets

Init ==
    /\ channel = [x \in Addresses |-> [y \in To[x] |-> <<>>]]
    /\ arrived = 0
    /\ log = <<>>
    /\ node = [i \in Instances |-> [Down EXCEPT !.up = TRUE]]
    /\ owner = [v \in Vertices |-> [f \in Flows |-> Nobody]]
    /\ applied = [v \in Vertices |-> [f \in Flows |-> <<>>]]
    /\ counted = [v \in Vertices |-> <<>>]
    /\ base = [v \in Vertices |-> [f \in Flows |-> <<>>]]
    /\ forgot = {}
    /\ over = 0
    /\ fence = [i \in Instances |-> 0]
    /\ session = 0
    /\ replay = 0
    /\ starts = [i \in Instances |-> 0]
    /\ recovering = <<>>
    /\ fencing = {}
    /\ delivered = <<>>
    /\ crashed = [i \in Instances |-> 0]
    /\ forgets = 0

-----------------------------------------------------------------------------
(* Channels *)

Content(c) == channel[c[1]][c[2]]
Oldest(c) == Head(Content(c))
Comes(c, type) == Content(c) # <<>> /\ Oldest(c).type = type

\* What somebody sends in a step: messages for each address.
Silence == [a \in Addresses |-> <<>>]
Sent(out, to, m) == [out EXCEPT ![to] = Append(@, m)]
Send(to, m) == Sent(Silence, to, m)
Behind(contents, out) == [a \in DOMAIN contents |-> contents[a] \o out[a]]

SendFrom(source, out) ==  \* without having been told to
    channel' = [channel EXCEPT ![source] = Behind(@, out)]

TakeAndSend(c, out) ==  \* the receiver of c takes the oldest message
    channel' = [channel EXCEPT ![c[1]][c[2]] = Tail(@),
                               ![c[2]] = IF out = Silence THEN @ ELSE Behind(@, out)]

(***************************************************************************)
(* SPLIT-3, DUP-3: the splitter behind vertex v sends a packet to its      *)
(* flow's home at the next one: a replayed packet takes the way that it    *)
(* took before, and no other.  The end of a replay takes every way.  The   *)
(* root is behind vertex 0.                                                *)
(***************************************************************************)
Receivers(v, p) ==
    IF p.target = Nobody \/ VertexOf[p.target] > v + 1 THEN {Home[v + 1][FlowOf(p)]}
    ELSE {Home[v + 1][FlowOf(p)]} \cap {p.target}

EndReceivers(v, target) ==
    CASE VertexOf[target] = v + 1 -> {target}
      [] VertexOf[target] > v + 1 -> Members(v + 1)
      [] OTHER -> {}

Forwarded(out, v, p) ==
    [a \in Addresses |-> IF a \in Receivers(v, p) THEN Append(out[a], p) ELSE out[a]]

-----------------------------------------------------------------------------
(* Root *)

\* ROOT-1, ROOT-2: a packet gets its clock, and is logged before it is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ log' = With(log, arrived + 1, [ended |-> FALSE, vector |-> {}, signals |-> {}])
    /\ SendFrom("root", Forwarded(Silence, 0, Packet(arrived + 1, Nobody, 0)))
    /\ UNCHANGED <<node, store, manager, delivered, crashed, forgets>>

\* DEL-3: a packet is over when its delete has come and all its updates are committed.
IsOver(entry) == entry.ended /\ (DeleteAfterCommits => entry.vector \subseteq entry.signals)
Kept(k, entry) == IF IsOver(entry) THEN Without(log, k) ELSE With(log, k, entry)

\* ROOT-3, REC-2: a packet has ended; of its deletes the first lets it leave.
RootTakesDelete(c) ==
    /\ Comes(c, "delete")
    /\ LET d == Oldest(c)
           first == d.clock \in DOMAIN log /\ ~log[d.clock].ended
       IN  /\ log' = IF first
                     THEN Kept(d.clock, [log[d.clock] EXCEPT !.ended = TRUE, !.vector = d.vector])
                     ELSE log
           /\ TakeAndSend(c, Send(c[1], Deleted(d.clock, first, d.start)))
    /\ UNCHANGED <<arrived, node, store, manager, delivered, crashed, forgets>>

\* DEL-2: the store has committed an update; a signal for a packet that is over is nothing.
RootTakesCommitted(c) ==
    /\ Comes(c, "committed")
    /\ LET m == Oldest(c)
       IN  log' = IF m.clock \in DOMAIN log
                  THEN Kept(m.clock, [log[m.clock] EXCEPT !.signals = @ \cup {m.update}])
                  ELSE log
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<arrived, node, store, manager, delivered, crashed, forgets>>

\* DUP-2: the root tells everybody which packets are over: those before the oldest in its log.
TellWhatIsOver ==
    /\ forgets < MostForgets
    /\ forgets' = forgets + 1
    /\ LET oldest == CHOOSE k \in DOMAIN log \cup {arrived + 1} :
                        \A j \in DOMAIN log \cup {arrived + 1} : k <= j
           last == NewestOver(oldest, arrived)
           told == Instances \cup {"store"}
       IN  SendFrom("root", [a \in Addresses |->
                               IF last > 0 /\ a \in told THEN <<Forget(last)>> ELSE <<>>])
    /\ UNCHANGED <<root, node, store, manager, delivered, crashed>>

\* CLONE-2, REC-1: every logged packet whose way leads to the target, in the order of the clocks,
\* and behind them the mark that the replay is over, with the newest clock that was given by then.
RootTakesReplay(c) ==
    /\ Comes(c, "replay")
    /\ LET r == Oldest(c)
           again(a) == LET goes(k) == /\ k \in DOMAIN log /\ ReplayLog
                                      /\ a \in Receivers(0, Packet(k, r.target, r.session))
                           clocks == SelectSeq([k \in 1 .. arrived |-> k], goes)
                       IN  [n \in 1 .. Len(clocks) |-> Packet(clocks[n], r.target, r.session)]
           end == ReplayEnd("root", r.target, r.session, arrived)
       IN  TakeAndSend(c, [a \in Addresses |->
             again(a) \o IF a \in EndReceivers(0, r.target) THEN <<end>> ELSE <<>>])
    /\ UNCHANGED <<root, node, store, manager, delivered, crashed, forgets>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* NF.  In the middle of a step r.state is what becomes of instance i, and *)
(* r.out what it sends.                                                    *)
(***************************************************************************)
Awake(i) == [state |-> node[i], out |-> Silence]
Tell(r, to, m) == [r EXCEPT !.out = Sent(@, to, m)]

\* CACHE-2: what is flushed is updates, not values.
Flush(r) ==
    LET due == r.state.unflushed
        updates == [m \in 1 .. Len(due) |-> Apply(due[m], OwnObject, r.state.start)]
    IN  [r EXCEPT !.out["store"] = @ \o updates, !.state.unflushed = <<>>]

\* Ask for the state of a packet's flow as it was before the packet (DUP-3).
Ask(r, k, peek) == Tell(r, "store", Acquire(k, peek, r.state.start))

AskNext(r, f) ==  \* of the packets of a flow that wait
    IF r.state.blocked[f] = <<>>
    THEN [r EXCEPT !.state.blocked = Without(@, f)]
    ELSE Ask(r, Head(r.state.blocked[f]).clock, FALSE)

\* A packet's work is over: the next one that waited behind it is asked for, if it was on state
\* of its own.
Done(r, f) ==
    LET idle == [r EXCEPT !.state.work = <<>>]
    IN  IF f \in DOMAIN r.state.blocked THEN AskNext(idle, f) ELSE idle

Leave(r, p) == Tell(r, "sink", Output(p))

\* A packet goes on, or leaves by way of its delete (ROOT-3, REC-2).
Deliver(i, r, p, before) ==
    LET v == VertexOf[i]
        ended == Tell(r, "root", Delete(p, r.state.start))
        work == [for |-> "delete", packet |-> p, before |-> before]
    IN  IF ~IsLast(i) THEN Done([r EXCEPT !.out = Forwarded(@, v, p)], FlowOf(p))
        ELSE IF OutputAfterDelete THEN [ended EXCEPT !.state.work = <<work>>]
        ELSE Done(Leave(ended, p), FlowOf(p))

(***************************************************************************)
(* What becomes of a packet on a value.  CACHE-1: the shared object's      *)
(* update is sent at once; the flow's waits for its flush.  DUP-3: what is *)
(* on its way to another instance's replay updates nothing, and where it   *)
(* is for, it goes on as any other.                                        *)
(***************************************************************************)
Process(i, r, p, before, cached, flushes) ==
    LET v == VertexOf[i]
        f == FlowOf(p)
        passing == IsPassing(i, p)
        updates == IF Emulate /\ passing THEN {} ELSE ObjectsOf(v)
        entry == Entry(v, p.clock, p.said)
        value == Updated(v, before, entry)
        counts == IF SharedObject \in updates
                  THEN Tell(r, "store", Apply(Entry(v, p.clock, <<>>), SharedObject, r.state.start))
                  ELSE r
        done == [counts EXCEPT
                   !.state.owned = IF cached THEN With(@, f, value) ELSE @,
                   !.state.unflushed = IF OwnObject \in updates THEN Append(@, entry) ELSE @]
        flushed == IF flushes /\ ~(Emulate /\ passing) THEN Flush(done) ELSE done
        processed == [p EXCEPT !.said = @ \o Written(v, value), !.vector = @ \cup UpdatesAt(v)]
        cleared == [processed EXCEPT !.target = Nobody, !.session = 0]
    IN  IF passing THEN [flushed EXCEPT !.out = Forwarded(@, v, processed)]
        ELSE Deliver(i, flushed, IF ClearTarget THEN cleared ELSE processed, before)

(***************************************************************************)
(* A packet waits behind others of its flow (MOVE-5); is processed on the  *)
(* cache; or asks for the flow's state.  A replayed packet always asks,    *)
(* and the cache ends with it: its state is not the newest.                *)
(***************************************************************************)
TakePacket(i, r, p) ==
    LET f == FlowOf(p)
        flushed == Flush(r)
        waits == [flushed EXCEPT
                    !.state.blocked = With(@, f, <<p>>),
                    !.state.owned = IF p.target = i THEN Without(@, f) ELSE @]
    IN  IF f \in DOMAIN r.state.blocked
        THEN [r EXCEPT !.state.blocked[f] = Append(@, p)]
        ELSE IF p.target = Nobody /\ f \in DOMAIN r.state.owned
        THEN Process(i, r, p, r.state.owned[f], TRUE, Eager[VertexOf[i]])
        ELSE Ask(waits, p.clock, FALSE)

\* DUP-2: a packet that is over is dropped; the cache ends, as it may lack what the packet did.
Drop(r, f) == [Flush(r) EXCEPT !.state.owned = Without(@, f)]

\* What passes through, and the end of a replay, may fall behind all else.
Take(i, r, item) ==
    IF item.type = "packet" /\ DropWhatIsOver /\ item.clock <= r.state.past
    THEN Drop(r, FlowOf(item))
    ELSE IF item.type = "loaded"
    THEN Process(i, r, item.packet, item.value, FALSE, Eager[VertexOf[i]] \/ FlushReplayed)
    ELSE IF item.type = "end" \/ IsPassing(i, item)
    THEN [r EXCEPT !.state.lane = Append(@, item)]
    ELSE TakePacket(i, r, item)

\* DUP-3: what passes through waits for the packet itself.  CLONE-2: a replay has been taken in
\* when none of its packets waits any more.
LaneIsFree(i, n) ==
    LET item == Head(n.lane)
    IN  IF item.type = "packet"
        THEN FlowOf(item) \in DOMAIN n.blocked =>
               \A p \in Range(n.blocked[FlowOf(item)]) : p.clock # item.clock
        ELSE item.target = i =>
               \A f \in DOMAIN n.blocked : \A p \in Range(n.blocked[f]) : p.target # i

\* DUP-3: of a packet that passes through, the state is only read, and behind all that the store
\* must know for that; an end goes on its way, or has come to where it was for.
PassThrough(i, r, item) ==
    LET v == VertexOf[i]
        end == [item EXCEPT !.from = i]
        work == [for |-> "grant", packet |-> item, before |-> NoValue]
    IN  IF item.type = "packet"
        THEN Ask([Flush(r) EXCEPT !.state.work = <<work>>], item.clock, TRUE)
        ELSE IF item.target = i THEN Tell(r, "manager", Recovered(item.session))
        ELSE [r EXCEPT !.out = [a \in Addresses |->
                IF a \in EndReceivers(v, item.target) THEN Append(@[a], end) ELSE @[a]]]

RECURSIVE WorkOn(_, _)
WorkOn(i, r) ==  \* until a packet is in work, or nothing is left to do
    LET n == r.state
    IN  IF n.work # <<>> THEN r
        ELSE IF n.ready # <<>>
        THEN WorkOn(i, Take(i, [r EXCEPT !.state.ready = Tail(@)], Head(n.ready)))
        ELSE IF n.lane # <<>> /\ LaneIsFree(i, n)
        THEN WorkOn(i, PassThrough(i, [r EXCEPT !.state.lane = Tail(@)], Head(n.lane)))
        ELSE IF n.queue # <<>>
        THEN WorkOn(i, Take(i, [r EXCEPT !.state.queue = Tail(@)], Head(n.queue)))
        ELSE r

\* On channel c its instance takes a message, and becomes r.  What comes to one that is down is
\* lost.
GoOn(c, r) ==
    LET i == c[2]
        up == node[i].up
    IN  /\ node' = IF up THEN [node EXCEPT ![i] = r.state] ELSE node
        /\ TakeAndSend(c, IF up THEN r.out ELSE Silence)
        /\ UNCHANGED <<root, store, manager, delivered, crashed, forgets>>

-----------------------------------------------------------------------------
(* Instance: its queue.  s is the state of the instance with the queue. *)

\* DUP-1: a packet goes in once, and once with each replay to another instance.
KeyOf(i, p) == IF IsPassing(i, p)
               THEN [clock |-> p.clock, target |-> p.target, session |-> p.session]
               ELSE [clock |-> p.clock, target |-> Nobody, session |-> 0]
IsRepeat(i, s, p) ==
    /\ SuppressPackets
    /\ IF TellReplays THEN KeyOf(i, p) \in s.seen ELSE \E key \in s.seen : key.clock = p.clock

LetIn(i, s, p) ==
    IF IsRepeat(i, s, p) THEN s
    ELSE [s EXCEPT !.seen = @ \cup {KeyOf(i, p)}, !.queue = Append(@, p)]

RECURSIVE Admit(_, _, _)
RECURSIVE AdmitAll(_, _, _)

\* CLONE-2: a replay is over when every splitter above has sent its end.  If it was for this
\* instance, what came meanwhile goes in, but for what was in the replay or had ended before: the
\* channels from above may bring it once more (REC-1).
AdmitEnd(i, s, m) ==
    LET r == <<m.target, m.session>>
        heard == {m.from} \cup IF r \in DOMAIN s.ends THEN s.ends[r].heard ELSE {}
        ended == [s EXCEPT !.ends = Without(@, r), !.over = With(@, m.target, m.session),
                           !.queue = Append(@, m)]
        isNew(item) == item.type = "packet" /\ item.target = Nobody => item.clock > m.newest
    IN  IF m.target \in DOMAIN s.over /\ m.session <= s.over[m.target] THEN s
        ELSE IF AwaitEnds /\ ~(Above(i) \subseteq heard)
        THEN [s EXCEPT !.ends = With(@, r, [heard |-> heard, newest |-> m.newest])]
        ELSE IF m.target # i \/ ~s.recovering THEN ended
        ELSE AdmitAll(i, [ended EXCEPT !.recovering = FALSE, !.aside = <<>>],
                      SelectSeq(s.aside, isNew))

\* DUP-3: a replay that began before this one was started may lack its beginning.
Admit(i, s, item) ==
    IF item.session > 0 /\ item.session < s.valid THEN s
    ELSE IF item.type = "end" THEN AdmitEnd(i, s, item) ELSE LetIn(i, s, item)

AdmitAll(i, s, items) ==
    IF items = <<>> THEN s ELSE AdmitAll(i, Admit(i, s, Head(items)), Tail(items))

\* CLONE-2, REC-1: in recovery, what is not replayed to this instance waits.
QueueItem(i, s, item) ==
    IF item.target = i
    THEN IF item.session <= s.start THEN s
         ELSE Admit(i, [s EXCEPT !.valid = IF @ = 0 THEN item.session ELSE @], item)
    ELSE IF SetAside /\ s.recovering THEN [s EXCEPT !.aside = Append(@, item)]
    ELSE Admit(i, s, item)

InstanceTakesItem(c) ==
    LET i == c[2]
    IN  GoOn(c, WorkOn(i, [Awake(i) EXCEPT !.state = QueueItem(i, @, Oldest(c))]))

InstanceTakesPacket(c) == Comes(c, "packet") /\ InstanceTakesItem(c)
InstanceTakesReplayEnd(c) == Comes(c, "end") /\ InstanceTakesItem(c)

-----------------------------------------------------------------------------
(* Instance: answers.  One that nobody waits for was meant for a dead predecessor. *)

Awaits(n, for, k) == n.work # <<>> /\ n.work[1].for = for /\ n.work[1].packet.clock = k

\* REC-2: the root has the delete of the packet in work, which leaves if it was the first.
InstanceTakesDeleted(c) ==
    /\ Comes(c, "deleted")
    /\ LET i == c[2]
           r == Awake(i)
           d == Oldest(c)
           p == r.state.work[1].packet
           left == IF d.first \/ ~LeaveOnFirstDelete THEN Leave(r, p) ELSE r
       IN  GoOn(c, IF d.start = r.state.start /\ Awaits(r.state, "delete", d.clock)
                   THEN WorkOn(i, Done(left, FlowOf(p)))
                   ELSE r)

\* DUP-3: state that is the newest of its flow begins a cache, and all that waited for it may
\* go on; other state is for the first packet that waited, alone.
Serve(i, r, g) ==
    LET f == FlowOf(g)
        waiting == r.state.blocked[f]
        loaded == [type |-> "loaded", packet |-> Head(waiting), value |-> g.value]
    IN  IF Head(waiting).target = Nobody /\ g.latest
        THEN [r EXCEPT !.state.owned = With(@, f, g.value),
                       !.state.blocked = Without(@, f),
                       !.state.ready = @ \o waiting]
        ELSE [r EXCEPT !.state.blocked[f] = Tail(@),
                       !.state.ready = Append(@, loaded)]

InstanceTakesGranted(c) ==
    /\ Comes(c, "granted")
    /\ LET i == c[2]
           r == Awake(i)
           n == r.state
           g == Oldest(c)
           f == FlowOf(g)
           asked == /\ f \in DOMAIN n.blocked /\ n.blocked[f] # <<>>
                    /\ Head(n.blocked[f]).clock = g.clock
           idle == [r EXCEPT !.state.work = <<>>]
       IN  GoOn(c,
             IF g.peek
             THEN IF Awaits(n, "grant", g.clock)
                  THEN WorkOn(i, IF g.over THEN idle
                                 ELSE Process(i, idle, n.work[1].packet, g.value, FALSE,
                                              Eager[VertexOf[i]] \/ FlushReplayed))
                  ELSE r
             ELSE IF asked
             THEN WorkOn(i, IF g.over THEN AskNext([r EXCEPT !.state.blocked[f] = Tail(@)], f)
                            ELSE Serve(i, r, g))
             ELSE r)

\* CACHE-2: cached updates may be flushed at any time.
FlushTimer(i) ==
    /\ node[i].unflushed # <<>>
    /\ LET r == Flush(Awake(i))
       IN  node' = [node EXCEPT ![i] = r.state] /\ SendFrom(i, r.out)
    /\ UNCHANGED <<root, store, manager, delivered, crashed, forgets>>

\* DUP-1, DUP-2: these packets are over.
InstanceTakesForget(c) ==
    /\ Comes(c, "forget")
    /\ LET n == node[c[2]]
           m == Oldest(c)
           past == IF m.clock > n.past THEN m.clock ELSE n.past
           known == {key \in n.seen : key.clock > past}
       IN  GoOn(c, [Awake(c[2]) EXCEPT
                      !.state.past = past,
                      !.state.seen = known,
                      !.state.gone = @ + Cardinality(n.seen) - Cardinality(known)])

\* REC-1: a failover begins, empty, and waits for its replay.
InstanceTakesStart(c) ==
    /\ Comes(c, "start")
    /\ LET s == Oldest(c).session
       IN  /\ node' = [node EXCEPT ![c[2]] =
                         [Down EXCEPT !.up = TRUE, !.start = s, !.recovering = TRUE]]
           /\ TakeAndSend(c, Send("manager", Ready(s)))
    /\ UNCHANGED <<root, store, manager, delivered, crashed, forgets>>

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
    /\ SendFrom("manager", Send("store", Fence(i, session + 1)))
    /\ UNCHANGED <<root, store, delivered, forgets>>

\* What a dead instance had under way, and was not yet taken, may be lost.  What has left for
\* the sink is on the wire.
Lose(c) ==
    /\ c[1] \in Instances /\ ~node[c[1]].up
    /\ c[2] # "sink" /\ Content(c) # <<>>
    /\ channel' = [channel EXCEPT ![c[1]][c[2]] = <<>>]
    /\ UNCHANGED <<root, node, store, manager, delivered, crashed, forgets>>

-----------------------------------------------------------------------------
(* Store *)

IsVoid(i, m) == m.start < fence[i]
Whole(v, f) == base[v][f] \o applied[v][f]  \* all that is in a flow's object
AppliedClocks(v, f) == {entry.clock : entry \in Range(applied[v][f])}
Stored(k, v, o) ==
    IF o = OwnObject THEN k \in {entry.clock : entry \in Range(Whole(v, Packets[k]))}
    ELSE k \in Range(counted[v])
OnRecord(k, v, o) == Stored(k, v, o) /\ <<k, v>> \notin forgot
IsOverAtStore(k) == DropWhatIsOver /\ k <= over

\* STORE-2: only the owner's update is applied.  DUP-2: one that is on record, or of a packet that
\* is over, is not applied again.  DEL-2: the root is told of what is applied.
StoreTakesApply(c) ==
    /\ Comes(c, "apply")
    /\ LET i == c[1]
           v == VertexOf[i]
           u == Oldest(c)
           k == u.entry.clock
           f == Packets[k]
           own == u.object = OwnObject
           known == IsOverAtStore(k) \/ (SuppressUpdates /\ OnRecord(k, v, u.object))
           takes == ~IsVoid(i, u) /\ ~known /\ (own => owner[v][f] = i)
       IN  /\ applied' = IF takes /\ own THEN [applied EXCEPT ![v][f] = Append(@, u.entry)]
                         ELSE applied
           /\ counted' = IF takes /\ ~own THEN [counted EXCEPT ![v] = Append(@, k)] ELSE counted
           /\ forgot' = IF takes THEN forgot \ {<<k, v>>} ELSE forgot
           /\ TakeAndSend(c, IF takes THEN Send("root", Committed(k, v, u.object)) ELSE Silence)
    /\ UNCHANGED <<root, node, owner, fence, base, over, manager, delivered, crashed, forgets>>

\* DUP-3: what the flow's object was before packet k, if that is still known.
ValueBefore(v, k) ==
    LET isEarlier(entry) == entry.clock < k \/ ~SeeThePast
        earlier == SelectSeq(applied[v][Packets[k]], isEarlier)
    IN  IF earlier = <<>> THEN NoValue ELSE ValueOf(v, base[v][Packets[k]] \o earlier)

\* STORE-2, DUP-3: the flow is the instance's own, unless it only looks, and it gets the value that
\* its packet is to see; the newest, if no later packet has changed it.
StoreTakesAcquire(c) ==
    /\ Comes(c, "acquire")
    /\ LET i == c[1]
           v == VertexOf[i]
           m == Oldest(c)
           k == m.clock
           latest == \A j \in AppliedClocks(v, Packets[k]) : j <= k
       IN  IF IsVoid(i, m) THEN TakeAndSend(c, Silence) /\ UNCHANGED owner
           ELSE IF IsOverAtStore(k)
           THEN TakeAndSend(c, Send(i, Over(k, m.peek))) /\ UNCHANGED owner
           ELSE /\ owner' = IF m.peek THEN owner ELSE [owner EXCEPT ![v][Packets[k]] = i]
                /\ TakeAndSend(c, Send(i, Granted(k, m.peek, ValueBefore(v, k), latest)))
    /\ UNCHANGED <<root, node, applied, counted, fence, memory, manager, delivered, crashed,
                   forgets>>

\* DUP-2: what packets did that are over is forgotten, and stays in the value.  DUP-3: the newest
\* of them in each object is known by its clock, as one may ask what was before a later one.
StoreTakesForget(c) ==
    /\ Comes(c, "forget")
    /\ LET last == IF Oldest(c).clock > over THEN Oldest(c).clock ELSE over
           Known(entries) ==  \* how many of the oldest entries are in the value alone
               Cardinality({n \in 1 .. Len(entries) - 1 :
                              \A m \in 1 .. n + 1 : entries[m].clock <= last})
       IN  /\ over' = last
           /\ forgot' = forgot \cup
                {x \in (1 .. last) \X Vertices : Stored(x[1], x[2], OwnObject)}
           /\ base' = [v \in Vertices |-> [f \in Flows |->
                         base[v][f] \o SubSeq(applied[v][f], 1, Known(applied[v][f]))]]
           /\ applied' = [v \in Vertices |-> [f \in Flows |->
                            SubSeq(applied[v][f], Known(applied[v][f]) + 1, Len(applied[v][f]))]]
           /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, node, owner, counted, fence, manager, delivered, crashed, forgets>>

\* REC-1: what this instance sent before its new start is void from now on.
StoreTakesFence(c) ==
    /\ Comes(c, "fence")
    /\ LET m == Oldest(c)
       IN  /\ fence' = [fence EXCEPT ![m.instance] = m.start]
           /\ TakeAndSend(c, Send("manager", Fenced(m)))
    /\ UNCHANGED <<root, node, owner, applied, counted, memory, manager, delivered, crashed,
                   forgets>>

-----------------------------------------------------------------------------
(* Manager *)

\* REC-1: the failover may begin, unless it has failed again.
ManagerTakesFenced(c) ==
    /\ Comes(c, "fenced")
    /\ LET m == Oldest(c)
           begins == m.start = starts[m.instance] /\ m.instance \in fencing
       IN  /\ fencing' = IF begins THEN fencing \ {m.instance} ELSE fencing
           /\ TakeAndSend(c, IF begins THEN Send(m.instance, Start(m.start)) ELSE Silence)
    /\ UNCHANGED <<root, node, store, session, replay, starts, recovering, delivered, crashed,
                   forgets>>

\* REC-1: a failover runs.  The log is replayed to every one that does: a second failure may
\* have broken an earlier replay, at its target or on the way.
ManagerTakesReady(c) ==
    /\ Comes(c, "ready")
    /\ LET i == c[1]
           s == Oldest(c).session
           known == i \in DOMAIN recovering /\ recovering[i] = [start |-> s, runs |-> FALSE]
           run == With(recovering, i, [start |-> s, runs |-> TRUE])
           isTarget(j) == j \in DOMAIN run /\ run[j].runs
           targets == SelectSeq(Ranked, isTarget)
           replays == [n \in 1 .. Len(targets) |-> Replay(targets[n], session + 1)]
       IN  IF known
           THEN /\ recovering' = run
                /\ session' = session + 1
                /\ replay' = session + 1
                /\ TakeAndSend(c, [Silence EXCEPT !["root"] = replays])
           ELSE TakeAndSend(c, Silence) /\ UNCHANGED <<recovering, session, replay>>
    /\ UNCHANGED <<root, node, store, starts, fencing, delivered, crashed, forgets>>

\* A failover has taken its replay in; the end of an earlier one tells nothing.
ManagerTakesRecovered(c) ==
    /\ Comes(c, "recovered")
    /\ recovering' = IF Oldest(c).session = replay THEN Without(recovering, c[1])
                     ELSE recovering
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, node, store, session, replay, starts, fencing, delivered, crashed,
                   forgets>>

-----------------------------------------------------------------------------
SinkTakesOutput(c) ==
    /\ Comes(c, "output")
    /\ delivered' = Append(delivered, Oldest(c))
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, node, store, manager, crashed, forgets>>

-----------------------------------------------------------------------------
FromOutside == Arrive \/ TellWhatIsOver \/ \E i \in Instances : Crash(i)

\* Channels, by what they bring.
Ways == UNION {Above(i) \X {i} : i \in Instances}
Grants == {"store"} \X Instances
Starts == {"manager"} \X Instances
Told == {"root"} \X (To["root"] \cap Instances)
ToldStore == {"root"} \X (To["root"] \cap {"store"})
Requests == Instances \X {"store"}
Reports == Instances \X {"manager"}
Ends == Members(Last) \X {"root"}
Answers == {"root"} \X Members(Last)
Outputs == Members(Last) \X {"sink"}
Losses == {c \in Channels : c[1] \in Fragile}

Inside ==
    \/ \E c \in Ends : RootTakesDelete(c)
    \/ RootTakesCommitted(<<"store", "root">>) \/ RootTakesReplay(<<"manager", "root">>)
    \/ \E c \in Ways : InstanceTakesPacket(c) \/ InstanceTakesReplayEnd(c)
    \/ \E c \in Answers : InstanceTakesDeleted(c)
    \/ \E c \in Grants : InstanceTakesGranted(c)
    \/ \E c \in Starts : InstanceTakesStart(c)
    \/ \E c \in Told : InstanceTakesForget(c)
    \/ \E c \in ToldStore : StoreTakesForget(c)
    \/ \E i \in Instances : FlushTimer(i)
    \/ \E c \in Requests : StoreTakesApply(c) \/ StoreTakesAcquire(c)
    \/ StoreTakesFence(<<"manager", "store">>)
    \/ ManagerTakesFenced(<<"store", "manager">>)
    \/ \E c \in Reports : ManagerTakesReady(c) \/ ManagerTakesRecovered(c)
    \/ \E c \in Outputs : SinkTakesOutput(c)
    \/ \E c \in Losses : Lose(c)

Next == FromOutside \/ Inside

\* Nothing is under way, and nothing waits for a timer.
AtRest ==
    /\ \A c \in Channels : Content(c) = <<>>
    /\ \A i \in Instances : node[i].unflushed = <<>>

(***************************************************************************)
(* As long as anything can be done inside, something is: WF_vars(Inside),  *)
(* written out as in Reallocation.  Packets need not come, and instances   *)
(* fail finitely often.                                                    *)
(***************************************************************************)
Fairness == []<>AtRest \/ []<><<Inside>>_vars

InsideIsEnabled == AtRest <=> ~ENABLED <<Inside>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
