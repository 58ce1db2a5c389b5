"""Errors a user can mend. Commands print them as one line and leave with their exit code."""

EXIT_OK, EXIT_USAGE, EXIT_BAD_INPUT, EXIT_PREEMPTED = 0, 2, 3, 42


class UserError(Exception):
    """What is wrong, in which file, and what to do about it, in one line."""

    exit_code = EXIT_BAD_INPUT


class InputError(UserError):
    """A file or value that cannot be used (exit code 3)."""


class UsageError(UserError):
    """A wrong or missing flag (exit code 2)."""

    exit_code = EXIT_USAGE
