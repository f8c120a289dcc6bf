"""Writing our entry into the configuration of a chat client."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.setup import config_file
from mcp_enrichment.setup.clients import CLIENTS, Machine
from mcp_enrichment.setup.entry import (
    first_missing_key,
    has_entry,
    holds_secrets,
    is_secret,
    kept_variables,
    launch_command,
    new_entry,
    settings_to_pass_on,
    with_entry,
    without_entry,
    without_secrets,
)
from mcp_enrichment.setup.formats import JSON, ConfigHasComments, UnreadableConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.setup.clients import ChatClient
    from mcp_enrichment.setup.config_file import ConfigFile

REDACTED = "(not shown)"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, of a used-up quota, and of a file that may not grow."""


@click.command()
@click.argument("client", type=click.Choice(list(CLIENTS)))
@click.option("--print", "only_print", is_flag=True, help="Show the entry, and change nothing.")
@click.option("--undo", is_flag=True, help="Remove the entry.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A configuration other than your own, such as a project's .cursor/mcp.json.",
)
@click.option(
    "--with-key/--without-key",
    default=None,
    help="Whether to write keys and other secrets that are set into the configuration.",
)
def setup(
    client: str, only_print: bool, undo: bool, config: Path | None, with_key: bool | None
) -> None:
    """Write the entry that starts this server into the configuration of a chat CLIENT.

    Everything else in the file stays as it is, and a copy of it is kept beside it. Settings that
    are set in the environment go into the entry, except keys and other secrets: keep the key with
    `mcp-enrichment key set`, or in a file that ENRICHMENT_API_KEY_FILE names.
    """
    chosen = CLIENTS[client]
    if undo and only_print:
        raise click.UsageError("--print changes nothing, and --undo does: give one of them.")
    if undo:
        _undo(chosen, config)
    elif only_print:
        _print(chosen, _entry(chosen, with_key=with_key))
    else:
        _set_up(chosen, config, with_key=with_key)


def _print(client: ChatClient, entry: dict[str, Any]) -> None:
    if environment := entry.get(client.environment):
        shown = {name: REDACTED if is_secret(name, v) else v for name, v in environment.items()}
        entry = entry | {client.environment: shown}
    click.echo(with_entry(client, None, entry), nl=False)


def _set_up(client: ChatClient, config: Path | None, *, with_key: bool | None) -> None:
    with _configuration(client, config) as file:
        _require_editable(client, file)
        entry = _entry(client, with_key=with_key)
        before = file.text or ""
        if with_key is False:
            before = without_secrets(client, before)
        text = with_entry(client, before, entry)
        if still := kept_variables(client, text, entry):
            click.echo(f"The entry goes on to set {', '.join(still)}, as it did before.", err=True)
        if with_key is False:
            _remove_secrets_from_backup(client, file)
        if text.encode() == file.content:
            click.echo(f"{file.path} has the entry already.")
        else:
            _write(client, file, text, before=before, entry=entry)


def _write(
    client: ChatClient, file: ConfigFile, text: str, *, before: str, entry: dict[str, Any]
) -> None:
    """Write the text. `before`: what is kept of the file, unless a copy from before our first
    change is there."""
    backup, kept = None, "as it was"
    if not has_entry(client, file.text) or file.backup_text() is None:
        backup = file.content or b""
        if before != (file.text or ""):
            backup, kept = before.encode(), "as it was, without its keys,"
    file.change(text.encode(), backup=backup, private=holds_secrets(client, entry))
    click.echo(f"Wrote the server {client.path[-1]!r} into {file.path}")
    if file.content is not None:
        click.echo(f"The file {kept} is kept in {file.backup}; --undo goes back to it.")
    click.echo(f"Restart {client.title} to use it.")


def _remove_secrets_from_backup(client: ChatClient, file: ConfigFile) -> None:
    kept = file.backup_text() or ""
    try:
        clean = without_secrets(client, kept)
    except UnreadableConfig as fault:
        raise click.ClickException(
            f"{file.backup} cannot be read, and may hold a key. Nothing was changed. Delete it, "
            "and try again."
        ) from fault
    if clean != kept:
        file.write_backup(clean.encode())


def _require_editable(client: ChatClient, file: ConfigFile) -> None:
    """Check that the file can be changed, before any other question. A file with comments is left
    to its owner, and the entry is printed."""
    try:
        client.format.load_editable(file.text or "")
    except ConfigHasComments:
        _print(client, _entry(client, with_key=False))
        raise


def _undo(client: ChatClient, config: Path | None) -> None:
    with _configuration(client, config, by_hand="remove the entry by hand") as file:
        if file.text is None or not has_entry(client, file.text):
            raise click.ClickException(
                f"{file.path} has no entry for this server. Nothing was changed."
            )
        before = file.backup_text()
        text = without_entry(client, file.text, before)
        if before is not None and text == (before or None):
            file.restore()
        else:
            file.change(None if text is None else text.encode())
    click.echo(f"Removed the server {client.path[-1]!r} from {file.path}")


def _entry(client: ChatClient, *, with_key: bool | None) -> dict[str, Any]:
    chosen = load_settings()
    environment = settings_to_pass_on(chosen)
    secrets = [name for name, value in environment.items() if is_secret(name, value)]
    if secrets and with_key is None:
        raise click.UsageError(
            f"{' and '.join(secrets)} {'are' if secrets[1:] else 'is'} set. Pass --with-key to "
            "write that into the configuration, where other programs can read it, or "
            "--without-key; `mcp-enrichment key set` keeps a key safer."
        )
    if secrets and not with_key:
        environment = {name: v for name, v in environment.items() if name not in secrets}
        click.echo(f"Left out: {', '.join(secrets)}.", err=True)
    if missing := first_missing_key(chosen, environment):
        raise click.UsageError(
            f"The server cannot start without {missing}, which ENRICHMENT_SOURCES needs. Name a "
            f"file that holds it in {missing}_FILE, or pass --with-key."
        )
    return new_entry(client, launch_command(), environment)


@contextmanager
def _configuration(
    client: ChatClient, config: Path | None, *, by_hand: str = "add by hand what --print shows"
) -> Iterator[ConfigFile]:
    """The client's configuration. Errors of reading and writing it become one sentence."""
    machine = Machine(platform=sys.platform, home=Path.home(), environment=os.environ)
    try:
        path = config or client.file(machine)
        yield config_file.read(path)
    except UnreadableConfig as fault:
        is_readable = isinstance(fault, ConfigHasComments) and client.format is JSON
        reader = "can be changed without loss" if is_readable else f"{client.title} reads"
        raise click.ClickException(
            f"{path} is not the {client.format.name} that {reader}: {fault}. "
            f"Nothing was changed. Correct it, or {by_hand}."
        ) from fault
    except OSError as error:
        problem, remedy = "cannot be read or written", "Make it and its folder writable"
        if error.errno in FULL:
            problem, remedy = "cannot be written, as the disk is full", "Free space and try again"
        raise click.ClickException(
            f"The configuration of {client.title} {problem}. Nothing was changed. {remedy}."
        ) from error
