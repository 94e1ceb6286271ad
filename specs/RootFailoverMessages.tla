------------------------ MODULE RootFailoverMessages ------------------------
(***************************************************************************)
(* What there is in RootFailover: packets and tenures, messages and        *)
(* channels, what a root and an instance hold; and the rules of it that a  *)
(* bounded instance may drop.                                              *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 5, 5.1 and 5.4.                         *)
(* Clauses: ROOT-1, ROOT-2, ROOT-5, MOVE-1, MOVE-5, REC-1 to REC-3, DEL-3. *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
    Instances,    \* instances of the vertex
    Flows,        \* flows that may have packets
    Home,         \* instance of each flow, before its first move
    Traffic,      \* flow of each packet, in order of arrival
    Moves,        \* what the operator asks for, in this order: the flow, and whereto
    LogInStore,   \* which of the models it is
    PersistEvery, \* n of ROOT-5; 1 with the log in the store, which has every clock
    MostCrashes   \* how often the root may fail

Root == "root"
Store == "store"
Manager == "manager"
Sink == "sink"

ASSUME /\ Instances \cap {Root, Store, Manager, Sink} = {}
       /\ Home \in [Flows -> Instances]
       /\ Traffic \in Seq(Flows)
       /\ Moves \in Seq([flow : Flows, to : Instances])
       /\ \A m, n \in DOMAIN Moves : Moves[m].flow = Moves[n].flow
       /\ LogInStore \in BOOLEAN
       /\ PersistEvery \in Nat \ {0}
       /\ LogInStore => PersistEvery = 1
       /\ MostCrashes \in Nat

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT LeaveGap <- Dropped                                            *)
(***************************************************************************)
Dropped == FALSE

CountUp == TRUE         \* ROOT-1: every packet gets a clock of its own
PersistFirst == TRUE    \* ROOT-5: a clock to be persisted is, before it is given
LeaveGap == TRUE        \* ROOT-5: a new root goes on n above the persisted clock
LogFirst == TRUE        \* ROOT-2: nothing goes out before the store has the log
ForwardAgain == TRUE    \* REC-3: a new root forwards what is logged once more
KeepInput == TRUE       \* REC-3: what arrives while there is no root is buffered
AskAgain == TRUE        \* REC-3: deletes that the old root left unanswered are
                        \* asked for once more
RemindMarks == TRUE     \* MOVE-1, REC-1: and the old one's marks are sent once more
TakeAsFirst == TRUE     \* REC-2: a delete of a packet whose log entry was lost is
                        \* taken for the first
WaitForCommits == TRUE  \* DEL-3: an entry is kept until the update is committed
BufferInOrder == TRUE   \* packets that waited for their flow are processed as they came

-----------------------------------------------------------------------------
Numbers == 1 .. Len(Traffic)

\* A failure skips fewer than PersistEvery clocks, and one more that is asked for.
MostClock == Len(Traffic) + MostCrashes * PersistEvery
Clocks == 1 .. MostClock

Packet == [clock : Clocks, number : Numbers]
FlowOf(p) == Traffic[p.number]

\* The tenures of a flow, from one move to the next, are numbered.
Epochs == 0 .. Len(Moves)
Nobody == "nobody"
Unknown == MostClock + 1  \* where a tenure begins, until the manager has said it
Tenure == [instance : Instances, since : {0, Unknown} \cup Clocks]
AtHome == [f \in Flows |-> <<[instance |-> Home[f], since |-> 0]>>]

\* What an instance is given: packets of some tenure, and marks that one is over.
Tenanted == [type : {"packet"}, clock : Clocks, number : Numbers, epoch : Epochs]
Handover == [type : {"handover"}, flow : Flows, epoch : Epochs]
Loaded == [type : {"loaded"}, packet : Tenanted]  \* on a value that came for it alone
Mark == [type : {"last"}, flow : Flows, epoch : Epochs]
NoPacket == [type |-> "packet", clock |-> 0, number |-> 0, epoch |-> 0]

\* What the log says of a packet.  Commits are not written: the store has sent them.
Written == [clock : Clocks, number : Numbers, ended : BOOLEAN]

\* The newest delete of each instance on which its packet may leave (REC-2).
Answered == [Instances -> 0 .. MostClock]
NoAnswer == [i \in Instances |-> 0]

StoredLog == [entries : Seq(Written), answered : Answered]

