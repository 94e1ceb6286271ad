"""Simulation: one run of a system, fast enough for captures.

The same actions as ``System.step`` on mutable containers: component states stay frozen values,
only the row that holds them changes. ``System.step`` is this, on a copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chc_ref.core.messages import Received
from chc_ref.core.values import Address
from chc_ref.system.network import Content, keep, message_at, put, remove

if TYPE_CHECKING:
    from chc_ref.system.composition import System

Observer = Callable[[Address, Any, Any], None]
"""Called with (component, its state before, event) at every local step."""


class Simulation:
    """A run in progress."""

    def __init__(self, system: System, observer: Observer | None = None) -> None:
        self.system = system
        self.observer = observer
        self.components = [machine.initial for machine in system.machines]
        self.channels: list[deque[Any]] = [deque() for _ in system.channels]
        self.busy: set[int] = set()
        """Channels that hold a message."""

    def state(self, address: Address) -> Any:
        """Give a component's present state."""
        return self.components[self.system.index[address]]

    def deliver(self, at: int, place: int = 0, stays: bool = False) -> None:
        """Let the receiver of channel ``at`` take its oldest message, or the one at ``place``."""
        source, to = self.system.channels[at]
        if self.system.faulty[at]:
            content = tuple(self.channels[at])
            message = message_at(content, place)
            self._set(at, keep(content, place) if stays else remove(content, place))
        else:
            message = self.channels[at].popleft()
            if not self.channels[at]:
                self.busy.discard(at)
        self._local(self.system.index[to], Received(source, message))

    def drop(self, at: int, place: int) -> None:
        """Lose one message of channel ``at``."""
        self._set(at, remove(tuple(self.channels[at]), place))

    def lose(self, at: int) -> None:
        """Empty channel ``at``."""
        self.channels[at].clear()
        self.busy.discard(at)

    def bring_again(self, at: int, messages: Content) -> None:
        """Put ``messages``, which were taken already, at the head of channel ``at``."""
        self.channels[at].extendleft(reversed(messages))
        if messages:
            self.busy.add(at)

    def happen(self, at: int, event: Any) -> None:
        """Let ``event`` happen at component ``at``, with what the world does at once."""
        if self.system.names[at] != "world":
            self._local(at, event)
            return
        self.components[at], directs = self.system.local(at, self.components[at], event)
        for direct in directs:
            self._local(self.system.index[direct.to], direct.event)

    def _local(self, at: int, event: Any) -> None:
        name = self.system.names[at]
        if self.observer is not None:
            self.observer(name, self.components[at], event)
        self.components[at], sends = self.system.local(at, self.components[at], event)
        for send in sends:
            channel = self.system.channel(name, send.to)
            if self.system.faulty[channel]:
                sent = self.system.network.sent(name, send.to, send.message)
                self._set(channel, put(tuple(self.channels[channel]), sent))
                continue
            self.channels[channel].append(send.message)
            self.busy.add(channel)

    def _set(self, at: int, content: Content) -> None:
        self.channels[at] = deque(content)
        if content:
            self.busy.add(at)
        else:
            self.busy.discard(at)
