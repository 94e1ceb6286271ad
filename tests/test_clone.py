"""Clones: how the manager lets two hosts run one instance, and one of them go.

Manager and splitter, each by itself; CLONE-1, CLONE-2, CLONE-3. Ordered as init, act, check; each
test names its clause. The chain is that of ``cloned``.
"""

from __future__ import annotations

from typing import Any

import pytest
from cloned import MUTE_CACHE, PHYSICAL, of_kind, packet_of_a

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.directory import ManagerState
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Begin,
    Cache,
    CacheKnown,
    CloneRequested,
    Crashed,
    Failed,
    Fence,
    Fenced,
    HandedOver,
    Hosts,
    HostsKnown,
    KeepRequested,
    LastMark,
    Move,
    MoveRequested,
    Over,
    Passed,
    Ready,
    Received,
    Recovered,
    Replay,
    ReplayEnd,
    Send,
    Since,
    Speak,
    Start,
    Stop,
)
from chc_ref.core.splitter import Splitter, SplitterState
from chc_ref.core.values import evolve, spread
from chc_ref.nfs.tiny import COUNTER
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World

BOTH = Hosts("v.0", ("v.0", "v.0'"))


# --------------------------------------------------------------------------- splitter


def _splitter(address: str) -> Splitter:
    component: Any = PHYSICAL.components[address]
    assert isinstance(component.splitter, Splitter)
    return component.splitter


def _cloned(*hosts: Hosts) -> SplitterState:
    return _splitter("u.0").started(Start((), 0, hosts))


def _flow_at(instance: str) -> str:
    """Give a flow whose default instance of v is this one."""
    return next(f for f in "ABCDEFGH" if spread(f, ("v.0", "v.1")) == instance)


@pytest.mark.parametrize("hosts", [BOTH, Hosts("v.0", ("v.0'",))])
def test_a_splitter_sends_to_the_hosts_that_it_was_told_of(hosts: Hosts) -> None:
    """CLONE-1: packets go to each host of the instance, others as before; and it says so."""
    splitter = _splitter("u.0")
    state, sends = splitter.on_control(SplitterState(), hosts)
    assert sends == [Send("manager", HostsKnown(hosts))]
    assert state == _cloned(hosts)  # a failover is told the same at its start (REC-1)
    packet = packet_of_a(1, flow=_flow_at("v.0"))
    _, sends = splitter.on_packet(state, packet, ("a",))
    assert [(send.to, send.message.headers) for send in sends] == [(h, "a") for h in hosts.hosts]
    _, sends = splitter.on_packet(state, packet_of_a(2, flow=_flow_at("v.1")), ("a",))
    assert [send.to for send in sends] == ["v.1"]


def test_both_hosts_get_the_marks() -> None:
    """CLONE-1, MOVE-1, MOVE-6: the end of a flow, what has passed, and the end of a replay."""
    splitter, flow = _splitter("u.0"), _flow_at("v.0")
    state, sends = splitter.on_move(_cloned(BOTH), Move("v", flow, 1, "v.1"))
    assert sends == [Send(host, LastMark(flow, 1)) for host in BOTH.hosts]
    everyone = (*BOTH.hosts, "v.1")
    for mark in (Passed("A", 1), ReplayEnd("w.0", 2, ())):
        assert splitter.on_mark(state, mark)[1] == [Send(host, mark) for host in everyone]


def test_a_flow_that_is_moved_to_a_cloned_instance_goes_to_both_hosts() -> None:
    """CLONE-1: hosts that come while the flow's first packet is held count for it already."""
    splitter, flow = _splitter("u.0"), _flow_at("v.1")
    state, _ = splitter.on_move(SplitterState(), Move("v", flow, 1, "v.0"))
    state, sends = splitter.on_packet(state, packet_of_a(4, flow=flow), ("a",))
    assert sends == [Send("manager", Begin("v", flow, 1, 4, 0))]
    state, sends = splitter.on_control(state, BOTH)
    assert sends == [Send("manager", HostsKnown(BOTH))]
    _, sends = splitter.on_since(state, Since("v", flow, 1, 4))
    assert [(send.to, send.message.epoch) for send in sends] == [(h, 1) for h in BOTH.hosts]


