------------------------------ MODULE MCClone ------------------------------
(* Bounds for Clone: what the .cfg files choose from. *)
EXTENDS CloneCorrect

OnePacket == <<"A">>
TwoPackets == <<"A", "A">>
TwoFlows == <<"A", "B">>

NoState == {}
FirstHasState == {1}
SecondHasState == {2}
BothHaveState == {1, 2}

NoItems == {}

=============================================================================
