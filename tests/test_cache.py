"""Caches, drawn values, and chains with several stores and roots.

The client library, the instance around it, the store and the manager, each by itself: Table 1
with CACHE-1 .. CACHE-4, STORE-6, STORE-8, STORE-9, SPLIT-2, SPLIT-4, CHAIN-4. Ordered as init,
act, check; each test names its clause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from chc_ref.core.chain import Chain, Physical, Vertex, compile_chain
from chc_ref.core.client import Client, ClientState
from chc_ref.core.directory import ManagerState
from chc_ref.core.instance import Instance
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Arrive,
    Cache,
    CacheKnown,
    Callback,
    Committed,
    Crashed,
    Delete,
    Drain,
    Drained,
    Drawn,
    Failed,
    Fence,
    Fenced,
    Granted,
    HandedOver,
    LastMark,
    Move,
    MoveRequested,
    Packet,
    Passed,
    Ready,
    Recall,
    Received,
    Recollection,
    Release,
    Replay,
    Result,
    Send,
    Start,
)
from chc_ref.core.node import Entry, Node, Sink
from chc_ref.core.operations import (
    FLOW,
    Access,
    Draw,
    Get,
    Increment,
    NetworkFunction,
    OperationFailed,
    Outcome,
    Pattern,
    Process,
    Scope,
    StateObject,
    Strategy,
)
from chc_ref.core.partition import home
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Map, ObjectKey, UpdateId, clock_of, root_of
from chc_ref.core.work import Announce, Emit, InstanceState
from chc_ref.errors import UsageError
from chc_ref.nfs.tiny import COUNTER, HOST, HOT, LIMIT, MARKER
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World

OFFLOADED = StateObject("total", False, 0)
COPIED = StateObject("limit", False, 0, accesses=2, pattern=Pattern.READ_MOSTLY)
ALONE = StateObject("hot", False, 0, accesses=2, pattern=Pattern.BOTH, scope="host")


def _nothing(headers: Any, flow: Any, clock: int) -> Process:
    yield from ()
    return Outcome((headers,))


ALL = NetworkFunction("all", (OFFLOADED, COPIED, ALONE), _nothing, (FLOW, HOST))
TOTAL, KEY, HOT_KEY = (ObjectKey("v", name, ()) for name in ("total", "limit", "hot"))


def _apply(clock: int, key: ObjectKey, operation: Any, **fields: Any) -> Apply:
    access = Apply(UpdateId(clock, (), key, 0), operation, 1, True)
    return attrs.evolve(access, **fields)


def _id(clock: int, key: ObjectKey = KEY, seq: int = 0) -> UpdateId:
    return UpdateId(clock, (), key, seq)


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
    access = _apply(1, key, operation, blocking=blocking)
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
    access = _apply(1, key, Get())
    state, send = CLIENT.issue(ClientState(cache=cache), access)
    assert send.message.register is keeps
    result = Result(access.id, 3, copy=(3,))
    assert dict(_kept(state, result).items()) == ({key: 3} if keeps else {})
    for other in (attrs.evolve(result, copy=()), attrs.evolve(result, id=_id(2, key))):
        assert dict(_kept(state, other).items()) == {}


def _kept(state: ClientState, result: Result) -> Map[ObjectKey, Any]:
    return CLIENT.on_result(state, result).copies


@pytest.mark.parametrize("key", [KEY, HOT_KEY])
def test_a_copy_that_was_under_way_when_the_rules_changed_is_dropped(key: ObjectKey) -> None:
    """CACHE-4, REC-5: whatever they are now, others may have changed the object since."""
    access = _apply(1, key, Get())
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
        _apply(1, key, operation, blocking=False),
    )
    if seen is None:
        assert served is None
        return
    assert served is not None
    state, access = served
    # The store is told, and its answer confirms it, though nobody waits for the result.
    assert access == _apply(1, key, operation, seen=seen)
    assert state.unconfirmed == {access.id}
    assert state.copies[key] == seen[0]


def test_nothing_is_served_without_a_copy() -> None:
    """CACHE-3, CACHE-4: a copy of one object says nothing of another's."""
    assert CLIENT.serve(ClientState(), _apply(1, KEY, Get())) is None
    other = _apply(1, attrs.evolve(HOT_KEY, key="B"), Get())
    assert CLIENT.serve(_with(HOT_KEY, 7), other) is None


def test_an_update_at_the_store_ends_a_copy_that_is_ours_alone() -> None:
    """CACHE-4: what is at the store is newer now, and no callback comes for it."""
    update = _apply(1, HOT_KEY, Increment())
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
        served = CLIENT.serve(state, _apply(clock, HOT_KEY, Increment()))
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


def _instance(nf: NetworkFunction, **fields: Any) -> Instance:
    client = Client("store", nf, rules=fields.get("rules", AMENDED))
    tokens = Map({declared.name: 0 for declared in nf.objects})
    instance = Instance("v.0", nf, ("u.0",), False, tokens, client, vertex="v")
    return attrs.evolve(instance, **fields)


