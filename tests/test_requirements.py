"""The requirements can fail: each is broken by a component that misbehaves, and it alone.

COE, R1 to R6, LIVE. Each row is one run of a small chain with one faulty component, and all the
requirements that the run breaks; without the fault the same run breaks none. The NF's packets
and alerts do not depend on its state, so that a wrong state does not show in the output too.

Two cannot be had alone. What waits for ever has not left (LIVE, and COE with it), or never came
to be (R1); a store that stays down has no objects. And a value that is wrong is blamed on one
requirement only: after a crash on R6, else on R3 for a shared object, on R2 for a flow that
moved, on COE for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from chc_ref.core.chain import Chain, Vertex, compile_chain
from chc_ref.core.messages import (
    Alert,
    Apply,
    Arrive,
    Delete,
    Failed,
    Fence,
    Granted,
    HandedOver,
    Holds,
    Move,
    MoveRequested,
    Output,
    Packet,
    Received,
    Recovered,
    ScaleKnown,
    ScaleRequested,
    Send,
)
from chc_ref.core.operations import (
    Access,
    CompareAndUpdate,
    Increment,
    NetworkFunction,
    Outcome,
    Process,
    Push,
    StateObject,
)
from chc_ref.core.values import Address, ObjectKey
from chc_ref.require.coe import alerts, missing
from chc_ref.require.predicates import REQUIREMENTS, Requirements, View, undone
from chc_ref.system.composition import WORLD, System
from chc_ref.system.simulation import Simulation
from chc_ref.system.world import Arrival, Crash, Operate, World


def _watch(headers: Any, flow: Any, clock: int) -> Process:
    """Write down, note and count every packet, pass it on unchanged, and raise alarm once."""
    yield Access("seen", Push(headers))
    yield Access("flow", CompareAndUpdate(None, flow))
    yield Access("total", Increment())
    return Outcome((headers,), (flow,) if headers == "last" else ())


WATCH = NetworkFunction(
    "watch",
    (
        StateObject("seen", True, ()),
        StateObject("flow", True, None),
        StateObject("total", False, 0),
    ),
    _watch,
)
CHAIN = Chain((Vertex("v", WATCH, 2, standby=1),), log="store", write_ahead=True)
SEEN = {flow: ObjectKey("v", "seen", flow) for flow in "AD"}
TOTAL = ObjectKey("v", "total", ())

# Flow A begins at v.1 and flow D at v.0.
FIRST, OTHER, LAST = (Arrive("A", "first"), Arrive("D", "other"), Arrive("A", "last"))
MOVE, CRASH = Operate(MoveRequested("v", "A", "v.0")), Crash("v.0")
SCALE = Operate(ScaleRequested("v", ("v.0", "v.1", "v.2")))

CALM = (Arrival(FIRST), Arrival(OTHER), Arrival(LAST))
MOVED = (MOVE, *CALM)
BACK = Operate(ScaleRequested("v", ("v.0", "v.2")))
AWAY = Operate(ScaleRequested("v", ("v.1", "v.2")))
CRASHED = (Arrival(FIRST), Arrival(OTHER), CRASH, Arrival(LAST))
SCALED = (*CALM, SCALE)

Result = tuple[Any, list[Send]]
Step = Callable[[Any, Any], Result]
Fault = Callable[[Step, Any, Any], Result]
"""Does one step, given how the component does it when it is well."""


@attrs.frozen
class Faulty:
    """A component that misbehaves."""

    well: Any
    fault: Fault

    @property
    def initial(self) -> Any:
        """Begin like the one that is well."""
        return self.well.initial

    def offers(self, state: Any) -> list[Any]:
        """Offer what the one that is well does."""
        events: list[Any] = self.well.offers(state)
        return events

    def step(self, state: Any, event: Any) -> Result:
        """Do one step in its own way."""
        return self.fault(self.well.step, state, event)


def _view(events: tuple[Any, ...], faults: dict[Address, Fault]) -> View:
    """Run a chain to its rest after each event, and give what has come of it."""
    physical = compile_chain(CHAIN)
    for at, fault in faults.items():
        physical.components[at] = Faulty(physical.components[at], fault)
    arrivals = tuple(event.packet for event in events if isinstance(event, Arrival))
    run = Simulation(System(physical, World(arrivals)))
    for event in events:
        run.happen(run.system.index[WORLD], event)
        while run.busy:
            run.deliver(min(run.busy))
    return {name: run.state(name) for name in run.system.names}


def _broken(view: View) -> set[str]:
    """Name all requirements that a run has broken, those too that another one hides."""
    requirements = Requirements(CHAIN)
    found = [
        predicate.holds(*(view[at] for at in predicate.reads))
        for predicate in requirements.invariants()
    ]
    loss, sink = requirements.loss(view), view["sink"]
    (ideal,) = requirements.ideals([view["root"]], [view["store"]], loss.clocks)
    found += [
        requirements.at_rest(view),
        next(requirements.compare(view, ideal, loss), None),
        alerts(ideal, sink.alerts),
        missing(ideal, sink.outputs, sink.alerts, loss.outputs),
        undone(view),
    ]
    return {difference.requirement for difference in found if difference is not None}


# ---------------------------------------------------------------------- ways to misbehave


def _sends(change: Callable[[Send], list[Send]]) -> Fault:
    """Send something else."""

    def fault(step: Step, state: Any, event: Any) -> Result:
        state, sends = step(state, event)
        return state, [other for send in sends for other in change(send)]

    return fault


def _drops(kind: type[Any], most: int = 99) -> Fault:
    """Send nothing of one kind, at most so many times."""
    left = [kind] * most
    return _sends(
        lambda send: [] if isinstance(send.message, kind) and left and left.pop() else [send]
    )


def _late(kind: type[Any]) -> Fault:
    """Send the first one of a kind behind the second."""
    kept: list[Send] = []

    def change(send: Send) -> list[Send]:
        if not isinstance(send.message, kind):
            return [send]
        kept.append(send)
        return {1: [], 2: kept[::-1]}.get(len(kept), [send])

    return _sends(change)


def _deaf(kind: type[Any]) -> Fault:
    """Heed nothing of one kind."""

    def fault(step: Step, state: Any, event: Any) -> Result:
        told = isinstance(event, kind)
        told = told or (isinstance(event, Received) and isinstance(event.message, kind))
        return (state, []) if told else step(state, event)

    return fault


def _values(change: Callable[[Any], Any], kind: type[Any] = Apply) -> Fault:
    """Change the objects behind the last access, or the first message of another kind."""

    def fault(step: Step, state: Any, event: Any) -> Result:
        state, sends = step(state, event)
        message = getattr(event, "message", None)
        if isinstance(message, kind) and (kind is not Apply or _is_last(message)):
            memory = state.memory
            state = attrs.evolve(state, memory=attrs.evolve(memory, values=change(memory.values)))
        return state, sends

    return fault


def _is_last(request: Apply) -> bool:
    return request.id.clock == 3 and request.id.object == TOTAL


def _loses_an_update(step: Step, state: Any, event: Any) -> Result:
    """Answer the last access to a flow's object, and forget what it changed."""
    after, sends = step(state, event)
    message = getattr(event, "message", None)
    if isinstance(message, Apply) and (message.id.clock, message.id.object) == (3, SEEN["A"]):
        after = attrs.evolve(after, memory=attrs.evolve(after.memory, values=state.memory.values))
    return after, sends


