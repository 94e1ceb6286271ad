"""Halves: a composed state as two integers, and the search over them in plain Python.

The cells of a system (``check.cells``) are parted into two sides, and the row of each side's
cells is interned: a half. A state is a pair of halves. What may happen in a half, and what that
does to the other one, is worked out once for each half; as few halves make many states, taking a
transition is mostly a look into a table or two. States are compared whole: nothing is hashed
away. ``check._kernel`` is the same search in C, state for state.
"""

from __future__ import annotations

import functools
import itertools
import operator
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from chc_ref.check.cells import Cells, Interner, Memo, Pokes, Row

SHIFT = 32
MASK = (1 << SHIFT) - 1

Key = int
"""A state: its left half above, its right half below."""

Side = int
LEFT, RIGHT = 0, 1

ENDLESS = 2**62
"""A limit that nothing meets."""

QUIET, FLAGS = 1, 1
"""Bit of a summary of a cell or half: nothing may happen in it any more. Above it stands an id of
all that properties see of it."""


@attrs.frozen
class Parting:
    """Positions of the cells of each side, in order."""

    sides: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def where(self) -> dict[int, tuple[Side, int]]:
        """Give the side of each position, and its place there."""
        return {at: (s, place) for s, of in enumerate(self.sides) for place, at in enumerate(of)}

    def halves(self, row: Row) -> tuple[Row, Row]:
        """Part a row."""
        left, right = self.sides
        return tuple(row[at] for at in left), tuple(row[at] for at in right)

    def row(self, left: Row, right: Row) -> Row:
        """Put two halves together."""
        cells = dict(zip((*self.sides[LEFT], *self.sides[RIGHT]), (*left, *right), strict=True))
        return tuple(cells[at] for at in range(len(cells)))


class Halves:
    """The halves of one system: what may happen in each, and what happens to it from outside."""

    def __init__(self, cells: Cells, parting: Parting) -> None:
        self.cells = cells
        self.parting = parting
        self.where = parting.where
        self.ids = (Interner(), Interner())
        self.pokes = Interner(())
        """Lists of pokes that one half has for the other; 0 is none."""
        self.moves = (Memo(lambda half: self._moves(0, half)), Memo(lambda h: self._moves(1, h)))
        """Of each side, by half: (code, half after it, pokes for the other side)."""
        self.poked = (Memo(lambda key: self._poked(0, key)), Memo(lambda key: self._poked(1, key)))
        """Of each side, by pokes and half: (half after them, pokes back), or None."""
        self.urgent = (Memo(lambda half: self._urgent(0, half)), Memo(lambda h: self._urgent(1, h)))
        """Of each side, by half: position of a cell where something must happen before all else."""
        self._cell_moves = Memo(cells.moves)
        self._cell_poked = Memo(lambda key: cells.poked(*key))

    def key(self, row: Row) -> Key:
        """Give the state of a row of cells."""
        left, right = self.parting.halves(row)
        return self.ids[LEFT](left) << SHIFT | self.ids[RIGHT](right)

    def row(self, key: Key) -> Row:
        """Give the row of cells of a state."""
        left, right = self.ids[LEFT].values[key >> SHIFT], self.ids[RIGHT].values[key & MASK]
        return self.parting.row(left, right)

    def successors(self, key: Key) -> list[tuple[int, Key]]:
        """Give (code, state) of every action that is possible, in a fixed order."""
        halves = [key >> SHIFT, key & MASK]
        sides = [LEFT, RIGHT]
        if self.cells.system.network.transport:
            urgent = [self.urgent[side][half] for side, half in enumerate(halves)]
            if min(urgent) < len(self.where):
                sides = [urgent.index(min(urgent))]
        found = []
        for side in sides:
            for code, half, pokes in self.moves[side][halves[side]]:
                other: int | None = halves[1 - side]
                if pokes:
                    half, other = self._settled(side, half, halves[1 - side], pokes)
                if other is not None:
                    pair = (other, half) if side else (half, other)
                    found.append((code, pair[0] << SHIFT | pair[1]))
        return found

    def _settled(self, side: Side, half: int, other: int, pokes: int) -> tuple[int, int | None]:
        """Let a half's pokes have their effect on the other one, and what these do in turn."""
        halves = [half, other]
        at = 1
        while pokes:
            hit = self.poked[side ^ at][pokes << SHIFT | halves[at]]
            if hit is None:
                return half, None
            halves[at], pokes = hit
            at = 1 - at
        return halves[0], halves[1]

    def _urgent(self, side: Side, half: int) -> int:
        cells = self.ids[side].values[half]
        for at, cell in zip(self.parting.sides[side], cells, strict=True):
            if self.cells.urgent(cell) is not None:
                return at
        return len(self.where)

    def _moves(self, side: Side, half: int) -> list[tuple[int, int, int]]:
        cells, positions = self.ids[side].values[half], self.parting.sides[side]
        urgent = self.urgent[side][half]
        found = []
        for place, at in enumerate(positions):
            if urgent in (at, len(self.where)):
                for code, after, pokes in self._cell_moves[cells[place]]:
                    new = list(cells)
                    new[place] = after
                    changed = self._changed(side, new, pokes)
                    if changed is not None:
                        found.append((code, *changed))
        return found

    def _poked(self, side: Side, key: int) -> tuple[int, int] | None:
        cells = self.ids[side].values[key & MASK]
        return self._changed(side, list(cells), self.pokes.values[key >> SHIFT])

    def _changed(self, side: Side, cells: list[int], pokes: Pokes) -> tuple[int, int] | None:
        """Let pokes have their effect within one side; give the half, and those for the other.

        Which of two pokes at different cells comes first makes no difference: messages on one
        channel come from one component, and no event looks at an inbox.
        """
        queue, across = list(pokes), []
        for at, poke in queue:
            where, place = self.where[at]
            if where != side:
                across.append((at, poke))
                continue
            hit = self._cell_poked[cells[place], poke]
            if hit is None:
                return None
            cells[place], more = hit
            queue += more
        return self.ids[side](tuple(cells)), self.pokes(tuple(across))


