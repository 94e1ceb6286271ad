"""TLC wrapper: reading what TLC prints, saying what is missing, and the mutants of the manifest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chc_ref.errors import ToolError, UsageError
from chc_ref.tlc import config
from chc_ref.tlc.instances import Instance, check_instance, load_manifest
from chc_ref.tlc.output import Progress, parse_output
from chc_ref.tlc.run import Settings, check
from chc_ref.verdict import Report, Verdict

MANIFEST = Path(__file__).parent.parent / "models" / "manifest.toml"
INSTANCES = load_manifest(MANIFEST)
MUTANTS = [instance for instance in INSTANCES if instance.kind == "mutant"]

COUNTER = """---- MODULE Counter ----
EXTENDS Naturals
VARIABLES x, y
Init == x = 0 /\\ y = 0
Next == x' = x + 1 /\\ y' = y
Spec == Init /\\ [][Next]_<<x, y>>
Small == x < 2
====
"""


SPEC = "SPECIFICATION Spec\n"


def message(code: int, severity: int, text: str) -> str:
    return f"@!@!@STARTMSG {code}:{severity} @!@!@\n{text}\n@!@!@ENDMSG {code} @!@!@\n"


VERSION = message(2262, 0, "TLC2 Version 2.15 of Day Month 20?? (rev: d5b5a7f)")
VIOLATED = (
    VERSION
    + message(2110, 1, "Invariant Small is violated.")
    + message(2121, 1, "The behavior up to this point is:")
    + message(2217, 4, "1: <Initial predicate>\n/\\ x = 0\n/\\ y = [ a |-> 1,\n  b |-> 2 ]\n")
    + message(2217, 4, "2: <Next line 5, col 9 to line 5, col 18 of module C>\n/\\ x = 1\n"
              "/\\ y = [ a |-> 1,\n  b |-> 2 ]\n")
    + message(2199, 0, "1,004 states generated, 1,003 distinct states found, 2 left.")
    + message(2194, 0, "The depth of the complete state graph search is 12.")
)  # fmt: skip


def module(folder: Path, text: str, cfg: str = SPEC) -> tuple[Path, Path]:
    """Write a module and its configuration."""
    paths = folder / "Counter.tla", folder / "Counter.cfg"
    paths[0].write_text(text)
    paths[1].write_text(cfg)
    return paths


def test_violation_is_read() -> None:
    """A violated invariant is named, with counts, depth and version."""
    got = parse_output(VIOLATED)
    assert (got.violated, got.complete, got.version) == ("Small", False, "2.15")
    assert (got.generated, got.distinct, got.depth) == (1004, 1003, 12)


def test_trace_has_one_line_a_step() -> None:
    """A step is its action and the variables that it changed, on one line."""
    trace = parse_output(VIOLATED).trace
    assert trace is not None
    assert trace.brief == ("  0 begins in x = 0; y = [a |-> 1, b |-> 2]", "  1 Next: x: 0 -> 1")


def test_endless_stuttering_ends_a_trace() -> None:
    """A liveness counterexample says how it goes on for ever."""
    text = message(2116, 1, "Temporal properties were violated.\n")
    text += message(2217, 4, "1: <Initial predicate>\nx = 0\n")
    text += message(2218, 4, "2: Stuttering")
    got = parse_output(text)
    assert got.violated == "a temporal property"
    assert got.trace is not None
    assert (got.trace.loop, got.trace.back) == (0, "")
    assert got.trace.brief == ("  0 begins in x = 0", "    nothing happens any more")


def test_lasso_is_read() -> None:
    """A counterexample that goes round for ever says where to, and by which action."""
    text = message(2116, 1, "Temporal properties were violated.\n")
    text += message(2217, 4, "1: <Initial predicate>\nx = 0\n")
    text += message(2217, 4, "2: <Inc line 6, col 9 to line 6, col 18 of module C>\nx = 1\n")
    text += message(2122, 4, "2: Back to state: <Dec line 7, col 8 to line 7, col 9 of module C>\n")
    trace = parse_output(text).trace
    assert trace is not None
    assert (trace.loop, trace.back) == (1, "Dec")


def test_deadlock_is_a_violation() -> None:
    """A state without a successor, where that is asked for."""
    text = message(2114, 1, "Deadlock reached.")
    assert parse_output(text).violated == "deadlock"


def test_counts_of_actions_are_the_last_ones() -> None:
    """Counts that are printed again count once; what has no name counts for its operator."""
    count = "<{} line {}, col 1 to line 6, col 6 of module A{}>: {}:{}".format
    text = message(2773, 0, count("Init", 5, "", 1, 1)) + message(2772, 0, count("A", 6, "", 1, 2))
    text += message(2772, 0, count("A", 6, "", 3, 9)) + message(2772, 0, count("B", 7, "", 0, 0))
    text += message(2772, 0, count("Next", 8, " (14 37 14 72)", 1, 1))
    text += message(2772, 0, count("Next", 8, " (15 37 15 72)", 1, 2))
    got = parse_output(text)
    assert got.coverage == {"A": (3, 9), "B": (0, 0), "Next": (2, 3)}
    assert got.never == ("B",)


def test_fault_of_a_file_is_told_without_a_place() -> None:
    """A module that is not there, or has another name, is named without our own folders."""
    text = message(2220, 0, "Starting SANY...") + (
        "Parsing file /x/C.tla\nFile does not exist: /x/D.tla while looking in these directories:\n"
        "\ntla2sany.semantic.AbortException\n*** Abort messages: 1\n\nUnknown location\n\n"
        "Cannot find source file for module D imported in module C.\n\n\n"
    )
    text += message(2219, 0, "SANY finished.") + message(3002, 1, "Parsing failed.")
    want = "Cannot find source file for module D imported in module C."
    assert parse_output(text, "C.cfg").fault == want


def test_refinement_is_a_property() -> None:
    """TLC gives the place of the next-state relation that is refined, and not the name."""
    place = "Action property line 7, col 9 to line 7, col 21 of module Ideal is violated."
    got = parse_output(VERSION + message(2112, 1, place))
    assert (got.violated, got.fault, got.complete) == ("a temporal property", "", False)


def test_output_that_breaks_off_gives_last_progress() -> None:
    """A run that was stopped has the counts that TLC printed last, and no verdict."""
    line = "Progress(9) at 2020-01-01 00:00:00: {} states generated (1 s/min), {} distinct states "
    line += "found (1 ds/min), 7 states left on queue."
    text = VERSION + message(2200, 0, line.format("12", "8")) + line.format("1,300", "900")
    got = parse_output(text)
    assert (got.generated, got.distinct, got.depth, got.complete) == (1300, 900, 9, False)


def test_failure_without_a_place_is_kept() -> None:
    """An error that is nobody's module is reported as a failure of the tool, in one line."""
    got = parse_output(VERSION + message(1001, 1, "Java ran out\nof memory."), "C.cfg")
    assert (got.fault, got.failure) == ("", "Java ran out of memory.")


