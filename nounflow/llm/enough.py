"""Whether what a language model answered is enough to go on with: the same stop for all stages that ask one."""

from __future__ import annotations

from collections.abc import Mapping

from nounflow.errors import NounflowError


def refuse_too_little(
    gained: Mapping[str, int], reasons: Mapping[str, int], readable: int, unreadable: int, where: str
) -> None:
    """Stop a stage whose model gave nothing that is of use, or mostly answers that cannot be read.

    Args:
        gained: what was wanted ("caption passed the checks") -> how many there are; one entry.
        reasons: why there are no more -> how often.
        readable: answers, as `unreadable`.

    Raises:
        NounflowError: it is too little; the answers are in the ledger.
    """
    ((wanted, n),) = gained.items()
    fault = ""
    if not n:
        commonest = max(reasons, key=reasons.__getitem__, default="nothing was answered")
        fault = f"Not one {wanted}; the commonest reason: {commonest}"
    elif unreadable > readable:
        fault = f"Most answers cannot be read ({unreadable:,}, against {readable:,} that can)"
    if fault:
        raise NounflowError(
            fault,
            where=where,
            fix="read the answers in the ledger, mend the settings or try another model, and run the same command",
        )
