"""What the core's states and steps are called in ``specs/Clone.tla``."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.module import LOSE, Module, logged, takes
from chc_ref.check.mapping.records import Names, Read, only, records
from chc_ref.core import messages as m
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.values import Address, beside, vertex_of
from chc_ref.core.work import Mode, Wait, Work
from chc_ref.system.composition import WORLD, State
from chc_ref.system.world import Arrival

WAITS = {Wait.PEEK: "grant", Wait.RESULT: "number", Wait.DELETE: "delete"}
NOBODY = "none"


READERS: dict[str, Read] = {
    "address": lambda of, item: of.hosts[item.address],
    "host": lambda of, item: of.hosts[item.host],
    "hosts": lambda of, item: {of.hosts[host] for host in item.hosts},
    "hosts.hosts": lambda of, item: {of.hosts[host] for host in item.hosts.hosts},
    "number": lambda of, item: item.value if item.known else 0,
    "target": lambda of, item: of.hosts[item.target] if item.target else NOBODY,
    "token": lambda of, item: only(of.vertices(item.token)),
    "vector": lambda of, item: of.vertices(item.vector),
    "vectors": lambda of, item: of.vertices(only(item.vectors)[1]),
    "written": lambda of, item: item.headers[2:],
}


@attrs.frozen
class Clone(Module):
    """The mapping for the models of two vertices in a row, one of whose instances is cloned."""

    happens: ClassVar = {
        Arrival: "Arrive",
        m.CloneRequested: "AskClone",
        m.KeepRequested: "AskKeep",
    }
    loses: ClassVar = {**LOSE, "host": "Lose"}
    takes: ClassVar = {
        **takes(host=(m.Packet, m.ReplayEnd, m.Granted, m.Result, m.Deleted)),
        **takes(
            root=(m.Delete, m.Committed, m.Replay),
            host=(m.Start, m.Stop, m.Speak),
            store=(m.Acquire, m.Apply, m.Fence),
            manager=(m.Fenced, m.Ready, m.HostsKnown, m.Recovered, m.Over),
            sink=(m.Output, m.Over),
        ),
        ("root", m.Hosts): "SplitterTakesHosts",
        ("host", m.Hosts): "SplitterTakesHosts",
    }
    messages = records(
        {
            m.Packet: "packet: clock written vector target",
            m.ReplayEnd: "end: newest",
            m.Acquire: "acquire: clock peek",
            m.Granted: "granted: clock peek",
            m.Apply: "apply: clock=id.clock emulate",
            m.Result: "result: clock=id.clock number",
            m.Committed: "committed: clock vertex=token",
            m.Delete: "delete: clock vector=vectors",
            m.Deleted: "deleted: clock first",
            m.Output: "output: clock written",
            m.Start: "start:",
            m.Ready: "ready:",
            m.Replay: "replay:",
            m.Recovered: "recovered:",
            m.Stop: "stop:",
            m.Speak: "speak:",
            m.Fence: "fence: host=address start",
            m.Fenced: "fenced: host=address start",
            m.Hosts: "hosts: hosts",
            m.HostsKnown: "known: hosts=hosts.hosts",
            m.Over: "over: host",
        },
        READERS,
    )

    @cached_property
    def straggler(self) -> Address:
        """Give the instance that is cloned."""
        wishes = self.system.world.wishes
        clone: m.CloneRequested = only(w for w in wishes if isinstance(w, m.CloneRequested))
        return clone.instance

    @cached_property
    def hosts(self) -> dict[Address, str]:
        """Give the specification's name of every host."""
        (first,), (second,) = self.system.physical.instances.values()
        return {first: "first", second: "second", beside(self.straggler): "clone"}

    @cached_property
    def names(self) -> dict[Address, str]:
        """Give the specification's name of every component."""
        return {**{name: name for name in ("root", "store", "manager", "sink")}, **self.hosts}

    @cached_property
    def places(self) -> dict[str, int]:
        """Give the place of each vertex in the chain."""
        return {name: at for at, name in enumerate(self.system.physical.instances, start=1)}

    @cached_property
    def clocks(self) -> range:
        """Give the clocks of all packets."""
        return range(1, len(self.packets) + 1)

    @property
    def constants(self) -> Names:
        """Give the specification's constants for this model."""
        wishes = self.system.world.wishes
        kept = [self.hosts[one.host] for one in wishes if isinstance(one, m.KeepRequested)]
        return {
            "Input": self.packets,
            "Stateful": {self.places[name] for name in self._stateful},
            "Straggler": self.hosts[self.straggler],
            "Kept": kept[0] if kept else NOBODY,
        }

    # ------------------------------------------------------------------ steps

    def kind(self, address: Address) -> str:
        """Give what a component is called in the names of actions."""
        return "host" if address in self.hosts else address

    def taken(self, state: State, source: Address, to: Address, item: Any) -> str | None:
        """Give the name of the action that takes a message, or ignores it."""
        taker = state.components[self.system.index[to]]
        if to in self.hosts and not taker.up and not isinstance(item, m.Start):
            return "HostIgnores"
        if to in self.hosts and taker.stopping:
            return "HostTakesLastDeleted" if isinstance(item, m.Deleted) else "HostIgnores"
        return super().taken(state, source, to, item)

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        nodes = {name: of[host] for host, name in self.hosts.items()}
        clone = nodes["clone"]
        return {
            "channel": {
                (self.names[source], self.names[to]): content
                for source, to, content in self.under_way(state)
            },
            "clock": of["root"].root.count,
            "log": [self._entry(of["root"], clock) for clock in self.clocks],
            "receivers": self._receivers(of),
            "status": {name: _status(node) for name, node in nodes.items()},
            "seen": {
                name: {_key(key) for key, _ in node.queue.seen.items()}
                for name, node in nodes.items()
            },
            "recovering": clone.queue.recovering,
            "aside": self.queued(clone.queue.aside),
            "nf": {name: self._nf(host, of[host]) for host, name in self.hosts.items()},
            **self._store(of["store"]),
            **self._manager(of["manager"], of[WORLD]),
            "left": [{"clock": o.clock, "written": o.headers[2:]} for o in of["sink"].outputs],
        }

    def _entry(self, entry: EntryState, clock: int) -> Names:
        of = entry.root.log.get(clock, m.LogEntry(m.Packet(clock, None, None)))
        return {"logged": clock in entry.root.log, **logged(of, self.vertices)}

    def vertices(self, tokens: int) -> set[int]:
        """Give the vertices whose token bits are set (DEL-1)."""
        every = enumerate(self.bits)
        return {self.places[vertex] for bit, (vertex, _) in every if tokens >> bit & 1}

    @cached_property
    def _stateful(self) -> dict[str, Any]:
        """Give the one object of each vertex that has state."""
        vertices = self.system.physical.chain.vertices
        return {vertex.name: vertex.nf.objects[0] for vertex in vertices if vertex.nf.objects}

    def _receivers(self, of: dict[Address, Any]) -> set[str]:
        above = ("root", *self.hosts)[self.places[vertex_of(self.straggler)] - 1]
        hosts = of[above].splitter.hosts.get(self.straggler, (self.straggler,))
        return {self.hosts[host] for host in hosts}

    # ------------------------------------------------------------------ hosts

    def _nf(self, host: Address, node: NodeState) -> Names:
        of = node.instance
        return {
            "work": [] if of.work is None else [self._work(host, of.work)],
            "ready": self.listed(getattr(item, "packet", item) for item in of.ready),
            "lane": self.queued(of.lane),
            "line": [
                {"source": self.names[source], "item": self.message(item)}
                for source, item in of.fifo
            ],
            "buffer": {flow: self.listed(of.blocked.get((flow, 0), ())) for flow in self.flows},
            "owned": {flow for flow, _ in of.owned.items()},
            "mute": of.mute,
            "unsent": [
                self._processed(item[0].packet, item[1])
                for item in of.unsent
                if isinstance(item, tuple)  # no flow moves in the module
            ],
        }

    def _work(self, host: Address, work: Work) -> Names:
        packet = self.message(work.packet)
        if work.wait is Wait.DELETE:
            packet = self._processed(work.packet, work.leaving)
        if work.mode is Mode.REPLAYED and work.packet.target is None:  # cleared, as it leaves
            packet["target"] = self.hosts[host]
        late = "late " if work.mode is Mode.SENT else ""
        assert work.wait is not None  # between two steps the packet in work waits
        return {"packet": packet, "for": late + WAITS[work.wait]}

    def _processed(self, packet: m.Packet, outcome: Any) -> Names:
        """Give a packet with what was written on it: it leaves with that."""
        (headers,) = outcome.outputs
        return self.message(attrs.evolve(packet, headers=headers))

    # ------------------------------------------------------------------ store, manager

    def _store(self, store: Any) -> Names:
        memory: Memory = store.memory
        values = {key.vertex: value for key, value in memory.values.items()}
        results = {(u.object.vertex, u.clock): r.result for u, r in memory.records.items()}
        return {
            "pool": {
                self.places[name]: values.get(name, declared.initial)
                for name, declared in self._stateful.items()
            },
            "record": {
                self.places[name]: [results.get((name, clock), 0) for clock in self.clocks]
                for name in self._stateful
            },
            "owners": {(self.places[vertex], flow) for (vertex, flow), _ in memory.owners.items()},
            "fence": {name: store.fences.get(host, 0) for host, name in self.hosts.items()},
        }

    def _manager(self, manager: ManagerState, world: Any) -> Names:
        hosts = manager.hosts.get(self.straggler, ())
        runs = {runs for _, (_, runs) in manager.recovering.items()}
        awaits = {
            "fence": manager.fencing or manager.leaving,
            "ready": False in runs and not manager.fencing and not manager.joining,
            "splitter": manager.awaited,
            "replay": True in runs,
            "over": manager.silencing,
        }
        return {
            "phase": {0: "one", 1: "chosen", 2: "two"}[len(hosts)],
            "wish": bool(manager.keeps),
            "awaits": {name for name, waits in awaits.items() if waits},
        }


def _status(node: NodeState) -> str:
    if node.stopping:
        return "stopping"
    return "up" if node.up else "down"


def _key(key: tuple[int, Any, Any]) -> tuple[int, bool]:
    clock, _, replay = key
    return clock, replay is not None
