"""The database of a service test: an SQLite file or a Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.db.migrate import upgrade
from mcp_enrichment.service.queue import procrastinate_worker
from tests.support import postgres
from tests.support.databases import engine_of, open_place
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
    """The path of the test's database file, which does not exist yet."""
    return tmp_path / "data" / "enrichment.db"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The test's database. The test runs twice: with an SQLite file, and on Postgres.

    Workers on Postgres poll often. Tests of NOTIFY use `url` and set their own pause.
    """
    monkeypatch.setattr(procrastinate_worker, "POLL", 0.1)
    place: Place = request.getfixturevalue("file" if request.param == "sqlite" else "url")
    return place


@pytest.fixture
def file(path: Path, migrated: bytes) -> Path:
    """A migrated database file, for one test."""
    path.parent.mkdir(mode=0o700, parents=True)
    path.touch(mode=0o600)
    path.write_bytes(migrated)
    return path


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a migrated database file."""
    path = tmp_path_factory.mktemp("migrated") / "enrichment.db"
    engine = engine_of(path)
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
    return path.read_bytes()


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest) -> Place:
    """An empty place: a path without a file, and a Postgres database without tables."""
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
    """The URL of an empty database on Postgres."""
    made = server.fresh()
    yield made
    server.drop(made)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A Postgres for all tests. If it is not installed, they are skipped, and in CI they fail."""
    with postgres.server(postgres.programs()) as running:
        yield running


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    """A migrated database from which others are copied."""
    return server.migrated()
