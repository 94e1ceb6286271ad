"""Replay: a capture through the simulated physical chain and through the ideal one.

The chain is the paper's of section 7.1: NAT, portscan detector and load balancer in a row,
the Trojan detector off the path behind the NAT. The interleaving is drawn from the seed; the
machines and the composition are the checker's.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import Arrive
from chc_ref.core.node import EntryState, NodeState, SinkState
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, ObjectKey, vertex_of
from chc_ref.nfs.load_balancer import Pool, load_balancer
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.trojan import TROJAN
from chc_ref.replay.schedule import Schedule
from chc_ref.require.coe import Difference, settled
from chc_ref.require.ideal import OrderError, run_ideal
from chc_ref.require.witness import Witness
from chc_ref.system.composition import WORLD, System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import Arrival, Crash, Operate, World

IN_FLIGHT = 48
"""Logged packets above which no new one is let in while others can still move."""

Progress = Callable[[int], None]


@attrs.frozen
class Replayed:
    """Outcome of a replay."""

    values: dict[ObjectKey, Any]
    difference: Difference | None
    delivered: int
    """Packets that left the chain."""
    lost: int
    """Outputs that a crash took away between delete and output (REC-2)."""
    moved: int
    """Flows that were moved."""
    crashed: tuple[Address, ...]
    duplicates: int
    """Updates that the store was asked for again and did not apply (DUP-2)."""


def default_chain(instances: int = 2, pools: tuple[Pool, ...] = ()) -> Chain:
    """Give the chain of section 7.1 with ``instances`` of each vertex."""
    vertices = (
        Vertex("nat", NAT, instances),
        Vertex("portscan", PORTSCAN, instances),
        Vertex("load_balancer", load_balancer(pools), instances),
        Vertex("trojan", TROJAN, instances),
    )
    edges = (("nat", "portscan"), ("portscan", "load_balancer"), ("nat", "trojan"))
    return Chain(vertices, edges)


def replay(
    chain: Chain,
    arrivals: tuple[Arrive, ...],
    schedule: Schedule,
    rules: Rules = AMENDED,
    progress: Progress | None = None,
) -> Replayed:
    """Run ``arrivals`` through the physical and the ideal chain.

    Args:
        chain: the logical chain.
        arrivals: input packets, in order.
        schedule: moves, crashes and the seed of the interleaving.
        rules: the protocol variant of the physical chain.
        progress: called with the number of packets that have arrived.

    Raises:
        UsageError: the chain is malformed or the schedule does not fit it.

    """
    physical = compile_chain(chain, rules)
    schedule.checked(tuple(a for of in physical.instances.values() for a in of))
    world, at = _world(arrivals, schedule)
    witness = Witness(chain)
    run = Simulation(System(physical, world), witness)
    _drive(run, at, random.Random(schedule.seed), progress)
    lasts = {v.name for v in chain.vertices} - {above for above, _ in chain.edges}
    crashed = run.state(WORLD).crashed
    losses = sum(vertex_of(address) in lasts for address in crashed)
    return _compare(chain, arrivals, run, witness, crashed, losses)


def _world(arrivals: tuple[Arrive, ...], schedule: Schedule) -> tuple[World, dict[int, list[Any]]]:
    """Give the world of a schedule, and its events by the arrivals that come before them."""
    at: dict[int, list[Any]] = {}
    wishes = []
    for move in sorted(schedule.moves, key=lambda move: move.at):
        for wish in move.wishes(arrivals):
            wishes.append(wish)
            at.setdefault(min(move.at, len(arrivals)), []).append(Operate(wish))
    for crash in schedule.crashes:
        at.setdefault(min(crash.at, len(arrivals)), []).append(Crash(crash.instance))
    fragile = tuple(sorted({crash.instance for crash in schedule.crashes}))
    return World(arrivals, tuple(wishes), fragile, len(schedule.crashes)), at


def _drive(
    run: Simulation, at: dict[int, list[Any]], chance: random.Random, progress: Progress | None
) -> None:
    """Interleave arrivals, scheduled events and deliveries until nothing can happen."""
    system = run.system
    world = system.index[WORLD]
    arrivals = system.world.arrivals
    arrived = 0
    waiting = list(at.get(0, ()))
    while True:
        logged = len(run.state("root").root.log)
        may_arrive = arrived < len(arrivals) and (logged < IN_FLIGHT or not run.busy)
        if waiting and _may_happen(run, waiting[0]):
            run.happen(world, waiting.pop(0))
        elif may_arrive and (not run.busy or chance.random() < 0.1):
            run.happen(world, Arrival(arrivals[arrived]))
            arrived += 1
            waiting += at.get(arrived, ())
            if progress is not None and arrived % 500 == 0:
                progress(arrived)
        elif run.busy:
            _deliver(run, chance)
        else:
            break
    if progress is not None:
        progress(arrived)


def _deliver(run: Simulation, chance: random.Random) -> None:
    """Deliver from a channel drawn by chance, or lose what a dead component had sent."""
    channel = chance.choice(sorted(run.busy))
    source, to = run.system.channels[channel]
    up = run.system.is_up(run.system.index[source], run.state(source))
    if not up and to != "sink" and chance.random() < 0.5:
        run.lose(channel)
    else:
        run.deliver(channel)


def _may_happen(run: Simulation, event: Any) -> bool:
    """A crash waits until its victim is up: it may have crashed just before."""
    if not isinstance(event, Crash):
        return True
    state = run.state(event.address)
    return not isinstance(state, NodeState) or state.up


def _compare(
    chain: Chain,
    arrivals: tuple[Arrive, ...],
    run: Simulation,
    witness: Witness,
    crashed: tuple[Address, ...],
    losses: int,
) -> Replayed:
    sink: SinkState = run.state("sink")
    entry: EntryState = run.state("root")
    values = {
        key: value
        for store in chain.stores
        for key, value in run.state(store).memory.values.items()
    }
    delivered, missing = len(sink.outputs), 0
    try:
        ideal = run_ideal(chain, arrivals, witness.positions)
    except OrderError as error:
        difference: Difference | None = Difference("R2", str(error), "order kept", "overtaken")
    else:
        missing = max(0, len(ideal.outputs) - delivered)
        difference = settled(ideal, values, sink.outputs, sink.alerts, losses)
    if difference is None and len(entry.root.log):
        first = min(clock for clock, _ in entry.root.log.items())
        difference = Difference("LIVE", f"clock {first}", "deleted from the log", "still logged")
    moved = len(run.state("manager").moves)
    return Replayed(values, difference, delivered, missing, moved, crashed, witness.duplicates)
