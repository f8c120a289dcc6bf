"""If the database fails at COMMIT, the error says that it is unknown whether the request was saved,
and a POST with the same Idempotency-Key settles it without a second credit."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.contract.errors import CommitUnknown, OutcomeUnknown
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.http.app import create_app
from tests.support.commit_proxy import commit_proxy
from tests.support.databases import rows
from tests.support.running_service import ADA, HIT, RunningService, ledger_is_exact, running_service
from tests.support.scripted_vendors import scripted_vendor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Server

pytestmark = pytest.mark.anyio
KEY = {"Idempotency-Key": "one-of-a-caller"}
REQUESTS = "SELECT count(*) FROM requests"


def _says_that_nobody_knows(response: httpx.Response) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, "outcome_unknown")
    assert "not known" in error["message"]
    assert "Nothing was" not in error["message"]


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_connection_that_breaks_at_commit_is_not_known_and_its_key_settles_it(
    server: Server, url: str, *, arrives: bool
) -> None:
    async with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with running_service(through, jobs=False) as it:
            proxy.arrives, proxy.cuts = arrives, 1
            _says_that_nobody_knows(await it.post(headers=KEY))
            assert rows(url, REQUESTS) == [(int(arrives),)]
            again = await it.post(headers=KEY)
            assert again.status_code == 201
            assert again.headers["Idempotent-Replayed"] == str(arrives).lower()
            assert await it.balance() == 9
    assert rows(url, REQUESTS) == [(1,)]
    ledger_is_exact(url)


@contextmanager
def _a_disk_that_fails(at: Path) -> Iterator[None]:
    """No file may grow beyond the size of the write-ahead log. To SQLite that is a disk error at
    COMMIT, since it writes the log only then."""
    size = at.with_name(at.name + "-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fails_at_commit_is_not_known_and_the_key_settles_it(path: Path) -> None:
    async with running_service(path, jobs=False) as it:
        with _a_disk_that_fails(path):
            _says_that_nobody_knows(await it.post(headers=KEY))
        again = await it.post(headers=KEY)
        assert again.status_code == 201
        assert await it.balance() == 9
    assert rows(path, REQUESTS) == [(1,)]
    ledger_is_exact(path)


async def test_a_client_of_that_service_has_its_answer_though_a_commit_was_cut_off(
    server: Server, url: str, tmp_path: Path
) -> None:
    async with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with (
            running_service(through, jobs=False) as it,
            _client(it, tmp_path, keys=True) as client,
        ):
            proxy.cuts = 1
            answer = await client.request(ADA, EmailType.WORK)
            assert rows(url, "SELECT id FROM requests") == [(answer.id,)]
            assert await it.balance() == 9


async def test_a_client_that_may_not_repeat_it_says_that_it_is_not_known(
    server: Server, url: str, tmp_path: Path
) -> None:
    async with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with (
            running_service(through, jobs=False) as it,
            _client(it, tmp_path, keys=False) as client,
        ):
            proxy.cuts = 1
            with pytest.raises(OutcomeUnknown) as raised:
                await client.request(ADA, EmailType.WORK)
            assert raised.value.charged is None
            assert rows(url, REQUESTS) == [(1,)]


async def test_a_lookup_whose_start_was_cut_off_at_commit_asks_its_vendor_once(
    server: Server, url: str
) -> None:
    from mcp_enrichment.service.lookup.vendor_calls import call_vendor
    from mcp_enrichment.service.requests import request_table

    vendor = scripted_vendor(HIT)
    async with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with running_service(through, vendor, jobs=False) as it:
            request_id = await it.accepted()
            request = await it.service.database.read(lambda c: request_table.get(c, request_id))
            proxy.cuts = 1
            answer = await call_vendor(it.service, vendor, request)
    assert answer == HIT
    assert vendor.asked == [ADA]


async def test_a_grant_that_was_cut_off_at_commit_is_not_said_to_have_failed(
    server: Server, url: str
) -> None:
    async with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with running_service(through, jobs=False) as it:
            proxy.cuts = 1
            with pytest.raises(CommitUnknown) as raised:
                await it.service.database.write(
                    lambda c: ledger.grant(c, it.team_id, 5, at=it.service.clock())
                )
    assert "not known" in str(raised.value)
    assert not raised.value.retryable


def _client(it: RunningService, folder: Path, *, keys: bool) -> EnrichmentClient:
    app = create_app(it.service)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return EnrichmentClient(
        "http://it.example",
        api_key=it.key,
        memory=folder / "memory.db",
        transport=transport,
        supports_idempotency=keys,
    )
