"""Explorer: every interleaving of a model, breadth first, on the core's own ``step``.

The model is put into integers (``check.cells``), parted (``check.halves``) and searched, by the
compiled kernel where there is one and in plain Python else, with the same result.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import psutil

from chc_ref.check import STATES, schedule
from chc_ref.check.cells import Cells
from chc_ref.check.checkpoint import Checkpoint, read, write
from chc_ref.check.halves import ENDLESS, Halves, Judge, Outcome, Parting, Search, most_halves, part
from chc_ref.check.hashed import TOLERABLE
from chc_ref.check.kernel import AUTOMATIC, Compiled, search
from chc_ref.check.live import endless, lasso
from chc_ref.check.model import Model
from chc_ref.check.properties import Properties
from chc_ref.check.reduced import GivesWay, Plan, plan
from chc_ref.check.rows import Rows
from chc_ref.check.walks import DepthFirst, Tree, Walks, some_runs
from chc_ref.check.words import describe
from chc_ref.core.rules import Rules
from chc_ref.errors import ModelError, UsageError
from chc_ref.require.predicates import REQUIREMENTS, WITNESSES
from chc_ref.system.composition import Action, System
from chc_ref.system.endpoint import SITUATIONS
from chc_ref.verdict import Fairness, Order, Reduction, Report, Verdict

Progress = Callable[[int, int, int], None]
"""Called with (states, frontier, depth)."""


@attrs.frozen
class Limits:
    """Bounds of a search; hitting one makes the verdict INCONCLUSIVE."""

    states: int = STATES
    seconds: float = 600.0
    depth: int | None = None
    """Steps to the last states whose successors are looked at."""
    memory: float | None = None
    """MiB that the process may take."""


@attrs.frozen
class Method:
    """How to search. The outcome is the same with any back end and number of threads."""

    backend: str = AUTOMATIC
    threads: int | None = None
    """Of the kernel; None for one for each processor, and no more than four."""
    fairness: Fairness = Fairness.WEAK
    """What a run that never ends must grant (LIVE)."""
    order: Order = Order.BREADTH
    walks: int = 1_000
    seed: int = 0
    """Of random walks."""
    checkpoint: Path | None = None
    """File that a stopped search is written to, and that it goes on from."""
    reduce: frozenset[Reduction] = frozenset()
    """What to leave out. The verdict is the same, the counterexample need not be the shortest."""
    compact: int | None = None
    """Bits to remember a state by, for a search that may miss some; ``seed`` is theirs too."""


def taken() -> float:
    """Give the MiB of memory that this process takes."""
    return psutil.Process().memory_info().rss / 2**20


MOST_LEFT = 20
"""Searches of one process after which what they have left is collected."""

_searches = itertools.count(1)


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Let Python not look for cycles of garbage: nearly all that a search makes, it keeps.

    Afterwards all that is there is old: it is not looked through as what is young is.
    """
    collects, frozen = gc.isenabled(), gc.get_freeze_count()
    # What earlier searches have left is as old as all else, and Python would let it be for long.
    if next(_searches) % MOST_LEFT == 0:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:
            gc.freeze()
            gc.unfreeze()
        if collects:
            gc.enable()


STAGES = (1_000, 50_000)
"""Numbers of states after which the parting of a system is chosen anew."""

ROWS = 1_500
"""Most rows that it is chosen by."""

UNJUDGED = Judge(lambda cell: 0, lambda row: None, lambda *_: "")


