-------------------------- MODULE ReallocationRowHost --------------------------
(***************************************************************************)
(* What a splitter, an NF and the queue before it make of what comes: the  *)
(* three machines of one host in ReallocationRow.                          *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 4.2, 4.3, 5.1, 5.3 and 5.4.             *)
(* Clauses: SPLIT-3, QUEUE-1, QUEUE-2, MOVE-1 to MOVE-6, CACHE-1, CACHE-2, *)
(* CLONE-2, DUP-1, DUP-3, ROOT-3, DEL-1, REC-1, REC-2.                     *)
(***************************************************************************)
EXTENDS ReallocationRowParts

\* What somebody sends in a step: messages for each address.
Silence == [a \in Addresses |-> <<>>]
Sent(out, to, m) == [out EXCEPT ![to] = Append(@, m)]
Send(to, m) == Sent(Silence, to, m)
SentToAll(out, all, m) == [a \in Addresses |-> IF a \in all THEN Append(out[a], m) ELSE out[a]]
Behind(contents, out) == [a \in DOMAIN contents |-> contents[a] \o out[a]]

-----------------------------------------------------------------------------
(***************************************************************************)
(* Splitter.  In the middle of a step r.splitter is what becomes of the    *)
(* one behind x, and r.out what x sends; of an instance, r.state is what   *)
(* becomes of that.                                                        *)
(***************************************************************************)
Tell(r, to, m) == [r EXCEPT !.out = Sent(@, to, m)]
StartOf(x, r) == IF x = "root" THEN 0 ELSE r.state.start

