"""Comparison of the explorer's graph with TLC's: equal graphs, and every way to be different."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from chc_ref.errors import ToolError, UsageError
from chc_ref.tlc import dump, run, same
from chc_ref.tlc.mapping import Mapping
from chc_ref.tlc.run import Settings
from chc_ref.tlc.same import Comparison

SPEC = """---- MODULE Cups ----
EXTENDS Integers, Sequences
VARIABLES cups, log
Init == cups = [a |-> 0, b |-> 0] /\\ log = <<>>
Fill(c) == Len(log) < 3 /\\ cups[c] = 0 /\\ cups' = [cups EXCEPT ![c] = 2] /\\ log' = Append(log, c)
Sip(c) == Len(log) < 3 /\\ cups[c] > 0 /\\ cups' = [cups EXCEPT ![c] = @ - 1] /\\ UNCHANGED log
Next == \\E c \\in {"a", "b"} : Fill(c) \\/ Sip(c)
Spec == Init /\\ [][Next]_<<cups, log>>
Dry == cups["a"] = 0
====
"""

State = tuple[int, int, str]
"""Content of either cup, and the letters of those that were filled."""


@attrs.define
class Cups:
    """The same system by hand, in place of the core; a fault may be planted in its steps."""

    fault: str = ""
    initial: tuple[int, ...] = (0,)
    states: list[State] = attrs.field(factory=lambda: [(0, 0, "")])
    after: list[list[tuple[str, int]]] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        numbers = {state: number for number, state in enumerate(self.states)}
        for state in self.states:  # which grows
            steps = []
            for action, to in self._steps(state):
                if to not in numbers:
                    numbers[to] = len(self.states)
                    self.states.append(to)
                steps.append((action, numbers[to]))
            self.after.append(steps)

    def _steps(self, state: State) -> Iterator[tuple[str, State]]:
        a, b, log = state
        if len(log) == 3:
            return
        if self.fault == "silent" or (self.fault == "nameless" and log == "a"):
            yield "wait", state if self.fault == "silent" else (a, b, "ab")
        for cup, content, other in (("a", a, b), ("b", b, a)):
            for action, now, to in (("fill", 2, log + cup), ("sip", content - 1, log)):
                if (content == 0) is (action == "fill"):
                    yield from self._altered(f"{action} {cup}", cup, now, other, to)

    def _altered(self, action: str, cup: str, now: int, other: int, log: str) -> Any:
        if log == "ab" and action == "sip a":
            if self.fault == "missing":
                return
            if self.fault == "elsewhere":
                now = 0
        pair = (now, other) if cup == "a" else (other, now)
        yield action, (*pair, log)
        if self.fault == "hidden" and action == "fill a":
            yield "fill a loudly", (*pair, log.upper())
        if self.fault == "twice":
            yield f"{action} again", (*pair, log)

    def __len__(self) -> int:
        return len(self.states)

    def state(self, number: int) -> State:
        return self.states[number]

    def steps(self, number: int) -> list[tuple[str, int]]:
        return self.after[number]

    def say(self, number: int, action: str) -> str:
        return f"{self.states[number]}: {action}"


def image(state: Any) -> dict[str, Any]:
    a, b, log = state
    return {"cups": {"a": a, "b": b}, "log": list(log)}


def name(state: Any, action: Any) -> str | None:
    return {"fill": "Fill", "sip": "Sip", "wait": None}[action.split()[0]]


MAPPING = Mapping(image, name)


@pytest.fixture(scope="module")
def cups(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the graph that TLC dumps of the specification."""
    folder: Path = tmp_path_factory.mktemp("cups")
    paths = folder / "Cups.tla", folder / "Cups.cfg"
    paths[0].write_text(SPEC)
    paths[1].write_text("SPECIFICATION Spec\nINVARIANT Dry\n")  # which is violated
    return run.graph(*paths, settings=Settings(short=True))


def compared(cups: Any, fault: str = "", mapping: Mapping = MAPPING) -> Comparison:
    return same.compare(Cups(fault), cups, mapping)


def test_equal_graphs_are_equal(cups: Any) -> None:
    """States and steps are counted on both sides, by name."""
    got = compared(cups)
    assert got.difference is None
    assert got.states == (len(Cups()), len(Cups()))
    assert set(got.steps) == {"Fill", "Sip"}
    assert all(one == other > 0 for one, other in got.steps.values())
    assert next(got.lines()).startswith("equal")


def test_dump_has_values_and_names(cups: Any) -> None:
    """States are values, the initial one is known, and edges have names."""
    (first,) = cups.graph["initial"]
    assert dump.state(cups, first) == {"cups": {"a": 0, "b": 0}, "log": ()}
    assert {name for _, _, name in cups.out_edges(first, keys=True)} == {"Fill"}


