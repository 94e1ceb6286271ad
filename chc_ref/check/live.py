"""Live: whether every run ends, and if not, whether one goes round for ever with something undone.

At rest LIVE is a predicate like the others. That is all there is to it where every run ends; and
nearly always that can be told from the local steps alone (``endless``). Where it cannot, the
cycles of the graph are looked at: a run that stays in one for ever, fair to every component and
channel, violates LIVE if something waits or is wrong all the while. The counterexample is a lasso.
"""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple, Protocol

import attrs
import networkx as nx

from chc_ref.check.cells import Cells, Put, Row
from chc_ref.core.messages import Received
from chc_ref.require.coe import Difference
from chc_ref.require.predicates import Requirements, View, waiting
from chc_ref.system.composition import WORLD, Action, Happen, State, System
from chc_ref.system.network import Deliver
from chc_ref.verdict import Fairness


class Graph(Protocol):
    """A search that has ended: its states by number."""

    def successors(self, number: int) -> list[tuple[int, int]]:
        """Give (code, number) of all that may happen."""

    def row(self, number: int) -> Row:
        """Give the row of a state."""

    def __len__(self) -> int: ...


@attrs.frozen
class Lasso:
    """A run that goes round for ever."""

    wrong: Difference
    entry: int
    """Number of the state where the cycle begins."""
    codes: tuple[int, ...]
    """Actions of one round."""


# ------------------------------------------------------------------ by local steps


_Local = tuple[int, int]
"""A local step, by state and event; see ``Cells.locals``."""


class _Step(NamedTuple):
    at: int
    before: int
    after: int
    event: Any
    sends: tuple[tuple[int, int], ...]
    """(channel, message)."""


def endless(cells: Cells) -> int:
    """Count the local steps that some run may take again and again; 0: every run ends.

    What is taken for ever leads a component back to where it was, and what it receives is sent
    for ever as well. Steps that are not so are dropped until all that are left are. The network's
    budget only goes forward, and so must the world.
    """
    steps = _steps(cells)
    if not steps:
        return 0
    world: Any = nx.DiGraph(sorted(cells.worldly))
    forward = nx.is_directed_acyclic_graph(world)
    steps = [s for s in steps if not (forward and _from_the_world(cells, s))]
    while True:
        places: Any = nx.DiGraph()
        places.add_edges_from(((s.at, s.before), (s.at, s.after)) for s in steps)
        parts = enumerate(nx.strongly_connected_components(places))
        part = {place: number for number, places_of in parts for place in places_of}
        left = [s for s in steps if part[s.at, s.before] == part[s.at, s.after]]
        sent = {send for step in left for send in step.sends}
        left = [step for step in left if _is_fed(cells, step, sent)]
        if len(left) == len(steps):
            return len(left)
        steps = left


def _steps(cells: Cells) -> list[_Step]:
    """Give the local steps that are on a cycle of their component's, or behind one.

    Nearly always there are none. It is told by taking away, again and again, what leaves a state
    that no step leads to.
    """
    ats = [at for at, _ in cells.events.values]
    leaving: dict[tuple[int, int], list[_Local]] = defaultdict(list)
    coming: dict[tuple[int, int], int] = defaultdict(int)
    for (before, number), (after, _) in cells.locals.items():
        at = ats[number]
        leaving[at, before].append((before, number))
        coming[at, after] += 1
    ready = [place for place in leaving if place not in coming]
    for at, state in ready:
        for local in leaving.pop((at, state), ()):
            place = at, cells.locals[local][0]
            coming[place] -= 1
            if not coming[place]:
                ready.append(place)
    return [_step(cells, local) for left in leaving.values() for local in left]


def _step(cells: Cells, local: _Local) -> _Step:
    before, number = local
    after, pokes = cells.locals[local]
    at, event = cells.events.values[number]
    puts = (cells.pokes.values[poke] for _, poke in pokes)
    sends = tuple((put.channel, put.message) for put in puts if isinstance(put, Put))
    return _Step(at, before, after, event, sends)


