"""Scopes and access patterns of the four NFs, partitioning of captures, replays under splits."""

from __future__ import annotations

import functools
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from captured import TRUTH, arrivals_of

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import Apply, Arrive, Packet, Received
from chc_ref.core.node import Entry, Node
from chc_ref.core.operations import (
    FLOW,
    Access,
    Increment,
    NetworkFunction,
    Outcome,
    Pattern,
    Pop,
    Process,
    StateObject,
    Strategy,
)
from chc_ref.core.splitter import SplitterState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Map, ObjectKey, UpdateId
from chc_ref.errors import UsageError
from chc_ref.nfs.headers import HOST, RST, SYN, TCP, FiveTuple, Headers
from chc_ref.nfs.load_balancer import LOAD_BALANCER, Pool, load_balancer
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.trojan import TROJAN
from chc_ref.replay import traffic
from chc_ref.replay.report import vertices
from chc_ref.replay.run import default_chain, replay
from chc_ref.replay.schedule import CrashAt, MoveAt, Schedule
from chc_ref.require.witness import Witness

COARSEST = {"nat": "flow", "portscan": "host", "load_balancer": "service", "trojan": "host"}


@functools.cache
def _of_default_chain(name: str) -> dict[str, traffic.Traffic]:
    return traffic.observe(default_chain(), arrivals_of(name))


def _split(splits: dict[str, str], instances: int = 2) -> Chain:
    chain = default_chain(instances)
    return attrs.evolve(
        chain, vertices=tuple(attrs.evolve(v, split=splits[v.name]) for v in chain.vertices)
    )


# --------------------------------------------------------------------------- Table 4

TABLE_4 = {
    ("nat", "free_ports"): (False, Pattern.BOTH, Strategy.ALONE),
    ("nat", "total_tcp_packets"): (False, Pattern.WRITE_MOSTLY, Strategy.OFFLOADED),
    ("nat", "total_packets"): (False, Pattern.WRITE_MOSTLY, Strategy.OFFLOADED),
    ("nat", "mapping"): (True, Pattern.READ_MOSTLY, Strategy.OWNED),
    ("trojan", "history"): (False, Pattern.BOTH, Strategy.ALONE),
    ("portscan", "likelihood"): (False, Pattern.BOTH, Strategy.ALONE),
    ("portscan", "attempt"): (True, Pattern.BOTH, Strategy.OWNED),
    ("load_balancer", "load"): (False, Pattern.BOTH, Strategy.ALONE),
    ("load_balancer", "bytes"): (False, Pattern.WRITE_MOSTLY, Strategy.OFFLOADED),
    ("load_balancer", "server"): (True, Pattern.READ_MOSTLY, Strategy.OWNED),
}
"""The paper's Table 4, and what Table 1 makes of it."""


def test_the_objects_are_those_of_table_4() -> None:
    """NF-1..4, CACHE-1..4: scope and access pattern are the paper's, and so the strategy."""
    found = {
        (nf.name, o.name): (o.per_flow, o.pattern, o.strategy)
        for nf in (NAT, TROJAN, PORTSCAN, LOAD_BALANCER)
        for o in nf.objects
    }
    session = found.pop(("trojan", "session"))  # it is not in the table: our detector needs it
    assert session == (True, Pattern.BOTH, Strategy.OWNED)
    assert found == TABLE_4


@pytest.mark.parametrize("name", ["trojan_small", "portscan_small"])
def test_every_object_is_keyed_by_the_scope_that_it_names(name: str) -> None:
    """SPLIT-1: read off all accesses that a capture causes; one wrong name is found."""
    chain, seen = default_chain(), _of_default_chain(name)
    for vertex in chain.vertices:
        assert seen[vertex.name].load.total() > 0
        assert traffic.misdeclared(vertex, seen[vertex.name]) == []
    scan = next(v for v in chain.vertices if v.name == "portscan")
    likelihood, attempt = PORTSCAN.objects
    wrong = attrs.evolve(PORTSCAN, objects=(attrs.evolve(likelihood, scope="flow"), attempt))
    lying = attrs.evolve(scan, nf=wrong)
    assert traffic.misdeclared(lying, seen["portscan"]) == ["likelihood"]


def test_a_service_is_a_pool_or_a_server() -> None:
    """NF-4, SPLIT-1: no two services have a server in common, so a split by service is clean."""
    pool = Pool.parse("10.9.0.0/30:80")
    flow, service = load_balancer((pool,)).scopes
    one, other = (FiveTuple(6, "10.0.0.1", 5, f"10.9.0.{n}", 80) for n in (0, 3))
    outside = FiveTuple(6, "10.0.0.1", 5, "10.9.0.3", 81)
    assert flow is FLOW
    assert service.key(one) == service.key(other) == "10.9.0.0/30:80"
    assert service.key(outside) == "10.9.0.3:81"
    with pytest.raises(UsageError, match=r"10\.9\.0\.0/30:80 and 10\.9\.0\.2/31:80"):
        load_balancer((pool, Pool.parse("10.9.0.2/31:80")))
    load_balancer((pool, Pool.parse("10.9.0.2/31:81")))


