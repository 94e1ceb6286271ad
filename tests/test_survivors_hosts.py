"""Rules that nothing else held, found by mutation testing, of a host.

One smallest situation for each (docs/mutation.md); each test names its clause.
"""

from __future__ import annotations

from typing import Any

import attrs
from smallest import (
    COUNT,
    KEYS,
    PASSES,
    TWO,
    a_packet,
    after,
    an_access,
    an_addition,
    elsewhere,
)

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.client import Client, ClientState
from chc_ref.core.instance import Instance
from chc_ref.core.memory import Memory, Record
from chc_ref.core.messages import (
    Acquire,
    Again,
    Alert,
    Apply,
    Arrive,
    Begin,
    Cache,
    Callback,
    Delete,
    Deleted,
    FlushTimer,
    Granted,
    HandedOver,
    Holds,
    Issued,
    LastMark,
    Leaving,
    Load,
    Move,
    Output,
    Packet,
    Passed,
    Poll,
    Ready,
    Recall,
    Received,
    Recollection,
    Recovered,
    Release,
    Replay,
    ReplayEnd,
    Result,
    Route,
    Scale,
    Send,
    Since,
    Stamp,
    Start,
    Stop,
    Unrouted,
)
from chc_ref.core.node import Node, NodeState
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
from chc_ref.core.partition import Division
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.recovery import restore
from chc_ref.core.rules import AMENDED
from chc_ref.core.splitter import Downstream, Splitter, SplitterState
from chc_ref.core.values import (
    Map,
    ObjectKey,
    Past,
    UpdateId,
    clock_of,
    spread,
)
from chc_ref.core.work import Emit, InstanceState, Mode, Wait, Work
from chc_ref.nfs.tiny import BORROW, COUNTER, HOT, LATCH, LIMIT, MARKER, PASS

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


def test_a_handover_is_behind_what_the_splitter_holds() -> None:
    """MOVE-2, MOVE-6: so is the mark for those below; what the store is told waits for nobody."""
    move = Move("count", "A", 1, elsewhere("A", COUNT[:2]))
    node, state, sends = after("pass.0", Received("manager", move))
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
    move = Move("count", "A", 1, elsewhere("A", COUNT[:2]))
    old = spread("A", COUNT[:2])
    events = [Received("manager", move), Received("root", LastMark("D", 1))]
    for target in (old, move.to):
        end = ReplayEnd(target, 3, (1,))
        _, _, sends = after("pass.0", *events, Received("root", end))
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
    _, _, sends = after("pass.0", *events, chain=far)
    assert sends == [Send(f"mid.{n}", end) for n in range(2)]


def test_a_failover_takes_no_replay_that_is_older() -> None:
    """REC-1: it may lack its beginning."""
    node, state, sends = after("pass.0", Received("manager", Start((), 5)))
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
    node, _, _ = after("count.0")
    state, sends = node.step(NodeState(instance=busy), Received("manager", Stop()))
    assert (sends, node.offers(state)) == ([], [])
    state, sends = node.step(state, Received("root", Deleted(1, (), True, 0)))
    assert [send.to for send in sends] == ["sink", "sink"]
    assert not state.up


def test_statistics_count_what_waits_for_its_flow() -> None:
    """CHAIN-3: whether or not it is in work."""
    packets = [Received("pass.0", Packet(clock, "A", ("A",))) for clock in (1, 2, 3)]
    _, _, sends = after("count.0", *packets, Received("manager", Poll(4)))
    assert sends == [Send("manager", Load("count.0", 4, 3, 3))]


def test_an_alert_goes_out_once() -> None:
    """DUP-1: a failover and a clone raise it again."""
    alert = Received("count.0", Alert("count", 1, "bad", (), 0))
    other = Received("count.0", Alert("count", 1, "bad", (), 1))
    _, state, _ = after("sink", alert, alert, other)
    assert state.alerts == (alert.message, other.message)


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


def _given(packet: Packet, count: int = 0, peek: bool = False) -> Granted:
    values = (("count", count),)
    return Granted(packet.flow, packet.epoch, packet.clock, values, not peek, peek=peek)


def test_every_delete_without_an_answer_is_sent_again() -> None:
    """REC-3, REC-2: also those that no output waits for."""
    instance = _instance(NONE, last=True)
    packets = [a_packet(1), a_packet(2)]
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
    first, second = (a_packet(clock, target="v.0", session=2) for clock in (1, 2))
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
    passing = a_packet(3, "B", target="w.0", session=2)
    replayed = attrs.evolve(passing, target="v.0")
    state, _ = instance.take(InstanceState(), [("root", a_packet(1))])
    state, effects = instance.on_message(state, _given(a_packet(1)))
    assert [access.id.object.name for access in _messages(effects, Apply)] == ["total"]
    for item in (a_packet(2, "B"), passing, replayed):
        _, effects = instance.take(state, [("root", item)])
        sent = [type(effect.message) for effect in effects if isinstance(effect, Send)]
        assert sent == [Apply, Acquire], item
    state, effects = instance.take(InstanceState(), [("root", replayed)])
    _, effects = instance.on_message(state, _given(replayed))
    assert [access.id.object.name for access in _messages(effects, Apply)] == ["total", "count"]


