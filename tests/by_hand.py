"""What tests have in common that step a machine, or a small chain, by hand."""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.chain import Chain, Physical, Vertex, compile_chain
from chc_ref.core.client import Client
from chc_ref.core.directory import ManagerState
from chc_ref.core.instance import Instance
from chc_ref.core.manager import Manager
from chc_ref.core.messages import Apply, Arrive, Packet, Send
from chc_ref.core.operations import FLOW, NetworkFunction, Outcome, Pattern, Process, StateObject
from chc_ref.core.rules import AMENDED
from chc_ref.core.values import Map, ObjectKey, UpdateId
from chc_ref.nfs.tiny import HOST, HOT
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World

OFFLOADED = StateObject("total", False, 0)
COPIED = StateObject("limit", False, 0, accesses=2, pattern=Pattern.READ_MOSTLY)
ALONE = StateObject("hot", False, 0, accesses=2, pattern=Pattern.BOTH, scope="host")


def nothing(headers: Any, flow: Any, clock: int) -> Process:
    """Pass every packet on: what is tried here is not what an NF does."""
    yield from ()
    return Outcome((headers,))


ALL = NetworkFunction("all", (OFFLOADED, COPIED, ALONE), nothing, (FLOW, HOST))
TOTAL, KEY, HOT_KEY = (ObjectKey("v", name, ()) for name in ("total", "limit", "hot"))


def apply(clock: int, key: ObjectKey, operation: Any, **fields: Any) -> Apply:
    """Give an access of one packet; fields that matter are changed by name."""
    access = Apply(UpdateId(clock, (), key, 0), operation, 1, True)
    return attrs.evolve(access, **fields)


def update_id(clock: int, key: ObjectKey = KEY, seq: int = 0) -> UpdateId:
    """Give the ID of an access."""
    return UpdateId(clock, (), key, seq)


def instance_of(nf: NetworkFunction, **fields: Any) -> Instance:
    """Give an instance of an NF, with one splitter above it."""
    client = Client("store", nf, rules=fields.get("rules", AMENDED))
    tokens = Map({declared.name: 0 for declared in nf.objects})
    instance = Instance("v.0", nf, ("u.0",), False, tokens, client, vertex="v")
    return attrs.evolve(instance, **fields)


def packet_of(clock: int, flow: str = "B", **fields: Any) -> Packet:
    """Give a packet of a flow."""
    return attrs.evolve(Packet(clock, flow, ("x",)), **fields)


def hot(**fields: Any) -> Vertex:
    """Give a vertex that is split as its shared objects are keyed (CACHE-4)."""
    return attrs.evolve(Vertex("v", HOT, 2, split="host"), **fields)


def manager_of(vertex: Vertex | None = None) -> Manager:
    """Give the manager of a chain of one vertex."""
    component = compile_chain(Chain((vertex or hot(),))).components["manager"]
    assert isinstance(component, Manager)
    return component


def manage(
    manager: Manager, *events: Any, state: ManagerState | None = None
) -> tuple[ManagerState, list[Send]]:
    """Give the manager behind all events, and what the last one made it send."""
    state = ManagerState() if state is None else state
    sends: list[Send] = []
    for event in events:
        state, sends = manager.step(state, event)
    return state, sends


def run_of(physical: Physical) -> Simulation:
    """Begin a run in which nothing happens of itself."""
    return Simulation(System(physical, World()))


def settle(run: Simulation, but: tuple[tuple[str, str], ...] = ()) -> None:
    """Deliver everything, but for what is on some channels."""
    while busy := [at for at in sorted(run.busy) if run.system.channels[at] not in but]:
        run.deliver(busy[0])


def arrive(run: Simulation, chain: Chain, flow: str, number: int) -> None:
    """Let a packet come to the root of its flow (SPLIT-4)."""
    root = run.system.index[chain.root_for(flow)]
    run.happen(root, Arrive(flow, (flow, number)))
