"""A chain on real processes, one of which is killed: the core outside of any simulation.

Every component but the manager is a process of its own; the manager and the environment are
endpoints of the parent. The parent feeds input, kills, reports the failure to the manager
(REC-0: fail-stop, detected at once) and collects what came of it. Whether that is what the
ideal chain gives is not judged here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import attrs

from chc_ref import chains
from chc_ref.core.chain import Chain, Physical, Vertex, compile_chain
from chc_ref.core.messages import Alert, Arrive, Failed, Output
from chc_ref.core.transport import Transport
from chc_ref.core.values import Address, Branch, ObjectKey
from chc_ref.errors import ToolError, UsageError
from chc_ref.net.node import (
    WORLD,
    Config,
    Endpoint,
    Host,
    Loop,
    Page,
    Snapshot,
    load_codec,
)
from chc_ref.nfs.headers import Connection, FiveTuple, Headers
from chc_ref.nfs.nat import NAT, Mapping
from chc_ref.nfs.tiny import COUNTER

PAUSE_S = 0.005
"""Seconds between two questions when there is nothing to do but to wait."""
SPARE_S = 60.0
"""Seconds that a process may live beyond the time limit, which begins when all of them run."""
GRACE_S = 2.0
"""Seconds that a process has to end after its standard input was closed."""

Crashes = tuple[tuple[int, Address], ...]
"""(number of packets sent before, instance to kill)."""


def counter_chain() -> Chain:
    """Give the default chain: one vertex that counts packets, on two instances."""
    return Chain((Vertex("counter", COUNTER, 2),))


def nat_chain() -> Chain:
    """Give the chain of ``chc demo``: a NAT on two instances."""
    return Chain((Vertex("nat", NAT, 2),))


NAT_CLASSES = (FiveTuple, Headers, Mapping, Connection)
"""Classes that travel in the headers, flows and values of ``nat_chain``."""


@attrs.frozen
class DemoResult:
    """What came of a demonstration; the caller compares it with the ideal chain."""

    values: dict[ObjectKey, Any]
    """Final values in the store."""
    outputs: tuple[Output, ...]
    """What left the chain, in order of leaving; at most one a crash is lost (REC-2)."""
    alerts: tuple[Alert, ...]
    positions: dict[tuple[str, int, Branch], int]
    """Order in which the store served what does not commute, for the ideal chain."""
    packets: int
    """Input packets sent to the root."""
    dropped: int
    """Of these, dropped at the root's threshold (ROOT-4)."""
    crashed: tuple[Address, ...]
    """Instances that were killed, and brought back."""
    seconds: float
    inconclusive: str = ""
    """Why it was not finished; the other fields say nothing then."""


class _OutOfTimeError(Exception):
    """The time limit has passed."""


