"""Splitter: divides the output of one instance, or of the root, among downstream instances.

Owns the route of every flow that ever moved. It stands after every instance and the root is
one too (CHAIN-2). All splitters above a vertex get the same moves and use the same default
(SPLIT-3), so they need not talk to one another. Paper: sections 4.1 and 5.1.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.messages import LastMark, Move, Packet, ReplayEnd, Send
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Flow, Map, evolve, sorted_items, spread, vertex_of


@attrs.frozen(cache_hash=True)
class Downstream:
    """One edge of the chain as this splitter sees it."""

    vertex: str
    instances: tuple[Address, ...]
    leads_to: frozenset[str]
    """Every vertex on a path that begins with this edge, ``vertex`` among them."""


@attrs.frozen(cache_hash=True)
class Tenure:
    """A flow's time at one instance, from one move to the next."""

    epoch: int
    instance: Address
    since: int | None = None
    """Clock of its first packet here, once there is one: replays go by it."""


@attrs.frozen(cache_hash=True)
class SplitterState:
    """Tenures of every moved flow, oldest first, the default one included."""

    routes: Map[tuple[str, Flow], tuple[Tenure, ...]] = Map()


@attrs.frozen
class Splitter:
    """Splitter machine of one instance or root; pure, shared by all drivers."""

    downstream: tuple[Downstream, ...]
    rules: Rules = AMENDED

    def on_move(self, state: SplitterState, move: Move) -> tuple[SplitterState, list[Send]]:
        """Take a new route and mark the end of the old one (MOVE-1)."""
        edge = self._edge(move.vertex)
        tenures = self._tenures(state, edge, move.flow)
        if tenures[-1].epoch >= move.epoch:  # a failover was started with this move already
            return state, []
        routes = state.routes.insert(
            (move.vertex, move.flow), (*tenures, Tenure(move.epoch, move.to))
        )
        mark = [Send(tenures[-1].instance, LastMark(move.flow, move.epoch))]
        return evolve(state, routes=routes), mark if self.rules.marks_last(move.epoch) else []

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
                    branch=(*packet.branch, index),
                    share=packet.share * Fraction(1, fan_out),
                    vector=0,
                    earlier=(*packet.earlier, (packet.branch, packet.vector)),
                )
            state, sent = self._route(state, edge, copy)
            effects += sent
        return state, effects

    def on_replay_end(self, mark: ReplayEnd) -> list[Send]:
        """Pass the end of a replay on along every path to its target (CLONE-2)."""
        vertex = vertex_of(mark.target)
        effects: list[Send] = []
        for edge in self.downstream:
            if edge.vertex == vertex:
                effects.append(Send(mark.target, mark))
            elif vertex in edge.leads_to:
                effects += [Send(instance, mark) for instance in edge.instances]
        return effects

    def last_marks(self, state: SplitterState, only: Address | None = None) -> list[Send]:
        """Repeat the marks that ``only`` (or anyone) may have lost in a crash (REC-1)."""
        effects = []
        for (_, flow), tenures in sorted_items(state.routes):
            for old, new in itertools.pairwise(tenures):
                if only in (None, old.instance) and self.rules.marks_last(new.epoch):
                    effects.append(Send(old.instance, LastMark(flow, new.epoch)))
        return effects

    def broadcast(self, message: Any) -> list[Send]:
        """Send ``message`` to every downstream instance."""
        return [Send(to, message) for edge in self.downstream for to in edge.instances]

    def _edge(self, vertex: str) -> Downstream:
        return next(edge for edge in self.downstream if edge.vertex == vertex)

    def _tenures(self, state: SplitterState, edge: Downstream, flow: Flow) -> tuple[Tenure, ...]:
        default = (Tenure(0, spread(flow, edge.instances), 0),)
        return state.routes.get((edge.vertex, flow), default)

    def _route(
        self, state: SplitterState, edge: Downstream, packet: Packet
    ) -> tuple[SplitterState, list[Send]]:
        tenures = self._tenures(state, edge, packet.flow)
        if packet.target is not None:
            return state, self._replayed(edge, packet, tenures)
        tenure = tenures[-1]
        if tenure.since is None:
            tenure = evolve(tenure, since=packet.clock)
            routes = state.routes.insert((edge.vertex, packet.flow), (*tenures[:-1], tenure))
            state = evolve(state, routes=routes)
        return state, [Send(tenure.instance, evolve(packet, epoch=tenure.epoch))]

    def _replayed(
        self, edge: Downstream, packet: Packet, tenures: tuple[Tenure, ...]
    ) -> list[Send]:
        """Send a replayed packet where its clock belongs, if that leads to its target.

        By the clock and not by the current route: the instance that a flow left may have
        died with packets of it unprocessed, and only its failover can still do them.
        """
        target = packet.target
        assert target is not None
        if vertex_of(target) not in edge.leads_to:
            return []
        tenure = next(
            t for t in reversed(tenures) if t.since is not None and t.since <= packet.clock
        )
        if vertex_of(target) == edge.vertex and tenure.instance != target:
            return []
        return [Send(tenure.instance, evolve(packet, epoch=tenure.epoch))]
