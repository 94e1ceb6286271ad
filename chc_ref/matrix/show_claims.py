"""The paper's tables in print, as checked: a grid, and each cell with its passage below."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from rich.console import Group
from rich.table import Table

from chc_ref import __version__
from chc_ref.matrix.claims import Checked
from chc_ref.matrix.show import COLOURS, PAGE, words
from chc_ref.verdict import Verdict

LEGEND = (
    "“in 21” is a violation, with the length of its shortest counterexample; “?” is inconclusive. "
    "“=”: as the paper says, “≠”: not as it says, “·”: it says nothing."
)
HEADINGS = ("", "", "paper", "checked", "", "states", "bounds", "passage")


def mark(cell: Checked) -> str:
    """Give the sign for whether a cell is as the paper says."""
    if cell.entry.claim is None:
        return "·"
    return {True: "=", False: "≠", None: "?"}[cell.agrees]


def says(cell: Checked) -> str:
    """Give the paper's claim in a word."""
    if cell.entry.claim is None:
        return "-"
    return "holds" if cell.entry.claim.holds else "breaks"


def _grid(cells: list[Checked]) -> tuple[list[str], dict[str, dict[str, Checked]]]:
    """Give columns, and rows of cells by column."""
    rows: dict[str, dict[str, Checked]] = {}
    for cell in cells:
        rows.setdefault(cell.entry.row, {})[cell.entry.column] = cell
    return list(dict.fromkeys(cell.entry.column for cell in cells)), rows


def _details(cell: Checked) -> tuple[str, ...]:
    """Give one line of the list below the grid."""
    entry = cell.entry
    source = entry.claim.source if entry.claim else entry.note
    states = f"{cell.cell.states:,}"
    bounds = "; ".join(dict.fromkeys(entry.bounds))
    return entry.row, entry.column, says(cell), words(cell.cell), mark(cell), states, bounds, source


def _why(cell: Checked) -> str:
    return f"{cell.cell.model}: {cell.cell.why}"


def _violated(cells: list[Checked]) -> Iterator[tuple[Checked, str, tuple[str, ...]]]:
    """Give each counterexample, with the command that shows it again."""
    for cell in cells:
        if cell.cell.shortest:
            variant = cell.entry.jobs[0].variant
            command = f"chc check models/{cell.cell.model}.toml --variant {variant}"
            yield cell, command, cell.cell.shortest.trace


def terminal(title: str, cells: list[Checked]) -> Group:
    """Give grid and list for a terminal."""
    columns, rows = _grid(cells)
    grid = Table(title=title, title_justify="left")
    grid.add_column("", no_wrap=True)
    for column in columns:
        grid.add_column(column, justify="right", no_wrap=True)
    for name, row in rows.items():
        grid.add_row(name, *(_coloured(row.get(column)) for column in columns))
    listed = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        listed.add_column(heading, overflow="fold")
    for cell in cells:
        listed.add_row(*_details(cell))
    return Group(grid, LEGEND, "", listed)


def _coloured(cell: Checked | None) -> str:
    if cell is None:
        return ""
    return f"[{COLOURS[cell.cell.verdict]}]{words(cell.cell)}[/] {mark(cell)}"


def as_json(title: str, cells: list[Checked]) -> dict[str, Any]:
    """Give plain data."""
    return {"version": __version__, "title": title, "cells": [_plain(cell) for cell in cells]}


def _plain(cell: Checked) -> dict[str, Any]:
    entry = cell.entry
    data: dict[str, Any] = {
        "row": entry.row,
        "column": entry.column,
        "claim": entry.claim and says(cell),
        "source": entry.claim and entry.claim.source,
        "verdict": cell.cell.verdict.value,
        "agrees": cell.agrees,
        "variant": entry.jobs[0].variant,
        "models": [job.model for job in entry.jobs],
        "bounds": entry.bounds,
        "states": cell.cell.states,
        "remembered": cell.remembered,
    }
    if cell.cell.why:
        data["why"] = _why(cell)
    if cell.cell.shortest:
        data |= {"length": cell.cell.length, "trace": cell.cell.shortest.trace}
    return data


def markdown(title: str, cells: list[Checked]) -> str:
    """Give the grid, the list, and the counterexamples."""
    columns, rows = _grid(cells)
    lines = [
        f"# {title}",
        "",
        LEGEND,
        "",
        _line(("", *columns)),
        _line(["---"] * (1 + len(columns))),
    ]
    for name, row in rows.items():
        signs = (f"{words(row[c].cell)} {mark(row[c])}" if c in row else "" for c in columns)
        lines.append(_line((name, *signs)))
    lines += ["", _line(HEADINGS), _rule(len(HEADINGS))]
    lines += [_line(_details(cell)) for cell in cells]
    for cell, command, trace in _violated(cells):
        lines += ["", f"## {cell.entry.row}, {cell.entry.column}", "", _why(cell), ""]
        lines += [f"`{command}`", "", *(f"{n}. {step}" for n, step in enumerate(trace, start=1))]
    lines += ["", *_open(cells)]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return _line(["---"] * columns)


def _open(cells: list[Checked]) -> list[str]:
    """Say why cells are inconclusive."""
    return [
        f"Inconclusive: {cell.entry.row}, {cell.entry.column}: {_why(cell)}"
        for cell in cells
        if cell.cell.verdict is Verdict.INCONCLUSIVE
    ]


def html(title: str, cells: list[Checked]) -> str:
    """Give a page of its own: the grid, the list, and behind each violation its counterexample."""
    columns, rows = _grid(cells)
    body = []
    for name, row in rows.items():
        signs = "".join(_datum(row.get(column)) for column in columns)
        body.append(f'<tr><th scope="row">{escape(name)}</th>{signs}</tr>')
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    listed = "".join(
        "<tr>" + "".join(f"<td>{escape(part)}</td>" for part in _details(cell)) + "</tr>"
        for cell in cells
    )
    headings = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    parts = [
        f'<section class="wide"><table class="list"><thead><tr>{headings}</tr></thead>'
        f"<tbody>{listed}</tbody></table></section>"
    ]
    for cell, command, trace in _violated(cells):
        steps = "".join(f"<li><code>{escape(step)}</code></li>" for step in trace)
        place = escape(f"{cell.entry.row}, {cell.entry.column}")
        parts.append(
            f"<details><summary><b>{place}</b> in {len(trace)}: {escape(_why(cell))}</summary>"
            f"<p><code>{escape(command)}</code></p><ol>{steps}</ol></details>"
        )
    parts += [f"<p>{escape(line)}</p>" for line in _open(cells)]
    return PAGE.format(
        title=escape(title),
        legend=escape(LEGEND),
        version=__version__,
        head=head,
        body="\n".join(body),
        sections="\n".join(parts),
    )


def _datum(cell: Checked | None) -> str:
    if cell is None:
        return "<td></td>"
    about = escape(" | ".join(_details(cell)[2:]))
    said = f"{words(cell.cell)} {mark(cell)}"
    return f'<td class="{cell.cell.verdict.value}" title="{about}">{said}</td>'
