"""When the root may delete a packet (DEL-1, DEL-2, DEL-3).

A packet collects a token for every update that it induces; the store signals each token when
its update is committed; the root deletes when the packet has ended and the two are settled.
The rules are the core's own functions, put to work on bit-vectors. Amended, a token is one
bit of 32 and the vector a set. In the paper a token is an instance's identifier above an
object's, 16 bits each, and tokens are joined by exclusive or: then some updates cancel.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs
import z3

from chc_ref.core.messages import Arrive, Committed, Delete
from chc_ref.core.root import Root, RootState
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import clock_of
from chc_ref.prove.kit import Invariant, Proof, Replayed, Step, proof, update

BITS = 32
WORD = z3.BitVecSort(BITS)
TOKENS = tuple(z3.BitVecVal(1 << bit, BITS) for bit in range(BITS))
"""Every token of the amended rules."""

INSTANCE, OBJECT = z3.BitVecs("instance object", 16)
NAMES = z3.Concat(INSTANCE, OBJECT)
"""A token of the paper."""
VECTOR, SIGNALS, TOKEN = z3.BitVecs("vector signals token", BITS)
ENDED, DELETED = z3.Bools("ended deleted")
INDUCED = z3.Array("induced", WORD, z3.BoolSort())
SIGNALLED = z3.Array("signalled", WORD, z3.BoolSort())
"""Ghosts: which tokens were induced and signalled, whatever vector and signals say."""
OPEN = z3.Array("open", WORD, z3.IntSort())
PENDING = z3.Int("pending")
"""Ghosts: updates without a signal yet, by token and in all; a token may stand for several."""


def xor_token(vector: int, token: int) -> int:
    """DEL-1 of the paper: the identifiers are joined by exclusive or."""
    return vector ^ token


def xor_settled(vector: int, signals: int) -> bool:
    """DEL-3 of the paper: vector and signals cancel."""
    return vector ^ signals == 0


PAPER = attrs.evolve(AMENDED, name="paper vector", add_token=xor_token, settled=xor_settled)


# ----------------------------------------------------------------------------- amended


def _all_signalled() -> Any:
    return z3.And(*(z3.Implies(INDUCED[token], SIGNALLED[token]) for token in TOKENS))


def _mirrors(ghost: Any, vector: Any) -> Any:
    return z3.And(*(ghost[token] == (vector & token != 0) for token in TOKENS))


def _amended_transitions(state: tuple[Any, ...], rules: Rules) -> dict[str, Any]:
    """Induce and signal any token, as often as it comes; end; delete when settled."""
    yes = z3.BoolVal(True)
    one_bit = z3.And(TOKEN != 0, TOKEN & (TOKEN - 1) == 0)
    induced = {
        VECTOR: rules.add_token(VECTOR, TOKEN),
        INDUCED: z3.Store(INDUCED, TOKEN, yes),
    }
    signalled = {
        SIGNALS: rules.add_token(SIGNALS, TOKEN),
        SIGNALLED: z3.Store(SIGNALLED, TOKEN, yes),
    }
    settled = z3.And(ENDED, rules.settled(VECTOR, SIGNALS))
    return {
        "induce": update(state, z3.And(one_bit, z3.Not(ENDED)), induced),
        "signal": update(state, z3.And(one_bit, INDUCED[TOKEN]), signalled),
        "end": update(state, z3.Not(ENDED), {ENDED: yes}),
        "delete": update(state, settled, {DELETED: yes}),
    }


@proof
def delete_vector() -> Proof:
    """The root deletes a packet exactly when all its updates are committed."""
    state = (VECTOR, SIGNALS, INDUCED, SIGNALLED, ENDED, DELETED)
    nothing = z3.K(WORD, z3.BoolVal(False))
    settled = AMENDED.settled(VECTOR, SIGNALS)
    final = z3.Implies(DELETED, z3.And(ENDED, settled))
    return Proof(
        name="delete_vector",
        clauses=("DEL-1", "DEL-2", "DEL-3"),
        variables=state,
        init=z3.And(
            VECTOR == 0,
            SIGNALS == 0,
            nothing == INDUCED,
            nothing == SIGNALLED,
            z3.Not(ENDED),
            z3.Not(DELETED),
        ),
        transitions=_amended_transitions(state, AMENDED),
        goals=(
            Invariant(
                "safe",
                "DEL-3: a deleted packet has no update that is not committed.",
                z3.Implies(DELETED, _all_signalled()),
            ),
            Invariant(
                "exact",
                "DEL-3: settled says exactly that every token was signalled.",
                settled == _all_signalled(),
            ),
        ),
        strengthening=(
            Invariant("vector", "The vector is the set induced.", _mirrors(INDUCED, VECTOR)),
            Invariant("signals", "The same for signals.", _mirrors(SIGNALLED, SIGNALS)),
            Invariant("final", "No update is induced after the packet's end.", final),
        ),
        choices=(TOKEN,),
        assumes="at most 32 updates by one packet, each with a bit of its own",
    )


# ----------------------------------------------------------------------------- paper


def _paper(name: str, may_induce: Any) -> Proof:
    """Give the paper's machine; an update is signalled once (DUP-2)."""
    state = (VECTOR, SIGNALS, OPEN, PENDING, ENDED, DELETED)
    yes = z3.BoolVal(True)
    # No identifier is zero: a zero token would leave no trace at all.
    named = z3.And(INSTANCE != 0, OBJECT != 0)
    uncommitted = z3.And(OPEN[NAMES] > 0, PENDING > 0)

    def count(change: int) -> dict[Any, Any]:
        return {OPEN: z3.Store(OPEN, NAMES, OPEN[NAMES] + change), PENDING: PENDING + change}

    induced = {VECTOR: PAPER.add_token(VECTOR, NAMES), **count(1)}
    signalled = {SIGNALS: PAPER.add_token(SIGNALS, NAMES), **count(-1)}
    settled = z3.And(ENDED, PAPER.settled(VECTOR, SIGNALS))
    done = z3.Implies(DELETED, PENDING == 0)
    return Proof(
        name=name,
        clauses=("DEL-1", "DEL-2", "DEL-3"),
        variables=state,
        init=z3.And(
            VECTOR == 0,
            SIGNALS == 0,
            z3.K(WORD, z3.IntVal(0)) == OPEN,
            PENDING == 0,
            z3.Not(ENDED),
            z3.Not(DELETED),
        ),
        transitions={
            "induce": update(state, z3.And(named, z3.Not(ENDED), may_induce), induced),
            "signal": update(state, uncommitted, signalled),
            "end": update(state, z3.Not(ENDED), {ENDED: yes}),
            "delete": update(state, settled, {DELETED: yes}),
        },
        goals=(Invariant("safe", "DEL-3: a deleted packet has no update left.", done),),
        strengthening=(
            Invariant(
                "final",
                "No update is induced after the packet's end.",
                z3.Implies(DELETED, ENDED),
            ),
        ),
        choices=(INSTANCE, OBJECT),
        replay=replay_tokens,
        expect="violated",
        rules=PAPER.name,
    )


