"""What a manager manages, as far as it can tell: components that answer when hypothesis lets them.

They keep no packet and no object; only what they were told, and which flows have been where.
What a component that fails has said is lost from some point on, as on a channel (REC-0).
"""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs
from machines import Machine, event

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.directory import ManagerState
from chc_ref.core.messages import (
    Ask,
    Begin,
    Cache,
    CacheKnown,
    Drain,
    Drained,
    Fence,
    Fenced,
    HandedOver,
    Holds,
    Hosts,
    HostsKnown,
    Load,
    Move,
    Over,
    Poll,
    Ready,
    Received,
    Recovered,
    Replay,
    Route,
    Scale,
    ScaleKnown,
    Since,
    Speak,
    Start,
    Stop,
    Unrouted,
)
from chc_ref.core.values import Address, beside, identity_of, vertex_of
from chc_ref.nfs.tiny import HOT, RECORDER

CHAIN = Chain(
    (
        Vertex("a", HOT, 2, split="host", clones=True),
        Vertex("b", RECORDER, 2, split="host", clones=True, store="store2", standby=1),
    ),
    (("a", "b"),),
    persist_every=1,
    log="store",
    write_ahead=True,
)
PHYSICAL = compile_chain(CHAIN)
INSTANCES = {"a": ("a.0", "a.1"), "b": ("b.0", "b.1", "b.2")}
EVERY = tuple(one for of in INSTANCES.values() for one in of)
SPLITTERS: dict[str, tuple[Address, ...]] = {"a": ("root",), "b": INSTANCES["a"]}
STORES = {"a": "store", "b": "store2"}
FLOWS = ("A1", "B1", "D1")

Tenure = tuple[str, str, int]
"""(vertex, flow, epoch)."""


def first_home(vertex: str, flow: str) -> Address:
    """Give the instance of a flow by the split that the chain begins with."""
    return CHAIN.vertices["ab".index(vertex)].division.home(flow)


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
    firsts: dict[tuple[str, str], Address] = attrs.field(factory=dict)
    since: set[Tenure] = attrs.field(factory=set)
    """Tenures that it knows the beginning of."""
    asks: set[Tenure] = attrs.field(factory=set)
    """Tenures that it has asked for: of where the flow is, for epoch 0."""
    scales: dict[str, Scale] = attrs.field(factory=dict)
    hosts: dict[Address, tuple[Address, ...]] = attrs.field(factory=dict)
    cache: Cache = Cache(True)
    drained: int = 0
    """Number of the newest drain."""
    packets: int = 0
    mute: bool = False
    later: list[Any] = attrs.field(factory=list)
    """What a store's failover sets aside."""


