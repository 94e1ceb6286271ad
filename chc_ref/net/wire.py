"""Wire format: a datagram as bytes, by msgpack and an explicit table of classes.

Plain values (None, bool, int of 64 bits, float, str, bytes) are msgpack's own. Everything
else is an array whose first item tells what it is: a number for the built-in kinds, a class
name for an attrs class or an enumeration, followed by its fields. msgpack has no tuples, so a
bare array would come back as something that cannot be a flow key. No pickle: bytes from the
network choose among listed classes and can do nothing else.

Fields are checked against their annotations, so a machine never meets a clock that is a word.
``Any`` and ``Hashable`` are believed, as the machines do not look into those.
"""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any, Literal

import attrs
import msgspec

from chc_ref.core import messages as m, operations as op
from chc_ref.core.transport import Datagram
from chc_ref.core.values import Map, ObjectKey, UpdateId
from chc_ref.errors import ChcError, UsageError, WireFormatError

VERSION = "chc1"
MOST_BYTES = 60_000
"""Of one datagram: UDP on loopback carries up to 65 507."""

MESSAGES: tuple[type, ...] = (
    *(m.Packet, m.LastMark, m.Passed, m.ReplayEnd, m.Leaving, m.Output, m.Alert),
    *(m.Acquire, m.Granted, m.Release, m.Apply, m.Result),
    *(m.Arrive, m.Delete, m.Deleted, m.Committed, m.PersistClock, m.ClockPersisted),
    *(m.Move, m.Begin, m.Since, m.HandedOver, m.MoveRequested, m.Failed),
    *(m.Start, m.Ready, m.Replay, m.Recovered, m.Fence, m.Fenced),
    *(m.Hosts, m.HostsKnown, m.Cache, m.CacheKnown, m.Drain, m.Drained, m.Stop, m.Over, m.Speak),
    *(m.CloneRequested, m.KeepRequested, m.Callback, m.Checkpointed, m.Forget),
    *(m.ScaleRequested, m.Scale, m.ScaleKnown, m.Unrouted, m.Route, m.Holds, m.Poll, m.Load),
    *(m.Ask, m.Recall, m.Recollection, m.Inquire, m.Remembered, m.Again, m.WriteLog, m.Logged),
)
"""Every class of ``core.messages`` that travels."""

LOCAL: tuple[type, ...] = (
    *(m.Send, m.Received, m.FlushTimer, m.Crashed),
    *(m.CheckpointTimer, m.Drawn, m.PollTimer, m.ForgetTimer),
)
"""Events and effects between a machine and its driver: they never travel."""

PARTS: tuple[type, ...] = (
    *(ObjectKey, UpdateId, op.OperationFailed),
    *(op.Get, op.Put, op.Increment, op.Push, op.Pop, op.CompareAndUpdate, op.Draw),
    *(m.LogEntry, m.Answered, m.Stamp, m.Issued),
)
"""What messages contain."""

_TUPLE, _FROZENSET, _FRACTION, _LONG, _MAP = range(5)

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Frame = tuple[
    Literal["chc1"], str, str, Annotated[int, msgspec.Meta(ge=1)], _Count, _Count, _Count, list[Any]
]

Check = Callable[[Any], bool]


def _anything(_: Any) -> bool:
    return True


