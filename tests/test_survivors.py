"""Rules that nothing else held: mutation testing found them (docs/mutation.md).

One smallest situation for each, in the order of the core's modules; each test names its clause.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs
import pytest

from chc_ref.core.chain import Chain, Vertex, check, compile_chain
from chc_ref.core.client import Client, ClientState
from chc_ref.core.instance import Instance
from chc_ref.core.manager import Manager
from chc_ref.core.memory import Memory, Owner, Record
from chc_ref.core.messages import (
    Acquire,
    Again,
    Alert,
    Answered,
    Apply,
    Arrive,
    Ask,
    Begin,
    Cache,
    CacheKnown,
    Callback,
    Checkpointed,
    CheckpointTimer,
    ClockPersisted,
    CloneRequested,
    Committed,
    Crashed,
    Delete,
    Deleted,
    Drain,
    Failed,
    Fence,
    Fenced,
    FlushTimer,
    Granted,
    HandedOver,
    Holds,
    Hosts,
    HostsKnown,
    Inquire,
    Issued,
    KeepRequested,
    LastMark,
    Leaving,
    Load,
    LogEntry,
    Logged,
    Move,
    MoveRequested,
    Output,
    Packet,
    Passed,
    PersistClock,
    Poll,
    PollTimer,
    Ready,
    Recall,
    Received,
    Recollection,
    Recovered,
    Release,
    Remembered,
    Replay,
    ReplayEnd,
    Result,
    Route,
    Scale,
    ScaleKnown,
    ScaleRequested,
    Send,
    Since,
    Stamp,
    Start,
    Stop,
    Unrouted,
    WriteLog,
)
from chc_ref.core.node import Entry, Node, NodeState
from chc_ref.core.operations import (
    Access,
    Get,
    Increment,
    NetworkFunction,
    Outcome,
    Pop,
    Process,
    StateObject,
)
from chc_ref.core.partition import Division, home
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.recovery import restore
from chc_ref.core.root import Root, RootState
from chc_ref.core.rules import AMENDED
from chc_ref.core.splitter import Downstream, Splitter, SplitterState
from chc_ref.core.store import Store
from chc_ref.core.transport import Datagram, Peer, Transport
from chc_ref.core.values import (
    ROOT_BITS,
    Map,
    ObjectKey,
    Past,
    UpdateId,
    clock_of,
    evolve,
    sorted_items,
    spread,
)
from chc_ref.core.varied import Varied
from chc_ref.core.vertex import VertexManager, VertexState
from chc_ref.core.work import Emit, InstanceState, Mode, Wait, Work
from chc_ref.errors import UsageError
from chc_ref.nfs.tiny import BORROW, COUNTER, HOT, LATCH, LIMIT, MARKER, PASS

# ---------------------------------------------------------------------- splitter

WIDE = ("v.0", "v.1", "v.2")
CHANGED = next(f for f in "ABCDEFGH" if spread(f, WIDE) != spread(f, WIDE[:2]))
"""A flow that a third instance takes over."""


def _scaled(*routes: Route) -> tuple[Splitter, Any]:
    """Give a failover's splitter after a scaling."""
    edge = Downstream("v", WIDE, frozenset({"v"}), Division(WIDE[:2]))
    splitter = Splitter((edge,))
    return splitter, splitter.started(Start((), 5, scales=(Scale("v", 3, WIDE),), routes=routes))


def test_a_failover_is_told_where_flows_began() -> None:
    """REC-1, CHAIN-3: a replay of such a flow goes where its first tenure is."""
    first = spread(CHANGED, WIDE)
    splitter, state = _scaled(Route("v", CHANGED, first))
    replayed = Packet(4, CHANGED, (), target=first, session=6)
    assert [send.to for send in splitter.on_packet(state, replayed, ((),))[1]] == [first]
    assert [send.to for send in splitter.on_packet(state, Packet(5, CHANGED, ()), ((),))[1]] == [
        first
    ]


# ---------------------------------------------------------------------- queue


def _taken(state: QueueState, *items: tuple[str, Any]) -> list[int]:
    queue, clocks = Queue("v.0", ("u.0", "u.1")), []
    for item in items:
        state, more = queue.on_item(state, item)
        clocks += [message.clock for _, message in more if isinstance(message, Packet)]
    return clocks


def test_the_end_of_a_replay_frees_nothing_of_a_later_one() -> None:
    """MOVE-6, CLONE-2: of the later one, the splitter that is behind has the earlier tenures."""
    first = Packet(1, "A", (), after=1, target="v.0", session=3)
    second = attrs.evolve(first, clock=2, after=2)
    ends = [ReplayEnd("v.0", session, (2,)) for session in (2, 3)]
    ahead = [("u.0", ends[0]), ("u.0", second), ("u.0", ends[1])]
    behind = [("u.1", ends[0]), ("u.1", first), ("u.1", ends[1])]
    state = QueueState(recovering=True, born=1)
    assert _taken(state, *ahead, *behind) == [1, 2]


def test_the_end_of_a_replay_speaks_for_every_root() -> None:
    """REC-1, SPLIT-4: of each root, what is no newer than its own newest is dropped."""
    packets = [Packet(clock_of(root, 1), "A", ()) for root in (0, 1)]
    aside = [("u.0", packets[0]), ("u.1", packets[1])]
    ends = [("u.0", ReplayEnd("v.0", 2, (packets[0].clock,)))]
    ends += [("u.1", ReplayEnd("v.0", 2, (packets[1].clock,)))]
    assert _taken(QueueState(recovering=True, born=1), *aside, *ends) == []


# ---------------------------------------------------------------------- memory, recovery


def test_an_instance_holds_what_it_owns_or_asks_for() -> None:
    """CHAIN-3: and nothing that another one does."""
    owners: Map[Any, Owner] = Map({("v", f): Owner(f"v.{n}") for n, f in enumerate("AB")})
    waiting: Map[Any, Any] = Map(
        {
            ("v", "D"): (("v.0'", Acquire("D", 1, 2)),),
            ("v", "E"): (("v.1", Acquire("E", 1, 2)),),
            ("w", "F"): (("v.0", Acquire("F", 1, 2)),),
        }
    )
    assert Memory(owners=owners, waiting=waiting).held_by("v.0") == ("A", "D")


TWO = (StateObject("a", False, initial=0), StateObject("b", False, initial=10))
KEYS = {declared.name: ObjectKey("v", declared.name, ()) for declared in TWO}


def _add(clock: int, name: str) -> Issued:
    return Issued(Apply(UpdateId(clock, (), KEYS[name], 0), Increment(1), 1, False))


def test_objects_are_recovered_one_by_one() -> None:
    """REC-5: a read of one object says nothing of another, nor which of its updates are in."""
    log = (_add(1, "b"), _add(1, "a"), _add(2, "a"), _add(3, "b"))
    seen = Stamp(2, 2, (("v.0", log[2].access.id, 2),))
    users = Map({"v.0": Recollection(1, issued=log, reads=((KEYS["a"], seen),))})
    memory = restore(Memory(), users, Map({"v": TWO}), 0, AMENDED)
    assert (memory.values[KEYS["a"]], memory.values[KEYS["b"]]) == (2, 12)
    assert (memory.stamp(KEYS["a"]).version, memory.stamp(KEYS["b"]).version) == (2, 2)


# ---------------------------------------------------------------------- nodes

CHAIN = Chain(
    (Vertex("pass", PASS, 2), Vertex("count", COUNTER, 2, standby=1)), (("pass", "count"),)
)
COUNT = tuple(f"count.{n}" for n in range(3))


def _component(name: str, *events: Any, chain: Chain = CHAIN) -> tuple[Any, Any, list[Send]]:
    """Give a component, its state after some events, and what the last one made it send."""
    component = compile_chain(chain).components[name]
    state: Any = component.initial
    sends: list[Send] = []
    for event in events:
        state, sends = component.step(state, event)
    return component, state, sends


def _away(flow: str, of: tuple[str, ...]) -> str:
    return next(one for one in of if one != spread(flow, of))


