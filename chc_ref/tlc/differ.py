"""Differ: what is different between two values of TLA+, part by part.

The form is that of the explorer's counterexamples (``check.differences``): a function is compared
argument by argument, and of a sequence or set it is told what came and what went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chc_ref.check.differences import ABSENT, LONGEST, Change
from chc_ref.tlc.values import in_order, is_field, show


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Give the changes from one state to another, variable by variable."""
    return tuple(
        Change(name, f"{name}{way}", old, new)
        for name in sorted({*before, *after})
        for way, old, new in _walk("", before.get(name), after.get(name))
    )


def _walk(way: str, old: Any, new: Any) -> Iterator[tuple[str, str, str]]:
    """Give (way to the part, old, new) of everything that is different, as text."""
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in in_order({*old, *new}):
            part = f"{way}.{key}" if is_field(key) else f"{way}[{show(key)}]"
            yield from _walk(part, old.get(key), new.get(key))
    elif isinstance(old, frozenset) and isinstance(new, frozenset):
        yield from ((way, brief(one), "") for one in in_order(old - new))
        yield from ((way, "", brief(one)) for one in in_order(new - old))
    elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) != len(new):
        went, came = Counter(old) - Counter(new), Counter(new) - Counter(old)
        yield from ((way, brief(one), "") for one in went.elements())
        yield from ((way, "", brief(one)) for one in came.elements())
    else:
        yield way, brief(old), brief(new)


def brief(value: Any) -> str:
    """Give a value as text of bounded length."""
    text = ABSENT if value is None else show(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def lines(changes: tuple[Change, ...]) -> Iterator[str]:
    """Give changes as text, one line a variable."""
    of: dict[str, list[str]] = {}
    for change in changes:
        of.setdefault(change.component, []).append(str(change))
    yield from ("; ".join(texts) for texts in of.values())
