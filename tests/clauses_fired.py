"""By what one sees in a run of the composed core that a clause was at work.

A run counts every message that was taken, every rule's decisions by their outcome, and what came
from outside. Each clause of ``docs/clauses.toml`` has the counts here that tell of it: the clause
fired as often as the rarest of them.
"""

from __future__ import annotations

from collections import Counter

NOT_IN_A_RUN = {
    "CHAIN-4": "a malformed chain is refused before any run",
    "NF-1": "NFs of real packets: replays of captures, and the runs of real chains",
    "NF-2": "as NF-1",
    "NF-3": "as NF-1",
    "NF-4": "as NF-1",
    **dict.fromkeys(("COE", "R1", "R2", "R3", "R4", "R5", "R6", "LIVE"), "judged in every run"),
}
"""Clauses that no event tells of, and why."""

FIRED_BY = {
    "CHAIN-1": ("Packet", "Alert"),
    "CHAIN-2": ("Packet",),
    "CHAIN-3": ("Scale", "ScaleKnown", "Poll", "Load", "Period"),
    "SPLIT-1": ("Packet",),
    "SPLIT-2": ("Packet",),
    "SPLIT-3": ("Move",),
    "SPLIT-4": ("root1 sends",),
    "QUEUE-1": ("Packet",),
    "QUEUE-2": ("seen_before = True", "seen_before = False"),
    "STORE-1": ("Apply",),
    "STORE-2": ("Acquire", "Release", "may_update = True"),
    "STORE-3": ("Apply", "Result"),
    "STORE-4": ("Apply",),
    "STORE-5": ("Apply",),
    "STORE-6": ("Result",),
    "STORE-7": ("Callback",),
    "STORE-8": ("store2 takes",),
    "STORE-9": ("Chance",),
    "CACHE-1": ("Apply",),
    "CACHE-2": ("FlushTimer",),
    "CACHE-3": ("Callback",),
    "CACHE-4": ("Cache", "CacheKnown"),
    "ROOT-1": ("Packet", "clock_after"),
    "ROOT-2": ("WriteLog", "Logged", "logs_first = True"),
    "ROOT-3": ("Delete", "all_ended = True"),
    "ROOT-4": ("dropped at the threshold",),
    "ROOT-5": ("PersistClock", "ClockPersisted", "next_count"),
    "MOVE-1": ("Move", "LastMark", "marks_last = True"),
    "MOVE-2": ("Release", "HandedOver", "flushes_before_release = True"),
    "MOVE-3": ("waits_for_owner = True", "buffered"),
    "MOVE-4": ("Granted", "waits_for_owner = True"),
    "MOVE-5": ("asks_for_route = True", "asks_for_route = False"),
    "MOVE-6": ("Passed", "held_back = True", "freed_first"),
    "MOVE-7": ("Move", "Result"),
    "ORDER-1": ("Result", "shown_clock"),
    "CLONE-1": ("Hosts", "HostsKnown"),
    "CLONE-2": ("Replay", "ReplayEnd", "Recovered", "replays_at = True", "sets_aside = True"),
    "CLONE-3": ("Stop",),
    "DUP-1": ("seen_before = True",),
    "DUP-2": ("recorded = True", "Forget", "is_over = False"),
    "DUP-3": ("late_in_replay = False", "ReplayEnd", "emulates = True", "clears_target = True"),
    "REC-0": ("crash of a host", "crash of a root", "crash of a store"),
    "REC-1": ("Start", "Ready", "Fence", "Fenced"),
    "REC-2": ("Deleted", "leaves = True"),
    "REC-3": ("Inquire", "Remembered", "Again"),
    "REC-4": ("rebuilds_from_logs = True", "Recollection"),
    "REC-5": ("Recall", "Recollection", "Checkpointed", "reveals = True"),
    "REC-6": ("most_recent",),
    "REC-7": ("a second crash while the first is recovered",),
    "DEL-1": ("add_token",),
    "DEL-2": ("Committed",),
    "DEL-3": ("settled = True", "settled = False"),
}
"""What tells of each other clause."""


def count(fired: Counter[str]) -> dict[str, int]:
    """Give how often each clause fired."""
    return {clause: min(fired[name] for name in names) for clause, names in FIRED_BY.items()}