def _packet(clock: int, flow: str = "B", **fields: Any) -> Packet:
    return attrs.evolve(Packet(clock, flow, ("x",)), **fields)


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
    state, _ = instance.take(InstanceState(), [("u.0", _packet(1))])
    state, effects = instance.on_message(state, Granted("B", 0, 1, (), True))
    (asked,) = _messages(effects, Apply)
    assert (asked.register, asked.seen) == (True, ())
    state, effects = instance.on_message(state, Result(asked.id, value, copy=(value,)))
    assert _emitted(effects) == [("x", value)]
    return state


def test_output_waits_until_the_store_has_what_it_was_computed_from() -> None:
    """CACHE-3: the copy serves at once; in order, each leaves when its reads are confirmed."""
    instance = _instance(LIMIT)
    state = _with_copy(instance)
    for clock in (2, 3):
        state, effects = instance.take(state, [("u.0", _packet(clock))])
        (read,) = _messages(effects, Apply)
        assert (read.id, read.seen, read.blocking) == (_id(clock), (5,), True)
        assert len(effects) == 1
    state, effects = instance.on_message(state, Callback(KEY, 6))
    assert effects == []
    state, effects = instance.on_message(state, Result(_id(2), 5, copy=(6,)))
    assert _clocks(effects) == [2]
    state, effects = instance.on_message(state, Result(_id(3), 5, copy=(6,)))
    assert _clocks(effects) == [3]
    state, effects = instance.take(state, [("u.0", _packet(4))])
    assert _messages(effects, Apply)[0].seen == (6,)


def test_without_that_rule_output_leaves_at_once() -> None:
    """CACHE-3: the wait is one rule of the protocol, and can be taken out."""
    rules = attrs.evolve(AMENDED, commits_first=lambda pending: False)
    instance = _instance(LIMIT, rules=rules)
    _, effects = instance.take(_with_copy(instance), [("u.0", _packet(2))])
    assert _emitted(effects) == [("x", 5)]


def test_only_what_others_may_go_on_from_waits() -> None:
    """CACHE-3, MOVE-2, MOVE-6: requests go out at once, and marks stay behind the output."""
    instance = _instance(LIMIT)
    state, _ = instance.take(_with_copy(instance), [("u.0", _packet(2))])
    items = [("u.0", LastMark("B", 1)), ("u.0", _packet(3, "C"))]
    state, effects = instance.take(state, items)
    assert [(send.to, type(send.message)) for send in effects if isinstance(send, Send)] == [
        ("store", Release),
        ("manager", HandedOver),
        ("store", Acquire),
    ]
    assert len(effects) == 3
    _, effects = instance.on_message(state, Result(_id(2), 5))
    assert [type(effect) for effect in effects] == [Emit, Announce]
    assert effects[1] == Announce(Passed("B", 1))


def test_a_delete_waits_as_output_does() -> None:
    """CACHE-3, REC-2: once the root has it, the packet is replayed to nobody."""
    instance = _instance(LIMIT, last=True)
    state, _ = instance.take(InstanceState(), [("u.0", _packet(1))])
    state, _ = instance.on_message(state, Granted("B", 0, 1, (), True))
    state = attrs.evolve(state, work=None, client=attrs.evolve(state.client, copies=Map({KEY: 5})))
    state, effects = instance.take(state, [("u.0", _packet(2))])
    assert _messages(effects, Delete) == []
    _, effects = instance.on_message(state, Result(_id(2), 5))
    assert [delete.clock for delete in _messages(effects, Delete)] == [2]


def test_a_replayed_packet_is_not_served_from_a_copy() -> None:
    """DUP-2, DUP-3: it must see what the store has on record for it."""
    instance = _instance(LIMIT)
    replayed = _packet(2, target="v.0", session=3)
    state, _ = instance.take(_with_copy(instance), [("u.0", replayed)])
    state, effects = instance.on_message(state, Granted("B", 0, 2, (), True))
    assert [read.seen for read in _messages(effects, Apply)] == [()]
    _, effects = instance.on_message(state, Result(_id(2), 4, copy=(5,)))
    assert _emitted(effects) == [("x", 4)]


def test_an_object_is_served_locally_while_it_is_ours_alone() -> None:
    """CACHE-4: then at the store again, and the manager is told when all has been confirmed."""
    instance, hot = _instance(HOT), ObjectKey("v", "hot", "B")
    state = _with_copy(instance, hot)
    for clock in (2, 3):
        state, effects = instance.take(state, [("u.0", _packet(clock))])
        assert [access.seen for access in _messages(effects, Apply)] == [(clock + 4,)]
    state, effects = instance.on_message(state, Cache(False))
    assert effects == []
    state, effects = instance.on_message(state, Result(_id(2, hot), 6, copy=(6,)))
    assert _emitted(effects) == [("x", 6)]
    assert _messages(effects, CacheKnown) == []
    state, effects = instance.on_message(state, Result(_id(3, hot), 7, copy=(7,)))
    assert _emitted(effects) == [("x", 7)]
    assert effects[-1] == Send("manager", CacheKnown(Cache(False)))
    state, effects = instance.take(state, [("u.0", _packet(4))])
    assert [access.seen for access in _messages(effects, Apply)] == [()]
    state, effects = instance.on_message(state, Result(_id(4, hot), 9, copy=(9,)))
    assert _emitted(effects) == [("x", 9)]
    _, effects = instance.take(state, [("u.0", _packet(5))])  # that answer left no copy behind
    assert [access.seen for access in _messages(effects, Apply)] == [()]


