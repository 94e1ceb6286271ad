"""What the core's states and steps are called in ``specs/Reallocation.tla``."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping import moves, vertex
from chc_ref.check.mapping.module import Module, takes
from chc_ref.check.mapping.records import Names, records
from chc_ref.core import messages as m
from chc_ref.core.values import Address
from chc_ref.core.work import InstanceState, Loaded, Tenanted, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, State
from chc_ref.system.world import Arrival

CHANNELS = {"questions": ("root", "manager"), "orders": ("manager", "root")}


@attrs.frozen
class Reallocation(Module):
    """The mapping for the models of one vertex: one root, one store, no failures."""

    happens: ClassVar = {
        Arrival: "Arrive",
        m.FlushTimer: "FlushTimer",
        m.MoveRequested: "AskMove",
        m.ScaleRequested: "AskScaling",
    }
    takes: ClassVar = {
        **takes(
            root=(m.Move, m.Since, m.Scale, m.Route, m.Delete, m.Committed),
            instance=(m.Packet, m.LastMark, m.Deleted, m.Granted),
            store=(m.Apply, m.Acquire, m.Release),
            manager=(m.Begin, m.Unrouted, m.HandedOver),
            sink=(m.Output, m.Passed),
        ),
        ("manager", m.ScaleKnown): "ManagerTakesScaled",
    }
    messages = records(
        {
            **moves.MESSAGES,
            m.Packet: "packet: flow clock epoch",
            m.Deleted: "deleted: clock",
            m.Delete: "delete: clock vector=vectors",
            Loaded: "loaded: packet owned value=values",
            m.Acquire: "acquire: source flow epoch clock",
            m.Release: "release: source flow epoch",
            m.Apply: "apply: clock=id.clock object",
            m.Granted: "flow epoch clock owned value=values latest",
            m.Committed: "committed: clock object=token",
            m.HandedOver: "flow epoch",
            m.Output: "output: flow clock epoch=after shown",
            m.Unrouted: "unrouted: flow",
            m.Route: "route: flow",
            m.Scale: "scale:",
            m.ScaleKnown: "scaled:",
        },
        vertex.READERS,
    )

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        return {
            "Instances": set(self.instances),
            "Flows": set(self.flows),
            "Home": self.home(self.vertex),
            "Packets": self.packets,
            "Moves": [self._wish(wish) for wish in self.system.world.wishes],
            "Counts": vertex.counts(self.vertex),
            "Eager": self.vertex.eager_flush,
        }

    def _wish(self, wish: Any) -> Names:
        """Give what the operator asks for: a move, or the homes that a scaling makes."""
        division = self.vertex.division
        match wish:
            case m.MoveRequested(_, flow, to):
                return {"flow": flow, "to": to}
            case m.ScaleRequested(vertex=name, instances=instances, by=None):
                if set(instances) != set(self.instances):
                    raise UsageError(f"{self.file} has no scaling that leaves instances out")
                scale = m.Scale(name, 0, instances, division.by)
                return {"home": {flow: division.home(flow, scale) for flow in self.flows}}
        raise UsageError(f"{self.file} has no wish like {wish!r}")

    def taken(self, state: State, source: Address, to: Address, item: Any) -> str | None:
        """Give the name of the action that takes a message; a store alone sends signals late."""
        if isinstance(item, m.Committed) and source in self.instances:
            return "RootTakesEarlySignal"
        return super().taken(state, source, to, item)

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        memory, manager, sink = of["store"].memory, of["manager"], of["sink"]
        waiting = moves.waiting(self, memory, self.vertex)
        return {
            **self._root(of["root"]),
            "asked": of[WORLD].operated,
            "node": {one: self._node(of[one].instance) for one in self.instances},
            "owner": moves.owners(self, memory, self.vertex),
            "parked": {flow: self.queued(requests) for flow, requests in waiting.items()},
            **vertex.applied(memory, self.flows),
            **moves.books(self, manager),
            "told": {flow for (_, flow), _ in manager.firsts.items()},
            **moves.marks(self, sink.queue),
            "delivered": self.listed(sink.outputs),
            **self.channels(state, CHANNELS),
        }

    def _root(self, entry: Any) -> Names:
        root, splitter, name = entry.root, entry.splitter, self.vertex.name
        routes = {flow: splitter.routes.get((name, flow), ()) for flow in self.flows}
        return {
            "arrived": root.count,
            "log": vertex.log(root.log.items()),
            "route": {flow: moves.tenures(self, of) for flow, of in routes.items()},
            "scaled": name in splitter.scales,
            "gate": self.listed(splitter.gate),
        }

    def _node(self, instance: InstanceState) -> Names:
        owned = {flow: instance.owned.get(flow) for flow in self.flows}
        return {
            "work": self._work(instance.work),
            "ready": self.listed(instance.ready),
            "queue": self.queued(instance.fifo),
            "blocked": {slot: self.listed(waiting) for slot, waiting in instance.blocked.items()},
            "owned": {flow: self._owned(of) for flow, of in owned.items()},
            "unflushed": [update.id.clock for update in instance.client.unflushed],
        }

    def _owned(self, of: Tenanted | None) -> Names:
        if of is None:
            never = len(self.system.world.wishes) + 1
            return {"epoch": never, "value": vertex.initial(self.vertex)}
        return {"epoch": of.epoch, "value": vertex.cached(of.values)}

    def _work(self, work: Work | None) -> Names:
        """Give the packet in work, the value it was processed on, and what leaves for it."""
        if work is None:
            return {"clock": 0, "epoch": 0, "before": vertex.initial(self.vertex), "shown": 0}
        (headers,) = work.leaving.outputs
        packet = {"clock": work.packet.clock, "epoch": work.packet.epoch}
        before = vertex.cached(work.values)
        return {**packet, "before": before, "shown": vertex.shown(headers)}
