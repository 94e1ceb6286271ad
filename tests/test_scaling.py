"""CHAIN-3: statistics, the operator's logic, and instances taken into and out of a split."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from chc_ref.check.explore import Explorer
from chc_ref.check.model import load
from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Arrive,
    CloneRequested,
    Failed,
    Fenced,
    Holds,
    Load,
    Move,
    MoveRequested,
    Poll,
    PollTimer,
    Received,
    Route,
    Scale,
    ScaleKnown,
    ScaleRequested,
    Send,
    Unrouted,
)
from chc_ref.core.packets import Leaving, Packet, Passed
from chc_ref.core.partition import Division
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.splitter import Downstream, Splitter, SplitterState
from chc_ref.core.values import spread
from chc_ref.core.vertex import Logic, Statistics, Wish
from chc_ref.errors import UsageError
from chc_ref.nfs.logic import clone_stragglers, refine, scale
from chc_ref.nfs.tiny import COUNTER, PASS
from chc_ref.require.predicates import Requirements
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World, WorldState
from chc_ref.variants.library import SHIPPED
from chc_ref.verdict import Verdict

CHAIN = Chain(
    (Vertex("pass", PASS, 2, clones=True), Vertex("count", COUNTER, 2, standby=1)),
    (("pass", "count"),),
)


def _run(chain: Chain = CHAIN) -> Simulation:
    return Simulation(System(compile_chain(chain), World()))


def _happen(run: Simulation, at: str, event: object) -> None:
    run.happen(run.system.index[at], event)


def _settle(run: Simulation) -> None:
    while run.busy:
        run.deliver(min(run.busy))


def _wrong(run: Simulation, chain: Chain, arrived: int) -> object:
    view = {name: run.state(name) for name in run.system.names}
    view["world"] = WorldState(arrived)
    return Requirements(chain).at_rest(view)


# ---------------------------------------------------------------------- statistics


def test_a_period_counts_what_came_in_it() -> None:
    """CHAIN-3: statistics are of one period, of every host, and aggregated by the vertex."""
    seen: list[Statistics] = []

    def logic(statistics: Statistics) -> tuple[Wish, ...]:
        seen.append(statistics)
        return ()

    chain = attrs.evolve(
        CHAIN, vertices=(CHAIN.vertices[0], attrs.evolve(CHAIN.vertices[1], logic=logic))
    )
    run = _run(chain)
    for flows in ("AAD", "D"):
        for flow in flows:
            _happen(run, "root", Arrive(flow, (flow,)))
        _settle(run)
        _happen(run, "manager", PollTimer("count"))
        _settle(run)
    loads = [{load.host: load.packets for load in one.loads} for one in seen]
    assert loads == [
        {"count.0": 1, "count.1": 2, "count.2": 0},
        {"count.0": 1, "count.1": 0, "count.2": 0},
    ]
    assert [one.mean for one in seen] == [1.5, 0.5]
    assert seen[0].standby == ("count.2",)


def test_a_host_that_fails_is_not_waited_for() -> None:
    """CHAIN-3, REC-0: a period ends without it, and an answer to an earlier question is void."""
    asked: list[Statistics] = []

    def logic(statistics: Statistics) -> tuple[Wish, ...]:
        asked.append(statistics)
        return ()

    manager = _manager(logic)
    state, sends = manager.step(manager.initial, PollTimer("count"))
    assert sends == [Send(f"count.{n}", Poll(1)) for n in range(3)]
    state, sends = manager.step(state, PollTimer("count"))
    for host, number in (("count.0", 1), ("count.0", 2), ("count.2", 2)):
        state, _ = manager.step(state, Received(host, Load(host, number, number, 0)))
        assert not asked
    state, _ = manager.step(state, Failed("count.1"))
    assert [load.host for load in asked[0].loads] == ["count.0", "count.2"]
    assert [load.packets for load in asked[0].loads] == [2, 2]


def test_a_host_that_fails_behind_its_answer_counts_from_nothing() -> None:
    """CHAIN-3, REC-0: what it had counted is not taken off what its failover counts."""
    asked: list[Statistics] = []

    def logic(statistics: Statistics) -> tuple[Wish, ...]:
        asked.append(statistics)
        return ()

    manager = _manager(logic)
    state, _ = manager.step(manager.initial, PollTimer("count"))
    state, _ = manager.step(state, Received("count.1", Load("count.1", 1, 5, 0)))
    state, _ = manager.step(state, Failed("count.1"))
    for host in ("count.0", "count.2"):
        state, _ = manager.step(state, Received(host, Load(host, 1, 1, 0)))
    state, _ = manager.step(state, Received("store", Fenced("count.1", 1)))
    state, _ = manager.step(state, PollTimer("count"))
    for host in ("count.0", "count.1", "count.2"):
        state, _ = manager.step(state, Received(host, Load(host, 2, 2, 0)))
    loads = [{load.host: load.packets for load in one.loads} for one in asked]
    assert loads == [{"count.0": 1, "count.2": 1}, {"count.0": 1, "count.1": 2, "count.2": 1}]


def _manager(logic: Logic | None = None) -> Manager:
    count = attrs.evolve(CHAIN.vertices[1], logic=logic)
    chain = attrs.evolve(CHAIN, vertices=(CHAIN.vertices[0], count))
    manager = compile_chain(chain).components["manager"]
    assert isinstance(manager, Manager)
    return manager


def test_logic_scales_by_load() -> None:
    """CHAIN-3: the shipped logic takes an instance in above a load, and gives one up below."""
    decide = scale(low=1, high=4)
    loads = (Load("v.0", 1, 6, 0), Load("v.1", 1, 4, 0))
    busy = Statistics("v", loads, ("v.0", "v.1"), ("v.2",))
    assert decide(busy) == (ScaleRequested("v", ("v.0", "v.1", "v.2")),)
    assert decide(attrs.evolve(busy, standby=())) == ()
    idle = Statistics("v", (Load("v.0", 1, 1, 0), Load("v.1", 1, 0, 0)), ("v.0", "v.1"), ())
    assert decide(idle) == (ScaleRequested("v", ("v.0",)),)
    assert decide(Statistics("v", (Load("v.0", 1, 0, 0),), ("v.0",), ("v.1",))) == ()


def test_logic_refines_while_the_load_is_uneven() -> None:
    """SPLIT-2: the next finer scope is asked for, until there is none or the load is even."""
    decide = refine(evenness=1.5)
    uneven = Statistics(
        "v", (Load("v.0", 1, 4, 0), Load("v.1", 1, 1, 0)), ("v.0", "v.1"), (), "port"
    )
    assert uneven.imbalance == 1.6
    assert decide(uneven) == (ScaleRequested("v", ("v.0", "v.1"), "port"),)
    assert decide(attrs.evolve(uneven, finer=None)) == ()
    assert refine(evenness=1.6)(uneven) == ()
    for loads in ((), (Load("v.0", 1, 0, 0),)):
        nothing = attrs.evolve(uneven, loads=loads)
        assert nothing.imbalance == 1.0
        assert decide(nothing) == ()


def test_a_vertex_is_split_by_finer_scopes_until_the_load_is_even() -> None:
    """SPLIT-2, CHAIN-3: its manager finds all at one instance, and what is of one host parts."""
    vertex = Vertex("count", COUNTER, 2, split="host", logic=refine(1.25))
    chain = Chain((vertex,))
    run, homes = _run(chain), []
    for flows in (("A1", "A4"), ("A1", "A4"), ("A1", "A4")):
        for flow in flows:
            _happen(run, "root", Arrive(flow, (flow,)))
        _settle(run)
        _happen(run, "manager", PollTimer("count"))
        _settle(run)
        scale = run.state("manager").scales.get("count")
        owners = run.state("store").memory.owners
        homes.append((scale and scale.by, [owners["count", f].instance for f in ("A1", "A4")]))
    assert homes == [
        ("flow", ["count.1", "count.1"]),
        ("flow", ["count.1", None]),  # on its way
        ("flow", ["count.1", "count.0"]),
    ]
    assert run.state("manager").scales["count"].number == 1
    assert _wrong(run, chain, 6) is None


@pytest.mark.parametrize(
    ("wish", "place"),
    [
        (ScaleRequested("count", ("count.0", "count.1"), "flow"), "count.1"),
        (ScaleRequested("count", ("count.0", "count.1")), "count.0"),
        (ScaleRequested("count", ("count.0", "count.1"), "host"), "count.0"),
    ],
)
def test_a_flow_that_was_moved_comes_where_another_scope_puts_it(
    wish: ScaleRequested, place: str
) -> None:
    """SPLIT-2, MOVE-5: and stays where it was moved to, while the scope is what it was."""
    chain = Chain((Vertex("count", COUNTER, 2, split="host"),))
    run = _run(chain)
    _happen(run, "root", Arrive("B4", ("B4",)))
    _settle(run)
    for one in (MoveRequested("count", "B4", "count.0"), wish):
        _happen(run, "manager", one)
        _settle(run)
    _happen(run, "root", Arrive("B4", ("B4",)))
    _settle(run)
    assert run.state("store").memory.owners["count", "B4"].instance == place
    assert _wrong(run, chain, 2) is None


def test_a_scope_once_chosen_stays_while_instances_come_and_go() -> None:
    """SPLIT-2: a scaling that names no scope keeps the present one, not the first one."""
    chain = Chain((Vertex("count", COUNTER, 2, split="host", standby=1),))
    manager = compile_chain(chain).components["manager"]
    state, _ = manager.step(manager.initial, ScaleRequested("count", ("count.0",), "flow"))
    state, _ = manager.step(state, Received("root", ScaleKnown(state.scales["count"])))
    for gone in ("count.1", "count.2"):
        state, _ = manager.step(state, Received("store", Holds(gone, 1)))
    state, _ = manager.step(state, ScaleRequested("count", ("count.0", "count.2")))
    assert state.scales["count"] == Scale("count", 2, ("count.0", "count.2"), "flow")


def test_logic_clones_stragglers() -> None:
    """CHAIN-3, CLONE-1: an instance far behind the others is cloned, and no clone is."""
    decide = clone_stragglers(factor=2, least=2)
    waiting = {"v.0": 5, "v.1": 2, "v.2": 2}
    loads = tuple(Load(host, 1, 9, many) for host, many in waiting.items())
    assert decide(Statistics("v", loads, tuple(waiting), ())) == (CloneRequested("v.0"),)
    clone = (Load("v.0'", 1, 9, 5), Load("v.1", 1, 9, 1))
    assert decide(Statistics("v", clone, ("v.0", "v.1"), ())) == ()
    assert decide(Statistics("v", (Load("v.0", 1, 1, 1), Load("v.1", 1, 1, 0)), (), ())) == ()


def test_the_logic_is_carried_out() -> None:
    """CHAIN-3: what the logic asks for is done like any other wish."""
    manager = _manager(scale(0, 0.5))
    state, _ = manager.step(manager.initial, PollTimer("count"))
    for n in range(3):
        host = f"count.{n}"
        state, sends = manager.step(state, Received(host, Load(host, 1, 1, 0)))
    wanted = Scale("count", 1, ("count.0", "count.1", "count.2"))
    assert sends == [Send(f"pass.{n}", wanted) for n in range(2)]


# ---------------------------------------------------------------------- scaling


def test_an_instance_that_is_given_up_loses_nothing() -> None:
    """CHAIN-3, MOVE-1: what it had is moved, though no packet of it follows; it gets no more."""
    run, chain = _run(), CHAIN
    for flow in "AAD":
        _happen(run, "root", Arrive(flow, (flow,)))
    _settle(run)
    old = {flow: spread(flow, ("count.0", "count.1")) for flow in "ABDE"}
    assert old["A"] == "count.1" != old["D"]
    _happen(run, "manager", ScaleRequested("count", ("count.0",)))
    _settle(run)
    owners = {
        at[1]: owner for at, owner in run.state("store").memory.owners.items() if at[0] == "count"
    }
    assert owners["A"].instance is None  # handed over, and not asked for yet
    before = len(run.state("count.1").queue.seen)
    for flow in "ABDE":
        _happen(run, "root", Arrive(flow, (flow,)))
    _settle(run)
    assert len(run.state("count.1").queue.seen) == before
    owners = {
        at[1]: owner for at, owner in run.state("store").memory.owners.items() if at[0] == "count"
    }
    assert {owner.instance for owner in owners.values()} == {"count.0"}
    assert owners["B"].epoch == 0  # never anywhere else
    assert _wrong(run, chain, 7) is None


def test_an_instance_that_stood_by_takes_flows() -> None:
    """CHAIN-2, CHAIN-3: before it is in the split it has none; then it gets them whole."""
    run, chain = _run(), CHAIN
    wide = ("count.0", "count.1", "count.2")
    flow = next(f for f in "ABCDEFGH" if spread(f, wide) == "count.2")
    _happen(run, "root", Arrive(flow, (flow,)))
    _settle(run)
    assert not run.state("count.2").queue.seen
    _happen(run, "manager", ScaleRequested("count", wide))
    _settle(run)
    for _ in range(2):
        _happen(run, "root", Arrive(flow, (flow,)))
        _settle(run)
    assert run.state("count.2").queue.seen
    assert run.state("store").memory.owners["count", flow].instance == "count.2"
    assert _wrong(run, chain, 3) is None


def test_a_packet_waits_until_its_flow_has_a_place() -> None:
    """MOVE-5: all behind it waits too, and nothing waits for a flow that stays."""
    edge = Downstream("v", ("v.0", "v.1", "v.2"), frozenset({"v"}), Division(("v.0", "v.1")))
    splitter, wide = Splitter((edge,)), ("v.0", "v.1", "v.2")
    homes = {f: (spread(f, wide[:2]), spread(f, wide)) for f in "ABCDEFGH"}
    changed = next(f for f, (old, new) in homes.items() if old != new)
    same = next(f for f, (old, new) in homes.items() if old == new)
    state, sends = splitter.on_control(SplitterState(), Scale("v", 1, wide))
    assert [type(send.message).__name__ for send in sends] == ["ScaleKnown"]
    state, sends = splitter.on_packet(state, Packet(1, same, ()), ((),))
    assert [send.to for send in sends] == [homes[same][0]]
    state, sends = splitter.on_packet(state, Packet(2, changed, ()), ((),))
    assert sends == [Send("manager", Unrouted("v", changed, 0))]
    state, sends = splitter.on_packet(state, Packet(3, same, ()), ((),))
    assert sends == []
    other, sends = splitter.on_control(state, Route("v", same, homes[same][0]))
    assert sends == []
    assert other.gate == state.gate
    state, sends = splitter.on_control(state, Route("v", changed, homes[changed][0]))
    assert [(send.to, send.message.clock) for send in sends] == [
        (homes[changed][0], 2),
        (homes[same][0], 3),
    ]


def test_the_mark_is_behind_all_that_came_by_default() -> None:
    """CHAIN-3: whoever is out of the split is told on the channel of its packets, and again."""
    edge = Downstream("v", ("v.0", "v.1"), frozenset({"v"}), Division(("v.0", "v.1")))
    splitter = Splitter((edge,))
    state, sends = splitter.on_control(SplitterState(), Scale("v", 7, ("v.0",)))
    assert sends[1:] == [Send("v.1", Leaving(7))]
    assert splitter._last_marks(state, None) == [Send("v.1", Leaving(7))]
    assert splitter._last_marks(state, "v.0") == []


def test_the_mark_waits_for_packets_that_are_held() -> None:
    """CHAIN-3, MOVE-6: they came by default too, and the store does not know of them yet."""
    queue = Queue("v.1", ("u.0",))
    state, items = queue.on_item(QueueState(), ("u.0", Packet(2, "A", (), after=1)))
    state, items = queue.on_item(state, ("u.0", Leaving(7)))
    assert items == []
    state, items = queue.on_item(state, ("u.1", Passed("A", 1)))
    assert [type(item).__name__ for _, item in items] == ["Packet", "Leaving"]


def test_scalings_and_clones_wait_for_each_other() -> None:
    """CHAIN-3, CLONE-1: two hosts of one instance would hear of a scaling at two moments."""
    manager = _manager()
    state, _ = manager.step(manager.initial, CloneRequested("pass.0"))
    state, sends = manager.step(state, ScaleRequested("count", ("count.0",)))
    assert sends == []
    assert state.wishes
    state, _ = manager.step(manager.initial, ScaleRequested("count", ("count.0",)))
    state, sends = manager.step(state, CloneRequested("pass.0"))
    assert sends == []
    assert state.wishes == (CloneRequested("pass.0"),)


def test_nothing_goes_to_an_instance_out_of_the_split() -> None:
    """CHAIN-3: a move to it is not carried out, and what had moved there comes back."""
    manager = _manager()
    state, _ = manager.step(manager.initial, MoveRequested("count", "D", "count.1"))
    state, sends = manager.step(state, ScaleRequested("count", ("count.0", "count.2")))
    target = spread("D", ("count.0", "count.2"))
    assert Move("count", "D", 2, target) in [send.message for send in sends]
    after, sends = manager.step(state, MoveRequested("count", "A", "count.1"))
    assert sends == []
    assert after.wishes == state.wishes


def test_a_negative_standby_is_refused() -> None:
    """CHAIN-4."""
    with pytest.raises(UsageError, match="-1 instances on standby"):
        compile_chain(Chain((Vertex("count", COUNTER, standby=-1),)))


@pytest.mark.parametrize("name", ["refine", "refine_row"])
def test_a_finer_scope_needs_what_a_scaling_needs(name: str) -> None:
    """SPLIT-2, MOVE-5: a flow that begins at its new instance at once leaves its state behind."""
    model = load(Path(__file__).parent.parent / "models" / f"{name}.toml")
    report = Explorer(model, SHIPPED["scales_at_once"].rules).run()
    assert report.verdict is Verdict.VIOLATED
