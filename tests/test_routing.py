"""Queue, splitter and manager: each rule that they decide by themselves.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

from fractions import Fraction

import attrs

from chc_ref.core.directory import ManagerState
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Begin,
    Failed,
    Fence,
    Fenced,
    HandedOver,
    LastMark,
    Move,
    MoveRequested,
    Output,
    Packet,
    Passed,
    Ready,
    Received,
    Recovered,
    Replay,
    ReplayEnd,
    Send,
    Since,
    Start,
)
from chc_ref.core.partition import Division
from chc_ref.core.queue import Item, Queue, QueueState
from chc_ref.core.splitter import Downstream, Splitter, SplitterState
from chc_ref.core.values import Map, spread


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
    end, new = ReplayEnd("v.0", 3, (1,)), _packet(2)
    state = QueueState(recovering=True, born=2)
    items = [("u.0", new), ("u.1", replayed), ("u.1", end)]
    assert _queue(state, *items) == [replayed]
    assert _queue(state, *items, ("u.0", end)) == [replayed, end, new]


def test_what_the_predecessor_may_have_taken_is_dropped() -> None:
    """REC-1: no older packet counts but those of the replay; packets for others pass."""
    end = ReplayEnd("v.0", 3, (5,))
    passing = _packet(4, target="w.0", session=3)
    state = QueueState(recovering=True, born=2)
    ends = [("u.0", end), ("u.1", end)]
    items = [("u.0", _packet(5)), ("u.0", passing), ("u.0", _packet(6))]
    assert _queue(state, *items, *ends) == [end, passing, _packet(6)]


def test_a_replay_that_may_lack_its_beginning_is_refused() -> None:
    """REC-1: neither for an earlier start of ours, nor one that began while we were down."""
    state = QueueState(recovering=True, born=2)
    early = _packet(1, target="v.0", session=2)
    end = ReplayEnd("v.0", 4, (9,))
    partial = _packet(2, target="w.0", session=3)
    whole = _packet(2, target="w.0", session=4)
    items = [("u.0", early), ("u.0", partial), ("u.0", whole), ("u.0", end), ("u.1", end)]
    assert _queue(state, *items) == [end, whole]


def test_a_moved_flow_is_replayed_in_its_order() -> None:
    """MOVE-6, DUP-3: its earlier packets come from another instance; later ones wait for them."""
    late = _packet(2, after=1, target="w.0", session=3)
    later = _packet(3, after=2, target="w.0", session=3)
    early = _packet(1, target="w.0", session=3)
    end = ReplayEnd("w.0", 3, (3,))
    passed = QueueState().passed.insert(("u", "A"), frozenset({1, 2}))
    state = QueueState(passed=passed)
    items = [("u.1", later), ("u.1", late), ("u.1", end), ("u.0", early)]
    assert _queue(state, *items) == [early]
    assert _queue(state, *items, ("u.0", end)) == [early, late, later, end]


def test_the_sink_suppresses_nothing() -> None:
    """REC-2: a packet that leaves twice is seen twice."""
    queue, state = Queue("sink", ("v.0",)), QueueState()
    output = Output(1, (), "A", "x")
    for _ in range(2):
        state, taken = queue.on_item(state, ("v.0", output))
        assert taken == [("v.0", output)]


def _splitter() -> Splitter:
    edges = (
        Downstream("v", ("v.0", "v.1"), frozenset({"v", "w"}), Division(("v.0", "v.1"))),
        Downstream("x", ("x.0",), frozenset({"x"}), Division(("x.0",))),
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
    end = ReplayEnd("x.0", 1, (7,))
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
    _, ends = splitter.on_mark(SplitterState(), ReplayEnd("w.3", 1, (1,)))
    assert [send.to for send in ends] == ["v.0", "v.1"]
    _, ends = splitter.on_mark(SplitterState(), ReplayEnd("x.0", 1, (1,)))
    assert [send.to for send in ends] == ["x.0"]


def _manager() -> Manager:
    instances = Map({"u": ("u.0", "u.1"), "v": ("v.0", "v.1")})
    stores = Map({"u": "store", "v": "store"})
    divisions = Map({name: Division(of) for name, of in instances.items()})
    return Manager(instances, Map({"u": ("root",), "v": ("u.0", "u.1")}), stores, divisions)


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
    assert sends == [Send("u.1", Since("v", "A", 1, 6))]  # the other one has not begun
    state, sends = manager.step(state, Received("store", Fenced("u.0", 1)))
    assert sends == [Send("u.0", Start((Move("v", "A", 1, away, 6),), 1))]
    state, sends = manager.step(state, Received("u.0", Begin("v", "A", 1, 5, 1)))
    assert sends == [Send(to, Since("v", "A", 1, 6)) for to in ("u.0", "u.1")]
    state, _ = manager.step(state, Failed("u.1"))
    _, sends = manager.step(state, Received("store", Fenced("u.1", 2)))
    assert sends[0].message.moves == (Move("v", "A", 1, away, 6),)


def test_a_failover_is_started_and_then_replayed_to() -> None:
    """REC-1: with the moves its splitter must know; an earlier start's answer counts no more."""
    manager, state = _manager(), ManagerState()
    away = {"v.0": "v.1", "v.1": "v.0"}[spread("A", ("v.0", "v.1"))]
    state, _ = manager.step(state, MoveRequested("v", "A", away))
    state, sends = manager.step(state, Failed("u.0"))
    assert sends == [Send("store", Fence("u.0", 1))]  # what its predecessor sent is void first
    _, sends = manager.step(state, Received("store", Fenced("u.0", 1)))
    assert sends == [Send("u.0", Start((Move("v", "A", 1, away),), 1))]
    state, _ = manager.step(state, Failed("u.0"))
    state, sends = manager.step(state, Received("store", Fenced("u.0", 1)))
    assert sends == []
    state, sends = manager.step(state, Received("store", Fenced("u.0", 2)))
    assert sends == [Send("u.0", Start((Move("v", "A", 1, away),), 2))]
    state, sends = manager.step(state, Received("u.0", Ready(1)))
    assert sends == []
    state, sends = manager.step(state, Received("u.0", Ready(2)))
    assert sends == [Send("root", Replay("u.0", 3))]