def test_outputs_of_one_packet_are_told_apart() -> None:
    """ROOT-3, DUP-1: and what they were computed from comes in the order of asking."""
    instance = _instance(TWICE, last=True)
    state, _ = instance.take(InstanceState(), [("root", a_packet(1))])
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
    passing = a_packet(3, target="w.0", session=2)
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
        a_packet(clock, f, target="v.0", session=2) for clock, f in ((1, "A"), (2, "B"))
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


def test_a_copy_is_begun_by_one_answer_and_where_copies_may_be() -> None:
    """CACHE-3: a second answer may be older than what has been told since."""
    client = Client("store", LIMIT)
    read = an_access("limit", operation=Get())
    state, send = client.issue(ClientState(), read)
    assert send.message.register
    state = client.on_result(state, Result(read.id, 3, copy=(3,)))
    state = client.on_callback(state, Callback(read.id.object, 4))
    assert not dict(state.reads.items()), "nothing was stamped"
    state = client.on_result(state, Result(read.id, 3, copy=(3,)))
    assert dict(state.copies.items()) == {read.id.object: 4}
    cloned = ClientState(cache=Cache(True, copies=False))
    assert not client.request(cloned, read).message.register


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
    emulated = attrs.evolve(an_addition(1, "a").access, emulate=True)
    log = (an_addition(2, "a"), Issued(emulated))
    record = Record(1, 1)
    checkpoint = Memory(records=Map({one.access.id: record for one in log}))
    users = Map({"v.0": Recollection(1, issued=log)})
    memory = restore(checkpoint, users, Map({"v": TWO}), 0, AMENDED)
    assert memory.applied["v.0"] == (0, log[0].access.id)


def test_a_host_flushes_on_its_timer() -> None:
    """CACHE-2."""
    key = ObjectKey("count", "count", "A")
    update = Apply(UpdateId(1, (), key, 0), Increment(), 1, False)
    busy = NodeState(instance=InstanceState(ClientState(unflushed=(update,))))
    node, _, _ = after("count.0")
    state, sends = node.step(busy, FlushTimer())
    assert sends == [Send("store", update)]
    assert node.offers(state) == []


def test_only_an_owner_keeps_a_cache() -> None:
    """MOVE-3, STORE-2: a packet of a tenure that is over is emulated."""
    instance = _instance(COUNTER)
    state, _ = instance.take(InstanceState(), [("root", a_packet(1))])
    state, effects = instance.on_message(state, attrs.evolve(_given(a_packet(1)), owned=False))
    assert not dict(state.owned.items())
    assert _messages(effects, Apply) == []


def test_a_replay_waits_behind_the_splitters_gate() -> None:
    """CLONE-2, MOVE-1: nothing of it is lost, and nothing overtakes."""
    away = elsewhere("A", PASSES)
    events = [Received("manager", Move("pass", "A", 1, away)), Arrive("A", ("A",))]
    root, state, sends = after("root", *events)
    assert sends == [Send("manager", Begin("pass", "A", 1, 1, 0))]
    state, sends = root.step(state, Received("manager", Replay(away, 3)))
    assert sends == []
    state, sends = root.step(state, Received("manager", Since("pass", "A", 1, 1)))
    assert [(send.to, type(send.message)) for send in sends] == [
        (away, Packet),
        (away, Packet),
        (away, ReplayEnd),
    ]


def test_an_alert_alone_waits_for_its_delete() -> None:
    """REC-2: as an output does; and outputs of a branch are branches of it."""
    alarm = NetworkFunction("alarm", (), _alarm)
    for nf, kind in ((alarm, Alert), (TWICE, Output)):
        instance = _instance(nf, last=True)
        packet = a_packet(1, branch=(4,))
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


def test_the_queue_counts_all_that_it_has_forgotten() -> None:
    """CHAIN-3, DUP-2: statistics are of everything since the start."""
    queue, state = Queue("v.0", ("u.0",)), QueueState()
    for clock in (1, 2):
        state, _ = queue.on_item(state, ("u.0", a_packet(clock)))
        state = queue.forget(state, Past().until(1, clock))
    assert (state.forgotten, dict(state.seen.items())) == (2, {})


