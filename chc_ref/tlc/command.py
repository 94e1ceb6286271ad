"""``chc tlc``: TLC on any specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TextColumn
from rich.table import Table

from chc_ref.console import Json, out, progress
from chc_ref.errors import UsageError
from chc_ref.files import write_text

if TYPE_CHECKING:
    from chc_ref.tlc.output import Outcome
    from chc_ref.tlc.run import Ran, Settings
    from chc_ref.verdict import Report


def tlc(
    spec: Annotated[Path, typer.Argument(help="A TLA+ module; those beside it may be extended.")],
    config: Annotated[
        Path | None, typer.Option(help="Its configuration; SPEC.cfg by default.")
    ] = None,
    modules: Annotated[
        Path | None, typer.Option(help="A further folder of modules that it extends.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads of TLC.")] = 1,
    memory: Annotated[int | None, typer.Option(min=32, help="Java's heap, in MiB.")] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time limit.")] = 600.0,
    depth: Annotated[
        int | None,
        typer.Option(min=1, help="Expand states up to so many steps away; length of a random run."),
    ] = None,
    simulate: Annotated[
        int | None, typer.Option(min=1, metavar="RUNS", help="So many random runs instead.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of random runs.")] = 0,
    deadlock: Annotated[
        bool, typer.Option("--deadlock/--no-deadlock", help="Whether a deadlock is an error.")
    ] = True,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Count how often each action is taken.")
    ] = False,
    itf: Annotated[
        Path | None, typer.Option(help="Write the counterexample to this file, as ITF JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run TLC on a TLA+ specification, with the TLC and Java that came with the package.

    CHC_JAVA and CHC_TLA2TOOLS name others. Exit code 1: violated; 3: a limit was met, or random
    runs found nothing; 2: an error in the module or configuration, named with file and line.
    """
    from chc_ref.tlc import run
    from chc_ref.tlc.run import Settings, Simulation

    spec = spec.with_suffix(".tla") if not spec.suffix else spec
    config = _config(spec, config)
    simulation = Simulation(simulate, depth or 100, seed) if simulate else None
    with progress(as_json, TextColumn("{task.fields[state]}")) as bar:
        task = bar.add_task(f"tlc {spec.stem}", total=None, state="")

        def show(now: Any) -> None:
            bar.update(task, state=f"{now.distinct} states, {now.queue} left, depth {now.depth}")

        settings = Settings(
            workers, seconds, memory, depth, deadlock, coverage, simulation, progress=show
        )
        with run.job(spec, config, modules) as of:
            ran = run.execute(of, settings)
    report = _judged(ran, spec, config, settings, as_json)
    if itf is not None:
        _write(itf, ran.outcome, report)
    if as_json:
        print(json.dumps(_as_data(report, ran.outcome, coverage)))
    else:
        _show(report, ran.outcome)
    raise typer.Exit(report.verdict.exit_code)


def _config(spec: Path, config: Path | None) -> Path:
    if not spec.is_file():
        raise UsageError(f"{spec}: no such file")
    if config is None and not spec.with_suffix(".cfg").is_file():
        raise UsageError(
            f"{spec.with_suffix('.cfg')}: no such file: TLC needs a configuration with at least "
            f"SPECIFICATION, or INIT and NEXT; name one with --config"
        )
    return config or spec.with_suffix(".cfg")


def _judged(ran: Ran, spec: Path, config: Path, settings: Settings, quiet: bool) -> Report:
    """Give the report; of an error in the module, tell the way to it."""
    from chc_ref.tlc import run

    trace = ran.outcome.trace
    if (ran.outcome.fault or ran.outcome.failure) and trace is not None and not quiet:
        for line in ("the way to the error:", *trace.lines()):
            out.print(line, markup=False, soft_wrap=True)
    return run.report(ran, spec, config, settings)


def _write(path: Path, outcome: Outcome, report: Report) -> None:
    if outcome.trace is None:
        raise UsageError(f"{path}: not written: {report.model} has no counterexample")
    write_text(path, outcome.trace.to_itf(f"{report.model}: {report.violated}"))


def _as_data(report: Report, outcome: Outcome, covered: bool) -> dict[str, Any]:
    data = report.to_json()
    data["trace"] = outcome.trace.as_data() if outcome.trace else None
    if covered:
        data["coverage"] = {
            name: {"distinct": distinct, "taken": taken}
            for name, (distinct, taken) in outcome.coverage.items()
        }
        data["never"] = list(outcome.never)
    return data


def _show(report: Report, outcome: Outcome) -> None:
    table = Table(box=None, header_style="bold")
    for name in ("engine", "check", "verdict", "states", "generated", "depth", "s"):
        table.add_column(
            name, justify="right" if name not in ("engine", "check", "verdict") else "left"
        )
    counts = (report.states, report.transitions, report.depth)
    shown = ("" if count is None else str(count) for count in counts)
    row = (report.engine, report.model, report.verdict.value, *shown, f"{report.seconds:.1f}")
    table.add_row(*row)
    out.print(table)
    if outcome.coverage:
        _show_coverage(outcome)
    if report.violated:
        out.print(f"{report.verdict.value}: {report.violated}", markup=False, soft_wrap=True)
    for line in outcome.trace.lines() if outcome.trace else ():
        out.print(line, markup=False, soft_wrap=True)


def _show_coverage(outcome: Outcome) -> None:
    table = Table("action", box=None, header_style="bold")
    table.add_column("taken", justify="right")
    table.add_column("new states", justify="right")
    for name, (distinct, taken) in outcome.coverage.items():
        table.add_row(name, str(taken), str(distinct))
    out.print(table)
    if outcome.never:
        out.print(f"never taken: {', '.join(outcome.never)}", markup=False)
