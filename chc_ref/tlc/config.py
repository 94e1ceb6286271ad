"""Config: the parts of a configuration of TLC."""

from __future__ import annotations

import re

_KEYWORD = re.compile(
    r"\b(CONSTANTS?|SPECIFICATION|INIT|NEXT|INVARIANTS?|PROPERT(?:Y|IES)|CONSTRAINTS?"
    r"|ACTION_CONSTRAINTS?|SYMMETRY|VIEW|CHECK_DEADLOCK|POSTCONDITION|ALIAS)\b"
)
_COMMENT = re.compile(r"\\\*[^\n]*|\(\*.*?\*\)", re.S)

BEHAVIOUR = (
    "CONSTANT",
    "CONSTANTS",
    "SPECIFICATION",
    "INIT",
    "NEXT",
    "CONSTRAINT",
    "CONSTRAINTS",
    "ACTION_CONSTRAINT",
    "ACTION_CONSTRAINTS",
)
"""What says which behaviours there are, and not what is asked of them or how they are looked at."""


def sections(cfg: str) -> list[tuple[str, str]]:
    """Give (keyword, what follows it) of a configuration."""
    parts = _KEYWORD.split(_COMMENT.sub(" ", cfg))
    return list(zip(parts[1::2], parts[2::2], strict=True))


def only(cfg: str, *keywords: str) -> str:
    """Give a configuration with the sections of some keywords only."""
    kept = (f"{word} {rest.strip()}" for word, rest in sections(cfg) if word in keywords)
    return "".join(f"{section}\n" for section in kept)


def named(cfg: str, keyword: str, default: str) -> str:
    """Give what stands behind a keyword."""
    return next((rest.strip() for word, rest in sections(cfg) if word == keyword), default)


def properties(cfg: str) -> tuple[str, ...]:
    """Give the names of the temporal properties."""
    listed = (rest for word, rest in sections(cfg) if word in ("PROPERTY", "PROPERTIES"))
    return tuple(name for rest in listed for name in rest.split())
