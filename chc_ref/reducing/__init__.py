"""Searches of fewer states: their options, and what they are held against."""