def test_a_handover_is_behind_what_the_splitter_holds() -> None:
    """MOVE-2, MOVE-6: so is the mark for those below; what the store is told waits for nobody."""
    move = Move("count", "A", 1, _away("A", COUNT[:2]))
    node, state, sends = _component("pass.0", Received("manager", move))
    state, sends = node.step(state, Received("root", Packet(7, "A", ("A",))))
    state, sends = node.step(state, Received("store", Granted("A", 0, 7, (), True)))
    assert [send.to for send in sends] == ["manager"]  # where does the tenure begin?
    assert isinstance(sends[0].message, Begin)
    state, sends = node.step(state, Received("root", LastMark("A", 1)))
    assert sends == [Send("store", Release("A", 1, 0))]
    state, sends = node.step(state, Received("manager", Since("count", "A", 1, 7)))
    kinds = [(send.to, type(send.message)) for send in sends]
    assert kinds[:2] == [(move.to, Packet), ("manager", HandedOver)]
    assert kinds[2:] == [(one, Passed) for one in COUNT]


def test_the_target_of_a_replay_gets_its_marks_again() -> None:
    """MOVE-2, MOVE-6, REC-1: those of the splitter, and those of its instance; nobody else."""
    move = Move("count", "A", 1, _away("A", COUNT[:2]))
    old = spread("A", COUNT[:2])
    events = [Received("manager", move), Received("root", LastMark("D", 1))]
    for target in (old, move.to):
        end = ReplayEnd(target, 3, (1,))
        _, _, sends = _component("pass.0", *events, Received("root", end))
        last = [LastMark("A", 1)] if target == old else []
        assert sends == [Send(target, mark) for mark in (end, *last, Passed("D", 1))]


def test_what_is_far_below_gets_no_marks_of_ours() -> None:
    """CLONE-2: the end of its replay takes every path, and its own neighbours remind it."""
    far = Chain(
        (Vertex("pass", PASS, 2), Vertex("mid", PASS, 2), Vertex("count", COUNTER, 2)),
        (("pass", "mid"), ("mid", "count")),
    )
    end = ReplayEnd("count.0", 3, (1,))
    events = [Received("root", LastMark("D", 1)), Received("root", end)]
    _, _, sends = _component("pass.0", *events, chain=far)
    assert sends == [Send(f"mid.{n}", end) for n in range(2)]


def test_a_failover_takes_no_replay_that_is_older() -> None:
    """REC-1: it may lack its beginning."""
    node, state, sends = _component("pass.0", Received("manager", Start((), 5)))
    assert sends == [Send("manager", Ready(5))]
    state, sends = node.step(state, Received("root", ReplayEnd("pass.0", 4, ())))
    assert sends == []
    state, sends = node.step(state, Received("root", ReplayEnd("pass.0", 6, ())))
    assert sends == [Send("manager", Recovered(6))]


def test_a_host_that_stops_flushes_no_more() -> None:
    """CLONE-3: only its last output leaves, when the delete is answered."""
    update = Apply(UpdateId(1, (), KEYS["a"], 0), Increment(1), 1, False)
    work = Work(Packet(1, "A", ("A",)), Mode.OWN, wait=Wait.DELETE, leaving=Outcome((("A",),)))
    busy = InstanceState(ClientState(unflushed=(update,)), work=work)
    node, _, _ = _component("count.0")
    state, sends = node.step(NodeState(instance=busy), Received("manager", Stop()))
    assert (sends, node.offers(state)) == ([], [])
    state, sends = node.step(state, Received("root", Deleted(1, (), True, 0)))
    assert [send.to for send in sends] == ["sink", "sink"]
    assert not state.up


def test_statistics_count_what_waits_for_its_flow() -> None:
    """CHAIN-3: whether or not it is in work."""
    packets = [Received("pass.0", Packet(clock, "A", ("A",))) for clock in (1, 2, 3)]
    _, _, sends = _component("count.0", *packets, Received("manager", Poll(4)))
    assert sends == [Send("manager", Load("count.0", 4, 3, 3))]


def test_an_alert_goes_out_once() -> None:
    """DUP-1: a failover and a clone raise it again."""
    alert = Received("count.0", Alert("count", 1, "bad", (), 0))
    other = Received("count.0", Alert("count", 1, "bad", (), 1))
    _, state, _ = _component("sink", alert, alert, other)
    assert state.alerts == (alert.message, other.message)


# ---------------------------------------------------------------------- root


def test_input_outlives_the_root() -> None:
    """REC-3, ROOT-4: it waits for the failover, as far as there is room; the rest is counted."""
    chain = attrs.evolve(CHAIN, persist_every=2, capacity=2)
    events = [Crashed(), *(Arrive(flow, (flow,)) for flow in "ABD")]
    root, state, sends = _component("root", *events, chain=chain)
    assert sends == []
    assert [arrive.flow for arrive in state.root.waiting] == ["A", "B"]
    assert state.root.dropped == 1
    assert root.step(state, Received("store", Recall(3))) == (state, []), "it is down"


# ---------------------------------------------------------------------- scaling


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
        manager, state, sends = _component("manager", NARROW, both, *missing)
        assert state.wishes == (both,), last
        state, sends = manager.step(state, last)
        assert [send.message for send in sends] == [Scale("count", 2, COUNT[:2])] * 2


def test_what_an_instance_had_before_another_scaling_is_void() -> None:
    """CHAIN-3: its number is not the newest scaling's."""
    old = Received("store", Holds(COUNT[1], 7, 0, ("D",)))
    manager, state, sends = _component("manager", old)
    assert (state, sends) == (manager.initial, [])
    _, state, sends = _component("manager", NARROW, old)
    assert sends == []
    assert not state.firsts
    assert not state.drained


def test_a_flow_begins_at_one_place_for_ever() -> None:
    """CHAIN-3, MOVE-1: whoever asks later is told the same, and it is moved once."""
    flow = next(f for f in "ABCDEFGH" if spread(f, COUNT[:2]) == COUNT[1])
    asked = Unrouted("count", flow, 0)
    manager, state, sends = _component("manager", NARROW, Received("pass.0", asked))
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
    manager, state, sends = _component(
        "manager", ScaleRequested("count", outer), *known, told, asked
    )
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


# ---------------------------------------------------------------------- manager


def test_a_clone_waits_for_the_end_of_a_scaling() -> None:
    """CHAIN-3, CLONE-1: until all have heard of it, and until all have told what they have."""
    known = [Received(f"pass.{n}", ScaleKnown(KNOWN)) for n in range(2)]
    told = [Received("store", Holds(one, 1)) for one in COUNT[1:]]
    wish = CloneRequested("pass.0")
    for events in ((NARROW, *known), (NARROW, *told)):
        _, state, _ = _component("manager", *events, wish)
        assert state.wishes == (wish,)
    _, state, _ = _component("manager", NARROW, *known, *told, wish)
    assert not state.wishes


def test_a_store_asks_everybody_who_is_there() -> None:
    """REC-5, REC-7: whoever is not will say so when it is."""
    _, _, sends = _component("manager", Failed("pass.1"), Failed("store"))
    users = (*COUNT, "pass.0", "root")
    assert [(send.to, send.message.ask) for send in sends] == [("store", users)]
    begun = Failed("pass.1"), Received("store", Fenced("pass.1", 1))
    _, _, sends = _component("manager", *begun, Failed("store"))
    assert sends[0].message.ask == users
    runs = Received("pass.1", Ready(1))
    _, _, sends = _component("manager", *begun, runs, Failed("store"))
    assert sends[0].message.ask == (*COUNT, *PASSES, "root")
    _, _, sends = _component("manager", Failed("root"), Failed("store"))
    assert "root" not in sends[0].message.ask


# ---------------------------------------------------------------------- instance


def _instance(nf: NetworkFunction, **fields: Any) -> Instance:
    """Give the last instance of a chain, or one in its middle."""
    fields = {"last": False, **fields}
    node = compile_chain(Chain((Vertex("v", nf, 1),), ())).components["v.0"]
    assert isinstance(node, Node)
    client = attrs.evolve(node.instance.client, write_ahead=fields.pop("write_ahead", False))
    return attrs.evolve(node.instance, client=client, **fields)


def _messages(effects: list[Any], kind: type) -> list[Any]:
    sends = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in sends if isinstance(message, kind)]


def _none(headers: Any, flow: Any, clock: int) -> Process:
    """Drop every packet."""
    yield from ()
    return Outcome()


