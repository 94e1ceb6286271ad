"""Drawn models: small systems made up at random, each by its number.

A model that somebody wrote combines what somebody thought of. These combine shapes of chains, NFs,
flows, moves, clones and failures as they come, and so see what no model of the folder does; each
has few parts, and those that the matrix lists are soon searched. They stay within what the protocol
promises (docs/findings.md, docs/matrix.md): two components whose state a failure of both takes away
do not fail together.

The same number gives the same model, on every machine.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from chc_ref.check import model as models
from chc_ref.core.values import beside
from chc_ref.files import toml

PREFIX = "drawn_"

SHAPES: Mapping[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], int] = {
    (("a",), ()): 10,
    (("a", "b"), (("a", "b"),)): 12,
    (("a", "b"), ()): 4,
    (("a", "b", "c"), (("a", "b"), ("b", "c"))): 2,
    (("a", "b", "c"), (("a", "b"), ("a", "c"))): 4,
    (("a", "b", "c"), (("a", "b"),)): 1,
}
"""Vertices and edges of a chain, and how often it is drawn."""

FUNCTIONS: Mapping[str, int] = {
    "pass": 14,
    "counter": 4,
    "recorder": 4,
    "number": 3,
    "marker": 3,
    "hot": 3,
    "digits": 2,
    "draw": 2,
    "latch": 2,
    "limit": 2,
    "pool": 2,
    "shelf": 2,
    "sieve": 2,
    "warm": 2,
    "borrow": 1,
    "both": 1,
    "earliest": 1,
    "opener": 1,
    "twice": 1,
}
"""NFs, and how often each is drawn."""

BY_HOST = ("hot", "warm")
"""NFs with state of a host, which traffic may be split by."""

FLOWS = (("A",), ("A", "B"), ("A", "D"), ("A", "D"), ("B", "C"), ("A", "B", "D"))
"""Flows of a model: of two instances A, B and C are at one, and D is at the other."""


@attrs.define
class Drawing:
    """A model that is being drawn."""

    choice: random.Random
    vertices: list[dict[str, Any]]
    packets: list[str]
    moves: list[dict[str, Any]] = attrs.field(factory=list)
    fragile: set[str] = attrs.field(factory=set)
    crashes: int = 0
    more: dict[str, Any] = attrs.field(factory=dict)
    """Other keys of the model."""

    def often(self, share: float) -> bool:
        """Draw yes in that share of all cases."""
        return self.choice.random() < share

    def one_of(self, weights: Mapping[Any, float]) -> Any:
        """Draw by weights."""
        return self.choice.choices(list(weights), list(weights.values()))[0]

    @property
    def instances(self) -> list[str]:
        """Give all instances."""
        return [f"{v['name']}.{i}" for v in self.vertices for i in range(v["instances"])]

    @property
    def hosts(self) -> list[str]:
        """Give all hosts, those of clones among them."""
        return [host for instance in self.instances for host in (instance, beside(instance))]

    def shared(self) -> dict[str, Any]:
        """Draw one of the vertices of several instances."""
        return self.choice.choice([v for v in self.vertices if v["instances"] > 1])


# ------------------------------------------------------------------ what may happen


def crash(drawing: Drawing) -> None:
    """One of one or two instances crashes."""
    number = min(len(drawing.instances), drawing.choice.choice((1, 1, 2)))
    drawing.fragile.update(drawing.choice.sample(drawing.instances, number))
    drawing.crashes += 1


def move(drawing: Drawing) -> None:
    """A flow moves, and perhaps moves on or another does."""
    vertex = drawing.shared()
    for _ in range(1 + drawing.often(0.3)):
        flow = drawing.choice.choice(sorted(set(drawing.packets)))
        to = f"{vertex['name']}.{drawing.choice.randrange(vertex['instances'])}"
        drawing.moves.append({"flow": flow, "to": to})


def scale(drawing: Drawing) -> None:
    """A vertex is scaled."""
    vertex = drawing.shared()
    number = drawing.choice.randint(1, vertex["instances"])
    which = sorted(drawing.choice.sample(range(vertex["instances"]), number))
    drawing.moves.append({"scale": [f"{vertex['name']}.{i}" for i in which]})


def clone(drawing: Drawing) -> None:
    """An instance is cloned; perhaps one of the two hosts is kept, and perhaps one crashes."""
    instance = drawing.choice.choice(drawing.instances)
    if {"clone": instance} in drawing.moves:
        return
    drawing.vertices[[v["name"] for v in drawing.vertices].index(instance[0])]["clones"] = True
    drawing.moves.append({"clone": instance})
    hosts = (instance, beside(instance))
    if drawing.often(0.8):
        drawing.moves.append({"keep": hosts[drawing.often(0.6)]})
    if drawing.often(0.3):
        drawing.fragile.add(drawing.choice.choice(hosts))
        drawing.crashes += 1


def root_crash(drawing: Drawing) -> None:
    """A root crashes."""
    drawing.fragile.add(drawing.choice.choice(("root", "root1")[: drawing.more.get("roots", 1)]))
    drawing.crashes += 1
    if drawing.more.get("log") != "store" or drawing.often(0.3):
        drawing.more["persist_every"] = drawing.choice.choice((1, 1, 2))


def store_crash(drawing: Drawing) -> None:
    """A store crashes, and perhaps writes checkpoints before."""
    drawing.fragile.add("store")
    drawing.crashes += 1
    drawing.more["write_ahead"] = True
    if drawing.often(0.4):
        drawing.more["checkpoints"] = ["store"] * drawing.choice.choice((1, 1, 2))


HAPPENINGS: Mapping[Callable[[Drawing], None], float] = {
    crash: 5,
    move: 5,
    clone: 2,
    root_crash: 2,
    store_crash: 2,
    scale: 1,
}
"""What may happen, and how often it is drawn."""

OF_SEVERAL = (move, scale)
"""What a vertex of several instances is needed for."""


# ------------------------------------------------------------------ models


def table(number: int) -> dict[str, Any]:
    """Give the keys of the model of that number that say what the system is."""
    drawing = _begun(random.Random(number))
    several = any(vertex["instances"] > 1 for vertex in drawing.vertices)
    weights = {h: w for h, w in HAPPENINGS.items() if several or h not in OF_SEVERAL}
    for _ in range(drawing.one_of({0: 1, 1: 8, 2: 12, 3: 5})):
        drawing.one_of(weights)(drawing)
    _finish(drawing)
    parts = {
        "moves": drawing.moves,
        "fragile": sorted(drawing.fragile),
        "most_crashes": drawing.crashes,
    }
    found = {"vertices": drawing.vertices, **drawing.more, "packets": drawing.packets}
    return found | {key: value for key, value in parts.items() if value}


def _begun(choice: random.Random) -> Drawing:
    """Draw a chain and its packets."""
    names, edges = choice.choices(list(SHAPES), list(SHAPES.values()))[0]
    flows, number = choice.choice(FLOWS), choice.choices((1, 2, 3), (4, 6, 1))[0]
    packets = [choice.choice(flows) for _ in range(number)]
    drawing = Drawing(choice, [], packets, more={"edges": [list(edge) for edge in edges]})
    wide = len(names) > 2
    for name in names:
        function = "pass" if wide and drawing.often(0.5) else drawing.one_of(FUNCTIONS)
        instances = drawing.one_of({1: 4, 2: 2} if wide else {1: 12, 2: 10, 3: 1})
        vertex = {"name": name, "nf": function, "instances": instances}
        if drawing.often(0.25):
            vertex["eager_flush"] = False
        if function in BY_HOST and drawing.often(0.6):
            vertex["split"] = "host"
        drawing.vertices.append(vertex)
    if drawing.often(0.08):
        drawing.more["roots"] = 2
    if drawing.often(0.3):
        drawing.more["log"] = "store"
    return drawing


def _finish(drawing: Drawing) -> None:
    """Draw the rest, and keep to what can be recovered."""
    more, lasts = drawing.more, {below for _, below in drawing.more["edges"]}
    cloned = any(vertex.get("clones") for vertex in drawing.vertices)
    if cloned and "store" in drawing.fragile:  # `apart` does not keep a clone's store up
        drawing.fragile -= set(drawing.hosts)
    roots = any(address.startswith("root") for address in drawing.fragile)
    nodes = not drawing.fragile.isdisjoint(drawing.hosts)
    entries = [vertex for vertex in drawing.vertices if vertex["name"] not in lasts]
    if roots and (nodes or cloned or len(entries) > 1):  # ROOT-2, REC-7: its log dies with it
        more["log"] = "store"
    lost_together = "store" in drawing.fragile and (roots or nodes)  # REC-7: their state is there
    if drawing.crashes > 1 and (lost_together or drawing.often(0.5)):
        more["apart"] = True
    for vertex in drawing.vertices:
        if vertex["nf"] == "borrow" and len(drawing.packets) > 1:  # two operations (finding 24)
            vertex["nf"] = "pool"
    functions = {vertex["nf"] for vertex in drawing.vertices}
    if "draw" in functions:
        more["draws"] = [1, 2]
    elif drawing.often(0.1):
        more["forgets"] = ["root"] * drawing.choice.choice((1, 2))
    if drawing.often(0.08):
        more["capacity"] = drawing.choice.choice((1, 2))
    if len(set(drawing.packets)) == len(drawing.packets) > 1 and drawing.often(0.15):
        more["any_order"] = True
    if len(drawing.vertices) > 1 and drawing.often(0.1):
        drawing.vertices[-1]["store"] = "store2"


def name(number: int) -> str:
    """Name the model of that number."""
    return f"{PREFIX}{number}"


def is_name(text: str) -> bool:
    """Tell whether a text names a drawn model."""
    return re.fullmatch(rf"{PREFIX}\d+", text, re.ASCII) is not None


def number(name: str) -> int:
    """Give the number of the drawn model of that name."""
    return int(name.removeprefix(PREFIX))


def text(number: int) -> str:
    """Give the model of that number as a model file."""
    keys = {
        "chc_model": 1,
        "about": f"Drawn at random, number {number}.",
        "leaves_out": "All that is not drawn.",
        "clauses": [],
        "expect": "holds",
        "witnesses": [],
        **table(number),
    }
    return "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())


def model(number: int) -> models.Model:
    """Give the model of that number."""
    return models.of_table(Path(f"{name(number)}.toml"), table(number))
