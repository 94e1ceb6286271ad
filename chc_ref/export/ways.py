"""Ways: each message of a run, from where it was sent to what became of it.

A composed state tells what is under way, and not where it comes from. So the channels of the
run are followed from state to state: what a step took, doubled or lost is told by its action, and
what stands in a channel besides what stood there before was sent by the step.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs

from chc_ref.check.counterexample import Counterexample
from chc_ref.core.messages import Start
from chc_ref.core.values import Address
from chc_ref.errors import CheckerError
from chc_ref.system.composition import Action, Again, Lose, State
from chc_ref.system.network import Deliver, Double, Drop, message_at


class Fate(enum.Enum):
    """What became of a message."""

    TAKEN = "taken"
    DEAF = "came to a component that was down"
    LOST = "lost in the crash of its sender"
    DROPPED = "lost on the network"
    LEFT = "still under way"


class Origin(enum.Enum):
    """Where a message comes from."""

    SENT = "sent"
    COPY = "a copy that the network made"
    AGAIN = "sent again: its acknowledgement died with the receiver"


@attrs.define(eq=False)
class Way:
    """One message on its way."""

    source: Address
    to: Address
    message: Any
    sent: int
    """Number of the step that it was sent in."""
    ended: int
    """Number of the step in which its fate was sealed; that of the last one, if it is left."""
    fate: Fate = Fate.LEFT
    origin: Origin = Origin.SENT
    overtook: bool = False
    """It was taken before one that was sent earlier on its channel."""


def ways(found: Counterexample) -> tuple[Way, ...]:
    """Give every message of a run, in the order of being sent, and on one channel of standing.

    Raises:
        CheckerError: what stands in a channel cannot be explained by the steps.

    """
    run = _Following(found)
    for number, action in enumerate(found.actions, start=1):
        run.step(number, action)
    return tuple(run.all)


class _Following:
    """The channels of a run, as the ways that stand in them."""

    def __init__(self, found: Counterexample) -> None:
        self.found = found
        self.system = found.system
        self.all: list[Way] = []
        self.standing: list[list[Way]] = [[] for _ in self.system.channels]

    def step(self, number: int, action: Action) -> None:
        states = self.found.states
        before = states[number - 1]
        if not hasattr(action, "event"):
            self._ended(number, action, before)
        if number == len(states):  # the core fails in it: nobody knows what it would have sent
            for way in self.all:
                if way.fate is Fate.LEFT:
                    way.ended = number
            return
        for at, content in enumerate(states[number].channels):
            self._sent(number, at, content)

    def _ended(self, number: int, action: Any, before: State) -> None:
        """Take from a channel what the step took."""
        at = self.system.channel(action.source, action.to)
        standing = self.standing[at]
        if isinstance(action, Again):
            copies = [self._new(at, one, number, Origin.AGAIN) for one in action.messages]
            self.standing[at] = [*copies, *standing]
        elif isinstance(action, Lose):
            for way in standing:
                way.ended, way.fate = number, Fate.LOST
            self.standing[at] = []
        elif isinstance(action, Deliver | Double | Drop):
            message = message_at(before.channels[at], action.place)
            way = next(way for way in standing if way.message == message)
            standing.remove(way)
            way.ended, way.fate = number, Fate.DROPPED
            if not isinstance(action, Drop):
                way.fate = Fate.DEAF if self._is_deaf(number, action, message) else Fate.TAKEN
                way.overtook = any(other.sent < way.sent for other in standing)
            if isinstance(action, Double):
                standing.append(self._new(at, message, number, Origin.COPY))

    def _is_deaf(self, number: int, action: Deliver | Double, message: Any) -> bool:
        """Tell whether the receiver is down: all that it takes then is its start."""
        at = self.system.index[action.to]
        before = self.found.states[number - 1].components[at]
        if self.system.is_up(at, before) or isinstance(message, Start):
            return False
        if number == len(self.found.states):
            return True
        return bool(before == self.found.states[number].components[at])

    def _sent(self, number: int, at: int, content: tuple[Any, ...]) -> None:
        """Match what stands in a channel with what stood there; the rest is new."""
        left = self.standing[at]
        now: list[Way] = []
        for place in range(len(content)):
            message = message_at(content, place)
            way = next((way for way in left if way.message == message), None)
            if way is None:
                way = self._new(at, message, number, Origin.SENT)
            else:
                left.remove(way)
            way.ended = number
            now.append(way)
        if left:
            source, to = self.system.channels[at]
            raise CheckerError(f"step {number}: a message from {source} to {to} is gone untold")
        self.standing[at] = now

    def _new(self, at: int, message: Any, number: int, origin: Origin) -> Way:
        way = Way(*self.system.channels[at], message, number, number, origin=origin)
        self.all.append(way)
        return way
