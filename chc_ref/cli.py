"""Command line: ``chc check``, ``chc matrix``, ``chc replay``, ``chc demo`` and others.

Exit codes: 0 holds or equal, 1 violated or different, 2 usage, 3 inconclusive.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.progress import TextColumn
from rich.table import Table

from chc_ref import __version__
from chc_ref.check import STATES
from chc_ref.console import Json, err, out, progress
from chc_ref.counts import counts
from chc_ref.errors import ChcError, UsageError
from chc_ref.export import command as export
from chc_ref.export.command import SCHEDULE, Formats, Save
from chc_ref.matrix.command import matrix
from chc_ref.reducing.options import CompactOption, ReduceOption, reductions
from chc_ref.tlc.command import tlc
from chc_ref.verdict import Fairness, Order

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Checked reference implementation of CHC.",
)

ChainName = Annotated[str, typer.Argument(metavar="CHAIN", help="A TOML file, or MODULE:OBJECT.")]
Inside = Annotated[
    list[str] | None, typer.Option(help="Network of inside hosts; inferred by default.")
]


app.command()(matrix)
app.command()(tlc)
app.command()(counts)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(f"chc_ref {__version__}")
        raise typer.Exit


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models, instances or proofs; all by default.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="explorer (the Python core), tlc (TLA+), z3 (proofs), or all.")
    ] = "explorer",
    variant: Annotated[
        str | None,
        typer.Option(help="Other rules: a name of `chc variants`, FILE.py:NAME or MODULE:NAME."),
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of the models.")] = None,
    proofs: Annotated[Path | None, typer.Option(help="Folder of the proofs.")] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time limit of one check.")] = 600.0,
    states: Annotated[int, typer.Option(min=1, help="Limit of states of one model.")] = STATES,
    depth: Annotated[
        int | None, typer.Option(min=0, help="Expand states up to so many steps away.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(min=1.0, help="Limit of memory of the process, in MiB.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Search of the explorer: kernel (compiled), python, or auto.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, max=64, help="Threads of the compiled search.")
    ] = None,
    fairness: Annotated[
        Fairness, typer.Option(help="What a run that never ends must grant (LIVE).")
    ] = Fairness.WEAK,
    order: Annotated[
        Order, typer.Option(help="Breadth first, depth first, or random walks.")
    ] = Order.BREADTH,
    walks: Annotated[int, typer.Option(min=1, help="Number of random walks.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Seed of random walks, or of hashes.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="File that a stopped search of one model is kept in, and goes on from."),
    ] = None,
    reduce: ReduceOption = "",
    compact: CompactOption = None,
    slow: Annotated[bool, typer.Option(help="Run what is marked slow too.")] = False,
    simplify: Annotated[
        bool, typer.Option(help="Show counterexamples with the fewest crashes, moves and packets.")
    ] = True,
    save: Save = None,
    formats: Formats = SCHEDULE,
    as_json: Json = False,
) -> None:
    """Explore every interleaving of the models; run TLC on the specs; prove with Z3.

    Without names every check is held against what its file expects, so a deliberate failure
    that fails is fine. With names or a variant the verdict itself is the exit code. A
    counterexample is run again before it is shown, and simplified.
    """
    from chc_ref import suite
    from chc_ref.check.explore import Limits, Method
    from chc_ref.verdict import Verdict, worst

    wanted = export.formats_of(formats, save)
    method = Method(
        backend, threads, fairness, order, walks, seed, checkpoint, reductions(reduce), compact
    )
    checks = _select(names or [], engine, variant, models, proofs, method)
    checks = [c for c in checks if slow or names or not c.slow]
    if checkpoint is not None and [c.engine for c in checks] != ["explorer"]:
        raise UsageError("--checkpoint keeps one search: name one model of the explorer")
    if checkpoint is not None and order is not Order.BREADTH:
        raise UsageError("--checkpoint keeps a search breadth first; leave --order out")
    limits = Limits(states, seconds, depth, memory)
    results: list[tuple[suite.Check, Any, bool]] = []
    with progress(as_json, TextColumn("{task.fields[state]}")) as bar:
        task = bar.add_task("check", total=len(checks), state="")
        for one in checks:
            bar.update(task, description=f"{one.engine} {one.name}", state="")
            report, expected = one.run(limits, lambda state: bar.update(task, state=state))
            results.append((one, report, expected))
            bar.advance(task)
        literal = bool(names or variant)
        found: dict[str, Any] = {}  # as it is shown; the table tells of what was searched
        for one, report, expected in results:
            if report.verdict is Verdict.VIOLATED and (save or literal or not expected):
                bar.update(task, description=f"run {one.name} again", state="")
                found[one.name] = export.counterexample_of(one, report, method, simplify)
    if save is not None:
        export.save_all(save, filter(None, found.values()), wanted)
    if as_json:
        print(json.dumps({"checks": [_as_json(*r, found) for r in results]}, default=str))
    else:
        _print_checks(results, literal, found)
    judged = [report for _, report, expected in results if literal or not expected]
    code = worst(judged).exit_code if judged else 0
    if judged and not literal and code == 0:
        code = 1  # it holds, and its file says that it must not
    raise typer.Exit(code)


def _select(
    names: list[str],
    engine: str,
    variant: str | None,
    models: Path | None,
    proofs: Path | None,
    method: Any,
) -> list[Any]:
    """Give the checks that a command line names."""
    from chc_ref import suite
    from chc_ref.check.drawn import is_name as is_drawn
    from chc_ref.check.model import is_model
    from chc_ref.places import folder
    from chc_ref.variants import library

    if engine != "all" and engine not in suite.ENGINES:
        raise UsageError(f"unknown engine {engine!r}; known: {', '.join(suite.ENGINES)}, all")
    if variant is not None and engine != "explorer":
        raise UsageError("--variant changes the Python core's rules: use it with the explorer")
    rules = library.find(variant).rules if variant else None
    models_folder = models or folder("models")
    if not models_folder.is_dir():
        raise UsageError(f"{models_folder}: no such folder")
    proofs_folder = proofs or folder("proofs")
    files = [Path(name) for name in names if name.endswith((".toml", ".py"))]
    for path in files:
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
    checks: list[Any] = []
    for path in files:
        checks += (
            suite.z3_checks(path)
            if path.suffix == ".py"
            else [suite.explorer_check(path, rules, method)]
        )
    plain = [name for name in names if not name.endswith((".toml", ".py"))]
    made_up = [name for name in plain if is_drawn(name)]
    checks += [suite.drawn_check(name, rules, method) for name in made_up]
    plain = [name for name in plain if name not in made_up]
    if checks and not plain:
        return checks
    engines = suite.ENGINES if engine == "all" else (engine,)
    known = [c for e in engines for c in suite.collect(e, models_folder, proofs_folder, method)]
    missing = set(plain) - {c.name for c in known}
    if missing:
        listed = ", ".join(sorted(c.name for c in known))
        raise UsageError(f"no check is called {min(missing)!r}; known: {listed}")
    chosen = [c for c in known if not plain or c.name in plain]
    if rules is not None:  # each system once, that of an ablation's model too
        systems = {c.system: c.name for c in reversed(chosen) if c.system}
        named = [c.name for c in chosen] if plain else sorted(systems.values())
        paths = [models_folder / f"{name}.toml" for name in named]
        chosen = [suite.explorer_check(path, rules, method) for path in paths if is_model(path)]
    return checks + chosen


def _label(one: Any, report: Any) -> str:
    """Name a check, and its rules where the name does not tell."""
    rules = report.rules.rpartition(":")[2]
    told = rules == "amended" or one.name.endswith(rules)
    return one.name if told else f"{one.name}, {rules}"


def _as_json(one: Any, report: Any, expected: bool, found: dict[str, Any]) -> dict[str, Any]:
    from chc_ref.check.counterexample import as_data

    data = {**report.to_json(), "expected": expected, "about": one.about}
    shown = found.get(one.name) if report.engine == "explorer" else None
    return data if shown is None else {**data, "counterexample": as_data(shown)}


def _print_checks(
    results: list[tuple[Any, Any, bool]], literal: bool, found: dict[str, Any]
) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("engine", "check", "verdict"):
        table.add_column(heading, no_wrap=True)
    for heading in ("states", "local", "depth", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("bounds")
    for one, report, expected in results:
        verdict = report.verdict.value
        if not literal and one.expect.value != "holds" and expected:
            verdict += " (as expected)"
        elif not literal and not expected:
            verdict += " (UNEXPECTED)"
        table.add_row(
            report.engine,
            _label(one, report),
            verdict,
            "" if report.states is None else str(report.states),
            "" if report.local_ratio is None else f"{report.local_ratio:.2%}",
            "" if report.depth is None else str(report.depth),
            f"{report.seconds:.1f}",
            report.bounds,
        )
    out.print(table)
    for one, report, expected in results:
        if report.miscounted:
            out.print(f"\n{one.name}: {report.miscounted}", markup=False, soft_wrap=True)
        if report.verdict.value == "inconclusive":
            out.print(
                f"\n{one.name}: inconclusive: {report.violated}", markup=False, soft_wrap=True
            )
        elif report.verdict.value == "violated" and (literal or not expected):
            shown = found.get(one.name) if report.engine == "explorer" else None
            violated = shown.violated if shown else report.violated
            out.print(f"\n{one.name}: {violated}", markup=False, soft_wrap=True)
            if shown:
                export.show(shown)
            for line in () if shown else report.lines:
                out.print(line, markup=False, soft_wrap=True)


@app.command()
def replay(
    capture: Annotated[
        Path, typer.Argument(help="A pcap or pcapng file; or the schedule (TOML) of an exact run.")
    ],
    move: Annotated[
        list[str] | None,
        typer.Option(help="INSTANCE@PACKETS[=SELECT]: move flows to INSTANCE. Repeatable."),
    ] = None,
    crash: Annotated[
        list[str] | None, typer.Option(help="INSTANCE@PACKETS: crash INSTANCE. Repeatable.")
    ] = None,
    schedule: Annotated[Path | None, typer.Option(help="Schedule file (TOML).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the interleaving.")] = None,
    calm: Annotated[bool, typer.Option(help="No move and no crash at all.")] = False,
    chain: Annotated[
        str | None, typer.Option(help="Chain of your own: a TOML file, or MODULE:OBJECT.")
    ] = None,
    instances: Annotated[
        int | None, typer.Option(min=1, max=64, help="Instances of each vertex; 2 by default.")
    ] = None,
    inside: Inside = None,
    pool: Annotated[
        list[str] | None, typer.Option(help="NETWORK/BITS:PORT that is balanced as one service.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="Rules of the physical chain, as for check; or a run's own.")
    ] = None,
    save: Save = None,
    formats: Formats = SCHEDULE,
    as_json: Json = False,
) -> None:
    """Run a capture through NAT, portscan, load balancer, Trojan detector, and the ideal chain.

    With --chain it is a chain of your own, which says of itself how many instances it has.
    Without --move, --crash, --schedule or --calm one move and one crash are drawn from the seed.
    A schedule that `chc check --save` wrote is run again step by step, and judged at each.
    """
    if capture.suffix == ".toml":
        if (
            move
            or crash
            or schedule
            or seed is not None
            or calm
            or inside
            or pool
            or chain
            or instances
        ):
            raise UsageError(
                "a schedule of an exact run takes --variant, --save, --formats and --json only"
            )
        raise typer.Exit(export.replay(capture, variant, save, formats, as_json))
    if save is not None or formats != SCHEDULE:
        raise UsageError("--save and --formats are for the schedule of an exact run")
    variant = variant or "amended"
    from chc_ref import chains
    from chc_ref.nfs.load_balancer import Pool
    from chc_ref.replay import report
    from chc_ref.replay.capture import load
    from chc_ref.replay.run import default_chain, replay as run
    from chc_ref.variants import library

    rules = library.find(variant).rules
    networks = tuple(_network(text) for text in inside or ())
    if chain is not None and (instances is not None or pool):
        raise UsageError("--instances and --pool are for the default chain: write them in yours")
    if chain is not None:
        logical = chains.load(chain)
    else:
        logical = default_chain(instances or 2, tuple(Pool.parse(text) for text in pool or ()))
    with progress(as_json) as bar:
        reading = bar.add_task("read", total=None)
        read = load(capture, networks, lambda count: bar.update(reading, completed=count))
        bar.update(reading, total=read.read, completed=read.read)
        plan = _plan(logical, len(read.arrivals), move, crash, schedule, seed, calm)
        total = len(read.arrivals)
        task = bar.add_task("replay", total=total)
        result = run(
            logical,
            read.arrivals,
            plan,
            rules,
            lambda count: bar.update(task, completed=count),
        )
    data = report.as_data(capture, read, logical, plan, result, variant)
    if as_json:
        print(json.dumps(data))
    else:
        report.show(out, data)
    raise typer.Exit(0 if result.difference is None else 1)


@app.command()
def variants(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One in full; with --rules, a rule or a clause."),
    ] = None,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="What a variant may change instead: all, or of one clause."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List the protocol variants, or the rules that one of your own may change."""
    from chc_ref import catalogue

    data = catalogue.rules_as_data(name) if rules else catalogue.as_data(name)
    if as_json:
        print(json.dumps(data))
    else:
        catalogue.show(out, data)


