# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults that take two things at once: a failure, and what is under way as it comes."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Acquire,
    Again,
    Apply,
    Ask,
    Committed,
    Crashed,
    Delete,
    Fence,
    LastMark,
    Passed,
    Ready,
    Received,
    Recollection,
    Recovered,
    Release,
    Replay,
    ReplayEnd,
    Result,
    Send,
    Start,
)
from chc_ref.core.node import EntryState
from chc_ref.core.operations import Draw
from chc_ref.core.store import StoreState
from chc_ref.core.values import Past, vertex_of
from chc_ref.variants import each, variant


def not_again(sends, is_left_out):
    """Let users ask a recovered store again, but for some of what they had asked."""
    return each(
        sends,
        Recollection,
        lambda told: attrs.evolve(
            told, again=tuple(one for one in told.again if not is_left_out(one))
        ),
    )


def roots_start(sends, **changes):
    """Change what failovers of roots are told."""
    return [
        Send(s.to, attrs.evolve(s.message, **changes))
        if isinstance(s.message, Start) and s.to.startswith("root")
        else s
        for s in sends
    ]


def has_recovered(before, after):
    """Tell whether a root or a store has just heard from the last one it had asked."""
    return bool(before.asked) and not after.asked and after.up


def is_up(event, names):
    """Tell the manager's step when a failover of a store, or of an NF, says that it runs."""
    match event:
        case Received(source, Ready()):
            return source.startswith("store") if names == "stores" else "." in source
    return False


@variant(clauses=("MOVE-3", "REC-5"))
class ParkedNotAskedAgain:
    """Who waits for a flow's old owner does not ask a recovered store for the flow again."""

    def step(address, event, before, after, sends):
        return after, not_again(sends, lambda one: isinstance(one, Acquire) and one.epoch > 0)


@variant(clauses=("MOVE-2", "REC-5"))
class ReleasesNotRepeated:
    """A recovered store is not told again which flows were given up."""

    def step(address, event, before, after, sends):
        return after, not_again(sends, lambda one: isinstance(one, Release))


@variant(clauses=("CACHE-3", "CACHE-4", "REC-5"))
class UnconfirmedNotAskedAgain:
    """A recovered store is not told again what was served from copies."""

    def step(address, event, before, after, sends):
        return after, not_again(sends, lambda one: isinstance(one, Apply) and bool(one.seen))


@variant(clauses=("CLONE-1", "REC-3"))
class RootStartsWithoutHosts:
    """A new root does not know that an instance runs on two hosts."""

    def step(address, event, before, after, sends):
        return after, roots_start(sends, hosts=())


@variant(clauses=("CHAIN-3", "REC-3"))
class RootStartsWithoutScales:
    """A new root does not know how a vertex was scaled."""

    def step(address, event, before, after, sends):
        return after, roots_start(sends, scales=())


@variant(clauses=("MOVE-1", "REC-3"))
class RootRepeatsNoMarks:
    """A new root does not repeat last marks."""

    def step(address, event, before, after, sends):
        if isinstance(before, EntryState) and has_recovered(before, after):
            return after, each(sends, LastMark, lambda _: None)
        return after, sends


@variant(clauses=("ROOT-3", "REC-3"))
class OnlyWaitingDeletesAgain:
    """A new root is told again of the deletes that an output waits for, and of no others."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Again()):
                return after, each(sends, Delete, lambda one: one if one.waits else None)
        return after, sends


@variant(clauses=("ROOT-3", "REC-3"))
class OneVertexAskedAgain:
    """A new root asks the hosts of one vertex for deletes."""

    def step(address, event, before, after, sends):
        asked = {vertex_of(s.to) for s in sends if isinstance(s.message, Again)}
        return after, [
            s for s in sends if not isinstance(s.message, Again) or vertex_of(s.to) == max(asked)
        ]


@variant(clauses=("QUEUE-2", "REC-5"))
class RepeatedSignalsLoseBranch:
    """The commit signals that a recovered store repeats name no branch."""

    def step(address, event, before, after, sends):
        if isinstance(before, StoreState) and has_recovered(before, after):
            return after, each(sends, Committed, lambda one: attrs.evolve(one, branch=()))
        return after, sends


@variant(clauses=("STORE-9", "REC-1"))
class RepeatedDrawIsNew:
    """A repeat of a draw is answered with what would be drawn now."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Apply(access, Draw())) if access in before.memory.records:
                return after, each(sends, Result, lambda one: attrs.evolve(one, value=after.drawn))
        return after, sends


@variant(clauses=("SPLIT-4", "REC-5"))
class OneRootAsked:
    """A recovered store asks one root alone."""

    def step(address, event, before, after, sends):
        def without(start):
            others = [one for one in start.ask if "." not in one][1:]
            return attrs.evolve(start, ask=tuple(one for one in start.ask if one not in others))

        return after, each(sends, Start, without)


@variant(clauses=("DUP-2", "REC-5"))
class PastDiesWithTheStore:
    """A recovered store does not know which packets are over."""

    def step(address, event, before, after, sends):
        if isinstance(event, Crashed) and isinstance(before, StoreState):
            checkpoint = attrs.evolve(after.checkpoint, past=Past())
            return attrs.evolve(after, checkpoint=checkpoint), sends
        return after, sends


@variant(clauses=("MOVE-6", "REC-1"))
class PassedNotRepeated:
    """An instance does not tell a failover again which flows have passed."""

    def step(address, event, before, after, sends):
        targets = {s.message.target for s in sends if isinstance(s.message, ReplayEnd)}
        return after, [s for s in sends if not (isinstance(s.message, Passed) and s.to in targets)]


@variant(clauses=("REC-7",))
class FencesNotRepeated:
    """The manager does not repeat a fence when the store is back."""

    def step(address, event, before, after, sends):
        if address == "manager" and is_up(event, "stores"):
            return after, each(sends, Fence, lambda _: None)
        return after, sends


@variant(clauses=("REC-7",))
class RootNotBegunAgain:
    """A new root that has asked a store which failed is not begun again."""

    def step(address, event, before, after, sends):
        if address == "manager" and is_up(event, "stores"):
            recovering = after.recovering.update(
                {s.to: before.recovering[s.to] for s in sends if isinstance(s.message, Start)}
            )
            return attrs.evolve(after, recovering=recovering), each(sends, Start, lambda _: None)
        return after, sends


@variant(clauses=("REC-7",))
class LateUsersNotAsked:
    """A user that comes up while its store recovers is not asked."""

    def step(address, event, before, after, sends):
        return after, each(sends, Ask, lambda _: None)


@variant(clauses=("REC-7",))
class ReplaysToTheNewestOnly:
    """When one of two failed instances is up, the other gets no new replay."""

    def step(address, event, before, after, sends):
        if address == "manager" and is_up(event, "instances"):
            newest = event.source
            return after, each(sends, Replay, lambda one: one if one.target == newest else None)
        return after, sends


@variant(clauses=("REC-1",))
class AnyEndCounts:
    """The end of a replay that another failure broke counts as a recovery."""

    def step(address, event, before, after, sends):
        match event:
            case Received(source, Recovered()):
                return attrs.evolve(after, recovering=after.recovering.discard(source)), sends
        return after, sends
