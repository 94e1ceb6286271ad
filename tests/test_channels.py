"""Faulty channels and the transport over them: each rule of the network and of an endpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from broken_transports import (
    Credulous,
    Forgetful,
    Forgiving,
    Repeating,
    Silent,
    Unnumbered,
)

from chc_ref.check.explore import Explorer, Limits
from chc_ref.check.model import Model, is_model, load, of_table
from chc_ref.check.needs import sweep, table
from chc_ref.core.messages import Crashed, Deleted, FlushTimer, Output, Received
from chc_ref.core.transport import Datagram, RetransmitTimer, Transport
from chc_ref.errors import ModelError, UsageError
from chc_ref.system.composition import Happen, Lose, State, System
from chc_ref.system.endpoint import Endpoint, acknowledgement, over_network
from chc_ref.system.network import (
    EVERYWHERE,
    FIFO,
    Content,
    Crossing,
    Deliver,
    Double,
    Drop,
    Network,
    Stray,
    keep,
    message_at,
    names,
    network,
    put,
    remove,
)
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"
DOCUMENT = (MODELS.parent / "docs" / "channels.md").read_text(encoding="utf-8")
COUNTER = {"name": "count", "nf": "counter", "instances": 2}
CRASH = {"fragile": ["count.1"], "most_crashes": 1}

A, B, C = (Deleted(clock, (), True, 0) for clock in (1, 2, 3))
OUT = Output(1, (), "A", ())


def _model(**keys: Any) -> Model:
    return of_table(Path("small"), {"vertices": [COUNTER], "packets": ["A"], **keys})


def _datagram(source: str, to: str, *payload: Any, ends: tuple[int, int] = (1, 1)) -> Datagram:
    return Datagram(source, to, *ends, 1 if payload else 0, 0, payload)


# --------------------------------------------------------------------------- contents


def test_what_is_ordered_stays_so_and_what_is_not_has_one_order() -> None:
    """Ordered messages come first, oldest first; strays in an order that says nothing."""
    content: Content = ()
    for message in (A, Stray(C), B, Stray(A)):
        content = put(content, message)
    other: Content = ()
    for message in (Stray(A), A, Stray(C), B):
        other = put(other, message)
    assert content == other == (A, B, Stray(A), Stray(C))
    assert [message_at(content, place) for place in range(4)] == [A, B, A, C]
    assert remove(content, 1) == (A, Stray(A), Stray(C))


def test_a_copy_that_stays_is_a_stray() -> None:
    """A doubled message may be taken again at any time, and only a bare one counts as a copy."""
    assert keep((A, B), 0) == (B, Stray(A))
    assert keep((A, Stray(B)), 1) == (A, Stray(B))
    bare, full = _datagram("x", "y"), _datagram("x", "y", A)
    assert keep((Stray(bare),), 0) == (Stray(bare, copy=True),)
    assert keep((Stray(full),), 0) == (Stray(full),)


# --------------------------------------------------------------------------- disciplines


def _crossings(of: Network, content: Content, *left: int) -> list[Crossing]:
    return list(of.crossings("root", "count.1", content, left))


def _at(kind: type[Any], place: int = 0) -> Crossing:
    crossing: Crossing = kind("root", "count.1", place)
    return crossing


def test_a_reordering_channel_lets_any_message_be_taken() -> None:
    """And of equal ones the first only, as it makes no difference."""
    reordering = network("reordering")
    content = put(put(put((), Stray(B)), Stray(A)), Stray(B))
    assert content == (Stray(A), Stray(B), Stray(B))
    assert _crossings(reordering, content, 0, 0) == [_at(Deliver), _at(Deliver, 1)]
    assert reordering.sent("root", "count.1", A) == Stray(A)
    assert reordering.left == (0, 0)


def test_an_ordered_channel_gives_its_oldest_and_its_copies() -> None:
    """A younger message waits, also to be doubled or lost; a copy that stayed does not."""
    doubling = network("doubling", doublings=2)
    content = (A, B, Stray(C))
    everything = [_at(Deliver), _at(Double), _at(Deliver, 2), _at(Double, 2)]
    assert _crossings(doubling, content, 2, 0) == everything
    assert doubling.sent("root", "count.1", A) == A


def test_budgets_end() -> None:
    """What has been used up does not happen any more."""
    losing = network("losing", losses=1)
    assert _crossings(losing, (A, B), 0, 1) == [_at(Deliver), _at(Drop)]
    assert _crossings(losing, (A, B), 0, 0) == [_at(Deliver)]
    assert losing.left == (0, 1)
    assert FIFO.left == ()


def test_faults_happen_to_the_named_messages_of_the_named_channels_only() -> None:
    """The others go by the same channel as if it were an ideal one."""
    pattern = ("root", "count", "Deleted")
    losing = network("losing", losses=1, faulty=(pattern,))
    assert losing.covers("root", "count.1")
    assert not losing.covers("count.1", "root")
    assert not FIFO.covers("root", "count.1")
    assert _crossings(losing, (A,), 0, 1) == [_at(Deliver), _at(Drop)]
    assert _crossings(losing, (OUT,), 0, 1) == [_at(Deliver)]
    reordering = network("reordering", faulty=(pattern,))
    assert reordering.sent("root", "count.1", A) == Stray(A)
    assert reordering.sent("root", "count.1", OUT) == OUT


@pytest.mark.parametrize(
    ("source", "to", "fits"),
    [
        ("*", "*", True),
        ("root", "count", True),
        ("root", "count.1", True),
        ("root", "count.0", False),
        ("count", "root", False),
        ("*", "sink", False),
    ],
)
def test_a_pattern_names_channels_by_address_vertex_or_all(
    source: str, to: str, fits: bool
) -> None:
    """Ends are named one by one."""
    assert names((source, to, "*"), "root", "count.1") is fits


@pytest.mark.parametrize(
    ("name", "doublings", "losses", "complaint"),
    [
        ("lossy", 0, 0, "unknown channels 'lossy'; known: fifo, reordering, doubling, losing"),
        ("fifo", 1, 0, "channels = 'fifo' has no doublings"),
        ("reordering", 0, 1, "channels = 'reordering' has no losses"),
        ("doubling", 0, 0, "doublings = 0 is too few for channels = 'doubling'"),
        ("losing", 0, 0, "losses = 0 is too few for channels = 'losing'"),
        ("losing", 1, 1, "channels = 'losing' has no doublings"),
        ("transport", 0, -1, "losses = -1 is too few for channels = 'transport'"),
    ],
)
def test_budgets_that_do_not_fit_are_refused(
    name: str, doublings: int, losses: int, complaint: str
) -> None:
    """The error names discipline and budget."""
    with pytest.raises(UsageError) as caught:
        network(name, doublings, losses)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"channels": "fifo", "faulty": [["root", "count"]]}, "'fifo' has no faulty ones"),
        ({"channels": "reordering", "faulty": ["root"]}, "is not a source, a receiver"),
        ({"channels": "reordering", "faulty": [["root", "sink"]]}, "names no channel"),
        ({"channels": "reordering", "faulty": [["root", "count", "Pakcet"]]}, "'Pakcet'"),
        ({"channels": "transport", "faulty": [["root", "count", "Packet"]]}, "looks into no"),
    ],
)
def test_a_model_of_no_such_channels_is_refused(keys: dict[str, Any], complaint: str) -> None:
    """What names nothing is a mistake, and no check that passes."""
    with pytest.raises(UsageError, match=complaint):
        _model(**keys)


def test_a_transport_is_faulty_both_ways() -> None:
    """What is acknowledged on a faulty channel is acknowledged on one."""
    pattern = ("root", "count", "*")
    assert network("transport", faulty=(pattern,)).faulty == (pattern, ("count", "root", "*"))
    assert network("transport").faulty == (EVERYWHERE,)
    assert network("transport").left == (0, 0)


# --------------------------------------------------------------------------- composition


def _take(system: System, state: State, *kinds: str) -> State:
    """Take, in turn, the first possible action whose description has each word in it."""
    for kind in kinds:
        action = next(one for one in system.actions(state) if kind in repr(one))
        state = system.step(state, action)
    return state


def _content(system: System, state: State, source: str, to: str) -> Content:
    return state.channels[system.channel(source, to)]


def test_a_doubled_message_is_taken_and_stays_and_a_lost_one_is_gone() -> None:
    """Each costs what it costs."""
    keys = {"faulty": [["root", "count.1"]]}
    doubling = _model(channels="doubling", doublings=1, **keys).system()
    state = _take(doubling, doubling.initial, "Arrival", "Double")
    assert state.left == (0, 0)
    [packet] = _content(doubling, state, "root", "count.1")
    assert isinstance(packet, Stray)
    assert _content(doubling, state, "count.1", "store")
    losing = _model(channels="losing", losses=2, **keys).system()
    state = _take(losing, losing.initial, "Arrival", "Drop")
    assert state.left == (0, 1)
    assert not any(state.channels)


def test_a_crash_takes_no_datagram_off_a_network() -> None:
    """What a dead component had sent by an ideal channel may be lost; not what flies already."""
    ideal = _model(**CRASH).system()
    state = _take(ideal, ideal.initial, "Arrival", "Deliver(source='root'", "Crash")
    assert Lose("count.1", "store") in ideal.actions(state)
    flying = _model(**CRASH, channels="transport", faulty=[["count", "store"]]).system()
    state = _take(flying, flying.initial, "Arrival", "Deliver(source='root'", "Crash")
    assert _content(flying, state, "count.1", "store")
    assert not [one for one in flying.actions(state) if isinstance(one, Lose)]


def test_a_timer_fires_only_when_nothing_is_under_way() -> None:
    """A copy of what is under way is the network's to make: the state space is none the less."""
    system = _model(channels="transport", losses=1, faulty=[["root", "count.1"]]).system()
    timer = Happen("root", RetransmitTimer())
    state = _take(system, system.initial, "Arrival")
    assert timer not in system.actions(state)
    lost = _take(system, state, "Drop")
    assert timer in system.actions(lost)
    again = system.step(system.step(lost, timer), timer)
    assert _content(system, again, "root", "count.1") == _content(system, state, "root", "count.1")
    assert timer not in system.actions(again)


