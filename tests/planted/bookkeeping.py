# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Faults in bookkeeping: a wrong key, a place for one of several, a count of what comes again.

What an engineer may get wrong in one component, with all of its own tests green.
"""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Apply,
    Delete,
    Failed,
    Forget,
    Inquire,
    Packet,
    PersistClock,
    Received,
    Recollection,
    Release,
    Remembered,
    Replay,
    ReplayEnd,
    Send,
    WriteLog,
)
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Map, count_of, vertex_of
from chc_ref.variants import each, variant


@variant(clauses=("MOVE-2", "CACHE-2"))
class FlushesWhatTheLastPacketTouched:
    """A flow that is handed over is flushed but for objects that its last packet left alone."""

    def step(address, event, before, after, sends):
        if not isinstance(after, NodeState):
            return after, sends
        flows = {send.message.flow for send in sends if isinstance(send.message, Release)}
        of = {
            flow: [
                send.message.id
                for send in sends
                if isinstance(send.message, Apply) and send.message.id.object.key == flow
            ]
            for flow in flows
        }
        left = set()
        for ids in of.values():
            last = max((one.clock for one in ids), default=0)
            touched = {one.object for one in ids if one.clock == last}
            left |= {one for one in ids if one.object not in touched}
        return after, each(sends, Apply, lambda access: None if access.id in left else access)


@variant(clauses=("REC-1", "REC-7"))
class OneRecoveryAtATime:
    """The manager forgets a failure that it hears of while another recovery is under way."""

    def step(address, event, before, after, sends):
        if isinstance(event, Failed) and before.recovering:
            return before, []
        return after, sends


@variant(clauses=("MOVE-1", "MOVE-3"))
class KnownToTheInstance:
    """A flow that comes back to an instance which had it is sent there as it was the first time."""

    def step(address, event, before, after, sends):
        if not isinstance(after, EntryState | NodeState):
            return after, sends

        def unmarked(send):
            packet = send.message
            if not isinstance(packet, Packet):
                return send
            tenures = after.splitter.routes.get((vertex_of(send.to), packet.flow), ())
            here = [t.instance for t in tenures if t.epoch == packet.epoch]
            epochs = [t.epoch for t in tenures if t.instance in here]
            return Send(send.to, attrs.evolve(packet, epoch=min(epochs, default=packet.epoch)))

        return after, [unmarked(send) for send in sends]


@variant(clauses=("CLONE-2",))
class LastGivenIsLastReplayed:
    """A replay's end is sent with the newest packet alone, which may not be logged any more."""

    def step(address, event, before, after, sends):
        if not isinstance(after, EntryState) or not isinstance(
            getattr(event, "message", None), Replay
        ):
            return after, sends
        ahead = {item.clock for _, item in after.root.unwritten if isinstance(item, Packet)}
        logged = {clock for clock, _ in after.root.log.items()} - ahead

        def ends(end):
            return end if not logged or logged.intersection(end.newest) else None

        return after, each(sends, ReplayEnd, ends)


@variant(clauses=("DUP-2", "DEL-3"))
class ForgetsUpToTheDeletedClock:
    """What packets did is forgotten up to the newest that was deleted: clocks only grow."""

    def newest_past(oldest_logged, count):
        return count

    def step(address, event, before, after, sends):
        if not isinstance(after, EntryState):
            return after, sends

        def up_to(forget):
            clocks = range(forget.first, forget.last + 1)
            deleted = [clock for clock in clocks if clock not in after.root.log]
            return Forget(forget.first, max(deleted)) if deleted else None

        return after, each(sends, Forget, up_to)


@variant(clauses=("ROOT-5", "SPLIT-4"))
class OtherRootsClock:
    """The store keeps the persisted clock under one key: the last root to write it wins."""

    def step(address, event, before, after, sends):
        if not isinstance(after, StoreState) or not isinstance(event, Received):
            return after, sends
        memory = after.memory
        match event.message:
            case PersistClock(count):
                memory = attrs.evolve(memory, persisted=Map({event.source: count}))
            case WriteLog(clock=clock, entry=entry) if entry is not None:
                memory = attrs.evolve(memory, persisted=Map({event.source: count_of(clock)}))
            case Inquire():
                persisted = max((count for _, count in memory.persisted.items()), default=0)
                sends = each(
                    sends, Remembered, lambda answer: attrs.evolve(answer, persisted=persisted)
                )
        return attrs.evolve(after, memory=memory), sends


@variant(clauses=("ROOT-3", "DEL-3"))
class DeletesAreCounted:
    """The root counts deletes: one that comes again counts as that of another branch."""

    def step(address, event, before, after, sends):
        message = getattr(event, "message", None)
        if not isinstance(after, EntryState) or not isinstance(message, Delete):
            return after, sends
        entry = before.root.log.get(message.clock)
        if entry is None or message.branch not in entry.ended or after.root.written:
            return after, sends
        entry = attrs.evolve(entry, share=min(1, entry.share + message.share))
        open_ = [v & ~entry.signals.get(branch, 0) for branch, v in entry.vectors.items()]
        log = after.root.log.insert(message.clock, entry)
        if entry.share == 1 and not any(open_):
            log = log.discard(message.clock)
        return attrs.evolve(after, root=attrs.evolve(after.root, log=log)), sends


@variant(clauses=("DUP-2", "STORE-1"))
class RecordsWithoutVertex:
    """What is on record of a packet's accesses names the object, and not the vertex."""

    def recorded(records, update):
        return any(
            (known.clock, known.branch, known.object.name, known.object.key, known.seq)
            == (update.clock, update.branch, update.object.name, update.object.key, update.seq)
            for known, _ in records.items()
        )


@variant(clauses=("REC-5",))
class NewcomersAreNotReplayed:
    """Of an instance that had updated nothing before the checkpoint no log is re-executed."""

    def step(address, event, before, after, sends):
        message = getattr(event, "message", None)
        if not isinstance(after, StoreState) or not isinstance(message, Recollection):
            return after, sends
        if event.source in before.checkpoint.applied or event.source not in after.recalled:
            return after, sends
        message = attrs.evolve(message, issued=())
        return attrs.evolve(after, recalled=after.recalled.insert(event.source, message)), sends
