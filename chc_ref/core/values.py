"""The nouns every machine shares: addresses, clocks, flows, updates and persistent maps.

House rules of ``chc_ref.core``: plain frozen values, pure functions, no I/O, no wall
clock, no randomness. A choice is an event; a machine never draws one.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from operator import attrgetter
from typing import Any, TypeVar

import attrs
from rpds import HashTrieMap

from chc_ref.errors import UsageError

T = TypeVar("T")

Flow = Hashable
"""The entry flow key: any hashable value; real captures use ``nfs.headers.FiveTuple``."""

Address = str
"""Name of a component: a root, a store, ``manager``, ``sink`` or the host of an NF instance.

An instance's ID is ``<vertex>.<index>`` and never changes (STORE-1). Its host has the same
name, or that name with a prime when a clone has taken the instance over (CLONE-3).
"""

Branch = tuple[int, ...]
"""Which of the copies of one input packet this is: one number per fan-out on its way."""

Map = HashTrieMap
"""Persistent map. Iteration order is arbitrary: sort before it can reach an effect."""

ROOT_BITS = 8
SEQUENCE_BITS = 56
"""SPLIT-4: a clock is 64 bits, the root's identifier above, its packet count below."""


def clock_of(root: int, count: int) -> int:
    """Give the clock of a root's packet (SPLIT-4, ROOT-1).

    Args:
        root: identifier of the root, 0 <= root < 2**8.
        count: packets this root has seen, 1 <= count < 2**56.

    Returns:
        The 64-bit clock.

    Raises:
        UsageError: either number does not fit its bits.

    """
    if not 0 <= root < 1 << ROOT_BITS:
        raise UsageError(f"root identifier {root} does not fit {ROOT_BITS} bits")
    if not 0 <= count < 1 << SEQUENCE_BITS:
        raise UsageError(f"packet count {count} does not fit {SEQUENCE_BITS} bits")
    return root << SEQUENCE_BITS | count


def root_of(clock: int) -> int:
    """Give the identifier of the root that issued ``clock`` (SPLIT-4)."""
    return clock >> SEQUENCE_BITS


def count_of(clock: int) -> int:
    """Give the packet count inside ``clock`` (SPLIT-4)."""
    return clock & ((1 << SEQUENCE_BITS) - 1)


def vertex_of(address: Address) -> str:
    """Give the vertex that an instance's address belongs to."""
    return address.partition(".")[0]


def identity_of(host: Address) -> Address:
    """Give the ID of the instance that runs on ``host`` (STORE-1, CLONE-1)."""
    return host.removesuffix("'")


def beside(host: Address) -> Address:
    """Give the other host of the same instance: where its clone runs (CLONE-1)."""
    return identity_of(host) if host.endswith("'") else host + "'"


def spread(flow: Hashable, instances: tuple[Address, ...]) -> Address:
    """Pick the instance that a flow goes to by default (SPLIT-2, SPLIT-3).

    Every splitter above a vertex uses this one rule, so all of them agree. CRC-32 because
    it is the same in every process, unlike ``hash``.
    """
    return instances[zlib.crc32(str(flow).encode()) % len(instances)]


@attrs.frozen(cache_hash=True)
class ObjectKey:
    """Key of one state object (STORE-1).

    The owner of a per-flow object is kept beside the value and not inside the key: a move
    then changes one entry of the store instead of renaming objects.
    """

    vertex: str
    name: str
    key: Any
    """The flow for a per-flow object; for a shared one whatever its scope names."""

    def __str__(self) -> str:
        return f"{self.vertex}.{self.name}" + (f"[{self.key}]" if self.key != () else "")


@attrs.frozen(cache_hash=True)
class UpdateId:
    """Identity of one access that one packet makes (DUP-2).

    ``seq`` counts the packet's accesses of this object at this vertex. Without it two
    updates of one object by one packet would be taken for a repeat (DUP-2, open).
    ``branch`` keeps apart two copies of a packet that reach the vertex over two edges.
    """

    clock: int
    branch: Branch
    object: ObjectKey
    seq: int

    def __str__(self) -> str:
        return f"{self.object}@{self.clock}#{self.seq}"


@attrs.frozen(cache_hash=True)
class Past:
    """Clocks of the packets that are over: every copy has ended, every update is committed.

    Such a packet needs nothing any more, so nothing need be known of it, but that it is over:
    a copy that is still under way is dropped by whoever gets it (DUP-1, DUP-2).
    """

    spans: tuple[tuple[int, int], ...] = ()
    """(first, last) clock of each span. A root that went on without its log begins a new one:
    it knows nothing of what came before it."""

    def __contains__(self, clock: int) -> bool:
        return self.span(clock) is not None

    def span(self, clock: int) -> tuple[int, int] | None:
        """Give the span that a clock is in; everything in it is over."""
        return next((span for span in self.spans if span[0] <= clock <= span[1]), None)

    def is_one_span(self, one: int, other: int) -> bool:
        """Tell whether all packets from clock ``one`` to ``other`` are over."""
        span = self.span(one)
        return span is not None and span[0] <= other <= span[1]

    def until(self, first: int, last: int) -> Past:
        """Give the past with everything from ``first`` to ``last`` in it."""
        others = dict(self.spans)
        others[first] = max(last, others.get(first, 0))
        return Past(tuple(sorted(others.items())))


_FIELDS: dict[type, tuple[Any, dict[str, int]]] = {}


def evolve(value: T, **changes: Any) -> T:
    """Give ``value`` with some fields changed: ``attrs.evolve``, three times as fast.

    Steps do little else, so this is worth its own lines. It is for classes all of whose
    fields are arguments of their constructor, in order and by name.
    """
    kind = type(value)
    if kind not in _FIELDS:
        names = [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]
        getter = attrgetter(*names) if len(names) > 1 else lambda v: (getattr(v, names[0]),)
        _FIELDS[kind] = getter, {name: at for at, name in enumerate(names)}
    getter, places = _FIELDS[kind]
    fields = list(getter(value))
    for name, change in changes.items():
        fields[places[name]] = change
    return kind(*fields)


def sorted_items(values: Map[Any, Any]) -> list[tuple[Any, Any]]:
    """List a map's items in a fixed order, for effects, reports and comparison."""
    return sorted(values.items(), key=lambda item: repr(item[0]))
