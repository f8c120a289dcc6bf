"""Listing and forgetting the stored requests."""

from __future__ import annotations

import anyio
import click

from mcp_enrichment.cli.common import (
    format_time,
    limit_option,
    print_row,
    profile_url,
    stored_requests,
)
from mcp_enrichment.client.state.records import dedup_key
from mcp_enrichment.contract.models import EmailType


@click.group()
def memory() -> None:
    """The memory of past requests, which keeps you from paying twice."""


@memory.command()
@limit_option()
def show(limit: int) -> None:
    """List the requests of this account, the newest first. Only hashes of people are stored."""
    with stored_requests() as store:
        newest = anyio.run(store.newest, limit)
    for request in newest:
        asked = f"asked {format_time(request.asked_at)}"
        ended = f"ended {format_time(request.ended_at)}"
        outcome = request.status or request.state
        print_row(request.enrichment_id or "-", request.type, outcome, asked, ended)


@memory.command()
@click.argument("url", callback=profile_url)
def forget(url: str) -> None:
    """Forget the requests about the profile URL: the next one may cost a credit."""
    with stored_requests() as store:
        these = [dedup_key(store.account, url, email_type) for email_type in EmailType]
        click.echo(f"Forgot {anyio.run(store.forget, these)}.")


@memory.command()
@click.confirmation_option(prompt="Forget every request of every account?")
def clear() -> None:
    """Forget all requests. The credits spent today stay counted."""
    with stored_requests() as store:
        click.echo(f"Forgot {anyio.run(store.clear)}.")
