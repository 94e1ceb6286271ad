"""Requests: what NF instances and roots ask of the store, and what the root is told.

Paper: sections 4.3, 5 and 5.4.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.packets import Packet
from chc_ref.core.values import Address, Branch, Flow, Map, ObjectKey, UpdateId


@attrs.frozen(cache_hash=True)
class Acquire:
    """Ask for the per-flow objects of ``flow`` as they were before one packet (MOVE-3)."""

    flow: Flow
    epoch: int
    clock: int
    peek: bool = False
    """True: only read, for a packet that is replayed to another instance (DUP-3)."""
    start: int = 0
    """Number of the sender's start, by which a fenced one is told (REC-1)."""
    branch: Branch = ()


@attrs.frozen(cache_hash=True)
class Granted:
    """Answer to ``Acquire``, at once or when the old owner has gone (MOVE-4)."""

    flow: Flow
    epoch: int
    clock: int
    values: tuple[tuple[str, Any], ...]
    owned: bool
    peek: bool = False
    latest: bool = True
    """Nothing newer than ``clock`` has changed them: they may be cached from here on."""
    branch: Branch = ()
    over: bool = False
    """The packet is over and its state forgotten: drop this copy of it (DUP-2)."""


@attrs.frozen(cache_hash=True)
class Release:
    """The sender's tenure of ``flow`` is over; ``epoch`` may begin (MOVE-2)."""

    flow: Flow
    epoch: int
    start: int = 0


@attrs.frozen(cache_hash=True)
class Apply:
    """One offloaded access (STORE-3). ``token`` is what the commit signal carries (DEL-2)."""

    id: UpdateId
    operation: Any
    token: int
    blocking: bool
    emulate: bool = False
    """Only look up what the first execution returned (DUP-3)."""
    seen: tuple[Any, ...] = ()
    """(result,) when the sender has served the access from its own copy (CACHE-3, CACHE-4)."""
    register: bool = False
    """The sender keeps a copy of the object, and is to be told of every change (CACHE-3)."""
    start: int = 0


@attrs.frozen(cache_hash=True)
class Stamp:
    """A shared object as one read found it (REC-5): its value, and what was in it."""

    version: int
    """Updates of the object so far."""
    value: Any
    last: tuple[tuple[Address, UpdateId, Any], ...]
    """TS: the last update that the store executed for each instance, with its result, sorted.
    The result too: its answer may be under way when the store fails (findings)."""


@attrs.frozen(cache_hash=True)
class Result:
    """Answer to a blocking ``Apply``."""

    id: UpdateId
    value: Any
    known: bool = True
    """False: emulation found no record, the packet is somebody else's to process."""
    stamp: Stamp | None = None
    """The object behind this access, where write-ahead logs are kept (REC-5)."""
    copy: tuple[Any, ...] = ()
    """(the object's value,) for a sender that keeps a copy (CACHE-3, CACHE-4)."""


@attrs.frozen(cache_hash=True)
class Callback:
    """Another instance has changed an object that the receiver keeps a copy of (CACHE-3)."""

    object: ObjectKey
    value: Any
    stamp: Stamp | None = None


@attrs.frozen(cache_hash=True)
class LogEntry:
    """What the root knows of one logged packet."""

    packet: Packet
    share: Fraction = Fraction(0)
    """Sum of the shares that have ended; 1 when no copy is left in the chain."""
    vectors: Map[Branch, int] = Map()
    """Tokens of the induced updates, by the branch that induced them (DEL-1)."""
    signals: Map[Branch, int] = Map()
    """Tokens of the committed ones (DEL-2)."""
    ended: frozenset[Branch] = frozenset()


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
    waits: bool = True
    """An output waits for the answer, and with it the sender for ever more packets."""


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


@attrs.frozen(cache_hash=True)
class Answered:
    """The newest delete of one host on which its output may leave (REC-2).

    Known until that host's next one: a root's failover may be asked again.
    """

    host: Address
    clock: int
    branch: Branch
    start: int


@attrs.frozen(cache_hash=True)
class WriteLog:
    """Write an entry of the log to the store, or drop it there (ROOT-2, log in the store)."""

    number: int
    """Of this write, for its answer; 0 wants none."""
    clock: int
    entry: LogEntry | None
    answered: Answered | None = None


@attrs.frozen(cache_hash=True)
class Logged:
    """The store has every write up to this number."""

    number: int


@attrs.frozen(cache_hash=True)
class Inquire:
    """A new root asks a store for all that it knows of the old one (REC-3)."""

    session: int


@attrs.frozen(cache_hash=True)
class Remembered:
    """A store's answer to ``Inquire``."""

    session: int
    persisted: int
    """Newest clock count that this store was told of (ROOT-5)."""
    entries: tuple[LogEntry, ...]
    """The log, where it is kept in this store."""
    signals: tuple[Committed, ...]
    """Every update of the root's packets that this store has committed (DEL-2)."""
    answered: tuple[Answered, ...] = ()


@attrs.frozen(cache_hash=True)
class Again:
    """A new root asks for every delete that the old one has not answered."""
