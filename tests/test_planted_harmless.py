"""Planted faults that can break nothing: what they change is never looked at, and why.

A rule that raises stops a search with an error. So a claim about every reachable state of a model
is a rule that raises where the claim is wrong; and one that raises where the claim says anything at
all shows that the model comes there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from chc_ref.check.explore import Explorer, Limits
from chc_ref.check.model import load
from chc_ref.core.messages import Callback, Granted, Received, Send
from chc_ref.core.node import NodeState
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import StoreState
from chc_ref.core.values import vertex_of
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"


class MetError(Exception):
    """A claim says something of this step, or is wrong."""


def searched(model: str, step: Callable[..., Any]) -> Verdict:
    """Search a model with a rule that looks at every step."""
    rules = attrs.evolve(AMENDED, name=step.__name__, step=step)
    return Explorer(load(MODELS / f"{model}.toml"), rules, Limits(1_000_000, 120.0)).run().verdict


def unowned(sends: list[Send]) -> list[Granted]:
    """Give the state that is granted for a packet whose instance does not own its flow."""
    granted = [s.message for s in sends if isinstance(s.message, Granted)]
    return [one for one in granted if one.values and not (one.owned or one.peek or one.over)]


def is_unowned(address: Any, event: Any, before: Any, after: Any, sends: Any) -> Any:
    """Meet a grant without ownership."""
    if isinstance(before, StoreState) and unowned(sends):
        raise MetError
    return after, sends


def is_not_recorded(address: Any, event: Any, before: Any, after: Any, sends: Any) -> Any:
    """Find a grant without ownership to a packet whose update is still to be made."""
    if isinstance(before, StoreState):
        done = {(update.clock, update.branch) for update, _ in after.memory.records.items()}
        for one in unowned(sends):
            if (one.clock, one.branch) not in done:
                raise MetError
    return after, sends


def spoil(address: Any, event: Any, before: Any, after: Any, sends: list[Send]) -> Any:
    """Call the updater back with rubbish, and see that it is not looked at."""
    if isinstance(before, StoreState) and isinstance(event, Received):
        updater = event.source
        return after, [
            Send(s.to, attrs.evolve(s.message, value="rubbish"))
            if isinstance(s.message, Callback) and s.to == updater
            else s
            for s in sends
        ]
    if isinstance(before, NodeState) and before.up and rubbish(event) and after != before:
        raise MetError
    return after, sends


def rubbish(event: Any) -> bool:
    """Tell a call that was spoilt."""
    return isinstance(event, Received) and getattr(event.message, "value", None) == "rubbish"


def is_called_back(address: Any, event: Any, before: Any, after: Any, sends: list[Send]) -> Any:
    """Meet a call to the updater itself."""
    called = {send.to for send in sends if isinstance(send.message, Callback)}
    if isinstance(before, StoreState) and isinstance(event, Received) and event.source in called:
        raise MetError
    return after, sends


def passes_through(sends: list[Send]) -> list[tuple[str, Granted]]:
    """Give what is answered for packets that are replayed to another instance, with the vertex."""
    granted = [(vertex_of(s.to), s.message) for s in sends if isinstance(s.message, Granted)]
    return [(vertex, one) for vertex, one in granted if one.peek and not one.over]


def is_emulated(address: Any, event: Any, before: Any, after: Any, sends: list[Send]) -> Any:
    """Meet a packet that passes through the instance that updates."""
    if isinstance(before, StoreState) and any(at == "open" for at, _ in passes_through(sends)):
        raise MetError
    return after, sends


def is_emulated_first(address: Any, event: Any, before: Any, after: Any, sends: list[Send]) -> Any:
    """Find one that passes through before its own update is made."""
    if isinstance(before, StoreState):
        done = {(u.object.vertex, u.clock, u.branch) for u, _ in after.memory.records.items()}
        for vertex, one in passes_through(sends):
            if vertex == "open" and (vertex, one.clock, one.branch) not in done:
                raise MetError
    return after, sends


def meets(model: str, step: Callable[..., Any]) -> bool:
    """Tell whether some step of a model raises."""
    try:
        searched(model, step)
    except MetError:
        return True
    return False


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["crash_in_move"])
def test_who_owns_nothing_has_nothing_to_update(model: str) -> None:
    """OwnsWhateverItIsGiven (MOVE-4): the flow's next tenure has begun, so this one is done.

    All that the packet updates is on record, and an update that is on record is not made again
    (DUP-2): whether it is sent, as the fault does, or only looked up, the store answers the same.
    """
    assert meets(model, is_unowned)
    assert searched(model, is_not_recorded) is Verdict.HOLDS


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["copies_updated"])
def test_who_updates_has_no_copy_to_call_back(model: str) -> None:
    """UpdaterNotCalledBack (CACHE-3): an update drops the copy (finding 23), so a call finds none.

    A later copy comes with an answer to a later read, and FIFO channels bring the call before it.
    """
    assert meets(model, is_called_back)
    assert searched(model, spoil) is Verdict.HOLDS


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["crash_row_unanswered"])
def test_what_is_emulated_is_committed(model: str) -> None:
    """EmulatedInducesNothing (DEL-1): a token stands for an update that the store may not have.

    Who emulates a packet has asked the store about it, on the channel that its update took, and
    what is replayed waits behind the packet itself. So no delete that lacks the token comes before
    the commit, and a packet that is dropped from the log without its signal needs no replay.
    """
    assert meets(model, is_emulated)
    assert searched(model, is_emulated_first) is Verdict.HOLDS
