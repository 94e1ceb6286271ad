"""The client library by itself: what it serves, what it logs, and what it lets out.

CACHE-1 to CACHE-4, STORE-6, REC-5: an instance never reads a value older than its own updates,
or than what it has read before; nothing leaves before the store has what it was computed from.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.client import Client, ClientState
from chc_ref.core.messages import (
    Apply,
    Cache,
    Callback,
    Checkpointed,
    Issued,
    Recall,
    Result,
    Stamp,
)
from chc_ref.core.operations import (
    Get,
    Increment,
    NetworkFunction,
    Outcome,
    Pattern,
    Process,
    StateObject,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Map, ObjectKey, UpdateId


def _nothing(headers: Any, flow: Any, clock: int) -> Process:
    yield from ()
    return Outcome((headers,))


OBJECTS = (
    StateObject("sum", False, initial=0),
    StateObject("limit", False, initial=0, pattern=Pattern.READ_MOSTLY),
    StateObject("hot", False, initial=0, pattern=Pattern.BOTH),
    StateObject("flow", True, initial=0),
)
NF = NetworkFunction("any", OBJECTS, _nothing)
SHARED = ("sum", "limit", "hot")
CACHES = (Cache(True), Cache(False), Cache(False, copies=False))


def _key(name: str) -> ObjectKey:
    return ObjectKey("v", name, ())


class Clients(Machine):
    """One client, a naive store of counters, and the other instances that count as well."""

    kind: ClassVar[type[Client]] = Client
    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("served read", "served update", "asked", "called back", "recalled", "trimmed"),
            *("held", "freed", "flushed", "caches changed", "answered again"),
        }
    )

    @initialize(names=st.sets(st.sampled_from(SHARED), min_size=1, max_size=2))
    def start(self, names: set[str]) -> None:
        """Begin with an empty store, and caches on."""
        self.names = sorted(names)
        self.client = self.kind("store", NF, write_ahead=True, rules=self.protocol)
        self.state = ClientState(start=5)
        self.to_store: deque[Any] = deque()
        self.to_client: deque[Any] = deque()
        self.values = dict.fromkeys((*SHARED, "flow"), 0)
        self.versions = dict.fromkeys((*SHARED, "flow"), 0)
        self.reader = False
        """The store tells of changes of ``limit``."""
        self.own = dict.fromkeys(SHARED, 0)
        """Updates of each object that we have issued."""
        self.newest = dict.fromkeys(SHARED, 0)
        """The newest value that we were told."""
        self.waits: Apply | None = None
        self.clock = 0
        self.log: list[tuple[UpdateId, tuple[Any, ...]]] = []
        self.open: set[UpdateId] = set()
        """Accesses that were served here and are not confirmed."""
        self.effects: list[tuple[int, frozenset[UpdateId]]] = []
        """(number, what it waits for) of everything bound that is not out."""
        self.number = 0

    # ------------------------------------------------------------------ requests

    @event(14, which=(0, 1), reads=(True, False), blocking=(True, True, False), soon=(True, False))
    def access(self, which: int, reads: bool, blocking: bool, soon: bool) -> None:
        """Let the NF access a shared object; the answer may come soon, or any time later."""
        name = self.names[which % len(self.names)]
        if self.waits is not None:
            return
        self.clock += 1
        operation = Get() if reads else Increment()
        access = Apply(UpdateId(self.clock, (), _key(name), 0), operation, 1, blocking)
        self.own[name] += not reads
        served = self.client.serve(self.state, access)
        if served is None:
            self.waits = access if blocking else None
            self.note("asked")
        else:
            self.state, access = served
            assert access.blocking, "its answer confirms it"
            self.open.add(access.id)
            self.note("served read" if reads else "served update")
            self._told(name, access.seen[0])
            assert name != "sum", "CACHE-1: it is not cached"
            assert name == "hot" or reads, "CACHE-3: an update goes to the store"
            assert name != "hot" or self.state.cache.alone, "CACHE-4"
        self._issue(access)
        while soon and self.waits is not None:
            self._exchange()

    def _exchange(self) -> None:
        """Let the oldest message of each channel be taken."""
        if self.to_store:
            self._take(self.to_store.popleft())
        if self.to_client:
            self._hear(self.to_client.popleft())

    def _issue(self, access: Apply) -> None:
        self.state, send = self.client.issue(self.state, access)
        assert (send.to, send.message.start) == ("store", 5)
        assert send.message.register <= self.state.cache.copies, "CACHE-3"
        self.to_store.append(send.message)
        self.log.append((access.id, access.seen))

    def _told(self, name: str, value: int) -> None:
        """Hold a result against what we did, and what we were told before."""
        assert value >= self.own[name], f"STORE-6: {name} lacks an update of our own"
        assert value >= self.newest[name], f"{name} was {self.newest[name]} before"
        self.newest[name] = value

    @event(4, count=(0, 1, 3))
    def flush(self, count: int) -> None:
        """Let updates of a flow be flushed: sent in their order, and once (CACHE-2)."""
        key, first = ObjectKey("v", "flow", "A"), self.clock + 1
        self.clock += count
        writes = tuple(
            Apply(UpdateId(clock, (), key, 0), Increment(), 1, False)
            for clock in range(first, first + count)
        )
        self.state, sends = self.client.flush(attrs.evolve(self.state, unflushed=writes))
        assert [send.message.id.clock for send in sends] == [w.id.clock for w in writes]
        assert not self.state.unflushed
        self.to_store += [send.message for send in sends]
        self.log += [(write.id, ()) for write in writes]
        self.note("flushed", count > 1)

    @event(10, bound=(True, True, False))
    def effect(self, bound: bool) -> None:
        """Let something be computed from all that was read so far."""
        self.number += 1
        if bound:
            self.effects.append((self.number, frozenset(self.open)))
        self._let_out([(self.number, bound)])

    def _let_out(self, effects: list[tuple[int, bool]]) -> None:
        self.state, out = self.client.let_out(self.state, effects, lambda effect: effect[1])
        unbound = [number for number, bound in effects if not bound]
        assert [number for number, bound in out if not bound] == unbound, "nothing holds them"
        left = [number for number, bound in out if bound]
        free = []
        while self.effects and not self.effects[0][1] & self.open:
            free.append(self.effects.pop(0)[0])
        assert left == free, "CACHE-3, CACHE-4: in order, and when all is confirmed"
        self.note("held", bool(self.effects))
        self.note("freed", bool(free))

    # ------------------------------------------------------------------ the store

    @event(20)
    def store_takes(self) -> None:
        """Let the store take a message."""
        if self.to_store:
            self._take(self.to_store.popleft())

    def _take(self, message: Any) -> None:
        if isinstance(message, Apply):
            self._serve(message)
        else:
            for access in message:  # what is logged has been re-executed already
                self.note("answered again")
                self._serve(access, again=True)

    def _serve(self, access: Apply, again: bool = False) -> None:
        name = access.id.object.name
        self.reader = self.reader or (access.register and name == "limit")
        if not access.operation.reads_only and not again:
            self._count(name)
        if access.blocking:
            value = access.seen[0] if access.seen else self.values[name]
            copy = (self.values[name],) if access.register else ()
            self.to_client.append(Result(access.id, value, True, self._stamp(name), copy))

    def _count(self, name: str) -> None:
        self.values[name] += 1
        self.versions[name] += 1
        if name == "limit" and self.reader:
            call = Callback(_key(name), self.values[name], self._stamp(name))
            self.to_client.append(call)

    def _stamp(self, name: str) -> Stamp:
        return Stamp(self.versions[name], self.values[name], ())

    @event(8, name=SHARED)
    def other(self, name: str) -> None:
        """Let another instance count: what is ours alone only when we have given it up."""
        ours = self.state.cache.alone or self.open or self.to_store
        if name != "hot" or not ours:
            self._count(name)

    @event(20)
    def hear(self) -> None:
        """Let the client take an answer."""
        if self.to_client:
            self._hear(self.to_client.popleft())

    def _hear(self, message: Any) -> None:
        match message:
            case Result(update, value):
                self.state = self.client.on_result(self.state, message)
                seen = [i for i, (one, _) in enumerate(self.log) if one == update]
                for at in seen:
                    self.log[at] = (update, (value,))
                self.open.discard(update)
                if self.waits is not None and self.waits.id == update:
                    self.waits = None
                    self._told(update.object.name, value)
                self._let_out([])
            case Callback():
                self.note("called back", _key("limit") in self.state.copies)
                self.state = self.client.on_callback(self.state, message)
            case Checkpointed(last):
                self.state = self.client.on_checkpointed(self.state, message)
                ids = [update for update, _ in self.log]
                self.note("trimmed", last in ids)
                self.log = self.log[ids.index(last) + 1 if last in ids else 0 :]
            case Recall():
                self.state = self.client.on_recall(self.state)
                self.note("recalled")
                self._ask_again()
        self.check()

    def _ask_again(self) -> None:
        """Ask again for what was not answered, as an instance does."""
        again = [i.access for i in self.state.issued if i.access.id in self.state.unconfirmed]
        assert {access.id for access in again} == self.open, "REC-5: what is served is logged"
        if self.waits is not None:
            again.append(self.client.request(self.state, self.waits).message)
        self.to_store.append(again)

    # ------------------------------------------------------------------ control

    @event(1, cache=(*CACHES, Cache(True)))
    def cache(self, cache: Cache) -> None:
        """Change what may be cached; it begins again when the store has all (CACHE-4)."""
        if not cache.alone or not (self.open or self.to_store):
            self.note("caches changed", cache != self.state.cache)
            self.state = self.client.on_cache(self.state, cache)
            self.check()

    @event(1, which=range(6))
    def checkpoint(self, which: int) -> None:
        """Let a checkpoint be written that has some of the log."""
        taken = len(self.log) - len(self.to_store)
        if taken > 0 and not self._is_recovering():
            self.to_client.append(Checkpointed(self.log[which % taken][0], 5))

    @event(1, kept=range(4))
    def fail(self, kept: int) -> None:
        """Let the store fail; its failover takes our log, and calls nobody."""
        if self._is_recovering():
            return  # one at a time
        for access in self.to_store:
            if isinstance(access, Apply) and not access.operation.reads_only:
                self._count(access.id.object.name)
        self.to_store.clear()
        self.to_client = deque(list(self.to_client)[:kept])
        self.reader = False
        self.to_client.append(Recall(1))

    def _is_recovering(self) -> bool:
        under_way = (*self.to_client, *self.to_store)
        return any(isinstance(message, Recall | list) for message in under_way)

    def check(self) -> None:
        """Hold the log, and the copies, against what is allowed."""
        issued = [(one.access.id, one.result) for one in self.state.issued]
        assert issued == self.log, "REC-5: the write-ahead log"
        assert all(isinstance(one, Issued) for one in self.state.issued)
        copies = {key.name for key, _ in self.state.copies.items()}
        assert "sum" not in copies, "CACHE-1"
        assert not copies or self.state.cache.copies, "CACHE-3: not while it is cloned"
        assert self.state.unconfirmed == self.open

    def finish(self) -> None:
        """Let all answers come: everything is out."""
        while self.to_store or self.to_client:
            self._exchange()
        assert self.waits is None
        assert not self.effects, "LIVE: output waits for ever"
        assert not self.state.outbox


def test_a_client_serves_logs_and_holds_back_as_it_must(request: pytest.FixtureRequest) -> None:
    """CACHE-1 to CACHE-4, STORE-6, REC-5."""
    drive(Clients, request, examples=40)


class Blind(Client):
    """A seeded fault: an update leaves the copy as it was."""

    def issue(self, state: ClientState, access: Apply) -> Any:
        after, send = super().issue(state, access)
        return attrs.evolve(after, copies=state.copies), send


class Forgetful(Client):
    """A seeded fault: what is served here is not logged."""

    def issue(self, state: ClientState, access: Apply) -> Any:
        after, send = super().issue(state, access)
        return attrs.evolve(after, issued=state.issued) if access.seen else after, send


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": Blind},
        {"kind": Forgetful},
        {"protocol": attrs.evolve(AMENDED, commits_first=lambda pending: False)},
    ],
)
def test_a_faulty_client_is_found(fault: dict[str, Any]) -> None:
    """The machine can fail."""
    catches(Clients, match="STORE-6|CACHE-3|REC-5", **fault)


def test_a_second_answer_brings_no_copy() -> None:
    """CACHE-3, REC-5: an own update has dropped the copy that came with the first one."""
    client, key = Client("store", NF), _key("limit")
    read = Apply(UpdateId(1, (), key, 0), Get(), 1, True)
    update = Apply(UpdateId(2, (), key, 0), Increment(), 1, False)
    answer = Result(read.id, 0, copy=(0,))
    state, _ = client.issue(ClientState(), read)
    state = client.on_result(state, answer)
    assert state.copies == Map({key: 0})
    state, _ = client.issue(state, update)
    assert client.on_result(state, answer).copies == Map()


def test_an_emulated_access_brings_no_copy() -> None:
    """DUP-3, CACHE-3: a packet that passes through leaves no cache behind."""
    client, key = Client("store", NF), _key("limit")
    read = Apply(UpdateId(1, (), key, 0), Get(), 1, True, emulate=True)
    state, send = client.issue(ClientState(), read)
    assert not send.message.register
    assert client.on_result(state, Result(read.id, 0, copy=(0,))).copies == Map()
