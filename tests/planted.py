# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults: wrong protocols that the models were not made for.

Written as a user writes variants (docs/variants.md): rules in a class, in a file of its own, and
nothing else of the package but its messages. None of them is one of the shipped ablations.
``test_planted.py`` says which model finds each, and which are no faults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.messages import (
    Acquire,
    Alert,
    Apply,
    Arrive,
    Callback,
    Checkpointed,
    CheckpointTimer,
    Committed,
    Crashed,
    Delete,
    Deleted,
    Drain,
    Drained,
    Forget,
    Granted,
    HandedOver,
    Move,
    Output,
    Packet,
    PersistClock,
    Received,
    Recollection,
    Release,
    Remembered,
    Replay,
    ReplayEnd,
    Result,
    Send,
    Since,
    Start,
    WriteLog,
)
from chc_ref.core.values import Map
from chc_ref.variants import variant

Step = tuple[Any, list[Send]]


def _each(sends: list[Send], kind: type, change: Callable[[Any], Any]) -> list[Send]:
    """Give what is sent, with every message of a kind changed; None drops it."""
    changed = [
        (send.to, change(send.message) if isinstance(send.message, kind) else send.message)
        for send in sends
    ]
    return [Send(to, message) for to, message in changed if message is not None]


# ---------------------------------------------------------------------- off by one


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


@variant(clauses=("MOVE-6",))
class WaitsForOneMarkLess:
    """Output waits for the marks of all tenures before its own but the last."""

    def held_back(after, passed):
        return any(epoch not in passed for epoch in range(1, after))


@variant(clauses=("MOVE-5",))
class TenureBeginsBehindItsFirst:
    """The first packet of a tenure still goes to the old instance."""

    def tenure_at(clock, begins):
        return max(n for n, one in enumerate(begins) if one is not None and (one < clock or n == 0))


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
class DropsOneTooMany:
    """The first new packet behind a replay is taken for one that was in it."""

    def was_replayed(clock, newest):
        return clock <= newest + 1


@variant(clauses=("REC-1",))
class VoidsTheLiving:
    """The store takes nothing of the start that the fence is for."""

    def is_void(start, fence):
        return fence > 0 and start <= fence


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


# ---------------------------------------------------------------------- a rule in part


@variant(clauses=("MOVE-1",))
class MarksTheFirstMoveOnly:
    """A flow's second move is not told to the old instance."""

    def marks_last(epoch):
        return epoch == 1


@variant(clauses=("MOVE-6",))
class AnnouncesTheFirstMoveOnly:
    """An old instance tells downstream of the first move alone."""

    def announces(epoch):
        return epoch == 1


@variant(clauses=("CACHE-3",))
class CallsTheUpdaterOnly:
    """Readers of a copy are not told what others did to it."""

    def calls_back(reader, updater):
        return reader == updater


@variant(clauses=("CLONE-2",))
class ReplaysTheUntouched:
    """Of a packet with several copies nothing is replayed once one of them has ended."""

    def is_replayed(entry, target):
        return not entry.ended


@variant(clauses=("DUP-3",))
class CachesBehindNewer:
    """An instance caches a flow's state though newer packets have changed it."""

    def keeps_cache(replayed, owned, latest):
        return not replayed and owned


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


@variant(clauses=("REC-1",))
class StartsUnfenced:
    """A failover begins before the store has voided what its predecessor sent."""

    def fences_first(session):
        return False


@variant(clauses=("CLONE-2",))
class ReplaysWithCaches:
    """A clone's replay begins while its siblings still serve from caches."""

    def replays_at(hosts_heard, caches_heard):
        return hosts_heard


@variant(clauses=("DUP-2",))
class KnowsFirstUpdatesOnly:
    """Of the updates that a packet makes of one object the store knows the first again."""

    def recorded(records, update):
        return update.seq == 0 and update in records


@variant(clauses=("DUP-3",))
class ReplaysToAll:
    """A replay's target processes what was replayed for its siblings as well."""

    def is_replayed_to(instance, target):
        return True


# ---------------------------------------------------------------------- deletes and signals


@variant(clauses=("DEL-2",))
class SignalsAnotherObject:
    """A commit signal carries the token of the next object."""

    def step(address, event, before, after, sends):
        change = lambda m: attrs.evolve(m, token=m.token << 1)  # noqa: E731
        return after, _each(sends, Committed, change)


@variant(clauses=("DEL-2",))
class SignalsTheWholePacket:
    """A commit signal does not say which copy of the packet it is of."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Committed, lambda m: attrs.evolve(m, branch=()))


@variant(clauses=("DEL-1",))
class DeleteForgetsEarlier:
    """A delete carries the vector of its own branch alone."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Delete, lambda m: attrs.evolve(m, vectors=m.vectors[:1]))


@variant(clauses=("DEL-1",))
class VectorNotPassedOn:
    """A packet goes on without the tokens of what it induced."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Packet, lambda m: attrs.evolve(m, vector=0, earlier=()))


@variant(clauses=("ROOT-3",))
class EveryShareIsWhole:
    """The delete of one copy counts for all."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Delete, lambda m: attrs.evolve(m, share=m.share / m.share))


@variant(clauses=("REC-2",))
class DeleteNeverFirst:
    """No delete is told to be the first, so no output leaves."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Deleted, lambda m: attrs.evolve(m, first=False))


@variant(clauses=("DEL-2",))
class RecordsWithoutToken:
    """The store's records do not tell a new root what was committed."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Remembered, lambda m: attrs.evolve(m, signals=()))


