"""The manager by itself: its components here only answer, whenever hypothesis lets them.

CLONE-1, CLONE-2, CLONE-3, MOVE-1, REC-0, REC-1, REC-7, CACHE-4, LIVE: a flow moves at one vertex
at a time, starts and replays are numbered upwards, an instance starts behind its fence, and in
the end every move, clone and recovery is over, and everybody knows what the manager knows.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis.stateful import initialize
from machines import Machine, catches, drive, event

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.directory import ManagerState
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Ask,
    Begin,
    Cache,
    CacheKnown,
    CloneRequested,
    Drain,
    Drained,
    Failed,
    Fence,
    Fenced,
    HandedOver,
    Hosts,
    HostsKnown,
    KeepRequested,
    Move,
    MoveRequested,
    Over,
    Ready,
    Received,
    Recovered,
    Replay,
    Send,
    Since,
    Speak,
    Start,
    Stop,
)
from chc_ref.core.values import Address, Map, beside, identity_of, vertex_of
from chc_ref.nfs.tiny import HOT, RECORDER

CHAIN = Chain(
    (
        Vertex("a", HOT, 2, split="host", clones=True),
        Vertex("b", RECORDER, 2, clones=True, store="store2"),
    ),
    (("a", "b"),),
    persist_every=1,
    write_ahead=True,
)
PHYSICAL = compile_chain(CHAIN)
INSTANCES = ("a.0", "a.1", "b.0", "b.1")
SPLITTERS: dict[str, tuple[Address, ...]] = {"a": ("root",), "b": ("a.0", "a.1")}
STORE = {"a": "store", "b": "store2"}
FLOWS = ("A1", "B1")


@attrs.define
class Part:
    """One component, as far as the manager can tell."""

    up: bool
    start: int = 0
    recovering: bool = False
    """An NF that waits for its replay, or a store or a root that waits for others."""
    waits: set[Address] = attrs.field(factory=set)
    """Users that a store's failover has asked."""
    routes: dict[tuple[str, str], list[Move]] = attrs.field(factory=dict)
    since: dict[tuple[str, str, int], int] = attrs.field(factory=dict)
    hosts: dict[Address, tuple[Address, ...]] = attrs.field(factory=dict)
    cache: Cache | None = None
    later: list[Any] = attrs.field(factory=list)
    """What a store's failover sets aside."""


