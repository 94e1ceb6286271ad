------------------------ MODULE ReallocationRowCorrect ------------------------
(***************************************************************************)
(* What ReallocationRow must keep, and situations in which it is hard to   *)
(* keep.                                                                   *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1, 5.1, 5.3 and 5.4.                  *)
(* Clauses: COE, R1, R2, R5, R6, LIVE, ROOT-3, MOVE-1 to MOVE-6, DEL-3,    *)
(* CLONE-2, DUP-2, DUP-3, REC-0 to REC-2.                                  *)
(***************************************************************************)
EXTENDS ReallocationRow

Crashes == Total(crashed, Instances)

-----------------------------------------------------------------------------
(***************************************************************************)
(* R5, DUP-2: the store makes no update twice.                             *)
(***************************************************************************)
UpdatedOnce ==
    \A v \in Vertices :
        /\ \A f \in Flows : Len(applied[v][f]) = Cardinality(AppliedClocks(v, f))
        /\ Len(counted[v]) = Cardinality(Range(counted[v]))

(***************************************************************************)
(* R2, R6, MOVE-5, REC-0: a flow's state at every vertex is one that it    *)
(* would have without moves and failures: the store has applied its        *)
(* packets in the order of their arrival, with no gap, and with what the   *)
(* ideal chain has written on them above.                                  *)
(***************************************************************************)
StateIsIdeal ==
    \A v \in Vertices, f \in Flows :
        /\ Len(applied[v][f]) <= Len(Came(f, arrived))
        /\ IsPrefix(applied[v][f], IdealEntries[v][f])

(***************************************************************************)
(* R5, REC-2: no packet leaves the chain twice, also counting those that   *)
(* are on their way to the sink, or held back there.                       *)
(***************************************************************************)
Left(k) ==
    LET is(o) == o.type = "output" /\ o.clock = k
        under == [i \in Members(Last) |-> Len(SelectSeq(channel[i]["sink"], is))]
    IN  Len(SelectSeq(delivered \o held, is)) + Total(under, Members(Last))

LeavesOnce == \A k \in Clocks : Left(k) <= 1

(***************************************************************************)
(* REC-2: a packet is lost when the root has its delete, and nobody holds  *)
(* it any more who will let it leave.                                      *)
(***************************************************************************)
MayLeave(k) ==
    \/ Left(k) > 0
    \/ \E i \in Members(Last) :
         /\ node[i].up /\ Awaits(node[i], "delete", k)
         /\ \E m \in Range(channel["root"][i]) : m = Deleted(k, TRUE, node[i].start)

Lost == {k \in 1 .. arrived : (k \in DOMAIN log => log[k].ended) /\ ~MayLeave(k)}

(***************************************************************************)
(* R2, MOVE-6: packets of a flow leave in the order of their arrival, with *)
(* no gap but for what is lost.                                            *)
(***************************************************************************)
DownstreamOrder ==
    \A n \in 1 .. Len(delivered) : \A k \in 1 .. delivered[n].clock - 1 :
        Packets[k] = FlowOf(delivered[n]) =>
            k \in Lost \/ \E m \in 1 .. n - 1 : delivered[m].clock = k

(***************************************************************************)
(* COE: what leaves carries what the ideal chain has written on it.        *)
(***************************************************************************)
OutputsAreIdeal ==
    \A o \in Range(delivered \o held) \cup UNION {Range(channel[i]["sink"]) : i \in Members(Last)} :
        o.type = "output" => o.said = Said[o.clock]

(***************************************************************************)
(* ROOT-3, DEL-3: what the root has deleted needs no replay any more: all  *)
(* its updates, at every vertex, are in the store.                         *)
(***************************************************************************)
AllStored(k) == \A u \in Updates : Stored(k, u[1], u[2])
DeletedWhenOver == \A k \in (1 .. arrived) \ DOMAIN log : AllStored(k)

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits, every *)
(* instance is up, every move is over and all that must know it do, the    *)
(* state is that of the ideal chain, and at most one packet a crash has    *)
(* not left (REC-2).                                                       *)
(***************************************************************************)
AllTenures(v, f) == 1 .. Len(books.target[v][f])

