"""What tests of the specifications share: the core's graph, TLC's, and the two side by side."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path
from typing import Any, Protocol

from chc_ref.check import model as models
from chc_ref.tlc import run, same
from chc_ref.tlc.mapping import Explored, Graph, Mapping, Steps
from chc_ref.tlc.run import Settings
from chc_ref.tlc.same import Comparison
from chc_ref.tlc.values import freeze, show
from chc_ref.variants import library

HERE = Path(__file__).parent.parent

DOMAINS = {"i": "Instances", "f": "Flows", "c": "Channels", "e": "Endpoints", "u": "Users"}
"""What the parameters of actions range over, if the module does not say it right before one."""

Table = dict[str, Any]
"""A model, as its file has it."""


def row(
    nfs: str,
    packets: str,
    *fragile: str,
    crashes: int = 1,
    moves: tuple[str, ...] = (),
    instances: int | tuple[int, ...] = 2,
    **how: Any,
) -> Table:
    """Give the system of vertices in a row.

    Args:
        nfs: what each vertex does.
        packets: a letter is a packet, of that flow.
        fragile: who may fail.
        crashes: how often, in all.
        moves: where flow A is moved to, one after the other.
        instances: of each vertex.
        how: what else a vertex is.

    """
    names = ["first", "second", "third"][: len(nfs.split())]
    many = (instances,) * len(names) if isinstance(instances, int) else instances
    vertices = [
        {"name": name, "nf": nf, "instances": count, **how}
        for name, nf, count in zip(names, nfs.split(), many, strict=True)
    ]
    return {
        "vertices": vertices,
        "edges": [list(edge) for edge in itertools.pairwise(names)],
        "packets": list(packets),
        "moves": [{"flow": "A", "to": to} for to in moves],
        "fragile": list(fragile),
        "most_crashes": crashes if fragile else 0,
    }


class Specified(Protocol):
    """A system as one of the specifications has it: a mapping of ``check/mapping``."""

    @property
    def constants(self) -> dict[Any, Any]:
        """Give the bounds."""

    def state(self, state: Any) -> dict[Any, Any]:
        """Give the value of every variable."""

    def action(self, state: Any, action: Any) -> str:
        """Give the name of a step."""


class Reached:
    """The graph of all states that the steps of a system lead to."""

    initial = (0,)

    def __init__(self, system: Steps) -> None:
        self.states: list[Any] = [system.initial]
        self.outgoing: list[list[tuple[Any, int]]] = []
        numbers = {system.initial: 0}
        for state in self.states:
            found = []
            for action in system.actions(state):
                after = system.step(state, action)
                if after not in numbers:
                    numbers[after] = len(self.states)
                    self.states.append(after)
                found.append((action, numbers[after]))
            self.outgoing.append(found)

    def __len__(self) -> int:
        return len(self.states)

    def state(self, number: int) -> Any:
        """Give a state."""
        return self.states[number]

    def steps(self, number: int) -> list[tuple[Any, int]]:
        """Give (action, number of the state after it) of all that may happen in a state."""
        return self.outgoing[number]

    def say(self, number: int, action: Any) -> str:
        """Put one of these actions into words."""
        return str(action)


def explored(of: Table, rules: str = "amended") -> Explored:
    """Give the graph of the core under the rules of a shipped variant."""
    return Explored(models.of_table(HERE, of), library.find(rules, HERE).rules)


def within(
    to: Specified, folder: Path, *overrides: str, extends: str = "", behaviour: str = "Spec"
) -> tuple[Path, Path]:
    """Write a module and its configuration for the bounds of a system.

    Args:
        to: the system, as the specification has it.
        folder: where to write bounds and configuration.
        overrides: other rules of the specification, as ``Rule <- Other``.
        extends: the module to extend; by default the specification, by the mapping's name.
        behaviour: what a run is.

    """
    constants = to.constants.items()
    given = "".join(f"The{name} == {show(freeze(value))}\n" for name, value in constants)
    module, cfg = folder / "Bounded.tla", folder / "Bounded.cfg"
    extended = extends or type(to).__name__
    for of in (HERE / "models").glob(f"{extended}.tla"):
        shutil.copy(of, folder)
    module.write_text(f"---- MODULE Bounded ----\nEXTENDS {extended}, TLC\n{given}====\n")
    given = "\n    ".join((*(f"{name} <- The{name}" for name, _ in constants), *overrides))
    cfg.write_text(f"SPECIFICATION {behaviour}\nCONSTANTS\n    {given}\n")
    return module, cfg


def stated(to: Specified, names: set[str]) -> dict[str, str]:
    """Give what each action is in the specification, for whatever it is the action of."""
    text = (HERE / "specs" / f"{type(to).__name__}.tla").read_text()
    found = {}
    for name in names:
        head = re.search(rf"^{name}(?:\(([^)]*)\))? ==", text, re.M)
        assert head is not None, name
        given = [one.strip() for one in (head[1] or "").split(",") if one.strip()]
        every = "".join(f"\\E {one} \\in {_domain(text, name, one)} : " for one in given)
        found[name] = f"{every}{name}({', '.join(given)})" if given else name
    return found


def _domain(text: str, action: str, one: str) -> str:
    said = re.search(rf"\\E {one} \\in ([^:]+) : {action}\(", text)
    return said[1] if said else DOMAINS[one]


def dumped(to: Specified, folder: Path, *overrides: str, short: bool = True, **how: str) -> Any:
    """Give TLC's graph within the bounds of a system; see ``within`` and ``Settings``."""
    files = within(to, folder, *overrides, **how)
    return run.graph(*files, HERE / "specs", Settings(limit_s=900, short=short))


def beside(core: Graph, tlc: Any, to: Specified) -> Comparison:
    """Compare the two."""
    return same.compare(core, tlc, Mapping(to.state, to.action))


def agree(core: Graph, tlc: Any, to: Specified, states: int | None = None) -> None:
    """Hold the core to the specification: every step of either is one of the other.

    Args:
        core: the one graph.
        tlc: the other one.
        to: the mapping.
        states: how many there are, if that is known.

    """
    found = beside(core, tlc, to)
    assert found.equal, "\n".join(found.lines())
    assert found.states[0] == found.states[1] == (states or found.states[0])
    assert all(one == other > 0 for one, other in found.steps.values())
