"""The root, chains and their compilation: each rule that they decide by themselves.

Ordered as init, act, check; each test names its clause.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import (
    Answered,
    Apply,
    Arrive,
    ClockPersisted,
    Committed,
    Crashed,
    Delete,
    Deleted,
    Inquire,
    LogEntry,
    Logged,
    Packet,
    PersistClock,
    Received,
    Recollection,
    Remembered,
    Replay,
    ReplayEnd,
    Send,
    Start,
    WriteLog,
)
from chc_ref.core.operations import Increment, StateObject
from chc_ref.core.root import Effects, Root, RootState
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Branch, Map, ObjectKey, UpdateId
from chc_ref.errors import ModelError, UsageError
from chc_ref.nfs.tiny import COUNTER, PASS
from chc_ref.system.composition import System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import World


def _packets(effects: Effects) -> list[Packet]:
    return [effect for effect in effects if isinstance(effect, Packet)]


def _clocks(effects: Effects) -> list[int]:
    return [packet.clock for packet in _packets(effects)]


def _messages(effects: Effects) -> list[Any]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def _delete(clock: int, **fields: Any) -> Delete:
    """Give the delete of a packet that induced no update, the only copy of its clock."""
    return attrs.evolve(Delete(clock, (), Fraction(1), (((), 0),), 0), **fields)


def test_clocks_are_unique_and_increase_by_one() -> None:
    """ROOT-1: one for each input packet, in order of arrival."""
    root, state = Root(), RootState()
    clocks: list[int] = []
    for _ in range(5):
        state, effects = root.on_arrival(state, Arrive("A", "x"))
        clocks += _clocks(effects)
    assert clocks == [1, 2, 3, 4, 5]


def test_input_above_the_threshold_is_dropped_before_it_gets_a_clock() -> None:
    """ROOT-4: dropped and counted; the next one in gets the next clock."""
    root, state = Root(capacity=2), RootState()
    clocks = []
    for _ in range(3):
        state, effects = root.on_arrival(state, Arrive("A", "x"))
        clocks += _clocks(effects)
    assert (clocks, len(state.dropped)) == ([1, 2], 1)
    state, _ = root.on_delete(state, "v.0", _delete(1))
    _, effects = root.on_arrival(state, Arrive("A", "x"))
    assert _clocks(effects) == [3]


def test_a_clock_is_persisted_before_its_packet_leaves() -> None:
    """ROOT-5: every n-th packet waits for the store, and those behind it too; one request."""
    root, state = Root(persist_every=2), RootState()
    state, first = root.on_arrival(state, Arrive("A", 1))
    state, second = root.on_arrival(state, Arrive("A", 2))
    state, third = root.on_arrival(state, Arrive("A", 3))
    assert [packet.clock for packet in first if isinstance(packet, Packet)] == [1]
    assert (len(first), second, third) == (1, [Send("store", PersistClock(2))], [])
    state, released = root.on_persisted(state, ClockPersisted(2))
    assert _clocks(released) == [2, 3]
    assert len(released) == 2
    assert root.on_persisted(state, ClockPersisted(2)) == (state, [])


def test_a_recovered_root_gives_no_clock_twice() -> None:
    """ROOT-5: it goes on n above the persisted clock, the newest that any store was told of."""
    answers = [Remembered(1, persisted, (), ()) for persisted in (0, 8, 4)]
    state, effects = Root(persist_every=4).recovered(RootState(), answers)
    assert (state.count, effects) == (11, [])
    with pytest.raises(UsageError, match="persists no clock"):
        Root().recovered(RootState(), answers)


def test_the_log_drops_a_packet_when_all_shares_ended_and_all_is_committed() -> None:
    """ROOT-3, DEL-3: in whatever order deletes and signals come, doubled ones included."""
    root = Root()
    logged, _ = root.on_arrival(RootState(), Arrive("A", "x"))
    half = Fraction(1, 2)
    left = Delete(1, (0,), half, (((), 1), ((0,), 2)), 0)
    right = Delete(1, (1,), half, (((), 1), ((1,), 2)), 0)
    signals = [Committed(1, (), 1), Committed(1, (0,), 2), Committed(1, (1,), 2)]
    state = logged
    for delete in (left, left, right):
        state, _ = root.on_delete(state, "v.0", delete)
    for signal in signals[:2]:
        state, _ = root.on_committed(state, signal)
    assert 1 in state.log
    state, _ = root.on_committed(state, signals[2])
    assert 1 not in state.log


def test_only_the_first_delete_of_a_branch_lets_the_output_leave() -> None:
    """REC-2: the answer says which it was, also once the packet is gone from the log."""
    root = Root()
    state, _ = root.on_arrival(RootState(), Arrive("A", "x"))
    delete = _delete(1, start=5)
    state, first = root.on_delete(state, "v.0", delete)
    _, second = root.on_delete(state, "v.0", delete)
    assert first + second == [
        Send("v.0", Deleted(1, (), True, 5)),
        Send("v.0", Deleted(1, (), False, 5)),
    ]


def test_a_replay_is_the_log_in_clock_order() -> None:
    """CLONE-2, DUP-3: every packet carries its target; the end says how far it reaches."""
    root, state = Root(), RootState()
    for number in range(12):
        state, _ = root.on_arrival(state, Arrive("A", number))
    state, _ = root.on_delete(state, "v.0", _delete(4))
    packets, end = root.replay(state, Replay("v.1", 3))
    assert [packet.clock for packet in packets] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert {(packet.target, packet.session) for packet in packets} == {("v.1", 3)}
    assert end == ReplayEnd("v.1", 3, (12,))


# --------------------------------------------------------------------------- log in the store

LOGGING = Root(log_in_store=True)
AT_ONCE = attrs.evolve(AMENDED, name="log behind", logs_first=lambda write: False)
"""The root forwards and answers while its write is still under way."""


def _written(effects: Effects) -> list[tuple[int, int, bool]]:
    """Give (number, clock, whether there is an entry) of each write."""
    writes = [message for message in _messages(effects) if isinstance(message, WriteLog)]
    return [(write.number, write.clock, write.entry is not None) for write in writes]


def _logged(*arrivals: Any) -> RootState:
    """Give a root whose packets are all logged and forwarded."""
    state = RootState()
    for headers in arrivals:
        state, _ = LOGGING.on_arrival(state, Arrive("A", headers))
    return LOGGING.on_logged(state, state.written)[0]


def test_a_packet_is_forwarded_once_the_store_has_it() -> None:
    """ROOT-2: nothing but the write goes out before; the answer to one lets older ones go too."""
    state = RootState()
    effects: Effects = []
    for headers in "xyz":
        state, more = LOGGING.on_arrival(state, Arrive("A", headers))
        effects += more
    assert effects == [
        Send("store", WriteLog(clock, clock, LogEntry(Packet(clock, "A", headers))))
        for clock, headers in ((1, "x"), (2, "y"), (3, "z"))
    ]
    assert len(state.entered) == 0
    state, released = LOGGING.on_logged(state, 2)
    assert released == [Packet(1, "A", "x"), Packet(2, "A", "y")]
    assert dict(state.entered.items()) == {0: (1, Arrive("A", "x")), 1: (2, Arrive("A", "y"))}
    assert LOGGING.on_logged(state, 2) == (state, [])
    _, released = LOGGING.on_logged(state, 3)
    assert released == [Packet(3, "A", "z")]


def test_a_delete_is_answered_once_the_store_has_it() -> None:
    """ROOT-2, REC-2: the write says what has ended, and who may let the output leave."""
    half = _delete(1, branch=(0,), share=Fraction(1, 2), vectors=(((0,), 2),), start=4)
    state, effects = LOGGING.on_delete(_logged("x"), "v.0", half)
    branch: Branch = (0,)
    vectors = Map({branch: 2})
    entry = LogEntry(Packet(1, "A", "x"), Fraction(1, 2), vectors, ended=frozenset({(0,)}))
    assert effects == [Send("store", WriteLog(2, 1, entry, Answered("v.0", 1, (0,), 4)))]
    _, released = LOGGING.on_logged(state, 2)
    assert released == [Send("v.0", Deleted(1, (0,), True, 4))]


def test_a_delete_that_changes_nothing_waits_for_what_is_under_way() -> None:
    """ROOT-2, REC-2: that it was not the first is in the store no sooner than the first."""
    state, _ = LOGGING.on_delete(_logged("x", "y"), "v.0", _delete(1))
    state, effects = LOGGING.on_delete(state, "v.1", _delete(1))
    assert effects == []
    state, released = LOGGING.on_logged(state, state.written)
    assert released == [
        Send("v.0", Deleted(1, (), True, 0)),
        Send("v.1", Deleted(1, (), False, 0)),
    ]
    _, effects = LOGGING.on_delete(state, "v.1", _delete(1))
    assert effects == [Send("v.1", Deleted(1, (), False, 0))]


def test_a_packet_is_dropped_from_both_logs() -> None:
    """ROOT-2, DEL-3: here once the store has dropped it; a signal alone is not written."""
    deletes = _delete(1, vectors=(((), 3),)), _delete(2)
    state = _logged("x", "y")
    state, effects = LOGGING.on_delete(state, "v.0", deletes[0])
    assert _written(effects) == [(3, 1, True)]
    state, effects = LOGGING.on_committed(state, Committed(1, (), 1))
    assert effects == []
    state, effects = LOGGING.on_committed(state, Committed(1, (), 2))
    assert _written(effects) == [(4, 1, False)]
    assert LOGGING.on_committed(state, Committed(1, (), 2)) == (state, [])
    state, effects = LOGGING.on_delete(state, "v.0", deletes[1])
    assert _written(effects) == [(5, 2, False)]
    assert sorted(clock for clock, _ in state.log.items()) == [1, 2]
    for number, left in ((3, [1, 2]), (4, [2]), (5, [])):
        state, _ = LOGGING.on_logged(state, number)
        assert sorted(clock for clock, _ in state.log.items()) == left


def test_a_replay_holds_what_was_forwarded() -> None:
    """ROOT-2, CLONE-2: what waits for the store will come behind the end of the replay."""
    state = _logged("x", "y")
    state, _ = LOGGING.on_arrival(state, Arrive("A", "z"))
    state, _ = LOGGING.on_delete(state, "v.0", _delete(1))  # the store may have it still
    packets, end = LOGGING.replay(state, Replay("v.1", 3))
    assert ([packet.clock for packet in packets], end.newest) == ([1, 2], (2,))
    state, _ = LOGGING.on_logged(state, state.written)
    packets, end = LOGGING.replay(state, Replay("v.1", 4))
    assert ([packet.clock for packet in packets], end.newest) == ([2, 3], (3,))


def test_a_replay_of_nothing_has_no_newest_clock() -> None:
    """CLONE-2, SPLIT-4: else another root's clocks would be taken for its own."""
    waiting, _ = LOGGING.on_arrival(RootState(), Arrive("A", "x"))
    for state in (RootState(), waiting):
        assert LOGGING.replay(state, Replay("v.1", 3)) == ([], ReplayEnd("v.1", 3, ()))


