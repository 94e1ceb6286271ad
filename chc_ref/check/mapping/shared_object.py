"""What the core's states and steps are called in ``specs/SharedObject.tla``.

Names and selection alone, as in ``reallocation``.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.check.mapping import shared, vertex
from chc_ref.check.mapping.reallocation import ASKS, HAPPENS, TAKES
from chc_ref.check.mapping.shared import WAITS
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory
from chc_ref.core.splitter import Copy, Tenure, To
from chc_ref.core.values import Address, Flow
from chc_ref.core.work import Announce, Handover, InstanceState, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Action, Happen, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Operate

CACHES = {
    ("instance", m.Result): "InstanceTakesResult",
    ("instance", m.Callback): "InstanceTakesCallback",
    ("instance", m.Cache): "InstanceTakesCache",
    ("instance", m.Drain): "InstanceTakesDrain",
    ("store", m.Drained): "StoreTakesDrained",
    ("manager", m.Drained): "ManagerTakesDrained",
    ("manager", m.CacheKnown): "ManagerTakesKnown",
}
"""Actions that ``Reallocation`` does not have."""


@attrs.frozen
class SharedObject:
    """The mapping for the models of one vertex whose flows share an object, and move."""

    system: System

    @property
    def instances(self) -> tuple[Address, ...]:
        """Give the instances of the vertex."""
        return self.system.physical.instances[vertex.vertex_of(self.system).name]

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets, or are moved."""
        return shared.flows(self.system)

    @property
    def unknown(self) -> int:
        """Give what stands for a clock that nobody knows yet, and for a copy that is not there."""
        return shared.nothing(self.system)

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        world = self.system.world
        wishes = [wish for wish in world.wishes if isinstance(wish, m.MoveRequested)]
        if len(wishes) < len(world.wishes):
            raise UsageError("SharedObject.tla has moves, and no other wishes")
        return {
            **shared.constants(self.system),
            "Instances": set(self.instances),
            "Moves": [{"flow": wish.flow, "to": wish.to} for wish in wishes],
        }

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
                for names in (TAKES, CACHES):
                    if (kind, type(message)) in names:
                        return names[kind, type(message)]
        raise UsageError(f"SharedObject.tla has no action for {action!r}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        return {
            "channel": self._channels(state),
            **self._root(of["root"]),
            "node": {one: self._node(of[one].instance) for one in self.instances},
            **self._store(of["store"].memory),
            **shared.memory(self.system, of["store"]),
            "asked": of[WORLD].operated,
            **self._moving(of["manager"]),
            **self._caching(of["manager"]),
            **self._sink(of["sink"]),
        }

    def _root(self, entry: Any) -> Names:
        root, splitter = entry.root, entry.splitter
        name = vertex.vertex_of(self.system).name
        home = vertex.vertex_of(self.system).division.home
        routes = {
            flow: splitter.routes.get((name, flow), (Tenure(0, home(flow), 0),))
            for flow in self.flows
        }
        return {
            "arrived": root.count,
            "log": shared.log(root.log.items()),
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
            "gate": [_waiting(item) for item in splitter.gate],
        }

    def _node(self, instance: InstanceState) -> Names:
        epochs = range(len(self.system.world.wishes) + 1)
        owned = instance.owned
        return {
            "work": _work(instance.work),
            "ready": [self._message("", item) for item in instance.ready],
            "queue": [self._message("", item) for _, item in instance.fifo],
            "blocked": {
                flow: {
                    e: [self._message("", item) for item in instance.blocked.get((flow, e), ())]
                    for e in epochs
                }
                for flow in self.flows
            },
            "owned": {
                flow: owned[flow].epoch if flow in owned else len(epochs) for flow in self.flows
            },
            "client": shared.client(self.system, instance.client, self._effect),
        }

    def _effect(self, effect: Any) -> Names:
        """Give what an instance holds back."""
        match effect:
            case m.Send(to, message):
                return {"to": to, "message": self._message("", message)}
            case Announce(mark):
                return {"to": "sink", "message": self._message("", mark)}
        raise UsageError(f"SharedObject.tla has no effect like {effect!r}")

    def _store(self, memory: Memory) -> Names:
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
                    self._message(source, request)
                    for source, request in memory.waiting.get((name, flow), ())
                ]
                for flow in self.flows
            },
        }

    def _moving(self, manager: ManagerState) -> Names:
        name = vertex.vertex_of(self.system).name
        moves = {flow: manager.moves.get((name, flow), ()) for flow in self.flows}
        begun = sorted((flow, epoch, clock) for (_, flow, epoch, _), clock in manager.begun.items())
        under_way = manager.under_way
        return {
            "target": {flow: [move.to for move in of] for flow, of in moves.items()},
            "begun": {flow: [clock for of, _, clock in begun if of == flow] for flow in self.flows},
            "underWay": {
                flow: {move.epoch for move in under_way.get(flow, ())} for flow in self.flows
            },
            "wishes": [
                {"flow": wish.flow, "to": wish.to}
                for wish in manager.wishes
                if isinstance(wish, m.MoveRequested)
            ],
        }

    def _caching(self, manager: ManagerState) -> Names:
        name = vertex.vertex_of(self.system).name
        told = manager.caching.get(name)
        drains = [one for (kind, _), of in manager.awaited.items() if kind == "drain" for one in of]
        return {
            "caching": shared.alone(self.system) if told is None else told.alone,
            "awaited": set(manager.awaited.get(("cache", name), ())),
            "drain": manager.session,
            "draining": set(drains),
        }

    def _sink(self, sink: Any) -> Names:
        passed = {flow: epochs for (_, flow), epochs in sink.queue.passed.items()}
        return {
            "passed": {flow: passed.get(flow, frozenset()) for flow in self.flows},
            "held": [self._message("", item) for _, item in sink.queue.held],
            "delivered": [self._message("", item) for item in sink.outputs],
        }

    # ------------------------------------------------------------------ messages

    def _channels(self, state: State) -> Names:
        """Give what is under way from everybody to everybody, but for channels never used."""
        every = set(self.instances)
        receivers: dict[str, set[Address]] = {
            **{one: {"root", "store", "manager", "sink"} for one in every},
            "root": every | {"manager"},
            "store": every | {"root", "manager"},
            "manager": every | {"root"},
            "sink": set(),
        }
        return shared.channels(self.system, state, receivers, self._message)

    def _message(self, source: Address, item: Any) -> Names:
        """Give a message; a request for a flow carries its sender."""
        match item:
            case m.Packet(clock, flow):
                return {"type": "packet", "flow": flow, "clock": clock, "epoch": item.epoch}
            case m.LastMark(flow, epoch) | Handover(flow, epoch):
                return {"type": "last", "flow": flow, "epoch": epoch}
            case m.Deleted(clock):
                return {"type": "deleted", "clock": clock}
            case m.Delete(clock):
                return {"type": "delete", "clock": clock}
            case m.Acquire(flow, epoch):
                return {"type": "acquire", "source": source, "flow": flow, "epoch": epoch}
            case m.Release(flow, epoch):
                return {"type": "release", "source": source, "flow": flow, "epoch": epoch}
            case m.Granted(flow, epoch):
                return {"type": "granted", "flow": flow, "epoch": epoch}
            case m.Committed(clock):
                return {"type": "committed", "clock": clock}
            case m.HandedOver(flow, epoch):
                return {"type": "handed", "flow": flow, "epoch": epoch}
            case m.Output(clock, _, flow, headers, epoch):
                kind = {"type": "output", "flow": flow, "clock": clock, "epoch": epoch}
                return {**kind, "shown": vertex.shown(headers)}
            case m.Passed(flow, epoch):
                return {"type": "passed", "flow": flow, "epoch": epoch}
            case m.Begin(_, flow, epoch, clock):
                return {"type": "begin", "flow": flow, "epoch": epoch, "clock": clock}
            case m.Move(_, flow, epoch, to):
                return {"type": "move", "flow": flow, "epoch": epoch, "to": to}
            case m.Since(_, flow, epoch, clock):
                return {"type": "since", "flow": flow, "epoch": epoch, "clock": clock}
            case m.Cache(alone):
                return {"type": "cache", "alone": alone}
            case m.CacheKnown(cache):
                return {"type": "known", "alone": cache.alone}
            case m.Drain(number):
                return {"type": "drain", "number": number}
            case m.Drained(host, number):
                return {"type": "drained", "instance": host, "number": number}
        return shared.message(item)


def _waiting(item: Any) -> Names:
    match item:
        case Copy(_, packet):
            return {"type": "copy", "clock": packet.clock}
        case To(instance, m.LastMark(flow, epoch)):
            return {"type": "mark", "to": instance, "flow": flow, "epoch": epoch}
    raise UsageError(f"SharedObject.tla has nothing like {item!r} at the gate")


def _work(work: Work | None) -> Names:
    """Give the packet in work, and what it will carry away."""
    if work is None:
        return {"for": "nothing", "clock": 0, "epoch": 0, "shown": 0}
    assert work.wait is not None  # between two steps the packet in work waits
    packet = {"clock": work.packet.clock, "epoch": work.packet.epoch}
    return {"for": WAITS[work.wait], **packet, "shown": shared.shown(work)}
