# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of instances: tenures, buffers and caches."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Acquire,
    Apply,
    Drain,
    Drained,
    HandedOver,
    Received,
    Release,
    Send,
)
from chc_ref.variants import each, variant


@variant(clauses=("CACHE-3",))
class CommitsAllButOne:
    """An output leaves while one access is unconfirmed."""

    def commits_first(pending):
        return pending > 1


@variant(clauses=("MOVE-3",))
class ServesFromTheLastTenure:
    """State that was cached in the tenure before serves the packets of this one."""

    def still_owns(tenure, epoch):
        return tenure <= epoch


@variant(clauses=("MOVE-6",))
class AnnouncesTheFirstMoveOnly:
    """An old instance tells downstream of the first move alone."""

    def announces(epoch):
        return epoch == 1


@variant(clauses=("DUP-3",))
class CachesBehindNewer:
    """An instance caches a flow's state though newer packets have changed it."""

    def keeps_cache(replayed, owned, latest):
        return not replayed and owned


@variant(clauses=("MOVE-2",))
class ReleasedAtTheMark:
    """The old instance gives a flow up when the first mark comes, and flushes later."""

    def step(address, event, before, after, sends):
        return after, sorted(sends, key=lambda send: not isinstance(send.message, Release))


@variant(clauses=("MOVE-2",))
class ReleaseOneTooFar:
    """A release names the epoch behind the one that begins."""

    def step(address, event, before, after, sends):
        return after, each(sends, Release, lambda m: attrs.evolve(m, epoch=m.epoch + 1))


@variant(clauses=("DUP-3",))
class AsksForTheClockBefore:
    """State is asked for as it was before the packet before."""

    def step(address, event, before, after, sends):
        return after, each(sends, Acquire, lambda m: attrs.evolve(m, clock=m.clock - 1))


@variant(clauses=("CACHE-2",))
class FlushesNewestFirst:
    """Accesses leave an instance in reverse order."""

    def step(address, event, before, after, sends):
        accesses = [s for s in sends if isinstance(s.message, Apply)][::-1]
        return after, [accesses.pop(0) if isinstance(s.message, Apply) else s for s in sends]


@variant(clauses=("CACHE-4",))
class DrainedUnasked:
    """An instance says that its updates are done without asking the store."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Drain()):
                return after, [
                    Send("manager", s.message) if isinstance(s.message, Drained) else s
                    for s in sends
                ]
        return after, sends


@variant(clauses=("MOVE-1",))
class MoveNeverOver:
    """The manager never hears that a flow was handed over."""

    def step(address, event, before, after, sends):
        return after, each(sends, HandedOver, lambda m: None)


@variant(clauses=("MOVE-3",))
class OneBitOfTenure:
    """Tenures are told apart by one bit: a flow that comes back finds its old cache."""

    def still_owns(tenure, epoch):
        return tenure % 2 == epoch % 2


@variant(clauses=("DUP-3",))
class CacheWheneverOwned:
    """A packet that is no replay begins a cache, whatever the store says of newer ones."""

    def keeps_cache(replayed, owned, latest):
        return (owned and not replayed) or (owned and latest)


@variant(clauses=("MOVE-3",))
class BufferOfTwo:
    """A flow's buffer has room for two; what comes on top is dropped."""

    def buffered(waiting, packet):
        return (*waiting, packet) if len(waiting) < 2 else waiting


@variant(clauses=("MOVE-3",))
class BufferOfThree:
    """A flow's buffer has room for three; what comes on top is dropped."""

    def buffered(waiting, packet):
        return (*waiting, packet) if len(waiting) < 3 else waiting


@variant(clauses=("MOVE-2",))
class FinishesAllButOne:
    """The old instance gives a flow up with one packet waiting."""

    def finishes_first(waiting):
        return waiting > 1


@variant(clauses=("MOVE-2",))
class MajorityOfMarks:
    """A flow is given up when most splitters above have sent the last mark."""

    def all_marked(heard, upstream):
        return len(heard) * 2 > len(upstream)
