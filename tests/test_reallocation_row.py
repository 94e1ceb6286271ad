"""Moves in a row of vertices, and with failures, in TLA+ beside the core: one labelled graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from counterexamples import found
from graphs import HERE, Table, agree, beside, dumped, explored, row, stated, within

from chc_ref.check.mapping.reallocation_row import ReallocationRow
from chc_ref.errors import UsageError
from chc_ref.tlc import behaviours
from chc_ref.tlc.mapping import Mapping


def bounded(to: ReallocationRow, folder: Path, *overrides: str, short: bool = True) -> Any:
    """Give TLC's graph within the same bounds."""
    how = {"extends": "MCReallocationRow", "behaviour": "Safety"}
    return dumped(to, folder, *overrides, short=short, **how)


PLANTED = HERE / "tests/planted"

BELOW_FIRST = ("second.0", "first.0")
ABOVE_FIRST = ("first.0", "second.0")

MARKS = row("pass pass", "A", moves=("second.0",))
UP = row("pass pass", "A", moves=BELOW_FIRST)
DOWN = row("pass pass", "A", moves=ABOVE_FIRST)
DOWN_EMPTY = row("pass pass", "", moves=ABOVE_FIRST)
ALONE = row("pass", "A", moves=("first.0",))
CACHED = row("recorder", "A", moves=("first.0",), eager_flush=False)
OLD_FAILS = row("pass", "A", "first.1", moves=("first.0",))
OLD_FAILS_EMPTY = row("pass", "", "first.1", moves=("first.0",))
NEW_FAILS = row("pass", "AA", "first.0", moves=("first.0",))
OLD_FAILS_STATE = row("recorder", "A", "first.1", moves=("first.0",))
ABOVE_FAILS = row("pass pass", "A", "first.0", moves=("second.0",), instances=(1, 2))
ABOVE_FAILS_LEFT = row("pass pass", "", "first.1", moves=ABOVE_FIRST)
BELOW_FAILS = row("pass pass", "A", "second.0", moves=("first.0",), instances=(2, 1))

EQUAL = [
    (UP, 1_967),
    (OLD_FAILS, 3_152),
    (DOWN, 1_923),
    (ABOVE_FAILS, 4_964),
    (OLD_FAILS_STATE, 7_756),
    (ABOVE_FAILS_LEFT, 8_282),
    (BELOW_FAILS, 11_229),
    (row("pass pass", "AA", moves=ABOVE_FIRST), 12_801),
    (row("pass pass", "AA", moves=BELOW_FIRST), 14_299),
    (row("counter", "A", "first.1", moves=("first.0",), eager_flush=False), 16_767),
]
"""Systems, with their numbers of states."""

RULES = [
    ("one_mark_is_enough", "AwaitMarks <- Dropped", MARKS),
    ("no_last_mark", "MarkLast <- Dropped", MARKS),
    ("moves_at_two_vertices", "OneVertexAtATime <- Dropped", DOWN_EMPTY),
    ("begins_under_a_move", "BeginWaits <- Dropped", UP),
    ("no_flush_before_release", "FlushBeforeRelease <- Dropped", CACHED),
    ("marks_once", "MarkAgain <- Dropped", OLD_FAILS_EMPTY),
    ("replays_by_newest_route", "TenureOf <- NewestTenure", NEW_FAILS),
    ("splitter_alone_knows", "AskWhereItBegins <- Dropped", ALONE),
    ("splitter_alone_knows", "AskWhereItBegins <- Dropped", ABOVE_FAILS),
    ("no_update_suppression", "SuppressUpdates <- Dropped", OLD_FAILS_STATE),
    ("output_on_any_delete", "LeaveOnFirstDelete <- Dropped", OLD_FAILS_STATE),
    ("delete_at_once", "DeleteAfterCommits <- Dropped", OLD_FAILS_STATE),
    ("replay_overtakes", "AwaitEarlier <- Dropped", BELOW_FAILS),
    (f"{PLANTED}/queue.py:MarksOvertake", "MarkWaits <- Never", DOWN),
]
"""Variant of the core, what it is in the specification, and a small system that tells."""

