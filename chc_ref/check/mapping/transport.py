"""What the transport and its network are called in ``specs/Transport.tla``."""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.transport import Datagram, Peer
from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.system.peers import Fires, Happening, Loses, Peers, PeersState, Restarts, Sends, Takes

Names = dict[Any, Any]


@attrs.frozen
class Transport:
    """A system of peers, as the specification has it. It leaves out nothing."""

    system: Peers

    @property
    def constants(self) -> Names:
        """Give the bounds."""
        peers = self.system
        return {
            "Order": peers.order,
            "Traffic": {channel: peers.traffic.get(channel, 0) for channel in peers.channels},
            "MostRestarts": {address: peers.restarts.get(address, 0) for address in peers.order},
            "Window": peers.window,
            "Burst": peers.burst,
            "Room": peers.room,
        }

    def state(self, state: PeersState) -> Names:
        """Give the value of every variable."""
        return {
            "incarnation": dict(state.incarnations.items()),
            "sent": dict(state.sent.items()),
            "taken": {
                channel: [{"by": by, "message": message} for by, message in taken]
                for channel, taken in state.taken.items()
            },
            "peer": {address: self._peers(state, address) for address in self.system.order},
            "network": {_datagram(one) for one in state.network},
        }

    def action(self, state: PeersState, action: Happening) -> str:
        """Give the name of a step."""
        match action:
            case Sends():
                return "Send"
            case Fires():
                return "Timer"
            case Restarts():
                return "Restart"
            case Takes(_, stays):
                return "TakeCopy" if stays else "TakeDatagram"
            case Loses():
                return "Lose"
        raise UsageError(f"Transport has no action for {action!r}")

    def _peers(self, state: PeersState, address: str) -> Names:
        """Give what an endpoint knows; of a peer that it has no entry for, what it begins with."""
        known = state.transports[address].peers
        return {
            other: _peer(known.get(other, Peer()))
            for other in self.system.order
            if other != address
        }


def _peer(peer: Peer) -> Names:
    return {**_fields(peer), "early": dict(peer.early.items())}


def _datagram(datagram: Datagram) -> Record:
    fields = _fields(datagram)
    return Record({"sourceIncarnation": fields.pop("source_incarnation"), **fields})


def _fields(of: Any) -> Names:
    return {field.name: getattr(of, field.name) for field in attrs.fields(type(of))}
