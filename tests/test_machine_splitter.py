"""The splitter by itself, beside a naive one that handles one item after the other.

SPLIT-2, SPLIT-3, MOVE-1, MOVE-2, MOVE-6, CLONE-1, DUP-3, REC-1, ROOT-3: every copy goes to one
instance, by its clock; nothing overtakes; and no packet of a tenure follows its last mark.
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.messages import (
    Begin,
    Hosts,
    HostsKnown,
    LastMark,
    Move,
    Packet,
    Passed,
    ReplayEnd,
    Send,
    Since,
    Start,
)
from chc_ref.core.partition import Division, home
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.splitter import Downstream, Remind, Splitter, SplitterState, Tenure
from chc_ref.core.values import Address, beside, identity_of, vertex_of

EDGES = (
    Downstream("v", ("v.0", "v.1", "v.2"), frozenset({"v", "w"}), Division(("v.0", "v.1", "v.2"))),
    Downstream("x", ("x.0", "x.1"), frozenset({"x"}), Division(("x.0", "x.1"))),
)
INSTANCES = {edge.vertex: edge.instances for edge in EDGES}
FLOWS = ("A", "B")
TARGETS = ("v.0", "v.1", "v.1'", "w.0", "x.1", "y.0")


@attrs.define
class Stay:
    """A flow's tenure, as the manager knows it."""

    epoch: int
    instance: Address
    since: int | None


