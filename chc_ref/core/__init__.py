"""The protocol: pure machines on frozen values, and nothing else."""
