"""Store failover: the core's states and steps in ``specs/StoreFailoverFlows.tla``.

For chains of one vertex of recorders, with write-ahead logs, and the clock and the log at the
root. Left out, as the rest determines it: what the root has let in, what an instance's queue has
seen, the result of an update (the length of the value behind it), and a delete without an answer.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.component_failover import Failover, Names
from chc_ref.check.mapping.store_failover import COMMON, clock_of
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory
from chc_ref.core.root import RootState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Flow, ObjectKey
from chc_ref.core.work import InstanceState
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, State


@attrs.frozen
class StoreFailoverFlows(Failover):
    """The mapping."""

    spec = "StoreFailoverFlows.tla"
    unmanaged = ("root",)
    messages: ClassVar[dict[type, Any]] = {
        **COMMON,
        m.Output: ("output", lambda _, one: clock_of(one)),
        m.Acquire: ("acquire", lambda _, one: clock_of(one)),
        m.Granted: ("granted", lambda _, one: {**clock_of(one), "value": _cached(one.values)}),
    }

    @property
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""
        world = self.system.world
        (vertex,) = self.system.physical.chain.vertices
        if vertex.nf.name != "recorder":
            raise UsageError(f"{self.spec} has no NF {vertex.nf.name!r}")
        return {
            "Order": sorted(self.instances),
            "FlowOrder": self.flows,
            "Home": self.homes,
            "Packets": [arrival.flow for arrival in world.arrivals],
            "MostCheckpoints": len(world.checkpoints),
            "MostCrashes": world.most_crashes,
        }

    @property
    def flows(self) -> list[Flow]:
        """Give the flows in the order of the core's maps."""
        return sorted(self.homes, key=repr)

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
            "left": [output.clock for output in of["sink"].outputs],
        }

    def recollection(self, told: m.Recollection) -> Names:
        """Give what a user remembers."""
        return {
            "caches": {flow: _cached(values) for flow, _, values in told.owned},
            "wal": [issued.access.id.clock for issued in told.issued],
            "again": [self.message(one) for one in told.again],
        }

    def _host(self, instance: InstanceState) -> Names:
        return {
            "owned": {flow: _cached(owned.values) for flow, owned in instance.owned.items()},
            "waits": {
                flow: [packet.clock for packet in waiting]
                for (flow, _), waiting in instance.blocked.items()
            },
            "freed": [packet.clock for packet in instance.ready],
            "queue": [packet.clock for _, packet in instance.fifo],
            "work": instance.work.packet.clock if instance.work else 0,
            "wal": [issued.access.id.clock for issued in instance.client.issued],
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
        (vertex,) = self.system.physical.chain.vertices
        keys = {flow: ObjectKey(vertex.name, "seen", flow) for flow in self.flows}
        applied = {host: update.clock for host, (_, update) in memory.applied.items()}
        return {
            "value": {flow: _clocks(memory.values.get(key, ())) for flow, key in keys.items()},
            "versions": {
                flow: [
                    {"clock": update.clock, "value": _clocks(value)}
                    for update, value in memory.versions.get(key, ())
                ]
                for flow, key in keys.items()
            },
            "applied": {one: applied.get(one, 0) for one in self.instances},
            "owned": {flow for (_, flow), _ in memory.owners.items()},
        }


def _clocks(value: Any) -> list[int]:
    """Give the packets that were written down: a packet's header has its number."""
    return [number for _, number in value]


def _cached(values: Any) -> list[int]:
    """Give the one object of a flow."""
    ((_, value),) = values
    return _clocks(value)