def _applies_twice(step: Step, state: Any, event: Any) -> Result:
    """Make an update that does not show in the value, and make it again (DUP-2)."""
    after, sends = step(state, event)
    message = getattr(event, "message", None)
    if isinstance(message, Apply) and message.id.object.name == "flow":
        records = after.memory.records.discard(message.id)
        after, _ = step(
            attrs.evolve(after, memory=attrs.evolve(after.memory, records=records)), event
        )
    return after, sends


def _swaps_updates(step: Step, state: Any, event: Any) -> Result:
    """Make the last update of a flow's object before the others, to the same end."""
    after, sends = step(state, event)
    message = getattr(event, "message", None)
    if isinstance(message, Apply) and (message.id.clock, message.id.object) == (3, SEEN["A"]):
        memory = after.memory
        versions = memory.versions.insert(SEEN["A"], memory.versions[SEEN["A"]][::-1])
        after = attrs.evolve(after, memory=attrs.evolve(memory, versions=versions))
    return after, sends


def _turns_the_clock_back(step: Step, state: Any, event: Any) -> Result:
    """Give the flows' packets clocks in order, but not in that of their arrival (ROOT-1)."""
    before = {FIRST: 4, OTHER: 2, LAST: 5}
    if event in before:
        state = attrs.evolve(state, root=attrs.evolve(state.root, count=before[event]))
    return step(state, event)


