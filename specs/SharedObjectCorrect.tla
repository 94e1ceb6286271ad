-------------------------- MODULE SharedObjectCorrect --------------------------
(***************************************************************************)
(* What SharedObject must keep, and situations in which it is hard to keep.*)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1, 4.3, 5.1 and Table 1.              *)
(* Clauses: COE, R2, R3, LIVE, ROOT-3, DEL-3, MOVE-6, MOVE-7, STORE-5,     *)
(* CACHE-3, CACHE-4.                                                       *)
(***************************************************************************)
EXTENDS SharedObject

-----------------------------------------------------------------------------
(* Where a packet, or what it has done, may be. *)

ClocksOf(items) == {item.clock : item \in {one \in Range(items) : one.type \in {"packet", "copy"}}}

\* Packets that no instance has begun to process.
AtInstance(i) ==
    ClocksOf(channel["root"][i]) \cup ClocksOf(node[i].ready) \cup ClocksOf(node[i].queue)
    \cup UNION {ClocksOf(node[i].blocked[f][e]) : f \in Flows, e \in Epochs}
ToProcess == ClocksOf(gate) \cup UNION {AtInstance(i) : i \in Instances}

Value(key) == Len(raised[key])

\* Accesses of an instance that have not reached the store.
Under(i) == {m \in Range(channel[i]["store"]) : m.type = "apply"}

OutputsIn(messages) == {m \in Range(messages) : m.type = "output"}
Outputs ==
    Range(held) \cup Range(delivered) \cup UNION {OutputsIn(channel[i]["sink"]) : i \in Instances}

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE, R3, MOVE-7: there is a serial order of all packets that have come, *)
(* which keeps the order of each flow, and which explains everything: what *)
(* has left every instance, and which updates the store has made.          *)
(***************************************************************************)
Explains(order) ==
    /\ \A o \in Outputs : \E n \in DOMAIN order :
         order[n] = o.clock /\ o.shown = CarriesAway(order, n)
    /\ \A key \in Keys : IsPrefix(raised[key], RaisedIn(order, key))

SerialOrder == \E order \in Orders[arrived] : Explains(order)

(***************************************************************************)
(* CACHE-4: where an object is written often, one instance at a time       *)
(* serves it from a cache, or has served it and not told the store; and    *)
(* nobody else has an update of it under way then.                         *)
(***************************************************************************)
UsesCache(i, key) ==
    \/ node[i].client.copies[key] # NoCopy
    \/ \E k \in node[i].client.unconfirmed : KeyOf(k) = key

SingleCache ==
    Kind = "hot" => \A i, j \in Instances, key \in Keys :
        i # j /\ UsesCache(i, key) =>
            ~UsesCache(j, key) /\ \A u \in Under(j) : KeyOf(u.clock) # key

(***************************************************************************)
(* CACHE-4: its value there is the store's, and what is under way.         *)
(***************************************************************************)
CacheIsCurrent ==
    Kind = "hot" => \A i \in Instances, key \in Keys :
        LET new == {u \in Under(i) : u.op = "raise" /\ KeyOf(u.clock) = key}
            copy == node[i].client.copies[key]
        IN  copy # NoCopy => copy = Value(key) + Cardinality(new)

(***************************************************************************)
(* CACHE-3: no copy is ahead of the store where the store makes all the    *)
(* updates, and when nothing is under way all copies are fresh.            *)
(***************************************************************************)
CopiesAreFresh ==
    \A i \in Instances, key \in Keys :
        LET copy == node[i].client.copies[key]
        IN  copy # NoCopy =>
              /\ Kind = "limit" => copy <= Value(key)
              /\ AtRest => copy = Value(key)

(***************************************************************************)
(* CACHE-3, CACHE-4, STORE-5: what has left an instance was computed from  *)
(* what the store has on record.                                           *)
(***************************************************************************)
OutputsOnRecord ==
    \A o \in Outputs :
        /\ Raises(o.clock) => o.clock \in Range(raised[KeyOf(o.clock)])
        /\ Kind = "limit" => o.clock \in DOMAIN noted /\ noted[o.clock] = o.shown

(***************************************************************************)
(* MOVE-6, R2: packets of a flow leave the chain in the order of their     *)
(* arrival at the root, with no gap and none twice.                        *)
(***************************************************************************)
DeliveredOf(f) ==
    LET is(o) == o.flow = f
        theirs == SelectSeq(delivered, is)
    IN  [n \in 1 .. Len(theirs) |-> theirs[n].clock]

DownstreamOrder == \A f \in Flows : IsPrefix(DeliveredOf(f), Came(f, arrived))

(***************************************************************************)
(* ROOT-3, DEL-3: the root deletes a packet only when it has been          *)
(* processed, and its update is in the store.                              *)
(***************************************************************************)
DeletedWhenOver ==
    \A k \in (1 .. arrived) \ DOMAIN log :
        k \notin ToProcess /\ (Raises(k) => k \in Range(raised[KeyOf(k)]))

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, nothing waits; every *)
(* packet has left, its update is made, and it is deleted; every move is   *)
(* over; and instances may cache what the split allows, if it is that of   *)
(* the beginning.                                                          *)
(***************************************************************************)
NothingStuck ==
    AtRest =>
        /\ ToProcess = {} /\ held = <<>> /\ log = <<>>
        /\ {o.clock : o \in Range(delivered)} = 1 .. arrived
        /\ \A k \in 1 .. arrived : Raises(k) => k \in Range(raised[KeyOf(k)])
        /\ wishes = <<>> /\ awaited = {} /\ draining = {}
        /\ (\A f \in Flows : PlaceOf(Managing, f) = Home[f]) => caching = Alone
        /\ \A i \in Instances : LET n == node[i] IN
             /\ n.work = Idle /\ n.client.unconfirmed = {} /\ n.client.outbox = <<>>
             /\ n.client.alone = caching
        /\ \A f \in Flows : /\ parked[f] = <<>>
                              /\ underWay[f] = {}
                              /\ owner[f].epoch = Len(target[f])
                              /\ passed[f] = 1 .. Len(target[f])

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every packet that arrives leaves the chain, and the root deletes  *)
(* it; every move that is asked for begins, and ends; and caches that were *)
(* given up begin again when all flows are back for good.                  *)
(***************************************************************************)
EveryPacketLeaves == \A k \in Clocks : arrived >= k ~> \E o \in Range(delivered) : o.clock = k

