"""Chain: the logical DAG an operator defines, and its compilation to components.

Paper: section 3 (CHAIN-1, CHAIN-2, CHAIN-4) and Figure 3b.
"""

from __future__ import annotations

import attrs
import networkx as nx

from chc_ref.core.client import Client, ClientState
from chc_ref.core.instance import Instance
from chc_ref.core.manager import Manager
from chc_ref.core.messages import Cache
from chc_ref.core.node import DOWN, Component, Entry, Node, NodeState, Sink
from chc_ref.core.operations import NetworkFunction, Scope, StateObject, Strategy
from chc_ref.core.partition import Division, home
from chc_ref.core.queue import Queue
from chc_ref.core.root import Root
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.splitter import Downstream, Splitter
from chc_ref.core.store import Store
from chc_ref.core.values import ROOT_BITS, Address, Flow, Map, beside
from chc_ref.core.varied import Varied
from chc_ref.core.vertex import Logic, VertexManager
from chc_ref.core.work import InstanceState
from chc_ref.errors import UsageError


@attrs.frozen
class Vertex:
    """One NF of the logical chain (CHAIN-1)."""

    name: str
    nf: NetworkFunction
    instances: int = 1
    """Default parallelism (CHAIN-2)."""
    eager_flush: bool = True
    """Flush after each packet, or on a timer only (CACHE-2)."""
    store: Address = "store"
    """Where its state lives (STORE-8)."""
    split: str = ""
    """Name of the scope that it is split by; empty for the whole flow (SPLIT-2)."""
    clones: bool = False
    """Each instance has a second host, where a clone may run (CLONE-1)."""
    standby: int = 0
    """Further instances, for when it is scaled out: they take no traffic before."""
    logic: Logic | None = None
    """What the operator makes of its statistics (CHAIN-3)."""

    @property
    def division(self) -> Division:
        """Give how its traffic is divided at first, among those that do not stand by."""
        active = tuple(f"{self.name}.{index}" for index in range(self.instances))
        return Division(active, self.nf.scopes, self.split)


@attrs.frozen
class Chain:
    """A logical chain: vertices and the edges that carry packets."""

    vertices: tuple[Vertex, ...]
    edges: tuple[tuple[str, str], ...] = ()
    persist_every: int = 0
    """Every n-th clock is persisted in the store; 0 for none (ROOT-5)."""
    capacity: int = 0
    """Logged packets at which input is dropped; 0 for no limit (ROOT-4)."""
    roots: int = 1
    """R of SPLIT-4."""
    entry: Scope | None = None
    """What the input is shared among the roots by; None for the whole flow (SPLIT-4)."""
    log: str = "root"
    """Where packets are logged, ``root`` or ``store`` (ROOT-2)."""
    write_ahead: bool = False
    """Instances keep what a failover of a store needs (REC-5)."""

    @property
    def root_addresses(self) -> tuple[Address, ...]:
        """Give the roots, by the identifier in their clocks."""
        return ("root", *(f"root{number}" for number in range(1, self.roots)))

    @property
    def stores(self) -> tuple[Address, ...]:
        """Give the stores. The first one has the clocks, and the log if a store has it."""
        return tuple(sorted({"store", *(vertex.store for vertex in self.vertices)}))

    def root_for(self, flow: Flow) -> Address:
        """Give the root that a flow enters by (SPLIT-4)."""
        return home(flow, self.root_addresses, self.entry)


@attrs.frozen
class Physical:
    """A compiled chain: every component by address, and who may send to whom."""

    chain: Chain
    instances: dict[str, tuple[Address, ...]]
    """IDs of the instances of each vertex; each runs on the host of that name at first."""
    components: dict[Address, Component]
    channels: tuple[tuple[Address, Address], ...]
    graph: nx.DiGraph
    """The physical DAG: every way of a packet from the roots to the sink. A node has its
    ``kind``: ``root``, ``instance`` or ``sink`` (CHAIN-2)."""


