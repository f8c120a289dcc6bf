"""With a wrong or lost key of the suppression list, the service does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.postgres import migrate_postgres
from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from tests.support.databases import open_place, rows
from tests.support.running_service import ADA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Place

KEY, OTHER = b"k" * 32, b"o" * 32


def suppressing(place: Place, key: bytes | None) -> bool:
    database = open_place(place, privacy_key=key)
    new = subject_requests.suppress(database, NamedSubject(profile=ADA), at=1.0)
    database.close()
    return new


def refused(place: Place, key: bytes | None) -> None:
    with pytest.raises(StorageFailed) as failure:
        open_place(place, privacy_key=key)
    assert failure.value.fault is StorageFault.OTHER_KEY


def test_a_file_holds_the_key_for_its_owner_alone_and_makes_the_same_hashes(path: Path) -> None:
    assert suppressing(path, None)
    file = path.with_name("privacy.key")
    assert file.stat().st_mode & 0o077 == 0
    assert not suppressing(path, None)
    assert file.read_text().encode() not in path.read_bytes(), "a copy of the database has no key"


def test_a_list_is_refused_under_another_key_and_obeyed_again_under_its_own(place: Place) -> None:
    assert suppressing(place, KEY)
    refused(place, OTHER)
    refused(place, None)
    assert not suppressing(place, KEY)


def test_a_lost_file_is_reported_and_not_replaced_in_silence(path: Path) -> None:
    suppressing(path, None)
    key_file = path.with_name("privacy.key")
    key_file.unlink()
    refused(path, None)
    assert not key_file.exists(), "a new key would pass for the lost one"


def test_before_anybody_is_suppressed_the_key_may_be_changed(place: Place) -> None:
    open_place(place, privacy_key=KEY).close()
    assert suppressing(place, OTHER)
    refused(place, KEY)


def test_on_postgres_the_database_keeps_a_key_of_its_own_until_one_is_set(url: str) -> None:
    [(own,)] = rows(url, "SELECT key FROM privacy_key")
    assert len(bytes.fromhex(own)) == 32
    open_place(url).close()
    migrate_postgres(url)
    assert rows(url, "SELECT key FROM privacy_key") == [(own,)]
    assert suppressing(url, KEY)
    migrate_postgres(url)
    assert rows(url, "SELECT key FROM privacy_key") == [(None,)]


def test_on_postgres_a_list_under_the_databases_own_key_stays_readable(url: str) -> None:
    assert suppressing(url, None)
    migrate_postgres(url)
    assert not suppressing(url, None)
    refused(url, KEY)
