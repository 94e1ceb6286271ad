"""hypothesis drives the composed core: packets, deliveries, moves, clones and crashes, any order.

CHAIN-1, CHAIN-2, QUEUE-1, SPLIT-4, STORE-8, STORE-9, CACHE-3, CACHE-4, ROOT-2, CLONE-1..3,
REC-0..5, REC-7, R1..R6, LIVE: chains with a fork, with paths that meet again, with two instances
a vertex, several roots and stores, and both places for the log.

The same predicates as the checker's judge it, against the ideal chain: what has left so far
at every step, and everything once nothing moves any more.
"""

from __future__ import annotations

import functools
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs
import pytest
import small_chains
from hypothesis import HealthCheck, event, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

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
from chc_ref.net.wire import MESSAGES
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
from chc_ref.variants.shipped import SHIPPED
from chc_ref.verdict import Verdict

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

NO_CHANNEL = frozenset(
    {"Arrive", "Failed", "MoveRequested", "CloneRequested", "KeepRequested", "ScaleRequested"}
)
"""Messages that the driver itself brings."""

RARE = frozenset({"Drain", "Drained", "Over", "Speak", "Ask"})
"""Rare here: the models ``alone`` and ``clone_last`` have them, and a test of its own below."""


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
        self._operate(ScaleRequested(vertex.name, tuple(sorted(to))))

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
        self.crashed.append(victim)
        self._bring_again(data, victim)
        self._bring(Crash(victim), (victim, Crashed()), ("manager", Failed(victim)))

    def _bring(self, event: Any, *directs: tuple[str, Any]) -> None:
        """Let something happen from outside, which a world would bring as ``event``."""
        self.outside.append(event)
        with self._taking(Happen(WORLD, event)):
            for to, direct in directs:
                self.run.happen(self.system.index[to], direct)

    def _operate(self, wish: Wish) -> None:
        self._bring(Operate(wish), ("manager", wish))

    def _fire(self, at: int, timer: Any) -> None:
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
        self.fired[type(self.run.channels[channel][0]).__name__] += 1
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


