"""The chain without dynamic actions in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphs import Table, agree, beside, dumped, explored

from chc_ref.check.mapping.chc import CHC
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Happen
from chc_ref.system.world import Crash


def table(packets: str, *edges: list[str]) -> Table:
    """Give a counter and a marker, the one before the other or both behind the root."""
    vertices = [{"name": "count", "nf": "counter", "instances": 2}]
    vertices.append({"name": "mark", "nf": "marker"})
    return {"vertices": vertices, "edges": list(edges), "packets": list(packets)}


def row(packets: str) -> Table:
    """Give the two in a row."""
    return table(packets, ["count", "mark"])


DETECTS = {
    "vertices": [
        {"name": "pass", "nf": "pass", "instances": 2},
        {"name": "detect", "nf": "earliest"},
    ],
    "edges": [["pass", "detect"]],
    "packets": ["A", "D"],
}
"""Two flows reach a detector by two instances, and one may overtake the other."""


def borrows(packets: str) -> Table:
    """Give an instance that takes numbers from a pool and puts them back."""
    return {"vertices": [{"name": "take", "nf": "borrow"}], "packets": list(packets)}


EQUAL = [
    (row("A"), 108),
    (row("AA"), 2067),
    (table("A"), 475),
    (DETECTS, 305),
    (borrows("AA"), 167),
    (row("AD"), 21306),
]
"""Systems, with their numbers of states; the last is dumped with ``--model-check-slow`` only."""

RULES = [
    ("delete_at_once", "WaitForCommits <- Dropped", row("A")),
    ("signals_before_commit", "SignalByStore <- Dropped", row("A")),
    ("deleted_at_first_end", "WaitForAllCopies <- Dropped", table("A")),
    ("no_chain_clock", "ShownClock <- NoClock", DETECTS),
    ("suppresses_by_object", "OnRecord <- ObjectOnRecord", borrows("AA")),
]
"""Variant of the core, what it is in the specification, and the smallest system that tells."""


@pytest.mark.parametrize(("of", "states"), EQUAL, ids=[str(states) for _, states in EQUAL])
def test_graph_is_equal(
    of: Table, states: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Core and specification have the same states and steps, by the same names."""
    needs = "--model-check-slow" if states > 10_000 else "--model-check" if states > 108 else None
    if needs and not request.config.getoption(needs):
        pytest.skip(f"a larger graph that TLC has to write: with {needs}")
    core = explored(of)
    to = CHC(core.system)
    agree(core, dumped(to, tmp_path), to, states)


@pytest.mark.parametrize(("variant", "override", "of"), RULES, ids=[one[0] for one in RULES])
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    if not request.config.getoption("--model-check"):
        pytest.skip("a run of TLC for each rule: with --model-check")
    core, amended = explored(of, variant), explored(of)
    tlc = dumped(CHC(core.system), tmp_path, override, extends="MCCHC")
    assert beside(core, tlc, CHC(core.system)).equal
    assert not beside(amended, tlc, CHC(amended.system)).equal


def test_what_the_specification_has_not_is_told() -> None:
    """Another NF, or a step that it has no action for."""
    other = explored({**row("A"), "vertices": [{"name": "pool", "nf": "pool"}], "edges": []})
    with pytest.raises(UsageError, match="no NF 'pool'"):
        dict(CHC(other.system).constants)
    failing = explored({**row("A"), "fragile": ["mark.0"], "most_crashes": 1}).system
    with pytest.raises(UsageError, match="no action for"):
        CHC(failing).action(failing.initial, Happen(WORLD, Crash("mark.0")))
