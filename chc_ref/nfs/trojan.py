"""Trojan detector (NF-3, section 6, Table 4; R4): SSH, then FTP downloads, then IRC.

Off the path, on a copy of the traffic. A host is reported when, in the order of arrival at
the chain, it (1) opened an SSH connection that was accepted, (2) opened an FTP connection
later on which an HTML, a ZIP and an EXE file were delivered, in any order, and (3) opened an
IRC connection after the last of them on which it gave its nick (De Carli, Sommer and Jha
2014, as the paper's section 2.1 tells it). Arrival is the clock (ORDER-1), never the moment
of processing: steps may be recorded late or by different instances.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import attrs

from chc_ref.core.operations import (
    FLOW,
    Access,
    Get,
    NetworkFunction,
    Outcome,
    Pattern,
    Process,
    Put,
    StateObject,
    off_path,
)
from chc_ref.core.values import evolve
from chc_ref.nfs.headers import HOST, TCP, FiveTuple, Headers

SSH_PORT, FTP_PORT, IRC_PORT = 22, 21, 6667
CONTROL_PORTS = frozenset({FTP_PORT, IRC_PORT})
"""Ports whose payload the detector reads."""

FILES = ("html", "zip", "exe")

MOST_STEPS = 8
"""Most steps that one packet may complete: lines of one FTP segment."""


@attrs.frozen(cache_hash=True, order=True)
class Step:
    """One step of one host."""

    clock: int
    """Arrival of what makes the step: the SYN of SSH and IRC, the reply that ends a download."""
    kind: str
    """``ssh``, ``irc``, or the ending of the file delivered."""
    connection: int
    """Clock of the SYN of the connection it belongs to."""


@attrs.frozen(cache_hash=True)
class Evidence:
    """The five arrivals that make a Trojan."""

    ssh: int
    html: int
    zip: int
    exe: int
    irc: int


@attrs.frozen(cache_hash=True)
class History:
    """Steps of one host, in clock order, and what they prove."""

    steps: tuple[Step, ...] = ()
    evidence: Evidence | None = None


@attrs.frozen(cache_hash=True)
class Record:
    """Custom operation: add a step; the result tells whether it completed the evidence.

    Adding commutes: the history is the same set in clock order whichever instance comes
    first, and the evidence is a function of it.
    """

    reads_only: ClassVar[bool] = False
    step: Step

    def apply(self, value: Any) -> tuple[Any, Any]:
        steps = tuple(sorted({*value.steps, self.step}))
        evidence = prove(steps)
        return History(steps, evidence), evidence is not None and value.evidence is None


def prove(steps: tuple[Step, ...]) -> Evidence | None:
    """Give the evidence with the earliest IRC arrival, or None."""
    found = []
    for irc in (s for s in steps if s.kind == "irc"):
        for connection in sorted({s.connection for s in steps if s.kind in FILES}):
            done = {
                kind: min(
                    (s.clock for s in steps if (s.kind, s.connection) == (kind, connection)),
                    default=irc.clock,
                )
                for kind in FILES
            }
            ssh = [s.clock for s in steps if s.kind == "ssh" and s.clock < connection]
            if ssh and max(done.values()) < irc.clock:
                found.append(Evidence(ssh[0], done["html"], done["zip"], done["exe"], irc.clock))
    return min(found, key=lambda e: (e.irc, e.ssh, e.html, e.zip, e.exe), default=None)


@attrs.frozen(cache_hash=True)
class Session:
    """What the detector keeps of one connection."""

    isn: int
    opened: int
    """Clock of its SYN."""
    asked: str = ""
    """Ending of the file that an FTP client has asked for and not yet got."""
    settled: bool = False
    """Its SSH or IRC step has been recorded."""


def _trojan(headers: Headers, flow: FiveTuple, clock: int) -> Process:
    """Read one packet of the copy; the copy itself goes no further."""
    if headers.protocol != TCP or flow.outside_port not in (SSH_PORT, FTP_PORT, IRC_PORT):
        return Outcome()
    known: Session | None = yield Access("session", Get())
    session, steps = known, list[Step]()
    if headers.opens and headers.outbound:
        if known is None or known.isn != headers.sequence:
            session = Session(headers.sequence, clock)
    elif known is not None:
        session, steps = _read(known, headers, flow.outside_port, clock)
    if session != known:
        yield Access("session", Put(session))
    completed = False
    for step in steps[:MOST_STEPS]:
        completed |= yield Access("history", Record(step), key=flow.inside)
    return Outcome((), (flow.inside,) if completed else ())


def _read(session: Session, headers: Headers, port: int, clock: int) -> tuple[Session, list[Step]]:
    """Give the session after a packet, and the steps that the packet completes."""
    if port == FTP_PORT:
        return _read_ftp(session, headers, clock)
    if session.settled:
        return session, []
    if port == SSH_PORT and not headers.outbound and headers.accepts:
        kind = "ssh"
    elif port == IRC_PORT and headers.outbound and b"NICK " in headers.payload:
        kind = "irc"
    else:
        return session, []
    return evolve(session, settled=True), [Step(session.opened, kind, session.opened)]


def _read_ftp(session: Session, headers: Headers, clock: int) -> tuple[Session, list[Step]]:
    """Follow RETR and its reply (RFC 959, sections 4.1.3 and 4.2)."""
    steps = []
    for line in headers.payload.split(b"\r\n"):
        if headers.outbound:
            asked = re.match(rb"(?i)RETR (\S+)", line)
            if asked:
                ending = asked[1].rpartition(b".")[2].decode("latin-1").lower()
                session = evolve(session, asked=ending)
        elif session.asked and re.match(rb"\d\d\d ", line) and line[:3] not in (b"150", b"125"):
            if line[:3] == b"226" and session.asked in FILES:
                steps.append(Step(clock, session.asked, session.opened))
            session = evolve(session, asked="")
    return session, steps


TROJAN = off_path(
    NetworkFunction(
        "trojan",
        (
            StateObject(
                "history",
                per_flow=False,
                initial=History(),
                accesses=MOST_STEPS,
                pattern=Pattern.BOTH,
                scope="host",
            ),
            StateObject("session", per_flow=True, accesses=2, pattern=Pattern.BOTH, scope="flow"),
        ),
        _trojan,
        (FLOW, HOST),
    )
)