def _twice(headers: Any, flow: Any, clock: int) -> Process:
    """Send every packet on as two, with what is first of two numbers, and what is second."""
    first = yield Access("pool", Pop())
    second = yield Access("pool", Pop())
    return Outcome(((first,), (second,)))


NONE = NetworkFunction("none", (), _none)
TWICE = attrs.evolve(BORROW, name="twice", process=_twice)


def _packet(clock: int, flow: str = "A", **fields: Any) -> Packet:
    return attrs.evolve(Packet(clock, flow, (flow,)), **fields)


def _given(packet: Packet, count: int = 0, peek: bool = False) -> Granted:
    values = (("count", count),)
    return Granted(packet.flow, packet.epoch, packet.clock, values, not peek, peek=peek)


def test_every_delete_without_an_answer_is_sent_again() -> None:
    """REC-3, REC-2: also those that no output waits for."""
    instance = _instance(NONE, last=True)
    packets = [_packet(1), _packet(2)]
    state = InstanceState()
    for packet in packets:
        state, _ = instance.take(state, [("root", packet)])
        state, effects = instance.on_message(state, Granted("A", 0, packet.clock, (), True))
    _, effects = instance.on_message(state, Again())
    assert [delete.clock for delete in _messages(effects, Delete)] == [1, 2]
    state, _ = instance.on_message(state, Deleted(1, (), True, 0))
    _, effects = instance.on_message(state, Again())
    assert [delete.clock for delete in _messages(effects, Delete)] == [2]


def test_a_packet_behind_a_handover_asks_for_itself() -> None:
    """MOVE-2, DUP-3: what is replayed of an earlier tenure may come when its flow has moved."""
    instance = _instance(COUNTER)
    first, second = (_packet(clock, target="v.0", session=2) for clock in (1, 2))
    items = [("root", item) for item in (first, LastMark("A", 1), second)]
    state, effects = instance.take(InstanceState(), items)
    state, effects = instance.on_message(state, _given(first))
    assert _messages(effects, Acquire) == [Acquire("A", 0, 2)]
    assert _messages(effects, Release) == [Release("A", 1, 0)]
    assert [effect.packet.session for effect in effects if isinstance(effect, Emit)] == [0]
    state, effects = instance.on_message(state, _given(second, 1))
    assert [effect.packet.clock for effect in effects if isinstance(effect, Emit)] == [2]
    assert not dict(state.blocked.items())


def test_whoever_asks_the_store_has_told_it_everything() -> None:
    """CACHE-2, STORE-6: cached operations go ahead of each request; those of a replay at once."""
    instance = _instance(COUNTER, eager_flush=False)
    passing = _packet(3, "B", target="w.0", session=2)
    replayed = attrs.evolve(passing, target="v.0")
    state, _ = instance.take(InstanceState(), [("root", _packet(1))])
    state, effects = instance.on_message(state, _given(_packet(1)))
    assert [access.id.object.name for access in _messages(effects, Apply)] == ["total"]
    for item in (_packet(2, "B"), passing, replayed):
        _, effects = instance.take(state, [("root", item)])
        sent = [type(effect.message) for effect in effects if isinstance(effect, Send)]
        assert sent == [Apply, Acquire], item
    state, effects = instance.take(InstanceState(), [("root", replayed)])
    _, effects = instance.on_message(state, _given(replayed))
    assert [access.id.object.name for access in _messages(effects, Apply)] == ["total", "count"]


def test_outputs_of_one_packet_are_told_apart() -> None:
    """ROOT-3, DUP-1: and what they were computed from comes in the order of asking."""
    instance = _instance(TWICE, last=True)
    state, _ = instance.take(InstanceState(), [("root", _packet(1))])
    state, effects = instance.on_message(state, Granted("A", 0, 1, (), True))
    for value in (7, 8):
        (access,) = _messages(effects, Apply)
        (recollection,) = _messages(instance.on_message(state, Recall(4))[1], Recollection)
        assert recollection.again == (access,), "what it waits for now"
        state, effects = instance.on_message(state, Result(access.id, value))
    _, effects = instance.on_message(state, Deleted(1, (), True, 0))
    assert [(o.branch, o.headers) for o in _messages(effects, Output)] == [
        ((0,), (7,)),
        ((1,), (8,)),
    ]


def test_a_second_answer_to_one_question_is_void() -> None:
    """DUP-3, REC-5: a recovered store may answer twice; what is asked again is emulated again."""
    instance = _instance(MARKER)
    passing = _packet(3, target="w.0", session=2)
    peeked = Granted("A", 0, 3, (), False, peek=True)
    state, _ = instance.take(InstanceState(), [("root", passing)])
    state, effects = instance.on_message(state, peeked)
    (access,) = _messages(effects, Apply)
    other = attrs.evolve(peeked, values=(("count", 5),))
    for again in (peeked, other):
        assert instance.on_message(state, again) == (state, [])
    _, effects = instance.on_message(state, Recall(4))
    (recollection,) = _messages(effects, Recollection)
    assert recollection.again == (access,)
    assert access.emulate


def test_a_recollection_holds_all_that_an_instance_may_update() -> None:
    """REC-4, REC-5: also flows in replay, of which there is no cache; and who has left it."""
    instance = _instance(MARKER)
    first, second = (
        _packet(clock, f, target="v.0", session=2) for clock, f in ((1, "A"), (2, "B"))
    )
    items = [("root", item) for item in (first, second, Leaving(9))]
    state, effects = instance.take(InstanceState(), items)
    assert _messages(effects, Holds) == [Holds("v.0", 9, 0)]
    for packet in (first, second):
        answer = Granted(packet.flow, 0, packet.clock, (), True)
        state, effects = instance.on_message(state, answer)
    _, effects = instance.on_message(state, Recall(4))
    (recollection,) = _messages(effects, Recollection)
    assert recollection.owned == (("B", 0, ()), ("A", 0, ()))
    assert Holds("v.0", 9, 0) in recollection.again


# ---------------------------------------------------------------------- manager: moves, failures

PASSES = ("pass.0", "pass.1")


def _wishes(flow: str = "A") -> tuple[MoveRequested, MoveRequested]:
    """Give wishes that move a flow away from where it begins, at either vertex."""
    above = MoveRequested("pass", flow, _away(flow, PASSES))
    return above, MoveRequested("count", flow, _away(flow, COUNT[:2]))


def test_a_tenure_below_a_move_begins_when_that_is_over() -> None:
    """MOVE-5: what the old instance above still holds is older (finding 16)."""
    above, below = _wishes()
    old = spread("A", COUNT[:2])
    events = [below, Received(old, HandedOver("A", 1)), above]
    begin = Received(above.to, Begin("count", "A", 1, 5, 0))
    manager, state, sends = _component("manager", *events, begin)
    assert sends == []
    state, sends = manager.step(state, Received(spread("A", PASSES), HandedOver("A", 1)))
    assert sends == [Send(one, Since("count", "A", 1, 5)) for one in PASSES]


def test_each_tenure_begins_with_its_own_clock() -> None:
    """MOVE-1: also where the next move has begun before the first packet came."""
    _, away = _wishes()
    back = attrs.evolve(away, to=spread("A", COUNT[:2]))
    manager, state, _ = _component("manager", away, back)
    for epoch, at in ((1, 4), (2, 9)):
        state, sends = manager.step(state, Received(PASSES[0], Begin("count", "A", epoch, at, 0)))
        assert sends == [Send(one, Since("count", "A", epoch, at)) for one in PASSES]


def test_a_wish_that_waits_keeps_no_other_back() -> None:
    """CHAIN-3, MOVE-1: nor does one that is fulfilled already."""
    above, below = _wishes()
    clone, other = CloneRequested("pass.0"), _wishes("B")[0]
    manager, state, _ = _component("manager", below, clone)
    state, sends = manager.step(state, other)
    assert state.wishes == (clone,)
    assert [send.message for send in sends] == [Move("pass", "B", 1, other.to)]
    back = attrs.evolve(below, to=spread("A", COUNT[:2]))
    manager, state, _ = _component("manager", above, below, below, back)
    state, sends = manager.step(state, Received(spread("A", PASSES), HandedOver("A", 1)))
    moves = [Move("count", "A", 1, below.to), Move("count", "A", 2, back.to)]
    assert [send.message for send in sends] == [moves[0], moves[0], moves[1], moves[1]]


