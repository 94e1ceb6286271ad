"""What is over is forgotten, and that it is over is not (DUP-1, DUP-2, DEL-3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chc_ref.check.model import of_table
from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.memory import Memory
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Arrive,
    Deleted,
    Forget,
    ForgetTimer,
    Granted,
    Issued,
    Load,
    Packet,
    Poll,
    Received,
    Recollection,
    Result,
    Send,
)
from chc_ref.core.node import EntryState, Node
from chc_ref.core.operations import Increment
from chc_ref.core.recovery import restore
from chc_ref.core.root import RootState
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Map, ObjectKey, Past, UpdateId, clock_of
from chc_ref.errors import UsageError
from chc_ref.nfs.tiny import COUNTER, MARKER
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World

COUNTERS = Chain((Vertex("count", COUNTER),))
COUNT = ObjectKey("count", "count", "A")
TOTAL = ObjectKey("count", "total", ())


def _update(clock: int, key: ObjectKey = COUNT, blocking: bool = False) -> Apply:
    return Apply(UpdateId(clock, (), key, 0), Increment(), 1, blocking)


# ---------------------------------------------------------------------- the past


def test_the_past_has_gaps_where_a_root_lost_its_log() -> None:
    """ROOT-5: of what a failed root took with it nobody can say that it is over."""
    past = Past().until(1, 3).until(6, 7).until(1, 2)
    assert [clock for clock in range(9) if clock in past] == [1, 2, 3, 6, 7]
    assert past.is_one_span(1, 3)
    assert not past.is_one_span(3, 6)
    assert not past.is_one_span(4, 4)
    assert past.until(6, 9).spans == ((1, 3), (6, 9))


def test_two_roots_have_pasts_of_their_own() -> None:
    """SPLIT-4: clocks of two roots are far apart."""
    past = Past().until(clock_of(0, 1), clock_of(0, 4)).until(clock_of(1, 1), clock_of(1, 2))
    assert clock_of(0, 4) in past
    assert clock_of(1, 2) in past
    assert clock_of(0, 5) not in past
    assert clock_of(1, 3) not in past


# ---------------------------------------------------------------------- the root


def _entry(**state: Any) -> list[Send]:
    entry = compile_chain(COUNTERS).components["root"]
    return entry.step(EntryState(RootState(**state)), ForgetTimer())[1]


def _logged(*clocks: int) -> Map[int, Any]:
    return Map(dict.fromkeys(clocks))


@pytest.mark.parametrize(
    ("state", "span"),
    [
        ({"count": 5}, (1, 5)),
        ({"count": 5, "log": _logged(4, 5)}, (1, 3)),
        ({"count": 9, "log": _logged(8), "lost": 4}, (5, 7)),
        ({"count": 5, "log": _logged(1, 5)}, None),
        ({"count": 5, "lost": 5}, None),
        ({}, None),
    ],
)
def test_a_root_tells_what_is_older_than_all_it_has_logged(
    state: dict[str, Any], span: tuple[int, int] | None
) -> None:
    """DEL-3: it tells the stores, and everybody who has a queue."""
    told = [Send(to, Forget(*span)) for to in ("store", "count.0")] if span else []
    assert _entry(**state) == told


def test_a_root_that_recovers_tells_nothing() -> None:
    """REC-3: it does not know its log yet."""
    entry = compile_chain(COUNTERS).components["root"]
    state = EntryState(RootState(count=5), asked=frozenset({"store"}))
    assert entry.step(state, ForgetTimer()) == (state, [])


# ---------------------------------------------------------------------- the store


def _store() -> Store:
    store = compile_chain(COUNTERS).components["store"]
    assert isinstance(store, Store)
    return store


def _counted(clocks: tuple[int, ...]) -> Memory:
    state: StoreState = _store().initial
    for message in (Acquire("A", 0, 0), *(_update(c, k) for c in clocks for k in (COUNT, TOTAL))):
        state, _ = _store().step(state, Received("count.0", message))
    return state.memory


def test_a_store_forgets_accesses_and_keeps_the_last_value() -> None:
    """DUP-2, DUP-3: who asks for what was before a later packet still gets it."""
    memory = _counted((1, 2, 3)).forget(1, 2)
    assert {update.clock for update, _ in memory.records.items()} == {3}
    assert [update.clock for update, _ in memory.versions[COUNT]] == [2, 3]
    state = StoreState(memory)
    for clock, count, latest in ((3, 2, True), (4, 3, True)):
        _, sends = _store().step(state, Received("count.0", Acquire("A", 0, clock)))
        granted = Granted("A", 0, clock, (("count", count),), True, latest=latest)
        assert sends == [Send("count.0", granted)]


def test_a_store_keeps_what_was_before_a_gap() -> None:
    """DUP-3: packets in the gap may still come; they see what was before them."""
    memory = _counted((1, 2, 5)).forget(1, 2).forget(5, 5)
    assert [update.clock for update, _ in memory.versions[COUNT]] == [2, 5]
    _, sends = _store().step(StoreState(memory), Received("count.0", Acquire("A", 0, 4)))
    assert sends[0].message.values == (("count", 2),)


def test_a_store_refuses_what_is_over() -> None:
    """DUP-2: neither made once more, nor answered with what is not known any more."""
    before = StoreState(_counted((1, 2)).forget(1, 1))
    state, sends = _store().step(before, Received("count.0", _update(1, TOTAL, blocking=True)))
    assert state.memory.values == before.memory.values
    assert sends == [Send("count.0", Result(UpdateId(1, (), TOTAL, 0), None, known=False))]
    for peek in (False, True):
        _, sends = _store().step(before, Received("count.0", Acquire("A", 0, 1, peek)))
        assert sends == [Send("count.0", Granted("A", 0, 1, (), False, peek, over=True))]


def test_a_failover_makes_nothing_again_that_was_forgotten() -> None:
    """REC-4: a write-ahead log may still have what its checkpoint has, and has forgotten."""
    log = tuple(Issued(_update(clock), ()) for clock in (1, 2))
    recalled = Map({"count.0": Recollection(1, (("A", 0, ()),), log)})
    checkpoint = _counted((1,)).forget(1, 1)
    memory = restore(checkpoint, recalled, _store().objects, 0, AMENDED)
    assert memory.values[COUNT] == 2
    assert {update.clock for update, _ in memory.records.items()} == {2}


# ---------------------------------------------------------------------- the instance


def _node(*events: Any) -> tuple[Node, Any, list[Send]]:
    node = compile_chain(COUNTERS).components["count.0"]
    assert isinstance(node, Node)
    state: Any = node.initial
    sends: list[Send] = []
    for event in events:
        state, sends = node.step(state, event)
    return node, state, sends


def _packet(clock: int, **how: Any) -> Received:
    return Received("root", Packet(clock, "A", ("A", clock), **how))


def _granted(clock: int, count: int) -> Received:
    return Received("store", Granted("A", 0, clock, (("count", count),), True))


FORGET = Received("root", Forget(1, 1))


def test_a_queue_forgets_and_still_counts() -> None:
    """DUP-1, CHAIN-3: the statistics do not go back."""
    _, state, sends = _node(_packet(1), _packet(2), FORGET, Received("manager", Poll(7)))
    assert [key[0] for key, _ in state.queue.seen.items()] == [2]
    assert sends == [Send("manager", Load("count.0", 7, packets=2, waiting=2))]


@pytest.mark.parametrize("target", [None, "count.0"])
def test_an_instance_drops_what_is_over(target: str | None) -> None:
    """DUP-2: whoever it was for."""
    _, state, sends = _node(FORGET, _packet(1, target=target, session=1 if target else 0))
    assert sends == []
    assert not state.instance.blocked


def test_a_cache_goes_with_a_packet_that_was_dropped() -> None:
    """CLONE-2, DUP-2: the faster clone has done it, so the cache of the slower one lacks it."""
    left = Received("root", Deleted(2, (), True, 0))
    events = (_packet(2), _granted(2, 7), Received("root", Forget(3, 3)), _packet(3), left)
    _, state, _ = _node(*events)
    assert "A" not in state.instance.owned
    _, state, sends = _node(*events, _packet(4))
    assert sends == [Send("store", Acquire("A", 0, 4))]


def test_a_refused_packet_gives_way_to_the_next() -> None:
    """MOVE-5: what waited behind it is asked for."""
    refused = Received("store", Granted("A", 0, 1, (), False, over=True))
    _, state, sends = _node(_packet(1), _packet(2), refused)
    assert sends == [Send("store", Acquire("A", 0, 2))]
    _, state, sends = _node(_packet(1), refused)
    assert sends == []
    assert not state.instance.blocked


def test_a_packet_that_becomes_over_in_its_midst_is_given_up() -> None:
    """DUP-2: its result is not known any more; the next one goes on from the store's state."""
    chain = Chain((Vertex("mark", MARKER),))
    node = compile_chain(chain).components["mark.0"]
    state: Any = node.initial
    sends: list[Send] = []
    for event in (
        Received("root", Packet(1, "A", ("A", 1))),
        Received("store", Granted("A", 0, 1, (), True)),
    ):
        state, sends = node.step(state, event)
    (send,) = sends
    state, sends = node.step(state, Received("store", Result(send.message.id, None, known=False)))
    assert sends == []
    assert state.instance.work is None
    assert "A" not in state.instance.owned


