"""Everything that travels between components, and everything that a machine may ask for.

Events are facts; effects are requests that a driver carries out. The packet and the marks
share the channel they order: a mark means what it says only about what went before it on
that channel (transport assumption, see docs/decisions.md).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.values import Address, Branch, Flow, UpdateId

# --------------------------------------------------------------------------- data plane


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
    newest: int
    """Newest clock when the replay began: no older one comes but in the replay."""


DataItem = Packet | LastMark | Passed | ReplayEnd


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


# --------------------------------------------------------------------------- store plane


@attrs.frozen(cache_hash=True)
class Acquire:
    """Ask for the per-flow objects of ``flow`` as they were before ``clock`` (MOVE-3)."""

    flow: Flow
    epoch: int
    clock: int
    peek: bool = False
    """True: only read, for a packet that is replayed to another instance (DUP-3)."""


@attrs.frozen(cache_hash=True)
class Granted:
    """Answer to ``Acquire``, at once or when the old owner has gone (MOVE-4)."""

    flow: Flow
    epoch: int
    clock: int
    values: tuple[tuple[str, Any], ...]
    owned: bool
    peek: bool = False


@attrs.frozen(cache_hash=True)
class Release:
    """The sender's tenure of ``flow`` is over; ``epoch`` may begin (MOVE-2)."""

    flow: Flow
    epoch: int


@attrs.frozen(cache_hash=True)
class Apply:
    """One offloaded access (STORE-3). ``token`` is what the commit signal carries (DEL-2)."""

    id: UpdateId
    operation: Any
    token: int
    blocking: bool
    emulate: bool = False
    """Only look up what the first execution returned (DUP-3)."""


@attrs.frozen(cache_hash=True)
class Result:
    """Answer to a blocking ``Apply``."""

    id: UpdateId
    value: Any
    known: bool = True
    """False: emulation found no record, the packet is somebody else's to process."""


# --------------------------------------------------------------------------- root plane


@attrs.frozen(cache_hash=True)
class Arrive:
    """An input packet, before it has a clock."""

    flow: Flow
    headers: Any


@attrs.frozen(cache_hash=True)
class Delete:
    """One branch of a packet has ended (ROOT-3), with its vector (DEL-1)."""

    clock: int
    branch: Branch
    share: Fraction
    vectors: tuple[tuple[Branch, int], ...]
    """(branch, vector) of this branch and of those it came from."""
    start: int
    """Number of the sender's start; the answer carries it, and another start ignores it."""


@attrs.frozen(cache_hash=True)
class Deleted:
    """The root has the delete of this branch (REC-2)."""

    clock: int
    branch: Branch
    first: bool
    """No delete of it came before: the sender, and nobody else, lets the output leave."""
    start: int


@attrs.frozen(cache_hash=True)
class Committed:
    """The store committed an update of this clock (DEL-2)."""

    clock: int
    branch: Branch
    token: int


@attrs.frozen(cache_hash=True)
class PersistClock:
    """Write the root's clock to the store (ROOT-5)."""

    count: int


@attrs.frozen(cache_hash=True)
class ClockPersisted:
    """The store holds this clock (ROOT-5)."""

    count: int


# --------------------------------------------------------------------------- control plane


@attrs.frozen(cache_hash=True)
class Move:
    """From ``epoch`` on, ``flow`` goes to ``to`` at ``vertex``."""

    vertex: str
    flow: Flow
    epoch: int
    to: Address
    since: int | None = None
    """First clock that goes to ``to``, once a splitter has had such a packet."""


@attrs.frozen(cache_hash=True)
class Begin:
    """A splitter holds the first packet of ``flow`` after its move, and the packets behind it."""

    vertex: str
    flow: Flow
    epoch: int
    clock: int
    start: int
    """Number of the sender's start: what a dead splitter held it never sent."""


@attrs.frozen(cache_hash=True)
class Since:
    """``epoch`` of ``flow`` begins with ``clock`` at every splitter of one vertex, for ever."""

    vertex: str
    flow: Flow
    epoch: int
    clock: int


@attrs.frozen(cache_hash=True)
class Start:
    """Begin as the failover of this address, with the moves so far (REC-1)."""

    moves: tuple[Move, ...]
    session: int
    """Number of this start; the replay for it will have a higher one."""


@attrs.frozen(cache_hash=True)
class Ready:
    """A failover instance runs and waits for its replay."""

    session: int
    """Of its start: an earlier incarnation may have said so too, and died since."""


@attrs.frozen(cache_hash=True)
class Replay:
    """Send every logged packet again, for ``target`` (CLONE-2, REC-1)."""

    target: Address
    session: int


@attrs.frozen(cache_hash=True)
class Recovered:
    """The replay of ``session`` has been taken in."""

    session: int


@attrs.frozen(cache_hash=True)
class HandedOver:
    """The old instance has given ``flow`` up for ``epoch``: that move is over."""

    flow: Flow
    epoch: int


@attrs.frozen(cache_hash=True)
class MoveRequested:
    """The operator wants a flow at another instance."""

    vertex: str
    flow: Flow
    to: Address


@attrs.frozen(cache_hash=True)
class Failed:
    """Fail-stop detection told the manager that ``address`` is gone (REC-0)."""

    address: Address


@attrs.frozen(cache_hash=True)
class Crashed:
    """This component has just failed: all that it held is lost."""


# --------------------------------------------------------------------------- effects


@attrs.frozen(cache_hash=True)
class Send:
    """Put ``message`` on the channel to ``to``."""

    to: Address
    message: Any


@attrs.frozen(cache_hash=True)
class Received:
    """Event: ``message`` came from ``source``."""

    source: Address
    message: Any


@attrs.frozen(cache_hash=True)
class FlushTimer:
    """Event: time to flush cached operations (CACHE-2)."""
