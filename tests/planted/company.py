# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of moves in company: with clones, other flows, splitters, dropped packets."""

from __future__ import annotations

from fractions import Fraction

import attrs

from chc_ref.core.messages import (
    Acquire,
    Delete,
    Forget,
    Granted,
    LastMark,
    Packet,
    Passed,
    Received,
    Send,
    Since,
    Speak,
    Start,
)
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.store import StoreState
from chc_ref.core.values import Map, count_of, identity_of, root_of
from chc_ref.variants import each, variant

evolve = attrs.evolve


def _of_instance(state, **changes):
    return evolve(state, instance=evolve(state.instance, **changes))


@variant(clauses=("MOVE-4",))
class FirstGoesLast:
    """The packet marked first, which asked for the flow, is processed behind the next one."""

    def step(address, event, before, after, sends):
        match event:
            case Received(store, Granted(flow, epoch, clock, owned=True)) if epoch > 0:
                blocked, start = before.instance.blocked, before.instance.client.start
                waiting = blocked.get((flow, epoch), ())
                first, second, *others = (*waiting, None, None)[:2] + waiting[2:]
                if not isinstance(second, Packet) or first.target or second.target:
                    return after, sends
                if first.clock != clock or second.clock < clock:
                    return after, sends
                blocked = blocked.insert((flow, epoch), (second, first, *others))
                ask = Acquire(flow, epoch, second.clock, False, start, second.branch)
                return _of_instance(before, blocked=blocked), [Send(store, ask)]
        return after, sends


@variant(clauses=("DUP-1", "SPLIT-4"))
class RootsShareClocks:
    """Repeats are told by a root's count alone: two roots' packets are taken for one."""

    def seen_before(seen, key):
        clock, branch, replay = key
        return any((count_of(c), b, r) == (count_of(clock), branch, replay) for c, b, r in seen)


@variant(clauses=("CLONE-3", "DUP-1"))
class CloneUnheard:
    """What a clone sends downstream before it is chosen is discarded: the straggler sends it."""

    def step(address, event, before, after, sends):
        if address == "manager":
            cloned = {one: hosts[1] for one, hosts in after.hosts.items() if len(hosts) > 1}
            sends = [
                evolve(send, message=evolve(send.message, mute="unheard"))
                if isinstance(send.message, Start)
                and cloned.get(identity_of(send.to)) == send.to
                and not send.message.mute
                else send
                for send in sends
            ]
            for one, hosts in before.hosts.items():
                chosen = len(hosts) > 1 and after.hosts.get(one) == hosts[1:]
                if chosen and hosts[1] not in dict(after.silencing.items()).values():
                    sends = [*sends, Send(hosts[1], Speak())]
        elif isinstance(after, NodeState) and after.instance.mute == "unheard":
            heard = tuple(one for one in after.instance.unsent if not one[1].outputs)
            after = _of_instance(after, unsent=heard)
        return after, sends


@variant(clauses=("MOVE-1", "CLONE-1"))
class MarksNotReplicated:
    """A splitter replicates packets to straggler and clone, and last marks to the first alone."""

    def step(address, event, before, after, sends):
        return after, _once(sends, LastMark)


