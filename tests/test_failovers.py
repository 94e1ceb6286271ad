"""Failovers of root and store in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphs import agree, beside, dumped, explored

from chc_ref.check.mapping.root_failover import RootFailover
from chc_ref.check.mapping.store_failover import StoreFailover
from chc_ref.check.mapping.store_failover_flows import StoreFailoverFlows
from chc_ref.core.messages import Fenced
from chc_ref.errors import UsageError
from chc_ref.system.composition import Happen
from chc_ref.system.world import Forgetting
from chc_ref.tlc.mapping import Explored


def root(packets: str, every: int = 1, crashes: int = 1) -> dict[str, Any]:
    """Give a chain whose root fails, and its log with it: a letter for each packet."""
    return {
        "vertices": [{"name": "record", "nf": "recorder", "instances": 2}],
        "packets": list(packets),
        "persist_every": every,
        "fragile": ["root"],
        "most_crashes": crashes,
    }


def logged(packets: str, crashes: int = 1, instances: int = 2) -> dict[str, Any]:
    """Give a chain whose root fails, with the log in the store."""
    table = {**root(packets, crashes=crashes), "log": "store", "persist_every": 0}
    table["vertices"][0]["instances"] = instances
    return table


def moved(of: dict[str, Any], *to: str) -> dict[str, Any]:
    """Let flow A be moved in such a chain."""
    return {**of, "moves": [{"flow": "A", "to": one} for one in to]}


def store(packets: str, checkpoints: int = 0, crashes: int = 1) -> dict[str, Any]:
    """Give a chain whose store fails."""
    return {
        "vertices": [{"name": "pool", "nf": "pool", "instances": 2}],
        "packets": list(packets),
        "write_ahead": True,
        "checkpoints": ["store"] * checkpoints,
        "fragile": ["store"],
        "most_crashes": crashes,
    }


def flows(packets: str, checkpoints: int = 0, crashes: int = 1) -> dict[str, Any]:
    """Give a chain whose store fails, and has objects of single flows alone."""
    table = store(packets, checkpoints, crashes)
    table["vertices"] = [{"name": "record", "nf": "recorder", "instances": 2}]
    return table


def mapping_of(core: Explored) -> RootFailover | StoreFailover:
    """Give the mapping for a chain: one with write-ahead logs is there for its store."""
    chain = core.system.physical.chain
    (vertex,) = chain.vertices
    if not chain.write_ahead:
        return RootFailover(core.system)
    return (StoreFailover if vertex.nf.name == "pool" else StoreFailoverFlows)(core.system)


SMALL = [(root("A", every=2), 1243), (moved(root(""), "record.0"), 512), (store("A"), 677)]
LARGER = [(logged("A"), 3631), (store("AA"), 4081), (flows("A", checkpoints=1), 2664)]
LARGEST = [
    (root("A"), 1509),
    (root("AA", every=2), 17191),
    (root("A", every=2, crashes=2), 26377),
    (logged("AA", instances=1), 42856),
    (logged("A", crashes=2, instances=1), 28231),
    (moved(root("", crashes=2), "record.0"), 6464),
    (moved(root(""), "record.0", "record.1"), 6558),
    (moved(root("A"), "record.0"), 25910),
    (store("A", checkpoints=1), 2616),
    (store("AD"), 21538),
    (store("AA", checkpoints=1), 18710),
    (flows("AB"), 7612),
    (flows("A", crashes=2), 8553),
    (flows("AD"), 19473),
    (flows("AA", checkpoints=1), 24452),
]
"""Systems with the number of their states; TLC dumps a thousand in a second or so."""

RULES = [
    ("continues_at_persisted", "LeaveGap <- Dropped", root("A", every=2)),
    ("marks_once", "RemindMarks <- Dropped", moved(root(""), "record.0")),
    ("forwards_once", "ForwardAgain <- Dropped", logged("A", instances=1)),
    ("updates_not_logged", "LogUpdates <- Dropped", store("A")),
    ("no_update_suppression", "ApplyOnce <- Dropped", store("A")),
    ("per_flow_from_caches", "RebuildFromLogs <- Dropped", flows("A")),
]
"""Variant of the core, what it is in the specification, and the smallest system that tells."""

SLOW_RULES = [
    ("clock_need_not_be_stored", "PersistFirst <- Dropped", root("A")),
    ("one_clock_for_all", "CountUp <- Dropped", root("AA", every=2, crashes=0)),
    ("delete_at_once", "WaitForCommits <- Dropped", root("A")),
    ("forwards_before_logged", "LogFirst <- Dropped", logged("A", instances=1)),
    ("updates_reveal_nothing", "UpdatesRead <- Dropped", store("A")),
    ("case_one_in_case_two", "BeginWithRead <- Dropped", store("AD")),
    ("oldest_read", "BeginWithNewest <- Dropped", store("AD")),
    ("per_flow_from_caches", "RebuildFromLogs <- Dropped", flows("A", checkpoints=1)),
    ("updates_not_logged", "LogUpdates <- Dropped", flows("A")),
    ("no_update_suppression", "ApplyOnce <- Dropped", flows("A")),
]
"""The others; it takes two instances that update to tell which read a store begins with."""


def needs(request: pytest.FixtureRequest, *flags: str) -> None:
    """Skip a test that takes long, unless it is asked for."""
    if not all(request.config.getoption(flag) for flag in flags):
        pytest.skip(f"TLC dumps a graph: with {' and '.join(flags)}")


def equal(table: dict[str, Any], states: int, folder: Path) -> None:
    """Hold the core to the specification: every step of either is one of the other."""
    core = explored(table)
    to = mapping_of(core)
    agree(core, dumped(to, folder), to, states)


@pytest.mark.thorough
@pytest.mark.parametrize(("table", "states"), SMALL, ids=["root", "moves", "store"])
def test_graph_is_equal(table: dict[str, Any], states: int, tmp_path: Path) -> None:
    """Core and specification have the same states and steps, by the same names."""
    equal(table, states, tmp_path)


@pytest.mark.parametrize(("table", "states"), LARGER, ids=["logged", "store", "flows"])
def test_larger_graph_is_equal(
    table: dict[str, Any], states: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """So they have with the log in the store, with two packets, and with objects of flows."""
    needs(request, "--model-check")
    equal(table, states, tmp_path)


@pytest.mark.parametrize(("table", "states"), LARGEST, ids=[states for _, states in LARGEST])
def test_largest_graph_is_equal(
    table: dict[str, Any], states: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """So they have with more of everything."""
    needs(request, "--model-check", "--model-check-slow")
    equal(table, states, tmp_path)


@pytest.mark.parametrize(("variant", "override", "table"), RULES, ids=[one for one, _, _ in RULES])
def test_each_rule_is_the_same_rule(
    variant: str,
    override: str,
    table: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """A rule that both drop leaves them equal, and one that only one of them drops does not."""
    needs(request, "--model-check")
    core, amended = explored(table, variant), explored(table)
    tlc = dumped(mapping_of(core), tmp_path, override)
    assert beside(core, tlc, mapping_of(core)).equal
    found = beside(amended, tlc, mapping_of(amended)).difference
    assert found is not None
    assert found.only_core or found.only_tlc


@pytest.mark.parametrize(
    ("variant", "override", "table"), SLOW_RULES, ids=[one for one, _, _ in SLOW_RULES]
)
def test_each_other_rule_is_the_same_rule(
    variant: str,
    override: str,
    table: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """The same for the rules that take longer."""
    needs(request, "--model-check-slow")
    test_each_rule_is_the_same_rule(variant, override, table, tmp_path, request)


def test_what_a_mapping_does_not_know_is_refused() -> None:
    """A message, or a step, that the specification has not got is no silent match."""
    other = {**flows("A"), "vertices": [{"name": "mark", "nf": "marker"}]}
    with pytest.raises(UsageError, match=r"StoreFailoverFlows.tla has no NF 'marker'"):
        dict(mapping_of(explored(other)).constants)
    mapping = mapping_of(explored(store("")))
    with pytest.raises(UsageError, match=r"StoreFailover.tla has nothing like Fenced"):
        mapping.message(Fenced("pool.0", 1))
    state = mapping.system.initial
    with pytest.raises(UsageError, match=r"StoreFailover.tla has no action for Happen"):
        mapping.action(state, Happen("world", Forgetting("root")))
