"""The machines one by one: each rule of the paper that a single machine decides.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

from fractions import Fraction

import attrs
import pytest

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.manager import Manager, ManagerState
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Arrive,
    Begin,
    ClockPersisted,
    Committed,
    Delete,
    Deleted,
    Failed,
    Granted,
    HandedOver,
    LastMark,
    Move,
    MoveRequested,
    Output,
    Packet,
    Passed,
    PersistClock,
    Ready,
    Received,
    Recovered,
    Release,
    Replay,
    ReplayEnd,
    Result,
    Send,
    Since,
    Start,
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
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.root import Root, RootState
from chc_ref.core.splitter import Downstream, Splitter, SplitterState
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Map, ObjectKey, UpdateId, clock_of, count_of, root_of, spread
from chc_ref.errors import ModelError, UsageError
from chc_ref.nfs.tiny import COUNTER, PASS
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World

OBJECTS = (StateObject("count", per_flow=True, initial=0), StateObject("total", False, initial=0))
COUNT = ObjectKey("v", "count", "A")
TOTAL = ObjectKey("v", "total", ())


# --------------------------------------------------------------------------- clocks (SPLIT-4)


def test_a_clock_carries_its_root_above_its_count() -> None:
    """SPLIT-4: the root's identifier is in the high-order bits."""
    assert (root_of(clock_of(3, 7)), count_of(clock_of(3, 7))) == (3, 7)
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


# --------------------------------------------------------------------------- operations (STORE-3)


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


# --------------------------------------------------------------------------- store


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
    assert state.values.get(COUNT) is None
    assert isinstance(sends[-1].message, Result)
    assert sends[-1].message.value == OperationFailed("not the owner")
    state, _ = _store(("v.0", Acquire("A", 0, 1)), ("v.0", _update(1, COUNT)))
    assert state.values.get(COUNT) == 1


def test_two_instances_share_one_object_and_see_one_order() -> None:
    """STORE-1, STORE-4, MOVE-7: the key names no instance; results follow one sequence."""
    state, sends = _store(
        ("v.0", _update(1, TOTAL)), ("v.1", _update(2, TOTAL)), ("v.0", _update(3, TOTAL))
    )
    results = [send.message.value for send in sends if isinstance(send.message, Result)]
    assert (results, state.values.get(TOTAL)) == ([1, 2, 3], 3)


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
    assert state.values.get(TOTAL) == 2
    results = [send.message.value for send in sends if isinstance(send.message, Result)]
    assert results == [1, 2, 1]
    assert sum(isinstance(send.message, Committed) for send in sends) == 2


def test_two_updates_of_one_object_by_one_packet_are_no_repeat() -> None:
    """DUP-2, open: the number of the access tells them apart."""
    state, _ = _store(("v.0", _update(1, TOTAL)), ("v.0", _update(1, TOTAL, 1)))
    assert state.values.get(TOTAL) == 2


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
    assert state.values.get(TOTAL) is None
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
    owner = state.owners.get(("v", "A"))
    assert owner is not None
    assert owner.epoch == 2


def test_the_store_answers_for_the_past() -> None:
    """DUP-3: the objects as they were before a clock, whatever came since."""
    updates = [("v.0", _update(clock, COUNT, blocking=False)) for clock in (1, 2, 5)]
    for clock, count in ((1, 0), (2, 1), (3, 2), (5, 2), (6, 3)):
        _, sends = _store(("v.0", Acquire("A", 0, 1)), *updates, ("v.0", Acquire("A", 0, clock)))
        assert sends[-1].message == Granted("A", 0, clock, (("count", count),), True)


def test_a_peek_never_waits_and_never_owns() -> None:
    """DUP-3: reading for a packet that passes through must not depend on moves."""
    _, sends = _store(("v.0", Acquire("A", 0, 1)), ("v.1", Acquire("A", 1, 2, peek=True)))
    assert sends[-1] == Send("v.1", Granted("A", 1, 2, (("count", 0),), False, True))


def test_the_newest_clock_is_persisted() -> None:
    """ROOT-5: a late write of an older clock does not take a newer one back."""
    state, sends = _store(("root", PersistClock(8)), ("root", PersistClock(4)))
    assert state.persisted == 8
    assert sends[0] == Send("root", ClockPersisted(8))


# --------------------------------------------------------------------------- root


