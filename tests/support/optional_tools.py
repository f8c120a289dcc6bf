"""Programs and packages that a developer may lack, and CI may not."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import NoReturn

import pytest


def needs_package(module: str, extra: str) -> None:
    """Skip the test if an extra is not installed; in CI, which installs all extras, fail it."""
    if find_spec(module) is None:
        do_without(f"needs the extra [{extra}]")


def needs_program(name: str) -> str:
    """The program's path; if the machine lacks it, as `needs_package`."""
    found = shutil.which(name)
    if found is None:
        do_without(f"needs {name} on the PATH")
    return found


def do_without(reason: str) -> NoReturn:
    """Skip the test; in CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI leaves nothing out: {reason}")
    pytest.skip(reason)
