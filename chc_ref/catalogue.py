"""Catalogue: the protocol variants, and the rules that one may change, as tables and as data."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from chc_ref.errors import UsageError
from chc_ref.variants import Variant, library
from chc_ref.variants.form import RULES, is_clause


def as_data(name: str | None = None) -> dict[str, Any]:
    """Give one variant, or all that are shipped or installed.

    Raises:
        UsageError: there is none of that name, or it is malformed.

    """
    found = [(name, library.find(name))] if name else library.catalogue()
    return {"variants": [_entry(name, variant) for name, variant in found], "full": bool(name)}


def rules_as_data(wanted: str | None = None) -> dict[str, Any]:
    """Give every rule that a variant may change: its parameters, and what it is by default.

    Args:
        wanted: a clause, e.g. MOVE-6, for the rules that decide it; or the name of a rule. Shipped
            variants that change these are given as examples, and what no rule of its own
            decides is the rule ``step``'s.

    Raises:
        UsageError: it is neither.

    """
    rules = [_rule(name, rule) for name, rule in RULES.items()]
    if wanted is None:
        return {"rules": rules}
    clause = wanted.upper()
    chosen = [rule for rule in rules if wanted == rule["name"] or clause in rule["clauses"]]
    if not chosen and is_clause(clause):
        chosen = [rule for rule in rules if rule["name"] == "step"]
    if not chosen:
        close = difflib.get_close_matches(wanted, RULES, 1)
        hint = f"did you mean {close[0]!r}?" if close else "`chc variants --rules` lists all"
        raise UsageError(f"{wanted!r} is no rule, and no clause as MOVE-6 is; {hint}")
    return {"rules": chosen, "wanted": wanted}


def _rule(name: str, rule: Callable[..., Any]) -> dict[str, Any]:
    about = " ".join((rule.__doc__ or "").split())
    signature = inspect.signature(rule)
    takes = {one.name: str(one.annotation) for one in signature.parameters.values()}
    return {
        "name": name,
        "parameters": list(takes),
        "takes": takes,
        "gives": str(signature.return_annotation),
        "about": about,
        "clauses": re.findall(r"\b[A-Z]+-\d+\b", about),
        "examples": [one for one, variant in library.SHIPPED.items() if name in variant.changes],
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
    middle = "parameters -> result" if "rules" in data else "clauses"
    table.add_column("rule" if "rules" in data else "variant", no_wrap=True)
    table.add_column(middle)
    table.add_column("what it says" if "rules" in data else "what is different")
    for entry in entries:
        about = entry.get("about") or f"does not load: {entry['error']}"
        if "wanted" in data and entry["examples"]:
            about += f" Changed by: {', '.join(entry['examples'])}."
        table.add_row(entry["name"], _middle(entry), about)
    out.print(table, markup=False)


def _middle(entry: dict[str, Any]) -> str:
    """Give a rule's signature, or a variant's clauses."""
    if "takes" not in entry:
        return ", ".join(entry.get("clauses", ()))
    takes = ", ".join(f"{name}: {kind}" for name, kind in entry["takes"].items())
    return f"{takes} -> {entry['gives']}"
