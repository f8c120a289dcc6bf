"""Running the service: the HTTP contract with its jobs, or its jobs alone; and migrating it."""

from __future__ import annotations

import gc
import logging
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import click

from mcp_enrichment.app.service import job_worker
from mcp_enrichment.app.service import migrate as migrate_database
from mcp_enrichment.cli.errors import load_server_settings, load_settings
from mcp_enrichment.cli.garbage_collection import GC_THRESHOLDS, frozen_imports
from mcp_enrichment.cli.otel import export_spans
from mcp_enrichment.service.db.migrate import HEAD

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.settings import Settings

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8700


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--no-jobs", is_flag=True, help="Leave the work to `mcp-enrichment worker`.")
def service(host: str, port: int, no_jobs: bool) -> None:
    """Serve the HTTP contract, with lookups and callbacks in the background.

    Callers need an API key: `mcp-enrichment teams add NAME`, then `… keys create NAME`.
    """
    from mcp_enrichment.cli.http_server import listening_socket  # a worker does without uvicorn

    gc.set_threshold(*GC_THRESHOLDS)
    settings = load_server_settings()
    with listening_socket(host, port) as listening, export_spans():
        anyio.run(_serve_contract, settings, listening, not no_jobs)


@click.command()
def worker() -> None:
    """Work on the lookups and callbacks of the services that use the same database.

    Any number of them may run. `mcp-enrichment service --no-jobs` serves without working.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    settings = load_server_settings()
    with export_spans():
        anyio.run(_run_worker, settings)


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema.

    On Postgres this is done once, before the processes of a new version are started. A SQLite file
    is migrated when it is opened.
    """
    migrate_database(load_settings())
    click.echo(f"The database is at revision {HEAD}.")


async def _serve_contract(settings: Settings, listening: socket.socket, jobs: bool) -> None:
    """Serve the contract until a signal arrives. Then finish open responses and release leases."""
    async with AsyncExitStack() as stack:
        with frozen_imports():
            from mcp_enrichment.app.console import service_app
            from mcp_enrichment.cli.doctor import service_findings
            from mcp_enrichment.cli.http_server import root_url, serve_app

            serving = service_app(settings, service_findings, jobs=jobs)
            app, shutdown = await stack.enter_async_context(serving)
        await serve_app(app, shutdown, listening, f"Serving on {root_url(listening)}")


async def _run_worker(settings: Settings) -> None:
    """Work until a signal arrives. Unfinished jobs are released after the grace period, or at the
    second signal."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with job_worker(settings) as shutdown:
            logger.setLevel(logging.INFO)  # this line is logged at every level
            logger.info("Working (Ctrl-C ends it)")
            await anext(signals)
            shutdown.begin()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cut, shutdown, signals)
                await shutdown.over()
                tasks.cancel_scope.cancel()


async def _cut(shutdown: GracefulShutdown, signals: AsyncIterator[signal.Signals]) -> None:
    await anext(signals)
    shutdown.cut()
