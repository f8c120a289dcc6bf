"""Calling the service through the client, for a person at a terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from mcp_enrichment.cli.errors import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.client.protocols import EnrichmentBackend

T = TypeVar("T")

logger = logging.getLogger(__name__)


def call_with_client(work: Callable[[EnrichmentBackend], Awaitable[T]]) -> T:
    """Run `work` with the client that the settings name, and return its result.

    Raises `EnrichmentError`. A bug raises `UnexpectedError`, and its traceback is logged.
    """
    import anyio

    from mcp_enrichment.app.client import lazy_client
    from mcp_enrichment.cli.logs import configure_logs
    from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
    from mcp_enrichment.contract.errors import EnrichmentError

    settings = load_settings()
    configure_logs(settings)

    async def run() -> T:
        async with lazy_client(settings) as get_client:
            try:
                return await work(await get_client())
            except EnrichmentError:
                raise
            except Exception as defect:  # noqa: BLE001 (its text may hold personal data)
                logger.error("the command raised %s", safe_traceback(defect))  # noqa: TRY400 (without its text)
                raise UnexpectedError from None

    return anyio.run(run)
