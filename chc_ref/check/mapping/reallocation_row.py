"""What the core's states and steps are called in ``specs/ReallocationRow.tla``.

To ``failover_row`` this adds what moves need, and it leaves out what has to do with forgetting.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping import failures, moves
from chc_ref.check.mapping.failover_row import READERS, FailoverRow, value_of
from chc_ref.check.mapping.module import takes
from chc_ref.check.mapping.records import NOBODY, Names, records
from chc_ref.core import messages as m
from chc_ref.core.chain import Vertex
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory
from chc_ref.core.node import NodeState
from chc_ref.core.splitter import Copy, Remind, SplitterState, Tenure
from chc_ref.core.values import Address, Flow, vertex_of
from chc_ref.core.work import Handover, Loaded
from chc_ref.system.composition import WORLD, State


@attrs.frozen
class ReallocationRow(FailoverRow):
    """The mapping for models of a row of vertices, in which flows move and instances fail."""

    happens: ClassVar = {**failures.HAPPENS, m.MoveRequested: "AskMove"}
    takes: ClassVar = {
        **failures.TAKES,
        **takes(
            instance=(m.LastMark, m.Passed),
            store=(m.Release,),
            manager=(m.Begin, m.HandedOver),
            sink=(m.Passed,),
        ),
        **{
            (kind, of): f"SplitterTakes{of.__name__}"
            for kind in ("root", "instance")
            for of in (m.Move, m.Since)
        },
    }
    messages: ClassVar = {
        **FailoverRow.messages,
        **records(
            {
                **moves.MESSAGES,
                m.Packet: "packet: clock said vector target session epoch after",
                m.Output: "output: clock said after",
                m.Acquire: "acquire: clock peek start epoch",
                m.Granted: "granted: clock value=values peek latest epoch owned",
                Loaded: "loaded: packet value=values owned",
                m.LastMark: "last: from=source flow epoch",
                Handover: "handover: flow epoch",
                m.HandedOver: "handed over: flow epoch",
                m.Release: "release: flow epoch start",
                m.Begin: "begin: flow epoch clock start",
                m.Move: "move: flow epoch to behind",
            },
            READERS,
            [(m.Move, "since", None)],
        ),
    }

    @property
    def constants(self) -> Names:
        """Give the specification's constants: the bounds of this system."""
        constants = _without(super().constants, "MostForgets")
        return {**constants, "Listed": list(self.flows), "Moves": self.moves}

    # ------------------------------------------------------------------ states

    def state(self, state: State) -> Names:
        """Give the value of every variable of the specification."""
        of = self.system.view(state)
        splitters = {one: of[one].splitter for one in ("root", *self.instances)}
        return {
            **_without(super().state(state), "forgets"),
            "splitter": {at: self._splitter(at, one) for at, one in splitters.items()},
            "asked": of[WORLD].operated,
            "books": self._books(of["manager"]),
            **moves.marks(self, of["sink"].queue),
        }

    def _splitter(self, at: Address, splitter: SplitterState) -> Names:
        routes = [moves.routes(self, splitter, below) for below in self._below(at)]
        (route,) = routes or [dict.fromkeys(self.flows, ())]
        return {
            "route": {flow: self._tenures(every) for flow, every in route.items()},
            "gate": [self._waiting(at, item) for item in splitter.gate],
            "recovering": splitter.recovering,
        }

    def _tenures(self, every: Iterable[Tenure]) -> list[Names]:
        return [{**moves.tenure(self, one), "behind": one.behind} for one in every]

    def _below(self, at: Address) -> Any:
        """Give the vertex behind a splitter, if there is one."""
        place = 0 if at == "root" else self.places[vertex_of(at)]
        return self.row[place : place + 1]

    def _waiting(self, at: Address, item: Any) -> Names:
        """Give what waits at the gate of a splitter."""
        match item:
            case Copy(_, packet):
                return self.message(packet, at)
            case m.Send("manager", m.HandedOver() as message):
                return self.message(message, at)
            case m.Send(to, m.Passed(flow, epoch)):
                return {"type": "again", "to": to, "flow": flow, "epoch": epoch}
            case Remind(only):
                return {"type": "remind", "only": only or NOBODY}
        return self.message(item, at)

    def _node(self, node: NodeState) -> Names:
        instance, queue = node.instance, node.queue
        return {
            **_without(super()._node(node), "past", "gone"),
            **moves.marks(self, queue),
            "late": self.queued(queue.late),
            "blocked": {slot: self.listed(of) for slot, of in instance.blocked.items()},
            "owned": {
                flow: {"epoch": owned.epoch, "value": value_of(owned.values)}
                for flow, owned in instance.owned.items()
            },
            "lasts": dict(instance.lasts.items()),
            "released": {flow: instance.released.get(flow, ()) for flow in self.flows},
        }

    # ------------------------------------------------------------------ store, manager

    def _store(self, memory: Memory) -> Names:
        waiting = [moves.waiting(self, memory, of) for of in self.row]
        return {
            **super()._store(memory),
            "owner": [moves.owners(self, memory, of) for of in self.row],
            "parked": [
                {flow: self.sourced(requests, "request") for flow, requests in of.items()}
                for of in waiting
            ],
        }

    def _memory(self, memory: Memory) -> Names:
        return {}

    def _books(self, manager: ManagerState) -> Names:
        under_way = {flow: manager.under_way.get(flow, ()) for flow in self.flows}
        return {
            "wishes": self.asked(manager.wishes),
            "target": [moves.targets(self, manager, of) for of in self.row],
            "behind": [self._behind(manager, of) for of in self.row],
            "begun": [moves.begun(self, manager, of) for of in self.row],
            "underWay": {
                flow: {(self.places[move.vertex], move.epoch) for move in of}
                for flow, of in under_way.items()
            },
            "questions": [
                {"from": source, "begin": self.message(begin, source)}
                for source, begin in manager.begins
            ],
        }

    def _behind(self, manager: ManagerState, at: Vertex) -> dict[Flow, list[int]]:
        """Give how often each flow had moved above when its moves at a vertex began."""
        above = "".join(one.name for one, below in pairwise(self.row) if below == at)
        every = {flow: manager.moves.get((at.name, flow), ()) for flow in self.flows}
        return {
            flow: [manager.behind.get((at.name, flow, move.epoch, above), 0) for move in of]
            for flow, of in every.items()
        }

    # ------------------------------------------------------------------ channels

    def _to(self, source: Address) -> set[Address]:
        return super()._to(source) | ({"manager"} if source == "root" else set())

    def _channel(self, state: State) -> Names:
        """Give what is under way; a start names no splitter, so here it gets its route."""
        contents = super()._channel(state)
        for one in self.instances:
            items = state.channels[self.system.channel("manager", one)]
            contents["manager"][one] = [self._start(one, item) for item in items]
        return contents

    def _start(self, at: Address, item: Any) -> Names:
        message = self.message(item, "manager")
        if not isinstance(item, m.Start):
            return message
        homes = [moves.homes(self, below) for below in self._below(at)]
        route = {
            flow: self._tenures([*(home[flow] for home in homes), *moves.started(item, flow)])
            for flow in self.flows
        }
        return {**message, "route": route}


def _without(names: Names, *left_out: str) -> Names:
    return {name: value for name, value in names.items() if name not in left_out}
