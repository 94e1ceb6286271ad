"""Components: the machines that share one host and one fate, behind one ``step`` each.

An NF instance fails together with the queue before it and the splitter behind it; the root is
a splitter too (CHAIN-2). What passes between machines of one component happens within a step:
no other component can come in between. Every component has ``initial`` and
``step(state, event) -> (state, effects)``, with ``Send`` as the only effect.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from chc_ref.core.instance import Announce, Effect, Instance, InstanceState
from chc_ref.core.messages import (
    Alert,
    Arrive,
    ClockPersisted,
    Committed,
    Crashed,
    Delete,
    Deleted,
    FlushTimer,
    Granted,
    LastMark,
    Move,
    Output,
    Packet,
    Passed,
    Ready,
    Received,
    Replay,
    ReplayEnd,
    Result,
    Send,
    Since,
    Start,
)
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.root import Root, RootState
from chc_ref.core.splitter import Remind, Splitter, SplitterState
from chc_ref.core.values import evolve


class Component(Protocol):
    """What a driver knows of a component."""

    @property
    def initial(self) -> Any: ...

    def step(self, state: Any, event: Any) -> tuple[Any, list[Send]]: ...

    def offers(self, state: Any) -> list[Any]:
        """Give the events that may happen here without a message: timers."""


@attrs.frozen(cache_hash=True)
class NodeState:
    """One NF instance with its queue and splitter, or what is left of it."""

    queue: QueueState = QueueState()
    instance: InstanceState = InstanceState()
    splitter: SplitterState = SplitterState()
    up: bool = True


@attrs.frozen
class Node:
    """An NF instance's host."""

    queue: Queue
    instance: Instance
    splitter: Splitter
    initial: NodeState = NodeState()

    def offers(self, state: NodeState) -> list[Any]:
        """A node may flush whenever it has something to flush (CACHE-2)."""
        return [FlushTimer()] if state.instance.unflushed else []

    def step(self, state: NodeState, event: Any) -> tuple[NodeState, list[Send]]:
        """Take one event. A node that is down takes none but its start (fail-stop)."""
        match event:
            case Crashed():
                return NodeState(up=False), []
            case Received(_, Start() as start):
                return self._start(start)
            case _ if not state.up:
                return state, []
            case FlushTimer():
                return self._settle(state, *self.instance.on_flush(state.instance))
            case Received(_, Move() as move):
                splitter, sends = self.splitter.on_move(state.splitter, move)
                return evolve(state, splitter=splitter), sends
            case Received(_, Since() as since):
                splitter, sends = self.splitter.on_since(state.splitter, since)
                return evolve(state, splitter=splitter), sends
            case Received(source, Packet() | LastMark() | Passed() | ReplayEnd() as item):
                queue, items = self.queue.on_item(state.queue, (source, item))
                state = evolve(state, queue=queue)
                return self._settle(state, *self.instance.take(state.instance, items))
            case Received(_, Granted() | Result() | Deleted() as answer):
                return self._settle(state, *self.instance.on_message(state.instance, answer))
        raise KeyError(f"{self.instance.address}: unexpected {event!r}")

    def _start(self, start: Start) -> tuple[NodeState, list[Send]]:
        """Begin as a failover (REC-1): empty, knowing the moves, waiting for the replay."""
        splitter = SplitterState(start=start.session)
        for move in start.moves:
            splitter, _ = self.splitter.on_move(splitter, move)
        queue = QueueState(recovering=True, born=start.session)
        state = NodeState(queue, InstanceState(start=start.session), splitter)
        return state, [Send("manager", Ready(start.session))]

    def _settle(
        self, state: NodeState, instance: InstanceState, effects: list[Effect]
    ) -> tuple[NodeState, list[Send]]:
        """Let the splitter carry out what the instance asked of it."""
        splitter, sends = state.splitter, []
        for effect in effects:
            if isinstance(effect, Send):
                sends.append(effect)
            elif isinstance(effect, Announce):
                splitter, more = self._announce(splitter, effect)
                sends += more
            else:
                splitter, more = self.splitter.on_packet(splitter, effect.packet, effect.headers)
                sends += more
        return evolve(state, instance=instance, splitter=splitter), sends

    def _announce(
        self, splitter: SplitterState, effect: Announce
    ) -> tuple[SplitterState, list[Send]]:
        mark = effect.mark
        marks: list[Remind | Passed | ReplayEnd] = [mark]
        if isinstance(mark, Passed):
            if self.instance.last:
                return splitter, [Send("sink", mark)]
        elif mark.target == self.instance.address:
            marks = [Remind()]  # recovered: marks may have died with us
        elif self.splitter.leads_straight_to(mark.target):
            marks += [Remind(mark.target)]
            again = [Send(mark.target, passed) for passed in effect.again]
            return self._mark(splitter, [*marks, *again])
        return self._mark(splitter, marks)

    def _mark(self, splitter: SplitterState, marks: list[Any]) -> tuple[SplitterState, list[Send]]:
        sends: list[Send] = []
        for mark in marks:
            splitter, more = self.splitter.on_mark(splitter, mark)
            sends += more
        return splitter, sends


