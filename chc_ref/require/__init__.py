"""What correct means: the ideal chain and the requirements as predicates."""
