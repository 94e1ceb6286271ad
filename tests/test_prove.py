"""The proof kit, and the proofs in ``proofs/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import z3

from chc_ref.core.messages import Arrive, ClockPersisted, Packet, PersistClock, Remembered
from chc_ref.core.root import Effects, Root, RootState
from chc_ref.core.rules import AMENDED
from chc_ref.errors import UsageError
from chc_ref.prove.kit import (
    POSSIBLE,
    Invariant,
    Proof,
    Replayed,
    find_run,
    grid,
    load_proofs,
    prime,
    prove,
    update,
)
from chc_ref.verdict import Report, Verdict

PROOFS = Path(__file__).parent.parent / "proofs"
X, Y = z3.Ints("x y")


def stepping(goal: Any, by: int = 2, **changes: Any) -> Proof:
    """Give a counter that starts at 0 and steps up to 9, with one goal."""
    made = Proof(
        name="stepping",
        clauses=(),
        variables=(X,),
        init=X == 0,
        transitions={"step": update((X,), X < 9, {X: X + by})},
        goals=(Invariant("goal", "What is claimed.", goal),),
    )
    return attrs.evolve(made, **changes)


# ----------------------------------------------------------------------------- the kit


def test_holding_proof() -> None:
    """An inductive invariant holds, in one cell of each row and with every row possible."""
    proof = stepping(z3.And(X % 2 == 0, X <= 10))
    assert [(cell.transition, cell.invariant) for cell in grid(proof)] == [
        ("init", POSSIBLE),
        ("init", "goal"),
        ("step", POSSIBLE),
        ("step", "goal"),
    ]
    report = prove(proof)
    assert (report.verdict, report.engine, report.model) == (Verdict.HOLDS, "z3", "stepping")
    assert report.witnesses == (("init", True), ("step", True))


def test_violated_proof_has_a_true_counterexample() -> None:
    """The counterexample keeps the invariant before the step and breaks it after."""
    cell = grid(stepping(X != 4))[-1]
    before, after = (step.values["x"] for step in cell.counterexample)
    assert cell.verdict is Verdict.VIOLATED
    assert (before, after) == (2, 4)


def test_violated_at_the_start() -> None:
    """An invariant that fails in an initial state is reported there."""
    cell = grid(stepping(X > 0))[1]
    assert (cell.verdict, cell.transition) == (Verdict.VIOLATED, "init")
    assert cell.counterexample[0].values == {"x": 0}


def test_run_is_shortest() -> None:
    """The run that breaks a goal starts at the start and has no step too many."""
    run = find_run(stepping(X != 4))
    assert [(step.transition, step.values["x"]) for step in run] == [
        ("init", 0),
        ("step", 2),
        ("step", 4),
    ]
    report = prove(stepping(X != 4))
    assert (report.verdict, report.violated) == (Verdict.VIOLATED, "goal")
    assert "  step: x=4" in report.trace


def test_not_inductive_without_a_run() -> None:
    """A true but not inductive goal is said not to be kept; no run is invented."""
    proof = stepping(X != 5)
    assert find_run(proof) == ()
    assert prove(proof).violated == "goal is not kept by step"


def test_strengthening_makes_it_inductive() -> None:
    """The same goal holds once the invariant that it rests on is added."""
    even = Invariant("even", "Odd numbers are never reached.", X % 2 == 0)
    assert prove(stepping(X != 5, strengthening=(even,))).verdict is Verdict.HOLDS


def test_unknown_is_inconclusive() -> None:
    """A question that the solver gives up is neither proved nor refuted."""
    a, b, c = z3.Ints("a b c")
    hard = z3.ForAll([a, b, c], z3.Implies(z3.And(a > X, b > X, c > X), a**3 + b**3 != c**3))
    report = prove(stepping(z3.Or(X < 0, hard)), timeout_ms=100)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "the solver does not know" in report.violated


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"transitions": {"step": update((X,), z3.And(X > 2, X < 1), {X: X + 1})}}, "step"),
        ({"transitions": {"step": update((X,), X < 0, {X: X + 1})}}, "step"),
        ({"init": z3.And(X == 0, X == 1)}, "init"),
    ],
)
def test_vacuous_is_inconclusive(changes: dict[str, Any], row: str) -> None:
    """Nothing is proved of a step that can never happen where the invariants hold."""
    report = prove(stepping(X >= 0, **changes))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.violated == f"{row} x possible: inconclusive (vacuous: it can never happen)"
    assert (row, False) in report.witnesses


def test_counterexample_that_cannot_be_evaluated() -> None:
    """A counterexample that evaluation does not confirm is not reported as a violation."""
    above = z3.ForAll([Y], z3.Or(Y < X, Y > X - 5))
    moves = z3.And(prime(X) == X + 1, above)
    cell = grid(stepping(X < 3, transitions={"step": moves}))[-1]
    assert cell.verdict is Verdict.INCONCLUSIVE
    assert "evaluated again" in cell.reason


@pytest.mark.parametrize(("shows", "want"), [(True, "violated"), (False, "inconclusive")])
def test_replay_has_the_last_word(shows: bool, want: str) -> None:
    """A counterexample that the core does not show is no violation."""
    proof = stepping(X != 4, replay=lambda steps: Replayed((f"{len(steps)} steps",), shows))
    report = prove(proof)
    assert report.verdict.value == want
    assert report.trace[-2:] == ("the core:", "  3 steps")


def test_update_of_a_stranger() -> None:
    """A change of something that is no variable is an error and not a free choice."""
    with pytest.raises(UsageError, match="y"):
        update((X,), X < 9, {Y: X + 1})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "def broken(:\n",
        "import no_such_module_anywhere\n",
        "x = 1\n",
        "from chc_ref.prove.kit import proof\n@proof\ndef bad():\n    return 1\n",
        "from chc_ref.prove.kit import proof\n@proof\ndef bad():\n    return 1 / 0\n",
    ],
)
def test_bad_file(tmp_path: Path, text: str | None) -> None:
    """A file without usable proofs is the caller's error, and is named."""
    path = tmp_path / "bad.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"bad\.py"):
        load_proofs(path)