def _from_the_world(cells: Cells, step: _Step) -> bool:
    """Tell whether the world makes a step happen: no message, nor a timer of the component's."""
    if isinstance(step.event, Received):
        return False
    state = cells.states[step.at].values[step.before]
    return step.event not in tuple(cells.system.offers(step.at, state))


def _is_fed(cells: Cells, step: _Step, sent: set[tuple[int, int]]) -> bool:
    """Tell whether what a step receives is sent by those steps; a network may alter it."""
    if not isinstance(step.event, Received):
        return True
    system = cells.system
    channel = system.channel_index[step.event.source, system.names[step.at]]
    if system.faulty[channel]:
        return any(other == channel for other, _ in sent)
    return (channel, cells.messages(step.event.message)) in sent


# ------------------------------------------------------------------ by the graph


def lasso(
    cells: Cells,
    graph: Graph,
    requirements: Requirements,
    fairness: Fairness,
    tick: Callable[[], object] = bool,
) -> Lasso | None:
    """Look for a fair run that goes round for ever while something waits, or is wrong.

    Args:
        cells: the system.
        graph: all its states.
        requirements: what is to be so at rest, and may not be otherwise for ever.
        fairness: what every component and channel is granted; a crash, a fault of the network and
            what the world does never has to happen.
        tick: called now and then; may raise to give up.

    """
    left = _on_cycles(graph, tick)
    if not left:
        return None
    edges: Any = nx.MultiDiGraph()
    for number in left:
        for code, after in graph.successors(number):
            if after in left:
                edges.add_edge(number, after, code=code)
        tick()
    seen = _Seen(cells, graph, requirements)
    for part in sorted(nx.strongly_connected_components(edges), key=min):
        for wrong in sorted({wrong for number in part for wrong in seen.wrong(number)}):
            with_it = {number for number in part if wrong in seen.wrong(number)}
            for round_ in _fair(edges.subgraph(with_it), seen, fairness):
                entry = min(round_)
                codes = _round(round_, entry, seen, fairness)
                return Lasso(_for_ever(wrong), entry, codes)
    return None


def _on_cycles(graph: Graph, tick: Callable[[], object]) -> set[int]:
    """Give the states that are left when those that no cycle leads to are taken away."""
    coming = array("I", bytes(4 * len(graph)))
    for number in range(len(graph)):
        for _, after in graph.successors(number):
            coming[after] += 1
        tick()
    ready = [number for number in range(len(graph)) if not coming[number]]
    gone = bytearray(len(graph))
    while ready:
        number = ready.pop()
        gone[number] = 1
        for _, after in graph.successors(number):
            coming[after] -= 1
            if not coming[after]:
                ready.append(after)
        tick()
    return {number for number in range(len(graph)) if not gone[number]}


class _Seen:
    """What is undone or wrong in states, and what is possible in them; remembered."""

    def __init__(self, cells: Cells, graph: Graph, requirements: Requirements) -> None:
        self.cells = cells
        self.graph = graph
        self.requirements = requirements
        self._wrong: dict[int, frozenset[Wrong]] = {}
        self._granted: dict[int, frozenset[Hashable]] = {}

    def wrong(self, number: int) -> frozenset[Wrong]:
        if number not in self._wrong:
            view = self.cells.view(self.graph.row(number))
            self._wrong[number] = _wrong(self.requirements, view)
        return self._wrong[number]

    def possible(self, number: int) -> frozenset[Hashable]:
        if number not in self._granted:
            codes = (code for code, _ in self.graph.successors(number))
            self._granted[number] = frozenset(filter(None, map(self.granted, codes)))
        return self._granted[number]

    def granted(self, code: int) -> Hashable:
        """Give what fairness is about: a channel, or a component and its timer; None if not."""
        return granted(self.cells.actions.values[code])


def granted(action: Action) -> Hashable:
    """Give what fairness to an action is about; None if it never has to happen."""
    match action:
        case Deliver(source, to):
            return source, to
        case Happen(at, event) if at != WORLD:
            return at, type(event).__name__
    return None


