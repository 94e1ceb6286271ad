"""World: the environment of a chain, as one more machine.

It holds what may still happen from outside: packets to arrive, moves the operator will ask
for, instances that may crash. Each is offered as an event, so a driver explores when it
happens; what must happen in some order (the packets) is offered in that order.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import Arrive, Crashed, Failed, MoveRequested
from chc_ref.core.values import Address, evolve


@attrs.frozen(cache_hash=True)
class Direct:
    """Effect of the world: ``event`` happens at ``to`` in the same moment."""

    to: Address
    event: Any


@attrs.frozen(cache_hash=True)
class Arrival:
    """Event: the next packet reaches the root."""

    packet: Arrive


@attrs.frozen(cache_hash=True)
class Operate:
    """Event: the operator asks for a move."""

    wish: MoveRequested


@attrs.frozen(cache_hash=True)
class Crash:
    """Event: an instance fails, and its failure is detected at once (REC-0)."""

    address: Address


@attrs.frozen(cache_hash=True)
class WorldState:
    """What may still happen."""

    arrived: int = 0
    operated: int = 0
    crashed: tuple[Address, ...] = ()


@attrs.frozen
class World:
    """Environment machine of one model or schedule."""

    arrivals: tuple[Arrive, ...] = ()
    wishes: tuple[MoveRequested, ...] = ()
    """Moves, asked for in this order."""
    fragile: tuple[Address, ...] = ()
    """Instances that may crash."""
    most_crashes: int = 0
    initial: WorldState = WorldState()

    def offers(self, state: WorldState) -> list[Any]:
        """Give what may happen next; a crash only of an instance that is up is carried out."""
        events: list[Any] = []
        if state.arrived < len(self.arrivals):
            events.append(Arrival(self.arrivals[state.arrived]))
        if state.operated < len(self.wishes):
            events.append(Operate(self.wishes[state.operated]))
        if len(state.crashed) < self.most_crashes:
            events += [Crash(address) for address in self.fragile]
        return events

    def step(self, state: WorldState, event: Any) -> tuple[WorldState, list[Direct]]:
        """Let ``event`` happen."""
        match event:
            case Arrival(packet):
                arrived = evolve(state, arrived=state.arrived + 1)
                return arrived, [Direct("root", packet)]
            case Operate(wish):
                operated = evolve(state, operated=state.operated + 1)
                return operated, [Direct("manager", wish)]
            case Crash(address):
                crashed = tuple(sorted((*state.crashed, address)))
                effects = [Direct(address, Crashed()), Direct("manager", Failed(address))]
                return evolve(state, crashed=crashed), effects
        raise KeyError(f"world: unexpected {event!r}")

    def finished(self, state: WorldState) -> bool:
        """Tell whether all packets have arrived and all moves were asked for."""
        return state.arrived == len(self.arrivals) and state.operated == len(self.wishes)
