"""NF instance: each rule that it decides by itself.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.client import Client
from chc_ref.core.instance import Instance
from chc_ref.core.messages import (
    Acquire,
    Again,
    Apply,
    Checkpointed,
    Delete,
    Deleted,
    Granted,
    HandedOver,
    Holds,
    LastMark,
    Leaving,
    Packet,
    Passed,
    Recall,
    Recollection,
    Recovered,
    Release,
    ReplayEnd,
    Result,
    Send,
)
from chc_ref.core.operations import Access, Get, Increment, NetworkFunction, Outcome, Process
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


def _kinds(effects: list[Any]) -> list[type]:
    return [type(effect.message) for effect in effects if isinstance(effect, Send)]


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


# ---------------------------------------------------------------------- what mutants showed


def _owning(clocks: int = 1, **fields: Any) -> tuple[Instance, InstanceState]:
    """Give an instance that has processed some packets of a flow, and flushed nothing of it."""
    instance = _instance(eager_flush=False, **fields)
    items = [("u.0", _packet(clock)) for clock in range(1, clocks + 1)]
    state, _ = instance.take(InstanceState(), items)
    state, _ = instance.on_message(state, _granted(1, 0))
    return instance, state


def test_a_replay_ends_the_cache_of_its_flow() -> None:
    """DUP-3, CACHE-2: flushed before the store is asked, once, and then given up."""
    instance, state = _owning()
    assert [access.id.object.name for access in state.client.unflushed] == ["count"]
    later, effects = instance.take(state, [("u.0", _packet(2, epoch=1))])
    assert [flow for flow, _ in later.owned.items()] == ["A"], "another tenure is no replay"
    replayed = _packet(2, target="v.0", session=2)
    state, effects = instance.take(state, [("u.0", replayed)])
    assert _kinds(effects) == [Apply, Acquire]
    assert not state.client.unflushed
    assert not dict(state.owned.items())


def test_what_is_handed_over_is_not_kept() -> None:
    """MOVE-2, REC-4: nothing of it is flushed again, nor remembered as ours."""
    instance, state = _owning()
    state, effects = instance.take(state, [(u, LastMark("A", 1)) for u in ("u.0", "u.1")])
    assert _kinds(effects) == [Apply, Release, HandedOver]
    assert not state.client.unflushed
    _, effects = instance.on_message(state, Recall(4))
    (recollection,) = _sent(effects, Recollection)
    assert recollection.owned == ()


def test_marks_that_come_again_hand_nothing_over_again() -> None:
    """MOVE-2: the handover may still wait behind packets; it takes every splitter anew."""
    instance = _instance()
    items = [("u.0", _packet(1)), *((u, LastMark("A", 1)) for u in ("u.0", "u.1", "u.1"))]
    state, _ = instance.take(InstanceState(), items)
    _, effects = instance.on_message(state, _granted(1, 0))
    assert _sent(effects, Release) == [Release("A", 1, 0)]


def test_what_passes_through_keeps_its_order() -> None:
    """DUP-3: one that must wait for the packet itself keeps the next one back."""
    instance = _instance()
    passing = [_packet(clock, target="w.0", session=2) for clock in (3, 4)]
    items = [("u.0", packet) for packet in (_packet(3), *passing)]
    state, _ = instance.take(InstanceState(), items)
    state, effects = instance.on_message(state, _granted(3, 0))
    assert _sent(effects, Acquire) == [Acquire("A", 0, 3, peek=True)]
    peeked = attrs.evolve(_granted(3, 0, owned=False), peek=True)
    _, effects = instance.on_message(state, peeked)
    assert _sent(effects, Acquire) == [Acquire("A", 0, 4, peek=True)]


def test_what_passes_through_waits_for_nothing_else() -> None:
    """DUP-3, LIVE: neither for a later packet of its flow, nor for a replay to us."""
    instance = _instance()
    ours = _packet(3, target="v.0", session=2)
    state, _ = instance.take(InstanceState(), [("u.0", ours)])
    end = ReplayEnd("w.0", 3, (3,))
    _, effects = instance.take(state, [("u.0", end)])
    assert effects == [Announce(end)]
    state, effects = instance.take(state, [("u.0", _packet(2, target="w.0", session=3))])
    assert _sent(effects, Acquire) == [Acquire("A", 0, 2, peek=True)]
    over = attrs.evolve(_granted(2, 0, owned=False), peek=True, over=True)
    state, effects = instance.on_message(state, over)
    assert effects == [], "what waits here has been asked for"
    assert state.work is None
    marks = [(u, LastMark("A", 1)) for u in ("u.0", "u.1")]
    state, _ = instance.take(state, [*marks, ("u.0", _packet(2, target="w.0", session=3))])
    assert state.work is not None, "nor for a handover"


def test_a_recovered_store_is_asked_the_same_again() -> None:
    """REC-5, DUP-3: one that only looked looks again, and owns nothing by it."""
    instance = _instance()
    passing = _packet(3, target="w.0", session=2)
    state, effects = instance.take(InstanceState(), [("u.0", passing)])
    (asked,) = _sent(effects, Acquire)
    _, effects = instance.on_message(state, Recall(4))
    (recollection,) = _sent(effects, Recollection)
    assert recollection.again == (asked,)
    assert asked.peek


def test_an_instance_is_left_when_every_splitter_says_so() -> None:
    """CHAIN-3: nor does it tell a recovered store so before."""
    instance = _instance()
    state, effects = instance.take(InstanceState(), [("u.0", Leaving(9))])
    assert effects == []
    _, effects = instance.on_message(state, Recall(4))
    (recollection,) = _sent(effects, Recollection)
    assert recollection.again == ()
    _, effects = instance.take(state, [("u.1", Leaving(9))])
    assert _sent(effects, Holds) == [Holds("v.0", 9, 0)]


def _both(headers: Any, flow: Any, clock: int) -> Process:
    """Count the flow's packets, and wait for what others have counted."""
    yield Access("count", Increment())
    total = yield Access("total", Get())
    return Outcome((total,))


