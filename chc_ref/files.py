"""Reading the TOML files that users write: one clear error for each way to get them wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from chc_ref.errors import UsageError


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: it cannot be read or is no TOML; the text names the file and the place.

    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # of TOML or of UTF-8
        raise UsageError(f"{path}: {error}") from None
