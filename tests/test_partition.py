"""Scope-aware partitioning (SPLIT-1, SPLIT-2), on made-up and on real traffic."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from captured import arrivals_of
from hypothesis import given, strategies as st

from chc_ref.core.operations import Scope
from chc_ref.core.partition import measure, partition
from chc_ref.errors import UsageError


def _host(flow: Any) -> Any:
    return flow.inside if hasattr(flow, "inside") else flow[0]


FLOW = Scope("flow", lambda flow: flow)
HOST = Scope("host", _host)
ALL = Scope("all", lambda flow: 0)
SCOPES = (FLOW, HOST, ALL)
FOUR = ("v.0", "v.1", "v.2", "v.3")

loads = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 50)), st.integers(1, 100), min_size=1, max_size=60
)


@given(loads, st.integers(1, 4), st.floats(1.0, 3.0))
def test_refines_only_while_uneven(
    load: dict[tuple[int, int], int], count: int, evenness: float
) -> None:
    """SPLIT-2: every scope but the last one tried was uneven; coarser ones came first."""
    result = partition(load, SCOPES, FOUR[:count], evenness)
    names = [split.scope.name for split in result.tried]
    assert names == ["all", "host", "flow"][: len(names)]
    assert all(split.imbalance > evenness for split in result.tried[:-1])
    assert result.tried[-1].imbalance <= evenness or names[-1] == "flow"


@given(loads, st.integers(1, 4))
def test_a_scope_never_shares_its_own_state(load: dict[tuple[int, int], int], count: int) -> None:
    """SPLIT-1: flows of one key of the scope, or of a coarser split, stay together."""
    for at, scope in enumerate(SCOPES):
        shared = dict(measure(load, scope, SCOPES, FOUR[:count]).shared)
        assert all(shared[finer.name] == 0.0 for finer in SCOPES[: at + 1])


@given(loads)
def test_each_flow_goes_to_exactly_one_instance(load: dict[tuple[int, int], int]) -> None:
    """SPLIT-2, SPLIT-3: the route is a function of the flow."""
    result = partition(load, SCOPES, FOUR)
    assert all(result.route(flow) == result.route(flow) in FOUR for flow in load)


def test_an_even_coarse_scope_is_kept() -> None:
    """SPLIT-2: no state is shared without need."""
    load = {(host, port): 1 for host in range(200) for port in range(3)}
    assert partition(load, (FLOW, HOST), FOUR, evenness=1.5).scope is HOST
    one_host = {(1, port): 1 for port in range(200)}
    assert partition(one_host, (FLOW, HOST), FOUR, evenness=1.5).scope is FLOW


@pytest.mark.parametrize("name", ["trojan_small", "portscan_small"])
@pytest.mark.parametrize("count", [2, 4])
def test_real_traffic(name: str, count: int) -> None:
    """SPLIT-2: on captures a finer scope is evener and shares more; ``pytest -s`` prints both."""
    load = Counter(arrival.flow for arrival in arrivals_of(name))
    splits = [measure(load, scope, SCOPES, FOUR[:count]) for scope in SCOPES]
    for split in splits:
        shared = ", ".join(f"{scope} {share:.0%}" for scope, share in split.shared)
        print(f"{name} / {count}: {split.scope.name}: {split.imbalance:.2f}; shared {shared}")
    flow, host, whole = splits
    assert flow.imbalance < host.imbalance < whole.imbalance == count
    assert dict(flow.shared)["host"] > 0.0
    assert dict(host.shared)["host"] == 0.0


@pytest.mark.parametrize(
    ("scopes", "instances", "evenness", "complaint"),
    [
        ((), FOUR, 1.2, "empty scope"),
        (SCOPES, (), 1.2, "no instances"),
        (SCOPES, FOUR, 0.5, "at least 1.0"),
    ],
)
def test_malformed_partitions_are_refused(
    scopes: tuple[Scope, ...], instances: tuple[str, ...], evenness: float, complaint: str
) -> None:
    """CHAIN-4: the error names the fault."""
    with pytest.raises(UsageError, match=complaint):
        partition({(1, 1): 1}, scopes, instances, evenness)
