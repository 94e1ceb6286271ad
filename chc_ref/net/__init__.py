"""The core on real hosts: wire format, UDP nodes, and a demonstration cluster."""
