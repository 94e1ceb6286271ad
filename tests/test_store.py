"""Clocks, operations and the store: each rule that they decide by themselves.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

import attrs
import pytest

from chc_ref.core.messages import (
    Acquire,
    Apply,
    ClockPersisted,
    Committed,
    Granted,
    PersistClock,
    Received,
    Release,
    Result,
    Send,
)
from chc_ref.core.operations import (
    CompareAndUpdate,
    Get,
    Increment,
    OperationFailed,
    Pop,
    Push,
    Put,
    StateObject,
)
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Map, ObjectKey, UpdateId, clock_of, count_of, root_of, spread
from chc_ref.errors import UsageError

OBJECTS = (StateObject("count", per_flow=True, initial=0), StateObject("total", False, initial=0))
COUNT = ObjectKey("v", "count", "A")
TOTAL = ObjectKey("v", "total", ())


def test_a_clock_carries_its_root_above_its_count() -> None:
    """SPLIT-4: the root's identifier is in the high-order bits."""
    for root in (3, 255):
        assert (root_of(clock_of(root, 7)), count_of(clock_of(root, 7))) == (root, 7)
    assert clock_of(0, 9) < clock_of(0, 10) < clock_of(1, 1)


@pytest.mark.parametrize(("root", "count"), [(256, 1), (-1, 1), (0, 1 << 56), (0, -1)])
def test_a_clock_that_does_not_fit_is_refused(root: int, count: int) -> None:
    """SPLIT-4: neither part may spill into the other."""
    with pytest.raises(UsageError, match="does not fit"):
        clock_of(root, count)


def test_a_flow_goes_to_one_instance_at_every_splitter() -> None:
    """SPLIT-2, SPLIT-3: the default route is a function of flow and instances alone."""
    instances = ("v.0", "v.1", "v.2")
    routes = {flow: spread(flow, instances) for flow in range(300)}
    assert routes == {flow: spread(flow, instances) for flow in range(300)}
    shares = [list(routes.values()).count(instance) for instance in instances]
    assert min(shares) > 60


@pytest.mark.parametrize(
    ("operation", "value", "after", "result"),
    [
        (Get(), 3, 3, 3),
        (Put(4), 3, 4, 4),
        (Increment(2), 3, 5, 5),
        (Increment(-1), 3, 2, 2),
        (Push("x"), ("w",), ("w", "x"), 2),
        (Pop(), ("w", "x"), ("x",), "w"),
        (CompareAndUpdate(3, 9), 3, 9, True),
        (CompareAndUpdate(4, 9), 3, 3, False),
    ],
)
def test_the_operations_of_table_2(
    operation: Get, value: object, after: object, result: object
) -> None:
    """STORE-3: each gives the new value and its result."""
    assert operation.apply(value) == (after, result)


@pytest.mark.parametrize(
    ("operation", "value"), [(Pop(), ()), (Pop(), 3), (Push(1), 3), (Increment(), ())]
)
def test_an_operation_that_does_not_fit_fails_and_changes_nothing(
    operation: Pop, value: object
) -> None:
    """STORE-7: an explicit error result, the value untouched."""
    after, result = operation.apply(value)
    assert after == value
    assert isinstance(result, OperationFailed)


def _store(*requests: tuple[str, object]) -> tuple[StoreState, list[Send]]:
    store, state, sends = Store(Map({"v": OBJECTS})), StoreState(), []
    for source, message in requests:
        state, more = store.step(state, Received(source, message))
        sends += more
    return state, sends


def _update(clock: int, key: ObjectKey, seq: int = 0, *, blocking: bool = True) -> Apply:
    return Apply(UpdateId(clock, (), key, seq), Increment(), 1, blocking)


def test_only_the_owner_updates_a_per_flow_object() -> None:
    """STORE-2: an update of any other is refused, with an error and no effect."""
    state, sends = _store(("v.0", Acquire("A", 0, 1)), ("v.1", _update(1, COUNT)))
    assert state.memory.values.get(COUNT) is None
    assert isinstance(sends[-1].message, Result)
    assert sends[-1].message.value == OperationFailed("not the owner")
    state, _ = _store(("v.0", Acquire("A", 0, 1)), ("v.0", _update(1, COUNT)))
    assert state.memory.values.get(COUNT) == 1


def test_two_instances_share_one_object_and_see_one_order() -> None:
    """STORE-1, STORE-4, MOVE-7: the key names no instance; results follow one sequence."""
    state, sends = _store(
        ("v.0", _update(1, TOTAL)), ("v.1", _update(2, TOTAL)), ("v.0", _update(3, TOTAL))
    )
    results = [send.message.value for send in sends if isinstance(send.message, Result)]
    assert (results, state.memory.values.get(TOTAL)) == ([1, 2, 3], 3)


def test_a_read_comes_after_the_updates_sent_before_it() -> None:
    """STORE-5, STORE-6, CACHE-1: unanswered updates are applied, then the read is served."""
    updates = [("v.0", _update(clock, TOTAL, blocking=False)) for clock in (1, 2, 3)]
    read = Apply(UpdateId(4, (), TOTAL, 0), Get(), 1, True)
    _, sends = _store(*updates, ("v.0", read))
    assert [s.message.value for s in sends if isinstance(s.message, Result)] == [3]


