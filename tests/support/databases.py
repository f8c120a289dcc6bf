"""The place of a service's database: a file, or the URL of a Postgres."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import create_engine

from mcp_enrichment.service.db.postgres import open_postgres
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

    from mcp_enrichment.service.db.database import Database

Place = Path | str
"""A file, or a URL."""


def named(text: str) -> Place:
    """The place in a command-line argument."""
    return text if "://" in text else Path(text)


def open_place(place: Place, *, privacy_key: bytes | None = None) -> Database:
    """The database there; a file is created if it is missing."""
    if isinstance(place, Path):
        return open_sqlite(place, privacy_key=privacy_key)
    return open_postgres(place, privacy_key=privacy_key)


def engine_of(place: Place) -> Engine:
    """A plain engine for the database there, whatever its schema; a file's folder is created."""
    if isinstance(place, Path):
        place.parent.mkdir(exist_ok=True)
        return create_engine(f"sqlite:///{place}")
    return create_engine(place.replace("postgresql:", "postgresql+psycopg:"))


def rows(place: Place, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, read without the service. Each question mark stands for a value."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as file:
            return file.execute(query, values).fetchall()
    with psycopg.connect(place) as connection:
        return list(connection.execute(query.replace("?", "%s"), values or None).fetchall())


def dump_text(
    place: Place, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """The rows of a statement that the service ran, with the same values."""
    if isinstance(place, Path):
        return rows(place, statement, *values)
    with psycopg.connect(place) as connection:
        return list(connection.execute(statement, values).fetchall())


def change(place: Place, statement: str) -> None:
    """Change the database there, without the service."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as file, file:
            file.execute(statement)
    else:
        with psycopg.connect(place) as connection:
            connection.execute(statement)


def settings_of(place: Place) -> dict[str, str]:
    """The environment of a process that works there."""
    if isinstance(place, Path):
        return {"ENRICHMENT_DATA_DIR": str(place.parent)}
    return {"ENRICHMENT_DATABASE_URL": place}
