"""The matrix: requirements against variants, each cell a search or the sum of several."""
