"""What the core's states and steps are called in ``specs/CHC.tla``.

Names and selection alone: what the specification leaves out is either constant in its models, or
follows from what it has. That the mapping loses nothing shows in the comparison, which wants
different images for different states.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.check.mapping.vertex import machine, token_bits
from chc_ref.core import messages as m
from chc_ref.core.operations import Push
from chc_ref.core.values import Address, Flow, ObjectKey, UpdateId, vertex_of
from chc_ref.core.work import InstanceState, Work
from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.nfs.tiny import Earliest
from chc_ref.system.composition import Action, Happen, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Arrival

Names = dict[Any, Any]

TAKES = {
    ("root", m.Delete): "RootTakesDelete",
    ("root", m.Committed): "RootTakesCommitted",
    ("instance", m.Packet): "InstanceTakesPacket",
    ("instance", m.Granted): "InstanceTakesGranted",
    ("instance", m.Result): "InstanceTakesResult",
    ("instance", m.Deleted): "InstanceTakesDeleted",
    ("store", m.Acquire): "StoreTakesAcquire",
    ("store", m.Apply): "StoreTakesApply",
    ("sink", m.Output): "SinkTakesOutput",
}
"""Action of the specification, by the component that takes a message and the kind of message."""

NO_PACKET = {
    "type": "packet",
    "clock": 0,
    "branch": (),
    "said": (),
    "induced": frozenset[Any](),
    "before": frozenset[Any](),
}
"""What is in work where nothing is."""

KINDS = ("counter", "marker", "earliest", "borrow", "pass")
COUNTERS = ("count", "total", "marked")
"""Objects whose value is the number of their updates."""

SHARED = "all"
"""What stands for the key of an object that all flows share."""


@attrs.frozen
class CHC:
    """The mapping for one root, one store, no moves, clones or failures."""

    system: System

    @property
    def instances(self) -> tuple[Address, ...]:
        """Give all instances."""
        every = self.system.physical.instances.values()
        return tuple(sorted(one for instances in every for one in instances))

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets."""
        return tuple(sorted({arrival.flow for arrival in self.system.world.arrivals}, key=repr))

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        physical = self.system.physical
        vertices = {vertex.name: vertex for vertex in physical.chain.vertices}
        if wrong := [v.nf.name for v in vertices.values() if v.nf.name not in KINDS]:
            raise UsageError(f"CHC.tla has no NF {wrong[0]!r}")
        return {
            "Vertices": set(vertices),
            "Kind": {name: vertex.nf.name for name, vertex in vertices.items()},
            "Instances": set(self.instances),
            "VertexOf": {one: vertex_of(one) for one in self.instances},
            "Below": {name: self._below(name) for name in ("root", *vertices)},
            "Arrivals": [arrival.flow for arrival in self.system.world.arrivals],
            "Home": {
                name: {flow: v.division.home(flow) for flow in self.flows}
                for name, v in vertices.items()
            },
            "Identifier": {
                (vertex, declared.name): number
                for number, (vertex, declared) in enumerate(token_bits(self.system), start=1)
            },
        }

    def _below(self, name: str) -> list[str]:
        at = "root" if name == "root" else self.system.physical.instances[name][0]
        return [edge.vertex for edge in machine(self.system, at).splitter.downstream]

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, Arrival()):
                return "Arrive"
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                kind = "instance" if to in self.instances else to
                if (kind, type(message)) in TAKES:
                    return TAKES[kind, type(message)]
        raise UsageError(f"CHC.tla has no action for {action!r}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        nodes = {one: of[one].instance for one in self.instances}
        return {
            "clock": of["root"].root.count,
            "log": self._log(of["root"].root),
            "queue": {one: [self._message(p) for _, p in node.fifo] for one, node in nodes.items()},
            "ready": {one: [self._message(p) for p in node.ready] for one, node in nodes.items()},
            "waiting": {one: self._waiting(node) for one, node in nodes.items()},
            "cached": {one: self._cached(node) for one, node in nodes.items()},
            "work": {one: self._work(node.work) for one, node in nodes.items()},
            **self._store(of["store"].memory),
            "delivered": [self._message(output) for output in of["sink"].outputs],
            "channel": self._channels(state),
        }

    def _log(self, root: Any) -> Names:
        return {
            clock: self._entry(root.log.get(clock), clock)
            for clock in range(1, len(self.system.world.arrivals) + 1)
        }

    def _entry(self, entry: m.LogEntry | None, clock: int) -> Names:
        if entry is None:
            nothing: frozenset[Any] = frozenset()
            return {"logged": False, "ended": nothing, "vector": nothing, "signals": nothing}
        return {
            "logged": True,
            "ended": set(entry.ended),
            "vector": self._updates(clock, entry.vectors.items()),
            "signals": self._updates(clock, entry.signals.items()),
        }

    def _waiting(self, node: InstanceState) -> Names:
        return {
            flow: [self._message(p) for p in node.blocked.get((flow, 0), ())] for flow in self.flows
        }

    def _cached(self, node: InstanceState) -> Names:
        of = {flow: node.owned.get(flow) for flow in self.flows}
        return {flow: -1 if owned is None else _number(owned.values) for flow, owned in of.items()}

    def _work(self, work: Work | None) -> Names:
        if work is None or work.wait is None:
            return {"packet": NO_PACKET, "awaits": "nothing"}
        packet = work.packet
        if work.leaving.outputs:  # what it says is said already
            (headers,) = work.leaving.outputs
            packet = attrs.evolve(packet, headers=headers)
        return {"packet": self._message(packet), "awaits": work.wait.value}

    def _store(self, memory: Any) -> Names:
        chain = self.system.physical.chain
        objects = [
            ObjectKey(vertex.name, declared.name, key)
            for vertex in chain.vertices
            for declared in vertex.nf.objects
            for key in (self.flows if declared.per_flow else [()])
        ]
        return {
            "owner": {
                vertex.name: {
                    flow: owner.instance
                    if (owner := memory.owners.get((vertex.name, flow))) is not None
                    else "nothing"
                    for flow in self.flows
                }
                for vertex in chain.vertices
            },
            "applied": {
                _object(key): self._applied(memory, key) for key in objects if key.name in COUNTERS
            },
            "noted": {
                _object(key): self._noted(memory, key)
                for key in objects
                if key.name not in COUNTERS
            },
        }

    def _applied(self, memory: Any, key: ObjectKey) -> list[Any]:
        """Give the updates of an object in their order: each has counted one further (MOVE-7)."""
        of = {record.result: one for one, record in memory.records.items() if one.object == key}
        return [_update(one) for _, one in sorted(of.items())]

    def _noted(self, memory: Any, key: ObjectKey) -> Names:
        """Give the value of another object, and what each of its updates has returned."""
        (initial,) = (
            vertex.nf.declared(key.name).initial
            for vertex in self.system.physical.chain.vertices
            if vertex.name == key.vertex
        )
        value = memory.values.get(key, initial)
        of = {one: record.result for one, record in memory.records.items() if one.object == key}
        results = {_update(one): _noted(result) for one, result in of.items()}
        return {"value": _noted(value), "results": results}

    def _channels(self, state: State) -> Names:
        every = self.instances
        ends = [(a, b) for a in every for b in (*every, "root", "store", "sink")]
        ends += [(a, b) for a in ("root", "store") for b in every]
        ends.append(("store", "root"))
        return {pair: [self._message(one) for one in self._content(state, pair)] for pair in ends}

    def _content(self, state: State, pair: tuple[Address, Address]) -> tuple[Any, ...]:
        at = self.system.channel_index.get(pair)
        return () if at is None else state.channels[at]

    # ------------------------------------------------------------------ messages

    def _message(self, item: Any) -> Names:
        match item:
            case m.Packet(clock, _, headers, branch):
                before = self._updates(clock, item.earlier)
                induced = self._updates(clock, [(branch, item.vector)])
                said = list(headers[2:])
                return {
                    "type": "packet",
                    "clock": clock,
                    "branch": branch,
                    "said": said,
                    "induced": induced,
                    "before": before,
                }
            case m.Acquire(_, _, clock, branch=branch):
                return {"type": "acquire", "clock": clock, "branch": branch}
            case m.Granted(_, _, clock, values, branch=branch):
                number = _number(values)
                return {"type": "granted", "clock": clock, "branch": branch, "number": number}
            case m.Apply(update, operation, blocking=blocking):
                of = {"update": _update(update), "number": _brought(operation)}
                return {"type": "apply", "blocking": blocking, **of}
            case m.Result(update, value):
                number = 0 if update.object.name in COUNTERS else value
                return {"type": "result", "update": _update(update), "number": number}
            case m.Committed(clock, branch, token):
                (of,) = self._updates(clock, [(branch, token)])
                return {"type": "committed", "update": of}
            case m.Delete(clock, branch, _, vectors):
                vector = self._updates(clock, vectors)
                return {"type": "delete", "clock": clock, "branch": branch, "vector": vector}
            case m.Deleted(clock, branch, first):
                return {"type": "deleted", "clock": clock, "branch": branch, "first": first}
            case m.Output(clock, branch, _, headers):
                said = list(headers[2:])
                return {"type": "output", "clock": clock, "branch": branch, "said": said}
        raise UsageError(f"CHC.tla has no message like {item!r}")

    def _updates(self, clock: int, vectors: Any) -> set[Any]:
        """Give the updates whose token bits are set, of each (branch, vector) (DEL-1)."""
        flow = self.system.world.arrivals[clock - 1].flow
        found = set()
        bits = token_bits(self.system)
        for branch, vector in vectors:
            for bit, (vertex, declared) in enumerate(bits):
                if vector >> bit & 1:
                    key = ObjectKey(vertex, declared.name, flow if declared.per_flow else ())
                    nth = bit - bits.index((vertex, declared))
                    found.add(_update(UpdateId(clock, branch, key, nth)))
        return found


def _update(of: UpdateId) -> Any:
    return Record(clock=of.clock, branch=of.branch, object=_object(of.object), nth=of.seq + 1)


def _object(key: ObjectKey) -> Any:
    return Record(vertex=key.vertex, name=key.name, key=SHARED if key.key == () else key.key)


def _brought(operation: Any) -> int:
    """Give the number that an operation has: one that goes back to a pool, or a clock."""
    match operation:
        case Push(number):
            return int(number)
        case Earliest(clock):
            return clock
    return 0


def _noted(value: Any) -> Any:
    """Give a value of an object that is no counter: (clock, flow), or numbers, or one number."""
    match value:
        case None:
            return {"clock": 0, "flow": "nothing"}
        case (clock, str(flow)):
            return {"clock": clock, "flow": flow}
    return value


def _number(values: tuple[tuple[str, Any], ...]) -> int:
    """Give the number of a flow's packets so far; 0 where nobody counts them."""
    return next((value for _, value in values), 0)
