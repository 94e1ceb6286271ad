"""Store: holds the state of NFs outside of them. There may be several (STORE-8).

Owns the values, who owns each flow at each vertex, and what every access of a packet that is
still in the chain returned. Serialises all updates (STORE-4): one step, one operation; so every
instance sees one order of the updates of a shared object (MOVE-7), and a read comes after the
updates that its instance sent before it (STORE-6). A checkpoint survives its failure; a
failover asks its users for the rest (REC-5). Paper: sections 4.3, 5.1 and 5.4; Table 2.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.memory import Memory, Record
from chc_ref.core.messages import (
    Acquire,
    Apply,
    Ask,
    Callback,
    Checkpointed,
    CheckpointTimer,
    ClockPersisted,
    Committed,
    Crashed,
    Drained,
    Drawn,
    Fence,
    Fenced,
    Forget,
    Holds,
    Inquire,
    Logged,
    PersistClock,
    Ready,
    Recall,
    Received,
    Recollection,
    Release,
    Remembered,
    Result,
    Send,
    Start,
    WriteLog,
)
from chc_ref.core.operations import OperationFailed, StateObject, Strategy, drawn_now
from chc_ref.core.ownership import Ownership
from chc_ref.core.recovery import restore
from chc_ref.core.values import (
    Address,
    Map,
    ObjectKey,
    count_of,
    evolve,
    root_of,
    sorted_items,
)


@attrs.frozen(cache_hash=True)
class StoreState:
    """The whole store."""

    memory: Memory = Memory()
    checkpoint: Memory = Memory()
    """On stable storage: it is all that survives a failure (REC-5)."""
    readers: Map[ObjectKey, frozenset[Address]] = Map()
    """Who keeps a copy of an object and is told of its changes (CACHE-3)."""
    fences: Map[Address, int] = Map()
    """What a sender sent before this start is void (REC-1). On stable storage as well: it may
    still be under way when this store fails, and reach its failover (findings)."""
    drawn: Any = 0
    """What the next non-deterministic operation draws (STORE-9)."""
    up: bool = True
    session: int = 0
    """Number of this start; 0 for a store that is nobody's failover."""
    asked: frozenset[Address] = frozenset()
    """Users whose recollection is still to come; the store recovers until there are none."""
    recalled: Map[Address, Recollection] = Map()
    aside: tuple[Received, ...] = ()
    """What came in recovery and is no recollection."""


