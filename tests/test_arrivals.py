"""Packets with real headers in models, and what they are refused for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from small_chains import real_packets

from chc_ref.check import arrivals
from chc_ref.check.model import of_table
from chc_ref.core.messages import Arrive, MoveRequested
from chc_ref.errors import UsageError
from chc_ref.nfs.headers import ACK, SYN, TCP, FiveTuple, Headers

FLOW = "tcp:10.0.0.1:4000-5.5.5.5:22"
TINY = {"flow": "A", "to": "nat.0"}
NAT = {"vertices": [{"name": "nat", "nf": "nat", "instances": 2}]}


@given(st.integers(1, 6).flatmap(real_packets))
def test_what_is_written_is_read_again(arrival: Arrive) -> None:
    """A saved run is the run."""
    assert arrivals.read(1, arrivals.write(arrival)) == arrival


def test_a_packet_has_the_ends_of_its_flow() -> None:
    """Inside end first, whoever speaks."""
    flow = FiveTuple(TCP, "10.0.0.1", 4000, "5.5.5.5", 22)
    answer = arrivals.read(1, {"flow": FLOW, "outbound": False, "flags": "SA", "payload": "hm"})
    headers = Headers(TCP, "5.5.5.5", 22, "10.0.0.1", 4000, 40, False, SYN | ACK, payload=b"hm")
    assert answer == Arrive(flow, headers)


@pytest.mark.parametrize("text", [FLOW, "udp:1.2.3.4:5-6.7.8.9:10", "47:1.2.3.4:0-5.6.7.8:0"])
def test_a_flow_is_read_as_it_is_printed(text: str) -> None:
    """Protocols by name or number."""
    assert str(FiveTuple.parse(text)) == text


@pytest.mark.parametrize(
    ("packets", "complaint"),
    [
        ([{"flow": "tcp:10.0.0.1-5.5.5.5:22"}], r"number 1: flow 'tcp.*such as tcp:"),
        ([{"flow": "tcp:10.0.0.300:1-5.5.5.5:22"}], "is not of the form"),
        ([{"flow": "sctp:10.0.0.3:1-5.5.5.5:22"}], "is not of the form"),
        ([{"flow": FLOW, "flags": "SX"}], "flags = 'SX'; it is made of F, S, R, A"),
        ([{"flow": FLOW, "flags": "SS"}], "each once"),
        ([{"flow": FLOW, "ttl": 3}], "unknown key 'ttl'"),
        ([{"flow": FLOW}, {}], "number 2: key 'flow' is missing"),
        ([{"flow": FLOW}, "A"], "do not mix"),
        ([7], "neither the name of a flow nor a table"),
        (["A"], "nf 'nat' reads real headers"),
    ],
)
def test_a_packet_that_is_none_is_refused(packets: list[Any], complaint: str) -> None:
    """The place is named, and the mend."""
    with pytest.raises(UsageError, match=complaint):
        of_table(Path("model"), {**NAT, "packets": packets})


def test_a_move_names_a_real_flow() -> None:
    """As packets do."""
    table = {**NAT, "packets": [{"flow": FLOW}], "moves": [{"flow": FLOW, "to": "nat.0"}]}
    (wish,) = of_table(Path("model"), table).world.wishes
    assert wish == MoveRequested("nat", FiveTuple.parse(FLOW), "nat.0")
    (wish,) = of_table(Path("model"), {**table, "packets": []}).world.wishes
    assert wish == MoveRequested("nat", FiveTuple.parse(FLOW), "nat.0"), "by its form"
    (wish,) = of_table(Path("model"), {**table, "packets": [], "moves": [TINY]}).world.wishes
    assert wish == MoveRequested("nat", "A", "nat.0")
    with pytest.raises(UsageError, match="flow 'A' is not of the form"):
        of_table(Path("model"), {**table, "moves": [TINY]})
