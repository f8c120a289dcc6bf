"""From the start of the process to its tools/list answer, and to the answer of a first call sent
after it, relative to a bare SDK server with one tool.

Both are started in turn, several times, by clients with and without a handshake; prints the medians
and their ratios. Goal: the list in at most 0.7 times the bare server's time. Our call opens the
embedded service with a new database; the bare server's does nothing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROUNDS = 15
BARE = Path(__file__).parent / "bare_server.py"
COMMANDS = {"bare SDK": [str(BARE)], "mcp-enrichment": ["-m", "mcp_enrichment"]}
TOOLS = {"bare SDK": "nothing", "mcp-enrichment": "get_credits"}
LEGACY, MODERN = "2025-11-25", "2026-07-28"
HANDSHAKE = {
    "protocolVersion": LEGACY,
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
IN_EACH_REQUEST: dict[str, dict[str, Any]] = {LEGACY: {}, MODERN: {"_meta": ENVELOPE}}
TIMES = ("tools/list", "first call")


def main() -> None:
    """Print the medians and the ratio of each time in each version of the protocol."""
    starts: dict[tuple[str, str], list[tuple[float, float]]] = {
        (version, name): [] for version in IN_EACH_REQUEST for name in COMMANDS
    }
    for _ in range(ROUNDS + 1):
        for (version, name), times in starts.items():
            times.append(start(name, version))
    for version in IN_EACH_REQUEST:
        for number, what in enumerate(TIMES):
            bare, ours = (
                statistics.median(times[number] for times in starts[version, name][1:])
                for name in COMMANDS
            )
            print(
                f"{version} {what:10}  bare SDK {bare * 1000:5.0f} ms"
                f"  mcp-enrichment {ours * 1000:5.0f} ms  ratio {ours / bare:.2f}"
            )


def start(name: str, version: str) -> tuple[float, float]:
    """Start it once; return the seconds from the start to each of the two answers."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"ENRICHMENT_DATA_DIR": folder, "ENRICHMENT_STATE_DIR": folder}
        command = [sys.executable, *COMMANDS[name]]
        pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
        began = time.perf_counter()
        with subprocess.Popen(command, env=env, bufsize=0, **pipes) as process:
            if version == LEGACY:
                ask(process, "initialize", HANDSHAKE)
                send(process, {"method": "notifications/initialized"})
            assert ask(process, "tools/list", IN_EACH_REQUEST[version])["tools"]
            listed = time.perf_counter() - began
            call = {"name": TOOLS[name], "arguments": {}}
            assert ask(process, "tools/call", call | IN_EACH_REQUEST[version])["content"]
            called = time.perf_counter() - began
    return listed, called


def ask(process: subprocess.Popen[bytes], method: str, params: dict[str, Any]) -> Any:
    """Send a request and return its result."""
    send(process, {"id": method, "method": method, "params": params})
    assert process.stdout
    return json.loads(process.stdout.readline())["result"]


def send(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    """Send a message."""
    assert process.stdin
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


if __name__ == "__main__":
    main()
