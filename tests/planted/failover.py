# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of recoveries: what a failover takes over, and what others do meanwhile."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Again,
    Alert,
    Apply,
    Committed,
    Failed,
    Output,
    Packet,
    PersistClock,
    Recall,
    Received,
    Recollection,
    Remembered,
    Replay,
    Result,
    Send,
    Start,
)
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.operations import Draw, Outcome
from chc_ref.core.store import StoreState
from chc_ref.core.values import Map, ObjectKey, vertex_of
from chc_ref.core.work import Wait
from chc_ref.variants import each, variant


@variant(clauses=("REC-1", "ROOT-2"))
class ReplaysTheFirstHop:
    """The root replays only what it sent to the failed instance itself."""

    def step(address, event, before, after, sends):
        if not isinstance(before, EntryState):
            return after, sends
        return after, [
            s
            for s in sends
            if not (isinstance(s.message, Packet) and s.message.target not in (None, s.to))
        ]


@variant(clauses=("STORE-9", "REC-5"))
class DrawsAgain:
    """The write-ahead log has a draw without what was drawn: a recovered store draws again."""

    def step(address, event, before, after, sends):
        def without(told):
            draws = [i for i in told.issued if isinstance(i.access.operation, Draw)]
            drawn = {draw.access.id.object for draw in draws}
            issued = tuple(
                attrs.evolve(i, result=()) if i.access.id.object in drawn else i
                for i in told.issued
            )
            reads = tuple((key, stamp) for key, stamp in told.reads if key not in drawn)
            return attrs.evolve(told, issued=issued, reads=reads)

        return after, each(sends, Recollection, without)


@variant(clauses=("ROOT-5", "REC-3"))
class BeginsUnpersisted:
    """A new root takes the clock that it begins with for persisted."""

    def step(address, event, before, after, sends):
        if not isinstance(before, EntryState) or not before.asked or after.asked:
            return after, sends
        if after.root.waiting or not after.up:
            return after, sends
        root = attrs.evolve(after.root, persisted=after.root.count + 1)
        return attrs.evolve(after, root=root), sends


@variant(clauses=("ROOT-5", "REC-5"))
class ClockNotRecalled:
    """A recovered store is not told the clock that its predecessor had persisted."""

    def step(address, event, before, after, sends):
        if not isinstance(before, EntryState):
            return after, sends
        newest = max(before.root.persisted, before.root.count)

        def without(told):
            again = tuple(
                m for m in told.again if not (isinstance(m, PersistClock) and m.count <= newest)
            )
            return attrs.evolve(told, again=again)

        return after, each(sends, Recollection, without)


@variant(clauses=("CACHE-3", "REC-5"))
class ReadersForgotten:
    """Readers keep their copies when the store fails; its failover does not know them."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Recall()) if isinstance(before, NodeState) and before.up:
                copies = before.instance.client.copies
                client = attrs.evolve(after.instance.client, copies=copies)
                instance = attrs.evolve(after.instance, client=client)
                return attrs.evolve(after, instance=instance), sends
        return after, sends


@variant(clauses=("REC-1",))
class FirstReplayCounts:
    """A failover that fails during its replay gets no new one: the first goes on."""

    def step(address, event, before, after, sends):
        match event:
            case Failed(host) if "." in host and host in after.recovering:
                _, was_replayed_to = before.recovering.get(host, (0, False))
                if was_replayed_to:
                    start = after.recovering[host][0]
                    recovering = after.recovering.insert(host, (start, True))
                    after = attrs.evolve(after, recovering=recovering, replay=before.replay)
            case Received(_, Start()) if isinstance(after, NodeState):
                after = attrs.evolve(after, queue=attrs.evolve(after.queue, born=0))
        return after, sends


@variant(clauses=("REC-2", "DEL-3"))
class ReplayBeginsAnew:
    """A replay forgets which branches of a logged packet have ended."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Replay()) if before.up and not before.asked:
                log = Map(
                    {
                        clock: attrs.evolve(entry, ended=frozenset(), share=entry.share * 0)
                        for clock, entry in after.root.log.items()
                    }
                )
                return attrs.evolve(after, root=attrs.evolve(after.root, log=log)), sends
        return after, sends