def test_a_repeated_update_gets_the_recorded_result() -> None:
    """DUP-2: applied once, answered twice, with what it returned the first time."""
    state, sends = _store(
        ("v.0", _update(1, TOTAL)), ("v.1", _update(2, TOTAL)), ("v.1", _update(1, TOTAL))
    )
    assert state.memory.values.get(TOTAL) == 2
    results = [send.message.value for send in sends if isinstance(send.message, Result)]
    assert results == [1, 2, 1]
    assert sum(isinstance(send.message, Committed) for send in sends) == 2


def test_two_updates_of_one_object_by_one_packet_are_no_repeat() -> None:
    """DUP-2, open: the number of the access tells them apart."""
    state, _ = _store(("v.0", _update(1, TOTAL)), ("v.0", _update(1, TOTAL, 1)))
    assert state.memory.values.get(TOTAL) == 2


def test_a_read_is_recorded_and_commits_nothing() -> None:
    """DUP-3: a replayed packet reads what it read; a read needs no commit signal (DEL-2)."""
    read = Apply(UpdateId(1, (), TOTAL, 0), Get(), 1, True)
    _, sends = _store(("v.0", read), ("v.0", _update(2, TOTAL)), ("v.1", read))
    assert [send.message for send in sends] == [
        Result(read.id, 0),
        Result(UpdateId(2, (), TOTAL, 0), 1),
        Committed(2, (), 1),
        Result(read.id, 0),
    ]


def test_emulation_never_executes() -> None:
    """DUP-3: without a record there is nothing to emulate, and nothing happens."""
    state, sends = _store(("v.0", attrs.evolve(_update(1, TOTAL), emulate=True)))
    assert state.memory.values.get(TOTAL) is None
    assert sends == [Send("v.0", Result(UpdateId(1, (), TOTAL, 0), None, False))]


def test_a_later_tenure_waits_for_the_release() -> None:
    """MOVE-3, MOVE-4: the new instance is told when the old one has gone."""
    asked = (("v.0", Acquire("A", 0, 1)), ("v.0", _update(1, COUNT)), ("v.1", Acquire("A", 1, 2)))
    _, sends = _store(*asked)
    assert not any(send.to == "v.1" for send in sends)
    _, sends = _store(*asked, ("v.0", Release("A", 1)))
    assert sends[-1] == Send("v.1", Granted("A", 1, 2, (("count", 1),), True))


def test_tenures_end_in_order_whoever_speaks_first() -> None:
    """MOVE-2: an instance that never had the flow cannot end the tenure before its own."""
    release_2, release_1 = ("v.1", Release("A", 2)), ("v.0", Release("A", 1))
    asked = (("v.0", Acquire("A", 0, 1)), ("v.2", Acquire("A", 2, 5)), release_2)
    _, sends = _store(*asked)
    assert not any(send.to == "v.2" for send in sends)
    _, sends = _store(*asked, release_1)
    assert sends[-1].to == "v.2"


def test_only_the_owner_releases() -> None:
    """MOVE-2: a release by another instance does nothing."""
    asked = (("v.0", Acquire("A", 0, 1)), ("v.1", Release("A", 1)), ("v.2", Acquire("A", 1, 2)))
    _, sends = _store(*asked)
    assert [send.to for send in sends] == ["v.0"]


def test_a_past_tenure_reads_and_does_not_own() -> None:
    """REC-1: a replayed packet of a tenure that is over is emulated, by whoever asks."""
    state, sends = _store(
        ("v.0", Acquire("A", 0, 1)),
        ("v.0", Release("A", 1)),
        ("v.1", Acquire("A", 1, 2)),
        ("v.1", Release("A", 2)),
        ("v.0", Acquire("A", 0, 1)),
    )
    assert sends[-1].message == Granted("A", 0, 1, (("count", 0),), False)
    owner = state.memory.owners.get(("v", "A"))
    assert owner is not None
    assert owner.epoch == 2


def test_the_store_answers_for_the_past() -> None:
    """DUP-3: the objects as they were before a clock, and whether they have changed since."""
    updates = [("v.0", _update(clock, COUNT, blocking=False)) for clock in (1, 2, 5)]
    for clock, count in ((1, 0), (2, 1), (3, 2), (5, 2), (6, 3)):
        _, sends = _store(("v.0", Acquire("A", 0, 1)), *updates, ("v.0", Acquire("A", 0, clock)))
        granted = Granted("A", 0, clock, (("count", count),), True, latest=clock >= 5)
        assert sends[-1].message == granted


def test_a_peek_never_waits_and_never_owns() -> None:
    """DUP-3: reading for a packet that passes through must not depend on moves."""
    _, sends = _store(("v.0", Acquire("A", 0, 1)), ("v.1", Acquire("A", 1, 2, peek=True)))
    assert sends[-1] == Send("v.1", Granted("A", 1, 2, (("count", 0),), False, True))


def test_the_newest_clock_is_persisted() -> None:
    """ROOT-5: a late write of an older clock does not take a newer one back."""
    state, sends = _store(("root", PersistClock(8)), ("root", PersistClock(4)))
    assert state.memory.persisted.get("root") == 8
    assert sends[0] == Send("root", ClockPersisted(8))
