------------------------------ MODULE IdealRow ------------------------------
(***************************************************************************)
(* The ideal chain of two vertices in a row, as store and world see it.    *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 1 and 2.  Clauses: COE, R1, R2, R5,     *)
(* LIVE.                                                                   *)
(*                                                                         *)
(* Each vertex has one instance, and nothing fails.  A packet takes the    *)
(* next number from the pool of every vertex with state that it comes      *)
(* through, and then leaves with these numbers.  Packets of one flow do    *)
(* everything in the order in which they came, and each does it once.      *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS
    Input,    \* flow of each packet, in order of arrival
    Stateful, \* vertices that have state
    Numbers,  \* in each pool at first
    NoNumber  \* for a packet that has taken none

VARIABLES
    arrived,  \* packets so far
    pool,     \* numbers left in the pool of each vertex with state
    record,   \* number that each packet has taken there
    left      \* what has left the chain, in order

vars == <<arrived, pool, record, left>>

Clocks == 1 .. Len(Input)
Earlier(k) == {j \in 1 .. k - 1 : Input[j] = Input[k]}
HasLeft(k) == \E n \in 1 .. Len(left) : left[n].clock = k
HasTaken(k, v) == v \in Stateful => record[v][k] # NoNumber
Taken(k) ==
    (IF 1 \in Stateful THEN <<record[1][k]>> ELSE <<>>)
    \o (IF 2 \in Stateful THEN <<record[2][k]>> ELSE <<>>)

Init ==
    /\ arrived = 0
    /\ pool = [v \in Stateful |-> Numbers]
    /\ record = [v \in Stateful |-> [k \in Clocks |-> NoNumber]]
    /\ left = <<>>

Arrive ==
    /\ arrived < Len(Input)
    /\ arrived' = arrived + 1
    /\ UNCHANGED <<pool, record, left>>

Take(v, k) ==
    /\ v \in Stateful /\ ~HasTaken(k, v)
    /\ v = 2 => HasTaken(k, 1)
    /\ \A j \in Earlier(k) : HasTaken(j, v)
    /\ pool' = [pool EXCEPT ![v] = Tail(@)]
    /\ record' = [record EXCEPT ![v][k] = Head(pool[v])]
    /\ UNCHANGED <<arrived, left>>

Leave(k) ==
    /\ HasTaken(k, 1) /\ HasTaken(k, 2) /\ ~HasLeft(k)
    /\ \A j \in Earlier(k) : HasLeft(j)
    /\ left' = Append(left, [clock |-> k, written |-> Taken(k)])
    /\ UNCHANGED <<arrived, pool, record>>

Inside == \E k \in 1 .. arrived : Take(1, k) \/ Take(2, k) \/ Leave(k)
Next == Arrive \/ Inside

(***************************************************************************)
(* LIVE: packets need not come; what has come takes its numbers and leaves *)
(* in the end.  This is weak fairness of Inside, which is enabled as long  *)
(* as anything is left to do.                                              *)
(***************************************************************************)
IsDone == \A k \in 1 .. arrived : HasTaken(k, 1) /\ HasTaken(k, 2) /\ HasLeft(k)

Fairness == []<>IsDone \/ []<><<Inside>>_vars

Safety == Init /\ [][Next]_vars
Spec == Safety /\ Fairness
=============================================================================
