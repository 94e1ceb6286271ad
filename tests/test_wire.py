"""Wire format: what is encoded comes back equal and of the same types; nothing else gets in."""

from __future__ import annotations

import collections.abc
import contextlib
import enum
import inspect
import types
import typing
from fractions import Fraction
from typing import Any

import attrs
import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from chc_ref.core import control, messages, operations, packets, requests
from chc_ref.core.messages import Arrive, Granted, Ready
from chc_ref.core.transport import Datagram
from chc_ref.core.values import Map
from chc_ref.errors import UsageError, WireFormatError
from chc_ref.net.wire import LOCAL, MESSAGES, MOST_BYTES, PARTS, Codec


class Protocol(enum.IntEnum):
    """An enumeration as a header class may use it."""

    TCP = 6
    UDP = 17


class Flags(enum.IntFlag):
    """Flags as a header class may use them."""

    SYN = 2
    ACK = 16


@attrs.frozen(cache_hash=True)
class Headers:
    """A header class as an NF may declare it."""

    source: str
    port: int
    protocol: Protocol = Protocol.TCP
    flags: Flags = Flags.SYN
    inner: Headers | None = None
    payload: bytes = b""


@attrs.frozen
class KeepLargest:
    """A custom operation (STORE-3)."""

    of: int

    def apply(self, value: Any) -> tuple[Any, Any]:
        return max(value, self.of), value


@attrs.frozen
class Sorted:
    """A class that refuses some of its values."""

    items: tuple[int, ...] = attrs.field()

    @items.validator
    def _check(self, _: Any, value: tuple[int, ...]) -> None:
        if list(value) != sorted(value):
            raise LookupError("not sorted")


CUSTOM = (Headers, Protocol, Flags, KeepLargest, Sorted)
CODEC = Codec(CUSTOM)

HEADERS = st.builds(
    Headers,
    st.text(max_size=5),
    st.integers(0, 65535),
    st.sampled_from(Protocol),
    st.sampled_from([Flags.SYN, Flags.ACK, Flags.SYN | Flags.ACK]),
    st.none() | st.builds(Headers, st.text(max_size=2), st.integers()),
    st.binary(max_size=5),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.fractions(),
    st.builds(KeepLargest, st.integers()),
    HEADERS,
)
KEYS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    KEYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.integers(), inner, max_size=3).map(Map),
        st.dictionaries(st.lists(KEYS, max_size=2).map(tuple), inner, max_size=3).map(Map),
    ),
    max_leaves=8,
)


def strategy_of(hint: Any) -> st.SearchStrategy[Any]:
    """Give values for a field of this annotation."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, collections.abc.Hashable, operations.Operation):
        return VALUES
    if origin in (typing.Union, types.UnionType):
        return st.one_of([strategy_of(arg) for arg in args])
    if origin is tuple and args[1:] == (Ellipsis,):
        return st.lists(strategy_of(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(strategy_of(arg) for arg in args))
    if origin is collections.abc.Mapping:
        keys, values = map(strategy_of, args)
        return st.dictionaries(keys, values, max_size=3).map(Map)
    return instances_of(hint) if attrs.has(hint) else st.from_type(hint)


def instances_of(cls: type) -> st.SearchStrategy[Any]:
    # A Map cannot be subscripted at run time.
    hints = typing.get_type_hints(cls, localns={"Map": typing.Mapping})
    return st.builds(cls, *(strategy_of(hints[field.name]) for field in attrs.fields(cls)))


def datagram(*payload: Any) -> Datagram:
    return Datagram("a.0", "store", 1, 2, 7, 5, payload)


def test_the_table_has_every_message() -> None:
    """A class of ``core.messages`` travels, by itself or in others, or is listed as none."""
    modules = [module.__name__ for module in (messages, packets, requests, control)]
    declared = {
        cls for _, cls in inspect.getmembers(messages, inspect.isclass) if cls.__module__ in modules
    }
    parts = {cls for cls in PARTS if cls.__module__ in modules}
    assert declared == {*MESSAGES, *LOCAL} | parts
    assert len(declared) == len(MESSAGES) + len(LOCAL) + len(parts)


def test_the_table_has_every_part() -> None:
    """A class that a message's fields name is listed as well, or the message cannot travel."""
    for cls in (*MESSAGES, *PARTS):
        hints = typing.get_type_hints(cls, localns={"Map": typing.Mapping})
        assert {part for hint in hints.values() for part in _named(hint)} <= {*MESSAGES, *PARTS}


