"""Counterparts: which TLC mutant drops the rule that an ablation of the core drops.

The explorer and TLC check two statements of one protocol, so a rule that one of them misses when
it is gone must be missed by the other. The manifest of instances says of each mutant which
ablations it stands for, and of every other ablation why no specification can drop its rule. From
that, and from the models of the ablations, this writes ``docs/ablations.md``.

    python -m chc_ref.tlc.counterparts            print the document
    python -m chc_ref.tlc.counterparts --write    write it
    python -m chc_ref.tlc.counterparts --check    tell whether it is stale; exit code 1 when it is
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import attrs

from chc_ref.documents import Document
from chc_ref.errors import UsageError
from chc_ref.files import read_toml
from chc_ref.tlc.instances import Instance, load_manifest
from chc_ref.variants.compared import COMPARED
from chc_ref.variants.form import Variant
from chc_ref.variants.library import SHIPPED

DOCUMENT = "docs/ablations.md"
MANIFEST = "manifest.toml"


@attrs.frozen
class Counterparts:
    """An ablation, what the explorer finds, and the mutants of TLC."""

    variant: Variant
    violates: str
    """Requirement that the explorer finds violated in the ablation's model."""
    mutants: tuple[Instance, ...]


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
        UsageError: an ablation has no mutant; the manifest names what is no ablation, or names
            one on an instance that is no mutant.

    """
    manifest = models / MANIFEST
    instances = load_manifest(manifest)
    named = {variant.name for variant in ablations()}
    for instance in instances:
        _check(manifest, instance, named)
    return tuple(_of(variant, instances, models) for variant in ablations())


def _check(manifest: Path, instance: Instance, named: Iterable[str]) -> None:
    where = f"{manifest}: {instance.name}: ablations"
    if instance.ablations and instance.kind != "mutant":
        raise UsageError(f"{where}: goes with kind = mutant, and only with it")
    if unknown := sorted(set(instance.ablations) - set(named)):
        raise UsageError(f"{where}: {unknown[0]}: no such ablation")


def _of(variant: Variant, instances: Iterable[Instance], models: Path) -> Counterparts:
    mutants = tuple(one for one in instances if variant.name in one.ablations)
    if not mutants:
        where = f"{models / MANIFEST}: {variant.name}"
        raise UsageError(f"{where}: wants a mutant with this among its ablations")
    violates = read_toml(models / f"ablation_{variant.name}.toml").get("violates", "")
    return Counterparts(variant, violates, mutants)


INTRODUCTION = """# Ablations, and what TLC finds

Made by `python -m chc_ref.tlc.counterparts --write` from `models/manifest.toml`, the variants and \
their models; not edited by hand.

Every ablation below is one rule of the protocol dropped, and the explorer finds it violated in \
`models/ablation_NAME.toml` (`chc matrix` shows all of them). TLC finds it violated in the mutants \
beside it, in which a specification drops the same rule.
"""

FOUND = """| ablation | clauses | explorer | TLC |
|---|---|---|---|"""


def render(found: Iterable[Counterparts]) -> str:
    """Write the document."""
    rows = [_row(one) for one in found]
    return "\n".join([INTRODUCTION, f"There are {len(rows)}.", "", FOUND, *rows]) + "\n"


def _row(one: Counterparts) -> str:
    shown = [f"`{mutant.name}`: `{mutant.violated}`" for mutant in one.mutants]
    cells = (f"`{one.variant.name}`", ", ".join(one.variant.clauses), one.violates)
    return f"| {' | '.join(cells)} | {'<br>'.join(shown)} |"


def _rendered(root: Path) -> str:
    return render(counterparts(root / "models"))


MADE = Document("chc_ref.tlc.counterparts", DOCUMENT, f"models/{MANIFEST}", _rendered)

if __name__ == "__main__":
    sys.exit(MADE.main())
