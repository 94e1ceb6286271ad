"""Recovery in a row of vertices in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from graphs import HERE, Table, agree, beside, dumped, explored, row, within

from chc_ref.check.mapping.failover_row import FailoverRow
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Happen
from chc_ref.system.world import Checkpoint
from chc_ref.tlc import run
from chc_ref.tlc.run import Settings


def bounded(to: FailoverRow, folder: Path, *overrides: str, **how: Any) -> Any:
    """Give TLC's graph within the same bounds."""
    return dumped(to, folder, *overrides, behaviour="Safety", **how)


FOUR = ("first.0", "first.1", "second.0", "second.1")
FIRST = row("recorder pass", "A", "first.1")
FIRST_CACHED = row("recorder pass", "A", "first.1", eager_flush=False)
SECOND = row("recorder pass", "A", "second.1")
SECOND_KEEPS = row("pass recorder", "A", "second.1")


def forgets(nfs: str, packets: str, *fragile: str, times: int = 1) -> Table:
    """Give such a system whose root tells which packets are over."""
    crashes = 1 if fragile else 0
    return {**row(nfs, packets, *fragile, crashes=crashes), "forgets": ["root"] * times}


FORGETS = forgets("recorder", "A", "first.1")

EQUAL = [
    (row("pass recorder", "A", "first.1"), 465),
    (SECOND, 1_866),
    (FORGETS, 2_196),
    (forgets("recorder", "AA", times=2), 2_003),
    (forgets("recorder pass", "A", "second.1"), 15_890),
    (row("counter recorder", "A", *FOUR), 19_030),
    (row("recorder counter", "A", *FOUR, eager_flush=False), 28_146),
    (row("counter", "AB", "first.1"), 37_740),
    (row("pass recorder", "AAB", "first.1"), 94_011),
]
"""Systems, with their numbers of states."""

LARGE = {
    "two crashes": row("pass pass", "A", "first.1", "second.1", crashes=2),
    "two flows": row("pass recorder", "AD", *FOUR),
}
"""Systems of which the numbers of states and of steps are compared."""

RULES = [
    ("forgets_all_on_delete", "DropWhatIsOver <- Dropped", FORGETS),
    ("forgets_what_is_logged", "NewestOver <- Newest", forgets("recorder", "A")),
    (
        "forgets_all_on_delete",
        "DropWhatIsOver <- Dropped",
        forgets("recorder pass", "A", "second.1"),
    ),
    ("no_update_suppression", "SuppressUpdates <- Dropped", FIRST),
    ("no_queue_suppression", "SuppressPackets <- Dropped", FIRST),
    ("target_kept", "ClearTarget <- Dropped", FIRST),
    ("replayed_updates_unflushed", "FlushReplayed <- Dropped", FIRST_CACHED),
    ("replay_not_awaited", "SetAside <- Dropped", FIRST),
    ("no_replay", "ReplayLog <- Dropped", FIRST),
    ("output_before_delete", "OutputAfterDelete <- Dropped", FIRST),
    ("delete_at_once", "DeleteAfterCommits <- Dropped", FIRST),
    ("suppresses_by_clock", "TellReplays <- Dropped", SECOND),
    ("replays_processed_upstream", "Emulate <- Dropped", SECOND),
    ("one_replay_end_is_enough", "AwaitEnds <- Dropped", SECOND),
    ("output_on_any_delete", "LeaveOnFirstDelete <- Dropped", SECOND),
    ("sees_the_present", "SeeThePast <- Dropped", SECOND_KEEPS),
]
"""Variant of the core, what it is in the specification, and a system that tells."""

SOON = {
    "target_kept": 2,
    "suppresses_by_clock": 2,
    "no_queue_suppression": 2,
    "one_replay_end_is_enough": 2,
    "forgets_all_on_delete": 1,
    "forgets_what_is_logged": 1,
}
"""Rules that ``--model-check`` looks at, in rows of so many vertices; the others are for
``--model-check-slow``."""


def wanted(request: pytest.FixtureRequest, soon: bool) -> None:
    """Skip a test that was not asked for."""
    slow = soon or request.config.getoption("--model-check-slow")
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("a run of TLC that writes its graph: with --model-check, or --model-check-slow")


@pytest.mark.parametrize(("of", "states"), EQUAL, ids=[str(states) for _, states in EQUAL])
def test_graph_is_equal(
    of: Table, states: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Core and specification have the same states and steps, by the same names.

    One vertex is a row, too: its graph is as large as that of ``Failover``.
    """
    wanted(request, states < 10_000)
    core = explored(of)
    to = FailoverRow(core.system)
    agree(core, bounded(to, tmp_path, short=states < 10_000), to, states)


@pytest.mark.parametrize("of", LARGE.values(), ids=LARGE)
def test_large_graph_has_as_many_states_and_steps(
    of: Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Where the graph is too large to be compared, its numbers are, action by action."""
    wanted(request, False)
    core = explored(of)
    to = FailoverRow(core.system)
    ours = Counter(
        to.action(core.state(number), action)
        for number in range(len(core))
        for action, _ in core.steps(number)
    )
    with run.job(*within(to, tmp_path, behaviour="Safety"), HERE / "specs") as job:
        found = run.execute(job, Settings(coverage=True, limit_s=1800)).outcome
    assert found.distinct == len(core)
    assert {name: taken for name, (_, taken) in found.coverage.items() if taken} == ours


@pytest.mark.parametrize(
    ("variant", "override", "of"), RULES, ids=[f"{n}-{one[0]}" for n, one in enumerate(RULES)]
)
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    wanted(request, variant in SOON and len(of["vertices"]) <= SOON[variant])
    core, amended = explored(of, variant), explored(of)
    tlc = bounded(FailoverRow(core.system), tmp_path, override, extends="MCFailoverRow")
    assert beside(core, tlc, FailoverRow(core.system)).equal
    assert not beside(amended, tlc, FailoverRow(amended.system)).equal


def test_what_the_specification_has_not_is_told() -> None:
    """Another NF, another chain, or a step that it has no action for."""
    with pytest.raises(UsageError, match="no NF 'pool'"):
        dict(FailoverRow(explored(row("pool", "A")).system).constants)
    fork = {**row("pass pass pass", "A"), "edges": [["first", "second"], ["first", "third"]]}
    with pytest.raises(UsageError, match="a row of vertices"):
        dict(FailoverRow(explored(fork).system).constants)
    system = explored(FIRST).system
    with pytest.raises(UsageError, match="no action for"):
        FailoverRow(system).action(system.initial, Happen(WORLD, Checkpoint("store")))
