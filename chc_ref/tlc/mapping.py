"""Mapping: what a state and a step of the core are called in a TLA+ specification.

The graph of the explorer and the mapping are all that a comparison knows of the core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping as Names, Sequence
from typing import Any, Protocol

import attrs

from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.halves import Judge
from chc_ref.check.model import Model
from chc_ref.check.words import say
from chc_ref.core.rules import Rules
from chc_ref.errors import ChcError, UsageError
from chc_ref.itf import Record
from chc_ref.system.composition import Action, State, System
from chc_ref.tlc.trace import State as Image
from chc_ref.tlc.values import freeze


@attrs.frozen
class Mapping:
    """What states and steps of the core are in the specification. Both are plain functions."""

    state: Callable[[State], Names[str, Any]]
    """Value of every variable, by name: integers, strings, Booleans, and tuples, lists, sets and
    dictionaries of these. It must not depend on anything but the state."""
    action: Callable[[State, Action], str | None]
    """Name of the action, given the state before it. None for a step that the specification does
    not know; such a step must leave the image of the state as it is."""

    def image(self, state: State) -> Image:
        """Give what a state of the core is in the specification.

        Raises:
            UsageError: the mapping has no answer.

        """
        try:
            return Record({name: freeze(one) for name, one in self.state(state).items()})
        except ChcError:
            raise
        except Exception as error:  # it is somebody's own function
            raise UsageError(f"the mapping fails: {type(error).__name__}: {error}") from error

    def name(self, state: State, action: Action) -> str | None:
        """Give what a step of the core is called in the specification.

        Raises:
            UsageError: the mapping has no answer.

        """
        try:
            return self.action(state, action)
        except ChcError:
            raise
        except Exception as error:
            raise UsageError(f"the mapping fails: {type(error).__name__}: {error}") from error


class Steps(Protocol):
    """What single runs are made of; ``System`` is one."""

    @property
    def initial(self) -> Any:
        """Give the state that runs begin in."""

    def actions(self, state: Any) -> Iterable[Any]:
        """Give all that may happen in a state."""

    def step(self, state: Any, action: Any) -> Any:
        """Give the state after an action."""


class Graph(Protocol):
    """All states of the core by number, nearest first, and what may happen in each."""

    @property
    def initial(self) -> Sequence[int]:
        """Give the states that runs begin in."""

    def __len__(self) -> int: ...

    def state(self, number: int) -> Any:
        """Give a state."""

    def steps(self, number: int) -> list[tuple[Any, int]]:
        """Give (action, number of the state after it) of all that may happen in a state."""

    def say(self, number: int, action: Any) -> str:
        """Put one of these actions into words."""


class Explored:
    """The graph that the explorer finds: every state of a model, whatever is violated in it."""

    initial = (0,)

    def __init__(
        self,
        model: Model,
        rules: Rules | None = None,
        limits: Limits | None = None,
        method: Method | None = None,
    ) -> None:
        limits = limits or Limits(states=1_000_000)
        explorer = Explorer(model, rules, limits, method)
        self.system: System = explorer.system
        self.cells, self.search = explorer.cells, explorer.search
        judge = Judge(lambda cell: 0, lambda row: None, lambda *_: "")
        found = self.search.run(judge, limits.states)
        if found.stopped:
            raise UsageError(f"{model.name}: {found.stopped}: there is no whole graph to compare")

    def __len__(self) -> int:
        return len(self.search)

    def state(self, number: int) -> State:
        """Give a state."""
        return self.cells.state(self.search.row(number))

    def steps(self, number: int) -> list[tuple[Action, int]]:
        """Give (action, number of the state after it) of all that may happen in a state."""
        actions = self.cells.actions.values
        return [(actions[code], after) for code, after in self.search.successors(number)]

    def say(self, number: int, action: Action) -> str:
        """Put one of these actions into words."""
        return say(self.system, self.state(number), action)
