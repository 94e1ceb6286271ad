"""The control plane: what the manager tells the components and is told, and failovers.

Paper: sections 3, 5.1, 5.3 and 5.4.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.requests import Apply, Stamp
from chc_ref.core.values import Address, Flow, ObjectKey, UpdateId


@attrs.frozen(cache_hash=True)
class Move:
    """From ``epoch`` on, ``flow`` goes to ``to`` at ``vertex``."""

    vertex: str
    flow: Flow
    epoch: int
    to: Address
    since: int | None = None
    """First clock that goes to ``to``, once a splitter has had such a packet."""
    behind: int = 0
    """How often the flow had moved at the receiver's own vertex: what it sends of earlier tenures
    belongs to the tenure before."""


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
class Scale:
    """From now on ``vertex`` is split among these instances, for flows that it has not had."""

    vertex: str
    number: int
    instances: tuple[Address, ...]
    by: str = ""
    """Name of the scope that it is split by; empty for the whole flow (SPLIT-2)."""


@attrs.frozen(cache_hash=True)
class ScaleKnown:
    """The sender sends no flow to an instance by a split before this one."""

    scale: Scale


@attrs.frozen(cache_hash=True)
class Unrouted:
    """A splitter holds a packet of a flow that a scaling gives to another instance."""

    vertex: str
    flow: Flow
    start: int


@attrs.frozen(cache_hash=True)
class Route:
    """The first tenure of ``flow`` is at ``to``, for ever."""

    vertex: str
    flow: Flow
    to: Address


@attrs.frozen(cache_hash=True)
class Holds:
    """All flows that an instance has when no more come by default, as its store knows them."""

    instance: Address
    number: int
    """Of the scaling."""
    start: int = 0
    flows: tuple[Flow, ...] = ()
    """Filled in by the store."""


@attrs.frozen(cache_hash=True)
class Poll:
    """The vertex manager asks for statistics (CHAIN-3)."""

    number: int


@attrs.frozen(cache_hash=True)
class Load:
    """What one host has taken in, and how much of it waits (CHAIN-3)."""

    host: Address
    number: int
    packets: int
    """Let in since it began."""
    waiting: int
    """Of these, not in work yet."""


@attrs.frozen(cache_hash=True)
class Hosts:
    """Where an instance runs from now on: on two hosts while it is cloned (CLONE-1)."""

    instance: Address
    hosts: tuple[Address, ...]


@attrs.frozen(cache_hash=True)
class HostsKnown:
    """The sender sends to these hosts, and to no others (CLONE-1)."""

    hosts: Hosts


@attrs.frozen(cache_hash=True)
class Cache:
    """What the receiver may serve from its own copies of shared objects from now on."""

    alone: bool
    """The split gives every key to one instance alone (CACHE-4)."""
    copies: bool = True
    """It may read its copies (CACHE-3): not while it is cloned, as the clone has its own."""


@attrs.frozen(cache_hash=True)
class CacheKnown:
    """The sender serves nothing else from its copies any more (CACHE-4)."""

    cache: Cache


@attrs.frozen(cache_hash=True)
class Drain:
    """The receiver is to say by way of its store when all that it has sent there is done."""

    number: int
    """Of this request: an answer to an earlier one says nothing of what came since."""


@attrs.frozen(cache_hash=True)
class Drained:
    """All that ``host`` had sent to the store before ``Drain`` is done (CACHE-4)."""

    host: Address
    number: int


@attrs.frozen(cache_hash=True)
class Stop:
    """Let nothing more come of this host, but what its last delete promised (CLONE-3)."""


@attrs.frozen(cache_hash=True)
class Over:
    """No output of this host is under way any more: the sink says so of ``host`` (CLONE-3)."""

    host: Address


@attrs.frozen(cache_hash=True)
class Speak:
    """The receiver, a clone of a last instance, is the one whose output leaves now (CLONE-3)."""


@attrs.frozen(cache_hash=True)
class Fence:
    """What ``address`` sent before this start is void from now on (REC-1)."""

    address: Address
    start: int


@attrs.frozen(cache_hash=True)
class Fenced:
    """The store has taken the fence, and has what came before it in a checkpoint."""

    address: Address
    start: int


@attrs.frozen(cache_hash=True)
class Ask:
    """Another user of the store is there now, and can be asked (REC-5)."""

    user: Address


@attrs.frozen(cache_hash=True)
class Recall:
    """A store's failover asks for what its user remembers (REC-4, REC-5)."""

    session: int


@attrs.frozen(cache_hash=True)
class Issued:
    """One access in an instance's write-ahead log."""

    access: Apply
    result: tuple[Any, ...] = ()
    """(result,) once it has come."""


@attrs.frozen(cache_hash=True)
class Recollection:
    """What one user remembers of the store that failed."""

    session: int
    owned: tuple[tuple[Flow, int, tuple[tuple[str, Any], ...]], ...] = ()
    """(flow, epoch, cached values) of every flow that it may update (REC-4)."""
    issued: tuple[Issued, ...] = ()
    """Its write-ahead log, in order (REC-5)."""
    reads: tuple[tuple[ObjectKey, Stamp], ...] = ()
    """The newest read of each shared object (REC-5)."""
    again: tuple[Any, ...] = ()
    """Whatever it asked or wrote without an answer. In here, and not behind: were the user to
    fail now, the store would have recovered without it."""


@attrs.frozen(cache_hash=True)
class Forget:
    """Packets of this root from ``first`` to ``last`` are over (DEL-3): forget them (DUP-2)."""

    first: int
    last: int


@attrs.frozen(cache_hash=True)
class Checkpointed:
    """The receiver's accesses up to this one are in a checkpoint: its log may forget them."""

    last: UpdateId
    start: int = 0
    """Number of the start that made it: its failover's log is another one."""


@attrs.frozen(cache_hash=True)
class Start:
    """Begin as the failover or the clone of an instance (REC-1, CLONE-1)."""

    moves: tuple[Move, ...]
    """The moves so far, for the splitter."""
    session: int
    """Number of this start; the replay for it will have a higher one."""
    hosts: tuple[Hosts, ...] = ()
    """Instances below that do not run on their own host alone."""
    ask: tuple[Address, ...] = ()
    """A store's failover: who has used it, and is there to be asked (REC-5)."""
    cache: Cache = Cache(True)
    scales: tuple[Scale, ...] = ()
    """The newest split of each vertex below that was scaled."""
    routes: tuple[Route, ...] = ()
    mute: bool = False
    """The clone of a last instance lets no output leave before it is told to (CLONE-3)."""


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
