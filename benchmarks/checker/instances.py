"""Instances: a model of the core as an instance of ``Reallocation``, for TLC and for Spin.

Only what the models say goes into them; the rules are those of ``specs/Reallocation.tla`` and
``reallocation.pml``. Which models these can state is checked, and no other is accepted.
"""

from __future__ import annotations

from typing import Any

from chc_ref.check.model import Model
from chc_ref.core.values import spread
from chc_ref.errors import UsageError

MODULE = "Instance"

STATED = {"vertices", "packets", "moves"}
"""Keys of a model that an instance states."""

NFS = {"counter": True, "recorder": False}
"""Whether the NF of this name counts, or writes down (``Counts``)."""


class Stated:
    """What an instance says of a model.

    Raises:
        UsageError: the model has what ``Reallocation`` leaves out.

    """

    def __init__(self, model: Model) -> None:
        table: dict[str, Any] = model.table
        vertices = table["vertices"]
        beyond = sorted(table.keys() - STATED)
        if beyond or len(vertices) != 1 or vertices[0]["nf"] not in NFS:
            what = beyond[0] if beyond else "vertices"
            raise UsageError(f"{model.name}: {what}: Reallocation cannot state this")
        (vertex,) = vertices
        self.packets: list[str] = table["packets"]
        self.moves = [(wish["flow"], wish["to"]) for wish in table.get("moves", ())]
        self.flows = sorted({*self.packets, *(flow for flow, _ in self.moves)})
        self.instances = tuple(f"{vertex['name']}.{n}" for n in range(vertex["instances"]))
        self.home = {flow: spread(flow, self.instances) for flow in self.flows}
        self.counts = NFS[vertex["nf"]]
        self.eager: bool = vertex.get("eager_flush", True)


def tla(model: Model) -> tuple[str, str]:
    """Give a TLA+ module, and its configuration: no invariant, for only the graph is wanted."""
    of = Stated(model)
    moves = ", ".join(f'[flow |-> "{flow}", to |-> "{to}"]' for flow, to in of.moves)
    homes = " @@ ".join(f'"{flow}" :> "{to}"' for flow, to in of.home.items())
    module = (
        f"---- MODULE {MODULE} ----\n"
        "EXTENDS Reallocation, TLC\n"
        f"Here == {{{_texts(of.instances)}}}\n"
        f"AtHome == {homes}\n"
        f"Arriving == <<{_texts(of.packets)}>>\n"
        f"Asked == <<{moves}>>\n"
        "====\n"
    )
    cfg = (
        "SPECIFICATION Spec\nCONSTANTS\n    Instances <- Here\n"
        f"    Flows = {{{_texts(of.flows)}}}\n"
        "    Home <- AtHome\n    Packets <- Arriving\n    Moves <- Asked\n"
        f"    Counts = {_truth(of.counts)}\n    Eager = {_truth(of.eager)}\n"
    )
    return module, cfg


def promela(model: Model) -> str:
    """Give what ``reallocation.pml`` includes.

    Raises:
        UsageError: it is more than its numbers hold, or not two instances.

    """
    of = Stated(model)
    if len(of.instances) != 2 or max(len(of.packets), len(of.moves), len(of.flows)) > 7:
        raise UsageError(f"{model.name}: reallocation.pml is for two instances and no more than 7")
    flow = {name: number for number, name in enumerate(of.flows)}
    home = [of.instances.index(of.home[name]) for name in of.flows]
    tenures = len(of.moves) + 1
    lines = {
        "P": len(of.packets),
        "F": len(of.flows),
        "M": len(of.moves),
        "COUNTS": int(of.counts),
        "EAGER": int(of.eager),
        "FLOW(k)": _choice("k", [0, *(flow[name] for name in of.packets)]),
        "HOME(f)": _choice("f", home),
        "HOMES": f"{{ {', '.join(str(at) for at in home for _ in range(tenures))} }}",
        "TAKEN(m)": _choice("m", [flow[name] for name, _ in of.moves]),
        "TO(m)": _choice("m", [of.instances.index(to) for _, to in of.moves]),
    }
    return "".join(f"#define {name} {value}\n" for name, value in lines.items())


def _texts(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _choice(of: str, values: list[int]) -> str:
    """Give an expression of Promela: the value at this place."""
    text = "0"
    for place, value in enumerate(values):
        text = f"(({of}) == {place} -> {value} : {text})"
    return text