class Managers(Machine):
    """A manager, and components that do as they are told."""

    kind: ClassVar[type[Manager]] = Manager
    wanted = frozenset(
        {
            *("moved", "waited", "cloned", "kept the clone", "kept the straggler", "begun"),
            *("failed", "failed again", "store failed", "caches given up", "spoke", "stopped"),
        }
    )
    rare = frozenset({"root failed", "caches begin again", "user asked late"})

    @initialize()
    def start(self) -> None:
        """Begin with everything up, but for the hosts of clones."""
        compiled = PHYSICAL.components["manager"]
        assert isinstance(compiled, Manager)
        self.manager = self.kind(
            **{f.name: getattr(compiled, f.name) for f in attrs.fields(Manager)}
        )
        self.state = self.manager.initial
        names = [name for name in PHYSICAL.components if name not in ("manager", "sink")]
        self.parts = {name: Part(up=not name.endswith("'")) for name in names}
        self.told: dict[Address, deque[Any]] = {name: deque() for name in [*names, "sink"]}
        self.said: dict[Address, deque[Any]] = {name: deque() for name in [*names, "sink"]}
        self.clock = self.newest = 0
        """Newest number of a start or a replay."""
        self.moves: dict[tuple[str, str], list[Move]] = {}
        self.begun: dict[tuple[str, str, int, str], int] = {}
        self.fenced: set[tuple[Address, int]] = set()
        self.marks: dict[tuple[str, str, int], set[Address]] = {}
        """Splitters that have moved a flow away."""
        self.given: set[tuple[str, str, int]] = set()
        """Tenures that were handed over."""
        self.replays: dict[Address, int] = {}
        """Newest replay of each host that waits for one."""

    # ------------------------------------------------------------------ the manager

    def take(self, happens: Any) -> None:
        """Let the manager take an event, and check what it asks for."""
        before = self.state
        self.state, sends = self.manager.step(before, happens)
        self._check_moves()
        for send in sends:
            self._check(send.to, send.message, before)
            self.told[send.to].append(send.message)
        for flow, moves in self.state.under_way.items():
            assert len({move.vertex for move in moves}) == 1, f"{flow} moves at two vertices"
        for instance, hosts in self.state.hosts.items():
            assert 1 <= len(hosts) <= 2, f"CLONE-1: {instance} runs on {hosts}"
            two = before.hosts.get(instance, ())
            if len(hosts) < len(two):
                self.note("kept the straggler" if hosts[0] == two[0] else "kept the clone")
        assert self.state.session >= before.session, "sessions rise"
        self.note("waited", bool(self.state.wishes))

    def _check_moves(self) -> None:
        for (vertex, flow), moves in self.state.moves.items():
            known = self.moves.get((vertex, str(flow)), [])
            places = [self._place(vertex, str(flow), 0), *(move.to for move in moves)]
            assert list(moves[: len(known)]) == known, "MOVE-1: a move is for ever"
            assert [move.epoch for move in moves] == list(range(1, len(places))), "MOVE-1"
            assert all(a != b for a, b in itertools.pairwise(places)), "it is there"
            self.note("moved", len(moves) > len(known))
            self.moves[vertex, str(flow)] = list(moves)

    def _check(self, to: Address, message: Any, before: ManagerState) -> None:
        match message:
            case Move(vertex, flow):
                assert message in self.moves[vertex, str(flow)]
                assert identity_of(to) in SPLITTERS[vertex], "SPLIT-3"
            case Start(_, session):
                assert session > self.newest or session == self.state.starts[to], "sessions rise"
                self.newest = max(self.newest, session)
                fenced = to in ("root", "store", "store2") or (to, session) in self.fenced
                assert fenced, "REC-1: it starts behind its fence"
            case Replay(target, session):
                assert session > self.parts[target].start, "REC-1: a replay is newer than its start"
                self.newest = max(self.newest, session)
            case Since(vertex, flow, epoch, clock):
                key = (vertex, str(flow), epoch, vertex_of(to))
                assert self.begun.setdefault(key, clock) == clock, "one beginning for all"
                self.note("begun")
            case Stop():
                stopped = any(address == to for address, _ in self.fenced)
                assert stopped, "CLONE-3: its write-ahead log is needed still"
                hosts = before.hosts.get(identity_of(to), (identity_of(to),))
                assert to not in hosts, "CLONE-3: the one that is kept"
            case Cache(alone):
                self.note("caches begin again" if alone else "caches given up")
            case Speak():
                self.note("spoke")

    # ------------------------------------------------------------------ what is asked for

    @event(8, flow=FLOWS, to=INSTANCES)
    def move(self, flow: str, to: Address) -> None:
        """Let the operator move a flow."""
        self.take(MoveRequested(vertex_of(to), flow, to))

    @event(3, instance=INSTANCES)
    def clone(self, instance: Address) -> None:
        """Let the operator clone an instance."""
        self.take(CloneRequested(instance))
        self.note("cloned", any(len(hosts) > 1 for _, hosts in self.state.hosts.items()))

    @event(3, instance=INSTANCES, primed=(True, False))
    def keep(self, instance: Address, primed: bool) -> None:
        """Let the operator keep one of the hosts of an instance."""
        host = beside(instance) if primed else instance
        self.take(KeepRequested(host))

    @event(2, name=sorted(PHYSICAL.components))
    def fail(self, name: Address) -> None:
        """Let a component fail, unless Table 3 excludes it now (REC-7)."""
        if name not in self.parts or not self._may_fail(name):
            return
        self.note("failed again", self.parts[name].recovering)
        self.note("failed")
        self.note("root failed", name == "root")
        self.note("store failed", name.startswith("store"))
        self.parts[name] = Part(up=False)
        self.said[name].clear()  # the end of what it has said; the rest has come
        self.replays.pop(name, None)
        self.take(Failed(name))

    def _may_fail(self, name: Address) -> bool:
        part, stores = self.parts[name], [self.parts[store] for store in ("store", "store2")]
        ready = all(store.up and not store.recovering for store in stores)
        root = self.parts["root"]
        if name == "root":  # its log is with it
            return part.up and ready and not self.state.recovering
        if name.startswith("store"):
            users = [v for v, store in STORE.items() if store == name]
            void = self.state.fencing | self.state.leaving
            fenced = not any(vertex_of(host) in users for host in void)
            return part.up and fenced and root.up and not root.recovering
        mine = self.parts[STORE[vertex_of(name)]]
        return part.up and mine.up and not mine.recovering and root.up and not root.recovering

    # ------------------------------------------------------------------ the components

    @event(60, name=sorted(PHYSICAL.components))
    def hear(self, name: Address) -> None:
        """Let a component take what the manager has told it."""
        if self.told.get(name):
            self._obey(name, self.told[name].popleft())

    @event(60, name=sorted(PHYSICAL.components))
    def say(self, name: Address) -> None:
        """Let the manager take what a component has said."""
        if self.said.get(name):
            message = self.said[name].popleft()
            if isinstance(message, Fenced):
                self.fenced.add((message.address, message.start))
            self.take(Received(name, message))

    @event(10, host=("root", *INSTANCES, "a.0'", "a.1'"), flow=FLOWS)
    def begin(self, host: Address, flow: str) -> None:
        """Let a splitter have the first packet of a tenure."""
        part = self.parts[host]
        for (vertex, moved), moves in part.routes.items():
            epoch = moves[-1].epoch
            if part.up and moved == flow and (vertex, flow, epoch) not in part.since:
                self.clock += 1
                self.said[host].append(Begin(vertex, flow, epoch, self.clock, part.start))

    def _obey(self, name: Address, message: Any) -> None:
        if isinstance(message, Start):
            self._started(name, message)
        elif isinstance(message, Stop):
            if self.parts[name].up:
                self.note("stopped")
            self.parts[name] = Part(up=False)
            self.replays.pop(name, None)
            if vertex_of(name) == "b":
                self.said["sink"].append(Over(name))
        elif self.parts[name].up:
            self._told(name, self.parts[name], message)
        self._go_on()

    def _started(self, name: Address, start: Start) -> None:
        part = self.parts[name] = Part(up=True, start=start.session, recovering=True)
        for move in start.moves:
            part.routes.setdefault((move.vertex, str(move.flow)), []).append(move)
            if move.since is not None:
                part.since[move.vertex, str(move.flow), move.epoch] = move.since
            self._mark(name, move)
        part.hosts = {hosts.instance: hosts.hosts for hosts in start.hosts}
        part.cache = start.cache
        part.waits = set(start.ask)
        if "." in name:
            self.said[name].append(Ready(start.session))

    def _told(self, name: Address, part: Part, message: Any) -> None:
        match message:
            case Move(vertex, flow):
                moves = part.routes.setdefault((vertex, str(flow)), [])
                if not moves or moves[-1].epoch < message.epoch:
                    moves.append(message)
                self._mark(name, message)
            case Since(vertex, flow, epoch, clock):
                for earlier in range(1, epoch + 1):
                    part.since.setdefault((vertex, str(flow), earlier), clock)
            case Hosts(instance, hosts):
                part.hosts[instance] = hosts
                self.said[name].append(HostsKnown(message))
            case Cache():
                part.cache = message
                self.said[name].append(CacheKnown(message))
            case Drain(number):
                self.said[STORE[vertex_of(name)]].append(Drained(name, number))
            case Replay(target, session):
                if self.parts[target].up:
                    self.replays[target] = session
            case Fence() if part.recovering:
                part.waits.discard(message.address)
                part.later.append(message)
            case Fence(address, start):
                self.said[name].append(Fenced(address, start))
            case Ask(user):
                self.note("user asked late", part.recovering)
                if part.recovering:
                    part.waits.add(user)

    @event(12, name=("store", "store2"))
    def recollect(self, name: Address) -> None:
        """Let all users that are up have told a store's failover what they remember."""
        part = self.parts[name]
        if part.recovering and all(self.parts[user].up for user in part.waits):
            part.recovering = False
            self.said[name].append(Ready(part.start))
            self.said[name] += [Fenced(one.address, one.start) for one in part.later]
            self._go_on()

    def _mark(self, name: Address, move: Move) -> None:
        key = (move.vertex, str(move.flow), move.epoch)
        self.marks.setdefault(key, set()).add(identity_of(name))

    def _go_on(self) -> None:
        """Let everybody do what waits for others."""
        root = self.parts["root"]
        stores = [self.parts[store] for store in ("store", "store2")]
        if root.recovering and all(s.up and not s.recovering for s in stores):
            root.recovering = False
            self.said["root"].append(Ready(root.start))
        for key, splitters in self.marks.items():
            vertex, flow, epoch = key
            old = self._place(vertex, flow, epoch - 1)
            earlier = epoch == 1 or (vertex, flow, epoch - 1) in self.given
            hosts = [h for h in (old, beside(old)) if h in self.parts and self.parts[h].up]
            ready = [h for h in hosts if not self.parts[h].recovering]
            if key not in self.given and earlier and splitters >= set(SPLITTERS[vertex]) and ready:
                self.given.add(key)
                for host in ready:
                    self.said[host].append(HandedOver(flow, epoch))

    def _place(self, vertex: str, flow: str, epoch: int) -> Address:
        moves = self.moves.get((vertex, flow), [])
        return moves[epoch - 1].to if epoch else self.manager._home(vertex, flow)

    @event(20, host=(*INSTANCES, *(beside(one) for one in INSTANCES)))
    def take_in(self, host: Address) -> None:
        """Let a failover, or a clone, have taken its replay in."""
        if host in self.replays and self.parts["root"].up:
            self.parts[host].recovering = False
            self.said[host].append(Recovered(self.replays.pop(host)))
            for vertex, flow, epoch in sorted(self.given):  # it has had all marks once more
                if self._place(vertex, flow, epoch - 1) == identity_of(host):
                    self.said[host].append(HandedOver(flow, epoch))
            self._go_on()

    # ------------------------------------------------------------------ in the end

    def finish(self) -> None:
        """Let everything be heard and said; every clone is decided."""
        for _ in range(12):
            self._settle()
            cloned = [one for one, hosts in self.state.hosts.items() if len(hosts) > 1]
            if not cloned:
                break
            for instance in cloned:
                self.take(KeepRequested(instance))
        state = self.state
        rest: tuple[Any, ...] = (state.under_way, state.begins, state.wishes, state.recovering)
        rest += (state.joining, state.keeps, state.leaving, state.silencing, state.awaited)
        rest += (state.fencing,)
        assert not any(rest), f"LIVE: {[one for one in rest if one]} for ever"
        for name, part in self.parts.items():
            hosts = state.hosts.get(identity_of(name), (identity_of(name),))
            runs = "." not in name or name in hosts
            assert part.up == runs, f"REC-1, CLONE-3: {name} is {'up' if part.up else 'down'}"
            if runs:
                self._knows(name, part)

    def _settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for name in self.told:
                busy = busy or bool(self.told[name] or self.said[name])
                self.hear(name=name)
                self.say(name=name)
                if name in self.replays:
                    busy = True
                    self.take_in(host=name)
                if name in STORE.values():
                    busy = busy or self.parts[name].recovering
                    self.recollect(name=name)

    def _knows(self, name: Address, part: Part) -> None:
        """REC-1, SPLIT-3: a splitter knows every move, and every host that is not the usual one."""
        below = [v for v, above in SPLITTERS.items() if identity_of(name) in above]
        moves = {key: of for key, of in self.moves.items() if key[0] in below}
        known = {key: [m.epoch for m in of] for key, of in part.routes.items()}
        assert known == {key: [m.epoch for m in of] for key, of in moves.items()}, "SPLIT-3"
        for instance, hosts in self.state.hosts.items():
            if vertex_of(instance) in below:
                assert part.hosts.get(instance, (instance,)) == hosts, "CLONE-1"
        if vertex_of(name) == "a" and part.cache is not None:
            assert part.cache == self.state.caching.get("a", Cache(True)), "CACHE-4"


