---------------------------- MODULE RootFailover ----------------------------
(***************************************************************************)
(* The root fails, and is replaced.                                        *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 5 and 5.4.                              *)
(* Clauses: ROOT-1, ROOT-2, ROOT-3, ROOT-5, REC-2, REC-3, DEL-2, DEL-3,    *)
(* LIVE.                                                                   *)
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
(* The value of a flow is the sequence of the packets that were applied to *)
(* it, so that a lost, doubled or misplaced update is visible.  Packets    *)
(* are known by the number of their arrival; clocks may have gaps.         *)
(*                                                                         *)
(* Left out: other failures, replay, moves, a threshold for the log        *)
(* (ROOT-4), several roots (SPLIT-4).                                      *)
(***************************************************************************)
EXTENDS Naturals, Sequences, TLC

CONSTANTS
    Instances,    \* instances of the vertex
    Flows,        \* flows that may have packets
    Home,         \* instance of each flow
    Traffic,      \* flow of each packet, in order of arrival
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
TakeAsFirst == TRUE     \* REC-2: a delete of a packet whose log entry was lost is
                        \* taken for the first
WaitForCommits == TRUE  \* DEL-3: an entry is kept until the update is committed
BufferInOrder == TRUE   \* packets that waited for their flow are processed as they came

VARIABLES
    arrived,    \* world: packets so far
    crashes,    \* world, manager: failures of the root so far; the last start's number
    recovering, \* manager: a new root is not ready yet
    root,       \* phase, clock and log of the root; see RootState
    host,       \* what each instance holds; see HostState
    persisted,  \* store: the newest clock that it was told of
    stored,     \* store: the log, where it is kept there; see StoredLog
    value,      \* store: packets applied to each flow, in order
    channel,    \* messages under way between two components
    left        \* sink: packets that have left the chain, in order

vars == <<arrived, crashes, recovering, root, host, persisted, stored, value, channel, left>>

-----------------------------------------------------------------------------
Numbers == 1 .. Len(Traffic)

\* A failure skips fewer than PersistEvery clocks, and one more that is asked for.
MostClock == Len(Traffic) + MostCrashes * PersistEvery
Clocks == 1 .. MostClock

Packet == [clock : Clocks, number : Numbers]
NoPacket == [clock |-> 0, number |-> 0]
FlowOf(p) == Traffic[p.number]

\* What the log says of a packet.  Commits are not written: the store has sent them.
Written == [clock : Clocks, number : Numbers, ended : BOOLEAN]

\* The newest delete of each instance on which its packet may leave (REC-2).
Answered == [Instances -> 0 .. MostClock]
NoAnswer == [i \in Instances |-> 0]

StoredLog == [entries : Seq(Written), answered : Answered]

Message ==
    [type : {"packet"}, clock : Clocks, number : Numbers]     \* root to instance
    \cup [type : {"deleted"}, clock : Clocks, first : BOOLEAN]
    \cup [type : {"again"}]
    \cup [type : {"delete"}, clock : Clocks]                  \* instance to root
    \cup [type : {"acquire"}, flow : Flows]                   \* instance to store
    \cup [type : {"apply"}, clock : Clocks, number : Numbers]
    \cup [type : {"granted"}, flow : Flows]                   \* store to instance
    \cup [type : {"output"}, clock : Clocks, number : Numbers] \* instance to sink
    \cup [type : {"persist"}, clock : Clocks]                 \* root to store
    \cup [type : {"inquire"}, start : 1 .. MostCrashes]
    \cup [type : {"persisted"}, clock : Clocks]               \* store to root
    \cup [type : {"committed"}, clock : Clocks]
    \cup [type : {"remembered"}, start : 1 .. MostCrashes, clock : 0 .. MostClock,
          log : StoredLog, committed : SUBSET Clocks]
    \cup [type : {"write"}, number : Nat, clock : Clocks,    \* root to store
          entry : Seq(Written), answered : Answered]         \* without an entry: a drop
    \cup [type : {"logged"}, number : Nat]                   \* store to root
    \cup [type : {"start", "fence"}, start : 1 .. MostCrashes] \* manager to root and store
    \cup [type : {"ready", "fenced"}, start : 1 .. MostCrashes] \* root and store to manager

