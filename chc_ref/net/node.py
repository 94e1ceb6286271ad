"""One process, one component, one UDP socket on loopback.

``Endpoint`` puts a transport on a socket; ``Host`` puts a component on an endpoint. Both only
carry out what those two pure machines say: datagrams in, messages to the component, its sends
back out. The same classes serve the processes and the parent, which hosts the manager.

A process is given its configuration as one JSON argument, prints the port it has bound, reads
one line of JSON with the ports of all endpoints, and runs until its standard input is closed
(so it cannot outlive its parent) or its time is over.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import attrs

from chc_ref import chains
from chc_ref.core.chain import compile_chain
from chc_ref.core.messages import CheckpointTimer, Crashed, ForgetTimer, Received, Send
from chc_ref.core.node import Component, Entry, EntryState, NodeState, SinkState
from chc_ref.core.store import Store, StoreState
from chc_ref.core.transport import Datagram, Delivered, RetransmitTimer, Transport
from chc_ref.core.values import Address, sorted_items
from chc_ref.errors import ChcError, WireFormatError
from chc_ref.files import load_object
from chc_ref.net.wire import MOST_BYTES, Codec
from chc_ref.require.witness import Witness

LOOPBACK = "127.0.0.1"
WORLD = "world"
"""Address of the environment. What it sends are events, not messages of a component."""
TICK_S = 0.02
"""Seconds between two timers, of the transport and of the component."""
PERIOD_TICKS = 50
"""Timers between two checkpoints of a store, and between two words of a root on what is over."""
BUFFER_BYTES = 1 << 21
"""Asked of the kernel for each socket, so that a burst of all peers at once is not lost."""
PAGE_BYTES = MOST_BYTES // 2
"""Of a view in one answer."""
BATCH = 64
"""Datagrams taken in a row before timers are looked at."""


@attrs.frozen(cache_hash=True)
class Snapshot:
    """Ask for one view of a component's state, from byte ``begin`` on. Outside the protocol.

    By bytes and not by items, as one value of the store may be larger than a datagram.
    """

    view: str
    begin: int = 0


@attrs.frozen(cache_hash=True)
class Page:
    """Answer to ``Snapshot``: a part of the packed view, as it was when its first was asked for."""

    view: str
    begin: int
    data: bytes
    total: int


CONTROL: tuple[type, ...] = (Snapshot, Page)


def views(state: Any) -> dict[str, tuple[Any, ...]]:
    """Give what may be asked of a component: how much it has still to do, and its results."""
    match state:
        case EntryState(root):
            busy = len(root.log) + len(root.waiting)
            return {"pending": (busy,), "logged": (busy,), "dropped": (len(root.dropped),)}
        case NodeState(queue, instance):
            parts = (queue.held, queue.aside, instance.ready, instance.lane, instance.fifo)
            busy = sum(map(len, parts)) + len(instance.blocked) + len(instance.client.unflushed)
            busy += len(instance.client.outbox) + len(instance.deletes)
            return {"pending": (busy + (instance.work is not None) + (not state.up),)}
        case StoreState():
            memory = state.memory
            waiting = sum(len(parked) for _, parked in sorted_items(memory.waiting))
            return {"pending": (waiting,), "values": tuple(sorted_items(memory.values))}
        case SinkState(queue):
            pending = (len(queue.held),)
            return {"pending": pending, "outputs": state.outputs, "alerts": state.alerts}
    return {}


class Endpoint:
    """A transport on a UDP socket. It decides nothing; it owns the socket and the ports.

    Args:
        transport: of this address and incarnation.
        codec: for the datagrams.
        port: to bind on loopback, 0 for any.

    """

    def __init__(self, transport: Transport, codec: Codec, port: int = 0) -> None:
        self.transport = transport
        self.state = transport.initial
        self.codec = codec
        self.ports: dict[Address, int] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.socket.bind((LOOPBACK, port))
        self.socket.setblocking(False)

    @property
    def port(self) -> int:
        """The UDP port that is bound."""
        return int(self.socket.getsockname()[1])

    def send(self, to: Address, message: Any) -> None:
        """Send ``message`` to ``to``.

        Raises:
            UsageError: the message is too big, or is not made of listed classes.

        """
        self._step(Send(to, message))

    def receive(self) -> list[Delivered]:
        """Take one datagram off the socket; gives the messages that are delivered by it.

        Acknowledgements leave before the messages are given out (see ``core.transport``).

        Raises:
            BlockingIOError: none is there.

        """
        data, whence = self.socket.recvfrom(MOST_BYTES + 1)
        try:
            datagram = self.codec.decode(data)
        except WireFormatError:
            return []  # stray bytes are the network's, not ours: as good as lost
        if whence != (LOOPBACK, self.ports.get(datagram.source)):
            return []
        return self._step(datagram)

    def tick(self) -> None:
        """Let the transport's timer fire."""
        self._step(RetransmitTimer())

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _step(self, event: Send | Datagram | RetransmitTimer) -> list[Delivered]:
        self.state, delivered, datagrams = self.transport.step(self.state, event)
        for datagram in datagrams:
            try:
                data = self.codec.encode(datagram)
                self.socket.sendto(data, (LOOPBACK, self.ports[datagram.to]))
            except OSError:  # a full buffer: lost, and so sent again when it is overdue
                continue
        return delivered


