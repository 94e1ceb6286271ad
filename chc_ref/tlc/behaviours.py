"""Behaviours: runs of the core held against the specification, and runs of TLC against the core.

Beyond the bounds that two graphs can be compared in, single runs are compared. A run of the core,
under a mapping, is a log of names and TLA+ states; TLC is given a module that extends the
specification by the log and takes a step only if the specification allows it *and* the log says
it. There is one behaviour to follow, so that takes seconds, however large the model. A run that
TLC draws at random is followed by the core, which must have a step to each of its states.

Either is accepted as a whole or not at all; the first step that does not match is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping as Names, Sequence
from pathlib import Path
from typing import Any

import attrs

from chc_ref.errors import ToolError, UsageError
from chc_ref.tlc import config, differ, dump, run
from chc_ref.tlc.mapping import Mapping, Steps
from chc_ref.tlc.output import read_state
from chc_ref.tlc.run import Settings, Simulation
from chc_ref.tlc.trace import Step, Trace
from chc_ref.tlc.values import ModelValue, function, show
from chc_ref.verdict import Verdict

LOG = "ChcLog"
"""The module that extends the specification, and the beginning of all names in it."""


@attrs.frozen
class Mismatch:
    """The first step of a run that the other side does not take."""

    number: int
    """Of the step in the run; 0 if it is the initial state that does not match."""
    action: str
    state: Any
    """The TLA+ state before it; of the initial state, that state."""
    after: Any
    """The TLA+ state that the run has behind it."""
    offers: tuple[Step, ...] | None = None
    """What the core can do there instead, where it is the core that follows."""

    def lines(self) -> Iterator[str]:
        """Tell it."""
        if not self.number:
            yield "the initial state is none of the other side:"
            yield from (f"        {name} = {show(one)}" for name, one in sorted(self.state.items()))
            return
        yield f"step {self.number}, {self.action or '?'}, is not one of the other side:"
        yield from self._changes(self.after)
        for offer in self.offers or ():
            yield f"    it has {offer.action}:"
            yield from self._changes(offer.state)

    def _changes(self, after: Any) -> Iterator[str]:
        changes = tuple(differ.lines(differ.between(self.state, after)))
        yield from (f"        {line}" for line in changes or ("nothing changes",))


def _mismatch(trace: Trace, number: int, offers: tuple[Step, ...] | None = None) -> Mismatch:
    before, step = trace.steps[max(0, number - 1)], trace.steps[number]
    return Mismatch(number, step.action, before.state, step.state, offers)


# --------------------------------------------------------------------------- core to TLC


def logged(system: Steps, actions: Iterable[Any], mapping: Mapping) -> Trace:
    """Give a run of the core as the specification would have it.

    Args:
        system: the core.
        actions: the run.
        mapping: what states and steps are in the specification. Steps that it does not know are
            left out.

    Raises:
        UsageError: the mapping has no answer, or names no action for a step that changes something.

    """
    state = system.initial
    steps = [Step("", mapping.image(state))]
    for number, action in enumerate(actions, start=1):
        name = mapping.name(state, action)
        state = system.step(state, action)
        image = mapping.image(state)
        if name is not None:
            steps.append(Step(name, image))
        elif image != steps[-1].state:
            raise UsageError(f"step {number} changes something, and the mapping names no action")
    return Trace(tuple(steps))


def validate(
    module: Path,
    cfg: Path,
    runs: Sequence[Trace],
    actions: Names[str, str],
    specs: Path | None = None,
    settings: Settings | None = None,
) -> tuple[Mismatch | None, ...]:
    """Have TLC say which runs are behaviours of a specification.

    Args:
        module: the root module, which gives the constants their values. Its initial predicate and
            next-state relation are those that the configuration names, or ``Init`` and ``Next``.
        cfg: the configuration; of it, only the constants are used.
        runs: of the core, as ``logged`` gives them.
        actions: by name, what the action is in the module, with its parameters bound by a
            quantifier. A step must be one of its action, and of the next-state relation.
        specs: a further folder of modules.
        settings: how to run TLC.

    Returns:
        For each run, None if all of it is a behaviour, else the first step that is not.

    Raises:
        ToolError: Java or TLC is missing, or failed, or did not come to an end.
        UsageError: an error in a module or the configuration, or a name that is not in ``actions``.

    """
    settings = settings or Settings(short=True)
    if missing := {s.action for of in runs for s in of.steps[1:]} - actions.keys():
        raise UsageError(f"no definition is given for action {min(missing)!r}")
    if not runs:
        return ()
    with run.job(module, cfg, specs) as of:
        text = cfg.read_text(encoding="utf-8")
        written = _module(module.stem, text, runs, actions)
        (of.folder / f"{LOG}.tla").write_text(written, encoding="utf-8")
        (of.folder / f"{LOG}.cfg").write_text(_configuration(text, runs), encoding="utf-8")
        job = run.Job(of.folder, f"{LOG}.tla", f"{LOG}.cfg")
        ran = run.execute(job, settings, "-dump", "dot,actionlabels", run.DUMP)
        found = run.report(ran, module, of.folder / job.cfg, settings)
        if found.verdict is not Verdict.HOLDS:
            raise ToolError(f"{found.model}: {found.violated}: no run was followed to its end")
        matched = _matched(of.folder / run.DUMP) if found.states else {}
    return tuple(
        None if matched.get(number, 0) == len(of.steps) else _mismatch(of, matched.get(number, 0))
        for number, of in enumerate(runs, start=1)
    )


def _matched(path: Path) -> dict[int, int]:
    """Give the number of states of each run that TLC has come to."""
    with path.open(encoding="utf-8") as lines:
        graph = dump.read(lines)
    reached: dict[int, int] = {}
    for number in graph:
        state = dump.state(graph, number)
        at = state[f"{LOG}Run"]
        reached[at] = max(reached.get(at, 0), state[f"{LOG}At"])
    return reached


def _module(root: str, cfg: str, runs: Sequence[Trace], actions: Names[str, str]) -> str:
    """Write the module that follows the log.

    The specification comes first and the log behind it, so that in an equation the value that the
    specification has computed is on the left. From the right TLC 2.15 forgets what EXCEPT has
    changed in a function on 1 .. n that it has not written out yet (tlaplus, issue 1145).
    """
    names = sorted(runs[0].steps[0].state)
    values = _constants(runs)
    used = sorted({step.action for of in runs for step in of.steps[1:]})
    init, step = config.named(cfg, "INIT", "Init"), config.named(cfg, "NEXT", "Next")
    logs = ",\n".join(_listed(of, values) for of in runs)
    lengths = ", ".join(str(len(of.steps)) for of in runs)
    last, now = f"{LOG}Lengths[{LOG}Run]", f"{LOG}s[{LOG}Run]"
    lines = [
        f"---- MODULE {LOG} ----",
        f"EXTENDS {root}, Naturals, TLC",
        *([f"CONSTANTS {', '.join(values.values())}"] if values else []),
        f"VARIABLES {LOG}Run, {LOG}At",
        f"{LOG}s == <<\n  {logs} >>",
        f"{LOG}Lengths == <<{lengths}>>",
        *(f"{LOG}Is{n} == {actions[name]}" for n, name in enumerate(used)),
        f"{LOG}Init ==",
        f"  /\\ {LOG}Run \\in 1 .. {len(runs)} /\\ {LOG}At = 1",
        f"  /\\ {init}",
        *(f"  /\\ {name} = {now}[1].v{n}" for n, name in enumerate(names)),
        f"{LOG}Next ==",
        f"  /\\ {LOG}At < {last} /\\ {LOG}At' = {LOG}At + 1 /\\ UNCHANGED {LOG}Run",
        f"  /\\ LET {LOG}To == {now}[{LOG}At + 1]",
        f"     IN /\\ {step}",
        *(f"        /\\ {name}' = {LOG}To.v{n}" for n, name in enumerate(names)),
        *(f"        /\\ {LOG}To.a = {show(one)} => {LOG}Is{n}" for n, one in enumerate(used)),
        "====",
    ]
    return "\n".join(lines) + "\n"


def _configuration(cfg: str, runs: Sequence[Trace]) -> str:
    """Write the configuration of that module."""
    ours = (f"CONSTANT {constant} = {name}" for name, constant in _constants(runs).items())
    constants = config.only(cfg, "CONSTANT", "CONSTANTS")
    return "\n".join([constants, *ours, f"INIT {LOG}Init", f"NEXT {LOG}Next", ""])


def _listed(of: Trace, constants: dict[str, str]) -> str:
    """Write a run as a sequence."""
    records = ",\n".join(_record(step, constants) for step in of.steps)
    return f"<<{records}>>"


def _record(step: Step, constants: dict[str, str]) -> str:
    """Write a step as a record. Its fields are numbered: a variable may have any name."""
    state = (_with(one, constants) for _, one in sorted(step.state.items()))
    values = [f"v{n} |-> {show(one)}" for n, one in enumerate(state)]
    # On lines of their own: TLC's parser takes quadratic time in the length of a line.
    return ",\n".join([f"[a |-> {show(step.action)}", *values]) + "]"


def _constants(runs: Sequence[Trace]) -> dict[str, str]:
    """Give each model value a constant of a name of ours: a module may bind its own name."""
    values = sorted(_model_values(runs))
    return {name: f"{LOG}Value{number}" for number, name in enumerate(values)}


def _with(value: Any, constants: dict[str, str]) -> Any:
    """Put constants in the place of model values."""
    if isinstance(value, ModelValue):
        return ModelValue(constants[str(value)])
    if isinstance(value, dict):
        return function({_with(k, constants): _with(v, constants) for k, v in value.items()})
    if isinstance(value, tuple | frozenset):
        return type(value)(_with(one, constants) for one in value)
    return value


def _model_values(runs: Sequence[Trace]) -> set[str]:
    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, ModelValue):
            yield str(value)
        elif isinstance(value, dict):
            yield from (name for pair in value.items() for one in pair for name in walk(one))
        elif isinstance(value, tuple | frozenset):
            yield from (name for one in value for name in walk(one))

    return {name for of in runs for step in of.steps for name in walk(step.state)}


# --------------------------------------------------------------------------- TLC to core

_STATE = re.compile(r"^STATE_\d+ ==(.*?)(?=^(?:\\\*|STATE_\d+ ==|====)|\Z)", re.S | re.M)


def simulate(
    module: Path,
    cfg: Path,
    simulation: Simulation,
    specs: Path | None = None,
    settings: Settings | None = None,
    variables: Iterable[str] = (),
) -> tuple[Trace, ...]:
    """Have TLC draw runs at random.

    Args:
        module: the root module.
        cfg: the configuration.
        simulation: how many runs, and how long.
        specs: a further folder of modules.
        settings: how to run TLC.
        variables: those whose values TLC has to work out as it comes to a state. It may be unable
            to, later, and write an expression instead, which is no value.

    Returns:
        The runs; TLC 2.15 does not tell the names of their actions.

    Raises:
        ToolError: Java or TLC is missing, or failed, or found a violation.
        UsageError: an error in a module or the configuration; the text names file and line.

    """
    settings = attrs.evolve(settings or Settings(short=True), simulation=simulation)
    text = cfg.read_text(encoding="utf-8")
    values = f"<<{', '.join(variables)}>>"
    lines = (
        f"---- MODULE {LOG} ----",
        f"EXTENDS {module.stem}",
        f"{LOG}Worked == {values} = {values}",
        "====",
    )
    with run.job(module, cfg, specs) as of:
        (of.folder / f"{LOG}.tla").write_text("\n".join(lines), encoding="utf-8")
        (of.folder / f"{LOG}.cfg").write_text(f"{text}\nINVARIANT {LOG}Worked\n", encoding="utf-8")
        ran = run.execute(run.Job(of.folder, f"{LOG}.tla", f"{LOG}.cfg"), settings)
        found = run.report(ran, module, cfg, settings)
        if found.verdict is Verdict.VIOLATED or ran.stopped:
            raise ToolError(f"{found.model}: {found.violated}")
        paths = sorted(of.folder.glob(f"{run.RUNS}_*"))
        runs = tuple(read_run(path.read_text(encoding="utf-8")) for path in paths)
    if len(runs) != simulation.runs:
        raise ToolError(f"TLC was to draw {simulation.runs} runs, and wrote {len(runs)}")
    return runs


def read_run(text: str) -> Trace:
    """Read a file that TLC wrote of one random run.

    Raises:
        ToolError: it has no state.

    """
    try:
        states = [read_state(body) for body in _STATE.findall(text)]
    except UsageError as error:
        raise ToolError(f"a random run of TLC: {error}") from None
    if not states:
        raise ToolError("a random run of TLC has no state")
    return Trace(tuple(Step("", state) for state in states))


def follow(
    system: Steps, trace: Trace, mapping: Mapping
) -> tuple[tuple[Any, ...], Mismatch | None]:
    """Let the core follow a run of the specification.

    Steps of the specification that change nothing need no step of the core; where the run gives
    the names of its actions, those of the core's steps must be the same.

    Returns:
        The actions of the core, as far as it could follow, and the first step that it could not.

    Raises:
        UsageError: the mapping has no answer.

    """
    state = system.initial
    if mapping.image(state) != trace.steps[0].state:
        return (), _mismatch(trace, 0)
    taken: list[Any] = []
    for number, step in enumerate(trace.steps[1:], start=1):
        if step.state == trace.steps[number - 1].state and not step.action:
            continue
        offers = _offers(system, state, mapping)
        fitting = [
            (action, after)
            for action, name, after, image in offers
            if image == step.state and step.action in ("", name)
        ]
        if not fitting:
            told = tuple(
                Step(name or "a step without a name", image) for _, name, _, image in offers
            )
            return tuple(taken), _mismatch(trace, number, told)
        action, state = fitting[0]
        taken.append(action)
    return tuple(taken), None


def _offers(system: Steps, state: Any, mapping: Mapping) -> list[tuple[Any, str | None, Any, Any]]:
    """Give (action, its name, the state after it, the image of that) of all that is possible."""
    found = []
    for action in system.actions(state):
        after = system.step(state, action)
        found.append((action, mapping.name(state, action), after, mapping.image(after)))
    return found
