"""Output: what TLC prints, as values.

Its tool mode puts every message between two marks with a number; only the numbers and the few
texts below are relied upon. They are those of TLC 2.15; newer versions print more, not less.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

from chc_ref.errors import UsageError
from chc_ref.itf import Record
from chc_ref.tlc.trace import State, Step, Trace
from chc_ref.tlc.values import parse


@attrs.frozen
class Progress:
    """How far a run has come."""

    depth: int
    generated: int
    distinct: int
    queue: int


Watcher = Callable[[Progress], None]


@attrs.frozen
class Outcome:
    """What TLC said in one run."""

    version: str = ""
    generated: int | None = None
    distinct: int | None = None
    depth: int | None = None
    complete: bool = False
    """TLC has seen every state and found no error."""
    violated: str = ""
    trace: Trace | None = None
    """A counterexample, or the way to an error of evaluation."""
    fault: str = ""
    """An error in the modules or the configuration, with file and line where TLC gives them."""
    failure: str = ""
    """Any other error."""
    coverage: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    """Of each action, if it was asked for: new states that it led to, and how often it was taken.
    The initial predicate is not among them."""

    @property
    def never(self) -> tuple[str, ...]:
        """Actions that were never taken."""
        return tuple(name for name, (_, taken) in self.coverage.items() if not taken)


Message = tuple[str, str, str]
"""(code, severity, text)."""
SOME_TEMPORAL = "a temporal property"
DEADLOCK = "deadlock"

_COMPLETE, _TEMPORAL, _DEADLOCK, _INITIAL, _SANY_FAILED = "2193", "2116", "2114", "2107", "3002"
_STATE, _BACK, _STUTTERS, _ACTION = "2217", "2122", "2218", "2772"
_MESSAGE = re.compile(r"@!@!@STARTMSG (\d+):(\d) @!@!@\n(.*?)\n?@!@!@ENDMSG \1 @!@!@", re.S)
_SANY = re.compile(r"@!@!@ENDMSG 2220 @!@!@\n(.*?)@!@!@STARTMSG 2219", re.S)
_MARKS = re.compile(r"@!@!@(?:START|END)MSG [\d:]+ @!@!@")
_VERSION = re.compile(r"TLC2? Version (\S+)")
_TOTAL = re.compile(r"^([\d,]+) states generated, ([\d,]+) distinct states found", re.M)
_DEPTH = re.compile(r"depth of the complete state graph search is (\d+)")
_PROGRESS = re.compile(
    r"Progress\((-?\d+)\).*?: ([\d,]+) states generated.*?, (-?[\d,]+) distinct states found.*?, "
    r"(-?[\d,]+) states left"
)
_VIOLATED = re.compile(r"(?:[Ii]nvariant|[Pp]roperty) (\S+) is violated")
_STEP = re.compile(r"\d+: <?([^\s>(]+(?: predicate)?)[^\n]*\n?(.*)", re.S)
_LOOP = re.compile(r"(\d+): Back to state(?:: <?([^\s>(]+))?")
_COVERED = re.compile(r"<(\S+) line .*>: (\d+):(\d+)")

_PLACE = re.compile(
    r"line (\d+), col.*?(?:of module|\bin module|\bin) (?!file\b)(\w+)", re.S | re.I
)
_CFG_PLACE = re.compile(r"configuration file at line (\d+)")
_ABORT = re.compile(r"Unknown location\s+(.*?)\n\n", re.S)
_NOISE = re.compile(
    r"^(?:Parsing file|Semantic |TLC threw|This was probably|See the User|The exception was"
    r"|\*\*\*|line \d+, col|Unknown location|tla2sany\.).*$",
    re.M,
)
_REST = re.compile(
    r"(?:Residual stack trace|The behavior up to|The error occurred when|Fatal errors while"
    r"|while looking in).*",
    re.S,
)


def parse_output(text: str, cfg: str = "") -> Outcome:
    """Read the output of one run in tool mode.

    Args:
        text: what TLC printed; it may be cut off anywhere.
        cfg: name of the configuration file, for messages that do not give it.

    Returns:
        The outcome; a count that TLC did not print is None. Never raises.

    """
    messages: list[Message] = _MESSAGE.findall(text)
    codes = {code for code, _, _ in messages}
    violated = next((m[1] for _, _, body in messages if (m := _VIOLATED.search(body))), "")
    if codes & {_TEMPORAL, _DEADLOCK}:
        violated = SOME_TEMPORAL if _TEMPORAL in codes else DEADLOCK
    fault, failure = ("", "") if violated else _errors(text, messages, cfg)
    now = read_progress(text)
    total, depth = _TOTAL.search(text), _DEPTH.search(text)
    searched = now if now and now.distinct >= 0 else None  # random runs have no such counts
    return Outcome(
        version=m[1] if (m := _VERSION.search(text)) else "",
        generated=_number(total[1]) if total else now.generated if now else None,
        distinct=_number(total[2]) if total else searched.distinct if searched else None,
        depth=int(depth[1]) if depth else searched.depth if searched else None,
        complete=_COMPLETE in codes and not violated,
        violated=violated,
        trace=_trace(messages),
        fault=fault,
        failure=failure,
        coverage=_coverage(messages),
    )


def read_progress(text: str) -> Progress | None:
    """Give the last progress line in ``text``, or None. Never raises."""
    found = _PROGRESS.findall(text)
    return Progress(*map(_number, found[-1])) if found else None


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _coverage(messages: list[Message]) -> dict[str, tuple[int, int]]:
    """Give the counts that were printed last; disjuncts without a name count for their operator."""
    last: dict[str, tuple[str, int, int]] = {}
    for code, _, body in messages:
        if code == _ACTION and (found := _COVERED.match(body.strip())):
            place = body.partition(">:")[0]
            last[place] = found[1], int(found[2]), int(found[3])
    counts: dict[str, tuple[int, int]] = {}
    for name, distinct, taken in last.values():
        before = counts.get(name, (0, 0))
        counts[name] = before[0] + distinct, before[1] + taken
    return counts


def _trace(messages: list[Message]) -> Trace | None:
    """Give the states that were printed; None if there are none, or they cannot be read."""
    steps: list[Step] = []
    loop, back = None, ""
    try:
        for code, _, body in messages:
            if code == _INITIAL:
                steps.append(Step("", read_state(body.partition("\n")[2])))
            elif code == _STATE and (step := _STEP.match(body)):
                steps.append(Step(step[1] if steps else "", read_state(step[2])))
            elif code == _BACK and (found := _LOOP.match(body.strip())):
                loop, back = int(found[1]) - 1, found[2] or "?"
            elif code == _STUTTERS:
                loop = len(steps) - 1
    except UsageError:
        return None
    return Trace(tuple(steps), loop, back) if steps else None


def read_state(text: str) -> State:
    """Read a state as TLC prints it: a conjunction of ``variable = value``.

    Raises:
        UsageError: it is none.

    """
    state: dict[str, Any] = {}
    for part in re.split(r"(?:^|\n)\s*/\\ ", text.strip()):
        if part.strip():
            name, equals, value = part.partition("=")
            if not equals:
                raise UsageError(f"no state of TLA+: {part.strip()[:80]!r}")
            state[name.strip()] = parse(value)
    return Record(state)


def _errors(text: str, messages: list[Message], cfg: str) -> tuple[str, str]:
    """Give (fault of the modules or configuration, any other failure), each one line or empty."""
    said = "\n".join(_MARKS.sub("", body) for _, severity, body in messages if severity in "12")
    parsing = _SANY.search(text) if _SANY_FAILED in {code for code, _, _ in messages} else None
    if parsing and (abort := _ABORT.search(parsing[1])):  # of files, which have no places
        return one_line(abort[1]), ""
    said = parsing[1] if parsing else said
    what = one_line(_NOISE.sub("", _REST.sub("", said)))
    if "configuration file" in said:
        place = _CFG_PLACE.search(said)
        return f"{cfg}:{place[1]}: {what}" if place else f"{cfg}: {what}", ""
    if places := _PLACE.findall(said):  # evaluation: from the outside to the inside
        line, module = places[0 if parsing else -1]
        return f"{module}.tla:{line}: {what}", ""
    return (what, "") if parsing else ("", what)


def one_line(text: str) -> str:
    """Give a text without line ends, of bounded length."""
    return re.sub(r"\s+", " ", text).strip(" :")[:300]