NothingStuck ==
    AtRest =>
        /\ log = <<>> /\ DOMAIN recovering = {} /\ fencing = {} /\ held = <<>>
        /\ books.wishes = <<>> /\ books.questions = <<>>
        /\ \A k \in 1 .. arrived : AllStored(k)
        /\ arrived - Len(delivered) <= Crashes
        /\ \A x \in Splitters : splitter[x].gate = <<>>
        /\ \A i \in Instances :
             /\ node[i].up /\ ~node[i].recovering /\ node[i].work = <<>>
             /\ node[i].blocked = <<>> /\ node[i].aside = <<>> /\ node[i].lane = <<>>
             /\ node[i].held = <<>> /\ node[i].late = <<>>
             /\ VertexOf[i] > 1 =>
                  \A f \in Flows : node[i].passed[f] = AllTenures(VertexOf[i] - 1, f)
        /\ \A f \in Flows :
             /\ books.underWay[f] = {}
             /\ passed[f] = AllTenures(Last, f)
             /\ \A v \in Vertices : /\ parked[v][f] = <<>>
                                    /\ owner[v][f].epoch = Len(books.target[v][f])

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE, REC-2: this is an implementation of the ideal chain that may lose  *)
(* a packet for each failure, and nothing without one.  It has taken what  *)
(* has arrived; what its store holds, and what leaves it, follows.         *)
(***************************************************************************)
Ideal == INSTANCE IdealLossyRow WITH
    MostFailures <- MostCrashes,
    taken <- arrived,
    failures <- Crashes,
    stored <- [v \in Vertices |-> [f \in Flows |-> ValueOf(v, applied[v][f])]],
    totals <- [v \in Vertices |-> Len(counted[v])],
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, said |-> delivered[n].said]],
    lost <- Lost

RefinesSafety == Ideal!Safety
Refines == Ideal!Spec

THEOREM Spec => Refines

(***************************************************************************)
(* LIVE: every packet that arrives is deleted by the root, its updates     *)
(* reach the store, every move ends, and every instance that fails is      *)
(* brought back.                                                           *)
(***************************************************************************)
EveryEntryDeleted == \A k \in Clocks : arrived >= k ~> k \notin DOMAIN log
EveryUpdateArrives == \A k \in Clocks : arrived >= k ~> AllStored(k)
EveryMoveEnds ==
    \A v \in Vertices, f \in Flows, e \in Epochs \ {0} :
        Len(books.target[v][f]) >= e ~> owner[v][f].epoch >= e /\ <<v, e>> \notin books.underWay[f]
EveryFailureEnds == \A i \in Instances : ~node[i].up ~> node[i].up /\ i \notin DOMAIN recovering

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* MOVE-5: a move waits while the flow moves at another vertex.
NeverWishWaits == books.wishes = <<>>

\* MOVE-5: where a tenure begins is asked while the flow moves above, and the answer waits.
NeverQuestionWaits == books.questions = <<>>

\* MOVE-2: one splitter has told that a flow leaves, and a packet of it comes from another one.
NeverHalfMarked ==
    \A i \in Instances : \A slot \in DOMAIN node[i].lasts :
        \A a \in Above(i) : \A m \in Range(channel[a][i]) :
            ~(m.type = "packet" /\ FlowOf(m) = slot[1] /\ m.epoch = slot[2] - 1)

\* MOVE-6: a packet comes to the second vertex before an earlier tenure at the first has passed.
NeverHeld == \A i \in Instances : node[i].held = <<>>

\* MOVE-6: two outputs wait for one mark, and leave together.
NeverTogether == Len(held) < 2

