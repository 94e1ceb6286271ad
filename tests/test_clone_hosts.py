"""Clones: what the host of a clone does, and what stores, queues and the sink make of two hosts.

Host, instance, queue, store and sink, each by itself; CLONE-1, CLONE-2, CLONE-3, and DUP-1, DUP-2,
STORE-2 as far as two hosts are concerned. Ordered as init, act, check; each test names its
clause. The chain is that of ``cloned``.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from cloned import MUTE_CACHE, PHYSICAL, of_kind, packet_of_a

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.client import ClientState
from chc_ref.core.messages import (
    Acquire,
    Again,
    Apply,
    Committed,
    Crashed,
    Delete,
    Deleted,
    Fence,
    Granted,
    HandedOver,
    Hosts,
    LastMark,
    Output,
    Over,
    Packet,
    Passed,
    Ready,
    Received,
    Recovered,
    Release,
    ReplayEnd,
    Result,
    Send,
    Speak,
    Start,
    Stop,
)
from chc_ref.core.node import DOWN, Node, NodeState, Sink
from chc_ref.core.operations import Increment
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.store import Store
from chc_ref.core.values import ObjectKey, UpdateId
from chc_ref.core.work import InstanceState
from chc_ref.nfs.tiny import MARKER

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
    assert _host("w.0'", packet_of_a(1), _granted(1), state=node.initial) == (DOWN, [])
    start = Start((), 4, cache=MUTE_CACHE, mute=True)
    state, sends = node.step(node.initial, Received("manager", start))
    assert sends == [Send("manager", Ready(4))]
    assert (state.up, state.queue.recovering, state.instance.mute) == (True, True, True)
    assert state.instance.client == ClientState(start=4, cache=MUTE_CACHE)
    _, sends = _host("w.0'", packet_of_a(1), state=state)
    assert sends == []


def test_a_stopped_host_lets_out_the_output_whose_delete_was_asked() -> None:
    """CLONE-3, REC-2: nobody else may send it; everything behind it is the other host's."""
    state, sends = _host(
        "w.0", packet_of_a(1), _granted(1), packet_of_a(2), packet_of_a(3, flow="B")
    )
    assert [send.message.clock for send in of_kind(sends, Delete)] == [1]
    state, sends = _host("w.0", Stop(), state=state)
    assert sends == []
    waits = (packet_of_a(4), _granted(4), Speak(), MUTE_CACHE, Deleted(2, (), True, 0))
    after, sends = _host("w.0", *waits, state=state)
    assert (after, sends) == (state, [])
    state, sends = _host("w.0", DELETED, state=state)
    assert (state, sends) == (
        DOWN,
        [Send("sink", Output(1, (), "A", ("x", 1))), Send("sink", Over("w.0"))],
    )


def test_a_stopped_host_lets_out_nothing_that_another_has_let_out() -> None:
    """CLONE-3, REC-2: the answer may say that its delete was not the first."""
    state, _ = _host("w.0", packet_of_a(1), _granted(1), Stop())
    state, sends = _host("w.0", Deleted(1, (), False, 0), state=state)
    assert (state, sends) == (DOWN, [Send("sink", Over("w.0"))])


@pytest.mark.parametrize("events", [(), (packet_of_a(1),), (packet_of_a(1), _granted(1), DELETED)])
def test_a_host_with_no_delete_to_wait_for_is_over_at_once(events: tuple[Any, ...]) -> None:
    """CLONE-3: what it holds besides is processed by the other host; also told again."""
    state, _ = _host("w.0", *events)
    for _ in range(2):  # the second one finds it down
        state, sends = _host("w.0", Stop(), state=state)
        assert (state, sends) == (DOWN, [Send("sink", Over("w.0"))])


def test_a_stopped_host_repeats_its_delete_for_a_new_root() -> None:
    """CLONE-3, REC-3: the old one may have failed before it answered."""
    state, sends = _host("w.0", packet_of_a(1), _granted(1), Stop())
    deletes = of_kind(sends, Delete)
    stopped, again = _host("w.0", Again(), state=state)
    assert (stopped, again) == (state, deletes)
    assert _host("w.0", DELETED, state=stopped)[0] == DOWN


