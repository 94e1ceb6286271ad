"""What a replay prints: one plain data object, and the same for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from chc_ref import __version__
from chc_ref.nfs.headers import TCP
from chc_ref.replay.capture import Capture
from chc_ref.replay.run import Replayed
from chc_ref.replay.schedule import Schedule


def as_data(
    path: Path, capture: Capture, schedule: Schedule, result: Replayed, variant: str
) -> dict[str, Any]:
    """Give a replay's outcome as plain data; docs/replay.md describes every key."""
    data: dict[str, Any] = {
        "version": __version__,
        "capture": path.name,
        "rules": variant,
        "coe": "equal" if result.difference is None else "different",
    }
    if result.difference is not None:
        data["first_difference"] = attrs.asdict(result.difference)
    return data | {
        "packets": {
            "read": capture.read,
            "malformed": capture.malformed,
            "not_ipv4": capture.other,
            "entered": len(capture.arrivals),
            "left": result.delivered,
            "lost_in_crash": result.lost,
        },
        "schedule": attrs.asdict(schedule),
        "moved_flows": result.moved,
        "crashed": list(result.crashed),
        "suppressed_updates": result.duplicates,
        "vertices": vertices(result.values),
    }


def vertices(values: dict[Any, Any]) -> dict[str, Any]:
    """Give the results of the four NFs, from the state in the store."""
    by: dict[tuple[str, str], dict[Any, Any]] = {}
    for key, value in values.items():
        by.setdefault((key.vertex, key.name), {})[key.key] = value
    mappings = by.get(("nat", "mapping"), {})
    likelihoods = by.get(("portscan", "likelihood"), {})
    histories = by.get(("trojan", "history"), {})
    services = by.get(("load_balancer", "load"), {}).values()
    loads = {server: load for service in services for server, load in service.items()}
    return {
        "nat": {
            "total_packets": by.get(("nat", "total_packets"), {}).get((), 0),
            "total_tcp_packets": by.get(("nat", "total_tcp_packets"), {}).get((), 0),
            "connections": sum(mapping.connections for mapping in mappings.values()),
            "udp_flows": sum(
                flow.protocol != TCP and mapping.port is not None
                for flow, mapping in mappings.items()
            ),
            "ports": {
                str(flow): mapping.port
                for flow, mapping in sorted(mappings.items(), key=lambda item: str(item[0]))
                if mapping.port is not None
            },
        },
        "portscan": {
            "blocked_hosts": sorted(h for h, likely in likelihoods.items() if likely.blocked),
        },
        "trojan": {
            "alerts": [
                {"host": host, "clocks": attrs.asdict(history.evidence)}
                for host, history in sorted(histories.items())
                if history.evidence is not None
            ],
        },
        "load_balancer": {
            "bytes_per_server": dict(sorted(by.get(("load_balancer", "bytes"), {}).items())),
            "connections_per_server": {s: load.total for s, load in sorted(loads.items())},
            "active_per_server": {s: load.active for s, load in sorted(loads.items())},
        },
    }


def show(console: Console, data: dict[str, Any]) -> None:
    """Print a replay's outcome for people."""
    packets, found = data["packets"], data["vertices"]
    console.print(
        f"{data['capture']}: {packets['read']} records, {packets['entered']} IPv4 packets entered, "
        f"{packets['not_ipv4']} not IPv4, {packets['malformed']} malformed"
    )
    console.print(
        f"moved {data['moved_flows']} flows, crashed {', '.join(data['crashed']) or 'nothing'}, "
        f"suppressed {data['suppressed_updates']} repeated updates"
    )
    nat, balancer = found["nat"], found["load_balancer"]
    console.print(
        f"nat: {nat['total_packets']} packets, {nat['total_tcp_packets']} TCP, "
        f"{nat['connections']} connections, {nat['udp_flows']} UDP flows, "
        f"{len(nat['ports'])} ports mapped"
    )
    blocked = found["portscan"]["blocked_hosts"]
    console.print(f"portscan: blocked {', '.join(blocked) or 'nobody'}")
    alerts = found["trojan"]["alerts"]
    console.print(f"trojan: {len(alerts)} alerts")
    for alert in alerts:
        steps = ", ".join(f"{step} {clock}" for step, clock in alert["clocks"].items())
        console.print(f"  {alert['host']} at clocks {steps}")
    table = Table("server", "connections", "bytes", title="load_balancer", box=None)
    for server, octets in balancer["bytes_per_server"].items():
        connections = balancer["connections_per_server"].get(server, 0)
        table.add_row(server, str(connections), str(octets))
    console.print(table)
    lost = packets["lost_in_crash"]
    note = f" ({lost} outputs lost in a crash, as REC-2 allows)" if lost else ""
    console.print(f"COE: {data['coe']}{note}")
    if "first_difference" in data:
        difference = data["first_difference"]
        where = f"{difference['requirement']}: {difference['where']}"
        console.print(f"  first difference: {where}", markup=False)
        console.print(f"    ideal:    {difference['ideal']}", markup=False)
        console.print(f"    physical: {difference['physical']}", markup=False)
