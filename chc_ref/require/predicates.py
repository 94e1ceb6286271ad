"""Requirements as predicates over a composed state, for checkers (COE, R1..R6, LIVE).

An invariant is asked of every state, a witness of every state until one shows it, and
``at_rest`` of states in which nothing can happen any more but further crashes. Each names
the components that it reads, so that a checker may remember its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.chain import Chain
from chc_ref.core.messages import Arrive
from chc_ref.core.node import NodeState
from chc_ref.core.values import Address, vertex_of
from chc_ref.require.coe import Difference, outputs, settled
from chc_ref.require.ideal import Ideal, run_ideal

View = dict[Address, Any]
"""Component states by address."""


@attrs.frozen
class Local:
    """A predicate on the state of one component; None when it holds, else what is wrong."""

    name: str
    at: Address
    holds: Callable[[Any], Difference | None]


@attrs.frozen
class Requirements:
    """What is required of every run of one model."""

    ideal: Ideal
    lasts: frozenset[str]
    """Vertices with nothing but the sink behind them."""

    @classmethod
    def of(cls, chain: Chain, arrivals: tuple[Arrive, ...]) -> Requirements:
        """Give the requirements of a chain on one input."""
        lasts = frozenset(v.name for v in chain.vertices) - {above for above, _ in chain.edges}
        return cls(run_ideal(chain, arrivals), lasts)

    def invariants(self) -> tuple[Local, ...]:
        """Give what must hold in every state."""
        return (Local("COE outputs", "sink", lambda sink: outputs(self.ideal, sink.outputs)),)

    def at_rest(self, view: View) -> Difference | None:
        """Compare with the ideal chain, and look for what was left undone (COE, LIVE)."""
        crashed = view["world"].crashed
        losses = sum(vertex_of(address) in self.lasts for address in crashed)
        store, sink, entry = view["store"], view["sink"], view["root"]
        values = dict(store.values.items())
        return settled(self.ideal, values, sink.outputs, sink.alerts, losses) or _undone(
            view, entry.root.log
        )


def _undone(view: View, log: Any) -> Difference | None:
    """LIVE: at rest nothing waits any more."""
    for clock in sorted(clock for clock, _ in log.items()):
        return Difference("LIVE", f"clock {clock}", "deleted from the log", "still logged")
    for address, state in sorted(view.items()):
        if isinstance(state, NodeState):
            busy = state.instance.blocked or state.queue.held or state.queue.recovering
            if busy or state.instance.work is not None or state.instance.lane:
                return Difference("LIVE", address, "nothing waits", "packets wait for ever")
    if view["store"].waiting or view["manager"].under_way or view["manager"].wishes:
        return Difference("LIVE", "moves", "every move ends", "one is under way for ever")
    return None


def _nodes(test: Callable[[NodeState], bool]) -> Callable[[Any], bool]:
    return lambda state: isinstance(state, NodeState) and test(state)


WITNESSES: dict[str, Callable[[Any], bool]] = {
    "buffered": _nodes(lambda node: any(len(w) > 1 for _, w in node.instance.blocked.items())),
    "held_downstream": lambda state: bool(getattr(getattr(state, "queue", None), "held", ())),
    "handed_over": _nodes(lambda node: bool(node.instance.released)),
    "moved_twice": lambda state: any(
        len(moves) > 1 for _, moves in getattr(state, "moves", {}).items()
    ),
    "down": _nodes(lambda node: not node.up),
    "recovered": _nodes(lambda node: node.queue.valid > 0 and not node.queue.recovering),
    "set_aside": _nodes(lambda node: bool(node.queue.aside)),
    "replay_met_original": _nodes(
        lambda node: (
            node.queue.recovering
            and any(getattr(item, "session", 0) == 0 for _, item in node.queue.aside)
        )
    ),
    "replayed_late": _nodes(lambda node: bool(node.queue.late)),
    "unflushed": _nodes(lambda node: bool(node.instance.unflushed)),
    "passed_through": _nodes(lambda node: bool(node.instance.lane)),
}
"""Situations by name, as tests of one component's state; docs/models.md tells what they mean."""