def test_clocks_are_unique_and_increase_by_one() -> None:
    """ROOT-1: one for each input packet, in order of arrival."""
    root, state = Root(), RootState()
    clocks: list[int] = []
    for _ in range(5):
        state, packets, _ = root.on_arrival(state, Arrive("A", "x"))
        clocks += [packet.clock for packet in packets]
    assert clocks == [1, 2, 3, 4, 5]


def test_input_above_the_threshold_is_dropped_before_it_gets_a_clock() -> None:
    """ROOT-4: dropped and counted; the next one in gets the next clock."""
    root, state = Root(capacity=2), RootState()
    clocks = []
    for _ in range(3):
        state, packets, _ = root.on_arrival(state, Arrive("A", "x"))
        clocks += [packet.clock for packet in packets]
    assert (clocks, state.dropped) == ([1, 2], 1)
    state, _ = root.on_delete(state, Delete(1, (), Fraction(1), (((), 0),), 0))
    _, packets, _ = root.on_arrival(state, Arrive("A", "x"))
    assert [packet.clock for packet in packets] == [3]


def test_a_clock_is_persisted_before_its_packet_leaves() -> None:
    """ROOT-5: every n-th packet waits for the store, and those behind it too; one request."""
    root, state = Root(persist_every=2), RootState()
    state, first, _ = root.on_arrival(state, Arrive("A", 1))
    state, second, asked = root.on_arrival(state, Arrive("A", 2))
    state, third, again = root.on_arrival(state, Arrive("A", 3))
    assert ([p.clock for p in first], second, third) == ([1], [], [])
    assert (asked, again) == ([Send("store", PersistClock(2))], [])
    state, released, _ = root.on_persisted(state, ClockPersisted(2))
    assert [packet.clock for packet in released] == [2, 3]
    assert root.on_persisted(state, ClockPersisted(2)) == (state, [], [])


def test_a_recovered_root_gives_no_clock_twice() -> None:
    """ROOT-5: it goes on n above the persisted clock."""
    assert Root(persist_every=4).recovered(8).count == 11
    with pytest.raises(UsageError, match="persists no clock"):
        Root().recovered(0)


def test_the_log_drops_a_packet_when_all_shares_ended_and_all_is_committed() -> None:
    """ROOT-3, DEL-3: in whatever order deletes and signals come, doubled ones included."""
    root = Root()
    logged, _, _ = root.on_arrival(RootState(), Arrive("A", "x"))
    half = Fraction(1, 2)
    left = Delete(1, (0,), half, (((), 1), ((0,), 2)), 0)
    right = Delete(1, (1,), half, (((), 1), ((1,), 2)), 0)
    signals = [Committed(1, (), 1), Committed(1, (0,), 2), Committed(1, (1,), 2)]
    state = logged
    for delete in (left, left, right):
        state, _ = root.on_delete(state, delete)
    for signal in signals[:2]:
        state = root.on_committed(state, signal)
    assert 1 in state.log
    assert 1 not in root.on_committed(state, signals[2]).log


def test_only_the_first_delete_of_a_branch_lets_the_output_leave() -> None:
    """REC-2: the answer says which it was, also once the packet is gone from the log."""
    root = Root()
    state, _, _ = root.on_arrival(RootState(), Arrive("A", "x"))
    delete = Delete(1, (), Fraction(1), (((), 0),), 5)
    state, first = root.on_delete(state, delete)
    _, second = root.on_delete(state, delete)
    assert [send.message for send in first + second] == [
        Deleted(1, (), True, 5),
        Deleted(1, (), False, 5),
    ]


def test_a_replay_is_the_log_in_clock_order() -> None:
    """CLONE-2, DUP-3: every packet carries its target; the end says how far it reaches."""
    root, state = Root(), RootState()
    for number in range(12):
        state, _, _ = root.on_arrival(state, Arrive("A", number))
    state, _ = root.on_delete(state, Delete(4, (), Fraction(1), (((), 0),), 0))
    packets, end = root.replay(state, Replay("v.1", 3))
    assert [packet.clock for packet in packets] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert {(packet.target, packet.session) for packet in packets} == {("v.1", 3)}
    assert end == ReplayEnd("v.1", 3, 12)


# --------------------------------------------------------------------------- queue


def _packet(clock: int, **fields: object) -> Packet:
    return attrs.evolve(Packet(clock, "A", "x"), **fields)  # type: ignore[arg-type]


