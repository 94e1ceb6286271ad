"""Store failover: the core's states and steps in ``specs/StoreFailoverFlows.tla``.

For chains of one vertex of recorders, with write-ahead logs, and the clock and the log at the
root. Left out, as the rest determines it: what the root has let in, what an instance's queue has
seen, the result of an update (the length of the value behind it), and a delete without an answer.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from chc_ref.check.mapping.records import Names, records
from chc_ref.check.mapping.store_failover import MESSAGES, READERS, StoreFailover
from chc_ref.check.mapping.vertex import READERS as OF_VERTEX, cached, value
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory
from chc_ref.core.values import ObjectKey
from chc_ref.core.work import InstanceState
from chc_ref.errors import UsageError


@attrs.frozen
class StoreFailoverFlows(StoreFailover):
    """The mapping."""

    messages: ClassVar = records(
        {
            **MESSAGES,
            m.Output: "output: clock",
            m.Acquire: "acquire: clock",
            m.Granted: "granted: clock value=values",
        },
        {**OF_VERTEX, **READERS},
    )

    @property
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""
        world = self.system.world
        if self.vertex.nf.name != "recorder":
            raise UsageError(f"{self.file} has no NF {self.vertex.nf.name!r}")
        return {
            "Order": self.instances,
            "FlowOrder": list(self.flows),
            "Home": self.home(self.vertex),
            "Packets": self.packets,
            "MostCheckpoints": len(world.checkpoints),
            "MostCrashes": world.most_crashes,
        }

    def recollection(self, told: m.Recollection) -> Names:
        """Give what a user remembers."""
        return {
            "caches": {flow: cached(values) for flow, _, values in told.owned},
            "wal": [issued.access.id.clock for issued in told.issued],
            "again": self.listed(told.again),
        }

    def _host(self, instance: InstanceState) -> Names:
        return {
            "owned": {flow: cached(owned.values) for flow, owned in instance.owned.items()},
            "waits": {
                flow: [packet.clock for packet in waiting]
                for (flow, _), waiting in instance.blocked.items()
            },
            "freed": [packet.clock for packet in instance.ready],
            "queue": [packet.clock for _, packet in instance.fifo],
            "work": instance.work.packet.clock if instance.work else 0,
            "wal": [issued.access.id.clock for issued in instance.client.issued],
        }

    def _memory(self, memory: Memory) -> Names:
        keys = {flow: ObjectKey(self.vertex.name, "seen", flow) for flow in self.flows}
        return {
            "value": {flow: value(memory.values.get(key, ())) for flow, key in keys.items()},
            "versions": {
                flow: [
                    {"clock": update.clock, "value": value(then)}
                    for update, then in memory.versions.get(key, ())
                ]
                for flow, key in keys.items()
            },
            "applied": self._applied(memory),
            "owned": {flow for (_, flow), _ in memory.owners.items()},
        }

    def _left(self, output: m.Output) -> int:
        """Give a packet that leaves."""
        return output.clock
