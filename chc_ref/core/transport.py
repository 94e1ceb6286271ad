"""Transport: FIFO exactly-once channels over a network that loses, doubles and reorders.

Owns, for one endpoint and each of its peers, what is sent and not yet acknowledged, what came
too early, and which incarnation of the peer this is about. It looks into no message.

The paper says nothing of channels, yet these rules are right on FIFO exactly-once ones only:
- MOVE-1, MOVE-2: a last mark means "no earlier packet follows", so nothing may overtake it; a
  doubled packet behind it would be processed by an instance that has given its flow up.
- MOVE-6: the mark ``Passed`` says the same of an instance's output.
- STORE-5, STORE-6: operations are applied in the order each instance issued its own, and an
  unacknowledged one is sent again; also a ``Release`` must not overtake the flush before it.
- CLONE-2: the end of a replay stands behind every replayed packet, on every channel.
- DEL-1, DEL-2, DEL-3: a lost delete or commit signal leaves its packet in the log for ever.

House rules: no message is numbered for an incarnation that the sender does not know. The
numbers count one stream, from one incarnation to one incarnation; while the receiver's is
unknown (0) only an empty probe is sent, which makes it answer. Were first messages sent along
with the 0, a late copy could reach the receiver's next incarnation and be taken for a message
of the same number in the stream to that one, which would then be lost as a repeat.

A peer may have taken a message and died before its acknowledgement arrived. Nobody can tell;
the message is sent again, and the next incarnation takes it too. The core is made for that: a
failover drops old packets that are not part of its replay, and answers to its predecessor.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import Send
from chc_ref.core.values import Address, Map, evolve, sorted_items

Delivered = tuple[Address, Any]
"""(source, message), to be taken by the component in this order."""


@attrs.frozen(cache_hash=True)
class RetransmitTimer:
    """Event: a fixed time has gone by since the last one; send again what is overdue."""


@attrs.frozen(cache_hash=True)
class Datagram:
    """What crosses the network. Any of them may be lost, doubled or late."""

    source: Address
    to: Address
    source_incarnation: int
    """>= 1; counts the starts of ``source``."""
    incarnation: int
    """Of ``to``, as far as the sender knows; 0 when it does not."""
    sequence: int
    """Number of the first message in ``payload``; the stream begins with 1."""
    ack: int
    """Every message up to this number has been taken; 0 for none."""
    payload: tuple[Any, ...] = ()
    """Empty for a probe or a bare acknowledgement."""


@attrs.frozen(cache_hash=True)
class Peer:
    """Both directions of the channel with one peer."""

    incarnation: int = 0
    """Newest one heard of; 0 for none yet."""
    unacknowledged: tuple[Any, ...] = ()
    """Oldest first; the first ``flying`` of them are in flight, the rest wait."""
    first: int = 1
    """Number of the oldest unacknowledged message."""
    flying: int = 0
    """0 <= flying <= window, and 0 while the incarnation is unknown."""
    overdue: int = 0
    """Newest number that was in flight at the last timer: what is still there, is overdue."""
    expected: int = 1
    """Number of the next message to take."""
    early: Map[int, Any] = Map()
    """Messages behind a gap, by number; expected < number < expected + window."""

    def restarted(self, incarnation: int) -> Peer:
        """Begin new streams with a new incarnation; what is unacknowledged goes there."""
        return Peer(incarnation, self.unacknowledged)

    def acknowledged(self, ack: int) -> Peer:
        """Forget what the peer has taken; an old or absurd number changes nothing more."""
        count = min(max(ack - self.first + 1, 0), self.flying)
        return evolve(
            self,
            unacknowledged=self.unacknowledged[count:],
            first=self.first + count,
            flying=self.flying - count,
        )


@attrs.frozen(cache_hash=True)
class TransportState:
    """All channels of one endpoint; they die with it."""

    peers: Map[Address, Peer] = Map()

    def pending(self, but: frozenset[Address] = frozenset()) -> int:
        """Count the unacknowledged messages to peers other than ``but``."""
        return sum(len(p.unacknowledged) for to, p in self.peers.items() if to not in but)


@attrs.frozen
class Transport:
    """Transport machine of one incarnation of one endpoint.

    Driven by its component (``on_send``), by the network (``on_datagram``) and by a timer
    (``on_timer``). Each gives the datagrams to put on the network now, in order.
    """

    address: Address
    incarnation: int
    """>= 1, and higher than any before: the driver that starts an endpoint sees to it."""
    window: int = 64
    """Datagrams in flight to one peer; also how far ahead of a gap one is kept."""
    burst: int = 8
    """Datagrams sent again to one peer at one timer: a dead peer costs no more."""
    initial: TransportState = TransportState()

    def step(
        self, state: TransportState, event: Send | Datagram | RetransmitTimer
    ) -> tuple[TransportState, list[Delivered], list[Datagram]]:
        """Take any one event; gives the messages to deliver and the datagrams to send."""
        match event:
            case Send(to, message):
                state, datagrams = self.on_send(state, to, message)
                return state, [], datagrams
            case Datagram():
                return self.on_datagram(state, event)
            case RetransmitTimer():
                state, datagrams = self.on_timer(state)
                return state, [], datagrams

    def on_send(
        self, state: TransportState, to: Address, message: Any
    ) -> tuple[TransportState, list[Datagram]]:
        """Put ``message`` on the channel to ``to``."""
        peer = state.peers.get(to, Peer())
        peer = evolve(peer, unacknowledged=(*peer.unacknowledged, message))
        if not peer.incarnation:
            # One probe is on its way already unless this is the first message to wait.
            probes = [self._bare(to, peer)] if len(peer.unacknowledged) == 1 else []
            return self._put(state, to, peer), probes
        peer, datagrams = self._fill(to, peer)
        return self._put(state, to, peer), datagrams

    def on_datagram(
        self, state: TransportState, datagram: Datagram
    ) -> tuple[TransportState, list[Delivered], list[Datagram]]:
        """Take a datagram off the network. Never raises, whatever the numbers in it."""
        source = datagram.source
        peer = state.peers.get(source, Peer())
        if datagram.to != self.address or datagram.source_incarnation < peer.incarnation:
            return state, [], []  # of a dead one: its successor has been heard already
        if datagram.source_incarnation > peer.incarnation:
            peer = peer.restarted(datagram.source_incarnation)
        mine = datagram.incarnation == self.incarnation
        messages: list[Any] = []
        if mine:
            peer, messages = self._take(peer.acknowledged(datagram.ack), datagram)
        # A probe, or a message to our predecessor, is answered so that its sender learns of us.
        answers = [self._bare(source, peer)] if datagram.payload or not mine else []
        peer, more = self._fill(source, peer)
        delivered = [(source, message) for message in messages]
        return self._put(state, source, peer), delivered, answers + more

    def on_timer(self, state: TransportState) -> tuple[TransportState, list[Datagram]]:
        """Send again what was in flight at the last timer already, the oldest first."""
        datagrams: list[Datagram] = []
        for to, peer in sorted_items(state.peers):
            if not peer.unacknowledged:
                continue
            if not peer.incarnation:
                datagrams.append(self._bare(to, peer))
                continue
            late = min(peer.overdue - peer.first + 1, peer.flying, self.burst)
            datagrams += [self._numbered(to, peer, at) for at in range(late)]
            overdue = peer.first + peer.flying - 1
            state = self._put(state, to, evolve(peer, overdue=overdue))
        return state, datagrams

    # ------------------------------------------------------------------ parts

    def _take(self, peer: Peer, datagram: Datagram) -> tuple[Peer, list[Any]]:
        """Keep what is new, and take what is next without a gap."""
        early = peer.early
        for number, message in enumerate(datagram.payload, datagram.sequence):
            if peer.expected <= number < peer.expected + self.window:
                early = early.insert(number, message)
        expected, taken = peer.expected, []
        while expected in early:
            taken.append(early[expected])
            early = early.remove(expected)
            expected += 1
        return evolve(peer, expected=expected, early=early), taken

    def _fill(self, to: Address, peer: Peer) -> tuple[Peer, list[Datagram]]:
        """Let what waits fly, as far as the window allows."""
        if not peer.incarnation:
            return peer, []
        flying = min(len(peer.unacknowledged), self.window)
        fresh = [self._numbered(to, peer, at) for at in range(peer.flying, flying)]
        return evolve(peer, flying=flying), fresh

    def _numbered(self, to: Address, peer: Peer, at: int) -> Datagram:
        bare = self._bare(to, peer)
        return evolve(bare, sequence=peer.first + at, payload=(peer.unacknowledged[at],))

    def _bare(self, to: Address, peer: Peer) -> Datagram:
        ack = peer.expected - 1
        return Datagram(self.address, to, self.incarnation, peer.incarnation, 0, ack)

    def _put(self, state: TransportState, to: Address, peer: Peer) -> TransportState:
        return evolve(state, peers=state.peers.insert(to, peer))
