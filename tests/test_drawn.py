"""Drawn models: made up at random, within what is promised, and searched as any other."""

from __future__ import annotations

import json
import tomllib
import weakref
from collections import Counter
from pathlib import Path

import pytest
from commands import Chc

from chc_ref.check import drawn
from chc_ref.check.explore import MOST_LEFT, Explorer, Limits
from chc_ref.check.model import load
from chc_ref.matrix import STATES_OF_DRAWN, jobs, table
from chc_ref.variants import library
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"
LISTED: tuple[int, ...] = tuple(tomllib.loads((MODELS / "matrix.toml").read_text())["drawn"])
MARKS = 2
"""One in which a flow moves: it is violated without a last mark."""
MINE = f"{Path(__file__).parent}/planted/store.py:OwnsWhateverItIsGiven"
"""A variant that is not shipped, and breaks nothing."""
STILL = """
chc_model = 1
about = "A packet."
leaves_out = "All else."
clauses = []
expect = "holds"
vertices = [{ name = "pass", nf = "pass" }]
packets = ["A"]
witnesses = []
"""
FEW, SOME = LISTED[:20], LISTED[20:200]


def test_a_number_is_a_model(tmp_path: Path) -> None:
    """The file that is printed says what is searched under that number."""
    for number in range(40):
        path = tmp_path / f"{drawn.name(number)}.toml"
        path.write_text(drawn.text(number))
        assert load(path).table == drawn.table(number)
        assert load(path).chain == drawn.model(number).chain
        assert drawn.table(number) == drawn.table(number)


def test_all_that_may_be_drawn_is() -> None:
    """Chains, NFs and what happens in them are all met, and not by one model only."""
    met: Counter[str] = Counter()
    for number in range(1_000):
        one = drawn.table(number)
        met.update({vertex["nf"] for vertex in one["vertices"]})
        met.update(one.keys() | {key for entry in one.get("moves", ()) for key in entry})
        met.update({a for a in one.get("fragile", ()) if "." not in a})
        met.update([f"{len(one['vertices'])} vertices, {len(one['edges'])} edges"])
    wanted = {*drawn.FUNCTIONS, "to", "scale", "clone", "keep", "root", "store"}
    wanted |= {f"{len(names)} vertices, {len(edges)} edges" for names, edges in drawn.SHAPES}
    wanted |= {"apart", "any_order", "capacity", "checkpoints", "draws", "forgets", "persist_every"}
    assert {key for key in wanted if met[key] < 5} == set()


def test_what_cannot_be_recovered_is_not_drawn() -> None:
    """REC-7, ROOT-2: no root dies with a log that a failed node needs, no store with its clock."""
    for number in range(1_000):
        one = drawn.table(number)
        fragile = one.get("fragile", ())
        roots = [address for address in fragile if address.startswith("root")]
        nodes = [address for address in fragile if "." in address]
        if roots and nodes:
            assert one["log"] == "store"
        if "store" in fragile and len(fragile) > 1 and one["most_crashes"] > 1:
            assert one["apart"]
        if "borrow" in {vertex["nf"] for vertex in one["vertices"]}:  # finding 24
            assert len(one["packets"]) == 1


@pytest.mark.parametrize(
    "number", [*FEW, *(pytest.param(number, marks=pytest.mark.thorough) for number in SOME)]
)
def test_a_listed_one_holds(number: int) -> None:
    """Under the amended rules each that the matrix searches is seen whole."""
    report = Explorer(drawn.model(number), limits=Limits(STATES_OF_DRAWN)).run()
    assert report.verdict is Verdict.HOLDS, report.violated


@pytest.mark.thorough
def test_searches_leave_little_behind() -> None:
    """Many in one process take the memory of a few: cycles are collected now and then."""
    left = []
    for _ in range(3 * MOST_LEFT):
        explorer = Explorer(drawn.model(LISTED[0]))
        explorer.run()
        left.append(weakref.ref(explorer))
        del explorer
    assert sum(one() is not None for one in left) <= MOST_LEFT + 1


