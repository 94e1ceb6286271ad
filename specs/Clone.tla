------------------------------- MODULE Clone -------------------------------
(***************************************************************************)
(* Cloning a straggler, and suppressing what two hosts do twice.           *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, section 5.3.                                     *)
(* Clauses: CLONE-1 to CLONE-3, DUP-1 to DUP-3, QUEUE-2, ROOT-2, ROOT-3,   *)
(* DEL-1 to DEL-3, REC-2, STORE-5, R5, LIVE; amended as docs/findings.md.  *)
(*                                                                         *)
(* A chain of two vertices with one instance each, in front of a sink.  At *)
(* any moment the operator takes one of the two instances for a straggler: *)
(* a clone of it is started on a host of its own.  The splitter above then *)
(* sends to both hosts, the root replays all that it has logged to the     *)
(* clone, and the clone lets new packets wait until the replay is over.    *)
(* At any later moment the operator keeps one of the hosts; the other one  *)
(* is stopped, and whatever it has under way may be lost.                  *)
(*                                                                         *)
(* A vertex with state takes a number for each packet from a pool that is  *)
(* in the store, and writes it on the packet: an update that is made twice *)
(* shows in the pool, and one that answers otherwise the second time shows *)
(* on the packet.  A vertex without state passes packets on.               *)
(*                                                                         *)
(* Channels are FIFO, one for each pair.  A step is what one component     *)
(* makes of the oldest message of one channel.                             *)
(*                                                                         *)
(* Left out: crashes, moves, a second clone, several instances of one      *)
(* vertex, forks, cached operations, forgetting.                           *)
(***************************************************************************)
EXTENDS CloneMessages

VARIABLES
    channel,    \* what is under way on each channel, oldest first
    clock,      \* root: packets so far; the last one's number
    log,        \* root: what it knows of each packet, while that is logged
    receivers,  \* splitter above the straggler: hosts that it sends to
    status,     \* host: "up", "down", or "stopping" while its last delete is under way
    seen,       \* host: packets that its queue has let in, and whether for another host
    recovering, \* clone's queue: whether the replay is under way
    aside,      \* clone's queue: packets that wait until the replay is over
    nf,         \* host: what the NF has to do, see Idle
    pool,       \* store: numbers left in the pool of each vertex with state
    record,     \* store: number that each packet has taken there; NoNumber: none
    owners,     \* store: (vertex, flow) of the flows that are owned by the vertex' instance
    fence,      \* store: requests that a host sent in a start before this one are void
    phase,      \* manager: the straggler runs on "one" host, on "two", or one is "chosen"
    wish,       \* manager: whether one is to be chosen as soon as the clone is up
    awaits,     \* manager: what it waits for
    left        \* sink: what has left the chain, in order

queues == <<seen, recovering, aside>>
root == <<clock, log>>
store == <<pool, record, owners, fence>>
manager == <<phase, wish, awaits>>
vars == <<channel, root, receivers, status, queues, nf, store, manager, left>>

-----------------------------------------------------------------------------
TypeOK ==
    /\ channel \in [Channels -> Seq(Messages)]
    /\ clock \in 0 .. Len(Input)
    /\ log \in [Clocks -> [logged : BOOLEAN, ended : BOOLEAN,
                           vector : SUBSET Vertices, signals : SUBSET Vertices]]
    /\ receivers \in {{Straggler}, {Clone}, {Straggler, Clone}}
    /\ status \in [Hosts -> {"up", "stopping", "down"}]
    /\ seen \in [Hosts -> SUBSET (Clocks \X BOOLEAN)]
    /\ recovering \in BOOLEAN
    /\ aside \in Seq(Packets)
    /\ nf \in [Hosts -> NFs]
    /\ \A h \in Hosts : Len(nf[h].work) <= 1
    /\ pool \in [Stateful -> Seq(Taken)]
    /\ record \in [Stateful -> [Clocks -> Taken]]
    /\ owners \subseteq Vertices \X Flows
    /\ fence \in [Hosts -> {0, StartOf(Clone), AtEnd}]
    /\ phase \in {"one", "two", "chosen"}
    /\ wish \in BOOLEAN
    /\ awaits \subseteq {"fence", "ready", "splitter", "replay", "over"}
    /\ left \in Seq([clock : Clocks, written : Seq(Taken)])

