"""Witness: the order in which a run served what does not commute, for the ideal chain.

Where operations on a shared object do not commute, COE is equality with some ideal execution
that keeps each flow's order. A run names that execution itself: the order of the store.
"""

from __future__ import annotations

from typing import Any

from chc_ref.core.chain import Chain
from chc_ref.core.memory import Memory
from chc_ref.core.messages import Apply, Forget, Received
from chc_ref.core.values import Address, Branch, UpdateId


class Witness:
    """Notes in which order the store served what does not commute, for the ideal chain."""

    def __init__(self, chain: Chain) -> None:
        self.ordered = {
            (vertex.name, declared.name)
            for vertex in chain.vertices
            for declared in vertex.nf.objects
            if declared.ordered and not declared.per_flow
        }
        self.positions: dict[tuple[str, int, Branch], int] = {}
        self.duplicates = 0
        self.draws = {
            (vertex.name, declared.name)
            for vertex in chain.vertices
            for declared in vertex.nf.objects
            if declared.drawn
        }
        self.drawn: dict[UpdateId, Any] = {}
        """What every access of a drawn object gave: the store may forget it (STORE-9)."""

    def __call__(self, address: Address, state: Any, event: Any) -> None:
        """Observe one local step of a simulation."""
        if not address.startswith("store") or not isinstance(event, Received):
            return
        request = event.message
        if isinstance(request, Forget):
            self.note_drawn(state.memory)
        if not isinstance(request, Apply):
            return
        if not state.up or request.start < state.fences.get(event.source, 0):
            return  # the store takes nothing of what a dead sender left behind (REC-1)
        update = request.id
        if update in state.memory.records or update.clock in state.memory.past:
            self.duplicates += 1
        elif (update.object.vertex, update.object.name) in self.ordered and not request.emulate:
            place = (update.object.vertex, update.clock, update.branch)
            self.positions.setdefault(place, len(self.positions))

    def note_drawn(self, memory: Memory) -> None:
        """Note what is on record of drawn objects."""
        self.drawn |= {
            update: record.result
            for update, record in (memory.records.items() if self.draws else ())
            if (update.object.vertex, update.object.name) in self.draws
        }