class Cluster:
    """The processes of one physical chain. Ends what it started, and nothing else.

    Args:
        physical: the compiled chain.
        chain: its name, as ``chains.load`` takes it.
        classes: ``module:attribute`` of the classes its headers are made of, or "".
        seconds: longest life of a process.

    """

    def __init__(self, physical: Physical, chain: str, classes: str, seconds: float) -> None:
        self.addresses = tuple(a for a in physical.components if a != "manager")
        self.chain, self.classes, self.seconds = chain, classes, seconds
        self.incarnations = dict.fromkeys(self.addresses, 0)
        self.processes: dict[Address, subprocess.Popen[bytes]] = {}
        self.ports: dict[Address, int] = {}

    def start(self, ports: dict[Address, int]) -> None:
        """Start all processes, and tell each of them the ports of all and of ``ports``.

        Raises:
            ToolError: a process could not be started.

        """
        for address in self.addresses:
            self._spawn(address)
        self.ports.update(ports)
        for address in self.addresses:
            self.ports[address] = self._port_of(address)
        for address in self.addresses:
            self._tell(address)

    def kill(self, address: Address) -> None:
        """Kill a process: no handler of its runs, nothing more of it is sent (fail-stop)."""
        process = self.processes.pop(address)
        process.kill()
        self._reap(process)

    def restart(self, address: Address) -> None:
        """Start the next incarnation of a killed process on the port of the old one."""
        self._spawn(address)
        self._tell(address)

    def check(self) -> None:
        """Raise ToolError when a process has ended by itself."""
        for address, process in self.processes.items():
            code = process.poll()
            if code is not None:
                raise ToolError(f"the process of {address} ended with code {code}")

    def close(self) -> None:
        """End all processes."""
        for process in self.processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self.processes.values():
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
            self._reap(process)
        self.processes.clear()

    def _spawn(self, address: Address) -> None:
        self.incarnations[address] += 1
        port = self.ports.get(address, 0)
        config = Config(
            address, self.incarnations[address], self.chain, self.classes, port, self.seconds
        )
        command = [sys.executable, "-m", "chc_ref.net.node", json.dumps(attrs.asdict(config))]
        # The chain is imported by name there as it was here.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.processes[address] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def _port_of(self, address: Address) -> int:
        stdout = self.processes[address].stdout
        line = stdout.readline() if stdout is not None else b""
        if not line.strip().isdigit():
            raise ToolError(f"the process of {address} did not start")
        return int(line)

    def _tell(self, address: Address) -> None:
        stdin = self.processes[address].stdin
        try:
            if stdin is not None:
                stdin.write(json.dumps(self.ports).encode() + b"\n")
                stdin.flush()
        except BrokenPipeError:
            raise ToolError(f"the process of {address} did not start") from None

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


class Questioner:
    """The environment's endpoint: sends input, and keeps the newest answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.answer: Page | None = None

    def receive(self) -> None:
        """Take one datagram."""
        for _, message in self.endpoint.receive():
            self.answer = message if isinstance(message, Page) else self.answer

    def tick(self) -> None:
        """Let the transport's timer fire."""
        self.endpoint.tick()


class Demo:
    """One run: its cluster, the manager, the environment, and the time that is left."""

    def __init__(self, cluster: Cluster, manager: Host, world: Questioner) -> None:
        self.cluster, self.manager, self.world = cluster, manager, world
        self.loop = Loop((manager, world))
        self.end = 0.0

    def start(self, limit_s: float) -> None:
        """Start the cluster; its time begins when all of it runs."""
        ends = {WORLD: self.world.endpoint, "manager": self.manager.endpoint}
        self.cluster.start({name: endpoint.port for name, endpoint in ends.items()})
        for endpoint in ends.values():
            endpoint.ports.update(self.cluster.ports)
        self.end = time.monotonic() + limit_s

    def ask(self, to: Address, view: str) -> tuple[Any, ...]:
        """Give a view of a component, page by page."""
        data = b""
        while True:
            self.world.answer = None
            self.world.endpoint.send(to, Snapshot(view, len(data)))
            self._wait(self.end)
            page = self.world.answer
            if page is None:
                raise _OutOfTimeError(f"no answer from {to}")
            data += page.data
            if len(data) >= page.total:
                items: tuple[Any, ...] = self.world.endpoint.codec.unpack(data)
                return items

    def pause(self) -> None:
        """Let a moment go by."""
        if time.monotonic() > self.end:
            raise _OutOfTimeError("the chain was still at work")
        self.world.answer = None
        self._wait(time.monotonic() + PAUSE_S)

    def feed(self, packets: tuple[Arrive, ...], in_flight: int) -> None:
        """Send input to the root, keeping no more than ``in_flight`` packets in its log."""
        sent = 0
        while sent < len(packets):
            (logged,) = self.ask("root", "logged")  # behind all that was sent: FIFO
            if logged >= in_flight:
                self.pause()
            for packet in packets[sent : sent + max(0, in_flight - logged)]:
                self.world.endpoint.send("root", packet)
                sent += 1

    def crash(self, address: Address) -> None:
        """Kill an instance, start its failover, and report the failure (REC-0, REC-1)."""
        self.cluster.kill(address)
        self.cluster.restart(address)
        self.manager.happen(Failed(address))

    def settle(self) -> None:
        """Wait until nothing is left to do.

        In the order of the chain: what one component has sent was taken by the next before
        that one is asked. With an empty log no packet can turn up behind the question.
        """
        while self.manager.state.recovering or any(
            self.ask(address, "pending") != (0,) for address in self.cluster.addresses
        ):
            self.pause()

    def play(self, packets: tuple[Arrive, ...], schedule: Crashes, in_flight: int) -> None:
        """Feed the packets, with the crashes between them, and wait for the end."""
        sent = 0
        for after, address in schedule:
            self.feed(packets[sent:after], in_flight)
            sent = max(sent, after)
            self.crash(address)
        self.feed(packets[sent:], in_flight)
        self.settle()

    def collect(self, result: DemoResult) -> DemoResult:
        """Give ``result`` with everything that came of the run."""
        return attrs.evolve(
            result,
            values=dict(self.ask("store", "values")),
            outputs=self.ask("sink", "outputs"),
            alerts=self.ask("sink", "alerts"),
            positions=dict(self.ask("store", "positions")),
            dropped=self.ask("root", "dropped")[0],
        )

    def _wait(self, end: float) -> None:
        def answered() -> bool:
            self.cluster.check()
            return self.world.answer is not None

        self.loop.run(answered, end)


