"""ITF: what is written is read again, and what is malformed is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from chc_ref.errors import UsageError
from chc_ref.itf import Function, Record, read, write

SCALARS = st.booleans() | st.integers() | st.text(max_size=5)
FIELDS = st.text(max_size=5).filter(lambda name: not name.startswith("#"))


def _distinct(value: Any) -> Any:
    """Tell values apart as TLA+ does: in Python True is 1."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, tuple):
        return tuple(map(_distinct, value))
    if isinstance(value, frozenset):
        return frozenset(map(_distinct, value))
    if isinstance(value, dict):
        return frozenset((_distinct(key), _distinct(one)) for key, one in value.items())
    return value


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.tuples(inner, inner)
        | st.frozensets(inner, max_size=3)
        | st.dictionaries(FIELDS, inner, max_size=3).map(Record)
        | st.dictionaries(inner, inner, max_size=3).map(Function)
    ),
    max_leaves=8,
)


@given(st.lists(st.fixed_dictionaries({"x": VALUES, "count.0": VALUES}), min_size=1, max_size=3))
def test_states_come_back(states: list[dict[str, Any]]) -> None:
    """Every value is read as it was written, of its own type, and can be in a set."""
    found = read(write(states))
    assert found.states == tuple(states)
    assert _distinct(found.states) == _distinct(tuple(states))
    assert found.loop is None
    hash(tuple(value for state in found.states for value in state.values()))


def test_it_is_written_as_the_format_has_it() -> None:
    """Integers, tuples, sets, maps and records, each in its own way; sets in a fixed order."""
    state = {
        "i": 2**70,
        "b": True,
        "t": (1, "a"),
        "s": frozenset({3, 20, 1}),
        "m": {"z": 1, "a": 2},
        "r": Record(tag="Some", value=()),
    }
    data = json.loads(write([state, state], loop=1, meta={"source": "me"}))
    assert data["vars"] == ["i", "b", "t", "s", "m", "r"]
    assert (data["loop"], data["#meta"]["source"], data["#meta"]["format"]) == (1, "me", "ITF")
    assert data["states"][1] == {
        "#meta": {"index": 1},
        "i": {"#bigint": str(2**70)},
        "b": True,
        "t": {"#tup": [{"#bigint": "1"}, "a"]},
        "s": {"#set": [{"#bigint": "1"}, {"#bigint": "20"}, {"#bigint": "3"}]},
        "m": {"#map": [["a", {"#bigint": "2"}], ["z", {"#bigint": "1"}]]},
        "r": {"tag": "Some", "value": {"#tup": []}},
    }
    assert read(json.dumps(data)).loop == 1


def test_what_others_write_is_read() -> None:
    """Sequences, plain numbers, a null loop, params, and no #meta at all."""
    text = '{"params": ["N"], "vars": ["x"], "loop": null, "states": [{"N": 2, "x": [1, [2]]}]}'
    assert read(text).states == ({"N": 2, "x": (1, (2,))},)


def test_a_record_is_the_function_of_its_fields() -> None:
    """Equal, with one hash, and never changed."""
    assert Record(a=1) == Function(a=1) == {"a": 1}
    assert {Record(a=1), Function(a=1)} == {Record(a=1)}
    record = Record(a=1)
    for change in (record.update, record.clear, record.popitem):
        with pytest.raises(TypeError, match="a Record is never changed"):
            change()
    with pytest.raises(TypeError, match="a Record is never changed"):
        record["a"] = 2


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("{", "", "ITF: no JSON: "),
        ('"vars"', '"bars"', "ITF: 'vars' is missing"),
        ('"states": [', '"states": 3, "others": [', "ITF: 'states' is no list"),
        ('["x"]', "[7]", "ITF: vars: every one must be a string"),
        ('["x"]', '["x", "y"]', "ITF: state 0: 'y' is missing"),
        ('["x"]', "[]", "ITF: state 0: 'x' is not among the vars"),
        ('"loop": 0', '"loop": 1', "ITF: loop = 1, and the states are 0 to 0"),
        ('"loop": 0', '"loop": true', "ITF: loop = True, and the states are 0 to 0"),
        ('"5"', '"5.0"', "ITF: state 0, x: {\"#bigint\": \"5.0\"} is malformed"),
        ('"5"', '"٣"', "is malformed"),
        ('"5"', "5", "is malformed"),
        ('"5"', f'"{"1" * 9999}"', "ITF: state 0, x: a number of 9999 digits"),
        ('{"#bigint": "5"}', "null", "ITF: state 0, x: null is no value of ITF"),
        ('{"#bigint": "5"}', "1.5", "ITF: state 0, x: 1.5 is no value of ITF"),
        ('{"#bigint": "5"}', '{"#tup": 3}', "is malformed"),
        ('{"#bigint": "5"}', '{"#what": []}', "is malformed"),
        ('{"#bigint": "5"}', '{"#set": [1, 1]}', "a set has the same member twice"),
        ('{"#bigint": "5"}', '{"#map": [[1, 1], [1, 2]]}', "a map has the same key twice"),
        ('{"#bigint": "5"}', '{"#map": [1]}', "a map is a list of pairs"),
        ('{"#bigint": "5"}', '{"#bigint": "5", "y": 1}', "is malformed"),
        ('{"#bigint": "5"}', '{"a": 1, "a": 2}', "a key is there twice"),
        ('{"#bigint": "5"}', '{"#unserializable": "CHOOSE"}', "could not: CHOOSE"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused(old: str, new: str, complaint: str) -> None:
    """The error names state and variable, in one line."""
    text = '{"vars": ["x"], "loop": 0, "states": [{"x": {"#bigint": "5"}}]}'
    read(text)
    assert old in text
    with pytest.raises(UsageError) as caught:
        read(text.replace(old, new, 1))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "3", '{"vars": [], "states": []}', "[" * 100_000])
def test_what_is_no_run_is_refused(text: str) -> None:
    """Whatever JSON it is."""
    with pytest.raises(UsageError, match="ITF: "):
        read(text)


@pytest.mark.parametrize(
    ("states", "loop", "complaint"),
    [
        ([], None, "at least one state"),
        ([{"x": 1}, {"y": 1}], None, "state 1: other variables than in state 0: x, y"),
        ([{"x": 1}], 1, "loop = 1"),
        ([{"x": None}], None, "state 0, x: None of type NoneType is no value"),
        ([{"x": (1, [2])}], None, r"state 0, x: \[2\] of type list"),
        ([{"#x": 1}], None, "'#x' is no name of a variable"),
        ([{"x": Record({"#a": 1})}], None, "'#a' is no name of a field"),
        ([{"x": Record({1: 1})}], None, "1 is no name of a field"),
    ],
)
def test_what_is_no_run_is_not_written(
    states: list[dict[str, Any]], loop: int | None, complaint: str
) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(UsageError, match=complaint):
        write(states, loop)