def _queue(state: QueueState, *items: tuple[str, object]) -> list[object]:
    queue, taken = Queue("v.0", ("u.0", "u.1")), []
    for item in items:
        state, more = queue.on_item(state, item)
        taken += [message for _, message in more]
    return taken


def test_one_packet_of_a_clock_and_branch_is_queued() -> None:
    """DUP-1, QUEUE-2: a second one is suppressed, another branch or replay is not."""
    other = _packet(1, branch=(1,))
    passing = _packet(1, target="w.0", session=1)
    again = _packet(1, target="w.0", session=2)
    items = [_packet(1), _packet(1), other, passing, passing, again, other]
    assert _queue(QueueState(), *(("u.0", item) for item in items)) == [
        _packet(1),
        other,
        passing,
        again,
    ]


def test_output_of_the_new_instance_waits_for_every_old_one() -> None:
    """MOVE-6: one mark for each move, and earlier tenures first when one mark frees several."""
    first, second = _packet(1, after=1), _packet(2, after=2)
    items = [("u.0", second), ("u.1", first), ("u.1", Passed("A", 2))]
    assert _queue(QueueState(), *items) == []
    assert _queue(QueueState(), *items, ("u.0", Passed("A", 1))) == [first, second]


def test_marks_of_other_flows_and_vertices_free_nothing() -> None:
    """MOVE-6: a mark is about one flow at one vertex."""
    held = ("u.0", _packet(1, after=1))
    assert _queue(QueueState(), held, ("u.1", Passed("B", 1)), ("w.1", Passed("A", 1))) == []


def test_a_failover_takes_its_replay_first() -> None:
    """REC-1, CLONE-2: all else is set aside until every splitter has ended the replay."""
    replayed = _packet(1, target="v.0", session=3)
    end, new = ReplayEnd("v.0", 3, 1), _packet(2)
    state = QueueState(recovering=True, born=2)
    items = [("u.0", new), ("u.1", replayed), ("u.1", end)]
    assert _queue(state, *items) == [replayed]
    assert _queue(state, *items, ("u.0", end)) == [replayed, end, new]


def test_what_the_predecessor_may_have_taken_is_dropped() -> None:
    """REC-1: no older packet counts but those of the replay; packets for others pass."""
    end = ReplayEnd("v.0", 3, 5)
    passing = _packet(4, target="w.0", session=3)
    state = QueueState(recovering=True, born=2)
    ends = [("u.0", end), ("u.1", end)]
    items = [("u.0", _packet(5)), ("u.0", passing), ("u.0", _packet(6))]
    assert _queue(state, *items, *ends) == [end, passing, _packet(6)]


def test_a_replay_that_may_lack_its_beginning_is_refused() -> None:
    """REC-1: neither for an earlier start of ours, nor one that began while we were down."""
    state = QueueState(recovering=True, born=2)
    early = _packet(1, target="v.0", session=2)
    end = ReplayEnd("v.0", 4, 9)
    partial = _packet(2, target="w.0", session=3)
    whole = _packet(2, target="w.0", session=4)
    items = [("u.0", early), ("u.0", partial), ("u.0", whole), ("u.0", end), ("u.1", end)]
    assert _queue(state, *items) == [end, whole]


def test_the_sink_suppresses_nothing() -> None:
    """REC-2: a packet that leaves twice is seen twice."""
    queue, state = Queue("sink", ("v.0",), suppress=False), QueueState()
    output = Output(1, (), "A", "x")
    for _ in range(2):
        state, taken = queue.on_item(state, ("v.0", output))
        assert taken == [("v.0", output)]


# --------------------------------------------------------------------------- splitter


def _splitter() -> Splitter:
    edges = (
        Downstream("v", ("v.0", "v.1"), frozenset({"v", "w"})),
        Downstream("x", ("x.0",), frozenset({"x"})),
    )
    return Splitter(edges)


def test_a_fan_out_shares_the_packet_and_starts_vectors_of_their_own() -> None:
    """ROOT-3, DEL-1: shares add up to one; what was induced before stays with its branch."""
    packet = _packet(1, vector=5)
    _, sends = _splitter().on_packet(SplitterState(), packet, ("a", "b"))
    copies = [send.message for send in sends]
    assert [copy.branch for copy in copies] == [(0,), (1,), (2,), (3,)]
    assert sum(copy.share for copy in copies) == 1
    assert {(copy.vector, copy.earlier) for copy in copies} == {(0, (((), 5),))}
    assert [send.to.partition(".")[0] for send in sends] == ["v", "v", "x", "x"]


