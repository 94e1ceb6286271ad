"""Random small chains, of tiny NFs or of real ones, and packets for them."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st

from chc_ref.check import arrivals
from chc_ref.core.chain import Chain, Vertex
from chc_ref.core.messages import Arrive
from chc_ref.core.operations import NetworkFunction, off_path
from chc_ref.nfs.load_balancer import LOAD_BALANCER
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.tiny import COUNTER, HOT, LATCH, LIMIT, MARKER, PASS, POOL, RECORDER, TWICE
from chc_ref.nfs.trojan import TROJAN

TINY = (COUNTER, RECORDER, MARKER, PASS, TWICE, POOL, LATCH, LIMIT, HOT)
REAL = (NAT, PORTSCAN, TROJAN, LOAD_BALANCER, MARKER, RECORDER)
FLOWS = ("A", "A4", "D4")
"""Two of one host. The NF ``limit`` knows A by name."""
REAL_FLOWS = {
    "A": "tcp:10.0.0.1:4000-5.5.5.5:22",
    "A4": "tcp:10.0.0.1:4001-5.5.5.5:6667",
    "D4": "udp:10.0.0.2:53-8.8.8.8:53",
}
NAMES = ("first", "second", "third")


def _counts(nf: NetworkFunction) -> bool:
    return nf == TWICE or any(declared.ordered for declared in nf.objects)


def _fits(nf: NetworkFunction, leads_on: bool, ways: int, ordered: bool) -> bool:
    """CHAIN-4: nothing goes on from an NF off the path; a flow's packets come down one way.

    And one vertex of a chain may depend on the order of packets, if none doubles them: for each
    order of each there is an ideal chain to compare with.
    """
    depends = _counts(nf)
    alone = any(declared.per_flow for declared in nf.objects) or depends
    return not ((leads_on and nf.off_path) or (alone and ways > 1) or (depends and ordered))


@st.composite
def chains(draw: st.DrawFn, nfs: tuple[NetworkFunction, ...]) -> Chain:
    """Draw a chain of one to three vertices, any DAG of them, with any settings."""
    count = draw(st.integers(1, 3))
    pairs = [(i, j) for j in range(count) for i in range(j)]
    edges = [pair for pair in pairs if draw(st.booleans())]
    above = {i for i, _ in edges}
    ways: list[int] = []
    vertices, ordered = [], False
    for i, name in enumerate(NAMES[:count]):
        ways.append(sum(ways[k] for k, j in edges if j == i) or 1)
        nf = draw(st.sampled_from([nf for nf in nfs if _fits(nf, i in above, ways[i], ordered)]))
        ordered = ordered or _counts(nf)
        aside = i not in above and any(j == i for _, j in edges) and draw(st.booleans())
        instances = draw(st.integers(1, 2))
        vertices.append(
            Vertex(
                name,
                off_path(nf) if aside else nf,
                instances,
                eager_flush=draw(st.booleans()),
                store=draw(st.sampled_from(("store", "store2"))),
                split=draw(st.sampled_from(("", *(scope.name for scope in nf.scopes)))),
                clones=draw(st.booleans()),
                standby=draw(st.integers(0, 2 - instances)),
            )
        )
    return Chain(
        tuple(vertices),
        tuple((NAMES[i], NAMES[j]) for i, j in edges),
        log=draw(st.sampled_from(("root", "store"))),
        persist_every=draw(st.integers(0, 2)),
        capacity=draw(st.sampled_from((0, 0, 2))),
        roots=draw(st.integers(1, 2)),
        write_ahead=draw(st.booleans()),
    )


@st.composite
def real_packets(draw: st.DrawFn, number: int) -> Arrive:
    """Draw a packet with real headers."""
    entry: dict[str, Any] = {
        "flow": draw(st.sampled_from(sorted(REAL_FLOWS.values()))),
        "outbound": draw(st.booleans()),
        "flags": draw(st.sampled_from(("S", "SA", "A", "R", "F"))),
        "sequence": draw(st.integers(0, 1)),
        "time_us": number,
        "payload": draw(st.sampled_from(("", "NICK x"))),
    }
    return arrivals.read(number, entry)