def test_an_acknowledgement_is_taken_before_all_else() -> None:
    """It changes nothing but what is sent again, so nothing need happen before it."""
    system = _model(channels="transport", losses=1, faulty=[["root", "count.1"]]).system()
    state = _take(system, system.initial, "Arrival", "Deliver(source='root'")
    acknowledged = Deliver("count.1", "root"), Drop("count.1", "root")
    assert tuple(system.actions(state)) == acknowledged
    spent = attrs.evolve(state, left=(0, 0))
    assert tuple(system.actions(spent)) == acknowledged[:1]
    after = system.step(state, acknowledged[0])
    assert [one for one in system.actions(after) if not isinstance(one, Happen)]


# --------------------------------------------------------------------------- endpoints


def _endpoint(system: System, name: str) -> Endpoint:
    endpoint = system.machines[system.index[name]]
    assert isinstance(endpoint, Endpoint)
    return endpoint


def test_both_ends_of_a_faulty_channel_have_a_transport_and_nobody_else() -> None:
    """Acknowledgements need a channel back, where the chain has none."""
    model = _model(channels="transport", faulty=[["count.1", "sink"]])
    system = model.system()
    ends = {
        name: machine.peers
        for name, machine in zip(system.names, system.machines, strict=True)
        if isinstance(machine, Endpoint)
    }
    assert ends == {"count.1": ("sink",), "sink": ("count.1",)}
    assert ("sink", "count.1") in system.channels
    assert ("sink", "count.0") not in system.channels
    plain = _model().system().physical
    assert over_network(plain, FIFO) == plain


