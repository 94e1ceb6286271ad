---------------------------- MODULE ReallocationRow ----------------------------
(***************************************************************************)
(* A row of vertices with several instances each, while flows are moved at *)
(* any of them, and while instances fail; and everything around them that  *)
(* takes part: root, store, manager and sink.                              *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5, 5.1, 5.3, 5.4 and Figure 4.     *)
(* Clauses: COE, CHAIN-2, SPLIT-3, ROOT-1 to ROOT-3, QUEUE-1, QUEUE-2,     *)
(* MOVE-1 to MOVE-6, STORE-2, STORE-4, CACHE-1, CACHE-2, CLONE-2, DUP-1,   *)
(* DUP-2, DUP-3, DEL-1 to DEL-3, REC-0 to REC-2, R1, R2, R5, R6, LIVE;     *)
(* amended as docs/findings.md.                                            *)
(*                                                                         *)
(* The moves are those of Reallocation, and the failures those of          *)
(* FailoverRow; nobody fails where Fragile is empty.  What is new is what  *)
(* they do to each other.  All splitters above a vertex hear of a move,    *)
(* each at a moment of its own: so the old instance gives a flow up when   *)
(* all have told it, and a flow moves at one vertex at a time.  A packet   *)
(* that is replayed goes where its clock belongs, which the splitter of a  *)
(* failover must know; it comes to an instance behind a move by two ways,  *)
(* and waits there for the end of the replay.  Marks that a failed         *)
(* instance was sent, or had sent, are sent again.                         *)
(*                                                                         *)
(* Channels are FIFO, one for each pair.  A step is what one component     *)
(* makes of the oldest message of one channel, as in the Python core: the  *)
(* state graphs are equal.                                                 *)
(*                                                                         *)
(* Left out: clones, forks, NFs that wait for the store, cached shared     *)
(* objects, failures of root and store.                                    *)
(***************************************************************************)
EXTENDS ReallocationRowHost

VARIABLES
    channel,    \* what is under way from everybody to everybody, oldest first
    arrived,    \* root: packets that have come; 1 .. arrived are their clocks (ROOT-1)
    log,        \* root: what it knows of each packet that it has logged
    splitter,   \* splitters of the root and of the NF instances
    node,       \* NF instances, each with its queue; see Node
    owner,      \* store: instance and epoch that owns each flow at each vertex
    parked,     \* store: requests of later epochs, by flow, in the order of coming
    applied,    \* store: entries of each flow's object at each vertex, in order
    counted,    \* store: packets applied to the object that all flows share there, in order
    fence,      \* store: what an instance sent before this session is void
    asked,      \* moves that the operator has asked for
    books,      \* manager: what it knows of moves; see Books
    session,    \* manager: newest session
    replay,     \* manager: newest session that a replay may have
    starts,     \* manager: session of each instance's newest start
    recovering, \* manager: of each failover on its way up, its start, and whether it runs
    fencing,    \* manager: of these, those that wait for the store's fence
    passed,     \* sink: epochs of each flow for which the mark "passed" has come
    held,       \* sink: outputs that are held back, in the order of coming
    delivered,  \* sink: outputs that have left the chain, in order
    crashed     \* how often each instance has failed

root == <<arrived, log>>
store == <<owner, parked, applied, counted, fence>>
recovery == <<session, replay, starts, recovering, fencing>>
manager == <<asked, books, recovery>>
sink == <<passed, held, delivered>>
vars == <<channel, root, splitter, node, store, manager, sink, crashed>>

