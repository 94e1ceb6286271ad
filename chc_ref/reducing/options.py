"""Options of ``chc check`` that make a search see fewer states."""

from __future__ import annotations

from typing import Annotated

import typer

from chc_ref.errors import UsageError
from chc_ref.verdict import Reduction

ReduceOption = Annotated[
    str,
    typer.Option(
        help="Search fewer states, with the same verdict: por (partial order), symmetry, or "
        "por,symmetry. In plain Python; a counterexample need not be the shortest."
    ),
]
CompactOption = Annotated[
    int | None,
    typer.Option(
        help="Remember states by hashes of so many bits, drawn from --seed: takes less memory, "
        "and may miss states. The report bounds the probability."
    ),
]


def reductions(text: str) -> frozenset[Reduction]:
    """Read the value of ``--reduce``.

    Raises:
        UsageError: it names something else.

    """
    found = set()
    for name in filter(None, text.split(",")):
        try:
            found.add(Reduction(name.strip()))
        except ValueError:
            known = ", ".join(one.value for one in Reduction)
            raise UsageError(f"--reduce {name!r} is unknown; known: {known}") from None
    return frozenset(found)
