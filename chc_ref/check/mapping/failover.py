"""What the core's states and steps are called in ``specs/Failover.tla``."""

from __future__ import annotations

from typing import ClassVar

import attrs

from chc_ref.check.mapping import failures, vertex
from chc_ref.check.mapping.module import Module
from chc_ref.check.mapping.records import Names, records
from chc_ref.core import messages as m
from chc_ref.core.node import NodeState
from chc_ref.core.work import Loaded, Work
from chc_ref.system.composition import State

CHANNELS = {
    "begin": ("manager", "instance"),
    "replays": ("manager", "root"),
    "fences": ("manager", "store"),
    "fenced": ("store", "manager"),
}


@attrs.frozen
class Failover(Module):
    """The mapping for the models of one vertex, in which instances fail and no flow moves."""

    happens = failures.HAPPENS
    takes = failures.TAKES
    loses: ClassVar = {to: f"LoseTo{to.capitalize()}" for to in ("root", "store", "manager")}
    messages = records(
        {
            **failures.MESSAGES,
            m.Packet: "packet: flow clock session",
            Loaded: "loaded: flow=packet.flow clock=packet.clock value=values",
            m.ReplayEnd: "end: session newest",
            m.Delete: "clock vector=vectors start",
            m.Acquire: "acquire: flow clock start",
            m.Apply: "apply: clock=id.clock object start",
            m.Granted: "flow clock latest value=values",
            m.Committed: "clock object=token",
            m.Output: "flow clock shown",
            m.Replay: "to=target session",
            m.Fence: "instance=address start",
            m.Fenced: "instance=address start",
        },
        vertex.READERS,
        [(Loaded, "owned", True), (m.Granted, "owned", True)],
    )

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        return {
            **failures.constants(self),
            "Flows": set(self.flows),
            "Home": self.home(self.vertex),
            "Packets": self.packets,
            "Counts": vertex.counts(self.vertex),
            "Eager": self.vertex.eager_flush,
        }

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        root, memory = of["root"].root, of["store"].memory
        channels = self.channels(state, CHANNELS)
        return {
            "arrived": root.count,
            "log": vertex.log(root.log.items()),
            "node": {one: self._node(of[one]) for one in self.instances},
            "owner": failures.owners(self, memory, self.vertex),
            **vertex.applied(memory, self.flows),
            **failures.components(self, of),
            "delivered": self.listed(of["sink"].outputs),
            **channels,
            "begin": {
                one: [start["session"] for start in content]
                for one, content in channels["begin"].items()
            },
        }

    def _node(self, node: NodeState) -> Names:
        queue, instance = node.queue, node.instance
        (over,) = [number for _, number in queue.over.items()] or [0]
        return {
            **failures.node(self, node),
            "start": instance.client.start,
            "over": over,
            "seen": {clock for (clock, _, _), _ in queue.seen.items()},
            "work": self._work(instance.work),
            "owned": {flow: vertex.cached(of.values) for flow, of in instance.owned.items()},
            "unflushed": [update.id.clock for update in instance.client.unflushed],
        }

    def _work(self, work: Work | None) -> Names:
        """Give the packet in work, and the value that it was processed on."""
        if work is None:
            return {"clock": 0, "before": vertex.initial(self.vertex)}
        return {"clock": work.packet.clock, "before": vertex.cached(work.values)}
