"""Replay: a capture through the simulated physical chain and through the ideal one.

The default chain is the paper's of section 7.1: NAT, portscan detector and load balancer in a
row, the Trojan detector off the path behind the NAT. The interleaving is drawn from the seed;
the machines and the composition are the checker's.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import Alert, Arrive, CheckpointTimer, Drawn, ForgetTimer
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
from chc_ref.require.predicates import undone
from chc_ref.require.witness import Witness
from chc_ref.system.composition import WORLD, System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import Arrival, Crash, Operate, World

IN_FLIGHT = 48
"""Logged packets above which no new one is let in while others can still move."""

CHECKPOINT = 200
"""Arrivals between two checkpoints of a store, where instances keep write-ahead logs."""

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
    dropped: int
    """Packets dropped at a root's threshold (ROOT-4)."""
    alerts: tuple[Alert, ...]
    """Every alert, in order of leaving."""


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
    world, at = _world(chain, arrivals, schedule)
    witness = Witness(chain)
    run = Simulation(System(physical, world), witness)
    Drive(run, at, random.Random(schedule.seed), progress).to_the_end()
    lasts = {v.name for v in chain.vertices} - {above for above, _ in chain.edges}
    crashed = run.state(WORLD).crashed
    losses = sum(vertex_of(address) in lasts for address in crashed)
    return _compare(chain, arrivals, run, witness, crashed, losses)


def _world(
    chain: Chain, arrivals: tuple[Arrive, ...], schedule: Schedule
) -> tuple[World, dict[int, list[Any]]]:
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
    roots = tuple(chain.root_for(arrival.flow) for arrival in arrivals)
    return World(arrivals, tuple(wishes), fragile, len(schedule.crashes), roots=roots), at


class Drive:
    """Interleaves arrivals, scheduled events, timers and deliveries, as the seed has it."""

    def __init__(
        self,
        run: Simulation,
        at: dict[int, list[Any]],
        chance: random.Random,
        progress: Progress | None,
    ) -> None:
        self.run, self.at, self.chance, self.progress = run, at, chance, progress
        self.world = run.system.index[WORLD]
        self.arrivals = run.system.world.arrivals
        self.arrived = 0
        chain = run.system.physical.chain
        self.roots = [run.system.index[root] for root in chain.root_addresses]
        vertices = {v.name: v for v in chain.vertices}
        self.lazy = [
            run.system.index[host]
            for host in run.system.physical.components
            if vertex_of(host) in vertices and not vertices[vertex_of(host)].eager_flush
        ]
        """Hosts that flush on a timer only (CACHE-2)."""
        self.drawing = [v.store for v in chain.vertices if any(o.drawn for o in v.nf.objects)]
        self.logged_ahead = chain.stores if chain.write_ahead else ()

    def to_the_end(self) -> None:
        """Run until nothing can happen any more."""
        run, chance = self.run, self.chance
        waiting = list(self.at.get(0, ()))
        while True:
            if waiting and _may_happen(run, waiting[0]):
                run.happen(self.world, waiting.pop(0))
            elif self._may_arrive() and (not run.busy or chance.random() < 0.1):
                self._arrive()
                waiting += self.at.get(self.arrived, ())
            elif self.lazy and (not run.busy or chance.random() < 0.02) and self._flush():
                pass
            elif run.busy:
                _deliver(run, chance)
            else:
                break
        if self.progress is not None:
            self.progress(self.arrived)

    def _may_arrive(self) -> bool:
        if self.arrived == len(self.arrivals):
            return False
        logged = 0
        for root in self.roots:
            logged += len(self.run.components[root].root.log)
        return logged < IN_FLIGHT or not self.run.busy

    def _arrive(self) -> None:
        """Let the next packet arrive, and with it what is done from time to time."""
        for store in self.drawing:
            drawn = Drawn(self.chance.randrange(1 << 16))
            self.run.happen(self.run.system.index[store], drawn)
        self.run.happen(self.world, Arrival(self.arrivals[self.arrived]))
        self.arrived += 1
        if self.arrived % CHECKPOINT == 0:
            for store in self.logged_ahead:
                self.run.happen(self.run.system.index[store], CheckpointTimer())
            for root in self.roots:
                self.run.happen(root, ForgetTimer())
        if self.progress is not None and self.arrived % 500 == 0:
            self.progress(self.arrived)

    def _flush(self) -> bool:
        """Let a flush timer fire; tell whether there was one."""
        timers = [
            (host, timer)
            for host in self.lazy
            for timer in self.run.system.offers(host, self.run.components[host])
        ]
        if timers:
            self.run.happen(*self.chance.choice(timers))
        return bool(timers)


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
    entries: list[EntryState] = [run.state(root) for root in chain.root_addresses]
    memories = [run.state(store).memory for store in chain.stores]
    values = {key: value for memory in memories for key, value in memory.values.items()}
    for memory in memories:
        witness.note_drawn(memory)
    entered = sorted(
        (item for entry in entries for _, item in entry.root.entered.items()),
        key=lambda item: item[0],
    )
    dropped = sum(len(entry.root.dropped) for entry in entries)
    delivered, missing = len(sink.outputs), 0
    difference: Difference | None
    try:
        ideal = run_ideal(
            chain,
            [arrival for _, arrival in entered],
            witness.positions,
            [clock for clock, _ in entered],
            witness.drawn,
        )
    except OrderError as error:
        difference = Difference("R2", str(error), "order kept", "overtaken")
    else:
        missing = max(0, len(ideal.outputs) - delivered)
        difference = settled(ideal, values, sink.outputs, sink.alerts, losses)
    if difference is None and len(entered) + dropped < len(arrivals):
        ideally = f"{len(arrivals)} packets let in or dropped"
        difference = Difference("LIVE", "input", ideally, f"{len(entered) + dropped}")
    view = {name: run.state(name) for name in run.system.names}
    return Replayed(
        values,
        difference or undone(view),
        delivered,
        missing,
        len(run.state("manager").moves),
        crashed,
        witness.duplicates,
        dropped,
        sink.alerts,
    )
