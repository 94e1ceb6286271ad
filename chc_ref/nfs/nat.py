"""NAT (NF-1, section 6, Table 4): ports from a shared list, one mapping per connection.

Only the mapping is keyed by header fields; ports and counters are of the whole vertex, so no
split of the traffic gives them to one instance (SPLIT-1).
"""

from __future__ import annotations

import attrs

from chc_ref.core.operations import (
    FLOW,
    Access,
    Get,
    Increment,
    NetworkFunction,
    OperationFailed,
    Outcome,
    Pattern,
    Pop,
    Process,
    Push,
    Put,
    StateObject,
)
from chc_ref.core.values import evolve
from chc_ref.nfs.headers import TCP, UDP, Connection, FiveTuple, Headers, is_new

PUBLIC_ADDRESS = "192.0.2.1"
"""Outside address of the NAT, from the block for documentation (RFC 5737)."""

PORTS = tuple(range(1024, 65536))


@attrs.frozen(cache_hash=True)
class Mapping:
    """What the NAT keeps of one flow."""

    port: int | None = None
    """None when the outside opened it: such a flow is let through untranslated."""
    connection: Connection | None = None
    """The TCP connection in progress; None for UDP, or when the capture began after its SYN."""
    connections: int = 0
    """TCP connections that the inside host opened on this 5-tuple."""


def _nat(headers: Headers, flow: FiveTuple, clock: int) -> Process:
    """Count the packet, find or make its mapping, translate it if it goes out."""
    yield Access("total_packets", Increment(), blocking=False)
    if headers.protocol == TCP:
        yield Access("total_tcp_packets", Increment(), blocking=False)
    if headers.protocol not in (TCP, UDP):
        return Outcome((headers,))
    known: Mapping | None = yield Access("mapping", Get())
    mapping, wants_port = _next(known, headers)
    if wants_port:
        port = yield Access("free_ports", Pop())
        if isinstance(port, OperationFailed):
            return Outcome()  # no port left: the packet cannot be translated
        mapping = evolve(mapping, port=port)
    elif _closes(known, mapping):
        yield Access("free_ports", Push(mapping.port), blocking=False)
    if mapping != known:
        yield Access("mapping", Put(mapping))
    if headers.outbound and mapping.port is not None:
        headers = evolve(headers, source=PUBLIC_ADDRESS, source_port=mapping.port)
    return Outcome((headers,))


def _next(known: Mapping | None, headers: Headers) -> tuple[Mapping, bool]:
    """Give the mapping after this packet, and whether it needs a port first."""
    mapping = known or Mapping()
    if is_new(mapping.connection, headers):
        connection = Connection(headers.sequence)
        if not headers.outbound:
            return evolve(mapping, port=None, connection=connection), False
        # The port of a closed connection has gone back; one still open keeps its port.
        fresh = mapping.port is None or (
            mapping.connection is not None and mapping.connection.closed
        )
        count = mapping.connections + 1
        return evolve(mapping, connection=connection, connections=count), fresh
    if mapping.connection is not None:
        connection = mapping.connection.after(headers)
        return evolve(mapping, connection=connection), False
    return mapping, mapping.port is None and headers.outbound


def _closes(known: Mapping | None, mapping: Mapping) -> bool:
    """Tell whether this packet closed the connection, so that its port may be reused."""
    if mapping.port is None or mapping.connection is None or not mapping.connection.closed:
        return False
    return known is None or known.connection is None or not known.connection.closed


NAT = NetworkFunction(
    "nat",
    (
        StateObject("total_packets", per_flow=False, initial=0),
        StateObject("total_tcp_packets", per_flow=False, initial=0),
        StateObject(
            "free_ports", per_flow=False, initial=PORTS, ordered=True, pattern=Pattern.BOTH
        ),
        StateObject(
            "mapping", per_flow=True, accesses=2, pattern=Pattern.READ_MOSTLY, scope="flow"
        ),
    ),
    _nat,
    (FLOW,),
)
