"""Captures: pcap or pcapng files as the input of a chain.

Parsing is dpkt's. Whatever cannot be parsed is counted and passed over. Which end of a flow
is inside comes from the caller's networks, or is inferred from who opens connections.
"""

from __future__ import annotations

import io
import ipaddress
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import dpkt

from chc_ref.core.messages import Arrive
from chc_ref.errors import CaptureError
from chc_ref.nfs.headers import ACK, SYN, TCP, UDP, FiveTuple, Headers
from chc_ref.nfs.trojan import CONTROL_PORTS

Network = ipaddress.IPv4Network
Progress = Callable[[int], None]

ETHERNET = 1
LINKS: dict[int, Any] = {
    0: dpkt.loopback.Loopback,
    ETHERNET: dpkt.ethernet.Ethernet,
    12: dpkt.ip.IP,
    101: dpkt.ip.IP,
    113: dpkt.sll.SLL,
    228: dpkt.ip.IP,
    276: dpkt.sll2.SLL2,
}
"""Parser of each link type (the tcpdump group's LINKTYPE_ values)."""

BROKEN = (dpkt.UnpackError, ValueError, struct.error, IndexError, TypeError, AttributeError)
"""What dpkt raises on bytes that are not what they claim to be."""


@attrs.frozen
class Raw:
    """One IPv4 packet before it is known which end is inside."""

    time_us: int
    protocol: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    length: int
    flags: int
    sequence: int
    payload: bytes


@attrs.frozen
class Capture:
    """A capture as input: arrivals in capture order, and what was passed over."""

    arrivals: tuple[Arrive, ...]
    read: int
    """Records in the file."""
    malformed: int
    """Records that are cut too short or are not what they claim to be."""
    other: int
    """Well-formed records that are not IPv4."""


def load(path: Path, inside: tuple[Network, ...] = (), progress: Progress | None = None) -> Capture:
    """Read a capture.

    Args:
        path: a pcap or pcapng file.
        inside: networks of the inside hosts; empty to infer them.
        progress: called with the number of records read so far.

    Raises:
        CaptureError: no such file, or not a capture.

    """
    packets: list[Raw] = []
    read = malformed = other = 0
    for record in _records(path):
        read += 1
        if progress is not None and read % 1000 == 0:
            progress(read)
        try:
            packet = None if record is None else _parse(*record)
        except BROKEN:
            malformed += 1
            continue
        if record is None:
            malformed += 1
        elif packet is None:
            other += 1
        else:
            packets.append(packet)
    arrivals = _orient(packets, _insideness(packets, inside))
    return Capture(arrivals, read, malformed, other)


class _File(io.BufferedReader):
    """A file that notices when it ends in the middle of what was asked for."""

    cut = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.cut = self.cut or 0 < len(data) < (size or 0)
        return data


def _records(path: Path) -> Iterator[tuple[int, float, bytes] | None]:
    """Give (link type, time, bytes) of each record; None for one that the file breaks off in."""
    try:
        with _File(io.FileIO(path)) as file:
            try:
                reader = dpkt.pcap.UniversalReader(file)
            except BROKEN as error:
                raise CaptureError(f"{path}: not a pcap or pcapng file ({error})") from None
            link = reader.datalink()
            if link not in LINKS:
                raise CaptureError(f"{path}: link type {link} is not supported")
            records = iter(reader)
            while True:
                try:
                    time, data = next(records)
                except StopIteration:
                    return
                except BROKEN:
                    yield None
                    return
                yield None if file.cut else (link, float(time), data)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}") from None


