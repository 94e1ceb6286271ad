"""Exports of counterexamples: nothing of the run is missing, and nothing is told otherwise."""

from __future__ import annotations

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import attrs
import pytest
from commands import ROOT
from counterexamples import MODELS, found
from test_live import OUTPUTS, Deaf

from chc_ref import itf
from chc_ref.check import live, model as models, schedule
from chc_ref.check.counterexample import Counterexample, confirm, of_report, of_schedule
from chc_ref.check.explore import Explorer
from chc_ref.check.words import step_name
from chc_ref.core.values import clock_of
from chc_ref.errors import CheckerError
from chc_ref.export import mermaid, page, picture, records, ways as ways_module
from chc_ref.export.command import FORMATS
from chc_ref.export.labels import label
from chc_ref.export.story import Story, story
from chc_ref.export.ways import Fate, Origin, Way, ways
from chc_ref.require.predicates import Requirements
from chc_ref.system.composition import Happen, Lose
from chc_ref.system.network import Deliver, Double, Drop

RUNS = (
    "ablation_no_last_mark",
    "ablation_delete_at_once",  # a crash, what it loses, and what nobody hears
    "ablation_clone_speaks_at_once",
    "ablation_updates_reveal_nothing",  # a store crashes
    "ablation_continues_at_persisted",  # a root
    "channels_doubling_log",
    "channels_losing_passed",
    "channels_reordering_passed",
    "channels_transport_crash_outputs",
)


@functools.cache
def _told(name: str, variant: str = "") -> Story:
    return story(found(name, variant))


@functools.cache
def _page(name: str, variant: str = "") -> str:
    return page.html(_told(name, variant))


@pytest.fixture(scope="module")
def lasso(tmp_path_factory: pytest.TempPathFactory) -> Counterexample:
    """A run that goes round for ever."""
    path = tmp_path_factory.mktemp("lasso") / "outputs.toml"
    path.write_text(OUTPUTS)
    model = attrs.evolve(models.load(path), transport=Deaf)
    made = of_report(model, path, Explorer(model).run())
    assert made is not None
    return made


# --------------------------------------------------------------------------- what was sent


def _sent(run: Counterexample) -> Counter[tuple[int, str, str, Any]]:
    """Count what is sent in each step, by asking the components anew."""
    system = run.system
    counted: Counter[tuple[int, str, str, Any]] = Counter()
    asked = system.local
    sent: list[tuple[str, str, Any]] = []

    def local(at: int, state: Any, event: Any) -> tuple[Any, list[Any]]:
        after, sends = asked(at, state, event)
        if (name := system.names[at]) != "world":
            sent.extend((name, send.to, send.message) for send in sends)
        return after, sends

    system.local = local  # type: ignore[method-assign]
    try:
        for number, (state, action) in enumerate(zip(run.states, run.actions, strict=False), 1):
            system.step(state, action)
            counted.update((number, *one) for one in sent)
            sent.clear()
    finally:
        del system.local
    return counted


def _fates(run: Counterexample) -> Counter[tuple[int, Fate]]:
    """Count what becomes of messages in each step, by the actions and who is up."""
    counted: Counter[tuple[int, Fate]] = Counter()
    for number, action in enumerate(run.actions, start=1):
        before, after = run.states[number - 1], run.states[number]
        match action:
            case Lose(source, to):
                content = before.channels[run.system.channel(source, to)]
                counted[number, Fate.LOST] += len(content)
            case Drop():
                counted[number, Fate.DROPPED] += 1
            case Deliver(_, to) | Double(_, to):
                at = run.system.index[to]
                ups = [run.system.is_up(at, state.components[at]) for state in (before, after)]
                counted[number, Fate.TAKEN if any(ups) else Fate.DEAF] += 1
    counted[len(run.actions), Fate.LEFT] = sum(map(len, run.states[-1].channels))
    return +counted


