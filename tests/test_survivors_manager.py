"""Rules that nothing else held, found by mutation testing, of the manager.

One smallest situation for each (docs/mutation.md); each test names its clause.
"""

from __future__ import annotations

from typing import Any

import attrs
from smallest import (
    CHAIN,
    COUNT,
    PASSES,
    after,
    elsewhere,
)

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Ask,
    Begin,
    Cache,
    CacheKnown,
    CloneRequested,
    Drain,
    Failed,
    Fence,
    Fenced,
    HandedOver,
    Holds,
    Hosts,
    HostsKnown,
    KeepRequested,
    Load,
    Move,
    MoveRequested,
    PollTimer,
    Ready,
    Received,
    Recovered,
    Replay,
    Route,
    Scale,
    ScaleKnown,
    ScaleRequested,
    Send,
    Since,
    Start,
    Unrouted,
)
from chc_ref.core.node import Entry
from chc_ref.core.partition import home
from chc_ref.core.values import (
    Map,
    spread,
)
from chc_ref.core.vertex import VertexManager, VertexState
from chc_ref.nfs.tiny import COUNTER, HOT, LIMIT, MARKER, PASS

NARROW = ScaleRequested("count", COUNT[:1])


KNOWN = Scale("count", 1, COUNT[:1])


def test_a_scaling_is_over_when_all_know_and_nobody_leaves() -> None:
    """CHAIN-3: only then the next one begins."""
    known = [Received(f"pass.{n}", ScaleKnown(KNOWN)) for n in range(2)]
    told = [Received("store", Holds(one, 1)) for one in COUNT[1:]]
    both = ScaleRequested("count", COUNT[:2])
    for at in range(4):
        missing = [*known, *told]
        last = missing.pop(at)
        manager, state, sends = after("manager", NARROW, both, *missing)
        assert state.wishes == (both,), last
        state, sends = manager.step(state, last)
        assert [send.message for send in sends] == [Scale("count", 2, COUNT[:2])] * 2


def test_what_an_instance_had_before_another_scaling_is_void() -> None:
    """CHAIN-3: its number is not the newest scaling's."""
    old = Received("store", Holds(COUNT[1], 7, 0, ("D",)))
    manager, state, sends = after("manager", old)
    assert (state, sends) == (manager.initial, [])
    _, state, sends = after("manager", NARROW, old)
    assert sends == []
    assert not state.firsts
    assert not state.drained


def test_a_flow_begins_at_one_place_for_ever() -> None:
    """CHAIN-3, MOVE-1: whoever asks later is told the same, and it is moved once."""
    flow = next(f for f in "ABCDEFGH" if spread(f, COUNT[:2]) == COUNT[1])
    asked = Unrouted("count", flow, 0)
    manager, state, sends = after("manager", NARROW, Received("pass.0", asked))
    route, move = Route("count", flow, COUNT[1]), Move("count", flow, 1, COUNT[0])
    assert [send.message for send in sends] == [route, route, move, move]
    _, sends = manager.step(state, Received("pass.1", asked))
    assert sends == [Send("pass.1", route)]


def test_a_second_scaling_moves_what_never_moved() -> None:
    """CHAIN-3: the manager has told where a flow began, so nobody asks about it any more."""
    outer, inner = (COUNT[0], COUNT[2]), COUNT[:2]
    flow = next(
        f for f in map(str, range(99)) if (spread(f, outer), spread(f, inner)) == COUNT[2:0:-1]
    )
    known = [Received(f"pass.{n}", ScaleKnown(Scale("count", 1, outer))) for n in range(2)]
    told = Received("store", Holds(COUNT[1], 1))
    asked = Received("pass.0", Unrouted("count", flow, 0))
    manager, state, sends = after("manager", ScaleRequested("count", outer), *known, told, asked)
    assert [send.message for send in sends] == [Route("count", flow, COUNT[2])] * 2
    assert manager._unrouted(state, "pass.1", asked.message)[0].wishes == ()
    again, sends = manager.step(state, attrs.evolve(asked, source="pass.1"))
    assert (again, sends) == (state, [Send("pass.1", Route("count", flow, COUNT[2]))])
    state, sends = manager.step(state, ScaleRequested("count", inner))
    moves = [send.message for send in sends if isinstance(send.message, Move)]
    assert moves == [Move("count", flow, 1, COUNT[1])] * 2
    last = Scale("count", state.session, inner)
    state, _ = manager.step(state, Received("store", Holds(COUNT[2], last.number, 0, (flow,))))
    assert state.firsts["count", flow] == COUNT[2]


