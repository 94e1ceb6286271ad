# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of thrift: what is used once, kept once, not waited for, or sent a shorter way."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Callback,
    Fence,
    Output,
    Packet,
    Received,
    Replay,
    ReplayEnd,
    Result,
    Send,
    WriteLog,
)
from chc_ref.core.store import StoreState
from chc_ref.core.values import count_of, root_of
from chc_ref.core.work import Wait
from chc_ref.variants import each, variant


@variant(clauses=("CACHE-3",))
class CallbackIsAWatch:
    """A callback uses up the reader's registration: its copy stays, and is not renewed again."""

    def step(address, event, before, after, sends):
        if not isinstance(after, StoreState):
            return after, sends
        readers = after.readers
        for send in sends:
            if isinstance(send.message, Callback):
                key = send.message.object
                readers = readers.insert(key, readers.get(key, frozenset()) - {send.to})
        return attrs.evolve(after, readers=readers), sends


@variant(clauses=("MOVE-6",))
class HoldsBackWhatWasBuffered:
    """Output of a packet that did not wait for its flow's state is not held back downstream."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Packet(clock, flow, epoch=epoch, target=None)) if epoch:
                pass
            case _:
                return after, sends
        busy = before.instance.work is not None or (flow, epoch) in before.instance.blocked
        if not after.up or busy:
            return after, sends

        def freed(item):
            return attrs.evolve(item, after=0) if item.clock == clock else item

        sends = each(each(sends, Packet, freed), Output, freed)
        work = after.instance.work
        if work is not None and work.wait is Wait.DELETE and work.packet.clock == clock:
            # The output takes what it comes after from the packet when the delete is answered.
            work = attrs.evolve(work, packet=attrs.evolve(work.packet, epoch=0))
            after = attrs.evolve(after, instance=attrs.evolve(after.instance, work=work))
        return after, sends


@variant(clauses=("ROOT-5",))
class ClockOfTheLog:
    """With the log in the store, a new root goes on after the newest clock that is logged."""

    def step(address, event, before, after, sends):
        match event:
            case Received(source, WriteLog()) if after.up:
                memory, root = after.memory, int(source.removeprefix("root") or 0)
                logged = [count_of(at) for at, _ in memory.log.items() if root_of(at) == root]
                persisted = memory.persisted.insert(source, max(logged, default=0))
                memory = attrs.evolve(memory, persisted=persisted)
                return attrs.evolve(after, memory=memory), sends
        return after, sends


@variant(clauses=("REC-1",))
class OneFence:
    """An instance that fails again is not fenced again."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Fence(host)) if host in before.fences:
                fences = after.fences.insert(host, before.fences[host])
                return attrs.evolve(after, fences=fences), sends
        return after, sends


@variant(clauses=("REC-5",))
class FirstFenceCheckpoints:
    """A store writes a checkpoint at an instance's first fence, and not at the next."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Fence(host)) if host in before.fences:
                return attrs.evolve(after, checkpoint=before.checkpoint), sends
        return after, sends


@variant(clauses=("CLONE-2", "REC-1"))
class EndByTheShortestWay:
    """The root sends the end of a replay straight to its target."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Replay(target)):
                ends = [send for send in sends if isinstance(send.message, ReplayEnd)]
                if ends and all(send.to != target for send in ends):
                    others = [send for send in sends if send not in ends]
                    return after, [*others, Send(target, ends[0].message)]
        return after, sends

    def replay_ended(heard, upstream):
        if any(one.startswith("root") for one in upstream):
            return all(one in heard for one in upstream)
        return any(one.startswith("root") for one in heard)


@variant(clauses=("REC-5", "DUP-2"))
class ReadTruncatesLog:
    """With a read, an instance drops its own earlier updates of that object from its log."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Result(read, known=True, stamp=stamp)) if stamp and after.up:
                pass
            case _:
                return after, sends
        client = after.instance.client
        ids = [issued.access.id for issued in client.issued]
        at = ids.index(read) if read in ids else 0
        issued = tuple(
            entry
            for n, entry in enumerate(client.issued)
            if n >= at or entry.access.id.object != read.object
        )
        client = attrs.evolve(client, issued=issued)
        return attrs.evolve(after, instance=attrs.evolve(after.instance, client=client)), sends


@variant(clauses=("DUP-1", "REC-1"))
class OnePassPerTarget:
    """A queue lets a replayed packet pass once for each target, whichever replay it is of."""

    def seen_before(seen, key):
        clock, branch, replay = key
        if replay is None:
            return key in seen
        passed = [(c, b, r[0]) for (c, b, r), _ in seen.items() if r is not None]
        return (clock, branch, replay[0]) in passed