# ----------------------------------------------------------------------------- the proofs


@pytest.fixture(scope="module")
def proofs() -> dict[str, Proof]:
    """Give every proof of ``proofs/`` by name."""
    found = [proof for path in sorted(PROOFS.glob("*.py")) for proof in load_proofs(path)]
    return {proof.name: proof for proof in found}


@pytest.fixture(scope="module")
def reports(proofs: dict[str, Proof]) -> dict[str, Report]:
    """Give the outcome of each proof in the two files under test."""
    names = [name for name in proofs if name.startswith(("root_", "delete_"))]
    return {name: prove(proofs[name]) for name in names}


@pytest.mark.parametrize(
    ("name", "want", "violated"),
    [
        pytest.param("root_clock", "holds", "", marks=pytest.mark.thorough),
        ("root_clock_without_jump", "violated", "unique"),
        ("root_clock_unconfirmed", "violated", "unique"),
        ("root_identifiers", "holds", ""),
        ("delete_vector", "holds", ""),
        ("delete_vector_xor", "violated", "safe"),
        ("delete_vector_xor_distinct", "violated", "safe"),
    ],
)
def test_verdicts(
    proofs: dict[str, Proof], reports: dict[str, Report], name: str, want: str, violated: str
) -> None:
    """Each proof has the verdict that it states, for the reason that we know."""
    assert (proofs[name].expect, reports[name].verdict.value) == (want, want)
    assert reports[name].violated == violated
    assert all(reached for _, reached in reports[name].witnesses)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("root_clock_without_jump", "recover x ahead"),
        ("root_clock_unconfirmed", "assign x covered"),
        ("delete_vector_xor", "delete x safe"),
        ("delete_vector_xor_distinct", "delete x safe"),
    ],
)
def test_only_the_changed_step_fails(reports: dict[str, Report], name: str, cell: str) -> None:
    """A wrong rule breaks the one cell that rests on it, and no other."""
    failed = [line for line in reports[name].trace if line.endswith(": violated")]
    assert failed == [f"{cell}: violated"]


def test_root_clock_needs_its_strengthening(proofs: dict[str, Proof]) -> None:
    """Without the invariant that carries footnote 5 the proof does not go through."""
    proof = proofs["root_clock"]
    kept = tuple(each for each in proof.strengthening if each.name != "covered")
    report = prove(attrs.evolve(proof, strengthening=kept, depth=2))
    assert report.violated == "ahead is not kept by recover"


@pytest.mark.parametrize("name", ["root_clock_without_jump", "root_clock_unconfirmed"])
def test_core_gives_a_clock_twice(proofs: dict[str, Proof], name: str) -> None:
    """The counterexample of a wrong rule makes the Python root give a clock twice."""
    proof = proofs[name]
    assert proof.replay is not None
    replayed = proof.replay(find_run(proof))
    assert replayed.shows
    assert replayed.lines[-1] == "given twice: [1]"


