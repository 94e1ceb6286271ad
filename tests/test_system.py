"""hypothesis drives the composed core: packets, deliveries, moves, clones and crashes, any order.

CHAIN-1, CHAIN-2, QUEUE-1, SPLIT-4, STORE-8, STORE-9, CACHE-3, CACHE-4, ROOT-2, CLONE-1..3,
REC-0..5, REC-7, R1..R6, LIVE: chains with a fork, with paths that meet again, with two instances
a vertex, several roots and stores, and both places for the log.

The same predicates as the checker's judge it, against the ideal chain: what has left so far
at every step, and everything once nothing moves any more.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import clauses_fired
import pytest
from composed import CALM, CHAINS, UNSHRUNK, ComposedCore
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from chc_ref.check import schedule
from chc_ref.check.counterexample import of_schedule
from chc_ref.core.chain import compile_chain
from chc_ref.core.messages import Arrive, Crashed, Failed
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.net.wire import MESSAGES
from chc_ref.require.predicates import Requirements
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World, WorldState
from chc_ref.traceability import CLAUSES, load_clauses
from chc_ref.variants.shipped import SHIPPED

NO_CHANNEL = frozenset(
    {"Arrive", "Failed", "MoveRequested", "CloneRequested", "KeepRequested", "ScaleRequested"}
)
"""Messages that the driver itself brings."""

RARE = frozenset({"Drain", "Drained", "Over", "Speak", "Ask"})
"""Rare here: the models ``alone`` and ``clone_last`` have them, and a test of its own below."""


def _counting(rules: Rules, fired: Counter[str]) -> Rules:
    """Give the same rules, with every decision counted by its outcome."""

    def counted(name: str, decide: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            outcome = decide(*arguments)
            fired[f"{name} = {outcome}" if isinstance(outcome, bool) else name] += 1
            return outcome

        return count

    names = [field.name for field in attrs.fields(Rules) if field.name != "name"]
    changes: dict[str, Any] = {name: counted(name, getattr(rules, name)) for name in names}
    return attrs.evolve(rules, **changes)


def test_the_composed_core_is_the_ideal_chain(request: pytest.FixtureRequest) -> None:
    """No order of packets, deliveries, moves and crashes tells the chain from the ideal one.

    And with ``--model-check``, which affords the runs for it, every rule was decided both ways,
    and every message was taken: what never happened was not tested. ``pytest -s`` prints how
    often each did.
    """

    class Counted(ComposedCore):
        fired: ClassVar[Counter[str]] = Counter()
        rules_of_protocol = _counting(AMENDED, fired)

    often = {
        "asks_for_route",
        "seen_before",
        "settled",
        "waits_for_owner",
        "held_back",
        "flushes_before_release",
        "all_ended",
        "all_marked",
        "awaits_delete",
        "caches_alone",
        "drops_copy",
        "drops_input",
        "flushes_at_once",
        "gives_caches_up",
        "is_broken_replay",
        "is_replayed_to",
        "is_void",
        "keeps_cache",
        "may_move",
        "release_waits",
        "replay_ended",
        "replays_at",
        "sees",
        "sets_aside",
        "stays_mute",
        "waits_for_clock",
        "was_replayed",
    }
    wanted = {f"{name} = {outcome}" for name in often for outcome in (True, False)}
    # The other outcomes of these are rare here; the models of crash_last, crash_after_move,
    # clone_moved and copies reach them all.
    wanted |= {"recorded = False", "leaves = True", "late_in_replay = False"}
    wanted |= {"ends_move = True", "marks_stay_mute = False"}
    wanted |= {"commits_first = False", "reveals = True", "rebuilds_from_logs = True"}
    wanted |= {"add_token", "freed_first", "marks_last = True", "logs_first = True"}
    wanted |= {"next_count", "most_recent", "is_over = False"}
    wanted |= {"begin_waits = False", "is_first_delete = True", "finishes_first = True"}
    wanted |= {
        "begins_at",
        "branch_of",
        "buffered",
        "clock_after",
        "newest_past",
        "receivers",
        "replay_place",
    }
    wanted |= {"shown_clock", "step", "tenure_at", "signals_early = False"}
    rare = {"mark_waits"}  # behind what a move above holds: crash_above_moved reaches it
    # These have one outcome alone in the protocol, or guard what it never lets happen.
    always = ["announces", "asks_where_it_begins", "calls_back", "checkpoints_at_fence"]
    always += ["clears_target", "emulates", "fences_first", "forwards_again", "is_logged_ahead"]
    always += ["is_replayed", "marks_at_once", "may_begin", "may_update", "repeats_marks"]
    always += ["still_owns"]
    wanted |= {f"{name} = True" for name in always}
    wanted |= {kind.__name__ for kind in MESSAGES} - NO_CHANNEL - RARE
    wanted |= {"crash of a host", "crash of a root", "crash of a store"}
    thorough = request.config.getoption("--model-check")
    # The longest run only if the usual one missed something.
    for examples in (250, 1500) if thorough else (40,):
        run_state_machine_as_test(Counted, settings=settings(CALM, max_examples=examples))
        missing = wanted - Counted.fired.keys()
        if not missing and all(clauses_fired.count(Counted.fired).values()):
            break
    for name, count in sorted(Counted.fired.items()):
        print(f"{count:8} {name}")
    clauses = clauses_fired.count(Counted.fired)
    for name, count in clauses.items():
        print(f"{count:8} {name}")
    assert not (thorough and missing)
    assert not (thorough and [name for name, count in clauses.items() if count == 0])
    families = load_clauses(Path(__file__).parent.parent / CLAUSES)
    known = {clause.id for family in families for clause in family.clauses}
    assert known == clauses.keys() | clauses_fired.NOT_IN_A_RUN.keys(), "a clause without a count"
    rules = {field.name for field in attrs.fields(Rules)} - {"name"}
    known = {name.partition(" ")[0] for name in wanted}
    assert rules <= known | rare, "a new rule is to be counted as well"


def test_a_user_that_comes_up_during_a_recovery_is_asked_too() -> None:
    """REC-5, REC-7: an NF fails, its store takes the fence and fails too, and both come back."""
    chain = CHAINS["stores"]
    run = Simulation(System(compile_chain(chain), World()))
    requirements = Requirements(chain)
    at, channel = run.system.index, run.system.channel
    taken: Counter[str] = Counter()
    run.happen(at["root"], Arrive("A", ("A", 1)))
    for victim, path in (("pool.1", ("manager", "store")), ("store", ("store", "manager"))):
        run.happen(at[victim], Crashed())
        run.happen(at["manager"], Failed(victim))
        run.deliver(channel(*path))
    for path in (("manager", "pool.1"), ("pool.1", "manager")):
        run.deliver(channel(*path))
    while run.busy:
        taken[type(run.channels[min(run.busy)][0]).__name__] += 1
        run.deliver(min(run.busy))
    view = {name: run.state(name) for name in run.system.names}
    view["world"] = WorldState(1, crashed=("pool.1", "store"))
    assert taken["Ask"] == 1
    assert requirements.at_rest(view) is None


@pytest.mark.parametrize(
    ("name", "chain", "kind"),
    [
        ("no_update_suppression", "lazy", "nf"),
        ("no_last_mark", "fork", "move"),
        pytest.param("no_wait_for_owner", "fork", "move", marks=pytest.mark.thorough),
        ("delete_at_once", "lazy", "nf"),
        ("scales_at_once", "fork", "scale"),
    ],
)
def test_the_same_drive_catches_a_dropped_rule(
    name: str, chain: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine can fail: each of these rules, dropped, is found out.

    And what it found is a schedule that shows a violation when it is run again: the same one,
    or one before it, as the replay judges every step and this machine does not.
    """
    monkeypatch.setenv("CHC_SCHEDULES", str(tmp_path))

    class Broken(ComposedCore):
        rules_of_protocol = SHIPPED[name].rules
        chains = (chain,)
        kinds_of_event = (kind,)

    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(Broken, settings=UNSHRUNK)
    path = tmp_path / f"composed_core_{name}.toml"
    assert str(path) in str(caught.value)
    saved = schedule.load(path, tmp_path)
    found = of_schedule(saved)
    assert found.violated
    assert found.rules.name == name
    assert (found.violated == saved.violates) or len(found.actions) < len(saved.steps)


