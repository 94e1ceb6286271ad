"""Scopes and access patterns of the four NFs, and replays under splits by each (SPLIT-1)."""

from __future__ import annotations

from chc_ref.core.messages import Apply, Received
from chc_ref.core.operations import Pop
from chc_ref.core.store import StoreState
from chc_ref.core.values import Map, ObjectKey, UpdateId
from chc_ref.replay.run import default_chain
from chc_ref.require.witness import Witness


def test_what_a_dead_sender_left_behind_is_no_witness() -> None:
    """COE: an update that the store refused, since its sender is dead, has no place in the order.

    It is made once more in the replay, and behind others: with the first place kept, the ideal
    chain gave ports in another order than the store.
    """
    witness = Witness(default_chain())
    update = UpdateId(1, (), ObjectKey("nat", "free_ports", ()), 0)
    fenced = StoreState(fences=Map({"nat.0": 3}))
    witness("store", fenced, Received("nat.0", Apply(update, Pop(), 1, True, start=0)))
    assert witness.positions == {}
    witness("store", fenced, Received("nat.0", Apply(update, Pop(), 1, True, start=3)))
    assert witness.positions == {("nat", 1, ()): 0}
