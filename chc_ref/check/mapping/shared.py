"""What the mappings to modules with a shared object have in common: ``specs/Caching.tla``."""

from __future__ import annotations

from collections.abc import Iterable

from chc_ref.check.mapping import vertex
from chc_ref.check.mapping.module import Module, takes
from chc_ref.check.mapping.records import NOBODY, Names, Read, only
from chc_ref.core import messages as m
from chc_ref.core.client import ClientState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Address, ObjectKey, count_of
from chc_ref.core.work import Announce, Wait, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import State

KINDS = ("hot", "limit")
RAISING = {"A"}
"""Flows that raise the object of ``limit``."""

WAITS = {Wait.RESULT: "result", Wait.DELETE: "delete"}

TAKES = {
    **takes(
        instance=(m.Result, m.Callback, m.Cache, m.Drain),
        store=(m.Drained,),
        manager=(m.Drained,),
    ),
    ("manager", m.CacheKnown): "ManagerTakesKnown",
}
MESSAGES: dict[type, str] = {
    m.Apply: "apply: clock=id.clock op=operation start seen register",
    m.Result: "result: clock=id.clock value copy",
    m.Callback: "callback: key=object.key value",
    m.Committed: "committed: clock",
    m.Send: "to message",
    Announce: "to=behind message=mark",
}
READERS: dict[str, Read] = {
    "behind": lambda _, item: "sink" if isinstance(item.mark, m.Passed) else NOBODY,
    "mark": lambda of, item: of.message(item.mark),
    "message": lambda of, item: of.message(item.message),
    "object.key": lambda _, item: item.object.key or "all",
    "operation": lambda _, item: "read" if item.operation.reads_only else "raise",
    "shown": vertex.READERS["shown"],
}
"""Lines of the records of library and store, and of what the library holds back."""


def alone(of: Module) -> bool:
    """Tell whether the split gives all users of an object to one instance."""
    return bool(of.machine("manager").alone[of.vertex.name])


def constants(of: Module) -> Names:
    """Give the constants of the NF, and where its flows are at home."""
    nf = of.vertex.nf.name
    if nf not in KINDS:
        raise UsageError(f"Caching.tla has no NF {nf!r}")
    return {
        "Flows": set(of.flows),
        "Packets": of.packets,
        "Kind": nf,
        "HostOf": {flow: str(flow)[0] for flow in of.flows},
        "Raising": set(of.flows) & RAISING if nf == "limit" else set(of.flows),
        "Home": of.home(of.vertex),
        "Alone": alone(of),
    }


# --------------------------------------------------------------------------- states


def log(entries: Iterable[tuple[int, m.LogEntry]]) -> dict[int, Names]:
    """Give the root's log: of a packet with one update, whether its signal has come."""
    return {
        count_of(clock): {"ended": bool(entry.ended), "committed": bool(entry.signals.get((), 0))}
        for clock, entry in entries
    }


def keys(of: Module) -> dict[str, ObjectKey]:
    """Give the vertex' objects."""
    nf = of.vertex.nf
    names = {str(flow)[0] for flow in of.flows} if nf.name == "hot" else {"all"}
    declared = only(nf.objects).name
    return {
        name: ObjectKey(of.vertex.name, declared, () if name == "all" else name) for name in names
    }


def memory(of: Module, store: StoreState) -> Names:
    """Give what the store has made of each object, in order, and what reads have returned."""
    records = store.memory.records.items()
    # The result of an update is its place in the one order of all (MOVE-7).
    raised = sorted((made.result, one.clock, one.object) for one, made in records if made.token)
    return {
        "raised": {
            name: [clock for _, clock, one in raised if one == key]
            for name, key in keys(of).items()
        },
        "noted": {one.clock: made.result for one, made in records if not made.token},
        "readers": {one for _, readers in store.readers.items() for one in readers},
    }


def client(of: Module, at: ClientState) -> Names:
    """Give the state of the store's library, and what it holds back."""
    return {
        "start": at.start,
        "alone": at.cache.alone,
        "copies": {name: at.copies.get(key, of.unknown) for name, key in keys(of).items()},
        "expected": at.expected.clock if at.expected is not None else 0,
        "unconfirmed": {one.clock for one in at.unconfirmed},
        "outbox": [
            {"waits": {one.clock for one in waits}, "effect": of.message(held)}
            for waits, held in at.outbox
        ],
    }


def shown(work: Work) -> int:
    """Give what a packet that has been processed will carry away."""
    if work.wait is not Wait.DELETE:
        return 0
    (headers,) = work.leaving.outputs
    return vertex.shown(headers)


def channel(of: Module, state: State, root: set[Address], manager: set[Address]) -> Names:
    """Give what is under way; root and manager send to instances, and to whom it tells here."""
    every = set(of.instances)
    receivers = {
        **{one: {"root", "store", "manager", "sink"} for one in every},
        "root": every | root,
        "store": every | {"root", "manager"},
        "manager": every | manager,
        "sink": set(),
    }
    return of.channel(state, receivers)