@attrs.frozen(cache_hash=True)
class EntryState:
    """The root with its splitter."""

    root: RootState = RootState()
    splitter: SplitterState = SplitterState()


@attrs.frozen
class Entry:
    """The root's host."""

    root: Root
    splitter: Splitter
    initial: EntryState = EntryState()

    def offers(self, state: EntryState) -> list[Any]:
        """The root has no timers."""
        return []

    def step(self, state: EntryState, event: Any) -> tuple[EntryState, list[Send]]:
        """Take one event."""
        match event:
            case Arrive():
                return self._forward(state, *self.root.on_arrival(state.root, event))
            case Received(_, ClockPersisted() as message):
                return self._forward(state, *self.root.on_persisted(state.root, message))
            case Received(source, Delete() as delete):
                root, sends = self.root.on_delete(state.root, delete)
                answers = [Send(source, send.message) for send in sends]
                return evolve(state, root=root), answers
            case Received(_, Committed() as signal):
                return evolve(state, root=self.root.on_committed(state.root, signal)), []
            case Received(_, Move() as move):
                splitter, sends = self.splitter.on_move(state.splitter, move)
                return evolve(state, splitter=splitter), sends
            case Received(_, Since() as since):
                splitter, sends = self.splitter.on_since(state.splitter, since)
                return evolve(state, splitter=splitter), sends
            case Received(_, Replay() as request):
                packets, end = self.root.replay(state.root, request)
                state, sends = self._forward(state, state.root, packets, [])
                splitter = state.splitter
                marks: list[Remind | ReplayEnd] = [end]
                if self.splitter.leads_straight_to(end.target):
                    marks = [end, Remind(end.target)]
                for mark in marks:
                    splitter, more = self.splitter.on_mark(splitter, mark)
                    sends += more
                return evolve(state, splitter=splitter), sends
        raise KeyError(f"root: unexpected {event!r}")

    def _forward(
        self, state: EntryState, root: RootState, packets: list[Packet], sends: list[Send]
    ) -> tuple[EntryState, list[Send]]:
        splitter = state.splitter
        sends = list(sends)
        for packet in packets:
            splitter, more = self.splitter.on_packet(splitter, packet, (packet.headers,))
            sends += more
        return EntryState(root, splitter), sends


@attrs.frozen(cache_hash=True)
class SinkState:
    """What has left the chain, in order of leaving."""

    queue: QueueState = QueueState()
    outputs: tuple[Output, ...] = ()
    alerts: tuple[Alert, ...] = ()


@attrs.frozen
class Sink:
    """Where packets and alerts leave. It holds back for order, but suppresses nothing."""

    queue: Queue
    initial: SinkState = SinkState()

    def offers(self, state: SinkState) -> list[Any]:
        """The sink has no timers."""
        return []

    def step(self, state: SinkState, event: Any) -> tuple[SinkState, list[Send]]:
        """Take one event."""
        match event:
            case Received(_, Alert() as alert):
                return evolve(state, alerts=(*state.alerts, alert)), []
            case Received(source, Output() | Passed() as item):
                queue, items = self.queue.on_item(state.queue, (source, item))
                outputs = (*state.outputs, *(message for _, message in items))
                return evolve(state, queue=queue, outputs=outputs), []
        raise KeyError(f"sink: unexpected {event!r}")
