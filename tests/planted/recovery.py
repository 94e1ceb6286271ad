# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of what a store recovers from: checkpoints, logs and recollections."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Checkpointed,
    CheckpointTimer,
    Crashed,
    Received,
    Recollection,
    Result,
    Start,
)
from chc_ref.core.values import Map
from chc_ref.variants import each, variant


@variant(clauses=("REC-5",))
class TrimsTooFar:
    """An instance forgets its whole write-ahead log at a checkpoint."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Checkpointed()) if hasattr(after, "instance"):
                client = attrs.evolve(after.instance.client, issued=())
                return attrs.evolve(
                    after, instance=attrs.evolve(after.instance, client=client)
                ), sends
        return after, sends


@variant(clauses=("REC-5",))
class CheckpointWithoutTS:
    """A checkpoint does not say which updates are in it."""

    def step(address, event, before, after, sends):
        if isinstance(event, CheckpointTimer):
            checkpoint = attrs.evolve(after.checkpoint, stamps=Map())
            return attrs.evolve(after, checkpoint=checkpoint), sends
        return after, sends


@variant(clauses=("REC-5", "DUP-2"))
class CheckpointWithoutRecords:
    """A checkpoint has values, and no records of the updates behind them."""

    def step(address, event, before, after, sends):
        if isinstance(event, CheckpointTimer):
            return attrs.evolve(
                after, checkpoint=attrs.evolve(after.checkpoint, records=Map())
            ), sends
        return after, sends


@variant(clauses=("REC-6",))
class ReadsOneUpdateOff:
    """TS is one update off: that of the read's object before its newest update."""

    def step(address, event, before, after, sends):
        def older(result):
            if result.stamp is None:
                return result
            return attrs.evolve(
                result, stamp=attrs.evolve(result.stamp, last=result.stamp.last[:-1])
            )

        return after, each(sends, Result, older)


@variant(clauses=("REC-5",))
class ReadsNotRemembered:
    """A user of the store that failed does not tell what it has read."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, reads=()))


@variant(clauses=("REC-5",))
class NothingAskedAgain:
    """A user of the store that failed does not ask again."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, again=()))


@variant(clauses=("REC-4",))
class OwnersNotRemembered:
    """A user of the store that failed does not tell which flows it has."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, owned=()))


@variant(clauses=("REC-5",))
class OneUserIsAsked:
    """A store's failover asks the first of its users alone."""

    def step(address, event, before, after, sends):
        return after, each(sends, Start, lambda m: attrs.evolve(m, ask=m.ask[:1]))


@variant(clauses=("REC-1",))
class FencesDieWithTheStore:
    """A store's failover does not know what was void."""

    def step(address, event, before, after, sends):
        if isinstance(event, Crashed) and hasattr(after, "fences"):
            return attrs.evolve(after, fences=Map()), sends
        return after, sends


@variant(clauses=("REC-5",))
class RemembersOneRead:
    """An instance tells a new store of the read of one object."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, reads=m.reads[:1]))


@variant(clauses=("REC-5",))
class AsksFirstAgain:
    """Of what it had asked without an answer an instance asks only the first thing again."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, again=m.again[:1]))


@variant(clauses=("REC-4",))
class OwnsOneFlow:
    """An instance tells a new store of one flow that it owns."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, owned=m.owned[:1]))


@variant(clauses=("REC-5",))
class NewestNotYetLogged:
    """The newest access is not yet in the write-ahead log when a store fails."""

    def step(address, event, before, after, sends):
        return after, each(sends, Recollection, lambda m: attrs.evolve(m, issued=m.issued[:-1]))