\* MOVE-5: a packet belongs to the newest tenure that has begun by its clock, and a replayed one
\* goes where it went before (DUP-3).  MOVE-1: its epoch is the mark "first".
TenureOf(tenures, k) ==
    Max({n \in 1 .. Len(tenures) : tenures[n].since # Unknown /\ tenures[n].since <= k})

(***************************************************************************)
(* SPLIT-3: the first packet of a tenure has to wait until the manager has *)
(* its clock.  DUP-3: a replayed packet goes to where its clock belongs,   *)
(* and to no other instance of the vertex of its target.  MOVE-5: what a   *)
(* flow's earlier instance sends goes to no tenure behind the next one     *)
(* there: it had sent all when that began, and only sends it again.        *)
(***************************************************************************)
MayBegin(e, behind) == e >= behind

SendPacket(x, r, p) ==
    LET f == FlowOf(p)
        old == r.splitter.route[f]
        newest == Max({n \in 1 .. Len(old) : MayBegin(p.epoch, old[n].behind)})
        begins == p.target = Nobody /\ old[newest].since = Unknown
        tenures == IF begins THEN [old EXCEPT ![newest].since = p.clock] ELSE old
        n == TenureOf(SubSeq(tenures, 1, newest), p.clock)
        to == tenures[n].instance
        sent == Tell(r, to, [p EXCEPT !.epoch = n - 1])
    IN  IF begins /\ AskWhereItBegins
        THEN Tell([r EXCEPT !.splitter.gate = <<p>>], "manager",
                  Begin(f, newest - 1, p.clock, StartOf(x, r)))
        ELSE IF p.target = Nobody THEN [sent EXCEPT !.splitter.route[f] = tenures]
        ELSE IF VertexOf[p.target] > PlaceOf(x) + 1 \/ p.target = to THEN sent
        ELSE r

\* The end of a replay takes every way to its target (CLONE-2).
SendEnd(x, r, end) ==
    LET at == VertexOf[end.target]
        all == CASE at = PlaceOf(x) + 1 -> {end.target}
                 [] at > PlaceOf(x) + 1 -> Members(PlaceOf(x) + 1)
                 [] OTHER -> {}
    IN  [r EXCEPT !.out = SentToAll(@, all, end)]

\* MOVE-1, REC-1: the marks of all tenures that are over, for one instance or for all.
SendAgain(x, r, only) ==
    LET marksOf(to, f) ==
          LET tenures == r.splitter.route[f]
              isTheirs(n) == tenures[n].instance = to /\ only \in {Nobody, to}
              theirs == SelectSeq([n \in 1 .. Len(tenures) - 1 |-> n], isTheirs)
          IN  [n \in 1 .. Len(theirs) |-> LastMark(x, f, theirs[n])]
        marks(to) == Joined([n \in 1 .. Len(Listed) |-> marksOf(to, Listed[n])], Len(Listed))
    IN  IF ~(MarkLast /\ MarkAgain) THEN r
        ELSE [r EXCEPT !.out = [a \in Addresses |->
                IF a \in Instances THEN @[a] \o marks(a) ELSE @[a]]]

(***************************************************************************)
(* Whatever comes from the NF goes through, or waits at the gate.  MOVE-6: *)
(* that a flow has passed is told to all instances behind it, as any of    *)
(* them may hold packets of it back.                                       *)
(***************************************************************************)
Pass(x, r, item) ==
    IF r.splitter.gate # <<>> THEN [r EXCEPT !.splitter.gate = Append(@, item)]
    ELSE CASE item.type = "packet" -> SendPacket(x, r, item)
           [] item.type = "end" -> SendEnd(x, r, item)
           [] item.type = "remind" ->
                SendAgain(x, [r EXCEPT !.splitter.recovering = @ /\ item.only # Nobody], item.only)
           [] item.type = "mark" -> Tell(r, item.to, LastMark(x, item.flow, item.epoch))
           [] item.type = "again" -> Tell(r, item.to, Passed(item.flow, item.epoch))
           [] item.type = "handed over" -> Tell(r, "manager", item)
           [] item.type = "passed" ->
                LET all == IF PlaceOf(x) = Last THEN {"sink"} ELSE Members(PlaceOf(x) + 1)
                IN  [r EXCEPT !.out = SentToAll(@, all, item)]

RECURSIVE PassAll(_, _, _)
PassAll(x, r, items) ==
    IF items = <<>> THEN r ELSE PassAll(x, Pass(x, r, Head(items)), Tail(items))

\* MOVE-1: a flow goes elsewhere from now on; the mark "last" follows its last packet.  REC-1: a
\* failover sends all marks again, behind its replay, and none before.
MarksAtOnce(r) == ~r.splitter.recovering

MoveAway(x, r, m) ==
    LET old == r.splitter.route[m.flow]
        moved == [r EXCEPT !.splitter.route[m.flow] =
                    Append(@, [instance |-> m.to, since |-> Unknown, behind |-> m.behind])]
        mark == MarkFor(old[Len(old)].instance, m.flow, m.epoch)
    IN  IF MarkLast /\ MarksAtOnce(r) THEN Pass(x, moved, mark) ELSE moved

\* MOVE-5: the tenures up to this epoch begin with this clock; the gate opens.
BeginAt(x, r, m) ==
    LET old == r.splitter.route[m.flow]
        tenures == [n \in 1 .. Len(old) |->
                      IF n <= m.epoch + 1 /\ old[n].since = Unknown
                      THEN [old[n] EXCEPT !.since = m.clock] ELSE old[n]]
    IN  PassAll(x, [r EXCEPT !.splitter.route[m.flow] = tenures, !.splitter.gate = <<>>],
                r.splitter.gate)

-----------------------------------------------------------------------------
(* NF *)

\* CACHE-2: what is flushed is updates, not values.
Flush(r) ==
    LET due == r.state.unflushed
        updates == [m \in 1 .. Len(due) |-> Apply(due[m], OwnObject, r.state.start)]
    IN  [r EXCEPT !.out["store"] = @ \o updates, !.state.unflushed = <<>>]

\* Ask for the state of a packet's flow as it was before the packet (DUP-3); the first packet of a
\* tenure asks for the flow (MOVE-3).
Ask(r, p, peek) == Tell(r, "store", Acquire(p, peek, r.state.start))

SlotOf(p) == <<FlowOf(p), p.epoch>>

\* A slot's next packet asks for its state; the end of its tenure is no packet.
RECURSIVE AskNext(_, _, _)
AskNext(r, slot, waiting) ==
    IF waiting = <<>> THEN [r EXCEPT !.state.blocked = Without(@, slot)]
    ELSE IF Head(waiting).type = "handover"
    THEN AskNext([r EXCEPT !.state.ready = Append(@, Head(waiting))], slot, Tail(waiting))
    ELSE Ask([r EXCEPT !.state.blocked[slot] = waiting], Head(waiting), FALSE)

\* A packet's work is over: the next one that waited behind it is asked for, if it was on state
\* of its own.
Done(r, p) ==
    LET idle == [r EXCEPT !.state.work = <<>>]
        slot == SlotOf(p)
    IN  IF slot \in DOMAIN r.state.blocked THEN AskNext(idle, slot, r.state.blocked[slot]) ELSE idle

\* MOVE-6: the epoch of the tenure that it was processed in goes with a packet.
GoesOn(i, r, p) == Pass(i, r, [p EXCEPT !.after = p.epoch])
Leave(r, p) == Tell(r, "sink", Output(p))

\* A packet goes on, or leaves by way of its delete (ROOT-3, REC-2).
Deliver(i, r, p, before) ==
    LET work == [for |-> "delete", packet |-> p, before |-> before]
    IN  IF ~IsLast(i) THEN Done(GoesOn(i, r, p), p)
        ELSE Tell([r EXCEPT !.state.work = <<work>>], "root", Delete(p, r.state.start))

(***************************************************************************)
(* What becomes of a packet on a value.  CACHE-1: the shared object's      *)
(* update is sent at once; the flow's waits for its flush, unless the      *)
(* packet is a replayed one (DUP-3).  That is so on the "cached" value,    *)
(* and on a "loaded" one that came for this packet alone.  A value that is *)
(* "seen" is another one's: the packet is on its way to another instance's *)
(* replay, or its tenure is over, and it updates nothing.  Where a         *)
(* replayed packet is for, it goes on as any other.                        *)
(***************************************************************************)
Process(i, r, p, before, how) ==
    LET v == VertexOf[i]
        updates == IF how = "seen" THEN {} ELSE ObjectsOf(v)
        entry == Entry(v, p.clock, p.said)
        value == Updated(v, before, entry)
        cached == [epoch |-> p.epoch, value |-> value]
        counts == IF SharedObject \in updates
                  THEN Tell(r, "store", Apply(Entry(v, p.clock, <<>>), SharedObject, r.state.start))
                  ELSE r
        done == [counts EXCEPT
                   !.state.owned = IF how = "cached" THEN With(@, FlowOf(p), cached) ELSE @,
                   !.state.unflushed = IF OwnObject \in updates THEN Append(@, entry) ELSE @]
        flushed == IF how = "loaded" \/ (how = "cached" /\ Eager[v]) THEN Flush(done) ELSE done
        processed == [p EXCEPT !.said = @ \o Written(v, value), !.vector = @ \cup UpdatesAt(v)]
    IN  IF IsPassing(i, p) THEN GoesOn(i, flushed, processed)
        ELSE Deliver(i, flushed, [processed EXCEPT !.target = Nobody, !.session = 0], before)

(***************************************************************************)
(* A packet waits behind others of its tenure (MOVE-3, MOVE-5); is         *)
(* processed on the cache; or asks for the flow's state, after all that    *)
(* the store must know for that.  A replayed packet always asks, and the   *)
(* cache ends with it: its state is not the newest.                        *)
(***************************************************************************)
TakePacket(i, r, p) ==
    LET f == FlowOf(p)
        n == r.state
        flushed == Flush(r)
        waits == [flushed EXCEPT
                    !.state.blocked = With(@, SlotOf(p), <<p>>),
                    !.state.owned = IF p.target = i THEN Without(@, f) ELSE @]
    IN  IF SlotOf(p) \in DOMAIN n.blocked
        THEN [r EXCEPT !.state.blocked[SlotOf(p)] = Append(@, p)]
        ELSE IF p.target = Nobody /\ f \in DOMAIN n.owned /\ n.owned[f].epoch = p.epoch
        THEN Process(i, r, p, n.owned[f].value, "cached")
        ELSE Ask(waits, p, FALSE)

\* MOVE-2: the flow's updates are flushed, store and manager are told that the tenure is over, and
\* those behind that nothing of it will follow (MOVE-6).
HandOver(i, r, f, e) ==
    LET flushed == IF FlushBeforeRelease THEN Flush(r) ELSE r
        over == [flushed EXCEPT !.state.owned = Without(@, f),
                                !.state.released[f] = Append(@, e)]
        told == Tell(over, "store", Release(f, e, r.state.start))
    IN  PassAll(i, told, <<HandedOver(f, e), Passed(f, e)>>)

(***************************************************************************)
(* MOVE-2: a splitter above has sent all that it had of a tenure.  When    *)
(* all have, the tenure is over, behind the packets of it that still wait. *)
(* The mark has the epoch of the next one.                                 *)
(***************************************************************************)
TakeLast(i, r, m) ==
    LET n == r.state
        slot == <<m.flow, m.epoch>>
        ending == <<m.flow, m.epoch - 1>>
        heard == {m.from} \cup IF slot \in DOMAIN n.lasts THEN n.lasts[slot] ELSE {}
        all == [r EXCEPT !.state.lasts = Without(@, slot)]
    IN  IF m.epoch \in Range(n.released[m.flow]) THEN r
        ELSE IF AwaitMarks /\ ~(Above(i) \subseteq heard)
        THEN [r EXCEPT !.state.lasts = With(@, slot, heard)]
        ELSE IF ending \in DOMAIN n.blocked /\ n.blocked[ending] # <<>>
        THEN [all EXCEPT !.state.blocked[ending] = Append(@, Handover(m.flow, m.epoch))]
        ELSE HandOver(i, all, m.flow, m.epoch)

\* What passes through, and the end of a replay, may fall behind all else.
Take(i, r, item) ==
    CASE item.type = "loaded" ->
           Process(i, r, item.packet, item.value, IF item.owned THEN "loaded" ELSE "seen")
      [] item.type = "handover" -> HandOver(i, r, item.flow, item.epoch)
      [] item.type = "last" -> TakeLast(i, r, item)
      [] OTHER -> IF item.type = "end" \/ IsPassing(i, item)
                  THEN [r EXCEPT !.state.lane = Append(@, item)]
                  ELSE TakePacket(i, r, item)

\* DUP-3: what passes through waits for the packet itself.  CLONE-2: a replay has been taken in
\* when none of its packets waits any more.
LaneIsFree(i, n) ==
    LET item == Head(n.lane)
        waits(slot, Is(_)) == \E p \in Range(n.blocked[slot]) : p.type = "packet" /\ Is(p)
        isForUs(p) == p.target = i
        isSame(p) == p.clock = item.clock
    IN  IF item.type = "packet"
        THEN SlotOf(item) \in DOMAIN n.blocked => ~waits(SlotOf(item), isSame)
        ELSE item.target = i => \A slot \in DOMAIN n.blocked : ~waits(slot, isForUs)

(***************************************************************************)
(* DUP-3: of a packet that passes through, the state is only read, and     *)
(* behind all that the store must know for that.  An end goes on its way;  *)
(* if that is to the next vertex, all marks that its target may have lost  *)
(* follow.  Or it has come to where it was for, which sends its own again: *)
(* they may have been lost with its predecessor.                           *)
(***************************************************************************)
PassThrough(i, r, item) ==
    LET work == [for |-> "grant", packet |-> item, before |-> NoValue]
        end == <<[item EXCEPT !.from = i]>>
        againOf(f) == [n \in 1 .. Len(r.state.released[f]) |->
                         Again(item.target, f, r.state.released[f][n])]
        again == Joined([n \in 1 .. Len(Listed) |-> againOf(Listed[n])], Len(Listed))
    IN  IF item.type = "packet"
        THEN Ask([Flush(r) EXCEPT !.state.work = <<work>>], item, TRUE)
        ELSE IF item.target = i
        THEN Pass(i, Tell(r, "manager", Recovered(item.session)), Remind(Nobody))
        ELSE PassAll(i, r, IF VertexOf[item.target] = VertexOf[i] + 1
                           THEN end \o <<Remind(item.target)>> \o again
                           ELSE end)

RECURSIVE WorkOn(_, _)
WorkOn(i, r) ==  \* QUEUE-1: until a packet is in work, or nothing is left to do
    LET n == r.state
    IN  IF n.work # <<>> THEN r
        ELSE IF n.ready # <<>>
        THEN WorkOn(i, Take(i, [r EXCEPT !.state.ready = Tail(@)], Head(n.ready)))
        ELSE IF n.lane # <<>> /\ LaneIsFree(i, n)
        THEN WorkOn(i, PassThrough(i, [r EXCEPT !.state.lane = Tail(@)], Head(n.lane)))
        ELSE IF n.queue # <<>>
        THEN WorkOn(i, Take(i, [r EXCEPT !.state.queue = Tail(@)], Head(n.queue)))
        ELSE r

-----------------------------------------------------------------------------
(* Queues: of an instance, whose state with the queue is s, and of the sink. *)

\* MOVE-6: given the epochs whose marks have come, may that go in which a tenure before e sent?
\* All marks, and not just the newest: a later tenure may have passed before.
MayPass(marks, e) == \A d \in 1 .. e : d \in marks

\* MOVE-6: of what is freed together, that of earlier tenures goes first.
InTenureOrder(items) ==
    LET of(n) == LET is(item) == item.after = n - 1 IN SelectSeq(items, is)
    IN  Joined([n \in 1 .. Len(Moves) + 1 |-> of(n)], Len(Moves) + 1)

Freed(items, marks) ==
    LET is(item) == MayPass(marks[FlowOf(item)], item.after)
    IN  SelectSeq(InTenureOrder(items), is)
StillHeld(items, marks) ==
    LET is(item) == ~MayPass(marks[FlowOf(item)], item.after)
    IN  SelectSeq(InTenureOrder(items), is)

\* DUP-1: a packet goes in once, and once with each replay to another instance.
KeyOf(i, p) == IF IsPassing(i, p)
               THEN [clock |-> p.clock, target |-> p.target, session |-> p.session]
               ELSE [clock |-> p.clock, target |-> Nobody, session |-> 0]

LetIn(i, s, p) ==
    IF KeyOf(i, p) \in s.seen THEN s
    ELSE [s EXCEPT !.seen = @ \cup {KeyOf(i, p)}, !.queue = Append(@, p)]

RECURSIVE LetAllIn(_, _, _)
LetAllIn(i, s, items) ==
    IF items = <<>> THEN s ELSE LetAllIn(i, LetIn(i, s, Head(items)), Tail(items))

HasEnded(s, target, ofSession) == target \in DOMAIN s.over /\ ofSession <= s.over[target]

(***************************************************************************)
(* MOVE-6: a packet behind a move waits until all earlier tenures have     *)
(* passed.  DUP-3: of a replayed one the marks tell nothing, since they    *)
(* passed when its flow moved: it waits for the end of its replay.         *)
(***************************************************************************)
AdmitPacket(i, s, p) ==
    IF p.target = Nobody /\ ~MayPass(s.passed[FlowOf(p)], p.after)
    THEN [s EXCEPT !.held = Append(@, p)]
    ELSE IF AwaitEarlier /\ p.target # Nobody /\ p.after > 0 /\ ~HasEnded(s, p.target, p.session)
    THEN [s EXCEPT !.late = Append(@, p)]
    ELSE LetIn(i, s, p)

\* MOVE-2, MOVE-6: a last mark waits for held packets of a tenure that it ends.
MarkWaits(e, heldOf) == heldOf < e

AdmitLast(i, s, m) ==
    LET isOf(p) == p.type = "packet" /\ FlowOf(p) = m.flow /\ MarkWaits(m.epoch, p.epoch)
    IN  IF \E p \in Range(s.held) : isOf(p) THEN [s EXCEPT !.held = Append(@, m)]
        ELSE [s EXCEPT !.queue = Append(@, m)]

RECURSIVE AdmitAllLast(_, _, _)
AdmitAllLast(i, s, all) ==
    IF all = <<>> THEN s ELSE AdmitAllLast(i, AdmitLast(i, s, Head(all)), Tail(all))

AdmitPassed(i, s, m) ==
    LET marks == [s.passed EXCEPT ![m.flow] = @ \cup {m.epoch}]
        isLast(item) == item.type = "last"
        isPacket(item) == item.type = "packet"
        packets == SelectSeq(s.held, isPacket)
        freed == LetAllIn(i, [s EXCEPT !.passed = marks, !.held = StillHeld(packets, marks)],
                         Freed(packets, marks))
    IN  AdmitAllLast(i, freed, SelectSeq(s.held, isLast))

RECURSIVE Admit(_, _, _)
RECURSIVE AdmitAll(_, _, _)

(***************************************************************************)
(* CLONE-2: a replay is over when every splitter above has sent its end.   *)
(* What waited for that goes in.  If it was for this instance, so does     *)
(* what came meanwhile, but for what was in the replay or had ended        *)
(* before: the channels from above may bring it once more (REC-1).         *)
(***************************************************************************)
AdmitEnd(i, s, m) ==
    LET r == <<m.target, m.session>>
        heard == {m.from} \cup IF r \in DOMAIN s.ends THEN s.ends[r].heard ELSE {}
        isOf(p) == p.target = m.target /\ p.session <= m.session
        isOther(p) == ~isOf(p)
        over == [s EXCEPT !.ends = Without(@, r), !.over = With(@, m.target, m.session),
                          !.late = SelectSeq(@, isOther)]
        inOrder == LetAllIn(i, over, InTenureOrder(SelectSeq(s.late, isOf)))
        ended == [inOrder EXCEPT !.queue = Append(@, m)]
        isNew(item) == item.type = "packet" /\ item.target = Nobody => item.clock > m.newest
    IN  IF HasEnded(s, m.target, m.session) THEN s
        ELSE IF ~(Above(i) \subseteq heard)
        THEN [s EXCEPT !.ends = With(@, r, [heard |-> heard, newest |-> m.newest])]
        ELSE IF m.target # i \/ ~s.recovering THEN ended
        ELSE AdmitAll(i, [ended EXCEPT !.recovering = FALSE, !.aside = <<>>],
                      SelectSeq(s.aside, isNew))

\* DUP-3: a replay that began before this one was started may lack its beginning.
Admit(i, s, item) ==
    LET isBroken == item.session > 0 /\ item.session < s.valid
    IN  CASE item.type = "passed" -> AdmitPassed(i, s, item)
          [] item.type = "last" -> AdmitLast(i, s, item)
          [] item.type = "packet" -> IF isBroken THEN s ELSE AdmitPacket(i, s, item)
          [] item.type = "end" -> IF isBroken THEN s ELSE AdmitEnd(i, s, item)

AdmitAll(i, s, items) ==
    IF items = <<>> THEN s ELSE AdmitAll(i, Admit(i, s, Head(items)), Tail(items))

\* CLONE-2, REC-1: in recovery, what is not replayed to this instance waits.
QueueItem(i, s, item) ==
    IF item.type \in {"packet", "end"} /\ item.target = i
    THEN IF item.session <= s.start THEN s
         ELSE Admit(i, [s EXCEPT !.valid = IF @ = 0 THEN item.session ELSE @], item)
    ELSE IF s.recovering THEN [s EXCEPT !.aside = Append(@, item)]
    ELSE Admit(i, s, item)

-----------------------------------------------------------------------------
(* Answers.  One that nobody waits for was meant for a dead predecessor. *)

Awaits(n, for, k) == n.work # <<>> /\ n.work[1].for = for /\ n.work[1].packet.clock = k

\* MOVE-4, DUP-3: state that is the newest of its flow begins a cache, if the flow is granted, and
\* all that waited for it may go on; other state is for the first packet that waited, alone.
Serve(r, g) ==
    LET slot == SlotOf(g)
        waiting == r.state.blocked[slot]
    IN  IF Head(waiting).target = Nobody /\ g.owned /\ g.latest
        THEN [r EXCEPT !.state.owned =
                         With(@, FlowOf(g), [epoch |-> g.epoch, value |-> g.value]),
                       !.state.blocked = Without(@, slot),
                       !.state.ready = @ \o waiting]
        ELSE [r EXCEPT !.state.blocked[slot] = Tail(@),
                       !.state.ready = Append(@, Loaded(Head(waiting), g))]

=============================================================================