@app.command()
def drawn(
    number: Annotated[int, typer.Argument(min=0, help="Which one; `chc check drawn_17` runs it.")],
) -> None:
    """Print a model made up at random, as a model file: one that `chc matrix` searches."""
    from chc_ref.check.drawn import text

    print(text(number), end="")


@app.command()
def chain(
    name: ChainName,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    as_json: Json = False,
) -> None:
    """Print a chain as it was drawn and as it is compiled: vertices, state, instances, ways."""
    from chc_ref import chains, diagram

    if mermaid and as_json:
        raise UsageError("give --mermaid or --json, not both")
    data = diagram.as_data(name, chains.load(name))
    if as_json:
        print(json.dumps(data))
    elif mermaid:
        print(diagram.mermaid(data))
    else:
        diagram.show(out, data)


@app.command()
def partition(
    name: ChainName,
    capture: Annotated[Path, typer.Option(help="A pcap or pcapng file.")],
    instances: Annotated[
        int | None, typer.Option(min=1, max=64, help="Instances of each vertex, for the chain's.")
    ] = None,
    evenness: Annotated[
        float, typer.Option(help="Load of the busiest instance over the mean that is still even.")
    ] = 1.25,
    inside: Inside = None,
    as_json: Json = False,
) -> None:
    """Split a capture by every scope of every vertex: how even it is, and what is shared.

    The scope chosen is the coarsest that is even enough, else the finest. Exit code 1: an
    object is not keyed by the scope that it names.
    """
    from chc_ref import chains
    from chc_ref.replay import traffic
    from chc_ref.replay.capture import load

    logical = chains.load(name)
    networks = tuple(_network(text) for text in inside or ())
    with progress(as_json) as bar:
        reading = bar.add_task("read", total=None)
        read = load(capture, networks, lambda count: bar.update(reading, completed=count))
        bar.add_task("run the ideal chain", total=None)
        seen = traffic.observe(logical, read.arrivals)
        data = traffic.as_data(logical, seen, instances, evenness)
    if as_json:
        print(json.dumps({"chain": name, "capture": capture.name, **data}))
    else:
        traffic.show(out, data)
    raise typer.Exit(1 if any(vertex["misdeclared"] for vertex in data["vertices"]) else 0)


