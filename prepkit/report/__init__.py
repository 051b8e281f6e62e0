"""Only drawing, no computing."""
