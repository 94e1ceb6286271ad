"""Caching: when the instances of a vertex may serve shared objects from caches of their own.

What one instance alone accesses may be cached while the split gives each of its keys to one
instance. Before a flow moves, or a clone begins, everybody gives its cache up; and nobody begins
again before the store has all that was sent until then. Paper: section 4.3, Table 1 (CACHE-4).
"""

from __future__ import annotations

from chc_ref.core.directory import ManagerState, Sends
from chc_ref.core.messages import Cache, Drain, Send
from chc_ref.core.scaling import Scaling
from chc_ref.core.values import evolve


class Caching(Scaling):
    """The manager's part that knows of caches."""

    def _share(self, state: ManagerState, vertex: str) -> tuple[ManagerState, bool, Sends]:
        """See to it that nobody serves a vertex' shared objects from a cache; tell if so."""
        sends: Sends = []
        if self.rules.gives_caches_up(self._cache(state, vertex).alone):
            state, sends = self._set_cache(state, vertex, Cache(False))
        return state, ("cache", vertex) not in state.awaited, sends

    def _unshare(self, state: ManagerState, vertex: str) -> tuple[ManagerState, Sends]:
        """Let caches begin again once every flow is back where the split puts it.

        But first the store must have all that any instance has sent: a handover says so of one
        flow, and the object is shared with others (findings).
        """
        if not self._may_cache(state, vertex):
            return state, []
        asked, number = self._up(state, vertex), state.session + 1
        state = self._forget_drains(evolve(state, session=number), vertex)
        state = self._await(state, ("drain", f"{vertex} {number}"), asked)
        return state, [Send(host, Drain(number)) for host in asked]

    def _forget_drains(self, state: ManagerState, vertex: str) -> ManagerState:
        """Heed no answer to an earlier request: something may have been sent since."""
        drains = [k for k, _ in state.awaited.items() if k[0] == "drain"]
        awaited = state.awaited
        for key in drains:
            awaited = awaited.discard(key) if key[1].split()[0] == vertex else awaited
        return evolve(state, awaited=awaited)

    def _set_cache(
        self, state: ManagerState, vertex: str, cache: Cache
    ) -> tuple[ManagerState, Sends]:
        if vertex not in self.alone:
            return state, []
        asked = self._up(state, vertex)
        state = evolve(state, caching=state.caching.insert(vertex, cache))
        state = self._await(state, ("cache", vertex), asked)
        return state, [Send(host, cache) for host in asked]
