"""Partition: which instance of a vertex a flow goes to, by the scopes of the vertex' state.

Traffic is split by the coarsest scope first, so that instances share as little state as can
be, and by a finer one only while the load stays uneven (SPLIT-1, SPLIT-2). The result is a
rule, the same for every splitter above the vertex (SPLIT-3). Paper: section 4.1.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import attrs

from chc_ref.core.control import Scale
from chc_ref.core.operations import Scope
from chc_ref.core.values import Address, Flow, spread
from chc_ref.errors import UsageError


def home(flow: Flow, instances: tuple[Address, ...], scope: Scope | None) -> Address:
    """Give the instance that a flow goes to by default: by its scope, or by the whole flow."""
    return spread(flow if scope is None else scope.key(flow), instances)


@attrs.frozen(cache_hash=True)
class Division:
    """How the traffic to a vertex is divided, for the manager and all splitters above (SPLIT-3).

    It begins by one scope among some instances; a ``Scale`` puts others in their place.
    """

    instances: tuple[Address, ...]
    scopes: tuple[Scope, ...] = ()
    """Those of the vertex' state, finest first (SPLIT-1)."""
    by: str = ""
    """Name of the scope; empty for the whole flow."""

    def home(self, flow: Flow, scale: Scale | None = None) -> Address:
        """Give the instance of a flow at first, or after a scaling."""
        instances, by = (scale.instances, scale.by) if scale else (self.instances, self.by)
        return home(flow, instances, next((s for s in self.scopes if s.name == by), None))

    def finer(self, by: str) -> str | None:
        """Name the next finer scope than ``by``; None if there is none (SPLIT-2)."""
        names = [scope.name for scope in self.scopes]
        place = names.index(by) if by in names else 0
        return names[place - 1] if place > 0 else None


@attrs.frozen
class Split:
    """What a scope makes of the traffic."""

    scope: Scope
    imbalance: float
    """Load of the busiest instance over the mean; 1.0 is even."""
    shared: tuple[tuple[str, float], ...]
    """(scope, share of its keys whose flows go to more than one instance)."""


@attrs.frozen
class Partition:
    """The rule that a vertex is split by, and how it was found."""

    scope: Scope
    instances: tuple[Address, ...]
    tried: tuple[Split, ...]
    """Scopes that were tried, coarsest first; the last one was taken."""

    def route(self, flow: Flow) -> Address:
        """Give the one instance that a flow goes to."""
        return home(flow, self.instances, self.scope)


def partition(
    load: Mapping[Any, int],
    scopes: tuple[Scope, ...],
    instances: tuple[Address, ...],
    evenness: float = 1.25,
) -> Partition:
    """Split traffic by the coarsest scope that is even enough, else by the finest (SPLIT-2).

    Args:
        load: packets of each flow in the period that the vertex manager reports.
        scopes: scopes of the vertex' state, finest first, as ``scope()`` lists them.
        instances: instances of the vertex.
        evenness: imbalance that is still even; at least 1.0.

    Raises:
        UsageError: no scope, no instance, or an evenness below 1 (CHAIN-4).

    """
    if not scopes:
        raise UsageError("the vertex declares an empty scope; name at least one")
    if not instances:
        raise UsageError("the vertex has no instances")
    if evenness < 1.0:
        raise UsageError(f"evenness {evenness} cannot be reached; it is at least 1.0")
    tried: list[Split] = []
    for scope in reversed(scopes):
        tried.append(measure(load, scope, scopes, instances))
        if tried[-1].imbalance <= evenness:
            break
    return Partition(tried[-1].scope, instances, tuple(tried))


def measure(
    load: Mapping[Any, int],
    scope: Scope,
    scopes: tuple[Scope, ...],
    instances: tuple[Address, ...],
) -> Split:
    """Give imbalance and shared state of a split by ``scope``."""
    homes = {flow: home(flow, instances, scope) for flow in load}
    totals = dict.fromkeys(instances, 0)
    for flow, packets in load.items():
        totals[homes[flow]] += packets
    mean = sum(totals.values()) / len(instances)
    shared = []
    for other in scopes:
        users: dict[Hashable, set[Address]] = {}
        for flow, to in homes.items():
            users.setdefault(other.key(flow), set()).add(to)
        split = sum(len(homes_of) > 1 for homes_of in users.values())
        shared.append((other.name, split / len(users) if users else 0.0))
    return Split(scope, max(totals.values()) / mean if mean else 1.0, tuple(shared))
