"""Mutation testing of the core: is every rule, guard and mark held by some test or model?.

    uv run --with coverage python tools/mutation.py [MODULE ...] [options]

pytest collects once. Each mutant is a fork, in which the code of one function is exchanged, and
only those tests and models run that reach the mutated statement, the likeliest to kill it first.
Why this is a tool of our own is in docs/decisions.md; docs/mutation.md tells what came of it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import json
import os
import pickle
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import attrs
import pytest
from _pytest.runner import runtestprotocol

CORE = Path("chc_ref/core")
COVERED = Path("build/mutation-coverage.pickle")

NOT_HERE = (
    "tests/test_channels.py::test_the_document_says",
    "tests/test_demo.py",
    "tests/test_layers.py",
    "tests/test_plugin.py",
    "tests/test_tlc.py",
    "tests/test_traceability.py",
)
"""Tests that run every model once more, or the core in other processes, or not at all."""

# ---------------------------------------------------------------------- operators

Change = tuple[str, ast.AST | None]
"""What kind of change, and what comes in the place of the old node: nothing, if it is dropped."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


def changes(owner: ast.AST, field: str, node: ast.AST) -> Iterator[Change]:
    """Give what may stand in the place of ``node``, a child of ``owner``."""
    if field in ("test", "guard"):
        yield "guard", ast.Constant(True)
        yield "guard", ast.Constant(False)
    if isinstance(owner, ast.comprehension) and field == "ifs":
        yield "guard", None
    if field == "elts" and _grows(owner):
        yield "element", None
    match node:
        case ast.Compare(left, ops, comparators):
            for at, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    new = [*ops[:at], other(), *ops[at + 1 :]]
                    yield "comparison", ast.Compare(left, new, comparators)
        case ast.BoolOp(op, values):
            yield "operator", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for at in range(len(values)):
                others = [*values[:at], *values[at + 1 :]]
                yield "operand", ast.BoolOp(op, others) if len(others) > 1 else others[0]
        case ast.UnaryOp(ast.Not() | ast.Invert(), operand):
            yield "operator", operand
        case ast.BinOp(left, op, right):
            if type(op) in ARITHMETIC:
                yield "operator", ast.BinOp(left, ARITHMETIC[type(op)](), right)
            yield "operand", left
            yield "operand", right
        case ast.IfExp(_, body, orelse):
            yield "guard", body
            yield "guard", orelse
        case ast.Constant(bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int() as value):
            yield "constant", ast.Constant(value + 1)
            yield "constant", ast.Constant(value - 1)
        case ast.keyword(str()):
            yield "argument", None
        case ast.match_case(_, None, body) if not isinstance(node.pattern, ast.MatchAs):
            yield "case", ast.match_case(node.pattern, ast.Constant(False), body)
        case ast.For(target, _, body, orelse):
            yield "loop", ast.For(target, ast.Tuple([], ast.Load()), body, orelse)
        case ast.Continue():
            yield "loop", ast.Break()
        case ast.Break():
            yield "loop", ast.Continue()
        case ast.AugAssign() | ast.Expr(ast.Call()):
            yield "statement", ast.Pass()
        case ast.Assign([target], value):
            if rest := _lost(target, value):
                yield "statement", rest


def _grows(owner: ast.AST) -> bool:
    """Tell whether it is a list, or a tuple that something is added to: not a pair."""
    match owner:
        case ast.List(_, ast.Load()):
            return True
        case ast.Tuple(elements, ast.Load()):
            return any(isinstance(one, ast.Starred) for one in elements)
    return False


def _lost(target: ast.expr, value: ast.expr) -> ast.stmt | None:
    """Give what is left of ``state, sends = ...`` if the state stays as it was."""
    read = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
    match target:
        case ast.Name(name) if name in read:
            return ast.Pass()
        case ast.Tuple(elements):
            names = [one.id for one in elements if isinstance(one, ast.Name)]
            if len(names) == len(elements) and read & {*names}:
                new = [ast.Name("_" if name in read else name, ast.Store()) for name in names]
                return ast.Assign([ast.Tuple(list[ast.expr](new), ast.Store())], value)
    return None


