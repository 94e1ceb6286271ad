"""Transport: FIFO exactly-once over a network that loses, doubles and reorders.

The network here is the worst that the machine is made for: a bag from which any datagram may
be taken, thrown away, or taken and left inside. Then it heals: everything left in the bag is
delivered in any order, and timers fire until nothing is unacknowledged.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import hypothesis.strategies as st
import pytest
from broken_transports import Credulous, Forgiving, Repeating, Silent, Unnumbered
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chc_ref.core.messages import Send
from chc_ref.core.transport import Datagram, RetransmitTimer, Transport

NAMES = ("a", "b", "c")
WINDOW = 4


class Network:
    """Endpoints, the bag of datagrams between them, and what was sent and delivered.

    A message is (source, source incarnation, number among all it sent), so that every
    delivery tells where it belongs. ``taken[i]`` is what one incarnation of one endpoint took.
    """

    def __init__(self, kind: type[Transport] = Transport) -> None:
        self.kind = kind
        self.ends = {name: kind(name, 1, WINDOW, burst=2) for name in NAMES}
        self.states = {name: end.initial for name, end in self.ends.items()}
        self.bag: list[Datagram] = []
        self.sent: dict[tuple[str, int, str], list[Any]] = {}
        self.taken: dict[tuple[str, int], list[tuple[str, Any]]] = {}

    def step(self, name: str, event: Any) -> None:
        end = self.ends[name]
        self.states[name], delivered, datagrams = end.step(self.states[name], event)
        self.taken.setdefault((name, end.incarnation), []).extend(delivered)
        self.bag += datagrams

    def send(self, source: str, to: str) -> None:
        incarnation = self.ends[source].incarnation
        messages = self.sent.setdefault((source, incarnation, to), [])
        message = (source, incarnation, len(messages))
        messages.append(message)
        self.step(source, Send(to, message))

    def arrive(self, at: int, *, stays: bool = False) -> None:
        datagram = self.bag[at] if stays else self.bag.pop(at)
        self.step(datagram.to, datagram)

    def restart(self, name: str) -> None:
        self.ends[name] = self.kind(name, self.ends[name].incarnation + 1, WINDOW, burst=2)
        self.states[name] = self.ends[name].initial

    def heal(self) -> None:
        for _ in range(500):
            for _ in range(len(self.bag)):
                self.arrive(0)
            if not self.bag and not any(state.pending() for state in self.states.values()):
                return
            for name in NAMES:
                self.step(name, RetransmitTimer())
        raise AssertionError("the channels did not settle")

    def check(self) -> None:
        """Safety: what one incarnation took of one source's is as the channel promises."""
        for (name, _), taken in self.taken.items():
            for source in NAMES:
                got = [message for whence, message in taken if whence == source]
                assert got == sorted(set(got)), f"{name} took {got} of {source}"
                for incarnation, of in itertools.groupby(got, key=lambda message: message[1]):
                    numbers = [message[2] for message in of]
                    run = list(range(numbers[0], numbers[0] + len(numbers)))
                    assert numbers == run, f"{name} took a gap: {numbers} of {incarnation}"

    def check_settled(self) -> None:
        """Liveness: everything that a living endpoint sent was taken, the end by the living."""
        self.check()
        for (source, incarnation, to), messages in self.sent.items():
            if incarnation != self.ends[source].incarnation:
                continue
            takers = [taken for (name, _), taken in self.taken.items() if name == to]
            got = [m for taken in takers for whence, m in taken if whence == source]
            assert {m for m in got if m[1] == incarnation} == set(messages)

    def unacknowledged(self, source: str, to: str) -> list[Any]:
        return list(self.states[source].peers[to].unacknowledged)


def storm(network: Network, choices: list[int], *, restarts: bool) -> None:
    """Let hypothesis' numbers drive the network: the seeded faults are run by the same."""
    pairs = list(itertools.permutations(NAMES, 2))
    for choice in choices:
        kind, rest = choice % 16, choice // 16
        if kind < 5:
            network.send(*pairs[rest % len(pairs)])
        elif kind == 5:
            network.step(NAMES[rest % 3], RetransmitTimer())
        elif kind == 6 and restarts:
            network.restart(NAMES[rest % 3])
        elif network.bag:
            at = rest % len(network.bag)
            if kind == 7:
                network.bag.pop(at)
            else:
                network.arrive(at, stays=kind > 12)
        network.check()
    network.heal()
    network.check_settled()


MOST = 16 * 60
CHOICES = st.lists(st.integers(0, MOST - 1), min_size=40, max_size=150)


@pytest.fixture
def often(request: pytest.FixtureRequest) -> settings:
    """Give how many storms there are: more with ``--model-check``."""
    thorough = request.config.getoption("--model-check")
    return settings(max_examples=200 if thorough else 50, deadline=None)


def test_what_is_sent_is_taken_in_order_and_once(often: settings) -> None:
    @often
    @given(CHOICES)
    def taken(choices: list[int]) -> None:
        network = Network()
        storm(network, choices, restarts=False)
        for (source, _, to), messages in network.sent.items():
            got = [m for whence, m in network.taken[to, 1] if whence == source]
            assert got == messages

    taken()


