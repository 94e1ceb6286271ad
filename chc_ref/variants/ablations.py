"""Ablations: one rule of ``amended`` dropped or changed, for each decision of the protocol.

For each there is a model ``models/ablation_NAME.toml`` with the shortest violation that we know
of; for a harmless one, a model that holds, and one in which what covers it is dropped as well.
"""

from __future__ import annotations

from chc_ref.variants.form import Variant, ablation

_ROOT = (
    ablation(
        "one_clock_for_all",
        "The root gives every packet the same clock.",
        ("ROOT-1",),
        clock_after=lambda count: max(count, 1),
    ),
    ablation(
        "clock_need_not_be_stored",
        "A packet is forwarded before the store has the clock that is to be persisted.",
        ("ROOT-5",),
        waits_for_clock=lambda count, persisted, every: False,
    ),
    ablation(
        "forwards_once",
        "A new root does not forward again what the log of the old one has.",
        ("REC-3",),
        forwards_again=lambda entry: False,
    ),
    ablation(
        "deleted_at_first_end",
        "A packet leaves the log when the first of its copies has ended.",
        ("ROOT-3",),
        all_ended=lambda share: share > 0,
    ),
    ablation(
        "every_delete_is_first",
        "The root lets an output leave for every delete of a branch.",
        ("REC-2",),
        is_first_delete=lambda branch, ended: True,
    ),
    ablation(
        "output_before_delete",
        "An output leaves together with its delete, and waits for no answer.",
        ("REC-2",),
        awaits_delete=lambda outputs, alerts: False,
    ),
    ablation(
        "xor_vector",
        "Vector and signals are XORed: what is signalled twice cancels.",
        ("DEL-1", "DEL-3"),
        add_token=lambda vector, token: vector ^ token,
        settled=lambda vector, signals: vector ^ signals == 0,
    ),
    ablation(
        "numbers_in_vector",
        "Objects have numbers instead of bits: those of a packet's updates may XOR to zero.",
        ("DEL-1", "DEL-3"),
        add_token=lambda vector, token: vector ^ token.bit_length(),
        settled=lambda vector, signals: vector ^ signals == 0,
    ),
    ablation(
        "counted_updates",
        "Updates and signals are counted, whichever update they are of.",
        ("DEL-1", "DEL-3"),
        add_token=lambda vector, token: vector + 1,
        settled=lambda vector, signals: vector == signals,
    ),
    ablation(
        "signals_before_commit",
        "An instance signals a commit when it issues the update, before the store has it.",
        ("DEL-2",),
        signals_early=lambda token: True,
    ),
    ablation(
        "forgets_what_is_logged",
        "What a packet did is forgotten while the packet is still logged.",
        ("DUP-2",),
        newest_past=lambda oldest_logged, count: count,
    ),
)

_REPEATS = (
    ablation(
        "suppresses_by_object",
        "A packet's second update of an object is taken for a repeat of its first.",
        ("DUP-2",),
        recorded=lambda records, update: any(
            (one.clock, one.branch, one.object) == (update.clock, update.branch, update.object)
            for one, _ in records.items()
        ),
    ),
    ablation(
        "suppresses_by_clock",
        "Of all copies of an input packet a queue lets one in.",
        ("QUEUE-2", "DUP-1"),
        seen_before=lambda seen, key: any(one[0] == key[0] for one, _ in seen.items()),
    ),
    ablation(
        "copies_share_a_name",
        "Copies of a packet are not told apart.",
        ("QUEUE-2",),
        branch_of=lambda branch, index: branch,
    ),
    ablation(
        "replays_processed_upstream",
        "A packet that is replayed to another instance is processed again on its way.",
        ("DUP-3",),
        harmless="DUP-2: the store knows the updates again, and gives their results",
        emulates=lambda packet: False,
    ),
    ablation(
        "updated_twice_upstream",
        "And the store does not know the updates again.",
        ("DUP-2", "DUP-3"),
        emulates=lambda packet: False,
        recorded=lambda records, update: False,
    ),
)

_REPLAYS = (
    ablation(
        "no_replay",
        "A failover gets nothing of what is logged.",
        ("REC-1", "CLONE-2"),
        is_replayed=lambda entry, target: False,
    ),
    ablation(
        "replays_newest_first",
        "The log is replayed from its newest packet on.",
        ("REC-1", "CLONE-2"),
        replay_place=lambda clock: -clock,
    ),
    ablation(
        "replay_not_awaited",
        "A failover takes new packets while its replay is under way.",
        ("REC-1", "CLONE-2"),
        sets_aside=lambda recovering: False,
    ),
    ablation(
        "one_replay_end_is_enough",
        "A replay ends with the mark of the first splitter.",
        ("CLONE-2",),
        replay_ended=lambda heard, upstream: True,
    ),
    ablation(
        "replays_by_newest_route",
        "A replayed packet goes where its flow is now, not where it was.",
        ("DUP-3", "MOVE-5"),
        tenure_at=lambda clock, begins: max(n for n, one in enumerate(begins) if one is not None),
    ),
    ablation(
        "target_kept",
        "A replayed packet stays one behind the instance that it was for.",
        ("DUP-3",),
        clears_target=lambda last: False,
    ),
    ablation(
        "sees_the_present",
        "A replayed packet reads its flow's state as it is now.",
        ("DUP-3",),
        sees=lambda update, packet: True,
    ),
    ablation(
        "replayed_updates_unflushed",
        "What a replayed packet did waits in the cache, as for any other.",
        ("CACHE-2", "DUP-3"),
        flushes_at_once=lambda eager, replayed: False,
    ),
)

