"""Traceability: every clause, where it is implemented, and what checks it.

The clauses are in ``docs/clauses.toml``. Docstrings and comments cite their IDs, and so do the
``clauses`` of models, instances and proofs; ``MOVE-1..5`` cites five. From that this writes
``docs/traceability.md``. Places are names and not line numbers, so that the document changes
only when a citation does.

    python -m chc_ref.traceability            print the document
    python -m chc_ref.traceability --write    write it
    python -m chc_ref.traceability --check    name every gap; exit code 1 when there is one
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chc_ref.documents import Document
from chc_ref.errors import UsageError
from chc_ref.files import read_text, read_toml

CLAUSES = "docs/clauses.toml"
DOCUMENT = "docs/traceability.md"

IMPLEMENTING = ("core", "nfs", "system", "require")
"""Folders of the package whose citations say that a clause is implemented there."""

CHECKS = ("models", "TLA+", "proofs", "tests")
"""Kinds of citations that say that a clause is checked; ``spec`` and ``other`` do not."""


@dataclass(frozen=True)
class Clause:
    """One clause as ``docs/clauses.toml`` has it."""

    id: str
    text: str
    decided: str = ""
    partial: str = ""
    """What is missing; the rest must be implemented and checked like any other clause."""
    planned: bool = False


@dataclass(frozen=True)
class Family:
    """Clauses that belong together."""

    name: str
    title: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, order=True)
class Citation:
    """One place that cites one ID."""

    id: str
    kind: str
    """``code``, one of ``CHECKS``, ``spec``, or ``other`` for a citation that proves nothing."""
    module: str
    name: str = ""
    """Class or function in the module; empty for the module or file as a whole."""


def load_clauses(path: Path) -> tuple[Family, ...]:
    """Read the clauses.

    Raises:
        UsageError: the file cannot be read or is malformed.

    """
    try:
        return tuple(_family(table) for table in read_toml(path)["family"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: malformed: {error}") from None


def _family(table: dict[str, Any]) -> Family:
    name = table["name"]
    clauses = tuple(Clause(key, **entry) for key, entry in table["clauses"].items())
    for clause in clauses:
        if not re.fullmatch(rf"{name}(-?\d+)?", clause.id):
            raise KeyError(f"{clause.id} is no clause of {name}")
        texts = (clause.text, clause.decided, clause.partial)
        if not all(isinstance(text, str) for text in texts) or not clause.text:
            raise TypeError(f"{clause.id} needs a text")
        if not isinstance(clause.planned, bool) or (clause.planned and clause.partial):
            raise TypeError(f"{clause.id}: planned is true, or it is partial, or neither")
    return Family(name, table["title"], clauses)


class Ids:
    """Finds clause IDs in text. One that looks like an ID and is none is found as well."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.known = tuple(clause.id for family in families for clause in family.clauses)
        stems = {stem for name in self.known if (stem := name.rstrip("0123456789")) != name}
        words = "|".join(name for name in self.known if not name[-1].isdigit()) or "(?!)"
        numbered = (
            rf"({'|'.join(sorted(stems)) or '(?!)'})(\d+)(?:\.\.(?:\1)?(\d+)|\s+to\s+\1(\d+))?"
        )
        self._pattern = re.compile(rf"(?<![\w-])(?:{numbered}|({words}))(?!\w)")

    def found(self, text: str) -> list[str]:
        """List the IDs in ``text``, each one of a range by itself."""
        ids = []
        for stem, first, last, other, word in self._pattern.findall(text):
            numbers = range(int(first), int(last or other or first) + 1) if first else ()
            ids += [word] if word else [f"{stem}{number}" for number in numbers or (first,)]
        return ids

    def keyed(self, entry: str) -> list[str]:
        """List the IDs of an entry of a ``clauses`` key, which holds nothing else."""
        return self.found(entry) or [entry]


def scan(root: Path, ids: Ids) -> frozenset[Citation]:
    """Collect every citation of a project.

    Raises:
        UsageError: a file cannot be read as what it is.

    """
    package = root / "chc_ref"
    found = set(_models(root / "models", ids))
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        kind = "code" if parts[0] in IMPLEMENTING else "other"
        found |= {Citation(cited, kind, ".".join(parts), at) for cited, at in _python(path, ids)}
    for path in (root / "proofs").glob("*.py"):
        found |= {Citation(cited, "proofs", path.stem) for cited, _ in _python(path, ids)}
    for path in (root / "tests").glob("*.py"):
        found |= {Citation(one, "tests", path.stem, at) for one, at in _python(path, ids, True)}
    for path in (root / "specs").glob("*.tla"):
        found |= {Citation(cited, "spec", path.stem) for cited in ids.found(read_text(path))}
    return frozenset(found)


def _models(folder: Path, ids: Ids) -> Iterator[Citation]:
    """Give what models and TLA+ instances cite: in ``clauses``, and as what they violate."""
    for path in folder.glob("*.toml"):
        table = read_toml(path)
        entries = [("models", path.stem, table)] if "chc_model" in table else []
        if path.name == "manifest.toml":
            entries = [("TLA+", str(one.get("name")), one) for one in table.get("instance", ())]
        for kind, name, entry in entries:
            cited = [one for key in entry.get("clauses", ()) for one in ids.keyed(str(key))]
            cited += ids.found(str(entry.get("violates", "")))
            yield from (Citation(one, kind, name) for one in cited)