def test_a_move_stays_in_the_split() -> None:
    """CHAIN-3: where there is one; before any scaling a flow may go to a standby instance."""
    wish = MoveRequested("count", "A", COUNT[2])
    _, _, sends = _component("manager", wish)
    assert [send.message for send in sends] == [Move("count", "A", 1, COUNT[2])] * 2
    _, state, sends = _component("manager", ScaleRequested("count", COUNT[:2]), wish)
    assert (state.wishes, sends) == ((), [])


def test_the_failure_of_an_instance_that_leaves_is_no_answer() -> None:
    """CHAIN-3: its failover will tell what it has."""
    _, state, _ = _component("manager", NARROW, Failed(COUNT[1]))
    assert state.awaited["leave", "count"] == {*COUNT[1:]}


def test_a_clone_is_replayed_to_once() -> None:
    """CLONE-2: when all have heard of it, and never again for that."""
    events = [CloneRequested("pass.0"), Received("store", Fenced("pass.0'", 1))]
    events += [Received("pass.0'", Ready(1))]
    manager, state, sends = _component("manager", *events)
    hosts = Hosts("pass.0", ("pass.0", "pass.0'"))
    assert sends == [Send("root", hosts)]
    state, sends = manager.step(state, Received("root", HostsKnown(hosts)))
    assert sends == [Send("root", Replay("pass.0'", 2))]
    assert not state.joining


def test_a_store_that_fails_breaks_no_replay_off() -> None:
    """REC-7: none goes through it; and it is told once more whom it must void."""
    begun = Failed("pass.0"), Received("store", Fenced("pass.0", 1)), Received("pass.0", Ready(1))
    manager, state, sends = _component("manager", *begun)
    assert sends == [Send("root", Replay("pass.0", 2))]
    state, _ = manager.step(state, Failed("store"))
    state, _ = manager.step(state, Received("pass.0", Recovered(2)))
    assert "pass.0" not in state.recovering
    events = Failed("pass.0"), Failed("store"), Received("store", Ready(2))
    _, _, sends = _component("manager", *events)
    assert sends == [Send("store", Fence("pass.0", 1))]


def test_a_drain_of_another_vertex_goes_on() -> None:
    """CACHE-4: what was sent at one vertex says nothing of another's objects."""
    manager, state, _ = _component("manager")
    awaited: Map[Any, Any] = Map({("drain", f"{name} 3"): frozenset({name}) for name in "vw"})
    state = manager._forget_drains(attrs.evolve(state, awaited=awaited), "v")
    assert [key for key, _ in state.awaited.items()] == [("drain", "w 3")]


# ---------------------------------------------------------------------- client, store


def _access(name: str, seq: int = 0, operation: Any = None, **fields: Any) -> Apply:
    update = UpdateId(1, (), ObjectKey("v", name, ()), seq)
    return attrs.evolve(Apply(update, operation or Increment(1), 1, True), **fields)


def test_a_copy_is_begun_by_one_answer_and_where_copies_may_be() -> None:
    """CACHE-3: a second answer may be older than what has been told since."""
    client = Client("store", LIMIT)
    read = _access("limit", operation=Get())
    state, send = client.issue(ClientState(), read)
    assert send.message.register
    state = client.on_result(state, Result(read.id, 3, copy=(3,)))
    state = client.on_callback(state, Callback(read.id.object, 4))
    assert not dict(state.reads.items()), "nothing was stamped"
    state = client.on_result(state, Result(read.id, 3, copy=(3,)))
    assert dict(state.copies.items()) == {read.id.object: 4}
    cloned = ClientState(cache=Cache(True, copies=False))
    assert not client.request(cloned, read).message.register


def _stored(*events: Any, stamps: bool = True) -> tuple[Store, Any, list[Send]]:
    store = Store(Map({"v": TWO}), stamps=stamps)
    state: Any = store.initial
    sends: list[Send] = []
    for event in events:
        state, sends = store.step(state, event)
    return store, state, sends


def test_what_is_no_update_commits_nothing() -> None:
    """DEL-2, REC-5: neither a read, nor an emulation; and of neither a log may be trimmed."""
    read, update = _access("a", operation=Get()), _access("b")
    _, state, sends = _stored(Received("v.0", read))
    assert [send.to for send in sends] == ["v.0"]
    assert sends[0].message.stamp == Stamp(0, None, ())
    assert state.memory.records[read.id].token == 0
    _, state, sends = _stored(Received("v.0", attrs.evolve(update, emulate=True)))
    assert [(send.message.known, send.message.stamp) for send in sends] == [(False, None)]
    assert not dict(state.memory.applied.items())
    _, state, _ = _stored(Received("v.0", update), stamps=False)
    assert not dict(state.memory.applied.items()), "nobody keeps a log"
    assert not dict(state.memory.stamps.items())
    _, state, _ = _stored(Received("v.0", update))
    assert state.memory.stamp(update.id.object).version == 1


def test_the_log_of_a_root_is_kept_as_it_was_written() -> None:
    """ROOT-2, REC-2: entries, the clock, and the newest delete that lets an output leave."""
    entries = [LogEntry(_packet(clock)) for clock in (1, 2)]
    answered = Answered("v.0", 1, (), 0)
    writes = [WriteLog(at + 1, at + 1, entry) for at, entry in enumerate(entries)]
    writes.append(WriteLog(3, 1, None, answered))
    events = [Received("root", write) for write in writes]
    _, _, sends = _stored(*events, Received("root", Inquire(7)))
    assert sends == [Send("root", Remembered(7, 2, (entries[1],), (), (answered,)))]


def test_a_store_recovers_when_all_have_told_that_live() -> None:
    """REC-5, REC-7: whoever is voided tells nothing; what came meanwhile is done once."""
    begin = [Crashed(), Received("manager", Start((), 4, ask=("v.0", "v.1")))]
    fence, late = Received("manager", Fence("v.1", 5)), Received("v.0", _access("a"))
    told = Received("v.0", Recollection(4))
    _, state, sends = _stored(*begin, late, fence, told)
    assert [type(send.message) for send in sends[:1]] == [Ready]
    assert (state.asked, state.aside) == (frozenset(), ())
    assert state.memory.values[_access("a").id.object] == 1
    assert state.checkpoint == state.memory
    _, state, _ = _stored(*begin, late, fence, told, stamps=False)
    assert state.checkpoint == Memory(), "without stamps none is written"


# ---------------------------------------------------------------------- transport, chain, values


def test_what_has_come_in_order_is_forgotten() -> None:
    """The window: one that is acknowledged makes room for the next, and nothing stays early."""
    one, other = Transport("a", 1, window=1), Transport("b", 1)
    state, datagrams = one.on_send(one.initial, "b", "x")
    assert datagrams == [Datagram("a", "b", 1, 0, 0, 0)]
    state, _ = one.on_send(state, "b", "y")
    state, _, datagrams = one.on_datagram(state, Datagram("b", "a", 1, 1, 0, 0))
    assert [datagram.payload for datagram in datagrams] == [("x",)]
    _, delivered, _ = other.on_datagram(other.initial, attrs.evolve(datagrams[0], incarnation=1))
    assert [message for _, message in delivered] == ["x"]
    taken, _, _ = other.on_datagram(other.initial, datagrams[0])
    assert not dict(taken.peers["a"].early.items())
    state, _, datagrams = one.on_datagram(state, Datagram("b", "a", 1, 1, 0, 1))
    assert [datagram.payload for datagram in datagrams] == [("y",)]


def test_nothing_flies_to_whom_nobody_has_heard_of() -> None:
    """A datagram that names no incarnation tells nothing of its sender."""
    one = Transport("a", 1)
    state, _ = one.on_send(one.initial, "b", "x")
    _, _, datagrams = one.on_datagram(state, Datagram("b", "a", 0, 1, 0, 0))
    assert datagrams == []


def test_scopes_of_one_name_are_refused() -> None:
    """CHAIN-4, SPLIT-1."""
    twin = attrs.evolve(HOT, scopes=(*HOT.scopes, HOT.scopes[1]))
    with pytest.raises(UsageError, match="two scopes of one name"):
        compile_chain(Chain((Vertex("v", twin),)))


