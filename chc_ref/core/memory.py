"""Memory: what a store knows, apart from whom it is talking to.

One value, so that a checkpoint is a copy of it (REC-5). Paper: sections 4.3, 5.3 and 5.4.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import Acquire, Answered, LogEntry, Release, Stamp
from chc_ref.core.operations import StateObject
from chc_ref.core.values import (
    Address,
    Flow,
    Map,
    ObjectKey,
    Past,
    UpdateId,
    evolve,
    vertex_of,
)

FlowAt = tuple[str, Flow]
"""A flow at one vertex: the unit of ownership."""


@attrs.frozen(cache_hash=True)
class Owner:
    """Which instance may update a flow's objects at one vertex (STORE-2)."""

    instance: Address | None = None
    epoch: int = 0


@attrs.frozen(cache_hash=True)
class Record:
    """One access of a packet, and what it returned (DUP-2)."""

    result: Any
    token: int = 0
    """Token of the commit signal; 0 for an access that only read."""


@attrs.frozen(cache_hash=True)
class Memory:
    """Values, records, owners, and what the root has written."""

    values: Map[ObjectKey, Any] = Map()
    records: Map[UpdateId, Record] = Map()
    """Every access so far: it makes a repeat harmless (DUP-2)."""
    versions: Map[ObjectKey, tuple[tuple[UpdateId, Any], ...]] = Map()
    """Per-flow objects: (update, value after it), in order, to answer for the past (DUP-3)."""
    stamps: Map[ObjectKey, tuple[int, Map[Address, tuple[UpdateId, Any]]]] = Map()
    """Shared objects: how many updates, and the last one of each instance with its result."""
    applied: Map[Address, tuple[int, UpdateId]] = Map()
    """Newest access of each host that is in here, with the number of its start: the log of that
    start needs nothing up to it."""
    owners: Map[FlowAt, Owner] = Map()
    waiting: Map[FlowAt, tuple[tuple[Address, Acquire | Release], ...]] = Map()
    """Requests of later epochs, parked until their time (MOVE-3)."""
    persisted: Map[Address, int] = Map()
    """Newest clock count of each root (ROOT-5)."""
    log: Map[int, LogEntry] = Map()
    """The roots' log, where it is kept in this store (ROOT-2)."""
    past: Past = Past()
    """Packets that are over, and forgotten (DUP-2)."""
    answered: Map[Address, Answered] = Map()
    """Newest delete of each host on which its output may leave (REC-2)."""

    def stamp(self, key: ObjectKey) -> Stamp:
        """Give what a read of ``key`` finds now (REC-5)."""
        version, last = self.stamps.get(key, (0, Map()))
        latest = tuple((host, *last[host]) for host in sorted(host for host, _ in last.items()))
        return Stamp(version, self.values.get(key), latest)

    def forget(self, first: int, last: int) -> Memory:
        """Forget what packets that are over did (DUP-2).

        Of a flow's object the value that they left stays, if anybody may still ask what was
        before a later packet (DUP-3).
        """
        past = self.past.until(first, last)
        records = {update: r for update, r in self.records.items() if update.clock not in past}
        versions = {
            key: tuple(
                version
                for version, later in zip(of, (*of[1:], None), strict=True)
                if later is None or not past.is_one_span(version[0].clock, later[0].clock)
            )
            for key, of in self.versions.items()
        }
        return evolve(self, past=past, records=Map(records), versions=Map(versions))

    def held_by(self, instance: Address) -> tuple[Flow, ...]:
        """Give the flows that an instance has.

        One that it waits for has moved, as only tenures after the first wait (MOVE-3): the
        manager knows of it.
        """
        vertex = vertex_of(instance)
        flows = (
            flow
            for (at, flow), owner in self.owners.items()
            if at == vertex and owner.instance == instance
        )
        return tuple(sorted(flows, key=repr))

    def updated(
        self,
        host: Address,
        update: UpdateId,
        declared: StateObject,
        after: Any,
        result: Any,
        stamps: bool,
    ) -> Memory:
        """Give the memory with one object changed on behalf of ``host``."""
        key = update.object
        memory = evolve(self, values=self.values.insert(key, after))
        if declared.per_flow:
            versions = (*self.versions.get(key, ()), (update, after))
            return evolve(memory, versions=self.versions.insert(key, versions))
        if not stamps:
            return memory
        version, last = self.stamps.get(key, (0, Map()))
        stamp = (version + 1, last.insert(host, (update, result)))
        return evolve(memory, stamps=self.stamps.insert(key, stamp))
