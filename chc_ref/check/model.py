"""Models: bounded instances of the core, kept as TOML files in ``models/``.

A model file says what is in it, what its bounds leave out, what must be reached, and what
verdict is expected. docs/models.md describes every key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from chc_ref import chains
from chc_ref.check import arrivals as arrivals_
from chc_ref.core import messages
from chc_ref.core.chain import Chain, compile_chain
from chc_ref.core.messages import (
    Arrive,
    CloneRequested,
    KeepRequested,
    MoveRequested,
    ScaleRequested,
)
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.transport import Transport
from chc_ref.core.values import beside, vertex_of
from chc_ref.core.vertex import Wish
from chc_ref.errors import UsageError
from chc_ref.files import Keys, at, check_keys, read_toml
from chc_ref.nfs.tiny import TINY
from chc_ref.require.predicates import Requirements
from chc_ref.system.composition import System
from chc_ref.system.endpoint import MakeTransport, over_network
from chc_ref.system.network import ANY, FIFO, TRANSPORT, Channel, Network, Pattern, names, network
from chc_ref.system.world import World
from chc_ref.variants import library
from chc_ref.verdict import Verdict

KEYS: Keys = {
    "chc_model": (int, True),
    "about": (str, True),
    "leaves_out": (str, True),
    "clauses": (list, True),
    "expect": (str, True),
    "violates": (str, False),
    "rules": (str, False),
    "packets": (list, True),
    "any_order": (bool, False),
    "moves": (list, False),
    "fragile": (list, False),
    "most_crashes": (int, False),
    "apart": (bool, False),
    "checkpoints": (list, False),
    "draws": (list, False),
    "polls": (list, False),
    "forgets": (list, False),
    "channels": (str, False),
    "doublings": (int, False),
    "losses": (int, False),
    "faulty": (list, False),
    "witnesses": (list, True),
    "slow": (bool, False),
    **chains.KEYS,
}
"""Keys of a model file; those of its chain among them."""

DESCRIPTION: dict[str, Any] = {
    "chc_model": 1,
    "about": "",
    "leaves_out": "",
    "clauses": [],
    "expect": Verdict.HOLDS.value,
    "violates": "",
    "witnesses": [],
    "slow": False,
}
"""The keys that do not say what the system is, for a table that has none of them."""


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
    network: Network = FIFO
    transport: MakeTransport = Transport
    """What stands between components and a network that needs it."""
    table: dict[str, Any] = attrs.field(factory=dict, eq=False, repr=False)
    """The keys of the model file that say what the system is, as they were read."""

    def system(self, rules: Rules | None = None) -> System:
        """Give the transition system, under other rules if any are named."""
        physical = compile_chain(self.chain, rules or self.rules)
        if self.network.transport:
            physical = over_network(physical, self.network, self.transport)
        return System(physical, self.world, self.network)

    @property
    def requirements(self) -> Requirements:
        """Give what is required of its runs."""
        in_order = not self.world.any_order
        return Requirements(self.chain, self.world.arrivals if in_order else ())

    @property
    def bounds(self) -> str:
        """The bounds in one line."""
        instances = sum(vertex.instances + vertex.standby for vertex in self.chain.vertices)
        flows = len({arrival.flow for arrival in self.world.arrivals})
        parts = (
            (instances, "instance", "instances"),
            (flows, "flow", "flows"),
            (len(self.world.arrivals), "packet", "packets"),
            (len(self.world.wishes), "move", "moves"),
            (self.world.most_crashes, "crash", "crashes"),
            (self.network.doublings, "doubling", "doublings"),
            (self.network.losses, "loss", "losses"),
        )
        bounds = ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in parts if n)
        bounds += " one after the other" if self.world.apart else ""
        return bounds if self.network is FIFO else f"{bounds}; channels: {self.network.name}"


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
    return of_data(path, read_toml(path))


def of_data(path: Path, data: dict[str, Any]) -> Model:
    """Give the model of what a model file at ``path`` holds.

    Raises:
        UsageError: it is malformed; the text names file and key.

    """
    with at(path):
        return _model(path, data)


def of_table(path: Path, table: dict[str, Any]) -> Model:
    """Give the model of a table, read at ``path``, that holds only what the system is.

    Raises:
        UsageError: the table is malformed; the text names the key.

    """
    if strange := sorted(table.keys() & DESCRIPTION.keys()):
        raise UsageError(f"key {strange[0]!r} says nothing of the system: it has no place here")
    return _model(path, {**DESCRIPTION, **table})


def _model(path: Path, data: dict[str, Any]) -> Model:
    _check_keys(data)
    of_chain = {key: data[key] for key in chains.KEYS if key in data}
    arrivals = tuple(arrivals_.read(n, entry) for n, entry in enumerate(data["packets"], start=1))
    real = any(map(arrivals_.is_real, arrivals))
    if real and not all(map(arrivals_.is_real, arrivals)):
        raise UsageError("packets: those with real headers and those without do not mix")
    chain = chains.read(of_chain, path.parent)
    for entry in data["vertices"] if arrivals and not real else ():
        if entry["nf"] in chains.SHIPPED.keys() - TINY.keys():
            raise UsageError(f"packets: nf {entry['nf']!r} reads real headers; see docs/models.md")
    physical = compile_chain(chain)
    instances = {a for of in physical.instances.values() for a in of}
    components = physical.components.keys() - {"manager", "sink"}
    wishes = tuple(
        _wish(entry, chain, instances, components, arrivals) for entry in data.get("moves", ())
    )
    for address in data.get("fragile", ()):
        _known(address, components, "fragile")
        _recoverable(address, chain)
    for vertex in data.get("polls", ()):
        _known(
            vertex, {v.name for v in chain.vertices if v.logic}, "polls, for a vertex with a logic,"
        )
    for store in data.get("checkpoints", ()):
        _known(store, set(chain.stores), "checkpoints")
    for root in data.get("forgets", ()):
        _known(root, set(chain.root_addresses), "forgets")
    drawn = [o.name for vertex in chain.vertices for o in vertex.nf.objects if o.drawn]
    if data.get("forgets") and drawn:
        fault = f"forgets: {drawn[0]!r} is drawn, and only the store's records tell what was drawn"
        raise UsageError(fault)
    world = World(
        arrivals,
        wishes,
        tuple(data.get("fragile", ())),
        data.get("most_crashes", 0),
        tuple(data.get("checkpoints", ())),
        tuple((chain.stores[0], value) for value in data.get("draws", ())),
        tuple(chain.root_for(arrival.flow) for arrival in arrivals),
        tuple(data.get("polls", ())),
        tuple(data.get("forgets", ())),
        apart=data.get("apart", False),
        any_order=data.get("any_order", False),
    )
    if world.any_order and len(set(arrivals)) < len(arrivals):
        raise UsageError("any_order: two packets are equal, and who came could not be told")
    try:
        expect = Verdict(data["expect"])
    except ValueError:
        raise UsageError(f"expect = {data['expect']!r}; it is holds or violated") from None
    rules = data.get("rules", AMENDED.name)
    return Model(
        path.stem,
        data["about"],
        data["leaves_out"],
        tuple(data["clauses"]),
        expect,
        data.get("violates", ""),
        library.find(rules, path.parent).rules,
        chain,
        world,
        tuple(data["witnesses"]),
        data.get("slow", False),
        _network(data, physical.channels),
        table={key: data[key] for key in data if key not in DESCRIPTION},
    )


def _check_keys(data: dict[str, Any]) -> None:
    check_keys(data, KEYS)
    if data["chc_model"] != 1:
        raise UsageError(f"chc_model = {data['chc_model']}; this version reads format 1")
    if data["expect"] == "violated" and not data.get("violates"):
        raise UsageError("expect = 'violated' needs the key 'violates'")


def _network(data: dict[str, Any], channels: tuple[Channel, ...]) -> Network:
    name = data.get("channels", FIFO.name)
    faulty = tuple(_pattern(entry, name, channels) for entry in data.get("faulty", [[ANY, ANY]]))
    if name == FIFO.name and "faulty" in data:
        raise UsageError(f"channels = {name!r} has no faulty ones")
    return network(name, data.get("doublings", 0), data.get("losses", 0), faulty)


def _pattern(entry: Any, name: str, channels: tuple[Channel, ...]) -> Pattern:
    if not isinstance(entry, list) or not 2 <= len(entry) <= 3:
        raise UsageError(f"faulty {entry!r} is not a source, a receiver and, at will, a message")
    source, to, kind = (*entry, ANY)[:3]
    if not any(names((source, to, kind), *channel) for channel in channels):
        raise UsageError(f"faulty {entry!r} names no channel of this chain")
    if kind != ANY and name == TRANSPORT:
        raise UsageError(f"faulty {entry!r}: a transport looks into no message")
    if kind != ANY and not hasattr(messages, kind):
        raise UsageError(f"faulty {entry!r}: no message is called {kind!r}")
    return source, to, kind


def _recoverable(address: str, chain: Chain) -> None:
    if address in chain.stores and not chain.write_ahead:
        raise UsageError("a store can fail only with write_ahead = true (REC-5)")
    if address in chain.root_addresses and chain.log == "root" and not chain.persist_every:
        raise UsageError("a root can fail only with persist_every or log = 'store' (ROOT-5)")


def _wish(
    entry: Any, chain: Chain, instances: set[str], components: set[str], packets: tuple[Arrive, ...]
) -> Wish:
    """Read one entry of ``moves``: a move, a clone, or which host of a clone to keep."""
    if isinstance(entry, dict) and entry.keys() == {"clone"}:
        _known(entry["clone"], instances, "clone")
        _known(beside(entry["clone"]), components, "clone, for a vertex with clones = true,")
        return CloneRequested(entry["clone"])
    if isinstance(entry, dict) and entry.keys() == {"keep"}:
        _known(entry["keep"], components, "keep")
        return KeepRequested(entry["keep"])
    if isinstance(entry, dict) and isinstance(entry.get("scale"), list):
        return _scaling(entry, chain, instances)
    if not isinstance(entry, dict) or entry.keys() != {"flow", "to"}:
        raise UsageError(f"move {entry!r} needs flow and to; or clone; or keep; or scale")
    _known(entry["to"], instances, "moves")
    flow = arrivals_.flow(entry["flow"], packets)
    return MoveRequested(vertex_of(entry["to"]), flow, entry["to"])


def _scaling(entry: dict[str, Any], chain: Chain, instances: set[str]) -> ScaleRequested:
    to, by = entry["scale"], entry.get("by")
    if entry.keys() - {"scale", "by"} or not isinstance(by, str | None):
        raise UsageError(f"{entry!r} takes scale, and by with the name of a scope")
    for instance in to:
        _known(instance, instances, "scale")
    vertices = {vertex_of(instance) for instance in to}
    if len(vertices) != 1:
        raise UsageError(f"scale = {to!r} must name instances of one vertex")
    name = vertices.pop()
    known = [s.name for v in chain.vertices if v.name == name for s in v.nf.scopes]
    if by and by not in known:
        scopes = ", ".join(known) or "none"
        raise UsageError(f"scale = {to!r} by an unknown scope {by!r}; known: {scopes}")
    return ScaleRequested(name, tuple(to), by)


def _known(address: Any, instances: set[str], key: str) -> None:
    if address not in instances:
        known = ", ".join(sorted(instances))
        raise UsageError(f"{key} names an unknown instance {address!r}; known: {known}")
