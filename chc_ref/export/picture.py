"""Picture: a counterexample as a sequence diagram in SVG.

Time runs downwards, one row a step. In its row stands a box on the lane of each component that the
step strikes: what it takes, and below what that changes. An arrow leads from the box in which a
message was sent to the box in which it was taken, so what is long under way is a long arrow, and
what overtakes crosses. Boxes have rows of their own, so no two ever overlap; arrows run behind
them. Drawn with ``xml.etree``: well formed whatever a label holds.
"""

from __future__ import annotations

import itertools
import textwrap
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import attrs

from chc_ref.core.values import Address
from chc_ref.export.labels import label, plane
from chc_ref.export.story import Moment, Story, end, plain
from chc_ref.export.ways import Fate, Origin, Way
from chc_ref.system.composition import WORLD
from chc_ref.system.world import Arrival, Chance, Crash, Operate

GUTTER = 56
"""Pixels to the left of all lanes: numbers of steps, and the way back of a loop."""
PITCH, BOX = 262, 232
"""From lane to lane, and the width of a box."""
NARROW = 120
"""Width of the world's lane."""
HEAD = 40
LINE, PADDING, GAP = 15, 7, 16
"""Height of a line; around the text of a box; between rows."""
LETTER = 6.65
"""Width of a letter at 11 px in any fixed-width face; a little more than all have."""
DEEP = 3
"""Lines that one text in a box may take."""

STYLE = """
svg.run { --ink: #1f2328; --soft: #6e7781; --page: #ffffff; --box: #f6f8fa; --edge: #afb8c1;
  --rule: #d8dee4; --packet: #0969da; --replay: #8250df; --mark: #bc4c00; --output: #1a7f37;
  --other: #6e7781; --bad: #cf222e; --badbox: #ffebe9;
  background: var(--page);
  font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { svg.run { --ink: #e6edf3; --soft: #9198a1; --page: #0d1117;
  --box: #161b22; --edge: #3d444d; --rule: #262c36; --packet: #58a6ff; --replay: #bc8cff;
  --mark: #f0883e; --output: #56d364; --other: #9198a1; --bad: #ff7b72; --badbox: #3c1618; } }
svg.run text { fill: var(--ink); white-space: pre; }
svg.run .soft { fill: var(--soft); }
svg.run .bold { font-weight: 700; }
svg.run .lane { stroke: var(--edge); stroke-width: 1.5; }
svg.run .down { stroke: var(--bad); stroke-dasharray: 2 5; }
svg.run .rule { stroke: var(--rule); stroke-width: 1; }
svg.run .box { fill: var(--box); stroke: var(--edge); }
svg.run .failed .box, svg.run .end .box { fill: var(--badbox); stroke: var(--bad); }
svg.run .failed .bold, svg.run .end .bold { fill: var(--bad); }
svg.run .way { fill: none; stroke: var(--other); stroke-width: 1.4; }
svg.run .tip { fill: currentColor; stroke: none; }
svg.run .world { stroke: var(--ink); color: var(--ink); }
svg.run .packet { stroke: var(--packet); color: var(--packet); stroke-width: 2; }
svg.run .replay { stroke: var(--replay); color: var(--replay); stroke-width: 2;
  stroke-dasharray: 7 3; }
svg.run .mark { stroke: var(--mark); color: var(--mark); stroke-width: 3; }
svg.run .output { stroke: var(--output); color: var(--output); stroke-width: 2; }
svg.run .other { stroke: var(--other); color: var(--other); }
svg.run .copy { stroke-dasharray: 2 2; }
svg.run .left { stroke-dasharray: 1 4; }
svg.run .gone { stroke: var(--bad); color: var(--bad); }
svg.run .loop { fill: none; stroke: var(--bad); color: var(--bad); stroke-width: 2; }
"""

LEGEND = (
    ("packet", "packet"),
    ("packet replay", "replayed packet"),
    ("mark", "mark"),
    ("output", "output, alert"),
    ("other", "all else"),
    ("other left", "still under way at the end"),
    ("other gone", "lost, or not heard"),
    ("other copy", "a copy, or sent again"),
)


@attrs.frozen
class Block:
    """Text in a box: lines, each with its style."""

    lines: tuple[tuple[str, str], ...]
    """(text, class)."""

    @property
    def height(self) -> int:
        return 2 * PADDING + LINE * len(self.lines)


