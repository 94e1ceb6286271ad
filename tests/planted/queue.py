# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of queues: repeats, downstream order and the ends of replays."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Received,
    Start,
)
from chc_ref.variants import variant


@variant(clauses=("MOVE-6",))
class WaitsForOneMarkLess:
    """Output waits for the marks of all tenures before its own but the last."""

    def held_back(after, passed):
        return any(epoch not in passed for epoch in range(1, after))


@variant(clauses=("REC-1",))
class DropsOneTooMany:
    """The first new packet behind a replay is taken for one that was in it."""

    def was_replayed(clock, newest):
        return clock <= newest + 1


@variant(clauses=("CLONE-2",))
class CloneReleasesEarly:
    """What a clone was to keep until its replay is done, it processes at once."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Start()) if address.endswith("'"):
                return attrs.evolve(after, queue=attrs.evolve(after.queue, recovering=False)), sends
        return after, sends


@variant(clauses=("DUP-1",))
class HighWaterMark:
    """A packet is a repeat when one of its branch and replay with no lower clock was queued."""

    def seen_before(seen, key):
        return any(other[0] >= key[0] and other[1:] == key[1:] for other in seen)


@variant(clauses=("MOVE-6",))
class FirstMarkOnly:
    """Output of a moved flow waits for the mark of its first tenure."""

    def held_back(after, passed):
        return after > 0 and 1 not in passed


@variant(clauses=("DUP-3", "MOVE-6"))
class LateFromTheSecond:
    """A replayed packet of a flow that has moved once does not wait for the end of its replay."""

    def late_in_replay(after):
        return after > 1


@variant(clauses=("DUP-3",))
class BrokenReplayOneOff:
    """A replay that began right before an instance could see it whole may pass."""

    def is_broken_replay(session, valid):
        return session < valid - 1


@variant(clauses=("CLONE-2",))
class MajorityOfEnds:
    """A replay ends when its mark has come from most splitters above."""

    def replay_ended(heard, upstream):
        return len(heard) * 2 > len(upstream)


@variant(clauses=("MOVE-2", "MOVE-6"))
class MarksOvertake:
    """A last mark goes before packets that are held back."""

    def mark_waits(mark, held):
        return False
