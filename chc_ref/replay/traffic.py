"""Traffic: what a capture's packets mean for the partitioning of each vertex (SPLIT-1, SPLIT-2).

The ideal chain runs on the capture, and every packet and every access of state is counted by
flow. So a vertex is judged by what reaches it, behind whatever those before it drop, and what
instances would share is read off the accesses themselves. That shows as well whether an object
is keyed by the scope that it declares: caching (CACHE-4) relies on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chc_ref import __version__
from chc_ref.core.chain import Chain, Vertex
from chc_ref.core.messages import Arrive
from chc_ref.core.operations import FLOW, Outcome, Process, Scope
from chc_ref.core.partition import Split, home, measure, partition
from chc_ref.core.values import Address, Flow
from chc_ref.require.ideal import run_ideal

EVENNESS = 1.25
"""Load of the busiest instance over the mean that is still taken for even."""


@attrs.frozen
class Traffic:
    """What reached one vertex, and what it did with its state."""

    load: Counter[Flow]
    """Packets of each flow."""
    accesses: dict[tuple[str, Any], Counter[Flow]]
    """Accesses of each (object, key), by flow."""


def observe(chain: Chain, arrivals: Iterable[Arrive]) -> dict[str, Traffic]:
    """Run the ideal chain and count what happens at each vertex.

    Raises:
        UsageError: the chain is malformed.

    """
    seen = {vertex.name: Traffic(Counter(), {}) for vertex in chain.vertices}
    watched = tuple(_watched(vertex, seen[vertex.name]) for vertex in chain.vertices)
    run_ideal(attrs.evolve(chain, vertices=watched), arrivals)
    return seen


def _watched(vertex: Vertex, traffic: Traffic) -> Vertex:
    """Give the vertex with an NF that counts; the ideal chain runs it once for each packet."""
    nf = vertex.nf

    def process(headers: Any, flow: Any, clock: int) -> Process:
        traffic.load[flow] += 1
        code, answer = nf.process(headers, flow, clock), None
        while True:
            try:
                access = code.send(answer)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            key = flow if nf.declared(access.object).per_flow else access.key
            traffic.accesses.setdefault((access.object, key), Counter())[flow] += 1
            answer = yield access

    return attrs.evolve(vertex, nf=attrs.evolve(nf, process=process))


def as_data(
    chain: Chain,
    seen: dict[str, Traffic],
    instances: int | None = None,
    evenness: float = EVENNESS,
) -> dict[str, Any]:
    """Give the partitioning of every vertex as plain data; docs/chains.md describes every key.

    Args:
        chain: the logical chain.
        seen: what ``observe`` counted.
        instances: of each vertex; None for what the chain says.
        evenness: imbalance that is still even; at least 1.0.

    Raises:
        UsageError: no even split can be asked for with this evenness.

    """
    vertices = [
        _vertex(v, seen[v.name], instances or v.instances, evenness) for v in chain.vertices
    ]
    return {"version": __version__, "evenness": evenness, "vertices": vertices}


def _vertex(vertex: Vertex, traffic: Traffic, count: int, evenness: float) -> dict[str, Any]:
    scopes = vertex.nf.scopes or (FLOW,)
    instances = tuple(f"{vertex.name}.{index}" for index in range(count))
    found = partition(traffic.load, scopes, instances, evenness)
    splits = [measure(traffic.load, scope, scopes, instances) for scope in reversed(scopes)]
    tried = len(found.tried)
    return {
        "name": vertex.name,
        "nf": vertex.nf.name,
        "instances": count,
        "packets": traffic.load.total(),
        "flows": len(traffic.load),
        "split": vertex.split or FLOW.name,
        "chosen": found.scope.name,
        "even": found.tried[-1].imbalance <= evenness,
        "scopes": [
            {
                "scope": split.scope.name,
                "tried": at < tried,
                "imbalance": split.imbalance,
                "shared_keys": dict(split.shared),
                **_shared(vertex, traffic, split, instances),
            }
            for at, split in enumerate(splits)
        ],
        "misdeclared": misdeclared(vertex, traffic),
    }


def _shared(
    vertex: Vertex, traffic: Traffic, split: Split, instances: tuple[Address, ...]
) -> dict[str, Any]:
    """Give what the instances share under a split: of each object's keys, and of all accesses."""
    homes = {flow: home(flow, instances, split.scope) for flow in traffic.load}
    total = between = 0
    keys: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    for (name, _), by_flow in traffic.accesses.items():
        several = len({homes[flow] for flow in by_flow}) > 1
        keys[name] += 1
        shared[name] += several
        total += by_flow.total()
        between += several * by_flow.total()
    return {
        "objects": {
            declared.name: {"keys": keys[declared.name], "shared": shared[declared.name]}
            for declared in vertex.nf.objects
        },
        "shared_accesses": between / total if total else 0.0,
    }


def misdeclared(vertex: Vertex, traffic: Traffic) -> list[str]:
    """List the objects of which one key was used by flows of several keys of the scope named.

    A split by that scope would let instances share a key that each of them may cache.
    """
    scopes: dict[str, Scope] = {scope.name: scope for scope in vertex.nf.scopes}
    wrong = []
    for declared in vertex.nf.objects:
        scope = scopes.get(declared.scope)
        uses = (of for (name, _), of in traffic.accesses.items() if name == declared.name)
        if scope is not None and any(len({scope.key(flow) for flow in of}) > 1 for of in uses):
            wrong.append(declared.name)
    return wrong


def show(console: Console, data: dict[str, Any]) -> None:
    """Print the partitioning of every vertex for people."""
    for vertex in data["vertices"]:
        title = (
            f"{vertex['name']}: {vertex['instances']} instances, {vertex['packets']} packets of "
            f"{vertex['flows']} flows"
        )
        console.print(title, style="bold", markup=False)
        table = Table(box=None, pad_edge=False)
        table.add_column("scope")
        table.add_column("imbalance", justify="right")
        table.add_column("shared accesses", justify="right")
        table.add_column("keys used by several instances")
        table.add_column("")
        for one in vertex["scopes"]:
            table.add_row(
                escape(one["scope"]),
                f"{one['imbalance']:.2f}",
                f"{one['shared_accesses']:.1%}",
                escape(_objects(one["objects"])),
                _remark(one, vertex),
            )
        console.print(table)
        for name in vertex["misdeclared"]:
            fault = "flows of several keys of the scope that it names use one key of it"
            console.print(f"object {name} has a wrong scope: {fault}", markup=False)


def _objects(objects: dict[str, Any]) -> str:
    return ", ".join(f"{name} {one['shared']} of {one['keys']}" for name, one in objects.items())


def _remark(one: dict[str, Any], vertex: dict[str, Any]) -> str:
    if one["scope"] == vertex["chosen"]:
        return "chosen" if vertex["even"] else "chosen: the finest, though uneven"
    return "uneven" if one["tried"] else "not needed"
