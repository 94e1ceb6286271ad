--------------------------------- MODULE CHC ---------------------------------
(***************************************************************************)
(* The chain while nothing is moved, cloned or fails: clocks, the log at   *)
(* the root, offloaded updates, their commit signals, and deletes.         *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4, 5 and 5.4, Figure 6.                 *)
(* Clauses: CHAIN-1, CHAIN-2, SPLIT-3, QUEUE-1, QUEUE-2, STORE-2 to        *)
(* STORE-6, CACHE-2, ROOT-1, ROOT-2, ROOT-3, ORDER-1, REC-2, DUP-2, DEL-1, *)
(* DEL-2, DEL-3.                                                           *)
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
(* the store's answer; "earliest" notes which flow came first, by the      *)
(* clocks; "borrow" takes a number from a pool, waits for it, and puts it  *)
(* back behind the others; "pass" has no state.                            *)
(***************************************************************************)
Kinds == {"counter", "marker", "earliest", "borrow", "pass"}
InPool == <<1, 2, 3>>  \* the numbers, at first

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
ShownClock(k) == k        \* ORDER-1: an NF sees the packet's clock

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
    applied,    \* store: updates of each counter, in the order of their application
    noted,      \* store: value of each other object, and what each of its updates returned
    delivered   \* sink: outputs in the order in which they came

root == <<clock, log>>
instances == <<queue, ready, waiting, cached, work>>
store == <<owner, applied, noted>>
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
Earliest(v) == Object(v, "earliest", Shared)
Pool(v) == Object(v, "pool", Shared)

ObjectsOf(v, f) ==  \* that a packet of f updates at v
    CASE Kind[v] = "counter" -> {Total(v), Count(v, f)}
      [] Kind[v] = "marker" -> {Marked(v)}
      [] Kind[v] = "earliest" -> {Earliest(v)}
      [] Kind[v] = "borrow" -> {Pool(v)}
      [] OTHER -> {}

Objects == UNION {ObjectsOf(v, f) : v \in Vertices, f \in Flows}
Others == {o \in Objects : Kind[o.vertex] \in {"earliest", "borrow"}}
Counters == Objects \ Others

\* How often a packet updates an object.
Times(o) == IF Kind[o.vertex] = "borrow" THEN 2 ELSE 1

\* QUEUE-2: a copy is known by the packet's clock and by its branch: one number for
\* each place where there was more than one way to go.
Packet(k, branch, said, induced, before) ==
    [type |-> "packet", clock |-> k, branch |-> branch, said |-> said,
     induced |-> induced, before |-> before]

\* DUP-2: of several updates of one object by one packet each is known by its number.
Update(p, object) == [clock |-> p.clock, branch |-> p.branch, object |-> object, nth |-> 1]
Second(update) == [update EXCEPT !.nth = 2]

Acquire(p) == [type |-> "acquire", clock |-> p.clock, branch |-> p.branch]
Granted(p, n) == [type |-> "granted", clock |-> p.clock, branch |-> p.branch, number |-> n]
\* With a number where the operation has one: a clock, or what goes back to a pool.
Apply(update, blocking, n) ==
    [type |-> "apply", update |-> update, blocking |-> blocking, number |-> n]
Result(update, n) == [type |-> "result", update |-> update, number |-> n]
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
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]

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

(***************************************************************************)
(* A packet comes to these vertices by one way.  What a borrower reads     *)
(* hangs on the order of all its packets, and the chain keeps that of each *)
(* flow: so there is one, and one instance has the pool.                   *)
(***************************************************************************)
ASSUME \A v \in Vertices :
    /\ Kind[v] \in {"earliest", "borrow"} =>
         Cardinality({visit \in Visits("root", <<>>) : visit[1] = v}) = 1
    /\ Kind[v] = "borrow" => Cardinality(Flows) = 1

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

TellWith(s, i, update, blocking, number) ==
    LET told == Send(s, i, "store", Apply(update, blocking, number))
    IN  IF SignalByStore THEN told ELSE Send(told, i, "root", Committed(update))

Tell(s, i, update, blocking) == TellWith(s, i, update, blocking, 0)

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

