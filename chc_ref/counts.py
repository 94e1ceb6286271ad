"""``chc counts``: count the states of models, and pin them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chc_ref.console import Json, err, out, progress

if TYPE_CHECKING:
    from chc_ref.verdict import Report


def counts(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Model files, or names; all of the folder by default."),
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of the models.")] = None,
    do_write: Annotated[bool, typer.Option("--write", help="Pin what is counted.")] = False,
    slow: Annotated[bool, typer.Option(help="Count the models that are marked slow, too.")] = False,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time limit of one search.")] = 600.0,
    states: Annotated[int, typer.Option(min=1, help="Limit of states of one model.")] = 200_000_000,
    as_json: Json = False,
) -> None:
    """Count the states of models, and compare them with what is pinned in counts.toml.

    Exit code 0: all as pinned, or written; 1: other counts; 3: a search met a bound.
    """
    from chc_ref import suite
    from chc_ref.check.explore import Limits
    from chc_ref.check.model import is_model
    from chc_ref.places import folder

    where = models or folder("models")
    paths = [Path(n) if n.endswith(".toml") else where / f"{n}.toml" for n in names or ()]
    paths = paths or sorted(p for p in where.glob("*.toml") if is_model(p))
    checks = {path: suite.explorer_check(path) for path in paths}
    if not names and not slow:
        checks = {path: check for path, check in checks.items() if not check.slow}
    found: dict[Path, Report] = {}
    with progress(as_json) as bar:
        task = bar.add_task("counts", total=len(checks))
        for path, check in checks.items():
            found[path], _ = check.run(Limits(states, seconds), None)
            bar.advance(task)
    if do_write:
        _pin(found, every=not names, slow=slow)
    raise typer.Exit(_compared(found, as_json))


def _pin(found: Mapping[Path, Report], every: bool, slow: bool) -> None:
    """Write what was counted beside what is pinned; of a whole folder, drop what is gone."""
    from chc_ref.check import counts

    for folder in sorted({path.parent for path in found}):
        file = folder / counts.FILE
        known = dict(counts.read(file, file.stat().st_mtime_ns)) if file.is_file() else {}
        if every:
            known = {name: of for name, of in known.items() if (folder / f"{name}.toml").is_file()}
        known |= {
            path.stem: counts.of(r)
            for path, r in found.items()
            if path.parent == folder and counts.of(r)
        }
        counts.write(file, known)


def _compared(found: Mapping[Path, Report], as_json: bool) -> int:
    """Print counts and differences; give the exit code."""
    from chc_ref.check.counts import miscounted, of, pinned
    from chc_ref.verdict import Verdict

    wrong = {path: miscounted(path, report, None) for path, report in found.items()}
    unknown = [path for path in found if of(found[path]) and pinned(path) is None]
    bounded = [path for path, report in found.items() if not of(report)]
    if as_json:
        print(json.dumps({"counts": [_plain(p, found[p], wrong[p]) for p in found]}))
    for path in () if as_json else found:
        told = ", ".join(f"{key} {n:,}" for key, n in of(found[path]).items())
        out.print(f"{path.stem}: {told or found[path].violated}", markup=False, soft_wrap=True)
    for path, text in wrong.items():
        if text:
            err.print(f"{path.stem}: {text}", markup=False, soft_wrap=True)
    for path in unknown:
        err.print(f"{path.stem}: nothing is pinned; chc counts {path} --write", markup=False)
    if any(wrong.values()) or unknown:
        return Verdict.VIOLATED.exit_code
    return Verdict.INCONCLUSIVE.exit_code if bounded else Verdict.HOLDS.exit_code


def _plain(path: Path, report: Report, wrong: str) -> dict[str, Any]:
    from chc_ref.check.counts import of, pinned

    return {"model": path.stem, "counts": of(report), "pinned": pinned(path), "differs": wrong}
