"""The paper's tables as checked: every cell with its claim, its passage and its verdict."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest
from commands import ROOT, Chc

from chc_ref.errors import UsageError
from chc_ref.matrix import claims, jobs
from chc_ref.matrix.claims import Checked, Entry
from chc_ref.matrix.jobs import Job, Result
from chc_ref.variants.compared import CHC, CLAIMS, COMPARED, Claim
from chc_ref.verdict import Verdict

MODEL = """
chc_model = 1
about = "An NF crashes twice."
leaves_out = "A second packet."
clauses = ["REC-7"]
expect = "holds"
vertices = [{ name = "record", nf = "recorder" }]
packets = ["A"]
log = "store"
fragile = ["record.0"]
most_crashes = 2
witnesses = ["recovered"]
"""
CELL = """
[[cells]]
failures = "NF + NF"
log = "store"
claim = "holds"
source = "Table 3: yes"
models = ["two"]
"""
LIST = "chc_table3 = 1\n" + CELL


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of one cell, and a cache of its own."""
    monkeypatch.setenv(jobs.CACHE, str(tmp_path / "cache"))
    models = tmp_path / "models"
    models.mkdir()
    (models / "two.toml").write_text(MODEL)
    (models / "table3.toml").write_text(LIST)
    return models


def _checked(entry: Entry) -> Checked:
    (checked,) = claims.checked([entry], {job: jobs.run(job) for job in entry.jobs})
    return checked


def test_table3_has_every_pair_in_both_log_models() -> None:
    """The asterisk is a row of its own, and says otherwise than the row above it."""
    entries = list(claims.table3(ROOT / "models", 1, 1.0))
    cells = {(entry.row, entry.column): entry for entry in entries}
    assert len(cells) == len(entries)
    pairs = {"store + NF", "store + NF *", "store + root", "store + root *", "NF + NF", "NF + root"}
    assert cells.keys() == {(pair, log) for pair in pairs for log in claims.LOGS.values()}
    for (pair, log), entry in cells.items():
        claim = entry.claim
        assert claim is not None
        broken = pair.endswith("*") or (pair, log) == ("NF + root", "log at the root")
        assert claim.holds != broken
        assert entry.bounds
        for job in entry.jobs:
            expect = "holds" if claim.holds else "violated"
            assert f'expect = "{expect}"' in job.text
            assert "most_crashes = 2" in job.text
            assert ('log = "store"' in job.text) == (log == "log in the store")


def test_models_of_table3_fail_together() -> None:
    """Where a pair is said to be survived, both are down at once in some state."""
    for entry in claims.table3(ROOT / "models", 1, 1.0):
        if entry.claim and entry.claim.holds:
            for job in entry.jobs:
                assert '"failed_together"' in job.text, job.model


def test_a_cell_agrees_or_not_or_says_nothing(folder: Path) -> None:
    """The verdict is that of all requirements; a bound is neither."""
    (entry,) = claims.table3(folder, 1_000_000, 60.0)
    held = _checked(entry)
    assert (held.cell.verdict, held.agrees) == (Verdict.HOLDS, True)
    assert claims.code([held]) == 0
    wrong = attrs.evolve(held, entry=attrs.evolve(entry, claim=Claim(False, "")))
    assert wrong.agrees is False
    assert claims.code([held, wrong]) == 1
    silent = attrs.evolve(held, entry=attrs.evolve(entry, claim=None))
    assert silent.agrees is None
    assert claims.code([silent]) == 0
    short = _checked(next(iter(claims.table3(folder, 100, 60.0))))
    assert (short.cell.verdict, short.agrees) == (Verdict.INCONCLUSIVE, None)
    assert short.cell.why == "limit of 100 states"
    assert claims.code([held, short]) == 3


def test_a_violated_cell_has_the_shortest_counterexample() -> None:
    """The worst requirement counts, and of violated ones the one that is met first."""
    every = list(claims.comparison(ROOT / "models", 100_000, 60.0))
    entry = next(e for e in every if (e.row, e.column) == ("stateless_nf", "R4"))
    checked = _checked(entry)
    every_violation = jobs.run(attrs.evolve(entry.jobs[0], first=False)).findings
    lengths = [len(f.trace) for f in every_violation.values() if f.verdict == "violated"]
    assert checked.cell.length == min(lengths)
    others = jobs.run(entry.jobs[0]).findings.values()
    assert sum(finding.verdict == "violated" for finding in others) == 1
    assert checked.agrees


def test_the_comparison_has_every_system_and_chc() -> None:
    """Eight systems and both readings of CHC, against six requirements."""
    every = list(claims.comparison(ROOT / "models", 1, 1.0))
    assert {e.jobs[0].variant for e in every} == {*COMPARED, "paper", "amended"}
    assert len(every) == 6 * (len(COMPARED) + 2)
    for entry in every:
        system = entry.jobs[0].variant
        assert entry.claim == CLAIMS.get(system, CHC).get(entry.column)
        if entry.claim is None:
            assert entry.note
    said = {(e.row, e.column): e.note for e in every if e.claim is None}
    assert "support for R5 is also missing" in said["ftmb", "R5"]
    assert said["stateless_nf", "R1"] == "the paper says nothing"


