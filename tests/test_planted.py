"""Planted faults are found, each by a model that was not made for it, with the default budget.

The folder ``planted`` has them, written as a user writes variants. Those of the list ``BLIND`` are
by somebody who knew the paper and the documents, and neither the core nor the models. What no
model shows is named here with the reason, so that nobody believes it is looked for.
"""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest
from commands import Chc

from chc_ref.check import drawn
from chc_ref.check.counts import pinned
from chc_ref.check.explore import Explorer, Limits
from chc_ref.check.model import Model, load
from chc_ref.matrix import table
from chc_ref.matrix.command import STATES
from chc_ref.variants import Variant, library
from chc_ref.verdict import Verdict

MODELS = Path(__file__).parent.parent / "models"
FOLDER = Path(__file__).parent / "planted"
FAULTS = {
    name: found
    for file in sorted(FOLDER.glob("[a-z]*.py"))
    for name, found in vars(importlib.import_module(f"planted.{file.stem}")).items()
    if isinstance(found, Variant)
}

FOUND = {
    "AfterForgotten": "crash_after_move",
    "AlertsGoAhead": "latch",
    "AlertsUnnumbered": "both",
    "AlwaysLatest": "crash_above_stale",
    "AnnouncesTheFirstMoveOnly": "ablation_releases_in_any_order",
    "AnsweredDiesWithTheStore": "store_then_root",
    "AnsweredForgotten": "ablation_marks_once",
    "AnyEndCounts": "crash_twice",
    "AnyFlowsMark": "move_beside",
    "AnySignalSettles": "two_accesses",
    "AsksFirstAgain": "store_with_log",
    "AsksForSecondMoveOnly": "crash_above_move",
    "AsksForTheClockBefore": "ablation_sees_the_present",
    "AsksNobodyThatIsToStop": "store_stopped_clone",
    "BareDeletesOfFailovers": "crash_twice",
    "BeginsAsAsked": "crash_above_two_moves",
    "BeginsUnpersisted": "crash_root_and_row",
    "BrokenReplayOneOff": "latch",
    "BufferOfThree": "buffer_of_four",
    "BufferOfTwo": "buffer_of_four",
    "BufferedBehindQueue": "store_two_flows",
    "CacheWheneverOwned": "latch",
    "CachedAndFlushed": "store_unflushed",
    "CachesBehindNewer": "crash_above_stale",
    "CallbackIsAWatch": "copies_updated",
    "CallsBackOne": "copies_at_three",
    "CallsTheUpdaterOnly": "copies",
    "CheckpointWithoutRecords": "store_marker",
    "CheckpointWithoutTS": "store_copy_checkpoint",
    "ClockNotRecalled": "store_then_root_with_log",
    "ClockOfTheLog": "root_full_crash",
    "CloneMarksAtOnce": "clone_moved_two",
    "CloneOnly": "clone_straggler_kept",
    "CloneReleasesEarly": "clone_last",
    "CloneUnheard": "clone_numbered",
    "ClonedFlowsOnly": "clone_numbered",
    "CommitsAllButOne": "ablation_outputs_before_commits",
    "ContinuesOneTooLow": "ablation_clock_need_not_be_stored",
    "CumulativeForget": "crash_one",
    "DeleteForgetsEarlier": "twice",
    "DeleteNeverFirst": "ablation_one_clock_for_all",
    "DeleteOfOwnBranchOnly": "crash_before_fork",
    "DeletesAreCounted": "fork_in_fork",
    "DeletesToTheFirstRoot": "two_roots_one_flow",
    "DrainedUnasked": "alone_unanswered",
    "DrawsAgain": "store_draw",
    "DrawsNotLogged": "store_draw",
    "DropsOnceOnly": "sieve_crash",
    "DropsOneTooMany": "ablation_no_update_suppression",
    "DropsWhole": "sieve_at_fork",
    "DropsWithoutVector": "sieve_crash",
    "EmulatedNotInVector": "crash_row_that_updates",
    "EndBeforeReplay": "crash_above_move",
    "EndByTheShortestWay": "twice",
    "EndNamesOneLess": "crash_root_and_row",
    "EndNamesOneMore": "ablation_no_update_suppression",
    "EndsTwoTenuresAtOnce": "ablation_releases_in_any_order",
    "EveryShareIsWhole": "ablation_copies_share_a_name",
    "FailoverIsNoReader": "copies",
    "FencesDieWithTheStore": "store_stopped_clone",
    "FencesNotRepeated": "store_and_stateless",
    "FinishesAllButOne": "ablation_releases_in_any_order",
    "FirstCopyKeepsItsName": "ablation_copies_share_a_name",
    "FirstFenceCheckpoints": "store_after_nf_twice",
    "FirstGoesLast": "move_back",
    "FirstMarkForgotten": "ablation_releases_in_any_order",
    "FirstMarkOnly": "move_back",
    "FirstReplayCounts": "crash_twice",
    "FlushesNewestFirst": "move_back",
    "FlushesWhatTheLastPacketTouched": "two_objects",
    "ForgetsOneTooMany": "ablation_forgets_what_is_logged",
    "ForgetsTheFork": "fork_in_fork",
    "ForgetsTheNext": "forget_root_alone",
    "ForgetsUpToTheDeletedClock": "forget_later_first",
    "ForwardsNoneWithSignals": "root_at_fork",
    "ForwardsOnlyUntouched": "root_at_fork",
    "FreshSplitter": "crash_above_moves",
    "FromTSByClock": "store_two_roots",
    "GrantToStraggler": "clone_gets_flow",
    "HighWaterMark": "ablation_outputs_before_commits",
    "HoldsBackWhatWasBuffered": "move_back",
    "HoldsOneFlow": "scale_in_two_flows",
    "IgnoresUnknownLast": "move_back",
    "InputDiesWithTheRoot": "ablation_clock_need_not_be_stored",
    "InputOvertakes": "ablation_clock_need_not_be_stored",
    "KeepsFirstToken": "two_accesses",
    "KeepsTheOldCopy": "alone",
    "KnownToTheInstance": "move_back",
    "KnowsFirstUpdatesOnly": "two_accesses",
    "LastGivenIsLastReplayed": "latch",
    "LateFromTheSecond": "crash_after_move",
    "LateUsersNotAsked": "store_and_stateless",
    "LeavingFirst": "scale_in_below_two",
    "LeavingNotRepeated": "root_above_scale",
    "LogEndsAtAnswer": "store_draw",
    "LogIsARing": "ablation_outputs_before_commits",
    "LogWithoutVectors": "root_and_nf_unflushed",
    "LoggedThenDropped": "root_full",
    "LogsOldestOnly": "root_log_in_store_one_flow",
    "LowestClockOfAllRoots": "root_of_two",
    "MajorityOfEnds": "crash_below_three",
    "MajorityOfMarks": "move_below_three",
    "MarkDiesWithPacket": "sieve_moved",
    "MarkOfStragglerOnly": "clone_moved",
    "MarkSpeaksOfTheInstance": "move_one_by_one",
    "MarksBeforeReplay": "crash_above_moved",
    "MarksFirstAfterRecovery": "crash_below_two",
    "MarksForTheStraggler": "clone_moved",
    "MarksNotReplicated": "clone_moved_two",
    "MarksOfAnyVertex": "move_on_two_ways",
    "MarksOvertake": "crash_above_moved",
    "MarksTheFirstMoveOnly": "ablation_releases_in_any_order",
    "MixesTenures": "crash_above_moved_two",
    "MostHaveEnded": "fork_in_fork",
    "MoveNeverOver": "ablation_releases_in_any_order",
    "NeverVoid": "store_after_nf",
    "NewRootKnowsWhoIsUp": "root_and_nf_moves",
    "NewRootPersistsNothing": "root_twice",
    "NewcomersAreNotReplayed": "store_copy_checkpoint",
    "NewestNotYetLogged": "ablation_oldest_read",
    "NewestOfEachSender": "copies_at_fork",
    "NoAlerts": "latch",
    "NoCallbacks": "copies",
    "NoChangeNoRecord": "crash_shelf",
    "NoCheckpointAtTheFence": "store_after_nf",
    "NobodyIsNotified": "ablation_releases_in_any_order",
    "NothingAskedAgain": "store_with_log",
    "NothingLoggedNoEnd": "crash_one",
    "OneAnswerForAll": "root_at_fork",
    "OneBit": "forget_store_one_packet",
    "OneBitOfTenure": "move_back_below_two",
    "OneFence": "store_after_nf_twice",
    "OneHostEndsTheMove": "clone_moved_twice",
    "OnePassPerTarget": "crash_row_unanswered",
    "OneRecoveryAtATime": "store_and_stateless",
    "OneRootAsked": "store_of_two_roots",
    "OneRootEndsForAll": "two_roots_one_flow",
    "OneSignalAClock": "root_at_fork",
    "OneSplitterIsTold": "ablation_one_mark_is_enough",
    "OneStoreOfCommits": "root_of_two_stores",
    "OneUserIsAsked": "store_copies",
    "OneVertexAskedAgain": "crash_root_and_row",
    "OneWaiter": "move_back_below_two",
    "OnlyMovesUnderWay": "crash_above_move",
    "OnlyWaitingDeletesAgain": "root_off_path",
    "OtherRootsClock": "root_of_two",
    "OutputTwice": "latch",
    "OutputsWithoutBranch": "ablation_copies_share_a_name",
    "OverloadForEver": "root_full",
    "OwnersNotRemembered": "store_with_log",
    "OwnsOneFlow": "store_two_flows",
    "ParkedNotAskedAgain": "store_in_move",
    "PassedNotRepeated": "crash_after_move",
    "PassedToStraggler": "clone_below_move",
    "PastDiesWithTheStore": "forget_store_one_packet",
    "PersistsOneLess": "ablation_clock_need_not_be_stored",
    "PresentSplitterIsTold": "ablation_one_mark_is_enough",
    "ReadTruncatesLog": "store_draw",
    "ReadersForgotten": "store_copies",
    "ReadsNotRemembered": "ablation_oldest_read",
    "ReadsOneUpdateOff": "store_pool",
    "RecordsWithoutBranch": "twice",
    "RecordsWithoutToken": "root_log_in_store_one_flow",
    "RecordsWithoutVertex": "clone_numbered_last",
    "ReleaseForgetsLogged": "store_in_move",
    "ReleaseOneTooFar": "ablation_scales_at_once",
    "ReleasedAtTheMark": "ablation_no_last_mark",
    "ReleasesNotRepeated": "store_in_move",
    "RemembersOneRead": "store_both",
    "RepeatGetsPresentValue": "crash_warm_above",
    "RepeatedDrawIsNew": "draw_and_crash",
    "RepeatedReadsSeeThePresent": "copies_at_fork",
    "RepeatedSignalsLoseBranch": "store_at_fork",
    "RepeatsGetNothing": "two_accesses",
    "RepeatsOldMarksOnly": "crash_between_moves",
    "ReplayBeginsAnew": "crash_one",
    "ReplayClearsSignals": "ablation_no_replay",
    "ReplayNotTold": "ablation_target_kept",
    "ReplayWithoutTarget": "crash_one",
    "ReplaysAtFirstRoot": "two_roots",
    "ReplaysNoneThatEnded": "two_accesses",
    "ReplaysNoneWithSignals": "latch",
    "ReplaysTheFirstHop": "twice",
    "ReplaysTheUntouched": "ablation_no_replay",
    "ReplaysToAll": "idle_instances",
    "ReplaysToTheNewestOnly": "clone_crash_above",
    "ReplaysWithCaches": "alone_clone",
    "RerunsLeaveNoRecord": "store_after_nf",
    "RootFailureIsReceipt": "root_and_nf_unflushed",
    "RootNotBegunAgain": "store_and_root_stateless",
    "RootRepeatsNoMarks": "ablation_marks_once",
    "RootStartsWithoutHosts": "clone_root",
    "RootStartsWithoutMovesUnderWay": "root_and_nf_moves",
    "RootStartsWithoutScales": "root_above_scale",
    "RootsShareClocks": "root_of_two",
    "SeesByClockAlone": "twice",
    "SeesItself": "ablation_replay_not_awaited",
    "ServesFromTheLastTenure": "move_back_below_two",
    "SignalsAnotherObject": "ablation_suppresses_by_object",
    "SignalsNewCommitsOnly": "store_copy_checkpoint",
    "SignalsTheWholePacket": "ablation_copies_share_a_name",
    "SignalsToTheFirstRoot": "two_roots_one_flow",
    "SinceToStraggler": "clone_above_moved",
    "StartsUnfenced": "store_after_nf",
    "StartsWithCaches": "alone_clone",
    "StartsWithNewestMoves": "crash_above_moves",
    "StartsWithoutBegins": "crash_above_two_moves",
    "StartsWithoutHosts": "clone_crash_above",
    "StartsWithoutMoves": "crash_above_moves",
    "StartsWithoutRoutes": "crash_above_routed",
    "StartsWithoutScales": "scale_in_crash_above",
    "StopAtOnce": "clone_last",
    "StoppedAndDeaf": "clone_root",
    "StopsBeforeItIsFlushed": "alone_clone",
    "StoreLogDroppedOnDelete": "root_and_nf_unflushed",
    "TenureBeginsBehindItsFirst": "ablation_scales_at_once",
    "TenureBeginsOneLater": "ablation_scales_at_once",
    "TrimsTooFar": "store_after_nf",
    "TwoTenures": "crash_between_moves",
    "UnconfirmedNotAskedAgain": "store_copies",
    "VectorNotPassedOn": "crash_first",
    "VoidsTheLiving": "ablation_target_kept",
    "WaitsForAllOwnersButOne": "ablation_scales_at_once",
    "WaitsForOneMarkLess": "ablation_scales_at_once",
    "WaitsForTheDead": "store_and_root_stateless",
    "WaitsOneTooLate": "ablation_clock_need_not_be_stored",
    "WaitsWithAll": "move_back_below_two",
}
"""Fault and a model of the folder that shows it."""

