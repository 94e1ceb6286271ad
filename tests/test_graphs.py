"""The specifications beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphs import HERE, Table, agree, beside, dumped, explored

from chc_ref.check import model as models
from chc_ref.check.mapping.failover import Failover
from chc_ref.check.mapping.reallocation import Reallocation
from chc_ref.tlc.mapping import Explored

AWAY, BACK = {"flow": "A", "to": "count.0"}, {"flow": "A", "to": "count.1"}


def table(packets: str, *moves: Table, nf: str = "recorder", **how: Any) -> Table:
    """Give the system of one vertex: a letter for each packet."""
    vertex = {"name": "count", "nf": nf, "instances": 2, **how}
    return {"vertices": [vertex], "packets": list(packets), "moves": list(moves)}


def failing(of: Table, *fragile: str, crashes: int = 1) -> Table:
    """Let instances fail."""
    return {**of, "fragile": list(fragile or ["count.1"]), "most_crashes": crashes}


def mapping(core: Explored) -> Reallocation | Failover:
    """Give the mapping to the specification that has what may happen here."""
    return Failover(core.system) if core.system.world.fragile else Reallocation(core.system)


def bounded(core: Explored, folder: Path, *overrides: str) -> Any:
    """Give TLC's graph within the same bounds."""
    to = mapping(core)
    return dumped(to, folder, *overrides, extends=f"MC{type(to).__name__}", behaviour="Safety")


MOVES = table("A", AWAY)
MOVES_CACHED = table("A", AWAY, eager_flush=False)
MOVES_BACK = table("A", AWAY, BACK)
MOVES_TWO = table("AA", AWAY)
SCALES = table("AA", {"scale": ["count.0", "count.1"]}, instances=1, standby=1)
SCALES_AND_MOVES = {**SCALES, "moves": [*SCALES["moves"], BACK]}
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
    ("no_wait_for_owner", "WaitForOwner <- Dropped", MOVES_TWO),
    ("scales_at_once", "AskWhereItIs <- Dropped", SCALES),
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

SLOW = ("buffer_newest_first", "replay_not_awaited", "sees_the_present", "no_queue_suppression")
"""Systems of many thousand states, which take longer to dump than to search."""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "of", [MOVES, SCALES, SCALES_AND_MOVES, FAILS], ids=["moves", "scales", "both", "fails"]
)
def test_graph_is_equal(of: Table, tmp_path: Path) -> None:
    """Core and specification have the same states and steps, by the same names."""
    core = explored(of)
    agree(core, bounded(core, tmp_path), mapping(core))


@pytest.mark.parametrize(
    ("variant", "override", "of"), RULES, ids=[f"{one[0]}{n}" for n, one in enumerate(RULES)]
)
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    needs = ["--model-check"]
    needs += ["--model-check-slow"] if variant in SLOW else []
    if not all(map(request.config.getoption, needs)):
        pytest.skip(f"a run of TLC for each rule: with {' '.join(needs)}")
    core, amended = explored(of, variant), explored(of)
    tlc = bounded(core, tmp_path, override)
    assert beside(core, tlc, mapping(core)).equal
    assert not beside(amended, tlc, mapping(amended)).equal


@pytest.mark.parametrize("name", ["move_one_packet", "move_both", "move_back", "crash_one"])
def test_model_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """So have the models that TLC has instances of."""
    needs = ["--model-check"] if name == "move_one_packet" else ["--model-check-slow"]
    if not all(map(request.config.getoption, needs)):
        pytest.skip(f"a dump of thousands of states: with {' '.join(needs)}")
    core = Explored(models.load(HERE / "models" / f"{name}.toml"))
    agree(core, bounded(core, tmp_path), mapping(core))
