"""Cells: a component and what is under way to it, as one small integer.

What a component may do next depends on nothing else, so it is worked out once for each cell and
remembered, whatever goes on around it. What its step does elsewhere is a list of pokes, each to
one other cell: a message to put, something that happens to it in the same moment, or a test
that must pass. A composed state is the row of its cells. The core's ``step`` runs once for each
distinct local step (component state, event), however many cells share it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import attrs

from chc_ref.core.messages import Received, Send
from chc_ref.core.transport import RetransmitTimer
from chc_ref.core.values import Address
from chc_ref.system.composition import WORLD, Happen, Lose, State, System
from chc_ref.system.endpoint import acknowledgement
from chc_ref.system.network import Deliver, Double, Drop, keep, message_at, put, remove
from chc_ref.system.world import Crash

Row = tuple[int, ...]
"""Cell of each component, by position; then that of the network's budget, if it has one."""

Pokes = tuple[tuple[int, int], ...]
"""(position, poke) of what happens elsewhere, in order."""

Move = tuple[int, int, Pokes]
"""What may happen at a cell: the action's code, the cell after it, what it does elsewhere."""

Poked = tuple[int, Pokes] | None
"""A cell after a poke, and what that does elsewhere in turn; None where it is not possible."""


class Interner:
    """Dense ids for values; equal values get one id."""

    def __init__(self, *values: Hashable) -> None:
        self.values: list[Any] = []
        self.ids: dict[Any, int] = {}
        for value in values:
            self(value)

    def __call__(self, value: Hashable) -> int:
        """Give the id of ``value``."""
        found = self.ids.get(value)
        return self.add(value) if found is None else found

    def add(self, value: Hashable) -> int:
        """Give an id to a value that has none yet."""
        new = self.ids[value] = len(self.values)
        self.values.append(value)
        return new


class Memo(dict[Any, Any]):
    """Remembered results of a function; looking one up is nearly all that a search does."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, key: Any) -> Any:
        """Ask the function, once for each key."""
        value = self[key] = self.function(key)
        return value


class Cell(NamedTuple):
    """What an id of a cell stands for; a plain tuple, for it is looked up most of all."""

    at: int
    state: int
    contents: Row
    """Of the component's inbox, by channel."""


@attrs.frozen(cache_hash=True)
class Put:
    """Poke: a message onto a channel of the inbox."""

    channel: int
    message: int


@attrs.frozen(cache_hash=True)
class Strike:
    """Poke: an event happens to the component in the same moment."""

    event: int


@attrs.frozen(cache_hash=True)
class Empty:
    """Poke: all that is under way on a channel is lost; not possible if nothing is."""

    channel: int


@attrs.frozen(cache_hash=True)
class Spend:
    """Poke: the network does something wrong; not possible beyond its budget."""

    doublings: int
    losses: int


@attrs.frozen(cache_hash=True)
class IfUp:
    """Poke: a test that the component is up."""


@attrs.frozen(cache_hash=True)
class IfCalm:
    """Poke: a test that the manager has nobody to bring back."""


@attrs.frozen(cache_hash=True)
class IfIdle:
    """Poke: a test that nothing, or that something, is under way on a channel."""

    channel: int
    idle: bool


Poke = Put | Strike | Empty | Spend | IfUp | IfIdle

NOTHING = 0
"""Id of the empty content."""

INTERNED = ("messages", "contents", "events", "cells", "actions", "pokes")
"""Tables of a system whose ids others use."""


