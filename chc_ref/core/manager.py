"""Manager: the control plane. It numbers moves, clones stragglers and brings back what failed.

Owns the list of all moves, so that a failover's splitter can be told, which of them are under
way, which host an instance runs on, and the recoveries that are under way. A flow is moved at
one vertex at a time: while it changes its instance at one vertex, two splitters carry it, and
they hear of a move further down at different moments. Its later packets could then reach the
old instance there and its earlier ones the new (findings). Fail-stop and immediate detection
are assumed (REC-0): ``Failed`` is an event that the driver reports. Paper: sections 3, 5.3, 5.4.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.directory import ManagerState, Sends
from chc_ref.core.messages import (
    Ask,
    Begin,
    Cache,
    CacheKnown,
    CloneRequested,
    Drained,
    Failed,
    Fence,
    Fenced,
    HandedOver,
    Holds,
    Hosts,
    HostsKnown,
    KeepRequested,
    Load,
    MoveRequested,
    Over,
    PollTimer,
    Ready,
    Received,
    Recovered,
    ScaleKnown,
    ScaleRequested,
    Send,
    Speak,
    Stop,
    Unrouted,
)
from chc_ref.core.moving import Moving
from chc_ref.core.values import (
    Address,
    evolve,
    identity_of,
    sorted_items,
    vertex_of,
)
from chc_ref.core.vertex import VertexState, Wish


@attrs.frozen
class Manager(Moving):
    """Manager machine."""

    initial: ManagerState = ManagerState()

    def offers(self, state: ManagerState) -> list[Any]:
        """The manager has no timers."""
        return []

    def step(self, state: ManagerState, event: Any) -> tuple[ManagerState, Sends]:
        """React to one event; an unknown one is a fault of the driver (KeyError)."""
        match event:
            case MoveRequested() | CloneRequested() | ScaleRequested() | KeepRequested():
                return self._asked(state, event)
            case PollTimer(vertex):
                period = state.periods.get(vertex, VertexState())
                hosts = self._up(state, vertex)
                period, sends = self.managers[vertex].on_timer(period, hosts)
                return evolve(state, periods=state.periods.insert(vertex, period)), sends
            case Failed(address):
                return self._failed(state, address)
            case Received(source, HandedOver(flow, epoch)):
                return self._handed_over(state, source, flow, epoch)
            case Received(source, Begin() as begin):
                return self._begin(state, source, begin)
            case Received(_, Fenced(address, start)):
                return self._fenced(state, address, start)
            case Received(source, Ready(session)):
                if state.recovering.get(source) != (session, False):
                    return state, []  # it has died again since
                return self._ready(state, source, session)
            case Received(source, Recovered(session)):
                if session != state.replay or source not in state.recovering:
                    return state, []  # a later replay is still under way
                state = evolve(state, recovering=state.recovering.discard(source))
                state, sends = self._keep(state, identity_of(source))
                state, more = self._unshare(state, vertex_of(source))
                return state, sends + more
            case Received(_, Drained(host, number)):
                return self._answered(state, ("drain", f"{vertex_of(host)} {number}"), host)
            case Received(_, Over(host)):
                waiting = state.silencing.get(host)
                silencing = state.silencing.discard(host)
                speak = [Send(waiting, Speak())] if waiting is not None else []
                state, sends = self._wish(evolve(state, silencing=silencing))
                return state, speak + sends
            case Received(source, Unrouted() as unrouted):
                state, sends = self._unrouted(state, source, unrouted)
                state, more = self._wish(state)
                return state, sends + more
            case Received(_, Holds() as holds):
                if not self._is_current(state, holds):
                    return state, []
                state, instance = self._drained(state, holds), holds.instance
                state, sends = self._answered(state, ("leave", vertex_of(instance)), instance)
                state, more = self._wish(state)
                return state, sends + more
            case Received(source, Load() as load):
                vertex = vertex_of(source)
                period = self.managers[vertex].on_load(state.periods[vertex], load)
                return self._close(state, vertex, period)
            case Received(source, ScaleKnown(scale)):
                if scale != state.scales.get(scale.vertex):
                    return state, []
                return self._answered(state, ("scale", scale.vertex), source)
            case Received(source, HostsKnown(Hosts(instance, hosts))):
                if hosts != self._hosts(state, instance):
                    return state, []
                return self._answered(state, ("hosts", instance), source)
            case Received(source, CacheKnown(cache)):
                if cache != self._cache(state, vertex_of(source)):
                    return state, []
                return self._answered(state, ("cache", vertex_of(source)), source)
        raise KeyError(f"manager: unexpected {event!r}")

    def _asked(self, state: ManagerState, wish: Wish) -> tuple[ManagerState, Sends]:
        """Take what the operator asks for, or the operator's logic."""
        if isinstance(wish, KeepRequested):
            instance = identity_of(wish.host)
            keeps = state.keeps.insert(instance, wish.host)
            return self._keep(evolve(state, keeps=keeps), instance)
        return self._wish(evolve(state, wishes=(*state.wishes, wish)))

    # ------------------------------------------------------------------ statistics (CHAIN-3)

    def _close(
        self, state: ManagerState, vertex: str, period: VertexState
    ) -> tuple[ManagerState, Sends]:
        """End a period once all have answered, and do what the operator's logic wants."""
        manager = self.managers[vertex]
        wishes: tuple[Wish, ...] = ()
        if manager.is_complete(period):
            split = self._split(state, vertex)
            standby = tuple(one for one in self.instances[vertex] if one not in split)
            finer = self.divisions[vertex].finer(self._by(state, vertex))
            period, wishes = manager.close(period, vertex, split, standby, finer)
        state = evolve(state, periods=state.periods.insert(vertex, period))
        effects: Sends = []
        for wish in wishes:
            state, sends = self._asked(state, wish)
            effects += sends
        return state, effects

    # ------------------------------------------------------------------ clones

    def _keep(self, state: ManagerState, instance: Address) -> tuple[ManagerState, Sends]:
        """Keep the chosen host and stop the other, once the clone is up (CLONE-3)."""
        hosts, kept = self._hosts(state, instance), state.keeps.get(instance)
        if kept is None or len(hosts) < 2:
            return evolve(state, keeps=state.keeps.discard(instance)), []
        if any(host in state.recovering for host in hosts):
            return state, []
        return self._settle(state, instance, kept)

    def _settle(
        self, state: ManagerState, instance: Address, kept: Address, failed: Address | None = None
    ) -> tuple[ManagerState, Sends]:
        """End the cloning of an instance: ``kept`` is its only host from now on."""
        hosts = self._hosts(state, instance)
        others = frozenset(hosts) - {kept}
        vertex, session = vertex_of(instance), state.session + 1
        recovering, starts = state.recovering, state.starts
        for other in sorted(others):
            recovering, starts = recovering.discard(other), starts.insert(other, session)
        state = evolve(
            state,
            recovering=recovering,
            starts=starts,
            session=session,
            fencing=state.fencing - others,
            leaving=state.leaving | others,
            gone=state.gone | (others & (self._down(state) | {failed})),
            joining=state.joining - others,
            keeps=state.keeps.discard(instance),
        )
        state, sends = self._set_hosts(state, instance, (kept,))
        if vertex in self.lasts and kept != hosts[0]:
            state = evolve(state, silencing=state.silencing.insert(hosts[0], kept))
        # A store in recovery waits for no host that is fenced: one that can be asked, it must hear.
        asked = others - state.gone if self.stores[vertex] in state.recovering else frozenset()
        sends += [self._fence(state, other) for other in sorted(others - asked)]
        for other in sorted(others):
            state, sends = self._gone(state, other, sends)
        for one in sorted(state.handed, key=repr):
            if one[0] == kept:
                state, more = self._handed_over(state, *one)
                sends = sends + more
        state = evolve(state, handed=frozenset(o for o in state.handed if o[0] not in others))
        state, more = self._wish(state)
        return state, sends + more

    # ------------------------------------------------------------------ failures

    def _failed(self, state: ManagerState, address: Address) -> tuple[ManagerState, Sends]:
        """Begin the failover; of a cloned instance the other host goes on (REC-1)."""
        hosts = self._hosts(state, identity_of(address))
        sends: Sends = []
        if address not in hosts and "." in address:  # it was to stop, or has
            if address in state.leaving:
                state = evolve(state, gone=state.gone | {address})
                return state, self._unasked(state, address)
            return state, [Send(address, Stop())] if address in state.silencing else []
        if len(hosts) > 1:
            other = next(host for host in hosts if host != address)
            behind = other in state.recovering or vertex_of(address) in self.lasts
            kept = hosts[0] if behind else other
            state, sends = self._settle(state, identity_of(address), kept, address)
            if kept != address:
                return self._gone(state, address, sends)
        state, more = self._restart(state, address)
        return self._gone(state, address, sends + more)

    def _gone(
        self, state: ManagerState, address: Address, sends: Sends
    ) -> tuple[ManagerState, Sends]:
        """Wait for no answer of a component that has failed: its failover knows all."""
        vertex = vertex_of(address)
        # What an instance has sent may still come: ask all again when it is back.
        state = self._forget_drains(state, vertex)
        if vertex in state.periods:
            period = self.managers[vertex].on_failure(state.periods[vertex], address)
            state, more = self._close(state, vertex, period)
            sends = sends + more
        for key, _ in sorted_items(state.awaited):
            if key[0] != "leave":  # that one its failover will say
                state, more = self._answered(state, key, address)
                sends = sends + more
        return state, sends

    def _fence(self, state: ManagerState, address: Address) -> Send:
        """Repeat what an instance's store may not have taken."""
        return Send(self.stores[vertex_of(address)], Fence(address, state.starts[address]))

    def _unasked(self, state: ManagerState, address: Address) -> Sends:
        """Let a store's failover not wait for a host that it may have asked, and that is gone."""
        busy = self.stores[vertex_of(address)] in state.recovering
        return [self._fence(state, address)] if busy else []

    def _fenced(
        self, state: ManagerState, address: Address, start: int
    ) -> tuple[ManagerState, Sends]:
        if start != state.starts.get(address):
            return state, []
        if address in state.leaving:
            left, gone = state.leaving - {address}, state.gone - {address}
            state, sends = self._wish(evolve(state, leaving=left, gone=gone))
            return state, [Send(address, Stop()), *self._unasked(state, address), *sends]
        if address not in state.fencing:
            return state, []
        state = evolve(state, fencing=state.fencing - {address})
        return state, [Send(address, self._start(state, address))]

    def _ready(
        self, state: ManagerState, source: Address, session: int
    ) -> tuple[ManagerState, Sends]:
        if source in self._stores():
            return self._store_ready(state, source)
        uses = self._stores() if source in self.roots else [self.stores[vertex_of(source)]]
        ask = [Send(store, Ask(source)) for store in uses if store in state.recovering]
        if source in self.roots:
            state, sends = self._replay(evolve(state, recovering=state.recovering.discard(source)))
            return state, ask + sends
        if len(self._hosts(state, identity_of(source))) > 1:
            state, sends = self._replicate(state, source)
        else:
            recovering = state.recovering.insert(source, (session, True))
            state, sends = self._replay(evolve(state, recovering=recovering))
        return state, ask + sends

    def _store_ready(self, state: ManagerState, store: Address) -> tuple[ManagerState, Sends]:
        """Repeat what the store may not have taken before it failed (REC-7)."""
        state = evolve(state, recovering=state.recovering.discard(store))
        sends = [
            self._fence(state, address)
            for address in sorted(state.fencing | state.leaving)
            if self.stores[vertex_of(address)] == store
        ]
        for root in self.roots:
            if root in state.recovering:
                state, more = self._restart(state, root)
                state, sends = self._gone(state, root, sends + more)
        for vertex, of in sorted_items(self.stores):
            if of == store:  # answers to a drain went through it
                state, more = self._unshare(self._forget_drains(state, vertex), vertex)
                sends = sends + more
        return state, sends

    # ------------------------------------------------------------------ who is asked

    def _answered(
        self, state: ManagerState, key: tuple[str, str], source: Address
    ) -> tuple[ManagerState, Sends]:
        """Go on when the last one has answered."""
        if key not in state.awaited or source not in state.awaited[key]:
            return state, []
        left = state.awaited[key] - {source}
        if left:
            return evolve(state, awaited=state.awaited.insert(key, left)), []
        state = evolve(state, awaited=state.awaited.discard(key))
        kind, name = key
        if kind == "drain":
            vertex = name.split()[0]
            if not self._may_cache(state, vertex):
                return state, []
            return self._set_cache(state, vertex, Cache(self.alone[vertex]))
        state, sends = self._wish(state)
        state, more = self._fill(state)
        return state, sends + more