def test_missing_step_is_found(cups: Any) -> None:
    """A step that the core does not have is told where it is nearest, with ways on both sides."""
    difference = compared(cups, "missing").difference
    assert difference is not None
    assert (len(difference.core), len(difference.tlc)) == (3, 3)
    assert difference.core[-1][1] == difference.tlc[-1][1]
    assert difference.core[-1][1]["log"] == ("a", "b")
    assert not difference.only_core
    ((action, after),) = difference.only_tlc
    assert (action, after["cups"]) == ("Sip", {"a": 1, "b": 2})
    text = list(difference.lines())
    assert "only TLC: Sip" in text
    assert "        cups.a: 2 -> 1" in text


def test_step_to_another_state_is_found(cups: Any) -> None:
    """A step of the same name that leads elsewhere is told as one of either side."""
    difference = compared(cups, "elsewhere").difference
    assert difference is not None
    assert [(s[0].split()[0], s[1]["cups"]["a"]) for s in difference.only_core] == [("Sip", 0)]
    assert [(s[0], s[1]["cups"]["a"]) for s in difference.only_tlc] == [("Sip", 1)]


def test_renamed_action_is_found(cups: Any) -> None:
    """A step under another name is none of the specification's."""

    def renamed(state: Any, action: Any) -> str | None:
        return "Gulp" if action == "sip b" and state[2] == "b" else name(state, action)

    difference = compared(cups, mapping=Mapping(image, renamed)).difference
    assert difference is not None
    assert len(difference.core) == 2
    assert [step[0].split()[0] for step in difference.only_core] == ["Gulp"]
    assert [step[0] for step in difference.only_tlc] == ["Sip"]


def test_merged_states_are_found(cups: Any) -> None:
    """A mapping that is not injective is told with two states and the ways to them."""

    def blurred(state: Any) -> dict[str, Any]:
        return image((*state[:2], state[2].lower()))

    difference = compared(cups, "hidden", Mapping(blurred, name)).difference
    assert difference is not None
    assert "one TLA+ state for two states" in difference.what
    assert difference.core[-1][1] == difference.other[-1][1]
    assert difference.core != difference.other


def test_wrong_initial_state_is_found(cups: Any) -> None:
    """A specification that begins elsewhere is another one."""
    other = cups.copy()
    other.graph["initial"] = {1}
    difference = same.compare(Cups(), other, MAPPING).difference
    assert difference is not None
    assert difference.what == "the initial states differ"
    assert len(difference.only_core) == len(difference.only_tlc) == 1


def test_step_that_only_tlc_has_is_found(cups: Any) -> None:
    """An edge that is added to TLC's graph is one too many."""
    other = cups.copy()
    other.add_edge(0, 0, key="Fill")
    difference = same.compare(Cups(), other, MAPPING).difference
    assert difference is not None
    assert difference.only_tlc == (("Fill", dump.state(cups, 0)),)


def test_two_actions_to_one_state_are_one(cups: Any) -> None:
    """What TLC cannot tell apart is counted once, and said."""
    got = compared(cups, "twice")
    assert got.equal
    assert got.merged == {name: one for name, (one, _) in got.steps.items()}


def test_step_that_changes_nothing_may_have_no_name(cups: Any) -> None:
    """A step without a counterpart is fine if it changes nothing, and an error else."""
    got = compared(cups, "silent")
    assert got.equal
    assert got.silent > 0
    with pytest.raises(UsageError, match=r"names no action.*fill a; .*wait"):
        compared(cups, "nameless")


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (lambda s: {"cups": image(s)["cups"]}, "only the specification has a variable 'log'"),
        (lambda s: {**image(s), "x": 1}, "only the mapping has a variable 'x'"),
        (lambda s: {**image(s), "log": 0.5}, r"0\.5 of type float is no value of TLA\+"),
        (lambda s: {**image(s), "log": s[7]}, "the mapping fails: IndexError"),
    ],
)
def test_mapping_without_an_answer_is_told(cups: Any, change: Any, want: str) -> None:
    """A state that the mapping cannot tell is named with the way to it."""
    with pytest.raises(UsageError, match=rf"{want}.*behind these steps: nothing"):
        compared(cups, mapping=Mapping(change, name))


def test_difference_is_told_though_the_mapping_ends_behind_it(cups: Any) -> None:
    """Where the core goes astray the mapping may have no answer; the difference counts."""

    def strict(state: Any) -> dict[str, Any]:
        assert state[2] != "ab" or state[0] != 0, "no such state"
        return image(state)

    got = compared(cups, "elsewhere", Mapping(image, name))
    assert not got.equal
    assert got.counted


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ('1 [label="/\\\\ x = 0",style = filled]', "breaks off"),
        ('1 [label="x = ?"];\n}', "no value"),
        ('1 [label="x = 0"];\n1 -> 2 [label="A"];\n}', "not in it"),
        ('1 [label="x = 0"];\n1 -> 1;\n}', "without a name"),
        ('1 [label="x = 0"];\n2 [label="x = 0"];\n}', "same values"),
        ('1 [label="x = 0"];\n2 [label="y = 0"];\n}', "cannot be read"),
    ],
)
def test_broken_dump_is_refused(line: str, want: str) -> None:
    """A dump that is cut off or says something else is never taken for a graph."""
    with pytest.raises(ToolError, match=want):
        dump.read(line.splitlines(keepends=True))