def test_a_clone_waits_for_the_end_of_a_scaling() -> None:
    """CHAIN-3, CLONE-1: until all have heard of it, and until all have told what they have."""
    known = [Received(f"pass.{n}", ScaleKnown(KNOWN)) for n in range(2)]
    told = [Received("store", Holds(one, 1)) for one in COUNT[1:]]
    wish = CloneRequested("pass.0")
    for events in ((NARROW, *known), (NARROW, *told)):
        _, state, _ = after("manager", *events, wish)
        assert state.wishes == (wish,)
    _, state, _ = after("manager", NARROW, *known, *told, wish)
    assert not state.wishes


def test_a_store_asks_everybody_who_is_there() -> None:
    """REC-5, REC-7: whoever is not will say so when it is."""
    _, _, sends = after("manager", Failed("pass.1"), Failed("store"))
    users = (*COUNT, "pass.0", "root")
    assert [(send.to, send.message.ask) for send in sends] == [("store", users)]
    begun = Failed("pass.1"), Received("store", Fenced("pass.1", 1))
    _, _, sends = after("manager", *begun, Failed("store"))
    assert sends[0].message.ask == users
    runs = Received("pass.1", Ready(1))
    _, _, sends = after("manager", *begun, runs, Failed("store"))
    assert sends[0].message.ask == (*COUNT, *PASSES, "root")
    _, _, sends = after("manager", Failed("root"), Failed("store"))
    assert "root" not in sends[0].message.ask


def _wishes(flow: str = "A") -> tuple[MoveRequested, MoveRequested]:
    """Give wishes that move a flow away from where it begins, at either vertex."""
    above = MoveRequested("pass", flow, elsewhere(flow, PASSES))
    return above, MoveRequested("count", flow, elsewhere(flow, COUNT[:2]))


def test_a_tenure_below_a_move_begins_when_that_is_over() -> None:
    """MOVE-5: what the old instance above still holds is older (finding 16)."""
    above, below = _wishes()
    old = spread("A", COUNT[:2])
    events = [below, Received(old, HandedOver("A", 1)), above]
    begin = Received(above.to, Begin("count", "A", 1, 5, 0))
    manager, state, sends = after("manager", *events, begin)
    assert sends == []
    state, sends = manager.step(state, Received(spread("A", PASSES), HandedOver("A", 1)))
    assert sends == [Send(one, Since("count", "A", 1, 5)) for one in PASSES]


def test_each_tenure_begins_with_its_own_clock() -> None:
    """MOVE-1: also where the next move has begun before the first packet came."""
    _, away = _wishes()
    back = attrs.evolve(away, to=spread("A", COUNT[:2]))
    manager, state, _ = after("manager", away, back)
    for epoch, at in ((1, 4), (2, 9)):
        state, sends = manager.step(state, Received(PASSES[0], Begin("count", "A", epoch, at, 0)))
        assert sends == [Send(one, Since("count", "A", epoch, at)) for one in PASSES]


def test_a_wish_that_waits_keeps_no_other_back() -> None:
    """CHAIN-3, MOVE-1: nor does one that is fulfilled already."""
    above, below = _wishes()
    clone, other = CloneRequested("pass.0"), _wishes("B")[0]
    manager, state, _ = after("manager", below, clone)
    state, sends = manager.step(state, other)
    assert state.wishes == (clone,)
    assert [send.message for send in sends] == [Move("pass", "B", 1, other.to)]
    back = attrs.evolve(below, to=spread("A", COUNT[:2]))
    manager, state, _ = after("manager", above, below, below, back)
    state, sends = manager.step(state, Received(spread("A", PASSES), HandedOver("A", 1)))
    moves = [Move("count", "A", n, to, behind=1) for n, to in ((1, below.to), (2, back.to))]
    assert [send.message for send in sends] == [moves[0], moves[0], moves[1], moves[1]]


