"""Rules that nothing else held, found by mutation testing, of the store.

One smallest situation for each (docs/mutation.md); each test names its clause.
"""

from __future__ import annotations

from typing import Any

import attrs
from smallest import (
    KEYS,
    TWO,
    a_delete,
    a_packet,
    an_access,
    an_addition,
    arrived,
)

from chc_ref.core.memory import Memory, Owner
from chc_ref.core.messages import (
    Acquire,
    Answered,
    Checkpointed,
    CheckpointTimer,
    Committed,
    Crashed,
    Fence,
    Inquire,
    LogEntry,
    Logged,
    Packet,
    Poll,
    Ready,
    Received,
    Recollection,
    Release,
    Remembered,
    Result,
    Send,
    Stamp,
    Start,
    WriteLog,
)
from chc_ref.core.operations import (
    Get,
)
from chc_ref.core.recovery import restore
from chc_ref.core.root import Root
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import Store
from chc_ref.core.values import (
    Map,
    Past,
    clock_of,
    evolve,
    sorted_items,
)


def test_an_instance_holds_what_it_owns() -> None:
    """CHAIN-3: and nothing that another one does, or that is another vertex'."""
    at = {("v", "A"): "v.0", ("v", "B"): "v.1", ("w", "C"): "w.0", ("v", "D"): "v.0"}
    owners: Map[Any, Owner] = Map({key: Owner(one) for key, one in at.items()})
    assert Memory(owners=owners).held_by("v.0") == ("A", "D")


def test_objects_are_recovered_one_by_one() -> None:
    """REC-5: a read of one object says nothing of another, nor which of its updates are in."""
    log = (an_addition(1, "b"), an_addition(1, "a"), an_addition(2, "a"), an_addition(3, "b"))
    seen = Stamp(2, 2, (("v.0", log[2].access.id, 2),))
    users = Map({"v.0": Recollection(1, issued=log, reads=((KEYS["a"], seen),))})
    memory = restore(Memory(), users, Map({"v": TWO}), 0, AMENDED)
    assert (memory.values[KEYS["a"]], memory.values[KEYS["b"]]) == (2, 12)
    assert (memory.stamp(KEYS["a"]).version, memory.stamp(KEYS["b"]).version) == (2, 2)


def _stored(*events: Any, stamps: bool = True) -> tuple[Store, Any, list[Send]]:
    store = Store(Map({"v": TWO}), stamps=stamps)
    state: Any = store.initial
    sends: list[Send] = []
    for event in events:
        state, sends = store.step(state, event)
    return store, state, sends


def test_what_is_no_update_commits_nothing() -> None:
    """DEL-2, REC-5: neither a read, nor an emulation; and of neither a log may be trimmed."""
    read, update = an_access("a", operation=Get()), an_access("b")
    _, state, sends = _stored(Received("v.0", read))
    assert [send.to for send in sends] == ["v.0"]
    assert sends[0].message.stamp == Stamp(0, None, ())
    assert state.memory.records[read.id].token == 0
    _, state, sends = _stored(Received("v.0", attrs.evolve(update, emulate=True)))
    assert [(send.message.known, send.message.stamp) for send in sends] == [(False, None)]
    assert not dict(state.memory.applied.items())
    _, state, _ = _stored(Received("v.0", update), stamps=False)
    assert not dict(state.memory.applied.items()), "nobody keeps a log"
    assert not dict(state.memory.stamps.items())
    _, state, _ = _stored(Received("v.0", update))
    assert state.memory.stamp(update.id.object).version == 1


def test_the_log_of_a_root_is_kept_as_it_was_written() -> None:
    """ROOT-2, REC-2: entries, the clock, and the newest delete that lets an output leave."""
    entries = [LogEntry(a_packet(clock)) for clock in (1, 2)]
    answered = Answered("v.0", 1, (), 0)
    writes = [WriteLog(at + 1, at + 1, entry) for at, entry in enumerate(entries)]
    writes.append(WriteLog(3, 1, None, answered))
    events = [Received("root", write) for write in writes]
    _, _, sends = _stored(*events, Received("root", Inquire(7)))
    assert sends == [Send("root", Remembered(7, 2, (entries[1],), (), (answered,)))]


def test_a_store_recovers_when_all_have_told_that_live() -> None:
    """REC-5, REC-7: whoever is voided tells nothing; what came meanwhile is done once."""
    begin = [Crashed(), Received("manager", Start((), 4, ask=("v.0", "v.1")))]
    fence, late = Received("manager", Fence("v.1", 5)), Received("v.0", an_access("a"))
    told = Received("v.0", Recollection(4))
    _, state, sends = _stored(*begin, late, fence, told)
    assert [type(send.message) for send in sends[:1]] == [Ready]
    assert (state.asked, state.aside) == (frozenset(), ())
    assert state.memory.values[an_access("a").id.object] == 1
    assert state.checkpoint == state.memory
    _, state, _ = _stored(*begin, late, fence, told, stamps=False)
    assert state.checkpoint == Memory(), "without stamps none is written"


def test_values_are_changed_and_sorted_by_name() -> None:
    """What every step is made of: a class of one field too, and items by key."""
    assert evolve(Poll(1), number=2) == Poll(2)
    assert sorted_items(Map({2: "a", 1: "b"})) == [(1, "b"), (2, "a")]


