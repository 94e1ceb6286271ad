"""NF instance: each rule that it decides by itself.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.client import Client
from chc_ref.core.instance import Instance
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Deleted,
    Granted,
    LastMark,
    Packet,
    Passed,
    Recovered,
    Release,
    ReplayEnd,
    Send,
)
from chc_ref.core.values import Map
from chc_ref.core.work import Announce, Emit, InstanceState
from chc_ref.nfs.tiny import COUNTER

TOKENS = Map({"count": 0, "total": 1})


def _instance(**fields: Any) -> Instance:
    client = Client("store", COUNTER)
    instance = Instance("v.0", COUNTER, ("u.0", "u.1"), False, TOKENS, client, vertex="v")
    return attrs.evolve(instance, **fields)


def _packet(clock: int, **fields: Any) -> Packet:
    return attrs.evolve(Packet(clock, "A", ("x",)), **fields)


def _granted(clock: int, count: int, epoch: int = 0, *, owned: bool = True) -> Granted:
    return Granted("A", epoch, clock, (("count", count),), owned)


def _sent(effects: list[Any], kind: type) -> list[Any]:
    messages = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in messages if isinstance(message, kind)]


def test_packets_wait_for_their_flow_and_keep_its_order() -> None:
    """MOVE-3, MOVE-5: buffered until the state is here, then processed as they came."""
    instance = _instance()
    state, effects = instance.take(InstanceState(), [("u.0", _packet(1)), ("u.0", _packet(2))])
    assert _sent(effects, Acquire) == [Acquire("A", 0, 1)]
    state, effects = instance.on_message(state, _granted(1, 4))
    emitted = [effect for effect in effects if isinstance(effect, Emit)]
    assert [emit.headers for emit in emitted] == [(("x", 5),), (("x", 6),)]
    assert [emit.packet.vector for emit in emitted] == [3, 3]


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    """REC-1: it was meant for a predecessor."""
    instance = _instance()
    state, _ = instance.take(InstanceState(), [("u.0", _packet(2))])
    for answer in (_granted(1, 0), _granted(2, 0, 1), Deleted(2, (), True, 0)):
        assert instance.on_message(state, answer) == (state, [])


def test_a_flow_is_handed_over_when_every_splitter_has_moved_it() -> None:
    """MOVE-2, MOVE-6: cached operations first, then the release; downstream is told."""
    instance = _instance(eager_flush=False)
    state, _ = instance.take(InstanceState(), [("u.0", _packet(1))])
    state, effects = instance.on_message(state, _granted(1, 0))
    assert [apply.id.object.name for apply in _sent(effects, Apply)] == ["total"]
    state, effects = instance.take(state, [("u.0", LastMark("A", 1)), ("u.0", LastMark("A", 1))])
    assert effects == []
    state, effects = instance.take(state, [("u.1", LastMark("A", 1))])
    messages = [effect.message for effect in effects if effect and isinstance(effect, Send)]
    assert [type(message) for message in messages[:2]] == [Apply, Release]
    assert Announce(Passed("A", 1)) in effects
    assert instance.take(state, [("u.0", LastMark("A", 1))]) == (state, [])


def test_a_replayed_packet_reads_its_own_past_and_leaves_no_cache() -> None:
    """DUP-3, REC-1: each asks for itself, since those in between may be deleted."""
    instance = _instance()
    first = _packet(3, target="v.0", session=2)
    second = _packet(7, target="v.0", session=2)
    state, _ = instance.take(InstanceState(), [("u.0", first), ("u.0", second)])
    state, effects = instance.on_message(state, _granted(3, 2))
    assert _sent(effects, Acquire) == [Acquire("A", 0, 7)]
    emitted = [effect for effect in effects if isinstance(effect, Emit)]
    assert [(e.headers, e.packet.target) for e in emitted] == [((("x", 3),), None)]
    assert not dict(state.owned.items())


def test_a_recovery_is_over_when_its_replay_is_processed() -> None:
    """CLONE-2, REC-1: not when its last packet has come; marks that follow must not overtake."""
    instance = _instance()
    replayed = _packet(3, target="v.0", session=2)
    end = ReplayEnd("v.0", 2, (3,))
    state, effects = instance.take(
        InstanceState(), [("u.0", replayed), ("u.0", replayed), ("u.0", end)]
    )
    assert _sent(effects, Recovered) == []
    state, effects = instance.on_message(state, _granted(3, 2))
    assert _sent(effects, Recovered) == []
    _, effects = instance.on_message(state, _granted(3, 2))
    assert _sent(effects, Recovered) == [Recovered(2)]
    assert effects[-1] == Announce(end)


def test_a_packet_on_its_way_to_another_is_emulated() -> None:
    """DUP-3: nothing is updated, nothing owned; it goes on with its target."""
    instance = _instance()
    passing = _packet(3, target="w.0", session=2)
    state, effects = instance.take(InstanceState(), [("u.0", passing)])
    assert _sent(effects, Acquire) == [Acquire("A", 0, 3, peek=True)]
    peeked = attrs.evolve(_granted(3, 2, owned=False), peek=True)
    state, effects = instance.on_message(state, peeked)
    emitted = [effect.packet for effect in effects if isinstance(effect, Emit)]
    assert [(packet.target, packet.vector) for packet in emitted] == [("w.0", 3)]
    assert len(effects) == 1
    assert not dict(state.owned.items())


def test_a_packet_that_still_waits_here_is_not_overtaken_by_its_copy() -> None:
    """DUP-3: the replayed copy and the end of its replay stay behind the packet itself."""
    instance = _instance()
    items = [("u.0", _packet(3)), ("u.0", _packet(3, target="w.0", session=2))]
    end = ("u.0", ReplayEnd("w.0", 2, (3,)))
    state, effects = instance.take(InstanceState(), [*items, end])
    assert [type(effect.message) for effect in effects if isinstance(effect, Send)] == [Acquire]
    state, effects = instance.on_message(state, _granted(3, 0))
    assert [effect.packet.target for effect in effects if isinstance(effect, Emit)] == [None]
    peeked = attrs.evolve(_granted(3, 0, owned=False), peek=True)
    _, effects = instance.on_message(state, peeked)
    assert [type(effect) for effect in effects] == [Emit, Announce]
