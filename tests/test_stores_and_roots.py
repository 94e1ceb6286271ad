"""Chains with several stores and roots: SPLIT-2, SPLIT-3, SPLIT-4, STORE-8."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import apply, arrive, hot, instance_of, manage, packet_of, run_of, settle, update_id

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Committed,
    Delete,
    Failed,
    Fence,
    Fenced,
    Granted,
    Move,
    MoveRequested,
    Ready,
    Received,
    Replay,
    Result,
    Send,
    Start,
)
from chc_ref.core.node import Entry, Node
from chc_ref.core.operations import Increment
from chc_ref.core.partition import home
from chc_ref.core.store import Store
from chc_ref.core.values import ObjectKey, clock_of, root_of
from chc_ref.core.work import InstanceState
from chc_ref.nfs.tiny import COUNTER, HOST, LIMIT, MARKER

SPREAD = Chain(
    (
        Vertex("count", COUNTER, 2, store="store2"),
        Vertex("mark", MARKER, 2),
    ),
    (("count", "mark"),),
    roots=3,
    entry=HOST,
)
LETTERS = "ABCDEFGHIJ"
FLOWS = [f"{letter}{number}" for number in range(2) for letter in LETTERS]
"""Two flows of each host."""


def test_a_chain_is_compiled_with_its_stores_and_roots() -> None:
    """STORE-8, SPLIT-4: each vertex knows its store, each store its vertices, all every root."""
    parts = compile_chain(SPREAD).components
    roots = ("root", "root1", "root2")
    for name, vertex, count in (("store", "mark", "count"), ("store2", "count", "mark")):
        store = parts[name]
        assert isinstance(store, Store)
        assert vertex in store.objects
        assert count not in store.objects
        assert store.roots == roots
        node = parts[f"{vertex}.0"]
        assert isinstance(node, Node)
        assert (node.instance.client.store, node.instance.roots) == (name, roots)
    for number, address in enumerate(roots):
        entry = parts[address]
        assert isinstance(entry, Entry)
        assert (entry.root.identifier, entry.stores) == (number, ("store", "store2"))
    first, later = parts["count.0"], parts["mark.0"]
    assert isinstance(first, Node)
    assert isinstance(later, Node)
    assert first.queue.upstream == first.instance.upstream == roots
    assert later.queue.upstream == ("count.0", "count.1")


def test_a_flow_enters_by_one_root() -> None:
    """SPLIT-4: by the scope of the entry, so that no flow has packets at two roots."""
    entries = {flow: SPREAD.root_for(flow) for flow in FLOWS}
    assert all(entries[f"{letter}0"] == entries[f"{letter}1"] for letter in LETTERS)
    assert set(entries.values()) == {"root", "root1", "root2"}


def test_packets_of_several_roots_go_through_several_stores() -> None:
    """STORE-8, SPLIT-4, DEL-3: every delete and every signal finds the root of its clock."""
    run = run_of(compile_chain(SPREAD))
    for number, flow in enumerate(FLOWS):
        arrive(run, SPREAD, flow, number)
    logged = [len(run.state(root).root.log) for root in SPREAD.root_addresses]
    assert sum(logged) == len(FLOWS)
    assert min(logged) > 0
    settle(run)
    outputs = run.state("sink").outputs
    assert len(outputs) == len(FLOWS)
    for output in outputs:
        assert SPREAD.root_addresses[root_of(output.clock)] == SPREAD.root_for(output.flow)
    assert [len(run.state(root).root.log) for root in SPREAD.root_addresses] == [0, 0, 0]
    kept = {
        store: {key.vertex for key, _ in run.state(store).memory.values.items()}
        for store in SPREAD.stores
    }
    assert kept == {"store": {"mark"}, "store2": {"count"}}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_signal_goes_to_the_root_of_its_clock(number: int) -> None:
    """SPLIT-4, DEL-2: the clock's upper part tells which root has logged the packet."""
    store = compile_chain(SPREAD).components["store"]
    assert isinstance(store, Store)
    clock = clock_of(number, 5)
    update = apply(clock, ObjectKey("mark", "marked", ()), Increment(), blocking=False)
    _, sends = store.step(store.initial, Received("mark.0", update))
    assert sends == [Send(("root", "root1", "root2")[number], Committed(clock, (), 1))]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_delete_goes_to_the_root_of_its_clock(number: int) -> None:
    """SPLIT-4, ROOT-3: no other root knows of the packet."""
    instance = instance_of(LIMIT, last=True, roots=("root", "root1", "root2"))
    packet = packet_of(clock_of(number, 5))
    state, _ = instance.take(InstanceState(), [("u.0", packet)])
    state, _ = instance.on_message(state, Granted("B", 0, packet.clock, (), True))
    _, effects = instance.on_message(state, Result(update_id(packet.clock), 1))
    sends = [effect for effect in effects if isinstance(effect, Send)]
    deletes = [send.to for send in sends if isinstance(send.message, Delete)]
    assert deletes == [("root", "root1", "root2")[number]]


