"""Fixtures that several files of tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commands import ROOT, Chc, Done

from chc_ref.cli import main


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
