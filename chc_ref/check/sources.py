"""Sources: the code that a search runs, as a part of what its result is known by."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Iterable, Mapping
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import chc_ref
from chc_ref.variants import library

CHECKED = ("chains.py", "check", "core", "nfs", "require", "system", "variants")
"""Parts of the package that a result depends on."""

NOT_OWN = (*sys.stdlib_module_names, "chc_ref")
"""Modules that are not followed: Python's, and the package's, which has a digest of its own."""


@functools.cache
def of_package() -> str:
    """Hash what the package has of it."""
    root = Path(chc_ref.__file__).parent
    files = [p for part in CHECKED for p in _within(root / part)]
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _within(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return [p for p in path.rglob("*") if p.suffix in (".py", ".c")]
    return [path]


def of_variant(name: str, folder: Path | None = None) -> str:
    """Hash the module that a variant of that name stands in, and all that it imports.

    Args:
        name: as for ``library.find``, and so is the folder.
        folder: where a file is looked for first.

    Returns:
        A hash; empty for a shipped variant.

    """
    return _hashed(library.source(name, folder), Path())


def of_model(table: Mapping[str, Any], folder: Path) -> str:
    """Hash the modules that a model's NFs, logics and scope stand in, and all that they import.

    Args:
        table: of the model.
        folder: where it names files from.

    Returns:
        A hash; empty where the package has them all.

    """
    named = [vertex.get(key, "") for vertex in table["vertices"] for key in ("nf", "logic")]
    return "".join(
        _hashed(name, folder) for name in dict.fromkeys((*named, table.get("entry", "")))
    )


def _hashed(name: str, folder: Path) -> str:
    """Hash what ``MODULE:OBJECT`` or ``FILE.py:OBJECT`` comes from; a plain name is ours."""
    module = name.rpartition(":")[0]
    finder = ModuleFinder(excludes=NOT_OWN)
    if module.endswith(".py"):
        finder.run_script(str(folder / module))
    elif module and module.partition(".")[0] not in NOT_OWN:
        finder.import_hook(module)
    else:
        return ""
    paths = [getattr(found, "__file__", None) for found in finder.modules.values()]
    texts = [Path(path).read_bytes() for path in paths if path]
    return hashlib.sha256(repr((module, texts)).encode()).hexdigest()
