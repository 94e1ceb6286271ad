"""Chain: the logical DAG an operator defines, and its compilation to components.

Paper: section 3 (CHAIN-1, CHAIN-2, CHAIN-4) and Figure 3b.
"""

from __future__ import annotations

import attrs
import networkx as nx

from chc_ref.core.instance import Instance
from chc_ref.core.manager import Manager
from chc_ref.core.node import Component, Entry, Node, Sink
from chc_ref.core.operations import NetworkFunction
from chc_ref.core.queue import Queue
from chc_ref.core.root import Root
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.splitter import Downstream, Splitter
from chc_ref.core.store import Store
from chc_ref.core.values import Address, Map
from chc_ref.errors import UsageError

RESERVED = ("root", "store", "manager", "sink")


@attrs.frozen
class Vertex:
    """One NF of the logical chain (CHAIN-1)."""

    name: str
    nf: NetworkFunction
    instances: int = 1
    """Default parallelism (CHAIN-2)."""
    eager_flush: bool = True


@attrs.frozen
class Chain:
    """A logical chain: vertices and the edges that carry packets."""

    vertices: tuple[Vertex, ...]
    edges: tuple[tuple[str, str], ...] = ()
    persist_every: int = 0
    capacity: int = 0


@attrs.frozen
class Physical:
    """A compiled chain: every component by address, and who may send to whom."""

    chain: Chain
    instances: dict[str, tuple[Address, ...]]
    components: dict[Address, Component]
    channels: tuple[tuple[Address, Address], ...]


def check(chain: Chain) -> nx.DiGraph:
    """Check a chain and give its DAG.

    Raises:
        UsageError: CHAIN-4, naming the fault.

    """
    names = [vertex.name for vertex in chain.vertices]
    if not names:
        raise UsageError("the chain has no vertices")
    for vertex in chain.vertices:
        name = vertex.name
        if names.count(name) > 1:
            raise UsageError(f"two vertices are called {name!r}")
        if name in RESERVED or not name.isidentifier():
            raise UsageError(f"vertex name {name!r} is reserved or not a plain word")
        if vertex.instances < 1:
            raise UsageError(f"vertex {name!r} needs at least one instance")
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for edge in chain.edges:
        for end in edge:
            if end not in names:
                raise UsageError(f"edge {edge[0]} -> {edge[1]} names an unknown vertex {end!r}")
        graph.add_edge(*edge)
    if not nx.is_directed_acyclic_graph(graph):
        cycle = " -> ".join(a for a, _ in nx.find_cycle(graph))
        raise UsageError(f"the chain has a cycle: {cycle}")
    return graph


def compile_chain(chain: Chain, rules: Rules = AMENDED) -> Physical:
    """Compile a logical chain into its components (CHAIN-2).

    Raises:
        UsageError: the chain is malformed (CHAIN-4).

    """
    graph = check(chain)
    instances = {
        v.name: tuple(f"{v.name}.{index}" for index in range(v.instances)) for v in chain.vertices
    }
    sources = [name for name in graph if not graph.pred[name]]
    above = {
        name: tuple(a for up in graph.pred[name] for a in instances[up]) or ("root",)
        for name in graph
    }
    bits = _token_bits(chain)
    lasts = [name for name in graph if not graph.succ[name]]

    def splitter(below: list[str]) -> Splitter:
        edges = tuple(
            Downstream(name, instances[name], frozenset(nx.descendants(graph, name)) | {name})
            for name in below
        )
        return Splitter(edges, rules)

    components: dict[Address, Component] = {
        "root": Entry(
            Root(persist_every=chain.persist_every, capacity=chain.capacity, rules=rules),
            splitter(sources),
        )
    }
    for vertex in chain.vertices:
        for address in instances[vertex.name]:
            up = above[vertex.name]
            instance = Instance(
                address,
                vertex.nf,
                up,
                vertex.name in lasts,
                bits[vertex.name],
                vertex.eager_flush,
                vertex.name,
                rules,
            )
            queue = Queue(address, up, rules=rules)
            components[address] = Node(queue, instance, splitter(list(graph.succ[vertex.name])))
    components["store"] = Store(Map({v.name: v.nf.objects for v in chain.vertices}), rules=rules)
    components["manager"] = Manager(Map(instances), Map(above))
    outlets = tuple(address for name in lasts for address in instances[name])
    components["sink"] = Sink(Queue("sink", outlets, suppress=False, rules=rules))
    return Physical(chain, instances, components, _channels(graph, instances, sources))


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
    graph: nx.DiGraph, instances: dict[str, tuple[Address, ...]], sources: list[str]
) -> tuple[tuple[Address, Address], ...]:
    """List every pair of components that may exchange messages."""
    channels = [("root", "store"), ("store", "root"), ("manager", "root"), ("root", "manager")]
    for name in graph:
        for address in instances[name]:
            channels += [("root", address), (address, "root")]
            channels += [(address, "store"), ("store", address)]
            channels += [(address, "manager"), ("manager", address), (address, "sink")]
            channels += [(address, to) for down in graph.succ[name] for to in instances[down]]
    return tuple(channels)
