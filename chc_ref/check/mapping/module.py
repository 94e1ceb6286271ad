"""Module: a system of the core as one TLA+ module has it.

A mapping is a table: which action is which step, and what the module has of each message and state.
Names and selection alone: what the module leaves out is either constant in its models, or follows
from what it has. That a mapping loses nothing shows in the comparison, which wants different
images for different states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

import attrs

from chc_ref.check.mapping.records import Names, Record, only
from chc_ref.core.chain import Vertex
from chc_ref.core.messages import LogEntry, MoveRequested
from chc_ref.core.operations import StateObject
from chc_ref.core.values import Address, Flow
from chc_ref.core.varied import Varied
from chc_ref.errors import UsageError
from chc_ref.system.composition import Action, Happen, Lose, State, System
from chc_ref.system.network import Deliver
from chc_ref.system.world import Operate

LOSE = dict.fromkeys(("root", "instance", "store", "manager", "sink"), "Lose")
"""One action for all that a crash loses."""

CHANNELS = {
    "toInstance": ("root", "instance"),
    "toRoot": ("instance", "root"),
    "toStore": ("instance", "store"),
    "fromStore": ("store", "instance"),
    "toManager": ("instance", "manager"),
    "toSink": ("instance", "sink"),
    "commits": ("store", "root"),
}
"""Channels that go by names, with sender and receiver: one for each instance, or one."""


def takes(**by: Iterable[type]) -> dict[tuple[str, type], str]:
    """Name the actions by which components take messages, as ``RootTakesMove``."""
    return {(kind, of): f"{kind.capitalize()}Takes{of.__name__}" for kind in by for of in by[kind]}


def logged(entry: LogEntry, updates: Callable[[int], Any]) -> Names:
    """Give an entry of the log, of a packet of which there is one copy."""
    return {
        "ended": bool(entry.ended),
        "vector": updates(entry.vectors.get((), 0)),
        "signals": updates(entry.signals.get((), 0)),
    }


@attrs.frozen
class Module:
    """What all mappings have. Each has ``constants`` and ``state``, and is named as its module."""

    system: System

    happens: ClassVar[dict[type, str]]
    """Action of the module, by what happens of itself, or what the operator asks for."""
    loses: ClassVar[dict[str, str]] = {}
    """Action of the module, by the kind of component that what is lost was under way to."""
    takes: ClassVar[dict[tuple[str, type], str]] = {}
    """Action of the module, by the kind of component that takes a message, and the message."""
    messages: ClassVar[dict[type, Record]]
    """What the module has of each message, and of what else waits in queues and gates."""

    @property
    def file(self) -> str:
        """Give the module's file."""
        return f"{type(self).__name__}.tla"

    # ------------------------------------------------------------------ bounds

    @cached_property
    def vertex(self) -> Vertex:
        """Give the one vertex, where there is one."""
        vertex: Vertex = only(self.system.physical.chain.vertices)
        return vertex

    @cached_property
    def instances(self) -> tuple[Address, ...]:
        """Give all instances."""
        every = self.system.physical.instances.values()
        return tuple(sorted(one for instances in every for one in instances))

    @property
    def packets(self) -> list[Flow]:
        """Give the flow of each packet."""
        return [arrival.flow for arrival in self.system.world.arrivals]

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Give the flows that have packets, or are moved, in the order of the core's maps."""
        wishes = self.system.world.wishes
        moved = {wish.flow for wish in wishes if isinstance(wish, MoveRequested)}
        return tuple(sorted({*self.packets, *moved}, key=repr))

    def home(self, vertex: Vertex) -> dict[Flow, Address]:
        """Give the first instance of every flow at a vertex."""
        return {flow: vertex.division.home(flow) for flow in self.flows}

    @property
    def moves(self) -> list[Names]:
        """Give the moves that the operator asks for."""
        return self.asked(self.system.world.wishes)

    def asked(self, wishes: Iterable[Any]) -> list[Names]:
        """Give moves that the operator asks for."""
        if not all(isinstance(wish, MoveRequested) for wish in wishes):
            raise UsageError(f"{self.file} has moves, and no other wishes")
        return [{"flow": wish.flow, "to": wish.to} for wish in wishes]

    @property
    def unknown(self) -> int:
        """Give what stands for a clock that nobody knows yet, and for a number not there."""
        return len(self.system.world.arrivals) + 1

    def machine(self, at: Address) -> Any:
        """Give a component's machine, also where a variant stands around it."""
        found: Any = self.system.physical.components[at]
        return found.component if isinstance(found, Varied) else found

    @cached_property
    def bits(self) -> list[tuple[str, StateObject]]:
        """Give (vertex, object) of each token bit: of every access of a packet (DEL-1)."""
        tokens: dict[int, tuple[str, StateObject]] = {}
        for vertex, (one, *_) in self.system.physical.instances.items():
            instance = self.machine(one).instance
            for of in instance.nf.objects:
                first = instance.tokens[of.name]
                tokens |= dict.fromkeys(range(first, first + of.accesses), (vertex, of))
        return [tokens[bit] for bit in sorted(tokens)]

    # ------------------------------------------------------------------ steps

    def action(self, state: State, action: Action) -> str:
        """Give the name of the action that a step of the core is."""
        name = None
        match action:
            case Happen(_, event):
                of = event.wish if isinstance(event, Operate) else event
                name = self.happens.get(type(of))
            case Lose(_, to):
                name = self.loses.get(self.kind(to))
            case Deliver(source, to):
                item = state.channels[self.system.channel(source, to)][0]
                name = self.taken(state, source, to, item)
        if name is None:
            raise UsageError(f"{self.file} has no action for {action!r}")
        return name

    def taken(self, state: State, source: Address, to: Address, item: Any) -> str | None:
        """Give the name of the action that takes a message."""
        return self.takes.get((self.kind(to), type(item)))

    def kind(self, address: Address) -> str:
        """Give what a component is called in the names of actions."""
        return "instance" if address in self.instances else address

    # ------------------------------------------------------------------ messages

    def message(self, item: Any, source: Address = "") -> Names:
        """Give a message, or what a queue or an instance holds of it."""
        if type(item) not in self.messages:
            raise UsageError(f"{self.file} has nothing like {item!r}")
        return self.messages[type(item)](self, item, source)

    def listed(self, items: Iterable[Any]) -> list[Names]:
        """Give one message after the other."""
        return [self.message(item) for item in items]

    def queued(self, items: Iterable[tuple[Address, Any]]) -> list[Names]:
        """Give what has come from somebody, one after the other."""
        return [self.message(item, source) for source, item in items]

    def sourced(self, items: Iterable[tuple[Address, Any]], name: str) -> list[Names]:
        """Give what has come from somebody, with the source beside it."""
        return [{"source": source, name: self.message(item, source)} for source, item in items]

    def under_way(self, state: State) -> Iterator[tuple[Address, Address, list[Names]]]:
        """Give what is under way on each channel, by source and receiver."""
        for (source, to), content in zip(self.system.channels, state.channels, strict=True):
            yield source, to, [self.message(item, source) for item in content]

    def channels(self, state: State, named: dict[str, tuple[str, str]]) -> Names:
        """Give what is under way on ``CHANNELS``, and on further ones."""
        found = {(source, to): content for source, to, content in self.under_way(state)}
        contents: Names = {}
        for name, (source, to) in {**CHANNELS, **named}.items():
            if source == "instance":
                contents[name] = {one: found[one, to] for one in self.instances}
            elif to == "instance":
                contents[name] = {one: found[source, one] for one in self.instances}
            else:
                contents[name] = found[source, to]
        return contents

    def channel(self, state: State, receivers: dict[Address, set[Address]]) -> Names:
        """Give what is under way from everybody to everybody, but for channels never used."""
        contents: Names = {one: {} for one in receivers}
        for source, to, content in self.under_way(state):
            if content or to in receivers[source]:
                contents[source][to] = content
        return contents
