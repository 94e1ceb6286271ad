"""Chains that are refused, and those at the limits that are not (CHAIN-4)."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from by_hand import nothing

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.node import Sink
from chc_ref.core.operations import NetworkFunction, Scope, StateObject
from chc_ref.errors import UsageError
from chc_ref.nfs.tiny import COUNTER, HOST, HOT, PASS

CELL = StateObject("x", False, 0)


def _nf(*objects: StateObject, scopes: tuple[Scope, ...] = ()) -> NetworkFunction:
    return NetworkFunction("nf", objects, nothing, scopes)


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        (Chain((Vertex("a", COUNTER),), roots=0), "0 roots; there are 1 to 256"),
        (Chain((Vertex("a", COUNTER),), roots=257), "257 roots"),
        (Chain((Vertex("a", COUNTER),), log="disk"), "log = 'disk' is neither 'root' nor 'store'"),
        (Chain((Vertex("a", COUNTER, store="db"),)), "'a': store name 'db' must begin with"),
        (Chain((Vertex("a", COUNTER, store="store-2"),)), "store name 'store-2'"),
        (Chain((Vertex("a", COUNTER, store=""),)), "store name ''"),
        (Chain((Vertex("root1", COUNTER),), roots=2), "vertex name 'root1' is reserved"),
        (
            Chain((Vertex("a", COUNTER, store="store2"), Vertex("store2", COUNTER))),
            "vertex name 'store2' is reserved",
        ),
        (
            Chain((Vertex("a", HOT, split="port"),)),
            "'a' is split by 'port'; its scopes: flow, host",
        ),
        (Chain((Vertex("a", PASS, split="host"),)), "split by 'host'; its scopes: none"),
        (Chain((Vertex("a", _nf(CELL, scopes=(HOST, HOST))),)), "two scopes of one name"),
        (Chain((Vertex("a", _nf(scopes=(Scope("", str),))),)), "or an empty one"),
        (
            Chain((Vertex("a", _nf(attrs.evolve(CELL, scope="port"), scopes=(HOST,))),)),
            "vertex 'a': object 'x' has the unknown scope 'port'",
        ),
        (Chain((Vertex("a", COUNTER, 0, clones=True),)), "'a' needs at least one instance"),
    ],
)
def test_a_malformed_chain_is_refused(chain: Chain, complaint: str) -> None:
    """CHAIN-4: the error names the vertex, the value and the fault."""
    with pytest.raises(UsageError, match=complaint):
        compile_chain(chain)


@pytest.mark.parametrize(
    "change",
    [
        lambda chain: attrs.evolve(chain, roots=256),
        lambda chain: attrs.evolve(chain, log="store"),
        lambda chain: attrs.evolve(chain, vertices=(Vertex("root1", COUNTER),)),
        lambda chain: attrs.evolve(chain, vertices=(Vertex("store2", COUNTER),)),
    ],
)
def test_a_chain_at_the_limits_is_taken(change: Callable[[Chain], Chain]) -> None:
    """CHAIN-4: a name is reserved only where it is used."""
    physical = compile_chain(change(Chain((Vertex("a", COUNTER),))))
    assert isinstance(physical.components["sink"], Sink)