def test_a_move_stays_in_the_split() -> None:
    """CHAIN-3: where there is one; before any scaling a flow may go to a standby instance."""
    wish = MoveRequested("count", "A", COUNT[2])
    _, _, sends = after("manager", wish)
    assert [send.message for send in sends] == [Move("count", "A", 1, COUNT[2])] * 2
    _, state, sends = after("manager", ScaleRequested("count", COUNT[:2]), wish)
    assert (state.wishes, sends) == ((), [])


def test_the_failure_of_an_instance_that_leaves_is_no_answer() -> None:
    """CHAIN-3: its failover will tell what it has."""
    _, state, _ = after("manager", NARROW, Failed(COUNT[1]))
    assert state.awaited["leave", "count"] == {*COUNT[1:]}


def test_a_clone_is_replayed_to_once() -> None:
    """CLONE-2: when all have heard of it, and never again for that."""
    events = [CloneRequested("pass.0"), Received("store", Fenced("pass.0'", 1))]
    events += [Received("pass.0'", Ready(1))]
    manager, state, sends = after("manager", *events)
    hosts = Hosts("pass.0", ("pass.0", "pass.0'"))
    assert sends == [Send("root", hosts)]
    state, sends = manager.step(state, Received("root", HostsKnown(hosts)))
    assert sends == [Send("root", Replay("pass.0'", 2))]
    assert not state.joining


def test_a_store_that_fails_breaks_no_replay_off() -> None:
    """REC-7: none goes through it; and it is told once more whom it must void."""
    begun = Failed("pass.0"), Received("store", Fenced("pass.0", 1)), Received("pass.0", Ready(1))
    manager, state, sends = after("manager", *begun)
    assert sends == [Send("root", Replay("pass.0", 2))]
    state, _ = manager.step(state, Failed("store"))
    state, _ = manager.step(state, Received("pass.0", Recovered(2)))
    assert "pass.0" not in state.recovering
    events = Failed("pass.0"), Failed("store"), Received("store", Ready(2))
    _, _, sends = after("manager", *events)
    assert sends == [Send("store", Fence("pass.0", 1))]


def test_a_drain_of_another_vertex_goes_on() -> None:
    """CACHE-4: what was sent at one vertex says nothing of another's objects."""
    manager, state, _ = after("manager")
    awaited: Map[Any, Any] = Map({("drain", f"{name} 3"): frozenset({name}) for name in "vw"})
    state = manager._forget_drains(attrs.evolve(state, awaited=awaited), "v")
    assert [key for key, _ in state.awaited.items()] == [("drain", "w 3")]


def test_the_manager_knows_what_splitters_split_by() -> None:
    """SPLIT-2, SPLIT-3: a move away from home begins where the splitters have the flow."""
    physical = compile_chain(Chain((Vertex("v", HOT, 2, split="host"),)))
    manager = physical.components["manager"]
    root = physical.components["root"]
    assert isinstance(manager, Manager)
    assert isinstance(root, Entry)
    assert manager.divisions["v"] == root.splitter.downstream[0].division
    assert manager.divisions["v"].by == "host"


def test_a_scaling_asks_and_moves_at_its_own_vertex() -> None:
    """CHAIN-3: flows of any kind; and whoever has told all is not waited for again."""
    manager, state, _ = after("manager")
    state = attrs.evolve(state, firsts=Map({("pass", "B"): PASSES[1], ("pass", "A"): PASSES[0]}))
    state, sends = manager.step(state, NARROW)
    assert {type(send.message) for send in sends} == {Scale}
    told = Received("store", Holds(COUNT[1], 1, 0, (("D", 1), "E")))
    state, sends = manager.step(state, told)
    begun = {flow: at for (vertex, flow), at in state.firsts.items() if vertex == "count"}
    assert begun == {flow: spread(flow, COUNT[:2]) for flow in (("D", 1), "E")}
    events = [Received(f"pass.{n}", ScaleKnown(KNOWN)) for n in range(2)]
    for event in (*events, Received("store", Holds(COUNT[2], 1))):
        state, _ = manager.step(state, event)
    state, _ = manager.step(state, ScaleRequested("count", COUNT[:1]))
    assert ("leave", "count") not in state.awaited


