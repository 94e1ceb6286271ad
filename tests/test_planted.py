"""Planted faults are found, each by a model that was not made for it, with the default budget.

``planted.py`` has them, written as a user writes variants. What no model shows is named here with
the reason, so that nobody believes it is looked for.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import planted
import pytest
from commands import Chc

from chc_ref.check.explore import Explorer, Limits
from chc_ref.check.model import load
from chc_ref.matrix import table
from chc_ref.variants import Variant, library
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"
FILE = Path(__file__).parent / "planted.py"

FOUND = {
    "AfterForgotten": "crash_after_move",
    "AnnouncesTheFirstMoveOnly": "ablation_releases_in_any_order",
    "AnsweredForgotten": "ablation_marks_once",
    "AsksForTheClockBefore": "ablation_sees_the_present",
    "CallsTheUpdaterOnly": "copies",
    "CheckpointWithoutRecords": "store_marker",
    "CloneReleasesEarly": "clone_last",
    "CommitsAllButOne": "ablation_outputs_before_commits",
    "ContinuesOneTooLow": "ablation_clock_need_not_be_stored",
    "DeleteForgetsEarlier": "twice",
    "DeleteNeverFirst": "ablation_one_clock_for_all",
    "DropsOneTooMany": "ablation_no_update_suppression",
    "EndBeforeReplay": "crash_above_move",
    "EndNamesOneMore": "ablation_no_update_suppression",
    "EndsTwoTenuresAtOnce": "ablation_releases_in_any_order",
    "EveryShareIsWhole": "ablation_copies_share_a_name",
    "FirstMarkForgotten": "ablation_releases_in_any_order",
    "FlushesNewestFirst": "move_back",
    "ForgetsOneTooMany": "ablation_forgets_what_is_logged",
    "ForgetsTheNext": "forget_root_alone",
    "InputDiesWithTheRoot": "ablation_clock_need_not_be_stored",
    "InputOvertakes": "ablation_clock_need_not_be_stored",
    "KnowsFirstUpdatesOnly": "two_accesses",
    "LogWithoutVectors": "root_and_nf_unflushed",
    "LogsOldestOnly": "root_log_in_store_one_flow",
    "MarksTheFirstMoveOnly": "ablation_releases_in_any_order",
    "MoveNeverOver": "ablation_releases_in_any_order",
    "NeverVoid": "store_after_nf",
    "NoAlerts": "latch",
    "NoCallbacks": "copies",
    "NoCheckpointAtTheFence": "store_after_nf",
    "NobodyIsNotified": "ablation_releases_in_any_order",
    "NothingAskedAgain": "store_with_log",
    "OneSplitterIsTold": "ablation_one_mark_is_enough",
    "OneUserIsAsked": "store_copies",
    "OutputTwice": "latch",
    "OwnersNotRemembered": "store_with_log",
    "PersistsOneLess": "ablation_clock_need_not_be_stored",
    "ReadsNotRemembered": "ablation_oldest_read",
    "ReadsOneUpdateOff": "store_pool",
    "RecordsWithoutToken": "root_log_in_store_one_flow",
    "ReleaseOneTooFar": "ablation_scales_at_once",
    "ReleasedAtTheMark": "ablation_no_last_mark",
    "RepeatsGetNothing": "two_accesses",
    "ReplayNotTold": "ablation_target_kept",
    "ReplayWithoutTarget": "crash_one",
    "ReplaysTheUntouched": "ablation_no_replay",
    "ReplaysWithCaches": "alone_clone",
    "SeesItself": "ablation_replay_not_awaited",
    "SignalsAnotherObject": "ablation_suppresses_by_object",
    "SignalsTheWholePacket": "ablation_copies_share_a_name",
    "StartsUnfenced": "store_after_nf",
    "TenureBeginsBehindItsFirst": "ablation_scales_at_once",
    "TenureBeginsOneLater": "ablation_scales_at_once",
    "TrimsTooFar": "store_after_nf",
    "VectorNotPassedOn": "crash_first",
    "VoidsTheLiving": "ablation_target_kept",
    "WaitsForAllOwnersButOne": "ablation_scales_at_once",
    "WaitsForOneMarkLess": "ablation_scales_at_once",
    "WaitsOneTooLate": "ablation_clock_need_not_be_stored",
}
"""Fault and a model of the folder that shows it."""

UNSEEN = {
    "AlwaysLatest": "a second wall: tenures begin with a clock, so a late packet of an earlier one "
    "goes to its old instance (findings 12 and 14)",
    "CachesBehindNewer": "as AlwaysLatest",
    "OwnsWhateverItIsGiven": "as AlwaysLatest",
    "ServesFromTheLastTenure": "a second wall: an instance gives its cache up with the tenure",
    "CheckpointWithoutTS": "the records of the same checkpoint tell what is in it (DUP-2)",
    "DrainedUnasked": "the release of the flow that moved is behind the updates, on one channel",
    "FencesDieWithTheStore": "an NF and its store must be down at once: no promise (Table 3)",
    "ReplaysToAll": "what is another instance's is known again there (DUP-1, DUP-2)",
}
"""Fault and why no model of the folder shows it, as far as we know."""

QUICK = {
    "ContinuesOneTooLow",
    "DeleteNeverFirst",
    "EveryShareIsWhole",
    "ForgetsOneTooMany",
    "InputDiesWithTheRoot",
    "InputOvertakes",
    "MoveNeverOver",
    "OneSplitterIsTold",
    "OutputTwice",
    "PersistsOneLess",
    "ReplaysTheUntouched",
    "SignalsAnotherObject",
}
"""Those that are found at once: the others with ``--model-check``."""


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_fault_is_found(name: str, request: pytest.FixtureRequest) -> None:
    """The model holds otherwise: ``pytest --model-check`` and test_ablations.py see to that."""
    if name not in QUICK and not request.config.getoption("--model-check"):
        return
    rules = library.find(f"{FILE}:{name}").rules
    report = Explorer(load(MODELS / f"{FOUND[name]}.toml"), rules, Limits(1_000_000, 120.0)).run()
    assert report.verdict is Verdict.VIOLATED, report.violated


def test_every_fault_is_accounted_for() -> None:
    """Found, or said why not; and there are enough of them to mean something."""
    faults = {name for name, found in vars(planted).items() if isinstance(found, Variant)}
    assert faults == FOUND.keys() | UNSEEN.keys()
    assert not FOUND.keys() & UNSEEN.keys()
    assert len(FOUND) >= 50
    assert not faults & library.SHIPPED.keys()


def test_the_matrix_finds_them_all() -> None:
    """It searches every one of these models under a variant that is not shipped."""
    lists = tomllib.loads((MODELS / "matrix.toml").read_text())
    assert set(FOUND.values()) <= {*lists["models"], *lists["more"]}
    every = table.jobs(MODELS, {f"{FILE}:NoAlerts": library.find(f"{FILE}:NoAlerts")}, 1, 1.0)
    searched = {job.model for of in every.values() for job in of}
    assert searched == {*lists["models"], *lists["more"]}


def test_a_fault_by_the_command_line(chc: Chc) -> None:
    """A lost callback: the file, the variant and the model, and nothing else."""
    done = chc("check", "copies", "--variant", f"{FILE}:NoCallbacks")
    assert done.returncode == 1
    assert "R3: copy of limit.limit at limit.0: ideal 1, physical 0" in done.stdout
