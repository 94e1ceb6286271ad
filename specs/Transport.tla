------------------------------- MODULE Transport ------------------------------
(***************************************************************************)
(* The transport: ideal channels over a network that loses, doubles and    *)
(* reorders, between endpoints that may start again.                       *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, section 4.3: "the framework handles operation    *)
(* retransmission if an ACK is not received before a time-out".  It says   *)
(* nothing else of channels; docs/channels.md has the rules that need them *)
(* to be as the transport makes them.                                      *)
(* Clauses: STORE-5, STORE-6, LIVE.                                        *)
(*                                                                         *)
(* An endpoint numbers what it sends to a peer, and keeps it until it is   *)
(* acknowledged.  The numbers count one stream, from one incarnation to    *)
(* one incarnation; while that of the receiver is unknown, an empty probe  *)
(* is sent, which makes it answer.  The receiver keeps what comes early    *)
(* until the gap is closed, drops repeats, and acknowledges all that it    *)
(* has taken.  At a timer, what was in flight at the last one already is   *)
(* sent again.  When the peer turns out to have started again, all that is *)
(* unacknowledged goes to its new incarnation, numbered from 1.            *)
(*                                                                         *)
(* The network is a set: what is in it may be lost, may be taken, and may  *)
(* be taken and stay, each in any order and any number of times.  So a     *)
(* second copy would add nothing, and faults and timers need no bound.  To *)
(* have fewer states the network may be small, and then loses at once what *)
(* it has no room for.                                                     *)
(*                                                                         *)
(* A step is what one endpoint makes of one event.  These are the steps of *)
(* the Python core: the state graphs are equal.                            *)
(*                                                                         *)
(* Left out: datagrams that nobody has sent, and numbers that wrap around. *)
(***************************************************************************)
EXTENDS Endpoints

CONSTANTS
    Window, \* messages in flight to one peer; also how far ahead of a gap one is kept
    Burst,  \* messages sent again to one peer at one timer
    Room    \* most datagrams in the network

ASSUME /\ Window \in Nat \ {0}
       /\ Burst \in Nat \ {0}
       /\ Room \in Nat \ {0}

(***************************************************************************)
(* Rules that a bounded instance may drop, to see what each is good for:   *)
(* CONSTANT TakeInOrder <- Dropped                                         *)
(***************************************************************************)
Dropped == FALSE

TakeInOrder == TRUE      \* what comes early is not taken before the gap is closed
KeepEarly == TRUE        \* but it is kept until then
DropRepeats == TRUE      \* a number that was taken is not taken again
BoundEarly == TRUE       \* no more is kept than a window behind the gap
BoundFlight == TRUE      \* no more flies than a window
SendAgain == TRUE        \* STORE-5: what is overdue is sent again
OnlyOverdue == TRUE      \* and nothing that flies since the last timer only
Acknowledge == TRUE      \* a message is answered
AckTaken == TRUE         \* by the number of the last that was taken, not of one that came early
AckAll == TRUE           \* which acknowledges all before it, too
ProbeFirst == TRUE       \* nothing is numbered for an incarnation that the sender does not know
AnswerProbes == TRUE     \* what is for another incarnation is answered by ours
ForMeOnly == TRUE        \* but none of it is taken
HearNewest == TRUE       \* a dead incarnation is not heard after its successor
KeepForNext == TRUE      \* what is unacknowledged goes to the next incarnation
NumberAnew == TRUE       \* numbered from 1
CountStarts == TRUE      \* each start has a number of its own

VARIABLES
    incarnation, \* of each endpoint: counts its starts
    sent,        \* on each channel: the incarnation that sent each message, in order
    taken,       \* on each channel: which message was taken by which incarnation, in order
    peer,        \* of each endpoint, of every other: both directions of the channel; see Peer
    network      \* datagrams under way

vars == <<incarnation, sent, taken, peer, network>>

-----------------------------------------------------------------------------
Min(x, y) == IF x < y THEN x ELSE y
Max(x, y) == IF x < y THEN y ELSE x
MaxOf(S) == CHOOSE x \in S : \A y \in S : y <= x

Most == MaxOf({Traffic[c] : c \in Channels})
Starts == 1 .. MaxOf({MostRestarts[e] : e \in Endpoints}) + 1
Sequence == 1 .. Most  \* numbers of messages in a stream

Datagram ==
    [source : Endpoints, to : Endpoints,
     sourceIncarnation : Starts,
     incarnation : Starts \cup {0},    \* of "to", as the sender knows it; 0: it does not
     sequence : Sequence \cup {0},     \* of the message
     ack : Sequence \cup {0},          \* all messages up to this one have been taken
     payload : {<<>>} \cup {<<m>> : m \in Messages}]  \* empty: a probe or an acknowledgement

Functions(S, T) == UNION {[D -> T] : D \in SUBSET S}

Peer ==
    [incarnation : Starts \cup {0},       \* the newest one heard of; 0 for none yet
     unacknowledged : Seq(Messages),      \* sent and not acknowledged, oldest first
     first : Sequence \cup {Most + 1},    \* number of the oldest of them
     flying : Sequence \cup {0},          \* so many of them are in flight, the others wait
     overdue : Sequence \cup {0},         \* newest number that was in flight at the last timer
     expected : Sequence \cup {Most + 1}, \* number of the next message to take
     early : Functions(Sequence, Messages)] \* messages behind a gap, by number

NewPeer ==
    [incarnation |-> 0, unacknowledged |-> <<>>, first |-> 1, flying |-> 0, overdue |-> 0,
     expected |-> 1, early |-> <<>>]

TypeOK ==
    /\ \A e \in Endpoints :
         /\ incarnation[e] \in Incarnations(e)
         /\ \A p \in Endpoints \ {e} : peer[e][p] \in Peer
    /\ \A c \in Channels :
         /\ sent[c] \in Sent(c) /\ Len(sent[c]) <= Traffic[c]
         /\ taken[c] \in Seq(Taking(c))
    /\ network \subseteq Datagram
    /\ Cardinality(network) <= Room

Fresh(e) == [p \in Endpoints \ {e} |-> NewPeer]

Init ==
    /\ incarnation = [e \in Endpoints |-> 1]
    /\ sent \in [Channels -> {<<>>}]   \* there is one, and TLC prints it in full
    /\ taken \in [Channels -> {<<>>}]
    /\ peer = [e \in Endpoints |-> Fresh(e)]
    /\ network = {}

-----------------------------------------------------------------------------
(* Datagrams *)

\* What e puts on the network now, in order; it may be full.
RECURSIVE Put(_, _)
Put(net, datagrams) ==
    IF datagrams = <<>> THEN net
    ELSE Put(IF Cardinality(net) < Room THEN net \cup {Head(datagrams)} ELSE net, Tail(datagrams))

Acked(q) ==  \* q is what the endpoint knows of its peer
    IF AckTaken \/ q.early = <<>> THEN q.expected - 1 ELSE MaxOf(DOMAIN q.early)

Bare(e, p, q) ==
    [source |-> e, to |-> p, sourceIncarnation |-> incarnation[e],
     incarnation |-> q.incarnation, sequence |-> 0, ack |-> Acked(q), payload |-> <<>>]

Numbered(e, p, q, n) ==  \* with the n-th of the messages that are unacknowledged
    [Bare(e, p, q) EXCEPT !.sequence = q.first + n - 1, !.payload = <<q.unacknowledged[n]>>]

AllNumbered(e, p, q, from, to) ==
    [n \in 1 .. to - from + 1 |-> Numbered(e, p, q, from + n - 1)]

\* What waits flies, as far as the window allows.
Fill(e, p, q) ==
    IF q.incarnation = 0 /\ ProbeFirst THEN [peer |-> q, sends |-> <<>>]
    ELSE LET waiting == Len(q.unacknowledged)
             flying == IF BoundFlight THEN Min(waiting, Window) ELSE waiting
         IN  [peer |-> [q EXCEPT !.flying = flying],
              sends |-> AllNumbered(e, p, q, q.flying + 1, flying)]

-----------------------------------------------------------------------------
(* Sending *)

\* A component sends: at once, or once the peer has told its incarnation.
Send(c) ==
    LET e == Source(c)
        p == Receiver(c)
        message == Message(c, Len(sent[c]) + 1)
        q == [peer[e][p] EXCEPT !.unacknowledged = Append(@, message)]
        filled == Fill(e, p, q)
        probes == IF q.incarnation = 0 /\ ProbeFirst /\ Len(q.unacknowledged) = 1
                  THEN <<Bare(e, p, q)>> ELSE <<>>
    IN  /\ Len(sent[c]) < Traffic[c]
        /\ sent' = [sent EXCEPT ![c] = Append(@, incarnation[e])]
        /\ peer' = [peer EXCEPT ![e][p] = filled.peer]
        /\ network' = Put(network, probes \o filled.sends)
        /\ UNCHANGED <<incarnation, taken>>

\* STORE-5: a time-out.  What is overdue is sent again, the oldest first.
Late(q) == IF OnlyOverdue THEN Min(Max(q.overdue - q.first + 1, 0), Min(q.flying, Burst))
           ELSE Min(q.flying, Burst)

AgainTo(e, p) ==
    LET q == peer[e][p]
    IN  IF q.unacknowledged = <<>> THEN <<>>
        ELSE IF q.incarnation = 0 THEN <<Bare(e, p, q)>>
        ELSE AllNumbered(e, p, q, 1, Late(q))

RECURSIVE Again(_, _)
Again(e, peers) ==
    IF peers = <<>> THEN <<>>
    ELSE (IF Head(peers) = e THEN <<>> ELSE AgainTo(e, Head(peers))) \o Again(e, Tail(peers))

Timed(q) ==
    IF q.unacknowledged = <<>> \/ q.incarnation = 0 THEN q
    ELSE [q EXCEPT !.overdue = q.first + q.flying - 1]

Timer(e) ==
    /\ IF SendAgain
       THEN /\ peer' = [peer EXCEPT ![e] = [p \in DOMAIN @ |-> Timed(@[p])]]
            /\ network' = Put(network, Again(e, Order))
       ELSE UNCHANGED <<peer, network>>
    /\ UNCHANGED <<incarnation, sent, taken>>

-----------------------------------------------------------------------------
(* Taking *)

\* The peer has started again: new streams, and what is unacknowledged goes there.
Restarted(q, start) ==
    [NewPeer EXCEPT !.incarnation = start,
                    !.unacknowledged = IF KeepForNext THEN q.unacknowledged ELSE <<>>,
                    !.first = IF NumberAnew THEN 1 ELSE q.first]

Acknowledged(q, ack) ==  \* an old number acknowledges nothing more
    LET count == IF AckAll THEN Min(Max(ack - q.first + 1, 0), q.flying)
                 ELSE IF ack = q.first THEN Min(1, q.flying) ELSE 0
    IN  [q EXCEPT !.unacknowledged = SubSeq(@, count + 1, Len(@)),
                  !.first = @ + count, !.flying = @ - count]

\* Messages in a row from number n on.
RECURSIVE Row(_, _)
Row(messages, n) ==
    IF n \in DOMAIN messages THEN <<messages[n]>> \o Row(messages, n + 1) ELSE <<>>

\* A message is kept if it is new, and all are taken that are next without a gap.
Take(q, d) ==
    LET n == d.sequence
        isNew == d.payload # <<>> /\ n >= q.expected /\ (BoundEarly => n < q.expected + Window)
        kept == IF isNew
                THEN [m \in DOMAIN q.early \cup {n} |->
                        IF m = n THEN d.payload[1] ELSE q.early[m]]
                ELSE q.early
        now == Row(kept, q.expected)
        left == {m \in DOMAIN kept : m >= q.expected + Len(now)}
        isRepeat == d.payload # <<>> /\ n < q.expected
    IN  IF TakeInOrder
        THEN [peer |-> [q EXCEPT !.expected = @ + Len(now),
                                 !.early = IF KeepEarly THEN [m \in left |-> kept[m]] ELSE <<>>],
              taken |-> IF isRepeat /\ ~DropRepeats THEN d.payload \o now ELSE now]
        ELSE [peer |-> [q EXCEPT !.expected = Max(@, n + Len(d.payload))],
              taken |-> d.payload]

IsHeard(q, d) == d.sourceIncarnation >= q.incarnation

IsForMe(e, d) ==
    \/ d.incarnation = incarnation[e]
    \/ ~ForMeOnly /\ d.payload # <<>>
    \/ ~ProbeFirst /\ d.incarnation = 0 /\ d.payload # <<>>

\* What e makes of a datagram: what it knows of the peer then, takes, and sends.
Heard(e, d) ==
    LET p == d.source
        old == peer[e][p]
        q == IF d.sourceIncarnation > old.incarnation
             THEN Restarted(old, d.sourceIncarnation) ELSE old
        took == IF IsForMe(e, d) THEN Take(Acknowledged(q, d.ack), d)
                ELSE [peer |-> q, taken |-> <<>>]
        isAnswered == IF IsForMe(e, d) THEN d.payload # <<>> /\ Acknowledge ELSE AnswerProbes
        filled == Fill(e, p, took.peer)
    IN  IF ~IsHeard(old, d) /\ HearNewest
        THEN [peer |-> old, taken |-> <<>>, sends |-> <<>>]
        ELSE [peer |-> filled.peer, taken |-> took.taken,
              sends |-> (IF isAnswered THEN <<Bare(e, p, took.peer)>> ELSE <<>>) \o filled.sends]

Deliver(d, net) ==
    LET e == d.to
        c == <<d.source, d.to>>
        heard == Heard(e, d)
    IN  /\ peer' = [peer EXCEPT ![e][d.source] = heard.peer]
        /\ taken' = [taken EXCEPT ![c] = @ \o
                       [n \in 1 .. Len(heard.taken) |->
                          [by |-> incarnation[e], message |-> heard.taken[n]]]]
        /\ network' = Put(net, heard.sends)
        /\ UNCHANGED <<incarnation, sent>>

\* An endpoint takes a datagram off the network.
TakeDatagram == \E d \in network : Deliver(d, network \ {d})

\* It takes one, and the network keeps a copy.
TakeCopy == \E d \in network : Deliver(d, network)

Lose ==
    /\ \E d \in network : network' = network \ {d}
    /\ UNCHANGED <<incarnation, sent, taken, peer>>

-----------------------------------------------------------------------------
\* An endpoint dies, with all that it knows, and starts again.
Restart(e) ==
    /\ incarnation[e] < MostRestarts[e] + 1
    /\ incarnation' = IF CountStarts THEN [incarnation EXCEPT ![e] = @ + 1] ELSE incarnation
    /\ peer' = [peer EXCEPT ![e] = Fresh(e)]
    /\ UNCHANGED <<sent, taken, network>>

Next ==
    \/ \E c \in Channels : Send(c)
    \/ \E e \in Endpoints : Timer(e) \/ Restart(e)
    \/ TakeDatagram \/ TakeCopy \/ Lose

-----------------------------------------------------------------------------
(***************************************************************************)
(* Timers fire: the weak fairness of each, as long as it changes anything. *)
(*                                                                         *)
(* The network may lose for ever, but not everything.  While there is      *)
(* again and again something in it that would tell an endpoint something   *)
(* new, one such thing is taken again and again; and on each channel so is *)
(* one that makes its receiver answer, while the answer is not under way.  *)
(* That is strong fairness.  Weak fairness would promise nothing of a      *)
(* network that loses each datagram sooner or later; and a bound for the   *)
(* losses would assume that they end one day, and be part of every state.  *)
(* Strong fairness of every datagram by itself is simpler to say, but TLC  *)
(* splits a formula at each such condition.                                *)
(*                                                                         *)
(* All is written out, as TLC takes long to find what is ENABLED; and it   *)
(* is for a network with room for all: a small one may always be full.     *)
(***************************************************************************)
IsNews(d) == Heard(d.to, d).peer # peer[d.to][d.source]
IsAsked(c, d) ==
    <<d.source, d.to>> = c /\ ~(Range(Heard(d.to, d).sends) \subseteq network \ {d})

Takes(d) == Deliver(d, network \ {d}) \/ Deliver(d, network)
TakeNews == \E d \in network : IsNews(d) /\ Takes(d)
Answer(c) == \E d \in network : IsAsked(c, d) /\ Takes(d)

IsTimed(e) ==
    /\ SendAgain
    /\ \/ \E p \in Endpoints \ {e} : Timed(peer[e][p]) # peer[e][p]
       \/ Put(network, Again(e, Order)) # network

Fairness ==
    /\ \A e \in Endpoints : []<>~IsTimed(e) \/ []<><<Timer(e)>>_vars
    /\ <>[](\A d \in network : ~IsNews(d)) \/ []<><<TakeNews>>_vars
    /\ \A c \in Channels :
         <>[](\A d \in network : ~IsAsked(c, d)) \/ []<><<Answer(c)>>_vars

FairnessIsFair ==  \* this is what is enabled
    /\ \A e \in Endpoints : IsTimed(e) <=> ENABLED <<Timer(e)>>_vars
    /\ (\E d \in network : IsNews(d)) <=> ENABLED <<TakeNews>>_vars
    /\ \A c \in Channels : (\E d \in network : IsAsked(c, d)) <=> ENABLED <<Answer(c)>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
(***************************************************************************)
(* The window: no more than that is in flight, and no more is kept early,  *)
(* all of it behind a gap.                                                 *)
(***************************************************************************)
WindowBounds ==
    \A c \in Channels :
        LET q == peer[c[1]][c[2]]
        IN  /\ q.flying <= Min(Window, Len(q.unacknowledged))
            /\ \A n \in DOMAIN q.early : q.expected < n /\ n < q.expected + Window

(***************************************************************************)
(* No message is numbered for an incarnation that its sender does not know.*)
(***************************************************************************)
WithMessage == {d \in network : d.payload # <<>>}

NumberedForKnown == \A d \in WithMessage : d.incarnation # 0

(***************************************************************************)
(* One stream, one numbering: of the datagrams from one incarnation to one *)
(* incarnation, those of one number have the same message.                 *)
(***************************************************************************)
Stream(d) == <<d.source, d.sourceIncarnation, d.to, d.incarnation>>

OneNumbering ==
    \A d, o \in WithMessage :
        Stream(d) = Stream(o) /\ d.sequence = o.sequence => d.payload = o.payload

(***************************************************************************)
(* A sender holds for acknowledged no more than its receiver has taken, as *)
(* long as they mean the same stream.                                      *)
(***************************************************************************)
AckedIsTaken ==
    \A c \in Channels :
        LET q == peer[Source(c)][Receiver(c)]
            r == peer[Receiver(c)][Source(c)]
        IN  (/\ q.incarnation = incarnation[Receiver(c)]
             /\ r.incarnation = incarnation[Source(c)]) => q.first <= r.expected

-----------------------------------------------------------------------------
(***************************************************************************)
(* STORE-5: these are the ideal channels.  Open is what is unacknowledged. *)
(* Of what a dead incarnation has sent, that which its receiver may still  *)
(* take: it is in the network or has come early, and so is all before it.  *)
(***************************************************************************)
NumberOf(m) == m[3]

InFlight(c, i) ==  \* by number: what incarnation i has sent to this one
    {d \in network : /\ <<d.source, d.to>> = c /\ d.payload # <<>>
                     /\ d.sourceIncarnation = i /\ d.incarnation = incarnation[Receiver(c)]}

Reach(c, i) ==
    LET r == peer[Receiver(c)][Source(c)]
        early == IF r.incarnation = i THEN r.early ELSE <<>>
        next == IF r.incarnation = i THEN r.expected ELSE 1
        there == DOMAIN early \cup {d.sequence : d \in InFlight(c, i)}
        message(n) == IF n \in DOMAIN early THEN early[n]
                      ELSE (CHOOSE d \in InFlight(c, i) : d.sequence = n).payload[1]
    IN  IF r.incarnation > i THEN {}
        ELSE {NumberOf(m) : m \in Range(Row([n \in there |-> message(n)], next))}

Open(c) ==
    LET mine == incarnation[Source(c)]
        waiting == Range(peer[Source(c)][Receiver(c)].unacknowledged)
    IN  {NumberOf(m) : m \in waiting} \cup UNION {Reach(c, i) : i \in 1 .. mine - 1}

Ideal == INSTANCE Channel WITH open <- [c \in Channels |-> Open(c)]

RefinesSafety == Ideal!Safety
Refines == Ideal!Spec

THEOREM Spec => Refines

\* What the ideal channels keep; see there.
InOrder == Ideal!InOrder
NoGap == Ideal!NoGap
NothingLost == Ideal!NothingLost
Comes == Ideal!Comes

(***************************************************************************)
(* LIVE: in the end nothing is unacknowledged, and nothing is sent again.  *)
(***************************************************************************)
Settles == <>[](\A c \in Channels : peer[c[1]][c[2]].unacknowledged = <<>>)

-----------------------------------------------------------------------------
(***************************************************************************)
(* Witnesses.  Each says that something interesting never happens, and is  *)
(* there to be violated: a check in which it holds would be a vacuous one. *)
(***************************************************************************)

\* A message that nobody has taken, and no datagram has any more, is taken after all.
IsLost(c, k) ==
    LET q == peer[Source(c)][Receiver(c)]
    IN  /\ k <= Len(sent[c]) /\ ~Ideal!IsTaken(c, k)
        /\ \E n \in 1 .. q.flying : q.unacknowledged[n] = Message(c, k)
        /\ \A d \in network : d.payload # <<Message(c, k)>>
        /\ Message(c, k) \notin Range(peer[Receiver(c)][Source(c)].early)
NeverLostAndTaken ==
    \A c \in Channels : \A k \in Numbers(c) : [](IsLost(c, k) => []~Ideal!IsTaken(c, k))

\* A message comes early.
NeverEarly == \A c \in Channels : peer[c[1]][c[2]].early = <<>>

\* A message waits for the window.
NeverWaits ==
    \A c \in Channels :
        LET q == peer[c[1]][c[2]] IN q.flying = Window => Len(q.unacknowledged) = Window

\* Numbers go round in both directions at once, two messages each way.
NeverBothFly == \A c \in Channels : ~\A d \in {c, Back(c)} : peer[d[1]][d[2]].flying >= 2

\* A message of a dead incarnation comes after its successor was heard, with the number that is
\* next: it would be taken if it were heard.
NeverStale ==
    \A d \in network :
        LET q == peer[d.to][d.source]
        IN  ~(/\ d.payload # <<>> /\ d.incarnation = incarnation[d.to]
              /\ d.sourceIncarnation < q.incarnation /\ d.sequence = q.expected)

\* A message for a dead incarnation comes to its successor, with the number that is next there.
NeverForPredecessor ==
    \A d \in network :
        LET q == peer[d.to][d.source]
        IN  ~(/\ d.payload # <<>> /\ d.incarnation < incarnation[d.to]
              /\ d.sourceIncarnation = q.incarnation /\ d.sequence = q.expected)

\* The acknowledgement of a dead incarnation comes before its successor is heard of.
NeverLateAck ==
    \A d \in network :
        ~(/\ d.sourceIncarnation < incarnation[d.source]
          /\ Heard(d.to, d).peer.first > peer[d.to][d.source].first)

\* A message is taken by two incarnations.
NeverTakenAgain == Ideal!NeverTakenAgain

\* A message is taken when its sender has died already.
NeverOrphanTaken ==
    \A d \in network : d.sourceIncarnation = incarnation[d.source] \/ Heard(d.to, d).taken = <<>>
=============================================================================