Wrong = tuple[str, str, str]
"""(where, how it should be, how it is)."""


def _wrong(requirements: Requirements, view: View) -> frozenset[Wrong]:
    """Give all that waits, or is wrong were this the end."""
    found = {(one.where, one.ideal, one.physical) for one in requirements.breaches(view)}
    return frozenset(found.union(waiting(view)))


def _for_ever(wrong: Wrong) -> Difference:
    where, ideal, physical = wrong
    return Difference("LIVE", where, ideal, f"{physical}, for ever")


def _fair(edges: Any, seen: _Seen, fairness: Fairness) -> Iterator[Any]:
    """Give the parts of a graph that a fair run may stay in for ever."""
    for part in sorted(nx.strongly_connected_components(edges), key=min):
        within = edges.subgraph(part)
        if not within.number_of_edges():
            continue
        taken = {seen.granted(code) for _, _, code in within.edges(data="code")}
        everywhere = frozenset.intersection(*map(seen.possible, part))
        somewhere = frozenset[Hashable]().union(*map(seen.possible, part))
        if everywhere - taken:
            continue
        if fairness is Fairness.WEAK or not somewhere - taken:
            yield within
            continue
        refused = somewhere - taken  # leave the states where it is possible, and look again
        less = {number for number in part if not seen.possible(number) & refused}
        yield from _fair(within.subgraph(less), seen, fairness)


def _round(within: Any, entry: int, seen: _Seen, fairness: Fairness) -> tuple[int, ...]:
    """Give a way round from ``entry`` that is fair: each action is taken, or not possible once."""
    codes: list[int] = []
    at, done = entry, set[Hashable]()

    def go(to: int) -> None:
        nonlocal at
        for one, next_one in itertools.pairwise(nx.shortest_path(within, at, to)):
            take(next_one, min(data["code"] for data in within[one][next_one].values()))

    def take(to: int, code: int) -> None:
        nonlocal at
        codes.append(code)
        done.add(seen.granted(code))
        at = to

    edges = sorted(within.edges(data="code"), key=lambda edge: (edge[2], edge[0], edge[1]))
    for number in sorted(within):
        for action in sorted(seen.possible(number) - done, key=repr):
            idle = [n for n in sorted(within) if action not in seen.possible(n)]
            if action in done or (idle and fairness is Fairness.WEAK):
                if idle and action not in done:
                    go(idle[0])
                    done.add(action)
                continue
            one, to, code = next(edge for edge in edges if seen.granted(edge[2]) == action)
            go(one)
            take(to, code)
    if not codes:
        one, to, code = next(edge for edge in edges if edge[0] == entry)
        take(to, code)
    go(entry)
    return tuple(codes)


# ------------------------------------------------------------------ by the run itself


def lasting(
    system: System,
    requirements: Requirements,
    states: tuple[State, ...],
    actions: tuple[Action, ...],
    loop: int,
) -> tuple[str, ...]:
    """Give what a run violates that goes round for ever; nothing if it does not, or is not fair.

    It looks at composed states, and at what is possible in them, and so shares with the search
    for lassos only what is wrong in a state. Fair is here what is weakly fair: every run that is
    strongly fair is so.

    Args:
        system: the transition system.
        requirements: what is to be so at rest, and may not be otherwise for ever.
        states: of the run; the last one must be that at ``loop``.
        actions: of the run.
        loop: index of the state that the run comes back to.

    """
    if not 0 <= loop < len(states) - 1 or states[loop] != states[-1]:
        return ()
    round_ = states[loop:]
    possible = (frozenset(map(granted, system.actions(state))) for state in round_)
    if frozenset.intersection(*possible) - {None} - set(map(granted, actions[loop:])):
        return ()
    views = (system.view(state) for state in round_)
    wrong = frozenset.intersection(*(_wrong(requirements, view) for view in views))
    return tuple(str(_for_ever(one)) for one in sorted(wrong))
