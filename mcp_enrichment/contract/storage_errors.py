"""The faults of the service's database and of the client's state file."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation


class StorageFault(StrEnum):
    """A fault. Its value is the code in error bodies.

    Beside it: what happened, the remedy, and what an assistant does if it need not tell the user.
    """

    explanation: Explanation

    def __new__(
        cls, code: str, happened: str, remedy: str, for_assistant: str | None = None
    ) -> Self:
        fault = str.__new__(cls, code)
        fault._value_ = code
        tell = f"Tell the user: {remedy[0].lower()}{remedy[1:]} Do not call again before that."
        fault.explanation = Explanation(
            happened=happened,
            money=NOTHING_DONE,
            for_person=remedy,
            for_assistant=for_assistant or tell,
        )
        return fault

    FULL = (
        "storage_full",
        "The disk that holds the enrichment data is full or failing.",
        "Free space, then try again.",
    )
    NOT_WRITABLE = (
        "storage_not_writable",
        "The folder of the enrichment data or of its memory cannot be written.",
        "Make it writable, or set ENRICHMENT_DATA_DIR and ENRICHMENT_STATE_DIR to folders that "
        "are.",
    )
    NOT_A_DATABASE = (
        "storage_not_a_database",
        "The enrichment database is damaged, or another program's.",
        "Move enrichment.db out of the data folder or restore it; on Postgres, name a database "
        "of its own in ENRICHMENT_DATABASE_URL.",
    )
    NEWER_SCHEMA = (
        "storage_newer_schema",
        "A newer version of mcp-enrichment, or one from before the first release, has written "
        "the database.",
        "Upgrade this installation. If the database is from before the first release, move it "
        "away and import again.",
    )
    OLDER_SCHEMA = (
        "storage_older_schema",
        "The database is not at the version of this mcp-enrichment.",
        "Run `mcp-enrichment migrate` where the service runs.",
    )
    OTHER_KEY = (
        "storage_other_key",
        "The suppression list in the database was made with another key, so it cannot be applied.",
        "Restore privacy.key in the data folder, or set ENRICHMENT_PRIVACY_KEY as it was.",
    )
    BUSY = (
        "storage_busy",
        "Other processes keep the enrichment database locked.",
        "Try again in a minute.",
        "Call again in a minute.",
    )
    NO_LOCKS = (
        "storage_no_locks",
        "The file system of the data or state folder does not support the file locks or the "
        "shared memory that the database needs.",
        "Set ENRICHMENT_DATA_DIR and ENRICHMENT_STATE_DIR to folders on a local disk.",
    )
    UNREACHABLE = (
        "storage_unreachable",
        "The service cannot reach its database.",
        "Try again in a minute.",
        "Call again in a minute.",
    )
    NOT_FOUND = (
        "storage_not_found",
        "ENRICHMENT_DATABASE_URL leads to no database that can be opened.",
        "Check its host, port, user, password and database name; if they are right, the server "
        "may just be starting: try again in a minute.",
        "Tell the user to check its host, port, user, password and database name; if they are "
        "right, the server may just be starting: call again in a minute.",
    )
    NOT_PERMITTED = (
        "storage_not_permitted",
        "The role that ENRICHMENT_DATABASE_URL names may not do this in the database, or the "
        "server is a standby.",
        "Make that role the database's owner, or name the primary server.",
    )
    NO_DRIVER = (
        "storage_no_driver",
        "ENRICHMENT_DATABASE_URL names a Postgres, and no driver for it is installed.",
        "Install mcp-enrichment[postgres].",
    )
    BAD_URL = (
        "storage_bad_url",
        "ENRICHMENT_DATABASE_URL is not a URL that Postgres understands.",
        "Correct it: postgresql://user:password@host/database, with % and @ in a password "
        "written as %25 and %40.",
    )
    DAMAGED_SECRET = (
        "storage_damaged_secret",
        "A file that holds a secret is damaged: http.secret in the state folder, or privacy.key "
        "in the data folder.",
        "Restore it from a backup.",
    )


TRANSIENT = {StorageFault.BUSY, StorageFault.UNREACHABLE, StorageFault.NOT_FOUND}
"""Faults that may end by themselves."""
