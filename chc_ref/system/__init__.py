"""The components composed with channels and an environment into one transition system."""
