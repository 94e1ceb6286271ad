"""Variants of a researcher's own: where they may live, and every way to get one wrong."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chc_ref.check.explore import Explorer
from chc_ref.check.model import load
from chc_ref.cli import app
from chc_ref.core.rules import AMENDED
from chc_ref.errors import ModelError, UsageError
from chc_ref.variants import library, variant
from chc_ref.variants.form import RULES
from chc_ref.variants.shipped import SHIPPED
from chc_ref.verdict import Verdict

pytest_plugins = ["pytester"]

MINE = '''
from chc_ref.variants import variant

@variant(clauses=("MOVE-1",))
class NoLastMark:
    """The splitter does not tell the old instance
    that a flow has moved."""

    def marks_last(epoch):
        return False

@variant(clauses=("DUP-1",), base=NoLastMark)
class NorSuppression:
    """And a queue lets every copy in."""

    @staticmethod
    def seen_before(seen, key):
        return False

NUMBER = 1
'''

MOVE = """
chc_model = 1
about = "One packet and a move."
leaves_out = "Nearly everything."
clauses = ["MOVE-1"]
expect = "holds"
vertices = [{ name = "count", nf = "counter", instances = 2 }]
packets = ["A"]
moves = [{ flow = "A", to = "count.0" }]
witnesses = []
"""


def _write(folder: Path, of_model: str = "") -> Path:
    (folder / "mine.py").write_text(MINE)
    path = folder / "move.toml"
    path.write_text(MOVE + of_model)
    return path


def _check(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["check", *arguments, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.stdout)["checks"][0]


# --------------------------------------------------------------------------- where they live


def test_a_variant_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``FILE.py:NAME`` is looked for in the present folder; its run is saved under that name."""
    path = _write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert _check(str(path))[0] == 0
    code, report = _check(str(path), "--variant", "./mine.py:NoLastMark", "--save", "runs")
    assert (code, report["rules"]) == (1, "./mine.py:NoLastMark")
    assert report["violated"].startswith("R1")
    saved = tmp_path / "runs" / "move.NoLastMark.toml"
    again = CliRunner().invoke(app, ["replay", str(saved)])
    assert again.exit_code == 1
    assert "R1" in again.stdout


def test_a_variant_in_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``MODULE:NAME`` is imported."""
    _write(tmp_path)
    (tmp_path / "mine.py").rename(tmp_path / "researched.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert library.find("researched:NoLastMark").changes == ("marks_last",)


def test_a_model_names_a_variant_beside_it(tmp_path: Path) -> None:
    """``rules`` in a model file is relative to that file."""
    path = _write(tmp_path, 'rules = "./mine.py:NoLastMark"\n')
    assert Explorer(load(path)).run().verdict is Verdict.VIOLATED


def _install(folder: Path, value: str) -> None:
    info = folder / "researched-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: researched\nVersion: 1.0\n")
    points = f"[chc_ref.variants]\nno_mark_at_all = {value}\nno_last_mark = {value}\n"
    (info / "entry_points.txt").write_text(points)


def test_a_variant_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point gives it a plain name; a shipped variant's name stays that variant's."""
    path = _write(tmp_path)
    (tmp_path / "mine.py").rename(tmp_path / "researched2.py")
    _install(tmp_path, "researched2:NoLastMark")
    monkeypatch.syspath_prepend(tmp_path)
    code, report = _check(str(path), "--variant", "no_mark_at_all")
    assert (code, report["rules"]) == (1, "no_mark_at_all")
    assert library.find("no_last_mark") is SHIPPED["no_last_mark"]
    assert "no_mark_at_all" in CliRunner().invoke(app, ["variants"]).stdout


def test_an_installed_variant_that_does_not_load_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed with what is wrong, and refused when it is asked for."""
    _install(tmp_path, "nowhere_at_all:NoLastMark")
    monkeypatch.syspath_prepend(tmp_path)
    listed = CliRunner().invoke(app, ["variants", "--json"])
    entries = {entry["name"]: entry for entry in json.loads(listed.stdout)["variants"]}
    assert "nowhere_at_all" in entries["no_mark_at_all"]["error"]
    assert entries["amended"]["changes"] == []
    with pytest.raises(UsageError, match=r"no_mark_at_all.*ModuleNotFoundError"):
        library.find("no_mark_at_all")


def test_a_variant_begins_with_its_base(tmp_path: Path) -> None:
    """What ``base`` changes stays changed."""
    _write(tmp_path)
    found = library.find("mine.py:NorSuppression", tmp_path)
    assert found.changes == ("seen_before", "marks_last")
    assert library.find("mine.py:NoLastMark", tmp_path).about == (
        "The splitter does not tell the old instance that a flow has moved."
    )


def test_a_variant_is_checked_in_every_system_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of other rules is one of a system; one that is violated anyway tells nothing."""
    folder = tmp_path / "models"
    folder.mkdir()
    _write(folder)
    violated = 'expect = "violated"\nviolates = "R1"'
    own = MOVE.replace("packets", 'rules = "no_last_mark"\npackets')
    (folder / "same.toml").write_text(own.replace('expect = "holds"', violated))
    other = own.replace('["A"]', '["A", "A"]')
    (folder / "other.toml").write_text(other.replace('expect = "holds"', violated))
    lost = MOVE.replace("packets", 'channels = "losing"\nlosses = 1\npackets')
    (folder / "lost.toml").write_text(lost.replace('expect = "holds"', violated))
    monkeypatch.chdir(tmp_path)
    variant = ["--variant", "models/mine.py:NoLastMark", "--json"]
    result = CliRunner().invoke(app, ["check", *variant])
    checks = json.loads(result.stdout)["checks"]
    assert [one["model"] for one in checks] == ["move", "other"]
    assert {one["verdict"] for one in checks} == {"violated"}
    assert result.exit_code == 1


