"""A machine that drives the composed core: packets, deliveries, moves, clones and crashes.

The chains have a fork, paths that meet again, two instances a vertex, several roots and stores,
and both places for the log. The same predicates as the checker's judge each run, against the
ideal chain: what has left so far at every step, and everything once nothing moves any more. A
run that fails is saved as a schedule.
"""

from __future__ import annotations

import functools
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import small_chains
from hypothesis import HealthCheck, event, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chc_ref.check import schedule
from chc_ref.check.model import Model, of_table
from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import (
    Arrive,
    CheckpointTimer,
    CloneRequested,
    Crashed,
    Drawn,
    Failed,
    ForgetTimer,
    KeepRequested,
    MoveRequested,
    PollTimer,
    ScaleRequested,
)
from chc_ref.core.node import NodeState
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import vertex_of
from chc_ref.core.vertex import Wish
from chc_ref.nfs.headers import FiveTuple
from chc_ref.nfs.logic import LOGIC
from chc_ref.nfs.tiny import COUNTER, DRAW, HOT, LATCH, LIMIT, MARKER, PASS, POOL, RECORDER
from chc_ref.require.coe import Difference
from chc_ref.require.predicates import Requirements
from chc_ref.system.composition import WORLD, Action, Again, Happen, Lose, System
from chc_ref.system.network import Deliver
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import (
    Arrival,
    Chance,
    Checkpoint,
    Crash,
    Forgetting,
    Operate,
    Period,
    World,
    WorldState,
)

CHAINS = {
    "lazy": Chain((Vertex("count", COUNTER, 2, eager_flush=False),)),
    "row": Chain(
        (Vertex("count", COUNTER, 2), Vertex("record", RECORDER, 2)), (("count", "record"),)
    ),
    "fork": Chain(
        (
            Vertex("count", COUNTER, 2, eager_flush=False),
            Vertex("mark", MARKER, 2),
            Vertex("record", RECORDER, 2),
        ),
        (("count", "mark"), ("count", "record")),
        persist_every=2,
    ),
    "diamond": Chain(
        (
            Vertex("split", PASS),
            Vertex("left", PASS),
            Vertex("right", PASS),
            Vertex("mark", MARKER, 2),
        ),
        (("split", "left"), ("split", "right"), ("left", "mark"), ("right", "mark")),
    ),
    "clones": Chain(
        (Vertex("count", COUNTER, 2, clones=True), Vertex("record", RECORDER, 2, clones=True)),
        (("count", "record"),),
        log="store",
    ),
    "stores": Chain(
        (Vertex("pool", POOL, 2), Vertex("count", COUNTER, 2, store="store2")),
        (("pool", "count"),),
        log="store",
        write_ahead=True,
    ),
    "roots": Chain(
        (Vertex("mark", MARKER, 2), Vertex("record", RECORDER, 2, clones=True, store="store2")),
        (("mark", "record"),),
        roots=2,
        log="store",
        write_ahead=True,
    ),
    "hot": Chain(
        (Vertex("hot", HOT, 2, split="host", clones=True), Vertex("count", COUNTER, 2)),
        (("hot", "count"),),
        write_ahead=True,
        persist_every=2,
    ),
    "limit": Chain(
        (Vertex("count", COUNTER, 2, eager_flush=False), Vertex("limit", LIMIT, 2, clones=True)),
        (("count", "limit"),),
        write_ahead=True,
        log="store",
    ),
    "scaled": Chain(
        (
            Vertex("count", COUNTER, 2, standby=1, logic=LOGIC["scale_out"]),
            Vertex("record", RECORDER, 2, standby=1, eager_flush=False),
        ),
        (("count", "record"),),
        log="store",
    ),
    "draws": Chain((Vertex("draw", DRAW, 2), Vertex("count", COUNTER, 2)), (("draw", "count"),)),
    "alerts": Chain(
        (Vertex("latch", LATCH, 2, clones=True), Vertex("count", COUNTER, 2)),
        (("latch", "count"),),
    ),
}
RANDOM = {"random": small_chains.TINY, "real": small_chains.REAL}
"""NFs of random chains, beside those above; the real ones get packets with real headers."""
FLOWS = small_chains.FLOWS
KINDS = ("move", "clone", "scale", "nf", "root", "store")
MOST_PACKETS, MOST_MOVES, MOST_CRASHES = 6, 4, 3


T = TypeVar("T")


@functools.cache
def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="chc_schedules_"))


