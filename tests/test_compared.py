"""The compared systems: each verdict is what the paper says of that requirement."""

from __future__ import annotations

from pathlib import Path

import pytest

from chc_ref.check.explore import Explorer
from chc_ref.check.model import Model, load
from chc_ref.variants.compared import CLAIMS, COMPARED
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models" / "compared"

CASES = [(system, name) for system, claims in CLAIMS.items() for name in claims]


def _model(requirement: str) -> Model:
    return load(MODELS / f"{requirement.lower()}.toml")


@pytest.mark.parametrize(("system", "requirement"), CASES)
def test_a_system_does_what_the_paper_says(system: str, requirement: str) -> None:
    """Holds and breaks as claimed; the model reaches what it is there for where it holds."""
    claim = CLAIMS[system][requirement]
    report = Explorer(_model(requirement), COMPARED[system].rules).run()
    assert report.verdict is (Verdict.HOLDS if claim.holds else Verdict.VIOLATED), report.violated


@pytest.mark.parametrize("requirement", ["R1", "R2", "R3", "R4", "R5", "R6"])
def test_the_amended_protocol_has_them_all(requirement: str) -> None:
    """What CHC is for: the same models hold."""
    assert Explorer(_model(requirement)).run().verdict is Verdict.HOLDS


def test_every_system_has_its_source_and_its_claims() -> None:
    """Nothing is modelled that the paper does not say."""
    assert CLAIMS.keys() == COMPARED.keys()
    assert all(one.source for one in COMPARED.values())
    assert all(claim.source for claims in CLAIMS.values() for claim in claims.values())


def test_the_table_of_the_document_is_that_of_the_claims() -> None:
    """docs/variants.md says what the tests above have confirmed, and nothing else."""
    lines = (MODELS.parent.parent / "docs" / "variants.md").read_text().splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    table = {row[0]: row[1:] for row in rows if row[0] in COMPARED}
    words = {None: "-", True: "holds", False: "breaks"}
    names = ("R1", "R2", "R3", "R4", "R5", "R6")
    assert table == {
        system: [words[claims[n].holds if n in claims else None] for n in names]
        for system, claims in CLAIMS.items()
    }
