"""The kit for proofs with Z3: obligations, verdicts, replay of counterexamples."""
