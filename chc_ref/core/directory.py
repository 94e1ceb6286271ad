"""Directory: what the manager knows of who is where.

Owns nothing; it answers questions on the manager's state: which instance has a flow, on which
hosts an instance runs, who stands above a vertex, what may be cached, and what a failover must
be told. Paper: sections 3, 5.3 and 5.4.
"""

from __future__ import annotations

import attrs

from chc_ref.core.messages import (
    Begin,
    Cache,
    CloneRequested,
    Hosts,
    Move,
    MoveRequested,
    Route,
    Scale,
    ScaleRequested,
    Send,
    Start,
)
from chc_ref.core.partition import Division
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import (
    Address,
    Flow,
    Map,
    evolve,
    identity_of,
    sorted_items,
    vertex_of,
)
from chc_ref.core.vertex import VertexManager, VertexState

Sends = list[Send]


@attrs.frozen(cache_hash=True)
class ManagerState:
    """Moves so far and components that are being recovered."""

    moves: Map[tuple[str, Flow], tuple[Move, ...]] = Map()
    begun: Map[tuple[str, Flow, int, str], int] = Map()
    """First clock of (vertex, flow, epoch), for each vertex above: where paths meet again, the
    copies of one packet come down each of them at a time of their own."""
    behind: Map[tuple[str, Flow, int, str], int] = Map()
    """How often the flow had moved at a vertex above when this move began, if at all."""
    under_way: Map[Flow, tuple[Move, ...]] = Map()
    """Moves whose old instance has not handed over yet; all at one vertex."""
    handed: frozenset[tuple[Address, Flow, int]] = frozenset()
    """(host, flow, epoch) where one host of a cloned instance has handed over, and one has not."""
    begins: tuple[tuple[Address, Begin], ...] = ()
    """(splitter, question) of new instances, until the old one above has handed over."""
    scales: Map[str, Scale] = Map()
    """The newest split of every vertex that was scaled."""
    firsts: Map[tuple[str, Flow], Address] = Map()
    """Where a flow of such a vertex began, as splitters have been told."""
    drained: frozenset[Address] = frozenset()
    """Instances out of the split to which no flow comes by default any more."""
    periods: Map[str, VertexState] = Map()
    """What the vertex managers know."""
    wishes: tuple[MoveRequested | CloneRequested | ScaleRequested, ...] = ()
    """Moves, clones and scalings that wait for others to end, or for caches to be given up."""
    recovering: Map[Address, tuple[int, bool]] = Map()
    """(session of its start, whether it runs) of every failover and clone on its way up."""
    fencing: frozenset[Address] = frozenset()
    """Of these, those that begin once the store has voided their predecessor (REC-1)."""
    starts: Map[Address, int] = Map()
    """Number of the newest start of every component that has failed."""
    hosts: Map[Address, tuple[Address, ...]] = Map()
    """Hosts of an instance that does not run on its own host alone (CLONE-1)."""
    joining: frozenset[Address] = frozenset()
    """Clones that run, but have no replay yet: not all have heard of them."""
    keeps: Map[Address, Address] = Map()
    """Host to keep of a cloned instance, once the clone is up (CLONE-3)."""
    leaving: frozenset[Address] = frozenset()
    """Hosts that are stopped once the store needs their write-ahead log no more (REC-5)."""
    gone: frozenset[Address] = frozenset()
    """Of these, those that have failed, or never begun: the store's failover cannot ask them."""
    silencing: Map[Address, Address] = Map()
    """Hosts that were stopped and may have output under way, with the clone that waits."""
    caching: Map[str, Cache] = Map()
    """What the instances of a vertex may cache, where it is not what the chain began with."""
    awaited: Map[tuple[str, str], frozenset[Address]] = Map()
    """Who has not answered yet, by what was asked: ("hosts", instance), ("cache", vertex),
    ("drain", vertex and number), ("scale", vertex) or ("leave", vertex)."""
    session: int = 0
    """Starts and replays are numbered together."""
    replay: int = 0
    """Newest number that a replay to all may have; an older one's end tells nothing."""


