"""Explorer: every interleaving of a model, breadth first, on the core's own ``step``.

Component states, messages, channel contents and events are interned to small integers, and a
composed state is a tuple of them. A local step (component state, event) is computed once and
remembered, whatever else is under way; so the core runs far more seldom than the search takes
transitions, and both numbers are reported. States are compared whole: nothing is hashed away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import attrs

from chc_ref.check import schedule
from chc_ref.check.model import Model
from chc_ref.check.words import describe
from chc_ref.core.messages import Received, Send
from chc_ref.core.rules import Rules
from chc_ref.core.transport import RetransmitTimer
from chc_ref.core.values import Address
from chc_ref.errors import UsageError
from chc_ref.require.coe import Difference
from chc_ref.require.predicates import WITNESSES, Predicate, Requirements
from chc_ref.system.composition import WORLD, Action, Happen, Lose, System
from chc_ref.system.endpoint import SITUATIONS, acknowledgement
from chc_ref.system.network import (
    Deliver,
    Double,
    Drop,
    keep,
    message_at,
    put,
    remove,
)
from chc_ref.system.world import Crash
from chc_ref.verdict import Report, Verdict

Row = tuple[int, ...]
"""Ids of the component states, then of the channel contents; then what the network may still
do wrong, if it may."""

Step = tuple[int, int, tuple[tuple[int, int], ...]]
"""Remembered local step: the channel's new content, the new state, (position, message) sent."""

Local = tuple[int, tuple[tuple[int, int], ...]]
"""Remembered outcome of the core's ``step``: the new state, and (position, message) sent."""

Cross = tuple[int, Step, int, int]
"""Remembered step over a faulty channel: its code, the step, and the doublings and losses that
it takes."""

Progress = Callable[[int, int, int], None]
"""Called with (states, frontier, depth)."""


@attrs.frozen
class Limits:
    """Bounds of a search; hitting one makes the verdict INCONCLUSIVE."""

    states: int = 5_000_000
    seconds: float = 600.0


@attrs.frozen
class Found:
    """Outcome of a search before it is put into words."""

    difference: Difference | None
    row: Row | None
    stopped: str
    """Why the search stopped early, or empty."""


class Interner:
    """Dense ids for values; equal values get one id."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.ids: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        """Give the id of ``value``."""
        found = self.ids.get(value)
        if found is None:
            found = self.ids[value] = len(self.values)
            self.values.append(value)
        return found


class Memo(dict[Any, Any]):
    """Remembered results of a function; looking one up is nearly all that a search does."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, key: Any) -> Any:
        """Ask the function, once for each key."""
        value = self[key] = self.function(key)
        return value


