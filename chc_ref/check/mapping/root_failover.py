"""Root failover: what the core's states and steps are called in ``specs/RootFailover.tla``.

For chains of one vertex of recorders, with the log at the root or in the store. Left out, as the
rest determines it: what an instance has cached of a flow (the store's value and the updates under
way to it), its delete without an answer (that of the packet in work), the store's records, versions
and owners (they go with its values), and its fences (they go with what is under way).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from chc_ref.check.mapping import moves
from chc_ref.check.mapping.component_failover import ComponentFailover, phase
from chc_ref.check.mapping.records import Names, Read, records
from chc_ref.core import messages as m
from chc_ref.core.memory import Memory
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.splitter import Copy, Remind
from chc_ref.core.values import Flow
from chc_ref.core.work import Handover, Loaded
from chc_ref.system.composition import WORLD, State

READERS: dict[str, Read] = {
    "answered": lambda of, item: of.answers([item.answered] if item.answered else []),
    "entry": lambda _, item: [] if item.entry is None else [_written(item.entry)],
    "headers": lambda _, item: item.headers[-1],
    "log": lambda of, item: of.log(item.entries, item.answered),
    "moves": moves.told,
    "operation": lambda _, item: item.operation.item[-1],
    "packet.headers": lambda _, item: item.packet.headers[-1],
    "signals": lambda _, item: {signal.clock for signal in item.signals},
}
"""The headers of tiny models end with a packet's number."""


@attrs.frozen
class RootFailover(ComponentFailover):
    """The mapping."""

    messages = records(
        {
            **moves.MESSAGES,
            m.Packet: "packet: clock number=headers epoch",
            Handover: "handover: flow epoch",
            Loaded: "loaded: packet",
            m.Deleted: "deleted: clock first",
            m.Again: "again:",
            m.Delete: "delete: clock",
            m.Acquire: "acquire: flow epoch clock",
            m.Release: "release: flow epoch",
            m.Apply: "apply: clock=id.clock number=operation",
            m.Granted: "granted: flow epoch clock latest",
            m.Output: "output: clock number=headers epoch=after",
            m.HandedOver: "handed: flow epoch",
            m.PersistClock: "persist: clock=count",
            m.Inquire: "inquire: start=session",
            m.ClockPersisted: "persisted: clock=count",
            m.Committed: "committed: clock",
            m.Remembered: "remembered: start=session clock=persisted log committed=signals",
            m.WriteLog: "write: number clock entry answered",
            m.Logged: "logged: number",
            m.Begin: "begin: flow epoch clock start",
            m.Start: "start: start=session moves",
            m.Fence: "fence: start",
            m.Ready: "ready: start=session",
            m.Fenced: "fenced: start",
            Copy: "copy: clock=packet.clock number=packet.headers",
            Remind: "remind:",
        },
        READERS,
    )

    @property
    def constants(self) -> Names:
        """Give the bounds of the specification for the same system."""
        chain, world = self.system.physical.chain, self.system.world
        return {
            "Instances": set(self.instances),
            "Flows": set(self.flows),
            "Home": self.home(self.vertex),
            "Traffic": self.packets,
            "Moves": self.moves,
            "LogInStore": chain.log == "store",
            "PersistEvery": 1 if chain.log == "store" else chain.persist_every,
            "MostCrashes": world.most_crashes,
        }

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        memory: Memory = of["store"].memory
        answered = [one for _, one in memory.answered.items()]
        waiting = moves.waiting(self, memory, self.vertex)
        return {
            "arrived": of[WORLD].arrived,
            "asked": of[WORLD].operated,
            "crashes": len(of[WORLD].crashed),
            "recovering": "root" in of["manager"].recovering,
            **moves.books(self, of["manager"]),
            "root": self._root(of["root"]),
            "host": {one: self._host(of[one]) for one in self.instances},
            "persisted": memory.persisted.get("root", 0),
            "stored": self.log([one for _, one in sorted(memory.log.items())], answered),
            "value": {flow: _value(memory, flow) for flow in self.flows},
            "owner": moves.owners(self, memory, self.vertex),
            "parked": {flow: self.sourced(of, "message") for flow, of in waiting.items()},
            "channel": self.used(state),
            **moves.marks(self, of["sink"].queue),
            "left": [_packet(output) for output in of["sink"].outputs],
        }

    @property
    def unknown(self) -> int:
        """Give what stands for a clock that nobody knows yet: a failover may leave some out."""
        of = self.constants
        return len(of["Traffic"]) + int(of["MostCrashes"]) * int(of["PersistEvery"]) + 1

    def log(self, entries: Iterable[m.LogEntry], answered: Iterable[m.Answered]) -> Names:
        """Give what a log in the store has."""
        return {
            "entries": [_written(entry) for entry in entries],
            "answered": self.answers(answered),
        }

    def answers(self, answered: Iterable[m.Answered]) -> Names:
        """Give the clock of the newest delete of each instance that is answered."""
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
            "phase": phase(entry),
            "count": root.count,
            "persisted": root.persisted,
            "lost": root.lost,
            "written": root.written,
            "unwritten": [self._unwritten(*waits) for waits in root.unwritten],
            "answered": self.answers(one for _, one in root.answered.items()),
            "waiting": [arrival.headers[-1] for arrival in root.waiting],
            "log": [_entry(logged) for _, logged in sorted(root.log.items())],
            "route": moves.route(self, entry.splitter, self.vertex),
            "gate": self.listed(entry.splitter.gate),
            "aside": self.aside(entry.aside),
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
            "waits": {slot: self.listed(of) for slot, of in slots},
            "freed": self.listed(instance.ready),
            "queue": self.queued(instance.fifo),
            "released": {flow: instance.released.get(flow, ()) for flow in self.flows},
            "work": none if work is None else self.message(work.packet),
        }


def _packet(packet: Any) -> Names:
    """Give a packet, or a packet's output."""
    return {"clock": packet.clock, "number": packet.headers[-1]}


def _written(entry: m.LogEntry) -> Names:
    return {**_packet(entry.packet), "ended": bool(entry.ended)}


def _entry(entry: m.LogEntry) -> Names:
    return {**_written(entry), "committed": bool(entry.signals)}


def _value(memory: Memory, flow: Flow) -> list[Names]:
    """Give what a flow's value is made of: the packet of each update, and what it has pushed."""
    versions = [of for key, of in memory.versions.items() if key.key == flow]
    made = versions[0] if versions else ()
    return [{"clock": update.clock, "number": value[-1][-1]} for update, value in made]