def test_caches_are_given_up_at_once_when_nothing_is_unconfirmed() -> None:
    """CACHE-4: and the answer names what was asked, for an earlier one may be under way."""
    instance = _instance(HOT)
    for cache in (Cache(False), Cache(True), Cache(False, copies=False)):
        state, effects = instance.on_message(InstanceState(), cache)
        assert effects == [Send("manager", CacheKnown(cache))]
        assert state.client.cache == cache


def test_an_instance_tells_by_way_of_its_store_that_all_is_done() -> None:
    """CACHE-4, STORE-6: behind everything that it has sent there, confirmed or not."""
    instance = _instance(HOT)
    state, _ = instance.take(
        _with_copy(instance, ObjectKey("v", "hot", "B")), [("u.0", _packet(2))]
    )
    _, effects = instance.on_message(state, Drain(1))
    assert effects == [Send("store", Drained("v.0", 1))]
    assert _store(("v.0", Drained("v.0", 1)))[1] == [Send("manager", Drained("v.0", 1))]


def test_a_store_that_failed_is_told_again_what_it_has_not_confirmed() -> None:
    """CACHE-3, REC-5: with what was seen; and no copy serves until there is a new one."""
    instance = _instance(LIMIT)
    instance = attrs.evolve(instance, client=attrs.evolve(instance.client, write_ahead=True))
    state, effects = instance.take(_with_copy(instance), [("u.0", _packet(2))])
    (read,) = _messages(effects, Apply)
    state, effects = instance.on_message(state, Recall(6))
    (recollection,) = _messages(effects, Recollection)
    assert (recollection.session, recollection.again) == (6, (read,))
    assert len(effects) == 1
    state, effects = instance.take(state, [("u.0", _packet(3))])
    assert [access.seen for access in _messages(effects, Apply)] == [()]


def test_a_read_sees_the_updates_that_its_own_instance_has_under_way() -> None:
    """STORE-6, CACHE-3: an update that is not acknowledged yet is in no copy."""
    instance = _instance(LIMIT)
    state = _with_copy(instance)
    state, _ = instance.take(state, [("u.0", _packet(2, "A"))])
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


READ = _apply(1, KEY, Get(), register=True)


def test_a_reader_is_told_of_every_change() -> None:
    """CACHE-3: once it has read with a copy; the value comes along, before anything later."""
    state, sends = _store(("v.0", READ))
    assert sends == [Send("v.0", Result(READ.id, 0, copy=(0,)))]
    update = _apply(2, KEY, Increment())
    state, sends = _store(("v.1", update), state=state)
    assert sends == [
        Send("v.0", Callback(KEY, 1)),
        Send("v.1", Result(update.id, 1)),
        Send("root", Committed(2, (), 1)),
    ]
    # A read of the present value by another: both are told from now on.
    state, sends = _store(("v.1", attrs.evolve(READ, id=_id(3))), state=state)
    assert sends == [Send("v.1", Result(_id(3), 1, copy=(1,)))]
    _, sends = _store(("v.2", _apply(4, KEY, Increment(), blocking=False)), state=state)
    assert sends[:2] == [Send(reader, Callback(KEY, 2)) for reader in ("v.0", "v.1")]


def test_the_updater_has_its_own_callback_before_its_answer() -> None:
    """CACHE-3, STORE-6: what it reads from its copy then has its update in it."""
    update = _apply(2, KEY, Increment())
    _, sends = _store(("v.0", READ), ("v.0", update))
    assert sends[1:3] == [Send("v.0", Callback(KEY, 1)), Send("v.0", Result(update.id, 1))]


def test_who_keeps_no_copy_is_told_nothing() -> None:
    """CACHE-1, CACHE-3, CACHE-4: neither a plain reader, nor one of another object."""
    other = attrs.evolve(READ, id=_id(1, attrs.evolve(KEY, key="B")))
    plain = attrs.evolve(READ, id=_id(3), register=False)
    total = _apply(4, TOTAL, Get())
    alone = _apply(5, HOT_KEY, Get(), register=True)  # nobody else changes it
    state, sends = _store(*(("v.0", read) for read in (other, plain, total, alone)))
    assert [send.message.copy for send in sends] == [(0,), (), (), (0,)]
    updates = [_apply(9, key, Increment(), blocking=False) for key in (KEY, TOTAL, HOT_KEY)]
    _, sends = _store(*(("v.1", update) for update in updates), state=state)
    assert {type(send.message) for send in sends} == {Committed}


def test_a_repeat_does_not_change_a_copy() -> None:
    """DUP-2, CACHE-3: no callback for it; a repeated read gets its result, and a fresh copy."""
    update = _apply(2, KEY, Increment())
    state, _ = _store(("v.0", READ), ("v.1", update))
    _, sends = _store(("v.1", update), ("v.2", READ), state=state)
    assert sends == [
        Send("v.1", Result(update.id, 1)),
        Send("v.2", Result(READ.id, 0, copy=(1,))),
    ]


