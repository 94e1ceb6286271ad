"""Manager: the control plane. It numbers moves and brings failed instances back.

Owns the list of all moves, so that a failover's splitter can be told, which of them are under
way, and the replays that are. A flow is moved at one vertex at a time: while it changes its
instance at one vertex, two splitters carry it, and they hear of a move further down at
different moments. Its later packets could then reach the old instance there and its earlier
ones the new (findings). Fail-stop and immediate detection are assumed (REC-0): ``Failed`` is
an event that the driver reports. Paper: sections 3 and 5.4.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import (
    Begin,
    Failed,
    HandedOver,
    Move,
    MoveRequested,
    Ready,
    Received,
    Recovered,
    Replay,
    Send,
    Since,
    Start,
)
from chc_ref.core.values import Address, Flow, Map, evolve, sorted_items, spread, vertex_of


@attrs.frozen(cache_hash=True)
class ManagerState:
    """Moves so far and instances that are being recovered."""

    moves: Map[tuple[str, Flow], tuple[Move, ...]] = Map()
    begun: Map[tuple[str, Flow, int, str], int] = Map()
    """First clock of (vertex, flow, epoch), for each vertex above: where paths meet again, the
    copies of one packet come down each of them at a time of their own."""
    under_way: Map[Flow, tuple[Move, ...]] = Map()
    """Moves whose old instance has not handed over yet; all at one vertex."""
    wishes: tuple[MoveRequested, ...] = ()
    """Moves that wait for one of the same flow elsewhere."""
    recovering: Map[Address, tuple[int, bool]] = Map()
    """(session of its start, whether it runs) of every failover instance."""
    starts: Map[Address, int] = Map()
    """Number of the newest start of every component that has failed."""
    session: int = 0
    """Starts and replays are numbered together."""


@attrs.frozen
class Manager:
    """Manager machine."""

    instances: Map[str, tuple[Address, ...]]
    """Instances of each vertex."""
    splitters: Map[str, tuple[Address, ...]]
    """Components that split traffic to each vertex (SPLIT-3: they all get each move)."""
    initial: ManagerState = ManagerState()

    def offers(self, state: ManagerState) -> list[Any]:
        """The manager has no timers."""
        return []

    def step(
        self, state: ManagerState, event: Failed | MoveRequested | Received
    ) -> tuple[ManagerState, list[Send]]:
        """React to one event; an unknown one is a fault of the driver (KeyError)."""
        match event:
            case MoveRequested():
                return self._wish(evolve(state, wishes=(*state.wishes, event)))
            case Received(source, HandedOver(flow, epoch)):
                return self._handed_over(state, vertex_of(source), flow, epoch)
            case Received(source, Begin() as begin):
                return self._begin(state, source, begin)
            case Failed(address):
                session = state.session + 1
                recovering = state.recovering.insert(address, (session, False))
                start = Start(self._moves_of(state, address), session)
                starts = state.starts.insert(address, session)
                state = evolve(state, recovering=recovering, session=session, starts=starts)
                return state, [Send(address, start)]
            case Received(source, Ready(session)):
                if state.recovering.get(source) != (session, False):
                    return state, []  # it has died again since
                return self._replay(state, source, session)
            case Received(source, Recovered(session)):
                if session != state.session or source not in state.recovering:
                    return state, []  # a later replay is still under way
                return evolve(state, recovering=state.recovering.discard(source)), []
        raise KeyError(f"manager: unexpected {event!r}")

    def _wish(self, state: ManagerState) -> tuple[ManagerState, list[Send]]:
        """Begin every move that may begin, in the order of asking for each flow."""
        wishes = state.wishes
        kept: list[MoveRequested] = []
        effects: list[Send] = []
        for wish in wishes:
            moving = state.under_way.get(wish.flow, ())
            if any(m.vertex != wish.vertex for m in moving) or any(
                k.flow == wish.flow for k in kept
            ):
                kept.append(wish)
                continue
            state, sends = self._move(state, wish)
            effects += sends
        return evolve(state, wishes=tuple(kept)), effects

    def _handed_over(
        self, state: ManagerState, vertex: str, flow: Flow, epoch: int
    ) -> tuple[ManagerState, list[Send]]:
        moving = state.under_way.get(flow, ())
        left = tuple(m for m in moving if (m.vertex, m.epoch) != (vertex, epoch))
        under_way = state.under_way.insert(flow, left) if left else state.under_way.discard(flow)
        return self._wish(evolve(state, under_way=under_way))

    def _move(self, state: ManagerState, wish: MoveRequested) -> tuple[ManagerState, list[Send]]:
        key = (wish.vertex, wish.flow)
        moves = state.moves.get(key, ())
        instances = self.instances[wish.vertex]
        if wish.to == (moves[-1].to if moves else spread(wish.flow, instances)):
            return state, []
        move = Move(wish.vertex, wish.flow, len(moves) + 1, wish.to)
        moving = (*state.under_way.get(wish.flow, ()), move)
        state = evolve(
            state,
            moves=state.moves.insert(key, (*moves, move)),
            under_way=state.under_way.insert(wish.flow, moving),
        )
        return state, [Send(to, move) for to in self.splitters[wish.vertex]]

    def _begin(
        self, state: ManagerState, source: Address, begin: Begin
    ) -> tuple[ManagerState, list[Send]]:
        """Fix where a tenure begins, before any splitter has sent a packet of it."""
        if begin.start != state.starts.get(source, 0):
            return state, []  # its sender is dead, and what it held was never sent
        above = vertex_of(source)
        begun = state.begun
        for move in state.moves.get((begin.vertex, begin.flow), ()):
            key = (begin.vertex, begin.flow, move.epoch, above)
            if move.epoch <= begin.epoch and key not in begun:
                begun = begun.insert(key, begin.clock)
        clock = begun[begin.vertex, begin.flow, begin.epoch, above]
        since = Since(begin.vertex, begin.flow, begin.epoch, clock)
        splitters = self.splitters[begin.vertex]
        return evolve(state, begun=begun), [
            Send(to, since) for to in splitters if vertex_of(to) == above
        ]

    def _moves_of(self, state: ManagerState, address: Address) -> tuple[Move, ...]:
        above = vertex_of(address)
        return tuple(
            evolve(move, since=state.begun.get((vertex, flow, move.epoch, above)))
            for (vertex, flow), moves in sorted_items(state.moves)
            if address in self.splitters[vertex]
            for move in moves
        )

    def _replay(
        self, state: ManagerState, source: Address, start: int
    ) -> tuple[ManagerState, list[Send]]:
        """Replay to every instance in recovery: a second failure may have broken a first replay."""
        session = state.session + 1
        recovering = state.recovering.insert(source, (start, True))
        state = evolve(state, session=session, recovering=recovering)
        targets = sorted(address for address, (_, runs) in recovering.items() if runs)
        return state, [Send("root", Replay(target, session)) for target in targets]
