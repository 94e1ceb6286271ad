"""Protocol variants: small, named changes of rules."""
