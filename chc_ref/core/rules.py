"""The rules that a protocol variant may change, one named function each.

A machine is given one ``Rules`` value. ``AMENDED`` is what we hold to be right; a variant is
``evolve(AMENDED, name=..., one_rule=...)``. Nothing else in the core knows of variants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.messages import Stamp
from chc_ref.core.values import Map, UpdateId


def recorded(records: Map[UpdateId, object], update: UpdateId) -> bool:
    """DUP-2: an access is a repeat when this very access is on record."""
    return update in records


def is_over(past: bool) -> bool:
    """DUP-2 amended: what a packet did is forgotten when it is over, but not that it is over.

    A copy of it may still be under way, from a replay that began before.
    """
    return past


def seen_before(seen: Map[Any, bool], key: Any) -> bool:
    """DUP-1: a packet is a repeat when its (clock, branch, replay) was queued before."""
    return key in seen


def add_token(vector: int, token: int) -> int:
    """DEL-1 amended: tokens are single bits, so the vector is a set and nothing cancels."""
    return vector | token


def settled(vector: int, signals: int) -> bool:
    """DEL-3 amended: every update that the packet induced has been committed."""
    return vector & ~signals == 0


def leaves(first: bool) -> bool:
    """REC-2 amended: the output leaves only for the first delete of its branch.

    A packet may be replayed before its delete arrives, and then be processed once more by
    another instance than the first time.
    """
    return first


def next_count(persisted: int, every: int) -> int:
    """ROOT-5: a recovered root continues ``every`` above the last persisted count."""
    return persisted + every


def logs_first(write: int) -> bool:
    """ROOT-2, log in the store: nothing goes out before the store has what the log says of it."""
    return write > 0


def marks_last(epoch: int) -> bool:
    """MOVE-1: the splitter tells the old instance that a flow has moved away."""
    return epoch > 0


def asks_for_route(changed: bool) -> bool:
    """MOVE-5, CHAIN-3: a flow that a scaling gives to another instance may be at the old one."""
    return changed


def waits_for_owner(asked: int, current: int) -> bool:
    """MOVE-3: a request from a later epoch waits until the earlier tenures are over."""
    return asked > current


def held_back(after: int, passed: frozenset[int]) -> bool:
    """MOVE-6: output of an instance waits for the marks of all that had the flow before."""
    return any(epoch not in passed for epoch in range(1, after + 1))


def late_in_replay(after: int) -> bool:
    """DUP-3, MOVE-6: a replayed packet of a moved flow waits for the end of its replay."""
    return after > 0


def freed_first(after: int) -> int:
    """MOVE-6: of the held packets that one mark frees, those of earlier tenures go first."""
    return after


def flushes_before_release(pending: int) -> bool:
    """MOVE-2: cached operations are flushed before the instance's ID leaves the object."""
    return pending > 0


def commits_first(pending: int) -> bool:
    """CACHE-3, CACHE-4 amended: no output before the store has what it was computed from.

    Else a failover, or a clone, may read otherwise, and go on as if the output had not left.
    """
    return pending > 0


def rebuilds_from_logs(records: int) -> bool:
    """REC-4 amended: per-flow objects come from checkpoint and logs, in clock order.

    What is in no cache, because a flow is between two instances, or because its instance has
    just been replaced, is in them; and so are the records that a later replay needs.
    """
    return records >= 0


def reveals(reads_only: bool) -> bool:
    """REC-5 amended: whatever returns a result has read; a pop tells the order as a get does."""
    return True


Logs = tuple[tuple[UpdateId, ...], ...]
"""Updates of one object, as each instance has logged them."""


def most_recent(stamps: tuple[Stamp, ...], logs: Logs) -> Stamp:
    """REC-6 amended: of all reads of an object, take that of its newest version."""
    return max(stamps, key=lambda stamp: stamp.version)


@attrs.frozen
class Rules:
    """One protocol: a name and a choice for each rule that can be varied."""

    name: str = "amended"
    recorded: Callable[[Map[UpdateId, object], UpdateId], bool] = recorded
    is_over: Callable[[bool], bool] = is_over
    seen_before: Callable[[Map[Any, bool], Any], bool] = seen_before
    add_token: Callable[[int, int], int] = add_token
    settled: Callable[[int, int], bool] = settled
    leaves: Callable[[bool], bool] = leaves
    next_count: Callable[[int, int], int] = next_count
    logs_first: Callable[[int], bool] = logs_first
    marks_last: Callable[[int], bool] = marks_last
    asks_for_route: Callable[[bool], bool] = asks_for_route
    waits_for_owner: Callable[[int, int], bool] = waits_for_owner
    held_back: Callable[[int, frozenset[int]], bool] = held_back
    late_in_replay: Callable[[int], bool] = late_in_replay
    freed_first: Callable[[int], int] = freed_first
    flushes_before_release: Callable[[int], bool] = flushes_before_release
    commits_first: Callable[[int], bool] = commits_first
    rebuilds_from_logs: Callable[[int], bool] = rebuilds_from_logs
    reveals: Callable[[bool], bool] = reveals
    most_recent: Callable[[tuple[Stamp, ...], tuple[tuple[UpdateId, ...], ...]], Stamp] = (
        most_recent
    )


AMENDED = Rules()
