"""Caches: what the client library, the instance around it and the store do, each by itself.

Table 1 with CACHE-1 .. CACHE-3, STORE-6, STORE-9. Ordered as init, act, check; each test names
its clause.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from by_hand import ALL, HOT_KEY, KEY, TOTAL, apply, instance_of, packet_of, update_id

from chc_ref.core.client import Client, ClientState
from chc_ref.core.instance import Instance
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Cache,
    CacheKnown,
    Callback,
    Committed,
    Delete,
    Drain,
    Drained,
    Drawn,
    Granted,
    HandedOver,
    LastMark,
    Passed,
    Recall,
    Received,
    Recollection,
    Release,
    Result,
    Send,
    Start,
)
from chc_ref.core.operations import (
    Draw,
    Get,
    Increment,
    OperationFailed,
    Pattern,
    StateObject,
    Strategy,
)
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Map, ObjectKey
from chc_ref.core.work import Announce, Emit, InstanceState
from chc_ref.nfs.tiny import HOT, LIMIT

# --------------------------------------------------------------------------- Table 1


@pytest.mark.parametrize(
    ("per_flow", "pattern", "strategy"),
    [
        (False, Pattern.WRITE_MOSTLY, Strategy.OFFLOADED),  # CACHE-1
        (True, Pattern.WRITE_MOSTLY, Strategy.OWNED),  # CACHE-2
        (True, Pattern.READ_MOSTLY, Strategy.OWNED),
        (True, Pattern.BOTH, Strategy.OWNED),
        (False, Pattern.READ_MOSTLY, Strategy.COPIED),  # CACHE-3
        (False, Pattern.BOTH, Strategy.ALONE),  # CACHE-4
    ],
)
def test_the_strategies_of_table_1(per_flow: bool, pattern: Pattern, strategy: Strategy) -> None:
    """CACHE-1 .. CACHE-4: how an object is accessed decides, and who keys it."""
    assert StateObject("x", per_flow, pattern=pattern).strategy is strategy


def test_what_nobody_declares_otherwise_is_not_cached() -> None:
    """CACHE-1: the pattern of an object that says nothing of it is the first of Table 1."""
    assert StateObject("x", False).strategy is Strategy.OFFLOADED


# --------------------------------------------------------------------------- client library

CLIENT = Client("store", ALL)


def _with(key: ObjectKey, value: Any, *, alone: bool = True, copies: bool = True) -> ClientState:
    """Give the library with one copy."""
    cache = Cache(alone, copies)
    return ClientState(cache=cache, copies=Map({key: value}))


@pytest.mark.parametrize(
    ("key", "operation", "blocking", "registers"),
    [
        (TOTAL, Get(), True, False),
        (TOTAL, Increment(), True, False),
        (KEY, Get(), True, True),
        (KEY, Get(), False, False),
        (KEY, Increment(), True, False),
        (HOT_KEY, Get(), True, True),
        (HOT_KEY, Increment(), True, True),
        (HOT_KEY, Increment(), False, False),
    ],
)
def test_who_asks_for_a_copy(
    key: ObjectKey, operation: Any, blocking: bool, registers: bool
) -> None:
    """CACHE-1, CACHE-3, CACHE-4: whoever waits for an answer may get a copy with it."""
    access = apply(1, key, operation, blocking=blocking)
    _, send = CLIENT.issue(ClientState(start=4), access)
    assert send == Send("store", attrs.evolve(access, register=registers, start=4))


@pytest.mark.parametrize(
    ("key", "cache", "keeps"),
    [
        (TOTAL, Cache(True), False),
        (KEY, Cache(True), True),
        (KEY, Cache(False), True),
        (KEY, Cache(False, copies=False), False),
        (HOT_KEY, Cache(True), True),
        (HOT_KEY, Cache(False), False),
        (HOT_KEY, Cache(False, copies=False), False),
    ],
)
def test_a_copy_is_asked_for_and_kept_as_far_as_that_is_allowed(
    key: ObjectKey, cache: Cache, keeps: bool
) -> None:
    """CACHE-3, CACHE-4: and only the one that comes with the answer to that access."""
    access = apply(1, key, Get())
    state, send = CLIENT.issue(ClientState(cache=cache), access)
    assert send.message.register is keeps
    result = Result(access.id, 3, copy=(3,))
    assert dict(_kept(state, result).items()) == ({key: 3} if keeps else {})
    for other in (attrs.evolve(result, copy=()), attrs.evolve(result, id=update_id(2, key))):
        assert dict(_kept(state, other).items()) == {}


def _kept(state: ClientState, result: Result) -> Map[ObjectKey, Any]:
    return CLIENT.on_result(state, result).copies


@pytest.mark.parametrize("key", [KEY, HOT_KEY])
def test_a_copy_that_was_under_way_when_the_rules_changed_is_dropped(key: ObjectKey) -> None:
    """CACHE-4, REC-5: whatever they are now, others may have changed the object since."""
    access = apply(1, key, Get())
    state, _ = CLIENT.issue(ClientState(), access)
    result = Result(access.id, 3, copy=(3,))
    for cache in (Cache(True), Cache(False), Cache(False, copies=False)):
        assert dict(_kept(CLIENT.on_cache(state, cache), result).items()) == {}
    assert dict(_kept(CLIENT.on_recall(state), result).items()) == {}


@pytest.mark.parametrize(
    ("key", "operation", "cache", "seen"),
    [
        (KEY, Get(), Cache(True), (7,)),
        (KEY, Get(), Cache(False), (7,)),
        (KEY, Get(), Cache(False, copies=False), None),
        (KEY, Increment(), Cache(True), None),
        (HOT_KEY, Get(), Cache(True), (7,)),
        (HOT_KEY, Increment(2), Cache(True), (9,)),
        (HOT_KEY, Get(), Cache(False), None),
        (HOT_KEY, Increment(), Cache(False), None),
        (HOT_KEY, Draw(), Cache(True), None),
        (TOTAL, Get(), Cache(True), None),
    ],
)
def test_what_a_copy_may_serve(
    key: ObjectKey, operation: Any, cache: Cache, seen: tuple[Any, ...] | None
) -> None:
    """CACHE-1, CACHE-3, CACHE-4, STORE-9: reads of a copied object; all of one that is ours."""
    served = CLIENT.serve(
        _with(key, 7, alone=cache.alone, copies=cache.copies),
        apply(1, key, operation, blocking=False),
    )
    if seen is None:
        assert served is None
        return
    assert served is not None
    state, access = served
    # The store is told, and its answer confirms it, though nobody waits for the result.
    assert access == apply(1, key, operation, seen=seen)
    assert state.unconfirmed == {access.id}
    assert state.copies[key] == seen[0]


def test_nothing_is_served_without_a_copy() -> None:
    """CACHE-3, CACHE-4: a copy of one object says nothing of another's."""
    assert CLIENT.serve(ClientState(), apply(1, KEY, Get())) is None
    other = apply(1, attrs.evolve(HOT_KEY, key="B"), Get())
    assert CLIENT.serve(_with(HOT_KEY, 7), other) is None