class Explorer:
    """One search of one model. Deterministic: same model, same counts, same counterexample."""

    def __init__(
        self,
        model: Model,
        rules: Rules | None = None,
        limits: Limits | None = None,
        method: Method | None = None,
    ) -> None:
        self.model = model
        self.rules = rules or model.rules
        self.limits = limits or Limits()
        self.method = method or Method()
        self.system: System = model.system(self.rules)
        self.cells = Cells(self.system)
        self.properties = Properties(self.cells, model.requirements)
        self.plan = self._planned()
        self.search = self._begin()
        self._stages = [*STAGES, self.limits.states]
        self._started = 0.0
        self.finished = False
        """Whether the search has ended by itself."""
        self.stop = ""
        """Why to stop at the next occasion, if somebody wants it."""
        for name in model.witnesses:
            if name not in WITNESSES and name not in SITUATIONS:
                known = ", ".join(sorted({*WITNESSES, *SITUATIONS}))
                raise UsageError(f"{model.name}: unknown witness {name!r}; known: {known}")

    def save(self, path: Path, code: str = "") -> None:
        """Write a checkpoint of the search.

        Args:
            path: of the file.
            code: a hash of what the search runs.

        Raises:
            UsageError: the file cannot be written.

        """
        if isinstance(self.search, Rows):
            raise UsageError("a search with --reduce or --compact cannot be kept")
        parting, found = self.search.parting, self.search.saved()
        stages = tuple(self._stages)
        of = (self.model.name, repr(self.model.table), self.rules.name, code)
        write(path, Checkpoint(*of, parting, self.cells.saved(), found, stages))

    def resume(self, path: Path, code: str = "") -> None:
        """Go on from a checkpoint of the same model under the same rules, by either back end.

        Args:
            path: of the file.
            code: as it was written with.

        Raises:
            UsageError: the file cannot be read, or is of something else.

        """
        found = read(path, self.model.name, repr(self.model.table), self.rules.name, code)
        self.cells.restore(found.cells)
        self.search = self._parted(found.parting)
        self.search.restore(found.search)
        self._stages = [*found.stages[:-1], self.limits.states]

    def run(self, progress: Progress | None = None) -> Report:
        """Search until all is seen, a requirement is violated, or a limit is hit."""
        self._started = time.monotonic()
        found = self._found(progress)
        self.finished = not found.stopped
        return self._lively(found, self._report(found))

    def sweep(self, progress: Progress | None = None) -> dict[str, Report]:
        """Search on behind violations; give a report for each requirement, by name.

        A violation is the first one of its requirement; what is not violated holds or is
        inconclusive as the whole search is, which rules that cannot go on end.
        """
        self._started = time.monotonic()
        reports: dict[str, Report] = {}
        try:
            found = self._found(progress)
            while found.violation is not None:
                name = found.violation.requirement
                reports[name] = self._report(found)
                self.properties.passed_over.add(name)
                found = self._found(progress)
            rest = self._report(found)
            if "LIVE" not in reports:
                reports["LIVE"] = self._lively(found, rest)
        except ModelError as error:
            name, rules = self.model.name, self.rules.name
            rest = Report("explorer", name, Verdict.INCONCLUSIVE, rules, violated=str(error))
        return {name: reports.get(name, rest) for name in REQUIREMENTS}

    def _lively(self, found: Outcome, report: Report) -> Report:
        """Look for runs that never end, once all states are known (LIVE)."""
        if found.stopped or found.violation is not None or not endless(self.cells):
            return report
        if isinstance(self.search, Rows):
            why = "runs that never end are not looked for with --compact"
            return attrs.evolve(report, verdict=Verdict.INCONCLUSIVE, violated=why)
        try:
            requirements, fairness = self.properties.requirements, self.method.fairness
            run = lasso(self.cells, self.search, requirements, fairness, self._hurry)
        except TimeoutError:
            why = f"time limit of {self.limits.seconds:g} s, in looking at cycles"
            return attrs.evolve(report, verdict=Verdict.INCONCLUSIVE, violated=why)
        if run is None:
            return report
        way = self.path(run.entry)
        actions = [*way, *(self.cells.actions.values[code] for code in run.codes)]
        violated = str(run.wrong)
        return attrs.evolve(
            report,
            verdict=Verdict.VIOLATED,
            violated=violated,
            trace=describe(self.system, actions),
            schedule=schedule.write(self.model, actions, violated, self.rules, len(way)),
            loop=len(way),
        )

    def _hurry(self) -> None:
        if time.monotonic() - self._started > self.limits.seconds:
            raise TimeoutError

    def _report(self, found: Outcome) -> Report:
        """Say what a search has found."""
        reached = self._witnessed()
        verdict, violated = self._verdict(found, reached)
        miss = self.plan.miss(self.search)
        if miss is not None and miss > TOLERABLE and verdict is Verdict.HOLDS:
            verdict, violated = Verdict.INCONCLUSIVE, "too few bits a state for so many states"
        actions = [] if found.violating is None else self.path(found.violating)
        bounds = filter(None, (self.model.bounds, self.plan.said(self.search)))
        return Report(
            "explorer",
            self.model.name,
            verdict,
            self.rules.name,
            found.states,
            found.transitions,
            found.depth,
            time.monotonic() - self._started,
            "; ".join(bounds),
            violated,
            describe(self.system, actions) if actions else (),
            tuple(reached.items()),
            None if found.stopped or found.violation is not None else self.cells.local_steps,
            schedule.write(self.model, actions, violated, self.rules) if actions else "",
            miss=miss,
        )

    def _found(self, progress: Progress | None) -> Outcome:
        """Search; begin again in much better parts where there turn out to be many states."""

        def ask(states: int, frontier: int, depth: int) -> str:
            if progress is not None:
                progress(states, frontier, depth)
            try:
                self._hurry()
            except TimeoutError:
                return f"time limit of {self.limits.seconds:g} s"
            memory = self.limits.memory
            if memory and taken() > memory:
                return f"memory limit of {memory:g} MiB"
            return self.stop

        judge = Judge(self.properties.summary, self.properties.judge, ask)
        while isinstance(self.search, Rows):
            try:
                found = self.search.run(judge, self.limits.states)
                if not self._unending(found):
                    return found
                self.plan.cyclic = True  # LIVE asks for all cycles
            except GivesWay as reason:
                self.plan.give_way(reason)
            self.search = self._begin()
        if self.method.order is not Order.BREADTH and not isinstance(self.search, Tree):
            self.search = self._other(self.search)
        deepest = ENDLESS if self.limits.depth is None else self.limits.depth
        with _nothing_collected():
            return self._staged(judge, deepest)

    def _unending(self, found: Outcome) -> bool:
        """Tell of a reduced search whether runs may go on for ever in what it has seen."""
        reduced = self.plan.applied and self.plan.bits is None
        ended = found.violation is None and not found.stopped
        return bool(reduced and ended and endless(self.cells))

    def _staged(self, judge: Judge, deepest: int) -> Outcome:
        while True:
            assert not isinstance(self.search, Rows)  # has no parts; it has ended, or given way
            stage = ENDLESS if isinstance(self.search, Tree) else self._stages[0]
            most = min(stage, self.limits.states)
            found = self.search.run(judge, most, deepest)
            if not found.full or most >= self.limits.states:
                return found
            last = len(self._stages) == 2  # behind it comes the limit
            self._stages.pop(0)
            # The first states are all shallow: the last choice is by what random walks come to.
            rows = some_runs(self.search, ROWS) if last else self.search.sample(ROWS)
            parting = part(rows)
            if most_halves(parting, rows) < most_halves(self.search.parting, rows):
                self.search = self._parted(parting)

    def _other(self, first: Search | Compiled) -> Tree:
        """Give a search in another order, in parts that some of the first states tell."""
        first.run(UNJUDGED, STAGES[0])
        halves = Halves(self.cells, part(first.sample(ROWS)))
        begin = self.cells.row(self.system.initial)
        if self.method.order is Order.DEPTH:
            return DepthFirst(halves, begin)
        return Walks(halves, begin, self.method.walks, self.method.seed)

    def _planned(self) -> Plan:
        method = self.method
        other = (
            ("--order", None if method.order is Order.BREADTH else method.order),
            ("--checkpoint", method.checkpoint),
            ("--depth", self.limits.depth),
        )
        return plan(self.model, method.reduce, method.compact, method.seed, method.backend, other)

    def _begin(self) -> Rows | Search | Compiled:
        if self.plan:
            return self.plan.search(self.model, self.cells, self.properties)
        return self._parted(part([self.cells.row(self.system.initial)]))

    def _parted(self, parting: Parting) -> Search | Compiled:
        first = self.cells.row(self.system.initial)
        return search(self.cells, parting, first, self.method.backend, self.method.threads)

    @staticmethod
    def _verdict(found: Outcome, reached: dict[str, bool]) -> tuple[Verdict, str]:
        missing = [name for name, shown in reached.items() if not shown]
        if found.violation is not None:
            return Verdict.VIOLATED, str(found.violation)
        if found.stopped:
            return Verdict.INCONCLUSIVE, found.stopped
        if missing:
            return Verdict.INCONCLUSIVE, f"never reached: {', '.join(missing)}"
        return Verdict.HOLDS, ""

    def _witnessed(self) -> dict[str, bool]:
        """Tell which witnesses were reached, each a test of one component's state."""
        states = {
            (cell.at, cell.state)
            for cell in map(self.cells.cells.values.__getitem__, self.search.cells())
        }
        values = [self.cells.states[at].values[state] for at, state in sorted(states)]
        return {
            name: any(self._shows(name, state) for state in values) for name in self.model.witnesses
        }

    def _shows(self, name: str, state: object) -> bool:
        if name in SITUATIONS:
            return SITUATIONS[name](state)
        return WITNESSES[name](self.system.seen(state))

    def path(self, number: int) -> list[Action]:
        """Give a shortest way to a state, by its number in order of discovery."""
        return [self.cells.actions.values[code] for code in self.search.path(number)]
