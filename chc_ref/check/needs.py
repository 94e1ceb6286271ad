"""Needs: what each kind of message asks of its channel, by trying one fault at a time.

For every kind of message that occurs in a model, and every pair of roles that it goes between,
the model is explored three times: these messages may overtake one another and all others, or
one of them may be doubled, or one may be lost; everything else stays FIFO and exactly once. A
violation says that the kind needs what was taken away; "harmless" says that these models show
no need of it. The table of docs/channels.md is made so:

    python -m chc_ref.check.needs models/needs
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from chc_ref.check.explore import Explorer, Limits
from chc_ref.check.model import Model, is_model, load
from chc_ref.core.chain import Chain
from chc_ref.core.messages import Received
from chc_ref.core.values import Address, vertex_of
from chc_ref.errors import ChcError, ModelError
from chc_ref.system.network import Pattern, network
from chc_ref.verdict import Report, Verdict

FAULTS = {
    "overtakes": network("reordering"),
    "doubled": network("doubling", doublings=1),
    "lost": network("losing", losses=1),
}
"""What may happen to one kind of message, by the heading of its column."""


@attrs.frozen
class Need:
    """What one fault of one kind of message does to one model."""

    message: str
    way: str
    """Roles of sender and receiver."""
    fault: str
    report: Report


def sweep(model: Model, limits: Limits | None = None) -> Iterator[Need]:
    """Try every fault on every kind of message that the model has, one at a time.

    Raises:
        ModelError: the model is violated on ideal channels already, or was not seen whole.

    """
    for source, to, message in _occurring(model, limits):
        way = f"{_role(model.chain, source)} -> {_role(model.chain, to)}"
        for fault, discipline in FAULTS.items():
            faulty = attrs.evolve(discipline, faulty=((source, to, message),))
            tried = attrs.evolve(model, network=faulty, witnesses=())
            yield Need(message, way, fault, Explorer(tried, limits=limits).run())


def _occurring(model: Model, limits: Limits | None) -> list[Pattern]:
    """List what is ever taken, by kind and by the ends' vertices."""
    explorer = Explorer(model, limits=limits)
    report = explorer.run()
    if report.verdict is not Verdict.HOLDS:
        raise ModelError(f"{model.name}: {report.verdict.value} already: {report.violated}")
    taken = [
        (event.source, explorer.system.names[at], type(event.message).__name__)
        for at, event in explorer.cells.events.values
        if isinstance(event, Received)
    ]
    patterns = {(vertex_of(source), vertex_of(to), message) for source, to, message in taken}
    return sorted(patterns, key=lambda one: (one[2], one[0], one[1]))


def _role(chain: Chain, end: Address) -> str:
    if end in chain.root_addresses:
        return "root"
    if end in chain.stores:
        return "store"
    return end if end in ("manager", "sink") else "instance"


def table(needs: Iterable[Need]) -> str:
    """Write the needs of all models as one table: the shortest violation of each, or harmless."""
    found: dict[tuple[str, str], list[Need]] = {}
    for need in needs:
        found.setdefault((need.message, need.way), []).append(need)
    lines = [
        f"| message | way | {' | '.join(FAULTS)} | in |",
        f"|---|---|{'---|' * len(FAULTS)}---|",
    ]
    for (message, way), of in sorted(found.items()):
        cells = [_cell([need.report for need in of if need.fault == fault]) for fault in FAULTS]
        models = dict.fromkeys(need.report.model for need in of)
        lines.append(f"| `{message}` | {way} | {' | '.join(cells)} | {', '.join(models)} |")
    return "\n".join(lines) + "\n"


def _cell(reports: list[Report]) -> str:
    violated = [report for report in reports if report.verdict is Verdict.VIOLATED]
    if violated:
        first = min(violated, key=lambda report: report.depth or 0)
        return f"**{first.violated.partition(':')[0]}** in {first.depth}, {first.model}"
    unseen = [report for report in reports if report.verdict is Verdict.INCONCLUSIVE]
    return f"? {unseen[0].model}: {unseen[0].violated}" if unseen else "harmless"


def _files(path: Path) -> list[Path]:
    return (
        [one for one in sorted(path.glob("*.toml")) if is_model(one)] if path.is_dir() else [path]
    )


def main(arguments: list[str]) -> int:
    """Print the table of the models given, or of folders of them; gives the exit code."""
    try:
        models = [load(path) for one in arguments for path in _files(Path(one))]
        print(table(need for model in models for need in sweep(model)), end="")
    except ChcError as error:
        print(f"chc_ref.check.needs: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
