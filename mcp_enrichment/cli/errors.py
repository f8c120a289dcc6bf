"""Errors of commands, also in settings, become one line on stderr and an exit code. No user sees a
traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mcp_enrichment import settings
from mcp_enrichment.contract.errors import CommandError, EnrichmentError

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

ExpectedError = EnrichmentError | CommandError | OSError
EXPECTED = (EnrichmentError, CommandError, OSError)


class PlainErrors(click.Group):
    """A group whose commands end with one sentence and exit code 1 for an expected error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the output is gone: click ends silently
        except EXPECTED as error:
            raise click.ClickException(_sentence(error)) from error
        except ExceptionGroup as group:
            foreseen = _expected_error(group)
            if foreseen is None:
                raise
            raise click.ClickException(_sentence(foreseen)) from group


def _expected_error(group: ExceptionGroup[Exception]) -> ExpectedError | None:
    """The first expected error in a group that task groups have raised."""
    found: ExceptionGroup[ExpectedError] | ExpectedError | None = group.subgroup(EXPECTED)
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found


def _sentence(error: ExpectedError) -> str:
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return f"{error.filename or 'A stream'} cannot be used: {why}."
    return error.to_person() if isinstance(error, EnrichmentError) else str(error)


def load_settings() -> Settings:
    """Load the settings. An invalid one ends the process with exit code 2 and its name."""
    try:
        return settings.load_settings()
    except settings.InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def load_server_settings() -> Settings:
    """Load and check the settings of a server or a worker, and configure its logs."""
    from mcp_enrichment.app.preflight import check_settings
    from mcp_enrichment.cli.logs import configure_json_logs

    loaded = load_settings()
    check_settings(loaded)
    configure_json_logs(loaded)
    return loaded