def test_an_update_at_the_store_ends_a_copy_that_is_ours_alone() -> None:
    """CACHE-4: what is at the store is newer now, and no callback comes for it."""
    update = apply(1, HOT_KEY, Increment())
    state, _ = CLIENT.issue(_with(HOT_KEY, 7), update)
    assert dict(state.copies.items()) == {}
    served = CLIENT.serve(_with(HOT_KEY, 7), update)
    assert served is not None
    state, _ = CLIENT.issue(*served)
    assert dict(state.copies.items()) == {HOT_KEY: 8}


def test_a_confirmation_brings_no_older_copy() -> None:
    """CACHE-4: the copy at hand has been updated since it was asked for."""
    state = _with(HOT_KEY, 7)
    ids = []
    for clock in (1, 2):
        served = CLIENT.serve(state, apply(clock, HOT_KEY, Increment()))
        assert served is not None
        state, send = CLIENT.issue(*served)
        ids.append(send.message.id)
    state = CLIENT.on_result(state, Result(ids[0], 8, copy=(8,)))
    assert (state.copies[HOT_KEY], set(state.unconfirmed)) == (9, {ids[1]})


def test_a_callback_refreshes_a_copy_that_is_there() -> None:
    """CACHE-3: and makes none where it was dropped."""
    state = CLIENT.on_callback(_with(KEY, 7), Callback(KEY, 8))
    assert dict(state.copies.items()) == {KEY: 8}
    assert CLIENT.on_callback(ClientState(), Callback(KEY, 8)) == ClientState()


