"""Scaling: how a vertex gets another split, and an instance that is given up is emptied.

It is among other instances, or by a finer scope (SPLIT-2). Flows that begin from now on begin
where the new split puts them. A flow that may be elsewhere is moved, like any other: with its
next packet, for which a splitter asks where it belongs; or, from an instance out of the split,
as soon as its store knows all that it has, for it may send no packet any more. Until then that
instance is where its flows begin. Paper: sections 3, 4.1 and 5.1.
"""

from __future__ import annotations

from collections.abc import Iterable

from chc_ref.core.directory import Directory, ManagerState, Sends
from chc_ref.core.messages import (
    Holds,
    MoveRequested,
    Route,
    Scale,
    ScaleRequested,
    Send,
    Unrouted,
)
from chc_ref.core.values import Address, Flow, evolve, vertex_of


class Scaling(Directory):
    """The manager's part that knows of splits. What it wishes for, the manager begins."""

    def _scale(self, state: ManagerState, wish: ScaleRequested) -> tuple[ManagerState, Sends]:
        """Tell every splitter of the new split, and move what we know to be elsewhere."""
        vertex, session = wish.vertex, state.session + 1
        before = self._by(state, vertex)
        scale = Scale(vertex, session, wish.instances, before if wish.by is None else wish.by)
        state = evolve(
            state,
            session=session,
            scales=state.scales.insert(vertex, scale),
            drained=state.drained - frozenset(wish.instances),
        )
        asked = self._above(state, vertex)
        state = self._await(state, ("scale", vertex), asked)
        out = frozenset(self.instances[vertex]) - frozenset(wish.instances) - state.drained
        state = self._await(state, ("leave", vertex), tuple(out))
        known = {flow for (at, flow), _ in state.moves.items() if at == vertex}
        known |= {flow for (at, flow), _ in state.firsts.items() if at == vertex}
        stay = () if scale.by != before else scale.instances
        return self._gather(state, vertex, known, stay), [Send(to, scale) for to in asked]

    def _gather(
        self, state: ManagerState, vertex: str, flows: Iterable[Flow], stay: tuple[Address, ...]
    ) -> ManagerState:
        """Wish that flows come where the split puts them, but for those that may stay."""
        wishes = tuple(
            MoveRequested(vertex, flow, self._home(vertex, flow, state.scales[vertex]))
            for flow in sorted(flows, key=repr)
            if self._place(state, vertex, flow) not in stay
        )
        return evolve(state, wishes=(*state.wishes, *wishes))

    def _unrouted(
        self, state: ManagerState, source: Address, asked: Unrouted
    ) -> tuple[ManagerState, Sends]:
        """Tell where a flow begins: at the old instance, unless that has told all it has.

        If it begins there, it is moved at once, like any other flow (MOVE-1).
        """
        if asked.start != state.starts.get(source, 0):
            return state, []  # its sender is dead, and what it held was never sent
        vertex, flow = asked.vertex, asked.flow
        key, old = (vertex, flow), self._home(vertex, flow)
        if key in state.firsts or key in state.moves:
            return state, [Send(source, Route(vertex, flow, state.firsts.get(key, old)))]
        new = self._home(vertex, flow, state.scales[vertex])
        first = new if old in state.drained else old
        state = evolve(state, firsts=state.firsts.insert(key, first))
        sends = [Send(to, Route(vertex, flow, first)) for to in self._above(state, vertex)]
        wish = MoveRequested(vertex, flow, new)  # void if it begins there
        return evolve(state, wishes=(*state.wishes, wish)), sends

    def _is_current(self, state: ManagerState, holds: Holds) -> bool:
        """Tell whether an instance speaks of the newest scaling."""
        scale = state.scales.get(vertex_of(holds.instance))
        return scale is not None and scale.number == holds.number

    def _drained(self, state: ManagerState, holds: Holds) -> ManagerState:
        """Take note of all that an instance out of the split still has, and wish it away."""
        vertex, firsts = vertex_of(holds.instance), state.firsts
        keys = [(vertex, flow) for flow in holds.flows]
        new = [key for key in keys if key not in firsts and key not in state.moves]
        for key in new:
            firsts = firsts.insert(key, self._home(*key))
        state = evolve(state, firsts=firsts, drained=state.drained | {holds.instance})
        flows = [flow for _, flow in new]
        return self._gather(state, vertex, flows, state.scales[vertex].instances)