HARMLESS = {
    "EmulatedInducesNothing": "who emulates a packet has asked the store behind its update: "
    "test_what_is_emulated_is_committed",
    "OwnsWhateverItIsGiven": "whose flow has gone on has all its updates on record (DUP-2): "
    "test_who_owns_nothing_has_nothing_to_update",
    "UpdaterNotCalledBack": "an update drops the copy that a call is for (CACHE-3, finding 23): "
    "test_who_updates_has_no_copy_to_call_back",
}
"""Fault and why it can break nothing, with the test in ``test_planted_harmless.py`` that tells."""

BLIND = {
    "AlertsGoAhead",
    "AlertsUnnumbered",
    "AnyFlowsMark",
    "AnySignalSettles",
    "AsksFirstAgain",
    "AsksForSecondMoveOnly",
    "BeginsUnpersisted",
    "BrokenReplayOneOff",
    "BufferOfThree",
    "BufferOfTwo",
    "CacheWheneverOwned",
    "CachedAndFlushed",
    "CallbackIsAWatch",
    "CallsBackOne",
    "ClockNotRecalled",
    "ClockOfTheLog",
    "CloneOnly",
    "CloneUnheard",
    "ClonedFlowsOnly",
    "CumulativeForget",
    "DeleteOfOwnBranchOnly",
    "DeletesAreCounted",
    "DeletesToTheFirstRoot",
    "DrawsAgain",
    "EmulatedNotInVector",
    "EndByTheShortestWay",
    "EndNamesOneLess",
    "FailoverIsNoReader",
    "FinishesAllButOne",
    "FirstCopyKeepsItsName",
    "FirstGoesLast",
    "FirstMarkOnly",
    "FirstReplayCounts",
    "FlushesWhatTheLastPacketTouched",
    "ForgetsTheFork",
    "ForgetsUpToTheDeletedClock",
    "ForwardsNoneWithSignals",
    "FromTSByClock",
    "FreshSplitter",
    "HighWaterMark",
    "HoldsBackWhatWasBuffered",
    "HoldsOneFlow",
    "KeepsFirstToken",
    "KeepsTheOldCopy",
    "KnownToTheInstance",
    "LastGivenIsLastReplayed",
    "LateFromTheSecond",
    "LeavingNotRepeated",
    "LogIsARing",
    "LoggedThenDropped",
    "MajorityOfEnds",
    "MajorityOfMarks",
    "MarksFirstAfterRecovery",
    "MarksForTheStraggler",
    "MarkDiesWithPacket",
    "MarksNotReplicated",
    "MarksOfAnyVertex",
    "MostHaveEnded",
    "NewRootKnowsWhoIsUp",
    "NewRootPersistsNothing",
    "NewcomersAreNotReplayed",
    "NewestNotYetLogged",
    "NoChangeNoRecord",
    "NewestOfEachSender",
    "NothingLoggedNoEnd",
    "OneAnswerForAll",
    "OneBitOfTenure",
    "OneFence",
    "OnePassPerTarget",
    "OneRecoveryAtATime",
    "OneRootEndsForAll",
    "OneSignalAClock",
    "OtherRootsClock",
    "OutputsWithoutBranch",
    "OverloadForEver",
    "OwnsOneFlow",
    "PresentSplitterIsTold",
    "ReadTruncatesLog",
    "ReadersForgotten",
    "RecordsWithoutBranch",
    "RecordsWithoutVertex",
    "ReleaseForgetsLogged",
    "RemembersOneRead",
    "RepeatsOldMarksOnly",
    "ReplayBeginsAnew",
    "ReplayClearsSignals",
    "ReplaysAtFirstRoot",
    "ReplaysNoneThatEnded",
    "ReplaysNoneWithSignals",
    "ReplaysTheFirstHop",
    "RerunsLeaveNoRecord",
    "RootFailureIsReceipt",
    "RootStartsWithoutMovesUnderWay",
    "RootsShareClocks",
    "SeesByClockAlone",
    "SignalsToTheFirstRoot",
    "StartsWithCaches",
    "StartsWithNewestMoves",
    "StartsWithoutBegins",
    "StartsWithoutHosts",
    "StartsWithoutMoves",
    "StartsWithoutRoutes",
    "StartsWithoutScales",
    "StopsBeforeItIsFlushed",
    "TwoTenures",
    "WaitsWithAll",
}
"""Those that were written from the paper and the documents alone."""