@proof
def delete_vector_xor() -> Proof:
    """Exclusive or fails: two updates of one object by one packet cancel."""
    return _paper("delete_vector_xor", z3.BoolVal(True))


@proof
def delete_vector_xor_distinct() -> Proof:
    """Exclusive or fails even if no two open updates have the same identifiers."""
    return _paper("delete_vector_xor_distinct", OPEN[NAMES] == 0)


def replay_tokens(steps: tuple[Step, ...]) -> Replayed:
    """Let the core's root end a packet with the tokens of the counterexample.

    Args:
        steps: a run; the tokens of its ``induce`` and ``signal`` steps are used.

    Returns:
        The vectors; ``shows`` when the root has deleted the packet, an update being open.

    """
    tokens, signals = _tokens(steps, "induce"), _tokens(steps, "signal")
    root = Root(rules=PAPER)
    state, _ = root.on_arrival(RootState(), Arrive("flow", ()))
    clock, vector = clock_of(root.identifier, state.count), 0
    for token in tokens:
        vector = PAPER.add_token(vector, token)
    for token in signals:
        state, _ = root.on_committed(state, Committed(clock, (), token))
    delete = Delete(clock, (), Fraction(1), (((), vector),), 0)
    state, _ = root.on_delete(state, "v.0", delete)
    deleted, still_open = clock not in state.log, len(tokens) - len(signals)
    names = ", ".join(f"instance {token >> 16} object {token & 0xFFFF}" for token in tokens)
    lines = (
        f"updates by one packet: {names}",
        f"final vector {vector:#010x}, {still_open} updates not committed",
        f"the root has {'deleted' if deleted else 'kept'} the packet",
    )
    return Replayed(lines, deleted and still_open > 0)


def _tokens(steps: tuple[Step, ...], transition: str) -> list[int]:
    """List the tokens that the steps of one kind chose."""
    chosen = [step.values for step in steps if step.transition == transition]
    return [values["instance"] << 16 | values["object"] for values in chosen]
