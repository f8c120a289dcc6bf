"""A shell for each test, and one with contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import Shell, imported_by
from tests.cli.list_shell import ListShell
from tests.support.list_service import ListService

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell of a user who has not used the program before."""
    return Shell(tmp_path)


@pytest.fixture
def with_contacts(shell: Shell) -> Shell:
    """A shell of a user who has imported the sample."""
    imported_by(shell)
    return shell


@pytest.fixture
def lists(shell: Shell, vendor: ScriptedServer) -> ListShell:
    """A shell of a user who has a list, and a service of scripted lookups."""
    service = ListService()
    vendor.always(service)
    return ListShell(shell, vendor, service)
