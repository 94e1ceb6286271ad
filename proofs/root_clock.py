"""The root's clock over any number of failovers (ROOT-1, ROOT-5, SPLIT-4).

The root writes every n-th count to the store before it forwards the packet, and a root that
takes over goes on n above what it reads there (footnote 5). The claim is for every n >= 1,
every identifier and any number of crashes, at any moment. Counts are bit-vectors as in the
core: 64 bits with the root's identifier in the upper 8, so the claim assumes fewer than
2**56 packets; ``values.clock_of`` refuses more. Crashes are fail-stop (REC-0): a root that
is replaced gives no more clocks, but what it sent to the store may still arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import z3

from chc_ref.core.messages import Arrive, ClockPersisted, Packet, PersistClock, Remembered
from chc_ref.core.root import Effects, Root, RootState
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import ROOT_BITS, SEQUENCE_BITS, count_of
from chc_ref.prove.kit import Invariant, Proof, Replayed, Step, proof, update

LIMIT = 1 << SEQUENCE_BITS
ASSUMES = "fewer than 2**56 packets; fail-stop crashes"

ROOT = z3.BitVec("root", ROOT_BITS)
EVERY = z3.BitVec("n", 64)
WATCHED = z3.BitVec("watched", 64)
"""Any one clock: what holds of it holds of all."""
UP = z3.Bool("up")
NEXT = z3.BitVec("next", 64)
"""The core's ``count + 1``: the count of the next packet."""
PERSISTED = z3.BitVec("persisted", 64)
"""Newest count that the root knows the store to hold."""
REQUESTED = z3.BitVec("requested", 64)
"""Highest count that any root has asked the store to write."""
STORED = z3.BitVec("stored", 64)
HIGHEST = z3.BitVec("highest", 64)
"""Highest clock that was ever given; at first that of count 0, which is never given."""
GIVEN, TWICE, ORDERED = z3.Bools("given twice ordered")
"""The watched clock was given; it was given again; every clock was above all before it."""
FIXED = (ROOT, EVERY, WATCHED)
STATE = (*FIXED, UP, NEXT, PERSISTED, REQUESTED, STORED, HIGHEST, GIVEN, TWICE, ORDERED)
MESSAGE = z3.BitVec("message", 64)
"""Count in the message that arrives."""

FORGETFUL = attrs.evolve(AMENDED, name="no jump", next_count=lambda persisted, every: persisted)
"""ROOT-5 without footnote 5: go on at the persisted count itself."""


def clock(root: Any, count: Any) -> Any:
    """Give the clock of ``count`` as a bit-vector, as ``values.clock_of`` (SPLIT-4)."""
    return z3.Concat(root, z3.Extract(SEQUENCE_BITS - 1, 0, count))


def _root_of(clock: Any) -> Any:
    return z3.Extract(63, SEQUENCE_BITS, clock)


def _count_of(clock: Any) -> Any:
    return z3.ZeroExt(ROOT_BITS, z3.Extract(SEQUENCE_BITS - 1, 0, clock))


def _highest(first: Any, second: Any) -> Any:
    return z3.If(z3.UGT(first, second), first, second)


def _init() -> Any:
    return z3.And(
        z3.UGE(EVERY, 1),
        z3.ULT(EVERY, LIMIT),
        UP,
        NEXT == 1,
        PERSISTED == 0,
        REQUESTED == 0,
        STORED == 0,
        clock(ROOT, z3.BitVecVal(0, 64)) == HIGHEST,
        z3.Not(GIVEN),
        z3.Not(TWICE),
        ORDERED,
    )


def _assign(may: Any) -> Any:
    """Give the next clock, if ``may``; the watched one is noted."""
    new = clock(ROOT, NEXT)
    return update(
        STATE,
        z3.And(UP, may, z3.ULT(NEXT, LIMIT)),
        {
            NEXT: NEXT + 1,
            HIGHEST: _highest(HIGHEST, new),
            GIVEN: z3.Or(GIVEN, new == WATCHED),
            TWICE: z3.Or(TWICE, z3.And(GIVEN, new == WATCHED)),
            ORDERED: z3.And(ORDERED, z3.UGT(new, HIGHEST)),
        },
    )


