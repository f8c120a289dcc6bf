"""The commands: the only place that prints or exits."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

import click

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.cli.errors import PlainErrors
from mcp_enrichment.cli.serve import serve_stdio

COMMANDS = {
    "callbacks": ("callbacks.callbacks", "Show callbacks, and deliver failed ones again."),
    "console": (
        "console.console",
        "Look at the embedded service in a browser, and act on it.",
    ),
    "contacts": ("contacts.contacts", "Import your own contacts, the first source of addresses."),
    "credits": ("accounts.credits_group", "Show the credits that are left, and grant some."),
    "demo": ("enrich.demo", "Try it on sample data: nothing of yours is read or written."),
    "doctor": ("doctor.doctor", "Find what keeps it from working."),
    "enrich": ("enrich.enrich", "Find the email of a LinkedIn profile, or those of a list."),
    "key": ("key.key", "Keep the API key in the system's keyring."),
    "keys": ("accounts.keys", "Create, list and revoke the API keys of teams."),
    "memory": ("memory.memory", "Show and forget past requests, which are not paid for again."),
    "migrate": ("service.migrate", "Bring the database to this version's schema."),
    "privacy": ("privacy.privacy", "Suppress, erase or export a person."),
    "serve": ("serve.serve", "Serve MCP on stdin and stdout, or over HTTP."),
    "service": ("service.service", "Serve the HTTP contract."),
    "setup": ("setup.setup", "Write the entry of this server into a chat client."),
    "sources": ("sources.sources", "Show, check and compare the sources of addresses."),
    "teams": ("accounts.teams", "Create and list the teams that share this service."),
    "worker": ("service.worker", "Run the lookups and callbacks of a service on Postgres."),
}
"""Each command: the module and the name that it is imported from, and its line in the help."""
EXAMPLES = """\b
Examples:
  mcp-enrichment                                    serve MCP over stdio
  mcp-enrichment demo                               try it on sample data
  mcp-enrichment setup claude-desktop               write its entry into a chat client
  mcp-enrichment doctor                             find what keeps it from working
  mcp-enrichment contacts import Connections.csv    import LinkedIn's export
  mcp-enrichment enrich https://www.linkedin.com/in/ada-okafor-example --type work
  mcp-enrichment enrich people.csv --out found.csv  look up a list
  mcp-enrichment serve --http                       serve MCP to a team, over HTTP
  mcp-enrichment service                            serve the HTTP contract
"""


class Commands(PlainErrors):
    """Imports a command when it is used, so that the server on stdio starts without the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(".")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table's lines: click's own would import every command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.pass_context
def main(context: click.Context) -> None:
    """Find the work or personal email of a LinkedIn profile, for AI assistants.

    Without a command it is an MCP server on stdin and stdout, for a chat client to start. Settings
    are environment variables; the README lists them.
    """
    _escape_unprintable()
    if context.invoked_subcommand is None:
        serve_stdio(context.obj)
    elif context.invoked_subcommand != "serve":  # which refuses to serve MCP on a closed stream
        _replace_closed_streams()


def _replace_closed_streams() -> None:
    """Read nothing from a stream that is closed (`<&-`), and write to one as to the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for the process)


def _escape_unprintable() -> None:
    # The encoding of an output may lack characters, as in a pipe on Windows.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
