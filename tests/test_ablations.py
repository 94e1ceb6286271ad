"""The shipped variants: each has a model that shows what it does, and what it is for.

``pytest --model-check`` runs all the models; here are those that take no time.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from chc_ref.check.explore import Explorer
from chc_ref.check.model import Model, load
from chc_ref.core.rules import AMENDED
from chc_ref.variants.compared import COMPARED
from chc_ref.variants.library import SHIPPED
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"

WITHOUT = {"amended", "paper", *COMPARED}
"""No ablations: these have models of other names."""

NAMES = sorted(SHIPPED.keys() - WITHOUT)

SMALL = [
    "buffer_newest_first",
    "clone_replay_at_once",
    "copies_share_a_name",
    "copy_hides_update",
    "counted_updates",
    "deleted_at_first_end",
    "drops_instead_of_buffering",
    "forgets_what_is_logged",
    "gives_up_with_packets_waiting",
    "marks_once",
    "no_chain_clock",
    "no_passed_mark",
    "no_replay",
    "numbers_in_vector",
    "one_clock_for_all",
    "output_before_delete",
    "releases_in_any_order",
    "replay_not_awaited",
    "replays_newest_first",
    "replays_processed_upstream",
    "sees_the_present",
    "signals_before_commit",
    "suppresses_by_clock",
    "suppresses_by_object",
    "target_kept",
    "updated_twice_upstream",
    "updates_not_logged",
    "updates_unowned",
    "xor_vector",
]
"""Those whose models, under these rules, have but some thousand states."""


def _model(name: str) -> Model:
    return load(MODELS / f"ablation_{name}.toml")


@pytest.mark.parametrize("name", NAMES)
def test_every_ablation_has_a_model(name: str) -> None:
    """It is under these rules, cites their clauses, and is violated unless they are harmless."""
    model, variant = _model(name), SHIPPED[name]
    assert model.rules.name == name
    assert set(variant.clauses) <= set(model.clauses)
    expected = Verdict.HOLDS if variant.harmless else Verdict.VIOLATED
    assert model.expect is expected


@pytest.mark.parametrize("name", SMALL)
def test_an_ablation_does_what_its_model_says(name: str) -> None:
    """And the same model holds under ``amended``: it is the rule that makes the difference."""
    model = _model(name)
    report = Explorer(model).run()
    assert report.verdict is model.expect
    assert report.violated.startswith(model.violates)
    if name not in LARGE_WITHOUT:
        assert Explorer(model, AMENDED).run().verdict is Verdict.HOLDS


LARGE_WITHOUT = {"marks_once", "buffer_newest_first", "sees_the_present", "replay_not_awaited"}
"""Small when violated, but not when they hold: for ``--model-check``, below."""


def test_a_harmless_ablation_and_what_covers_it() -> None:
    """DUP-2 and DUP-3: each can be dropped in this chain, and both cannot."""
    model = attrs.evolve(_model("replays_processed_upstream"), witnesses=())
    verdicts = {
        name: Explorer(model, SHIPPED[name].rules).run().verdict
        for name in (
            "replays_processed_upstream",
            "no_update_suppression",
            "updated_twice_upstream",
        )
    }
    assert verdicts == {
        "replays_processed_upstream": Verdict.HOLDS,
        "no_update_suppression": Verdict.HOLDS,
        "updated_twice_upstream": Verdict.VIOLATED,
    }


def test_there_is_a_model_for_nothing_else() -> None:
    """A model of a variant that is gone would say nothing."""
    stems = {path.stem.removeprefix("ablation_") for path in MODELS.glob("ablation_*.toml")}
    assert stems == set(NAMES)
    assert set(SMALL) <= set(NAMES)


def test_where_an_ablation_is_violated_the_protocol_holds(request: pytest.FixtureRequest) -> None:
    """Every model of an ablation but the small ones, under ``amended``, with ``--model-check``."""
    thorough = request.config.getoption("--model-check")
    names = sorted(set(NAMES) - (set(SMALL) - LARGE_WITHOUT)) if thorough else ["marks_once"]
    for name in names:
        report = Explorer(attrs.evolve(_model(name), witnesses=()), AMENDED).run()
        assert report.verdict is Verdict.HOLDS, name