@variant(clauses=("DUP-2",))
class CumulativeForget:
    """When a packet is deleted, the store forgets the records of all that came before it."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Forget(-1, last)):
                if before.asked:
                    return before, []
                records = before.memory.records
                left = {
                    update: record
                    for update, record in records.items()
                    if root_of(update.clock) != root_of(last) or update.clock > last
                }
                return evolve(before, memory=evolve(before.memory, records=Map(left))), []
        if isinstance(after, EntryState) and isinstance(before, EntryState) and after.up:
            logged = [clock for clock, _ in after.root.log.items()]
            gone = [clock for clock, _ in before.root.log.items() if clock not in logged]
            if gone and any(clock < max(gone) for clock in logged):
                sends = [*sends, Send("store", Forget(-1, max(gone)))]
        return after, sends


@variant(clauses=("SPLIT-3", "REC-1"))
class FreshSplitter:
    """The splitter behind a failover instance begins with the partition of the beginning."""

    def step(address, event, before, after, sends):
        return after, [
            evolve(send, message=evolve(send.message, moves=()))
            if isinstance(send.message, Start)
            and "." in send.to
            and identity_of(send.to) == send.to
            else send
            for send in sends
        ]


@variant(clauses=("MOVE-6", "MOVE-2"))
class MarkDiesWithPacket:
    """Where the NF drops the last packet of a flow's tenure, no mark is passed on."""

    def step(address, event, before, after, sends):
        if not isinstance(after, NodeState) or not isinstance(before, NodeState):
            return after, sends
        done = {}
        for send in sends:
            if isinstance(send.message, Packet) and send.message.target is None:
                done[send.message.clock] = "passed"
            elif isinstance(send.message, Delete):
                done[send.message.clock] = "passed" if send.message.waits else "dropped"
        flows = {packet.clock: packet.flow for packet in _packets(before, event)}
        seen = after.queue.seen
        for clock, fate in done.items():
            if clock in flows:
                seen = seen.insert((clock, (), (fate, flows[clock])), True)
        kept = [
            send
            for send in sends
            if not isinstance(send.message, Passed)
            or not _begun_here(before, send.message)
            or _fate(seen, send.message.flow) != "dropped"
        ]
        return evolve(after, queue=evolve(after.queue, seen=seen)), kept


def _packets(state, event):
    """Every packet that a host knows of."""
    found = [item for _, waiting in state.instance.blocked.items() for item in waiting]
    found += [getattr(item, "packet", item) for item in state.instance.ready]
    found += [item for _, item in (*state.instance.fifo, *state.instance.lane)]
    found += [item for _, item in (*state.queue.held, *state.queue.aside, *state.queue.late)]
    if state.instance.work is not None:
        found.append(state.instance.work.packet)
    if isinstance(event, Received):
        found.append(event.message)
    return [item for item in found if isinstance(item, Packet)]


def _begun_here(state, mark):
    """Not one that another instance's mark is passed on for."""
    return mark.epoch not in state.instance.released.get(mark.flow, ())


def _fate(seen, flow):
    fates = [(key[0], key[2][0]) for key, _ in seen.items() if key[2] and key[2][1] == flow]
    return max(fates)[1] if fates else None


@variant(clauses=("MOVE-3",))
class WaitsWithAll:
    """An instance that waits for the state of a flow takes nothing more from its queue."""

    def step(address, event, before, after, sends):
        if not isinstance(before, NodeState) or not (before.up and after.up):
            return after, sends
        if not any(epoch > 0 for (_, epoch), _ in before.instance.blocked.items()):
            return after, sends
        match event:
            case Received(_, Packet(target=None)) if after.queue.seen != before.queue.seen:
                pass
            case Received(_, LastMark()) if after.queue == before.queue:
                pass
            case _:
                return after, sends
        item = (event.source, event.message)
        instance = evolve(before.instance, fifo=(*before.instance.fifo, item))
        return evolve(before, queue=after.queue, instance=instance), []


@variant(clauses=("DUP-1",))
class NewestOfEachSender:
    """A queue takes whatever is older than the newest packet of the same sender for a repeat."""

    def step(address, event, before, after, sends):
        match event:
            case Received(source, Packet(clock, target=None)) if isinstance(after, NodeState):
                if before.queue.recovering or not before.up:
                    return after, sends
                sent = [key[0] for key, _ in before.queue.seen.items() if key[2] == ("of", source)]
                if any(root_of(c) == root_of(clock) and c > clock for c in sent):
                    return before, []
                seen = after.queue.seen.insert((clock, (), ("of", source)), True)
                return evolve(after, queue=evolve(after.queue, seen=seen)), sends
        return after, sends


