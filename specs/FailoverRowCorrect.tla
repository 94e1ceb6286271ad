------------------------- MODULE FailoverRowCorrect --------------------------
(***************************************************************************)
(* What FailoverRow must keep, and situations in which it is hard to keep. *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1, 5.3 and 5.4.                       *)
(* Clauses: COE, R1, R2, R5, R6, LIVE, ROOT-3, DEL-3, CLONE-2, DUP-1,      *)
(* DUP-2, DUP-3, REC-0 to REC-2.                                           *)
(***************************************************************************)
EXTENDS FailoverRow

Crashes == Total(crashed, Instances)

-----------------------------------------------------------------------------
(***************************************************************************)
(* R5, DUP-2: the store makes no update twice.                             *)
(***************************************************************************)
UpdatedOnce ==
    \A v \in Vertices :
        /\ \A f \in Flows :
             \A m, n \in DOMAIN Whole(v, f) :
               m # n => Whole(v, f)[m].clock # Whole(v, f)[n].clock
        /\ Len(counted[v]) = Cardinality(Range(counted[v]))

(***************************************************************************)
(* R5, DUP-1, DUP-3: an instance that has not failed makes no update       *)
(* twice, whatever is replayed to it by mistake, or through it to another: *)
(* it leaves no repeat for the store to know.                              *)
(***************************************************************************)
Made(i, o) ==  \* updates that are on their way from the instance, in order
    LET is(u) == u.type = "apply" /\ u.object = o
        sent == SelectSeq(channel[i]["store"], is)
        clocks == [n \in 1 .. Len(sent) |-> sent[n].entry.clock]
        due == node[i].unflushed
    IN  IF o = OwnObject THEN clocks \o [n \in 1 .. Len(due) |-> due[n].clock] ELSE clocks

MadeOnce ==
    \A i \in Instances : crashed[i] = 0 =>
        \A o \in ObjectsOf(VertexOf[i]) :
            /\ Len(Made(i, o)) = Cardinality(Range(Made(i, o)))
            /\ \A k \in Range(Made(i, o)) : ~Stored(k, VertexOf[i], o)

(***************************************************************************)
(* REC-0, R6: a flow's state at every vertex is one that it would have     *)
(* without failures: the store has applied its packets in the order of     *)
(* their arrival, with no gap, and with what the ideal chain has written   *)
(* on them above.                                                          *)
(***************************************************************************)
StateIsIdeal ==
    \A v \in Vertices, f \in Flows :
        /\ Len(Whole(v, f)) <= Len(Came(f, arrived))
        /\ IsPrefix(Whole(v, f), IdealEntries[v][f])

(***************************************************************************)
(* R5, REC-2: no packet leaves the chain twice, also counting those that   *)
(* are on their way to the sink.                                           *)
(***************************************************************************)
Left(k) ==
    LET is(o) == o.clock = k
        under == [i \in Members(Last) |-> Len(SelectSeq(channel[i]["sink"], is))]
    IN  Len(SelectSeq(delivered, is)) + Total(under, Members(Last))

LeavesOnce == \A k \in Clocks : Left(k) <= 1

(***************************************************************************)
(* R2: packets of a flow leave in the order of their arrival.  A gap may   *)
(* be there: what REC-2 gives up.                                          *)
(***************************************************************************)
DownstreamOrder ==
    \A m, n \in 1 .. Len(delivered) :
        m < n /\ FlowOf(delivered[m]) = FlowOf(delivered[n])
            => delivered[m].clock < delivered[n].clock

(***************************************************************************)
(* COE: what leaves carries what the ideal chain has written on it.        *)
(***************************************************************************)
OutputsAreIdeal ==
    \A o \in Range(delivered) \cup UNION {Range(channel[i]["sink"]) : i \in Members(Last)} :
        o.said = Said[o.clock]

(***************************************************************************)
(* ROOT-3, DEL-3: what the root has deleted needs no replay any more: all  *)
(* its updates, at every vertex, are in the store.                         *)
(***************************************************************************)
AllStored(k) == \A u \in Updates : Stored(k, u[1], u[2])
DeletedWhenOver == \A k \in (1 .. arrived) \ DOMAIN log : AllStored(k)

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits, every *)
(* instance is up, the state is that of the ideal chain, and at most one   *)
(* packet a crash has not left (REC-2).                                    *)
(***************************************************************************)
NothingStuck ==
    AtRest =>
        /\ log = <<>> /\ DOMAIN recovering = {} /\ fencing = {}
        /\ \A k \in 1 .. arrived : AllStored(k)
        /\ arrived - Len(delivered) <= Crashes
        /\ \A i \in Instances :
             /\ node[i].up /\ ~node[i].recovering /\ node[i].work = <<>>
             /\ node[i].blocked = <<>> /\ node[i].aside = <<>> /\ node[i].lane = <<>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE, REC-2: this is an implementation of the ideal chain that may lose  *)
(* a packet for each failure.  It has taken what has arrived; what its     *)
(* store holds, and what leaves it, follows.  Lost is what the root has    *)
(* the delete of, and what nobody holds any more who will let it leave.    *)
(***************************************************************************)
MayLeave(k) ==
    \/ Left(k) > 0
    \/ \E i \in Members(Last) :
         /\ node[i].up /\ Awaits(node[i], "delete", k)
         /\ \E m \in Range(channel["root"][i]) : m = Deleted(k, TRUE, node[i].start)

