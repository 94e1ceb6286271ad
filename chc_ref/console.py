"""Console: where the commands print, and how they show progress."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
"""Whether a command prints data."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def progress(quiet: bool, *columns: Any) -> Progress:
    """Give a progress display on standard error; nothing of it is left behind."""
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *shown,
        TimeElapsedColumn(),
        *columns,
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    )