def test_a_second_failure_repeats_the_replays_under_way() -> None:
    """REC-1: the first may have gone through the instance that failed."""
    manager, state = _manager(), ManagerState()
    began = Failed("v.0"), Received("store", Fenced("v.0", 1)), Received("v.0", Ready(1))
    for event in (*began, Failed("u.0"), Received("store", Fenced("u.0", 3))):
        state, _ = manager.step(state, event)
    state, sends = manager.step(state, Received("u.0", Ready(3)))
    assert [send.message for send in sends] == [Replay("u.0", 4), Replay("v.0", 4)]
    state, _ = manager.step(state, Received("v.0", Recovered(2)))
    assert "v.0" in state.recovering
    state, _ = manager.step(state, Received("v.0", Recovered(4)))
    assert "v.0" not in state.recovering


def test_a_second_replay_does_not_overtake_what_is_held() -> None:
    """MOVE-6, REC-1: whoever has recovered takes a replayed packet in its flow's order.

    Another failure begins the replay again. Its copy of a packet must not come in for the one
    that is held, and then wait for the end of the replay, behind the flow's next packet.
    """
    queue = Queue("v.0", ("u.0", "u.1"))
    state, _ = queue.on_item(
        QueueState(recovering=True, born=1), ("u.0", ReplayEnd("v.0", 2, (1,)))
    )
    state, _ = queue.on_item(state, ("u.1", ReplayEnd("v.0", 2, (1,))))
    assert not state.recovering
    third, fourth = (Packet(clock, "A", (), after=1) for clock in (3, 4))
    again = Packet(3, "A", (), after=1, target="v.0", session=3)
    taken: list[Item] = []
    for item in (("u.0", third), ("u.0", fourth), ("u.0", again), ("u.1", Passed("A", 1))):
        state, items = queue.on_item(state, item)
        taken += items
    for source in ("u.0", "u.1"):
        state, items = queue.on_item(state, (source, ReplayEnd("v.0", 3, (3,))))
        taken += items
    clocks = [message.clock for _, message in taken if isinstance(message, Packet)]
    assert clocks == [3, 4]