TypeOK ==
    /\ DOMAIN channel = Addresses
    /\ \A x \in Addresses : channel[x] \in [To[x] -> Seq(Message)]
    /\ arrived \in Numbers
    /\ DOMAIN log \subseteq 1 .. arrived
    /\ \A k \in DOMAIN log : log[k] \in LogEntry
    /\ splitter \in [Splitters -> [route : Route, gate : Seq(GateItem), recovering : BOOLEAN]]
    /\ \A i \in Instances : NodeOK(i, node[i])
    /\ owner \in [Vertices -> [Flows -> [instance : Instances \cup {Nobody}, epoch : Epochs]]]
    /\ parked \in [Vertices -> [Flows -> Seq([source : Instances, request : Request])]]
    /\ applied \in [Vertices -> [Flows -> Seq(Entries)]]
    /\ counted \in [Vertices -> Seq(Clocks)]
    /\ fence \in [Instances -> Sessions]
    /\ asked \in 0 .. Len(Moves)
    /\ books \in Books
    /\ session \in Sessions
    /\ replay \in Sessions
    /\ starts \in [Instances -> Sessions]
    /\ DOMAIN recovering \subseteq Instances
    /\ \A i \in DOMAIN recovering : recovering[i] \in [start : Sessions, runs : BOOLEAN]
    /\ fencing \subseteq DOMAIN recovering
    /\ passed \in [Flows -> SUBSET Epochs]
    /\ held \in Seq(Leaving)
    /\ delivered \in Seq(Leaving)
    /\ crashed \in [Instances -> 0 .. MostCrashes]

AtEach(x) == [v \in Vertices |-> [f \in Flows |-> x]]

Init ==
    /\ channel = [x \in Addresses |-> [y \in To[x] |-> <<>>]]
    /\ arrived = 0
    /\ log = <<>>
    /\ splitter = [x \in Splitters |-> NewSplitter(x)]
    /\ node = [i \in Instances |-> [Down EXCEPT !.up = TRUE]]
    /\ owner = AtEach([instance |-> Nobody, epoch |-> 0])
    /\ parked = AtEach(<<>>)
    /\ applied = AtEach(<<>>)
    /\ counted = [v \in Vertices |-> <<>>]
    /\ fence = [i \in Instances |-> 0]
    /\ asked = 0
    /\ books = [wishes |-> <<>>, target |-> AtEach(<<>>), behind |-> AtEach(<<>>),
                begun |-> AtEach(<<>>), underWay |-> [f \in Flows |-> {}], questions |-> <<>>]
    /\ session = 0
    /\ replay = 0
    /\ starts = [i \in Instances |-> 0]
    /\ recovering = <<>>
    /\ fencing = {}
    /\ passed = [f \in Flows |-> {}]
    /\ held = <<>>
    /\ delivered = <<>>
    /\ crashed = [i \in Instances |-> 0]

-----------------------------------------------------------------------------
(* Channels *)

Content(c) == channel[c[1]][c[2]]
Oldest(c) == Head(Content(c))
Comes(c, type) == Content(c) # <<>> /\ Oldest(c).type = type

SendFrom(source, out) ==  \* without having been told to
    channel' = [channel EXCEPT ![source] = Behind(@, out)]

TakeAndSend(c, out) ==  \* the receiver of c takes the oldest message
    channel' = [channel EXCEPT ![c[1]][c[2]] = Tail(@),
                               ![c[2]] = IF out = Silence THEN @ ELSE Behind(@, out)]

-----------------------------------------------------------------------------
(* Root *)

Entrance == [splitter |-> splitter["root"], out |-> Silence]
Forwards(r) == splitter' = [splitter EXCEPT !["root"] = r.splitter]

\* ROOT-1, ROOT-2: a packet gets its clock, and is logged before it is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ log' = With(log, arrived + 1, [ended |-> FALSE, vector |-> {}, signals |-> {}])
    /\ LET r == Pass("root", Entrance, Packet(arrived + 1, Nobody, 0))
       IN  Forwards(r) /\ SendFrom("root", r.out)
    /\ UNCHANGED <<node, store, manager, sink, crashed>>

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
    /\ UNCHANGED <<arrived, splitter, node, store, manager, sink, crashed>>

