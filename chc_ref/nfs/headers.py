"""What the real NFs see of a packet: parsed headers, and the entry flow key.

The captures are taken inside the NAT, so both directions enter the chain as the inside hosts
know them. The flow key is oriented: inside end first, whoever speaks. It travels with the
clock, so detectors behind the NAT know the inside host of every packet, replies included.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

import attrs

from chc_ref.core.operations import Scope
from chc_ref.errors import UsageError

ICMP, TCP, UDP = 1, 6, 17
PROTOCOLS = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}
"""Names of protocol numbers; any other is its own name."""

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


@attrs.frozen(cache_hash=True)
class FiveTuple:
    """Entry flow key: one connection, both directions."""

    protocol: int
    """IP protocol number (RFC 791)."""
    inside: str
    """Address of the inside host."""
    inside_port: int
    """0 for a protocol without ports, or a fragment that does not carry them."""
    outside: str
    outside_port: int

    @classmethod
    def parse(cls, text: str) -> FiveTuple:
        """Read a flow as it is printed: ``tcp:10.0.0.1:4000-5.5.5.5:22``, inside end first.

        Raises:
            UsageError: ``text`` is not of that form.

        """
        form = re.fullmatch(r"(\w+):([\d.]+):(\d+)-([\d.]+):(\d+)", text, re.ASCII)
        numbers = {name: number for number, name in PROTOCOLS.items()}
        try:
            if form is None:
                raise ValueError
            name, inside, inside_port, outside, outside_port = form.groups()
            return cls(
                numbers[name] if name in numbers else int(name),
                str(IPv4Address(inside)),
                int(inside_port),
                str(IPv4Address(outside)),
                int(outside_port),
            )
        except ValueError:
            wanted = "PROTOCOL:INSIDE:PORT-OUTSIDE:PORT, such as tcp:10.0.0.1:4000-5.5.5.5:22"
            raise UsageError(f"flow {text!r} is not of the form {wanted}") from None

    def __str__(self) -> str:
        name = PROTOCOLS.get(self.protocol, str(self.protocol))
        return f"{name}:{self.inside}:{self.inside_port}-{self.outside}:{self.outside_port}"

    @property
    def server(self) -> str:
        """The outside end, as ``address:port``."""
        return f"{self.outside}:{self.outside_port}"


HOST = Scope("host", lambda flow: flow.inside)
"""The inside host, which the paper calls the source address (SPLIT-1)."""


@attrs.frozen(cache_hash=True)
class Headers:
    """Parsed headers of one IPv4 packet."""

    protocol: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    length: int
    """IP total length in octets, whatever the capture kept of it."""
    outbound: bool
    """From the inside host of the flow."""
    flags: int = 0
    """TCP flags (RFC 9293, section 3.1)."""
    sequence: int = 0
    """TCP sequence number: on a SYN it tells a new connection from a retransmission."""
    time_us: int = 0
    """Microseconds since the first packet of the capture."""
    payload: bytes = b""
    """Kept for the control connections that the Trojan detector reads, else empty."""

    @property
    def opens(self) -> bool:
        """A SYN that asks for a connection."""
        return self.protocol == TCP and self.flags & (SYN | ACK) == SYN

    @property
    def accepts(self) -> bool:
        """A SYN-ACK that grants one."""
        return self.protocol == TCP and self.flags & (SYN | ACK) == SYN | ACK

    @property
    def resets(self) -> bool:
        """An RST."""
        return self.protocol == TCP and bool(self.flags & RST)

    @property
    def finishes(self) -> bool:
        """A FIN."""
        return self.protocol == TCP and bool(self.flags & FIN)


@attrs.frozen(cache_hash=True)
class Connection:
    """Where one TCP connection stands, as NAT and load balancer both follow it."""

    isn: int
    """Initial sequence number of the SYN that opened it."""
    finished_out: bool = False
    finished_in: bool = False
    closed: bool = False

    def after(self, headers: Headers) -> Connection:
        """Give the connection after one more of its packets: closed by RST or both FINs."""
        out = self.finished_out or (headers.finishes and headers.outbound)
        back = self.finished_in or (headers.finishes and not headers.outbound)
        return Connection(self.isn, out, back, self.closed or headers.resets or (out and back))


def is_new(connection: Connection | None, headers: Headers) -> bool:
    """Tell whether a SYN opens a connection beyond the one already known of its flow."""
    return headers.opens and (
        connection is None or connection.isn != headers.sequence or connection.closed
    )
