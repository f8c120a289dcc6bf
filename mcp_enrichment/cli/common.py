"""Options and formats that several commands share."""

from __future__ import annotations

import click

from mcp_enrichment.contract.defaults import DEFAULT_TEAM

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