@attrs.frozen
class Judge:
    """What a search asks of the states it meets."""

    summary: Callable[[int], int]
    """Flags and id of a cell. Cells with the same component's state have the same id, and none is
    quiet to which something is under way: the kernel asks but once for all of these."""
    judge: Callable[[Row], Any]
    """None when all holds in a state; asked for each new pair of summaries, and at rest."""
    ask: Callable[[int, int, int], str]
    """(states, frontier, depth) now and then: why to stop, or nothing."""


@attrs.define
class Outcome:
    """What a search has found."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    violation: Any = None
    violating: int | None = None
    """Number of the violating state, in order of discovery."""
    stopped: str = ""
    full: bool = False
    """Whether it stopped because there are too many states."""


@attrs.frozen
class Saved:
    """States of a search, and how far it is."""

    keys: bytes
    """The states in order of discovery, 64 bits each in this machine's order."""
    halves: tuple[bytes, bytes]
    """Cells of each half of each side, in order of their ids, 32 bits each."""
    levels: tuple[int, ...]
    expanded: int
    transitions: int
    judged: int


class Search:
    """Breadth-first search over halves, in plain Python."""

    name = "python"

    def __init__(self, halves: Halves, first: Row) -> None:
        self.halves = halves
        self.parting = halves.parting
        self.first = halves.key(first)
        self.keys: list[Key] = [self.first]
        """States in order of discovery; by that order they have their numbers."""
        self.numbers: dict[Key, int] = {self.keys[0]: 0}
        self.levels = [0]
        """Number of the first state of each level, and of the one that comes next."""
        self.expanded = 0
        self.transitions = 0
        self.judged = 0
        """How many states were found good."""

    def run(self, judge: Judge, most: int, deepest: int = ENDLESS) -> Outcome:
        """Search until all is seen, something is violated, or there is a reason to stop.

        Searching again goes on; after a violation with the same state, for it may violate more.

        Args:
            judge: what to ask of states.
            most: stop when more states than this have been found.
            deepest: expand no state that is further away than so many steps.

        """
        judged, successors = self._judged(judge), self._successors()
        keys, numbers, levels = self.keys, self.numbers, self.levels
        wrong = self._violated(judged)
        if wrong is not None:
            return self._outcome(wrong)
        while self.expanded < len(keys):
            if self.expanded == levels[-1]:
                if len(levels) - 1 > deepest:
                    return self._outcome(stopped=f"limit of {deepest} steps")
                levels.append(len(keys))
            after = successors(keys[self.expanded])
            self.expanded += 1
            self.transitions += len(after)
            known = len(keys)
            for successor in after:
                if successor not in numbers:
                    numbers[successor] = len(keys)
                    keys.append(successor)
            if len(keys) > known:
                wrong = self._violated(judged)
                if wrong is not None:
                    return self._outcome(wrong)
                if len(keys) > most:
                    return self._outcome(stopped=f"limit of {most} states", full=True)
            if self.expanded % 1024 == 1:
                why = judge.ask(len(keys), len(keys) - self.expanded, len(levels) - 2)
                if why:
                    return self._outcome(stopped=why)
        return self._outcome()

    def _violated(self, judged: Callable[[Key], Any]) -> Any:
        """Judge the newest states in order, up to one that violates something."""
        for number in range(self.judged, len(self.keys)):
            wrong = judged(self.keys[number])
            if wrong is not None:
                self.judged = number
                return wrong
        self.judged = len(self.keys)
        return None

    def _outcome(self, wrong: Any = None, stopped: str = "", full: bool = False) -> Outcome:
        depth = len(self.levels) - 1
        if depth and self.levels[depth] >= len(self.keys):
            depth -= 1
        number = None if wrong is None else self.judged
        return Outcome(len(self.keys), self.transitions, depth, wrong, number, stopped, full)

    def saved(self) -> Saved:
        """Give what was found, and how far the search is."""
        keys = array("Q", self.keys).tobytes()
        left, right = (
            array("I", itertools.chain.from_iterable(ids.values)).tobytes()
            for ids in self.halves.ids
        )
        levels = tuple(self.levels)
        return Saved(keys, (left, right), levels, self.expanded, self.transitions, self.judged)

    def restore(self, saved: Saved) -> None:
        """Put back what ``saved`` gave, for the same cells in the same parts."""
        for ids, text, side in zip(self.halves.ids, saved.halves, self.parting.sides, strict=True):
            cells = array("I", text)
            for begin in range(0, len(cells), len(side)) if side else (0,):
                ids(tuple(cells[begin : begin + len(side)]))
        self.keys = list(array("Q", saved.keys))
        self.numbers = {key: number for number, key in enumerate(self.keys)}
        self.levels = list(saved.levels)
        self.expanded, self.transitions = saved.expanded, saved.transitions
        self.judged = saved.judged

    def _successors(self) -> Callable[[Key], list[Key]]:
        """Give what ``Halves.successors`` does but for the codes, in fewer steps."""
        halves = self.halves
        if halves.cells.system.network.transport:
            return lambda key: [successor for _, successor in halves.successors(key)]
        (left_moves, right_moves), (left_poked, right_poked) = halves.moves, halves.poked

        def successors(key: Key) -> list[Key]:
            left, right = key >> SHIFT, key & MASK
            high = key ^ right
            found = []
            for _, half, pokes in left_moves[left]:
                other = right
                if pokes:
                    hit = right_poked[pokes << SHIFT | right]
                    if hit is None:
                        continue
                    other, pokes = hit
                    if pokes:
                        other, settled = halves._settled(RIGHT, other, half, pokes)
                        if settled is None:
                            continue
                        half = settled
                found.append(half << SHIFT | other)
            for _, half, pokes in right_moves[right]:
                if not pokes:
                    found.append(high | half)
                    continue
                hit = left_poked[pokes << SHIFT | left]
                if hit is None:
                    continue
                other, pokes = hit
                if pokes:
                    other, settled = halves._settled(LEFT, other, half, pokes)
                    if settled is None:
                        continue
                    half = settled
                found.append(other << SHIFT | half)
            return found

        return successors

    def _judged(self, judge: Judge) -> Callable[[Key], Any]:
        """Ask of a state only what was not asked of others that look the same."""
        cells, looks = Memo(judge.summary), Interner(())
        left, right = (self._summed_up(side, cells, looks) for side in (LEFT, RIGHT))
        good: set[int] = set()

        def judged(key: Key) -> Any:
            one, other = left[key >> SHIFT], right[key & MASK]
            pair = one << SHIFT | other
            if pair in good:
                return None
            wrong = judge.judge(self.halves.row(key))
            if wrong is None and not one & other & QUIET:
                good.add(pair)
            return wrong

        return judged

    def _summed_up(self, side: Side, cells: Memo, looks: Interner) -> Memo:
        """Sum up the halves of a side by their cells."""
        values = self.halves.ids[side].values

        def summary(half: int) -> int:
            of = [cells[cell] for cell in values[half]]
            quiet = all(one & QUIET for one in of)
            look = looks(tuple(one >> FLAGS for one in of))
            return look << FLAGS | QUIET * quiet

        return Memo(summary)

    # ------------------------------------------------------------------ what was found

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, number: int) -> Row:
        """Give the row of a state, by its number in order of discovery."""
        return self.halves.row(self.keys[number])

    def after(self, key: Key) -> list[Key]:
        """Give what may come after a state, whether that was found or not, in a fixed order."""
        return [successor for _, successor in self.halves.successors(key)]

    def row_of(self, key: Key) -> Row:
        """Give the row of a state, whether it was found or not."""
        return self.halves.row(key)

    def rows(self) -> Iterator[Row]:
        """Give the row of every state, in order of discovery."""
        return map(self.halves.row, self.keys)

    def sample(self, most: int) -> list[Row]:
        """Give no more rows than so many, evenly spaced in order of discovery."""
        return [self.halves.row(key) for key in self.keys[:: -(-len(self.keys) // most)]]

    def cells(self) -> set[int]:
        """Give the cells that occur."""
        found: set[int] = set()
        for side, halves in enumerate(
            ({key >> SHIFT for key in self.keys}, {key & MASK for key in self.keys})
        ):
            for half in halves:
                found.update(self.halves.ids[side].values[half])
        return found

    def successors(self, number: int) -> list[tuple[int, int]]:
        """Give (code, number of the state after it) of all that may happen in a state."""
        after = self.halves.successors(self.keys[number])
        return [(code, self.numbers[key]) for code, key in after if key in self.numbers]

    def path(self, number: int) -> list[int]:
        """Give the codes of the actions of a shortest way to a state.

        In each level before it, the first state leads on that has it as a successor.
        """
        codes = []
        for level in range(len(self.levels) - 1, 0, -1):
            if number < self.levels[level]:
                continue
            key = self.keys[number]
            for number in range(self.levels[level - 1], self.levels[level]):
                after = self.halves.successors(self.keys[number])
                code = next((code for code, other in after if other == key), None)
                if code is not None:
                    codes.append(code)
                    break
        return codes[::-1]


def part(rows: list[Row]) -> Parting:
    """Part a system so that the sides have few halves, as far as these rows tell.

    Positions with most cells come first; then one or two at a time change sides.
    """
    columns, every = _digits(rows), range(len(rows[0]))

    @functools.cache
    def numbers(side: frozenset[int]) -> list[int]:
        """Give a number for what each row has on a side: equal ones for what is equal."""
        first, *rest = sorted(side)
        less = numbers(frozenset(rest)) if rest else [0] * len(rows)
        return list(map(operator.add, columns[first], less))

    @functools.cache
    def count(side: frozenset[int]) -> int:
        return len(set(numbers(side))) if side else 1

    left: frozenset[int] = frozenset()
    right: frozenset[int] = frozenset()
    for at in sorted(every, key=lambda at: -len(set(columns[at]))):
        if (count(left | {at}), len(left)) <= (count(right | {at}), len(right)):
            left |= {at}
        else:
            right |= {at}
    changes = [frozenset(some) for n in (1, 2) for some in itertools.combinations(every, n)]
    better = True
    while better:
        better = False
        for change in changes:
            most, larger = max((count(left), left), (count(right), right), key=lambda of: of[0])
            if not change & larger:
                continue  # it would have as many halves, or more
            if count(left ^ change) < most and count(right ^ change) < most:
                left, right, better = left ^ change, right ^ change, True
    one, other = sorted((tuple(sorted(left)), tuple(sorted(right))))
    return Parting((one, other))


def _digits(rows: list[Row]) -> list[list[int]]:
    """Give columns of numbers whose sums are equal where, and only where, all of them are."""
    columns, base = [], 1
    for column in zip(*rows, strict=True):
        ids: dict[int, int] = {}
        columns.append([ids.setdefault(cell, len(ids) * base) for cell in column])
        base *= len(ids)
    return columns


def most_halves(parting: Parting, rows: list[Row]) -> int:
    """Count the halves of the side that has more of them, in these rows."""
    sides = (operator.itemgetter(*side) for side in parting.sides if side)
    return max(len(set(map(side, rows))) for side in sides)
