"""The faults of the service's database and of the client's state file."""

from __future__ import annotations

from enum import StrEnum

from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation


class StorageFault(StrEnum):
    """A fault. The values are codes in error bodies."""

    FULL = "storage_full"
    """The disk is full or fails."""
    NOT_WRITABLE = "storage_not_writable"
    """The folder or the file cannot be opened or written."""
    NOT_A_DATABASE = "storage_not_a_database"
    """The file is damaged or no database, or the database belongs to another program."""
    NEWER_SCHEMA = "storage_newer_schema"
    """A newer version, or one from before the first release, has written the database."""
    OLDER_SCHEMA = "storage_older_schema"
    """The database was not upgraded to this version of the program."""
    OTHER_KEY = "storage_other_key"
    """The suppression list was made with another key, so it cannot be applied."""
    BUSY = "storage_busy"
    """Other processes kept it locked for too long."""
    NO_LOCKS = "storage_no_locks"
    """The file system supports no file locks, or no shared memory."""
    UNREACHABLE = "storage_unreachable"
    """The database server does not answer."""
    NOT_FOUND = "storage_not_found"
    """The URL leads to no database that can be opened."""
    NOT_PERMITTED = "storage_not_permitted"
    """The database server is read-only, or this user may not write."""
    NO_DRIVER = "storage_no_driver"
    """This installation lacks what Postgres needs."""
    BAD_URL = "storage_bad_url"
    """The URL of the database server is invalid."""
    DAMAGED_SECRET = "storage_damaged_secret"  # noqa: S105 (a code, and no secret)
    """A file that holds a secret is damaged."""


TRANSIENT = {StorageFault.BUSY, StorageFault.UNREACHABLE, StorageFault.NOT_FOUND}
"""Faults that may end by themselves."""


def _fault(happened: str, remedy: str, *, for_assistant: str | None = None) -> Explanation:
    told = f"Tell the user: {remedy[0].lower()}{remedy[1:]} Do not call again before that."
    return Explanation(
        happened=happened,
        money=NOTHING_DONE,
        for_person=remedy,
        for_assistant=for_assistant or told,
    )


EXPLANATION_BY_FAULT = {
    StorageFault.FULL: _fault(
        "The disk that holds the enrichment data is full or failing.",
        "Free space, then try again.",
    ),
    StorageFault.NOT_WRITABLE: _fault(
        "The folder of the enrichment data or of its memory cannot be written.",
        "Make it writable, or set ENRICHMENT_DATA_DIR and ENRICHMENT_STATE_DIR to folders that "
        "are.",
    ),
    StorageFault.NOT_A_DATABASE: _fault(
        "The enrichment database is damaged, or another program's.",
        "Move enrichment.db out of the data folder or restore it; on Postgres, name a database of "
        "its own in ENRICHMENT_DATABASE_URL.",
    ),
    StorageFault.NEWER_SCHEMA: _fault(
        "A newer version of mcp-enrichment, or one from before the first release, has written the "
        "database.",
        "Upgrade this installation. If the database is from before the first release, move it away "
        "and import again.",
    ),
    StorageFault.OLDER_SCHEMA: _fault(
        "The database is not at the version of this mcp-enrichment.",
        "Run `mcp-enrichment migrate` where the service runs.",
    ),
    StorageFault.OTHER_KEY: _fault(
        "The suppression list in the database was made with another key, so it cannot be applied.",
        "Restore privacy.key in the data folder, or set ENRICHMENT_PRIVACY_KEY as it was.",
    ),
    StorageFault.BUSY: _fault(
        "Other processes keep the enrichment database locked.",
        "Try again in a minute.",
        for_assistant="Call again in a minute.",
    ),
    StorageFault.NO_LOCKS: _fault(
        "The file system of the data or state folder does not support the file locks or the "
        "shared memory that the database needs.",
        "Set ENRICHMENT_DATA_DIR and ENRICHMENT_STATE_DIR to folders on a local disk.",
    ),
    StorageFault.UNREACHABLE: _fault(
        "The service cannot reach its database.",
        "Try again in a minute.",
        for_assistant="Call again in a minute.",
    ),
    StorageFault.NOT_FOUND: _fault(
        "ENRICHMENT_DATABASE_URL leads to no database that can be opened.",
        "Check its host, port, user, password and database name; if they are right, the server may "
        "just be starting: try again in a minute.",
        for_assistant="Tell the user to check its host, port, user, password and database name; if "
        "they are right, the server may just be starting: call again in a minute.",
    ),
    StorageFault.NOT_PERMITTED: _fault(
        "The role that ENRICHMENT_DATABASE_URL names may not do this in the database, or the "
        "server is a standby.",
        "Make that role the database's owner, or name the primary server.",
    ),
    StorageFault.NO_DRIVER: _fault(
        "ENRICHMENT_DATABASE_URL names a Postgres, and no driver for it is installed.",
        "Install mcp-enrichment[postgres].",
    ),
    StorageFault.BAD_URL: _fault(
        "ENRICHMENT_DATABASE_URL is not a URL that Postgres understands.",
        "Correct it: postgresql://user:password@host/database, with % and @ in a password written "
        "as %25 and %40.",
    ),
    StorageFault.DAMAGED_SECRET: _fault(
        "A file that holds a secret is damaged: http.secret in the state folder, or privacy.key in "
        "the data folder.",
        "Restore it from a backup.",
    ),
}
