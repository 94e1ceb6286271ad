------------------------- MODULE ReallocationRowParts -------------------------
(***************************************************************************)
(* What there is in ReallocationRow: instances, addresses, messages, what  *)
(* each component holds; and the rules that a bounded instance may drop.   *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.3, 5.1, 5.3 and 5.4.                  *)
(* Clauses: CHAIN-2, SPLIT-3, ROOT-1, MOVE-1 to MOVE-6, STORE-2, CLONE-2,  *)
(* DUP-1 to DUP-3, DEL-1 to DEL-3, REC-1, REC-2.                           *)
(***************************************************************************)
EXTENDS Row, FiniteSets

CONSTANTS
    Ranked,      \* instances of all vertices, in the order in which the log is replayed to them
    VertexOf,    \* vertex of each
    Home,        \* for each vertex, the instance of each flow before its first move
    Listed,      \* flows, in the order in which marks are sent again
    Moves,       \* what the operator asks for, in this order: a flow, and whereto
    Fragile,     \* instances that may fail
    MostCrashes, \* how often, in all
    Eager        \* for each vertex: flush after each packet, or when the flush timer fires

Range(s) == {s[n] : n \in 1 .. Len(s)}
Instances == Range(Ranked)
Nobody == "nobody"
Epochs == 0 .. Len(Moves)
Unknown == Len(Packets) + 1       \* where a tenure begins, until the manager has said it
Sessions == 0 .. 2 * MostCrashes  \* 0: no start, or no replay

ASSUME /\ Instances \cap {Nobody, "root", "store", "manager", "sink"} = {}
       /\ VertexOf \in [Instances -> Vertices]
       /\ Home \in [Vertices -> [Flows -> Instances]]
       /\ \A v \in Vertices, f \in Flows : VertexOf[Home[v][f]] = v
       /\ Range(Listed) = Flows /\ Len(Listed) = Cardinality(Flows)
       /\ Moves \in Seq([flow : Flows, to : Instances])
       /\ Fragile \subseteq Instances
       /\ MostCrashes \in Nat
       /\ Eager \in [Vertices -> BOOLEAN]

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT AwaitMarks <- Dropped.  So it may change the operators         *)
(* TenureOf, MayPass and InTenureOrder of ReallocationRow, which are rules *)
(* too.                                                                    *)
(***************************************************************************)
Dropped == FALSE

AskWhereItBegins == TRUE    \* MOVE-5: the manager fixes where a tenure begins
OneVertexAtATime == TRUE    \* MOVE-5: a flow moves at no vertex while it moves at another
BeginWaits == TRUE          \* MOVE-5: nor is it fixed where a tenure begins while it moves above
MarkLast == TRUE            \* MOVE-1: the old instance is told that a flow leaves
MarkAgain == TRUE           \* MOVE-1, REC-1: what of these marks may be lost is sent again
AwaitMarks == TRUE          \* MOVE-2: it ends the tenure when every splitter above has told it
AwaitEarlier == TRUE        \* DUP-3, MOVE-6: a replayed packet waits for those of earlier tenures
SuppressUpdates == TRUE     \* DUP-2: an update that the store has is not made again
FlushBeforeRelease == TRUE  \* MOVE-2: cached updates go to the store first
LeaveOnFirstDelete == TRUE  \* REC-2: of two deletes of a packet one lets it leave
DeleteAfterCommits == TRUE  \* DEL-3: the log keeps a packet until its updates are committed

-----------------------------------------------------------------------------
(* Sequences, functions and places *)

IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
Max(S) == CHOOSE x \in S : \A y \in S : y <= x
With(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Without(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

RECURSIVE Joined(_, _)
Joined(sequences, n) ==  \* the first n of them, one behind another
    IF n = 0 THEN <<>> ELSE Joined(sequences, n - 1) \o sequences[n]

RECURSIVE Total(_, _)
Total(g, S) ==  \* of a function, over a set
    IF S = {} THEN 0 ELSE LET x == CHOOSE x \in S : TRUE IN g[x] + Total(g, S \ {x})

Members(v) == {i \in Instances : VertexOf[i] = v}
IsLast(i) == VertexOf[i] = Last

\* A splitter stands behind the root and every instance; the root is behind vertex 0.
Splitters == Instances \cup {"root"}
PlaceOf(x) == IF x = "root" THEN 0 ELSE VertexOf[x]
SplittersTo(v) == IF v = 1 THEN {"root"} ELSE Members(v - 1)
Above(i) == SplittersTo(VertexOf[i])

\* To whom everybody sends; a channel is a pair of these.
Addresses == Instances \cup {"root", "store", "manager", "sink"}
Below(v) == IF v = Last THEN {"root", "sink"} ELSE Members(v + 1)
To == [x \in Addresses |->
         CASE x \in Instances -> Below(VertexOf[x]) \cup {"store", "manager"}
           [] x = "root" -> Members(1) \cup Members(Last) \cup {"manager"}
           [] x = "store" -> Instances \cup {"root", "manager"}
           [] x = "manager" -> Instances \cup {"root", "store"}
           [] x = "sink" -> {}]
Channels == UNION {{x} \X To[x] : x \in Addresses}

-----------------------------------------------------------------------------
(***************************************************************************)
(* Messages.  A session of 0 says that a packet is not replayed, Nobody    *)
(* that it is for no one.  The epoch of a packet is its flow's tenure at   *)
(* the instance that it goes to, or has come from; "after" is the one at   *)
(* the vertex above.                                                       *)
(***************************************************************************)
Packet(k, target, s) == [type |-> "packet", clock |-> k, said |-> <<>>, vector |-> {},
                         epoch |-> 0, after |-> 0, target |-> target, session |-> s]
LastMark(from, f, e) == [type |-> "last", from |-> from, flow |-> f, epoch |-> e]
Passed(f, e) == [type |-> "passed", flow |-> f, epoch |-> e]
ReplayEnd(from, target, s, newest) ==
    [type |-> "end", from |-> from, target |-> target, session |-> s, newest |-> newest]
Delete(p, s) == [type |-> "delete", clock |-> p.clock, vector |-> p.vector, start |-> s]
Deleted(k, first, s) == [type |-> "deleted", clock |-> k, first |-> first, start |-> s]
Acquire(p, peek, s) ==
    [type |-> "acquire", clock |-> p.clock, epoch |-> p.epoch, peek |-> peek, start |-> s]
Release(f, e, s) == [type |-> "release", flow |-> f, epoch |-> e, start |-> s]
Granted(m, v, owned, latest) == [type |-> "granted", clock |-> m.clock, epoch |-> m.epoch,
                                 peek |-> m.peek, value |-> v, owned |-> owned, latest |-> latest]
Apply(entry, o, s) == [type |-> "apply", entry |-> entry, object |-> o, start |-> s]
Committed(k, v, o) == [type |-> "committed", clock |-> k, update |-> <<v, o>>]
Output(p) == [type |-> "output", clock |-> p.clock, said |-> p.said, after |-> p.epoch]
Move(f, e, i, b) == [type |-> "move", flow |-> f, epoch |-> e, to |-> i, behind |-> b]
Begin(f, e, k, s) == [type |-> "begin", flow |-> f, epoch |-> e, clock |-> k, start |-> s]
Since(f, e, k) == [type |-> "since", flow |-> f, epoch |-> e, clock |-> k]
HandedOver(f, e) == [type |-> "handed over", flow |-> f, epoch |-> e]
Start(s, route) == [type |-> "start", session |-> s, route |-> route]
Ready(s) == [type |-> "ready", session |-> s]
Recovered(s) == [type |-> "recovered", session |-> s]
Replay(i, s) == [type |-> "replay", target |-> i, session |-> s]
Fence(i, s) == [type |-> "fence", instance |-> i, start |-> s]
Fenced(m) == [m EXCEPT !.type = "fenced"]

\* What a splitter holds back besides: marks for one instance, or for each that may have lost some.
MarkFor(to, f, e) == [type |-> "mark", to |-> to, flow |-> f, epoch |-> e]
Again(to, f, e) == [type |-> "again", to |-> to, flow |-> f, epoch |-> e]
Remind(only) == [type |-> "remind", only |-> only]

\* What an instance holds besides: the end of a tenure, behind packets that wait; and a packet with
\* the state that has come for it alone.
Handover(f, e) == [type |-> "handover", flow |-> f, epoch |-> e]
Loaded(p, g) == [type |-> "loaded", packet |-> p, value |-> g.value, owned |-> g.owned]

PacketItem == [type : {"packet"}, clock : Clocks, said : Sayings, vector : SUBSET Updates,
               epoch : Epochs, after : Epochs, target : Instances \cup {Nobody},
               session : Sessions]
LastItem == [type : {"last"}, from : Splitters, flow : Flows, epoch : Epochs]
PassedItem == [type : {"passed"}, flow : Flows, epoch : Epochs]
EndItem == [type : {"end"}, from : Splitters, target : Instances, session : Sessions,
            newest : Numbers]
Item == PacketItem \cup LastItem \cup PassedItem \cup EndItem
HandoverItem == [type : {"handover"}, flow : Flows, epoch : Epochs]
LoadedItem == [type : {"loaded"}, packet : PacketItem, value : Values, owned : BOOLEAN]
Leaving == [type : {"output"}, clock : Clocks, said : Sayings, after : Epochs]
Request == [type : {"acquire"}, clock : Clocks, epoch : Epochs, peek : BOOLEAN, start : Sessions]
           \cup [type : {"release"}, flow : Flows, epoch : Epochs, start : Sessions]
Question == [type : {"begin"}, flow : Flows, epoch : Epochs, clock : Clocks, start : Sessions]
HandedOverItem == [type : {"handed over"}, flow : Flows, epoch : Epochs]
GateItem == PacketItem \cup PassedItem \cup EndItem \cup HandedOverItem
            \cup [type : {"mark", "again"}, to : Instances, flow : Flows, epoch : Epochs]
            \cup [type : {"remind"}, only : Instances \cup {Nobody}]
Route == [Flows -> Seq([instance : Instances, since : {0, Unknown} \cup Clocks,
                        behind : Epochs])]

Message ==
    Item \cup Leaving \cup Request \cup Question \cup HandedOverItem
    \cup [type : {"delete"}, clock : Clocks, vector : SUBSET Updates, start : Sessions]
    \cup [type : {"deleted"}, clock : Clocks, first : BOOLEAN, start : Sessions]
    \cup [type : {"granted"}, clock : Clocks, epoch : Epochs, peek : BOOLEAN, value : Values,
          owned : BOOLEAN, latest : BOOLEAN]
    \cup [type : {"apply"}, entry : Entries, object : {OwnObject, SharedObject}, start : Sessions]
    \cup [type : {"committed"}, clock : Clocks, update : Updates]
    \cup [type : {"move"}, flow : Flows, epoch : Epochs, to : Instances, behind : Epochs]
    \cup [type : {"since"}, flow : Flows, epoch : Epochs, clock : Clocks]
    \cup [type : {"start"}, session : Sessions, route : Route]
    \cup [type : {"ready", "recovered"}, session : Sessions]
    \cup [type : {"replay"}, target : Instances, session : Sessions]
    \cup [type : {"fence", "fenced"}, instance : Instances, start : Sessions]

FlowOf(p) == Packets[p.clock]
IsPassing(i, p) == p.target \notin {i, Nobody}

-----------------------------------------------------------------------------
LogEntry == [ended : BOOLEAN,          \* a delete has come
             vector : SUBSET Updates,  \* what the packet has induced; the delete tells
             signals : SUBSET Updates] \* what the store has committed

(***************************************************************************)
(* A splitter.  Route has the tenures of each flow at the vertex behind    *)
(* it, oldest first, each with the tenure at its own vertex that it is     *)
(* behind; the first packet of a tenure waits at the gate until the        *)
(* manager has its clock, and all that comes behind waits with it.         *)
(* Recovering: it is a failover's, and has not yet sent again all marks.   *)
(***************************************************************************)
RouteFrom(v) ==  \* before any move; behind the last vertex there is none
    [f \in Flows |-> IF v = Last THEN <<>> ELSE
    <<[instance |-> Home[v + 1][f], since |-> 0, behind |-> 0]>>]
NewSplitter(x) == [route |-> RouteFrom(PlaceOf(x)), gate |-> <<>>, recovering |-> FALSE]

(***************************************************************************)
(* An NF instance, with the queue before it.  It works on one packet at a  *)
(* time: what is in work waits for the store's grant, as it passes through *)
(* on its way to another instance, or has been processed, and waits for    *)
(* the answer to its delete (REC-2).  A slot is a flow and an epoch, a     *)
(* tenure; it is blocked while its state is asked for, or a packet of it   *)
(* is in work on state that came for that packet alone.                    *)
(***************************************************************************)
Node == [up : BOOLEAN,
         start : Sessions,                       \* session of its start
         recovering : BOOLEAN,                   \* its queue waits for the end of a replay
         valid : Sessions,                       \* first replay to it that it has seen
         seen : SUBSET [clock : Clocks, target : Instances \cup {Nobody}, session : Sessions],
                                                 \* packets that were queued (DUP-1)
         passed : [Flows -> SUBSET Epochs],      \* marks that have come from above (MOVE-6)
         held : Seq(PacketItem \cup LastItem),   \* what waits for some that have not
         late : Seq(PacketItem),                 \* what waits for the end of its replay
         aside : Seq(Item),                      \* what is not replayed to it, in recovery
         work : Seq([for : {"grant", "delete"},  \* the packet in work, if any, and the value that
                     packet : PacketItem,        \* it was processed on
                     before : Values]),
         ready : Seq(PacketItem \cup LoadedItem \cup HandoverItem),
                                                 \* items whose state has just come
         lane : Seq(Item),                       \* what passes through, and ends of replays
         queue : Seq(Item),                      \* items not yet looked at
         released : [Flows -> Seq(Epochs)],      \* tenures that are over, by the epoch that follows
         unflushed : Seq(Entries)]               \* updates of flows' objects
\* and these partial functions: owned, on flows: a cached value, and its epoch; blocked and lasts, on
\* slots: what waits, and who has sent the last mark; ends and over, on targets of replays: who has
\* sent the end of one, and the newest that has ended.
Partial == {"owned", "blocked", "lasts", "ends", "over"}

Down == [up |-> FALSE, start |-> 0, recovering |-> FALSE, valid |-> 0, seen |-> {},
         passed |-> [f \in Flows |-> {}], held |-> <<>>, late |-> <<>>, aside |-> <<>>,
         work |-> <<>>, ready |-> <<>>, lane |-> <<>>, queue |-> <<>>,
         released |-> [f \in Flows |-> <<>>], unflushed |-> <<>>,
         owned |-> <<>>, blocked |-> <<>>, lasts |-> <<>>, ends |-> <<>>, over |-> <<>>]

NodeOK(i, n) ==
    /\ [field \in DOMAIN n \ Partial |-> n[field]] \in Node
    /\ Len(n.work) <= 1
    /\ DOMAIN n.owned \subseteq Flows
    /\ \A f \in DOMAIN n.owned : n.owned[f] \in [epoch : Epochs, value : Values]
    /\ DOMAIN n.blocked \subseteq Flows \X Epochs
    /\ \A s \in DOMAIN n.blocked : n.blocked[s] \in Seq(PacketItem \cup HandoverItem)
    /\ DOMAIN n.lasts \subseteq Flows \X Epochs
    /\ \A s \in DOMAIN n.lasts : n.lasts[s] \subseteq Above(i)
    /\ DOMAIN n.ends \subseteq Instances \X Sessions
    /\ \A r \in DOMAIN n.ends : n.ends[r] \in [heard : SUBSET Above(i), newest : Numbers]
    /\ DOMAIN n.over \subseteq Instances
    /\ \A j \in DOMAIN n.over : n.over[j] \in Sessions

(***************************************************************************)
(* What the manager knows of moves.                                        *)
(***************************************************************************)
Wish == [flow : Flows, to : Instances]
Books == [wishes : Seq(Wish),                              \* moves that wait for others to end
          target : [Vertices -> [Flows -> Seq(Instances)]],\* where each flow was moved to
          behind : [Vertices -> [Flows -> Seq(Epochs)]],   \* tenures above that were over then
          begun : [Vertices -> [Flows -> Seq(Clocks)]],    \* first clocks of these tenures, if known
          underWay : [Flows -> SUBSET (Vertices \X Epochs)],
                                                           \* tenures that begin, and whose
                                                           \* predecessor has not ended
          questions : Seq([from : Splitters, begin : Question])]
                                                           \* where tenures begin: not yet answered
=============================================================================