def check(chain: Chain) -> nx.DiGraph:
    """Check a chain and give its DAG.

    Raises:
        UsageError: CHAIN-4, naming the fault.

    """
    names = [vertex.name for vertex in chain.vertices]
    if not names:
        raise UsageError("the chain has no vertices")
    if not 1 <= chain.roots <= 1 << ROOT_BITS:
        raise UsageError(f"{chain.roots} roots; there are 1 to {1 << ROOT_BITS}")
    if chain.log not in ("root", "store"):
        raise UsageError(f"log = {chain.log!r} is neither 'root' nor 'store'")
    for name in ("persist_every", "capacity"):
        if getattr(chain, name) < 0:
            raise UsageError(f"{name} = {getattr(chain, name)} is below 0, which stands for none")
    reserved = {"manager", "sink", *chain.root_addresses, *chain.stores}
    for vertex in chain.vertices:
        _check_vertex(vertex, names, reserved)
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for edge in chain.edges:
        for end in edge:
            if end not in names:
                raise UsageError(f"edge {edge[0]} -> {edge[1]} names an unknown vertex {end!r}")
        if graph.has_edge(*edge):
            raise UsageError(f"edge {edge[0]} -> {edge[1]} is there twice")
        graph.add_edge(*edge)
    if not nx.is_directed_acyclic_graph(graph):
        cycle = nx.find_cycle(graph)
        ways = " -> ".join([*(a for a, _ in cycle), cycle[0][0]])
        raise UsageError(f"the chain has a cycle: {ways}")
    for vertex in chain.vertices:
        _check_ways(vertex, graph)
        for below in graph.succ[vertex.name] if vertex.nf.off_path else ():
            fault = f"nothing goes on from {vertex.name!r}, which works off the path"
            raise UsageError(f"vertex {below!r} cannot be reached from {vertex.name!r}: {fault}")
    return graph


def _check_ways(vertex: Vertex, graph: nx.DiGraph) -> None:
    """Two copies of a flow's packets that come down two ways have no common order (findings)."""
    ways: dict[str, int] = {}
    for name in nx.topological_sort(graph):
        ways[name] = sum(ways[above] for above in graph.pred[name]) or 1
    per_flow = [declared.name for declared in vertex.nf.objects if declared.per_flow]
    if per_flow and ways[vertex.name] > 1:
        fault = f"and it keeps {per_flow[0]!r} for each flow: their copies have no common order"
        raise UsageError(f"{ways[vertex.name]} ways lead to vertex {vertex.name!r}, {fault}")


def _check_vertex(vertex: Vertex, names: list[str], reserved: set[str]) -> None:
    name, nf = vertex.name, vertex.nf
    if names.count(name) > 1:
        raise UsageError(f"two vertices are called {name!r}")
    if name in reserved or not name.isidentifier():
        raise UsageError(f"vertex name {name!r} is reserved or not a plain word")
    if not vertex.store.startswith("store") or not vertex.store.isidentifier():
        raise UsageError(f"vertex {name!r}: store name {vertex.store!r} must begin with 'store'")
    if vertex.standby < 0:
        raise UsageError(f"vertex {name!r}: {vertex.standby} instances on standby")
    if vertex.instances < 1:
        raise UsageError(f"vertex {name!r} needs at least one instance")
    scopes = [scope.name for scope in nf.scopes]
    if len(set(scopes)) < len(scopes) or "" in scopes:
        raise UsageError(f"vertex {name!r}: its NF has two scopes of one name, or an empty one")
    if vertex.split and vertex.split not in scopes:
        known = ", ".join(scopes) or "none"
        raise UsageError(f"vertex {name!r} is split by {vertex.split!r}; its scopes: {known}")
    for declared in nf.objects:
        if declared.scope and declared.scope not in scopes:
            fault = f"object {declared.name!r} has the unknown scope {declared.scope!r}"
            raise UsageError(f"vertex {name!r}: {fault}")