def _named(hint: Any) -> set[type]:
    """Give the attrs classes that an annotation names."""
    if attrs.has(hint):
        return {hint}
    return {cls for arg in typing.get_args(hint) for cls in _named(arg)}


def test_the_table_has_every_operation() -> None:
    offered = {
        cls
        for _, cls in inspect.getmembers(operations, inspect.isclass)
        if cls.__module__ == operations.__name__ and hasattr(cls, "apply")
    }
    assert offered - {operations.Operation} <= {*PARTS}


@pytest.mark.parametrize("cls", [*MESSAGES, *PARTS], ids=lambda cls: str(cls.__name__))
def test_every_message_comes_back(cls: type, request: pytest.FixtureRequest) -> None:
    thorough = request.config.getoption("--model-check")

    @given(instances_of(cls))
    @settings(max_examples=20 if thorough else 5, deadline=None)
    def comes_back(message: Any) -> None:
        sent = datagram(message)
        data = CODEC.encode(sent)
        got = CODEC.decode(data)
        assert got == sent
        assert type(got.payload[0]) is cls
        assert CODEC.encode(got) == data

    comes_back()


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_every_value_comes_back(value: Any) -> None:
    """Of the same types too: the bytes of 1, 1.0 and True differ, and lists have none."""
    arrive = Arrive(("f", 1), value)
    data = CODEC.encode(datagram(arrive))
    (got,) = CODEC.decode(data).payload
    assert got == arrive
    assert hash(got) == hash(arrive)
    assert CODEC.encode(datagram(got)) == data


def test_a_large_value_is_packed_whole() -> None:
    ports = tuple(range(60_000))
    data = CODEC.pack((ports, Map({"a": ports})))
    assert len(data) > MOST_BYTES
    assert CODEC.unpack(data) == (ports, Map({"a": ports}))
    with pytest.raises(WireFormatError):
        CODEC.unpack(data[:-1])


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_bytes_of_chance_are_refused(data: bytes) -> None:
    with pytest.raises(WireFormatError):
        CODEC.decode(data)


@given(instances_of(messages.Apply), st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_datagram_is_refused_or_another_one(message: Any, data: st.DataObject) -> None:
    """One changed byte may give another valid datagram, but never another exception."""
    good = CODEC.encode(datagram(message))
    at = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.booleans())
    byte = bytes([data.draw(st.integers(0, 255))])
    try:
        CODEC.decode(good[:at] if cut else good[:at] + byte + good[at + 1 :])
    except WireFormatError:
        return


NAMES = st.sampled_from([cls.__name__ for cls in (*MESSAGES, *PARTS, *CUSTOM)])
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3) | NAMES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=6).map(lambda items: [0, *items]),
        st.lists(st.tuples(inner, inner), max_size=3).map(lambda pairs: [4, *pairs]),
        st.lists(inner, max_size=3).map(lambda items: [1, *items]),
        st.tuples(NAMES | st.integers(0, 6), inner).map(list),
        st.tuples(NAMES | st.integers(0, 6), inner, inner).map(list),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
    ),
    max_leaves=10,
)


def test_well_formed_nonsense_is_refused_or_a_datagram(request: pytest.FixtureRequest) -> None:
    thorough = request.config.getoption("--model-check")

    @given(st.lists(PLAIN, max_size=3))
    @settings(max_examples=300 if thorough else 100, deadline=None)
    def refused_or_datagram(payload: list[Any]) -> None:
        data = msgspec.msgpack.encode(("chc1", "a", "b", 1, 0, 0, 0, payload))
        with contextlib.suppress(WireFormatError):
            hash(CODEC.decode(data))

    refused_or_datagram()


