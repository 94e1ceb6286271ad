"""Operations that an NF offloads to the store (Table 2, STORE-3), and the NF's own interface.

An operation is a frozen value with one pure method ``apply(value) -> (new value, result)``.
The store applies it to a shared object; the instance applies the very same value to its
cached copy of a per-flow object (CACHE-2). A developer adds an operation by writing another
such class (custom operations, STORE-3).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Hashable
from typing import Any, ClassVar, Protocol

import attrs


@attrs.frozen
class OperationFailed:
    """Result of an operation that could not be applied; the value stays untouched (STORE-7)."""

    reason: str


class Operation(Protocol):
    """What the store and the caches know of an operation."""

    reads_only: ClassVar[bool]

    def apply(self, value: Any) -> tuple[Any, Any]:
        """Give (new value, result). Never raises; a failure is an ``OperationFailed`` result."""


def failed(value: Any, reason: str) -> tuple[Any, OperationFailed]:
    """Leave ``value`` as it is and report ``reason`` (STORE-7)."""
    return value, OperationFailed(reason)


@attrs.frozen
class Get:
    """Read the value."""

    reads_only: ClassVar[bool] = True

    def apply(self, value: Any) -> tuple[Any, Any]:
        return value, value


@attrs.frozen
class Put:
    """Set the value; the result is the new value."""

    reads_only: ClassVar[bool] = False
    new: Any

    def apply(self, value: Any) -> tuple[Any, Any]:
        return self.new, self.new


@attrs.frozen
class Increment:
    """Add ``by`` (negative to decrement); the result is the new value."""

    reads_only: ClassVar[bool] = False
    by: int = 1

    def apply(self, value: Any) -> tuple[Any, Any]:
        if not isinstance(value, int):
            return failed(value, f"increment of a {type(value).__name__}")
        return value + self.by, value + self.by


@attrs.frozen
class Push:
    """Append ``item`` to a list; the result is the new length."""

    reads_only: ClassVar[bool] = False
    item: Any

    def apply(self, value: Any) -> tuple[Any, Any]:
        if not isinstance(value, tuple):
            return failed(value, f"push to a {type(value).__name__}")
        return (*value, self.item), len(value) + 1


@attrs.frozen
class Pop:
    """Take the first item of a list; the result is that item."""

    reads_only: ClassVar[bool] = False

    def apply(self, value: Any) -> tuple[Any, Any]:
        if not isinstance(value, tuple):
            return failed(value, f"pop from a {type(value).__name__}")
        if not value:
            return failed(value, "pop from an empty list")
        return value[1:], value[0]


@attrs.frozen
class CompareAndUpdate:
    """Set ``new`` if the value equals ``expected``; the result tells whether it did."""

    reads_only: ClassVar[bool] = False
    expected: Any
    new: Any

    def apply(self, value: Any) -> tuple[Any, Any]:
        return (self.new, True) if value == self.expected else (value, False)


@attrs.frozen
class Draw:
    """Set the value to one that is drawn where the update is applied: a time, or chance.

    The store applies the ``Put`` of what it has just drawn, and a repeat gets the recorded
    result like any other (STORE-9). Only for shared objects, which nobody applies locally.
    """

    reads_only: ClassVar[bool] = False

    def apply(self, value: Any) -> tuple[Any, Any]:
        return failed(value, "draw where no value can be drawn")


def drawn_now(operation: Operation, value: Any) -> Operation:
    """Give the operation with its draw made (STORE-9)."""
    return Put(value) if isinstance(operation, Draw) else operation


class Pattern(enum.Enum):
    """How a state object is accessed (Table 1)."""

    WRITE_MOSTLY = "write mostly, read rarely"
    READ_MOSTLY = "read mostly, write rarely"
    BOTH = "write and read often"


class Strategy(enum.Enum):
    """Where an object's accesses are served (Table 1)."""

    OFFLOADED = "at the store, without a cache"
    OWNED = "in the owner's cache, flushed to the store"
    COPIED = "reads from a copy that the store keeps fresh, updates at the store"
    ALONE = "in a cache as long as the split gives the key to one instance alone"