def test_the_manager_knows_what_splitters_split_by() -> None:
    """SPLIT-2, SPLIT-3: a move away from home begins where the splitters have the flow."""
    physical = compile_chain(Chain((Vertex("v", HOT, 2, split="host"),)))
    manager = physical.components["manager"]
    root = physical.components["root"]
    assert isinstance(manager, Manager)
    assert isinstance(root, Entry)
    assert manager.divisions["v"] == root.splitter.downstream[0].division
    assert manager.divisions["v"].by == "host"


def test_values_are_changed_and_sorted_by_name() -> None:
    """What every step is made of: a class of one field too, and items by key."""
    assert evolve(Poll(1), number=2) == Poll(2)
    assert sorted_items(Map({2: "a", 1: "b"})) == [(1, "b"), (2, "a")]


# ---------------------------------------------------------------------- root machine


def _arrived(root: Root, flows: str) -> tuple[RootState, list[Any]]:
    state = RootState()
    effects: list[Any] = []
    for flow in flows:
        state, effects = root.on_arrival(state, Arrive(flow, (flow,)))
    return state, effects


def _delete(clock: int, vector: int = 0) -> Delete:
    return Delete(clock, (), Fraction(1), (((), vector),), 0)


def test_a_packet_stays_logged_until_its_first_token_is_signalled() -> None:
    """DEL-3: where nothing has been signalled, nothing has been committed."""
    root = Root()
    state, _ = _arrived(root, "A")
    state, _ = root.on_delete(state, "v.0", _delete(1, vector=1))
    assert 1 in state.log
    state, _ = root.on_committed(state, Committed(1, (), 1))
    assert 1 not in state.log


def test_an_old_answer_of_the_store_asks_for_nothing() -> None:
    """ROOT-5: the request for the next clock is under way already."""
    root = Root(persist_every=1)
    state, _ = _arrived(root, "A")
    state, _ = root.on_persisted(state, ClockPersisted(1))
    state, effects = root.on_arrival(state, Arrive("B", ("B",)))
    assert effects == [Send("store", PersistClock(2))]
    assert root.on_persisted(state, ClockPersisted(1)) == (state, [])


def test_a_root_tells_a_recovered_store_all_that_it_had() -> None:
    """REC-5, ROOT-2, ROOT-5: log, newest number, clock, and what it waits for."""
    root = Root(log_in_store=True)
    state, _ = _arrived(root, "AB")
    entries = [LogEntry(_packet(at, flow)) for at, flow in ((1, "A"), (2, "B"))]
    writes = [WriteLog(0, at + 1, entry) for at, entry in enumerate(entries)]
    messages = [send.message for send in root.recall(state)]
    assert messages == [*writes, WriteLog(2, 0, None), PersistClock(2)]
    plain = Root(persist_every=2)
    state, _ = _arrived(plain, "AB")
    assert [send.message for send in plain.recall(state)] == [PersistClock(0), PersistClock(2)]
    assert Root().recall(_arrived(Root(), "AB")[0]) == []


def test_a_new_root_knows_which_packets_its_predecessor_lost() -> None:
    """REC-3, ROOT-2, REC-2: of those no delete can have been answered."""
    root = Root(persist_every=2)
    state, _ = root.recovered(RootState(), iter([Remembered(1, 2, (), (), ())]))
    firsts = [root.on_delete(state, "v.0", _delete(clock))[1] for clock in (3, 4)]
    assert [sends[0].message.first for sends in firsts if isinstance(sends[0], Send)] == [
        True,
        False,
    ]


def test_history_has_every_packet_once() -> None:
    """ROOT-2: whoever takes a log over lets in only what had not been in."""
    root = Root(log_in_store=True)
    state, _ = _arrived(root, "A")
    state, _ = root.on_logged(state, 1)
    entries = tuple(LogEntry(_packet(at, flow)) for at, flow in ((1, "A"), (2, "B")))
    state, _ = root.recovered(state, [Remembered(1, 2, entries, (), ())])
    assert [clock for _, (clock, _) in sorted_items(state.entered)] == [1, 2]


def test_a_root_that_does_not_wait_for_its_log_answers_at_once() -> None:
    """ROOT-2: the rule decides, for packets and for answers to deletes."""
    root = Root(log_in_store=True, rules=attrs.evolve(AMENDED, logs_first=lambda write: False))
    state, effects = _arrived(root, "A")
    assert [type(effect) for effect in effects] == [Send, Packet]
    _, effects = root.on_delete(state, "v.0", _delete(1))
    assert effects[-1] == Send("v.0", Deleted(1, (), True, 0))


# ---------------------------------------------------------------------- what a wider sample showed


def test_branches_of_branches_are_told_apart() -> None:
    """ROOT-3: a packet may be forked at several vertices."""
    edge = Downstream("v", WIDE, frozenset({"v"}), Division(WIDE))
    packet = Packet(1, "A", (), branch=(2,))
    _, sends = Splitter((edge,)).on_packet(SplitterState(), packet, ("a", "b"))
    assert [send.message.branch for send in sends] == [(2, 0), (2, 1)]


def test_a_failover_is_told_of_scalings() -> None:
    """CHAIN-3, REC-1: a flow that it has no route for is asked about; and a move outlasts that."""
    splitter, state = _scaled()
    state, sends = splitter.on_packet(state, Packet(4, CHANGED, ()), ((),))
    assert sends == [Send("manager", Unrouted("v", CHANGED, 5))]
    old, new = spread(CHANGED, WIDE[:2]), spread(CHANGED, WIDE)
    state, _ = splitter.on_control(state, Move("v", CHANGED, 1, new))
    state, sends = splitter.on_control(state, Route("v", CHANGED, old))
    assert Send("manager", Begin("v", CHANGED, 1, 4, 5)) in sends
    assert [tenure.epoch for tenure in state.routes["v", CHANGED]] == [0, 1]


def test_what_is_set_aside_is_judged_by_its_own_root() -> None:
    """REC-1, SPLIT-4: a clock of another root may be higher and tells nothing; all is let go."""
    ends = (clock_of(0, 1), clock_of(1, 1))
    new = Packet(clock_of(0, 2), "A", ())
    queue, state = Queue("v.0", ("u.0",)), QueueState(recovering=True, born=1)
    state, _ = queue.on_item(state, ("u.0", new))
    state, items = queue.on_item(state, ("u.0", ReplayEnd("v.0", 2, ends)))
    assert [item for _, item in items] == [ReplayEnd("v.0", 2, ends), new]
    assert state.aside == ()


def test_outputs_wait_for_their_marks() -> None:
    """MOVE-6: at the sink as anywhere."""
    queue, output = Queue("sink", ("v.0", "v.1")), Output(2, (), "A", (), 1)
    state, items = queue.on_item(QueueState(), ("v.1", output))
    assert items == []
    state, items = queue.on_item(state, ("v.0", Passed("A", 1)))
    assert items == [("v.1", output)]


def test_a_caches_value_is_taken_where_the_rule_says_so() -> None:
    """REC-4 as written, and REC-5: what is only emulated is not in the memory of a log."""
    flow = StateObject("count", True, initial=0)
    key = ObjectKey("v", "count", "A")
    users = Map({"v.0": Recollection(1, owned=(("A", 0, (("count", 5),)),))})
    written = attrs.evolve(AMENDED, rebuilds_from_logs=lambda records: False)
    assert restore(Memory(), users, Map({"v": (flow,)}), 0, written).values[key] == 5
    emulated = attrs.evolve(_add(1, "a").access, emulate=True)
    log = (_add(2, "a"), Issued(emulated))
    record = Record(1, 1)
    checkpoint = Memory(records=Map({one.access.id: record for one in log}))
    users = Map({"v.0": Recollection(1, issued=log)})
    memory = restore(checkpoint, users, Map({"v": TWO}), 0, AMENDED)
    assert memory.applied["v.0"] == (0, log[0].access.id)


