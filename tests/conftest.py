"""Fixtures that several files of tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commands import ROOT, Chc, Done

from chc_ref.cli import main

THOROUGH = "takes seconds: runs with --model-check"


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of tests that a plain run leaves out."""
    config.addinivalue_line("markers", f"thorough: {THOROUGH}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough, unless everything is to be checked."""
    if not config.getoption("--model-check"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason=THOROUGH))


@pytest.fixture
def chc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Chc:
    """Run the command line in this process, in the checkout or another folder."""

    def run(*arguments: str, cwd: Path = ROOT) -> Done:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["chc", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return Done(int(end.value.code or 0), *capsys.readouterr())

    return run
