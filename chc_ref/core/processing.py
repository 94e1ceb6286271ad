"""Processing: one packet through the vertex' code, and what leaves for it.

NF code is run again from its start whenever a result arrives (``access.run``). Its updates are
flushed, what it sends goes downstream; at a last vertex, or where nothing goes on, the root has
to have the delete first (REC-2). Paper: sections 4.3, 5.1 to 5.4.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.access import Finished, Suspended, run
from chc_ref.core.client import Client, ClientState
from chc_ref.core.messages import (
    Alert,
    Apply,
    Committed,
    Delete,
    Output,
    Packet,
    Send,
)
from chc_ref.core.operations import NetworkFunction, Outcome
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Map, evolve, root_of
from chc_ref.core.work import (
    Announce,
    Effect,
    Emit,
    InstanceState,
    Mode,
    Slot,
    Tenanted,
    Wait,
    Work,
)


@attrs.frozen
class Processing:
    """The NF instance's part that works on a packet."""

    address: Address
    nf: NetworkFunction
    upstream: tuple[Address, ...]
    last: bool
    """Nothing is downstream but the sink (ROOT-3)."""
    tokens: Map[str, int]
    """First token bit of each object (DEL-1)."""
    client: Client
    roots: tuple[Address, ...] = ("root",)
    """By the identifier in their clocks (SPLIT-4)."""
    eager_flush: bool = True
    """Flush after each packet; otherwise on the flush timer only (CACHE-2)."""
    vertex: str = ""
    rules: Rules = AMENDED

    def on_flush(self, state: InstanceState) -> tuple[InstanceState, list[Effect]]:
        """Flush the cached operations (CACHE-2)."""
        early = [send for access in state.client.unflushed for send in self._early(access)]
        client, sends = self.client.flush(state.client)
        return evolve(state, client=client), [*early, *sends]

    def _early(self, access: Apply) -> list[Send]:
        """Signal a commit for the store, if the rules say so (DEL-2)."""
        clock, branch = access.id.clock, access.id.branch
        if access.emulate or not self.rules.signals_early(access.token):
            return []
        return [Send(self.roots[root_of(clock)], Committed(clock, branch, access.token))]

    def _execute(self, work: Work) -> Suspended | Finished:
        return run(
            self.nf, self.vertex, work.packet, work.values, work.results, self.tokens, self.rules
        )

    def _run(self, state: InstanceState, work: Work) -> tuple[InstanceState, list[Effect]]:
        effects: list[Effect] = []
        while True:
            step = self._execute(work)
            client, results = state.client, work.results
            for access in step.accesses[work.sent :]:
                client, sends, seen = self._access(client, work.mode, access)
                effects += sends
                results = (*results, *seen)
            state = evolve(state, client=client)
            work = evolve(work, sent=len(step.accesses), results=results)
            if not isinstance(step, Suspended):
                state, more = self._finish(state, work, step)
                return state, effects + more
            if len(results) < step.needed:
                return evolve(state, work=evolve(work, wait=Wait.RESULT)), effects

    def _access(
        self, client: ClientState, mode: Mode, access: Apply
    ) -> tuple[ClientState, list[Send], tuple[Any, ...]]:
        """Send an access to the store; gives its result if a copy could serve it (CACHE-3)."""
        if mode is Mode.EMULATED:
            access = evolve(access, emulate=True)
            if not access.blocking:
                return client, [], ()
        served = self.client.serve(client, access) if mode is Mode.OWN else None
        blocking = access.blocking
        if served is not None:
            client, access = served
        client, send = self.client.issue(client, access)
        return client, [*self._early(access), send], access.seen if blocking else ()

    def _finish(
        self, state: InstanceState, work: Work, step: Finished
    ) -> tuple[InstanceState, list[Effect]]:
        packet = evolve(work.packet, vector=step.vector)
        effects: list[Effect] = []
        if work.mode is not Mode.EMULATED:
            if work.mode is Mode.OWN:
                tenanted = Tenanted(packet.epoch, step.values)
                state = evolve(state, owned=state.owned.insert(packet.flow, tenanted))
            unflushed = (*state.client.unflushed, *step.writes)
            state = evolve(state, client=evolve(state.client, unflushed=unflushed))
            if self.rules.flushes_at_once(self.eager_flush, work.mode is Mode.REPLAYED):
                state, effects = self.on_flush(state)
        if packet.target not in (None, self.address):
            if step.outcome.outputs and not self.last:
                effects.append(Emit(evolve(packet, after=packet.epoch), step.outcome.outputs))
            return evolve(state, work=None), effects
        if self.rules.clears_target(self.last):
            packet = evolve(packet, target=None, session=0)  # DUP-3: cleared where it was for
        return self._send_on(state, evolve(work, packet=packet), step.outcome, effects)

    def _send_on(
        self, state: InstanceState, work: Work, outcome: Outcome, effects: list[Effect]
    ) -> tuple[InstanceState, list[Effect]]:
        """Let the outcome of a packet leave: downstream, or by way of its delete (REC-2)."""
        if self.rules.stays_mute(state.mute) or state.unsent:
            state, more = self._done(state, work)
            state = evolve(state, unsent=(*state.unsent, (evolve(work, mode=Mode.SENT), outcome)))
        else:
            state, more = self._deliver(state, work, outcome)
        return state, effects + more

    def _speak(self, state: InstanceState) -> tuple[InstanceState, list[Effect]]:
        """Let out the first of what a mute clone has kept (CLONE-3)."""
        first, state = state.unsent[0], evolve(state, unsent=state.unsent[1:])
        return (state, [first]) if isinstance(first, Announce) else self._deliver(state, *first)

    def _deliver(
        self, state: InstanceState, work: Work, outcome: Outcome
    ) -> tuple[InstanceState, list[Effect]]:
        packet = work.packet
        effects: list[Effect] = []
        if outcome.outputs and not self.last:
            effects.append(Emit(evolve(packet, after=packet.epoch), outcome.outputs))
            effects += self._alerts(packet, outcome)
        else:
            vectors = (*packet.earlier, (packet.branch, packet.vector))
            waits = bool(outcome.outputs or outcome.alerts)
            start = state.client.start
            delete = Delete(packet.clock, packet.branch, packet.share, vectors, start, waits)
            effects.append(Send(self._root(delete), delete))
            state = evolve(state, deletes=(*state.deletes, delete))
            if self.rules.awaits_delete(len(outcome.outputs), len(outcome.alerts)):
                work = evolve(work, wait=Wait.DELETE, leaving=outcome)
                return evolve(state, work=work), effects
            effects += self._leave(packet, outcome)
        state, more = self._done(state, work)
        return state, effects + more

    def _root(self, delete: Delete) -> Address:
        """Give the root that has logged the packet: the clock tells (SPLIT-4)."""
        return self.roots[root_of(delete.clock)]

    def _leave(self, packet: Packet, outcome: Outcome) -> list[Effect]:
        effects: list[Effect] = []
        for index, headers in enumerate(outcome.outputs):
            branch = packet.branch if len(outcome.outputs) == 1 else (*packet.branch, index)
            output = Output(packet.clock, branch, packet.flow, headers, packet.epoch)
            effects.append(Send("sink", output))
        return effects + self._alerts(packet, outcome)

    def _alerts(self, packet: Packet, outcome: Outcome) -> list[Effect]:
        return [
            Send("sink", Alert(self.vertex, packet.clock, alert, packet.branch, index))
            for index, alert in enumerate(outcome.alerts)
        ]

    def _done(self, state: InstanceState, work: Work) -> tuple[InstanceState, list[Effect]]:
        """End the work, and ask for the state of the next packet that waited behind it."""
        state = evolve(state, work=None)
        if work.mode is Mode.SENT:
            return state, []
        slot = (work.packet.flow, work.packet.epoch)
        waiting = state.blocked.get(slot)
        passing = work.packet.target not in (None, self.address)
        if passing or waiting is None:
            return state, []
        return self._next(state, slot, waiting)

    def _next(
        self, state: InstanceState, slot: Slot, waiting: tuple[Any, ...]
    ) -> tuple[InstanceState, list[Effect]]:
        """Ask for the state of the next of a flow's packets."""
        while waiting and not isinstance(waiting[0], Packet):
            state = evolve(state, ready=(*state.ready, waiting[0]))
            waiting = waiting[1:]
        if not waiting:
            return evolve(state, blocked=state.blocked.discard(slot)), []
        state = evolve(state, blocked=state.blocked.insert(slot, waiting))
        return state, [self._ask(state, waiting[0])]

    def _ask(self, state: InstanceState, packet: Packet, peek: bool = False) -> Send:
        return self.client.ask(state.client, packet, peek)