class Managed(Machine):
    """Components that do as they are told."""

    state: ManagerState

    def begin(self) -> None:
        """Begin with everything up, but for the hosts of clones."""
        names = [name for name in PHYSICAL.components if name not in ("manager", "sink")]
        self.parts = {name: Part(up=not name.endswith("'")) for name in names}
        self.told: dict[Address, deque[Any]] = {name: deque() for name in [*names, "sink"]}
        self.said: dict[Address, deque[Any]] = {name: deque() for name in [*names, "sink"]}
        self.clock = 0
        self.places: dict[tuple[str, str], Address] = {}
        """Where a flow was first."""
        self.marks: dict[Tenure, set[Address]] = {}
        """Splitters that have moved a flow away."""
        self.given: set[Tenure] = set()
        """Tenures that the next one was given, or may be."""
        self.leavings: dict[tuple[Address, int], set[Address]] = {}
        """Splitters that send nothing more by default, by instance and scaling."""
        self.told_all: set[tuple[Address, int]] = set()
        """Instances that have told what they hold, by scaling."""
        self.replays: dict[Address, int] = {}
        """Newest replay of each host that waits for one."""

    def take(self, happens: Any) -> None:
        """Let the manager take an event."""
        raise NotImplementedError

    def die(self, name: Address, kept: int) -> None:
        """Let a component lose all that it had, but for the first of what it has said."""
        self.parts[name] = Part(up=False)
        while len(self.said[name]) > kept:
            self.said[name].pop()
        self.replays.pop(name, None)
        users = [vertex for vertex, store in STORES.items() if store == name]
        again = {at for at in self.told_all if at[0] == name or vertex_of(at[0]) in users}
        self.told_all -= again

    def is_ready(self, name: Address) -> bool:
        """Tell whether a component runs as it should."""
        return self.parts[name].up and not self.parts[name].recovering

    # ------------------------------------------------------------------ what happens

    @event(60, name=sorted(PHYSICAL.components))
    def hear(self, name: Address) -> None:
        """Let a component take what the manager has told it."""
        self._hear(name)

    @event(60, name=sorted(PHYSICAL.components))
    def say(self, name: Address) -> None:
        """Let the manager take what a component has said."""
        self._say(name)

    @event(2)
    def settle(self) -> None:
        """Let everything be heard and said."""
        busy = True
        while busy:
            busy = False
            for name in self.told:
                busy = busy or bool(self.told[name] or self.said[name])
                self._hear(name)
                self._say(name)
                if name in self.replays and self.is_ready("root"):
                    busy = True
                    self._take_in(name)
                if name in STORES.values():
                    busy = busy or self.parts[name].recovering
                    self._recollect(name)

    @event(12, host=("root", *INSTANCES["a"], "a.0'", "a.1'"), flow=FLOWS)
    def packet(self, host: Address, flow: str) -> None:
        """Let a splitter have a packet: if it does not know where to, it asks."""
        part = self.parts[host]
        for vertex, splitters in SPLITTERS.items():
            if part.up and identity_of(host) in splitters:
                self._route(host, part, vertex, flow)

    def _route(self, host: Address, part: Part, vertex: str, flow: str) -> None:
        moves, scale = part.routes.get((vertex, flow)), part.scales.get(vertex)
        self.clock += 1
        if moves:
            tenure = (vertex, flow, moves[-1].epoch)
            if tenure in part.since:
                self._packet_at(moves[-1].to)
            elif tenure not in part.asks:
                part.asks.add(tenure)
                self.said[host].append(Begin(*tenure, self.clock, part.start))
            return
        place = part.firsts.get((vertex, flow)) or first_home(vertex, flow)
        unknown = scale is not None and (vertex, flow) not in part.firsts
        if unknown and CHAIN.vertices["ab".index(vertex)].division.home(flow, scale) != place:
            if (vertex, flow, 0) not in part.asks:
                part.asks.add((vertex, flow, 0))
                self.said[host].append(Unrouted(vertex, flow, part.start))
            return
        first = self.places.setdefault((vertex, flow), place)
        assert first == place, f"MOVE-5: {flow} begins at {first} and at {place}"
        self._packet_at(place)

    def _packet_at(self, instance: Address) -> None:
        for host in (instance, beside(instance)):
            self.parts[host].packets += self.parts[host].up

    @event(12, name=("store", "store2"))
    def recollect(self, name: Address) -> None:
        """Let all users that are up have told a store's failover what they remember."""
        self._recollect(name)

    @event(20, host=(*EVERY, *(beside(one) for one in EVERY)))
    def take_in(self, host: Address) -> None:
        """Let a failover, or a clone, have taken its replay in."""
        self._take_in(host)

    # ------------------------------------------------------------------ obeying

    def _hear(self, name: Address) -> None:
        if self.told.get(name):
            self._obey(name, self.told[name].popleft())

    def _say(self, name: Address) -> None:
        if self.said.get(name):
            self.take(Received(name, self.said[name].popleft()))

    def _recollect(self, name: Address) -> None:
        part = self.parts[name]
        if part.recovering and all(self.parts[user].up for user in part.waits):
            part.recovering = False
            self.said[name].append(Ready(part.start))
            self.said[name] += part.later
            part.later = []
            self._go_on()

    def _take_in(self, host: Address) -> None:
        if host in self.replays and self.is_ready("root"):
            self.parts[host].recovering = False
            self.said[host].append(Recovered(self.replays.pop(host)))
            for vertex, flow, epoch in sorted(self.given):  # it has had all marks once more
                if self._place(vertex, flow, epoch - 1) == identity_of(host):
                    self.said[host].append(HandedOver(flow, epoch))
            self._go_on()

    def _obey(self, name: Address, message: Any) -> None:
        if isinstance(message, Start):
            self._started(name, message)
        elif isinstance(message, Stop):
            self.note("stopped", self.parts[name].up)
            self.die(name, kept=10**6)
            if vertex_of(name) == "b":
                self.said["sink"].append(Over(name))
        elif self.parts[name].up:
            self._told(name, self.parts[name], message)
        self._go_on()

    def _started(self, name: Address, start: Start) -> None:
        part = self.parts[name] = Part(up=True, start=start.session, recovering=True)
        for route in start.routes:
            part.firsts[route.vertex, str(route.flow)] = route.to
        for move in start.moves:
            part.routes.setdefault((move.vertex, str(move.flow)), []).append(move)
            if move.since is not None:
                part.since.add((move.vertex, str(move.flow), move.epoch))
            self._mark(name, move)
        for scale in start.scales:
            self._scaled(name, part, scale)
        part.hosts = {hosts.instance: hosts.hosts for hosts in start.hosts}
        part.cache, part.waits, part.mute = start.cache, set(start.ask), start.mute
        if "." in name:
            self.said[name].append(Ready(start.session))

    def _told(self, name: Address, part: Part, message: Any) -> None:
        match message:
            case Move(vertex, flow):
                moves = part.routes.setdefault((vertex, str(flow)), [])
                if not moves or moves[-1].epoch < message.epoch:
                    moves.append(message)
                part.asks.discard((vertex, str(flow), 0))
                self._mark(name, message)
            case Since(vertex, flow, epoch):
                known = {(vertex, str(flow), earlier) for earlier in range(1, epoch + 1)}
                part.since |= known
                part.asks -= known
            case Hosts(instance, hosts):
                part.hosts[instance] = hosts
                self.said[name].append(HostsKnown(message))
            case Cache():
                part.cache = message
                self.said[name].append(CacheKnown(message))
            case Scale():
                self._scaled(name, part, message)
                self.said[name].append(ScaleKnown(message))
            case Route(vertex, flow, to):
                assert part.firsts.setdefault((vertex, str(flow)), to) == to, "for ever"
                part.asks.discard((vertex, str(flow), 0))
            case Poll(number):
                self.said[name].append(Load(name, number, part.packets, 0))
            case Drain(number):
                part.drained = number
                self._store_says(STORES[vertex_of(name)], Drained(name, number))
            case Replay(target, session):
                if self.parts[target].up:
                    self.replays[target] = session
            case Speak():
                part.mute = False
            case Fence(address, start):
                part.waits.discard(address)
                self._store_says(name, Fenced(address, start))
            case Ask(user):
                self.note("user asked late", part.recovering)
                if part.recovering:
                    part.waits.add(user)

    def _store_says(self, store: Address, message: Any) -> None:
        part = self.parts[store]
        if part.up:
            (part.later if part.recovering else self.said[store]).append(message)

    def _mark(self, name: Address, move: Move) -> None:
        tenure = (move.vertex, str(move.flow), move.epoch)
        self.marks.setdefault(tenure, set()).add(identity_of(name))

    def _scaled(self, name: Address, part: Part, scale: Scale) -> None:
        part.scales[scale.vertex] = scale
        for gone in set(INSTANCES[scale.vertex]) - set(scale.instances):
            self.leavings.setdefault((gone, scale.number), set()).add(identity_of(name))

    # ------------------------------------------------------------------ what waits for others

    def _go_on(self) -> None:
        root = self.parts["root"]
        if root.recovering and all(map(self.is_ready, STORES.values())):
            root.recovering = False
            self.said["root"].append(Ready(root.start))
        for tenure, splitters in self.marks.items():
            self._hand_over(tenure, splitters)
        for (instance, number), splitters in self.leavings.items():
            vertex = vertex_of(instance)
            may = self._ready_hosts(instance) and self.is_ready(STORES[vertex])
            if may and splitters >= set(SPLITTERS[vertex]):
                self._tell_all(instance, number)

    def _hand_over(self, tenure: Tenure, splitters: set[Address]) -> None:
        vertex, flow, epoch = tenure
        earlier = epoch == 1 or (vertex, flow, epoch - 1) in self.given
        hosts = self._ready_hosts(self._place(vertex, flow, epoch - 1))
        may = tenure not in self.given and earlier and splitters >= set(SPLITTERS[vertex])
        if may and hosts:
            self.given.add(tenure)
            for host in hosts:
                self.said[host].append(HandedOver(flow, epoch))

    def _tell_all(self, instance: Address, number: int) -> None:
        if (instance, number) not in self.told_all:
            self.told_all.add((instance, number))
            vertex = vertex_of(instance)
            flows = sorted(f for (v, f), at in self.places.items() if (v, at) == (vertex, instance))
            holds = Holds(instance, number, flows=tuple(flows))
            self.said[STORES[vertex]].append(holds)

    def _ready_hosts(self, instance: Address) -> list[Address]:
        return [host for host in (instance, beside(instance)) if self.is_ready(host)]

    def _place(self, vertex: str, flow: str, epoch: int) -> Address:
        if epoch:
            return self.state.moves[vertex, flow][epoch - 1].to
        first: Address | None = self.state.firsts.get((vertex, flow))
        return first or first_home(vertex, flow)
