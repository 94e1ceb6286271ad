"""The matrix: what its cells sum up, what is remembered, and how it is printed."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
from commands import Chc

from chc_ref.check import sources
from chc_ref.check.explore import Explorer
from chc_ref.check.model import load
from chc_ref.errors import ToolError, UsageError
from chc_ref.matrix import jobs, run, table
from chc_ref.matrix.jobs import Finding, Job, Memory, Result
from chc_ref.require.predicates import REQUIREMENTS
from chc_ref.variants import library
from chc_ref.variants.shipped import SHIPPED
from chc_ref.verdict import Reduction, Verdict

TWO = """
chc_model = 1
about = "Two instances, two flows, and a move."
leaves_out = "Crashes."
clauses = ["MOVE-1"]
expect = "holds"
vertices = [{ name = "count", nf = "counter", instances = 2, eager_flush = false }]
packets = ["A", "A"]
moves = [{ flow = "A", to = "count.0" }]
witnesses = ["handed_over"]
"""
OWN = TWO.replace('"holds"', '"violated"\nviolates = "R1"\nrules = "no_last_mark"')
OWN = OWN.replace('["A", "A"]', '["A"]').replace('["handed_over"]', "[]")
LIST = 'chc_matrix = 1\nmodels = ["two"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models, and a cache of its own."""
    monkeypatch.setenv(jobs.CACHE, str(tmp_path / "cache"))
    models = tmp_path / "models"
    models.mkdir()
    for name, text in (("two", TWO), ("own", OWN), ("matrix", LIST)):
        (models / f"{name}.toml").write_text(text)
    return models


def _rows(folder: Path, *variants: str, states: int = 100_000) -> dict[str, table.Row]:
    chosen = {name: library.find(name) for name in variants}
    every = table.jobs(folder, chosen, states, 60.0)
    return {
        name: table.row(name, chosen[name], [jobs.run(job) for job in of])
        for name, of in every.items()
    }


def _job(folder: Path, seconds: float = 60.0, name: str = "amended") -> Job:
    return table.jobs(folder, {name: library.find(name)}, 100_000, seconds)[name][0]


def test_a_cell_says_what_a_search_for_its_requirement_says(folder: Path) -> None:
    """Each variant goes through the common models and its own; the shortest violation counts."""
    rows = _rows(folder, "amended", "no_last_mark")
    good, bad = rows["amended"], rows["no_last_mark"]
    assert {cell.verdict for cell in good.cells.values()} == {Verdict.HOLDS}
    assert {cell.models for cell in good.cells.values()} == {("two",)}
    report = Explorer(load(folder / "two.toml")).run()
    assert {cell.states for cell in good.cells.values()} == {report.states}
    assert bad.cells["R1"].models == ("two", "own")
    violated = Explorer(load(folder / "own.toml")).run()
    for name in ("R1", "COE", "LIVE"):
        assert bad.cells[name].verdict is Verdict.VIOLATED
        assert (bad.cells[name].model, bad.cells[name].length) == ("own", violated.depth)
        assert bad.cells[name].why.startswith(f"{name}: ")
        assert bad.cells[name].violated_by == ("two", "own")
    assert bad.cells["R5"].verdict is Verdict.INCONCLUSIVE
    assert bad.cells["R5"].why == "never reached: handed_over"


def test_a_bound_is_inconclusive_and_a_violation_is_not(folder: Path) -> None:
    """What a search found before it hit its bound stays found."""
    row = _rows(folder, "no_last_mark", states=1_000)["no_last_mark"]
    assert row.cells["R1"].verdict is Verdict.VIOLATED
    assert row.cells["R4"].verdict is Verdict.INCONCLUSIVE
    assert row.cells["R4"].why == "limit of 1000 states"


def _no_executor() -> Executor:
    raise AssertionError("nothing was to be run")


