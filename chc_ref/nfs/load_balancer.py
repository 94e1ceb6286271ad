"""Load balancer (NF-4, section 6, Table 4): the least loaded server, chosen in the store.

A connection from inside goes to the least loaded server of the pool that its destination
belongs to. Without a pool the destination is its own and only server: then a capture's real
servers are counted as they were. Bytes are IP total lengths of TCP packets, both directions.

A service is a pool, or a destination outside of all pools. It keys the servers' loads and, since
no two services have a server in common, their bytes as well (SPLIT-1).
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any, ClassVar

import attrs

from chc_ref.core.operations import (
    FLOW,
    Access,
    Get,
    Increment,
    NetworkFunction,
    Outcome,
    Pattern,
    Process,
    Put,
    Scope,
    StateObject,
)
from chc_ref.core.values import Map, evolve
from chc_ref.errors import UsageError
from chc_ref.nfs.headers import TCP, Connection, FiveTuple, Headers, is_new


@attrs.frozen(cache_hash=True)
class Load:
    """Connections of one server."""

    active: int = 0
    total: int = 0


@attrs.frozen(cache_hash=True)
class Choose:
    """Custom operation: end ``leaving``'s connection, if any, and choose a server.

    The result is the candidate with the fewest active connections, the first of equals.
    """

    reads_only: ClassVar[bool] = False
    candidates: tuple[str, ...]
    leaving: str | None = None

    def apply(self, value: Any) -> tuple[Any, Any]:
        value = _end(value, self.leaving)
        chosen = min(self.candidates, key=lambda server: value.get(server, Load()).active)
        load = value.get(chosen, Load())
        return value.insert(chosen, Load(load.active + 1, load.total + 1)), chosen


@attrs.frozen(cache_hash=True)
class End:
    """Custom operation: a connection of ``server`` has ended."""

    reads_only: ClassVar[bool] = False
    server: str

    def apply(self, value: Any) -> tuple[Any, Any]:
        return _end(value, self.server), None


def _end(value: Any, server: str | None) -> Any:
    if server is None:
        return value
    load = value.get(server, Load())
    return value.insert(server, Load(load.active - 1, load.total))


@attrs.frozen(cache_hash=True)
class Assigned:
    """The server of one flow's connection."""

    server: str
    connection: Connection


@attrs.frozen
class Pool:
    """Destinations that are one service: every address of a network at one port."""

    network: ipaddress.IPv4Network
    port: int

    @classmethod
    def parse(cls, text: str) -> Pool:
        """Read ``10.2.0.32/28:80``.

        Raises:
            UsageError: ``text`` is not of that form.

        """
        network, _, port = text.rpartition(":")
        try:
            return cls(ipaddress.IPv4Network(network), int(port))
        except ValueError:
            raise UsageError(f"pool {text!r} is not of the form NETWORK/BITS:PORT") from None

    def __str__(self) -> str:
        return f"{self.network}:{self.port}"

    def has(self, flow: FiveTuple) -> bool:
        """Tell whether a flow is for this service."""
        inside = ipaddress.IPv4Address(flow.outside) in self.network
        return inside and flow.outside_port == self.port

    def servers(self) -> tuple[str, ...]:
        """List its servers as ``address:port``."""
        return tuple(f"{address}:{self.port}" for address in self.network)


def load_balancer(pools: tuple[Pool, ...] = ()) -> NetworkFunction:
    """Give a load balancer for these pools.

    Raises:
        UsageError: two pools have a server in common.

    """
    for one, other in itertools.combinations(pools, 2):
        if one.port == other.port and one.network.overlaps(other.network):
            raise UsageError(f"pools {one} and {other} have servers in common")
    servers = {str(pool): pool.servers() for pool in pools}

    def service(flow: FiveTuple) -> str:
        return next((str(pool) for pool in pools if pool.has(flow)), flow.server)

    def candidates(flow: FiveTuple) -> tuple[str, ...]:
        return servers.get(service(flow), (flow.server,))

    def process(headers: Headers, flow: FiveTuple, clock: int) -> Process:
        if headers.protocol != TCP:
            return Outcome((headers,))
        known: Assigned | None = yield Access("server", Get())
        assigned = known
        if headers.outbound and is_new(known.connection if known else None, headers):
            leaving = known.server if known and not known.connection.closed else None
            choice = Choose(candidates(flow), leaving)
            server = yield Access("load", choice, key=service(flow))
            assigned = Assigned(server, Connection(headers.sequence))
        elif known is not None:
            assigned = evolve(known, connection=known.connection.after(headers))
            if assigned.connection.closed and not known.connection.closed:
                end = End(known.server)
                yield Access("load", end, key=service(flow), blocking=False)
        if assigned is None:
            return Outcome((headers,))  # it began before the capture, or was opened outside
        if assigned != known:
            yield Access("server", Put(assigned))
        yield Access("bytes", Increment(headers.length), key=assigned.server, blocking=False)
        if headers.outbound:
            address, _, port = assigned.server.rpartition(":")
            headers = evolve(headers, destination=address, destination_port=int(port))
        return Outcome((headers,))

    objects = (
        StateObject(
            "load",
            per_flow=False,
            initial=Map(),
            ordered=True,
            pattern=Pattern.BOTH,
            scope="service",
        ),
        StateObject("bytes", per_flow=False, initial=0, scope="service"),
        StateObject("server", per_flow=True, accesses=2, pattern=Pattern.READ_MOSTLY, scope="flow"),
    )
    return NetworkFunction("load_balancer", objects, process, (FLOW, Scope("service", service)))


LOAD_BALANCER = load_balancer()
