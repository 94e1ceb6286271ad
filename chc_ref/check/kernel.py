"""Kernel: the compiled search, where the package was built with a C compiler.

It does what ``halves.Search`` does, state for state, and asks Python only for what no cell,
half or combination has told it yet. ``backends`` tells what there is to choose from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from chc_ref.check.cells import Cells, Row
from chc_ref.check.halves import ENDLESS, Halves, Judge, Key, Outcome, Parting, Saved, Search
from chc_ref.errors import UsageError

try:
    from chc_ref.check import _kernel
except ImportError:  # there was no compiler: plain Python does the same, only slower
    _kernel = None  # type: ignore[assignment]

AUTOMATIC = "auto"


class Compiled:
    """Breadth-first search over halves by the compiled kernel."""

    name = "kernel"

    def __init__(self, cells: Cells, parting: Parting, first: Row, threads: int) -> None:
        self.parting = parting
        self.first: Key = 0
        """Of the halves of the first state, each is the first of its side."""
        hurries = cells.system.network.transport
        self._kernel = _kernel.Kernel(cells, parting.sides, first, hurries, threads)

    def run(self, judge: Judge, most: int, deepest: int = ENDLESS) -> Outcome:
        """Search; see ``halves.Search.run``."""
        states, transitions, depth, wrong, violating, why = self._kernel.run(
            judge.summary, judge.judge, judge.ask, most, deepest
        )
        full = why == "full"
        why = {"full": f"limit of {most} states", "deep": f"limit of {deepest} steps"}.get(why, why)
        return Outcome(
            states,
            transitions,
            depth,
            wrong,
            None if violating < 0 else violating,
            why,
            full,
        )

    def saved(self) -> Saved:
        """Give what was found, and how far the search is."""
        keys, left, right, levels, expanded, transitions, judged = self._kernel.saved()
        return Saved(keys, (left, right), tuple(levels), expanded, transitions, judged)

    def restore(self, saved: Saved) -> None:
        """Put back what ``saved`` gave, for the same cells in the same parts."""
        levels = list(saved.levels)
        numbers = (saved.expanded, saved.transitions, saved.judged)
        self._kernel.restore(saved.keys, *saved.halves, levels, *numbers)

    def rows(self) -> Iterator[Row]:
        """Give the row of every state, in order of discovery."""
        return map(self._kernel.row, range(len(self._kernel)))

    def sample(self, most: int) -> list[Row]:
        """Give no more rows than so many, evenly spaced in order of discovery."""
        states = len(self._kernel)
        return [self._kernel.row(n) for n in range(0, states, -(-states // most))]

    def cells(self) -> set[int]:
        """Give the cells that occur."""
        return self._kernel.cells()

    def row(self, number: int) -> Row:
        """Give the row of a state, by its number in order of discovery."""
        return self._kernel.row(number)

    def after(self, key: Key) -> list[Key]:
        """Give what may come after a state, whether that was found or not, in a fixed order."""
        return self._kernel.after(key)

    def row_of(self, key: Key) -> Row:
        """Give the row of a state, whether it was found or not."""
        return self._kernel.row_of(key)

    def __len__(self) -> int:
        return len(self._kernel)

    def successors(self, number: int) -> list[tuple[int, int]]:
        """Give (code, number of the state after it) of all that may happen in a state."""
        return self._kernel.successors(number)

    def path(self, number: int) -> list[int]:
        """Give the codes of the actions of a shortest way to a state."""
        return self._kernel.path(number)

    def memory(self) -> tuple[int, int]:
        """Give the octets that the states take, and those of all tables beside them."""
        return self._kernel.memory()


def backends() -> tuple[str, ...]:
    """Give the names of the searches that can be had, the fastest first."""
    return (Search.name,) if _kernel is None else (Compiled.name, Search.name)


def search(
    cells: Cells, parting: Parting, first: Row, backend: str = AUTOMATIC, threads: int | None = None
) -> Search | Compiled:
    """Give a search.

    Args:
        cells: the system.
        parting: its sides.
        first: the row of its first state.
        backend: one of ``backends()``, or "auto" for the fastest.
        threads: of the kernel; by default one for each processor, and no more than four.

    Raises:
        UsageError: there is no such search here.

    """
    known = backends()
    if backend not in (AUTOMATIC, *known):
        mend = "; build the package with a C compiler" if backend == Compiled.name else ""
        raise UsageError(f"no search is called {backend!r}; known: {', '.join(known)}{mend}")
    if backend == Search.name or _kernel is None:
        return Search(Halves(cells, parting), first)
    return Compiled(cells, parting, first, threads or min(4, os.cpu_count() or 1))
