"""An unexpected exception: the error that a caller gets, and how it is logged."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import PermanentError, StorageFailed
from mcp_enrichment.contract.explanation import Explanation

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator


class UnexpectedError(PermanentError):
    """A defect of ours: what it is stands in the log, without the text that it came with."""

    code = "internal_error"
    charged = None
    explanation = Explanation(
        happened="mcp-enrichment failed unexpectedly.",
        money="It is not known whether a credit was charged.",
        for_person="Report it; the log on stderr says where it failed.",
        for_assistant="Do not call again with the same arguments: tell the user, and that the "
        "server's log on stderr says where it failed.",
    )


def safe_traceback(defect: BaseException) -> str:
    """Its kind, and where it was raised. Its message is left out: that may hold personal data."""
    place = "".join(traceback.format_tb(defect.__traceback__))
    return f"{type(defect).__name__}, most recent call last:\n{place}"


@contextmanager
def log_and_continue(logger: logging.Logger, what: str) -> Iterator[None]:
    """For work that goes on for ever: what is raised here is logged after `what`, and ends here."""
    try:
        yield
    except StorageFailed as failure:
        logger.warning("%s: %s", what, failure.fault)
    except Exception as defect:  # noqa: BLE001 (one defect may not stop all other work)
        logger.error("%s: it raised %s", what, safe_traceback(defect))  # noqa: TRY400
