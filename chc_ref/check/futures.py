"""Futures: what may still touch a component without having waited for it.

``check.persistent`` lets some components go first in a state. Behind that it must know whether
anything that touches them could just as well have come before: an event of the runs that it has
seen from there on, none of whose causes is a step of theirs. A ``Threat`` is such an event with
all its causes back to a state; taken back over a step, it grows by the step if that is a cause.
The causes of an event are what a component did before on its own, and who sent what it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from chc_ref.check.cells import Interner, Memo
from chc_ref.check.renaming import Renaming
from chc_ref.check.touches import NONE, Touch, Touches, bits

OWN, ANY, OTHER = -2, -3, -4
"""What an event waits for at the component that it touches: nothing but that one's own state; any
message, on a channel that is not FIFO; nothing, as it is another one's event."""


@attrs.frozen(cache_hash=True)
class Threat:
    """An event that touches a component, seen from a state before it."""

    party: int
    """Position of the component."""
    waits: int
    """``OWN``, ``ANY``, ``OTHER``, or the channel that the component takes a message from."""
    causes: int
    """Bits of the components that do something before the event that it depends on."""
    needs: tuple[tuple[int, int], ...]
    """(channel, messages on it in the state that are taken before), in order."""
    shows: tuple[int, int] | None = None
    """What it shows to the observer, if that is the party."""

    @property
    def is_there(self) -> bool:
        """Tell whether the component could do it in the state, or has to do other things first.

        A message comes behind what is under way on its channel; without that it is yet to be sent.
        """
        return self.waits == OWN or any(channel == self.waits for channel, _ in self.needs)

    def covers(self, other: Threat) -> bool:
        """Tell whether ``other`` is no threat where this one is none."""
        needs = dict(other.needs)
        return not self.causes & ~other.causes and all(
            number <= needs.get(channel, 0) for channel, number in self.needs
        )


Future = int
"""Id of a set of threats."""
EMPTY: Future = 0


class Futures:
    """Sets of threats by small integers, taken back over steps."""

    def __init__(self, touches: Touches) -> None:
        self.values = Interner(frozenset())
        self._seen_by = touches
        self._touches = touches.values
        self._faulty = touches.cells.system.faulty
        self.back = Memo(lambda key: self._back(*key))
        """By (what a step touches, future behind it): the future as of the state before it, but
        for the step itself."""
        self.itself = Memo(self._itself)
        """By what a step touches: the future of its own."""
        self._joined = Memo(
            lambda key: self._least(self.values.values[key[0]] | self.values.values[key[1]])
        )

    def renamed(self, future: Future, renaming: Renaming) -> Future:
        """Give a future under other names."""
        return self.values(
            frozenset(self._renamed(one, renaming) for one in self.values.values[future])
        )

    def _renamed(self, threat: Threat, renaming: Renaming) -> Threat:
        lines = (self._seen_by.lines + channel for channel in renaming.channels)
        places = [*renaming.places, self._seen_by.observer, *lines]
        causes = sum(1 << places[at] for at in bits(threat.causes))
        needs = sorted((renaming.channels[channel], number) for channel, number in threat.needs)
        waits = threat.waits if threat.waits < 0 else renaming.channels[threat.waits]
        shows = threat.shows and self._seen_by.shown(threat.shows, renaming)
        return Threat(places[threat.party], waits, causes, tuple(needs), shows)

    def joined(self, futures: Iterable[Future]) -> Future:
        """Put futures together."""
        found = EMPTY
        for one in futures:
            if one != found:
                found = self._joined[min(one, found), max(one, found)]
        return found

    def threats(self, future: Future, first: int, parties: int) -> Iterator[Threat]:
        """Give what could come before those who go first.

        Args:
            future: behind them.
            first: bits of the components whose actions these are.
            parties: bits of all that they touch.

        """
        for one in self.values.values[future]:
            touches = parties >> one.party & 1 and not one.causes & first
            if touches and not (first >> one.party & 1 and one.is_there):
                yield one

    def _itself(self, number: int) -> Future:
        touch: Touch = self._touches.values[number]
        found = set()
        taken = touch.taken
        ordered = taken != NONE and not self._faulty[taken]
        for party in bits(touch.parties):
            waits = OTHER
            if party == touch.actor:
                waits = OWN if taken == NONE else taken if ordered else ANY
            needs = ((taken, 1),) if ordered else ()
            found.add(Threat(party, waits, touch.parties & ~(1 << party), needs))
        needs = ((taken, 1),) if ordered else ()
        for line in touch.ends:
            found.add(Threat(self._seen_by.lines + line, OTHER, touch.parties, needs))
        if touch.shows is not None:
            found.add(Threat(self._seen_by.observer, OTHER, touch.parties, needs, touch.shows))
        return self._least(found)

    def _back(self, number: int, future: Future) -> Future:
        touch: Touch = self._touches.values[number]
        back = (_before(one, touch, self._faulty) for one in self.values.values[future])
        return self._least({one for one in back if one is not None})

    def _least(self, threats: Iterable[Threat]) -> Future:
        """Leave out what others cover."""
        kept: dict[Any, list[Threat]] = {}
        for one in sorted(
            threats, key=lambda t: (t.causes.bit_count(), len(t.needs), t.needs, t.causes)
        ):
            same = kept.setdefault((one.party, one.waits, one.shows), [])
            if not any(other.covers(one) for other in same):
                same[:] = [other for other in same if not one.covers(other)]
                same.append(one)
        return self.values(frozenset(one for same in kept.values() for one in same))


def _before(threat: Threat, touch: Touch, faulty: tuple[bool, ...]) -> Threat | None:
    """Give a threat as of the state before a step; None if it waits for what it touches."""
    needs = dict(threat.needs)
    sent = [(channel, had) for channel, had in touch.puts if needs.get(channel, 0) > had]
    if not threat.causes & touch.parties and not sent:
        return None if touch.taken == threat.waits else threat
    causes = threat.causes | touch.parties
    if causes >> threat.party & 1:
        return None
    needs.update(sent)
    if touch.taken != NONE and not faulty[touch.taken]:
        needs[touch.taken] = needs.get(touch.taken, 0) + 1
    left = tuple(sorted((channel, number) for channel, number in needs.items() if number))
    return Threat(threat.party, threat.waits, causes, left, threat.shows)
