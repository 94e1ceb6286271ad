"""The chain on real processes, one of which is killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from chc_ref.core.messages import Arrive
from chc_ref.core.values import ObjectKey
from chc_ref.errors import UsageError
from chc_ref.net.demo import DemoResult, run_demo

FLOWS = 10
PACKETS = tuple(Arrive(f"f{at % FLOWS}", (f"p{at}",)) for at in range(200))
LIMIT_S = 60.0
"""A run takes about three seconds; a loaded host gets time."""


def check(result: DemoResult, crashes: int) -> None:
    """Compare with what one counter gives: REC-2 allows one lost output for each crash."""
    assert not result.inconclusive
    assert (result.packets, result.dropped) == (len(PACKETS), 0)
    each = len(PACKETS) // FLOWS
    want = {ObjectKey("counter", "count", f"f{flow}"): each for flow in range(FLOWS)}
    assert result.values == {**want, ObjectKey("counter", "total", ()): len(PACKETS)}
    assert not result.alerts
    clocks = [output.clock for output in result.outputs]
    assert [clock for clock, times in Counter(clocks).items() if times > 1] == []
    assert len(clocks) >= len(PACKETS) - crashes
    by_flow = defaultdict(list)
    for output in result.outputs:
        assert output.headers == (f"p{output.clock - 1}", (output.clock - 1) // FLOWS + 1)
        by_flow[output.flow].append(output.clock)
    assert all(of == sorted(of) for of in by_flow.values())


def test_a_killed_instance_is_recovered() -> None:
    result = run_demo(PACKETS, limit_s=LIMIT_S)
    assert result.crashed == ("counter.0",)
    check(result, 1)


def test_a_process_ends_when_its_parent_closes_the_pipe() -> None:
    config = {"component": "store", "incarnation": 1, "chain": "chc_ref.net.demo:counter_chain"}
    for line in (b"", b"{}\n"):
        process = subprocess.Popen(
            [sys.executable, "-m", "chc_ref.net.node", json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        out, _ = process.communicate(line, timeout=30)
        assert out.strip().isdigit()
        assert process.returncode == 0


@pytest.mark.thorough
def test_a_run_without_end_is_inconclusive() -> None:
    result = run_demo(PACKETS, limit_s=0.01)
    assert result.inconclusive
    assert result.outputs == ()


@pytest.mark.parametrize(
    ("chain", "crashes"),
    [
        ("chc_ref.net.demo:counter_chain", ((3, "counter.7"),)),
        ("chc_ref.net.demo:no_such_chain", ()),
        ("chc_ref.net.no_such_module:chain", ()),
        ("chc_ref.net.demo:DemoResult.fields", ()),
        ("nothing", ()),
    ],
)
def test_a_wrong_argument_is_refused(chain: str, crashes: tuple[tuple[int, str], ...]) -> None:
    with pytest.raises(UsageError):
        run_demo(PACKETS, chain, crashes=crashes)
