"""pytest plugin: ``pytest --model-check`` runs every model and every proof as a test.

Collected are model files (``*.toml`` with ``chc_model``), manifests of TLA+ instances in a
folder ``models``, and files ``*.py`` in a folder ``proofs``. Without the flag they are
collected and skipped, so that nobody believes they ran. With ``--model-check-variant`` the models
are checked under other rules; what these rules say nothing of is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chc_ref import suite
from chc_ref.check.explore import Limits
from chc_ref.check.model import is_model
from chc_ref.core.rules import Rules
from chc_ref.errors import ChcError
from chc_ref.tlc.instances import load_manifest
from chc_ref.variants import library
from chc_ref.verdict import Report

FLAG = "--model-check"
RULES = pytest.StashKey[Rules | None]()
"""The rules that the models are checked under instead of their own."""
REASON = f"checks of models and proofs run with {FLAG}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("chc_ref", "model checks")
    group.addoption(FLAG, action="store_true", help="run every model and every proof as a test")
    group.addoption(
        "--model-check-seconds",
        type=float,
        default=600.0,
        help="time limit of one check; hitting it is INCONCLUSIVE, and fails (default 600)",
    )
    group.addoption(
        "--model-check-slow", action="store_true", help="run the checks that are marked slow too"
    )
    group.addoption(
        "--model-check-variant",
        metavar="VARIANT",
        help="check the models under these rules, but for those that name rules of their own: "
        "a name of `chc variants`, FILE.py:NAME or MODULE:NAME",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect our files, and nobody else's."""
    folder = file_path.parent.name
    ours = (file_path.suffix == ".toml" and is_model(file_path)) or (
        (folder, file_path.name) == ("models", suite.MANIFEST)
        or ((folder, file_path.suffix) == ("proofs", ".py") and file_path.name[0] != "_")
    )
    if not ours:
        return None
    collector: pytest.Collector = CheckFile.from_parent(parent, path=file_path)
    return collector


class CheckFile(pytest.File):
    """A file that holds checks."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give an item for each check in the file."""
        try:
            checks = self._checks()
        except ChcError as error:
            raise self.CollectError(str(error)) from None
        for check in checks:
            yield CheckItem.from_parent(self, name=f"{check.engine}:{check.name}", check=check)

    def _checks(self) -> Iterable[suite.Check]:
        if self.path.suffix == ".py":
            return suite.z3_checks(self.path)
        if self.path.name == suite.MANIFEST:
            return [suite.tlc_check(instance) for instance in load_manifest(self.path)]
        return [suite.explorer_check(self.path, self.config.stash[RULES])]


class CheckItem(pytest.Item):
    """One check as a test."""

    def __init__(self, *, check: suite.Check, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.check = check
        self.add_marker(pytest.mark.model_check)
        if not self.config.getoption(FLAG):
            self.add_marker(pytest.mark.skip(reason=REASON))
        elif check.slow and not self.config.getoption("--model-check-slow"):
            self.add_marker(pytest.mark.skip(reason="marked slow: runs with --model-check-slow"))
        elif self.config.stash[RULES] and not check.is_of_any_rules:
            self.add_marker(pytest.mark.skip(reason="a variant changes nothing of this check"))

    def runtest(self) -> None:
        """Run the check; anything but the expected verdict fails."""
        limits = Limits(seconds=self.config.getoption("--model-check-seconds"))
        report, expected = self.check.run(limits, None)
        if not expected:
            raise UnexpectedVerdictError(self.check, report)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Print what was expected, what came, and the counterexample."""
        if isinstance(excinfo.value, UnexpectedVerdictError | ChcError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the check comes from."""
        return self.path, 0, f"{self.check.engine}: {self.check.name}"


class UnexpectedVerdictError(Exception):
    """A check did not say what its file expects."""

    def __init__(self, check: suite.Check, report: Report) -> None:
        expected = f"{check.expect.value} {check.violates}".strip()
        came = f"{report.verdict.value} {report.violated}".strip()
        lines = [f"{check.engine}: {check.name}: expected {expected}; got {came}", *report.lines]
        super().__init__("\n".join(lines))


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that every check carries, and find the variant that is asked for."""
    config.addinivalue_line("markers", "model_check: a model or a proof, run by chc_ref")
    name = config.getoption("--model-check-variant")
    try:
        found = library.find(name, config.invocation_params.dir) if name else None
    except ChcError as error:
        raise pytest.UsageError(f"--model-check-variant: {error}") from None
    config.stash[RULES] = found.rules if found else None