def test_a_dead_splitter_is_told_nothing() -> None:
    """REC-1: what it held was never sent; its failover is told where flows began."""
    flow = next(f for f in "ABCDEFGH" if spread(f, COUNT[:2]) == COUNT[1])
    clone = CloneRequested("count.0")
    ask = Received("pass.1", Unrouted("count", flow, 0))
    manager, state, sends = after("manager", NARROW, clone, ask)
    assert clone in state.wishes, "other wishes stay"
    state, _ = manager.step(state, Failed("pass.0"))
    session = state.starts["pass.0"]
    assert manager.step(state, attrs.evolve(ask, source="pass.0")) == (state, [])
    state, sends = manager.step(state, Received("store", Fenced("pass.0", session)))
    assert sends[0].message.routes == (Route("count", flow, COUNT[1]),)


def test_a_replay_counts_while_nothing_has_failed_since() -> None:
    """REC-1, CLONE-1: another failure breaks it off at once, a clone does not."""
    begun = Failed("pass.0"), Received("store", Fenced("pass.0", 1)), Received("pass.0", Ready(1))
    done = Received("pass.0", Recovered(2))
    for event, counts in ((Failed("pass.1"), False), (CloneRequested("pass.1"), True)):
        _, state, _ = after("manager", *begun, event, done)
        assert ("pass.0" not in state.recovering) == counts


def test_a_period_takes_one_answer_of_each_that_was_asked() -> None:
    """CHAIN-3: a new period begins with none."""
    manager = VertexManager(lambda statistics: ())
    state, _ = manager.on_timer(VertexState(), ("v.0", "v.1"))
    for void in (Load("v.2", 1, 3, 0), Load("v.0", 2, 3, 0)):
        assert manager.on_load(state, void) == state
    state = manager.on_load(state, Load("v.0", 1, 3, 0))
    assert manager.on_load(state, Load("v.0", 1, 4, 0)) == state
    state, _ = manager.on_timer(state, ("v.1",))
    assert not dict(state.loads.items())


def test_an_instance_tells_of_flows_whose_place_is_known() -> None:
    """CHAIN-3: where they began is not changed by it."""
    manager, state, _ = after("manager")
    scale = Scale("count", 7, COUNT[:2])
    state = attrs.evolve(
        state, scales=Map({"count": scale}), firsts=Map({("count", "A"): COUNT[2]})
    )
    state, _ = manager.step(state, Received("store", Holds(COUNT[2], 7, 0, ("A",))))
    assert state.firsts["count", "A"] == COUNT[2]


def test_a_move_elsewhere_keeps_no_cache_away() -> None:
    """CACHE-4: of flows of the vertex itself all must be back."""
    vertices = (Vertex("pass", PASS, 2), Vertex("v", HOT, 2, split="host"))
    chain, hosts = Chain(vertices, (("pass", "v"),)), ("v.0", "v.1")
    at = home("A", hosts, HOT.scopes[1])
    away = next(one for one in hosts if one != at)
    above = MoveRequested("pass", "A", elsewhere("A", PASSES))
    events = [above, Received(spread("A", PASSES), HandedOver("A", 1))]
    events += [MoveRequested("v", "A", away)]
    events += [Received(one, CacheKnown(Cache(False))) for one in hosts]
    events += [Received(at, HandedOver("A", 1)), MoveRequested("v", "A", at)]
    _, state, sends = after("manager", *events, Received(away, HandedOver("A", 2)), chain=chain)
    assert [send.message for send in sends] == [Drain(state.session)] * 2


def test_caches_begin_when_every_failover_is_up() -> None:
    """CACHE-4, REC-1: what its replay makes it send the store does not have yet."""
    hosts = ("v.0", "v.1")
    at = home("A", hosts, HOT.scopes[1])
    away = next(one for one in hosts if one != at)
    events: list[Any] = [MoveRequested("v", "A", away)]
    events += [Received(one, CacheKnown(Cache(False))) for one in hosts]
    events += [Received(at, HandedOver("A", 1)), MoveRequested("v", "A", at), Failed("v.1")]
    chain = Chain((Vertex("v", HOT, 2, split="host"),))
    over = Received(away, HandedOver("A", 2))
    manager, state, sends = after("manager", *events, over, chain=chain)
    assert sends == []
    for event in (Received("store", Fenced("v.1", 1)), Received("v.1", Ready(1))):
        state, sends = manager.step(state, event)
    assert [type(send.message) for send in sends] == [Replay]
    state, sends = manager.step(state, Received("v.1", Recovered(2)))
    assert [send.message for send in sends] == [Drain(3)] * 2


