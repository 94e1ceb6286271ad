"""Tiny NFs for models: just enough state to make a lost, doubled or reordered update visible.

Their headers are tuples of words; each NF appends what it learned from its state, so that a
wrong state shows in the output as well.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from chc_ref.core.operations import (
    FLOW,
    Access,
    CompareAndUpdate,
    Draw,
    Get,
    Increment,
    NetworkFunction,
    OperationFailed,
    Outcome,
    Pattern,
    Pop,
    Process,
    Push,
    Scope,
    StateObject,
)
from chc_ref.core.values import Flow


def _count(headers: Any, flow: Flow, clock: int) -> Process:
    """Number the flow's packets, and count all packets without waiting."""
    number = yield Access("count", Increment())
    yield Access("total", Increment(), blocking=False)
    return Outcome(((*headers, number),))


def _record(headers: Any, flow: Flow, clock: int) -> Process:
    """Write down the flow's packets in the order they come."""
    yield Access("seen", Push(headers))
    return Outcome((headers,))


def _mark(headers: Any, flow: Flow, clock: int) -> Process:
    """Wait for a shared counter on every packet; pass the packet on unchanged."""
    yield Access("marked", Increment())
    return Outcome((headers,))


def _open(headers: Any, flow: Flow, clock: int) -> Process:
    """Count the first packet of each flow, and let the others pass."""
    if headers[1] == 1:
        yield Access("opened", Increment(), blocking=False)
    return Outcome((headers,))


def _number(headers: Any, flow: Flow, clock: int) -> Process:
    """Number the flow's packets."""
    number = yield Access("number", Increment())
    return Outcome(((*headers, number),))


def _digits(headers: Any, flow: Flow, clock: int) -> Process:
    """Count a flow's packets in two objects: the first in one, the second in another, then both.

    Which, its number tells in binary digits.
    """
    low = (yield Access("low", Increment())) if headers[1] & 1 else 0
    high = (yield Access("high", Increment())) if headers[1] & 2 else 0
    return Outcome(((*headers, low, high),))


def _pass(headers: Any, flow: Flow, clock: int) -> Process:
    """Pass every packet on, with no state at all."""
    yield from ()
    return Outcome((headers,))


def _twice(headers: Any, flow: Flow, clock: int) -> Process:
    """Send every packet on twice, with a number each (QUEUE-2)."""
    yield from ()
    return Outcome(((*headers, 1), (*headers, 2)))


def _sieve(headers: Any, flow: Flow, clock: int) -> Process:
    """Number the flow's packets, and let only the even ones pass."""
    number = yield Access("number", Increment())
    return Outcome(() if number % 2 else ((*headers, number),))


def _take(headers: Any, flow: Flow, clock: int) -> Process:
    """Take a number from a shared pool."""
    number = yield Access("pool", Pop())
    return Outcome(((*headers, number),))


def _borrow(headers: Any, flow: Flow, clock: int) -> Process:
    """Take a number from a shared pool, and put it back behind the others."""
    number = yield Access("pool", Pop())
    yield Access("pool", Push(number), blocking=False)
    return Outcome(((*headers, number),))


def _shelf(headers: Any, flow: Flow, clock: int) -> Process:
    """Flow A takes from a shared shelf, which is empty at first (STORE-7); others fill it."""
    if flow != "A":
        yield Access("shelf", Push(flow), blocking=False)
        return Outcome((headers,))
    taken = yield Access("shelf", Pop())
    return Outcome(((*headers, None if isinstance(taken, OperationFailed) else taken),))


def _both(headers: Any, flow: Flow, clock: int) -> Process:
    """Count the packet, take a number from a pool, and raise the same alert for either."""
    yield Access("marked", Increment())
    number = yield Access("pool", Pop())
    return Outcome(((*headers, number),), ("taken", "taken"))


def _latch(headers: Any, flow: Flow, clock: int) -> Process:
    """Let the first packet of all set a shared word, tell each whether it was, and raise alarm."""
    first = yield Access("latch", CompareAndUpdate(None, flow))
    return Outcome(((*headers, first),), (flow,) if first else ())


def _limit(headers: Any, flow: Flow, clock: int) -> Process:
    """Read a shared limit; flow A raises it first. Read mostly, so it is copied (CACHE-3)."""
    if flow == "A":
        yield Access("limit", Increment(), blocking=False)
    limit = yield Access("limit", Get())
    return Outcome(((*headers, limit),))


