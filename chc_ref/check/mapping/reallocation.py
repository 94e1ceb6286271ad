"""What the core's states and steps are called in ``specs/Reallocation.tla``.

Names and selection alone: what the specification leaves out is either constant in its models, or
follows from what it has. That the mapping loses nothing shows in the comparison, which wants
different images for different states.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from chc_ref.check.mapping import vertex
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.splitter import Copy, To
from chc_ref.core.values import Address, Flow
from chc_ref.core.work import Handover, InstanceState, Loaded, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Action, Happen, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Arrival, Operate

TAKES = {
    ("root", m.Move): "RootTakesMove",
    ("root", m.Since): "RootTakesSince",
    ("root", m.Scale): "RootTakesScale",
    ("root", m.Route): "RootTakesRoute",
    ("root", m.Delete): "RootTakesDelete",
    ("root", m.Committed): "RootTakesCommitted",
    ("instance", m.Packet): "InstanceTakesPacket",
    ("instance", m.LastMark): "InstanceTakesLastMark",
    ("instance", m.Deleted): "InstanceTakesDeleted",
    ("instance", m.Granted): "InstanceTakesGranted",
    ("store", m.Apply): "StoreTakesApply",
    ("store", m.Acquire): "StoreTakesAcquire",
    ("store", m.Release): "StoreTakesRelease",
    ("manager", m.Begin): "ManagerTakesBegin",
    ("manager", m.Unrouted): "ManagerTakesUnrouted",
    ("manager", m.ScaleKnown): "ManagerTakesScaled",
    ("manager", m.HandedOver): "ManagerTakesHandedOver",
    ("sink", m.Output): "SinkTakesOutput",
    ("sink", m.Passed): "SinkTakesPassed",
}
"""Action of the specification, by the component that takes a message and the kind of message."""

HAPPENS = {Arrival: "Arrive", m.FlushTimer: "FlushTimer"}
"""Action of the specification, by what happens of itself."""

ASKS = {m.MoveRequested: "AskMove", m.ScaleRequested: "AskScaling"}
"""Action of the specification, by what the operator asks for."""


@attrs.frozen
class Reallocation:
    """The mapping for the models of one vertex: one root, one store, no failures."""

    system: System

    @property
    def instances(self) -> tuple[Address, ...]:
        """Give the instances of the vertex."""
        return self.system.physical.instances[vertex.vertex_of(self.system).name]

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets, or are moved."""
        world = self.system.world
        moved = {wish.flow for wish in world.wishes if isinstance(wish, m.MoveRequested)}
        return tuple(sorted({arrival.flow for arrival in world.arrivals} | moved, key=repr))

    @property
    def unknown(self) -> int:
        """Give what stands for a clock that nobody knows yet."""
        return len(self.system.world.arrivals) + 1

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        world = self.system.world
        return {
            "Instances": set(self.instances),
            "Flows": set(self.flows),
            "Home": {flow: self._home(flow) for flow in self.flows},
            "Packets": [arrival.flow for arrival in world.arrivals],
            "Moves": [self._wish(wish) for wish in world.wishes],
            "Counts": vertex.counts(self.system),
            "Eager": vertex.vertex_of(self.system).eager_flush,
        }

    def _wish(self, wish: Any) -> Names:
        """Give what the operator asks for: a move, or the homes that a scaling makes."""
        division = vertex.vertex_of(self.system).division
        match wish:
            case m.MoveRequested(_, flow, to):
                return {"flow": flow, "to": to}
            case m.ScaleRequested(vertex=name, instances=instances, by=None):
                if set(instances) != set(self.instances):
                    raise UsageError("Reallocation.tla has no scaling that leaves instances out")
                scale = m.Scale(name, 0, instances, division.by)
                return {"home": {flow: division.home(flow, scale) for flow in self.flows}}
        raise UsageError(f"Reallocation.tla has no wish like {wish!r}")

    def _home(self, flow: Flow) -> Address:
        return vertex.vertex_of(self.system).division.home(flow)

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, event) if type(event) in HAPPENS:
                return HAPPENS[type(event)]
            case Happen(_, Operate(wish)) if type(wish) in ASKS:
                return ASKS[type(wish)]
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                kind = "instance" if to in self.instances else to
                if isinstance(message, m.Committed) and source in self.instances:
                    return "RootTakesEarlySignal"
                if (kind, type(message)) in TAKES:
                    return TAKES[kind, type(message)]
        raise UsageError(f"Reallocation.tla has no action for {action!r}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        return {
            **self._root(of["root"], of[WORLD]),
            "node": {one: self._node(of[one].instance) for one in self.instances},
            **self._store(of["store"].memory),
            **self._manager(of["manager"]),
            **self._sink(of["sink"]),
            **self._channels(state),
        }

    def _root(self, entry: Any, world: Any) -> Names:
        root, splitter = entry.root, entry.splitter
        name = vertex.vertex_of(self.system).name
        routes = {flow: splitter.routes.get((name, flow), ()) for flow in self.flows}
        return {
            "arrived": root.count,
            "asked": world.operated,
            "log": vertex.log(root.log.items()),
            "route": {
                flow: [
                    {
                        "instance": tenure.instance,
                        "since": self.unknown if tenure.since is None else tenure.since,
                    }
                    for tenure in tenures
                ]
                for flow, tenures in routes.items()
            },
            "scaled": name in splitter.scales,
            "gate": [self._waiting(item) for item in splitter.gate],
        }

    def _waiting(self, item: Any) -> Names:
        match item:
            case Copy(_, packet):
                return {"type": "copy", "clock": packet.clock}
            case To(instance, m.LastMark(flow, epoch)):
                return {"type": "mark", "to": instance, "flow": flow, "epoch": epoch}
        raise UsageError(f"Reallocation.tla has nothing like {item!r} at the gate")

    def _node(self, instance: InstanceState) -> Names:
        world = self.system.world
        nothing = {"epoch": len(world.wishes) + 1, "value": self._nothing}
        return {
            "work": self._work(instance.work),
            "ready": [_message(item) for item in instance.ready],
            "queue": [_message(item) for _, item in instance.fifo],
            "blocked": {slot: _messages(waiting) for slot, waiting in instance.blocked.items()},
            "owned": {
                flow: {"epoch": owned.epoch, "value": vertex.value(owned.values[0][1])}
                if (owned := instance.owned.get(flow)) is not None
                else nothing
                for flow in self.flows
            },
            "unflushed": [update.id.clock for update in instance.client.unflushed],
        }

    @property
    def _nothing(self) -> Any:
        """Give the value that every flow begins with."""
        (declared,) = (o for o in vertex.vertex_of(self.system).nf.objects if o.per_flow)
        return vertex.value(declared.initial)

    def _work(self, work: Work | None) -> Names:
        """Give the packet in work, the value it was processed on, and what leaves for it."""
        if work is None:
            return {"clock": 0, "epoch": 0, "before": self._nothing, "shown": 0}
        (headers,), ((_, before),) = work.leaving.outputs, work.values
        packet = {"clock": work.packet.clock, "epoch": work.packet.epoch}
        return {**packet, "before": vertex.value(before), "shown": vertex.shown(headers)}

    def _store(self, memory: Any) -> Names:
        name = vertex.vertex_of(self.system).name
        owners = {flow: memory.owners.get((name, flow)) for flow in self.flows}
        return {
            "owner": {
                flow: {"instance": owner.instance or "nobody", "epoch": owner.epoch}
                if owner is not None
                else {"instance": "nobody", "epoch": 0}
                for flow, owner in owners.items()
            },
            "parked": {
                flow: [
                    _message(request, source)
                    for source, request in memory.waiting.get((name, flow), ())
                ]
                for flow in self.flows
            },
            **vertex.applied(memory, self.flows),
        }

    def _manager(self, manager: Any) -> Names:
        name = vertex.vertex_of(self.system).name
        moves = {flow: manager.moves.get((name, flow), ()) for flow in self.flows}
        begun = sorted((flow, epoch, clock) for (_, flow, epoch, _), clock in manager.begun.items())
        return {
            "target": {flow: [move.to for move in of] for flow, of in moves.items()},
            "begun": {flow: [clock for of, _, clock in begun if of == flow] for flow in self.flows},
            "underWay": {
                flow: {move.epoch for move in manager.under_way.get(flow, ())}
                for flow in self.flows
            },
            "told": {flow for (_, flow), _ in manager.firsts.items()},
        }

    def _sink(self, sink: Any) -> Names:
        passed = {flow: epochs for (_, flow), epochs in sink.queue.passed.items()}
        return {
            "passed": {flow: passed.get(flow, frozenset()) for flow in self.flows},
            "held": [_message(item) for _, item in sink.queue.held],
            "delivered": _messages(sink.outputs),
        }

    def _channels(self, state: State) -> Names:
        def content(source: Address, to: Address) -> list[Names]:
            items = state.channels[self.system.channel(source, to)]
            return [_message(item, source) for item in items]

        every = self.instances
        return {
            "toInstance": {one: content("root", one) for one in every},
            "toRoot": {one: content(one, "root") for one in every},
            "toStore": {one: content(one, "store") for one in every},
            "fromStore": {one: content("store", one) for one in every},
            "toManager": {one: content(one, "manager") for one in every},
            "toSink": {one: content(one, "sink") for one in every},
            "commits": content("store", "root"),
            "questions": content("root", "manager"),
            "orders": content("manager", "root"),
        }


