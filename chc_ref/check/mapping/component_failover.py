"""What the mappings for failovers of root and store have in common: channels, names of steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.module import LOSE, Module
from chc_ref.check.mapping.records import Names
from chc_ref.core.messages import MoveRequested, Received
from chc_ref.core.values import Address
from chc_ref.system.composition import State
from chc_ref.system.world import Arrival, Checkpoint, Crash


@attrs.frozen
class ComponentFailover(Module):
    """A mapping for chains of one vertex, one root and one store."""

    happens: ClassVar = {
        Arrival: "Arrive",
        Checkpoint: "Checkpoint",
        Crash: "Crash",
        MoveRequested: "AskMove",
    }
    loses = LOSE
    unmanaged: ClassVar[tuple[Address, ...]] = ()
    """To whom the manager never speaks, besides instances and sink."""

    def taken(self, state: State, source: Address, to: Address, item: Any) -> str:
        """Give the name of the action that takes a message: it has the type of the record."""
        return f"{self.kind(to).capitalize()}Takes{self.message(item)['type'].capitalize()}"

    def used(self, state: State) -> dict[tuple[Address, Address], list[Names]]:
        """Give what is under way on each channel, but for those that nobody ever uses."""
        unused = {("manager", one) for one in (*self.instances, "sink", *self.unmanaged)}
        unused |= {(to, source) for source, to in unused}
        unused -= {(one, "manager") for one in self.instances if self.system.world.wishes}
        return {
            (source, to): content
            for source, to, content in self.under_way(state)
            if (source, to) not in unused or content
        }

    def aside(self, received: Iterable[Received]) -> list[Names]:
        """Give what has come while a component is not ready."""
        return self.sourced(((one.source, one.message) for one in received), "message")


def phase(component: Any) -> str:
    """Give how far a failover is."""
    return "down" if not component.up else "asking" if component.asked else "ready"
