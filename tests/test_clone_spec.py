"""Cloning in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphs import HERE, agree, beside, dumped, explored

from chc_ref.check import model as models
from chc_ref.check.mapping.clone import Clone
from chc_ref.tlc.mapping import Explored


def table(chain: str, packets: str, keep: str = "") -> dict[str, Any]:
    """Give the system of two vertices: the cloned one has a star, ``keep`` is one of its hosts."""
    names = [name.removesuffix("*") for name in chain.split()]
    vertices = [
        {"name": name, "nf": name.rstrip("12"), **({"clones": True} if given[-1] == "*" else {})}
        for name, given in zip(names, chain.split(), strict=True)
    ]
    (cloned,) = (vertex["name"] for vertex in vertices if "clones" in vertex)
    moves = [{"clone": f"{cloned}.0"}, *([{"keep": f"{cloned}.{keep}"}] if keep else [])]
    return {"vertices": vertices, "edges": [names], "packets": list(packets), "moves": moves}


MIDDLE, LAST, PLAIN = (
    table("pool* pass", "A"),
    table("pool1 pool2*", "A"),
    table("pass1 pass2*", "A"),
)
KEPT = table("pass1 pass2*", "A", "0'")

RULES = [
    ("straggler_only", "Replicate <- Dropped", PLAIN),
    ("clone_replay_at_once", "AwaitSplitter <- Dropped", PLAIN),
    ("replay_not_awaited", "SetAside <- Dropped", PLAIN),
    ("clone_speaks_at_once", "StayMute <- Dropped", PLAIN),
    ("no_queue_suppression", "SuppressPackets <- Dropped", table("pass* pool", "A")),
    ("suppresses_by_clock", "TellReplays <- Dropped", PLAIN),
    ("no_update_suppression", "SuppressUpdates <- Dropped", MIDDLE),
    ("replays_processed_upstream", "Emulate <- Dropped", LAST),
    ("target_kept", "ClearTarget <- Dropped", table("pass1* pass2", "A")),
    ("output_on_any_delete", "FirstDelete <- Dropped", KEPT),
]
"""Variant of the core, what it is in the specification, and a small system that tells."""

SOON = (
    "straggler_only",
    "clone_speaks_at_once",
    "no_update_suppression",
    "replays_processed_upstream",
)
"""Rules that ``--model-check`` looks at; the others are for ``--model-check-slow``."""


@pytest.mark.thorough
def test_graph_is_equal(tmp_path: Path) -> None:
    """Core and specification have the same states and steps, until the core drops a rule."""
    core = explored(PLAIN)
    to = Clone(core.system)
    tlc = dumped(to, tmp_path, behaviour="Safety")
    agree(core, tlc, to)
    assert len(core) > 500
    for variant in ("straggler_only", "suppresses_by_clock"):
        other = explored(PLAIN, variant)
        assert not beside(other, tlc, Clone(other.system)).equal


@pytest.mark.parametrize(
    ("variant", "override", "of"), RULES, ids=[variant for variant, _, _ in RULES]
)
def test_each_rule_is_the_same_rule(
    variant: str, override: str, of: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A rule that both drop leaves them equal, and one that only one drops does not."""
    slow = request.config.getoption("--model-check-slow") or variant in SOON
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("one TLC run for each rule: with --model-check, or --model-check-slow")
    core, amended = explored(of, variant), explored(of)
    tlc = dumped(Clone(core.system), tmp_path, override, behaviour="Safety")
    assert beside(core, tlc, Clone(core.system)).equal
    assert not beside(amended, tlc, Clone(amended.system)).equal


LARGER = ("clone_numbered", "clone_numbered_last", "clone_numbered_two")


@pytest.mark.parametrize("name", LARGER)
def test_model_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The models that TLC has instances of, too, but for the largest."""
    slow = request.config.getoption("--model-check-slow") or name == LARGER[0]
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("thousands of states: with --model-check, or --model-check-slow")
    core = Explored(models.load(HERE / "models" / f"{name}.toml"))
    to = Clone(core.system)
    agree(core, dumped(to, tmp_path, behaviour="Safety", short=name == LARGER[0]), to)
