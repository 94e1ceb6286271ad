"""Root failover: the core's states and actions in the words of ``specs/RootFailover.tla``.

For chains of one vertex of recorders, with the log at the root. Left out, as the rest determines
it: what an instance has cached of a flow (the store's value and the updates under way to it), its
delete without an answer (that of the packet in work), the store's records, versions and owners
(they go with its values), its fences and the updates in its answer to a new root (they go with
what is under way).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chc_ref.core.memory import Memory
from chc_ref.core.messages import (
    Acquire,
    Again,
    Apply,
    ClockPersisted,
    Committed,
    Delete,
    Deleted,
    Fence,
    Fenced,
    Granted,
    Inquire,
    LogEntry,
    Output,
    Packet,
    PersistClock,
    Ready,
    Remembered,
    Start,
)
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.values import Flow
from chc_ref.system.composition import Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Arrival, Crash

Value = Any
"""A TLA+ value: a number, string or boolean, a tuple for a sequence, a frozenset, or a dict for
a record or function."""

Seen = dict[str, Value]

MESSAGES: dict[type, Callable[[Any], Seen]] = {
    Packet: lambda m: {"type": "packet", **_packet(m)},
    Deleted: lambda m: {"type": "deleted", "clock": m.clock, "first": m.first},
    Again: lambda m: {"type": "again"},
    Delete: lambda m: {"type": "delete", "clock": m.clock},
    Acquire: lambda m: {"type": "acquire", "flow": m.flow},
    Apply: lambda m: {"type": "apply", "clock": m.id.clock, "number": m.operation.item[-1]},
    Granted: lambda m: {"type": "granted", "flow": m.flow},
    Output: lambda m: {"type": "output", **_packet(m)},
    PersistClock: lambda m: {"type": "persist", "clock": m.count},
    Inquire: lambda m: {"type": "inquire", "start": m.session},
    ClockPersisted: lambda m: {"type": "persisted", "clock": m.count},
    Committed: lambda m: {"type": "committed", "clock": m.clock},
    Remembered: lambda m: {"type": "remembered", "start": m.session, "clock": m.persisted},
    Start: lambda m: {"type": "start", "start": m.session},
    Fence: lambda m: {"type": "fence", "start": m.start},
    Ready: lambda m: {"type": "ready", "start": m.session},
    Fenced: lambda m: {"type": "fenced", "start": m.start},
}
"""Every kind of message, as a record; its ``type`` is also the name of the action that takes it."""


def variables(system: System, state: State) -> Seen:
    """Give the values of the TLA+ variables in a composed state."""
    view = dict(zip(system.names, state.components, strict=True))
    instances = tuple(one for of in system.physical.instances.values() for one in of)
    flows = tuple(dict.fromkeys(arrival.flow for arrival in system.world.arrivals))
    memory, world = view["store"].memory, view["world"]
    contents = dict(zip(system.channels, state.channels, strict=True))
    return {
        "arrived": world.arrived,
        "crashes": len(world.crashed),
        "recovering": "root" in view["manager"].recovering,
        "root": _root(view["root"]),
        "host": {one: _host(view[one], flows) for one in instances},
        "persisted": memory.persisted.get("root", 0),
        "value": {flow: _value(memory, flow) for flow in flows},
        "channel": {way: tuple(map(_message, contents[way])) for way in _ways(instances)},
        "left": tuple(map(_packet, view["sink"].outputs)),
    }


def name(system: System, state: State, action: Action) -> str:
    """Give the name of the TLA+ action for an action that is possible in ``state``."""
    match action:
        case Happen(_, Arrival()):
            return "Arrive"
        case Happen(_, Crash()):
            return "Crash"
        case Lose():
            return "Lose"
        case Deliver(source, to):
            message = state.channels[system.channel(source, to)][0]
            return f"Take{_message(message)['type'].capitalize()}"
    raise KeyError(f"RootFailover has no action for {action!r}")


def _ways(instances: tuple[str, ...]) -> list[tuple[str, str]]:
    """Give the channels that anything is ever sent over."""
    pairs = [("root", "manager"), ("store", "manager"), ("root", "store")]
    pairs += [pair for one in instances for pair in (("root", one), (one, "store"))]
    both = [way for a, b in pairs for way in ((a, b), (b, a))]
    return both + [(one, "sink") for one in instances]


def _packet(packet: Any) -> Seen:
    return {"clock": packet.clock, "number": packet.headers[-1]}


def _message(message: Any) -> Seen:
    return MESSAGES[type(message)](message)


def _root(entry: EntryState) -> Seen:
    root = entry.root
    return {
        "phase": "down" if not entry.up else "asking" if entry.asked else "ready",
        "count": root.count,
        "persisted": root.persisted,
        "lost": root.lost,
        "waiting": tuple(arrival.headers[-1] for arrival in root.waiting),
        "log": tuple(_entry(logged) for _, logged in sorted(root.log.items())),
        "aside": tuple(
            {"source": one.source, "message": _message(one.message)} for one in entry.aside
        ),
        "entered": tuple(
            {"clock": clock, "number": arrival.headers[-1]}
            for _, (clock, arrival) in sorted(root.entered.items())
        ),
    }


def _entry(entry: LogEntry) -> Seen:
    ended, committed = bool(entry.ended), bool(entry.signals)
    return {**_packet(entry.packet), "ended": ended, "committed": committed}


def _host(node: NodeState, flows: tuple[Flow, ...]) -> Seen:
    instance = node.instance
    work = instance.work
    return {
        "seen": frozenset(clock for (clock, _, _), _ in node.queue.seen.items()),
        "owns": frozenset(flow for flow, _ in instance.owned.items()),
        "waits": {flow: tuple(map(_packet, instance.blocked.get((flow, 0), ()))) for flow in flows},
        "freed": tuple(map(_packet, instance.ready)),
        "queue": tuple(_packet(item) for _, item in instance.fifo),
        "work": {"clock": 0, "number": 0} if work is None else _packet(work.packet),
    }


def _value(memory: Memory, flow: Flow) -> Value:
    versions = [of for key, of in memory.versions.items() if key.key == flow]
    made = versions[0] if versions else ()
    return tuple({"clock": u.clock, "number": after[-1][-1]} for u, after in made)
