"""What the core's states and steps are called in ``specs/Failover.tla``.

Names and selection alone, as in ``reallocation``.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.check.mapping import vertex
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.node import NodeState
from chc_ref.core.values import Address, Flow
from chc_ref.core.work import Loaded, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Arrival, Crash

TAKES = {
    ("root", m.Delete): "RootTakesDelete",
    ("root", m.Committed): "RootTakesCommitted",
    ("root", m.Replay): "RootTakesReplay",
    ("instance", m.Packet): "InstanceTakesPacket",
    ("instance", m.ReplayEnd): "InstanceTakesReplayEnd",
    ("instance", m.Deleted): "InstanceTakesDeleted",
    ("instance", m.Granted): "InstanceTakesGranted",
    ("instance", m.Start): "InstanceTakesStart",
    ("store", m.Apply): "StoreTakesApply",
    ("store", m.Acquire): "StoreTakesAcquire",
    ("store", m.Fence): "StoreTakesFence",
    ("manager", m.Fenced): "ManagerTakesFenced",
    ("manager", m.Ready): "ManagerTakesReady",
    ("manager", m.Recovered): "ManagerTakesRecovered",
    ("sink", m.Output): "SinkTakesOutput",
}
"""Action of the specification, by the component that takes a message and the kind of message."""

HAPPENS = {Arrival: "Arrive", Crash: "Crash", m.FlushTimer: "FlushTimer"}
"""Action of the specification, by what happens of itself."""

LOSES = {"root": "LoseToRoot", "store": "LoseToStore", "manager": "LoseToManager"}
"""Action of the specification, by where what is lost was under way to."""


@attrs.frozen
class Failover:
    """The mapping for the models of one vertex, in which instances fail and no flow moves."""

    system: System

    @property
    def instances(self) -> tuple[Address, ...]:
        """Give the instances of the vertex."""
        return self.system.physical.instances[vertex.vertex_of(self.system).name]

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets."""
        return tuple(sorted({arrival.flow for arrival in self.system.world.arrivals}, key=repr))

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        world, of = self.system.world, vertex.vertex_of(self.system)
        return {
            "Ranked": sorted(self.instances),
            "Flows": set(self.flows),
            "Home": {flow: of.division.home(flow) for flow in self.flows},
            "Packets": [arrival.flow for arrival in world.arrivals],
            "Fragile": set(world.fragile),
            "MostCrashes": world.most_crashes,
            "Counts": vertex.counts(self.system),
            "Eager": of.eager_flush,
        }

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, event) if type(event) in HAPPENS:
                return HAPPENS[type(event)]
            case Lose(_, to) if to in LOSES:
                return LOSES[to]
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                kind = "instance" if to in self.instances else to
                if (kind, type(message)) in TAKES:
                    return TAKES[kind, type(message)]
        raise UsageError(f"Failover.tla has no action for {action!r}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        root = of["root"].root
        return {
            "arrived": root.count,
            "crashed": {one: of[WORLD].crashed.count(one) for one in self.instances},
            "log": vertex.log(root.log.items()),
            "node": {one: self._node(of[one]) for one in self.instances},
            **self._store(of["store"]),
            **vertex.manager(of["manager"], self.instances),
            "delivered": [_message(output) for output in of["sink"].outputs],
            **self._channels(state),
        }

    def _node(self, node: NodeState) -> Names:
        queue, instance = node.queue, node.instance
        (over,) = [number for _, number in queue.over.items()] or [0]
        return {
            "up": node.up,
            "start": instance.client.start,
            "recovering": queue.recovering,
            "valid": queue.valid,
            "over": over,
            "seen": {clock for (clock, _, _), _ in queue.seen.items()},
            "aside": [_message(item) for _, item in queue.aside],
            "work": self._work(instance.work),
            "ready": [_message(item) for item in instance.ready],
            "lane": [_message(item) for _, item in instance.lane],
            "queue": [_message(item) for _, item in instance.fifo],
            "blocked": {
                flow: [_message(item) for item in waiting]
                for (flow, _), waiting in instance.blocked.items()
            },
            "owned": {
                flow: vertex.value(owned.values[0][1]) for flow, owned in instance.owned.items()
            },
            "unflushed": [update.id.clock for update in instance.client.unflushed],
        }

    def _work(self, work: Work | None) -> Names:
        """Give the packet in work, and the value that it was processed on."""
        if work is not None:
            return {"clock": work.packet.clock, "before": vertex.value(work.values[0][1])}
        (own,) = (o for o in vertex.vertex_of(self.system).nf.objects if o.per_flow)
        return {"clock": 0, "before": vertex.value(own.initial)}

    def _store(self, store: Any) -> Names:
        owners = {flow: owner.instance for (_, flow), owner in store.memory.owners.items()}
        return {
            "owner": {flow: owners.get(flow) or "nobody" for flow in self.flows},
            **vertex.applied(store.memory, self.flows),
            "fence": {one: store.fences.get(one, 0) for one in self.instances},
        }

    def _channels(self, state: State) -> Names:
        def content(source: Address, to: Address) -> list[Any]:
            return [_message(item) for item in state.channels[self.system.channel(source, to)]]

        every = self.instances
        return {
            "toInstance": {one: content("root", one) for one in every},
            "begin": {one: content("manager", one) for one in every},
            "toRoot": {one: content(one, "root") for one in every},
            "toStore": {one: content(one, "store") for one in every},
            "fromStore": {one: content("store", one) for one in every},
            "toManager": {one: content(one, "manager") for one in every},
            "toSink": {one: content(one, "sink") for one in every},
            "commits": content("store", "root"),
            "replays": content("manager", "root"),
            "fences": content("manager", "store"),
            "fenced": content("store", "manager"),
        }


def _message(item: Any) -> Any:
    """Give a message; that a failover begins is told by its session alone."""
    match item:
        case m.Packet(clock, flow):
            return {"type": "packet", "flow": flow, "clock": clock, "session": item.session}
        case Loaded(packet, values=((_, value),), owned=True):
            named = {"type": "loaded", "flow": packet.flow, "clock": packet.clock}
            return {**named, "value": vertex.value(value)}
        case m.ReplayEnd(_, session, newest):
            return {"type": "end", "session": session, "newest": max(newest, default=0)}
        case m.Deleted(clock, _, first, start):
            return {"type": "deleted", "clock": clock, "first": first, "start": start}
        case m.Delete(clock, vectors=((_, vector),), start=start):
            return {"clock": clock, "vector": vertex.objects(vector), "start": start}
        case m.Acquire(flow, _, clock, start=start):
            return {"type": "acquire", "flow": flow, "clock": clock, "start": start}
        case m.Apply(update, start=start):
            named = {"type": "apply", "clock": update.clock, "start": start}
            return {**named, "object": vertex.object_name(update.object)}
        case m.Granted(flow, _, clock, values=((_, value),), owned=True, latest=latest):
            named = {"flow": flow, "clock": clock, "latest": latest}
            return {**named, "value": vertex.value(value)}
        case m.Committed(clock, _, token):
            (name,) = vertex.objects(token)
            return {"clock": clock, "object": name}
        case m.Output(clock, _, flow, headers):
            return {"flow": flow, "clock": clock, "shown": vertex.shown(headers)}
        case m.Start(session=session):
            return session
        case m.Ready(session):
            return {"type": "ready", "session": session}
        case m.Recovered(session):
            return {"type": "recovered", "session": session}
        case m.Replay(target, session):
            return {"to": target, "session": session}
        case m.Fence(address, start) | m.Fenced(address, start):
            return {"instance": address, "start": start}
    raise UsageError(f"Failover.tla has no message like {item!r}")
