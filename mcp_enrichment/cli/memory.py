"""What was asked before: showing it, and forgetting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.arguments import of_profile
from mcp_enrichment.cli.errors import settings
from mcp_enrichment.cli.text import when

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

    from mcp_enrichment.compose import memory_of

    newest: Sequence[RequestRecord] = anyio.run(memory_of(settings()).newest, limit)
    for asked in newest:
        end = asked.status or asked.state
        click.echo(
            f"{asked.enrichment_id or '-'}\t{asked.type}\t{end}\t"
            f"asked {when(asked.asked_at)}\tended {when(asked.ended_at)}"
        )


@memory.command()
@click.argument("url", callback=of_profile)
def forget(url: str) -> None:
    """Forget what was asked about the profile URL: the next request may cost a credit."""
    import anyio

    from mcp_enrichment.client.state.records import dedup_key
    from mcp_enrichment.compose import memory_of
    from mcp_enrichment.contract.models import EmailType

    kept = memory_of(settings())
    forgotten = anyio.run(kept.forget, [dedup_key(kept.account, url, kind) for kind in EmailType])
    click.echo(f"Forgot {forgotten}.")


@memory.command()
@click.confirmation_option(prompt="Forget every request of every account?")
def clear() -> None:
    """Forget everything that was asked. What was spent today stays counted."""
    import anyio

    from mcp_enrichment.compose import memory_of

    click.echo(f"Forgot {anyio.run(memory_of(settings()).clear)}.")