class Tables:
    """The model as integers: interned values and remembered local steps."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.width = len(system.names)
        self.states = [Interner() for _ in system.names]
        self.messages = Interner()
        self.contents = Interner()
        self.contents(())
        self.events = Interner()
        """(component, event) of everything that happens to a component."""
        self.crossings = Interner()
        """What happens to messages of faulty channels."""
        self.ends = [(system.index[source], system.index[to]) for source, to in system.channels]
        self.end = self.width + len(self.ends)
        self._locals: dict[tuple[int, int], Local] = {}
        self._deliveries: list[dict[tuple[int, int], Step]] = [{} for _ in system.channels]
        self._crosses: list[dict[tuple[int, int], list[Cross]]] = [{} for _ in system.channels]
        self._directs: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        self._offers: list[dict[int, tuple[int, ...]]] = [{} for _ in system.names]
        self._pushes = Memo(self._push)
        """By (content, message): the content with that message at its end."""
        self._down: list[dict[int, bool]] = [{} for _ in system.names]
        self._hurries: dict[tuple[int, int, int], int | None] = {}
        self._awaited: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._lossy = system.lossy

    @property
    def local_steps(self) -> int:
        """Count the distinct local steps so far: how often the core had to be asked."""
        return len(self._locals)

    def initial(self) -> Row:
        """Give the initial state's row."""
        initial = self.system.initial
        components = [self.states[at](state) for at, state in enumerate(initial.components)]
        return (*components, *([0] * len(initial.channels)), *initial.left)

    def successors(self, row: Row) -> list[tuple[int, Row]]:
        """Give (code, row) of every action of a state, in a fixed order.

        A code below the number of channels delivers, below twice that loses, and the rest
        are events of ``self.events``; one below zero is -1 minus its place in ``self.crossings``.
        """
        found: list[tuple[int, Row]] = []
        width, ends, channels = self.width, self.ends, len(self.ends)
        deliveries, pushes, faulty = self._deliveries, self._pushes, self.system.faulty
        if self.system.network.transport:
            found = self._hurried(row)
            if found:
                return found
        for channel, content in enumerate(row[width : self.end]):
            if content:
                source, to = ends[channel]
                step = deliveries[channel].get((row[to], content))
                if step is None and faulty[channel]:
                    found += self._crossed(row, channel, content)
                else:
                    if step is None:
                        step = self._delivery(channel, row[to], content)
                    new = list(row)
                    new[width + channel], new[to], sends = step
                    for position, message in sends:
                        new[position] = pushes[new[position], message]
                    found.append((channel, tuple(new)))
                if self._lossy[channel] and self._is_down(source, row[source]):
                    new = list(row)
                    new[width + channel] = 0
                    found.append((channels + channel, tuple(new)))
        for at in range(width):
            offered = self._offers[at].get(row[at])
            if offered is None:
                offered = self._offered(at, row[at])
            for number in offered:
                happened = self._happened(row, at, number)
                if happened is not None:
                    found.append((2 * channels + number, happened))
        return found

    def quiet(self, row: Row) -> bool:
        """Tell whether nothing can happen any more, but for crashes and timers without effect."""
        return not any(row[self.width : self.end]) and all(
            self._is_idle(row, at, number)
            for at in range(self.width)
            for number in self._offered(at, row[at])
        )

    def _is_idle(self, row: Row, at: int, number: int) -> bool:
        event = self.events.values[number][1]
        if isinstance(event, RetransmitTimer):
            return self._happened(row, at, number) in (None, row)
        return isinstance(event, Crash)

    def action(self, code: int) -> Action:
        """Give the action that a code stands for."""
        channels = len(self.ends)
        if code < 0:
            crossing: Action = self.crossings.values[-1 - code]
            return crossing
        if code < channels:
            return Deliver(*self.system.channels[code])
        if code < 2 * channels:
            return Lose(*self.system.channels[code - channels])
        at, event = self.events.values[code - 2 * channels]
        return Happen(self.system.names[at], event)

    def view(self, row: Row) -> dict[str, Any]:
        """Give the component states of a row by address."""
        return {
            name: self.system.seen(self.states[at].values[row[at]])
            for at, name in enumerate(self.system.names)
        }

    def _delivery(self, channel: int, state: int, content: int) -> Step:
        message, *rest = self.contents.values[content]
        after, sends = self._taken(channel, state, self.messages.values[message])
        step = (self.contents(tuple(rest)), after, sends)
        self._deliveries[channel][state, content] = step
        return step

    def _crossed(
        self, row: Row, channel: int, content: int, only: int | None = None
    ) -> list[tuple[int, Row]]:
        """Let each message of a faulty channel be taken, stay or vanish."""
        state = row[self.ends[channel][1]]
        crosses = self._crosses[channel].get((state, content))
        if crosses is None:
            crosses = self._crossing(channel, state, content, only)
            self._crosses[channel][state, content] = crosses
        found, pushes = [], self._pushes
        for code, step, doublings, losses in crosses:
            if doublings > row[-2] or losses > row[-1]:
                continue
            new = list(row)
            new[-2] -= doublings
            new[-1] -= losses
            new[self.width + channel], new[self.ends[channel][1]], sends = step
            for position, message in sends:
                new[position] = pushes[new[position], message]
            found.append((code, tuple(new)))
        return found

    def _hurried(self, row: Row) -> list[tuple[int, Row]]:
        """Give what must happen before anything else does, if there is such a thing."""
        for channel, content in enumerate(row[self.width : self.end]):
            if content:
                to = self.ends[channel][1]
                key = (channel, row[to], content)
                if key not in self._hurries:
                    values = tuple(self.messages.values[m] for m in self.contents.values[content])
                    place = acknowledgement(self.states[to].values[row[to]], values)
                    self._hurries[key] = place
                place = self._hurries[key]
                if place is not None:
                    return self._crossed(row, channel, content, place)
        return []

    def _crossing(self, channel: int, state: int, content: int, only: int | None) -> list[Cross]:
        """Find out what may happen on a faulty channel, with any budget.

        State and content alone decide whether some message hurries, so ``only`` is no key.
        """
        source, to = self.system.channels[channel]
        ids = self.contents.values[content]
        values = tuple(self.messages.values[one] for one in ids)
        crosses: list[Cross] = []
        for crossing in self.system.network.crossings(source, to, values, (1, 1)):
            place = crossing.place
            if only not in (None, place):
                continue
            code = -1 - self.crossings(crossing)
            doubles, drops = isinstance(crossing, Double), isinstance(crossing, Drop)
            rest = (keep if doubles else remove)(values, place)
            after: int = state
            sends: tuple[tuple[int, int], ...] = ()
            if not drops:
                after, sends = self._taken(channel, state, message_at(values, place))
            step = (self.contents(tuple(self.messages(one) for one in rest)), after, sends)
            crosses.append((code, step, int(doubles), int(drops)))
        return crosses

    def _taken(self, channel: int, state: int, message: Any) -> Local:
        """Let the receiver of a channel, in ``state``, take ``message``."""
        received = Received(self.system.channels[channel][0], message)
        at = self.ends[channel][1]
        return self._local(at, state, self.events((at, received)))

    def _local(self, at: int, state: int, number: int) -> Local:
        """Let the core take one local step, unless it has done so before."""
        found = self._locals.get((state, number))
        if found is None:
            event = self.events.values[number][1]
            after, sends = self.system.local(at, self.states[at].values[state], event)
            out = tuple(self._sent(self.system.names[at], send) for send in sends)
            found = self._locals[state, number] = (self.states[at](after), out)
        return found

    def _sent(self, source: Address, send: Send) -> tuple[int, int]:
        """Give where a message goes, and as what."""
        channel, message = self.system.channel(source, send.to), send.message
        if self.system.faulty[channel]:
            message = self.system.network.sent(source, send.to, message)
        return self.width + channel, self.messages(message)

    def _push(self, pushed: tuple[int, int]) -> int:
        content, message = pushed
        values = tuple(self.messages.values[one] for one in self.contents.values[content])
        new = put(values, self.messages.values[message])
        return self.contents(tuple(self.messages(one) for one in new))

    def _offered(self, at: int, state: int) -> tuple[int, ...]:
        offered = self._offers[at].get(state)
        if offered is None:
            events = self.system.offers(at, self.states[at].values[state])
            offered = self._offers[at][state] = tuple(self.events((at, event)) for event in events)
        return offered

    def _is_down(self, at: int, state: int) -> bool:
        down = self._down[at].get(state)
        if down is None:
            down = not self.system.is_up(at, self.states[at].values[state])
            self._down[at][state] = down
        return down

    def _happened(self, row: Row, at: int, number: int) -> Row | None:
        """Let an event happen, and with the world's what it does at once; None if it cannot."""
        new = list(row)
        event = self.events.values[number][1]
        if self.system.names[at] != WORLD:
            if isinstance(event, RetransmitTimer) and not self._is_stuck(row, at):
                return None
            self._apply(new, at, number)
            return tuple(new)
        if isinstance(event, Crash):
            victim = self.system.index[event.address]
            if self._is_down(victim, row[victim]):
                return None
        step = self._directs.get((row[at], number))
        if step is None:
            state, directs = self.system.local(at, self.states[at].values[row[at]], event)
            numbers = tuple(self.events((self.system.index[d.to], d.event)) for d in directs)
            step = self._directs[row[at], number] = (self.states[at](state), numbers)
        new[at] = step[0]
        for inner in step[1]:
            self._apply(new, self.events.values[inner][0], inner)
        return tuple(new)

    def _is_stuck(self, row: Row, at: int) -> bool:
        awaited = self._awaited.get((at, row[at]))
        if awaited is None:
            awaited = self.system.awaited(at, self.states[at].values[row[at]])
            self._awaited[at, row[at]] = awaited
        return any(not row[self.width + to] and not row[self.width + back] for to, back in awaited)

    def _apply(self, new: list[int], at: int, number: int) -> None:
        pushes = self._pushes
        new[at], sends = self._local(at, new[at], number)
        for position, message in sends:
            new[position] = pushes[new[position], message]


