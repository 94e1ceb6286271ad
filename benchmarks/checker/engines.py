"""Engines: each searches one model in processes of its own, and is measured.

Time is wall time without the start: of Python up to where the model is loaded; of Java, TLC and
its parser up to TLC's word that the initial states are computed; of Spin its making of a checker
and the compiler. Memory is the most that the process had, all of it, Java's among it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import psutil

from benchmarks.checker import instances
from benchmarks.checker.graphs import HERE
from chc_ref.check.kernel import backends
from chc_ref.check.model import load
from chc_ref.errors import ToolError
from chc_ref.places import folder
from chc_ref.tlc.output import parse_output
from chc_ref.tlc.tools import find_jar, find_java


@attrs.frozen
class Run:
    """One search of one graph."""

    states: int
    transitions: int
    seconds: float
    cpu_seconds: float
    """Of all threads, from the same moment on."""
    peak_kib: int
    threads: int
    version: str
    more: Mapping[str, Any] = {}
    """What only this engine tells."""


class StoppedError(Exception):
    """A run met the time limit: nothing is known of it."""


Engine = Callable[[Path, int, float], Run]
"""Called with a model, threads, and a time limit in seconds; raises ToolError if it cannot run."""

JAVA = ("-XX:+UseParallelGC", "-Xmx6g")
"""Room enough for the states that wait, of all graphs that TLC is asked for."""
BEGUN, DONE = "@!@!@STARTMSG 2190:", "@!@!@STARTMSG 2193:"

SPIN = ("-O2", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=8192", "-DNOFAIR", "-DMEMLIM=16000")
"""Whole states compared, no reduction: the same search."""
KEPT = ("-o2",)
"""Spin would leave out what is only written: that is part of a state of the core."""


class Child:
    """A process that is waited for line by line, and measured by the system."""

    def __init__(self, command: list[str], folder: Path, limit_s: float) -> None:
        self.tool = Path(command[0]).name
        self.stopped = False
        self.command, self.folder = command, folder
        self.process: subprocess.Popen[str] | None = None
        self.timer = threading.Timer(min(limit_s, threading.TIMEOUT_MAX), self._stop)
        self.timer.daemon = True

    def _stop(self) -> None:
        self.stopped = True
        self._kill()

    def _kill(self) -> None:
        if self.process:
            self.process.kill()

    def run(self, marks: tuple[str, ...] = ()) -> tuple[str, list[tuple[float, float]]]:
        """Give what it printed, and (time, processor time) of the first line with each mark.

        Raises:
            StoppedError: the time was over.
            ToolError: it failed.

        """
        lines, times = list[str](), dict[str, tuple[float, float]]()
        # Who is told to end while the child starts would not know yet that there is one.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            try:
                process = self.process = self._start(mask)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            assert process.stdout is not None  # it was asked for
            self.timer.start()
            for line in process.stdout:
                lines.append(line)
                for mark in marks:
                    if mark in line and mark not in times:
                        times[mark] = time.monotonic(), used_by(process.pid)
            _, status, self.usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:  # also when this process is told to end
            self.timer.cancel()
            self._kill()
        text = "".join(lines)
        if self.stopped:
            raise StoppedError
        if process.returncode or times.keys() != set(marks):
            said = text.strip().splitlines() or ["it printed nothing"]
            raise ToolError(f"{self.tool} failed: {said[-1][:200]}")
        return text, [times[mark] for mark in marks]

    def _start(self, mask: set[int | signal.Signals]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
        )


def used_by(pid: int) -> float:
    """Give the processor time of a process that may just have ended, in seconds."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def search(engine: str, python: str = sys.executable) -> Engine:
    """Give an engine that searches the core in a Python process."""

    def run(model: Path, threads: int, limit_s: float) -> Run:
        if engine == "kernel" and engine not in backends():
            raise ToolError("the package was built without a C compiler")
        if engine in ("minicheck", "musil") and importlib.util.find_spec(engine) is None:
            raise ToolError(f"{engine} is not installed; uv run --group bench")
        used = threads if engine == "kernel" else 1
        command = [python, "-m", "benchmarks.checker.searches", engine, str(model), str(used)]
        child = Child(command, HERE.parent.parent, limit_s)
        text, _ = child.run()
        found = json.loads(text.splitlines()[-1])
        return Run(
            found.pop("states"),
            found.pop("transitions"),
            found.pop("seconds"),
            found.pop("cpu_seconds"),
            child.usage.ru_maxrss,
            used,
            f"{engine} {found.pop('version')}",
            found,
        )

    return run


def run_tlc(model: Path, threads: int, limit_s: float) -> Run:
    """Let TLC search the instance of ``Reallocation`` that the model says."""
    module, cfg = instances.tla(load(model))
    java, jar = find_java(), find_jar()
    with tempfile.TemporaryDirectory(prefix="chc-bench-") as name:
        place = Path(name)
        for spec in folder("specs").glob("*.tla"):
            shutil.copy(spec, place)
        (place / f"{instances.MODULE}.tla").write_text(module, encoding="utf-8")
        (place / f"{instances.MODULE}.cfg").write_text(cfg, encoding="utf-8")
        command = [str(java), *JAVA, f"-Djava.io.tmpdir={place}", "-cp", str(jar), "tlc2.TLC"]
        command += ["-tool", "-deadlock", "-workers", str(threads), "-metadir", f"{place}/states"]
        child = Child([*command, instances.MODULE], place, limit_s)
        text, ((begun, before), (done, after)) = child.run((BEGUN, DONE))
    found = parse_output(text)
    if not found.complete or found.distinct is None or found.generated is None:
        raise ToolError(f"TLC did not finish: {found.fault or found.failure or found.violated}")
    # TLC counts the initial state as generated; the core's explorer counts steps.
    counts = found.distinct, found.generated - 1
    peak = child.usage.ru_maxrss
    return Run(*counts, done - begun, after - before, peak, threads, f"TLC {found.version}")


def run_spin(model: Path, threads: int, limit_s: float) -> Run:
    """Let Spin search the instance of ``reallocation.pml``, depth first, as it does by default."""
    del threads  # its search of whole states has one
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is not installed; it is a Debian package")
    with tempfile.TemporaryDirectory(prefix="chc-bench-") as name:
        place = Path(name)
        shutil.copy(HERE / "reallocation.pml", place)
        (place / "instance.h").write_text(instances.promela(load(model)), encoding="utf-8")
        for command in (
            ["spin", *KEPT, "-a", "reallocation.pml"],
            ["gcc", *SPIN, "-w", "-o", "pan", "pan.c"],
        ):
            Child(command, place, limit_s).run()
        begun = time.monotonic()
        child = Child([f"{place}/pan", "-m1000000", "-E", "-w24"], place, limit_s)
        text, _ = child.run()
        seconds = time.monotonic() - begun
    stored = re.search(r"(\d+) states, stored", text)
    steps = re.search(r"(\d+) transitions \(= stored\+matched\)", text)
    version = re.search(r"Spin Version (\S+)", text)
    if not (stored and steps and version) or "errors: 0" not in text or "truncated" in text:
        raise ToolError(f"Spin did not finish: {' '.join(text.split())[:200]}")
    used = child.usage.ru_utime + child.usage.ru_stime
    # Spin counts the way into the first state, too.
    counts = int(stored[1]), int(steps[1]) - 1
    return Run(*counts, seconds, used, child.usage.ru_maxrss, 1, f"Spin {version[1]}")


ENGINES: dict[str, Engine] = {
    **{name: search(name) for name in ("kernel", "python", "minicheck", "musil")},
    "tlc": run_tlc,
    "spin": run_spin,
}
"""By name."""
