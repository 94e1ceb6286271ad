"""Moving: when a move, a clone or a scaling may begin, and where the tenures of a flow begin.

A flow is moved at one vertex at a time: while it changes its instance at one vertex, two
splitters carry it, and they hear of a move further down at different moments. Its later packets
could then reach the old instance there and its earlier ones the new (findings). Paper: section 5.1.
"""

from __future__ import annotations

from chc_ref.core.cloning import Cloning
from chc_ref.core.directory import ManagerState, Sends
from chc_ref.core.messages import (
    Begin,
    CloneRequested,
    Move,
    MoveRequested,
    ScaleRequested,
    Send,
    Since,
)
from chc_ref.core.values import Address, Flow, beside, evolve, identity_of, vertex_of


class Moving(Cloning):
    """The manager's part that begins what was asked for, and moves flows."""

    def _wish(self, state: ManagerState) -> tuple[ManagerState, Sends]:
        """Begin everything that may begin, in the order of asking for each flow."""
        wishes, state = state.wishes, evolve(state, wishes=())
        kept: list[MoveRequested | CloneRequested | ScaleRequested] = []
        effects: Sends = []
        for wish in wishes:
            behind = False
            if isinstance(wish, MoveRequested):
                behind = any(getattr(k, "flow", None) == wish.flow for k in kept)
                if self._is_void(state, wish, behind):
                    continue
            state, may_begin, sends = self._may_begin(state, wish)
            effects += sends
            if behind or not may_begin:
                kept.append(wish)
                continue
            state, sends = self._do(state, wish)
            effects += sends
        more_wishes = state.wishes  # a scaling moves flows
        state = evolve(state, wishes=(*kept, *more_wishes))
        if more_wishes:
            state, sends = self._wish(state)
            effects += sends
        return state, effects

    def _is_void(self, state: ManagerState, wish: MoveRequested, behind: bool) -> bool:
        """Tell whether a flow is where it is wished, or may not go there any more."""
        split = self._split(state, wish.vertex) if wish.vertex in state.scales else (wish.to,)
        there = not behind and wish.to == self._place(state, wish.vertex, wish.flow)
        return there or wish.to not in split

    def _may_begin(
        self, state: ManagerState, wish: MoveRequested | CloneRequested | ScaleRequested
    ) -> tuple[ManagerState, bool, Sends]:
        """Tell whether a wish may begin now; for some, caches must be given up first."""
        match wish:
            case MoveRequested():
                return self._may_move(state, wish)
            case ScaleRequested():
                return self._may_scale(state, wish)
            case CloneRequested(instance):
                return state, self._may_clone(state, instance), []

    def _do(
        self, state: ManagerState, wish: MoveRequested | CloneRequested | ScaleRequested
    ) -> tuple[ManagerState, Sends]:
        match wish:
            case MoveRequested():
                return self._move(state, wish)
            case ScaleRequested():
                return self._scale(state, wish)
            case CloneRequested(instance):
                return self._clone(state, instance)

    def _may_clone(self, state: ManagerState, instance: Address) -> bool:
        """Tell whether a clone may begin now: its host is free, and nothing moves around it."""
        spare = beside(self._hosts(state, instance)[0])
        busy = spare in state.leaving or spare in state.silencing
        return not (
            busy or self._scales_near(state, instance) or self._moves_below(state, instance)
        )

    def _may_move(
        self, state: ManagerState, wish: MoveRequested
    ) -> tuple[ManagerState, bool, Sends]:
        """Tell whether a move may begin now: not while the flow moves elsewhere (findings).

        Nor behind a cloned instance: of its two hosts each would hear of the move at another
        place in the stream, and the last mark of one says nothing of the other.
        """
        elsewhere = any(m.vertex != wish.vertex for m in state.under_way.get(wish.flow, ()))
        cloned = any(len(self._hosts(state, one)) > 1 for one in self.splitters[wish.vertex])
        if not self.rules.may_move(elsewhere, cloned):
            return state, False, []
        return self._share(state, wish.vertex)

    def _handed_over(
        self, state: ManagerState, host: Address, flow: Flow, epoch: int
    ) -> tuple[ManagerState, Sends]:
        """End a move once every host of the old instance has handed the flow over."""
        vertex, moving = vertex_of(host), state.under_way.get(flow, ())
        left = tuple(m for m in moving if (m.vertex, m.epoch) != (vertex, epoch))
        hosts = self._hosts(state, identity_of(host))
        handed = state.handed | {(host, flow, epoch)}
        heard = frozenset(one for one in hosts if (one, flow, epoch) in handed)
        if left != moving and not self.rules.ends_move(heard, hosts):
            return evolve(state, handed=handed), []
        state = evolve(state, handed=handed - {(one, flow, epoch) for one in hosts})
        under_way = state.under_way.insert(flow, left) if left else state.under_way.discard(flow)
        begins = state.begins
        state = evolve(state, under_way=under_way, begins=())
        effects: Sends = []
        for source, begin in begins:
            state, sends = self._begin(state, source, begin)
            effects += sends
        state, sends = self._wish(state)
        state, more = self._unshare(state, vertex)
        return state, effects + sends + more

    def _move(self, state: ManagerState, wish: MoveRequested) -> tuple[ManagerState, Sends]:
        key = (wish.vertex, wish.flow)
        moves = state.moves.get(key, ())
        move = Move(wish.vertex, wish.flow, len(moves) + 1, wish.to)
        moving = (*state.under_way.get(wish.flow, ()), move)
        behind = state.behind
        for above in sorted({vertex_of(one) for one in self.splitters[wish.vertex]}):
            before = len(state.moves.get((above, wish.flow), ()))
            if before:
                behind = behind.insert((*key, move.epoch, above), before)
        state = evolve(
            state,
            moves=state.moves.insert(key, (*moves, move)),
            under_way=state.under_way.insert(wish.flow, moving),
            behind=behind,
        )
        above_it = self._above(state, wish.vertex)
        return state, [Send(to, self._told(state, move, vertex_of(to))) for to in above_it]

    def _begin(
        self, state: ManagerState, source: Address, begin: Begin
    ) -> tuple[ManagerState, Sends]:
        """Fix where a tenure begins, before any splitter has sent a packet of it.

        Where the flow moves above as well, its first packet may still be at the old instance
        there: the new one's question waits until that has sent all it had (findings).
        """
        if begin.start != state.starts.get(source, 0):
            return state, []  # its sender is dead, and what it held was never sent
        above = vertex_of(source)
        moving = state.under_way.get(begin.flow, ())
        moving_above = any((m.vertex, m.to) == (above, identity_of(source)) for m in moving)
        if self.rules.begin_waits(moving_above):
            return evolve(state, begins=(*state.begins, (source, begin))), []
        begun, before = state.begun, 0
        for move in state.moves.get((begin.vertex, begin.flow), ()):
            key = (begin.vertex, begin.flow, move.epoch, above)
            if move.epoch <= begin.epoch and key not in begun:
                begun = begun.insert(key, self.rules.begins_at(begin.clock, before))
            before = begun.get(key, before)
        clock = begun[begin.vertex, begin.flow, begin.epoch, above]
        since = Since(begin.vertex, begin.flow, begin.epoch, clock)
        return evolve(state, begun=begun), [
            Send(to, since) for to in self._above(state, begin.vertex) if vertex_of(to) == above
        ]

    def _may_scale(
        self, state: ManagerState, wish: ScaleRequested
    ) -> tuple[ManagerState, bool, Sends]:
        """Tell whether a scaling may begin now: one at a time, and no clone is about."""
        vertex = wish.vertex
        near = (*self.instances[vertex], *self.splitters[vertex])
        cloned = any(len(self._hosts(state, one)) > 1 for one in near)
        if cloned or self._leaves(state, vertex) or ("scale", vertex) in state.awaited:
            return state, False, []
        return self._share(state, vertex)