Init ==
    /\ channel = [c \in Channels |-> <<>>]
    /\ clock = 0
    /\ log = [k \in Clocks |-> NotLogged]
    /\ receivers = {Straggler}
    /\ status = [h \in Hosts |-> IF h = Clone THEN "down" ELSE "up"]
    /\ seen = [h \in Hosts |-> {}]
    /\ recovering = FALSE
    /\ aside = <<>>
    /\ nf = [h \in Hosts |-> Idle]
    /\ pool = [v \in Stateful |-> Numbers]
    /\ record = [v \in Stateful |-> [k \in Clocks |-> NoNumber]]
    /\ owners = {}
    /\ fence = [h \in Hosts |-> 0]
    /\ phase = "one"
    /\ wish = FALSE
    /\ awaits = {}
    /\ left = <<>>

-----------------------------------------------------------------------------
(* Messages *)

Silence == [a \in Addresses |-> <<>>]  \* nothing is sent to anybody
Sent(out, to, m) == [a \in Addresses |-> IF a \in to THEN Append(out[a], m) ELSE out[a]]
Send(to, m) == Sent(Silence, {to}, m)

Comes(c, type) == channel[c] # <<>> /\ Head(channel[c]).type = type

\* The receiver takes the oldest message of a channel, and sends.
TakeAndSend(c, out) ==
    channel' = [d \in Channels |->
                  IF d = c THEN Tail(channel[d])
                  ELSE IF d[1] = c[2] THEN channel[d] \o out[d[2]]
                  ELSE channel[d]]

\* Somebody sends without having been told to.
JustSend(source, out) ==
    channel' = [d \in Channels |->
                  IF d[1] = source THEN channel[d] \o out[d[2]] ELSE channel[d]]

\* CLONE-1: hosts of the next vertex that a splitter sends to.
Receiving(hosts) == IF Replicate \/ Straggler \notin hosts THEN hosts ELSE {Straggler}
Below(x) ==
    CASE x = Above -> Receiving(receivers)
      [] x = "root" /\ x # Above -> {"first"}
      [] OTHER -> {"second"}

\* DUP-3: hosts to which a splitter sends what is for a target; nobody if it is not further down.
Route(x, target) ==
    LET next == IF x = "root" THEN 1 ELSE VertexOf(x) + 1
    IN  CASE target = NoHost -> Below(x)
          [] target # NoHost /\ VertexOf(target) = next -> {target}
          [] target # NoHost /\ VertexOf(target) > next -> Below(x)
          [] OTHER -> {}

-----------------------------------------------------------------------------
(* Root and operator *)

\* DEL-3: a packet leaves the log when it has ended and all its updates are committed.
Keep(entry) ==
    IF (LogUntilEnd => entry.ended) /\ entry.vector \subseteq entry.signals
    THEN NotLogged
    ELSE entry

\* ROOT-1, ROOT-2: a packet gets its clock, is logged, and goes on its way.
Arrive ==
    /\ clock < Len(Input)
    /\ clock' = clock + 1
    /\ log' = [log EXCEPT ![clock + 1] = Keep(Logged)]
    /\ JustSend("root", Sent(Silence, Below("root"), Packet(clock + 1, <<>>, {}, NoHost)))
    /\ UNCHANGED <<receivers, status, queues, nf, store, manager, left>>