def test_a_scaling_asks_and_moves_at_its_own_vertex() -> None:
    """CHAIN-3: flows of any kind; and whoever has told all is not waited for again."""
    manager, state, _ = _component("manager")
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
    manager, state, sends = _component("manager", NARROW, clone, ask)
    assert clone in state.wishes, "other wishes stay"
    state, _ = manager.step(state, Failed("pass.0"))
    session = state.starts["pass.0"]
    assert manager.step(state, attrs.evolve(ask, source="pass.0")) == (state, [])
    state, sends = manager.step(state, Received("store", Fenced("pass.0", session)))
    assert sends[0].message.routes == (Route("count", flow, COUNT[1]),)


def test_a_host_flushes_on_its_timer() -> None:
    """CACHE-2."""
    key = ObjectKey("count", "count", "A")
    update = Apply(UpdateId(1, (), key, 0), Increment(), 1, False)
    busy = NodeState(instance=InstanceState(ClientState(unflushed=(update,))))
    node, _, _ = _component("count.0")
    state, sends = node.step(busy, FlushTimer())
    assert sends == [Send("store", update)]
    assert node.offers(state) == []


def test_only_an_owner_keeps_a_cache() -> None:
    """MOVE-3, STORE-2: a packet of a tenure that is over is emulated."""
    instance = _instance(COUNTER)
    state, _ = instance.take(InstanceState(), [("root", _packet(1))])
    state, effects = instance.on_message(state, attrs.evolve(_given(_packet(1)), owned=False))
    assert not dict(state.owned.items())
    assert _messages(effects, Apply) == []


def test_a_failover_of_the_root_goes_on_with_all_that_waits() -> None:
    """REC-3: log, input, and whatever came while it asked the stores."""
    chain = attrs.evolve(CHAIN, persist_every=2, capacity=1)
    events = [Crashed(), *(Arrive(flow, (flow,)) for flow in "ABD")]
    events += [Received("manager", Start((), 5)), Received("store", Recall(6))]
    root, state, sends = _component("root", *events, chain=chain)
    assert state.root.dropped == 2
    assert sends == [Send("store", Recollection(6))]
    for source in ("pass.0", "pass.1"):
        state, sends = root.step(state, Received(source, _delete(1)))
        assert sends == []
    state, sends = root.step(state, Received("store", Remembered(5, 0, (), (), ())))
    kinds = [(send.to, type(send.message)) for send in sends]
    assert ("pass.0", Deleted) in kinds
    assert ("pass.1", Deleted) in kinds
    assert [to for to, kind in kinds if kind is Again] == [*root.hosts]
    assert sends[-1] == Send("manager", Ready(5))
    with pytest.raises(KeyError, match="unexpected"):
        root.step(state, Received("pass.0", "nonsense"))


def test_a_replay_waits_behind_the_splitters_gate() -> None:
    """CLONE-2, MOVE-1: nothing of it is lost, and nothing overtakes."""
    away = _away("A", PASSES)
    events = [Received("manager", Move("pass", "A", 1, away)), Arrive("A", ("A",))]
    root, state, sends = _component("root", *events)
    assert sends == [Send("manager", Begin("pass", "A", 1, 1, 0))]
    state, sends = root.step(state, Received("manager", Replay(away, 3)))
    assert sends == []
    state, sends = root.step(state, Received("manager", Since("pass", "A", 1, 1)))
    assert [(send.to, type(send.message)) for send in sends] == [
        (away, Packet),
        (away, Packet),
        (away, ReplayEnd),
    ]


def test_a_user_that_comes_late_is_heard() -> None:
    """REC-7: whatever it asked in vain is done; of an earlier recovery, nothing is."""
    begin = [Crashed(), Received("manager", Start((), 4))]
    for session, applied in ((4, True), (3, False), (5, False)):
        told = Received("v.0", Recollection(session, again=(_access("a"),)))
        _, state, sends = _stored(*begin, told)
        assert (_access("a").id in state.memory.records) == applied
        assert bool(sends) == applied


def test_each_root_is_told_of_its_own_packets() -> None:
    """SPLIT-4, REC-3: entries, signals and clock; a write without a number needs no answer."""
    store = attrs.evolve(_stored()[0], roots=("root", "root1"))
    state, kept = store.initial, {}
    for at, name in enumerate(store.roots):
        packet = Packet(clock_of(at, 1), "A", ())
        kept[name] = LogEntry(packet)
        update = attrs.evolve(_access("a"), id=attrs.evolve(_access("a").id, clock=packet.clock))
        state, _ = store.step(state, Received("v.0", update))
        write = Received(name, WriteLog(0, packet.clock, kept[name]))
        assert store.step(state, write)[1] == []
        write = Received(name, WriteLog(2, packet.clock, kept[name]))
        state, sends = store.step(state, write)
        assert sends == [Send(name, Logged(2))]
    for name, entry in kept.items():
        signal = Committed(entry.packet.clock, (), 1)
        _, sends = store.step(state, Received(name, Inquire(7)))
        assert sends == [Send(name, Remembered(7, 1, (entry,), (signal,), ()))]
    _, sends = store.step(store.initial, Received("root", Inquire(7)))
    assert sends[0].message.persisted == 0


def test_a_checkpoint_is_written_by_a_store_that_runs() -> None:
    """REC-5: one that recovers has nothing to write down yet."""
    _, state, sends = _stored(Received("v.0", _access("a")), CheckpointTimer())
    assert state.checkpoint == state.memory
    assert sends == [Send("v.0", Checkpointed(_access("a").id, 0))]
    begin = Crashed(), Received("manager", Start((), 4, ask=("v.0",)))
    store, state, _ = _stored(Received("v.0", _access("a")), CheckpointTimer(), *begin)
    assert store.step(state, CheckpointTimer())[0] == state


def test_who_only_looks_owns_nothing() -> None:
    """DUP-3, STORE-2."""
    _, state, sends = _stored(Received("v.0", Acquire("A", 0, 2, peek=True)))
    assert [send.message.owned for send in sends] == [False]
    assert not dict(state.memory.owners.items())


def test_a_replay_counts_while_nothing_has_failed_since() -> None:
    """REC-1, CLONE-1: another failure breaks it off at once, a clone does not."""
    begun = Failed("pass.0"), Received("store", Fenced("pass.0", 1)), Received("pass.0", Ready(1))
    done = Received("pass.0", Recovered(2))
    for event, counts in ((Failed("pass.1"), False), (CloneRequested("pass.1"), True)):
        _, state, _ = _component("manager", *begun, event, done)
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


def test_a_root_that_persists_every_clock_recovers() -> None:
    """ROOT-5: and it knows what is persisted."""
    root = Root(persist_every=1)
    state, _ = root.recovered(RootState(), [Remembered(1, 4, (), (), ())])
    assert (state.count, state.persisted) == (4, 4)


def test_an_alert_alone_waits_for_its_delete() -> None:
    """REC-2: as an output does; and outputs of a branch are branches of it."""
    alarm = NetworkFunction("alarm", (), _alarm)
    for nf, kind in ((alarm, Alert), (TWICE, Output)):
        instance = _instance(nf, last=True)
        packet = _packet(1, branch=(4,))
        state, _ = instance.take(InstanceState(), [("root", packet)])
        state, effects = instance.on_message(state, Granted("A", 0, 1, (), True, branch=(4,)))
        for access in _messages(effects, Apply) * 2:
            seq = access.id.seq if state.work and not state.work.results else 1
            answer = Result(attrs.evolve(access.id, seq=seq), 7)
            state, effects = instance.on_message(state, answer)
        assert _messages(effects, Delete)
        assert not _messages(effects, kind)
        _, effects = instance.on_message(state, Deleted(1, (4,), True, 3))
        assert effects == [], "of another start"
        _, effects = instance.on_message(state, Deleted(1, (4,), True, 0))
        branches = [message.branch for message in _messages(effects, kind)]
        assert branches == ([(4,)] if kind is Alert else [(4, 0), (4, 1)])


def _alarm(headers: Any, flow: Any, clock: int) -> Process:
    """Raise an alarm, and drop the packet."""
    yield from ()
    return Outcome(alerts=("alarm",))


# ---------------------------------------------------------------------- what two samples had left


def test_the_queue_counts_all_that_it_has_forgotten() -> None:
    """CHAIN-3, DUP-2: statistics are of everything since the start."""
    queue, state = Queue("v.0", ("u.0",)), QueueState()
    for clock in (1, 2):
        state, _ = queue.on_item(state, ("u.0", _packet(clock)))
        state = queue.forget(state, Past().until(1, clock))
    assert (state.forgotten, dict(state.seen.items())) == (2, {})


