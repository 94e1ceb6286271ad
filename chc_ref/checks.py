"""``chc check``: models explored, specifications run through TLC, proofs done with Z3."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TextColumn
from rich.table import Table

from chc_ref.check import STATES
from chc_ref.console import Json, out, progress
from chc_ref.errors import ModelError, UsageError
from chc_ref.export import command as export
from chc_ref.export.command import SCHEDULE, Formats, Save
from chc_ref.matrix import FILE as MATRIX
from chc_ref.reducing.options import CompactOption, ReduceOption, reductions
from chc_ref.verdict import Fairness, Order


def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models, instances or proofs; all by default.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="explorer (the Python core), tlc (TLA+), z3 (proofs), or all.")
    ] = "explorer",
    variant: Annotated[
        str | None,
        typer.Option(help="Other rules: a name of `chc variants`, FILE.py:NAME or MODULE:NAME."),
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of the models.")] = None,
    proofs: Annotated[Path | None, typer.Option(help="Folder of the proofs.")] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time limit of one check.")] = 600.0,
    states: Annotated[int, typer.Option(min=1, help="Limit of states of one model.")] = STATES,
    depth: Annotated[
        int | None, typer.Option(min=0, help="Expand states up to so many steps away.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(min=1.0, help="Limit of memory of the process, in MiB.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Search of the explorer: kernel (compiled), python, or auto.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, max=64, help="Threads of the compiled search.")
    ] = None,
    fairness: Annotated[
        Fairness, typer.Option(help="What a run that never ends must grant (LIVE).")
    ] = Fairness.WEAK,
    order: Annotated[
        Order, typer.Option(help="Breadth first, depth first, or random walks.")
    ] = Order.BREADTH,
    walks: Annotated[int, typer.Option(min=1, help="Number of random walks.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Seed of random walks, or of hashes.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="File that a stopped search of one model is kept in, and goes on from."),
    ] = None,
    reduce: ReduceOption = "",
    compact: CompactOption = None,
    slow: Annotated[bool, typer.Option(help="Run what is marked slow too.")] = False,
    simplify: Annotated[
        bool, typer.Option(help="Show counterexamples with the fewest crashes, moves and packets.")
    ] = True,
    save: Save = None,
    formats: Formats = SCHEDULE,
    as_json: Json = False,
) -> None:
    """Explore every interleaving of the models; run TLC on the specs; prove with Z3.

    Without names every check is held against what its file expects, so a deliberate failure
    that fails is fine. With names or a variant the verdict itself is the exit code. A
    counterexample is run again before it is shown, and simplified. Where a variant violates no
    model, drawn ones are searched as well.
    """
    from chc_ref import suite
    from chc_ref.check.explore import Limits, Method
    from chc_ref.verdict import Verdict, worst

    wanted = export.formats_of(formats, save)
    method = Method(
        backend, threads, fairness, order, walks, seed, checkpoint, reductions(reduce), compact
    )
    checks = _select(names or [], engine, variant, models, proofs, method)
    checks = [c for c in checks if slow or names or not c.slow]
    if checkpoint is not None and [c.engine for c in checks] != ["explorer"]:
        raise UsageError("--checkpoint keeps one search: name one model of the explorer")
    if checkpoint is not None and order is not Order.BREADTH:
        raise UsageError("--checkpoint keeps a search breadth first; leave --order out")
    limits = Limits(states, seconds, depth, memory)
    results: list[tuple[suite.Check, Any, bool]] = []
    with progress(as_json, TextColumn("{task.fields[state]}")) as bar:
        task = bar.add_task("check", total=len(checks), state="")
        for one in checks:
            bar.update(task, description=f"{one.engine} {one.name}", state="")
            try:
                report, expected = one.run(limits, lambda state: bar.update(task, state=state))
            except ModelError as error:
                if names or not variant:
                    raise
                report, expected = _ended(one, variant, error), False
            results.append((one, report, expected))
            bar.advance(task)
        literal, drawn = bool(names or variant), list[tuple[suite.Check, Any, bool]]()
        if variant and not names and all(r.verdict is not Verdict.VIOLATED for _, r, _ in results):
            drawn = _also_drawn(variant, models, method, limits, bar)
            results += [one for one in drawn if one[1].verdict is not Verdict.HOLDS]
        found: dict[str, Any] = {}  # as it is shown; the table tells of what was searched
        for one, report, expected in results:
            if report.verdict is Verdict.VIOLATED and (save or literal or not expected):
                bar.update(task, description=f"run {one.name} again", state="")
                found[one.name] = export.counterexample_of(one, report, method, simplify)
    if save is not None:
        export.save_all(save, filter(None, found.values()), wanted)
    if as_json:
        checked = [_as_json(*r, found) for r in results]
        print(json.dumps({"checks": checked, "drawn": _summed_up(drawn)}, default=str))
    else:
        _print_checks(results, literal, found)
        if drawn:
            told = ", ".join(f"{n} {verdict}" for verdict, n in _summed_up(drawn).items())
            out.print(f"\nNo model of the folder is violated. Drawn ones searched besides: {told}.")
    judged = [report for _, report, expected in results if literal or not expected]
    code = worst(judged).exit_code if judged else 0
    if judged and not literal and code == 0:
        code = 1  # it holds, and its file says that it must not
    raise typer.Exit(code)


def _select(
    names: list[str],
    engine: str,
    variant: str | None,
    models: Path | None,
    proofs: Path | None,
    method: Any,
) -> list[Any]:
    """Give the checks that a command line names."""
    from chc_ref import suite
    from chc_ref.check.drawn import is_name as is_drawn
    from chc_ref.check.model import is_model
    from chc_ref.places import folder
    from chc_ref.variants import library

    if engine != "all" and engine not in suite.ENGINES:
        raise UsageError(f"unknown engine {engine!r}; known: {', '.join(suite.ENGINES)}, all")
    if variant is not None and engine != "explorer":
        raise UsageError("--variant changes the Python core's rules: use it with the explorer")
    rules = library.find(variant).rules if variant else None
    models_folder = models or folder("models")
    if not models_folder.is_dir():
        raise UsageError(f"{models_folder}: no such folder")
    proofs_folder = proofs or folder("proofs")
    files = [Path(name) for name in names if name.endswith((".toml", ".py"))]
    for path in files:
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
    checks: list[Any] = []
    for path in files:
        checks += (
            suite.z3_checks(path)
            if path.suffix == ".py"
            else [suite.explorer_check(path, rules, method)]
        )
    plain = [name for name in names if not name.endswith((".toml", ".py"))]
    made_up = [name for name in plain if is_drawn(name)]
    checks += [suite.drawn_check(name, rules, method) for name in made_up]
    plain = [name for name in plain if name not in made_up]
    if checks and not plain:
        return checks
    engines = suite.ENGINES if engine == "all" else (engine,)
    known = [c for e in engines for c in suite.collect(e, models_folder, proofs_folder, method)]
    missing = set(plain) - {c.name for c in known}
    if missing:
        listed = ", ".join(sorted(c.name for c in known))
        raise UsageError(f"no check is called {min(missing)!r}; known: {listed}")
    chosen = [c for c in known if not plain or c.name in plain]
    if rules is not None:  # each system once, that of an ablation's model too
        systems = {c.system: c.name for c in reversed(chosen) if c.system}
        named = [c.name for c in chosen] if plain else sorted(systems.values())
        paths = [models_folder / f"{name}.toml" for name in named]
        chosen = [suite.explorer_check(path, rules, method) for path in paths if is_model(path)]
    return checks + chosen


def _also_drawn(
    variant: str, models: Path | None, method: Any, limits: Any, bar: Progress
) -> list[tuple[Any, Any, bool]]:
    """Search the drawn models that the matrix lists, up to one that is violated."""
    from chc_ref import suite
    from chc_ref.check.drawn import name
    from chc_ref.matrix.table import lists
    from chc_ref.places import folder
    from chc_ref.variants import library
    from chc_ref.verdict import Verdict

    where = models or folder("models")
    numbers = lists(where).drawn if (where / MATRIX).is_file() else ()
    rules = library.find(variant).rules
    task = bar.add_task("drawn models", total=len(numbers), state="")
    results = list[tuple[Any, Any, bool]]()
    for number in numbers:
        one = suite.drawn_check(name(number), rules, method)
        try:
            results.append((one, *one.run(limits, None)))
        except ModelError as error:
            results.append((one, _ended(one, variant, error), False))
        bar.advance(task)
        if results[-1][1].verdict is Verdict.VIOLATED:
            break
    return results


def _ended(one: Any, variant: str, error: ModelError) -> Any:
    """Report a check that was ended by rules that cannot go on; the other models are searched."""
    from chc_ref.verdict import Report, Verdict

    return Report(one.engine, one.name, Verdict.INCONCLUSIVE, variant, violated=str(error))


def _summed_up(drawn: list[tuple[Any, Any, bool]]) -> dict[str, int]:
    """Count searches by their verdicts."""
    return dict(Counter(report.verdict.value for _, report, _ in drawn))


def _label(one: Any, report: Any) -> str:
    """Name a check, and its rules where the name does not tell."""
    rules = report.rules.rpartition(":")[2]
    told = rules == "amended" or one.name.endswith(rules)
    return one.name if told else f"{one.name}, {rules}"


def _as_json(one: Any, report: Any, expected: bool, found: dict[str, Any]) -> dict[str, Any]:
    from chc_ref.check.counterexample import as_data

    data = {**report.to_json(), "expected": expected, "about": one.about}
    shown = found.get(one.name) if report.engine == "explorer" else None
    return data if shown is None else {**data, "counterexample": as_data(shown)}


def _print_checks(
    results: list[tuple[Any, Any, bool]], literal: bool, found: dict[str, Any]
) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("engine", "check", "verdict"):
        table.add_column(heading, no_wrap=True)
    for heading in ("states", "local", "depth", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("bounds")
    for one, report, expected in results:
        verdict = report.verdict.value
        if not literal and one.expect.value != "holds" and expected:
            verdict += " (as expected)"
        elif not literal and not expected:
            verdict += " (UNEXPECTED)"
        table.add_row(
            report.engine,
            _label(one, report),
            verdict,
            "" if report.states is None else str(report.states),
            "" if report.local_ratio is None else f"{report.local_ratio:.2%}",
            "" if report.depth is None else str(report.depth),
            f"{report.seconds:.1f}",
            report.bounds,
        )
    out.print(table)
    for one, report, expected in results:
        if report.miscounted:
            out.print(f"\n{one.name}: {report.miscounted}", markup=False, soft_wrap=True)
        if report.verdict.value == "inconclusive":
            out.print(
                f"\n{one.name}: inconclusive: {report.violated}", markup=False, soft_wrap=True
            )
        elif report.verdict.value == "violated" and (literal or not expected):
            shown = found.get(one.name) if report.engine == "explorer" else None
            violated = shown.violated if shown else report.violated
            out.print(f"\n{one.name}: {violated}", markup=False, soft_wrap=True)
            if shown:
                export.show(shown)
            for line in () if shown else report.lines:
                out.print(line, markup=False, soft_wrap=True)
