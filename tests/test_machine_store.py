"""The store by itself, beside a naive twin: dictionaries, and every rule in one line.

STORE-2, STORE-4, STORE-6, STORE-8, CACHE-3, DUP-2, DUP-3, DEL-2, MOVE-3, MOVE-4, REC-1, REC-5,
ROOT-5, whatever comes from whom, in any order, with failures that leave a checkpoint.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any, ClassVar

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.memory import FlowAt, Memory, Owner
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Callback,
    Checkpointed,
    CheckpointTimer,
    Committed,
    Crashed,
    Fence,
    Fenced,
    Granted,
    PersistClock,
    Received,
    Release,
    Result,
    Send,
    Start,
)
from chc_ref.core.operations import (
    Get,
    Increment,
    OperationFailed,
    Pattern,
    Pop,
    Push,
    StateObject,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Address, Map, ObjectKey, UpdateId, clock_of, identity_of

OBJECTS = (
    StateObject("flow", True, initial=()),
    StateObject("list", False, initial=(), ordered=True),
    StateObject("limit", False, initial=0, pattern=Pattern.READ_MOSTLY),
)
KEYS = (
    ObjectKey("v", "flow", "A"),
    ObjectKey("v", "list", ()),
    ObjectKey("v", "list", "other"),
    ObjectKey("v", "limit", ()),
)
OPERATIONS = (Push("x"), Pop(), Get(), Increment())
HOSTS = ("v.0", "v.0'", "v.1", "v.2")
INITIAL: dict[str, Any] = {declared.name: declared.initial for declared in OBJECTS}


@attrs.define
class Twin:
    """What a store should know, naively."""

    done: list[tuple[UpdateId, Any]] = attrs.field(factory=list)
    """(update, operation) of everything that was carried out, in order, reads too."""
    results: dict[UpdateId, Any] = attrs.field(factory=dict)
    owner: tuple[str | None, int] = (None, 0)
    """Of the one flow that there is."""
    persisted: int = 0

    def versions(self, key: ObjectKey) -> list[tuple[int, Any]]:
        """Give (clock, value after it) of every update of ``key``, the initial value first."""
        values = [(0, INITIAL[key.name])]
        for update, operation in self.done:
            if update.object == key and not operation.reads_only:
                values.append((update.clock, operation.apply(values[-1][1])[0]))
        return values

    def value(self, key: ObjectKey) -> Any:
        """Give the present value."""
        return self.versions(key)[-1][1]


class Stores(Machine):
    """A store under requests from everybody, and failures."""

    kind: ClassVar[type[Store]] = Store
    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("applied", "repeat", "refused", "emulated", "void", "callback", "failed operation"),
            *("owned", "parked", "peeked", "of the past", "restarted", "from a checkpoint"),
        }
    )

    @initialize(stamps=st.booleans())
    def start(self, stamps: bool) -> None:
        """Begin with an empty store of two roots."""
        self.store = self.kind(Map({"v": OBJECTS}), ("root", "root1"), stamps, self.protocol)
        self.state, self.twin, self.saved = StoreState(), Twin(), Twin()
        self.fences: dict[Address, int] = {}
        self.readers: dict[ObjectKey, set[Address]] = {}
        self.waiting: list[tuple[Address, Acquire | Release]] = []
        self.session = 0

    def take(self, event: Any) -> list[Send]:
        """Let the store take an event."""
        self.state, sends = self.store.step(self.state, event)
        return sends

    @event(
        12,
        host=HOSTS,
        key=KEYS,
        operation=OPERATIONS,
        clock=range(1, 6),
        root=(0, 1),
        seq=(0, 1),
        how=itertools.product((True, False), (True, False), (True, False, False, False)),
        start=(0, 1, 2, 2, 2),
    )
    def apply(
        self,
        host: Address,
        key: ObjectKey,
        operation: Any,
        clock: int,
        root: int,
        seq: int,
        how: tuple[bool, bool, bool],
        start: int,
    ) -> None:
        """Let a host access an object, for the first time or again."""
        update = UpdateId(clock_of(root, clock), (), key, seq)
        known = dict(self.twin.done)
        operation = known.get(update, operation)  # a repeat is of the same access
        blocking, register, emulate = how
        request = Apply(update, operation, 1 << seq, blocking, emulate, (), register, start)
        self._check_apply(host, request, self.take(Received(host, request)))
        stored = self.state.memory.values.get(key, INITIAL[key.name])
        assert stored == self.twin.value(key), "STORE-4: not the value of all updates in order"

    def _check_apply(self, host: Address, request: Apply, sends: list[Send]) -> None:
        key, update, operation = request.id.object, request.id, request.operation
        if request.start < self.fences.get(host, 0):
            self.note("void")
            assert sends == [], "REC-1: it is void"
            return
        if request.register and key.name == "limit":
            self.readers.setdefault(key, set()).add(host)
        told: list[Any] = [OperationFailed("not the owner")]
        fresh = False
        if update in self.twin.results:
            self.note("repeat")
            told = [self.twin.results[update]]
        elif request.emulate:
            self.note("emulated")
            told = [None]
        elif key.name == "flow" and self.twin.owner[0] != identity_of(host):
            self.note("refused")
        else:
            self.note("applied")
            _, result = operation.apply(self.twin.value(key))
            self.note("failed operation", isinstance(result, OperationFailed))
            self.twin.results[update] = result
            self.twin.done.append((update, operation))
            told, fresh = [result], not operation.reads_only
        self._check_answers(host, request, sends, told if request.blocking else [])
        commits = [(s.to, s.message) for s in sends if isinstance(s.message, Committed)]
        root = "root1" if update.clock > clock_of(1, 0) else "root"
        committed = (root, Committed(update.clock, (), request.token))
        assert commits == [committed] * fresh, "DEL-2: once for every update"
        calls = [s for s in sends if isinstance(s.message, Callback)]
        readers = sorted(self.readers.get(key, ())) if fresh else []
        self.note("callback", bool(calls))
        assert [call.to for call in calls] == readers, "CACHE-3: every reader is told"
        assert all(call.message.value == self.twin.value(key) for call in calls)
        assert sends[: len(calls)] == calls, "CACHE-3: before the answer"

    def _check_answers(
        self, host: Address, request: Apply, sends: list[Send], told: list[Any]
    ) -> None:
        answers = [s for s in sends if isinstance(s.message, Result)]
        assert [(a.to, a.message.id) for a in answers] == [(host, request.id)] * len(told)
        assert [a.message.value for a in answers] == told, "DUP-2: what was returned at first"
        known = not request.emulate or request.id in self.twin.results
        for answer in (a.message for a in answers):
            key = request.id.object
            assert answer.known is known, "DUP-3: emulation never executes"
            assert answer.copy == ((self.twin.value(key),) if request.register else ())
            assert (answer.stamp is not None) is (self.store.stamps and known), "REC-5"
            if answer.stamp is not None:
                assert answer.stamp.value in (None, self.twin.value(key))

    # ------------------------------------------------------------------ tenures

    @event(host=HOSTS, later=(0, 0, 1, 2), clock=range(1, 7), peek=(False, False, True))
    def acquire(self, host: Address, later: int, clock: int, peek: bool) -> None:
        """Let a host ask for the flow, for this tenure or a later one."""
        self._tenure(host, Acquire("A", self.twin.owner[1] + later, clock, peek, 2))

    @event(host=HOSTS, epoch=range(3), clock=range(1, 7), start=(0, 1, 2))
    def acquire_any(self, host: Address, epoch: int, clock: int, start: int) -> None:
        """Let a host ask for any tenure, also one that is over."""
        self._tenure(host, Acquire("A", epoch, clock, start=start))

    @event(2, host=HOSTS, later=(1, 1, 2, 0), start=(0, 1, 2, 2))
    def release(self, host: Address, later: int, start: int) -> None:
        """Let a host give the flow up, whether it has it or not."""
        self._tenure(host, Release("A", self.twin.owner[1] + later, start))

    def _tenure(self, host: Address, request: Acquire | Release) -> None:
        sends = self.take(Received(host, request))
        if request.start < self.fences.get(host, 0):
            self.note("void")
            assert sends == [], "REC-1: it is void"
            return
        expected: list[tuple[Address, Acquire, bool]] = []
        queue = [(host, request)]
        while queue:  # as long as something changes, all that wait are asked again, in order
            source, asked = queue.pop(0)
            owner, epoch = self.twin.owner
            free = owner in (None, identity_of(source))
            if isinstance(asked, Release):
                if asked.epoch > epoch + 1:
                    self._park((source, asked))
                elif asked.epoch == epoch + 1 and free:
                    self.twin.owner = (None, asked.epoch)
                    queue, self.waiting = queue + self.waiting, []
            elif asked.epoch > epoch and not asked.peek:
                self._park((source, asked))
            else:
                owned = free and asked.epoch == epoch and not asked.peek
                self.twin.owner = (identity_of(source), epoch) if owned else self.twin.owner
                expected.append((source, asked, owned))
        assert [send.to for send in sends] == [source for source, _, _ in expected], "MOVE-4"
        for send, (_, asked, owned) in zip(sends, expected, strict=True):
            self._check_granted(send.message, asked, owned)
        stored = self.state.memory.owners.get(("v", "A"), Owner())
        assert (stored.instance, stored.epoch) == self.twin.owner, "STORE-2, MOVE-2"

    def _park(self, asked: tuple[Address, Acquire | Release]) -> None:
        self.note("parked")
        if asked not in self.waiting:
            self.waiting.append(asked)

    def _check_granted(self, answer: Any, asked: Acquire, owned: bool) -> None:
        self.note("owned", owned)
        self.note("peeked", asked.peek)
        versions = self.twin.versions(KEYS[0])
        past = [value for clock, value in versions if clock < asked.clock]
        latest = all(clock <= asked.clock for clock, _ in versions)
        self.note("of the past", not latest)
        values = (("flow", past[-1]),)
        assert isinstance(answer, Granted)
        assert (answer.epoch, answer.clock, answer.peek) == (asked.epoch, asked.clock, asked.peek)
        assert answer.owned is owned, "MOVE-3: one owner a tenure"
        assert (answer.values, answer.latest) == (values, latest), "DUP-3: as it was then"

    # ------------------------------------------------------------------ failures

    @event(1, count=range(1, 9))
    def persist(self, count: int) -> None:
        """Let the root write its clock."""
        self.take(Received("root", PersistClock(count)))
        self.twin.persisted = max(count, self.twin.persisted)
        assert self.state.memory.persisted["root"] == self.twin.persisted, "ROOT-5"

    @event(1, host=HOSTS, start=(1, 2))
    def fence(self, host: Address, start: int) -> None:
        """Let the manager void what a host has sent."""
        sends = self.take(Received("manager", Fence(host, start)))
        assert sends == [Send("manager", Fenced(host, start))]
        self.fences[host] = start
        self._save()

    @event(1)
    def checkpoint(self) -> None:
        """Write a checkpoint: everybody is told how far it goes, and nothing else happens."""
        before = self.state.memory
        sends = self.take(CheckpointTimer())
        self._save()
        assert self.state.memory == before
        assert all(isinstance(send.message, Checkpointed) for send in sends)
        for send in sends:
            assert send.message.last in self.twin.results or send.message.last.object == KEYS[0]

    def _save(self) -> None:
        if self.store.stamps:
            self.saved = copy.deepcopy(self.twin)

    @event(1)
    def fail(self) -> None:
        """Let the store fail, with nobody to ask: its failover has the checkpoint."""
        assert self.take(Crashed()) == []
        assert self.take(Received("v.1", Acquire("A", 0, 1))) == [], "it is down"
        self.session += 1
        sends = self.take(Received("manager", Start((), self.session)))
        self.note("restarted")
        self.note("from a checkpoint", bool(self.saved.done))
        self.twin, self.waiting = copy.deepcopy(self.saved), []
        self.readers = {}
        known = {update for update, _ in self.state.memory.records.items()}
        assert known == set(self.twin.results), "REC-5: a checkpoint, whole and nothing else"
        again = {s.message.clock for s in sends if isinstance(s.message, Committed)}
        updates = {u.clock for u, operation in self.twin.done if not operation.reads_only}
        assert again == updates, "DEL-2: said once more, as it may have been lost"


def test_a_store_is_its_naive_twin(request: pytest.FixtureRequest) -> None:
    """STORE-2, STORE-4, DUP-2, DUP-3, MOVE-3, MOVE-4, CACHE-3, REC-1, REC-5."""
    drive(Stores, request)


class Unfenced(Store):
    """A seeded fault: what a dead host has sent is served."""

    def _handle(self, state: StoreState, source: Address, message: Any) -> Any:
        return super()._handle(attrs.evolve(state, fences=Map()), source, message)


class Open(Store):
    """A seeded fault: everybody updates every flow."""

    def _owns(self, memory: Memory, source: Address, key: ObjectKey) -> bool:
        return True


class Present(Store):
    """A seeded fault: a replayed packet sees what later ones did."""

    def _as_of(self, memory: Memory, at: FlowAt, packet: Any) -> Any:
        return super()._as_of(memory, at, (clock_of(1, 100), ()))


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": Unfenced},
        {"kind": Open},
        {"kind": Present},
        {"protocol": attrs.evolve(AMENDED, recorded=lambda records, update: False)},
        {"protocol": attrs.evolve(AMENDED, waits_for_owner=lambda asked, current: False)},
    ],
)
def test_a_faulty_store_is_told_from_its_twin(fault: dict[str, Any]) -> None:
    """The machine can fail."""
    catches(Stores, **fault)