\* DEL-2: the store has committed an update; a signal for a packet that is over is nothing.
RootTakesCommitted(c) ==
    /\ Comes(c, "committed")
    /\ LET m == Oldest(c)
       IN  log' = IF m.clock \in DOMAIN log
                  THEN Kept(m.clock, [log[m.clock] EXCEPT !.signals = @ \cup {m.update}])
                  ELSE log
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<arrived, splitter, node, store, manager, sink, crashed>>

\* CLONE-2, REC-1: every logged packet, in the order of the clocks, and behind them the mark that
\* the replay is over, with the newest clock that was given by then; and to a target that is right
\* behind us, the marks that may have been lost with its predecessor.
RootTakesReplay(c) ==
    /\ Comes(c, "replay")
    /\ LET m == Oldest(c)
           isLogged(k) == k \in DOMAIN log
           logged == SelectSeq([k \in 1 .. arrived |-> k], isLogged)
           again == [n \in 1 .. Len(logged) |-> Packet(logged[n], m.target, m.session)]
           end == <<ReplayEnd("root", m.target, m.session, arrived)>>
           marks == IF VertexOf[m.target] = 1 THEN <<Remind(m.target)>> ELSE <<>>
           r == PassAll("root", Entrance, again \o end \o marks)
       IN  Forwards(r) /\ TakeAndSend(c, r.out)
    /\ UNCHANGED <<root, node, store, manager, sink, crashed>>

-----------------------------------------------------------------------------
(* Instance *)

Awake(i) == [state |-> node[i], splitter |-> splitter[i], out |-> Silence]

\* On channel c its instance takes a message, and becomes r.  What comes to one that is down is
\* lost.
GoOn(c, r) ==
    LET i == c[2]
        up == node[i].up
    IN  /\ node' = IF up THEN [node EXCEPT ![i] = r.state] ELSE node
        /\ splitter' = IF up THEN [splitter EXCEPT ![i] = r.splitter] ELSE splitter
        /\ TakeAndSend(c, IF up THEN r.out ELSE Silence)
        /\ UNCHANGED <<root, store, manager, sink, crashed>>

InstanceTakesItem(c) ==
    LET i == c[2]
    IN  GoOn(c, WorkOn(i, [Awake(i) EXCEPT !.state = QueueItem(i, @, Oldest(c))]))

InstanceTakesPacket(c) == Comes(c, "packet") /\ InstanceTakesItem(c)
InstanceTakesLastMark(c) == Comes(c, "last") /\ InstanceTakesItem(c)
InstanceTakesPassed(c) == Comes(c, "passed") /\ InstanceTakesItem(c)
InstanceTakesReplayEnd(c) == Comes(c, "end") /\ InstanceTakesItem(c)

-----------------------------------------------------------------------------
(* Instance: answers.  One that nobody waits for was meant for a dead predecessor. *)

\* REC-2: the root has the delete of the packet in work, which leaves if it was the first.
InstanceTakesDeleted(c) ==
    /\ Comes(c, "deleted")
    /\ LET i == c[2]
           r == Awake(i)
           d == Oldest(c)
           p == r.state.work[1].packet
           left == IF d.first \/ ~LeaveOnFirstDelete THEN Leave(r, p) ELSE r
       IN  GoOn(c, IF d.start = r.state.start /\ Awaits(r.state, "delete", d.clock)
                   THEN WorkOn(i, Done(left, p))
                   ELSE r)

InstanceTakesGranted(c) ==
    /\ Comes(c, "granted")
    /\ LET i == c[2]
           r == Awake(i)
           n == r.state
           g == Oldest(c)
           slot == SlotOf(g)
           wasAsked == /\ slot \in DOMAIN n.blocked /\ n.blocked[slot] # <<>>
                       /\ Head(n.blocked[slot]).type = "packet"
                       /\ Head(n.blocked[slot]).clock = g.clock
           wasPeeked == Awaits(n, "grant", g.clock) /\ n.work[1].packet.epoch = g.epoch
           idle == [r EXCEPT !.state.work = <<>>]
       IN  GoOn(c,
             IF g.peek
             THEN IF wasPeeked
                  THEN WorkOn(i, Process(i, idle, n.work[1].packet, g.value, "seen"))
                  ELSE r
             ELSE IF wasAsked THEN WorkOn(i, Serve(r, g)) ELSE r)