def test_loads_of_a_pool_are_one_object() -> None:
    """NF-4: connections of a pool come and go in the pool's own object."""
    pool = Pool.parse("10.9.0.0/31:80")
    flows = [FiveTuple(TCP, "10.0.0.1", 5000 + n, "10.9.0.0", 80) for n in range(4)]
    opened = [Arrive(f, Headers(TCP, f.inside, 1, f.outside, 80, 40, True, SYN)) for f in flows]
    closed = [Arrive(f, Headers(TCP, f.inside, 1, f.outside, 80, 40, True, RST)) for f in flows[:3]]
    chain = Chain((Vertex("lb", load_balancer((pool,)), 2, split="service"),))
    result = replay(chain, (*opened, *closed), Schedule())
    assert result.difference is None
    (load,) = (of for key, of in result.values.items() if key.name == "load")
    assert sorted(one.active for _, one in load.items()) == [0, 1]
    assert [one.total for _, one in load.items()] == [2, 2]


# --------------------------------------------------------------------------- partitioning


def _crc(key: object, count: int) -> int:
    return zlib.crc32(str(key).encode()) % count


def _recomputed(arrivals: Iterable[Arrive], count: int, by_host: bool) -> tuple[float, int, int]:
    """Give imbalance, hosts and hosts at several instances, by code of its own."""
    loads, places = Counter[int](), defaultdict(set)
    for arrival in arrivals:
        flow = arrival.flow
        place = _crc(flow.inside if by_host else flow, count)  # type: ignore[attr-defined]
        loads[place] += 1
        places[flow.inside].add(place)  # type: ignore[attr-defined]
    several = sum(len(of) > 1 for of in places.values())
    return max(loads.values()) * count / loads.total(), len(places), several


ALONE = Chain((Vertex("portscan", PORTSCAN),))


@functools.cache
def _observed(arrivals: tuple[Arrive, ...]) -> dict[str, traffic.Traffic]:
    return traffic.observe(ALONE, arrivals)


def _partitioned(arrivals: tuple[Arrive, ...], count: int) -> dict[str, Any]:
    seen = _observed(arrivals)
    (found,) = traffic.as_data(ALONE, seen, count)["vertices"]
    return dict(found)


