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

from chc_ref import __version__
from chc_ref.checks import check
from chc_ref.console import Json, err, out, progress
from chc_ref.counts import counts
from chc_ref.errors import ChcError, UsageError
from chc_ref.export import command as export
from chc_ref.export.command import SCHEDULE, Formats, Save
from chc_ref.matrix.command import matrix
from chc_ref.tlc.command import tlc

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


app.command()(check)
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
    number: Annotated[int, typer.Argument(min=0, help="Which one; `chc check drawn_16` runs it.")],
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