@pytest.mark.parametrize("cache", [Cache(True), Cache(False), Cache(False, copies=False)])
def test_copies_are_dropped_when_the_rules_for_them_change(cache: Cache) -> None:
    """CACHE-4: also when they are allowed again: they are not fresh any more."""
    state = CLIENT.on_cache(_with(KEY, 7), cache)
    assert (state.cache, dict(state.copies.items())) == (cache, {})


def test_copies_are_dropped_when_the_store_has_failed() -> None:
    """CACHE-3, REC-5: its failover does not know who keeps any."""
    assert dict(CLIENT.on_recall(_with(KEY, 7)).copies.items()) == {}


# --------------------------------------------------------------------------- instance


def _messages(effects: list[Any], kind: type) -> list[Any]:
    messages = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in messages if isinstance(message, kind)]


def _emitted(effects: list[Any]) -> list[Any]:
    return [effect.headers[0] for effect in effects if isinstance(effect, Emit)]


def _clocks(effects: list[Any]) -> list[int]:
    """Give the clocks of what leaves, if nothing but packets does."""
    return [effect.packet.clock for effect in effects]


def _with_copy(instance: Instance, key: ObjectKey = KEY, value: int = 5) -> InstanceState:
    """Give the instance with flow B and a copy: packet 1 has been answered by the store."""
    state, _ = instance.take(InstanceState(), [("u.0", packet_of(1))])
    state, effects = instance.on_message(state, Granted("B", 0, 1, (), True))
    (asked,) = _messages(effects, Apply)
    assert (asked.register, asked.seen) == (True, ())
    state, effects = instance.on_message(state, Result(asked.id, value, copy=(value,)))
    assert _emitted(effects) == [("x", value)]
    return state


def test_output_waits_until_the_store_has_what_it_was_computed_from() -> None:
    """CACHE-3: the copy serves at once; in order, each leaves when its reads are confirmed."""
    instance = instance_of(LIMIT)
    state = _with_copy(instance)
    for clock in (2, 3):
        state, effects = instance.take(state, [("u.0", packet_of(clock))])
        (read,) = _messages(effects, Apply)
        assert (read.id, read.seen, read.blocking) == (update_id(clock), (5,), True)
        assert len(effects) == 1
    state, effects = instance.on_message(state, Callback(KEY, 6))
    assert effects == []
    state, effects = instance.on_message(state, Result(update_id(2), 5, copy=(6,)))
    assert _clocks(effects) == [2]
    state, effects = instance.on_message(state, Result(update_id(3), 5, copy=(6,)))
    assert _clocks(effects) == [3]
    state, effects = instance.take(state, [("u.0", packet_of(4))])
    assert _messages(effects, Apply)[0].seen == (6,)


def test_without_that_rule_output_leaves_at_once() -> None:
    """CACHE-3: the wait is one rule of the protocol, and can be taken out."""
    rules = attrs.evolve(AMENDED, commits_first=lambda pending: False)
    instance = instance_of(LIMIT, rules=rules)
    _, effects = instance.take(_with_copy(instance), [("u.0", packet_of(2))])
    assert _emitted(effects) == [("x", 5)]


