"""Mappings: what a composed state of the core is called in a TLA+ module, and an action.

Each module here belongs to one module in ``specs/`` and gives ``variables`` and ``name``: a
composed state as the values of the TLA+ variables, and an action as the name of the TLA+ action.
They select and rename. What the TLA+ module leaves out is determined by the rest.
"""
