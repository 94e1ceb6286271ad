"""Components: the machines that share one host and one fate, behind one ``step`` each.

An NF instance fails together with the queue before it and the splitter behind it; the root is
a splitter too (CHAIN-2). What passes between machines of one component happens within a step:
no other component can come in between. Every component has ``initial`` and
``step(state, event) -> (state, effects)``, with ``Send`` as the only effect.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from chc_ref.core.client import ClientState
from chc_ref.core.instance import Answer, Instance
from chc_ref.core.messages import (
    Again,
    Alert,
    Arrive,
    ClockPersisted,
    Committed,
    Crashed,
    DataItem,
    Delete,
    Deleted,
    FlushTimer,
    Forget,
    ForgetTimer,
    HandedOver,
    Inquire,
    Load,
    Logged,
    Output,
    Over,
    Packet,
    Passed,
    Poll,
    Ready,
    Recall,
    Received,
    Recollection,
    Remembered,
    Replay,
    ReplayEnd,
    Send,
    Start,
    Stop,
)
from chc_ref.core.queue import Queue, QueueState
from chc_ref.core.root import Effects, Root, RootState
from chc_ref.core.splitter import Control, Remind, Splitter, SplitterState
from chc_ref.core.values import Address, evolve
from chc_ref.core.work import Announce, Effect, InstanceState, Wait


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
    stopping: bool = False
    """Down as soon as the root has answered its last delete (CLONE-3)."""


DOWN = NodeState(up=False)


@attrs.frozen
class Node:
    """An NF instance's host."""

    queue: Queue
    instance: Instance
    splitter: Splitter
    initial: NodeState = NodeState()

    def offers(self, state: NodeState) -> list[Any]:
        """A node may flush whenever it has something to flush (CACHE-2)."""
        return [FlushTimer()] if state.instance.client.unflushed else []

    def step(self, state: NodeState, event: Any) -> tuple[NodeState, list[Send]]:
        """Take one event. A node that is down takes none but its start (fail-stop)."""
        match event:
            case Crashed():
                return DOWN, []
            case Received(_, Start() as start):
                return self._start(start)
            case Received(_, Stop()):
                return self._stop(state)
            case _ if not state.up:
                return state, []
            case Received(_, Deleted() | Again()) if state.stopping:
                state, sends = self._instance(state, event)
                if state.instance.work is not None:
                    return state, sends
                return DOWN, sends + self._over()
            case _ if state.stopping:
                return state, []
            case FlushTimer():
                return self._settle(state, *self.instance.on_flush(state.instance))
            case Received(_, message) if isinstance(message, Control):
                splitter, sends = self.splitter.on_control(state.splitter, message)
                return evolve(state, splitter=splitter), sends
            case Received(_, Forget() as forget):
                return self._forget(state, forget), []
            case Received(_, Poll(number)):
                return state, [Send("manager", self._load(state, number))]
            case Received(source, item) if isinstance(item, DataItem):
                queue, items = self.queue.on_item(state.queue, (source, item))
                state = evolve(state, queue=queue)
                return self._settle(state, *self.instance.take(state.instance, items))
            case Received(_, message) if isinstance(message, Answer):
                return self._instance(state, event)
        raise KeyError(f"{self.instance.address}: unexpected {event!r}")

    def _load(self, state: NodeState, number: int) -> Load:
        """Give statistics: they are read off what queue and instance hold anyway (CHAIN-3)."""
        waiting = sum(isinstance(item, Packet) for _, item in state.instance.fifo)
        waiting += sum(len(packets) for _, packets in state.instance.blocked.items())
        packets = len(state.queue.seen) + state.queue.forgotten
        return Load(self.instance.address, number, packets, waiting)

    def _forget(self, state: NodeState, forget: Forget) -> NodeState:
        past = state.instance.past.until(forget.first, forget.last)
        queue = self.queue.forget(state.queue, past)
        return evolve(state, queue=queue, instance=evolve(state.instance, past=past))

    def _instance(self, state: NodeState, event: Received) -> tuple[NodeState, list[Send]]:
        return self._settle(state, *self.instance.on_message(state.instance, event.message))

    def _start(self, start: Start) -> tuple[NodeState, list[Send]]:
        """Begin as a failover (REC-1) or a clone (CLONE-1): empty, and waiting for the replay."""
        queue = QueueState(recovering=True, born=start.session)
        client = ClientState(start=start.session, cache=start.cache)
        instance = InstanceState(client, mute=start.mute)
        splitter = evolve(self.splitter.started(start), recovering=True)
        state = NodeState(queue, instance, splitter)
        return state, [Send("manager", Ready(start.session))]

    def _stop(self, state: NodeState) -> tuple[NodeState, list[Send]]:
        """Forget all but an output that waits for its delete: only we may send it (CLONE-3).

        And the delete, which the root's failover asks for: the answer may die with the root.
        """
        instance = state.instance
        if instance.work is None or instance.work.wait is not Wait.DELETE:
            return DOWN, self._over()
        client = evolve(instance.client, unflushed=())
        kept = InstanceState(client, work=instance.work, deletes=instance.deletes)
        return NodeState(instance=kept, splitter=state.splitter, stopping=True), []

    def _over(self) -> list[Send]:
        """Let the sink tell when our last output has left: another host waits for it (CLONE-3)."""
        return [Send("sink", Over(self.instance.address))] if self.instance.last else []

    def _settle(
        self, state: NodeState, instance: InstanceState, effects: list[Effect]
    ) -> tuple[NodeState, list[Send]]:
        """Let the splitter carry out what the instance asked of it."""
        splitter, sends = state.splitter, []
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, HandedOver):
                # Behind what the splitter holds: what it has not sent is not handed over.
                splitter, more = self.splitter.on_mark(splitter, effect)
                sends += more
            elif isinstance(effect, Send):
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
    """The root with its splitter, or its failover on the way up."""

    root: RootState = RootState()
    splitter: SplitterState = SplitterState()
    up: bool = True
    asked: frozenset[Address] = frozenset()
    """Stores that a failover still waits for; it recovers until there are none (REC-3)."""
    answers: tuple[Remembered, ...] = ()
    aside: tuple[Received, ...] = ()
    """What came in recovery and may matter after it."""


