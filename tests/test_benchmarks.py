"""The benchmark of the checker: what it compares, and what it refuses to compare.

Nothing here is timed; the graphs are tiny.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import psutil
import pytest

from benchmarks.checker import engines, graphs, instances
from benchmarks.checker.__main__ import main
from benchmarks.checker.engines import Run, StoppedError
from benchmarks.checker.graphs import Graph
from chc_ref.check.kernel import backends
from chc_ref.check.model import Model, load
from chc_ref.errors import ToolError, UsageError

TINY = """
chc_model = 1
about = "A flow moves, with one packet."
leaves_out = "All else."
clauses = ["MOVE-1"]
expect = "holds"
vertices = [{ name = "count", nf = "counter", instances = 2, eager_flush = false }]
packets = ["A"]
moves = [{ flow = "A", to = "count.0" }]
witnesses = []
"""
OURS = tuple(backends())


@pytest.fixture(name="tiny")
def _tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a tiny graph be the only one, for our own back ends."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    monkeypatch.setattr(graphs, "GRAPHS", (Graph(path, "quick", OURS),))
    return path


@pytest.mark.thorough
def test_json_has_speed_and_memory_of_each_engine(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """States, seconds, memory and machine are told, of a graph that all saw alike."""
    assert main(["--quick", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (graph,) = data["graphs"]
    assert (graph["graph"], graph["unequal"], graph["missing"]) == (tiny.stem, "", {})
    assert graph["engines"].keys() == set(OURS)
    for engine in graph["engines"].values():
        assert engine["states"] == graph["states"] > 100
        assert min(engine["seconds"], engine["states_per_s"], engine["bytes_a_state"]) > 0
    assert {"processor", "cores", "load", "load_after", "python", "date"} <= data["machine"].keys()


def _ended(model: Path, threads: int, limit_s: float) -> Run:
    """Be an engine that has not looked at every state."""
    run = engines.ENGINES["python"](model, threads, limit_s)
    return attrs.evolve(run, states=run.states - 1)


def test_engines_that_saw_another_graph_are_not_compared(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One state too few is a failure, and no ratio is given."""
    monkeypatch.setattr(graphs, "GRAPHS", (Graph(tiny, "quick", ("python", "tlc")),))
    monkeypatch.setitem(engines.ENGINES, "tlc", _ended)
    assert main(["--json"]) == 1
    said = capsys.readouterr()
    (graph,) = json.loads(said.out)["graphs"]
    assert graph["states"] is None
    assert not [key for key in graph if "_over_" in key]
    assert "tiny: not the same graph (states / transitions): python " in said.err


RUN = Run(100, 200, 1.0, 2.0, 1024, 1, "an engine")


