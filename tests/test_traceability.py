"""Traceability: the project has no gap, and each kind of gap is found when there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chc_ref import documents
from chc_ref.errors import UsageError
from chc_ref.traceability import (
    CHECKS,
    CLAUSES,
    DOCUMENT,
    MADE,
    Citation,
    Clause,
    Family,
    Ids,
    gaps,
    load_clauses,
    render,
    scan,
)

ROOT = Path(__file__).parent.parent

FILES = {
    CLAUSES: """
[[family]]
name = "TOY"
title = "a toy"
[family.clauses.TOY-1]
text = "One."
[family.clauses.TOY-2]
text = "Two."
decided = "a | b"
[family.clauses.TOY-3]
text = "Three."
planned = true
""",
    "chc_ref/core/one.py": '"""Implements TOY-1."""\n\n\ndef two():\n    """TOY-2: so."""\n',
    "chc_ref/cli.py": '"""Shows TOY-3."""\n',
    "models/small.toml": 'chc_model = 1\nclauses = ["TOY-1"]\n',
    "models/manifest.toml": '[[instance]]\nname = "MCToy"\nclauses = ["TOY-1"]\n',
    "specs/Toy.tla": "(* TOY-1 to TOY-2 *)\n",
    "proofs/toy.py": 'PROOF = dict(clauses=("TOY-1",))\n',
    "tests/test_toy.py": '"""Toys."""\n# TOY-3\n\n\ndef test_two():\n    """TOY-2: so."""\n',
}
"""A project with no gap: two clauses that are done and a planned one."""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a small project, with its document, as the present directory."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert MADE.main(["--write"]) == 0
    return tmp_path


def _edit(root: Path, name: str, old: str, new: str) -> list[str]:
    """Change a file, write the document anew, and give the gaps."""
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))
    assert MADE.main(["--write"]) == 0
    return MADE.check(root)


def test_every_clause_is_implemented_and_checked_or_planned() -> None:
    """The project has no gap, and its document is up to date."""
    assert MADE.check(ROOT) == []


@pytest.mark.thorough
def test_a_clause_that_the_scan_no_longer_finds_is_a_gap() -> None:
    """Each clause in turn loses its code and its checks: both are named, and nothing else."""
    families = load_clauses(ROOT / CLAUSES)
    citations = scan(ROOT, Ids(families))
    usual = set(gaps(families, citations))
    for clause in (clause for family in families for clause in family.clauses):
        left = {c for c in citations if c.id != clause.id}
        found = gaps(families, left)
        assert all(line.startswith(f"{clause.id}: ") for line in set(found) - usual)
        named = [line for line in found if line.startswith(f"{clause.id}: ")]
        assert len(named) == (0 if clause.planned else 2)


@pytest.mark.parametrize(
    ("name", "old", "new", "gap"),
    [
        ("chc_ref/core/one.py", "TOY-2", "so", "TOY-2: implemented nowhere"),
        ("tests/test_toy.py", '"""TOY-2: so."""', "...", "TOY-2: checked by no"),
        ("chc_ref/core/one.py", "TOY-1", "TOY-1, TOY-3", "TOY-3: planned, but core.one"),
        ("chc_ref/cli.py", "TOY-3", "TOY-9", "TOY-9: cited by cli, but no"),
        ("models/small.toml", "TOY-1", "TYO-1", "TYO-1: cited by models: small"),
        ("models/manifest.toml", "TOY-1", "TOY-7", "TOY-7: cited by TLA+: MCToy"),
        ("specs/Toy.tla", "to TOY-2", "to TOY-4", "TOY-4: cited by spec: Toy"),
        ("proofs/toy.py", "TOY-1", "T-1", "T-1: cited by proofs: toy"),
        ("tests/test_toy.py", "TOY-2", "TOY-2, TOY-5", "TOY-5: cited by tests: test_toy.test_two"),
    ],
)
def test_each_kind_of_gap_is_named(toy: Path, name: str, old: str, new: str, gap: str) -> None:
    """A seeded fault gives one line, which says what and where."""
    assert MADE.check(toy) == []
    (found,) = _edit(toy, name, old, new)
    assert found.startswith(gap)
    assert MADE.main(["--check"]) == 1


def test_neither_a_specification_nor_a_driver_is_a_check(toy: Path) -> None:
    """Without its test a clause that the TLA+ module states is unchecked."""
    found = _edit(toy, "tests/test_toy.py", "TOY-2", "so")
    assert found == ["TOY-2: checked by no model, TLA+ instance, proof or test"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("TOY-1..3", ["TOY-1", "TOY-2", "TOY-3"]),
        ("TOY-1..TOY-3.", ["TOY-1", "TOY-2", "TOY-3"]),
        ("(TOY-9 to\n TOY-11)", ["TOY-9", "TOY-10", "TOY-11"]),
        ("TOY-2 to 4 packets", ["TOY-2"]),
        ("TOY-3..1", ["TOY-3"]),
        ("Q1..Q2, ALL: so", ["Q1", "Q2", "ALL"]),
        ("XTOY-1 TOY-1x Q1a ALLY TOY-ALL", []),
    ],
)
def test_a_range_cites_each_of_its_clauses(text: str, found: list[str]) -> None:
    """Ranges in both ways of writing them, and what only looks like an ID."""
    names = {"TOY": ("TOY-1",), "Q": ("Q1",), "ALL": ("ALL",)}
    families = [Family(n, n, tuple(Clause(one, n) for one in ids)) for n, ids in names.items()]
    assert Ids(families).found(text) == found


def test_headings_between_tests_and_helper_classes_check_nothing(toy: Path) -> None:
    """In a tests file only functions and the docstring of the file count."""
    text = '"""TOY-1."""\n# TOY-2\nclass A:\n    """TOY-3."""\n\n    def f(self): ...  # TOY-2\n'
    (toy / "tests/test_toy.py").write_text(text)
    citations = scan(toy, Ids(load_clauses(toy / CLAUSES)))
    assert {c for c in citations if c.kind == "tests"} == {
        Citation("TOY-1", "tests", "test_toy"),
        Citation("TOY-2", "tests", "test_toy", "A.f"),
    }


def test_the_document_says_what_was_found(toy: Path) -> None:
    """One row for each clause: where it is implemented, and what checks it."""
    rows = (toy / DOCUMENT).read_text().splitlines()[-3:]
    assert rows == [
        "| TOY-1 | One. |  | `core.one` | models: `small`<br>TLA+: `MCToy`<br>proofs: `toy`"
        "<br>spec: `Toy` |",
        "| TOY-2 | Two. | a \\| b | `core.one` (`two`) | tests: `test_toy` (`test_two`)"
        "<br>spec: `Toy` |",
        "| TOY-3 | Three. |  | planned | planned |",
    ]


def test_what_is_missing_shows_in_the_document() -> None:
    """A gap is bold, and what a clause still lacks stands behind its text."""
    family = Family("TOY", "a toy", (Clause("TOY-1", "One.", partial="two."),))
    row = "| TOY-1 | One. *Not yet:* two. |  | **nothing** | **nothing** |"
    assert render([family], []).endswith(f"{row}\n")
    assert all(kind in render([family], [Citation("TOY-1", kind, "m")]) for kind in CHECKS)


def test_a_stale_document_is_a_gap(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A document that was edited, or is not there, is to be written anew."""
    document = toy / DOCUMENT
    document.write_text(document.read_text() + "more\n")
    assert MADE.main(["--check"]) == 1
    assert (
        capsys.readouterr().out
        == f"{DOCUMENT} is stale: {'python -m chc_ref.traceability'} --write\n"
    )
    document.unlink()
    assert len(MADE.check(toy)) == 1
    assert MADE.main(["--write"]) == MADE.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[[family]]", "'name'"),
        ("family = 3", "malformed"),
        ("[[family]", "clauses.toml"),
        ('[[family]]\nname = "A"\ntitle = "a"\n[family.clauses.B-1]\ntext = "b"', "no clause of A"),
        ('[[family]]\nname = "A"\ntitle = "a"\n[family.clauses.A-1]\ntext = ""', "needs a text"),
        ('[[family]]\nname = "A"\ntitle = "a"\n[family.clauses.A-1]\nplan = 1', "'plan'"),
    ],
)
def test_malformed_clauses_are_refused(tmp_path: Path, content: str, complaint: str) -> None:
    """The error names the file and the key at fault."""
    path = tmp_path / "clauses.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=complaint) as caught:
        load_clauses(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--chek"], "unrecognized arguments: --chek"),
        (["--write", "--check"], "not allowed with"),
        (["x"], "unrecognized arguments: x"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback: one line on standard error, and exit code 2."""
    assert MADE.main(arguments) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_folder_without_clauses_is_bad_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installed package has no documents, and says where to go."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(documents, "__file__", str(tmp_path / "a" / "b.py"))
    assert MADE.main([]) == 2
    assert "run this in a checkout" in capsys.readouterr().err