class Cells:
    """The cells of a system, with what may happen at each."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.width = len(system.names)
        self.ends = [(system.index[source], system.index[to]) for source, to in system.channels]
        self.slots = {
            channel: slot for inbox in system.inboxes for slot, channel in enumerate(inbox)
        }
        self.states = [Interner() for _ in range(self.width + 1)]
        self.messages = Interner()
        self.contents = Interner(())
        self.events = Interner()
        """(component, event) of everything that happens to a component."""
        self.cells = Interner()
        self.actions = Interner()
        self.pokes = Interner()
        self.locals: dict[tuple[int, int], tuple[int, Pokes]] = {}
        """Of each local step, by state and event: the state after it, and its pokes."""
        self.worldly: set[tuple[int, int]] = set()
        """States of the world before and after what it does."""
        self.plain = Memo(self._is_plain)
        """By component and its state, whether heads of channels are all that it may take."""
        self.heads = Memo(self._head)
        """The first message of a content, and the content behind it."""
        self._deliver = Memo(lambda channel: self.actions(Deliver(*system.channels[channel])))
        self._put_as = Memo(lambda of: self.pokes(Put(*of)))
        self.taken = Memo(self._take)
        """What comes of taking a message, by state, channel and message; without what is left."""
        self.put_by = Memo(self._put_by)
        """(place in the inbox, message) of a poke that puts one, and None for others."""
        self.puts = Memo(self._put)
        """The content behind a message put, by content and message."""
        self._receipts = Memo(self._receipt)
        self._ups = Memo(lambda of: self.system.is_up(of[0], self.states[of[0]].values[of[1]]))
        self._idle = Memo(self._is_idle)
        self._offered = Memo(self._offers)

    @property
    def local_steps(self) -> int:
        """Count the distinct local steps so far: how often the core had to be asked."""
        return len(self.locals)

    def saved(self) -> dict[str, Any]:
        """Give all that was interned, and the local steps; for ``restore``."""
        interned = {name: getattr(self, name).values for name in INTERNED}
        states = [one.values for one in self.states]
        return {**interned, "states": states, "locals": self.locals, "worldly": self.worldly}

    def restore(self, saved: dict[str, Any]) -> None:
        """Put back what ``saved`` gave, for the same system."""
        for name in INTERNED:
            setattr(self, name, Interner(*saved[name]))
        self.states = [Interner(*values) for values in saved["states"]]
        self.locals, self.worldly = saved["locals"], saved["worldly"]

    def row(self, state: State) -> Row:
        """Give the row of a composed state."""
        contents = [self.contents(tuple(map(self.messages, content))) for content in state.channels]
        row = [
            self.cell(
                at, self.states[at](component), tuple(contents[c] for c in self.system.inboxes[at])
            )
            for at, component in enumerate(state.components)
        ]
        if state.left:
            row.append(self.cell(self.width, self.states[self.width](state.left), ()))
        return tuple(row)

    def state(self, row: Row) -> State:
        """Give the composed state of a row."""
        cells = [self.cells.values[cell] for cell in row]
        channels: list[Any] = [()] * len(self.ends)
        for at, inbox in enumerate(self.system.inboxes):
            for channel, content in zip(inbox, cells[at].contents, strict=True):
                channels[channel] = tuple(
                    self.messages.values[message] for message in self.contents.values[content]
                )
        states = [self.value(cell) for cell in row]
        left = states[self.width] if len(row) > self.width else ()
        return State(tuple(states[: self.width]), tuple(channels), left)

    def view(self, row: Row) -> dict[Address, Any]:
        """Give the component states of a row by address."""
        return {
            name: self.system.seen(self.value(row[at])) for at, name in enumerate(self.system.names)
        }

    def value(self, cell: int) -> Any:
        """Give the component's state in a cell."""
        of: Cell = self.cells.values[cell]
        return self.states[of.at].values[of.state]

    # ------------------------------------------------------------------ what may happen

    def is_quiet(self, cell: int) -> bool:
        """Tell whether nothing is under way to a cell, and only a crash or a timer may come."""
        of: Cell = self.cells.values[cell]
        if any(of.contents):
            return False
        return of.at == self.width or self._idle[of.at, of.state]

    def urgent(self, cell: int) -> tuple[int, int] | None:
        """Give (channel, place) of what must happen before anything else does, if anything."""
        if self.system.network.transport:
            of: Cell = self.cells.values[cell]
            state = self.value(cell)
            inbox = self.system.inboxes[of.at] if of.at < self.width else ()
            for channel, content in zip(inbox, of.contents, strict=True):
                place = acknowledgement(state, self._values(content))
                if place is not None:
                    return channel, place
        return None

    def moves(self, cell: int) -> tuple[Move, ...]:
        """Give all that may happen at a cell, in a fixed order."""
        of: Cell = self.cells.values[cell]
        if of.at == self.width:
            return ()
        if self.plain[of.at, of.state]:
            return tuple(self._deliveries(of))
        urgent = self.urgent(cell)
        if urgent is not None:
            return tuple(self._crossings(of, *urgent))
        found = self._deliveries(of)
        if not self._ups[of.at, of.state]:
            found += self._losses(cell, of)
        if self._offered[of.at, of.state]:
            found += self._events(of)
        return tuple(found)

    def _deliveries(self, of: Cell) -> list[Move]:
        """Let the head of each channel be taken. Searches ask for little else."""
        at, state, contents = of
        inbox, found = self.system.inboxes[at], list[Move]()
        for slot, content in enumerate(contents):
            if content == NOTHING:
                continue
            channel = inbox[slot]
            if self.system.faulty[channel]:
                found += self._crossings(of, channel)
                continue
            message, rest = self.heads[content]
            code, after, pokes = self.taken[state, channel, message]
            left = (*contents[:slot], rest, *contents[slot + 1 :])
            found.append((code, self.cell(at, after, left), pokes))
        return found

    def _is_plain(self, of: tuple[int, int]) -> bool:
        system, at = self.system, of[0]
        if at == self.width or system.network.transport:
            return False
        if any(system.faulty[channel] for channel in system.inboxes[at]):
            return False
        return self._ups[of] and not self._offered[of]

    def _head(self, content: int) -> tuple[int, int]:
        message, *rest = self.contents.values[content]
        return message, self.contents(tuple(rest))

    def _take(self, key: tuple[int, int, int]) -> Move:
        """Let a component in a state take a message from a channel; give the state after it."""
        state, channel, message = key
        found = self._local(self.ends[channel][1], state, self._receipts[channel, message])
        return self._deliver[channel], *found

    def _crossings(self, of: Cell, channel: int, only: int | None = None) -> Iterator[Move]:
        """Let each message of a faulty channel be taken, stay or vanish."""
        slot = self.slots[channel]
        values = self._values(of.contents[slot])
        source, to = self.system.channels[channel]
        for crossing in self.system.network.crossings(source, to, values, (1, 1)):
            if only not in (None, crossing.place):
                continue
            doubles, drops = isinstance(crossing, Double), isinstance(crossing, Drop)
            rest = (keep if doubles else remove)(values, crossing.place)
            after, pokes = of.state, tuple[tuple[int, int], ...]()
            if not drops:
                message = self.messages(message_at(values, crossing.place))
                after, pokes = self._local(of.at, of.state, self._receipts[channel, message])
            content = self.contents(tuple(map(self.messages, rest)))
            if doubles or drops:
                spend = self.pokes(Spend(int(doubles), int(drops)))
                pokes = ((self.width, spend), *pokes)
            cell = self.cell(of.at, after, self._with(of.contents, slot, content))
            yield self.actions(crossing), cell, pokes

    def _losses(self, cell: int, of: Cell) -> Iterator[Move]:
        """Let what a component that is down has sent be lost."""
        for channel, (source, to) in enumerate(self.ends):
            if source == of.at and self.system.lossy[channel]:
                lose = self.actions(Lose(*self.system.channels[channel]))
                yield lose, cell, ((to, self.pokes(Empty(channel))),)

    def _events(self, of: Cell) -> Iterator[Move]:
        for code, after, pokes, only_alone in self._offered[of.at, of.state]:
            moved = self.cell(of.at, after, of.contents)
            if not only_alone:
                yield code, moved, pokes
                continue
            for alone in self._stuck(of, self.states[of.at].values[of.state]):
                yield code, moved, alone + pokes

    def _is_idle(self, of: tuple[int, int]) -> bool:
        """Tell of a component and its state whether only a crash or a timer may come by itself."""
        offers = self.system.offers(of[0], self.states[of[0]].values[of[1]])
        return all(isinstance(event, Crash | RetransmitTimer) for event in offers)

    def _offers(self, of: tuple[int, int]) -> list[tuple[int, int, Pokes, bool]]:
        """Give what may happen at a component by itself, whatever is under way to it.

        Returns:
            Of each the action's code, the state after it, what it does elsewhere, and whether it
            must be alone (``_stuck``).

        """
        at, state = of
        name, found = self.system.names[at], []
        happened = self._willed if name == WORLD else self._happened
        for event in self.system.offers(at, self.states[at].values[state]):
            code = self.actions(Happen(name, event))
            found.append((code, *happened(at, state, event), isinstance(event, RetransmitTimer)))
        return found

    def _happened(self, at: int, state: int, event: Any) -> tuple[int, Pokes]:
        return self._local(at, state, self._event(self.system.names[at], event))

    def _willed(self, at: int, state: int, event: Any) -> tuple[int, Pokes]:
        """Let the world do something, which strikes others in the same moment."""
        after, directs = self.system.local(at, self.states[at].values[state], event)
        tests = self._tests(event) if isinstance(event, Crash) else []
        strikes = [(d.to, Strike(self._event(d.to, d.event))) for d in directs]
        pokes = tuple((self.system.index[to], self.pokes(p)) for to, p in tests + strikes)
        then = self.states[at](after)
        self.worldly.add((state, then))
        return then, pokes

    def _tests(self, crash: Crash) -> list[tuple[str, Any]]:
        """Give what must be so for a component to crash."""
        calm = [("manager", IfCalm())] if self.system.world.apart else []
        return [(crash.address, IfUp()), *calm]

    def _stuck(self, of: Cell, state: Any) -> Iterator[Pokes]:
        """Give tests of which one passes when nothing of a transport's is under way to a peer."""
        before: Pokes = ()
        for to, back in self.system.awaited(of.at, state):
            if of.contents[self.slots[back]] == NOTHING:
                at = self.ends[to][1]
                yield (*before, (at, self.pokes(IfIdle(to, True))))
                before = (*before, (at, self.pokes(IfIdle(to, False))))

    # ------------------------------------------------------------------ pokes

    def poked(self, cell: int, poke: int) -> Poked:
        """Let something that happens elsewhere have its effect on a cell."""
        of: Cell = self.cells.values[cell]
        found = self.put_by[poke]
        if found is not None:  # nearly all put a message
            at, state, contents = of
            slot, message = found
            content = self.puts[contents[slot], message]
            return self.cell(at, state, (*contents[:slot], content, *contents[slot + 1 :])), ()
        match self.pokes.values[poke]:
            case Strike(event):
                after, pokes = self._local(of.at, of.state, event)
                return self.cell(of.at, after, of.contents), pokes
            case Empty(channel):
                slot = self.slots[channel]
                if of.contents[slot] == NOTHING:
                    return None
                return self.cell(of.at, of.state, self._with(of.contents, slot, NOTHING)), ()
            case Spend(doublings, losses):
                left = self.value(cell)
                if doublings > left[0] or losses > left[1]:
                    return None
                less = self.states[of.at]((left[0] - doublings, left[1] - losses))
                return self.cell(of.at, less, ()), ()
            case IfUp():
                passes = self._ups[of.at, of.state]
            case IfCalm():
                passes = self.system.is_calm(self.value(cell))
            case IfIdle(channel, idle):
                passes = (of.contents[self.slots[channel]] == NOTHING) == idle
        return (cell, ()) if passes else None

    # ------------------------------------------------------------------ local steps

    def _receipt(self, key: tuple[int, int]) -> int:
        """Give the event that the receiver of a channel takes a message."""
        channel, message = key
        source, to = self.system.channels[channel]
        return self._event(to, Received(source, self.messages.values[message]))

    def _local(self, at: int, state: int, number: int) -> tuple[int, Pokes]:
        """Let the core take one local step, unless it has done so before."""
        found = self.locals.get((state, number))
        if found is None:
            event = self.events.values[number][1]
            after, sends = self.system.local(at, self.states[at].values[state], event)
            pokes = tuple([self._sent(self.system.names[at], send) for send in sends])
            found = self.locals[state, number] = (self.states[at](after), pokes)
        return found

    def _sent(self, source: Address, send: Send) -> tuple[int, int]:
        """Give where a message goes, and as what."""
        channel, message = self.system.channel(source, send.to), send.message
        if self.system.faulty[channel]:
            message = self.system.network.sent(source, send.to, message)
        return self.ends[channel][1], self._put_as[channel, self.messages(message)]

    def _event(self, name: Address, event: Any) -> int:
        return self.events((self.system.index[name], event))

    def _put_by(self, poke: int) -> tuple[int, int] | None:
        what = self.pokes.values[poke]
        return (self.slots[what.channel], what.message) if isinstance(what, Put) else None

    def _put(self, key: tuple[int, int]) -> int:
        content, message = key
        new = put(self._values(content), self.messages.values[message])
        return self.contents(tuple(map(self.messages, new)))

    def _values(self, content: int) -> tuple[Any, ...]:
        return tuple(self.messages.values[one] for one in self.contents.values[content])

    def cell(self, at: int, state: int, contents: Row) -> int:
        """Give the id of a cell: a plain tuple finds it, and is made faster than a named one."""
        found = self.cells.ids.get((at, state, contents))
        return self.cells.add(Cell(at, state, contents)) if found is None else found

    @staticmethod
    def _with(contents: Row, slot: int, content: int) -> Row:
        return (*contents[:slot], content, *contents[slot + 1 :])