Detect(i, s, p) ==
    LET o == Earliest(VertexOf[i])
    IN  Finish(i, TellWith(s, i, Update(p, o), FALSE, ShownClock(p.clock)), Induce(p, o))

Borrow(i, s, p) ==
    LET taken == Update(p, Pool(VertexOf[i]))
    IN  [Tell(s, i, taken, TRUE) EXCEPT !.work = [packet |-> p, awaits |-> "result"]]

PutBack(i, s, p, number) ==
    LET taken == Update(p, Pool(VertexOf[i]))
        said == [p EXCEPT !.induced = @ \cup {taken, Second(taken)}, !.said = Append(@, number)]
    IN  Finish(i, TellWith(s, i, Second(taken), FALSE, number), said)

Process(i, s, p) ==
    CASE Kind[VertexOf[i]] = "counter" -> Number(i, s, p)
      [] Kind[VertexOf[i]] = "marker" -> Mark(i, s, p)
      [] Kind[VertexOf[i]] = "earliest" -> Detect(i, s, p)
      [] Kind[VertexOf[i]] = "borrow" -> Borrow(i, s, p)
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
       IN  Step(i, "store",
                IF Kind[VertexOf[i]] = "borrow"
                THEN PutBack(i, s, p, Head(channel[<<"store", i>>]).number)
                ELSE Finish(i, s, Induce(p, Marked(VertexOf[i]))))

\* REC-2: the root has the delete; the output leaves, if it was the first of its copy.
InstanceTakesDeleted(i) ==
    /\ Comes("root", i, "deleted")
    /\ LET d == Head(channel[<<"root", i>>])
           s == [Before(i, queue[i]) EXCEPT !.work = Idle]
       IN  Step(i, "root", IF d.first THEN Send(s, i, "sink", Output(work[i].packet)) ELSE s)

-----------------------------------------------------------------------------
(* Store *)

\* The value of a counter is the number of the updates.
Value(object) == Len(applied[object])
Recorded(object) ==
    IF object \in Counters THEN Range(applied[object]) ELSE DOMAIN noted[object].results
AllApplied == UNION {Recorded(o) : o \in Objects}

\* DUP-2: an update that is on record is a repeat, and is not made again.
OnRecord(update) == update \in Recorded(update.object)

\* STORE-3: the first number is taken from a pool, or one comes behind the others; or the
\* smaller clock is kept, with its flow.
Nobody == [clock |-> 0, flow |-> Nothing]
Initial(o) == IF Kind[o.vertex] = "borrow" THEN InPool ELSE Nobody

Made(a) ==  \* by an operation, of its object: the value, and the result
    LET u == a.update
        value == noted[u.object].value
        this == [clock |-> a.number, flow |-> FlowOf(u.clock)]
        earlier == IF value = Nobody \/ this.clock < value.clock THEN this ELSE value
    IN  IF Kind[u.object.vertex] = "earliest" THEN [value |-> earlier, result |-> earlier]
        ELSE IF u.nth = 1 THEN [value |-> Tail(value), result |-> Head(value)]
        ELSE [value |-> Append(value, a.number), result |-> Len(value) + 1]

\* STORE-2: the flow's owner is the instance that has asked for it.
StoreTakesAcquire(i) ==
    /\ Comes(i, "store", "acquire")
    /\ LET a == Head(channel[<<i, "store">>])
           v == VertexOf[i]
           f == FlowOf(a.clock)
           number == IF Kind[v] = "counter" THEN Value(Count(v, f)) ELSE 0
       IN  /\ owner' = [owner EXCEPT ![v][f] = i]
           /\ channel' = After(Taken(i, "store"), << <<"store", i, Granted(a, number)>> >>)
    /\ UNCHANGED <<root, instances, applied, noted, delivered>>

