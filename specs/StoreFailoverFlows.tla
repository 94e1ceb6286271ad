-------------------------- MODULE StoreFailoverFlows -------------------------
(***************************************************************************)
(* The store fails, with the objects of single flows, and is rebuilt from  *)
(* its checkpoint and from the write-ahead logs of its users.              *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3 and 5.4.                            *)
(* Clauses: REC-4, REC-5, STORE-2, STORE-4, CACHE-1, DUP-2, DEL-2, REC-2,  *)
(* LIVE.                                                                   *)
(*                                                                         *)
(* An NF writes down the packets of each flow in order.  An instance asks  *)
(* the store for a flow when its first packet comes, and from then on      *)
(* works on a cached value: it logs the update, sends it to the store, and *)
(* waits for no result; it sends the packet's delete to the root, and lets *)
(* the packet leave when the root has answered.                            *)
(*                                                                         *)
(* The store may write a checkpoint at any time, and fail at any time; all *)
(* but the checkpoint is lost, and so may be what it has sent and nobody   *)
(* has taken.  The new store asks every user for its write-ahead log and   *)
(* for all that it waits for.  It executes what the logs have and the      *)
(* checkpoint has not, in the order of each flow's clocks, and tells the   *)
(* root once more what is committed.  The paper takes the values from the  *)
(* caches: but they do not tell which updates are in them (findings).      *)
(*                                                                         *)
(* Packets are known by their clocks.  A step is what one component makes  *)
(* of the oldest message of one channel, as in the Python core: the state  *)
(* graphs are equal.                                                       *)
(*                                                                         *)
(* Left out: other failures, moves, objects that flows share               *)
(* (StoreFailover has those), the clock and the log of the root in the     *)
(* store.                                                                  *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Order,           \* instances of the vertex, in the order in which they are answered
    FlowOrder,       \* flows, in the order in which an instance asks for them again
    Home,            \* the instance of each
    Packets,         \* flow of each packet, in the order of arrival
    MostCheckpoints, \* how often the store may write a checkpoint
    MostCrashes      \* how often it may fail

Root == "root"
Store == "store"
Manager == "manager"
Sink == "sink"

Range(s) == {s[n] : n \in 1 .. Len(s)}
Instances == Range(Order)
Flows == Range(FlowOrder)
Users == Instances \cup {Root}  \* of the store

ASSUME /\ Instances \cap {Root, Store, Manager, Sink} = {}
       /\ Cardinality(Instances) = Len(Order)
       /\ Cardinality(Flows) = Len(FlowOrder)
       /\ Home \in [Flows -> Instances]
       /\ Packets \in Seq(Flows)
       /\ MostCheckpoints \in Nat
       /\ MostCrashes \in Nat

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT LogUpdates <- Dropped                                          *)
(***************************************************************************)
Dropped == FALSE

LogUpdates == TRUE      \* REC-5: an instance keeps its updates in a write-ahead log
RebuildFromLogs == TRUE \* REC-4 amended: a new store executes the logs; else it takes the caches
ApplyOnce == TRUE       \* DUP-2: an update that is on record is not made again
AskAgain == TRUE        \* REC-5: what a user waits for is asked for once more
CommitAgain == TRUE     \* DEL-2: what is committed is said once more

VARIABLES
    arrived,     \* world: packets so far; the root's newest clock
    checkpoints, \* world: checkpoints so far
    crashes,     \* world, manager: failures of the store so far; the last start's number
    recovering,  \* manager: a new store is not ready yet
    ended,       \* root: packets that it has the delete of
    committed,   \* root: packets whose update the store has committed
    host,        \* what each instance holds; see HostOK
    store,       \* what the store holds; see StoreState
    checkpoint,  \* on stable storage: the last one
    channel,     \* messages under way between two components
    left         \* sink: packets that have left the chain, in order

root == <<ended, committed>>
vars == <<arrived, checkpoints, crashes, recovering, root, host, store, checkpoint, channel, left>>

-----------------------------------------------------------------------------
Clocks == 1 .. Len(Packets)
NoClock == 0
Starts == 1 .. MostCrashes
FlowOf(p) == Packets[p]

\* The packets of a flow among the first n, in order.
Came(f, n) ==
    LET isTheirs(k) == FlowOf(k) = f IN SelectSeq([k \in 1 .. n |-> k], isTheirs)

With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

Value == Seq(Clocks)  \* of a flow's object: the packets that were written down

\* Update, and the value behind it.
Version == [clock : Clocks, value : Value]

MemoryState ==
    [value : [Flows -> Value],
     versions : [Flows -> Seq(Version)],            \* updates on record, in order (DUP-2)
     applied : [Instances -> Clocks \cup {NoClock}], \* the newest update of each instance
     owned : SUBSET Flows]                          \* those that have been asked for
Empty == [value |-> [f \in Flows |-> <<>>], versions |-> [f \in Flows |-> <<>>],
          applied |-> [i \in Instances |-> NoClock], owned |-> {}]

Request == [type : {"acquire", "apply"}, clock : Clocks]

\* What a user remembers of the store that failed; caches is a partial function on flows.
IsRecollection(r) ==
    /\ DOMAIN r = {"caches", "wal", "again"}
    /\ DOMAIN r.caches \subseteq Flows /\ \A f \in DOMAIN r.caches : r.caches[f] \in Value
    /\ r.wal \in Seq(Clocks)
    /\ r.again \in Seq(Request)  \* what it waits for
Nothing == [caches |-> <<>>, wal |-> <<>>, again |-> <<>>]

IsMessage(m) ==
    CASE m.type \in {"acquire", "apply"} -> m \in Request      \* instance to store
      [] m.type = "granted" -> m.clock \in Clocks /\ m.value \in Value \* store to instance
      [] m.type = "checkpointed" -> m.clock \in Clocks
      [] m.type = "packet" -> m.clock \in Clocks               \* root to instance
      [] m.type \in {"delete", "deleted"} -> m.clock \in Clocks \* instance to root, and back
      [] m.type = "output" -> m.clock \in Clocks               \* instance to sink
      [] m.type = "committed" -> m.clock \in Clocks            \* store to root
      [] m.type = "recall" -> m.start \in Starts               \* store to user
      [] m.type = "recollection" -> m.start \in Starts /\ IsRecollection(m.memory)
      [] m.type \in {"start", "ready"} -> m.start \in Starts   \* manager to store, and back

Channels ==
    {<<Manager, Store>>, <<Store, Manager>>, <<Root, Store>>, <<Store, Root>>}
    \cup UNION {{<<Root, i>>, <<i, Root>>, <<i, Store>>, <<Store, i>>, <<i, Sink>>} :
                i \in Instances}

\* waits and owned are partial functions on flows.
HostOK(h) ==
    /\ DOMAIN h.owned \subseteq Flows  \* cached values
    /\ \A f \in DOMAIN h.owned : h.owned[f] \in Value
    /\ DOMAIN h.waits \subseteq Flows \ DOMAIN h.owned  \* packets that wait for their flow
    /\ \A f \in DOMAIN h.waits : h.waits[f] \in Seq(Clocks) \ {<<>>}
    /\ h.freed \in Seq(Clocks)  \* packets that waited for it, and now for their turn
    /\ h.queue \in Seq(Clocks)  \* packets that came during work
    /\ h.work \in Clocks \cup {NoClock}  \* the packet in work: it waits for its delete's answer
    /\ h.wal \in Seq(Clocks)    \* write-ahead log

StoreOK ==
    /\ store.phase \in {"ready", "down", "asking"} \* asking: it waits for recollections
    /\ store.memory \in MemoryState
    /\ store.asked \subseteq Users                 \* whose recollections are still to come
    /\ \A u \in Users : IsRecollection(store.recalled[u])  \* those that have come
    /\ store.aside \in Seq([source : Instances, message : Request]) \* for a ready store

TypeOK ==
    /\ arrived \in 0 .. Len(Packets)
    /\ checkpoints \in 0 .. MostCheckpoints
    /\ crashes \in 0 .. MostCrashes
    /\ recovering \in BOOLEAN
    /\ ended \subseteq Clocks /\ committed \subseteq Clocks
    /\ DOMAIN host = Instances /\ \A i \in Instances : HostOK(host[i])
    /\ StoreOK
    /\ checkpoint \in MemoryState
    /\ DOMAIN channel = Channels
    /\ \A c \in Channels : \A m \in Range(channel[c]) : IsMessage(m)
    /\ left \in Seq(Clocks)

Init ==
    /\ arrived = 0
    /\ checkpoints = 0
    /\ crashes = 0
    /\ recovering = FALSE
    /\ ended = {} /\ committed = {}
    /\ host = [i \in Instances |->
                 [owned |-> <<>>, waits |-> <<>>, freed |-> <<>>, queue |-> <<>>,
                  work |-> NoClock, wal |-> <<>>]]
    /\ store = [phase |-> "ready", memory |-> Empty, asked |-> {},
                recalled |-> [u \in Users |-> Nothing], aside |-> <<>>]
    /\ checkpoint = Empty
    /\ channel = [c \in Channels |-> <<>>]
    /\ left = <<>>

-----------------------------------------------------------------------------
(* Messages *)

\* One thing that a component sends; what it sends in one step is a sequence of these.
To(to, message) == [to |-> to, message |-> message]
Of(type, p) == [type |-> type, clock |-> p]

RECURSIVE Put(_, _, _)
Put(channels, source, sends) ==
    IF sends = <<>> THEN channels
    ELSE LET s == Head(sends)
         IN  Put([channels EXCEPT ![<<source, s.to>>] = Append(@, s.message)], source, Tail(sends))

Comes(source, to, type) ==
    channel[<<source, to>>] # <<>> /\ Head(channel[<<source, to>>]).type = type

\* "to" takes the oldest message from "source", and sends.
Taken(source, to, sends) ==
    channel' = Put([channel EXCEPT ![<<source, to>>] = Tail(@)], to, sends)

Sending(source, sends) == channel' = Put(channel, source, sends)

-----------------------------------------------------------------------------
(* Root *)

\* ROOT-1: the packet gets a clock, and is forwarded.
Arrive ==
    /\ arrived < Len(Packets)
    /\ arrived' = arrived + 1
    /\ Sending(Root, <<To(Home[Packets[arrived + 1]], Of("packet", arrived + 1))>>)
    /\ UNCHANGED <<checkpoints, crashes, recovering, root, host, store, checkpoint, left>>

\* ROOT-3, REC-2.  A packet is logged as long as it is not both ended and committed.
RootTakesDelete(i) ==
    /\ Comes(i, Root, "delete")
    /\ LET p == Head(channel[<<i, Root>>]).clock
       IN  /\ ended' = ended \cup {p}
           /\ Taken(i, Root, <<To(i, Of("deleted", p))>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, committed, host, store, checkpoint,
                   left>>

RootTakesCommitted ==
    /\ Comes(Store, Root, "committed")
    /\ committed' = committed \cup {Head(channel[<<Store, Root>>]).clock}
    /\ Taken(Store, Root, <<>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, ended, host, store, checkpoint, left>>

-----------------------------------------------------------------------------
(* Instance.  h is what it holds, and sends what it sends, in the middle of a step. *)

\* CACHE-1: a packet is written down in the cache.  REC-5: the update is logged, then sent.
Process(h, p) ==
    [host |-> [h EXCEPT !.owned = With(@, FlowOf(p), Append(@[FlowOf(p)], p)),
                        !.work = p,
                        !.wal = IF LogUpdates THEN Append(@, p) ELSE @],
     sends |-> <<To(Store, Of("apply", p)), To(Root, Of("delete", p))>>]

\* The first packet of a flow asks for it; those behind it wait with it.
Take(h, p) ==
    LET f == FlowOf(p)
    IN  IF f \in DOMAIN h.waits
        THEN [host |-> [h EXCEPT !.waits[f] = Append(@, p)], sends |-> <<>>]
        ELSE IF f \in DOMAIN h.owned THEN Process(h, p)
        ELSE [host |-> [h EXCEPT !.waits = With(@, f, <<p>>)],
              sends |-> <<To(Store, Of("acquire", p))>>]

RECURSIVE WorkOn(_, _)
WorkOn(h, sends) ==  \* until a packet is in work, or none is left
    LET freed == h.freed # <<>>
        next == IF freed THEN Take([h EXCEPT !.freed = Tail(@)], Head(h.freed))
                ELSE Take([h EXCEPT !.queue = Tail(@)], Head(h.queue))
    IN  IF h.work # NoClock \/ (~freed /\ h.queue = <<>>)
        THEN [host |-> h, sends |-> sends]
        ELSE WorkOn(next.host, sends \o next.sends)

InstanceDoes(i, source, h, sends) ==  \* first these effects, then the next packets
    LET done == WorkOn(h, sends)
    IN  /\ host' = [host EXCEPT ![i] = done.host]
        /\ Taken(source, i, done.sends)
        /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, store, checkpoint, left>>

InstanceTakesPacket(i) ==
    /\ Comes(Root, i, "packet")
    /\ LET p == Head(channel[<<Root, i>>]).clock
       IN  InstanceDoes(i, Root, [host[i] EXCEPT !.queue = Append(@, p)], <<>>)

\* A second answer is not waited for: it was asked for once more.
InstanceTakesGranted(i) ==
    /\ Comes(Store, i, "granted")
    /\ LET m == Head(channel[<<Store, i>>])
           f == FlowOf(m.clock)
           h == host[i]
           asked == f \in DOMAIN h.waits /\ Head(h.waits[f]) = m.clock
       IN  InstanceDoes(i, Store,
                        IF asked THEN [h EXCEPT !.owned = With(@, f, m.value),
                                                !.waits = Without(@, f),
                                                !.freed = @ \o h.waits[f]]
                        ELSE h, <<>>)

InstanceTakesDeleted(i) ==
    /\ Comes(Root, i, "deleted")
    /\ InstanceDoes(i, Root, [host[i] EXCEPT !.work = NoClock],
                    <<To(Sink, Of("output", host[i].work))>>)

\* REC-5: the log needs nothing that is in a checkpoint.
Behind(wal, clock) ==
    IF \E n \in 1 .. Len(wal) : wal[n] = clock
    THEN SubSeq(wal, 1 + CHOOSE n \in 1 .. Len(wal) : wal[n] = clock, Len(wal))
    ELSE wal

InstanceTakesCheckpointed(i) ==
    /\ Comes(Store, i, "checkpointed")
    /\ InstanceDoes(i, Store,
                    [host[i] EXCEPT !.wal = Behind(@, Head(channel[<<Store, i>>]).clock)], <<>>)

RECURSIVE Waiting(_, _)
Waiting(h, flows) ==  \* what an instance waits for: these flows, in order
    IF flows = <<>> THEN <<>>
    ELSE LET f == Head(flows)
         IN  (IF f \in DOMAIN h.waits THEN <<Of("acquire", Head(h.waits[f]))>> ELSE <<>>)
             \o Waiting(h, Tail(flows))

Remembered(u) ==
    IF u = Root THEN Nothing
    ELSE [caches |-> host[u].owned, wal |-> host[u].wal,
          again |-> IF AskAgain THEN Waiting(host[u], FlowOrder) ELSE <<>>]

\* REC-5: a new store asks what its user remembers.
Tells(u) ==
    /\ Taken(Store, u, <<To(Store, [type |-> "recollection",
                                    start |-> Head(channel[<<Store, u>>]).start,
                                    memory |-> Remembered(u)])>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, host, store, checkpoint, left>>

InstanceTakesRecall(i) == Comes(Store, i, "recall") /\ Tells(i)
RootTakesRecall == Comes(Store, Root, "recall") /\ Tells(Root)

-----------------------------------------------------------------------------
(* Store.  Each operator gives the memory after an event, and what is sent. *)

After(m, sends) == [memory |-> m, sends |-> sends]

OnRecord(m, p) == \E v \in Range(m.versions[FlowOf(p)]) : v.clock = p

\* The update of a packet is made, and put on record.
Execute(m, p) ==
    LET f == FlowOf(p)
        value == Append(m.value[f], p)
    IN  [m EXCEPT !.value[f] = value,
                  !.versions[f] = Append(@, [clock |-> p, value |-> value])]

\* STORE-2: the flow's owner may update its object.  DUP-2: an update that is on record is not
\* made again.  DEL-2: the root is told of what is made.
OnApply(m, i, p) ==
    LET noted == [m EXCEPT !.applied[i] = p]
        takes == ~(ApplyOnce /\ OnRecord(m, p)) /\ FlowOf(p) \in m.owned
    IN  IF takes THEN After(Execute(noted, p), <<To(Root, Of("committed", p))>>)
        ELSE After(noted, <<>>)

\* The instance gets the value of before its packet.
ValueBefore(m, p) ==
    LET isEarlier(v) == v.clock < p
        earlier == SelectSeq(m.versions[FlowOf(p)], isEarlier)
    IN  IF earlier = <<>> THEN <<>> ELSE earlier[Len(earlier)].value

OnAcquire(m, i, p) ==
    After([m EXCEPT !.owned = @ \cup {FlowOf(p)}],
          <<To(i, [type |-> "granted", clock |-> p, value |-> ValueBefore(m, p)])>>)

OnRequest(m, i, request) ==
    IF request.type = "apply" THEN OnApply(m, i, request.clock) ELSE OnAcquire(m, i, request.clock)

RECURSIVE OnAll(_, _, _)
OnAll(m, requests, sends) ==
    IF requests = <<>> THEN After(m, sends)
    ELSE LET done == OnRequest(m, Head(requests).source, Head(requests).message)
         IN  OnAll(done.memory, Tail(requests), sends \o done.sends)

(***************************************************************************)
(* REC-4 amended: what the logs have and the checkpoint has not is         *)
(* executed in the order of the clocks, so in that of each flow.  As       *)
(* written: the values are those in the caches, and nothing is on record   *)
(* but what the checkpoint has.                                            *)
(***************************************************************************)
RECURSIVE ExecuteLogs(_, _, _)
ExecuteLogs(m, logged, p) ==  \* from packet p on
    IF p > Len(Packets) THEN m
    ELSE ExecuteLogs(IF p \in logged /\ ~OnRecord(m, p) THEN Execute(m, p) ELSE m, logged, p + 1)

FromCaches(m, recalled) ==
    [m EXCEPT !.value = [f \in Flows |->
       IF f \in DOMAIN recalled[Home[f]].caches THEN recalled[Home[f]].caches[f] ELSE @[f]]]

\* How far a log is in the memory.
RECURSIVE Reached(_, _, _)
Reached(m, wal, clock) ==
    IF wal = <<>> \/ ~OnRecord(m, Head(wal)) THEN clock ELSE Reached(m, Tail(wal), Head(wal))

Rebuilt(recalled) ==
    LET owned == checkpoint.owned \cup UNION {DOMAIN recalled[i].caches : i \in Instances}
        begin == [checkpoint EXCEPT !.owned = owned]
        m == IF RebuildFromLogs
             THEN ExecuteLogs(begin, UNION {Range(recalled[i].wal) : i \in Instances}, 1)
             ELSE FromCaches(begin, recalled)
    IN  [m EXCEPT !.applied = [i \in Instances |-> Reached(m, recalled[i].wal, @[i])]]

\* REC-5: instances are told what of their logs is in a checkpoint.
RECURSIVE Trims(_, _)
Trims(m, order) ==
    IF order = <<>> THEN <<>>
    ELSE LET i == Head(order)
         IN  (IF m.applied[i] = NoClock THEN <<>>
              ELSE <<To(i, Of("checkpointed", m.applied[i]))>>)
             \o Trims(m, Tail(order))

RECURSIVE Commits(_, _)
Commits(m, p) ==  \* of packets from p on
    IF p > Len(Packets) THEN <<>>
    ELSE (IF OnRecord(m, p) THEN <<To(Root, Of("committed", p))>> ELSE <<>>) \o Commits(m, p + 1)

RECURSIVE AgainOf(_, _)
AgainOf(order, recalled) ==
    IF order = <<>> THEN <<>>
    ELSE LET i == Head(order)
             again == recalled[i].again
         IN  [n \in 1 .. Len(again) |-> [source |-> i, message |-> again[n]]]
             \o AgainOf(Tail(order), recalled)

(***************************************************************************)
(* REC-5: once all users have told, the store is rebuilt, and writes a     *)
(* checkpoint.  It serves what users wait for, and what came meanwhile.    *)
(***************************************************************************)
Recover(source, recalled) ==
    LET m == Rebuilt(recalled)
        commits == IF CommitAgain THEN Commits(m, 1) ELSE <<>>
        ready == <<To(Manager, [type |-> "ready", start |-> crashes])>>
        done == OnAll(m, AgainOf(Order, recalled) \o store.aside, commits \o ready)
    IN  /\ store' = [store EXCEPT !.phase = "ready", !.memory = done.memory, !.asked = {},
                                  !.recalled = [u \in Users |-> Nothing], !.aside = <<>>]
        /\ checkpoint' = m
        /\ Taken(source, Store, done.sends \o Trims(m, Order))

StoreTakesRecollection(u) ==
    /\ Comes(u, Store, "recollection")
    /\ LET m == Head(channel[<<u, Store>>])
           recalled == [store.recalled EXCEPT ![u] = m.memory]
       IN  IF store.phase # "asking" \/ m.start # crashes
           THEN /\ Taken(u, Store, <<>>)  \* of a recovery that was begun anew
                /\ UNCHANGED <<store, checkpoint>>
           ELSE IF store.asked = {u}
           THEN Recover(u, recalled)
           ELSE /\ store' = [store EXCEPT !.asked = @ \ {u}, !.recalled = recalled]
                /\ Taken(u, Store, <<>>)
                /\ UNCHANGED checkpoint
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, host, left>>

\* A request is served; while the store recovers it is set aside, and it dies with the store.
StoreDoes(i) ==
    /\ LET m == Head(channel[<<i, Store>>])
           done == OnRequest(store.memory, i, m)
       IN  CASE store.phase = "ready" ->
                  /\ store' = [store EXCEPT !.memory = done.memory]
                  /\ Taken(i, Store, done.sends)
             [] store.phase = "asking" ->
                  /\ store' = [store EXCEPT !.aside = Append(@, [source |-> i, message |-> m])]
                  /\ Taken(i, Store, <<>>)
             [] store.phase = "down" ->
                  /\ Taken(i, Store, <<>>)
                  /\ UNCHANGED store
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, host, checkpoint, left>>

StoreTakesAcquire(i) == Comes(i, Store, "acquire") /\ StoreDoes(i)
StoreTakesApply(i) == Comes(i, Store, "apply") /\ StoreDoes(i)

\* REC-5: a checkpoint is written, and logs may be trimmed; not before a recovery has ended.
Checkpoint ==
    /\ checkpoints < MostCheckpoints
    /\ checkpoints' = checkpoints + 1
    /\ checkpoint' = IF store.phase = "ready" THEN store.memory ELSE checkpoint
    /\ Sending(Store, IF store.phase = "down" THEN <<>> ELSE Trims(checkpoint', Order))
    /\ UNCHANGED <<arrived, crashes, recovering, root, host, store, left>>

RECURSIVE ToEach(_, _)
ToEach(receivers, message) ==  \* in any order: they share no channel
    IF receivers = {} THEN <<>>
    ELSE LET one == CHOOSE u \in receivers : TRUE
         IN  <<To(one, message)>> \o ToEach(receivers \ {one}, message)

StoreTakesStart ==
    /\ Comes(Manager, Store, "start")
    /\ store' = [store EXCEPT !.phase = "asking", !.asked = Users]
    /\ Taken(Manager, Store, ToEach(Users, [type |-> "recall", start |-> crashes]))
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, host, checkpoint, left>>

-----------------------------------------------------------------------------
(* Manager, sink, failures *)

ManagerTakesReady ==
    /\ Comes(Store, Manager, "ready")
    /\ recovering' = (recovering /\ Head(channel[<<Store, Manager>>]).start # crashes)
    /\ Taken(Store, Manager, <<>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, root, host, store, checkpoint, left>>

SinkTakesOutput(i) ==
    /\ Comes(i, Sink, "output")
    /\ left' = Append(left, Head(channel[<<i, Sink>>]).clock)
    /\ Taken(i, Sink, <<>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, host, store, checkpoint>>

\* REC-0: the store stops, and the manager knows at once and starts another one.
Crash ==
    /\ crashes < MostCrashes
    /\ store.phase # "down"
    /\ crashes' = crashes + 1
    /\ recovering' = TRUE
    /\ store' = [phase |-> "down", memory |-> Empty, asked |-> {},
                 recalled |-> [u \in Users |-> Nothing], aside |-> <<>>]
    /\ Sending(Manager, <<To(Store, [type |-> "start", start |-> crashes + 1])>>)
    /\ UNCHANGED <<arrived, checkpoints, root, host, checkpoint, left>>

\* What the dead store had under way to a component may be lost, but for what was taken.
Lose(to) ==
    /\ store.phase = "down"
    /\ channel[<<Store, to>>] # <<>>
    /\ channel' = [channel EXCEPT ![<<Store, to>>] = <<>>]
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, host, store, checkpoint, left>>

-----------------------------------------------------------------------------
AtInstance(i) ==
    \/ InstanceTakesPacket(i) \/ InstanceTakesDeleted(i) \/ InstanceTakesGranted(i)
    \/ InstanceTakesCheckpointed(i) \/ InstanceTakesRecall(i)

AtStore ==
    \/ StoreTakesStart \/ StoreTakesRecollection(Root)
    \/ \E i \in Instances :
         StoreTakesAcquire(i) \/ StoreTakesApply(i) \/ StoreTakesRecollection(i)

AtRoot == RootTakesCommitted \/ RootTakesRecall \/ \E i \in Instances : RootTakesDelete(i)

Work ==
    \/ AtRoot \/ AtStore \/ ManagerTakesReady
    \/ \E i \in Instances : AtInstance(i) \/ SinkTakesOutput(i)

Next ==
    \/ Arrive
    \/ Checkpoint
    \/ Crash
    \/ \E to \in Users \cup {Manager} : Lose(to)
    \/ Work

\* As long as messages are under way, one of them is taken in the end, whichever it is:
\* the weak fairness of Work (see AllTaken).
\* Packets, checkpoints and failures need not come.
UnderWay == \E c \in Channels : channel[c] # <<>>
Fairness == []<>~UnderWay \/ []<><<Work>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
\* Packets of a flow whose update its instance has made.
Begun(f) ==
    LET h == host[Home[f]]
        waiting == Range(h.freed) \cup Range(h.queue)
                   \cup IF f \in DOMAIN h.waits THEN Range(h.waits[f]) ELSE {}
    IN  {p \in Range(Came(f, arrived)) :
           p \notin waiting /\ Of("packet", p) \notin Range(channel[<<Root, Home[f]>>])}

(***************************************************************************)
(* REC-5: an instance's write-ahead log has every update that it has made  *)
(* and that is in no checkpoint; so it survives a failure of the store.    *)
(***************************************************************************)
LogCovers ==
    \A f \in Flows : \A p \in Begun(f) :
        p \in Range(host[Home[f]].wal) \/ OnRecord(checkpoint, p)

(***************************************************************************)
(* STORE-2, STORE-4, R2, R5: the object of a flow in a store that is       *)
(* ready, also in a new one, has the flow's packets in the order of their  *)
(* arrival, each once, with no gap, and none that was not processed.       *)
(***************************************************************************)
StateIsIdeal ==
    store.phase = "ready" =>
        \A f \in Flows :
            LET value == store.memory.value[f]
            IN  /\ Len(value) <= Cardinality(Begun(f))
                /\ value = SubSeq(Came(f, arrived), 1, Len(value))

(***************************************************************************)
(* DUP-2, REC-4: a store that is ready has on record whatever is in the    *)
(* value of a flow's object, in order, and nothing else.                   *)
(***************************************************************************)
ValuesOnRecord ==
    store.phase = "ready" =>
        \A f \in Flows : \A n \in 0 .. Len(store.memory.versions[f]) :
            LET versions == store.memory.versions[f]
                value == store.memory.value[f]
            IN  IF n = 0 THEN Len(versions) = Len(value)
                ELSE versions[n] = [clock |-> value[n], value |-> SubSeq(value, 1, n)]

(***************************************************************************)
(* DEL-2, DEL-3: what the root has been told is committed is in the store, *)
(* and will be after its failure.                                          *)
(***************************************************************************)
CommitsLast ==
    \A p \in committed : OnRecord(checkpoint, p) \/ p \in Range(host[Home[FlowOf(p)]].wal)

(***************************************************************************)
(* Fairness speaks of messages under way instead of whether Work is        *)
(* enabled.  That is the same, as every message can be taken.              *)
(***************************************************************************)
AllTaken == UnderWay => ENABLED Work

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, there is a store,    *)
(* nothing waits, the root's log is empty, every packet has left once, and *)
(* the store has the state of the ideal chain.                             *)
(***************************************************************************)
Idle ==
    /\ store.phase = "ready" /\ ~recovering
    /\ ended = 1 .. arrived /\ committed = 1 .. arrived
    /\ \A i \in Instances :
         /\ host[i].work = NoClock
         /\ host[i].waits = <<>> /\ host[i].freed \o host[i].queue = <<>>

NothingStuck ==
    ~UnderWay => /\ Idle
                 /\ Len(left) = arrived /\ Range(left) = 1 .. arrived
                 /\ \A f \in Flows : store.memory.value[f] = Came(f, arrived)

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives leaves in the end, and its entry leaves *)
(* the log; and every recovery ends, with nothing left undone.             *)
(***************************************************************************)
IsThrough(p) == p \in Range(left) /\ p \in ended /\ p \in committed
PacketsGetThrough == \A p \in Clocks : arrived >= p ~> IsThrough(p)

RecoveryEnds == recovering ~> Idle

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain, which loses nothing. *)
(* An update is stored when its instance has logged it, or a checkpoint    *)
(* has it: from then on no failure takes it away.                          *)
(***************************************************************************)
Kept(f) ==
    LET isLogged(p) == FlowOf(p) = f /\ p \notin Range(checkpoint.value[f])
    IN  checkpoint.value[f] \o SelectSeq(host[Home[f]].wal, isLogged)

IdealChain == INSTANCE Ideal WITH
    Counts <- FALSE,
    Fails <- "nothing",
    taken <- arrived,
    stored <- [f \in Flows |-> Kept(f)],
    total <- 0,
    left <- [n \in 1 .. Len(left) |-> [clock |-> left[n], shown |-> 0]],
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

\* The ideal chain has taken every packet, and nothing is left to do, after a failure.
NeverThrough == ~(arrived = Len(Packets) /\ IdealChain!IsDone /\ Idle /\ crashes > 0)

HaveTold == store.phase = "asking" /\ store.asked = {Root}  \* all instances
ToExecute ==
    {p \in UNION {Range(store.recalled[i].wal) : i \in Instances} : ~OnRecord(checkpoint, p)}

\* REC-4: a new store executes updates of two flows, from two logs.
NeverTwoFlows == ~(HaveTold /\ Cardinality({Home[FlowOf(p)] : p \in ToExecute}) = 2)

\* REC-4: it begins with a checkpoint that has updates of a flow, and executes others of it.
NeverFromCheckpoint ==
    ~(HaveTold /\ \E p \in ToExecute : checkpoint.versions[FlowOf(p)] # <<>>)

\* DUP-2: an update was under way when the store failed, and comes to a new one, which makes it
\* from a log before it serves what it has set aside.
NeverMadeBefore ==
    ~(HaveTold /\ \E item \in Range(store.aside) :
        item.message.type = "apply" /\ item.message.clock \in ToExecute)

\* DEL-2: the signal of a commit is lost with the store.
NeverUnsignalled ==
    ~(/\ store.phase = "down" /\ channel[<<Store, Root>>] = <<>>
      /\ \E i \in Instances : \E p \in Range(host[i].wal) :
           /\ p \notin committed
           /\ Of("apply", p) \notin Range(channel[<<i, Store>>]))

\* REC-5: an instance waits for a flow when its store fails.
NeverAsksAgain == \A u \in Users : store.recalled[u].again = <<>>
=============================================================================
