"""What several commands share: options, formats, the database, and the client."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.contract.defaults import DEFAULT_TEAM

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mcp_enrichment.client.protocols import EnrichmentBackend
    from mcp_enrichment.service.db.database import Database


T = TypeVar("T")

logger = logging.getLogger(__name__)

team_option = click.option(
    "--team", default=DEFAULT_TEAM, show_default=True, help="Name of the team."
)


def profile_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    """A click callback: canonicalize the URL of a profile, or reject it."""
    from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url

    try:
        return None if url is None else canonical_profile_url(url)
    except ProfileURLError as error:
        raise click.BadParameter(error.advice) from error


def format_time(at: float | None) -> str:
    """A time in UTC for people, or `-`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


@contextmanager
def service_database() -> Iterator[Database]:
    """The database, for a command that runs where the service runs. Ends the command elsewhere."""
    _require_local()
    with local_database() as database:
        yield database


@contextmanager
def local_database() -> Iterator[Database]:
    """The database of the local service."""
    from mcp_enrichment.app.service import open_database

    database = open_database(load_settings())
    try:
        yield database
    finally:
        database.close()


def _require_local() -> None:
    """End the command if the settings name a service elsewhere."""
    if not load_settings().is_embedded:
        raise click.UsageError(
            "Run this where the service runs, with ENRICHMENT_API_KEY and ENRICHMENT_API_URL "
            "unset. If the keyring holds a key, run `mcp-enrichment key forget` first."
        )


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
