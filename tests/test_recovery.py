"""A store's failover: REC-4, REC-5, REC-6, REC-7, whatever was under way when the store failed.

The store and its users, with the real client library and real channels, but users that do
whatever hypothesis wants. Some of the users are two hosts of one instance, and some fail and do
everything once more, as a replay makes them. After each recovery the memory must be one that
some order of the accesses gives: one that keeps each instance's own order, and in which every
access returns what anybody was told of it. Per-flow objects follow their clocks.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, ClassVar

import attrs
import hypothesis.strategies as st
import pytest
from by_hand import nothing
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.amended import Logs
from chc_ref.core.client import Client, ClientState
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Cache,
    Callback,
    Checkpointed,
    CheckpointTimer,
    Committed,
    Crashed,
    Drawn,
    Fence,
    Granted,
    Packet,
    Recall,
    Received,
    Recollection,
    Release,
    Result,
    Stamp,
    Start,
)
from chc_ref.core.operations import (
    CompareAndUpdate,
    Draw,
    Get,
    Increment,
    NetworkFunction,
    Operation,
    Pattern,
    Pop,
    Push,
    Put,
    StateObject,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.store import Store, StoreState
from chc_ref.core.values import Address, Map, ObjectKey, UpdateId, identity_of, sorted_items

FLOW = StateObject("flow", True, initial=())
LIST = StateObject("list", False, initial=(), ordered=True)
SUM = StateObject("sum", False, initial=0)
LIMIT = StateObject("limit", False, initial=0, pattern=Pattern.READ_MOSTLY)
OBJECTS = {declared.name: declared for declared in (FLOW, LIST, SUM, LIMIT)}
BITS = {name: 8 * at for at, name in enumerate(OBJECTS)}
LIST_KEY = ObjectKey("v", "list", ())


NF = NetworkFunction("any", tuple(OBJECTS.values()), nothing)


# --------------------------------------------------------------------------- orders

UNKNOWN = object()
"""Result of an access that nobody was told."""

Lane = list[tuple[Operation, Any]]
"""What one instance did to one object, in order: (operation, result)."""


def is_some_order(lanes: list[Lane], initial: Any, final: Any) -> bool:
    """Tell whether some order of the accesses gives these results, and this value at the end."""
    tried: set[tuple[tuple[int, ...], Any]] = set()
    open_ends = [((0,) * len(lanes), initial)]
    while open_ends:
        places, value = open_ends.pop()
        if all(place == len(lane) for place, lane in zip(places, lanes, strict=True)):
            if value == final:
                return True
            continue
        for at, (place, lane) in enumerate(zip(places, lanes, strict=True)):
            if place == len(lane):
                continue
            operation, expected = lane[place]
            after, result = operation.apply(value)
            then = ((*places[:at], place + 1, *places[at + 1 :]), after)
            if expected in (UNKNOWN, result) and then not in tried:
                tried.add(then)
                open_ends.append(then)
    return False


def test_orders_are_told_apart() -> None:
    """The judge itself: it finds the order that there is, and none where there is none."""
    one: Lane = [(Push("a"), 1), (Pop(), "b")]
    assert is_some_order([one, [(Push("b"), UNKNOWN)]], (), ("a",)) is False
    assert is_some_order([one, [(Push("b"), UNKNOWN), (Pop(), "a")]], (), ())
    assert is_some_order([[(Increment(), UNKNOWN)]] * 2, 0, 2)
    assert is_some_order([[(Increment(), UNKNOWN)]] * 2, 0, 1) is False
    assert is_some_order([[(Increment(), 1)]] * 2, 0, 2) is False


# --------------------------------------------------------------------------- users


@attrs.define
class User:
    """One host: the client library, and what it is about to do."""

    name: Address
    state: ClientState
    to_store: deque[Any] = attrs.field(factory=deque)
    to_user: deque[Any] = attrs.field(factory=deque)
    done: int = 0
    """Accesses of its instance's script that it has issued."""
    waits: Apply | None = None
    asks: Acquire | None = None
    owned: dict[str, int] = attrs.field(factory=dict)
    released: list[tuple[int, str, int]] = attrs.field(factory=list)
    """(place in the script, flow, epoch) of each flow that it gave up."""
    to_release: list[tuple[int, str, int]] = attrs.field(factory=list)
    """What its predecessor gave up, and it has not come so far yet."""
    cached: dict[str, tuple[int, ...]] = attrs.field(factory=dict)


