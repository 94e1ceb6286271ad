"""Symmetry: states that differ by names only are searched from once.

Which names may be exchanged is guessed (``check.renaming``) and never trusted: whatever the
search makes use of is looked at under each exchange as well, what may happen at a cell, what a
poke does to one, and what a requirement says of a state. The first difference refutes the
exchange, and the search begins again without it. So what is left maps the initial state, each
transition and each verdict of the states seen onto ones of the system, which makes the states
seen and all that they are under other names the whole graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chc_ref.check.cells import Cells, Memo, Move, Poked, Row
from chc_ref.check.renaming import Renaming, Words, composed

MOST = 120
"""Renamings that are made of exchanges; of more exchanges, the later ones are left out."""


class AsymmetryError(Exception):
    """An exchange of names makes a difference."""

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.words = words


class Symmetry:
    """The exchanges of names that a search makes use of; without any, nothing is exchanged."""

    def __init__(self, cells: Cells, exchanges: Iterable[Words], first: Row) -> None:
        self.cells = cells
        self.exchanges = [
            one
            for one in (Renaming(cells, words) for words in exchanges)
            if one.row(first) == first
        ]
        self.renamings = [Renaming(cells, words) for words in _group(self.exchanges)]
        self.moves = Memo(self._moves)
        """By cell, what may happen there; see ``Cells.moves``."""
        self.poked = Memo(self._poked)
        """By cell and poke; see ``Cells.poked``."""

    def same(self, row: Row, wrong: Any, judge: Any) -> None:
        """Hold what is wrong in a state against what is wrong in it under other names.

        Raises:
            AsymmetryError: it is not the same requirement.

        """
        for one in self.exchanges:
            other = judge(one.row(row))
            if (wrong and wrong.requirement) != (other and other.requirement):
                raise AsymmetryError(tuple(one.words.items()))

    def orbit(self, cells: set[int]) -> set[int]:
        """Give cells with all that they are under other names."""
        return cells.union(one.cell[cell] for one in self.renamings for cell in cells)

    def least(self, row: Row) -> tuple[Row, Renaming | None]:
        """Give the least of what a row is under other names, and the renaming to it."""
        best: tuple[Row, Renaming | None] = (row, None)
        for one in self.renamings:
            other = one.row(row)
            if other < best[0]:
                best = other, one
        return best

    def _moves(self, cell: int) -> tuple[Move, ...]:
        moves = self.cells.moves(cell)
        for one in self.exchanges:
            renamed = sorted(
                (one.action[code], one.cell[after], one.pokes(pokes))
                for code, after, pokes in moves
            )
            straight = (
                (code, after, tuple(sorted(pokes, key=lambda poke: poke[0])))
                for code, after, pokes in self.cells.moves(one.cell[cell])
            )
            if renamed != sorted(straight):
                raise AsymmetryError(tuple(one.words.items()))
        return moves

    def _poked(self, key: tuple[int, int]) -> Poked:
        cell, poke = key
        hit = self.cells.poked(cell, poke)
        for one in self.exchanges:
            other = self.cells.poked(one.cell[cell], one.poke[poke])
            if (hit is None) != (other is None):
                raise AsymmetryError(tuple(one.words.items()))
            if hit is not None and other is not None:
                straight = tuple(sorted(other[1], key=lambda poke: poke[0]))
                if (one.cell[hit[0]], one.pokes(hit[1])) != (other[0], straight):
                    raise AsymmetryError(tuple(one.words.items()))
        return hit


def _group(exchanges: list[Renaming]) -> list[Words]:
    """Give all renamings that exchanges make together, but for the one that changes nothing."""
    group: list[Words] = [()]
    kept: list[Words] = []
    for exchange in exchanges:
        kept.append(composed((), tuple(exchange.words.items())))
        bigger = _closed(kept)
        if len(bigger) > MOST:
            kept.pop()
            continue
        group = bigger
    return [words for words in group if words]


def _closed(exchanges: list[Words]) -> list[Words]:
    found: dict[Words, None] = {(): None}
    todo: list[Words] = [()]
    for words in todo:
        for exchange in exchanges:
            new = composed(words, exchange)
            if new not in found:
                found[new] = None
                todo.append(new)
                if len(todo) > MOST:
                    return todo
    return todo
