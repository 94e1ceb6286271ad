"""Graphs: what is searched, and by whom.

Each is a model of the core. What other checkers search is made from the same file
(``instances``), or is the core itself (``searches``), so a graph has no second description.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs

from chc_ref.errors import UsageError

HERE = Path(__file__).parent
MODELS = HERE.parent.parent / "models"
OWN = HERE / "models"

Size = Literal["quick", "usual", "large", "huge"]

PYTHON_CHECKERS = ("minicheck", "musil")
COMPARED = ("kernel", "python", "tlc", "spin")


@attrs.frozen
class Graph:
    """One graph."""

    model: Path
    size: Size
    engines: tuple[str, ...]
    """Who searches it, in this order; what is too large for an engine is not asked of it."""

    @property
    def name(self) -> str:
        """The name of its model."""
        return self.model.stem


GRAPHS = (
    Graph(MODELS / "move_back.toml", "quick", (*COMPARED, *PYTHON_CHECKERS)),
    Graph(MODELS / "move_back_two_flows.toml", "usual", COMPARED),
    Graph(OWN / "four_packets.toml", "usual", COMPARED),
    Graph(OWN / "five_packets_flushed.toml", "large", COMPARED),
    Graph(OWN / "five_packets.toml", "large", ("kernel", "python", "tlc")),
    Graph(OWN / "six_packets.toml", "huge", ("kernel",)),
    Graph(OWN / "seven_packets.toml", "huge", ("kernel",)),
)


def choose(names: list[str], sizes: tuple[Size, ...]) -> tuple[Graph, ...]:
    """Give the graphs of these names, in their order; those of these sizes if none is named.

    Raises:
        UsageError: there is no such graph.

    """
    known = {graph.name: graph for graph in GRAPHS}
    if strange := [name for name in names if name not in known]:
        raise UsageError(f"no graph is called {strange[0]!r}; known: {', '.join(known)}")
    if names:
        return tuple(known[name] for name in names)
    return tuple(graph for graph in GRAPHS if graph.size in sizes)