def test_the_list_is_of_different_ones() -> None:
    """No number twice, in order, and enough of them to mean something."""
    assert list(LISTED) == sorted(set(LISTED))
    assert MARKS in LISTED
    assert len(LISTED) >= 500


def test_they_are_for_variants_of_ones_own() -> None:
    """A shipped variant has models that were made for it; any may be asked to go through some."""
    chosen = ("amended", "no_last_mark", MINE)

    def of(campaign: table.Campaign) -> dict[str, list[str]]:
        every = table.jobs(MODELS, chosen, 1, 1.0, campaign)
        return {
            name: [j.model for j in jobs if drawn.is_name(j.model)] for name, jobs in every.items()
        }

    default = of(table.Campaign(0, 0, None))
    assert default["amended"] == default["no_last_mark"] == []
    assert default[MINE] == [drawn.name(number) for number in LISTED]
    assert set(map(tuple, of(table.Campaign(0, 0, 2)).values())) == {("drawn_0", "drawn_1")}
    assert set(map(tuple, of(table.Campaign(0, 0)).values())) == {()}


def test_a_bound_on_a_listed_one_is_no_pass() -> None:
    """A cell is inconclusive where one that the list has was not seen whole; others only add."""
    mine = library.find(MINE)

    def verdict(campaign: table.Campaign) -> Verdict:
        every = table.jobs(MODELS, [MINE], 200, 60.0, campaign)[MINE]
        drawn_ones = [job for job in every if drawn.is_name(job.model)][:10]
        return table.row(MINE, mine, map(jobs.run, drawn_ones)).cells["COE"].verdict

    assert verdict(table.Campaign(0, 0, None)) is Verdict.INCONCLUSIVE
    assert verdict(table.Campaign(0, 0, 10)) is Verdict.HOLDS


def test_by_the_command_line(chc: Chc, tmp_path: Path) -> None:
    """A drawn model is printed, checked by its name, and found by the matrix."""
    printed = chc("drawn", str(LISTED[0]))
    assert printed.returncode == 0
    assert printed.stdout == drawn.text(LISTED[0])
    checked = chc("check", drawn.name(LISTED[0]))
    assert checked.returncode == 0
    assert drawn.name(LISTED[0]) in checked.stdout
    assert chc("drawn", "-1").returncode == 2


@pytest.mark.parametrize("entry", ["-1", '"one"', "true", "1.5"])
def test_a_list_of_something_else_is_refused(entry: str, chc: Chc, tmp_path: Path) -> None:
    """The key and the entry are named."""
    model = (MODELS / "move_back.toml").read_text()
    (tmp_path / "move_back.toml").write_text(model)
    (tmp_path / "matrix.toml").write_text(
        f'chc_matrix = 1\nmodels = ["move_back"]\ndrawn = [{entry}]\n'
    )
    done = chc("matrix", "amended", "--models", str(tmp_path))
    assert done.returncode == 2
    assert "drawn" in done.stderr


def test_where_no_model_is_violated_drawn_ones_are_asked(chc: Chc, tmp_path: Path) -> None:
    """All models of a folder under a variant, and then the drawn ones that its list has."""
    (tmp_path / "still.toml").write_text(STILL)
    (tmp_path / "matrix.toml").write_text(
        f'chc_matrix = 1\nmodels = ["still"]\ndrawn = [{LISTED[0]}, {MARKS}]\n'
    )
    folder = ("--models", str(tmp_path))
    found = chc("check", "--variant", "no_last_mark", *folder)
    assert found.returncode == 1
    assert f"drawn_{MARKS}" in found.stdout
    assert "violated: " in found.stdout
    held = chc("check", "--variant", "amended", *folder)
    assert held.returncode == 0
    assert "Drawn ones searched besides: 2 holds." in held.stdout
    bounded = chc("check", "--variant", "amended", *folder, "--states", "30", "--json")
    assert bounded.returncode == 3, "a bound is no pass"
    assert json.loads(bounded.stdout)["drawn"] == {"inconclusive": 2}
    named = chc("check", "still", "--variant", "no_last_mark", *folder)
    assert named.returncode == 0
    assert "drawn" not in named.stdout
