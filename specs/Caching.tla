------------------------------- MODULE Caching --------------------------------
(***************************************************************************)
(* The store's library at an NF instance: copies of shared objects, which  *)
(* accesses they may serve, and what must not leave the instance before    *)
(* the store has the accesses that it was computed from.                   *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, section 4.3 and Table 1.                         *)
(* Clauses: CACHE-3, CACHE-4, STORE-5, DUP-2; amended as docs/findings.md. *)
(*                                                                         *)
(* An object that is read mostly ("limit") is copied: copies serve reads,  *)
(* updates go to the store, and everybody who keeps a copy is told of the  *)
(* new value.  One that is written often as well ("hot") is cached, and    *)
(* served from the cache altogether, while the split of the traffic gives  *)
(* all its users to one instance.  Whatever is served is sent to the store *)
(* too, with what it has returned: a read so that a replay sees the same,  *)
(* an update to be made there.                                             *)
(***************************************************************************)
EXTENDS SharedVertex, FiniteSets

Dropped == FALSE

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT DropCopy <- Dropped.                                           *)
(***************************************************************************)
CacheAlone == TRUE   \* CACHE-4: what is written often is cached by who is alone with it
DropCopy == TRUE     \* CACHE-3: an update that goes to the store drops the copy
CommitFirst == TRUE  \* CACHE-3, CACHE-4: no output before the store has what it was computed from
CallBack == TRUE     \* CACHE-3: everybody who keeps a copy is told of a new value

NoCopy == Len(Packets) + 1

