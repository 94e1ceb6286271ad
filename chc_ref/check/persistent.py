"""Persistent sets: a search that leaves out orders which make no difference.

In a state, some components may go first, and what the others could do is put off. That leaves
nothing out if no run from there, without those components, comes to an action that touches what
theirs touch. Nobody knows that beforehand. So the search goes depth first, lets few go first, and
asks when all behind a state is known whether anything there could have come before
(``check.futures``); if so, it lets others go first as well. docs/checker.md has the argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import attrs

from chc_ref.check.cells import Cells, Row
from chc_ref.check.futures import Future, Futures
from chc_ref.check.properties import Properties
from chc_ref.check.renaming import Renaming
from chc_ref.check.rows import Rows
from chc_ref.check.symmetry import Symmetry
from chc_ref.check.touches import Possible, Touch, bits


class CyclicError(Exception):
    """A run comes back to where it was, and this search is for runs that end."""


@attrs.frozen
class Choice:
    """Some components that go first in a state."""

    first: int
    """Bits of their positions."""
    parties: int
    """Bits of all that their actions touch, or that forbids one of them."""
    actions: tuple[Possible, ...]


@attrs.frozen
class _Taken:
    touch: int
    number: int
    """Of the state behind it."""
    renaming: Renaming | None
    """What that one was renamed by to be the least."""


@attrs.define
class _Visit:
    """A state that is being searched from."""

    number: int
    choices: list[Choice]
    """What may be tried, the most hopeful first; the last one is all."""
    todo: list[Possible] = attrs.field(factory=list)
    begun: set[int] = attrs.field(factory=set)
    """Codes of actions that were taken, or are going to be."""
    taken: list[_Taken] = attrs.field(factory=list)

    def try_next(self) -> None:
        """Begin with the first of what may be tried."""
        new = [one for one in self.choices[0].actions if one.code not in self.begun]
        self.begun.update(one.code for one in new)
        self.todo = new[::-1]


class Persistent(Rows):
    """Depth-first search by persistent sets."""

    def __init__(
        self, cells: Cells, properties: Properties, symmetry: Symmetry, first: Row
    ) -> None:
        super().__init__(cells, properties, symmetry, first)
        self.futures = Futures(self.touches)
        self._system = cells.system
        self._behind: dict[int, Future | None] = {}
        """Of each state that the present search has come to, what is behind it; None before that
        is known."""
        self._luck: Counter[Row] = Counter()
        """By cells of components: how often these could go first, less how often they could not."""

    def _states(self) -> Iterator[Row]:
        """Give new states, each once.

        At rest only crashes may happen any more, and a search that has some left need not come
        there; so there is one search for each number of crashes.
        """
        yield self._add(self.symmetry.least(self.first)[0], 0)
        for crashes in range(self._system.world.most_crashes + 1):
            yield from self._search(crashes)

    def _search(self, crashes: int) -> Iterator[Row]:
        self._behind = {0: None}
        stack = [self._visit(0, crashes)]
        while stack:
            visit = stack[-1]
            if not visit.todo:
                if self._settled(visit):
                    stack.pop()
                continue
            possible = visit.todo.pop()
            self.transitions += 1
            after, renaming = self.symmetry.least(possible.after)
            if after not in self.numbers:
                yield self._add(after, visit.number)
            number = self.numbers[after]
            visit.taken.append(_Taken(possible.touch, number, renaming))
            if number not in self._behind:
                self._behind[number] = None
                stack.append(self._visit(number, crashes))
            elif self._behind[number] is None:
                raise CyclicError

    def _visit(self, number: int, crashes: int) -> _Visit:
        row = self.found[number]
        visit = _Visit(number, self._choices(row, *self.touches.possible(row, crashes)))
        visit.try_next()
        return visit

    def _settled(self, visit: _Visit) -> bool:
        """Tell whether what was tried is enough; try more if it is not."""
        choice, row = visit.choices[0], self.found[visit.number]
        backs = {one: self._back(one) for one in visit.taken}
        if len(visit.choices) > 1:
            mine = {backs[one] for one in visit.taken if choice.first >> self._actor(one.touch) & 1}
            cells = _cells(row, choice)
            if any(self._comes_before(row, choice, future) for future in mine):
                self._luck[cells] -= 1
                visit.choices.pop(0)
                visit.try_next()
                return False
            self._luck[cells] += 1
        selves = {self.futures.itself[one.touch] for one in visit.taken}
        self._behind[visit.number] = self.futures.joined(sorted(selves.union(backs.values())))
        return True

    def _actor(self, touch: int) -> int:
        of: Touch = self.touches.values.values[touch]
        return of.actor

    def _back(self, taken: _Taken) -> Future:
        """Give what is behind an action, as of the state before it."""
        future = self._behind[taken.number]
        assert future is not None  # a state is settled when all behind it is
        if taken.renaming is not None:
            future = self.futures.renamed(future, taken.renaming.inverse)
        back: Future = self.futures.back[taken.touch, future]
        return back

    def _comes_before(self, row: Row, choice: Choice, future: Future) -> bool:
        """Tell whether something behind those who went first could as well come before them.

        What others show by then matters only if it is wrong beside what those show before.
        """
        return any(
            threat.shows is None or self.touches.differs(row, threat.shows)
            for threat in self.futures.threats(future, choice.first, choice.parties)
        )

    def _choices(self, row: Row, possible: list[Possible], forbidding: int) -> list[Choice]:
        """Give who may go first, the most hopeful of them first; in the end, all."""
        actors = 0
        for one in possible:
            actors |= 1 << self._actor(one.touch)
        found = {}
        for actor in bits(actors):
            choice = self._choice(1 << actor, possible, forbidding)
            if choice.first != actors and self._may_be_first(choice):
                found[choice.first] = choice
        order = sorted(found.values(), key=lambda choice: (len(choice.actions), choice.first))
        hopeful = [choice for choice in order if self._luck[_cells(row, choice)] >= 0]
        return [*hopeful, Choice(actors, 0, tuple(possible))]

    def _choice(self, first: int, possible: list[Possible], forbidding: int) -> Choice:
        """Let some go first with all who can do something now that touches what theirs touch."""
        while True:
            mine = [one for one in possible if first >> self._actor(one.touch) & 1]
            parties = forbidding if first & self._world else 0
            for one in mine:
                parties |= self._parties(self.touches.values.values[one.touch])
            more = first
            for one in possible:
                touch: Touch = self.touches.values.values[one.touch]
                if self._comes_to(touch) & parties:
                    more |= 1 << touch.actor
            if more == first:
                return Choice(first, parties, tuple(mine))
            first = more

    def _parties(self, touch: Touch) -> int:
        """Give bits of all that may not be touched before an action.

        What is shown may not, and no message be lost that it takes: afterwards there is none.
        """
        taken = touch.empties << self.touches.lines + touch.taken if touch.empties else 0
        return touch.parties | taken | (touch.shows is not None) << self.touches.observer

    def _comes_to(self, touch: Touch) -> int:
        """Give bits of all that an action touches at once, and of what may be lost by it."""
        return touch.parties | sum(1 << self.touches.lines + line for line in touch.ends)

    def _may_be_first(self, choice: Choice) -> bool:
        """Tell whether no action of theirs takes what others could do away for ever.

        One that goes down or comes up decides whether the world may let it crash; and of a
        network's budget there may be nothing left.
        """
        budget = 1 << self.touches.cells.width
        touches = [self.touches.values.values[one.touch] for one in choice.actions]
        turns = any(touch.turns for touch in touches) and not choice.first & self._world
        return not turns and not any(touch.parties & budget for touch in touches)

    @property
    def _world(self) -> int:
        return 1 << len(self._system.names) - 1


def _cells(row: Row, choice: Choice) -> Row:
    return tuple(row[at] for at in bits(choice.first))
