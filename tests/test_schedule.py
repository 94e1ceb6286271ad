"""Schedules of exact runs: written by a check, run again to the same end, refused when unfit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import attrs
import pytest

from chc_ref.check import schedule
from chc_ref.check.counterexample import as_report, of_schedule
from chc_ref.check.explore import Explorer
from chc_ref.check.model import Model, load, of_table
from chc_ref.check.words import step_name
from chc_ref.core.chain import Chain, Vertex
from chc_ref.core.messages import Arrive, CloneRequested, KeepRequested, MoveRequested
from chc_ref.core.operations import FLOW
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.errors import UsageError
from chc_ref.nfs.tiny import COUNTER, DRAW, MARKER, PASS
from chc_ref.system.composition import Action
from chc_ref.system.world import World
from chc_ref.verdict import Report, Verdict

MODELS = Path(__file__).parent.parent / "models"

RUN = """
chc_schedule = 1
rules = "no_update_suppression"
steps = ["arrive", "root -> count.1", "crash count.1"]

[model]
vertices = [{ name = "count", nf = "counter", instances = 2 }]
packets = ["A"]
fragile = ["count.1"]
most_crashes = 1
"""


def _load(tmp_path: Path, text: str) -> schedule.Schedule:
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return schedule.load(path, MODELS)


def _replay(saved: schedule.Schedule, rules: Rules | None = None) -> Report:
    return as_report(of_schedule(saved, rules))


def _unfit(step: str, tmp_path: Path, text: str = RUN) -> str:
    """Give the complaint about a schedule whose second step is another."""
    saved = _load(tmp_path, text.replace('"root -> count.1"', f'"{step}"'))
    with pytest.raises(UsageError) as caught:
        _replay(saved)
    assert str(caught.value).startswith(f"{saved.path}: step 2: ")
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "ablation_continues_at_persisted",  # a root crashes
        "ablation_updates_reveal_nothing",  # a store crashes
        "ablation_no_update_suppression",  # a host crashes
        "ablation_delete_at_once",  # and loses what it had sent
        "two_operations",
        "channels_doubling_output",
        "channels_losing_commit",
        "channels_reordering_updates",
        "channels_reordering_moves",
    ],
)
def test_a_counterexample_is_violated_again_in_the_same_steps(name: str, tmp_path: Path) -> None:
    """What a check found, and what it printed, is what its schedule gives."""
    report = Explorer(load(MODELS / f"{name}.toml")).run()
    saved = _load(tmp_path, report.schedule)
    again = _replay(saved)
    assert report.verdict is again.verdict is Verdict.VIOLATED
    assert (again.violated, again.trace) == (report.violated, report.trace)
    assert (again.rules, saved.violates) == (report.rules, report.violated)


def test_a_schedule_on_a_transport_is_run_again(tmp_path: Path) -> None:
    """Datagrams that overtake, and timers of the transport, have names as well."""
    model = load(MODELS / "channels_transport_crash_taken_again.toml")
    path = _wander(model, 400)
    text = schedule.write(model, path, "", AMENDED)
    assert {"drop", "retransmit"} & {step_name(action).split()[0] for action in path}
    report = _replay(_load(tmp_path, text))
    assert (report.violated, report.depth) == ("", len(path))


def _wander(model: Model, steps: int) -> list[Action]:
    """Give a run that takes each time what it has taken least often."""
    system = model.system()
    state, taken, path = system.initial, dict[str, int](), list[Action]()
    for _ in range(steps):
        names = {step_name(action): action for action in system.actions(state)}
        assert len(names) == len(list(system.actions(state))), "two actions of one name"
        if not names:
            break
        name = min(names, key=lambda one: (taken.get(one.split()[0], 0), one))
        taken[name.split()[0]] = taken.get(name.split()[0], 0) + 1
        path.append(names[name])
        state = system.step(state, names[name])
    return path


def test_under_other_rules_the_same_run_violates_nothing(tmp_path: Path) -> None:
    """A schedule shows the fault of its rules, and not one of its own."""
    report = Explorer(load(MODELS / "ablation_continues_at_persisted.toml")).run()
    saved = _load(tmp_path, report.schedule)
    fixed = _replay(saved, AMENDED)
    assert (fixed.verdict, fixed.rules, fixed.violated) == (Verdict.HOLDS, "amended", "")


def test_a_model_is_named_or_beside_or_inside(tmp_path: Path) -> None:
    """All three say the same."""
    inside = _load(tmp_path, RUN)
    shutil.copy(MODELS / "crash_one.toml", tmp_path / "mine.toml")
    head = RUN.partition("[model]")[0]
    named = _load(tmp_path, f'{head}model = "crash_one"')
    beside = _load(tmp_path, f'{head}model = "mine.toml"')
    assert named.model == beside.model
    assert named.model.rules == inside.model.rules
    assert _replay(named).trace == _replay(inside).trace


def test_a_step_that_is_not_possible_is_named_with_what_is(tmp_path: Path) -> None:
    """Nothing is carried out that the core does not offer."""
    known = "what is: root -> count.1, crash count.1"
    assert f"'root -> count.0' is not possible here; {known}" in _unfit("root -> count.0", tmp_path)
    assert known in _unfit("root -> count.1 #1", tmp_path)
    assert known in _unfit("crash count.0", tmp_path)
    assert known in _unfit("drop root -> count.1", tmp_path)
    assert known in _unfit("lose root -> count.1", tmp_path)
    assert known in _unfit("arrive", tmp_path)
    assert known in _unfit("whatever", tmp_path)


def test_what_was_taken_comes_again_with_a_crash_only(tmp_path: Path) -> None:
    """REC-1: an acknowledgement dies with a component; what nobody took cannot come again."""
    again = RUN.replace('"crash', '"again root -> count.1 #1", "crash')
    report = _replay(_load(tmp_path, again))
    assert (report.depth, report.verdict) == (4, Verdict.HOLDS)
    assert report.trace[2].endswith("once more: Packet(clock=1, flow=A, headers=(A, 1))")
    twice = again.replace("#1", "#2")
    with pytest.raises(UsageError, match=r"step 3: .* count\.1 has taken 1 messages from root"):
        _replay(_load(tmp_path, twice))
    idle = again.replace(', "crash count.1"', "")
    with pytest.raises(UsageError, match=r"must stand before 'crash count\.1'"):
        _replay(_load(tmp_path, idle))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("chc_schedule = 1", "", "key 'chc_schedule' is missing"),
        ("chc_schedule = 1", "chc_schedule = 2", "reads format 1"),
        ("chc_schedule = 1", "chc_schedule = 'x'", "key 'chc_schedule' must be of type int"),
        ("rules =", "ruels =", "unknown key 'ruels'"),
        ("no_update_suppression", "none", "unknown variant 'none'"),
        ('"arrive", ', "1, ", "step 1: 1 is no text"),
        ("steps =", "about =", "key 'about' must be of type str"),
        ("[model]", "[[model]]", "key 'model' must be of type str or dict"),
        ('nf = "counter"', 'nf = "cuonter"', "model: vertex 'count': unknown nf 'cuonter'"),
        ("most_crashes", "expect = 'holds'\nmost_crashes", "key 'expect' says nothing of the"),
        ("rules =", "rules ", "line 3"),
    ],
)
def test_a_malformed_schedule_is_refused(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """The error names the file, the place and the mend."""
    with pytest.raises(UsageError, match=complaint) as caught:
        _load(tmp_path, RUN.replace(old, new))
    assert "run.toml" in str(caught.value)


@pytest.mark.parametrize("model", ["no_such_model", "no_such_file.toml"])
def test_a_model_that_is_not_there_is_named(tmp_path: Path, model: str) -> None:
    """The error names the file that was looked for."""
    with pytest.raises(UsageError, match=r"no_such_.*: No such file"):
        _load(tmp_path, f'{RUN.partition("[model]")[0]}model = "{model}"')


def test_a_chain_in_python_has_the_table_of_its_model() -> None:
    """What is written for a chain is read as that chain, with its world."""
    vertices = (Vertex("draw", DRAW, store="store2"), Vertex("count", COUNTER, 2, clones=True))
    chain = Chain(vertices, (("draw", "count"),), roots=2, log="store", write_ahead=True)
    arrivals = (Arrive("A", ("A", 1)), Arrive('"B"\n', ('"B"\n', 2)))
    wishes = (
        MoveRequested("count", "A", "count.0"),
        CloneRequested("count.1"),
        KeepRequested("count.1'"),
    )
    roots = tuple(chain.root_for(arrival.flow) for arrival in arrivals)
    fragile = ("count.1", "root1", "store2")
    world = World(arrivals, wishes, fragile, 3, ("store2",), (("store", 7),), roots)
    model = of_table(Path("mine"), schedule.table_of(chain, world))
    assert (model.chain, model.world) == (chain, world)


MINE = attrs.evolve(MARKER, name="mine")


@pytest.mark.parametrize(
    ("chain", "world", "complaint"),
    [
        (Chain((Vertex("mine", MINE),)), World(), "its NF is none that model files can name"),
        (Chain((Vertex("a", PASS),), entry=FLOW), World(), "cannot say all of this chain"),
        (Chain((Vertex("a", PASS),)), World((Arrive("A", "odd"),)), "cannot say all of this"),
    ],
)
def test_what_no_model_file_can_say_is_refused(chain: Chain, world: World, complaint: str) -> None:
    """A schedule that would be another run's is not written."""
    with pytest.raises(UsageError, match=complaint):
        schedule.table_of(chain, world)


def test_any_text_can_be_in_a_model(tmp_path: Path) -> None:
    """Quotes, ends of lines and other alphabets come through a schedule unharmed."""
    table: dict[str, Any] = {
        "vertices": [{"name": "count", "nf": "counter", "eager_flush": False}],
        "packets": ['"\\', "#\n\x7f", "ü😀"],
    }
    model = of_table(Path("odd"), table)
    action = next(iter(model.system().actions(model.system().initial)))
    saved = _load(tmp_path, schedule.write(model, [action], "", AMENDED))
    assert (saved.model.chain, saved.model.world) == (model.chain, model.world)
    assert _replay(saved).depth == 1
