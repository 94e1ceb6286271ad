"""The rules that a protocol variant may change: a table of them, each with its amended form.

A machine is given one ``Rules`` value. ``AMENDED`` is what we hold to be right; a variant is
``evolve(AMENDED, name=..., one_rule=...)``. Nothing else in the core knows of variants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core import amended
from chc_ref.core.messages import Send, Stamp
from chc_ref.core.values import Address, Branch


@attrs.frozen
class Rules:
    """One protocol: a name and a choice for each rule that can be varied."""

    name: str = "amended"
    recorded: Callable[..., bool] = amended.recorded
    is_over: Callable[..., bool] = amended.is_over
    seen_before: Callable[..., bool] = amended.seen_before
    add_token: Callable[..., int] = amended.add_token
    settled: Callable[..., bool] = amended.settled
    leaves: Callable[..., bool] = amended.leaves
    next_count: Callable[..., int] = amended.next_count
    logs_first: Callable[..., bool] = amended.logs_first
    clock_after: Callable[..., int] = amended.clock_after
    shown_clock: Callable[..., int] = amended.shown_clock
    drops_input: Callable[..., bool] = amended.drops_input
    waits_for_clock: Callable[..., bool] = amended.waits_for_clock
    is_first_delete: Callable[..., bool] = amended.is_first_delete
    all_ended: Callable[..., bool] = amended.all_ended
    is_replayed: Callable[..., bool] = amended.is_replayed
    replay_place: Callable[..., int] = amended.replay_place
    forwards_again: Callable[..., bool] = amended.forwards_again
    newest_past: Callable[..., int] = amended.newest_past
    marks_last: Callable[..., bool] = amended.marks_last
    marks_at_once: Callable[..., bool] = amended.marks_at_once
    asks_for_route: Callable[..., bool] = amended.asks_for_route
    repeats_marks: Callable[..., bool] = amended.repeats_marks
    tenure_at: Callable[..., int] = amended.tenure_at
    may_begin: Callable[..., bool] = amended.may_begin
    asks_where_it_begins: Callable[..., bool] = amended.asks_where_it_begins
    is_replayed_to: Callable[..., bool] = amended.is_replayed_to
    receivers: Callable[..., tuple[Address, ...]] = amended.receivers
    branch_of: Callable[..., Branch] = amended.branch_of
    may_move: Callable[..., bool] = amended.may_move
    begin_waits: Callable[..., bool] = amended.begin_waits
    begins_at: Callable[..., int] = amended.begins_at
    gives_caches_up: Callable[..., bool] = amended.gives_caches_up
    replays_at: Callable[..., bool] = amended.replays_at
    fences_first: Callable[..., bool] = amended.fences_first
    stays_mute: Callable[..., bool] = amended.stays_mute
    marks_stay_mute: Callable[..., bool] = amended.marks_stay_mute
    ends_move: Callable[..., bool] = amended.ends_move
    waits_for_owner: Callable[..., bool] = amended.waits_for_owner
    release_waits: Callable[..., bool] = amended.release_waits
    may_update: Callable[..., bool] = amended.may_update
    still_owns: Callable[..., bool] = amended.still_owns
    buffered: Callable[..., tuple[Any, ...]] = amended.buffered
    all_marked: Callable[..., bool] = amended.all_marked
    finishes_first: Callable[..., bool] = amended.finishes_first
    held_back: Callable[..., bool] = amended.held_back
    mark_waits: Callable[..., bool] = amended.mark_waits
    late_in_replay: Callable[..., bool] = amended.late_in_replay
    freed_first: Callable[..., int] = amended.freed_first
    announces: Callable[..., bool] = amended.announces
    sets_aside: Callable[..., bool] = amended.sets_aside
    was_replayed: Callable[..., bool] = amended.was_replayed
    replay_ended: Callable[..., bool] = amended.replay_ended
    is_broken_replay: Callable[..., bool] = amended.is_broken_replay
    emulates: Callable[..., bool] = amended.emulates
    clears_target: Callable[..., bool] = amended.clears_target
    sees: Callable[..., bool] = amended.sees
    keeps_cache: Callable[..., bool] = amended.keeps_cache
    flushes_at_once: Callable[..., bool] = amended.flushes_at_once
    flushes_before_release: Callable[..., bool] = amended.flushes_before_release
    commits_first: Callable[..., bool] = amended.commits_first
    awaits_delete: Callable[..., bool] = amended.awaits_delete
    signals_early: Callable[..., bool] = amended.signals_early
    caches_alone: Callable[..., bool] = amended.caches_alone
    calls_back: Callable[..., bool] = amended.calls_back
    drops_copy: Callable[..., bool] = amended.drops_copy
    is_void: Callable[..., bool] = amended.is_void
    checkpoints_at_fence: Callable[..., bool] = amended.checkpoints_at_fence
    is_logged_ahead: Callable[..., bool] = amended.is_logged_ahead
    rebuilds_from_logs: Callable[..., bool] = amended.rebuilds_from_logs
    reveals: Callable[..., bool] = amended.reveals
    most_recent: Callable[..., Stamp] = amended.most_recent
    step: Callable[..., tuple[Any, list[Send]]] = amended.step


AMENDED = Rules()
