"""Reductions: fewer states, and nothing else is different; what is unsound in one shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from commands import ROOT, Chc

from chc_ref.check import counterexample
from chc_ref.check.cells import Row
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.futures import Threat
from chc_ref.check.hashed import FULL, Table, miss
from chc_ref.check.model import Model, is_model, load, of_table
from chc_ref.check.persistent import Persistent
from chc_ref.check.rows import Rows
from chc_ref.check.symmetry import AsymmetryError, Symmetry
from chc_ref.check.touches import Possible, Touches
from chc_ref.check.words import step_name
from chc_ref.errors import UsageError
from chc_ref.reducing.compare import BOTH, POR, SYMMETRY, Seen, compare, confirmed, dependences, see
from chc_ref.require.coe import Difference
from chc_ref.require.predicates import Predicate, Requirements
from chc_ref.system.composition import Happen
from chc_ref.system.world import Crash
from chc_ref.variants import library
from chc_ref.verdict import Reduction, Verdict

MODELS = ROOT / "models"

FLOWS = """
chc_model = 1
about = "Two flows at instances of their own."
leaves_out = "Nearly everything."
clauses = ["ROOT-1"]
expect = "holds"
vertices = [{ name = "count", nf = "recorder", instances = 2 }]
packets = ["A", "D"]
any_order = true
witnesses = []
"""
FAILING = """
chc_model = 1
about = "One packet, and an instance of three may fail: two of them have nothing to do."
leaves_out = "Nearly everything."
clauses = ["REC-1"]
expect = "holds"
vertices = [{ name = "record", nf = "recorder", instances = 3 }]
packets = ["A"]
fragile = ["record.0", "record.1", "record.2"]
most_crashes = 1
witnesses = ["down", "recovered"]
"""
PLAIN = FAILING.replace("instances = 3", "instances = 2").replace(', "record.2"', "")

ROOT_FAILS = (
    PLAIN.replace('fragile = ["record.0", "record.1"]', 'fragile = ["root"]\npersist_every = 1')
    .replace("recorder", "pass")
    .replace("instances = 2", "instances = 1")
    .replace('"down", "recovered"', '"root_recovered"')
)

REAL = FLOWS.replace('nf = "recorder"', 'nf = "nat"').replace(
    '["A", "D"]',
    '[{ flow = "tcp:10.0.0.1:4000-5.5.5.5:22" }, { flow = "tcp:10.0.0.1:4000-5.5.5.5:22" }]',
)

SMALL = {"flows": FLOWS, "failing": FAILING, "plain": PLAIN, "root": ROOT_FAILS}


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Model]:
    """Give the model of a text."""

    def made(text: str) -> Model:
        path = tmp_path / "small.toml"
        path.write_text(text)
        return load(path)

    return made


# ------------------------------------------------------------------------------ nothing is lost


@pytest.mark.parametrize("reduction", [POR, SYMMETRY, BOTH], ids=["por", "symmetry", "both"])
@pytest.mark.parametrize("name", SMALL)
def test_a_reduction_changes_nothing_but_the_count(
    name: str, reduction: frozenset[Reduction], model: Callable[[str], Model]
) -> None:
    """Verdicts, states at rest, local states and, but for orders, all states are the same."""
    full, reduced = see(model(SMALL[name])), _see(model(SMALL[name]), reduction)
    assert compare(full, reduced) == ()
    symmetric = name in ("flows", "failing") and Reduction.SYMMETRY in reduction
    assert (reduced.states < full.states) == (symmetric or Reduction.PERSISTENT in reduction)
    assert reduced.explorer.run().verdict is Verdict.HOLDS


VIOLATED = ("ablation_copy_hides_update", "ablation_counted_updates")
QUICK = ("ablation_forgets_what_is_logged", "ablation_xor_vector")


@pytest.mark.parametrize("reduction", [POR, SYMMETRY], ids=["por", "symmetry"])
@pytest.mark.parametrize("name", VIOLATED)
def test_what_is_violated_stays_so(name: str, reduction: frozenset[Reduction]) -> None:
    """Of every requirement, with a counterexample that is one when it is run again."""
    one = load(MODELS / f"{name}.toml")
    full, reduced = see(one), _see(one, reduction)
    assert compare(full, reduced) == ()
    report = confirmed(one, None, reduction)
    assert report.verdict is Verdict.VIOLATED
    assert full.verdicts[counterexample.requirement_of(report.violated)] is Verdict.VIOLATED


def test_on_many_models(request: pytest.FixtureRequest) -> None:
    """All models of a few thousand states, with ``--model-check``; else some that take no time."""
    thorough = request.config.getoption("--model-check")
    every = [path.stem for path in sorted(MODELS.glob("*.toml")) if is_model(path)]
    limits, compared = Limits(states=2_000), 0
    for name in every if thorough else QUICK:
        one = load(MODELS / f"{name}.toml")
        full = None if one.slow or one.network.transport else see(one, None, None, limits)
        if full is None or not full.whole:
            continue
        compared += 1
        for reduction in (POR, SYMMETRY):
            assert compare(full, _see(one, reduction)) == (), name
        if Verdict.VIOLATED in full.verdicts.values():
            assert confirmed(one, None, POR).verdict is Verdict.VIOLATED
    assert compared >= (15 if thorough else len(QUICK))


def test_a_crash_that_waits_for_a_recovery_is_kept() -> None:
    """What a test of the manager forbids may become possible, as a test of who is up may."""
    table = {
        "vertices": [{"name": "mark", "nf": "marker", "instances": 2}],
        "packets": ["A"],
        "fragile": ["mark.0", "mark.1"],
        "most_crashes": 2,
        "apart": True,
    }
    one = of_table(MODELS, table)
    full, reduced = see(one), _see(one, POR)
    assert reduced.states < full.states
    assert compare(full, reduced) == ()


def _see(one: Model, reduction: frozenset[Reduction]) -> Seen:
    return see(one, None, Method(reduce=reduction))


# ------------------------------------------------------------------------------ independence


def test_what_is_said_to_commute_does(model: Callable[[str], Model]) -> None:
    """Of all pairs of actions in all states: either order, the same state, nothing new allowed."""
    assert list(_dependences(model(FAILING))) == []
    assert list(_dependences(model(FLOWS), every=7)) == []


def test_what_is_said_to_commute_does_in_larger_models(request: pytest.FixtureRequest) -> None:
    """Moves, clones, scalings, crashes of roots and stores, networks; with ``--model-check``."""
    if not request.config.getoption("--model-check"):
        pytest.skip("takes a while: runs with --model-check")
    names = (
        "move_back",
        "clone_last",
        "scale_out",
        "root_log_in_store_one_flow",
        "store_with_log",
        "channels_reordering_log",
        "channels_losing_update",
        "channels_doubling_log",
    )
    for name in names:
        assert list(_dependences(load(MODELS / f"{name}.toml"), most=6_000, every=11)) == [], name


def _dependences(one: Model, most: int = 10**9, every: int = 1) -> Iterator[str]:
    explorer = Explorer(one, None, Limits(states=most))
    explorer.sweep()
    rows = list(explorer.search.rows())
    symmetry = Symmetry(explorer.cells, (), rows[0])
    touches = Touches(explorer.cells, explorer.properties, symmetry)
    for row in rows[::every]:
        yield from dependences(touches, row)


# ------------------------------------------------------------------------------ unsound ones


def _blind(monkeypatch: pytest.MonkeyPatch, of: Callable[[Any], bool], **changes: Any) -> None:
    """Give a wrong idea of what some actions touch."""
    carried_out = Touches._carried_out

    def wrong(self: Touches, row: Row, at: int, move: Any) -> Any:
        found = carried_out(self, row, at, move)
        if not isinstance(found, Possible) or not of(self.cells.actions.values[found.code]):
            return found
        touch = attrs.evolve(self.values.values[found.touch], **changes)
        return attrs.evolve(found, touch=self.values(touch))

    monkeypatch.setattr(Touches, "_carried_out", wrong)


def _is_crash(action: Any) -> bool:
    return isinstance(action, Happen) and isinstance(action.event, Crash)


def test_a_crash_touches_who_crashes(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is said to touch the world alone, neither the pairs nor the search put up with it."""
    one = model(ROOT_FAILS)
    full, world = see(one), one.system().index["world"]
    _blind(monkeypatch, _is_crash, parties=1 << world, ends=(), turns=False)
    assert any("Crash" in text for text in _dependences(one))
    assert compare(full, _see(one, POR)) == ("other states at rest",)