def test_a_user_that_comes_late_is_heard() -> None:
    """REC-7: whatever it asked in vain is done; of an earlier recovery, nothing is."""
    begin = [Crashed(), Received("manager", Start((), 4))]
    for session, applied in ((4, True), (3, False), (5, False)):
        told = Received("v.0", Recollection(session, again=(an_access("a"),)))
        _, state, sends = _stored(*begin, told)
        assert (an_access("a").id in state.memory.records) == applied
        assert bool(sends) == applied


def test_each_root_is_told_of_its_own_packets() -> None:
    """SPLIT-4, REC-3: entries, signals and clock; a write without a number needs no answer."""
    store = attrs.evolve(_stored()[0], roots=("root", "root1"))
    state, kept = store.initial, {}
    for at, name in enumerate(store.roots):
        packet = Packet(clock_of(at, 1), "A", ())
        kept[name] = LogEntry(packet)
        update = attrs.evolve(
            an_access("a"), id=attrs.evolve(an_access("a").id, clock=packet.clock)
        )
        state, _ = store.step(state, Received("v.0", update))
        write = Received(name, WriteLog(0, packet.clock, kept[name]))
        assert store.step(state, write)[1] == []
        write = Received(name, WriteLog(2, packet.clock, kept[name]))
        state, sends = store.step(state, write)
        assert sends == [Send(name, Logged(2))]
    for name, entry in kept.items():
        signal = Committed(entry.packet.clock, (), 1)
        _, sends = store.step(state, Received(name, Inquire(7)))
        assert sends == [Send(name, Remembered(7, 1, (entry,), (signal,), ()))]
    _, sends = store.step(store.initial, Received("root", Inquire(7)))
    assert sends[0].message.persisted == 0


def test_a_checkpoint_is_written_by_a_store_that_runs() -> None:
    """REC-5: one that recovers has nothing to write down yet."""
    _, state, sends = _stored(Received("v.0", an_access("a")), CheckpointTimer())
    assert state.checkpoint == state.memory
    assert sends == [Send("v.0", Checkpointed(an_access("a").id, 0))]
    begin = Crashed(), Received("manager", Start((), 4, ask=("v.0",)))
    store, state, _ = _stored(Received("v.0", an_access("a")), CheckpointTimer(), *begin)
    assert store.step(state, CheckpointTimer())[0] == state


def test_who_only_looks_owns_nothing() -> None:
    """DUP-3, STORE-2."""
    _, state, sends = _stored(Received("v.0", Acquire("A", 0, 2, peek=True)))
    assert [send.message.owned for send in sends] == [False]
    assert not dict(state.memory.owners.items())


def test_a_span_ends_at_both_its_ends() -> None:
    """DUP-2: of two clocks in no order."""
    past = Past(((3, 5), (8, 9)))
    assert past.is_one_span(5, 3)
    assert past.is_one_span(3, 5)
    for one, other in ((4, 2), (4, 6), (4, 8), (6, 7)):
        assert not past.is_one_span(one, other)


def test_a_recovered_store_has_what_its_users_remember() -> None:
    """REC-5: and a checkpoint of it, if it writes any; what came meanwhile is answered."""
    begin = [Crashed(), Received("manager", Start((), 4, ask=("v.0",)))]
    late = Received("v.0", an_access("a"))
    asked = an_access("b", 7, Get())
    told = Received("v.0", Recollection(4, issued=(an_addition(3, "b"),), again=(asked,)))
    for stamps in (True, False):
        _, state, sends = _stored(*begin, late, told, stamps=stamps)
        assert state.memory.values[KEYS["b"]] == 11
        assert state.checkpoint.values.get(KEYS["b"]) == (11 if stamps else None)
        results = [send.message.value for send in sends if isinstance(send.message, Result)]
        assert results == [11, 1]
        assert not dict(state.recalled.items())


def test_a_root_counts_the_signals_of_the_store_and_no_others() -> None:
    """DEL-2: nor does it write them to the store, which has sent them."""
    root = Root(log_in_store=True)
    state, _ = arrived(root, "A")
    state, _ = root.on_logged(state, 1)
    state, _ = root.on_committed(state, Committed(1, (), 2))
    assert dict(state.log[1].signals.items()) == {(): 2}
    state, (write,) = root.on_delete(state, "v.0", a_delete(1, vector=3))
    assert isinstance(write, Send)
    assert isinstance(write.message, WriteLog)
    assert write.message.entry == attrs.evolve(state.log[1], signals=Map())


def test_whoever_waits_for_a_flow_is_answered_in_the_order_of_asking() -> None:
    """MOVE-4, CLONE-1: both hosts of an instance may ask for it."""
    hosts = ("v.1", "v.1'")
    asked = [Received(host, Acquire("A", 1, 5)) for host in hosts]
    events = [Received("v.0", Acquire("A", 0, 1)), *asked]
    store, state, sends = _stored(*events)
    assert sends == []
    state, sends = store.step(state, Received("v.0", Release("A", 1)))
    assert [(send.to, send.message.owned) for send in sends] == [(host, True) for host in hosts]
    assert not dict(state.memory.waiting.items())


def test_a_store_stamps_what_the_rule_says_reveals_something() -> None:
    """REC-5: a variant may hold that only a read does, or nothing."""
    read = Received("v.0", an_access("a", operation=Get()))
    for rules, stamp in ((AMENDED, Stamp(0, None, ())), (UNSTAMPED, None)):
        store = attrs.evolve(_stored()[0], rules=rules)
        _, sends = store.step(store.initial, read)
        assert [send.message.stamp for send in sends] == [stamp]


UNSTAMPED = attrs.evolve(AMENDED, reveals=lambda reads_only: False)
