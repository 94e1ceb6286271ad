"""Vertex manager: gathers statistics of one vertex, and asks the operator's logic (CHAIN-3).

Owns one period: who was asked, and what the others have said. It knows nothing of time: the
driver decides how often. What the logic wants, the manager carries out. Paper: section 3.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from chc_ref.core.messages import (
    CloneRequested,
    KeepRequested,
    Load,
    MoveRequested,
    Poll,
    ScaleRequested,
    Send,
)
from chc_ref.core.values import Address, Map, evolve

Wish = MoveRequested | CloneRequested | KeepRequested | ScaleRequested
"""What an operator, or the operator's logic, may ask for."""


@attrs.frozen
class Statistics:
    """What the hosts of one vertex did in one period."""

    vertex: str
    loads: tuple[Load, ...]
    """One of each host that answered, by address; ``packets`` counts this period's alone."""
    instances: tuple[Address, ...]
    """Those that the vertex is split among."""
    standby: tuple[Address, ...]
    """Those that take no traffic."""
    finer: str | None = None
    """Name of the next finer scope to split by; None for the finest (SPLIT-2)."""

    @property
    def mean(self) -> float:
        """Packets of this period, per instance in the split."""
        return sum(load.packets for load in self.loads) / len(self.instances)

    @property
    def imbalance(self) -> float:
        """Packets of the busiest instance over the mean; 1.0 is even, and so is no packet."""
        busiest = max((load.packets for load in self.loads), default=0)
        return busiest / self.mean if busiest else 1.0


Logic = Callable[[Statistics], tuple[Wish, ...]]
"""What the operator makes of them. A pure function: the checker calls it too."""


@attrs.frozen(cache_hash=True)
class VertexState:
    """One period at one vertex."""

    number: int = 0
    asked: frozenset[Address] = frozenset()
    loads: Map[Address, Load] = Map()
    before: Map[Address, int] = Map()
    """Packets of each host at the end of the last period."""


@attrs.frozen
class VertexManager:
    """Vertex manager machine; a part of the manager."""

    logic: Logic

    def on_timer(
        self, state: VertexState, hosts: tuple[Address, ...]
    ) -> tuple[VertexState, list[Send]]:
        """Begin a period's end: ask every host. An unfinished one is given up."""
        number = state.number + 1
        state = evolve(state, number=number, asked=frozenset(hosts), loads=Map())
        return state, [Send(host, Poll(number)) for host in hosts]

    def on_load(self, state: VertexState, load: Load) -> VertexState:
        """Note one answer; one to an earlier question is void."""
        if load.number != state.number or load.host not in state.asked:
            return state
        loads = state.loads.insert(load.host, load)
        return evolve(state, loads=loads, asked=state.asked - {load.host})

    def on_failure(self, state: VertexState, host: Address) -> VertexState:
        """Wait no more for a host that has failed, and forget it: its failover counts from 0.

        Its answer too, if it has given one: it would be the base of the failover's next period,
        which would then have counted less than nothing.
        """
        return evolve(
            state,
            asked=state.asked - {host},
            loads=state.loads.discard(host),
            before=state.before.discard(host),
        )

    def is_complete(self, state: VertexState) -> bool:
        """Tell whether all have answered that will."""
        return bool(state.loads) and not state.asked

    def close(
        self,
        state: VertexState,
        vertex: str,
        instances: tuple[Address, ...],
        standby: tuple[Address, ...],
        finer: str | None,
    ) -> tuple[VertexState, tuple[Wish, ...]]:
        """Aggregate a period, and give what the operator's logic makes of it."""
        loads = tuple(
            evolve(load, packets=load.packets - state.before.get(host, 0))
            for host, load in sorted(state.loads.items(), key=lambda item: item[0])
        )
        before = Map({host: load.packets for host, load in state.loads.items()})
        wishes = self.logic(Statistics(vertex, loads, instances, standby, finer))
        return evolve(state, loads=Map(), before=before), wishes
