"""Dump: the state graph that TLC writes, as a graph of networkx.

TLC writes it in the language of Graphviz (``-dump dot,actionlabels``): a line for each distinct
state, with the text of the state, and a line for each step that was generated, with the name of
its action. A name is that of the operator which TLC has split the next-state relation down to;
what its parameters are is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import networkx as nx

from chc_ref.errors import ToolError, UsageError
from chc_ref.itf import Record
from chc_ref.tlc.trace import State
from chc_ref.tlc.values import parse

Row = tuple[Any, ...]
"""A state: the values of its variables, in the order of their names."""

_NODE = re.compile(r'(-?\d+) \[label="([^"\\]*(?:\\.[^"\\]*)*)"(.*)')
_EDGE = re.compile(r"(-?\d+) -> (-?\d+)(.*)")
_LABEL = re.compile(r'label="([^"(\\]*)')
_AND = r"\n/\\ "
"""Between two variables, as it stands in the file."""


def read(lines: Iterable[str]) -> Any:
    """Read a dump, line by line.

    Returns:
        A ``networkx.MultiDiGraph``. Its nodes are numbers, in the order of the file; the attribute
        ``row`` of a node has the values of its state. An edge has the name of its action for its
        key, so equal ones are one. ``graph["variables"]`` has the names of the variables, sorted,
        and ``graph["initial"]`` the set of the initial states. Steps that only stutter, which TLC
        adds when it checks liveness, are left out.

    Raises:
        ToolError: the file is no dump with the names of actions, or breaks off.

    """
    graph = nx.MultiDiGraph(variables=(), initial=set())
    numbers: dict[str, int] = {}
    rows = _Rows()
    last = ""
    for line in lines:
        last = line if line.strip() else last
        if node := _NODE.match(line):
            number = numbers.setdefault(node[1], len(numbers))
            graph.add_node(number, row=rows.read(node[2]))
            if "filled" in node[3]:
                graph.graph["initial"].add(number)
        elif edge := _EDGE.match(line):
            ends = [numbers.setdefault(name, len(numbers)) for name in edge.group(1, 2)]
            label = _LABEL.search(edge[3])
            if label is not None:
                graph.add_edge(*ends, key=rows.same(label[1]))
            elif "dashed" not in edge[3]:
                raise ToolError(f"TLC's dump has a step without a name: {line.strip()}")
    if last.strip() != "}" or not numbers:
        raise ToolError("TLC's dump breaks off: it has not seen all states")
    graph.graph["variables"] = rows.variables
    _check(graph)
    return graph


def _check(graph: Any) -> None:
    """Refuse a graph with a state that was not written, or with two that are one."""
    found = [row for _, row in graph.nodes(data="row")]
    if None in found:
        raise ToolError("TLC's dump has a step to a state that is not in it")
    if len(set(found)) < len(found):
        raise ToolError("TLC's dump has two states that read as the same values")


def state(graph: Any, number: int) -> State:
    """Give the state of a node: the values of its variables by name."""
    return Record(zip(graph.graph["variables"], graph.nodes[number]["row"], strict=True))


def by_action(graph: Any) -> dict[str, int]:
    """Count the steps of a graph by the names of their actions."""
    counts: dict[str, int] = {}
    for _, _, name in graph.edges(keys=True):
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


class _Rows:
    """Reads states; a text that came before is not read again, for most come often."""

    def __init__(self) -> None:
        self.variables: tuple[str, ...] = ()
        self._values: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def same(self, name: str) -> str:
        """Give one and the same string for equal names."""
        return self._names.setdefault(name, name)

    def read(self, text: str) -> Row:
        """Read a state as it stands in the file: quotes and line ends are escaped."""
        parts = text.removeprefix(r"/\\ ").split(_AND)
        pairs = sorted(part.split(" = ", 1) for part in parts)
        names = tuple(pair[0] for pair in pairs)
        if not self.variables:
            self.variables = names
        if names != self.variables:
            raise ToolError(f"TLC's dump has a state that cannot be read: {text[:80]}")
        return tuple(self._value(pair[1]) for pair in pairs)

    def _value(self, text: str) -> Any:
        try:
            return self._values[text]
        except KeyError:
            pass
        plain = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)
        try:
            value = self._values[text] = parse(plain)
        except UsageError as error:
            raise ToolError(f"TLC's dump: {error}") from None
        return value
