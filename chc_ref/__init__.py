"""chc_ref: a checked reference implementation of CHC (Khalid and Akella, NSDI 2019)."""

__version__ = "0.1.0"
