"""Working on lookups and callbacks, beside the processes that serve."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.settings import Settings

logger = logging.getLogger(__name__)


@click.command()
def worker() -> None:
    """Work on the lookups and callbacks of the services that use the same database.

    Any number of them may run. `mcp-enrichment service --no-jobs` serves without working.
    """
    import anyio

    from mcp_enrichment.app.preflight import check_settings
    from mcp_enrichment.cli.logs import configure_json_logs
    from mcp_enrichment.cli.otel import export_spans

    chosen = load_settings()
    check_settings(chosen)
    configure_json_logs(chosen)
    with export_spans():
        anyio.run(_run_worker, chosen)


async def _run_worker(chosen: Settings) -> None:
    """Work until told to end; what is not finished in time is given back, at once if told again."""
    import anyio

    from mcp_enrichment.app.service import job_worker

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as told_to_end:
        async with job_worker(chosen) as shutdown:
            logger.setLevel(logging.INFO)  # whoever starts it looks for this line, at every level
            logger.info("Working (Ctrl-C ends it)")
            await anext(told_to_end)
            shutdown.begin()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cut, shutdown, told_to_end)
                await shutdown.over()
                tasks.cancel_scope.cancel()


async def _cut(shutdown: GracefulShutdown, told_again: AsyncIterator[signal.Signals]) -> None:
    await anext(told_again)
    shutdown.cut()