def test_a_move_marks_the_end_at_the_old_instance() -> None:
    """MOVE-1: and from then on packets go to the new one, stamped with the epoch."""
    splitter, state = _splitter(), SplitterState()
    old = spread("A", ("v.0", "v.1"))
    new = {"v.0": "v.1", "v.1": "v.0"}[old]
    move = Move("v", "A", 1, new)
    state, marks = splitter.on_move(state, move)
    assert marks == [Send(old, LastMark("A", 1))]
    assert splitter.on_move(state, move) == (state, [])
    state, sends = splitter.on_packet(state, _packet(7), ("a",))
    assert sends == [Send("manager", Begin("v", "A", 1, 7, 0))]
    end = ReplayEnd("x.0", 1, 7)
    state, sends = splitter.on_mark(state, end)
    assert sends == []  # no mark overtakes a packet
    state, sends = splitter.on_since(state, Since("v", "A", 1, 7))
    assert (sends[0].to, sends[0].message.epoch) == (new, 1)
    assert sends[1:] == [
        Send("x.0", _packet(7, headers="a", branch=(1,), share=Fraction(1, 2), earlier=(((), 0),))),
        Send("x.0", end),
    ]
    # A replay goes where the clock went (REC-1).
    for clock, target in ((6, old), (7, new)):
        replayed = _packet(clock, target=target, session=1)
        _, sends = splitter.on_packet(state, replayed, ("a",))
        assert [send.to for send in sends] == [target]
        other = attrs.evolve(replayed, target=new if target == old else old)
        assert splitter.on_packet(state, other, ("a",))[1] == []


def test_replays_go_down_the_paths_to_their_target_only() -> None:
    """DUP-3: no other branch sees them; the end of the replay takes every path."""
    splitter = _splitter()
    replayed = _packet(1, target="w.3", session=1)
    _, sends = splitter.on_packet(SplitterState(), replayed, ("a",))
    assert [send.to.partition(".")[0] for send in sends] == ["v"]
    _, ends = splitter.on_mark(SplitterState(), ReplayEnd("w.3", 1, 1))
    assert [send.to for send in ends] == ["v.0", "v.1"]
    _, ends = splitter.on_mark(SplitterState(), ReplayEnd("x.0", 1, 1))
    assert [send.to for send in ends] == ["x.0"]


# --------------------------------------------------------------------------- manager


def _manager() -> Manager:
    instances = Map({"u": ("u.0", "u.1"), "v": ("v.0", "v.1")})
    return Manager(instances, Map({"u": ("root",), "v": ("u.0", "u.1")}))


def test_a_flow_moves_at_one_vertex_at_a_time() -> None:
    """MOVE-5 over several vertices: the second move begins when the first is over."""
    manager, state = _manager(), ManagerState()
    home = {name: spread("A", (f"{name}.0", f"{name}.1")) for name in "uv"}
    away = {name: home[name][:-1] + str(1 - int(home[name][-1])) for name in "uv"}
    state, sends = manager.step(state, MoveRequested("u", "A", away["u"]))
    assert sends == [Send("root", Move("u", "A", 1, away["u"]))]
    state, sends = manager.step(state, MoveRequested("v", "A", away["v"]))
    assert sends == []
    state, sends = manager.step(state, MoveRequested("u", "A", home["u"]))
    assert sends == []  # in the order of asking
    state, sends = manager.step(state, Received(home["u"], HandedOver("A", 1)))
    assert [send.message.vertex for send in sends] == ["v", "v"]
    state, sends = manager.step(state, Received(home["v"], HandedOver("A", 1)))
    assert [send.message for send in sends] == [Move("u", "A", 2, home["u"])]


def test_a_move_to_where_the_flow_is_does_nothing() -> None:
    """MOVE-1: there is nobody to hand over to."""
    manager = _manager()
    home = spread("A", ("v.0", "v.1"))
    state, sends = manager.step(ManagerState(), MoveRequested("v", "A", home))
    assert (state, sends) == (ManagerState(), [])


