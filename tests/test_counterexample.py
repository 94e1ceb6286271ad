"""Counterexamples: run again before they are shown, step by step, and made simpler."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from counterexamples import MODELS, found

from chc_ref.check import counterexample, model as models, schedule, simplify
from chc_ref.check.counterexample import confirm, lines, of_report, of_schedule
from chc_ref.check.differences import Change
from chc_ref.check.explore import Explorer, Method
from chc_ref.check.kernel import Compiled
from chc_ref.errors import CheckerError
from chc_ref.system.composition import WORLD, Happen
from chc_ref.system.world import Crash

SMALL = ("ablation_no_last_mark", "channels_doubling_output", "ablation_continues_at_persisted")


# --------------------------------------------------------------------------- the value


@pytest.mark.parametrize("name", SMALL)
def test_what_was_found_is_confirmed(name: str) -> None:
    """It has a state more than steps, and the first is the system's."""
    made = found(name)
    assert len(made.states) == len(made.actions) + 1
    assert made.states[0] == made.system.initial
    assert made.requirement in made.clauses
    assert made.meaning


def test_a_run_with_another_end_is_an_error_of_the_checker() -> None:
    """Another violation, none, one that comes early, and a step that is not possible."""
    made = found("ablation_no_last_mark")
    model, path, actions = made.model, made.path, made.actions
    ways = {
        "and not 'R9: all'": (actions, "R9: all"),
        "violates 'nothing', and not": (actions[:-1], made.violated),
        "before step 22": ((*actions, actions[-1]), made.violated),
        "step 1, 'crash root', is not possible": ((Happen(WORLD, Crash("root")), *actions), ""),
    }
    for text, (run, violated) in ways.items():
        with pytest.raises(CheckerError, match="This is an error of the checker") as caught:
            confirm(model, path, run, violated)
        assert text in str(caught.value)


def test_a_search_that_found_something_else_is_an_error_of_the_checker() -> None:
    """A report whose path does not lead to what it says never becomes a counterexample."""
    made = found("ablation_no_last_mark")
    report = Explorer(made.model).run()
    for wrong in (
        attrs.evolve(report, violated="R1: something else"),
        attrs.evolve(report, schedule=report.schedule.replace('"arrive"', '"crash store"')),
    ):
        with pytest.raises(CheckerError):
            of_report(made.model, made.path, wrong)


def test_a_run_for_ever_comes_back_to_where_it_says() -> None:
    """Checked too; and its text shows where the cycle begins."""
    model = models.load(MODELS / "crash_one.toml")
    with pytest.raises(CheckerError, match="does not come back to state 0"):
        confirm(model, Path("x.toml"), [*model.system().actions(model.system().initial)][:1], "", 0)
    made = attrs.evolve(found("ablation_no_last_mark"), loop=2)
    text = list(lines(made, changes=False))
    assert "goes round" in text[2]
    assert text[3].startswith("  3 ")


def test_a_failure_of_the_core_is_shown_up_to_the_step_it_happens_in() -> None:
    """There is no state behind it, and no difference; the requirement is none."""
    made = found("ablation_no_last_mark")

    def fails(*_: object) -> bool:
        raise ZeroDivisionError("no")

    rules = attrs.evolve(made.rules, seen_before=fails)
    model = attrs.evolve(made.model, rules=rules)
    saved = schedule.Schedule(made.path, model, tuple(step.name for step in made.steps()))
    failed = of_schedule(saved)
    assert failed.violated.startswith("the core fails: ModelError: variant no_last_mark: count.0 ")
    assert failed.violated.endswith(": ZeroDivisionError: no")
    assert len(failed.states) == len(failed.actions)
    assert list(failed.steps())[-1].changes == ()
    assert failed.clauses == made.clauses[1:]


# --------------------------------------------------------------------------- differences


def test_a_step_shows_what_it_changes_and_nothing_else() -> None:
    """Maps by key, what came and what went; old and new value."""
    steps = {step.number: step for step in found("crash_last", "no_update_suppression").steps()}
    assert [str(change) for change in steps[22].changes] == [
        "memory.values[count.total]: 1 -> 2",
        "memory.records[count.total@1#0].result: 1 -> 2",
    ]
    assert steps[12].changes == (Change("manager", "fencing", "count.0", ""),)
    assert steps[15].changes == ()  # the root sends again: nothing of its own is different
    crash = [change for change in steps[8].changes if change.component == "count.0"]
    assert Change("count.0", "up", "True", "False") in crash


