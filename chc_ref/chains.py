"""Chains as users write them, in TOML or in Python: the one reader of both (CHAIN-1).

A TOML file holds what ``core.chain.Chain`` holds, by the same names; docs/chains.md describes
every key. Models (``check.model``) hold the same keys. NFs are named: the shipped ones by their
name, others as ``package.module:OBJECT`` or ``./file.py:OBJECT``. Whatever is wrong is refused
with an error that names the file and the place (CHAIN-4); an NF whose code fails later on is
an error as well, with the packet that it failed on.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from chc_ref.core.chain import Chain, Vertex, check
from chc_ref.core.operations import (
    FLOW,
    Access,
    NetworkFunction,
    Outcome,
    Process,
    Scope,
    off_path,
)
from chc_ref.core.vertex import Logic
from chc_ref.errors import ChcError, ModelError, UsageError
from chc_ref.files import Keys, at, check_keys, load_object, read_toml
from chc_ref.nfs.load_balancer import Pool, load_balancer
from chc_ref.nfs.logic import LOGIC
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.tiny import TINY
from chc_ref.nfs.trojan import TROJAN

KEYS: Keys = {
    "vertices": (list, True),
    "edges": (list, False),
    "roots": (int, False),
    "entry": (str, False),
    "log": (str, False),
    "write_ahead": (bool, False),
    "persist_every": (int, False),
    "capacity": (int, False),
}
"""Keys of a chain."""

FILE_KEYS: Keys = {"chc_chain": (int, True), "about": (str, False), **KEYS}
"""Keys of a chain file."""

VERTEX_KEYS: Keys = {
    "name": (str, True),
    "nf": (str, True),
    "config": (dict, False),
    "off_path": (bool, False),
    "instances": (int, False),
    "standby": (int, False),
    "logic": (str, False),
    "split": (str, False),
    "store": (str, False),
    "eager_flush": (bool, False),
    "clones": (bool, False),
}
"""Keys of a vertex."""


def _balancer(pools: list[str] | None = None) -> NetworkFunction:
    if pools is not None and not isinstance(pools, list):
        raise UsageError(f"pools must be a list of NETWORK/BITS:PORT, and is {pools!r}")
    return load_balancer(tuple(Pool.parse(str(pool)) for pool in pools or ()))


SHIPPED: dict[str, Any] = {
    **TINY,
    "nat": NAT,
    "portscan": PORTSCAN,
    "trojan": TROJAN,
    "load_balancer": _balancer,
}
"""NFs that a chain may name; a function gives one from the vertex' ``config``."""


def load(name: str) -> Chain:
    """Give the chain that a TOML file holds, or a Python object or function by its name.

    Args:
        name: a ``.toml`` file, ``package.module:OBJECT`` or ``./file.py:OBJECT``.

    Raises:
        UsageError: it cannot be read or is malformed; the text names the place.

    """
    if name.endswith(".toml"):
        return _load_toml(Path(name))
    if ":" not in name:
        raise UsageError(f"{name!r} is neither a .toml file nor of the form MODULE:OBJECT")
    chain = load_object(name)
    with at(name):
        chain = _called(chain, {}) if callable(chain) else chain
        if not isinstance(chain, Chain):
            raise UsageError(f"gives a {type(chain).__name__}, not a Chain")
        _tried(check, chain=chain)
    return attrs.evolve(chain, vertices=tuple(_guarded(v) for v in chain.vertices))


def _load_toml(path: Path) -> Chain:
    data = read_toml(path)
    with at(path):
        if "chc_model" in data:  # a model holds a chain, among other things
            return read({key: data[key] for key in KEYS if key in data}, path.parent)
        check_keys(data, FILE_KEYS)
        if data["chc_chain"] != 1:
            raise UsageError(f"chc_chain = {data['chc_chain']}; this version reads format 1")
        return read({key: data[key] for key in KEYS if key in data}, path.parent)


def read(data: Mapping[str, Any], folder: Path | None = None) -> Chain:
    """Read a chain, as the keys of a TOML file give it.

    Args:
        data: the keys of ``KEYS``.
        folder: where files with NFs are looked for; None for the present folder.

    Raises:
        UsageError: it is malformed; the text names the place.

    """
    check_keys(data, KEYS)
    vertices = tuple(
        _vertex(number, entry, folder) for number, entry in enumerate(data["vertices"], start=1)
    )
    edges = tuple(_edge(entry) for entry in data.get("edges", ()))
    options = {k: v for k, v in data.items() if k not in ("vertices", "edges", "entry")}
    chain = Chain(vertices, edges, **options)
    check(chain)
    if "entry" in data:
        with at("entry"):
            chain = attrs.evolve(chain, entry=_entry(data["entry"], chain, folder))
    return chain