@pytest.mark.parametrize("name", ["trojan_small", "portscan_small"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_shares_are_those_of_the_packets(name: str, count: int) -> None:
    """SPLIT-1, SPLIT-2: imbalance and shared state, as a count of its own has them."""
    arrivals = arrivals_of(name)
    found = _partitioned(arrivals, count)
    assert [one["scope"] for one in found["scopes"]] == ["host", "flow"]
    for one in found["scopes"]:
        imbalance, hosts, several = _recomputed(arrivals, count, one["scope"] == "host")
        assert one["imbalance"] == pytest.approx(imbalance)
        assert one["objects"]["likelihood"] == {"keys": hosts, "shared": several}
        assert one["shared_keys"]["host"] == pytest.approx(several / hosts)
        assert one["objects"]["attempt"]["shared"] == 0
        assert (one["shared_accesses"] > 0) == (several > 0)
    by_host = _recomputed(arrivals, count, True)[0]
    assert found["chosen"] == ("host" if by_host <= traffic.EVENNESS else "flow")


@pytest.mark.parametrize("name", ["trojan_small", "portscan_small"])
def test_one_heavy_host_refines_and_an_even_load_does_not(name: str) -> None:
    """SPLIT-2: the split by host is kept while it is even, and given up for one heavy host."""
    by_host: dict[str, list[Arrive]] = defaultdict(list)
    for arrival in arrivals_of(name):
        by_host[arrival.flow.inside].append(arrival)  # type: ignore[attr-defined]
    halves: list[list[str]] = [[], []]
    for host in sorted(by_host):
        halves[_crc(host, 2)].append(host)
    pairs = list(zip(*halves, strict=False))
    assert len(pairs) >= 2
    most = min(len(by_host[host]) for pair in pairs for host in pair)
    even = tuple(a for pair in pairs for host in pair for a in by_host[host][:most])
    assert _partitioned(even, 2)["chosen"] == "host"
    heavy = max(by_host, key=lambda host: len({a.flow for a in by_host[host]}))
    lopsided = even + 5 * tuple(by_host[heavy])
    found = _partitioned(lopsided, 2)
    assert found["chosen"] == "flow"
    assert [one["tried"] for one in found["scopes"]] == [True, True]
    host, flow = (one["imbalance"] for one in found["scopes"])
    assert host > traffic.EVENNESS
    assert flow < host
    assert found["even"] == (flow <= traffic.EVENNESS)


def test_a_vertex_is_judged_by_what_reaches_it() -> None:
    """SPLIT-2: a blocked scanner is no load of the vertices behind the detector."""
    seen = _of_default_chain("portscan_small")
    before, behind = (seen[name].load for name in ("portscan", "load_balancer"))
    (blocked,) = {f.inside for f in before if behind[f] < before[f]}  # type: ignore[attr-defined]
    assert [blocked] == TRUTH["portscan_small"]["blocked"]


def test_a_vertex_without_scopes_is_split_by_flow() -> None:
    """SPLIT-1: no scope stands for the whole flow; no traffic at all is even."""

    def process(headers: Any, flow: Any, clock: int) -> Process:
        yield from ()
        return Outcome((headers,))

    chain = Chain((Vertex("v", NetworkFunction("plain", (), process), 2),))
    (found,) = traffic.as_data(chain, traffic.observe(chain, ()))["vertices"]
    assert (found["chosen"], found["even"], found["packets"]) == ("flow", True, 0)


# --------------------------------------------------------------------------- routes and replays


def test_all_splitters_send_a_host_to_one_instance() -> None:
    """SPLIT-2, SPLIT-3: whichever NAT a flow of the host went through."""
    physical = compile_chain(_split(COARSEST, 3))
    flows = {arrival.flow for arrival in arrivals_of("portscan_small")}
    homes: dict[str, set[str]] = defaultdict(set)
    for address in physical.instances["nat"]:
        node = physical.components[address]
        assert isinstance(node, Node | Entry)
        for flow in flows:
            _, sends = node.splitter.on_packet(SplitterState(), Packet(1, flow, "x"), ("x",))
            to = next(send.to for send in sends if send.to.startswith("portscan"))
            homes[flow.inside].add(to)  # type: ignore[attr-defined]
    assert homes == {host: {f"portscan.{_crc(host, 3)}"} for host in homes}
    assert len(set.union(*homes.values())) == 3


def test_a_scanner_is_found_under_a_split_by_host() -> None:
    """NF-2, CACHE-4, R3: its likelihood is in one instance's cache, through crashes."""
    chain = Chain((Vertex("portscan", PORTSCAN, 2, split="host"),))
    schedule = Schedule((), (CrashAt(1700, "portscan.0"), CrashAt(1900, "portscan.1")), seed=2)
    result = replay(chain, arrivals_of("portscan_small"), schedule)
    assert result.difference is None
    blocked = vertices(chain, result.values)["portscan"]["blocked_hosts"]
    assert blocked == TRUTH["portscan_small"]["blocked"]


FINEST = dict.fromkeys(COARSEST, "flow")


@pytest.mark.parametrize(("splits", "instances"), [(COARSEST, 1), (COARSEST, 3), (FINEST, 3)])
def test_any_split_leaves_no_trace(splits: dict[str, str], instances: int) -> None:
    """COE, CACHE-4: one instance caches all that it may, three by flow none of what is shared."""
    chain = _split(splits, instances)
    moves = (MoveAt(100, f"portscan.{instances - 1}"),)
    schedule = Schedule(moves, (CrashAt(150, "nat.0"), CrashAt(180, "load_balancer.0")), seed=5)
    result = replay(chain, arrivals_of("portscan_small", 250), schedule)
    assert result.difference is None
    assert set(result.crashed) == {"nat.0", "load_balancer.0"}


def test_a_wrong_scope_makes_the_chain_differ() -> None:
    """CACHE-4, COE: instances that share a key by mistake count it each for itself."""

    def number(headers: Any, flow: Any, clock: int) -> Process:
        count = yield Access("count", Increment(), key=flow.inside)
        return Outcome(((headers, count),))

    def chain(scope: str) -> Chain:
        counted = StateObject("count", False, 0, 1, True, Pattern.BOTH, scope=scope)
        nf = NetworkFunction("number", (counted,), number, (FLOW, HOST))
        return Chain((Vertex("number", nf, 2, split=scope),))

    flows = dict.fromkeys(arrival.flow for arrival in arrivals_of("portscan_small", 60))
    one, other = (next(f for f in flows if _crc(f, 2) == half) for half in (0, 1))
    assert one.inside == other.inside  # type: ignore[attr-defined]
    arrivals = tuple(Arrive(flow, number) for number in range(10) for flow in (one, other))
    assert replay(chain("host"), arrivals, Schedule()).difference is None
    wrong = replay(chain("flow"), arrivals, Schedule()).difference
    assert wrong is not None
    assert (wrong.requirement, wrong.where.partition(" ")[0]) == ("COE", "output")


def test_what_a_dead_sender_left_behind_is_no_witness() -> None:
    """COE: an update that the store refused, since its sender is dead, has no place in the order.

    It is made once more in the replay, and behind others: with the first place kept, the ideal
    chain gave ports in another order than the store.
    """
    witness = Witness(default_chain())
    update = UpdateId(1, (), ObjectKey("nat", "free_ports", ()), 0)
    fenced = StoreState(fences=Map({"nat.0": 3}))
    witness("store", fenced, Received("nat.0", Apply(update, Pop(), 1, True, start=0)))
    assert witness.positions == {}
    witness("store", fenced, Received("nat.0", Apply(update, Pop(), 1, True, start=3)))
    assert witness.positions == {("nat", 1, ()): 0}
