"""Clones: each rule by which two hosts run one instance, and one of them goes.

Manager, splitter, host, instance, queue, store and sink, each by itself; CLONE-1, CLONE-2,
CLONE-3, and DUP-1, DUP-2, STORE-2 as far as two hosts are concerned. Ordered as init, act,
check; each test names its clause. In the chain ``u -> v -> w`` the instances v.0, v.1 and w.0
may be cloned; v has objects that are cached, and w is last.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.client import ClientState
from chc_ref.core.directory import ManagerState
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Begin,
    Cache,
    CacheKnown,
    CloneRequested,
    Committed,
    Crashed,
    Delete,
    Deleted,
    Failed,
    Fence,
    Fenced,
    Granted,
    HandedOver,
    Hosts,
    HostsKnown,
    KeepRequested,
    LastMark,
    Move,
    MoveRequested,
    Output,
    Over,
    Packet,
    Passed,
    Ready,
    Received,
    Recovered,
    Release,
    Replay,
    ReplayEnd,
    Result,
    Send,
    Since,
    Speak,
    Start,
    Stop,
)
from chc_ref.core.node import DOWN, Node, NodeState, Sink
from chc_ref.core.operations import Increment
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.splitter import Splitter, SplitterState
from chc_ref.core.store import Store
from chc_ref.core.values import ObjectKey, UpdateId, spread
from chc_ref.core.work import InstanceState
from chc_ref.nfs.tiny import COUNTER, LIMIT, MARKER
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World

PHYSICAL = compile_chain(
    Chain(
        (
            Vertex("u", COUNTER, 2),
            Vertex("v", LIMIT, 2, clones=True),
            Vertex("w", COUNTER, clones=True),
        ),
        (("u", "v"), ("v", "w")),
    )
)
BOTH = Hosts("v.0", ("v.0", "v.0'"))
MUTE_CACHE = Cache(False, copies=False)
"""What a cloned vertex may cache: nothing."""


def _packet(clock: int, **fields: Any) -> Packet:
    return attrs.evolve(Packet(clock, "A", ("x",)), **fields)


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
    packet = _packet(1, flow=_flow_at("v.0"))
    _, sends = splitter.on_packet(state, packet, ("a",))
    assert [(send.to, send.message.headers) for send in sends] == [(h, "a") for h in hosts.hosts]
    _, sends = splitter.on_packet(state, _packet(2, flow=_flow_at("v.1")), ("a",))
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
    state, sends = splitter.on_packet(state, _packet(4, flow=flow), ("a",))
    assert sends == [Send("manager", Begin("v", flow, 1, 4, 0))]
    state, sends = splitter.on_control(state, BOTH)
    assert sends == [Send("manager", HostsKnown(BOTH))]
    _, sends = splitter.on_since(state, Since("v", flow, 1, 4))
    assert [(send.to, send.message.epoch) for send in sends] == [(h, 1) for h in BOTH.hosts]


def test_a_replay_goes_to_the_one_host_that_it_is_for() -> None:
    """CLONE-2, DUP-3: its packets and its end; one for a later vertex takes both hosts."""
    splitter, state, flow = _splitter("u.0"), _cloned(BOTH), _flow_at("v.0")
    for target, to in (("v.0'", ["v.0'"]), ("v.0", ["v.0"]), ("w.0", list(BOTH.hosts))):
        replayed = _packet(1, flow=flow, target=target, session=3)
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


def _of(sends: list[Send], kind: type) -> list[Send]:
    return [send for send in sends if isinstance(send.message, kind)]


def test_a_clone_begins_on_the_other_host() -> None:
    """CLONE-1: empty, and as if its host had failed before; nobody sends to it yet."""
    state, sends = _manage(ManagerState(), CloneRequested("v.0"))
    assert Send("store", Fence("v.0'", 1)) in sends
    asked = [Send(host, MUTE_CACHE) for host in ("v.0", "v.1")]  # the clone is told by its start
    assert _of(sends, Cache) == asked
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
    assert _of(sends, Replay) == []
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
    assert _of(_all(*BEGUN, *earlier), Replay) == []
    assert _of(_all(*BEGUN, *earlier, last), Replay) != []


@pytest.mark.parametrize("failed", ["u.0", "u.1", "v.1"])
def test_nobody_waits_for_an_answer_of_one_that_has_failed(failed: str) -> None:
    """CLONE-2, REC-1: its failover is told at its start, before it sends anything."""
    earlier = [answer for answer in ANSWERS if answer.source != failed]
    state, _ = _manage(ManagerState(), *BEGUN, *earlier)
    state, sends = _manage(state, Failed(failed))
    assert sends == [Send("store", Fence(failed, 2)), Send("root", Replay("v.0'", 3))]
    _, sends = _manage(state, Received("store", Fenced(failed, 2)))
    (start,) = _of(sends, Start)
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
    assert len(_of(_all(*events[:-1]), Fence)) == 1
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
    assert len(_of(_all(KeepRequested("v.0'"), KeepRequested("v.0"), *UP), Fence)) == 1
    state, sends = _manage(ManagerState(), *UP)
    assert sends == []
    _, sends = _manage(state, KeepRequested("v.0'"))
    assert _of(sends, Fence) == [Send("store", Fence("v.0", 3))]


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
    assert _of(sends, Hosts) == [Send(to, Hosts(instance, (kept,))) for to in above]
    stopped = instance if kept.endswith("'") else f"{instance}'"
    fenced = [send.message.address for send in _of(sends, Fence)]
    assert fenced == ([stopped] if other else [stopped, failed])
    assert set(dict(state.recovering.items())) == (set() if other else {failed})
    # The other host is stopped when the store needs its log no more, and does not begin again.
    (fence,) = (f.message for f in _of(sends, Fence) if f.message.address == stopped)
    assert _of(sends, Stop) == []
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
    assert _of(sends, Fence) == [Send("store", Fence("v.0'", 3))]


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
    assert _manage(state, Failed("w.0")) == (state, [])  # it is still to be told
    state, _ = _manage(state, fenced)
    assert _manage(state, Failed("w.0")) == (state, [Send("w.0", Stop())])
    state, _ = _manage(state, Received("sink", Over("w.0")))
    assert _manage(state, Failed("w.0")) == (state, [])
    # Nobody waits for one that is not last; it may have a clone again at once.
    ended = KeepRequested("v.0'"), Received("store", Fenced("v.0", 3))
    state, _ = _manage(ManagerState(), *UP, *ended)
    assert _manage(state, Failed("v.0")) == (state, [])
    _, sends = _manage(state, CloneRequested("v.0"))
    assert _of(sends, Fence) == [Send("store", Fence("v.0", 4))]


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
    assert _of(sends, Move) == [Send(to, MOVED) for to in (kept, "v.1")]


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
    fence = _of(sends, Fence)[-1].message
    began = Received("store", Fenced(fence.address, fence.start))
    _, sends = _manage(ManagerState(), *LAST_UP, *chosen, began)
    assert [start.message.mute for start in _of(sends, Start)] == [True]


def test_a_host_is_not_used_again_before_it_is_over() -> None:
    """CLONE-1, CLONE-3: a start would make it forget the output that it alone may send."""
    state, _ = _manage(ManagerState(), *LAST_UP, KeepRequested("w.0'"))
    state, sends = _manage(state, CloneRequested("w.0"))
    assert sends == []
    state, sends = _manage(state, Received("store", Fenced("w.0", 3)))
    assert sends == [Send("w.0", Stop())]
    _, sends = _manage(state, Received("sink", Over("w.0")))
    assert sends == [Send("w.0'", Speak()), Send("store", Fence("w.0", 4))]


# --------------------------------------------------------------------------- host


def _node(address: str) -> Node:
    component = PHYSICAL.components[address]
    assert isinstance(component, Node)
    return component


def _host(
    address: str, *events: Any, state: NodeState | None = None
) -> tuple[NodeState, list[Send]]:
    """Give a host behind all messages, and what it sends."""
    node, sends = _node(address), []
    state = NodeState() if state is None else state
    for message in events:
        source = "v.0" if isinstance(message, Packet | ReplayEnd) else "store"
        state, more = node.step(state, Received(source, message))
        sends += more
    return state, sends


def _granted(clock: int) -> Granted:
    return Granted("A", 0, clock, (("count", 0),), True)


DELETED = Deleted(1, (), True, 0)


def test_a_clone_is_down_until_it_is_started() -> None:
    """CLONE-1: it begins with nothing, and takes no packet before its replay (CLONE-2)."""
    node = _node("w.0'")
    assert node.initial == DOWN
    assert _host("w.0'", _packet(1), _granted(1), state=node.initial) == (DOWN, [])
    start = Start((), 4, cache=MUTE_CACHE, mute=True)
    state, sends = node.step(node.initial, Received("manager", start))
    assert sends == [Send("manager", Ready(4))]
    assert (state.up, state.queue.recovering, state.instance.mute) == (True, True, True)
    assert state.instance.client == ClientState(start=4, cache=MUTE_CACHE)
    _, sends = _host("w.0'", _packet(1), state=state)
    assert sends == []


def test_a_stopped_host_lets_out_the_output_whose_delete_was_asked() -> None:
    """CLONE-3, REC-2: nobody else may send it; everything behind it is the other host's."""
    state, sends = _host("w.0", _packet(1), _granted(1), _packet(2), _packet(3, flow="B"))
    assert [send.message.clock for send in _of(sends, Delete)] == [1]
    state, sends = _host("w.0", Stop(), state=state)
    assert sends == []
    waits = (_packet(4), _granted(4), Speak(), MUTE_CACHE, Deleted(2, (), True, 0))
    after, sends = _host("w.0", *waits, state=state)
    assert (after, sends) == (state, [])
    state, sends = _host("w.0", DELETED, state=state)
    assert (state, sends) == (
        DOWN,
        [Send("sink", Output(1, (), "A", ("x", 1))), Send("sink", Over("w.0"))],
    )


