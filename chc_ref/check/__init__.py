"""Checks of the core: the explorer, its models, and the TLC wrapper."""
