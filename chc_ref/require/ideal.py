"""The ideal chain (COE): one instance per vertex, no limits, no failures.

It runs the vertices' own code on one packet after the other, in clock order, or in an order
that the caller has seen: where operations on a shared object do not commute, COE asks for
*some* ideal order that keeps each flow's (docs/decisions.md). No rule of the protocol is
needed here, and none is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import networkx as nx

from chc_ref.core.chain import Chain, check
from chc_ref.core.messages import Alert, Arrive, Output
from chc_ref.core.operations import NetworkFunction, Outcome
from chc_ref.core.values import Branch, Flow, ObjectKey, clock_of

Position = Mapping[tuple[str, int, Branch], int]
"""Place of a packet in the order of a vertex' non-commuting operations, where it has one."""


@attrs.frozen
class Input:
    """One packet before one vertex."""

    clock: int
    branch: Branch
    flow: Flow
    headers: Any


@attrs.frozen
class Ideal:
    """What the ideal chain makes of an input stream."""

    values: dict[ObjectKey, Any]
    outputs: dict[tuple[int, Branch], Output]
    alerts: tuple[Alert, ...]


class OrderError(ValueError):
    """The order asked for breaks a flow's own order: no ideal execution has it."""


def run_ideal(chain: Chain, arrivals: Iterable[Arrive], positions: Position | None = None) -> Ideal:
    """Run the ideal chain.

    Args:
        chain: the logical chain.
        arrivals: input packets in order of arrival; they get clocks 1, 2, ...
        positions: order at the vertices; None for clock order everywhere.

    Raises:
        OrderError: ``positions`` reverses two packets of one flow at one vertex.

    """
    graph = check(chain)
    functions = {vertex.name: vertex.nf for vertex in chain.vertices}
    entering = [
        Input(clock_of(0, count), (), arrival.flow, arrival.headers)
        for count, arrival in enumerate(arrivals, start=1)
    ]
    sources = [name for name in graph if not graph.pred[name]]
    before: dict[str, list[Input]] = {name: [] for name in graph}
    for packet in entering:
        _fan_out(packet, (packet.headers,), sources, before)
    ideal = Ideal({}, {}, ())
    for name in nx.lexicographical_topological_sort(graph):
        for packet in _ordered(name, before[name], positions or {}):
            outcome = _process(functions[name], name, packet, ideal.values)
            alerts = tuple(Alert(name, packet.clock, alert) for alert in outcome.alerts)
            ideal = attrs.evolve(ideal, alerts=(*ideal.alerts, *alerts)) if alerts else ideal
            below = list(graph.succ[name])
            if below:
                _fan_out(packet, outcome.outputs, below, before)
            else:
                _leave(packet, outcome.outputs, ideal)
    return ideal


def _process(
    nf: NetworkFunction, vertex: str, packet: Input, values: dict[ObjectKey, Any]
) -> Outcome:
    """Run a vertex' code to its end, every access served at once."""
    code = nf.process(packet.headers, packet.flow, packet.clock)
    answer = None
    while True:
        try:
            access = code.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        declared = nf.declared(access.object)
        key = ObjectKey(vertex, declared.name, packet.flow if declared.per_flow else access.key)
        before = values.get(key, declared.initial)
        after, result = access.operation.apply(before)
        if not access.operation.reads_only:
            values[key] = after
        answer = result if declared.per_flow or access.blocking else None


def _ordered(vertex: str, packets: list[Input], positions: Position) -> list[Input]:
    """Put a vertex' packets in order: by clock, or by the positions that some of them have.

    A packet without a position touches only what commutes, so it may go anywhere behind the
    packets of its flow that came before it.
    """
    packets.sort(key=lambda packet: (packet.clock, packet.branch))
    newest: dict[Flow, int] = {}
    keyed = []
    for index, packet in enumerate(packets):
        behind = newest.get(packet.flow, -1)
        place = positions.get((vertex, packet.clock, packet.branch), behind)
        if place < behind:
            raise OrderError(f"{vertex}: clock {packet.clock} was overtaken in {packet.flow}")
        newest[packet.flow] = place
        keyed.append((place, index, packet))
    return [packet for _, _, packet in sorted(keyed, key=lambda entry: entry[:2])]


def _fan_out(
    packet: Input, outputs: tuple[Any, ...], below: list[str], before: dict[str, list[Input]]
) -> None:
    """Copy outputs down every edge, numbered as the packet's copies are."""
    copies = [(name, headers) for name in below for headers in outputs]
    for index, (name, headers) in enumerate(copies):
        branch = packet.branch if len(copies) == 1 else (*packet.branch, index)
        before[name].append(Input(packet.clock, branch, packet.flow, headers))


def _leave(packet: Input, outputs: tuple[Any, ...], ideal: Ideal) -> None:
    for index, headers in enumerate(outputs):
        branch = packet.branch if len(outputs) == 1 else (*packet.branch, index)
        ideal.outputs[packet.clock, branch] = Output(packet.clock, branch, packet.flow, headers)