def test_a_stopped_host_lets_out_nothing_that_another_has_let_out() -> None:
    """CLONE-3, REC-2: the answer may say that its delete was not the first."""
    state, _ = _host("w.0", _packet(1), _granted(1), Stop())
    state, sends = _host("w.0", Deleted(1, (), False, 0), state=state)
    assert (state, sends) == (DOWN, [Send("sink", Over("w.0"))])


@pytest.mark.parametrize("events", [(), (_packet(1),), (_packet(1), _granted(1), DELETED)])
def test_a_host_with_no_delete_to_wait_for_is_over_at_once(events: tuple[Any, ...]) -> None:
    """CLONE-3: what it holds besides is processed by the other host; also told again."""
    state, _ = _host("w.0", *events)
    for _ in range(2):  # the second one finds it down
        state, sends = _host("w.0", Stop(), state=state)
        assert (state, sends) == (DOWN, [Send("sink", Over("w.0"))])


def test_a_stopped_host_that_fails_is_over() -> None:
    """CLONE-3: its last output is lost with it, as one by a crash of a last instance is."""
    state, _ = _host("w.0", _packet(1), _granted(1), Stop())
    state, _ = _node("w.0").step(state, Crashed())
    assert _host("w.0", DELETED, state=state) == (DOWN, [])
    assert _host("w.0", Stop(), state=state) == (DOWN, [Send("sink", Over("w.0"))])


