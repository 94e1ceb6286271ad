"""Properties: what a search asks of states, so that it asks seldom.

A predicate is asked once for each combination of what it sees of the components that it reads.
Those that read one component only are settled with the cell. Whether nothing can happen any
more is first asked of each cell, and only then of a state; at rest all is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chc_ref.check.cells import Cell, Cells, Interner, Memo, Row
from chc_ref.check.halves import FLAGS, QUIET
from chc_ref.require.coe import Difference
from chc_ref.require.predicates import Requirements


class Properties:
    """The requirements on one system, as a search asks for them."""

    def __init__(self, cells: Cells, requirements: Requirements) -> None:
        self.cells = cells
        self.requirements = requirements
        self.predicates = requirements.invariants()
        index = cells.system.index
        self.places = [tuple(index[name] for name in one.reads) for one in self.predicates]
        self.reading = [
            [(n, len(of) > 1) for n, of in enumerate(self.places) if at in of]
            for at in range(len(cells.states))
        ]
        """By component, the predicates that read it, and whether they read others as well."""
        self.passed_over: set[str] = set()
        """Names of requirements of which a violation is known, and no other one is wanted."""
        self._seen = Interner()
        self._looked = Interner(())
        self._looks: list[dict[tuple[int, int], int]] = [{} for _ in self.predicates]
        self._answers: list[dict[Row, Difference | None]] = [{} for _ in self.predicates]
        self._summaries: dict[tuple[int, int], int] = {}
        """By component and its state."""
        self._quiet = Memo(cells.is_quiet)

    def summary(self, cell: int) -> int:
        """Sum up a cell: whether it is quiet, and an id of all that predicates see of it.

        Of one that reads this component alone, that is whether it holds.
        """
        at, state, contents = self.cells.cells.values[cell]
        found = self._summaries.get((at, state))
        if found is None:
            found = self._summaries[at, state] = self._summary(at, cell)
        quiet = not any(contents) and self._quiet[cell]
        return found << FLAGS | (QUIET if quiet else 0)

    def _summary(self, at: int, cell: int) -> int:
        seen = []
        for number, others in self.reading[at]:
            if others:
                seen.append(self._look(number, cell))
            elif self._wrong(number, (cell,)) is not None:
                seen.append(-1 - number)
        return self._looked(tuple(seen))

    def combined(self, cell: int) -> Row:
        """Give ids of what predicates on several components see of a cell."""
        of: Cell = self.cells.cells.values[cell]
        return tuple(self._look(number, cell) for number, others in self.reading[of.at] if others)

    def several(self) -> set[int]:
        """Give the positions of what predicates on several components read."""
        return {at for places in self.places if len(places) > 1 for at in places}

    def differ(self, row: Row) -> bool:
        """Tell whether a predicate on several components does not hold."""
        return any(
            self._wrong(number, tuple(row[at] for at in places)) is not None
            for number, places in enumerate(self.places)
            if len(places) > 1
        )

    def judge(self, row: Row) -> Difference | None:
        """Give what a state violates first, if anything, but for what is to be passed over."""
        return next((w for w in self._breaches(row) if w.requirement not in self.passed_over), None)

    def _breaches(self, row: Row) -> Iterator[Difference]:
        for number, places in enumerate(self.places):
            wrong = self._wrong(number, tuple(row[at] for at in places))
            if wrong is not None:
                yield wrong
        if self.is_quiet(row):
            yield from self.requirements.breaches(self.cells.view(row))

    def is_quiet(self, row: Row) -> bool:
        """Tell whether nothing can happen any more, but for crashes and timers without effect."""
        if not all(self._quiet[cell] for cell in row):
            return False
        return self.cells.system.is_quiet(self.cells.state(row))

    def _look(self, number: int, cell: int) -> int:
        """Give the id of what a predicate sees of a component."""
        of: Cell = self.cells.cells.values[cell]
        looks = self._looks[number]
        found = looks.get((of.at, of.state))
        if found is None:
            sees = self.predicates[number].sees(self._value(cell))
            found = looks[of.at, of.state] = self._seen((of.at, sees))
        return found

    def _wrong(self, number: int, cells: Row) -> Difference | None:
        """Give what is wrong with what a predicate reads."""
        key = tuple(self._look(number, cell) for cell in cells)
        answers = self._answers[number]
        if key not in answers:
            answers[key] = self.predicates[number].holds(*map(self._value, cells))
        return answers[key]

    def _value(self, cell: int) -> Any:
        return self.cells.system.seen(self.cells.value(cell))
