"""Requirements as predicates over the composed state and its history (COE, R1..R6, LIVE).

Each says what it reads, so that a checker may remember its answers, and when it is asked: in
every state, or at rest, when nothing can happen any more but further crashes. At rest the
ideal chain is compared in full; a difference is named by the requirement that it breaks first.
``REQUIREMENTS`` is the list, with what each one means.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from chc_ref.core.chain import Chain
from chc_ref.core.directory import ManagerState
from chc_ref.core.memory import Memory
from chc_ref.core.messages import Arrive, MoveRequested, Packet, Scale
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.operations import FLOW
from chc_ref.core.root import RootState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Address, Map, ObjectKey, count_of, sorted_items, vertex_of
from chc_ref.core.vertex import Wish
from chc_ref.require.coe import Difference, left_out_of_order, left_twice, outputs, traffic, values
from chc_ref.require.ideal import Ideal, run_ideals

View = dict[Address, Any]
"""Component states by address."""

REQUIREMENTS = {
    "COE": "Chain output equivalence: what leaves, and the state at rest, is that of some ideal "
    "execution: one instance a vertex, no failures, packets in clock order, or, where operations "
    "do not commute, in any order that keeps each flow's.",
    "R1": "State availability: at rest no object is missing that the ideal chain has.",
    "R2": "Safe transfer: what a flow does to its objects, and what it sends, is in the order of "
    "its clocks, and of a flow that moved nothing is lost.",
    "R3": "One global order: at rest each shared object has the value of some single order of "
    "all updates.",
    "R4": "Chain-wide order: every packet has a clock of its own, and clocks are in the order of "
    "arrival at their root.",
    "R5": "No duplicates: no output leaves twice, no update of a flow's object is made twice, no "
    "alert is raised twice.",
    "R6": "Safe recovery: after failures, and at rest, every object has the value that it would "
    "have without them.",
    "LIVE": "At rest nothing waits: the log is empty, and every move, clone and recovery has "
    "ended.",
}


@attrs.frozen
class Predicate:
    """What must hold in every state; None when it holds, else what is wrong."""

    name: str
    reads: tuple[Address, ...]
    holds: Callable[..., Difference | None]
    """Takes the states of the components that it reads."""
    sees: Callable[[Any], Any] = lambda state: state
    """Gives all of such a state that the answer depends on, so that a checker asks less often."""


@attrs.frozen
class Loss:
    """What failures may take away (ROOT-2 with the log at the root, REC-2)."""

    outputs: int
    clocks: frozenset[int]
    """Packets that died with a root and its log before anything came of them."""


class Requirements:
    """What is required of every run of one chain. Remembers the ideal executions it has run."""

    def __init__(self, chain: Chain, arrivals: tuple[Arrive, ...] = ()) -> None:
        self.chain = chain
        self.arrivals = arrivals
        """All input, in order of arrival, where it is known beforehand."""
        self.roots, self.stores = chain.root_addresses, chain.stores
        self.lasts = frozenset(v.name for v in chain.vertices) - {above for above, _ in chain.edges}
        self.per_flow = {
            (v.name, o.name) for v in chain.vertices for o in v.nf.objects if o.per_flow
        }
        self.draws = any(o.drawn for v in chain.vertices for o in v.nf.objects)
        self._ideals: dict[Any, tuple[Ideal, ...]] = {}

    # ------------------------------------------------------------------ in every state

    def invariants(self) -> tuple[Predicate, ...]:
        """Give what must hold in every state."""
        stores = self.stores if self.draws else ()
        return (
            Predicate("R5", ("sink",), lambda sink: left_twice(sink.outputs)),
            Predicate("R2", ("sink",), lambda sink: left_out_of_order(sink.outputs)),
            *(Predicate("R5", (s,), lambda store: made_twice(store.memory)) for s in self.stores),
            *(Predicate("R2", (s,), lambda store: out_of_order(store.memory)) for s in self.stores),
            *(
                Predicate("R4", (r,), lambda entry: disordered(entry.root, self.arrivals))
                for r in self.roots
            ),
            *(
                Predicate("COE", (r,), lambda entry: off_threshold(entry, self.chain.capacity))
                for r in (self.roots if self.chain.capacity else ())
            ),
            Predicate("COE", (*self.roots, "sink", *stores), self._outputs, _sees_of_outputs),
        )

    def _outputs(self, *states: Any) -> Difference | None:
        entries, sink, stores = _sorted_out(states)
        wrong: Difference | None = None
        if any(entry.root.lost or self._took_log(entry) for entry in entries):
            return None  # which packets died with a root and its log is known at rest only
        if any(not store.up or store.asked for store in stores):
            return None  # what was drawn is known again when the store has recovered (STORE-9)
        for ideal in self.ideals(entries, stores):
            wrong = outputs(ideal, sink.outputs)
            if wrong is None:
                return None
        return wrong

    def _took_log(self, entry: EntryState) -> bool:
        """Tell whether a root has died with its log, and does not know yet what was lost."""
        return self.chain.log == "root" and (not entry.up or bool(entry.asked))

    def ideals(
        self,
        entries: Iterable[EntryState],
        stores: Iterable[StoreState],
        lost: frozenset[int] = frozenset(),
    ) -> tuple[Ideal, ...]:
        """Give the ideal executions of what has entered, but for what was lost with a root."""
        entered = [item for entry in entries for _, item in sorted(entry.root.entered.items())]
        entered = sorted((item for item in entered if item[0] not in lost), key=lambda i: i[0])
        drawn = {u: r.result for s in stores for u, r in s.memory.records.items()}
        if not self.draws:
            drawn = {}
        key = (tuple(entered), tuple(sorted(drawn.items(), key=repr)))
        if key not in self._ideals:
            arrivals = [arrival for _, arrival in entered]
            clocks = [clock for clock, _ in entered]
            self._ideals[key] = run_ideals(self.chain, arrivals, clocks, drawn)
        return self._ideals[key]

    # ------------------------------------------------------------------ at rest

    def at_rest(self, view: View) -> Difference | None:
        """Give the first thing that is wrong at rest, if anything."""
        return next(self.breaches(view), None)

    def breaches(self, view: View) -> Iterator[Difference]:
        """Compare everything with the ideal chain, and look for what was left undone.

        What differs from the ideal chain breaks COE, besides the requirement that it is named by.
        """
        loss = self.loss(view)
        entries = [view[root] for root in self.roots]
        stores = [view[store] for store in self.stores]
        ideals = self.ideals(entries, stores, loss.clocks)
        if all(any(True for _ in self.compare(view, ideal, loss)) for ideal in ideals):
            for wrong in self.compare(view, ideals[0], loss):
                yield wrong
                yield attrs.evolve(wrong, requirement="COE")
        yield from filter(None, (self.stale(view), self._not_let_in(view), undone(view)))

    def stale(self, view: View) -> Difference | None:
        """R3: at rest every copy of a shared object has its value (CACHE-3, CACHE-4).

        A reader that nobody calls back serves what some ideal execution would have served, as
        long as it does not look twice: no output tells.
        """
        physical = {k: v for s in self.stores for k, v in view[s].memory.values.items()}
        nodes = {a: s for a, s in sorted(view.items()) if isinstance(s, NodeState) and s.up}
        for address, node in nodes.items():
            for key, value in sorted_items(node.instance.client.copies):
                if key in physical and value != physical[key]:
                    where = f"copy of {key} at {address}"
                    return Difference("R3", where, f"{physical[key]!r}", f"{value!r}")
        return None

    def _not_let_in(self, view: View) -> Difference | None:
        """LIVE: all input is let in or dropped (ROOT-4).

        A root whose log is in the store may take with it what the store does not have yet.
        """
        failed = any(root in view["world"].crashed for root in self.roots)
        if failed and self.chain.log == "store":
            return None
        arrived = view["world"].arrived
        states = [view[root].root for root in self.roots]
        entered = sum(len(state.entered) + len(state.dropped) for state in states)
        if entered == arrived:
            return None
        return Difference("LIVE", "input", f"{arrived} packets let in or dropped", f"{entered}")

    def compare(self, view: View, ideal: Ideal, loss: Loss) -> Iterator[Difference]:
        """Compare with one ideal execution: state, outputs, alerts."""
        sink = view["sink"]
        physical = {k: v for s in self.stores for k, v in view[s].memory.values.items()}
        keys = {f"object {key}": key for key in ideal.values.keys() | physical.keys()}
        for wrong in values(ideal.values, physical):
            if wrong.requirement == "COE":
                wrong = attrs.evolve(wrong, requirement=self._breaks(view, keys[wrong.where]))
            yield wrong
        yield from traffic(ideal, sink.outputs, sink.alerts, loss.outputs)

    def _breaks(self, view: View, key: ObjectKey) -> str:
        """Name the requirement that a wrong value breaks."""
        if view["world"].crashed:
            return "R6"
        if (key.vertex, key.name) not in self.per_flow:
            return "R3"
        return "R2" if (key.vertex, key.key) in view["manager"].moves else "COE"

    def loss(self, view: View) -> Loss:
        """Tell what the failures so far may have taken away."""
        crashed = view["world"].crashed
        most = sum(vertex_of(address) in self.lasts for address in crashed)
        clocks: set[int] = set()
        if self.chain.log == "root":
            for root in self.roots:
                state: RootState = view[root].root
                old = {clock for _, (clock, _) in state.entered.items()}
                gone = {clock for clock in old if count_of(clock) <= state.lost}
                clocks |= gone - _traces(view, self.stores, gone)
        return Loss(most, frozenset(clocks))


# ---------------------------------------------------------------------- predicates by name


def made_twice(memory: Memory) -> Difference | None:
    """R5: no update of a flow's object is made twice."""
    for key, versions in memory.versions.items():
        updates = [update for update, _ in versions]
        if len(set(updates)) < len(updates):
            return Difference("R5", f"object {key}", "each update once", "one was made twice")
    return None