Channels ==
    {<<Manager, Root>>, <<Root, Manager>>, <<Manager, Store>>, <<Store, Manager>>,
     <<Root, Store>>, <<Store, Root>>}
    \cup UNION {{<<Root, i>>, <<i, Root>>, <<i, Store>>, <<Store, i>>, <<i, Sink>>} :
                i \in Instances}

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
     aside : Seq([source : Instances \cup {Store}, message : Message]), \* for a ready root
     entered : Seq(Packet)]               \* history: every packet that entered the chain

HostState ==
    [seen : SUBSET Clocks,                \* packets that it was given
     owns : SUBSET Flows,                 \* flows that the store has given it
     waits : [Flows -> Seq(Packet)],      \* packets that wait for their flow
     freed : Seq(Packet),                 \* packets that waited for a flow that has come
     queue : Seq(Packet),                 \* packets that came during work
     work : Packet \cup {NoPacket}]       \* the packet whose delete is not answered yet

TypeOK ==
    /\ arrived \in 0 .. Len(Traffic)
    /\ crashes \in 0 .. MostCrashes
    /\ recovering \in BOOLEAN
    /\ root \in RootState
    /\ host \in [Instances -> HostState]
    /\ persisted \in 0 .. MostClock
    /\ stored \in StoredLog
    /\ value \in [Flows -> Seq(Packet)]
    /\ channel \in [Channels -> Seq(Message)]
    /\ left \in Seq(Packet)

Init ==
    /\ arrived = 0
    /\ crashes = 0
    /\ recovering = FALSE
    /\ root = [phase |-> "ready", count |-> 0, persisted |-> 0, lost |-> 0,
               written |-> 0, unwritten |-> <<>>, answered |-> NoAnswer, waiting |-> <<>>,
               log |-> <<>>, aside |-> <<>>, entered |-> <<>>]
    /\ host = [i \in Instances |->
                 [seen |-> {}, owns |-> {}, waits |-> [f \in Flows |-> <<>>],
                  freed |-> <<>>, queue |-> <<>>, work |-> NoPacket]]
    /\ persisted = 0
    /\ stored = [entries |-> <<>>, answered |-> NoAnswer]
    /\ value = [f \in Flows |-> <<>>]
    /\ channel = [c \in Channels |-> <<>>]
    /\ left = <<>>

-----------------------------------------------------------------------------
(* Messages *)

Range(s) == {s[n] : n \in 1 .. Len(s)}
Reverse(s) == [n \in 1 .. Len(s) |-> s[Len(s) + 1 - n]]
Max(a, b) == IF a > b THEN a ELSE b

\* One thing that a component sends; what it sends in one step is a sequence of these.
To(to, message) == [to |-> to, message |-> message]

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

ForwardTo(p) ==
    To(Home[FlowOf(p)], [type |-> "packet", clock |-> p.clock, number |-> p.number])
AnswerTo(i, clock, first) == To(i, [type |-> "deleted", clock |-> clock, first |-> first])
Enter(r, p) == [r EXCEPT !.entered = Append(@, p)]

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
    THEN After(Enter(r, item.packet), <<ForwardTo(item.packet)>>)
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
             again == IF ForwardAgain THEN <<ForwardTo(p)>> ELSE <<>>
         IN  TakeOver(kept.root, Tail(entries), committed, sends \o kept.sends \o again)

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
        done == OnAll(entered.root, r.aside, entered.sends)
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
        /\ UNCHANGED <<arrived, crashes, recovering, host, persisted, stored, value, left>>

RootTakesDelete(i) == Comes(i, Root, "delete") /\ RootDoes(i)
RootTakesCommitted == Comes(Store, Root, "committed") /\ RootDoes(Store)
RootTakesPersisted == Comes(Store, Root, "persisted") /\ RootDoes(Store)
RootTakesLogged == Comes(Store, Root, "logged") /\ RootDoes(Store)
RootTakesRemembered == Comes(Store, Root, "remembered") /\ RootDoes(Store)

\* REC-3: a new root begins with what the framework has kept, and asks the store.
RootTakesStart ==
    /\ Comes(Manager, Root, "start")
    /\ root' = [root EXCEPT !.phase = "asking"]
    /\ Taken(Manager, Root, <<To(Store, [type |-> "inquire", start |-> crashes])>>)
    /\ UNCHANGED <<arrived, crashes, recovering, host, persisted, stored, value, left>>

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
    /\ UNCHANGED <<crashes, recovering, host, persisted, stored, value, left>>

