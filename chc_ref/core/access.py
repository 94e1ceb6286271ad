"""Running NF code: one pure function from (packet, state, results so far) to the next step.

The NF is a generator; it is run from its start with the results that have come so far, and
stopped at the first one that is missing. Per-flow objects are served from the values at hand,
shared ones by the store. Paper: section 4.3.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import Apply, Packet
from chc_ref.core.operations import NetworkFunction, Outcome
from chc_ref.core.rules import Rules
from chc_ref.core.values import Map, ObjectKey, UpdateId
from chc_ref.errors import ModelError


@attrs.frozen
class Suspended:
    """The NF waits for the result of the last access."""

    accesses: tuple[Apply, ...]
    """Accesses of shared objects so far, in order, those already sent included."""
    needed: int
    """Results that it cannot do without."""


@attrs.frozen
class Finished:
    """The NF is done with the packet."""

    accesses: tuple[Apply, ...]
    outcome: Outcome
    values: tuple[tuple[str, Any], ...]
    """The flow's objects after the packet."""
    writes: tuple[Apply, ...]
    """Updates of the flow's objects, to be flushed (CACHE-2)."""
    vector: int


def run(
    nf: NetworkFunction,
    vertex: str,
    packet: Packet,
    values: tuple[tuple[str, Any], ...],
    results: tuple[Any, ...],
    tokens: Map[str, int],
    rules: Rules,
) -> Suspended | Finished:
    """Run ``nf`` on ``packet`` as far as ``results`` reach.

    Args:
        nf: the vertex' code.
        vertex: its name, for the keys of its objects.
        packet: the packet; its vector is added to.
        values: (name, value) of each per-flow object before the packet.
        results: results of the blocking accesses of shared objects, in order.
        tokens: first token bit of each object.
        rules: how a token enters the vector (DEL-1), and which clock the NF sees (ORDER-1).

    Raises:
        ModelError: the NF accessed an object more often than it declares.

    """
    flow_values = dict(values)
    counts: dict[str, int] = {}
    accesses: list[Apply] = []
    writes: list[Apply] = []
    vector, used, answer = packet.vector, 0, None
    code = nf.process(packet.headers, packet.flow, rules.shown_clock(packet.clock))
    while True:
        try:
            access = code.send(answer)
        except StopIteration as end:
            outcome = end.value
            return Finished(
                tuple(accesses), outcome, tuple(flow_values.items()), tuple(writes), vector
            )
        declared, operation = nf.declared(access.object), access.operation
        seq = counts.get(access.object, 0)
        counts[access.object] = seq + 1
        if seq >= declared.accesses:
            raise ModelError(
                f"{nf.name}: more than {declared.accesses} accesses of {access.object!r} "
                "by one packet; raise StateObject.accesses"
            )
        key = ObjectKey(vertex, declared.name, packet.flow if declared.per_flow else access.key)
        token = 1 << (tokens[declared.name] + seq)
        if not operation.reads_only:
            vector = rules.add_token(vector, token)
        blocking = access.blocking and not declared.per_flow
        apply = Apply(UpdateId(packet.clock, packet.branch, key, seq), operation, token, blocking)
        if declared.per_flow:
            flow_values[access.object], answer = operation.apply(flow_values[access.object])
            if not operation.reads_only:
                writes.append(apply)
            continue
        accesses.append(apply)
        if not blocking:
            answer = None
        elif used < len(results):
            answer = results[used]
            used += 1
        else:
            return Suspended(tuple(accesses), used + 1)
