"""Store failover: what the core's states and steps are called in ``specs/StoreFailover.tla``.

For chains of one vertex of pools, with write-ahead logs, the clock and the log at the root, and
one flow for each instance. Left out, as the rest determines it: what the root has let in and what
an instance's queue has seen (all that has arrived, and is not under way), and an instance's delete
without an answer (that of the packet in work).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.component_failover import Failover, Names
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory
from chc_ref.core.root import RootState
from chc_ref.core.store import StoreState
from chc_ref.core.values import ObjectKey
from chc_ref.core.work import InstanceState
from chc_ref.system.composition import WORLD, State

NONE = {"clock": 0, "number": 0}
"""No update."""
UNREAD = m.Stamp(0, None, ())
"""An object that nobody has updated."""


def clock_of(message: Any) -> Names:
    """Give the clock alone of what a message is about."""
    return {"clock": message.clock}


def _start(message: Any) -> Names:
    return {"start": message.session}


COMMON: dict[type, Any] = {
    m.Packet: ("packet", lambda _, one: clock_of(one)),
    m.Delete: ("delete", lambda _, one: clock_of(one)),
    m.Deleted: ("deleted", lambda _, one: clock_of(one)),
    m.Committed: ("committed", lambda _, one: clock_of(one)),
    m.Apply: ("apply", lambda _, one: clock_of(one.id)),
    m.Checkpointed: ("checkpointed", lambda _, one: clock_of(one.last)),
    m.Start: ("start", lambda _, one: _start(one)),
    m.Ready: ("ready", lambda _, one: _start(one)),
    m.Recall: ("recall", lambda _, one: _start(one)),
    m.Recollection: (
        "recollection",
        lambda of, one: {"start": one.session, "memory": of.recollection(one)},
    ),
}
"""Messages that are the same whatever objects the store has."""


@attrs.frozen
class StoreFailover(Failover):
    """The mapping."""

    spec = "StoreFailover.tla"
    unmanaged = ("root",)
    messages: ClassVar[dict[type, Any]] = {
        **COMMON,
        m.Output: ("output", lambda _, output: _number(output)),
        m.Acquire: ("acquire", lambda _, one: {}),
        m.Granted: ("granted", lambda _, one: {}),
        m.Result: (
            "result",
            lambda of, one: {
                "clock": one.id.clock,
                "number": one.value,
                "read": of.stamp(one.stamp),
            },
        ),
    }

    @property
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""
        world = self.system.world
        return {
            "Order": sorted(self.instances),
            "Traffic": [self.homes[arrival.flow] for arrival in world.arrivals],
            "Pool": self.full,
            "MostCheckpoints": len(world.checkpoints),
            "MostCrashes": world.most_crashes,
        }

    @property
    def pool(self) -> ObjectKey:
        """Give the key of the shared object."""
        (vertex,) = self.system.physical.chain.vertices
        return ObjectKey(vertex.name, "pool", ())

    @property
    def full(self) -> Any:
        """Give what is in the pool at first."""
        (vertex,) = self.system.physical.chain.vertices
        return vertex.nf.declared("pool").initial

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.views(state)
        root: RootState = of["root"].root
        logged = {clock: root.log.get(clock) for clock in range(1, root.count + 1)}
        return {
            "arrived": of[WORLD].arrived,
            "checkpoints": of[WORLD].checkpointed,
            "crashes": len(of[WORLD].crashed),
            "recovering": "store" in of["manager"].recovering,
            "ended": {clock for clock, entry in logged.items() if not entry or entry.ended},
            "committed": {clock for clock, entry in logged.items() if not entry or entry.signals},
            "host": {one: self._host(of[one].instance) for one in self.instances},
            "store": self._store(of["store"]),
            "checkpoint": self._memory(of["store"].checkpoint),
            "channel": self.channels(state),
            "left": [_number(output) for output in of["sink"].outputs],
        }

    def stamp(self, stamp: m.Stamp | None) -> Names:
        """Give the object as a read has found it."""
        stamp = stamp or UNREAD
        last = {host: _update(update.clock, result) for host, update, result in stamp.last}
        return {
            "version": stamp.version,
            "value": stamp.value if stamp.version else self.full,
            "last": {one: last.get(one, NONE) for one in self.instances},
        }

    def recollection(self, told: m.Recollection) -> Names:
        """Give what a user remembers."""
        return {
            "owns": bool(told.owned),
            "wal": [_issued(issued) for issued in told.issued],
            "read": self.stamp(dict(told.reads).get(self.pool)),
            "again": [self.message(one) for one in told.again],
        }

    def _host(self, instance: InstanceState) -> Names:
        ((_, waits),) = instance.blocked.items() or ((None, ()),)
        work, client = instance.work, instance.client
        taken = work.results[0] if work and work.results else 0
        return {
            "owns": bool(instance.owned),
            "waits": [packet.clock for packet in waits],
            "freed": [packet.clock for packet in instance.ready],
            "queue": [packet.clock for _, packet in instance.fifo],
            "work": _update(work.packet.clock, taken) if work else NONE,
            "wal": [_issued(issued) for issued in client.issued],
            "read": self.stamp(client.reads.get(self.pool)),
        }

    def _store(self, store: StoreState) -> Names:
        nothing = m.Recollection(0)
        users = ("root", *self.instances)
        return {
            "phase": "down" if not store.up else "asking" if store.asked else "ready",
            "memory": self._memory(store.memory),
            "asked": store.asked,
            "recalled": {
                user: self.recollection(store.recalled.get(user, nothing)) for user in users
            },
            "aside": [
                {"source": one.source, "message": self.message(one.message)} for one in store.aside
            ],
        }

    def _memory(self, memory: Memory) -> Names:
        records = {update.clock: record.result for update, record in memory.records.items()}
        applied = {host: update.clock for host, (_, update) in memory.applied.items()}
        clocks = range(1, len(self.system.world.arrivals) + 1)
        return {
            "stamp": self.stamp(memory.stamp(self.pool)),
            "records": {clock: records.get(clock, 0) for clock in clocks},
            "applied": {one: applied.get(one, 0) for one in self.instances},
            "owned": {owner.instance for _, owner in memory.owners.items()},
        }


def _update(clock: int, result: Any) -> Names:
    return {"clock": clock, "number": result}


def _issued(issued: m.Issued) -> Names:
    return _update(issued.access.id.clock, issued.result[0] if issued.result else 0)


def _number(output: m.Output) -> Names:
    """Give a packet that leaves: the last of its headers is the number that it took."""
    return _update(output.clock, output.headers[-1])
