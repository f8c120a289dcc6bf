"""Unexpected exceptions: the error for the caller, and the log line."""

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
    """An exception that is no `EnrichmentError`. The log has its traceback without its message."""

    code = "internal_error"
    charged = None
    explanation = Explanation(
        happened="mcp-enrichment failed unexpectedly.",
        money="It is not known whether a credit was charged.",
        for_person="Report it; the log on stderr says where it failed.",
        for_assistant="Do not call again with the same arguments: tell the user, and that the "
        "server's log on stderr says where it failed.",
    )


def safe_traceback(error: BaseException) -> str:
    """The class and the traceback. The message is left out: it may contain personal data."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}, most recent call last:\n{lines}"


@contextmanager
def log_and_continue(logger: logging.Logger, what: str) -> Iterator[None]:
    """Log an exception of the block after `what`, and suppress it: a background task goes on."""
    try:
        yield
    except StorageFailed as failure:
        logger.warning("%s: %s", what, failure.fault)
    except Exception as defect:  # noqa: BLE001 (a background task goes on)
        logger.error("%s: it raised %s", what, safe_traceback(defect))  # noqa: TRY400
