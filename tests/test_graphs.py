"""The specifications beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chc_ref.check import model as models
from chc_ref.check.mapping.failover import Failover
from chc_ref.check.mapping.reallocation import Reallocation
from chc_ref.tlc import run, same
from chc_ref.tlc.mapping import Explored, Mapping
from chc_ref.tlc.run import Settings
from chc_ref.tlc.same import Comparison
from chc_ref.tlc.values import freeze, show
from chc_ref.variants import library

HERE = Path(__file__).parent.parent
Table = dict[str, Any]
AWAY, BACK = {"flow": "A", "to": "count.0"}, {"flow": "A", "to": "count.1"}


def table(packets: str, *moves: dict[str, str], nf: str = "recorder", **how: Any) -> Table:
    """Give the system of one vertex: a letter for each packet."""
    vertex = {"name": "count", "nf": nf, "instances": 2, **how}
    return {"vertices": [vertex], "packets": list(packets), "moves": list(moves)}


def failing(of: Table, *fragile: str, crashes: int = 1) -> Table:
    """Let instances fail."""
    return {**of, "fragile": list(fragile or ["count.1"]), "most_crashes": crashes}


def explored(of: Table, rules: str = "amended") -> Explored:
    """Give the graph of the core under the rules of a shipped variant."""
    return Explored(models.of_table(HERE, of), library.find(rules, HERE).rules)


def mapping(core: Explored) -> Reallocation | Failover:
    """Give the mapping to the specification that has what may happen here."""
    return Failover(core.system) if core.system.world.fragile else Reallocation(core.system)


def dumped(core: Explored, folder: Path, *overrides: str) -> Any:
    """Give TLC's graph within the same bounds, under other rules of the specification if any."""
    to = mapping(core)
    bounds, constants = f"MC{type(to).__name__}", to.constants.items()
    text = (HERE / "models" / f"{bounds}.tla").read_text().replace(bounds, "Bounded")
    defined = "".join(f"The{name} == {show(freeze(value))}\n" for name, value in constants)
    module, cfg = folder / "Bounded.tla", folder / "Bounded.cfg"
    module.write_text(text.replace("\n====", f"\n{defined}===="))
    lines = [*(f"{name} <- The{name}" for name, _ in constants), *overrides]
    cfg.write_text("SPECIFICATION Safety\nCONSTANTS\n" + "".join(f"    {one}\n" for one in lines))
    return run.graph(module, cfg, HERE / "specs", Settings(limit_s=300, short=True))


def beside(core: Explored, tlc: Any) -> Comparison:
    """Compare the two."""
    to = mapping(core)
    return same.compare(core, tlc, Mapping(to.state, to.action))


MOVES = table("A", AWAY)
MOVES_CACHED = table("A", AWAY, eager_flush=False)
MOVES_BACK = table("A", AWAY, BACK)
MOVES_TWO = table("AA", AWAY)
FAILS = failing(table("A"))
FAILS_CACHED = failing(table("A", eager_flush=False))
FAILS_TWO = failing(table("AA"))

RULES = [
    ("no_last_mark", "MarkLast <- Dropped", MOVES),
    ("splitter_alone_knows", "AskWhereItBegins <- Dropped", MOVES),
    ("no_flush_before_release", "FlushBeforeRelease <- Dropped", MOVES_CACHED),
    ("gives_up_with_packets_waiting", "FinishBeforeRelease <- Dropped", MOVES),
    ("releases_in_any_order", "EndInOrder <- Dropped", MOVES_BACK),
    ("no_passed_mark", "SayPassed <- Dropped", MOVES),
    ("no_downstream_order", "MayPass <- AtOnce", MOVES),
    ("newest_mark_only", "MayPass <- NewestMark", MOVES_BACK),
    ("drops_instead_of_buffering", "Buffered <- NothingBuffered", MOVES_TWO),
    ("buffer_newest_first", "Buffered <- NewestFirst", table("AAA", AWAY)),
    ("output_before_delete", "OutputAfterDelete <- Dropped", MOVES),
    ("delete_at_once", "DeleteAfterCommits <- Dropped", MOVES),
    ("signals_before_commit", "SignalAtCommit <- Dropped", MOVES),
    ("no_update_suppression", "SuppressUpdates <- Dropped", FAILS),
    ("output_on_any_delete", "LeaveOnFirstDelete <- Dropped", FAILS),
    ("output_before_delete", "OutputAfterDelete <- Dropped", FAILS),
    ("delete_at_once", "DeleteAfterCommits <- Dropped", FAILS),
    ("no_replay", "ReplayLog <- Dropped", FAILS),
    ("replayed_updates_unflushed", "FlushReplayed <- Dropped", FAILS_CACHED),
    ("replay_not_awaited", "SetAside <- Dropped", FAILS_TWO),
    ("sees_the_present", "SeeThePast <- Dropped", FAILS_TWO),
    (
        "no_queue_suppression",
        "SuppressPackets <- Dropped",
        failing(table("A"), "count.0", "count.1", crashes=2),
    ),
]
"""Variant of the core, what it is in the specification, and a small system that tells."""

QUICK = [("no_update_suppression", FAILS)]
"""What is looked at without ``--model-check`` too: each takes a run of TLC."""
SLOW = ("buffer_newest_first", "replay_not_awaited", "sees_the_present", "no_queue_suppression")
"""Systems of many thousand states, which take longer to dump than to search."""


@pytest.mark.parametrize("of", [MOVES, FAILS], ids=["moves", "fails"])
def test_graph_is_equal(of: Table, tmp_path: Path) -> None:
    """Core and specification have the same states and steps, by the same names."""
    core = explored(of)
    found = beside(core, dumped(core, tmp_path))
    assert found.equal, "\n".join(found.lines())
    assert all(one == other > 0 for one, other in found.steps.values())


@pytest.mark.parametrize(
    ("variant", "override", "of"), RULES, ids=[f"{one[0]}{n}" for n, one in enumerate(RULES)]
)
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    needs = [] if (variant, of) in QUICK else ["--model-check"]
    needs += ["--model-check-slow"] if variant in SLOW else []
    if not all(map(request.config.getoption, needs)):
        pytest.skip(f"a run of TLC for each rule: with {' '.join(needs)}")
    core = explored(of, variant)
    tlc = dumped(core, tmp_path, override)
    found = beside(core, tlc)
    assert found.equal, "\n".join(found.lines())
    assert not beside(explored(of), tlc).equal


@pytest.mark.parametrize("name", ["move_one_packet", "move_both", "move_back", "crash_one"])
def test_model_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """So have the models that TLC has instances of."""
    needs = ["--model-check"] if name == "move_one_packet" else ["--model-check-slow"]
    if not all(map(request.config.getoption, needs)):
        pytest.skip(f"a dump of thousands of states: with {' '.join(needs)}")
    core = Explored(models.load(HERE / "models" / f"{name}.toml"))
    found = beside(core, dumped(core, tmp_path))
    assert found.equal, "\n".join(found.lines())