def test_only_what_others_may_go_on_from_waits() -> None:
    """CACHE-3, MOVE-2, MOVE-6: requests go out at once, and marks stay behind the output."""
    instance = instance_of(LIMIT)
    state, _ = instance.take(_with_copy(instance), [("u.0", packet_of(2))])
    items = [("u.0", LastMark("B", 1)), ("u.0", packet_of(3, "C"))]
    state, effects = instance.take(state, items)
    assert [(send.to, type(send.message)) for send in effects if isinstance(send, Send)] == [
        ("store", Release),
        ("manager", HandedOver),
        ("store", Acquire),
    ]
    assert len(effects) == 3
    _, effects = instance.on_message(state, Result(update_id(2), 5))
    assert [type(effect) for effect in effects] == [Emit, Announce]
    assert effects[1] == Announce(Passed("B", 1))


def test_a_delete_waits_as_output_does() -> None:
    """CACHE-3, REC-2: once the root has it, the packet is replayed to nobody."""
    instance = instance_of(LIMIT, last=True)
    state, _ = instance.take(InstanceState(), [("u.0", packet_of(1))])
    state, _ = instance.on_message(state, Granted("B", 0, 1, (), True))
    state = attrs.evolve(state, work=None, client=attrs.evolve(state.client, copies=Map({KEY: 5})))
    state, effects = instance.take(state, [("u.0", packet_of(2))])
    assert _messages(effects, Delete) == []
    _, effects = instance.on_message(state, Result(update_id(2), 5))
    assert [delete.clock for delete in _messages(effects, Delete)] == [2]


def test_a_replayed_packet_is_not_served_from_a_copy() -> None:
    """DUP-2, DUP-3: it must see what the store has on record for it."""
    instance = instance_of(LIMIT)
    replayed = packet_of(2, target="v.0", session=3)
    state, _ = instance.take(_with_copy(instance), [("u.0", replayed)])
    state, effects = instance.on_message(state, Granted("B", 0, 2, (), True))
    assert [read.seen for read in _messages(effects, Apply)] == [()]
    _, effects = instance.on_message(state, Result(update_id(2), 4, copy=(5,)))
    assert _emitted(effects) == [("x", 4)]


def test_an_object_is_served_locally_while_it_is_ours_alone() -> None:
    """CACHE-4: then at the store again, and the manager is told when all has been confirmed."""
    instance, hot = instance_of(HOT), ObjectKey("v", "hot", "B")
    state = _with_copy(instance, hot)
    for clock in (2, 3):
        state, effects = instance.take(state, [("u.0", packet_of(clock))])
        assert [access.seen for access in _messages(effects, Apply)] == [(clock + 4,)]
    state, effects = instance.on_message(state, Cache(False))
    assert effects == []
    state, effects = instance.on_message(state, Result(update_id(2, hot), 6, copy=(6,)))
    assert _emitted(effects) == [("x", 6)]
    assert _messages(effects, CacheKnown) == []
    state, effects = instance.on_message(state, Result(update_id(3, hot), 7, copy=(7,)))
    assert _emitted(effects) == [("x", 7)]
    assert effects[-1] == Send("manager", CacheKnown(Cache(False)))
    state, effects = instance.take(state, [("u.0", packet_of(4))])
    assert [access.seen for access in _messages(effects, Apply)] == [()]
    state, effects = instance.on_message(state, Result(update_id(4, hot), 9, copy=(9,)))
    assert _emitted(effects) == [("x", 9)]
    _, effects = instance.take(state, [("u.0", packet_of(5))])  # that answer left no copy behind
    assert [access.seen for access in _messages(effects, Apply)] == [()]


def test_caches_are_given_up_at_once_when_nothing_is_unconfirmed() -> None:
    """CACHE-4: and the answer names what was asked, for an earlier one may be under way."""
    instance = instance_of(HOT)
    for cache in (Cache(False), Cache(True), Cache(False, copies=False)):
        state, effects = instance.on_message(InstanceState(), cache)
        assert effects == [Send("manager", CacheKnown(cache))]
        assert state.client.cache == cache


