--------------------------------- MODULE Row ---------------------------------
(***************************************************************************)
(* A row of vertices as its operator sees it: the NFs, one behind another, *)
(* and the packets that come.                                              *)
(*                                                                         *)
(* Paper: sections 3 and 4.3, Table 1.  Clauses: CHAIN-1, STORE-3,         *)
(* CACHE-1, CACHE-2.                                                       *)
(*                                                                         *)
(* A "counter" numbers the packets of each flow, writes the number on the  *)
(* packet, and counts the packets of all flows in an object that they      *)
(* share, without waiting for the result.  A "recorder" writes down the    *)
(* packets of each flow in order, with the numbers that are on them: a     *)
(* lost, doubled or misplaced update shows, and so does a packet on which  *)
(* something else was written the second time.  A "pass" has no state.     *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS
    Flows,   \* flows that may have packets
    Packets, \* flow of each packet, in the order of arrival
    Kinds    \* what each vertex does, from the root on

ASSUME /\ Packets \in Seq(Flows)
       /\ Kinds \in Seq({"counter", "recorder", "pass"})
       /\ Kinds # <<>>

Clocks == 1 .. Len(Packets)
Vertices == 1 .. Len(Kinds)
Last == Len(Kinds)

\* The packets of a flow among the first n, in order.
Came(f, n) ==
    LET isTheirs(k) == Packets[k] = f IN SelectSeq([k \in 1 .. n |-> k], isTheirs)

-----------------------------------------------------------------------------
OwnObject == "own"        \* of the packet's flow
SharedObject == "shared"  \* of all flows

ObjectsOf(v) ==
    CASE Kinds[v] = "counter" -> {OwnObject, SharedObject}
      [] Kinds[v] = "recorder" -> {OwnObject}
      [] OTHER -> {}

\* The updates that a packet induces at a vertex, and on its whole way (DEL-1).
UpdatesAt(v) == {v} \X ObjectsOf(v)
Updates == UNION {UpdatesAt(v) : v \in Vertices}

Numbers == 0 .. Len(Packets)
Sayings == Seq(Numbers)  \* what has been written on a packet

\* What the packet adds to the object of its flow, and the object's value after such entries.
Entry(v, k, said) == [clock |-> k, said |-> IF Kinds[v] = "recorder" THEN said ELSE <<>>]
Entries == [clock : Clocks, said : Sayings]

Values == [number : Numbers, list : Seq(Entries)]  \* a counter's, a recorder's; none is a pass's
NoValue == [number |-> 0, list |-> <<>>]
Updated(v, value, entry) ==
    CASE Kinds[v] = "counter" -> [value EXCEPT !.number = @ + 1]
      [] Kinds[v] = "recorder" -> [value EXCEPT !.list = Append(@, entry)]
      [] OTHER -> value
ValueOf(v, entries) ==
    CASE Kinds[v] = "counter" -> [NoValue EXCEPT !.number = Len(entries)]
      [] Kinds[v] = "recorder" -> [NoValue EXCEPT !.list = entries]
      [] OTHER -> NoValue

\* What the NF writes on a packet, by the value after it.
Written(v, value) == IF Kinds[v] = "counter" THEN <<value.number>> ELSE <<>>

-----------------------------------------------------------------------------
(* The ideal chain: packets one after the other, in the order of their clocks (COE). *)

RECURSIVE SaidBefore(_, _)
SaidBefore(v, k) ==  \* what is on packet k when it comes to vertex v
    IF v = 1 THEN <<>>
    ELSE LET place == [NoValue EXCEPT !.number = Len(Came(Packets[k], k))]
         IN  SaidBefore(v - 1, k) \o Written(v - 1, place)

\* What is on each packet when it leaves; what all packets have added to each flow's object; and
\* its value after the first of them.
Said == [k \in Clocks |-> SaidBefore(Last + 1, k)]
IdealEntries ==
    [v \in Vertices |-> [f \in Flows |->
       LET came == Came(f, Len(Packets))
       IN  [n \in 1 .. Len(came) |-> Entry(v, came[n], SaidBefore(v, came[n]))]]]
IdealValue ==
    [v \in Vertices |-> [f \in Flows |->
       [n \in 0 .. Len(IdealEntries[v][f]) |-> ValueOf(v, SubSeq(IdealEntries[v][f], 1, n))]]]
=============================================================================
