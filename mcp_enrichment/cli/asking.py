"""Asking the service as the tools do, for a person at a terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from mcp_enrichment.cli.errors import settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.client.protocols import EnrichmentBackend

T = TypeVar("T")

logger = logging.getLogger(__name__)


def ask(work: Callable[[EnrichmentBackend], Awaitable[T]]) -> T:
    """What `work` comes to with the client of this process's settings.

    Raises `EnrichmentError`; a defect of ours is one too, and where it was raised is logged.
    """
    import anyio

    from mcp_enrichment.cli.serve import log_to_stderr
    from mcp_enrichment.compose import connected_on_first_use
    from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
    from mcp_enrichment.contract.errors import EnrichmentError

    chosen = settings()
    log_to_stderr(chosen)

    async def run() -> T:
        async with connected_on_first_use(chosen) as get_client:
            try:
                return await work(await get_client())
            except EnrichmentError:
                raise
            except Exception as defect:  # noqa: BLE001 (its text may hold personal data)
                logger.error("the command raised %s", safe_traceback(defect))  # noqa: TRY400 (without its text)
                raise UnexpectedError from None

    return anyio.run(run)
