"""Composition: components, channels and the world as one pure transition system.

An action is one of three: a component takes the head of a channel; something happens of
itself (a timer, or the world); a channel out of a dead component loses what it still holds.
On channels that are not FIFO a message may also overtake, stay or vanish (``system.network``).
Messages to a component that is down are taken and dropped, so a crash may lose any prefix of
what is under way to the dead instance, and, by ``Lose``, any suffix of what it had sent.
What has left for the sink has left: it is on the wire and no crash takes it back. No more does
a crash take datagrams off a network; what they carried unacknowledged dies with the transport.
A driver that remembers what was taken may also bring it once more before a crash (``Again``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs

from chc_ref.core.chain import Physical
from chc_ref.core.transport import RetransmitTimer
from chc_ref.core.values import Address
from chc_ref.errors import ModelError
from chc_ref.system.endpoint import EndpointState, acknowledgement
from chc_ref.system.network import (
    FIFO,
    Channel,
    Content,
    Crossing,
    Deliver,
    Double,
    Drop,
    Left,
    Network,
)
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import Crash, World

WORLD = "world"


@attrs.frozen(cache_hash=True)
class Happen:
    """``event`` happens at ``at``: a timer, or anything of the world's."""

    at: Address
    event: Any


@attrs.frozen(cache_hash=True)
class Lose:
    """What a dead component had sent to ``to`` and was not yet taken is lost."""

    source: Address
    to: Address


@attrs.frozen(cache_hash=True)
class Again:
    """What ``to`` took last from ``source`` comes once more, before all else.

    Its acknowledgements die with ``to``, which is about to crash: nobody can tell how far it
    had come (``core.transport``). Only a driver that knows of both asks for it.
    """

    source: Address
    to: Address
    messages: Content
    """Oldest first."""


Action = Crossing | Happen | Lose | Again


@attrs.frozen(cache_hash=True)
class State:
    """A composed state: component states and channel contents, by position."""

    components: tuple[Any, ...]
    channels: tuple[Content, ...]
    left: Left = ()
    """What the network may still do wrong."""


