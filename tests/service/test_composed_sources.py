"""Sources are queried in the order of ENRICHMENT_SOURCES; a vendor's answer is paid for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.app.client import open_client
from mcp_enrichment.app.service import _source_limiter, job_worker
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.sources import factory
from mcp_enrichment.service.sources.base import Hit, Miss, Terms
from mcp_enrichment.service.sources.exports.records import Contact
from mcp_enrichment.settings import Settings
from tests.support.databases import settings_of
from tests.support.running_service import ADA, ADAS, running_service, until
from tests.support.scripted_vendors import ScriptedVendor, scripted_vendor
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
JONAS = "https://www.linkedin.com/in/jonas-weiss-example"


@pytest.fixture
def hunter(monkeypatch: pytest.MonkeyPatch) -> ScriptedVendor:
    """A scripted vendor of this name."""
    vendor = scripted_vendor(Miss(), name="hunter")
    monkeypatch.setattr(factory, "NAMES", frozenset({"hunter"}))
    monkeypatch.setattr(factory, "create_vendor", lambda _name, _key: vendor)
    return vendor


def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ENRICHMENT_SOURCES", "contacts,hunter")
    monkeypatch.setenv("ENRICHMENT_HUNTER_API_KEY", "sk-1")
    return Settings(data_dir=tmp_path / "data", state_dir=tmp_path / "state")


async def test_ones_own_contacts_come_first_and_a_vendor_is_closed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hunter: ScriptedVendor
) -> None:
    settings = chosen(tmp_path, monkeypatch)
    database = open_sqlite(settings.database_file)
    import_contacts(database, [_ada()], source="linkedin")
    database.close()
    hunter.says[0] = Hit(email="jonas@example.com")
    async with open_client(settings) as client:
        ada = await client.request(ADA, EmailType.WORK, wait=HANG)
        jonas = await client.request(JONAS, EmailType.WORK, wait=HANG)
    assert (ada.source, ada.verification) == ("contacts", "own-data")
    assert (jonas.source, jonas.verification) == ("hunter", "unverified")
    assert hunter.asked == [JONAS, "closed"]


async def test_a_vendor_of_one_question_at_once_has_no_more_from_two_services_together(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hunter: ScriptedVendor
) -> None:
    for name, value in settings_of(place).items():
        monkeypatch.setenv(name, value)
    now, most = 0, 0

    async def find(profile: str, _email_type: EmailType) -> Miss:
        nonlocal now, most
        hunter.asked.append(profile)
        now += 1
        most = max(most, now)
        await anyio.sleep(0.02)  # calls could overlap here
        now -= 1
        return Miss()

    monkeypatch.setattr(hunter, "find", find)
    hunter.terms = Terms(hit=1, limit=SourceLimit(at_once=1))
    settings = chosen(tmp_path, monkeypatch)
    async with running_service(place, jobs=False, credits=20) as it:
        for number in range(12):
            await it.accepted(linkedin_url=f"{JONAS}-{number}")
        async with job_worker(settings), job_worker(settings):
            ended = "SELECT count(*) FROM requests WHERE status = 'not-found'"
            await until(lambda: it.rows(ended) == [(12,)])
    assert most == 1
    assert len([profile for profile in hunter.asked if profile != "closed"]) == 12


async def test_a_miss_of_a_vendor_is_not_paid_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hunter: ScriptedVendor
) -> None:
    async with open_client(chosen(tmp_path, monkeypatch)) as client:
        for reused in (False, True):
            answer = await client.request(JONAS, EmailType.WORK, wait=HANG)
            assert (answer.status, answer.reused) == ("not-found", reused)
        assert hunter.asked == [JONAS]


async def test_a_miss_in_ones_own_contacts_is_looked_for_again(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", state_dir=tmp_path / "state")
    async with open_client(settings) as client:
        for _ in range(2):
            answer = await client.request(JONAS, EmailType.WORK, wait=HANG)
            assert (answer.status, answer.reused) == ("not-found", False)


def test_a_limit_that_is_set_leaves_a_vendors_other_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENRICHMENT_SOURCE_LIMITS", "hunter=3")
    terms = Terms(hit=1, limit=SourceLimit(at_once=9, per_second=8))
    set_here = _source_limiter(Settings(), [scripted_vendor(Miss(), name="hunter", terms=terms)])
    assert set_here.limits == {"hunter": SourceLimit(at_once=3, per_second=8)}


def _ada() -> Contact:
    return Contact(
        profile=ADA,
        email=ADAS,
        email_type=EmailType.WORK,
        first_name="Ada",
        last_name="Okafor",
        company="",
        position="",
        connected_on=None,
    )
