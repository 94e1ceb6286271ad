"""The captures of the tests, each read once however many tests replay it."""

from __future__ import annotations

import functools
import json
import struct
from pathlib import Path
from typing import Any

from chc_ref.core.messages import Arrive
from chc_ref.replay.capture import load

CAPTURES = Path(__file__).parent / "captures"
TRUTH: dict[str, Any] = json.loads((CAPTURES / "truth.json").read_text())
FILE_HEADER, RECORD_HEADER = 24, struct.Struct("<IIII")
"""Of a pcap file: bytes before the records, and before each; the third number is its length."""


@functools.cache
def _all_arrivals(name: str) -> tuple[Arrive, ...]:
    return load(CAPTURES / f"{name}.pcap").arrivals


def arrivals_of(name: str, packets: int | None = None) -> tuple[Arrive, ...]:
    """Give the first packets of a capture, or all."""
    return _all_arrivals(name)[:packets]


def beginning_of(name: str, records: int, folder: Path) -> Path:
    """Write the first records of a capture, for a command that reads a file."""
    data, end = (CAPTURES / f"{name}.pcap").read_bytes(), FILE_HEADER
    for _ in range(records):
        end += RECORD_HEADER.size + RECORD_HEADER.unpack_from(data, end)[2]
    path = folder / f"{name}_{records}.pcap"
    path.write_bytes(data[:end])
    return path
