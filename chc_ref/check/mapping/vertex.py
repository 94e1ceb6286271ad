"""The NF and its values: what they are called in ``specs/Vertex.tla``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chc_ref.check.mapping.module import logged
from chc_ref.check.mapping.records import Names, Read, only
from chc_ref.core.chain import Vertex
from chc_ref.core.memory import Memory
from chc_ref.core.messages import LogEntry
from chc_ref.core.values import Flow, ObjectKey, count_of

OBJECTS = ("own", "shared")
"""The NF's objects in the order of their token bits: the flow's, and the one that all share."""


def counts(vertex: Vertex) -> bool:
    """Tell whether the NF is the counting one."""
    return any(not declared.per_flow for declared in vertex.nf.objects)


def initial(vertex: Vertex) -> Any:
    """Give the value that every flow begins with."""
    return value(only(of for of in vertex.nf.objects if of.per_flow).initial)


def objects(tokens: int) -> frozenset[str]:
    """Give the objects whose token bits are set (DEL-1)."""
    return frozenset(name for bit, name in enumerate(OBJECTS) if tokens >> bit & 1)


def object_name(key: ObjectKey) -> str:
    """Give the name of an object: only a flow's has a key."""
    return OBJECTS[1] if key.key == () else OBJECTS[0]


def value(of: Any) -> Any:
    """Give a flow's value: a number, or the packets that were written down, by their numbers."""
    return of if isinstance(of, int) else [number for _, number in of]


def shown(headers: Any) -> int:
    """Give what a packet carries away: the last word, behind its flow and its number, if any."""
    return headers[2] if len(headers) > 2 else 0


def cached(values: Any) -> Any:
    """Give the value of a flow's one object."""
    return value(only(values)[1])


READERS: dict[str, Read] = {
    "object": lambda _, item: object_name(item.id.object),
    "shown": lambda _, item: shown(item.headers),
    "token": lambda _, item: only(objects(item.token)),
    "values": lambda _, item: cached(item.values),
    "vectors": lambda _, item: objects(only(item.vectors)[1]),
}
"""How fields are read that speak of the NF."""


def log(entries: Iterable[tuple[int, LogEntry]]) -> dict[int, Names]:
    """Give the root's log."""
    return {count_of(clock): logged(entry, objects) for clock, entry in entries}


def applied(memory: Memory, flows: Iterable[Flow]) -> Names:
    """Give what the store has applied, in order, to the objects of flows and to the shared one."""
    own = {key.key: versions for key, versions in memory.versions.items()}
    return {
        "applied": {flow: [update.clock for update, _ in own.get(flow, ())] for flow in flows},
        "counted": counted(memory),
    }


def counted(memory: Memory, vertex: str | None = None) -> list[int]:
    """Give the packets that the shared object, of one vertex if that is named, has counted."""
    shared = [
        (record.result, update.clock)
        for update, record in memory.records.items()
        if update.object.key == () and vertex in (None, update.object.vertex)
    ]
    # The result of a count is its place in the one order of all (MOVE-7).
    return [clock for _, clock in sorted(shared)]
