"""``chc tlc``: any specification, its verdicts as exit codes, its faults in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Chc

from chc_ref.tlc.trace import of_itf

CLOCK = """---- MODULE Clock ----
EXTENDS Integers
VARIABLES hour, struck
Init == hour = 0 /\\ struck = {}
Tick == hour < 5 /\\ hour' = hour + 1 /\\ UNCHANGED struck
Strike == hour > 0 /\\ struck' = struck \\cup {hour} /\\ UNCHANGED hour
Stop == hour = 9 /\\ UNCHANGED <<hour, struck>>
Next == Tick \\/ Strike \\/ Stop
Spec == Init /\\ [][Next]_<<hour, struck>>
Once == struck # {2}
====
"""


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """Write a specification with a violated invariant."""
    path = tmp_path / "Clock.tla"
    path.write_text(CLOCK)
    path.with_suffix(".cfg").write_text("SPECIFICATION Spec\nINVARIANT Once\n")
    return path


def test_violation_is_shown_counted_and_kept(chc: Chc, clock: Path) -> None:
    """The table, what was never taken, the steps with their changes, and the run as ITF."""
    kept = clock.with_name("run.itf.json")
    done = chc("tlc", str(clock), "--coverage", "--itf", str(kept))
    assert done.returncode == 1, done.stderr
    assert "violated: Once" in done.stdout
    assert "never taken: Stop" in done.stdout
    assert "  3 Strike\n        struck: + 2\n" in done.stdout
    run = of_itf(kept.read_text())
    assert [step.action for step in run.steps] == ["", "Tick", "Tick", "Strike"]
    assert run.states[-1] == {"hour": 2, "struck": frozenset({2})}


def test_bound_is_inconclusive_and_counts_are_json(chc: Chc, clock: Path) -> None:
    """Behind a bound of the depth nothing is said; machines get one object."""
    done = chc("tlc", str(clock.with_suffix("")), "--depth", "1", "--memory", "200", "--json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["verdict"]) == (3, "inconclusive")
    assert data["violated"] == "limit of 1 steps"
    assert data["states"] == 2
    assert data["trace"] is None


def test_error_in_a_step_is_told_with_the_way_to_it(chc: Chc, clock: Path) -> None:
    """An error of evaluation names the line, and the steps that lead there."""
    clock.write_text(CLOCK.replace("struck' = struck \\cup {hour}", "struck' = struck + hour"))
    done = chc("tlc", str(clock), "--itf", str(clock.with_name("run.json")))
    assert done.returncode == 2
    assert "the way to the error:" in done.stdout
    assert "  1 Tick" in done.stdout
    assert done.stderr.startswith("chc: Clock.tla:6: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("missing", "want"),
    [(".cfg", "Clock.cfg: no such file: TLC needs a configuration"), (".tla", "no such file")],
)
def test_missing_file_is_one_line(chc: Chc, clock: Path, missing: str, want: str) -> None:
    """Without a configuration, or a module, a line says what is needed."""
    clock.with_suffix(missing).unlink()
    done = chc("tlc", str(clock))
    assert done.returncode == 2
    assert want in done.stderr
    assert done.stderr.count("\n") == 1
