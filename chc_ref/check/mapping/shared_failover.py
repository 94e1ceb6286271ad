"""What the core's states and steps are called in ``specs/SharedFailover.tla``.

Names and selection alone, as in ``failover``.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.check.mapping import shared, vertex
from chc_ref.check.mapping.failover import HAPPENS, TAKES
from chc_ref.check.mapping.shared import WAITS
from chc_ref.check.mapping.shared_object import CACHES
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.node import NodeState
from chc_ref.core.values import Address, Flow
from chc_ref.core.work import Announce, Loaded, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver

NOBODY = "nobody"

SESSIONS = {m.Start: "start", m.Ready: "ready", m.Recovered: "recovered"}
"""Messages that tell nothing but their session."""


@attrs.frozen
class SharedFailover:
    """The mapping for the models of one vertex whose flows share an object: instances fail."""

    system: System

    @property
    def instances(self) -> tuple[Address, ...]:
        """Give the instances of the vertex."""
        return self.system.physical.instances[vertex.vertex_of(self.system).name]

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets."""
        return shared.flows(self.system)

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        world = self.system.world
        return {
            **shared.constants(self.system),
            "Ranked": sorted(self.instances),
            "Fragile": set(world.fragile),
            "MostCrashes": world.most_crashes,
        }

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, event) if type(event) in HAPPENS:
                return HAPPENS[type(event)]
            case Lose():
                return "Lose"
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                kind = "instance" if to in self.instances else to
                for names in (TAKES, CACHES):
                    if (kind, type(message)) in names:
                        return names[kind, type(message)]
        raise UsageError(f"SharedFailover.tla has no action for {action!r}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        store, name = of["store"], vertex.vertex_of(self.system).name
        owners = {flow: store.memory.owners.get((name, flow)) for flow in self.flows}
        return {
            "channel": self._channels(state),
            "arrived": of["root"].root.count,
            "log": shared.log(of["root"].root.log.items()),
            "node": {one: self._node(of[one]) for one in self.instances},
            "owner": {flow: owner.instance if owner else NOBODY for flow, owner in owners.items()},
            **shared.memory(self.system, store),
            "fence": {one: store.fences.get(one, 0) for one in self.instances},
            **vertex.manager(of["manager"], self.instances),
            "delivered": [self._message(output) for output in of["sink"].outputs],
            "crashed": {one: of[WORLD].crashed.count(one) for one in self.instances},
        }

    def _node(self, node: NodeState) -> Names:
        instance, queue = node.instance, node.queue

        def items(of: Any) -> list[Names]:
            return [self._message(item) for _, item in of]

        return {
            "up": node.up,
            "recovering": queue.recovering,
            "valid": queue.valid,
            "over": max((session for _, session in queue.over.items()), default=0),
            "seen": {clock for (clock, _, _), _ in queue.seen.items()},
            "aside": items(queue.aside),
            "work": [] if instance.work is None else [self._work(instance.work)],
            "ready": [self._message(item) for item in instance.ready],
            "lane": items(instance.lane),
            "queue": items(instance.fifo),
            "owned": {flow for flow, _ in instance.owned.items()},
            "client": shared.client(self.system, instance.client, self._effect),
            "blocked": {
                flow: [self._message(item) for item in waiting]
                for (flow, _), waiting in instance.blocked.items()
            },
        }

    def _work(self, work: Work) -> Names:
        """Give the packet in work, and what it will carry away."""
        assert work.wait is not None  # between two steps the packet in work waits
        packet = self._message(work.packet)
        return {"for": WAITS[work.wait], "packet": packet, "shown": shared.shown(work)}

    def _effect(self, effect: Any) -> Names:
        """Give what an instance holds back."""
        match effect:
            case m.Send(to, message):
                return {"to": to, "message": self._message(message)}
            case Announce(mark):
                return {"to": NOBODY, "message": self._message(mark)}
        raise UsageError(f"SharedFailover.tla has no effect like {effect!r}")

    # ------------------------------------------------------------------ messages

    def _channels(self, state: State) -> Names:
        """Give what is under way from everybody to everybody, but for channels never used."""
        every = set(self.instances)
        receivers: dict[str, set[Address]] = {
            **{one: {"root", "store", "manager", "sink"} for one in every},
            "root": every,
            "store": every | {"root", "manager"},
            "manager": every | {"root", "store"},
            "sink": set(),
        }
        return shared.channels(self.system, state, receivers, lambda _, item: self._message(item))

    def _message(self, item: Any) -> Names:
        """Give a message, or what a queue or an instance holds of it."""
        match item:
            case m.Packet(clock, target=target, session=session):
                of = {"target": target or NOBODY, "session": session}
                return {"type": "packet", "clock": clock, **of}
            case Loaded(packet, owned=True):
                return {"type": "loaded", "packet": self._message(packet)}
            case m.ReplayEnd(target, session, newest):
                of = {"target": target, "session": session}
                return {"type": "end", **of, "newest": max(newest, default=0)}
            case m.Deleted(clock, _, first, start):
                return {"type": "deleted", "clock": clock, "first": first, "start": start}
            case m.Delete(clock, start=start):
                return {"type": "delete", "clock": clock, "start": start}
            case m.Acquire(_, _, clock, False, start):
                return {"type": "acquire", "clock": clock, "start": start}
            case m.Granted(_, _, clock, peek=False, latest=True):
                return {"type": "granted", "clock": clock}
            case m.Committed(clock):
                return {"type": "committed", "clock": clock}
            case m.Output(clock, headers=headers):
                return {"type": "output", "clock": clock, "shown": vertex.shown(headers)}
            case m.Replay(target, session):
                return {"type": "replay", "target": target, "session": session}
            case m.Fence(address, start):
                return {"type": "fence", "instance": address, "start": start}
            case m.Fenced(address, start):
                return {"type": "fenced", "instance": address, "start": start}
            case _ if type(item) in SESSIONS:
                return {"type": SESSIONS[type(item)], "session": item.session}
        return shared.message(item)
