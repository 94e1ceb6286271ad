"""Store failover: what the core's states and steps are called in ``specs/StoreFailover.tla``.

For chains of one vertex of pools, with write-ahead logs, the clock and the log at the root, and
one flow for each instance. Left out, as the rest determines it: what the root has let in and what
an instance's queue has seen (all that has arrived, and is not under way), and an instance's delete
without an answer (that of the packet in work).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.component_failover import ComponentFailover, phase
from chc_ref.check.mapping.records import Names, Read, records
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory
from chc_ref.core.root import RootState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Address, ObjectKey
from chc_ref.core.work import InstanceState
from chc_ref.system.composition import WORLD, State

NONE = {"clock": 0, "number": 0}
"""No update."""
UNREAD = m.Stamp(0, None, ())
"""An object that nobody has updated."""

MESSAGES: dict[type, str] = {
    m.Packet: "packet: clock",
    m.Delete: "delete: clock",
    m.Deleted: "deleted: clock",
    m.Committed: "committed: clock",
    m.Apply: "apply: clock=id.clock",
    m.Checkpointed: "checkpointed: clock=last.clock",
    m.Start: "start: start=session",
    m.Ready: "ready: start=session",
    m.Recall: "recall: start=session",
    m.Recollection: "recollection: start=session memory",
}
"""Lines of the records that are the same whatever objects the store has."""

READERS: dict[str, Read] = {
    "headers": lambda _, item: item.headers[-1],
    "memory": lambda of, item: of.recollection(item),
    "stamp": lambda of, item: of.stamp(item.stamp),
}
"""The last header of a packet that leaves is the number that it took."""


@attrs.frozen
class StoreFailover(ComponentFailover):
    """The mapping."""

    unmanaged = ("root",)
    messages: ClassVar = records(
        {
            **MESSAGES,
            m.Output: "output: clock number=headers",
            m.Acquire: "acquire:",
            m.Granted: "granted:",
            m.Result: "result: clock=id.clock number=value read=stamp",
        },
        READERS,
    )

    @property
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""
        world, homes = self.system.world, self.home(self.vertex)
        return {
            "Order": self.instances,
            "Traffic": [homes[flow] for flow in self.packets],
            "Pool": self.full,
            "MostCheckpoints": len(world.checkpoints),
            "MostCrashes": world.most_crashes,
        }

    @property
    def pool(self) -> ObjectKey:
        """Give the key of the shared object."""
        return ObjectKey(self.vertex.name, "pool", ())

    @property
    def full(self) -> Any:
        """Give what is in the pool at first."""
        return self.vertex.nf.declared("pool").initial

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
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
            "channel": self.used(state),
            "left": [self._left(output) for output in of["sink"].outputs],
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
            "again": self.listed(told.again),
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
            "phase": phase(store),
            "memory": self._memory(store.memory),
            "asked": store.asked,
            "recalled": {
                user: self.recollection(store.recalled.get(user, nothing)) for user in users
            },
            "aside": self.aside(store.aside),
        }

    def _memory(self, memory: Memory) -> Names:
        records = {update.clock: record.result for update, record in memory.records.items()}
        clocks = range(1, len(self.system.world.arrivals) + 1)
        return {
            "stamp": self.stamp(memory.stamp(self.pool)),
            "records": {clock: records.get(clock, 0) for clock in clocks},
            "applied": self._applied(memory),
            "owned": {owner.instance for _, owner in memory.owners.items()},
        }

    def _applied(self, memory: Memory) -> dict[Address, int]:
        """Give the newest update of each instance that the store has applied."""
        applied = {host: update.clock for host, (_, update) in memory.applied.items()}
        return {one: applied.get(one, 0) for one in self.instances}

    def _left(self, output: m.Output) -> Any:
        """Give a packet that leaves, with its number."""
        return _update(output.clock, output.headers[-1])


def _update(clock: int, result: Any) -> Names:
    return {"clock": clock, "number": result}


def _issued(issued: m.Issued) -> Names:
    return _update(issued.access.id.clock, issued.result[0] if issued.result else 0)