def test_the_record_has_what_was_seen_in_a_copy() -> None:
    """CACHE-3, DUP-2: whoever processes the packet again must see the same."""
    seen = _apply(3, KEY, Get(), seen=(0,))
    updated = ("v.1", _apply(2, KEY, Increment(), blocking=False))
    state, sends = _store(updated, ("v.0", seen))
    assert sends[-1] == Send("v.0", Result(seen.id, 0))
    _, sends = _store(("v.1", attrs.evolve(seen, seen=())), state=state)
    assert sends == [Send("v.1", Result(seen.id, 0))]


def test_an_update_served_from_a_cache_is_applied_at_the_store_too() -> None:
    """CACHE-4: operations are sent, and not values; once, whoever sends it (DUP-2)."""
    update = _apply(2, HOT_KEY, Increment(), seen=(1,))
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
    update = _apply(2, KEY, Increment(), blocking=False)
    _, sends = store.step(state, Received("v.1", update))
    assert sends == [Send("root", Committed(2, (), 1))]


def test_a_value_is_drawn_once_at_the_store() -> None:
    """STORE-9: whoever repeats the update gets what the first one drew (DUP-2)."""
    first, second, third = (_apply(clock, TOTAL, Draw()) for clock in (1, 2, 3))
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


# --------------------------------------------------------------------------- manager


def _hot(**fields: Any) -> Vertex:
    return attrs.evolve(Vertex("v", HOT, 2, split="host"), **fields)


def _manager(vertex: Vertex | None = None) -> Manager:
    component = compile_chain(Chain((vertex or _hot(),))).components["manager"]
    assert isinstance(component, Manager)
    return component


def _manage(
    manager: Manager, *events: Any, state: ManagerState | None = None
) -> tuple[ManagerState, list[Send]]:
    """Give the manager behind all events, and what the last one made it send."""
    state = ManagerState() if state is None else state
    sends: list[Send] = []
    for event in events:
        state, sends = manager.step(state, event)
    return state, sends


INSTANCES = ("v.0", "v.1")
AT = home("A", INSTANCES, HOST)
AWAY = next(one for one in INSTANCES if one != AT)
A = next(flow for flow in ("A1", "A2", "A3", "A4") if home(flow, INSTANCES, None) == AWAY)
"""A flow of host A that the vertex' scope keeps where it would not be by itself."""
THERE, BACK = MoveRequested("v", A, AWAY), MoveRequested("v", A, AT)
DRAINED = tuple(Received("store", Drained(one, 1)) for one in INSTANCES)
GIVEN_UP = tuple(Received(one, CacheKnown(Cache(False))) for one in INSTANCES)


def test_caches_are_given_up_before_a_flow_moves() -> None:
    """CACHE-4: by all, as any of them may hold the objects of the flow's host."""
    manager = _manager()
    state, sends = _manage(manager, THERE)
    assert sends == [Send(one, Cache(False)) for one in INSTANCES]
    late = Received("v.0", CacheKnown(Cache(True)))  # an answer to something else
    state, sends = _manage(manager, late, GIVEN_UP[0], GIVEN_UP[0], state=state)
    assert sends == []
    _, sends = _manage(manager, GIVEN_UP[1], state=state)
    assert sends == [Send("root", Move("v", A, 1, AWAY))]


def test_an_instance_that_fails_gives_its_caches_up() -> None:
    """CACHE-4, REC-1: they are gone, and its failover is told not to begin any."""
    manager = _manager()
    state, sends = _manage(manager, THERE, GIVEN_UP[0], Failed("v.1"))
    assert Send("root", Move("v", A, 1, AWAY)) in sends
    _, sends = _manage(manager, Received("store", Fenced("v.1", 1)), state=state)
    assert sends == [Send("v.1", Start((), 1, cache=Cache(False)))]


def test_a_flow_moves_at_once_when_nobody_has_a_cache() -> None:
    """CACHE-4, REC-1: every instance is about to begin anew, and is told at its start."""
    manager = _manager()
    state, sends = _manage(manager, Failed("v.0"), Failed("v.1"), THERE)
    assert sends == [Send("root", Move("v", A, 1, AWAY))]
    for number, instance in enumerate(INSTANCES, start=1):
        state, sends = _manage(manager, Received("store", Fenced(instance, number)), state=state)
        assert sends == [Send(instance, Start((), number, cache=Cache(False)))]


def test_caches_begin_again_when_every_flow_is_back() -> None:
    """CACHE-4: handed over to where the split puts it, and with no other move under way."""
    manager = _manager()
    state, _ = _manage(manager, THERE, *GIVEN_UP)
    state, sends = _manage(manager, Received(AT, HandedOver(A, 1)), state=state)
    assert sends == []
    state, sends = _manage(manager, BACK, state=state)  # nobody has caches to give up
    assert sends == [Send("root", Move("v", A, 2, AT))]
    state, sends = _manage(manager, Received(AWAY, HandedOver(A, 2)), state=state)
    assert sends == [Send(one, Drain(1)) for one in INSTANCES]
    state, sends = _manage(manager, DRAINED[0], DRAINED[0], state=state)
    assert sends == []  # its store may still lack something of the other's (STORE-6)
    state, sends = _manage(manager, DRAINED[1], state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]
    _, sends = _manage(manager, THERE, state=state)
    assert sends == [Send(one, Cache(False)) for one in INSTANCES]


