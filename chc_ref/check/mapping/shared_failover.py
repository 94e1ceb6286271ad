"""What the core's states and steps are called in ``specs/SharedFailover.tla``."""

from __future__ import annotations

from typing import ClassVar

import attrs

from chc_ref.check.mapping import failures, shared
from chc_ref.check.mapping.module import LOSE, Module
from chc_ref.check.mapping.records import Names, records
from chc_ref.core import messages as m
from chc_ref.core.node import NodeState
from chc_ref.core.work import Loaded, Work
from chc_ref.system.composition import State


@attrs.frozen
class SharedFailover(Module):
    """The mapping for the models of one vertex whose flows share an object: instances fail."""

    happens = failures.HAPPENS
    loses = LOSE
    takes: ClassVar = {**failures.TAKES, **shared.TAKES}
    messages = records(
        {
            **failures.MESSAGES,
            **shared.MESSAGES,
            m.Packet: "packet: clock target session",
            Loaded: "loaded: packet",
            m.ReplayEnd: "end: target session newest",
            m.Delete: "delete: clock start",
            m.Acquire: "acquire: clock start",
            m.Granted: "granted: clock",
            m.Output: "output: clock shown",
        },
        shared.READERS,
        [
            (Loaded, "owned", True),
            (m.Acquire, "peek", False),
            (m.Granted, "peek", False),
            (m.Granted, "latest", True),
        ],
    )

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        return {**shared.constants(self), **failures.constants(self)}

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        root, store = of["root"].root, of["store"]
        return {
            "channel": shared.channel(self, state, root=set(), manager={"root", "store"}),
            "arrived": root.count,
            "log": shared.log(root.log.items()),
            "node": {one: self._node(of[one]) for one in self.instances},
            "owner": failures.owners(self, store.memory, self.vertex),
            **shared.memory(self, store),
            **failures.components(self, of),
            "delivered": self.listed(of["sink"].outputs),
        }

    def _node(self, node: NodeState) -> Names:
        instance, queue = node.instance, node.queue
        return {
            **failures.node(self, node),
            "over": max((session for _, session in queue.over.items()), default=0),
            "seen": {clock for (clock, _, _), _ in queue.seen.items()},
            "work": [] if instance.work is None else [self._work(instance.work)],
            "owned": {flow for flow, _ in instance.owned.items()},
            "client": shared.client(self, instance.client),
        }

    def _work(self, work: Work) -> Names:
        """Give the packet in work, and what it will carry away."""
        assert work.wait is not None  # between two steps the packet in work waits
        packet = self.message(work.packet)
        return {"for": shared.WAITS[work.wait], "packet": packet, "shown": shared.shown(work)}
