"""Failures one after the other: what ``apart`` leaves out, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chc_ref.check.explore import Explorer
from chc_ref.check.model import Model, of_data
from chc_ref.verdict import Verdict

BOTH = {
    "chc_model": 1,
    "about": "Root and NF crash.",
    "leaves_out": "A second packet.",
    "clauses": ["REC-7"],
    "expect": "holds",
    "vertices": [{"name": "pass", "nf": "pass"}],
    "packets": ["A"],
    "log": "store",
    "fragile": ["root", "pass.0"],
    "most_crashes": 2,
    "witnesses": ["recovered", "root_recovered"],
}


def _model(**changes: Any) -> Model:
    return of_data(Path("both.toml"), {**BOTH, **changes})


@pytest.mark.parametrize("apart", [False, True])
def test_both_are_down_at_once_unless_they_fail_apart(apart: bool) -> None:
    """Both fail and recover in either case."""
    assert Explorer(_model(apart=apart)).run().verdict is Verdict.HOLDS
    together = Explorer(_model(apart=apart, witnesses=["failed_together"])).run()
    if apart:
        assert together.violated == "never reached: failed_together"
    else:
        assert together.verdict is Verdict.HOLDS
    assert ("one after the other" in together.bounds) == apart


def test_the_explorer_and_whole_steps_agree() -> None:
    """State for state, with a search that knows nothing of cells and pokes."""
    model = _model(apart=True, packets=["A"])
    system = model.system()
    seen, todo = {system.initial}, [system.initial]
    while todo:
        state = todo.pop()
        for action in system.actions(state):
            after = system.step(state, action)
            if after not in seen:
                seen.add(after)
                todo.append(after)
    assert Explorer(model).run().states == len(seen)


def test_an_nf_and_its_store_may_fail_one_after_the_other() -> None:
    """Though not together: the asterisk of Table 3."""
    both = {
        "vertices": [{"name": "record", "nf": "recorder"}],
        "log": "root",
        "write_ahead": True,
        "fragile": ["store", "record.0"],
        "witnesses": [],
    }
    assert Explorer(_model(**both, apart=True)).run().verdict is Verdict.HOLDS
    assert Explorer(_model(**both)).run().verdict is Verdict.VIOLATED