def test_the_command_prints_a_table_of_the_paper(chc: Chc, folder: Path, tmp_path: Path) -> None:
    """Terminal, JSON, Markdown and page say the same; the second time nothing is searched."""
    page, text = tmp_path / "table.html", tmp_path / "table.md"
    arguments = ("matrix", "--table3", "--models", str(folder))
    done = chc(*arguments, "--json", "--html", str(page), "--markdown", str(text))
    assert done.returncode == 0
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["row"], cell["column"]) == ("NF + NF", "log in the store")
    assert (cell["claim"], cell["verdict"], cell["agrees"]) == ("holds", "holds", True)
    assert cell["states"] > 1000
    assert cell["bounds"] == ["1 instance, 1 flow, 1 packet, 2 crashes"]
    states = f"{cell['states']:,}"
    for shown in (page.read_text(), text.read_text()):
        assert "holds =" in shown
        assert states in shown
        assert "Table 3: yes" in shown
    again = chc(*arguments)
    assert "1 searches, 1 of them remembered" in again.stdout
    assert states in again.stdout
    assert "Table 3: yes" in again.stdout
    assert chc(*arguments, "--states", "100").returncode == 3


@pytest.mark.thorough
def test_a_disagreement_is_shown_with_its_counterexample(
    chc: Chc, folder: Path, tmp_path: Path
) -> None:
    """And the command that shows it again."""
    lone = MODEL.replace('log = "store"', 'log = "root"\npersist_every = 1').replace(
        'fragile = ["record.0"]', 'fragile = ["root", "record.0"]'
    )
    (folder / "two.toml").write_text(lone)
    (folder / "table3.toml").write_text(LIST.replace('log = "store"', 'log = "root"'))
    text, page = tmp_path / "table.md", tmp_path / "table.html"
    arguments = ("--markdown", str(text), "--html", str(page))
    done = chc("matrix", "--table3", "--models", str(folder), *arguments)
    assert done.returncode == 1
    assert "≠" in done.stdout
    (length,) = set(re.findall(r"in (\d+) ≠", text.read_text()))
    assert f"\n{length}. " in text.read_text()
    assert f"\n{int(length) + 1}. " not in text.read_text()
    for shown in (text.read_text(), page.read_text()):
        assert "chc check models/two.toml --variant amended" in shown


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            LIST.replace('"store"', '"sink"'),
            "table3.toml: cell 1: log = 'sink'; it is root or store",
        ),
        (LIST.replace('"store"', '"root"'), "model 'two' has log = 'store'"),
        (LIST.replace('"holds"', '"yes"'), "claim = 'yes'; it is holds or violated"),
        (LIST.replace('"two"', '"tow"'), "there is no model 'tow'"),
        (LIST.replace('["two"]', "[]"), "models = [] is no list of names"),
        (LIST.replace("source", "soruce"), "unknown key 'soruce'"),
        ("chc_table3 = 1\ncells = [1]\n", "cell 1: 1 is no table"),
        ("cells = []\n", "key 'chc_table3' is missing"),
    ],
)
def test_a_malformed_table_is_an_error(folder: Path, text: str, wrong: str) -> None:
    """The text names file, cell and key."""
    (folder / "table3.toml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(wrong)):
        list(claims.table3(folder, 1, 1.0))


def test_bad_arguments_are_errors(chc: Chc, folder: Path, tmp_path: Path) -> None:
    """One line, no traceback, exit code 2."""
    for arguments, wrong in (
        (("--table3", "amended"), "--table3 and --paper stand alone"),
        (("--table3", "--paper"), "--table3 and --paper stand alone"),
        (("--table3", "--seeds", "2"), "--table3 and --paper stand alone"),
        (("--table3", "--models", str(tmp_path)), "table3.toml: No such file"),
        (("--paper", "--models", str(folder)), "there is no model 'compared/r1'"),
    ):
        done = chc("matrix", *arguments)
        assert done.returncode == 2
        assert wrong in done.stderr
        assert "Traceback" not in done.stderr


def _run(found: dict[Job, Result], entries: list[Entry]) -> list[Checked]:
    found |= {job: jobs.run(job) for entry in entries for job in entry.jobs if job not in found}
    return claims.checked(entries, found)


def test_all_cells_of_the_comparison(request: pytest.FixtureRequest) -> None:
    """As the paper claims, but for R1 of CHC as written: the finding that an output leaves twice.

    All of them with ``--model-check``, else the requirement whose model is the smallest.
    """
    every = list(claims.comparison(ROOT / "models", 100_000, 60.0))
    thorough = request.config.getoption("--model-check")
    wanted = [entry for entry in every if thorough or entry.column == "R4"]
    wrong = {(c.entry.row, c.entry.column) for c in _run({}, wanted) if c.agrees is False}
    assert wrong == ({(claims.ROWS["paper"], "R1")} if thorough else set())
