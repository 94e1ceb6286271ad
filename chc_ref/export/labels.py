"""Labels: messages, events and values in as few words as a picture has room for.

Nothing is decided here but how things are called: the whole of each is in the list of steps.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs

from chc_ref.core.messages import (
    Alert,
    Cache,
    CloneRequested,
    FlushTimer,
    Hosts,
    KeepRequested,
    LastMark,
    Leaving,
    MoveRequested,
    Output,
    Over,
    Packet,
    Passed,
    ReplayEnd,
    Scale,
    ScaleRequested,
)
from chc_ref.core.transport import Datagram, RetransmitTimer
from chc_ref.core.values import Map, ObjectKey, UpdateId, count_of, root_of, sorted_items
from chc_ref.nfs.headers import FiveTuple
from chc_ref.system.world import Arrival, Chance, Checkpoint, Crash, Forgetting, Operate, Period

UNSAID = {
    "branch",
    "cache",
    "earlier",
    "headers",
    "incarnation",
    "latest",
    "leaving",
    "newest",
    "session",
    "share",
    "source",
    "source_incarnation",
    "token",
    "vector",
    "vectors",
    "vertex",
    "waits",
    "blocking",
}
"""Fields that are left out of a label."""

BARE = {
    "access",
    "address",
    "content",
    "entry",
    "flow",
    "id",
    "instance",
    "key",
    "message",
    "mode",
    "object",
    "operation",
    "packet",
    "payload",
    "result",
    "value",
    "values",
    "wish",
}
"""Fields whose value speaks for itself."""

NAMELESS = {
    "Arrive",
    "Copy",
    "Issued",
    "Loaded",
    "LogEntry",
    "Owner",
    "Received",
    "Record",
    "Tenanted",
    "Tenure",
    "Work",
}
"""Classes whose fields speak for themselves."""

NAMESAKES = (Cache, Hosts, Scale)
"""Classes that the fields which hold them are called by."""

MARKS = (LastMark, Passed, ReplayEnd, Leaving, Over)

NAMES: dict[type, str] = {
    MoveRequested: "move",
    CloneRequested: "clone",
    KeepRequested: "keep",
    ScaleRequested: "scale",
    FlushTimer: "flush timer",
    RetransmitTimer: "retransmit timer",
    Arrival: "arrives:",
    Operate: "operator:",
    Crash: "crash",
    Checkpoint: "checkpoint",
    Chance: "draws from now on",
    Period: "poll",
    Forgetting: "forget",
}


class Plane(enum.Enum):
    """What kind of message it is, for its colour."""

    PACKET = "packet"
    REPLAY = "replay"
    MARK = "mark"
    OUTPUT = "output"
    OTHER = "other"


def plane(message: Any) -> Plane:
    """Tell what kind a message is; a datagram is what it carries."""
    if isinstance(message, Datagram) and message.payload:
        return plane(message.payload[0])
    if isinstance(message, Packet):
        return Plane.PACKET if message.target is None else Plane.REPLAY
    if isinstance(message, MARKS):
        return Plane.MARK
    return Plane.OUTPUT if isinstance(message, Output | Alert) else Plane.OTHER


def label(value: Any) -> str:
    """Give a message, an event or a value in a few words."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, Map):
        return ", ".join(f"{label(key)}: {label(one)}" for key, one in sorted_items(value))
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(label, value)))
    if isinstance(value, tuple):
        return _tuple(value)
    if isinstance(value, enum.Enum):
        return str(value.value)
    if not attrs.has(type(value)) or isinstance(value, ObjectKey | UpdateId):
        return str(value)
    return str(value) if isinstance(value, FiveTuple) else _record(value)


def _tuple(value: tuple[Any, ...]) -> str:
    """A pair of a name and a value is an object's; any other is a list."""
    if len(value) == 2 and isinstance(value[0], str) and not isinstance(value[1], str):
        return f"{value[0]} {label(value[1])}"
    return ", ".join(label(one) for one in value if one is not None and one != ()) or "()"


def _record(value: Any) -> str:
    name = type(value).__name__
    parts = [] if name in NAMELESS else [NAMES.get(type(value), name)]
    for field in attrs.fields(type(value)):
        content = getattr(value, field.name)
        # False, 0, None and what is empty say that there is nothing to say.
        if field.name in UNSAID or (not content and field.name not in BARE):
            continue
        if isinstance(value, Datagram) and field.name == "to":  # its channel says so
            continue
        if content in ((), None) or (isinstance(content, Map) and not content):
            continue
        parts.append(_field(field.name, content))
    if isinstance(value, Output) and isinstance(value.headers, tuple):  # it is what must be right
        parts.append(f"({label(value.headers)})")
    return " ".join(filter(None, parts)) or name


def _field(name: str, content: Any) -> str:
    if content is True:
        return name
    if name == "clock" and isinstance(content, int):
        return f"clock {clock(content)}"
    if name in BARE:
        return label(content)
    if isinstance(content, NAMESAKES):
        return label(content).partition(" ")[2]
    return f"{'for' if name == 'target' else name} {label(content)}"


def clock(number: int) -> str:
    """Give a clock by its count, and its root if that is not the first (SPLIT-4)."""
    root = root_of(number)
    return f"{count_of(number)} of root{root}" if root else str(number)
