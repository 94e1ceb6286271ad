"""Moves: what the mappings to modules in which flows move have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chc_ref.check.mapping.module import Module
from chc_ref.check.mapping.records import NOBODY, Names
from chc_ref.core import messages as m
from chc_ref.core.chain import Vertex
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory, Owner
from chc_ref.core.splitter import Copy, SplitterState, Tenure, To
from chc_ref.core.values import Address, Flow
from chc_ref.core.work import Handover

MESSAGES: dict[type, str] = {
    m.LastMark: "last: flow epoch",
    Handover: "last: flow epoch",
    m.Passed: "passed: flow epoch",
    m.Begin: "begin: flow epoch clock",
    m.Move: "move: flow epoch to",
    m.Since: "since: flow epoch clock",
    Copy: "copy: clock=packet.clock",
    To: "mark: to=instance flow=mark.flow epoch=mark.epoch",
}
"""Lines of the records of marks and moves, and of what waits at a splitter's gate."""

# --------------------------------------------------------------------------- splitters


def tenure(of: Module, one: Tenure) -> Names:
    """Give where packets of a flow go, from which clock on."""
    return {"instance": one.instance, "since": of.unknown if one.since is None else one.since}


def tenures(of: Module, every: Iterable[Tenure]) -> list[Names]:
    """Give where packets of a flow go, one after the other."""
    return [tenure(of, one) for one in every]


def homes(of: Module, at: Vertex) -> dict[Flow, Tenure]:
    """Give the tenure that each flow begins with at a vertex."""
    return {flow: Tenure(0, home, 0) for flow, home in of.home(at).items()}


def routes(of: Module, splitter: SplitterState, to: Vertex) -> dict[Flow, tuple[Tenure, ...]]:
    """Give where packets of each flow go at a vertex; at first all go to the flow's home."""
    return {
        flow: splitter.routes.get((to.name, flow), (home,)) for flow, home in homes(of, to).items()
    }


def route(of: Module, splitter: SplitterState, to: Vertex) -> dict[Flow, list[Names]]:
    """Name what ``routes`` gives."""
    return {flow: tenures(of, every) for flow, every in routes(of, splitter, to).items()}


def started(start: m.Start, flow: Flow) -> list[Tenure]:
    """Give the moves of a flow that the manager tells a component that starts again."""
    every = [move for move in start.moves if move.flow == flow]
    return [Tenure(move.epoch, move.to, move.since, move.behind) for move in every]


def told(of: Module, start: m.Start) -> dict[Flow, list[Names]]:
    """Name what ``started`` gives, for each flow."""
    return {flow: tenures(of, started(start, flow)) for flow in of.flows}


# --------------------------------------------------------------------------- manager


def targets(of: Module, manager: ManagerState, at: Vertex) -> dict[Flow, list[Address]]:
    """Give where each flow is moved to at a vertex, one after the other."""
    moves = {flow: manager.moves.get((at.name, flow), ()) for flow in of.flows}
    return {flow: [move.to for move in every] for flow, every in moves.items()}


def begun(of: Module, manager: ManagerState, at: Vertex) -> dict[Flow, list[int]]:
    """Give with which packets the moves of each flow at a vertex have begun, in their order."""
    every = sorted((v, flow, epoch, clock) for (v, flow, epoch, _), clock in manager.begun.items())
    return {
        flow: [clock for v, one, _, clock in every if (v, one) == (at.name, flow)]
        for flow in of.flows
    }


def books(of: Module, manager: ManagerState) -> Names:
    """Give what the manager knows of moves at the one vertex."""
    under_way = {flow: manager.under_way.get(flow, ()) for flow in of.flows}
    return {
        "target": targets(of, manager, of.vertex),
        "begun": begun(of, manager, of.vertex),
        "underWay": {flow: {move.epoch for move in moves} for flow, moves in under_way.items()},
    }


# --------------------------------------------------------------------------- store, sink


def owners(of: Module, memory: Memory, at: Vertex) -> dict[Flow, Names]:
    """Give who owns each flow at a vertex, and for which epoch."""
    every = {flow: memory.owners.get((at.name, flow)) or Owner() for flow in of.flows}
    return {
        flow: {"instance": owner.instance or NOBODY, "epoch": owner.epoch}
        for flow, owner in every.items()
    }


def waiting(of: Module, memory: Memory, at: Vertex) -> dict[Flow, tuple[Any, ...]]:
    """Give who waits at the store for each flow of a vertex, with what they have sent."""
    return {flow: memory.waiting.get((at.name, flow), ()) for flow in of.flows}


def marks(of: Module, queue: Any) -> Names:
    """Give which marks have passed a queue, all from one vertex, and what waits for others."""
    passed = {flow: epochs for (_, flow), epochs in queue.passed.items()}
    return {
        "passed": {flow: passed.get(flow, frozenset()) for flow in of.flows},
        "held": of.queued(queue.held),
    }
