"""What the states and steps of the core are called in each TLA+ specification."""
