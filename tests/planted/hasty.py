# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of who is hasty: answers, forwards, stops or tells before all is there."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Apply,
    Delete,
    Granted,
    Holds,
    LastMark,
    Leaving,
    Over,
    Packet,
    Received,
    Result,
    Send,
    Since,
    Start,
    Stop,
    WriteLog,
)
from chc_ref.core.node import DOWN, EntryState, NodeState
from chc_ref.core.operations import CompareAndUpdate, Get, Increment, Push, Put
from chc_ref.core.store import StoreState
from chc_ref.core.values import identity_of
from chc_ref.core.work import Loaded, Wait
from chc_ref.variants import each, variant


@variant(clauses=("DEL-1", "DEL-2", "DEL-3"))
class OneBit:
    """The vector is one bit, "this packet has updated something": one commit signal settles all."""

    def add_token(vector, token):
        return 1


@variant(clauses=("MOVE-2",))
class IgnoresUnknownLast:
    """An instance takes no notice of the last mark of a flow of which it has nothing."""

    def step(address, event, before, after, sends):
        if not (isinstance(after, NodeState) and after.up and isinstance(event, Received)):
            return after, sends
        mark = event.message
        if not isinstance(mark, LastMark) or before.queue != after.queue:
            return after, sends
        instance = before.instance
        items = [item for _, item in instance.fifo]
        items += [item.packet if isinstance(item, Loaded) else item for item in instance.ready]
        items += [instance.work.packet] if instance.work is not None else []
        has = mark.flow in instance.owned
        has = has or any(flow == mark.flow for (flow, _), _ in instance.blocked.items())
        has = has or any(isinstance(item, Packet) and item.flow == mark.flow for item in items)
        return (after, sends) if has else (before, [])


@variant(clauses=("MOVE-4", "MOVE-5"))
class BufferedBehindQueue:
    """When the state of a flow comes, its buffered packets go to the end of the input queue."""

    def step(address, event, before, after, sends):
        if not (isinstance(after, NodeState) and isinstance(event, Received)):
            return after, sends
        if not isinstance(event.message, Granted):
            return after, sends
        old, new = before.instance.ready, after.instance.ready
        came = new[len(old) :]
        if new[: len(old)] != old or not came or any(isinstance(one, Loaded) for one in came):
            return after, sends
        fifo = (*after.instance.fifo, *(("", one) for one in came))
        return attrs.evolve(
            after, instance=attrs.evolve(after.instance, ready=old, fifo=fifo)
        ), sends


def _present(operation, value, result):
    match operation:
        case Get() | Put() | Increment():
            return value
        case Push():
            return len(value)
        case CompareAndUpdate(_, new):
            return value == new
    return result


@variant(clauses=("DUP-2",))
class RepeatGetsPresentValue:
    """The store answers a repeated access with what the object says now, not with its record."""

    def step(address, event, before, after, sends):
        if not (isinstance(after, StoreState) and isinstance(event, Received)):
            return after, sends
        request = event.message
        if not isinstance(request, Apply) or request.id not in before.memory.records:
            return after, sends
        value = after.memory.values.get(request.id.object)
        if value is None:
            return after, sends
        operation = request.operation
        return after, each(
            sends, Result, lambda r: attrs.evolve(r, value=_present(operation, value, r.value))
        )


@variant(clauses=("REC-1", "REC-3"))
class OnlyMovesUnderWay:
    """A failover's splitter is told the moves that are under way, and none that is over."""

    def step(address, event, before, after, sends):
        if address == "manager":
            busy = {
                (move.vertex, move.flow, move.epoch)
                for _, moves in after.under_way.items()
                for move in moves
            }

            def told(start):
                moves = (m for m in start.moves if (m.vertex, m.flow, m.epoch) in busy)
                return attrs.evolve(start, moves=tuple(moves))

            return after, each(sends, Start, told)
        if isinstance(event, Received) and isinstance(event.message, Since):
            since = event.message
            if (since.vertex, since.flow) not in before.splitter.routes:
                return before, []  # of a move that it was not told of
        return after, sends


@variant(clauses=("REC-3", "ROOT-3"))
class ForwardsOnlyUntouched:
    """A new root forwards again only what no delete has come of: the rest was out."""

    def forwards_again(entry):
        return entry.share == 0


@variant(clauses=("CLONE-3", "REC-2"))
class StopAtOnce:
    """The host that is not kept is down at once, though its delete has no answer yet."""

    def step(address, event, before, after, sends):
        if not (isinstance(after, NodeState) and isinstance(event, Received)):
            return after, sends
        if not isinstance(event.message, Stop) or not after.stopping:
            return after, sends
        assert after.instance.work.wait is Wait.DELETE
        return DOWN, [*sends, Send("sink", Over(address))]


# ------------------------------------------------------------------ reserves


@variant(clauses=("ROOT-2", "DEL-3", "REC-7"))
class StoreLogDroppedOnDelete:
    """The store drops an entry of the log at its last delete; the root alone awaits commits."""

    def step(address, event, before, after, sends):
        if not (isinstance(after, EntryState) and isinstance(event, Received)):
            return after, sends
        if not isinstance(event.message, Delete):
            return after, sends
        return after, each(
            sends,
            WriteLog,
            lambda w: (
                attrs.evolve(w, entry=None) if w.entry is not None and w.entry.share == 1 else w
            ),
        )


@variant(clauses=("CHAIN-3", "MOVE-5"))
class LeavingFirst:
    """An instance that leaves the split says what flows it has at the first splitter's mark."""

    def step(address, event, before, after, sends):
        if not (isinstance(after, NodeState) and after.up and isinstance(event, Received)):
            return after, sends
        if not isinstance(event.message, Leaving):
            return after, sends
        number = event.message.number
        came = after.instance.leaving.get(number, frozenset())
        if before.instance.leaving.get(number, frozenset()) or len(came) != 1:
            return after, sends
        if any(isinstance(send.message, Holds) for send in sends):
            return after, sends
        start = after.instance.client.start
        return after, [*sends, Send("store", Holds(identity_of(address), number, start))]
