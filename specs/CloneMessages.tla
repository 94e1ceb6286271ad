--------------------------- MODULE CloneMessages ---------------------------
(***************************************************************************)
(* What there is in Clone: hosts, channels, messages, and what an NF has   *)
(* to do; and the rules of it that a bounded instance may drop.            *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 5 and 5.3.                              *)
(* Clauses: ROOT-1, CLONE-1 to CLONE-3, DUP-1 to DUP-3, DEL-1 to DEL-3.    *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Input,      \* flow of each packet, in order of arrival; its place is its clock
    Stateful,   \* vertices that have state
    Straggler,  \* host that is taken for a straggler
    Kept        \* host that the operator keeps in the end; NoHost: both run on

NoHost == "none"
Clone == "clone"
Hosts == {"first", "second", Clone}
Vertices == {1, 2}
Numbers == <<1, 2, 3>>  \* in each pool at first

ASSUME /\ Len(Input) \in 1 .. Len(Numbers)
       /\ Stateful \subseteq Vertices
       /\ Straggler \in Hosts \ {Clone}
       /\ Kept \in {Straggler, Clone, NoHost}

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT Replicate <- Dropped                                           *)
(***************************************************************************)
Dropped == FALSE

LogUntilEnd == TRUE      \* ROOT-3: a packet stays logged until it has gone through the chain
Replicate == TRUE        \* CLONE-1: new packets go to the clone as well
AwaitSplitter == TRUE    \* CLONE-2: the replay begins when the splitter sends to both
ReplayInOrder == TRUE    \* CLONE-2: it has the logged packets in the order of their clocks
MarkEnd == TRUE          \* CLONE-2: it has a mark behind the last one
SetAside == TRUE         \* CLONE-2: new packets wait until it is over
StayMute == TRUE         \* CLONE-3: the clone of a last instance speaks when the other is silent
SuppressPackets == TRUE  \* DUP-1: of two copies of a packet one enters a queue
TellReplays == TRUE      \* QUEUE-2: a replayed packet that passes through is no such copy
SuppressUpdates == TRUE  \* DUP-2: a repeated update is not made, and gets the answer on record
Emulate == TRUE          \* DUP-3: a packet replayed to another instance updates nothing
ClearTarget == TRUE      \* DUP-3: from the host that it is for, a replayed packet is as any other
FirstDelete == TRUE      \* REC-2: an output leaves for the first delete of its packet alone

-----------------------------------------------------------------------------
Clocks == 1 .. Len(Input)
Flows == {Input[k] : k \in Clocks}
NoNumber == 0
Taken == 0 .. Len(Numbers)

VertexOf(h) == IF (IF h = Clone THEN Straggler ELSE h) = "first" THEN 1 ELSE 2
IsLast(h) == VertexOf(h) = 2
Above == IF VertexOf(Straggler) = 1 THEN "root" ELSE "first"  \* the straggler's splitter

Addresses == Hosts \cup {"root", "store", "manager", "sink"}
Channels ==
    LET both(xs, ys) == (xs \X ys) \cup (ys \X xs)
        lasts == {h \in Hosts : IsLast(h)}
    IN  both(Hosts, {"root", "store", "manager"})
        \cup both({"root"}, {"store"})
        \cup both({"manager"}, {"root", "store", "sink"})
        \cup ((Hosts \ lasts) \X lasts)
        \cup (Hosts \X {"sink"})

\* Starts are numbered together with the replay: the clone's, the replay, the end.
StartOf(h) == IF h = Clone THEN 1 ELSE 0
AtEnd == 3

Packet(k, written, vector, target) ==
    [type |-> "packet", clock |-> k, written |-> written, vector |-> vector, target |-> target]