@pytest.mark.parametrize("variable", ["CHC_JAVA", "CHC_TLA2TOOLS"])
def test_missing_tool_is_one_line(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Java or jar that is not there gives one line that names both variables."""
    monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    with pytest.raises(ToolError, match=r"CHC_JAVA.*CHC_TLA2TOOLS") as caught:
        check(*module(tmp_path, COUNTER))
    assert variable in str(caught.value).split(";")[0]
    assert "\n" not in str(caught.value)


def test_nothing_installed_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any Java at all the same line tells how to name one."""
    monkeypatch.delenv("CHC_JAVA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("chc_ref.tlc.tools.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^no Java found for TLC; set CHC_JAVA and CHC_TLA2TOOLS"):
        check(*module(tmp_path, COUNTER))


@pytest.mark.parametrize(
    ("text", "cfg", "want"),
    [
        (COUNTER.replace("x + 1", "= x"), SPEC, r"^Counter\.tla:5: .*Encounter"),
        (COUNTER.replace("x + 1", "z + 1"), SPEC, r"^Counter\.tla:5: .*`z'"),
        (COUNTER.replace("x + 1", "x.a"), SPEC, r"^Counter\.tla:5: .*field"),
        (COUNTER, "SPECIFICATION Spec\nCONSTANT\n N N\n", r"^Counter\.cfg:3: .*expecting"),
        (COUNTER, "SPECIFICATION Spec\nINVARIANT Tiny\n", r"^Counter\.cfg: .*Tiny"),
    ],
    ids=["syntax", "name", "value", "cfg syntax", "cfg name"],
)
def test_fault_is_located(text: str, cfg: str, want: str, tmp_path: Path) -> None:
    """An error in a module or configuration names the file, and the line if TLC does."""
    with pytest.raises(UsageError, match=want) as caught:
        check(*module(tmp_path, text, cfg), settings=Settings(short=True))
    assert "\n" not in str(caught.value)


def test_time_limit_is_inconclusive(tmp_path: Path) -> None:
    """A run without end is stopped at its time limit, and has no verdict."""
    report = check(*module(tmp_path, COUNTER), settings=Settings(limit_s=0.5, short=True))
    assert (report.verdict, report.violated) == (Verdict.INCONCLUSIVE, "time limit of 0.5 s")


def test_complete_run_holds(tmp_path: Path) -> None:
    """A run that sees every state holds, counts them exactly and leaves no file behind."""
    seen: list[Progress] = []
    bounded = COUNTER.replace("x' = x + 1", "x' = (x + 1) % 2")
    paths = module(tmp_path, bounded, "SPECIFICATION Spec\nINVARIANT Small\n")
    report = check(*paths, settings=Settings(progress=seen.append, short=True))
    assert (report.verdict, report.states, report.transitions, report.depth) == (
        Verdict.HOLDS,
        2,
        3,
        2,
    )
    assert report.engine.startswith("tlc ")
    assert seen[-1].distinct == 2
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.parametrize("mutant", MUTANTS[::40], ids=lambda mutant: mutant.name)
def test_mutant_is_violated(mutant: Instance) -> None:
    """A rule that is dropped breaks the property that the manifest names.

    Some of them here; with ``--model-check`` all are items of the manifest.
    """
    report, as_expected = check_instance(mutant, Settings(limit_s=60))
    assert (report.verdict, report.violated) == (Verdict.VIOLATED, mutant.violated)
    assert as_expected
    assert len(report.trace) > 1


def test_unexpected_count_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with the right verdict and another count than the manifest's is not as expected."""
    instance = next(one for one in INSTANCES if one.states)
    report = Report("tlc 2.15", "", instance.expect, states=instance.states, depth=instance.depth)
    monkeypatch.setattr("chc_ref.tlc.instances.check", lambda *_, **__: report)
    assert check_instance(instance)[1]
    other = Report("tlc 2.15", "", instance.expect, states=1, depth=instance.depth)
    monkeypatch.setattr("chc_ref.tlc.instances.check", lambda *_, **__: other)
    assert not check_instance(instance)[1]


def asked(instance: Instance) -> set[str]:
    """Give what an instance checks."""
    words = ("INVARIANT", "INVARIANTS", "PROPERTY", "PROPERTIES")
    listed = config.sections(instance.cfg.read_text())
    return {name for word, rest in listed if word in words for name in rest.split()}


def specified(instance: Instance) -> str:
    """Give the text of all modules of an instance that are specifications."""
    text, to_read, known = "", [instance.module], set[Path]()
    while to_read:
        path = to_read.pop()
        if path in known or not path.exists():
            continue
        known.add(path)
        found = path.read_text()
        text += found if path.parent == instance.specs else ""
        for line in re.findall(r"^EXTENDS (.*)$", found, re.M):
            to_read += [instance.specs / f"{name.strip()}.tla" for name in line.split(",")]
    return text


BY_MODULE = {
    module: [instance for instance in INSTANCES if instance.module == module]
    for module in sorted({instance.module for instance in INSTANCES})
}
SPECIFIED = pytest.mark.parametrize("module", BY_MODULE, ids=[path.stem for path in BY_MODULE])


@SPECIFIED
def test_every_property_can_fail(module: Path) -> None:
    """Every property that a protocol instance checks is violated by a mutant of that module."""
    of = BY_MODULE[module]
    checked = {name for one in of if one.kind == "protocol" for name in asked(one)}
    assert checked
    assert checked <= {one.violated for one in of if one.kind == "mutant"}
    counted = {"MCReallocationLarge"}  # for its number of states alone, as its text says
    assert {one.name for one in of if not asked(one)} <= counted


@SPECIFIED
def test_every_rule_is_dropped(module: Path) -> None:
    """Every rule that a specification says may be dropped is dropped by some instance."""
    of = BY_MODULE[module]
    rules = set(re.findall(r"^(\w+) == TRUE\b", specified(of[0]), re.M))
    assert rules or module.stem == "MCChannel"  # the ideal channels, which have none
    assert rules <= {
        rule for one in of for rule in re.findall(r"(\w+) <- Dropped", one.cfg.read_text())
    }


@SPECIFIED
def test_every_witness_is_reached(module: Path) -> None:
    """Every situation of a specification that must be reachable has an instance."""
    of = BY_MODULE[module]
    witnesses = set(re.findall(r"^(Never\w+) ==", specified(of[0]), re.M))
    assert witnesses
    assert witnesses == {one.violated for one in of if one.kind == "witness"}


@SPECIFIED
def test_every_constant_is_assigned(module: Path) -> None:
    """No instance lacks a constant of its module: those that are slow would not run to tell."""
    of = BY_MODULE[module]
    text = re.sub(r"\(\*.*?\*\)|\\\*[^\n]*", "", specified(of[0]) + module.read_text(), flags=re.S)
    listed = re.findall(r"^CONSTANTS?\b(.*?)^(?=\S)", text, re.M | re.S)
    constants = {name for one in listed for name in re.findall(r"\w+", re.sub(r"\(.*?\)", "", one))}
    assert constants
    for one in of:
        assert constants <= set(re.findall(r"(\w+)\s*(?:=|<-)", one.cfg.read_text())), one.name


def test_no_instance_leaves_states_out() -> None:
    """No constraint, view or symmetry: what is not looked at might hide what is wrong."""
    words = {word for one in INSTANCES for word, _ in config.sections(one.cfg.read_text())}
    assert words == {"SPECIFICATION", "CONSTANTS", "INVARIANTS", "PROPERTIES"}


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ('kind = "mutant"', 'kind = "other"', r"a: .*kind"),
        ('name = "a"', "name = 1", r"name"),
        ('about = "b"', 'abut = "b"', r"a: abut: no such key"),
        ("slow = false", "slow = 3", r"a: .*slow"),
        ('cfg = "M.cfg"', 'cfg = "N.cfg"', r"a: cfg: there is no N\.cfg"),
        ('violated = "P"', "", r"a: violated"),
        ("[[instance]]", "[[other]]", r"instance: missing"),
        ("slow", "= slow", r"line"),
    ],
)
def test_malformed_manifest_is_refused(old: str, new: str, want: str, tmp_path: Path) -> None:
    """A malformed manifest is refused with its file and the key at fault."""
    for name in ("M.tla", "M.cfg"):
        (tmp_path / name).touch()
    good = (
        'specs = "."\n[[instance]]\nname = "a"\nkind = "mutant"\nmodule = "M.tla"\ncfg = "M.cfg"\n'
        'about = "b"\nclauses = ["MOVE-1"]\nexpect = "violated"\nviolated = "P"\nslow = false\n'
    )
    path = tmp_path / "manifest.toml"
    path.write_text(good)
    assert load_manifest(path)[0].violated == "P"
    path.write_text(good.replace(old, new, 1))
    with pytest.raises(UsageError, match=want) as caught:
        load_manifest(path)
    assert str(path) in str(caught.value)
