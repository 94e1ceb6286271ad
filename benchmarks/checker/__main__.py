"""Command: `python -m benchmarks.checker`."""

from __future__ import annotations

import json
import signal
import sys
from typing import Annotated, Any

import typer

from benchmarks.checker import engines, graphs
from benchmarks.checker.engines import StoppedError
from benchmarks.checker.graphs import Graph, Size
from benchmarks.checker.results import Result, machine, table
from chc_ref.check.model import load
from chc_ref.console import err, out, progress
from chc_ref.errors import ChcError, ToolError, UsageError

app = typer.Typer(add_completion=False)

SIZES: dict[str, tuple[Size, ...]] = {
    "quick": ("quick",),
    "usual": ("quick", "usual"),
    "large": ("quick", "usual", "large"),
    "huge": ("quick", "usual", "large", "huge"),
}


@app.command()
def measure(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[GRAPH]...", help="Graphs, by name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small graphs only: seconds.")] = False,
    size: Annotated[str, typer.Option(help="Graphs up to usual, large or huge ones.")] = "usual",
    engine: Annotated[
        list[str] | None, typer.Option(help="Only this engine; may be given again.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each engine, in turn.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Of the kernel and of TLC.")] = 2,
    seconds: Annotated[float, typer.Option(min=1.0, help="Time limit of one run.")] = 3600.0,
) -> None:
    """Measure states a second and memory of the explorer beside other model checkers.

    All engines must find as many states and transitions as each other, or nothing is compared.
    Exit code 0: so they did; 1: they did not; 3: an engine is missing or met the time limit.
    """
    if size not in SIZES:
        raise UsageError(f"--size {size!r}; it is one of {', '.join(SIZES)}")
    wanted = tuple(engine or engines.ENGINES)
    if strange := [name for name in wanted if name not in engines.ENGINES]:
        known = ", ".join(engines.ENGINES)
        raise UsageError(f"no engine is called {strange[0]!r}; known: {known}")
    chosen = graphs.choose(names or [], SIZES["quick" if quick else size])
    here = machine()
    results = []
    with progress(as_json) as bar:
        for graph in chosen:
            task = bar.add_task(graph.name, total=repeat)
            results.append(_measured(graph, wanted, repeat, threads, seconds))
            bar.remove_task(task)
    data = [result.data() for result in results]
    here["load_after"] = machine()["load"]
    if as_json:
        print(json.dumps({"machine": here, "threads": threads, "graphs": data}))
    else:
        out.print(table(data))
        out.print(", ".join(f"{key} {value}" for key, value in here.items()), markup=False)
    unequal = [result.unequal for result in results if result.unequal]
    for text in unequal:
        err.print(text, markup=False)
    raise typer.Exit(1 if unequal else 3 if any(result.missing for result in results) else 0)


def _measured(
    graph: Graph, wanted: tuple[str, ...], repeat: int, threads: int, limit_s: float
) -> Result:
    """Let each engine search a graph, in turn, so that what else goes on disturbs all alike."""
    result = Result(graph.name, load(graph.model).bounds)
    for _ in range(repeat):
        for name in graph.engines:
            if name not in wanted or name in result.missing:
                continue
            try:
                result.add(name, engines.ENGINES[name](graph.model, threads, limit_s))
            except StoppedError:
                result.missing[name] = f"time limit of {limit_s:g} s"
            except ToolError as error:
                result.missing[name] = str(error)
    return result


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; give its exit code."""
    try:
        return app(arguments, standalone_mode=False) or 0
    except ChcError as error:
        err.print(f"benchmarks.checker: {error}", markup=False)
        return 2
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        err.print(f"benchmarks.checker: {error.format_message()}", markup=False)
        return 2


if __name__ == "__main__":
    # An exit, and not the end at once: so that what it has started ends with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main())
