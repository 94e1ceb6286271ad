"""The manager by itself: its components here only answer, whenever hypothesis lets them.

CHAIN-3, CLONE-1, CLONE-2, CLONE-3, MOVE-1, MOVE-5, REC-0, REC-1, CACHE-4, LIVE: a flow moves at
one vertex at a time and begins at one place, starts and replays are numbered upwards, an
instance starts behind its fence, statistics count each packet once, and in the end every move,
scaling, clone and recovery is over, and everybody knows what the manager knows.
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis.stateful import initialize
from machines import catches, drive, event
from managed import (
    EVERY,
    FLOWS,
    INSTANCES,
    PHYSICAL,
    SPLITTERS,
    STORES,
    Managed,
    Part,
    first_home,
)

from chc_ref.core.directory import ManagerState
from chc_ref.core.manager import Manager
from chc_ref.core.messages import (
    Cache,
    CloneRequested,
    Drain,
    Failed,
    Fenced,
    KeepRequested,
    Load,
    Move,
    MoveRequested,
    Over,
    Poll,
    PollTimer,
    Received,
    Replay,
    Route,
    Scale,
    ScaleRequested,
    Send,
    Since,
    Speak,
    Start,
    Stop,
    Unrouted,
)
from chc_ref.core.values import Address, Map, beside, evolve, identity_of, vertex_of
from chc_ref.core.vertex import Statistics, VertexManager, VertexState, Wish

SPLITS = (("b.0",), ("b.2",), ("b.0", "b.1"), ("b.1", "b.2"), INSTANCES["b"])


class Managers(Managed):
    """A manager, and components that do as they are told."""

    kind: ClassVar[type[Manager]] = Manager
    periods: ClassVar[type[VertexManager]] = VertexManager
    wanted = frozenset(
        {
            *("moved", "waited", "begun", "stopped", "spoke", "caches given up"),
            *("cloned", "kept the clone", "kept the straggler", "scaled", "caches begin again"),
            *("failed", "failed again", "store failed", "root failed", "period", "logic asked"),
            "split by a finer scope",
        }
    )
    rare = frozenset({"began elsewhere", "user asked late", "failed in a period"})

    @initialize()
    def start(self) -> None:
        """Begin, with statistics of one vertex."""
        compiled = PHYSICAL.components["manager"]
        assert isinstance(compiled, Manager)
        parts = {f.name: getattr(compiled, f.name) for f in attrs.fields(Manager)}
        parts["managers"] = Map({"b": self.periods(self._logic)})
        self.manager = self.kind(**parts)
        self.state = self.manager.initial
        self.newest = 0
        """Newest number of a start or a replay."""
        self.moves: dict[tuple[str, str], list[Move]] = {}
        self.begun: dict[tuple[str, str, int, str], int] = {}
        self.fenced: set[tuple[Address, int]] = set()
        self.over: set[Address] = set()
        """Hosts of the last vertex that have said their last since they began."""
        self.drain = -1
        """Newest number of a drain since caches were given up."""
        self.answers: dict[Address, int] = {}
        """What hosts have said in this period."""
        self.counted: dict[Address, int] = {}
        """What they had said in the one before."""
        self.statistics: list[Statistics] = []
        self.wish: tuple[Wish, ...] = ()
        """What the operator's logic will ask for next."""
        self.split: tuple[Address, ...] = ()
        """What was asked for last."""
        self.begin()

    # ------------------------------------------------------------------ the manager

    def take(self, happens: Any) -> None:
        """Let the manager take an event, and check what it asks for."""
        before = self.state
        self._hear_of(happens)
        self.state, sends = self.manager.step(before, happens)
        self._check_moves(before)
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
            self._forget(set(two) - set(hosts))
        assert self.state.session >= before.session, "sessions rise"
        self._check_statistics(happens.address if isinstance(happens, Failed) else None)
        self.note("waited", bool(self.state.wishes))

    def _hear_of(self, happens: Any) -> None:
        """Note what the manager is about to learn."""
        match happens:
            case Failed(name):
                self.note("failed in a period", name in self.answers)
                self._forget({name})
            case PollTimer():
                self.answers = {}
            case Received(_, Fenced(address, start)):
                self.fenced.add((address, start))
            case Received(_, Over(host)):
                self.over.add(host)
            case Received(host, Load(number=number, packets=packets)):
                period = self.state.periods["b"]
                if number == period.number and host in period.asked:
                    self.answers[host] = packets

    def _forget(self, gone: set[Address]) -> None:
        """CHAIN-3: what a host did that is gone, nobody can tell."""
        for host in gone:
            self.answers.pop(host, None)
            self.counted.pop(host, None)

    def _check_moves(self, before: ManagerState) -> None:
        for (vertex, flow), moves in self.state.moves.items():
            known = self.moves.get((vertex, str(flow)), [])
            places = [self._place(vertex, str(flow), 0), *(move.to for move in moves)]
            assert list(moves[: len(known)]) == known, "MOVE-1: a move is for ever"
            assert [move.epoch for move in moves] == list(range(1, len(places))), "MOVE-1"
            assert all(a != b for a, b in itertools.pairwise(places)), "it is there"
            if len(moves) > len(known):
                scales = [state.scales.get(vertex) for state in (before, self.state)]
                splits = [scale.instances if scale else INSTANCES[vertex] for scale in scales]
                assert moves[-1].to in (*splits[0], *splits[1]), "CHAIN-3: given up"
                self.note("moved")
            self.moves[vertex, str(flow)] = list(moves)

    def _check(self, to: Address, message: Any, before: ManagerState) -> None:
        match message:
            case Move(vertex, flow):
                told = evolve(message, behind=0)  # which is for each vertex above
                assert told in self.moves[vertex, str(flow)]
                above = self.state.moves.get((vertex_of(to), flow), ())
                assert message.behind <= len(above), "MOVE-5: moves above that were over"
                assert identity_of(to) in SPLITTERS[vertex], "SPLIT-3"
                alone = any(self.parts[host].cache.alone for host in self._running(vertex))
                assert vertex != "a" or not alone, "CACHE-4: two may have one object"
            case Start(_, session):
                assert session > self.newest or session == self.state.starts[to], "sessions rise"
                self.newest = max(self.newest, session)
                fenced = "." not in to or (to, session) in self.fenced
                assert fenced, "REC-1: it starts behind its fence"
                self.over.discard(to)
            case Replay(target, session):
                assert session > self.parts[target].start, "REC-1: a replay is newer than its start"
                self.newest = max(self.newest, session)
                self._check_hosts(identity_of(target))
            case Since(vertex, flow, epoch, clock):
                key = (vertex, str(flow), epoch, vertex_of(to))
                assert self.begun.setdefault(key, clock) == clock, "one beginning for all"
                self.note("begun")
            case Stop():
                stopped = any(address == to for address, _ in self.fenced)
                assert stopped, "CLONE-3: its write-ahead log is needed still"
                hosts = before.hosts.get(identity_of(to), (identity_of(to),))
                assert to not in hosts, "CLONE-3: the one that is kept"
            case Cache(True):
                self._check_caches()
            case Cache():
                self.drain = -1
                self.note("caches given up")
            case Drain(number):
                self.drain = number
            case Speak():
                assert beside(to) in self.over, "CLONE-3: the other has not said its last"
                self.note("spoke")
            case Scale(_, _, _, by):
                self.note("scaled")
                self.note("split by a finer scope", by == "flow")
            case Route(vertex, flow, place):
                self.note("began elsewhere", place != first_home(vertex, str(flow)))
            case Poll():
                self.note("period")

    def _running(self, vertex: str) -> list[Address]:
        """Give the hosts of a vertex that run and have not been replaced."""
        pairs = [(one, beside(one)) for one in INSTANCES[vertex]]
        up = [host for pair in pairs for host in pair if self.parts[host].up]
        return [h for h in up if self.parts[h].start == self.state.starts.get(h, 0)]

    def _check_hosts(self, instance: Address) -> None:
        """CLONE-2: every splitter sends to both hosts before the replay fills the gap."""
        hosts = self.state.hosts.get(instance, (instance,))
        above = SPLITTERS[vertex_of(instance)]
        for host in [*above, *(beside(one) for one in above if one != "root")]:
            part = self.parts[host]
            if len(hosts) > 1 and part.up and part.start == self.state.starts.get(host, 0):
                assert part.hosts.get(instance) == hosts, f"CLONE-2: {host} knows of no clone"

    def _check_caches(self) -> None:
        """CACHE-4: every flow is back, and the store has all that any instance has sent."""
        self.note("caches begin again")
        for (vertex, flow), moves in self.moves.items():
            assert vertex != "a" or moves[-1].to == first_home(vertex, flow), "CACHE-4: not back"
        assert not any(m.vertex == "a" for _, of in self.state.under_way.items() for m in of)
        numbers = {self.parts[host].drained for host in self._running("a")}
        assert numbers == {self.drain}, "CACHE-4: something is under way to the store"

    def _logic(self, statistics: Statistics) -> tuple[Wish, ...]:
        """Be the operator's logic: it is looked at later what it was given."""
        self.statistics.append(statistics)
        wish, self.wish = self.wish, ()
        for one in wish:
            if isinstance(one, ScaleRequested):
                self.split = one.instances
        return wish

    def _check_statistics(self, failed: Address | None) -> None:
        """CHAIN-3: each host's packets of this period are counted, once."""
        for one in self.statistics:
            given = {load.host: load.packets for load in one.loads if load.host != failed}
            since = {host: n - self.counted.get(host, 0) for host, n in self.answers.items()}
            assert given == since, f"CHAIN-3: told {given}, and it is {since}"
            self.counted, self.answers = self.answers, {}
            self.note("logic asked")
        self.statistics = []

    # ------------------------------------------------------------------ what is asked for

    @event(8, flow=FLOWS, to=EVERY)
    def move(self, flow: str, to: Address) -> None:
        """Let the operator move a flow."""
        self.take(MoveRequested(vertex_of(to), flow, to))

    @event(4, flow=FLOWS)
    def move_back(self, flow: str) -> None:
        """Let the operator move a flow back to where the split has it (CACHE-4)."""
        self.take(MoveRequested("a", flow, first_home("a", flow)))

    @event(1, instance=EVERY)
    def clone(self, instance: Address) -> None:
        """Let the operator clone an instance."""
        self.take(CloneRequested(instance))
        self.note("cloned", any(len(hosts) > 1 for _, hosts in self.state.hosts.items()))

    @event(6, which=range(12))
    def keep(self, which: int) -> None:
        """Let the operator keep one of the hosts of an instance that is cloned, or was."""
        hosts = [host for _, of in sorted(self.state.hosts.items()) for host in of]
        if hosts:
            self.take(KeepRequested(hosts[which % len(hosts)]))

    @event(2, split=SPLITS, by=(None, "host", "flow"))
    def scale(self, split: tuple[Address, ...], by: str | None) -> None:
        """Let the operator take instances into the split, or out of it, or split otherwise."""
        self.split = split
        self.take(ScaleRequested("b", split, by))

    @event(4, wish=((), *((ScaleRequested("b", of, "flow"),) for of in SPLITS[2:])))
    def period(self, wish: tuple[Wish, ...]) -> None:
        """Let the vertex manager ask for statistics; the logic will want this."""
        self.wish = wish
        self.take(PollTimer("b"))

    @event(4, name=("root", "store", "store2", *EVERY, "a.0'", "b.0'"), kept=(0, 1, 9))
    def fail(self, name: Address, kept: int) -> None:
        """Let a component fail, unless Table 3 excludes it now (REC-7)."""
        if self._may_fail(name):
            self._fails(name, kept)

    @event(6, which=range(24), kept=(0, 1, 9))
    def fail_when_waited_for(self, which: int, kept: int) -> None:
        """Let one of those fail that the manager waits for, or a store that answers for them."""
        asked = [hosts for _, hosts in sorted(self.state.awaited.items())]
        asked.append(frozenset(name for name, _ in self.state.recovering.items()))
        waited = asked[which % len(asked)]
        waited |= {STORES[vertex_of(host)] for host in waited if "." in host}
        may = [name for name in sorted(waited) if self._may_fail(name)]
        if may:
            self._fails(may[which // len(asked) % len(may)], kept)

    def _fails(self, name: Address, kept: int) -> None:
        self.note("failed again", self.parts[name].recovering)
        self.note("failed")
        self.note("root failed", name == "root")
        self.note("store failed", name.startswith("store"))
        self.die(name, kept)
        self.take(Failed(name))

    def _may_fail(self, name: Address) -> bool:
        if not self.parts[name].up:
            return False
        if name == "root":
            return all(map(self.is_ready, STORES.values()))
        if name in STORES.values():
            users = [vertex for vertex, store in STORES.items() if store == name]
            void = self.state.fencing | self.state.leaving
            return not any(vertex_of(host) in users for host in void) and self.is_ready("root")
        return self.is_ready(STORES[vertex_of(name)])

    # ------------------------------------------------------------------ in the end

    def finish(self) -> None:
        """Let everything be heard and said; every clone is decided."""
        for _ in range(12):
            self.settle()
            cloned = [one for one, hosts in self.state.hosts.items() if len(hosts) > 1]
            if not cloned:
                break
            for instance in cloned:
                self.take(KeepRequested(instance))
        state = self.state
        rest: tuple[Any, ...] = (state.under_way, state.begins, state.wishes, state.recovering)
        rest += (state.joining, state.keeps, state.leaving, state.silencing, state.awaited)
        rest += (state.fencing, *(period.asked for _, period in state.periods.items()))
        assert not any(rest), f"LIVE: {[one for one in rest if one]} for ever"
        for name, part in self.parts.items():
            hosts = state.hosts.get(identity_of(name), (identity_of(name),))
            runs = "." not in name or name in hosts
            assert part.up == runs, f"REC-1, CLONE-3: {name} is {'up' if part.up else 'down'}"
            if runs:
                self._knows(name, part)
        self._is_split()

    def _knows(self, name: Address, part: Part) -> None:
        """REC-1, SPLIT-3: a splitter knows every move, and every host that is not the usual one."""
        assert not part.asks, f"LIVE: {name} waits for an answer on {part.asks}"
        assert not part.mute, f"LIVE: {name} may not speak"
        below = [v for v, above in SPLITTERS.items() if identity_of(name) in above]
        moves = {key: of for key, of in self.moves.items() if key[0] in below}
        known = {key: [m.epoch for m in of] for key, of in part.routes.items()}
        assert known == {key: [m.epoch for m in of] for key, of in moves.items()}, "SPLIT-3"
        scales = {vertex: scale for vertex, scale in self.state.scales.items() if vertex in below}
        assert part.scales == scales, "SPLIT-3"
        for instance, hosts in self.state.hosts.items():
            if vertex_of(instance) in below:
                assert part.hosts.get(instance, (instance,)) == hosts, "CLONE-1"
        if vertex_of(name) == "a":
            assert part.cache == self.state.caching.get("a", Cache(True)), "CACHE-4"
            own = [of for (vertex, _), of in self.moves.items() if vertex == "a"]
            back = all(of[-1].to == first_home("a", str(of[-1].flow)) for of in own)
            cloned = any(vertex_of(one) == "a" for one, _ in self.state.hosts.items())
            assert part.cache.alone == (back and not cloned), "CACHE-4: not as the split has it"

    def _is_split(self) -> None:
        """CHAIN-3: what was asked for last is carried out, also for flows that had begun."""
        scale = self.state.scales.get("b")
        assert (scale.instances if scale else ()) == self.split, "CHAIN-3: not carried out"
        for (vertex, flow), first in self.places.items():
            moves = self.moves.get((vertex, flow), [])
            place = moves[-1].to if moves else first
            if vertex == "b" and scale is not None:
                assert place in scale.instances, f"CHAIN-3: {flow} is left at {place}"


def test_the_manager_brings_everything_to_an_end(request: pytest.FixtureRequest) -> None:
    """CHAIN-3, CLONE-1 to CLONE-3, MOVE-1, MOVE-5, REC-0, REC-1, CACHE-4, LIVE."""
    drive(Managers, request, examples=40, steps=12)


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

    def _settle(
        self, state: ManagerState, instance: Address, kept: Address, failed: Address | None = None
    ) -> Any:
        others = [host for host in self._hosts(state, instance) if host != kept]
        after, sends = super()._settle(state, instance, kept, failed)
        return after, [*(Send(other, Stop()) for other in others), *sends]


class Early(Manager):
    """A seeded fault: the replay to a clone begins before every splitter has heard of it."""

    def _fill(self, state: ManagerState) -> Any:
        heard = attrs.evolve(state, awaited=Map())
        after, sends = super()._fill(heard)
        return attrs.evolve(after, awaited=state.awaited), sends


class Undrained(Manager):
    """A seeded fault: caches begin again without asking what is on its way to the store."""

    def _unshare(self, state: ManagerState, vertex: str) -> Any:
        if not self._may_cache(state, vertex):
            return state, []
        return self._set_cache(state, vertex, Cache(self.alone[vertex]))


class Guessing(Manager):
    """A seeded fault: a flow that a scaling gives to another instance is said to begin there."""

    def _unrouted(self, state: ManagerState, source: Address, asked: Unrouted) -> Any:
        everyone = attrs.evolve(state, drained=frozenset(self.instances[asked.vertex]))
        after, sends = super()._unrouted(everyone, source, asked)
        return attrs.evolve(after, drained=state.drained), sends


class Adrift(Manager):
    """A seeded fault: what an instance out of the split still has is left there."""

    def _gather(self, state: ManagerState, vertex: str, flows: Any, stay: Any) -> ManagerState:
        return state


class Outside(Manager):
    """A seeded fault: a flow may be moved to an instance that was given up."""

    def _split(self, state: ManagerState, vertex: str) -> tuple[Address, ...]:
        return self.instances[vertex]


class Recounting(VertexManager):
    """A seeded fault: a failover is taken to have done what its predecessor had."""

    def on_failure(self, state: VertexState, host: Address) -> VertexState:
        after = super().on_failure(state, host)
        return attrs.evolve(after, before=state.before, loads=state.loads)


class Patient(VertexManager):
    """A seeded fault: the statistics of a host that has failed are waited for."""

    def on_failure(self, state: VertexState, host: Address) -> VertexState:
        after = super().on_failure(state, host)
        return attrs.evolve(after, asked=state.asked)


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (Everywhere, "moves at two vertices"),
        (Unfenced, "REC-1"),
        (Waiting, "LIVE|CHAIN-3"),
        (Forgetting, "SPLIT-3|LIVE"),
        (Hasty, "CLONE-3"),
        (Early, "CLONE-2"),
        (Undrained, "CACHE-4"),
        (Guessing, "MOVE-5|CHAIN-3"),
        (Adrift, "CHAIN-3"),
        (Outside, "CHAIN-3"),
    ],
)
def test_a_faulty_manager_is_found(kind: type[Manager], match: str) -> None:
    """The machine can fail."""
    catches(Managers, match, kind=kind)


@pytest.mark.parametrize(
    ("kind", "match"),
    [pytest.param(Recounting, "CHAIN-3", marks=pytest.mark.thorough), (Patient, "LIVE")],
)
def test_a_faulty_vertex_manager_is_found(kind: type[VertexManager], match: str) -> None:
    """The machine can fail."""
    catches(Managers, match, periods=kind)
