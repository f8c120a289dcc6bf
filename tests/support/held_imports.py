"""The command, whose import of the MCP SDK waits until the file that GATE names can be read.

The file is a FIFO: it can be read once the test has opened it for writing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from mcp_enrichment.__main__ import main


class Gate:
    """Finds nothing, and waits at the first import of the SDK."""

    def find_spec(self, name: str, *_where: Any) -> None:
        if name == "mcp":
            sys.meta_path.remove(self)
            with open(os.environ["GATE"], "rb"):
                pass


if __name__ == "__main__":
    sys.meta_path.insert(0, Gate())
    main()
