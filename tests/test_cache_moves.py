"""Caches of what one instance has alone: given up before a flow moves, and begun again behind it.

CACHE-4, STORE-6, SPLIT-2, REC-1: the manager by itself, then small chains. Ordered as init, act,
check; each test names its clause.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from by_hand import ALONE, arrive, hot, manage, manager_of, nothing, run_of, settle

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Apply,
    Cache,
    CacheKnown,
    Crashed,
    Drain,
    Drained,
    Failed,
    Fenced,
    HandedOver,
    Move,
    MoveRequested,
    Ready,
    Received,
    Send,
    Start,
)
from chc_ref.core.node import Node
from chc_ref.core.operations import (
    FLOW,
    Access,
    Get,
    Increment,
    NetworkFunction,
    Outcome,
    Process,
    Scope,
)
from chc_ref.core.partition import home
from chc_ref.nfs.tiny import COUNTER, HOST, LIMIT
from chc_ref.system.simulation import Simulation

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
    manager = manager_of()
    state, sends = manage(manager, THERE)
    assert sends == [Send(one, Cache(False)) for one in INSTANCES]
    late = Received("v.0", CacheKnown(Cache(True)))  # an answer to something else
    state, sends = manage(manager, late, GIVEN_UP[0], GIVEN_UP[0], state=state)
    assert sends == []
    _, sends = manage(manager, GIVEN_UP[1], state=state)
    assert sends == [Send("root", Move("v", A, 1, AWAY))]


def test_an_instance_that_fails_gives_its_caches_up() -> None:
    """CACHE-4, REC-1: they are gone, and its failover is told not to begin any."""
    manager = manager_of()
    state, sends = manage(manager, THERE, GIVEN_UP[0], Failed("v.1"))
    assert Send("root", Move("v", A, 1, AWAY)) in sends
    _, sends = manage(manager, Received("store", Fenced("v.1", 1)), state=state)
    assert sends == [Send("v.1", Start((), 1, cache=Cache(False)))]


def test_a_flow_moves_at_once_when_nobody_has_a_cache() -> None:
    """CACHE-4, REC-1: every instance is about to begin anew, and is told at its start."""
    manager = manager_of()
    state, sends = manage(manager, Failed("v.0"), Failed("v.1"), THERE)
    assert sends == [Send("root", Move("v", A, 1, AWAY))]
    for number, instance in enumerate(INSTANCES, start=1):
        state, sends = manage(manager, Received("store", Fenced(instance, number)), state=state)
        assert sends == [Send(instance, Start((), number, cache=Cache(False)))]


def test_caches_begin_again_when_every_flow_is_back() -> None:
    """CACHE-4: handed over to where the split puts it, and with no other move under way."""
    manager = manager_of()
    state, _ = manage(manager, THERE, *GIVEN_UP)
    state, sends = manage(manager, Received(AT, HandedOver(A, 1)), state=state)
    assert sends == []
    state, sends = manage(manager, BACK, state=state)  # nobody has caches to give up
    assert sends == [Send("root", Move("v", A, 2, AT))]
    state, sends = manage(manager, Received(AWAY, HandedOver(A, 2)), state=state)
    assert sends == [Send(one, Drain(1)) for one in INSTANCES]
    state, sends = manage(manager, DRAINED[0], DRAINED[0], state=state)
    assert sends == []  # its store may still lack something of the other's (STORE-6)
    state, sends = manage(manager, DRAINED[1], state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]
    _, sends = manage(manager, THERE, state=state)
    assert sends == [Send(one, Cache(False)) for one in INSTANCES]


def test_an_answer_that_went_through_a_failed_store_is_asked_for_again() -> None:
    """CACHE-4, LIVE: it was lost with the store, and nobody else would repeat it."""
    manager = manager_of()
    moved = (THERE, *GIVEN_UP, Received(AT, HandedOver(A, 1)))
    state, sends = manage(manager, *moved, BACK, Received(AWAY, HandedOver(A, 2)))
    assert sends[-2:] == [Send(one, Drain(1)) for one in INSTANCES]
    state, _ = manage(manager, Failed("store"), state=state)
    state, sends = manage(manager, Received("store", Ready(2)), state=state)
    assert sends == [Send(one, Drain(3)) for one in INSTANCES]
    state, sends = manage(manager, *DRAINED, state=state)
    assert sends == []  # those were to the first question
    again = (Received("store", Drained(one, 3)) for one in INSTANCES)
    _, sends = manage(manager, *again, state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]


def test_caches_wait_for_every_flow_of_the_vertex() -> None:
    """CACHE-4: a flow of the same host that is still away shares its objects."""
    manager = manager_of()
    both = (THERE, attrs.evolve(THERE, flow="A"), *GIVEN_UP)
    state, sends = manage(manager, *both)
    assert [send.message.flow for send in sends] == [A, "A"]
    back = (
        Received(AT, HandedOver(A, 1)),
        Received(AT, HandedOver("A", 1)),
        BACK,
        attrs.evolve(BACK, flow="A"),
    )
    state, _ = manage(manager, *back, state=state)
    state, sends = manage(manager, Received(AWAY, HandedOver(A, 2)), state=state)
    assert sends == []
    _, sends = manage(manager, Received(AWAY, HandedOver("A", 2)), *DRAINED, state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]


def test_caches_stay_off_when_a_flow_moves_before_they_begin() -> None:
    """CACHE-4: the answers of the instances come too late then."""
    manager = manager_of()
    back = (Received(AT, HandedOver(A, 1)), BACK, Received(AWAY, HandedOver(A, 2)))
    state, _ = manage(manager, THERE, *GIVEN_UP, *back, DRAINED[0])
    state, sends = manage(manager, THERE, state=state)
    assert sends == [Send("root", Move("v", A, 3, AWAY))]
    state, sends = manage(manager, DRAINED[1], state=state)
    assert sends == []
    again = (Received(AT, HandedOver(A, 3)), BACK, Received(AWAY, HandedOver(A, 4)))
    state, _ = manage(manager, *again, state=state)
    state, sends = manage(manager, *DRAINED, state=state)
    assert sends == []  # answers to the first request
    drained = [Received("store", Drained(one, 2)) for one in INSTANCES]
    _, sends = manage(manager, *drained, state=state)
    assert sends == [Send(one, Cache(True)) for one in INSTANCES]


def test_caches_wait_for_a_move_that_is_still_to_begin() -> None:
    """CACHE-4, MOVE-5: it waits for one of the same flow at another vertex."""
    chain = Chain((Vertex("u", COUNTER, 2), hot()), (("u", "v"),))
    manager = compile_chain(chain).components["manager"]
    assert isinstance(manager, Manager)
    u = home("A", ("u.0", "u.1"), None)
    above = MoveRequested("u", "A", {"u.0": "u.1", "u.1": "u.0"}[u])
    both = (above, attrs.evolve(THERE, flow="A"), THERE, *GIVEN_UP)
    state, sends = manage(manager, *both)
    assert {send.message.flow for send in sends} == {A}
    back = (Received(AT, HandedOver(A, 1)), BACK, Received(AWAY, HandedOver(A, 2)))
    state, sends = manage(manager, *back, state=state)
    assert sends == []
    _, sends = manage(manager, Received(u, HandedOver("A", 1)), state=state)
    assert {(send.message.vertex, send.message.flow) for send in sends} == {("v", "A")}


@pytest.mark.parametrize("vertex", [hot(split=""), hot(split="flow"), hot(nf=LIMIT, split="")])
def test_caches_that_are_not_alone_are_no_ones_to_give_up(vertex: Vertex) -> None:
    """CACHE-3, CACHE-4: the split that the chain begins with shares the objects anyway."""
    flow = next(f for f in ("A", "B", "C", "D") if vertex.division.home(f) == AT)
    moves = MoveRequested("v", flow, AWAY), Received(AT, HandedOver(flow, 1))
    manager = manager_of(vertex)
    _, sends = manage(manager, moves[0])
    assert sends == [Send("root", Move("v", flow, 1, AWAY))]
    back = MoveRequested("v", flow, AT), Received(AWAY, HandedOver(flow, 2))
    assert manage(manager, *moves, *back)[1] == []


def test_a_move_to_where_the_flow_is_leaves_caches_as_they_were() -> None:
    """CACHE-4: nothing has changed in the split."""
    manager = manager_of()
    state, _ = manage(manager, BACK, *GIVEN_UP)
    assert state.caching.get("v", Cache(True)) == Cache(True)


THREE = NetworkFunction("three", (ALONE,), nothing, (FLOW, HOST, Scope("all", lambda flow: 0)))


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
    assert dict(manager_of(Vertex("v", COUNTER, 2)).alone.items()) == {}


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
    arrive(run, BUMP, A, 1)
    while not any(isinstance(m, Apply) and not m.blocking for m in content):
        run.deliver(min(at for at in run.busy if run.system.channels[at] != ANSWERS))


def _third_sees(run: Simulation) -> int:
    """Tell what A's next packet sees, when another flow of the host comes in between."""
    arrive(run, BUMP, "A", 2)
    settle(run, but=(SLOW, ("manager", "store")))
    arrive(run, BUMP, A, 3)
    settle(run, but=(("manager", "store"),))
    settle(run)
    assert run.state("manager").caching["v"] == Cache(True)
    seen: dict[int, int] = {o.clock: o.headers[-1] for o in run.state("sink").outputs}
    return seen[3]


