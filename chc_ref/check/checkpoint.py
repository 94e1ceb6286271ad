"""Checkpoints: a search that was stopped, in a file, to go on later.

The file holds what was interned and the states found so far, by either back end and for either.
It is a pickle: load only what you wrote yourself.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import attrs

from chc_ref import __version__
from chc_ref.check.halves import Parting, Saved
from chc_ref.errors import UsageError

MAGIC = b"chc_ref search 1\n"


@attrs.frozen
class Checkpoint:
    """A stopped search."""

    model: str
    table: str
    """What the model file says of the system."""
    rules: str
    code: str
    """Hash of what was run: steps that other code has taken are not this code's."""
    parting: Parting
    cells: dict[str, Any]
    search: Saved
    stages: tuple[int, ...]
    version: str = __version__


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; what was there before is lost only once the new one is whole.

    Raises:
        UsageError: the file cannot be written.

    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(MAGIC + pickle.dumps(checkpoint, pickle.HIGHEST_PROTOCOL))
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def read(path: Path, model: str, table: str, rules: str, code: str) -> Checkpoint:
    """Read a checkpoint of this model under these rules, by this code.

    Raises:
        UsageError: the file cannot be read, is none, or is one of something else.

    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if not text.startswith(MAGIC):
        raise UsageError(f"{path}: is no checkpoint of a search; name another file")
    try:
        found = pickle.loads(text[len(MAGIC) :])
    except Exception:
        raise UsageError(f"{path}: is spoilt, or of another version; delete it") from None
    if not isinstance(found, Checkpoint) or found.version != __version__:
        raise UsageError(f"{path}: is of another version; delete it")
    for what, wanted, there in (
        ("model", model, found.model),
        ("system", table, found.table),
        ("variant", rules, found.rules),
    ):
        if wanted != there:
            told = f" ({there}, not {wanted})" if what != "system" else ""
            raise UsageError(f"{path}: is of another {what}{told}; name another file")
    if found.code != code:
        changed = "the core, or a file of the variant or the model, has changed since"
        raise UsageError(f"{path}: {changed}; delete it, and search anew")
    return found