\* CACHE-2: cached updates may be flushed at any time.
FlushTimer(i) ==
    /\ node[i].unflushed # <<>>
    /\ LET r == Flush(Awake(i))
       IN  node' = [node EXCEPT ![i] = r.state] /\ SendFrom(i, r.out)
    /\ UNCHANGED <<root, splitter, store, manager, sink, crashed>>

\* REC-1: a failover begins, empty, and waits for its replay; its splitter knows what the manager
\* knows of moves (MOVE-5).
InstanceTakesStart(c) ==
    /\ Comes(c, "start")
    /\ LET m == Oldest(c)
       IN  /\ node' = [node EXCEPT ![c[2]] =
                         [Down EXCEPT !.up = TRUE, !.start = m.session, !.recovering = TRUE]]
           /\ splitter' = [splitter EXCEPT ![c[2]] =
                             [route |-> m.route, gate |-> <<>>, recovering |-> TRUE]]
           /\ TakeAndSend(c, Send("manager", Ready(m.session)))
    /\ UNCHANGED <<root, store, manager, sink, crashed>>

(***************************************************************************)
(* MOVE-1, MOVE-5: a splitter is told that a flow moves, and where the new *)
(* tenure begins.                                                          *)
(***************************************************************************)
SplitterTakes(c, Becomes(_, _, _)) ==
    LET r == Becomes("root", Entrance, Oldest(c))
    IN  IF c[2] = "root"
        THEN /\ Forwards(r) /\ TakeAndSend(c, r.out)
             /\ UNCHANGED <<root, node, store, manager, sink, crashed>>
        ELSE GoOn(c, Becomes(c[2], Awake(c[2]), Oldest(c)))

SplitterTakesMove(c) == Comes(c, "move") /\ SplitterTakes(c, MoveAway)
SplitterTakesSince(c) == Comes(c, "since") /\ SplitterTakes(c, BeginAt)

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
    /\ splitter' = [splitter EXCEPT ![i] = NewSplitter(i)]
    /\ session' = session + 1
    /\ replay' = session + 1
    /\ starts' = [starts EXCEPT ![i] = session + 1]
    /\ recovering' = With(recovering, i, [start |-> session + 1, runs |-> FALSE])
    /\ fencing' = fencing \cup {i}
    /\ SendFrom("manager", Send("store", Fence(i, session + 1)))
    /\ UNCHANGED <<root, store, asked, books, sink>>

\* What a dead instance had under way, and was not yet taken, may be lost.  What has left for
\* the sink is on the wire.
Lose(c) ==
    /\ c[1] \in Instances /\ ~node[c[1]].up
    /\ c[2] # "sink" /\ Content(c) # <<>>
    /\ channel' = [channel EXCEPT ![c[1]][c[2]] = <<>>]
    /\ UNCHANGED <<root, splitter, node, store, manager, sink, crashed>>

-----------------------------------------------------------------------------
(* Store *)

IsVoid(i, m) == m.start < fence[i]
AppliedClocks(v, f) == {entry.clock : entry \in Range(applied[v][f])}
Stored(k, v, o) ==
    IF o = OwnObject THEN k \in AppliedClocks(v, Packets[k]) ELSE k \in Range(counted[v])

