"""The one exception that prepkit raises on purpose."""


class PrepkitError(ValueError):
    """Bad input or configuration; the message says what is wrong, where, and how to fix it."""