# --------------------------------------------------------------------------- messages


def _messages(items: Iterable[Any]) -> list[Names]:
    return [_message(item) for item in items]


def _message(item: Any, source: Address = "") -> Names:
    """Give a message; a request for a flow carries its sender."""
    kind: Names
    match item:
        case m.Packet(clock, flow):
            return {"type": "packet", "flow": flow, "clock": clock, "epoch": item.epoch}
        case m.LastMark(flow, epoch) | Handover(flow, epoch):
            return {"type": "last", "flow": flow, "epoch": epoch}
        case m.Deleted(clock):
            return {"type": "deleted", "clock": clock}
        case m.Delete(clock, vectors=((_, vector),)):
            return {"type": "delete", "clock": clock, "vector": vertex.objects(vector)}
        case Loaded(packet, ((_, value),), owned):
            kind = {"type": "loaded", "packet": _message(packet)}
            return {**kind, "owned": owned, "value": vertex.value(value)}
        case m.Acquire(flow, epoch, clock):
            kind = {"type": "acquire", "source": source}
            return {**kind, "flow": flow, "epoch": epoch, "clock": clock}
        case m.Release(flow, epoch):
            return {"type": "release", "source": source, "flow": flow, "epoch": epoch}
        case m.Apply(update):
            name = vertex.object_name(update.object)
            return {"type": "apply", "clock": update.clock, "object": name}
        case m.Granted(flow, epoch, clock, ((_, value),), owned, latest=latest):
            of = {"flow": flow, "epoch": epoch, "clock": clock, "owned": owned}
            return {**of, "value": vertex.value(value), "latest": latest}
        case m.Committed(clock, _, token):
            (name,) = vertex.objects(token)
            return {"type": "committed", "clock": clock, "object": name}
        case m.HandedOver(flow, epoch):
            return {"flow": flow, "epoch": epoch}
        case m.Output(clock, _, flow, headers, epoch):
            shown = vertex.shown(headers)
            kind = {"type": "output", "flow": flow, "clock": clock}
            return {**kind, "epoch": epoch, "shown": shown}
        case m.Passed(flow, epoch):
            return {"type": "passed", "flow": flow, "epoch": epoch}
        case m.Begin(_, flow, epoch, clock):
            return {"type": "begin", "flow": flow, "epoch": epoch, "clock": clock}
        case m.Move(_, flow, epoch, to):
            return {"type": "move", "flow": flow, "epoch": epoch, "to": to}
        case m.Since(_, flow, epoch, clock):
            return {"type": "since", "flow": flow, "epoch": epoch, "clock": clock}
        case m.Unrouted(_, flow):
            return {"type": "unrouted", "flow": flow}
        case m.Route(_, flow):
            return {"type": "route", "flow": flow}
        case m.Scale():
            return {"type": "scale"}
        case m.ScaleKnown():
            return {"type": "scaled"}
    raise UsageError(f"Reallocation.tla has no message like {item!r}")
