"""Depth first and random walks: the same states, real ways, and honest about what was seen."""

from __future__ import annotations

import attrs
import pytest
from commands import ROOT, Chc

from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.model import load
from chc_ref.check.walks import Walks
from chc_ref.system.composition import State
from chc_ref.verdict import Order, Report, Verdict

MODELS = ROOT / "models"
DEPTH = Method(order=Order.DEPTH)


def _explorer(name: str, method: Method, limits: Limits | None = None) -> Explorer:
    return Explorer(load(MODELS / f"{name}.toml"), None, limits, method)


def _walked(name: str, walks: int = 100, seed: int = 0) -> Report:
    method = Method(order=Order.WALKS, walks=walks, seed=seed)
    return attrs.evolve(_explorer(name, method).run(), seconds=0.0)


@pytest.mark.parametrize("name", ["pool", "crash_one", "move_back", "channels_doubling_harmless"])
def test_depth_first_sees_the_same_graph(name: str) -> None:
    """States, transitions, local steps and witnesses are those of breadth first."""
    wide, deep = _explorer(name, Method()).run(), _explorer(name, DEPTH).run()
    for of in ("verdict", "states", "transitions", "local_steps", "witnesses"):
        assert getattr(deep, of) == getattr(wide, of)
    assert deep.depth is not None
    assert wide.depth is not None
    assert deep.depth >= wide.depth


@pytest.mark.parametrize("order", [Order.DEPTH, Order.WALKS])
def test_a_way_that_is_not_the_shortest_is_a_way(order: Order) -> None:
    """The composition itself takes every step, and comes to what is violated."""
    explorer = _explorer("ablation_no_last_mark", Method(order=order))
    report = explorer.run()
    assert report.verdict is Verdict.VIOLATED
    shortest = _explorer("ablation_no_last_mark", Method()).run()
    assert len(report.trace) >= len(shortest.trace)
    state: State = explorer.system.initial
    for action in explorer.path(explorer.search.judged):  # type: ignore[union-attr]
        state = explorer.system.step(state, action)
    seen = map(explorer.system.seen, state.components)
    view = dict(zip(explorer.system.names, seen, strict=True))
    assert str(explorer.properties.requirements.at_rest(view)) == report.violated


def test_a_bound_of_depth_is_inconclusive() -> None:
    """What lies deeper was not seen, and a violation above it is."""
    assert _explorer("crash_one", DEPTH, Limits(depth=20)).run().violated == "limit of 20 steps"
    assert _explorer("crash_one", DEPTH, Limits(states=99)).run().violated == "limit of 99 states"
    assert _explorer("crash_one", DEPTH, Limits(depth=60)).run().verdict is Verdict.HOLDS


@pytest.mark.thorough
def test_walks_repeat_by_their_seed_and_never_hold() -> None:
    """The same seed, the same walks; whatever they saw, it was not all."""
    first = _walked("crash_one")
    assert first == _walked("crash_one")
    assert first != _walked("crash_one", seed=1)
    assert first.verdict is Verdict.INCONCLUSIVE
    assert first.violated.startswith(f"100 walks with seed 0 saw {first.states} states, ")
    every = _walked("pool", 5_000)
    assert every.verdict is Verdict.INCONCLUSIVE
    whole = _explorer("pool", Method()).run().states
    assert every.states is not None
    assert whole is not None
    assert whole / 4 < every.states <= whole


def test_guidance_sees_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Walks that prefer what was seldom seen come to more states than those that do not."""
    guided = _walked("crash_one", 300)
    monkeypatch.setattr(Walks, "_novelty", lambda self, key: 1.0)
    monkeypatch.setattr(Walks, "_visit", lambda self, key, number: None)
    blind = _walked("crash_one", 300)
    assert guided.states is not None
    assert blind.states is not None
    assert guided.states > 1.2 * blind.states


def test_the_command_takes_an_order(chc: Chc) -> None:
    """Walks are inconclusive, exit code 3; a checkpoint is for breadth first."""
    done = chc("check", "pool", "--order", "walks", "--walks", "5", "--seed", "7")
    assert done.returncode == 3
    assert "5 walks with seed 7 saw " in done.stdout
    assert chc("check", "pool", "--order", "depth").returncode == 0
    wrong = chc("check", "pool", "--order", "depth", "--checkpoint", "search")
    assert wrong.returncode == 2
    assert "--checkpoint keeps a search breadth first" in wrong.stderr
