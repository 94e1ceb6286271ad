"""What ``chc check`` and ``chc replay`` do with counterexamples: print them, and save them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chc_ref.console import err, out
from chc_ref.errors import UsageError

if TYPE_CHECKING:
    from chc_ref.check.counterexample import Counterexample
    from chc_ref.check.explore import Method
    from chc_ref.suite import Check
    from chc_ref.verdict import Report

SCHEDULE, ALL = "schedule", "all"

FORMATS = {
    SCHEDULE: "{}.toml",
    "html": "{}.html",
    "svg": "{}.svg",
    "mermaid": "{}.mmd",
    "itf": "{}.itf.json",
    "pytest": "test_{}.py",
}
"""Formats of a saved counterexample, and how its file is called."""

Save = Annotated[
    Path | None, typer.Option(help="Folder for counterexamples, in each of the --formats.")
]
Formats = Annotated[
    str, typer.Option(help=f"Of what is saved, by commas: {', '.join(FORMATS)}; or {ALL}.")
]


def formats_of(text: str, save: Path | None) -> tuple[str, ...]:
    """Read the option ``--formats``; a test needs its schedule, so that comes with it.

    Raises:
        UsageError: there is no such format, or no folder to save to.

    """
    names = {name.strip() for name in text.split(",")}
    for name in sorted(names - {*FORMATS, ALL}):
        known = ", ".join((*FORMATS, ALL))
        raise UsageError(f"--formats: unknown format {name!r}; known: {known}")
    if save is None and names != {SCHEDULE}:
        raise UsageError("--formats says how to save: name a folder with --save")
    if "pytest" in names:
        names.add(SCHEDULE)
    return tuple(name for name in FORMATS if name in names or ALL in names)


# --------------------------------------------------------------------------- of a check


def counterexample_of(
    check: Check, report: Report, method: Method, simpler: bool
) -> Counterexample | None:
    """Give what a check of the explorer has found, run again and simplified; None if nothing.

    Raises:
        CheckerError: it is not so when it is run again.

    """
    from chc_ref.check.counterexample import of_report
    from chc_ref.check.explore import Method
    from chc_ref.check.simplify import simplify

    if check.model is None or check.path is None:
        return None
    found = of_report(check.model, check.path, report)
    if found is None or not simpler:
        return found
    # Breadth first, in whatever order it was found: what is simpler must not be longer.
    return simplify(found, method=Method(method.backend, method.threads))


def show(found: Counterexample) -> None:
    """Print steps, what each changes, and what is violated."""
    from chc_ref.check.counterexample import lines

    for line in lines(found):
        out.print(line, markup=False, soft_wrap=True)


# --------------------------------------------------------------------------- of a saved run


def replay(path: Path, variant: str | None, save: Path | None, formats: str, as_json: bool) -> int:
    """Run one saved run again, and print it; gives the exit code.

    Raises:
        UsageError: it cannot be read, or a step is not possible.

    """
    from chc_ref.check import schedule
    from chc_ref.check.counterexample import as_data, as_report, of_schedule
    from chc_ref.places import folder
    from chc_ref.variants import library

    wanted = formats_of(formats, save)
    rules = library.find(variant).rules if variant is not None else None
    saved = schedule.load(path, folder("models"))
    found = of_schedule(saved, rules)
    if save is not None:
        save_all(save, [found] if found.violated else [], wanted)
    report = as_report(found)
    if as_json:
        data = {**report.to_json(), "written_for": saved.violates, "counterexample": as_data(found)}
        print(json.dumps(data, default=str))
        return report.verdict.exit_code
    violated = found.violated or "this run violates nothing"
    if found.violated != saved.violates:
        violated += f" (it was written for: {saved.violates or 'nothing'})"
    out.print(f"{report.model}, {report.rules}: {violated}", markup=False, soft_wrap=True)
    show(found)
    return report.verdict.exit_code


# --------------------------------------------------------------------------- files


def save_all(folder: Path, found: Iterable[Counterexample], formats: tuple[str, ...]) -> None:
    """Write counterexamples, and say where; or that there is none.

    Raises:
        UsageError: the folder cannot be written to.

    """
    found = tuple(found)
    if not found:
        err.print("nothing to save: there is no counterexample that can be run again")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in found:
            for name, text in files(one, formats):
                (folder / name).write_text(text, encoding="utf-8")
                err.print(f"saved {folder / name}", markup=False)
    except OSError as error:
        raise UsageError(f"--save: {error.filename or folder}: {error.strerror}") from None


def files(found: Counterexample, formats: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give name and text of each file of a counterexample."""
    from chc_ref.export.regression import identifier

    name = name_of(found)
    for one in formats:
        stem = identifier(name) if one == "pytest" else name
        yield FORMATS[one].format(stem), text_in(one, found)


def name_of(found: Counterexample) -> str:
    """Give the name that the files share: the model's, and the rules' if that does not tell."""
    rules = found.rules.name.rpartition(":")[2]
    told = rules == "amended" or found.model.name.endswith(rules)
    return found.model.name if told else f"{found.model.name}.{rules}"


def text_in(format_: str, found: Counterexample) -> str:
    """Give a counterexample in one of the formats."""
    from chc_ref.export import mermaid, page, picture, records, regression
    from chc_ref.export.story import story

    match format_:
        case "html":
            return page.html(story(found))
        case "svg":
            return picture.svg(story(found))
        case "mermaid":
            return mermaid.mermaid(story(found))
        case "itf":
            return records.itf_text(found)
        case "pytest":
            return regression.test_text(found, name_of(found))
    return found.schedule()
