"""The queue by itself, behind a naive vertex of three instances whose flows move.

QUEUE-2, DUP-1, DUP-3, MOVE-6, CLONE-2, REC-1: of each packet one is taken, a flow in its order,
and after a start the replay before all else; at the end everything that was sent is taken.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.messages import Packet, Passed, ReplayEnd
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Map, beside

UPSTREAM = ("u.0", "u.1", "u.2")
CHANNELS = ("u.0", "u.0'", "u.1", "u.2")
"""The first instance has a clone: it sends all of its own, too."""
FLOWS = ("A", "B")
OWNER, OTHER = "v.0", "w.0"


class Queues(Machine):
    """A queue, and everything that may come to it."""

    kind: ClassVar[type[Queue]] = Queue
    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("taken", "suppressed", "held", "freed several", "restarted", "set aside", "late"),
            *(
                "gone",
                "replayed to us",
                "replayed to another",
                "broken off",
                "mark of a clone first",
            ),
        }
    )

    @initialize()
    def start(self) -> None:
        """Begin with every flow at an instance of its own."""
        self.queue = self.kind(OWNER, UPSTREAM, rules=self.protocol)
        self.state = QueueState()
        self.channels: dict[Address, deque[Any]] = {name: deque() for name in CHANNELS}
        self.stays = {flow: [(0, UPSTREAM[at])] for at, flow in enumerate(FLOWS)}
        """(first clock, instance) of each tenure of a flow above us."""
        self.sent: list[Packet] = []
        self.clock = self.session = 0
        self.taken: dict[str, list[int]] = {flow: [] for flow in FLOWS}
        """Clocks that our instance has taken since its start, for itself."""
        self.ever: set[int] = set()
        """Clocks that it or a predecessor has taken."""
        self.gone: set[int] = set()
        """Clocks that are not logged any more."""
        self.passed: dict[tuple[int, str], list[int]] = {}
        """Clocks taken of a replay to another instance, by (session, flow)."""
        self.replays: dict[int, tuple[Address, set[int], bool]] = {}
        """Of each replay: whom it is for, the clocks in it, and whether it is whole."""
        self.ended: set[int] = set()
        self.down_until = 0
        """Sessions up to this one may have begun while we were down."""

    # ------------------------------------------------------------------ what is sent

    def _send(self, instance: Address, item: Any) -> None:
        for host in (instance, beside(instance)):
            if host in self.channels:
                self.channels[host].append(item)

    @event(14, flow=FLOWS)
    def packet(self, flow: str) -> None:
        """Let the vertex above send the flow's next packet."""
        self.clock += 1
        stays = self.stays[flow]
        packet = Packet(self.clock, flow, "x", after=len(stays) - 1)
        self.sent.append(packet)
        self._send(stays[-1][1], packet)

    @event(4, which=range(20))
    def again(self, which: int) -> None:
        """Let a packet come once more: its instance has processed it again (DUP-1)."""
        logged = [packet for packet in self.sent if packet.clock not in self.gone]
        if logged:
            packet = logged[which % len(logged)]
            self._send(self.stays[str(packet.flow)][self._epoch(packet)][1], packet)

    def _epoch(self, packet: Packet) -> int:
        stays = self.stays[str(packet.flow)]
        return max(at for at, (since, _) in enumerate(stays) if since <= packet.clock)

    @event(4, which=range(20))
    def delete(self, which: int) -> None:
        """Let a packet be deleted that was taken: it is in no later replay."""
        if self.ever:
            self.note("gone")
            self.gone.add(sorted(self.ever)[which % len(self.ever)])

    @event(4, flow=FLOWS, to=UPSTREAM)
    def move(self, flow: str, to: Address) -> None:
        """Let a flow move above us: the old instance says when it has sent all."""
        stays = self.stays[flow]
        if stays[-1][1] != to:
            self._send(stays[-1][1], Passed(flow, len(stays)))
            stays.append((self.clock + 1, to))

    @event(2, mine=(True, True, False), whole=(True, True, False), upto=range(8))
    def replay(self, mine: bool, whole: bool, upto: int) -> None:
        """Let everything be replayed to us, or through us; or only a part: another failed."""
        if not mine or self.state.recovering:
            self._replay(mine, whole, upto)

    def _replay(self, mine: bool, whole: bool, upto: int) -> None:
        self.session += 1
        target = OWNER if mine else OTHER
        clocks = set()
        cut = self.clock if whole else upto
        for packet in self.sent:
            stays = self.stays[str(packet.flow)]
            epoch = self._epoch(packet)
            if packet.clock <= cut and packet.clock not in self.gone:
                again = attrs.evolve(packet, target=target, session=self.session, after=epoch)
                self._send(stays[epoch][1], again)
                clocks.add(packet.clock)
        for at, instance in enumerate(UPSTREAM):
            if whole or at < upto % 3:
                newest = (self.clock,) if self.clock else ()
                self._send(instance, ReplayEnd(target, self.session, newest))
        self.replays[self.session] = (target, clocks, whole)
        self.note("broken off", not whole)
        if mine:  # marks may have died with our predecessor
            self._remind()

    def _remind(self) -> None:
        for flow, stays in self.stays.items():
            for epoch, (_, instance) in enumerate(stays[:-1], 1):
                self._send(instance, Passed(flow, epoch))

    @event(1)
    def restart(self) -> None:
        """Let our instance fail; its failover begins empty, and waits for its replay."""
        self.session += 1
        self.state = QueueState(recovering=True, born=self.session)
        self.taken = {flow: [] for flow in FLOWS}
        self.passed = {}
        self.down_until = self.session
        self.note("restarted")

    # ------------------------------------------------------------------ what is taken

    @event(40, host=CHANNELS)
    def deliver(self, host: Address) -> None:
        """Let one item come off a channel."""
        if self.channels[host]:
            self._deliver(host)

    def _deliver(self, host: Address) -> None:
        item = self.channels[host].popleft()
        recovering = self.state.recovering
        self.state, items = self.queue.on_item(self.state, (host, item))
        self.note("mark of a clone first", host.endswith("'") and isinstance(item, Passed))
        self.note("freed several", isinstance(item, Passed) and len(items) > 1)
        self.note("suppressed", isinstance(item, Packet) and not items)
        self.note("held", bool(self.state.held))
        self.note("late", bool(self.state.late))
        self.note("set aside", bool(self.state.aside))
        for _, message in items:
            self._take(message, recovering)

    def _take(self, message: Any, recovering: bool) -> None:
        match message:
            case ReplayEnd(target, session):
                assert session not in self.ended, "CLONE-2: one end of a replay"
                assert session > self.down_until or target != OWNER, "REC-1: not an older replay"
                self.ended.add(session)
                taken = {c for of in self.taken.values() for c in of}
                if target == OTHER:
                    of = [self.passed.get((session, flow), []) for flow in FLOWS]
                    taken = {clock for clocks in of for clock in clocks}
                _, clocks, _ = self.replays[session]
                assert clocks <= taken, "CLONE-2: all of it is before its end"
            case Packet(target=None) | Packet(target="v.0"):
                of_flow = self.taken[str(message.flow)]
                assert message.clock not in of_flow, "DUP-1: a second packet of this clock"
                assert message.clock > max(of_flow, default=0), "MOVE-6, CLONE-2: out of order"
                if recovering and message.target is None:
                    ends = [s for s in self.ended if self.replays[s][0] == OWNER]
                    assert max(ends, default=0) > self.down_until, "REC-1: before the replay"
                gone = message.target is None and message.clock in self.gone
                assert not gone, "REC-1: its branch had ended"
                of_flow.append(message.clock)
                self.ever.add(message.clock)
                self.note("taken")
                self.note("replayed to us", message.target is not None)
            case Packet(session=session):
                of_flow = self.passed.setdefault((session, str(message.flow)), [])
                assert message.clock > max(of_flow, default=0), "DUP-3: in order, and once"
                of_flow.append(message.clock)
                self.note("replayed to another")
            case _:
                raise AssertionError(f"{message} is none of the instance's business")

    def finish(self) -> None:
        """Let everything come; the last replay of all is whole."""
        self._drain()
        for mine in (True, False):
            if self.down_until or not mine:
                self._replay(mine, whole=True, upto=0)
                self._drain()
        assert not self.state.recovering, "LIVE: the recovery does not end"
        for flow in FLOWS:
            logged = [p for p in self.sent if p.flow == flow and p.clock not in self.gone]
            every = [packet.clock for packet in logged]
            taken = [clock for clock in self.taken[flow] if clock not in self.gone]
            assert taken == every, "MOVE-5: not everything is taken"
            assert self.passed.get((self.session, flow), []) == every, "DUP-3"
        waiting = (self.state.held, self.state.late, self.state.aside)
        assert not any(waiting), "LIVE: something waits for ever"

    def _drain(self) -> None:
        while any(self.channels.values()):
            for host in CHANNELS:
                if self.channels[host]:
                    self._deliver(host)


