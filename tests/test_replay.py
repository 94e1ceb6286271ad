"""Captures through the chain: ground truth, COE under moves and crashes, bad input."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import attrs
import pytest
from captured import CAPTURES, TRUTH, arrivals_of

from chc_ref.core.messages import Arrive
from chc_ref.core.values import Branch
from chc_ref.errors import CaptureError, UsageError
from chc_ref.nfs.headers import FIN, RST, SYN, TCP, FiveTuple, Headers
from chc_ref.nfs.load_balancer import Pool
from chc_ref.nfs.trojan import Evidence, Step, prove
from chc_ref.replay.capture import load
from chc_ref.replay.report import vertices
from chc_ref.replay.run import Replayed, default_chain, replay
from chc_ref.replay.schedule import CrashAt, MoveAt, Schedule, draw, load as load_schedule
from chc_ref.require.ideal import OrderError, run_ideal
from chc_ref.variants.shipped import SHIPPED


def _run(name: str, schedule: Schedule, packets: int | None = None) -> Replayed:
    return replay(default_chain(), arrivals_of(name, packets), schedule)


def _check(found: dict[str, Any], truth: dict[str, Any]) -> None:
    assert found["nat"]["total_packets"] == truth["ipv4"]
    assert found["nat"]["total_tcp_packets"] == truth["tcp"]
    assert found["nat"]["connections"] == truth["connections"]
    assert found["portscan"]["blocked_hosts"] == truth["blocked"]
    assert [alert["host"] for alert in found["trojan"]["alerts"]] == truth["alerts"]
    for table in ("connections_per_server", "bytes_per_server"):
        for server, count in truth.get(table, {}).items():
            assert found["load_balancer"][table][server] == count


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.thorough if name == "portscan_small" else ())
        for name in sorted(TRUTH)
    ],
)
def test_a_capture_matches_its_ground_truth_through_a_crash_and_moves(name: str) -> None:
    """NF-1, NF-2, NF-3, NF-4, R4: counters, blocked hosts, alerts and loads are the packets'."""
    crashes = (CrashAt(500, "nat.0"), CrashAt(900, "trojan.1"))
    moves = (MoveAt(450, "nat.1"), MoveAt(600, "portscan.0"), MoveAt(880, "trojan.0"))
    result = _run(name, Schedule(moves, crashes, seed=4))
    assert result.difference is None
    assert result.moved > 0
    assert set(result.crashed) == {"nat.0", "trojan.1"}
    _check(vertices(default_chain(), result.values), TRUTH[name])


@pytest.mark.parametrize("seed", range(6))
def test_any_drawn_schedule_ends_equal(seed: int, request: pytest.FixtureRequest) -> None:
    """R1, R2, R6: a move and a crash leave no trace, whichever vertex they hit.

    With ``--model-check`` among twice as many packets.
    """
    chain, packets = default_chain(), 500 if request.config.getoption("--model-check") else 250
    instances = tuple(f"{v.name}.{n}" for v in chain.vertices for n in range(v.instances))
    result = _run("trojan_small", draw(instances, packets, seed), packets)
    assert result.difference is None
    assert result.crashed


def test_the_same_seed_gives_the_same_run() -> None:
    """A replay is a function of capture and schedule."""
    schedule = Schedule((MoveAt(60, "nat.0"),), (CrashAt(80, "nat.1"),), seed=9)
    assert _run("trojan_small", schedule, 120) == _run("trojan_small", schedule, 120)


def test_a_crash_without_suppression_is_seen() -> None:
    """The verdict can fail: with repeated updates applied, the counters come out different."""
    arrivals = arrivals_of("trojan_small", 300)
    schedule = Schedule((), (CrashAt(150, "nat.0"), CrashAt(200, "nat.1")), seed=2)
    rules = SHIPPED["no_update_suppression"].rules
    result = replay(default_chain(), arrivals, schedule, rules)
    assert result.difference is not None
    assert result.difference.requirement == "COE"


def test_a_pool_is_balanced_to_its_least_loaded_server() -> None:
    """Connections to one pool spread evenly, whatever address they asked for."""
    flows = [FiveTuple(TCP, "10.0.0.1", 5000 + n, "10.9.0.0", 80) for n in range(6)]
    arrivals = tuple(
        Arrive(f, Headers(TCP, f.inside, f.inside_port, f.outside, 80, 40, True, SYN, n))
        for n, f in enumerate(flows)
    )
    chain = default_chain(pools=(Pool.parse("10.9.0.0/31:80"),))
    result = replay(chain, arrivals, Schedule())
    assert result.difference is None
    loads = vertices(default_chain(), result.values)["load_balancer"]
    assert loads["active_per_server"] == {"10.9.0.0:80": 3, "10.9.0.1:80": 3}


