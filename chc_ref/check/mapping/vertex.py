"""What the mappings share: names of the NF and its values in ``specs/Vertex.tla``, and more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chc_ref.core.chain import Vertex
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory
from chc_ref.core.messages import LogEntry
from chc_ref.core.operations import StateObject
from chc_ref.core.values import Address, Flow, ObjectKey, count_of
from chc_ref.core.varied import Varied
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


def manager(state: ManagerState, instances: Iterable[Address]) -> Names:
    """Give what the manager knows of failovers."""
    return {
        "session": state.session,
        "replay": state.replay,
        "starts": {one: state.starts.get(one, 0) for one in instances},
        "recovering": {
            one: {"start": start, "runs": runs} for one, (start, runs) in state.recovering.items()
        },
        "fencing": state.fencing,
    }


def machine(system: System, at: Address) -> Any:
    """Give a component's machine, also where a variant stands around it."""
    found: Any = system.physical.components[at]
    return found.component if isinstance(found, Varied) else found


def token_bits(system: System) -> list[tuple[str, StateObject]]:
    """Give (vertex, object) of each token bit: of every access that a packet may make (DEL-1)."""
    tokens: dict[int, tuple[str, StateObject]] = {}
    for vertex, (one, *_) in system.physical.instances.items():
        instance = machine(system, one).instance
        for declared in instance.nf.objects:
            first = instance.tokens[declared.name]
            tokens |= dict.fromkeys(range(first, first + declared.accesses), (vertex, declared))
    return [tokens[bit] for bit in sorted(tokens)]
