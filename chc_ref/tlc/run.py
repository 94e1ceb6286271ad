"""Run: TLC as a subprocess on one module under one configuration.

It runs in a temporary directory that holds copies of the modules, so that nothing is left behind
next to them: no state files, no checkpoints.

A counterexample is the shortest, and the depth is exact, with one worker only; the counts of
a complete run do not depend on the workers. TLC's own deadlock check is off unless it is asked
for: a bounded instance comes to rest when its packets are used up, and that it does not rest too
early is stated by the modules themselves.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from chc_ref.errors import ToolError, UsageError
from chc_ref.tlc import config, dump
from chc_ref.tlc.output import (
    SOME_TEMPORAL,
    Outcome,
    Watcher,
    one_line,
    parse_output,
    read_progress,
)
from chc_ref.tlc.tools import NAME_ANOTHER, find_jar, find_java
from chc_ref.verdict import Report, Verdict


@attrs.frozen
class Simulation:
    """Random runs instead of all states."""

    runs: int = 100
    depth: int = 100
    """Most states of a run."""
    seed: int = 0


@attrs.frozen
class Settings:
    """How to run TLC."""

    workers: int = 1
    limit_s: float | None = None
    """Wall time in seconds after which TLC is stopped; None: no limit."""
    memory: int | None = None
    """MiB of Java's heap; None: what Java thinks right."""
    depth: int | None = None
    """States that so many steps lead to are not expanded; None: no limit."""
    deadlock: bool = False
    """Whether a state without a successor is an error."""
    coverage: bool = False
    """Whether to count how often each action is taken."""
    simulation: Simulation | None = None
    short: bool = False
    """A run of seconds is expected, and Java is told so; any run ends the same."""
    progress: Watcher | None = attrs.field(default=None, eq=False)
    """Called whenever TLC prints how far it has come."""