def _hot(headers: Any, flow: Flow, clock: int) -> Process:
    """Number all packets of a host on every packet: cached where the split allows (CACHE-4)."""
    number = yield Access("hot", Increment(), key=_host(flow))
    return Outcome(((*headers, number),))


def _warm(headers: Any, flow: Flow, clock: int) -> Process:
    """Count all packets of a host, as ``hot`` does; one kind of its flows waits for no number."""
    if str(flow).endswith("1"):
        yield Access("warm", Increment(), blocking=False, key=_host(flow))
        return Outcome((headers,))
    number = yield Access("warm", Increment(), key=_host(flow))
    return Outcome(((*headers, number),))


@attrs.frozen
class Earliest:
    """A custom operation (STORE-3): keep the flow of the earliest clock, or the first to come."""

    reads_only: ClassVar[bool] = False
    clock: int
    flow: Flow

    def apply(self, value: Any) -> tuple[Any, Any]:
        if value is None or self.clock < value[0]:
            value = (self.clock, self.flow)
        return value, value


def _earliest(headers: Any, flow: Flow, clock: int) -> Process:
    """Note which flow came first, by the clocks: what a Trojan detector lives on (ORDER-1)."""
    yield Access("earliest", Earliest(clock, flow), blocking=False)
    return Outcome((headers,))


def _host(flow: Flow) -> str:
    """Give a flow's host: the first letter of its name."""
    return str(flow)[0]


def _draw(headers: Any, flow: Flow, clock: int) -> Process:
    """Note a drawn value, which nobody can foretell (STORE-9)."""
    drawn = yield Access("lot", Draw())
    return Outcome(((*headers, drawn),))


def _shared(name: str, initial: Any, **how: Any) -> StateObject:
    return StateObject(name, per_flow=False, initial=initial, ordered=True, **how)


HOST = Scope("host", _host)

COUNTER = NetworkFunction(
    "counter",
    (StateObject("count", per_flow=True, initial=0), StateObject("total", False, initial=0)),
    _count,
    (FLOW, HOST),
)
RECORDER = NetworkFunction(
    "recorder", (StateObject("seen", True, initial=()),), _record, (FLOW, HOST)
)
MARKER = NetworkFunction("marker", (StateObject("marked", False, initial=0),), _mark)
OPENER = NetworkFunction("opener", (StateObject("opened", False, initial=0),), _open)
NUMBER = NetworkFunction("number", (StateObject("number", True, initial=0),), _number, (FLOW, HOST))
DIGITS = NetworkFunction(
    "digits", (StateObject("low", True, initial=0), StateObject("high", True, initial=0)), _digits
)
PASS = NetworkFunction("pass", (), _pass)
TWICE = NetworkFunction("twice", (), _twice)
SIEVE = NetworkFunction("sieve", (StateObject("number", True, initial=0),), _sieve)

POOL = NetworkFunction("pool", (_shared("pool", (1, 2, 3)),), _take)
BORROW = NetworkFunction("borrow", (_shared("pool", (1, 2, 3), accesses=2),), _borrow)
SHELF = NetworkFunction("shelf", (_shared("shelf", ()),), _shelf)
BOTH = NetworkFunction(
    "both", (StateObject("marked", False, initial=0), _shared("pool", (1, 2, 3))), _both
)
LATCH = NetworkFunction("latch", (_shared("latch", None),), _latch)
LIMIT = NetworkFunction(
    "limit", (_shared("limit", 0, accesses=2, pattern=Pattern.READ_MOSTLY),), _limit
)
HOT = NetworkFunction(
    "hot", (_shared("hot", 0, pattern=Pattern.BOTH, scope="host"),), _hot, (FLOW, HOST)
)
WARM = NetworkFunction(
    "warm", (_shared("warm", 0, pattern=Pattern.BOTH, scope="host"),), _warm, (FLOW, HOST)
)
DRAW = NetworkFunction("draw", (_shared("lot", None, drawn=True),), _draw)
EARLIEST = NetworkFunction("earliest", (StateObject("earliest", False, initial=None),), _earliest)

TINY = {
    nf.name: nf
    for nf in (
        COUNTER,
        RECORDER,
        MARKER,
        OPENER,
        NUMBER,
        DIGITS,
        PASS,
        TWICE,
        SIEVE,
        POOL,
        BORROW,
        SHELF,
        BOTH,
        LATCH,
        LIMIT,
        HOT,
        WARM,
        DRAW,
        EARLIEST,
    )
}
