"""A shell for each test, and one with contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import Shell, imported_by

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell of a user who has not used the program before."""
    return Shell(tmp_path)


@pytest.fixture
def with_contacts(shell: Shell) -> Shell:
    """A shell of a user who has imported the sample."""
    imported_by(shell)
    return shell
