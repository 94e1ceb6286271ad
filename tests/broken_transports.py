"""Seeded faults of the transport, one rule each: what the storm and the models must catch."""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.transport import Datagram, Peer, Transport, TransportState


@attrs.frozen
class Unnumbered(Transport):
    """Takes whatever comes, in whatever order."""

    def _take(self, peer: Peer, datagram: Datagram) -> tuple[Peer, list[Any]]:
        expected = max(peer.expected, datagram.sequence + len(datagram.payload))
        return attrs.evolve(peer, expected=expected), list(datagram.payload)


@attrs.frozen
class Repeating(Transport):
    """Keeps the order, and takes a repeat as if it were new."""

    def _take(self, peer: Peer, datagram: Datagram) -> tuple[Peer, list[Any]]:
        numbered = enumerate(datagram.payload, datagram.sequence)
        repeats = [message for number, message in numbered if number < peer.expected]
        peer, messages = Transport._take(self, peer, datagram)
        return peer, repeats + messages


@attrs.frozen
class Silent(Transport):
    """Sends nothing again."""

    def on_timer(self, state: TransportState) -> tuple[TransportState, list[Datagram]]:
        return state, []


@attrs.frozen
class Forgetful(Transport):
    """Forgets what is unacknowledged when its peer starts again."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        peer = state.peers.get(datagram.source, Peer())
        if datagram.source_incarnation > peer.incarnation:
            peer = attrs.evolve(peer, unacknowledged=(), flying=0)
            state = TransportState(state.peers.insert(datagram.source, peer))
        return Transport.on_datagram(self, state, datagram)


@attrs.frozen
class Credulous(Transport):
    """Takes numbers of a stream to its predecessor for its own."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        return Transport.on_datagram(
            self, state, attrs.evolve(datagram, incarnation=self.incarnation)
        )


@attrs.frozen
class Forgiving(Transport):
    """Takes datagrams of dead incarnations."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        known = state.peers.get(datagram.source, Peer()).incarnation
        newest = max(known, datagram.source_incarnation)
        return Transport.on_datagram(self, state, attrs.evolve(datagram, source_incarnation=newest))
