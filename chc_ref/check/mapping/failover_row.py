"""What the core's states and steps are called in ``specs/FailoverRow.tla``.

Names and selection alone, as in ``failover``.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping import vertex
from chc_ref.check.mapping.failover import HAPPENS, TAKES
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.chain import Vertex
from chc_ref.core.node import NodeState
from chc_ref.core.queue import QueueState
from chc_ref.core.values import Address, Flow, ObjectKey, Past, vertex_of
from chc_ref.core.work import Loaded, Wait, Work
from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.system.composition import WORLD, Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Forgetting

KINDS = ("counter", "recorder", "pass")
NOBODY = "nobody"
FRAMEWORK = ("root", "store", "manager", "sink")

WAITS = {Wait.PEEK: "grant", Wait.DELETE: "delete"}

EVENTS: dict[type, str] = {**HAPPENS, Forgetting: "TellWhatIsOver"}
MESSAGES: dict[tuple[str, type], str] = {
    **TAKES,
    ("instance", m.Forget): "InstanceTakesForget",
    ("store", m.Forget): "StoreTakesForget",
}
"""The actions of one vertex, and of the word that packets are over."""

SESSIONS = {m.Start: "start", m.Ready: "ready", m.Recovered: "recovered"}
"""Messages that tell nothing but their session."""


@attrs.frozen
class FailoverRow:
    """The mapping for models of a row of vertices, in which instances fail and no flow moves."""

    system: System

    takes: ClassVar[dict[tuple[str, type], str]] = MESSAGES
    happens: ClassVar[dict[type, str]] = EVENTS

    @cached_property
    def row(self) -> tuple[Vertex, ...]:
        """Give the vertices from the root on."""
        chain = self.system.physical.chain
        names = [of.name for of in chain.vertices]
        if set(chain.edges) != set(itertools.pairwise(names)):
            raise UsageError(f"{self._module} has no chain but a row of vertices")
        if wrong := [of.nf.name for of in chain.vertices if of.nf.name not in KINDS]:
            raise UsageError(f"{self._module} has no NF {wrong[0]!r}")
        return chain.vertices

    @property
    def _module(self) -> str:
        return f"{type(self).__name__}.tla"

    @cached_property
    def places(self) -> dict[str, int]:
        """Give the place of each vertex in the row."""
        return {of.name: place for place, of in enumerate(self.row, start=1)}

    @cached_property
    def instances(self) -> tuple[Address, ...]:
        """Give all instances."""
        every = self.system.physical.instances.values()
        return tuple(sorted(one for instances in every for one in instances))

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets."""
        return tuple(sorted({arrival.flow for arrival in self.system.world.arrivals}, key=repr))

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        world = self.system.world
        return {
            "Ranked": self.instances,
            "VertexOf": {one: self.places[vertex_of(one)] for one in self.instances},
            "Kinds": [of.nf.name for of in self.row],
            "Flows": set(self.flows),
            "Home": [{flow: of.division.home(flow) for flow in self.flows} for of in self.row],
            "Packets": [arrival.flow for arrival in world.arrivals],
            "Fragile": set(world.fragile),
            "MostCrashes": world.most_crashes,
            "MostForgets": len(world.forgets),
            "Eager": [of.eager_flush for of in self.row],
        }

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, event) if type(event) in self.happens:
                return self.happens[type(event)]
            case Lose():
                return "Lose"
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                kind = "instance" if to in self.instances else to
                if (kind, type(message)) in self.takes:
                    return self.takes[kind, type(message)]
        raise UsageError(f"{self._module} has no action for {action!r}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        root = of["root"].root
        return {
            "channel": self._channels(state),
            "arrived": root.count,
            "log": {clock: self._entry(entry) for clock, entry in root.log.items()},
            "node": {one: self._node(of[one]) for one in self.instances},
            **self._store(of["store"]),
            **vertex.manager(of["manager"], self.instances),
            "delivered": [self._message("", output) for output in of["sink"].outputs],
            "crashed": {one: of[WORLD].crashed.count(one) for one in self.instances},
            "forgets": of[WORLD].forgotten,
        }

    def _entry(self, entry: m.LogEntry) -> Names:
        """Give an entry of the log; no packet of a row has more than one copy."""
        return {
            "ended": bool(entry.ended),
            "vector": self._updates(entry.vectors.get((), 0)),
            "signals": self._updates(entry.signals.get((), 0)),
        }

    def _node(self, node: NodeState) -> Names:
        instance = node.instance

        def items(of: Any) -> list[Names]:
            return [self._message(source, item) for source, item in of]

        return {
            "up": node.up,
            "start": instance.client.start,
            "past": _newest(instance.past),
            **self._queue(node.queue),
            "aside": items(node.queue.aside),
            "work": [] if instance.work is None else [self._work(instance.work)],
            "ready": [self._message("", item) for item in instance.ready],
            "lane": items(instance.lane),
            "queue": items(instance.fifo),
            "blocked": {
                flow: [self._message("", item) for item in waiting]
                for (flow, _), waiting in instance.blocked.items()
            },
            "owned": {flow: value_of(owned.values) for flow, owned in instance.owned.items()},
            "unflushed": [_entry(update) for update in instance.client.unflushed],
        }

    def _queue(self, queue: QueueState) -> Names:
        ends = {}
        for replay, marks in queue.ends.items():
            (newest,) = {mark.newest for _, mark in marks.items()}
            heard = {one for one, _ in marks.items()}
            ends[replay] = {"heard": heard, "newest": max(newest, default=0)}
        return {
            "recovering": queue.recovering,
            "valid": queue.valid,
            "seen": {_key(key) for key, _ in queue.seen.items()},
            "gone": queue.forgotten,
            "ends": ends,
            "over": dict(queue.over.items()),
        }

    def _work(self, work: Work) -> Names:
        """Give the packet in work, as it is by now, and the value that it was processed on."""
        assert work.wait is not None  # between two steps the packet in work waits
        packet = work.packet
        if work.wait is Wait.PEEK:
            before = value_of(())
        else:
            (headers,) = work.leaving.outputs
            packet, before = attrs.evolve(packet, headers=headers), value_of(work.values)
        return {
            "for": WAITS[work.wait],
            "packet": self._message("", packet),
            "before": before,
        }

    # ------------------------------------------------------------------ store

    def _store(self, store: Any) -> Names:
        memory = store.memory
        owners = {at: owner.instance for at, owner in memory.owners.items()}
        own = {(key.vertex, key.key): versions for key, versions in memory.versions.items()}
        return {
            "owner": [
                {flow: owners.get((of.name, flow)) or NOBODY for flow in self.flows}
                for of in self.row
            ],
            "applied": [
                {
                    flow: [_version(*one) for one in own.get((of.name, flow), ())]
                    for flow in self.flows
                }
                for of in self.row
            ],
            "counted": [vertex.counted(memory, of.name) for of in self.row],
            "fence": {one: store.fences.get(one, 0) for one in self.instances},
            **self._memory(memory),
        }

    def _memory(self, memory: Any) -> Names:
        """Give what the store has forgotten: of counters nothing is in the models."""
        base: list[dict[Flow, list[Names]]] = [{} for _ in self.row]
        forgot = set()
        for place, of in enumerate(self.row):
            for flow in self.flows:
                key = ObjectKey(of.name, "seen", flow)
                whole = [_recorded(headers) for headers in memory.values.get(key, ())]
                known = len(memory.versions.get(key, ()))
                base[place][flow] = whole[: len(whole) - known]
                clocks = {entry["clock"] for entry in whole}
                clocks -= {
                    update.clock for update, _ in memory.records.items() if update.object == key
                }
                forgot |= {(clock, place + 1) for clock in clocks}
        return {"base": base, "forgot": forgot, "over": _newest(memory.past)}

    @cached_property
    def _bits(self) -> list[tuple[str, Any]]:
        return vertex.token_bits(self.system)

    def _updates(self, tokens: int) -> set[tuple[int, str]]:
        """Give the updates whose token bits are set (DEL-1)."""
        return {
            (self.places[at], vertex.OBJECTS[not declared.per_flow])
            for bit, (at, declared) in enumerate(self._bits)
            if tokens >> bit & 1
        }

    # ------------------------------------------------------------------ messages

    def _channels(self, state: State) -> Names:
        """Give what is under way from everybody to everybody, but for channels never used."""
        contents: Names = {one: {} for one in (*self.instances, *FRAMEWORK)}
        for (source, to), content in zip(self.system.channels, state.channels, strict=True):
            if content or to in self._to(source):
                contents[source][to] = [self._message(source, item) for item in content]
        return contents

    def _to(self, source: Address) -> set[Address]:
        """Give everybody to whom somebody sends."""
        members = [set(self.system.physical.instances[of.name]) for of in self.row]
        every = set(self.instances)
        if source in every:
            below = (*members, {"root", "sink"})[self.places[vertex_of(source)]]
            return below | {"store", "manager"}
        return {
            "root": every | {"store"} if self.system.world.forgets else members[0] | members[-1],
            "store": every | {"root", "manager"},
            "manager": every | {"root", "store"},
        }.get(source, set())

    def _message(self, source: Address, item: Any) -> Names:
        """Give a message, or what a queue or an instance holds of it."""
        of: Any
        match item:
            case m.Packet(clock):
                return {
                    "type": "packet",
                    "clock": clock,
                    "said": _said(item.headers),
                    "vector": self._updates(item.vector),
                    "target": item.target or NOBODY,
                    "session": item.session,
                }
            case Loaded(packet, values, owned=True):
                of = self._message("", packet)
                return {"type": "loaded", "packet": of, "value": value_of(values)}
            case m.ReplayEnd(target, session, newest):
                of = {"from": source, "target": target, "session": session}
                return {"type": "end", **of, "newest": max(newest, default=0)}
            case m.Deleted(clock, _, first, start):
                return {"type": "deleted", "clock": clock, "first": first, "start": start}
            case m.Delete(clock, vectors=((_, tokens),), start=start):
                vector = self._updates(tokens)
                return {"type": "delete", "clock": clock, "vector": vector, "start": start}
            case m.Acquire(_, _, clock, peek, start):
                return {"type": "acquire", "clock": clock, "peek": peek, "start": start}
            case m.Apply(update, start=start):
                of = vertex.object_name(update.object)
                return {"type": "apply", "entry": _entry(item), "object": of, "start": start}
            case m.Granted(_, _, clock, values, peek=peek, latest=latest):
                of = {"clock": clock, "peek": peek, "latest": latest}
                return {"type": "granted", "value": value_of(values), "over": item.over, **of}
            case m.Forget(1, last):
                return {"type": "forget", "clock": last}
            case m.Committed(clock, _, token):
                (of,) = self._updates(token)
                return {"type": "committed", "clock": clock, "update": of}
            case m.Output(clock, headers=headers):
                return {"type": "output", "clock": clock, "said": _said(headers)}
            case m.Replay(target, session):
                return {"type": "replay", "target": target, "session": session}
            case m.Fence(address, start):
                return {"type": "fence", "instance": address, "start": start}
            case m.Fenced(address, start):
                return {"type": "fenced", "instance": address, "start": start}
            case _ if type(item) in SESSIONS:
                return {"type": SESSIONS[type(item)], "session": item.session}
        raise UsageError(f"{self._module} has no message like {item!r}")


def _newest(past: Past) -> int:
    """Give the newest packet that is over: all before it are."""
    return max((last for _, last in past.spans), default=0)


def _said(headers: Any) -> list[Any]:
    """Give what was written on a packet, behind its flow and its number."""
    return list(headers[2:])


def _recorded(headers: Any) -> Names:
    return {"clock": headers[1], "said": _said(headers)}


def value_of(values: Any) -> Names:
    """Give a flow's value: a number, or the packets that were written down, or none of both."""
    ((_, of),) = values or [("", 0)]
    number, listed = (of, ()) if isinstance(of, int) else (0, of)
    return {"number": number, "list": [_recorded(headers) for headers in listed]}


def _version(update: Any, of: Any) -> Names:
    """Give what an update has added to a flow's object."""
    return {"clock": update.clock, "said": []} if isinstance(of, int) else _recorded(of[-1])


def _entry(update: m.Apply) -> Names:
    """Give what an update is to add."""
    headers = getattr(update.operation, "item", None)
    return {"clock": update.id.clock, "said": _said(headers or ())}


def _key(key: Any) -> Any:
    """Give what a queue knows a packet by."""
    clock, _, replay = key
    target, session = replay or (NOBODY, 0)
    return Record(clock=clock, target=target, session=session)
