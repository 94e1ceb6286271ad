"""The data plane: packets, the marks that share their channels, and what leaves the chain.

The packet and the marks share the channel they order: a mark means what it says only about what
went before it on that channel (transport assumption, see docs/decisions.md). Paper: section 5.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.values import Address, Branch, Flow


@attrs.frozen(cache_hash=True)
class Packet:
    """One packet inside the chain, with the metadata of section 5."""

    clock: int
    """Given by the root, unique and increasing (ROOT-1)."""
    flow: Flow
    """Entry flow key; it travels with the clock because NFs rewrite headers."""
    headers: Any
    """What NFs read and rewrite."""
    branch: Branch = ()
    share: Fraction = Fraction(1)
    """This copy's share of the input packet; the shares that end add up to 1 (ROOT-3)."""
    vector: int = 0
    """Tokens of the updates that this copy induced since it branched off (DEL-1)."""
    earlier: tuple[tuple[Branch, int], ...] = ()
    """(branch, vector) of what it came from. Kept apart: two copies of a packet may pass one
    vertex, and the commit of one's update says nothing of the other's (findings)."""
    epoch: int = 0
    """How often the flow had moved at the receiving vertex; > 0 is the mark "first" (MOVE-1)."""
    after: int = 0
    """Enqueue only behind the sender's vertex' mark of this epoch (MOVE-6)."""
    target: Address | None = None
    """A replayed packet carries the instance it is for (DUP-3)."""
    session: int = 0
    """Which replay this copy belongs to; 0 when it is no replay."""


@attrs.frozen(cache_hash=True)
class LastMark:
    """No packet of ``flow`` from before ``epoch`` follows on this channel (MOVE-1).

    A message of its own, not a bit of the next packet: a flow that sends no further
    packet, as in scaling down, is handed over all the same.
    """

    flow: Flow
    epoch: int


@attrs.frozen(cache_hash=True)
class Passed:
    """The old instance has sent all its output of ``flow`` from before ``epoch`` (MOVE-6)."""

    flow: Flow
    epoch: int


@attrs.frozen(cache_hash=True)
class ReplayEnd:
    """Every packet that was logged when the replay began is before this mark (CLONE-2)."""

    target: Address
    session: int
    newest: tuple[int, ...]
    """Newest clock of each root when its replay began: no older one comes but in the replay."""


@attrs.frozen(cache_hash=True)
class Leaving:
    """The receiver is not in the split any more: what it has by default it has had (MOVE-1)."""

    number: int
    """Of the scaling."""


DataItem = Packet | LastMark | Passed | ReplayEnd | Leaving


@attrs.frozen(cache_hash=True)
class Output:
    """A packet that leaves the chain."""

    clock: int
    branch: Branch
    flow: Flow
    headers: Any
    after: int = 0


@attrs.frozen(cache_hash=True)
class Alert:
    """Contextual output of a vertex (CHAIN-1)."""

    vertex: str
    clock: int
    content: Any
    branch: Branch = ()
    index: int = 0
    """Number among the alerts of one packet at one vertex: two of them are no repeat (R5)."""
