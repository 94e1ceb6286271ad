"""The tool that mutates the core: what it changes, and what its forks tell."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parent.parent / "tools" / "mutation.py"


@pytest.fixture(name="mutation", scope="module")
def _mutation() -> Any:
    """Give the tool: it is no part of the package."""
    spec = importlib.util.spec_from_file_location("mutation", PATH)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["mutation"] = module
    spec.loader.exec_module(module)
    module.CORE = PATH.parent.parent / module.CORE
    return module


SOURCE = """
def f(state, items):
    match state:
        case int() if items:
            return state
    kept = [item for item in items if item > 1 and not item == 3]
    state, sends = g(state)
    state = evolve(state, held=(*state.held, kept), up=True)
    sends += ["mark"]
    return sends
"""

EXPECTED = [
    "case int() if True:",
    "case int() if False:",
    "kept = [item for item in items]",
    "kept = [item for item in items if item >= 1 and (not item == 3)]",
    "kept = [item for item in items if item > 1 or not item == 3]",
    "kept = [item for item in items if not item == 3]",
    "kept = [item for item in items if item > 2 and (not item == 3)]",
    "kept = [item for item in items if item > 1 and item == 3]",
    "kept = [item for item in items if item > 1 and (not item != 3)]",
    "_, sends = g(state)",
    "pass",
    "state = evolve(state, up=True)",
    "state = evolve(state, held=(*state.held,), up=True)",
    "state = evolve(state, held=(*state.held, kept), up=False)",
    "sends += []",
]


def test_rules_guards_and_marks_are_changed(
    mutation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed comparison, one dropped guard, one missing mark; and each mutant once."""
    (tmp_path / "amended.py").write_text(SOURCE)
    monkeypatch.setattr(mutation, "CORE", tmp_path)
    found = list(mutation.mutants("amended"))
    after = [mutant.after for mutant in found]
    assert [text for text in EXPECTED if text not in after] == []
    assert len({mutant.name for mutant in found}) == len(found)
    (mark,) = (mutant for mutant in found if mutant.after == "sends += []")
    assert (mark.before, mark.lines) == ("sends += ['mark']", (9,))


def test_a_mutant_takes_effect_in_a_fork_alone(mutation: Any) -> None:
    """The function is exchanged wherever it is referred to, and this process keeps its own."""
    from chc_ref.core.rules import AMENDED

    mutant = next(m for m in mutation.mutants("amended") if m.function == "late_in_replay")

    def work(report: Callable[[Any], None]) -> None:
        mutant.exchange()
        report(AMENDED.late_in_replay(0))

    assert mutation.forked(work, 20) == ([True], True), mutant.after
    assert AMENDED.late_in_replay(0) is False


def test_what_does_not_end_is_ended(mutation: Any) -> None:
    """A mutant may loop for ever, or end its process."""

    def work(report: Callable[[Any], None]) -> None:
        report("begun")
        time.sleep(60)

    assert mutation.forked(work, 0.2) == (["begun"], False)