(***************************************************************************)
(* The library's state.  It dies with its instance.                        *)
(***************************************************************************)
Client(sessions, effects) ==
    [start : sessions,                     \* session of the instance's start
     alone : BOOLEAN,                      \* the split gives every key to one instance (CACHE-4)
     copies : [Keys -> Numbers \cup {NoCopy}],
     expected : Numbers,                   \* packet whose access brings a copy, or 0: only once
     unconfirmed : SUBSET Clocks,          \* packets whose access was served from a copy, and is
                                           \* not known to be at the store
     outbox : Seq([waits : SUBSET Clocks, effect : effects])]
                                           \* what is held back, and the accesses that it waits for

NewClient(start, alone) ==
    [start |-> start, alone |-> alone, copies |-> [key \in Keys |-> NoCopy], expected |-> 0,
     unconfirmed |-> {}, outbox |-> <<>>]

-----------------------------------------------------------------------------
(* Messages to the store and from it.  What was seen, and a copy, are sequences of at most one. *)

AtMostOne == {<<>>} \cup {<<number>> : number \in Numbers}

Apply(k, op, seen, register, s) ==
    [type |-> "apply", clock |-> k, op |-> op, seen |-> seen, register |-> register, start |-> s]
Result(k, value, copy) == [type |-> "result", clock |-> k, value |-> value, copy |-> copy]
Callback(key, value) == [type |-> "callback", key |-> key, value |-> value]

Applies(sessions) ==
    [type : {"apply"}, clock : Clocks, op : {"raise", "read"}, seen : AtMostOne,
     register : BOOLEAN, start : sessions]
Answers ==
    [type : {"result"}, clock : Clocks, value : Numbers, copy : AtMostOne]
    \cup [type : {"callback"}, key : Keys, value : Numbers]

\* What an instance does to others: it puts a message on the channel to them.
To(to, m) == [to |-> to, message |-> m]

-----------------------------------------------------------------------------
(* Accesses.  c is the state of the library. *)

\* CACHE-3, CACHE-4: what a copy may serve, and so what to ask for a copy with.
IsCached(c, op) == IF Kind = "hot" THEN CacheAlone => c.alone ELSE op = "read"

\* An access goes to the store; seen is what a copy has returned, if one has served it.
Issue(c, k, op, seen) ==
    LET registers == IsCached(c, op)
        hides == op = "raise" /\ seen = <<>>
    IN  [client |-> [c EXCEPT !.copies[KeyOf(k)] = IF DropCopy /\ hides THEN NoCopy ELSE @,
                              !.expected = IF registers THEN k ELSE @],
         sent |-> <<To("store", Apply(k, op, seen, registers, c.start))>>,
         result |-> seen]

\* A packet of a flow whose state is the newest is served from a copy, if there is one.
Access(c, k, op, mayServe) ==
    LET copy == c.copies[KeyOf(k)]
        value == IF op = "raise" THEN copy + 1 ELSE copy
        served == [c EXCEPT !.copies[KeyOf(k)] = value, !.unconfirmed = @ \cup {k}]
    IN  IF mayServe /\ copy # NoCopy /\ IsCached(c, op)
        THEN Issue(served, k, op, <<value>>)
        ELSE Issue(c, k, op, <<>>)

(***************************************************************************)
(* The NF takes a packet.  STORE-5: "limit" does not wait for its update.  *)
(* The result is empty if the NF has to wait for the store.                *)
(***************************************************************************)
RunNF(c, k, mayServe) ==
    LET raise == Issue(c, k, "raise", <<>>)
        read == Access(raise.client, k, "read", mayServe)
    IN  IF Kind = "hot" THEN Access(c, k, "raise", mayServe)
        ELSE IF Raises(k) THEN [read EXCEPT !.sent = raise.sent \o @]
        ELSE Access(c, k, "read", mayServe)

\* An answer confirms an access.  The one that is expected brings a copy, unless the access was
\* served from the copy that is there: that may have changed since.
OnResult(c, m) ==
    LET key == KeyOf(m.clock)
        copied == m.clock = c.expected /\ m.copy # <<>> /\ m.clock \notin c.unconfirmed
    IN  [c EXCEPT !.copies[key] = IF copied THEN m.copy[1] ELSE @,
                  !.expected = IF m.clock = @ THEN 0 ELSE @,
                  !.unconfirmed = @ \ {m.clock}]

OnCallback(c, m) ==
    [c EXCEPT !.copies[m.key] = IF @ = NoCopy THEN NoCopy ELSE m.value]

\* CACHE-4: what may be cached has changed; a copy that is under way would be of another time.
OnCache(c, alone) ==
    [c EXCEPT !.alone = alone, !.copies = [key \in Keys |-> NoCopy], !.expected = 0]

-----------------------------------------------------------------------------
(***************************************************************************)
(* Effects leave the instance in order.  Those that others may go on from  *)
(* wait for all that is unconfirmed; requests, and what the manager is     *)
(* told, do not: but that caches were given up means that nothing of them  *)
(* is unconfirmed any more.                                                *)
(***************************************************************************)
IsBound(e) == e.to \notin {"store", "manager"} \/ e.message.type = "known"

LetOut(c, effects) ==
    LET isFree(n) == \A m \in 1 .. n : c.outbox[m].waits \cap c.unconfirmed = {}
        free == Cardinality({n \in 1 .. Len(c.outbox) : isFree(n)})
        isHeld(e) == CommitFirst /\ c.unconfirmed # {} /\ IsBound(e)
        goes(e) == ~isHeld(e)
        held == SelectSeq(effects, isHeld)
    IN  [client |-> [c EXCEPT !.outbox =
                       SubSeq(@, free + 1, Len(@)) \o
                       [n \in 1 .. Len(held) |-> [waits |-> c.unconfirmed, effect |-> held[n]]]],
         out |-> [n \in 1 .. free |-> c.outbox[n].effect] \o SelectSeq(effects, goes)]

Held(c) == [n \in 1 .. Len(c.outbox) |-> c.outbox[n].effect]

\* The messages to somebody among effects, in order.
MessagesTo(to, effects) ==
    LET isTheirs(e) == e.to = to
        theirs == SelectSeq(effects, isTheirs)
    IN  [n \in 1 .. Len(theirs) |-> theirs[n].message]
=============================================================================
