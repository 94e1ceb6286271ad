"""Reduced: which search sees fewer states, what it rests on, and what it does if that gives way."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from chc_ref.check.cells import Cells
from chc_ref.check.hashed import Hashed, miss
from chc_ref.check.kernel import AUTOMATIC
from chc_ref.check.model import Model
from chc_ref.check.persistent import CyclicError, Persistent
from chc_ref.check.properties import Properties
from chc_ref.check.renaming import Words, candidates
from chc_ref.check.rows import Rows
from chc_ref.check.symmetry import AsymmetryError, Symmetry
from chc_ref.errors import UsageError
from chc_ref.verdict import Reduction

MOST_BITS = 62
"""Of a hash: what a slot of a table holds."""

GivesWay = AsymmetryError, CyclicError
"""What a reduction may find out about a system: that it does not apply."""


@attrs.define
class Plan:
    """What a search leaves out, as far as the system allows."""

    wanted: frozenset[Reduction] = frozenset()
    bits: int | None = None
    """Of hashes; None to compare states whole."""
    seed: int = 0
    cyclic: bool = False
    """Whether runs need not end; then nothing is left out."""
    refuted: set[Words] = attrs.field(factory=set)
    """Exchanges of names that make a difference."""

    def __bool__(self) -> bool:
        return bool(self.applied) or self.bits is not None

    @property
    def applied(self) -> frozenset[Reduction]:
        """The reductions that the system allows, as far as it is known."""
        return frozenset() if self.cyclic else self.wanted

    def search(self, model: Model, cells: Cells, properties: Properties) -> Rows:
        """Give a search."""
        first = cells.row(cells.system.initial)
        exchanges: Iterable[Words] = ()
        if Reduction.SYMMETRY in self.applied:
            exchanges = (w for w in candidates(model.chain, model.world) if w not in self.refuted)
        symmetry = Symmetry(cells, exchanges, first)
        if self.bits is not None:
            return Hashed(cells, properties, symmetry, first, self.bits, self.seed)
        kind = Persistent if Reduction.PERSISTENT in self.applied else Rows
        return kind(cells, properties, symmetry, first)

    def give_way(self, found: AsymmetryError | CyclicError) -> None:
        """Leave out less."""
        if isinstance(found, AsymmetryError):
            self.refuted.add(found.words)
        else:
            self.cyclic = True

    def said(self, search: object) -> str:
        """Say what was left out, or could not be."""
        told = []
        if self.wanted and self.cyclic:
            told.append("not reduced: runs need not end")
        if Reduction.PERSISTENT in self.applied:
            told.append("reduced: partial order")
        if Reduction.SYMMETRY in self.applied and isinstance(search, Rows):
            number = len(search.symmetry.renamings) + 1
            told.append(f"reduced: {number} renamings" if number > 1 else "no symmetry")
        if (missed := self.miss(search)) is not None:
            told.append(
                f"hashes of {self.bits} bits: missed a state with probability <= {missed:.1g}"
            )
        return "; ".join(told)

    def miss(self, search: object) -> float | None:
        """Give a bound of the probability that states were missed."""
        if self.bits is None or not isinstance(search, Rows):
            return None
        return miss(len(search), self.bits)


def plan(
    model: Model,
    wanted: frozenset[Reduction],
    bits: int | None,
    seed: int,
    backend: str,
    other: Iterable[tuple[str, object]],
) -> Plan:
    """Give the plan that a method asks for.

    Args:
        model: what is searched.
        wanted: reductions.
        bits: of hashes.
        seed: of hashes.
        backend: that was asked for.
        other: (option, value) of what such a search cannot do.

    Raises:
        UsageError: these do not go together; the text names the option to leave out.

    """
    if not wanted and bits is None:
        return Plan()
    what = "--reduce" if wanted else "--compact"
    if backend not in (AUTOMATIC, Rows.name):
        fault = f"{what} searches in plain Python: leave --backend {backend} out"
        raise UsageError(fault)
    for option, value in other:
        if value is not None:
            raise UsageError(f"{what} searches all, in an order of its own: leave {option} out")
    if bits is not None and not 1 <= bits <= MOST_BITS:
        raise UsageError(f"--compact {bits}: a hash has 1 to {MOST_BITS} bits")
    if bits is not None and Reduction.PERSISTENT in wanted:
        raise UsageError(
            "--compact forgets states, and --reduce por goes back to them: leave one out"
        )
    return Plan(wanted, bits, seed, cyclic=model.network.transport)
