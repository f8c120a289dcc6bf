"""What the tests of the service share: where its database lies, a file or a Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.queue import procrastinate_worker
from tests.support import postgres
from tests.support.databases import open_place
from tests.support.release_patience import let_jobs_be_released

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_enrichment.service.db.database import Database
    from tests.support.databases import Place


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    let_jobs_be_released(monkeypatch.setattr)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's database file lies; nothing is there yet."""
    return tmp_path / "data" / "enrichment.db"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where a test's database lies: the test is run over both kinds.

    Tests of what wakes a fleet have the URL of their own, and its pause between two looks.
    """
    monkeypatch.setattr(procrastinate_worker, "POLL", 0.1)
    place: Place = request.getfixturevalue("path" if request.param == "sqlite" else "url")
    return place


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest) -> Place:
    """A place in which there is nothing yet, of both kinds."""
    place: Place = request.getfixturevalue("path" if request.param == "sqlite" else "empty_url")
    return place


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """The database there, open."""
    made = open_place(place)
    yield made
    made.close()


@pytest.fixture
def url(server: postgres.Server, template: str) -> Iterator[str]:
    """The URL of a migrated database on Postgres, for one test."""
    made = server.fresh(template)
    yield made
    server.drop(made)


@pytest.fixture
def empty_url(server: postgres.Server) -> Iterator[str]:
    """The URL of a database on Postgres in which there is nothing."""
    made = server.fresh()
    yield made
    server.drop(made)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A Postgres for all tests. Where there is none they are skipped, and in CI they fail."""
    with postgres.server(postgres.programs()) as running:
        yield running


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    """A migrated database that others are copied from."""
    return server.migrated()