@variant(clauses=("REC-2", "REC-3"))
class RootFailureIsReceipt:
    """An output that waits for its delete's receipt leaves when the root has failed."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Again()) if before.up and before.instance.work is not None:
                work = before.instance.work
                if work.wait is not Wait.DELETE:
                    return after, sends
                clock, branch, leaving = work.packet.clock, work.packet.branch, work.leaving
                left = []
                for index, headers in enumerate(leaving.outputs):
                    name = branch if len(leaving.outputs) == 1 else (*branch, index)
                    left.append(Output(clock, name, work.packet.flow, headers, work.packet.epoch))
                for index, alert in enumerate(leaving.alerts):
                    left.append(Alert(vertex_of(address), clock, alert, branch, index))
                instance = attrs.evolve(
                    after.instance, work=attrs.evolve(after.instance.work, leaving=Outcome())
                )
                sends = [*sends, *(Send("sink", one) for one in left)]
                return attrs.evolve(after, instance=instance), sends
        return after, sends


@variant(clauses=("REC-4", "CACHE-2"))
class CachedAndFlushed:
    """A recovered store takes cached values; their operations are flushed as well."""

    def step(address, event, before, after, sends):
        if not isinstance(before, StoreState) or not before.asked or after.asked or not after.up:
            return after, sends
        recalled = dict(before.recalled.items())
        if isinstance(event.message, Recollection):
            recalled[event.source] = event.message
        busy = {r.message.id.object for r in before.aside if isinstance(r.message, Apply)}
        values = after.memory.values
        for host, told in sorted(recalled.items()):
            for flow, _, cached in told.owned:
                for name, value in cached:
                    key = ObjectKey(vertex_of(host), name, flow)
                    if key in values and key not in busy:
                        values = values.insert(key, value)
        return attrs.evolve(after, memory=attrs.evolve(after.memory, values=values)), sends


@variant(clauses=("DEL-1", "DEL-3", "DUP-3"))
class EmulatedNotInVector:
    """Emulated updates are not in the vector, and vector and signals have to be equal."""

    def settled(vector, signals):
        return vector == signals

    def step(address, event, before, after, sends):
        if not isinstance(before, NodeState) or before.instance.work is None:
            return after, sends
        packet = before.instance.work.packet

        def as_it_came(sent):
            if sent.target in (None, address) or sent.clock != packet.clock:
                return sent
            if sent.branch == packet.branch:
                return attrs.evolve(sent, vector=packet.vector)
            *earlier, (branch, _) = sent.earlier
            return attrs.evolve(sent, earlier=(*earlier, (branch, packet.vector)))

        return after, each(sends, Packet, as_it_came)


@variant(clauses=("REC-5", "DUP-2"))
class LogEndsAtAnswer:
    """An instance forgets a logged access when it is answered."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Result(access)) if after.up:
                client = after.instance.client
                issued = tuple(i for i in client.issued if i.access.id != access)
                instance = attrs.evolve(after.instance, client=attrs.evolve(client, issued=issued))
                return attrs.evolve(after, instance=instance), sends
        return after, sends


@variant(clauses=("DEL-2", "REC-5"))
class SignalsNewCommitsOnly:
    """A recovered store does not repeat the commit signals of what its checkpoint has."""

    def step(address, event, before, after, sends):
        if not isinstance(before, StoreState) or after.asked or not after.up:
            return after, sends
        starts = isinstance(event, Received) and isinstance(event.message, Start)
        if not before.asked and not starts:
            return after, sends
        old = {
            (u.clock, u.branch, r.token) for u, r in before.checkpoint.records.items() if r.token
        }
        return after, [
            s
            for s in sends
            if not isinstance(s.message, Committed)
            or (s.message.clock, s.message.branch, s.message.token) not in old
        ]


@variant(clauses=("REC-3", "STORE-8", "DEL-2"))
class OneStoreOfCommits:
    """A new root takes commits only from the store that has its clock and log."""

    def step(address, event, before, after, sends):
        if isinstance(before, StoreState) and address != "store":
            return after, each(sends, Remembered, lambda told: attrs.evolve(told, signals=()))
        return after, sends
