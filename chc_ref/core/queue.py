"""Queue: the framework's queue before one downstream instance, and before the sink.

The instance polls it and is not waited for (QUEUE-1).

Owns what has already been queued (DUP-1), what is held back for downstream order (MOVE-6),
and what waits until a replay has been taken in (CLONE-2). It dies with its instance; a
failover's queue begins empty, in recovery. Paper: sections 4.2, 5.1 item 8, 5.3.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import LastMark, Leaving, Output, Packet, Passed, ReplayEnd
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import (
    Address,
    Branch,
    Flow,
    Map,
    Past,
    evolve,
    identity_of,
    root_of,
    vertex_of,
)

Item = tuple[Address, Any]
"""(source, message) as it came off a channel."""

Seen = tuple[int, Branch, tuple[Address | None, int] | None]
"""(clock, branch, replay): the replay is None for a packet that is to be processed here."""


@attrs.frozen(cache_hash=True)
class QueueState:
    """What one queue remembers."""

    seen: Map[Seen, bool] = Map()
    """Every packet that the instance was given, but for those that are over."""
    forgotten: int = 0
    """How many of these there were."""
    passed: Map[tuple[str, Flow], frozenset[int]] = Map()
    """Epochs whose ``Passed`` mark came, per upstream vertex and flow. All of them: the mark
    of a later move, from another instance, says nothing of what an earlier one still holds."""
    held: tuple[Item, ...] = ()
    """Packets that came before the mark they must follow."""
    recovering: bool = False
    ends: Map[tuple[Address, int], Map[Address, ReplayEnd]] = Map()
    """Marks of the replays that not every splitter has ended, by (target, session)."""
    over: Map[Address, int] = Map()
    """Newest replay for each target that has ended: two hosts of one instance both say so."""
    late: tuple[Item, ...] = ()
    """Replayed packets of moved flows. Earlier ones of the flow come from another instance, and
    the marks that keep the flow's order passed when it moved: these wait for the end (MOVE-6)."""
    aside: tuple[Item, ...] = ()
    """What came in recovery and is not part of the replay."""
    born: int = 0
    """Newest replay session when this instance was started: older ones may miss a beginning."""
    valid: int = 0
    """First session that this instance saw whole; none older may pass through it."""


