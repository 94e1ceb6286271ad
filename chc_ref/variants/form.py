"""The form of a variant: a name, what it is about, and the rules that it changes.

Shipped variants and those of a user are the same thing. A user's rules are guarded: one that
raises, or gives what the core cannot use, is an error that names variant and rule.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import traceback
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from chc_ref.core.messages import Send
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.errors import ChcError, ModelError, UsageError

RULES: dict[str, Callable[..., Any]] = {
    field.name: field.default  # type: ignore[misc]  # none is without one
    for field in attrs.fields(Rules)
    if field.name != "name"
}
"""Every rule that a variant may change, with what it is in ``amended``."""


FAMILIES = (
    *("CHAIN", "SPLIT", "QUEUE", "STORE", "CACHE", "ROOT", "MOVE"),
    *("ORDER", "CLONE", "DUP", "REC", "DEL", "NF"),
)
"""First parts of the IDs of clauses."""


def is_clause(text: str) -> bool:
    """Tell whether a text is the ID of a clause, as MOVE-6 is."""
    return re.fullmatch(rf"({'|'.join(FAMILIES)})-\d+", text) is not None


@attrs.frozen
class Variant:
    """A protocol variant."""

    rules: Rules
    about: str
    clauses: tuple[str, ...]
    source: str = ""
    """Where it comes from, for one that models another system: section and sentence."""
    harmless: str = ""
    """Which other rule covers it, for a change that breaks nothing by itself."""

    @property
    def name(self) -> str:
        """Name that a user asks for it by."""
        return self.rules.name

    @property
    def changes(self) -> tuple[str, ...]:
        """Names of the rules that are not those of ``amended``."""
        return tuple(n for n, rule in RULES.items() if getattr(self.rules, n) is not rule)


def variant(
    clauses: tuple[str, ...] = (), base: Variant | type | None = None, harmless: str = ""
) -> Callable[[type], Variant]:
    """Make a variant of a class: its docstring says what is different, its functions are rules.

    Args:
        clauses: IDs of the clauses that it changes, e.g. ``("MOVE-1",)``.
        base: the variant that it begins with; ``amended`` by default.
        harmless: which other rule covers the change, if it breaks nothing by itself.

    Returns:
        A decorator; what it gives is the variant, under the class' name.

    Raises:
        UsageError: used without parentheses or on what is no class; no such clause; no docstring,
            changes no rule, has a name that is no rule's, or a rule with other parameters.

    """
    if isinstance(clauses, type):
        raise UsageError(f"variant {clauses.__name__}: write @variant(), with parentheses")
    if isinstance(clauses, str) or not all(isinstance(one, str) for one in clauses):
        raise UsageError(f"clauses = {clauses!r} is no tuple of IDs; write clauses=('MOVE-1',)")
    unknown = [one for one in clauses if not is_clause(one)]
    if unknown:
        raise UsageError(f"clauses: {unknown[0]!r} is no clause as 'MOVE-1' is")
    if base is not None and not isinstance(base, Variant):
        raise UsageError(f"base = {base!r} is no variant")

    def made(kind: type) -> Variant:
        if not isinstance(kind, type):
            raise UsageError(f"@variant() stands above a class, and {kind!r} is none")
        about = " ".join((vars(kind).get("__doc__") or "").split())
        if not about:
            raise UsageError(f"variant {kind.__name__} has no docstring: say what it changes")
        named = {name: rule for name, rule in vars(kind).items() if not name.startswith("_")}
        if not named:
            raise UsageError(f"variant {kind.__name__} changes no rule; {_hint('')}")
        changes = {name: _rule(kind.__name__, name, rule) for name, rule in named.items()}
        rules = attrs.evolve(base.rules if base else AMENDED, name=kind.__name__, **changes)
        return Variant(rules, about, tuple(clauses), harmless=harmless)

    return made


def each(sends: list[Send], kind: type, change: Callable[[Any], Any]) -> list[Send]:
    """Change every message of a kind, for a rule ``step``.

    Args:
        sends: what a component sends.
        kind: class of the messages to change.
        change: gives what is sent instead of one; None for nothing.

    Returns:
        What is sent instead, in the same order.

    """
    changed = (
        attrs.evolve(send, message=change(send.message)) if isinstance(send.message, kind) else send
        for send in sends
    )
    return [send for send in changed if send.message is not None]


def ablation(
    name: str, about: str, clauses: tuple[str, ...], harmless: str = "", **changes: Any
) -> Variant:
    """Give a variant that changes some rules of ``amended``."""
    rules = attrs.evolve(AMENDED, name=name, **check(name, changes))
    return Variant(rules, about, clauses, harmless=harmless)


def check(name: str, changes: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Give the rules of a variant, guarded.

    Raises:
        UsageError: one of them is no rule, or takes other parameters.

    """
    return {rule: _rule(name, rule, function) for rule, function in changes.items()}


def _rule(variant: str, name: str, rule: Any) -> Callable[..., Any]:
    """Give one rule of a variant, guarded."""
    if name not in RULES:
        raise UsageError(f"variant {variant}: there is no rule {name!r}; {_hint(name)}")
    if isinstance(rule, staticmethod):
        rule = rule.__func__
    if not callable(rule):
        raise UsageError(f"variant {variant}: rule {name!r} must be a function, and is {rule!r}")
    wanted = inspect.signature(RULES[name])
    try:
        inspect.signature(rule).bind(*wanted.parameters)
    except (TypeError, ValueError):
        found = ", ".join(inspect.signature(rule).parameters)
        fault = f"rule {name!r} takes ({', '.join(wanted.parameters)}), and this takes ({found})"
        raise UsageError(f"variant {variant}: {fault}") from None
    return _guarded(variant, name, rule)


def _hint(name: str) -> str:
    close = difflib.get_close_matches(name, RULES, 1)
    return f"did you mean {close[0]!r}?" if close else "`chc variants --rules` lists them"


def _guarded(variant: str, name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
    kinds = _kinds(name)

    @functools.wraps(rule)
    def guarded(*arguments: Any) -> Any:
        try:
            result = rule(*arguments)
        except ChcError:
            raise
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}, line {frame.lineno}"
            told = f"{type(error).__name__}: {error} ({place})"
            raise ModelError(f"variant {variant}: rule {name!r} fails: {told}") from error
        if kinds and not isinstance(result, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            fault = f"gives {result!r}, which is no {wanted}"
            if name == "step":
                fault = "must give a pair: the state, and the list of what is sent"
            raise ModelError(f"variant {variant}: rule {name!r} {fault}")
        return result

    return guarded


@functools.cache
def _kinds(name: str) -> tuple[type, ...]:
    """Give the types that a rule may give, as its default is annotated; empty for any."""
    rule = RULES[name]
    # Of the result alone: the parameters' annotations are for readers, rpds' maps take no index.
    hint = eval(rule.__annotations__["return"], rule.__globals__)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = tuple(typing.get_origin(option) or option for option in options)
    return kinds if all(isinstance(kind, type) for kind in kinds) else ()