@attrs.frozen
class Entry:
    """The root's host."""

    address: Address
    root: Root
    splitter: Splitter
    stores: tuple[Address, ...] = ("store",)
    hosts: tuple[Address, ...] = ()
    """Every NF instance's."""
    initial: EntryState = EntryState()

    def offers(self, state: EntryState) -> list[Any]:
        """The root has no timers."""
        return []

    def step(self, state: EntryState, event: Any) -> tuple[EntryState, list[Send]]:
        """Take one event. The framework keeps the input of a root that is down (REC-3)."""
        ready = state.up and not state.asked
        match event:
            case Crashed():
                return EntryState(state.root.outlived(), up=False), []
            case Arrive() if not ready:
                if self.root.is_full(state.root):
                    return evolve(state, root=self.root.dropped(state.root)), []
                root = evolve(state.root, waiting=(*state.root.waiting, event))
                return evolve(state, root=root), []
            case Arrive():
                return self._forward(state, *self.root.on_arrival(state.root, event))
            case Received(_, Start() as start):
                return self._start(state, start)
            case _ if not state.up:
                return state, []
            case ForgetTimer():
                past = self.root.past(state.root) if ready else None
                to = (*self.stores, *self.hosts) if past else ()
                return state, [Send(one, past) for one in to]
            case Received() if not ready:
                return self._recover(state, event)
            case Received(source, message):
                return self._handle(state, source, message)
        raise KeyError(f"{self.address}: unexpected {event!r}")

    def _handle(
        self, state: EntryState, source: Address, message: Any
    ) -> tuple[EntryState, list[Send]]:
        root = self.root
        match message:
            case ClockPersisted():
                return self._forward(state, *root.on_persisted(state.root, message))
            case Logged(number):
                return self._forward(state, *root.on_logged(state.root, number))
            case Delete():
                return self._forward(state, *root.on_delete(state.root, source, message))
            case Committed():
                return self._forward(state, *root.on_committed(state.root, message))
            case Replay():
                return self._replay(state, message)
            case Recall(session):
                again = tuple(s.message for s in root.recall(state.root) if s.to == source)
                return state, [Send(source, Recollection(session, again=again))]
            case Remembered():
                return state, []  # of a recovery that was begun anew
            case _ if isinstance(message, Control):
                splitter, sends = self.splitter.on_control(state.splitter, message)
                return evolve(state, splitter=splitter), sends
        raise KeyError(f"{self.address}: unexpected {message!r} from {source}")

    def _replay(self, state: EntryState, request: Replay) -> tuple[EntryState, list[Send]]:
        packets, end = self.root.replay(state.root, request)
        state, sends = self._forward(state, state.root, list(packets))
        straight = self.splitter.leads_straight_to(end.target)
        marks: list[Remind | ReplayEnd] = [end, Remind(end.target)] if straight else [end]
        return self._mark(state, sends, marks)

    def _mark(
        self, state: EntryState, sends: list[Send], marks: list[Any]
    ) -> tuple[EntryState, list[Send]]:
        splitter = state.splitter
        for mark in marks:
            splitter, more = self.splitter.on_mark(splitter, mark)
            sends = sends + more
        return evolve(state, splitter=splitter), sends

    def _forward(
        self, state: EntryState, root: RootState, effects: Effects
    ) -> tuple[EntryState, list[Send]]:
        """Let the splitter send what goes out."""
        splitter, sends = state.splitter, []
        for effect in effects:
            if isinstance(effect, Send):
                sends.append(effect)
            else:
                splitter, more = self.splitter.on_packet(splitter, effect, (effect.headers,))
                sends += more
        return evolve(state, root=root, splitter=splitter), sends

    # ------------------------------------------------------------------ failover

    def _start(self, state: EntryState, start: Start) -> tuple[EntryState, list[Send]]:
        """Begin as the failover: the stores know clock and log, the manager the routes (REC-3)."""
        asked = frozenset(self.stores)
        state = EntryState(state.root.outlived(), self.splitter.started(start), asked=asked)
        return state, [Send(store, Inquire(start.session)) for store in self.stores]

    def _recover(self, state: EntryState, event: Received) -> tuple[EntryState, list[Send]]:
        """Gather what the stores remember."""
        match event.message:
            case Remembered(session) as answer:
                if session != state.splitter.start:
                    return state, []
                asked = state.asked - {event.source}
                state = evolve(state, asked=asked, answers=(*state.answers, answer))
            case Logged() | ClockPersisted():
                return state, []  # for the root that is gone: ours come after the answers
            case Recall(session):  # we have told it nothing yet
                return state, [Send(event.source, Recollection(session))]
            case _:
                return evolve(state, aside=(*state.aside, event)), []
        return (state, []) if state.asked else self._recovered(state)

    def _recovered(self, state: EntryState) -> tuple[EntryState, list[Send]]:
        """Send once more what may have been lost, and ask again for what may have been."""
        aside, start = state.aside, state.splitter.start
        root, effects = self.root.recovered(state.root, state.answers)
        state = evolve(state, answers=(), aside=())
        state, sends = self._forward(state, root, effects)
        state, sends = self._mark(state, sends, [Remind()])
        for received in aside:
            state, more = self._handle(state, received.source, received.message)
            sends += more
        sends += [Send(host, Again()) for host in self.hosts]
        return state, [*sends, Send("manager", Ready(start))]


@attrs.frozen(cache_hash=True)
class SinkState:
    """What has left the chain, in order of leaving."""

    queue: QueueState = QueueState()
    outputs: tuple[Output, ...] = ()
    alerts: tuple[Alert, ...] = ()


@attrs.frozen
class Sink:
    """Where packets and alerts leave. Its queue holds back for order."""

    queue: Queue
    initial: SinkState = SinkState()

    def offers(self, state: SinkState) -> list[Any]:
        """The sink has no timers."""
        return []

    def step(self, state: SinkState, event: Any) -> tuple[SinkState, list[Send]]:
        """Take one event."""
        match event:
            case Received(_, Alert() as alert):
                if alert in state.alerts:  # our end of an edge: repeats go no further (DUP-1)
                    return state, []
                return evolve(state, alerts=(*state.alerts, alert)), []
            case Received(source, Output() | Passed() as item):
                queue, items = self.queue.on_item(state.queue, (source, item))
                outputs = (*state.outputs, *(message for _, message in items))
                return evolve(state, queue=queue, outputs=outputs), []
            case Received(_, Over() as over):
                return state, [Send("manager", over)]
        raise KeyError(f"sink: unexpected {event!r}")
