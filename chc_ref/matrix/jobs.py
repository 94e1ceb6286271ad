"""Jobs: one model under one variant, searched for every requirement at once, and remembered.

A job is plain data, and so is what it gives: it runs in this process, in another one or on
another machine, with the same result. Results are kept by content: whoever changes the core, the
variant, the model or the bounds asks for something that nobody has asked for before.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path

import attrs
import msgspec
import platformdirs

from chc_ref.check import model as models, sources
from chc_ref.check.explore import Explorer, Limits, Method
from chc_ref.check.kernel import AUTOMATIC
from chc_ref.require.predicates import REQUIREMENTS
from chc_ref.variants import library
from chc_ref.verdict import Order, Reduction, Report, Verdict

CACHE = "CHC_CACHE"
"""Environment variable that names the folder of remembered results."""


@attrs.frozen
class Way:
    """How to search all states. The verdicts are the same whichever it is."""

    backend: str = AUTOMATIC
    reduce: frozenset[Reduction] = frozenset()


@attrs.frozen
class Job:
    """One search."""

    variant: str
    model: str
    """Name of the model."""
    text: str
    """The model file, so that a job needs no files where it runs."""
    states: int
    seconds: float
    folder: str = "."
    """Where the model names files from, if it does."""
    code: str = ""
    """Hash of what variant and model have from files of a user's own."""
    walks: int = 0
    """Random walks instead of all states, if there are any."""
    seed: int = 0
    only_adds: bool = False
    """It adds violations that it finds, and nothing else: it need not have seen all states."""
    first: bool = False
    """Stop at the first violation: what else is violated is not asked."""
    way: Way = Way()

    @property
    def key(self) -> str:
        """Give the name under which the result is kept: all that it depends on, hashed."""
        search = (self.model, self.text, self.states, self.walks, self.seed, self.first)
        way = (self.way.backend, *sorted(one.value for one in self.way.reduce))
        parts = (sources.of_package(), self.variant, self.code, *search, way)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


@attrs.frozen
class Finding:
    """What one search says of one requirement."""

    verdict: str
    states: int
    """Seen up to a violation, or in all."""
    violated: str = ""
    """What is violated, or why it is inconclusive."""
    trace: tuple[str, ...] = ()


@attrs.frozen
class Result:
    """What one search says of all requirements."""

    job: Job
    seconds: float
    findings: dict[str, Finding]
    remembered: bool = False


def run(job: Job) -> Result:
    """Search.

    Raises:
        UsageError: the model is malformed, or a rule of the variant is.

    """
    model = models.of_data(Path(job.folder, f"{job.model}.toml"), tomllib.loads(job.text))
    limits = Limits(job.states, job.seconds)
    rules = library.find(job.variant).rules
    method = Method(job.way.backend, threads=1, reduce=job.way.reduce)
    if job.walks:
        method = Method(order=Order.WALKS, walks=job.walks, seed=job.seed)
    explorer = Explorer(model, rules, limits, method)
    reports = _first(explorer) if job.first else explorer.sweep()
    findings = {
        name: Finding(r.verdict.value, r.states or 0, r.violated, r.trace)
        for name, r in reports.items()
    }
    return Result(job, max(r.seconds for r in reports.values()), findings)


def _first(explorer: Explorer) -> dict[str, Report]:
    """Search up to a violation; of other requirements nothing is known then."""
    report = explorer.run()
    if report.verdict is not Verdict.VIOLATED:
        return dict.fromkeys(REQUIREMENTS, report)
    why = f"not searched behind a violation of {report.violated.partition(':')[0]}"
    rest = attrs.evolve(report, verdict=Verdict.INCONCLUSIVE, violated=why, trace=())
    violated = report.violated.partition(":")[0]
    return {name: report if name == violated else rest for name in REQUIREMENTS}


class Memory:
    """Results by content, one file each, in the user's cache folder."""

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get(CACHE)
        self.folder = folder or Path(named or platformdirs.user_cache_path("chc_ref"))

    def get(self, job: Job) -> Result | None:
        """Give what is remembered of a job; a file that cannot be read is as good as none."""
        try:
            findings = msgspec.json.decode(self._path(job).read_bytes(), type=dict[str, Finding])
        except (OSError, msgspec.MsgspecError):
            return None
        if findings.keys() != REQUIREMENTS.keys():
            return None
        return Result(job, 0.0, findings, remembered=True)

    def put(self, result: Result) -> None:
        """Remember a result, unless the machine's speed had a part in it."""
        if any(finding.violated.startswith("time limit") for finding in result.findings.values()):
            return
        path = self._path(result.job)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(msgspec.json.encode(result.findings))
        part.replace(path)

    def _path(self, job: Job) -> Path:
        return self.folder / "matrix" / f"{job.key}.json"
