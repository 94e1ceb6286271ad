"""TLC, the model checker of TLA+: running it, reading what it says, and holding it to the core."""
