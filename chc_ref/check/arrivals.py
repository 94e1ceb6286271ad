"""Arrivals: the packets of a model, as its file writes them.

A word is a packet of the flow of that name, for the tiny NFs. A table is a packet with real
headers, for the NFs of ``chc_ref.nfs``: its flow, as ``tcp:10.0.0.1:4000-5.5.5.5:22`` with the
inside end first, and what the packet says. docs/models.md describes the keys.
"""

from __future__ import annotations

from typing import Any

from chc_ref.core.messages import Arrive
from chc_ref.core.values import Flow
from chc_ref.errors import UsageError
from chc_ref.files import Keys, at, check_keys
from chc_ref.nfs.headers import ACK, FIN, RST, SYN, FiveTuple, Headers

KEYS: Keys = {
    "flow": (str, True),
    "outbound": (bool, False),
    "flags": (str, False),
    "sequence": (int, False),
    "length": (int, False),
    "time_us": (int, False),
    "payload": (str, False),
}
"""Keys of a packet with real headers."""

FLAGS = {"F": FIN, "S": SYN, "R": RST, "A": ACK}
LENGTH = 40
"""Octets of a packet whose file does not say: headers of IPv4 and TCP, and nothing else."""


def read(number: int, entry: Any) -> Arrive:
    """Read the packet that is the ``number``-th of its model, from 1 on.

    Raises:
        UsageError: it is no packet; the text names its number and the key.

    """
    with at(f"packets, number {number}"):
        if isinstance(entry, str):
            return Arrive(entry, (entry, number))
        if not isinstance(entry, dict):
            raise UsageError(f"{entry!r} is neither the name of a flow nor a table")
        check_keys(entry, KEYS)
        flow, outbound = FiveTuple.parse(entry["flow"]), entry.get("outbound", True)
        inside, outside = (flow.inside, flow.inside_port), (flow.outside, flow.outside_port)
        headers = Headers(
            flow.protocol,
            *(inside if outbound else outside),
            *(outside if outbound else inside),
            entry.get("length", LENGTH),
            outbound,
            _flags(entry.get("flags", "")),
            entry.get("sequence", 0),
            entry.get("time_us", 0),
            entry.get("payload", "").encode(),
        )
        return Arrive(flow, headers)


def write(arrival: Arrive) -> Any:
    """Give what ``read`` reads this packet from."""
    headers = arrival.headers
    if not isinstance(headers, Headers):
        return arrival.flow
    entry = {
        "flow": str(arrival.flow),
        "outbound": headers.outbound,
        "flags": "".join(letter for letter, flag in FLAGS.items() if headers.flags & flag),
        "sequence": headers.sequence,
        "length": headers.length,
        "time_us": headers.time_us,
        "payload": headers.payload.decode(errors="replace"),
    }
    return {key: value for key, value in entry.items() if value or key in ("flow", "outbound")}


def is_real(arrival: Arrive) -> bool:
    """Tell whether a packet has real headers."""
    return isinstance(arrival.headers, Headers)


def flow(name: str, packets: tuple[Arrive, ...]) -> Flow:
    """Give the flow of a name: a real one where packets are real, or there are none at all.

    Raises:
        UsageError: packets are real, and it is no name of a real flow.

    """
    if any(map(is_real, packets)):
        return FiveTuple.parse(name)
    try:
        return name if packets else FiveTuple.parse(name)
    except UsageError:
        return name


def _flags(letters: str) -> int:
    unknown = [letter for letter in letters if letter not in FLAGS]
    if unknown or len(set(letters)) < len(letters):
        raise UsageError(f"flags = {letters!r}; it is made of {', '.join(FLAGS)}, each once")
    return sum(FLAGS[letter] for letter in letters)