def test_an_instance_tells_by_way_of_its_store_that_all_is_done() -> None:
    """CACHE-4, STORE-6: behind everything that it has sent there, confirmed or not."""
    instance = instance_of(HOT)
    state, _ = instance.take(
        _with_copy(instance, ObjectKey("v", "hot", "B")), [("u.0", packet_of(2))]
    )
    _, effects = instance.on_message(state, Drain(1))
    assert effects == [Send("store", Drained("v.0", 1))]
    assert _store(("v.0", Drained("v.0", 1)))[1] == [Send("manager", Drained("v.0", 1))]


def test_a_store_that_failed_is_told_again_what_it_has_not_confirmed() -> None:
    """CACHE-3, REC-5: with what was seen; and no copy serves until there is a new one."""
    instance = instance_of(LIMIT)
    instance = attrs.evolve(instance, client=attrs.evolve(instance.client, write_ahead=True))
    state, effects = instance.take(_with_copy(instance), [("u.0", packet_of(2))])
    (read,) = _messages(effects, Apply)
    state, effects = instance.on_message(state, Recall(6))
    (recollection,) = _messages(effects, Recollection)
    assert (recollection.session, recollection.again) == (6, (read,))
    assert len(effects) == 1
    state, effects = instance.take(state, [("u.0", packet_of(3))])
    assert [access.seen for access in _messages(effects, Apply)] == [()]


def test_a_read_sees_the_updates_that_its_own_instance_has_under_way() -> None:
    """STORE-6, CACHE-3: an update that is not acknowledged yet is in no copy."""
    instance = instance_of(LIMIT)
    state = _with_copy(instance)
    state, _ = instance.take(state, [("u.0", packet_of(2, "A"))])
    state, effects = instance.on_message(state, Granted("A", 0, 2, (), True))
    update, read = _messages(effects, Apply)
    assert update.operation == Increment()
    assert (read.operation, read.seen) == (Get(), ())


# --------------------------------------------------------------------------- store


def _store(*events: Any, state: StoreState | None = None) -> tuple[StoreState, list[Send]]:
    """Give the store behind all events, (source, message) or a timer, and what it sends."""
    store, sends = Store(Map({"v": ALL.objects})), []
    state = store.initial if state is None else state
    for event in events:
        what = Received(*event) if isinstance(event, tuple) else event
        state, more = store.step(state, what)
        sends += more
    return state, sends


READ = apply(1, KEY, Get(), register=True)


def test_a_reader_is_told_of_every_change() -> None:
    """CACHE-3: once it has read with a copy; the value comes along, before anything later."""
    state, sends = _store(("v.0", READ))
    assert sends == [Send("v.0", Result(READ.id, 0, copy=(0,)))]
    update = apply(2, KEY, Increment())
    state, sends = _store(("v.1", update), state=state)
    assert sends == [
        Send("v.0", Callback(KEY, 1)),
        Send("v.1", Result(update.id, 1)),
        Send("root", Committed(2, (), 1)),
    ]
    # A read of the present value by another: both are told from now on.
    state, sends = _store(("v.1", attrs.evolve(READ, id=update_id(3))), state=state)
    assert sends == [Send("v.1", Result(update_id(3), 1, copy=(1,)))]
    _, sends = _store(("v.2", apply(4, KEY, Increment(), blocking=False)), state=state)
    assert sends[:2] == [Send(reader, Callback(KEY, 2)) for reader in ("v.0", "v.1")]


def test_the_updater_has_its_own_callback_before_its_answer() -> None:
    """CACHE-3, STORE-6: what it reads from its copy then has its update in it."""
    update = apply(2, KEY, Increment())
    _, sends = _store(("v.0", READ), ("v.0", update))
    assert sends[1:3] == [Send("v.0", Callback(KEY, 1)), Send("v.0", Result(update.id, 1))]