\* STORE-2: only the owner's update is applied.  DUP-2: one that is on record is not applied
\* again.  DEL-2: the root is told of what is applied.
StoreTakesApply(c) ==
    /\ Comes(c, "apply")
    /\ LET i == c[1]
           v == VertexOf[i]
           u == Oldest(c)
           k == u.entry.clock
           f == Packets[k]
           own == u.object = OwnObject
           known == SuppressUpdates /\ Stored(k, v, u.object)
           takes == ~IsVoid(i, u) /\ ~known /\ (own => owner[v][f].instance = i)
       IN  /\ applied' = IF takes /\ own THEN [applied EXCEPT ![v][f] = Append(@, u.entry)]
                         ELSE applied
           /\ counted' = IF takes /\ ~own THEN [counted EXCEPT ![v] = Append(@, k)] ELSE counted
           /\ TakeAndSend(c, IF takes THEN Send("root", Committed(k, v, u.object)) ELSE Silence)
    /\ UNCHANGED <<root, splitter, node, owner, parked, fence, manager, sink, crashed>>

\* DUP-3: what the flow's object was before packet k, and whether no later one has changed it.
ValueBefore(v, k) ==
    LET isEarlier(entry) == entry.clock < k
    IN  ValueOf(v, SelectSeq(applied[v][Packets[k]], isEarlier))
IsLatest(v, k) == \A j \in AppliedClocks(v, Packets[k]) : j <= k

\* MOVE-3: a later epoch waits for its turn.  MOVE-2: tenures end in order, whoever speaks first.
MustWait(m, o) ==  \* a request, and who owns its flow
    IF m.type = "acquire" THEN ~m.peek /\ m.epoch > o.epoch ELSE m.epoch > o.epoch + 1

(***************************************************************************)
(* Serve requests for one flow, in order, each with its source.  One that  *)
(* must wait is parked (MOVE-3); when another epoch begins, all that is    *)
(* parked is looked at once more (MOVE-4).  A release removes the old      *)
(* owner (MOVE-2).  Who asks is the owner, if nobody else is and it is     *)
(* its epoch; else it may only see what it asked for (DUP-3).              *)
(***************************************************************************)
RECURSIVE ServeAll(_, _, _)
ServeAll(v, s, requests) ==
    IF requests = <<>> THEN s
    ELSE LET asks == Head(requests)
             m == asks.request
             o == s.owner
             isFree == o.instance \in {Nobody, asks.source}
             ends == m.type = "release" /\ m.epoch = o.epoch + 1 /\ isFree
             grants == m.type = "acquire" /\ ~m.peek /\ m.epoch >= o.epoch /\ isFree
             after == IF ends THEN [instance |-> Nobody, epoch |-> m.epoch]
                      ELSE IF grants THEN [instance |-> asks.source, epoch |-> m.epoch]
                      ELSE o
             answer == Granted(m, ValueBefore(v, m.clock), grants, IsLatest(v, m.clock))
             out == IF m.type = "acquire" THEN Sent(s.out, asks.source, answer) ELSE s.out
         IN  IF MustWait(m, o)
             THEN ServeAll(v, [s EXCEPT !.parked =
                                 IF asks \in Range(@) THEN @ ELSE Append(@, asks)],
                           Tail(requests))
             ELSE IF after.epoch = o.epoch
             THEN ServeAll(v, [s EXCEPT !.owner = after, !.out = out], Tail(requests))
             ELSE ServeAll(v, [owner |-> after, out |-> out, parked |-> <<>>],
                           Tail(requests) \o s.parked)

StoreTakesRequest(c) ==
    /\ LET i == c[1]
           v == VertexOf[i]
           m == Oldest(c)
           f == IF m.type = "acquire" THEN FlowOf(m) ELSE m.flow
           s == ServeAll(v, [owner |-> owner[v][f], parked |-> parked[v][f], out |-> Silence],
                         <<[source |-> i, request |-> m]>>)
       IN  IF IsVoid(i, m) THEN TakeAndSend(c, Silence) /\ UNCHANGED <<owner, parked>>
           ELSE /\ owner' = [owner EXCEPT ![v][f] = s.owner]
                /\ parked' = [parked EXCEPT ![v][f] = s.parked]
                /\ TakeAndSend(c, s.out)
    /\ UNCHANGED <<root, splitter, node, applied, counted, fence, manager, sink, crashed>>

