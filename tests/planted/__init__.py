"""Planted faults: wrong protocols that the models were not made for, by component.

Written as a user writes variants (docs/variants.md): rules in a class, in a file of its own, and
nothing else of the package but its messages. None of them is one of the shipped ablations.
``test_planted.py`` says which model finds each, and which are no faults.
"""
