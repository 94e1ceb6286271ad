"""Records: what a module has of each message, in one line for a message.

``"end: from=source target newest"`` is a record of type ``end``: its fields are the message's, but
for ``from``, which is who has sent it. ``clock=id.clock`` is the clock of the message's ``id``. A
record whose line has no colon has no type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from chc_ref.core.values import Address
from chc_ref.errors import UsageError

Names = dict[Any, Any]
"""Values by name, as a module has them."""

Read = Callable[[Any, Any], Any]
"""Gives a field, of mapping and message."""

Record = Callable[[Any, Any, Address], Names]
"""Gives a record, of mapping, message and sender."""

Constant = tuple[type, str, Any]
"""A type of message, a field that a module leaves out, and the value that it always has."""

NOBODY = "nobody"


def only(items: Iterable[Any]) -> Any:
    """Give the one there is."""
    (one,) = items
    return one


READERS: dict[str, Read] = {
    "newest": lambda of, item: max(item.newest, default=0),
    "packet": lambda of, item: of.message(item.packet),
    "target": lambda of, item: item.target or NOBODY,
}
"""How fields are read that modules have in another form than messages."""


def records(
    lines: dict[type, str],
    readers: dict[str, Read] | None = None,
    constants: Iterable[Constant] = (),
) -> dict[type, Record]:
    """Read the lines of a module.

    Args:
        lines: the line of each message.
        readers: how to read fields, besides ``READERS``.
        constants: what is left out, and must be as it is told here.

    """
    readers = {**READERS, **(readers or {})}
    left_out = [*constants]
    return {
        of: _record(of, line, readers, [(name, value) for at, name, value in left_out if at is of])
        for of, line in lines.items()
    }


def _record(
    of: type, line: str, readers: dict[str, Read], constants: list[tuple[str, Any]]
) -> Record:
    kind, _, fields = line.rpartition(":")
    typed: Names = {"type": kind} if kind else {}
    reads, sources = {}, []
    for field in fields.split():
        name, _, path = field.rpartition("=")
        if path == "source":
            sources.append(name or path)
        else:
            reads[name or path] = readers.get(path) or _attribute(of, path)

    def record(mapping: Any, item: Any, source: Address) -> Names:
        if any(getattr(item, name) != value for name, value in constants):
            raise UsageError(f"{mapping.file} has nothing like {item!r}")
        fields = {name: read(mapping, item) for name, read in reads.items()}
        return {**typed, **dict.fromkeys(sources, source), **fields}

    return record


def _attribute(of: type, path: str) -> Read:
    assert hasattr(of, path.partition(".")[0]), f"{of.__name__} has no {path}"
    get = attrgetter(path)
    return lambda _, item: get(item)