class Splitters(Machine):
    """A splitter, and a manager that knows where every tenure begins."""

    kind: ClassVar[type[Splitter]] = Splitter
    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("asked", "held", "begun elsewhere", "both hosts", "forked", "moved", "restarted"),
            *("replayed", "passed on", "not on the way", "reminded"),
        }
    )

    @initialize()
    def start(self) -> None:
        """Begin with every flow at its default instance."""
        self.splitter = self.kind(EDGES, self.protocol)
        self.state = SplitterState()
        self.stays = {
            (vertex, flow): [Stay(0, home(flow, of, None), 0)]
            for vertex, of in INSTANCES.items()
            for flow in FLOWS
        }
        self.hosts: dict[Address, tuple[Address, ...]] = {
            one: (one,) for of in INSTANCES.values() for one in of
        }
        self.clock = self.session = self.started = 0
        self.waiting: list[tuple[str, Any]] = []
        """(vertex, copy or mark) that a naive splitter has not sent yet."""
        self.begin: Begin | None = None
        """Question to the manager that has no answer."""
        self.marked: Counter[tuple[Address, str]] = Counter()
        """Newest last mark of each (host, flow) since the splitter's start."""

    # ------------------------------------------------------------------ the naive splitter

    def take(self, step: tuple[SplitterState, list[Send]], *items: tuple[str, Any]) -> None:
        """Hold what has been sent against the naive splitter, which is given ``items``."""
        self.state, sends = step
        self.waiting += items
        assert sends == self._naive(), "not what one item after the other gives"
        for send in sends:
            self._follow(send)
        assert bool(self.state.gate) == bool(self.begin), "LIVE: held, and nobody is asked"
        self.note("held", len(self.state.gate) > 1)

    def _naive(self) -> list[Send]:
        sends: list[Send] = []
        while self.waiting and self.begin is None:
            vertex, item = self.waiting[0]
            if isinstance(item, Packet) and item.target is None:
                stays = self.stays[vertex, str(item.flow)]
                newest = stays[-1]
                if newest.since is None:
                    self.begin = Begin(vertex, item.flow, newest.epoch, item.clock, self.started)
                    self.note("asked")
                    return [*sends, Send("manager", self.begin)]
            self.waiting.pop(0)
            sends += self._sent(vertex, item)
        return sends

    def _sent(self, vertex: str, item: Any) -> list[Send]:
        """Give what goes out for one item: by the clock, to all hosts of one instance."""
        match item:
            case Packet(target=target):
                if (
                    target is not None
                    and vertex_of(target) not in ({"v": ("v", "w"), "x": ("x",)}[vertex])
                ):
                    self.note("not on the way")
                    return []
                stay = self._stay(vertex, item)
                packet = attrs.evolve(item, epoch=stay.epoch)
                if target is not None and vertex_of(target) == vertex:
                    self.note("replayed")
                    return [Send(target, packet)] * (stay.instance == identity_of(target))
                self.note("passed on", target is not None)
                self.note("both hosts", len(self.hosts[stay.instance]) > 1)
                return [Send(host, packet) for host in self.hosts[stay.instance]]
            case Passed():
                every = [one for of in INSTANCES.values() for one in of]
                return [Send(host, item) for one in every for host in self.hosts[one]]
            case LastMark():
                return [Send(host, item) for host in self.hosts[vertex]]
            case ReplayEnd(target):
                if vertex_of(target) in INSTANCES:
                    return [Send(target, item)]
                if target != "w.0":
                    return []
                return [Send(h, item) for one in INSTANCES["v"] for h in self.hosts[one]]
            case Remind(only):
                self.note("reminded")
                return [
                    Send(host, LastMark(flow, new.epoch))
                    for (_, flow), stays in sorted(self.stays.items())
                    for old, new in itertools.pairwise(stays)
                    for host in ([only] if only else self.hosts[old.instance])
                    if identity_of(host) == old.instance
                ]
        raise KeyError(item)

    def _stay(self, vertex: str, packet: Packet) -> Stay:
        begun = [s for s in self.stays[vertex, str(packet.flow)] if s.since is not None]
        return [stay for stay in begun if (stay.since or 0) <= packet.clock][-1]

    def _follow(self, send: Send) -> None:
        """MOVE-1: what a last mark says is so: nothing of that tenure follows it."""
        match send.message:
            case LastMark(flow, epoch):
                at = (send.to, str(flow))
                self.marked[at] = max(epoch, self.marked[at])
            case Packet(target=None) as packet:
                newest = self.marked[send.to, str(packet.flow)]
                assert packet.epoch >= newest, "MOVE-1: behind its last mark"

    # ------------------------------------------------------------------ what happens

    @event(20, flow=FLOWS, headers=((), ("x",), ("x",), ("x", "y")), forked=(True, False))
    def packet(self, flow: str, headers: tuple[str, ...], forked: bool) -> None:
        """Let an instance, or the root, send a packet on: to both vertices below, or more."""
        self.clock += 1
        packet = Packet(self.clock, flow, None, vector=5)
        if forked:
            packet = attrs.evolve(packet, branch=(7,), share=Fraction(1, 3), earlier=(((), 3),))
        copies = self._copies(packet, headers)
        assert sum(copy.share for _, copy in copies) == packet.share * bool(copies), "ROOT-3"
        assert len({copy.branch for _, copy in copies}) == len(copies), "QUEUE-2"
        self.note("forked", len(headers) > 1)
        self.take(self.splitter.on_packet(self.state, packet, headers), *copies)

    def _copies(self, packet: Packet, headers: tuple[str, ...]) -> list[tuple[str, Packet]]:
        ways = [(vertex, header) for vertex in INSTANCES for header in headers]
        return [
            (
                vertex,
                attrs.evolve(
                    packet,
                    headers=header,
                    branch=(*packet.branch, at),
                    share=packet.share / len(ways),
                    vector=0,
                    earlier=(*packet.earlier, (packet.branch, packet.vector)),
                ),
            )
            for at, (vertex, header) in enumerate(ways)
        ]

    @event(6, flow=FLOWS, to=(*INSTANCES["v"], *INSTANCES["x"]))
    def move(self, flow: str, to: Address) -> None:
        """Let the manager move a flow."""
        vertex = vertex_of(to)
        stays = self.stays[vertex, flow]
        if to == stays[-1].instance:
            return
        epoch, old = len(stays), stays[-1].instance
        mark = (old, LastMark(flow, epoch))
        if self.protocol.marks_last(epoch):
            stays.append(Stay(epoch, to, None))
            self.note("moved")
            step = self.splitter.on_move(self.state, Move(vertex, flow, epoch, to))
            again = self.splitter.on_move(step[0], Move(vertex, flow, epoch, to))
            assert again == (step[0], []), "a failover is told of it by its start already"
            self.take(step, mark)

    @event(16)
    def answer(self) -> None:
        """Let the manager tell where the tenure begins that we have asked for."""
        if self.begin is not None:
            begin, self.begin = self.begin, None
            self._since(begin.vertex, str(begin.flow), begin.epoch, begin.clock)

    @event(4, flow=FLOWS, vertex=sorted(INSTANCES))
    def begun_elsewhere(self, flow: str, vertex: str) -> None:
        """Let another splitter above the vertex have the first packet of a tenure."""
        newest = self.stays[vertex, flow][-1]
        asked = self.begin is not None and (self.begin.vertex, self.begin.flow) == (vertex, flow)
        held = any(at == vertex and getattr(i, "flow", None) == flow for at, i in self.waiting)
        if newest.since is None and not asked and not held:
            self.clock += 1
            self.note("begun elsewhere")
            self._since(vertex, flow, newest.epoch, self.clock)

    def _since(self, vertex: str, flow: str, epoch: int, clock: int) -> None:
        for stay in self.stays[vertex, flow]:
            if stay.since is None and stay.epoch <= epoch:
                stay.since = clock
        if self.begin is not None:  # it asks once more: the first packet is held still
            self.begin = None
        self.take(self.splitter.on_since(self.state, Since(vertex, flow, epoch, clock)))

    @event(2, instance=sorted(i for of in INSTANCES.values() for i in of), which=range(3))
    def clone(self, instance: Address, which: int) -> None:
        """Let an instance run on one host, or on two."""
        every = ((instance,), (instance, beside(instance)), (beside(instance),))
        self.hosts[instance] = every[which]
        message = Hosts(instance, every[which])
        self.state, sends = self.splitter.on_control(self.state, message)
        assert sends == [Send("manager", HostsKnown(message))], "CLONE-1"

    @event(4, flow=FLOWS, epoch=(1, 2))
    def passed(self, flow: str, epoch: int) -> None:
        """Let our instance say that it has sent all of a tenure."""
        mark = Passed(flow, epoch)
        self.take(self.splitter.on_mark(self.state, mark), ("", mark))

    @event(2, only=(None, *TARGETS))
    def remind(self, only: Address | None) -> None:
        """Let last marks be repeated, for everybody or for one host."""
        self.take(self.splitter.on_mark(self.state, Remind(only)), ("", Remind(only)))

    @event(3, to=TARGETS)
    def replay(self, to: Address) -> None:
        """Let the newest packets be replayed to one host."""
        self.session += 1
        straight = vertex_of(to) in INSTANCES
        assert self.splitter.leads_straight_to(to) is straight
        for clock, flow in itertools.product(range(max(1, self.clock - 9), self.clock + 1), FLOWS):
            packet = Packet(clock, flow, None, target=to, session=self.session)
            step = self.splitter.on_packet(self.state, packet, ("x",))
            self.take(step, *self._copies(packet, ("x",)))
        end = ReplayEnd(to, self.session, (self.clock,))
        self.take(self.splitter.on_mark(self.state, end), ("", end))

    @event(1)
    def restart(self) -> None:
        """Let the splitter fail; its failover knows what the manager knows."""
        self.session += 1
        self.started = self.session
        moves = tuple(
            Move(vertex, flow, stay.epoch, stay.instance, stay.since)
            for (vertex, flow), stays in self.stays.items()
            for stay in stays[1:]
        )
        hosts = tuple(Hosts(one, of) for one, of in self.hosts.items() if of != (one,))
        self.state = self.splitter.started(Start(moves, self.session, hosts))
        self.waiting, self.begin = [], None
        self.marked.clear()
        self.note("restarted")

    def finish(self) -> None:
        """Let every question be answered: everything is sent."""
        while self.begin is not None:
            begin, self.begin = self.begin, None
            self._since(begin.vertex, str(begin.flow), begin.epoch, begin.clock)
        assert not self.waiting
        assert not self.state.gate


