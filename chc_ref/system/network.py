"""Network: what may happen to messages between being sent and being taken.

The core is made for channels that are FIFO and exactly once (docs/decisions.md), and those are
the default. The other disciplines take one of these promises back, on all channels or on some:
for the rules that need it (docs/channels.md), and, all of them together, for the transport that
gives it back (``system.endpoint``). Doublings and losses are bounded, by a budget that is part
of a composed state: without a bound nothing could be shown to end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from chc_ref.core.transport import Datagram
from chc_ref.core.values import Address, vertex_of
from chc_ref.errors import UsageError

Channel = tuple[Address, Address]
"""(source, to)."""

Content = tuple[Any, ...]
"""What is under way on a channel: messages in their order, oldest first, then ``Stray`` ones in
a fixed order that means nothing. A FIFO channel has no strays, a reordering one nothing else."""

Left = tuple[int, ...]
"""(doublings, losses) that may still happen; empty where none ever may."""

Pattern = tuple[str, str, str]
"""(source, to, kind): ends by address, vertex or ``ANY``, messages by class name or ``ANY``."""

ANY = "*"
EVERYWHERE: Pattern = (ANY, ANY, ANY)


@attrs.frozen(cache_hash=True)
class Stray:
    """A message that may be taken at any time, before or after any other."""

    message: Any
    copy: bool = False
    """True for a bare acknowledgement that was taken once: nothing waits for this one."""


@attrs.frozen(cache_hash=True)
class Deliver:
    """``to`` takes a message from ``source``: the oldest one, unless it is a stray."""

    source: Address
    to: Address
    place: int = 0
    """In the channel's content."""


@attrs.frozen(cache_hash=True)
class Double:
    """``to`` takes a message and the network keeps a copy, to be taken at any time."""

    source: Address
    to: Address
    place: int = 0


@attrs.frozen(cache_hash=True)
class Drop:
    """The network loses one message."""

    source: Address
    to: Address
    place: int = 0


Crossing = Deliver | Double | Drop


@attrs.frozen
class Network:
    """The discipline of the channels of one system."""

    name: str = "fifo"
    reorders: bool = False
    doublings: int = 0
    """Most messages that are taken and stay, in the whole system."""
    losses: int = 0
    """Most messages that vanish, in the whole system."""
    transport: bool = False
    """Components have a transport machine between themselves and the network."""
    faulty: tuple[Pattern, ...] = (EVERYWHERE,)
    """What this happens to; all else is on ideal channels."""

    @property
    def left(self) -> Left:
        """Give the budget of a state in which nothing has happened."""
        return (self.doublings, self.losses) if self.name != FIFO.name else ()

    def covers(self, source: Address, to: Address) -> bool:
        """Tell whether a channel is faulty, for some messages at least."""
        return self.name != FIFO.name and any(names(one, source, to) for one in self.faulty)

    def affects(self, source: Address, to: Address, message: Any) -> bool:
        """Tell whether a message on a faulty channel is one that things happen to."""
        kind = type(message).__name__
        return any(names(one, source, to) and one[2] in (ANY, kind) for one in self.faulty)

    def sent(self, source: Address, to: Address, message: Any) -> Any:
        """Give ``message`` as it goes onto a faulty channel."""
        return Stray(message) if self.reorders and self.affects(source, to, message) else message

    def crossings(
        self, source: Address, to: Address, content: Content, left: Left
    ) -> Iterator[Crossing]:
        """Give what may happen next on a faulty channel, in a fixed order.

        Of equal strays only the first one: it makes no difference which is taken. Only the
        oldest of the ordered ones may be lost, as a later one will be the oldest in its turn.
        """
        doublings, losses = left
        for place, one in enumerate(content):
            if place and (not isinstance(one, Stray) or one == content[place - 1]):
                continue
            yield Deliver(source, to, place)
            if self.affects(source, to, message_at(content, place)):
                if doublings:
                    yield Double(source, to, place)
                if losses:
                    yield Drop(source, to, place)


def names(pattern: Pattern, source: Address, to: Address) -> bool:
    """Tell whether a pattern is about a channel."""
    ends = (pattern[0], source), (pattern[1], to)
    return all(name in (ANY, end, vertex_of(end)) for name, end in ends)


FIFO = Network()
TRANSPORT = "transport"

BUDGETS: dict[str, tuple[bool, bool]] = {
    "fifo": (False, False),
    "reordering": (False, False),
    "doubling": (True, False),
    "losing": (False, True),
    TRANSPORT: (True, True),
}
"""Disciplines by name: whether each has a budget of doublings, and of losses."""


def network(
    name: str, doublings: int = 0, losses: int = 0, faulty: tuple[Pattern, ...] = (EVERYWHERE,)
) -> Network:
    """Give the discipline called ``name``.

    Raises:
        UsageError: there is none, or the budgets do not fit it.

    """
    if name not in BUDGETS:
        raise UsageError(f"unknown channels {name!r}; known: {', '.join(BUDGETS)}")
    budgets = {"doublings": doublings, "losses": losses}
    for (what, given), has in zip(budgets.items(), BUDGETS[name], strict=True):
        if given and not has:
            raise UsageError(f"channels = {name!r} has no {what}")
        if given < (has and name != TRANSPORT):
            raise UsageError(f"{what} = {given} is too few for channels = {name!r}")
    if name == FIFO.name:
        return FIFO
    if name == TRANSPORT:  # what is acknowledged on a faulty channel is so on one
        faulty = tuple(
            dict.fromkeys((*faulty, *((to, source, kind) for source, to, kind in faulty)))
        )
    reorders = name in (TRANSPORT, "reordering")
    return Network(name, reorders, doublings, losses, name == TRANSPORT, faulty)


# --------------------------------------------------------------------------- contents


def put(content: Content, message: Any) -> Content:
    """Give a channel's content once ``message`` was sent."""
    strays = sum(isinstance(one, Stray) for one in content)
    ordered = content[: len(content) - strays]
    if isinstance(message, Stray):
        return (*ordered, *sorted((*content[len(ordered) :], message), key=repr))
    return (*ordered, message, *content[len(ordered) :])


def remove(content: Content, place: int) -> Content:
    """Give a channel's content without the message at ``place``."""
    return (*content[:place], *content[place + 1 :])


def keep(content: Content, place: int) -> Content:
    """Give a channel's content once the message at ``place`` was taken, and a copy stayed."""
    message = message_at(content, place)
    bare = isinstance(message, Datagram) and not message.payload
    return put(remove(content, place), Stray(message, copy=bare))


def message_at(content: Content, place: int) -> Any:
    """Give the message at ``place``."""
    message = content[place]
    return message.message if isinstance(message, Stray) else message
