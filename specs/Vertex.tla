-------------------------------- MODULE Vertex --------------------------------
(***************************************************************************)
(* One vertex as its operator sees it: the NF, and the packets that come.  *)
(*                                                                         *)
(* Paper: section 4.3 and Table 1.  Clauses: STORE-3, CACHE-1, CACHE-2.    *)
(*                                                                         *)
(* Each packet updates the object of its flow.  A counting NF numbers the  *)
(* packets of a flow, writes the number into the packet, and counts the    *)
(* packets of all flows in an object that they share, without waiting for  *)
(* the result.  Another one writes down the packets of a flow, in order,   *)
(* so that a lost, doubled or misplaced update is visible.                 *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS
    Flows,   \* flows that may have packets
    Packets, \* flow of each packet, in the order of arrival
    Counts   \* whether the NF is the counting one

ASSUME /\ Packets \in Seq(Flows)
       /\ Counts \in BOOLEAN

Clocks == 1 .. Len(Packets)

OwnObject == "own"        \* of the packet's flow
SharedObject == "shared"  \* of all flows
Objects == IF Counts THEN {OwnObject, SharedObject} ELSE {OwnObject}

Values == IF Counts THEN 0 .. Len(Packets) ELSE Seq(Clocks)  \* of a flow's object
ValueOf(clocks) == IF Counts THEN Len(clocks) ELSE clocks    \* after these packets
Updated(value, k) == IF Counts THEN value + 1 ELSE Append(value, k)
Shown(value) == IF Counts THEN value ELSE 0                  \* what the packet carries away

\* The packets of a flow among the first n, in order.
Came(f, n) ==
    LET isTheirs(k) == Packets[k] = f IN SelectSeq([k \in 1 .. n |-> k], isTheirs)
=============================================================================