def test_a_stopped_host_in_the_middle_of_the_chain_says_nothing() -> None:
    """CLONE-3: nobody waits for it, since queues drop what both hosts have sent (DUP-1)."""
    assert _host("v.0", _packet(1), Stop()) == (DOWN, [Send("store", Acquire("A", 0, 1))])


def test_the_sink_tells_that_a_host_is_over() -> None:
    """CLONE-3: behind all that the host has sent it."""
    sink = PHYSICAL.components["sink"]
    assert isinstance(sink, Sink)
    state, sends = sink.step(sink.initial, Received("w.0", Over("w.0")))
    assert (state, sends) == (sink.initial, [Send("manager", Over("w.0"))])


# --------------------------------------------------------------------------- mute clone


def test_a_mute_clone_processes_and_keeps_what_leaves() -> None:
    """CLONE-3: its updates are the other host's (DUP-2); no delete is asked, none answered."""
    mute = _host("w.0'", Start((), 1, mute=True), ReplayEnd("w.0'", 2, ()))[0]
    assert mute.queue.recovering  # until v.1 has ended the replay too
    mute, sends = _node("w.0'").step(mute, Received("v.1", ReplayEnd("w.0'", 2, ())))
    assert Send("manager", Recovered(2)) in sends
    state, sends = _host("w.0'", _packet(1), _granted(1), _packet(2), state=mute)
    assert [send.message.id.clock for send in _of(sends, Apply)] == [1, 1, 2, 2]
    assert {send.to for send in sends} == {"store"}
    # Now it may speak: one output after the other, in the order of processing, each by its delete.
    state, sends = _host("w.0'", Speak(), _packet(3), state=state)
    assert [send.message.clock for send in _of(sends, Delete)] == [1]
    left: list[int] = []
    for clock in (1, 2, 3):
        state, sends = _host("w.0'", Deleted(clock, (), True, 1), state=state)
        left += [send.message.clock for send in sends if send.to == "sink"]
        assert [send.message.clock for send in _of(sends, Delete)] == [clock + 1][: 3 - clock]
    assert left == [1, 2, 3]