def test_an_endpoint_wraps_what_goes_to_its_peers() -> None:
    """The component knows nothing of it; what goes elsewhere goes as it is."""
    system = _model(channels="transport", faulty=[["count.1", "root"]]).system()
    state = _take(system, system.initial, "Arrival")
    [stray] = _content(system, state, "root", "count.1")
    endpoint = _endpoint(system, "count.1")
    after, sends = endpoint.step(endpoint.initial, Received("root", stray.message))
    assert [(send.to, type(send.message).__name__) for send in sends] == [
        ("root", "Datagram"),
        ("store", "Acquire"),
    ]
    assert after.inner.queue.seen
    again, repeated = endpoint.step(after, Received("root", stray.message))
    assert (again, [send.to for send in repeated]) == (after, ["root"]), "acknowledged once more"


def test_an_endpoint_offers_its_timer_while_something_is_unacknowledged() -> None:
    """Beside what its component offers."""
    lazy = {**COUNTER, "eager_flush": False}
    model = _model(vertices=[lazy], channels="transport", faulty=[["count.1", "sink"]])
    system = model.system()
    endpoint = _endpoint(system, "count.1")
    assert endpoint.offers(endpoint.initial) == []
    root_side = ("Arrival", "'root', to='count.1'", "'count.1', to='store'")
    back = ("'store', to='count.1'", "'count.1', to='root'", "'root', to='count.1'")
    state = _take(system, system.initial, *root_side, *back)
    component = state.components[system.index["count.1"]]
    assert endpoint.offers(component) == [FlushTimer(), RetransmitTimer()]


def test_a_crash_begins_the_next_incarnation() -> None:
    """All channels die with the component, and the next one knows of nobody."""
    system = _model(**CRASH, channels="transport", faulty=[["root", "count"]]).system()
    endpoint = _endpoint(system, "count.1")
    after, sends = endpoint.step(endpoint.initial, Crashed())
    assert (after.incarnation, sends) == (2, [])
    assert not after.inner.up
    assert not after.transport.peers
    assert endpoint.initial.transport.peers["root"].incarnation == 1
    assert not system.is_up(system.index["count.1"], after)


