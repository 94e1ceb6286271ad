"""The pytest plugin, in projects of other people."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

MODEL = """
chc_model = 1
about = "One packet through one instance."
leaves_out = "Nearly everything."
clauses = ["ROOT-1"]
expect = "holds"
vertices = [{ name = "count", nf = "counter" }]
packets = ["A", "B"]
witnesses = []
"""

PROOF = '''
import z3
from chc_ref.prove.kit import Invariant, Proof, prime, proof, update

COUNT = z3.Int("count")

@proof
def grows():
    """A counter that only grows stays above zero."""
    return Proof(
        name="grows",
        clauses=("ROOT-1",),
        variables=(COUNT,),
        init=COUNT == 1,
        transitions={"give": update((COUNT,), True, {COUNT: COUNT + 1})},
        goals=(Invariant("positive", "Clocks are positive.", COUNT > 0),),
    )
'''


def _project(pytester: pytest.Pytester) -> None:
    for folder, name, text in (("models", "one.toml", MODEL), ("proofs", "grows.py", PROOF)):
        pytester.mkdir(folder).joinpath(name).write_text(text)
    pytester.path.joinpath("models", "other.toml").write_text("[tool]\nname = 'not ours'\n")


def test_models_and_proofs_are_items_of_their_own(pytester: pytest.Pytester) -> None:
    """With the flag each model and each proof runs as one test."""
    _project(pytester)
    result = pytester.runpytest_subprocess("--model-check", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*explorer:one*PASSED*", "*z3:grows*PASSED*"])


def test_without_the_flag_they_are_skipped_with_that_reason(pytester: pytest.Pytester) -> None:
    """Nobody can take a plain run for a model check."""
    _project(pytester)
    result = pytester.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*checks of models and proofs run with --model-check*"])


def test_an_unexpected_verdict_fails_with_its_counterexample(pytester: pytest.Pytester) -> None:
    """A violated model fails the run and prints the steps."""
    broken = MODEL.replace("packets", 'rules = "delete_at_once"\npackets').replace(
        "witnesses = []", 'fragile = ["count.0"]\nmost_crashes = 1\nwitnesses = []'
    )
    pytester.mkdir("models").joinpath("broken.toml").write_text(broken)
    result = pytester.runpytest_inprocess("--model-check")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*expected holds; got violated*", "*world: Crash*"])


def test_a_limit_fails(pytester: pytest.Pytester) -> None:
    """INCONCLUSIVE is not a pass."""
    _project(pytester)
    result = pytester.runpytest_inprocess("--model-check", "--model-check-seconds", "0", "models")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*got inconclusive time limit of 0 s*"])


def test_a_malformed_model_is_one_clear_error(pytester: pytest.Pytester) -> None:
    """The error names file and key, without a traceback."""
    text = MODEL.replace('nf = "counter"', 'nf = "cuonter"')
    pytester.mkdir("models").joinpath("bad.toml").write_text(text)
    result = pytester.runpytest_inprocess("--model-check")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.toml: vertex *: unknown nf 'cuonter'*"])