def _keeps_the_log(step: Step, state: Any, event: Any) -> Result:
    """Let an output leave, and forget to drop its packet from the log (ROOT-3)."""
    after, sends = step(state, event)
    if isinstance(getattr(event, "message", None), Delete):
        after = attrs.evolve(after, root=attrs.evolve(after.root, log=state.root.log))
    return after, sends


def _other_headers(send: Send) -> list[Send]:
    if isinstance(send.message, Output):
        return [attrs.evolve(send, message=attrs.evolve(send.message, headers="other"))]
    return [send]


def _alarm_twice(send: Send) -> list[Send]:
    if isinstance(send.message, Alert):
        return [send, attrs.evolve(send, message=attrs.evolve(send.message, index=1))]
    return [send]


def _one_too_many(send: Send) -> list[Send]:
    if isinstance(send.message, Output):
        return [send, attrs.evolve(send, message=attrs.evolve(send.message, clock=9))]
    return [send]


def _recovers_for_ever(step: Step, state: Any, event: Any) -> Result:
    """Say that a replay was taken in, and wait for its end."""
    after, sends = step(state, event)
    if any(isinstance(send.message, Recovered) for send in sends):
        after = attrs.evolve(after, queue=attrs.evolve(after.queue, recovering=True))
    return after, sends


def _keeps_the_log_of_others(step: Step, state: Any, event: Any) -> Result:
    """Keep every packet that the root has ever written (ROOT-2)."""
    after, sends = step(state, event)
    log = state.memory.log.update(after.memory.log)
    return attrs.evolve(after, memory=attrs.evolve(after.memory, log=log)), sends


def _moves_nothing(kind: type[Any]) -> Fault:
    """Leave flows at an instance that is given up (CHAIN-3)."""

    def fault(step: Step, state: Any, event: Any) -> Result:
        after, sends = step(state, event)
        if isinstance(getattr(event, "message", event), kind):
            left = {"moves": state.moves, "under_way": state.under_way, "wishes": state.wishes}
            sends = [send for send in sends if not isinstance(send.message, Move)]
            after = attrs.evolve(after, **left)
        return after, sends

    return fault


def _twice(kind: type[Any]) -> Fault:
    return _sends(lambda send: [send] * (2 if isinstance(send.message, kind) else 1))


def _changed(key: ObjectKey, value: Any) -> Fault:
    return _values(lambda values: values.insert(key, value))


