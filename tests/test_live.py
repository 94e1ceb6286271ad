"""LIVE: which runs end, which go round for ever, and which of these are fair."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from chc_ref.check import kernel, live
from chc_ref.check.explore import Explorer, Method
from chc_ref.check.live import endless, lasso
from chc_ref.check.model import Model, load
from chc_ref.check.rows import Rows
from chc_ref.core.transport import Datagram, Transport, TransportState
from chc_ref.system.composition import State
from chc_ref.system.network import Deliver, Drop
from chc_ref.verdict import Fairness, Reduction, Verdict

MODELS = Path(__file__).parent.parent / "models"


@attrs.frozen
class Deaf(Transport):
    """Hears nothing, and so sends for ever."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        return state, [], []


OUTPUTS = """
chc_model = 1
about = "A packet that leaves over a network."
leaves_out = "All else."
clauses = ["STORE-5"]
expect = "holds"
vertices = [{ name = "count", nf = "counter" }]
packets = ["A"]
channels = "transport"
faulty = [["count", "sink"]]
losses = 1
witnesses = []
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model in which a timer may send again."""
    path = tmp_path / "outputs.toml"
    path.write_text(OUTPUTS)
    return load(path)


@pytest.fixture
def deaf(model: Model) -> Model:
    """The same, and what it sends is never heard."""
    return attrs.evolve(model, transport=Deaf)


@pytest.mark.parametrize("backend", kernel.backends())
def test_a_run_that_goes_round_for_ever_is_found(backend: str, deaf: Model) -> None:
    """The counterexample leads to the cycle and once around it; something waits all the while."""
    explorer = Explorer(deaf, None, None, Method(backend))
    report = explorer.run()
    assert report.verdict is Verdict.VIOLATED
    assert report.violated.startswith("LIVE: ")
    assert report.violated.endswith(", for ever")
    assert report.loop is not None
    assert 0 < report.loop < len(report.trace)
    assert report.lines[report.loop] == "    and for ever:"
    requirements = explorer.properties.requirements
    run = lasso(explorer.cells, explorer.search, requirements, Fairness.WEAK)
    assert run is not None
    system = deaf.system()
    state: State = system.initial
    for action in explorer.path(run.entry):
        state = system.step(state, action)
    begin = state
    for code in run.codes:
        state = system.step(state, explorer.cells.actions.values[code])
        view = dict(zip(system.names, map(system.seen, state.components), strict=True))
        assert run.wrong.where in {wrong.where for wrong in requirements.breaches(view)}
    assert state == begin


def test_both_back_ends_go_the_same_way_round(deaf: Model) -> None:
    """The lasso does not depend on who searched."""
    reports = [Explorer(deaf, None, None, Method(b)).run() for b in kernel.backends()]
    assert len({(report.trace, report.loop, report.violated) for report in reports}) == 1


def test_a_sweep_looks_for_such_runs_too(deaf: Model) -> None:
    """The cell of LIVE is violated by a run that never comes to rest."""
    found = Explorer(deaf).sweep()
    assert found["LIVE"].verdict is Verdict.VIOLATED
    assert found["COE"].verdict is Verdict.HOLDS


def test_a_reduced_search_gives_way_to_the_full_one_where_runs_need_not_end(deaf: Model) -> None:
    """It has no cycles to look at; nothing is left out then, and the verdict is the same."""
    explorer = Explorer(deaf, method=Method(reduce=frozenset({Reduction.SYMMETRY})))
    explorer.plan.cyclic = False  # as if it were not known of every transport
    explorer.search = explorer._begin()
    assert isinstance(explorer.search, Rows)
    report = explorer.run()
    assert "not reduced: runs need not end" in report.bounds
    full = Explorer(deaf).run()
    assert (report.verdict, report.violated) == (full.verdict, full.violated)
    assert report.loop is not None


def test_local_steps_tell_that_runs_end(model: Model, deaf: Model) -> None:
    """Most models end by what no component repeats; one that repeats something is looked into."""
    ends = Explorer(load(MODELS / "crash_one.toml"))
    ends.run()
    assert endless(ends.cells) == 0
    requirements = ends.properties.requirements
    assert lasso(ends.cells, ends.search, requirements, Fairness.WEAK) is None
    again = Explorer(model)
    assert again.run().verdict is Verdict.HOLDS
    assert endless(again.cells) > 0  # a timer may send again what was lost
    never = Explorer(deaf)
    never.run()
    assert endless(never.cells) > 0


