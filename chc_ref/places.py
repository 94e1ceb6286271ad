"""Where models, proofs and specifications are: in the user's folder, else in the package."""

from __future__ import annotations

from pathlib import Path

from chc_ref.errors import UsageError

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Give the folder ``name`` (``models``, ``proofs`` or ``specs``).

    The one in the present directory wins; then the one beside the package, as in a checkout;
    then the copy that is installed with the package.

    Raises:
        UsageError: none of them exists.

    """
    for place in (Path.cwd() / name, PACKAGE.parent / name, PACKAGE / "installed" / name):
        if place.is_dir():
            return place
    raise UsageError(f"no folder {name!r} here, and none was installed with chc_ref")
