"""The root by itself, with its log at home or in a naive store, and failures of it.

ROOT-1 to ROOT-5, DEL-1, DEL-2, DEL-3, REC-2, REC-3: clocks are unique and increase, a packet
stays in the log exactly as long as it must, and of one branch's deletes one lets output leave.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any, ClassVar

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.messages import (
    Answered,
    Arrive,
    ClockPersisted,
    Committed,
    Delete,
    Deleted,
    LogEntry,
    Logged,
    Packet,
    PersistClock,
    Remembered,
    Replay,
    Send,
    WriteLog,
)
from chc_ref.core.root import Effects, Root, RootState
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Branch, clock_of, count_of

PLANS: tuple[dict[Branch, int], ...] = ({(): 1}, {(): 0}, {(): 1, (0,): 2, (1,): 2})
"""Tokens that a packet induces on each of its branches: the last kind of packet forks."""

HOSTS = ("v.0", "v.1")
NUMBER = 3
"""Of the root: its clocks are large numbers."""


@attrs.define
class Fate:
    """What has come of one packet."""

    plan: dict[Branch, int]
    ended: set[Branch] = attrs.field(factory=set)
    committed: set[Branch] = attrs.field(factory=set)

    def leaves(self) -> list[Branch]:
        """Give the branches that end in a delete: all but one that has forked."""
        return [branch for branch in self.plan if branch or len(self.plan) == 1]

    def is_over(self) -> bool:
        """Tell whether every copy has ended, and every update is committed (DEL-3)."""
        induced = {branch for branch, token in self.plan.items() if token}
        return self.ended == set(self.leaves()) and induced <= self.committed


class Roots(Machine):
    """A root, a naive store, and the channels between them."""

    kind: ClassVar[type[Root]] = Root
    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("forwarded", "dropped", "waited", "over", "first", "not first", "failed"),
            *("forked", "replayed", "log in store", "taken over"),
        }
    )

    @initialize(
        log_in_store=st.booleans(), every=st.integers(1, 3), capacity=st.sampled_from((0, 0, 4))
    )
    def start(self, log_in_store: bool, every: int, capacity: int) -> None:
        """Choose the model of the log, how often the clock is written, and the threshold."""
        self.root = self.kind(
            NUMBER, every, capacity, log_in_store=log_in_store, rules=self.protocol
        )
        self.state = RootState()
        self.to_store: deque[Any] = deque()
        self.to_root: deque[Any] = deque()
        self.persisted = 0
        self.stored: dict[int, LogEntry] = {}
        self.answers: dict[str, Answered] = {}
        self.arrived = self.dropped = self.lost = 0
        self.given: dict[int, Packet] = {}
        """Every packet that has left the root, by its clock."""
        self.fates: dict[int, Fate] = {}
        """Of the packets that are, or should be, in the log."""
        self.asked: dict[str, Delete] = {}
        """Delete of each host that has no answer."""
        self.starts = dict.fromkeys(HOSTS, 0)
        self.let: dict[tuple[int, Branch], set[tuple[str, int]]] = {}
        """Who was told that the delete of a branch was the first: (host, start)."""

    def take(self, state: RootState, effects: Effects) -> None:
        """Carry out what the root asks for, and check it."""
        self.state = state
        for effect in effects:
            if isinstance(effect, Packet):
                self._forwarded(effect)
            elif effect.to == "store":
                self.to_store.append(effect.message)
            else:
                self._answered(effect)
        self.check()

    def _forwarded(self, packet: Packet) -> None:
        if packet.clock in self.given:
            assert self.given[packet.clock] == packet, "ROOT-1: one clock for two packets"
            return
        assert packet.clock > max(self.given, default=0), "ROOT-1: clocks increase"
        assert packet.clock in dict(self.state.log.items()), "ROOT-2: in the log at that moment"
        assert not self.root.log_in_store or packet.clock in self.stored, "ROOT-2: in the store"
        self.given[packet.clock] = packet
        self.fates[packet.clock] = Fate(PLANS[count_of(packet.clock) % len(PLANS)])
        self.note("forwarded")
        self.note("log in store", self.root.log_in_store)

    def _answered(self, send: Send) -> None:
        answer = send.message
        assert isinstance(answer, Deleted)
        self.note("first" if answer.first else "not first")
        delete = self.asked.get(send.to)
        if delete is None or delete.start != answer.start:
            return  # for a host that has failed: it lets nothing out
        del self.asked[send.to]
        if answer.first and delete.waits and count_of(answer.clock) > self.lost:
            let = self.let.setdefault((answer.clock, answer.branch), set())
            let.add((send.to, answer.start))
            assert len(let) == 1, "REC-2: an output may leave twice"

    # ------------------------------------------------------------------ what happens

    @event(8, flow="AB")
    def arrive(self, flow: str) -> None:
        """Let a packet reach the root."""
        before = self.state
        kept = list(before.log) if self.root.capacity else []
        full = 0 < self.root.capacity <= len(kept) + len(before.waiting)
        self.arrived += 1
        self.dropped += full
        self.take(*self.root.on_arrival(before, Arrive(flow, self.arrived)))
        self.note("dropped", full)
        self.note("waited", bool(self.state.waiting))

    @event(12)
    def store_takes(self) -> None:
        """Let the store take a message, and answer."""
        if not self.to_store:
            return
        message = self.to_store.popleft()
        if isinstance(message, PersistClock):
            self.persisted = max(self.persisted, message.count)
            self.to_root.append(ClockPersisted(message.count))
        elif isinstance(message, WriteLog):
            if message.entry is None:
                self.stored.pop(message.clock, None)
            else:
                self.stored[message.clock] = message.entry
                self.persisted = max(self.persisted, count_of(message.clock))
            if message.answered is not None:
                self.answers[message.answered.host] = message.answered
            if message.number:
                self.to_root.append(Logged(message.number))

    @event(12)
    def root_hears(self) -> None:
        """Let the root take an answer of the store."""
        if self.to_root:
            message = self.to_root.popleft()
            if isinstance(message, ClockPersisted):
                self.take(*self.root.on_persisted(self.state, message))
            else:
                self.take(*self.root.on_logged(self.state, message.number))

    @event(12, which=range(6), end=(0, 1), host=HOSTS, waits=(True, False))
    def delete(self, which: int, end: int, host: str, waits: bool) -> None:
        """Let a branch of some packet end, for the first time or again."""
        clocks = sorted(self.given)
        if not clocks or host in self.asked:
            return
        clock = clocks[-1 - which % len(clocks)]
        fate = Fate(PLANS[count_of(clock) % len(PLANS)])
        leaves = fate.leaves()
        branch = leaves[end % len(leaves)]
        vectors = tuple((at, fate.plan[at]) for at in sorted({(), branch}))
        share = Fraction(1, len(leaves))
        self.note("forked", len(leaves) > 1)
        self._ask(host, Delete(clock, branch, share, vectors, self.starts[host], waits))

    def _ask(self, host: str, delete: Delete) -> None:
        self.asked[host] = delete
        if delete.clock in self.fates:
            self.fates[delete.clock].ended.add(delete.branch)
        self.take(*self.root.on_delete(self.state, host, delete))

    @event(12, which=range(6), at=range(3))
    def commit(self, which: int, at: int) -> None:
        """Let the store signal an update of some packet, for the first time or again."""
        clocks = sorted(self.given)
        if not clocks:
            return
        clock = clocks[-1 - which % len(clocks)]
        plan = PLANS[count_of(clock) % len(PLANS)]
        branch = list(plan)[at % len(plan)]
        if clock in self.fates:
            self.fates[clock].committed.add(branch)
        signal = Committed(clock, branch, plan[branch])
        self.take(*self.root.on_committed(self.state, signal))

    @event(2, host=HOSTS)
    def host_fails(self, host: str) -> None:
        """Let a host fail: its failover asks for itself."""
        self.starts[host] += 1
        if host in self.asked:
            self._ask(host, attrs.evolve(self.asked[host], start=self.starts[host]))

    @event(1, lost=range(4))
    def fail(self, lost: int) -> None:
        """Let the root fail: the end of what it sent is lost, and what was sent to it."""
        for _ in range(min(lost, len(self.to_store))):
            self.to_store.pop()
        while self.to_store:
            self.store_takes()
        self.to_root.clear()
        signals = tuple(
            Committed(clock, branch, fate.plan[branch])
            for clock, fate in self.fates.items()
            for branch in fate.committed
        )
        entries = tuple(self.stored[clock] for clock in sorted(self.stored))
        remembered = Remembered(1, self.persisted, entries, signals, tuple(self.answers.values()))
        self.note("failed")
        self.note("taken over", bool(entries))
        if not self.root.log_in_store:
            self.fates = {}
        for clock in self.fates.keys() & self.stored.keys():
            self.fates[clock].ended = set(self.stored[clock].ended)  # what is lost is asked again
        state, effects = self.root.recovered(self.state, (Remembered(1, 0, (), ()), remembered))
        self.lost = 0 if self.root.log_in_store else state.lost
        self.take(state, effects)
        for host, delete in list(self.asked.items()):
            self._ask(host, delete)

    # ------------------------------------------------------------------ what must hold

    def check(self) -> None:
        """Hold log and replay against the fates of the packets."""
        logged = {clock for clock, _ in self.state.log.items()}
        alive = {clock for clock, fate in self.fates.items() if not fate.is_over()}
        self.note("over", len(alive) < len(self.fates))
        waits = {item.clock for _, item in self.state.unwritten if isinstance(item, Packet)}
        dropping = {item for _, item in self.state.unwritten if isinstance(item, int)}
        assert alive <= logged, "ROOT-3: still in the chain, and not in the log"
        assert logged - waits - dropping <= alive, "DEL-3: over, and still in the log"
        packets, end = self.root.replay(self.state, Replay("v.1", 7))
        self.note("replayed", bool(packets))
        clocks = [packet.clock for packet in packets]
        assert clocks == sorted(logged - waits), "CLONE-2: the log, in clock order"
        assert all((p.target, p.session) == ("v.1", 7) for p in packets), "DUP-3"
        assert end.newest == () or end.newest[0] >= max(self.given, default=0), "CLONE-2"
        assert not end.newest or end.newest[0] < min(waits, default=clock_of(NUMBER + 1, 0))
        inside = len(self.state.entered) + len(self.state.waiting) + len(waits)
        assert (
            inside + len(self.state.dropped) == self.arrived or self.lost or self.root.log_in_store
        )
        assert len(self.state.dropped) == self.dropped, (
            "ROOT-4: dropped at the threshold, and counted"
        )

    def finish(self) -> None:
        """Let all messages be taken: nothing waits, and both logs are one."""
        while self.to_store or self.to_root:
            self.store_takes()
            self.root_hears()
        assert not self.state.waiting, "LIVE: input waits for ever"
        assert not self.asked, "LIVE: a delete without an answer"
        if self.root.log_in_store:
            assert set(self.stored) == {clock for clock, _ in self.state.log.items()}, "ROOT-2"


def test_a_root_keeps_what_it_must_and_no_more(request: pytest.FixtureRequest) -> None:
    """ROOT-1 to ROOT-5, DEL-1, DEL-2, DEL-3, REC-2, REC-3, CLONE-2."""
    drive(Roots, request, examples=30)


@pytest.mark.parametrize(
    "fault",
    [
        {"settled": lambda vector, signals: True},
        {"settled": lambda vector, signals: vector == signals == 0},
        {"next_count": lambda persisted, every: persisted + 1},
        {"logs_first": lambda write: False},
        {"add_token": lambda vector, token: vector ^ token},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_wrong_rule_of_the_root_is_found(fault: dict[str, Any]) -> None:
    """ROOT-2, ROOT-5, DEL-3: the machine can fail."""
    catches(Roots, protocol=attrs.evolve(AMENDED, **fault))


class Generous(Root):
    """A seeded fault: every delete is the first."""

    def on_delete(self, state: RootState, source: str, delete: Delete) -> tuple[RootState, Effects]:
        after, effects = super().on_delete(state, source, delete)
        answers = [e for e in effects if isinstance(e, Send) and isinstance(e.message, Deleted)]
        first = [attrs.evolve(a, message=attrs.evolve(a.message, first=True)) for a in answers]
        return after, [*(e for e in effects if e not in answers), *first]


def test_an_output_is_let_out_by_one_delete_only() -> None:
    """REC-2: two hosts that process one packet are not both told that they were the first."""
    catches(Roots, match="REC-2", kind=Generous)