def block(width: int, *texts: tuple[str, str], deep: int = DEEP) -> Block:
    """Break texts, each with its style, into the lines of a box."""
    letters = int((width - 2 * PADDING) / LETTER)
    lines: list[tuple[str, str]] = []
    for text, style in texts:
        parts = textwrap.wrap(
            plain(text), letters, subsequent_indent="  ", max_lines=deep, placeholder=" ..."
        )
        lines += [(part, style) for part in parts]
    return Block(tuple(lines))


class Picture:
    """A diagram being drawn."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.x: dict[Address, float] = {}
        at: float = GUTTER
        for lane in story.lanes:
            width = NARROW if lane == WORLD else PITCH
            self.x[lane] = at + width / 2
            at += width
        self.width = int(at)
        self.blocks = {
            (moment.number, note.at): block(
                BOX,
                (note.title, "bold"),
                *((line, "") for line in note.lines),
                *([(f"and {note.more} more", "soft")] if note.more else []),
            )
            for moment in story.moments
            for note in moment.notes
        }
        self.waiting = self._waiting()
        self.y = self._rows()
        self.last = len(story.moments) + 1
        """Number of the row below the last step: what is still under way."""
        self._starts: dict[tuple[int, Address], itertools.count[int]] = {}

    def _waiting(self) -> dict[Address, Block]:
        """Give what is under way to each component at the end."""
        lines: dict[Address, list[tuple[str, str]]] = {}
        for way in self.story.ways:
            if way.fate is Fate.LEFT:
                texts = lines.setdefault(way.to, [("still under way to it", "soft")])
                texts.append((f"{label(way.message)}, from {way.source}", ""))
        return {to: block(BOX, *texts) for to, texts in lines.items()}

    def _rows(self) -> list[float]:
        """Give the top of each row; the first is for what is before all steps."""
        tops: list[float] = [0.0, GAP]
        for moment in self.story.moments:
            heights = [self.blocks[moment.number, note.at].height for note in moment.notes]
            tops.append(tops[-1] + max(heights, default=LINE + 2 * PADDING) + GAP)
        return tops

    # ------------------------------------------------------------------ parts

    def heads(self) -> Element:
        """Draw the names of the lanes, as a picture of its own."""
        svg = _svg(self.width, HEAD)
        for lane, x in self.x.items():
            _text(svg, x, HEAD - 14, lane, "bold", anchor="middle", size=13)
        _line(svg, (0, HEAD - 1), (self.width, HEAD - 1), "rule")
        return svg

    def body(self) -> Element:
        """Draw everything but the names of the lanes."""
        bottom = self.y[self.last]
        below = max((one.height for one in self.waiting.values()), default=0)
        verdict = block(self.width - 20, *self._verdict(), deep=9)
        height = int(bottom + below + GAP + verdict.height + GAP)
        svg = _svg(self.width, height)
        for moment in self.story.moments:
            self._row(svg, moment)
        for lane in self.story.lanes:
            self._lane(svg, lane, bottom + below)
        for way in self.story.ways:
            self._way(svg, way)
        for moment in self.story.moments:
            self._moment(svg, moment)
        for to, one in self.waiting.items():
            group = SubElement(svg, "g", {"class": "waiting"})
            _box(group, self.x[to] - BOX / 2, bottom, BOX, one)
        self._loop(svg)
        group = SubElement(svg, "g", {"class": "end" if self.story.found.violated else "fine"})
        _box(group, 10, bottom + below + GAP, self.width - 20, verdict)
        return svg

    def _verdict(self) -> list[tuple[str, str]]:
        first, *rest = end(self.story.found)
        return [(first, "bold"), *((line, "") for line in rest)]

    def _row(self, svg: Element, moment: Moment) -> None:
        y = self.y[moment.number]
        if moment.number > 1:
            _line(svg, (0, y - GAP / 2), (self.width, y - GAP / 2), "rule")
        group = SubElement(svg, "g", {"class": "step", "id": f"step-{moment.number}"})
        _title(group, moment.words)
        _text(group, GUTTER - 22, y + 18, str(moment.number), "soft", anchor="end", size=12)

    def _lane(self, svg: Element, lane: Address, bottom: float) -> None:
        """Draw a lane in pieces: a component is up, or it is down."""
        x = self.x[lane]
        turns = [(0, self.story.is_up(lane, 0))]
        for moment in self.story.moments:
            up = self.story.is_up(lane, moment.number)
            if up != turns[-1][1]:
                turns.append((moment.number, up))
        for (number, up), (until, _) in itertools.pairwise([*turns, (self.last, True)]):
            y = bottom if until == self.last else self.y[until]
            _line(svg, (x, self.y[number]), (x, y), "lane" if up else "lane down")

    def _moment(self, svg: Element, moment: Moment) -> None:
        y = self.y[moment.number]
        for to in moment.world:
            self._of_the_world(svg, moment, to)
        for note in moment.notes:
            lost = any(w.fate not in (Fate.TAKEN, Fate.LEFT) for w in moment.came)
            bad = note.at == moment.crashed or lost
            group = SubElement(svg, "g", {"class": "note failed" if bad else "note"})
            group.set("data-step", str(moment.number))
            group.set("data-at", plain(note.at))
            _title(group, f"{note.at}, step {moment.number}: {moment.words}\n{note.whole}")
            _box(group, self.x[note.at] - BOX / 2, y, BOX, self.blocks[moment.number, note.at])

    def _of_the_world(self, svg: Element, moment: Moment, to: Address) -> None:
        y, x = self.y[moment.number] + 14, self.x[WORLD]
        event = getattr(moment.action, "event", None)
        kinds = {Arrival: "packet", Operate: "operator", Crash: "failure", Chance: "chance"}
        if to == moment.world[0]:
            _text(svg, x - 8, y + 4, kinds.get(type(event), "timer"), "soft", anchor="end")
            SubElement(svg, "circle", {"cx": f"{x:g}", "cy": f"{y:g}", "r": "3"})
        group = SubElement(svg, "g", {"class": "way world"})
        _title(group, moment.words)
        _arrow(group, (x, y), (self.x[to] - BOX / 2, y))

    # ------------------------------------------------------------------ messages

    def _way(self, svg: Element, way: Way) -> None:
        """Draw the arrow of one message."""
        classes = ["way", plane(way.message).value]
        if plane(way.message).value == "replay":
            classes.insert(1, "packet")
        if way.origin is not Origin.SENT:
            classes.append("copy")
        if way.fate is Fate.LEFT:
            classes.append("left")
        elif way.fate is not Fate.TAKEN:
            classes.append("gone")
        group = SubElement(svg, "g", {"class": " ".join(classes)})
        for name in ("source", "to", "sent", "ended"):
            group.set(f"data-{name}", plain(getattr(way, name)))
        group.set("data-fate", way.fate.name.lower())
        over = "; it overtook an earlier one" if way.overtook else ""
        when = f"sent in step {way.sent}, {way.fate.value} in step {way.ended}{over}"
        told = f"{way.source} -> {way.to}: {label(way.message)}\n{when}"
        _title(group, told if way.origin is Origin.SENT else f"{told}\n{way.origin.value}")
        start, tip = self._start(way), self._tip(way)
        if way.fate is Fate.LEFT:
            _line(group, start, tip)
            SubElement(group, "circle", {"cx": f"{tip[0]:g}", "cy": f"{tip[1]:g}", "r": "3"})
        elif way.fate is Fate.TAKEN:
            _arrow(group, start, tip)
        else:
            _line(group, start, tip)
            _cross(group, tip)

    def _side(self, way: Way) -> float:
        return 1.0 if self.x[way.to] > self.x[way.source] else -1.0

    def _start(self, way: Way) -> tuple[float, float]:
        """Leave the sender's box at its side, each message a little lower than the one before."""
        x, y = self.x[way.source], self.y[way.sent]
        if way.origin is not Origin.SENT:  # by the network, half-way
            return (x + self.x[way.to]) / 2, y + 10
        height = self.blocks[way.sent, way.source].height
        nth = next(self._starts.setdefault((way.sent, way.source), itertools.count()))
        return x + self._side(way) * BOX / 2, y + min(height - 5, 22 + 6 * nth)

    def _tip(self, way: Way) -> tuple[float, float]:
        """Come to the receiver's box at its side; what is lost, to the middle between both."""
        side = self._side(way)
        if way.fate in (Fate.LOST, Fate.DROPPED):
            x = self.x[way.source] + side * (BOX / 2 + (PITCH - BOX) / 2)
            return x, self.y[way.ended] + 12
        row = self.last if way.fate is Fate.LEFT else way.ended
        return self.x[way.to] - side * (BOX / 2 + 4), self.y[row] + 12

    def _loop(self, svg: Element) -> None:
        """Draw the way back from the last state to the one that it is again."""
        loop = self.story.found.loop
        if loop is None:
            return
        first, last = self.y[loop + 1] + 14, self.y[self.last] - GAP
        group = SubElement(svg, "g", {"class": "loop"})
        _title(group, f"from here on it goes round for ever, back to step {loop + 1}")
        x = GUTTER - 14
        SubElement(group, "path", {"d": f"M {x + 12} {last:g} H {x} V {first:g}"})
        _arrow(group, (x, first), (x + 12, first))
        turned = {"transform": f"rotate(-90 12 {(first + last) / 2:g})"}
        _text(
            SubElement(svg, "g", turned),
            12,
            (first + last) / 2,
            "for ever",
            "bold",
            anchor="middle",
        )


