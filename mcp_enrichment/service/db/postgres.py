"""The database on Postgres: the same SQL, with psycopg, in as many threads as connections."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.database import BUSY_TIMEOUT, READERS, Database, run_write
from mcp_enrichment.service.db.errors import is_conflict
from mcp_enrichment.service.db.migrate import require_head, upgrade
from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms, pin_key, store_new_key, stored_key
from mcp_enrichment.service.queue import procrastinate_queue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from psycopg import AsyncConnection
    from sqlalchemy import Connection, Engine

T = TypeVar("T")
logger = logging.getLogger(__name__)

WRITERS = 4
"""Writes that one process has under way at once. Its pool has a connection for each, and for each
of `READERS`: more keep a server of few cores no busier."""
NETWORK: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""The times after which a server that does not respond counts as gone: seconds, the last one
milliseconds."""
RECONNECT_EVERY = 0.5
"""Seconds between two attempts to listen while the database cannot be reached."""
_MIGRATING = 0x6D637065  # "mcpe": names the lock that one migration holds


def open_postgres(url: str, *, privacy_key: bytes | None = None) -> Database:
    """Open the database that a libpq URL names.

    `privacy_key`: of the suppression list; None for the one that the database keeps. Raises
    `StorageFailed` if the URL is none, the database cannot be reached, its suppression list was
    made with another key, or `mcp-enrichment migrate` is due: several processes use it, and none
    of them may change it under the others.
    """
    engine = engine_of(url)
    try:
        pseudonyms = _run_first(engine, partial(_load_pseudonyms, privacy_key=privacy_key))
    except BaseException:
        engine.dispose()
        raise
    return Database(
        engine,
        pseudonyms,
        # Each statement sees every commit before it, in a transaction or not.
        reads=engine.execution_options(isolation_level="AUTOCOMMIT"),
        snapshots=engine.execution_options(isolation_level="REPEATABLE READ"),
        queue=procrastinate_queue,
        writers=WRITERS,
        may_run_again=is_conflict,
        listen=partial(listen, url),
    )


async def listen(url: str, channel: str) -> AsyncGenerator[str | None, None]:
    """The payloads of a channel's notifications, for ever; None if some may have been missed."""
    from psycopg import OperationalError  # noqa: PLC0415 (the extra may not be installed)

    is_logged = False
    while True:
        try:
            async with _listening(url, channel) as connection:
                is_logged = False
                yield None
                async for notice in connection.notifies():
                    yield notice.payload
        except OperationalError:
            if not is_logged:
                logger.warning("the database sends no notifications; it is polled meanwhile")
            is_logged = True
        await anyio.sleep(RECONNECT_EVERY)


@asynccontextmanager
async def _listening(url: str, channel: str) -> AsyncIterator[AsyncConnection]:
    from psycopg import AsyncConnection  # noqa: PLC0415 (the extra may not be installed)

    connection = await AsyncConnection.connect(
        url, autocommit=True, application_name=f"{PROGRAM}-notifications", **NETWORK
    )
    try:
        await connection.execute(f"LISTEN {channel}")
        yield connection
    finally:
        # Its own context manager sends a message first, which a cancelled task cannot.
        with anyio.CancelScope(shield=True):
            await connection.close()


def migrate_postgres(url: str) -> None:
    """Bring the database to this version's schema. Raises `StorageFailed`."""
    engine = engine_of(url)
    try:
        _run_first(engine, _upgrade)
    finally:
        engine.dispose()


def _run_first(engine: Engine, work: Callable[[Connection], T]) -> T:
    with unreachable_as_not_found():
        return run_write(engine, work)


@contextmanager
def unreachable_as_not_found() -> Iterator[None]:
    """Translate `UNREACHABLE` to `NOT_FOUND`, for the first connection to a URL: a database that
    cannot be reached may not exist."""
    try:
        yield
    except StorageFailed as failure:
        if failure.fault is StorageFault.UNREACHABLE:
            raise StorageFailed(StorageFault.NOT_FOUND) from failure
        raise


def _upgrade(connection: Connection) -> None:
    _lock_migrations(connection)
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    upgrade(connection)
    store_new_key(connection)


def _load_pseudonyms(connection: Connection, *, privacy_key: bytes | None) -> Pseudonyms:
    require_head(connection)
    if privacy_key is None:
        return Pseudonyms(stored_key(connection))
    _lock_migrations(connection)
    pseudonyms = Pseudonyms(privacy_key)
    pin_key(connection, pseudonyms)
    return pseudonyms


def _lock_migrations(connection: Connection) -> None:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))


def engine_of(url: str) -> Engine:
    """The engine of the database at this URL. It and each of its connections raise
    `StorageFailed`."""
    try:
        import psycopg  # noqa: PLC0415 (the extra may not be installed)
    except ModuleNotFoundError as missing:
        raise StorageFailed(StorageFault.NO_DRIVER) from missing

    def connect() -> psycopg.Connection[Any]:
        try:
            connection = psycopg.connect(url, **NETWORK, application_name=PROGRAM)
        except psycopg.ProgrammingError as no_url:
            raise StorageFailed(StorageFault.BAD_URL) from no_url
        try:
            connection.execute(f"SET statement_timeout = '{BUSY_TIMEOUT:.0f}s'")
            connection.commit()
        except psycopg.Error:
            connection.close()
            raise
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=READERS + WRITERS,
        max_overflow=0,
        hide_parameters=True,  # they hold names and addresses, and errors are logged
    )
