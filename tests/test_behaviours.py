"""Single runs: of the core as behaviours of a specification, and of TLC through the core."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from chc_ref.errors import ToolError, UsageError
from chc_ref.tlc import behaviours
from chc_ref.tlc.behaviours import Mismatch, follow, logged, read_run, validate
from chc_ref.tlc.mapping import Mapping
from chc_ref.tlc.run import Simulation
from chc_ref.tlc.trace import Step, Trace
from chc_ref.tlc.values import ModelValue, function

SPEC = """---- MODULE Tokens ----
EXTENDS Integers, Sequences
CONSTANTS Places, Most
VARIABLES at, trail
Init == at = [p \\in Places |-> 0] /\\ trail = <<>>
Put(p) == /\\ at[p] < Most
          /\\ at' = [at EXCEPT ![p] = @ + 1]
          /\\ trail' = Append(trail, p)
Take(p) == at[p] > 0 /\\ at' = [at EXCEPT ![p] = @ - 1] /\\ UNCHANGED trail
Next == \\E p \\in Places : Put(p) \\/ Take(p)
Spec == Init /\\ [][Next]_<<at, trail>>
Few == Len(trail) < 1
====
"""
CFG = """\\* INVARIANT Few is nothing for single runs
SPECIFICATION Spec
CONSTANTS Places = {p, q}
  Most = 5
INVARIANT Few
"""
ACTIONS = {"Put": "\\E p \\in Places : Put(p)", "Take": "\\E p \\in Places : Take(p)"}


@attrs.frozen
class Tokens:
    """The same system by hand, in place of the core; a fault may be planted in its steps."""

    fault: str = ""
    initial: tuple[int, int, str] = (0, 0, "")

    def actions(self, state: Any) -> Iterator[str]:
        for number, place in enumerate("pq"):
            if state[number] < (2 if self.fault == "less" else 5):
                yield f"Put {place}"
            if state[number] > 0:
                yield f"Take {place}"
        yield "look"

    def step(self, state: Any, action: str) -> Any:
        if action == "look":
            return state
        counts, (name, place) = list(state[:2]), action.split()
        counts["pq".index(place)] += 1 if name == "Put" else -1
        wrong = self.fault == "trail" and len(state[2]) == 3
        trail = state[2] + place * (name == "Put" and not wrong)
        return (*counts, trail)


def image(state: Any) -> dict[str, Any]:
    p, q = ModelValue("p"), ModelValue("q")
    return {"at": {p: state[0], q: state[1]}, "trail": [ModelValue(one) for one in state[2]]}


def name(state: Any, action: Any) -> str | None:
    return None if action == "look" else str(action.split()[0])


MAPPING = Mapping(image, name)


def drawn(system: Tokens, length: int, seed: int) -> Trace:
    """Draw a run of the system and give its log."""
    choice, state, actions = random.Random(seed), system.initial, []
    for _ in range(length):
        actions.append(choice.choice(list(system.actions(state))))
        state = system.step(state, actions[-1])
    return logged(system, actions, MAPPING)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write the specification."""
    folder: Path = tmp_path_factory.mktemp("tokens")
    paths = folder / "Tokens.tla", folder / "Tokens.cfg"
    paths[0].write_text(SPEC)
    paths[1].write_text(CFG)
    return paths


def _renamed(of: Trace, at: int) -> Trace:
    other = {"Put": "Take", "Take": "Put"}[of.steps[at].action]
    return Trace((*of.steps[:at], attrs.evolve(of.steps[at], action=other), *of.steps[at + 1 :]))


def test_runs_are_behaviours_as_a_whole_or_not_at_all(spec: tuple[Path, Path]) -> None:
    """Good runs are accepted; of a faulty one the first step that the specification has not."""
    good = [drawn(Tokens(), 40, seed) for seed in (1, 2)]
    faulty = drawn(Tokens("trail"), 40, 1)
    renamed = _renamed(good[0], 7)
    astray = Trace((attrs.evolve(good[0].steps[3], action=""), *good[0].steps[4:]))
    cut = Trace((*good[0].steps[:5], *good[0].steps[6:]))
    got = validate(*spec, [*good, faulty, renamed, astray, cut], ACTIONS)
    assert got[:2] == (None, None)
    numbers = [one.number for one in got[2:] if one is not None]
    wrong = next(
        n for n, s in enumerate(faulty.steps) if s.action == "Put" and len(s.state["trail"]) == 3
        and len(faulty.steps[n - 1].state["trail"]) == 3
    )  # fmt: skip
    assert numbers == [wrong, 7, 0, 5]
    assert isinstance(got[2], Mismatch)
    assert next(got[2].lines()) == f"step {wrong}, Put, is not one of the other side:"