def test_a_replay_goes_to_the_one_host_that_it_is_for() -> None:
    """CLONE-2, DUP-3: its packets and its end; one for a later vertex takes both hosts."""
    splitter, state, flow = _splitter("u.0"), _cloned(BOTH), _flow_at("v.0")
    for target, to in (("v.0'", ["v.0'"]), ("v.0", ["v.0"]), ("w.0", list(BOTH.hosts))):
        replayed = packet_of_a(1, flow=flow, target=target, session=3)
        assert [send.to for send in splitter.on_packet(state, replayed, ("a",))[1]] == to
    end = ReplayEnd("v.0'", 3, ())
    assert splitter.on_mark(state, end)[1] == [Send("v.0'", end)]


# --------------------------------------------------------------------------- manager

MANAGER = PHYSICAL.components["manager"]
BEGUN = (
    CloneRequested("v.0"),
    Received("store", Fenced("v.0'", 1)),
    Received("v.0'", Ready(1)),
)
ANSWERS = (
    Received("u.0", HostsKnown(BOTH)),
    Received("u.1", HostsKnown(BOTH)),
    Received("v.0", CacheKnown(MUTE_CACHE)),
    Received("v.1", CacheKnown(MUTE_CACHE)),
)
UP = (*BEGUN, *ANSWERS, Received("v.0'", Recovered(2)))
LAST_UP = (
    CloneRequested("w.0"),
    Received("store", Fenced("w.0'", 1)),
    Received("w.0'", Ready(1)),
    *(Received(v, HostsKnown(Hosts("w.0", ("w.0", "w.0'")))) for v in ("v.0", "v.1")),
    Received("w.0'", Recovered(2)),
)


def _manage(state: ManagerState, *events: Any) -> tuple[ManagerState, list[Send]]:
    """Give the manager behind all events, and what the last one made it send."""
    assert isinstance(MANAGER, Manager)
    sends: list[Send] = []
    for event in events:
        state, sends = MANAGER.step(state, event)
    return state, sends


def _all(*events: Any) -> list[Send]:
    """Give everything that the manager sends."""
    assert isinstance(MANAGER, Manager)
    state, sends = ManagerState(), []
    for event in events:
        state, more = MANAGER.step(state, event)
        sends += more
    return sends


def test_a_clone_begins_on_the_other_host() -> None:
    """CLONE-1: empty, and as if its host had failed before; nobody sends to it yet."""
    state, sends = _manage(ManagerState(), CloneRequested("v.0"))
    assert Send("store", Fence("v.0'", 1)) in sends
    asked = [Send(host, MUTE_CACHE) for host in ("v.0", "v.1")]  # the clone is told by its start
    assert of_kind(sends, Cache) == asked
    assert len(sends) == 3
    state, sends = _manage(state, Received("store", Fenced("v.0'", 1)))
    assert sends == [Send("v.0'", Start((), 1, cache=MUTE_CACHE))]
    _, sends = _manage(state, Received("v.0'", Ready(1)))
    assert sends == [Send(u, BOTH) for u in ("u.0", "u.1")]


def test_only_the_clone_of_a_last_instance_is_mute() -> None:
    """CLONE-3: elsewhere a queue drops what both hosts send; at the sink nobody does (REC-2)."""
    for instance, mute in (("v.0", False), ("w.0", True)):
        fenced = Received("store", Fenced(f"{instance}'", 1))
        _, sends = _manage(ManagerState(), CloneRequested(instance), fenced)
        assert sends[0].message.mute is mute
    _, sends = _manage(ManagerState(), Failed("w.0"), Received("store", Fenced("w.0", 1)))
    assert sends[0].message.mute is False


def test_an_instance_has_one_clone_and_none_while_it_recovers() -> None:
    """CLONE-1: there are two hosts for it, and the replay needs one that has everything."""
    state, _ = _manage(ManagerState(), *UP)
    assert _manage(state, CloneRequested("v.0")) == (state, [])
    state, _ = _manage(ManagerState(), Failed("v.0"))
    assert _manage(state, CloneRequested("v.0")) == (state, [])