@attrs.frozen
class Queue:
    """Queue machine: ``on_item`` gives the items that the instance may now take, in order."""

    owner: Address
    upstream: tuple[Address, ...]
    """Instances (or roots) whose splitters send here: an end counts when all have sent it."""
    rules: Rules = AMENDED

    def on_item(self, state: QueueState, item: Item) -> tuple[QueueState, list[Item]]:
        """Take one item off a channel."""
        message = item[1]
        if isinstance(message, Packet | ReplayEnd) and message.target == self.owner:
            if message.session <= state.born:
                return state, []
            state = evolve(state, valid=state.valid or message.session)
        elif self.rules.sets_aside(state.recovering):
            return evolve(state, aside=(*state.aside, item)), []
        return self._admit(state, item)

    def forget(self, state: QueueState, past: Past) -> QueueState:
        """Forget packets that are over (DUP-1); the instance drops what still comes of them."""
        seen = Map({key: True for key, _ in state.seen.items() if key[0] not in past})
        forgotten = state.forgotten + len(state.seen) - len(seen)
        return evolve(state, seen=seen, forgotten=forgotten)

    def _replay_end(
        self, state: QueueState, source: Address, mark: ReplayEnd
    ) -> tuple[QueueState, list[Item]]:
        """Pass the mark on once every splitter has sent it, behind what waited for it."""
        replay = (mark.target, mark.session)
        if mark.session <= state.over.get(mark.target, 0):
            return state, []
        marks = state.ends.get(replay, Map()).insert(identity_of(source), mark)
        heard = frozenset(one for one, _ in marks.items())
        if not self.rules.replay_ended(heard, self.upstream):
            return evolve(state, ends=state.ends.insert(replay, marks)), []
        newest = sorted({clock for _, one in marks.items() for clock in one.newest})
        mark = evolve(mark, newest=tuple(newest))
        # Of an earlier replay too, whose end never came: what it brought is not brought again.
        late = [
            item
            for item in state.late
            if item[1].target == mark.target and item[1].session <= mark.session
        ]
        state = evolve(
            state,
            ends=state.ends.discard(replay),
            over=state.over.insert(mark.target, mark.session),
            late=tuple(i for i in state.late if i not in late),
        )
        taken: list[Item] = []
        for item in sorted(late, key=lambda item: self.rules.freed_first(item[1].after)):
            state, more = self._let_in(state, item)
            taken += more
        taken.append((source, mark))
        if mark.target != self.owner or not state.recovering:
            return state, taken
        aside = state.aside
        state = evolve(state, recovering=False, aside=())
        for item in aside:
            if not self._is_done(item[1], mark):
                state, more = self._admit(state, item)
                taken += more
        return state, taken

    def _is_done(self, message: Any, mark: ReplayEnd) -> bool:
        """A channel may bring once more what our predecessor had taken.

        A packet for us that is no newer than the replay was in it, or its branch had ended.
        """
        for_us = isinstance(message, Packet) and message.target is None
        return for_us and any(
            root_of(message.clock) == root_of(newest)
            and self.rules.was_replayed(message.clock, newest)
            for newest in mark.newest
        )

    def _admit(self, state: QueueState, item: Item) -> tuple[QueueState, list[Item]]:
        source, message = item
        if isinstance(message, Passed):
            return self._passed(state, source, message)
        broken = self.rules.is_broken_replay
        if isinstance(message, Packet | ReplayEnd) and broken(message.session, state.valid):
            return state, []  # we may have been down when it began: a later one is under way
        if isinstance(message, ReplayEnd):
            return self._replay_end(state, source, message)
        if self._speaks_of_held(state, message):
            return evolve(state, held=(*state.held, item)), []
        replayed = isinstance(message, Packet) and message.target is not None
        if (
            isinstance(message, Packet | Output)
            and not replayed
            and self._holds(state, source, message)
        ):
            return evolve(state, held=(*state.held, item)), []
        over = replayed and message.session <= state.over.get(message.target, 0)
        if replayed and not over and self.rules.late_in_replay(message.after):
            return evolve(state, late=(*state.late, item)), []
        return self._let_in(state, item)

    def _speaks_of_held(self, state: QueueState, message: Any) -> bool:
        """A mark says that nothing more comes; what is held here has not come yet."""
        if isinstance(message, LastMark):
            packets = [p for _, p in state.held if isinstance(p, Packet)]
            epochs = [p.epoch for p in packets if p.flow == message.flow]
            return any(self.rules.mark_waits(message.epoch, epoch) for epoch in epochs)
        return isinstance(message, Leaving) and bool(state.held)

    def _let_in(self, state: QueueState, item: Item) -> tuple[QueueState, list[Item]]:
        """Give an item to the instance, unless it is a repeat (DUP-1).

        Only what is given counts: were a packet that waits for the end of a replay known
        already, the packet itself would be dropped meanwhile, and later ones of its flow would
        overtake it (findings).
        """
        message = item[1]
        if isinstance(message, Packet):
            # A replayed packet on its way to another instance is no suspicious duplicate
            # (DUP-3), but one replay sends it once.
            mine = message.target in (None, self.owner)
            replay = None if mine else (message.target, message.session)
            key = (message.clock, message.branch, replay)
            if self.rules.seen_before(state.seen, key):
                return state, []
            state = evolve(state, seen=state.seen.insert(key, True))
        return state, [item]

    def _holds(self, state: QueueState, source: Address, message: Packet | Output) -> bool:
        """MOVE-6, and behind a held packet of the same flow order must be kept too."""
        passed = state.passed.get((vertex_of(source), message.flow), frozenset())
        return self.rules.held_back(message.after, passed)

    def _passed(
        self, state: QueueState, source: Address, mark: Passed
    ) -> tuple[QueueState, list[Item]]:
        key = (vertex_of(source), mark.flow)
        passed = state.passed.get(key, frozenset()) | {mark.epoch}
        held = state.held
        state = evolve(state, passed=state.passed.insert(key, passed), held=())
        taken: list[Item] = []
        marks = [item for item in held if isinstance(item[1], LastMark | Leaving)]
        held = tuple(item for item in held if item not in marks)
        # What must still wait is held again. One mark may free what several instances sent.
        for item in (
            *sorted(held, key=lambda item: self.rules.freed_first(item[1].after)),
            *marks,
        ):
            state, more = self._admit(state, item)
            taken += more
        return state, taken
