"""The paper's own tables, as checked: Table 3, and the comparison of section 2.2.

Each cell is what the paper claims, with the passage, beside what searches say. Table 3 is a list
of models in ``table3.toml``; the systems of section 2.2 are variants, and each requirement has a
model in ``compared``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from chc_ref.check import model as models, sources
from chc_ref.core.rules import AMENDED
from chc_ref.errors import UsageError
from chc_ref.files import Keys, at, check_keys, read_toml
from chc_ref.matrix.jobs import Job, Result
from chc_ref.matrix.table import Cell, whole
from chc_ref.variants.compared import BEYOND, CHC, CLAIMS, Claim
from chc_ref.verdict import Verdict

TABLE3 = "table3.toml"
KEYS: Keys = {"chc_table3": (int, True), "cells": (list, True)}
CELL_KEYS: Keys = {
    "failures": (str, True),
    "log": (str, True),
    "claim": (str, True),
    "source": (str, True),
    "models": (list, True),
}
LOGS = {"root": "log at the root", "store": "log in the store"}
AS_WRITTEN = "paper"
"""The variant with CHC's rules as the paper has them."""
ROWS = {AS_WRITTEN: "CHC, as written (paper)", AMENDED.name: "CHC, as amended (amended)"}


@attrs.frozen
class Entry:
    """One cell of a table of the paper: what it says, and what to search for it."""

    row: str
    column: str
    claim: Claim | None
    """None where the paper says nothing, or nothing that a rule of this core can say."""
    bounds: tuple[str, ...]
    """Of each model."""
    jobs: tuple[Job, ...]
    note: str = "the paper says nothing"
    """Why there is no claim."""


@attrs.frozen
class Checked:
    """One cell of a table of the paper, searched."""

    entry: Entry
    cell: Cell
    remembered: int

    @property
    def agrees(self) -> bool | None:
        """Whether the verdict is what the paper claims; None without a claim or a verdict."""
        if self.entry.claim is None or self.cell.verdict is Verdict.INCONCLUSIVE:
            return None
        return self.entry.claim.holds == (self.cell.verdict is Verdict.HOLDS)


def table3(folder: Path, states: int, seconds: float) -> Iterator[Entry]:
    """Give the cells of Table 3, as the folder's list of models has them.

    Raises:
        UsageError: there is no such list, or it is malformed.

    """
    path = folder / TABLE3
    data = read_toml(path)
    with at(path):
        check_keys(data, KEYS)
        for number, of in enumerate(data["cells"], start=1):
            with at(f"cell {number}"):
                yield _failures(folder, of, states, seconds)


def _failures(folder: Path, of: Any, states: int, seconds: float) -> Entry:
    if not isinstance(of, dict):
        raise UsageError(f"{of!r} is no table")
    check_keys(of, CELL_KEYS)
    if of["log"] not in LOGS:
        raise UsageError(f"log = {of['log']!r}; it is root or store")
    if of["claim"] not in (Verdict.HOLDS.value, Verdict.VIOLATED.value):
        raise UsageError(f"claim = {of['claim']!r}; it is holds or violated")
    if not of["models"] or not all(isinstance(name, str) for name in of["models"]):
        raise UsageError(f"models = {of['models']!r} is no list of names of models")
    claim = Claim(of["claim"] == Verdict.HOLDS.value, of["source"])
    found = [_model(folder, name) for name in of["models"]]
    for model in found:
        if model.chain.log != of["log"]:
            raise UsageError(f"model {model.name!r} has log = {model.chain.log!r}")
    jobs = (_job(folder, name, AMENDED.name, states, seconds) for name in of["models"])
    bounds = tuple(model.bounds for model in found)
    return Entry(of["failures"], LOGS[of["log"]], claim, bounds, tuple(jobs))


def comparison(folder: Path, states: int, seconds: float) -> Iterator[Entry]:
    """Give the cells of section 2.2: each system against each requirement, and CHC itself.

    Raises:
        UsageError: the folder lacks a model of a requirement.

    """
    rows = {**CLAIMS, AS_WRITTEN: CHC, AMENDED.name: CHC}
    bounds = {name: (_model(folder, _of(name)).bounds,) for name in CHC}
    for system, claims in rows.items():
        for name in CHC:
            job = _job(folder, _of(name), system, states, seconds)
            note = BEYOND.get(system, {}).get(name, "the paper says nothing")
            yield Entry(
                ROWS.get(system, system), name, claims.get(name), bounds[name], (job,), note
            )


def _of(requirement: str) -> str:
    return f"compared/{requirement.lower()}"


def _model(folder: Path, name: str) -> models.Model:
    path = folder / f"{name}.toml"
    if not path.is_file():
        raise UsageError(f"there is no model {name!r} in {folder}")
    return models.load(path)


def _job(folder: Path, name: str, variant: str, states: int, seconds: float) -> Job:
    text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    code = sources.of_variant(variant) + sources.of_model(tomllib.loads(text), folder)
    return Job(variant, name, text, states, seconds, str(folder), code, first=True)


def checked(entries: Iterable[Entry], found: Mapping[Job, Result]) -> list[Checked]:
    """Sum the searches of each cell up."""
    cells = []
    for entry in entries:
        results = [found[job] for job in entry.jobs]
        remembered = sum(result.remembered for result in results)
        cells.append(Checked(entry, whole(results), remembered))
    return cells


def code(cells: Iterable[Checked]) -> int:
    """Give the exit code: 0 if the paper is right in each cell that it speaks of."""
    claimed = [cell for cell in cells if cell.entry.claim is not None]
    if any(cell.agrees is False for cell in claimed):
        return Verdict.VIOLATED.exit_code
    if any(cell.agrees is None for cell in claimed):
        return Verdict.INCONCLUSIVE.exit_code
    return Verdict.HOLDS.exit_code