@pytest.mark.parametrize("last", ANSWERS)
def test_the_replay_begins_when_all_have_answered(last: Received) -> None:
    """CLONE-2: a packet that passed a splitter before it knew must be in the replay.

    CACHE-4: nor may the other host serve from a cache what the clone does not see.
    """
    earlier = [answer for answer in ANSWERS if answer != last]
    sends = _all(*BEGUN, *earlier, *earlier)
    assert of_kind(sends, Replay) == []
    state, _ = _manage(ManagerState(), *BEGUN, *earlier)
    assert _manage(state, last)[1] == [Send("root", Replay("v.0'", 2))]


@pytest.mark.parametrize("last", ANSWERS)
@pytest.mark.parametrize(
    "answer",
    [
        CacheKnown(Cache(False)),
        CacheKnown(Cache(True)),
        HostsKnown(Hosts("v.0", ("v.0",))),
        HostsKnown(Hosts("v.1", ("v.1",))),
    ],
)
def test_an_answer_to_something_else_does_not_count(
    last: Received, answer: CacheKnown | HostsKnown
) -> None:
    """CLONE-2: hosts or caches as they were asked for before, or of another instance."""
    earlier = [*(known for known in ANSWERS if known != last), Received(last.source, answer)]
    assert of_kind(_all(*BEGUN, *earlier), Replay) == []
    assert of_kind(_all(*BEGUN, *earlier, last), Replay) != []


@pytest.mark.parametrize("failed", ["u.0", "u.1", "v.1"])
def test_nobody_waits_for_an_answer_of_one_that_has_failed(failed: str) -> None:
    """CLONE-2, REC-1: its failover is told at its start, before it sends anything."""
    earlier = [answer for answer in ANSWERS if answer.source != failed]
    state, _ = _manage(ManagerState(), *BEGUN, *earlier)
    state, sends = _manage(state, Failed(failed))
    assert sends == [Send("store", Fence(failed, 2)), Send("root", Replay("v.0'", 3))]
    _, sends = _manage(state, Received("store", Fenced(failed, 2)))
    (start,) = of_kind(sends, Start)
    assert start.message.hosts == (() if failed == "v.1" else (BOTH,))
    assert start.message.cache == (MUTE_CACHE if failed == "v.1" else Cache(True))


def test_a_splitter_that_begins_before_the_clone_does_not_send_to_it() -> None:
    """CLONE-1, REC-1: it is told of the clone later, as the others are."""
    events = (CloneRequested("v.0"), Failed("u.0"), Received("store", Fenced("u.0", 2)))
    state, sends = _manage(ManagerState(), *events)
    assert sends[0].message.hosts == (Hosts("v.0", ("v.0",)),)
    began = Received("store", Fenced("v.0'", 1)), Received("v.0'", Ready(1))
    _, sends = _manage(state, *began)
    assert sends == [Send(u, BOTH) for u in ("u.0", "u.1")]


def test_a_clone_waits_for_nobody_when_all_others_begin_too() -> None:
    """CLONE-2, REC-1: all are told at their start, so there is nobody to ask."""
    failed = tuple(Failed(other) for other in ("u.0", "u.1"))
    state, _ = _manage(ManagerState(), CloneRequested("v.0"), *ANSWERS[2:], *failed)
    began = Received("store", Fenced("v.0'", 1)), Received("v.0'", Ready(1))
    state, sends = _manage(state, *began)
    assert sends == [Send("root", Replay("v.0'", 4))]
    _, sends = _manage(state, Received("store", Fenced("u.0", 2)))
    assert sends[0].message.hosts == (BOTH,)


def test_a_clone_waits_for_no_root_that_begins_once_more() -> None:
    """CLONE-2, REC-3: started anew, as a store was, it forgets what it had put aside."""
    vertices = Vertex("w", COUNTER, clones=True), Vertex("x", COUNTER, store="store2")
    chain = Chain(vertices, (("w", "x"),), log="store", write_ahead=True)
    run = Simulation(System(compile_chain(chain), World()))
    system = run.system

    def fail(address: str) -> None:
        run.happen(system.index[address], Crashed())
        run.happen(system.index["manager"], Failed(address))

    run.happen(system.index["manager"], CloneRequested("w.0"))
    run.deliver(system.channel("manager", "store"))  # the fence
    run.deliver(system.channel("store", "manager"))
    fail("root")
    run.deliver(system.channel("manager", "root"))  # it inquires of both stores
    fail("store2")
    run.deliver(system.channel("root", "store2"))
    run.deliver(system.channel("manager", "w.0'"))  # the start
    run.deliver(system.channel("w.0'", "manager"))
    run.deliver(system.channel("manager", "root"))  # the hosts, put aside in recovery
    while run.busy:
        run.deliver(min(run.busy))
    assert dict(run.state("manager").recovering.items()) == {}


