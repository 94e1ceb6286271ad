"""Story: a counterexample as what a picture shows: lanes, and what happens there at each step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from chc_ref.check import differences
from chc_ref.check.counterexample import Counterexample
from chc_ref.check.differences import ABSENT, Change
from chc_ref.core.chain import Chain
from chc_ref.core.values import Address
from chc_ref.export.labels import label
from chc_ref.export.ways import Fate, Way, ways
from chc_ref.system.composition import WORLD, Action, Again, Happen, Lose
from chc_ref.system.network import Double, Drop
from chc_ref.system.world import Crash

MOST_LINES = 5
"""Changes of one component that are shown at a step; of more, the number."""

FIRST = (
    "up",
    "values",
    "log",
    "blocked",
    "fifo",
    "ready",
    "held",
    "aside",
    "late",
    "work",
    "owned",
    "owners",
    "waiting",
    "outputs",
    "alerts",
)
"""Fields that are shown before others: values of the store, the log, and what is buffered."""

HISTORY = {"arrived", "operated", "crashed", "entered", "versions"}
"""Fields that are there for world and requirements, and tell nothing that the step does not."""

NOTHING = {"", ABSENT, label(None)}


@attrs.frozen
class Note:
    """What happens at one component in one step."""

    at: Address
    title: str
    """What it takes, or what happens to it."""
    lines: tuple[str, ...]
    """What changes there, the most telling first."""
    more: int
    """How many changes are left out."""
    whole: str
    """All of them, as in the list of steps."""


@attrs.frozen
class Moment:
    """One step."""

    number: int
    action: Action
    words: str
    notes: tuple[Note, ...]
    """The first is about the component that the step is one of."""
    came: tuple[Way, ...]
    """Messages whose way ends here."""
    crashed: Address = ""
    world: tuple[Address, ...] = ()
    """Components that the world does something to."""


@attrs.frozen
class Story:
    """All of it."""

    found: Counterexample
    lanes: tuple[Address, ...]
    unused: tuple[Address, ...]
    """Components that nothing happens at: they have no lane."""
    moments: tuple[Moment, ...]
    ways: tuple[Way, ...]

    def is_up(self, lane: Address, number: int) -> bool:
        """Tell whether a component is up behind a step; 0 is the beginning."""
        at = self.found.system.index[lane]
        state = self.found.states[min(number, len(self.found.states) - 1)]
        return self.found.system.is_up(at, state.components[at])


def story(found: Counterexample) -> Story:
    """Make a story of a counterexample.

    Raises:
        CheckerError: its steps do not explain what is under way.

    """
    all_ways = ways(found)
    moments = tuple(_moments(found, all_ways))
    used = {end for way in all_ways for end in (way.source, way.to)}
    used |= {note.at for moment in moments for note in moment.notes}
    if any(moment.world for moment in moments):
        used.add(WORLD)
    order = sorted(found.system.names, key=lambda name: _place(found.model.chain, name))
    lanes = tuple(name for name in order if name in used)
    unused = tuple(name for name in order if name not in used and name != WORLD)
    return Story(found, lanes, unused, moments, all_ways)


def _place(chain: Chain, name: Address) -> int:
    """From left to right: who asks, the way of a packet with the stores behind it, the sink."""
    if name in chain.root_addresses:
        return 2
    if name in chain.stores:
        return 4
    return {WORLD: 0, "manager": 1, "sink": 5}.get(name, 3)


def _moments(found: Counterexample, all_ways: tuple[Way, ...]) -> Iterator[Moment]:
    for step in found.steps():
        number, action = step.number, step.action
        came = tuple(w for w in all_ways if w.ended == number and w.fate is not Fate.LEFT)
        before = found.states[number - 1]
        after = found.states[number] if number < len(found.states) else before
        changes = differences.between(found.system, before, after, lambda one: label(one) or "''")
        titles = dict(_titles(found, number, action, came))
        for change in changes:  # of what no title is about: the network's budget apart
            if change.component in found.system.index and change.component != WORLD:
                titles.setdefault(change.component, "")
        lost = tuple(label(w.message) for w in came if w.fate in (Fate.LOST, Fate.DROPPED))
        notes = tuple(
            _note(at, title, lost, changes, [str(c) for c in step.changes if c.component == at])
            for at, title in titles.items()
        )
        world = isinstance(action, Happen) and action.at == WORLD
        event = action.event if isinstance(action, Happen) else None
        yield Moment(
            number,
            action,
            step.words,
            notes,
            came,
            event.address if isinstance(event, Crash) else "",
            tuple(titles) if world else (),
        )


def _titles(
    found: Counterexample, number: int, action: Action, came: tuple[Way, ...]
) -> Iterator[tuple[Address, str]]:
    """Give who is struck by a step, and by what."""
    if isinstance(action, Lose):
        yield action.source, f"lost on the way to {action.to}"
        return
    if isinstance(action, Drop):
        yield action.source, f"lost by the network on the way to {action.to}"
        return
    if isinstance(action, Again):
        yield action.to, f"once more from {action.source}: {label(action.messages)}"
        return
    if not isinstance(action, Happen):
        for way in came:
            deaf = "not heard: " if way.fate is Fate.DEAF else ""
            copied = "; a copy stays under way" if isinstance(action, Double) else ""
            yield way.to, f"{deaf}{label(way.message)}{copied}"
        return
    if action.at != WORLD:
        yield action.at, label(action.event)
        return
    at = found.system.index[WORLD]
    _, directs = found.system.local(at, found.states[number - 1].components[at], action.event)
    for direct in directs:
        if isinstance(action.event, Crash):
            victim = action.event.address
            yield direct.to, "crash" if direct.to == victim else f"{victim} has failed"
        else:
            yield direct.to, label(action.event)


def _note(
    at: Address, title: str, lost: tuple[str, ...], changes: tuple[Change, ...], whole: list[str]
) -> Note:
    mine = [change for change in changes if change.component == at]
    told = [change for change in mine if _head(change) not in HISTORY]
    told.sort(key=lambda change: FIRST.index(_head(change)) if _head(change) in FIRST else 99)
    shown = tuple(map(_line, told[:MOST_LINES]))
    return Note(at, title, (*lost, *shown), len(mine) - len(shown), "\n".join(whole))


def _head(change: Change) -> str:
    """Give the name of the field that a change is about: ``memory.values[x]`` is of values."""
    return _field(change).partition("[")[0].partition(".")[0]


def _field(change: Change) -> str:
    """Give the way to a field without the machine that it is in: a lane is one component."""
    return re.sub(
        r"^(?:(?:root|queue|instance|client|splitter|memory|transport)\.)+", "", change.field
    )


def _line(change: Change) -> str:
    field = _field(change)
    if (change.old, change.new) == ("false", "true"):
        return field
    if (change.old, change.new) == ("true", "false"):
        return f"not {field}"
    if {change.old, change.new} == {ABSENT, "true"}:  # a map that stands for a set
        of, _, key = field.removesuffix("]").partition("[")
        return f"{of} {'+' if change.old == ABSENT else '−'} {key}"
    if change.old in NOTHING:
        return f"{field} + {change.new}"
    if change.new in NOTHING:
        return f"{field} − {change.old}"
    return f"{field} {change.old} → {change.new}"


def end(found: Counterexample) -> tuple[str, ...]:
    """Give what is violated, what that means, and where to read on: a line each."""
    lines = [f"violated: {found.violated}" if found.violated else "violates nothing"]
    if found.meaning:
        lines.append(f"{found.requirement}: {found.meaning}")
    if found.clauses:
        lines.append(f"clauses: {', '.join(found.clauses)}")
    if found.simplified:
        lines.append(found.simplified)
    return tuple(lines)


def plain(value: Any) -> str:
    """Give a text that may stand in XML: without what no document may hold."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\x7f", "?", str(value))
