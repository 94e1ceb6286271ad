"""The matrix as a table: what to run for it, and what its cells say."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from chc_ref.check import drawn, model as models, sources
from chc_ref.errors import UsageError
from chc_ref.files import Keys, at, check_keys, read_toml
from chc_ref.matrix import FILE, STATES_OF_DRAWN
from chc_ref.matrix.jobs import Finding, Job, Result
from chc_ref.require.predicates import REQUIREMENTS
from chc_ref.variants import Variant
from chc_ref.variants.library import SHIPPED
from chc_ref.verdict import Verdict

KEYS: Keys = {
    "chc_matrix": (int, True),
    "models": (list, True),
    "more": (list, False),
    "drawn": (list, False),
}


@attrs.frozen
class Campaign:
    """What is searched besides, at random."""

    walks: int
    """In each of some searches, of every model."""
    seeds: int
    """How many searches of so many walks each."""
    drawn: int | None = 0
    """How many drawn models; None for those of the list, where a variant is not shipped."""


@attrs.frozen
class Cell:
    """What all searches of a variant say of one requirement.

    Random walks, and drawn models that are not listed, add what they find violated, and nothing
    else.
    """

    verdict: Verdict
    states: int
    """Of all searches together."""
    models: tuple[str, ...]
    shortest: Finding | None = None
    """The violation with the shortest counterexample."""
    model: str = ""
    """Where that is, or where it is inconclusive."""
    why: str = ""
    """What is violated, or why it is inconclusive."""
    violated_by: tuple[str, ...] = ()
    """All models that violate it."""

    @property
    def length(self) -> int:
        """Steps of the shortest counterexample; 0 if there is none."""
        return len(self.shortest.trace) if self.shortest else 0


@attrs.frozen
class Row:
    """A variant with its cells, by requirement."""

    name: str
    variant: Variant
    cells: dict[str, Cell]
    seconds: float
    remembered: int
    """Searches that did not have to be made again."""


def jobs(
    folder: Path,
    variants: Iterable[str],
    states: int,
    seconds: float,
    campaign: Campaign = Campaign(0, 0),
) -> dict[str, tuple[Job, ...]]:
    """Give the searches of each variant: the folder's common models, and the variant's own.

    One that is not shipped has no model of its own, as a rule: it goes through more of them, and
    through drawn ones.

    Args:
        folder: of the models.
        variants: the names that they are asked for by.
        states: limit of one search.
        seconds: limit of one search.
        campaign: what is searched besides, at random.

    Raises:
        UsageError: the folder has no list of models, or it names one that is not there.

    """
    listed = lists(folder)
    texts = {p.stem: p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.toml"))}
    tables = {name: tomllib.loads(texts[name]) for name in texts if _is_model(folder, name)}
    for name in (*listed.models, *listed.more):
        if name not in tables:
            raise UsageError(f"{folder / FILE}: models: there is no model {name!r} in {folder}")

    @functools.cache
    def code(name: str) -> str:
        models.of_data(folder / f"{name}.toml", tables[name])
        return sources.of_model(tables[name], folder)

    found = {}
    for variant in variants:
        rules = sources.of_variant(variant)
        own = [name for name, table in tables.items() if table.get("rules") == variant]
        whole = [
            Job(variant, name, texts[name], states, seconds, str(folder), rules + code(name))
            for name in dict.fromkeys(
                (*listed.models, *(() if variant in SHIPPED else listed.more), *own)
            )
        ]
        walked = [
            attrs.evolve(job, walks=campaign.walks, seed=seed, only_adds=True)
            for job in whole
            for seed in range(campaign.seeds)
        ]
        like = attrs.evolve(whole[0], code=rules)
        drawn_ones = _of_drawn(like, listed.drawn, campaign.drawn)
        found[variant] = (*whole, *walked, *drawn_ones)
    return found


def _of_drawn(like: Job, listed: Iterable[int], wanted: int | None) -> Iterator[Job]:
    """Give the searches of drawn models under the variant that a job is of.

    Those of the list are small enough to be seen whole; of so many others as are wanted most are
    not, and they say nothing of what they have not seen.
    """
    if wanted is None and like.variant not in SHIPPED:
        for number in listed:
            yield attrs.evolve(like, model=drawn.name(number), text=drawn.text(number))
    few = attrs.evolve(like, states=min(like.states, STATES_OF_DRAWN), only_adds=True)
    for number in range(wanted or 0):
        yield attrs.evolve(few, model=drawn.name(number), text=drawn.text(number))


def _is_model(folder: Path, name: str) -> bool:
    return models.is_model(folder / f"{name}.toml")


@attrs.frozen
class Lists:
    """What a folder's list of models has."""

    models: tuple[str, ...]
    """For all variants."""
    more: tuple[str, ...]
    """For those that are not shipped."""
    drawn: tuple[int, ...]
    """Numbers of drawn models, for the latter as well."""


def lists(folder: Path) -> Lists:
    """Read the list of models of a folder.

    Raises:
        UsageError: there is none, or it is malformed.

    """
    path = folder / FILE
    if not path.is_file():
        mend = 'write it: chc_matrix = 1, and models = ["NAME", ...]'
        raise UsageError(f"{path}: no such file; {mend}")
    table = read_toml(path)
    with at(path):
        check_keys(table, KEYS)
        for key in ("models", "more"):
            if strange := [name for name in table.get(key, ()) if not isinstance(name, str)]:
                raise UsageError(f"{key}: {strange[0]!r} is no name of a model")
        for number in table.get("drawn", ()):
            if type(number) is not int or number < 0:
                raise UsageError(f"drawn: {number!r} is no number of a drawn model")
    return Lists(*(tuple(table.get(key, ())) for key in ("models", "more", "drawn")))


def row(name: str, variant: Variant, results: Iterable[Result]) -> Row:
    """Sum the searches of a variant up."""
    results = tuple(results)
    cells = {name: _cell(name, results) for name in REQUIREMENTS}
    remembered = sum(result.remembered for result in results)
    seconds = sum(result.seconds for result in results)
    return Row(name, variant, cells, seconds, remembered)


def whole(results: Iterable[Result]) -> Cell:
    """Sum searches up over all requirements: the worst cell, and of violated ones the shortest."""
    results = tuple(results)
    cells = [_cell(name, results) for name in REQUIREMENTS]
    wrong = [cell for cell in cells if cell.verdict is Verdict.VIOLATED]
    if wrong:
        return min(wrong, key=lambda cell: cell.length)
    return next((c for c in cells if c.verdict is Verdict.INCONCLUSIVE), cells[0])


def _cell(requirement: str, results: tuple[Result, ...]) -> Cell:
    named = [(r.job.model, r.findings[requirement]) for r in results]
    seen_whole = [(r.job.model, r.findings[requirement]) for r in results if not r.job.only_adds]
    states = sum(finding.states for _, finding in named)
    every = tuple(dict.fromkeys(model for model, _ in named))
    wrong = [one for one in named if one[1].verdict == Verdict.VIOLATED.value]
    if wrong:
        model, finding = min(wrong, key=lambda one: len(one[1].trace))
        by = tuple(dict.fromkeys(model for model, _ in wrong))
        return Cell(Verdict.VIOLATED, states, every, finding, model, finding.violated, by)
    for model, finding in seen_whole:
        if finding.verdict != Verdict.HOLDS.value:
            return Cell(Verdict.INCONCLUSIVE, states, every, None, model, finding.violated)
    return Cell(Verdict.HOLDS, states, every)