def test_what_did_not_change_is_not_searched_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are known by model, variant, bounds and core, and by nothing less."""
    job = _job(folder)
    memory, told = Memory(), list[Result]()
    with ThreadPoolExecutor(1) as executor:
        first = run.results([job], lambda: executor, memory, told.append)[job]
    again = run.results([job], _no_executor, memory, told.append)[job]
    assert [result.remembered for result in told] == [False, True]
    assert again.findings == first.findings
    for change in (
        {"variant": "paper"},
        {"model": "other"},
        {"text": job.text.replace('["A", "A"]', '["A"]')},
        {"states": 99_999},
        {"code": "another"},
    ):
        assert memory.get(attrs.evolve(job, **change)) is None
    assert memory.get(attrs.evolve(job, seconds=1.0)) is not None
    monkeypatch.setattr(sources, "of_package", lambda: "another core")
    assert memory.get(job) is None


def test_the_core_is_a_part_of_what_results_are_known_by() -> None:
    """A change of any module that a search runs is a change of the digest."""
    root = Path(jobs.__file__).parent.parent
    files = {p.relative_to(root).parts[0] for part in sources.CHECKED for p in [root / part]}
    drivers = {"export", "matrix", "net", "prove", "reducing", "replay", "tlc", "installed"}
    commands = {
        "catalogue.py",
        "checks.py",
        "cli.py",
        "console.py",
        "counts.py",
        "diagram.py",
        "pytest_plugin.py",
        "suite.py",
    }
    others = {
        "__init__.py",
        "documents.py",
        "errors.py",
        "files.py",
        "itf.py",
        "places.py",
        "traceability.py",
        "verdict.py",
    }
    there = {p.name for p in root.iterdir() if p.suffix in (".py", "")} - {"__pycache__"}
    assert there - drivers - commands - others == files
    assert len(sources.of_package()) == 64


def test_a_spoilt_memory_and_a_slow_machine_are_not_remembered(folder: Path) -> None:
    """A file that cannot be read counts for nothing; nor does a time limit."""
    job = _job(folder, 0.0)
    memory = Memory()
    late = jobs.run(job)
    assert late.findings["R1"].violated == "time limit of 0 s"
    memory.put(late)
    assert memory.get(job) is None
    memory.put(Result(job, 0.0, {name: Finding("holds", 1) for name in REQUIREMENTS}))
    assert memory.get(job) is not None
    (file,) = (memory.folder / "matrix").iterdir()
    file.write_text('{"R1": {"verdict": "holds", "states": 1}}')
    assert memory.get(job) is None
    file.write_text("{")
    assert memory.get(job) is None


def test_the_command_prints_what_it_found(chc: Chc, folder: Path, tmp_path: Path) -> None:
    """Terminal, JSON, Markdown and page say the same; every counterexample has its command."""
    arguments = ("matrix", "amended", "no_last_mark", "--models", str(folder))
    page, text = tmp_path / "matrix.html", tmp_path / "matrix.md"
    done = chc(*arguments, "--json", "--html", str(page), "--markdown", str(text))
    assert done.returncode == 1
    data = json.loads(done.stdout)["variants"]
    cell = data["no_last_mark"]["cells"]["R1"]
    assert cell["verdict"] == "violated"
    assert cell["length"] == len(cell["trace"]) > 5
    assert data["amended"]["cells"]["COE"]["verdict"] == "holds"
    assert data["amended"]["remembered"] == 0
    for shown in (page.read_text(), text.read_text()):
        assert f"in {cell['length']}" in shown
        assert "chc check own --variant no_last_mark" in shown
        assert "Inconclusive: two: never reached: handed_over" in shown
        assert SHIPPED["no_last_mark"].about in shown
    lines = text.read_text().splitlines()
    assert lines[2].startswith("| [amended](#amended) | holds | holds")
    assert f"{cell['length']}. " in text.read_text()
    assert set(re.findall(r'href="#(\w+)"', page.read_text())) == {"amended", "no_last_mark"}
    again = chc(*arguments)
    assert "3 searches, 3 of them remembered" in again.stdout
    assert chc("matrix", "amended", "--models", str(folder)).returncode == 0


@pytest.mark.thorough
def test_a_variant_that_nothing_violates_is_told_of(
    chc: Chc, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without names the whole table is judged: the protocol holds, and the rest is caught."""
    kept = {
        name: SHIPPED[name]
        for name in ("amended", "no_last_mark", "recent_by_clock", "continues_at_persisted")
    }
    monkeypatch.setattr("chc_ref.variants.shipped.SHIPPED", kept)
    done = chc("matrix", "--models", str(folder))
    assert done.returncode == 1
    assert "continues_at_persisted: violated nowhere" in done.stdout
    assert "recent_by_clock: " not in done.stdout  # it says itself that it is harmless
    del kept["continues_at_persisted"]
    assert chc("matrix", "--models", str(folder)).returncode == 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('chc_matrix = 1\nmodels = ["tow"]\n', "matrix.toml: models: there is no model 'tow'"),
        ("chc_matrix = 1\nmodels = [1]\n", "matrix.toml: models: 1 is no name of a model"),
        ("models = []\n", "key 'chc_matrix' is missing"),
        ("chc_matrix = ", "matrix.toml: "),
    ],
)
def test_a_malformed_list_is_an_error(folder: Path, text: str, wrong: str) -> None:
    """The text names the file and what is wrong in it."""
    (folder / "matrix.toml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(wrong)):
        _job(folder)


def test_bad_arguments_are_errors(chc: Chc, folder: Path, tmp_path: Path) -> None:
    """One line, no traceback, exit code 2."""
    for arguments, wrong in (
        (("no_such",), "unknown variant 'no_such'; "),
        (("--models", str(tmp_path)), "matrix.toml: no such file; write it: chc_matrix = 1"),
        (("amended", "--models", str(folder), "--html", str(folder)), "Is a directory"),
        (("amended", "--backend", "abacus"), "--backend 'abacus' is not here; known: auto"),
        (("amended", "--reduce", "half"), "--reduce 'half' is unknown; known: por, symmetry"),
        (("amended", "--reduce", "por", "--backend", "kernel"), "leave --backend kernel out"),
    ):
        done = chc("matrix", *arguments)
        assert done.returncode == 2
        assert wrong in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_verdicts_are_the_same_however_it_is_searched(chc: Chc, folder: Path) -> None:
    """Back ends and reductions are no part of a verdict, and of what is remembered they are."""
    arguments = ("matrix", "amended", "no_last_mark", "--models", str(folder), "--json")
    found = {}
    for way in ("", "--backend python", "--reduce por", "--reduce symmetry,por"):
        data = json.loads(chc(*arguments, *way.split()).stdout)["variants"]
        assert not any(row["remembered"] for row in data.values()), way
        found[way] = {
            (name, requirement): cell["verdict"]
            for name, row in data.items()
            for requirement, cell in row["cells"].items()
        }
    assert len({tuple(cells.items()) for cells in found.values()}) == 1
    job = _job(folder)
    fewer = attrs.evolve(job, way=jobs.Way(reduce=frozenset({Reduction.PERSISTENT})))
    states = [jobs.run(one).findings["COE"].states for one in (job, fewer)]
    assert states[1] < states[0]


def test_a_job_carries_all_that_it_needs(folder: Path) -> None:
    """It runs where there is no such file."""
    job = Job("amended", "two", (folder / "two.toml").read_text(), 100_000, 60.0)
    (folder / "two.toml").unlink()
    assert jobs.run(job).findings["COE"].verdict == "holds"


MINE = """
from chc_ref.variants import variant

@variant(clauses=("MOVE-1",))
class NoMark:
    "No mark is sent."
    def marks_last(epoch): return WHAT
"""


def test_a_variant_of_ones_own_is_known_by_its_text(folder: Path) -> None:
    """A change of its file is another variant, under the same name."""
    path, jobs_of = folder / "mine.py", []
    for what in ("False", "True"):
        path.write_text(MINE.replace("WHAT", what))
        jobs_of.append(_job(folder, name=f"{path}:NoMark"))
        assert jobs.run(jobs_of[-1]).findings["R1"].verdict == (
            "violated" if what == "False" else "holds"
        )
    assert jobs_of[0].key != jobs_of[1].key


def _written(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


LAZY = """
def _never():
    import my_rules.broken.part, my_rules.old, my_rules.none.such
    from .. import nothing
"""
HELPED = LAZY + MINE.replace("from", "from my_rules import what\nfrom", 1).replace(
    "WHAT", "what.WHAT"
)
NFS = "from chc_ref.nfs import tiny\nMINE = tiny.TINY['counter']\n"


def test_all_files_of_ones_own_are_a_part_of_what_results_are_known_by(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variant imports, and the NFs, logics and scopes that a model names: nothing stale."""
    package, nfs = folder / "my_rules", folder / "nfs.py"
    monkeypatch.syspath_prepend(str(folder))
    _written(package / "what.py", "from .deeper import WHAT\n")
    _written(package / "deeper.py", "WHAT = True\n")
    _written(package / "old.py", "print 'of another Python'\n")
    _written(package / "broken" / "__init__.py", "1 / 0\n")
    _written(package / "mine.py", HELPED)
    _written(nfs, NFS)
    text = TWO.replace('nf = "counter"', 'nf = "./nfs.py:MINE"')
    (folder / "two.toml").write_text(text)
    name = "my_rules.mine:NoMark"
    first = _job(folder, name=name)
    assert _job(folder, name=name) == first
    assert jobs.run(first).findings["R1"].verdict == "holds"
    _written(package / "deeper.py", "WHAT = False\n")
    second = _job(folder, name=name)
    _written(nfs, NFS + "# changed\n")
    third = _job(folder, name=name)
    assert len({one.key for one in (first, second, third)}) == 3
    assert _job(folder).code == third.code.removeprefix(sources.of_variant(name))
    assert sources.of_variant("amended") == sources.of_variant("chc_ref.variants.shipped:X") == ""


STUCK = (
    MINE.replace("WHAT", "False")
    + """
    def step(address, event, before, after, sends):
        assert type(event).__name__ != "CloneRequested", "no clones here"
        return after, sends
"""
)


def test_rules_that_cannot_go_on_are_told_of_and_the_rest_is_searched(
    chc: Chc, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model in which a rule fails is inconclusive; what others violate is found."""
    cloned = TWO.replace("instances = 2", "instances = 2, clones = true")
    cloned = cloned.replace('{ flow = "A", to = "count.0" }', '{ clone = "count.0" }')
    (folder / "cloned.toml").write_text(cloned.replace('"handed_over"', ""))
    (folder / "matrix.toml").write_text(LIST.replace('"two"', '"cloned", "two"'))
    (folder / "mine.py").write_text(STUCK)
    name = f"{folder / 'mine.py'}:NoMark"
    cells = _rows(folder, name)[name].cells
    assert (cells["R1"].verdict, cells["R1"].model) == (Verdict.VIOLATED, "two")
    assert (cells["R6"].verdict, cells["R6"].model) == (Verdict.INCONCLUSIVE, "cloned")
    assert "rule 'step' fails: AssertionError: no clones here (mine.py, line " in cells["R6"].why
    done = chc("matrix", name, "--models", str(folder), "--drawn", "0")
    assert done.returncode == 1
    assert "Inconclusive: cloned: variant NoMark: rule 'step' fails" in done.stdout
    done = chc("check", "--variant", name, "--models", str(folder))
    assert done.returncode == 1
    assert "cloned: inconclusive: variant NoMark: rule 'step' fails" in done.stdout
    done = chc("check", "cloned", "--variant", name, "--models", str(folder))
    assert done.returncode == 2
    assert "no clones here" in done.stderr


# ---------------------------------------------------------------------- elsewhere


def test_walks_add_what_they_find_and_nothing_else(folder: Path) -> None:
    """A walk that saw nothing wrong says nothing; one that did violates the cell."""
    common = ("amended", "no_last_mark")
    chosen = {name: library.find(name) for name in common}
    every = table.jobs(folder, chosen, 100_000, 60.0, table.Campaign(200, 2))
    assert [(job.walks, job.seed) for job in every["amended"]] == [(0, 0), (200, 0), (200, 1)]
    assert len({job.key for job in every["amended"]}) == 3
    good = table.row("amended", chosen["amended"], map(jobs.run, every["amended"]))
    assert {cell.verdict for cell in good.cells.values()} == {Verdict.HOLDS}
    bounded = [
        attrs.evolve(job, states=10) if not job.walks else job for job in every["no_last_mark"]
    ]
    bad = table.row("no_last_mark", chosen["no_last_mark"], map(jobs.run, bounded))
    assert bad.cells["R1"].verdict is Verdict.VIOLATED
    assert bad.cells["R4"].why == "limit of 10 states"


class Broken(Executor):
    """One whose process is ended by somebody else."""

    def submit(self, *_: Any, **__: Any) -> Any:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor())
        return future


def test_a_process_that_is_lost_is_told(folder: Path) -> None:
    """In one line, with what may help."""
    job = table.jobs(folder, {"amended": library.find("amended")}, 10, 60.0)["amended"][0]
    with pytest.raises(ToolError, match=r"ended from outside; .* --processes 1"):
        run.results([job], Broken, None, lambda _: None)


def _slow(job: Job) -> Result:
    """Tell which process begins and ends which job, take a moment, and search."""
    Path(job.folder, f"begun.{job.seed}.{os.getpid()}").touch()
    time.sleep(1.0)
    result = jobs.run(job)
    Path(job.folder, f"ended.{job.seed}.{os.getpid()}").touch()
    return result


def _at_work(folder: Path) -> list[tuple[str, int]]:
    """Give (seed, process) of the jobs that were begun and have not ended."""
    begun, ended = (
        {p.name.removeprefix(f"{what}.") for p in folder.glob(f"{what}.*")}
        for what in ("begun", "ended")
    )
    return [(seed, int(pid)) for seed, pid in (one.split(".") for one in sorted(begun - ended))]


@pytest.mark.thorough
def test_a_cluster_gives_the_same_and_survives_a_lost_worker(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real local cluster; one of its workers is killed in the middle of a job."""
    many = [attrs.evolve(_job(folder), walks=20, seed=seed) for seed in range(6)]
    wanted = {job: jobs.run(job).findings for job in many}
    monkeypatch.setattr(run, "run", _slow)
    killed: list[tuple[str, int]] = []

    def kill(_: Result) -> None:
        """At the first result: whoever is at work on another job dies there."""
        late = time.monotonic() + 20.0
        while not killed and time.monotonic() < late:
            for seed, pid in _at_work(folder):
                os.kill(pid, signal.SIGKILL)
                killed.append((seed, pid))
                break

    with run.cluster(run.LOCAL, 2) as executor:
        found = run.results(many, lambda: executor, None, kill)
    assert {job: result.findings for job, result in found.items()} == wanted
    ((seed, pid),) = killed
    assert pid != os.getpid()
    assert not (folder / f"ended.{seed}.{pid}").exists()
    others = {path.name.split(".")[2] for path in folder.glob(f"ended.{seed}.*")}
    assert others
    assert str(pid) not in others


def test_a_cluster_that_is_not_there_is_an_error(
    chc: Chc, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers, or Dask is not installed: one line that says what to do."""
    monkeypatch.setattr(run, "PATIENCE_S", 0.2)
    arguments = ("matrix", "amended", "--models", str(folder), "--scheduler")
    done = chc(*arguments, "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "no scheduler answers at 'tcp://127.0.0.1:9'" in done.stderr
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = chc(*arguments, "local")
    assert done.returncode == 2
    assert "install chc_ref with its extra: chc_ref[cluster]" in done.stderr
