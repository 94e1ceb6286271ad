"""Root: the entry of the chain. It gives clocks, logs, deletes and replays.

Owns the clock and the log of every packet that some instance may still process (ROOT-3).
The log is kept here alone, or in a store as well (ROOT-2): a packet is then forwarded, and a
delete answered, once the store has it, so a root and an NF may fail together (REC-7). In the first
model every n-th clock is written to the store before its packet is forwarded (ROOT-5): were it
forwarded first, a crash in between would let the next root give the same clock again.
Paper: sections 5, 5.3 and 5.4.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from chc_ref.core.messages import (
    Answered,
    Arrive,
    ClockPersisted,
    Committed,
    Delete,
    Deleted,
    Forget,
    LogEntry,
    Packet,
    PersistClock,
    Remembered,
    Replay,
    ReplayEnd,
    Send,
    WriteLog,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Map, clock_of, count_of, evolve
from chc_ref.errors import UsageError

Effects = list[Packet | Send]
"""Packets for the splitter, and messages, in the order in which they go out."""


@attrs.frozen(cache_hash=True)
class RootState:
    """The root's clock and log."""

    count: int = 0
    """Packets given a clock so far (ROOT-1)."""
    persisted: int = 0
    """Newest count that the store is known to hold; count <= persisted + n - 1."""
    log: Map[int, LogEntry] = Map()
    waiting: tuple[Arrive, ...] = ()
    """Input without a clock. The framework keeps it, so it outlives the root (REC-3)."""
    dropped: Map[int, int] = Map()
    """Input dropped at the threshold (ROOT-4): what log and input held then, numbered. History,
    but for their number."""
    lost: int = 0
    """Counts up to this one were logged by a root that took its log with it."""
    written: int = 0
    """Number of the newest write to the store's log."""
    unwritten: tuple[tuple[int, Packet | Send | int], ...] = ()
    """(number, what goes out once the store has that write, or the clock to drop then)."""
    answered: Map[Address, Answered] = Map()
    """Newest delete of each host on which its output may leave (REC-2)."""
    entered: Map[int, tuple[int, Arrive]] = Map()
    """History, for the requirements alone: (clock, packet) of all that was let in, numbered."""

    def outlived(self) -> RootState:
        """Give what a failed root leaves to its failover: the framework's part, and history."""
        return RootState(waiting=self.waiting, dropped=self.dropped, entered=self.entered)


