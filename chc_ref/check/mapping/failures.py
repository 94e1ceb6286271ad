"""Failures: what the mappings to modules in which instances fail have in common."""

from __future__ import annotations

from typing import Any

from chc_ref.check.mapping.module import Module, takes
from chc_ref.check.mapping.records import NOBODY, Names
from chc_ref.core import messages as m
from chc_ref.core.chain import Vertex
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory, Owner
from chc_ref.core.node import NodeState
from chc_ref.core.values import Address, Flow
from chc_ref.system.composition import WORLD
from chc_ref.system.world import Arrival, Crash

HAPPENS: dict[type, str] = {Arrival: "Arrive", Crash: "Crash", m.FlushTimer: "FlushTimer"}

TAKES = takes(
    root=(m.Delete, m.Committed, m.Replay),
    instance=(m.Packet, m.ReplayEnd, m.Deleted, m.Granted, m.Start),
    store=(m.Apply, m.Acquire, m.Fence),
    manager=(m.Fenced, m.Ready, m.Recovered),
    sink=(m.Output,),
)

MESSAGES: dict[type, str] = {
    m.Deleted: "deleted: clock first start",
    m.Start: "start: session",
    m.Ready: "ready: session",
    m.Replay: "replay: target session",
    m.Recovered: "recovered: session",
    m.Fence: "fence: instance=address start",
    m.Fenced: "fenced: instance=address start",
}
"""Lines of the records of failovers."""


def constants(of: Module) -> Names:
    """Give the bounds of what fails."""
    world = of.system.world
    return {
        "Ranked": of.instances,
        "Fragile": set(world.fragile),
        "MostCrashes": world.most_crashes,
    }


def components(of: Module, view: dict[str, Any]) -> Names:
    """Give what the store has fenced, what the manager knows of failovers, and what failed."""
    manager: ManagerState = view["manager"]
    return {
        "fence": {one: view["store"].fences.get(one, 0) for one in of.instances},
        "session": manager.session,
        "replay": manager.replay,
        "starts": {one: manager.starts.get(one, 0) for one in of.instances},
        "recovering": {
            one: {"start": start, "runs": runs} for one, (start, runs) in manager.recovering.items()
        },
        "fencing": manager.fencing,
        "crashed": {one: view[WORLD].crashed.count(one) for one in of.instances},
    }


def owners(of: Module, memory: Memory, at: Vertex) -> dict[Flow, Address]:
    """Give who owns each flow at a vertex."""
    every = {flow: memory.owners.get((at.name, flow)) or Owner() for flow in of.flows}
    return {flow: owner.instance or NOBODY for flow, owner in every.items()}


def node(of: Module, at: NodeState) -> Names:
    """Give what an instance knows of failovers, and all that waits at it."""
    queue, instance = at.queue, at.instance
    return {
        "up": at.up,
        "recovering": queue.recovering,
        "valid": queue.valid,
        "aside": of.queued(queue.aside),
        "ready": of.listed(instance.ready),
        "lane": of.queued(instance.lane),
        "queue": of.queued(instance.fifo),
        "blocked": {flow: of.listed(waiting) for (flow, _), waiting in instance.blocked.items()},
    }