def _transitions(rules: Rules, may_assign: Any) -> dict[str, Any]:
    """Give the protocol of ``core.root`` and the store's part of it.

    ``write`` takes any count up to the highest that was ever asked for, and ``confirm`` any
    that the store holds or held: a request or a confirmation of a root that has died since
    may come late, and more often than once.
    """
    must_ask = z3.And(UP, z3.UGE(NEXT, PERSISTED + EVERY), z3.ULT(NEXT, LIMIT))
    asked = z3.And(z3.UGE(MESSAGE, 1), z3.ULE(MESSAGE, REQUESTED))
    held = z3.And(UP, z3.UGT(MESSAGE, PERSISTED), z3.ULE(MESSAGE, STORED))
    recovered = {UP: z3.BoolVal(True), NEXT: rules.next_count(STORED, EVERY), PERSISTED: STORED}
    return {
        "request": update(STATE, must_ask, {REQUESTED: _highest(REQUESTED, NEXT)}),
        "write": update(STATE, asked, {STORED: _highest(STORED, MESSAGE)}),
        "confirm": update(STATE, held, {PERSISTED: MESSAGE}),
        "assign": _assign(may_assign),
        "crash": update(STATE, UP, {UP: z3.BoolVal(False)}),
        "recover": update(STATE, z3.Not(UP), recovered),
    }


def _goals() -> tuple[Invariant, ...]:
    own = z3.Implies(GIVEN, _root_of(WATCHED) == ROOT)
    return (
        Invariant("unique", "ROOT-1: no clock is given twice.", z3.Not(TWICE)),
        Invariant("increasing", "ROOT-5: every clock is above all given before.", ORDERED),
        Invariant("own", "SPLIT-4: every clock given carries this root's identifier.", own),
    )


def _strengthening() -> tuple[Invariant, ...]:
    given = _count_of(HIGHEST)
    ranges = z3.And(
        z3.UGE(EVERY, 1),
        z3.ULT(EVERY, LIMIT),
        z3.ULT(REQUESTED, LIMIT),
        z3.ULE(STORED, REQUESTED),
        z3.ULT(NEXT, 2 * LIMIT),
    )
    return (
        Invariant("ranges", "No sum overflows, and the store invents nothing.", ranges),
        Invariant("known", "The root believes nothing newer stored.", z3.ULE(PERSISTED, STORED)),
        Invariant(
            "covered",
            "n above what is stored is above every count given.",
            z3.ULT(given, STORED + EVERY),
        ),
        Invariant(
            "ahead",
            "A root that is up is past every count given.",
            z3.Implies(UP, z3.ULT(given, NEXT)),
        ),
        Invariant("origin", "The highest clock is this root's.", _root_of(HIGHEST) == ROOT),
        Invariant(
            "below",
            "The highest clock is not below any given one.",
            z3.Implies(GIVEN, z3.ULE(WATCHED, HIGHEST)),
        ),
    )


def _proof(name: str, rules: Rules, may_assign: Any, **changes: Any) -> Proof:
    made = Proof(
        name=name,
        clauses=("ROOT-1", "ROOT-5", "SPLIT-4"),
        variables=STATE,
        init=_init(),
        transitions=_transitions(rules, may_assign),
        goals=_goals(),
        strengthening=_strengthening(),
        choices=(MESSAGE,),
        rules=rules.name,
        assumes=ASSUMES,
    )
    return attrs.evolve(made, **changes)


@proof
def root_clock() -> Proof:
    """Clocks are unique and increasing over any number of failovers, for every n."""
    return _proof("root_clock", AMENDED, z3.ULT(NEXT, PERSISTED + EVERY))


@proof
def root_clock_without_jump() -> Proof:
    """A root that goes on at the persisted count itself gives clocks twice (footnote 5)."""
    within = z3.ULT(NEXT, PERSISTED + EVERY)
    return _proof(
        "root_clock_without_jump", FORGETFUL, within, expect="violated", replay=replay_jump
    )


@proof
def root_clock_unconfirmed() -> Proof:
    """A root that forwards once it has asked, and before it is answered, gives clocks twice."""
    may = z3.Or(z3.ULT(NEXT, PERSISTED + EVERY), z3.ULE(NEXT, REQUESTED))
    return _proof(
        "root_clock_unconfirmed",
        attrs.evolve(AMENDED, name="unconfirmed"),
        may,
        expect="violated",
        replay=replay_unconfirmed,
    )