def test_the_second_failure_repeats_a_clones_replay() -> None:
    """CLONE-2, REC-1: the first may have gone through the instance that failed."""
    failed = (Failed("u.0"), Received("store", Fenced("u.0", 3)), Received("u.0", Ready(3)))
    state, sends = _manage(ManagerState(), *BEGUN, *ANSWERS, *failed)
    assert sends == [Send("root", Replay(to, 4)) for to in ("u.0", "v.0'")]
    state, _ = _manage(state, Received("v.0'", Recovered(2)))
    assert "v.0'" in state.recovering


@pytest.mark.parametrize(("kept", "stopped"), [("v.0", "v.0'"), ("v.0'", "v.0")])
@pytest.mark.parametrize("asked", [1, 2, 3, 5, 7])
def test_the_choice_of_a_host_waits_until_the_clone_is_up(
    kept: str, stopped: str, asked: int
) -> None:
    """CLONE-3: whenever it was made; what the other one sent is void, and it is stopped."""
    events = [*UP[:asked], KeepRequested(stopped), KeepRequested(kept), *UP[asked:]]
    assert len(of_kind(_all(*events[:-1]), Fence)) == 1
    state, sends = _manage(ManagerState(), *events)
    assert sends == [
        *(Send(u, Hosts("v.0", (kept,))) for u in ("u.0", "u.1")),
        Send("store", Fence(stopped, 3)),
    ]
    assert _manage(state, KeepRequested(stopped)) == (state, [])
    state, sends = _manage(state, Received("store", Fenced(stopped, 3)))
    assert sends == [Send(stopped, Stop())]
    assert _manage(state, KeepRequested(stopped)) == (state, [])


def test_a_host_may_be_chosen_at_any_time_after() -> None:
    """CLONE-3: both go on until then; a choice before there is a clone is no choice."""
    assert len(of_kind(_all(KeepRequested("v.0'"), KeepRequested("v.0"), *UP), Fence)) == 1
    state, sends = _manage(ManagerState(), *UP)
    assert sends == []
    _, sends = _manage(state, KeepRequested("v.0'"))
    assert of_kind(sends, Fence) == [Send("store", Fence("v.0", 3))]


@pytest.mark.parametrize(
    ("events", "failed", "kept"),
    [
        (UP, "v.0", "v.0'"),
        (UP, "v.0'", "v.0"),
        (UP[:-1], "v.0", "v.0"),  # the clone lacks what the replay still has to bring
        (UP[:2], "v.0", "v.0"),
        (UP[:-1], "v.0'", "v.0"),
        (UP[:1], "v.0'", "v.0"),
        (LAST_UP, "w.0", "w.0"),  # its output may be under way: its failover comes behind it
        (LAST_UP, "w.0'", "w.0"),
        (LAST_UP[:-1], "w.0", "w.0"),
    ],
)
def test_a_failure_of_either_host_ends_the_cloning(
    events: tuple[Any, ...], failed: str, kept: str
) -> None:
    """CLONE-3, REC-1: the other host goes on if it can, else the failed one is brought back."""
    instance, other = failed.removesuffix("'"), {failed, kept} - {failed}
    state, _ = _manage(ManagerState(), *events)
    state, sends = _manage(state, Failed(failed))
    above = ("u.0", "u.1") if instance == "v.0" else ("v.0", "v.1")
    assert of_kind(sends, Hosts) == [Send(to, Hosts(instance, (kept,))) for to in above]
    stopped = instance if kept.endswith("'") else f"{instance}'"
    fenced = [send.message.address for send in of_kind(sends, Fence)]
    assert fenced == ([stopped] if other else [stopped, failed])
    assert set(dict(state.recovering.items())) == (set() if other else {failed})
    # The other host is stopped when the store needs its log no more, and does not begin again.
    (fence,) = (f.message for f in of_kind(sends, Fence) if f.message.address == stopped)
    assert of_kind(sends, Stop) == []
    assert _manage(state, Received("store", Fenced(stopped, fence.start - 1))) == (state, [])
    state, sends = _manage(state, Received("store", Fenced(stopped, fence.start)))
    assert sends == [Send(stopped, Stop())]
    for start in (1, fence.start):
        assert _manage(state, Received("store", Fenced(stopped, start))) == (state, [])
        assert _manage(state, Received(stopped, Ready(start))) == (state, [])


