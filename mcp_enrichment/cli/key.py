"""Storing the API key in the system's keyring."""

from __future__ import annotations

import os
import sys

import click

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.contract.pasted_text import API_KEY_FORMAT, secret_problem, strip_invisible
from mcp_enrichment.credentials import system_keyring


@click.group()
def key() -> None:
    """The API key that the system's keyring keeps, one for each server.

    The server is that of ENRICHMENT_API_URL, or the vendor if it is not set.
    """


@key.command("set", options_metavar="")
@click.argument("arguments", nargs=-1, metavar="", type=click.UNPROCESSED)
def set_key(arguments: tuple[str, ...]) -> None:
    """Store a key: typed at a prompt, or read from stdin, but never an argument."""
    if arguments:  # click's own error would repeat it
        raise click.UsageError(
            "Do not pass a key as an argument: other users and the shell's history would see it. "
            "Run `mcp-enrichment key set` and paste it there. It is safest to replace this one."
        )
    url = load_settings().server_url
    if sys.stdin.isatty():
        typed = strip_invisible(click.prompt("API key", hide_input=True, err=True))
    else:
        typed = strip_invisible(sys.stdin.readline())
    if not API_KEY_FORMAT.fullmatch(typed):
        raise click.ClickException(
            "That is not an API key: it is empty, or holds a space or a character that no key has. "
            "Nothing was stored."
        )
    if fault := secret_problem(typed):
        raise click.ClickException(f"That is not an API key: {fault}. Nothing was stored.")
    system_keyring.store(url, typed)
    click.echo(f"Stored the key for {url} in the keyring.")
    for comes_first in ("ENRICHMENT_API_KEY", "ENRICHMENT_API_KEY_FILE"):
        if os.environ.get(comes_first):
            click.echo(f"{comes_first} is set too, and comes first: unset it.", err=True)


@key.command()
def forget() -> None:
    """Remove the key."""
    url = load_settings().server_url
    if not system_keyring.forget(url):
        raise click.ClickException(f"The keyring holds no key for {url}.")
    click.echo(f"Removed the key for {url} from the keyring.")
