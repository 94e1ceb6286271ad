"""The NF instance by itself, beside a naive store, root and second instance.

MOVE-2, MOVE-3, MOVE-4, MOVE-5, MOVE-6, DUP-3, REC-1, REC-2, REC-5, DEL-1, ROOT-3, CACHE-2: flows
come and go, packets pass through, and the instance, the store or the root fails. Every packet of
a flow gets its number in the flow, once each start, and every update is made, once and in order.
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
from chc_ref.core.instance import Instance
from chc_ref.core.messages import (
    Acquire,
    Again,
    Alert,
    Apply,
    Delete,
    Deleted,
    Granted,
    HandedOver,
    LastMark,
    Output,
    Packet,
    Passed,
    Recall,
    Recollection,
    Recovered,
    Release,
    ReplayEnd,
    Result,
    Send,
)
from chc_ref.core.operations import (
    Access,
    Increment,
    NetworkFunction,
    Outcome,
    Process,
    StateObject,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Map
from chc_ref.core.work import Announce, Emit, InstanceState, Mode

ME, OTHER, BELOW = "v.0", "v.1", "w.0"
UPSTREAM = ("u.0", "u.1")
FLOWS = ("A", "B", "D")
HEADERS = ("plain", "wait", "drop", "alert")
TOKENS = {"count": 0, "total": 1, "place": 2}


def _process(headers: Any, flow: Any, clock: int) -> Process:
    """Number the flow's packets, count all packets, and note the place of some among all."""
    number = yield Access("count", Increment())
    yield Access("total", Increment(), blocking=False)
    if headers == "wait":
        yield Access("place", Increment())
    if headers == "drop":
        return Outcome()
    return Outcome(((flow, number),), ("seen",) if headers == "alert" else ())


OBJECTS = (
    StateObject("count", True, initial=0),
    StateObject("total", False, initial=0),
    StateObject("place", False, initial=0),
)
NF = NetworkFunction("numbers", OBJECTS, _process)


@attrs.define
class Shelf:
    """A naive store: who has each flow, what was done to it, and every result."""

    owner: dict[str, tuple[str | None, int]]
    counted: dict[str, list[int]]
    """Clocks of the updates of each flow, in order."""
    results: dict[Any, Any] = attrs.field(factory=dict)
    places: int = 0
    totals: int = 0
    waiting: list[Acquire | Release] = attrs.field(factory=list)


