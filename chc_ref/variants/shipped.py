"""Shipped variants: each a small, named change of rules, and why one would ask.

``amended`` is the protocol as we hold it to be right. An ablation drops one rule; the check
that catches it is the model ``ablation_NAME`` in ``models/``. More of them are in ``ablations``.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.amended import Logs
from chc_ref.core.messages import Stamp
from chc_ref.core.rules import AMENDED
from chc_ref.variants.ablations import ABLATIONS
from chc_ref.variants.form import Variant, ablation


def _by_clock(stamps: tuple[Stamp, ...], logs: Logs) -> Stamp:
    """REC-6 as written: drop every TS that lacks the latest clock of some log."""
    left = {stamp: {update.clock for _, update, _ in stamp.last} for stamp in stamps}
    for log in logs:
        known = set().union(*left.values())
        latest = next((update.clock for update in reversed(log) if update.clock in known), None)
        if latest is not None:
            left = {stamp: clocks for stamp, clocks in left.items() if latest in clocks}
    return next(iter(left), stamps[0])


_AS_WRITTEN: dict[str, Any] = {
    "add_token": lambda vector, token: vector ^ token,
    "settled": lambda vector, signals: vector ^ signals == 0,
    "leaves": lambda first: True,
    "held_back": lambda after, passed: after > max(passed, default=0),
    "late_in_replay": lambda after: False,
    "freed_first": lambda after: 0,
    "commits_first": lambda pending: False,
    "rebuilds_from_logs": lambda records: False,
    "reveals": lambda reads_only: reads_only,
    "most_recent": _by_clock,
}

_VARIANTS = (
    Variant(
        attrs.evolve(AMENDED, name="paper", **_AS_WRITTEN),
        "Every rule that can be varied as the paper has it; docs/findings.md tells the rest.",
        ("DEL-1", "DEL-3", "REC-2", "REC-4", "REC-5", "REC-6", "MOVE-6", "CACHE-3", "CACHE-4"),
    ),
    Variant(AMENDED, "The protocol with the amendments of docs/findings.md.", ()),
    ablation(
        "no_update_suppression",
        "The store applies a repeated update again.",
        ("DUP-2",),
        recorded=lambda records, update: False,
    ),
    ablation(
        "no_queue_suppression",
        "A downstream queue lets every copy of a packet in.",
        ("DUP-1",),
        seen_before=lambda seen, key: False,
    ),
    ablation(
        "scales_at_once",
        "A scaling sends flows to their new instance without asking where they are.",
        ("CHAIN-3", "MOVE-5"),
        asks_for_route=lambda changed: False,
    ),
    ablation(
        "no_last_mark",
        "The splitter does not tell the old instance that a flow has moved.",
        ("MOVE-1",),
        marks_last=lambda epoch: False,
    ),
    ablation(
        "no_wait_for_owner",
        "The new instance takes a flow's state while the old one still has it.",
        ("MOVE-3", "MOVE-4"),
        waits_for_owner=lambda asked, current: False,
    ),
    ablation(
        "no_flush_before_release",
        "The old instance gives a flow up with operations still in its cache.",
        ("MOVE-2",),
        flushes_before_release=lambda pending: False,
    ),
    ablation(
        "no_downstream_order",
        "The new instance's output does not wait for the old one's.",
        ("MOVE-6",),
        held_back=lambda after, passed: False,
    ),
    ablation(
        "newest_mark_only",
        "Output waits for the newest mark of its flow, whichever instance sent it.",
        ("MOVE-6",),
        held_back=lambda after, passed: after > max(passed, default=0),
    ),
    ablation(
        "freed_in_order_of_coming",
        "Held output is freed in the order in which it came, not in that of its tenures.",
        ("MOVE-6",),
        freed_first=lambda after: 0,
    ),
    ablation(
        "replay_overtakes",
        "A replayed packet of a moved flow does not wait for those of earlier tenures.",
        ("DUP-3", "MOVE-6"),
        late_in_replay=lambda after: False,
    ),
    ablation(
        "delete_at_once",
        "The root deletes without waiting for the commit signals.",
        ("DEL-3",),
        settled=lambda vector, signals: True,
    ),
    ablation(
        "output_on_any_delete",
        "An output leaves whenever its delete is confirmed, the second time too.",
        ("REC-2",),
        leaves=lambda first: True,
    ),
    ablation(
        "forwards_before_logged",
        "A packet leaves the root, and a delete is answered, before the store has the log.",
        ("ROOT-2", "REC-7"),
        logs_first=lambda write: False,
    ),
    ablation(
        "forgets_all_on_delete",
        "What a packet did is forgotten when it is deleted, and so is that it was.",
        ("DUP-2",),
        is_over=lambda past: False,
    ),
    ablation(
        "outputs_before_commits",
        "What was computed from a copy leaves before the store knows what was read.",
        ("CACHE-3", "CACHE-4"),
        commits_first=lambda pending: False,
    ),
    ablation(
        "per_flow_from_caches",
        "A store's failover takes per-flow objects from the instances' caches alone.",
        ("REC-4",),
        rebuilds_from_logs=lambda records: False,
    ),
    ablation(
        "updates_reveal_nothing",
        "The result of an update is no read: it does not fix the order of what came before.",
        ("REC-5",),
        reveals=lambda reads_only: reads_only,
    ),
    ablation(
        "recent_by_clock",
        "The most recent read is found by the clocks in each TS.",
        ("REC-6",),
        harmless="it takes two operations of one packet on one shared object to tell them apart, "
        "and these break COE by themselves (findings 24 and 28)",
        most_recent=_by_clock,
    ),
    ablation(
        "continues_at_persisted",
        "A root's failover continues right above the persisted clock.",
        ("ROOT-5",),
        next_count=lambda persisted, every: persisted + 1,
    ),
)

SHIPPED: dict[str, Variant] = {one.name: one for one in (*_VARIANTS, *ABLATIONS)}
