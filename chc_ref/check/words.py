"""Words: actions of a run as protocol steps, for counterexamples, schedules and their replays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from chc_ref.core.messages import FlushTimer
from chc_ref.core.transport import RetransmitTimer
from chc_ref.core.values import Map, ObjectKey, UpdateId, sorted_items
from chc_ref.system.composition import Action, Again, Happen, Lose, State, System
from chc_ref.system.network import Deliver, Double, Drop, Stray, message_at, remove
from chc_ref.system.world import Arrival, Chance, Checkpoint, Crash, Forgetting, Operate, Period


def describe(system: System, actions: Iterable[Action]) -> tuple[str, ...]:
    """Put a run into words, one line a step, running it through the composition again."""
    state = system.initial
    last: Action | None = None
    lines = []
    for number, action in enumerate(actions, start=1):
        if last is not None:
            state = system.step(state, last)
        lines.append(f"{number:3} {say(system, state, action)}")
        last = action  # not taken yet: the last of all may be one that the core fails in
    return tuple(lines)


TIMERS: dict[type, str] = {FlushTimer: "flush", RetransmitTimer: "retransmit"}
OF_THE_WORLD: dict[type, str] = {
    Arrival: "arrive",
    Operate: "operate",
    Checkpoint: "checkpoint",
    Chance: "draw",
    Period: "poll",
    Forgetting: "forget",
}
"""What the world does in an order that is fixed: which one it is goes without saying."""


def step_name(action: Action) -> str:
    """Name an action as a schedule does; no two that are possible in one state share a name."""
    match action:
        case Happen(_, Crash(address)):
            return f"crash {address}"
        case Happen(_, Arrival(_, flow)) if flow is not None:
            return f"arrive {flow}"
        case Happen(at, event):
            kind = type(event)
            return OF_THE_WORLD[kind] if kind in OF_THE_WORLD else f"{TIMERS[kind]} {at}"
        case Lose(source, to):
            return f"lose {source} -> {to}"
        case Again(source, to, messages):
            return f"again {source} -> {to} #{len(messages)}"
    what = {Deliver: "", Double: "double ", Drop: "drop "}[type(action)]
    place = f" #{action.place}" if action.place else ""
    return f"{what}{action.source} -> {action.to}{place}"


def say(system: System, state: State, action: Action) -> str:
    """Put one action into words."""
    if isinstance(action, Happen):
        return f"{action.at}: {short(action.event)}"
    content = state.channels[system.channel(action.source, action.to)]
    way = f"{action.source} -> {action.to}"
    if isinstance(action, Again):
        return f"{way}: once more: {', '.join(map(short, action.messages))}"
    if isinstance(action, Lose):
        return f"{way}: lost: {', '.join(map(short, content))}"
    message = short(message_at(content, action.place))
    if isinstance(action, Drop):
        return f"{way}: lost on the network: {message}"
    if isinstance(action, Double):
        return f"{way}: {message}; a copy stays under way"
    if isinstance(content[action.place], Stray):
        left = remove(content, action.place)
        later = f"; still under way: {', '.join(map(short, left))}" if left else ""
        return f"{way}: {message}{later}"
    return f"{way}: {message}"


def short(value: Any) -> str:
    """Print a message or event without the fields that have their default.

    Objects and updates go by their names.
    """
    if isinstance(value, Stray):
        value = value.message
    if isinstance(value, tuple):
        return f"({', '.join(map(short, value))})"
    if isinstance(value, Map):  # its own order, and that of a set, is another in each process
        return f"{{{', '.join(f'{short(k)}: {short(v)}' for k, v in sorted_items(value))}}}"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(short, value)))}}}"
    if not attrs.has(type(value)) or isinstance(value, ObjectKey):
        return str(value)
    if isinstance(value, UpdateId) and not value.branch:
        return str(value)
    fields = []
    for field in attrs.fields(type(value)):
        content = getattr(value, field.name)
        if content not in (field.default,):  # unlike !=, right about two empty maps
            fields.append(f"{field.name}={short(content)}")
    return f"{type(value).__name__}({', '.join(fields)})" if fields else type(value).__name__
