"""The explorer: exact counts, the same graph as the plain composition, verdicts that can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from chc_ref.check.explore import Explorer, Limits
from chc_ref.check.model import Model, load
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, State, System
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"

SMALL = """
chc_model = 1
about = "Two packets and a move."
leaves_out = "Nearly everything."
clauses = ["MOVE-1"]
expect = "holds"
vertices = [{ name = "count", nf = "counter", instances = 2 }]
packets = ["A"]
moves = [{ flow = "A", to = "count.0" }]
fragile = ["count.1"]
most_crashes = 1
witnesses = ["handed_over"]
"""


def _model(tmp_path: Path, text: str) -> Model:
    path = tmp_path / "small.toml"
    path.write_text(text)
    return load(path)


class Plain(System):
    """A composition that notes every local step of the core."""

    def __init__(self, model: Model) -> None:
        system = model.system()
        super().__init__(system.physical, system.world, system.network)
        self.steps: set[Any] = set()

    def local(self, at: int, state: Any, event: Any) -> tuple[Any, list[Any]]:
        if self.names[at] != WORLD:
            self.steps.add((at, state, event))
        return super().local(at, state, event)


CALM = SMALL.replace("most_crashes = 1", "most_crashes = 0")
ALONE = (
    SMALL.replace('moves = [{ flow = "A", to = "count.0" }]', "")
    .replace("instances = 2", "instances = 1")
    .replace("count.1", "count.0")
    .replace("handed_over", "recovered")
)
BESIDE = ALONE.replace("most_crashes = 1", "most_crashes = 0").replace('"recovered"', "")


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        (SMALL, ""),
        (CALM, 'channels = "reordering"'),
        pytest.param(CALM, 'channels = "doubling"\ndoublings = 1', marks=pytest.mark.thorough),
        (CALM, 'channels = "losing"\nlosses = 1'),
        (CALM, 'channels = "losing"\nlosses = 2\nfaulty = [["*", "count.1", "Packet"]]'),
        (BESIDE, 'channels = "transport"\nlosses = 1'),
        (BESIDE, 'channels = "transport"\nlosses = 1\ndoublings = 1\nfaulty = [["root", "count"]]'),
        (ALONE, 'channels = "transport"\nfaulty = [["manager", "count"]]'),
    ],
)  # fmt: skip
def test_the_interned_search_sees_the_graph_of_the_plain_composition(
    tmp_path: Path, text: str, channels: str, request: pytest.FixtureRequest
) -> None:
    """States, transitions and local steps are those of ``System.step`` without any table.

    The composition takes long for what the tables do at once, so the largest graph is for
    ``--model-check``; without it the vertex has less state.
    """
    if text == SMALL and not request.config.getoption("--model-check"):
        text = SMALL.replace('nf = "counter"', 'nf = "recorder"')
    model = _model(tmp_path, f"{text}\n{channels}")
    explorer = Explorer(model)
    explorer.properties.judge = lambda row: None  # type: ignore[method-assign]  # the graph alone
    report = explorer.run()
    system = Plain(model)
    seen: dict[State, None] = {system.initial: None}
    frontier, transitions, quiet = [system.initial], 0, 0
    while frontier:
        state = frontier.pop()
        quiet += system.is_quiet(state)
        for action in system.actions(state):
            transitions += 1
            successor = system.step(state, action)
            if successor not in seen:
                seen[successor] = None
                frontier.append(successor)
    assert (report.states, report.transitions) == (len(seen), transitions)
    assert report.local_steps is not None
    if model.network.transport:  # what a timer would do is worked out before it is found idle
        assert report.local_steps >= len(system.steps)
    else:
        assert report.local_steps == len(system.steps)
    assert report.local_ratio == report.local_steps / transitions
    assert report.local_steps < transitions / 4
    assert sum(map(explorer.properties.is_quiet, explorer.search.rows())) == quiet > 0
    assert all(reached for _, reached in report.witnesses)


def test_counts_are_pinned_and_repeat() -> None:
    """The same model gives the same counts, run after run; a change of them wants a reason."""
    reports = [Explorer(load(MODELS / "crash_one.toml")).run() for _ in range(2)]
    first, second = (attrs.evolve(report, seconds=0.0) for report in reports)
    assert first == second
    assert (first.states, first.transitions, first.depth) == (37740, 121584, 42)


def test_a_counterexample_is_shortest_and_replays() -> None:
    """Every step of a counterexample is one that the plain composition can take."""
    explorer = Explorer(load(MODELS / "ablation_no_downstream_order.toml"))
    report = explorer.run()
    assert report.verdict is Verdict.VIOLATED
    assert report.violated.startswith("R2: output of clock 1")
    assert report.depth == len(report.trace)
    assert "Output(clock=1" in report.trace[-1]


@pytest.mark.parametrize(
    ("limits", "why"),
    [(Limits(states=100), "limit of 100 states"), (Limits(seconds=0.0), "time limit of 0 s")],
)
def test_a_limit_is_inconclusive(limits: Limits, why: str) -> None:
    """A search that did not finish has not shown anything."""
    report = Explorer(load(MODELS / "move.toml"), limits=limits).run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.violated == why


def test_a_witness_that_is_not_reached_is_inconclusive(tmp_path: Path) -> None:
    """A model in which the interesting thing never happens says nothing."""
    model = _model(tmp_path, SMALL.replace('"handed_over"', '"handed_over", "moved_twice"'))
    report = Explorer(model).run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.violated == "never reached: moved_twice"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("chc_model = 1", "chc_model = 2", "reads format 1"),
        ('nf = "counter"', 'nf = "cuonter"', "unknown nf 'cuonter'"),
        ('to = "count.0"', 'to = "count.7"', "unknown instance 'count.7'"),
        ('"count.1"', '"count.9"', "unknown instance 'count.9'"),
        ('packets = ["A"]', "", "key 'packets' is missing"),
        ("most_crashes = 1", "most_crashes = 'x'", "must be a whole number"),
        ("most_crashes = 1", "crashes = 1", "unknown key 'crashes'"),
        ('expect = "holds"', 'expect = "hold"', "it is holds or violated"),
        ('expect = "holds"', 'expect = "violated"', "needs the key 'violates'"),
        ("instances = 2", "instances = 0", "at least one instance"),
        ("witnesses", "edges = [['count', 'x']]\nwitnesses", "unknown vertex 'x'"),
        ("witnesses", "edges = [['count', 'count']]\nwitnesses", "cycle"),
        ("packets = ", "rules = 'none'\npackets = ", "unknown variant 'none'"),
        ("about = ", "about ", "line 3"),
    ],
)
def test_a_malformed_model_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """The error names the file, the place and the mend."""
    with pytest.raises(UsageError, match=complaint) as caught:
        _model(tmp_path, SMALL.replace(old, new))
    assert "small.toml" in str(caught.value)


def test_an_unknown_witness_is_refused(tmp_path: Path) -> None:
    """A witness nobody knows cannot be reached, and is no silent pass."""
    with pytest.raises(UsageError, match="unknown witness 'happened'"):
        Explorer(_model(tmp_path, SMALL.replace('"handed_over"', '"happened"')))
