"""From the start of the process to its tools/list answer, relative to a bare SDK server with one
tool.

Both are started in turn, several times; prints the medians and their ratio. Goal: at most 1.25.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
BARE = Path(__file__).parent / "bare_server.py"
COMMANDS = {"bare SDK": [str(BARE)], "mcp-enrichment": ["-m", "mcp_enrichment"]}
PROTOCOL = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
ASK = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": PROTOCOL}}


def main() -> None:
    """Print both medians and the ratio."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            taken[name].append(seconds_to_list(command))
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name:15} {median * 1000:6.0f} ms")
    print(f"ratio           {medians['mcp-enrichment'] / medians['bare SDK']:6.2f} (goal: ≤ 1.25)")


def seconds_to_list(command: list[str]) -> float:
    """Start it once; return the seconds from the start to the whole answer line."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"ENRICHMENT_DATA_DIR": folder, "ENRICHMENT_STATE_DIR": folder}
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(ASK).encode() + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        taken = time.perf_counter() - began
        assert answer["result"]["tools"], answer
        process.stdin.close()
        process.wait(timeout=10)
    return taken


if __name__ == "__main__":
    main()