def test_an_answer_that_went_through_a_failed_store_is_asked_for_again() -> None:
    """CACHE-4, LIVE: it was lost with the store, and nobody else would repeat it."""
    manager = _manager()
    moved = (THERE, *GIVEN_UP, Received(AT, HandedOver(A, 1)))
    state, sends = _manage(manager, *moved, BACK, Received(AWAY, HandedOver(A, 2)))
    assert sends[-2:] == [Send(one, Drain(1)) for one in INSTANCES]
    state, _ = _manage(manager, Failed("store"), state=state)
    state, sends = _manage(manager, Received("store", Ready(2)), state=state)
    assert sends == [Send(one, Drain(3)) for one in INSTANCES]
    state, sends = _manage(manager, *DRAINED, state=state)
    assert sends == []  # those were to the first question
    again = (Received("store", Drained(one, 3)) for one in INSTANCES)
    _, sends = _manage(manager, *again, state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]


def test_caches_wait_for_every_flow_of_the_vertex() -> None:
    """CACHE-4: a flow of the same host that is still away shares its objects."""
    manager = _manager()
    both = (THERE, attrs.evolve(THERE, flow="A"), *GIVEN_UP)
    state, sends = _manage(manager, *both)
    assert [send.message.flow for send in sends] == [A, "A"]
    back = (
        Received(AT, HandedOver(A, 1)),
        Received(AT, HandedOver("A", 1)),
        BACK,
        attrs.evolve(BACK, flow="A"),
    )
    state, _ = _manage(manager, *back, state=state)
    state, sends = _manage(manager, Received(AWAY, HandedOver(A, 2)), state=state)
    assert sends == []
    _, sends = _manage(manager, Received(AWAY, HandedOver("A", 2)), *DRAINED, state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]


def test_caches_stay_off_when_a_flow_moves_before_they_begin() -> None:
    """CACHE-4: the answers of the instances come too late then."""
    manager = _manager()
    back = (Received(AT, HandedOver(A, 1)), BACK, Received(AWAY, HandedOver(A, 2)))
    state, _ = _manage(manager, THERE, *GIVEN_UP, *back, DRAINED[0])
    state, sends = _manage(manager, THERE, state=state)
    assert sends == [Send("root", Move("v", A, 3, AWAY))]
    state, sends = _manage(manager, DRAINED[1], state=state)
    assert sends == []
    again = (Received(AT, HandedOver(A, 3)), BACK, Received(AWAY, HandedOver(A, 4)))
    state, _ = _manage(manager, *again, state=state)
    state, sends = _manage(manager, *DRAINED, state=state)
    assert sends == []  # answers to the first request
    drained = [Received("store", Drained(one, 2)) for one in INSTANCES]
    _, sends = _manage(manager, *drained, state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]


def test_caches_wait_for_a_move_that_is_still_to_begin() -> None:
    """CACHE-4, MOVE-5: it waits for one of the same flow at another vertex."""
    chain = Chain((Vertex("u", COUNTER, 2), _hot()), (("u", "v"),))
    manager = compile_chain(chain).components["manager"]
    assert isinstance(manager, Manager)
    u = home("A", ("u.0", "u.1"), None)
    above = MoveRequested("u", "A", {"u.0": "u.1", "u.1": "u.0"}[u])
    both = (above, attrs.evolve(THERE, flow="A"), THERE, *GIVEN_UP)
    state, sends = _manage(manager, *both)
    assert {send.message.flow for send in sends} == {A}
    back = (Received(AT, HandedOver(A, 1)), BACK, Received(AWAY, HandedOver(A, 2)))
    state, sends = _manage(manager, *back, state=state)
    assert sends == []
    _, sends = _manage(manager, Received(u, HandedOver("A", 1)), state=state)
    assert {(send.message.vertex, send.message.flow) for send in sends} == {("v", "A")}


@pytest.mark.parametrize("vertex", [_hot(split=""), _hot(split="flow"), _hot(nf=LIMIT, split="")])
def test_caches_that_are_not_alone_are_no_ones_to_give_up(vertex: Vertex) -> None:
    """CACHE-3, CACHE-4: the split that the chain begins with shares the objects anyway."""
    flow = next(f for f in ("A", "B", "C", "D") if home(f, INSTANCES, vertex.scope) == AT)
    moves = MoveRequested("v", flow, AWAY), Received(AT, HandedOver(flow, 1))
    manager = _manager(vertex)
    _, sends = _manage(manager, moves[0])
    assert sends == [Send("root", Move("v", flow, 1, AWAY))]
    back = MoveRequested("v", flow, AT), Received(AWAY, HandedOver(flow, 2))
    assert _manage(manager, *moves, *back)[1] == []


