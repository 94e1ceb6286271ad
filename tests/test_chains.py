"""Chains as users write them: TOML and Python, errors with their place, what is printed."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from captured import CAPTURES, TRUTH, arrivals_of

from chc_ref import chains, diagram
from chc_ref.check import model
from chc_ref.cli import main
from chc_ref.core.chain import Chain, Vertex, check, compile_chain
from chc_ref.core.messages import Arrive
from chc_ref.core.operations import FLOW, NetworkFunction, Outcome, Process, off_path
from chc_ref.core.values import ObjectKey, root_of
from chc_ref.errors import ModelError, UsageError
from chc_ref.nfs.headers import HOST
from chc_ref.nfs.load_balancer import LOAD_BALANCER
from chc_ref.nfs.logic import LOGIC
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.tiny import COUNTER, HOT, LATCH, MARKER, PASS, RECORDER
from chc_ref.nfs.trojan import TROJAN
from chc_ref.replay.run import default_chain, replay
from chc_ref.replay.schedule import CrashAt, MoveAt, Schedule
from chc_ref.require.ideal import run_ideal
from chc_ref.system.endpoint import over_network
from chc_ref.system.network import network

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
CAPTURE = CAPTURES / "trojan_small.pcap"
README = (ROOT / "README.md").read_text()
DOCUMENT = (ROOT / "docs" / "chains.md").read_text()

NAMES = {"Chain": Chain, "Vertex": Vertex, "off_path": off_path, "NAT": NAT,
         "PORTSCAN": PORTSCAN, "LOAD_BALANCER": LOAD_BALANCER}  # fmt: skip
"""What the Python of the README imports."""

Chc = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Chc:
    """Run the command line in this process; gives exit code, output and errors."""

    def run(*arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["chc", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return (int(end.value.code or 0), *capsys.readouterr())

    return run


def _blocks(language: str, text: str = DOCUMENT) -> list[str]:
    """Give the code that a document, docs/chains.md if none is named, shows in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _arrivals(packets: int) -> tuple[Arrive, ...]:
    return arrivals_of("trojan_small", packets)


def _words(packets: int) -> tuple[Arrive, ...]:
    """Give packets of a capture's flows with headers as the tiny NFs read them."""
    return tuple(Arrive(a.flow, (number,)) for number, a in enumerate(_arrivals(packets)))


# --------------------------------------------------------------------------- reading


def test_a_chain_says_the_same_in_toml_and_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """CHAIN-1: and the document shows both, as they are."""
    monkeypatch.chdir(ROOT)
    from_toml = chains.load("examples/figure1.toml")
    assert from_toml == chains.load("./examples/figure1.py:CHAIN")
    assert _blocks("toml")[0] == (EXAMPLES / "figure1.toml").read_text()
    assert _blocks("python")[0] == (EXAMPLES / "figure1.py").read_text()
    objects = [v.nf.objects for v in from_toml.vertices]
    assert objects[0] == NAT.objects
    assert [v.nf.off_path for v in from_toml.vertices] == [False, False, True, True]


def test_the_readme_says_the_same_twice(tmp_path: Path) -> None:
    """CHAIN-1: its chain in TOML is its chain in Python."""
    (toml,), (python,) = _blocks("toml", README), _blocks("python", README)
    (tmp_path / "chain.toml").write_text(toml)
    assert chains.load(str(tmp_path / "chain.toml")) == eval(python, NAMES)


def test_every_key_reaches_the_chain() -> None:
    """CHAIN-1: what a file may say, it says of the chain."""
    data = {
        "vertices": [
            {
                "name": "hot",
                "nf": "hot",
                "instances": 3,
                "split": "host",
                "store": "store2",
                "eager_flush": False,
                "clones": True,
                "standby": 1,
                "logic": "scale_out",
            },
            {"name": "count", "nf": "counter", "off_path": True},
        ],
        "edges": [["hot", "count"]],
        "roots": 2,
        "entry": "host",
        "log": "store",
        "write_ahead": True,
        "persist_every": 4,
        "capacity": 9,
    }
    hot = Vertex(
        "hot", HOT, 3, False, "store2", "host", clones=True, standby=1, logic=LOGIC["scale_out"]
    )
    vertices = (hot, Vertex("count", off_path(COUNTER)))
    expected = Chain(vertices, (("hot", "count"),), 4, 9, 2, HOT.scopes[1], "store", True)
    assert chains.read(data) == expected
    assert chains.KEYS.keys() == data.keys()
    names = {name for entry in data["vertices"] for name in entry}  # type: ignore[attr-defined]
    assert chains.VERTEX_KEYS.keys() - names == {"config"}