ROWS: tuple[tuple[str, tuple[Any, ...], Address, Callable[[], Fault], set[str]], ...] = (
    ("an output has other headers", CALM, "v.1", lambda: _sends(_other_headers), {"COE"}),
    ("an output leaves that should not", CALM, "v.0", lambda: _sends(_one_too_many), {"COE"}),
    ("an output does not leave", CALM, "v.1", lambda: _drops(Output), {"COE"}),
    ("an alert is not raised", CALM, "v.1", lambda: _drops(Alert), {"COE"}),
    ("an object is wrong", CALM, "store", lambda: _changed(SEEN["D"], ("x",)), {"COE"}),
    (
        "an object is there that should not be",
        CALM,
        "store",
        lambda: _changed(ObjectKey("v", "seen", "Z"), ("x",)),
        {"COE"},
    ),
    (
        "an object is lost",
        CALM,
        "store",
        lambda: _values(lambda values: values.discard(SEEN["D"])),
        {"R1"},
    ),
    ("packets leave in another order", CALM, "v.1", lambda: _late(Output), {"R2"}),
    ("packets come in another order", (MOVE, *CALM[::2]), "root", lambda: _late(Packet), {"R2"}),
    ("updates are made in another order", CALM, "store", lambda: _swaps_updates, {"R2"}),
    ("a moved flow loses an update", MOVED, "store", lambda: _loses_an_update, {"R2"}),
    ("a shared update is made twice", CALM, "store", lambda: _changed(TOTAL, 4), {"R3"}),
    ("clocks go back", CALM, "root", lambda: _turns_the_clock_back, {"R4"}),
    ("a packet leaves twice", CALM, "v.1", lambda: _twice(Output), {"R5"}),
    ("a flow's update is made twice", CALM, "store", lambda: _applies_twice, {"R5"}),
    ("an alert is raised twice", CALM, "v.1", lambda: _sends(_alarm_twice), {"R5"}),
    (
        "a failure changes an object",
        CRASHED,
        "store",
        lambda: _values(lambda values: values.insert(TOTAL, values[TOTAL] + 1), Fence),
        {"R6"},
    ),
    ("a packet stays in the log", CALM, "root", lambda: _keeps_the_log, {"LIVE"}),
    ("a store keeps the log", CALM, "store", lambda: _keeps_the_log_of_others, {"LIVE"}),
    ("a packet is not let in", CALM, "root", lambda: _deaf(Arrive), {"LIVE"}),
    ("a move does not end", MOVED, "manager", lambda: _deaf(HandedOver), {"LIVE"}),
    ("a recovery does not end", CRASHED, "manager", lambda: _deaf(Recovered), {"LIVE"}),
    ("a scaling does not end", SCALED, "manager", lambda: _deaf(ScaleKnown), {"LIVE"}),
    ("an instance stays in recovery", CRASHED, "v.0", lambda: _recovers_for_ever, {"LIVE"}),
    (
        "a moved flow is left",
        (*MOVED, AWAY),
        "manager",
        lambda: _moves_nothing(ScaleRequested),
        {"LIVE"},
    ),
    ("a flow is left", (*CALM, BACK), "manager", lambda: _moves_nothing(Holds), {"LIVE"}),
    ("a root stays down", (*CALM, Crash("root")), "manager", lambda: _deaf(Failed), {"LIVE"}),
    (
        "a store stays down",
        (*CALM, Crash("store")),
        "manager",
        lambda: _deaf(Failed),
        {"R1", "LIVE"},
    ),
    ("a packet waits for ever", CALM, "v.0", lambda: _deaf(Granted), {"COE", "R1", "LIVE"}),
)


@pytest.mark.parametrize(
    ("events", "at", "fault", "want"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_fault_breaks_its_requirement_alone(
    events: tuple[Any, ...], at: Address, fault: Callable[[], Fault], want: set[str]
) -> None:
    """COE, R1 to R6, LIVE: and the run is without fault where nobody misbehaves."""
    assert _broken(_view(events, {})) == set()
    assert _broken(_view(events, {at: fault()})) == want


def test_every_requirement_is_broken_by_something() -> None:
    """A requirement that nothing can break says nothing."""
    alone = {name for row in ROWS for name in row[-1] if len(row[-1]) == 1}
    assert alone == set(REQUIREMENTS)


@pytest.mark.parametrize(
    ("events", "lost", "want"),
    [(CALM, 1, {"COE"}), (CRASHED, 1, set()), (CRASHED, 2, {"COE"})],
)
def test_a_crash_at_the_end_excuses_one_output(
    events: tuple[Any, ...], lost: int, want: set[str]
) -> None:
    """REC-2, COE: one packet for each crash of a last instance, and no more."""
    assert _broken(_view(events, {"v.1": _drops(Output, lost)})) == want