def test_a_ratio_is_of_states_a_second(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fastest of several runs counts, and processor time is told apart from wall time."""
    monkeypatch.setattr(graphs, "GRAPHS", (Graph(tiny, "quick", ("python", "tlc")),))
    slower = attrs.evolve(RUN, seconds=4.0, cpu_seconds=4.0)
    ours = iter((attrs.evolve(RUN, seconds=3.0), RUN))
    monkeypatch.setitem(engines.ENGINES, "python", lambda *_: next(ours))
    monkeypatch.setitem(engines.ENGINES, "tlc", lambda *_: slower)
    assert main(["--json", "--repeat", "2"]) == 0
    (graph,) = json.loads(capsys.readouterr().out)["graphs"]
    assert (graph["engines"]["python"]["seconds"], graph["engines"]["tlc"]["runs"]) == (1.0, 2)
    assert (graph["python_over_tlc"], graph["python_over_tlc_in_cpu_time"]) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("error", "why"),
    [(ToolError("it is not installed"), "it is not installed"), (StoppedError(), "time limit of")],
)
def test_what_did_not_finish_is_inconclusive(
    error: Exception,
    why: str,
    tiny: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An engine that is missing or too slow is named, and the exit code is 3."""

    def fail(model: Path, threads: int, limit_s: float) -> Run:
        raise error

    monkeypatch.setattr(graphs, "GRAPHS", (Graph(tiny, "quick", ("python", "spin")),))
    monkeypatch.setitem(engines.ENGINES, "python", lambda *_: RUN)
    monkeypatch.setitem(engines.ENGINES, "spin", fail)
    assert main(["--json"]) == 3
    (graph,) = json.loads(capsys.readouterr().out)["graphs"]
    assert why in graph["missing"]["spin"]


def test_a_run_is_stopped_at_its_limit(tiny: Path) -> None:
    """Then nothing is known, and no half-finished count is told."""
    with pytest.raises(StoppedError):
        engines.ENGINES["python"](tiny, 1, 0.01)


@pytest.mark.thorough
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_end_leaves_nobody_behind(told: signal.Signals) -> None:
    """The engine that is searching ends with the command that started it."""
    command = [sys.executable, "-m", "benchmarks.checker", "six_packets", "--engine", "kernel"]

    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background of a shell ignore it

    with subprocess.Popen(
        command, cwd=graphs.HERE.parent.parent, stderr=subprocess.PIPE, preexec_fn=heed
    ) as run:
        children = list[psutil.Process]()
        until = time.monotonic() + 60
        while not children and time.monotonic() < until:
            time.sleep(0.05)
            children = psutil.Process(run.pid).children()
        run.send_signal(told)
        assert run.wait(30)
    assert children
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["nothing"], "no graph is called 'nothing'; known: move_back, "),
        (["--engine", "spam"], "no engine is called 'spam'; known: kernel, "),
        (["--size", "tall"], "--size 'tall'; it is one of quick, "),
        (["--repeat", "0"], "'--repeat'"),
        (["--tall"], "No such option"),
    ],
)
def test_bad_arguments_get_one_line(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line names what is wrong, and the exit code is 2."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert fault in said.err


def test_a_model_beyond_the_module_is_refused() -> None:
    """No instance is made of a model that ``Reallocation`` cannot state."""
    for name in ("crash_one", "clone_last", "draw", "scale_in_row"):
        with pytest.raises(UsageError, match="Reallocation cannot state this"):
            instances.tla(load(graphs.MODELS / f"{name}.toml"))


def test_every_graph_is_there_and_can_be_stated() -> None:
    """The table names models that exist, and an instance of each can be made."""
    for graph in graphs.GRAPHS:
        model = load(graph.model)
        assert set(graph.engines) <= engines.ENGINES.keys()
        if "tlc" in graph.engines:
            assert "EXTENDS Reallocation" in instances.tla(model)[0]
        if "spin" in graph.engines:
            assert "#define HOMES" in instances.promela(model)


def _leave_out_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an instance leave out the last move of its model."""
    stated = instances.Stated.__init__

    def less(self: instances.Stated, model: Model) -> None:
        stated(self, model)
        self.moves = self.moves[:-1]

    monkeypatch.setattr(instances.Stated, "__init__", less)


@pytest.mark.parametrize("engine", ["spin", "tlc"])
def test_others_see_the_graph_of_the_core(
    engine: str, tiny: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLC and Spin find the core's states and transitions; with a move less they do not."""
    if not request.config.getoption("--model-check"):
        pytest.skip("starts another checker: only with --model-check")
    if engine == "spin" and not (shutil.which("spin") and shutil.which("gcc")):
        pytest.skip("Spin and gcc are not installed")
    ours = engines.ENGINES["python"](tiny, 1, 600)
    theirs = engines.ENGINES[engine](tiny, 2, 600)
    assert (theirs.states, theirs.transitions) == (ours.states, ours.transitions)
    _leave_out_a_move(monkeypatch)
    other = engines.ENGINES[engine](tiny, 2, 600)
    assert other.states < ours.states
