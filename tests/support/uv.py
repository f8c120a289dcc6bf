"""uv as the tests use it: this Python, and the user's own cache."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from tests.support.optional_tools import needs_package


def uv_program() -> Path:
    """The program that is part of the development extra."""
    needs_package("uv", "dev")
    from uv import find_uv_bin

    return Path(find_uv_bin())


@functools.cache
def uv_environment() -> dict[str, str]:
    """The variables that a test sets before it moves its home."""
    cache = subprocess.run(
        [uv_program(), "cache", "dir"], check=True, capture_output=True, text=True
    ).stdout
    return {
        "UV_CACHE_DIR": cache.strip(),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
