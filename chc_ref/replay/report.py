"""What a replay prints: one plain data object, and the same for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from chc_ref import __version__
from chc_ref.core.chain import Chain
from chc_ref.core.messages import Alert
from chc_ref.core.operations import NetworkFunction
from chc_ref.core.values import ObjectKey
from chc_ref.nfs.headers import TCP
from chc_ref.nfs.load_balancer import LOAD_BALANCER
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.trojan import TROJAN
from chc_ref.replay.capture import Capture
from chc_ref.replay.run import Replayed
from chc_ref.replay.schedule import Schedule
from chc_ref.require.coe import short

Values = dict[str, dict[Any, Any]]
"""The objects of one vertex: by name, then by key."""


def as_data(
    path: Path, capture: Capture, chain: Chain, schedule: Schedule, result: Replayed, variant: str
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
            "entered": len(capture.arrivals) - result.dropped,
            "dropped_at_root": result.dropped,
            "left": result.delivered,
            "lost_in_crash": result.lost,
        },
        "schedule": attrs.asdict(schedule),
        "moved_flows": result.moved,
        "crashed": list(result.crashed),
        "suppressed_updates": result.duplicates,
        "vertices": vertices(chain, result.values, result.alerts),
    }


def vertices(
    chain: Chain, values: Mapping[ObjectKey, Any], alerts: Iterable[Alert] = ()
) -> dict[str, Any]:
    """Give the results of every vertex, from its state in the store."""
    by: dict[str, Values] = {}
    for key, value in values.items():
        by.setdefault(key.vertex, {}).setdefault(key.name, {})[key.key] = value
    raised: dict[str, list[str]] = {}
    for alert in alerts:
        raised.setdefault(alert.vertex, []).append(str(alert.content))
    return {
        v.name: _results(v.nf, by.get(v.name, {}), raised.get(v.name, [])) for v in chain.vertices
    }


def _results(nf: NetworkFunction, values: Values, raised: list[str]) -> dict[str, Any]:
    """Give the results of one vertex: of the four NFs what they are for, of others the state."""
    objects = {
        NAT.objects: _nat,
        PORTSCAN.objects: _portscan,
        TROJAN.objects: _trojan,
        LOAD_BALANCER.objects: _load_balancer,
    }
    if nf.objects in objects:
        return objects[nf.objects](values)
    return {
        "objects": {
            declared.name: {
                str(key): short(value)
                for key, value in sorted(values.get(declared.name, {}).items(), key=str)
            }
            for declared in nf.objects
        },
        "alerts_raised": raised,
    }


def _nat(values: Values) -> dict[str, Any]:
    mappings = values.get("mapping", {})
    return {
        "total_packets": values.get("total_packets", {}).get((), 0),
        "total_tcp_packets": values.get("total_tcp_packets", {}).get((), 0),
        "connections": sum(mapping.connections for mapping in mappings.values()),
        "udp_flows": sum(
            flow.protocol != TCP and mapping.port is not None for flow, mapping in mappings.items()
        ),
        "ports": {
            str(flow): mapping.port
            for flow, mapping in sorted(mappings.items(), key=lambda item: str(item[0]))
            if mapping.port is not None
        },
    }


def _portscan(values: Values) -> dict[str, Any]:
    likelihoods = values.get("likelihood", {})
    return {"blocked_hosts": sorted(h for h, likely in likelihoods.items() if likely.blocked)}


def _trojan(values: Values) -> dict[str, Any]:
    return {
        "alerts": [
            {"host": host, "clocks": attrs.asdict(history.evidence)}
            for host, history in sorted(values.get("history", {}).items())
            if history.evidence is not None
        ],
    }


def _load_balancer(values: Values) -> dict[str, Any]:
    services = values.get("load", {}).values()
    loads = {server: load for service in services for server, load in service.items()}
    return {
        "bytes_per_server": dict(sorted(values.get("bytes", {}).items())),
        "connections_per_server": {s: load.total for s, load in sorted(loads.items())},
        "active_per_server": {s: load.active for s, load in sorted(loads.items())},
    }


def show(console: Console, data: dict[str, Any]) -> None:
    """Print a replay's outcome for people."""
    packets = data["packets"]
    dropped = packets["dropped_at_root"]
    console.print(
        f"{data['capture']}: {packets['read']} records, {packets['entered']} IPv4 packets entered, "
        f"{packets['not_ipv4']} not IPv4, {packets['malformed']} malformed"
        + (f", {dropped} dropped at the root" if dropped else "")
    )
    console.print(
        f"moved {data['moved_flows']} flows, crashed {', '.join(data['crashed']) or 'nothing'}, "
        f"suppressed {data['suppressed_updates']} repeated updates"
    )
    for name, found in data["vertices"].items():
        _show_vertex(console, name, found)
    lost = packets["lost_in_crash"]
    note = f" ({lost} outputs lost in a crash, as REC-2 allows)" if lost else ""
    console.print(f"COE: {data['coe']}{note}")
    if "first_difference" in data:
        difference = data["first_difference"]
        where = f"{difference['requirement']}: {difference['where']}"
        console.print(f"  first difference: {where}", markup=False)
        console.print(f"    ideal:    {difference['ideal']}", markup=False)
        console.print(f"    physical: {difference['physical']}", markup=False)


def _show_vertex(console: Console, name: str, found: dict[str, Any]) -> None:
    match found:
        case {"total_packets": total, "total_tcp_packets": tcp, "ports": ports}:
            console.print(
                f"{name}: {total} packets, {tcp} TCP, {found['connections']} connections, "
                f"{found['udp_flows']} UDP flows, {len(ports)} ports mapped"
            )
        case {"blocked_hosts": blocked}:
            console.print(f"{name}: blocked {', '.join(blocked) or 'nobody'}")
        case {"alerts": alerts}:
            console.print(f"{name}: {len(alerts)} alerts")
            for alert in alerts:
                steps = ", ".join(f"{step} {clock}" for step, clock in alert["clocks"].items())
                console.print(f"  {alert['host']} at clocks {steps}")
        case {"bytes_per_server": octets, "connections_per_server": connections}:
            table = Table("server", "connections", "bytes", title=name, box=None)
            for server, count in octets.items():
                table.add_row(server, str(connections.get(server, 0)), str(count))
            console.print(table)
        case {"objects": objects, "alerts_raised": raised}:
            keys = ", ".join(f"{one} under {len(of)} keys" for one, of in objects.items())
            console.print(f"{name}: {keys or 'no state'}; {len(raised)} alerts", markup=False)
