"""Cloning in TLA+ beside the core: one labelled graph, rule by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chc_ref.check import model as models
from chc_ref.check.mapping.clone import Clone
from chc_ref.tlc import run, same
from chc_ref.tlc.mapping import Explored, Mapping
from chc_ref.tlc.run import Settings
from chc_ref.tlc.same import Comparison
from chc_ref.tlc.values import freeze, show
from chc_ref.variants import library

HERE = Path(__file__).parent.parent


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


def explored(of: dict[str, Any], variant: str = "amended") -> Explored:
    """Give the graph of the core."""
    return Explored(models.of_table(HERE, of), library.find(variant, HERE).rules)


def dumped(core: Explored, folder: Path, *overrides: str, short: bool = True) -> Any:
    """Give TLC's graph within the same bounds, under other rules of the specification if any."""
    constants = Clone(core.system).constants.items()
    definitions = [f"The{name} == {show(freeze(value))}" for name, value in constants]
    path, cfg = folder / "Bounded.tla", folder / "Bounded.cfg"
    module = ["---- MODULE Bounded ----", "EXTENDS Clone", *definitions, "===="]
    path.write_text("\n".join(module))
    lines = [f"    {name} <- The{name}" for name, _ in constants]
    lines += [f"    {override}" for override in overrides]
    cfg.write_text("SPECIFICATION Safety\nCONSTANTS\n" + "\n".join(lines) + "\n")
    return run.graph(path, cfg, HERE / "specs", Settings(limit_s=900, short=short))


def beside(core: Explored, tlc: Any) -> Comparison:
    """Compare the two."""
    mapping = Clone(core.system)
    return same.compare(core, tlc, Mapping(mapping.state, mapping.action))


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
    ("deleted_at_first_end", "LogUntilEnd <- Dropped", PLAIN),
]
"""Variant of the core, what it is in the specification, and a small system that tells."""

SOON = (
    "straggler_only",
    "clone_speaks_at_once",
    "no_update_suppression",
    "replays_processed_upstream",
)
"""Rules that ``--model-check`` looks at; the others are for ``--model-check-slow``."""


def test_graph_is_equal(tmp_path: Path) -> None:
    """Core and specification have the same states and steps, until the core drops a rule."""
    core = explored(PLAIN)
    tlc = dumped(core, tmp_path)
    found = beside(core, tlc)
    assert found.equal, "\n".join(found.lines())
    assert found.states[0] == found.states[1] > 500
    assert all(one == other > 0 for one, other in found.steps.values())
    for variant in ("straggler_only", "suppresses_by_clock"):
        assert not beside(explored(PLAIN, variant), tlc).equal


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
    core = explored(of, variant)
    tlc = dumped(core, tmp_path, override)
    found = beside(core, tlc)
    assert found.equal, "\n".join(found.lines())
    assert not beside(explored(of), tlc).equal


LARGER = ("clone_numbered", "clone_numbered_last", "clone_numbered_two")


@pytest.mark.parametrize("name", LARGER)
def test_model_is_equal(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The models that TLC has instances of, too, but for the largest."""
    slow = request.config.getoption("--model-check-slow") or name == LARGER[0]
    if not (slow and request.config.getoption("--model-check")):
        pytest.skip("thousands of states: with --model-check, or --model-check-slow")
    core = Explored(models.load(HERE / "models" / f"{name}.toml"))
    found = beside(core, dumped(core, tmp_path, short=name == LARGER[0]))
    assert found.equal, "\n".join(found.lines())
    assert all(one == other > 0 for one, other in found.steps.values())
