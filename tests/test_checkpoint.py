"""Checkpoints: a search that was stopped goes on, by either back end, as if it had not been."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
import signal
from pathlib import Path
from typing import Any

import attrs
import pytest
from commands import ROOT, Chc

from chc_ref.check import kernel
from chc_ref.check.checkpoint import MAGIC
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.model import load
from chc_ref.errors import UsageError
from chc_ref.variants.shipped import SHIPPED
from chc_ref.verdict import Verdict

MODELS = ROOT / "models"
PAIRS = list(itertools.product(kernel.backends(), repeat=2))


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize(
    "name",
    [
        "pool",
        "ablation_delete_at_once",
        pytest.param("channels_transport_crash_outputs", marks=pytest.mark.thorough),
    ],
)
def test_a_search_goes_on_as_if_it_had_not_been_stopped(
    name: str, one: str, other: str, tmp_path: Path
) -> None:
    """Counts, verdict, witnesses and counterexample are those of one search."""
    model, path = load(MODELS / f"{name}.toml"), tmp_path / "search"
    whole = Explorer(model, method=Method(other)).run()
    first = Explorer(model, None, Limits(states=1_500), Method(one))
    assert first.run().verdict is Verdict.INCONCLUSIVE
    first.save(path)
    second = Explorer(model, method=Method(other))
    second.resume(path)
    report = second.run()
    assert attrs.evolve(report, seconds=0.0) == attrs.evolve(whole, seconds=0.0)
    assert report.states is not None
    assert report.states > 1_500


def test_what_is_not_of_this_search_is_refused(tmp_path: Path) -> None:
    """The error names the file, what is wrong with it, and what to do."""
    model, path = load(MODELS / "pool.toml"), tmp_path / "search"
    explorer = Explorer(model, None, Limits(states=500))
    explorer.run()
    explorer.save(path)
    written = path.read_bytes()
    again = Explorer(model)
    others = (
        (Explorer(load(MODELS / "draw.toml")), "is of another model (pool, not draw)"),
        (Explorer(model, SHIPPED["paper"].rules), "is of another variant (amended, not paper)"),
        (Explorer(attrs.evolve(model, table={"packets": ["A"]})), "is of another system; name"),
    )
    for other, wrong in others:
        with pytest.raises(UsageError) as error:
            other.resume(path)
        assert str(error.value).startswith(f"{path}: ")
        assert wrong in str(error.value)
    for text, wrong in (
        (b"anything", "is no checkpoint of a search; name another file"),
        (written[:-9], "is spoilt, or of another version; delete it"),
        (MAGIC + pickle.dumps("text"), "is of another version; delete it"),
    ):
        path.write_bytes(text)
        with pytest.raises(UsageError, match=wrong):
            again.resume(path)
    with pytest.raises(UsageError, match="No such file"):
        again.resume(tmp_path / "none")
    with pytest.raises(UsageError, match="No such file"):
        explorer.save(tmp_path / "none" / "search")


def test_the_command_keeps_a_stopped_search(chc: Chc, tmp_path: Path) -> None:
    """It leaves a file behind when it is stopped, goes on from it, and takes it away at the end."""
    path = tmp_path / "search"
    arguments = ("check", "pool", "--checkpoint", str(path), "--json")
    stopped = chc(*arguments, "--states", "1000")
    assert stopped.returncode == 3
    assert path.exists()
    done = chc(*arguments)
    assert done.returncode == 0
    assert not path.exists()
    (report,) = json.loads(done.stdout)["checks"]
    assert report["states"] == Explorer(load(MODELS / "pool.toml")).run().states
    wrong = chc("check", "--checkpoint", str(path))
    assert wrong.returncode == 2
    assert "--checkpoint keeps one search: name one model of the explorer" in wrong.stderr


RULE = """
from chc_ref.variants import variant

@variant(clauses=("MOVE-1",))
class Mine:
    "A rule as it is."
    def marks_last(epoch): return bool(epoch >= 0)
"""


def test_steps_that_other_code_has_taken_are_refused(chc: Chc, tmp_path: Path) -> None:
    """A rule that was changed while a search was stopped: half the states would be of the old."""
    path, mine = tmp_path / "search", tmp_path / "mine.py"
    mine.write_text(RULE)
    arguments = ("check", "pool", "--checkpoint", str(path), "--variant", f"{mine}:Mine")
    assert chc(*arguments, "--states", "1000").returncode == 3
    mine.write_text(RULE.replace("epoch >= 0", "False"))
    changed = chc(*arguments)
    assert changed.returncode == 2
    assert "a file of the variant or the model, has changed since; delete it" in changed.stderr
    mine.write_text(RULE)
    assert chc(*arguments).returncode == 0


@pytest.mark.parametrize("backend", kernel.backends())
def test_an_interrupted_search_is_kept(
    backend: str, chc: Chc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends a search that has a checkpoint, and loses nothing of it."""
    shutil.copy(MODELS / "draw.toml", tmp_path)
    path, before = tmp_path / "search", signal.getsignal(signal.SIGINT)
    found = Explorer._found

    def interrupted(*of: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return found(*of)

    monkeypatch.setattr(Explorer, "_found", interrupted)
    arguments = ("check", "draw.toml", "--checkpoint", str(path), "--backend", backend, "--json")
    stopped = chc(*arguments, cwd=tmp_path)
    assert stopped.returncode == 3
    assert "interrupted" in stopped.stdout
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.setattr(Explorer, "_found", found)
    done = chc(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    (report,) = json.loads(done.stdout)["checks"]
    assert report["states"] == Explorer(load(MODELS / "draw.toml")).run().states