-----------------------------------------------------------------------------
(* Instance *)

(***************************************************************************)
(* An instance works as far as it can without an answer.  What waited for  *)
(* a flow goes first.  A packet of a flow that it does not own waits, and  *)
(* the first one of the flow asks for it.                                  *)
(***************************************************************************)
RECURSIVE WorkOff(_, _)
WorkOff(h, sends) ==
    IF h.work # NoPacket \/ h.freed \o h.queue = <<>> THEN [host |-> h, sends |-> sends]
    ELSE LET p == Head(h.freed \o h.queue)
             f == FlowOf(p)
             rest == IF h.freed # <<>> THEN [h EXCEPT !.freed = Tail(@)]
                     ELSE [h EXCEPT !.queue = Tail(@)]
         IN  CASE f \in h.owns ->
                    [host |-> [rest EXCEPT !.work = p],
                     sends |-> sends \o
                       <<To(Store, [type |-> "apply", clock |-> p.clock, number |-> p.number]),
                         To(Root, [type |-> "delete", clock |-> p.clock])>>]
               [] f \notin h.owns /\ h.waits[f] # <<>> ->
                    WorkOff([rest EXCEPT !.waits[f] = Append(@, p)], sends)
               [] f \notin h.owns /\ h.waits[f] = <<>> ->
                    WorkOff([rest EXCEPT !.waits[f] = <<p>>],
                            Append(sends, To(Store, [type |-> "acquire", flow |-> f])))

InstanceDoes(i, source, h, sends) ==  \* first these effects, then the work
    LET done == WorkOff(h, sends)
    IN  /\ host' = [host EXCEPT ![i] = done.host]
        /\ Taken(source, i, done.sends)
        /\ UNCHANGED <<arrived, crashes, recovering, root, persisted, stored, value, left>>

\* DUP-1: a packet whose clock was queued before is a repeat.
InstanceTakesPacket(i) ==
    /\ Comes(Root, i, "packet")
    /\ LET m == Head(channel[<<Root, i>>])
           p == [clock |-> m.clock, number |-> m.number]
       IN  InstanceDoes(i, Root,
                     IF p.clock \in host[i].seen THEN host[i]
                     ELSE [host[i] EXCEPT !.seen = @ \cup {p.clock}, !.queue = Append(@, p)],
                     <<>>)

InstanceTakesGranted(i) ==
    /\ Comes(Store, i, "granted")
    /\ LET f == Head(channel[<<Store, i>>]).flow
           came == host[i].waits[f]
       IN  InstanceDoes(i, Store,
                     [host[i] EXCEPT !.owns = @ \cup {f}, !.waits[f] = <<>>,
                                     !.freed = @ \o (IF BufferInOrder THEN came
                                                     ELSE Reverse(came))],
                     <<>>)

\* REC-2: the root has the delete, so the packet leaves; a second answer is not waited for.
InstanceTakesDeleted(i) ==
    /\ Comes(Root, i, "deleted")
    /\ LET m == Head(channel[<<Root, i>>])
           p == host[i].work
           output == [type |-> "output", clock |-> p.clock, number |-> p.number]
       IN  IF p.clock = m.clock
           THEN InstanceDoes(i, Root, [host[i] EXCEPT !.work = NoPacket],
                          IF m.first THEN <<To(Sink, output)>> ELSE <<>>)
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
    /\ UNCHANGED <<arrived, crashes, recovering, root, host, left>>

StoreTakesAcquire(i) ==
    /\ Comes(i, Store, "acquire")
    /\ LET f == Head(channel[<<i, Store>>]).flow
       IN  StoreDoes(i, <<To(i, [type |-> "granted", flow |-> f])>>)
    /\ UNCHANGED <<persisted, stored, value>>

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
    /\ UNCHANGED <<persisted, stored>>

StoreTakesPersist ==
    /\ Comes(Root, Store, "persist")
    /\ LET clock == Head(channel[<<Root, Store>>]).clock
       IN  /\ persisted' = Max(persisted, clock)
           /\ StoreDoes(Root, <<To(Root, [type |-> "persisted", clock |-> clock])>>)
    /\ UNCHANGED <<stored, value>>

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
    /\ UNCHANGED value

