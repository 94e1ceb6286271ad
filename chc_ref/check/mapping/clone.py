"""What the core's states and steps are called in ``specs/Clone.tla``.

Names and selection alone: what the specification leaves out is either constant in its models, or
follows from what it has. That the mapping loses nothing shows in the comparison, which wants
different images for different states.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import attrs

from chc_ref.core import messages as m
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.values import Address, beside, vertex_of
from chc_ref.core.work import Mode, Wait, Work
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Arrival, Operate

Names = dict[str, Any]

TAKES = {
    ("root", m.Delete): "RootTakesDelete",
    ("root", m.Committed): "RootTakesCommitted",
    ("root", m.Replay): "RootTakesReplay",
    ("root", m.Hosts): "SplitterTakesHosts",
    ("host", m.Hosts): "SplitterTakesHosts",
    ("host", m.Packet): "HostTakesPacket",
    ("host", m.ReplayEnd): "HostTakesReplayEnd",
    ("host", m.Granted): "HostTakesGranted",
    ("host", m.Result): "HostTakesResult",
    ("host", m.Deleted): "HostTakesDeleted",
    ("host", m.Start): "HostTakesStart",
    ("host", m.Stop): "HostTakesStop",
    ("host", m.Speak): "HostTakesSpeak",
    ("store", m.Acquire): "StoreTakesAcquire",
    ("store", m.Apply): "StoreTakesApply",
    ("store", m.Fence): "StoreTakesFence",
    ("manager", m.Fenced): "ManagerTakesFenced",
    ("manager", m.Ready): "ManagerTakesReady",
    ("manager", m.HostsKnown): "ManagerTakesHostsKnown",
    ("manager", m.Recovered): "ManagerTakesRecovered",
    ("manager", m.Over): "ManagerTakesOver",
    ("sink", m.Output): "SinkTakesOutput",
    ("sink", m.Over): "SinkTakesOver",
}
"""Action of the specification, by the component that takes a message and the kind of message."""

ASKS = {m.CloneRequested: "AskClone", m.KeepRequested: "AskKeep"}
"""Action of the specification, by what the operator asks for."""

WAITS = {Wait.PEEK: "grant", Wait.RESULT: "number", Wait.DELETE: "delete"}
NOBODY = "none"


@attrs.frozen
class Clone:
    """The mapping for the models of two vertices in a row, one of whose instances is cloned."""

    system: System

    @cached_property
    def straggler(self) -> Address:
        """Give the instance that is cloned."""
        wishes = self.system.world.wishes
        (instance,) = (one.instance for one in wishes if isinstance(one, m.CloneRequested))
        return instance

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
        return range(1, len(self.system.world.arrivals) + 1)

    @cached_property
    def flows(self) -> frozenset[Any]:
        """Give the flows that have packets."""
        return frozenset(arrival.flow for arrival in self.system.world.arrivals)

    @property
    def constants(self) -> Names:
        """Give the specification's constants for this model."""
        wishes = self.system.world.wishes
        kept = [self.hosts[one.host] for one in wishes if isinstance(one, m.KeepRequested)]
        return {
            "Input": [arrival.flow for arrival in self.system.world.arrivals],
            "Stateful": {self.places[name] for name in self._stateful},
            "Straggler": self.hosts[self.straggler],
            "Kept": kept[0] if kept else NOBODY,
        }

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        match action:
            case Happen(_, Arrival()):
                return "Arrive"
            case Happen(_, Operate(wish)) if type(wish) in ASKS:
                return ASKS[type(wish)]
            case Lose():
                return "Lose"
            case Deliver(source, to):
                message = state.channels[self.system.channel(source, to)][0]
                taker = state.components[self.system.index[to]]
                kind = "host" if to in self.hosts else to
                return self._takes(kind, taker, message)
        raise UsageError(f"Clone.tla has no action for {action!r}")

    def _takes(self, kind: str, taker: Any, message: Any) -> str:
        if kind == "host" and not taker.up and not isinstance(message, m.Start):
            return "HostIgnores"
        if kind == "host" and taker.stopping:
            return "HostTakesLastDeleted" if isinstance(message, m.Deleted) else "HostIgnores"
        if (kind, type(message)) in TAKES:
            return TAKES[kind, type(message)]
        raise UsageError(f"Clone.tla has no action for {message!r} at {kind}")

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        nodes = {name: of[host] for host, name in self.hosts.items()}
        clone = nodes["clone"]
        return {
            "channel": self._channels(state),
            "clock": of["root"].root.count,
            "log": [self._entry(of["root"], clock) for clock in self.clocks],
            "receivers": self._receivers(of),
            "status": {name: _status(node) for name, node in nodes.items()},
            "seen": {
                name: {_key(key) for key, _ in node.queue.seen.items()}
                for name, node in nodes.items()
            },
            "recovering": clone.queue.recovering,
            "aside": self._items(item for _, item in clone.queue.aside),
            "nf": {name: self._nf(host, of[host]) for host, name in self.hosts.items()},
            **self._store(of["store"]),
            **self._manager(of["manager"], of[WORLD]),
            "left": [{"clock": o.clock, "written": o.headers[2:]} for o in of["sink"].outputs],
        }

    def _entry(self, entry: EntryState, clock: int) -> Names:
        logged = entry.root.log.get(clock)
        of = logged or m.LogEntry(m.Packet(clock, None, None))
        return {
            "logged": logged is not None,
            "ended": bool(of.ended),
            "vector": self._vertices(of.vectors.get((), 0)),
            "signals": self._vertices(of.signals.get((), 0)),
        }

    def _vertices(self, tokens: int) -> set[int]:
        """Give the vertices whose token bits are set (DEL-1)."""
        return {vertex for bit, vertex in self._bits.items() if tokens >> bit & 1}

    @cached_property
    def _bits(self) -> dict[int, int]:
        """Give the vertex of every token bit."""
        nodes: dict[Address, Any] = {at: self.system.physical.components[at] for at in self.hosts}
        plain = {at: getattr(node, "component", node) for at, node in nodes.items()}  # of a variant
        tokens = {self.places[vertex_of(at)]: node.instance.tokens for at, node in plain.items()}
        return {bit: vertex for vertex, of in tokens.items() for _, bit in of.items()}

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
            "ready": self._items(getattr(item, "packet", item) for item in of.ready),
            "lane": self._items(item for _, item in of.lane),
            "line": [
                {"source": self.names[source], "item": self._message(item)}
                for source, item in of.fifo
            ],
            "buffer": {flow: self._items(of.blocked.get((flow, 0), ())) for flow in self.flows},
            "owned": {flow for flow, _ in of.owned.items()},
            "mute": of.mute,
            "unsent": [self._processed(work.packet, outcome) for work, outcome in of.unsent],
        }

    def _work(self, host: Address, work: Work) -> Names:
        packet = self._message(work.packet)
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
        return self._message(attrs.evolve(packet, headers=headers))

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

    # ------------------------------------------------------------------ messages

    def _channels(self, state: State) -> dict[tuple[str, str], list[Names]]:
        return {
            (self.names[source], self.names[to]): self._items(content)
            for (source, to), content in zip(self.system.channels, state.channels, strict=True)
        }

    def _items(self, items: Iterable[Any]) -> list[Names]:
        return [self._message(item) for item in items]

    def _message(self, item: Any) -> Names:
        match item:
            case m.Packet(clock, _, headers):
                return {
                    "type": "packet",
                    "clock": clock,
                    "written": headers[2:],
                    "vector": self._vertices(item.vector),
                    "target": self.hosts[item.target] if item.target else NOBODY,
                }
            case m.ReplayEnd():
                return {"type": "end", "newest": max(item.newest, default=0)}
            case m.Acquire(_, _, clock, peek):
                return {"type": "acquire", "clock": clock, "peek": peek}
            case m.Granted(_, _, clock):
                return {"type": "granted", "clock": clock, "peek": item.peek}
            case m.Apply(update):
                return {"type": "apply", "clock": update.clock, "emulate": item.emulate}
            case m.Result(update, value, known):
                return {"type": "result", "clock": update.clock, "number": value if known else 0}
            case m.Committed(clock, _, token):
                (vertex,) = self._vertices(token)
                return {"type": "committed", "clock": clock, "vertex": vertex}
            case m.Delete(clock, vectors=((_, vector),)):
                return {"type": "delete", "clock": clock, "vector": self._vertices(vector)}
            case m.Deleted(clock, _, first):
                return {"type": "deleted", "clock": clock, "first": first}
            case m.Output(clock, _, _, headers):
                return {"type": "output", "clock": clock, "written": headers[2:]}
        return self._order(item)

    def _order(self, item: Any) -> Names:
        """Give a message that is not about a packet."""
        plain = {
            m.Start: "start",
            m.Ready: "ready",
            m.Replay: "replay",
            m.Recovered: "recovered",
            m.Stop: "stop",
            m.Speak: "speak",
        }
        match item:
            case m.Fence(address, start):
                return {"type": "fence", "host": self.hosts[address], "start": start}
            case m.Fenced(address, start):
                return {"type": "fenced", "host": self.hosts[address], "start": start}
            case m.Hosts(_, hosts):
                return {"type": "hosts", "hosts": {self.hosts[host] for host in hosts}}
            case m.HostsKnown(m.Hosts(_, hosts)):
                return {"type": "known", "hosts": {self.hosts[host] for host in hosts}}
            case m.Over(address):
                return {"type": "over", "host": self.hosts[address]}
            case _ if type(item) in plain:
                return {"type": plain[type(item)]}
        raise UsageError(f"Clone.tla has no message like {item!r}")


def _status(node: NodeState) -> str:
    if node.stopping:
        return "stopping"
    return "up" if node.up else "down"


def _key(key: tuple[int, Any, Any]) -> tuple[int, bool]:
    clock, _, replay = key
    return clock, replay is not None
