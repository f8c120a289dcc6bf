"""The commands: the only place that prints or exits."""

from __future__ import annotations

import io
import sys

import click

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.cli.callbacks import callbacks
from mcp_enrichment.cli.contacts import contacts
from mcp_enrichment.cli.credits import credits_group
from mcp_enrichment.cli.database import migrate
from mcp_enrichment.cli.demo import demo
from mcp_enrichment.cli.doctor import doctor
from mcp_enrichment.cli.enrich import enrich
from mcp_enrichment.cli.errors import PlainErrors
from mcp_enrichment.cli.key import key
from mcp_enrichment.cli.memory import memory
from mcp_enrichment.cli.privacy import privacy
from mcp_enrichment.cli.serve import serve, serve_stdio
from mcp_enrichment.cli.service import service, worker
from mcp_enrichment.cli.setup import setup
from mcp_enrichment.cli.sources import sources
from mcp_enrichment.cli.teams import keys, teams

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


@click.group(
    cls=PlainErrors,
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


_COMMANDS = (
    *(contacts, sources, credits_group, enrich, demo),
    *(setup, key, doctor),
    *(serve, service, worker, migrate, teams, keys, callbacks, memory, privacy),
)
for _command in _COMMANDS:
    main.add_command(_command)
