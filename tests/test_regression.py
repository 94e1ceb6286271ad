"""A counterexample as a test of somebody else's project: run there, mended, and broken again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from commands import Chc
from counterexamples import found

from chc_ref.check import schedule
from chc_ref.check.counterexample import FAILS, confirm, of_schedule
from chc_ref.check.words import step_name
from chc_ref.errors import UsageError
from chc_ref.export import regression
from chc_ref.export.command import files
from chc_ref.export.regression import RegressionError, identifier, rerun

pytest_plugins = ["pytester"]

MINE = '''
from chc_ref.variants import variant


@variant(clauses=("DUP-2",))
class Forgetful:
    """The store makes every update that it is asked for."""

    def recorded(records, update):
        return False
'''

MENDED = MINE.replace("return False", "return update in records")

MODEL = """
chc_model = 1
about = "An instance crashes."
leaves_out = "Moves, a second flow."
clauses = ["DUP-2"]
expect = "holds"
vertices = [{ name = "count", nf = "counter" }]
packets = ["A"]
fragile = ["count.0"]
most_crashes = 1
witnesses = []
"""


@pytest.fixture
def project(pytester: pytest.Pytester, chc: Chc) -> pytest.Pytester:
    """A project with rules of its own, and the counterexample to them as a test."""
    pytester.path.joinpath("mine.py").write_text(MINE)
    pytester.path.joinpath("one.toml").write_text(MODEL)
    command = ("check", "one.toml", "--variant", "./mine.py:Forgetful")
    done = chc(*command, "--save", "tests", "--formats", "pytest", cwd=pytester.path)
    assert done.returncode == 1, done.stderr
    assert {path.name for path in pytester.path.joinpath("tests").iterdir()} == {
        "one.Forgetful.toml",
        "test_one_forgetful.py",
    }
    return pytester


def _test(project: pytest.Pytester) -> Path:
    return project.path / "tests" / "test_one_forgetful.py"


def _mended(project: pytest.Pytester) -> None:
    text = _test(project).read_text()
    assert 'VIOLATES = "R5"' in text
    _test(project).write_text(text.replace('VIOLATES = "R5"', 'VIOLATES = ""'))


def _runs(project: pytest.Pytester, *, passes: bool, where: str = "tests") -> pytest.RunResult:
    """Run the project's pytest, without the plugin that takes longest to say nothing."""
    result = project.runpytest_inprocess("-p", "no:hypothesispytest", where)
    result.assert_outcomes(passed=int(passes), failed=int(not passes))
    return result