def test_a_tenure_begins_with_one_clock_for_all() -> None:
    """MOVE-1, SPLIT-3: the first splitter to ask fixes it; what a dead one held was not sent."""
    manager, state = _manager(), ManagerState()
    away = {"v.0": "v.1", "v.1": "v.0"}[spread("A", ("v.0", "v.1"))]
    state, _ = manager.step(state, MoveRequested("v", "A", away))
    for event in (Failed("u.0"), Received("u.0", Begin("v", "A", 1, 4, 0))):
        state, sends = manager.step(state, event)
    assert sends == []
    state, sends = manager.step(state, Received("u.1", Begin("v", "A", 1, 6, 0)))
    assert sends == [Send(to, Since("v", "A", 1, 6)) for to in ("u.0", "u.1")]
    state, sends = manager.step(state, Received("u.0", Begin("v", "A", 1, 5, 1)))
    assert sends == [Send(to, Since("v", "A", 1, 6)) for to in ("u.0", "u.1")]
    _, sends = manager.step(state, Failed("u.1"))
    assert sends[0].message.moves == (Move("v", "A", 1, away, 6),)


def test_a_failover_is_started_and_then_replayed_to() -> None:
    """REC-1: with the moves its splitter must know; an earlier start's answer counts no more."""
    manager, state = _manager(), ManagerState()
    away = {"v.0": "v.1", "v.1": "v.0"}[spread("A", ("v.0", "v.1"))]
    state, _ = manager.step(state, MoveRequested("v", "A", away))
    state, sends = manager.step(state, Failed("u.0"))
    assert sends == [Send("u.0", Start((Move("v", "A", 1, away),), 1))]
    state, _ = manager.step(state, Failed("u.0"))
    state, sends = manager.step(state, Received("u.0", Ready(1)))
    assert sends == []
    state, sends = manager.step(state, Received("u.0", Ready(2)))
    assert sends == [Send("root", Replay("u.0", 3))]


def test_a_second_failure_repeats_the_replays_under_way() -> None:
    """REC-1: the first may have gone through the instance that failed."""
    manager, state = _manager(), ManagerState()
    for event in (Failed("v.0"), Received("v.0", Ready(1)), Failed("u.0")):
        state, _ = manager.step(state, event)
    state, sends = manager.step(state, Received("u.0", Ready(3)))
    assert [send.message for send in sends] == [Replay("u.0", 4), Replay("v.0", 4)]
    state, _ = manager.step(state, Received("v.0", Recovered(2)))
    assert "v.0" in state.recovering
    state, _ = manager.step(state, Received("v.0", Recovered(4)))
    assert "v.0" not in state.recovering


# --------------------------------------------------------------------------- chain (CHAIN-4)


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        (Chain(()), "no vertices"),
        (Chain((Vertex("a", PASS), Vertex("a", PASS))), "two vertices are called 'a'"),
        (Chain((Vertex("store", PASS),)), "reserved"),
        (Chain((Vertex("a b", PASS),)), "not a plain word"),
        (Chain((Vertex("a", PASS, 0),)), "at least one instance"),
        (Chain((Vertex("a", PASS),), (("a", "b"),)), "unknown vertex 'b'"),
        (Chain((Vertex("a", PASS), Vertex("b", PASS)), (("a", "b"), ("b", "a"))), "cycle: "),
    ],
)
def test_a_malformed_chain_is_refused(chain: Chain, complaint: str) -> None:
    """CHAIN-4: the error names the fault."""
    with pytest.raises(UsageError, match=complaint):
        compile_chain(chain)


def test_every_access_has_a_token_of_its_own() -> None:
    """DEL-1: no two accesses of a chain share a bit."""
    physical = compile_chain(Chain((Vertex("a", COUNTER), Vertex("b", COUNTER)), (("a", "b"),)))
    bits = [
        bit
        for address in ("a.0", "b.0")
        for _, bit in physical.components[address].instance.tokens.items()  # type: ignore[attr-defined]
    ]
    assert len(set(bits)) == len(bits) == 4


def test_an_access_beyond_the_declared_ones_is_a_fault_of_the_nf() -> None:
    """DEL-1: it would use another access's token."""
    greedy = attrs.evolve(COUNTER, objects=(StateObject("count", True, initial=0, accesses=0),))
    system = System(compile_chain(Chain((Vertex("a", greedy),))), World())
    run = Simulation(system)
    run.happen(system.index["root"], Arrive("A", ("A",)))
    with pytest.raises(ModelError, match=r"raise StateObject\.accesses"):
        _exhaust(run)


def _exhaust(run: Simulation) -> None:
    while run.busy:
        run.deliver(min(run.busy))
