"""One lookup, for a person at a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from mcp_enrichment.cli.tool_calls import call_tool

NO_ADDRESS = 3
"""Exit code of a lookup that ended without an address."""
PATIENCE = 20
"""Waits of 50 seconds each before the command gives up; the lookup itself goes on."""


@click.command()
@click.argument("url")
@click.option("--type", "kind", type=click.Choice(["work", "personal"]), default="work")
@click.option("--refresh", is_flag=True, help="Look up again, even if there is an answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the tool's whole answer.")
def enrich(url: str, kind: str, refresh: bool, as_json: bool) -> None:
    """Find the email of the LinkedIn profile URL, and print it; stderr says so if nobody has
    verified it.

    Exit code 0: an address was found. 3: the lookup ended without one. 1: it could not be made.
    """
    asked = {"linkedin_url": url, "type": kind, "wait_seconds": 50, "force_refresh": refresh}
    answer = _final(call_tool("request_email_enrichment", asked))
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    elif answer["email"]:
        click.echo(answer["email"])
    if answer["next_step"] and not (as_json and answer["email"]):
        how = answer["verification"] or answer["status"]
        click.echo(f"{how}: {answer['next_step']}", err=True)
    if not answer["email"]:
        sys.exit(NO_ADDRESS)


def _final(answer: dict[str, Any]) -> dict[str, Any]:
    for _ in range(PATIENCE):
        if answer["is_final"]:
            break
        click.echo("still looking …", err=True)
        waited = call_tool("wait_for_enrichment", {"ids": answer["id"], "timeout_seconds": 50})
        answer = waited["enrichments"][0] | {"reused": answer["reused"]}
    return answer