# --------------------------------------------------------------------------- strokes


def _svg(width: int, height: int) -> Element:
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    return Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "run", **size})


def _title(parent: Element, text: str) -> None:
    SubElement(parent, "title").text = plain(text)


def _line(
    parent: Element, start: tuple[float, float], stop: tuple[float, float], style: str = ""
) -> None:
    places = {"x1": start[0], "y1": start[1], "x2": stop[0], "y2": stop[1]}
    line = SubElement(parent, "line", {name: f"{value:.1f}" for name, value in places.items()})
    if style:
        line.set("class", style)


def _arrow(parent: Element, start: tuple[float, float], tip: tuple[float, float]) -> None:
    """Draw a line with a head that lies in its direction."""
    dx, dy = tip[0] - start[0], tip[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1.0)
    dx, dy = dx / length, dy / length
    neck = tip[0] - 9 * dx, tip[1] - 9 * dy
    _line(parent, start, neck)
    corners = [
        tip,
        (neck[0] - 4.5 * dy, neck[1] + 4.5 * dx),
        (neck[0] + 4.5 * dy, neck[1] - 4.5 * dx),
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    SubElement(parent, "polygon", {"points": points, "class": "tip"})


def _cross(parent: Element, at: tuple[float, float]) -> None:
    x, y = at
    _line(parent, (x - 6, y - 6), (x + 6, y + 6))
    _line(parent, (x - 6, y + 6), (x + 6, y - 6))


def _text(
    parent: Element,
    x: float,
    y: float,
    text: str,
    style: str,
    *,
    anchor: str = "start",
    size: int = 11,
) -> None:
    places = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    element = SubElement(parent, "text", places)
    if style:
        element.set("class", style)
    if size != 11:
        element.set("font-size", str(size))
    element.text = plain(text)


def _box(parent: Element, x: float, y: float, width: float, text: Block) -> None:
    size = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:g}", "height": str(text.height)}
    SubElement(parent, "rect", {**size, "rx": "4", "class": "box"})
    for nth, (line, style) in enumerate(text.lines):
        _text(parent, x + PADDING, y + PADDING + LINE * nth + 11, line, style)


