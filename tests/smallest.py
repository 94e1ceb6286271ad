"""One component in a smallest situation: what tests against surviving mutants share."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import (
    Apply,
    Arrive,
    Delete,
    Issued,
    Packet,
    Send,
)
from chc_ref.core.operations import (
    Increment,
    StateObject,
)
from chc_ref.core.root import Root, RootState
from chc_ref.core.values import (
    ObjectKey,
    UpdateId,
    spread,
)
from chc_ref.nfs.tiny import COUNTER, PASS

TWO = (StateObject("a", False, initial=0), StateObject("b", False, initial=10))


KEYS = {declared.name: ObjectKey("v", declared.name, ()) for declared in TWO}


def an_addition(clock: int, name: str) -> Issued:
    return Issued(Apply(UpdateId(clock, (), KEYS[name], 0), Increment(1), 1, False))


CHAIN = Chain(
    (Vertex("pass", PASS, 2), Vertex("count", COUNTER, 2, standby=1)), (("pass", "count"),)
)


COUNT = tuple(f"count.{n}" for n in range(3))


def after(name: str, *events: Any, chain: Chain = CHAIN) -> tuple[Any, Any, list[Send]]:
    """Give a component, its state after some events, and what the last one made it send."""
    component = compile_chain(chain).components[name]
    state: Any = component.initial
    sends: list[Send] = []
    for event in events:
        state, sends = component.step(state, event)
    return component, state, sends


def elsewhere(flow: str, of: tuple[str, ...]) -> str:
    return next(one for one in of if one != spread(flow, of))


def a_packet(clock: int, flow: str = "A", **fields: Any) -> Packet:
    return attrs.evolve(Packet(clock, flow, (flow,)), **fields)


PASSES = ("pass.0", "pass.1")


def an_access(name: str, seq: int = 0, operation: Any = None, **fields: Any) -> Apply:
    update = UpdateId(1, (), ObjectKey("v", name, ()), seq)
    return attrs.evolve(Apply(update, operation or Increment(1), 1, True), **fields)


def arrived(root: Root, flows: str) -> tuple[RootState, list[Any]]:
    state = RootState()
    effects: list[Any] = []
    for flow in flows:
        state, effects = root.on_arrival(state, Arrive(flow, (flow,)))
    return state, effects


def a_delete(clock: int, vector: int = 0) -> Delete:
    return Delete(clock, (), Fraction(1), (((), vector),), 0)