StoreTakesInquire ==
    /\ Comes(Root, Store, "inquire")
    /\ LET m == Head(channel[<<Root, Store>>])
       IN  StoreDoes(Root, <<To(Root, [type |-> "remembered", start |-> m.start,
                                        clock |-> persisted, log |-> stored,
                                        committed |-> {p.clock : p \in
                                          UNION {Range(value[f]) : f \in Flows}}])>>)
    /\ UNCHANGED <<persisted, stored, value>>

\* REC-1: a fence voids what the dead component has under way; the store takes nothing from
\* a root that a fence could void, and only says that it has it.
StoreTakesFence ==
    /\ Comes(Manager, Store, "fence")
    /\ LET m == Head(channel[<<Manager, Store>>])
       IN  StoreDoes(Manager, <<To(Manager, [type |-> "fenced", start |-> m.start])>>)
    /\ UNCHANGED <<persisted, stored, value>>

ManagerTakesFenced ==
    /\ Comes(Store, Manager, "fenced")
    /\ Taken(Store, Manager, <<>>)
    /\ UNCHANGED <<arrived, crashes, recovering, root, host, persisted, stored, value, left>>

ManagerTakesReady ==
    /\ Comes(Root, Manager, "ready")
    /\ recovering' = (recovering /\ Head(channel[<<Root, Manager>>]).start # crashes)
    /\ Taken(Root, Manager, <<>>)
    /\ UNCHANGED <<arrived, crashes, root, host, persisted, stored, value, left>>

SinkTakesOutput(i) ==
    /\ Comes(i, Sink, "output")
    /\ LET m == Head(channel[<<i, Sink>>])
       IN  left' = Append(left, [clock |-> m.clock, number |-> m.number])
    /\ Taken(i, Sink, <<>>)
    /\ UNCHANGED <<arrived, crashes, recovering, root, host, persisted, stored, value>>

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
                            !.written = 0, !.unwritten = <<>>, !.answered = NoAnswer]
    /\ Sending(Manager, <<To(Root, [type |-> "start", start |-> crashes + 1]),
                          To(Store, [type |-> "fence", start |-> crashes + 1])>>)
    /\ UNCHANGED <<arrived, host, persisted, stored, value, left>>

\* What the dead root had under way to a component may be lost, but for what was taken.
Lose(to) ==
    /\ root.phase = "down"
    /\ channel[<<Root, to>>] # <<>>
    /\ channel' = [channel EXCEPT ![<<Root, to>>] = <<>>]
    /\ UNCHANGED <<arrived, crashes, recovering, root, host, persisted, stored, value, left>>

-----------------------------------------------------------------------------
AtInstance(i) ==
    \/ InstanceTakesPacket(i) \/ InstanceTakesDeleted(i) \/ InstanceTakesAgain(i)
    \/ InstanceTakesGranted(i)

AtRoot ==
    \/ RootTakesStart \/ RootTakesCommitted \/ RootTakesPersisted \/ RootTakesLogged
    \/ RootTakesRemembered
    \/ \E i \in Instances : RootTakesDelete(i)

AtStore ==
    \/ StoreTakesPersist \/ StoreTakesWrite \/ StoreTakesInquire \/ StoreTakesFence
    \/ \E i \in Instances : StoreTakesAcquire(i) \/ StoreTakesApply(i)

Take ==
    \/ AtRoot \/ AtStore \/ ManagerTakesFenced \/ ManagerTakesReady
    \/ \E i \in Instances : AtInstance(i) \/ SinkTakesOutput(i)

Next ==
    \/ Arrive
    \/ Crash
    \/ \E to \in Instances \cup {Store, Manager} : Lose(to)
    \/ Take

\* As long as messages are under way, one of them is taken in the end, whichever it is:
\* the weak fairness of Take (see AllTaken).
\* Packets and failures need not come.
UnderWay == \E c \in Channels : channel[c] # <<>>
Fairness == []<>~UnderWay \/ []<><<Take>>_vars

Spec == Init /\ [][Next]_vars /\ Fairness

-----------------------------------------------------------------------------
InOrder(packets) ==  \* of arrival, and none twice
    \A m, n \in 1 .. Len(packets) : m < n => packets[m].number < packets[n].number

OfFlow(packets, f) ==
    LET isOfFlow(p) == FlowOf(p) = f
    IN  SelectSeq(packets, isOfFlow)

