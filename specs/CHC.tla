--------------------------------- MODULE CHC ---------------------------------
(***************************************************************************)
(* The chain while nothing is moved, cloned or fails: clocks, the log at   *)
(* the root, offloaded updates, their commit signals, and deletes.         *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4, 5 and 5.4, Figure 6.                 *)
(* Clauses: CHAIN-1, CHAIN-2, SPLIT-3, QUEUE-1, QUEUE-2, STORE-2 to        *)
(* STORE-6, CACHE-2, ROOT-1, ROOT-2, ROOT-3, REC-2, DEL-1, DEL-2, DEL-3.   *)
(*                                                                         *)
(* The root gives every packet a clock, logs it and sends a copy down      *)
(* every edge.  An instance processes one packet at a time; it asks the    *)
(* store for a flow when the flow's first packet comes, and from then on   *)
(* works on a cached value.  Updates are operations that the store applies *)
(* one by one; it signals each of them to the root.  A copy of a packet    *)
(* collects what it has induced in a vector.  Behind the last vertex the   *)
(* root gets the vector with the delete of this copy, and only when it has *)
(* answered the output leaves.  The packet leaves the log when all its     *)
(* copies have ended and all that they have induced is committed.          *)
(*                                                                         *)
(* Every transition is one step of one component: it takes the head of one *)
(* of its FIFO channels, or the next packet comes.                         *)
(*                                                                         *)
(* Left out: moves, clones, failures; drops by NFs; the threshold.         *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
    Vertices,  \* vertices of the chain
    Kind,      \* what each vertex does with a packet: see below
    Instances, \* instances of all vertices
    VertexOf,  \* the vertex of each instance
    Below,     \* for "root" and each vertex: the vertices behind it, in order
    Arrivals,  \* the flows of the packets that come, in this order
    Home       \* for each vertex, the instance that each flow goes to

(***************************************************************************)
(* "counter" numbers the packets of each flow, on the cached value, and    *)
(* counts all packets without waiting; "marker" counts them and waits for  *)
(* the store's answer; "pass" has no state.                                *)
(***************************************************************************)
Kinds == {"counter", "marker", "pass"}

Flows == {Arrivals[n] : n \in 1 .. Len(Arrivals)}

ASSUME /\ Kind \in [Vertices -> Kinds]
       /\ VertexOf \in [Instances -> Vertices]
       /\ "root" \notin Vertices
       /\ Below \in [{"root"} \cup Vertices -> Seq(Vertices)]
       /\ Home \in [Vertices -> [Flows -> Instances]]
       /\ \A v \in Vertices, f \in Flows : VertexOf[Home[v][f]] = v

(***************************************************************************)
(* Rules that a bounded instance may change, to see what each is good for. *)
(***************************************************************************)
Dropped == FALSE

WaitForAllCopies == TRUE  \* ROOT-3: a packet is over when all copies have ended
WaitForCommits == TRUE    \* DEL-3: and when all updates are committed
AnswerDeletes == TRUE     \* REC-2: the root tells whoever waits that it has a delete
KeepOrder == TRUE         \* QUEUE-1: what waits for its flow is worked off as it came
SignalByStore == TRUE     \* DEL-2: the store signals a commit, and no instance before it

\* DEL-1, DEL-3 amended: the vector is the set of the updates, and is covered.
Covered(vector, signals) == vector \subseteq signals

VARIABLES
    clock,      \* root: clock of the newest packet
    log,        \* root: what is known of each logged packet
    channel,    \* messages under way, for each pair of components
    queue,      \* instance: items taken from the channels, not yet looked at
    ready,      \* instance: packets whose flow has just become available
    waiting,    \* instance: packets that wait for their flow's value, by flow
    cached,     \* instance: value of each flow that it owns
    work,       \* instance: the packet in work, and what it waits for
    owner,      \* store: instance that owns each flow at each vertex
    applied,    \* store: updates of each object, in the order of their application
    delivered   \* sink: outputs in the order in which they came

root == <<clock, log>>
instances == <<queue, ready, waiting, cached, work>>
store == <<owner, applied>>
vars == <<root, channel, instances, store, delivered>>

-----------------------------------------------------------------------------
Clocks == 1 .. Len(Arrivals)
FlowOf(k) == Arrivals[k]

IsLast(v) == Below[v] = <<>>

\* Objects by vertex and name; those of a flow have its name as their key.
Object(v, name, key) == [vertex |-> v, name |-> name, key |-> key]
Shared == "all"
Total(v) == Object(v, "total", Shared)
Marked(v) == Object(v, "marked", Shared)
Count(v, f) == Object(v, "count", f)

ObjectsOf(v, f) ==  \* that a packet of f updates at v
    CASE Kind[v] = "counter" -> {Total(v), Count(v, f)}
      [] Kind[v] = "marker" -> {Marked(v)}
      [] OTHER -> {}

Objects == UNION {ObjectsOf(v, f) : v \in Vertices, f \in Flows}

\* QUEUE-2: a copy is known by the packet's clock and by its branch: one number for
\* each place where there was more than one way to go.
Packet(k, branch, said, induced, before) ==
    [type |-> "packet", clock |-> k, branch |-> branch, said |-> said,
     induced |-> induced, before |-> before]

Update(p, object) == [clock |-> p.clock, branch |-> p.branch, object |-> object]

Acquire(p) == [type |-> "acquire", clock |-> p.clock, branch |-> p.branch]
Granted(p, n) == [type |-> "granted", clock |-> p.clock, branch |-> p.branch, number |-> n]
Apply(update, blocking) == [type |-> "apply", update |-> update, blocking |-> blocking]
Result(update) == [type |-> "result", update |-> update]
Committed(update) == [type |-> "committed", update |-> update]
Delete(p) == [type |-> "delete", clock |-> p.clock, branch |-> p.branch,
              vector |-> p.before \cup p.induced]
Deleted(d, first) == [type |-> "deleted", clock |-> d.clock, branch |-> d.branch, first |-> first]
Output(p) == [type |-> "output", clock |-> p.clock, branch |-> p.branch, said |-> p.said]

Components == {"root", "store", "sink"} \cup Instances
Pairs == (Instances \X {"root", "store", "sink"}) \cup ({"root", "store"} \X Instances)
         \cup (Instances \X Instances) \cup {<<"store", "root">>}

NotOwned == -1
Nothing == "nothing"
NoPacket == Packet(0, <<>>, <<>>, {}, {})
Idle == [packet |-> NoPacket, awaits |-> Nothing]

-----------------------------------------------------------------------------
(* Sequences *)

Range(s) == {s[n] : n \in 1 .. Len(s)}

RECURSIVE After(_, _)
After(channels, sends) ==  \* channels after <<from, to, message>>, ... were sent
    IF sends = <<>> THEN channels
    ELSE LET send == Head(sends)
         IN  After([channels EXCEPT ![<<send[1], send[2]>>] = Append(@, send[3])], Tail(sends))

RECURSIVE Joined(_)
Joined(sequences) ==
    IF sequences = <<>> THEN <<>> ELSE Head(sequences) \o Joined(Tail(sequences))

Taken(from, to) == [channel EXCEPT ![<<from, to>>] = Tail(@)]
Comes(from, to, type) ==
    channel[<<from, to>>] # <<>> /\ Head(channel[<<from, to>>]).type = type

-----------------------------------------------------------------------------
(* Splitter: behind the root and behind every instance *)

(***************************************************************************)
(* SPLIT-3, CHAIN-1: one copy of p for each edge, to the instance that has *)
(* its flow.  Where there are several edges the copies get names, and what *)
(* was induced so far counts for all of them.                              *)
(***************************************************************************)
Forwarded(source, at, p) ==
    LET edges == Below[at]
        Copy(n) == IF Len(edges) = 1 THEN p
                   ELSE [p EXCEPT !.branch = Append(@, n - 1), !.induced = {},
                                  !.before = @ \cup p.induced]
    IN  [n \in 1 .. Len(edges) |->
            <<source, Home[edges[n]][FlowOf(p.clock)], Copy(n)>>]

RECURSIVE Visits(_, _)
Visits(at, branch) ==  \* <<vertex, branch>> of every copy on its way from here
    LET edges == Below[at]
        Named(n) == IF Len(edges) = 1 THEN branch ELSE Append(branch, n - 1)
    IN  UNION {{<<edges[n], Named(n)>>} \cup Visits(edges[n], Named(n)) : n \in 1 .. Len(edges)}

\* The branches with which copies leave the chain.
Ends == {visit[2] : visit \in {w \in Visits("root", <<>>) : IsLast(w[1])}}

-----------------------------------------------------------------------------
(* Root *)

NotLogged == [logged |-> FALSE, ended |-> {}, vector |-> {}, signals |-> {}]
NewEntry == [NotLogged EXCEPT !.logged = TRUE]

Logged(k) == log[k].logged

\* ROOT-3, DEL-3: is the packet of this entry over?
IsOver(entry) ==
    /\ IF WaitForAllCopies THEN entry.ended = Ends ELSE entry.ended # {}
    /\ WaitForCommits => Covered(entry.vector, entry.signals)

Kept(k, entry) == [log EXCEPT ![k] = IF IsOver(entry) THEN NotLogged ELSE entry]

\* ROOT-1, ROOT-2: the next packet gets its clock, is logged, and goes on its way.
Arrive ==
    /\ clock < Len(Arrivals)
    /\ clock' = clock + 1
    /\ log' = [log EXCEPT ![clock + 1] = NewEntry]
    /\ channel' = After(channel,
                        Forwarded("root", "root", Packet(clock + 1, <<>>, <<>>, {}, {})))
    /\ UNCHANGED <<instances, store, delivered>>

\* ROOT-3, REC-2: a copy has ended; of the deletes of one copy only the first counts.
RootTakesDelete(i) ==
    /\ Comes(i, "root", "delete")
    /\ LET d == Head(channel[<<i, "root">>])
           entry == log[d.clock]
           first == entry.logged /\ d.branch \notin entry.ended
       IN  /\ log' = IF first
                     THEN Kept(d.clock, [entry EXCEPT !.ended = @ \cup {d.branch},
                                                      !.vector = @ \cup d.vector])
                     ELSE log
           /\ channel' = After(Taken(i, "root"),
                               IF AnswerDeletes THEN << <<"root", i, Deleted(d, first)>> >> ELSE <<>>)
    /\ UNCHANGED <<clock, instances, store, delivered>>

\* DEL-2: an update is committed.  The packet may be over by now.
RootTakesCommitted(from) ==
    /\ Comes(from, "root", "committed")
    /\ LET u == Head(channel[<<from, "root">>]).update
           entry == log[u.clock]
       IN  log' = IF ~entry.logged THEN log
                  ELSE Kept(u.clock, [entry EXCEPT !.signals = @ \cup {u}])
    /\ channel' = Taken(from, "root")
    /\ UNCHANGED <<clock, instances, store, delivered>>

-----------------------------------------------------------------------------
(* Instance *)

(***************************************************************************)
(* What one step of instance i makes of its part s of the state: s has the *)
(* fields queue, ready, waiting, cached and work, and the messages sends.  *)
(***************************************************************************)
Before(i, q) == [queue |-> q, ready |-> ready[i], waiting |-> waiting[i],
                 cached |-> cached[i], work |-> work[i], sends |-> <<>>]

Send(s, i, to, message) == [s EXCEPT !.sends = Append(@, <<i, to, message>>)]

Tell(s, i, update, blocking) ==
    LET told == Send(s, i, "store", Apply(update, blocking))
    IN  IF SignalByStore THEN told ELSE Send(told, i, "root", Committed(update))

\* STORE-5, CACHE-2: updates that p does not wait for go out before anything else of it.
\* REC-2: behind the last vertex the output waits until the root has the delete.
Finish(i, s, p) ==
    IF IsLast(VertexOf[i])
    THEN [Send(s, i, "root", Delete(p)) EXCEPT !.work = [packet |-> p, awaits |-> "delete"]]
    ELSE [s EXCEPT !.sends = @ \o Forwarded(i, VertexOf[i], p), !.work = Idle]

Induce(p, object) == [p EXCEPT !.induced = @ \cup {Update(p, object)}]

Number(i, s, p) ==
    LET v == VertexOf[i]
        f == FlowOf(p.clock)
        n == s.cached[f] + 1
        total == Update(p, Total(v))
        count == Update(p, Count(v, f))
        done == [s EXCEPT !.cached[f] = n]
        told == Tell(Tell(done, i, total, FALSE), i, count, FALSE)
    IN  Finish(i, told, [Induce(Induce(p, Total(v)), Count(v, f)) EXCEPT !.said = Append(@, n)])

Mark(i, s, p) ==
    LET marked == Update(p, Marked(VertexOf[i]))
    IN  [Tell(s, i, marked, TRUE) EXCEPT !.work = [packet |-> p, awaits |-> "result"]]

Process(i, s, p) ==
    CASE Kind[VertexOf[i]] = "counter" -> Number(i, s, p)
      [] Kind[VertexOf[i]] = "marker" -> Mark(i, s, p)
      [] OTHER -> Finish(i, s, p)

\* MOVE-3: the first packet of a flow asks the store for it; what follows waits behind.
Look(i, s, p) ==
    LET f == FlowOf(p.clock) IN
    IF s.waiting[f] # <<>>
    THEN [s EXCEPT !.waiting[f] = IF KeepOrder THEN Append(@, p) ELSE <<p>> \o @]
    ELSE IF s.cached[f] # NotOwned THEN Process(i, s, p)
    ELSE Send([s EXCEPT !.waiting[f] = <<p>>], i, "store", Acquire(p))

RECURSIVE WorkOff(_, _)
WorkOff(i, s) ==  \* QUEUE-1: as far as it goes without an answer
    IF s.work.awaits # Nothing THEN s
    ELSE IF s.ready # <<>>
    THEN WorkOff(i, Look(i, [s EXCEPT !.ready = Tail(@)], Head(s.ready)))
    ELSE IF s.queue # <<>>
    THEN WorkOff(i, Look(i, [s EXCEPT !.queue = Tail(@)], Head(s.queue)))
    ELSE s

Step(i, from, s) ==
    LET after == WorkOff(i, s) IN
    /\ queue' = [queue EXCEPT ![i] = after.queue]
    /\ ready' = [ready EXCEPT ![i] = after.ready]
    /\ waiting' = [waiting EXCEPT ![i] = after.waiting]
    /\ cached' = [cached EXCEPT ![i] = after.cached]
    /\ work' = [work EXCEPT ![i] = after.work]
    /\ channel' = After(Taken(from, i), after.sends)
    /\ UNCHANGED <<root, store, delivered>>

InstanceTakesPacket(from, i) ==
    /\ Comes(from, i, "packet")
    /\ Step(i, from, Before(i, Append(queue[i], Head(channel[<<from, i>>]))))

\* MOVE-4: the flow's value comes, and with it the turn of what waited for it.
InstanceTakesGranted(i) ==
    /\ Comes("store", i, "granted")
    /\ LET g == Head(channel[<<"store", i>>])
           f == FlowOf(g.clock)
           s == Before(i, queue[i])
       IN  Step(i, "store", [s EXCEPT !.cached[f] = g.number, !.waiting[f] = <<>>,
                                      !.ready = @ \o s.waiting[f]])

\* STORE-6: the answer to an update that the packet in work waits for.
InstanceTakesResult(i) ==
    /\ Comes("store", i, "result")
    /\ LET p == work[i].packet
           s == [Before(i, queue[i]) EXCEPT !.work = Idle]
       IN  Step(i, "store", Finish(i, s, Induce(p, Marked(VertexOf[i]))))

\* REC-2: the root has the delete; the output leaves, if it was the first of its copy.
InstanceTakesDeleted(i) ==
    /\ Comes("root", i, "deleted")
    /\ LET d == Head(channel[<<"root", i>>])
           s == [Before(i, queue[i]) EXCEPT !.work = Idle]
       IN  Step(i, "root", IF d.first THEN Send(s, i, "sink", Output(work[i].packet)) ELSE s)

-----------------------------------------------------------------------------
(* Store *)

\* All objects are counters: a value is the number of the updates.
Value(object) == Len(applied[object])
AllApplied == UNION {Range(applied[o]) : o \in Objects}

\* STORE-2: the flow's owner is the instance that has asked for it.
StoreTakesAcquire(i) ==
    /\ Comes(i, "store", "acquire")
    /\ LET a == Head(channel[<<i, "store">>])
           v == VertexOf[i]
           f == FlowOf(a.clock)
           number == IF Kind[v] = "counter" THEN Value(Count(v, f)) ELSE 0
       IN  /\ owner' = [owner EXCEPT ![v][f] = i]
           /\ channel' = After(Taken(i, "store"), << <<"store", i, Granted(a, number)>> >>)
    /\ UNCHANGED <<root, instances, applied, delivered>>

\* STORE-4, DEL-2: updates are applied one by one, and each is signalled to the root.
StoreTakesApply(i) ==
    /\ Comes(i, "store", "apply")
    /\ LET a == Head(channel[<<i, "store">>])
           signal == << <<"store", "root", Committed(a.update)>> >>
           answer == IF a.blocking THEN << <<"store", i, Result(a.update)>> >> ELSE <<>>
       IN  /\ applied' = [applied EXCEPT ![a.update.object] = Append(@, a.update)]
           /\ channel' = After(Taken(i, "store"), answer \o signal)
    /\ UNCHANGED <<root, instances, owner, delivered>>

-----------------------------------------------------------------------------
(* Sink *)

SinkTakesOutput(i) ==
    /\ Comes(i, "sink", "output")
    /\ delivered' = Append(delivered, Head(channel[<<i, "sink">>]))
    /\ channel' = Taken(i, "sink")
    /\ UNCHANGED <<root, instances, store>>

-----------------------------------------------------------------------------
AtRest == \A pair \in Pairs : channel[pair] = <<>>

Init ==
    /\ clock = 0
    /\ log = [k \in Clocks |-> NotLogged]
    /\ channel = [pair \in Pairs |-> <<>>]
    /\ queue = [i \in Instances |-> <<>>]
    /\ ready = [i \in Instances |-> <<>>]
    /\ waiting = [i \in Instances |-> [f \in Flows |-> <<>>]]
    /\ cached = [i \in Instances |-> [f \in Flows |-> NotOwned]]
    /\ work = [i \in Instances |-> Idle]
    /\ owner = [v \in Vertices |-> [f \in Flows |-> Nothing]]
    /\ applied = [o \in Objects |-> <<>>]
    /\ delivered = <<>>

AtInstance(i) ==
    \/ \E from \in {"root"} \cup Instances : InstanceTakesPacket(from, i)
    \/ InstanceTakesGranted(i) \/ InstanceTakesResult(i) \/ InstanceTakesDeleted(i)

AtStore(i) == StoreTakesAcquire(i) \/ StoreTakesApply(i)

AtRoot ==
    \/ \E from \in {"store"} \cup Instances : RootTakesCommitted(from)
    \/ \E i \in Instances : RootTakesDelete(i)

Work == AtRoot \/ \E i \in Instances : AtInstance(i) \/ AtStore(i) \/ SinkTakesOutput(i)

Next == Arrive \/ Work

\* Every message is taken in the end; packets need not come.  Each step takes a message
\* and none goes round, so to let somebody step is to let everybody step.  Written out, as
\* TLC is slow on ENABLED: whatever is under way can be taken.
Fairness == []<>AtRest \/ []<><<Work>>_vars

Spec == Init /\ [][Next]_vars /\ Fairness

-----------------------------------------------------------------------------
Branches == {visit[2] : visit \in Visits("root", <<>>)}
Updates == [clock : Clocks, branch : Branches, object : Objects]

IsCopy(p) ==
    /\ p.type = "packet" /\ p.clock \in Clocks /\ p.branch \in Branches
    /\ p.said \in Seq(Nat) /\ p.induced \subseteq Updates /\ p.before \subseteq Updates

IsMessage(m) ==
    CASE m.type = "packet" -> IsCopy(m)
      [] m.type \in {"apply", "result", "committed"} -> m.update \in Updates
      [] m.type = "delete" -> m.vector \subseteq Updates
      [] m.type = "granted" -> m.number \in Nat
      [] m.type = "deleted" -> m.first \in BOOLEAN
      [] m.type = "output" -> m.said \in Seq(Nat)
      [] OTHER -> m.type = "acquire"

Copies == UNION {Range(channel[pair]) : pair \in Pairs}
Buffered(i) == Range(queue[i]) \cup Range(ready[i]) \cup UNION {Range(waiting[i][f]) : f \in Flows}

TypeOK ==
    /\ clock \in 0 .. Len(Arrivals)
    /\ DOMAIN log = Clocks
    /\ \A k \in Clocks : /\ log[k].logged \in BOOLEAN /\ log[k].ended \subseteq Ends
                          /\ log[k].vector \subseteq Updates /\ log[k].signals \subseteq Updates
    /\ DOMAIN channel = Pairs
    /\ \A m \in Copies : IsMessage(m) /\ (m.type \notin {"apply", "result", "committed"} =>
                                             m.clock \in Clocks /\ m.branch \in Branches)
    /\ \A i \in Instances, f \in Flows : cached[i][f] \in Nat \cup {NotOwned}
    /\ \A i \in Instances : work[i].awaits \in {Nothing, "result", "delete"}
    /\ \A i \in Instances : work[i] = Idle \/ IsCopy(work[i].packet)
    /\ \A i \in Instances : \A p \in Buffered(i) : IsCopy(p)
    /\ owner \in [Vertices -> [Flows -> Instances \cup {Nothing}]]
    /\ DOMAIN applied = Objects
    /\ \A o \in Objects : \A u \in Range(applied[o]) : u \in Updates /\ u.object = o
    /\ \A o \in Range(delivered) : o.type = "output" /\ IsMessage(o)

(***************************************************************************)
(* ROOT-3: the log holds every packet of which a copy is still in the      *)
(* chain.                                                                  *)
(***************************************************************************)
InChain(k) ==
    \/ \E m \in Copies : m.type \in {"packet", "delete"} /\ m.clock = k
    \/ \E i \in Instances :
         \/ \E p \in Buffered(i) : p.clock = k
         \/ work[i].awaits = "result" /\ work[i].packet.clock = k

LoggedWhileInChain == \A k \in 1 .. clock : InChain(k) => Logged(k)

(***************************************************************************)
(* DEL-3: the log holds every packet with an update that is not committed, *)
(* for only a replay could bring the update back.                          *)
(***************************************************************************)
UnderWay == {m.update : m \in {n \in Copies : n.type = "apply"}}

LoggedUntilCommitted == \A u \in UnderWay : Logged(u.clock)

(***************************************************************************)
(* DEL-2: what the root has been told is committed.                        *)
(***************************************************************************)
SignalsAreTrue ==
    \A k \in Clocks : Logged(k) => log[k].signals \subseteq AllApplied

(***************************************************************************)
(* STORE-2, STORE-6, R5: no update is applied twice, and those of a flow   *)
(* are applied in the order of its packets, also to an object that flows   *)
(* share; where each packet comes to a vertex once.                        *)
(***************************************************************************)
AppliedOnceInOrder ==
    \A o \in Objects : \A m, n \in 1 .. Len(applied[o]) :
        m < n => /\ applied[o][m] # applied[o][n]
                 /\ FlowOf(applied[o][m].clock) = FlowOf(applied[o][n].clock) =>
                      applied[o][m].clock < applied[o][n].clock

(***************************************************************************)
(* COE, for outputs: each says what it would in the ideal chain, in which  *)
(* packets are taken one by one, in the order of their clocks.             *)
(***************************************************************************)
Earlier(k) == {j \in 1 .. k : FlowOf(j) = FlowOf(k)}

RECURSIVE Said(_, _, _)
Said(at, branch, k) ==  \* what a copy says that goes this way
    LET edges == Below[at]
        own == IF at # "root" /\ Kind[at] = "counter" THEN <<Cardinality(Earlier(k))>> ELSE <<>>
    IN  IF edges = <<>> THEN own
        ELSE IF Len(edges) = 1 THEN own \o Said(edges[1], branch, k)
        ELSE own \o Said(edges[Head(branch) + 1], Tail(branch), k)

OutputsAsIdeal == \A o \in Range(delivered) : o.said = Said("root", o.branch, o.clock)

(***************************************************************************)
(* LIVE and R5, as an invariant: when nothing is under way, all copies     *)
(* have left, once, all updates are made, and nothing is logged or waits   *)
(* any more.                                                               *)
(***************************************************************************)
Induced(k) ==
    UNION {{[clock |-> k, branch |-> visit[2], object |-> o] : o \in ObjectsOf(visit[1], FlowOf(k))} :
             visit \in Visits("root", <<>>)}

Left == {<<o.clock, o.branch>> : o \in Range(delivered)}

NothingStuck ==
    AtRest =>
        /\ \A k \in Clocks : ~Logged(k)
        /\ Left = (1 .. clock) \X Ends /\ Len(delivered) = Cardinality(Left)
        /\ AllApplied = UNION {Induced(k) : k \in 1 .. clock}
        /\ \A i \in Instances : work[i].awaits = Nothing /\ Buffered(i) = {}

(***************************************************************************)
(* LIVE: every packet that comes leaves in all its copies, and its entry   *)
(* leaves the log.                                                         *)
(***************************************************************************)
IsThrough(k) == ~Logged(k) /\ \A b \in Ends : <<k, b>> \in Left

EveryPacketGetsThrough == \A k \in Clocks : clock >= k ~> IsThrough(k)

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain of the same vertices  *)
(* and edges.  An update is made when an instance sends it, and stored     *)
(* when the store applies it; one object of a vertex tells which copies of *)
(* a flow it has had, in which order.                                      *)
(***************************************************************************)
Telling(v, f) == IF Kind[v] = "counter" THEN Count(v, f) ELSE Marked(v)

