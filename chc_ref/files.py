"""Files that users write or name: one clear error for each way to get one wrong."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from chc_ref.errors import ChcError, UsageError

TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    list: "a list",
    dict: "a table",
}
"""Types that a key may have, in the words of their errors."""

Keys = Mapping[str, tuple[type, bool]]
"""Key of a table: its type, and whether it must be there."""


def read_text(path: Path) -> str:
    """Read a text.

    Raises:
        UsageError: it cannot be read, or is no text.

    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: {error}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text.

    Raises:
        UsageError: it cannot be written.

    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def toml(value: Any) -> str:
    """Write a value that came out of TOML, or could have."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            items = (f"{_key(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {', '.join(items)} }}"
        case int() | float():
            return repr(value)
    return str(value.isoformat())  # a date or a time, and there is nothing else in TOML


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else toml(key)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: it cannot be read or is no TOML; the text names the file and the place.

    """
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None


def check_keys(data: Mapping[str, Any], keys: Keys) -> None:
    """Check the keys of a table.

    Raises:
        UsageError: one is unknown, of another type, or missing.

    """
    for key, value in data.items():
        if key not in keys:
            raise UsageError(f"unknown key {key!r}; known: {', '.join(keys)}")
        wanted = keys[key][0]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise UsageError(f"key {key!r} must be {TYPES[wanted]}, and is {value!r}")
    for key, (_, needed) in keys.items():
        if needed and key not in data:
            raise UsageError(f"key {key!r} is missing")


@contextmanager
def at(place: object) -> Iterator[None]:
    """Put the place in front of what is wrong there."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error


def import_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own, and give it; raises whatever the file raises."""
    # By its whole path: two files of one name are two modules. Registered, because dataclasses
    # look their module up.
    name = f"{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_object(name: str, folder: Path | None = None) -> Any:
    """Give what ``package.module:OBJECT`` or ``./file.py:OBJECT`` names.

    Args:
        name: module or file, and the object in it.
        folder: where a file is looked for; None for the present folder.

    Raises:
        UsageError: there is no such thing, or its module does not import.

    """
    module, _, attribute = name.rpartition(":")
    try:
        if module.endswith(".py"):
            return getattr(import_file((folder or Path()) / module), attribute)
        return getattr(importlib.import_module(module), attribute)
    except ChcError as error:
        raise UsageError(f"{name}: {error}") from error
    except Exception as error:  # a user's module may raise anything
        raise UsageError(f"cannot load {name!r}: {type(error).__name__}: {error}") from error