def test_what_only_acknowledges_is_told_from_all_else() -> None:
    """Probes, payloads, news of another incarnation, and copies may matter."""
    system = _model(channels="transport", faulty=[["root", "count"]]).system()
    state = _endpoint(system, "root").initial
    bare = _datagram("count.1", "root")
    assert acknowledgement(state, (Stray(_datagram("count.1", "root", A)), Stray(bare))) == 1
    others = (
        Stray(bare, copy=True),
        Stray(_datagram("count.1", "root", A)),
        Stray(_datagram("count.1", "root", ends=(2, 1))),
        Stray(_datagram("count.1", "root", ends=(1, 0))),
        Stray(_datagram("manager", "root")),
        Stray(A),
        A,
    )
    assert acknowledgement(state, others) is None
    assert acknowledgement(state.inner, (Stray(bare),)) is None


# --------------------------------------------------------------------------- seeded faults


@pytest.mark.parametrize(
    ("fault", "name", "violated"),
    [
        (Unnumbered, "channels_transport_outputs", "R5: output of clock 1"),
        (Unnumbered, "channels_transport_packets", "COE: output of clock 2"),
        (Unnumbered, "channels_transport_crash_taken_again", "R1: object count.count[A]"),
        (Repeating, "channels_transport_outputs", "R5: output of clock 1"),
        (Repeating, "channels_transport_packets", "R5: output of clock 1"),
        (Silent, "channels_transport_packets", "R1: object count.count[A]"),
        (Silent, "channels_transport_store", "R1: object count.count[A]"),
        (Silent, "channels_transport_control", "R1: object count.count[A]"),
        (Silent, "channels_transport_crash", "R1: object count.count[A]"),
        (Forgetful, "channels_transport_crash_packets", "R1: object count.count[A]"),
        (Forgetful, "channels_transport_crash_store", "R1: object count.count[A]"),
        (Credulous, "channels_transport_crash_store", "R1: object count.count[A]"),
        (Forgiving, "channels_transport_crash_store", "R1: object count.count[A]"),
    ],
)
def test_a_broken_transport_is_caught(fault: type[Transport], name: str, violated: str) -> None:
    """Without numbers, without sending again, or mixing incarnations up: a model falls."""
    model = attrs.evolve(load(MODELS / f"{name}.toml"), transport=fault)
    report = Explorer(model).run()
    assert report.verdict is Verdict.VIOLATED
    assert report.violated.startswith(violated)


# --------------------------------------------------------------------------- what needs what


def test_what_a_message_needs_is_found_out() -> None:
    """CACHE-3, STORE-5: a copied object's updates need order; a lost callback, a stale copy."""
    needs = list(sweep(load(MODELS / "needs" / "copies.toml")))
    found = {(need.message, need.fault): need.report for need in needs}
    assert found["Apply", "overtakes"].violated.startswith("COE: ")
    assert found["Apply", "doubled"].verdict is Verdict.HOLDS
    assert found["Output", "doubled"].violated.startswith("R5: ")
    rows = [row for row in table(needs).splitlines() if "Callback" in row or "`Output`" in row]
    assert rows == [
        "| `Callback` | store -> instance | **R3** in 28, copies | harmless | **R3** in 28, copies "
        "| copies |",
        "| `Output` | instance -> sink | **R2** in 17, copies | **R5** in 11, copies "
        "| **COE** in 27, copies | copies |",
    ]


@pytest.mark.thorough
def test_what_was_not_seen_whole_is_not_called_harmless() -> None:
    """Neither of a model nor of a fault."""
    model = load(MODELS / "needs" / "copies.toml")
    with pytest.raises(ModelError, match="copies: inconclusive already: limit of 100 states"):
        next(sweep(model, Limits(states=100)))
    rows = table(sweep(model, Limits(states=1_700)))
    assert "? copies: limit of 1700 states" in rows
    assert "harmless | harmless | harmless" not in rows


def test_the_document_names_every_model_of_channels() -> None:
    """And no other."""
    named = set(re.findall(r"`(channels_\w+)`", DOCUMENT))
    assert named == {path.stem for path in MODELS.glob("channels_*.toml")}


def test_the_document_says_what_the_models_say(request: pytest.FixtureRequest) -> None:
    """Requirement and length of each counterexample, and the table of needs, are as found.

    Only with ``--model-check``, which affords it.
    """
    rows = re.findall(r"\| `(channels_\w+)` \| (\w+), (\d+) \|", DOCUMENT)
    rows += re.findall(r"\(`(channels_\w+)`, (\w+) in (\d+) steps\)", DOCUMENT)
    violated = {path.stem for path in MODELS.glob("channels_*.toml") if load(path).violates}
    assert {name for name, _, _ in rows} == violated
    if not request.config.getoption("--model-check"):
        return
    for name, requirement, steps in rows:
        report = Explorer(load(MODELS / f"{name}.toml")).run()
        assert (report.violated.partition(":")[0], report.depth) == (requirement, int(steps)), name
    models = [load(path) for path in sorted((MODELS / "needs").glob("*.toml")) if is_model(path)]
    assert table(need for model in models for need in sweep(model)) in DOCUMENT
