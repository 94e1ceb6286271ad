"""NF instance: runs a vertex' code on one packet at a time, against cache and store.

Owns the flows that the store has given it, their cached objects (CACHE-2), the packets that
wait for a flow (MOVE-3), and the packet in work. It never waits for a non-blocking update
(STORE-5). NF code is run again from its start whenever a result arrives; so what an instance
holds between two events is plain data. Paper: sections 4.3, 5.1 to 5.4.

The modes of work: OWN, a packet of an owned flow, on the cache; REPLAYED, a packet replayed
to this instance, on the state that belongs to its clock, leaving no cache, since packets
between two logged ones may be deleted already; EMULATED, a packet whose updates are all in
the store, because it is on its way to another instance (DUP-3) or its flow has moved on.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs

from chc_ref.core.access import Finished, Suspended, run
from chc_ref.core.messages import (
    Acquire,
    Alert,
    Apply,
    Delete,
    Deleted,
    Granted,
    HandedOver,
    LastMark,
    Output,
    Packet,
    Passed,
    Recovered,
    Release,
    ReplayEnd,
    Result,
    Send,
)
from chc_ref.core.operations import NetworkFunction, Outcome
from chc_ref.core.queue import Item
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Flow, Map, evolve, sorted_items

Values = tuple[tuple[str, Any], ...]
Slot = tuple[Flow, int]
"""A flow's tenure at this instance: (flow, epoch)."""


class Mode(enum.Enum):
    """On whose state a packet is processed; see the header."""

    OWN = "own"
    REPLAYED = "replayed"
    EMULATED = "emulated"


class Wait(enum.Enum):
    """What the packet in work waits for."""

    PEEK = "peek"
    RESULT = "result"
    DELETE = "delete"


@attrs.frozen(cache_hash=True)
class Work:
    """The packet in work and how far it has come."""

    packet: Packet
    mode: Mode
    values: Values = ()
    results: tuple[Any, ...] = ()
    sent: int = 0
    """Accesses of shared objects sent so far; a rerun does not send them again."""
    wait: Wait | None = None
    leaving: Outcome = Outcome()
    """What leaves once the root has the delete (REC-2)."""


@attrs.frozen(cache_hash=True)
class Loaded:
    """A packet whose own state has come from the store."""

    packet: Packet
    values: Values
    owned: bool


@attrs.frozen(cache_hash=True)
class Handover:
    """Every splitter has sent the last mark: the tenure before ``epoch`` is over."""

    flow: Flow
    epoch: int


@attrs.frozen(cache_hash=True)
class Tenanted:
    """An owned flow with its cached objects."""

    epoch: int
    values: Values


@attrs.frozen(cache_hash=True)
class Emit:
    """Effect for the splitter behind this instance: send these headers on."""

    packet: Packet
    headers: tuple[Any, ...]


@attrs.frozen(cache_hash=True)
class Announce:
    """Effect for the splitter: pass this mark on."""

    mark: Passed | ReplayEnd
    again: tuple[Passed, ...] = ()
    """Marks of ours that the target of a replay may have lost."""


Effect = Send | Emit | Announce


@attrs.frozen(cache_hash=True)
class InstanceState:
    """What one NF instance holds; all of it dies with the instance."""

    start: int = 0
    """Number of this start; 0 for an instance that is nobody's failover."""
    ready: tuple[Any, ...] = ()
    """Packets whose flow has just become available, before everything in ``fifo``."""
    lane: tuple[Item, ...] = ()
    """What passes through to another instance's replay. In order, but free to fall behind:
    a replayed packet waits for the packet itself if that is still buffered here (DUP-3)."""
    fifo: tuple[Item, ...] = ()
    work: Work | None = None
    owned: Map[Flow, Tenanted] = Map()
    blocked: Map[Slot, tuple[Any, ...]] = Map()
    """Buffered packets of flows whose state is not here (MOVE-3); a key blocks its flow."""
    lasts: Map[Slot, frozenset[Address]] = Map()
    """Splitters that have sent the last mark of an epoch."""
    released: Map[Flow, tuple[int, ...]] = Map()
    """Epochs that every flow was handed over for. Not just the newest: after a crash the
    mark of a later epoch may be complete again before that of an earlier one."""
    unflushed: tuple[Apply, ...] = ()


