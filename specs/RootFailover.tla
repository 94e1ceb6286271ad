---------------------------- MODULE RootFailover ----------------------------
(***************************************************************************)
(* The root fails, and is replaced.                                        *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 5 and 5.4.                              *)
(* Clauses: ROOT-1, ROOT-2, ROOT-3, ROOT-5, MOVE-1 to MOVE-6, REC-1 to     *)
(* REC-3, DUP-1 to DUP-3, DEL-2, DEL-3, LIVE.                              *)
(*                                                                         *)
(* A root gives every packet a clock, logs it and forwards it to one of    *)
(* several instances.  An instance asks the store for a flow, once, and    *)
(* then processes the flow's packets one by one: it sends the packet's     *)
(* update to the store and its delete to the root, and lets the packet     *)
(* leave when the root has answered.  The root drops the packet from its   *)
(* log when it has the delete, and the store's word that the update is     *)
(* committed.                                                              *)
(*                                                                         *)
(* There are two models.  With the log at the root, every PersistEvery-th  *)
(* clock is written to the store before its packet is forwarded.  When the *)
(* root fails, its log is lost, and so may be what it has sent and nobody  *)
(* has taken.  The new root asks the store for the clock and goes on above *)
(* all clocks that may have been given.  With the log in the store, a      *)
(* packet is forwarded, and a delete answered, when the store has what the *)
(* log says of it.  The new root gets the log from the store, and forwards *)
(* what is in it once more.                                                *)
(*                                                                         *)
(* A flow may be moved, as in Reallocation, and the root's splitter fails  *)
(* with its root: routes, what waits at its gate, and marks that nobody    *)
(* has taken.  The manager tells the new one of all moves, and where their *)
(* tenures begin; and the new one sends the marks "last" once more.        *)
(*                                                                         *)
(* The value of a flow is the sequence of the packets that were applied to *)
(* it, so that a lost, doubled or misplaced update is visible.  Packets    *)
(* are known by the number of their arrival; clocks may have gaps.         *)
(*                                                                         *)
(* Left out: other failures, replay, moves of several flows, a threshold   *)
(* for the log (ROOT-4), several roots (SPLIT-4).                          *)
(***************************************************************************)
EXTENDS RootFailoverMessages

VARIABLES
    arrived,    \* world: packets so far
    asked,      \* world: moves that the operator has asked for
    crashes,    \* world, manager: failures of the root so far; the last start's number
    recovering, \* manager: a new root is not ready yet
    target,     \* manager: instances that each flow was moved to
    begun,      \* manager: first clock of each of these tenures, as far as it is known
    underWay,   \* manager: epochs of each flow that the old instance has not ended
    root,       \* phase, clock and log of the root; see RootState
    host,       \* what each instance holds; see HostState
    persisted,  \* store: the newest clock that it was told of
    stored,     \* store: the log, where it is kept there; see StoredLog
    value,      \* store: packets applied to each flow, in order
    owner,      \* store: instance and epoch that owns each flow
    parked,     \* store: requests of later epochs, by flow, in the order of coming
    channel,    \* messages under way between two components
    passed,     \* sink: epochs of each flow for which the mark "passed" has come
    held,       \* sink: outputs that are held back, in the order of coming
    left        \* sink: packets that have left the chain, in order

manager == <<recovering, target, begun, underWay>>
store == <<persisted, stored, value, owner, parked>>
sink == <<passed, held, left>>
vars == <<arrived, asked, crashes, manager, root, host, store, channel, sink>>

TypeOK ==
    /\ arrived \in 0 .. Len(Traffic)
    /\ asked \in 0 .. Len(Moves)
    /\ crashes \in 0 .. MostCrashes
    /\ recovering \in BOOLEAN
    /\ target \in [Flows -> Seq(Instances)]
    /\ begun \in [Flows -> Seq(Clocks)]
    /\ underWay \in [Flows -> SUBSET Epochs]
    /\ root \in RootState
    /\ DOMAIN host = Instances /\ \A i \in Instances : HostOK(host[i])
    /\ persisted \in 0 .. MostClock
    /\ stored \in StoredLog
    /\ value \in [Flows -> Seq(Packet)]
    /\ owner \in [Flows -> [instance : Instances \cup {Nobody}, epoch : Epochs]]
    /\ parked \in [Flows -> Seq([source : Instances, message : Message])]
    /\ channel \in [Channels -> Seq(Message)]
    /\ passed \in [Flows -> SUBSET Epochs]
    /\ held \in Seq(Message)
    /\ left \in Seq(Packet)

Init ==
    /\ arrived = 0
    /\ asked = 0
    /\ crashes = 0
    /\ recovering = FALSE
    /\ target = [f \in Flows |-> <<>>]
    /\ begun = [f \in Flows |-> <<>>]
    /\ underWay = [f \in Flows |-> {}]
    /\ root = [phase |-> "ready", count |-> 0, persisted |-> 0, lost |-> 0,
               written |-> 0, unwritten |-> <<>>, answered |-> NoAnswer, waiting |-> <<>>,
               log |-> <<>>, route |-> AtHome, gate |-> <<>>, aside |-> <<>>, entered |-> <<>>]
    /\ host = [i \in Instances |->
                 [seen |-> {}, owns |-> <<>>, waits |-> <<>>, freed |-> <<>>, queue |-> <<>>,
                  released |-> [f \in Flows |-> <<>>], work |-> NoPacket]]
    /\ persisted = 0
    /\ stored = [entries |-> <<>>, answered |-> NoAnswer]
    /\ value = [f \in Flows |-> <<>>]
    /\ owner = [f \in Flows |-> [instance |-> Nobody, epoch |-> 0]]
    /\ parked = [f \in Flows |-> <<>>]
    /\ channel = [c \in Channels |-> <<>>]
    /\ passed = [f \in Flows |-> {}]
    /\ held = <<>>
    /\ left = <<>>

-----------------------------------------------------------------------------
(* Channels *)

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
(* Root.  Each operator gives the root's state after an event, and what it sends. *)

After(r, sends) == [root |-> r, sends |-> sends]

NextClock(r) == IF CountUp THEN r.count + 1 ELSE Max(r.count, 1)
MustBeStored(r, clock) == ~LogInStore /\ PersistFirst /\ clock >= r.persisted + PersistEvery

AnswerTo(i, clock, first) == To(i, [type |-> "deleted", clock |-> clock, first |-> first])
Enter(r, p) == [r EXCEPT !.entered = Append(@, p)]

(***************************************************************************)
(* Its splitter.  MOVE-5: a packet belongs to the newest tenure that has   *)
(* begun by its clock, and the first of a tenure waits until the manager   *)
(* has that.  What comes behind waits with it: no mark may overtake a      *)
(* packet.                                                                 *)
(***************************************************************************)
LastMark(f, n) == [type |-> "last", flow |-> f, epoch |-> n]

\* MOVE-1, REC-1: all marks "last" that there have been.
RECURSIVE MarksOf(_, _, _)
MarksOf(r, f, n) ==
    IF n >= Len(r.route[f]) THEN <<>>
    ELSE <<To(r.route[f][n].instance, LastMark(f, n))>> \o MarksOf(r, f, n + 1)
Marks(r) == IF RemindMarks /\ Moves # <<>> THEN MarksOf(r, Moves[1].flow, 1) ELSE <<>>

PassCopy(r, item) ==
    LET f == FlowOf(item)
        tenures == r.route[f]
        newest == Len(tenures)
        hasBegun(n) == tenures[n].since # Unknown /\ tenures[n].since <= item.clock
        n == Greatest({m \in 1 .. newest : hasBegun(m)})
        packet == [type |-> "packet", clock |-> item.clock, number |-> item.number,
                   epoch |-> n - 1]
    IN  IF tenures[newest].since = Unknown
        THEN After([r EXCEPT !.gate = <<item>>],
                   <<To(Manager, [type |-> "begin", flow |-> f, epoch |-> newest - 1,
                                  clock |-> item.clock, start |-> crashes])>>)
        ELSE After(r, <<To(tenures[n].instance, packet)>>)

Pass(r, item) ==
    CASE r.gate # <<>> -> After([r EXCEPT !.gate = Append(@, item)], <<>>)
      [] r.gate = <<>> /\ item.type = "copy" -> PassCopy(r, item)
      [] r.gate = <<>> /\ item.type = "mark" ->
           After(r, <<To(item.to, LastMark(item.flow, item.epoch))>>)
      [] r.gate = <<>> /\ item.type = "remind" -> After(r, Marks(r))

RECURSIVE PassAll(_, _, _)
PassAll(r, items, sends) ==
    IF items = <<>> THEN After(r, sends)
    ELSE LET one == Pass(r, Head(items)) IN PassAll(one.root, Tail(items), sends \o one.sends)

Forward(r, p) == Pass(r, [type |-> "copy", clock |-> p.clock, number |-> p.number])

\* MOVE-1: the mark "last" goes behind the flow's last packet; a new root may know of the move.
OnMove(r, m) ==
    LET tenures == r.route[m.flow]
        more == Append(tenures, [instance |-> m.to, since |-> Unknown])
    IN  IF m.epoch < Len(tenures) THEN After(r, <<>>)
        ELSE Pass([r EXCEPT !.route[m.flow] = more],
                  [type |-> "mark", to |-> tenures[Len(tenures)].instance,
                   flow |-> m.flow, epoch |-> m.epoch])

\* MOVE-5: the tenures up to this epoch begin with this clock; the gate opens.
OnSince(r, m) ==
    LET begins(n) == n <= m.epoch + 1 /\ r.route[m.flow][n].since = Unknown
        tenures == [n \in DOMAIN r.route[m.flow] |->
                      [r.route[m.flow][n] EXCEPT !.since = IF begins(n) THEN m.clock ELSE @]]
    IN  PassAll([r EXCEPT !.route[m.flow] = tenures, !.gate = <<>>], r.gate, <<>>)

\* ROOT-3, DEL-3: what has ended and is committed is needed no more.
IsDone(e) == e.ended /\ (e.committed \/ ~WaitForCommits)

Logs(r, clock) == {e \in Range(r.log) : e.clock = clock}
Without(log, clock) == LET isOther(e) == e.clock # clock IN SelectSeq(log, isOther)
With(log, e) ==
    IF \E n \in DOMAIN log : log[n].clock = e.clock
    THEN [n \in DOMAIN log |-> IF log[n].clock = e.clock THEN e ELSE log[n]]
    ELSE Append(log, e)

(***************************************************************************)
(* An entry of the log is new, or has changed; it is dropped if it is done *)
(* (ROOT-3).  What goes out with it is a sequence of at most one packet or *)
(* answer.  ROOT-2: where a store has the log, it waits for that, and so   *)
(* does the drop.  That an update is committed is not written.             *)
(***************************************************************************)
Write(r, e, answered) ==
    LET entry == [clock |-> e.clock, number |-> e.number, ended |-> e.ended]
    IN  To(Store, [type |-> "write", number |-> r.written, clock |-> e.clock,
                   entry |-> IF IsDone(e) THEN <<>> ELSE <<entry>>, answered |-> answered])

GoesOut(r, item) ==  \* at once
    IF item.type = "forward"
    THEN Forward(Enter(r, item.packet), item.packet)
    ELSE After(r, <<AnswerTo(item.to, item.clock, item.first)>>)

KeepAtRoot(r, e, out) ==
    LET kept == [r EXCEPT !.log = IF IsDone(e) THEN Without(@, e.clock) ELSE With(@, e)]
    IN  IF out = <<>> THEN After(kept, <<>>) ELSE GoesOut(kept, Head(out))

KeepInStore(r, e, out) ==
    LET kept == [r EXCEPT !.log = With(@, e)]
        n == r.written + 1
        drop == IF IsDone(e) THEN <<[number |-> n, type |-> "drop", clock |-> e.clock]>> ELSE <<>>
        answers == [i \in Instances |->
                      IF out # <<>> /\ Head(out).type = "answer" /\ Head(out).to = i
                      THEN r.answered[i] ELSE 0]
        behind == [kept EXCEPT !.written = n, !.unwritten = @ \o drop]
        write == Write(behind, e, answers)
        now == GoesOut(behind, Head(out))
    IN  CASE out = <<>> /\ ~IsDone(e) -> After(kept, <<>>)
          [] out = <<>> /\ IsDone(e) -> After(behind, <<write>>)
          [] out # <<>> /\ LogFirst ->
               After([behind EXCEPT !.unwritten = Append(@, [number |-> n] @@ Head(out))],
                     <<write>>)
          [] out # <<>> /\ ~LogFirst -> After(now.root, <<write>> \o now.sends)

Keep(r, e, out) == IF LogInStore THEN KeepInStore(r, e, out) ELSE KeepAtRoot(r, e, out)

(***************************************************************************)
(* Packets that wait are given clocks, logged and forwarded (ROOT-1,       *)
(* ROOT-2), up to one whose clock the store must have first (ROOT-5).  It  *)
(* is asked for once: by the first packet that waits for it, or if "asks". *)
(***************************************************************************)
RECURSIVE LetIn(_, _, _)
LetIn(r, sends, asks) ==
    IF r.waiting = <<>> THEN After(r, sends)
    ELSE LET clock == NextClock(r)
             n == Head(r.waiting)
             p == [clock |-> clock, number |-> n]
             given == [r EXCEPT !.count = clock, !.waiting = Tail(@)]
             kept == Keep(given, [clock |-> clock, number |-> n,
                                  ended |-> FALSE, committed |-> FALSE],
                          <<[type |-> "forward", packet |-> p]>>)
         IN  IF MustBeStored(r, clock)
             THEN After(r, IF asks \/ Len(r.waiting) = 1
                           THEN Append(sends, To(Store, [type |-> "persist", clock |-> clock]))
                           ELSE sends)
             ELSE LetIn(kept.root, sends \o kept.sends, asks)

(***************************************************************************)
(* REC-2: the answer says whether this was the packet's first delete; only *)
(* then does the packet leave.  A packet that is logged no more has had    *)
(* its first one, unless its entry died with a root.  Where the log does   *)
(* not die, the newest first one of each instance is kept with it, to be   *)
(* answered in the same way again.                                         *)
(***************************************************************************)
OnDelete(r, i, clock) ==
    LET entries == Logs(r, clock)
        first == \/ r.answered[i] = clock
                 \/ entries = {} /\ TakeAsFirst /\ clock <= r.lost
                 \/ entries # {} /\ \A e \in entries : ~e.ended
        noted == [r EXCEPT !.answered[i] = IF first /\ LogInStore THEN clock ELSE @]
        answer == [type |-> "answer", to |-> i, clock |-> clock, first |-> first]
    IN  IF \E e \in entries : ~e.ended
        THEN Keep(noted, [CHOOSE e \in entries : TRUE EXCEPT !.ended = TRUE], <<answer>>)
        ELSE IF r.unwritten = <<>> THEN GoesOut(noted, answer)
        ELSE After([noted EXCEPT !.unwritten = Append(@, [number |-> r.written] @@ answer)], <<>>)

OnCommitted(r, clock) ==
    LET entries == {e \in Logs(r, clock) : ~(LogInStore /\ IsDone(e))}
    IN  IF entries = {} THEN After(r, <<>>)
        ELSE Keep(r, [CHOOSE e \in entries : TRUE EXCEPT !.committed = TRUE], <<>>)

\* ROOT-2: the store has the log up to a write, so what waited for that goes out.
RECURSIVE OnLogged(_, _, _)
OnLogged(r, number, sends) ==
    IF r.unwritten = <<>> \/ Head(r.unwritten).number > number THEN After(r, sends)
    ELSE LET item == Head(r.unwritten)
             rest == [r EXCEPT !.unwritten = Tail(@)]
             dropped == [rest EXCEPT !.log = Without(@, item.clock)]
             out == GoesOut(rest, item)
         IN  IF item.type = "drop" THEN OnLogged(dropped, number, sends)
             ELSE OnLogged(out.root, number, sends \o out.sends)

OnPersisted(r, clock) ==
    IF clock > r.persisted THEN LetIn([r EXCEPT !.persisted = clock], <<>>, TRUE)
    ELSE After(r, <<>>)

OnMessage(r, source, m) ==
    CASE m.type = "delete" -> OnDelete(r, source, m.clock)
      [] m.type = "committed" -> OnCommitted(r, m.clock)
      [] m.type = "persisted" -> OnPersisted(r, m.clock)
      [] m.type = "logged" -> OnLogged(r, m.number, <<>>)
      [] m.type = "remembered" -> After(r, <<>>)  \* for a root that is gone
      [] m.type = "move" -> OnMove(r, m)
      [] m.type = "since" -> OnSince(r, m)

RECURSIVE OnAll(_, _, _)
OnAll(r, items, sends) ==
    IF items = <<>> THEN After(r, sends)
    ELSE LET done == OnMessage(r, Head(items).source, Head(items).message)
         IN  OnAll(done.root, Tail(items), sends \o done.sends)

RECURSIVE ToEach(_, _)
ToEach(receivers, message) ==  \* in any order: they share no channel
    IF receivers = {} THEN <<>>
    ELSE LET one == CHOOSE i \in receivers : TRUE
         IN  <<To(one, message)>> \o ToEach(receivers \ {one}, message)

(***************************************************************************)
(* REC-3: what the store has of the log is the new root's.  It may not     *)
(* have left the old one, and so it is forwarded once more.                *)
(***************************************************************************)
RECURSIVE TakeOver(_, _, _, _)
TakeOver(r, entries, committed, sends) ==
    IF entries = <<>> THEN After(r, sends)
    ELSE LET w == Head(entries)
             p == [clock |-> w.clock, number |-> w.number]
             isNew == \A q \in Range(r.entered) : q.clock < w.clock
             kept == Keep(IF isNew THEN Enter(r, p) ELSE r,
                          [clock |-> w.clock, number |-> w.number, ended |-> w.ended,
                           committed |-> w.clock \in committed], <<>>)
             again == IF ForwardAgain THEN Forward(kept.root, p) ELSE After(kept.root, <<>>)
         IN  TakeOver(again.root, Tail(entries), committed, sends \o kept.sends \o again.sends)

(***************************************************************************)
(* REC-3, ROOT-5: a new root goes on above every clock that the old one    *)
(* may have given, lets in what has waited, does what came meanwhile, and  *)
(* asks for the deletes that may have been lost.                           *)
(***************************************************************************)
Recovered(r, m) ==
    LET newest == m.clock + (IF LeaveGap THEN PersistEvery - 1 ELSE 0)
        fresh == [r EXCEPT !.phase = "ready", !.count = newest, !.persisted = m.clock,
                           !.lost = IF LogInStore THEN 0 ELSE newest,
                           !.answered = m.log.answered, !.aside = <<>>]
        taken == TakeOver(fresh, m.log.entries, m.committed, <<>>)
        entered == LetIn(taken.root, taken.sends, TRUE)
        marked == Pass(entered.root, [type |-> "remind"])
        done == OnAll(marked.root, r.aside, entered.sends \o marked.sends)
        again == IF AskAgain THEN ToEach(Instances, [type |-> "again"]) ELSE <<>>
    IN  After(done.root,
              done.sends \o again \o <<To(Manager, [type |-> "ready", start |-> crashes])>>)

WhileAsking(r, source, m) ==
    CASE m.type = "remembered" ->
           IF m.start = crashes THEN Recovered(r, m) ELSE After(r, <<>>)
      [] m.type \in {"persisted", "logged"} -> After(r, <<>>)  \* for the root that is gone
      [] OTHER -> After([r EXCEPT !.aside = Append(@, [source |-> source, message |-> m])], <<>>)

RootDoes(source) ==
    LET m == Head(channel[<<source, Root>>])
        step == CASE root.phase = "down" -> After(root, <<>>)
                  [] root.phase = "asking" -> WhileAsking(root, source, m)
                  [] root.phase = "ready" -> OnMessage(root, source, m)
    IN  /\ root' = step.root
        /\ Taken(source, Root, step.sends)
        /\ UNCHANGED <<arrived, asked, crashes, manager, host, store, sink>>

RootTakesDelete(i) == Comes(i, Root, "delete") /\ RootDoes(i)
RootTakesCommitted == Comes(Store, Root, "committed") /\ RootDoes(Store)
RootTakesPersisted == Comes(Store, Root, "persisted") /\ RootDoes(Store)
RootTakesLogged == Comes(Store, Root, "logged") /\ RootDoes(Store)
RootTakesRemembered == Comes(Store, Root, "remembered") /\ RootDoes(Store)
RootTakesMove == Comes(Manager, Root, "move") /\ RootDoes(Manager)
RootTakesSince == Comes(Manager, Root, "since") /\ RootDoes(Manager)

\* REC-3: a new root begins with what the framework has kept, and asks the store.  The manager has
\* told it of the moves (REC-1).
RootTakesStart ==
    /\ Comes(Manager, Root, "start")
    /\ LET moves == Head(channel[<<Manager, Root>>]).moves
       IN  root' = [root EXCEPT !.phase = "asking",
                                !.route = [f \in Flows |-> AtHome[f] \o moves[f]]]
    /\ Taken(Manager, Root, <<To(Store, [type |-> "inquire", start |-> crashes])>>)
    /\ UNCHANGED <<arrived, asked, crashes, manager, host, store, sink>>

\* A packet arrives; REC-3: while there is no root it is kept.
Arrive ==
    /\ arrived < Len(Traffic)
    /\ LET n == arrived + 1
           more == [root EXCEPT !.waiting = Append(@, n)]
           step == IF root.phase = "ready" THEN LetIn(more, <<>>, FALSE)
                   ELSE After(IF KeepInput THEN more ELSE root, <<>>)
       IN  /\ arrived' = n
           /\ root' = step.root
           /\ Sending(Root, step.sends)
    /\ UNCHANGED <<asked, crashes, manager, host, store, sink>>

-----------------------------------------------------------------------------
(* Instance *)

SlotOf(p) == <<FlowOf(p), p.epoch>>
Waiting(h, slot) == IF slot \in DOMAIN h.waits THEN h.waits[slot] ELSE <<>>
HostDoes(h, sends) == [host |-> h, sends |-> sends]

Ask(p) == To(Store, [type |-> "acquire", flow |-> FlowOf(p), epoch |-> p.epoch, clock |-> p.clock])

Process(h, p) ==
    HostDoes([h EXCEPT !.work = p],
             <<To(Store, [type |-> "apply", clock |-> p.clock, number |-> p.number]),
               To(Root, [type |-> "delete", clock |-> p.clock])>>)

\* MOVE-3: a packet of a flow that the instance does not own waits, and the first one asks for it.
TakePacket(h, p) ==
    LET slot == SlotOf(p)
        f == FlowOf(p)
    IN  CASE slot \in DOMAIN h.waits -> HostDoes([h EXCEPT !.waits[slot] = Append(@, p)], <<>>)
          [] slot \notin DOMAIN h.waits /\ f \in DOMAIN h.owns /\ h.owns[f] = p.epoch ->
               Process(h, p)
          [] OTHER -> HostDoes([h EXCEPT !.waits = Assigned(@, slot, <<p>>)], <<Ask(p)>>)

\* MOVE-2, MOVE-6: the flow is given up, and store, manager and sink are told.
HandOver(h, m) ==
    HostDoes([h EXCEPT !.owns = Dropping(@, m.flow), !.released[m.flow] = Append(@, m.epoch)],
             <<To(Store, [type |-> "release", flow |-> m.flow, epoch |-> m.epoch]),
               To(Manager, [type |-> "handed", flow |-> m.flow, epoch |-> m.epoch]),
               To(Sink, [type |-> "passed", flow |-> m.flow, epoch |-> m.epoch])>>)

\* MOVE-2: after the packets that wait.  A mark that comes again hands nothing over again.
TakeLast(h, m) ==
    LET slot == <<m.flow, m.epoch - 1>>
        handover == [type |-> "handover", flow |-> m.flow, epoch |-> m.epoch]
    IN  CASE m.epoch \in Range(h.released[m.flow]) -> HostDoes(h, <<>>)
          [] m.epoch \notin Range(h.released[m.flow]) /\ Waiting(h, slot) = <<>> -> HandOver(h, m)
          [] OTHER -> HostDoes([h EXCEPT !.waits[slot] = Append(@, handover)], <<>>)

TakeItem(h, item) ==
    CASE item.type = "packet" -> TakePacket(h, item)
      [] item.type = "loaded" -> Process(h, item.packet)
      [] item.type = "last" -> TakeLast(h, item)
      [] item.type = "handover" -> HandOver(h, item)

(***************************************************************************)
(* An instance works as far as it can without an answer.  What waited for  *)
(* a flow goes first.                                                      *)
(***************************************************************************)
RECURSIVE WorkOff(_, _)
WorkOff(h, sends) ==
    IF h.work # NoPacket \/ h.freed \o h.queue = <<>> THEN HostDoes(h, sends)
    ELSE LET rest == IF h.freed # <<>> THEN [h EXCEPT !.freed = Tail(@)]
                     ELSE [h EXCEPT !.queue = Tail(@)]
             one == TakeItem(rest, Head(h.freed \o h.queue))
         IN  WorkOff(one.host, sends \o one.sends)

InstanceDoes(i, source, h, sends) ==  \* first these effects, then the work
    LET done == WorkOff(h, sends)
    IN  /\ host' = [host EXCEPT ![i] = done.host]
        /\ Taken(source, i, done.sends)
        /\ UNCHANGED <<arrived, asked, crashes, manager, root, store, sink>>

\* DUP-1: a packet whose clock was queued before is a repeat.
InstanceTakesPacket(i) ==
    /\ Comes(Root, i, "packet")
    /\ LET p == Head(channel[<<Root, i>>])
       IN  InstanceDoes(i, Root,
                     IF p.clock \in host[i].seen THEN host[i]
                     ELSE [host[i] EXCEPT !.seen = @ \cup {p.clock}, !.queue = Append(@, p)],
                     <<>>)

InstanceTakesLast(i) ==
    /\ Comes(Root, i, "last")
    /\ InstanceDoes(i, Root,
                    [host[i] EXCEPT !.queue = Append(@, Head(channel[<<Root, i>>]))], <<>>)

\* MOVE-4: the flow is the instance's, and what waited for it may go on.  A value that lacks what
\* later packets did is for the first one that waited, alone (DUP-3).
Freed(h, g) ==
    LET slot == <<g.flow, g.epoch>>
        came == h.waits[slot]
    IN  IF g.latest
        THEN [h EXCEPT !.owns = Assigned(@, g.flow, g.epoch), !.waits = Dropping(@, slot),
                       !.freed = @ \o (IF BufferInOrder THEN came ELSE Reverse(came))]
        ELSE [h EXCEPT !.waits[slot] = Tail(@),
                       !.freed = Append(@, [type |-> "loaded", packet |-> Head(came)])]

InstanceTakesGranted(i) ==
    /\ Comes(Store, i, "granted")
    /\ LET g == Head(channel[<<Store, i>>])
           came == Waiting(host[i], <<g.flow, g.epoch>>)
           waits == came # <<>> /\ Head(came).type = "packet" /\ Head(came).clock = g.clock
       IN  InstanceDoes(i, Store, IF waits THEN Freed(host[i], g) ELSE host[i], <<>>)

\* A packet's work is over: if it was on a value of its own, the next one that waited is asked for.
RECURSIVE Done(_, _)
Done(h, slot) ==
    CASE slot \notin DOMAIN h.waits -> HostDoes(h, <<>>)
      [] slot \in DOMAIN h.waits /\ h.waits[slot] = <<>> ->
           HostDoes([h EXCEPT !.waits = Dropping(@, slot)], <<>>)
      [] slot \in DOMAIN h.waits /\ h.waits[slot] # <<>> ->
           LET item == Head(h.waits[slot])
           IN  IF item.type = "packet" THEN HostDoes(h, <<Ask(item)>>)
               ELSE Done([h EXCEPT !.waits[slot] = Tail(@), !.freed = Append(@, item)], slot)

\* REC-2: the root has the delete, so the packet leaves; a second answer is not waited for.
InstanceTakesDeleted(i) ==
    /\ Comes(Root, i, "deleted")
    /\ LET m == Head(channel[<<Root, i>>])
           p == host[i].work
           done == Done([host[i] EXCEPT !.work = NoPacket], SlotOf(p))
           output == [type |-> "output", clock |-> p.clock, number |-> p.number, epoch |-> p.epoch]
       IN  IF p.clock = m.clock
           THEN InstanceDoes(i, Root, done.host,
                             (IF m.first THEN <<To(Sink, output)>> ELSE <<>>) \o done.sends)
           ELSE InstanceDoes(i, Root, host[i], <<>>)

\* REC-3: the old root may have failed before it took the delete, or before its answer came.
InstanceTakesAgain(i) ==
    /\ Comes(Root, i, "again")
    /\ InstanceDoes(i, Root, host[i],
                 IF host[i].work = NoPacket THEN <<>>
                 ELSE <<To(Root, [type |-> "delete", clock |-> host[i].work.clock])>>)

-----------------------------------------------------------------------------
(* Store, manager, sink *)

StoreDoes(source, sends) ==
    /\ Taken(source, Store, sends)
    /\ UNCHANGED <<arrived, asked, crashes, manager, root, host, sink>>

\* MOVE-2, MOVE-3: what a later epoch asks for waits, and tenures end in order.
MustWait(m, o) == m.epoch > (IF m.type = "acquire" THEN o.epoch ELSE o.epoch + 1)

\* An old instance's ID is removed by its release, and a new one's is added when nobody else owns
\* the flow; what is not of this tenure changes nothing.
OwnerAfter(source, m, o) ==
    CASE o.instance \notin {Nobody, source} -> o
      [] o.instance \in {Nobody, source} /\ m.type = "acquire" ->
           [instance |-> source, epoch |-> m.epoch]
      [] o.instance \in {Nobody, source} /\ m.type = "release" ->
           IF m.epoch = o.epoch + 1 THEN [instance |-> Nobody, epoch |-> m.epoch] ELSE o

(***************************************************************************)
(* Answer requests for one flow, in order, as in Reallocation.  s has the  *)
(* flow's owner, what is parked, and the answers.  A value is that before  *)
(* the packet; it may lack what later ones did (DUP-3).                    *)
(***************************************************************************)
Grant(m) ==
    [type |-> "granted", flow |-> m.flow, epoch |-> m.epoch, clock |-> m.clock,
     latest |-> \A p \in Range(value[m.flow]) : p.clock <= m.clock]

RECURSIVE Serve(_, _)
Serve(s, requests) ==
    IF requests = <<>> THEN s
    ELSE LET r == Head(requests)
             after == OwnerAfter(r.source, r.message, s.owner)
             answers == IF r.message.type = "acquire"
                        THEN Append(s.answers, To(r.source, Grant(r.message))) ELSE s.answers
         IN  IF MustWait(r.message, s.owner)
             THEN Serve([s EXCEPT !.parked = IF r \in Range(@) THEN @ ELSE Append(@, r)],
                        Tail(requests))
             ELSE IF after.epoch = s.owner.epoch
             THEN Serve([s EXCEPT !.owner = after, !.answers = answers], Tail(requests))
             ELSE Serve([owner |-> after, answers |-> answers, parked |-> <<>>],
                        Tail(requests) \o s.parked)

StoreServes(i) ==
    LET m == Head(channel[<<i, Store>>])
        s == Serve([owner |-> owner[m.flow], parked |-> parked[m.flow], answers |-> <<>>],
                   <<[source |-> i, message |-> m]>>)
    IN  /\ owner' = [owner EXCEPT ![m.flow] = s.owner]
        /\ parked' = [parked EXCEPT ![m.flow] = s.parked]
        /\ StoreDoes(i, s.answers)
        /\ UNCHANGED <<persisted, stored, value>>

StoreTakesAcquire(i) == Comes(i, Store, "acquire") /\ StoreServes(i)
StoreTakesRelease(i) == Comes(i, Store, "release") /\ StoreServes(i)

\* DUP-2: an update is applied once; DEL-2: the root is told.
StoreTakesApply(i) ==
    /\ Comes(i, Store, "apply")
    /\ LET m == Head(channel[<<i, Store>>])
           p == [clock |-> m.clock, number |-> m.number]
           f == FlowOf(p)
       IN  IF \E q \in Range(value[f]) : q.clock = p.clock
           THEN StoreDoes(i, <<>>) /\ UNCHANGED value
           ELSE /\ value' = [value EXCEPT ![f] = Append(@, p)]
                /\ StoreDoes(i, <<To(Root, [type |-> "committed", clock |-> p.clock])>>)
    /\ UNCHANGED <<persisted, stored, owner, parked>>

StoreTakesPersist ==
    /\ Comes(Root, Store, "persist")
    /\ LET clock == Head(channel[<<Root, Store>>]).clock
       IN  /\ persisted' = Max(persisted, clock)
           /\ StoreDoes(Root, <<To(Root, [type |-> "persisted", clock |-> clock])>>)
    /\ UNCHANGED <<stored, value, owner, parked>>

\* ROOT-2: the log is kept in the store, and the clock with it (ROOT-5).
StoreTakesWrite ==
    /\ Comes(Root, Store, "write")
    /\ LET m == Head(channel[<<Root, Store>>])
       IN  /\ stored' = [entries |-> IF m.entry = <<>> THEN Without(stored.entries, m.clock)
                                     ELSE With(stored.entries, Head(m.entry)),
                         answered |-> [i \in Instances |-> IF m.answered[i] = 0
                                                          THEN stored.answered[i]
                                                          ELSE m.answered[i]]]
           /\ persisted' = IF m.entry = <<>> THEN persisted ELSE Max(persisted, m.clock)
           /\ StoreDoes(Root, <<To(Root, [type |-> "logged", number |-> m.number])>>)
    /\ UNCHANGED <<value, owner, parked>>

StoreTakesInquire ==
    /\ Comes(Root, Store, "inquire")
    /\ LET m == Head(channel[<<Root, Store>>])
       IN  StoreDoes(Root, <<To(Root, [type |-> "remembered", start |-> m.start,
                                        clock |-> persisted, log |-> stored,
                                        committed |-> {p.clock : p \in
                                          UNION {Range(value[f]) : f \in Flows}}])>>)
    /\ UNCHANGED store

\* REC-1: a fence voids what the dead component has under way; the store takes nothing from
\* a root that a fence could void, and only says that it has it.
StoreTakesFence ==
    /\ Comes(Manager, Store, "fence")
    /\ LET m == Head(channel[<<Manager, Store>>])
       IN  StoreDoes(Manager, <<To(Manager, [type |-> "fenced", start |-> m.start])>>)
    /\ UNCHANGED store

ManagerDoes(source, sends) ==
    /\ Taken(source, Manager, sends)
    /\ UNCHANGED <<arrived, crashes, root, host, store, sink>>

ManagerTakesFenced ==
    /\ Comes(Store, Manager, "fenced")
    /\ ManagerDoes(Store, <<>>)
    /\ UNCHANGED <<asked, manager>>

ManagerTakesReady ==
    /\ Comes(Root, Manager, "ready")
    /\ recovering' = (recovering /\ Head(channel[<<Root, Manager>>]).start # crashes)
    /\ ManagerDoes(Root, <<>>)
    /\ UNCHANGED <<asked, target, begun, underWay>>

PlaceOf(f) == IF target[f] = <<>> THEN Home[f] ELSE target[f][Len(target[f])]

\* MOVE-1: the operator asks for a move; where the flow is already, it need not go.
AskMove ==
    /\ asked < Len(Moves)
    /\ asked' = asked + 1
    /\ LET f == Moves[asked + 1].flow
           to == Moves[asked + 1].to
           e == Len(target[f]) + 1
       IN  IF to = PlaceOf(f)
           THEN UNCHANGED <<target, underWay, channel>>
           ELSE /\ target' = [target EXCEPT ![f] = Append(@, to)]
                /\ underWay' = [underWay EXCEPT ![f] = @ \cup {e}]
                /\ Sending(Manager,
                           <<To(Root, [type |-> "move", flow |-> f, epoch |-> e, to |-> to])>>)
    /\ UNCHANGED <<arrived, crashes, recovering, begun, root, host, store, sink>>

\* MOVE-5: where a tenure begins is said once, for all tenures that have not begun; not to a root
\* that is dead, for what that held was never sent.  A new root may ask with a replayed packet, from
\* an earlier tenure: no tenure begins before the one before it.
BeginsAt(clock, before) == Greatest({clock, before})

ManagerTakesBegin ==
    /\ Comes(Root, Manager, "begin")
    /\ LET m == Head(channel[<<Root, Manager>>])
           first == BeginsAt(m.clock, Greatest({0} \cup Range(begun[m.flow])))
           new == [n \in 1 .. m.epoch - Len(begun[m.flow]) |-> first]
           known == begun[m.flow] \o new
           since == [type |-> "since", flow |-> m.flow, epoch |-> m.epoch,
                     clock |-> known[m.epoch]]
       IN  IF m.start = crashes
           THEN /\ begun' = [begun EXCEPT ![m.flow] = known]
                /\ ManagerDoes(Root, <<To(Root, since)>>)
           ELSE UNCHANGED begun /\ ManagerDoes(Root, <<>>)
    /\ UNCHANGED <<asked, recovering, target, underWay>>

ManagerTakesHanded(i) ==
    /\ Comes(i, Manager, "handed")
    /\ LET m == Head(channel[<<i, Manager>>])
       IN  underWay' = [underWay EXCEPT ![m.flow] = @ \ {m.epoch}]
    /\ ManagerDoes(i, <<>>)
    /\ UNCHANGED <<asked, recovering, target, begun>>

SinkDoes(i) ==
    /\ Taken(i, Sink, <<>>)
    /\ UNCHANGED <<arrived, asked, crashes, manager, root, host, store>>

\* MOVE-6: an output waits for the marks of all earlier tenures, and those that one mark frees
\* leave in the order of their tenures.
MayPass(marks, m) == \A d \in 1 .. m.epoch : d \in marks
Leaving(outputs) ==
    [n \in DOMAIN outputs |-> [clock |-> outputs[n].clock, number |-> outputs[n].number]]

RECURSIVE InTenureOrder(_, _)
InTenureOrder(outputs, e) ==
    IF e > Len(Moves) THEN <<>>
    ELSE LET isOfTenure(m) == m.epoch = e
         IN  SelectSeq(outputs, isOfTenure) \o InTenureOrder(outputs, e + 1)

SinkTakesOutput(i) ==
    /\ Comes(i, Sink, "output")
    /\ LET m == Head(channel[<<i, Sink>>])
       IN  IF MayPass(passed[FlowOf(m)], m)
           THEN left' = left \o Leaving(<<m>>) /\ UNCHANGED held
           ELSE held' = Append(held, m) /\ UNCHANGED left
    /\ UNCHANGED passed
    /\ SinkDoes(i)

SinkTakesPassed(i) ==
    /\ Comes(i, Sink, "passed")
    /\ LET m == Head(channel[<<i, Sink>>])
           marks == [passed EXCEPT ![m.flow] = @ \cup {m.epoch}]
           sorted == InTenureOrder(held, 0)
           isFree(o) == MayPass(marks[FlowOf(o)], o)
           isHeld(o) == ~isFree(o)
       IN  /\ passed' = marks
           /\ left' = left \o Leaving(SelectSeq(sorted, isFree))
           /\ held' = SelectSeq(sorted, isHeld)
    /\ SinkDoes(i)

-----------------------------------------------------------------------------
(* Failures *)

\* REC-0: the root stops, and the manager knows at once and starts another one.
Crash ==
    /\ crashes < MostCrashes
    /\ root.phase # "down"
    /\ crashes' = crashes + 1
    /\ recovering' = TRUE
    /\ root' = [root EXCEPT !.phase = "down", !.count = 0, !.persisted = 0, !.lost = 0,
                            !.log = <<>>, !.aside = <<>>,
                            !.written = 0, !.unwritten = <<>>, !.answered = NoAnswer,
                            !.route = AtHome, !.gate = <<>>]
    /\ LET tenure(f, n) == [instance |-> target[f][n],
                            since |-> IF n <= Len(begun[f]) THEN begun[f][n] ELSE Unknown]
           moves == [f \in Flows |-> [n \in DOMAIN target[f] |-> tenure(f, n)]]
       IN  Sending(Manager,
                   <<To(Root, [type |-> "start", start |-> crashes + 1, moves |-> moves]),
                     To(Store, [type |-> "fence", start |-> crashes + 1])>>)
    /\ UNCHANGED <<arrived, asked, target, begun, underWay, host, store, sink>>

\* What the dead root had under way to a component may be lost, but for what was taken.
Lose(to) ==
    /\ root.phase = "down"
    /\ channel[<<Root, to>>] # <<>>
    /\ channel' = [channel EXCEPT ![<<Root, to>>] = <<>>]
    /\ UNCHANGED <<arrived, asked, crashes, manager, root, host, store, sink>>

-----------------------------------------------------------------------------
AtInstance(i) ==
    \/ InstanceTakesPacket(i) \/ InstanceTakesDeleted(i) \/ InstanceTakesAgain(i)
    \/ InstanceTakesGranted(i) \/ InstanceTakesLast(i)

AtRoot ==
    \/ RootTakesMove \/ RootTakesSince
    \/ RootTakesStart \/ RootTakesCommitted \/ RootTakesPersisted \/ RootTakesLogged
    \/ RootTakesRemembered
    \/ \E i \in Instances : RootTakesDelete(i)

AtStore ==
    \/ StoreTakesPersist \/ StoreTakesWrite \/ StoreTakesInquire \/ StoreTakesFence
    \/ \E i \in Instances : StoreTakesAcquire(i) \/ StoreTakesApply(i) \/ StoreTakesRelease(i)

AtManager ==
    \/ ManagerTakesFenced \/ ManagerTakesReady \/ ManagerTakesBegin
    \/ \E c \in Channels \cap (Instances \X {Manager}) : ManagerTakesHanded(c[1])

Take ==
    \/ AtRoot \/ AtStore \/ AtManager
    \/ \E i \in Instances : AtInstance(i) \/ SinkTakesOutput(i) \/ SinkTakesPassed(i)

Next ==
    \/ Arrive
    \/ AskMove
    \/ Crash
    \/ \E to \in Instances \cup {Store, Manager} : Lose(to)
    \/ Take

\* As long as messages are under way, one of them is taken in the end, whichever it is:
\* the weak fairness of Take (see AllTaken).
\* Packets and failures need not come.
UnderWay == \E c \in Channels : channel[c] # <<>>
Fairness == []<>~UnderWay \/ []<><<Take>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
