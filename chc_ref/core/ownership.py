"""Ownership: which instance may update the objects of a flow, and what it is given of them.

Owns nothing; it is the part of the store that serves requests for a flow. Tenures of a flow
begin and end in order, whoever speaks first: a request that is too early is parked. Paper:
section 5.1.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.memory import FlowAt, Memory, Owner
from chc_ref.core.messages import Acquire, Granted, Release, Send
from chc_ref.core.operations import StateObject
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Branch, Map, ObjectKey, evolve, identity_of, vertex_of


@attrs.frozen
class Ownership:
    """The store's part that knows of owners."""

    objects: Map[str, tuple[StateObject, ...]]
    """The declared objects of each vertex whose state lives here."""
    roots: tuple[Address, ...] = ("root",)
    """By the identifier in their clocks (SPLIT-4)."""
    stamps: bool = False
    """Stamp what is read, for users that keep write-ahead logs (REC-5)."""
    rules: Rules = AMENDED

    def _owns(self, memory: Memory, source: Address, key: ObjectKey) -> bool:
        owner = memory.owners.get((key.vertex, key.key), Owner())
        return self.rules.may_update(owner.instance, source)

    def _tenure(
        self, memory: Memory, source: Address, request: Acquire | Release
    ) -> tuple[Memory, list[Send]]:
        """Serve a request for a flow, then all that was parked for this moment (MOVE-4)."""
        at = (vertex_of(source), request.flow)
        queue = [(source, request)]
        parked = list(memory.waiting.get(at, ()))
        effects: list[Send] = []
        while queue:
            whence, asked = queue.pop(0)
            owner = memory.owners.get(at, Owner())
            if self._must_wait(owner, asked):
                if (whence, asked) not in parked:
                    parked.append((whence, asked))
                continue
            memory, sent = self._serve(memory, at, whence, asked)
            effects += sent
            if memory.owners.get(at, Owner()).epoch != owner.epoch:
                queue, parked = queue + parked, []
        waiting = memory.waiting.insert(at, tuple(parked)) if parked else memory.waiting.discard(at)
        return evolve(memory, waiting=waiting), effects

    def _must_wait(self, owner: Owner, asked: Acquire | Release) -> bool:
        if isinstance(asked, Release):  # tenures end in order, whoever speaks first
            return self.rules.release_waits(asked.epoch, owner.epoch)
        return not asked.peek and self.rules.waits_for_owner(asked.epoch, owner.epoch)

    def _serve(
        self, memory: Memory, at: FlowAt, source: Address, asked: Acquire | Release
    ) -> tuple[Memory, list[Send]]:
        owner = memory.owners.get(at, Owner())
        free = owner.instance in (None, identity_of(source))
        if isinstance(asked, Acquire) and self.rules.is_over(asked.clock in memory.past):
            over = Granted(
                asked.flow,
                asked.epoch,
                asked.clock,
                (),
                False,
                asked.peek,
                over=True,
                branch=asked.branch,
            )
            return memory, [Send(source, over)]
        if isinstance(asked, Release):
            if asked.epoch == owner.epoch + 1 and free:
                memory = evolve(memory, owners=memory.owners.insert(at, Owner(None, asked.epoch)))
            return memory, []
        owned = not asked.peek and asked.epoch >= owner.epoch and free
        if owned:
            new = Owner(identity_of(source), asked.epoch)
            memory = evolve(memory, owners=memory.owners.insert(at, new))
        values, latest = self._as_of(memory, at, (asked.clock, asked.branch))
        granted = Granted(
            asked.flow,
            asked.epoch,
            asked.clock,
            values,
            owned,
            asked.peek,
            latest,
            branch=asked.branch,
        )
        return memory, [Send(source, granted)]

    def _as_of(
        self, memory: Memory, at: FlowAt, packet: tuple[int, Branch]
    ) -> tuple[tuple[tuple[str, Any], ...], bool]:
        """Give a flow's objects from before a packet touched them, and whether nothing newer did.

        For a flow's next packet that is the present value. A replayed packet must not see
        what later packets of its flow did: its own updates will be taken for repeats, and
        would be computed from a value that was never theirs to see (DUP-3, findings).
        """
        values, latest = [], True
        for declared in self.objects.get(at[0], ()):
            if declared.per_flow:
                key = ObjectKey(at[0], declared.name, at[1])
                versions = memory.versions.get(key, ())
                past = [v for u, v in versions if self.rules.sees((u.clock, u.branch), packet)]
                values.append((declared.name, past[-1] if past else declared.initial))
                latest = latest and all((u.clock, u.branch) <= packet for u, _ in versions)
        return tuple(values), latest