def _periodic(component: Component) -> list[Any]:
    """Give the timers that the core leaves to its driver (DUP-2, REC-5)."""
    match component:
        case Entry():
            return [ForgetTimer()]
        case Store():
            return [CheckpointTimer()]
    return []


class Host:
    """A component on an endpoint.

    A later incarnation begins as what the crash left of the earlier one: not with the
    component's initial state, which would take messages before its ``Start`` (REC-1).
    """

    def __init__(
        self, component: Component, endpoint: Endpoint, witness: Witness | None = None
    ) -> None:
        self.component = component
        self.endpoint = endpoint
        self.witness = witness
        self.state = component.initial
        self.view = b""
        self.ticks = 0
        if endpoint.transport.incarnation > 1:
            self.happen(Crashed())

    def happen(self, event: Any) -> None:
        """Let ``event`` happen at the component, and carry out its effects."""
        if self.witness is not None:
            self.witness(self.endpoint.transport.address, self.state, event)
        self.state, sends = self.component.step(self.state, event)
        for send in sends:
            self.endpoint.send(send.to, send.message)

    def receive(self) -> None:
        """Take one datagram, and let its messages happen."""
        for source, message in self.endpoint.receive():
            if isinstance(message, Snapshot):
                self.endpoint.send(source, self.page(message))
            else:
                self.happen(message if source == WORLD else Received(source, message))

    def tick(self) -> None:
        """Let all timers fire, the component's own among them (CACHE-2)."""
        self.endpoint.tick()
        for event in self.component.offers(self.state):
            self.happen(event)
        self.ticks += 1
        if self.ticks % PERIOD_TICKS == 0:
            for event in _periodic(self.component):
                self.happen(event)

    def page(self, asked: Snapshot) -> Page:
        """Answer a request for a view.

        Messages on their way to others are pending too; those to the world are answers.
        """
        if asked.begin == 0:
            items = views(self.state).get(asked.view, ())
            if asked.view == "positions" and self.witness is not None:
                items = tuple(self.witness.positions.items())
            if asked.view == "pending":
                items = (sum(items) + self.endpoint.state.pending(frozenset({WORLD})),)
            self.view = self.endpoint.codec.pack(items)
        data = self.view[asked.begin : asked.begin + PAGE_BYTES]
        return Page(asked.view, asked.begin, data, len(self.view))


class Part(Protocol):
    """What a loop feeds."""

    @property
    def endpoint(self) -> Endpoint: ...

    def receive(self) -> None:
        """Take one datagram; BlockingIOError when none is there."""

    def tick(self) -> None:
        """Let all timers fire."""


class Loop:
    """Feeds parts with datagrams and timers. Use it as a context manager."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        self.due = time.monotonic() + TICK_S
        self.selector = selectors.DefaultSelector()
        for part in parts:
            self.selector.register(part.endpoint.socket, selectors.EVENT_READ, part)

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *_: object) -> None:
        self.selector.close()
        for part in self.parts:
            part.endpoint.close()

    def run(self, until: Callable[[], bool], end: float) -> bool:
        """Go on until ``until`` holds; False when it is ``end`` by the monotonic clock."""
        while not until():
            now = time.monotonic()
            if now >= end:
                return False
            if now >= self.due:
                self.due = now + TICK_S
                for part in self.parts:
                    part.tick()
            for key, _ in self.selector.select(max(0.0, min(self.due, end) - now)):
                self._drain(key.data)
        return True

    def _drain(self, part: Part) -> None:
        try:
            for _ in range(BATCH):
                part.receive()
        except BlockingIOError:
            return


def load_codec(classes: str) -> Codec:
    """Give the codec for the classes listed under ``module:attribute``; "" lists none."""
    return Codec((*CONTROL, *(load_object(classes) if classes else ())))


@attrs.frozen
class Config:
    """What a process is told on its command line."""

    component: Address
    incarnation: int
    chain: str
    """A TOML file, or ``module:attribute`` of a chain or of a function that gives one."""
    classes: str = ""
    """``module:attribute`` of the classes that the chain's headers are made of."""
    port: int = 0
    seconds: float = 60.0
    """Longest life."""


def serve(config: Config) -> None:
    """Be ``config.component`` until standard input is closed or time is over."""
    chain = chains.load(config.chain)
    physical = compile_chain(chain)
    transport = Transport(config.component, config.incarnation)
    endpoint = Endpoint(transport, load_codec(config.classes), config.port)
    print(endpoint.port, flush=True)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    endpoint.ports.update(json.loads(line))
    host = Host(physical.components[config.component], endpoint, Witness(chain))
    with selectors.DefaultSelector() as stdin, Loop((host,)) as loop:
        stdin.register(sys.stdin.buffer, selectors.EVENT_READ)
        loop.run(lambda: bool(stdin.select(0)), time.monotonic() + config.seconds)


def main(arguments: list[str]) -> int:
    """Run one process; gives its exit code."""
    try:
        serve(Config(**json.loads(arguments[0])))
    except (ChcError, OSError) as error:
        print(f"chc_ref.net.node: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    # By its name: a chain's module may import this one, and must get the same classes.
    sys.exit(load_object("chc_ref.net.node:main")(sys.argv[1:]))
