"""The one exception that users cause and can mend."""


class VadlocError(Exception):
    """Input, config or artifact that cannot be used.

    The message is one line for the person at the keyboard: what was found and where (file, key,
    frame), what was expected, what to do. Commands print it without a traceback and exit with 1.
    """


class UsageError(VadlocError):
    """An unusable argument or config: commands exit with 2."""
