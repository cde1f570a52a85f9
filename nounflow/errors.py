"""The one exception that users see."""


class NounflowError(Exception):
    """A mistake or shortage that a user can mend: what happened, where, and the way out.

    The command line prints it without a traceback (see `nounflow.commandline`).
    """

    def __init__(self, what: str, *, where: object = None, fix: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


class DamagedFileError(NounflowError):
    """A file's bytes differ from what its manifest promises."""


class MismatchError(NounflowError):
    """Two things that must belong together (embedder, lexicon, dimension) do not."""