# --------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("@variant\nclass X:\n    '''X.'''", r"variant X: write @variant\(\), with parentheses"),
        ("@variant('MOVE-1')\nclass X:\n    '''X.'''", "no tuple of IDs"),
        ("@variant(('X-9',))\nclass X:\n    '''X.'''", "'X-9' is no clause as 'MOVE-1' is"),
        ("@variant(base=3)\nclass X:\n    '''X.'''", "base = 3 is no variant"),
        ("@variant()\nclass X:\n    def marks_last(epoch): ...", "X has no docstring"),
        ("@variant()\nclass X:\n    '''X.'''", "X changes no rule"),
        ("@variant()\ndef X(): ...", "stands above a class"),
        (
            "@variant()\nclass X:\n    '''X.'''\n    def mark_last(epoch): ...",
            "there is no rule 'mark_last'; did you mean 'marks_last'?",
        ),
        (
            "@variant()\nclass X:\n    '''X.'''\n    def quite_other(epoch): ...",
            "no rule 'quite_other'; `chc variants --rules` lists them",
        ),
        (
            "@variant()\nclass X:\n    '''X.'''\n    def marks_last(epoch, flow): ...",
            r"rule 'marks_last' takes \(epoch\), and this takes \(epoch, flow\)",
        ),
        ("@variant()\nclass X:\n    '''X.'''\n    marks_last = False", "must be a function"),
        ("class X: ...", "is a type, no variant: put @variant"),
        ("x = 1", "has no attribute 'X'"),
        ("x = ", "SyntaxError"),
    ],
)
def test_a_malformed_variant_is_refused(tmp_path: Path, code: str, complaint: str) -> None:
    """The error names the place and the mend."""
    path = tmp_path / "mine.py"
    path.write_text(f"from chc_ref.variants import variant\n{code}\n")
    with pytest.raises(UsageError, match=complaint) as caught:
        library.find(f"{path}:X")
    assert "mine.py" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_last_marks", "did you mean 'no_last_mark'"),
        ("zzz", "known: amended"),
        ("./nowhere.py:X", "nowhere.py"),
        ("no.such.module:X", "ModuleNotFoundError"),
    ],
)
def test_an_unknown_variant_is_refused(name: str, complaint: str) -> None:
    """The error tells what there is."""
    with pytest.raises(UsageError, match=complaint):
        library.find(name)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return epoch / 0", r"fails: ZeroDivisionError: .* \(mine.py, line 6\)"),
        ("return 7", "gives 7, which is no bool"),
        ("return None", "gives None, which is no bool"),
    ],
)
def test_a_rule_that_fails_is_one_clear_error(tmp_path: Path, body: str, complaint: str) -> None:
    """It names variant and rule, whatever happens in it; no traceback reaches a user."""
    path = _write(tmp_path, 'rules = "./mine.py:X"\n')
    head = "from chc_ref.variants import variant\n@variant()\nclass X:\n    '''X.'''\n"
    (tmp_path / "mine.py").write_text(f"{head}    def marks_last(epoch):\n        {body}\n")
    with pytest.raises(ModelError, match=r"variant X: rule 'marks_last' .*") as caught:
        Explorer(load(path)).run()
    assert caught.match(complaint)


# --------------------------------------------------------------------------- rule points


def test_every_rule_is_asked_by_a_machine() -> None:
    """A rule that nobody asks would be a variant that changes nothing."""
    core = Path(__file__).parent.parent / "chc_ref" / "core"
    asked = {
        node.attr
        for path in core.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("rules")
    }
    assert RULES.keys() - asked == set()


def _stepped(tmp_path: Path, body: str) -> Path:
    path = _write(tmp_path, 'rules = "./mine.py:X"\n')
    head = "from chc_ref.core.messages import LastMark\nfrom chc_ref.variants import variant\n"
    head += "@variant()\nclass X:\n    '''X.'''\n"
    rule = f"    def step(address, event, before, after, sends):\n        {body}\n"
    (tmp_path / "mine.py").write_text(head + rule)
    return path