StoreTakesAcquire(c) == Comes(c, "acquire") /\ StoreTakesRequest(c)
StoreTakesRelease(c) == Comes(c, "release") /\ StoreTakesRequest(c)

\* REC-1: what this instance sent before its new start is void from now on.
StoreTakesFence(c) ==
    /\ Comes(c, "fence")
    /\ LET m == Oldest(c)
       IN  /\ fence' = [fence EXCEPT ![m.instance] = m.start]
           /\ TakeAndSend(c, Send("manager", Fenced(m)))
    /\ UNCHANGED <<root, splitter, node, owner, parked, applied, counted, manager, sink, crashed>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* Manager: moves.  In the middle of a step r.books is what becomes of its *)
(* books, and r.out what it sends.                                         *)
(***************************************************************************)
AtDesk == [books |-> books, out |-> Silence]
TellSplitters(r, v, m) == [r EXCEPT !.out = SentToAll(@, SplittersTo(v) \ fencing, m)]

\* MOVE-5: while a flow moves at one vertex, its packets come to the next one from two instances,
\* which hear of a move there at different moments.
MayMove(r, v, f) == OneVertexAtATime => \A one \in r.books.underWay[f] : one[1] = v

PlaceNow(r, v, f) ==
    LET all == r.books.target[v][f] IN IF all = <<>> THEN Home[v][f] ELSE all[Len(all)]

\* The splitters of a failover that has not begun are told by its start.
BeginMove(r, v, w) ==
    LET e == Len(r.books.target[v][w.flow]) + 1
        behind == IF v = 1 THEN 0 ELSE Len(r.books.target[v - 1][w.flow])
        moved == [r EXCEPT !.books.target[v][w.flow] = Append(@, w.to),
                           !.books.behind[v][w.flow] = Append(@, behind),
                           !.books.underWay[w.flow] = @ \cup {<<v, e>>}]
    IN  TellSplitters(moved, v, Move(w.flow, e, w.to, behind))

