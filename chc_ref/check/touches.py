"""Touches: what each action of a composed state has to do with, for reductions.

A step reads and changes the state of one component and takes from its inbox; it may put messages
behind others under way, and, done by the world or a network, happen to other components in the
same moment. Two actions of different components that are possible in a state commute unless they
touch a component both of them: messages on one channel come from one component, and who takes
from one does not see what is put behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from chc_ref.check.cells import Cell, Cells, IfCalm, IfUp, Interner, Memo, Move, Put, Row
from chc_ref.check.halves import ENDLESS
from chc_ref.check.properties import Properties
from chc_ref.check.renaming import Renaming
from chc_ref.check.symmetry import Symmetry
from chc_ref.system.composition import Happen, Lose
from chc_ref.system.world import Crash

NONE = -1
"""No channel."""


@attrs.frozen(cache_hash=True)
class Touch:
    """What an action has to do with."""

    actor: int
    """Position of the component whose action it is."""
    parties: int
    """Bits of the positions of all components whose state it reads or changes, and of the
    network's budget behind them."""
    taken: int = NONE
    """Channel that a message is taken from."""
    puts: tuple[tuple[int, int], ...] = ()
    """(channel, messages on it before) of what is sent."""
    turns: bool = False
    """Whether a component goes down or comes up by it."""
    ends: tuple[int, ...] = ()
    """Channels that may lose all that is on them from now on: their source goes down by it."""
    empties: bool = False
    """Whether a message is taken that was the only one, so that nothing is left to be lost."""
    shows: tuple[int, int] | None = None
    """(position, what is seen) if a predicate on several components sees more of one by it."""


@attrs.frozen
class Possible:
    """One action that is possible in a state."""

    code: int
    after: Row
    touch: int
    """Id of what it touches."""


class Touches:
    """The actions of the rows of a system, with what each touches."""

    def __init__(self, cells: Cells, properties: Properties, symmetry: Symmetry) -> None:
        self.cells = cells
        self.symmetry = symmetry
        self.properties = properties
        self.values = Interner()
        """What actions touch, by id."""
        self.observer = cells.width + 1
        """Position of whoever sees several components at once, behind all others."""
        self.observed = properties.several()
        self.lines = cells.width + 2
        """Position of the first of all channels, as what may be lost on them."""
        self.lossy = cells.system.lossy
        self._lines = [
            tuple(n for n, (source, _) in enumerate(cells.ends) if source == at and self.lossy[n])
            for at in range(cells.width + 1)
        ]
        self.seen = Interner()
        """What may be shown."""
        self._like: list[int] = []
        """Of each, a cell that shows it."""
        self._looks = Memo(properties.combined)
        self._lengths = Memo(self._length)
        self._taken = Memo(self._takes)
        self._up = Memo(self._is_up)

    def possible(self, row: Row, crashes: int = ENDLESS) -> tuple[list[Possible], int]:
        """Give all that may happen, and the components of which a test forbids something.

        Args:
            row: the state.
            crashes: no more of them are made than so many, in all.

        """
        found, forbidding = [], 0
        for at, cell in enumerate(row):
            for move in self.symmetry.moves[cell]:
                if self._is_crash(move[0]) and len(self.cells.value(cell).crashed) >= crashes:
                    continue
                possible = self._carried_out(row, at, move)
                if isinstance(possible, Possible):
                    found.append(possible)
                else:
                    forbidding |= possible
        return found, forbidding

    def _carried_out(self, row: Row, at: int, move: Move) -> Possible | int:
        """Carry an action out; give the components that forbid it if it is not possible."""
        code, after, pokes = move
        new = list(row)
        new[at] = after
        parties, puts = 1 << at, dict[int, int]()
        queue = list(pokes)
        for to, poke in queue:
            value = self.cells.pokes.values[poke]
            hit = self.symmetry.poked[new[to], poke]
            if hit is None:
                return (1 << to) if isinstance(value, IfUp | IfCalm) else 0
            if not isinstance(value, Put):
                parties |= 1 << to
            elif not self.cells.system.faulty[value.channel]:
                puts.setdefault(value.channel, self._lengths[new[to], value.channel])
            new[to], more = hit
            queue += more
        changed = [place for place, cell in enumerate(row) if new[place] != cell]
        shown = [place for place in changed if self._looks[row[place]] != self._looks[new[place]]]
        shows = self._shown(shown[0], new[shown[0]]) if shown else None
        turned = [place for place in changed if self._up[row[place]] != self._up[new[place]]]
        ends = tuple(line for at in turned if self._up[row[at]] for line in self._lines[at])
        taken = self._taken[code]
        empties = taken != NONE and self.lossy[taken] and not self._lengths[after, taken]
        sent = tuple(puts.items())
        touch = Touch(at, parties, taken, sent, bool(turned), ends, empties, shows)
        return Possible(code, tuple(new), self.values(touch))

    def _shown(self, place: int, cell: int) -> tuple[int, int]:
        number = self.seen(self._looks[cell])
        if number == len(self._like):
            self._like.append(cell)
        return place, number

    def shown(self, shows: tuple[int, int], renaming: Renaming) -> tuple[int, int]:
        """Give what is shown under other names."""
        place, number = shows
        return self._shown(renaming.places[place], renaming.cell[self._like[number]])

    def differs(self, row: Row, shows: tuple[int, int]) -> bool:
        """Tell whether what is shown of one component is wrong beside the others of a state.

        That can be told of two only: more of them may be elsewhere by then.
        """
        place, number = shows
        if len(self.observed) > 2:
            return True
        return self.properties.differ((*row[:place], self._like[number], *row[place + 1 :]))

    def _length(self, key: tuple[int, int]) -> int:
        of: Cell = self.cells.cells.values[key[0]]
        return len(self.cells.contents.values[of.contents[self.cells.slots[key[1]]]])

    def _takes(self, code: int) -> int:
        action = self.cells.actions.values[code]
        if isinstance(action, Happen | Lose):
            return NONE
        return self.cells.system.channel(action.source, action.to)

    def _is_up(self, cell: int) -> bool:
        of: Cell = self.cells.cells.values[cell]
        return of.at >= self.cells.width or self.cells.system.is_up(of.at, self.cells.value(cell))

    def _is_crash(self, code: int) -> bool:
        action = self.cells.actions.values[code]
        return isinstance(action, Happen) and isinstance(action.event, Crash)


def bits(mask: int) -> Iterator[int]:
    """Give the positions of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