def test_a_span_ends_at_both_its_ends() -> None:
    """DUP-2: of two clocks in no order."""
    past = Past(((3, 5), (8, 9)))
    assert past.is_one_span(5, 3)
    assert past.is_one_span(3, 5)
    for one, other in ((4, 2), (4, 6), (4, 8), (6, 7)):
        assert not past.is_one_span(one, other)


def test_a_copy_that_is_refreshed_has_been_read() -> None:
    """REC-5, CACHE-3: a recovered store is told the newest value that anybody has seen."""
    client, key = Client("store", LIMIT), ObjectKey("v", "limit", ())
    state = ClientState(copies=Map({key: 3}))
    stamp = Stamp(2, 4, ())
    state = client.on_callback(state, Callback(key, 4, stamp))
    assert (state.copies[key], state.reads[key]) == (4, stamp)


def test_a_recovered_store_has_what_its_users_remember() -> None:
    """REC-5: and a checkpoint of it, if it writes any; what came meanwhile is answered."""
    begin = [Crashed(), Received("manager", Start((), 4, ask=("v.0",)))]
    late = Received("v.0", _access("a"))
    asked = _access("b", 7, Get())
    told = Received("v.0", Recollection(4, issued=(_add(3, "b"),), again=(asked,)))
    for stamps in (True, False):
        _, state, sends = _stored(*begin, late, told, stamps=stamps)
        assert state.memory.values[KEYS["b"]] == 11
        assert state.checkpoint.values.get(KEYS["b"]) == (11 if stamps else None)
        results = [send.message.value for send in sends if isinstance(send.message, Result)]
        assert results == [11, 1]
        assert not dict(state.recalled.items())


def test_a_root_counts_the_signals_of_the_store_and_no_others() -> None:
    """DEL-2: nor does it write them to the store, which has sent them."""
    root = Root(log_in_store=True)
    state, _ = _arrived(root, "A")
    state, _ = root.on_logged(state, 1)
    state, _ = root.on_committed(state, Committed(1, (), 2))
    assert dict(state.log[1].signals.items()) == {(): 2}
    state, (write,) = root.on_delete(state, "v.0", _delete(1, vector=3))
    assert isinstance(write, Send)
    assert isinstance(write.message, WriteLog)
    assert write.message.entry == attrs.evolve(state.log[1], signals=Map())


def test_a_recovered_store_is_told_which_outputs_may_have_left() -> None:
    """REC-2, REC-5: without a number, as nobody waits for an answer."""
    root = Root(log_in_store=True)
    state, _ = _arrived(root, "A")
    state, _ = root.on_logged(state, 1)
    state, _ = root.on_delete(state, "v.0", attrs.evolve(_delete(1, vector=1), waits=True))
    answered = Answered("v.0", 1, (), 0)
    assert WriteLog(0, 0, None, answered) in [send.message for send in root.recall(state)]


def test_what_a_root_heard_in_recovery_it_knows() -> None:
    """REC-3, DEL-2: a signal is not sent again."""
    chain = attrs.evolve(CHAIN, log="store")
    events = [Crashed(), Received("manager", Start((), 5))]
    events += [Received("store", Committed(1, (), 2))]
    answer = Remembered(5, 1, (LogEntry(_packet(1)),), (), ())
    _, state, _ = _component("root", *events, Received("store", answer), chain=chain)
    assert dict(state.root.log[1].signals.items()) == {(): 2}


# ---------------------------------------------------------------------- the manager once more


def test_an_instance_tells_of_flows_whose_place_is_known() -> None:
    """CHAIN-3: where they began is not changed by it."""
    manager, state, _ = _component("manager")
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
    above = MoveRequested("pass", "A", _away("A", PASSES))
    events = [above, Received(spread("A", PASSES), HandedOver("A", 1))]
    events += [MoveRequested("v", "A", away)]
    events += [Received(one, CacheKnown(Cache(False))) for one in hosts]
    events += [Received(at, HandedOver("A", 1)), MoveRequested("v", "A", at)]
    _, state, sends = _component(
        "manager", *events, Received(away, HandedOver("A", 2)), chain=chain
    )
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
    manager, state, sends = _component("manager", *events, over, chain=chain)
    assert sends == []
    for event in (Received("store", Fenced("v.1", 1)), Received("v.1", Ready(1))):
        state, sends = manager.step(state, event)
    assert [type(send.message) for send in sends] == [Replay]
    state, sends = manager.step(state, Received("v.1", Recovered(2)))
    assert [send.message for send in sends] == [Drain(3)] * 2


def test_the_failure_of_an_instance_voids_what_others_say() -> None:
    """CACHE-4, REC-1: its failover sends anew, so all are asked anew when that is back."""
    vertex = Vertex("v", HOT, 2, split="host")
    manager, state, _ = _component("manager", chain=Chain((vertex,)))
    awaited: Map[Any, Any] = Map({("drain", "v 1"): frozenset({"v.0", "v.1"})})
    state, _ = manager.step(attrs.evolve(state, awaited=awaited), Failed("v.1"))
    assert not [key for key, _ in state.awaited.items() if key[0] == "drain"]


def test_a_tenure_is_fixed_for_each_vertex_above() -> None:
    """MOVE-1: where two vertices are above, each has its own clocks."""
    vertices = (Vertex("one", PASS, 2), Vertex("two", PASS, 2), Vertex("count", MARKER, 2))
    chain = Chain(vertices, (("one", "count"), ("two", "count")))
    events = [_wishes()[1], Received("one.0", Begin("count", "A", 1, 5, 0))]
    _, _, sends = _component("manager", *events, chain=chain)
    assert sends == [Send(to, Since("count", "A", 1, 5)) for to in ("one.0", "one.1")]


def test_a_move_above_waits_for_every_move_below() -> None:
    """MOVE-5, MOVE-6: in whatever order those are over (finding 16)."""
    above, below = _wishes()
    back = attrs.evolve(below, to=spread("A", COUNT[:2]))
    later = Received(below.to, HandedOver("A", 2))
    manager, state, sends = _component("manager", below, back, above, later)
    assert sends == []
    _, sends = manager.step(state, Received(back.to, HandedOver("A", 1)))
    assert [send.message for send in sends] == [Move("pass", "A", 1, above.to)]


def test_a_wish_that_is_begun_or_void_keeps_none_back() -> None:
    """CHAIN-3, MOVE-1: those behind it are looked at as well."""
    manager, state, _ = _component("manager")
    other = _wishes("B")[0]
    there = MoveRequested("count", "A", spread("A", COUNT[:2]))
    for first in (NARROW, there):
        waits = attrs.evolve(state, wishes=(first,))
        after, sends = manager.step(waits, other)
        assert Send("root", Move("pass", "B", 1, other.to)) in sends
        assert after.wishes == ()
    wider = ScaleRequested("count", COUNT[:2])
    _, busy, _ = _component("manager", NARROW)
    after, sends = manager.step(attrs.evolve(busy, wishes=(wider,)), other)
    assert Send("root", Move("pass", "B", 1, other.to)) in sends
    assert after.wishes == (wider,)


def test_whoever_is_ready_is_made_known_to_a_store_in_recovery() -> None:
    """REC-7: it was not asked when the store began."""
    begun = Failed("pass.0"), Received("store", Fenced("pass.0", 1)), Failed("store")
    _, _, sends = _component("manager", *begun, Received("pass.0", Ready(1)))
    assert Send("store", Ask("pass.0")) in sends
    _, _, sends = _component("manager", Failed("root"), Failed("store"), Received("root", Ready(1)))
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
    manager, state, sends = _component("manager", *CLONED, wish)
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
    manager, state, sends = _component("manager", *CLONED, *below)
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
    _, state, sends = _component("manager", *events, chain=chain)
    moves = [send.message for send in sends if isinstance(send.message, Move)]
    assert moves == [Move("count", "A", 1, wish.to)] * 2
    assert state.wishes == ()


# ---------------------------------------------------------------------- the chain once more


