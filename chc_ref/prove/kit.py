"""The kit for proofs: a protocol as a transition system in Z3 terms, and its obligations.

An invariant holds in every reachable state if it holds at the start and no transition leads
from a state with all invariants to one without it. That is one question to the solver for
each cell of a grid. A cell's counterexample starts from a state that need not be reachable;
so, once a cell fails, the kit also looks for a run from the start that breaks a goal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import z3

from chc_ref.errors import UsageError
from chc_ref.files import import_file
from chc_ref.verdict import Report, Verdict

INIT = "init"
POSSIBLE = "possible"
"""Column of the checks against vacuity: nothing is proved of a step that cannot happen."""


@attrs.frozen
class Invariant:
    """A state predicate, and in one sentence why it is there."""

    name: str
    purpose: str
    formula: Any


@attrs.frozen
class Step:
    """One step of a counterexample."""

    transition: str
    values: Mapping[str, Any]
    """The state after the step by variable, and what the step chose."""


@attrs.frozen
class Replayed:
    """What the Python core made of a counterexample."""

    lines: tuple[str, ...]
    shows: bool
    """The core goes wrong in the same way."""


@attrs.frozen
class Proof:
    """A transition system and what is claimed of it."""

    name: str
    clauses: tuple[str, ...]
    variables: tuple[Any, ...]
    init: Any
    transitions: Mapping[str, Any]
    """Name to formula over the variables, their ``prime`` and the choices."""
    goals: tuple[Invariant, ...]
    """What the clauses ask for; a run is sought that breaks the first."""
    strengthening: tuple[Invariant, ...] = ()
    """What makes the goals inductive."""
    choices: tuple[Any, ...] = ()
    """What a transition picks freely."""
    replay: Callable[[tuple[Step, ...]], Replayed] | None = None
    expect: Literal["holds", "violated", "inconclusive"] = "holds"
    rules: str = "amended"
    assumes: str = ""
    """Preconditions that the formulas build in."""
    depth: int = 8
    """Longest run that is tried."""

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        """Give goals and strengthening together."""
        return self.goals + self.strengthening


@attrs.frozen
class Cell:
    """One obligation: ``transition`` keeps ``invariant``."""

    transition: str
    invariant: str
    verdict: Verdict
    counterexample: tuple[Step, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        tail = f" ({self.reason})" if self.reason else ""
        return f"{self.transition} x {self.invariant}: {self.verdict.value}{tail}"


# ----------------------------------------------------------------------------- writing proofs


def prime(variable: Any) -> Any:
    """Give the variable's value after a transition."""
    return z3.Const(f"{variable.decl().name()}'", variable.sort())


def update(variables: Sequence[Any], guard: Any, changes: Mapping[Any, Any]) -> Any:
    """Give the transition that may happen under ``guard`` and keeps what it does not change.

    Args:
        variables: all variables of the proof.
        guard: formula over the variables and choices.
        changes: variable to its new value.

    Returns:
        Formula over variables, choices and primed variables.

    Raises:
        UsageError: a change of something that is no variable of the proof.

    """
    new = {variable.decl().name(): value for variable, value in changes.items()}
    if strangers := new.keys() - {variable.decl().name() for variable in variables}:
        raise UsageError(f"no variables of the proof: {', '.join(sorted(strangers))}")
    kept = [prime(v) == new.get(v.decl().name(), v) for v in variables]
    return z3.And(guard, *kept)


@attrs.frozen
class ProofFunction:
    """A function of a proof file that states a proof; made by ``proof``."""

    function: Callable[[], Proof]

    def __call__(self) -> Proof:
        made = self.function()
        if not isinstance(made, Proof):
            raise TypeError(f"{self.function.__name__} gives no Proof")
        return made


def proof(function: Callable[[], Proof]) -> ProofFunction:
    """Mark a function as a proof, for ``load_proofs``."""
    return ProofFunction(function)


def load_proofs(path: Path) -> tuple[Proof, ...]:
    """Give the proofs of a file, in the order in which it states them.

    Args:
        path: a Python file with functions under ``@proof``.

    Raises:
        UsageError: the file does not import, a proof does not build, or there is none.

    """
    path = Path(path)
    try:
        module = import_file(path)
        members = [each for each in vars(module).values() if isinstance(each, ProofFunction)]
        # A proof function imported from another file is that file's proof.
        own = [each for each in members if each.function.__module__ == module.__name__]
        found = tuple(each() for each in own)
    except Exception as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
    if not found:
        raise UsageError(f"{path}: no function is marked @proof")
    return found


# ----------------------------------------------------------------------------- obligations


