"""The command line: what it prints, its exit codes, one line for bad input."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from captured import CAPTURES, beginning_of
from commands import ROOT, Chc

CAPTURE = str(CAPTURES / "trojan_small.pcap")


def test_the_command_is_installed() -> None:
    """``chc`` is a program of its own."""
    done = subprocess.run(
        [Path(sys.executable).parent / "chc", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("chc_ref ")


def test_replay_gives_one_json_object(chc: Chc, tmp_path: Path) -> None:
    """Machines get one object with the verdict, the packets and every vertex' results."""
    capture = str(beginning_of("trojan_small", 500, tmp_path))
    done = chc("replay", capture, "--json", "--move", "nat.0@300", "--crash", "portscan.1@400")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["coe"] == "equal"
    assert data["packets"]["read"] == 500
    assert data["packets"]["malformed"] == 0
    assert set(data["vertices"]) == {"nat", "portscan", "trojan", "load_balancer"}
    assert data["vertices"]["trojan"]["alerts"][0]["host"] == "10.1.0.21"
    assert list(data["vertices"]["trojan"]["alerts"][0]["clocks"]) == [
        "ssh", "html", "zip", "exe", "irc"
    ]  # fmt: skip
    assert data["crashed"] == ["portscan.1"]


def test_replay_of_a_broken_protocol_exits_with_1_and_the_first_difference(
    chc: Chc, tmp_path: Path
) -> None:
    """A difference is shown and is the exit code."""
    capture = str(beginning_of("trojan_small", 300, tmp_path))
    crash = ("--crash", "nat.0@150", "--crash", "nat.1@200")
    done = chc("replay", capture, "--json", "--variant", "no_update_suppression", *crash)
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["coe"] == "different"
    assert data["first_difference"]["requirement"] == "COE"


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "no-such-file.pcap"),
        ("replay", "README.md"),
        ("replay", CAPTURE, "--crash", "nat.9@5"),
        ("replay", CAPTURE, "--move", "nat.1"),
        ("replay", CAPTURE, "--calm", "--crash", "nat.0@5"),
        ("replay", CAPTURE, "--schedule", "no-such-schedule.toml"),
        ("replay", CAPTURE, "--inside", "10.1.0.0/99"),
        ("replay", CAPTURE, "--pool", "10.2.0.0"),
        ("replay", CAPTURE, "--variant", "none"),
        ("replay", CAPTURE, "--instances", "0"),
        ("replay", "models/crash_one.toml"),
        ("replay", "no-such-schedule.toml"),
        ("replay", "models/crash_one.toml", "--calm"),
        ("replay", "models/crash_one.toml", "--variant", "none"),
        ("replay",),
        ("check", "no_such_model"),
        ("check", "no/such/file.toml"),
        ("check", "--engine", "magic"),
        ("check", "--variant", "none"),
        ("check", "--models", "no-such-folder"),
        ("check", "two_operations", "--save", "README.md"),
        ("check", "two_operations", "--save", "README.md/new"),
        ("check", "two_operations", "--formats", "html"),
        ("check", "two_operations", "--save", "new", "--formats", "pdf"),
        ("check", "two_operations", "--save", "new", "--formats", "html,"),
        ("replay", CAPTURE, "--save", "new"),
        ("replay", CAPTURE, "--formats", "html"),
        ("chekc",),
        ("check", "--bogus"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(
    chc: Chc, arguments: tuple[str, ...]
) -> None:
    """No traceback, one line, on standard error."""
    done = chc(*arguments)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("chc: ")
    assert not done.stdout


def test_check_tells_a_named_violation_from_an_expected_one(chc: Chc) -> None:
    """Named, an ablation is violated (1) and shown; a bound is inconclusive (3)."""
    named = chc("check", "ablation_no_wait_for_owner")
    assert named.returncode == 1
    assert "COE: output of clock 2" in named.stdout
    assert "world: Operate" in named.stdout
    bounded = chc("check", "crash_one", "--states", "100")
    assert bounded.returncode == 3
    assert "limit of 100 states" in bounded.stdout


def test_a_variant_is_checked_on_a_model_of_ones_choice(chc: Chc) -> None:
    """``--variant`` puts other rules under the same model."""
    done = chc("check", "crash_one", "--variant", "delete_at_once", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)["checks"][0]
    assert (report["rules"], report["verdict"]) == ("delete_at_once", "violated")
    assert report["trace"]


def test_a_counterexample_is_saved_and_replayed(chc: Chc, tmp_path: Path) -> None:
    """``check --save`` writes what ``replay`` shows: the same steps, violation and exit code."""
    folder = str(tmp_path / "new" / "folder")
    checked = chc("check", "crash_one", "draw", "--variant", "delete_at_once", "--save", folder)
    path = tmp_path / "new" / "folder" / "crash_one.delete_at_once.toml"
    assert list(path.parent.iterdir()) == [path], "what holds leaves nothing to save"
    assert f"saved {path}" in checked.stderr
    replayed = chc("replay", str(path))
    assert replayed.returncode == 1
    head, *steps = replayed.stdout.splitlines()
    assert head.partition(": ")[2] in checked.stdout
    assert "\n".join(steps) in checked.stdout
    assert "        root: root.count: 0 -> 1; " in checked.stdout
    data = json.loads(chc("replay", str(path), "--json").stdout)
    assert (data["verdict"], data["rules"]) == ("violated", "delete_at_once")
    assert data["violated"] == data["written_for"]
    assert data["trace"] == [step for step in steps if re.match(r" *\d+ ", step)]
    assert data["counterexample"]["clauses"][1:] == ["DEL-3"]


ALL_FILES = {"{}.toml", "{}.html", "{}.svg", "{}.mmd", "{}.itf.json", "test_{}.py"}


def test_a_counterexample_is_saved_in_every_format(chc: Chc, tmp_path: Path) -> None:
    """By a check and, from its schedule, by a replay: the same files."""
    first, second = tmp_path / "first", tmp_path / "second"
    name = "ablation_continues_at_persisted"
    checked = chc("check", name, "--no-simplify", "--save", str(first), "--formats", "all")
    assert checked.returncode == 1
    assert {path.name for path in first.iterdir()} == {one.format(name) for one in ALL_FILES}
    assert checked.stderr.count("saved ") == len(ALL_FILES)
    replayed = chc("replay", str(first / f"{name}.toml"), "--save", str(second), "--formats", "all")
    assert replayed.returncode == 1, replayed.stderr
    for file in ("svg", "mmd", "itf.json", "toml"):
        one, other = ((folder / f"{name}.{file}").read_text() for folder in (first, second))
        assert one == other


def test_formats_are_chosen_and_a_test_brings_its_schedule(chc: Chc, tmp_path: Path) -> None:
    """Blanks do no harm; without a counterexample that is said, and nothing is written."""
    folder = tmp_path / "new"
    held = chc("check", "draw", "--save", str(folder), "--formats", "html, pytest")
    assert held.returncode == 0
    assert "nothing to save" in held.stderr
    assert not folder.exists()
    name = "ablation_continues_at_persisted"
    chc("check", name, "--save", str(folder), "--formats", "html, pytest")
    wanted = {f"{name}.html", f"test_{name}.py", f"{name}.toml"}
    assert {path.name for path in folder.iterdir()} == wanted
    mended = chc("replay", str(folder / f"{name}.toml"), "--variant", "amended", "--save", "x")
    assert mended.returncode == 0
    assert "nothing to save" in mended.stderr


def test_a_counterexample_is_shown_simplified_or_as_it_was_found(chc: Chc) -> None:
    """The fewest packets by default, and what went is said; the table is that of the search."""
    simple = chc("check", "ablation_no_last_mark")
    assert "simplified: tried to leave out 7 things, 21 -> 7 steps" in simple.stdout
    assert " 21 count.0 -> sink" not in simple.stdout
    assert "  clauses: R1, MOVE-1\n" in simple.stdout
    found = chc("check", "ablation_no_last_mark", "--no-simplify")
    assert "simplified" not in found.stdout
    assert " 21 count.0 -> sink" in found.stdout
    data = json.loads(chc("check", "ablation_no_last_mark", "--json").stdout)["checks"][0]
    assert (len(data["trace"]), len(data["counterexample"]["steps"])) == (21, 7)
    assert data["counterexample"]["clauses"] == ["R1", "MOVE-1"]


def test_a_walk_is_simplified_too(chc: Chc) -> None:
    """What is shown is not longer than what was found at random."""
    command = ("check", "ablation_no_last_mark", "--order", "walks", "--seed", "1")
    lengths = re.search(r"things, (\d+) -> (\d+) steps", chc(*command).stdout)
    assert lengths
    assert int(lengths[2]) <= int(lengths[1])


def test_a_saved_run_under_other_rules_says_what_it_was_written_for(
    chc: Chc, tmp_path: Path
) -> None:
    """A mended fault is exit code 0; a step that cannot happen any more is bad input."""
    chc("check", "ablation_continues_at_persisted", "--save", str(tmp_path))
    path = tmp_path / "ablation_continues_at_persisted.toml"
    mended = chc("replay", str(path), "--variant", "amended")
    assert mended.returncode == 0
    assert "this run violates nothing (it was written for: R4: clock 1" in mended.stdout
    path.write_text(path.read_text().replace('"crash root"', '"crash store"'))
    done = chc("replay", str(path))
    assert done.returncode == 2
    assert f"{path}: step 2: 'crash store' is not possible here" in done.stderr


def test_check_in_a_folder_of_ones_own(chc: Chc, tmp_path: Path) -> None:
    """Models and expectations of another project; an unmet expectation is exit code 1."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(ROOT / "models" / "latch.toml", models / "mine.toml")
    done = chc("check", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    text = (models / "mine.toml").read_text()
    violated = 'expect = "violated"\nviolates = "COE"'
    (models / "mine.toml").write_text(text.replace('expect = "holds"', violated))
    assert chc("check", cwd=tmp_path).returncode == 1


def test_the_proofs_are_an_engine(chc: Chc, tmp_path: Path) -> None:
    """``--engine z3`` runs a folder's proofs, deliberate failures among them."""
    shutil.copy(ROOT / "proofs" / "delete_vector.py", tmp_path)
    done = chc("check", "--engine", "z3", "--json", "--proofs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    verdicts = {c["model"]: c["verdict"] for c in json.loads(done.stdout)["checks"]}
    assert verdicts["delete_vector"] == "holds"
    assert verdicts["delete_vector_xor"] == "violated"
