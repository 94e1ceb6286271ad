"""What the core's states and steps are called in ``specs/CHC.tla``."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.module import Module, takes
from chc_ref.check.mapping.records import Names, Read, only, records
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory
from chc_ref.core.operations import Push
from chc_ref.core.root import RootState
from chc_ref.core.values import ObjectKey, UpdateId, vertex_of
from chc_ref.core.work import InstanceState, Work
from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.nfs.tiny import Earliest
from chc_ref.system.composition import State
from chc_ref.system.world import Arrival

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

READERS: dict[str, Read] = {
    "earlier": lambda of, item: of.updates(item.clock, item.earlier),
    "id": lambda of, item: _update(item.id),
    "number": lambda of, item: 0 if item.id.object.name in COUNTERS else item.value,
    "operation": lambda of, item: _brought(item.operation),
    "said": lambda of, item: list(item.headers[2:]),
    "token": lambda of, item: only(of.updates(item.clock, [(item.branch, item.token)])),
    "values": lambda of, item: _number(item.values),
    "vector": lambda of, item: of.updates(item.clock, [(item.branch, item.vector)]),
    "vectors": lambda of, item: of.updates(item.clock, item.vectors),
}


@attrs.frozen
class CHC(Module):
    """The mapping for one root, one store, no moves, clones or failures."""

    happens: ClassVar = {Arrival: "Arrive"}
    takes = takes(
        root=(m.Delete, m.Committed),
        instance=(m.Packet, m.Granted, m.Result, m.Deleted),
        store=(m.Acquire, m.Apply),
        sink=(m.Output,),
    )
    messages = records(
        {
            m.Packet: "packet: clock branch said induced=vector before=earlier",
            m.Acquire: "acquire: clock branch",
            m.Granted: "granted: clock branch number=values",
            m.Apply: "apply: blocking update=id number=operation",
            m.Result: "result: update=id number",
            m.Committed: "committed: update=token",
            m.Delete: "delete: clock branch vector=vectors",
            m.Deleted: "deleted: clock branch first",
            m.Output: "output: clock branch said",
        },
        READERS,
    )

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        physical = self.system.physical
        vertices = {vertex.name: vertex for vertex in physical.chain.vertices}
        if wrong := [v.nf.name for v in vertices.values() if v.nf.name not in KINDS]:
            raise UsageError(f"{self.file} has no NF {wrong[0]!r}")
        return {
            "Vertices": set(vertices),
            "Kind": {name: vertex.nf.name for name, vertex in vertices.items()},
            "Instances": set(self.instances),
            "VertexOf": {one: vertex_of(one) for one in self.instances},
            "Below": {name: self._below(name) for name in ("root", *vertices)},
            "Arrivals": self.packets,
            "Home": {name: self.home(vertex) for name, vertex in vertices.items()},
            "Identifier": {
                (vertex, declared.name): number
                for number, (vertex, declared) in enumerate(self.bits, start=1)
            },
        }

    def _below(self, name: str) -> list[str]:
        at = "root" if name == "root" else self.system.physical.instances[name][0]
        return [edge.vertex for edge in self.machine(at).splitter.downstream]

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        nodes = {one: of[one].instance for one in self.instances}
        return {
            "clock": of["root"].root.count,
            "log": self._log(of["root"].root),
            "queue": {one: self.queued(node.fifo) for one, node in nodes.items()},
            "ready": {one: self.listed(node.ready) for one, node in nodes.items()},
            "waiting": {one: self._waiting(node) for one, node in nodes.items()},
            "cached": {one: self._cached(node) for one, node in nodes.items()},
            "work": {one: self._work(node.work) for one, node in nodes.items()},
            **self._store(of["store"].memory),
            "delivered": self.listed(of["sink"].outputs),
            "channel": self._channels(state),
        }

    def _log(self, root: RootState) -> Names:
        return {
            clock: self._entry(root.log.get(clock), clock)
            for clock in range(1, len(self.packets) + 1)
        }

    def _entry(self, entry: m.LogEntry | None, clock: int) -> Names:
        if entry is None:
            nothing: frozenset[Any] = frozenset()
            return {"logged": False, "ended": nothing, "vector": nothing, "signals": nothing}
        return {
            "logged": True,
            "ended": set(entry.ended),
            "vector": self.updates(clock, entry.vectors.items()),
            "signals": self.updates(clock, entry.signals.items()),
        }

    def _waiting(self, node: InstanceState) -> Names:
        return {flow: self.listed(node.blocked.get((flow, 0), ())) for flow in self.flows}

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
        return {"packet": self.message(packet), "awaits": work.wait.value}

    def _store(self, memory: Memory) -> Names:
        chain = self.system.physical.chain
        objects = [
            ObjectKey(vertex.name, declared.name, key)
            for vertex in chain.vertices
            for declared in vertex.nf.objects
            for key in (self.flows if declared.per_flow else [()])
        ]
        return {
            "owner": {vertex.name: self._owners(memory, vertex.name) for vertex in chain.vertices},
            "applied": {
                _object(key): self._applied(memory, key) for key in objects if key.name in COUNTERS
            },
            "noted": {
                _object(key): self._noted(memory, key)
                for key in objects
                if key.name not in COUNTERS
            },
        }

    def _owners(self, memory: Memory, vertex: str) -> Names:
        owners = {flow: memory.owners.get((vertex, flow)) for flow in self.flows}
        return {flow: owner.instance if owner else "nothing" for flow, owner in owners.items()}

    def _applied(self, memory: Memory, key: ObjectKey) -> list[Any]:
        """Give the updates of an object in their order: each has counted one further (MOVE-7)."""
        of = {record.result: one for one, record in memory.records.items() if one.object == key}
        return [_update(one) for _, one in sorted(of.items())]

    def _noted(self, memory: Memory, key: ObjectKey) -> Names:
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
        found = {(source, to): content for source, to, content in self.under_way(state)}
        return {pair: found.get(pair, []) for pair in (*ends, ("store", "root"))}

    def updates(self, clock: int, vectors: Any) -> set[Any]:
        """Give the updates whose token bits are set, of each (branch, vector) (DEL-1)."""
        flow = self.packets[clock - 1]
        found = set()
        for branch, vector in vectors:
            for bit, (vertex, declared) in enumerate(self.bits):
                if vector >> bit & 1:
                    key = ObjectKey(vertex, declared.name, flow if declared.per_flow else ())
                    nth = bit - self.bits.index((vertex, declared))
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
