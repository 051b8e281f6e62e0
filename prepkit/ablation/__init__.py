"""Which stage helps: with and without each, measured."""
