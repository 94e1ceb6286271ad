"""Counterexamples that several tests look at, each found once."""

from __future__ import annotations

import functools

import attrs
from commands import ROOT

from chc_ref.check import counterexample, model as models
from chc_ref.check.counterexample import Counterexample
from chc_ref.check.explore import Explorer
from chc_ref.variants import library

MODELS = ROOT / "models"


@functools.cache
def found(name: str, variant: str = "") -> Counterexample:
    """Give the counterexample of a model of ours, under other rules if any are named."""
    path = MODELS / f"{name}.toml"
    model = models.load(path)
    if variant:
        model = attrs.evolve(model, rules=library.find(variant).rules)
    made = counterexample.of_report(model, path, Explorer(model).run())
    assert made is not None
    return made
