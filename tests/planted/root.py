# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of roots: clocks, the log, replays and what a failover takes over."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Arrive,
    Crashed,
    Deleted,
    Forget,
    PersistClock,
    Received,
    Replay,
    ReplayEnd,
    WriteLog,
)
from chc_ref.core.values import Map
from chc_ref.variants import each, variant


@variant(clauses=("ROOT-5",))
class ContinuesOneTooLow:
    """A new root continues at the last clock that the old one may have given."""

    def next_count(persisted, every):
        return persisted + every - 1


@variant(clauses=("ROOT-5",))
class WaitsOneTooLate:
    """One more packet than n is forwarded before the store has the clock."""

    def waits_for_clock(count, persisted, every):
        return every > 0 and count > persisted + every


@variant(clauses=("DUP-2",))
class ForgetsOneTooMany:
    """The oldest packet that is logged is told to be over as well."""

    def newest_past(oldest_logged, count):
        return min(oldest_logged, count)


@variant(clauses=("CLONE-2",))
class ReplaysTheUntouched:
    """Of a packet with several copies nothing is replayed once one of them has ended."""

    def is_replayed(entry, target):
        return not entry.ended


@variant(clauses=("REC-2",))
class DeleteNeverFirst:
    """No delete is told to be the first, so no output leaves."""

    def step(address, event, before, after, sends):
        return after, each(sends, Deleted, lambda m: attrs.evolve(m, first=False))


@variant(clauses=("DUP-2",))
class ForgetsTheNext:
    """The root tells that the packet behind those that are over is over, too."""

    def step(address, event, before, after, sends):
        return after, each(sends, Forget, lambda m: attrs.evolve(m, last=m.last + 1))


@variant(clauses=("CLONE-2",))
class EndBeforeReplay:
    """The mark at the end of a replay is sent before the packets."""

    def step(address, event, before, after, sends):
        return after, sorted(sends, key=lambda send: not isinstance(send.message, ReplayEnd))


@variant(clauses=("REC-1",))
class EndNamesOneMore:
    """The end of a replay names the clock behind the newest."""

    def step(address, event, before, after, sends):
        match event:
            case Received("manager", Replay()):
                change = lambda m: attrs.evolve(m, newest=tuple(n + 1 for n in m.newest))  # noqa: E731
                return after, each(sends, ReplayEnd, change)
        return after, sends


@variant(clauses=("ROOT-5",))
class PersistsOneLess:
    """The root has the clock before its own persisted."""

    def step(address, event, before, after, sends):
        return after, each(
            sends, PersistClock, lambda m: attrs.evolve(m, count=max(m.count - 1, 0))
        )


@variant(clauses=("ROOT-2",))
class LogWithoutVectors:
    """The log in the store has the packets, and not which updates they have induced."""

    def step(address, event, before, after, sends):
        def bare(write):
            if write.entry is None:
                return write
            return attrs.evolve(write, entry=attrs.evolve(write.entry, vectors=Map()))

        return after, each(sends, WriteLog, bare)


@variant(clauses=("REC-3",))
class InputDiesWithTheRoot:
    """What waits for a clock dies with its root."""

    def step(address, event, before, after, sends):
        if isinstance(event, Crashed) and hasattr(after, "root"):
            return attrs.evolve(after, root=attrs.evolve(after.root, waiting=())), sends
        return after, sends


@variant(clauses=("ROOT-1", "ORDER-1"))
class InputOvertakes:
    """Input that comes while other input waits goes before it."""

    def step(address, event, before, after, sends):
        waiting = getattr(getattr(after, "root", None), "waiting", ())
        if len(waiting) > 1 and isinstance(event, Arrive):
            root = attrs.evolve(after.root, waiting=waiting[::-1])
            return attrs.evolve(after, root=root), sends
        return after, sends


@variant(clauses=("REC-1",))
class ReplaysNoneThatEnded:
    """A packet that has ended, and waits for commit signals only, is not replayed."""

    def is_replayed(entry, target):
        return entry.share < 1


@variant(clauses=("REC-1",))
class ReplaysNoneWithSignals:
    """A packet of which some update is committed is taken to be processed, and not replayed."""

    def is_replayed(entry, target):
        return not any(entry.signals.values())


@variant(clauses=("REC-3",))
class ForwardsNoneWithSignals:
    """A new root does not forward again what the stores have committed something of."""

    def forwards_again(entry):
        return not any(entry.signals.values())


@variant(clauses=("ROOT-3",))
class MostHaveEnded:
    """A packet leaves the log when more than half of its copies have ended."""

    def all_ended(share):
        return share * 2 > 1


@variant(clauses=("CLONE-2",))
class EndNamesOneLess:
    """The mark at the end of a replay names the newest packet but one."""

    def step(address, event, before, after, sends):
        change = lambda m: attrs.evolve(m, newest=tuple(max(n - 1, 0) for n in m.newest))  # noqa: E731
        return after, each(sends, ReplayEnd, change)


@variant(clauses=("DEL-3",))
class AnySignalSettles:
    """One commit signal settles all updates of a branch."""

    def settled(vector, signals):
        return not vector or bool(vector & signals)