def test_a_stopped_host_that_fails_is_over() -> None:
    """CLONE-3: its last output is lost with it, as one by a crash of a last instance is."""
    state, _ = _host("w.0", packet_of_a(1), _granted(1), Stop())
    state, _ = _node("w.0").step(state, Crashed())
    assert _host("w.0", DELETED, state=state) == (DOWN, [])
    assert _host("w.0", Stop(), state=state) == (DOWN, [Send("sink", Over("w.0"))])


def test_a_stopped_host_in_the_middle_of_the_chain_says_nothing() -> None:
    """CLONE-3: nobody waits for it, since queues drop what both hosts have sent (DUP-1)."""
    assert _host("v.0", packet_of_a(1), Stop()) == (DOWN, [Send("store", Acquire("A", 0, 1))])


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
    state, sends = _host("w.0'", packet_of_a(1), _granted(1), packet_of_a(2), state=mute)
    assert [send.message.id.clock for send in of_kind(sends, Apply)] == [1, 1, 2, 2]
    assert {send.to for send in sends} == {"store"}
    # Now it may speak: one output after the other, in the order of processing, each by its delete.
    state, sends = _host("w.0'", Speak(), packet_of_a(3), state=state)
    assert [send.message.clock for send in of_kind(sends, Delete)] == [1]
    left: list[int] = []
    for clock in (1, 2, 3):
        state, sends = _host("w.0'", Deleted(clock, (), True, 1), state=state)
        left += [send.message.clock for send in sends if send.to == "sink"]
        assert [send.message.clock for send in of_kind(sends, Delete)] == [clock + 1][: 3 - clock]
    assert left == [1, 2, 3]


def test_a_mute_clone_gives_its_marks_behind_what_it_has_kept() -> None:
    """MOVE-6, CLONE-3: the store has its word at once, and the sink when the clone may speak."""
    mute = attrs.evolve(NodeState(), instance=InstanceState(mute=True))
    state, sends = _host("w.0'", packet_of_a(1), _granted(1), state=mute)
    for above in ("v.0", "v.1"):
        state, sends = _node("w.0'").step(state, Received(above, LastMark("A", 1)))
    assert [type(send.message) for send in sends] == [Release, HandedOver]
    state, sends = _host("w.0'", Speak(), state=state)
    assert [type(send.message) for send in sends] == [Delete]
    state, sends = _host("w.0'", DELETED, state=state)
    assert [type(send.message) for send in sends] == [Output, Passed]
    assert state.instance.unsent == ()


def test_what_a_clone_has_in_work_leaves_behind_what_it_has_kept() -> None:
    """CLONE-3, R2: it may be told to speak while it waits for the store."""
    node = compile_chain(Chain((Vertex("m", MARKER, clones=True),))).components["m.0'"]
    assert isinstance(node, Node)
    state, sends = attrs.evolve(DOWN, up=True, instance=InstanceState(mute=True)), []
    marks = [Result(UpdateId(clock, (), ObjectKey("m", "marked", ()), 0), 0) for clock in (1, 2)]
    granted = Granted("A", 0, 1, (), True)
    for message in (packet_of_a(1), granted, marks[0], packet_of_a(2), Speak(), marks[1]):
        state, more = node.step(state, Received("store", message))
        sends += more
    assert [send.message.clock for send in of_kind(sends, Delete)] == [1]
    _, sends = node.step(state, Received("root", DELETED))
    assert [type(send.message) for send in sends] == [Output, Delete]
    assert [send.message.clock for send in sends] == [1, 2]


def test_a_clone_that_speaks_sends_only_what_has_not_left() -> None:
    """CLONE-3, R5: the first delete of a packet decides, whichever host asked."""
    state, _ = _host("w.0'", packet_of_a(1), state=NodeState())
    state = attrs.evolve(state, instance=attrs.evolve(state.instance, mute=True))
    state, _ = _host("w.0'", _granted(1), Speak(), state=state)
    _, sends = _host("w.0'", Deleted(1, (), False, 0), state=state)
    assert [send for send in sends if send.to == "sink"] == []


