"""Captures through a simulated chain, beside the ideal one."""
