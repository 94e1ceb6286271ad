"""Work: what an NF instance holds between two events.

The modes: OWN, a packet of an owned flow, on the cache; REPLAYED, a packet replayed to this
instance, on the state that belongs to its clock, leaving no cache, since packets between two
logged ones may be deleted already; EMULATED, a packet whose updates are all in the store,
because it is on its way to another instance (DUP-3) or its flow has moved on; SENT, one that a
mute clone has processed before (CLONE-3).
Paper: sections 5.1 to 5.4.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs

from chc_ref.core.client import ClientState
from chc_ref.core.messages import Delete, Packet, Passed, ReplayEnd, Send
from chc_ref.core.operations import Outcome
from chc_ref.core.queue import Item
from chc_ref.core.values import Address, Flow, Map, Past

Values = tuple[tuple[str, Any], ...]
Slot = tuple[Flow, int]
"""A flow's tenure at this instance: (flow, epoch)."""


class Mode(enum.Enum):
    """On whose state a packet is processed; see the header."""

    OWN = "own"
    REPLAYED = "replayed"
    EMULATED = "emulated"
    SENT = "sent"


class Wait(enum.Enum):
    """What the packet in work waits for."""

    PEEK = "peek"
    RESULT = "result"
    DELETE = "delete"


@attrs.frozen(cache_hash=True)
class Work:
    """The packet in work and how far it has come."""

    packet: Packet
    mode: Mode
    values: Values = ()
    results: tuple[Any, ...] = ()
    sent: int = 0
    """Accesses of shared objects sent so far; a rerun does not send them again."""
    wait: Wait | None = None
    leaving: Outcome = Outcome()
    """What leaves once the root has the delete (REC-2)."""


@attrs.frozen(cache_hash=True)
class Loaded:
    """A packet whose own state has come from the store."""

    packet: Packet
    values: Values
    owned: bool


@attrs.frozen(cache_hash=True)
class Handover:
    """Every splitter has sent the last mark: the tenure before ``epoch`` is over."""

    flow: Flow
    epoch: int


@attrs.frozen(cache_hash=True)
class Tenanted:
    """An owned flow with its cached objects."""

    epoch: int
    values: Values


@attrs.frozen(cache_hash=True)
class Emit:
    """Effect for the splitter behind this instance: send these headers on."""

    packet: Packet
    headers: tuple[Any, ...]


@attrs.frozen(cache_hash=True)
class Announce:
    """Effect for the splitter: pass this mark on."""

    mark: Passed | ReplayEnd
    again: tuple[Passed, ...] = ()
    """Marks of ours that the target of a replay may have lost."""


Effect = Send | Emit | Announce


@attrs.frozen(cache_hash=True)
class InstanceState:
    """What one NF instance holds; all of it dies with the instance."""

    client: ClientState = ClientState()
    ready: tuple[Any, ...] = ()
    """Packets whose flow has just become available, before everything in ``fifo``."""
    lane: tuple[Item, ...] = ()
    """What passes through to another instance's replay. In order, but free to fall behind:
    a replayed packet waits for the packet itself if that is still buffered here (DUP-3)."""
    fifo: tuple[Item, ...] = ()
    work: Work | None = None
    owned: Map[Flow, Tenanted] = Map()
    blocked: Map[Slot, tuple[Any, ...]] = Map()
    """Buffered packets of flows whose state is not here (MOVE-3); a key blocks its flow."""
    lasts: Map[Slot, frozenset[Address]] = Map()
    """Splitters that have sent the last mark of an epoch."""
    leaving: Map[int, frozenset[Address]] = Map()
    """Splitters that send no flow by default any more, by the number of the scaling."""
    released: Map[Flow, tuple[int, ...]] = Map()
    """Epochs that every flow was handed over for. Not just the newest: after a crash the
    mark of a later epoch may be complete again before that of an earlier one."""
    past: Past = Past()
    """Packets that are over: what still comes of them is dropped (DUP-2)."""
    mute: bool = False
    """A clone of a last instance: where two hosts send to the world, nobody orders them."""
    unsent: tuple[tuple[Work, Outcome], ...] = ()
    """Packets that it has processed, and what leaves for them once it may speak."""
    unsaid: tuple[Passed, ...] = ()
    """Marks that it gives once it may speak, behind what is unsent."""
    deletes: tuple[Delete, ...] = ()
    """Deletes without an answer; a root's failover asks for them (REC-3)."""