class Explorer:
    """One search of one model. Deterministic: same model, same counts, same counterexample."""

    def __init__(
        self, model: Model, rules: Rules | None = None, limits: Limits | None = None
    ) -> None:
        self.model = model
        self.rules = rules or model.rules
        self.limits = limits or Limits()
        self.system: System = model.system(self.rules)
        self.tables = Tables(self.system)
        self.requirements = Requirements(model.chain)
        self._invariants = [self._invariant(one) for one in self.requirements.invariants()]
        self.parents: dict[Row, tuple[Row, int] | None] = {}
        self.transitions = self.depth = 0
        for name in model.witnesses:
            if name not in WITNESSES and name not in SITUATIONS:
                known = ", ".join(sorted({*WITNESSES, *SITUATIONS}))
                raise UsageError(f"{model.name}: unknown witness {name!r}; known: {known}")

    # ------------------------------------------------------------------ search

    def run(self, progress: Progress | None = None) -> Report:
        """Search until all is seen, a requirement is violated, or a limit is hit."""
        started = time.monotonic()
        found = self._search(started + self.limits.seconds, progress)
        seconds = time.monotonic() - started
        reached = self._witnessed()
        missing = [name for name, shown in reached.items() if not shown]
        trace: tuple[str, ...] = ()
        saved = ""
        if found.difference is not None and found.row is not None:
            verdict, violated = Verdict.VIOLATED, str(found.difference)
            actions = self.path(found.row)
            trace = describe(self.system, actions)
            saved = schedule.write(self.model, actions, violated, self.rules)
        elif found.stopped:
            verdict, violated = Verdict.INCONCLUSIVE, found.stopped
        elif missing:
            verdict, violated = Verdict.INCONCLUSIVE, f"never reached: {', '.join(missing)}"
        else:
            verdict, violated = Verdict.HOLDS, ""
        return Report(
            "explorer",
            self.model.name,
            verdict,
            self.rules.name,
            len(self.parents),
            self.transitions,
            self.depth,
            seconds,
            self.model.bounds,
            violated,
            trace,
            tuple(reached.items()),
            self.tables.local_steps,
            saved,
        )

    def _search(self, deadline: float, progress: Progress | None) -> Found:
        first = self.tables.initial()
        parents = self.parents
        parents[first] = None
        difference = self._judge(first)
        if difference is not None:
            return Found(difference, first, "")
        frontier, successors = [first], self.tables.successors
        while frontier:
            following: list[Row] = []
            for number, row in enumerate(frontier):
                found = successors(row)
                self.transitions += len(found)
                for code, successor in found:
                    if successor in parents:
                        continue
                    parents[successor] = (row, code)
                    difference = self._judge(successor)
                    if difference is not None:
                        self.depth += 1
                        return Found(difference, successor, "")
                    following.append(successor)
                if number % 256 == 0 and time.monotonic() > deadline:
                    return Found(None, None, f"time limit of {self.limits.seconds:g} s")
                if len(parents) > self.limits.states:
                    return Found(None, None, f"limit of {self.limits.states} states")
            frontier = following
            self.depth += bool(frontier)
            if progress is not None:
                progress(len(parents), len(frontier), self.depth)
        return Found(None, None, "")

    # ------------------------------------------------------------------ properties

    def _invariant(self, predicate: Predicate) -> tuple[Callable[[Row], Any], Memo]:
        """Give what an invariant reads of a row, and its judgement of that."""
        places = [self.system.index[name] for name in predicate.reads]
        states, seen = self.tables.states, self.system.seen

        def judged(read: Any) -> Difference | None:
            ids = read if len(places) > 1 else (read,)
            values = (states[at].values[one] for at, one in zip(places, ids, strict=True))
            return predicate.holds(*map(seen, values))

        return itemgetter(*places), Memo(judged)

    def _judge(self, row: Row) -> Difference | None:
        for read, judged in self._invariants:
            difference: Difference | None = judged[read(row)]
            if difference is not None:
                return difference
        if self.tables.quiet(row):
            return self.requirements.at_rest(self.tables.view(row))
        return None

    def _witnessed(self) -> dict[str, bool]:
        """Tell which witnesses were reached: every local state that occurred was interned."""
        return {
            name: any(self._shows(name, state) for of in self.tables.states for state in of.values)
            for name in self.model.witnesses
        }

    def _shows(self, name: str, state: Any) -> bool:
        if name in SITUATIONS:
            return SITUATIONS[name](state)
        return WITNESSES[name](self.system.seen(state))

    # ------------------------------------------------------------------ counterexamples

    def path(self, row: Row) -> list[Action]:
        """Give the shortest way to a state."""
        actions: list[Action] = []
        step = self.parents[row]
        while step is not None:
            row, code = step
            actions.append(self.tables.action(code))
            step = self.parents[row]
        return actions[::-1]