def test_it_passes_as_written_wherever_pytest_runs(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules are found beside the test or above it, whatever the present folder is."""
    monkeypatch.chdir(project.mkdir("elsewhere"))
    _runs(project, passes=True, where="../tests")


def test_it_fails_once_the_rule_is_mended_and_says_what_to_do(project: pytest.Pytester) -> None:
    """Then it holds the mended rule, and fails when that breaks again."""
    project.path.joinpath("mine.py").write_text(MENDED)
    result = _runs(project, passes=False)
    result.stdout.fnmatch_lines(["*violates nothing, and not R5; if its rule is mended, write V*"])
    _mended(project)
    _runs(project, passes=True)
    project.path.joinpath("mine.py").write_text(MINE)
    result = _runs(project, passes=False)
    result.stdout.fnmatch_lines(["*one.Forgetful.toml, ./mine.py:Forgetful: R5: *"])


def test_another_violation_and_rules_that_are_nowhere_fail(project: pytest.Pytester) -> None:
    """Neither is a test that passes; each says what is wrong."""
    run = _test(project).with_name("one.Forgetful.toml")
    with pytest.raises(RegressionError, match=r"one.Forgetful, .*: R5: .*, and not R2"):
        rerun(run, "R2")
    project.path.joinpath("mine.py").unlink()
    for violates in ("R5", ""):
        with pytest.raises(UsageError, match=r"cannot load './mine.py:Forgetful'"):
            rerun(run, violates)


def test_what_is_written_is_tidy(project: pytest.Pytester) -> None:
    """Linted with many rules, and formatted; so are the tests of other counterexamples."""
    for name in ("ablation_no_last_mark", "channels_doubling_output"):
        for file, text in files(found(name), ("pytest",)):
            project.path.joinpath(file).write_text(text)
    rules = (
        "--isolated",
        "--select",
        "E,W,F,I,N,D,UP,B,PT,SIM,RUF,ANN,S,PTH",
        "--ignore",
        "D203,D213",
    )
    for command in (("check", *rules), ("format", "--isolated", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *map(str, project.path.rglob("test_*.py"))],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def _saved(tmp_path: Path, name: str, rules: str = "amended") -> Path:
    """Write the run of a counterexample of ours, under other rules."""
    run = found(name)
    text = run.schedule()
    own = f'rules = "{run.rules.name}"'
    assert own in text
    path = tmp_path / f"{name}.toml"
    path.write_text(text.replace(own, f'rules = "{rules}"'))
    return path


MENDABLE = (
    "ablation_no_last_mark",
    "ablation_delete_at_once",
    "ablation_clone_speaks_at_once",
    "ablation_updates_reveal_nothing",
    "ablation_counted_updates",
)


@pytest.mark.parametrize("name", MENDABLE)
def test_a_mended_run_is_followed_and_carried_on_to_rest(name: str, tmp_path: Path) -> None:
    """Steps that are not possible are passed over, and all that is left to do is done."""
    rerun(_saved(tmp_path, name), "")
    with pytest.raises(RegressionError, match=f"{found(name).requirement}: "):
        rerun(_saved(tmp_path, name, found(name).rules.name), "")


def test_what_shows_only_behind_the_run_is_found(tmp_path: Path) -> None:
    """A mended run is judged up to the end: its first steps alone violate nothing."""
    run = found("ablation_no_last_mark")
    for count in (len(run.actions) - 1, 6):
        cut = confirm(run.model, run.path, run.actions[:count], "")
        path = tmp_path / "cut.toml"
        path.write_text(cut.schedule())
        with pytest.raises(RegressionError, match="R1: "):
            rerun(path, "")


def test_a_run_that_is_not_possible_any_more_is_no_violation(tmp_path: Path) -> None:
    """As written the test fails, and says what to do."""
    path = _saved(tmp_path, "ablation_delete_at_once")
    with pytest.raises(
        RegressionError, match=r"not possible any more: .* step 26: .*; if its rule"
    ):
        rerun(path, "R1")


def test_a_run_that_never_comes_to_rest_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound is no pass."""
    monkeypatch.setattr(regression, "MOST_STEPS", 3)
    with pytest.raises(RegressionError, match="does not come to rest in"):
        rerun(_saved(tmp_path, "ablation_no_last_mark"), "")


def test_a_schedule_that_is_malformed_is_refused(tmp_path: Path) -> None:
    """The error is that of the file itself, not that of a folder above it."""
    path = _saved(tmp_path, "ablation_no_last_mark")
    path.write_text(path.read_text().replace("chc_schedule = 1", "chc_schedule = 7"))
    with pytest.raises(UsageError, match=rf"{path}: chc_schedule = 7"):
        rerun(path, "")


def test_a_failure_of_the_core_is_a_counterexample_too(tmp_path: Path) -> None:
    """It is named by what a violation of its kind begins with."""
    run = found("ablation_no_last_mark")

    def fails(*_: object) -> bool:
        raise ZeroDivisionError("no")

    model = attrs.evolve(run.model, rules=attrs.evolve(run.rules, seen_before=fails))
    steps = tuple(map(step_name, run.actions))
    failed = of_schedule(schedule.Schedule(run.path, model, steps))
    ((_, text),) = files(failed, ("pytest",))
    assert f'VIOLATES = "{FAILS}"' in text
    assert "an exception in its last step" in text
    assert {name for name, _ in files(failed, ("html", "svg", "mermaid", "itf", "schedule"))}


def test_names_that_may_stand_in_python() -> None:
    """Whatever a model is called."""
    assert identifier("on.OnlyTheLastMark") == "on_onlythelastmark"
    assert identifier("weird name-é.x") == "weird_name_x"
