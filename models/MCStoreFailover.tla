--------------------------- MODULE MCStoreFailover --------------------------
(* Bounds for StoreFailover: what the .cfg files choose from. *)
EXTENDS StoreFailover

TwoInstances == <<"pool.0", "pool.1">>
One == <<"pool.1">>
TwoOfOne == <<"pool.1", "pool.1">>
OneOfEach == <<"pool.1", "pool.0">>
ThreeNumbers == <<1, 2, 3>>
NoStart == {}

(* Another rule, which is wrong: what is signalled twice is as good as not signalled.  An   *)
(* entry whose packet has ended by the first signal is gone.                                *)
Toggled ==
    /\ Comes(Store, Root, "committed")
    /\ LET p == Head(channel[<<Store, Root>>]).clock
       IN  committed' = IF p \in committed \ ended THEN committed \ {p} ELSE committed \cup {p}
    /\ Taken(Store, Root, <<>>)
    /\ UNCHANGED <<arrived, checkpoints, crashes, recovering, ended, host, store, checkpoint, left>>
=============================================================================