def test_a_model_is_read_by_the_same_reader(tmp_path: Path) -> None:
    """CHAIN-1: a model takes an NF of one's own, and knows every key of a chain."""
    (tmp_path / "own.py").write_text("from chc_ref.nfs.tiny import COUNTER as MINE\n")
    path = tmp_path / "mine.toml"
    path.write_text(
        'chc_model = 1\nabout = ""\nleaves_out = ""\nclauses = []\nexpect = "holds"\n'
        'vertices = [{ name = "v", nf = "./own.py:MINE" }]\n'
        'packets = ["A"]\nwitnesses = []\ncapacity = 5\nentry = "flow"\n'
    )
    assert model.load(path).chain == Chain((Vertex("v", COUNTER),), capacity=5, entry=FLOW)
    assert chains.load(str(path)).vertices == (Vertex("v", COUNTER),)
    path.write_text(path.read_text().replace("./own.py:MINE", "nat"))
    with pytest.raises(UsageError, match=r"mine\.toml: packets: nf 'nat' reads real headers"):
        model.load(path)


def test_the_entry_scope_shares_the_input_among_the_roots() -> None:
    """SPLIT-4: a vertex' scope by name, or any other by its module."""
    data = {"vertices": [{"name": "scan", "nf": "portscan"}], "roots": 4}
    by_host = chains.read({**data, "entry": "host"})
    by_name = chains.read({**data, "entry": "chc_ref.nfs.headers:HOST"})
    flows = {arrival.flow for arrival in _arrivals(500)}
    assert by_host.entry is by_name.entry is HOST
    roots = {(f.inside, by_host.root_for(f)) for f in flows}  # type: ignore[attr-defined]
    assert len(roots) == len({host for host, _ in roots})
    assert len({root for _, root in roots}) > 1


