"""Network functions: the four of Table 4, and tiny ones for models."""
