"""What the mappings for failovers of root and store share: channels, and names of steps.

A message is a record whose ``type`` is part of the name of the action that takes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from chc_ref.core.messages import MoveRequested
from chc_ref.core.values import Address, Flow
from chc_ref.errors import UsageError
from chc_ref.system.composition import Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Arrival, Checkpoint, Crash, Operate

Names = dict[str, Any]

HAPPENS = {Arrival: "Arrive", Checkpoint: "Checkpoint", Crash: "Crash", Operate: "AskMove"}
"""Action of the specification, by what happens of itself."""


@attrs.frozen
class Failover(ABC):
    """A mapping for chains of one vertex, one root and one store."""

    system: System

    spec: ClassVar[str]
    """The specification."""
    messages: ClassVar[dict[type, tuple[str, Callable[[Any, Any], Names]]]]
    """Type of a message's record, and its other fields."""
    unmanaged: ClassVar[tuple[Address, ...]] = ()
    """To whom the manager never speaks, besides instances and sink."""

    @property
    def instances(self) -> tuple[Address, ...]:
        """Give the instances of the vertex."""
        (instances,) = self.system.physical.instances.values()
        return instances

    @property
    def homes(self) -> dict[Flow, Address]:
        """Give the first instance of every flow that has packets, or is moved."""
        (vertex,) = self.system.physical.chain.vertices
        flows = [arrival.flow for arrival in self.system.world.arrivals]
        flows += [move.flow for move in self.moves]
        return {flow: vertex.division.home(flow) for flow in flows}

    @property
    def moves(self) -> list[MoveRequested]:
        """Give the moves that the operator asks for."""
        wishes = self.system.world.wishes
        moves = [wish for wish in wishes if isinstance(wish, MoveRequested)]
        if len(moves) < len(wishes):
            raise UsageError(f"{self.spec} has moves, and no other wishes")
        return moves

    @property
    @abstractmethod
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""

    @abstractmethod
    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, event) if type(event) in HAPPENS:
                return HAPPENS[type(event)]
            case Lose():
                return "Lose"
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                who = "instance" if to in self.instances else to
                return f"{who.capitalize()}Takes{self.message(message)['type'].capitalize()}"
        raise UsageError(f"{self.spec} has no action for {action!r}")

    def message(self, message: Any) -> Names:
        """Give a message's record."""
        if type(message) not in self.messages:
            raise UsageError(f"{self.spec} has nothing like {message!r}")
        name, fields = self.messages[type(message)]
        return {"type": name, **fields(self, message)}

    def channels(self, state: State) -> dict[tuple[Address, Address], tuple[Names, ...]]:
        """Give what is under way on each channel, but for those that nobody ever uses."""
        unused = {("manager", one) for one in (*self.instances, "sink", *self.unmanaged)}
        unused |= {(to, source) for source, to in unused}
        unused -= {(one, "manager") for one in self.instances if self.system.world.wishes}
        contents = zip(self.system.channels, state.channels, strict=True)
        return {
            way: tuple(map(self.message, content))
            for way, content in contents
            if way not in unused or content
        }

    def views(self, state: State) -> Names:
        """Give component states by address."""
        return dict(zip(self.system.names, state.components, strict=True))