\* STORE-4, DEL-2: updates are applied one by one, and each is signalled to the root.
StoreTakesApply(i) ==
    /\ Comes(i, "store", "apply")
    /\ LET a == Head(channel[<<i, "store">>])
           u == a.update
           counts == u.object \in Counters
           repeat == OnRecord(u)
           number == IF counts THEN 0
                     ELSE IF repeat THEN noted[u.object].results[u] ELSE Made(a).result
           signal == << <<"store", "root", Committed(u)>> >>
           answer == IF a.blocking THEN << <<"store", i, Result(u, number)>> >> ELSE <<>>
       IN  /\ applied' = IF repeat \/ ~counts THEN applied
                         ELSE [applied EXCEPT ![u.object] = Append(@, u)]
           /\ noted' = IF repeat \/ counts THEN noted
                       ELSE [noted EXCEPT ![u.object] =
                               [value |-> Made(a).value,
                                results |-> With(@.results, u, Made(a).result)]]
           /\ channel' = After(Taken(i, "store"), answer \o IF repeat THEN <<>> ELSE signal)
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
    /\ applied = [o \in Counters |-> <<>>]
    /\ noted = [o \in Others |-> [value |-> Initial(o), results |-> <<>>]]
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

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
Branches == {visit[2] : visit \in Visits("root", <<>>)}
Updates == [clock : Clocks, branch : Branches, object : Objects, nth : {1, 2}]

Firsts == {Nobody} \cup [clock : 0 .. Len(Arrivals), flow : Flows]

IsCopy(p) ==
    /\ p.type = "packet" /\ p.clock \in Clocks /\ p.branch \in Branches
    /\ p.said \in Seq(Nat) /\ p.induced \subseteq Updates /\ p.before \subseteq Updates

IsMessage(m) ==
    CASE m.type = "packet" -> IsCopy(m)
      [] m.type \in {"apply", "result"} -> m.update \in Updates /\ m.number \in Nat
      [] m.type = "committed" -> m.update \in Updates
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
    /\ DOMAIN applied = Counters
    /\ \A o \in Counters : \A u \in Range(applied[o]) : u \in Updates /\ u.object = o
    /\ DOMAIN noted = Others
    /\ \A o \in Others : \A u \in DOMAIN noted[o].results :
         /\ u \in Updates /\ u.object = o
         /\ noted[o].results[u] \in IF Kind[o.vertex] = "borrow" THEN Nat ELSE Firsts
    /\ \A o \in Others :
         noted[o].value \in IF Kind[o.vertex] = "borrow" THEN Seq(Range(InPool)) ELSE Firsts
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
(* STORE-2, STORE-6, R5: no update of a counter is applied twice, and      *)
(* those of a flow are applied in the order of its packets, also to one    *)
(* that flows share; where each packet comes to a vertex once.             *)
(***************************************************************************)
AppliedOnceInOrder ==
    \A o \in Counters : \A m, n \in 1 .. Len(applied[o]) :
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
        own == IF at = "root" THEN <<>>
               ELSE CASE Kind[at] = "counter" -> <<Cardinality(Earlier(k))>>
                      [] Kind[at] = "borrow" -> <<InPool[((k - 1) % Len(InPool)) + 1]>>
                      [] OTHER -> <<>>
    IN  IF edges = <<>> THEN own
        ELSE IF Len(edges) = 1 THEN own \o Said(edges[1], branch, k)
        ELSE own \o Said(edges[Head(branch) + 1], Tail(branch), k)

OutputsAsIdeal == \A o \in Range(delivered) : o.said = Said("root", o.branch, o.clock)

(***************************************************************************)
(* ORDER-1, R3: a detector knows which flow came first into the chain, of  *)
(* all whose updates have come, whatever overtook whatever on its way.     *)
(***************************************************************************)
EarliestIsFirst ==
    \A o \in Others : Kind[o.vertex] = "earliest" /\ Recorded(o) # {} =>
        LET clocks == {u.clock : u \in Recorded(o)}
        IN  noted[o].value.flow = FlowOf(CHOOSE k \in clocks : \A j \in clocks : k <= j)

(***************************************************************************)
(* DUP-2, R3, R5: each number is once in the pool, or on its way from it   *)
(* or back; and when all are back, the pool is as in the ideal chain.      *)
(***************************************************************************)
Borrower(o) == CHOOSE i \in Instances : \E f \in Flows : Home[o.vertex][f] = i

