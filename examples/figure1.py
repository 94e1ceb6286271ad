"""The chain of figure1.toml, in Python: ``chc chain ./examples/figure1.py:CHAIN``."""

from chc_ref.core.chain import Chain, Vertex
from chc_ref.core.operations import off_path
from chc_ref.nfs.load_balancer import Pool, load_balancer
from chc_ref.nfs.nat import NAT
from chc_ref.nfs.portscan import PORTSCAN
from chc_ref.nfs.trojan import TROJAN

POOLS = (Pool.parse("10.2.0.32/28:80"),)

CHAIN = Chain(
    vertices=(
        Vertex("nat", NAT, instances=2),
        Vertex("load_balancer", load_balancer(POOLS), instances=2, split="service"),
        Vertex("portscan", off_path(PORTSCAN), instances=2, split="host"),
        Vertex("trojan", TROJAN, instances=2, split="host", store="store2"),
    ),
    edges=(("nat", "load_balancer"), ("nat", "portscan"), ("nat", "trojan")),
)
