"""What the core's states and steps are called in ``specs/SharedObject.tla``."""

from __future__ import annotations

from typing import ClassVar

import attrs

from chc_ref.check.mapping import moves, shared
from chc_ref.check.mapping.module import Module
from chc_ref.check.mapping.reallocation import Reallocation
from chc_ref.check.mapping.records import Names, records
from chc_ref.core import messages as m
from chc_ref.core.directory import ManagerState
from chc_ref.core.work import InstanceState, Work
from chc_ref.system.composition import WORLD, State


@attrs.frozen
class SharedObject(Module):
    """The mapping for the models of one vertex whose flows share an object, and move."""

    happens = Reallocation.happens
    takes: ClassVar = {**Reallocation.takes, **shared.TAKES}
    messages = records(
        {
            **moves.MESSAGES,
            **shared.MESSAGES,
            m.Packet: "packet: flow clock epoch",
            m.Deleted: "deleted: clock",
            m.Delete: "delete: clock",
            m.Acquire: "acquire: source flow epoch",
            m.Release: "release: source flow epoch",
            m.Granted: "granted: flow epoch",
            m.HandedOver: "handed: flow epoch",
            m.Output: "output: flow clock epoch=after shown",
            m.Cache: "cache: alone",
            m.CacheKnown: "known: alone=cache.alone",
            m.Drain: "drain: number",
            m.Drained: "drained: instance=host number",
        },
        shared.READERS,
    )

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        return {
            **shared.constants(self),
            "Instances": set(self.instances),
            "Moves": self.moves,
        }

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        entry, manager, memory, sink = of["root"], of["manager"], of["store"].memory, of["sink"]
        waiting = moves.waiting(self, memory, self.vertex)
        return {
            "channel": shared.channel(self, state, root={"manager"}, manager={"root"}),
            "arrived": entry.root.count,
            "log": shared.log(entry.root.log.items()),
            "route": moves.route(self, entry.splitter, self.vertex),
            "gate": self.listed(entry.splitter.gate),
            "node": {one: self._node(of[one].instance) for one in self.instances},
            "owner": moves.owners(self, memory, self.vertex),
            "parked": {flow: self.queued(requests) for flow, requests in waiting.items()},
            **shared.memory(self, of["store"]),
            "asked": of[WORLD].operated,
            **moves.books(self, manager),
            "wishes": self.asked(manager.wishes),
            **self._caching(manager),
            **moves.marks(self, sink.queue),
            "delivered": self.listed(sink.outputs),
        }

    def _node(self, instance: InstanceState) -> Names:
        epochs, owned = range(len(self.system.world.wishes) + 1), instance.owned
        return {
            "work": _work(instance.work),
            "ready": self.listed(instance.ready),
            "queue": self.queued(instance.fifo),
            "blocked": {
                flow: {e: self.listed(instance.blocked.get((flow, e), ())) for e in epochs}
                for flow in self.flows
            },
            "owned": {
                flow: owned[flow].epoch if flow in owned else len(epochs) for flow in self.flows
            },
            "client": shared.client(self, instance.client),
        }

    def _caching(self, manager: ManagerState) -> Names:
        name = self.vertex.name
        told = manager.caching.get(name)
        drains = [one for (kind, _), of in manager.awaited.items() if kind == "drain" for one in of]
        return {
            "caching": shared.alone(self) if told is None else told.alone,
            "awaited": set(manager.awaited.get(("cache", name), ())),
            "drain": manager.session,
            "draining": set(drains),
        }


def _work(work: Work | None) -> Names:
    """Give the packet in work, and what it will carry away."""
    if work is None:
        return {"for": "nothing", "clock": 0, "epoch": 0, "shown": 0}
    assert work.wait is not None  # between two steps the packet in work waits
    packet = {"clock": work.packet.clock, "epoch": work.packet.epoch}
    return {"for": shared.WAITS[work.wait], **packet, "shown": shared.shown(work)}
