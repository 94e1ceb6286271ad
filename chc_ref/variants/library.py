"""The library: every variant by the name that a user asks for it by.

A plain name is a shipped variant, or one of an installed package, which has registered it in
the entry point group ``chc_ref.variants``. ``./mine.py:NoLastMark`` is one in a file, and
``package.module:NoLastMark`` one in a module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import attrs

from chc_ref.core.rules import AMENDED
from chc_ref.errors import UsageError
from chc_ref.files import at, load_object
from chc_ref.variants.compared import COMPARED
from chc_ref.variants.form import Variant
from chc_ref.variants.shipped import SHIPPED as OWN

SHIPPED: dict[str, Variant] = {**OWN, **COMPARED}
"""All that come with the package: ablations, and the systems that the paper compares with."""

GROUP = "chc_ref.variants"
"""Entry point group of installed packages."""


def find(name: str, folder: Path | None = None) -> Variant:
    """Give a variant by its name.

    Args:
        name: of a shipped or an installed one; or ``FILE.py:NAME``, or ``MODULE:NAME``.
        folder: where a file is looked for first, for a name that stands in a file of its own;
            then, and by default, it is looked for in the present folder.

    Raises:
        UsageError: there is none of that name, or it is malformed.

    """
    if ":" in name:
        return _given(name, load_object(source(name, folder)))
    if name in SHIPPED:
        return SHIPPED[name]
    points = _installed()
    if name not in points:
        known = sorted({*SHIPPED, *points})
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        ways = "FILE.py:NAME, MODULE:NAME"
        raise UsageError(f"unknown variant {name!r}; {hint}known: {', '.join(known)}; or {ways}")
    return _of_point(points[name])


def source(name: str, folder: Path | None = None) -> str:
    """Give the ``FILE.py:NAME`` or ``MODULE:NAME`` that a name stands for; "" for a shipped one.

    Args:
        name: as for ``find``.
        folder: as for ``find``; the file that is given is the one that is found.

    """
    if ":" not in name:
        return "" if name in SHIPPED else _installed()[name].value
    path = name.rpartition(":")[0]
    if folder is not None and path.endswith(".py") and (folder / path).is_file():
        return str(folder / name)
    return name


def catalogue() -> Iterator[tuple[str, Variant | UsageError]]:
    """List shipped and installed variants by name; for one that does not load, its error."""
    yield from SHIPPED.items()
    for name, point in sorted(_installed().items()):
        try:
            yield name, _of_point(point)
        except UsageError as error:
            yield name, error


def _installed() -> dict[str, EntryPoint]:
    """Give the entry points that no shipped variant's name hides."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in SHIPPED}


def _of_point(point: EntryPoint) -> Variant:
    with at(f"variant {point.name!r} of the installed {point.value!r}"):
        return _given(point.name, load_object(point.value))


def _given(name: str, found: Any) -> Variant:
    """Give the variant that a name has led to, under that name: a report can be run again."""
    with at(name):
        if not isinstance(found, Variant):
            raise UsageError(f"is a {type(found).__name__}, no variant: put @variant() above it")
    if found.rules is AMENDED:
        return found
    return attrs.evolve(found, rules=attrs.evolve(found.rules, name=name))