def _operate(run: Simulation, wish: MoveRequested) -> None:
    run.happen(run.system.index["manager"], wish)


def test_caches_begin_behind_the_last_update_of_an_instance_that_had_the_flow() -> None:
    """CACHE-4, STORE-6: it may still be under way to the store when the flow is handed over."""
    run = run_of(compile_chain(BUMP))
    _operate(run, THERE)
    settle(run)
    _send_update_from_away(run)
    _operate(run, BACK)
    settle(run, but=(SLOW,))
    assert _third_sees(run) == 2


def test_caches_begin_behind_the_last_update_also_of_a_second_move() -> None:
    """CACHE-4, STORE-6: the flow went away and came back before all had answered."""
    run = run_of(compile_chain(BUMP))
    _operate(run, THERE)
    settle(run)
    _operate(run, BACK)
    settle(run, but=((AT, "store"),))
    _operate(run, THERE)
    settle(run, but=(ANSWERS,))
    _send_update_from_away(run)
    _operate(run, BACK)
    settle(run, but=(SLOW, ANSWERS))
    settle(run, but=(SLOW,))
    assert _third_sees(run) == 2


@pytest.mark.parametrize("lost", [False, True])
def test_caches_begin_behind_the_last_update_of_an_instance_that_failed(lost: bool) -> None:
    """CACHE-4, STORE-6, REC-1: it is under way still, or the replay brings it."""
    run = run_of(compile_chain(BUMP))
    _operate(run, THERE)
    settle(run)
    _send_update_from_away(run)
    _operate(run, BACK)
    settle(run, but=(SLOW,))
    run.happen(run.system.index[AWAY], Crashed())
    run.happen(run.system.index["manager"], Failed(AWAY))
    if lost:
        run.lose(run.system.channel(*SLOW))
    settle(run, but=(SLOW, ("manager", "store")))
    assert _third_sees(run) == 2
