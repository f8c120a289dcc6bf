"""How an unexpected exception is logged: class and traceback, never its message."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator


def kind_and_place(defect: BaseException) -> str:
    """Its kind, and where it was raised. Its message is left out: that may hold personal data."""
    place = "".join(traceback.format_tb(defect.__traceback__))
    return f"{type(defect).__name__}, most recent call last:\n{place}"


@contextmanager
def survived(logger: logging.Logger, what: str) -> Iterator[None]:
    """For work that goes on for ever: what is raised here is logged after `what`, and ends here."""
    try:
        yield
    except StorageFailed as failure:
        logger.warning("%s: %s", what, failure.fault)
    except Exception as defect:  # noqa: BLE001 (one defect may not stop all other work)
        logger.error("%s: it raised %s", what, kind_and_place(defect))  # noqa: TRY400
