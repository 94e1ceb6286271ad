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
from chc_ref.core.memory import Memory
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.values import Flow
from chc_ref.system.composition import WORLD, State


def _packet(packet: Any) -> Names:
    """Give a packet, or a packet's output: the headers of tiny models end with its number."""
    return {"clock": packet.clock, "number": packet.headers[-1]}


@attrs.frozen
class RootFailover(Failover):
    """The mapping."""

    spec = "RootFailover.tla"
    messages: ClassVar[dict[type, Any]] = {
        m.Packet: ("packet", lambda _, packet: _packet(packet)),
        m.Deleted: ("deleted", lambda _, one: {"clock": one.clock, "first": one.first}),
        m.Again: ("again", lambda _, one: {}),
        m.Delete: ("delete", lambda _, one: {"clock": one.clock}),
        m.Acquire: ("acquire", lambda _, one: {"flow": one.flow}),
        m.Apply: (
            "apply",
            lambda _, one: {"clock": one.id.clock, "number": one.operation.item[-1]},
        ),
        m.Granted: ("granted", lambda _, one: {"flow": one.flow}),
        m.Output: ("output", lambda _, output: _packet(output)),
        m.PersistClock: ("persist", lambda _, one: {"clock": one.count}),
        m.Inquire: ("inquire", lambda _, one: {"start": one.session}),
        m.ClockPersisted: ("persisted", lambda _, one: {"clock": one.count}),
        m.Committed: ("committed", lambda _, one: {"clock": one.clock}),
        m.Remembered: ("remembered", lambda of, one: of.remembered(one)),
        m.WriteLog: ("write", lambda of, one: of.write(one)),
        m.Logged: ("logged", lambda _, one: {"number": one.number}),
        m.Start: ("start", lambda _, one: {"start": one.session}),
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
            "crashes": len(of[WORLD].crashed),
            "recovering": "root" in of["manager"].recovering,
            "root": self._root(of["root"]),
            "host": {one: self._host(of[one]) for one in self.instances},
            "persisted": memory.persisted.get("root", 0),
            "stored": {
                "entries": [_written(entry) for _, entry in sorted(memory.log.items())],
                "answered": self._answers(one for _, one in memory.answered.items()),
            },
            "value": {flow: _value(memory, flow) for flow in self.homes},
            "channel": self.channels(state),
            "left": [_packet(output) for output in of["sink"].outputs],
        }

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
            "aside": [
                {"source": one.source, "message": self.message(one.message)} for one in entry.aside
            ],
            "entered": [
                {"clock": clock, "number": arrival.headers[-1]}
                for _, (clock, arrival) in sorted(root.entered.items())
            ],
        }

    def _host(self, node: NodeState) -> Names:
        instance = node.instance
        waits = {flow: instance.blocked.get((flow, 0), ()) for flow in self.homes}
        work = instance.work
        return {
            "seen": {clock for (clock, _, _), _ in node.queue.seen.items()},
            "owns": {flow for flow, _ in instance.owned.items()},
            "waits": {flow: [_packet(one) for one in of] for flow, of in waits.items()},
            "freed": [_packet(one) for one in instance.ready],
            "queue": [_packet(one) for _, one in instance.fifo],
            "work": {"clock": 0, "number": 0} if work is None else _packet(work.packet),
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
