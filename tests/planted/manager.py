# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of the manager: moves, and what failovers are told."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Cache,
    Move,
    Replay,
    Since,
    Start,
)
from chc_ref.variants import each, variant


def _newest(moves):
    """Give the newest move of each flow at each vertex."""
    newest = {(move.vertex, move.flow): move for move in moves}
    return tuple(newest.values())


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


@variant(clauses=("MOVE-5",))
class TenureBeginsOneLater:
    """The manager fixes one clock too late."""

    def step(address, event, before, after, sends):
        return after, each(sends, Since, lambda m: attrs.evolve(m, clock=m.clock + 1))


@variant(clauses=("SPLIT-3",))
class OneSplitterIsTold:
    """Of all splitters above a vertex the first alone is told of a move."""

    def step(address, event, before, after, sends):
        told = [send for send in sends if isinstance(send.message, Move)]
        return after, [send for send in sends if send not in told[1:]]


@variant(clauses=("MOVE-5",))
class BeginsAsAsked:
    """A tenure begins with the clock that is asked for, though the one before begins later."""

    def begins_at(asked, before):
        return asked


@variant(clauses=("REC-1",))
class ReplaysAtFirstRoot:
    """The manager asks one root for a replay."""

    def step(address, event, before, after, sends):
        asked = [s for s in sends if isinstance(s.message, Replay) and s.to != "root"]
        return after, [send for send in sends if send not in asked]


@variant(clauses=("REC-1", "MOVE-5"))
class StartsWithNewestMoves:
    """A failover is told the newest move of each flow."""

    def step(address, event, before, after, sends):
        return after, each(sends, Start, lambda m: attrs.evolve(m, moves=_newest(m.moves)))


@variant(clauses=("REC-1", "MOVE-5"))
class StartsWithoutBegins:
    """A failover is told moves, but not where their tenures begin."""

    def step(address, event, before, after, sends):
        def change(start):
            moves = tuple(attrs.evolve(one, since=None) for one in start.moves)
            return attrs.evolve(start, moves=moves)

        return after, each(sends, Start, change)


@variant(clauses=("REC-1", "CACHE-4"))
class StartsWithCaches:
    """A failover may always serve shared objects from its cache."""

    def step(address, event, before, after, sends):
        return after, each(sends, Start, lambda m: attrs.evolve(m, cache=Cache(True)))


@variant(clauses=("REC-1", "CHAIN-3"))
class StartsWithoutRoutes:
    """A failover is not told where flows were when their vertex was scaled."""

    def step(address, event, before, after, sends):
        return after, each(sends, Start, lambda m: attrs.evolve(m, routes=()))


@variant(clauses=("REC-1", "CHAIN-3"))
class StartsWithoutScales:
    """A failover splits as the chain was compiled."""

    def step(address, event, before, after, sends):
        return after, each(sends, Start, lambda m: attrs.evolve(m, scales=()))


@variant(clauses=("REC-1", "CLONE-1"))
class StartsWithoutHosts:
    """A failover is not told that an instance below runs on two hosts."""

    def step(address, event, before, after, sends):
        return after, each(sends, Start, lambda m: attrs.evolve(m, hosts=()))


@variant(clauses=("REC-5", "CLONE-3"))
class AsksNobodyThatIsToStop:
    """A store's failover does not ask a host that is to stop, and still sends."""

    def step(address, event, before, after, sends):
        if not hasattr(after, "leaving"):
            return after, sends
        stays = lambda m: attrs.evolve(m, ask=tuple(a for a in m.ask if a not in after.leaving))  # noqa: E731
        return after, each(sends, Start, stays)