(***************************************************************************)
(* ROOT-1, ROOT-5: no clock is given twice, whichever root gives it, and a *)
(* later packet has a later clock.                                         *)
(***************************************************************************)
ClocksIncrease ==
    \A m, n \in 1 .. Len(root.entered) :
        m < n => root.entered[m].clock < root.entered[n].clock

(***************************************************************************)
(* REC-3: every packet that has arrived has entered the chain, or waits to *)
(* do so; in order of arrival, and none twice.  With the log in the store, *)
(* one that has a clock, but is not in the log, may die with its root.     *)
(***************************************************************************)
NumbersOf(packets) == [n \in 1 .. Len(packets) |-> packets[n].number]

Entering ==  \* packets that the store must have in the log first
    LET isForward(item) == item.type = "forward"
        items == SelectSeq(root.unwritten, isForward)
    IN  [n \in 1 .. Len(items) |-> items[n].packet]

InputInOrder ==
    LET numbers == NumbersOf(root.entered \o Entering) \o root.waiting
    IN  IF LogInStore /\ crashes > 0
        THEN \A m, n \in 1 .. Len(numbers) : m < n => numbers[m] < numbers[n]
        ELSE numbers = [n \in 1 .. arrived |-> n]

(***************************************************************************)
(* ROOT-2, ROOT-3: the log of a root holds every packet, of those that it  *)
(* has let in, that is not processed: one that waits somewhere, or whose   *)
(* update the store has not applied.  Where a store has the log, this is   *)
(* true of that, and whether or not there is a root.                       *)
(***************************************************************************)
Waits(p) ==
    LET i == Home[FlowOf(p)]
    IN  \/ p \in Range(host[i].waits[FlowOf(p)]) \cup Range(host[i].freed) \cup Range(host[i].queue)
        \/ /\ [type |-> "packet", clock |-> p.clock, number |-> p.number]
                 \in Range(channel[<<Root, i>>])
           /\ p.clock \notin host[i].seen

IsUpdated(p) == p \in Range(value[FlowOf(p)])

IsLogged(p) ==
    \E e \in Range(IF LogInStore THEN stored.entries ELSE root.log) :
        e.clock = p.clock /\ e.number = p.number

OfThisRoot(p) == root.phase = "ready" /\ p.clock > root.lost  \* with its log

LogComplete ==
    \A p \in Range(root.entered) :
        (LogInStore \/ OfThisRoot(p)) /\ ~IsLogged(p) => IsUpdated(p) /\ ~Waits(p)

(***************************************************************************)
(* REC-0: nothing is lost but packets that nobody has taken from a root    *)
(* that failed with its log; when there is a root again.  The effect of    *)
(* every other one is in the state of its flow, or on the way there, or    *)
(* the packet itself is.                                                   *)
(***************************************************************************)
IsUpdating(p) ==
    [type |-> "apply", clock |-> p.clock, number |-> p.number]
        \in Range(channel[<<Home[FlowOf(p)], Store>>])

NothingLost ==
    \A p \in Range(root.entered) :
        OfThisRoot(p) \/ p.clock \in host[Home[FlowOf(p)]].seen
            => IsUpdated(p) \/ IsUpdating(p) \/ Waits(p)

(***************************************************************************)
(* R2, R5: the state of a flow has the updates of its packets in order of  *)
(* their arrival, and none twice; so they leave the chain.                 *)
(***************************************************************************)
OrderKept == \A f \in Flows : InOrder(value[f]) /\ InOrder(OfFlow(left, f))

(***************************************************************************)
(* Fairness speaks of messages under way instead of whether Take is        *)
(* enabled.  That is the same, as every message can be taken.              *)
(***************************************************************************)
AllTaken == UnderWay => ENABLED Take

(***************************************************************************)
(* LIVE, as an invariant: when nothing is left to do, there is a root,     *)
(* nothing waits, the log is empty, and what is in the state of a flow has *)
(* left the chain.                                                         *)
(***************************************************************************)
Idle ==
    /\ root.phase = "ready" /\ ~recovering
    /\ root.waiting = <<>> /\ root.aside = <<>> /\ root.unwritten = <<>>
    /\ root.log = <<>> /\ stored.entries = <<>>
    /\ \A i \in Instances : /\ host[i].work = NoPacket
                             /\ host[i].freed = <<>> /\ host[i].queue = <<>>
                             /\ \A f \in Flows : host[i].waits[f] = <<>>

