"""The back ends: one result, whichever searches, however many threads, however it is parted."""

from __future__ import annotations

import importlib.util
import itertools
import random
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import attrs
import pytest

from chc_ref.check import kernel
from chc_ref.check.cells import Cells
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.halves import Halves, Judge, Parting, Search, part
from chc_ref.check.model import load
from chc_ref.errors import ModelError, UsageError
from chc_ref.system.composition import State, System
from chc_ref.verdict import Report, Verdict

MODELS = Path(__file__).parent.parent / "models"
PLAIN = Method("python")
KERNEL = "kernel" in kernel.backends()
compiled = pytest.mark.skipif(not KERNEL, reason="the package was built without a C compiler")

HOLDING = ("draw", "clone_last", "crash_one")
VIOLATED = ("ablation_no_last_mark", "channels_transport_crash_outputs", "channels_losing_packet")
TELLING_ALL = Judge(lambda cell: 0, lambda row: None, lambda *_: "")


def _report(name: str, method: Method, limits: Limits | None = None) -> Report:
    report = Explorer(load(MODELS / f"{name}.toml"), None, limits, method).run()
    return attrs.evolve(report, seconds=0.0)


@compiled
@pytest.mark.parametrize("name", [*HOLDING, *VIOLATED])
def test_both_back_ends_give_the_same_report(name: str) -> None:
    """Counts, depth, verdict, witnesses and counterexample are equal, with one thread or three."""
    plain = _report(name, PLAIN)
    assert plain == _report(name, Method("kernel", 1)) == _report(name, Method("kernel", 3))
    assert (plain.verdict is Verdict.VIOLATED) == (name in VIOLATED)
    assert bool(plain.trace) == (name in VIOLATED)


@compiled
@pytest.mark.parametrize("states", [1, 2, 999, 1_500])
def test_both_back_ends_stop_at_the_same_state(states: int) -> None:
    """A limit of states is met after the same state."""
    plain = _report("crash_one", PLAIN, Limits(states))
    assert plain == _report("crash_one", Method("kernel", 2), Limits(states))
    assert plain.verdict is Verdict.INCONCLUSIVE
    assert plain.states is not None
    assert plain.states >= states


@compiled
def test_both_back_ends_stop_at_the_same_depth() -> None:
    """A limit of steps is met by what is further away, and by nothing else."""
    depth = _report("pool", PLAIN).depth
    assert depth is not None
    for limit in (0, 1, depth - 1, depth):
        plain = _report("pool", PLAIN, Limits(depth=limit))
        assert plain == _report("pool", Method("kernel", 2), Limits(depth=limit))
        assert plain.depth == min(limit + 1, depth)
        if limit < depth - 1:
            assert plain.verdict is Verdict.INCONCLUSIVE
            assert plain.violated == f"limit of {limit} steps"
    assert plain.verdict is Verdict.HOLDS


@pytest.mark.parametrize("backend", kernel.backends())
def test_a_limit_of_memory_is_inconclusive(backend: str) -> None:
    """The process may take so much, and then it is not known."""
    report = _report("crash_one", Method(backend), Limits(memory=1.0))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.violated == "memory limit of 1 MiB"


def _searches(name: str, parting: Parting | None = None) -> list[Any]:
    """Give a search by each back end."""
    system = load(MODELS / f"{name}.toml").system()
    cells = [Cells(system), Cells(system)]
    first = cells[0].row(system.initial)
    assert cells[1].row(system.initial) == first
    parting = parting or part([first])
    found: list[Any] = [Search(Halves(cells[0], parting), first)]
    return found + [kernel.search(cells[1], parting, first, "kernel", 2)] * KERNEL


def test_a_search_goes_on_where_it_stopped() -> None:
    """However often it is stopped, it ends with the same states in the same order."""
    for whole, parts in zip(_searches("draw"), _searches("draw"), strict=True):
        wanted, most = whole.run(TELLING_ALL, 10**9), 1
        while (found := parts.run(TELLING_ALL, most)).full:
            assert found.states >= most
            most += 997
        assert attrs.asdict(found) == attrs.asdict(wanted)
        assert [parts.parting.halves(row) for row in parts.rows()] == [
            whole.parting.halves(row) for row in whole.rows()
        ]