@app.command()
def demo(
    capture: Annotated[Path, typer.Argument(help="A pcap or pcapng file.")],
    packets: Annotated[int, typer.Option(min=1, help="Send the first so many packets.")] = 2000,
    seconds: Annotated[float, typer.Option(min=1.0, help="Time limit.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Run a NAT on real processes over UDP on loopback, kill one instance, and recover it.

    Root, two NF instances, store and sink are processes; half-way through, one NF instance
    gets SIGKILL. Exit code 0: equal to the ideal chain; 1: different; 3: the time was over.
    """
    from chc_ref.net.demo import nat_chain, run_demo
    from chc_ref.replay.capture import load
    from chc_ref.require.coe import settled
    from chc_ref.require.ideal import OrderError, run_ideal

    arrivals = load(capture).arrivals[:packets]
    if not arrivals:
        raise UsageError(f"{capture}: no IPv4 packet to send")
    result = run_demo(
        arrivals,
        "chc_ref.net.demo:nat_chain",
        classes="chc_ref.net.demo:NAT_CLASSES",
        limit_s=seconds,
    )
    difference: Any = None
    if not result.inconclusive:
        try:
            ideal = run_ideal(nat_chain(), arrivals, result.positions)
            losses = len(result.crashed)
            difference = settled(ideal, result.values, result.outputs, result.alerts, losses)
        except OrderError as error:
            difference = error
    verdict = "different" if difference else "equal"
    data = {
        "version": __version__,
        "coe": "inconclusive" if result.inconclusive else verdict,
        "reason": result.inconclusive or str(difference or ""),
        "packets": {"sent": result.packets, "left": len(result.outputs)},
        "crashed": list(result.crashed),
        "seconds": round(result.seconds, 1),
    }
    if as_json:
        print(json.dumps(data))
    else:
        out.print(
            f"sent {result.packets} packets, {len(result.outputs)} left; "
            f"killed and recovered {', '.join(result.crashed)}; {result.seconds:.1f} s"
        )
        out.print(f"COE: {data['coe']} {data['reason']}".rstrip(), markup=False)
    raise typer.Exit({"equal": 0, "different": 1, "inconclusive": 3}[str(data["coe"])])


def _plan(
    chain: Any,
    packets: int,
    move: list[str] | None,
    crash: list[str] | None,
    schedule: Path | None,
    seed: int | None,
    calm: bool,
) -> Any:
    """Give the schedule that a command line asks for."""
    from chc_ref.replay.schedule import CrashAt, MoveAt, Schedule, draw, load

    named = bool(move or crash)
    if sum((named, schedule is not None, calm)) > 1:
        raise UsageError("give --move and --crash, or --schedule, or --calm: not two of them")
    known = tuple(f"{v.name}.{n}" for v in chain.vertices for n in range(v.instances))
    if schedule is not None:
        plan = load(schedule)
    elif named or calm:
        moves = tuple(MoveAt.parse(text) for text in move or ())
        plan = Schedule(moves, tuple(CrashAt.parse(text) for text in crash or ()))
    else:
        plan = draw(known, packets, 1 if seed is None else seed)
    if seed is not None:
        plan = attrs.evolve(plan, seed=seed)
    return plan.checked(known)


def _network(text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise UsageError(f"--inside {text!r}: {error}") from None


def main() -> None:
    """Run the command line; no traceback reaches a user."""
    try:
        sys.exit(app(standalone_mode=False) or 0)  # the code of a typer.Exit comes back
    except ChcError as error:
        err.print(f"chc: {error}", markup=False)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("click", "typer"):
            raise
        text = error.format_message() if hasattr(error, "format_message") else str(error)
        err.print(f"chc: {text}", markup=False)
        sys.exit(2)
