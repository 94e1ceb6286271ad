"""Cloning: how a failover or a clone begins, and how the packets that it has missed come to it.

Both are started empty, once the store has voided what was there before; both get a replay of
all that is logged. A clone shares the instance's ID with the host that goes on: all splitters
must send to both before its replay begins. Paper: sections 5.3 and 5.4.
"""

from __future__ import annotations

from chc_ref.core.caching import Caching
from chc_ref.core.directory import ManagerState, Sends
from chc_ref.core.messages import Cache, Fence, Hosts, Replay, Send
from chc_ref.core.values import Address, beside, evolve, identity_of, vertex_of


class Cloning(Caching):
    """The manager's part that starts hosts. When one is to end, the manager knows."""

    def _clone(self, state: ManagerState, instance: Address) -> tuple[ManagerState, Sends]:
        """Start a clone on the other host, if there is none and all is well (CLONE-1)."""
        hosts = self._hosts(state, instance)
        if len(hosts) > 1 or hosts[0] in state.recovering:
            return state, []
        state = evolve(state, hosts=state.hosts.insert(instance, (*hosts, beside(hosts[0]))))
        state, sends = self._restart(state, beside(hosts[0]), clones=True)
        state, more = self._set_cache(state, vertex_of(instance), Cache(False, copies=False))
        return state, sends + more

    def _replicate(self, state: ManagerState, clone: Address) -> tuple[ManagerState, Sends]:
        """Have all splitters send to both hosts, before the replay that fills the gap begins.

        A packet that passed a splitter before it heard of the clone must be in the replay, so
        the log is replayed only when all of them have (CLONE-2, findings).
        """
        instance = identity_of(clone)
        state = evolve(state, joining=state.joining | {clone})
        state, sends = self._set_hosts(state, instance, self._hosts(state, instance))
        state, more = self._fill(state)
        return state, sends + more

    def _fill(self, state: ManagerState) -> tuple[ManagerState, Sends]:
        """Begin the replay for every clone that all have heard of (CLONE-2)."""
        heard = frozenset(
            clone
            for clone in state.joining
            if self.rules.replays_at(
                ("hosts", identity_of(clone)) not in state.awaited,
                ("cache", vertex_of(clone)) not in state.awaited,
            )
        )
        if not heard:
            return state, []
        recovering = state.recovering
        for clone in heard:
            recovering = recovering.insert(clone, (state.starts[clone], True))
        return self._replay(evolve(state, recovering=recovering, joining=state.joining - heard))

    def _set_hosts(
        self, state: ManagerState, instance: Address, hosts: tuple[Address, ...]
    ) -> tuple[ManagerState, Sends]:
        asked = self._above(state, vertex_of(instance))
        state = evolve(state, hosts=state.hosts.insert(instance, hosts))
        state = self._await(state, ("hosts", instance), asked)
        return state, [Send(to, Hosts(instance, hosts)) for to in asked]

    def _restart(
        self, state: ManagerState, address: Address, clones: bool = False
    ) -> tuple[ManagerState, Sends]:
        """Number a new start; an NF's begins when its store has voided its predecessor (REC-1)."""
        session = state.session + 1
        is_store = address in self._stores()
        breaks = not (is_store or clones)  # the replays that are under way went through it
        state = evolve(
            state,
            session=session,
            replay=session if breaks else state.replay,
            recovering=state.recovering.insert(address, (session, False)),
            starts=state.starts.insert(address, session),
        )
        if is_store:
            return state, [Send(address, self._start(state, address))]
        fence = Fence(address, session)
        if address in self.roots:
            start = Send(address, self._start(state, address))
            return state, [start, *(Send(store, fence) for store in self._stores())]
        if not self.rules.fences_first(session):
            return state, [Send(address, self._start(state, address))]
        state = evolve(state, fencing=state.fencing | {address})
        return state, [Send(self.stores[vertex_of(address)], fence)]

    def _replay(self, state: ManagerState) -> tuple[ManagerState, Sends]:
        """Replay to every instance in recovery: a second failure may have broken a first replay."""
        targets = sorted(address for address, (_, runs) in state.recovering.items() if runs)
        if not targets:
            return state, []
        session = state.session + 1
        state = evolve(state, session=session, replay=session)
        return state, [
            Send(root, Replay(target, session)) for target in targets for root in self.roots
        ]