@attrs.frozen
class Instance:
    """NF instance machine. ``take`` feeds it queue items, ``on_message`` answers."""

    address: Address
    nf: NetworkFunction
    upstream: tuple[Address, ...]
    last: bool
    """Nothing is downstream but the sink (ROOT-3)."""
    tokens: Map[str, int]
    """First token bit of each object (DEL-1)."""
    eager_flush: bool = True
    """Flush after each packet; otherwise on the flush timer only (CACHE-2)."""
    vertex: str = ""
    rules: Rules = AMENDED

    # ------------------------------------------------------------------ events

    def take(self, state: InstanceState, items: list[Item]) -> tuple[InstanceState, list[Effect]]:
        """Take items from the queue and work as far as possible."""
        return self._pump(evolve(state, fifo=(*state.fifo, *items)), [])

    def on_message(
        self, state: InstanceState, message: Granted | Result | Deleted
    ) -> tuple[InstanceState, list[Effect]]:
        """Take an answer. One that nobody waits for was meant for a dead predecessor."""
        match message:
            case Granted():
                state, effects = self._granted(state, message)
            case Result():
                state, effects = self._result(state, message)
            case Deleted():
                state, effects = self._deleted(state, message)
        return self._pump(state, effects)

    def on_flush(self, state: InstanceState) -> tuple[InstanceState, list[Effect]]:
        """Flush the cached operations (CACHE-2): operations are sent, not values."""
        sends: list[Effect] = [Send("store", apply) for apply in state.unflushed]
        return evolve(state, unflushed=()), sends

    # ------------------------------------------------------------------ taking items

    def _pump(
        self, state: InstanceState, effects: list[Effect]
    ) -> tuple[InstanceState, list[Effect]]:
        while state.work is None:
            if state.ready:
                head = state.ready[0]
                state = evolve(state, ready=state.ready[1:])
                state, more = self._item(state, "", head)
            elif state.lane and self._lane_is_free(state):
                source, head = state.lane[0]
                state = evolve(state, lane=state.lane[1:])
                state, more = self._pass_through(state, source, head)
            elif state.fifo:
                source, head = state.fifo[0]
                state = evolve(state, fifo=state.fifo[1:])
                state, more = self._item(state, source, head)
            else:
                break
            effects = effects + more
        return state, effects

    def _lane_is_free(self, state: InstanceState) -> bool:
        item = state.lane[0][1]
        if isinstance(item, ReplayEnd):
            return item.target != self.address or not any(
                isinstance(p, Packet) and p.target == self.address
                for _, waiting in state.blocked.items()
                for p in waiting
            )
        waiting = state.blocked.get((item.flow, item.epoch), ())
        same = (item.clock, item.branch)
        return not any(isinstance(p, Packet) and (p.clock, p.branch) == same for p in waiting)

    def _pass_through(
        self, state: InstanceState, source: Address, item: Packet | ReplayEnd
    ) -> tuple[InstanceState, list[Effect]]:
        """Emulate a packet that is replayed to another instance, or end its replay (DUP-3)."""
        if isinstance(item, ReplayEnd):
            return self._replay_end(state, item)
        state, effects = self.on_flush(state)  # the store must know all before it is asked
        work = Work(item, Mode.EMULATED, wait=Wait.PEEK)
        return evolve(state, work=work), [*effects, self._ask(item, peek=True)]

    def _item(
        self, state: InstanceState, source: Address, item: Any
    ) -> tuple[InstanceState, list[Effect]]:
        match item:
            case Packet(target=target) if target not in (None, self.address):
                return evolve(state, lane=(*state.lane, (source, item))), []
            case ReplayEnd():
                return evolve(state, lane=(*state.lane, (source, item))), []
            case Packet():
                return self._packet(state, item)
            case Loaded(packet, values, owned):
                mode = Mode.REPLAYED if owned else Mode.EMULATED
                return self._run(state, Work(packet, mode, values))
            case LastMark():
                return self._last_mark(state, source, item)
            case Handover():
                return self._hand_over(state, item)
        raise KeyError(f"{self.address}: unexpected {item!r}")

    def _packet(self, state: InstanceState, packet: Packet) -> tuple[InstanceState, list[Effect]]:
        slot = (packet.flow, packet.epoch)
        waiting = state.blocked.get(slot)
        if waiting is not None:  # MOVE-5: order within the flow, whatever is to be done first
            return evolve(state, blocked=state.blocked.insert(slot, (*waiting, packet))), []
        owned = state.owned.get(packet.flow)
        if packet.target is None and owned is not None and owned.epoch == packet.epoch:
            return self._run(state, Work(packet, Mode.OWN, owned.values))
        state, effects = self.on_flush(state)  # the store must know all before it is asked
        state = evolve(
            state,
            blocked=state.blocked.insert(slot, (packet,)),
            owned=state.owned.discard(packet.flow) if packet.target else state.owned,
        )
        return state, [*effects, self._ask(packet)]

    def _ask(self, packet: Packet, peek: bool = False) -> Send:
        return Send("store", Acquire(packet.flow, packet.epoch, packet.clock, peek))

    # ------------------------------------------------------------------ answers

    def _granted(self, state: InstanceState, answer: Granted) -> tuple[InstanceState, list[Effect]]:
        asked = (answer.flow, answer.epoch, answer.clock)
        work = state.work
        if answer.peek:
            if work is None or work.wait is not Wait.PEEK or self._key(work.packet) != asked:
                return state, []
            return self._run(state, evolve(work, values=answer.values, wait=None))
        slot = (answer.flow, answer.epoch)
        waiting = state.blocked.get(slot)
        if not waiting or self._key(waiting[0]) != asked:
            return state, []
        if waiting[0].target is None and answer.owned:
            tenanted = Tenanted(answer.epoch, answer.values)
            return evolve(
                state,
                owned=state.owned.insert(answer.flow, tenanted),
                blocked=state.blocked.discard(slot),
                ready=(*state.ready, *waiting),
            ), []
        loaded = Loaded(waiting[0], answer.values, answer.owned)
        return evolve(
            state,
            blocked=state.blocked.insert(slot, waiting[1:]),
            ready=(*state.ready, loaded),
        ), []

    def _key(self, item: Any) -> Any:
        return (item.flow, item.epoch, item.clock) if isinstance(item, Packet) else None

    def _result(self, state: InstanceState, answer: Result) -> tuple[InstanceState, list[Effect]]:
        work = state.work
        if work is None or work.wait is not Wait.RESULT:
            return state, []
        step = self._execute(work)
        if not isinstance(step, Suspended) or step.accesses[-1].id != answer.id:
            return state, []
        if not answer.known:  # emulation met an update that is still to be made elsewhere
            return self._done(state, work)
        work = evolve(work, results=(*work.results, answer.value), wait=None)
        return self._run(state, work)

    def _deleted(self, state: InstanceState, answer: Deleted) -> tuple[InstanceState, list[Effect]]:
        work = state.work
        if work is None or work.wait is not Wait.DELETE:
            return state, []
        asked = (work.packet.clock, work.packet.branch, state.start)
        if asked != (answer.clock, answer.branch, answer.start):
            return state, []
        leaves = self.rules.leaves(answer.first)
        effects = self._leave(work.packet, work.leaving) if leaves else []
        state, more = self._done(state, work)
        return state, effects + more

    # ------------------------------------------------------------------ processing

    def _execute(self, work: Work) -> Suspended | Finished:
        add_token = self.rules.add_token
        return run(
            self.nf, self.vertex, work.packet, work.values, work.results, self.tokens, add_token
        )

    def _run(self, state: InstanceState, work: Work) -> tuple[InstanceState, list[Effect]]:
        step = self._execute(work)
        emulate = work.mode is Mode.EMULATED
        effects: list[Effect] = [
            Send("store", evolve(access, emulate=emulate))
            for access in step.accesses[work.sent :]
            if access.blocking or not emulate
        ]
        work = evolve(work, sent=len(step.accesses))
        if isinstance(step, Suspended):
            return evolve(state, work=evolve(work, wait=Wait.RESULT)), effects
        state, more = self._finish(state, work, step)
        return state, effects + more

    def _finish(
        self, state: InstanceState, work: Work, step: Finished
    ) -> tuple[InstanceState, list[Effect]]:
        packet = evolve(work.packet, vector=step.vector)
        effects: list[Effect] = []
        if work.mode is not Mode.EMULATED:
            if work.mode is Mode.OWN:
                tenanted = Tenanted(packet.epoch, step.values)
                state = evolve(state, owned=state.owned.insert(packet.flow, tenanted))
            state = evolve(state, unflushed=(*state.unflushed, *step.writes))
            if self.eager_flush or work.mode is Mode.REPLAYED:
                state, effects = self.on_flush(state)
        if packet.target not in (None, self.address):
            if step.outcome.outputs and not self.last:
                effects.append(Emit(evolve(packet, after=packet.epoch), step.outcome.outputs))
            state, more = self._done(state, work)
            return state, effects + more
        packet = evolve(packet, target=None, session=0)  # DUP-3: cleared where it was for
        return self._send_on(state, evolve(work, packet=packet), step.outcome, effects)

    def _send_on(
        self, state: InstanceState, work: Work, outcome: Outcome, effects: list[Effect]
    ) -> tuple[InstanceState, list[Effect]]:
        """Let the outcome of a packet leave: downstream, or by way of its delete (REC-2)."""
        packet = work.packet
        if outcome.outputs and not self.last:
            effects.append(Emit(evolve(packet, after=packet.epoch), outcome.outputs))
            effects += self._alerts(packet, outcome)
        else:
            vectors = (*packet.earlier, (packet.branch, packet.vector))
            delete = Delete(packet.clock, packet.branch, packet.share, vectors, state.start)
            effects.append(Send("root", delete))
            if outcome.outputs or outcome.alerts:
                work = evolve(work, wait=Wait.DELETE, leaving=outcome)
                return evolve(state, work=work), effects
        state, more = self._done(state, work)
        return state, effects + more

    def _leave(self, packet: Packet, outcome: Outcome) -> list[Effect]:
        effects: list[Effect] = []
        for index, headers in enumerate(outcome.outputs):
            branch = packet.branch if len(outcome.outputs) == 1 else (*packet.branch, index)
            output = Output(packet.clock, branch, packet.flow, headers, packet.epoch)
            effects.append(Send("sink", output))
        return effects + self._alerts(packet, outcome)

    def _alerts(self, packet: Packet, outcome: Outcome) -> list[Effect]:
        return [Send("sink", Alert(self.vertex, packet.clock, alert)) for alert in outcome.alerts]

    def _done(self, state: InstanceState, work: Work) -> tuple[InstanceState, list[Effect]]:
        """End the work, and ask for the state of the next packet that waited behind it."""
        state = evolve(state, work=None)
        slot = (work.packet.flow, work.packet.epoch)
        waiting = state.blocked.get(slot)
        passing = work.packet.target not in (None, self.address)
        if work.mode is Mode.OWN or passing or waiting is None:
            return state, []
        while waiting and not isinstance(waiting[0], Packet):
            state = evolve(state, ready=(*state.ready, waiting[0]))
            waiting = waiting[1:]
        if not waiting:
            return evolve(state, blocked=state.blocked.discard(slot)), []
        state = evolve(state, blocked=state.blocked.insert(slot, waiting))
        return state, [self._ask(waiting[0])]

    # ------------------------------------------------------------------ marks

    def _last_mark(
        self, state: InstanceState, source: Address, mark: LastMark
    ) -> tuple[InstanceState, list[Effect]]:
        """Count the splitters; when all have moved the flow away, hand it over (MOVE-2)."""
        if mark.epoch in state.released.get(mark.flow, ()):
            return state, []
        key = (mark.flow, mark.epoch)
        lasts = state.lasts.get(key, frozenset()) | {source}
        if any(one not in lasts for one in self.upstream):
            return evolve(state, lasts=state.lasts.insert(key, lasts)), []
        state = evolve(state, lasts=state.lasts.discard(key))
        handover = Handover(mark.flow, mark.epoch)
        slot = (mark.flow, mark.epoch - 1)
        waiting = state.blocked.get(slot)
        if waiting is None:
            return self._hand_over(state, handover)
        return evolve(state, blocked=state.blocked.insert(slot, (*waiting, handover))), []

    def _hand_over(
        self, state: InstanceState, handover: Handover
    ) -> tuple[InstanceState, list[Effect]]:
        """Flush, give the flow up, and tell downstream that all of it has passed (MOVE-6)."""
        effects: list[Effect] = []
        if self.rules.flushes_before_release(len(state.unflushed)):
            state, effects = self.on_flush(state)
        state = evolve(
            state,
            owned=state.owned.discard(handover.flow),
            released=state.released.insert(
                handover.flow, (*state.released.get(handover.flow, ()), handover.epoch)
            ),
        )
        effects.append(Send("store", Release(handover.flow, handover.epoch)))
        effects.append(Send("manager", HandedOver(handover.flow, handover.epoch)))
        effects.append(Announce(Passed(handover.flow, handover.epoch)))
        return state, effects

    def _replay_end(
        self, state: InstanceState, mark: ReplayEnd
    ) -> tuple[InstanceState, list[Effect]]:
        """Pass the end of a replay on; the queue has waited for every splitter's."""
        if mark.target == self.address:
            return state, [Send("manager", Recovered(mark.session)), Announce(mark)]
        again = tuple(
            Passed(flow, epoch) for flow, epochs in sorted_items(state.released) for epoch in epochs
        )
        return state, [Announce(mark, again)]
