"""Export: a counterexample as a picture, as text for other tools, and as a test."""
