-------------------------------- MODULE Channel -------------------------------
(***************************************************************************)
(* The ideal channels of endpoints that may start again: FIFO, and exactly *)
(* once between two starts.                                                *)
(*                                                                         *)
(* Paper: it says nothing of channels, and takes such ones for granted:    *)
(* sections 4.3 ("the framework handles operation retransmission"), 5.1.   *)
(* Clauses: STORE-5, STORE-6, LIVE.                                        *)
(*                                                                         *)
(* What one endpoint sends to another is taken in the order of sending,    *)
(* all of it, and nothing twice.  Nothing is said of the order between two *)
(* channels.  A start ends the promise, as follows and no further:         *)
(*   - Of what a dead incarnation has sent, any end may be lost; and none  *)
(*     of it is taken behind anything of its successor, or by an           *)
(*     incarnation that was not there yet when it died.                    *)
(*   - What a dead incarnation has taken, its successor takes once more,   *)
(*     unless the sender has learned of it: of that any end, never a       *)
(*     message in between.                                                 *)
(* So a message is lost only if its sender died, or its taker did.         *)
(***************************************************************************)
EXTENDS Endpoints

VARIABLES
    incarnation, \* of each endpoint: counts its starts
    sent,        \* on each channel: the incarnation that sent each message, in order
    taken,       \* on each channel: which message was taken by which incarnation, in order
    open         \* on each channel: messages that may be taken, or taken again, by number

vars == <<incarnation, sent, taken, open>>

-----------------------------------------------------------------------------
Max(S) == CHOOSE x \in S : \A y \in S : y <= x
Min(S) == CHOOSE x \in S : \A y \in S : x <= y

RECURSIVE Sorted(_)
Sorted(S) == IF S = {} THEN <<>> ELSE <<Min(S)>> \o Sorted(S \ {Min(S)})

NumberOf(t) == t.message[3]
TakenBy(c, j) == LET is(t) == t.by = j IN SelectSeq(taken[c], is)
Mine(c) == TakenBy(c, incarnation[Receiver(c)])

\* The newest message that the receiver has taken; 0 for none.
Last(c) == IF Mine(c) = <<>> THEN 0 ELSE NumberOf(Mine(c)[Len(Mine(c))])

IsTaken(c, k) == \E t \in Range(taken[c]) : NumberOf(t) = k
Lives(c, k) == sent[c][k] = incarnation[Source(c)]  \* its sender does
Orphans(c) == {k \in open[c] : ~Lives(c, k)}

TypeOK ==
    /\ \A e \in Endpoints : incarnation[e] \in Incarnations(e)
    /\ \A c \in Channels :
         /\ sent[c] \in Sent(c) /\ Len(sent[c]) <= Traffic[c]
         /\ taken[c] \in Seq(Taking(c))
         /\ open[c] \subseteq 1 .. Len(sent[c])

Init ==
    /\ incarnation = [e \in Endpoints |-> 1]
    /\ sent = [c \in Channels |-> <<>>]
    /\ taken = [c \in Channels |-> <<>>]
    /\ open = [c \in Channels |-> {}]

-----------------------------------------------------------------------------
Send(c) ==
    /\ Len(sent[c]) < Traffic[c]
    /\ sent' = [sent EXCEPT ![c] = Append(@, incarnation[Source(c)])]
    /\ open' = [open EXCEPT ![c] = @ \cup {Len(sent[c]) + 1}]
    /\ UNCHANGED <<incarnation, taken>>

\* Any end of what a dead incarnation has sent, or nothing.
Ends(c) ==
    {lost \in SUBSET Orphans(c) :
       \A k \in lost, l \in Orphans(c) : l > k /\ sent[c][l] = sent[c][k] => l \in lost}

(***************************************************************************)
(* What the sender may learn to be taken: any beginning of what is open    *)
(* and has been taken; but once the receiver has taken something itself,   *)
(* nothing that only its predecessor took.                                 *)
(***************************************************************************)
Known(c) ==
    LET heard(k) == IsTaken(c, k) /\ (Mine(c) = <<>> \/ k <= Last(c))
        living == open[c] \ Orphans(c)
    IN  {known \in SUBSET living :
           \A k \in known : heard(k) /\ \A l \in living : l < k => l \in known}

