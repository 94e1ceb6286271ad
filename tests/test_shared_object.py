"""A shared object, its caches and copies, in TLA+ beside the core: one labelled graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphs import Table, agree, beside, dumped, explored

from chc_ref.check.mapping.shared_failover import SharedFailover
from chc_ref.check.mapping.shared_object import SharedObject
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Happen
from chc_ref.system.world import Checkpoint
from chc_ref.tlc.mapping import Explored

AWAY, BACK = {"flow": "A", "to": "hot.0"}, {"flow": "A", "to": "hot.1"}


def hot(packets: str, *moves: dict[str, str], split: str | None = "host") -> Table:
    """Give the system of two instances that number the packets of hosts; a word is a packet."""
    divided = {"split": split} if split else {}
    vertex = {"name": "hot", "nf": "hot", "instances": 2, **divided}
    return {"vertices": [vertex], "packets": packets.split(), "moves": list(moves)}


def limit(packets: str, *moves: dict[str, str], instances: int = 2) -> Table:
    """Give the system of instances that copy what is read mostly."""
    vertex = {"name": "limit", "nf": "limit", "instances": instances}
    return {"vertices": [vertex], "packets": packets.split(), "moves": list(moves)}


def failing(of: Table, *fragile: str, crashes: int = 1) -> Table:
    """Let instances fail."""
    return {**of, "fragile": list(fragile), "most_crashes": crashes}


def mapping(core: Explored) -> SharedObject | SharedFailover:
    """Give the mapping to the specification that has what may happen here."""
    fails = core.system.world.fragile
    return SharedFailover(core.system) if fails else SharedObject(core.system)


def bounded(core: Explored, folder: Path, *overrides: str, **how: Any) -> Any:
    """Give TLC's graph within the same bounds."""
    return dumped(mapping(core), folder, *overrides, behaviour="Safety", **how)


MOVES = hot("A A2", AWAY)
UNSPLIT = hot("A A5 A", split=None)
COPIED = limit("D A D")
COPIED_ALONE = limit("A A A", instances=1)
COPIED_MOVES = limit("A D", {"flow": "D", "to": "limit.1"})
FAILS = failing(hot("D D"), "hot.0")

EQUAL = [
    (COPIED_ALONE, 409),
    (failing(hot("D"), "hot.0"), 431),
    (COPIED, 1_616),
    (UNSPLIT, 1_643),
    (MOVES, 2_650),
    (COPIED_MOVES, 2_677),
    (failing(hot("D"), "hot.0", crashes=2), 3_688),
    (FAILS, 4_450),
    (hot("A", AWAY, BACK), 5_157),
    (failing(hot("D D2"), "hot.0"), 6_590),
    (failing(limit("A D"), "limit.0"), 6_947),
    (hot("A A2 A", AWAY), 16_174),
    (failing(limit("A D"), "limit.0", "limit.1"), 19_561),
    (hot("A2 A2", AWAY, BACK), 24_254),
    (hot("A A2 D", AWAY), 39_210),
    (failing(hot("D D2 D3"), "hot.0"), 57_424),
]
"""Systems, with their numbers of states."""

ANYWAY = ("CacheAlone <- Dropped", "GiveCachesUp <- Dropped")

RULES: list[tuple[str, tuple[str, ...], Table]] = [
    ("caches_kept_in_moves", ("GiveCachesUp <- Dropped",), MOVES),
    ("caches_whatever_the_split", ANYWAY, UNSPLIT),
    ("copy_hides_update", ("DropCopy <- Dropped",), COPIED_ALONE),
    ("outputs_before_commits", ("CommitFirst <- Dropped",), FAILS),
    ("outputs_before_commits", ("CommitFirst <- Dropped",), MOVES),
    ("caches_whatever_the_split", ANYWAY, MOVES),
    ("copy_hides_update", ("DropCopy <- Dropped",), failing(limit("A A"), "limit.1")),
    ("replay_not_awaited", ("SetAside <- Dropped",), FAILS),
    ("no_replay", ("ReplayLog <- Dropped",), FAILS),
    ("output_on_any_delete", ("LeaveOnFirstDelete <- Dropped",), FAILS),
    ("delete_at_once", ("DeleteAfterCommits <- Dropped",), FAILS),
]
"""Variant of the core, what it is in the specification, and a small system that tells."""

SOON = 4
"""So many of them ``--model-check`` looks at; the others are for ``--model-check-slow``."""


def wanted(request: pytest.FixtureRequest, soon: bool) -> None:
    """Skip a test that was not asked for."""
    slow = soon or request.config.getoption("--model-check-slow")
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("a run of TLC that writes its graph: with --model-check, or --model-check-slow")


@pytest.mark.parametrize(("of", "states"), EQUAL, ids=[str(states) for _, states in EQUAL])
def test_graph_is_equal(
    of: Table, states: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Core and specification have the same states and steps, by the same names."""
    wanted(request, states in (1_616, 1_643, 2_650, 4_450))
    core = explored(of)
    agree(core, bounded(core, tmp_path, short=states < 10_000), mapping(core), states)


@pytest.mark.parametrize("number", range(len(RULES)), ids=[one[0] for one in RULES])
def test_each_rule_is_the_same_rule(
    number: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    wanted(request, number < SOON)
    variant, overrides, of = RULES[number]
    core, amended = explored(of, variant), explored(of)
    tlc = bounded(core, tmp_path, *overrides)
    assert beside(core, tlc, mapping(core)).equal
    assert not beside(amended, tlc, mapping(amended)).equal


def test_what_the_specifications_have_not_is_told() -> None:
    """Another NF, another wish, or a step that they have no action for."""
    pool = {"vertices": [{"name": "pool", "nf": "pool", "instances": 2}], "packets": ["A"]}
    with pytest.raises(UsageError, match="no NF 'pool'"):
        dict(SharedObject(explored(pool).system).constants)
    scaled = {**hot("A"), "moves": [{"scale": ["hot.0"]}]}
    with pytest.raises(UsageError, match="no other wishes"):
        dict(SharedObject(explored(scaled).system).constants)
    for of in (MOVES, FAILS):
        to = mapping(explored(of))
        with pytest.raises(UsageError, match="no action for"):
            to.action(to.system.initial, Happen(WORLD, Checkpoint("store")))
