"""Rules that nothing else held, found by mutation testing, of root, transport and chain.

One smallest situation for each (docs/mutation.md); each test names its clause.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from smallest import (
    CHAIN,
    a_delete,
    a_packet,
    after,
    arrived,
)

from chc_ref.core.chain import Chain, Vertex, check, compile_chain
from chc_ref.core.messages import (
    Again,
    Answered,
    Arrive,
    ClockPersisted,
    Committed,
    Crashed,
    Deleted,
    LogEntry,
    Packet,
    PersistClock,
    Ready,
    Recall,
    Received,
    Recollection,
    Remembered,
    Send,
    Start,
    WriteLog,
)
from chc_ref.core.root import Root, RootState
from chc_ref.core.rules import AMENDED
from chc_ref.core.transport import Datagram, Peer, Transport
from chc_ref.core.values import (
    ROOT_BITS,
    sorted_items,
)
from chc_ref.core.varied import Varied
from chc_ref.errors import UsageError
from chc_ref.nfs.tiny import HOT, PASS


def test_input_outlives_the_root() -> None:
    """REC-3, ROOT-4: it waits for the failover, as far as there is room; the rest is counted."""
    chain = attrs.evolve(CHAIN, persist_every=2, capacity=2)
    events = [Crashed(), *(Arrive(flow, (flow,)) for flow in "ABD")]
    root, state, sends = after("root", *events, chain=chain)
    assert sends == []
    assert [arrive.flow for arrive in state.root.waiting] == ["A", "B"]
    assert len(state.root.dropped) == 1
    assert root.step(state, Received("store", Recall(3))) == (state, []), "it is down"


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


def test_a_packet_stays_logged_until_its_first_token_is_signalled() -> None:
    """DEL-3: where nothing has been signalled, nothing has been committed."""
    root = Root()
    state, _ = arrived(root, "A")
    state, _ = root.on_delete(state, "v.0", a_delete(1, vector=1))
    assert 1 in state.log
    state, _ = root.on_committed(state, Committed(1, (), 1))
    assert 1 not in state.log


def test_an_old_answer_of_the_store_asks_for_nothing() -> None:
    """ROOT-5: the request for the next clock is under way already."""
    root = Root(persist_every=1)
    state, _ = arrived(root, "A")
    state, _ = root.on_persisted(state, ClockPersisted(1))
    state, effects = root.on_arrival(state, Arrive("B", ("B",)))
    assert effects == [Send("store", PersistClock(2))]
    assert root.on_persisted(state, ClockPersisted(1)) == (state, [])


def test_a_root_tells_a_recovered_store_all_that_it_had() -> None:
    """REC-5, ROOT-2, ROOT-5: log, newest number, clock, and what it waits for."""
    root = Root(log_in_store=True)
    state, _ = arrived(root, "AB")
    entries = [LogEntry(a_packet(at, flow)) for at, flow in ((1, "A"), (2, "B"))]
    writes = [WriteLog(0, at + 1, entry) for at, entry in enumerate(entries)]
    messages = [send.message for send in root.recall(state)]
    assert messages == [*writes, WriteLog(2, 0, None), PersistClock(2)]
    plain = Root(persist_every=2)
    state, _ = arrived(plain, "AB")
    assert [send.message for send in plain.recall(state)] == [PersistClock(0), PersistClock(2)]
    assert Root().recall(arrived(Root(), "AB")[0]) == []


def test_a_new_root_knows_which_packets_its_predecessor_lost() -> None:
    """REC-3, ROOT-2, REC-2: of those no delete can have been answered."""
    root = Root(persist_every=2)
    state, _ = root.recovered(RootState(), iter([Remembered(1, 2, (), (), ())]))
    firsts = [root.on_delete(state, "v.0", a_delete(clock))[1] for clock in (3, 4)]
    assert [sends[0].message.first for sends in firsts if isinstance(sends[0], Send)] == [
        True,
        False,
    ]


def test_history_has_every_packet_once() -> None:
    """ROOT-2: whoever takes a log over lets in only what had not been in."""
    root = Root(log_in_store=True)
    state, _ = arrived(root, "A")
    state, _ = root.on_logged(state, 1)
    entries = tuple(LogEntry(a_packet(at, flow)) for at, flow in ((1, "A"), (2, "B")))
    state, _ = root.recovered(state, [Remembered(1, 2, entries, (), ())])
    assert [clock for _, (clock, _) in sorted_items(state.entered)] == [1, 2]


def test_a_root_that_does_not_wait_for_its_log_answers_at_once() -> None:
    """ROOT-2: the rule decides, for packets and for answers to deletes."""
    root = Root(log_in_store=True, rules=attrs.evolve(AMENDED, logs_first=lambda write: False))
    state, effects = arrived(root, "A")
    assert [type(effect) for effect in effects] == [Send, Packet]
    _, effects = root.on_delete(state, "v.0", a_delete(1))
    assert effects[-1] == Send("v.0", Deleted(1, (), True, 0))


def test_a_failover_of_the_root_goes_on_with_all_that_waits() -> None:
    """REC-3: log, input, and whatever came while it asked the stores."""
    chain = attrs.evolve(CHAIN, persist_every=2, capacity=1)
    events = [Crashed(), *(Arrive(flow, (flow,)) for flow in "ABD")]
    events += [Received("manager", Start((), 5)), Received("store", Recall(6))]
    root, state, sends = after("root", *events, chain=chain)
    assert len(state.root.dropped) == 2
    assert sends == [Send("store", Recollection(6))]
    for source in ("pass.0", "pass.1"):
        state, sends = root.step(state, Received(source, a_delete(1)))
        assert sends == []
    state, sends = root.step(state, Received("store", Remembered(5, 0, (), (), ())))
    kinds = [(send.to, type(send.message)) for send in sends]
    assert ("pass.0", Deleted) in kinds
    assert ("pass.1", Deleted) in kinds
    assert [to for to, kind in kinds if kind is Again] == [*root.hosts]
    assert sends[-1] == Send("manager", Ready(5))
    with pytest.raises(KeyError, match="unexpected"):
        root.step(state, Received("pass.0", "nonsense"))


def test_a_root_that_persists_every_clock_recovers() -> None:
    """ROOT-5: and it knows what is persisted."""
    root = Root(persist_every=1)
    state, _ = root.recovered(RootState(), [Remembered(1, 4, (), (), ())])
    assert (state.count, state.persisted) == (4, 4)


def test_a_recovered_store_is_told_which_outputs_may_have_left() -> None:
    """REC-2, REC-5: without a number, as nobody waits for an answer."""
    root = Root(log_in_store=True)
    state, _ = arrived(root, "A")
    state, _ = root.on_logged(state, 1)
    state, _ = root.on_delete(state, "v.0", attrs.evolve(a_delete(1, vector=1), waits=True))
    answered = Answered("v.0", 1, (), 0)
    assert WriteLog(0, 0, None, answered) in [send.message for send in root.recall(state)]


def test_what_a_root_heard_in_recovery_it_knows() -> None:
    """REC-3, DEL-2: a signal is not sent again."""
    chain = attrs.evolve(CHAIN, log="store")
    events = [Crashed(), Received("manager", Start((), 5))]
    events += [Received("store", Committed(1, (), 2))]
    answer = Remembered(5, 1, (LogEntry(a_packet(1)),), (), ())
    _, state, _ = after("root", *events, Received("store", answer), chain=chain)
    assert dict(state.root.log[1].signals.items()) == {(): 2}


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


def test_a_root_that_has_its_log_knows_what_is_over() -> None:
    """DUP-2, ROOT-2: nothing, while its first packet is logged."""
    root = Root(log_in_store=True)
    answer = Remembered(1, 1, (LogEntry(a_packet(1)),), (), ())
    state, _ = root.recovered(RootState(), [answer])
    assert root.past(state) is None


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


def test_a_root_with_its_log_in_the_store_waits_for_no_clock() -> None:
    """ROOT-2, ROOT-5: what is written with the log is its clock."""
    chain = attrs.evolve(CHAIN, log="store", persist_every=1)
    _, state, sends = after("root", Arrive("A", ("A",)), Arrive("B", ("B",)), chain=chain)
    assert state.root.count == 2
    assert [type(send.message) for send in sends] == [WriteLog]


def test_an_answer_to_the_root_before_is_void() -> None:
    """REC-3: it failed while it asked; what its successor asks for is a later answer."""
    chain = attrs.evolve(CHAIN, log="store")
    start = Received("manager", Start((), 5))
    old = Received("store", Remembered(4, 7, (), (), ()))
    _, state, sends = after("root", Crashed(), start, old, chain=chain)
    assert state.asked == {"store"}
    assert sends == []
    new = Received("store", Remembered(5, 9, (), (), ()))
    _, state, _ = after("root", Crashed(), start, old, new, chain=chain)
    assert state.root.count == 9


def test_a_recovered_root_forgets_what_it_recovered_from() -> None:
    """REC-3: what it was told, and what came meanwhile, is dealt with once."""
    chain = attrs.evolve(CHAIN, log="store")
    events = [Crashed(), Received("manager", Start((), 5)), Received("pass.0", a_delete(1))]
    _, state, _ = after("root", *events, chain=chain)
    assert state.aside
    answer = Received("store", Remembered(5, 0, (), (), ()))
    _, state, _ = after("root", *events, answer, chain=chain)
    assert (state.aside, state.answers) == ((), ())