def test_a_move_to_where_the_flow_is_leaves_caches_as_they_were() -> None:
    """CACHE-4: nothing has changed in the split."""
    manager = _manager()
    state, _ = _manage(manager, BACK, *GIVEN_UP)
    assert state.caching.get("v", Cache(True)) == Cache(True)


def _three(headers: Any, flow: Any, clock: int) -> Process:
    yield from ()
    return Outcome((headers,))


THREE = NetworkFunction("three", (ALONE,), _three, (FLOW, HOST, Scope("all", lambda flow: 0)))


@pytest.mark.parametrize(
    ("instances", "split", "alone"),
    [
        (2, "host", True),
        (2, "all", True),  # coarser
        (2, "flow", False),  # finer: two flows of a host may go two ways
        (2, "", False),
        (1, "", True),
        (1, "flow", True),
    ],
)
def test_whether_the_split_leaves_an_object_to_one_instance(
    instances: int, split: str, alone: bool
) -> None:
    """CACHE-4, SPLIT-2: it does if the vertex is split by the object's scope or a coarser."""
    vertex = Vertex("v", THREE, instances, split=split)
    physical = compile_chain(Chain((vertex,)))
    manager, node = physical.components["manager"], physical.components["v.0"]
    assert isinstance(manager, Manager)
    assert isinstance(node, Node)
    assert dict(manager.alone.items()) == {"v": alone}
    assert node.initial.instance.client.cache == Cache(alone)


def test_a_vertex_without_cached_objects_has_nothing_to_give_up() -> None:
    """CACHE-1, CACHE-2: owned and offloaded objects move with their flows, or not at all."""
    assert dict(_manager(Vertex("v", COUNTER, 2)).alone.items()) == {}


# --------------------------------------------------------------------------- stores and roots

SPREAD = Chain(
    (
        Vertex("count", COUNTER, 2, store="store2"),
        Vertex("mark", MARKER, 2),
    ),
    (("count", "mark"),),
    roots=3,
    entry=HOST,
)
LETTERS = "ABCDEFGHIJ"
FLOWS = [f"{letter}{number}" for number in range(2) for letter in LETTERS]
"""Two flows of each host."""


def _run(physical: Physical) -> Simulation:
    return Simulation(System(physical, World()))


def _settle(run: Simulation, but: tuple[tuple[str, str], ...] = ()) -> None:
    """Deliver everything, but for what is on some channels."""
    while busy := [at for at in sorted(run.busy) if run.system.channels[at] not in but]:
        run.deliver(busy[0])


def _arrive(run: Simulation, chain: Chain, flow: str, number: int) -> None:
    root = run.system.index[chain.root_for(flow)]
    run.happen(root, Arrive(flow, (flow, number)))


def test_a_chain_is_compiled_with_its_stores_and_roots() -> None:
    """STORE-8, SPLIT-4: each vertex knows its store, each store its vertices, all every root."""
    parts = compile_chain(SPREAD).components
    roots = ("root", "root1", "root2")
    for name, vertex, count in (("store", "mark", "count"), ("store2", "count", "mark")):
        store = parts[name]
        assert isinstance(store, Store)
        assert vertex in store.objects
        assert count not in store.objects
        assert store.roots == roots
        node = parts[f"{vertex}.0"]
        assert isinstance(node, Node)
        assert (node.instance.client.store, node.instance.roots) == (name, roots)
    for number, address in enumerate(roots):
        entry = parts[address]
        assert isinstance(entry, Entry)
        assert (entry.root.identifier, entry.stores) == (number, ("store", "store2"))
    first, later = parts["count.0"], parts["mark.0"]
    assert isinstance(first, Node)
    assert isinstance(later, Node)
    assert first.queue.upstream == first.instance.upstream == roots
    assert later.queue.upstream == ("count.0", "count.1")


def test_a_flow_enters_by_one_root() -> None:
    """SPLIT-4: by the scope of the entry, so that no flow has packets at two roots."""
    entries = {flow: SPREAD.root_for(flow) for flow in FLOWS}
    assert all(entries[f"{letter}0"] == entries[f"{letter}1"] for letter in LETTERS)
    assert set(entries.values()) == {"root", "root1", "root2"}


