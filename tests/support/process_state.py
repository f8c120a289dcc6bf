"""Prints as JSON what a process finds when it starts. Run it with `python -m`."""

from __future__ import annotations

import json
import os
import signal
import sys

import mcp_enrichment


def is_open(file: int) -> bool:
    """False of the one that listed the others."""
    try:
        os.fstat(file)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    found = {
        "arguments": sys.argv,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
        "parent": os.getppid(),
        "group": os.getpgrp(),
        "umask": os.umask(0),
        "open files": sorted(fd for fd in os.listdir("/proc/self/fd") if is_open(int(fd))),
        "streams": [
            (s.fileno(), s.mode, s.encoding, s.errors, s.line_buffering, s.write_through)
            for s in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "signals": {s.name: str(signal.getsignal(s)) for s in signal.Signals},
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "package": mcp_enrichment.__file__,
        "name": sys.modules["__main__"].__file__,
        "flags": list(sys.flags),
        "warnings": sys.warnoptions,
        "stdin": sys.stdin.read(),
    }
    print(json.dumps(found))
    print("ended", file=sys.stderr)
