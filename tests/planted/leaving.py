# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of what leaves an instance: deletes with their vectors, outputs and alerts."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Alert,
    Delete,
    Output,
)
from chc_ref.variants import each, variant


@variant(clauses=("DEL-1",))
class DeleteForgetsEarlier:
    """A delete carries the vector of its own branch alone."""

    def step(address, event, before, after, sends):
        return after, each(sends, Delete, lambda m: attrs.evolve(m, vectors=m.vectors[:1]))


@variant(clauses=("ROOT-3",))
class EveryShareIsWhole:
    """The delete of one copy counts for all."""

    def step(address, event, before, after, sends):
        return after, each(sends, Delete, lambda m: attrs.evolve(m, share=m.share / m.share))


@variant(clauses=("REC-2",))
class OutputTwice:
    """Every output leaves twice."""

    def step(address, event, before, after, sends):
        twice = (Output,)
        return after, [s for send in sends for s in [send] * (1 + isinstance(send.message, twice))]


@variant(clauses=("CHAIN-1",))
class NoAlerts:
    """Alerts are lost."""

    def step(address, event, before, after, sends):
        return after, each(sends, Alert, lambda m: None)


@variant(clauses=("DEL-1",))
class KeepsFirstToken:
    """A vector keeps the first token that it is given."""

    def add_token(vector, token):
        return vector or token


@variant(clauses=("REC-2",))
class AlertsGoAhead:
    """A packet that raises an alert does not wait for the root to have its delete."""

    def awaits_delete(outputs, alerts):
        return bool(outputs) and not alerts


@variant(clauses=("R5",) and ("DUP-1",))
class AlertsUnnumbered:
    """All alerts of one packet at one vertex have the same number."""

    def step(address, event, before, after, sends):
        return after, each(sends, Alert, lambda m: attrs.evolve(m, index=0))


@variant(clauses=("QUEUE-2",))
class OutputsWithoutBranch:
    """An output forgets which copy of its packet it is."""

    def step(address, event, before, after, sends):
        return after, each(sends, Output, lambda m: attrs.evolve(m, branch=()))


@variant(clauses=("DEL-1",))
class DeleteOfOwnBranchOnly:
    """A delete has the vector of its own branch, not those of what it came from."""

    def step(address, event, before, after, sends):
        return after, each(sends, Delete, lambda m: attrs.evolve(m, vectors=m.vectors[-1:]))


@variant(clauses=("DEL-1",))
class BareDeletesOfFailovers:
    """The deletes of a failover have no vectors: what its packets induce are repeats."""

    def step(address, event, before, after, sends):
        if not getattr(getattr(before, "queue", None), "valid", 0):
            return after, sends
        bare = lambda m: attrs.evolve(m, vectors=tuple((branch, 0) for branch, _ in m.vectors))  # noqa: E731
        return after, each(sends, Delete, bare)