def test_packets_of_several_roots_go_through_several_stores() -> None:
    """STORE-8, SPLIT-4, DEL-3: every delete and every signal finds the root of its clock."""
    run = _run(compile_chain(SPREAD))
    for number, flow in enumerate(FLOWS):
        _arrive(run, SPREAD, flow, number)
    logged = [len(run.state(root).root.log) for root in SPREAD.root_addresses]
    assert sum(logged) == len(FLOWS)
    assert min(logged) > 0
    _settle(run)
    outputs = run.state("sink").outputs
    assert len(outputs) == len(FLOWS)
    for output in outputs:
        assert SPREAD.root_addresses[root_of(output.clock)] == SPREAD.root_for(output.flow)
    assert [len(run.state(root).root.log) for root in SPREAD.root_addresses] == [0, 0, 0]
    kept = {
        store: {key.vertex for key, _ in run.state(store).memory.values.items()}
        for store in SPREAD.stores
    }
    assert kept == {"store": {"mark"}, "store2": {"count"}}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_signal_goes_to_the_root_of_its_clock(number: int) -> None:
    """SPLIT-4, DEL-2: the clock's upper part tells which root has logged the packet."""
    store = compile_chain(SPREAD).components["store"]
    assert isinstance(store, Store)
    clock = clock_of(number, 5)
    update = _apply(clock, ObjectKey("mark", "marked", ()), Increment(), blocking=False)
    _, sends = store.step(store.initial, Received("mark.0", update))
    assert sends == [Send(("root", "root1", "root2")[number], Committed(clock, (), 1))]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_delete_goes_to_the_root_of_its_clock(number: int) -> None:
    """SPLIT-4, ROOT-3: no other root knows of the packet."""
    instance = _instance(LIMIT, last=True, roots=("root", "root1", "root2"))
    packet = _packet(clock_of(number, 5))
    state, _ = instance.take(InstanceState(), [("u.0", packet)])
    state, _ = instance.on_message(state, Granted("B", 0, packet.clock, (), True))
    _, effects = instance.on_message(state, Result(_id(packet.clock), 1))
    sends = [effect for effect in effects if isinstance(effect, Send)]
    deletes = [send.to for send in sends if isinstance(send.message, Delete)]
    assert deletes == [("root", "root1", "root2")[number]]


def test_every_root_replays_and_only_one_store_is_asked() -> None:
    """STORE-8, SPLIT-4, REC-1: an instance's state is in one store, its packets in any log."""
    manager = compile_chain(SPREAD).components["manager"]
    assert isinstance(manager, Manager)
    for instance, store in (("count.0", "store2"), ("mark.0", "store")):
        state, sends = _manage(manager, Failed(instance))
        assert sends == [Send(store, Fence(instance, 1))]
        began = Received(store, Fenced(instance, 1)), Received(instance, Ready(1))
        _, sends = _manage(manager, *began, state=state)
        assert sends == [Send(root, Replay(instance, 2)) for root in SPREAD.root_addresses]


def test_a_store_without_a_vertex_fails_as_others_do() -> None:
    """STORE-8, REC-5: the first store has clocks and log, whether or not a vertex uses it."""
    chain = Chain((Vertex("v", COUNTER, store="store2"),), log="store", write_ahead=True)
    manager = compile_chain(chain).components["manager"]
    assert isinstance(manager, Manager)
    _, sends = _manage(manager, Failed("root"))
    assert [send.to for send in sends] == ["root", "store", "store2"]
    _, sends = _manage(manager, Failed("store"))
    assert sends == [Send("store", Start((), 1, ask=("root",)))]


def test_every_root_is_told_of_a_move() -> None:
    """SPLIT-3, SPLIT-4: all are splitters in front of the first vertex."""
    manager = compile_chain(SPREAD).components["manager"]
    assert isinstance(manager, Manager)
    instances = ("count.0", "count.1")
    to = next(one for one in instances if one != home("A", instances, None))
    _, sends = _manage(manager, MoveRequested("count", "A", to))
    assert sends == [Send(root, Move("count", "A", 1, to)) for root in SPREAD.root_addresses]


def test_a_vertex_is_split_by_its_scope() -> None:
    """SPLIT-2, SPLIT-3: flows of one host go to one instance, whichever root they come from."""
    chain = Chain((_hot(),), roots=2)
    run = _run(compile_chain(chain))
    flows = [f"{letter}{number}" for letter in "ABCD" for number in range(4)]
    for number, flow in enumerate(flows):
        _arrive(run, chain, flow, number)
    _settle(run)
    tenures = run.state("store").memory.owners
    homes: dict[str, set[Any]] = {}
    for (_, flow), owner in tenures.items():
        homes.setdefault(str(flow)[0], set()).add(owner.instance)
    assert {letter: len(of) for letter, of in homes.items()} == dict.fromkeys("ABCD", 1)
    assert len({one for of in homes.values() for one in of}) == 2
    numbers = {o.flow: o.headers[-1] for o in run.state("sink").outputs}
    assert sorted(numbers[f"A{number}"] for number in range(4)) == [1, 2, 3, 4]


def _see_and_bump(headers: Any, flow: Any, clock: int) -> Process:
    """Tell how many packets of the host came before, without waiting for the store."""
    number = yield Access("hot", Get(), key=flow[0])
    yield Access("hot", Increment(), key=flow[0], blocking=False)
    return Outcome(((*headers, number),))


BUMP = Chain(
    (Vertex("v", NetworkFunction("bump", (ALONE,), _see_and_bump, (FLOW, HOST)), 2, split="host"),)
)
SLOW, ANSWERS = (AWAY, "store"), ("store", "manager")


def _send_update_from_away(run: Simulation) -> None:
    """Let A's packet be processed where it has moved to, its update be under way from there."""
    content = run.channels[run.system.channel(*SLOW)]
    _arrive(run, BUMP, A, 1)
    while not any(isinstance(m, Apply) and not m.blocking for m in content):
        run.deliver(min(at for at in run.busy if run.system.channels[at] != ANSWERS))