def test_a_failure_of_the_core_itself_is_saved_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends in an exception ends in the same one when it is run again."""
    monkeypatch.setenv("CHC_SCHEDULES", str(tmp_path))

    def fails(vector: int, signals: int) -> bool:
        raise ZeroDivisionError("seeded")

    broken = attrs.evolve(AMENDED, settled=fails)

    class Broken(ComposedCore):
        rules_of_protocol = broken
        chains = ("lazy",)

    with pytest.raises(AssertionError, match="ZeroDivisionError: seeded\nto see it: chc replay"):
        run_state_machine_as_test(Broken, settings=UNSHRUNK)
    saved = schedule.load(tmp_path / "composed_core_amended.toml", tmp_path)
    assert of_schedule(saved, broken).violated == f"the core fails: {saved.violates}"
    assert not of_schedule(saved).violated


def test_every_run_can_be_saved_and_run_again(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever the machine does, its schedule does.

    And with ``--model-check`` it has done everything: clones, roots, stores, lost messages.
    """

    class Saved(ComposedCore):
        fired: ClassVar[Counter[str]] = Counter()

        def teardown(self) -> None:
            super().teardown()
            if not hasattr(self, "run"):
                return
            model, path = self.model(), tmp_path / "run.toml"
            self.fired.update(type(action).__name__ for action in self.actions)
            state = functools.reduce(model.system().step, self.actions, model.system().initial)
            assert list(state.components[:-1]) == self.run.components[:-1]
            path.write_text(schedule.write(model, self.actions, "", AMENDED), encoding="utf-8")
            saved = schedule.load(path, tmp_path)
            again = schedule.carried_out(saved, saved.model.system())
            assert again == (self.actions, "")

    thorough = request.config.getoption("--model-check")
    for examples in (200, 800) if thorough else (12,):
        run_state_machine_as_test(Saved, settings=settings(CALM, max_examples=examples))
        missing = {"crash of a host", "crash of a root", "crash of a store"} - Saved.fired.keys()
        missing |= {"Again", "Lose", "Stop"} - Saved.fired.keys()
        if not missing:
            break
    assert not (thorough and missing)


def test_an_evolved_rule_set_keeps_its_other_rules() -> None:
    """A variant is one change: everything else is the amended protocol's."""
    variant = SHIPPED["no_last_mark"].rules
    assert attrs.evolve(variant, name=AMENDED.name, marks_last=AMENDED.marks_last) == AMENDED
