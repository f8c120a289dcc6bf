"""Listing and forgetting the stored requests."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import format_time, profile_url
from mcp_enrichment.cli.errors import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.client.state.records import RequestRecord


@click.group()
def memory() -> None:
    """The memory of past requests, which keeps you from paying twice."""


@memory.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
def show(limit: int) -> None:
    """List what was asked on this account, the newest first. Whom it was about is not stored."""
    import anyio

    from mcp_enrichment.app.client import request_memory

    with closing(request_memory(load_settings())) as kept:
        newest: Sequence[RequestRecord] = anyio.run(kept.newest, limit)
    for request in newest:
        end = request.status or request.state
        click.echo(
            f"{request.enrichment_id or '-'}\t{request.type}\t{end}\t"
            f"asked {format_time(request.asked_at)}\tended {format_time(request.ended_at)}"
        )


@memory.command()
@click.argument("url", callback=profile_url)
def forget(url: str) -> None:
    """Forget what was asked about the profile URL: the next request may cost a credit."""
    import anyio

    from mcp_enrichment.app.client import request_memory
    from mcp_enrichment.client.state.records import dedup_key
    from mcp_enrichment.contract.models import EmailType

    with closing(request_memory(load_settings())) as kept:
        forgotten = anyio.run(
            kept.forget, [dedup_key(kept.account, url, email_type) for email_type in EmailType]
        )
    click.echo(f"Forgot {forgotten}.")


@memory.command()
@click.confirmation_option(prompt="Forget every request of every account?")
def clear() -> None:
    """Forget everything that was requested. What was spent today stays counted."""
    import anyio

    from mcp_enrichment.app.client import request_memory

    with closing(request_memory(load_settings())) as kept:
        click.echo(f"Forgot {anyio.run(kept.clear)}.")