def saved_runs() -> Path:
    """Give the folder that failing runs are saved to: ``CHC_SCHEDULES``, or a temporary one."""
    named = os.environ.get("CHC_SCHEDULES")
    folder = Path(named) if named else _temporary()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.lru_cache(maxsize=64)
def _composed(chain: Chain, rules: Rules) -> System:
    """Give the system of a chain; it never changes, so all runs share it."""
    return System(compile_chain(chain, rules), World())


class ComposedCore(RuleBasedStateMachine):
    """One run of a small chain. Every choice is hypothesis's."""

    rules_of_protocol: Rules = AMENDED
    chains: ClassVar[tuple[str, ...]] = (*CHAINS, *RANDOM)
    kinds_of_event: ClassVar[tuple[str, ...]] = KINDS
    fired: ClassVar[Counter[str]] = Counter()
    """How often each message was taken and each thing happened, over all runs of one test."""

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """Choose a chain, and what may happen to it: not all at once, or deep states are rare."""
        name = data.draw(st.sampled_from(self.chains))
        nfs = RANDOM.get(name)
        self.real = name == "real"
        only = len(self.kinds_of_event) == 1  # then a run without it shows nothing
        self.kinds = data.draw(st.sets(st.sampled_from(self.kinds_of_event), min_size=only))
        self.chain = data.draw(small_chains.chains(nfs)) if nfs else CHAINS[name]
        self.system = _composed(self.chain, self.rules_of_protocol)
        self.physical = self.system.physical
        self.requirements = Requirements(self.chain)
        self.run = Simulation(self.system)
        self.taken: dict[int, list[Any]] = {}
        self.failed = False
        self.crashed: list[str] = []
        self.moves = 0
        self.outside: list[Any] = []
        """What happened outside, as a world would have brought it."""
        self.actions: list[Action] = []
        """The run so far, by which it can be run again."""
        self.instances = [a for of in self.physical.instances.values() for a in of]

    @precondition(lambda self: len(self._brought(Arrival)) < MOST_PACKETS)
    @rule(data=st.data(), flow=st.sampled_from(FLOWS))
    def arrive(self, data: st.DataObject, flow: str) -> None:
        """Let a packet reach its root."""
        number = len(self._brought(Arrival)) + 1
        packet = Arrive(flow, (flow, number))
        if self.real:
            packet = data.draw(small_chains.real_packets(number))
        self._bring(Arrival(packet), (self.chain.root_for(packet.flow), packet))

    @rule(data=st.data(), steps=st.integers(1, 12))
    def deliver(self, data: st.DataObject, steps: int) -> None:
        """Let some messages be taken, or lost if a dead component had sent them."""
        for _ in range(steps):
            if not self.run.busy:
                return
            channel = data.draw(st.sampled_from(sorted(self.run.busy)))
            source, to = self.system.channels[channel]
            if not self._up(source) and to != "sink" and data.draw(st.booleans()):
                with self._taking(Lose(source, to)):
                    self.run.lose(channel)
                event("lost what a dead component had sent")
            else:
                self._deliver(channel)

    @rule(seed=st.integers(0, 2**16), steps=st.integers(5, 60))
    def hurry(self, seed: int, steps: int) -> None:
        """Take many messages in an order drawn by the seed: deep states need long runs."""
        chance = random.Random(seed)
        for _ in range(steps):
            if self.run.busy:
                self._deliver(chance.choice(sorted(self.run.busy)))

    @rule(data=st.data())
    def flush(self, data: st.DataObject) -> None:
        """Let a flush timer fire."""
        timers = [
            (at, offered)
            for at, state in enumerate(self.run.components)
            for offered in self.system.offers(at, state)
        ]
        if timers:
            self._fire(*data.draw(st.sampled_from(timers)))

    @precondition(lambda self: not any(o.drawn for v in self.chain.vertices for o in v.nf.objects))
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """Let a root tell which packets are over."""
        root = data.draw(st.sampled_from(self.chain.root_addresses))
        self._bring(Forgetting(root), (root, ForgetTimer()))

    @rule(data=st.data(), value=st.integers(1, 9))
    def stores(self, data: st.DataObject, value: int) -> None:
        """Write a checkpoint, or let the next non-deterministic operation draw another value."""
        store = data.draw(st.sampled_from(self.chain.stores))
        if data.draw(st.booleans()):
            first = self.chain.stores[0]  # a world draws values for no other
            self._bring(Chance(first, value), (first, Drawn(value)))
        else:
            self._bring(Checkpoint(store), (store, CheckpointTimer()))

    @precondition(lambda self: self.moves < MOST_MOVES and "move" in self.kinds)
    @rule(data=st.data(), flow=st.sampled_from(FLOWS))
    def move(self, data: st.DataObject, flow: str) -> None:
        """Ask for a flow to be moved anywhere."""
        to = data.draw(st.sampled_from(self.instances))
        self.moves += 1
        key = FiveTuple.parse(small_chains.REAL_FLOWS[flow]) if self.real else flow
        self._operate(MoveRequested(vertex_of(to), key, to))

    @precondition(lambda self: self.moves < MOST_MOVES and "scale" in self.kinds)
    @rule(data=st.data())
    def scale(self, data: st.DataObject) -> None:
        """Ask for another split of a vertex, or for its statistics."""
        vertex = data.draw(st.sampled_from(self.chain.vertices))
        if vertex.logic is not None and data.draw(st.booleans()):
            self._bring(Period(vertex.name), ("manager", PollTimer(vertex.name)))
            return
        instances = self.physical.instances[vertex.name]
        to = data.draw(st.lists(st.sampled_from(instances), min_size=1, unique=True))
        self.moves += 1
        by = data.draw(st.sampled_from((None, "", *(scope.name for scope in vertex.nf.scopes))))
        self._operate(ScaleRequested(vertex.name, tuple(sorted(to)), by))

    @precondition(lambda self: "clone" in self.kinds)
    @rule(data=st.data())
    def clone(self, data: st.DataObject) -> None:
        """Take an instance for a straggler, or keep one of its hosts."""
        hosts = [host for host in self.physical.components if host.endswith("'")]
        if not hosts:
            return
        host = data.draw(st.sampled_from(hosts))
        instance = host.removesuffix("'")
        wishes: tuple[Wish, ...] = (
            CloneRequested(instance),
            KeepRequested(instance),
            KeepRequested(host),
        )
        self._operate(data.draw(st.sampled_from(wishes)))

    @precondition(lambda self: len(self.crashed) < MOST_CRASHES)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Kill a component that is up and may fail now; its failure is detected at once."""
        may = [name for name in self.physical.components if self._may_fail(name)]
        if not may:
            return
        victim = data.draw(st.sampled_from(may))
        state = self.run.state(victim)
        if isinstance(state, NodeState) and state.queue.recovering:
            event("a crash in the middle of a recovery")
        self.fired[f"crash of a {victim.partition('.')[0] if '.' not in victim else 'host'}"] += 1
        manager = self.run.state("manager")
        self.fired["a second crash while the first is recovered"] += bool(manager.recovering)
        self.crashed.append(victim)
        self._bring_again(data, victim)
        self._bring(Crash(victim), (victim, Crashed()), ("manager", Failed(victim)))

    def _bring(self, event: Any, *directs: tuple[str, Any]) -> None:
        """Let something happen from outside, which a world would bring as ``event``."""
        self.fired[type(event).__name__] += 1
        self.outside.append(event)
        with self._taking(Happen(WORLD, event)):
            for to, direct in directs:
                self.run.happen(self.system.index[to], direct)

    def _operate(self, wish: Wish) -> None:
        self._bring(Operate(wish), ("manager", wish))

    def _fire(self, at: int, timer: Any) -> None:
        self.fired[type(timer).__name__] += 1
        with self._taking(Happen(self.system.names[at], timer)):
            self.run.happen(at, timer)

    def _brought(self, kind: type[T]) -> list[T]:
        return [event for event in self.outside if isinstance(event, kind)]

    def _may_fail(self, name: str) -> bool:
        """Tell what may fail together: Table 3 (REC-7), and ROOT-2 for the log at the root."""
        state, manager = self.run.state(name), self.run.state("manager")
        at_root = self.chain.log == "root"
        roots_failed = any(crashed in self.chain.root_addresses for crashed in self.crashed)
        stores_up = all(self._ready(store) for store in self.chain.stores)
        if name in self.chain.root_addresses:
            alone = stores_up and not (at_root and manager.recovering)
            can = self.chain.persist_every or not at_root
            return bool("root" in self.kinds and can and alone and state.up)
        if name in self.chain.stores:
            users = {v.name for v in self.chain.vertices if v.store == name}
            fenced = not any(vertex_of(host) in users for host in manager.fencing | manager.leaving)
            roots_up = all(self._ready(root) for root in self.chain.root_addresses)
            can = self.chain.write_ahead and state.up
            return bool("store" in self.kinds and can and fenced and roots_up)
        if not isinstance(state, NodeState) or not state.up or "nf" not in self.kinds:
            return False
        mine = next(v.store for v in self.chain.vertices if v.name == vertex_of(name))
        return self._ready(mine) and not (at_root and roots_failed)

    def _ready(self, name: str) -> bool:
        state = self.run.state(name)
        return state.up and not state.asked

    def _deliver(self, channel: int) -> None:
        source, to = self.system.channels[channel]
        self.fired[type(self.run.channels[channel][0]).__name__] += 1
        self.fired[f"{source} sends"] += source == "root1"
        self.fired[f"{to} takes"] += to == "store2"
        self.taken.setdefault(channel, []).append(self.run.channels[channel][0])
        with self._taking(Deliver(*self.system.channels[channel])):
            self.run.deliver(channel)

    def _bring_again(self, data: st.DataObject, victim: str) -> None:
        """Put back what a dead instance took last, as if its acknowledgement were lost."""
        for channel, (source, to) in enumerate(self.system.channels):
            taken = self.taken.pop(channel, []) if to == victim else []
            again = data.draw(st.integers(0, min(2, len(taken)))) if taken else 0
            if again:
                event("a message taken before a crash came once more")
                messages = tuple(taken[-again:])
                with self._taking(Again(source, to, messages)):
                    self.run.bring_again(channel, messages)

    @invariant()
    def nothing_wrong_has_happened(self) -> None:
        """What must hold in every state holds."""
        if not hasattr(self, "run"):
            return
        for predicate in self.requirements.invariants():
            states = [self.run.state(name) for name in predicate.reads]
            self._judge(predicate.holds(*states))

    def teardown(self) -> None:
        """Let everything that can happen happen, and compare with the ideal chain."""
        if not hasattr(self, "run") or self.failed:
            return
        self._settle()
        self.nothing_wrong_has_happened()  # first, as a replay of the run judges
        roots = [self.run.state(root).root for root in self.chain.root_addresses]
        self.fired["dropped at the threshold"] += sum(len(root.dropped) for root in roots)
        view = {name: self.run.state(name) for name in self.system.names}
        arrived = len(self._brought(Arrival))
        view["world"] = WorldState(arrived, crashed=tuple(self.crashed))
        self._judge(self.requirements.at_rest(view))

    @contextmanager
    def _taking(self, action: Action) -> Iterator[None]:
        """Note an action, and save the run up to it if the core fails in it."""
        self.actions.append(action)
        try:
            yield
        except Exception as error:
            self.failed = True  # nothing can go on from here, as this machine's end would
            raise AssertionError(self._saved(f"{type(error).__name__}: {error}")) from error

    def _judge(self, difference: Difference | None) -> None:
        assert difference is None, self._saved(str(difference))

    def _saved(self, violated: str) -> str:
        """Save the run so far; hypothesis runs the smallest one last, so that is what stays."""
        text = schedule.write(self.model(), self.actions, violated, self.rules_of_protocol)
        path = saved_runs() / f"composed_core_{self.rules_of_protocol.name}.toml"
        path.write_text(text, encoding="utf-8")
        return f"{violated}\nto see it: chc replay {path}"

    def model(self) -> Model:
        """Give a model in which the run so far is one of the runs."""
        arrivals = tuple(event.packet for event in self._brought(Arrival))
        world = World(
            arrivals,
            tuple(event.wish for event in self._brought(Operate)),
            tuple(sorted(set(self.crashed))),
            len(self.crashed),
            tuple(event.store for event in self._brought(Checkpoint)),
            tuple((event.store, event.value) for event in self._brought(Chance)),
            tuple(self.chain.root_for(arrival.flow) for arrival in arrivals),
            tuple(event.vertex for event in self._brought(Period)),
            tuple(event.root for event in self._brought(Forgetting)),
        )
        return of_table(Path("composed_core"), schedule.table_of(self.chain, world))

    def _up(self, address: str) -> bool:
        return self.system.is_up(self.system.index[address], self.run.state(address))

    def _settle(self) -> None:
        while True:
            while self.run.busy:
                self._deliver(min(self.run.busy))
            timers = [
                (at, offered)
                for at, state in enumerate(self.run.components)
                for offered in self.system.offers(at, state)
            ]
            if not timers:
                return
            for at, offered in timers:
                self._fire(at, offered)


CALM = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,  # so that the run that is saved is the one that is printed
    suppress_health_check=list(HealthCheck),
)
UNSHRUNK = settings(CALM, max_examples=2000, print_blob=False,
                    phases=[phase for phase in CALM.phases if phase.name != "shrink"])  # fmt: skip