def compile_chain(chain: Chain, rules: Rules = AMENDED) -> Physical:
    """Compile a logical chain into its components (CHAIN-2).

    Raises:
        UsageError: the chain is malformed (CHAIN-4).

    """
    graph = check(chain)
    vertices = {vertex.name: vertex for vertex in chain.vertices}
    roots, stores = chain.root_addresses, chain.stores
    instances = {
        v.name: tuple(f"{v.name}.{index}" for index in range(v.instances + v.standby))
        for v in chain.vertices
    }
    hosts = {v.name: _hosts(v, instances[v.name]) for v in chain.vertices}
    every_host = tuple(host for of in hosts.values() for host in of)
    sources = [name for name in graph if not graph.pred[name]]
    above = {
        name: tuple(a for up in graph.pred[name] for a in instances[up]) or roots for name in graph
    }
    bits = _token_bits(chain)
    lasts = [name for name in graph if not graph.succ[name]]

    def splitter(below: list[str]) -> Splitter:
        edges = tuple(
            Downstream(
                name,
                instances[name],
                frozenset(nx.descendants(graph, name)) | {name},
                vertices[name].division,
            )
            for name in below
        )
        return Splitter(edges, rules)

    components: dict[Address, Component] = {}
    for number, address in enumerate(roots):
        root = Root(
            number, chain.persist_every, chain.capacity, stores[0], chain.log == "store", rules
        )
        components[address] = Entry(address, root, splitter(sources), stores, every_host)
    for name, vertex in vertices.items():
        client = Client(vertex.store, vertex.nf, chain.write_ahead, rules)
        for address in hosts[name]:
            instance = Instance(
                address,
                vertex.nf,
                above[name],
                name in lasts,
                bits[name],
                client,
                roots,
                vertex.eager_flush,
                name,
                rules,
            )
            cache = Cache(_alone(vertex))
            initial = NodeState(instance=InstanceState(ClientState(cache=cache)))
            components[address] = Node(
                Queue(address, above[name], rules=rules),
                instance,
                splitter(list(graph.succ[name])),
                initial if address in instances[name] else DOWN,
            )
    for store in stores:
        objects = Map({v.name: v.nf.objects for v in chain.vertices if v.store == store})
        components[store] = Store(objects, roots, chain.write_ahead, rules)
    components["manager"] = Manager(
        Map(instances),
        Map(above),
        Map({v.name: v.store for v in chain.vertices}),
        Map({v.name: v.division for v in chain.vertices}),
        roots,
        Map({v.name: _alone(v) for v in chain.vertices if _cached(v)}),
        stores[0],
        frozenset(lasts),
        Map({v.name: VertexManager(v.logic) for v in chain.vertices if v.logic}),
        rules,
    )
    outlets = tuple(address for name in lasts for address in instances[name])
    components["sink"] = Sink(Queue("sink", outlets, rules=rules))
    ways = _ways(roots, instances, components)
    if rules is not AMENDED:
        components = {at: Varied(at, one, rules) for at, one in components.items()}
    return Physical(
        chain,
        instances,
        components,
        _channels(chain, graph, hosts),
        ways,
    )


def _ways(
    roots: tuple[Address, ...],
    instances: dict[str, tuple[Address, ...]],
    components: dict[Address, Component],
) -> nx.DiGraph:
    """Give the physical DAG: what leads on from a node are the ways of the splitter behind it."""
    ways = nx.DiGraph()
    ways.add_nodes_from(roots, kind="root")
    for of in instances.values():
        ways.add_nodes_from(of, kind="instance")
    for address in tuple(ways):
        host = components[address]
        below = host.splitter.downstream if isinstance(host, Entry | Node) else ()
        ways.add_edges_from((address, to) for edge in below for to in edge.instances)
        if isinstance(host, Node) and host.instance.last and not host.instance.nf.off_path:
            ways.add_edge(address, "sink")
    ways.add_node("sink", kind="sink")
    return ways


def _hosts(vertex: Vertex, instances: tuple[Address, ...]) -> tuple[Address, ...]:
    return instances + tuple(beside(one) for one in instances if vertex.clones)


def _cached(vertex: Vertex) -> list[StateObject]:
    """Give the shared objects that instances may keep copies of (CACHE-3, CACHE-4)."""
    return [o for o in vertex.nf.objects if o.strategy in (Strategy.COPIED, Strategy.ALONE)]


def _alone(vertex: Vertex) -> bool:
    """Tell whether the split gives each key of such objects to one instance alone (CACHE-4).

    It does if the vertex is split by the scope that keys the object, or by a coarser one.
    """
    if vertex.instances == 1:
        return True
    names = [scope.name for scope in vertex.nf.scopes]
    return bool(vertex.split) and all(
        declared.scope in names and names.index(vertex.split) >= names.index(declared.scope)
        for declared in _cached(vertex)
        if declared.strategy is Strategy.ALONE
    )


def _token_bits(chain: Chain) -> dict[str, Map[str, int]]:
    """Give every object's accesses token bits of their own (DEL-1 amended)."""
    bits: dict[str, Map[str, int]] = {}
    bit = 0
    for vertex in chain.vertices:
        first = {}
        for declared in vertex.nf.objects:
            first[declared.name] = bit
            bit += declared.accesses
        bits[vertex.name] = Map(first)
    return bits


def _channels(
    chain: Chain, graph: nx.DiGraph, hosts: dict[str, tuple[Address, ...]]
) -> tuple[tuple[Address, Address], ...]:
    """List every pair of components that may exchange messages."""
    roots, stores = chain.root_addresses, chain.stores
    pairs = [(a, b) for root in roots for a, b in ((root, "manager"), *((root, s) for s in stores))]
    pairs += [("manager", other) for other in (*stores, "sink")]
    for vertex in chain.vertices:
        for host in hosts[vertex.name]:
            pairs += [(root, host) for root in roots]
            pairs += [(host, vertex.store), (host, "manager")]
    channels = [pair for a, b in pairs for pair in ((a, b), (b, a))]
    for name in graph:
        for host in hosts[name]:
            channels.append((host, "sink"))
            channels += [(host, to) for down in graph.succ[name] for to in hosts[down]]
    return tuple(channels)
