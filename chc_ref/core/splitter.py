"""Splitter: divides the output of one instance, or of the root, among downstream instances.

Owns the route of every flow that ever moved. It stands after every instance and the root is
one too (CHAIN-2). All splitters above a vertex get the same moves and use the same default
(SPLIT-3). Where a move begins is a clock, and the manager knows it before the first packet goes
to the new instance: a splitter that is recovered must send the packets that are replayed to it
where they went before, or a later one is there already (findings). Paper: sections 4.1, 5.1.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.messages import (
    Begin,
    Hosts,
    HostsKnown,
    LastMark,
    Leaving,
    Move,
    Packet,
    Passed,
    ReplayEnd,
    Route,
    Scale,
    ScaleKnown,
    Send,
    Since,
    Start,
    Unrouted,
)
from chc_ref.core.partition import Division
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import (
    Address,
    Flow,
    Map,
    evolve,
    identity_of,
    sorted_items,
    vertex_of,
)


@attrs.frozen(cache_hash=True)
class Downstream:
    """One edge of the chain as this splitter sees it."""

    vertex: str
    instances: tuple[Address, ...]
    leads_to: frozenset[str]
    """Every vertex on a path that begins with this edge, ``vertex`` among them."""
    division: Division
    """How its traffic is divided at first; instances that are not in it stand by (CHAIN-2)."""


@attrs.frozen(cache_hash=True)
class Tenure:
    """A flow's time at one instance, from one move to the next."""

    epoch: int
    instance: Address
    since: int | None = None
    """First clock that belongs here; None while no packet of it has come."""
    behind: int = 0
    """Tenure above that it begins with, or later: earlier ones were over when the flow moved."""


@attrs.frozen(cache_hash=True)
class Copy:
    """A packet on its way down one edge."""

    vertex: str
    packet: Packet


@attrs.frozen(cache_hash=True)
class Remind:
    """Repeat the last marks that ``only``, or anyone, may have lost."""

    only: Address | None = None


@attrs.frozen(cache_hash=True)
class To:
    """A mark for one instance, on whichever hosts it runs."""

    instance: Address
    mark: LastMark | Leaving


Item = Copy | Remind | Send | To | Passed | ReplayEnd
"""Whatever goes through a splitter; nothing of it overtakes another."""


@attrs.frozen(cache_hash=True)
class SplitterState:
    """Tenures of every moved flow, oldest first, the default one included."""

    routes: Map[tuple[str, Flow], tuple[Tenure, ...]] = Map()
    gate: tuple[Item, ...] = ()
    """The first packet after a move, and all that comes behind it, until the manager has its
    clock. All, and not just its flow: no mark may overtake a packet."""
    hosts: Map[Address, tuple[Address, ...]] = Map()
    """Hosts of an instance that does not run on its own host alone (CLONE-1)."""
    scales: Map[str, Scale] = Map()
    """The newest split of each vertex that was scaled (CHAIN-3)."""
    start: int = 0
    """Number of this start; 0 for a splitter that is nobody's failover."""
    recovering: bool = False
    """Of an instance's failover: it repeats all marks, but its replay is not through yet."""


Control = Move | Since | Hosts | Scale | Route
"""What the manager tells a splitter."""


