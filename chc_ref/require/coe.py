"""Chain output equivalence (COE): what has left the physical chain beside an ideal execution.

``outputs`` may be asked of any moment: nothing has left that the ideal chain would not have let
out. The others are asked at rest. Allowed is what REC-2 allows: a last instance that fails
between its delete and its output takes that one packet with it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from chc_ref.core.messages import Alert, Output
from chc_ref.core.values import ObjectKey, root_of
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


def settled(
    ideal: Ideal,
    physical: Mapping[ObjectKey, Any],
    left: Iterable[Output],
    raised: Iterable[Alert],
    allowed: int = 0,
) -> Difference | None:
    """Give the first difference once nothing moves any more (COE).

    Args:
        ideal: what the ideal chain made of the same input.
        physical: the stores' objects.
        left: outputs in order of leaving.
        raised: alerts in any order.
        allowed: most packets that may be missing at a last vertex (REC-2).

    """
    wrong = traffic(ideal, tuple(left), tuple(raised), allowed)
    return next(itertools.chain(wrong, values(ideal.values, physical)), None)


def traffic(
    ideal: Ideal, left: tuple[Output, ...], raised: tuple[Alert, ...], allowed: int
) -> Iterator[Difference]:
    """Compare what left and what was raised; see ``settled``."""
    yield from filter(None, (left_twice(left), outputs(ideal, left), left_out_of_order(left)))
    yield from filter(None, (alerts(ideal, raised), missing(ideal, left, raised, allowed)))


def left_twice(left: Iterable[Output]) -> Difference | None:
    """R5: no output leaves the chain twice."""
    seen = set()
    for output in left:
        if (output.clock, output.branch) in seen:
            return Difference("R5", f"output of {_at(output)}", "leaves once", "left twice")
        seen.add((output.clock, output.branch))
    return None


def left_out_of_order(left: Iterable[Output]) -> Difference | None:
    """R2: the packets of a flow leave in the order of their clocks."""
    newest: dict[Any, int] = {}
    for output in left:
        lane = (output.flow, output.branch, root_of(output.clock))
        if newest.get(lane, 0) > output.clock:
            ideal = f"order of flow {output.flow}"
            return Difference("R2", f"output of {_at(output)}", ideal, f"behind {newest[lane]}")
        newest[lane] = output.clock
    return None


def outputs(ideal: Ideal, left: Iterable[Output]) -> Difference | None:
    """Compare what has left so far (COE)."""
    for output in left:
        where = f"output of {_at(output)}"
        expected = ideal.outputs.get((output.clock, output.branch))
        if expected is None:
            return Difference("COE", where, "nothing leaves", f"{output.headers}")
        if expected.headers != output.headers:
            return Difference("COE", where, f"{expected.headers}", f"{output.headers}")
    return None


def alerts(ideal: Ideal, raised: Iterable[Alert]) -> Difference | None:
    """Look for an alert that the ideal chain does not raise, or not so often (R5)."""
    surplus = _contents(raised) - _contents(ideal.alerts)
    for alert in sorted(surplus.elements(), key=repr):
        return Difference("R5", f"alert {alert}", "not raised so often", "raised")
    return None


def missing(
    ideal: Ideal, left: Iterable[Output], raised: Iterable[Alert], allowed: int
) -> Difference | None:
    """Look for what should have left and has not (COE).

    Args:
        ideal: what the ideal chain made of the same input.
        left: outputs.
        raised: alerts.
        allowed: most packets that may be missing at a last vertex, each with all that it sends
            and raises there (REC-2).

    """
    unsent = sorted(ideal.outputs.keys() - {(o.clock, o.branch) for o in left})
    packets = {(ideal.leaves[output], output[0]) for output in unsent}
    unraised, alone = _contents(ideal.alerts) - _contents(raised), []
    # Of alerts that say the same, those of packets that are missing anyway are missing first.
    for alert in sorted(ideal.alerts, key=lambda one: (one.vertex, one.clock) not in packets):
        if unraised[alert.vertex, alert.content]:
            unraised[alert.vertex, alert.content] -= 1
            if (alert.vertex, alert.clock) not in packets:
                alone.append(alert)
    if len(packets) + len(alone) <= allowed:
        return None
    first = f"output of clock {unsent[0][0]}" if unsent else f"alert {alone[0]}"
    count = f"{len(packets)} packets and {len(alone)} alerts missing, {allowed} allowed"
    return Difference("COE", first, "leaves", count)


def values(
    ideal: Mapping[ObjectKey, Any], physical: Mapping[ObjectKey, Any]
) -> Iterator[Difference]:
    """Compare the objects: none absent (R1), none too many, none of another value (COE)."""
    for key in sorted(ideal.keys() | physical.keys(), key=str):
        where = f"object {key}"
        if key not in physical:
            yield Difference("R1", where, short(ideal[key]), "absent")
        elif key not in ideal:
            yield Difference("COE", where, "absent", short(physical[key]))
        elif ideal[key] != physical[key]:
            yield Difference("COE", where, short(ideal[key]), short(physical[key]))


def short(value: Any) -> str:
    """Print a value, cut where it becomes unreadable."""
    text = str(value)
    return text if len(text) <= 200 else text[:200] + " ..."


def _contents(of: Iterable[Alert]) -> Counter[tuple[str, Any]]:
    return Counter((alert.vertex, alert.content) for alert in of)


def _at(output: Output) -> str:
    return f"clock {output.clock}" + (f" branch {output.branch}" if output.branch else "")