def test_the_failure_of_an_instance_voids_what_others_say() -> None:
    """CACHE-4, REC-1: its failover sends anew, so all are asked anew when that is back."""
    vertex = Vertex("v", HOT, 2, split="host")
    manager, state, _ = after("manager", chain=Chain((vertex,)))
    awaited: Map[Any, Any] = Map({("drain", "v 1"): frozenset({"v.0", "v.1"})})
    state, _ = manager.step(attrs.evolve(state, awaited=awaited), Failed("v.1"))
    assert not [key for key, _ in state.awaited.items() if key[0] == "drain"]


def test_a_tenure_is_fixed_for_each_vertex_above() -> None:
    """MOVE-1: where two vertices are above, each has its own clocks."""
    vertices = (Vertex("one", PASS, 2), Vertex("two", PASS, 2), Vertex("count", MARKER, 2))
    chain = Chain(vertices, (("one", "count"), ("two", "count")))
    events = [_wishes()[1], Received("one.0", Begin("count", "A", 1, 5, 0))]
    _, _, sends = after("manager", *events, chain=chain)
    assert sends == [Send(to, Since("count", "A", 1, 5)) for to in ("one.0", "one.1")]


def test_a_move_above_waits_for_every_move_below() -> None:
    """MOVE-5, MOVE-6: in whatever order those are over (finding 16)."""
    above, below = _wishes()
    back = attrs.evolve(below, to=spread("A", COUNT[:2]))
    later = Received(below.to, HandedOver("A", 2))
    manager, state, sends = after("manager", below, back, above, later)
    assert sends == []
    _, sends = manager.step(state, Received(back.to, HandedOver("A", 1)))
    assert [send.message for send in sends] == [Move("pass", "A", 1, above.to)]


def test_a_wish_that_is_begun_or_void_keeps_none_back() -> None:
    """CHAIN-3, MOVE-1: those behind it are looked at as well."""
    manager, state, _ = after("manager")
    other = _wishes("B")[0]
    there = MoveRequested("count", "A", spread("A", COUNT[:2]))
    for first in (NARROW, there):
        waits = attrs.evolve(state, wishes=(first,))
        later, sends = manager.step(waits, other)
        assert Send("root", Move("pass", "B", 1, other.to)) in sends
        assert later.wishes == ()
    wider = ScaleRequested("count", COUNT[:2])
    _, busy, _ = after("manager", NARROW)
    later, sends = manager.step(attrs.evolve(busy, wishes=(wider,)), other)
    assert Send("root", Move("pass", "B", 1, other.to)) in sends
    assert later.wishes == (wider,)


def test_whoever_is_ready_is_made_known_to_a_store_in_recovery() -> None:
    """REC-7: it was not asked when the store began."""
    begun = Failed("pass.0"), Received("store", Fenced("pass.0", 1)), Failed("store")
    _, _, sends = after("manager", *begun, Received("pass.0", Ready(1)))
    assert Send("store", Ask("pass.0")) in sends
    _, _, sends = after("manager", Failed("root"), Failed("store"), Received("root", Ready(1)))
    assert Send("store", Ask("root")) in sends


CLONED = (
    CloneRequested("pass.0"),
    Received("store", Fenced("pass.0'", 1)),
    Received("pass.0'", Ready(1)),
    Received("root", HostsKnown(Hosts("pass.0", ("pass.0", "pass.0'")))),
    Received("pass.0'", Recovered(2)),
)


def test_the_end_of_a_cloning_is_waited_for_once() -> None:
    """CLONE-3, MOVE-1: a move that had to wait begins, and is no wish any more."""
    wish = _wishes()[1]
    manager, state, sends = after("manager", *CLONED, wish)
    assert (state.wishes, sends) == ((wish,), [])
    state, sends = manager.step(state, KeepRequested("pass.0'"))
    assert Send("pass.0'", Move("count", "A", 1, wish.to)) in sends
    assert state.wishes == ()
    assert [flow for flow, _ in state.under_way.items()] == ["A"]


