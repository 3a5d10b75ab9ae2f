"""What goes wrong on a connection, and is not a `TimeoutError` or another `OSError`."""


class OutOfStepError(Exception):
    """A reply does not fit its question: this connection answers somebody else and has to go."""


class BusyError(Exception):
    """Too much was under way before this one's turn came: the server is not to blame."""
