"""Instances: the list of bounded instances of the specifications, and what each must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
import msgspec

from chc_ref.errors import UsageError
from chc_ref.files import read_toml
from chc_ref.tlc.run import Settings, check
from chc_ref.verdict import Report, Verdict

Kind = Literal["protocol", "mutant", "witness"]


@attrs.frozen
class Instance:
    """One bounded instance of the manifest."""

    name: str
    kind: Kind
    module: Path
    cfg: Path
    specs: Path
    """Folder of the modules that ``module`` extends."""
    about: str
    clauses: tuple[str, ...]
    expect: Verdict
    ablations: tuple[str, ...] = ()
    """Variants of the core that drop the same rule."""
    violated: str = ""
    """Property that is expected to be violated."""
    states: int | None = None
    """Distinct states of a complete run."""
    depth: int | None = None
    slow: bool = False


def load_manifest(path: Path) -> tuple[Instance, ...]:
    """Read the list of bounded instances; the head of the file describes its format.

    Returns:
        The instances, in the order of the file.

    Raises:
        UsageError: the file cannot be read or is malformed; the text names file and key.

    """
    data = read_toml(path)
    entries = data.get("instance")
    if not isinstance(entries, list) or not entries or "specs" not in data:
        raise UsageError(f"{path}: specs or instance: missing")
    instances = [_instance(path, {**entry, "specs": data["specs"]}) for entry in entries]
    if len({instance.name for instance in instances}) < len(instances):
        raise UsageError(f"{path}: name: one is used twice")
    return tuple(instances)


def _instance(path: Path, entry: dict[str, Any]) -> Instance:
    where = f"{path}: {entry.get('name', 'an instance without a name')}"
    if unknown := entry.keys() - {field.name for field in attrs.fields(Instance)}:
        raise UsageError(f"{where}: {min(unknown)}: no such key")
    try:
        instance = msgspec.convert(entry, Instance, dec_hook=lambda _, file: path.parent / file)
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from None
    for key in ("module", "cfg", "specs"):
        if not getattr(instance, key).exists():
            raise UsageError(f"{where}: {key}: there is no {entry[key]}")
    if (instance.expect is Verdict.VIOLATED) != bool(instance.violated):
        raise UsageError(f"{where}: violated: goes with expect = violated, and only with it")
    return instance


def check_instance(instance: Instance, settings: Settings | None = None) -> tuple[Report, bool]:
    """Check one instance, and compare with what the manifest expects of it.

    Args:
        instance: what to check.
        settings: as for ``check``; the depth is compared for one worker only.

    Returns:
        The report, and whether verdict, violated property and counts are the expected ones.

    Raises:
        ToolError: Java or TLC is missing, or failed for no fault of the instance.
        UsageError: an error in a module or in the configuration.

    """
    settings = attrs.evolve(settings or Settings(), short=not instance.slow)
    report = check(instance.module, instance.cfg, instance.specs, settings)
    reached = ((instance.violated, report.violated == instance.violated),)
    witnesses = reached if instance.kind == "witness" else ()
    report = attrs.evolve(report, model=instance.name, witnesses=witnesses)
    return report, (
        (report.verdict, report.violated) == (instance.expect, instance.violated)
        and instance.states in (None, report.states)
        and (settings.workers > 1 or instance.depth in (None, report.depth))
    )