class Instances(Machine):
    """One instance, and all that it talks to."""

    kind: ClassVar[type[Instance]] = Instance
    protocol: ClassVar[Rules] = AMENDED
    wanted = frozenset(
        {
            *("emitted", "left", "deleted", "dropped", "not first", "handed over", "came back"),
            *("buffered", "passed through", "instance failed", "replayed"),
            *("emulated", "recovered", "store failed", "root failed", "flushed late"),
        }
    )

    @initialize(last=st.booleans(), eager=st.booleans())
    def start(self, last: bool, eager: bool) -> None:
        """Begin with two flows here, and one at the other instance."""
        client = Client("store", NF, write_ahead=True, rules=self.protocol)
        tokens = Map(TOKENS)
        self.instance = self.kind(
            ME, NF, UPSTREAM, last, tokens, client, (), eager, "v", self.protocol
        )
        self.instance = attrs.evolve(self.instance, roots=("root",))
        self.state = InstanceState()
        self.incoming: deque[tuple[Address, Any]] = deque()
        self.to_store: deque[Any] = deque()
        self.from_store: deque[Any] = deque()
        self.to_root: deque[Delete] = deque()
        self.from_root: deque[Any] = deque()
        self.stays = {flow: [ME] for flow in FLOWS} | {"D": [OTHER]}
        """Instances that each flow was at, one after the other: the place is the epoch."""
        self.packets: list[Packet] = []
        """Every packet of ours, with its epoch."""
        self.clocks: dict[str, list[int]] = {flow: [] for flow in FLOWS}
        self.others: dict[str, deque[tuple[int, int]]] = {flow: deque() for flow in FLOWS}
        """(epoch, clock) of what the other instance is still to do."""
        self.shelf = Shelf(dict.fromkeys(FLOWS, (None, 0)), {flow: [] for flow in FLOWS})
        self.clock = self.session = self.replay = 0
        self.recalling = 0
        """Session of the store's recovery, until it has our recollection."""
        self.aside: list[Any] = []
        self.ended: set[int] = set()
        """Clocks whose delete the root has."""
        self.first: dict[int, int] = {}
        """The start whose delete of a clock was the first."""
        self.left: set[int] = set()
        self._forget()

    def _forget(self) -> None:
        """Begin to hold a new start of the instance against what it does."""
        self.emitted: dict[tuple[str, int], list[int]] = {}
        """Clocks of each tenure; downstream, marks tell one tenure from the next (MOVE-6)."""
        self.flushed: dict[str, list[int]] = {flow: [] for flow in FLOWS}
        self.passed: set[tuple[str, int]] = set()

    # ------------------------------------------------------------------ what it does

    def take(self, step: tuple[InstanceState, list[Any]]) -> None:
        """Carry out what the instance asks for, and check it."""
        self.state, effects = step
        for effect in effects:
            match effect:
                case Emit(packet, headers):
                    self._emitted(packet, headers)
                case Announce(Passed(flow, epoch)):
                    self.passed.add((str(flow), epoch))
                    self.note("handed over")
                case Announce(ReplayEnd()):
                    self.note("passed on")
                case Send("store", message):
                    self._asked(message)
                    self.to_store.append(message)
                case Send("root", Delete() as delete):
                    self._deleting(delete)
                case Send("sink", message):
                    self._leaves(message)
                case Send("manager", Recovered(session)):
                    assert session == self.replay, "REC-1"
                    self.note("recovered")
                case Send("manager", HandedOver()):
                    pass
                case _:
                    raise AssertionError(f"what is {effect}?")
        self.note("buffered", any(len(of) > 1 for _, of in self.state.blocked.items()))
        emulates = self.state.work is not None and self.state.work.mode is Mode.EMULATED
        self.note("emulated", emulates)

    def _emitted(self, packet: Packet, headers: Any) -> None:
        _, number = headers[0]
        assert not self.instance.last, "ROOT-3: what is last sends to the sink"
        assert number == self._number(packet), "COE: computed from a wrong state"
        assert packet.vector == self._vector(packet), "DEL-1"
        assert packet.after == packet.epoch, "MOVE-6"
        if packet.target is not None:
            assert packet.target == BELOW, "DUP-3: the ID is cleared where it was for"
            self.note("passed through")
            return
        self._processed(packet)
        self.note("emitted")

    def _processed(self, packet: Packet) -> None:
        flow = str(packet.flow)
        done = self.emitted.setdefault((flow, packet.epoch), [])
        assert packet.clock > max(done, default=0), "MOVE-5: out of order, or twice"
        done.append(packet.clock)
        assert (flow, packet.epoch + 1) not in self.passed, "MOVE-6: behind its mark"

    def _number(self, packet: Packet) -> int:
        return self.clocks[str(packet.flow)].index(packet.clock) + 1

    def _vector(self, packet: Packet) -> int:
        headers = next(p.headers for p in self.packets if p.clock == packet.clock)
        return 0b111 if headers == "wait" else 0b011

    def _asked(self, message: Any) -> None:
        match message:
            case Apply() if message.id.object.name == "count":
                flow = str(message.id.object.key)
                done = self.flushed[flow]
                assert message.id.clock > max(done, default=0), "CACHE-2: in order, and once"
                done.append(message.id.clock)
            case Release(flow, epoch):
                mine = [p for p in self.packets if p.flow == flow and p.epoch == epoch - 1]
                sent = {*self.flushed[str(flow)], *self.shelf.counted[str(flow)]}
                assert {p.clock for p in mine} <= sent, "MOVE-2: flushed before it is released"

    def _deleting(self, delete: Delete) -> None:
        packet = next(p for p in self.packets if p.clock == delete.clock)
        vectors = ((), self._vector(packet))
        assert delete.vectors == (vectors,), "DEL-1"
        assert delete.waits == (packet.headers != "drop"), "REC-2"
        assert self.instance.last or packet.headers == "drop", "ROOT-3"
        assert delete.start == self.state.client.start
        tenure = self.emitted.get((str(packet.flow), packet.epoch), [])
        if delete.clock not in tenure:
            self._processed(packet)
        self.note("dropped", packet.headers == "drop")
        self.to_root.append(delete)

    def _leaves(self, message: Any) -> None:
        match message:
            case Output(clock, flow=flow, headers=(_, number)):
                assert clock in self.ended, "REC-2: before its delete"
                assert clock not in self.left, "REC-2: an output leaves twice"
                assert number == self.clocks[str(flow)].index(clock) + 1, "COE"
                self.left.add(clock)
                self.note("left")
            case Alert(clock=clock):
                packet = next(p for p in self.packets if p.clock == clock)
                assert packet.headers == "alert"

    # ------------------------------------------------------------------ what comes

    @event(12, flow=FLOWS, headers=HEADERS)
    def arrive(self, flow: str, headers: str) -> None:
        """Let a flow's next packet arrive, here or at the other instance."""
        self.clock += 1
        self.clocks[flow].append(self.clock)
        epoch = len(self.stays[flow]) - 1
        if self.stays[flow][-1] == ME:
            packet = Packet(self.clock, flow, headers, epoch=epoch)
            self.packets.append(packet)
            self.incoming.append((UPSTREAM[self.clock % 2], packet))
        else:
            self.others[flow].append((epoch, self.clock))
            self._let_other(flow)

    @event(4, flow=FLOWS)
    def move(self, flow: str) -> None:
        """Let a flow move, from here or to here."""
        epoch = len(self.stays[flow])
        if self.stays[flow][-1] == ME:
            self.incoming += [(one, LastMark(flow, epoch)) for one in UPSTREAM]
            self.stays[flow].append(OTHER)
        else:
            self.stays[flow].append(ME)
            self.note("came back")
        self._let_other(flow)

    def _let_other(self, flow: str) -> None:
        """Let the other instance do what it can, and give the flow up if it has moved on."""
        while True:
            owner, epoch = self.shelf.owner[flow]
            if owner is not None or self.stays[flow][epoch] != OTHER:
                break
            while self.others[flow] and self.others[flow][0][0] == epoch:
                self.shelf.counted[flow].append(self.others[flow].popleft()[1])
            if epoch == len(self.stays[flow]) - 1:
                break
            self.shelf.owner[flow] = (None, epoch + 1)
        waiting, self.shelf.waiting = self.shelf.waiting, []
        for request in waiting:
            self._serve(request)

    @event(20, many=(1, 1, 2, 5))
    def poll(self, many: int) -> None:
        """Let the instance poll its queue."""
        items = [self.incoming.popleft() for _ in range(min(many, len(self.incoming)))]
        self.take(self.instance.take(self.state, items))

    @event(3)
    def flush(self) -> None:
        """Let the flush timer fire."""
        self.note("flushed late", bool(self.state.client.unflushed))
        self.take(self.instance.on_flush(self.state))

    @event(4, which=range(20))
    def pass_through(self, which: int) -> None:
        """Let a packet pass that is replayed to an instance below, and the end of its replay."""
        if self.packets:
            packet = self.packets[which % len(self.packets)]
            again = attrs.evolve(packet, target=BELOW, session=99)
            self.incoming.append(("u.0", again))
            self.incoming.append(("u.0", ReplayEnd(BELOW, 99, (self.clock,))))

    # ------------------------------------------------------------------ store and root

    @event(20)
    def store_takes(self) -> None:
        """Let the store take a request."""
        if self.to_store:
            request = self.to_store.popleft()
            if isinstance(request, Recollection):
                self._recover(request)
            elif self.recalling:
                self.aside.append(request)
            else:
                self._serve(request)

    def _recover(self, recollection: Recollection) -> None:
        if recollection.session != self.recalling:
            return
        self.recalling = 0
        for issued in recollection.issued:
            if not issued.access.emulate:
                self._apply(issued.access)
        waiting, self.aside = [*recollection.again, *self.aside], []
        for request in waiting:
            self._serve(request)

    def _serve(self, request: Any) -> None:
        match request:
            case Apply():
                self._apply(request)
                known = request.id in self.shelf.results
                if request.blocking:
                    result = self.shelf.results.get(request.id)
                    self.from_store.append(Result(request.id, result, known))
            case Acquire():
                self._acquire(request)
            case Release(flow, epoch):
                owner, current = self.shelf.owner[str(flow)]
                if epoch > current + 1:
                    self.shelf.waiting.append(request)
                elif epoch == current + 1 and owner in (None, ME):
                    self.shelf.owner[str(flow)] = (None, epoch)
                    self._let_other(str(flow))

    def _apply(self, access: Apply) -> None:
        shelf, update = self.shelf, access.id
        if update in shelf.results or access.emulate:
            return
        shelf.results[update] = None
        match update.object.name:
            case "count":
                flow = str(update.object.key)
                assert shelf.owner[flow][0] == ME, "STORE-2: not the owner"
                shelf.counted[flow].append(update.clock)
            case "total":
                shelf.totals += 1
            case "place":
                shelf.places += 1
                shelf.results[update] = shelf.places

    def _acquire(self, request: Acquire) -> None:
        flow = str(request.flow)
        owner, epoch = self.shelf.owner[flow]
        if request.epoch > epoch and not request.peek:
            if request not in self.shelf.waiting:
                self.shelf.waiting.append(request)
            return
        owned = request.epoch == epoch and not request.peek
        assert not owned or owner in (None, ME)
        if owned:
            self.shelf.owner[flow] = (ME, epoch)
        counted = self.shelf.counted[flow]
        before = sum(clock < request.clock for clock in counted)
        latest = all(clock <= request.clock for clock in counted)
        values = (("count", before),)
        answer = Granted(flow, request.epoch, request.clock, values, owned, request.peek, latest)
        self.from_store.append(answer)

    @event(20)
    def hear(self) -> None:
        """Let the instance take an answer of the store."""
        if self.from_store:
            self.take(self.instance.on_message(self.state, self.from_store.popleft()))

    @event(8)
    def root_takes(self) -> None:
        """Let the root take a delete."""
        if self.to_root:
            delete = self.to_root.popleft()
            first = self.first.setdefault(delete.clock, delete.start) == delete.start
            self.ended.add(delete.clock)
            self.note("deleted")
            self.note("not first", not first)
            self.from_root.append(Deleted(delete.clock, delete.branch, first, delete.start))

    @event(8)
    def hear_root(self) -> None:
        """Let the instance take an answer of the root."""
        if self.from_root:
            self.take(self.instance.on_message(self.state, self.from_root.popleft()))

    # ------------------------------------------------------------------ failures

    @event(1, lost=range(4))
    def root_fails(self, lost: int) -> None:
        """Let the root fail: deletes are lost, or only heard of by its failover."""
        self.note("root failed", bool(self.to_root))
        self.to_root.clear()
        for _ in range(min(lost, len(self.from_root))):
            self.from_root.pop()
        self.from_root.append(Again())

    @event(1, lost=range(4), kept=range(4))
    def store_fails(self, lost: int, kept: int) -> None:
        """Let the store fail: what is under way may be lost; it asks its users."""
        self.note("store failed", bool(self.to_store))
        for _ in range(min(lost, len(self.to_store))):
            self.to_store.popleft()
        self.from_store = deque(list(self.from_store)[:kept])
        self.shelf.waiting, self.aside = [], []
        self.session = self.recalling = self.session + 1
        self.from_store.append(Recall(self.session))

    @event(2, sent=range(6))
    def fail(self, sent: int) -> None:
        """Let the instance fail; its failover gets the log, and all that is new behind it."""
        if self.recalling:
            return  # Table 3: not together with the store of its own state
        for _ in range(min(sent, len(self.to_store))):
            self.store_takes()
        self.to_store.clear()  # void (REC-1)
        self.shelf.waiting = []
        for _ in range(min(sent, len(self.to_root))):
            self.root_takes()
        self.to_root.clear()
        self.session += 1
        self.state = InstanceState(ClientState(start=self.session))
        self.session = self.replay = self.session + 1
        self._forget()
        logged = [packet for packet in self.packets if self._is_logged(packet)]
        replay = [attrs.evolve(p, target=ME, session=self.replay) for p in logged]
        end = ReplayEnd(ME, self.replay, (self.clock,))
        items = [*((UPSTREAM[0], packet) for packet in replay), (UPSTREAM[0], end)]
        for flow, stays in self.stays.items():
            for epoch, place in enumerate(stays[:-1], 1):
                if place == ME:
                    items += [(one, LastMark(flow, epoch)) for one in UPSTREAM]
        self.incoming = deque(items)
        self.note("instance failed")
        self.note("replayed", bool(replay))

    def _is_logged(self, packet: Packet) -> bool:
        """Tell whether the root still has a packet: not ended, or not all committed (DEL-3)."""
        done = {update.object.name for update in self.shelf.results if update.clock == packet.clock}
        names = {name for name, bit in TOKENS.items() if self._vector(packet) >> bit & 1}
        return packet.clock not in self.ended or not names <= done

    @event(6, which=range(20))
    def below_ends(self, which: int) -> None:
        """Let a packet end that we have sent on."""
        emitted = sorted(clock for of in self.emitted.values() for clock in of)
        if emitted and not self.instance.last:
            self.ended.add(emitted[which % len(emitted)])

    def finish(self) -> None:
        """Let everything come to rest: all is processed, and all is in the store."""
        while True:
            if self.incoming:
                self.poll(many=1)
            elif self.to_store:
                self.store_takes()
            elif self.from_store:
                self.hear()
            elif self.to_root:
                self.root_takes()
            elif self.from_root:
                self.hear_root()
            elif self.state.client.unflushed:
                self.flush()
            else:
                break
        state = self.state
        assert state.work is None, "LIVE: it waits for ever"
        assert not any((state.blocked, state.lane, state.ready, state.deletes)), "LIVE"
        for flow in FLOWS:
            assert self.shelf.counted[flow] == self.clocks[flow], "MOVE-5: lost, or out of order"
        assert self.shelf.totals == len(self.packets), "R5"
        assert self.shelf.places == sum(p.headers == "wait" for p in self.packets), "R5"


