"""The amended protocol: what we hold to be right, one named function for each of its rules.

A rule is asked where a machine decides, and is told what the machine knows there. Which rules
make up a protocol, ``rules.Rules`` says.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from chc_ref.core.messages import LogEntry, Packet, Send, Stamp
from chc_ref.core.values import Address, Branch, Map, UpdateId, identity_of

# --------------------------------------------------------------------------- repeats, deletes


def recorded(records: Map[UpdateId, object], update: UpdateId) -> bool:
    """DUP-2: an access is a repeat when this very access is on record."""
    return update in records


def is_over(past: bool) -> bool:
    """DUP-2 amended: what a packet did is forgotten when it is over, but not that it is over.

    A copy of it may still be under way, from a replay that began before.
    """
    return past


def seen_before(seen: Map[Any, bool], key: Any) -> bool:
    """DUP-1: a packet is a repeat when its (clock, branch, replay) was queued before."""
    return key in seen


def add_token(vector: int, token: int) -> int:
    """DEL-1 amended: tokens are single bits, so the vector is a set and nothing cancels."""
    return vector | token


def settled(vector: int, signals: int) -> bool:
    """DEL-3 amended: every update that the packet induced has been committed."""
    return vector & ~signals == 0


def leaves(first: bool) -> bool:
    """REC-2 amended: the output leaves only for the first delete of its branch.

    A packet may be replayed before its delete arrives, and then be processed once more by
    another instance than the first time.
    """
    return first


# --------------------------------------------------------------------------- root


def next_count(persisted: int, every: int) -> int:
    """ROOT-5: a recovered root continues ``every`` above the last persisted count."""
    return persisted + every


def logs_first(write: int) -> bool:
    """ROOT-2, log in the store: nothing goes out before the store has what the log says of it."""
    return write > 0


def clock_after(count: int) -> int:
    """ROOT-1: every packet gets a clock of its own, one above the last."""
    return count + 1


def shown_clock(clock: int) -> int:
    """ORDER-1: every NF sees a packet's clock, and so the order in which packets came."""
    return clock


def drops_input(logged: int, waiting: int, capacity: int) -> bool:
    """ROOT-4: log and input have reached the threshold; a capacity of 0 is none."""
    return 0 < capacity <= logged + waiting


def waits_for_clock(count: int, persisted: int, every: int) -> bool:
    """ROOT-5 amended: a packet waits until the store has a clock close enough to its own."""
    return every > 0 and count >= persisted + every


def is_first_delete(branch: Branch, ended: frozenset[Branch]) -> bool:
    """REC-2 amended: of the deletes of one branch only the first lets an output leave."""
    return branch not in ended


def all_ended(share: Fraction) -> bool:
    """ROOT-3: a packet is dropped from the log when all copies of it have ended."""
    return share == 1


def is_replayed(entry: LogEntry, target: Address) -> bool:
    """CLONE-2, REC-1: a replay has every logged packet."""
    return True


def replay_place(clock: int) -> int:
    """CLONE-2, REC-1: logged packets are replayed in the order of their clocks."""
    return clock


def forwards_again(entry: LogEntry) -> bool:
    """REC-3: a new root forwards what is logged once more; it may have died with the old one."""
    return True


def newest_past(oldest_logged: int, count: int) -> int:
    """DUP-2: packets are over, and may be forgotten, up to the oldest that is logged."""
    return oldest_logged - 1


# --------------------------------------------------------------------------- splitter, manager


def marks_last(epoch: int) -> bool:
    """MOVE-1: the splitter tells the old instance that a flow has moved away."""
    return epoch > 0


def marks_at_once(recovering: bool) -> bool:
    """MOVE-1, REC-1 amended: a failover's splitter gives last marks behind its replay.

    What its predecessor had sent, and was lost, is before the mark as well.
    """
    return not recovering


def asks_for_route(changed: bool) -> bool:
    """MOVE-5, CHAIN-3: a flow that a scaling gives to another instance may be at the old one."""
    return changed


def repeats_marks(epoch: int) -> bool:
    """MOVE-1, REC-1: a failover's splitter sends the last marks again: they may have been lost."""
    return True


def tenure_at(clock: int, begins: tuple[int | None, ...]) -> int:
    """MOVE-5 amended: a packet goes where its clock belongs, a replayed one too.

    Given is the clock that each tenure of the flow begins with, None while none is known; the
    result is a place in that list. The newest one always has the last place.
    """
    return max(n for n, begin in enumerate(begins) if begin is not None and begin <= clock)


def may_begin(tenure: int, behind: int) -> bool:
    """MOVE-5 amended: what a flow's earlier instance above sends belongs to the tenure before.

    All moves above were over when a move began, so that instance had sent all it had. What its
    failover sends again, it sends where it was sent before.
    """
    return tenure >= behind