PLAIN_PACKET = ["Packet", 1, "f", [0], [0], [2, 1, 1], 0, [0], 0, 0, None, 0]
HALF = [2, 1, 2]


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (["Ready", "one"], "Ready.session is a str"),
        (["Ready", True], "Ready.session is a bool"),
        (["Ready"], "Ready with 0 fields"),
        (["Ready", 1, 2], "Ready with 2 fields"),
        (["Reddy", 1], "unknown class 'Reddy'"),
        (["Delete", 1, [0], 1, [0], 0, True], "Delete.share is a int"),
        (["Delete", 1, [1], HALF, [0], 0, True], "Delete.branch is a frozenset"),
        (["Delete", 1, [0, "x"], HALF, [0], 0, True], "Delete.branch is a tuple"),
        (["Granted", "f", 0, 1, [0, [0, "a"]], True, False, True, [0], False], "Granted.values is"),
        (["LogEntry", PLAIN_PACKET, HALF, 7, [4], [1]], "LogEntry.vectors is a int"),
        (["LogEntry", PLAIN_PACKET, HALF, [4], [0], [1]], "LogEntry.signals is a tuple"),
        (["LogEntry", PLAIN_PACKET, HALF, [4], [4], [1, 1]], "LogEntry.ended is a frozenset"),
        (["WriteLog", 1, 1, PLAIN_PACKET, None], "WriteLog.entry is a Packet"),
        (["Sorted", [0, 2, 1]], "Sorted refuses its fields: not sorted"),
        (["Protocol", 7], "Protocol refuses its fields"),
        ([2, 1, 0], "unknown kind 2"),
        ([3, "none"], "a long number of no digits"),
        ([4, [0]], "a map of something else than pairs"),
        ([4, [0, 1], ["", 1]], "keys of several classes"),
        ([4, [[4], 1]], "a map inside a key"),
        ([1, [0, [4]]], "a map inside a key or a set"),
        ([9], "unknown kind 9"),
        ([], "a list that stands for nothing"),
        ({}, "a dict that stands for nothing"),
        ([None], "unknown class None"),
        ([[0]], r"unknown class \[0\]"),
        (msgspec.msgpack.Ext(5, b"x"), "a Ext that stands for nothing"),
    ],
)
def test_a_message_that_is_none_is_refused(payload: Any, complaint: str) -> None:
    data = msgspec.msgpack.encode(("chc1", "a", "b", 1, 0, 0, 0, [payload]))
    with pytest.raises(WireFormatError, match=complaint):
        CODEC.decode(data)


@pytest.mark.parametrize(
    "frame",
    [
        ("chc2", "a", "b", 1, 0, 0, 0, []),
        ("chc1", "a", "b", 0, 0, 0, 0, []),
        ("chc1", "a", "b", 1, -1, 0, 0, []),
        ("chc1", "a", 2, 1, 0, 0, 0, []),
        ("chc1", "a", "b", 1, 0, 0, 0),
    ],
    ids=str,
)
def test_a_wrong_frame_is_refused(frame: tuple[Any, ...]) -> None:
    with pytest.raises(WireFormatError):
        CODEC.decode(msgspec.msgpack.encode(frame))


def test_endless_nesting_is_refused() -> None:
    frame = msgspec.msgpack.encode(("chc1", "a", "b", 1, 0, 0, 0, []))
    for depth in (500, 5_000, 50_000):
        with pytest.raises(WireFormatError):
            CODEC.decode(frame[:-1] + b"\x91" + b"\x92\x00" * depth + b"\x90")


def test_a_message_too_big_is_refused_by_name() -> None:
    granted = Granted("f", 0, 1, (("seen", "x" * MOST_BYTES),), True)
    with pytest.raises(UsageError, match="message Granted takes"):
        CODEC.encode(datagram(granted))


@pytest.mark.parametrize("value", [[1], {1: 2}, {1}, object(), Headers])
def test_what_cannot_travel_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UsageError, match=type(value).__name__):
        CODEC.encode(datagram(Arrive("f", value)))


@pytest.mark.parametrize("value", [Map({1: 1, "a": 1}), Map({Map(): 1}), frozenset({(Map(),)})])
def test_a_map_that_could_not_be_read_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="cannot travel"):
        CODEC.encode(datagram(Arrive("f", value)))


def test_an_unlisted_class_is_refused() -> None:
    with pytest.raises(UsageError, match="Headers"):
        Codec().encode(datagram(Arrive("f", Headers("h", 1))))


def test_two_classes_of_one_name_are_refused() -> None:
    other = attrs.make_class("Ready", ["session"], frozen=True)
    assert other is not Ready
    with pytest.raises(UsageError, match="Ready"):
        Codec((other,))


def test_a_mutable_class_is_refused() -> None:
    with pytest.raises(UsageError, match="frozen"):
        Codec((attrs.make_class("Mutable", ["x"]),))


def test_no_lists_reach_a_machine() -> None:
    """A flow key must be hashable, whatever it was made of."""
    key = (("10.0.0.1", 80), frozenset({Fraction(1, 3)}))
    (arrive,) = CODEC.decode(CODEC.encode(datagram(Arrive(key, ())))).payload
    assert {arrive.flow: 1} == {key: 1}