LARGE = {
    "AlwaysLatest",
    "AsksNobodyThatIsToStop",
    "BeginsAsAsked",
    "CachesBehindNewer",
    "FencesDieWithTheStore",
    "MixesTenures",
    "OneHostEndsTheMove",
    "StartsWithoutBegins",
}
"""Those whose model is beyond the matrix' bound: all models of the folder find them."""

QUICK = {
    "DeletesToTheFirstRoot",
    "DrawsNotLogged",
    "ContinuesOneTooLow",
    "DeleteNeverFirst",
    "EveryShareIsWhole",
    "ForgetsOneTooMany",
    "InputDiesWithTheRoot",
    "InputOvertakes",
    "LoggedThenDropped",
    "MoveNeverOver",
    "NothingLoggedNoEnd",
    "OneSplitterIsTold",
    "OutputTwice",
    "PersistsOneLess",
    "ReplaysTheUntouched",
    "SignalsAnotherObject",
}
"""Those that are found at once: the others with ``--model-check``."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.thorough)
        for name in sorted(FOUND)
    ],
)
def test_a_fault_is_found(name: str) -> None:
    """The model holds otherwise: ``pytest --model-check`` and test_ablations.py see to that."""
    rules, states = FAULTS[name].rules, 6_000_000 if name in LARGE else 1_000_000
    report = Explorer(_model(FOUND[name]), rules, Limits(states, 120.0)).run()
    assert report.verdict is Verdict.VIOLATED, report.violated


def _model(name: str) -> Model:
    return drawn.model(drawn.number(name)) if drawn.is_name(name) else load(MODELS / f"{name}.toml")


def test_every_fault_is_accounted_for() -> None:
    """Found, or said why not; and there are enough of them to mean something."""
    assert FAULTS.keys() == FOUND.keys() | HARMLESS.keys()
    assert not FOUND.keys() & HARMLESS.keys()
    assert len(FOUND) >= 50
    assert FAULTS.keys() >= BLIND
    assert not FAULTS.keys() & library.SHIPPED.keys()


def test_the_matrix_finds_them_all() -> None:
    """It searches every one of these models under a variant that is not shipped."""
    lists = tomllib.loads((MODELS / "matrix.toml").read_text())
    found = {FOUND[name] for name in FOUND.keys() - LARGE}
    models = {*lists["models"], *lists["more"], *map(drawn.name, lists["drawn"])}
    assert found <= models
    besides = table.Campaign(0, 0, None)
    every = table.jobs(MODELS, [f"{FOLDER}/leaving.py:NoAlerts"], 1, 1.0, besides)
    assert {job.model for of in every.values() for job in of} == models


def test_the_matrix_sees_them_whole() -> None:
    """A variant that breaks nothing holds: no model that it goes through is beyond the bound."""
    lists = tomllib.loads((MODELS / "matrix.toml").read_text())
    for name in (*lists["models"], *lists["more"]):
        counts = pinned(MODELS / f"{name}.toml")
        assert counts, name
        assert counts.get("states", 0) < STATES, name


def test_a_fault_by_the_command_line(chc: Chc) -> None:
    """A lost callback: the file, the variant and the model, and nothing else."""
    done = chc("check", "copies", "--variant", f"{FOLDER}/store.py:NoCallbacks")
    assert done.returncode == 1
    assert "R3: copy of limit.limit at limit.0: ideal 1, physical 0" in done.stdout
