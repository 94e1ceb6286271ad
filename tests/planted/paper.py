# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults that take a sentence of the paper too lightly: caches, draws, roots and stores."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Apply,
    Fence,
    Received,
    Recollection,
    Remembered,
    Result,
    WriteLog,
)
from chc_ref.core.operations import Draw
from chc_ref.variants import each, variant


@variant(clauses=("CACHE-3",))
class UpdaterNotCalledBack:
    """A new value goes to every other reader; who made it has it from the answer."""

    def calls_back(reader, updater):
        return reader != updater


@variant(clauses=("DUP-2",))
class RepeatedReadsSeeThePresent:
    """The store keeps what updates returned, and serves a repeated read afresh."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Apply(id=update, operation=operation)) if (
                operation.reads_only
                and hasattr(before, "memory")
                and update in before.memory.records
                and update.object in before.memory.values
            ):
                value = operation.apply(before.memory.values[update.object])[1]
                return after, each(sends, Result, lambda m: attrs.evolve(m, value=value))
        return after, sends


@variant(clauses=("REC-7", "REC-4"))
class WaitsForTheDead:
    """A store's failover waits for what a user remembers that has failed meanwhile."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Fence(address=user)) if user in getattr(before, "asked", ()):
                aside = (*before.aside, event)
                return attrs.evolve(before, aside=aside), []
        return after, sends


@variant(clauses=("ROOT-5", "SPLIT-4"))
class LowestClockOfAllRoots:
    """Of several roots' clocks a store remembers one, the lowest."""

    def step(address, event, before, after, sends):
        def lowest(answer):
            clocks = [count for _, count in before.memory.persisted.items()]
            return attrs.evolve(answer, persisted=min(clocks, default=0))

        return after, each(sends, Remembered, lowest)


@variant(clauses=("STORE-9", "REC-5"))
class DrawsNotLogged:
    """A write-ahead log does not say what a non-deterministic operation has drawn."""

    def step(address, event, before, after, sends):
        def bare(issued):
            drawn = isinstance(issued.access.operation, Draw)
            return attrs.evolve(issued, result=()) if drawn else issued

        change = lambda m: attrs.evolve(m, issued=tuple(bare(i) for i in m.issued))  # noqa: E731
        return after, each(sends, Recollection, change)


@variant(clauses=("REC-2", "REC-7"))
class AnsweredDiesWithTheStore:
    """A root does not tell a new store which deletes it has answered."""

    def step(address, event, before, after, sends):
        def without(recollection):
            again = tuple(
                one
                for one in recollection.again
                if not isinstance(one, WriteLog) or one.answered is None
            )
            return attrs.evolve(recollection, again=again)

        return after, each(sends, Recollection, without)