def test_a_search_goes_on_after_what_the_core_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found beyond the failing state is found again, and numbered as if nothing was."""
    local, calls = System.local, itertools.count()
    for whole, broken in zip(_searches("draw"), _searches("draw"), strict=True):
        wanted = whole.run(TELLING_ALL, 10**9)

        def fails_now_and_then(*of: Any) -> Any:
            if next(calls) % 40 == 39:
                raise ValueError("not now")
            return local(*of)

        monkeypatch.setattr(System, "local", fails_now_and_then)
        found, failures = None, 0
        while found is None:
            try:
                found = broken.run(TELLING_ALL, 10**9)
            except ValueError:
                failures += 1
        monkeypatch.undo()
        assert failures > 3
        assert attrs.asdict(found) == attrs.asdict(wanted)
        assert [broken.parting.halves(row) for row in broken.rows()] == [
            whole.parting.halves(row) for row in whole.rows()
        ]


@pytest.mark.thorough
def test_any_parting_gives_the_same_graph() -> None:
    """How a system is parted changes the order of discovery at most."""
    choice = random.Random(5)
    counts = set()
    for _ in range(4):
        sides = tuple[list[int], list[int]](([], []))
        system = load(MODELS / "draw.toml").system()
        for at in range(len(system.names)):
            sides[choice.randrange(2)].append(at)
        for one in _searches("draw", Parting((tuple(sides[0]), tuple(sides[1])))):
            found = one.run(TELLING_ALL, 10**9)
            counts.add((found.states, found.transitions, found.depth))
    assert len(counts) == 1


@pytest.mark.thorough
def test_a_way_to_a_state_leads_there() -> None:
    """Every back end gives a way that the composition itself takes to the state."""
    for one in _searches("draw"):
        system = load(MODELS / "draw.toml").system()
        found = one.run(TELLING_ALL, 10**9)
        cells = Cells(system)
        again = Search(Halves(cells, one.parting), cells.row(system.initial))
        again.run(TELLING_ALL, 10**9)
        for number in range(0, found.states, 2_111):
            state: State = system.initial
            for code in one.path(number):
                state = system.step(state, cells.actions.values[code])
            row = next(row for at, row in enumerate(again.rows()) if at == number)
            assert cells.state(row) == state


@compiled
@pytest.mark.parametrize("lost", ["a message", "a test", "a move"])
def test_a_kernel_that_loses_something_differs(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of the back ends can fail: what one is told wrong shows in the counts."""
    plain = _report("crash_one", PLAIN)
    moves = Cells.moves

    def fewer(cells: Cells, cell: int) -> Any:
        found = moves(cells, cell)
        if lost == "a move":
            return found[:1]
        keep = [len(pokes) != 1 or lost == "a test" for _, _, pokes in found]
        return [
            (code, after, pokes if kept and not _tests(cells, pokes) else ())
            for (code, after, pokes), kept in zip(found, keep, strict=True)
        ]

    monkeypatch.setattr(Cells, "moves", fewer)
    assert _report("crash_one", Method("kernel", 2), Limits(50_000)) != plain


def _tests(cells: Cells, pokes: Any) -> bool:
    names = {type(cells.pokes.values[poke]).__name__ for _, poke in pokes}
    return "IfUp" in names


def _raises(*_: Any) -> bool:
    raise ValueError("no such rule")


@pytest.mark.parametrize("backend", kernel.backends())
def test_what_a_rule_raises_comes_out(backend: str) -> None:
    """A rule that fails is the caller's to hear of, from either back end, and so is where."""
    model = load(MODELS / "move.toml")
    rules = attrs.evolve(model.rules, marks_last=_raises)
    with pytest.raises(ModelError, match="ValueError: no such rule"):
        Explorer(model, rules, None, Method(backend)).run()


@compiled
def test_a_state_takes_few_octets() -> None:
    """States and the table of their numbers stay well below 64 octets a state."""
    explorer = Explorer(load(MODELS / "crash_one.toml"), None, None, Method("kernel", 2))
    report = explorer.run()
    states, rest = explorer.search.memory()  # type: ignore[union-attr]
    assert report.states is not None
    assert 8 * report.states <= states <= 40 * report.states
    assert rest > 0


@compiled
@pytest.mark.thorough
def test_numbers_that_run_out_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that has numbers for a few states finds these, and fails beyond them."""
    plain = _report("draw", Method("kernel", 2), Limits(300))
    monkeypatch.setattr(kernel, "_kernel", _build(tmp_path, "MOST_STATES=3000u"))
    assert _report("draw", Method("kernel", 2), Limits(300)) == plain
    with pytest.raises(OverflowError, match="more than 3000 states"):
        _report("draw", Method("kernel", 2))


def _build(place: Path, *defined: str) -> Any:
    """Compile the kernel with something defined; a module of its own."""
    made = place / f"_kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    includes = f"-I{sysconfig.get_path('include')}"
    source = Path(kernel.__file__).with_name("_kernel.c")
    given = [f"-D{one}" for one in defined]
    command = [*compiler, "-shared", "-fPIC", includes, *given, str(source), "-o", str(made)]
    subprocess.run(command, check=True)
    spec = importlib.util.spec_from_file_location("chc_ref.check._kernel", made)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_the_kernel_plain_python_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler is no failure; who asks for the kernel by name is told how to get it."""
    monkeypatch.setattr(kernel, "_kernel", None)
    assert kernel.backends() == ("python",)
    explorer = Explorer(load(MODELS / "draw.toml"))
    assert explorer.search.name == "python"
    assert explorer.run().verdict is Verdict.HOLDS
    with pytest.raises(UsageError, match="'kernel'; known: python; build the package with a C"):
        Explorer(load(MODELS / "draw.toml"), method=Method("kernel"))
    with pytest.raises(UsageError, match="no search is called 'turtle'"):
        Explorer(load(MODELS / "draw.toml"), method=Method("turtle"))
    assert "chc_ref.check.kernel" in sys.modules