def _parse(link: int, time: float, data: bytes) -> Raw | None:
    """Parse one record; None if it is no IPv4. Raises one of BROKEN."""
    if link == ETHERNET and len(data) < 14:
        raise dpkt.NeedData("no room for an Ethernet header")
    frame = LINKS[link](data)
    packet = frame if isinstance(frame, dpkt.ip.IP) else _network(frame)
    if packet is None:
        return None
    if packet.v != 4 or packet.hl < 5 or packet.len < packet.hl * 4:
        raise dpkt.UnpackError("IPv4 header contradicts itself")
    fields = _ports(packet)
    source, destination = (str(ipaddress.IPv4Address(a)) for a in (packet.src, packet.dst))
    source_port, destination_port, flags, sequence, payload = fields
    control = packet.p == TCP and {source_port, destination_port} & CONTROL_PORTS
    return Raw(
        round(time * 1e6),
        packet.p,
        source,
        source_port,
        destination,
        destination_port,
        packet.len,
        flags,
        sequence,
        bytes(payload) if control else b"",
    )


def _network(frame: Any) -> Any:
    """Give the IPv4 packet inside a link-layer frame, or None for another protocol."""
    kind = getattr(frame, "type", getattr(frame, "ethtype", getattr(frame, "family", None)))
    inner = frame.data
    if isinstance(inner, dpkt.ip.IP):
        return inner
    if kind in (dpkt.ethernet.ETH_TYPE_IP,) and isinstance(inner, bytes):
        return dpkt.ip.IP(inner)  # dpkt leaves bytes where parsing failed: raise that error
    return None


def _ports(packet: Any) -> tuple[int, int, int, int, bytes]:
    """Give ports, TCP flags, sequence number and payload; zeros where there are none."""
    body = packet.data
    if packet.p not in (TCP, UDP) or packet.offset:  # a later fragment has no ports
        return 0, 0, 0, 0, b""
    if isinstance(body, bytes):
        body = dpkt.tcp.TCP(body) if packet.p == TCP else dpkt.udp.UDP(body)
    if packet.p == UDP:
        return body.sport, body.dport, 0, 0, b""
    return body.sport, body.dport, body.flags, body.seq, body.data


def _insideness(packets: list[Raw], networks: tuple[Network, ...]) -> Callable[[str], int]:
    """Give a rank of addresses; of two ends of a flow the one that ranks higher is inside.

    By network if the caller names any. Else by how many more connections an address opened
    than it accepted: clients are inside, servers outside. Comparing the two ends keeps an
    inside host inside even where a server opened as many connections to it (active FTP).
    """
    if networks:
        known: dict[str, int] = {}

        def named(address: str) -> int:
            if address not in known:
                known[address] = any(ipaddress.IPv4Address(address) in n for n in networks)
            return known[address]

        return named
    balance: Counter[str] = Counter()
    spoken: set[tuple[Any, ...]] = set()
    for p in packets:
        ahead, back = _ends(p)
        if p.protocol == TCP:
            opens = p.flags & (SYN | ACK) == SYN
        else:  # without a SYN, whoever speaks first has opened the exchange
            opens = not spoken & {ahead, back}
            spoken.add(ahead)
        if opens:
            balance[p.source] += 1
            balance[p.destination] -= 1
    return balance.__getitem__


def _ends(p: Raw) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Give a packet's ends, as sent and the other way round."""
    return (
        (p.protocol, p.source, p.source_port, p.destination, p.destination_port),
        (p.protocol, p.destination, p.destination_port, p.source, p.source_port),
    )


def _orient(packets: list[Raw], insideness: Callable[[str], int]) -> tuple[Arrive, ...]:
    """Give each packet its entry flow key, inside end first; of equals, the first to speak."""
    first: dict[tuple[Any, ...], FiveTuple] = {}
    start = packets[0].time_us if packets else 0
    arrivals = []
    for p in packets:
        ahead, back = _ends(p)
        if ahead not in first and back not in first:
            outbound = insideness(p.source) >= insideness(p.destination)
            first[ahead] = FiveTuple(*(ahead if outbound else back))
        flow = first.get(ahead) or first[back]
        outbound = (p.source, p.source_port) == (flow.inside, flow.inside_port)
        headers = Headers(
            p.protocol,
            p.source,
            p.source_port,
            p.destination,
            p.destination_port,
            p.length,
            outbound,
            p.flags,
            p.sequence,
            p.time_us - start,
            p.payload,
        )
        arrivals.append(Arrive(flow, headers))
    return tuple(arrivals)