def _check_of(hint: Any) -> Check:
    """Give the check that a field's annotation asks for."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        checks = [_check_of(arg) for arg in args]
        return lambda value: any(check(value) for check in checks)
    if origin in (tuple, frozenset):
        return _check_of_items(origin, args)
    if isinstance(origin, type):
        hint = origin
    if hint in (Any, object, collections.abc.Hashable):
        return _anything
    if not isinstance(hint, type) or getattr(hint, "_is_protocol", False):
        return _anything
    if hint in (int, float):
        kind = (int, float) if hint is float else int
        return lambda value: isinstance(value, kind) and not isinstance(value, bool)
    return lambda value: isinstance(value, hint)


def _check_of_items(origin: type[Any], args: tuple[Any, ...]) -> Check:
    if origin is frozenset or (len(args) == 2 and args[1] is Ellipsis):
        each = _check_of(args[0])
        return lambda value: isinstance(value, origin) and all(each(item) for item in value)
    checks = [_check_of(arg) for arg in args]

    def fits(value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != len(checks):
            return False
        return all(check(item) for check, item in zip(checks, value, strict=True))

    return fits


@attrs.frozen
class _Kind:
    """How one class travels."""

    cls: type
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, described: type) -> _Kind:
        if issubclass(described, enum.Enum):
            return cls(described, ("value",), (), (_anything,))
        if not attrs.has(described) or described.__hash__ is None:
            raise UsageError(f"{described.__name__} cannot travel: it is no frozen attrs class")
        try:
            # A Map cannot be subscripted at run time; to a check it is any mapping.
            hints = typing.get_type_hints(described, localns={"Map": typing.Mapping})
        except (NameError, TypeError) as error:
            raise UsageError(f"{described.__name__} cannot travel: {error}") from error
        fields = [field for field in attrs.fields(described) if field.init]
        return cls(
            described,
            tuple(field.name for field in fields),
            tuple(str(field.alias) for field in fields),
            tuple(_check_of(hints.get(field.name, Any)) for field in fields),
        )

    def fill(self, values: list[Any]) -> Any:
        """Give the object with these field values.

        Raises:
            WireFormatError: they are too few, too many, or not what the class declares.

        """
        name = self.cls.__name__
        if len(values) != len(self.names):
            raise WireFormatError(f"{name} with {len(values)} fields")
        for field, check, value in zip(self.names, self.checks, values, strict=True):
            if not check(value):
                raise WireFormatError(f"{name}.{field} is a {type(value).__name__}")
        try:
            if not self.arguments:
                return self.cls(*values)
            return self.cls(**dict(zip(self.arguments, values, strict=True)))
        except Exception as error:  # a validator of an NF's own class may raise anything
            raise WireFormatError(f"{name} refuses its fields: {error}") from error


class Codec:
    """Encodes and decodes datagrams whose messages are made of the listed classes.

    Args:
        classes: the header, operation and value classes of the chain's NFs: frozen attrs
            classes and enumerations.

    Raises:
        UsageError: a class cannot travel, or two have the same name.

    """

    def __init__(self, classes: tuple[type, ...] = ()) -> None:
        self.kinds: dict[str, _Kind] = {}
        for cls in dict.fromkeys((*MESSAGES, *PARTS, *classes)):
            if cls.__name__ in self.kinds:
                raise UsageError(f"two classes that travel are called {cls.__name__}")
            self.kinds[cls.__name__] = _Kind.of(cls)
        self._frames = msgspec.msgpack.Decoder(_Frame)

    def encode(self, datagram: Datagram) -> bytes:
        """Give the bytes of ``datagram``.

        Raises:
            UsageError: a message is too big for a datagram, or holds what cannot travel.

        """
        d = datagram
        payload = [self._lower(message) for message in d.payload]
        head = (VERSION, d.source, d.to, d.source_incarnation, d.incarnation, d.sequence, d.ack)
        data = msgspec.msgpack.encode((*head, payload))
        if len(data) > MOST_BYTES:
            names = ", ".join(type(message).__name__ for message in d.payload)
            raise UsageError(f"message {names} takes {len(data)} bytes, more than {MOST_BYTES}")
        return data

    def decode(self, data: bytes) -> Datagram:
        """Give the datagram that ``data`` encodes.

        Raises:
            WireFormatError: it encodes none. No other exception comes out.

        """
        try:
            _, source, to, mine, yours, sequence, ack, plain = self._frames.decode(data)
            payload = tuple(self._lift(item) for item in plain)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise WireFormatError(f"not a datagram of ours: {error}") from error
        return Datagram(source, to, mine, yours, sequence, ack, payload)

    def pack(self, value: Any) -> bytes:
        """Give the bytes of one value, of whatever size.

        Raises:
            UsageError: it holds what cannot travel.

        """
        return msgspec.msgpack.encode(self._lower(value))

    def unpack(self, data: bytes) -> Any:
        """Give the value that ``pack`` gave the bytes of.

        Raises:
            WireFormatError: there is none.

        """
        try:
            return self._lift(msgspec.msgpack.decode(data))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise WireFormatError(f"not a value of ours: {error}") from error

    # ------------------------------------------------------------------ values

    def _lower(self, value: Any) -> Any:
        """Turn a value into what msgpack has."""
        if value is None or type(value) in (bool, float, str, bytes):
            return value
        if type(value) is int:
            return value if -(1 << 63) <= value < 1 << 64 else [_LONG, hex(value)]
        if type(value) is tuple:
            return [_TUPLE, *map(self._lower, value)]
        if type(value) is frozenset:  # sorted: equal messages have equal bytes
            items = sorted(map(self._lower, value), key=msgspec.msgpack.encode)
            _check_keys(items, value, UsageError)
            return [_FROZENSET, *items]
        if type(value) is Fraction:
            return [_FRACTION, self._lower(value.numerator), self._lower(value.denominator)]
        if type(value) is Map:
            pairs = [[self._lower(k), self._lower(v)] for k, v in value.items()]
            _check_keys([pair[0] for pair in pairs], value, UsageError, alike=True)
            return [_MAP, *sorted(pairs, key=msgspec.msgpack.encode)]
        kind = self.kinds.get(type(value).__name__)
        if kind is None or kind.cls is not type(value):
            raise UsageError(f"a {type(value).__name__} cannot travel: its class is not listed")
        return [type(value).__name__, *(self._lower(getattr(value, n)) for n in kind.names)]

    def _lift(self, plain: Any) -> Any:
        """Turn what msgpack has into the value it stands for."""
        if plain is None or type(plain) in (bool, int, float, str, bytes):
            return plain
        if type(plain) is not list or not plain:
            raise WireFormatError(f"a {type(plain).__name__} that stands for nothing")
        tag, *rest = plain
        if type(tag) is str and tag in self.kinds:
            return self.kinds[tag].fill([self._lift(item) for item in rest])
        if type(tag) is not int:
            raise WireFormatError(f"unknown class {tag!r:.40}")
        match tag:
            case 0:
                return tuple(self._lift(item) for item in rest)
            case 1:
                items = [self._lift(item) for item in rest]
                _check_keys(rest, items, WireFormatError)
                return frozenset(items)
            case 4:
                return self._lift_map(rest)
        return _lift_number(tag, [self._lift(item) for item in rest])

    def _lift_map(self, pairs: list[Any]) -> Any:
        if not all(type(pair) is list and len(pair) == 2 for pair in pairs):
            raise WireFormatError("a map of something else than pairs")
        keys = [self._lift(key) for key, _ in pairs]
        _check_keys([key for key, _ in pairs], keys, WireFormatError, alike=True)
        values = [self._lift(value) for _, value in pairs]
        return Map(dict(zip(keys, values, strict=True)))


def _check_keys(
    plain: list[Any],
    values: collections.abc.Iterable[Any],
    error: type[ChcError],
    alike: bool = False,
) -> None:
    """Refuse what a map or a set must not have as keys.

    ``rpds`` panics, which is no ``Exception``, when it compares two keys of one hash and of
    different classes, such as 0 and "". So the keys of a map are of one class, and no map is
    compared while we decode: none is inside a key, or inside a set.
    """
    if any(map(_has_map, plain)):
        raise error("a map inside a key or a set cannot travel")
    if alike and len({type(value) for value in values}) > 1:
        raise error("a map with keys of several classes cannot travel")


def _has_map(plain: Any) -> bool:
    return type(plain) is list and (plain[:1] == [_MAP] or any(map(_has_map, plain)))


def _lift_number(tag: int, values: list[Any]) -> Any:
    match tag, values:
        case 2, [int(above), int(below)] if below > 0:
            return Fraction(above, below)
        case 3, [str(digits)]:
            try:
                return int(digits, 16)
            except ValueError:
                raise WireFormatError("a long number of no digits") from None
    raise WireFormatError(f"unknown kind {tag}")