def test_what_a_clone_has_in_work_leaves_behind_what_it_has_kept() -> None:
    """CLONE-3, R2: it may be told to speak while it waits for the store."""
    node = compile_chain(Chain((Vertex("m", MARKER, clones=True),))).components["m.0'"]
    assert isinstance(node, Node)
    state, sends = attrs.evolve(DOWN, up=True, instance=InstanceState(mute=True)), []
    marks = [Result(UpdateId(clock, (), ObjectKey("m", "marked", ()), 0), 0) for clock in (1, 2)]
    granted = Granted("A", 0, 1, (), True)
    for message in (_packet(1), granted, marks[0], _packet(2), Speak(), marks[1]):
        state, more = node.step(state, Received("store", message))
        sends += more
    assert [send.message.clock for send in _of(sends, Delete)] == [1]
    _, sends = node.step(state, Received("root", DELETED))
    assert [type(send.message) for send in sends] == [Output, Delete]
    assert [send.message.clock for send in sends] == [1, 2]


def test_a_clone_that_speaks_sends_only_what_has_not_left() -> None:
    """CLONE-3, R5: the first delete of a packet decides, whichever host asked."""
    state, _ = _host("w.0'", _packet(1), state=NodeState())
    state = attrs.evolve(state, instance=attrs.evolve(state.instance, mute=True))
    state, _ = _host("w.0'", _granted(1), Speak(), state=state)
    _, sends = _host("w.0'", Deleted(1, (), False, 0), state=state)
    assert [send for send in sends if send.to == "sink"] == []


def test_a_clone_that_is_not_told_to_speak_stays_mute() -> None:
    """CLONE-3: whatever else it hears."""
    state, _ = _host("w.0'", _packet(1), state=NodeState())
    state = attrs.evolve(state, instance=attrs.evolve(state.instance, mute=True))
    messages = (_granted(1), MUTE_CACHE, DELETED, _packet(2), Hosts("w.0", ("w.0", "w.0'")))
    _, sends = _host("w.0'", *messages, state=state)
    assert _of(sends, Delete) + _of(sends, Output) == []


# --------------------------------------------------------------------------- store and queues


def _store(*requests: tuple[str, Any]) -> list[Send]:
    store = PHYSICAL.components["store"]
    assert isinstance(store, Store)
    state, sends = store.initial, []
    for source, message in requests:
        state, more = store.step(state, Received(source, message))
        sends += more
    return sends


def _update(clock: int, name: str, start: int = 0) -> Apply:
    key = ObjectKey("w", name, "A" if name == "count" else ())
    return Apply(UpdateId(clock, (), key, 0), Increment(), 1, True, start=start)


