"""Verdicts and reports: the same three answers from every engine (HOLDS is never a guess)."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from chc_ref import __version__


class Verdict(enum.Enum):
    """What a check says. A bound, a time limit or a solver's "unknown" is INCONCLUSIVE."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """Exit code of a command that ends with this verdict; 2 is left to usage errors."""
        return {Verdict.HOLDS: 0, Verdict.VIOLATED: 1, Verdict.INCONCLUSIVE: 3}[self]


class Fairness(enum.Enum):
    """What a run that never ends must grant."""

    WEAK = "weak"
    """What stays possible from some moment on happens."""
    STRONG = "strong"
    """What becomes possible again and again happens."""


class Order(enum.Enum):
    """In which order a graph is searched."""

    BREADTH = "breadth"
    """Shortest counterexample."""
    DEPTH = "depth"
    WALKS = "walks"
    """At random; never all of it."""


class Reduction(enum.Enum):
    """How to search fewer states, with the same verdict (docs/checker.md)."""

    PERSISTENT = "por"
    """Partial order: leave out orders that make no difference."""
    SYMMETRY = "symmetry"
    """States that differ by names count as one."""


@attrs.frozen
class Report:
    """Outcome of one check by one engine."""

    engine: str
    model: str
    verdict: Verdict
    rules: str = "amended"
    states: int | None = None
    """Distinct states; None for an engine that has none (Z3)."""
    transitions: int | None = None
    depth: int | None = None
    seconds: float = 0.0
    bounds: str = ""
    violated: str = ""
    """Name of the violated property, or why the check is inconclusive."""
    trace: tuple[str, ...] = ()
    """Counterexample, one line a step."""
    witnesses: tuple[tuple[str, bool], ...] = ()
    """(name, reached) of every ``sometimes`` property."""
    local_steps: int | None = None
    """Distinct steps of single components among the transitions; None where nothing counts them."""
    schedule: str = ""
    """The counterexample as a file for ``chc replay``, from an engine that can give one."""
    miscounted: str = ""
    """How states or steps differ from what is pinned for the model, if they do."""
    miss: float | None = None
    """Bound of the probability that a state was missed, where states are remembered by hashes."""
    loop: int | None = None
    """Steps before those that go round for ever, in a counterexample that never ends (LIVE)."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The counterexample as it is printed."""
        if self.loop is None:
            return self.trace
        return (*self.trace[: self.loop], "    and for ever:", *self.trace[self.loop :])

    @property
    def local_ratio(self) -> float | None:
        """Local steps for each transition: low while component states are small and local."""
        if self.local_steps is None or not self.transitions:
            return None
        return self.local_steps / self.transitions

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain data."""
        data = attrs.asdict(self, filter=lambda field, _: field.name != "schedule")
        data["verdict"] = self.verdict.value
        data["version"] = __version__
        data["witnesses"] = dict(self.witnesses)
        data["local_ratio"] = self.local_ratio
        return data


def worst(reports: list[Report]) -> Verdict:
    """Give the verdict of several checks together: violated before inconclusive before holds."""
    verdicts = {report.verdict for report in reports}
    for verdict in (Verdict.VIOLATED, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.HOLDS