def _complaints(told: Story) -> Iterator[str]:
    """Say what a story does not tell of its run, or tells otherwise."""
    run = told.found
    sent = Counter(
        (way.sent, way.source, way.to, way.message)
        for way in told.ways
        if way.origin is Origin.SENT
    )
    if sent != _sent(run):
        yield "messages"
    if Counter((way.ended, way.fate) for way in told.ways) != _fates(run):
        yield "fates"
    if [moment.number for moment in told.moments] != list(range(1, len(run.actions) + 1)):
        yield "steps"
    for moment, step in zip(told.moments, run.steps(), strict=False):
        changed = {change.component for change in step.changes} - {"world", "network"}
        if not changed <= {note.at for note in moment.notes}:
            yield f"changes of step {moment.number}"


@pytest.mark.parametrize("name", RUNS)
def test_a_story_tells_the_run(name: str) -> None:
    """Every message from where it was sent to what became of it, every step, every change."""
    assert list(_complaints(_told(name))) == []


def test_the_runs_show_every_fate() -> None:
    """Else the test above would not test what becomes of messages."""
    seen = {(way.fate, way.origin) for name in RUNS for way in _told(name).ways}
    assert {fate for fate, _ in seen} == set(Fate)
    assert {Origin.SENT, Origin.COPY} <= {origin for _, origin in seen}
    assert any(way.overtook for name in RUNS for way in _told(name).ways)


def _without_a_step(told: Story) -> Story:
    return attrs.evolve(told, moments=told.moments[:3] + told.moments[4:])


def _without_a_way(told: Story) -> Story:
    return attrs.evolve(told, ways=told.ways[1:])


def _other_fate(told: Story) -> Story:
    lost = next(way for way in told.ways if way.fate is Fate.LOST)
    return _with(told, lost, fate=Fate.TAKEN)


def _other_end(told: Story) -> Story:
    return _with(told, told.ways[0], ended=told.ways[0].ended + 1)


def _other_origin(told: Story) -> Story:
    return _with(told, told.ways[3], sent=told.ways[3].sent - 1)


def _with(told: Story, way: Way, **changes: Any) -> Story:
    changed = tuple(attrs.evolve(w, **changes) if w is way else w for w in told.ways)
    return attrs.evolve(told, ways=changed)


def _without_a_note(told: Story) -> Story:
    moments = [attrs.evolve(m, notes=()) if m.number == 2 else m for m in told.moments]
    return attrs.evolve(told, moments=tuple(moments))


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (_without_a_step, "steps"),
        (_without_a_way, "messages"),
        (_other_fate, "fates"),
        (_other_end, "fates"),
        (_other_origin, "messages"),
        (_without_a_note, "changes of step 2"),
    ],
)
def test_a_story_that_tells_otherwise_is_caught(
    fault: Callable[[Story], Story], complaint: str
) -> None:
    """A step dropped, a message, a loss called delivery, another end or origin, no changes."""
    told = _told("ablation_delete_at_once")
    assert complaint in list(_complaints(fault(told)))


def test_what_is_gone_untold_is_an_error_of_the_checker() -> None:
    """States that the actions do not explain are no run."""
    run = found("ablation_no_last_mark")
    gone = attrs.evolve(run.states[7], channels=((),) * len(run.system.channels))
    broken = attrs.evolve(run, states=(*run.states[:7], gone, *run.states[8:]))
    with pytest.raises(CheckerError, match="is gone untold"):
        ways_module.ways(broken)


def test_what_is_sent_again_in_a_crash_comes_again() -> None:
    """``Again`` brings what was taken once more, each as a message of its own."""
    run = found("channels_transport_crash_outputs")
    model = run.model
    steps = tuple(map(step_name, run.actions))
    crash = steps.index("crash count.1")
    with_again = (*steps[:crash], "again root -> count.1 #2", *steps[crash:])
    saved = schedule.Schedule(run.path, model, with_again[: crash + 2])
    again = of_schedule(saved)
    twice = [way for way in ways(again) if way.origin is Origin.AGAIN]
    assert [(way.source, way.to, way.sent) for way in twice] == [("root", "count.1", crash + 1)] * 2
    told = story(again)
    assert told.moments[crash].notes[0].title.startswith("once more from root: ")
    assert "-->>" in mermaid.mermaid(told) or "--)" in mermaid.mermaid(told)


# --------------------------------------------------------------------------- picture and page


