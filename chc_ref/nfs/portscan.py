"""Portscan detector (NF-2, section 6, Table 4): a sequential hypothesis test per host.

Each connection attempt that is answered or refused moves the log likelihood ratio of "this
host scans" against "it does not" (Jung, Paxson, Berger and Balakrishnan 2004; the paper's
reference 27 runs the test in reverse, never below zero, as here). Above the threshold the
host is blocked. An attempt that nobody answers counts for nothing: packets carry no time-out.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import attrs

from chc_ref.core.operations import (
    FLOW,
    Access,
    Get,
    NetworkFunction,
    Outcome,
    Pattern,
    Process,
    Put,
    StateObject,
)
from chc_ref.core.values import evolve
from chc_ref.nfs.headers import HOST, FiveTuple, Headers

SUCCESS_IF_BENIGN = 0.7
SUCCESS_IF_SCANNER = 0.1
FALSE_POSITIVES = 0.00005
DETECTION = 0.99

STEP_UP = math.log((1 - SUCCESS_IF_SCANNER) / (1 - SUCCESS_IF_BENIGN))
STEP_DOWN = math.log(SUCCESS_IF_SCANNER / SUCCESS_IF_BENIGN)
THRESHOLD = math.log(DETECTION / FALSE_POSITIVES)


@attrs.frozen(cache_hash=True)
class Likelihood:
    """What is held against one host."""

    log_ratio: float = 0.0
    blocked: bool = False


@attrs.frozen(cache_hash=True)
class Attempt:
    """A connection that the inside host asked for."""

    isn: int
    time_us: int
    """When it was first asked for."""
    pending: bool = True


@attrs.frozen(cache_hash=True)
class Observe:
    """Custom operation: take one outcome into the test; the result is the new likelihood.

    One operation, so that no other instance's outcome falls between reading and writing.
    """

    reads_only: ClassVar[bool] = False
    success: bool

    def apply(self, value: Any) -> tuple[Any, Any]:
        if value.blocked:
            return value, value
        ratio = max(0.0, value.log_ratio + (STEP_DOWN if self.success else STEP_UP))
        new = Likelihood(ratio, ratio >= THRESHOLD)
        return new, new


def _portscan(headers: Headers, flow: FiveTuple, clock: int) -> Process:
    """Follow connection attempts; drop what belongs to a blocked host."""
    attempt: Attempt | None = yield Access("attempt", Get())
    outcome = None
    if headers.opens and headers.outbound and (attempt is None or attempt.isn != headers.sequence):
        yield Access("attempt", Put(Attempt(headers.sequence, headers.time_us)))
    elif attempt is not None and attempt.pending and _answers(headers):
        outcome = headers.accepts
        yield Access("attempt", Put(evolve(attempt, pending=False)))
    operation = Get() if outcome is None else Observe(outcome)
    likelihood: Likelihood = yield Access("likelihood", operation, key=flow.inside)
    return Outcome() if likelihood.blocked else Outcome((headers,))


def _answers(headers: Headers) -> bool:
    """Tell whether a packet from outside settles an attempt: SYN-ACK or RST."""
    return not headers.outbound and (headers.accepts or headers.resets)


PORTSCAN = NetworkFunction(
    "portscan",
    (
        StateObject(
            "likelihood",
            per_flow=False,
            initial=Likelihood(),
            ordered=True,
            pattern=Pattern.BOTH,
            scope="host",
        ),
        StateObject("attempt", per_flow=True, accesses=2, pattern=Pattern.BOTH, scope="flow"),
    ),
    _portscan,
    (FLOW, HOST),
)
