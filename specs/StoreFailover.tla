---------------------------- MODULE StoreFailover ---------------------------
(***************************************************************************)
(* The store fails, with a shared object that several instances update,    *)
(* and is rebuilt from its checkpoint and from what its users remember.    *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, section 5.4 and Figure 7.                        *)
(* Clauses: REC-4, REC-5, REC-6, STORE-4, STORE-6, DUP-2, DEL-2, REC-2,    *)
(* LIVE.                                                                   *)
(*                                                                         *)
(* The object is a pool of numbers; the update of a packet takes the first *)
(* one, which is its result.  So an update is a read as well, and results  *)
(* tell in which order the updates were made.  An instance asks the store  *)
(* for its flow, once, and then processes the flow's packets one by one:   *)
(* it logs the update and sends it, waits for the result, logs that too,   *)
(* sends the packet's delete to the root, and lets the packet leave with   *)
(* its number when the root has answered.                                  *)
(*                                                                         *)
(* The store may write a checkpoint at any time, and fail at any time; all *)
(* but the checkpoint is lost, and so may be what it has sent and nobody   *)
(* has taken.  The new store asks every user for its write-ahead log, its  *)
(* newest read with its TS, and all that it waits for.  Case 2: it begins  *)
(* with the value of the most recent read.  Case 1, nobody has read since  *)
(* the checkpoint: it begins with that.  Then it executes what the logs    *)
(* have and the beginning has not.                                         *)
(*                                                                         *)
(* Every instance has one flow.  Packets are known by their clocks.        *)
(*                                                                         *)
(* Left out: other failures, moves, per-flow objects, caches, a packet     *)
(* that makes two updates, the clock and the log of the root in the store. *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Order,           \* instances of the vertex, in the order in which logs are executed;
                     \* one order is as good as another
    Traffic,         \* instance of each packet, in order of arrival
    Pool,            \* numbers in the pool at first
    MostCheckpoints, \* how often the store may write a checkpoint
    MostCrashes      \* how often it may fail

Root == "root"
Store == "store"
Manager == "manager"
Sink == "sink"

Range(s) == {s[n] : n \in 1 .. Len(s)}
Instances == Range(Order)
Users == Instances \cup {Root}  \* of the store

ASSUME /\ Instances \cap {Root, Store, Manager, Sink} = {}
       /\ Cardinality(Instances) = Len(Order)
       /\ Traffic \in Seq(Instances)
       /\ Pool \in Seq(Nat \ {0})
       /\ Len(Pool) = Cardinality(Range(Pool)) /\ Len(Pool) >= Len(Traffic)
       /\ MostCheckpoints \in Nat
       /\ MostCrashes \in Nat

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT LogUpdates <- Dropped                                          *)
(***************************************************************************)
Dropped == FALSE

LogUpdates == TRUE      \* REC-5: an instance keeps its updates in a write-ahead log
TrimToCheckpoint == TRUE \* REC-5: but for those that a checkpoint has
UpdatesRead == TRUE     \* REC-5: an update that returns a result is a read
BeginWithRead == TRUE   \* REC-5, case 2: a new store begins with a read, if there is one
BeginWithNewest == TRUE \* REC-6: that is the most recent one
TellResults == TRUE     \* REC-5: TS has the results of the updates that it names
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
    host,        \* what each instance holds; see HostState
    store,       \* what the store holds; see StoreState
    checkpoint,  \* on stable storage: the last one
    channel,     \* messages under way between two components
    left         \* sink: packets that have left the chain, each with its number

root == <<ended, committed>>
vars == <<arrived, checkpoints, crashes, recovering, root, host, store, checkpoint, channel, left>>

-----------------------------------------------------------------------------
Clocks == 1 .. Len(Traffic)
Numbers == Range(Pool)
NoClock == 0
NoNumber == 0
Starts == 1 .. MostCrashes

\* An update and its result.
Update == [clock : Clocks, number : Numbers]
NoUpdate == [clock |-> NoClock, number |-> NoNumber]

\* The object as a read finds it.  "last" is TS: the last update of each instance.
Stamp == [version : Nat, value : Seq(Numbers), last : [Instances -> Update \cup {NoUpdate}]]
NoStamp == [version |-> 0, value |-> Pool, last |-> [i \in Instances |-> NoUpdate]]

MemoryState ==
    [stamp : Stamp,                                 \* the object
     records : [Clocks -> Numbers \cup {NoNumber}], \* the result of each update so far
     applied : [Instances -> Clocks \cup {NoClock}], \* the newest update of each instance
     owned : SUBSET Instances]                      \* those that have asked for their flow
Empty == [stamp |-> NoStamp, records |-> [p \in Clocks |-> NoNumber],
          applied |-> [i \in Instances |-> NoClock], owned |-> {}]

Request == [type : {"acquire"}] \cup [type : {"apply"}, clock : Clocks]

\* What a user remembers of the store that failed.
Recollection ==
    [owns : BOOLEAN,
     wal : Seq([clock : Clocks, number : Numbers \cup {NoNumber}]),
     read : Stamp,
     again : Seq(Request)]  \* what it waits for
Nothing == [owns |-> FALSE, wal |-> <<>>, read |-> NoStamp, again |-> <<>>]

Message ==
    Request                                                \* instance to store
    \cup [type : {"granted"}]                              \* store to instance
    \cup [type : {"result"}, clock : Clocks, number : Numbers, read : Stamp]
    \cup [type : {"checkpointed"}, clock : Clocks]
    \cup [type : {"packet"}, clock : Clocks]               \* root to instance
    \cup [type : {"delete", "deleted"}, clock : Clocks]    \* instance to root, and back
    \cup [type : {"output"}, clock : Clocks, number : Numbers] \* instance to sink
    \cup [type : {"committed"}, clock : Clocks]            \* store to root
    \cup [type : {"recall"}, start : Starts]               \* store to user
    \cup [type : {"recollection"}, start : Starts, memory : Recollection] \* user to store
    \cup [type : {"start", "ready"}, start : Starts]       \* manager to store, and back

Channels ==
    {<<Manager, Store>>, <<Store, Manager>>, <<Root, Store>>, <<Store, Root>>}
    \cup UNION {{<<Root, i>>, <<i, Root>>, <<i, Store>>, <<Store, i>>, <<i, Sink>>} :
                i \in Instances}

HostState ==
    [owns : BOOLEAN,         \* the store has given it its flow
     waits : Seq(Clocks),    \* packets that wait for the flow
     freed : Seq(Clocks),    \* packets that waited for it, and now for their turn
     queue : Seq(Clocks),    \* packets that came during work
     work : [clock : Clocks \cup {NoClock}, \* the packet in work, and the result of
             number : Numbers \cup {NoNumber}], \* its update once that has come
     wal : Seq([clock : Clocks, number : Numbers \cup {NoNumber}]), \* write-ahead log
     read : Stamp]           \* its newest read

StoreState ==
    [phase : {"ready", "down", "asking"}, \* asking: it waits for recollections
     memory : MemoryState,
     asked : SUBSET Users,                \* whose recollections are still to come
     recalled : [Users -> Recollection],  \* those that have come
     aside : Seq([source : Instances, message : Request])] \* for a ready store

TypeOK ==
    /\ arrived \in 0 .. Len(Traffic)
    /\ checkpoints \in 0 .. MostCheckpoints
    /\ crashes \in 0 .. MostCrashes
    /\ recovering \in BOOLEAN
    /\ ended \subseteq Clocks /\ committed \subseteq Clocks
    /\ host \in [Instances -> HostState]
    /\ store \in StoreState
    /\ checkpoint \in MemoryState
    /\ channel \in [Channels -> Seq(Message)]
    /\ left \in Seq(Update)

Init ==
    /\ arrived = 0
    /\ checkpoints = 0
    /\ crashes = 0
    /\ recovering = FALSE
    /\ ended = {} /\ committed = {}
    /\ host = [i \in Instances |->
                 [owns |-> FALSE, waits |-> <<>>, freed |-> <<>>, queue |-> <<>>,
                  work |-> NoUpdate, wal |-> <<>>, read |-> NoStamp]]
    /\ store = [phase |-> "ready", memory |-> Empty, asked |-> {},
                recalled |-> [u \in Users |-> Nothing], aside |-> <<>>]
    /\ checkpoint = Empty
    /\ channel = [c \in Channels |-> <<>>]
    /\ left = <<>>

-----------------------------------------------------------------------------
(* Messages *)

\* One thing that a component sends; what it sends in one step is a sequence of these.
To(to, message) == [to |-> to, message |-> message]

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
    /\ arrived < Len(Traffic)
    /\ arrived' = arrived + 1
    /\ Sending(Root, <<To(Traffic[arrived + 1], [type |-> "packet", clock |-> arrived + 1])>>)
    /\ UNCHANGED <<checkpoints, crashes, recovering, root, host, store, checkpoint, left>>

\* ROOT-3, REC-2.  A packet is logged as long as it is not both ended and committed.
RootTakesDelete(i) ==
    /\ Comes(i, Root, "delete")
    /\ LET p == Head(channel[<<i, Root>>]).clock
       IN  /\ ended' = ended \cup {p}
           /\ Taken(i, Root, <<To(i, [type |-> "deleted", clock |-> p])>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, committed, host, store, checkpoint,
                   left>>

RootTakesCommitted ==
    /\ Comes(Store, Root, "committed")
    /\ committed' = committed \cup {Head(channel[<<Store, Root>>]).clock}
    /\ Taken(Store, Root, <<>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, ended, host, store, checkpoint, left>>

-----------------------------------------------------------------------------
(* Instance *)

Apply(p) == To(Store, [type |-> "apply", clock |-> p])

\* The next packet, if none is in work: its update is logged, then sent (REC-5).
Begin(h) ==
    LET waiting == h.freed \o h.queue
        p == Head(waiting)
    IN  IF h.work # NoUpdate \/ waiting = <<>> THEN [host |-> h, sends |-> <<>>]
        ELSE [host |-> [h EXCEPT !.freed = IF @ = <<>> THEN <<>> ELSE Tail(@),
                                 !.queue = IF h.freed = <<>> THEN Tail(@) ELSE @,
                                 !.work = [clock |-> p, number |-> NoNumber],
                                 !.wal = IF LogUpdates
                                         THEN Append(@, [clock |-> p, number |-> NoNumber])
                                         ELSE @],
              sends |-> <<Apply(p)>>]

InstanceDoes(i, source, h, sends) ==  \* first these effects, then the next packet
    LET next == Begin(h)
    IN  /\ host' = [host EXCEPT ![i] = next.host]
        /\ Taken(source, i, sends \o next.sends)
        /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, root, store, checkpoint, left>>

\* The first packet asks for the flow; those behind it wait with it.
InstanceTakesPacket(i) ==
    /\ Comes(Root, i, "packet")
    /\ LET p == Head(channel[<<Root, i>>]).clock
       IN  IF host[i].owns
           THEN InstanceDoes(i, Root, [host[i] EXCEPT !.queue = Append(@, p)], <<>>)
           ELSE InstanceDoes(i, Root, [host[i] EXCEPT !.waits = Append(@, p)],
                          IF host[i].waits = <<>> THEN <<To(Store, [type |-> "acquire"])>>
                          ELSE <<>>)

\* A second answer is not waited for: it was asked for once more.
InstanceTakesGranted(i) ==
    /\ Comes(Store, i, "granted")
    /\ InstanceDoes(i, Store,
                 [host[i] EXCEPT !.owns = @ \/ host[i].waits # <<>>, !.waits = <<>>,
                                 !.freed = @ \o host[i].waits],
                 <<>>)

\* REC-5: the result is logged, and the read.  REC-2: the root must have the delete.
InstanceTakesResult(i) ==
    /\ Comes(Store, i, "result")
    /\ LET m == Head(channel[<<Store, i>>])
           h == host[i]
           noted == [h EXCEPT !.wal = [n \in 1 .. Len(@) |->
                                         IF @[n].clock = m.clock
                                         THEN [@[n] EXCEPT !.number = m.number] ELSE @[n]],
                              !.read = m.read]
       IN  IF h.work = [clock |-> m.clock, number |-> NoNumber]
           THEN InstanceDoes(i, Store, [noted EXCEPT !.work.number = m.number],
                          <<To(Root, [type |-> "delete", clock |-> m.clock])>>)
           ELSE InstanceDoes(i, Store, noted, <<>>)

InstanceTakesDeleted(i) ==
    /\ Comes(Root, i, "deleted")
    /\ LET w == host[i].work
       IN  InstanceDoes(i, Root, [host[i] EXCEPT !.work = NoUpdate],
                     <<To(Sink, [type |-> "output", clock |-> w.clock, number |-> w.number])>>)

\* REC-5: the log needs nothing that is in a checkpoint.
Behind(wal, clock) ==
    IF \E n \in 1 .. Len(wal) : wal[n].clock = clock
    THEN SubSeq(wal, 1 + CHOOSE n \in 1 .. Len(wal) : wal[n].clock = clock, Len(wal))
    ELSE wal

InstanceTakesCheckpointed(i) ==
    /\ Comes(Store, i, "checkpointed")
    /\ InstanceDoes(i, Store,
                 [host[i] EXCEPT !.wal =
                    IF TrimToCheckpoint THEN Behind(@, Head(channel[<<Store, i>>]).clock)
                    ELSE <<>>],
                 <<>>)

Waiting(h) ==  \* what an instance waits for
    (IF h.waits # <<>> THEN <<[type |-> "acquire"]>> ELSE <<>>)
    \o (IF h.work # NoUpdate /\ h.work.number = NoNumber
        THEN <<[type |-> "apply", clock |-> h.work.clock]>> ELSE <<>>)

Remembered(u) ==
    IF u = Root THEN Nothing
    ELSE [owns |-> host[u].owns, wal |-> host[u].wal, read |-> host[u].read,
          again |-> IF AskAgain THEN Waiting(host[u]) ELSE <<>>]

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

\* The update of a packet of instance i is made: the first number is taken from the pool.
Execute(m, i, p) ==
    LET s == m.stamp
        number == IF s.value = <<>> THEN NoNumber ELSE Head(s.value)
    IN  [m EXCEPT !.stamp = [version |-> s.version + 1,
                             value |-> IF s.value = <<>> THEN <<>> ELSE Tail(s.value),
                             last |-> [s.last EXCEPT ![i] = [clock |-> p, number |-> number]]],
                  !.records[p] = number]

(***************************************************************************)
(* STORE-4: updates are made one at a time.  DUP-2: one that is on record  *)
(* is answered, and not made again.  REC-5: the answer tells how the       *)
(* object is now.                                                          *)
(***************************************************************************)
OnApply(m, i, p) ==
    LET isRepeat == ApplyOnce /\ m.records[p] # NoNumber
        noted == [m EXCEPT !.applied[i] = p]
        made == IF isRepeat THEN noted ELSE Execute(noted, i, p)
        answer == To(i, [type |-> "result", clock |-> p, number |-> made.records[p],
                         read |-> IF UpdatesRead THEN made.stamp ELSE NoStamp])
        commit == To(Root, [type |-> "committed", clock |-> p])
    IN  After(made, IF isRepeat THEN <<answer>> ELSE <<answer, commit>>)

OnRequest(m, i, request) ==
    IF request.type = "apply" THEN OnApply(m, i, request.clock)
    ELSE After([m EXCEPT !.owned = @ \cup {i}], <<To(i, [type |-> "granted"])>>)

RECURSIVE OnAll(_, _, _)
OnAll(m, requests, sends) ==
    IF requests = <<>> THEN After(m, sends)
    ELSE LET done == OnRequest(m, Head(requests).source, Head(requests).message)
         IN  OnAll(done.memory, Tail(requests), sends \o done.sends)

(***************************************************************************)
(* REC-6: of the reads that anybody remembers, and the checkpoint, the     *)
(* most recent one is that of the newest version of the object.  So the    *)
(* TS of every other read is contained in its own.  An object that is in   *)
(* no log has not changed since the checkpoint.                            *)
(***************************************************************************)
Beginning(recalled) ==
    LET reads == {recalled[i].read : i \in Instances} \ {NoStamp}
        isLogged == \E i \in Instances : recalled[i].wal # <<>>
        all == {checkpoint.stamp} \cup (IF BeginWithRead /\ isLogged THEN reads ELSE {})
    IN  CHOOSE s \in all : \A t \in all :
          IF BeginWithNewest THEN s.version >= t.version ELSE s.version <= t.version

(***************************************************************************)
(* REC-5: the updates that the beginning has already are put on record.    *)
(* They are those of each log up to the one that TS names, whose own       *)
(* result may never have come.                                             *)
(***************************************************************************)
Includes(s, wal, i, n) ==  \* does s have the update at place n of the log of i?
    \E k \in n .. Len(wal) : wal[k].clock = s.last[i].clock

ResultIn(s, i, entry) ==
    IF TellResults /\ entry.number = NoNumber THEN s.last[i].number ELSE entry.number

OnRecord(records, s, recalled) ==
    [p \in Clocks |->
       LET i == Traffic[p]
           wal == recalled[i].wal
           places == {n \in 1 .. Len(wal) : wal[n].clock = p /\ Includes(s, wal, i, n)}
       IN  IF records[p] # NoNumber \/ places = {} THEN records[p]
           ELSE ResultIn(s, i, wal[CHOOSE n \in places : TRUE])]

RECURSIVE ExecuteLog(_, _, _)
ExecuteLog(m, i, wal) ==
    IF wal = <<>> THEN m
    ELSE LET p == Head(wal).clock
         IN  ExecuteLog(IF m.records[p] # NoNumber THEN m ELSE Execute(m, i, p), i, Tail(wal))

RECURSIVE ExecuteLogs(_, _, _)
ExecuteLogs(m, order, recalled) ==
    IF order = <<>> THEN m
    ELSE ExecuteLogs(ExecuteLog(m, Head(order), recalled[Head(order)].wal), Tail(order), recalled)

Rebuilt(recalled) ==
    LET begin == Beginning(recalled)
        last(i) == recalled[i].wal[Len(recalled[i].wal)].clock
    IN  ExecuteLogs(
          [stamp |-> begin,
           records |-> OnRecord(checkpoint.records, begin, recalled),
           applied |-> [i \in Instances |-> IF recalled[i].wal = <<>> THEN checkpoint.applied[i]
                                            ELSE last(i)],
           owned |-> checkpoint.owned \cup {i \in Instances : recalled[i].owns}],
          Order, recalled)

\* REC-5: instances are told what of their logs is in a checkpoint.
RECURSIVE Trims(_, _)
Trims(m, order) ==
    IF order = <<>> THEN <<>>
    ELSE LET i == Head(order)
         IN  (IF m.applied[i] = NoClock THEN <<>>
              ELSE <<To(i, [type |-> "checkpointed", clock |-> m.applied[i]])>>)
             \o Trims(m, Tail(order))

RECURSIVE Commits(_, _)
Commits(m, p) ==  \* of packets from p on
    IF p > Len(Traffic) THEN <<>>
    ELSE (IF m.records[p] = NoNumber THEN <<>>
          ELSE <<To(Root, [type |-> "committed", clock |-> p])>>)
         \o Commits(m, p + 1)

RECURSIVE AgainOf(_, _)
AgainOf(order, recalled) ==
    IF order = <<>> THEN <<>>
    ELSE LET i == Head(order)
             again == recalled[i].again
         IN  [n \in 1 .. Len(again) |-> [source |-> i, message |-> again[n]]]
             \o AgainOf(Tail(order), recalled)

(***************************************************************************)
(* REC-5: once all users have told, the store is rebuilt, and writes a     *)
(* checkpoint.  It serves what users wait for, and what came meanwhile;    *)
(* only then are logs trimmed, as these answers may be lost again.         *)
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
    /\ LET m == Head(channel[<<i, Sink>>])
       IN  left' = Append(left, [clock |-> m.clock, number |-> m.number])
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
    \/ InstanceTakesPacket(i) \/ InstanceTakesDeleted(i)
    \/ InstanceTakesGranted(i) \/ InstanceTakesResult(i)
    \/ InstanceTakesCheckpointed(i) \/ InstanceTakesRecall(i)

AtStore ==
    \/ StoreTakesStart \/ StoreTakesRecollection(Root)
    \/ \E i \in Instances :
         StoreTakesAcquire(i) \/ StoreTakesApply(i) \/ StoreTakesRecollection(i)

AtRoot == RootTakesCommitted \/ RootTakesRecall \/ \E i \in Instances : RootTakesDelete(i)

Take ==
    \/ AtRoot \/ AtStore \/ ManagerTakesReady
    \/ \E i \in Instances : AtInstance(i) \/ SinkTakesOutput(i)

Next ==
    \/ Arrive
    \/ Checkpoint
    \/ Crash
    \/ \E to \in Users \cup {Manager} : Lose(to)
    \/ Take

\* As long as messages are under way, one of them is taken in the end, whichever it is:
\* the weak fairness of Take (see AllTaken).
\* Packets, checkpoints and failures need not come.
UnderWay == \E c \in Channels : channel[c] # <<>>
Fairness == []<>~UnderWay \/ []<><<Take>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
ClocksOf(updates) == {u.clock : u \in updates}

\* Packets of an instance whose update it has sent.
Begun(i) ==
    LET waiting == Range(host[i].waits \o host[i].freed \o host[i].queue)
        isOnItsWay(p) == [type |-> "packet", clock |-> p] \in Range(channel[<<Root, i>>])
    IN  {p \in 1 .. arrived : Traffic[p] = i /\ p \notin waiting /\ ~isOnItsWay(p)}

\* Updates with results that anybody outside of the store has seen.
Read ==
    {u \in UNION {Range(host[i].wal) \cup {host[i].work} : i \in Instances} :
       u.number # NoNumber}
    \cup {[clock |-> m.clock, number |-> m.number] :
            m \in UNION {Range(channel[<<i, Sink>>]) : i \in Instances}}
    \cup Range(left)

(***************************************************************************)
(* REC-5: an instance's write-ahead log has every update that it has sent  *)
(* and that is in no checkpoint; so it survives a failure of the store.    *)
(***************************************************************************)
LogCovers ==
    \A i \in Instances : \A p \in Begun(i) :
        p \in ClocksOf(Range(host[i].wal)) \/ checkpoint.records[p] # NoNumber

(***************************************************************************)
(* REC-0, DUP-2: whatever anybody has read is on record in a store that is *)
(* ready, also in a new one.                                               *)
(***************************************************************************)
ReadsOnRecord ==
    store.phase = "ready" => \A u \in Read : store.memory.records[u.clock] = u.number

(***************************************************************************)
(* STORE-4, COE: the object in a store that is ready, also in a new one,   *)
(* has the value of some serial order of updates.  The order has each      *)
(* update once, keeps the order of those of one instance, and explains     *)
(* everything that was read and everything on record.                      *)
(***************************************************************************)
Orders ==
    LET sequences == UNION {[1 .. n -> Clocks] : n \in 0 .. Len(Traffic)}
    IN  {o \in sequences : \A m, n \in DOMAIN o :
           m < n => o[m] # o[n] /\ (Traffic[o[m]] = Traffic[o[n]] => o[m] < o[n])}

Explains(order) ==
    LET results == {[clock |-> order[n], number |-> Pool[n]] : n \in DOMAIN order}
        records == {u \in [clock : Clocks, number : Numbers] :
                      store.memory.records[u.clock] = u.number}
    IN  /\ \A n \in DOMAIN order : order[n] \in Begun(Traffic[order[n]])
        /\ store.memory.stamp.value = SubSeq(Pool, Len(order) + 1, Len(Pool))
        /\ Read \subseteq results
        /\ records = results

SerialOrder == store.phase = "ready" => \E order \in Orders : Explains(order)

(***************************************************************************)
(* R5: no number is taken by two packets, and no packet takes two numbers. *)
(***************************************************************************)
TakenOnce == \A u, v \in Read : u.clock = v.clock <=> u.number = v.number

(***************************************************************************)
(* Fairness speaks of messages under way instead of whether Take is        *)
(* enabled.  That is the same, as every message can be taken.              *)
(***************************************************************************)
AllTaken == UnderWay => ENABLED Take

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, there is a store,    *)
(* nothing waits, the root's log is empty, every packet has left once, and *)
(* each has taken one number.                                              *)
(***************************************************************************)
Idle ==
    /\ store.phase = "ready" /\ ~recovering
    /\ ended = 1 .. arrived /\ committed = 1 .. arrived
    /\ \A i \in Instances : /\ host[i].work = NoUpdate
                             /\ host[i].waits \o host[i].freed \o host[i].queue = <<>>

NothingStuck ==
    ~UnderWay => /\ Idle
           /\ Len(left) = arrived /\ ClocksOf(Range(left)) = 1 .. arrived
           /\ store.memory.stamp.value = SubSeq(Pool, arrived + 1, Len(Pool))

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives leaves in the end; and every recovery   *)
(* ends, with nothing left undone.                                         *)
(***************************************************************************)
PacketsLeave == \A p \in Clocks : arrived >= p ~> p \in ClocksOf(Range(left))

RecoveryEnds == recovering ~> Idle

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of some ideal chain: one that takes its  *)
(* packets in the serial order of their updates.  An update has its place  *)
(* in that order when anybody has read it that remembers it when the store *)
(* fails: an instance, or a checkpoint.  So the newest read says how many  *)
(* updates have a place, and reads and records which ones they are.        *)
(***************************************************************************)
Newest ==
    LET reads == {checkpoint.stamp} \cup {host[i].read : i \in Instances}
    IN  CHOOSE s \in reads : \A t \in reads : s.version >= t.version

Placed ==
    Read \cup {Newest.last[i] : i \in Instances}
    \cup {u \in [clock : Clocks, number : Numbers] : checkpoint.records[u.clock] = u.number}

WithNumber(number) ==  \* the packet that has it
    IF \E u \in Placed : u.number = number
    THEN (CHOOSE u \in Placed : u.number = number).clock ELSE NoClock

IdealChain == INSTANCE IdealSerial WITH
    Input <- Traffic,
    taken <- arrived,
    order <- [n \in 1 .. Len(Pool) - Len(Newest.value) |-> WithNumber(Pool[n])],
    left <- left

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
NeverThrough == ~(arrived = Len(Traffic) /\ IdealChain!IsDone)

\* Two updates get their place in the serial order at once.
NeverTogether == [][Len(Newest.value) - Len(Newest.value') < 2]_vars

HaveTold == store.phase = "asking" /\ store.asked = {Root}  \* all instances
Told(i) == store.recalled[i]
NewerReads == {i \in Instances : Told(i).read.version > checkpoint.stamp.version}
Missing(s) ==  \* instances with updates that s does not have
    {i \in Instances : \E n \in DOMAIN Told(i).wal :
       checkpoint.records[Told(i).wal[n].clock] = NoNumber /\ ~Includes(s, Told(i).wal, i, n)}

\* Case 1: nobody has read since the checkpoint, and there is something to execute.
NeverCaseOne == ~(HaveTold /\ NewerReads = {} /\ Missing(checkpoint.stamp) # {})

\* Case 1 with a checkpoint that has updates.
NeverFromCheckpoint ==
    ~(/\ HaveTold /\ NewerReads = {} /\ Missing(checkpoint.stamp) # {}
      /\ checkpoint.stamp.version > 0)

\* Case 2: the beginning is a read, and there is something to execute.
NeverCaseTwo ==
    ~(/\ HaveTold /\ NewerReads # {}
      /\ Missing(Beginning(store.recalled)) # {})

\* The most recent read names an update whose own answer was lost.
NeverAnswerLost ==
    ~(/\ HaveTold
      /\ \E i, j \in Instances : \E n \in DOMAIN Told(i).wal :
           i # j /\ Told(i).wal[n].number = NoNumber /\ Includes(Told(j).read, Told(i).wal, i, n))

\* An update is set aside while the store recovers.
NeverSetAside == \A item \in Range(store.aside) : item.message.type # "apply"
=============================================================================