def _python(path: Path, ids: Ids, tests: bool = False) -> Iterator[tuple[str, str]]:
    """Give (ID, class or function) for every citation in a Python file.

    In tests only what runs counts, and the module's docstring: not the headings between
    tests, nor the docstring of a class that a test makes use of.
    """
    text = read_text(path)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UsageError(f"{path}: {error}") from None
    spans = list(_spans(tree))
    for line, cited in (*_texts(tree, ids), *_comments(text, ids)):
        name, runs = max(
            ((start, name, runs) for start, end, name, runs in spans if start <= line <= end),
            default=(0, "", line == 1),
        )[1:]
        if runs or not tests:
            yield from ((one, name) for one in cited)


def _spans(tree: ast.AST, prefix: str = "") -> Iterator[tuple[int, int, str, bool]]:
    """Give (first line, last line, name, whether it is a function); outermost functions only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.end_lineno or 0, prefix + node.name, True
        elif isinstance(node, ast.ClassDef):
            yield node.lineno, node.end_lineno or 0, prefix + node.name, False
            yield from _spans(node, f"{prefix}{node.name}.")


def _texts(tree: ast.AST, ids: Ids) -> Iterator[tuple[int, list[str]]]:
    """Give (line, IDs) of every docstring, those of attributes too, and every ``clauses=``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, ids.found(str(node.value.value))
        elif isinstance(node, ast.keyword) and node.arg == "clauses":
            for leaf in ast.walk(node.value):
                if isinstance(leaf, ast.Constant):
                    yield leaf.lineno, ids.keyed(str(leaf.value))


def _comments(text: str, ids: Ids) -> Iterator[tuple[int, list[str]]]:
    if not any(ids.found(line) for line in text.splitlines() if "#" in line):
        return  # to tell a comment from a string takes long
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], ids.found(token.string)


def gaps(families: Iterable[Family], citations: Iterable[Citation]) -> list[str]:
    """Say what is amiss, one line each; nothing when all is well."""
    citations = sorted(citations)
    clauses = [clause for family in families for clause in family.clauses]
    known = {clause.id for clause in clauses}
    cited: dict[str, list[Citation]] = {}
    for citation in citations:
        cited.setdefault(citation.id, []).append(citation)
    lines = []
    for clause in clauses:
        of_clause = cited.get(clause.id, [])
        code = [c for c in of_clause if c.kind == "code"]
        checked = any(c.kind in CHECKS for c in of_clause)
        if clause.planned and code:
            lines.append(f"{clause.id}: planned, but {_place(code[0])} implements it")
        if not clause.planned and not code:
            lines.append(f"{clause.id}: implemented nowhere in {', '.join(IMPLEMENTING)}")
        if not clause.planned and not checked:
            lines.append(f"{clause.id}: checked by no model, TLA+ instance, proof or test")
    strange = [c for c in citations if c.id not in known]
    return lines + [f"{c.id}: cited by {_place(c)}, but no clause" for c in strange]


def _place(citation: Citation) -> str:
    kind = "" if citation.kind in ("code", "other") else f"{citation.kind}: "
    return kind + f"{citation.module}.{citation.name}".rstrip(".")


def _project(root: Path) -> tuple[tuple[Family, ...], frozenset[Citation]]:
    families = load_clauses(root / CLAUSES)
    return families, scan(root, Ids(families))


def _gaps(root: Path) -> list[str]:
    return gaps(*_project(root))


def _rendered(root: Path) -> str:
    return render(*_project(root))


INTRODUCTION = """# Traceability

Made by `python -m chc_ref.traceability --write` from [clauses.toml](clauses.toml) and from what \
cites the clauses in `chc_ref/`, `models/`, `specs/`, `proofs/` and `tests/`; not edited by hand. \
Below "checked by", `spec` names the TLA+ module that states the clause.
"""

HEADER = "| clause | what it asks | decided | implemented in | checked by |\n|---|---|---|---|---|"


def render(families: Iterable[Family], citations: Iterable[Citation]) -> str:
    """Write the document."""
    families, citations = tuple(families), sorted(citations)
    clauses = [clause for family in families for clause in family.clauses]
    planned = sum(clause.planned for clause in clauses)
    partial = sum(bool(clause.partial) for clause in clauses)
    done = len(clauses) - planned - partial
    count = f"{len(clauses)} clauses: {done} implemented, {partial} in part, {planned} planned."
    lines = [INTRODUCTION, count]
    for family in families:
        lines += ["", f"## {family.name}: {family.title}", "", HEADER]
        lines += [_row(clause, citations) for clause in family.clauses]
    return "\n".join(lines) + "\n"


def _row(clause: Clause, citations: list[Citation]) -> str:
    def cited(kind: str) -> list[str]:
        return _by_module([c for c in citations if (c.id, c.kind) == (clause.id, kind)])

    text = clause.text + (f" *Not yet:* {clause.partial}" if clause.partial else "")
    checks = [f"{kind}: {', '.join(cited(kind))}" for kind in (*CHECKS, "spec") if cited(kind)]
    nothing = "planned" if clause.planned else "**nothing**"
    cells = (clause.id, text, clause.decided, "<br>".join(cited("code")), "<br>".join(checks))
    filled = (*cells[:3], cells[3] or nothing, cells[4] or nothing)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in filled) + " |"


def _by_module(citations: list[Citation]) -> list[str]:
    """Give each module with its names; the module alone only if nothing in it is named."""
    modules: dict[str, list[str]] = {}
    for citation in citations:
        names = modules.setdefault(citation.module, [])
        if citation.name:
            names.append(f"`{citation.name}`")
    return [f"`{m}`" + (f" ({', '.join(names)})" if names else "") for m, names in modules.items()]


MADE = Document("chc_ref.traceability", DOCUMENT, CLAUSES, _rendered, _gaps)

if __name__ == "__main__":
    sys.exit(MADE.main())