\* ROOT-3, REC-2: a packet has ended; the sender is told whether it was the first to say so.
RootTakesDelete(c) ==
    /\ Comes(c, "delete")
    /\ LET d == Head(channel[c])
           entry == log[d.clock]
           first == entry.logged /\ ~entry.ended
       IN  /\ TakeAndSend(c, Send(c[1], Deleted(d.clock, first)))
           /\ log' = IF first
                     THEN [log EXCEPT ![d.clock] =
                             Keep([entry EXCEPT !.ended = TRUE, !.vector = d.vector])]
                     ELSE log
    /\ UNCHANGED <<clock, receivers, status, queues, nf, store, manager, left>>

\* DEL-2: the store has committed an update.
RootTakesCommitted(c) ==
    /\ Comes(c, "committed")
    /\ LET s == Head(channel[c])
           entry == log[s.clock]
       IN  log' = IF entry.logged
                  THEN [log EXCEPT ![s.clock] = Keep([entry EXCEPT !.signals = @ \cup {s.vertex}])]
                  ELSE log
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<clock, receivers, status, queues, nf, store, manager, left>>

\* CLONE-2: every logged packet is sent again, for the clone, and a mark behind the last one.
RootTakesReplay(c) ==
    /\ Comes(c, "replay")
    /\ LET isLogged(k) == log[k].logged
           clocks == SelectSeq([k \in Clocks |-> k], isLogged)
           order == IF ReplayInOrder THEN clocks ELSE Reverse(clocks)
           again == [n \in 1 .. Len(order) |-> Packet(order[n], <<>>, {}, Clone)]
           items == IF MarkEnd THEN Append(again, ReplayEnd(clock)) ELSE again
       IN  TakeAndSend(c, [a \in Addresses |-> IF a \in Route("root", Clone) THEN items ELSE <<>>])
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, manager, left>>

