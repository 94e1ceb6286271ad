"""Recovery: rebuilds the memory of a store from its checkpoint and its users' recollections.

Per-flow objects follow the clocks of their flow, so the logs say in which order (REC-4).
Of the updates of a shared object only the store knew the order; it is fixed up to the most
recent read, whose value and TS some instance has logged, and free from there on (REC-5, REC-6).
Paper: section 5.4, Figure 7.
"""

from __future__ import annotations

from typing import Any

from chc_ref.core.memory import FlowAt, Memory, Owner, Record
from chc_ref.core.messages import Apply, Issued, Recollection, Stamp
from chc_ref.core.operations import StateObject, drawn_now
from chc_ref.core.rules import Rules
from chc_ref.core.values import Address, Map, ObjectKey, UpdateId, evolve, identity_of, vertex_of


def restore(
    checkpoint: Memory,
    recalled: Map[Address, Recollection],
    objects: Map[str, tuple[StateObject, ...]],
    drawn: Any,
    rules: Rules,
) -> Memory:
    """Rebuild what the store knew (REC-4, REC-5).

    Args:
        checkpoint: the last one.
        recalled: recollection of every user that is there, by its host.
        objects: declared objects by vertex.
        drawn: what a non-deterministic operation that nobody has seen draws now (STORE-9).
        rules: the protocol.

    Returns:
        A memory that agrees with everything that any of them has read. Parked requests and the
        roots' log are not in it: who waits asks again, and a root that is there writes again.

    """
    hosts = sorted(host for host, _ in recalled.items())
    logs = {host: recalled[host].issued for host in hosts}
    memory = evolve(checkpoint, waiting=Map(), log=_log(checkpoint, recalled))
    memory = _owners(memory, recalled, hosts)
    declared = {ObjectKey(v, o.name, None): o for v, of in objects.items() for o in of}
    kinds = {
        issued.access.id.object: declared[evolve(issued.access.id.object, key=None)]
        for log in logs.values()
        for issued in log
    }
    results = _results(logs)
    if rules.rebuilds_from_logs(len(checkpoint.records)):
        memory = _per_flow(memory, logs, kinds, drawn)
    else:
        memory = _from_caches(memory, recalled, hosts)
    for key in sorted((key for key, kind in kinds.items() if not kind.per_flow), key=repr):
        stamps = [checkpoint.stamp(key)]
        stamps += [s for h in hosts for at, s in recalled[h].reads if at == key]
        memory = _shared(memory, key, kinds[key], tuple(stamps), logs, results, drawn, rules)
    return evolve(memory, applied=memory.applied.update(_applied(memory, logs)))


def _log(checkpoint: Memory, recalled: Map[Address, Recollection]) -> Map[int, Any]:
    """A root that is there writes its log once more; a checkpoint's may hold deleted packets."""
    return Map() if any("." not in user for user, _ in recalled.items()) else checkpoint.log


def _owners(memory: Memory, recalled: Map[Address, Recollection], hosts: list[Address]) -> Memory:
    owners = memory.owners
    for host in hosts:
        for flow, epoch, _ in recalled[host].owned:
            at: FlowAt = (vertex_of(host), flow)
            if epoch >= owners.get(at, Owner()).epoch:
                owners = owners.insert(at, Owner(identity_of(host), epoch))
    return evolve(memory, owners=owners)


def _results(logs: dict[Address, tuple[Issued, ...]]) -> dict[UpdateId, Any]:
    """Give every result that has reached anybody."""
    return {i.access.id: i.result[0] for log in logs.values() for i in log if i.result}


def _applied(
    memory: Memory, logs: dict[Address, tuple[Issued, ...]]
) -> dict[Address, tuple[int, UpdateId]]:
    """Give how far each log is in the memory: a read without an answer is still to be made.

    Were that trimmed from its log, a second failure would forget what it will have read (DUP-2).
    """
    applied = {}
    for host, log in logs.items():
        for issued in log:
            if issued.access.id not in memory.records:
                break
            if not issued.access.emulate:
                applied[host] = (issued.access.start, issued.access.id)
    return applied