def test_a_failover_goes_on_from_what_the_stores_remember() -> None:
    """REC-3, ROOT-2: log, clock, deletes and commit signals; what is logged is sent once more."""
    half = Fraction(1, 2)
    first = LogEntry(Packet(3, "A", "x"), half, Map({(): 1, (0,): 2}), ended=frozenset({(0,)}))
    second = LogEntry(Packet(5, "B", "y"))
    answered = Answered("v.0", 3, (0,), 2)
    answers = [
        Remembered(7, 6, (second, first), (Committed(3, (), 1), Committed(2, (), 1)), (answered,)),
        Remembered(7, 0, (), (Committed(3, (0,), 2),)),
    ]
    waiting = RootState(waiting=(Arrive("A", "z"),), written=9, count=8)
    state, effects = LOGGING.recovered(waiting, answers)
    assert _packets(effects) == [first.packet, second.packet]
    assert [clock for clock, _ in sorted(state.log.items())] == [3, 5, 7]
    assert _written(effects) == [(1, 7, True)]
    assert dict(state.entered.items()) == {0: (3, Arrive("A", "x")), 1: (5, Arrive("B", "y"))}
    last = _delete(3, branch=(1,), share=half, vectors=(((), 1), ((1,), 0)), start=1)
    _, effects = LOGGING.on_delete(state, "v.1", last)
    assert _written(effects) == [(2, 3, False)]  # both stores' signals have been counted