Place = tuple[ast.AST, str, int | None]
"""A node's parent, the field it is in, and where in it if that is a list."""


def places(node: ast.AST) -> Iterator[tuple[Place, ast.AST]]:
    """Give all that is below a node, but for annotations and patterns."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "pattern", "decorator_list", "slice_"):
            continue
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield (node, field, at), child
                yield from places(child)


def put(place: Place, node: ast.AST | None) -> None:
    """Change what is in a place."""
    owner, field, at = place
    if at is None:
        setattr(owner, field, node)
    else:
        old = getattr(owner, field)
        setattr(owner, field, [*old[:at], *([node] if node else []), *old[at + 1 :]])


# ---------------------------------------------------------------------- mutants


@attrs.frozen
class Mutant:
    """One change of one function of the core."""

    name: str
    module: str
    function: str
    lines: tuple[int, ...]
    """Lines of the smallest statement that it is in: tests that reach none cannot tell."""
    before: str
    after: str
    code: CodeType = attrs.field(repr=False)

    def exchange(self) -> None:
        """Put the mutated code into the function, wherever that is referred to."""
        found: Any = importlib.import_module(f"chc_ref.core.{self.module}")
        for part in self.function.split("."):
            found = vars(found)[part]
        function: FunctionType = getattr(found, "fget", found)
        function.__code__ = self.code


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give the outermost functions, methods too, by their qualified names."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for one in inside:
            if isinstance(one, ast.FunctionDef):
                yield prefix + one.name, one


def mutants(module: str) -> Iterator[Mutant]:
    """Give every mutant of every function of a module; equal ones once."""
    path = CORE / f"{module}.py"
    tree = ast.parse(path.read_text())
    for name, function in functions(tree):
        seen = {ast.dump(function)}
        count: Counter[str] = Counter()
        for place, node in list(places(function)):
            statement = _statement(function, node)
            for kind, new in changes(place[0], place[1], node):
                before = _text(statement)
                kept = getattr(place[0], place[1])
                put(place, ast.copy_location(new, node) if new else None)
                ast.fix_missing_locations(function)
                if (dump := ast.dump(function)) not in seen:
                    seen.add(dump)
                    count[kind] += 1
                    after = "pass" if isinstance(new, ast.Pass) else _text(statement)
                    if kind in ("statement", "loop") and new is not None:
                        after = _text(new)
                    lines = _header(statement)
                    code = next(_codes(compile(tree, str(path), "exec"), name))
                    full = f"{module}.{name}:{kind}:{count[kind]}"
                    yield Mutant(full, module, name, lines, before, after, code)
                setattr(place[0], place[1], kept)


def _statement(function: ast.FunctionDef, node: ast.AST) -> ast.AST:
    """Give the smallest statement, or case, around a node."""
    if isinstance(node, ast.stmt | ast.match_case):
        return node
    around = [
        one
        for one in ast.walk(function)
        if isinstance(one, ast.stmt | ast.match_case)
        and any(node is below for _, below in places(one))
    ]
    return min(around, key=lambda one: len(ast.dump(one)), default=function)


def _header(statement: ast.AST) -> tuple[int, ...]:
    """Give the lines that are reached with a statement: of a block, its first ones."""
    if isinstance(statement, ast.match_case):
        return tuple(range(statement.pattern.lineno, statement.body[0].lineno))
    first, last = getattr(statement, "lineno", 0), getattr(statement, "end_lineno", 0)
    if body := getattr(statement, "body", None) or getattr(statement, "cases", None):
        begin = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
        last = max(first, begin.lineno - 1)
    return tuple(range(first, last + 1))


def _text(node: ast.AST) -> str:
    """Give a statement's text; of a block, its first line."""
    short = copy.copy(node)
    if hasattr(short, "body"):
        short.body = [ast.Pass()]
    if hasattr(short, "orelse"):
        short.orelse = []
    if isinstance(short, ast.match_case):
        return ast.unparse(short).strip().splitlines()[0]
    return ast.unparse(short).splitlines()[0]


def _codes(code: CodeType, name: str) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_qualname == name:
                yield inner
            yield from _codes(inner, name)


# ---------------------------------------------------------------------- runs in forks


