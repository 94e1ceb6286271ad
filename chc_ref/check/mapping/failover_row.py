"""What the core's states and steps are called in ``specs/FailoverRow.tla``."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping import failures, vertex
from chc_ref.check.mapping.module import LOSE, Module, logged, takes
from chc_ref.check.mapping.records import NOBODY, Constant, Names, Read, only, records
from chc_ref.core import messages as m
from chc_ref.core.chain import Vertex
from chc_ref.core.memory import Memory
from chc_ref.core.node import NodeState
from chc_ref.core.queue import QueueState
from chc_ref.core.values import Address, Flow, ObjectKey, Past, vertex_of
from chc_ref.core.work import Loaded, Wait, Work
from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.system.composition import WORLD, State
from chc_ref.system.world import Forgetting

KINDS = ("counter", "recorder", "pass")
FRAMEWORK = ("root", "store", "manager", "sink")

WAITS = {Wait.PEEK: "grant", Wait.DELETE: "delete"}

READERS: dict[str, Read] = {
    "entry": lambda of, item: _entry(item),
    "object": vertex.READERS["object"],
    "said": lambda of, item: _said(item.headers),
    "token": lambda of, item: only(of.updates(item.token)),
    "values": lambda of, item: value_of(item.values),
    "vector": lambda of, item: of.updates(item.vector),
    "vectors": lambda of, item: of.updates(only(item.vectors)[1]),
}
CONSTANTS: tuple[Constant, ...] = ((Loaded, "owned", True), (m.Forget, "first", 1))


@attrs.frozen
class FailoverRow(Module):
    """The mapping for models of a row of vertices, in which instances fail and no flow moves."""

    happens: ClassVar = {**failures.HAPPENS, Forgetting: "TellWhatIsOver"}
    loses = LOSE
    takes: ClassVar = {**failures.TAKES, **takes(instance=(m.Forget,), store=(m.Forget,))}
    messages = records(
        {
            **failures.MESSAGES,
            m.Packet: "packet: clock said vector target session",
            Loaded: "loaded: packet value=values",
            m.ReplayEnd: "end: from=source target session newest",
            m.Delete: "delete: clock vector=vectors start",
            m.Acquire: "acquire: clock peek start",
            m.Apply: "apply: entry object start",
            m.Granted: "granted: clock value=values peek latest over",
            m.Forget: "forget: clock=last",
            m.Committed: "committed: clock update=token",
            m.Output: "output: clock said",
        },
        READERS,
        CONSTANTS,
    )

    @cached_property
    def row(self) -> tuple[Vertex, ...]:
        """Give the vertices from the root on."""
        chain = self.system.physical.chain
        names = [of.name for of in chain.vertices]
        if set(chain.edges) != set(itertools.pairwise(names)):
            raise UsageError(f"{self.file} has no chain but a row of vertices")
        if wrong := [of.nf.name for of in chain.vertices if of.nf.name not in KINDS]:
            raise UsageError(f"{self.file} has no NF {wrong[0]!r}")
        return chain.vertices

    @cached_property
    def places(self) -> dict[str, int]:
        """Give the place of each vertex in the row."""
        return {of.name: place for place, of in enumerate(self.row, start=1)}

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        return {
            **failures.constants(self),
            "VertexOf": {one: self.places[vertex_of(one)] for one in self.instances},
            "Kinds": [of.nf.name for of in self.row],
            "Flows": set(self.flows),
            "Home": [self.home(of) for of in self.row],
            "Packets": self.packets,
            "MostForgets": len(self.system.world.forgets),
            "Eager": [of.eager_flush for of in self.row],
        }

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        root = of["root"].root
        return {
            "channel": self._channel(state),
            "arrived": root.count,
            "log": {clock: logged(entry, self.updates) for clock, entry in root.log.items()},
            "node": {one: self._node(of[one]) for one in self.instances},
            **self._store(of["store"].memory),
            **failures.components(self, of),
            "delivered": self.listed(of["sink"].outputs),
            "forgets": of[WORLD].forgotten,
        }

    def _node(self, node: NodeState) -> Names:
        instance = node.instance
        return {
            **failures.node(self, node),
            "start": instance.client.start,
            "past": _newest(instance.past),
            **self._queue(node.queue),
            "work": [] if instance.work is None else [self._work(instance.work)],
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
        return {"for": WAITS[work.wait], "packet": self.message(packet), "before": before}

    # ------------------------------------------------------------------ store

    def _store(self, memory: Memory) -> Names:
        own = {(key.vertex, key.key): versions for key, versions in memory.versions.items()}
        return {
            "owner": [failures.owners(self, memory, of) for of in self.row],
            "applied": [
                {
                    flow: [_version(*one) for one in own.get((of.name, flow), ())]
                    for flow in self.flows
                }
                for of in self.row
            ],
            "counted": [vertex.counted(memory, of.name) for of in self.row],
            **self._memory(memory),
        }

    def _memory(self, memory: Memory) -> Names:
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

    def updates(self, tokens: int) -> set[tuple[int, str]]:
        """Give the updates whose token bits are set (DEL-1)."""
        return {
            (self.places[at], vertex.OBJECTS[not declared.per_flow])
            for bit, (at, declared) in enumerate(self.bits)
            if tokens >> bit & 1
        }

    # ------------------------------------------------------------------ channels

    def _channel(self, state: State) -> Names:
        return self.channel(state, {one: self._to(one) for one in (*self.instances, *FRAMEWORK)})

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
            "sink": set(),
        }[source]


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
