----------------------------- MODULE SharedVertex -----------------------------
(***************************************************************************)
(* One vertex whose flows share an object, as its operator sees it: the    *)
(* NF, and the packets that come.                                          *)
(*                                                                         *)
(* Paper: section 4.3 and Table 1.  Clauses: STORE-3, CACHE-3, CACHE-4.    *)
(*                                                                         *)
(* There are two NFs.  "hot" numbers all packets of a host: every packet   *)
(* raises the number of its host, and carries it away, so that the object  *)
(* is written and read often.  "limit" has one object that is read mostly: *)
(* every packet carries its value away, and the packets of some flows      *)
(* raise it first, without waiting for the result.                         *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS
    Flows,   \* flows that may have packets
    Packets, \* flow of each packet, in the order of arrival
    Kind,    \* the NF
    HostOf,  \* host of each flow, which has an object of its own at "hot"
    Raising  \* flows that raise the object of "limit"

ASSUME /\ Packets \in Seq(Flows)
       /\ Kind \in {"hot", "limit"}
       /\ DOMAIN HostOf = Flows
       /\ Raising \subseteq Flows

Clocks == 1 .. Len(Packets)
Numbers == 0 .. Len(Packets)  \* values of an object, which begins with 0

Keys == IF Kind = "hot" THEN {HostOf[f] : f \in Flows} ELSE {"all"}
KeyOfFlow(f) == IF Kind = "hot" THEN HostOf[f] ELSE "all"
KeyOf(k) == KeyOfFlow(Packets[k])
Raises(k) == Kind = "hot" \/ Packets[k] \in Raising

\* The packets of a flow among the first n, in order.
Came(f, n) ==
    LET isTheirs(k) == Packets[k] = f IN SelectSeq([k \in 1 .. n |-> k], isTheirs)

-----------------------------------------------------------------------------
(***************************************************************************)
(* COE, R3: what packets carry away when one instance processes them one   *)
(* after the other, in some order that keeps the order of each flow.       *)
(***************************************************************************)
Orders ==  \* of the first n packets
    [n \in Numbers |->
       {o \in [1 .. n -> 1 .. n] :
          \A a, b \in 1 .. n : a < b => /\ o[a] # o[b]
                                          /\ Packets[o[a]] = Packets[o[b]] => o[a] < o[b]}]

RaisedIn(order, key) ==
    LET does(k) == Raises(k) /\ KeyOf(k) = key IN SelectSeq(order, does)

CarriesAway(order, n) == Len(RaisedIn(SubSeq(order, 1, n), KeyOf(order[n])))
=============================================================================