# ----------------------------------------------------------------------------- the core


@attrs.frozen
class World:
    """A root, what the store holds, and the messages between them."""

    root: RootState
    stored: int = 0
    requests: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()
    clocks: tuple[int, ...] = ()
    requested: int = 0
    arrivals: int = 0
    crashes: int = 0


def steps(root: Root, world: World) -> list[World]:
    """Give what may happen next; a crash loses no message on its way."""
    found = []
    if world.arrivals < 5:
        taken = attrs.evolve(world, arrivals=world.arrivals + 1)
        found.append(sent(taken, *root.on_arrival(world.root, Arrive("flow", ()))))
    if world.crashes < 2:
        crashed = attrs.evolve(world, crashes=world.crashes + 1)
        remembered = Remembered(crashed.crashes, world.stored, (), ())
        found.append(sent(crashed, *root.recovered(world.root, [remembered])))
    for at, count in enumerate(world.requests):
        left = world.requests[:at] + world.requests[at + 1 :]
        held, answers = max(world.stored, count), (*world.answers, count)
        found.append(attrs.evolve(world, stored=held, requests=left, answers=answers))
    for at, count in enumerate(world.answers):
        left = world.answers[:at] + world.answers[at + 1 :]
        heard = root.on_persisted(world.root, ClockPersisted(count))
        found.append(sent(attrs.evolve(world, answers=left), *heard))
    return found


def sent(world: World, state: RootState, effects: Effects) -> World:
    """Put what the root sends into the world; log and history play no part here."""
    sends = [effect.message for effect in effects if not isinstance(effect, Packet)]
    assert all(isinstance(message, PersistClock) for message in sends)
    asked = tuple(message.count for message in sends)
    nothing = RootState()
    return attrs.evolve(
        world,
        root=attrs.evolve(state, log=nothing.log, entered=nothing.entered),
        clocks=world.clocks + tuple(e.clock for e in effects if isinstance(e, Packet)),
        requests=world.requests + asked,
        requested=max(world.requested, *asked, 0),
    )


def in_model(world: World, every: int) -> dict[str, int | bool]:
    """Give the proof's variables for a state of the core; the newest clock is watched."""
    watched = world.clocks[-1] if world.clocks else 1
    return {
        "root": 0,
        "n": every,
        "watched": watched,
        "up": True,
        "next": world.root.count + 1,
        "persisted": world.root.persisted,
        "requested": world.requested,
        "stored": world.stored,
        "highest": max(world.clocks, default=0),
        "given": watched in world.clocks,
        "twice": world.clocks.count(watched) > 1,
        "ordered": list(world.clocks) == sorted(set(world.clocks)),
    }


def reachable(root: Root) -> set[World]:
    """Give every state of up to five arrivals and two crashes."""
    seen, todo = {World(RootState())}, [World(RootState())]
    while todo:
        new = set(steps(root, todo.pop())) - seen
        seen |= new
        todo += new
    return seen


@pytest.mark.parametrize("every", [1, 2, 3])
def test_core_keeps_the_invariants(proofs: dict[str, Proof], every: int) -> None:
    """Every state that the Python root can reach in small runs satisfies the invariants."""
    worlds = reachable(Root(persist_every=every))
    assert any(world.crashes == 2 and len(world.clocks) == 5 for world in worlds)
    proof = proofs["root_clock"]
    claim = z3.And(*(each.formula for each in proof.invariants))
    for state in {tuple(in_model(world, every).items()) for world in worlds}:
        values = dict(state)
        pairs = [(v, constant(v, values[v.decl().name()])) for v in proof.variables]
        assert z3.is_true(z3.simplify(z3.substitute(claim, *pairs))), values


def test_small_runs_find_the_wrong_rule() -> None:
    """The same small runs give a clock twice once the core's rule is without ``+ n``."""
    rules = attrs.evolve(AMENDED, next_count=lambda persisted, every: persisted)
    worlds = reachable(Root(persist_every=2, rules=rules))
    assert any(len(set(world.clocks)) < len(world.clocks) for world in worlds)


def constant(variable: Any, value: int | bool) -> Any:
    """Give a value as a Z3 constant of the variable's sort."""
    return z3.BoolVal(value) if z3.is_bool(variable) else z3.BitVecVal(value, variable.size())
