"""ITF: runs as JSON in the Informal Trace Format of Apalache, written and read.

It knows nothing of the protocol. A state is a dict from variable to value, and a value is

    Python                      ITF
    ---------------------------------------------------------
    bool, str                   true or false, a string
    int                         {"#bigint": "5"}
    tuple                       {"#tup": [...]}
    frozenset                   {"#set": [...]}
    Record                      {"field": ...}
    Function, or any dict       {"#map": [[key, value], ...]}

What is read is hashable and equal to what was written; a sequence ([...]) and a plain number are
read as well, as a tuple and an int. ``Record`` and ``Function`` are dicts and equal to any dict of
the same items, as a record of TLA+ is the function of its fields. The text of a value depends on
the value alone: two writers of the same states give the same states, octet for octet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import attrs

from chc_ref.errors import UsageError

Value = Any
"""A value of the table above."""

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"


class Function(dict[Any, Any]):
    """A dict that is never changed, and can be a member of a set and a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is never changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse


class Record(Function):
    """A ``Function`` whose keys are names of fields."""


@attrs.frozen
class Trace:
    """One run."""

    states: tuple[dict[str, Value], ...]
    loop: int | None = None
    """Index of the state that follows the last one, in a run that goes on for ever."""
    meta: dict[str, Any] = attrs.field(factory=dict)
    """What is said of the run as a whole: JSON, no values."""


# --------------------------------------------------------------------------- writing


def write(
    states: Iterable[Mapping[str, Value]],
    loop: int | None = None,
    meta: Mapping[str, Any] | None = None,
) -> str:
    """Give a run as the text of an ITF file.

    Args:
        states: at least one; each a value for every variable, the same ones in all.
        loop: index of the state that follows the last one, in a run that goes on for ever.
        meta: what else to say of the run, as JSON.

    Raises:
        UsageError: there is no state, or they have different variables, or no such loop; or what
            is no value of ITF is in them. The text names state and variable.

    """
    states = [dict(state) for state in states]
    if not states:
        raise UsageError("ITF: a run has at least one state")
    if loop is not None and not 0 <= loop < len(states):
        raise UsageError(f"ITF: loop = {loop}, and the states are 0 to {len(states) - 1}")
    told: dict[str, Any] = {"format": "ITF", "format-description": FORMAT, **(meta or {})}
    data: dict[str, Any] = {"#meta": told, "vars": list(states[0])}
    if loop is not None:
        data["loop"] = loop
    data["states"] = [_state(index, state, states[0]) for index, state in enumerate(states)]
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _state(index: int, state: Mapping[str, Value], first: Mapping[str, Value]) -> dict[str, Any]:
    if state.keys() != first.keys():
        odd = sorted(map(str, state.keys() ^ first.keys()))
        raise UsageError(f"ITF: state {index}: other variables than in state 0: {', '.join(odd)}")
    written: dict[str, Any] = {"#meta": {"index": index}}
    for name in first:
        if not isinstance(name, str) or name.startswith("#"):
            raise UsageError(f"ITF: {name!r} is no name of a variable")
        try:
            written[name] = encode(state[name])
        except UsageError as error:
            raise UsageError(f"ITF: state {index}, {name}: {error}") from None
    return written


def encode(value: Value) -> Any:
    """Give a value as the data that stands for it in JSON.

    Raises:
        UsageError: it is none.

    """
    match value:
        case bool() | str():
            return value
        case int():
            return {"#bigint": str(value)}
        case tuple():
            return {"#tup": [encode(one) for one in value]}
        case frozenset():
            return {"#set": sorted(map(encode, value), key=_order)}
        case Record():
            return {_field(name): encode(one) for name, one in value.items()}
        case dict():
            pairs = [[encode(key), encode(one)] for key, one in value.items()]
            return {"#map": sorted(pairs, key=_order)}
    raise UsageError(f"{value!r} of type {type(value).__name__} is no value of ITF")


def _field(name: object) -> str:
    if not isinstance(name, str) or name.startswith("#"):
        raise UsageError(f"{name!r} is no name of a field")
    return name