def _third_sees(run: Simulation) -> int:
    """Tell what A's next packet sees, when another flow of the host comes in between."""
    _arrive(run, BUMP, "A", 2)
    _settle(run, but=(SLOW, ("manager", "store")))
    _arrive(run, BUMP, A, 3)
    _settle(run, but=(("manager", "store"),))
    _settle(run)
    assert run.state("manager").caching["v"] == Cache(True)
    seen: dict[int, int] = {o.clock: o.headers[-1] for o in run.state("sink").outputs}
    return seen[3]


def _operate(run: Simulation, wish: MoveRequested) -> None:
    run.happen(run.system.index["manager"], wish)


def test_caches_begin_behind_the_last_update_of_an_instance_that_had_the_flow() -> None:
    """CACHE-4, STORE-6: it may still be under way to the store when the flow is handed over."""
    run = _run(compile_chain(BUMP))
    _operate(run, THERE)
    _settle(run)
    _send_update_from_away(run)
    _operate(run, BACK)
    _settle(run, but=(SLOW,))
    assert _third_sees(run) == 2


def test_caches_begin_behind_the_last_update_also_of_a_second_move() -> None:
    """CACHE-4, STORE-6: the flow went away and came back before all had answered."""
    run = _run(compile_chain(BUMP))
    _operate(run, THERE)
    _settle(run)
    _operate(run, BACK)
    _settle(run, but=((AT, "store"),))
    _operate(run, THERE)
    _settle(run, but=(ANSWERS,))
    _send_update_from_away(run)
    _operate(run, BACK)
    _settle(run, but=(SLOW, ANSWERS))
    _settle(run, but=(SLOW,))
    assert _third_sees(run) == 2


@pytest.mark.parametrize("lost", [False, True])
def test_caches_begin_behind_the_last_update_of_an_instance_that_failed(lost: bool) -> None:
    """CACHE-4, STORE-6, REC-1: it is under way still, or the replay brings it."""
    run = _run(compile_chain(BUMP))
    _operate(run, THERE)
    _settle(run)
    _send_update_from_away(run)
    _operate(run, BACK)
    _settle(run, but=(SLOW,))
    run.happen(run.system.index[AWAY], Crashed())
    run.happen(run.system.index["manager"], Failed(AWAY))
    if lost:
        run.lose(run.system.channel(*SLOW))
    _settle(run, but=(SLOW, ("manager", "store")))
    assert _third_sees(run) == 2


# --------------------------------------------------------------------------- bad chains

CELL = StateObject("x", False, 0)


def _nf(*objects: StateObject, scopes: tuple[Scope, ...] = ()) -> NetworkFunction:
    return NetworkFunction("nf", objects, _nothing, scopes)


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        (Chain((Vertex("a", COUNTER),), roots=0), "0 roots; there are 1 to 256"),
        (Chain((Vertex("a", COUNTER),), roots=257), "257 roots"),
        (Chain((Vertex("a", COUNTER),), log="disk"), "log = 'disk' is neither 'root' nor 'store'"),
        (Chain((Vertex("a", COUNTER, store="db"),)), "'a': store name 'db' must begin with"),
        (Chain((Vertex("a", COUNTER, store="store-2"),)), "store name 'store-2'"),
        (Chain((Vertex("a", COUNTER, store=""),)), "store name ''"),
        (Chain((Vertex("root1", COUNTER),), roots=2), "vertex name 'root1' is reserved"),
        (
            Chain((Vertex("a", COUNTER, store="store2"), Vertex("store2", COUNTER))),
            "vertex name 'store2' is reserved",
        ),
        (
            Chain((Vertex("a", HOT, split="port"),)),
            "'a' is split by 'port'; its scopes: flow, host",
        ),
        (Chain((Vertex("a", COUNTER, split="host"),)), "split by 'host'; its scopes: none"),
        (Chain((Vertex("a", _nf(CELL, scopes=(HOST, HOST))),)), "two scopes of one name"),
        (Chain((Vertex("a", _nf(scopes=(Scope("", str),))),)), "or an empty one"),
        (
            Chain((Vertex("a", _nf(attrs.evolve(CELL, scope="port"), scopes=(HOST,))),)),
            "vertex 'a': object 'x' has the unknown scope 'port'",
        ),
        (Chain((Vertex("a", COUNTER, 0, clones=True),)), "'a' needs at least one instance"),
    ],
)
def test_a_malformed_chain_is_refused(chain: Chain, complaint: str) -> None:
    """CHAIN-4: the error names the vertex, the value and the fault."""
    with pytest.raises(UsageError, match=complaint):
        compile_chain(chain)


@pytest.mark.parametrize(
    "change",
    [
        lambda chain: attrs.evolve(chain, roots=256),
        lambda chain: attrs.evolve(chain, log="store"),
        lambda chain: attrs.evolve(chain, vertices=(Vertex("root1", COUNTER),)),
        lambda chain: attrs.evolve(chain, vertices=(Vertex("store2", COUNTER),)),
    ],
)
def test_a_chain_at_the_limits_is_taken(change: Callable[[Chain], Chain]) -> None:
    """CHAIN-4: a name is reserved only where it is used."""
    physical = compile_chain(change(Chain((Vertex("a", COUNTER),))))
    assert isinstance(physical.components["sink"], Sink)
