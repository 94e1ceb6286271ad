"""Hashed: a search that remembers of each state no more than some bits.

A state whose bits are those of another one is taken for that one, and neither it nor what is
behind it is seen. Each cell is given a random word, and a state has the exclusive or of the words
of its cells: of two states, some cells differ, so that their bits are equal with a probability of
2 to the power of minus their number, whatever the states. It is over the words, that is over
seeds; so the bound that ``miss`` gives needs no trust in a hash function.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from chc_ref.check.cells import Cells, Memo, Row
from chc_ref.check.properties import Properties
from chc_ref.check.rows import Rows
from chc_ref.check.symmetry import Symmetry

TOLERABLE = 0.01
"""Above that, a search that finds nothing wrong says that it does not know."""

FULL = 0.75
"""Share of a table that is in use when it grows."""


def miss(states: int, bits: int) -> float:
    """Give a bound of the probability that a search ends with no more states and misses any.

    If it does, the first one that it missed has the bits of one of no more than so many others:
    two of ``states + 1`` have equal bits, and each pair has with a probability of ``2**-bits``.
    """
    return min(1.0, states * (states + 1) / float(2 ** (bits + 1)))


class Table:
    """A set of numbers of some bits: open addressing in octets, no more of them than it takes."""

    def __init__(self, bits: int) -> None:
        self._width = bits // 8 + 1
        self._free = b"\xff" * self._width
        """No number has these octets, as they have more bits than it."""
        self._slots = 1024
        self._octets = bytearray(self._free * self._slots)
        self._used = 0

    def add(self, number: int) -> bool:
        """Put a number in; tell whether it is new."""
        wanted = number.to_bytes(self._width, "little")
        at = (number & self._slots - 1) * self._width
        while (found := self._octets[at : at + self._width]) != self._free:
            if found == wanted:
                return False
            at = (at + self._width) % len(self._octets)
        self._octets[at : at + self._width] = wanted
        self._used += 1
        if self._used > FULL * self._slots:
            self._grow()
        return True

    def _grow(self) -> None:
        old, self._slots, self._used = self._octets, 2 * self._slots, 0
        self._octets = bytearray(self._free * self._slots)
        for at in range(0, len(old), self._width):
            if (found := old[at : at + self._width]) != self._free:
                self.add(int.from_bytes(found, "little"))

    def __len__(self) -> int:
        return self._used

    @property
    def octets(self) -> int:
        """Give the octets that the numbers take."""
        return len(self._octets)


class Hashed(Rows):
    """Breadth-first search that keeps hashes of the states, and two levels of them whole."""

    def __init__(
        self,
        cells: Cells,
        properties: Properties,
        symmetry: Symmetry,
        first: Row,
        bits: int,
        seed: int,
    ) -> None:
        super().__init__(cells, properties, symmetry, first)
        self._cells = cells
        self._properties = properties
        choice = random.Random(seed)
        self._words = Memo(lambda cell: choice.getrandbits(bits))
        self._occurring: set[int] = set()
        self._level, self._next = 0, 1
        """Depth of the newest state, and of those that will be found next."""
        self.table = Table(bits)

    def _states(self) -> Iterator[Row]:
        level = [self.symmetry.least(self.first)[0]]
        self._is_new(level[0])
        yield level[0]
        while level:
            below = []
            for row in level:
                for possible in self.touches.possible(row)[0]:
                    self.transitions += 1
                    after, _ = self.symmetry.least(possible.after)
                    if self._is_new(after):
                        below.append(after)
                        self._level = self._next
                        yield after
            self._next += 1
            level = below

    def _is_new(self, row: Row) -> bool:
        bits = 0
        for cell in row:
            bits ^= self._words[cell]
        if not self.table.add(bits):
            return False
        self._occurring.update(row)
        return True

    def _far(self) -> tuple[int, int]:
        return 0, self._level

    def _depth(self) -> int:
        return self._level

    def __len__(self) -> int:
        return len(self.table)

    def cells(self) -> set[int]:
        """Give the cells that occur, under all names."""
        return self.symmetry.orbit(self._occurring)

    def path(self, number: int) -> list[int]:
        """Give a way to the state that the search has ended at: whole states find it again."""
        exact = Rows(self._cells, self._properties, self.symmetry, self.first)
        exact.judged = next(at for at, row in enumerate(exact._states()) if row == self._new)
        return exact.path(exact.judged)
