"""Shared by the commands: options, the form of the output, the database, and the client."""

from __future__ import annotations

import logging
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import anyio
import click

from mcp_enrichment.app.client import lazy_client, request_memory
from mcp_enrichment.app.service import open_database
from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.cli.logs import configure_logs
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
from mcp_enrichment.contract.errors import CommandError, EnrichmentError
from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.exports.open_text import Progress

P = ParamSpec("P")
T = TypeVar("T")
Command = TypeVar("Command", bound="Callable[..., object]")

logger = logging.getLogger(__name__)

team_option = click.option(
    "--team", default=DEFAULT_TEAM, show_default=True, help="Name of the team."
)


def limit_option(most: int = 100_000) -> Callable[[Command], Command]:
    """The option `--limit` of a list: how many lines are printed."""
    return click.option("--limit", default=50, show_default=True, type=click.IntRange(1, most))


def profile_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    """A click callback: canonicalize the URL of a profile, or reject it."""
    try:
        return None if url is None else canonical_profile_url(url)
    except ProfileURLError as error:
        raise click.BadParameter(error.advice) from error


def print_row(*cells: object) -> None:
    click.echo("\t".join(map(str, cells)))


def format_time(at: float | None) -> str:
    """A time in UTC for people, or `-`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def format_day(at: float | None) -> str:
    return format_time(at)[:10]


def format_seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def with_service_database(
    command: Callable[Concatenate[Database, P], None],
) -> Callable[P, None]:
    """Pass the database to a command that runs where the service runs. End it elsewhere."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if not load_settings().is_embedded:
            raise click.UsageError(
                "Run this where the service runs, with ENRICHMENT_API_KEY and ENRICHMENT_API_URL "
                "unset. If the keyring holds a key, run `mcp-enrichment key forget` first."
            )
        with local_database() as database:
            command(database, *args, **kwargs)

    return run


def local_database() -> closing[Database]:
    return closing(open_database(load_settings()))


def stored_requests() -> closing[RequestStore]:
    """The stored requests of the account that the settings name."""
    return closing(request_memory(load_settings()))


@contextmanager
def reading_bar() -> Iterator[Progress]:
    """A bar on stderr for the bytes that are read of a file."""
    with click.progressbar(length=1, label="Reading", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress


def call_with_client(work: Callable[[EnrichmentClient], Awaitable[T]]) -> T:
    """Run `work` with the client that the settings name, and return its result.

    Raises `EnrichmentError`, and a `CommandError` of `work`. A bug raises `UnexpectedError`, and
    its traceback is logged.
    """
    settings = load_settings()
    configure_logs(settings)

    async def run() -> T:
        async with lazy_client(settings) as get_client:
            try:
                return await work(await get_client())
            except (EnrichmentError, CommandError):
                raise
            except Exception as defect:  # noqa: BLE001 (its text may hold personal data)
                logger.error("the command raised %s", safe_traceback(defect))  # noqa: TRY400 (without its text)
                raise UnexpectedError from None

    return anyio.run(run)
