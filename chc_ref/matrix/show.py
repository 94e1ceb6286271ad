"""The matrix in print: for a terminal, as JSON, as Markdown and as a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from rich.table import Table

from chc_ref import __version__
from chc_ref.matrix.table import Cell, Row
from chc_ref.require.predicates import REQUIREMENTS
from chc_ref.verdict import Verdict

SIGNS = {Verdict.HOLDS: "holds", Verdict.VIOLATED: "violated", Verdict.INCONCLUSIVE: "?"}
COLOURS = {Verdict.HOLDS: "green", Verdict.VIOLATED: "red", Verdict.INCONCLUSIVE: "yellow"}


def words(cell: Cell) -> str:
    """Say a cell in a word or two: its verdict, and the length of a counterexample."""
    if cell.verdict is Verdict.VIOLATED:
        return f"in {cell.length}"
    return SIGNS[cell.verdict]


def terminal(rows: list[Row]) -> Table:
    """Give the table for a terminal."""
    table = Table(title="requirements against variants", title_justify="left")
    table.add_column("variant", no_wrap=True)
    for name in REQUIREMENTS:
        table.add_column(name, justify="right")
    table.add_column("states", justify="right")
    table.add_column("seconds", justify="right")
    for row in rows:
        cells = [f"[{COLOURS[c.verdict]}]{words(c)}[/]" for c in row.cells.values()]
        states = max(cell.states for cell in row.cells.values())
        table.add_row(row.name, *cells, f"{states:,}", f"{row.seconds:.1f}")
    return table


def as_json(rows: list[Row]) -> dict[str, Any]:
    """Give plain data."""
    return {
        "version": __version__,
        "requirements": REQUIREMENTS,
        "variants": {
            row.name: {
                "about": row.variant.about,
                "clauses": row.variant.clauses,
                "seconds": row.seconds,
                "remembered": row.remembered,
                "cells": {name: _plain(cell) for name, cell in row.cells.items()},
            }
            for row in rows
        },
    }


def _plain(cell: Cell) -> dict[str, Any]:
    data: dict[str, Any] = {
        "verdict": cell.verdict.value,
        "states": cell.states,
        "models": cell.models,
    }
    if cell.why:
        data |= {"model": cell.model, "why": cell.why}
    if cell.shortest:
        data |= {"length": cell.length, "trace": cell.shortest.trace}
        data |= {"violated_by": cell.violated_by}
    return data


def markdown(rows: list[Row]) -> str:
    """Give a Markdown table, and below it each variant with its shortest counterexamples."""
    lines = [
        "| variant | " + " | ".join(REQUIREMENTS) + " |",
        "|---|" + "---|" * len(REQUIREMENTS),
        *(
            f"| [{row.name}](#{row.name}) | "
            + " | ".join(words(cell) for cell in row.cells.values())
            + " |"
            for row in rows
        ),
    ]
    for row in rows:
        lines += ["", f"## {row.name}", "", _about(row)]
        for names, cell in _counterexamples(row):
            lines += ["", f"**{names}**: {cell.why}", "", f"`{command(row, cell)}`", ""]
            lines += [f"{n}. {step}" for n, step in enumerate(_steps(cell), start=1)]
        lines += ["", *_open(row)]
    return "\n".join(lines).rstrip() + "\n"


def html(rows: list[Row]) -> str:
    """Give a page of its own: the table, and behind each violation its counterexample."""
    head = "".join(f'<th title="{escape(REQUIREMENTS[name])}">{name}</th>' for name in REQUIREMENTS)
    body = []
    for row in rows:
        cells = "".join(
            f'<td class="{cell.verdict.value}" title="{escape(_title(cell))}">'
            f'<a href="#{row.name}">{words(cell)}</a></td>'
            for cell in row.cells.values()
        )
        body.append(f'<tr><th scope="row"><a href="#{row.name}">{row.name}</a></th>{cells}</tr>')
    sections = []
    for row in rows:
        parts = [f'<section id="{row.name}"><h2>{row.name}</h2><p>{escape(_about(row))}</p>']
        for names, cell in _counterexamples(row):
            steps = "".join(f"<li><code>{escape(step)}</code></li>" for step in _steps(cell))
            parts.append(
                f"<details><summary><b>{names}</b> in {cell.length}: {escape(cell.why)}</summary>"
                f"<p><code>{escape(command(row, cell))}</code></p><ol>{steps}</ol></details>"
            )
        parts += [f"<p>{escape(line)}</p>" for line in _open(row)]
        sections.append("".join(parts) + "</section>")
    return PAGE.format(
        title="Requirements against variants",
        legend=LEGEND,
        version=__version__,
        head=head,
        body="\n".join(body),
        sections="\n".join(sections),
    )


def command(row: Row, cell: Cell) -> str:
    """Give the command that shows a counterexample again."""
    return f"chc check {cell.model} --variant {row.name}"


def told(row: Row) -> Iterator[str]:
    """Give a line for each counterexample, with how to see it, and for what is inconclusive."""
    for names, cell in _counterexamples(row):
        yield f"{names} in {cell.length}: {command(row, cell)}"
    yield from _open(row)


def _about(row: Row) -> str:
    return row.variant.about + (
        f" ({', '.join(row.variant.clauses)})" if row.variant.clauses else ""
    )


def _title(cell: Cell) -> str:
    if cell.why:
        return f"{cell.model}: {cell.why}"
    return f"{cell.states:,} states of {', '.join(cell.models)}"


def _steps(cell: Cell) -> tuple[str, ...]:
    return cell.shortest.trace if cell.shortest else ()


def _counterexamples(row: Row) -> Iterator[tuple[str, Cell]]:
    """Give each counterexample once, with the requirements that it violates."""
    found: dict[tuple[str, tuple[str, ...]], tuple[list[str], Cell]] = {}
    for name, cell in row.cells.items():
        if cell.shortest:
            found.setdefault((cell.model, cell.shortest.trace), ([], cell))[0].append(name)
    for names, cell in found.values():
        yield ", ".join(names), cell


def _open(row: Row) -> list[str]:
    """Say why cells are inconclusive."""
    why = {
        (cell.model, cell.why): None
        for cell in row.cells.values()
        if cell.verdict is Verdict.INCONCLUSIVE
    }
    return [f"Inconclusive: {model}: {reason}" for model, reason in why]


LEGEND = (
    "“in 21” is a violation, with the length of its shortest counterexample; “?” is inconclusive."
)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>chc_ref: {title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; --good: #1a7f37; --bad: #cf222e; --open: #9a6700; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --good: #56d364; --bad: #ff7b72; --open: #e3b341; }}
}}
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #8884; text-align: right; }}
th[scope=row], .list th, .list td {{ text-align: left; font-weight: 500; }}
a {{ color: inherit; text-decoration: none; }} a:hover {{ text-decoration: underline; }}
.holds {{ color: var(--good); }} .violated {{ color: var(--bad); }}
.inconclusive {{ color: var(--open); }}
section {{ margin-top: 1.6rem; }} h2 {{ font-size: 1.05rem; margin: 0; }} p {{ margin: .3rem 0; }}
summary {{ cursor: pointer; }} ol {{ font-size: .85rem; }}
</style></head><body>
<h1>{title}</h1>
<p>Made by chc_ref {version}. {legend}</p>
<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>
{body}
</tbody></table></div>
{sections}
</body></html>
"""