def test_a_clone_that_ends_before_it_is_known_is_asked_for_nothing() -> None:
    """CLONE-3, CLONE-2: whoever has not answered yet answers for the remaining host."""
    state, _ = _manage(ManagerState(), *BEGUN, Failed("v.0'"))
    alone = (Received(u, HostsKnown(Hosts("v.0", ("v.0",)))) for u in ("u.0", "u.1"))
    for answer in (*ANSWERS, *alone):
        state, sends = _manage(state, answer)
        assert sends == []
    state, sends = _manage(state, CloneRequested("v.0"))
    assert sends == []  # that host is still to be stopped
    _, sends = _manage(state, Received("store", Fenced("v.0'", 2)))
    assert sends[0] == Send("v.0'", Stop())
    assert of_kind(sends, Fence) == [Send("store", Fence("v.0'", 3))]


def test_a_clone_speaks_when_the_other_hosts_output_is_over() -> None:
    """CLONE-3: the sink tells; were it sooner, output could overtake what is under way."""
    fenced = Received("store", Fenced("w.0", 3))
    state, sends = _manage(ManagerState(), *LAST_UP, KeepRequested("w.0'"), fenced)
    assert sends == [Send("w.0", Stop())]
    state, sends = _manage(state, Received("sink", Over("w.0")))
    assert sends == [Send("w.0'", Speak())]
    assert _manage(state, Received("sink", Over("w.0")))[1] == []  # told once


def test_the_end_of_a_clone_lets_nobody_speak() -> None:
    """CLONE-3: the first host was never mute."""
    for end in (KeepRequested("w.0"), Failed("w.0'")):
        state, _ = _manage(ManagerState(), *LAST_UP, end)
        for host in ("w.0", "w.0'"):
            assert _manage(state, Received("sink", Over(host)))[1] == []


def test_a_stopped_host_that_fails_is_told_to_stop_again() -> None:
    """CLONE-3, REC-1: it has no failover, yet the clone waits to hear that it is over."""
    fenced = Received("store", Fenced("w.0", 3))
    state, _ = _manage(ManagerState(), *LAST_UP, KeepRequested("w.0'"))
    failed = evolve(state, gone=frozenset({"w.0"}))
    assert _manage(state, Failed("w.0")) == (failed, [])  # it is still to be told
    state, _ = _manage(state, fenced)
    assert _manage(state, Failed("w.0")) == (state, [Send("w.0", Stop())])
    state, _ = _manage(state, Received("sink", Over("w.0")))
    assert _manage(state, Failed("w.0")) == (state, [])
    # Nobody waits for one that is not last; it may have a clone again at once.
    ended = KeepRequested("v.0'"), Received("store", Fenced("v.0", 3))
    state, _ = _manage(ManagerState(), *UP, *ended)
    assert _manage(state, Failed("v.0")) == (state, [])
    _, sends = _manage(state, CloneRequested("v.0"))
    assert of_kind(sends, Fence) == [Send("store", Fence("v.0", 4))]


ROW = Chain((Vertex("v", COUNTER, 2, clones=True), Vertex("x", COUNTER, 2)), (("v", "x"),))
X = spread("A", ("x.0", "x.1"))
NOT_X = {"x.0": "x.1", "x.1": "x.0"}[X]
MOVED = Move("x", "A", 1, NOT_X)


def _row(*events: Any, state: ManagerState | None = None) -> tuple[ManagerState, list[Send]]:
    """Give the manager of ``v -> x`` behind all events, and what the last one made it send."""
    manager = compile_chain(ROW).components["manager"]
    assert isinstance(manager, Manager)
    state = ManagerState() if state is None else state
    sends: list[Send] = []
    for event in events:
        state, sends = manager.step(state, event)
    return state, sends