def test_a_crash_touches_what_may_be_lost_by_it(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the last message of a channel leaves nothing to be lost on it."""
    one = model(ROOT_FAILS)
    full = see(one)
    _blind(monkeypatch, _is_crash, ends=())
    assert compare(full, _see(one, POR)) == ("other states at rest",)


def test_two_channels_of_a_component_are_not_independent(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes from one first decides what the other one's message meets."""
    full = see(model(FLOWS))
    monkeypatch.setattr(Threat, "is_there", True)
    assert compare(full, _see(model(FLOWS), POR)) != ()


def test_rest_is_lost_without_a_search_for_each_number_of_crashes(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash may happen at rest, and who lets it go first as it touches nothing is not there."""
    one = model(FAILING.replace('["record.0", "record.1", "record.2"]', '["record.0"]'))
    full, choices = see(one), Persistent._choices

    def crash_first(self: Persistent, *given: Any) -> Any:
        *hopeful, every = choices(self, *given)
        return [*hopeful[::-1], every]

    def once(self: Persistent) -> Iterator[Row]:
        yield self._add(self.first, 0)
        yield from self._search(self._system.world.most_crashes)

    monkeypatch.setattr(Persistent, "_choices", crash_first)
    assert compare(full, _see(one, POR)) == ()
    monkeypatch.setattr(Persistent, "_states", once)
    assert "other states at rest" in compare(full, _see(one, POR))


Pair = tuple[Any, Any]


def _pairs(seen: Seen) -> set[Pair]:
    """Give the states that both instances of ``FLOWS`` have at a time."""
    at = seen.explorer.system.index
    return {
        (state.components[at["count.0"]], state.components[at["count.1"]])
        for state in seen.all_states()
    }


def test_what_several_components_show_at_a_time_is_seen(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A predicate on two components finds what only some orders have; ignored, it is missed."""
    one = model(FLOWS)
    missed = _pairs(see(one)) - _pairs(_see(one, POR))
    invariants, pair = Requirements.invariants, min(missed, key=repr)
    wrong = Difference("R1", "both instances", "something else", "this")

    def more(self: Requirements) -> tuple[Predicate, ...]:
        two = ("count.0", "count.1")
        return (
            *invariants(self),
            Predicate("R1", two, lambda *now: wrong if now == pair else None),
        )

    monkeypatch.setattr(Requirements, "invariants", more)
    assert _see(one, POR).verdicts["R1"] is Verdict.VIOLATED
    monkeypatch.setattr(Touches, "differs", lambda *_: False)
    assert _see(one, POR).verdicts["R1"] is Verdict.HOLDS


# ------------------------------------------------------------------------------ names


def test_an_exchange_of_instances_that_flows_go_to_is_refuted(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flow A goes to count.1 by its hash; who exchanges the instances and not the flows errs."""
    one = model(FLOWS)
    full, reduced = see(one), _see(one, SYMMETRY)
    refuted = [dict(words) for words in reduced.explorer.plan.refuted]
    alone = [words for words in refuted if "A" not in words]
    assert [words["count.0"] for words in alone] == ["count.1"]
    monkeypatch.setattr(Symmetry, "_moves", lambda self, cell: self.cells.moves(cell))
    monkeypatch.setattr(Symmetry, "_poked", lambda self, key: self.cells.poked(*key))
    monkeypatch.setattr(Symmetry, "same", lambda *_: None)
    assert "other states" in compare(full, _see(one, SYMMETRY))


def test_flows_in_a_fixed_order_are_not_interchangeable(model: Callable[[str], Model]) -> None:
    """Where A always arrives first, A and D differ by more than their names."""
    reduced = _see(model(FLOWS.replace("any_order = true", "")), SYMMETRY)
    assert not reduced.explorer.search.symmetry.renamings  # type: ignore[union-attr]
    assert reduced.explorer.plan.said(reduced.explorer.search) == "no symmetry"


def test_a_requirement_that_names_an_instance_refutes_its_exchange(
    model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are the same, and what is required is not."""
    invariants = Requirements.invariants

    def fails(node: Any) -> Difference | None:
        return None if node.up else Difference("R1", "record.0", "up", "down")

    def more(self: Requirements) -> tuple[Predicate, ...]:
        return (*invariants(self), Predicate("R1", ("record.0",), fails))

    monkeypatch.setattr(Requirements, "invariants", more)
    full, reduced = see(model(FAILING)), _see(model(FAILING), SYMMETRY)
    assert reduced.verdicts == full.verdicts
    assert reduced.verdicts["R1"] is Verdict.VIOLATED
    assert not reduced.explorer.search.symmetry.renamings  # type: ignore[union-attr]


def test_a_difference_behind_an_exchange_is_told(model: Callable[[str], Model]) -> None:
    """The error names what was exchanged."""
    one = model(FLOWS)
    explorer = Explorer(one)
    first = explorer.cells.row(explorer.system.initial)
    words = (("count.0", "count.1"), ("count.1", "count.0"))
    rows = Rows(
        explorer.cells, explorer.properties, Symmetry(explorer.cells, [words], first), first
    )
    with pytest.raises(AsymmetryError) as found:
        list(rows._states())
    assert found.value.words == words


# ------------------------------------------------------------------------------ hashes


def test_many_bits_miss_nothing_and_few_say_that_they_may(model: Callable[[str], Model]) -> None:
    """With 62 bits the graph is the whole one; with 8 bits states are missed, and it is said."""
    one = model(FLOWS)
    full = Explorer(one).run()
    exact = Explorer(one, method=Method(compact=62)).run()
    assert (exact.states, exact.transitions, exact.depth) == (
        full.states,
        full.transitions,
        full.depth,
    )
    assert exact.miss is not None
    assert exact.states is not None
    assert 0 < exact.miss == miss(exact.states, 62) < 1e-11
    told = f"hashes of 62 bits: missed a state with probability <= {exact.miss:.1g}"
    assert told in exact.bounds
    assert exact.verdict is Verdict.HOLDS
    weak = Explorer(one, method=Method(compact=8)).run()
    assert weak.states is not None
    assert full.states is not None
    assert weak.states < full.states
    assert weak.miss is not None
    assert weak.miss > 0.99
    assert weak.verdict is Verdict.INCONCLUSIVE
    assert weak.violated == "too few bits a state for so many states"
    assert full.miss is None


def test_states_are_missed_about_as_often_as_the_bound_says(model: Callable[[str], Model]) -> None:
    """Over seeds, some searches with 19 bits miss one of 861 states: about half of them."""
    one = model(FAILING)
    full = Explorer(one).run().states
    assert full is not None
    seen = [Explorer(one, method=Method(compact=19, seed=s)).run().states for s in range(8)]
    assert any(states != full for states in seen)
    assert miss(full, 19) == pytest.approx(full * (full + 1) / 2**20)


def test_a_counterexample_behind_hashes_is_one() -> None:
    """The way is found again with whole states."""
    one = load(MODELS / "ablation_copy_hides_update.toml")
    report = Explorer(one, method=Method(compact=50)).run()
    assert report.verdict is Verdict.VIOLATED
    assert counterexample.of_report(one, MODELS, report) is not None


def test_a_table_holds_what_was_put_in() -> None:
    """Each number once, with room for more, in few octets."""
    table = Table(40)
    numbers = [n * 7_919 % 2**40 for n in range(5_000)] + [0, 2**40 - 1]
    new = [table.add(number) for number in numbers]
    assert sum(new) == len(set(numbers)) == len(table)
    assert not any(table.add(number) for number in numbers)
    assert table.octets <= 6 * 2 / FULL * len(table)


# ------------------------------------------------------------------------------ the command


def test_the_command_takes_reductions(tmp_path: Path, chc: Chc) -> None:
    """It says in its bounds what was left out."""
    path = tmp_path / "fails.toml"
    path.write_text(PLAIN)
    done = chc("check", str(path), "--reduce", "por,symmetry", "--json")
    assert done.returncode == 0
    assert "reduced: partial order; no symmetry" in done.stdout
    done = chc("check", str(path), "--compact", "48", "--json")
    assert "hashes of 48 bits: missed a state with probability <= " in done.stdout
    assert '"miss": ' in done.stdout


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        (("--reduce", "por", "--backend", "kernel"), "leave --backend kernel out"),
        (("--reduce", "por", "--order", "depth"), "leave --order out"),
        (("--reduce", "symmetry", "--depth", "3"), "leave --depth out"),
        (("--compact", "40", "--reduce", "por"), "leave one out"),
        (("--compact", "63"), "a hash has 1 to 62 bits"),
        (("--reduce", "luck"), "--reduce 'luck' is unknown; known: por, symmetry"),
    ],
)
def test_what_does_not_go_together_is_told(options: tuple[str, ...], mend: str, chc: Chc) -> None:
    """One line, and how to mend it."""
    done = chc("check", "pool", *options)
    assert done.returncode == 2
    assert mend in done.stderr


def test_runs_that_need_not_end_are_not_reduced(chc: Chc) -> None:
    """A transport may send again; then nothing is left out, and it is said."""
    one = load(MODELS / "channels_transport_outputs.toml")
    report = Explorer(one, None, Limits(states=500), Method(reduce=POR)).run()
    assert "not reduced: runs need not end" in report.bounds


def test_arrivals_in_any_order_are_run_again(
    model: Callable[[str], Model], tmp_path: Path, chc: Chc
) -> None:
    """A schedule says which flow's packet arrives; either may be the first."""
    one = model(FLOWS)
    for reduction in (frozenset[Reduction](), BOTH):
        report = Explorer(
            one, library.find("one_clock_for_all").rules, None, Method(reduce=reduction)
        )
        path = tmp_path / "run.toml"
        path.write_text(report.run().schedule)
        assert chc("replay", str(path)).returncode == 1
        assert '"arrive ' in path.read_text()
    system = one.system()
    arrivals = [a for a in system.actions(system.initial) if isinstance(a, Happen)]
    assert [step_name(action) for action in arrivals] == ["arrive A", "arrive D"]
    with pytest.raises(UsageError, match="any_order: two packets are equal"):
        model(REAL)