Away(o) ==  \* what is under way, in order
    LET i == Borrower(o)
        comes(m) == m.type = "result"
        goes(m) == m.type = "apply" /\ m.update.nth = 2
        under == SelectSeq(channel[<<"store", i>>], comes)
                 \o SelectSeq(channel[<<i, "store">>], goes)
    IN  [n \in 1 .. Len(under) |-> under[n].number]

NumbersKept ==
    \A o \in Others : Kind[o.vertex] = "borrow" =>
        LET all == noted[o].value \o Away(o)
        IN  Len(all) = Len(InPool) /\ Range(all) = Range(InPool)

PoolAsIdeal ==
    \A o \in Others : Kind[o.vertex] = "borrow" /\ AtRest =>
        noted[o].value = [n \in 1 .. Len(InPool) |-> InPool[((clock + n - 1) % Len(InPool)) + 1]]

(***************************************************************************)
(* LIVE and R5, as an invariant: when nothing is under way, all copies     *)
(* have left, once, all updates are made, and nothing is logged or waits   *)
(* any more.                                                               *)
(***************************************************************************)
Induced(k) ==
    UNION {{u \in Updates :
              /\ u.clock = k /\ u.branch = visit[2]
              /\ u.object \in ObjectsOf(visit[1], FlowOf(k)) /\ u.nth <= Times(u.object)} :
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
(* a flow it has had, in which order.  Where the store keeps no order, it  *)
(* is that of the clocks: an earlier copy that comes later changes it.     *)
(***************************************************************************)
Telling(v, f) ==
    IF Kind[v] = "counter" THEN Count(v, f) ELSE CHOOSE o \in ObjectsOf(v, f) : TRUE

StoredCopies(o) ==  \* whose first update of the object is stored
    LET isHere(k) == \E u \in Recorded(o) : u.clock = k /\ u.nth = 1
        visit == CHOOSE visit \in Visits("root", <<>>) : visit[1] = o.vertex
        clocks == SelectSeq([k \in Clocks |-> k], isHere)
    IN  IF o \in Counters
        THEN [n \in 1 .. Len(applied[o]) |->
                [clock |-> applied[o][n].clock, branch |-> applied[o][n].branch]]
        ELSE [n \in 1 .. Len(clocks) |-> [clock |-> clocks[n], branch |-> visit[2]]]

MadeBy(v, f) ==
    LET o == Telling(v, f)
        isFirst(m) == m.type = "apply" /\ m.update.object = o /\ m.update.nth = 1
        sent == SelectSeq(channel[<<Home[v][f], "store">>], isFirst)
        isTheirs(copy) == FlowOf(copy.clock) = f
    IN  SelectSeq(StoredCopies(o) \o [n \in 1 .. Len(sent) |-> [clock |-> sent[n].update.clock,
                                                          branch |-> sent[n].update.branch]],
                  isTheirs)

IdealChain == INSTANCE IdealGraph WITH
    taken <- clock,
    made <- [v \in Vertices |->
               [f \in Flows |-> IF ObjectsOf(v, f) = {} THEN <<>> ELSE MadeBy(v, f)]],
    stored <- [o \in Objects |-> IF o \in Counters THEN Value(o) ELSE Cardinality(Recorded(o))],
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
    \A o \in Counters : \A n \in 2 .. Len(applied[o]) :
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

\* ORDER-1: the update of a later packet comes to the store before that of an earlier one.
NeverLaterFirst ==
    \A o \in Others : \A u \in Recorded(o) : \A k \in 1 .. u.clock :
        \E w \in Recorded(o) : w.clock = k

\* DUP-2: a packet takes a number that another one has put back.
NeverTakenAgain ==
    \A m, n \in 1 .. Len(delivered) :
        m # n /\ \E v \in Vertices : Kind[v] = "borrow" => delivered[m].said # delivered[n].said

\* Packets of two flows wait for their values at one instance.
NeverTwoWait ==
    \A i \in Instances : Cardinality({f \in Flows : waiting[i][f] # <<>>}) < 2
=============================================================================
