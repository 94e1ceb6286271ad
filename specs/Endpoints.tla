------------------------------- MODULE Endpoints ------------------------------
(***************************************************************************)
(* Endpoints, the channels between them, and what is sent on these.        *)
(*                                                                         *)
(* Paper: none; it says nothing of channels.                               *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Order,       \* endpoints, in the order in which a timer looks at them
    Traffic,     \* messages on each channel, by all incarnations of its source
    MostRestarts \* how often each endpoint may start again

Range(s) == {s[n] : n \in 1 .. Len(s)}
Endpoints == Range(Order)
Channels == {c \in Endpoints \X Endpoints : c[1] # c[2]}  \* <<source, to>>

ASSUME /\ Cardinality(Endpoints) = Len(Order)
       /\ Traffic \in [Channels -> Nat]
       /\ MostRestarts \in [Endpoints -> Nat]

Source(c) == c[1]
Receiver(c) == c[2]
Back(c) == <<c[2], c[1]>>

Incarnations(e) == 1 .. MostRestarts[e] + 1
Numbers(c) == 1 .. Traffic[c]

\* Message number k of a channel: no two messages are the same.
Message(c, k) == <<c[1], c[2], k>>
Messages == UNION {{Message(c, k) : k \in Numbers(c)} : c \in Channels}

\* Its sender's incarnation, for every message that was sent; and what was taken, in order.
Sent(c) == Seq(Incarnations(Source(c)))
Taking(c) == [by : Incarnations(Receiver(c)), message : {Message(c, k) : k \in Numbers(c)}]
=============================================================================
