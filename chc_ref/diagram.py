"""Diagrams: a chain as its operator drew it, and as it was compiled (CHAIN-1, CHAIN-2).

Both come from networkx graphs: ``core.chain.check`` gives the logical one, ``compile_chain``
the physical one. They are printed as tables, as data, or as Mermaid text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chc_ref import __version__
from chc_ref.core.chain import Chain, Physical, Vertex, check, compile_chain
from chc_ref.core.manager import Manager
from chc_ref.core.node import Entry, Node
from chc_ref.core.operations import FLOW, StateObject, Strategy


def as_data(name: str, chain: Chain) -> dict[str, Any]:
    """Give a chain as plain data; docs/chains.md describes every key.

    Raises:
        UsageError: the chain is malformed (CHAIN-4).

    """
    logical, physical = check(chain), compile_chain(chain)
    return {
        "version": __version__,
        "chain": name,
        "roots": chain.roots,
        "entry": (chain.entry or FLOW).name,
        "log": chain.log,
        "write_ahead": chain.write_ahead,
        "persist_every": chain.persist_every,
        "capacity": chain.capacity,
        "logical": {
            "vertices": [_vertex(vertex, logical, physical) for vertex in chain.vertices],
            "edges": [list(edge) for edge in logical.edges],
        },
        "physical": {
            "nodes": [
                {"address": address, "kind": kind, "after": list(physical.graph.pred[address])}
                for address, kind in physical.graph.nodes(data="kind")
            ],
            "splitters": [one for address in physical.graph for one in _ways(address, physical)],
            "stores": {
                store: [v.name for v in chain.vertices if v.store == store]
                for store in chain.stores
            },
        },
    }


def _vertex(vertex: Vertex, logical: nx.DiGraph, physical: Physical) -> dict[str, Any]:
    return {
        "name": vertex.name,
        "nf": vertex.nf.name,
        "instances": list(physical.instances[vertex.name]),
        "split": vertex.split or FLOW.name,
        "store": vertex.store,
        "eager_flush": vertex.eager_flush,
        "clones": vertex.clones,
        "entry": not logical.pred[vertex.name],
        "last": not logical.succ[vertex.name],
        "off_path": vertex.nf.off_path,
        "scopes": [scope.name for scope in vertex.nf.scopes] or [FLOW.name],
        "objects": [_object(vertex, declared, physical) for declared in vertex.nf.objects],
    }


def _object(vertex: Vertex, declared: StateObject, physical: Physical) -> dict[str, Any]:
    manager = physical.components["manager"]
    assert isinstance(manager, Manager)  # every chain has one under this name
    strategy = declared.strategy
    cached = strategy in (Strategy.OWNED, Strategy.COPIED) or (
        strategy is Strategy.ALONE and manager.alone[vertex.name]
    )
    return {
        "name": declared.name,
        "per_flow": declared.per_flow,
        "scope": FLOW.name if declared.per_flow else declared.scope,
        "pattern": declared.pattern.value,
        "strategy": strategy.name.lower(),
        "cached": cached,
    }


def _ways(address: str, physical: Physical) -> Iterator[dict[str, Any]]:
    """Give the ways of the splitter behind a component, one for each vertex below."""
    component = physical.components[address]
    if isinstance(component, Entry | Node):
        for edge in component.splitter.downstream:
            yield {
                "after": address,
                "to": edge.vertex,
                "by": edge.division.by or FLOW.name,
                "instances": list(edge.instances),
            }


def show(console: Console, data: dict[str, Any]) -> None:
    """Print a chain for people."""
    persisted = f", clock persisted every {data['persist_every']} packets"
    persisted *= bool(data["persist_every"])
    capacity = f", input dropped above {data['capacity']} packets" * bool(data["capacity"])
    ahead = ", write-ahead logs at the instances" * data["write_ahead"]
    shared = f" that share the input by {data['entry']}" * (data["roots"] > 1)
    roots = f"{data['roots']} root{'s' * (data['roots'] > 1)}{shared}"
    options = f"{roots}, log at the {data['log']}{persisted}{capacity}{ahead}"
    console.print(f"{data['chain']}: {options}", markup=False)
    _show_logical(console, data)
    objects = Table("vertex", "object", "scope", "access", "served", box=None, pad_edge=False)
    for vertex in data["logical"]["vertices"]:
        for one in vertex["objects"]:
            served = _served(one)
            scope = escape(one["scope"] or "none")
            objects.add_row(vertex["name"], escape(one["name"]), scope, one["pattern"], served)
    console.print("\nstate", style="bold")
    console.print(objects)
    console.print("\nphysical chain", style="bold")
    physical = Table("component", "store", "its splitter sends to", box=None, pad_edge=False)
    stores = {v["name"]: v["store"] for v in data["logical"]["vertices"]}
    for node in data["physical"]["nodes"]:
        if node["kind"] == "sink":
            continue
        store = stores.get(node["address"].partition(".")[0], "")
        physical.add_row(node["address"], store, escape(_leads(node, data)))
    console.print(physical)


def _show_logical(console: Console, data: dict[str, Any]) -> None:
    table = Table("vertex", "NF", "instances", "split by", "leads to", box=None, pad_edge=False)
    below: dict[str, list[str]] = {}
    for above, to in data["logical"]["edges"]:
        below.setdefault(above, []).append(to)
    for vertex in data["logical"]["vertices"]:
        end = "nothing: off the path" if vertex["off_path"] else "sink"
        clones = ", each with a second host" * vertex["clones"]
        table.add_row(
            vertex["name"],
            escape(vertex["nf"]),
            f"{len(vertex['instances'])}{clones}",
            escape(vertex["split"]),
            ", ".join(below.get(vertex["name"], [end])),
        )
    console.print("\nlogical chain", style="bold")
    console.print(table)


def _served(one: dict[str, Any]) -> str:
    """Tell where accesses of an object are served, as scope, pattern and split have it."""
    strategy = Strategy[one["strategy"].upper()]
    if strategy is not Strategy.ALONE:
        return str(strategy.value)
    if one["cached"]:
        return "in a cache: the split gives each key to one instance alone"
    return "at the store: the split lets instances share its keys"


def _leads(node: dict[str, Any], data: dict[str, Any]) -> str:
    ways = [way for way in data["physical"]["splitters"] if way["after"] == node["address"]]
    if ways:
        return "; ".join(f"{', '.join(way['instances'])} by {way['by']}" for way in ways)
    sink = next(one for one in data["physical"]["nodes"] if one["kind"] == "sink")
    return "sink" if node["address"] in sink["after"] else "nothing: off the path"


def mermaid(data: dict[str, Any]) -> str:
    """Give both graphs as one Mermaid flowchart."""
    lines = ["flowchart LR", "  subgraph logical"]
    for vertex in data["logical"]["vertices"]:
        label = f"{vertex['name']}: {vertex['nf']}" + " (off the path)" * vertex["off_path"]
        lines.append(f'    v_{vertex["name"]}["{_text(label)}"]')
    lines += [f"    v_{above} --> v_{to}" for above, to in data["logical"]["edges"]]
    lines += ["  end", "  subgraph physical"]
    by = {(w["after"], to): w["by"] for w in data["physical"]["splitters"] for to in w["instances"]}
    for node in data["physical"]["nodes"]:
        lines.append(f'    {_id(node["address"])}["{node["address"]}"]')
    for node in data["physical"]["nodes"]:
        for above in node["after"]:
            scope = by.get((above, node["address"]))
            label = f'|"{_text(scope)}"|' if scope else ""
            lines.append(f"    {_id(above)} -->{label} {_id(node['address'])}")
    return "\n".join([*lines, "  end"])


def _text(label: str) -> str:
    """Give a label as Mermaid takes it between quotes."""
    return label.replace('"', "#quot;")


def _id(address: str) -> str:
    """Give an address as Mermaid takes it for a name."""
    return "p_" + address.replace(".", "_")
