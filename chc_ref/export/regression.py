"""Regression: a counterexample as a test in somebody else's project.

``chc check --save FOLDER --formats pytest`` writes a schedule and beside it a small test, which
calls ``rerun``. As written the test says that the run violates what it was found to violate: it
passes, and keeps the counterexample alive while core and models change. Once the rule is mended it
fails, and says so; then ``VIOLATES`` is made empty, and from there on the test says that the run,
as far as it is still possible, and every step after it until all is at rest, violates nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from chc_ref.check import schedule
from chc_ref.check.counterexample import Counterexample, lines, of_schedule
from chc_ref.check.schedule import Run, Schedule
from chc_ref.check.words import step_name
from chc_ref.errors import UsageError
from chc_ref.files import read_toml
from chc_ref.places import folder
from chc_ref.system.composition import Action, Happen, Lose
from chc_ref.system.network import Double, Drop
from chc_ref.system.world import Crash

MOST_STEPS = 10_000
"""After so many steps a mended run must have come to rest."""


class RegressionError(AssertionError):
    """A run did not do what its test says; the text tells what, and the run."""


def rerun(path: Path, violates: str) -> None:
    """Run a counterexample again through ``step``, as a test.

    Args:
        path: the schedule.
        violates: name of the requirement that it violates; empty once its rule is mended, and
            then it must violate nothing. Steps that are not possible any more are passed over,
            and behind the last one everything is carried on until it is at rest.

    Raises:
        RegressionError: it violates something else, or nothing, or something after all.
        UsageError: the schedule cannot be read.

    """
    __tracebackhide__ = True
    saved = load(path)
    if not violates:
        _check_mended(saved)
        return
    try:
        found = of_schedule(saved)
    except UsageError as error:
        raise RegressionError(f"the run is not possible any more: {error}{_mend(path)}") from None
    if found.requirement == violates:
        return
    told = f"{found.headline}, and not {violates}"
    if not found.violated:
        told += _mend(path)
    raise RegressionError("\n".join((told, *lines(found, changes=False))))


def _mend(path: Path) -> str:
    return f"; if its rule is mended, write VIOLATES = '' ({path.name})"


def load(path: Path) -> Schedule:
    """Read a schedule; what it names by file is looked for beside it and in the folders above.

    So a test may be moved about in its project, and pytest be run from anywhere.

    Raises:
        UsageError: it cannot be read, or is malformed, or what it names is nowhere.

    """
    data, models = read_toml(path), folder("models")
    faults = []
    for above in path.resolve().parents:
        try:
            return schedule.of_data(above / path.name, data, models)
        except UsageError as error:
            faults.append(error)
    raise faults[0] from None


def _check_mended(saved: Schedule) -> None:
    """Follow a run as far as it goes, and on until all is at rest: it must violate nothing."""
    __tracebackhide__ = True
    run = Run(saved.model.system(), saved.model.requirements)
    taken: list[str] = []
    violated = run.judged()
    for number, step in enumerate(saved.steps, start=1):
        if violated:
            break
        try:
            action = run.find(" ".join(step.split()), saved.steps[number:])
        except UsageError:  # under other rules not everything happens that once did
            continue
        taken.append(step_name(action))
        violated = run.take(action) or run.judged()
    while not violated and not run.system.is_quiet(run.state):
        onward = _onward(run)
        if onward is None or len(taken) > MOST_STEPS:
            raise RegressionError(f"{saved.path.name} does not come to rest in {len(taken)} steps")
        taken.append(step_name(onward))
        violated = run.take(onward) or run.judged()
    if violated:
        listed = "\n".join(f"{number:3} {step}" for number, step in enumerate(taken, start=1))
        told = f"{saved.path.name}, {saved.model.rules.name}: {violated}"
        raise RegressionError(f"{told}\n{listed}")


def _onward(run: Run) -> Action | None:
    """Give the first step that does no harm: no failure, and nothing lost or doubled."""
    for action in run.system.actions(run.state):
        harm = isinstance(action, Lose | Double | Drop)
        if not harm and not (isinstance(action, Happen) and isinstance(action.event, Crash)):
            return action
    return None


# --------------------------------------------------------------------------- writing


def test_text(found: Counterexample, name: str) -> str:
    """Give the text of the test beside the schedule ``NAME.toml``."""
    steps = len(found.actions)
    named = f'RUN = Path(__file__).with_name("{name}.toml")'
    if len(named) > WIDTH:
        named = f'RUN = Path(__file__).with_name(\n    "{name}.toml"\n)'
    meaning = found.meaning or "an exception in its last step"
    return _TEST.format(
        about=_plain(f"{found.model.name} under {found.rules.name}"),
        steps=f"{steps} step{'s' * (steps != 1)}",
        file=f"{name}.toml",
        run=named,
        violates=found.requirement,
        function=identifier(name),
        meaning=_plain(meaning.partition(": ")[0]),
    )


def identifier(name: str) -> str:
    """Give a name that may stand in that of a function or a module."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()


def _plain(text: str) -> str:
    """Give a text that may stand in a docstring and on one line."""
    text = re.sub(r'[\\"\s\x00-\x1f\x7f]+', " ", text)
    return text if len(text) <= 56 else text[:53] + "..."


WIDTH = 88
"""Letters of a line that all formatters leave alone."""

_TEST = '''"""{about}: a counterexample of {steps}.

Written by chc_ref. The run is in the file beside this one:
`chc replay {file}` shows it.
"""

from __future__ import annotations

from pathlib import Path

from chc_ref.export.regression import rerun

{run}
VIOLATES = "{violates}"  # once the rule is mended: ""


def test_{function}() -> None:
    """{violates}: {meaning}."""
    rerun(RUN, VIOLATES)
'''
