"""The commands: the only place that prints or exits."""

from __future__ import annotations

import io
import sys
from importlib import import_module

import click

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.cli.errors import PlainErrors
from mcp_enrichment.cli.serve import serve_stdio

COMMANDS = {
    "callbacks": "callbacks.callbacks",
    "contacts": "contacts.contacts",
    "credits": "accounts.credits_group",
    "demo": "enrich.demo",
    "doctor": "doctor.doctor",
    "enrich": "enrich.enrich",
    "key": "key.key",
    "keys": "accounts.keys",
    "memory": "memory.memory",
    "migrate": "service.migrate",
    "privacy": "privacy.privacy",
    "serve": "serve.serve",
    "service": "service.service",
    "setup": "setup.setup",
    "sources": "sources.sources",
    "teams": "accounts.teams",
    "worker": "service.worker",
}
"""Each command, and the module and the name that it is imported from."""
EXAMPLES = """\b
Examples:
  mcp-enrichment                                    serve MCP over stdio
  mcp-enrichment demo                               try it on sample data
  mcp-enrichment setup claude-desktop               write its entry into a chat client
  mcp-enrichment doctor                             find what keeps it from working
  mcp-enrichment contacts import Connections.csv    import LinkedIn's export
  mcp-enrichment enrich https://www.linkedin.com/in/ada-okafor-example --type work
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
        module, _, name = COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


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


def _escape_unprintable() -> None:
    # The encoding of an output may lack characters, as in a pipe on Windows.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