def prove(proof: Proof, timeout_ms: int = 10_000, seed: int = 0) -> Report:
    """Check every obligation of ``proof``.

    Args:
        proof: what to prove.
        timeout_ms: limit of each question to the solver, > 0.
        seed: the solver's seed.

    Returns:
        HOLDS when every cell holds. VIOLATED with a counterexample when one fails, and the
        core, where the proof has a ``replay``, fails with it. Otherwise INCONCLUSIVE.

    """
    begun = time.perf_counter()
    cells = grid(proof, timeout_ms, seed)
    failed = [cell for cell in cells if cell.verdict is Verdict.VIOLATED]
    unsure = [cell for cell in cells if cell.verdict is Verdict.INCONCLUSIVE]
    verdict, why, trace = Verdict.HOLDS, "", tuple(str(cell) for cell in cells)
    if failed:
        verdict, why, lines = _violation(proof, failed[0], timeout_ms, seed)
        trace += lines
    elif unsure:
        verdict, why = Verdict.INCONCLUSIVE, str(unsure[0])
    return Report(
        engine="z3",
        model=proof.name,
        verdict=verdict,
        rules=proof.rules,
        seconds=time.perf_counter() - begun,
        bounds=proof.assumes,
        violated=why,
        trace=trace,
        witnesses=tuple(
            (cell.transition, cell.verdict is Verdict.HOLDS)
            for cell in cells
            if cell.invariant == POSSIBLE
        ),
    )


def grid(proof: Proof, timeout_ms: int = 10_000, seed: int = 0) -> tuple[Cell, ...]:
    """Give the verdict of each cell: initiation first, then transition by transition.

    Args:
        proof: what to prove.
        timeout_ms: limit of each question to the solver, > 0.
        seed: the solver's seed.

    """
    solver = _solver(timeout_ms, seed)
    with _frame(solver):
        solver.add(proof.init)
        cells = [_possible(solver, INIT)]
        cells += [_cell(proof, solver, INIT, invariant) for invariant in proof.invariants]
    solver.add(*(invariant.formula for invariant in proof.invariants))
    for name, transition in proof.transitions.items():
        with _frame(solver):
            solver.add(transition)
            cells.append(_possible(solver, name))
            cells += [_cell(proof, solver, name, invariant) for invariant in proof.invariants]
    return tuple(cells)


def find_run(proof: Proof, timeout_ms: int = 10_000, seed: int = 0) -> tuple[Step, ...]:
    """Look for a shortest run from the start that breaks the first goal.

    Args:
        proof: whose run.
        timeout_ms: limit of each question to the solver, > 0.
        seed: the solver's seed.

    Returns:
        The run, its first step being ``init``; empty if there is none of up to
        ``proof.depth`` steps or the solver does not know.

    """
    solver = _solver(timeout_ms, seed)
    solver.add(_at(proof, proof.init, 0))
    for depth in range(proof.depth + 1):
        if depth:
            solver.add(_any_transition(proof, depth))
        with _frame(solver):
            solver.add(z3.Not(_at(proof, proof.goals[0].formula, depth)))
            answer = solver.check()
            if answer == z3.sat:
                return _run(proof, _smallest(solver, _terms(proof, depth)), depth)
            if answer == z3.unknown:
                return ()
    return ()


def _violation(
    proof: Proof, cell: Cell, timeout_ms: int, seed: int
) -> tuple[Verdict, str, tuple[str, ...]]:
    """Describe a failed cell, and let the core confirm it where it can."""
    lines = _show(f"{cell.transition} breaks {cell.invariant}", cell.counterexample)
    run = find_run(proof, timeout_ms, seed)
    why = f"{cell.invariant} is not kept by {cell.transition}"
    if run:
        why = proof.goals[0].name
        lines += _show(f"a run of {len(run) - 1} steps breaks {why}", run)
    if proof.replay is None:
        return Verdict.VIOLATED, why, lines
    replayed = proof.replay(run or cell.counterexample)
    lines += ("the core:", *(f"  {line}" for line in replayed.lines))
    if not replayed.shows:
        return Verdict.INCONCLUSIVE, f"{why}, but the core does not show it", lines
    return Verdict.VIOLATED, why, lines


def _possible(solver: Any, name: str) -> Cell:
    answer = solver.check()
    if answer == z3.sat:
        return Cell(name, POSSIBLE, Verdict.HOLDS)
    reason = "vacuous: it can never happen" if answer == z3.unsat else _unknown(solver)
    return Cell(name, POSSIBLE, Verdict.INCONCLUSIVE, reason=reason)


def _cell(proof: Proof, solver: Any, name: str, invariant: Invariant) -> Cell:
    """Ask whether the step that is on the solver can break ``invariant``."""
    primed = [(v, prime(v)) for v in proof.variables]
    after = invariant.formula if name == INIT else z3.substitute(invariant.formula, *primed)
    with _frame(solver):
        solver.add(z3.Not(after))
        answer = solver.check()
        if answer == z3.unsat:
            return Cell(name, invariant.name, Verdict.HOLDS)
        if answer == z3.unknown:
            return Cell(name, invariant.name, Verdict.INCONCLUSIVE, reason=_unknown(solver))
        places = proof.variables + (() if name == INIT else _after(proof))
        model = _smallest(solver, places)
    first = Step(INIT if name == INIT else "some state", _values(model, proof.variables))
    steps: tuple[Step, ...] = (first,)
    if name != INIT:
        steps += (Step(name, _values(model, _after(proof), proof.variables + proof.choices)),)
    if not _confirmed(proof, name, after, model):
        reason = "the counterexample fails when it is evaluated again"
        return Cell(name, invariant.name, Verdict.INCONCLUSIVE, steps, reason)
    return Cell(name, invariant.name, Verdict.VIOLATED, steps)