def test_restarts_mix_nothing_up(often: settings) -> None:
    @often
    @given(CHOICES)
    def unmixed(choices: list[int]) -> None:
        storm(Network(), choices, restarts=True)

    unmixed()


@pytest.mark.parametrize("fault", [Unnumbered, Repeating, Silent, Credulous, Forgiving])
def test_a_seeded_fault_is_caught(fault: type[Transport]) -> None:
    """The same storm, with one rule broken, must find fault; else it tests nothing."""
    for seed in range(60):
        draw = random.Random(seed)
        choices = [draw.randrange(MOST) for _ in range(120)]
        try:
            storm(Network(fault), choices, restarts=True)
        except AssertionError:
            return
    pytest.fail("no storm has found it")


class Channels(RuleBasedStateMachine):
    """The same network, driven rule by rule, so that a failure shrinks to a short story."""

    @initialize()
    def begin(self) -> None:
        self.network = Network()

    @rule(pair=st.sampled_from(list(itertools.permutations(NAMES, 2))), count=st.integers(1, 6))
    def send(self, pair: tuple[str, str], count: int) -> None:
        for _ in range(count):
            self.network.send(*pair)

    @rule(name=st.sampled_from(NAMES))
    def timer(self, name: str) -> None:
        self.network.step(name, RetransmitTimer())

    @rule(at=st.integers(0, 500), stays=st.booleans())
    def arrive(self, at: int, stays: bool) -> None:
        if self.network.bag:
            self.network.arrive(at % len(self.network.bag), stays=stays)

    @rule(at=st.integers(0, 500))
    def lose(self, at: int) -> None:
        if self.network.bag:
            self.network.bag.pop(at % len(self.network.bag))

    @rule(name=st.sampled_from(NAMES))
    def restart(self, name: str) -> None:
        self.network.restart(name)

    @invariant()
    def nothing_is_mixed_up(self) -> None:
        if hasattr(self, "network"):
            self.network.check()

    def teardown(self) -> None:
        if hasattr(self, "network"):
            self.network.heal()
            self.network.check_settled()


TestChannels = Channels.TestCase
TestChannels.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


def test_no_message_is_numbered_for_an_unknown_incarnation() -> None:
    network = Network()
    for _ in range(3):
        network.send("a", "b")
    assert [d.payload for d in network.bag] == [()], "one probe, and nothing else"
    network.heal()
    assert network.taken["b", 1] == [("a", ("a", 1, n)) for n in range(3)]


def test_the_window_bounds_what_is_in_flight() -> None:
    network = Network()
    network.send("a", "b")
    network.heal()
    for _ in range(3 * WINDOW):
        network.send("a", "b")
    assert len(network.bag) == WINDOW
    network.heal()
    assert len(network.taken["b", 1]) == 3 * WINDOW + 1


def test_the_timer_sends_again_only_what_is_overdue() -> None:
    network = Network()
    network.send("a", "b")
    network.heal()
    network.send("a", "b")
    network.bag.clear()
    network.step("a", RetransmitTimer())
    assert network.bag == [], "it was sent after the last timer"
    network.step("a", RetransmitTimer())
    assert [d.payload for d in network.bag] == [(("a", 1, 1),)]


def test_the_unacknowledged_go_to_the_next_incarnation_in_order() -> None:
    network = Network()
    network.send("a", "b")
    network.heal()
    for _ in range(WINDOW + 2):
        network.send("a", "b")
    network.arrive(0)
    network.bag.clear()  # b has taken one more; its acknowledgement is lost with it
    waiting = network.unacknowledged("a", "b")
    network.restart("b")
    network.step("a", RetransmitTimer())
    network.step("a", RetransmitTimer())
    assert all(d.incarnation == 1 for d in network.bag)
    network.heal()
    assert network.taken["b", 1] == [("a", ("a", 1, n)) for n in range(2)]
    assert network.taken["b", 2] == [("a", message) for message in waiting]


def test_a_dead_incarnation_is_not_heard_after_its_successor() -> None:
    network = Network()
    network.send("a", "b")
    network.heal()
    network.send("a", "b")
    late = network.bag.pop()
    network.restart("a")
    network.send("a", "b")
    network.heal()
    taken = list(network.taken["b", 1])
    network.step("b", late)
    assert network.taken["b", 1] == taken
    assert taken == [("a", ("a", 1, 0)), ("a", ("a", 2, 0))]


@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 3),
)
def test_no_datagram_makes_it_fail(mine: int, yours: int, number: int, ack: int, size: int) -> None:
    """Numbers from the network may be anything; at worst a message is one nobody sent."""
    end = Transport("b", 2, WINDOW)
    state, _ = end.on_send(end.initial, "a", "m")
    state, _, _ = end.on_datagram(state, Datagram("a", "b", 2, 2, 0, 0))
    state, _, _ = end.on_datagram(
        state, Datagram("a", "b", mine, yours, number, ack, ("x",) * size)
    )
    state, _ = end.on_timer(state)
    peer = state.peers["a"]
    assert 0 <= peer.flying <= min(WINDOW, len(peer.unacknowledged))
    assert all(peer.expected < n < peer.expected + WINDOW for n in peer.early)