def test_looking_at_cycles_takes_its_time_too(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has no time for it does not know."""
    explorer = Explorer(model)

    def late() -> None:
        if endless(explorer.cells) and len(explorer.search) == states:
            raise TimeoutError

    states = Explorer(model).run().states
    monkeypatch.setattr(explorer, "_hurry", late)
    report = explorer.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.violated == "time limit of 600 s, in looking at cycles"


def test_a_world_that_goes_back_is_not_trusted() -> None:
    """What the world makes happen is left out only if the world itself goes forward."""
    explorer = Explorer(load(MODELS / "crash_one.toml"))
    explorer.run()
    assert endless(explorer.cells) == 0
    before, after = next(iter(explorer.cells.worldly))
    explorer.cells.worldly.add((after, before))
    explorer.cells.locals = dict(explorer.cells.locals)
    number = next(n for (_, n) in explorer.cells.locals if _is_struck(explorer, n))
    state = next(s for (s, n) in explorer.cells.locals if n == number)
    explorer.cells.locals[state, number] = (state, ())
    assert endless(explorer.cells) > 0
    explorer.cells.worldly.discard((after, before))
    assert endless(explorer.cells) == 0


def _is_struck(explorer: Explorer, number: int) -> bool:
    _, event = explorer.cells.events.values[number]
    return type(event).__name__ == "Crashed"


# ---------------------------------------------------------------------- fairness, on paper


A, B, LOST = Deliver("root", "a"), Deliver("root", "b"), Drop("root", "a")


class Drawn:
    """A graph that is written down: of each state, (action, state after it)."""

    def __init__(self, *states: list[tuple[Any, int]]) -> None:
        self.states = states
        self.actions = [A, B, LOST]

    def successors(self, number: int) -> list[tuple[int, int]]:
        return [(self.actions.index(action), after) for action, after in self.states[number]]

    def row(self, number: int) -> tuple[int, ...]:
        return (number,)

    def __len__(self) -> int:
        return len(self.states)


def _lasso(
    graph: Drawn, fairness: Fairness, waits: set[int], monkeypatch: pytest.MonkeyPatch
) -> Any:
    cells: Any = SimpleNamespace(
        view=lambda row: row[0], actions=SimpleNamespace(values=graph.actions)
    )
    here = [("clock 1", "deleted from the log", "still logged")]
    monkeypatch.setattr(live, "waiting", lambda number: here if number in waits else [])
    requirements: Any = SimpleNamespace(breaches=lambda view: ())
    return lasso(cells, graph, requirements, fairness)


BOTH = {0, 1, 2}


@pytest.mark.parametrize(
    ("graph", "waits", "weak", "strong"),
    [
        (Drawn([(A, 1)], [(A, 2)], []), BOTH, None, None),  # no cycle
        (Drawn([(A, 1)], [(A, 0)]), BOTH, (0, 2), (0, 2)),  # round and round
        (Drawn([(A, 0)]), BOTH, (0, 1), (0, 1)),  # a state that is its own successor
        (Drawn([(A, 1)], [(A, 0)]), set(), None, None),  # nothing waits
        (Drawn([(A, 1)], [(A, 0)]), {0}, None, None),  # what waits is done, and waits again
        (Drawn([(A, 0), (B, 1)], []), BOTH, None, None),  # B stays possible, and must happen
        (Drawn([(A, 1), (B, 2)], [(A, 0)], []), BOTH, (0, 2), None),  # B is possible now and then
        (Drawn([(A, 0), (LOST, 1)], []), BOTH, (0, 1), (0, 1)),  # no loss ever has to happen
        (Drawn([(A, 0), (B, 0)]), BOTH, (0, 2), (0, 2)),  # both happen in each round
        (Drawn([(A, 1)], [(A, 1), (LOST, 0)]), BOTH, (0, 2), (0, 2)),  # begun as soon as may be
    ],
)
def test_only_fair_runs_count(
    graph: Drawn,
    waits: set[int],
    weak: tuple[int, int] | None,
    strong: tuple[int, int] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weak: what stays possible happens. Strong: what becomes possible again and again happens."""
    for fairness, wanted in ((Fairness.WEAK, weak), (Fairness.STRONG, strong)):
        found = _lasso(graph, fairness, waits, monkeypatch)
        if wanted is None:
            assert found is None
            continue
        at = found.entry
        for code in found.codes:
            at = next(after for c, after in graph.successors(at) if c == code)
        assert at == found.entry
        assert (found.entry, len(found.codes)) == wanted
