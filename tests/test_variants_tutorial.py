"""docs/variants.md: what stands there is run, so that it stays true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chc_ref.check.explore import Explorer
from chc_ref.check.model import load
from chc_ref.cli import app
from chc_ref.variants import library
from chc_ref.variants.form import RULES

pytest_plugins = ["pytester"]

TEXT = (Path(__file__).parent.parent / "docs" / "variants.md").read_text()


def _files(folder: Path) -> None:
    """Write what the document tells to write; a second part of a file is appended."""
    for name, text in re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", TEXT, re.DOTALL):
        with (folder / name).open("a") as file:
            file.write(text)


def _commands() -> list[tuple[str, str]]:
    """Give each command of the document with what it says comes of it."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    return [pair for block in blocks for pair in re.findall(r"\$ (.*)\n(.*)\n", block)]


CHECKS = [pair for pair in _commands() if pair[0].startswith("chc ")]


def _run(command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.mark.parametrize(("command", "outcome"), CHECKS)
def test_a_check_of_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, outcome: str
) -> None:
    """The verdict, and the requirement, are those of the document."""
    _files(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out = _run(command)
    verdict, _, requirement = outcome.partition(": ")
    assert code == (verdict == "violated")
    assert f" {verdict} " in out
    if requirement:
        assert f": {requirement}: " in out
        assert "25 pass.2 -> sink" in out or " 25 " in out


def test_the_tutorial_has_checks_of_both_kinds() -> None:
    """Else the test above would test nothing."""
    assert len(CHECKS) == 6
    assert {outcome for _, outcome in CHECKS} == {"holds", "violated: R2"}


def test_the_pytest_runs_of_the_tutorial(pytester: pytest.Pytester) -> None:
    """Counts of passed, failed and skipped are those of the document."""
    _files(pytester.path)
    commands = [pair for pair in _commands() if pair[0].startswith("pytest ")]
    assert len(commands) == 3
    for command, outcome in commands:
        counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", outcome)}
        result = pytester.runpytest_inprocess(*shlex.split(command)[1:])
        result.assert_outcomes(**counts)


@pytest.mark.parametrize("line", re.findall(r"^    (chc variants.*)$", TEXT, re.MULTILINE))
def test_a_list_of_the_document(line: str) -> None:
    """The commands that list things list them."""
    code, out = _run(line)
    assert code == 0
    assert ("MOVE-6" if "MOVE-6" in line else "MOVE-1") in out


def test_the_other_commands_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counterexample is kept and run again; a requirement is checked under another system."""
    _files(tmp_path)
    models = Path(__file__).parent.parent / "models" / "compared"
    assert "chc check models/compared/r3.toml --variant ftmb" in TEXT
    assert _run(f"chc check {models}/r3.toml --variant ftmb")[0] == 1
    monkeypatch.chdir(tmp_path)
    kept = "chc check on.toml --variant ./mine.py:OnlyTheLastMark --save runs"
    assert kept in TEXT
    assert _run(kept)[0] == 1
    (saved,) = (tmp_path / "runs").glob("*.toml")
    assert _run(f"chc replay {saved}")[0] == 1


def test_the_variant_by_step_is_found(tmp_path: Path) -> None:
    """Nothing of the log is ever deleted without the commit signals."""
    _files(tmp_path)
    (tmp_path / "one.toml").write_text(
        (tmp_path / "once.toml").read_text().replace('nf = "pass"', 'nf = "recorder"')
    )
    rules = library.find("lost.py:NoCommitSignals", tmp_path).rules
    report = Explorer(load(tmp_path / "one.toml"), rules).run()
    assert report.violated.startswith("LIVE")


def test_every_rule_and_variant_that_the_document_names_is_there() -> None:
    """A name in a table of the document is one that can be asked for."""
    harmless = set(re.findall(r"^\| `(\w+)` \| .* \| its model", TEXT, re.MULTILINE))
    shipped = {name for name, one in library.SHIPPED.items() if one.harmless}
    assert harmless == shipped
    assert {"held_back", "step"} <= RULES.keys()