BOTH = NetworkFunction("both", COUNTER.objects, _both)


def test_a_packet_that_is_over_ends_what_it_was_in() -> None:
    """DUP-2, CACHE-2: the cache it ran on is flushed; and the next one behind it asks."""
    instance = _instance(nf=BOTH, client=Client("store", BOTH), eager_flush=False)
    state, _ = instance.take(InstanceState(), [("u.0", _packet(1)), ("u.0", _packet(2))])
    state, effects = instance.on_message(state, _granted(1, 0))
    for value, known in ((7, True), (None, False)):
        (asked,) = _sent(effects, Apply)
        state, effects = instance.on_message(state, Result(asked.id, value, known))
    assert [access.id.object.name for access in _sent(effects, Apply)] == ["count"]
    assert state.work is None
    replayed = [_packet(clock, target="v.0", session=2) for clock in (1, 2)]
    state, _ = instance.take(InstanceState(), [("u.0", packet) for packet in replayed])
    state, effects = instance.on_message(state, _granted(1, 0))
    (asked,) = _sent(effects, Apply)
    _, effects = instance.on_message(state, Result(asked.id, None, known=False))
    assert _sent(effects, Acquire) == [Acquire("A", 0, 2)]


def test_a_log_is_trimmed_to_what_no_checkpoint_has() -> None:
    """REC-5."""
    instance = _instance(client=Client("store", COUNTER, write_ahead=True))
    state, _ = instance.take(InstanceState(), [("u.0", _packet(1))])
    state, _ = instance.on_message(state, _granted(1, 0))
    first, second = state.client.issued
    state, effects = instance.on_message(state, Checkpointed(first.access.id, 0))
    assert (state.client.issued, effects) == ((second,), [])


def test_a_delete_that_is_held_back_is_not_sent_twice() -> None:
    """REC-3, CACHE-3: a root's failover asks for all, and this one has not left yet."""
    instance, state = _owning()
    unconfirmed = frozenset({state.client.unflushed[0].id})
    deletes = [Delete(clock, (), Fraction(1), ((((), 0),)), 0) for clock in (1, 2)]
    held = ((unconfirmed, Send("root", deletes[1])),)
    client = attrs.evolve(state.client, unconfirmed=unconfirmed, outbox=held)
    state = attrs.evolve(state, client=client, deletes=tuple(deletes))
    state, effects = instance.on_message(state, Again())
    assert effects == []
    assert [send.message.clock for _, send in state.client.outbox] == [2, 1]