UNWRITTEN = """---- MODULE Unwritten ----
EXTENDS Naturals
VARIABLE x
Raised(f) == IF f[1] < 9 THEN [f EXCEPT ![1] = @ + 1] ELSE f
Init == x = Raised([n \\in 1 .. 2 |-> 0])
Next == x' = Raised([n \\in 1 .. 2 |-> x[n]])
====
"""


def test_function_that_is_not_written_out_is_compared_as_it_is(tmp_path: Path) -> None:
    """Of ``<<n, 0>> = Raised(...)`` TLC makes what it would be of the function not raised."""
    (tmp_path / "Unwritten.tla").write_text(UNWRITTEN)
    (tmp_path / "Unwritten.cfg").write_text("INIT Init\nNEXT Next\n")
    runs = [
        Trace(tuple(Step("Next", function({"x": (one, 0)})) for one in counts))
        for counts in ((1, 2, 3), (1, 1, 2), (0, 1, 2))
    ]
    files = tmp_path / "Unwritten.tla", tmp_path / "Unwritten.cfg"
    found = validate(*files, runs, {"Next": "Next"})
    assert [one and one.number for one in found] == [None, 1, 0]


@pytest.mark.thorough
def test_no_run_at_all_matches_elsewhere(spec: tuple[Path, Path]) -> None:
    """If no run begins where the specification does, that is told, and is no success."""
    good = drawn(Tokens(), 5, 1)
    astray = Trace(good.steps[2:])
    (got,) = validate(*spec, [astray], ACTIONS)
    assert got is not None
    assert got.number == 0
    assert "initial state" in next(got.lines())


def test_action_without_definition_is_told(spec: tuple[Path, Path]) -> None:
    """A name that nobody says the meaning of is an error before TLC is run."""
    with pytest.raises(UsageError, match="no definition is given for action 'Put'"):
        validate(*spec, [drawn(Tokens(), 5, 1)], {})


def test_step_that_is_not_known_may_change_nothing() -> None:
    """The log leaves out what the specification does not know, if it changes nothing."""
    assert len(logged(Tokens(), ["look", "Put p", "look"], MAPPING).steps) == 2
    nameless = Mapping(image, lambda state, action: None)
    with pytest.raises(UsageError, match="step 2 changes something"):
        logged(Tokens(), ["look", "Put p"], nameless)


def test_random_runs_of_tlc_are_followed(spec: tuple[Path, Path]) -> None:
    """The core follows what TLC draws; with a fault on either side, up to the first step."""
    spec[0].with_name("Free.cfg").write_text(CFG.replace("INVARIANT Few", ""))
    cfg = spec[0].with_name("Free.cfg")
    runs = behaviours.simulate(spec[0], cfg, Simulation(runs=3, depth=30, seed=7))
    assert [len(one.steps) for one in runs] == [30, 30, 30]
    for one in runs:
        actions, wrong = follow(Tokens(), one, MAPPING)
        assert wrong is None
        assert len(actions) == 29
    found = [follow(Tokens("less"), one, MAPPING)[1] for one in runs]
    wrong = next(one for one in found if one is not None)
    assert max(wrong.state["at"].values()) == 2
    assert {"Take", "a step without a name"} <= {step.action for step in wrong.offers or ()}
    planted = Trace((*runs[0].steps[:9], runs[1].steps[20], *runs[0].steps[10:]))
    again = follow(Tokens(), planted, MAPPING)[1]
    assert again is not None
    assert again.number == 9


def test_names_of_actions_count() -> None:
    """A run that gives the names of its actions is followed under these names only."""
    run = drawn(Tokens(), 20, 3)
    assert follow(Tokens(), run, MAPPING)[1] is None
    wrong = follow(Tokens(), _renamed(run, 4), MAPPING)[1]
    assert wrong is not None
    assert wrong.number == 4
    other = follow(Tokens(), Trace((Step("", run.steps[5].state),)), MAPPING)[1]
    assert other is not None
    assert other.number == 0


def test_simulation_that_is_violated_is_no_set_of_runs(spec: tuple[Path, Path]) -> None:
    """Runs that break off at a violation are not taken for whole ones."""
    with pytest.raises(ToolError, match="Few"):
        behaviours.simulate(*spec, Simulation(runs=3, depth=10, seed=7))


def test_file_of_a_run_may_have_comments() -> None:
    """Newer versions of TLC write the action above each state."""
    text = (
        "---- MODULE run_0_0 ----\n\\* <Initial predicate>\n"
        "STATE_1 == \n/\\ x = 0\n/\\ y = <<>>\n\n"
        "\\* <Put line 5>\nSTATE_2 == \n/\\ x = 1\n/\\ y = <<1>>\n\n====\n"
    )
    assert [step.state for step in read_run(text).steps] == [{"x": 0, "y": ()}, {"x": 1, "y": (1,)}]
    with pytest.raises(ToolError, match="no state"):
        read_run("---- MODULE run_0_0 ----\n====\n")
