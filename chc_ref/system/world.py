"""World: the environment of a chain, as one more machine.

It holds what may still happen from outside: packets to arrive, what the operator will ask
for, components that may crash, checkpoints, and values to be drawn. Each is offered as an
event, so a driver explores when it happens; what must happen in some order (the packets) is
offered in that order.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import (
    Arrive,
    CheckpointTimer,
    Crashed,
    Drawn,
    Failed,
    ForgetTimer,
    PollTimer,
)
from chc_ref.core.values import Address, Flow, evolve
from chc_ref.core.vertex import Wish


@attrs.frozen(cache_hash=True)
class Direct:
    """Effect of the world: ``event`` happens at ``to`` in the same moment."""

    to: Address
    event: Any


@attrs.frozen(cache_hash=True)
class Arrival:
    """Event: the next packet reaches the root."""

    packet: Arrive
    of: Flow | None = None
    """Its flow, where flows arrive in any order."""


@attrs.frozen(cache_hash=True)
class Operate:
    """Event: the operator asks for something."""

    wish: Wish


@attrs.frozen(cache_hash=True)
class Crash:
    """Event: a component fails, and its failure is detected at once (REC-0)."""

    address: Address


@attrs.frozen(cache_hash=True)
class Checkpoint:
    """Event: a store writes a checkpoint (REC-5)."""

    store: Address


@attrs.frozen(cache_hash=True)
class Chance:
    """Event: what the next non-deterministic operation draws is another value now (STORE-9)."""

    store: Address
    value: Any


@attrs.frozen(cache_hash=True)
class Period:
    """Event: a vertex manager asks for statistics (CHAIN-3)."""

    vertex: str


@attrs.frozen(cache_hash=True)
class Forgetting:
    """Event: a root tells which packets are over (DUP-2)."""

    root: Address


@attrs.frozen(cache_hash=True)
class WorldState:
    """What may still happen."""

    arrived: int = 0
    operated: int = 0
    crashed: tuple[Address, ...] = ()
    checkpointed: int = 0
    drawn: int = 0
    polled: int = 0
    forgotten: int = 0
    came: frozenset[Arrive] = frozenset()
    """Packets that have arrived, where flows arrive in any order."""


@attrs.frozen
class World:
    """Environment machine of one model or schedule."""

    arrivals: tuple[Arrive, ...] = ()
    wishes: tuple[Wish, ...] = ()
    """Asked for in this order."""
    fragile: tuple[Address, ...] = ()
    """Components that may crash."""
    most_crashes: int = 0
    checkpoints: tuple[Address, ...] = ()
    """Stores that write a checkpoint, in this order."""
    draws: tuple[tuple[Address, Any], ...] = ()
    """(store, value that it draws from now on), in this order."""
    roots: tuple[Address, ...] = ()
    """Root that each packet arrives at; none: all at ``root`` (SPLIT-4)."""
    polls: tuple[str, ...] = ()
    """Vertices whose manager asks for statistics, in this order."""
    forgets: tuple[Address, ...] = ()
    """Roots that tell which packets are over, in this order."""
    any_order: bool = False
    """Only packets of one flow arrive in the order of ``arrivals``."""
    initial: WorldState = WorldState()
    apart: bool = False
    """A component crashes only when the manager has no other one to bring back."""

    def offers(self, state: WorldState) -> list[Any]:
        """Give what may happen next; a crash only of an instance that is up is carried out."""
        events: list[Any] = []
        if self.any_order:
            events += self._firsts(state)
        elif state.arrived < len(self.arrivals):
            events.append(Arrival(self.arrivals[state.arrived]))
        if state.operated < len(self.wishes):
            events.append(Operate(self.wishes[state.operated]))
        if len(state.crashed) < self.most_crashes:
            events += [Crash(address) for address in self.fragile]
        if state.checkpointed < len(self.checkpoints):
            events.append(Checkpoint(self.checkpoints[state.checkpointed]))
        if state.drawn < len(self.draws):
            events.append(Chance(*self.draws[state.drawn]))
        if state.polled < len(self.polls):
            events.append(Period(self.polls[state.polled]))
        if state.forgotten < len(self.forgets):
            events.append(Forgetting(self.forgets[state.forgotten]))
        return events

    def step(self, state: WorldState, event: Any) -> tuple[WorldState, list[Direct]]:
        """Let ``event`` happen."""
        match event:
            case Arrival(packet, of):
                arrived = evolve(state, arrived=state.arrived + 1)
                number = state.arrived
                if of is not None:
                    arrived = evolve(arrived, came=state.came | {packet})
                    number = self.arrivals.index(packet)
                root = self.roots[number] if self.roots else "root"
                return arrived, [Direct(root, packet)]
            case Operate(wish):
                operated = evolve(state, operated=state.operated + 1)
                return operated, [Direct("manager", wish)]
            case Crash(address):
                crashed = tuple(sorted((*state.crashed, address)))
                effects = [Direct(address, Crashed()), Direct("manager", Failed(address))]
                return evolve(state, crashed=crashed), effects
            case Checkpoint(store):
                checkpointed = evolve(state, checkpointed=state.checkpointed + 1)
                return checkpointed, [Direct(store, CheckpointTimer())]
            case Chance(store, value):
                return evolve(state, drawn=state.drawn + 1), [Direct(store, Drawn(value))]
            case Period(vertex):
                polled = evolve(state, polled=state.polled + 1)
                return polled, [Direct("manager", PollTimer(vertex))]
            case Forgetting(root):
                forgotten = evolve(state, forgotten=state.forgotten + 1)
                return forgotten, [Direct(root, ForgetTimer())]
        raise KeyError(f"world: unexpected {event!r}")

    def _firsts(self, state: WorldState) -> list[Arrival]:
        """Give the next packet of each flow."""
        firsts: dict[Flow, Arrival] = {}
        for packet in self.arrivals:
            if packet not in state.came:
                firsts.setdefault(packet.flow, Arrival(packet, packet.flow))
        return list(firsts.values())

    def finished(self, state: WorldState) -> bool:
        """Tell whether all packets have arrived and everything was asked for."""
        return state.arrived == len(self.arrivals) and state.operated == len(self.wishes)
