"""What a developer may do without, and CI may not."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import NoReturn

import pytest


def needs_package(module: str, extra: str) -> None:
    """Skip the test where an extra is not installed, and fail it in CI, which installs all."""
    if find_spec(module) is None:
        do_without(f"needs the extra [{extra}]")


def needs_program(name: str) -> str:
    """The program's path; as `needs_package` where the machine does not have it."""
    found = shutil.which(name)
    if found is None:
        do_without(f"needs {name} on the PATH")
    return found


def do_without(reason: str) -> NoReturn:
    """Skip the test, and fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI leaves nothing out: {reason}")
    pytest.skip(reason)
