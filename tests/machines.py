"""What the state machines of the tests have in common: how they are driven, and made to fail.

hypothesis switches a random part of the rules off in each run (swarm testing), so a kind of
event is a rule of its own wherever that matters: what is rare among all is common among few.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


class Machine(RuleBasedStateMachine):
    """One component, driven by hypothesis and held against what is required of it alone."""

    wanted: ClassVar[frozenset[str]] = frozenset()
    """What must have happened in some run: what never happened was not tested."""
    fired: ClassVar[Counter[str]]

    def note(self, what: str, happened: bool = True) -> None:
        """Count what has happened."""
        self.fired[what] += happened


def drive(
    machine: type[Machine], request: pytest.FixtureRequest, examples: int = 25, steps: int = 30
) -> None:
    """Run a machine; nothing may go wrong, and everything that it wants must have happened.

    With ``--model-check`` twenty times as often. ``pytest -s`` prints how often what happened.
    """
    factor = 20 if request.config.getoption("--model-check") else 1
    fired: Counter[str] = Counter()
    counted = type(machine.__name__, (machine,), {"fired": fired})
    most = settings(SETTINGS, max_examples=factor * examples, stateful_step_count=steps)
    run_state_machine_as_test(counted, settings=most)
    for name, count in sorted(fired.items()):
        print(f"{count:8} {name}")
    missing = machine.wanted - {name for name, count in fired.items() if count}
    assert not missing, f"never happened: {sorted(missing)}"


def catches(
    machine: type[Machine],
    examples: int = 300,
    steps: int = 30,
    match: str | None = None,
    **fault: Any,
) -> None:
    """Run a machine with a seeded fault: it must find it."""
    broken = type(machine.__name__, (machine,), {"fired": Counter(), **fault})
    fast = settings(
        SETTINGS, max_examples=examples, stateful_step_count=steps, phases=[Phase.generate]
    )
    with pytest.raises(AssertionError, match=match):
        run_state_machine_as_test(broken, settings=fast)
