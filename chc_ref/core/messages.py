"""Everything that travels between components, and everything that a machine may ask for.

Events are facts; effects are requests that a driver carries out. The packet and the marks
share the channel they order: a mark means what it says only about what went before it on
that channel (transport assumption, see docs/decisions.md).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.packets import (
    Alert as Alert,
)
from chc_ref.core.packets import (
    DataItem as DataItem,
)
from chc_ref.core.packets import (
    LastMark as LastMark,
)
from chc_ref.core.packets import (
    Output as Output,
)
from chc_ref.core.packets import (
    Packet as Packet,
)
from chc_ref.core.packets import (
    Passed as Passed,
)
from chc_ref.core.packets import (
    ReplayEnd as ReplayEnd,
)
from chc_ref.core.values import Address, Branch, Flow, Map, ObjectKey, UpdateId

# --------------------------------------------------------------------------- store plane


@attrs.frozen(cache_hash=True)
class Acquire:
    """Ask for the per-flow objects of ``flow`` as they were before ``clock`` (MOVE-3)."""

    flow: Flow
    epoch: int
    clock: int
    peek: bool = False
    """True: only read, for a packet that is replayed to another instance (DUP-3)."""
    start: int = 0
    """Number of the sender's start, by which a fenced one is told (REC-1)."""


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


# --------------------------------------------------------------------------- root plane


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


@attrs.frozen(cache_hash=True)
class MoveRequested:
    """The operator wants a flow at another instance."""

    vertex: str
    flow: Flow
    to: Address


@attrs.frozen(cache_hash=True)
class CloneRequested:
    """The operator takes an instance for a straggler (CLONE-1)."""

    instance: Address


@attrs.frozen(cache_hash=True)
class KeepRequested:
    """The operator chooses one of the two hosts of a cloned instance (CLONE-3)."""

    host: Address


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
class Drawn:
    """Event: the next non-deterministic operation at this store draws ``value`` (STORE-9)."""

    value: Any


@attrs.frozen(cache_hash=True)
class CheckpointTimer:
    """Event: time for a store to write a checkpoint (REC-5)."""


@attrs.frozen(cache_hash=True)
class FlushTimer:
    """Event: time to flush cached operations (CACHE-2)."""
