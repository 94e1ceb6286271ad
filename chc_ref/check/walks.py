"""Other ways through the graph: depth first, and at random. In plain Python.

Depth first sees all that breadth first does, and finds what is far away sooner; a counterexample
is not the shortest. Random walks see a part of what is too large to be seen whole, and say so.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from chc_ref.check.cells import Row
from chc_ref.check.halves import ENDLESS, MASK, SHIFT, Halves, Judge, Key, Outcome, Search


class Tree(Search):
    """A search that remembers from where it first came to each state."""

    def __init__(self, halves: Halves, first: Row) -> None:
        super().__init__(halves, first)
        self.parents = [0]
        """Of each state by number; the first is its own."""
        self.depths = [0]
        """Steps of the way that a state was found by."""

    def _find(self, key: Key, parent: int) -> int:
        """Give the number of a state that was come to."""
        number = self.numbers.setdefault(key, len(self.keys))
        if number == len(self.keys):
            self.keys.append(key)
            self.parents.append(parent)
            self.depths.append(self.depths[parent] + 1)
        return number

    def path(self, number: int) -> list[int]:
        """Give the codes of the actions of the way by which a state was found."""
        codes = []
        while number:
            before = self.parents[number]
            after = self.halves.successors(self.keys[before])
            codes.append(next(code for code, key in after if key == self.keys[number]))
            number = before
        return codes[::-1]

    def _ended(self, wrong: object = None, stopped: str = "") -> Outcome:
        number = None if wrong is None else self.judged
        depth = max(self.depths)
        return Outcome(len(self.keys), self.transitions, depth, wrong, number, stopped)


class DepthFirst(Tree):
    """All states, the deepest first."""

    name = "depth first"

    def __init__(self, halves: Halves, first: Row) -> None:
        super().__init__(halves, first)
        self._stack: list[Iterator[Key]] = []
        self._ways: list[int] = []

    def run(self, judge: Judge, most: int, deepest: int = ENDLESS) -> Outcome:
        """Search; see ``Search.run``. States deeper than ``deepest`` are not gone into."""
        judged, successors = self._judged(judge), self._successors()
        wrong = self._violated(judged)
        if wrong is None and not self.transitions:
            self._enter(0, successors)
        cut = False
        while wrong is None and self._stack:
            key = next(self._stack[-1], None)
            if key is None:
                self._stack.pop()
                self._ways.pop()
                continue
            known = len(self.keys)
            number = self._find(key, self._ways[-1])
            if number < known:
                continue
            wrong = self._violated(judged)
            if len(self._stack) <= deepest:
                self._enter(number, successors)
            else:
                cut = True
            why = judge.ask(len(self.keys), 0, len(self._stack)) if known % 1024 == 0 else ""
            if wrong is None and (why or len(self.keys) > most):
                return self._ended(stopped=why or f"limit of {most} states")
        if wrong is None and cut:
            return self._ended(stopped=f"limit of {deepest} steps")
        return self._ended(wrong)

    def _enter(self, number: int, successors: Callable[[Key], list[Key]]) -> None:
        after = successors(self.keys[number])
        self.transitions += len(after)
        self._stack.append(iter(after))
        self._ways.append(number)


class Walks(Tree):
    """Random walks that prefer what was seldom seen."""

    name = "walks"

    def __init__(self, halves: Halves, first: Row, walks: int, seed: int) -> None:
        super().__init__(halves, first)
        self.walks = walks
        self.seed = seed
        self._visits: Counter[tuple[int, int]] = Counter()
        """Of halves, by side."""
        self._starts = [0]
        """States where something was seen for the first time."""

    def run(self, judge: Judge, most: int, deepest: int = ENDLESS) -> Outcome:
        """Walk; see ``Search.run``. A walk ends at rest, or after ``deepest`` steps.

        Half of the walks begin at the first state; the others where a half was seen for the first
        time. Of what may happen, that is likelier whose halves were seen seldom.
        """
        choice = random.Random(self.seed)
        judged, successors = self._judged(judge), self._successors()
        wrong = self._violated(judged)
        for walk in range(self.walks):
            number = choice.choice(self._starts) if walk % 2 else 0
            while wrong is None and self.depths[number] < deepest:
                after = successors(self.keys[number])
                if not after:
                    break
                weights = [self._novelty(key) for key in after]
                (key,) = choice.choices(after, weights)
                known = len(self.keys)
                number = self._find(key, number)
                self._visit(key, number)
                self.transitions += 1
                if number == known:
                    wrong = self._violated(judged)
            if wrong is not None:
                return self._ended(wrong)
            why = judge.ask(len(self.keys), self.walks - walk - 1, max(self.depths))
            if why or len(self.keys) > most:
                return self._ended(stopped=why or f"limit of {most} states")
        seen = f"{len(self.keys)} states, {len(self._visits)} halves"
        return self._ended(stopped=f"{self.walks} walks with seed {self.seed} saw {seen}")

    def _novelty(self, key: Key) -> float:
        left, right = self._visits[0, key >> SHIFT], self._visits[1, key & MASK]
        return 1 / (1 + left) + 1 / (1 + right)

    def _visit(self, key: Key, number: int) -> None:
        halves = ((0, key >> SHIFT), (1, key & MASK))
        if any(half not in self._visits for half in halves):
            self._starts.append(number)
        self._visits.update(halves)


class Walked(Protocol):
    """A search, for walks through its states."""

    @property
    def first(self) -> Key:
        """The first state."""

    def after(self, key: Key) -> list[Key]:
        """Give what may come after a state, in a fixed order."""

    def row_of(self, key: Key) -> Row:
        """Give the row of a state."""


def some_runs(search: Walked, most: int) -> list[Row]:
    """Give the states of some runs from the first state on, drawn at random and always the same.

    Args:
        search: of the system.
        most: how many states; there must be so many.

    """
    choice = random.Random(0)
    found: dict[Key, None] = {}
    while len(found) < most:
        after = [search.first]
        while after:
            key = choice.choice(after)
            found.setdefault(key)
            after = search.after(key)
    return [search.row_of(key) for key in itertools.islice(found, most)]
