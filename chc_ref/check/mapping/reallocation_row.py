"""What the core's states and steps are called in ``specs/ReallocationRow.tla``.

Names and selection alone, as in ``failover_row``, to which this adds what moves need, and from
which it leaves out what has to do with forgetting.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping import failover
from chc_ref.check.mapping.failover_row import NOBODY, FailoverRow, value_of
from chc_ref.check.mapping.vertex import Names
from chc_ref.core import messages as m
from chc_ref.core.node import NodeState
from chc_ref.core.splitter import Copy, Remind, SplitterState, Tenure, To
from chc_ref.core.values import Address, Flow, vertex_of
from chc_ref.core.work import Handover, Loaded
from chc_ref.errors import UsageError
from chc_ref.system.composition import WORLD, State
from chc_ref.system.world import Operate

TAKES: dict[tuple[str, type], str] = {
    **failover.TAKES,
    **{(kind, m.Move): "SplitterTakesMove" for kind in ("root", "instance")},
    **{(kind, m.Since): "SplitterTakesSince" for kind in ("root", "instance")},
    ("instance", m.LastMark): "InstanceTakesLastMark",
    ("instance", m.Passed): "InstanceTakesPassed",
    ("store", m.Release): "StoreTakesRelease",
    ("manager", m.Begin): "ManagerTakesBegin",
    ("manager", m.HandedOver): "ManagerTakesHandedOver",
    ("sink", m.Passed): "SinkTakesPassed",
}
"""Action of the specification, by the component that takes a message and the kind of message."""


@attrs.frozen
class ReallocationRow(FailoverRow):
    """The mapping for models of a row of vertices, in which flows move and instances fail."""

    takes: ClassVar = TAKES
    happens: ClassVar = {**failover.HAPPENS, Operate: "AskMove"}

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets, or are moved."""
        world = self.system.world
        moved = {wish.flow for wish in world.wishes if isinstance(wish, m.MoveRequested)}
        return tuple(sorted({arrival.flow for arrival in world.arrivals} | moved, key=repr))

    @property
    def unknown(self) -> int:
        """Give what stands for a clock that nobody knows yet."""
        return len(self.system.world.arrivals) + 1

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        wishes = [w for w in self.system.world.wishes if isinstance(w, m.MoveRequested)]
        if len(wishes) < len(self.system.world.wishes):
            raise UsageError(f"{self._module} has moves, and no other wishes")
        moves = [{"flow": wish.flow, "to": wish.to} for wish in wishes]
        constants = _without(super().constants, "MostForgets")
        return {**constants, "Listed": list(self.flows), "Moves": moves}

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = {name: state.components[at] for name, at in self.system.index.items()}
        splitters = {one: of[one].splitter for one in ("root", *self.instances)}
        queue = of["sink"].queue
        return {
            **_without(super().state(state), "forgets"),
            "splitter": {at: self._splitter(at, one) for at, one in splitters.items()},
            "asked": of[WORLD].operated,
            "books": self._books(of["manager"]),
            "passed": self._passed(queue),
            "held": [self._message("", item) for _, item in queue.held],
        }

    def _splitter(self, at: Address, splitter: SplitterState) -> Names:
        routes = {
            flow: splitter.routes.get(
                (below.name, flow), (Tenure(0, below.division.home(flow), 0),)
            )
            for below in self._below(at)
            for flow in self.flows
        }
        tenures = {
            flow: [self._tenure(one.instance, one) for one in routes.get(flow, ())]
            for flow in self.flows
        }
        gate = [self._waiting(at, item) for item in splitter.gate]
        return {"route": tenures, "gate": gate, "recovering": splitter.recovering}

    def _below(self, at: Address) -> Any:
        """Give the vertex behind a splitter, if there is one."""
        place = 0 if at == "root" else self.places[vertex_of(at)]
        return self.row[place : place + 1]

    def _tenure(self, instance: Address, of: Tenure | m.Move) -> Names:
        since = self.unknown if of.since is None else of.since
        return {"instance": instance, "since": since, "behind": of.behind}

    def _waiting(self, at: Address, item: Any) -> Names:
        """Give what waits at the gate of a splitter."""
        match item:
            case Copy(_, packet):
                return self._message(at, packet)
            case To(instance, m.LastMark(flow, epoch)):
                return {"type": "mark", "to": instance, "flow": flow, "epoch": epoch}
            case m.Send("manager", m.HandedOver() as message):
                return self._message(at, message)
            case m.Send(to, m.Passed(flow, epoch)):
                return {"type": "again", "to": to, "flow": flow, "epoch": epoch}
            case Remind(only):
                return {"type": "remind", "only": only or NOBODY}
            case m.Passed() | m.ReplayEnd():
                return self._message(at, item)
        raise UsageError(f"{self._module} has nothing like {item!r} at a gate")

    def _node(self, node: NodeState) -> Names:
        instance, queue = node.instance, node.queue
        return {
            **_without(super()._node(node), "past", "gone"),
            "passed": self._passed(queue),
            "held": [self._message(source, item) for source, item in queue.held],
            "late": [self._message(source, item) for source, item in queue.late],
            "blocked": {
                slot: [self._message("", item) for item in waiting]
                for slot, waiting in instance.blocked.items()
            },
            "owned": {
                flow: {"epoch": owned.epoch, "value": value_of(owned.values)}
                for flow, owned in instance.owned.items()
            },
            "lasts": dict(instance.lasts.items()),
            "released": {flow: instance.released.get(flow, ()) for flow in self.flows},
        }

    def _passed(self, queue: Any) -> dict[Flow, frozenset[int]]:
        """Give the marks that have come; in a row they all come from one vertex."""
        passed = {flow: epochs for (_, flow), epochs in queue.passed.items()}
        return {flow: passed.get(flow, frozenset()) for flow in self.flows}

    # ------------------------------------------------------------------ store, manager

    def _store(self, store: Any) -> Names:
        owners, waiting = store.memory.owners, store.memory.waiting
        return {
            **super()._store(store),
            "owner": [
                {flow: _owner(owners.get((of.name, flow))) for flow in self.flows}
                for of in self.row
            ],
            "parked": [
                {
                    flow: [
                        {"source": source, "request": self._message(source, request)}
                        for source, request in waiting.get((of.name, flow), ())
                    ]
                    for flow in self.flows
                }
                for of in self.row
            ],
        }

    def _memory(self, memory: Any) -> Names:
        return {}

    def _books(self, manager: Any) -> Names:
        def at(of: Any, flow: Flow) -> list[Address]:
            return [move.to for move in manager.moves.get((of.name, flow), ())]

        def behind(of: Any, flow: Flow) -> list[int]:
            place = self.places[of.name]
            above = self.row[place - 2].name if place > 1 else ""
            moves = manager.moves.get((of.name, flow), ())
            return [manager.behind.get((of.name, flow, m.epoch, above), 0) for m in moves]

        begun = sorted(
            (v, flow, epoch, clock) for (v, flow, epoch, _), clock in manager.begun.items()
        )
        under_way = {
            flow: {(self.places[move.vertex], move.epoch) for move in moves}
            for flow, moves in manager.under_way.items()
        }
        return {
            "wishes": [{"flow": wish.flow, "to": wish.to} for wish in manager.wishes],
            "target": [{flow: at(of, flow) for flow in self.flows} for of in self.row],
            "behind": [{flow: behind(of, flow) for flow in self.flows} for of in self.row],
            "begun": [
                {
                    flow: [clock for v, whose, _, clock in begun if (v, whose) == (of.name, flow)]
                    for flow in self.flows
                }
                for of in self.row
            ],
            "underWay": {flow: under_way.get(flow, set()) for flow in self.flows},
            "questions": [
                {"from": source, "begin": self._message(source, begin)}
                for source, begin in manager.begins
            ],
        }

    # ------------------------------------------------------------------ messages

    def _to(self, source: Address) -> set[Address]:
        return super()._to(source) | ({"manager"} if source == "root" else set())

    def _message(self, source: Address, item: Any) -> Names:
        """Give a message, or what a queue or an instance holds of it."""
        of: Any
        match item:
            case m.Packet():
                of = {"epoch": item.epoch, "after": item.after}
                return {**super()._message(source, item), **of}
            case m.Output():
                return {**super()._message(source, item), "after": item.after}
            case m.Acquire():
                return {**super()._message(source, item), "epoch": item.epoch}
            case m.Granted():
                of = {"epoch": item.epoch, "owned": item.owned}
                return {**_without(super()._message(source, item), "over"), **of}
            case Loaded(packet, values, owned):
                of = self._message("", packet)
                return {"type": "loaded", "packet": of, "value": value_of(values), "owned": owned}
            case m.LastMark(flow, epoch):
                return {"type": "last", "from": source, "flow": flow, "epoch": epoch}
            case m.Passed(flow, epoch):
                return {"type": "passed", "flow": flow, "epoch": epoch}
            case Handover(flow, epoch):
                return {"type": "handover", "flow": flow, "epoch": epoch}
            case m.HandedOver(flow, epoch):
                return {"type": "handed over", "flow": flow, "epoch": epoch}
            case m.Release(flow, epoch, start):
                return {"type": "release", "flow": flow, "epoch": epoch, "start": start}
            case m.Move(_, flow, epoch, to, since=None, behind=behind):
                of = {"flow": flow, "epoch": epoch, "to": to}
                return {"type": "move", **of, "behind": behind}
            case m.Begin(_, flow, epoch, clock, start):
                of = {"flow": flow, "epoch": epoch, "clock": clock}
                return {"type": "begin", **of, "start": start}
            case m.Since(_, flow, epoch, clock):
                return {"type": "since", "flow": flow, "epoch": epoch, "clock": clock}
        return super()._message(source, item)

    def _channels(self, state: State) -> Names:
        """Give what is under way; a start names no splitter, so here it gets its route."""
        contents = super()._channels(state)
        for one in self.instances:
            items = state.channels[self.system.channel("manager", one)]
            contents["manager"][one] = [self._start(one, item) for item in items]
        return contents

    def _start(self, at: Address, item: Any) -> Names:
        message = self._message("manager", item)
        if not isinstance(item, m.Start):
            return message
        homes = {
            flow: [below.division.home(flow) for below in self._below(at)] for flow in self.flows
        }
        route = {
            flow: [self._tenure(home, Tenure(0, home, 0)) for home in homes[flow]]
            + [self._tenure(move.to, move) for move in item.moves if move.flow == flow]
            for flow in self.flows
        }
        return {**message, "route": route}


def _owner(owner: Any) -> Names:
    """Give who owns a flow, and for which epoch."""
    if owner is None:
        return {"instance": NOBODY, "epoch": 0}
    return {"instance": owner.instance or NOBODY, "epoch": owner.epoch}


def _without(names: Names, *left_out: str) -> Names:
    return {name: value for name, value in names.items() if name not in left_out}
