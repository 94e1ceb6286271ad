"""Searches: one model searched in this process, by an engine that searches the core itself.

    python -m benchmarks.checker.searches ENGINE MODEL THREADS

prints one line of JSON. It is a process of its own so that its memory can be told.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chc_ref import __version__
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.halves import ENDLESS
from chc_ref.check.model import Model, load
from chc_ref.system.composition import State, System
from chc_ref.verdict import Verdict

Found = dict[str, Any]


def explore(model: Model, backend: str, threads: int) -> Found:
    """Search with our own explorer, and check every requirement on the way."""
    limits = Limits(states=ENDLESS, seconds=float(ENDLESS))
    explorer = Explorer(model, limits=limits, method=Method(backend, threads))
    report = explorer.run()
    if report.verdict is not Verdict.HOLDS:
        raise SystemExit(f"{model.name}: {report.verdict}: {report.violated}")
    found = {"states": report.states, "transitions": report.transitions, "depth": report.depth}
    octets = getattr(explorer.search, "memory", None)
    if octets is not None:
        of_states, rest = octets()
        found |= {"octets_of_states": of_states, "octets_of_tables": rest}
    return {**found, "version": __version__, "local_steps": report.local_steps}


class Counted:
    """Transitions of the core, for a checker that takes any Python function."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.transitions = 0

    def after(self, state: State) -> Iterator[tuple[str, Callable[[], State]]]:
        """Give the name of every action, and how to get the state after it."""
        for action in self.system.actions(state):
            self.transitions += 1
            yield type(action).__name__, functools.partial(self.system.step, state, action)


def minicheck(model: Model) -> Found:
    """Let minicheck search: a state of the core is the one field of its state."""
    from minicheck import Protocol, check_safety

    counted = Counted(model.system())
    protocol = Protocol(
        name=model.name,
        candidate=False,
        fields=("state",),
        initial=(counted.system.initial,),
        transitions=lambda fields: [(name, (do(),)) for name, do in counted.after(fields[0])],
        invariants={},
    )
    found = check_safety(protocol, max_states=ENDLESS)
    if not found["exhaustive"]:
        raise SystemExit(f"{model.name}: {found['incomplete_reason']}")
    return {"states": found["reachable_states"], "transitions": counted.transitions}


def musil(model: Model) -> Found:
    """Let musil search: what may happen in a state is its actions there."""
    from musil import Action, Model as Musil, check

    counted = Counted(model.system())

    def actions(state: State) -> list[Any]:
        every = counted.after(state)
        return [Action(name, lambda _: True, lambda _, do=do: do()) for name, do in every]

    system = Musil(init=(counted.system.initial,), actions_fn=actions, terminal=lambda _: True)
    found = check(system, max_states=ENDLESS)
    if not found.ok or found.truncated:
        raise SystemExit(f"{model.name}: {found}")
    return {"states": found.states_explored, "transitions": counted.transitions}


def main(engine: str, path: str, threads: str) -> None:
    """Search, and print what was found, what it took, and what the process had before."""
    model = load(Path(path))
    before = resource.getrusage(resource.RUSAGE_SELF)
    began, used = time.monotonic(), time.process_time()
    if engine in ("minicheck", "musil"):
        found = {"minicheck": minicheck, "musil": musil}[engine](model)
        found["version"] = importlib.metadata.version(engine)
    else:
        found = explore(model, engine, int(threads))
    found["seconds"] = time.monotonic() - began
    found["cpu_seconds"] = time.process_time() - used
    found["start_kib"] = before.ru_maxrss
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
