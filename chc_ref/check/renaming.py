"""Renaming: instances, flows and packets under other names, everywhere in a system.

A renaming is a guess of what is interchangeable; ``check.symmetry`` holds it against every step.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import attrs

from chc_ref.check.cells import (
    NOTHING,
    Cell,
    Cells,
    Empty,
    IfIdle,
    IfUp,
    Memo,
    Pokes,
    Put,
    Row,
    Spend,
    Strike,
)
from chc_ref.core.chain import Chain
from chc_ref.core.values import Map, beside
from chc_ref.system.world import World, WorldState

Words = tuple[tuple[Any, Any], ...]
"""(name, other name), in order: of hosts, of flows, and of what packets are made of."""


def candidates(chain: Chain, world: World) -> tuple[Words, ...]:
    """Give exchanges of two names: two instances of a vertex, or two flows with equal packets.

    Two flows are exchanged with the instances of each vertex that they go to by default.
    """
    hosts = {
        v.name: [f"{v.name}.{n}" for n in range(v.instances + v.standby)] for v in chain.vertices
    }
    found = [_exchanged(pair) for of in hosts.values() for pair in itertools.combinations(of, 2)]
    packets: dict[Any, list[Any]] = {}
    for arrival in world.arrivals:
        packets.setdefault(arrival.flow, []).append(arrival.headers)
    for one, other in itertools.combinations(packets, 2):
        if len(packets[one]) == len(packets[other]):
            flows = [(one, other), *zip(packets[one], packets[other], strict=True)]
            pairs = [pair for of in hosts.values() for pair in itertools.combinations(of, 2)]
            for number in range(len(hosts) + 1):
                for some in itertools.combinations(pairs, number):
                    if len({pair[0].partition(".")[0] for pair in some}) == number:
                        found.append(_exchanged(*flows, *some))
    return tuple(found)


def _exchanged(*pairs: tuple[Any, Any]) -> Words:
    words: dict[Any, Any] = {}
    for one, other in pairs:
        words |= {one: other, other: one}
        if isinstance(one, str) and "." in one:
            words |= {beside(one): beside(other), beside(other): beside(one)}
    return tuple(words.items())


def composed(first: Words, second: Words) -> Words:
    """Give the words of one renaming after another."""
    one, other = dict(first), dict(second)
    every = {name: other.get(one.get(name, name), one.get(name, name)) for name in one | other}
    return tuple(sorted(((a, b) for a, b in every.items() if a != b), key=repr))


class Renaming:
    """A system's values, cells and actions under other names."""

    def __init__(self, cells: Cells, words: Words) -> None:
        self.cells = cells
        self.words = dict(words)
        self._values = Memo(self._value)
        names = cells.system.names
        index = cells.system.index
        self.places = [*(index[self.words.get(name, name)] for name in names), cells.width]
        """Where each component goes, by position; the budget stays behind them."""
        channels = cells.system.channels
        self.channels = [
            cells.system.channel_index[self.words.get(a, a), self.words.get(b, b)]
            for a, b in channels
        ]
        self.cell = Memo(self._cell)
        """By cell: the cell that it is under other names."""
        self.poke = Memo(self._poke)
        self.action = Memo(lambda code: cells.actions(self.value(cells.actions.values[code])))
        self._content = Memo(self._contents)

    @functools.cached_property
    def inverse(self) -> Renaming:
        """Give the renaming that takes it back."""
        return Renaming(self.cells, tuple((other, one) for one, other in self.words.items()))

    def row(self, row: Row) -> Row:
        """Give a state under other names."""
        new = list(row)
        for at, cell in enumerate(row):
            new[self.places[at]] = self.cell[cell]
        return tuple(new)

    def pokes(self, pokes: Pokes) -> Pokes:
        """Give pokes under other names, by component; those at one keep their order."""
        renamed = [(self.places[at], self.poke[poke]) for at, poke in pokes]
        return tuple(sorted(renamed, key=lambda one: one[0]))

    def value(self, value: Any) -> Any:
        """Give any value of the core's under other names."""
        if isinstance(value, int | float | bytes | None):
            return value
        return self._values[type(value), value]

    def _value(self, key: tuple[type, Any]) -> Any:
        kind, value = key
        if value in self.words:
            return self.words[value]
        if kind is tuple:
            begin = self.words.get(value[:2]) if len(value) > 2 else None
            if begin is not None:  # a packet's headers, and what was learned on its way
                return (*begin, *map(self.value, value[2:]))
            return tuple(map(self.value, value))
        if kind is frozenset:
            return frozenset(map(self.value, value))
        if kind is Map:
            return Map({self.value(one): self.value(other) for one, other in value.items()})
        if not attrs.has(kind):
            return value
        fields = (getattr(value, field.name) for field in attrs.fields(kind) if field.init)
        new: Any = kind(*map(self.value, fields))
        if isinstance(new, WorldState):  # those that crashed are a set, kept in order
            return attrs.evolve(new, crashed=tuple(sorted(new.crashed)))
        return new

    def _cell(self, cell: int) -> int:
        cells, of = self.cells, self.cells.cells.values[cell]
        at = self.places[of.at]
        if of.at == cells.width:
            return cell
        inbox = dict(
            zip((self.channels[c] for c in cells.system.inboxes[of.at]), of.contents, strict=True)
        )
        contents = tuple(self._content[inbox[channel]] for channel in cells.system.inboxes[at])
        state = cells.states[at](self.value(cells.value(cell)))
        return cells.cells(Cell(at, state, contents))

    def _contents(self, content: int) -> int:
        cells = self.cells
        values = (cells.messages.values[one] for one in cells.contents.values[content])
        return (
            cells.contents(tuple(cells.messages(self.value(one)) for one in values))
            if content != NOTHING
            else content
        )

    def _poke(self, poke: int) -> int:
        cells = self.cells
        match cells.pokes.values[poke]:
            case Put(channel, message):
                message = cells.messages(self.value(cells.messages.values[message]))
                new: Any = Put(self.channels[channel], message)
            case Strike(event):
                at, happens = cells.events.values[event]
                new = Strike(cells.events((self.places[at], self.value(happens))))
            case Empty(channel):
                new = Empty(self.channels[channel])
            case IfIdle(channel, idle):
                new = IfIdle(self.channels[channel], idle)
            case Spend() | IfUp() as same:
                new = same
        return cells.pokes(new)
