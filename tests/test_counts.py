"""Pinned counts: every model has them, a change fails with a text that says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest
from commands import ROOT, Chc

from chc_ref import suite
from chc_ref.check import counts
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.model import is_model, load
from chc_ref.core.rules import AMENDED
from chc_ref.errors import UsageError
from chc_ref.verdict import Fairness, Order, Report, Verdict

pytest_plugins = ["pytester"]

MODEL = """
chc_model = 1
about = "Two packets."
leaves_out = "Nearly all."
clauses = ["ROOT-1"]
expect = "holds"
vertices = [{ name = "record", nf = "recorder" }]
packets = ["A", "A"]
witnesses = []
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model, and its counts as a search gives them."""
    path = tmp_path / "two.toml"
    path.write_text(MODEL)
    counts.write(tmp_path / counts.FILE, {"two": counts.of(Explorer(load(path)).run())})
    return path


def _pin(model: Path, **change: int) -> None:
    known = counts.pinned(model)
    assert known is not None
    counts.write(model.parent / counts.FILE, {model.stem: {**known, **change}})


def test_every_model_is_pinned() -> None:
    """And nothing else is; of those that are slow, what has been seen whole."""
    for folder in (ROOT / "models", *(p for p in (ROOT / "models").iterdir() if p.is_dir())):
        models = {path.stem for path in folder.glob("*.toml") if is_model(path)}
        known = counts.read(folder / counts.FILE, 0)
        assert known.keys() <= models, folder
        assert all(load(folder / f"{name}.toml").slow for name in models - known.keys()), folder
        for name, of in known.items():
            if load(folder / f"{name}.toml").expect is Verdict.HOLDS:
                assert of.keys() == {"states", "transitions", "depth"}, name
            else:
                assert of.keys() <= {"steps"}, name


def test_a_changed_count_is_not_as_expected(model: Path) -> None:
    """Though the verdict is; the text names what differs, and the mend."""
    report, expected = suite.explorer_check(model).run(Limits(), None)
    assert expected
    assert not report.miscounted
    states = report.states or 0
    _pin(model, states=states + 1)
    report, expected = suite.explorer_check(model).run(Limits(), None)
    assert not expected
    assert report.verdict is Verdict.HOLDS
    wanted = f"states {states}, pinned {states + 1}; if the change is meant: chc counts {model} "
    assert wanted in report.miscounted


def test_what_is_not_comparable_is_not_compared(model: Path) -> None:
    """A bound was met, another variant, another order; back end and threads are no excuse."""
    _pin(model, depth=99)
    for limits, method in (
        (Limits(states=5), None),
        (Limits(depth=3), None),
        (Limits(seconds=0.0), None),
        (Limits(), Method(order=Order.DEPTH)),
    ):
        report, _ = suite.explorer_check(model, method=method).run(limits, None)
        assert not report.miscounted
    other = suite.explorer_check(model, attrs.evolve(AMENDED, name="other"))
    assert not other.run(Limits(), None)[0].miscounted
    for method in (Method(), Method(backend="python"), Method(fairness=Fairness.STRONG)):
        assert suite.explorer_check(model, method=method).run(Limits(), None)[0].miscounted
    (model.parent / counts.FILE).unlink()
    assert not suite.explorer_check(model).run(Limits(), None)[0].miscounted


def test_a_counterexample_has_its_steps_pinned(model: Path) -> None:
    """Its length is the shortest, whatever was seen besides; a lasso has none."""
    report = Report("explorer", "two", Verdict.VIOLATED, states=7, depth=4, trace=("a", "b", "c"))
    assert counts.of(report) == {"steps": 3}
    assert counts.of(attrs.evolve(report, loop=1)) == {}
    counts.write(model.parent / counts.FILE, {"two": {"steps": 4}})
    assert "steps 3, pinned 4" in counts.miscounted(model, report, None)


def test_pytest_fails_for_a_changed_count(model: Path, pytester: pytest.Pytester) -> None:
    """With the same text."""
    result = pytester.runpytest_inprocess("--model-check", str(model.parent))
    result.assert_outcomes(passed=1)
    _pin(model, transitions=1)
    result = pytester.runpytest_inprocess("--model-check", str(model.parent))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*transitions *, pinned 1; if the change is meant: chc counts *"])


def test_the_command_compares_and_rewrites(chc: Chc, model: Path) -> None:
    """Exit code 1 while something differs; what is written is what was counted."""
    before = (model.parent / counts.FILE).read_text()
    folder = ("--models", str(model.parent))
    assert chc("counts", *folder).returncode == 0
    _pin(model, states=1)
    done = chc("counts", *folder)
    assert done.returncode == 1
    assert re.search(r"states \d+, pinned 1", done.stderr)
    assert chc("check", *folder).returncode == 1
    assert chc("counts", *folder, "--states", "5").returncode == 3
    assert chc("counts", *folder, "--write").returncode == 0
    assert (model.parent / counts.FILE).read_text() == before
    (model.parent / counts.FILE).unlink()
    done = chc("counts", str(model))
    assert done.returncode == 1
    assert "two: nothing is pinned; chc counts" in done.stderr


def test_what_is_gone_is_dropped(chc: Chc, model: Path) -> None:
    """When the whole folder is counted; a single model leaves the others alone."""
    known = counts.pinned(model)
    assert known is not None
    file = model.parent / counts.FILE
    counts.write(file, {"two": known, "gone": known})
    assert chc("counts", str(model), "--write").returncode == 0
    assert "gone" in file.read_text()
    assert chc("counts", "--models", str(model.parent), "--write").returncode == 0
    assert "gone" not in file.read_text()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[models]\n", "chc_counts = 1 and a table [models] are missing"),
        ("chc_counts = 1\n[models]\ntwo = 3\n", "two = 3 is no table of states"),
        ("chc_counts = 1\n[models]\ntwo = { staets = 3 }\n", "two = {'staets': 3} is no table"),
        ("chc_counts =", "counts.toml: "),
    ],
)
def test_a_malformed_file_is_an_error(model: Path, chc: Chc, text: str, wrong: str) -> None:
    """One line that names the file, exit code 2."""
    (model.parent / counts.FILE).write_text(text)
    with pytest.raises(UsageError, match=re.escape(wrong)):
        counts.pinned(model)
    done = chc("check", str(model))
    assert done.returncode == 2
    assert "counts.toml" in done.stderr
    assert "Traceback" not in done.stderr
