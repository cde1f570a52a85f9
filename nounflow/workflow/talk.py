"""What Snakemake says that helps nobody."""

import logging

_SCHEDULER = ("Select jobs to execute", "Execute ")  # --quiet all leaves these out, and errors with them
_SAID_EACH_SECOND = "Will exit after finishing currently running jobs"  # after SIGTERM, until they have ended


class LessTalk(logging.Filter):
    """Keeps the scheduler's lines out of quiet runs, and says once what would be repeated each second."""

    def __init__(self, quiet: bool) -> None:
        super().__init__()
        self._quiet, self._ending = quiet, False

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        message = record.getMessage()
        if message.startswith(_SAID_EACH_SECOND):
            ending, self._ending = self._ending, True
            return not ending
        return not (self._quiet and message.startswith(_SCHEDULER))
