"""Peers: endpoints of the transport alone, on the worst network that it is made for.

No components: each endpoint sends messages that differ, as many as its traffic says, to each
other one. Nothing is left out that ``system.endpoint`` leaves out to have few states: channels
are closed at first, a timer fires at any time, an acknowledgement is a datagram as any other,
and anybody may start again. The network is a set, so that faults need no budget: what is in it
may be lost, taken, or taken and stay, at any time; a second copy would add nothing to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from chc_ref.core.messages import Send
from chc_ref.core.transport import Datagram, RetransmitTimer, Transport, TransportState
from chc_ref.core.values import Address, Map, evolve

Channel = tuple[Address, Address]
"""(source, to)."""

Message = tuple[Address, Address, int]
"""(source, to, number on its channel): no two are the same."""


@attrs.frozen
class Sends:
    """Action: the source of a channel sends its next message."""

    channel: Channel


@attrs.frozen
class Fires:
    """Action: an endpoint's timer fires."""

    address: Address


@attrs.frozen
class Restarts:
    """Action: an endpoint dies with all that it knows, and starts again."""

    address: Address


@attrs.frozen
class Takes:
    """Action: a datagram is taken."""

    datagram: Datagram
    stays: bool = False
    """The network keeps a copy."""


@attrs.frozen
class Loses:
    """Action: the network loses a datagram."""

    datagram: Datagram


Happening = Sends | Fires | Restarts | Takes | Loses


@attrs.frozen(cache_hash=True)
class PeersState:
    """Endpoints, what is between them, and what has come of what they sent."""

    incarnations: Map[Address, int]
    transports: Map[Address, TransportState]
    sent: Map[Channel, tuple[int, ...]]
    """The incarnation that sent each message, in order."""
    taken: Map[Channel, tuple[tuple[int, Any], ...]]
    """(incarnation that took it, message), in order."""
    network: frozenset[Datagram] = frozenset()


@attrs.frozen
class Peers:
    """The system: bounds, and the machine that every endpoint is."""

    order: tuple[Address, ...]
    traffic: dict[Channel, int]
    """Messages on each channel that has any, by all incarnations of its source."""
    restarts: dict[Address, int] = attrs.field(factory=dict)
    """How often those endpoints may start again that may."""
    window: int = 2
    burst: int = 2
    room: int = 1000
    """Most datagrams in the network; it loses at once what it has no room for."""
    kind: type[Transport] = Transport

    @property
    def channels(self) -> list[Channel]:
        """Give all channels, also those without traffic."""
        return [(one, other) for one in self.order for other in self.order if one != other]

    @property
    def initial(self) -> PeersState:
        """Begin with everybody's first start, and nothing known."""
        return PeersState(
            Map(dict.fromkeys(self.order, 1)),
            Map(dict.fromkeys(self.order, TransportState())),
            Map(dict.fromkeys(self.channels, ())),
            Map(dict.fromkeys(self.channels, ())),
        )

    def actions(self, state: PeersState) -> Iterator[Happening]:
        """Give all that may happen."""
        for channel, most in self.traffic.items():
            if len(state.sent[channel]) < most:
                yield Sends(channel)
        for address in self.order:
            yield Fires(address)
            if state.incarnations[address] <= self.restarts.get(address, 0):
                yield Restarts(address)
        for datagram in state.network:
            yield from (Takes(datagram), Takes(datagram, stays=True), Loses(datagram))

    def step(self, state: PeersState, action: Happening) -> PeersState:
        """Let ``action`` happen."""
        match action:
            case Sends((source, to) as channel):
                sent = state.sent[channel]
                message: Message = (source, to, len(sent) + 1)
                sent = (*sent, state.incarnations[source])
                state = evolve(state, sent=state.sent.insert(channel, sent))
                return self._happen(state, source, Send(to, message))
            case Fires(address):
                return self._happen(state, address, RetransmitTimer())
            case Restarts(address):
                incarnation = state.incarnations[address] + 1
                return evolve(
                    state,
                    incarnations=state.incarnations.insert(address, incarnation),
                    transports=state.transports.insert(address, TransportState()),
                )
            case Takes(datagram, stays):
                if not stays:
                    state = evolve(state, network=state.network - {datagram})
                return self._happen(state, datagram.to, datagram)
            case Loses(datagram):
                return evolve(state, network=state.network - {datagram})

    def _happen(self, state: PeersState, address: Address, event: Any) -> PeersState:
        """Let the machine of one endpoint take an event."""
        incarnation = state.incarnations[address]
        machine = self.kind(address, incarnation, self.window, self.burst)
        after, delivered, datagrams = machine.step(state.transports[address], event)
        taken = state.taken
        for source, message in delivered:
            way = (source, address)
            taken = taken.insert(way, (*taken[way], (incarnation, message)))
        network = state.network
        for datagram in datagrams:
            if len(network) < self.room:
                network |= {datagram}
        return evolve(
            state,
            transports=state.transports.insert(address, after),
            taken=taken,
            network=network,
        )