@proof
def root_identifiers() -> Proof:
    """Two roots with different identifiers never give the same clock (SPLIT-4).

    Each root may give any count at any time, which covers what a failover can do.
    """
    other = z3.BitVec("other", ROOT_BITS)
    by_one, by_other = z3.Bools("by_one by_other")
    state = (ROOT, other, WATCHED, by_one, by_other)

    def gives(root: Any, given: Any) -> Any:
        hit = clock(root, MESSAGE) == WATCHED
        return update(state, z3.ULT(MESSAGE, LIMIT), {given: z3.Or(given, hit)})

    apart = Invariant("apart", "SPLIT-4: no clock is given by both.", z3.Not(by_one & by_other))
    mine = z3.Implies(by_one, _root_of(WATCHED) == ROOT)
    theirs = z3.Implies(by_other, _root_of(WATCHED) == other)
    return Proof(
        name="root_identifiers",
        clauses=("SPLIT-4",),
        variables=state,
        init=z3.And(other != ROOT, z3.Not(by_one), z3.Not(by_other)),
        transitions={"one gives": gives(ROOT, by_one), "other gives": gives(other, by_other)},
        goals=(apart,),
        strengthening=(
            Invariant("different", "The identifiers stay different.", other != ROOT),
            Invariant("mine", "One root's clocks carry its identifier.", mine),
            Invariant("theirs", "The other root's clocks carry its identifier.", theirs),
        ),
        choices=(MESSAGE,),
        assumes="fewer than 2**56 packets",
    )


# ----------------------------------------------------------------------------- the core


def replay_jump(steps: tuple[Step, ...]) -> Replayed:
    """Run the core with a store that writes before it confirms, and the rule without jump."""
    return drive(steps, FORGETFUL, lambda stored, asked: asked)


def replay_unconfirmed(steps: tuple[Step, ...]) -> Replayed:
    """Run the core with a store that confirms and then loses the write."""
    return drive(steps, AMENDED, lambda stored, asked: stored)


def drive(steps: tuple[Step, ...], rules: Rules, write: Callable[[int, int], int]) -> Replayed:
    """Let the core give clocks before and after a crash, with the counterexample's numbers.

    Args:
        steps: the counterexample; its n, its identifier and its highest clock are used.
        rules: rules of the root.
        write: (held, asked) -> what the store holds once it has confirmed.

    Returns:
        The clocks given; ``shows`` when one of them came twice.

    """
    values = steps[-1].values
    root = Root(identifier=values["root"], persist_every=values["n"], rules=rules)
    packets = min(max(count_of(values["highest"]), 1), 1000)
    before, stored, state = _clocks(root, RootState(), packets, 0, write)
    again = packets + min(values["n"], 1000)
    failover, _ = root.recovered(state, [Remembered(1, stored, (), ())])
    after, _, _ = _clocks(root, failover, again, stored, write)
    twice = sorted(set(before) & set(after))
    lines = (
        f"n={root.persist_every}: clocks {before}, then a crash",
        f"a root recovered from {stored}: clocks {after}",
        f"given twice: {twice}",
    )
    return Replayed(lines, bool(twice))


def _clocks(
    root: Root, state: RootState, packets: int, stored: int, write: Callable[[int, int], int]
) -> tuple[list[int], int, RootState]:
    """Give the clocks of ``packets`` arrivals, what the store holds at the end, and the root."""
    clocks: list[int] = []
    for _ in range(packets):
        state, effects = root.on_arrival(state, Arrive("flow", ()))
        clocks += _given(effects)
        for message in [effect.message for effect in effects if not isinstance(effect, Packet)]:
            assert isinstance(message, PersistClock), "the root asks the store nothing else"
            stored = write(stored, message.count)
            state, effects = root.on_persisted(state, ClockPersisted(message.count))
            clocks += _given(effects)
    return clocks, stored, state


def _given(effects: Effects) -> list[int]:
    """List the clocks of the packets that go out."""
    return [effect.clock for effect in effects if isinstance(effect, Packet)]
