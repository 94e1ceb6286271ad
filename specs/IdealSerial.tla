---------------------------- MODULE IdealSerial -----------------------------
(***************************************************************************)
(* The ideal chain of one vertex whose flows share an object, with updates *)
(* that do not commute: one instance, no limits, no failures.              *)
(*                                                                         *)
(* Paper: "Correctness and Performance for Stateful Chained Network        *)
(* Functions", NSDI 2019, sections 2.1 and 5.4.                            *)
(* Clauses: COE, R2, R3, R5, ROOT-1, STORE-4.                              *)
(*                                                                         *)
(* The object is a pool of numbers, of which every packet takes the first. *)
(* So one serial order of the packets says everything: what is left in the *)
(* pool, and which number a packet carries away.  It is any order in which *)
(* those of one flow have taken their numbers as they came.                *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS
    Input, \* flow of each packet, in order of arrival
    Pool   \* numbers in the pool at first

VARIABLES
    taken, \* packets taken so far
    order, \* those that have their number, in the order in which they got it
    left   \* packets that have left, in order: clock and number

vars == <<taken, order, left>>

Clocks == 1 .. Len(Input)
Earlier(k) == {j \in 1 .. k - 1 : Input[j] = Input[k]}
Has(s, x) == \E n \in 1 .. Len(s) : s[n] = x
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))
HasLeft(k) == \E n \in 1 .. Len(left) : left[n].clock = k

TypeOK ==
    /\ taken \in 0 .. Len(Input)
    /\ order \in Seq(Clocks)
    /\ left \in Seq([clock : Clocks, number : {Pool[n] : n \in 1 .. Len(Pool)}])

Init == taken = 0 /\ order = <<>> /\ left = <<>>

Take ==
    /\ taken < Len(Input)
    /\ taken' = taken + 1
    /\ UNCHANGED <<order, left>>

\* R3: packets get their numbers, one or several: the number of one says that another has its.
Number ==
    /\ order' # order
    /\ IsPrefix(order, order')
    /\ \A n \in Len(order) + 1 .. Len(order') :
         LET k == order'[n]
             before == SubSeq(order', 1, n - 1)
         IN  k \in 1 .. taken /\ ~Has(before, k) /\ \A j \in Earlier(k) : Has(before, j)
    /\ UNCHANGED <<taken, left>>

\* R2, R5: a packet leaves with its number; those of a flow in order, and each once.
Leave(k) ==
    /\ ~HasLeft(k)
    /\ \A j \in Earlier(k) : HasLeft(j)
    /\ \E n \in 1 .. Len(order) :
         order[n] = k /\ left' = Append(left, [clock |-> k, number |-> Pool[n]])
    /\ UNCHANGED <<taken, order>>

Inside == Number \/ \E k \in 1 .. taken : Leave(k)

Next == Take \/ Inside

(***************************************************************************)
(* LIVE: packets need not come; what is taken gets its number, and leaves, *)
(* in the end.  This is weak fairness of Inside, which is enabled as long  *)
(* as anything is left to do.                                              *)
(***************************************************************************)
IsDone == Len(order) = taken /\ Len(left) = taken

Fairness == []<>IsDone \/ []<><<Inside>>_vars

\* [][Next]_vars; TLC tries in this order, and most steps of an implementation change nothing.
Safety == Init /\ [][UNCHANGED vars \/ Next]_vars
Spec == Safety /\ Fairness
=============================================================================
