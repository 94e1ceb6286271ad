"""What the mappings to modules with a shared object have in common: ``specs/Caching.tla``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chc_ref.check.mapping import vertex
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.client import ClientState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Address, Flow, ObjectKey, count_of
from chc_ref.core.work import Wait, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import State, System

KINDS = ("hot", "limit")
RAISING = {"A"}
"""Flows that raise the object of ``limit``."""

WAITS = {Wait.RESULT: "result", Wait.DELETE: "delete"}


def flows(system: System) -> tuple[Flow, ...]:
    """Give the flows that have packets, or are moved."""
    world = system.world
    moved = {wish.flow for wish in world.wishes if isinstance(wish, m.MoveRequested)}
    return tuple(sorted({arrival.flow for arrival in world.arrivals} | moved, key=repr))


def nothing(system: System) -> int:
    """Give what stands for a number that is not there."""
    return len(system.world.arrivals) + 1


def alone(system: System) -> bool:
    """Tell whether the split gives all users of an object to one instance."""
    return bool(vertex.machine(system, "manager").alone[vertex.vertex_of(system).name])


def constants(system: System) -> Names:
    """Give the constants of the NF, and where its flows are at home."""
    of, every = vertex.vertex_of(system), flows(system)
    if of.nf.name not in KINDS:
        raise UsageError(f"Caching.tla has no NF {of.nf.name!r}")
    return {
        "Flows": set(every),
        "Packets": [arrival.flow for arrival in system.world.arrivals],
        "Kind": of.nf.name,
        "HostOf": {flow: str(flow)[0] for flow in every},
        "Raising": set(every) & RAISING if of.nf.name == "limit" else set(every),
        "Home": {flow: of.division.home(flow) for flow in every},
        "Alone": alone(system),
    }


# --------------------------------------------------------------------------- states


def log(entries: Iterable[tuple[int, m.LogEntry]]) -> dict[int, Names]:
    """Give the root's log: of a packet with one update, whether its signal has come."""
    return {
        count_of(clock): {"ended": bool(entry.ended), "committed": bool(entry.signals.get((), 0))}
        for clock, entry in entries
    }


def keys(system: System) -> dict[str, ObjectKey]:
    """Give the vertex' objects."""
    of = vertex.vertex_of(system)
    (declared,) = of.nf.objects
    names = {str(flow)[0] for flow in flows(system)} if of.nf.name == "hot" else {"all"}
    return {
        name: ObjectKey(of.name, declared.name, () if name == "all" else name) for name in names
    }


def memory(system: System, store: StoreState) -> Names:
    """Give what the store has made of each object, in order, and what reads have returned."""
    records = store.memory.records.items()
    # The result of an update is its place in the one order of all (MOVE-7).
    raised = sorted((of.result, one.clock, one.object) for one, of in records if of.token)
    every = keys(system)
    readers = [one for _, of in store.readers.items() for one in of]
    return {
        "raised": {
            name: [clock for _, clock, one in raised if one == key] for name, key in every.items()
        },
        "noted": {one.clock: of.result for one, of in records if not of.token},
        "readers": set(readers),
    }


def client(system: System, of: ClientState, effect: Callable[[Any], Names]) -> Names:
    """Give the state of the store's library."""
    return {
        "start": of.start,
        "alone": of.cache.alone,
        "copies": {name: of.copies.get(key, nothing(system)) for name, key in keys(system).items()},
        "expected": of.expected.clock if of.expected is not None else 0,
        "unconfirmed": {one.clock for one in of.unconfirmed},
        "outbox": [
            {"waits": {one.clock for one in waits}, "effect": effect(held)}
            for waits, held in of.outbox
        ],
    }


def shown(work: Work) -> int:
    """Give what a packet that has been processed will carry away."""
    if work.wait is not Wait.DELETE:
        return 0
    (headers,) = work.leaving.outputs
    return vertex.shown(headers)


# --------------------------------------------------------------------------- messages


def channels(
    system: System,
    state: State,
    receivers: dict[str, set[Address]],
    message: Callable[[Address, Any], Names],
) -> Names:
    """Give what is under way from everybody to everybody, but for channels never used."""
    contents: Names = {one: {} for one in receivers}
    for (source, to), content in zip(system.channels, state.channels, strict=True):
        if content or to in receivers[source]:
            contents[source][to] = [message(source, item) for item in content]
    return contents


def message(item: Any) -> Names:
    """Give a message between the library and the store."""
    match item:
        case m.Apply(update, operation, seen=seen, register=register, start=start):
            op = "read" if operation.reads_only else "raise"
            access = {"type": "apply", "clock": update.clock, "op": op, "start": start}
            return {**access, "seen": list(seen), "register": register}
        case m.Result(update, value, copy=copy):
            return {"type": "result", "clock": update.clock, "value": value, "copy": list(copy)}
        case m.Callback(key, value):
            return {"type": "callback", "key": key.key or "all", "value": value}
    raise UsageError(f"Caching.tla has no message like {item!r}")