VERTEX = '[[vertices]]\nname = "nat"\nnf = "nat"\n'
TWO = VERTEX + '[[vertices]]\nname = "scan"\nnf = "portscan"\n'
MALFORMED = {
    "cycle": ('edges = [["nat", "scan"], ["scan", "nat"]]\n' + TWO, "cycle: nat -> scan -> nat"),
    "loop": ('edges = [["nat", "nat"]]\n' + VERTEX, "cycle: nat -> nat"),
    "unknown vertex": ('edges = [["nat", "lb"]]\n' + VERTEX, "edge nat -> lb names an unknown"),
    "edge twice": ('edges = [["nat", "scan"], ["nat", "scan"]]\n' + TWO, "nat -> scan is there t"),
    "edge of three": ('edges = [["nat", "scan", "nat"]]\n' + TWO, "is not a pair of vertices"),
    "edge of numbers": ("edges = [[1, 2]]\n" + VERTEX, r"edge \[1, 2\] is not a pair"),
    "unreachable": (
        'edges = [["scan", "nat"]]\n' + TWO + "off_path = true\n",
        "vertex 'nat' cannot be reached from 'scan'",
    ),
    "two ways": (
        'edges = [["nat", "scan"], ["scan", "third"], ["nat", "third"]]\n'
        + TWO
        + '[[vertices]]\nname = "third"\nnf = "counter"\n',
        "2 ways lead to vertex 'third', and it keeps 'count' for each flow",
    ),
    "no vertices": ("vertices = []\n", "no vertices"),
    "vertices missing": ("", "key 'vertices' is missing"),
    "two of one name": (VERTEX + VERTEX, "two vertices are called 'nat'"),
    "reserved name": (VERTEX.replace('"nat"\n', '"root"\n', 1), "'root' is reserved"),
    "no name": ('[[vertices]]\nnf = "nat"\n', "vertex 1: key 'name' is missing"),
    "no nf": ('[[vertices]]\nname = "nat"\n', "vertex 'nat': key 'nf' is missing"),
    "no table": ("vertices = [3]\n", "vertices: entry 1 must be a table, and is 3"),
    "zero instances": (VERTEX + "instances = 0\n", "'nat' needs at least one instance"),
    "instances as text": (VERTEX + 'instances = "2"\n', "'nat': key 'instances' must be a whole"),
    "instances as truth": (VERTEX + "instances = true\n", "must be a whole number, and is True"),
    "empty scope": (VERTEX + 'split = ""\n', "vertex 'nat': split is an empty scope"),
    "unknown scope": (VERTEX + 'split = "host"\n', "split by 'host'; its scopes: flow"),
    "unknown nf": (VERTEX.replace('nf = "nat"', 'nf = "natt"'), "vertex 'nat': unknown nf 'natt'"),
    "no such module": (
        VERTEX.replace('nf = "nat"', 'nf = "no.such:NF"'),
        "vertex 'nat': cannot load 'no.such:NF': ModuleNotFoundError",
    ),
    "no such object": (
        VERTEX.replace('nf = "nat"', 'nf = "chc_ref.nfs.nat:MISSING"'),
        "cannot load 'chc_ref.nfs.nat:MISSING': AttributeError",
    ),
    "no such file": (
        VERTEX.replace('nf = "nat"', 'nf = "./none.py:NF"'),
        "cannot load './none.py:NF': FileNotFoundError",
    ),
    "no NF": (
        VERTEX.replace('nf = "nat"', 'nf = "chc_ref.nfs.nat:PORTS"'),
        "is a tuple, not a NetworkFunction",
    ),
    "config of no function": (VERTEX + "config = { ports = 3 }\n", "nf 'nat' takes no config"),
    "unknown config": (
        VERTEX.replace('nf = "nat"', 'nf = "load_balancer"') + "config = { pool = 3 }\n",
        "'load_balancer': does not take this config: got an unexpected keyword argument 'pool'",
    ),
    "wrong config": (
        VERTEX.replace('nf = "nat"', 'nf = "load_balancer"') + 'config = { pools = ["x"] }\n',
        "'load_balancer': pool 'x' is not of the form",
    ),
    "config of another type": (
        VERTEX.replace('nf = "nat"', 'nf = "load_balancer"') + 'config = { pools = "x" }\n',
        "pools must be a list",
    ),
    "store name": (VERTEX + 'store = "db"\n', "store name 'db' must begin with"),
    "unknown key of a vertex": (VERTEX + "instance = 2\n", "'nat': unknown key 'instance'; known:"),
    "unknown key": ("rots = 2\n" + VERTEX, "unknown key 'rots'; known:"),
    "roots": ("roots = 0\n" + VERTEX, "0 roots; there are 1 to 256"),
    "log": ('log = "disk"\n' + VERTEX, "log = 'disk' is neither"),
    "capacity": ("capacity = -1\n" + VERTEX, "capacity = -1 is below 0"),
    "persist_every": ("persist_every = -3\n" + VERTEX, "persist_every = -3 is below 0"),
    "unknown entry": ('entry = "host"\n' + VERTEX, "entry: no vertex has a scope 'host'; known: f"),
    "entry that is none": (
        'entry = "chc_ref.nfs.nat:NAT"\n' + VERTEX,
        "entry: 'chc_ref.nfs.nat:NAT' is a NetworkFunction, not a Scope",
    ),
    "ambiguous entry": (
        'entry = "host"\n' + VERTEX.replace('nf = "nat"', 'nf = "portscan"')
        + '[[vertices]]\nname = "hot"\nnf = "hot"\n',
        "entry: scope 'host' is not the same at all vertices",
    ),
    "no TOML": ("edges = \n", r"chain\.toml: Invalid value"),
}  # fmt: skip
"""What may be wrong with a chain file: its text, and what the error says."""


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_chain_is_refused(tmp_path: Path, fault: str) -> None:
    """CHAIN-4: one line, with the file, the place and the fault."""
    text, complaint = MALFORMED[fault]
    path = tmp_path / "chain.toml"
    path.write_text("chc_chain = 1\n" + text)
    with pytest.raises(UsageError, match=complaint) as caught:
        chains.load(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value).strip() or fault == "no TOML"


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        (VERTEX, "chain.toml", "key 'chc_chain' is missing"),
        ("chc_chain = 2\n" + VERTEX, "chain.toml", "reads format 1"),
        ("", "none.toml", "none.toml: No such file"),
        ("", "chain", "'chain' is neither a .toml file nor of the form MODULE:OBJECT"),
        ("X = 3", "./own.py:X", "./own.py:X: gives a int, not a Chain"),
        ("X = lambda: 1 / 0", "./own.py:X", r"ZeroDivisionError.*own\.py, line 1"),
        ("X = lambda n: n", "./own.py:X", "does not take this config"),
        ("1 / 0", "./own.py:X", "cannot load './own.py:X': ZeroDivisionError"),
        ("from chc_ref.core.chain import *\nX = Chain(())", "./own.py:X", "own.py:X: the chain h"),
        ("from chc_ref.core.chain import *\nX = Chain((3,))", "./own.py:X", "own.py:X: Attribute"),
    ],
)
def test_what_is_no_chain_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str, complaint: str
) -> None:
    """CHAIN-4: a file of another kind, or an object that is something else."""
    (tmp_path / ("own.py" if "own" in name else "chain.toml")).write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=complaint):
        chains.load(name)