def forked(work: Callable[[Callable[[Any], None]], None], seconds: float) -> tuple[list[Any], bool]:
    """Run ``work`` in a fork; give what it reported, and whether it came to its end in time."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as out:

                def report(value: Any) -> None:
                    pickle.dump(value, out)
                    out.flush()

                work(report)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    reports = []
    with os.fdopen(reader, "rb") as pipe:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                reports.append(pickle.load(pipe))
    signal.setitimer(signal.ITIMER_REAL, 0)
    _, status = os.waitpid(child, 0)
    return reports, status == 0


def fails(item: pytest.Item) -> str:
    """Run one test; give why it fails, or nothing."""
    reports = runtestprotocol(item, nextitem=None, log=False)
    bad = [report for report in reports if report.failed]
    return str(bad[0].longrepr).strip().splitlines()[-1][:200] if bad else ""


@attrs.define
class Mutation:
    """The plugin: instead of running the tests, it mutates the core and runs them in forks."""

    options: argparse.Namespace
    covered: dict[str, tuple[float, dict[str, set[int]]]] = attrs.field(factory=dict)
    """(seconds, lines of each module) of every test that passes and reaches the core."""
    kills: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    runs: Counter[tuple[str, str]] = attrs.field(factory=Counter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's loop."""
        items = {item.nodeid: item for item in session.items if not _skipped(item)}
        session.config.option.model_check = self.options.long
        if COVERED.exists() and not self.options.cover:
            self.covered = pickle.loads(COVERED.read_bytes())
        for nodeid, item in items.items():
            if nodeid not in self.covered:
                self.cover(item)
                COVERED.parent.mkdir(exist_ok=True)
                COVERED.write_bytes(pickle.dumps(self.covered))
        self.covered = {n: c for n, c in self.covered.items() if n in items and c[1]}
        print(f"{len(self.covered)} of {len(items)} tests and models reach the core")
        done = self.options.out.read_text().splitlines() if self.options.out.exists() else []
        verdicts = {found["name"]: found for found in map(json.loads, done)}
        for mutant in self.drawn():
            old = verdicts.get(mutant.name)
            if old and not (self.options.again and old["verdict"] == "survived"):
                continue
            found = self.test(mutant, items)
            with self.options.out.open("a") as out:
                out.write(json.dumps(found) + "\n")
            print(f"{found['verdict']:9} {mutant.name} {found['seconds']:.1f}s", flush=True)
        return True

    def drawn(self) -> list[Mutant]:
        """Draw the sample: the same share of each module, as the seed has it."""
        chosen = []
        for module in self.options.modules:
            every = list(mutants(module))
            chance = random.Random(f"{self.options.seed} {module}")
            chance.shuffle(every)
            part = every[: round(len(every) * self.options.share)]
            print(f"{module}: {len(part)} of {len(every)} mutants", flush=True)
            chosen += part
        return chosen

    def cover(self, item: pytest.Item) -> None:
        """Run a test by itself, in a fork, and note what of the core it reaches."""
        import coverage  # nothing else needs it

        def work(report: Callable[[Any], None]) -> None:
            cover = coverage.Coverage(data_file=None, include=[f"{CORE.resolve()}/*"])
            cover.set_option("run:disable_warnings", ["no-data-collected"])
            start = time.process_time()
            cover.start()
            bad = fails(item)
            cover.stop()
            data = cover.get_data()
            lines = {Path(f).stem: set(data.lines(f) or ()) for f in data.measured_files()}
            report((time.process_time() - start, {} if bad else lines))

        reports, _ = forked(work, 900)
        self.covered[item.nodeid] = reports[0] if reports else (0.0, {})
        print(f"{self.covered[item.nodeid][0]:8.2f}s {item.nodeid}", flush=True)

    def test(self, mutant: Mutant, items: dict[str, pytest.Item]) -> dict[str, Any]:
        """Run what reaches a mutant, until something fails or the time is up."""
        reach = {
            nodeid: seconds
            for nodeid, (seconds, lines) in self.covered.items()
            if not lines.get(mutant.module, set()).isdisjoint(mutant.lines)
        }
        key = mutant.module + "." + mutant.function

        def promise(nodeid: str) -> float:
            near, far = (key, nodeid), (mutant.module, nodeid)
            kills = self.kills[near] * 3 + self.kills[far] + 0.2
            runs = self.runs[near] * 3 + self.runs[far] + 2
            return kills / runs / (reach[nodeid] + 0.03)

        order, spent = [], 0.0
        for nodeid in sorted(reach, key=promise, reverse=True):
            if spent + reach[nodeid] <= self.options.seconds:
                order.append(nodeid)
                spent += reach[nodeid]

        def work(report: Callable[[Any], None]) -> None:
            mutant.exchange()
            for nodeid in order:
                report((nodeid, None))
                bad = fails(items[nodeid])
                report((nodeid, bad))
                if bad:
                    return

        start = time.monotonic()
        reports, ended = forked(work, 4 * spent + 20 if order else 5)
        tried = [nodeid for nodeid, bad in reports if bad is None]
        killer, why = reports[-1] if reports else ("", None)
        verdict = "killed" if why else "survived"
        if not ended:
            verdict, why = "timeout" if reports else "broken", "time is up, or no memory"
        for nodeid in tried:
            self.runs[key, nodeid] += 1
            self.runs[mutant.module, nodeid] += 1
        if verdict == "killed":
            self.kills[key, killer] += 1
            self.kills[mutant.module, killer] += 1
        return {
            "name": mutant.name,
            "verdict": verdict,
            "before": mutant.before,
            "after": mutant.after,
            "by": killer if verdict != "survived" else "",
            "why": why or "",
            "tried": len(tried),
            "reach": len(reach),
            "seconds": round(time.monotonic() - start, 2),
        }


