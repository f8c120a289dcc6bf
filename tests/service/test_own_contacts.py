"""If contacts have several addresses of a person, one that must not be given out does not hide the
others, and no vendor is paid for a known address."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.contacts.own_sources import ContactsSource
from mcp_enrichment.service.privacy.subject_requests import NamedSubject, suppress
from mcp_enrichment.service.sources.exports.records import Contact
from tests.support.databases import open_place
from tests.support.lookup_outcomes import OFFICE, RejectsRoleAddresses
from tests.support.running_service import ADA, ADAS, HIT, running_service
from tests.support.scripted_vendors import ScriptedVendor, scripted_vendor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.databases import Place
    from tests.support.running_service import RunningService

pytestmark = pytest.mark.anyio
OLD = "ada.old@example.com"


def row(*emails: str) -> list[Contact]:
    """One row of an export: the first address is the main one."""
    ada: dict[str, Any] = {"profile": ADA, "email_type": EmailType.WORK, "connected_on": None}
    ada |= {"first_name": "Ada", "last_name": "Okafor", "company": "", "position": ""}
    return [Contact(email=email, rank=rank, **ada) for rank, email in enumerate(emails)]


@asynccontextmanager
async def known(place: Place, *emails: str) -> AsyncIterator[tuple[RunningService, ScriptedVendor]]:
    """A service whose contacts have these addresses of Ada, with a vendor after the contacts."""
    database, vendor = open_place(place), scripted_vendor(HIT)
    import_contacts(database, row(*emails), source="csv")
    contacts = ContactsSource(database)
    try:
        async with running_service(place, contacts, vendor, check=RejectsRoleAddresses()) as it:
            yield it, vendor
    finally:
        database.close()


async def test_the_address_of_an_office_does_not_hide_the_persons_own(place: Place) -> None:
    async with known(place, OFFICE, ADAS) as (it, vendor):
        body = await it.final(await it.accepted())
    assert (body["email"]["email"], body["source"], vendor.asked) == (ADAS, "contacts", [])


async def test_a_suppressed_address_does_not_hide_the_one_in_use(place: Place) -> None:
    async with known(place, OLD, OFFICE, ADAS) as (it, vendor):
        suppress(it.service.database, NamedSubject(address=OLD), at=time.time())
        body = await it.final(await it.accepted())
    assert (body["email"]["email"], body["source"], vendor.asked) == (ADAS, "contacts", [])


async def test_if_no_address_may_be_disclosed_the_next_source_is_queried(place: Place) -> None:
    async with known(place, OLD, OFFICE) as (it, vendor):
        suppress(it.service.database, NamedSubject(address=OLD), at=time.time())
        body = await it.final(await it.accepted())
    assert (body["source"], vendor.asked) == ("vendor", [ADA])
