"""The move in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chc_ref.check import model as models
from chc_ref.check.mapping.reallocation import Reallocation
from chc_ref.core.rules import Rules
from chc_ref.tlc import run, same
from chc_ref.tlc.mapping import Explored, Mapping
from chc_ref.tlc.run import Settings
from chc_ref.tlc.same import Comparison
from chc_ref.tlc.values import freeze, show
from chc_ref.variants import library

HERE = Path(__file__).parent.parent
AWAY, BACK = {"flow": "A", "to": "count.0"}, {"flow": "A", "to": "count.1"}


def table(packets: str, *moves: dict[str, str], nf: str = "recorder", **how: Any) -> dict[str, Any]:
    """Give the system of one vertex: a letter for each packet."""
    vertex = {"name": "count", "nf": nf, "instances": 2, **how}
    return {"vertices": [vertex], "packets": list(packets), "moves": list(moves)}


def explored(of: dict[str, Any], rules: str = "amended") -> Explored:
    """Give the graph of the core."""
    return Explored(models.of_table(HERE, of), rules_of(rules))


def rules_of(name: str) -> Rules:
    """Give the rules of a shipped variant."""
    return library.find(name, HERE).rules


def dumped(core: Explored, folder: Path, *overrides: str) -> Any:
    """Give TLC's graph within the same bounds, under other rules of the specification if any."""
    constants = Reallocation(core.system).constants.items()
    definitions = [f"The{name} == {show(freeze(value))}" for name, value in constants]
    path = folder / "Bounded.tla"
    given = (
        (HERE / "models" / "MCReallocation.tla").read_text().replace("MCReallocation", "Bounded")
    )
    path.write_text(given.replace("\n====", "\n" + "\n".join(definitions) + "\n===="))
    lines = [f"    {name} <- The{name}" for name, _ in constants]
    lines += [f"    {override}" for override in overrides]
    cfg = folder / "Bounded.cfg"
    cfg.write_text("SPECIFICATION Safety\nCONSTANTS\n" + "\n".join(lines) + "\n")
    return run.graph(path, cfg, HERE / "specs", Settings(limit_s=300, short=True))


def beside(core: Explored, tlc: Any) -> Comparison:
    """Compare the two."""
    mapping = Reallocation(core.system)
    return same.compare(core, tlc, Mapping(mapping.state, mapping.action))


ONE = table("A", AWAY, BACK, nf="counter", eager_flush=False)
TWO = table("AA", AWAY)
FLOWS = table("AD", AWAY)
THREE = table("AAA", AWAY)

RULES = [
    ("no_last_mark", "MarkLast <- Dropped", TWO),
    ("splitter_alone_knows", "AskWhereItBegins <- Dropped", TWO),
    ("no_flush_before_release", "FlushBeforeRelease <- Dropped", ONE),
    ("gives_up_with_packets_waiting", "FinishBeforeRelease <- Dropped", TWO),
    ("releases_in_any_order", "EndInOrder <- Dropped", ONE),
    ("no_passed_mark", "SayPassed <- Dropped", TWO),
    ("no_downstream_order", "MayPass <- AtOnce", TWO),
    ("newest_mark_only", "MayPass <- NewestMark", table("A", AWAY, BACK)),
    ("drops_instead_of_buffering", "Buffered <- NothingBuffered", TWO),
    ("buffer_newest_first", "Buffered <- NewestFirst", THREE),
    ("output_before_delete", "OutputAfterDelete <- Dropped", TWO),
    ("delete_at_once", "DeleteAfterCommits <- Dropped", TWO),
    ("signals_before_commit", "SignalAtCommit <- Dropped", TWO),
]
"""Variant of the core, what it is in the specification, and the smallest system that tells."""

SMALL = ("no_last_mark", "delete_at_once")
"""Rules that are looked at without ``--model-check`` too: the others cost a second or more each."""


def test_graph_is_equal(tmp_path: Path) -> None:
    """Core and specification have the same states and steps, by the same names."""
    core = explored(FLOWS)
    found = beside(core, dumped(core, tmp_path))
    assert found.equal, "\n".join(found.lines())
    assert found.states == (2538, 2538)
    assert all(one == other > 0 for one, other in found.steps.values())


@pytest.mark.parametrize(
    ("variant", "override", "of"), RULES, ids=[variant for variant, _, _ in RULES]
)
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    if variant not in SMALL and not request.config.getoption("--model-check"):
        pytest.skip("one TLC run for each rule: with --model-check")
    core = explored(of, variant)
    tlc = dumped(core, tmp_path, override)
    found = beside(core, tlc)
    assert found.equal, "\n".join(found.lines())
    assert not beside(explored(of), tlc).equal


LARGER = ("move_one_packet", "move_both", "move_back")


@pytest.mark.parametrize("name", LARGER)
def test_model_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The models that TLC has instances of, too: all with ``--model-check-slow``, as dumps are."""
    slow = request.config.getoption("--model-check-slow") or name == LARGER[0]
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("tens of thousands of states: with --model-check, or --model-check-slow")
    core = Explored(models.load(HERE / "models" / f"{name}.toml"))
    found = beside(core, dumped(core, tmp_path))
    assert found.equal, "\n".join(found.lines())
