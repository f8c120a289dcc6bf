"""Shared by the examples: the server with the sample contacts, in a temporary folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = "mcp-enrichment"
"""The server, which need not be installed in the agent's own environment."""
CONTACTS = Path(__file__).parents[1] / "mcp_enrichment" / "data" / "Connections.csv"
QUESTION = "What is the work email of https://www.linkedin.com/in/ada-okafor-example ?"
TOOL = "request_email_enrichment"
ARGUMENTS = {"linkedin_url": "https://www.linkedin.com/in/ada-okafor-example", "type": "work"}
"""The tool call that a model makes for the question. The scripted models make only this call."""


@contextmanager
def environment_with_contacts() -> Iterator[dict[str, str]]:
    """An environment in which the server has the sample contacts and no data of the user."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ENRICHMENT_")}
        environment = kept | {
            "ENRICHMENT_DATA_DIR": str(Path(folder, "data")),
            "ENRICHMENT_STATE_DIR": str(Path(folder, "state")),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        imports = [COMMAND, "contacts", "import", str(CONTACTS)]
        subprocess.run(imports, env=environment, check=True, capture_output=True)
        yield environment