\* CLONE-1: the splitter above the straggler hears where to send from now on.
SplitterTakesHosts(c) ==
    /\ Comes(c, "hosts")
    /\ receivers' = Head(channel[c]).hosts
    /\ TakeAndSend(c, Send("manager", RunsOnKnown(receivers')))
    /\ UNCHANGED <<root, status, queues, nf, store, manager, left>>

-----------------------------------------------------------------------------
(***************************************************************************)
(* NF: how far it can go by itself.  It works on one packet at a time, and *)
(* a packet in work may wait for the store's grant or number, or for the   *)
(* answer to its delete.  Below, r is what the NF has to do, as r.nf, and  *)
(* what it has sent meanwhile, as r.out.                                   *)
(***************************************************************************)
Ask(r, p, peek) == [r EXCEPT !.out = Sent(@, {"store"}, Acquire(p.clock, peek))]

\* A flow is blocked while it is asked for, and from one of its replayed packets to the next.
IsBlocked(h, n, f) ==
    \/ n.buffer[f] # <<>>
    \/ \E p \in Range(n.ready) \cup {w.packet : w \in Range(n.work)} :
         p.target = h /\ FlowOf(p) = f

\* A packet is done with.  Behind a replayed one the flow is asked for again: nothing is cached.
Done(h, r, p) ==
    LET after == [r EXCEPT !.nf.work = <<>>]
        waiting == r.nf.buffer[FlowOf(p)]
    IN  IF p.target = h /\ waiting # <<>> THEN Ask(after, Head(waiting), FALSE) ELSE after

\* DUP-3: it goes on as any other from the host that it is for.
Cleared(p) == IF ClearTarget THEN [p EXCEPT !.target = NoHost] ELSE p

\* A processed packet goes on, or leaves by way of its delete (ROOT-3, REC-2).
Deliver(h, r, p, for) ==
    IF IsLast(h)
    THEN [nf |-> [r.nf EXCEPT !.work = <<Work(p, for)>>],
          out |-> Sent(r.out, {"root"}, Delete(p.clock, p.vector))]
    ELSE Done(h, [r EXCEPT !.out = Sent(@, Route(h, Cleared(p).target), Cleared(p))], p)

IsMute(n) == n.mute /\ StayMute

\* The end of a packet's processing; p has all that was written on it.
Finish(h, r, p) ==
    CASE IsPassing(h, p) ->
           [Done(h, r, p) EXCEPT !.out = Sent(@, Route(h, p.target), p)]
      [] ~IsPassing(h, p) /\ (IsMute(r.nf) \/ r.nf.unsent # <<>>) ->
           [Done(h, r, p) EXCEPT !.nf.unsent = Append(@, [p EXCEPT !.target = NoHost])]
      [] OTHER -> Deliver(h, r, p, "delete")

\* The begin of it: with state a number is asked for, without there is nothing to do.
Process(h, r, p) ==
    IF VertexOf(h) \in Stateful
    THEN [nf |-> [r.nf EXCEPT !.work = <<Work(p, "number")>>],
          out |-> Sent(r.out, {"store"}, Apply(p.clock, Emulate /\ IsPassing(h, p)))]
    ELSE Finish(h, r, p)

\* An item of the queue.
TakeUp(h, r, i) ==
    IF i.type = "end" \/ IsPassing(h, i)
    THEN [r EXCEPT !.nf.lane = Append(@, i)]
    ELSE LET f == FlowOf(i) IN
         CASE IsBlocked(h, r.nf, f) -> [r EXCEPT !.nf.buffer[f] = Append(@, i)]
           [] ~IsBlocked(h, r.nf, f) /\ f \in r.nf.owned /\ i.target = NoHost -> Process(h, r, i)
           [] OTHER -> Ask([r EXCEPT !.nf.buffer[f] = <<i>>,
                                     !.nf.owned = IF i.target = h THEN @ \ {f} ELSE @], i, FALSE)

\* DUP-3: what passes through waits for the packet itself, and an end for the packets before it.
LaneIsFree(h, n) ==
    LET i == Head(n.lane)
        waiting == UNION {Range(n.buffer[f]) : f \in Flows}
    IN  IF i.type = "end"
        THEN h = Clone => \A p \in waiting : p.target # h
        ELSE \A p \in waiting : p.clock # i.clock

\* DUP-3: of a packet that passes through, the state is only read; an end goes on its way.
PassThrough(h, r, i) ==
    CASE i.type = "packet" -> Ask([r EXCEPT !.nf.work = <<Work(i, "grant")>>], i, TRUE)
      [] i.type = "end" /\ h = Clone -> [r EXCEPT !.out = Sent(@, {"manager"}, Recovered)]
      [] OTHER -> [r EXCEPT !.out = Sent(@, Route(h, Clone), i)]

RECURSIVE Proceed(_, _)
Proceed(h, r) ==
    LET n == r.nf
        without(list) == [r EXCEPT !.nf = [n EXCEPT ![list] = Tail(@)]]
    IN  CASE n.work # <<>> -> r
          [] n.work = <<>> /\ n.unsent # <<>> /\ ~IsMute(n) ->
               Proceed(h, Deliver(h, without("unsent"), Head(n.unsent), "late delete"))
          [] n.work = <<>> /\ (n.unsent = <<>> \/ IsMute(n)) /\ n.ready # <<>> ->
               Proceed(h, Process(h, without("ready"), Head(n.ready)))
          [] OTHER ->
               IF n.lane # <<>> /\ LaneIsFree(h, n)
               THEN Proceed(h, PassThrough(h, without("lane"), Head(n.lane)))
               ELSE IF n.line # <<>>
               THEN Proceed(h, TakeUp(h, without("line"), Head(n.line).item))
               ELSE r

\* On channel c its host learns something, and the NF, as n with that, goes on.
GoOn(c, r) ==
    LET after == Proceed(c[2], r)
    IN  /\ nf' = [nf EXCEPT ![c[2]] = after.nf]
        /\ TakeAndSend(c, after.out)

\* What the queue lets in of channel c, or of what has come there before.
LetIn(c, items) ==
    LET came == [n \in 1 .. Len(items) |-> [source |-> c[1], item |-> items[n]]]
    IN  [nf |-> [nf[c[2]] EXCEPT !.line = @ \o came], out |-> Silence]

-----------------------------------------------------------------------------
(* Host: queue, NF and splitter of one instance *)

At(c, type) == Comes(c, type) /\ status[c[2]] = "up"

\* DUP-1: a packet, and a packet on its way to another host's replay, are let in once each.
KeyOf(h, p) == <<p.clock, TellReplays /\ IsPassing(h, p)>>
IsRepeat(h, p) == SuppressPackets /\ KeyOf(h, p) \in seen[h]

\* DUP-1, CLONE-2: a packet is let in, or dropped as a repeat, or waits for the end of the replay.
HostTakesPacket(c) ==
    /\ At(c, "packet")
    /\ LET h == c[2]
           p == Head(channel[c])
       IN  IF SetAside /\ h = Clone /\ recovering /\ p.target # h
           THEN /\ aside' = Append(aside, p)
                /\ TakeAndSend(c, Silence)
                /\ UNCHANGED <<seen, nf>>
           ELSE IF IsRepeat(h, p)
           THEN /\ TakeAndSend(c, Silence)
                /\ UNCHANGED <<seen, aside, nf>>
           ELSE /\ seen' = [seen EXCEPT ![h] = @ \cup {KeyOf(h, p)}]
                /\ GoOn(c, LetIn(c, <<p>>))
                /\ UNCHANGED aside
    /\ UNCHANGED <<root, receivers, status, recovering, store, manager, left>>

\* CLONE-2: the replay has come; what was set aside and is newer is let in behind it.
HostTakesReplayEnd(c) ==
    /\ At(c, "end")
    /\ LET h == c[2]
           end == Head(channel[c])
           isNew(p) == p.clock > end.newest /\ ~IsRepeat(h, p)
           new == SelectSeq(aside, isNew)
       IN  IF h = Clone
           THEN /\ recovering' = FALSE
                /\ aside' = <<>>
                /\ seen' = [seen EXCEPT ![h] = @ \cup {KeyOf(h, p) : p \in Range(new)}]
                /\ GoOn(c, LetIn(c, <<end>> \o new))
           ELSE /\ GoOn(c, LetIn(c, <<end>>))
                /\ UNCHANGED queues
    /\ UNCHANGED <<root, receivers, status, store, manager, left>>

\* MOVE-3, DUP-3: a flow is granted, for a while or for one replayed packet, or its state is read.
HostTakesGranted(c) ==
    /\ At(c, "granted")
    /\ LET h == c[2]
           n == nf[h]
           g == Head(channel[c])
           f == FlowOf(g)
           waiting == n.buffer[f]
           p == IF g.peek THEN n.work[1].packet ELSE Head(waiting)
       IN  GoOn(c,
             IF g.peek
             THEN Process(h, [nf |-> [n EXCEPT !.work = <<>>], out |-> Silence], p)
             ELSE [nf |-> IF p.target = NoHost
                          THEN [n EXCEPT !.owned = @ \cup {f}, !.buffer[f] = <<>>,
                                         !.ready = @ \o waiting]
                          ELSE [n EXCEPT !.buffer[f] = Tail(@), !.ready = Append(@, p)],
                   out |-> Silence])
    /\ UNCHANGED <<root, receivers, status, queues, store, manager, left>>

\* DUP-2: the packet in work gets its number; of an update that is not on record there is none.
HostTakesResult(c) ==
    /\ At(c, "result")
    /\ LET h == c[2]
           n == nf[h]
           p == n.work[1].packet
           number == Head(channel[c]).number
           processed == [p EXCEPT !.written = Append(@, number), !.vector = @ \cup {VertexOf(h)}]
           r == [nf |-> [n EXCEPT !.work = <<>>], out |-> Silence]
       IN  GoOn(c, IF number = NoNumber THEN Done(h, r, p) ELSE Finish(h, r, processed))
    /\ UNCHANGED <<root, receivers, status, queues, store, manager, left>>

\* REC-2: what the delete was for leaves now, unless somebody else's came first.
Leave(d, p) ==
    IF d.first \/ ~FirstDelete THEN Send("sink", Output(p.clock, p.written)) ELSE Silence

HostTakesDeleted(c) ==
    /\ At(c, "deleted")
    /\ LET h == c[2]
           p == nf[h].work[1].packet
       IN  GoOn(c, Done(h, [nf |-> nf[h], out |-> Leave(Head(channel[c]), p)], p))
    /\ UNCHANGED <<root, receivers, status, queues, store, manager, left>>

\* CLONE-1: the clone begins empty, and mute if nothing but the sink is behind it.
HostTakesStart(c) ==
    /\ Comes(c, "start")
    /\ status' = [status EXCEPT ![Clone] = "up"]
    /\ recovering' = TRUE
    /\ nf' = [nf EXCEPT ![Clone] = [Idle EXCEPT !.mute = IsLast(Clone)]]
    /\ TakeAndSend(c, Send("manager", Ready))
    /\ UNCHANGED <<root, receivers, seen, aside, store, manager, left>>

\* CLONE-3: all is forgotten but a packet whose delete may have been the first: only we may send it.
HostTakesStop(c) ==
    /\ At(c, "stop")
    /\ LET h == c[2]
           stays == nf[h].work # <<>> /\ nf[h].work[1].for \in {"delete", "late delete"}
       IN  /\ status' = [status EXCEPT ![h] = IF stays THEN "stopping" ELSE "down"]
           /\ nf' = [nf EXCEPT ![h] = IF stays THEN [Idle EXCEPT !.work = nf[h].work] ELSE Idle]
           /\ seen' = [seen EXCEPT ![h] = {}]
           /\ TakeAndSend(c, IF IsLast(h) /\ ~stays THEN Send("sink", Over(h)) ELSE Silence)
    /\ UNCHANGED <<root, receivers, recovering, aside, store, manager, left>>

\* CLONE-3: the answer to its last delete; behind the output the sink will know that it is over.
HostTakesLastDeleted(c) ==
    /\ Comes(c, "deleted") /\ status[c[2]] = "stopping"
    /\ LET h == c[2]
           out == Leave(Head(channel[c]), nf[h].work[1].packet)
       IN  /\ status' = [status EXCEPT ![h] = "down"]
           /\ nf' = [nf EXCEPT ![h] = Idle]
           /\ TakeAndSend(c, Sent(out, {"sink"}, Over(h)))
    /\ UNCHANGED <<root, receivers, queues, store, manager, left>>

\* CLONE-3: the other host is silent, and the clone sends what it has processed so far.
HostTakesSpeak(c) ==
    /\ At(c, "speak")
    /\ GoOn(c, [nf |-> [nf[c[2]] EXCEPT !.mute = FALSE], out |-> Silence])
    /\ UNCHANGED <<root, receivers, status, queues, store, manager, left>>

\* A host that is down, or about to be, takes no notice of anything else.
HostIgnores(c) ==
    /\ channel[c] # <<>>
    /\ \/ status[c[2]] = "down" /\ Head(channel[c]).type # "start"
       \/ status[c[2]] = "stopping" /\ Head(channel[c]).type # "deleted"
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, manager, left>>

\* What a stopped host had sent may be lost; but what has left for the sink has left.
Lose(c) ==
    /\ c[2] # "sink" /\ status[c[1]] = "down" /\ channel[c] # <<>>
    /\ channel' = [channel EXCEPT ![c] = <<>>]
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, manager, left>>

-----------------------------------------------------------------------------
(* Store *)

IsVoid(h) == StartOf(h) < fence[h]

\* STORE-2: straggler and clone are one instance to the store, so both are granted the flow.
StoreTakesAcquire(c) ==
    /\ Comes(c, "acquire")
    /\ LET h == c[1]
           a == Head(channel[c])
       IN  /\ owners' = IF a.peek \/ IsVoid(h) THEN owners
                        ELSE owners \cup {<<VertexOf(h), FlowOf(a)>>}
           /\ TakeAndSend(c, IF IsVoid(h) THEN Silence ELSE Send(h, Granted(a.clock, a.peek)))
    /\ UNCHANGED <<root, receivers, status, queues, nf, pool, record, fence, manager, left>>

\* STORE-5, DUP-2: a number is taken and committed, or the one on record is given again.
StoreTakesApply(c) ==
    /\ Comes(c, "apply")
    /\ LET h == c[1]
           v == VertexOf(h)
           u == Head(channel[c])
           known == record[v][u.clock]
           number == Head(pool[v])
           answer(n) == Send(h, Result(u.clock, n))
           isRepeat == SuppressUpdates /\ known # NoNumber
       IN  CASE IsVoid(h) -> TakeAndSend(c, Silence) /\ UNCHANGED <<pool, record>>
             [] ~IsVoid(h) /\ (isRepeat \/ u.emulate) ->
                  /\ TakeAndSend(c, answer(IF isRepeat THEN known ELSE NoNumber))
                  /\ UNCHANGED <<pool, record>>
             [] OTHER ->
                  /\ TakeAndSend(c, Sent(answer(number), {"root"}, Committed(u.clock, v)))
                  /\ pool' = [pool EXCEPT ![v] = Tail(@)]
                  /\ record' = [record EXCEPT ![v][u.clock] = number]
    /\ UNCHANGED <<root, receivers, status, queues, nf, owners, fence, manager, left>>

\* REC-1, CLONE-3: what a host sent in an earlier start is void from now on.
StoreTakesFence(c) ==
    /\ Comes(c, "fence")
    /\ LET m == Head(channel[c])
       IN  /\ fence' = [fence EXCEPT ![m.host] = m.start]
           /\ TakeAndSend(c, Send("manager", Fenced(m.host, m.start)))
    /\ UNCHANGED <<root, receivers, status, queues, nf, pool, record, owners, manager, left>>

-----------------------------------------------------------------------------
(* Manager *)

Stopped == IF Kept = Clone THEN Straggler ELSE Clone

\* CLONE-1: a clone is started once its store has voided what was on its host before.
AskClone ==
    /\ phase = "one"
    /\ phase' = "two"
    /\ awaits' = {"fence"}
    /\ JustSend("manager", Send("store", Fence(Clone, StartOf(Clone))))
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, wish, left>>

\* CLONE-3: one host is kept; what the other has under way to the store is void.
Choice == Sent(Send(Above, RunsOn({Kept})), {"store"}, Fence(Stopped, AtEnd))

Choose ==
    /\ phase' = "chosen"
    /\ wish' = FALSE
    /\ awaits' = {"splitter", "fence"} \cup (IF IsLast(Clone) /\ Kept = Clone THEN {"over"} ELSE {})

\* CLONE-3: the choice is made at once if the clone is up, or when it is.
AskKeep ==
    /\ Kept # NoHost
    /\ phase = "two" /\ ~wish
    /\ IF awaits = {}
       THEN Choose /\ JustSend("manager", Choice)
       ELSE wish' = TRUE /\ UNCHANGED <<channel, phase, awaits>>
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, left>>

\* The clone begins; or the other host is stopped, as the store takes nothing more of it.
ManagerTakesFenced(c) ==
    /\ Comes(c, "fenced")
    /\ LET h == Head(channel[c]).host
       IN  IF phase = "two"
           THEN awaits' = {"ready"} /\ TakeAndSend(c, Send(h, Start))
           ELSE awaits' = awaits \ {"fence"} /\ TakeAndSend(c, Send(h, Stop))
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, phase, wish, left>>

\* CLONE-1: new packets are replicated from now on, first of all.
ManagerTakesReady(c) ==
    /\ Comes(c, "ready")
    /\ LET out == Send(Above, RunsOn({Straggler, Clone}))
       IN  IF AwaitSplitter
           THEN awaits' = {"splitter"} /\ TakeAndSend(c, out)
           ELSE awaits' = {"splitter", "replay"} /\ TakeAndSend(c, Sent(out, {"root"}, Replay))
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, phase, wish, left>>

\* CLONE-2: a packet that the splitter sent before it heard of the clone is in the replay.
ManagerTakesHostsKnown(c) ==
    /\ Comes(c, "known")
    /\ IF phase = "two" /\ AwaitSplitter
       THEN awaits' = {"replay"} /\ TakeAndSend(c, Send("root", Replay))
       ELSE /\ awaits' = IF phase = "chosen" /\ Head(channel[c]).hosts # {Kept}
                         THEN awaits
                         ELSE awaits \ {"splitter"}
            /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, phase, wish, left>>

\* CLONE-2: the clone has processed what it has missed.
ManagerTakesRecovered(c) ==
    /\ Comes(c, "recovered")
    /\ IF wish
       THEN Choose /\ TakeAndSend(c, Choice)
       ELSE awaits' = awaits \ {"replay"} /\ TakeAndSend(c, Silence) /\ UNCHANGED <<phase, wish>>
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, left>>

\* CLONE-3: nothing of the stopped host can come out any more.
ManagerTakesOver(c) ==
    /\ Comes(c, "over")
    /\ awaits' = awaits \ {"over"}
    /\ TakeAndSend(c, IF "over" \in awaits THEN Send(Kept, Speak) ELSE Silence)
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, phase, wish, left>>

-----------------------------------------------------------------------------
(* Sink *)

SinkTakesOutput(c) ==
    /\ Comes(c, "output")
    /\ LET o == Head(channel[c])
       IN  left' = Append(left, [clock |-> o.clock, written |-> o.written])
    /\ TakeAndSend(c, Silence)
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, manager>>

\* CLONE-3: all that the stopped host had sent out has come.
SinkTakesOver(c) ==
    /\ Comes(c, "over")
    /\ TakeAndSend(c, Send("manager", Head(channel[c])))
    /\ UNCHANGED <<root, receivers, status, queues, nf, store, manager, left>>

-----------------------------------------------------------------------------
AtRoot(c) == RootTakesDelete(c) \/ RootTakesCommitted(c) \/ RootTakesReplay(c)
AtHost(c) ==
    \/ HostTakesPacket(c) \/ HostTakesReplayEnd(c) \/ HostTakesGranted(c) \/ HostTakesResult(c)
    \/ HostTakesDeleted(c) \/ HostTakesLastDeleted(c) \/ HostIgnores(c)
    \/ HostTakesStart(c) \/ HostTakesStop(c) \/ HostTakesSpeak(c)
AtStore(c) == StoreTakesAcquire(c) \/ StoreTakesApply(c) \/ StoreTakesFence(c)
AtManager(c) ==
    \/ ManagerTakesFenced(c) \/ ManagerTakesReady(c) \/ ManagerTakesHostsKnown(c)
    \/ ManagerTakesRecovered(c) \/ ManagerTakesOver(c)
AtSink(c) == SinkTakesOutput(c) \/ SinkTakesOver(c)

To(xs) == {c \in Channels : c[2] \in xs}

Take ==
    \/ \E c \in To({"root"}) : AtRoot(c)
    \/ \E c \in To({Above}) : SplitterTakesHosts(c)
    \/ \E c \in To(Hosts) : AtHost(c)
    \/ \E c \in To({"store"}) : AtStore(c)
    \/ \E c \in To({"manager"}) : AtManager(c)
    \/ \E c \in To({"sink"}) : AtSink(c)

Next ==
    \/ Arrive
    \/ AskClone
    \/ AskKeep
    \/ Take
    \/ \E c \in (Hosts \X Addresses) \cap Channels : Lose(c)

\* Something is taken as long as anything is under way: weak fairness of Take, spelled out, as
\* whatever is under way can be taken and TLC is slow to see that.  It is enough, as there is
\* always less to do.  Packets and requests need not come, and nothing need be lost.
UnderWay == \E c \in Channels : channel[c] # <<>>
Fairness == []<>~UnderWay \/ []<><<Take>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