# ---------------------------------------------------------------------- the whole


def _run(chain: Chain, packets: int, forget_every: int) -> Iterator[int]:
    """Give how much store and queues know after each packet."""
    run = Simulation(System(compile_chain(chain), World()))
    for clock in range(1, packets + 1):
        run.happen(run.system.index["root"], Arrive("AB"[clock % 2], (clock,)))
        while run.busy:
            run.deliver(min(run.busy))
        if clock % forget_every == 0:
            run.happen(run.system.index["root"], ForgetTimer())
            while run.busy:
                run.deliver(min(run.busy))
        memory = run.state("store").memory
        versions = sum(len(of) for _, of in memory.versions.items())
        yield len(memory.records) + versions + len(run.state("count.0").queue.seen)


def test_what_is_known_is_bounded_by_what_is_in_the_chain() -> None:
    """DUP-2: "each packet still in the chain"; without forgetting it grows with the input."""
    assert max(_run(COUNTERS, 60, 3)) < 20
    assert max(_run(COUNTERS, 60, 100)) > 200


def test_forgetting_and_drawing_do_not_go_together_in_a_model() -> None:
    """STORE-9: the requirements know what was drawn from the store's records."""
    table = {
        "vertices": [{"name": "draw", "nf": "draw"}],
        "packets": ["A"],
        "forgets": ["root"],
    }
    with pytest.raises(UsageError, match="'lot' is drawn"):
        of_table(Path("model"), table)
    with pytest.raises(UsageError, match="forgets names an unknown"):
        of_table(Path("model"), {**table, "forgets": ["stone"]})
