"""NF instance: runs a vertex' code on one packet at a time, against cache and store.

Owns the flows that the store has given it, the packets that wait for a flow (MOVE-3), and the
packet in work. It never waits for a non-blocking update (STORE-5). NF code is run again from
its start whenever a result arrives; so what an instance holds between two events is plain data
(``work.py``). Paper: sections 4.3, 5.1 to 5.4.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.access import Suspended
from chc_ref.core.messages import (
    Again,
    Cache,
    CacheKnown,
    Callback,
    Checkpointed,
    Deleted,
    Drain,
    Drained,
    Granted,
    HandedOver,
    Holds,
    LastMark,
    Leaving,
    Packet,
    Passed,
    Recall,
    Recollection,
    Recovered,
    Release,
    ReplayEnd,
    Result,
    Send,
    Speak,
)
from chc_ref.core.processing import Processing
from chc_ref.core.queue import Item
from chc_ref.core.values import Address, evolve, identity_of, sorted_items
from chc_ref.core.work import (
    Announce,
    Effect,
    Handover,
    InstanceState,
    Loaded,
    Mode,
    Tenanted,
    Wait,
    Work,
)

Answer = (
    Granted | Result | Deleted | Callback | Checkpointed | Cache | Drain | Recall | Again | Speak
)
"""What an instance is told by store, root and manager."""


@attrs.frozen
class Instance(Processing):
    """NF instance machine. ``take`` feeds it queue items, ``on_message`` answers."""

    # ------------------------------------------------------------------ events

    def take(self, state: InstanceState, items: list[Item]) -> tuple[InstanceState, list[Effect]]:
        """Take items from the queue and work as far as possible."""
        return self._settle(*self._pump(evolve(state, fifo=(*state.fifo, *items)), []))

    def on_message(
        self, state: InstanceState, message: Answer
    ) -> tuple[InstanceState, list[Effect]]:
        """Take an answer. One that nobody waits for was meant for a dead predecessor."""
        client = state.client
        effects: list[Effect] = []
        match message:
            case Granted():
                state, effects = self._granted(state, message)
            case Result():
                state, effects = self._result(state, message)
            case Deleted():
                state, effects = self._deleted(state, message)
            case Callback():
                state = evolve(state, client=self.client.on_callback(client, message))
            case Checkpointed():
                state = evolve(state, client=self.client.on_checkpointed(client, message))
            case Cache():
                state = evolve(state, client=self.client.on_cache(client, message))
                effects = [Send("manager", CacheKnown(message))]
            case Recall(session):
                state, effects = self._recall(state, session)
            case Drain(number):
                effects = [Send(self.client.store, Drained(self.address, number))]
            case Speak():
                state = evolve(state, mute=False)
            case Again():
                held = [effect for _, effect in client.outbox]
                sends = [Send(self._root(delete), delete) for delete in state.deletes]
                effects = [send for send in sends if send not in held]
        return self._settle(*self._pump(state, effects))

    def _settle(
        self, state: InstanceState, effects: list[Effect]
    ) -> tuple[InstanceState, list[Effect]]:
        """Hold back what was computed from accesses that the store has not confirmed."""
        client, out = self.client.let_out(state.client, effects, self._is_bound)
        return evolve(state, client=client), out

    def _is_bound(self, effect: Effect) -> bool:
        """Tell what others may go on from: all but requests and what the manager is told."""
        if not isinstance(effect, Send):
            return True
        private = (self.client.store, "manager")
        return effect.to not in private or isinstance(effect.message, CacheKnown)

    # ------------------------------------------------------------------ taking items

    def _pump(
        self, state: InstanceState, effects: list[Effect]
    ) -> tuple[InstanceState, list[Effect]]:
        while state.work is None:
            if state.unsent and not self.rules.stays_mute(state.mute):
                work, outcome = state.unsent[0]
                state = evolve(state, unsent=state.unsent[1:])
                state, more = self._deliver(state, work, outcome)
            elif state.unsaid and not self._says_nothing(state):
                more = [Announce(mark) for mark in state.unsaid]
                state = evolve(state, unsaid=())
            elif state.ready:
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
        mode = Mode.EMULATED if self.rules.emulates(item) else Mode.REPLAYED
        work = Work(item, mode, wait=Wait.PEEK)
        return evolve(state, work=work), [*effects, self._ask(state, item, peek=True)]

    def _item(
        self, state: InstanceState, source: Address, item: Any
    ) -> tuple[InstanceState, list[Effect]]:
        match item:
            case Packet(clock) if self.rules.is_over(clock in state.past):
                return self._over(state, item)
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
            case Leaving(number):
                return self._leaving(state, source, number)
            case Handover():
                return self._hand_over(state, item)
        raise KeyError(f"{self.address}: unexpected {item!r}")

    def _over(self, state: InstanceState, packet: Packet) -> tuple[InstanceState, list[Effect]]:
        """Drop a packet that is over; a cache may lack what it did elsewhere (DUP-2)."""
        state, effects = self.on_flush(state)
        return evolve(state, owned=state.owned.discard(packet.flow)), list(effects)

    def _packet(self, state: InstanceState, packet: Packet) -> tuple[InstanceState, list[Effect]]:
        slot = (packet.flow, packet.epoch)
        waiting = state.blocked.get(slot)
        if waiting is not None:  # MOVE-5: order within the flow, whatever is to be done first
            waiting = self.rules.buffered(waiting, packet)
            return evolve(state, blocked=state.blocked.insert(slot, waiting)), []
        owned = state.owned.get(packet.flow)
        mine = owned is not None and self.rules.still_owns(owned.epoch, packet.epoch)
        if packet.target is None and owned is not None and mine:
            return self._run(state, Work(packet, Mode.OWN, owned.values))
        state, effects = self.on_flush(state)  # the store must know all before it is asked
        state = evolve(
            state,
            blocked=state.blocked.insert(slot, (packet,)),
            owned=state.owned.discard(packet.flow) if packet.target else state.owned,
        )
        return state, [*effects, self._ask(state, packet)]

    # ------------------------------------------------------------------ answers

    def _granted(self, state: InstanceState, answer: Granted) -> tuple[InstanceState, list[Effect]]:
        asked = (answer.flow, answer.epoch, answer.clock, answer.branch)
        work = state.work
        if answer.peek:
            if work is None or work.wait is not Wait.PEEK or self._key(work.packet) != asked:
                return state, []
            if answer.over:
                return self._done(state, work)
            return self._run(state, evolve(work, values=answer.values, wait=None))
        slot = (answer.flow, answer.epoch)
        waiting = state.blocked.get(slot)
        if not waiting or self._key(waiting[0]) != asked:
            return state, []
        if answer.over:
            return self._next(state, slot, waiting[1:])
        replayed = waiting[0].target is not None
        if self.rules.keeps_cache(replayed, answer.owned, answer.latest):
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
        if not isinstance(item, Packet):
            return None
        return item.flow, item.epoch, item.clock, item.branch

    def _result(self, state: InstanceState, answer: Result) -> tuple[InstanceState, list[Effect]]:
        state = evolve(state, client=self.client.on_result(state.client, answer))
        work = state.work
        if work is None or work.wait is not Wait.RESULT:
            return state, []
        step = self._execute(work)
        if not isinstance(step, Suspended) or step.accesses[-1].id != answer.id:
            return state, []
        if not answer.known:  # the packet is over, or its update is still to be made elsewhere
            return self._abandon(state, work)
        work = evolve(work, results=(*work.results, answer.value), wait=None)
        return self._run(state, work)

    def _abandon(self, state: InstanceState, work: Work) -> tuple[InstanceState, list[Effect]]:
        effects: list[Effect] = []
        if work.mode is Mode.OWN:
            state, effects = self._over(state, work.packet)
        state, more = self._done(state, work)
        return state, effects + more

    def _deleted(self, state: InstanceState, answer: Deleted) -> tuple[InstanceState, list[Effect]]:
        if answer.start != state.client.start:
            return state, []
        asked = (answer.clock, answer.branch)
        deletes = tuple(d for d in state.deletes if (d.clock, d.branch) != asked)
        state, work = evolve(state, deletes=deletes), state.work
        if work is None or work.wait is not Wait.DELETE:
            return state, []
        if (work.packet.clock, work.packet.branch) != asked:
            return state, []
        leaves = self.rules.leaves(answer.first)
        effects = self._leave(work.packet, work.leaving) if leaves else []
        state, more = self._done(state, work)
        return state, effects + more

    # ------------------------------------------------------------------ marks

    def _last_mark(
        self, state: InstanceState, source: Address, mark: LastMark
    ) -> tuple[InstanceState, list[Effect]]:
        """Count the splitters; when all have moved the flow away, hand it over (MOVE-2)."""
        if mark.epoch in state.released.get(mark.flow, ()):
            return state, []
        key = (mark.flow, mark.epoch)
        lasts = state.lasts.get(key, frozenset()) | {identity_of(source)}
        if not self.rules.all_marked(lasts, self.upstream):
            return evolve(state, lasts=state.lasts.insert(key, lasts)), []
        state = evolve(state, lasts=state.lasts.discard(key))
        handover = Handover(mark.flow, mark.epoch)
        slot = (mark.flow, mark.epoch - 1)
        waiting = state.blocked.get(slot)
        if waiting is None or not self.rules.finishes_first(len(waiting)):
            return self._hand_over(state, handover)
        return evolve(state, blocked=state.blocked.insert(slot, (*waiting, handover))), []

    def _leaving(
        self, state: InstanceState, source: Address, number: int
    ) -> tuple[InstanceState, list[Effect]]:
        """Count the splitters; when none sends by default, the store knows what we have."""
        sources = state.leaving.get(number, frozenset()) | {identity_of(source)}
        state = evolve(state, leaving=state.leaving.insert(number, sources))
        return state, [Send(self.client.store, holds) for holds in self._holds(state, number)]

    def _holds(self, state: InstanceState, number: int) -> list[Holds]:
        if any(one not in state.leaving[number] for one in self.upstream):
            return []
        return [Holds(identity_of(self.address), number, state.client.start)]

    def _hand_over(
        self, state: InstanceState, handover: Handover
    ) -> tuple[InstanceState, list[Effect]]:
        """Flush, give the flow up, and tell downstream that all of it has passed (MOVE-6)."""
        effects: list[Effect] = []
        if self.rules.flushes_before_release(len(state.client.unflushed)):
            state, effects = self.on_flush(state)
        state = evolve(
            state,
            owned=state.owned.discard(handover.flow),
            released=state.released.insert(
                handover.flow, (*state.released.get(handover.flow, ()), handover.epoch)
            ),
        )
        release = Release(handover.flow, handover.epoch, state.client.start)
        effects.append(Send(self.client.store, release))
        effects.append(Send("manager", HandedOver(handover.flow, handover.epoch)))
        if self.rules.announces(handover.epoch):
            mark = Passed(handover.flow, handover.epoch)
            if self._says_nothing(state):
                return evolve(state, unsaid=(*state.unsaid, mark)), effects
            effects.append(Announce(mark))
        return state, effects

    def _says_nothing(self, state: InstanceState) -> bool:
        return self.rules.mark_is_mute(state.mute, len(state.unsent))

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

    # ------------------------------------------------------------------ a store's failover

    def _recall(self, state: InstanceState, session: int) -> tuple[InstanceState, list[Effect]]:
        """Tell a store's failover what we remember, and ask again for what we wait for (REC-5)."""
        client = self.client.on_recall(state.client)
        state = evolve(state, client=client)
        owned = [(flow, t.epoch, t.values) for flow, t in sorted_items(state.owned)]
        owned += [(p.flow, p.epoch, ()) for p in self._replayed(state)]
        again: list[Any] = [
            Release(flow, epoch, client.start)
            for flow, epochs in sorted_items(state.released)
            for epoch in epochs
        ]
        again += [i.access for i in client.issued if i.access.id in client.unconfirmed]
        again += [send.message for send in self._open(state)]
        again += [
            h for number, _ in sorted_items(state.leaving) for h in self._holds(state, number)
        ]
        reads = tuple(sorted_items(client.reads))
        recollection = Recollection(session, tuple(owned), client.issued, reads, tuple(again))
        return state, [Send(self.client.store, recollection)]

    def _replayed(self, state: InstanceState) -> list[Packet]:
        """Give the packets in work on a state that we own but keep no cache of."""
        loaded = [item.packet for item in state.ready if isinstance(item, Loaded) and item.owned]
        work = state.work
        return loaded + ([work.packet] if work is not None and work.mode is Mode.REPLAYED else [])

    def _open(self, state: InstanceState) -> list[Send]:
        """Ask again for whatever has not been answered."""
        work = state.work
        busy = {(i.packet.flow, i.packet.epoch) for i in state.ready if isinstance(i, Loaded)}
        if work is not None and work.packet.target in (None, self.address):
            busy.add((work.packet.flow, work.packet.epoch))
        sends = [
            self._ask(state, waiting[0])
            for slot, waiting in sorted_items(state.blocked)
            if slot not in busy
        ]
        if work is not None and work.wait is Wait.PEEK:
            sends.append(self._ask(state, work.packet, peek=True))
        if work is not None and work.wait is Wait.RESULT:
            access = evolve(self._execute(work).accesses[-1], emulate=work.mode is Mode.EMULATED)
            sends.append(self.client.request(state.client, access))
        return sends