def test_an_instance_processes_every_packet_on_its_own_state(
    request: pytest.FixtureRequest,
) -> None:
    """MOVE-2 to MOVE-6, DUP-3, REC-1, REC-2, REC-5, DEL-1, ROOT-3, CACHE-2."""
    drive(Instances, request, examples=40)


class Reversed(Instance):
    """A seeded fault: what waited for its flow's state is taken from the end."""

    def _granted(self, state: InstanceState, answer: Granted) -> Any:
        after, effects = super()._granted(state, answer)
        return attrs.evolve(after, ready=after.ready[::-1]), effects


class Overtaking(Instance):
    """A seeded fault: a packet that passes through does not wait for the packet itself."""

    def _lane_is_free(self, state: InstanceState) -> bool:
        return True


class Deaf(Instance):
    """A seeded fault: a root's failover is told of no delete."""

    def on_message(self, state: InstanceState, message: Any) -> Any:
        return (state, []) if isinstance(message, Again) else super().on_message(state, message)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": Reversed},
        {"kind": Overtaking},
        {"kind": Deaf},
        {"flushes_before_release": lambda pending: False},
        {"leaves": lambda first: True},
        {"add_token": lambda vector, token: vector ^ (token << 1)},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_faulty_instance_is_found(fault: dict[str, Any]) -> None:
    """MOVE-2, MOVE-5, DUP-3, REC-2, REC-3: the machine can fail."""
    rules = {name: rule for name, rule in fault.items() if name != "kind"}
    kind = fault.get("kind", Instance)
    catches(Instances, kind=kind, protocol=attrs.evolve(AMENDED, **rules))