MadeBy(v, f) ==
    LET isApply(m) == m.type = "apply"
        applies == SelectSeq(channel[<<Home[v][f], "store">>], isApply)
        sent == [n \in 1 .. Len(applies) |-> applies[n].update]
        is(u) == u.object = Telling(v, f) /\ FlowOf(u.clock) = f
        updates == SelectSeq(applied[Telling(v, f)] \o sent, is)
    IN  [n \in 1 .. Len(updates) |-> [clock |-> updates[n].clock, branch |-> updates[n].branch]]

IdealChain == INSTANCE IdealGraph WITH
    taken <- clock,
    made <- [v \in Vertices |->
               [f \in Flows |-> IF ObjectsOf(v, f) = {} THEN <<>> ELSE MadeBy(v, f)]],
    stored <- [o \in Objects |-> Value(o)],
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, branch |-> delivered[n].branch,
                said |-> delivered[n].said]]

RefinesSafety == IdealChain!Safety
RefinesLiveness == IdealChain!Fairness
Refines == IdealChain!Spec

THEOREM Spec => Refines

-----------------------------------------------------------------------------
(***************************************************************************)
(* The paper's rule in the place of Covered (DEL-1, DEL-3): identifiers    *)
(* are XORed, and all is well when nothing is left.                        *)
(***************************************************************************)
CONSTANT Identifier \* of each object of a vertex, by <<vertex, name>>

RECURSIVE Xor(_, _)
Xor(a, b) == IF a = 0 THEN b ELSE IF b = 0 THEN a
             ELSE 2 * Xor(a \div 2, b \div 2) + ((a + b) % 2)

RECURSIVE XorOf(_)
XorOf(numbers) ==
    IF numbers = {} THEN 0
    ELSE LET n == CHOOSE m \in numbers : TRUE IN Xor(n, XorOf(numbers \ {n}))

OfBranch(updates, b) == {Identifier[<<u.object.vertex, u.object.name>>] :
                            u \in {w \in updates : w.branch = b}}

XorCovered(vector, signals) ==
    \A b \in {u.branch : u \in vector \cup signals} :
        XorOf(OfBranch(vector, b)) = XorOf(OfBranch(signals, b))

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* The ideal chain has taken every packet, and nothing is left to do.
NeverThrough == ~(clock = Len(Arrivals) /\ IdealChain!IsDone)

\* Of two copies that come to one vertex by different ways, the later branch is the first.
NeverOtherWay ==
    \A o \in Objects : \A n \in 2 .. Len(applied[o]) :
        LET u == applied[o][n - 1]
            w == applied[o][n]
        IN  u.clock = w.clock => Head(u.branch) < Head(w.branch)

\* All copies have ended, and the packet is kept for an update alone.
NeverKeptForUpdate ==
    \A k \in Clocks : Logged(k) => log[k].ended # Ends

\* An update is committed while its packet's copy is still on its way.
NeverCommittedFirst ==
    \A k \in Clocks : Logged(k) => log[k].signals \subseteq log[k].vector

\* A later packet is over while an earlier one is still logged.
NeverOvertaken ==
    \A j, k \in 1 .. clock : j < k /\ Logged(j) => Logged(k)

\* Packets of two flows wait for their values at one instance.
NeverTwoWait ==
    \A i \in Instances : Cardinality({f \in Flows : waiting[i][f] # <<>>}) < 2
=============================================================================
