"""Root failover: what the core's states and steps are called in ``specs/RootFailover.tla``.

For chains of one vertex of recorders, with the log at the root or in the store. Left out, as the
rest determines it: what an instance has cached of a flow (the store's value and the updates under
way to it), its delete without an answer (that of the packet in work), the store's records, versions
and owners (they go with its values), and its fences (they go with what is under way).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.component_failover import Failover, Names
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory, Owner
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.splitter import Copy, Remind, SplitterState, Tenure, To
from chc_ref.core.values import Address, Flow
from chc_ref.core.work import Handover, Loaded
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, State


def _packet(packet: Any) -> Names:
    """Give a packet, or a packet's output: the headers of tiny models end with its number."""
    return {"clock": packet.clock, "number": packet.headers[-1]}


def _tenanted(packet: Any) -> Names:
    """Give a packet with its tenure."""
    return {**_packet(packet), "epoch": packet.epoch}


def _tenure(mark: Any) -> Names:
    """Give a flow, and the number of one of its tenures."""
    return {"flow": mark.flow, "epoch": mark.epoch}


@attrs.frozen
class RootFailover(Failover):
    """The mapping."""

    spec = "RootFailover.tla"
    messages: ClassVar[dict[type, Any]] = {
        m.Packet: ("packet", lambda _, packet: _tenanted(packet)),
        m.LastMark: ("last", lambda _, mark: _tenure(mark)),
        Handover: ("handover", lambda _, mark: _tenure(mark)),
        Loaded: ("loaded", lambda of, one: {"packet": of.message(one.packet)}),
        m.Deleted: ("deleted", lambda _, one: {"clock": one.clock, "first": one.first}),
        m.Again: ("again", lambda _, one: {}),
        m.Delete: ("delete", lambda _, one: {"clock": one.clock}),
        m.Acquire: ("acquire", lambda _, one: {**_tenure(one), "clock": one.clock}),
        m.Release: ("release", lambda _, one: _tenure(one)),
        m.Apply: (
            "apply",
            lambda _, one: {"clock": one.id.clock, "number": one.operation.item[-1]},
        ),
        m.Granted: (
            "granted",
            lambda _, one: {**_tenure(one), "clock": one.clock, "latest": one.latest},
        ),
        m.Output: ("output", lambda _, one: {**_packet(one), "epoch": one.after}),
        m.Passed: ("passed", lambda _, mark: _tenure(mark)),
        m.HandedOver: ("handed", lambda _, mark: _tenure(mark)),
        m.PersistClock: ("persist", lambda _, one: {"clock": one.count}),
        m.Inquire: ("inquire", lambda _, one: {"start": one.session}),
        m.ClockPersisted: ("persisted", lambda _, one: {"clock": one.count}),
        m.Committed: ("committed", lambda _, one: {"clock": one.clock}),
        m.Remembered: ("remembered", lambda of, one: of.remembered(one)),
        m.WriteLog: ("write", lambda of, one: of.write(one)),
        m.Logged: ("logged", lambda _, one: {"number": one.number}),
        m.Begin: (
            "begin",
            lambda _, one: {**_tenure(one), "clock": one.clock, "start": one.start},
        ),
        m.Move: ("move", lambda _, move: {**_tenure(move), "to": move.to}),
        m.Since: ("since", lambda _, since: {**_tenure(since), "clock": since.clock}),
        m.Start: ("start", lambda of, one: of.start(one)),
        m.Fence: ("fence", lambda _, one: {"start": one.start}),
        m.Ready: ("ready", lambda _, one: {"start": one.session}),
        m.Fenced: ("fenced", lambda _, one: {"start": one.start}),
    }

    @property
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""
        chain, world = self.system.physical.chain, self.system.world
        return {
            "Instances": set(self.instances),
            "Flows": set(self.homes),
            "Home": self.homes,
            "Traffic": [arrival.flow for arrival in world.arrivals],
            "Moves": [{"flow": move.flow, "to": move.to} for move in self.moves],
            "LogInStore": chain.log == "store",
            "PersistEvery": 1 if chain.log == "store" else chain.persist_every,
            "MostCrashes": world.most_crashes,
        }

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.views(state)
        memory: Memory = of["store"].memory
        return {
            "arrived": of[WORLD].arrived,
            "asked": of[WORLD].operated,
            "crashes": len(of[WORLD].crashed),
            **self._manager(of["manager"]),
            "root": self._root(of["root"]),
            "host": {one: self._host(of[one]) for one in self.instances},
            "persisted": memory.persisted.get("root", 0),
            "stored": {
                "entries": [_written(entry) for _, entry in sorted(memory.log.items())],
                "answered": self._answers(one for _, one in memory.answered.items()),
            },
            "value": {flow: _value(memory, flow) for flow in self.homes},
            **self._tenures(memory),
            "channel": self.channels(state),
            **self._sink(of["sink"]),
        }

    @property
    def _name(self) -> str:
        (vertex,) = self.system.physical.chain.vertices
        return vertex.name

    @property
    def _unknown(self) -> int:
        """Give what stands for a clock that nobody knows yet."""
        of = self.constants
        return len(of["Traffic"]) + int(of["MostCrashes"]) * int(of["PersistEvery"]) + 1

    def _begins(self, to: Address, since: int | None) -> Names:
        return {"instance": to, "since": self._unknown if since is None else since}

    def _manager(self, manager: Any) -> Names:
        moves = {flow: manager.moves.get((self._name, flow), ()) for flow in self.homes}
        begun = sorted((flow, epoch, clock) for (_, flow, epoch, _), clock in manager.begun.items())
        return {
            "recovering": "root" in manager.recovering,
            "target": {flow: [move.to for move in of] for flow, of in moves.items()},
            "begun": {flow: [clock for of, _, clock in begun if of == flow] for flow in self.homes},
            "underWay": {
                flow: {move.epoch for move in manager.under_way.get(flow, ())}
                for flow in self.homes
            },
        }

    def _tenures(self, memory: Memory) -> Names:
        """Give who owns a flow, and who waits for it."""
        owners = {flow: memory.owners.get((self._name, flow), Owner()) for flow in self.homes}
        waiting = {flow: memory.waiting.get((self._name, flow), ()) for flow in self.homes}
        return {
            "owner": {
                flow: {"instance": owner.instance or "nobody", "epoch": owner.epoch}
                for flow, owner in owners.items()
            },
            "parked": {
                flow: [{"source": source, "message": self.message(one)} for source, one in of]
                for flow, of in waiting.items()
            },
        }

    def _sink(self, sink: Any) -> Names:
        passed = {flow: epochs for (_, flow), epochs in sink.queue.passed.items()}
        return {
            "passed": {flow: passed.get(flow, frozenset()) for flow in self.homes},
            "held": [self.message(item) for _, item in sink.queue.held],
            "left": [_packet(output) for output in sink.outputs],
        }

    def start(self, start: m.Start) -> Names:
        """Give what the manager tells a new root."""
        moves = {flow: [move for move in start.moves if move.flow == flow] for flow in self.homes}
        return {
            "start": start.session,
            "moves": {
                flow: [self._begins(move.to, move.since) for move in of]
                for flow, of in moves.items()
            },
        }

    def _route(self, splitter: SplitterState, flow: Flow) -> list[Names]:
        home = (Tenure(0, self.homes[flow], 0),)
        tenures = splitter.routes.get((self._name, flow), home)
        return [self._begins(tenure.instance, tenure.since) for tenure in tenures]

    def _waiting(self, item: Any) -> Names:
        """Give what waits at the root's gate."""
        match item:
            case Copy(_, packet):
                return {"type": "copy", **_packet(packet)}
            case To(instance, m.LastMark() as mark):
                return {"type": "mark", "to": instance, **_tenure(mark)}
            case Remind():
                return {"type": "remind"}
        raise UsageError(f"{self.spec} has nothing like {item!r} at the gate")

    def remembered(self, told: m.Remembered) -> Names:
        """Give what a store tells a new root."""
        return {
            "start": told.session,
            "clock": told.persisted,
            "log": {
                "entries": [_written(entry) for entry in told.entries],
                "answered": self._answers(told.answered),
            },
            "committed": {signal.clock for signal in told.signals},
        }

    def write(self, write: m.WriteLog) -> Names:
        """Give what is written to the store's log."""
        return {
            "number": write.number,
            "clock": write.clock,
            "entry": [] if write.entry is None else [_written(write.entry)],
            "answered": self._answers([write.answered] if write.answered else []),
        }

    def _answers(self, answered: Iterable[m.Answered]) -> Names:
        clocks = {one.host: one.clock for one in answered}
        return {one: clocks.get(one, 0) for one in self.instances}

    def _unwritten(self, number: int, item: m.Packet | m.Send | int) -> Names:
        """Give what waits for a write: a packet, an answer, or a clock to drop."""
        match item:
            case int():
                kind: Names = {"type": "drop", "clock": item}
            case m.Packet():
                kind = {"type": "forward", "packet": _packet(item)}
            case m.Send(to, m.Deleted(clock, _, first)):
                kind = {"type": "answer", "to": to, "clock": clock, "first": first}
        return {"number": number, **kind}

    def _root(self, entry: EntryState) -> Names:
        root = entry.root
        return {
            "phase": "down" if not entry.up else "asking" if entry.asked else "ready",
            "count": root.count,
            "persisted": root.persisted,
            "lost": root.lost,
            "written": root.written,
            "unwritten": [self._unwritten(*waits) for waits in root.unwritten],
            "answered": self._answers(one for _, one in root.answered.items()),
            "waiting": [arrival.headers[-1] for arrival in root.waiting],
            "log": [_entry(logged) for _, logged in sorted(root.log.items())],
            "route": {flow: self._route(entry.splitter, flow) for flow in self.homes},
            "gate": [self._waiting(item) for item in entry.splitter.gate],
            "aside": [
                {"source": one.source, "message": self.message(one.message)} for one in entry.aside
            ],
            "entered": [
                {"clock": clock, "number": arrival.headers[-1]}
                for _, (clock, arrival) in sorted(root.entered.items())
            ],
        }

    def _host(self, node: NodeState) -> Names:
        instance, work = node.instance, node.instance.work
        slots = instance.blocked.items()
        none = {"type": "packet", "clock": 0, "number": 0, "epoch": 0}
        return {
            "seen": {clock for (clock, _, _), _ in node.queue.seen.items()},
            "owns": {flow: owned.epoch for flow, owned in instance.owned.items()},
            "waits": {slot: [self.message(one) for one in of] for slot, of in slots},
            "freed": [self.message(one) for one in instance.ready],
            "queue": [self.message(one) for _, one in instance.fifo],
            "released": {flow: instance.released.get(flow, ()) for flow in self.homes},
            "work": none if work is None else self.message(work.packet),
        }


def _written(entry: m.LogEntry) -> Names:
    return {**_packet(entry.packet), "ended": bool(entry.ended)}


def _entry(entry: m.LogEntry) -> Names:
    return {**_written(entry), "committed": bool(entry.signals)}


def _value(memory: Memory, flow: Flow) -> list[Names]:
    """Give what a flow's value is made of: the packet of each update, and what it has pushed."""
    versions = [of for key, of in memory.versions.items() if key.key == flow]
    made = versions[0] if versions else ()
    return [{"clock": update.clock, "number": value[-1][-1]} for update, value in made]
