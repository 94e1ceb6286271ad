"""Ablations of the core and mutants of TLC: each ablation has its counterpart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chc_ref import documents
from chc_ref.errors import UsageError
from chc_ref.tlc.counterparts import DOCUMENT, MADE, ablations, counterparts, render
from chc_ref.variants.library import SHIPPED

HERE = Path(__file__).parent.parent
MODELS = HERE / "models"


def test_every_ablation_has_a_counterpart() -> None:
    """All that the explorer catches is listed, and a mutant is about one of its clauses."""
    found = counterparts(MODELS)
    assert [one.variant for one in found] == list(ablations())
    assert {"no_ownership_check", "recent_by_clock"}.isdisjoint(one.name for one in ablations())
    assert all(one.violates for one in found)
    for one in found:
        for mutant in one.mutants:
            assert set(mutant.clauses) & set(one.variant.clauses), mutant.name


def test_the_document_is_the_current_one() -> None:
    """It is written again when variants, models or the manifest change."""
    assert (HERE / DOCUMENT).read_text() == render(counterparts(MODELS))


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ('ablations = ["oldest_read"]\n', "", "oldest_read: wants a mutant"),
        ('["oldest_read"]', '["oldest_read", "recent_by_clock"]', "recent_by_clock: no such"),
        ('["oldest_read"]', '["oldest_reed"]', "MCStoreFailoverOldest: .*oldest_reed: no such"),
        ('violated = "NeverCaseTwo"\n', 'violated = "NeverCaseTwo"\nablations = ["oldest_read"]\n',
         "MCStoreFailoverWitnessCaseTwo: .*kind = mutant"),
        ('ablations = ["oldest_read"]', "ablations = 3", "MCStoreFailoverOldest: .*ablations"),
    ],
    ids=["none", "harmless", "unknown", "witness", "malformed"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(old: str, new: str, want: str, tmp_path: Path) -> None:
    """An ablation that is forgotten, and a name that is none, are told in one line."""
    models = tmp_path / "models"
    shutil.copytree(MODELS, models, ignore=shutil.ignore_patterns("big", "compared", "needs"))
    shutil.copytree(HERE / "specs", tmp_path / "specs")
    path = models / "manifest.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match=want) as caught:
        counterparts(models)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It prints what it would write, and refuses what it does not know."""
    monkeypatch.chdir(HERE)
    assert MADE.main([]) == 0
    assert capsys.readouterr().out == (HERE / DOCUMENT).read_text()
    assert MADE.main(["--check"]) == 0
    assert MADE.main(["--chek"]) == 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(documents, "__file__", str(tmp_path / "a" / "b.py"))
    assert MADE.main([]) == 2
    assert "manifest.toml" in capsys.readouterr().err
    assert len(SHIPPED) > len(ablations())
