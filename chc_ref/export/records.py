"""Records: the states of a run as plain values, for ITF.

Nothing is left out and nothing is named anew. An attrs class becomes what Apalache and Quint
write for a value of a sum type, ``{"tag": CLASS, "value": {FIELD: ...}}``; ``None`` is the tag
``None``, a fraction the pair of its numbers. The variables are the components, the channels, what
the network may still do wrong, and the step that has led to the state, named as in a schedule.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import Any

import attrs

from chc_ref import __version__, itf
from chc_ref.check.counterexample import Counterexample
from chc_ref.check.words import step_name
from chc_ref.core.values import Map
from chc_ref.itf import Function, Record, Value

CHANNELS, LEFT, STEP = "chc::channels", "chc::left", "chc::step"
"""Variables besides the components; no component is called so."""


def itf_text(found: Counterexample) -> str:
    """Give a counterexample as the text of an ITF file."""
    names = ["", *map(step_name, found.actions)]
    states = [
        {**_components(found, state.components), **_between(found, state), STEP: name}
        for state, name in zip(found.states, names, strict=False)
    ]
    # The last state is the one that the loop begins with, but another step has led there.
    loop = None if found.loop is None else found.loop + 1
    meta = {
        "source": f"chc_ref {__version__}",
        "description": found.headline,
        "violated": found.violated,
        "clauses": list(found.clauses),
    }
    return itf.write(states, loop, meta)


def _components(found: Counterexample, components: tuple[Any, ...]) -> dict[str, Value]:
    return dict(zip(found.system.names, map(value, components), strict=True))


def _between(found: Counterexample, state: Any) -> dict[str, Value]:
    contents = zip(found.system.channels, state.channels, strict=True)
    channels = {pair: value(content) for pair, content in contents}
    return {CHANNELS: Function(channels), LEFT: value(state.left)}


def value(one: Any) -> Value:
    """Give what a state is made of as a value of ITF."""
    match one:
        case bool() | int() | str():
            return one
        case None:
            return Record(tag="None", value=Record())
        case tuple():
            return tuple(map(value, one))
        case frozenset():
            return frozenset(map(value, one))
        case Map():
            return Function({value(key): value(of) for key, of in one.items()})
        case enum.Enum():
            return one.name
        case Fraction():
            return (one.numerator, one.denominator)
    if attrs.has(type(one)):
        fields = {field.name: value(getattr(one, field.name)) for field in attrs.fields(type(one))}
        return Record(tag=type(one).__name__, value=Record(fields))
    return str(one)  # what an NF of a user's own keeps, if it is none of these