HOSTS = ("v.0", "v.0'", "v.1", "v.2")
HOMES = {"A": "v.0", "B": "v.1", "D": "v.2"}
MOST = 9
"""Accesses of one shared object in one run: more have more orders than one can try."""


class Users(Machine):
    """A store, its users, and the channels between them."""

    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("recovered", "recovered from a checkpoint", "re-executed", "from a read"),
            *("copy read", "emulated in vain", "granted", "user failed", "trimmed", "twice"),
        }
    )

    @initialize(names=st.sets(st.sampled_from(("list", "sum", "limit")), min_size=1, max_size=2))
    def start(self, names: set[str]) -> None:
        """Begin with every flow at its home, and a clone of one instance."""
        self.names = sorted(names)
        self.store = Store(Map({"v": NF.objects}), stamps=True, rules=self.protocol)
        self.client = Client("store", NF, write_ahead=True, rules=self.protocol)
        self.stored, self.session, self.clock = StoreState(), 0, 0
        self.scripts: dict[Address, list[Apply]] = {identity_of(host): [] for host in HOSTS}
        self.seen: dict[UpdateId, Any] = {}
        self.committed: set[tuple[int, int]] = set()
        self.users = {host: self._user(host, 0) for host in HOSTS}
        for flow, home in HOMES.items():
            self._ask(self.users[home], flow, 0)
        self._settle()
        twin, other = self.users["v.0'"], self.users["v.0"]
        twin.owned, twin.cached = dict(other.owned), dict(other.cached)

    def _user(self, host: Address, start: int) -> User:
        cloned = identity_of(host) == "v.0"
        return User(host, ClientState(start=start, cache=Cache(True, copies=not cloned)))

    # ------------------------------------------------------------------ what users do

    @event(
        12,
        host=HOSTS,
        which=(0, 1),
        operation=range(4),
        how=itertools.product((True, False), (True, False)),
    )
    def access(self, host: Address, which: int, operation: int, how: tuple[bool, bool]) -> None:
        """Let a host access a shared object: waiting or not, for a new packet or its last one."""
        user, (blocking, more) = self.users[host], how
        if user.waits is not None or self._is_behind(user):
            return
        name, script = self.names[which % len(self.names)], self.scripts[identity_of(host)]
        used = [a for of in self.scripts.values() for a in of if a.id.object.name == name]
        if len(used) == MOST:
            return
        mine = [a for a in used if a in script and a.id.clock == script[-1].id.clock]
        clock, seq = (script[-1].id.clock, len(mine)) if script and more else (self._next(), 0)
        update = UpdateId(clock, (), ObjectKey("v", name, ()), seq)
        what = self._operation(name, operation, update)
        blocking = blocking or isinstance(what, Get | Draw)
        script.append(Apply(update, what, 1 << (BITS[name] + seq), blocking))
        self._issue(user)

    @event(host=HOSTS, which=range(20), soon=(True, False))
    def emulate(self, host: Address, which: int, soon: bool) -> None:
        """Let a packet pass through that is replayed to another instance (DUP-3)."""
        user, script = self.users[host], self.scripts[identity_of(host)]
        waited = [a for a in script if a.blocking and a.id.object.name != "flow"]
        if user.waits is None and waited:
            access = attrs.evolve(waited[which % len(waited)], emulate=True)
            user.waits = access
            user.state, send = self.client.issue(user.state, access)
            user.to_store.append(send.message)
            while soon and user.to_store and not self.stored.asked:
                self._stores(user)

    def _is_behind(self, user: User) -> bool:
        return bool(user.to_release) or user.done < len(self.scripts[identity_of(user.name)])

    @event(host=HOSTS)
    def catch_up(self, host: Address) -> None:
        """Let a clone, or a failover, do what its instance has done."""
        user = self.users[host]
        if user.to_release and user.to_release[0][0] <= user.done:
            self._release(user, user.to_release.pop(0))
        elif user.waits is None and self._is_behind(user):
            self._issue(user)

    def _operation(self, name: str, choice: int, update: UpdateId) -> Operation:
        choices: dict[str, tuple[Operation, ...]] = {
            "list": (Push((update.clock, update.seq)), Pop(), Get(), Push("same")),
            "sum": (Increment(), Increment(2), CompareAndUpdate(2, 9), Draw()),
            "limit": (Get(), Get(), Get(), Increment()),
        }
        return choices[name][choice]

    @event(flow=HOMES)
    def update_flow(self, flow: str) -> None:
        """Let the owner of a flow flush an update of it."""
        owners = [user for user in self.users.values() if flow in user.owned]
        owner = owners[0] if owners else None
        if owner is None or owner.waits or self._is_behind(owner):
            return
        clock = self._next()
        update = UpdateId(clock, (), ObjectKey("v", "flow", flow), 0)
        self.scripts[identity_of(owner.name)].append(Apply(update, Push(clock), 1, False))
        self._issue(owner)

    @event(2, flow=("B", "D"), to=("v.1", "v.2"))
    def move(self, flow: str, to: Address) -> None:
        """Let a flow go from one instance to another."""
        old = next((user for user in self.users.values() if flow in user.owned), None)
        new = self.users[to]
        if old is None or old is new or new.asks or self._is_behind(old):
            return
        epoch = old.owned.pop(flow) + 1
        self._release(old, (old.done, flow, epoch))
        self._ask(new, flow, epoch)

    def _release(self, user: User, handover: tuple[int, str, int]) -> None:
        _, flow, epoch = handover
        user.released.append(handover)
        user.to_store.append(Release(flow, epoch, user.state.start))

    def _ask(self, user: User, flow: str, epoch: int) -> None:
        send = self.client.ask(user.state, Packet(self._next(), flow, (), epoch=epoch), peek=False)
        user.asks = send.message
        user.to_store.append(send.message)

    def _next(self) -> int:
        self.clock += 1
        return self.clock

    def _issue(self, user: User) -> None:
        """Issue the next access of the script: from a copy, where there is one."""
        script = self.scripts[identity_of(user.name)]
        access = script[user.done]
        user.done += 1
        fresh = user.done == len(script)
        served = self.client.serve(user.state, access) if fresh else None
        if served is not None:
            user.state, access = served
            self.note("copy read")
        elif access.blocking:
            user.waits = access
        user.state, send = self.client.issue(user.state, access)
        user.to_store.append(send.message)
        if access.id.object.name == "flow":
            flow = access.id.object.key
            user.cached[flow] = (*user.cached.get(flow, ()), access.id.clock)

    # ------------------------------------------------------------------ what happens to them

    @event(30, host=HOSTS, first=(True, False))
    def deliver(self, host: Address, first: bool) -> None:
        """Let one message be taken, by the store or by a host."""
        user = self.users[host]
        if user.to_store and (first or not user.to_user):
            self._stores(user)
        elif user.to_user:
            self._hear(user)

    @event(1)
    def checkpoint(self) -> None:
        """Let the store write a checkpoint."""
        self._store_steps(CheckpointTimer())

    @event(1, value=range(20, 29))
    def draw(self, value: int) -> None:
        """Let the store draw another value from now on."""
        self._store_steps(Drawn(value))

    @event(1, lost_to=range(4), lost_from=range(4), recovers=(True, False))
    def crash(self, lost_to: int, lost_from: int, recovers: bool) -> None:
        """Let the store fail: what is under way may be lost, or reach its failover."""
        self._store_steps(Crashed())
        self.session += 1
        for user in self.users.values():
            for _ in range(min(lost_to, len(user.to_store))):
                user.to_store.popleft()
            for _ in range(min(lost_from, len(user.to_user))):
                user.to_user.pop()
        self._store_steps(Received("manager", Start((), self.session, ask=HOSTS)))
        while recovers and self.stored.asked:
            self._exchange(self.users[min(self.stored.asked)])

    @event(1, host=HOSTS)
    def fail(self, host: Address) -> None:
        """Let a user fail: its failover does all that it did once more (REC-1, REC-7)."""
        if self.stored.asked:
            return
        old = self.users[host]
        self.session += 1
        new = self._user(host, self.session)
        for message in old.to_store:  # the end of it would be lost; it is void in any case
            self._store_steps(Received(host, message))
            break
        self._store_steps(Received("manager", Fence(host, self.session)))
        new.to_store = deque(m for m in old.to_store if isinstance(m, Apply))
        new.owned, new.cached = old.owned, old.cached
        new.to_release = old.released + old.to_release
        if old.asks is not None:
            new.asks = attrs.evolve(old.asks, start=self.session)
            new.to_store.append(new.asks)
        self.users[host] = new
        self.note("user failed")

    # ------------------------------------------------------------------ messages

    def _exchange(self, user: User) -> None:
        self._stores(user) if user.to_store else self._hear(user)

    def _stores(self, user: User) -> None:
        self._store_steps(Received(user.name, user.to_store.popleft()))

    def _store_steps(self, event: Any) -> None:
        before = self.stored
        self.stored, sends = self.store.step(before, event)
        for send in sends:
            if send.to in self.users:
                self.users[send.to].to_user.append(send.message)
            elif isinstance(send.message, Committed):
                self.committed.add((send.message.clock, send.message.token))
        if before.asked and self.stored.up and not self.stored.asked:
            self._note_recovery(before)
            self.check()

    def _note_recovery(self, before: StoreState) -> None:
        issued = [one for _, recalled in before.recalled.items() for one in recalled.issued]
        reads = [read for _, recalled in before.recalled.items() for read in recalled.reads]
        self.note("recovered")
        self.note("recovered from a checkpoint", bool(before.checkpoint.records))
        self.note(
            "re-executed", any(one.access.id not in before.checkpoint.records for one in issued)
        )
        self.note("from a read", any(stamp.version for _, stamp in reads))
        self.note("twice", self.session > 1)

    def _hear(self, user: User) -> None:
        message = user.to_user.popleft()
        match message:
            case Result():
                user.state = self.client.on_result(user.state, message)
                if message.known:
                    known = self.seen.setdefault(message.id, message.value)
                    assert known == message.value, "DUP-2: two results of one access"
                else:
                    self.note("emulated in vain")
                if user.waits is not None and user.waits.id == message.id:
                    user.waits = None
            case Granted() if user.asks is not None:
                if message.owned and message.epoch == user.asks.epoch:
                    flow = str(message.flow)
                    user.owned[flow], user.asks = message.epoch, None
                    ((_, user.cached[flow]),) = message.values
                    self.note("granted")
            case Callback():
                user.state = self.client.on_callback(user.state, message)
            case Checkpointed():
                before = len(user.state.issued)
                user.state = self.client.on_checkpointed(user.state, message)
                self.note("trimmed", len(user.state.issued) < before)
            case Recall(session):
                self._recollect(user, session)

    def _recollect(self, user: User, session: int) -> None:
        state = user.state = self.client.on_recall(user.state)
        again: list[Any] = [Release(f, epoch, state.start) for _, f, epoch in user.released]
        again += [i.access for i in state.issued if i.access.id in state.unconfirmed]
        again += [user.asks] if user.asks is not None else []
        if user.waits is not None:
            again.append(self.client.request(state, user.waits).message)
        owned = tuple((f, e, (("flow", user.cached[f]),)) for f, e in sorted(user.owned.items()))
        reads = tuple(sorted_items(state.reads))
        recollection = Recollection(session, owned, state.issued, reads, tuple(again))
        user.to_store.append(recollection)

    # ------------------------------------------------------------------ what is required

    def check(self) -> None:
        """Hold the store against everything that anybody was told."""
        memory = self.stored.memory
        for update, result in self.seen.items():
            record = memory.records.get(update)
            assert record is not None, f"REC-5: {update} is forgotten"
            assert record.result == result, f"REC-5: {update} gave {result}, and {record} now"
        for flow in HOMES:
            key = ObjectKey("v", "flow", flow)
            done = tuple(sorted(u.clock for u, _ in memory.records.items() if u.object == key))
            assert memory.values.get(key, ()) == done, "REC-4: an update is lost, or out of order"
            versions = [value for _, value in memory.versions.get(key, ())]
            assert versions == [done[: n + 1] for n in range(len(done))], "REC-4: a wrong past"
        for name, declared in OBJECTS.items():
            if declared.per_flow:
                continue
            key = ObjectKey("v", name, ())
            lanes = [self._lane(script, key) for script in self.scripts.values()]
            final = memory.values.get(key, declared.initial)
            assert is_some_order(lanes, declared.initial, final), f"R3: {key} has no such order"

    def _lane(self, script: list[Apply], key: ObjectKey) -> Lane:
        """Give what the store has of an instance's accesses of one object."""
        records, lane = self.stored.memory.records, []
        for access in script:
            if access.id.object == key and access.id in records:
                result = records[access.id].result
                drawn = isinstance(access.operation, Draw)
                operation = Put(result) if drawn else access.operation
                lane.append((operation, result if access.blocking else UNKNOWN))
        return lane

    def _settle(self) -> None:
        while True:
            for host in HOSTS:
                self.catch_up(host=host)
            busy = [u for u in self.users.values() if u.to_store or u.to_user]
            if not busy:
                return
            for user in busy:
                self._exchange(user)

    def finish(self) -> None:
        """Let everybody have answers: nothing that was issued is lost, and all is committed."""
        self._settle()
        self.check()
        issued = {access.id: access for script in self.scripts.values() for access in script}
        recorded = {update for update, _ in self.stored.memory.records.items()}
        assert recorded == set(issued), "REC-5: what was issued is lost"
        assert not any(user.waits or user.asks for user in self.users.values()), "LIVE"
        assert not any(user.state.unconfirmed for user in self.users.values()), "LIVE: it waits"
        tokens = {(a.id.clock, a.token) for a in issued.values() if not a.operation.reads_only}
        assert self.committed == tokens, "DEL-2: every update is committed"


def test_a_recovered_store_agrees_with_all_that_anybody_was_told(
    request: pytest.FixtureRequest,
) -> None:
    """REC-4, REC-5, REC-6: whatever was issued, wherever the store failed, and again."""
    drive(Users, request, examples=50)


def _oldest(stamps: tuple[Stamp, ...], logs: Logs) -> Stamp:
    return min(stamps, key=lambda stamp: stamp.version)


@pytest.mark.parametrize(
    "fault",
    [
        {"most_recent": _oldest},
        {"reveals": lambda reads_only: reads_only},
        {"rebuilds_from_logs": lambda records: False},
        {"rebuilds_from_logs": lambda records: records > 0},
        {"recorded": lambda records, update: False},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_wrong_rule_of_recovery_is_found(fault: dict[str, Any]) -> None:
    """REC-4, REC-5, REC-6: the machine can fail."""
    catches(Users, protocol=attrs.evolve(AMENDED, **fault))