def _skipped(item: pytest.Item) -> bool:
    """Leave out what is skipped anyway, what runs no core, and what runs all models again."""
    if any(mark.name == "skip" for mark in item.iter_markers()):
        return True
    return item.name.startswith("tlc:") or item.nodeid.startswith(NOT_HERE)


def report(out: Path) -> None:
    """Print counts by module, and every survivor."""
    found = {one["name"]: one for one in map(json.loads, out.read_text().splitlines())}
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for name, one in found.items():
        table[name.split(".")[0]][one["verdict"]] += 1
        table["all"][one["verdict"]] += 1
    print("| module | mutants | killed | timed out | survived | rate |\n|---|---|---|---|---|---|")
    for module in (*(m for m in table if m != "all"), "all"):
        of = table[module]
        total, dead = sum(of.values()), of["killed"] + of["timeout"]
        rate = f"{100 * dead / total:.1f} %"
        print(
            f"| {module} | {total} | {of['killed']} | {of['timeout']} | {total - dead} | {rate} |"
        )
    for name, one in sorted(found.items()):
        if one["verdict"] not in ("killed", "timeout"):
            print(f"{name} ({one['tried']} of {one['reach']})")
            print(f"    - {one['before']}\n    + {one['after']}")


def main() -> None:
    """Read the arguments and run pytest with the plugin."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "modules", nargs="*", default=sorted(p.stem for p in CORE.glob("[a-z]*.py"))
    )
    parser.add_argument("--share", type=float, default=1.0, help="part of the mutants of a module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20, help="of tests for one mutant")
    parser.add_argument("--long", action="store_true", help="machines as with --model-check")
    parser.add_argument("--again", action="store_true", help="test survivors once more")
    parser.add_argument("--cover", action="store_true", help="find out anew what tests reach")
    parser.add_argument("--tests", nargs="+", default=[], help="only these tests and models")
    parser.add_argument("--count", action="store_true", help="only count")
    parser.add_argument("--report", action="store_true", help="only report")
    parser.add_argument("--out", type=Path, default=Path("build/mutation.jsonl"))
    options = parser.parse_args()
    plugin = Mutation(options)
    if options.count:
        print(len(plugin.drawn()))
    elif options.report:
        report(options.out)
    else:
        arguments = ["-q", "--model-check", "-p", "no:cacheprovider", "-n0", *options.tests]
        sys.exit(pytest.main(arguments, plugins=[plugin]))


if __name__ == "__main__":
    main()