(***************************************************************************)
(* Begin every move that may begin, of each flow in the order of asking.   *)
(* Where the flow is already, it need not go.                              *)
(***************************************************************************)
RECURSIVE BeginMoves(_, _)
BeginMoves(r, wishes) ==
    IF wishes = <<>> THEN r
    ELSE LET w == Head(wishes)
             v == VertexOf[w.to]
             isBehind == \E one \in Range(r.books.wishes) : one.flow = w.flow
             r2 == IF isBehind \/ (w.to # PlaceNow(r, v, w.flow) /\ ~MayMove(r, v, w.flow))
                   THEN [r EXCEPT !.books.wishes = Append(@, w)]
                   ELSE IF w.to = PlaceNow(r, v, w.flow) THEN r
                   ELSE BeginMove(r, v, w)
         IN  BeginMoves(r2, Tail(wishes))

LookAtWishes(r) == BeginMoves([r EXCEPT !.books.wishes = <<>>], r.books.wishes)

(***************************************************************************)
(* MOVE-5: where a tenure begins is said once, for all tenures that have   *)
(* not begun, and to all splitters.  Where the flow moves above as well,   *)
(* its first packet may still be at the old instance there, and the        *)
(* question of the new one waits until that has handed over.  The packet   *)
(* that a splitter asks with after a failure may be a replayed one, from   *)
(* an earlier tenure: no tenure begins before the one before it.           *)
(***************************************************************************)
BeginsAt(clock, before) == Max({clock, before})

AnswerTo(r, q) ==
    LET b == q.begin
        above == PlaceOf(q.from)
        v == above + 1
        start == IF q.from = "root" THEN 0 ELSE starts[q.from]
        movesAbove == \E one \in r.books.underWay[b.flow] :
                        one[1] = above /\ r.books.target[above][b.flow][one[2]] = q.from
        known == r.books.begun[v][b.flow]
        first == BeginsAt(b.clock, Max({0} \cup Range(known)))
        all == known \o [n \in 1 .. b.epoch - Len(known) |-> first]
    IN  IF b.start # start THEN r  \* its sender is dead, and what it held was never sent
        ELSE IF BeginWaits /\ movesAbove THEN [r EXCEPT !.books.questions = Append(@, q)]
        ELSE TellSplitters([r EXCEPT !.books.begun[v][b.flow] = all], v,
                           Since(b.flow, b.epoch, all[b.epoch]))

RECURSIVE Answer(_, _)
Answer(r, questions) ==
    IF questions = <<>> THEN r ELSE Answer(AnswerTo(r, Head(questions)), Tail(questions))

\* The operator asks for a move.
AskMove ==
    /\ asked < Len(Moves)
    /\ asked' = asked + 1
    /\ LET r == LookAtWishes([AtDesk EXCEPT !.books.wishes = Append(@, Moves[asked + 1])])
       IN  books' = r.books /\ SendFrom("manager", r.out)
    /\ UNCHANGED <<root, splitter, node, store, recovery, sink, crashed>>

ManagerTakesBegin(c) ==
    /\ Comes(c, "begin")
    /\ LET r == AnswerTo(AtDesk, [from |-> c[1], begin |-> Oldest(c)])
       IN  books' = r.books /\ TakeAndSend(c, r.out)
    /\ UNCHANGED <<root, splitter, node, store, asked, recovery, sink, crashed>>

\* A tenure has ended; others may begin.
ManagerTakesHandedOver(c) ==
    /\ Comes(c, "handed over")
    /\ LET m == Oldest(c)
           over == [AtDesk EXCEPT !.books.underWay[m.flow] = @ \ {<<VertexOf[c[1]], m.epoch>>},
                                  !.books.questions = <<>>]
           r == LookAtWishes(Answer(over, books.questions))
       IN  books' = r.books /\ TakeAndSend(c, r.out)
    /\ UNCHANGED <<root, splitter, node, store, asked, recovery, sink, crashed>>

-----------------------------------------------------------------------------
(* Manager: failovers *)

\* MOVE-5: what the manager knows of moves behind an instance.
RouteBehind(i) ==
    LET v == VertexOf[i] + 1
        since(f, e) == IF e <= Len(books.begun[v][f]) THEN books.begun[v][f][e] ELSE Unknown
        moved(f) == [e \in 1 .. Len(books.target[v][f]) |->
                       [instance |-> books.target[v][f][e], since |-> since(f, e),
                        behind |-> books.behind[v][f][e]]]
    IN  IF IsLast(i) THEN RouteFrom(Last)
        ELSE [f \in Flows |-> RouteFrom(v - 1)[f] \o moved(f)]

\* REC-1: the failover may begin, unless it has failed again.
ManagerTakesFenced(c) ==
    /\ Comes(c, "fenced")
    /\ LET m == Oldest(c)
           i == m.instance
           begins == m.start = starts[i] /\ i \in fencing
       IN  /\ fencing' = IF begins THEN fencing \ {i} ELSE fencing
           /\ TakeAndSend(c, IF begins THEN Send(i, Start(m.start, RouteBehind(i))) ELSE Silence)
    /\ UNCHANGED <<root, splitter, node, store, asked, books, session, replay, starts, recovering,
                   sink, crashed>>

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
    /\ UNCHANGED <<root, splitter, node, store, asked, books, starts, fencing, sink, crashed>>

\* A failover has taken its replay in; the end of an earlier one tells nothing.
ManagerTakesRecovered(c) ==
    /\ Comes(c, "recovered")
    /\ recovering' = IF Oldest(c).session = replay THEN Without(recovering, c[1])
                     ELSE recovering
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, splitter, node, store, asked, books, session, replay, starts, fencing,
                   sink, crashed>>

-----------------------------------------------------------------------------
(* Sink *)

\* MOVE-6: an output leaves, or is held back while earlier ones may still come.
SinkTakesOutput(c) ==
    /\ Comes(c, "output")
    /\ LET o == Oldest(c)
       IN  IF MayPass(passed[FlowOf(o)], o.after)
           THEN delivered' = Append(delivered, o) /\ UNCHANGED held
           ELSE held' = Append(held, o) /\ UNCHANGED delivered
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, splitter, node, store, manager, passed, crashed>>

\* MOVE-6: a tenure has passed; what waited for it alone follows.
SinkTakesPassed(c) ==
    /\ Comes(c, "passed")
    /\ LET marks == [passed EXCEPT ![Oldest(c).flow] = @ \cup {Oldest(c).epoch}]
       IN  /\ passed' = marks
           /\ delivered' = delivered \o Freed(held, marks)
           /\ held' = StillHeld(held, marks)
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, splitter, node, store, manager, crashed>>

-----------------------------------------------------------------------------
FromOutside == Arrive \/ AskMove \/ \E i \in Instances : Crash(i)

\* Channels, by what they bring.
Ways == UNION {Above(i) \X {i} : i \in Instances}
Grants == {"store"} \X Instances
Starts == {"manager"} \X Instances
Orders == {"manager"} \X Splitters
Requests == Instances \X {"store"}
Reports == Splitters \X {"manager"}
Ends == Members(Last) \X {"root"}
Answers == {"root"} \X Members(Last)
Outputs == Members(Last) \X {"sink"}
Losses == {c \in Channels : c[1] \in Fragile}

Inside ==
    \/ \E c \in Ends : RootTakesDelete(c)
    \/ RootTakesCommitted(<<"store", "root">>) \/ RootTakesReplay(<<"manager", "root">>)
    \/ \E c \in Orders : SplitterTakesMove(c) \/ SplitterTakesSince(c)
    \/ \E c \in Ways : \/ InstanceTakesPacket(c) \/ InstanceTakesLastMark(c)
                       \/ InstanceTakesPassed(c) \/ InstanceTakesReplayEnd(c)
    \/ \E c \in Answers : InstanceTakesDeleted(c)
    \/ \E c \in Grants : InstanceTakesGranted(c)
    \/ \E c \in Starts : InstanceTakesStart(c)
    \/ \E i \in Instances : FlushTimer(i)
    \/ \E c \in Requests : StoreTakesApply(c) \/ StoreTakesAcquire(c) \/ StoreTakesRelease(c)
    \/ StoreTakesFence(<<"manager", "store">>)
    \/ ManagerTakesFenced(<<"store", "manager">>)
    \/ \E c \in Reports : \/ ManagerTakesBegin(c) \/ ManagerTakesHandedOver(c)
                          \/ ManagerTakesReady(c) \/ ManagerTakesRecovered(c)
    \/ \E c \in Outputs : SinkTakesOutput(c) \/ SinkTakesPassed(c)
    \/ \E c \in Losses : Lose(c)

Next == FromOutside \/ Inside

\* Nothing is under way, and nothing waits for a timer.
AtRest ==
    /\ \A c \in Channels : Content(c) = <<>>
    /\ \A i \in Instances : node[i].unflushed = <<>>

(***************************************************************************)
(* As long as anything can be done inside, something is: WF_vars(Inside),  *)
(* written out as in Reallocation.  Packets and wishes need not come, and  *)
(* instances fail finitely often.                                          *)
(***************************************************************************)
Fairness == []<>AtRest \/ []<><<Inside>>_vars

InsideIsEnabled == AtRest <=> ~ENABLED <<Inside>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
