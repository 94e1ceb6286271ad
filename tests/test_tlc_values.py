"""Values of TLA+ as text and as Python values, and runs of a specification as told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.tlc import config, differ
from chc_ref.tlc.output import read_state
from chc_ref.tlc.trace import Step, Trace, of_itf
from chc_ref.tlc.values import ModelValue, freeze, parse, show

NAMES = st.sampled_from(["a", "b", "SUBSET", "x y", "1", ""])
VALUES: Any = st.recursive(
    st.booleans() | st.integers(-3, 12) | st.text(max_size=5) | st.builds(ModelValue, NAMES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.frozensets(inner.map(freeze), max_size=3)
        | st.dictionaries(st.integers(0, 4) | st.text(max_size=3) | NAMES, inner, max_size=3)
    ),
    max_leaves=12,
).map(freeze)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-12", -12),
        ("TRUE", True),
        ('"s \\"t\\" \\\\ k"', 's "t" \\ k'),
        ("mv", ModelValue("mv")),
        ("2..4", frozenset({2, 3, 4})),
        ("{}", frozenset()),
        ("<<>>", ()),
        ("<<1, <<2>>, {3}>>", (1, (2,), frozenset({3}))),
        ("[ a |-> [b |-> 1],\n  c |-> <<>> ]", {"a": {"b": 1}, "c": ()}),
        ('(0 :> "x" @@ 2 :> {FALSE})', {0: "x", 2: frozenset({False})}),
        ("(1 :> 5 @@ 2 :> 6)", (5, 6)),
        ("( <<1, 2>> :> mv @@\n  <<>> :> FALSE )", {(1, 2): ModelValue("mv"), (): False}),
    ],
)
def test_value_is_read(text: str, value: Any) -> None:
    """Every kind of value that TLC prints is read, lines broken or not, and written again."""
    got = parse(text)
    assert got == value
    assert type(got) is type(freeze(value))
    assert parse(show(got)) == got


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Text and value are the same thing; only a model value must have a name for that."""
    try:
        got = parse(show(value))
    except UsageError:
        assert _strange(value)
        return
    assert got == value or _strange(value)


def _strange(value: Any) -> bool:
    """Tell whether there is a model value with a name that no specification can give it."""
    if isinstance(value, ModelValue):
        return str(value) in ("x y", "1", "")
    if isinstance(value, dict):
        return any(_strange(one) for pair in value.items() for one in pair)
    return isinstance(value, tuple | frozenset) and any(map(_strange, value))


def test_a_model_value_is_no_string() -> None:
    """Two values of one name and different kinds are different, in sets too."""
    assert parse("mv") != parse('"mv"')
    assert ModelValue("mv") != "mv"
    assert len(frozenset({ModelValue("mv"), "mv"})) == 2
    assert ModelValue("mv") == ModelValue("mv")


@pytest.mark.parametrize("text", ["", "<<1", "[a |-> ]", "(1 :> )", "1 2", "{1 2}", "@", "[a : 1]"])
def test_what_is_no_value_is_refused(text: str) -> None:
    """A text that is cut off or something else is an error in one line."""
    with pytest.raises(UsageError, match="no value of TLA") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_state_is_read() -> None:
    """One variable stands alone, several are a conjunction; values may take several lines."""
    assert read_state("x = 1\n") == {"x": 1}
    assert read_state("/\\ x = [ a |-> 1,\n  b |-> 2 ]\n/\\ y = {}") == {
        "x": {"a": 1, "b": 2},
        "y": frozenset(),
    }
    with pytest.raises(UsageError, match="no state"):
        read_state("/\\ x")


def test_differences_are_told_part_by_part() -> None:
    """Of a function the arguments that differ; of a sequence or set what came and went."""
    before = {"f": parse("[a |-> <<1>>, b |-> {1, 2}]"), "g": parse("(0 :> 1 @@ 5 :> 2)"), "h": 1}
    after = {"f": parse("[a |-> <<1, 7>>, b |-> {2}]"), "g": parse("(0 :> 1 @@ 5 :> 3)"), "h": 1}
    got = list(differ.lines(differ.between(before, after)))
    assert got == ["f.a: + 7; f.b: - 1", "g[5]: 2 -> 3"]


@pytest.mark.parametrize("loop", [None, 0, 1])
def test_run_is_told_and_kept(loop: int | None) -> None:
    """A run is told step by step, round for ever if it is, and comes back from ITF as it was."""
    states = [Record({"x": n, "y": parse(f"<<[a |-> {n}]>>")}) for n in range(2)]
    trace = Trace((Step("", states[0]), Step("Inc", states[1])), loop, "Back" if loop == 0 else "")
    text = "\n".join(trace.lines())
    assert "  1 Inc\n        x: 0 -> 1" in text
    assert ("and for ever:" in text) == (loop == 0)
    assert ("  2 Back" in text) == (loop == 0)
    assert ("nothing happens any more" in text) == (loop == 1)
    again = of_itf(trace.to_itf("test"))
    assert (again.steps, again.loop) == (trace.steps, trace.loop)


def test_configuration_is_taken_apart() -> None:
    """What says which behaviours there are is kept; names on lines of their own are read."""
    text = (
        "\\* INVARIANT Not\nCONSTANTS a = b\n  c <- d\nSPECIFICATION Spec (* INIT X *)\n"
        "PROPERTIES\n  One\n  Two\nINVARIANT Three SYMMETRY S\nCONSTRAINT Few\n"
    )
    assert config.only(text, *config.BEHAVIOUR).split() == (
        "CONSTANTS a = b c <- d SPECIFICATION Spec CONSTRAINT Few".split()  # noqa: SIM905
    )
    assert config.properties(text) == ("One", "Two")
    assert config.named(text, "INIT", "Init") == "Init"
