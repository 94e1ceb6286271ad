"""What the tests of clones have in common: a chain ``u -> v -> w``, and packets for it.

The instances v.0, v.1 and w.0 may be cloned; v has objects that are cached, and w is last.
"""

from __future__ import annotations

from typing import Any

from by_hand import packet_of

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import Cache, Packet, Send
from chc_ref.nfs.tiny import COUNTER, LIMIT

PHYSICAL = compile_chain(
    Chain(
        (
            Vertex("u", COUNTER, 2),
            Vertex("v", LIMIT, 2, clones=True),
            Vertex("w", COUNTER, clones=True),
        ),
        (("u", "v"), ("v", "w")),
    )
)
MUTE_CACHE = Cache(False, copies=False)
"""What a cloned vertex may cache: nothing."""


def packet_of_a(clock: int, flow: str = "A", **fields: Any) -> Packet:
    """Give a packet, of flow A if no other is named."""
    return packet_of(clock, flow, **fields)


def of_kind(sends: list[Send], kind: type) -> list[Send]:
    """Give what is sent of one kind."""
    return [send for send in sends if isinstance(send.message, kind)]