@variant(clauses=("REC-2",))
class AnsweredForgotten:
    """A new root does not know which deletes the old one had answered."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Remembered, lambda m: attrs.evolve(m, answered=()))


@variant(clauses=("DUP-2",))
class ForgetsTheNext:
    """The root tells that the packet behind those that are over is over, too."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Forget, lambda m: attrs.evolve(m, last=m.last + 1))


# ---------------------------------------------------------------------- moves


@variant(clauses=("MOVE-2",))
class ReleasedAtTheMark:
    """The old instance gives a flow up when the first mark comes, and flushes later."""

    def step(address, event, before, after, sends):
        return after, sorted(sends, key=lambda send: not isinstance(send.message, Release))


@variant(clauses=("MOVE-2",))
class ReleaseOneTooFar:
    """A release names the epoch behind the one that begins."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Release, lambda m: attrs.evolve(m, epoch=m.epoch + 1))


@variant(clauses=("MOVE-4",))
class OwnsWhateverItIsGiven:
    """An instance takes every answer for ownership."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Granted, lambda m: attrs.evolve(m, owned=not m.peek))


@variant(clauses=("MOVE-4",))
class NobodyIsNotified:
    """The store notifies nobody who waits when a flow is given up."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Release()):
                return after, [s for s in sends if not isinstance(s.message, Granted)]
        return after, sends


@variant(clauses=("MOVE-6",))
class AfterForgotten:
    """A packet does not carry the move that it comes after."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Packet, lambda m: attrs.evolve(m, after=0))


@variant(clauses=("MOVE-1", "MOVE-3"))
class FirstMarkForgotten:
    """A packet does not carry the mark "first"."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Packet, lambda m: attrs.evolve(m, epoch=0))


@variant(clauses=("MOVE-5",))
class TenureBeginsOneLater:
    """The manager fixes one clock too late."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Since, lambda m: attrs.evolve(m, clock=m.clock + 1))


@variant(clauses=("SPLIT-3",))
class OneSplitterIsTold:
    """Of all splitters above a vertex the first alone is told of a move."""

    def step(address, event, before, after, sends):
        told = [send for send in sends if isinstance(send.message, Move)]
        return after, [send for send in sends if send not in told[1:]]


@variant(clauses=("MOVE-1",))
class MoveNeverOver:
    """The manager never hears that a flow was handed over."""

    def step(address, event, before, after, sends):
        return after, _each(sends, HandedOver, lambda m: None)


# ---------------------------------------------------------------------- state


@variant(clauses=("CACHE-3",))
class NoCallbacks:
    """The store calls nobody back."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Callback, lambda m: None)


@variant(clauses=("DUP-3",))
class AsksForTheClockBefore:
    """State is asked for as it was before the packet before."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Acquire, lambda m: attrs.evolve(m, clock=m.clock - 1))


@variant(clauses=("DUP-3",))
class AlwaysLatest:
    """The store says of every state that it is the newest."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Granted, lambda m: attrs.evolve(m, latest=True))


@variant(clauses=("DUP-2",))
class RepeatsGetNothing:
    """An update that is known again is answered without what it had returned."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Apply(id=update)) if (
                hasattr(before, "memory") and update in before.memory.records
            ):
                return after, _each(sends, Result, lambda m: attrs.evolve(m, value=None))
        return after, sends


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


# ---------------------------------------------------------------------- replays


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
                return after, _each(sends, ReplayEnd, change)
        return after, sends


@variant(clauses=("DUP-3",))
class ReplayWithoutTarget:
    """Replayed packets do not say whom they are for."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Packet, lambda m: attrs.evolve(m, target=None))


@variant(clauses=("DUP-1", "DUP-3"))
class ReplayNotTold:
    """Replayed packets look like new ones."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Packet, lambda m: attrs.evolve(m, target=None, session=0))


@variant(clauses=("CLONE-2",))
class CloneReleasesEarly:
    """What a clone was to keep until its replay is done, it processes at once."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Start()) if address.endswith("'"):
                return attrs.evolve(after, queue=attrs.evolve(after.queue, recovering=False)), sends
        return after, sends


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
        return after, _each(sends, Alert, lambda m: None)


# ---------------------------------------------------------------------- stores and roots


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

        return after, _each(sends, Result, older)


@variant(clauses=("REC-5",))
class ReadsNotRemembered:
    """A user of the store that failed does not tell what it has read."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Recollection, lambda m: attrs.evolve(m, reads=()))


@variant(clauses=("REC-5",))
class NothingAskedAgain:
    """A user of the store that failed does not ask again."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Recollection, lambda m: attrs.evolve(m, again=()))


@variant(clauses=("REC-4",))
class OwnersNotRemembered:
    """A user of the store that failed does not tell which flows it has."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Recollection, lambda m: attrs.evolve(m, owned=()))


@variant(clauses=("REC-5",))
class OneUserIsAsked:
    """A store's failover asks the first of its users alone."""

    def step(address, event, before, after, sends):
        return after, _each(sends, Start, lambda m: attrs.evolve(m, ask=m.ask[:1]))


@variant(clauses=("REC-1",))
class FencesDieWithTheStore:
    """A store's failover does not know what was void."""

    def step(address, event, before, after, sends):
        if isinstance(event, Crashed) and hasattr(after, "fences"):
            return attrs.evolve(after, fences=Map()), sends
        return after, sends


@variant(clauses=("ROOT-5",))
class PersistsOneLess:
    """The root has the clock before its own persisted."""

    def step(address, event, before, after, sends):
        return after, _each(
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

        return after, _each(sends, WriteLog, bare)


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
