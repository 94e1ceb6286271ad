"""Schedules: when flows move and instances crash during a replay.

Written on the command line (``--move nat.1@4000=10.1.0.5``, ``--crash portscan.0@9000``), in
a TOML file, or drawn from the seed.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any, TypeVar

import attrs

from chc_ref.core.messages import Arrive, MoveRequested
from chc_ref.core.values import Address, Flow, vertex_of
from chc_ref.errors import UsageError
from chc_ref.files import read_toml

T = TypeVar("T", bound=attrs.AttrsInstance)

RECENT = 500
"""A move takes the selected flows that had a packet among the last so many arrivals."""


@attrs.frozen
class MoveAt:
    """Move flows to an instance once ``at`` packets have arrived."""

    at: int
    to: Address
    select: str = "*"
    """An inside host, a flow as the reports print it, or ``*`` for all."""

    @classmethod
    def parse(cls, text: str) -> MoveAt:
        """Read ``INSTANCE@PACKETS`` or ``INSTANCE@PACKETS=SELECT``.

        Raises:
            UsageError: ``text`` is not of that form.

        """
        found = re.fullmatch(r"([^@=]+)@(\d+)(?:=(.+))?", text)
        if found is None:
            raise UsageError(f"move {text!r} is not of the form INSTANCE@PACKETS[=SELECT]")
        return cls(int(found[2]), found[1], found[3] or "*")

    def wishes(self, arrivals: tuple[Arrive, ...]) -> list[MoveRequested]:
        """Give the moves that this means for an input stream."""
        flows: dict[Flow, None] = {}
        for arrival in arrivals[max(0, self.at - RECENT) : self.at]:
            flow = arrival.flow
            if self.select in ("*", str(flow), getattr(flow, "inside", None)):
                flows[flow] = None
        return [MoveRequested(vertex_of(self.to), flow, self.to) for flow in flows]


@attrs.frozen
class CrashAt:
    """Crash an instance once ``at`` packets have arrived."""

    at: int
    instance: Address

    @classmethod
    def parse(cls, text: str) -> CrashAt:
        """Read ``INSTANCE@PACKETS``.

        Raises:
            UsageError: ``text`` is not of that form.

        """
        found = re.fullmatch(r"([^@=]+)@(\d+)", text)
        if found is None:
            raise UsageError(f"crash {text!r} is not of the form INSTANCE@PACKETS")
        return cls(int(found[2]), found[1])


@attrs.frozen
class Schedule:
    """What happens to a chain during a replay."""

    moves: tuple[MoveAt, ...] = ()
    crashes: tuple[CrashAt, ...] = ()
    seed: int = 1
    """Of the interleaving, and of what is drawn."""

    def checked(self, instances: tuple[Address, ...]) -> Schedule:
        """Give the schedule back if the chain has its instances.

        Raises:
            UsageError: it names one that the chain has not.

        """
        for name in [m.to for m in self.moves] + [c.instance for c in self.crashes]:
            if name not in instances:
                known = ", ".join(instances)
                raise UsageError(f"the schedule names an unknown instance {name!r}; known: {known}")
        return self


def load(path: Path) -> Schedule:
    """Read a schedule file: ``seed``, ``[[move]]`` (at, to, select), ``[[crash]]`` (at, instance).

    Raises:
        UsageError: the file cannot be read or is malformed; the text names file and place.

    """
    data = read_toml(path)
    unknown = data.keys() - {"seed", "move", "crash"}
    if unknown:
        raise UsageError(f"{path}: unknown key {min(unknown)!r}; known: seed, move, crash")
    moves = tuple(_entry(path, MoveAt, entry) for entry in _table(path, data, "move"))
    crashes = tuple(_entry(path, CrashAt, entry) for entry in _table(path, data, "crash"))
    seed = data.get("seed", 1)
    if not isinstance(seed, int):
        raise UsageError(f"{path}: seed must be a whole number")
    return Schedule(moves, crashes, seed)


def _table(path: Path, data: dict[str, Any], name: str) -> list[Any]:
    entries = data.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path}: {name} must be a list of tables: [[{name}]]")
    return entries


def _entry(path: Path, kind: type[T], entry: dict[str, Any]) -> T:
    fields = {"at": int, "to": str, "select": str, "instance": str}
    for name, value in entry.items():
        if name not in fields or not isinstance(value, fields[name]):
            raise UsageError(f"{path}: {kind.__name__}: bad entry {name} = {value!r}")
    try:
        return kind(**entry)
    except TypeError:
        names = ", ".join(field.name for field in attrs.fields(kind))
        raise UsageError(f"{path}: {entry} needs the keys {names}") from None


def draw(instances: tuple[Address, ...], packets: int, seed: int) -> Schedule:
    """Draw one move and one crash, in the middle half of the input."""
    chance = random.Random(seed)
    span = (packets // 4, max(packets // 4, 3 * packets // 4))
    move = MoveAt(chance.randint(*span), chance.choice(instances))
    crash = CrashAt(chance.randint(*span), chance.choice(instances))
    return Schedule((move,), (crash,), seed)
