"""``chc matrix``: which variant keeps which requirement."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from chc_ref.console import Json, out, progress
from chc_ref.errors import UsageError
from chc_ref.files import write_text
from chc_ref.reducing.options import ReduceOption, reductions

if TYPE_CHECKING:
    from chc_ref.matrix.jobs import Job, Result, Way
    from chc_ref.matrix.table import Row

STATES, STATES_OF_CLAIMS = 1_000_000, 20_000_000
"""Limits of states of one search: of the matrix, and of the paper's tables."""
TITLES = {
    "table3": "Table 3: simultaneous failures",
    "paper": "Section 2.2: systems against requirements",
}


def matrix(
    variants: Annotated[
        list[str] | None,
        typer.Argument(help="Variants, as for `chc check`; all shipped ones by default."),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of the models, with a matrix.toml.")
    ] = None,
    states: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Limit of states of one search: {STATES:,}; of the paper's tables "
            f"{STATES_OF_CLAIMS:,}.",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time limit of one search.")] = 120.0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Searches at a time; by default one a processor.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Run on the Dask cluster at this address; `local` starts one here."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=0, help="Searches by random walks besides, of each model.")
    ] = 0,
    walks: Annotated[int, typer.Option(min=1, help="Walks of each of these.")] = 1_000,
    drawn: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Models made up at random besides, from number 0 on; by default, for variants "
            "that are not shipped, those that matrix.toml names.",
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Search: kernel (compiled), python, or auto.")
    ] = "auto",
    reduce: ReduceOption = "",
    cache: Annotated[bool, typer.Option(help="Remember results, and use remembered ones.")] = True,
    as_json: Json = False,
    table3: Annotated[
        bool, typer.Option("--table3", help="The paper's Table 3 instead: failures together.")
    ] = False,
    paper: Annotated[
        bool, typer.Option("--paper", help="The paper's section 2.2 instead: systems compared.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write a Markdown file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page.")] = None,
) -> None:
    """Search models under every variant, and print which requirements hold.

    A cell holds, is violated (with the length of the shortest counterexample) or is
    inconclusive. With names the exit code is that of all their cells together; without, it is 0
    if the amended protocol holds and every other variant, but for harmless ones, is violated
    somewhere. With ``--table3`` or ``--paper`` it is 0 if all is as the paper claims.
    """
    from chc_ref.places import folder

    where = models or folder("models")
    way = _way(backend, reduce)
    if (table3 or paper) and (variants or seeds or drawn or (table3 and paper)):
        raise UsageError("--table3 and --paper stand alone: nothing is searched besides")

    def search(jobs: list[Job]) -> dict[Job, Result]:
        ways = {job if job.walks else attrs.evolve(job, way=way): job for job in jobs}
        found = _search(list(ways), as_json, processes, scheduler, cache)
        return {ways[job]: result for job, result in found.items()}

    if table3 or paper:
        limits = (states or STATES_OF_CLAIMS, seconds)
        printed, code = _claims("table3" if table3 else "paper", where, limits, search)
    else:
        limits = (states or STATES, seconds)
        printed, code = _variants(variants or [], where, limits, (walks, seeds, drawn), search)
    for path, text in ((markdown, printed.markdown), (html, printed.html)):
        if path is not None:
            write_text(path, text)
    if as_json:
        print(json.dumps(printed.data))
    else:
        out.print(printed.shown)
    raise typer.Exit(code)


def _way(backend: str, reduce: str) -> Way:
    """Give how to search, as the options say.

    Raises:
        UsageError: there is no such search here, or it does not go with reductions.

    """
    from chc_ref.check.kernel import backends
    from chc_ref.matrix.jobs import Way

    wanted = reductions(reduce)
    if backend not in ("auto", *backends()):
        known = ", ".join(("auto", *backends()))
        raise UsageError(f"--backend {backend!r} is not here; known: {known}")
    if wanted and backend == "kernel":
        raise UsageError("--reduce searches in plain Python: leave --backend kernel out")
    return Way(backend, wanted)


