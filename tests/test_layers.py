"""The walls of the house: imports run downwards, and the core is pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "chc_ref"

LAYERS = (
    {"errors"},
    {"core"},
    {"nfs", "verdict", "files", "itf"},
    {"chains"},
    {"system", "require", "variants"},
    {"check", "prove", "net", "replay"},
    {"places", "console", "documents"},
    {"tlc"},
    {"suite", "diagram", "catalogue"},
    {"export", "reducing"},
    {"matrix", "counts"},
    {"checks"},
    {"cli", "pytest_plugin", "traceability"},
)
"""Lowest first; a module may import from its own folder and from lower layers."""

IMPURE = {
    "asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "secrets", "select", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid",
}  # fmt: skip

MODULES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def _level(part: str) -> int:
    return next(level for level, parts in enumerate(LAYERS) if part in parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    """No module imports from a layer above, nor from another folder of its own."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part == "__init__":
        return
    for name in _imports(path):
        if not name.startswith("chc_ref."):
            continue
        other = name.split(".")[1]
        if other != part:
            assert _level(other) < _level(part), name


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p.relative_to(PACKAGE).parts[0] in ("core", "nfs", "system", "require")],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_protocol_is_pure(path: Path) -> None:
    """Nothing below the drivers does I/O, reads a clock or draws a number."""
    found = {name.split(".")[0] for name in _imports(path)} & IMPURE
    assert not found
    calls = {n.func.id for n in ast.walk(ast.parse(path.read_text()))
             if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}  # fmt: skip
    assert not calls & {"open", "print", "input", "id"}


def test_the_drivers_do_not_know_each_other() -> None:
    """Checker, proofs, network and replay share the core, and nothing of one another."""
    drivers = next(parts for parts in LAYERS if "check" in parts)
    crossings = {
        (path.name, name)
        for path in MODULES
        for name in _imports(path)
        if path.relative_to(PACKAGE).parts[0] in drivers
        and name.startswith("chc_ref.")
        and name.split(".")[1] in drivers - {path.relative_to(PACKAGE).parts[0]}
    }
    assert crossings == set()


def test_modules_stay_small() -> None:
    """A module that outgrows 600 lines is two modules."""
    sizes = {path.name: len(path.read_text().splitlines()) for path in MODULES}
    assert max(sizes.values()) <= 600