# --------------------------------------------------------------------------- wholes


def legend() -> Element:
    """Draw what the strokes mean."""
    across = len(LEGEND) // 2
    width = 60 + int(LETTER * max(len(text) for _, text in LEGEND))
    svg = _svg(width * across, 44)
    for nth, (style, text) in enumerate(LEGEND):
        x, y = 6 + width * (nth % across), 13 + 18 * (nth // across)
        group = SubElement(svg, "g", {"class": f"way {style}"})
        if "left" in style:
            _line(group, (x, y), (x + 32, y))
            SubElement(group, "circle", {"cx": str(x + 32), "cy": str(y), "r": "3"})
        elif "gone" in style:
            _line(group, (x, y), (x + 32, y))
            _cross(group, (x + 32, y))
        else:
            _arrow(group, (x, y), (x + 36, y))
        _text(svg, x + 44, y + 4, text, "")
    return svg


def text_of(svg: Element) -> str:
    """Give a drawing as text that may stand in a page."""
    return ElementTree.tostring(svg, encoding="unicode")


def svg(story: Story) -> str:
    """Give the whole picture as an SVG file."""
    picture = Picture(story)
    heads, body = picture.heads(), picture.body()
    whole = _svg(picture.width, HEAD + int(body.get("height", "0")))
    SubElement(whole, "style").text = STYLE
    whole.extend(list(heads))
    moved = SubElement(whole, "g", {"transform": f"translate(0 {HEAD})"})
    moved.extend(list(body))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text_of(whole)}\n'
