"""What ends a command, and the exit status it ends with."""

ALL_FINE, FAILED, USAGE_ERROR = 0, 1, 2
SIGNALLED = 128  # plus the number of the signal, as shells have it


class UsageError(Exception):
    """What the user asked for cannot be done; the message says what to change."""
