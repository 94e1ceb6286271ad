"""The matrix: requirements against variants, each cell a search or the sum of several."""

FILE = "matrix.toml"
"""In the folder of models: which ones the matrix goes through."""
STATES_OF_DRAWN = 100_000
"""Limit of states of a drawn model that matrix.toml does not list."""