def _confirmed(proof: Proof, name: str, after: Any, model: Any) -> bool:
    """Evaluate the counterexample anew, by putting its values into the formulas."""
    places = proof.variables + (() if name == INIT else _after(proof))
    values = [(place, model.eval(place, model_completion=True)) for place in places]
    premises = [proof.init]
    if name != INIT:
        premises = [*(each.formula for each in proof.invariants), proof.transitions[name]]

    def value(formula: Any) -> Any:
        return z3.simplify(z3.substitute(formula, *values))

    return all(z3.is_true(value(each)) for each in premises) and z3.is_false(value(after))


# ----------------------------------------------------------------------------- the solver


def _solver(timeout_ms: int, seed: int) -> Any:
    solver = z3.Solver()
    solver.set("timeout", timeout_ms)
    solver.set("random_seed", seed)
    return solver


@contextmanager
def _frame(solver: Any) -> Iterator[None]:
    solver.push()
    try:
        yield
    finally:
        solver.pop()


def _unknown(solver: Any) -> str:
    return f"the solver does not know: {solver.reason_unknown()}"


def _smallest(solver: Any, terms: Sequence[Any]) -> Any:
    """Give a model with small numbers, term by term; the solver's last answer was sat."""
    model = solver.model()
    bounds: list[Any] = []
    for term in terms:
        for limit in range(4):
            bound = _at_most(term, limit)
            if bound is not None and solver.check(*bounds, bound) == z3.sat:
                bounds.append(bound)
                model = solver.model()
                break
    return model


def _at_most(term: Any, limit: int) -> Any:
    if z3.is_bv(term):
        return z3.ULE(term, limit) if limit < 1 << term.size() else None
    if z3.is_int(term):
        return z3.And(-limit <= term, term <= limit)
    return z3.Not(term) if z3.is_bool(term) else None


def _after(proof: Proof) -> tuple[Any, ...]:
    return tuple(prime(variable) for variable in proof.variables) + proof.choices


def _values(model: Any, places: Sequence[Any], names: Sequence[Any] = ()) -> dict[str, Any]:
    """Give the model's value at each place, under the name at the same position."""
    values = {}
    for place, name in zip(places, names or places, strict=True):
        value = model.eval(place, model_completion=True)
        plain: Any = " ".join(str(value).split())
        if z3.is_bool(value):
            plain = z3.is_true(value)
        elif z3.is_bv(value) or z3.is_int(value):
            plain = value.as_long()
        values[name.decl().name()] = plain
    return values


# ----------------------------------------------------------------------------- runs


def _copy(term: Any, at: int) -> Any:
    return z3.Const(f"{term.decl().name()}@{at}", term.sort())


def _at(proof: Proof, formula: Any, at: int) -> Any:
    """Give a state formula as one of the state at position ``at``."""
    return z3.substitute(formula, *((v, _copy(v, at)) for v in proof.variables))


def _any_transition(proof: Proof, at: int) -> Any:
    """Give: one of the transitions leads from position ``at - 1`` to ``at``."""
    pairs = [(v, _copy(v, at - 1)) for v in proof.variables]
    pairs += [(prime(v), _copy(v, at)) for v in proof.variables]
    pairs += [(choice, _copy(choice, at)) for choice in proof.choices]
    picked = z3.Int(f"transition@{at}")
    return z3.Or(
        *(
            z3.And(picked == number, z3.substitute(formula, *pairs))
            for number, formula in enumerate(proof.transitions.values())
        )
    )


def _terms(proof: Proof, depth: int) -> list[Any]:
    """List what determines a run: the first state, and the choices."""
    choices = [_copy(choice, at) for at in range(1, depth + 1) for choice in proof.choices]
    return [_copy(v, 0) for v in proof.variables] + choices


def _run(proof: Proof, model: Any, depth: int) -> tuple[Step, ...]:
    names, steps = tuple(proof.transitions), []
    for at in range(depth + 1):
        chosen = proof.choices if at else ()
        terms = proof.variables + chosen
        values = _values(model, [_copy(term, at) for term in terms], terms)
        name = names[model.eval(z3.Int(f"transition@{at}")).as_long()] if at else INIT
        steps.append(Step(name, values))
    return tuple(steps)


def _show(title: str, steps: Sequence[Step]) -> tuple[str, ...]:
    """Give one line a step: the first state whole, then what changes."""
    lines, before = [f"{title}:"], dict[str, Any]()
    for step in steps:
        news = [f"{k}={v}" for k, v in step.values.items() if before.get(k) != v or k not in before]
        lines.append(f"  {step.transition}: {', '.join(news)}")
        before.update(step.values)
    return tuple(lines)
