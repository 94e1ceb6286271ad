"""Root: the entry of the chain. It gives clocks, logs, deletes and replays.

Owns the clock and the log of every packet that some instance may still process (ROOT-3).
Every n-th clock is written to the store before its packet is forwarded (ROOT-5): were it
forwarded first, a crash in between would let the next root give the same clock again.
Paper: sections 5, 5.3 and 5.4.
"""

from __future__ import annotations

from fractions import Fraction

import attrs

from chc_ref.core.messages import (
    Arrive,
    ClockPersisted,
    Committed,
    Delete,
    Deleted,
    Packet,
    PersistClock,
    Replay,
    ReplayEnd,
    Send,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Branch, Map, clock_of, evolve
from chc_ref.errors import UsageError


@attrs.frozen(cache_hash=True)
class Entry:
    """What the root knows of one logged packet."""

    packet: Packet
    share: Fraction = Fraction(0)
    """Sum of the shares that have ended; 1 when no copy is left in the chain."""
    vectors: Map[Branch, int] = Map()
    """Tokens of the induced updates, by the branch that induced them (DEL-1)."""
    signals: Map[Branch, int] = Map()
    """Tokens of the committed ones (DEL-2)."""
    ended: frozenset[Branch] = frozenset()


@attrs.frozen(cache_hash=True)
class RootState:
    """The root's clock and log."""

    count: int = 0
    """Packets given a clock so far (ROOT-1)."""
    persisted: int = 0
    """Newest count that the store is known to hold; count <= persisted + n - 1."""
    log: Map[int, Entry] = Map()
    waiting: tuple[Arrive, ...] = ()
    """Input that waits for the store to have the clock (ROOT-5)."""
    dropped: int = 0
    """Input dropped at the threshold (ROOT-4)."""


@attrs.frozen
class Root:
    """Root machine; the packets it lets in are forwarded by the splitter behind it."""

    identifier: int = 0
    persist_every: int = 0
    """Write the clock to the store every so many packets; 0 never."""
    capacity: int = 0
    """Logged packets above which input is dropped; 0 for no limit (ROOT-4)."""
    store: Address = "store"
    rules: Rules = AMENDED

    def recovered(self, persisted: int) -> RootState:
        """Give the state of a root that takes over from the last persisted count (ROOT-5).

        Raises:
            UsageError: this root persists no clock, so none can be recovered.

        """
        if self.persist_every < 1:
            raise UsageError("a root that persists no clock (persist_every = 0) cannot recover")
        count = self.rules.next_count(persisted, self.persist_every)
        return RootState(count=count - 1, persisted=persisted)

    def on_arrival(
        self, state: RootState, arrival: Arrive
    ) -> tuple[RootState, list[Packet], list[Send]]:
        """Take an input packet; gives the packets to forward now."""
        if self.capacity and len(state.log) + len(state.waiting) >= self.capacity:
            return evolve(state, dropped=state.dropped + 1), [], []
        return self._admit(evolve(state, waiting=(*state.waiting, arrival)), asked=False)

    def on_persisted(
        self, state: RootState, message: ClockPersisted
    ) -> tuple[RootState, list[Packet], list[Send]]:
        """Go on with the input that waited for this clock."""
        if message.count <= state.persisted:
            return state, [], []
        return self._admit(evolve(state, persisted=message.count), asked=True)

    def on_delete(self, state: RootState, delete: Delete) -> tuple[RootState, list[Send]]:
        """Count a branch as ended, and say so to the sender of ``delete`` (REC-2).

        A clock that is no longer logged has had all its deletes.
        """
        entry = state.log.get(delete.clock)
        first = entry is not None and delete.branch not in entry.ended
        if entry is not None and first:
            entry = evolve(
                entry,
                share=entry.share + delete.share,
                vectors=entry.vectors.update(dict(delete.vectors)),
                ended=entry.ended | {delete.branch},
            )
            state = self._update(state, delete.clock, entry)
        return state, [Send("", Deleted(delete.clock, delete.branch, first, delete.start))]

    def on_committed(self, state: RootState, signal: Committed) -> RootState:
        """Note that the store has committed an update (DEL-2)."""
        entry = state.log.get(signal.clock)
        if entry is None:
            return state
        before = entry.signals.get(signal.branch, 0)
        signals = entry.signals.insert(signal.branch, self.rules.add_token(before, signal.token))
        return self._update(state, signal.clock, evolve(entry, signals=signals))

    def replay(self, state: RootState, request: Replay) -> tuple[list[Packet], ReplayEnd]:
        """Give every logged packet in clock order, marked with its target (DUP-3)."""
        packets = [
            evolve(entry.packet, target=request.target, session=request.session)
            for _, entry in sorted(state.log.items(), key=lambda item: item[0])
        ]
        newest = clock_of(self.identifier, state.count) if state.count else 0
        return packets, ReplayEnd(request.target, request.session, newest)

    def _update(self, state: RootState, clock: int, entry: Entry) -> RootState:
        """Drop the entry if all copies have ended and all updates are committed (DEL-3)."""
        done = entry.share == 1 and all(
            self.rules.settled(vector, entry.signals.get(branch, 0))
            for branch, vector in entry.vectors.items()
        )
        log = state.log.discard(clock) if done else state.log.insert(clock, entry)
        return evolve(state, log=log)

    def _admit(self, state: RootState, asked: bool) -> tuple[RootState, list[Packet], list[Send]]:
        """Give clocks to what waits, up to one that the store must hear of first.

        A packet is in the log before it is forwarded (ROOT-2).
        """
        packets: list[Packet] = []
        while state.waiting:
            count = state.count + 1
            every = self.persist_every
            if every and count >= state.persisted + every:
                # One request is on its way already unless we are the first to wait.
                first = asked or len(state.waiting) == 1
                return state, packets, [Send(self.store, PersistClock(count))] if first else []
            arrival = state.waiting[0]
            packet = Packet(clock_of(self.identifier, count), arrival.flow, arrival.headers)
            state = evolve(
                state,
                count=count,
                waiting=state.waiting[1:],
                log=state.log.insert(packet.clock, Entry(packet)),
            )
            packets.append(packet)
        return state, packets, []