def test_the_manager_brings_everything_to_an_end(request: pytest.FixtureRequest) -> None:
    """CLONE-1 to CLONE-3, MOVE-1, REC-0, REC-1, REC-7, CACHE-4, LIVE."""
    drive(Managers, request, examples=40)


class Everywhere(Manager):
    """A seeded fault: a flow moves at two vertices at a time."""

    def _may_move(self, state: ManagerState, wish: MoveRequested) -> Any:
        alone = attrs.evolve(state, under_way=Map())
        _, may, sends = super()._may_move(alone, wish)
        return (state, may, sends) if may else super()._may_move(state, wish)


class Unfenced(Manager):
    """A seeded fault: an instance starts at once."""

    def _restart(self, state: ManagerState, address: Address, clones: bool = False) -> Any:
        after, sends = super()._restart(state, address, clones)
        start = [Send(address, self._start(after, address))] if "." in address else []
        return attrs.evolve(after, fencing=after.fencing - {address}), sends + start


class Waiting(Manager):
    """A seeded fault: the answer of a component that failed is waited for."""

    def _gone(self, state: ManagerState, address: Address, sends: list[Send]) -> Any:
        return state, sends


class Forgetting(Manager):
    """A seeded fault: a failover's splitter is told of no move."""

    def _start(self, state: ManagerState, address: Address) -> Start:
        return attrs.evolve(super()._start(state, address), moves=())


class Hasty(Manager):
    """A seeded fault: a host is stopped before the store needs its log no more."""

    def _settle(self, state: ManagerState, instance: Address, kept: Address) -> Any:
        others = [host for host in self._hosts(state, instance) if host != kept]
        after, sends = super()._settle(state, instance, kept)
        return after, [*(Send(other, Stop()) for other in others), *sends]


@pytest.mark.parametrize("kind", [Everywhere, Unfenced, Waiting, Forgetting, Hasty])
def test_a_faulty_manager_is_found(kind: type[Manager]) -> None:
    """The machine can fail."""
    catches(Managers, kind=kind)
