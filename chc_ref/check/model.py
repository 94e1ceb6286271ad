"""Models: bounded instances of the core, kept as TOML files in ``models/``.

A model file says what is in it, what its bounds leave out, what must be reached, and what
verdict is expected. docs/models.md describes every key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import Arrive, MoveRequested
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import vertex_of
from chc_ref.errors import UsageError
from chc_ref.files import read_toml
from chc_ref.nfs.tiny import TINY
from chc_ref.system.composition import System
from chc_ref.system.world import World
from chc_ref.variants.shipped import SHIPPED
from chc_ref.verdict import Verdict

KEYS: dict[str, tuple[type, bool]] = {
    "chc_model": (int, True),
    "about": (str, True),
    "leaves_out": (str, True),
    "clauses": (list, True),
    "expect": (str, True),
    "violates": (str, False),
    "rules": (str, False),
    "vertices": (list, True),
    "edges": (list, False),
    "packets": (list, True),
    "moves": (list, False),
    "fragile": (list, False),
    "most_crashes": (int, False),
    "persist_every": (int, False),
    "witnesses": (list, True),
    "slow": (bool, False),
}
"""Key of a model file: its type, and whether it must be there."""


@attrs.frozen
class Model:
    """One bounded instance."""

    name: str
    about: str
    leaves_out: str
    clauses: tuple[str, ...]
    expect: Verdict
    violates: str
    """Name of the property that is expected to be violated, when one is."""
    rules: Rules
    chain: Chain
    world: World
    witnesses: tuple[str, ...]
    """Names of the situations that must be reached, or the check says nothing."""
    slow: bool = False
    """Run only when asked for."""

    def system(self, rules: Rules | None = None) -> System:
        """Give the transition system, under other rules if any are named."""
        return System(compile_chain(self.chain, rules or self.rules), self.world)

    @property
    def bounds(self) -> str:
        """The bounds in one line."""
        instances = sum(vertex.instances for vertex in self.chain.vertices)
        flows = len({arrival.flow for arrival in self.world.arrivals})
        parts = (
            (instances, "instance"),
            (flows, "flow"),
            (len(self.world.arrivals), "packet"),
            (len(self.world.wishes), "move"),
            (self.world.most_crashes, "crash"),
        )
        return ", ".join(
            f"{n} {what}{'' if n == 1 else 'es' if what == 'crash' else 's'}"
            for n, what in parts
            if n
        )


def is_model(path: Path) -> bool:
    """Tell whether a file says that it is one of our models."""
    try:
        return "chc_model" in read_toml(path)
    except UsageError:
        return False


def load(path: Path) -> Model:
    """Read a model file.

    Raises:
        UsageError: the file cannot be read or is malformed; the text names file and key.

    """
    data = read_toml(path)
    try:
        return _model(path.stem, data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _model(name: str, data: dict[str, Any]) -> Model:
    _check_keys(data)
    vertices = tuple(_vertex(entry) for entry in data["vertices"])
    edges = tuple(_pair(edge) for edge in data.get("edges", ()))
    chain = Chain(vertices, edges, persist_every=data.get("persist_every", 0))
    instances = {a for of in compile_chain(chain).instances.values() for a in of}
    arrivals = tuple(
        Arrive(flow, (flow, number)) for number, flow in enumerate(data["packets"], start=1)
    )
    wishes = tuple(_wish(entry, instances) for entry in data.get("moves", ()))
    for address in data.get("fragile", ()):
        _known(address, instances, "fragile")
    world = World(arrivals, wishes, tuple(data.get("fragile", ())), data.get("most_crashes", 0))
    try:
        expect = Verdict(data["expect"])
    except ValueError:
        raise UsageError(f"expect = {data['expect']!r}; it is holds or violated") from None
    rules = data.get("rules", AMENDED.name)
    if rules not in SHIPPED:
        raise UsageError(f"unknown rules {rules!r}; known: {', '.join(sorted(SHIPPED))}")
    return Model(
        name,
        data["about"],
        data["leaves_out"],
        tuple(data["clauses"]),
        expect,
        data.get("violates", ""),
        SHIPPED[rules].rules,
        chain,
        world,
        tuple(data["witnesses"]),
        data.get("slow", False),
    )


def _check_keys(data: dict[str, Any]) -> None:
    for key, value in data.items():
        if key not in KEYS:
            raise UsageError(f"unknown key {key!r}; known: {', '.join(KEYS)}")
        if not isinstance(value, KEYS[key][0]):
            raise UsageError(f"key {key!r} must be of type {KEYS[key][0].__name__}")
    for key, (_, needed) in KEYS.items():
        if needed and key not in data:
            raise UsageError(f"key {key!r} is missing")
    if data["chc_model"] != 1:
        raise UsageError(f"chc_model = {data['chc_model']}; this version reads format 1")
    if data["expect"] == "violated" and not data.get("violates"):
        raise UsageError("expect = 'violated' needs the key 'violates'")


def _vertex(entry: Any) -> Vertex:
    known = {"name", "nf", "instances", "eager_flush"}
    if not isinstance(entry, dict) or not {"name", "nf"} <= entry.keys() <= known:
        raise UsageError(f"vertex {entry!r} needs name and nf, and may have instances, eager_flush")
    if entry["nf"] not in TINY:
        raise UsageError(f"unknown nf {entry['nf']!r}; known: {', '.join(sorted(TINY))}")
    eager = entry.get("eager_flush", True)
    return Vertex(entry["name"], TINY[entry["nf"]], entry.get("instances", 1), eager)


def _pair(edge: Any) -> tuple[str, str]:
    if not isinstance(edge, list) or len(edge) != 2:
        raise UsageError(f"edge {edge!r} is not a pair of vertices")
    return edge[0], edge[1]


def _wish(entry: Any, instances: set[str]) -> MoveRequested:
    if not isinstance(entry, dict) or entry.keys() != {"flow", "to"}:
        raise UsageError(f"move {entry!r} needs flow and to")
    _known(entry["to"], instances, "moves")
    return MoveRequested(vertex_of(entry["to"]), entry["flow"], entry["to"])


def _known(address: Any, instances: set[str], key: str) -> None:
    if address not in instances:
        known = ", ".join(sorted(instances))
        raise UsageError(f"{key} names an unknown instance {address!r}; known: {known}")