def test_a_queue_takes_everything_once_and_in_order(request: pytest.FixtureRequest) -> None:
    """QUEUE-2, DUP-1, DUP-3, MOVE-6, CLONE-2, REC-1."""
    drive(Queues, request)


def test_a_packet_that_waits_for_a_replay_does_not_stand_for_itself() -> None:
    """DUP-1, MOVE-6: the packet itself comes first, and the next one of its flow behind it."""
    queue = Queue(OWNER, ("u.0", "u.1"))
    passed: Map[Any, frozenset[int]] = Map({("u", "A"): frozenset({1})})
    packet, after = Packet(1, "A", "x", after=1), Packet(2, "A", "x", after=1)
    waits = attrs.evolve(packet, target=OWNER, session=1)
    end = ReplayEnd(OWNER, 1, (1,))
    state = QueueState(passed=passed)
    taken: list[Any] = []
    items = [("u.1", waits), ("u.1", packet), ("u.1", after), ("u.1", end), ("u.0", end)]
    for item in (*items, ("u.1", waits)):
        state, more = queue.on_item(state, item)
        taken += [message for _, message in more]
    assert taken == [packet, after, end]
    assert not state.late, "a copy that comes behind the end waits for nothing"


class Eager(Queue):
    """A seeded fault: the first end of a replay counts for all."""

    def _replay_end(self, state: QueueState, source: Address, mark: ReplayEnd) -> Any:
        one = attrs.evolve(self, upstream=(source,))
        return Queue._replay_end(one, state, source, mark)


class Careless(Queue):
    """A seeded fault: what was set aside in recovery is taken, whatever the replay had."""

    def _is_done(self, message: Any, mark: ReplayEnd) -> bool:
        return False


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": Eager},
        {"kind": Careless},
        {"seen_before": lambda seen, key: False},
        {"held_back": lambda after, passed: False},
        {"held_back": lambda after, passed: after > max(passed, default=0)},
        {"freed_first": lambda after: 0},
        {"late_in_replay": lambda after: False},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_faulty_queue_is_found(fault: dict[str, Any]) -> None:
    """DUP-1, MOVE-6, CLONE-2: the machine can fail."""
    rules = {name: rule for name, rule in fault.items() if name != "kind"}
    kind = fault.get("kind", Queue)
    catches(Queues, kind=kind, protocol=attrs.evolve(AMENDED, **rules))