\* A flow has moved at every vertex, and all that came has left.
NeverMovedAll ==
    ~(/\ AtRest /\ Len(delivered) = Len(Packets) /\ Packets # <<>>
      /\ \A v \in Vertices : \E f \in Flows : books.target[v][f] # <<>>)

\* MOVE-5: a failover is told where a tenure begins, and packets that came before it are replayed.
NeverToldBySince ==
    \A i \in Instances : \A m \in Range(channel["manager"][i]) :
        m.type = "start" => \A f \in Flows : \A n \in 2 .. Len(m.route[f]) :
            m.route[f][n].since = Unknown \/ \A k \in DOMAIN log : k >= m.route[f][n].since

\* DUP-3, MOVE-5: a packet is replayed to an instance that its flow has left.
NeverToOld ==
    \A i \in Instances : \A a \in Above(i) : \A m \in Range(channel[a][i]) :
        m.type = "packet" /\ m.target = i => m.epoch = Len(books.target[VertexOf[i]][FlowOf(m)])

\* DUP-3, MOVE-6: a replayed packet waits for the end of its replay, and an earlier one of its flow
\* is still on its way.
NeverLate ==
    \A i \in Instances : \A p \in Range(node[i].late) :
        \A a \in Above(i) : \A m \in Range(channel[a][i]) :
            ~(m.type = "packet" /\ m.target = i /\ FlowOf(m) = FlowOf(p) /\ m.clock < p.clock)

\* DUP-3: the flow of a packet has moved on, and it only sees what it did itself.
NeverOnlySeen ==
    \A i \in Instances : \A m \in Range(channel["store"][i]) :
        m.type = "granted" /\ ~m.peek => m.owned

\* MOVE-1, REC-1: a failover is told again that a flow has left its predecessor.
NeverToldAgain ==
    \A i \in Instances : node[i].start > 0 =>
        \A a \in Above(i) : \A m \in Range(channel[a][i]) : m.type # "last"

\* REC-1: the instance that a flow has been moved to, and granted, fails; so does that which another
\* flow has had all along.
NeverFailsWithBoth ==
    \A i \in Instances : ~node[i].up =>
        \A v \in Vertices, f \in Flows, g \in Flows :
            ~(/\ owner[v][f] = [instance |-> i, epoch |-> 1]
              /\ owner[v][g] = [instance |-> i, epoch |-> 0])

\* REC-1: an instance is down whose flow moves away, with a packet of it; meanwhile a later packet of
\* another flow leaves the chain.
NeverGoesOn ==
    [][\A i \in Instances, k \in DOMAIN log :
         ~node[i].up /\ ~log[k].ended /\ books.underWay[Packets[k]] # {}
           /\ owner[VertexOf[i]][Packets[k]].instance = i
         => \A n \in Len(delivered) + 1 .. Len(delivered') :
              delivered'[n].clock > k => FlowOf(delivered'[n]) = Packets[k]]_vars

\* SPLIT-3, MOVE-5: the splitter of a failover asks where a tenure begins, and a packet of another
\* flow waits behind the one that it asks with.
NeverOtherWaits ==
    \A i \in Instances : node[i].start > 0 =>
        \A p, q \in Range(splitter[i].gate) :
            p.type = "packet" /\ q.type = "packet" => FlowOf(p) = FlowOf(q)

\* CLONE-2, REC-1: of a flow that has moved to an instance that failed, one packet has left, one is
\* replayed, and one waits for the end of that.
NeverOneOfEach ==
    \A i \in Instances : \A p \in Range(node[i].aside) : \A a \in Above(i) :
        \A m \in Range(channel[a][i]) : \A o \in Range(delivered) :
            ~(/\ p.type = "packet" /\ p.epoch > 0 /\ m.type = "packet" /\ m.target = i
              /\ FlowOf(o) = FlowOf(m) /\ FlowOf(m) = FlowOf(p)
              /\ o.clock < m.clock /\ m.clock < p.clock)

\* DUP-3, MOVE-5: a failover that has been told where a tenure begins has packets of the one before
\* and of this one replayed to it, and a third packet of the flow.
NeverBothTenures ==
    \A i \in Instances : \A f \in Flows : \A n \in 2 .. Len(splitter[i].route[f]) :
        LET since == splitter[i].route[f][n].since
            replayed == {m.clock : m \in {m \in UNION {Range(channel[a][i]) : a \in Above(i)} :
                                            m.type = "packet" /\ m.target = i /\ FlowOf(m) = f}}
        IN  ~(/\ since # Unknown /\ Cardinality(replayed) > 2
              /\ \E k \in replayed : k < since
              /\ \E k \in replayed : k >= since)

\* REC-2: an output is given up: its delete is in, and its sender has failed.
NeverLost == Lost = {}

\* All that failed is back, a flow has moved, and all that came has left.
NeverRecovered ==
    ~(/\ Crashes > 0 /\ AtRest /\ asked = Len(Moves)
      /\ Packets # <<>> /\ Len(delivered) = Len(Packets))
=============================================================================
