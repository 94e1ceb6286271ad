"""Mermaid: a counterexample as the text of a ``sequenceDiagram``.

Mermaid draws a message in one moment, that of its end; how long it was under way stands behind
it in words. Everything else is as in the picture, from the same story.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chc_ref.core.values import Address
from chc_ref.export.labels import label
from chc_ref.export.story import Moment, Story, end, plain
from chc_ref.export.ways import Fate, Origin, Way
from chc_ref.system.composition import WORLD

MOST_LINES = 3
"""Changes of one component that a note tells."""


def mermaid(story: Story) -> str:
    """Give a counterexample as Mermaid text."""
    return "\n".join(_lines(story)) + "\n"


def _lines(story: Story) -> Iterator[str]:
    ids = {lane: f"c{number}" for number, lane in enumerate(story.lanes)}
    yield "sequenceDiagram"
    yield f"    %% {_comment(story.found.headline)}"
    yield from (f"    participant {ids[lane]} as {_text(lane)}" for lane in story.lanes)
    loop = story.found.loop
    for moment in story.moments:
        if loop is not None and moment.number == loop + 1:
            yield "    loop for ever"
        yield from (f"    {line}" for line in _moment(moment, ids))
    if loop is not None:
        yield "    end"
    for way in story.ways:
        if way.fate is Fate.LEFT:
            told = f"still under way, sent in step {way.sent}: {label(way.message)}"
            yield f"    {ids[way.source]}--){ids[way.to]}: {_text(told)}"
    over = ",".join(dict.fromkeys((ids[story.lanes[0]], ids[story.lanes[-1]])))
    yield f"    Note over {over}: {'<br/>'.join(map(_text, end(story.found)))}"


def _moment(moment: Moment, ids: dict[Address, str]) -> Iterator[str]:
    number = moment.number
    titled = {note.at for note in moment.notes if note.title}
    for way in moment.came:
        yield f"{ids[way.source]}{_arrow(way)}{ids[way.to]}: {_text(f'{number}. {_told(way)}')}"
        if way.fate is Fate.TAKEN:
            titled.discard(way.to)  # its arrow has said it
    if any(way.fate in (Fate.LOST, Fate.DROPPED) for way in moment.came):
        return  # all that there is to say of it
    for note in moment.notes:
        texts = [*note.lines[:MOST_LINES]]
        if moment.world and note.title:
            yield f"{ids[WORLD]}->>{ids[note.at]}: {_text(f'{number}. {note.title}')}"
        elif note.at in titled and not moment.came:  # a timer
            texts = [f"{number}. {note.title}", *texts]
        if len(note.lines) > MOST_LINES or note.more:
            texts.append(f"and {len(note.lines[MOST_LINES:]) + note.more} more")
        if texts:
            yield f"Note over {ids[note.at]}: {'<br/>'.join(map(_text, texts))}"


def _arrow(way: Way) -> str:
    """A cross for what does not come, a broken line for what was sent again or doubled."""
    if way.fate is not Fate.TAKEN:
        return "--x" if way.origin is not Origin.SENT else "-x"
    return "->>" if way.origin is Origin.SENT else "-->>"


def _told(way: Way) -> str:
    told = label(way.message)
    if way.fate is not Fate.TAKEN:
        told = f"{told}, {way.fate.value}"
    if way.origin is not Origin.SENT:
        told = f"{told}, {way.origin.value}"
    if way.ended > way.sent + 1:
        told = f"{told} (of step {way.sent})"
    return f"{told}, overtook an earlier one" if way.overtook else told


def _text(text: str) -> str:
    """Give a text without what Mermaid would take for more than text."""
    text = re.sub(r"\s+", " ", plain(text))
    text = re.sub(r"[#;<>&%{}]", lambda found: f"#{ord(found[0])};", text)
    # It looks for this word to close a block, wherever it stands alone.
    return re.sub(r"(?i)\b(en)(d)\b", lambda found: f"{found[1]}#{ord(found[2])};", text)


def _comment(text: str) -> str:
    return re.sub(r"[{}\s]+", " ", plain(text))