@pytest.mark.parametrize("end", [KeepRequested("v.0'"), KeepRequested("v.0"), Failed("v.0'")])
def test_no_flow_moves_behind_a_cloned_instance(end: Any) -> None:
    """CLONE-1, MOVE-1: each of its hosts would hear of it at another place in the stream."""
    answered = Received("root", HostsKnown(BOTH)), Received("v.0'", Recovered(2))
    state, _ = _row(*BEGUN, *answered)
    state, sends = _row(MoveRequested("x", "A", NOT_X), state=state)
    assert sends == []
    _, sends = _row(end, state=state)
    kept = "v.0'" if end == KeepRequested("v.0'") else "v.0"
    assert of_kind(sends, Move) == [Send(to, MOVED) for to in (kept, "v.1")]


@pytest.mark.parametrize("kept", ["v.0", "v.0'"])
@pytest.mark.parametrize("first", ["v.0", "v.0'"])
def test_a_move_is_over_when_no_host_has_the_flow_any_more(first: str, kept: str) -> None:
    """MOVE-2, CLONE-1: one host's word is for itself; what the one that is stopped said is void."""
    state, sends = _manage(ManagerState(), *UP, MoveRequested("v", "D", "v.1"))
    assert {send.to for send in of_kind(sends, Move)} == {"u.0", "u.1"}
    handed = {host: Received(host, HandedOver("D", 1)) for host in ("v.0", "v.0'")}
    state, _ = _manage(state, handed[first], handed[first])
    assert "D" in state.under_way
    both, _ = _manage(state, handed["v.0"], handed["v.0'"])
    assert "D" not in both.under_way
    assert both.handed == frozenset()
    state, _ = _manage(state, KeepRequested(kept))
    assert ("D" in state.under_way) is (first != kept)
    assert state.handed == frozenset()
    state, _ = _manage(state, handed[kept])
    assert "D" not in state.under_way


def test_an_instance_is_not_cloned_while_a_flow_moves_behind_it() -> None:
    """CLONE-1, MOVE-1: nor the other way round; moves elsewhere are no reason to wait."""
    state, sends = _row(MoveRequested("x", "A", NOT_X))
    assert sends == [Send(to, MOVED) for to in ("v.0", "v.1")]
    state, sends = _row(CloneRequested("v.0"), state=state)
    assert sends == []
    _, sends = _row(Received(X, HandedOver("A", 1)), state=state)
    assert sends == [Send("store", Fence("v.0'", 1))]
    v = spread("A", ("v.0", "v.1"))
    moves = MoveRequested("v", "A", {"v.0": "v.1", "v.1": "v.0"}[v])
    _, sends = _row(moves, CloneRequested("v.0"))
    assert sends == [Send("store", Fence("v.0'", 1))]


def test_a_failover_of_a_clone_that_must_not_speak_yet_is_mute_too() -> None:
    """CLONE-3, REC-1, R2: the stopped host's output is under way on another channel."""
    chosen = KeepRequested("w.0'"), Failed("w.0'")
    _, sends = _manage(ManagerState(), *LAST_UP, *chosen)
    fence = of_kind(sends, Fence)[-1].message
    began = Received("store", Fenced(fence.address, fence.start))
    _, sends = _manage(ManagerState(), *LAST_UP, *chosen, began)
    assert [start.message.mute for start in of_kind(sends, Start)] == [True]


def test_a_host_is_not_used_again_before_it_is_over() -> None:
    """CLONE-1, CLONE-3: a start would make it forget the output that it alone may send."""
    state, _ = _manage(ManagerState(), *LAST_UP, KeepRequested("w.0'"))
    state, sends = _manage(state, CloneRequested("w.0"))
    assert sends == []
    state, sends = _manage(state, Received("store", Fenced("w.0", 3)))
    assert sends == [Send("w.0", Stop())]
    _, sends = _manage(state, Received("sink", Over("w.0")))
    assert sends == [Send("w.0'", Speak()), Send("store", Fence("w.0", 4))]
