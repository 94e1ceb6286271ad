"""The root, chains and their compilation: each rule that they decide by themselves.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

from fractions import Fraction

import attrs
import pytest

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import (
    Arrive,
    ClockPersisted,
    Committed,
    Delete,
    Deleted,
    PersistClock,
    Replay,
    ReplayEnd,
    Send,
)
from chc_ref.core.operations import (
    StateObject,
)
from chc_ref.core.root import Root, RootState
from chc_ref.errors import ModelError, UsageError
from chc_ref.nfs.tiny import COUNTER, PASS
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World


def test_clocks_are_unique_and_increase_by_one() -> None:
    """ROOT-1: one for each input packet, in order of arrival."""
    root, state = Root(), RootState()
    clocks: list[int] = []
    for _ in range(5):
        state, packets, _ = root.on_arrival(state, Arrive("A", "x"))
        clocks += [packet.clock for packet in packets]
    assert clocks == [1, 2, 3, 4, 5]


def test_input_above_the_threshold_is_dropped_before_it_gets_a_clock() -> None:
    """ROOT-4: dropped and counted; the next one in gets the next clock."""
    root, state = Root(capacity=2), RootState()
    clocks = []
    for _ in range(3):
        state, packets, _ = root.on_arrival(state, Arrive("A", "x"))
        clocks += [packet.clock for packet in packets]
    assert (clocks, state.dropped) == ([1, 2], 1)
    state, _ = root.on_delete(state, Delete(1, (), Fraction(1), (((), 0),), 0))
    _, packets, _ = root.on_arrival(state, Arrive("A", "x"))
    assert [packet.clock for packet in packets] == [3]


def test_a_clock_is_persisted_before_its_packet_leaves() -> None:
    """ROOT-5: every n-th packet waits for the store, and those behind it too; one request."""
    root, state = Root(persist_every=2), RootState()
    state, first, _ = root.on_arrival(state, Arrive("A", 1))
    state, second, asked = root.on_arrival(state, Arrive("A", 2))
    state, third, again = root.on_arrival(state, Arrive("A", 3))
    assert ([p.clock for p in first], second, third) == ([1], [], [])
    assert (asked, again) == ([Send("store", PersistClock(2))], [])
    state, released, _ = root.on_persisted(state, ClockPersisted(2))
    assert [packet.clock for packet in released] == [2, 3]
    assert root.on_persisted(state, ClockPersisted(2)) == (state, [], [])


def test_a_recovered_root_gives_no_clock_twice() -> None:
    """ROOT-5: it goes on n above the persisted clock."""
    assert Root(persist_every=4).recovered(8).count == 11
    with pytest.raises(UsageError, match="persists no clock"):
        Root().recovered(0)


def test_the_log_drops_a_packet_when_all_shares_ended_and_all_is_committed() -> None:
    """ROOT-3, DEL-3: in whatever order deletes and signals come, doubled ones included."""
    root = Root()
    logged, _, _ = root.on_arrival(RootState(), Arrive("A", "x"))
    half = Fraction(1, 2)
    left = Delete(1, (0,), half, (((), 1), ((0,), 2)), 0)
    right = Delete(1, (1,), half, (((), 1), ((1,), 2)), 0)
    signals = [Committed(1, (), 1), Committed(1, (0,), 2), Committed(1, (1,), 2)]
    state = logged
    for delete in (left, left, right):
        state, _ = root.on_delete(state, delete)
    for signal in signals[:2]:
        state = root.on_committed(state, signal)
    assert 1 in state.log
    assert 1 not in root.on_committed(state, signals[2]).log


def test_only_the_first_delete_of_a_branch_lets_the_output_leave() -> None:
    """REC-2: the answer says which it was, also once the packet is gone from the log."""
    root = Root()
    state, _, _ = root.on_arrival(RootState(), Arrive("A", "x"))
    delete = Delete(1, (), Fraction(1), (((), 0),), 5)
    state, first = root.on_delete(state, delete)
    _, second = root.on_delete(state, delete)
    assert [send.message for send in first + second] == [
        Deleted(1, (), True, 5),
        Deleted(1, (), False, 5),
    ]


def test_a_replay_is_the_log_in_clock_order() -> None:
    """CLONE-2, DUP-3: every packet carries its target; the end says how far it reaches."""
    root, state = Root(), RootState()
    for number in range(12):
        state, _, _ = root.on_arrival(state, Arrive("A", number))
    state, _ = root.on_delete(state, Delete(4, (), Fraction(1), (((), 0),), 0))
    packets, end = root.replay(state, Replay("v.1", 3))
    assert [packet.clock for packet in packets] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert {(packet.target, packet.session) for packet in packets} == {("v.1", 3)}
    assert end == ReplayEnd("v.1", 3, 12)


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        (Chain(()), "no vertices"),
        (Chain((Vertex("a", PASS), Vertex("a", PASS))), "two vertices are called 'a'"),
        (Chain((Vertex("store", PASS),)), "reserved"),
        (Chain((Vertex("a b", PASS),)), "not a plain word"),
        (Chain((Vertex("a", PASS, 0),)), "at least one instance"),
        (Chain((Vertex("a", PASS),), (("a", "b"),)), "unknown vertex 'b'"),
        (Chain((Vertex("a", PASS), Vertex("b", PASS)), (("a", "b"), ("b", "a"))), "cycle: "),
    ],
)
def test_a_malformed_chain_is_refused(chain: Chain, complaint: str) -> None:
    """CHAIN-4: the error names the fault."""
    with pytest.raises(UsageError, match=complaint):
        compile_chain(chain)


def test_every_access_has_a_token_of_its_own() -> None:
    """DEL-1: no two accesses of a chain share a bit."""
    physical = compile_chain(Chain((Vertex("a", COUNTER), Vertex("b", COUNTER)), (("a", "b"),)))
    bits = [
        bit
        for address in ("a.0", "b.0")
        for _, bit in physical.components[address].instance.tokens.items()  # type: ignore[attr-defined]
    ]
    assert len(set(bits)) == len(bits) == 4


def test_an_access_beyond_the_declared_ones_is_a_fault_of_the_nf() -> None:
    """DEL-1: it would use another access's token."""
    greedy = attrs.evolve(COUNTER, objects=(StateObject("count", True, initial=0, accesses=0),))
    system = System(compile_chain(Chain((Vertex("a", greedy),))), World())
    run = Simulation(system)
    run.happen(system.index["root"], Arrive("A", ("A",)))
    with pytest.raises(ModelError, match=r"raise StateObject\.accesses"):
        _exhaust(run)


def _exhaust(run: Simulation) -> None:
    while run.busy:
        run.deliver(min(run.busy))
