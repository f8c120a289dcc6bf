"""What several commands take."""

from __future__ import annotations

import click

from mcp_enrichment.contract.defaults import DEFAULT_TEAM

team_option = click.option(
    "--team", default=DEFAULT_TEAM, show_default=True, help="Name of the team."
)


def profile_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    """The callback of what takes a profile's URL: it is made canonical, or refused."""
    from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url

    try:
        return None if url is None else canonical_profile_url(url)
    except ProfileURLError as refusal:
        raise click.BadParameter(refusal.advice) from refusal
