"""What tests of the specifications share: the core's graph, TLC's, and the two side by side."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from chc_ref.check import model as models
from chc_ref.system.composition import Action, State
from chc_ref.tlc import run, same
from chc_ref.tlc.mapping import Explored, Mapping
from chc_ref.tlc.run import Settings
from chc_ref.tlc.same import Comparison
from chc_ref.tlc.values import freeze, show
from chc_ref.variants import library

HERE = Path(__file__).parent.parent

Table = dict[str, Any]
"""A model, as its file has it."""


class Specified(Protocol):
    """A system as one of the specifications has it: a mapping of ``check/mapping``."""

    @property
    def constants(self) -> dict[Any, Any]:
        """Give the bounds."""

    def state(self, state: State) -> dict[Any, Any]:
        """Give the value of every variable."""

    def action(self, state: State, action: Action) -> str:
        """Give the name of a step."""


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


def dumped(to: Specified, folder: Path, *overrides: str, short: bool = True, **how: str) -> Any:
    """Give TLC's graph within the bounds of a system; see ``within`` and ``Settings``."""
    files = within(to, folder, *overrides, **how)
    return run.graph(*files, HERE / "specs", Settings(limit_s=900, short=short))


def beside(core: Explored, tlc: Any, to: Specified) -> Comparison:
    """Compare the two."""
    return same.compare(core, tlc, Mapping(to.state, to.action))


def agree(core: Explored, tlc: Any, to: Specified, states: int | None = None) -> None:
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
