"""Counterexamples: one run and what it violates, as a value that has been run again.

What an engine has found is a claim. ``confirm`` runs it through ``System.step``, which the search
never calls, and gives a counterexample only if it ends, and not before, in the violation that was
claimed. Everything that is shown or exported is made from the states of that second run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from chc_ref.check import differences, live, schedule
from chc_ref.check.differences import Change
from chc_ref.check.model import Model
from chc_ref.check.schedule import Schedule
from chc_ref.check.words import describe, say, step_name
from chc_ref.core.rules import Rules
from chc_ref.errors import CheckerError, UsageError
from chc_ref.require.predicates import REQUIREMENTS
from chc_ref.system.composition import Action, Again, State, System
from chc_ref.variants import library
from chc_ref.verdict import Report, Verdict

FAILS = "the core fails"
"""What a violation begins with that is an exception of the core and no requirement's."""

MOST_CHANGES = 8
"""Changes of one component that are listed at a step; of more, their number is told."""


@attrs.frozen
class Step:
    """One step of a counterexample."""

    number: int
    action: Action
    words: str
    """The protocol step."""
    name: str
    """As a schedule names it."""
    changes: tuple[Change, ...]


@attrs.frozen
class Counterexample:
    """A run, the states that it goes through, and what its end violates."""

    model: Model
    """With the rules of the run."""
    path: Path
    """Where the model's relative names are looked up: its file, or that of a schedule."""
    actions: tuple[Action, ...]
    states: tuple[State, ...]
    """One more than actions; as many if the last action is one that the core fails in."""
    violated: str
    """Empty for a run that violates nothing."""
    loop: int | None = None
    """For a run that goes on for ever: the index of the state that its last one is again."""
    simplified: str = ""
    """How it was simplified."""
    system: System = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Make the transition system that the run is one of."""
        object.__setattr__(self, "system", self.model.system())

    @property
    def rules(self) -> Rules:
        """The rules of the run."""
        return self.model.rules

    @property
    def requirement(self) -> str:
        """Name of the violated requirement."""
        return requirement_of(self.violated)

    @property
    def meaning(self) -> str:
        """What the violated requirement says."""
        return REQUIREMENTS.get(self.requirement, "")

    @property
    def clauses(self) -> tuple[str, ...]:
        """The violated requirement, which is a clause, and the clauses that the rules change."""
        try:
            changed = library.find(self.rules.name, self.path.parent).clauses
        except UsageError:  # rules that somebody made without registering them
            changed = ()
        named = (self.requirement,) if self.requirement in REQUIREMENTS else ()
        return tuple(dict.fromkeys((*named, *changed)))

    def steps(self) -> Iterator[Step]:
        """Give the steps with what each changes."""
        for number, action in enumerate(self.actions, start=1):
            before = self.states[number - 1]
            after = self.states[number] if number < len(self.states) else before
            changes = differences.between(self.system, before, after)
            words = say(self.system, before, action)
            yield Step(number, action, words, step_name(action), changes)

    @property
    def headline(self) -> str:
        """Model, rules and violation in one line."""
        return f"{self.model.name}, {self.rules.name}: {self.violated or 'violates nothing'}"

    def schedule(self) -> str:
        """Give the run as the text of a file for ``chc replay``."""
        return schedule.write(self.model, self.actions, self.violated, self.rules, self.loop)


def requirement_of(violated: str) -> str:
    """Give the name of the requirement in the text of a violation."""
    return violated.partition(":")[0]


# --------------------------------------------------------------------------- making


def confirm(
    model: Model, path: Path, actions: Iterable[Action], violated: str, loop: int | None = None
) -> Counterexample:
    """Run what was found through ``System.step``, and give it as a counterexample.

    Args:
        model: with the rules of the run.
        path: where the model's relative names are looked up.
        actions: the run.
        violated: what its end is said to violate; empty for nothing.
        loop: index of the state that the last one is again, if it goes on for ever: what it
            violates is so all the way round, and the run is fair.

    Raises:
        CheckerError: an action is not possible, or the run does not end in that violation, or
            is over before, or does not come back to where it is said to.

    """
    actions = tuple(actions)
    run = schedule.Run(model.system(), model.requirements)
    states, found = [run.state], run.judged()
    for number, action in enumerate(actions, start=1):
        if found:
            raise _contradiction(model, f"violates {found!r} before step {number}")
        if not isinstance(action, Again) and action not in run.system.actions(run.state):
            raise _contradiction(model, f"step {number}, {step_name(action)!r}, is not possible")
        found = run.take(action)
        if not found:
            states.append(run.state)
            found = run.judged()
    if loop is not None and not found:
        if not (0 <= loop < len(states) - 1 and states[loop] == states[-1]):
            raise _contradiction(model, f"does not come back to state {loop}")
        lasting = live.lasting(run.system, run.requirements, tuple(states), actions, loop)
        found = violated if violated in lasting else "; ".join(lasting)
    if found != violated:
        claimed, really = violated or "nothing", found or "nothing"
        raise _contradiction(model, f"violates {really!r}, and not {claimed!r}")
    return Counterexample(model, path, actions, tuple(states), violated, loop)


def _contradiction(model: Model, what: str) -> CheckerError:
    return CheckerError(
        f"{model.name}, {model.rules.name}: what was found is not so when it is run again: the run "
        f"{what}. This is an error of the checker; please report it with the model"
    )


def of_report(model: Model, path: Path, report: Report) -> Counterexample | None:
    """Give the counterexample of a report by the explorer; None if it has none.

    Raises:
        CheckerError: it is none when it is run again.

    """
    if not report.schedule:
        return None
    steps = tuple(tomllib.loads(report.schedule)["steps"])
    system = model.system()
    try:
        found = schedule.carried_out(Schedule(path, model, steps), system)
    except UsageError as error:
        raise _contradiction(model, f"does not fit: {error}") from error
    return confirm(model, path, found[0], report.violated, report.loop)


def of_schedule(saved: Schedule, rules: Rules | None = None) -> Counterexample:
    """Give the run of a schedule, as far as its first violation.

    Args:
        saved: the schedule.
        rules: other rules than its own.

    Raises:
        UsageError: a step is not possible; the text gives its number and what is.

    """
    model = attrs.evolve(saved.model, rules=rules or saved.model.rules)
    actions, violated = schedule.carried_out(saved, model.system())
    loop = None if violated else saved.loop
    if loop is not None:
        violated = _for_ever(model, actions, loop, saved.violates)
    return confirm(model, saved.path, actions, violated, loop if violated else None)


def _for_ever(model: Model, actions: list[Action], loop: int, wanted: str) -> str:
    """Say what a run violates that is to go round for ever, ``wanted`` if that is among it."""
    system, requirements = model.system(), model.requirements
    states = [system.initial]
    for action in actions:
        states.append(system.step(states[-1], action))
    lasting = live.lasting(system, requirements, tuple(states), tuple(actions), loop)
    return wanted if wanted in lasting else "".join(lasting[:1])


def as_report(found: Counterexample) -> Report:
    """Give a run that was carried out again as a report: HOLDS says something of this run only."""
    return Report(
        "replay",
        found.model.name,
        Verdict.VIOLATED if found.violated else Verdict.HOLDS,
        found.rules.name,
        depth=len(found.actions),
        bounds=found.model.bounds,
        violated=found.violated,
        trace=describe(found.system, found.actions),
        loop=found.loop,
    )


# --------------------------------------------------------------------------- in words


def lines(found: Counterexample, changes: bool = True) -> Iterator[str]:
    """Give a counterexample as text: steps, what each changes, and what is violated."""
    for step in found.steps():
        if found.loop is not None and step.number == found.loop + 1:
            yield f"    from here on it goes round, back from step {len(found.actions)}:"
        yield f"{step.number:3} {step.words}"
        if changes:
            yield from (f"        {line}" for line in by_component(step.changes))
    yield from verdict(found)


def by_component(changes: Iterable[Change]) -> Iterator[str]:
    """Give changes as text, one line a component."""
    of: dict[str, list[str]] = {}
    for change in changes:
        of.setdefault(change.component, []).append(str(change))
    for component, texts in of.items():
        more = [f"and {len(texts) - MOST_CHANGES} more"] * (len(texts) > MOST_CHANGES)
        yield f"{component}: {'; '.join([*texts[:MOST_CHANGES], *more])}"


def verdict(found: Counterexample) -> Iterator[str]:
    """Give what is violated, what that means, and the clauses."""
    yield f"violated: {found.violated or 'nothing'}"
    if found.meaning:
        yield f"  {found.requirement}: {found.meaning}"
    if found.clauses:
        yield f"  clauses: {', '.join(found.clauses)}"
    if found.simplified:
        yield f"  {found.simplified}"


def as_data(found: Counterexample) -> dict[str, Any]:
    """Give a counterexample as plain data."""
    return {
        "model": found.model.name,
        "rules": found.rules.name,
        "violated": found.violated,
        "requirement": found.requirement,
        "meaning": found.meaning,
        "clauses": list(found.clauses),
        "simplified": found.simplified,
        "loop": found.loop,
        "steps": [
            {
                "number": step.number,
                "words": step.words,
                "name": step.name,
                "changes": [attrs.asdict(change) for change in step.changes],
            }
            for step in found.steps()
        ],
    }
