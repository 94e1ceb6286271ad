"""Checks of the core: the explorer, its models, and the TLC wrapper."""

STATES = 50_000_000
"""Limit of states of a search of which nobody says another: more than any model here has."""
