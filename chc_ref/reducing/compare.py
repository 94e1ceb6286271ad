"""Comparison: reductions beside the full search, and that they leave nothing out that matters.

``compare`` searches one model both ways, behind violations too, and says what differs: verdicts
of requirements, states at rest, local states of components, witnesses; with symmetry alone, all
states under all names. ``python -m chc_ref.reducing.compare MODEL ...`` prints the table of
docs/checker.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import attrs
import typer

from chc_ref.check import counterexample
from chc_ref.check.cells import Row
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.model import Model, load
from chc_ref.check.rows import Rows
from chc_ref.check.touches import NONE, Possible, Touch, Touches
from chc_ref.console import out
from chc_ref.core.rules import Rules
from chc_ref.places import folder
from chc_ref.system.composition import State
from chc_ref.verdict import Reduction, Report, Verdict

POR = frozenset({Reduction.PERSISTENT})
SYMMETRY = frozenset({Reduction.SYMMETRY})
BOTH = POR | SYMMETRY


@attrs.frozen
class Seen:
    """One search behind all violations."""

    explorer: Explorer
    reports: dict[str, Report]
    seconds: float

    @property
    def states(self) -> int:
        """How many states it saw."""
        return len(self.explorer.search)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What it says of each requirement."""
        return {name: report.verdict for name, report in self.reports.items()}

    @property
    def whole(self) -> bool:
        """Whether it saw all."""
        return self.explorer.finished

    def all_states(self) -> set[State]:
        """Give the states, under all names."""
        return {self.explorer.cells.state(row) for row in self._rows()}

    def at_rest(self) -> set[State]:
        """Give the states at rest, under all names."""
        cells, is_quiet = self.explorer.cells, self.explorer.properties.is_quiet
        return {cells.state(row) for row in self._rows() if is_quiet(row)}

    def local(self) -> set[tuple[int, object]]:
        """Give the states of each component."""
        cells = self.explorer.cells
        return {(cells.cells.values[c].at, cells.value(c)) for c in self.explorer.search.cells()}

    def _rows(self) -> Iterator[Row]:
        search = self.explorer.search
        yield from search.rows()
        for one in search.symmetry.renamings if isinstance(search, Rows) else ():
            yield from map(one.row, search.rows())


def see(
    model: Model,
    rules: Rules | None = None,
    method: Method | None = None,
    limits: Limits | None = None,
) -> Seen:
    """Search a model, behind violations too."""
    explorer = Explorer(model, rules, limits, method)
    began = time.monotonic()
    reports = explorer.sweep()
    explorer.finished = not any(r.verdict is Verdict.INCONCLUSIVE for r in reports.values())
    return Seen(explorer, reports, time.monotonic() - began)


def compare(full: Seen, reduced: Seen) -> tuple[str, ...]:
    """Say what a reduction changed that it must not change."""
    found = [
        f"{name}: {full.verdicts[name].value} became {verdict.value}"
        for name, verdict in reduced.verdicts.items()
        if verdict is not full.verdicts[name]
    ]
    if full.at_rest() != reduced.at_rest():
        found.append("other states at rest")
    if full.local() != reduced.local():
        found.append("other states of components")
    if not reduced.explorer.plan.applied & POR and full.all_states() != reduced.all_states():
        found.append("other states")
    reports = {name: dict(report.witnesses) for name, report in full.reports.items()}
    if any(reports[name] != dict(r.witnesses) for name, r in reduced.reports.items()):
        found.append("other witnesses")
    return tuple(found)


def dependences(touches: Touches, row: Row) -> Iterator[str]:
    """Say which actions of a state depend on each other though they touch nothing both of them.

    Of two that do not, either order must be possible and lead to the same state. Neither may let
    a third component do more or less, but take what it is sent on a channel that was empty. What
    is taken from a channel that is not FIFO is left out: the search takes nothing of it for
    granted, and lets nobody go first who takes more of it later.
    """
    touch_of: list[Touch] = touches.values.values
    name, faulty = touches.cells.actions.values, touches.cells.system.faulty

    def ordered(row: Row) -> dict[int, tuple[Possible, Touch]]:
        every = ((one, touch_of[one.touch]) for one in touches.possible(row)[0])
        return {o.code: (o, t) for o, t in every if t.taken == NONE or not faulty[t.taken]}

    possible = ordered(row)
    for one, mine in possible.values():
        behind = ordered(one.after)
        sent = {channel for channel, had in mine.puts if not had}
        for other, theirs in possible.values():
            if mine.parties & theirs.parties:
                continue
            swapped = ordered(other.after)
            if other.code not in behind:
                yield f"{name[one.code]} forbids {name[other.code]}"
            elif one.code in swapped and swapped[one.code][0].after != behind[other.code][0].after:
                yield f"{name[one.code]} and {name[other.code]} do not commute"
        for code in behind.keys() - possible.keys():
            theirs = behind[code][1]
            if not mine.parties >> theirs.actor & 1 and theirs.taken not in sent:
                yield f"{name[one.code]} allows {name[code]}"


def confirmed(model: Model, rules: Rules | None, reduction: frozenset[Reduction]) -> Report:
    """Search a model up to its first violation, and run the counterexample again.

    Raises:
        CheckerError: it is none.

    """
    report = Explorer(model, rules, None, Method(reduce=reduction)).run()
    under = model if rules is None else attrs.evolve(model, rules=rules)
    counterexample.of_report(under, folder("models"), report)
    return report


def main(
    models: Annotated[list[str], typer.Argument(help="Names of models.")],
    seconds: Annotated[float, typer.Option(help="Time limit of one search.")] = 600.0,
) -> None:
    """Print the states of models with and without reductions, as a Markdown table."""
    out.print(
        "| model | states | partial order | symmetry | both |\n|---|--:|--:|--:|--:|",
        soft_wrap=True,
    )
    for name in models:
        model = load(folder("models") / f"{name}.toml")
        full = _states(model, frozenset(), seconds)
        cells = [_states(model, reduction, seconds) for reduction in (POR, SYMMETRY, BOTH)]
        texts = [_cell(full, None), *(_cell(one, full) for one in cells)]
        out.print(f"| {name} | {' | '.join(texts)} |", soft_wrap=True)


def _states(model: Model, reduction: frozenset[Reduction], seconds: float) -> Report:
    return Explorer(model, None, Limits(seconds=seconds), Method("python", reduce=reduction)).run()


def _cell(report: Report, full: Report | None) -> str:
    if report.verdict is Verdict.INCONCLUSIVE:
        return "inconclusive"
    text = f"{report.states} ({report.seconds:.1f} s)"
    if full is None or not full.states or not report.states or full.verdict is Verdict.INCONCLUSIVE:
        return text
    return f"{text}, {full.states / report.states:.1f}x"


if __name__ == "__main__":
    typer.run(main)
