"""Sources: the code that a search runs, as a part of what its result is known by."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import chc_ref
from chc_ref.variants import library

CHECKED = ("chains.py", "check", "core", "nfs", "require", "system", "variants")
"""Parts of the package that a result depends on."""

NOT_OWN = (*sys.stdlib_module_names, "chc_ref", "")
"""Modules that do not count: Python's, and the package's, which has a hash of its own."""

LIBRARIES = {"site-packages", "dist-packages"}
"""Folders of what is installed."""


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
    files = _followed("", folder / module) if module.endswith(".py") else _followed(module)
    texts = [(path, Path(path).read_bytes()) for path in sorted(files)]
    return hashlib.sha256(repr(texts).encode()).hexdigest() if texts else ""


def _followed(name: str, path: Path | None = None) -> set[str]:
    """Give the files of a module, of all that it imports, and of what these import.

    A library's file is one of them, but what that imports is not: it changes by installing.
    """
    files, left, own = set[str](), [(name, path or _file(name))], name.partition(".")[0]
    while left:
        name, path = left.pop()
        if path is None or str(path) in files:
            continue
        files.add(str(path))
        library = not LIBRARIES.isdisjoint(path.parts) and name.partition(".")[0] != own
        if path.suffix == ".py" and not library:
            left += [(one, _file(one)) for one in _imports(path, name)]
    return files


def _file(module: str) -> Path | None:
    """Give the file of a module, if it has one that is not Python's nor this package's."""
    if module.partition(".")[0] in NOT_OWN:
        return None
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # no module, but something in one; or one that does not import here
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _imports(path: Path, name: str) -> Iterator[str]:
    """Give the names of all modules that a module imports, wherever it does, and of some others."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # of another Python: it was not run here
        return
    for node in ast.walk(tree):
        named = list[str]()
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            with contextlib.suppress(ImportError):  # from above the top: it was not run here
                base = "." * node.level + (node.module or "")
                base = importlib.util.resolve_name(base, package or None)
                named = [f"{base}.{alias.name}" for alias in node.names]
        for one in named:
            yield from itertools.accumulate(one.split("."), "{}.{}".format)