def test_there_are_as_many_roots_as_a_clock_can_tell_apart() -> None:
    """SPLIT-4, CHAIN-4: one more is refused, and so is none."""
    chain = Chain((Vertex("v", PASS),))
    for roots in (1, 1 << ROOT_BITS):
        assert list(check(attrs.evolve(chain, roots=roots))) == ["v"]
    for roots in (0, 1 + (1 << ROOT_BITS)):
        with pytest.raises(UsageError, match=f"{roots} roots"):
            check(attrs.evolve(chain, roots=roots))


def test_the_host_of_a_clone_is_down_at_first() -> None:
    """CLONE-1: the instance's own is up."""
    components = compile_chain(Chain((Vertex("v", PASS, clones=True),))).components
    assert {name: components[name].initial.up for name in ("v.0", "v.0'")} == {
        "v.0": True,
        "v.0'": False,
    }


def test_every_component_follows_the_rules_of_the_variant() -> None:
    """A variant that one of them does not know of would be another variant."""
    rules = attrs.evolve(AMENDED, name="mine")
    components = compile_chain(CHAIN, rules).components
    known: dict[str, list[str]] = {}
    for name, component in components.items():
        assert isinstance(component, Varied)
        inner = component.component
        parts: list[Any] = [component, inner, *(getattr(inner, at, None) for at in PARTS)]
        known[name] = [part.rules.name for part in parts if hasattr(part, "rules")]
    assert {one for names in known.values() for one in names} == {"mine"}
    assert all(len(names) > 1 for names in known.values())


PARTS = ("queue", "instance", "splitter", "root")


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


def test_a_copy_is_asked_for_of_what_may_be_copied() -> None:
    """CACHE-3, CACHE-4, DUP-3: of nothing else, nor by who only emulates."""
    read = _access("limit", operation=Get())
    for nf, access, keeps in (
        (LIMIT, read, True),
        (LIMIT, attrs.evolve(read, emulate=True), False),
        (LIMIT, attrs.evolve(read, blocking=False), False),
        (LIMIT, _access("limit"), False),
        (HOT, _access("hot"), True),
        (BORROW, _access("pool", operation=Get()), False),
        (BORROW, _access("pool"), False),
    ):
        send = Client("store", nf).request(ClientState(), access)
        assert send.message.register == keeps, access


def test_a_delete_is_answered_to_who_waits_for_it() -> None:
    """REC-2: a copy of the packet that waits for a result waits on."""
    instance = _instance(TWICE, last=True)
    state, _ = instance.take(InstanceState(), [("root", _packet(1))])
    state, _ = instance.on_message(state, Granted("A", 0, 1, (), True))
    assert instance.on_message(state, Deleted(1, (), True, 0)) == (state, [])


def test_an_alert_of_a_packet_that_goes_on_goes_out_at_once() -> None:
    """CHAIN-1: behind the packet."""
    instance = _instance(LATCH)
    state, _ = instance.take(InstanceState(), [("root", _packet(1))])
    state, (asked,) = instance.on_message(state, Granted("A", 0, 1, (), True))
    assert isinstance(asked, Send)
    _, effects = instance.on_message(state, Result(asked.message.id, True))
    assert [type(effect) for effect in effects] == [Emit, Send]
    assert _messages(effects, Alert) == [Alert("v", 1, "A", (), 0)]


def test_a_store_is_told_again_whom_it_must_void() -> None:
    """CLONE-3, REC-5: a host that is to stop, too."""
    manager, state, _ = _component("manager", *CLONED, KeepRequested("pass.0'"))
    session = state.starts["pass.0"]
    state, _ = manager.step(state, Failed("store"))
    _, sends = manager.step(state, Received("store", Ready(state.session)))
    assert sends == [Send("store", Fence("pass.0", session))]


def test_only_the_newest_scaling_is_answered() -> None:
    """CHAIN-3: what a splitter says of another one is void."""
    void = Received("pass.0", ScaleKnown(attrs.evolve(KNOWN, number=9)))
    manager, state, _ = _component("manager", NARROW)
    assert manager.step(state, void) == (state, [])


def _given_by(queue: Queue, state: QueueState, *messages: Any) -> list[Any]:
    """Give what a queue with one splitter above it lets in."""
    given = []
    for message in messages:
        state, items = queue.on_item(state, (queue.upstream[0], message))
        given += [item for _, item in items]
    return given


def test_the_end_of_a_replay_frees_what_is_of_that_replay() -> None:
    """MOVE-6, CLONE-2: several have one number, each with a target of its own."""
    late = _packet(1, after=1, target="w.0", session=3)
    ends = [ReplayEnd(target, 3, (1,)) for target in ("x.0", "w.0")]
    given = _given_by(Queue("v.0", ("u.0",)), QueueState(), late, *ends)
    assert given == [ends[0], late, ends[1]]


def test_only_what_a_failover_saw_whole_passes_through_it() -> None:
    """REC-1, CLONE-2: from its first replay on; a later one of its own changes nothing."""
    queue, state = Queue("v.0", ("u.0",)), QueueState(recovering=True, born=1)
    ends = [ReplayEnd("v.0", 3, ()), ReplayEnd("w.0", 2, ()), ReplayEnd("v.0", 7, ())]
    passing = [_packet(1, target="w.0", session=number) for number in (2, 5)]
    given = _given_by(queue, state, *ends, *passing)
    assert given == [ends[0], ends[2], passing[1]]


def test_what_was_set_aside_is_known() -> None:
    """DUP-1: a repeat of it that comes later is dropped."""
    queue, state = Queue("v.0", ("u.0",)), QueueState(recovering=True, born=1)
    packet, end = _packet(1), ReplayEnd("v.0", 2, ())
    assert _given_by(queue, state, packet, end, packet) == [end, packet]


def test_a_root_that_has_its_log_knows_what_is_over() -> None:
    """DUP-2, ROOT-2: nothing, while its first packet is logged."""
    root = Root(log_in_store=True)
    answer = Remembered(1, 1, (LogEntry(_packet(1)),), (), ())
    state, _ = root.recovered(RootState(), [answer])
    assert root.past(state) is None


def test_a_flow_inside_the_split_stays_where_it_is() -> None:
    """CHAIN-3: also where it would not begin."""
    below = _wishes()[1]
    over = Received(spread("A", COUNT[:2]), HandedOver("A", 1))
    _, state, sends = _component("manager", below, over, ScaleRequested("count", COUNT[:2]))
    assert {type(send.message) for send in sends} == {Scale}
    assert state.wishes == ()


def test_whoever_waits_for_a_flow_is_answered_in_the_order_of_asking() -> None:
    """MOVE-4, CLONE-1: both hosts of an instance may ask for it."""
    hosts = ("v.1", "v.1'")
    asked = [Received(host, Acquire("A", 1, 5)) for host in hosts]
    events = [Received("v.0", Acquire("A", 0, 1)), *asked]
    store, state, sends = _stored(*events)
    assert sends == []
    state, sends = store.step(state, Received("v.0", Release("A", 1)))
    assert [(send.to, send.message.owned) for send in sends] == [(host, True) for host in hosts]
    assert not dict(state.memory.waiting.items())


def test_a_store_stamps_what_the_rule_says_reveals_something() -> None:
    """REC-5: a variant may hold that only a read does, or nothing."""
    read = Received("v.0", _access("a", operation=Get()))
    for rules, stamp in ((AMENDED, Stamp(0, None, ())), (UNSTAMPED, None)):
        store = attrs.evolve(_stored()[0], rules=rules)
        _, sends = store.step(store.initial, read)
        assert [send.message.stamp for send in sends] == [stamp]


UNSTAMPED = attrs.evolve(AMENDED, reveals=lambda reads_only: False)


def test_an_acknowledgement_that_is_old_takes_nothing_away() -> None:
    """The network may bring it long after newer ones."""
    peer = Peer(1, ("x", "y"), first=3, flying=2)
    for ack in (0, 1, 2):
        assert peer.acknowledged(ack) == peer
    assert peer.acknowledged(3).unacknowledged == ("y",)


def test_a_datagram_for_somebody_else_is_not_taken() -> None:
    """A driver may hear what is not meant for it."""
    one = Transport("a", 1)
    astray = Datagram("b", "c", 1, 1, 1, 0, ("x",))
    assert one.on_datagram(one.initial, astray) == (one.initial, [], [])
