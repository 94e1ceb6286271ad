---------------------------- MODULE CloneCorrect ----------------------------
(***************************************************************************)
(* What Clone must keep, and situations in which it is hard to keep.       *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1, 5.3 and 5.4.                       *)
(* Clauses: COE, R2, R5, LIVE, ROOT-3, DEL-3, CLONE-1 to CLONE-3,          *)
(* DUP-1 to DUP-3.                                                         *)
(***************************************************************************)
EXTENDS Clone

-----------------------------------------------------------------------------
(***************************************************************************)
(* R5, no duplicate output: no packet leaves the chain twice.              *)
(***************************************************************************)
NoDuplicateOutput == \A m, n \in 1 .. Len(left) : left[m].clock = left[n].clock => m = n

(***************************************************************************)
(* R5, DUP-2, no duplicate update: a number has been taken from a pool for *)
(* every packet on record there, and none besides.                         *)
(***************************************************************************)
NoDuplicateUpdate ==
    \A v \in Stateful :
        Len(pool[v]) + Cardinality({k \in Clocks : record[v][k] # NoNumber}) = Len(Numbers)

(***************************************************************************)
(* R5, DUP-1, no duplicate processing: no host has ever two copies of one  *)
(* packet to process.                                                      *)
(***************************************************************************)
ToProcess(h) ==
    LET n == nf[h]
        isPacket(i) == i.type = "packet"
        lined == [m \in 1 .. Len(n.line) |-> n.line[m].item]
        worked == [m \in 1 .. Len(n.work) |-> n.work[m].packet]
    IN  worked \o n.unsent \o n.ready \o SelectSeq(n.lane \o lined, isPacket)

OneCopyEach ==
    \A h \in Hosts :
        LET ps == ToProcess(h)
            keys(s) == {<<p.clock, IsPassing(h, p)>> : p \in Range(s)}
            buffered == UNION {keys(nf[h].buffer[f]) : f \in Flows}
        IN  /\ Cardinality(keys(ps)) = Len(ps)
            /\ \A f \in Flows : Cardinality(keys(nf[h].buffer[f])) = Len(nf[h].buffer[f])
            /\ keys(ps) \cap buffered = {}

(***************************************************************************)
(* DUP-2, COE, one state for straggler and clone: whichever host has       *)
(* processed a copy of a packet, it has written on it what is on record.   *)
(***************************************************************************)
Copies ==
    UNION {Range(channel[c]) : c \in Channels}
    \cup UNION {Range(ToProcess(h)) : h \in Hosts}
    \cup UNION {Range(nf[h].buffer[f]) : h \in Hosts, f \in Flows}
    \cup Range(aside)

OnRecord(k, vertices) ==
    LET numbered(v) == v \in vertices
        row == SelectSeq(<<1, 2>>, numbered)
    IN  [n \in 1 .. Len(row) |-> record[row[n]][k]]

RightNumbers ==
    /\ \A p \in Copies : p.type = "packet" => p.written = OnRecord(p.clock, p.vector)
    /\ \A o \in Copies : o.type = "output" => o.written = OnRecord(o.clock, Stateful)
    /\ \A o \in Range(left) : o.written = OnRecord(o.clock, Stateful)

(***************************************************************************)
(* R2, CLONE-3, order: the packets of a flow leave in the order in which   *)
(* they came, though two hosts send to the sink.                           *)
(***************************************************************************)
OutputsInOrder ==
    \A m, n \in 1 .. Len(left) :
        m < n /\ FlowOf(left[m]) = FlowOf(left[n]) => left[m].clock <= left[n].clock

(***************************************************************************)
(* ROOT-3, DEL-3: a packet that is logged no more has made all its updates *)
(* and has left, or some host has been told that it may let it leave.      *)
(***************************************************************************)
Leaves(k) ==
    \/ \E o \in Range(left) : o.clock = k
    \/ \E m \in UNION {Range(channel[c]) : c \in Channels} :
         m.type \in {"output", "deleted"} /\ m.clock = k /\ (m.type = "deleted" => m.first)

LogKept ==
    \A k \in 1 .. clock :
        ~log[k].logged => Leaves(k) /\ \A v \in Stateful : record[v][k] # NoNumber

(***************************************************************************)
(* CLONE-2, CLONE-3, LIVE, as an invariant: when nothing is under way,     *)
(* nothing waits, every packet has left and is logged no more, the clone   *)
(* is up if there is one, and of a choice one host is left, which speaks.  *)
(***************************************************************************)
NothingStuck ==
    ~UnderWay =>
        /\ \A k \in 1 .. clock : ~log[k].logged /\ \E o \in Range(left) : o.clock = k
        /\ \A h \in Hosts : /\ [nf[h] EXCEPT !.owned = {}, !.mute = FALSE, !.unsent = <<>>] = Idle
                            /\ status[h] # "stopping"
        /\ ~recovering /\ aside = <<>>
        /\ awaits = {} /\ ~wish
        /\ phase = "two" => status[Straggler] = "up" /\ status[Clone] = "up"
        /\ phase = "chosen" => /\ status[Kept] = "up" /\ status[Stopped] = "down"
                               /\ ~nf[Kept].mute /\ nf[Kept].unsent = <<>>

(***************************************************************************)
(* COE: store and sink do nothing but what the ideal chain does, and in    *)
(* the end they do all of it.                                              *)
(***************************************************************************)
Ideal == INSTANCE IdealRow WITH arrived <- clock

RefinesSafety == Ideal!Safety
RefinesLiveness == Ideal!Fairness
Refines == Ideal!Spec

THEOREM Spec => Refines

(***************************************************************************)
(* LIVE: every packet leaves and is logged no more in the end; a clone is  *)
(* up in the end; and of a choice, one host is up and all others silent.   *)
(***************************************************************************)
EveryPacketLeaves ==
    \A k \in Clocks :
        clock >= k ~> ~log[k].logged /\ \E o \in Range(left) : o.clock = k

EveryCloneEnds ==
    /\ phase = "two" ~> awaits = {}
    /\ wish ~> phase = "chosen" /\ awaits = {}

-----------------------------------------------------------------------------
(***************************************************************************)
(* Situations that must be reachable, or the above says little: each of    *)
(* these properties is to be violated.                                     *)
(***************************************************************************)
NeverSetAside == aside = <<>>  \* CLONE-2: a new packet comes in the middle of the replay

NeverSuppressed ==  \* DUP-1: a queue is brought a packet that it has let in
    \A c \in To(Hosts) : At(c, "packet") => ~IsRepeat(c[2], Head(channel[c]))

NeverRepeated ==  \* DUP-2: the store is brought an update that it has made
    \A c \in To({"store"}) :
        Comes(c, "apply") => record[VertexOf(c[1])][Head(channel[c]).clock] = NoNumber

NeverPassed == \A h \in Hosts : nf[h].lane = <<>> \/ h = Clone  \* DUP-3: by way of another host

NeverStopping == \A h \in Hosts : status[h] # "stopping"  \* CLONE-3: a stopped host has to wait

NeverLate ==  \* CLONE-3: the clone sends what it has processed when it was mute
    \A w \in Range(nf[Clone].work) : w.for # "late delete"

=============================================================================
