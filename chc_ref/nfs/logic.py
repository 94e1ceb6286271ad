"""Operator logic: what a vertex manager's statistics lead to (CHAIN-3).

Each function here gives one; they are examples to begin from. Paper: section 3.
"""

from __future__ import annotations

from chc_ref.core.messages import CloneRequested, ScaleRequested
from chc_ref.core.values import identity_of
from chc_ref.core.vertex import Logic, Statistics, Wish


def scale(low: float, high: float) -> Logic:
    """Add an instance above ``high`` packets a period and instance, give one up below ``low``."""

    def decide(seen: Statistics) -> tuple[Wish, ...]:
        if seen.mean > high and seen.standby:
            return (ScaleRequested(seen.vertex, (*seen.instances, seen.standby[0])),)
        if seen.mean < low and len(seen.instances) > 1:
            return (ScaleRequested(seen.vertex, seen.instances[:-1]),)
        return ()

    return decide


def clone_stragglers(factor: float, least: int = 1) -> Logic:
    """Clone an instance with ``factor`` times as many packets waiting as the others' mean.

    Args:
        factor: times the mean of the other hosts' waiting packets.
        least: waiting packets below which nobody is a straggler.

    """

    def decide(seen: Statistics) -> tuple[Wish, ...]:
        wishes = []
        for load in seen.loads:
            others = [other.waiting for other in seen.loads if other is not load]
            mean = sum(others) / len(others) if others else 0.0
            if load.waiting >= max(least, factor * mean) and load.host == identity_of(load.host):
                wishes.append(CloneRequested(load.host))
        return tuple(wishes)

    return decide


def refine(evenness: float) -> Logic:
    """Split by the next finer scope while the load is uneven (SPLIT-2).

    Args:
        evenness: imbalance that is still even; at least 1.0.

    """

    def decide(seen: Statistics) -> tuple[Wish, ...]:
        if seen.imbalance > evenness and seen.finer is not None:
            return (ScaleRequested(seen.vertex, seen.instances, seen.finer),)
        return ()

    return decide


LOGIC: dict[str, Logic] = {
    "scale_out": scale(0, 1),
    "scale_in": scale(1, 1_000_000_000),
    "clone_stragglers": clone_stragglers(2),
    "refine": refine(1.25),
}
"""Logic by name, for models and chains in files."""