def test_every_root_replays_and_only_one_store_is_asked() -> None:
    """STORE-8, SPLIT-4, REC-1: an instance's state is in one store, its packets in any log."""
    manager = compile_chain(SPREAD).components["manager"]
    assert isinstance(manager, Manager)
    for instance, store in (("count.0", "store2"), ("mark.0", "store")):
        state, sends = manage(manager, Failed(instance))
        assert sends == [Send(store, Fence(instance, 1))]
        began = Received(store, Fenced(instance, 1)), Received(instance, Ready(1))
        _, sends = manage(manager, *began, state=state)
        assert sends == [Send(root, Replay(instance, 2)) for root in SPREAD.root_addresses]


def test_a_store_without_a_vertex_fails_as_others_do() -> None:
    """STORE-8, REC-5: the first store has clocks and log, whether or not a vertex uses it."""
    chain = Chain((Vertex("v", COUNTER, store="store2"),), log="store", write_ahead=True)
    manager = compile_chain(chain).components["manager"]
    assert isinstance(manager, Manager)
    _, sends = manage(manager, Failed("root"))
    assert [send.to for send in sends] == ["root", "store", "store2"]
    _, sends = manage(manager, Failed("store"))
    assert sends == [Send("store", Start((), 1, ask=("root",)))]


def test_every_root_is_told_of_a_move() -> None:
    """SPLIT-3, SPLIT-4: all are splitters in front of the first vertex."""
    manager = compile_chain(SPREAD).components["manager"]
    assert isinstance(manager, Manager)
    instances = ("count.0", "count.1")
    to = next(one for one in instances if one != home("A", instances, None))
    _, sends = manage(manager, MoveRequested("count", "A", to))
    assert sends == [Send(root, Move("count", "A", 1, to)) for root in SPREAD.root_addresses]


def test_a_vertex_is_split_by_its_scope() -> None:
    """SPLIT-2, SPLIT-3: flows of one host go to one instance, whichever root they come from."""
    chain = Chain((hot(),), roots=2)
    run = run_of(compile_chain(chain))
    flows = [f"{letter}{number}" for letter in "ABCD" for number in range(4)]
    for number, flow in enumerate(flows):
        arrive(run, chain, flow, number)
    settle(run)
    tenures = run.state("store").memory.owners
    homes: dict[str, set[Any]] = {}
    for (_, flow), owner in tenures.items():
        homes.setdefault(str(flow)[0], set()).add(owner.instance)
    assert {letter: len(of) for letter, of in homes.items()} == dict.fromkeys("ABCD", 1)
    assert len({one for of in homes.values() for one in of}) == 2
    numbers = {o.flow: o.headers[-1] for o in run.state("sink").outputs}
    assert sorted(numbers[f"A{number}"] for number in range(4)) == [1, 2, 3, 4]