def test_a_failover_drops_what_only_waited_for_a_signal() -> None:
    """REC-3, DEL-3: the signal of an update that is committed does not come again."""
    branch: Branch = ()
    vectors = Map({branch: 1})
    entry = LogEntry(Packet(1, "A", "x"), Fraction(1), vectors, ended=frozenset({()}))
    remembered = Remembered(7, 1, (entry,), (Committed(1, (), 1),))
    state, effects = LOGGING.recovered(RootState(), [remembered])
    assert _written(effects) == [(1, 1, False)]
    assert 1 not in LOGGING.on_logged(state, 1)[0].log


@pytest.mark.parametrize(
    ("source", "start", "first"), [("v.0", 4, True), ("v.0", 5, False), ("v.1", 4, False)]
)
def test_a_delete_is_answered_alike_after_a_recovery(source: str, start: int, first: bool) -> None:
    """REC-2, REC-3: to the start of the host that may let the output leave, and to no other."""
    state, effects = LOGGING.on_delete(_logged("x"), "v.0", _delete(1, start=4))
    (write,) = _messages(effects)
    remembered = Remembered(7, 1, (), (), (write.answered,))
    state, _ = LOGGING.recovered(state, [remembered])
    _, effects = LOGGING.on_delete(state, source, _delete(1, start=start))
    assert effects == [Send(source, Deleted(1, (), first, start))]