NothingStuck ==
    ~UnderWay => Idle /\ \A f \in Flows : OfFlow(left, f) = value[f]

-----------------------------------------------------------------------------
(***************************************************************************)
(* LIVE: every recovery ends, with nothing left undone.                    *)
(***************************************************************************)
RecoveryEnds == recovering ~> Idle

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE: this is an implementation of the ideal chain, but for the packets  *)
(* that may be lost with a root: those that nobody has taken from it, or,  *)
(* where a store has the log, those that have a clock and are not in the   *)
(* log yet.  They are at risk as long as there is no root.  A packet that  *)
(* waits for a clock is not lost, and is taken when it gets one.           *)
(***************************************************************************)
IsOnItsWay(n) ==
    IF LogInStore
    THEN \E m \in Range(channel[<<Root, Store>>]) :
           m.type = "write" /\ \E e \in Range(m.entry) : e.number = n
    ELSE \E m \in Range(channel[<<Root, Home[Traffic[n]]>>]) : m.type = "packet" /\ m.number = n

HasCome(n) ==
    IF LogInStore
    THEN \E e \in Range(stored.entries) \cup Range(root.entered) : e.number = n
    ELSE \E p \in Range(root.entered) : p.number = n /\ p.clock \in host[Home[FlowOf(p)]].seen

Given == 1 .. arrived - Len(root.waiting)

IdealChain == INSTANCE Ideal WITH
    Fails <- "root",
    Packets <- Traffic,
    Counts <- FALSE,
    taken <- arrived - Len(root.waiting),
    stored <- [f \in Flows |-> NumbersOf(value[f])],
    total <- 0,
    left <- [n \in 1 .. Len(left) |-> [clock |-> left[n].number, shown |-> 0]],
    failed <- crashes,
    risk <- {n \in Given : root.phase = "down" /\ IsOnItsWay(n) /\ ~HasCome(n)},
    lost <- {n \in Given : ~IsOnItsWay(n) /\ ~HasCome(n)}

RefinesSafety == IdealChain!Safety
RefinesLiveness == IdealChain!Fairness
Refines == IdealChain!Spec

THEOREM Spec => Refines

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* The ideal chain has taken every packet, and nothing is left to do.
NeverThrough == ~(Given = Numbers /\ IdealChain!IsDone)

\* The ideal chain loses a packet that was at risk, or spares it.
NeverLoses == [][~IdealChain!Lose]_vars
NeverSpares == [][~IdealChain!Spare]_vars

\* Input waits while there is no root.
NeverWithoutRoot == root.phase = "down" => root.waiting = <<>>

\* A new root gives a clock, and leaves a gap behind the clocks of the old one.
NeverGap ==
    \A n \in 1 .. Len(root.entered) - 1 :
        root.entered[n + 1].clock <= root.entered[n].clock + 1

\* A packet has died with its root, and a later one of its flow is in the state.
NeverLost ==
    \A f \in Flows : \A m, n \in Numbers :
        LET p(k) == root.entered[k]
        IN  ~(/\ m < n /\ n <= Len(root.entered) /\ p(n) \in Range(value[f])
              /\ FlowOf(p(m)) = f /\ ~IsUpdated(p(m)))

\* A delete waits for a new root that still asks the store.
NeverSetAside == \A item \in Range(root.aside) : item.message.type # "delete"

\* A new root takes the delete of a packet that the old one had logged for the first.
NeverTakenAsFirst ==
    \A i \in Instances : \A m \in Range(channel[<<Root, i>>]) :
        m.type = "deleted" => ~(m.first /\ m.clock <= root.lost)

\* A new root has the log of the old one.
NeverTakenOver ==
    ~(/\ LogInStore /\ crashes > 0
      /\ root.phase = "ready" /\ root.written = 0 /\ root.log # <<>>)

\* A new root answers a delete as the old one had, though its entry is gone.
NeverAnsweredAgain ==
    \A i \in Instances : \A m \in Range(channel[<<Root, i>>]) :
        m.type = "deleted" /\ m.first
            => ~(/\ LogInStore /\ crashes > 0
                 /\ root.phase = "ready" /\ root.written = 0 /\ root.answered[i] = m.clock
                 /\ Logs(root, m.clock) = {})
=============================================================================
