"""How the tool ends when it cannot go on. The numbers are ./caisson's exit statuses."""

OK = 0
VM_CRASHED = 1
BAD_USAGE = 2
CANNOT_START = 3


class Failure(Exception):
    """Ends the command with `status` after printing the message on standard error."""

    status = CANNOT_START


class UsageError(Failure):
    """Bad usage or configuration. The message quotes what was typed."""

    status = BAD_USAGE


class CannotStart(Failure):
    """Something could not be installed, fetched, built or started."""


class Errors:
    """What checks complain to: the first error is raised, or all are kept (--check)."""

    def __init__(self, keep: bool = False):
        self._keep = keep
        self.kept: list[UsageError] = []

    def add(self, error: UsageError) -> None:
        if not self._keep:
            raise error from None
        self.kept.append(error)


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum
