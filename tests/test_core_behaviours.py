"""Beyond the bounds of whole graphs: single runs of core and specification, either way."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphs import HERE, Specified, Table, stated, within

from chc_ref.check import model as models
from chc_ref.check.mapping.chc import CHC
from chc_ref.check.mapping.clone import Clone
from chc_ref.check.mapping.failover import Failover
from chc_ref.check.mapping.failover_row import FailoverRow
from chc_ref.check.mapping.reallocation import Reallocation
from chc_ref.check.mapping.reallocation_row import ReallocationRow
from chc_ref.check.mapping.root_failover import RootFailover
from chc_ref.check.mapping.shared_failover import SharedFailover
from chc_ref.check.mapping.shared_object import SharedObject
from chc_ref.check.mapping.store_failover import StoreFailover
from chc_ref.check.mapping.store_failover_flows import StoreFailoverFlows
from chc_ref.system.composition import Happen, System
from chc_ref.system.world import Checkpoint, Crash
from chc_ref.tlc import behaviours
from chc_ref.tlc.mapping import Mapping
from chc_ref.tlc.run import Settings, Simulation
from chc_ref.tlc.trace import Trace

pytestmark = pytest.mark.thorough

VERTEX = {"name": "count", "nf": "recorder", "instances": 2, "eager_flush": False}
MOVES: Table = {
    "vertices": [VERTEX],
    "packets": list("AADADA"),
    "moves": [
        {"flow": "A", "to": "count.0"},
        {"flow": "D", "to": "count.1"},
        {"flow": "A", "to": "count.1"},
    ],
}
FAILS: Table = {
    "vertices": [VERTEX],
    "packets": list("ADA"),
    "fragile": ["count.0", "count.1"],
    "most_crashes": 3,
}
FAILS_IN_ROW: Table = {
    "vertices": [
        {"name": "first", "nf": "counter", "instances": 2},
        {"name": "second", "nf": "recorder", "instances": 2, "eager_flush": False},
        {"name": "third", "nf": "counter", "instances": 2},
    ],
    "edges": [["first", "second"], ["second", "third"]],
    "packets": list("ADA"),
    "fragile": ["first.1", "second.0", "second.1", "third.1"],
    "most_crashes": 2,
}
HOT = {"name": "hot", "nf": "hot", "instances": 2, "split": "host"}
SHARES: Table = {
    "vertices": [HOT],
    "packets": ["A", "A2", "D", "A2", "A"],
    "moves": [
        {"flow": "A", "to": "hot.0"},
        {"flow": "A", "to": "hot.1"},
        {"flow": "D", "to": "hot.1"},
    ],
}
SHARES_AND_FAILS: Table = {
    "vertices": [HOT],
    "packets": ["D", "D2", "A", "D3", "D2"],
    "fragile": ["hot.0", "hot.1"],
    "most_crashes": 2,
}
MOVES_IN_ROW: Table = {
    **FAILS_IN_ROW,
    "moves": [
        {"flow": "A", "to": "second.0"},
        {"flow": "A", "to": "first.0"},
        {"flow": "D", "to": "second.1"},
        {"flow": "A", "to": "second.1"},
        {"flow": "A", "to": "third.0"},
    ],
}
"""Systems of many million states."""

FORKS: Table = {
    "vertices": [
        {"name": "pass", "nf": "pass", "instances": 2},
        {"name": "count", "nf": "counter", "instances": 2},
        {"name": "detect", "nf": "earliest"},
    ],
    "edges": [["pass", "count"], ["pass", "detect"]],
    "packets": list("ADAD"),
}
CLONES: Table = {
    "vertices": [{"name": "first", "nf": "pool"}, {"name": "last", "nf": "pool", "clones": True}],
    "edges": [["first", "last"]],
    "packets": list("ABA"),
    "moves": [{"clone": "last.0"}, {"keep": "last.0'"}],
}
ROOT_FAILS: Table = {
    "vertices": [{"name": "record", "nf": "recorder", "instances": 2}],
    "packets": list("ADA"),
    "moves": [{"flow": "A", "to": "record.0"}, {"flow": "A", "to": "record.1"}],
    "persist_every": 2,
    "fragile": ["root"],
    "most_crashes": 2,
}
ROOT_AND_LOG: Table = {**ROOT_FAILS, "log": "store", "persist_every": 0}
STORE_FAILS: Table = {
    "vertices": [{"name": "pool", "nf": "pool", "instances": 2}],
    "packets": list("ADA"),
    "write_ahead": True,
    "checkpoints": ["store"],
    "fragile": ["store"],
    "most_crashes": 2,
}
STORE_OF_FLOWS: Table = {
    **STORE_FAILS,
    "vertices": [{"name": "record", "nf": "recorder", "instances": 2}],
    "packets": list("ABDA"),
}
"""Systems of more than a hundred thousand states, which no graph is compared of."""

OF: dict[str, tuple[Table, Callable[[System], Specified]]] = {
    "moves": (MOVES, Reallocation),
    "fails": (FAILS, Failover),
    "fails in a row": (FAILS_IN_ROW, FailoverRow),
    "shares": (SHARES, SharedObject),
    "shares and fails": (SHARES_AND_FAILS, SharedFailover),
    "moves in a row": (MOVES_IN_ROW, ReallocationRow),
    "forks": (FORKS, CHC),
    "clones": (CLONES, Clone),
    "root fails": (ROOT_FAILS, RootFailover),
    "root and log fail": (ROOT_AND_LOG, RootFailover),
    "store fails": (STORE_FAILS, StoreFailover),
    "store of flows fails": (STORE_OF_FLOWS, StoreFailoverFlows),
}

RUNS = 4


@pytest.fixture(params=OF)
def of(request: pytest.FixtureRequest) -> tuple[System, Specified]:
    """Give a system of the core, and what it is in its specification."""
    table, mapping = OF[request.param]
    system = models.of_table(HERE, table).system()
    return system, mapping(system)


def weight(action: Any) -> int:
    """Give how likely a step is: most are from inside, and few from outside are failures."""
    if not isinstance(action, Happen):
        return 6
    return 1 if isinstance(action.event, Crash | Checkpoint) else 4


def walk(system: System, seed: int) -> list[Any]:
    """Take a run of the core to its end, step by step at random; packets come before failures."""
    chance, state, taken = random.Random(seed), system.initial, []
    while offers := list(system.actions(state)):
        taken.append(chance.choices(offers, [weight(one) for one in offers])[0])
        state = system.step(state, taken[-1])
    return taken


def test_runs_of_the_core_are_behaviours_of_the_specification(
    of: tuple[System, Specified], tmp_path: Path
) -> None:
    """Whole runs are; one in which a step is left out is none, from that step on."""
    system, to = of
    mapping = Mapping(to.state, to.action)
    logs = [behaviours.logged(system, walk(system, seed), mapping) for seed in range(RUNS)]
    assert min(len(log.steps) for log in logs) > 30
    gap = len(logs[0].steps) // 2
    logs.append(Trace((*logs[0].steps[:gap], *logs[0].steps[gap + 1 :])))
    actions = stated(to, {step.action for log in logs for step in log.steps[1:]})
    files = within(to, tmp_path, extends=f"MC{type(to).__name__}", behaviour="Safety")
    settings = Settings(short=True, limit_s=300)
    *whole, cut = behaviours.validate(*files, logs, actions, HERE / "specs", settings)
    assert whole == [None] * RUNS
    assert cut is not None
    assert cut.number == gap


def test_runs_of_the_specification_are_runs_of_the_core(
    of: tuple[System, Specified], tmp_path: Path
) -> None:
    """The core follows what TLC draws, and no step that it does not know."""
    system, to = of
    mapping = Mapping(to.state, to.action)
    files = within(to, tmp_path, extends=f"MC{type(to).__name__}", behaviour="Safety")
    settings = Settings(short=True, limit_s=300)
    names = to.state(system.initial)
    drawn = behaviours.simulate(*files, Simulation(RUNS, 60, 1), HERE / "specs", settings, names)
    assert len(drawn) == RUNS
    for run in drawn:
        taken, wrong = behaviours.follow(system, run, mapping)
        assert wrong is None, "\n".join(wrong.lines())
        assert len(taken) > 15
    steps = drawn[0].steps
    _, wrong = behaviours.follow(system, Trace((*steps[:5], *steps[6:])), mapping)
    assert wrong is not None
    assert wrong.number == 5