class System:
    """The transition system of one chain in one world. Immutable; shared by all drivers."""

    def __init__(self, physical: Physical, world: World, network: Network = FIFO) -> None:
        self.physical = physical
        self.world = world
        self.network = network
        self.names: tuple[Address, ...] = (*physical.components, WORLD)
        self.machines: tuple[Any, ...] = (*physical.components.values(), world)
        self.channels: tuple[Channel, ...] = physical.channels
        self.index = {name: at for at, name in enumerate(self.names)}
        self.channel_index = {pair: at for at, pair in enumerate(self.channels)}
        self.inboxes = tuple(
            tuple(at for at, (_, to) in enumerate(self.channels) if to == name)
            for name in self.names
        )
        """Channels to each component."""
        self.faulty = tuple(network.covers(*pair) for pair in self.channels)
        self.lossy = tuple(
            to != "sink" and not (network.transport and faulty)
            for (_, to), faulty in zip(self.channels, self.faulty, strict=True)
        )
        """Channels that a crash of the sender takes messages from."""

    @property
    def initial(self) -> State:
        """The state before anything has happened."""
        return State(
            tuple(machine.initial for machine in self.machines),
            ((),) * len(self.channels),
            self.network.left,
        )

    # -------------------------------------------------------- local steps, for every driver

    def local(self, at: int, state: Any, event: Any) -> tuple[Any, list[Any]]:
        """Step one component."""
        result: tuple[Any, list[Any]] = self.machines[at].step(state, event)
        return result

    def offers(self, at: int, state: Any) -> list[Any]:
        """Give the events that may happen at one component of themselves."""
        events: list[Any] = self.machines[at].offers(state)
        return events

    def seen(self, state: Any) -> Any:
        """Give a component's own state, without the transport it may stand on."""
        return state.inner if isinstance(state, EndpointState) else state

    def view(self, state: State) -> dict[Address, Any]:
        """Give the components' own states by name, as predicates read them."""
        return dict(zip(self.names, map(self.seen, state.components), strict=True))

    def is_up(self, at: int, state: Any) -> bool:
        """Tell whether a component takes part; manager, sink and world cannot be down."""
        return getattr(self.seen(state), "up", True)

    def is_calm(self, manager: Any) -> bool:
        """Tell whether the manager has nobody to bring back."""
        return not self.seen(manager).recovering

    def awaited(self, at: int, state: Any) -> list[tuple[int, int]]:
        """Give (there, back): the channels on which a component has unacknowledged messages."""
        if not isinstance(state, EndpointState):
            return []
        name = self.names[at]
        return [
            (self.channel(name, to), self.channel(to, name))
            for to in sorted(state.transport.peers)
            if state.transport.peers[to].unacknowledged
        ]

    def channel(self, source: Address, to: Address) -> int:
        """Give the position of a channel.

        Raises:
            ModelError: the chain has no such channel, so a machine sent where it may not.

        """
        try:
            return self.channel_index[source, to]
        except KeyError:
            raise ModelError(f"{source} sent to {to}, and the chain has no such channel") from None

    # -------------------------------------------------------- whole steps

    def actions(self, state: State) -> Iterator[Action]:
        """Give every action that is possible in ``state``, in a fixed order.

        On a transport, whatever happens to an acknowledgement happens at once.
        """
        if self.network.transport:
            for component, inbox in zip(state.components, self.inboxes, strict=True):
                for at in inbox:
                    hurried = self.hurries(at, component, state.channels[at], state.left)
                    if hurried:
                        yield from hurried
                        return
        for at, content in enumerate(state.channels):
            if content:
                source, to = self.channels[at]
                if self.faulty[at]:
                    yield from self.network.crossings(source, to, content, state.left)
                else:
                    yield Deliver(source, to)
                up = self.is_up(self.index[source], state.components[self.index[source]])
                if not up and self.lossy[at]:
                    yield Lose(source, to)
        for at, component in enumerate(state.components):
            for event in self.offers(at, component):
                if isinstance(event, Crash):
                    victim = self.index[event.address]
                    if not self.is_up(victim, state.components[victim]):
                        continue
                    manager = state.components[self.index["manager"]]
                    if self.world.apart and not self.is_calm(manager):
                        continue
                if isinstance(event, RetransmitTimer) and not self.is_stuck(at, state):
                    continue
                yield Happen(self.names[at], event)

    def hurries(self, at: int, state: Any, content: Content, left: Left) -> list[Crossing]:
        """Give what must happen on channel ``at`` before all else; ``state`` is its receiver's."""
        place = acknowledgement(state, content)
        if place is None:
            return []
        options = self.network.crossings(*self.channels[at], content, left)
        return [option for option in options if option.place == place]

    def is_stuck(self, at: int, state: State) -> bool:
        """Tell whether a component awaits an answer with nothing of it under way."""
        awaited = self.awaited(at, state.components[at])
        return any(not state.channels[to] and not state.channels[back] for to, back in awaited)

    def is_quiet(self, state: State) -> bool:
        """Tell whether nothing can happen any more, but for crashes and timers without effect."""
        return not any(state.channels) and all(
            self._is_idle(state, action) for action in self.actions(state)
        )

    def _is_idle(self, state: State, action: Action) -> bool:
        match action:
            case Happen(_, Crash()):
                return True
            case Happen(_, RetransmitTimer()):
                return self.step(state, action) == state
        return False

    def step(self, state: State, action: Action) -> State:
        """Carry ``action`` out."""
        run = Simulation(self)
        run.components = list(state.components)
        run.channels = [deque(content) for content in state.channels]
        left = state.left
        match action:
            case Happen(at, event):
                run.happen(self.index[at], event)
            case Deliver(source, to, place):
                run.deliver(self.channel(source, to), place)
            case Double(source, to, place):
                run.deliver(self.channel(source, to), place, stays=True)
                left = (left[0] - 1, left[1])
            case Drop(source, to, place):
                run.drop(self.channel(source, to), place)
                left = (left[0], left[1] - 1)
            case Lose(source, to):
                run.lose(self.channel(source, to))
            case Again(source, to, messages):
                run.bring_again(self.channel(source, to), messages)
        channels = tuple(tuple(content) for content in run.channels)
        return State(tuple(run.components), channels, left)
