"""Everything that travels between components, and everything that a machine may ask for.

Events are facts; effects are requests that a driver carries out. The classes are listed by plane:
``packets``, ``requests`` and ``control``; what only drivers handle is here.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.control import (
    Ask as Ask,
    Begin as Begin,
    Cache as Cache,
    CacheKnown as CacheKnown,
    Checkpointed as Checkpointed,
    Drain as Drain,
    Drained as Drained,
    Fence as Fence,
    Fenced as Fenced,
    Forget as Forget,
    HandedOver as HandedOver,
    Holds as Holds,
    Hosts as Hosts,
    HostsKnown as HostsKnown,
    Issued as Issued,
    Load as Load,
    Move as Move,
    Over as Over,
    Poll as Poll,
    Ready as Ready,
    Recall as Recall,
    Recollection as Recollection,
    Recovered as Recovered,
    Replay as Replay,
    Route as Route,
    Scale as Scale,
    ScaleKnown as ScaleKnown,
    Since as Since,
    Speak as Speak,
    Start as Start,
    Stop as Stop,
    Unrouted as Unrouted,
)
from chc_ref.core.packets import (
    Alert as Alert,
    DataItem as DataItem,
    LastMark as LastMark,
    Leaving as Leaving,
    Output as Output,
    Packet as Packet,
    Passed as Passed,
    ReplayEnd as ReplayEnd,
)
from chc_ref.core.requests import (
    Acquire as Acquire,
    Again as Again,
    Answered as Answered,
    Apply as Apply,
    Arrive as Arrive,
    Callback as Callback,
    ClockPersisted as ClockPersisted,
    Committed as Committed,
    Delete as Delete,
    Deleted as Deleted,
    Granted as Granted,
    Inquire as Inquire,
    LogEntry as LogEntry,
    Logged as Logged,
    PersistClock as PersistClock,
    Release as Release,
    Remembered as Remembered,
    Result as Result,
    Stamp as Stamp,
    WriteLog as WriteLog,
)
from chc_ref.core.values import Address, Flow


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
class ScaleRequested:
    """The operator wants a vertex to run on these instances (CHAIN-3)."""

    vertex: str
    instances: tuple[Address, ...]
    by: str | None = None
    """Name of the scope to split by; empty for the whole flow, None for the present one."""


@attrs.frozen(cache_hash=True)
class PollTimer:
    """Event: time for a vertex' manager to ask for statistics (CHAIN-3)."""

    vertex: str


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
class ForgetTimer:
    """Event: time for a root to tell which packets are over (DUP-2)."""


@attrs.frozen(cache_hash=True)
class FlushTimer:
    """Event: time to flush cached operations (CACHE-2)."""