def test_a_delete_that_lets_nothing_leave_is_not_kept() -> None:
    """REC-2: it must not push out one whose sender still waits for its answer."""
    state, _ = LOGGING.on_delete(_logged("x", "y"), "v.0", _delete(1))
    state, _ = LOGGING.on_delete(state, "v.0", _delete(2, waits=False))
    assert dict(state.answered.items()) == {"v.0": Answered("v.0", 1, (), 0)}


def test_a_root_that_does_not_wait_gives_a_clock_to_two_packets() -> None:
    """ROOT-2, ROOT-5: without the rule its log is lost with it, and its packets are not."""
    root = attrs.evolve(LOGGING, rules=AT_ONCE)
    state, effects = root.on_arrival(RootState(), Arrive("A", "x"))
    assert ([type(e) for e in effects], _clocks(effects)) == ([Send, Packet], [1])
    assert len(state.entered) == 1
    state, _ = root.recovered(state, [Remembered(7, 0, (), ())])
    _, effects = root.on_arrival(state, Arrive("A", "y"))
    assert _clocks(effects) == [1]
    _, effects = root.on_delete(state, "v.0", _delete(1))
    assert _messages(effects)[-1] == Deleted(1, (), False, 0)


# --------------------------------------------------------------------------- root and store

TOTAL = StateObject("total", False, 0)
HOSTS = ("v.0", "v.1")


