"""Rows: searches over whole rows of cells, for reductions, in plain Python.

``halves.Search`` and the kernel are faster, and see every state. These see fewer: states that
differ by names count as one (``check.symmetry``), orders that make no difference are left out
(``check.persistent``), or states are remembered by hashes only (``check.hashed``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chc_ref.check.cells import Cells, Memo, Row
from chc_ref.check.halves import ENDLESS, QUIET, Judge, Outcome
from chc_ref.check.properties import Properties
from chc_ref.check.symmetry import Symmetry
from chc_ref.check.touches import Touches


class Rows:
    """A search that finds states, in some order; breadth first if no other is told."""

    name = "python"

    def __init__(
        self, cells: Cells, properties: Properties, symmetry: Symmetry, first: Row
    ) -> None:
        self.first = first
        self.symmetry = symmetry
        self.touches = Touches(cells, properties, symmetry)
        self.found: list[Row] = []
        """States in order of discovery, each the least of those that differ by names."""
        self.numbers: dict[Row, int] = {}
        self.parents: list[int] = []
        self.depths: list[int] = []
        """Steps of the way that a state was found by."""
        self.transitions = 0
        self.judged = 0
        """How many states were found good."""
        self._walk = self._states()
        self._new: Row | None = None

    def run(self, judge: Judge, most: int, deepest: int = ENDLESS) -> Outcome:
        """Search; see ``halves.Search.run``. No depth bounds it.

        Raises:
            AsymmetryError: states that differ by names differ by more.
            CyclicError: a run comes back to where it was; only from ``check.persistent``.

        """
        judged = _Judged(judge, self.symmetry)
        while True:
            self._new = self._new or next(self._walk, None)
            if self._new is None:
                return self._outcome()
            wrong = judged(self._new)
            if wrong is not None:
                return self._outcome(wrong)
            self._new = None
            self.judged += 1
            if len(self) > most:
                return self._outcome(stopped=f"limit of {most} states")
            if self.judged % 256 == 1 and (why := judge.ask(len(self), *self._far())):
                return self._outcome(stopped=why)

    def _states(self) -> Iterator[Row]:
        """Give new states, each once."""
        yield self._add(self.symmetry.least(self.first)[0], 0)
        for number, row in enumerate(self.found):
            for possible in self.touches.possible(row)[0]:
                self.transitions += 1
                after, _ = self.symmetry.least(possible.after)
                if after not in self.numbers:
                    yield self._add(after, number)

    def _add(self, row: Row, parent: int) -> Row:
        self.numbers[row] = len(self.found)
        self.found.append(row)
        self.parents.append(parent)
        self.depths.append(self.depths[parent] + 1 if self.depths else 0)
        return row

    def _far(self) -> tuple[int, int]:
        """Give (states to be searched from, depth), for those who wait."""
        return 0, self.depths[-1]

    def _outcome(self, wrong: Any = None, stopped: str = "") -> Outcome:
        number = None if wrong is None else self.judged
        return Outcome(len(self), self.transitions, self._depth(), wrong, number, stopped)

    def _depth(self) -> int:
        return max(self.depths)

    # ------------------------------------------------------------------ what was found

    def __len__(self) -> int:
        return len(self.found)

    def row(self, number: int) -> Row:
        """Give the row of a state, by its number in order of discovery."""
        return self.found[number]

    def rows(self) -> Iterator[Row]:
        """Give the row of every state, in order of discovery."""
        return iter(self.found)

    def cells(self) -> set[int]:
        """Give the cells that occur, under all names."""
        return self.symmetry.orbit({cell for row in self.found for cell in row})

    def successors(self, number: int) -> list[tuple[int, int]]:
        """Give (code, number of the state after it) of all that may happen in a state."""
        possible = self.touches.possible(self.row(number))[0]
        after = [(one.code, self.symmetry.least(one.after)[0]) for one in possible]
        return [(code, self.numbers[row]) for code, row in after if row in self.numbers]

    def path(self, number: int) -> list[int]:
        """Give the codes of the actions of a way to a state, or to one that differs by names."""
        way = [number]
        while way[-1]:
            way.append(self.parents[way[-1]])
        codes, at = [], self.first
        for number in way[-2::-1]:
            wanted = self.found[number]
            step = next(
                one
                for one in self.touches.possible(at)[0]
                if self.symmetry.least(one.after)[0] == wanted
            )
            codes.append(step.code)
            at = step.after
        return codes


class _Judged:
    """Asks of a row only what was not asked of others that look the same."""

    def __init__(self, judge: Judge, symmetry: Symmetry) -> None:
        self._judge = judge.judge
        self._symmetry = symmetry
        self._cells = Memo(judge.summary)
        self._good: set[Row] = set()

    def __call__(self, row: Row) -> Any:
        look = tuple(self._cells[cell] for cell in row)
        if look in self._good:
            return None
        wrong = self._judge(row)
        self._symmetry.same(row, wrong, self._judge)
        if wrong is None and not all(one & QUIET for one in look):
            self._good.add(look)
        return wrong