# --------------------------------------------------------------------------- NFs of one's own


def test_the_nf_of_the_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHAIN-1: an NF from a file beside the chain, with its configuration, under a crash."""
    (tmp_path / "limit.py").write_text(_blocks("python")[1])
    (tmp_path / "chain.toml").write_text(_blocks("toml")[1])
    monkeypatch.chdir(ROOT)
    chain = chains.load(str(tmp_path / "chain.toml"))
    arrivals = _arrivals(400)
    schedule = Schedule((MoveAt(120, "limit.0"),), (CrashAt(150, "limit.1"),), seed=2)
    result = replay(chain, arrivals, schedule)
    assert result.difference is None
    packets = Counter(arrival.flow.inside for arrival in arrivals)  # type: ignore[attr-defined]
    assert result.delivered + result.lost == sum(min(100, count) for count in packets.values())
    above = sorted(host for host, count in packets.items() if count > 100)
    assert above
    assert sorted(str(alert.content) for alert in result.alerts) == above


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            "yield Access('x', Get())\n    return headers.nothing",
            r"AttributeError.*own\.py, line 5",
        ),
        ("yield 3", "TypeError: yields 3, not an Access"),
        ("yield Access('y', Get())", "uses an undeclared object 'y'"),
        ("yield Access('x', Get())", "TypeError: ends with None, not an Outcome"),
        ("return Outcome()", "AttributeError: 'Outcome' object has no attribute 'send'"),
    ],
)
def test_a_failing_nf_is_told_with_its_packet(tmp_path: Path, body: str, complaint: str) -> None:
    """CHAIN-1: no traceback, but vertex, NF, clock and the line that failed."""
    (tmp_path / "own.py").write_text(
        "from chc_ref.core.operations import *\n\n"
        f"def process(headers, flow, clock):\n    {body}\n\n"
        "NF = NetworkFunction('mine', (StateObject('x', False),), process)\n"
    )
    (tmp_path / "chain.toml").write_text(
        'chc_chain = 1\nvertices = [{ name = "v", nf = "./own.py:NF" }]\n'
    )
    chain = chains.load(str(tmp_path / "chain.toml"))
    with pytest.raises(ModelError, match="vertex 'v': NF 'mine' fails on clock 1: ") as caught:
        replay(chain, _arrivals(3), Schedule())
    assert re.search(complaint, str(caught.value))


def test_two_vertices_may_share_a_file_of_nfs(tmp_path: Path) -> None:
    """CHAIN-1: with dataclasses in it, which look up their module."""
    (tmp_path / "own.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass, KW_ONLY\n"
        "from chc_ref.nfs.tiny import PASS\n\n@dataclass\nclass Kept:\n    _: KW_ONLY\n    n: int\n"
    )
    (tmp_path / "chain.toml").write_text(
        'chc_chain = 1\nvertices = [{ name = "a", nf = "./own.py:PASS" }, '
        '{ name = "b", nf = "./own.py:PASS" }]\n'
    )
    assert [v.nf for v in chains.load(str(tmp_path / "chain.toml")).vertices] == [PASS, PASS]


# --------------------------------------------------------------------------- off the path


def test_a_copy_off_the_path_goes_nowhere() -> None:
    """CHAIN-1: its alerts leave and its state counts, but its packets would leave twice."""
    arrivals = [Arrive(flow, (flow, 1)) for flow in "ABA"]

    def outputs(aside: Vertex) -> tuple[int, int, int]:
        chain = Chain((Vertex("a", PASS), aside, Vertex("z", PASS)), (("a", "aside"), ("a", "z")))
        ideal = run_ideal(chain, arrivals)
        return len(ideal.outputs), len(ideal.alerts), len(ideal.values)

    assert outputs(Vertex("aside", LATCH)) == (6, 1, 1)
    assert outputs(Vertex("aside", off_path(LATCH))) == (3, 1, 1)
    assert TROJAN.off_path
    assert not LATCH.off_path


def test_several_last_vertices_all_let_packets_out() -> None:
    """CHAIN-1, ROOT-3: two on the path and one off it, through a crash of each."""
    vertices = (
        Vertex("mark", MARKER, 2),
        Vertex("left", MARKER, 2),
        Vertex("right", MARKER, 2),
        Vertex("aside", off_path(LATCH), 2),
    )
    chain = Chain(vertices, tuple(("mark", name) for name in ("left", "right", "aside")))
    arrivals = _words(60)
    crashes = tuple(CrashAt(10 * n, f"{name}.0") for n, name in enumerate(("left", "aside"), 1))
    result = replay(chain, arrivals, Schedule((MoveAt(30, "right.0"),), crashes, seed=1))
    assert result.difference is None
    assert result.delivered + result.lost == 2 * len(arrivals)
    assert [alert.vertex for alert in result.alerts] == ["aside"]


# --------------------------------------------------------------------------- the physical chain


def test_the_physical_dag_is_the_logical_one_for_every_instance() -> None:
    """CHAIN-2: one edge for each pair of instances of an edge, from the roots to the sink."""
    vertices = (
        Vertex("a", PASS, 2),
        Vertex("b", COUNTER, 3, clones=True),
        Vertex("c", off_path(RECORDER), 2),
    )
    chain = Chain(vertices, (("a", "b"), ("a", "c")), roots=2)
    physical = compile_chain(chain)
    of = {**{v.name: [f"{v.name}.{n}" for n in range(v.instances)] for v in vertices}}
    of |= {"root": ["root", "root1"], "sink": ["sink"]}
    logical = [("root", "a"), *check(chain).edges, ("b", "sink")]
    assert set(physical.graph.edges) == {
        (one, other) for above, below in logical for one in of[above] for other in of[below]
    }
    kinds = Counter(kind for _, kind in physical.graph.nodes(data="kind"))
    assert kinds == {"root": 2, "instance": 7, "sink": 1}
    assert nx.is_directed_acyclic_graph(physical.graph)
    channels = set(physical.channels)
    assert set(physical.graph.edges) <= channels
    transport = over_network(physical, network("transport", 0, 0, (("*", "*", "*"),)))
    assert transport.graph is physical.graph


def test_chc_chain_prints_both_graphs(chc: Chc) -> None:
    """CHAIN-1, CHAIN-2, SPLIT-1: as tables and as data that agree with the chain."""
    code, text, _ = chc("chain", "examples/figure1.toml")
    assert code == 0
    for line in (
        "portscan +portscan +2 +host +nothing: off the path",
        "nat.1 +store +load_balancer.0, load_balancer.1 by service; portscan.0",
        "portscan +likelihood +host +write and read often +in a cache",
        "nat +free_ports +none +write and read often +at the store: the split lets",
        "trojan.1 +store2 +nothing: off the path",
        "load_balancer.0 +store +sink",
    ):
        assert re.search(line, text), line
    code, text, _ = chc("chain", "examples/figure1.toml", "--json")
    data = json.loads(text)
    assert [v["name"] for v in data["logical"]["vertices"]] == [
        "nat", "load_balancer", "portscan", "trojan"
    ]  # fmt: skip
    assert data["physical"]["stores"]["store2"] == ["trojan"]
    by = {(way["after"], way["to"]): way["by"] for way in data["physical"]["splitters"]}
    assert by["root", "nat"] == "flow"
    assert by["nat.1", "trojan"] == "host"
    sink = next(node for node in data["physical"]["nodes"] if node["kind"] == "sink")
    assert sink["after"] == ["load_balancer.0", "load_balancer.1"]


def test_caching_follows_the_split() -> None:
    """CACHE-4, SPLIT-1: the same object is cached under one split and shared under another."""

    def cached(split: str, instances: int) -> bool:
        chain = Chain((Vertex("v", PORTSCAN, instances, split=split),))
        (vertex,) = diagram.as_data("", chain)["logical"]["vertices"]
        return bool(vertex["objects"][0]["cached"])

    assert [cached("host", 2), cached("flow", 2), cached("", 2), cached("", 1)] == [
        True, False, False, True
    ]  # fmt: skip


def test_chc_chain_prints_mermaid(chc: Chc) -> None:
    """CHAIN-2: every node and every way is in the flowchart."""
    code, text, _ = chc("chain", "./examples/figure1.py:CHAIN", "--mermaid")
    assert code == 0
    lines = {line.strip() for line in text.splitlines()}
    assert {'p_nat_0 -->|"host"| p_trojan_1', "v_nat --> v_trojan", 'p_root["root"]'} <= lines
    edges = compile_chain(chains.load("./examples/figure1.py:CHAIN")).graph.number_of_edges()
    assert sum("-->" in line and line.startswith("p_") for line in lines) == edges
    assert chc("chain", "./examples/figure1.py:CHAIN", "--mermaid", "--json")[0] == 2


# --------------------------------------------------------------------------- commands


@pytest.mark.thorough
def test_chc_replay_takes_a_chain(chc: Chc) -> None:
    """COE, SPLIT-1, CACHE-4: the ground truth under splits by host and service, with a crash."""
    events = ("--crash", "portscan.1@300", "--crash", "trojan.0@800", "--move", "nat.0@600")
    arguments = ("--chain", "examples/figure1.toml", *events)
    code, text, errors = chc("replay", str(CAPTURE), *arguments, "--json")
    assert code == 0, errors
    data = json.loads(text)
    assert data["coe"] == "equal"
    assert data["crashed"] == ["portscan.1", "trojan.0"]
    found, truth = data["vertices"], TRUTH["trojan_small"]
    assert found["nat"]["connections"] == truth["connections"]
    assert [alert["host"] for alert in found["trojan"]["alerts"]] == truth["alerts"]
    for server, count in truth["connections_per_server"].items():
        assert found["load_balancer"]["connections_per_server"][server] == count
    for wrong in (("--instances", "3"), ("--pool", "10.2.0.32/28:80")):
        code, text, errors = chc("replay", str(CAPTURE), *arguments, *wrong)
        assert (code, text) == (2, "")
        assert "for the default chain" in errors


def test_a_replay_drives_all_that_a_chain_may_ask_for() -> None:
    """ROOT-2, ROOT-4, SPLIT-4, CACHE-2, STORE-9: roots, logs, timers, draws and thresholds."""
    data = {
        "vertices": [
            {"name": "count", "nf": "counter", "instances": 2, "eager_flush": False},
            {"name": "lot", "nf": "draw", "instances": 2, "store": "store2"},
        ],
        "edges": [["count", "lot"]],
        "roots": 2,
        "entry": "chc_ref.nfs.headers:HOST",
        "log": "store",
        "write_ahead": True,
    }
    arrivals = _words(250)
    schedule = Schedule((MoveAt(90, "count.0"),), (CrashAt(100, "count.1"), CrashAt(150, "lot.0")))
    result = replay(chains.read(data), arrivals, schedule)
    assert result.difference is None
    assert result.dropped == 0
    assert result.values[ObjectKey("lot", "lot", ())] > 0
    full = replay(chains.read({**data, "capacity": 8}), arrivals, schedule)
    assert full.difference is None
    assert full.dropped > 0


def test_a_replay_lets_each_host_in_by_its_root() -> None:
    """SPLIT-4: the clocks that an NF sees tell the root."""

    def process(headers: Any, flow: Any, clock: int) -> Process:
        yield from ()
        return Outcome((), ((flow, clock),))

    chain = Chain((Vertex("v", NetworkFunction("told", (), process)),), roots=2, entry=HOST)
    result = replay(chain, _words(600), Schedule())
    assert result.difference is None
    told = [alert.content for alert in result.alerts]
    roots = [chain.root_addresses[root_of(clock)] for _, clock in told]
    assert roots == [chain.root_for(flow) for flow, _ in told]
    assert set(roots) == {"root", "root1"}


def test_chc_partition_tells_a_wrong_scope(chc: Chc, tmp_path: Path) -> None:
    """SPLIT-1, SPLIT-2: a table, an object, and exit code 1 for an object with a wrong scope."""
    capture = ("--capture", str(CAPTURE))
    code, text, _ = chc("partition", "examples/figure1.toml", *capture, "--json")
    assert code == 0
    data = json.loads(text)
    chosen = {vertex["name"]: vertex["chosen"] for vertex in data["vertices"]}
    assert chosen == {
        "nat": "flow",
        "load_balancer": "service",
        "portscan": "host",
        "trojan": "host",
    }
    (tmp_path / "own.py").write_text(
        "import attrs\nfrom chc_ref.nfs.portscan import PORTSCAN\n"
        "likelihood, attempt = PORTSCAN.objects\n"
        "WRONG = attrs.evolve(PORTSCAN, "
        "objects=(attrs.evolve(likelihood, scope='flow'), attempt))\n"
    )
    path = tmp_path / "chain.toml"
    path.write_text('chc_chain = 1\nvertices = [{ name = "v", nf = "./own.py:WRONG" }]\n')
    code, text, _ = chc("partition", str(path), *capture, "--instances", "3")
    assert code == 1
    assert "object likelihood has a wrong scope" in text
    assert re.search(r"host +1\.\d\d +0\.0% +likelihood 0 of 7", text)
    code, text, errors = chc("partition", str(path), *capture, "--evenness", "0.9")
    assert (code, text) == (2, "")
    assert "at least 1.0" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("chain",),
        ("chain", "none.toml"),
        ("chain", "README.md"),
        ("chain", "no.module:CHAIN"),
        ("partition", "examples/figure1.toml"),
        ("partition", "none.toml", "--capture", str(CAPTURE)),
        ("partition", "examples/figure1.toml", "--capture", "none.pcap"),
        ("partition", "examples/figure1.toml", "--capture", str(CAPTURE), "--instances", "0"),
        ("replay", str(CAPTURE), "--chain", "none.toml"),
        ("replay", str(CAPTURE), "--chain", "models/move.toml", "--calm"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(
    chc: Chc, arguments: tuple[str, ...]
) -> None:
    """CHAIN-4: no traceback; the last one is a chain of NFs that cannot read real packets."""
    code, text, errors = chc(*arguments)
    assert (code, text) == (2, "")
    (line,) = errors.strip().splitlines()
    assert line.startswith("chc: ")


def test_the_default_chain_is_what_it_was() -> None:
    """CHAIN-1: the chain of section 7.1, with the Trojan detector off the path."""
    graph = check(default_chain())
    assert list(graph.edges) == [
        ("nat", "portscan"), ("nat", "trojan"), ("portscan", "load_balancer")
    ]  # fmt: skip
