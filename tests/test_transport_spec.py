"""The transport in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import attrs
import broken_transports as broken
import pytest
from graphs import HERE, Reached, Specified, agree, beside, dumped, stated, within

from chc_ref.check.mapping.transport import Transport
from chc_ref.core import transport as core
from chc_ref.system.peers import Loses, Peers, Restarts
from chc_ref.tlc import behaviours
from chc_ref.tlc.mapping import Mapping
from chc_ref.tlc.run import Settings, Simulation
from chc_ref.tlc.trace import Trace

AB, BA, CB = ("a", "b"), ("b", "a"), ("c", "b")

TWO = Peers(AB, {AB: 2})
WINDOW = Peers(AB, {AB: 3}, window=1, burst=1, room=3)
EACH = Peers(AB, {AB: 1, BA: 1}, room=2)
RECEIVER = Peers(AB, {AB: 2}, {"b": 1}, room=2)
SENDER = Peers(AB, {AB: 2}, {"a": 1}, room=2)

SYSTEMS = {
    "two": (TWO, 957),
    "each": (EACH, 1007),
    "sender": (SENDER, 1345),
    "receiver": (RECEIVER, 2742),
}

LARGER = {
    "window": (Peers(AB, {AB: 3}, burst=1), 5955),
    "sender": (Peers(AB, {AB: 2}, {"a": 1}), 7018),
    "three": (Peers((*AB, "c"), {AB: 2, CB: 1}, room=2), 7201),
    "both": (Peers(AB, {AB: 1}, {"a": 1, "b": 1}), 8330),
}
"""The numbers of states are those of TLC's instances, too: ``models/manifest.toml``."""

RULES: dict[str, tuple[type[core.Transport], Peers]] = {
    "KeepEarly": (broken.Careless, TWO),
    "BoundFlight": (broken.Windowless, WINDOW),
    "SendAgain": (broken.Silent, TWO),
    "OnlyOverdue": (broken.Restless, TWO),
    "Acknowledge": (broken.Unanswering, TWO),
    "AckTaken": (broken.Boastful, TWO),
    "AckAll": (broken.Literal, TWO),
    "ProbeFirst": (broken.Hasty, TWO),
    "AnswerProbes": (broken.Ignoring, TWO),
    "ForMeOnly": (broken.Meddling, RECEIVER),
    "HearNewest": (broken.Forgiving, SENDER),
    "KeepForNext": (broken.Forgetful, RECEIVER),
    "NumberAnew": (broken.Continuing, RECEIVER),
}
"""Rule of the specification, the core without it, and a small system that tells."""

SOON = ("SendAgain", "AckTaken", "AnswerProbes", "KeepForNext")
"""Rules that ``--model-check`` looks at; the others are for ``--model-check-slow``."""

ENDLESS: dict[str, type[core.Transport]] = {
    "TakeInOrder": broken.Unnumbered,
    "DropRepeats": broken.Repeating,
}
"""Rules of both without which a message may be taken for ever: there is no whole graph."""


def needs(request: pytest.FixtureRequest, slow: bool) -> None:
    """Skip a test that takes long, unless it is asked for."""
    flags = ["--model-check", "--model-check-slow"] if slow else ["--model-check"]
    if not all(map(request.config.getoption, flags)):
        pytest.skip(f"TLC dumps a graph: with {' and '.join(flags)}")


def spec(of: Peers, folder: Path, *overrides: str) -> Any:
    """Give TLC's graph within the same bounds."""
    return dumped(Transport(of), folder, *overrides, behaviour="Safety")


def test_a_rule_changes_what_is_reached() -> None:
    """The explored system is the core's own machine: a fault of that shows in its states."""
    of, states = SYSTEMS["each"]
    assert len(Reached(of)) == states
    assert len(Reached(attrs.evolve(of, kind=broken.Silent))) < states


@pytest.mark.parametrize("name", SYSTEMS)
def test_graph_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Core and specification have the same states and steps, by the same names."""
    needs(request, slow=name == "sender")
    of, states = SYSTEMS[name]
    agree(Reached(of), spec(of, tmp_path), Transport(of), states)


@pytest.mark.parametrize("name", LARGER)
def test_larger_graph_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """So they have with more room, more endpoints and more starts."""
    needs(request, slow=True)
    of, states = LARGER[name]
    agree(Reached(of), spec(of, tmp_path), Transport(of), states)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_the_same_rule(
    rule: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one of them drops does not."""
    needs(request, slow=rule not in SOON)
    fault, of = RULES[rule]
    tlc = spec(of, tmp_path, f"{rule} <- Dropped")
    agree(Reached(attrs.evolve(of, kind=fault)), tlc, Transport(of))
    assert not beside(Reached(of), tlc, Transport(of)).equal