def _counting(rules: Rules, fired: Counter[str]) -> Rules:
    """Give the same rules, with every decision counted by its outcome."""

    def counted(name: str, decide: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            outcome = decide(*arguments)
            fired[f"{name} = {outcome}" if isinstance(outcome, bool) else name] += 1
            return outcome

        return count

    names = [field.name for field in attrs.fields(Rules) if field.name != "name"]
    changes: dict[str, Any] = {name: counted(name, getattr(rules, name)) for name in names}
    return attrs.evolve(rules, **changes)


def test_the_composed_core_is_the_ideal_chain(request: pytest.FixtureRequest) -> None:
    """No order of packets, deliveries, moves and crashes tells the chain from the ideal one.

    And with ``--model-check``, which affords the runs for it, every rule was decided both ways,
    and every message was taken: what never happened was not tested. ``pytest -s`` prints how
    often each did.
    """

    class Counted(ComposedCore):
        fired: ClassVar[Counter[str]] = Counter()
        rules_of_protocol = _counting(AMENDED, fired)

    often = {
        "asks_for_route",
        "seen_before",
        "settled",
        "waits_for_owner",
        "held_back",
        "flushes_before_release",
    }
    wanted = {f"{name} = {outcome}" for name in often for outcome in (True, False)}
    # The other outcomes of these are rare here; the models of crash_last, crash_after_move and
    # copies reach them all.
    wanted |= {"recorded = False", "leaves = True", "late_in_replay = False"}
    wanted |= {"commits_first = False", "reveals = True", "rebuilds_from_logs = True"}
    wanted |= {"add_token", "freed_first", "marks_last = True", "logs_first = True"}
    wanted |= {"next_count", "most_recent", "is_over = False"}
    wanted |= {kind.__name__ for kind in MESSAGES} - NO_CHANNEL - RARE
    wanted |= {"crash of a host", "crash of a root", "crash of a store"}
    thorough = request.config.getoption("--model-check")
    # The longest run only if the usual one missed something.
    for examples in (250, 1500) if thorough else (40,):
        run_state_machine_as_test(Counted, settings=settings(CALM, max_examples=examples))
        missing = wanted - Counted.fired.keys()
        if not missing:
            break
    for name, count in sorted(Counted.fired.items()):
        print(f"{count:8} {name}")
    assert not (thorough and missing)
    rules = {field.name for field in attrs.fields(Rules)} - {"name"}
    known = {name.partition(" ")[0] for name in wanted}
    assert rules <= known, "a new rule is to be counted as well"


def test_a_user_that_comes_up_during_a_recovery_is_asked_too() -> None:
    """REC-5, REC-7: an NF fails, its store takes the fence and fails too, and both come back."""
    chain = CHAINS["stores"]
    run = Simulation(System(compile_chain(chain), World()))
    requirements = Requirements(chain)
    at, channel = run.system.index, run.system.channel
    taken: Counter[str] = Counter()
    run.happen(at["root"], Arrive("A", ("A", 1)))
    for victim, path in (("pool.1", ("manager", "store")), ("store", ("store", "manager"))):
        run.happen(at[victim], Crashed())
        run.happen(at["manager"], Failed(victim))
        run.deliver(channel(*path))
    for path in (("manager", "pool.1"), ("pool.1", "manager")):
        run.deliver(channel(*path))
    while run.busy:
        taken[type(run.channels[min(run.busy)][0]).__name__] += 1
        run.deliver(min(run.busy))
    view = {name: run.state(name) for name in run.system.names}
    view["world"] = WorldState(1, crashed=("pool.1", "store"))
    assert taken["Ask"] == 1
    assert requirements.at_rest(view) is None


@pytest.mark.parametrize(
    ("name", "chain", "kind"),
    [
        ("no_update_suppression", "lazy", "nf"),
        ("no_last_mark", "fork", "move"),
        ("no_wait_for_owner", "fork", "move"),
        ("delete_at_once", "lazy", "nf"),
        ("scales_at_once", "fork", "scale"),
    ],
)
def test_the_same_drive_catches_a_dropped_rule(
    name: str, chain: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine can fail: each of these rules, dropped, is found out.

    And what it found is a schedule that shows a violation when it is run again: the same one,
    or one before it, as the replay judges every step and this machine does not.
    """
    monkeypatch.setenv("CHC_SCHEDULES", str(tmp_path))

    class Broken(ComposedCore):
        rules_of_protocol = SHIPPED[name].rules
        chains = (chain,)
        kinds_of_event = (kind,)

    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(Broken, settings=UNSHRUNK)
    path = tmp_path / f"composed_core_{name}.toml"
    assert str(path) in str(caught.value)
    saved = schedule.load(path, tmp_path)
    report = schedule.replay(saved)
    assert (report.verdict, report.rules) == (Verdict.VIOLATED, name)
    steps = len(saved.steps)
    assert (report.violated == saved.violates) or (report.depth or steps) < steps


def test_a_failure_of_the_core_itself_is_saved_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends in an exception ends in the same one when it is run again."""
    monkeypatch.setenv("CHC_SCHEDULES", str(tmp_path))

    def fails(vector: int, signals: int) -> bool:
        raise ZeroDivisionError("seeded")

    broken = attrs.evolve(AMENDED, settled=fails)

    class Broken(ComposedCore):
        rules_of_protocol = broken
        chains = ("lazy",)

    with pytest.raises(AssertionError, match="ZeroDivisionError: seeded\nto see it: chc replay"):
        run_state_machine_as_test(Broken, settings=UNSHRUNK)
    saved = schedule.load(tmp_path / "composed_core_amended.toml", tmp_path)
    report = schedule.replay(saved, broken)
    assert report.violated == f"the core fails: {saved.violates}"
    assert schedule.replay(saved).verdict is Verdict.HOLDS


def test_every_run_can_be_saved_and_run_again(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever the machine does, its schedule does.

    And with ``--model-check`` it has done everything: clones, roots, stores, lost messages.
    """

    class Saved(ComposedCore):
        fired: ClassVar[Counter[str]] = Counter()

        def teardown(self) -> None:
            super().teardown()
            if not hasattr(self, "run"):
                return
            model, path = self.model(), tmp_path / "run.toml"
            self.fired.update(type(action).__name__ for action in self.actions)
            state = functools.reduce(model.system().step, self.actions, model.system().initial)
            assert list(state.components[:-1]) == self.run.components[:-1]
            path.write_text(schedule.write(model, self.actions, "", AMENDED), encoding="utf-8")
            report = schedule.replay(schedule.load(path, tmp_path))
            assert (report.violated, report.depth) == ("", len(self.actions))

    thorough = request.config.getoption("--model-check")
    for examples in (200, 800) if thorough else (12,):
        run_state_machine_as_test(Saved, settings=settings(CALM, max_examples=examples))
        missing = {"crash of a host", "crash of a root", "crash of a store"} - Saved.fired.keys()
        missing |= {"Again", "Lose", "Stop"} - Saved.fired.keys()
        if not missing:
            break
    assert not (thorough and missing)


def test_an_evolved_rule_set_keeps_its_other_rules() -> None:
    """A variant is one change: everything else is the amended protocol's."""
    variant = SHIPPED["no_last_mark"].rules
    assert attrs.evolve(variant, name=AMENDED.name, marks_last=AMENDED.marks_last) == AMENDED