def _per_flow(
    memory: Memory,
    logs: dict[Address, tuple[Issued, ...]],
    kinds: dict[ObjectKey, StateObject],
    drawn: Any,
) -> Memory:
    """Apply what the logs have and the checkpoint has not, in each flow's order (REC-4)."""
    accesses = {
        issued.access.id: (host, issued.access)
        for host, log in logs.items()
        for issued in log
        if kinds[issued.access.id.object].per_flow
    }
    for update in sorted(accesses, key=lambda u: (u.clock, u.branch, u.seq, str(u.object))):
        if update not in memory.records and update.clock not in memory.past:
            host, access = accesses[update]
            memory = _execute(memory, host, access, kinds[update.object], drawn)
    return memory


def _from_caches(
    memory: Memory, recalled: Map[Address, Recollection], hosts: list[Address]
) -> Memory:
    """REC-4 as written: take the cached values, and nothing else."""
    values = memory.values
    for host in hosts:
        for flow, _, cached in recalled[host].owned:
            for name, value in cached:
                values = values.insert(ObjectKey(vertex_of(host), name, flow), value)
    return evolve(memory, values=values)


def _shared(
    memory: Memory,
    key: ObjectKey,
    kind: StateObject,
    stamps: tuple[Stamp, ...],
    logs: dict[Address, tuple[Issued, ...]],
    results: dict[UpdateId, Any],
    drawn: Any,
    rules: Rules,
) -> Memory:
    """Start from the most recent read, and re-execute what it does not include (REC-5)."""
    mine = {h: [i for i in log if i.access.id.object == key] for h, log in logs.items()}
    updates = {
        h: tuple(a.id for i in of if not ((a := i.access).operation.reads_only or a.emulate))
        for h, of in mine.items()
    }
    base = rules.most_recent(stamps, tuple(updates.values()))
    last = {host: (update, result) for host, update, result in base.last}
    known, past = memory.records, memory.past
    for host, of in updates.items():
        newest, result = last.get(host, (None, None))
        # What a checkpoint has is on record, or over. An earlier start of the host may have made
        # it, in another order than this log has: a place in the log tells nothing (findings).
        if newest not in of or newest in known or newest.clock in past:
            continue
        results = {newest: result, **results}
        for update in of[: of.index(newest) + 1]:
            memory = _remember(memory, host, update, results.get(update), logs)
    if base.version:
        memory = evolve(memory, values=memory.values.insert(key, base.value))
    kept = Map({host: (update, result) for host, update, result in base.last})
    memory = evolve(memory, stamps=memory.stamps.insert(key, (base.version, kept)))
    for host, of_host in mine.items():
        for issued in of_host:
            access = issued.access
            if access.id in memory.records or access.id.clock in past:
                continue
            if issued.result and access.operation.reads_only:
                memory = _remember(memory, host, access.id, issued.result[0], logs)
            elif not access.operation.reads_only and not access.emulate:
                memory = _execute(memory, host, access, kind, drawn)
    return memory


def _remember(
    memory: Memory,
    host: Address,
    update: UpdateId,
    result: Any,
    logs: dict[Address, tuple[Issued, ...]],
) -> Memory:
    """Put an access on record that is in the value already."""
    access = next(i.access for i in logs[host] if i.access.id == update)
    token = 0 if access.operation.reads_only else access.token
    if update in memory.records:
        return memory
    return evolve(memory, records=memory.records.insert(update, Record(result, token)))


def _execute(memory: Memory, host: Address, access: Apply, kind: StateObject, drawn: Any) -> Memory:
    before = memory.values.get(access.id.object, kind.initial)
    after, result = drawn_now(access.operation, drawn).apply(before)
    record = Record(result, access.token)
    memory = evolve(memory, records=memory.records.insert(access.id, record))
    return memory.updated(host, access.id, kind, after, result, stamps=True)