def test_who_keeps_no_copy_is_told_nothing() -> None:
    """CACHE-1, CACHE-3, CACHE-4: neither a plain reader, nor one of another object."""
    other = attrs.evolve(READ, id=update_id(1, attrs.evolve(KEY, key="B")))
    plain = attrs.evolve(READ, id=update_id(3), register=False)
    total = apply(4, TOTAL, Get())
    alone = apply(5, HOT_KEY, Get(), register=True)  # nobody else changes it
    state, sends = _store(*(("v.0", read) for read in (other, plain, total, alone)))
    assert [send.message.copy for send in sends] == [(0,), (), (), (0,)]
    updates = [apply(9, key, Increment(), blocking=False) for key in (KEY, TOTAL, HOT_KEY)]
    _, sends = _store(*(("v.1", update) for update in updates), state=state)
    assert {type(send.message) for send in sends} == {Committed}


def test_a_repeat_does_not_change_a_copy() -> None:
    """DUP-2, CACHE-3: no callback for it; a repeated read gets its result, and a fresh copy."""
    update = apply(2, KEY, Increment())
    state, _ = _store(("v.0", READ), ("v.1", update))
    _, sends = _store(("v.1", update), ("v.2", READ), state=state)
    assert sends == [
        Send("v.1", Result(update.id, 1)),
        Send("v.2", Result(READ.id, 0, copy=(1,))),
    ]


def test_the_record_has_what_was_seen_in_a_copy() -> None:
    """CACHE-3, DUP-2: whoever processes the packet again must see the same."""
    seen = apply(3, KEY, Get(), seen=(0,))
    updated = ("v.1", apply(2, KEY, Increment(), blocking=False))
    state, sends = _store(updated, ("v.0", seen))
    assert sends[-1] == Send("v.0", Result(seen.id, 0))
    _, sends = _store(("v.1", attrs.evolve(seen, seen=())), state=state)
    assert sends == [Send("v.1", Result(seen.id, 0))]


def test_an_update_served_from_a_cache_is_applied_at_the_store_too() -> None:
    """CACHE-4: operations are sent, and not values; once, whoever sends it (DUP-2)."""
    update = apply(2, HOT_KEY, Increment(), seen=(1,))
    state, sends = _store(("v.0", update), ("v.0", update))
    assert state.memory.values[HOT_KEY] == 1
    assert sends == [
        Send("v.0", Result(update.id, 1)),
        Send("root", Committed(2, (), 1)),
        Send("v.0", Result(update.id, 1)),
    ]


def test_a_failover_of_the_store_knows_of_no_copies() -> None:
    """CACHE-3, REC-5: readers drop theirs when it asks them, and register anew."""
    store = Store(Map({"v": ALL.objects}), stamps=True)
    state, _ = store.step(store.initial, Received("v.0", READ))
    state, _ = store.step(state, Received("manager", Start((), 3)))
    update = apply(2, KEY, Increment(), blocking=False)
    _, sends = store.step(state, Received("v.1", update))
    assert sends == [Send("root", Committed(2, (), 1))]


def test_a_value_is_drawn_once_at_the_store() -> None:
    """STORE-9: whoever repeats the update gets what the first one drew (DUP-2)."""
    first, second, third = (apply(clock, TOTAL, Draw()) for clock in (1, 2, 3))
    state, sends = _store(Drawn(7), ("v.0", first), ("v.1", second))
    assert [send.message.value for send in sends if isinstance(send.message, Result)] == [7, 7]
    state, sends = _store(Drawn(8), ("v.1", first), ("v.0", third), ("v.1", second), state=state)
    results = [(s.to, s.message.value) for s in sends if isinstance(s.message, Result)]
    assert results == [("v.1", 7), ("v.0", 8), ("v.1", 7)]
    assert [s.message.clock for s in sends if isinstance(s.message, Committed)] == [3]
    assert state.memory.values[TOTAL] == 8


def test_nobody_draws_a_value_but_the_store() -> None:
    """STORE-9, STORE-7: elsewhere the operation fails and changes nothing."""
    value, result = Draw().apply(5)
    assert value == 5
    assert isinstance(result, OperationFailed)