def asks_where_it_begins(epoch: int) -> bool:
    """MOVE-5 amended: the first packet of a tenure waits until the manager has its clock.

    Else only the splitter knows it, and a failover of the splitter routes by guess.
    """
    return True


def is_replayed_to(instance: Address, target: Address) -> bool:
    """DUP-3: a replay's target gets the packets of its own tenures, and no others."""
    return instance == identity_of(target)


def receivers(hosts: tuple[Address, ...]) -> tuple[Address, ...]:
    """CLONE-1: what is for an instance goes to all of its hosts: straggler and clone."""
    return hosts


def branch_of(branch: Branch, index: int) -> Branch:
    """QUEUE-2: each of several copies of a packet gets a name of its own."""
    return (*branch, index)


def may_move(elsewhere: bool, cloned: bool) -> bool:
    """MOVE-5 amended: a flow moves at one vertex at a time, and not behind a cloned instance."""
    return not elsewhere and not cloned


def begin_waits(moving_above: bool) -> bool:
    """MOVE-5 amended: where a tenure begins is not fixed while the flow moves above as well."""
    return moving_above


def begins_at(asked: int, before: int) -> int:
    """MOVE-5 amended: a tenure begins no earlier than the one before it.

    The first packet that a failover of the splitter asks for may be a replayed one, from an
    earlier tenure.
    """
    return max(asked, before)


def gives_caches_up(alone: bool) -> bool:
    """CACHE-4: before a flow moves, nobody serves shared objects from a cache any more."""
    return alone


def replays_at(hosts_heard: bool, caches_heard: bool) -> bool:
    """CLONE-2 amended: a clone's replay begins when all splitters send to both hosts."""
    return hosts_heard and caches_heard


def fences_first(session: int) -> bool:
    """REC-1 amended: a failover begins when the store has voided what its predecessor sent."""
    return True


def stays_mute(mute: bool) -> bool:
    """CLONE-3: the clone of a last instance sends nothing before the other one is silent."""
    return mute


def marks_stay_mute(mute: bool) -> bool:
    """CLONE-3, MOVE-6 amended: that a flow has passed is said behind what is still mute of it.

    Else a clone hands a flow over, and lets the next instance's output leave, while the other
    host has an earlier packet of it under way.
    """
    return mute


def ends_move(handed: frozenset[Address], hosts: tuple[Address, ...]) -> bool:
    """MOVE-2, CLONE-1 amended: a move is over when all hosts have handed the flow over.

    The other host of a cloned instance may still send packets from before the move.
    """
    return all(host in handed for host in hosts)


# --------------------------------------------------------------------------- ownership


def waits_for_owner(asked: int, current: int) -> bool:
    """MOVE-3: a request from a later epoch waits until the earlier tenures are over."""
    return asked > current


def release_waits(asked: int, current: int) -> bool:
    """MOVE-2: tenures end in order, whoever speaks first."""
    return asked > current + 1


def may_update(owner: Address | None, source: Address) -> bool:
    """STORE-2: only the instance that owns a flow may update its objects."""
    return owner == identity_of(source)


def still_owns(tenure: int, epoch: int) -> bool:
    """MOVE-3: a flow's cached state serves the packets of that tenure alone."""
    return tenure == epoch


def buffered(waiting: tuple[Any, ...], packet: Packet) -> tuple[Any, ...]:
    """MOVE-3, MOVE-4: what comes while a flow's state is not here waits, in order.

    The head of ``waiting`` has been asked for and must stay; marks may be among the rest.
    """
    return (*waiting, packet)


def all_marked(heard: frozenset[Address], upstream: tuple[Address, ...]) -> bool:
    """MOVE-2 amended: a flow is given up when every splitter above has sent the last mark."""
    return all(one in heard for one in upstream)


def finishes_first(waiting: int) -> bool:
    """MOVE-2: an instance processes what it has buffered of a flow before it gives it up."""
    return waiting > 0


# --------------------------------------------------------------------------- queue, replay


def held_back(after: int, passed: frozenset[int]) -> bool:
    """MOVE-6: output of an instance waits for the marks of all that had the flow before."""
    return any(epoch not in passed for epoch in range(1, after + 1))


def mark_waits(mark: int, held: int) -> bool:
    """MOVE-2, MOVE-6 amended: a last mark waits for held packets of a tenure that it ends.

    What holds them is a mark of a move above, which may have been lost with its sender.
    """
    return held < mark


def late_in_replay(after: int) -> bool:
    """DUP-3, MOVE-6: a replayed packet of a moved flow waits for the end of its replay."""
    return after > 0


