"""Trace: a run of a specification as values, told in the form of the explorer's counterexamples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from chc_ref import itf
from chc_ref.check.differences import Change
from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.tlc import differ
from chc_ref.tlc.values import freeze, show

ACTIONS = "actions"
"""Key of the description of an ITF file that has the names of the actions."""

State = Record
"""Values of the variables, by name."""


@attrs.frozen
class Step:
    """One state, and the action that led to it."""

    action: str
    """Empty for the initial state, and where TLC does not tell."""
    state: State


@attrs.frozen
class Trace:
    """A run."""

    steps: tuple[Step, ...]
    """The first one is the initial state."""
    loop: int | None = None
    """Of a run that goes on for ever: the index of the state that comes behind the last one. It is
    the last one itself if nothing happens any more."""
    back: str = ""
    """The action that leads back there; empty if nothing happens any more."""

    @property
    def states(self) -> tuple[State, ...]:
        """The states of the run."""
        return tuple(step.state for step in self.steps)

    def changes(self) -> Iterator[tuple[int, str, tuple[Change, ...]]]:
        """Give (number, action, what it changes) of every step, the way back among them."""
        for number in range(1, len(self.steps)):
            before, step = self.steps[number - 1].state, self.steps[number]
            yield number, step.action or "?", differ.between(before, step.state)
        if self.loop is not None and self.back:
            last, first = self.steps[-1].state, self.steps[self.loop].state
            yield len(self.steps), self.back, differ.between(last, first)

    @property
    def brief(self) -> tuple[str, ...]:
        """The run in one line a step; the first line is the initial state."""
        begin = "; ".join(f"{name} = {show(one)}" for name, one in self._first())
        steps = (
            f"{number:3} {action}: {'; '.join(map(str, changes)) or 'nothing changes'}"
            for number, action, changes in self.changes()
        )
        rest = ("    nothing happens any more",) if self.loop is not None and not self.back else ()
        return (f"  0 begins in {begin}", *steps, *rest)

    def lines(self) -> Iterator[str]:
        """Tell the run: the initial state, and each step with what it changes."""
        yield "  0 begins in"
        yield from (f"        {name} = {show(one)}" for name, one in self._first())
        for number, action, changes in self.changes():
            if self.loop is not None and number == self.loop + 1:
                yield "    and for ever:"
            yield f"{number:3} {action}"
            yield from (f"        {line}" for line in differ.lines(changes))
        if self.loop is not None and not self.back:
            yield "    nothing happens any more"

    def _first(self) -> list[tuple[str, Any]]:
        return sorted(self.steps[0].state.items()) if self.steps else []

    def to_itf(self, about: str = "") -> str:
        """Give the run as the text of an ITF file, with the names of its actions beside it."""
        actions = [step.action for step in self.steps]
        return itf.write(self.states, self.loop, {"source": about, ACTIONS: actions})

    def as_data(self) -> dict[str, Any]:
        """Give the run as plain data; values are texts of TLA+."""
        return {
            "loop": self.loop,
            "back": self.back,
            "steps": [
                {
                    "action": step.action,
                    "state": {name: show(one) for name, one in sorted(step.state.items())},
                }
                for step in self.steps
            ],
        }


def of_itf(text: str) -> Trace:
    """Read a run from an ITF file; the actions have names if the file gives them as ours do.

    Raises:
        UsageError: it is malformed; the text names the place.

    """
    read = itf.read(text)
    names = read.meta.get(ACTIONS, [""] * len(read.states))
    if not isinstance(names, list) or len(names) != len(read.states):
        raise UsageError(f"ITF: #meta: {ACTIONS} is no list of one name for each state")
    states = (Record({name: freeze(one) for name, one in of.items()}) for of in read.states)
    steps = tuple(Step(str(name), state) for name, state in zip(names, states, strict=True))
    return Trace(steps, read.loop)