Message ==
    Tenanted \cup Mark                                        \* root to instance
    \cup [type : {"deleted"}, clock : Clocks, first : BOOLEAN]
    \cup [type : {"again"}]
    \cup [type : {"delete"}, clock : Clocks]                  \* instance to root
    \cup [type : {"acquire"}, flow : Flows, epoch : Epochs, clock : Clocks] \* instance to store
    \cup [type : {"release"}, flow : Flows, epoch : Epochs]
    \cup [type : {"apply"}, clock : Clocks, number : Numbers]
    \cup [type : {"granted"}, flow : Flows, epoch : Epochs, clock : Clocks, \* store to instance
          latest : BOOLEAN]
    \cup [type : {"output"}, clock : Clocks, number : Numbers, epoch : Epochs] \* instance to sink
    \cup [type : {"passed"}, flow : Flows, epoch : Epochs]
    \cup [type : {"handed"}, flow : Flows, epoch : Epochs]    \* instance to manager
    \cup [type : {"persist"}, clock : Clocks]                 \* root to store
    \cup [type : {"inquire"}, start : 1 .. MostCrashes]
    \cup [type : {"persisted"}, clock : Clocks]               \* store to root
    \cup [type : {"committed"}, clock : Clocks]
    \cup [type : {"remembered"}, start : 1 .. MostCrashes, clock : 0 .. MostClock,
          log : StoredLog, committed : SUBSET Clocks]
    \cup [type : {"write"}, number : Nat, clock : Clocks,    \* root to store
          entry : Seq(Written), answered : Answered]         \* without an entry: a drop
    \cup [type : {"logged"}, number : Nat]                   \* store to root
    \cup [type : {"begin"}, flow : Flows, epoch : Epochs, clock : Clocks, \* root to manager
          start : 0 .. MostCrashes]
    \cup [type : {"move"}, flow : Flows, epoch : Epochs, to : Instances] \* manager to root
    \cup [type : {"since"}, flow : Flows, epoch : Epochs, clock : Clocks]
    \cup [type : {"start"}, start : 1 .. MostCrashes, moves : [Flows -> Seq(Tenure)]]
    \cup [type : {"fence"}, start : 1 .. MostCrashes]         \* manager to store
    \cup [type : {"ready", "fenced"}, start : 1 .. MostCrashes] \* root and store to manager

Channels ==
    {<<Manager, Root>>, <<Root, Manager>>, <<Manager, Store>>, <<Store, Manager>>,
     <<Root, Store>>, <<Store, Root>>}
    \cup UNION {{<<Root, i>>, <<i, Root>>, <<i, Store>>, <<Store, i>>, <<i, Sink>>} :
                i \in Instances}
    \cup IF Moves = <<>> THEN {} ELSE Instances \X {Manager}

\* What waits at the root's gate until the manager has said where a tenure begins.
GateItem ==
    [type : {"copy"}, clock : Clocks, number : Numbers]
    \cup [type : {"mark"}, to : Instances, flow : Flows, epoch : Epochs]
    \cup [type : {"remind"}]

\* What goes out, or is dropped from the log, once the store has that write.
Unwritten ==
    [number : Nat, type : {"forward"}, packet : Packet]
    \cup [number : Nat, type : {"answer"}, to : Instances, clock : Clocks, first : BOOLEAN]
    \cup [number : Nat, type : {"drop"}, clock : Clocks]

RootState ==
    [phase : {"ready", "down", "asking"}, \* asking: it waits for what the store remembers
     count : 0 .. MostClock,              \* the newest clock that was given
     persisted : 0 .. MostClock,          \* the newest one that the store is known to have
     lost : 0 .. MostClock,               \* entries up to this clock died with a root
     written : Nat,                       \* number of the newest write to the store's log
     unwritten : Seq(Unwritten),          \* what waits for such a write
     answered : Answered,                 \* where a store has the log
     waiting : Seq(Numbers),              \* packets without a clock; the framework keeps them
     log : Seq([clock : Clocks, number : Numbers,
                ended : BOOLEAN,          \* it has the packet's delete
                committed : BOOLEAN]),    \* the store has the packet's update
     route : [Flows -> Seq(Tenure)],      \* tenures of each flow, oldest first
     gate : Seq(GateItem),
     aside : Seq([source : Instances \cup {Store, Manager}, message : Message]), \* for a ready root
     entered : Seq(Packet)]               \* history: every packet that entered the chain

HostState ==
    [seen : SUBSET Clocks,                \* packets that it was given
     freed : Seq(Tenanted \cup Handover \cup Loaded), \* what waited for a flow that has come
     queue : Seq(Tenanted \cup Mark),     \* what came during work
     released : [Flows -> Seq(Epochs)],   \* epochs that it has handed the flow over for
     work : Tenanted \cup {NoPacket}]     \* the packet whose delete is not answered yet
\* and these partial functions: owns, on flows that the store has given it: the epoch; and waits,
\* on flows and epochs that it has asked for: what waits for them.

HostOK(h) ==
    /\ [field \in DOMAIN h \ {"owns", "waits"} |-> h[field]] \in HostState
    /\ DOMAIN h.owns \subseteq Flows /\ \A f \in DOMAIN h.owns : h.owns[f] \in Epochs
    /\ DOMAIN h.waits \subseteq Flows \X Epochs
    /\ \A slot \in DOMAIN h.waits : h.waits[slot] \in Seq(Tenanted \cup Handover)

-----------------------------------------------------------------------------
(* Sequences and functions *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
Reverse(s) == [n \in 1 .. Len(s) |-> s[Len(s) + 1 - n]]
Max(a, b) == IF a > b THEN a ELSE b
Greatest(S) == CHOOSE x \in S : \A y \in S : y <= x
Assigned(g, x, y) == [z \in DOMAIN g \cup {x} |-> IF z = x THEN y ELSE g[z]]
Dropping(g, x) == [z \in DOMAIN g \ {x} |-> g[z]]

\* One thing that a component sends; what it sends in one step is a sequence of these.
To(to, message) == [to |-> to, message |-> message]
=============================================================================
