"""Documents: each has a title, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def broken(document: Path) -> list[str]:
    """Give what is wrong with a document, in words."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    wrong = [] if text.startswith("# ") else ["no title"]
    for path, anchor in LINK.findall(text):
        target = document.parent / path if path else document
        if not target.exists():
            wrong.append(f"{path}: no such file")
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{path}#{anchor}: no such heading")
    return wrong


def anchors(document: Path) -> set[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCED.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_a_document_has_a_title_and_links_that_lead_somewhere(document: Path) -> None:
    assert not broken(document)


def test_what_is_wrong_with_a_document_is_named(tmp_path: Path) -> None:
    empty, astray = tmp_path / "empty.md", tmp_path / "astray.md"
    empty.write_text("")
    astray.write_text("# A title\n\n[a](gone.md) [b](#a-title) [c](#no) [d](empty.md#no)\n")
    assert broken(empty) == ["no title"]
    assert broken(astray) == [
        "gone.md: no such file",
        "#no: no such heading",
        "empty.md#no: no such heading",
    ]