def out_of_order(memory: Memory) -> Difference | None:
    """R2: a flow's objects are updated in the order of its clocks."""
    for key, versions in memory.versions.items():
        for (one, _), (next_one, _) in itertools.pairwise(versions):
            if (next_one.clock, next_one.branch) < (one.clock, one.branch):
                order = f"clock {next_one.clock} behind {one.clock}"
                return Difference("R2", f"object {key}", "in the order of clocks", order)
    return None


def disordered(root: RootState, arrivals: tuple[Arrive, ...] = ()) -> Difference | None:
    """R4: clocks are unique, and in the order of arrival."""
    coming = iter(arrivals)
    for _, (clock, packet) in sorted(root.entered.items()) if arrivals else ():
        if packet not in coming:  # which takes all up to it from the iterator
            order = "behind one that came later"
            return Difference("R4", f"clock {clock}", "in the order of arrival", order)
    entered = [clock for _, (clock, _) in sorted(root.entered.items())]
    for one, next_one in itertools.pairwise(entered):
        if next_one <= one:
            order = f"{next_one} was given after {one}"
            return Difference("R4", f"clock {next_one}", "above all clocks before it", order)
    return None


def off_threshold(entry: EntryState, capacity: int) -> Difference | None:
    """COE: input is dropped at the threshold, and neither below nor above it (ROOT-4).

    The ideal chain gets only what has entered, so a root that drops what it could take would
    look right. A recovered root may have more: what it has found in the log, and what waited.
    """
    root = entry.root
    held = min((held for _, held in root.dropped.items()), default=capacity)
    if held < capacity:
        room = f"dropped with {held} in log and input"
        return Difference("COE", "input", f"dropped from {capacity} on", room)
    held = len(root.log) + len(root.waiting)
    if held > capacity and (entry.asked or not entry.splitter.start):
        return Difference("COE", "input", f"dropped from {capacity} on", f"{held} are held")
    return None


