"""Benchmarks: measured by hand, never as a test."""