@attrs.frozen
class Root:
    """Root machine; the packets it lets in are forwarded by the splitter behind it."""

    identifier: int = 0
    persist_every: int = 0
    """Write the clock to the store every so many packets; 0 never."""
    capacity: int = 0
    """Logged packets above which input is dropped; 0 for no limit (ROOT-4)."""
    store: Address = "store"
    log_in_store: bool = False
    rules: Rules = AMENDED

    # ------------------------------------------------------------------ packets in and out

    def on_arrival(self, state: RootState, arrival: Arrive) -> tuple[RootState, Effects]:
        """Take an input packet, or drop it at the threshold, before it has a clock (ROOT-4)."""
        if self.is_full(state):
            return self.dropped(state), []
        return self._admit(evolve(state, waiting=(*state.waiting, arrival)), asked=False)

    def dropped(self, state: RootState) -> RootState:
        """Drop an input packet, and count it (ROOT-4)."""
        held = len(state.log) + len(state.waiting)
        return evolve(state, dropped=state.dropped.insert(len(state.dropped), held))

    def is_full(self, state: RootState) -> bool:
        """Tell whether log and input have reached the threshold (ROOT-4)."""
        return self.rules.drops_input(len(state.log), len(state.waiting), self.capacity)

    def on_persisted(self, state: RootState, message: ClockPersisted) -> tuple[RootState, Effects]:
        """Go on with the input that waited for this clock."""
        if message.count <= state.persisted:
            return state, []
        return self._admit(evolve(state, persisted=message.count), asked=True)

    def on_logged(self, state: RootState, number: int) -> tuple[RootState, Effects]:
        """Let go what waited for the store to have the log."""
        ready = [item for at, item in state.unwritten if at <= number]
        left = tuple((at, item) for at, item in state.unwritten if at > number)
        state = evolve(state, unwritten=left)
        effects: Effects = []
        for item in ready:
            if isinstance(item, int):
                state = evolve(state, log=state.log.discard(item))
                continue
            if isinstance(item, Packet):
                state = self._entered(state, item)
            effects.append(item)
        return state, effects

    def _entered(self, state: RootState, packet: Packet) -> RootState:
        """Note that a packet is in the chain: not before the log has it."""
        item = (packet.clock, Arrive(packet.flow, packet.headers))
        return evolve(state, entered=state.entered.insert(len(state.entered), item))

    def on_delete(
        self, state: RootState, source: Address, delete: Delete
    ) -> tuple[RootState, Effects]:
        """Count a branch as ended, and say so to the sender of ``delete`` (REC-2).

        A clock that is no longer logged has had all its deletes; but one that was logged by a
        root which took its log with it is taken to have had none.
        """
        entry = state.log.get(delete.clock)
        answered = Answered(source, delete.clock, delete.branch, delete.start)
        if state.answered.get(source) == answered:
            first = True
        elif entry is None:
            first = count_of(delete.clock) <= state.lost
        else:
            first = self.rules.is_first_delete(delete.branch, entry.ended)
        answer = Send(source, Deleted(delete.clock, delete.branch, first, delete.start))
        if first and delete.waits and self.log_in_store:
            state = evolve(state, answered=state.answered.insert(source, answered))
        if entry is None or delete.branch in entry.ended:
            return self._behind(state, answer) if state.unwritten else (state, [answer])
        entry = evolve(
            entry,
            share=entry.share + delete.share,
            vectors=entry.vectors.update(dict(delete.vectors)),
            ended=entry.ended | {delete.branch},
        )
        return self._keep(state, entry, answer)

    def on_committed(self, state: RootState, signal: Committed) -> tuple[RootState, Effects]:
        """Note that the store has committed an update (DEL-2)."""
        entry = state.log.get(signal.clock)
        if entry is None or (self.log_in_store and self._is_done(entry)):
            return state, []
        entry = self._signalled(entry, signal)
        return self._keep(state, entry)

    def replay(self, state: RootState, request: Replay) -> tuple[list[Packet], ReplayEnd]:
        """Give every logged packet in clock order, marked with its target (DUP-3).

        One that the store does not have yet is not in it: it will be forwarded behind the end.
        """
        ahead = {item.clock for _, item in state.unwritten if isinstance(item, Packet)}
        packets = [
            evolve(entry.packet, target=request.target, session=request.session)
            for entry in sorted(self._entries(state), key=self._replay_place)
            if entry.packet.clock not in ahead and self.rules.is_replayed(entry, request.target)
        ]
        count = state.count - len(ahead)
        newest = (clock_of(self.identifier, count),) if count else ()
        return packets, ReplayEnd(request.target, request.session, newest)

    def past(self, state: RootState) -> Forget | None:
        """Tell which packets are over: all older ones than the oldest that is logged (DUP-2).

        Of those that a failed root took with it nobody knows, so they are never in it.
        """
        oldest = min((count_of(clock) for clock, _ in state.log.items()), default=state.count + 1)
        first, last = state.lost + 1, self.rules.newest_past(oldest, state.count)
        if last < first:
            return None
        return Forget(clock_of(self.identifier, first), clock_of(self.identifier, last))

    # ------------------------------------------------------------------ failures

    def recovered(
        self, state: RootState, answers: Iterable[Remembered]
    ) -> tuple[RootState, Effects]:
        """Take over from a root that failed, with what the stores remember (REC-3, ROOT-5).

        Every logged packet is forwarded once more, as it may have been lost with the root;
        queues let in what is new to them (DUP-1).

        Raises:
            UsageError: this root persists no clock, so none can be recovered.

        """
        if not self.log_in_store and self.persist_every < 1:
            raise UsageError("a root that persists no clock (persist_every = 0) cannot recover")
        answers = tuple(answers)
        every = 1 if self.log_in_store else self.persist_every
        persisted = max(answer.persisted for answer in answers)
        count = self.rules.next_count(persisted, every) - 1
        lost = 0 if self.log_in_store else count
        last = {one.host: one for answer in answers for one in answer.answered}
        state = evolve(state.outlived(), count=count, persisted=persisted, lost=lost)
        state = evolve(state, answered=Map(last))
        entries = {e.packet.clock: e for answer in answers for e in answer.entries}
        for signal in (signal for answer in answers for signal in answer.signals):
            if signal.clock in entries:
                entries[signal.clock] = self._signalled(entries[signal.clock], signal)
        effects: Effects = []
        newest = max((clock for _, (clock, _) in state.entered.items()), default=0)
        for clock, entry in sorted(entries.items()):
            if clock > newest:
                state = self._entered(state, entry.packet)
            state, drop = self._keep(state, entry)
            effects += [*drop, entry.packet] if self.rules.forwards_again(entry) else drop
        state, admitted = self._admit(state, asked=True)
        return state, effects + admitted

    def recall(self, state: RootState) -> list[Send]:
        """Tell the failover of the store what the store was told (REC-5)."""
        sends = []
        if self.log_in_store:
            dropped = {item for _, item in state.unwritten if isinstance(item, int)}
            sends = [
                self._write(0, entry.packet.clock, entry)
                for entry in self._entries(state)
                if entry.packet.clock not in dropped
            ]
            sends += [self._write(0, 0, None, one) for _, one in sorted(state.answered.items())]
        if state.unwritten:
            sends.append(self._write(state.unwritten[-1][0], 0, None))
        if self.persist_every or self.log_in_store:
            counts = {state.count if self.log_in_store else state.persisted}
            if state.waiting and self.persist_every:
                counts.add(state.count + 1)
            sends += [Send(self.store, PersistClock(count)) for count in sorted(counts)]
        return sends

    # ------------------------------------------------------------------ parts

    def _entries(self, state: RootState) -> list[LogEntry]:
        return [state.log[clock] for clock in sorted(clock for clock, _ in state.log.items())]

    def _replay_place(self, entry: LogEntry) -> int:
        return self.rules.replay_place(entry.packet.clock)

    def _signalled(self, entry: LogEntry, signal: Committed) -> LogEntry:
        before = entry.signals.get(signal.branch, 0)
        after = self.rules.add_token(before, signal.token)
        return evolve(entry, signals=entry.signals.insert(signal.branch, after))

    def _is_done(self, entry: LogEntry) -> bool:
        """All copies have ended and all updates are committed (DEL-3)."""
        return self.rules.all_ended(entry.share) and all(
            self.rules.settled(vector, entry.signals.get(branch, 0))
            for branch, vector in entry.vectors.items()
        )

    def _keep(
        self, state: RootState, entry: LogEntry, then: Packet | Send | None = None
    ) -> tuple[RootState, Effects]:
        """Keep an entry in the log, or drop it once it is done (DEL-3); ``then`` goes out after.

        Where a store has the log, nothing here runs ahead of it: a replay must have what the
        root's failover would find. Signals alone change nothing there: the store sent them.
        """
        clock, done = entry.packet.clock, self._is_done(entry)
        after: Effects = [] if then is None else [then]
        if not self.log_in_store:
            log = state.log.discard(clock) if done else state.log.insert(clock, entry)
            return evolve(state, log=log), after
        state = evolve(state, log=state.log.insert(clock, entry))
        if then is None and not done:
            return state, []
        state = evolve(state, written=state.written + 1)
        answered = state.answered.get(then.to) if isinstance(then, Send) else None
        write = self._write(state.written, clock, None if done else entry, answered)
        if done:
            state, _ = self._behind(state, clock)
        if then is None:
            return state, [write]
        if not self.rules.logs_first(state.written):
            state = self._entered(state, then) if isinstance(then, Packet) else state
            return state, [write, then]
        state, _ = self._behind(state, then)
        return state, [write]

    def _behind(self, state: RootState, item: Packet | Send | int) -> tuple[RootState, Effects]:
        """Let ``item`` wait for the newest write (ROOT-2)."""
        return evolve(state, unwritten=(*state.unwritten, (state.written, item))), []

    def _write(
        self, number: int, clock: int, entry: LogEntry | None, answered: Answered | None = None
    ) -> Send:
        if entry is not None:
            entry = evolve(entry, signals=Map())
        return Send(self.store, WriteLog(number, clock, entry, answered))

    def _admit(self, state: RootState, asked: bool) -> tuple[RootState, Effects]:
        """Give clocks to what waits, up to one that the store must hear of first.

        A packet is in the log before it is forwarded (ROOT-2).
        """
        effects: Effects = []
        while state.waiting:
            count = self.rules.clock_after(state.count)
            every = 0 if self.log_in_store else self.persist_every
            if self.rules.waits_for_clock(count, state.persisted, every):
                # One request is on its way already unless we are the first to wait.
                if asked or len(state.waiting) == 1:
                    effects.append(Send(self.store, PersistClock(count)))
                break
            arrival = state.waiting[0]
            packet = Packet(clock_of(self.identifier, count), arrival.flow, arrival.headers)
            state = evolve(state, count=count, waiting=state.waiting[1:])
            if not self.log_in_store:
                state = self._entered(state, packet)
            state, more = self._keep(state, LogEntry(packet), packet)
            effects += more
        return state, effects