@attrs.frozen
class Splitter:
    """Splitter machine of one instance or root; pure, shared by all drivers."""

    downstream: tuple[Downstream, ...]
    rules: Rules = AMENDED

    # ------------------------------------------------------------------ routes

    def started(self, start: Start) -> SplitterState:
        """Give the state of a failover's splitter: it knows what the manager knows (REC-1)."""
        scales = Map({scale.vertex: scale for scale in start.scales})
        state = SplitterState(start=start.session, scales=scales)
        for route in start.routes:
            state, _ = self.on_route(state, route)
        for move in start.moves:
            state, _ = self.on_move(state, move)
        for hosts in start.hosts:
            state = evolve(state, hosts=state.hosts.insert(hosts.instance, hosts.hosts))
        return state

    def on_control(
        self, state: SplitterState, message: Control
    ) -> tuple[SplitterState, list[Send]]:
        """Do what the manager asks."""
        match message:
            case Move():
                return self.on_move(state, message)
            case Since():
                return self.on_since(state, message)
            case Hosts(instance, hosts):
                state = evolve(state, hosts=state.hosts.insert(instance, hosts))
                return state, [Send("manager", HostsKnown(message))]
            case Scale():
                return self.on_scale(state, message)
            case Route():
                return self.on_route(state, message)

    def on_move(self, state: SplitterState, move: Move) -> tuple[SplitterState, list[Send]]:
        """Take a new route and mark the end of the old one (MOVE-1)."""
        tenures = self._tenures(state, self._edge(move.vertex), move.flow)
        if tenures[-1].epoch >= move.epoch:  # a failover was started with this move already
            return state, []
        tenure = Tenure(move.epoch, move.to, move.since, move.behind)
        routes = state.routes.insert((move.vertex, move.flow), (*tenures, tenure))
        state = evolve(state, routes=routes)
        if not (self.rules.marks_last(move.epoch) and self._marks_at_once(state)):
            return state, []
        return self._pass(state, To(tenures[-1].instance, LastMark(move.flow, move.epoch)))

    def on_scale(self, state: SplitterState, scale: Scale) -> tuple[SplitterState, list[Send]]:
        """Take a new split for flows that we have not had, and mark the end of the old one.

        A flow with a route keeps it until it is moved. Any other one may be at the instance
        that the old split gave it to: its next packet waits until the manager has told.
        """
        state = evolve(state, scales=state.scales.insert(scale.vertex, scale))
        effects = [Send("manager", ScaleKnown(scale))]
        for mark in self._leavings(scale) if self._marks_at_once(state) else ():
            state, sends = self._pass(state, mark)
            effects += sends
        return state, effects

    def on_route(self, state: SplitterState, route: Route) -> tuple[SplitterState, list[Send]]:
        """Learn where a flow begins, unless it has moved since; what waits for it may go."""
        key = (route.vertex, route.flow)
        if key not in state.routes:
            tenures = (Tenure(0, route.to, 0),)
            state = evolve(state, routes=state.routes.insert(key, tenures))
        head = state.gate[0] if state.gate else None
        if not isinstance(head, Copy) or (head.vertex, head.packet.flow) != key:
            return state, []
        return self._open(state)

    def _marks_at_once(self, state: SplitterState) -> bool:
        return self.rules.marks_at_once(state.recovering)

    def _leavings(self, scale: Scale) -> list[To]:
        instances = self._edge(scale.vertex).instances
        gone = [one for one in instances if one not in scale.instances]
        return [To(instance, Leaving(scale.number)) for instance in gone]

    def on_since(self, state: SplitterState, since: Since) -> tuple[SplitterState, list[Send]]:
        """Learn where tenures begin, and let go what waited for it."""
        key = (since.vertex, since.flow)
        tenures = tuple(
            evolve(t, since=since.clock) if t.since is None and t.epoch <= since.epoch else t
            for t in state.routes.get(key, ())
        )
        return self._open(evolve(state, routes=state.routes.insert(key, tenures)))

    def _open(self, state: SplitterState) -> tuple[SplitterState, list[Send]]:
        gate, effects = state.gate, []
        state = evolve(state, gate=())
        for item in gate:
            state, sent = self._pass(state, item)
            effects += sent
        return state, effects

    # ------------------------------------------------------------------ what goes down

    def on_packet(
        self, state: SplitterState, packet: Packet, headers: tuple[Any, ...]
    ) -> tuple[SplitterState, list[Send]]:
        """Send each of ``headers`` as a copy of ``packet`` down every edge (CHAIN-1, ROOT-3).

        A fan-out splits the share and lengthens the branch, so the root can tell when all
        copies have ended and a queue can tell one copy from another (QUEUE-2, open).
        """
        fan_out = len(headers) * len(self.downstream)
        effects: list[Send] = []
        for index in range(fan_out):
            edge = self.downstream[index // len(headers)]
            copy = evolve(packet, headers=headers[index % len(headers)])
            if fan_out > 1:
                copy = evolve(
                    copy,
                    branch=self.rules.branch_of(packet.branch, index),
                    share=packet.share * Fraction(1, fan_out),
                    vector=0,
                    earlier=(*packet.earlier, (packet.branch, packet.vector)),
                )
            state, sent = self._pass(state, Copy(edge.vertex, copy))
            effects += sent
        return state, effects

    def on_mark(self, state: SplitterState, mark: Item) -> tuple[SplitterState, list[Send]]:
        """Pass a mark on, behind everything that was sent before it.

        The end of a replay takes every path to its target (CLONE-2); the mark of a flow that
        has passed goes to every instance, since any may hold packets of the flow (MOVE-6).
        """
        return self._pass(state, mark)

    def leads_straight_to(self, target: Address) -> bool:
        """Tell whether ``target`` is right behind this splitter."""
        return any(edge.vertex == vertex_of(target) for edge in self.downstream)

    def _pass(self, state: SplitterState, item: Item) -> tuple[SplitterState, list[Send]]:
        if state.gate:
            return evolve(state, gate=(*state.gate, item)), []
        match item:
            case Copy(vertex, packet):
                return self._route(state, self._edge(vertex), packet)
            case Remind(only):
                recovering = state.recovering and only is not None
                return evolve(state, recovering=recovering), self._last_marks(state, only)
            case Passed():
                return state, [
                    send
                    for edge in self.downstream
                    for to in edge.instances
                    for send in self._to(state, to, item)
                ]
            case ReplayEnd():
                return state, self._replay_end(state, item)
            case To(instance, mark):
                return state, self._to(state, instance, mark)
            case Send():
                return state, [item]

    def _to(self, state: SplitterState, instance: Address, message: Any) -> list[Send]:
        """Send to an instance: to both hosts while it is cloned (CLONE-1)."""
        hosts = state.hosts.get(instance, (instance,))
        return [Send(host, message) for host in self.rules.receivers(hosts)]

    def _replay_end(self, state: SplitterState, mark: ReplayEnd) -> list[Send]:
        vertex = vertex_of(mark.target)
        effects: list[Send] = []
        for edge in self.downstream:
            if edge.vertex == vertex:
                effects.append(Send(mark.target, mark))
            elif vertex in edge.leads_to:
                effects += [s for to in edge.instances for s in self._to(state, to, mark)]
        return effects

    def _last_marks(self, state: SplitterState, only: Address | None) -> list[Send]:
        sends: list[Send] = []
        for (_, flow), tenures in sorted_items(state.routes):
            for old, new in itertools.pairwise(tenures):
                mark = LastMark(flow, new.epoch)
                if not self.rules.marks_last(new.epoch) or not self.rules.repeats_marks(new.epoch):
                    continue
                sends += self._remind(state, To(old.instance, mark), only)
        for _, scale in sorted_items(state.scales):
            for leaving in self._leavings(scale):
                sends += self._remind(state, leaving, only)
        return sends

    def _remind(self, state: SplitterState, item: To, only: Address | None) -> list[Send]:
        if only is None:
            return self._to(state, item.instance, item.mark)
        return [Send(only, item.mark)] if identity_of(only) == item.instance else []

    # ------------------------------------------------------------------ routing

    def _edge(self, vertex: str) -> Downstream:
        return next(edge for edge in self.downstream if edge.vertex == vertex)

    def _tenures(self, state: SplitterState, edge: Downstream, flow: Flow) -> tuple[Tenure, ...]:
        default = (Tenure(0, edge.division.home(flow), 0),)
        return state.routes.get((edge.vertex, flow), default)

    def _route(
        self, state: SplitterState, edge: Downstream, packet: Packet
    ) -> tuple[SplitterState, list[Send]]:
        routes = self._tenures(state, edge, packet.flow)
        tenures = tuple(t for t in routes if self.rules.may_begin(packet.epoch, t.behind))
        if packet.target is not None:
            return state, self._replayed(state, edge, packet, tenures)
        scale = state.scales.get(edge.vertex)
        if scale and (edge.vertex, packet.flow) not in state.routes:
            home = edge.division.home(packet.flow, scale)
            changed = home != edge.division.home(packet.flow)
            if self.rules.asks_for_route(changed):
                state = evolve(state, gate=(Copy(edge.vertex, packet),))
                return state, [Send("manager", Unrouted(edge.vertex, packet.flow, state.start))]
            tenures = (Tenure(0, home, 0),)
        if tenures[-1].since is None and not self.rules.asks_where_it_begins(tenures[-1].epoch):
            later = routes[len(tenures) :]
            tenures = (*tenures[:-1], evolve(tenures[-1], since=packet.clock))
            routes = (*tenures, *later)
            state = evolve(state, routes=state.routes.insert((edge.vertex, packet.flow), routes))
        if tenures[-1].since is None:
            begin = Begin(edge.vertex, packet.flow, tenures[-1].epoch, packet.clock, state.start)
            state = evolve(state, gate=(Copy(edge.vertex, packet),))
            return state, [Send("manager", begin)]
        tenure = self._tenure(tenures, packet.clock)
        return state, self._to(state, tenure.instance, evolve(packet, epoch=tenure.epoch))

    def _tenure(self, tenures: tuple[Tenure, ...], clock: int) -> Tenure:
        """Give the tenure that a clock belongs to."""
        return tenures[self.rules.tenure_at(clock, tuple(t.since for t in tenures))]

    def _replayed(
        self, state: SplitterState, edge: Downstream, packet: Packet, tenures: tuple[Tenure, ...]
    ) -> list[Send]:
        """Send a replayed packet where its clock belongs, if that leads to its target.

        By the clock and not by the current route: the instance that a flow left may have
        died with packets of it unprocessed, and only its failover can still do them.
        """
        target = packet.target
        assert target is not None
        if vertex_of(target) not in edge.leads_to:
            return []
        tenure = self._tenure(tenures, packet.clock)
        packet = evolve(packet, epoch=tenure.epoch)
        if vertex_of(target) != edge.vertex:
            return self._to(state, tenure.instance, packet)
        return [Send(target, packet)] if self.rules.is_replayed_to(tenure.instance, target) else []