class Pair:
    """A root that logs in a store, the store, and the channels between them."""

    def __init__(self, root: Root) -> None:
        self.root, self.store = root, Store(Map({"v": (TOTAL,)}), stamps=True)
        self.state, self.stored = RootState(), StoreState()
        self.to_store: list[Any] = []
        self.to_root: list[Any] = []
        self.asked: dict[str, Delete] = {}
        """Delete of each host that waits for its answer."""
        self.forwarded: dict[int, Packet] = {}
        self.released: dict[tuple[str, int, int], bool] = {}
        """Answer that (host, start, clock) was sent, whether it has come or not."""
        self.starts = dict.fromkeys(HOSTS, 0)
        self.ended: set[int] = set()
        self.committed: set[int] = set()
        self.logged = 0
        """Newest clock that the store has had; it may have failed since."""
        self.arrivals = self.session = 0

    def take(self, state: RootState, effects: Effects) -> None:
        """Carry out what the root asks for, and check it."""
        self.state = state
        for effect in effects:
            if isinstance(effect, Packet):
                known = self.forwarded.setdefault(effect.clock, effect)
                assert known == effect, "ROOT-1: a clock for two packets"
                assert effect.clock <= self.logged, "ROOT-2: forwarded before it is logged"
            elif effect.to == "store":
                self.to_store.append(effect.message)
            else:
                self._answered(effect.to, effect.message)

    def _answered(self, host: str, answer: Deleted) -> None:
        asked = (host, answer.start, answer.clock)
        known = self.released.setdefault(asked, answer.first)
        assert known == answer.first, "REC-2: two answers to one question"
        first = [key for key, leaves in self.released.items() if leaves and key[2] == asked[2]]
        assert len(first) < 2, "REC-2: an output may leave twice"

    def act(self, kind: str, choice: int) -> None:
        """Let one thing happen."""
        host = HOSTS[choice % 2]
        if kind == "arrive":
            self.arrivals += 1
            self.take(*self.root.on_arrival(self.state, Arrive("A", self.arrivals)))
        elif kind == "store" and self.to_store:
            self._stores(Received("root", self.to_store.pop(0)))
        elif kind == "root" and self.to_root:
            self._hear(self.to_root.pop(0))
        elif kind == "update" and self.forwarded:
            clock = self._some(choice)
            self.committed.add(clock)
            update = UpdateId(clock, (), ObjectKey("v", "total", ()), 0)
            self._stores(Received(host, Apply(update, Increment(), 1, False)))
        elif kind == "delete" and self.forwarded and host not in self.asked:
            self._ask(host, self._some(choice // 2))
        elif kind == "hear" and host in self.asked:
            delete = self.asked[host]
            if (host, delete.start, delete.clock) in self.released:
                del self.asked[host]
        elif kind == "host fails":
            self.starts[host] += 1
            self.asked.pop(host, None)
        elif kind == "root fails":
            self.root_fails(choice)
        elif kind == "store fails":
            self.store_fails(choice)

    def _ask(self, host: str, clock: int) -> None:
        """Let a host ask for its output; one that had its answer does so never again."""
        start = self.starts[host]
        if (host, start, clock) in self.released:
            return
        self.asked[host] = _delete(clock, vectors=(((), 1),), start=start)
        self.ended.add(clock)
        self.take(*self.root.on_delete(self.state, host, self.asked[host]))

    def _some(self, choice: int) -> int:
        return sorted(self.forwarded)[choice % len(self.forwarded)]

    def _hear(self, message: Any) -> None:
        if isinstance(message, Logged):
            self.take(*self.root.on_logged(self.state, message.number))
        elif isinstance(message, Committed):
            self.take(*self.root.on_committed(self.state, message))

    def _stores(self, event: Any) -> None:
        self.stored, sends = self.store.step(self.stored, event)
        self.logged = max(self.logged, self.persisted)
        self.to_root += [send.message for send in sends if send.to == "root"]

    @property
    def persisted(self) -> int:
        """Newest clock that the store knows of."""
        return self.stored.memory.persisted.get("root", 0)

    def root_fails(self, lost: int) -> None:
        """Replace the root; the end of what it sent is lost, and what was sent to it."""
        self.session += 1
        self.to_store = self.to_store[: max(0, len(self.to_store) - lost % 4)]
        while self.to_store:
            self._stores(Received("root", self.to_store.pop(0)))
        self.to_root = []
        self._stores(Received("root", Inquire(self.session)))
        remembered = self.to_root.pop()
        found = sorted(entry.packet.clock for entry in remembered.entries)
        gone = {c for c in self.forwarded if c not in found and not self._is_over(c)}
        assert not gone, "REC-3: a packet that is still in the chain is not in the log"
        state, effects = self.root.recovered(self.state, [remembered])
        assert _clocks(effects) == found, "REC-3: exactly the log is sent once more"
        self.take(state, effects)
        for host, delete in self.asked.items():
            self.take(*self.root.on_delete(self.state, host, delete))

    def _is_over(self, clock: int) -> bool:
        """Tell whether a packet has ended, and its update is committed (DEL-3)."""
        return clock in self.ended and clock in self.committed

    def store_fails(self, lost: int) -> None:
        """Replace the store, which never wrote a checkpoint; some of what was under way is lost."""
        self.session += 1
        self._stores(Crashed())
        self.to_store = self.to_store[lost % 4 :]
        self.to_root = self.to_root[: max(0, len(self.to_root) - lost // 4)]
        while self.to_root:
            self.act("root", 0)
        self._stores(Received("manager", Start((), self.session, ask=("root", "v.0"))))
        again = tuple(send.message for send in self.root.recall(self.state))
        self.to_store.append(Recollection(self.session, again=again))
        self._stores(Received("v.0", Recollection(self.session)))
        while self.stored.asked or self.to_root or self.to_store:  # Table 3: no root fails now
            for kind in ("root", "store"):
                self.act(kind, 0)
        assert not self.state.unwritten, "REC-5: what waits for the store waits for ever"

    def check(self) -> None:
        """ROOT-2, CLONE-2: a replay has all that is in the chain, and nothing that is not."""
        packets, end = self.root.replay(self.state, Replay("v.1", 1))
        clocks = [packet.clock for packet in packets]
        assert all(clock <= self.persisted for clock in self.forwarded)
        assert set(clocks) <= set(self.forwarded)
        kept = {clock for clock, _ in self.stored.memory.log.items()}
        assert kept & set(self.forwarded) <= set(clocks)
        assert all(clock > end.newest[0] for clock in kept - set(clocks) if end.newest)
        assert all(clock <= end.newest[0] for clock in clocks)


KINDS = (
    *("arrive", "store", "root", "arrive", "store", "root", "update", "delete", "hear"),
    *("store", "root", "store", "root", "update", "delete", "hear"),
    *("root fails", "store fails", "host fails"),
)
THINGS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 23)), min_size=20, max_size=60)


def test_root_and_store_have_one_log(request: pytest.FixtureRequest) -> None:
    """ROOT-1, ROOT-2, REC-2, REC-3, REC-5: whatever fails, and whenever messages come."""
    thorough = request.config.getoption("--model-check")

    @given(THINGS)
    @settings(max_examples=300 if thorough else 100, deadline=None)
    def has_one_log(things: list[tuple[str, int]]) -> None:
        _run_pair(LOGGING, things)

    has_one_log()


def _run_pair(root: Root, things: list[tuple[str, int]]) -> None:
    pair = Pair(root)
    for kind, choice in things:
        pair.act(kind, choice)
        pair.check()


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
