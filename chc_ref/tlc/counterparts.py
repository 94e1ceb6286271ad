"""Counterparts: which TLC mutant drops the rule that an ablation of the core drops.

The explorer and TLC check two statements of one protocol, so a rule that one of them misses when
it is gone must be missed by the other. The manifest of instances says of each mutant which
ablations it stands for, and of every other ablation why no specification can drop its rule. From
that, and from the models of the ablations, this writes ``docs/ablations.md``.

    python -m chc_ref.tlc.counterparts            print the document
    python -m chc_ref.tlc.counterparts --write    write it
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import attrs

from chc_ref.errors import UsageError
from chc_ref.files import read_toml
from chc_ref.tlc.instances import Instance, load_manifest
from chc_ref.variants.compared import COMPARED
from chc_ref.variants.form import Variant
from chc_ref.variants.library import SHIPPED

DOCUMENT = "docs/ablations.md"
MANIFEST = "manifest.toml"
REASONS = "no_counterpart"
"""Table of the manifest: by ablation, why no specification can drop its rule."""


@attrs.frozen
class Counterparts:
    """An ablation, what the explorer finds, and the mutants of TLC."""

    variant: Variant
    violates: str
    """Requirement that the explorer finds violated in the ablation's model."""
    mutants: tuple[Instance, ...]
    reason: str = ""
    """Why there is none."""


def ablations() -> tuple[Variant, ...]:
    """Give the shipped variants that drop one rule of the protocol and break it by that."""
    others = {"amended", "paper", *COMPARED}
    found = (SHIPPED[name] for name in sorted(SHIPPED.keys() - others))
    return tuple(variant for variant in found if not variant.harmless)


def counterparts(models: Path) -> tuple[Counterparts, ...]:
    """Read what stands for each ablation.

    Args:
        models: the folder with the manifest and with the ablations' models.

    Returns:
        One for each ablation, in the order of the names.

    Raises:
        UsageError: an ablation has neither a mutant nor a reason, or both; the manifest names
            what is no ablation, or names one on an instance that is no mutant.

    """
    manifest = models / MANIFEST
    instances, reasons = load_manifest(manifest), read_toml(manifest).get(REASONS, {})
    named = {variant.name for variant in ablations()}
    for instance in instances:
        _check(manifest, instance, named)
    if unknown := sorted(reasons.keys() - named):
        raise UsageError(f"{manifest}: {REASONS}: {unknown[0]}: no such ablation")
    return tuple(_of(variant, instances, reasons, models) for variant in ablations())


def _check(manifest: Path, instance: Instance, named: Iterable[str]) -> None:
    where = f"{manifest}: {instance.name}: ablations"
    if instance.ablations and instance.kind != "mutant":
        raise UsageError(f"{where}: goes with kind = mutant, and only with it")
    if unknown := sorted(set(instance.ablations) - set(named)):
        raise UsageError(f"{where}: {unknown[0]}: no such ablation")


def _of(
    variant: Variant, instances: Iterable[Instance], reasons: dict[str, str], models: Path
) -> Counterparts:
    mutants = tuple(one for one in instances if variant.name in one.ablations)
    reason = str(reasons.get(variant.name, ""))
    if bool(mutants) == bool(reason):
        raise UsageError(
            f"{models / MANIFEST}: {variant.name}: wants a mutant with this among its ablations, "
            f"or a reason in [{REASONS}], and not both"
        )
    violates = read_toml(models / f"ablation_{variant.name}.toml").get("violates", "")
    return Counterparts(variant, violates, mutants, reason)


INTRODUCTION = """# Ablations, and what TLC finds

Made by `python -m chc_ref.tlc.counterparts --write` from `models/manifest.toml`, the variants and \
their models; not edited by hand.

Every ablation below is one rule of the protocol dropped, and the explorer finds it violated in \
`models/ablation_NAME.toml` (`chc matrix` shows all of them). TLC finds it violated in the mutants \
beside it, in which a specification drops the same rule.
"""

FOUND = """| ablation | clauses | explorer | TLC |
|---|---|---|---|"""

NONE = """## Without a counterpart

| ablation | clauses | explorer | why |
|---|---|---|---|"""


def render(found: Iterable[Counterparts]) -> str:
    """Write the document."""
    found = tuple(found)
    with_mutants = [one for one in found if one.mutants]
    without = [one for one in found if not one.mutants]
    count = f"Of {len(found)} ablations {len(with_mutants)} have a mutant, and {len(without)} none."
    lines = [INTRODUCTION, count, "", FOUND, *map(_row, with_mutants), "", NONE]
    return "\n".join([*lines, *map(_row, without)]) + "\n"


def _row(one: Counterparts) -> str:
    shown = [f"`{mutant.name}`: `{mutant.violated}`" for mutant in one.mutants]
    cells = (f"`{one.variant.name}`", ", ".join(one.variant.clauses), one.violates)
    return f"| {' | '.join(cells)} | {'<br>'.join(shown) or one.reason} |"


def main(arguments: list[str] | None = None) -> int:
    """Run the command in a checkout; gives its exit code: 0, or 2 for an error."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given not in ([], ["--write"]):
            raise UsageError("takes nothing but --write")
        text = render(counterparts(Path("models")))
        if given:
            Path(DOCUMENT).write_text(text, encoding="utf-8")
        else:
            print(text, end="")
    except (UsageError, OSError) as error:
        print(f"chc_ref.tlc.counterparts: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