ReplayEnd(k) == [type |-> "end", newest |-> k]
Acquire(k, peek) == [type |-> "acquire", clock |-> k, peek |-> peek]
Granted(k, peek) == [type |-> "granted", clock |-> k, peek |-> peek]
Apply(k, emulate) == [type |-> "apply", clock |-> k, emulate |-> emulate]
Result(k, n) == [type |-> "result", clock |-> k, number |-> n]
Committed(k, v) == [type |-> "committed", clock |-> k, vertex |-> v]
Delete(k, vector) == [type |-> "delete", clock |-> k, vector |-> vector]
Deleted(k, first) == [type |-> "deleted", clock |-> k, first |-> first]
Output(k, written) == [type |-> "output", clock |-> k, written |-> written]
Fence(h, start) == [type |-> "fence", host |-> h, start |-> start]
Fenced(h, start) == [type |-> "fenced", host |-> h, start |-> start]
RunsOn(hosts) == [type |-> "hosts", hosts |-> hosts]
RunsOnKnown(hosts) == [type |-> "known", hosts |-> hosts]
Start == [type |-> "start"]
Ready == [type |-> "ready"]
Replay == [type |-> "replay"]
Recovered == [type |-> "recovered"]
Stop == [type |-> "stop"]
Over(h) == [type |-> "over", host |-> h]
Speak == [type |-> "speak"]

Packets == [type : {"packet"}, clock : Clocks, written : Seq(Taken), vector : SUBSET Vertices,
            target : {Clone, NoHost}]
Items == Packets \cup [type : {"end"}, newest : 0 .. Len(Input)]
Messages ==
    Items
    \cup [type : {"acquire", "granted"}, clock : Clocks, peek : BOOLEAN]
    \cup [type : {"apply"}, clock : Clocks, emulate : BOOLEAN]
    \cup [type : {"result"}, clock : Clocks, number : Taken]
    \cup [type : {"committed"}, clock : Clocks, vertex : Vertices]
    \cup [type : {"delete"}, clock : Clocks, vector : SUBSET Vertices]
    \cup [type : {"deleted"}, clock : Clocks, first : BOOLEAN]
    \cup [type : {"output"}, clock : Clocks, written : Seq(Taken)]
    \cup [type : {"fence", "fenced"}, host : Hosts, start : {StartOf(Clone), AtEnd}]
    \cup [type : {"hosts", "known"}, hosts : SUBSET Hosts]
    \cup [type : {"start", "ready", "replay", "recovered", "stop", "speak"}]
    \cup [type : {"over"}, host : Hosts]

FlowOf(p) == Input[p.clock]
IsPassing(h, i) == i.type = "packet" /\ i.target \notin {h, NoHost}

\* An NF without anything to do.
Idle ==
    [work |-> <<>>,    \* the packet in work, if any, and what that waits for
     ready |-> <<>>,   \* packets whose flow has been granted meanwhile
     lane |-> <<>>,    \* what passes through to another host's replay, and its end
     line |-> <<>>,    \* what else the queue has let in, with its sender
     buffer |-> [f \in Flows |-> <<>>],  \* packets of each flow that is asked for
     owned |-> {},     \* flows that need not be asked for
     mute |-> FALSE,   \* a clone that may not speak yet
     unsent |-> <<>>]  \* packets that it has processed nevertheless

Work(p, for) == [packet |-> p, for |-> for]
NFs == [work : Seq([packet : Packets, for : {"grant", "number", "delete", "late delete"}]),
        ready : Seq(Packets), lane : Seq(Items), line : Seq([source : Addresses, item : Items]),
        buffer : [Flows -> Seq(Packets)], owned : SUBSET Flows,
        mute : BOOLEAN, unsent : Seq(Packets)]

NotLogged == [logged |-> FALSE, ended |-> FALSE, vector |-> {}, signals |-> {}]
Logged == [NotLogged EXCEPT !.logged = TRUE]

-----------------------------------------------------------------------------
(* Sequences *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
Reverse(s) == [n \in 1 .. Len(s) |-> s[Len(s) + 1 - n]]
=============================================================================
