"""Client: the store's client-side library at one NF instance.

Owns what has been asked of the store and is not yet there or not yet answered: operations
that wait to be flushed (CACHE-2), copies of shared objects (CACHE-3, CACHE-4), the write-ahead
log and the newest reads (REC-5), and what may not leave the instance before the store has the
reads that it was computed from. Paper: sections 4.3 and 5.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from chc_ref.core.messages import (
    Acquire,
    Apply,
    Cache,
    Callback,
    Checkpointed,
    Issued,
    Packet,
    Result,
    Send,
    Stamp,
)
from chc_ref.core.operations import Draw, NetworkFunction, Strategy
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address, Map, ObjectKey, UpdateId, evolve

E = TypeVar("E")


@attrs.frozen(cache_hash=True)
class ClientState:
    """What the library holds; it dies with its instance."""

    start: int = 0
    """Number of this start; 0 for an instance that is nobody's failover."""
    unflushed: tuple[Apply, ...] = ()
    cache: Cache = Cache(True)
    copies: Map[ObjectKey, Any] = Map()
    expected: UpdateId | None = None
    """The access whose answer brings a copy, unless what may be cached changes before."""
    issued: tuple[Issued, ...] = ()
    """The write-ahead log, in the order of issue."""
    reads: Map[ObjectKey, Stamp] = Map()
    """The newest read of each shared object."""
    unconfirmed: frozenset[UpdateId] = frozenset()
    """Accesses served from a copy that the store has not confirmed."""
    outbox: tuple[tuple[frozenset[UpdateId], Any], ...] = ()
    """(accesses to be confirmed first, what then goes out), in order."""