def test_a_copy_that_is_refreshed_has_been_read() -> None:
    """REC-5, CACHE-3: a recovered store is told the newest value that anybody has seen."""
    client, key = Client("store", LIMIT), ObjectKey("v", "limit", ())
    state = ClientState(copies=Map({key: 3}))
    stamp = Stamp(2, 4, ())
    state = client.on_callback(state, Callback(key, 4, stamp))
    assert (state.copies[key], state.reads[key]) == (4, stamp)


def test_a_copy_is_asked_for_of_what_may_be_copied() -> None:
    """CACHE-3, CACHE-4, DUP-3: of nothing else, nor by who only emulates."""
    read = an_access("limit", operation=Get())
    for nf, access, keeps in (
        (LIMIT, read, True),
        (LIMIT, attrs.evolve(read, emulate=True), False),
        (LIMIT, attrs.evolve(read, blocking=False), False),
        (LIMIT, an_access("limit"), False),
        (HOT, an_access("hot"), True),
        (BORROW, an_access("pool", operation=Get()), False),
        (BORROW, an_access("pool"), False),
    ):
        send = Client("store", nf).request(ClientState(), access)
        assert send.message.register == keeps, access


def test_a_delete_is_answered_to_who_waits_for_it() -> None:
    """REC-2: a copy of the packet that waits for a result waits on."""
    instance = _instance(TWICE, last=True)
    state, _ = instance.take(InstanceState(), [("root", a_packet(1))])
    state, _ = instance.on_message(state, Granted("A", 0, 1, (), True))
    assert instance.on_message(state, Deleted(1, (), True, 0)) == (state, [])


def test_an_alert_of_a_packet_that_goes_on_goes_out_at_once() -> None:
    """CHAIN-1: behind the packet."""
    instance = _instance(LATCH)
    state, _ = instance.take(InstanceState(), [("root", a_packet(1))])
    state, (asked,) = instance.on_message(state, Granted("A", 0, 1, (), True))
    assert isinstance(asked, Send)
    _, effects = instance.on_message(state, Result(asked.message.id, True))
    assert [type(effect) for effect in effects] == [Emit, Send]
    assert _messages(effects, Alert) == [Alert("v", 1, "A", (), 0)]


def _given_by(queue: Queue, state: QueueState, *messages: Any) -> list[Any]:
    """Give what a queue with one splitter above it lets in."""
    given = []
    for message in messages:
        state, items = queue.on_item(state, (queue.upstream[0], message))
        given += [item for _, item in items]
    return given


def test_the_end_of_a_replay_frees_what_is_of_that_replay() -> None:
    """MOVE-6, CLONE-2: several have one number, each with a target of its own."""
    late = a_packet(1, after=1, target="w.0", session=3)
    ends = [ReplayEnd(target, 3, (1,)) for target in ("x.0", "w.0")]
    given = _given_by(Queue("v.0", ("u.0",)), QueueState(), late, *ends)
    assert given == [ends[0], late, ends[1]]


def test_only_what_a_failover_saw_whole_passes_through_it() -> None:
    """REC-1, CLONE-2: from its first replay on; a later one of its own changes nothing."""
    queue, state = Queue("v.0", ("u.0",)), QueueState(recovering=True, born=1)
    ends = [ReplayEnd("v.0", 3, ()), ReplayEnd("w.0", 2, ()), ReplayEnd("v.0", 7, ())]
    passing = [a_packet(1, target="w.0", session=number) for number in (2, 5)]
    given = _given_by(queue, state, *ends, *passing)
    assert given == [ends[0], ends[2], passing[1]]


def test_what_was_set_aside_is_known() -> None:
    """DUP-1: a repeat of it that comes later is dropped."""
    queue, state = Queue("v.0", ("u.0",)), QueueState(recovering=True, born=1)
    packet, end = a_packet(1), ReplayEnd("v.0", 2, ())
    assert _given_by(queue, state, packet, end, packet) == [end, packet]


def test_a_second_answer_finds_a_handover_in_its_place() -> None:
    """MOVE-2, REC-5: its packet is at work, and behind that the flow is given up."""
    instance = _instance(COUNTER, last=True)
    items = [("root", a_packet(1)), ("root", LastMark("A", 1))]
    state, _ = instance.take(InstanceState(), items)
    answer = Granted("A", 0, 1, (("count", 0),), False)
    state, _ = instance.on_message(state, answer)
    assert [type(one).__name__ for one in state.blocked["A", 0]] == ["Handover"]
    assert instance.on_message(state, answer) == (state, [])


def test_an_object_is_shown_with_its_key() -> None:
    """STORE-1: one that all share has none."""
    assert str(ObjectKey("v", "count", "A")) == "v.count[A]"
    assert str(ObjectKey("v", "total", ())) == "v.total"