def test_both_hosts_are_one_instance_to_the_store() -> None:
    """STORE-1, STORE-2, CLONE-1: the owner is the instance, on whichever host it runs."""
    for owner, other in (("w.0", "w.0'"), ("w.0'", "w.0")):
        owned = (owner, Acquire("A", 0, 1))
        sends = _store(owned, (other, _update(1, "count")), (other, Acquire("A", 0, 2)))
        assert sends[1].message == Result(_update(1, "count").id, 1)
        assert sends[-1] == Send(other, Granted("A", 0, 2, (("count", 1),), True))
        sends = _store(owned, (other, Release("A", 1)), ("w.1", Acquire("A", 1, 2)))
        assert sends[-1].to == "w.1"
        sends = _store(owned, ("w.1", _update(1, "count")))
        assert sends[-1].message.value.reason == "not the owner"


@pytest.mark.parametrize("name", ["count", "total"])
def test_what_both_hosts_do_is_done_once(name: str) -> None:
    """CLONE-3, DUP-2: the second one gets the result of the first, and commits nothing."""
    hosts = ("w.0", "w.0'")
    sends = _store(("w.0", Acquire("A", 0, 1)), *((host, _update(1, name)) for host in hosts))
    results = [send for send in sends if isinstance(send.message, Result)]
    assert results == [Send(host, Result(_update(1, name).id, 1)) for host in hosts]
    assert _of(sends, Committed) == [Send("root", Committed(1, (), 1))]


def test_what_a_stopped_host_has_under_way_is_void() -> None:
    """CLONE-3, REC-1: and nothing of the host that is kept, nor of a later clone there."""
    fence = ("manager", Fence("w.0", 3))
    assert _of(_store(fence, ("w.0", _update(1, "total"))), Result) == []
    assert len(_of(_store(fence, ("w.0'", _update(1, "total"))), Result)) == 1
    assert len(_of(_store(fence, ("w.0", _update(1, "total", start=3))), Result)) == 1


def _queue(*items: tuple[str, Any]) -> list[Any]:
    queue, state, taken = Queue("w.0", ("v.0", "v.1")), QueueState(), []
    for item in items:
        state, more = queue.on_item(state, item)
        taken += [message for _, message in more]
    return taken


def test_of_the_output_of_both_hosts_each_packet_is_queued_once() -> None:
    """DUP-1, CLONE-1: in the order of whichever host is ahead."""
    one, two, three = (_packet(clock) for clock in (1, 2, 3))
    ahead = [("v.0", one), ("v.0'", one), ("v.0'", two), ("v.0'", three), ("v.0", two)]
    assert _queue(*ahead, ("v.0", three)) == [one, two, three]
    passing = _packet(1, target="x.0", session=4)  # replayed through both hosts
    assert _queue(("v.0", passing), ("v.0'", passing)) == [passing]


def test_marks_of_both_hosts_count_for_one_instance() -> None:
    """CLONE-2, MOVE-6: neither host speaks for another instance, nor ends a replay twice."""
    end = ReplayEnd("w.0", 3, (4,))
    hosts = [("v.0", end), ("v.0'", end), ("v.0", end)]
    assert _queue(*hosts) == []
    assert _queue(*hosts, ("v.1", end), ("v.0'", end), ("v.1", end)) == [end]
    assert _queue(("v.0'", end), ("v.1", end)) == [end]
    held, passed = _packet(1, after=1), Passed("A", 1)
    assert _queue(("v.1", held), ("v.0'", passed), ("v.0", passed)) == [held]


@pytest.mark.parametrize("hosts", [("v.0", "v.0'"), ("v.0",), ("v.0'",)])
def test_a_flow_is_handed_over_when_every_instance_above_has_moved_it(
    hosts: tuple[str, ...],
) -> None:
    """MOVE-2, CLONE-1: two hosts of one instance above are one splitter."""
    mark, release = LastMark("A", 1), Send("store", Release("A", 1))
    node, state = _node("w.0"), NodeState()
    for source in hosts:
        state, sends = node.step(state, Received(source, mark))
        assert release not in sends
    state, sends = node.step(state, Received("v.1", mark))
    assert release in sends
    assert node.step(state, Received("v.0'", mark))[1] == []