def test_what_comes_early_is_bounded_by_the_sender(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The receiver's bound changes no step while the sender keeps its own, on either side."""
    needs(request, slow=True)
    of = Peers(AB, {AB: 3}, burst=1, room=3)
    tlc = spec(of, tmp_path)
    agree(Reached(of), tlc, Transport(of))
    agree(Reached(attrs.evolve(of, kind=broken.Collecting)), tlc, Transport(of))


@pytest.mark.thorough
def test_a_fault_of_the_core_is_told_where_it_is(tmp_path: Path) -> None:
    """Each fault makes the core differ from the specification as it is."""
    of = Peers(AB, {AB: 1})
    tlc = spec(of, tmp_path)
    agree(Reached(of), tlc, Transport(of), 87)
    for fault in (broken.Silent, broken.Unanswering, broken.Hasty, broken.Ignoring):
        found = beside(Reached(attrs.evolve(of, kind=fault)), tlc, Transport(of)).difference
        assert found is not None
        assert found.only_core or found.only_tlc


# --------------------------------------------------------------------------- single runs

LARGE = Peers(
    (*AB, "c"), {AB: 4, BA: 3, CB: 3, ("b", "c"): 2}, {"a": 2, "b": 2, "c": 1}, window=3, room=8
)
"""A system of more states than anybody can count."""

RUNS, LENGTH = 4, 60


def walk(of: Peers, seed: int) -> list[Any]:
    """Take a run of the core, step by step at random; it loses less than it takes."""
    chance, state, taken = random.Random(seed), of.initial, []
    for _ in range(LENGTH):
        offers = sorted(of.actions(state), key=repr)
        weights = [1 if isinstance(one, Loses | Restarts) else 4 for one in offers]
        taken.append(chance.choices(offers, weights)[0])
        state = of.step(state, taken[-1])
    return taken


def mapping(of: Specified) -> Mapping:
    """Give what states and steps are in the specification."""
    return Mapping(of.state, of.action)


def logs(of: Peers) -> list[Trace]:
    """Give some runs of the core as the specification would have them."""
    return [behaviours.logged(of, walk(of, seed), mapping(Transport(of))) for seed in range(RUNS)]


def refused(of: Peers, runs: list[Trace], folder: Path, *overrides: str) -> list[int | None]:
    """Give the first step of each run that the specification refuses."""
    actions = stated(Transport(of), {step.action for log in runs for step in log.steps[1:]})
    files = within(Transport(of), folder, *overrides, behaviour="Safety")
    settings = Settings(short=True, limit_s=300)
    found = behaviours.validate(*files, runs, actions, HERE / "specs", settings)
    return [None if wrong is None else wrong.number for wrong in found]


@pytest.mark.thorough
def test_runs_of_the_core_are_behaviours_of_the_specification(tmp_path: Path) -> None:
    """Whole runs are; one in which a datagram comes out of nowhere is none, from that step on."""
    runs = logs(LARGE)
    for seed, run in enumerate(runs):
        changed = [a.state != b.state for a, b in itertools.pairwise(run.steps)]
        assert sum(changed) > LENGTH / 2, seed
    steps = runs[0].steps
    gap = next(n for n in range(LENGTH // 2, LENGTH) if steps[n].state != steps[n - 1].state)
    runs.append(Trace((*steps[:gap], *steps[gap + 1 :])))
    assert refused(LARGE, runs, tmp_path) == [None] * RUNS + [gap]


@pytest.mark.parametrize("rule", ENDLESS)
def test_each_rule_without_a_whole_graph_is_the_same_rule(
    rule: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Runs of the core without it are behaviours of the specification without it only."""
    needs(request, slow=True)
    of = attrs.evolve(LARGE, kind=ENDLESS[rule])
    runs = logs(of)
    assert refused(of, runs, tmp_path, f"{rule} <- Dropped") == [None] * RUNS
    assert any(refused(of, runs, tmp_path))


@pytest.mark.thorough
def test_runs_of_the_specification_are_runs_of_the_core(tmp_path: Path) -> None:
    """The core follows what TLC draws, and without a rule it does not."""
    to = Transport(LARGE)
    files = within(to, tmp_path, behaviour="Safety")
    settings = Settings(short=True, limit_s=300)
    drawn = behaviours.simulate(*files, Simulation(RUNS, LENGTH, 1), HERE / "specs", settings)
    assert len(drawn) == RUNS
    for kind in (core.Transport, broken.Unanswering):
        system = attrs.evolve(LARGE, kind=kind)
        wrong = [behaviours.follow(system, run, mapping(Transport(system)))[1] for run in drawn]
        assert any(wrong) == (kind is not core.Transport)