EveryEntryDeleted == \A k \in Clocks : arrived >= k ~> k \notin DOMAIN log

EveryMoveEnds ==
    \A n \in 1 .. Len(Moves) :
        asked >= n ~> wishes = <<>> /\ \A f \in Flows : underWay[f] = {}

CachesBeginAgain ==
    asked = Len(Moves) ~>
        \/ \E f \in Flows : PlaceOf(Managing, f) # Home[f]
        \/ \A i \in Instances : node[i].client.alone = Alone

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain.  It has taken what   *)
(* has arrived; what its store holds, and what leaves it, follows.         *)
(***************************************************************************)
IdealChain == INSTANCE IdealShared WITH
    MostFailures <- 0,
    taken <- arrived,
    failures <- 0,
    left <- [n \in 1 .. Len(delivered) |->
               [clock |-> delivered[n].clock, shown |-> delivered[n].shown]],
    lost <- {}

RefinesSafety == IdealChain!Safety

THEOREM Safety => RefinesSafety

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* A packet is served from a copy that a packet of another flow has brought.
NeverServed ==
    \A i \in Instances : \A k \in node[i].client.unconfirmed :
        \E j \in 1 .. k - 1 : Packets[j] = Packets[k]

\* The output of an earlier packet waits together with the delete of one that a copy has served.
NeverHeldBack == \A i \in Instances : Len(node[i].client.outbox) < 2

\* An instance gives its caches up before the store knows all that they have served.
NeverGivenUpLate ==
    \A i \in Instances : \A e \in Range(Held(node[i].client)) : e.message.type # "known"

\* Two instances have updates of one object under way.
NeverShared ==
    \A i, j \in Instances : i # j =>
        ~\E u \in Under(i), v \in Under(j) :
            u.op = "raise" /\ v.op = "raise" /\ KeyOf(u.clock) = KeyOf(v.clock)

\* Caches have begun again, and serve.
NeverAgain == drain = 0 \/ \A i \in Instances : node[i].client.unconfirmed = {}

\* A flow moves once more while caches are to begin again.
NeverInterrupted == draining = {} \/ \A f \in Flows : underWay[f] = {}

\* A copy that another instance has changed serves the new value.
NeverCalledBack ==
    \A i \in Instances : \A u \in Under(i) :
        Kind = "limit" /\ u.seen # <<>> => u.seen[1] = 0

\* An instance that has had a copy has none while an update of its own is under way.
NeverDropped ==
    \A i \in readers : \A u \in Under(i) :
        u.op = "raise" => node[i].client.copies[KeyOf(u.clock)] # NoCopy

\* A copy serves a value that is not the newest any more.
NeverOld ==
    \A i \in Instances : \A u \in Under(i) :
        Kind = "limit" /\ u.seen # <<>> => u.seen[1] = Value(KeyOf(u.clock))

\* All packets have left, and all moves are over.
NeverThrough ==
    ~(AtRest /\ asked = Len(Moves) /\ Len(Moves) > 0 /\ Len(delivered) = Len(Packets))
=============================================================================