_CLONES = (
    ablation(
        "straggler_only",
        "New packets are not replicated to the clone.",
        ("CLONE-1",),
        receivers=lambda hosts: hosts[:1],
    ),
    ablation(
        "clone_replay_at_once",
        "A clone's replay begins before all splitters send to it.",
        ("CLONE-2",),
        replays_at=lambda hosts_heard, caches_heard: True,
    ),
    ablation(
        "clone_speaks_at_once",
        "The clone of a last instance sends while the straggler still does.",
        ("CLONE-3",),
        stays_mute=lambda mute: False,
    ),
)

_MOVES = (
    ablation(
        "drops_instead_of_buffering",
        "The new instance drops what comes before it has the flow's state.",
        ("MOVE-3",),
        buffered=lambda waiting, packet: waiting,
    ),
    ablation(
        "buffer_newest_first",
        "The new instance processes what it has buffered from the newest on.",
        ("MOVE-4",),
        buffered=lambda waiting, packet: (waiting[0], packet, *waiting[1:]),
    ),
    ablation(
        "one_mark_is_enough",
        "The old instance gives a flow up at the first splitter's mark.",
        ("MOVE-2",),
        all_marked=lambda heard, upstream: True,
    ),
    ablation(
        "gives_up_with_packets_waiting",
        "The old instance gives a flow up before it has processed what it buffered.",
        ("MOVE-2",),
        finishes_first=lambda waiting: False,
    ),
    ablation(
        "releases_in_any_order",
        "The end of a later tenure counts before that of an earlier one.",
        ("MOVE-2",),
        release_waits=lambda asked, current: False,
    ),
    ablation(
        "no_passed_mark",
        "The old instance does not tell downstream that it has sent all it had.",
        ("MOVE-6",),
        announces=lambda epoch: False,
    ),
    ablation(
        "marks_once",
        "A failover's splitter does not repeat its last marks.",
        ("MOVE-1", "REC-1"),
        repeats_marks=lambda epoch: False,
    ),
    ablation(
        "splitter_alone_knows",
        "Where a move begins is known to the splitter alone.",
        ("MOVE-5",),
        asks_where_it_begins=lambda epoch: False,
    ),
    ablation(
        "moves_at_two_vertices",
        "A flow moves at a vertex while it moves at another.",
        ("MOVE-5",),
        may_move=lambda elsewhere, cloned: not cloned,
    ),
    ablation(
        "begins_under_a_move",
        "Where a tenure begins is fixed while the flow still moves above.",
        ("MOVE-5",),
        begin_waits=lambda moving_above: False,
    ),
    ablation(
        "no_ownership_check",
        "The store takes updates of a flow's objects from everybody.",
        ("STORE-2",),
        harmless="MOVE-2 to MOVE-4: an instance asks first, and waits until it owns the flow",
        may_update=lambda owner, source: True,
    ),
    ablation(
        "updates_unowned",
        "And nobody waits until it owns the flow.",
        ("STORE-2", "MOVE-3"),
        may_update=lambda owner, source: True,
        waits_for_owner=lambda asked, current: False,
    ),
)

_CACHES = (
    ablation(
        "caches_kept_in_moves",
        "Shared objects stay in caches while a flow moves.",
        ("CACHE-4",),
        gives_caches_up=lambda alone: False,
    ),
    ablation(
        "copy_hides_update",
        "An update that goes to the store leaves the old copy in place.",
        ("CACHE-3",),
        drops_copy=lambda served: False,
    ),
)

_STORES = (
    ablation(
        "updates_not_logged",
        "An instance's write-ahead log has its reads alone.",
        ("REC-5",),
        is_logged_ahead=lambda reads_only: reads_only,
    ),
    ablation(
        "case_one_in_case_two",
        "A store's failover re-executes from the checkpoint on, reads or not.",
        ("REC-5",),
        most_recent=lambda stamps, logs: stamps[0],
    ),
    ablation(
        "oldest_read",
        "A store's failover begins with the oldest of all reads.",
        ("REC-5", "REC-6"),
        most_recent=lambda stamps, logs: min(stamps, key=lambda stamp: stamp.version),
    ),
)

_ORDER = (
    ablation(
        "no_chain_clock",
        "NFs see no clock, and know of no order but that in which packets reach them.",
        ("ORDER-1",),
        shown_clock=lambda clock: 0,
    ),
    ablation(
        "caches_whatever_the_split",
        "Every instance keeps a cache of shared objects, whoever else uses them.",
        ("CACHE-4",),
        caches_alone=lambda alone: True,
        gives_caches_up=lambda alone: False,
    ),
)

ABLATIONS: tuple[Variant, ...] = (
    *_ROOT,
    *_REPEATS,
    *_REPLAYS,
    *_CLONES,
    *_MOVES,
    *_CACHES,
    *_STORES,
    *_ORDER,
)
"""All of them, in the order of the protocol's parts."""
