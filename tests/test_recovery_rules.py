"""A store's failover, rule by rule: REC-4, REC-5, REC-6, REC-7.

The smallest executions that tell the rules apart, then what each rule restores, and does not.
Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from by_hand import nothing

from chc_ref.core.client import Client, ClientState
from chc_ref.core.memory import Memory, Owner, Record
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Checkpointed,
    Crashed,
    Fence,
    Issued,
    LogEntry,
    Packet,
    Received,
    Recollection,
    Result,
    Stamp,
    Start,
)
from chc_ref.core.operations import (
    Draw,
    Get,
    Increment,
    NetworkFunction,
    Pop,
    Push,
    StateObject,
)
from chc_ref.core.recovery import restore
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Address, Map, ObjectKey, Past, UpdateId, sorted_items
from chc_ref.variants.shipped import SHIPPED

FLOW = StateObject("flow", True, initial=())

# --------------------------------------------------------------------------- small executions

POOL = StateObject("pool", False, initial=(1, 2, 3, 4, 5), accesses=9, ordered=True)
POOL_KEY = ObjectKey("v", "pool", ())

Issue = tuple[Address, bool, bool]
"""(host, whether it waits for the answer, whether for the same packet as its last one)."""


def _recover(issues: tuple[Issue, ...], applied: int, rules: Rules) -> bool:
    """Let hosts pop from one list, and the store fail; tell if what they were told is still so.

    Args:
        issues: what is issued, in the order in which the store gets it.
        applied: how many of them it gets before it fails.
        rules: the protocol.

    """
    nf = NetworkFunction("pool", (POOL,), nothing)
    client, store = Client("store", nf, True, rules), Store(Map({"v": (POOL,)}), stamps=True)
    hosts, stored = {"v.0": ClientState(), "v.1": ClientState()}, StoreState()
    newest: dict[Address, UpdateId] = {}
    told: dict[UpdateId, Any] = {}
    for number, (host, blocking, more) in enumerate(issues):
        update = UpdateId(number + 1, (), POOL_KEY, 0)
        if more and host in newest:
            update = attrs.evolve(newest[host], seq=newest[host].seq + 1)
        newest[host] = update
        hosts[host], send = client.issue(hosts[host], Apply(update, Pop(), 1, blocking))
        if number < applied:
            stored, sends = store.step(stored, Received(host, send.message))
            for answer in (one.message for one in sends if one.to == host):
                hosts[host] = client.on_result(hosts[host], answer)
                told[answer.id] = answer.value
    recalled = {
        host: Recollection(1, issued=state.issued, reads=tuple(sorted_items(state.reads)))
        for host, state in hosts.items()
    }
    memory = restore(Memory(), Map(recalled), store.objects, 0, rules)
    return all(memory.records[update].result == value for update, value in told.items())


def _all_issues(count: int) -> Iterator[tuple[Issue, ...]]:
    one = itertools.product(("v.0", "v.1"), (True, False), (True, False))
    return itertools.product(tuple(one), repeat=count)


def test_the_smallest_execution_that_clocks_do_not_tell_apart() -> None:
    """REC-6: four updates, two of each of two packets, of which three were applied.

    The host ``v.0`` knows the list as it was after two of them, ``v.1`` as it was after three.
    In both TS the newest clocks are 1 and 2. Taking the first, the failover re-executes the
    fourth update before the third, whose result ``v.1`` has been told. No execution of fewer
    updates tells the two rules apart.
    """
    by_clock = SHIPPED["recent_by_clock"].rules
    smallest = (
        ("v.1", False, False),
        ("v.0", True, False),
        ("v.1", True, True),
        ("v.0", False, True),
    )
    assert _recover(smallest, 3, AMENDED)
    assert not _recover(smallest, 3, by_clock)
    fewer = [(one, applied) for one in _all_issues(3) for applied in (1, 2, 3)]
    assert len(fewer) == 3 * 8**3
    assert all(_recover(*one, by_clock) for one in fewer)


# --------------------------------------------------------------------------- rule by rule


def _pop(clock: int, seq: int = 0, **fields: Any) -> Apply:
    return attrs.evolve(Apply(UpdateId(clock, (), POOL_KEY, seq), Pop(), 1 << seq, True), **fields)


def _push(clock: int, **fields: Any) -> Apply:
    return attrs.evolve(_pop(clock), operation=Push(clock), **fields)


def _stamp(value: tuple[int, ...], **last: tuple[Apply, Any]) -> Stamp:
    """Give what a read finds: its value, and the last update of each instance with its result."""
    hosts = tuple((f"v.{host[-1]}", access.id, result) for host, (access, result) in last.items())
    return Stamp(len(POOL.initial) - len(value), value, hosts)


EMPTY = Memory()


def _restore(checkpoint: Memory = EMPTY, drawn: Any = 0, **recalled: Recollection) -> Memory:
    users = Map({f"v.{name[-1]}" if name != "root" else name: r for name, r in recalled.items()})
    lot = StateObject("lot", False, drawn=True)
    return restore(checkpoint, users, Map({"v": (POOL, FLOW, lot)}), drawn, AMENDED)


def _log(*issued: Apply | tuple[Apply, Any], reads: Stamp | None = None) -> Recollection:
    """Give a write-ahead log: accesses, with their results as far as they have come."""
    log = tuple(Issued(i) if isinstance(i, Apply) else Issued(i[0], (i[1],)) for i in issued)
    return Recollection(1, issued=log, reads=() if reads is None else ((POOL_KEY, reads),))


def test_without_a_read_the_logs_are_re_executed_from_the_checkpoint_on() -> None:
    """REC-5, case 1: one log after the other, each in its order, but for what is in it already."""
    done = Record(1, 1)
    checkpoint = Memory(Map({POOL_KEY: (2, 3, 4, 5)}), Map({_pop(1).id: done}))
    logs = {"v0": _log(_pop(1), _push(3)), "v1": _log(_push(2), _push(4))}
    memory = _restore(checkpoint, **logs)
    assert memory.values[POOL_KEY] == (2, 3, 4, 5, 3, 2, 4)
    assert memory.records[_pop(1).id] == done
    assert memory.records[_push(4).id] == Record(7, 1)
    assert memory.stamp(POOL_KEY).version == 3
    assert dict(memory.applied.items()) == {"v.0": (0, _push(3).id), "v.1": (0, _push(4).id)}


def test_with_a_read_the_logs_are_re_executed_from_its_ts_on() -> None:
    """REC-5, case 2: what the read has seen is in its value, also what nobody was told of."""
    seen = _stamp((3, 4, 5), v0=(_pop(1), 1), v1=(_pop(2, 1), 2))
    unseen = _pop(2, blocking=False)
    memory = _restore(v0=_log(_pop(1), _push(3)), v1=_log(unseen, (_pop(2, 1), 2), reads=seen))
    assert memory.values[POOL_KEY] == (3, 4, 5, 3)
    assert memory.records[_pop(1).id] == Record(1, 1), "its answer was under way"
    assert memory.records[unseen.id] == Record(None, 1), "it waits for no result"
    assert memory.records[_pop(2, 1).id] == Record(2, 2)
    version, last = memory.stamps[POOL_KEY]
    assert (version, last["v.0"], last["v.1"]) == (3, (_push(3).id, 4), (_pop(2, 1).id, 2))


def test_the_newest_read_counts_whoever_has_made_it() -> None:
    """REC-6: also where the checkpoint is newer than all reads, or older."""
    old, new = _stamp((2, 3, 4, 5), v0=(_pop(1), 1)), _stamp((4, 5), v0=(_pop(3), 3))
    for logs in ({"v0": old, "v1": new}, {"v0": new, "v1": old}):
        reads = {host: _log(reads=read) for host, read in logs.items()}
        memory = _restore(EMPTY, v2=_log(_push(4)), **reads)
        assert memory.values[POOL_KEY] == (4, 5, 4)
    stamps = Map({POOL_KEY: (3, Map({"v.0": (_pop(3).id, 3)}))})
    checkpoint = Memory(Map({POOL_KEY: (4, 5)}), stamps=stamps)
    memory = _restore(checkpoint, v0=_log(_push(4), reads=old))
    assert memory.values[POOL_KEY] == (4, 5, 4)
    assert memory.stamps[POOL_KEY] == (4, Map({"v.0": (_push(4).id, 3)}))


def test_a_read_is_remembered_as_it_was_told() -> None:
    """REC-5, DUP-2: it changes nothing, and needs no commit signal; without answer it is open."""
    read, unanswered = _pop(1, operation=Get()), _pop(2, operation=Get())
    memory = _restore(v0=_log((read, POOL.initial), unanswered, _push(3, blocking=False)))
    assert dict(memory.records.items()) == {
        read.id: Record(POOL.initial, 0),
        _push(3).id: Record(6, 1),
    }


def test_a_log_is_kept_from_the_first_access_on_that_is_still_to_be_made() -> None:
    """REC-5: a read without an answer, and all behind it; the checkpoint that follows trims."""
    read = _pop(2, operation=Get())
    memory = _restore(v0=_log(_push(1), read, _push(3, blocking=False)), v1=_log(read))
    assert dict(memory.applied.items()) == {"v.0": (0, _push(1).id)}


def test_answers_come_before_the_checkpoint_that_trims_what_they_answer() -> None:
    """REC-5: else a second failure takes them, and the log no more says what to ask again."""
    store, made = Store(Map({"v": (POOL,)}), stamps=True), _pop(1, start=2)
    state, _ = store.step(StoreState(), Received("manager", Start((), 3, ask=("v.0",))))
    recollection = attrs.evolve(_log(made, _push(2)), session=3, again=(made,))
    _, sends = store.step(state, Received("v.0", recollection))
    told = [send.message for send in sends if send.to == "v.0"]
    assert [type(message) for message in told] == [Result, Checkpointed]
    assert told[1] == Checkpointed(_push(2).id), "with the number of the start that made it"


def test_an_emulated_access_tells_what_was_and_makes_nothing() -> None:
    """DUP-3, REC-5: neither an update that is still to be made, nor one that was."""
    emulated = _pop(3, emulate=True)
    seen = _stamp((2, 3, 4, 5), v0=(_pop(1), 1))
    memory = _restore(v0=_log(emulated, (_pop(1), 1), reads=seen))
    assert dict(memory.records.items()) == {_pop(1).id: Record(1, 1)}
    assert dict(memory.applied.items()) == {}, "the emulation is still to be answered"
    memory = _restore(v0=_log((_pop(1), 1), (attrs.evolve(_pop(1), emulate=True), 1), reads=seen))
    assert memory.values[POOL_KEY] == (2, 3, 4, 5)
    assert dict(memory.applied.items()) == {"v.0": (0, _pop(1).id)}
    read = _pop(4, operation=Get(), emulate=True)
    assert _restore(v0=_log((read, ()))).records[read.id] == Record((), 0)


def test_the_client_keeps_what_emulations_told_it_and_no_more() -> None:
    """DUP-3, REC-5: no result where there was none, and a trim ends at the access itself."""
    client = Client("store", NetworkFunction("pool", (POOL,), nothing), True)
    accesses = (_pop(1), _pop(2), _pop(1, emulate=True), _pop(3, emulate=True), _push(4))
    state = ClientState()
    for access in accesses:
        state, _ = client.issue(state, access)
    for answer in (Result(_pop(1).id, 1), Result(_pop(3).id, None, known=False)):
        state = client.on_result(state, answer)
    assert [issued.result for issued in state.issued] == [(1,), (), (1,), (), ()]
    state = client.on_checkpointed(state, Checkpointed(_pop(1).id))
    assert [issued.access.id.clock for issued in state.issued] == [2, 1, 3, 4]
    for other in (Checkpointed(_pop(1).id), Checkpointed(_pop(2).id, start=1)):
        assert client.on_checkpointed(state, other) == state, "trimmed before, or another's log"


def test_a_flow_is_rebuilt_in_the_order_of_its_clocks() -> None:
    """REC-4: whichever instance has what in its log, and whether it is in the checkpoint."""
    key = ObjectKey("v", "flow", "A")

    def update(clock: int, seq: int = 0, branch: tuple[int, ...] = ()) -> Apply:
        return Apply(UpdateId(clock, branch, key, seq), Push((clock, branch, seq)), 4, False)

    ids = [(1, 0, ()), (2, 0, (0,)), (2, 0, (1,)), (3, 0, ()), (3, 1, ()), (9, 0, ()), (10, 0, ())]
    first, *others = (update(*one) for one in ids)
    values = tuple((clock, branch, seq) for clock, seq, branch in ids)
    checkpoint = Memory(
        Map({key: values[:1]}), Map({first.id: Record(1, 4)}), Map({key: ((first.id, values[:1]),)})
    )
    memory = _restore(checkpoint, v0=_log(first, *others[3:]), v1=_log(*reversed(others[:3])))
    assert memory.values[key] == values
    assert [value for _, value in memory.versions[key]] == [values[:n] for n in range(1, 8)]
    assert memory.records[others[-1].id] == Record(7, 4)
    assert memory.stamps == Map(), "only shared objects have a TS"


def test_the_newest_tenure_of_a_flow_is_restored() -> None:
    """REC-4, STORE-2: by epoch; the two hosts of one instance own it alike."""
    owners: Map[Any, Owner] = Map(
        {("v", "A"): Owner("v.9", 1), ("v", "B"): Owner("v.9", 2), ("v", "D"): Owner(None, 1)}
    )

    def owned(*of: tuple[str, int]) -> Recollection:
        return Recollection(1, tuple((flow, epoch, ()) for flow, epoch in of))

    users = Map(
        {
            "v.0'": owned(("A", 2), ("E", 0)),
            "v.1": owned(("A", 1), ("B", 1)),
            "v.2": owned(("D", 1)),
        }
    )
    memory = restore(Memory(owners=owners), users, Map(), 0, AMENDED)
    assert dict(memory.owners.items()) == {
        ("v", "A"): Owner("v.0", 2),
        ("v", "B"): Owner("v.9", 2),
        ("v", "D"): Owner("v.2", 1),
        ("v", "E"): Owner("v.0", 0),
    }


def test_what_is_asked_or_written_again_is_not_restored() -> None:
    """REC-5, ROOT-2: who waits asks again, and a root that is there writes its log again."""
    entry = LogEntry(Packet(1, "A", ("x",)))
    waiting: Map[Any, Any] = Map({("v", "A"): (("v.1", Acquire("A", 1, 2)),)})
    checkpoint = Memory(log=Map({1: entry}), waiting=waiting, persisted=Map({"root": 4}))
    memory = _restore(checkpoint, v0=_log(), root=_log())
    assert memory == Memory(persisted=Map({"root": 4}))
    assert _restore(checkpoint, v0=_log()).log == Map({1: entry}), "no root is there to write it"


def test_a_value_that_nobody_has_seen_is_drawn_again() -> None:
    """STORE-9, REC-5: one that somebody has seen is in a read."""
    lot = Apply(UpdateId(1, (), ObjectKey("v", "lot", ()), 0), Draw(), 1, True)
    memory = _restore(drawn=7, v0=_log(lot))
    assert (memory.values[lot.id.object], memory.records[lot.id]) == (7, Record(7, 1))
    stamp = Stamp(1, 5, (("v.0", lot.id, 5),))
    recalled = Recollection(1, issued=(Issued(lot, (5,)),), reads=((lot.id.object, stamp),))
    memory = _restore(drawn=7, v0=recalled)
    assert (memory.values[lot.id.object], memory.records[lot.id]) == (5, Record(5, 1))


def test_what_a_dead_user_sent_is_void_for_the_failover_too() -> None:
    """REC-1, REC-7: a fence outlives the store, or the second of two lost updates is applied."""
    store, update = Store(Map({"v": (POOL,)}), stamps=True), _push(2, blocking=False)
    state = StoreState()
    for happens in (
        Received("manager", Fence("v.0", 3)),
        Crashed(),
        Received("manager", Start((), 4)),
        Received("v.0", update),
        Received("v.0", attrs.evolve(update, id=_push(1).id, start=3)),
    ):
        state, _ = store.step(state, happens)
    assert [update.clock for update, _ in state.memory.records.items()] == [1]


TOTAL = StateObject("total", False, initial=0)
TOTAL_KEY = ObjectKey("v", "total", ())


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_failover_has_its_log_in_an_order_of_its_own(forgotten: bool) -> None:
    """REC-5: its predecessor made 1 and 2, which the fence's checkpoint has; it issues 1, 3, 2."""
    updates = {clock: UpdateId(clock, (), TOTAL_KEY, 0) for clock in (1, 2, 3)}
    checkpoint = Memory(
        values=Map({TOTAL_KEY: 2}),
        records=Map() if forgotten else Map({updates[at]: Record(at, 1) for at in (1, 2)}),
        past=Past().until(1, 2) if forgotten else Past(),
        stamps=Map({TOTAL_KEY: (2, Map({"v.0": (updates[2], 2)}))}),
    )
    issued = tuple(Issued(Apply(updates[at], Increment(), 1, False, start=1)) for at in (1, 3, 2))
    recalled = Map({"v.0": Recollection(2, issued=issued)})

    memory = restore(checkpoint, recalled, Map({"v": (TOTAL,)}), 0, AMENDED)

    assert memory.values[TOTAL_KEY] == 3
    assert memory.records[updates[3]] == Record(3, 1)
