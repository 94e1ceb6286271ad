"""Composition: components, FIFO channels and the world as one pure transition system.

An action is one of three: a component takes the head of a channel; something happens of
itself (a timer, or the world); a channel out of a dead component loses what it still holds.
Messages to a component that is down are taken and dropped, so a crash may lose any prefix of
what is under way to the dead instance, and, by ``Lose``, any suffix of what it had sent.
What has left for the sink has left: it is on the wire and no crash takes it back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs

from chc_ref.core.chain import Physical
from chc_ref.core.node import Node, NodeState
from chc_ref.core.values import Address
from chc_ref.errors import ModelError
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import Crash, World

WORLD = "world"
Channel = tuple[Address, Address]


@attrs.frozen(cache_hash=True)
class Deliver:
    """``to`` takes the oldest message from ``source``."""

    source: Address
    to: Address


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


Action = Deliver | Happen | Lose


@attrs.frozen(cache_hash=True)
class State:
    """A composed state: component states and channel contents, by position."""

    components: tuple[Any, ...]
    channels: tuple[tuple[Any, ...], ...]


class System:
    """The transition system of one chain in one world. Immutable; shared by all drivers."""

    def __init__(self, physical: Physical, world: World) -> None:
        self.physical = physical
        self.world = world
        self.names: tuple[Address, ...] = (*physical.components, WORLD)
        self.machines: tuple[Any, ...] = (*physical.components.values(), world)
        self.channels: tuple[Channel, ...] = physical.channels
        self.index = {name: at for at, name in enumerate(self.names)}
        self.channel_index = {pair: at for at, pair in enumerate(self.channels)}
        self.fallible = frozenset(
            at for at, machine in enumerate(self.machines) if isinstance(machine, Node)
        )

    @property
    def initial(self) -> State:
        """The state before anything has happened."""
        return State(
            tuple(machine.initial for machine in self.machines), ((),) * len(self.channels)
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

    def is_up(self, at: int, state: Any) -> bool:
        """Tell whether a component takes part; only NF instances can be down."""
        return not isinstance(state, NodeState) or state.up

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
        """Give every action that is possible in ``state``, in a fixed order."""
        for at, content in enumerate(state.channels):
            if content:
                source, to = self.channels[at]
                yield Deliver(source, to)
                up = self.is_up(self.index[source], state.components[self.index[source]])
                if not up and to != "sink":
                    yield Lose(source, to)
        for at, component in enumerate(state.components):
            for event in self.offers(at, component):
                if isinstance(event, Crash):
                    victim = self.index[event.address]
                    if not self.is_up(victim, state.components[victim]):
                        continue
                yield Happen(self.names[at], event)

    def step(self, state: State, action: Action) -> State:
        """Carry ``action`` out."""
        run = Simulation(self)
        run.components = list(state.components)
        run.channels = [deque(content) for content in state.channels]
        match action:
            case Happen(at, event):
                run.happen(self.index[at], event)
            case Deliver(source, to):
                run.deliver(self.channel(source, to))
            case Lose(source, to):
                run.lose(self.channel(source, to))
        return State(tuple(run.components), tuple(tuple(content) for content in run.channels))
