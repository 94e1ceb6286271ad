"""Same: whether the graph of the explorer and the graph that TLC dumps are one labelled graph.

A mapping says what each state and step of the core is in the specification. The graphs are equal
if the mapping gives different TLA+ states for different states of the core, the initial states are
the same, and from every state the same names of actions lead to the same states. As each state
that is compared is come to by steps that were compared before, that is all of both graphs.

What differs is told where it is nearest: the first state, breadth first, out of which the two
sides offer different steps, with a shortest way to it on either side.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import networkx as nx

from chc_ref.errors import CheckerError, UsageError
from chc_ref.itf import Record
from chc_ref.tlc import differ, dump
from chc_ref.tlc.mapping import Graph, Mapping
from chc_ref.tlc.trace import State

Step = tuple[str, State]
"""What is done, and the TLA+ state that it leads to."""

Image = int | dump.Row
"""Of a state of the core: the number of its image at TLC, or an image that is not there."""


@attrs.frozen
class Difference:
    """The nearest difference."""

    what: str
    core: tuple[Step, ...]
    """A shortest way to it in the core; the first one has no action."""
    tlc: tuple[Step, ...]
    """A shortest way to the same state in the specification."""
    only_core: tuple[Step, ...] = ()
    """Steps out of that state, or initial states, that only the core has."""
    only_tlc: tuple[Step, ...] = ()
    other: tuple[Step, ...] = ()
    """A shortest way in the core to another state with the same image."""

    def lines(self) -> Iterator[str]:
        """Tell it: the ways, with what each step changes, and what differs behind them."""
        yield self.what
        ways = (("core's", self.core), ("specification's", self.tlc), ("core's other", self.other))
        for whose, way in ways:
            if way:
                yield f"the {whose} way there:"
                yield from _told(way)
        last = self.core[-1][1] if self.core else Record()
        for whose, steps in (("the core", self.only_core), ("TLC", self.only_tlc)):
            for step in steps:
                yield f"only {whose}: {step[0] or 'begins in'}"
                yield from _changes(last, step[1])


def _told(way: tuple[Step, ...]) -> Iterator[str]:
    for number, (said, after) in enumerate(way):
        if number:
            yield f"{number:3} {said}"
            yield from _changes(way[number - 1][1], after)


def _changes(before: State, after: State) -> Iterator[str]:
    found = tuple(differ.lines(differ.between(before, after)))
    yield from (f"        {line}" for line in found or ("nothing changes",))


@attrs.frozen
class Comparison:
    """The graphs side by side."""

    states: tuple[int, int]
    """Of the core, and of TLC."""
    steps: dict[str, tuple[int, int]]
    """Of the core and of TLC, by name of the action. Two steps of one name between the same states
    are one: TLC tells no more."""
    merged: dict[str, int]
    """Further actions of the core that are one with another in this sense."""
    silent: int
    """Steps of the core that the specification does not know, which change nothing."""
    difference: Difference | None
    counted: bool = True
    """Whether all steps of the core are counted; not if, behind a difference, the mapping has no
    answer."""

    @property
    def equal(self) -> bool:
        """Whether the two are one graph."""
        return self.difference is None

    def lines(self) -> Iterator[str]:
        """Tell the outcome."""
        core, tlc = self.states
        yield f"{'equal' if self.equal else 'different'}: {core} states of the core, {tlc} of TLC"
        for name, (one, other) in self.steps.items():
            merged = self.merged.get(name, 0)
            more = f" ({merged} more are one with another)" if merged else ""
            yield f"  {name}: {one} steps of the core{more}, {other} of TLC"
        if not self.counted:
            yield "  not all steps of the core are counted: the mapping has no answer further on"
        if self.silent:
            yield f"  {self.silent} steps of the core change nothing, and TLC does not know them"
        if self.difference is not None:
            yield from self.difference.lines()


def compare(core: Graph, tlc: Any, mapping: Mapping) -> Comparison:
    """Compare the graph of the core with the one that TLC has dumped (``dump.read``).

    Raises:
        UsageError: the mapping has no answer for a state or step, gives other variables than the
            specification has, or names no action for a step that changes something; the text says
            which, and how to come to it.

    """
    return _Comparer(core, tlc, mapping).run()


class _Comparer:
    """One comparison."""

    def __init__(self, core: Graph, tlc: Any, mapping: Mapping) -> None:
        self.core, self.tlc, self.mapping = core, tlc, mapping
        self.variables: tuple[str, ...] = tlc.graph["variables"]
        self.known = {row: number for number, row in tlc.nodes(data="row")}
        self.parents: dict[int, tuple[int, Any]] = {}
        """Of each state of the core but the first ones: the nearest before it, and the action."""
        self.images: dict[int, Image] = {}
        self.owners: dict[Image, int] = {}
        """State of the core that has an image."""
        self.steps: Counter[str] = Counter()
        self.merged: Counter[str] = Counter()
        self.silent = 0
        self.counted = True
        self.difference: Difference | None = None

    def run(self) -> Comparison:
        order = self._nearest_first()
        self._begin()
        for number in order:
            try:
                self._look(number)
            except UsageError:
                if self.difference is None:
                    raise
                self.counted = False  # the core has gone where the mapping has no answer
                break
        if self.difference is None and len(self.owners) != len(self.tlc):
            raise CheckerError("TLC's dump has states that no step in it leads to")
        theirs = dump.by_action(self.tlc)
        return Comparison(
            (len(self.core), len(self.tlc)),
            {n: (self.steps[n], theirs.get(n, 0)) for n in sorted({*self.steps, *theirs})},
            dict(sorted(self.merged.items())),
            self.silent,
            self.difference,
            self.counted,
        )

    def _nearest_first(self) -> list[int]:
        """Give the states of the core breadth first, and note how to come to each."""
        order = list(self.core.initial)
        seen = set(order)
        for number in order:
            for action, after in self.core.steps(number):
                if after not in seen:
                    seen.add(after)
                    order.append(after)
                    self.parents[after] = number, action
        return order

    def _begin(self) -> None:
        """Compare the initial states."""
        ours = {self._image(number) for number in self.core.initial}
        theirs: set[Image] = set(self.tlc.graph["initial"])
        if ours != theirs and self.difference is None:
            self.difference = Difference(
                "the initial states differ",
                (),
                (),
                tuple(("", self._state(image)) for image in sorted(ours - theirs, key=repr)),
                tuple(("", self._state(image)) for image in sorted(theirs - ours, key=repr)),
            )

    def _look(self, number: int) -> None:
        """Compare the steps out of one state."""
        ours: dict[tuple[str, Image], Any] = {}
        before, at = self.core.state(number), self._image(number)
        for action, after in self.core.steps(number):
            with self._at(number, action):
                name = self.mapping.name(before, action)
            image = self._image(after)
            if name is None and image != at:
                with self._at(number, action):
                    raise UsageError("the mapping names no action, and the step changes something")
            elif name is None:
                self.silent += 1
            elif (name, image) in ours:
                self.merged[name] += 1
            else:
                ours[name, image] = action
                self.steps[name] += 1
        if self.difference is None and isinstance(at, int):
            found = {(name, after) for _, after, name in self.tlc.out_edges(at, keys=True)}
            if ours.keys() != found:
                self.difference = self._differ(number, ours, found)

    def _image(self, number: int) -> Image:
        """Give the image of a state, and see whether another one has the same."""
        if number in self.images:
            return self.images[number]
        with self._at(number):
            state = self.mapping.image(self.core.state(number))
            if tuple(sorted(state)) != self.variables:
                wrong = min(state.keys() ^ set(self.variables))
                whose = "the mapping" if wrong in state else "the specification"
                raise UsageError(f"only {whose} has a variable {wrong!r}")
        row = tuple(state[name] for name in self.variables)
        image: Image = self.known.get(row, row)
        self.images[number] = image
        other = self.owners.setdefault(image, number)
        if other != number and self.difference is None:
            what = "the mapping gives one TLA+ state for two states of the core; the second is"
            way = self._way(number)
            what = f"{what} {len(way) - 1} steps from the beginning"
            self.difference = Difference(what, way, (), other=self._way(other))
        return image

    def _state(self, image: Image) -> State:
        row = self.tlc.nodes[image]["row"] if isinstance(image, int) else image
        return Record(zip(self.variables, row, strict=True))

    def _differ(
        self, number: int, ours: dict[tuple[str, Image], Any], theirs: set[tuple[str, int]]
    ) -> Difference:
        core, tlc = self._way(number), self._their_way(self.images[number])
        words = {key: f"{key[0]}  ({self.core.say(number, ours[key])})" for key in ours}
        return Difference(
            f"{len(core) - 1} steps from the beginning, the steps that are possible differ",
            core,
            tlc,
            tuple((words[key], self._state(key[1])) for key in ours if key not in theirs),
            tuple((name, self._state(to)) for name, to in sorted(theirs - ours.keys())),
        )

    def _way(self, number: int) -> tuple[Step, ...]:
        """Give a shortest way to a state of the core."""
        steps: list[Step] = []
        while number in self.parents:
            before, action = self.parents[number]
            name = self.mapping.name(self.core.state(before), action) or "no action"
            said = f"{name}  ({self.core.say(before, action)})"
            steps.append((said, self._state(self.images[number])))
            number = before
        return (("", self._state(self.images[number])), *reversed(steps))

    def _their_way(self, image: Image) -> tuple[Step, ...]:
        """Give a shortest way to a state of TLC."""
        _, way = nx.multi_source_dijkstra(self.tlc, self.tlc.graph["initial"], image)
        names = ["", *(min(self.tlc[one][two]) for one, two in itertools.pairwise(way))]
        return tuple((name, self._state(at)) for name, at in zip(names, way, strict=True))

    @contextmanager
    def _at(self, number: int, action: Any = None) -> Iterator[None]:
        """Put the way to a state, and what is done there, behind an error."""
        try:
            yield
        except UsageError as error:
            way = [] if action is None else [self.core.say(number, action)]
            while number in self.parents:
                number, done = self.parents[number]
                way.append(self.core.say(number, done))
            told = "; ".join(reversed(way)) or "nothing: it is an initial state"
            raise UsageError(f"{error}; behind these steps: {told}") from None
