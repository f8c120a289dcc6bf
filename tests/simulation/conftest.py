"""The simulation runs on Linux only: its shared memory needs `memfd_create` and `mmap` of Linux."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simulation.disk import Disk

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    from tests.simulation.disk import Disk

    with closing(Disk(tmp_path, seed=1)) as disk:
        yield disk
