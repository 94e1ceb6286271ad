# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of stores: records, owners, signals and callbacks."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Apply,
    Callback,
    Committed,
    Granted,
    Holds,
    Received,
    Release,
    Remembered,
    Result,
    WriteLog,
)
from chc_ref.variants import each, variant


@variant(clauses=("MOVE-3",))
class WaitsForAllOwnersButOne:
    """The new instance waits for all earlier tenures but the one right before its own."""

    def waits_for_owner(asked, current):
        return asked > current + 1


@variant(clauses=("MOVE-2",))
class EndsTwoTenuresAtOnce:
    """The end of the next tenure counts as well as that of the present one."""

    def release_waits(asked, current):
        return asked > current + 2


@variant(clauses=("DUP-3",))
class SeesItself:
    """A replayed packet reads its flow's state as it was behind it."""

    def sees(update, packet):
        return update <= packet


@variant(clauses=("REC-1",))
class VoidsTheLiving:
    """The store takes nothing of the start that the fence is for."""

    def is_void(start, fence):
        return fence > 0 and start <= fence


@variant(clauses=("CACHE-3",))
class CallsTheUpdaterOnly:
    """Readers of a copy are not told what others did to it."""

    def calls_back(reader, updater):
        return reader == updater


@variant(clauses=("REC-1", "REC-5"))
class NoCheckpointAtTheFence:
    """What a dead instance did hangs on its write-ahead log, which is gone."""

    def checkpoints_at_fence(start):
        return False


@variant(clauses=("REC-1",))
class NeverVoid:
    """What a dead instance has under way is taken."""

    def is_void(start, fence):
        return False


@variant(clauses=("DUP-2",))
class KnowsFirstUpdatesOnly:
    """Of the updates that a packet makes of one object the store knows the first again."""

    def recorded(records, update):
        return update.seq == 0 and update in records


@variant(clauses=("DEL-2",))
class SignalsAnotherObject:
    """A commit signal carries the token of the next object."""

    def step(address, event, before, after, sends):
        change = lambda m: attrs.evolve(m, token=m.token << 1)  # noqa: E731
        return after, each(sends, Committed, change)


@variant(clauses=("DEL-2",))
class SignalsTheWholePacket:
    """A commit signal does not say which copy of the packet it is of."""

    def step(address, event, before, after, sends):
        return after, each(sends, Committed, lambda m: attrs.evolve(m, branch=()))


@variant(clauses=("DEL-2",))
class RecordsWithoutToken:
    """The store's records do not tell a new root what was committed."""

    def step(address, event, before, after, sends):
        return after, each(sends, Remembered, lambda m: attrs.evolve(m, signals=()))


@variant(clauses=("REC-2",))
class AnsweredForgotten:
    """A new root does not know which deletes the old one had answered."""

    def step(address, event, before, after, sends):
        return after, each(sends, Remembered, lambda m: attrs.evolve(m, answered=()))


@variant(clauses=("MOVE-4",))
class OwnsWhateverItIsGiven:
    """An instance takes every answer for ownership."""

    def step(address, event, before, after, sends):
        return after, each(sends, Granted, lambda m: attrs.evolve(m, owned=not m.peek))


@variant(clauses=("MOVE-4",))
class NobodyIsNotified:
    """The store notifies nobody who waits when a flow is given up."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Release()):
                return after, [s for s in sends if not isinstance(s.message, Granted)]
        return after, sends


@variant(clauses=("CACHE-3",))
class NoCallbacks:
    """The store calls nobody back."""

    def step(address, event, before, after, sends):
        return after, each(sends, Callback, lambda m: None)


@variant(clauses=("DUP-3",))
class AlwaysLatest:
    """The store says of every state that it is the newest."""

    def step(address, event, before, after, sends):
        return after, each(sends, Granted, lambda m: attrs.evolve(m, latest=True))


@variant(clauses=("DUP-2",))
class RepeatsGetNothing:
    """An update that is known again is answered without what it had returned."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Apply(id=update)) if (
                hasattr(before, "memory") and update in before.memory.records
            ):
                return after, each(sends, Result, lambda m: attrs.evolve(m, value=None))
        return after, sends


@variant(clauses=("ROOT-2",))
class LogsOldestOnly:
    """The log in the store does not get a second packet while it has one."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, WriteLog(_, clock, entry)) if (
                entry is not None
                and hasattr(after, "memory")
                and any(one != clock for one, _ in before.memory.log.items())
            ):
                log = after.memory.log.discard(clock)
                return attrs.evolve(after, memory=attrs.evolve(after.memory, log=log)), sends
        return after, sends


@variant(clauses=("REC-3", "DEL-2"))
class OneSignalAClock:
    """A store tells a new root of one committed update for each packet."""

    def step(address, event, before, after, sends):
        def change(answer):
            signals = tuple({one.clock: one for one in answer.signals}.values())
            return attrs.evolve(answer, signals=signals)

        return after, each(sends, Remembered, change)


@variant(clauses=("REC-3", "REC-2"))
class OneAnswerForAll:
    """The log in the store has the newest answered delete of all hosts, not of each."""

    def step(address, event, before, after, sends):
        return after, each(sends, Remembered, lambda m: attrs.evolve(m, answered=m.answered[-1:]))


@variant(clauses=("DUP-2",))
class RecordsWithoutBranch:
    """An update is a repeat whichever copy of its packet makes it."""

    def recorded(records, update):
        return any(attrs.evolve(one, branch=update.branch) == update for one, _ in records.items())


@variant(clauses=("DUP-3",))
class SeesByClockAlone:
    """A packet sees what packets with lower clocks did, but nothing of earlier copies of itself."""

    def sees(update, packet):
        return update[0] < packet[0]


@variant(clauses=("CHAIN-3", "MOVE-1"))
class HoldsOneFlow:
    """A store names one flow of an instance that is given up."""

    def step(address, event, before, after, sends):
        return after, each(sends, Holds, lambda m: attrs.evolve(m, flows=m.flows[:1]))


@variant(clauses=("CACHE-3",))
class CallsBackOne:
    """Only the first of several readers is told of a new value."""

    def step(address, event, before, after, sends):
        told = [send for send in sends if isinstance(send.message, Callback)]
        return after, [send for send in sends if send not in told[1:]]
