"""The systems that the paper compares CHC with, as rules of this core (sections 2.2, 5.1 and 7.3).

Each is modelled by what the paper says of it, and by nothing else: a model of CHC's machines with
the choices that the paper ascribes to the other system, not a model of that system. ``CLAIMS``
says for each requirement what the paper says; ``models/compared`` has a model for each, and a
test holds the verdicts against the claims. docs/variants.md tells what cannot be expressed so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.core.messages import Fence, Received, Send
from chc_ref.core.rules import AMENDED
from chc_ref.core.store import StoreState
from chc_ref.core.values import Map, evolve, identity_of
from chc_ref.variants.form import Variant, check

Change = Callable[..., Any]


@attrs.frozen
class Claim:
    """What the paper says of one requirement in one system."""

    holds: bool
    source: str
    """Section, and the words; "by contrast" where it says so of the others alone."""


# --------------------------------------------------------------------------- choices


def _dies_with_its_instance(
    address: str, event: Any, before: Any, after: Any, sends: list[Send]
) -> tuple[Any, list[Send]]:
    """R1 (section 2.1): when an instance fails, all state it has built up internally disappears.

    Here the state is in the store, so that is where it disappears: when the store hears that an
    instance is gone, it forgets the objects of the flows that this one had.
    """
    match event:
        case Received(_, Fence(dead, _)) if isinstance(after, StoreState):
            memory = after.memory
            gone = {at for at, o in memory.owners.items() if o.instance == identity_of(dead)}
            kept = {
                name: Map({k: v for k, v in of.items() if (k.vertex, k.key) not in gone})
                for name, of in (("values", memory.values), ("versions", memory.versions))
            }
            return evolve(after, memory=evolve(memory, **kept)), sends
    return after, sends


_SINGLE_NF: dict[str, Change] = {
    "shown_clock": lambda clock: 0,
    "seen_before": lambda seen, key: False,
}
"""2.2: "all of the above frameworks focus on a single NF; they cannot handle chains": no clock of
the chain, and no queue between NFs that knows a packet again."""

_STATE_INSIDE: dict[str, Change] = {"step": _dies_with_its_instance}
"""2.1: the state is in the instance, and a failure takes it away (R1)."""

_OWN_COPIES: dict[str, Change] = {
    "caches_alone": lambda alone: True,
    "gives_caches_up": lambda alone: False,
}
"""2.2: "they either ignore state shared across instances": each instance has a copy of its own."""

_NO_COPIES: dict[str, Change] = {"caches_alone": lambda alone: False}
"""5.1: shared state is brought up to date at every instance "each time it is updated"."""

_NO_TRANSFER: dict[str, Change] = {
    "marks_last": lambda epoch: False,
    "waits_for_owner": lambda asked, current: False,
}
"""2.2 names R1 alone: traffic is sent elsewhere, and nobody waits for the state."""

_NO_SUPPRESSION: dict[str, Change] = {"recorded": lambda records, update: False}
"""2.2: "support for R5 is also missing": a repeated update is made again."""

_NOT_ATOMIC: dict[str, Change] = {**_NO_SUPPRESSION, "emulates": lambda packet: False}
"""2.2: "do not support atomic updates to all state objects": nobody knows which updates of a
packet are made, so a replay makes them again."""

_UNORDERED: dict[str, Change] = {
    "buffered": lambda waiting, packet: (waiting[0], packet, *waiting[1:]),
    "held_back": lambda after, passed: False,
}
"""5.1: "separate algorithms for loss-freeness and order-preservation": without the second one,
packets of a moved flow are all processed, in any order."""


def _system(name: str, about: str, source: str, *choices: dict[str, Change]) -> Variant:
    changes = {rule: change for choice in choices for rule, change in choice.items()}
    rules = attrs.evolve(AMENDED, name=name, **check(name, changes))
    clauses = ("ORDER-1", "DUP-1", "DUP-2")
    return Variant(rules, about, clauses, source)


_SYSTEMS = (
    _system(
        "split_merge",
        "Split/Merge: flows move with their state; shared state is ignored; one NF.",
        "2.2: supports cross-instance state transfers (R2); cannot handle R3",
        _SINGLE_NF,
        _STATE_INSIDE,
        _OWN_COPIES,
        _NO_SUPPRESSION,
    ),
    _system(
        "opennf_loss_free",
        "OpenNF, loss-free move: every packet of a moved flow is processed, in any order.",
        "2.2: R2; 5.1: separate algorithms for loss-freeness and order-preservation",
        _SINGLE_NF,
        _STATE_INSIDE,
        _OWN_COPIES,
        _NO_SUPPRESSION,
        _UNORDERED,
    ),
    _system(
        "opennf_order_preserving",
        "OpenNF, order-preserving move: and in the order of arrival.",
        "2.2: R2; 5.1: separate algorithms for loss-freeness and order-preservation",
        _SINGLE_NF,
        _STATE_INSIDE,
        _OWN_COPIES,
        _NO_SUPPRESSION,
    ),
    _system(
        "opennf_consistent",
        "OpenNF, strongly consistent sharing: one order of all updates of shared state.",
        "2.2: can support consistency for shared state (R3); 7.3, R3: how its controller does",
        _SINGLE_NF,
        _STATE_INSIDE,
        _NO_COPIES,
        _NO_SUPPRESSION,
    ),
    _system(
        "ftmb",
        "FTMB: an instance's own state survives its failure; nothing is shared or moved; one NF.",
        "2.2: focuses on state availability (R1); cannot handle R3",
        _SINGLE_NF,
        _OWN_COPIES,
        _NO_TRANSFER,
    ),
    _system(
        "pico_replication",
        "Pico Replication: section 2.2 says of it what it says of FTMB, so the rules are the same.",
        "2.2: focuses on state availability (R1); cannot handle R3",
        _SINGLE_NF,
        _OWN_COPIES,
        _NO_TRANSFER,
    ),
    _system(
        "s6",
        "S6: state moves and is shared consistently, but a packet's updates are not atomic.",
        "2.2: R2, R3; updates shared state in a remote NF, without atomic updates",
        _SINGLE_NF,
        _STATE_INSIDE,
        _NO_COPIES,
        _NOT_ATOMIC,
    ),
    _system(
        "stateless_nf",
        "StatelessNF: state in an external store, but a packet's updates are not atomic.",
        "2.2: first advocated for externalizing state; a lack of support for R4-R6",
        _SINGLE_NF,
        _NO_COPIES,
        _NOT_ATOMIC,
    ),
)

COMPARED: dict[str, Variant] = {one.name: one for one in _SYSTEMS}

# --------------------------------------------------------------------------- claims

_R1 = "2.2: FTMB and Pico Replication focus on state availability (R1)"
_NO_R1 = "2.1, R1: state built up internally disappears; by contrast with FTMB and Pico in 2.2"
_R2 = "2.2: Split/Merge, OpenNF and S6 support cross-instance state transfers (R2)"
_NO_R2 = "by contrast: 2.2 names Split/Merge, OpenNF and S6 for R2, and this one for R1"
_R3 = "2.2: only OpenNF and S6 can support consistency for shared state (R3)"
_NO_R3 = "2.2: Split/Merge, Pico Replication and FTMB cannot handle R3"
_R4 = "2.2: all focus on a single NF; none of them support chain-wide ordering (R4)"
_R5 = "2.2: support for R5 is also missing"
_R6 = "2.2: for the same reason, R6 is also violated; replays result in duplicate processing"
_ONE_NF = "2.2: they cannot handle chains"
_LOCKS = "2.2: it requires locks for shared state updates, which keep one order"
_CHOOSE = "5.1: an NF author has the arduous task of choosing; order is the other algorithm's"


def _claims(r1: str, r2: str, r3: str, r5: str = _R5, r6: str = _ONE_NF) -> dict[str, Claim]:
    holding = {_R1, _R2, _R3, _LOCKS}
    sources = {"R1": r1, "R2": r2, "R3": r3, "R4": _R4, "R5": r5, "R6": r6}
    return {name: Claim(source in holding, source) for name, source in sources.items() if source}


CLAIMS: dict[str, dict[str, Claim]] = {
    "split_merge": _claims(_NO_R1, _R2, _NO_R3),
    "opennf_loss_free": _claims(_NO_R1, _CHOOSE, ""),
    "opennf_order_preserving": _claims(_NO_R1, _R2, ""),
    "opennf_consistent": _claims(_NO_R1, _R2, _R3),
    "ftmb": _claims(_R1, _NO_R2, _NO_R3, "", ""),
    "pico_replication": _claims(_R1, _NO_R2, _NO_R3, "", ""),
    "s6": _claims(_NO_R1, _R2, _R3, r6=_R6),
    "stateless_nf": _claims("", "", _LOCKS, r6=_R6),
}
"""By system and requirement. What the paper does not speak of is not in it, nor R5 and R6 of FTMB
and Pico Replication: see docs/variants.md."""

_OWN_REPLAYS = "no rule here can say it: what knows its own replays (R1) knows those of others too"

BEYOND: dict[str, dict[str, str]] = {
    **{
        name: {"R5": f"{_R5}; {_OWN_REPLAYS}", "R6": f"{_ONE_NF}; {_OWN_REPLAYS}"}
        for name in ("ftmb", "pico_replication")
    },
    **{
        name: {"R3": "2.2 means OpenNF's consistent sharing: opennf_consistent"}
        for name in ("opennf_loss_free", "opennf_order_preserving")
    },
}
"""What the paper says, or means, and a cell of that variant cannot show."""

_STORE = "2.2: NF state is in a state store external to NFs; this ensures state availability (R1)"
_META = "2.2: metadata makes state transfer safety (R2) and shared state consistency (R3) simple"
_CLOCKS = "2.2: per packet logical clocks directly support cross-instance ordering (R4)"
_LOGS = "2.2: clocks and logs support duplicate suppression (R5) and COE under failover (R6)"

CHC: dict[str, Claim] = {
    name: Claim(True, source)
    for name, source in zip(
        ("R1", "R2", "R3", "R4", "R5", "R6"),
        (_STORE, _META, _META, _CLOCKS, _LOGS, _LOGS),
        strict=True,
    )
}
"""What the paper says of CHC itself."""