def run_demo(
    packets: tuple[Arrive, ...],
    chain: str = "chc_ref.net.demo:counter_chain",
    *,
    classes: str = "",
    crashes: Crashes | None = None,
    in_flight: int = 16,
    limit_s: float = 30.0,
) -> DemoResult:
    """Run a chain on processes of this host, and kill instances of it.

    Args:
        packets: input, in order.
        chain: its name, as ``chains.load`` takes it; each process loads it.
        classes: ``module:attribute`` of a tuple of the attrs classes and enumerations that
            travel in headers, flows, values and operations of the chain; "" for none.
        crashes: by default the first instance, after half of the packets.
        in_flight: most packets in the root's log.
        limit_s: seconds after which the run is inconclusive.

    Returns:
        What came of it. Every process that was started has ended.

    Raises:
        UsageError: no such chain or instance, or it cannot travel.
        ToolError: a process did not start, or ended by itself.

    """
    begin = time.monotonic()
    physical = compile_chain(chains.load(chain))
    codec = load_codec(classes)
    schedule = _schedule(physical, len(packets), crashes)
    cluster = Cluster(physical, chain, classes, limit_s + SPARE_S)
    manager, world = (Endpoint(Transport(name, 1), codec) for name in ("manager", WORLD))
    demo = Demo(cluster, Host(physical.components["manager"], manager), Questioner(world))
    result = DemoResult({}, (), (), {}, len(packets), 0, (), 0.0)
    try:
        with demo.loop:
            demo.start(limit_s)
            demo.play(packets, schedule, in_flight)
            result = demo.collect(result)
    except _OutOfTimeError as late:
        result = attrs.evolve(result, inconclusive=str(late))
    finally:
        cluster.close()
    crashed = tuple(address for _, address in schedule if cluster.incarnations[address] > 1)
    return attrs.evolve(result, crashed=crashed, seconds=time.monotonic() - begin)


def _schedule(physical: Physical, packets: int, crashes: Crashes | None) -> Crashes:
    """Give the crashes in order, or the default one."""
    instances = [address for of in physical.instances.values() for address in of]
    if crashes is None:
        return ((packets // 2, instances[0]),)
    for _, address in crashes:
        if address not in instances:
            raise UsageError(f"the chain has no instance {address!r}")
    return tuple(sorted(crashes))