def test_a_splitter_sends_everything_where_its_clock_belongs(
    request: pytest.FixtureRequest,
) -> None:
    """SPLIT-2, SPLIT-3, MOVE-1, MOVE-6, CLONE-1, DUP-3, REC-1, ROOT-3."""
    drive(Splitters, request)


class Hasty(Splitter):
    """A seeded fault: the first packet after a move goes out before the manager knows of it."""

    def on_packet(self, state: SplitterState, packet: Packet, headers: tuple[Any, ...]) -> Any:
        routes = state.routes
        for key, tenures in state.routes.items():
            if tenures[-1].since is None and key[1] == packet.flow:
                newest = attrs.evolve(tenures[-1], since=packet.clock)
                routes = routes.insert(key, (*tenures[:-1], newest))
        return super().on_packet(attrs.evolve(state, routes=routes), packet, headers)


class Overtaken(Splitter):
    """A seeded fault: marks do not wait behind packets that are held."""

    def on_mark(self, state: SplitterState, mark: Any) -> Any:
        after, sends = super().on_mark(attrs.evolve(state, gate=()), mark)
        return attrs.evolve(after, gate=state.gate), sends


class Current(Splitter):
    """A seeded fault: a replayed packet takes the present route."""

    def _tenure(self, tenures: tuple[Tenure, ...], clock: int) -> Tenure:
        return super()._tenure(tenures, 2**60)


@pytest.mark.parametrize("kind", [Hasty, Overtaken, Current])
def test_a_faulty_splitter_is_found(kind: type[Splitter]) -> None:
    """The machine can fail."""
    catches(Splitters, kind=kind)
