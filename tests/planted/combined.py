# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults that take two things which no model had together.

A full log and a crash, two roots and a failover, a clone and a move, a list that is empty at first
and a replay: one for each part of the protocol. Nine were written from the paper and its clauses
alone, two when the core was known; two do without rules that the models for these asked for.
"""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Again,
    Apply,
    Cache,
    LastMark,
    Packet,
    Passed,
    Received,
    Send,
    Start,
)
from chc_ref.core.operations import Draw
from chc_ref.core.values import count_of, identity_of
from chc_ref.variants import each, variant

RING = 2


@variant(clauses=("ROOT-4", "ROOT-2"))
class LogIsARing:
    """The root does not drop input: it overwrites its oldest entry, and keeps two."""

    def drops_input(logged, waiting, capacity):
        return False

    def step(address, event, before, after, sends):
        if not address.startswith("root"):
            return after, sends
        root = after.root
        while len(root.log) > RING:
            oldest = min(clock for clock, _ in root.log.items())
            lost = max(root.lost, count_of(oldest))  # its delete is taken for the first
            root = attrs.evolve(root, log=root.log.discard(oldest), lost=lost)
        return (after if root is after.root else attrs.evolve(after, root=root)), sends


@variant(clauses=("SPLIT-3", "REC-1"))
class StartsWithoutMoves:
    """The splitter of an instance's failover begins with the split that the chain began with."""

    def step(address, event, before, after, sends):
        if address != "manager":
            return after, sends
        return after, [
            attrs.evolve(send, message=attrs.evolve(send.message, moves=()))
            if isinstance(send.message, Start) and "." in send.to
            else send
            for send in sends
        ]


@variant(clauses=("CLONE-2", "SPLIT-4"))
class OneRootEndsForAll:
    """Of several roots the first one's mark ends the replay of all."""

    def replay_ended(heard, upstream):
        roots = [one for one in upstream if "." not in one]
        others = [one for one in upstream if "." in one]
        ended = not roots or any(one in heard for one in roots)
        return ended and all(one in heard for one in others)


@variant(clauses=("MOVE-6",))
class MarkSpeaksOfTheInstance:
    """Who hands a flow over tells downstream that all flows that it has have passed."""

    def step(address, event, before, after, sends):
        if "." not in address:
            return after, sends
        out = []
        for send in sends:
            out.append(send)
            if isinstance(send.message, Passed):
                for flow, tenanted in sorted(after.instance.owned.items(), key=repr):
                    if flow != send.message.flow:
                        out.append(Send(send.to, Passed(flow, tenanted.epoch + 1)))
        return after, out


@variant(clauses=("DUP-2", "STORE-7"))
class NoChangeNoRecord:
    """An update of a shared object that leaves the value as it was is not recorded."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Apply(id=update, operation=operation)) if address.startswith("store"):
                pass
            case _:
                return after, sends
        new = update in after.memory.records and update not in before.memory.records
        shared = update.object not in after.memory.versions
        if not (new and shared) or operation.reads_only or isinstance(operation, Draw):
            return after, sends
        value = after.memory.values[update.object]
        if value != before.memory.values.get(update.object, ()):
            return after, sends
        records = after.memory.records.discard(update)
        return attrs.evolve(after, memory=attrs.evolve(after.memory, records=records)), sends


@variant(clauses=("CACHE-4",))
class KeepsTheOldCopy:
    """An instance that may not serve from its copies keeps them, and goes on from them later."""

    def step(address, event, before, after, sends):
        if "." not in address or not isinstance(getattr(event, "message", None), Cache):
            return after, sends
        client, copies = after.instance.client, after.instance.client.copies
        for key, value in before.instance.client.copies.items():
            copies = copies.insert(key, copies.get(key, value))
        instance = attrs.evolve(after.instance, client=attrs.evolve(client, copies=copies))
        return attrs.evolve(after, instance=instance), sends


def _packets(state, event):
    """Give the packets that an instance may be about to send on."""
    work = state.instance.work
    items = [item for _, item in (*state.instance.lane, *state.instance.fifo, *state.queue.late)]
    items += [] if work is None else [work.packet]
    items += [getattr(event, "message", None)]
    return [item for item in items if isinstance(item, Packet)]


@variant(clauses=("DEL-1", "DUP-3"))
class EmulatedInducesNothing:
    """An instance that emulates a replayed packet's updates adds no tokens to its vector."""

    def step(address, event, before, after, sends):
        if "." not in address:
            return after, sends
        came = {(p.clock, p.branch, p.target): p.vector for p in _packets(before, event)}

        def stripped(packet):
            if packet.target is None:
                return packet
            same = came.get((packet.clock, packet.branch, packet.target))
            if same is not None:
                return attrs.evolve(packet, vector=same)
            branch = packet.earlier[-1][0] if packet.earlier else None
            forked = came.get((packet.clock, branch, packet.target))
            if forked is None:
                return packet
            return attrs.evolve(packet, earlier=(*packet.earlier[:-1], (branch, forked)))

        return after, each(sends, Packet, stripped)


@variant(clauses=("CLONE-3", "MOVE-1"))
class MarksForTheStraggler:
    """Of the two hosts of a cloned instance only the straggler gets last marks."""

    def step(address, event, before, after, sends):
        told, out = {}, []
        for send in sends:
            if isinstance(send.message, LastMark):
                first = told.setdefault((identity_of(send.to), send.message), send.to)
                if first != send.to:
                    continue
            out.append(send)
        return after, out


@variant(clauses=("CLONE-3", "MOVE-6"))
class CloneMarksAtOnce:
    """A mute clone says at once that a flow has passed, as the other host does."""

    def marks_stay_mute(mute):
        return False


@variant(clauses=("CLONE-3", "REC-3"))
class StoppedAndDeaf:
    """A host that is to stop does not repeat its last delete for a new root."""

    def step(address, event, before, after, sends):
        asked = isinstance(getattr(event, "message", None), Again)
        return after, [] if asked and "." in address and before.stopping else sends


@variant(clauses=("REC-5", "REC-6"))
class FromTSByClock:
    """A store's failover re-executes of each log what has a greater clock than its TS."""

    def most_recent(stamps, logs):
        base = max(stamps, key=lambda stamp: stamp.version)
        last = []
        for host, update, result in base.last:
            log = next((log for log in logs if update in log), (update,))
            newest = update.clock
            for later in log[log.index(update) + 1 :]:
                if later.clock > newest:
                    break
                update, result = later, None
            last.append((host, update, result))
        return attrs.evolve(base, last=tuple(last))


@variant(clauses=("ROOT-5", "REC-3"))
class NewRootPersistsNothing:
    """A new root takes the clock that it begins with for persisted."""

    def step(address, event, before, after, sends):
        if not address.startswith("root"):
            return after, sends
        if not before.asked or after.asked or after.root.persisted >= after.root.count:
            return after, sends
        root = attrs.evolve(after.root, persisted=after.root.count)
        return attrs.evolve(after, root=root), sends


@variant(clauses=("REC-3", "REC-7"))
class NewRootKnowsWhoIsUp:
    """A new root is told only of moves to instances that are up."""

    def step(address, event, before, after, sends):
        if address != "manager":
            return after, sends
        up = lambda move: move.to not in after.recovering  # noqa: E731
        return after, [
            attrs.evolve(
                send,
                message=attrs.evolve(send.message, moves=tuple(filter(up, send.message.moves))),
            )
            if isinstance(send.message, Start) and send.to.startswith("root")
            else send
            for send in sends
        ]
