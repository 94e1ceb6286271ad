# ruff: noqa: N805 - rules have no self
# mypy: ignore-errors
"""Planted faults of tables: a key that lacks something, an entry cleared too early or left out."""

from __future__ import annotations

import attrs

from chc_ref.core.messages import Committed, Hosts, Packet, Received, Release, Replay, Start
from chc_ref.core.node import EntryState, NodeState
from chc_ref.core.values import Map, identity_of
from chc_ref.variants import variant


@variant(clauses=("DEL-2", "SPLIT-4"))
class SignalsToTheFirstRoot:
    """Commit signals go to the first root, whichever has given the clock."""

    def step(address, event, before, after, sends):
        return after, [
            attrs.evolve(send, to="root") if isinstance(send.message, Committed) else send
            for send in sends
        ]


@variant(clauses=("DEL-3", "REC-1"))
class ReplayClearsSignals:
    """The root forgets the commit signals of what it replays: a replay begins with vector 0."""

    def step(address, event, before, after, sends):
        match event:
            case Received(_, Replay()) if isinstance(after, EntryState):
                log = Map(
                    {
                        clock: attrs.evolve(entry, signals=Map())
                        for clock, entry in after.root.log.items()
                    }
                )
                after = attrs.evolve(after, root=attrs.evolve(after.root, log=log))
        return after, sends


@variant(clauses=("REC-3", "MOVE-3"))
class RootStartsWithoutMovesUnderWay:
    """A new root is told the moves that are over: who waits for a flow does not have it yet."""

    def step(address, event, before, after, sends):
        if address != "manager":
            return after, sends
        moving = {(m.vertex, m.flow, m.epoch) for _, of in after.under_way.items() for m in of}

        def told(send):
            if not isinstance(send.message, Start) or not send.to.startswith("root"):
                return send
            over = (m for m in send.message.moves if (m.vertex, m.flow, m.epoch) not in moving)
            return attrs.evolve(send, message=attrs.evolve(send.message, moves=tuple(over)))

        return after, [told(send) for send in sends]


@variant(clauses=("MOVE-2", "REC-4", "STORE-5"))
class ReleaseForgetsLogged:
    """With a flow an instance gives up what it has logged of it, in a checkpoint or not."""

    def step(address, event, before, after, sends):
        given = {send.message.flow for send in sends if isinstance(send.message, Release)}
        if not given:
            return after, sends
        client = after.instance.client
        kept = tuple(one for one in client.issued if one.access.id.object.key not in given)
        instance = attrs.evolve(after.instance, client=attrs.evolve(client, issued=kept))
        return attrs.evolve(after, instance=instance), sends


@variant(clauses=("CLONE-1", "CLONE-3"))
class ClonedFlowsOnly:
    """A clone is sent the flows that a splitter had when it heard of it, and no later ones."""

    def step(address, event, before, after, sends):
        if not isinstance(after, EntryState | NodeState):
            return after, sends
        match event:
            case Received(_, Hosts(instance, hosts)) if after.up:
                table = after.splitter.hosts
                if len(hosts) > 1:
                    table = table.insert(f"flows of {instance}", _flows(before))
                else:
                    table = table.discard(f"flows of {instance}")
                after = attrs.evolve(after, splitter=attrs.evolve(after.splitter, hosts=table))
        table = after.splitter.hosts

        def is_late(send):
            instance = identity_of(send.to)
            flows = table.get(f"flows of {instance}")
            new = isinstance(send.message, Packet) and send.message.target is None
            clone = new and flows is not None and send.to == table[instance][1]
            return clone and send.message.flow not in flows

        return after, [send for send in sends if not is_late(send)]


def _flows(before):
    """Give the flows that a sender has had."""
    if isinstance(before, EntryState):
        flows = {packet.flow for _, (_, packet) in before.root.entered.items()}
    else:
        flows = {flow for (flow, _), _ in before.instance.blocked.items()}
        flows |= {flow for flow, _ in before.instance.owned.items()}
    return tuple(sorted(flows, key=repr))
