"""Seeded faults of the transport, one rule each: what storm, models and TLA+ must catch."""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.transport import Datagram, Peer, Transport, TransportState
from chc_ref.core.values import Map


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


@attrs.frozen
class Careless(Transport):
    """Throws away what comes early."""

    def _take(self, peer: Peer, datagram: Datagram) -> tuple[Peer, list[Any]]:
        peer, messages = Transport._take(self, peer, datagram)
        return attrs.evolve(peer, early=Map()), messages


@attrs.frozen
class Collecting(Transport):
    """Keeps whatever comes early."""

    def _take(self, peer: Peer, datagram: Datagram) -> tuple[Peer, list[Any]]:
        return Transport._take(attrs.evolve(self, window=1000), peer, datagram)


@attrs.frozen
class Windowless(Transport):
    """Lets everything fly."""

    def _fill(self, to: str, peer: Peer) -> tuple[Peer, list[Datagram]]:
        return Transport._fill(attrs.evolve(self, window=1000), to, peer)


@attrs.frozen
class Restless(Transport):
    """Sends again what flies, overdue or not."""

    def on_timer(self, state: TransportState) -> tuple[TransportState, list[Datagram]]:
        for to, peer in state.peers.items():
            overdue = peer.first + peer.flying - 1 if peer.flying else peer.overdue
            peers = state.peers.insert(to, attrs.evolve(peer, overdue=overdue))
            state = TransportState(peers)
        return Transport.on_timer(self, state)


@attrs.frozen
class Unanswering(Transport):
    """Acknowledges no message by itself."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        state, delivered, datagrams = Transport.on_datagram(self, state, datagram)
        mine = datagram.incarnation == self.incarnation
        return state, delivered, datagrams[1:] if mine and datagram.payload else datagrams


@attrs.frozen
class Ignoring(Transport):
    """Answers nothing that is for another incarnation, or for none."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        state, delivered, datagrams = Transport.on_datagram(self, state, datagram)
        mine = datagram.incarnation == self.incarnation
        return state, delivered, datagrams if mine else datagrams[1:]


@attrs.frozen
class Boastful(Transport):
    """Acknowledges what came early, and so what is missing before it."""

    def _bare(self, to: str, peer: Peer) -> Datagram:
        bare = Transport._bare(self, to, peer)
        return attrs.evolve(bare, ack=max(peer.early.keys(), default=bare.ack))


@attrs.frozen
class Literal(Transport):
    """Takes an acknowledgement to be of one message, the oldest."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        first = state.peers.get(datagram.source, Peer()).first
        ack = datagram.ack if datagram.ack == first else 0
        return Transport.on_datagram(self, state, attrs.evolve(datagram, ack=ack))


@attrs.frozen
class Hasty(Transport):
    """Sends messages to an incarnation that it does not know, and takes such ones."""

    def on_send(
        self, state: TransportState, to: str, message: Any
    ) -> tuple[TransportState, list[Datagram]]:
        peer = state.peers.get(to, Peer())
        peer = attrs.evolve(peer, unacknowledged=(*peer.unacknowledged, message))
        peer, datagrams = self._fill(to, peer)
        return TransportState(state.peers.insert(to, peer)), datagrams

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        if datagram.payload and not datagram.incarnation:
            datagram = attrs.evolve(datagram, incarnation=self.incarnation)
        return Transport.on_datagram(self, state, datagram)

    def _fill(self, to: str, peer: Peer) -> tuple[Peer, list[Datagram]]:
        known = peer.incarnation
        peer, datagrams = Transport._fill(self, to, attrs.evolve(peer, incarnation=known or 1))
        datagrams = [attrs.evolve(one, incarnation=known) for one in datagrams]
        return attrs.evolve(peer, incarnation=known), datagrams


@attrs.frozen
class Meddling(Transport):
    """Takes messages of a stream to its predecessor for its own, and answers probes."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        if datagram.payload:
            datagram = attrs.evolve(datagram, incarnation=self.incarnation)
        return Transport.on_datagram(self, state, datagram)


class _NumbersOn(Peer):
    """A peer whose next incarnation is sent to as if it were the same."""

    def restarted(self, incarnation: int) -> Peer:
        return attrs.evolve(Peer(incarnation, self.unacknowledged), first=self.first)


@attrs.frozen
class Continuing(Transport):
    """Numbers on when its peer starts again."""

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[tuple[str, Any]], list[Datagram]]:
        peer = state.peers.get(datagram.source, Peer())
        if datagram.source_incarnation > peer.incarnation:
            peer = _NumbersOn(**{f.name: getattr(peer, f.name) for f in attrs.fields(Peer)})
            state = TransportState(state.peers.insert(datagram.source, peer))
        return Transport.on_datagram(self, state, datagram)