def freed_first(after: int) -> int:
    """MOVE-6: of the held packets that one mark frees, those of earlier tenures go first."""
    return after


def announces(epoch: int) -> bool:
    """MOVE-6: the old instance tells downstream that all its output of a flow has passed."""
    return epoch > 0


def sets_aside(recovering: bool) -> bool:
    """CLONE-2, REC-1: what is no part of the replay waits until the replay is done."""
    return recovering


def was_replayed(clock: int, newest: int) -> bool:
    """REC-1 amended: a packet no newer than the replay was in it, or had ended."""
    return clock <= newest


def replay_ended(heard: frozenset[Address], upstream: tuple[Address, ...]) -> bool:
    """CLONE-2 amended: a replay ends when its mark has come from every splitter."""
    return all(one in heard for one in upstream)


def is_broken_replay(session: int, valid: int) -> bool:
    """DUP-3 amended: an instance lets no replay pass that began before it could see it whole."""
    return 0 < session < valid


def emulates(packet: Packet) -> bool:
    """DUP-3: what is replayed to another instance reads as it did, and updates nothing."""
    return True


def clears_target(last: bool) -> bool:
    """DUP-3: a replayed packet goes on as any other from the instance that it was for."""
    return True


def sees(update: tuple[int, Branch], packet: tuple[int, Branch]) -> bool:
    """DUP-3 amended: a packet sees what earlier ones of its flow did, and nothing later."""
    return update < packet


def keeps_cache(replayed: bool, owned: bool, latest: bool) -> bool:
    """DUP-3 amended: a cache begins where no newer packet has changed the flow's objects."""
    return not replayed and owned and latest


# --------------------------------------------------------------------------- caches, outputs


def flushes_at_once(eager: bool, replayed: bool) -> bool:
    """CACHE-2: operations are flushed after each packet, if the vertex is to, or by the timer."""
    return eager or replayed


def flushes_before_release(pending: int) -> bool:
    """MOVE-2: cached operations are flushed before the instance's ID leaves the object."""
    return pending > 0


def commits_first(pending: int) -> bool:
    """CACHE-3, CACHE-4 amended: no output before the store has what it was computed from.

    Else a failover, or a clone, may read otherwise, and go on as if the output had not left.
    """
    return pending > 0


def awaits_delete(outputs: int, alerts: int) -> bool:
    """REC-2: what leaves the chain waits until the root has the packet's delete."""
    return outputs + alerts > 0


def signals_early(token: int) -> bool:
    """DEL-2: it is the store that signals a commit, when it commits, and no instance before."""
    return False


def caches_alone(alone: bool) -> bool:
    """CACHE-4: an object is cached only where the split gives its key to one instance alone."""
    return alone


def calls_back(reader: Address, updater: Address) -> bool:
    """CACHE-3: everybody who keeps a copy of an object is told of its new value."""
    return True


def drops_copy(served: bool) -> bool:
    """CACHE-3 amended: an update that goes to the store drops the copy: it would hide it."""
    return not served


# --------------------------------------------------------------------------- failures of stores


def is_void(start: int, fence: int) -> bool:
    """REC-1 amended: what a dead instance has under way is taken no more."""
    return start < fence


def checkpoints_at_fence(start: int) -> bool:
    """REC-5 amended: what a dead instance did must not hang on its write-ahead log."""
    return True


def is_logged_ahead(reads_only: bool) -> bool:
    """REC-5: an instance keeps every access of its packets, with its result."""
    return True


def rebuilds_from_logs(records: int) -> bool:
    """REC-4 amended: per-flow objects come from checkpoint and logs, in clock order.

    What is in no cache, because a flow is between two instances, or because its instance has
    just been replaced, is in them; and so are the records that a later replay needs.
    """
    return records >= 0


def reveals(reads_only: bool) -> bool:
    """REC-5 amended: whatever returns a result has read; a pop tells the order as a get does."""
    return True


Logs = tuple[tuple[UpdateId, ...], ...]
"""Updates of one object, as each instance has logged them."""


def most_recent(stamps: tuple[Stamp, ...], logs: Logs) -> Stamp:
    """REC-6 amended: of all reads of an object, take that of its newest version."""
    return max(stamps, key=lambda stamp: stamp.version)


# --------------------------------------------------------------------------- anything else


def step(
    address: Address, event: Any, before: Any, after: Any, sends: list[Send]
) -> tuple[Any, list[Send]]:
    """Change what a component makes of an event: for what no other rule says.

    Given are the component's state before and after, and what it sends; the result is the pair
    of what it is to be, and to send, instead.
    """
    return after, sends
