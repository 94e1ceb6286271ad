"""Shipped variants: each a small, named change of rules, and why one would ask.

``amended`` is the protocol as we hold it to be right. An ablation drops one rule; the check
that catches it is a model in ``models/`` with that rule's name.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.rules import AMENDED, Rules


@attrs.frozen
class Variant:
    """A protocol variant."""

    rules: Rules
    about: str
    clauses: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name that a user asks for it by."""
        return self.rules.name


def _ablation(name: str, about: str, clauses: tuple[str, ...], **changes: Any) -> Variant:
    return Variant(attrs.evolve(AMENDED, name=name, **changes), about, clauses)


_VARIANTS = (
    Variant(AMENDED, "The protocol with the amendments of docs/findings.md.", ()),
    _ablation(
        "no_update_suppression",
        "The store applies a repeated update again.",
        ("DUP-2",),
        recorded=lambda records, update: False,
    ),
    _ablation(
        "no_queue_suppression",
        "A downstream queue lets every copy of a packet in.",
        ("DUP-1",),
        seen_before=lambda seen, key: False,
    ),
    _ablation(
        "no_last_mark",
        "The splitter does not tell the old instance that a flow has moved.",
        ("MOVE-1",),
        marks_last=lambda epoch: False,
    ),
    _ablation(
        "no_wait_for_owner",
        "The new instance takes a flow's state while the old one still has it.",
        ("MOVE-3", "MOVE-4"),
        waits_for_owner=lambda asked, current: False,
    ),
    _ablation(
        "no_flush_before_release",
        "The old instance gives a flow up with operations still in its cache.",
        ("MOVE-2",),
        flushes_before_release=lambda pending: False,
    ),
    _ablation(
        "no_downstream_order",
        "The new instance's output does not wait for the old one's.",
        ("MOVE-6",),
        held_back=lambda after, passed: False,
    ),
    _ablation(
        "newest_mark_only",
        "Output waits for the newest mark of its flow, whichever instance sent it.",
        ("MOVE-6",),
        held_back=lambda after, passed: after > max(passed, default=0),
    ),
    _ablation(
        "freed_in_order_of_coming",
        "Held output is freed in the order in which it came, not in that of its tenures.",
        ("MOVE-6",),
        freed_first=lambda after: 0,
    ),
    _ablation(
        "replay_overtakes",
        "A replayed packet of a moved flow does not wait for those of earlier tenures.",
        ("DUP-3", "MOVE-6"),
        late_in_replay=lambda after: False,
    ),
    _ablation(
        "delete_at_once",
        "The root deletes without waiting for the commit signals.",
        ("DEL-3",),
        settled=lambda vector, signals: True,
    ),
    _ablation(
        "output_on_any_delete",
        "An output leaves whenever its delete is confirmed, the second time too.",
        ("REC-2",),
        leaves=lambda first: True,
    ),
)

SHIPPED: dict[str, Variant] = {variant.name: variant for variant in _VARIANTS}
