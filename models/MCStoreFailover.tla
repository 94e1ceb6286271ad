--------------------------- MODULE MCStoreFailover --------------------------
(* Bounds for StoreFailover: what the .cfg files choose from. *)
EXTENDS StoreFailover

TwoInstances == <<"pool.0", "pool.1">>
One == <<"pool.1">>
TwoOfOne == <<"pool.1", "pool.1">>
OneOfEach == <<"pool.1", "pool.0">>
ThreeNumbers == <<1, 2, 3>>
NoStart == {}
=============================================================================
