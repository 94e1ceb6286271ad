"""What the NF and its values are called in ``specs/Vertex.tla``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chc_ref.core.chain import Vertex
from chc_ref.core.memory import Memory
from chc_ref.core.messages import LogEntry
from chc_ref.core.values import Flow, ObjectKey, count_of
from chc_ref.system.composition import System

Names = dict[str, Any]

OBJECTS = ("own", "shared")
"""The NF's objects in the order of their token bits: the flow's, and the one that all share."""


def vertex_of(system: System) -> Vertex:
    """Give the one vertex."""
    (vertex,) = system.physical.chain.vertices
    return vertex


def counts(system: System) -> bool:
    """Tell whether the NF is the counting one."""
    return any(not declared.per_flow for declared in vertex_of(system).nf.objects)


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


def log(entries: Iterable[tuple[int, LogEntry]]) -> dict[int, Names]:
    """Give the root's log; no packet of these chains has more than one copy."""
    return {
        count_of(clock): {
            "ended": bool(entry.ended),
            "vector": objects(entry.vectors.get((), 0)),
            "signals": objects(entry.signals.get((), 0)),
        }
        for clock, entry in entries
    }


def applied(memory: Memory, flows: Iterable[Flow]) -> Names:
    """Give what the store has applied, in order, to the objects of flows and to the shared one."""
    own = {key.key: versions for key, versions in memory.versions.items()}
    shared = [(r.result, u.clock) for u, r in memory.records.items() if u.object.key == ()]
    return {
        "applied": {flow: [update.clock for update, _ in own.get(flow, ())] for flow in flows},
        # The result of a count is its place in the one order of all (MOVE-7).
        "counted": [clock for _, clock in sorted(shared)],
    }