(***************************************************************************)
(* The receiver takes the next messages of those that are not lost, none   *)
(* or one or several: those that have waited for one and the same thing    *)
(* are taken at once.  At the same time it may learn what the other end    *)
(* has taken.  An orphan that is taken is not taken again.                 *)
(***************************************************************************)
Exchange(c) ==
    /\ \E lost \in Ends(c), known \in Known(Back(c)) :
         LET ahead == {k \in open[c] \ lost : k > Last(c)}
         IN  \E n \in 0 .. Cardinality(ahead) :
               LET now == SubSeq(Sorted(ahead), 1, n)
                   took == [m \in 1 .. n |-> [by |-> incarnation[Receiver(c)],
                                              message |-> Message(c, now[m])]]
               IN  /\ taken' = [taken EXCEPT ![c] = @ \o took]
                   /\ open' = [open EXCEPT ![c] = @ \ (lost \cup (Orphans(c) \cap Range(now))),
                                           ![Back(c)] = @ \ known]
    /\ UNCHANGED <<incarnation, sent>>

(***************************************************************************)
(* An endpoint dies and starts again.  What it has sent is an orphan, and  *)
(* any end of that is lost at once; what was taken is not taken again.     *)
(* The orphans on the way to it are lost.                                  *)
(***************************************************************************)
Restart(e) ==
    /\ incarnation[e] < MostRestarts[e] + 1
    /\ incarnation' = [incarnation EXCEPT ![e] = @ + 1]
    /\ \E cut \in [Endpoints \ {e} -> 1 .. Max({Traffic[c] : c \in Channels}) + 1] :
         open' = [c \in Channels |->
                    IF Receiver(c) = e THEN open[c] \ Orphans(c)
                    ELSE IF Source(c) = e
                    THEN {k \in open[c] : k > Last(c) /\ (Lives(c, k) => k < cut[Receiver(c)])}
                    ELSE open[c]]
    /\ UNCHANGED <<sent, taken>>

Next ==
    \/ \E c \in Channels : Send(c) \/ Exchange(c)
    \/ \E e \in Endpoints : Restart(e)

(***************************************************************************)
(* Whatever may be taken is taken in the end, or lost with its sender, and *)
(* the sender learns of it.  Nothing need be sent, and nobody need fail.   *)
(* It is the weak fairness of taking and of learning, written out.         *)
(***************************************************************************)
Takes(c) == taken'[c] # taken[c]
Learns(c) == \E k \in open[c] : k \notin open'[c]
ToTake(c) == \E k \in open[c] : k > Last(c)
ToLearn(c) == \E k \in open[c] : Lives(c, k) /\ k <= Last(c)

Fairness ==
    \A c \in Channels :
        /\ []<>~ToTake(c) \/ []<><<Takes(c)>>_vars
        /\ []<>~ToLearn(c) \/ []<><<Learns(c)>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness

-----------------------------------------------------------------------------
(***************************************************************************)
(* FIFO: what one incarnation takes, it takes in the order of sending, and *)
(* nothing twice.                                                          *)
(***************************************************************************)
InOrder ==
    \A c \in Channels : \A j \in Incarnations(Receiver(c)) :
        LET theirs == TakenBy(c, j)
        IN  \A n \in 1 .. Len(theirs) - 1 : NumberOf(theirs[n]) < NumberOf(theirs[n + 1])

(***************************************************************************)
(* No gaps: between two messages that one incarnation takes one after the  *)
(* other, nothing was sent by the sender of the later one.                 *)
(***************************************************************************)
NoGap ==
    \A c \in Channels : \A j \in Incarnations(Receiver(c)) :
        LET theirs == TakenBy(c, j)
        IN  \A n \in 1 .. Len(theirs) - 1 :
              \A k \in NumberOf(theirs[n]) + 1 .. NumberOf(theirs[n + 1]) - 1 :
                  sent[c][k] # sent[c][NumberOf(theirs[n + 1])]

(***************************************************************************)
(* STORE-5: what is neither taken nor going to be had a sender that died.  *)
(***************************************************************************)
NothingLost ==
    \A c \in Channels : \A k \in 1 .. Len(sent[c]) :
        IsTaken(c, k) \/ k \in open[c] \/ ~Lives(c, k)

(***************************************************************************)
(* LIVE: what is sent is taken in the end, or its sender dies.             *)
(***************************************************************************)
Owed(c, k) == k <= Len(sent[c]) /\ ~IsTaken(c, k) /\ Lives(c, k)

Comes == \A c \in Channels : \A k \in Numbers(c) : Owed(c, k) ~> ~Owed(c, k)

\* LIVE: in the end nothing is open.
Settles == <>[](\A c \in Channels : open[c] = {})

-----------------------------------------------------------------------------
\* Witness, there to be violated: a message is taken by two incarnations.
NeverTakenAgain ==
    \A c \in Channels : \A s, t \in Range(taken[c]) : s.message = t.message => s = t
=============================================================================