def test_a_clone_that_is_not_told_to_speak_stays_mute() -> None:
    """CLONE-3: whatever else it hears."""
    state, _ = _host("w.0'", packet_of_a(1), state=NodeState())
    state = attrs.evolve(state, instance=attrs.evolve(state.instance, mute=True))
    messages = (_granted(1), MUTE_CACHE, DELETED, packet_of_a(2), Hosts("w.0", ("w.0", "w.0'")))
    _, sends = _host("w.0'", *messages, state=state)
    assert of_kind(sends, Delete) + of_kind(sends, Output) == []


def test_a_mute_clone_says_that_a_flow_has_passed_behind_what_it_has_kept() -> None:
    """CLONE-3, MOVE-6: it hands the flow over at once, but the other host may still send of it."""
    state, _ = _host("w.0'", packet_of_a(1), state=NodeState())
    state = attrs.evolve(state, instance=attrs.evolve(state.instance, mute=True))
    state, _ = _host("w.0'", _granted(1), state=state)
    marks = [Received(source, LastMark("A", 1)) for source in _node("w.0'").instance.upstream]
    given: list[Send] = []
    for mark in marks:
        state, sends = _node("w.0'").step(state, mark)
        given += sends
    assert of_kind(given, Release)
    assert of_kind(given, Passed) == []
    state, sends = _host("w.0'", Speak(), state=state)
    assert of_kind(sends, Delete)
    assert of_kind(sends, Passed) == []
    _, sends = _host("w.0'", Deleted(1, (), True, 0), state=state)
    assert [type(send.message) for send in sends if send.to == "sink"] == [Output, Passed]


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
    assert of_kind(sends, Committed) == [Send("root", Committed(1, (), 1))]


def test_what_a_stopped_host_has_under_way_is_void() -> None:
    """CLONE-3, REC-1: and nothing of the host that is kept, nor of a later clone there."""
    fence = ("manager", Fence("w.0", 3))
    assert of_kind(_store(fence, ("w.0", _update(1, "total"))), Result) == []
    assert len(of_kind(_store(fence, ("w.0'", _update(1, "total"))), Result)) == 1
    assert len(of_kind(_store(fence, ("w.0", _update(1, "total", start=3))), Result)) == 1


def _queue(*items: tuple[str, Any]) -> list[Any]:
    queue, state, taken = Queue("w.0", ("v.0", "v.1")), QueueState(), []
    for item in items:
        state, more = queue.on_item(state, item)
        taken += [message for _, message in more]
    return taken


def test_of_the_output_of_both_hosts_each_packet_is_queued_once() -> None:
    """DUP-1, CLONE-1: in the order of whichever host is ahead."""
    one, two, three = (packet_of_a(clock) for clock in (1, 2, 3))
    ahead = [("v.0", one), ("v.0'", one), ("v.0'", two), ("v.0'", three), ("v.0", two)]
    assert _queue(*ahead, ("v.0", three)) == [one, two, three]
    passing = packet_of_a(1, target="x.0", session=4)  # replayed through both hosts
    assert _queue(("v.0", passing), ("v.0'", passing)) == [passing]


def test_marks_of_both_hosts_count_for_one_instance() -> None:
    """CLONE-2, MOVE-6: neither host speaks for another instance, nor ends a replay twice."""
    end = ReplayEnd("w.0", 3, (4,))
    hosts = [("v.0", end), ("v.0'", end), ("v.0", end)]
    assert _queue(*hosts) == []
    assert _queue(*hosts, ("v.1", end), ("v.0'", end), ("v.1", end)) == [end]
    assert _queue(("v.0'", end), ("v.1", end)) == [end]
    held, passed = packet_of_a(1, after=1), Passed("A", 1)
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
