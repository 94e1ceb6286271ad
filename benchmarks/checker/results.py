"""Results: runs put side by side, refused if they are not of equal graphs."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import psutil
from rich.table import Table

from benchmarks.checker.engines import Run
from chc_ref import __version__

RATIOS = (("python", "tlc"), ("kernel", "tlc"), ("kernel", "spin"))
"""(ours, theirs): how many times as many states a second."""


@attrs.define
class Result:
    """All runs of one graph."""

    graph: str
    bounds: str
    runs: dict[str, list[Run]] = attrs.field(factory=dict)
    missing: dict[str, str] = attrs.field(factory=dict)
    """Engines of which nothing is known, and why."""

    def add(self, engine: str, run: Run) -> None:
        """Keep one run."""
        self.runs.setdefault(engine, []).append(run)

    @property
    def counts(self) -> dict[str, set[tuple[int, int]]]:
        """Give the (states, transitions) that each engine has found."""
        return {
            engine: {(run.states, run.transitions) for run in runs}
            for engine, runs in self.runs.items()
        }

    @property
    def unequal(self) -> str:
        """Say in which way the engines did not see the same graph; nothing if they did."""
        if len({count for counts in self.counts.values() for count in counts}) <= 1:
            return ""
        said = (
            f"{engine} {' or '.join(f'{states} / {steps}' for states, steps in sorted(counts))}"
            for engine, counts in self.counts.items()
        )
        return f"{self.graph}: not the same graph (states / transitions): {', '.join(said)}"

    def data(self) -> dict[str, Any]:
        """Give all as plain data; ratios only of equal graphs."""
        engines = {engine: _summed_up(runs) for engine, runs in self.runs.items()}
        first = next(iter(self.runs.values()), None)
        found: dict[str, Any] = {
            "graph": self.graph,
            "bounds": self.bounds,
            "states": first[0].states if first and not self.unequal else None,
            "transitions": first[0].transitions if first and not self.unequal else None,
            "unequal": self.unequal,
            "engines": engines,
            "missing": self.missing,
        }
        for ours, theirs in RATIOS if not self.unequal else ():
            if ours in engines and theirs in engines:
                one, other = engines[ours], engines[theirs]
                name = f"{ours}_over_{theirs}"
                found[name] = round(other["seconds"] / one["seconds"], 1)
                found[f"{name}_in_cpu_time"] = round(other["cpu_seconds"] / one["cpu_seconds"], 1)
        return found


def _summed_up(runs: list[Run]) -> dict[str, Any]:
    """Sum up the runs of one engine: the fastest counts, for what disturbs only slows down."""
    best = min(runs, key=lambda run: run.seconds)
    peak = max(run.peak_kib for run in runs)
    found = {
        "version": best.version,
        "threads": best.threads,
        "runs": len(runs),
        "states": best.states,
        "seconds": round(best.seconds, 3),
        "median_seconds": round(statistics.median(run.seconds for run in runs), 3),
        "cpu_seconds": round(min(run.cpu_seconds for run in runs), 3),
        "states_per_s": round(best.states / best.seconds),
        "peak_mib": round(peak / 1024, 1),
        "bytes_a_state": round(peak * 1024 / best.states, 1),
    }
    if "octets_of_states" in best.more:
        own = best.more["octets_of_states"]
        found["own_bytes_a_state"] = round(own / best.states, 1)
        found["own_bytes_a_state_with_tables"] = round(
            (own + best.more["octets_of_tables"]) / best.states, 1
        )
    for key in ("depth", "local_steps"):
        if key in best.more:
            found[key] = best.more[key]
    return found


def machine() -> dict[str, Any]:
    """Say where and when this is measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "chc_ref": __version__,
        "date": datetime.date.today().isoformat(),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(data: Iterable[dict[str, Any]]) -> Table:
    """Show results: a row for each graph and engine."""
    shown = Table(box=None, header_style="bold")
    shown.add_column("graph")
    shown.add_column("engine")
    for name in ("threads", "states", "seconds", "CPU s", "states/s", "peak MiB", "bytes/state"):
        shown.add_column(name, justify="right")
    shown.add_column("engine / tlc", justify="right")
    for graph in data:
        for number, (engine, of) in enumerate(graph["engines"].items()):
            ratio = graph.get(f"{engine}_over_tlc", "")
            shown.add_row(
                "" if number else graph["graph"],
                of["version"],
                str(of["threads"]),
                f"{of['states']:,}",
                f"{of['seconds']:.2f}",
                f"{of['cpu_seconds']:.2f}",
                f"{of['states_per_s']:,}",
                f"{of['peak_mib']:,.0f}",
                f"{of.get('own_bytes_a_state', of['bytes_a_state'])}",
                f"{ratio}",
            )
        for engine, why in graph["missing"].items():
            shown.add_row("", engine, *[""] * 7, why)
    return shown