def _vertex(number: int, entry: Any, folder: Path | None) -> Vertex:
    if not isinstance(entry, dict):
        raise UsageError(f"vertices: entry {number} must be a table, and is {entry!r}")
    with at(f"vertex {entry.get('name', number)!r}"):
        check_keys(entry, VERTEX_KEYS)
        if entry.get("split") == "":
            raise UsageError("split is an empty scope; name one, or leave the key out")
        nf = _function(entry["nf"], entry.get("config", {}), folder)
        own = ("nf", "config", "off_path", "logic")
        fields = {key: value for key, value in entry.items() if key not in own}
        if "logic" in entry:
            fields["logic"] = _logic(entry["logic"], folder)
        return _guarded(Vertex(nf=off_path(nf) if entry.get("off_path") else nf, **fields))


def _function(name: str, config: dict[str, Any], folder: Path | None) -> NetworkFunction:
    """Give the NF of a name, from its configuration where it takes one."""
    if name in SHIPPED:
        found = SHIPPED[name]
    elif ":" in name:
        found = load_object(name, folder)
    else:
        known = ", ".join(sorted(SHIPPED))
        raise UsageError(f"unknown nf {name!r}; known: {known}, and MODULE:OBJECT")
    if config and not callable(found):
        raise UsageError(f"nf {name!r} takes no config")
    with at(f"nf {name!r}"):
        nf = _called(found, config) if callable(found) else found
        if not isinstance(nf, NetworkFunction):
            raise UsageError(f"is a {type(nf).__name__}, not a NetworkFunction")
    return nf


def _logic(name: str, folder: Path | None) -> Logic:
    """Give the operator's logic of a name (CHAIN-3)."""
    found = load_object(name, folder) if ":" in name else LOGIC.get(name)
    if not callable(found):
        raise UsageError(
            f"unknown logic {name!r}; known: {', '.join(sorted(LOGIC))}, MODULE:OBJECT"
        )
    return found


def _called(function: Any, config: dict[str, Any]) -> Any:
    """Call a function that a user named, with the keys of ``config``."""
    try:
        inspect.signature(function).bind(**config)
    except TypeError as error:
        raise UsageError(f"does not take this config: {error}") from None
    return _tried(function, **config)


def _tried(function: Any, **arguments: Any) -> Any:
    """Call a function on what a user has written, which may raise anything."""
    try:
        return function(**arguments)
    except ChcError:
        raise
    except Exception as error:
        raise UsageError(_blamed(error)) from error


def _edge(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, list) or [type(end) for end in entry] != [str, str]:
        raise UsageError(f"edge {entry!r} is not a pair of vertices")
    return entry[0], entry[1]


def _entry(name: str, chain: Chain, folder: Path | None) -> Scope:
    """Give the scope that the input is shared by among the roots (SPLIT-4).

    It is one of the vertices', by its name, or any other that a user has written.
    """
    if ":" in name:
        found = load_object(name, folder)
        if not isinstance(found, Scope):
            raise UsageError(f"{name!r} is a {type(found).__name__}, not a Scope")
        return found
    scopes = [FLOW, *(scope for vertex in chain.vertices for scope in vertex.nf.scopes)]
    named = [scope for scope in scopes if scope.name == name]
    if not named:
        known = ", ".join(dict.fromkeys(scope.name for scope in scopes))
        raise UsageError(f"no vertex has a scope {name!r}; known: {known}, and MODULE:OBJECT")
    if any(scope.key is not named[0].key for scope in named):
        raise UsageError(f"scope {name!r} is not the same at all vertices; name MODULE:OBJECT")
    return named[0]


def _guarded(vertex: Vertex) -> Vertex:
    """Give a vertex whose NF tells what went wrong in it, with the packet that it failed on."""
    nf = vertex.nf

    def process(headers: Any, flow: Any, clock: int) -> Process:
        try:
            code, answer = nf.process(headers, flow, clock), None
            while True:
                try:
                    access = code.send(answer)
                except StopIteration as end:
                    if not isinstance(end.value, Outcome):
                        raise TypeError(f"ends with {end.value!r}, not an Outcome") from None
                    return end.value
                if not isinstance(access, Access):
                    raise TypeError(f"yields {access!r}, not an Access")
                nf.declared(access.object)
                answer = yield access
        except ChcError:
            raise
        except Exception as error:
            where = f"vertex {vertex.name!r}: NF {nf.name!r} fails on clock {clock}"
            raise ModelError(f"{where}: {_blamed(error)}") from error

    return attrs.evolve(vertex, nf=attrs.evolve(nf, process=process))


def _blamed(error: Exception) -> str:
    """Give what a user's code raised, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}"
    ours = Path(frame.filename) == Path(__file__)
    return text if ours else f"{text} ({Path(frame.filename).name}, line {frame.lineno})"
