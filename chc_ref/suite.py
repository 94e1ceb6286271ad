"""Suite: every check that a folder holds, whatever its engine, behind one interface.

The command line and the pytest plugin both run these and nothing else, so that they cannot
disagree on what is checked or on what is expected.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import attrs

from chc_ref.check import counts, drawn, model as models, sources
from chc_ref.check.explore import Explorer, Limits, Method, Progress
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.errors import UsageError
from chc_ref.tlc import instances
from chc_ref.tlc.output import Progress as Reached
from chc_ref.tlc.run import Settings
from chc_ref.verdict import Report, Verdict

Tick = Callable[[str], None]
"""Called now and then with how far a check is, in words."""

ENGINES = ("explorer", "tlc", "z3")
MANIFEST = "manifest.toml"


@attrs.frozen
class Check:
    """One check of one engine."""

    name: str
    engine: str
    expect: Verdict
    violates: str
    about: str
    slow: bool
    run: Callable[[Limits, Tick | None], tuple[Report, bool]] = attrs.field(eq=False, repr=False)
    """Gives the report and whether it is the expected one; may raise ChcError."""
    is_of_any_rules: bool = False
    """A variant can be put under it: a model that holds, and names no rules of its own."""
    system: str = ""
    """What is explored, whatever the rules; empty if ``amended`` is violated in it as well."""
    model: models.Model | None = attrs.field(default=None, eq=False, repr=False)
    """What the explorer explores, under the rules of the check."""
    path: Path | None = None
    """The file of the model."""


def explorer_check(path: Path, rules: Rules | None = None, method: Method | None = None) -> Check:
    """Give the check of one model file by the explorer.

    Raises:
        UsageError: the file is malformed.

    """
    return _explored(models.load(path), path, rules, method)


def drawn_check(name: str, rules: Rules | None = None, method: Method | None = None) -> Check:
    """Give the check of a drawn model by the explorer; its file is one that there could be."""
    return _explored(drawn.model(drawn.number(name)), Path(f"{name}.toml"), rules, method)


def _explored(model: models.Model, of: Path, rules: Rules | None, method: Method | None) -> Check:
    def run(limits: Limits, tick: Tick | None) -> tuple[Report, bool]:
        explorer = Explorer(model, rules, limits, method)
        progress = None
        if tick is not None:

            def progress(states: int, frontier: int, depth: int) -> None:
                tick(f"{states} states, {frontier} new, depth {depth}")

        path = method.checkpoint if method else None
        if path is None:
            report = explorer.run(progress)
        else:
            report = _resumed(explorer, _code(model, of, rules), path, progress)
        if rules is None:
            report = attrs.evolve(report, miscounted=counts.miscounted(of, report, method))
        expected = report.verdict is model.expect and report.violated.startswith(model.violates)
        return report, expected and not report.miscounted

    return Check(
        model.name,
        "explorer",
        model.expect,
        model.violates,
        model.about,
        model.slow,
        run,
        is_of_any_rules="rules" not in model.table and model.expect is Verdict.HOLDS,
        system=_system(model),
        model=attrs.evolve(model, rules=rules or model.rules),
        path=of,
    )


def _code(model: models.Model, of: Path, rules: Rules | None) -> str:
    """Hash the code that a search runs; the model's own variant stands beside it."""
    variant = sources.of_variant((rules or model.rules).name, None if rules else of.parent)
    return sources.of_package() + variant + sources.of_model(model.table, of.parent)


def _resumed(explorer: Explorer, code: str, path: Path, progress: Progress | None) -> Report:
    """Search on from a checkpoint, if there is one; leave one behind if the search is stopped."""

    def stop(*_: object) -> None:
        explorer.stop = "interrupted"

    if path.exists():
        explorer.resume(path, code)
    before = signal.signal(signal.SIGINT, stop)
    try:
        report = explorer.run(progress)
    finally:
        signal.signal(signal.SIGINT, before)
    if report.verdict is Verdict.INCONCLUSIVE and not explorer.finished:
        explorer.save(path, code)
    else:
        path.unlink(missing_ok=True)
    return report


def _system(model: models.Model) -> str:
    """Name what a model explores: a variant's own model is one of other rules too.

    There the rules are to blame, and not what is in the model. But one that names none, and is
    violated all the same, is so under any rules.
    """
    if model.expect is not Verdict.HOLDS and model.rules is AMENDED:
        return ""
    return repr(sorted((key, value) for key, value in model.table.items() if key != "rules"))


def tlc_check(instance: instances.Instance) -> Check:
    """Give the check of one instance of a TLA+ module by TLC."""

    def run(limits: Limits, tick: Tick | None) -> tuple[Report, bool]:
        progress = None
        if tick is not None:

            def progress(at: Reached) -> None:
                tick(f"{at.distinct} states, depth {at.depth}")

        settings = Settings(limit_s=limits.seconds, progress=progress)
        return instances.check_instance(instance, settings)

    return Check(
        instance.name,
        "tlc",
        instance.expect,
        instance.violated,
        instance.about,
        instance.slow,
        run,
    )


def z3_checks(path: Path) -> tuple[Check, ...]:
    """Give the checks of one proof file by Z3.

    Raises:
        UsageError: the file does not import or holds no proof.

    """
    from chc_ref.prove import kit  # z3 takes a moment to load, and most runs do not need it

    def check(proof: kit.Proof) -> Check:
        def run(limits: Limits, tick: Tick | None) -> tuple[Report, bool]:
            report = kit.prove(proof)
            return report, report.verdict.value == proof.expect

        expect = Verdict(proof.expect)
        return Check(proof.name, "z3", expect, "", ", ".join(proof.clauses), False, run)

    return tuple(check(proof) for proof in kit.load_proofs(path))


def collect(
    engine: str, models_folder: Path, proofs_folder: Path | None, method: Method | None = None
) -> tuple[Check, ...]:
    """Give every check of one engine.

    Raises:
        UsageError: a file is malformed, or the engine has nothing to check there.

    """
    found: list[Check] = []
    if engine == "explorer":
        paths = sorted(p for p in models_folder.glob("*.toml") if models.is_model(p))
        found = [explorer_check(path, method=method) for path in paths]
    elif engine == "tlc":
        manifest = models_folder / MANIFEST
        if manifest.is_file():
            found = [tlc_check(instance) for instance in instances.load_manifest(manifest)]
    elif proofs_folder is not None:
        found = [check for p in sorted(proofs_folder.glob("*.py")) for check in z3_checks(p)]
    if not found:
        raise UsageError(f"{models_folder}: nothing to check for engine {engine!r}")
    return tuple(found)
