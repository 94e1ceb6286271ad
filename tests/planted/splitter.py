# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of splitters: routes, marks, copies and replayed packets."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Packet,
)
from chc_ref.variants import each, variant


@variant(clauses=("MOVE-5",))
class TenureBeginsBehindItsFirst:
    """The first packet of a tenure still goes to the old instance."""

    def tenure_at(clock, begins):
        return max(n for n, one in enumerate(begins) if one is not None and (one < clock or n == 0))


@variant(clauses=("MOVE-1",))
class MarksTheFirstMoveOnly:
    """A flow's second move is not told to the old instance."""

    def marks_last(epoch):
        return epoch == 1


@variant(clauses=("DUP-3",))
class ReplaysToAll:
    """A replay's target processes what was replayed for its siblings as well."""

    def is_replayed_to(instance, target):
        return True


@variant(clauses=("DEL-1",))
class VectorNotPassedOn:
    """A packet goes on without the tokens of what it induced."""

    def step(address, event, before, after, sends):
        return after, each(sends, Packet, lambda m: attrs.evolve(m, vector=0, earlier=()))


@variant(clauses=("MOVE-6",))
class AfterForgotten:
    """A packet does not carry the move that it comes after."""

    def step(address, event, before, after, sends):
        return after, each(sends, Packet, lambda m: attrs.evolve(m, after=0))


@variant(clauses=("MOVE-1", "MOVE-3"))
class FirstMarkForgotten:
    """A packet does not carry the mark "first"."""

    def step(address, event, before, after, sends):
        return after, each(sends, Packet, lambda m: attrs.evolve(m, epoch=0))


@variant(clauses=("DUP-3",))
class ReplayWithoutTarget:
    """Replayed packets do not say whom they are for."""

    def step(address, event, before, after, sends):
        return after, each(sends, Packet, lambda m: attrs.evolve(m, target=None))


@variant(clauses=("DUP-1", "DUP-3"))
class ReplayNotTold:
    """Replayed packets look like new ones."""

    def step(address, event, before, after, sends):
        return after, each(sends, Packet, lambda m: attrs.evolve(m, target=None, session=0))


@variant(clauses=("MOVE-5",))
class TwoTenures:
    """A splitter tells the present tenure from the first one, and forgets those between."""

    def tenure_at(clock, begins):
        newest = len(begins) - 1
        return newest if begins[newest] is None or clock >= begins[newest] else 0


@variant(clauses=("CLONE-1",))
class CloneOnly:
    """Once an instance is cloned, new packets go to the clone alone."""

    def receivers(hosts):
        return hosts[-1:]


@variant(clauses=("QUEUE-2",))
class ForgetsTheFork:
    """A copy is named by the last fork it went through."""

    def branch_of(branch, index):
        return (index,)


@variant(clauses=("QUEUE-2",))
class FirstCopyKeepsItsName:
    """The first of several copies keeps the name of the packet."""

    def branch_of(branch, index):
        return branch if index == 0 else (*branch, index)


@variant(clauses=("MOVE-1", "REC-1"))
class RepeatsOldMarksOnly:
    """A failover's splitter repeats the last mark of a flow's first move only."""

    def repeats_marks(epoch):
        return epoch == 1


@variant(clauses=("MOVE-5",))
class AsksForSecondMoveOnly:
    """Only from the second move on a splitter asks where a tenure begins."""

    def asks_where_it_begins(epoch):
        return epoch > 1


@variant(clauses=("MOVE-5",))
class MixesTenures:
    """What a flow's earlier instance above sends once more may begin a new tenure."""

    def may_begin(tenure, behind):
        return True


@variant(clauses=("MOVE-1", "REC-1"))
class MarksBeforeReplay:
    """A failover's splitter gives the last mark of a move when it hears of it."""

    def marks_at_once(recovering):
        return True