@attrs.frozen
class Printed:
    """A table in every form that it is printed in."""

    shown: RenderableType
    data: dict[str, Any]
    markdown: str
    html: str


Search = Callable[["list[Job]"], "dict[Job, Result]"]


def _search(
    jobs: list[Job], quiet: bool, processes: int | None, scheduler: str | None, cache: bool
) -> dict[Job, Result]:
    """Search, here or on a cluster, with progress."""
    from chc_ref.matrix import run
    from chc_ref.matrix.jobs import Memory

    with ExitStack() as stack, progress(quiet) as bar:
        task = bar.add_task("matrix", total=len(jobs))
        return run.results(
            jobs,
            lambda: stack.enter_context(
                run.cluster(scheduler, processes) if scheduler else run.processes(processes)
            ),
            Memory() if cache else None,
            lambda result: bar.advance(task),
        )


def _claims(
    which: str, where: Path, limits: tuple[int, float], search: Search
) -> tuple[Printed, int]:
    """Check a table of the paper."""
    from chc_ref.matrix import claims, show_claims as show

    entries = tuple((claims.table3 if which == "table3" else claims.comparison)(where, *limits))
    found = search(list(dict.fromkeys(job for entry in entries for job in entry.jobs)))
    cells = claims.checked(entries, found)
    title = TITLES[which]
    remembered = sum(result.remembered for result in found.values())
    shown = Group(show.terminal(title, cells), _summary(len(found), remembered))
    data, code = show.as_json(title, cells), claims.code(cells)
    return Printed(shown, data, show.markdown(title, cells), show.html(title, cells)), code


def _variants(
    names: list[str],
    where: Path,
    limits: tuple[int, float],
    besides: tuple[int, int, int | None],
    search: Search,
) -> tuple[Printed, int]:
    """Check requirements against variants."""
    from chc_ref.matrix import show, table
    from chc_ref.variants import library
    from chc_ref.variants.shipped import SHIPPED

    chosen = {name: library.find(name) for name in names} if names else SHIPPED
    every = table.jobs(where, chosen, *limits, table.Campaign(*besides))
    found = search([job for of in every.values() for job in of])
    rows = [
        table.row(name, variant, [found[job] for job in every[name]])
        for name, variant in chosen.items()
    ]
    code, told = _judged(rows, bool(names))
    if names:
        lines = [line for row in rows for line in show.told(row)]
        told = [Text(line, no_wrap=True, overflow="ignore") for line in lines]  # to be copied
    remembered = sum(row.remembered for row in rows)
    shown = Group(show.terminal(rows), _summary(len(found), remembered), *told)
    return Printed(shown, show.as_json(rows), show.markdown(rows), show.html(rows)), code


def _summary(searches: int, remembered: int) -> str:
    return f"{searches} searches, {remembered} of them remembered"


def _judged(rows: list[Row], named: bool) -> tuple[int, list[RenderableType]]:
    """Give the exit code, see ``matrix``, and what is to be said of single rows."""
    from chc_ref.core.rules import AMENDED
    from chc_ref.verdict import Verdict

    order = (Verdict.VIOLATED, Verdict.INCONCLUSIVE, Verdict.HOLDS)
    worst = {
        row.name: min((cell.verdict for cell in row.cells.values()), key=order.index)
        for row in rows
    }
    if named:
        return min(worst.values(), key=order.index).exit_code, []
    code = worst[AMENDED.name].exit_code
    told: list[RenderableType] = []
    for row in rows:
        violated = worst[row.name] is Verdict.VIOLATED
        if row.name != AMENDED.name and violated == bool(row.variant.harmless):
            wrong = f"violated, though {row.variant.harmless}" if violated else "violated nowhere"
            told.append(f"{row.name}: {wrong}")
            code = Verdict.VIOLATED.exit_code
    return code, told