@variant(clauses=("MOVE-6",))
class AnyFlowsMark:
    """The mark that a flow has passed names no flow: it lets all flows of its sender pass."""

    def step(address, event, before, after, sends):
        if not isinstance(before, NodeState):
            return after, sends
        owned = [(flow, tenanted.epoch) for flow, tenanted in before.instance.owned.items()]
        waiting = [slot for slot, _ in before.instance.blocked.items()]
        flows = sorted(set(owned + waiting), key=repr)
        more = []
        for send in sends:
            more.append(send)
            if isinstance(send.message, Passed) and _begun_here(before, send.message):
                more += [
                    evolve(send, message=Passed(flow, epoch + 1))
                    for flow, epoch in flows
                    if flow != send.message.flow
                ]
        return after, more


@variant(clauses=("MOVE-2", "CLONE-1"))
class OneHostEndsTheMove:
    """A move is over when one host of the old instance, straggler or clone, has handed over."""

    def ends_move(handed, hosts):
        return True


def _once(sends, kind):
    """Give what is sent with no message of a kind for a second host of its instance."""
    kept, met = [], set()
    for send in sends:
        if isinstance(send.message, kind):
            key = (identity_of(send.to), send.message)
            if key in met:
                continue
            met.add(key)
        kept.append(send)
    return kept


@variant(clauses=("MOVE-4", "CLONE-1"))
class GrantToStraggler:
    """Ownership that becomes free is told to one host of a cloned instance."""

    def step(address, event, before, after, sends):
        return after, _once(sends, Granted) if address == "store" else sends


@variant(clauses=("MOVE-6", "CLONE-1"))
class PassedToStraggler:
    """That a flow has passed is told to one host of a cloned instance below."""

    def step(address, event, before, after, sends):
        return after, _once(sends, Passed)


@variant(clauses=("MOVE-5", "CLONE-1"))
class SinceToStraggler:
    """Where a tenure begins is told to one host of a cloned instance above."""

    def step(address, event, before, after, sends):
        return after, _once(sends, Since)


@variant(clauses=("MOVE-6", "CLONE-3"))
class MarkOfStragglerOnly:
    """A clone never tells that a flow has passed: the straggler does."""

    def step(address, event, before, after, sends):
        return after, each(sends, Passed, lambda mark: None) if address.endswith("'") else sends


@variant(clauses=("MOVE-3",))
class OneWaiter:
    """Of the instances that wait for a flow the store remembers the one that asked last."""

    def step(address, event, before, after, sends):
        if not isinstance(after, StoreState):
            return after, sends
        waiting = after.memory.waiting
        for at, parked in waiting.items():
            asks = [one for one in parked if isinstance(one[1], Acquire)]
            if len({identity_of(host) for host, _ in asks}) > 1:
                left = tuple(one for one in parked if one not in asks[:-1])
                waiting = waiting.insert(at, left)
        return evolve(after, memory=evolve(after.memory, waiting=waiting)), sends


@variant(clauses=("ROOT-3", "DEL-1"))
class DropsWithoutVector:
    """The delete of a packet that an NF drops names no updates."""

    def step(address, event, before, after, sends):
        return after, each(sends, Delete, lambda d: d if d.waits else evolve(d, vectors=()))


@variant(clauses=("ROOT-3",))
class DropsWhole:
    """A copy that an NF drops ends the whole packet."""

    def step(address, event, before, after, sends):
        return after, each(sends, Delete, lambda d: d if d.waits else evolve(d, share=Fraction(1)))


@variant(clauses=("ROOT-3", "REC-1"))
class DropsOnceOnly:
    """A failover sends no delete of a packet that it drops."""

    def step(address, event, before, after, sends):
        if isinstance(after, NodeState) and after.instance.client.start > 0:
            sends = each(sends, Delete, lambda delete: delete if delete.waits else None)
        return after, sends