LONG = ("-XX:+UseParallelGC",)
"""Options of Java for a run of minutes."""
SHORT = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Options of Java for a run of seconds: half of the work would go into optimising its code."""

BOUND = "ChcBound"
"""Module that bounds the depth: it extends the module that is checked."""
DUMP = "graph.dot"
RUNS = "run"
"""What the files of random runs are called."""


@attrs.frozen
class Job:
    """One module under one configuration, in a folder of its own."""

    folder: Path
    module: str
    """Name of the file of the root module."""
    cfg: str


@attrs.frozen
class Ran:
    """What came of running TLC."""

    outcome: Outcome
    text: str
    stopped: bool
    """Whether the time limit ended it."""
    code: int
    seconds: float


@contextmanager
def job(module: Path, cfg: Path, specs: Path | None = None) -> Iterator[Job]:
    """Copy what is to be checked into a folder that goes away in the end.

    Args:
        module: the root module; modules beside it may be extended.
        cfg: the configuration.
        specs: a further folder of modules.

    Raises:
        UsageError: a file is missing.

    """
    for path in (module, cfg):
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
    with tempfile.TemporaryDirectory(prefix="chc-tlc-") as name:
        folder = Path(name)
        _copy(folder, (specs, module.parent), (module, cfg))
        yield Job(folder, module.name, cfg.name)


def execute(of: Job, settings: Settings, *options: str) -> Ran:
    """Run TLC once.

    Args:
        of: what to run it on.
        settings: how.
        options: further ones of TLC's own.

    Raises:
        ToolError: Java or TLC is missing.

    """
    java, jar = find_java(), find_jar()
    began = time.monotonic()
    if settings.depth is not None and settings.simulation is None:
        of = _bounded(of, settings.depth)
    command = [str(java), *_java(of, settings), "-cp", str(jar), "tlc2.TLC"]
    command += [*_arguments(of, settings), *options, "-config", of.cfg, of.module]
    text, stopped, code = _run(command, of.folder, settings)
    outcome = parse_output(text, of.cfg)
    return Ran(outcome, text, stopped, code, time.monotonic() - began)


def check(
    module: Path, cfg: Path, specs: Path | None = None, settings: Settings | None = None
) -> Report:
    """Check one module under one configuration.

    Args:
        module: the root module; modules beside it may be extended.
        cfg: the configuration.
        specs: a further folder of modules.
        settings: how to run TLC.

    Returns:
        The report; a run that was stopped, or met a bound, is INCONCLUSIVE.

    Raises:
        ToolError: Java or TLC is missing, or failed for no fault of the module.
        UsageError: an error in a module or in the configuration; the text names file and line.

    """
    settings = settings or Settings()
    with job(module, cfg, specs) as of:
        ran = execute(of, settings)
    return report(ran, module, cfg, settings)


def graph(
    module: Path, cfg: Path, specs: Path | None = None, settings: Settings | None = None
) -> Any:
    """Give the graph of all states that TLC finds; see ``dump.read``.

    It is the graph of the behaviours, whatever the configuration asks of them: invariants and
    properties are not checked, and neither a symmetry nor a view makes states one.

    Raises:
        ToolError: Java or TLC is missing, or failed, or did not see all states.
        UsageError: an error in a module or in the configuration; the text names file and line.

    """
    settings = settings or Settings()
    with job(module, cfg, specs) as of:
        text = config.only(cfg.read_text(encoding="utf-8"), *config.BEHAVIOUR)
        (of.folder / of.cfg).write_text(text, encoding="utf-8")
        ran = execute(of, settings, "-dump", "dot,actionlabels", DUMP)
        found = report(ran, module, of.folder / of.cfg, settings)
        if found.verdict is not Verdict.HOLDS:
            raise ToolError(f"{found.model}: {found.violated}: there is no graph of all states")
        with (of.folder / DUMP).open(encoding="utf-8") as lines:
            read = dump.read(lines)
    if len(read) != found.states:
        raise ToolError(f"TLC found {found.states} states, and its dump has {len(read)}")
    return read


def report(ran: Ran, module: Path, cfg: Path, settings: Settings) -> Report:
    """Say what a run has shown.

    Raises:
        ToolError: TLC failed for no fault of the module.
        UsageError: an error in a module or in the configuration; the text names file and line.

    """
    outcome = ran.outcome
    if outcome.fault:
        raise UsageError(outcome.fault)
    text = cfg.read_text(encoding="utf-8")
    verdict, violated = _verdict(ran, settings, text)
    dropped = re.findall(r"(\w+) <- Dropped", text)
    trace = outcome.trace if verdict is Verdict.VIOLATED else None
    loop = None
    if trace is not None and trace.loop is not None:
        loop = trace.loop + 1  # the first line is that of the initial state
    return Report(
        engine=f"tlc {outcome.version}",
        model=f"{module.stem} under {cfg.stem}",
        verdict=verdict,
        rules=f"without {', '.join(dropped)}" if dropped else "amended",
        states=outcome.distinct,
        transitions=outcome.generated,
        depth=outcome.depth,
        seconds=ran.seconds,
        bounds=", ".join(re.findall(r"^\s+(\w+ (?:=|<-) \w+)\s*$", text, re.M)),
        violated=violated,
        trace=trace.brief if trace else (),
        loop=loop,
    )


def _verdict(ran: Ran, settings: Settings, cfg: str) -> tuple[Verdict, str]:
    outcome, simulation = ran.outcome, settings.simulation
    if outcome.violated:
        return Verdict.VIOLATED, _name_property(outcome.violated, cfg)
    if outcome.complete and simulation is None:
        # The depth counts states, and those behind the bound are not expanded.
        if settings.depth is not None and (outcome.depth or 0) > settings.depth:
            return Verdict.INCONCLUSIVE, f"limit of {settings.depth} steps"
        return Verdict.HOLDS, ""
    if ran.stopped:
        return Verdict.INCONCLUSIVE, f"time limit of {settings.limit_s:g} s"
    if simulation is not None and ran.code == 0 and not outcome.failure:
        seen = f"{simulation.runs} random runs with seed {simulation.seed}"
        return Verdict.INCONCLUSIVE, f"{seen} generated {outcome.generated} states"
    last = outcome.failure or one_line(ran.text[-300:]) or "it printed nothing"
    raise ToolError(f"TLC stopped without a verdict (exit code {ran.code}): {last}")


def _name_property(violated: str, settings: str) -> str:
    """TLC 2.15 does not say which temporal property it was; with one there is no doubt."""
    if violated != SOME_TEMPORAL:
        return violated
    names = config.properties(settings)
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


# --------------------------------------------------------------------------- the process


def _copy(to: Path, folders: Iterable[Path | None], files: Iterable[Path]) -> None:
    modules = [path for folder in folders if folder for path in sorted(folder.glob("*.tla"))]
    for path in (*modules, *files):
        shutil.copy(path, to / path.name)


def _bounded(of: Job, depth: int) -> Job:
    """Extend the module by a constraint on the depth: TLC has no option for it."""
    (of.folder / f"{BOUND}.tla").write_text(
        f"---- MODULE {BOUND} ----\nEXTENDS {Path(of.module).stem}\n"
        f'LOCAL T == INSTANCE TLC\n{BOUND}Depth == T!TLCGet("level") <= {depth}\n====\n',
        encoding="utf-8",
    )
    with (of.folder / of.cfg).open("a", encoding="utf-8") as cfg:
        cfg.write(f"\nCONSTRAINT {BOUND}Depth\n")
    return attrs.evolve(of, module=f"{BOUND}.tla")


def _java(of: Job, settings: Settings) -> list[str]:
    """TLC unpacks its own modules into Java's temporary folder, so that is ours too."""
    heap = [f"-Xmx{settings.memory}m"] if settings.memory else []
    return [*(SHORT if settings.short else LONG), *heap, f"-Djava.io.tmpdir={of.folder}"]


def _arguments(of: Job, settings: Settings) -> list[str]:
    options = ["-tool", "-workers", str(settings.workers), "-metadir", f"{of.folder}/states"]
    if not settings.deadlock:
        options.append("-deadlock")  # which switches the check off
    if settings.coverage:
        options += ["-coverage", "1"]
    if settings.simulation is not None:
        how = settings.simulation
        options += ["-simulate", f"file={of.folder}/{RUNS},num={how.runs}"]
        options += ["-depth", str(how.depth), "-seed", str(how.seed)]
    return options


def _run(command: list[str], folder: Path, settings: Settings) -> tuple[str, bool, int]:
    """Give (output, whether the time limit ended it, exit code)."""
    stopped = threading.Event()
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise ToolError(f"cannot run {command[0]}: {error.strerror}{NAME_ANOTHER}") from None

    def stop() -> None:
        stopped.set()
        process.kill()

    limit_s = settings.limit_s
    timer = threading.Timer(threading.TIMEOUT_MAX if limit_s is None else limit_s, stop)
    timer.daemon = True
    with process:
        try:
            timer.start()
            assert process.stdout is not None  # it was asked for
            lines = []
            for line in process.stdout:
                lines.append(line)
                if settings.progress and (now := read_progress(line)):
                    settings.progress(now)
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # a callback may have raised; after the end it does nothing
    return "".join(lines), stopped.is_set(), process.returncode
