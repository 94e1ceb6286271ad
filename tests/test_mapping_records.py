"""Lines of records: what a mapping has of a message, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from chc_ref.check.mapping.records import records
from chc_ref.core import messages as m
from chc_ref.errors import UsageError

OF = SimpleNamespace(file="Toy.tla")
MOVE = m.Move("count", "A", 2, "count.1")


def test_a_line_names_type_and_fields() -> None:
    """A field is the message's, by that name or another, the sender, or what a reader gives."""
    made = records(
        {
            m.Move: "move: flow of=vertex to epoch",
            m.HostsKnown: "known: host=hosts.instance hosts.hosts from=source",
            m.Begin: "clock",
            m.Stop: "stop:",
        },
        {"to": lambda of, item: (of.file, item.to)},
    )
    to = ("Toy.tla", "count.1")
    want = {"type": "move", "flow": "A", "of": "count", "to": to, "epoch": 2}
    assert made[m.Move](OF, MOVE, "") == want
    known = m.HostsKnown(m.Hosts("a.0", ("a.0", "a.0'")))
    want = {"type": "known", "host": "a.0", "hosts.hosts": ("a.0", "a.0'"), "from": "a.0"}
    assert made[m.HostsKnown](OF, known, "a.0") == want
    assert made[m.Begin](OF, m.Begin("count", "A", 1, 7, 0), "") == {"clock": 7}
    assert made[m.Stop](OF, m.Stop(), "") == {"type": "stop"}


def test_what_is_left_out_must_be_as_it_is_told() -> None:
    """A module that knows no move with a beginning does not take one for another."""
    made = records({m.Move: "move: flow"}, constants=[(m.Move, "since", None)])[m.Move]
    assert made(OF, MOVE, "") == {"type": "move", "flow": "A"}
    with pytest.raises(UsageError, match=r"Toy\.tla has nothing like Move"):
        made(OF, m.Move("count", "A", 2, "count.1", since=3), "")


def test_a_line_names_no_field_that_is_not_there() -> None:
    """It is told as soon as the line is read."""
    with pytest.raises(AssertionError, match="Move has no clock"):
        records({m.Move: "move: clock"})