def test_a_host_that_is_stopped_is_waited_for_no_more() -> None:
    """CLONE-2, CLONE-3: the replay to a clone below begins when all others have heard of it."""
    hosts = Hosts("count.0", ("count.0", "count.0'"))
    below = [CloneRequested("count.0"), Received("store", Fenced("count.0'", 3))]
    below += [Received("count.0'", Ready(3))]
    below += [Received(one, HostsKnown(hosts)) for one in PASSES]
    manager, state, sends = after("manager", *CLONED, *below)
    assert sends == []
    assert state.awaited["hosts", "count.0"] == {"pass.0'"}
    state, sends = manager.step(state, KeepRequested("pass.0"))
    assert [send.message.target for send in sends if isinstance(send.message, Replay)] == [
        "count.0'"
    ]
    assert ("hosts", "count.0") not in state.awaited


def test_a_period_ends_with_the_failure_of_the_last_that_was_asked() -> None:
    """CHAIN-3: and what the operator's logic makes of it is done."""
    wish = _wishes()[1]
    count = Vertex("count", COUNTER, 2, standby=1, logic=lambda statistics: (wish,))
    chain = attrs.evolve(CHAIN, vertices=(CHAIN.vertices[0], count))
    told = [Received(one, Load(one, 1, 3, 0)) for one in COUNT[:1]]
    failed = [Failed(one) for one in COUNT[1:]]
    events = [PollTimer("count"), *told, *failed]
    _, state, sends = after("manager", *events, chain=chain)
    moves = [send.message for send in sends if isinstance(send.message, Move)]
    assert moves == [Move("count", "A", 1, wish.to)] * 2
    assert state.wishes == ()


def test_only_what_one_instance_has_alone_depends_on_the_split() -> None:
    """CACHE-3, CACHE-4: copies of what no scope keys are kept anywhere."""
    both = attrs.evolve(HOT, objects=(*HOT.objects, *LIMIT.objects))
    for split, alone in (("host", True), ("flow", False)):
        manager = compile_chain(Chain((Vertex("v", both, 2, split=split),))).components["manager"]
        assert isinstance(manager, Manager)
        assert dict(manager.alone.items()) == {"v": alone}


def test_the_manager_knows_where_roots_write_to() -> None:
    """ROOT-5, STORE-8: the first of several stores."""
    manager = compile_chain(Chain((Vertex("v", COUNTER, store="store2"),))).components["manager"]
    assert isinstance(manager, Manager)
    assert manager.clocks == "store"


def test_a_store_is_told_again_whom_it_must_void() -> None:
    """CLONE-3, REC-5: a host that is to stop, too."""
    manager, state, _ = after("manager", *CLONED, KeepRequested("pass.0'"))
    session = state.starts["pass.0"]
    state, _ = manager.step(state, Failed("store"))
    _, sends = manager.step(state, Received("store", Ready(state.session)))
    assert sends == [Send("store", Fence("pass.0", session))]


def test_only_the_newest_scaling_is_answered() -> None:
    """CHAIN-3: what a splitter says of another one is void."""
    void = Received("pass.0", ScaleKnown(attrs.evolve(KNOWN, number=9)))
    manager, state, _ = after("manager", NARROW)
    assert manager.step(state, void) == (state, [])


def test_a_flow_inside_the_split_stays_where_it_is() -> None:
    """CHAIN-3: also where it would not begin."""
    below = _wishes()[1]
    over = Received(spread("A", COUNT[:2]), HandedOver("A", 1))
    _, state, sends = after("manager", below, over, ScaleRequested("count", COUNT[:2]))
    assert {type(send.message) for send in sends} == {Scale}
    assert state.wishes == ()


def test_a_store_is_told_again_whom_it_must_void_while_a_root_recovers() -> None:
    """REC-7, REC-1: the root begins anew besides."""
    manager, state, _ = after("manager", Failed("pass.0"), Failed("root"), Failed("store"))
    fence = Fence("pass.0", state.starts["pass.0"])
    _, sends = manager.step(state, Received("store", Ready(state.session)))
    assert sends[0] == Send("store", fence)
    assert [type(send.message) for send in sends if send.to == "root"] == [Start]
