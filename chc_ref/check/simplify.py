"""Simplification: the same violation in a model with less in it.

The explorer gives a shortest run. Then one thing is taken out of what may happen (a crash, a
move, a packet, ...), and, if the same requirement is still violated within the same number of
steps, it stays out. It ends when nothing more can go, or when a limit is hit. Both are said.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from chc_ref.check import model as models
from chc_ref.check.counterexample import Counterexample, confirm, of_report, requirement_of
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.model import Model
from chc_ref.check.schedule import Schedule, carried_out
from chc_ref.errors import UsageError

Table = dict[str, Any]

FEWER: tuple[tuple[str, str], ...] = (
    ("most_crashes", "crash"),
    ("fragile", "component that may crash"),
    ("moves", "wish of the operator"),
    ("packets", "packet"),
    ("checkpoints", "checkpoint"),
    ("draws", "draw"),
    ("polls", "poll"),
    ("forgets", "forgetting"),
    ("doublings", "doubling"),
    ("losses", "loss"),
)
"""Keys of a model that say what may happen, in the order in which less is tried, and one of it."""


@attrs.frozen
class Bounds:
    """How much may be searched, all attempts together."""

    states: int = 1_000_000
    seconds: float = 10.0
    """Kept far from, so that the outcome depends on the states alone; it is said if it is hit."""


class _TooDeepError(Exception):
    """A search has gone through all runs that are short enough."""


class _SpentError(Exception):
    """A limit of the simplification is hit."""


def simplify(
    found: Counterexample, bounds: Bounds | None = None, method: Method | None = None
) -> Counterexample:
    """Give a counterexample to the same requirement in the smallest model that is found.

    Args:
        found: what is to be simplified; a run for ever or without violation stays as it is.
        bounds: of the search.
        method: of the explorer.

    """
    if found.loop is not None or not found.violated:
        return found
    run = _Simplifying(found, bounds or Bounds(), method)
    try:
        while run.take_one_out():
            pass
        stopped = ""
    except _SpentError as spent:
        stopped = f"; stopped at {spent}: it may get simpler still"
    without = ", ".join(run.gone) or "nothing"
    tried = f"tried to leave out {run.tried} thing{'s' * (run.tried != 1)}"
    steps = f"{len(found.actions)} -> {len(run.best.actions)} steps"
    text = f"simplified: {tried}, {steps}; without: {without}{stopped}"
    return attrs.evolve(run.best, simplified=text)


class _Simplifying:
    """A simplification in progress."""

    def __init__(self, found: Counterexample, bounds: Bounds, method: Method | None) -> None:
        self.best = found
        self.bounds = bounds
        self.method = method
        self.gone: list[str] = []
        self.tried = self.states = 0
        self.deadline = time.monotonic() + bounds.seconds
        self._vain: set[str] = set()
        """Tables that were tried already."""

    def take_one_out(self) -> bool:
        """Go on with the first smaller model that has the same violation; False if none has."""
        for what, table in candidates(self.best.model.table):
            if repr(table) in self._vain:
                continue
            self._vain.add(repr(table))
            try:
                model = smaller(self.best.model, self.best.path, table)
            except UsageError:  # what is left makes no sense without it: a keep without its clone
                continue
            self.tried += 1
            found = self._same_run(model) or self._other_run(model)
            if found is not None:
                self.best = found
                self.gone.append(what)
                return True
        return False

    def _same_run(self, model: Model) -> Counterexample | None:
        """Try the very steps of the run: they do if what was taken out is nothing they need."""
        best = self.best
        steps = tuple(step.name for step in best.steps())
        try:
            actions, violated = carried_out(Schedule(best.path, model, steps), model.system())
        except UsageError:
            return None
        if requirement_of(violated) != best.requirement:
            return None
        return confirm(model, best.path, actions, violated)

    def _other_run(self, model: Model) -> Counterexample | None:
        """Search for another run to the same requirement that is no longer."""
        most, deepest = self.bounds.states - self.states, len(self.best.actions)
        seconds = self.deadline - time.monotonic()
        if most <= 0:
            raise _SpentError(f"{self.bounds.states} states")
        if seconds <= 0:
            raise _SpentError(f"{self.bounds.seconds:g} s")
        explorer = Explorer(model, limits=Limits(most, seconds), method=self.method)
        states = 0

        def progress(count: int, frontier: int, depth: int) -> None:
            nonlocal states
            states = count
            if depth >= deepest:
                raise _TooDeepError

        try:
            report = explorer.run(progress)
        except _TooDeepError:
            self.states += states
            return None
        self.states += report.states or 0
        if report.violated.startswith("time limit of"):
            raise _SpentError(f"{self.bounds.seconds:g} s")
        if report.violated.startswith("limit of"):
            raise _SpentError(f"{self.bounds.states} states")
        found = of_report(model, self.best.path, report)
        if found is None or found.requirement != self.best.requirement:
            return None
        return found if len(found.actions) <= deepest else None


def candidates(table: Table) -> Iterator[tuple[str, Table]]:
    """Give what may go, and the table without it, in a fixed order."""
    for key, one in FEWER:
        value = table.get(key)
        if isinstance(value, list):
            for at in range(len(value)):
                entry = f" {_named(value[at])}"
                rest = {**table, key: [*value[:at], *value[at + 1 :]]}
                yield one + entry, _without_keeps(rest, value[at])
        elif value:
            yield one, {**table, key: value - 1}


def _without_keeps(table: Table, gone: Any) -> Table:
    """Take with a wish for a clone those that say which host of it to keep."""
    if not (isinstance(gone, dict) and "clone" in gone):
        return table
    hosts = {gone["clone"], f"{gone['clone']}'"}
    left = [wish for wish in table["moves"] if wish.get("keep") not in hosts]
    return {**table, "moves": left}


def _named(entry: Any) -> str:
    if isinstance(entry, dict):
        return " ".join(f"{key} {_named(value)}" for key, value in entry.items())
    if isinstance(entry, list):
        return " ".join(map(_named, entry))
    return str(entry)


def smaller(model: Model, path: Path, table: Table) -> Model:
    """Give the model with the chain and the rules of ``model`` in the world of ``table``.

    Raises:
        UsageError: the table makes no sense.

    """
    plain = {key: value for key, value in table.items() if key != "rules"}
    read = models.of_table(path, plain)
    return attrs.evolve(
        model, world=read.world, network=read.network, witnesses=(), table=read.table
    )
