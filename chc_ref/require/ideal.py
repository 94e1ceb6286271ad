"""The ideal chain (COE): one instance per vertex, no limits, no failures.

It runs the vertices' own code on one packet after the other, in clock order, or in an order
that the caller has seen: where operations on a shared object do not commute, COE asks for
*some* ideal order that keeps each flow's (docs/decisions.md). No rule of the protocol is
needed here, and none is used.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import networkx as nx

from chc_ref.core.chain import Chain, check
from chc_ref.core.messages import Alert, Arrive, Output
from chc_ref.core.operations import NetworkFunction, Outcome, drawn_now
from chc_ref.core.values import Branch, Flow, ObjectKey, UpdateId, clock_of
from chc_ref.errors import ModelError

MOST_ORDERS = 5040
"""Ideal executions that are tried where operations do not commute: of seven packets."""

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
    leaves: dict[tuple[int, Branch], str]
    """The last vertex of each output."""


class OrderError(ValueError):
    """The order asked for breaks a flow's own order: no ideal execution has it."""


def run_ideal(
    chain: Chain,
    arrivals: Iterable[Arrive],
    positions: Position | None = None,
    clocks: Iterable[int] | None = None,
    drawn: Mapping[UpdateId, Any] | None = None,
) -> Ideal:
    """Run the ideal chain.

    Args:
        chain: the logical chain.
        arrivals: input packets in order of arrival.
        positions: order at the vertices; None for clock order everywhere.
        clocks: clock of each packet; None for 1, 2, ...
        drawn: what each non-deterministic update drew (STORE-9).

    Raises:
        OrderError: ``positions`` reverses two packets of one flow at one vertex.

    """
    entering = _entering(arrivals, clocks)
    (ideal,) = _executions(
        chain, entering, drawn or {}, lambda name, of: [_ordered(name, of, positions or {})]
    )
    return ideal


def run_ideals(
    chain: Chain,
    arrivals: Iterable[Arrive],
    clocks: Iterable[int],
    drawn: Mapping[UpdateId, Any] | None = None,
) -> tuple[Ideal, ...]:
    """Give every ideal execution that keeps each flow's order, where order matters (COE).

    Raises:
        ModelError: there are more than ``MOST_ORDERS``.

    """
    ordered = {v.name for v in chain.vertices if any(o.ordered for o in v.nf.objects)}

    def orders(name: str, packets: list[Input]) -> Iterator[list[Input]]:
        packets = sorted(packets, key=lambda packet: (packet.clock, packet.branch))
        return _interleavings(packets) if name in ordered else iter([packets])

    found: list[Ideal] = []
    for number, ideal in enumerate(
        _executions(chain, _entering(arrivals, clocks), drawn or {}, orders)
    ):
        if number > MOST_ORDERS:
            raise ModelError(f"more than {MOST_ORDERS} ideal executions; use fewer packets")
        if ideal not in found:
            found.append(ideal)
    return tuple(found)


def _entering(arrivals: Iterable[Arrive], clocks: Iterable[int] | None) -> list[Input]:
    if clocks is None:
        clocks = (clock_of(0, count) for count in itertools.count(1))
    return [Input(clock, (), a.flow, a.headers) for a, clock in zip(arrivals, clocks, strict=False)]


def _interleavings(packets: list[Input]) -> Iterator[list[Input]]:
    """Give every order that keeps that of each flow."""
    if not packets:
        yield []
    for flow in dict.fromkeys(packet.flow for packet in packets):
        first = next(packet for packet in packets if packet.flow == flow)
        for rest in _interleavings([packet for packet in packets if packet is not first]):
            yield [first, *rest]


Orders = Callable[[str, list[Input]], Iterable[list[Input]]]
"""Gives the orders in which a vertex may take its packets."""


def _executions(
    chain: Chain, entering: list[Input], drawn: Mapping[UpdateId, Any], orders: Orders
) -> Iterator[Ideal]:
    """Run the vertices one after the other, each in every order that it may take."""
    graph = check(chain)
    functions = {vertex.name: vertex.nf for vertex in chain.vertices}
    names = list(nx.lexicographical_topological_sort(graph))
    before: dict[str, list[Input]] = {name: [] for name in graph}
    for packet in entering:
        _fan_out(packet, (packet.headers,), [n for n in graph if not graph.pred[n]], before)

    def run(at: int, before: dict[str, list[Input]], ideal: Ideal) -> Iterator[Ideal]:
        if at == len(names):
            yield ideal
            return
        name = names[at]
        for packets in orders(name, before[name]):
            later = {below: list(before[below]) for below in names[at + 1 :]}
            then = Ideal(dict(ideal.values), dict(ideal.outputs), ideal.alerts, dict(ideal.leaves))
            alerts = list(then.alerts)
            for packet in packets:
                outcome = _process(functions[name], name, packet, then.values, drawn)
                alerts += [Alert(name, packet.clock, alert) for alert in outcome.alerts]
                below = list(graph.succ[name])
                if below:
                    _fan_out(packet, outcome.outputs, below, later)
                else:
                    _leave(name, packet, outcome.outputs, then)
            yield from run(at + 1, later, attrs.evolve(then, alerts=tuple(alerts)))

    return run(0, before, Ideal({}, {}, (), {}))


def _process(
    nf: NetworkFunction,
    vertex: str,
    packet: Input,
    values: dict[ObjectKey, Any],
    drawn: Mapping[UpdateId, Any],
) -> Outcome:
    """Run a vertex' code to its end, every access served at once."""
    code = nf.process(packet.headers, packet.flow, packet.clock)
    answer, counts = None, dict.fromkeys((o.name for o in nf.objects), 0)
    while True:
        try:
            access = code.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        declared = nf.declared(access.object)
        key = ObjectKey(vertex, declared.name, packet.flow if declared.per_flow else access.key)
        update = UpdateId(packet.clock, packet.branch, key, counts[declared.name])
        counts[declared.name] += 1
        before = values.get(key, declared.initial)
        after, result = drawn_now(access.operation, drawn.get(update)).apply(before)
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


def _leave(vertex: str, packet: Input, outputs: tuple[Any, ...], ideal: Ideal) -> None:
    for index, headers in enumerate(outputs):
        branch = packet.branch if len(outputs) == 1 else (*packet.branch, index)
        ideal.outputs[packet.clock, branch] = Output(packet.clock, branch, packet.flow, headers)
        ideal.leaves[packet.clock, branch] = vertex
