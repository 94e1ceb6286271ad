"""What the state machines of the tests have in common: their events, and how they are driven.

An event is a method of a machine, with what each of its arguments may be. hypothesis makes a
rule of it. But its runs are short, and deep states need long ones; so each event may be followed
by a burst of others, as a seed has it. In each burst, as in each run of hypothesis, a random
part of the events is switched off: what is rare among all is common among few (swarm testing).
A failure tells all that has happened.
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

M = TypeVar("M", bound=Callable[..., None])


@attrs.frozen
class Event:
    """What a machine may do next."""

    method: Callable[..., None]
    weight: int
    """How often it happens in a burst, beside the others."""
    choices: dict[str, tuple[Any, ...]]
    """Values of each argument."""


EVENTS: dict[str, Event] = {}
"""By the qualified name of the method; hypothesis keeps its rules in the class the same way."""


def event(weight: int = 4, **choices: Iterable[Any]) -> Callable[[M], M]:
    """Make an event of a method: each argument is one of the values given for it."""
    values = {name: tuple(of) for name, of in choices.items()}

    def decorate(method: M) -> M:
        one = EVENTS[f"{method.__module__}.{method.__qualname__}"] = Event(method, weight, values)

        @functools.wraps(method)
        def happen(machine: Machine, *, seed: int = 0, **arguments: Any) -> None:
            machine.happen(one, arguments)
            machine.burst(seed)

        drawn: dict[str, Any] = {name: st.sampled_from(of) for name, of in values.items()}
        drawn["seed"] = st.integers(0, 2**16)
        make: Any = rule
        ruled: M = make(**drawn)(happen)
        return ruled

    return decorate


class Machine(RuleBasedStateMachine):
    """One component, driven by hypothesis and held against what is required of it alone."""

    wanted: ClassVar[frozenset[str]] = frozenset()
    """What must have happened in some run: what never happened was not tested."""
    rare: ClassVar[frozenset[str]] = frozenset()
    """What must have happened in some run with ``--model-check``."""
    fired: ClassVar[Counter[str]]
    failed = True
    """Before the first event, and when one has gone wrong: then there is nothing to finish."""
    story: tuple[str, ...] = ()
    """All that has happened in this run."""

    def finish(self) -> None:
        """Let everything come to rest, and look at it."""

    def teardown(self) -> None:
        """Finish, if all is well so far."""
        try:
            if not self.failed:
                self.finish()
        except Exception as error:
            error.add_note("\n".join((*self.story, "and to the end")))
            raise

    def burst(self, seed: int) -> None:
        """Let much happen, as the seed has it; nothing for seed 0."""
        if not seed:
            return
        chance = random.Random(seed)
        events = _events_of(type(self))
        events = tuple(one for one in events if chance.random() < 0.9) or events
        weights = [one.weight for one in events]
        for _ in range(chance.randrange(120)):
            (one,) = chance.choices(events, weights)
            self.happen(one, {name: chance.choice(of) for name, of in one.choices.items()})

    def happen(self, one: Event, arguments: dict[str, Any]) -> None:
        """Let one event happen; if it is wrong, the exception tells the whole story."""
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        self.story = (*self.story, f"{one.method.__name__}({given})")
        self.failed = True
        try:
            one.method(self, **arguments)
        except Exception as error:
            error.add_note("\n".join(self.story))
            raise
        self.failed = False

    def note(self, what: str, happened: bool = True) -> None:
        """Count what has happened."""
        self.fired[what] += happened


@functools.cache
def _events_of(machine: type[Machine]) -> tuple[Event, ...]:
    """Give the events of a machine and of what it is derived from."""
    names = tuple(f"{kind.__module__}.{kind.__qualname__}." for kind in machine.__mro__)
    return tuple(one for at, one in EVENTS.items() if at.startswith(names))


def drive(
    machine: type[Machine], request: pytest.FixtureRequest, examples: int = 20, steps: int = 8
) -> None:
    """Run a machine; nothing may go wrong, and everything that it wants must have happened.

    With ``--model-check`` four times as often. ``pytest -s`` prints how often what happened.
    """
    thorough = request.config.getoption("--model-check")
    factor, wanted = (4, machine.wanted | machine.rare) if thorough else (1, machine.wanted)
    fired: Counter[str] = Counter()
    counted = type(machine.__name__, (machine,), {"fired": fired})
    for longer in (1, 3, 10):  # a longer run only if those before it missed something
        most = settings(SETTINGS, max_examples=factor * examples * longer)
        run_state_machine_as_test(counted, settings=settings(most, stateful_step_count=steps))
        if wanted <= {name for name, count in fired.items() if count}:
            break
    for name, count in sorted(fired.items()):
        print(f"{count:8} {name}")
    missing = wanted - {name for name, count in fired.items() if count}
    assert not missing, f"never happened: {sorted(missing)}"


def catches(machine: type[Machine], match: str | None = None, **fault: Any) -> None:
    """Run a machine with a seeded fault: it must find it."""
    broken = type(machine.__name__, (machine,), {"fired": Counter(), **fault})
    fast = settings(SETTINGS, max_examples=300, stateful_step_count=8, phases=[Phase.generate])
    with pytest.raises(AssertionError, match=match):
        run_state_machine_as_test(broken, settings=fast)