def undone(view: View) -> Difference | None:
    """LIVE: at rest nothing waits any more."""
    return next((Difference("LIVE", *wait) for wait in waiting(view)), None)


def waiting(view: View) -> Iterator[tuple[str, str, str]]:
    """Give all that waits in a state: where, what should come, and how it is."""
    for address, state in sorted(view.items()):
        yield from _waits(address, state)
    yield from _still_held(view)


def _waits(address: Address, state: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(state, EntryState):
        for clock, _ in sorted(state.root.log.items()):
            yield f"clock {clock}", "deleted from the log", "still logged"
        if state.root.waiting or not state.up or state.asked or state.root.unwritten:
            yield address, "all input is let in", "it waits for ever"
    elif isinstance(state, NodeState):
        node, queue = state.instance, state.queue
        waiting = (
            node.blocked,
            node.lane,
            node.deletes,
            node.client.outbox,
            queue.held,
            queue.late,
        )
        busy = any(waiting) or queue.recovering or state.stopping
        if busy or node.work is not None:
            yield address, "nothing waits", "packets wait for ever"
    elif isinstance(state, StoreState):
        if state.memory.waiting or state.memory.log:
            yield address, "every request is served", "one waits for ever"
        if not state.up or state.asked:
            yield address, "every recovery ends", "it waits for ever"
    elif isinstance(state, ManagerState):
        cloned = any(len(hosts) > 1 for _, hosts in state.hosts.items())
        behind = state.wishes if cloned else ()
        for vertex, scale in sorted_items(state.scales):
            yield from _left(state, vertex, scale, behind)
        if state.under_way or (state.wishes and not cloned):  # those wait for the operator
            yield "moves", "every move ends", "one is under way for ever"
        clones = (state.joining, state.keeps, state.leaving, state.silencing, state.begins)
        if state.recovering or state.awaited or any(clones):
            yield "recoveries", "every one ends", "one is under way for ever"


def _left(
    state: ManagerState, vertex: str, scale: Scale, waiting: tuple[Wish, ...]
) -> Iterator[tuple[str, str, str]]:
    """CHAIN-3: an instance out of the split has told all it has, and all of it was moved.

    But for what waits behind a clone, until the operator ends that.
    """
    waits = {(wish.vertex, wish.flow) for wish in waiting if isinstance(wish, MoveRequested)}
    if ("scale", vertex) in state.awaited:
        yield "scalings", "every splitter is told", "one has not answered"
    for (at, flow), moves in sorted_items(state.moves):
        settled = moves[-1].to in scale.instances or (at, flow) in waits
        if at == vertex and not settled:
            yield "scalings", f"flow {flow} is moved into the split", f"is at {moves[-1].to}"
    for (at, flow), first in sorted_items(state.firsts):
        settled = first in scale.instances or (at, flow) in waits or (at, flow) in state.moves
        if at == vertex and not settled:
            yield "scalings", f"flow {flow} is moved into the split", f"is at {first}"


def _still_held(view: View) -> Iterator[tuple[str, str, str]]:
    """CHAIN-3: no store has a flow at an instance out of the split, whatever the manager knows.

    But for what waits behind a clone, until the operator ends that.
    """
    manager: ManagerState = view["manager"]
    waits = {(w.vertex, w.flow) for w in manager.wishes if isinstance(w, MoveRequested)}
    for _, store in sorted(view.items()):
        owners = store.memory.owners if isinstance(store, StoreState) else Map()
        for (vertex, flow), owner in sorted_items(owners):
            scale = manager.scales.get(vertex)
            if scale is None or owner.instance is None or (vertex, flow) in waits:
                continue
            if owner.instance not in scale.instances:
                yield "scalings", f"flow {flow} is moved into the split", f"is at {owner.instance}"


def _traces(view: View, stores: tuple[Address, ...], clocks: set[int]) -> set[int]:
    """Give those of ``clocks`` of which anything has come: an access, or an output."""
    memories = [view[store].memory for store in stores]
    traces = {update.clock for memory in memories for update, _ in memory.records.items()}
    traces |= {clock for clock in clocks if any(clock in memory.past for memory in memories)}
    return traces | {output.clock for output in view["sink"].outputs}


def _sees_of_outputs(state: Any) -> Any:
    """Give what COE of the outputs so far depends on in a root, the sink or a store."""
    if isinstance(state, EntryState):
        return state.root.entered, state.root.lost, state.up and not state.asked
    if isinstance(state, StoreState):
        return state.memory.records, state.up and not state.asked
    return state.outputs


def _sorted_out(states: tuple[Any, ...]) -> tuple[list[EntryState], Any, list[StoreState]]:
    entries = [state for state in states if isinstance(state, EntryState)]
    stores = [state for state in states if isinstance(state, StoreState)]
    return entries, states[len(entries)], stores


def _nodes(test: Callable[[NodeState], bool]) -> Callable[[Any], bool]:
    return lambda state: isinstance(state, NodeState) and test(state)


def _entries(test: Callable[[EntryState], bool]) -> Callable[[Any], bool]:
    return lambda state: isinstance(state, EntryState) and test(state)


def _held(node: NodeState) -> Iterator[int]:
    """Give the clocks of the packets that a host still has to do with."""
    waiting = [packet for _, packets in node.instance.blocked.items() for packet in packets]
    waiting += [item for _, item in (*node.queue.aside, *node.queue.held, *node.instance.lane)]
    waiting += [node.instance.work.packet] if node.instance.work else []
    return (packet.clock for packet in waiting if isinstance(packet, Packet))


def _stores(test: Callable[[StoreState], bool]) -> Callable[[Any], bool]:
    return lambda state: isinstance(state, StoreState) and test(state)


WITNESSES: dict[str, Callable[[Any], bool]] = {
    "scaled": lambda state: bool(getattr(state, "scales", None)),
    "split_by_flow": lambda state: (
        isinstance(state, ManagerState)
        and any(scale.by == FLOW.name for _, scale in state.scales.items())
    ),
    "drained": lambda state: isinstance(state, ManagerState) and bool(state.drained),
    "asked_for_statistics": lambda state: bool(getattr(state, "periods", None)),
    "moved_by_scaling": lambda state: (
        isinstance(state, ManagerState)
        and any(key in state.firsts for key, _ in state.moves.items())
    ),
    "began_elsewhere": lambda state: (
        isinstance(state, ManagerState)
        and any(
            first in state.scales[vertex].instances and (vertex, flow) not in state.moves
            for (vertex, flow), first in state.firsts.items()
        )
    ),
    "buffered": _nodes(lambda node: any(len(w) > 1 for _, w in node.instance.blocked.items())),
    "held_downstream": lambda state: bool(getattr(getattr(state, "queue", None), "held", ())),
    "handed_over": _nodes(lambda node: bool(node.instance.released)),
    "moved_twice": lambda state: any(
        len(moves) > 1 for _, moves in getattr(state, "moves", {}).items()
    ),
    "down": _nodes(lambda node: not node.up),
    "failed_together": lambda state: (
        isinstance(state, ManagerState)
        and sum(not runs for _, (_, runs) in state.recovering.items()) > 1
    ),
    "recovered": _nodes(lambda node: node.queue.valid > 0 and not node.queue.recovering),
    "set_aside": _nodes(lambda node: bool(node.queue.aside)),
    "replay_met_original": _nodes(
        lambda node: (
            node.queue.recovering
            and any(getattr(item, "session", 0) == 0 for _, item in node.queue.aside)
        )
    ),
    "replayed_late": _nodes(lambda node: bool(node.queue.late)),
    "unflushed": _nodes(lambda node: bool(node.instance.client.unflushed)),
    "passed_through": _nodes(lambda node: bool(node.instance.lane)),
    "cloned": lambda state: any(len(h) > 1 for _, h in getattr(state, "hosts", {}).items()),
    "kept_clone": lambda state: any(
        hosts != (instance,) and len(hosts) == 1
        for instance, hosts in getattr(state, "hosts", {}).items()
    ),
    "stopping": _nodes(lambda node: node.stopping),
    "copied": _nodes(lambda node: bool(node.instance.client.copies)),
    "unconfirmed": _nodes(lambda node: bool(node.instance.client.outbox)),
    "root_down": _entries(lambda entry: not entry.up),
    "dropped": _entries(lambda entry: bool(entry.root.dropped)),
    "root_recovered": _entries(lambda entry: entry.up and entry.splitter.start > 0),
    "input_waited": _entries(lambda entry: not entry.up and bool(entry.root.waiting)),
    "log_taken_over": _entries(
        lambda entry: (
            entry.up and entry.splitter.start > 0 and entry.root.written == 0 < len(entry.root.log)
        )
    ),
    "store_down": _stores(lambda store: not store.up),
    "store_recovered": _stores(lambda store: store.session > 0 and not store.asked),
    "checkpointed": _stores(lambda store: bool(store.checkpoint.records)),
    "re_executed": _stores(
        lambda store: any(len(recalled.issued) > 0 for _, recalled in store.recalled.items())
    ),
    "forgot": _stores(lambda store: bool(store.memory.past.spans)),
    "late_copy": _nodes(lambda node: any(clock in node.instance.past for clock in _held(node))),
    "drawn": _stores(lambda store: store.drawn != 0 and bool(store.memory.records)),
}
"""Situations by name, as tests of one component's state; docs/models.md tells what they mean."""
