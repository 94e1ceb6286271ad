"""A shared object, its caches and copies in TLA+ beside the core: one labelled graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphs import Table, agree, beside, dumped, explored

from chc_ref.check.mapping.shared_object import SharedObject


def system(nf: str, packets: str, *moves: tuple[str, str], **how: Any) -> Table:
    """Give the system of one vertex; a word for each packet."""
    return {
        "vertices": [{"name": nf, "nf": nf, "instances": 2, **how}],
        "packets": packets.split(),
        "moves": [{"flow": flow, "to": to} for flow, to in moves],
    }


def bounded(to: SharedObject, folder: Path, *overrides: str, **how: Any) -> Any:
    """Give TLC's graph within the same bounds."""
    return dumped(to, folder, *overrides, behaviour="Safety", **how)
