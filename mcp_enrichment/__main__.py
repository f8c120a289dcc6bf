"""The command. A stdio server answers its client's first requests while it imports the rest."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_enrichment.mcp.stdio.early import EarlyAnswers


def main() -> None:
    """Run the command that the arguments name."""
    serves_stdio = sys.argv[1:] in ([], ["serve"])
    early = _start_to_answer() if serves_stdio else None
    from mcp_enrichment.cli import main as command  # noqa: PLC0415 (it takes most of the start)

    command(obj=early)


def _start_to_answer() -> EarlyAnswers | None:
    # Until there is state to clean up, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "win32":
        return None  # select cannot wait for a pipe there
    from mcp_enrichment.mcp.stdio.early import answer_early  # noqa: PLC0415 (not on Windows)

    return answer_early()


if __name__ == "__main__":
    main()
