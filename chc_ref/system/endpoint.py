"""Endpoint: a component on a transport, as one more component.

The transport is the very machine that carries the chain over UDP (``core.transport``). Here its
datagrams cross a network that reorders them at will, and doubles and loses as many as its
budget says. What ``net.node`` does with processes happens within steps: a component that
crashes has a next incarnation at once, as the empty host that waits for its ``Start`` (REC-1).

Left out, so that the states stay few:
- Channels are open from the start: both ends know of the other's first incarnation. From a
  crash on they have to find out.
- The timer fires only while something is unacknowledged of which neither a copy nor any answer
  is under way (``System.is_stuck``). A timer that fires too early makes a copy of what is under
  way; so does a doubling.
- The window is small, so that it matters at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.chain import Physical
from chc_ref.core.messages import Crashed, Received, Send
from chc_ref.core.node import Component
from chc_ref.core.transport import (
    Datagram,
    Peer,
    RetransmitTimer,
    Transport,
    TransportState,
)
from chc_ref.core.values import Address, Map, evolve
from chc_ref.system.network import Content, Network, Stray

WINDOW = 2
"""Datagrams in flight to one peer."""

MakeTransport = Callable[[Address, int, int], Transport]
"""(address, incarnation, window) to the machine."""


@attrs.frozen(cache_hash=True)
class EndpointState:
    """A component's state, and all channels of its present incarnation."""

    inner: Any
    transport: TransportState
    incarnation: int = 1


@attrs.frozen
class Endpoint:
    """A component whose messages to and from ``peers`` go through a transport."""

    address: Address
    component: Component
    peers: tuple[Address, ...]
    make: MakeTransport = Transport
    window: int = WINDOW

    @property
    def initial(self) -> EndpointState:
        """Begin with open channels."""
        peers = Map({peer: Peer(incarnation=1) for peer in self.peers})
        return EndpointState(self.component.initial, TransportState(peers))

    def offers(self, state: EndpointState) -> list[Any]:
        """Offer the component's own timers, and the transport's while something is under way."""
        timers = [RetransmitTimer()] if state.transport.pending() else []
        return [*self.component.offers(state.inner), *timers]

    def step(self, state: EndpointState, event: Any) -> tuple[EndpointState, list[Send]]:
        """Take one event: the transport's own, or one of the component's."""
        transport = self.make(self.address, state.incarnation, self.window)
        match event:
            case Crashed():
                inner, _ = self.component.step(state.inner, event)
                return EndpointState(inner, transport.initial, state.incarnation + 1), []
            case RetransmitTimer() | Received(_, Datagram()):
                happened = event if isinstance(event, RetransmitTimer) else event.message
                channels, delivered, datagrams = transport.step(state.transport, happened)
                state = evolve(state, transport=channels)
                sends = [Send(datagram.to, datagram) for datagram in datagrams]
                for source, message in delivered:
                    state, more = self._happen(state, transport, Received(source, message))
                    sends += more
                return state, sends
        return self._happen(state, transport, event)

    def _happen(
        self, state: EndpointState, transport: Transport, event: Any
    ) -> tuple[EndpointState, list[Send]]:
        """Let the component take ``event``, and its sends go where they belong."""
        inner, sends = self.component.step(state.inner, event)
        channels, out = state.transport, []
        for send in sends:
            if send.to not in self.peers:
                out.append(send)
                continue
            channels, datagrams = transport.on_send(channels, send.to, send.message)
            out += [Send(datagram.to, datagram) for datagram in datagrams]
        return evolve(state, inner=inner, transport=channels), out


def over_network(physical: Physical, network: Network, make: MakeTransport = Transport) -> Physical:
    """Put a transport between components and the faulty channels of ``network``.

    Both ends of a faulty channel have one, and there is a channel back for acknowledgements.
    """
    pairs = {pair for pair in physical.channels if network.covers(*pair)}
    pairs |= {(to, source) for source, to in pairs}
    components = dict(physical.components)
    for address, component in physical.components.items():
        peers = tuple(sorted(to for source, to in pairs if source == address))
        if peers:
            components[address] = Endpoint(address, component, peers, make)
    back = sorted(pairs - set(physical.channels))
    return attrs.evolve(physical, components=components, channels=(*physical.channels, *back))


def acknowledgement(state: Any, content: Content) -> int | None:
    """Give the place of a datagram to an endpoint that acknowledges and does nothing else.

    That is: no payload, and of the incarnations that the endpoint knows of anyway. A copy that
    the network kept does not count.
    """
    if isinstance(state, EndpointState):
        for place, one in enumerate(content):
            if isinstance(one, Stray) and not one.copy and _is_bare(state, one.message):
                return place
    return None


def _is_bare(state: EndpointState, message: Any) -> bool:
    if not isinstance(message, Datagram) or message.payload:
        return False
    peer = state.transport.peers.get(message.source, Peer())
    ends = (message.source_incarnation, message.incarnation)
    return ends == (peer.incarnation, state.incarnation)


def _peers(test: Callable[[Peer], bool]) -> Callable[[Any], bool]:
    return lambda state: (
        isinstance(state, EndpointState)
        and any(test(peer) for _, peer in state.transport.peers.items())
    )


SITUATIONS: dict[str, Callable[[Any], bool]] = {
    "came_early": _peers(lambda peer: len(peer.early) > 0),
    "window_full": _peers(lambda peer: len(peer.unacknowledged) > peer.flying > 0),
    "overdue": _peers(lambda peer: peer.flying > 0 and peer.overdue >= peer.first),
    "heard_of_restart": _peers(lambda peer: peer.incarnation > 1),
}
"""Situations of a transport by name, as tests of an endpoint's state; see docs/models.md."""