def test_a_variant_may_change_what_no_rule_says(tmp_path: Path) -> None:
    """The rule ``step`` can drop any message; that of the last mark is found like another."""
    body = "return after, [s for s in sends if not isinstance(s.message, LastMark)]"
    report = Explorer(load(_stepped(tmp_path, body))).run()
    assert report.violated.startswith("R1")
    body = "return after, sends"
    assert Explorer(load(_stepped(tmp_path, body))).run().verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return after", "rule 'step' must give a pair: the state"),
        ("return after, [1]", "does not give a state and a list of Send"),
        ("return None, sends", "does not give a state and a list of Send"),
        ("return after, sends + 1", "rule 'step' fails: TypeError"),
        (
            "return after, [type(s)(s.to, None) for s in sends]",
            "variant ./mine.py:X: .* does not know what to do with Received",
        ),
    ],
)
def test_a_step_that_makes_no_sense_is_one_clear_error(
    tmp_path: Path, body: str, complaint: str
) -> None:
    """Neither it nor the machine that gets its nonsense ends in a traceback."""
    with pytest.raises(ModelError, match=complaint):
        Explorer(load(_stepped(tmp_path, body))).run()


# --------------------------------------------------------------------------- lists and pytest


def test_every_variant_and_every_rule_is_listed() -> None:
    """``chc variants`` leaves none out, and each says what it is."""
    runner = CliRunner()
    entries = json.loads(runner.invoke(app, ["variants", "--json"]).stdout)["variants"]
    assert {entry["name"] for entry in entries} >= SHIPPED.keys()
    assert all(entry["about"] for entry in entries)
    rules = json.loads(runner.invoke(app, ["variants", "--rules", "--json"]).stdout)["rules"]
    assert {rule["name"] for rule in rules} == RULES.keys()
    assert all(rule["about"] and rule["parameters"] for rule in rules)
    assert all("inspect" not in kind for rule in rules for kind in rule["takes"].values())
    held = next(rule for rule in rules if rule["name"] == "held_back")
    assert held["takes"] == {"after": "int", "passed": "frozenset[int]"}
    assert held["gives"] == "bool"
    one = runner.invoke(app, ["variants", "no_last_mark"]).stdout
    assert "marks_last" in one
    assert "MOVE-1" in one


def test_every_shipped_variant_changes_something() -> None:
    """And ``amended`` alone changes nothing."""
    assert SHIPPED["amended"].rules is AMENDED
    assert all(one.changes for one in SHIPPED.values() if one.name != "amended")
    assert all(one.clauses for one in SHIPPED.values() if one.name != "amended")


def test_a_folder_is_checked_under_a_variant(pytester: pytest.Pytester) -> None:
    """``--model-check-variant``: models run under it, but for those with rules of their own."""
    folder = pytester.mkdir("models")
    _write(folder)
    own = MOVE.replace("packets", 'rules = "./mine.py:NoLastMark"\npackets')
    own = own.replace('expect = "holds"', 'expect = "violated"\nviolates = "R1"')
    (folder / "own.toml").write_text(own)
    pytester.runpytest_inprocess("--model-check").assert_outcomes(passed=2)
    flag = "--model-check-variant=models/mine.py:NoLastMark"
    result = pytester.runpytest_inprocess("--model-check", flag)
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*move: expected holds; got violated R1*"])


def test_an_unknown_variant_stops_pytest(pytester: pytest.Pytester) -> None:
    """Nothing is collected, and nothing passes."""
    result = pytester.runpytest_inprocess("--model-check", "--model-check-variant=none_such")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--model-check-variant: unknown variant 'none_such'*"])


def test_the_decorator_gives_a_variant() -> None:
    """What it gives has a name, a text and the changed rule, guarded."""

    class Restarts:
        """A recovered root begins anew."""

        @staticmethod
        def next_count(persisted: int, every: int) -> int:
            return 1

    made = variant(clauses=("ROOT-5",), harmless="nothing ever asks")(Restarts)
    assert (made.name, made.clauses) == ("Restarts", ("ROOT-5",))
    assert made.rules.next_count(7, 2) == 1
    assert made.harmless == "nothing ever asks"


def test_the_rules_of_a_clause_can_be_asked_for() -> None:
    """With the shipped variants that change them; what has no rule of its own has ``step``."""
    runner = CliRunner()

    def asked(wanted: str) -> list[str]:
        result = runner.invoke(app, ["variants", "--rules", wanted, "--json"])
        return [rule["name"] for rule in json.loads(result.stdout)["rules"]]

    assert {"held_back", "announces"} <= set(asked("MOVE-6")) < RULES.keys()
    assert asked("move-6") == asked("MOVE-6")
    assert asked("held_back") == ["held_back"]
    assert asked("STORE-8") == ["step"]
    shown = runner.invoke(app, ["variants", "--rules", "held_back"]).stdout
    assert "no_downstream_order" in shown
    for wanted, told in (("held_bak", "did you mean 'held_back'?"), ("XX-3", "lists all")):
        failed = runner.invoke(app, ["variants", "--rules", wanted])
        assert told in str(failed.exception)