STRATEGIES = {
    (True, Pattern.WRITE_MOSTLY): Strategy.OWNED,
    (True, Pattern.READ_MOSTLY): Strategy.OWNED,
    (True, Pattern.BOTH): Strategy.OWNED,
    (False, Pattern.WRITE_MOSTLY): Strategy.OFFLOADED,
    (False, Pattern.READ_MOSTLY): Strategy.COPIED,
    (False, Pattern.BOTH): Strategy.ALONE,
}
"""Table 1: (per-flow, access pattern) -> strategy (CACHE-1 .. CACHE-4)."""


@attrs.frozen
class Scope:
    """A set of header fields that keys some of a vertex' state (SPLIT-1)."""

    name: str
    key: Callable[[Any], Hashable] = attrs.field(eq=False, repr=False)
    """Gives the scope's part of a flow."""


FLOW = Scope("flow", lambda flow: flow)
"""The finest scope there is: every header field that tells one flow from another."""


@attrs.frozen
class StateObject:
    """Declaration of one state object of a vertex (Table 4)."""

    name: str
    per_flow: bool
    """Per-flow objects are keyed by the entry flow and owned by one instance (STORE-2)."""
    initial: Any = None
    accesses: int = 1
    """Most accesses of one such object by one packet: it bounds the update's token (DEL-1)."""
    ordered: bool = False
    """True when operations on it do not commute: then COE is with some ideal order."""
    pattern: Pattern = Pattern.WRITE_MOSTLY
    drawn: bool = False
    """Some of its updates draw their value (STORE-9)."""
    scope: str = ""
    """Name of the scope that keys it: all users of one key have one key in that scope. Empty
    for an object that no header field keys, which instances always share (SPLIT-1, CACHE-4)."""

    @property
    def strategy(self) -> Strategy:
        """Give the strategy of Table 1."""
        return STRATEGIES[self.per_flow, self.pattern]


@attrs.frozen
class Access:
    """One access of one state object, as an NF asks for it with ``yield``."""

    object: str
    operation: Operation
    key: Any = ()
    """For a shared object, its key inside the scope; ignored for a per-flow one."""
    blocking: bool = True
    """False: the NF does not use the result and goes on at once (STORE-5, CACHE-1)."""


@attrs.frozen
class Outcome:
    """What an NF makes of one packet: headers to send on (none drops it), and alerts."""

    outputs: tuple[Any, ...] = ()
    alerts: tuple[Any, ...] = ()


Process = Generator[Access, Any, Outcome]


@attrs.frozen
class NetworkFunction:
    """The code of a vertex: a pure generator function and the objects that it uses.

    ``process(headers, flow, clock)`` yields ``Access`` values and is sent their results.
    It must be a function of its arguments and of those results alone: an instance runs it
    again from the start whenever a result comes in, and a replay runs it again elsewhere.
    """

    name: str
    objects: tuple[StateObject, ...]
    process: Callable[[Any, Any, int], Process] = attrs.field(eq=False, repr=False)
    scopes: tuple[Scope, ...] = ()
    """Scopes of its state, finest first, as ``scope()`` lists them; none: by flow (SPLIT-1)."""
    off_path: bool = False
    """It works on a copy of the traffic that goes no further: set by ``off_path`` alone."""

    def declared(self, name: str) -> StateObject:
        """Give the declaration of object ``name``; KeyError is a fault of the NF's code."""
        for declared in self.objects:
            if declared.name == name:
                return declared
        raise KeyError(f"{self.name} uses an undeclared object {name!r}")


def off_path(nf: NetworkFunction) -> NetworkFunction:
    """Give an NF off the path: it gets a copy of the traffic, which ends there (CHAIN-1).

    What it would send goes nowhere, so no packet leaves the chain twice; its alerts leave.
    """

    def process(headers: Any, flow: Any, clock: int) -> Process:
        outcome = yield from nf.process(headers, flow, clock)
        return Outcome(alerts=outcome.alerts)

    return attrs.evolve(nf, process=process, off_path=True)
