"""``chc matrix``: which variant keeps which requirement."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chc_ref.console import out, progress
from chc_ref.errors import UsageError

if TYPE_CHECKING:
    from chc_ref.matrix.table import Row


def matrix(
    variants: Annotated[
        list[str] | None,
        typer.Argument(help="Variants, as for `chc check`; all shipped ones by default."),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of the models, with a matrix.toml.")
    ] = None,
    states: Annotated[int, typer.Option(min=1, help="Limit of states of one search.")] = 1_000_000,
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
    cache: Annotated[bool, typer.Option(help="Remember results, and use remembered ones.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write a Markdown file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page.")] = None,
) -> None:
    """Search models under every variant, and print which requirements hold.

    A cell holds, is violated (with the length of the shortest counterexample) or is
    inconclusive. With names the exit code is that of all their cells together; without, it is 0
    if the amended protocol holds and every other variant, but for harmless ones, is violated
    somewhere.
    """
    from chc_ref.matrix import run, show, table
    from chc_ref.matrix.jobs import Memory
    from chc_ref.matrix.table import Campaign
    from chc_ref.places import folder
    from chc_ref.variants import library
    from chc_ref.variants.shipped import SHIPPED

    chosen = {name: library.find(name) for name in variants} if variants else SHIPPED
    every = table.jobs(models or folder("models"), chosen, states, seconds, Campaign(walks, seeds))
    jobs = [job for of in every.values() for job in of]
    with ExitStack() as stack, progress(as_json) as bar:
        task = bar.add_task("matrix", total=len(jobs))
        found = run.results(
            jobs,
            lambda: stack.enter_context(
                run.cluster(scheduler, processes) if scheduler else run.processes(processes)
            ),
            Memory() if cache else None,
            lambda result: bar.advance(task),
        )
    rows = [
        table.row(name, variant, [found[job] for job in every[name]])
        for name, variant in chosen.items()
    ]
    if markdown is not None:
        _write(markdown, show.markdown(rows))
    if html is not None:
        _write(html, show.html(rows))
    if as_json:
        print(json.dumps(show.as_json(rows)))
    else:
        out.print(show.terminal(rows))
        remembered = sum(row.remembered for row in rows)
        out.print(f"{len(jobs)} searches, {remembered} of them remembered")
    raise typer.Exit(_code(rows, bool(variants)))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _code(rows: list[Row], named: bool) -> int:
    """Give the exit code; see ``matrix``."""
    from chc_ref.core.rules import AMENDED
    from chc_ref.verdict import Verdict

    order = (Verdict.VIOLATED, Verdict.INCONCLUSIVE, Verdict.HOLDS)
    worst = {
        row.name: min((cell.verdict for cell in row.cells.values()), key=order.index)
        for row in rows
    }
    if named:
        return min(worst.values(), key=order.index).exit_code
    code = worst[AMENDED.name].exit_code
    for row in rows:
        violated = worst[row.name] is Verdict.VIOLATED
        if row.name != AMENDED.name and violated == bool(row.variant.harmless):
            told = f"violated, though {row.variant.harmless}" if violated else "violated nowhere"
            out.print(f"{row.name}: {told}")
            code = Verdict.VIOLATED.exit_code
    return code
