"""The server as clients reach it, with the sample contacts and the profiles of the test mode."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.cli.commands import Shell, imported_by
from tests.over_http.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "mcp_enrichment"]
SETTINGS = {"SANDBOX": "1"}


@contextmanager
def over_stdio(folder: Path) -> Iterator[dict[str, Any]]:
    """A host's settings for a server that it starts itself."""
    shell = Shell(folder)
    imported_by(shell)
    environment = shell.environment(**SETTINGS)
    ours = {name: value for name, value in environment.items() if name.startswith("ENRICHMENT_")}
    yield {"command": COMMAND, "env": ours}


@contextmanager
def over_http(folder: Path) -> Iterator[dict[str, Any]]:
    """A host's settings for a server that runs on this machine."""
    imported_by(Shell(folder))
    with served(folder, HTTP_OPEN="true", **SETTINGS) as face:
        yield {"url": face.url}


TRANSPORTS = {"stdio": over_stdio, "http": over_http}