RUNS = [
    (
        "crash_above_two_moves",
        "manager.py:BeginsAsAsked",
        "BeginsAt <- BeginsAsAsked",
        "ManagerTakesBegin",
    ),
    ("crash_above_moved", "queue.py:MarksOvertake", "MarkWaits <- Never", "InstanceTakesLastMark"),
    (
        "crash_above_moved",
        "splitter.py:MarksBeforeReplay",
        "MarksAtOnce <- AtAnyTime",
        "SplitterTakesMove",
    ),
    (
        "crash_above_moved_two",
        "splitter.py:MixesTenures",
        "MayBegin <- Anyway",
        "InstanceTakesGranted",
    ),
]
"""Model, fault that it finds, what that is in the specification, and the step that is refused."""

SOON = (MARKS, UP, DOWN, DOWN_EMPTY, ALONE, OLD_FAILS_EMPTY)
"""Systems that ``--model-check`` looks at; the others are for ``--model-check-slow``."""


def wanted(request: pytest.FixtureRequest, soon: bool) -> None:
    """Skip a test that was not asked for."""
    slow = soon or request.config.getoption("--model-check-slow")
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("a run of TLC that writes its graph: with --model-check, or --model-check-slow")


@pytest.mark.parametrize(("of", "states"), EQUAL, ids=[str(states) for _, states in EQUAL])
def test_graph_is_equal(
    of: Table, states: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Core and specification have the same states and steps, by the same names."""
    wanted(request, of in (UP, OLD_FAILS))
    core = explored(of)
    to = ReallocationRow(core.system)
    agree(core, bounded(to, tmp_path, short=states < 10_000), to, states)


@pytest.mark.parametrize(
    ("variant", "override", "of"),
    RULES,
    ids=[f"{one[0].split(':')[-1]}{n}" for n, one in enumerate(RULES)],
)
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    wanted(request, of in SOON)
    core, amended = explored(of, variant), explored(of)
    tlc = bounded(ReallocationRow(core.system), tmp_path, override)
    assert beside(core, tlc, ReallocationRow(core.system)).equal
    assert not beside(amended, tlc, ReallocationRow(amended.system)).equal


@pytest.mark.parametrize(
    ("model", "planted", "override", "refused"), RUNS, ids=[of[1].split(":")[1] for of in RUNS]
)
def test_a_run_without_a_rule_is_refused_with_it(
    model: str, planted: str, override: str, refused: str, tmp_path: Path, request: Any
) -> None:
    """A run that only a dropped rule allows is one of the specification only without that rule.

    The graphs in which these rules matter are too large to be compared.
    """
    wanted(request, soon=True)
    made = found(model, f"{PLANTED}/{planted}")
    to = ReallocationRow(made.system)
    log = behaviours.logged(made.system, made.actions, Mapping(to.state, to.action))
    actions = stated(to, {step.action for step in log.steps[1:]})

    def missed(*overrides: str) -> str:
        how = {"extends": "MCReallocationRow", "behaviour": "Safety"}
        files = within(to, tmp_path, *overrides, **how)
        (first,) = behaviours.validate(*files, [log], actions, HERE / "specs")
        return first.action if first else ""

    assert missed(override) == ""
    assert missed() == refused


def test_what_the_specification_has_not_is_told() -> None:
    """Another wish than a move, or another NF."""
    clone = {**row("pass", "A"), "moves": [{"clone": "first.0"}]}
    clone["vertices"][0]["clones"] = True
    with pytest.raises(UsageError, match="has moves, and no other wishes"):
        dict(ReallocationRow(explored(clone).system).constants)
    with pytest.raises(UsageError, match="no NF 'pool'"):
        dict(ReallocationRow(explored(row("pool", "A")).system).constants)