@attrs.frozen
class Directory:
    """The chain as the manager sees it, and questions on it."""

    instances: Map[str, tuple[Address, ...]]
    """Instances of each vertex."""
    splitters: Map[str, tuple[Address, ...]]
    """Instances, or roots, that split traffic to each vertex (SPLIT-3: all get each move)."""
    stores: Map[str, Address]
    """Store of each vertex (STORE-8)."""
    divisions: Map[str, Division]
    """How the traffic to each vertex is divided at first (CHAIN-2, SPLIT-2)."""
    roots: tuple[Address, ...] = ("root",)
    alone: Map[str, bool] = Map()
    """Vertices with cached shared objects, and whether the split that the chain begins with
    gives each of their keys to one instance alone (CACHE-3, CACHE-4)."""
    clocks: Address = "store"
    """The store that the roots write to (ROOT-5)."""
    lasts: frozenset[str] = frozenset()
    """Vertices with nothing but the sink behind them."""
    managers: Map[str, VertexManager] = Map()
    """Of the vertices for which the operator has a logic (CHAIN-3)."""
    rules: Rules = AMENDED

    def _home(self, vertex: str, flow: Flow, scale: Scale | None = None) -> Address:
        """Give the instance of a flow by default, or after a scaling."""
        return self.divisions[vertex].home(flow, scale)

    def _place(self, state: ManagerState, vertex: str, flow: Flow) -> Address:
        """Give the instance that a flow goes to now."""
        key = (vertex, flow)
        moves = state.moves.get(key, ())
        first = state.firsts.get(key, None)
        return moves[-1].to if moves else first or self._home(vertex, flow)

    def _split(self, state: ManagerState, vertex: str) -> tuple[Address, ...]:
        """Give the instances that a vertex is split among."""
        scale = state.scales.get(vertex)
        return (scale or self.divisions[vertex]).instances

    def _by(self, state: ManagerState, vertex: str) -> str:
        """Name the scope that a vertex is split by; empty for the whole flow (SPLIT-2)."""
        return (state.scales.get(vertex) or self.divisions[vertex]).by

    def _leaves(self, state: ManagerState, vertex: str) -> bool:
        """Tell whether an instance out of the split still has to be told, or to tell."""
        return ("leave", vertex) in state.awaited

    def _hosts(self, state: ManagerState, instance: Address) -> tuple[Address, ...]:
        return state.hosts.get(instance, (instance,))

    def _routed(self, state: ManagerState, instance: Address) -> tuple[Address, ...]:
        """Give the hosts that splitters send to: a clone is not among them until it is up."""
        first, *others = self._hosts(state, instance)
        return (first, *(host for host in others if host not in state.fencing))

    def _above(self, state: ManagerState, vertex: str) -> tuple[Address, ...]:
        """Give the hosts of all splitters above a vertex."""
        hosts = [host for one in self.splitters[vertex] for host in self._hosts(state, one)]
        return tuple(host for host in hosts if host not in state.fencing)

    def _up(self, state: ManagerState, vertex: str) -> tuple[Address, ...]:
        """Give the hosts of a vertex' instances, but for those that have not begun."""
        hosts = [h for one in self.instances[vertex] for h in self._hosts(state, one)]
        return tuple(host for host in hosts if host not in state.fencing)

    def _stores(self) -> list[Address]:
        return sorted({self.clocks, *(store for _, store in self.stores.items())})

    def _cache(self, state: ManagerState, vertex: str) -> Cache:
        return state.caching.get(vertex, Cache(self.alone.get(vertex, True)))

    def _may_cache(self, state: ManagerState, vertex: str) -> bool:
        moves = [moves for (at, _), moves in state.moves.items() if at == vertex]
        back = all(m[-1].to == self._home(vertex, m[-1].flow) for m in moves)
        moving = any(m.vertex == vertex for _, of in state.under_way.items() for m in of)
        wished = any(getattr(wish, "vertex", None) == vertex for wish in state.wishes)
        # What one host of a clone has done, the other may do later still: from copies it would
        # see more than the first did. Nobody tells when it has caught up.
        cloned = any(vertex_of(instance) == vertex for instance, _ in state.hosts.items())
        busy = not back or moving or wished or cloned
        failed = any(vertex_of(host) == vertex for host, _ in state.recovering.items())
        busy = busy or failed or vertex not in self.alone or vertex in state.scales
        return not busy and self._cache(state, vertex) != Cache(self.alone[vertex])

    def _moves_below(self, state: ManagerState, instance: Address) -> bool:
        """Tell whether a move is under way that the instance's splitter takes part in."""
        return any(
            instance in self.splitters[move.vertex]
            for _, moves in state.under_way.items()
            for move in moves
        )

    def _scales_near(self, state: ManagerState, instance: Address) -> bool:
        """Tell whether a scaling is under way that the instance takes part in."""
        return any(
            instance in (*self.instances[vertex], *self.splitters[vertex])
            for vertex, _ in state.scales.items()
            if self._leaves(state, vertex) or ("scale", vertex) in state.awaited
        )

    def _start(self, state: ManagerState, address: Address) -> Start:
        """Give everything that a failover must be told."""
        above, instance = vertex_of(address), identity_of(address)
        moves = tuple(
            self._told(state, move, above)
            for (vertex, _), of in sorted_items(state.moves)
            if instance in self.splitters[vertex]
            for move in of
        )
        below = [v for v, above_it in sorted_items(self.splitters) if instance in above_it]
        hosts = tuple(
            Hosts(instance, self._routed(state, instance))
            for instance, _ in sorted_items(state.hosts)
            if vertex_of(instance) in below
        )
        scales = tuple(s for v, s in sorted_items(state.scales) if v in below)
        routes = tuple(
            Route(v, flow, to) for (v, flow), to in sorted_items(state.firsts) if v in below
        )
        users = [v for v, store in sorted_items(self.stores) if store == address]
        down = self._down(state)
        ask = [h for vertex in users for h in self._up(state, vertex) if h not in down]
        # One that is to stop goes on until then: what it sends is told apart by its fence alone.
        ask += [h for h in sorted(state.leaving - state.gone) if vertex_of(h) in users]
        if address in self._stores():
            ask += [root for root in self.roots if root not in state.recovering]
        session, cache = state.starts[address], self._cache(state, above)
        cloned = above in self.lasts and len(self._hosts(state, instance)) > 1
        mute = cloned or any(waits == address for _, waits in state.silencing.items())
        return Start(moves, session, hosts, tuple(ask), cache, scales, routes, mute)

    def _down(self, state: ManagerState) -> frozenset[Address]:
        """Give the hosts that have not begun yet, or not again."""
        waiting = {host for host, (_, runs) in state.recovering.items() if not runs}
        return frozenset(waiting) - state.joining

    def _told(self, state: ManagerState, move: Move, above: str) -> Move:
        """Give a move as the splitters of one vertex above are told of it."""
        key = (move.vertex, move.flow, move.epoch, above)
        return evolve(move, since=state.begun.get(key), behind=state.behind.get(key, 0))

    def _await(
        self, state: ManagerState, key: tuple[str, str], asked: tuple[Address, ...]
    ) -> ManagerState:
        """Note who must answer; one that has not begun is told by its start."""
        left = state.awaited.insert(key, frozenset(asked)) if asked else state.awaited.discard(key)
        return evolve(state, awaited=left)
