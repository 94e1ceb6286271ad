"""Catalogue: the protocol variants, and the rules that one may change, as tables and as data."""

from __future__ import annotations

import inspect
from typing import Any

from rich.console import Console
from rich.table import Table

from chc_ref.errors import UsageError
from chc_ref.variants import Variant, library
from chc_ref.variants.form import RULES


def as_data(name: str | None = None) -> dict[str, Any]:
    """Give one variant, or all that are shipped or installed.

    Raises:
        UsageError: there is none of that name, or it is malformed.

    """
    found = [(name, library.find(name))] if name else library.catalogue()
    return {"variants": [_entry(name, variant) for name, variant in found], "full": bool(name)}


def rules_as_data() -> dict[str, Any]:
    """Give every rule that a variant may change: its parameters, and what it is by default."""
    return {
        "rules": [
            {
                "name": name,
                "parameters": list(inspect.signature(rule).parameters),
                "about": " ".join((rule.__doc__ or "").split()),
            }
            for name, rule in RULES.items()
        ]
    }


def _entry(name: str, variant: Variant | UsageError) -> dict[str, Any]:
    if isinstance(variant, UsageError):
        return {"name": name, "error": str(variant)}
    return {
        "name": name,
        "about": variant.about,
        "clauses": list(variant.clauses),
        "changes": list(variant.changes),
        "source": variant.source,
        "harmless": variant.harmless,
    }


def show(out: Console, data: dict[str, Any]) -> None:
    """Print what ``as_data`` or ``rules_as_data`` gave."""
    if data.get("full"):
        (entry,) = data["variants"]
        for key, value in entry.items():
            text = ", ".join(value) if isinstance(value, list) else value
            if text:
                out.print(f"{key:9}{text}", markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    entries = data.get("rules") or data["variants"]
    middle = "parameters" if "rules" in data else "clauses"
    table.add_column("rule" if "rules" in data else "variant", no_wrap=True)
    table.add_column(middle)
    table.add_column("what it says" if "rules" in data else "what is different")
    for entry in entries:
        about = entry.get("about") or f"does not load: {entry['error']}"
        table.add_row(entry["name"], ", ".join(entry.get(middle, ())), about)
    out.print(table, markup=False)
