# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of who is told: another than it concerns, not all, nobody, or too early."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Apply,
    Arrive,
    Cache,
    CacheKnown,
    Delete,
    Fence,
    LogEntry,
    Move,
    Packet,
    Received,
    Replay,
    ReplayEnd,
    Send,
    Since,
)
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.store import StoreState
from chc_ref.core.values import clock_of, identity_of, spread, vertex_of
from chc_ref.variants import variant


@variant(clauses=("ROOT-3", "SPLIT-4"))
class DeletesToTheFirstRoot:
    """Every delete goes to the first root, whichever has logged the packet."""

    def step(address, event, before, after, sends):
        return after, [
            attrs.evolve(send, to="root") if isinstance(send.message, Delete) else send
            for send in sends
        ]


@variant(clauses=("ROOT-4",))
class LoggedThenDropped:
    """At the threshold a packet gets a clock and is logged, and only then it is dropped."""

    def step(address, event, before, after, sends):
        match event:
            case Arrive(flow, headers) if before.up and not before.asked:
                root = after.root
            case _:
                return after, sends
        if len(root.dropped) == len(before.root.dropped):
            return after, sends
        clock = clock_of(int(address.removeprefix("root") or 0), root.count + 1)
        log = root.log.insert(clock, LogEntry(Packet(clock, flow, headers)))
        root = attrs.evolve(root, count=root.count + 1, log=log)
        return attrs.evolve(after, root=root), sends


@variant(clauses=("CLONE-2", "REC-1"))
class NothingLoggedNoEnd:
    """A root that has nothing to replay sends no end of the replay."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Replay()) if isinstance(before, EntryState) and not before.root.log:
                return after, [s for s in sends if not isinstance(s.message, ReplayEnd)]
        return after, sends


@variant(clauses=("CACHE-4",))
class StopsBeforeItIsFlushed:
    """An instance says that it serves from no cache any more before the store has what it did."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Cache()) if isinstance(after, NodeState) and after.up:
                client = after.instance.client
            case _:
                return after, sends
        early = [
            effect
            for _, effect in client.outbox
            if isinstance(effect, Send) and isinstance(effect.message, CacheKnown)
        ]
        outbox = tuple(item for item in client.outbox if item[1] not in early)
        instance = attrs.evolve(after.instance, client=attrs.evolve(client, outbox=outbox))
        return attrs.evolve(after, instance=instance), [*sends, *early]


@variant(clauses=("SPLIT-3", "MOVE-1", "MOVE-2"))
class PresentSplitterIsTold:
    """Of a move the splitter is told that has the flow now, and its mark alone is waited for.

    The others learn nothing, and may have the flow later.
    """

    def all_marked(heard, upstream):
        return {vertex_of(one) for one in heard} == {vertex_of(one) for one in upstream}

    def step(address, event, before, after, sends):
        if address != "manager":
            return after, sends
        told = [send for send in sends if isinstance(send.message, Move)]

        def is_for(send):
            match send.message:
                case Move(flow=flow):
                    above = vertex_of(send.to)
                    split = sorted({identity_of(s.to) for s in told if vertex_of(s.to) == above})
                    moves = before.moves.get((above, flow), ())
                    at = moves[-1].to if moves else spread(flow, tuple(split))
                    return identity_of(send.to) == at
                case Since():
                    return send.to == event.source
            return True

        return after, [send for send in sends if is_for(send)]


@variant(clauses=("CACHE-3", "REC-1"))
class FailoverIsNoReader:
    """A fenced host is struck off the readers of all copies, and its failover is never put down."""

    def step(address, event, before, after, sends):
        if not isinstance(after, StoreState):
            return after, sends
        readers = after.readers
        match event:
            case Received(source, Apply(id=update, register=True, start=start)) if start:
                kept = readers.get(update.object, frozenset()) - {source}
                readers = readers.insert(update.object, kept)
            case Received(_, Fence(host)):
                for key, of in after.readers.items():
                    readers = readers.insert(key, of - {host})
        return attrs.evolve(after, readers=readers), sends
