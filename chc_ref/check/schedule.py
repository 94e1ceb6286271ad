"""Schedules: one exact run of one model as a file that can be read, kept and run again.

A step is a word or two for one action of the composition (``words.step_name``). Reading needs
no grammar of its own: a step stands for that action among the possible ones which has this
name, so a schedule that does not fit the core any more is never carried out by mistake.
docs/replay.md describes the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from chc_ref.chains import SHIPPED
from chc_ref.check import arrivals, model as models
from chc_ref.check.model import Model
from chc_ref.check.words import describe, step_name
from chc_ref.core.chain import Chain, Vertex
from chc_ref.core.messages import CloneRequested, KeepRequested, ScaleRequested
from chc_ref.core.rules import Rules
from chc_ref.core.vertex import Wish
from chc_ref.errors import UsageError
from chc_ref.files import at, read_toml, toml
from chc_ref.nfs.logic import LOGIC
from chc_ref.require.coe import Difference
from chc_ref.require.predicates import Requirements
from chc_ref.system.composition import Action, Again, Happen, State, System
from chc_ref.system.network import Channel, Deliver, Double, message_at
from chc_ref.system.world import Crash, World

KEYS: dict[str, tuple[type, ...]] = {
    "chc_schedule": (int,),
    "about": (str,),
    "violates": (str,),
    "rules": (str,),
    "steps": (list,),
    "loop": (int,),
    "model": (str, dict),
}
"""Key of a schedule file, and the types it may have."""

CHAIN_KEYS = ("persist_every", "capacity", "roots", "log", "write_ahead")
"""Settings of a chain that are plain values."""


@attrs.frozen
class Schedule:
    """One exact run."""

    path: Path
    """Of its file."""
    model: Model
    """With the rules of the run."""
    steps: tuple[str, ...]
    violates: str = ""
    """What the run violated when it was written; empty for nothing."""
    loop: int | None = None
    """Steps before those that go round for ever, in a run that never ends (LIVE)."""


# --------------------------------------------------------------------------- reading


def is_schedule(path: Path) -> bool:
    """Tell whether a file is to be read as a schedule of an exact run."""
    return path.suffix == ".toml"


def load(path: Path, folder: Path) -> Schedule:
    """Read a schedule file.

    Args:
        path: the file.
        folder: where the model is if the schedule gives its name only.

    Raises:
        UsageError: a file cannot be read or is malformed; the text names file and key.

    """
    return of_data(path, read_toml(path), folder)


def of_data(path: Path, data: dict[str, Any], folder: Path) -> Schedule:
    """Give the schedule of what a schedule file at ``path`` holds, as ``load`` does.

    Raises:
        UsageError: it is malformed; the text names file and key.

    """
    with at(path):
        _check_keys(data)
        model = _model(path, data, folder)
    steps = tuple(data["steps"])
    return Schedule(path, model, steps, data.get("violates", ""), data.get("loop"))


def _check_keys(data: dict[str, Any]) -> None:
    if "chc_schedule" not in data:
        raise UsageError("key 'chc_schedule' is missing: this is no schedule of an exact run")
    for key, value in data.items():
        if key not in KEYS:
            raise UsageError(f"unknown key {key!r}; known: {', '.join(KEYS)}")
        if not isinstance(value, KEYS[key]):
            names = " or ".join(kind.__name__ for kind in KEYS[key])
            raise UsageError(f"key {key!r} must be of type {names}")
    if data["chc_schedule"] != 1:
        raise UsageError(f"chc_schedule = {data['chc_schedule']}; this version reads format 1")
    for key in ("steps", "model"):
        if key not in data:
            raise UsageError(f"key {key!r} is missing")
    for number, step in enumerate(data["steps"], start=1):
        if not isinstance(step, str):
            raise UsageError(f"step {number}: {step!r} is no text")
    if "loop" in data and not 0 <= data["loop"] < len(data["steps"]):
        raise UsageError(f"loop = {data['loop']} leaves no step to go round")


def _model(path: Path, data: dict[str, Any], folder: Path) -> Model:
    """Give the model of a schedule: a table, a file beside the schedule, or one by name."""
    table = data["model"]
    if isinstance(table, str):
        file = path.parent / table if table.endswith(".toml") else folder / f"{table}.toml"
        table = models.load(file).table
    rules = {"rules": data["rules"]} if "rules" in data else {}
    try:
        return models.of_table(path, {**table, **rules})
    except UsageError as error:
        raise UsageError(f"model: {error}") from None


# --------------------------------------------------------------------------- running


def carried_out(schedule: Schedule, system: System) -> tuple[list[Action], str]:
    """Carry a schedule out; give the actions so far, and what is violated behind them, if so.

    Raises:
        UsageError: a step is not possible; the text gives its number and what is.

    """
    run = Run(system, schedule.model.requirements)
    violated, actions = run.judged(), list[Action]()
    for number, step in enumerate(schedule.steps, start=1):
        if violated:
            break
        try:
            action = run.find(" ".join(step.split()), schedule.steps[number:])
        except UsageError as error:
            raise UsageError(f"{schedule.path}: step {number}: {error}") from None
        actions.append(action)
        violated = run.take(action) or run.judged()
    return actions, violated


class Run:
    """A run in progress: its state, and what each component took since it last crashed."""

    def __init__(self, system: System, requirements: Requirements) -> None:
        self.system = system
        self.requirements = requirements
        self.state = system.initial
        self.taken: dict[Channel, list[Any]] = {}

    def find(self, step: str, following: tuple[str, ...]) -> Action:
        """Give the action that a step names.

        Raises:
            UsageError: it is not possible in the present state.

        """
        possible = {step_name(action): action for action in self.system.actions(self.state)}
        if step in possible:
            return possible[step]
        again = re.fullmatch(r"again (\S+) -> (\S+) #(\d+)", step)
        if again is None:
            known = ", ".join(possible) or "nothing"
            raise UsageError(f"{step!r} is not possible here; what is: {known}")
        source, to, count = again[1], again[2], int(again[3])
        taken = self.taken.get((source, to), [])
        if not 0 < count <= len(taken):
            raise UsageError(f"{step!r}: {to} has taken {len(taken)} messages from {source}")
        crash = next((one for one in following if not one.startswith("again ")), "")
        if crash.split() != ["crash", to]:
            raise UsageError(f"{step!r} must stand before 'crash {to}': else nothing comes again")
        return Again(source, to, tuple(taken[-count:]))

    def take(self, action: Action) -> str:
        """Carry ``action`` out; say what went wrong if the core itself fails, else nothing."""
        if isinstance(action, Deliver | Double):
            content = self.state.channels[self.system.channel(action.source, action.to)]
            taken = self.taken.setdefault((action.source, action.to), [])
            taken.append(message_at(content, action.place))
        try:
            self.state = self.system.step(self.state, action)
        except Exception as error:  # whatever it is, it is what the schedule is there to show
            return f"the core fails: {type(error).__name__}: {error}"
        if isinstance(action, Happen) and isinstance(action.event, Crash):
            victim = action.event.address
            self.taken = {pair: of for pair, of in self.taken.items() if pair[1] != victim}
        return ""

    def judged(self) -> str:
        """Say what is violated in the present state, or nothing."""
        return str(judge(self.system, self.requirements, self.state) or "")


def judge(system: System, requirements: Requirements, state: State) -> Difference | None:
    """Tell what a composed state violates: the invariants, and at rest everything."""
    view = system.view(state)
    for predicate in requirements.invariants():
        wrong = predicate.holds(*(view[name] for name in predicate.reads))
        if wrong is not None:
            return wrong
    return requirements.at_rest(view) if system.is_quiet(state) else None


# --------------------------------------------------------------------------- writing


def write(
    model: Model,
    actions: Iterable[Action],
    violated: str,
    rules: Rules,
    loop: int | None = None,
) -> str:
    """Give the text of a schedule file; each step has what it means behind it."""
    actions = tuple(actions)
    steps = [f"    {toml(step_name(action))}," for action in actions]
    meanings = describe(model.system(rules), actions)
    width = max(map(len, steps), default=0)
    lines = [
        "# Run it again with `chc replay`; docs/replay.md describes the format.",
        "chc_schedule = 1",
        f"about = {toml(f'{model.name}: {model.bounds}')}",
        f"violates = {toml(violated)}",
        f"rules = {toml(rules.name)}",
        "steps = [",
        *(
            f"{step:{width}}  # {_plain(meaning)}"
            for step, meaning in zip(steps, meanings, strict=True)
        ),
        "]",
        *([] if loop is None else [f"loop = {loop}"]),
        "",
        "[model]",
        *(f"{key} = {toml(value)}" for key, value in model.table.items() if key != "rules"),
    ]
    return "\n".join(lines) + "\n"


def table_of(chain: Chain, world: World) -> dict[str, Any]:
    """Give the table that a model file would have for a chain of shipped NFs in a world.

    Raises:
        UsageError: the chain has an NF, or a setting, that model files cannot name.

    """
    table: dict[str, Any] = {"vertices": [_vertex(vertex) for vertex in chain.vertices]}
    table["edges"] = [list(edge) for edge in chain.edges]
    table |= {key: getattr(chain, key) for key in CHAIN_KEYS}
    table["packets"] = [arrivals.write(arrival) for arrival in world.arrivals]
    if world.any_order:
        table["any_order"] = True
    table["moves"] = [_wish(wish) for wish in world.wishes]
    table["fragile"], table["most_crashes"] = list(world.fragile), world.most_crashes
    table["checkpoints"] = list(world.checkpoints)
    table["draws"] = [value for _, value in world.draws]
    table["polls"] = list(world.polls)
    table["forgets"] = list(world.forgets)
    read = models.of_table(Path(), table)
    if (read.chain, read.world) != (chain, world):
        raise UsageError("a model file cannot say all of this chain and its world")
    return table


def _vertex(vertex: Vertex) -> dict[str, Any]:
    shipped, off_path = SHIPPED.get(vertex.nf.name), vertex.nf.off_path
    nf = shipped() if callable(shipped) else shipped
    if nf is None or attrs.evolve(nf, off_path=off_path) != vertex.nf:
        raise UsageError(f"vertex {vertex.name!r}: its NF is none that model files can name")
    table = {**attrs.asdict(vertex, recurse=False), "nf": vertex.nf.name}
    if off_path != nf.off_path:
        table["off_path"] = True
    logic = table.pop("logic")
    for name in (name for name, one in LOGIC.items() if one is logic):
        table["logic"] = name
    return {key: value for key, value in table.items() if value != ""}


def _wish(wish: Wish) -> dict[str, Any]:
    match wish:
        case CloneRequested(instance):
            return {"clone": instance}
        case KeepRequested(host):
            return {"keep": host}
        case ScaleRequested(_, instances, by):
            return {"scale": list(instances)} | ({} if by is None else {"by": by})
    return {"flow": str(wish.flow), "to": wish.to}


def _plain(text: str) -> str:
    """Give a text that may stand in a comment."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text).strip()