@attrs.frozen
class Store(Ownership):
    """Store machine."""

    initial: StoreState = StoreState()

    def offers(self, state: StoreState) -> list[Any]:
        """The store's timers are the world's: it decides how often a checkpoint is written."""
        return []

    def step(self, state: StoreState, event: Any) -> tuple[StoreState, list[Send]]:
        """Take one event; an unknown one is a fault of the driver (KeyError)."""
        match event:
            case Crashed():
                return StoreState(checkpoint=state.checkpoint, fences=state.fences, up=False), []
            case Received(_, Start() as start):
                return self._start(state, start)
            case _ if not state.up:
                return state, []
            case CheckpointTimer():
                state = state if state.asked else self._checkpoint(state)
                return state, self._trims(state)
            case Drawn(value):
                return evolve(state, drawn=value), []
            case Received(source, message) if state.asked:
                return self._recover(state, source, message)
            case Received(source, message):
                return self._handle(state, source, message)
        raise KeyError(f"store: unexpected {event!r}")

    def _handle(
        self, state: StoreState, source: Address, message: Any
    ) -> tuple[StoreState, list[Send]]:
        match message:
            case Apply() | Acquire() | Release() | Holds() if self.rules.is_void(
                message.start, state.fences.get(source, 0)
            ):
                return state, []
            case Apply():
                return self._apply(state, source, message)
            case Acquire() | Release():
                memory, sends = self._tenure(state.memory, source, message)
                return evolve(state, memory=memory), sends
            case PersistClock(count):
                return self._persist(state, source, count), [Send(source, ClockPersisted(count))]
            case WriteLog():
                return self._write_log(state, source, message)
            case Inquire(session):
                return state, [Send(source, self._remembered(state.memory, source, session))]
            case Fence():
                return self._fence(state, source, message)
            case Forget(first, last):
                return evolve(state, memory=state.memory.forget(first, last)), []
            case Ask(user):
                return state, [Send(user, Recall(state.session))]
            case Drained():
                return state, [Send("manager", message)]
            case Holds(instance):
                flows = state.memory.held_by(instance)
                return state, [Send("manager", evolve(message, flows=flows))]
            case Recollection(session) if session == state.session:
                return self._again(state, source, message)
            case Recollection():
                return state, []  # of a recovery that was begun anew
        raise KeyError(f"store: unexpected {message!r} from {source}")

    # ------------------------------------------------------------------ operations

    def _apply(
        self, state: StoreState, source: Address, request: Apply
    ) -> tuple[StoreState, list[Send]]:
        """Apply an access once; give its repeats what the first one returned (DUP-2)."""
        key = request.id.object
        if self.stamps and not request.emulate:
            newest = (request.start, request.id)
            applied = state.memory.applied.insert(source, newest)
            state = evolve(state, memory=evolve(state.memory, applied=applied))
        memory = state.memory
        if self.rules.is_over(request.id.clock in memory.past):
            return state, self._answer(memory, source, request, None, known=False)
        if request.register and self._declared(key).strategy is Strategy.COPIED:
            readers = state.readers.get(key, frozenset()) | {source}
            state = evolve(state, readers=state.readers.insert(key, readers))
        if self.rules.recorded(memory.records, request.id):
            record = memory.records.get(request.id)
            result = record.result if record is not None else None
            return state, self._answer(memory, source, request, result)
        if request.emulate:
            return state, self._answer(memory, source, request, None, known=False)
        declared = self._declared(key)
        if declared.per_flow and not self._owns(memory, source, key):
            return state, self._answer(memory, source, request, OperationFailed("not the owner"))
        operation = drawn_now(request.operation, state.drawn)
        after, result = operation.apply(memory.values.get(key, declared.initial))
        if request.seen and operation.reads_only:
            (result,) = request.seen
        token = 0 if operation.reads_only else request.token
        memory = evolve(memory, records=memory.records.insert(request.id, Record(result, token)))
        if operation.reads_only:
            return evolve(state, memory=memory), self._answer(memory, source, request, result)
        memory = memory.updated(source, request.id, declared, after, result, self.stamps)
        state = evolve(state, memory=memory)
        sends = self._callbacks(state, key, source)
        sends += self._answer(memory, source, request, result)
        return state, [*sends, self._committed(request.id.clock, request.id.branch, token)]

    def _answer(
        self, memory: Memory, to: Address, request: Apply, result: Any, known: bool = True
    ) -> list[Send]:
        if not request.blocking:
            return []
        key = request.id.object
        reveals = self.stamps and known and self.rules.reveals(request.operation.reads_only)
        stamp = memory.stamp(key) if reveals else None
        copy = (self._value(memory, key),) if request.register else ()
        return [Send(to, Result(request.id, result, known, stamp, copy))]

    def _callbacks(self, state: StoreState, key: ObjectKey, updater: Address) -> list[Send]:
        """Tell everybody who keeps a copy, the updater too: before its answer (CACHE-3)."""
        stamp = state.memory.stamp(key) if self.stamps else None
        message = Callback(key, self._value(state.memory, key), stamp)
        readers = sorted(state.readers.get(key, ()))
        return [Send(one, message) for one in readers if self.rules.calls_back(one, updater)]

    def _committed(self, clock: int, branch: Any, token: int) -> Send:
        return Send(self.roots[root_of(clock)], Committed(clock, branch, token))

    def _declared(self, key: ObjectKey) -> StateObject:
        return next(o for o in self.objects.get(key.vertex, ()) if o.name == key.name)

    def _value(self, memory: Memory, key: ObjectKey) -> Any:
        return memory.values.get(key, self._declared(key).initial)

    # ------------------------------------------------------------------ for the root

    def _persist(self, state: StoreState, source: Address, count: int) -> StoreState:
        newest = max(count, state.memory.persisted.get(source, 0))
        persisted = state.memory.persisted.insert(source, newest)
        return evolve(state, memory=evolve(state.memory, persisted=persisted))

    def _write_log(
        self, state: StoreState, source: Address, write: WriteLog
    ) -> tuple[StoreState, list[Send]]:
        """Keep what the root's log says of a clock (ROOT-2); its clock is persisted with it."""
        log = state.memory.log
        if write.entry is None:
            log = log.discard(write.clock)
        else:
            log = log.insert(write.clock, write.entry)
            state = self._persist(state, source, count_of(write.clock))
        answered = state.memory.answered
        if write.answered is not None:
            answered = answered.insert(write.answered.host, write.answered)
        state = evolve(state, memory=evolve(state.memory, log=log, answered=answered))
        return state, [Send(source, Logged(write.number))] if write.number else []

    def _remembered(self, memory: Memory, root: Address, session: int) -> Remembered:
        """Tell a new root what the old one had written, and which updates are committed (REC-3)."""
        entries = [e for clock, e in sorted(memory.log.items()) if self._root(clock) == root]
        signals = [
            Committed(update.clock, update.branch, record.token)
            for update, record in sorted_items(memory.records)
            if record.token and self._root(update.clock) == root
        ]
        persisted = memory.persisted.get(root, 0)
        answered = [a for _, a in sorted(memory.answered.items()) if self._root(a.clock) == root]
        return Remembered(session, persisted, tuple(entries), tuple(signals), tuple(answered))

    def _root(self, clock: int) -> Address:
        return self.roots[root_of(clock)]

    # ------------------------------------------------------------------ failures

    def _fence(
        self, state: StoreState, source: Address, fence: Fence
    ) -> tuple[StoreState, list[Send]]:
        """Void what the dead instance has under way, and keep what it has done (REC-1, REC-5).

        Its write-ahead log is gone, so all that it did must be in a checkpoint; and nothing
        of it may come later, for no log would have that either.
        """
        fences = state.fences.insert(fence.address, fence.start)
        state = evolve(state, fences=fences)
        if self.rules.checkpoints_at_fence(fence.start):
            state = self._checkpoint(state)
        return state, [Send(source, Fenced(fence.address, fence.start))]

    def _checkpoint(self, state: StoreState) -> StoreState:
        return evolve(state, checkpoint=state.memory) if self.stamps else state

    def _trims(self, state: StoreState) -> list[Send]:
        """Tell each user how much of its write-ahead log is in the checkpoint now."""
        return [
            Send(host, Checkpointed(last, start))
            for host, (start, last) in sorted_items(state.checkpoint.applied)
        ]

    def _start(self, state: StoreState, start: Start) -> tuple[StoreState, list[Send]]:
        """Begin as the failover: ask everybody who has used this store (REC-4, REC-5)."""
        asked = frozenset(start.ask)
        state = StoreState(
            checkpoint=state.checkpoint, fences=state.fences, session=start.session, asked=asked
        )
        recalls = [Send(user, Recall(start.session)) for user in start.ask]
        if asked:
            return state, recalls
        state, sends = self._recovered(state)
        return state, sends

    def _recover(
        self, state: StoreState, source: Address, message: Any
    ) -> tuple[StoreState, list[Send]]:
        """Gather recollections; a user that dies meanwhile is not waited for."""
        match message:
            case Recollection(session) if session == state.session:
                recalled = state.recalled.insert(source, message)
                state = evolve(state, asked=state.asked - {source}, recalled=recalled)
            case Recollection():
                return state, []
            case Ask(user):
                return evolve(state, asked=state.asked | {user}), [
                    Send(user, Recall(state.session))
                ]
            case _:
                state = evolve(state, aside=(*state.aside, Received(source, message)))
                if isinstance(message, Fence):
                    state = evolve(state, asked=state.asked - {message.address})
        return (state, []) if state.asked else self._recovered(state)

    def _recovered(self, state: StoreState) -> tuple[StoreState, list[Send]]:
        """Go on from checkpoint and recollections; say once more what was committed (DEL-2)."""
        aside, recalled = state.aside, state.recalled
        memory = restore(state.checkpoint, state.recalled, self.objects, state.drawn, self.rules)
        checkpoint = memory if self.stamps else state.checkpoint
        state = evolve(state, memory=memory, checkpoint=checkpoint, recalled=Map(), aside=())
        sends = [
            self._committed(update.clock, update.branch, record.token)
            for update, record in sorted_items(memory.records)
            if record.token
        ]
        trims = self._trims(state)
        sends.append(Send("manager", Ready(state.session)))
        for source, recollection in sorted_items(recalled):
            state, more = self._again(state, source, recollection)
            sends += more
        for received in aside:
            state, more = self._handle(state, received.source, received.message)
            sends += more
        # Behind the answers: were these lost with us, only the log would say what to ask again.
        return state, sends + trims

    def _again(
        self, state: StoreState, source: Address, recollection: Recollection
    ) -> tuple[StoreState, list[Send]]:
        """Take what a user had asked or written in vain."""
        sends: list[Send] = []
        for message in recollection.again:
            state, more = self._handle(state, source, message)
            sends += more
        return state, sends