@attrs.frozen
class Client:
    """The library's machine."""

    store: Address
    nf: NetworkFunction
    write_ahead: bool = False
    """Keep what a failover of the store asks for (REC-5)."""
    rules: Rules = AMENDED

    # ------------------------------------------------------------------ requests

    def ask(self, state: ClientState, packet: Packet, peek: bool) -> Send:
        """Ask for the objects of a packet's flow (MOVE-3, DUP-3)."""
        flow, epoch, clock = packet.flow, packet.epoch, packet.clock
        return Send(self.store, Acquire(flow, epoch, clock, peek, state.start, packet.branch))

    def flush(self, state: ClientState) -> tuple[ClientState, list[Send]]:
        """Flush the cached operations (CACHE-2): operations are sent, not values."""
        sends = []
        for access in state.unflushed:
            state, send = self.issue(state, access)
            sends.append(send)
        return evolve(state, unflushed=()), sends

    def issue(self, state: ClientState, access: Apply) -> tuple[ClientState, Send]:
        """Send an access to the store, behind its entry in the write-ahead log."""
        key = access.id.object
        if self.rules.drops_copy(bool(access.seen)) and not access.operation.reads_only:
            # It changes at the store: a copy would hide our own update from us (findings).
            state = evolve(state, copies=state.copies.discard(key))
        send = self.request(state, access)
        if send.message.register:
            state = evolve(state, expected=access.id)
        if self.write_ahead and self.rules.is_logged_ahead(access.operation.reads_only):
            state = evolve(state, issued=(*state.issued, Issued(send.message, access.seen)))
        return state, send

    def request(self, state: ClientState, access: Apply) -> Send:
        """Give the message for an access."""
        strategy, cache = self._strategy(access), state.cache
        copied = strategy is Strategy.COPIED and access.operation.reads_only
        alone = strategy is Strategy.ALONE and self.rules.caches_alone(cache.alone)
        waits = access.blocking and not access.emulate
        keeps = waits and cache.copies and (copied or alone)
        return Send(self.store, evolve(access, start=state.start, register=keeps))

    def serve(self, state: ClientState, access: Apply) -> tuple[ClientState, Apply] | None:
        """Serve an access from the copy at hand; None if only the store can (CACHE-3, CACHE-4).

        The store is told what was seen: a replay must see the same (DUP-2).
        """
        strategy, key = self._strategy(access), access.id.object
        reads = access.operation.reads_only
        if key not in state.copies or not state.cache.copies or isinstance(access.operation, Draw):
            return None
        if strategy is Strategy.COPIED and reads:
            _, result = access.operation.apply(state.copies[key])
        elif strategy is Strategy.ALONE and self.rules.caches_alone(state.cache.alone):
            value, result = access.operation.apply(state.copies[key])
            state = evolve(state, copies=state.copies.insert(key, value))
        else:
            return None
        state = evolve(state, unconfirmed=state.unconfirmed | {access.id})
        return state, evolve(access, seen=(result,), blocking=True)

    def _strategy(self, access: Apply) -> Strategy:
        return self.nf.declared(access.id.object.name).strategy

    # ------------------------------------------------------------------ answers

    def on_result(self, state: ClientState, result: Result) -> ClientState:
        """Note an answer: what it confirms, what it read, and the copy that came with it."""
        key = result.id.object
        if self.write_ahead:
            state = self._noted(state, result)
        if result.id == state.expected:  # once: a second answer may be older than what we did since
            if result.copy and result.id not in state.unconfirmed:
                state = evolve(state, copies=state.copies.insert(key, result.copy[0]))
            state = evolve(state, expected=None)
        return evolve(state, unconfirmed=state.unconfirmed - {result.id})

    def on_callback(self, state: ClientState, message: Callback) -> ClientState:
        """Take the new value of an object that we keep a copy of (CACHE-3)."""
        key = message.object
        if key not in state.copies:
            return state
        if message.stamp is not None:
            state = evolve(state, reads=state.reads.insert(key, message.stamp))
        return evolve(state, copies=state.copies.insert(key, message.value))

    def on_cache(self, state: ClientState, cache: Cache) -> ClientState:
        """Change what may be cached (CACHE-4). Every operation has been sent already."""
        return evolve(state, cache=cache, copies=Map(), expected=None)

    def on_checkpointed(self, state: ClientState, message: Checkpointed) -> ClientState:
        """Forget the part of the log that is in a checkpoint (REC-5).

        Up to the access itself, and not to an emulation of it, which may come long after; and
        not what an earlier start made in another order (findings).
        """
        if message.start != state.start:
            return state
        ids = [None if i.access.emulate else i.access.id for i in state.issued]
        after = ids.index(message.last) + 1 if message.last in ids else 0
        return evolve(state, issued=state.issued[after:])

    def on_recall(self, state: ClientState) -> ClientState:
        """The store has failed: copies are kept fresh by nobody now."""
        return evolve(state, copies=Map(), expected=None)

    def _noted(self, state: ClientState, result: Result) -> ClientState:
        if not result.known:
            return state
        answer = (result.value,)
        issued = tuple(
            evolve(i, result=answer) if i.access.id == result.id else i for i in state.issued
        )
        state = evolve(state, issued=issued)
        if result.stamp is None:
            return state
        return evolve(state, reads=state.reads.insert(result.id.object, result.stamp))

    # ------------------------------------------------------------------ output

    def let_out(
        self, state: ClientState, effects: list[E], bound: Callable[[E], bool]
    ) -> tuple[ClientState, list[E]]:
        """Let effects out, but for those that must wait until accesses are confirmed.

        Args:
            state: the library's state.
            effects: new effects, in order.
            bound: tells which of them leave the instance's host for other than the store.

        """
        out: list[E] = []
        outbox = list(state.outbox)
        while outbox and not outbox[0][0] & state.unconfirmed:
            out.append(outbox.pop(0)[1])
        for effect in effects:
            # Whatever is in the outbox still waits for one of these.
            if bound(effect) and self.rules.commits_first(len(state.unconfirmed)):
                outbox.append((state.unconfirmed, effect))
            else:
                out.append(effect)
        return evolve(state, outbox=tuple(outbox)), out