@pytest.mark.parametrize("name", [*SMALL, "channels_transport_crash_outputs"])
def test_every_difference_is_shown(name: str) -> None:
    """A component is among the changes exactly if its state is another one."""
    made = found(name)
    for step in made.steps():
        before, after = made.states[step.number - 1], made.states[step.number]
        pairs = zip(made.system.names, before.components, after.components, strict=True)
        changed = {name for name, one, other in pairs if one != other}
        assert {change.component for change in step.changes} - {"network"} == changed
        assert ("network" in {c.component for c in step.changes}) == (before.left != after.left)


def test_the_text_ends_with_the_requirement_and_its_clauses() -> None:
    """What is violated, what it means, and where to read on."""
    text = "\n".join(lines(found("crash_last", "no_update_suppression")))
    assert "  1 world: Arrival" in text
    assert "        store: memory.values[count.total]: 1 -> 2; " in text
    assert text.endswith("alert is raised twice.\n  clauses: R5, DUP-2")


def test_plain_data_says_the_same() -> None:
    """Steps, changes, requirement."""
    data = counterexample.as_data(found("ablation_no_last_mark"))
    assert (data["requirement"], len(data["steps"])) == ("R1", 21)
    assert {"component", "field", "old", "new"} == data["steps"][0]["changes"][0].keys()


# --------------------------------------------------------------------------- simplification


@pytest.mark.parametrize(
    ("name", "before", "after", "gone"),
    [
        ("ablation_no_last_mark", 21, 7, "packet A, packet D"),
        ("ablation_forwards_before_logged", 7, 7, "crash, component that may crash mark.0"),
        ("channels_losing_packet", 9, 9, "wish of the operator flow A to count.0"),
        ("two_operations", 24, 24, "nothing"),
    ],
)
def test_what_is_not_needed_goes(name: str, before: int, after: int, gone: str) -> None:
    """The same requirement is violated in a model with less in it, in no more steps."""
    made = found(name)
    simple = simplify.simplify(made)
    assert (len(made.actions), len(simple.actions)) == (before, after)
    assert simple.requirement == made.requirement
    assert simple.simplified.endswith(f"without: {gone}")
    again = of_schedule(
        schedule.Schedule(
            made.path, simple.model, tuple(step.name for step in simple.steps()), simple.violated
        )
    )
    assert again.violated == simple.violated


def test_nothing_more_can_go_and_it_is_the_same_every_time() -> None:
    """Each smaller model was tried; neither the run nor the back end makes a difference."""
    made = found("ablation_delete_at_once")
    simple = simplify.simplify(made)
    assert simplify.simplify(simple).actions == simple.actions
    assert simplify.simplify(made) == simple
    if isinstance(Explorer(made.model).search, Compiled):
        assert simplify.simplify(made, method=Method("python")) == simple


@pytest.mark.parametrize("backend", ["python", "auto"])
def test_a_search_for_a_shorter_run_sees_all_that_are_short_enough(backend: str) -> None:
    """In the model itself it finds a run of the same length again, at its very last step."""
    for name in ("ablation_no_last_mark", "channels_losing_update"):
        made = found(name)
        run = simplify._Simplifying(made, simplify.Bounds(), Method(backend))
        again = run._other_run(made.model)
        assert again is not None
        assert len(again.actions) == len(made.actions)


def test_a_limit_is_said() -> None:
    """A simplification that was not finished does not look like one that was."""
    simple = simplify.simplify(found("ablation_no_last_mark"), simplify.Bounds(states=10))
    assert "stopped at 10 states" in simple.simplified
    simple = simplify.simplify(found("ablation_no_last_mark"), simplify.Bounds(seconds=0))
    assert "stopped at 0 s" in simple.simplified


def test_the_clone_goes_with_the_host_to_keep() -> None:
    """Without its clone a wish to keep one of two hosts makes no sense."""
    table = {"moves": [{"clone": "n.0"}, {"keep": "n.0'"}, {"flow": "A", "to": "n.1"}]}
    left = [smaller["moves"] for _, smaller in simplify.candidates(table)]
    assert left[0] == [{"flow": "A", "to": "n.1"}]
    assert len(left) == 3
