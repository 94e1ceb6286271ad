"""Counts: how many states each model has, pinned beside the models in ``counts.toml``.

A model that holds has so many states, transitions and steps to the last of them; one that is
violated has a counterexample of so many steps. None of them depends on back end or threads. A
change of the core that nobody meant for a model shows here, though every verdict is the same.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import attrs

from chc_ref.check.explore import Method
from chc_ref.errors import UsageError
from chc_ref.files import at, read_toml, write_text
from chc_ref.verdict import Report, Verdict

FILE = "counts.toml"
KEYS = ("states", "transitions", "depth", "steps")
HEAD = """\
chc_counts = 1
# What a whole search of each model counts, or the steps of its shortest counterexample.
# Written by `chc counts --write`; a change of a line is a change of what is explored.

[models]
"""

Counts = dict[str, int]


def of(report: Report) -> Counts:
    """Give what can be pinned of a report; nothing if the search met a bound."""
    if report.verdict is Verdict.HOLDS:
        counts = (report.states, report.transitions, report.depth)
        return {key: n for key, n in zip(KEYS, counts, strict=False) if n is not None}
    if report.verdict is Verdict.VIOLATED and report.loop is None:
        return {"steps": len(report.trace)}
    return {}


def pinned(model: Path) -> Counts | None:
    """Give what is pinned for a model file; None if nothing is.

    Raises:
        UsageError: the file of counts is malformed.

    """
    path = model.parent / FILE
    if not path.is_file():
        return None
    return read(path, path.stat().st_mtime_ns).get(model.stem)


@functools.lru_cache(maxsize=16)
def read(path: Path, changed: int) -> Mapping[str, Counts]:
    """Read a file of counts, last changed at that time.

    Raises:
        UsageError: it cannot be read, or is malformed.

    """
    data = read_toml(path)
    with at(path):
        if data.get("chc_counts") != 1 or not isinstance(data.get("models"), dict):
            raise UsageError(
                "chc_counts = 1 and a table [models] are missing; `chc counts --write`"
            )
        for name, counts in data["models"].items():
            whole = isinstance(counts, dict) and all(type(n) is int for n in counts.values())
            if not whole or counts.keys() - set(KEYS):
                raise UsageError(f"{name} = {counts!r} is no table of {', '.join(KEYS)}")
        models: Mapping[str, Counts] = data["models"]
    return models


def miscounted(model: Path, report: Report, method: Method | None) -> str:
    """Say how a report differs from what is pinned; "" if it does not, or nothing is comparable.

    Not comparable is a search that met a bound, one in another order or with a reduction.
    """
    counts, wanted = of(report), pinned(model)
    if not counts or wanted is None or not _is_plain(method):
        return ""
    if counts == wanted:
        return ""
    told = ", ".join(
        f"{key} {counts.get(key, 'none')}, pinned {wanted.get(key, 'none')}"
        for key in KEYS
        if counts.get(key) != wanted.get(key)
    )
    mend = f"if the change is meant: chc counts {model} --write"
    return f"not the counts of {model.parent / FILE}: {told}; {mend}"


def _is_plain(method: Method | None) -> bool:
    """Tell whether nothing is asked for that counts may depend on."""
    if method is None:
        return True
    free = ("backend", "threads", "fairness", "checkpoint", "walks", "seed")
    like = {name: getattr(method, name) for name in free}
    return method == attrs.evolve(Method(), **like)


def write(path: Path, counts: Mapping[str, Counts]) -> None:
    """Write a file of counts.

    Raises:
        UsageError: it cannot be written.

    """
    lines = (
        f"{name} = {{ {', '.join(f'{key} = {n}' for key, n in of.items())} }}\n"
        for name, of in sorted(counts.items())
    )
    write_text(path, HEAD + "".join(lines))
