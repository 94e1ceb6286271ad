# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults about what is kept: in a log, held back, set aside, on record, to repeat."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import Arrive, Leaving, Packet, Received, Recollection, ScaleKnown
from chc_ref.variants import variant


@variant(clauses=("ROOT-4",))
class OverloadForEver:
    """A root that has once dropped at the threshold drops all that comes after."""

    def step(address, event, before, after, sends):
        if not (isinstance(event, Arrive) and before.root.dropped):
            return after, sends
        root = before.root
        dropped = root.dropped.insert(len(root.dropped), len(root.log) + len(root.waiting))
        root = attrs.evolve(root, dropped=dropped)
        return attrs.evolve(before, root=root), []


@variant(clauses=("MOVE-6",))
class MarksOfAnyVertex:
    """The sink remembers the marks of a flow, and not which vertex they speak of."""

    def step(address, event, before, after, sends):
        if address != "sink" or not after.queue.held:
            return after, sends
        marks = {}
        for (_, flow), passed in after.queue.passed.items():
            marks[flow] = marks.get(flow, frozenset()) | passed
        freed, held = [], []
        for item in after.queue.held:
            of_flow = marks.get(item[1].flow, frozenset())
            waits = any(n not in of_flow for n in range(1, item[1].after + 1))
            (held if waits else freed).append(item)
        outputs = [message for _, message in sorted(freed, key=lambda item: item[1].after)]
        queue = attrs.evolve(after.queue, held=tuple(held))
        return attrs.evolve(after, queue=queue, outputs=(*after.outputs, *outputs)), sends


@variant(clauses=("REC-1", "MOVE-1"))
class MarksFirstAfterRecovery:
    """Of what has come during a failover's replay, marks are taken before packets."""

    def step(address, event, before, after, sends):
        if "." not in address or not after.queue.recovering:
            return after, sends
        aside = tuple(sorted(after.queue.aside, key=lambda item: isinstance(item[1], Packet)))
        return attrs.evolve(after, queue=attrs.evolve(after.queue, aside=aside)), sends


@variant(clauses=("REC-5", "DUP-2"))
class RerunsLeaveNoRecord:
    """A store's failover re-executes what the logs have, and keeps no record of it."""

    def step(address, event, before, after, sends):
        if not getattr(before, "asked", None) or after.asked or not hasattr(after, "recalled"):
            return after, sends
        recalled = [one for _, one in before.recalled.items()]
        if isinstance(event, Received) and isinstance(event.message, Recollection):
            recalled.append(event.message)
        records = after.memory.records
        for update in {i.access.id for one in recalled for i in one.issued}:
            if update not in before.checkpoint.records:
                records = records.discard(update)
        memory = attrs.evolve(after.memory, records=records)
        checkpoint = attrs.evolve(after.checkpoint, records=records)
        return attrs.evolve(after, memory=memory, checkpoint=checkpoint), sends


@variant(clauses=("CHAIN-3", "REC-1"))
class LeavingNotRepeated:
    """A failover's splitter repeats last marks, and not that it leaves an instance out."""

    def step(address, event, before, after, sends):
        if any(isinstance(send.message, ScaleKnown) for send in sends):
            return after, sends
        return after, [send for send in sends if not isinstance(send.message, Leaving)]
