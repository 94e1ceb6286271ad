"""Tiny NFs for models: just enough state to make a lost, doubled or reordered update visible.

Their headers are tuples of words; each NF appends what it learned from its state, so that a
wrong state shows in the output as well.
"""

from __future__ import annotations

from typing import Any

from chc_ref.core.operations import (
    Access,
    Increment,
    NetworkFunction,
    Outcome,
    Process,
    Push,
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


def _pass(headers: Any, flow: Flow, clock: int) -> Process:
    """Pass every packet on, with no state at all."""
    yield from ()
    return Outcome((headers,))


COUNTER = NetworkFunction(
    "counter",
    (StateObject("count", per_flow=True, initial=0), StateObject("total", False, initial=0)),
    _count,
)
RECORDER = NetworkFunction("recorder", (StateObject("seen", True, initial=()),), _record)
MARKER = NetworkFunction("marker", (StateObject("marked", False, initial=0),), _mark)
PASS = NetworkFunction("pass", (), _pass)

TINY = {nf.name: nf for nf in (COUNTER, RECORDER, MARKER, PASS)}
