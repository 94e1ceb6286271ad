"""Differences: what a step changes in the composed state, field by field, and nothing else.

A change is named by its component and the way to the field: ``store memory.values[count.n[A]]``.
Maps are compared by key; of tuples and sets it is told what came and what went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from chc_ref.check.words import short
from chc_ref.core.values import Address, Map, sorted_items
from chc_ref.core.work import Work
from chc_ref.system.composition import State, System

LONGEST = 72
"""Characters of a value that are shown."""

ABSENT = "absent"


@attrs.frozen
class Change:
    """One field of one component that a step has changed."""

    component: Address
    field: str
    """The way to it: names of fields, and keys of maps in brackets."""
    old: str
    """Empty for what came."""
    new: str
    """Empty for what went."""

    def __str__(self) -> str:
        if not self.old:
            return f"{self.field}: + {self.new}"
        if not self.new:
            return f"{self.field}: - {self.old}"
        return f"{self.field}: {self.old} -> {self.new}"


def brief(value: Any, longest: int = LONGEST) -> str:
    """Give a value as text of bounded length, which is never empty."""
    text = short(value) or "''"
    return text if len(text) <= longest else text[: longest - 3] + "..."


def between(
    system: System, before: State, after: State, say: Callable[[Any], str] = brief
) -> tuple[Change, ...]:
    """Give what is different in ``after``, component by component; channels are told by words.

    Args:
        system: the transition system.
        before: a state.
        after: another one.
        say: puts a value, or a key, into words, of which there must be one at least.

    """
    found = [
        Change(name, field or "state", old, new)
        for name, one, other in zip(system.names, before.components, after.components, strict=True)
        for field, old, new in _walk("", one, other, say)
    ]
    for what, one, other in zip(("doublings", "losses"), before.left, after.left, strict=False):
        if one != other:
            found.append(Change("network", f"{what} left", str(one), str(other)))
    return tuple(found)


def _walk(
    field: str, old: Any, new: Any, say: Callable[[Any], str]
) -> Iterator[tuple[str, str, str]]:
    """Give (field, old, new) of everything that is different, as text."""
    if old is new or old == new:
        return
    if type(old) is type(new) and attrs.has(type(old)) and not _is_another(old, new):
        for one in attrs.fields(type(old)):
            # What a transport stands under is the component that everyone means.
            name = "" if one.name == "inner" else one.name
            way = f"{field}.{name}" if field and name else field or name
            yield from _walk(way, getattr(old, one.name), getattr(new, one.name), say)
    elif isinstance(old, Map) and isinstance(new, Map):
        for key, _ in sorted_items(old):
            if key not in new:
                yield f"{field}[{say(key)}]", say(old[key]), ABSENT
        for key, value in sorted_items(new):
            if key not in old:
                yield f"{field}[{say(key)}]", ABSENT, say(value)
            else:
                yield from _walk(f"{field}[{say(key)}]", old[key], value, say)
    elif isinstance(old, tuple | frozenset) and type(old) is type(new) and _is_list(old, new):
        went, came = Counter(old) - Counter(new), Counter(new) - Counter(old)
        yield from ((field, say(one), "") for one in _in_order(old, went))
        yield from ((field, "", say(one)) for one in _in_order(new, came))
        if not went and not came:  # another order, and nothing else
            yield field, say(old), say(new)
    else:
        yield field, say(old), say(new)


def _is_another(old: Any, new: Any) -> bool:
    """Tell whether a value has not changed but made way for another of its kind."""
    return isinstance(old, Work) and old.packet.clock != new.packet.clock


def _is_list(old: Any, new: Any) -> bool:
    """Tell whether a collection is one that things come to and go from."""
    return isinstance(old, frozenset) or len(old) != len(new) or not _is_plain(old)


def _is_plain(values: Any) -> bool:
    return all(isinstance(one, bool | int | str | None) for one in values)


def _in_order(values: Any, chosen: Counter[Any]) -> Iterator[Any]:
    """Give the chosen of ``values``, in their order; sets have none but that of their text."""
    left = Counter(chosen)
    for one in values if isinstance(values, tuple) else sorted(values, key=repr):
        if left[one] > 0:
            left[one] -= 1
            yield one
