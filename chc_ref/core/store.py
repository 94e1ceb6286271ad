"""Store: holds the state of all NFs outside of them.

Owns the values, who owns each flow at each vertex, and what every access of a packet that is
still in the chain returned. Serialises all updates (STORE-4): one step, one operation; so every
instance sees one order of the updates of a shared object (MOVE-7), and a read comes after the
updates that its instance sent before it (STORE-6).
Paper: sections 4.3 and 5.1; Table 2.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import (
    Acquire,
    Apply,
    ClockPersisted,
    Committed,
    Granted,
    PersistClock,
    Received,
    Release,
    Result,
    Send,
)
from chc_ref.core.operations import OperationFailed, StateObject
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Flow, Map, ObjectKey, UpdateId, evolve, vertex_of

FlowAt = tuple[str, Flow]
"""A flow at one vertex: the unit of ownership."""


@attrs.frozen(cache_hash=True)
class Owner:
    """Who may update a flow's objects at one vertex (STORE-2)."""

    instance: Address | None = None
    epoch: int = 0


@attrs.frozen(cache_hash=True)
class StoreState:
    """The whole store. ``records`` is what makes a repeat harmless (DUP-2)."""

    values: Map[ObjectKey, Any] = Map()
    records: Map[UpdateId, Any] = Map()
    """Result of every access so far, by the access."""
    versions: Map[ObjectKey, tuple[tuple[int, int, Any], ...]] = Map()
    """Per-flow objects: (clock, seq, value after), in order, to answer for the past (DUP-3)."""
    owners: Map[FlowAt, Owner] = Map()
    waiting: Map[FlowAt, tuple[tuple[Address, Acquire | Release], ...]] = Map()
    """Requests of later epochs, parked until their time (MOVE-3)."""
    persisted: int = 0


@attrs.frozen
class Store:
    """Store machine: ``step`` on ``Received`` events only."""

    objects: Map[str, tuple[StateObject, ...]]
    """The declared objects of each vertex."""
    root: Address = "root"
    rules: Rules = AMENDED
    initial: StoreState = StoreState()

    def offers(self, state: StoreState) -> list[Any]:
        """The store has no timers."""
        return []

    def step(self, state: StoreState, event: Received) -> tuple[StoreState, list[Send]]:
        """Handle one request; an unknown message is a fault of the driver (KeyError)."""
        source, message = event.source, event.message
        match message:
            case Apply():
                return self._apply(state, source, message)
            case Acquire() | Release():
                return self._tenure(state, source, message)
            case PersistClock(count):
                state = evolve(state, persisted=max(count, state.persisted))
                return state, [Send(source, ClockPersisted(count))]
        raise KeyError(f"store: unexpected {message!r} from {source}")

    # ------------------------------------------------------------------ operations

    def _apply(
        self, state: StoreState, source: Address, request: Apply
    ) -> tuple[StoreState, list[Send]]:
        """Apply an access once; give its repeats what the first one returned (DUP-2)."""
        if self.rules.recorded(state.records, request.id):
            result = state.records.get(request.id)
            return state, self._answer(source, request, result, True)
        if request.emulate:
            return state, self._answer(source, request, None, False)
        key = request.id.object
        declared = self._declared(key)
        if declared.per_flow and not self._owns(state, source, key):
            refusal = OperationFailed("not the owner")
            return state, self._answer(source, request, refusal, True)
        before = state.values.get(key, declared.initial)
        after, result = request.operation.apply(before)
        state = evolve(state, records=state.records.insert(request.id, result))
        if not request.operation.reads_only:
            state = evolve(state, values=state.values.insert(key, after))
        if declared.per_flow:
            version = (request.id.clock, request.id.seq, after)
            versions = (*state.versions.get(key, ()), version)
            state = evolve(state, versions=state.versions.insert(key, versions))
        effects = self._answer(source, request, result, True)
        if not request.operation.reads_only:
            effects.append(
                Send(self.root, Committed(request.id.clock, request.id.branch, request.token))
            )
        return state, effects

    def _answer(self, to: Address, request: Apply, result: Any, known: bool) -> list[Send]:
        return [Send(to, Result(request.id, result, known))] if request.blocking else []

    def _declared(self, key: ObjectKey) -> StateObject:
        return next(o for o in self.objects.get(key.vertex, ()) if o.name == key.name)

    def _owns(self, state: StoreState, source: Address, key: ObjectKey) -> bool:
        return state.owners.get((key.vertex, key.key), Owner()).instance == source

    # ------------------------------------------------------------------ ownership

    def _tenure(
        self, state: StoreState, source: Address, request: Acquire | Release
    ) -> tuple[StoreState, list[Send]]:
        """Serve a request for a flow, then all that was parked for this moment (MOVE-4)."""
        at = (vertex_of(source), request.flow)
        queue = [(source, request)]
        parked = list(state.waiting.get(at, ()))
        effects: list[Send] = []
        while queue:
            whence, asked = queue.pop(0)
            owner = state.owners.get(at, Owner())
            if self._must_wait(owner, asked):
                if (whence, asked) not in parked:
                    parked.append((whence, asked))
                continue
            state, sent = self._serve(state, at, whence, asked)
            effects += sent
            if state.owners.get(at, Owner()).epoch != owner.epoch:
                queue, parked = queue + parked, []
        waiting = state.waiting.insert(at, tuple(parked)) if parked else state.waiting.discard(at)
        return evolve(state, waiting=waiting), effects

    def _must_wait(self, owner: Owner, asked: Acquire | Release) -> bool:
        if isinstance(asked, Release):  # tenures end in order, whoever speaks first
            return asked.epoch > owner.epoch + 1
        return not asked.peek and self.rules.waits_for_owner(asked.epoch, owner.epoch)

    def _serve(
        self, state: StoreState, at: FlowAt, source: Address, asked: Acquire | Release
    ) -> tuple[StoreState, list[Send]]:
        owner = state.owners.get(at, Owner())
        if isinstance(asked, Release):
            if asked.epoch == owner.epoch + 1 and owner.instance in (None, source):
                owners = state.owners.insert(at, Owner(None, asked.epoch))
                state = evolve(state, owners=owners)
            return state, []
        owned = not asked.peek and asked.epoch >= owner.epoch and owner.instance in (None, source)
        if owned:
            owners = state.owners.insert(at, Owner(source, asked.epoch))
            state = evolve(state, owners=owners)
        values = self._as_of(state, at, asked.clock)
        granted = Granted(asked.flow, asked.epoch, asked.clock, values, owned, asked.peek)
        return state, [Send(source, granted)]

    def _as_of(self, state: StoreState, at: FlowAt, clock: int) -> tuple[tuple[str, Any], ...]:
        """Give the flow's objects as they were before ``clock`` touched them.

        For a flow's next packet that is the present value. A replayed packet must not see
        what later packets of its flow did: its own updates will be taken for repeats, and
        would be computed from a value that was never theirs to see (DUP-3, findings).
        """
        values = []
        for declared in self.objects.get(at[0], ()):
            if declared.per_flow:
                key = ObjectKey(at[0], declared.name, at[1])
                versions = state.versions.get(key, ())
                past = [value for when, _, value in versions if when < clock]
                values.append((declared.name, past[-1] if past else declared.initial))
        return tuple(values)