def _order(data: Any) -> str:
    """Sets and maps have no order: theirs is that of the texts of their members."""
    return json.dumps(data, sort_keys=True)


# --------------------------------------------------------------------------- reading


def read(text: str) -> Trace:
    """Read an ITF file.

    Args:
        text: what the file holds.

    Raises:
        UsageError: it is malformed; the text names the place.

    """
    try:
        data = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"ITF: no JSON: {error}") from None
    if not isinstance(data, dict):
        raise UsageError("ITF: an object with 'vars' and 'states' is needed")
    names, states = _list(data, "vars"), _list(data, "states")
    if not all(isinstance(name, str) for name in names):
        raise UsageError("ITF: vars: every one must be a string")
    if not states:
        raise UsageError("ITF: states: there is none")
    # The constants of a specification; a run of it has them as variables that never change.
    names = [*(_list(data, "params") if "params" in data else []), *names]
    read_ = tuple(_read_state(index, state, names) for index, state in enumerate(states))
    meta = data.get("#meta", {})
    if not isinstance(meta, dict):
        raise UsageError("ITF: #meta is no object")
    return Trace(read_, _loop(data, len(read_)), meta)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key is there twice: {', '.join(name for name, _ in pairs)}")
    return found


def _list(data: dict[str, Any], key: str) -> list[Any]:
    if not isinstance(data.get(key), list):
        fault = "is no list" if key in data else "is missing"
        raise UsageError(f"ITF: {key!r} {fault}")
    found: list[Any] = data[key]
    return found


def _loop(data: dict[str, Any], count: int) -> int | None:
    loop = data.get("loop")
    if loop is None:
        return None
    if isinstance(loop, bool) or not isinstance(loop, int) or not 0 <= loop < count:
        raise UsageError(f"ITF: loop = {loop!r}, and the states are 0 to {count - 1}")
    return loop


def _read_state(index: int, state: Any, names: list[str]) -> dict[str, Value]:
    if not isinstance(state, dict):
        raise UsageError(f"ITF: state {index}: is no object")
    odd = {name for name in state if name != "#meta"} ^ set(names)
    if odd:
        name = min(odd)
        fault = "is missing" if name in names else "is not among the vars"
        raise UsageError(f"ITF: state {index}: {name!r} {fault}")
    found = {}
    for name in names:
        try:
            found[name] = decode(state[name])
        except UsageError as error:
            raise UsageError(f"ITF: state {index}, {name}: {error}") from None
    return found


def decode(data: Any) -> Value:
    """Give the value that JSON data stands for.

    Raises:
        UsageError: it stands for none.

    """
    match data:
        case bool() | str() | int():
            return data
        case list():
            return tuple(map(decode, data))
        case dict() if any(key.startswith("#") for key in data):
            return _special(data)
        case dict():
            return Record({name: decode(one) for name, one in data.items()})
    raise UsageError(f"{json.dumps(data)} is no value of ITF")


def _special(data: dict[str, Any]) -> Value:
    """Give the value of an object with one key that begins with ``#``."""
    match data:
        case {"#bigint": str(number)} if len(data) == 1 and re.fullmatch(r"-?[0-9]+", number):
            return _number(number)
        case {"#tup": list(members)} if len(data) == 1:
            return tuple(map(decode, members))
        case {"#set": list(members)} if len(data) == 1:
            found = frozenset(map(decode, members))
            if len(found) == len(members):
                return found
            raise UsageError("a set has the same member twice")
        case {"#map": list(pairs)} if len(data) == 1:
            return _function(pairs)
        case {"#unserializable": what}:
            raise UsageError(f"it was written by a tool that could not: {what}")
    text = json.dumps(data)
    raise UsageError(f"{text if len(text) <= 60 else text[:57] + '...'} is malformed")


def _number(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python's own limit of digits
        raise UsageError(f"a number of {len(digits)} digits") from None


def _function(pairs: list[Any]) -> Function:
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise UsageError("a map is a list of pairs [key, value]")
    found = Function((decode(key), decode(value)) for key, value in pairs)
    if len(found) < len(pairs):
        raise UsageError("a map has the same key twice")
    return found