def _drawings(text: str) -> list[Element]:
    """Give every drawing of a page; what is not well formed is an error."""
    return [ElementTree.fromstring(one) for one in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def _drawn(text: str, style: str) -> list[Element]:
    every = (element for drawing in _drawings(text) for element in drawing.iter())
    return [e for e in every if style in e.get("class", "").split()]


@pytest.mark.parametrize("name", RUNS)
def test_every_message_has_its_arrow(name: str) -> None:
    """With its ends, its steps and its fate; and each step has its row."""
    told, text = _told(name), _page(name)
    arrows = [e for e in _drawn(text, "way") if e.get("data-fate")]
    keys = ("data-source", "data-to", "data-sent", "data-ended", "data-fate")
    assert Counter(tuple(e.get(key) for key in keys) for e in arrows) == Counter(
        (w.source, w.to, str(w.sent), str(w.ended), w.fate.name.lower()) for w in told.ways
    )
    for arrow in arrows:
        kinds = [child.tag.rpartition("}")[2] for child in arrow]
        end = {"taken": "polygon", "left": "circle"}.get(arrow.get("data-fate", ""), "line")
        assert kinds[:2] == ["title", "line"]
        assert kinds.count("line") == (3 if end == "line" else 1)
        assert kinds[-1] == end
    rows = [e.get("id") for e in _drawn(text, "step")]
    assert rows == [f"step-{number}" for number in range(1, len(told.moments) + 1)]
    boxes = Counter((e.get("data-step"), e.get("data-at")) for e in _drawn(text, "note"))
    assert boxes == Counter((str(m.number), note.at) for m in told.moments for note in m.notes)


@pytest.mark.parametrize("name", RUNS)
def test_no_two_boxes_overlap_and_no_text_leaves_its_box(name: str) -> None:
    """Measured in the drawing, by the widest letter of fixed-width faces."""
    (body,) = _drawings(_page(name))[2:]
    boxes = []
    for group in body.iter():
        rect = next((e for e in group if e.tag.endswith("rect")), None)
        if rect is None:
            continue
        x, y, width, height = (float(rect.get(key, 0)) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + width <= float(body.get("width", 0))
        assert y + height <= float(body.get("height", 0))
        boxes.append((x, y, x + width, y + height))
        for line in (e for e in group if e.tag.endswith("text")):
            left, base = float(line.get("x", 0)), float(line.get("y", 0))
            assert left + len(line.text or "") * 6.63 <= x + width
            assert y + 8 <= base <= y + height - 3
    assert len(boxes) > 5
    for at, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[at + 1 :]:
            apart = other[0] >= right or other[2] <= left or other[1] >= bottom or other[3] <= top
            assert apart


def test_time_runs_downwards() -> None:
    """An arrow ends lower than it begins, but for what happens in one moment."""
    for name in RUNS:
        for arrow in (e for e in _drawn(_page(name), "way") if e.get("data-to")):
            line = next(e for e in arrow if e.tag.endswith("line"))
            assert float(line.get("y2", 0)) > float(line.get("y1", 0))


def test_a_crash_is_on_its_lane_and_the_lane_is_down_behind_it() -> None:
    """The box of the crash is marked, and so is the lane up to the restart."""
    text = _page("crash_last", "no_update_suppression")
    failed = [(e.get("data-at"), e.get("data-step")) for e in _drawn(text, "failed")]
    assert failed == [("count.0", "8")]
    assert len(_drawn(text, "down")) == 1


def test_the_page_needs_nothing_else_and_says_what_is_violated() -> None:
    """No script, nothing from elsewhere; requirement, meaning, clauses; both schemes."""
    run = found("crash_last", "no_update_suppression")
    text = page.html(story(run))
    for word in ("<script", "http://", "https://", "@import", "url(", "src=", "href="):
        assert word not in text.replace("http://www.w3.org/2000/svg", "")
    assert run.violated in text
    assert run.meaning in text
    assert "clauses: R5, DUP-2" in text
    assert "prefers-color-scheme: dark" in text
    assert "Without a lane, as nothing happens there: sink." in text
    assert "memory.values[count.total]: 1 -&gt; 2" in text
    whole = ElementTree.fromstring(picture.svg(story(run)))
    assert whole.tag == "{http://www.w3.org/2000/svg}svg"
    assert "\n".join(e.text or "" for e in whole.iter()).count(run.violated) == 1


HOSTILE = "A<b>&amp;\x01\"';#end\ud7ff"


def test_whatever_a_flow_is_called_the_exports_are_well_formed() -> None:
    """What would be markup, a keyword, or no character at all stays text."""
    run = found("ablation_no_last_mark")
    table = {**run.model.table, "packets": [HOSTILE, HOSTILE], "moves": []}
    model = models.of_table(run.path, table)
    for part in (HOSTILE, "end"):
        assert label(model.world.arrivals[0]) == HOSTILE
        assert part in HOSTILE
    actions = []
    state = model.system().initial
    for _ in range(4):
        action = next(iter(model.system().actions(state)))
        actions.append(action)
        state = model.system().step(state, action)
    told = story(confirm(model, run.path, actions, ""))
    assert len(_drawings(page.html(told))) == 3
    assert "A<b>&amp;?" in "".join(e.text or "" for e in _drawings(page.html(told))[2].iter())
    text = mermaid.mermaid(told)
    for line in text.splitlines()[2:]:
        message = line.partition(": ")[2]
        assert not re.search(r";", re.sub(r"#\d+;", "", message))
        assert not re.search(r"\bend\b", message)
        assert "\x01" not in line
    assert itf.read(records.itf_text(told.found)).states


# --------------------------------------------------------------------------- Mermaid

LINE = re.compile(
    r"sequenceDiagram|    %% .+|    participant c\d+ as \S.*|    loop for ever|    end"
    r"|    c\d+(->>|-->>|-x|--x|--\))c\d+: \S.*|    Note over c\d+(,c\d+)?: \S.*"
)


@pytest.mark.parametrize("name", RUNS)
def test_mermaid_has_a_line_for_every_message(name: str) -> None:
    """In the order of being taken, what is lost with a cross; and nothing but known lines."""
    told = _told(name)
    lines = mermaid.mermaid(told).splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    ids = dict(re.findall(r"participant (c\d+) as (.*)", "\n".join(lines)))
    assert tuple(ids.values()) == told.lanes
    messages = [
        re.match(r"    (c\d+)(->>|-->>|-x|--x|--\))(c\d+): (?:(\d+)\. )?", line) for line in lines
    ]
    drawn = [(ids[m[1]], m[2], ids[m[3]], int(m[4] or 0)) for m in messages if m]
    assert Counter(one for one in drawn if one[0] != "world") == Counter(
        (
            way.source,
            {Fate.TAKEN: "->>", Fate.LEFT: "--)"}.get(way.fate, "-x")
            if way.origin is Origin.SENT or way.fate is Fate.LEFT
            else "-->>",
            way.to,
            0 if way.fate is Fate.LEFT else way.ended,
        )
        for way in told.ways
    )
    steps = [number for *_, number in drawn if number]
    assert steps == sorted(steps)
    assert lines[-1].startswith("    Note over c0,")
    assert f"violated: {told.found.requirement}: " in lines[-1]


# --------------------------------------------------------------------------- ITF


@pytest.mark.parametrize("name", RUNS)
def test_itf_holds_all_of_every_state(name: str) -> None:
    """What is read is what the states are, and no two states are written alike."""
    run = found(name)
    trace = itf.read(records.itf_text(run))
    assert len(trace.states) == len(run.states)
    for state, written in zip(run.states, trace.states, strict=True):
        for at, component in zip(run.system.names, state.components, strict=True):
            assert written[at] == records.value(component)
    assert [state[records.STEP] for state in trace.states[1:]] == list(map(step_name, run.actions))
    distinct = {tuple(s[key] for key in s if key != records.STEP) for s in trace.states}
    assert len(distinct) == len(set(run.states))
    assert (trace.meta["violated"], trace.loop) == (run.violated, None)


def test_a_field_that_is_left_out_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seeded fault: without some field, states that differ are written alike."""
    run = found("ablation_no_last_mark")
    whole = attrs.fields

    def but_values(kind: type) -> list[Any]:
        return [field for field in whole(kind) if field.name not in ("values", "records")]

    stores = {state.components[run.system.index["store"]] for state in run.states}
    assert len(set(map(records.value, stores))) == len(stores)
    monkeypatch.setattr(attrs, "fields", but_values)
    assert len(set(map(records.value, stores))) < len(stores)


# --------------------------------------------------------------------------- for ever


def test_a_run_for_ever_is_confirmed_told_and_run_again(lasso: Counterexample) -> None:
    """The loop is in the picture, in Mermaid, in ITF and in the schedule."""
    assert lasso.loop == 12
    assert lasso.violated.endswith(", for ever")
    told = story(lasso)
    assert list(_complaints(told)) == []
    assert len(_drawn(page.html(told), "loop")) == 1
    text = mermaid.mermaid(told)
    assert text.index("    loop for ever") < text.index(": 13. ") < text.index("    end\n")
    assert text.index(": 12. ") < text.index("    loop for ever")
    trace = itf.read(records.itf_text(lasso))
    assert trace.loop == 13
    first, last = dict(trace.states[12]), dict(trace.states[-1])
    assert (first.pop(records.STEP), last.pop(records.STEP)) != ("", "")
    assert first == last
    saved = _saved(lasso)
    assert saved.loop == 12
    again = of_schedule(saved)
    assert (again.violated, again.loop, again.actions) == (lasso.violated, 12, lasso.actions)


def _saved(run: Counterexample) -> schedule.Schedule:
    read = schedule.of_data(run.path, tomllib.loads(run.schedule()), MODELS)
    return attrs.evolve(read, model=attrs.evolve(read.model, transport=Deaf))


def test_a_run_that_does_not_go_round_is_no_such_counterexample(lasso: Counterexample) -> None:
    """Another claim, no way back, or a round that refuses what stays possible."""
    model, path, actions = lasso.model, lasso.path, lasso.actions
    with pytest.raises(CheckerError, match="and not 'LIVE: something else'"):
        confirm(model, path, actions, "LIVE: something else", 12)
    with pytest.raises(CheckerError, match="does not come back to state 3"):
        confirm(model, path, actions, lasso.violated, 3)
    system, requirements = lasso.system, Requirements(model.chain)
    whole = live.lasting(system, requirements, lasso.states, actions, 12)
    assert lasso.violated in whole
    (timer,) = (a for a in actions[12:] if isinstance(a, Happen))
    twice = (lasso.states[10], lasso.states[10])  # a datagram is under way all the while
    assert live.lasting(system, requirements, twice, (timer,), 0) == ()
    assert live.lasting(system, requirements, twice, (timer, actions[10]), 0) == whole
    short = of_schedule(attrs.evolve(_saved(lasso), steps=_saved(lasso).steps[:13]))
    assert (short.violated, short.loop) == ("", None)


# --------------------------------------------------------------------------- the document


def test_the_document_names_every_format_and_variable() -> None:
    """A row for each format with the name of its file, and what an ITF state holds."""
    text = (ROOT / "docs" / "counterexamples.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)`(?: \(default\))? \| `([^`]+)` \|", text, re.MULTILINE))
    assert rows == {name: file.format("NAME") for name, file in FORMATS.items()}
    for name in (records.CHANNELS, records.LEFT, records.STEP):
        assert f"`{name}`" in text


# --------------------------------------------------------------------------- labels


def test_a_label_says_clock_epoch_and_target() -> None:
    """Few words, and those that matter; a clock of another root says so (SPLIT-4)."""
    texts = [label(way.message) for way in ways(found("crash_last", "no_update_suppression"))]
    assert "Packet clock 1 A" in texts
    assert "Packet clock 1 A for count.0" in texts
    assert "ReplayEnd for count.0" in texts
    assert "Packet clock 2 A epoch 1" in [
        label(way.message) for way in ways(found("ablation_no_last_mark"))
    ]
    packet = next(
        w.message for w in ways(found("ablation_no_last_mark")) if hasattr(w.message, "vector")
    )
    assert label(attrs.evolve(packet, clock=clock_of(1, 3))).startswith("Packet clock 3 of root1 ")
