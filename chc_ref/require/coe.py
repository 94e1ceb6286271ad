"""Chain output equivalence (COE): the physical chain beside the ideal one.

``outputs`` may be asked of any moment: nothing has left that the ideal chain would not have
let out, nothing twice, and no flow out of order. ``settled`` is asked at rest: nothing is
missing, the state is the ideal one. Allowed is what REC-2 allows: a last instance that fails
between its delete and its output takes that one packet with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from chc_ref.core.messages import Alert, Output
from chc_ref.core.values import Branch, Flow, ObjectKey
from chc_ref.require.ideal import Ideal


@attrs.frozen
class Difference:
    """The first place where physical and ideal chain differ."""

    requirement: str
    where: str
    ideal: str
    physical: str

    def __str__(self) -> str:
        return f"{self.requirement}: {self.where}: ideal {self.ideal}, physical {self.physical}"


def outputs(ideal: Ideal, left: Iterable[Output]) -> Difference | None:
    """Compare what has left so far, in order of leaving (COE, R2, R5)."""
    seen: set[tuple[int, Branch]] = set()
    newest: dict[tuple[Flow, tuple[int, ...]], int] = {}
    for output in left:
        at = (output.clock, output.branch)
        where = f"output of clock {output.clock}" + (
            f" branch {output.branch}" if output.branch else ""
        )
        expected = ideal.outputs.get(at)
        if at in seen:
            return Difference("R5", where, "leaves once", "left twice")
        if expected is None:
            return Difference("COE", where, "nothing leaves", f"{output.headers}")
        if expected.headers != output.headers:
            return Difference("COE", where, f"{expected.headers}", f"{output.headers}")
        lane = (output.flow, output.branch)
        if newest.get(lane, 0) > output.clock:
            order = f"left behind clock {newest[lane]}"
            return Difference("R2", where, f"order of flow {output.flow}", order)
        seen.add(at)
        newest[lane] = output.clock
    return None


def settled(
    ideal: Ideal,
    values: Mapping[ObjectKey, Any],
    left: Iterable[Output],
    alerts: Iterable[Alert],
    losses: int = 0,
) -> Difference | None:
    """Compare state, outputs and alerts once nothing moves any more (COE, R1, R6).

    Args:
        ideal: what the ideal chain made of the same input.
        values: the store's objects.
        left: outputs in order of leaving.
        alerts: alerts in any order.
        losses: most outputs and alerts that may be missing (REC-2).

    """
    left = tuple(left)
    difference = outputs(ideal, left) or _state(ideal.values, values)
    if difference is not None:
        return difference
    missing = sorted(ideal.outputs.keys() - {(o.clock, o.branch) for o in left})
    raised = Counter((alert.vertex, alert.content) for alert in alerts)
    expected = Counter((alert.vertex, alert.content) for alert in ideal.alerts)
    surplus = sorted((raised - expected).elements(), key=repr)
    if surplus:
        return Difference("R5", f"alert {surplus[0]}", "not raised so often", "raised")
    lost = list((expected - raised).elements())
    if len(missing) + len(lost) > losses:
        first = f"output of clock {missing[0][0]}" if missing else f"alert {lost[0]}"
        count = f"{len(missing)} outputs and {len(lost)} alerts missing, {losses} allowed"
        return Difference("COE", first, "leaves", count)
    return None


def _state(ideal: Mapping[ObjectKey, Any], physical: Mapping[ObjectKey, Any]) -> Difference | None:
    for key in sorted(ideal.keys() | physical.keys(), key=str):
        if key not in physical:
            return Difference("R1", f"object {key}", _short(ideal[key]), "absent")
        if key not in ideal:
            return Difference("COE", f"object {key}", "absent", _short(physical[key]))
        if ideal[key] != physical[key]:
            return Difference("COE", f"object {key}", _short(ideal[key]), _short(physical[key]))
    return None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:200] + " ..."