Lost == {k \in 1 .. arrived : (k \in DOMAIN log => log[k].ended) /\ ~MayLeave(k)}

Ideal == INSTANCE IdealLossyRow WITH
    MostFailures <- MostCrashes,
    taken <- arrived,
    failures <- Crashes,
    stored <- [v \in Vertices |-> [f \in Flows |-> ValueOf(v, Whole(v, f))]],
    totals <- [v \in Vertices |-> Len(counted[v])],
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, said |-> delivered[n].said]],
    lost <- Lost

RefinesSafety == Ideal!Safety
Refines == Ideal!Spec

THEOREM Spec => Refines

(***************************************************************************)
(* LIVE: every packet that arrives is deleted by the root, its updates     *)
(* reach the store, and every instance that fails is brought back.         *)
(***************************************************************************)
EveryEntryDeleted == \A k \in Clocks : arrived >= k ~> k \notin DOMAIN log
EveryUpdateArrives == \A k \in Clocks : arrived >= k ~> AllStored(k)
EveryFailureEnds == \A i \in Instances : ~node[i].up ~> node[i].up /\ i \notin DOMAIN recovering

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* DUP-3: a replayed packet passes through a living instance with state, which has processed it
\* before, and reads of the store what that was on.
NeverEmulated ==
    \A i \in Instances : Emulate /\ node[i].work # <<>> /\ node[i].work[1].for = "grant" =>
        ~Stored(node[i].work[1].packet.clock, VertexOf[i], OwnObject)

\* DUP-3: it comes there before the packet itself has been processed, and waits.
NeverWaits ==
    \A i \in Instances :
        node[i].lane # <<>> /\ Head(node[i].lane).type = "packet" => LaneIsFree(i, node[i])

\* DUP-3: what passes through is not on the newest state of its flow.
NeverLate ==
    \A i \in Instances : \A m \in Range(channel["store"][i]) :
        m.type = "granted" /\ m.peek => m.latest

\* REC-1: an instance fails with packets before it and behind it.
NeverInTheMiddle ==
    \A i \in Instances : \A a \in Above(i), j \in Below(VertexOf[i]) :
        ~node[i].up /\ j \in Instances =>
            \/ \A m \in Range(channel[a][i]) : m.type # "packet"
            \/ \A m \in Range(channel[i][j]) : m.type # "packet"

\* CLONE-2: a packet comes during a recovery, and waits for the end of the replay.
NeverSetAside == \A i \in Instances : node[i].aside = <<>>

\* CLONE-2: one splitter above has sent the end of a replay, and another one has not yet.
NeverHalfEnded == \A i \in Instances : DOMAIN node[i].ends = {}

\* DUP-1: an instance that has not failed is brought a packet that it was given before.
NeverSuppressed ==
    \A i \in Instances : crashed[i] = 0 =>
        \A a \in Above(i) : \A m \in Range(channel[a][i]) :
            m.type = "packet" => ~IsRepeat(i, node[i], m)

\* DUP-2: a failover makes an update that the store has already.
NeverRepeated ==
    \A i \in Instances : \A u \in Range(channel[i]["store"]) :
        u.type = "apply" /\ u.start = fence[i] => ~Stored(u.entry.clock, VertexOf[i], u.object)

\* REC-2: a packet is deleted a second time.
NeverDeletedTwice ==
    \A i \in Members(Last) : \A m \in Range(channel["root"][i]) : m.type = "deleted" => m.first

\* REC-2: an output is given up: its delete is in, and its sender has failed.
NeverLost == Lost = {}

\* REC-1: something of a dead instance comes to the store behind its fence.
NeverVoid == \A i \in Instances : \A r \in Range(channel[i]["store"]) : r.start >= fence[i]

\* DUP-2: a copy of a packet comes to an instance that knows that it is over.
NeverLateCopy ==
    \A i \in Instances : \A a \in Above(i) : \A m \in Range(channel[a][i]) :
        m.type = "packet" => m.clock > node[i].past

\* DUP-2: one comes to an instance that was not told so yet, and the store tells.
NeverToldByStore ==
    \A i \in Instances : \A m \in Range(channel["store"][i]) : m.type = "granted" => ~m.over

\* DUP-2: an update of a packet that is over comes to the store, which made it before.
NeverUpdatedLate ==
    \A i \in Instances : \A u \in Range(channel[i]["store"]) :
        u.type = "apply" /\ u.start = fence[i] => u.entry.clock > over

\* DUP-3: what a forgotten packet has done is read by a later one.
NeverReadsForgotten ==
    \A i \in Instances : \A m \in Range(channel["store"][i]) :
        m.type = "granted" =>
            \A entry \in Range(m.value.list) : <<entry.clock, VertexOf[i]>> \notin forgot

\* DUP-2: two packets of a flow are forgotten, and the older one is known in the value alone.
NeverInValueAlone == \A v \in Vertices, f \in Flows : base[v][f] = <<>>

\* REC-1: packets of two flows are replayed to one failover.
NeverBothFlows ==
    \A i \in Instances : \A a \in Above(i) :
        LET is(m) == m.type = "packet" /\ m.target = i
            again == SelectSeq(channel[a][i], is)
        IN  Cardinality({FlowOf(m) : m \in Range(again)}) <= 1

\* All that failed is back, and all that came has left.
NeverRecovered == ~(Crashes > 0 /\ AtRest /\ Len(delivered) = Len(Packets))
=============================================================================
