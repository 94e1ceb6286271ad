"""Values of TLA+ as Python values, read from the text that TLC prints and written as such text.

An integer, a string and a Boolean are Python's own; a sequence is a tuple, a set a frozenset, and
a function or record one of ``chc_ref.itf``. As in TLA+, a function on 1 .. n is a sequence,
whichever way it was made; the empty function is the empty sequence; and a record is a function on
strings. Unlike in TLA+, TRUE equals 1: a variable that may be either is no variable to compare.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chc_ref.errors import UsageError
from chc_ref.itf import Function, Record


class ModelValue(str):
    """A model value: equal to itself only, and not to the string of its name."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelValue) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((ModelValue, str(self)))


def freeze(value: Any) -> Any:
    """Give a plain Python value as the one that stands for the same value of TLA+.

    Lists and tuples are sequences, sets sets, and mappings functions.

    Raises:
        UsageError: TLA+ has no such value.

    """
    if isinstance(value, str | int):  # Booleans are integers
        return value
    if isinstance(value, tuple | list):
        return tuple([freeze(one) for one in value])
    if isinstance(value, Mapping):
        return function({freeze(key): freeze(one) for key, one in value.items()})
    if isinstance(value, frozenset | set):
        return frozenset([freeze(one) for one in value])
    raise UsageError(f"{value!r} of type {type(value).__name__} is no value of TLA+")


def function(of: dict[Any, Any]) -> Any:
    """Give the function with these values of its arguments: a tuple if it is a sequence."""
    if not of:
        return ()
    if all(map(is_field, of)):
        return Record(of)
    if all(type(key) is int for key in of) and of.keys() == set(range(1, len(of) + 1)):
        return tuple(of[key] for key in range(1, len(of) + 1))
    return Function(of)


# --------------------------------------------------------------------------- writing

_NAME = re.compile(r"[A-Za-z_]\w*")
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f"}
_PLAIN = {escaped: one for one, escaped in _ESCAPED.items()}
RESERVED = frozenset(
    """ASSUME ASSUMPTION AXIOM BOOLEAN CASE CHOOSE CONSTANT CONSTANTS DOMAIN ELSE ENABLED EXCEPT
    EXTENDS FALSE IF IN INSTANCE LAMBDA LET LOCAL MODULE OTHER RECURSIVE SF_ STRING SUBSET THEN
    THEOREM TRUE UNCHANGED UNION VARIABLE VARIABLES WF_ WITH""".split()  # noqa: SIM905
)
"""Words that are no names."""


def show(value: Any) -> str:
    """Write a value as TLA+, on one line; equal values give equal texts."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case ModelValue():
            return str(value)
        case str():
            return f'"{"".join(_ESCAPED.get(one, one) for one in value)}"'
        case tuple():
            return f"<<{', '.join(map(show, value))}>>"
        case frozenset():
            return f"{{{', '.join(map(show, in_order(value)))}}}"
        case dict():
            return _show_function(value)
    return str(value)


def _show_function(of: dict[Any, Any]) -> str:
    if all(is_field(key) for key in of):
        return f"[{', '.join(f'{key} |-> {show(of[key])}' for key in in_order(of))}]"
    return f"({' @@ '.join(f'{show(key)} :> {show(of[key])}' for key in in_order(of))})"


def is_field(key: Any) -> bool:
    """Tell whether a key can be written as a field of a record."""
    return type(key) is str and _is_name(key)


@functools.cache
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text not in RESERVED


def in_order(values: Any) -> list[Any]:
    """Give the elements of a set, or the arguments of a function, in an order that is fixed."""
    return sorted(
        values, key=lambda one: (type(one) is not int, one if type(one) is int else show(one))
    )


# --------------------------------------------------------------------------- reading

_TOKEN = re.compile(
    r'\s*(?:("(?:[^"\\]|\\.)*")|(\d*[A-Za-z_]\w*)|(-?\d+)'
    r"|(<<|>>|\|->|:>|@@|\.\.|[\[\]{}(),]))",
    re.S,
)
_STRING, _WORD, _NUMBER, _SIGN = 1, 2, 3, 4
_END = (0, "the end")


def parse(text: str) -> Any:
    """Read a value as TLC prints it; where lines are broken makes no difference.

    Raises:
        UsageError: it is none; the text says where.

    """
    reader = _Reader(text)
    value = reader.value()
    if reader.kind:
        reader.fail("the end")
    return value


class _Reader:
    """A text being read: one token ahead, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split()
        self.kind, self.token = next(self.tokens)

    def _split(self) -> Iterator[tuple[int, str]]:
        at, end = 0, len(self.text.rstrip())
        while at < end:
            found = _TOKEN.match(self.text, at)
            if found is None or found.lastindex is None:
                raise UsageError(f"no value of TLA+: {self.text[at : at + 40].strip()!r}")
            yield found.lastindex, found[found.lastindex]
            at = found.end()
        while True:
            yield _END

    def fail(self, wanted: str) -> None:
        raise UsageError(
            f"no value of TLA+: {wanted} expected, and not {self.token!r}, in {self.text[:80]!r}"
        )

    def take(self) -> str:
        token = self.token
        self.kind, self.token = next(self.tokens)
        return token

    def skip(self, sign: str) -> None:
        if self.token != sign or self.kind != _SIGN:
            self.fail(sign)
        self.take()

    def comes(self, sign: str) -> bool:
        """Skip ``sign`` if it comes next."""
        if self.kind == _SIGN and self.token == sign:
            self.take()
            return True
        return False

    def value(self) -> Any:
        kind, token = self.kind, self.take()
        if kind == _STRING:
            return re.sub(r"\\.", lambda found: _PLAIN.get(found[0], found[0][1]), token[1:-1])
        if kind == _NUMBER:
            first = int(token)
            if self.comes(".."):
                return frozenset(range(first, int(self.take()) + 1))
            return first
        if kind == _WORD:
            return {"TRUE": True, "FALSE": False}.get(token, ModelValue(token))
        match token:
            case "<<":
                return tuple(self._listed(">>"))
            case "{":
                return frozenset(self._listed("}"))
            case "[":
                return self._record()
            case "(":
                return self._function()
        self.token = token
        self.fail("a value")
        return None

    def _listed(self, end: str) -> Iterator[Any]:
        if self.comes(end):
            return
        yield self.value()
        while not self.comes(end):
            self.skip(",")
            yield self.value()

    def _record(self) -> Any:
        of: dict[Any, Any] = {}
        while not self.comes("]"):
            if of:
                self.skip(",")
            name = self.take()
            self.skip("|->")
            of[name] = self.value()
        return function(of)

    def _function(self) -> Any:
        of: dict[Any, Any] = {}
        while not self.comes(")"):
            if of:
                self.skip("@@")
            argument = self.value()
            self.skip(":>")
            of[argument] = self.value()
        return function(of)