def test_a_closed_connection_gives_its_port_back_and_its_server_free() -> None:
    """RST or both FINs end a connection, at the NAT and at the load balancer."""
    flow = FiveTuple(TCP, "10.0.0.1", 5000, "10.9.0.1", 80)
    out = Headers(TCP, flow.inside, 5000, flow.outside, 80, 40, True, SYN, 7)
    back = Headers(TCP, flow.outside, 80, flow.inside, 5000, 40, False, FIN, 1)
    arrivals = tuple(
        Arrive(flow, headers)
        for headers in (
            out,
            attrs.evolve(out, flags=FIN),
            back,
            attrs.evolve(out, sequence=8),
            attrs.evolve(back, flags=RST),
        )
    )
    result = replay(default_chain(1), arrivals, Schedule())
    assert result.difference is None
    found = vertices(default_chain(), result.values)
    assert found["nat"]["connections"] == 2
    assert found["load_balancer"]["connections_per_server"] == {"10.9.0.1:80": 2}
    assert found["load_balancer"]["active_per_server"] == {"10.9.0.1:80": 0}


def test_trojan_steps_count_in_order_of_arrival_only() -> None:
    """ORDER-1, R4: five steps make a Trojan in clock order, in whatever order recorded."""
    steps = [Step(1, "ssh", 1), Step(4, "html", 3), Step(5, "zip", 3), Step(6, "exe", 3)]
    assert prove((*steps, Step(9, "irc", 9))) == Evidence(1, 4, 5, 6, 9)
    assert prove((*steps, Step(2, "irc", 2))) is None
    assert prove(tuple(steps)) is None
    other = Step(6, "exe", 2)  # of another FTP connection
    assert prove((*steps[:3], other, Step(9, "irc", 9))) is None


def test_an_order_that_no_ideal_chain_has_is_refused() -> None:
    """R3: a witness that reverses two packets of one flow is an error, not a match."""
    flow = FiveTuple(TCP, "10.0.0.1", 5000, "10.9.0.1", 80)
    headers = Headers(TCP, flow.inside, 5000, flow.outside, 80, 40, True)
    chain = default_chain()
    positions: dict[tuple[str, int, Branch], int] = {("nat", 1, ()): 5, ("nat", 2, ()): 3}
    with pytest.raises(OrderError, match="overtaken"):
        run_ideal(chain, (Arrive(flow, headers),) * 2, positions)


# --------------------------------------------------------------------------- bad input


def test_cut_and_foreign_records_are_counted_not_fatal(tmp_path: Path) -> None:
    """A capture cut in the middle of a packet, with junk inside, is read as far as it goes."""
    data = bytearray((CAPTURES / "trojan_small.pcap").read_bytes())
    first = 24 + 16
    data[first + 14] = 0x41  # an IPv4 header that claims to be four octets long
    path = tmp_path / "cut.pcap"
    path.write_bytes(bytes(data[:20_005]))
    capture = load(path)
    assert capture.malformed >= 1
    assert 0 < len(capture.arrivals) == capture.read - capture.malformed


def test_a_record_shorter_than_its_headers_is_malformed(tmp_path: Path) -> None:
    """Headers that were not captured are not made up."""
    frame = (CAPTURES / "trojan_small.pcap").read_bytes()[40:68]
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 128, 1)
    path = tmp_path / "short.pcap"
    path.write_bytes(header + struct.pack("<IIII", 0, 0, len(frame), 60) + frame)
    assert load(path).malformed == 1


def test_a_capture_that_ends_within_a_packet_says_so(tmp_path: Path) -> None:
    """The packet that the file breaks off in is malformed, though its headers are whole."""
    path = tmp_path / "cut.pcap"
    path.write_bytes((CAPTURES / "trojan_small.pcap").read_bytes()[:-3])
    capture = load(path)
    assert (capture.read, capture.malformed, len(capture.arrivals)) == (1362, 1, 1361)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"hello", "not a pcap"), (b"", "not a pcap"), (None, "No such file")],
)
def test_what_is_no_capture_is_refused(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    """The error names the file and says what is wrong with it."""
    path = tmp_path / "x.pcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptureError, match=complaint):
        load(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[move]]\nat = 1", "needs the keys at, to"),
        ("[[crash]]\nat = 'x'\ninstance = 'nat.0'", "bad entry at"),
        ("cash = 1", "unknown key 'cash'"),
        ("move = 3", "list of tables"),
        ("seed = 'x'", "whole number"),
        ("seed = ", "Invalid value"),
    ],
)
def test_a_malformed_schedule_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """The error names file and place."""
    path = tmp_path / "schedule.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint) as caught:
        load_schedule(path)
    assert "schedule.toml" in str(caught.value)


def test_a_schedule_file_says_what_the_command_line_says(tmp_path: Path) -> None:
    """Both ways of writing a schedule give the same one."""
    path = tmp_path / "schedule.toml"
    path.write_text(
        "seed = 3\n[[move]]\nat = 40\nto = 'nat.1'\nselect = '10.1.0.5'\n"
        "[[crash]]\nat = 90\ninstance = 'portscan.0'\n"
    )
    moves = (MoveAt.parse("nat.1@40=10.1.0.5"),)
    assert load_schedule(path) == Schedule(moves, (CrashAt.parse("portscan.0@90"),), 3)


@pytest.mark.parametrize("text", ["nat.1", "nat.1@x", "@3"])
def test_malformed_moves_and_crashes_are_refused(text: str) -> None:
    """The error shows the form that was expected."""
    with pytest.raises(UsageError, match="not of the form"):
        MoveAt.parse(text)
    with pytest.raises(UsageError, match="not of the form"):
        CrashAt.parse(text)
