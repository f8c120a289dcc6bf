"""A POST that may have arrived is saved, and repeated only to a server that honours its key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.client import http_api, post_sender, submitter
from mcp_enrichment.client.state import sqlite_file
from mcp_enrichment.client.state.requests import RequestStore
from mcp_enrichment.contract.errors import EnrichmentError, OutcomeUnknown, StorageFailed
from mcp_enrichment.contract.http import IDEMPOTENCY_SECONDS
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import HTML, PROFILE, ContractServer, accepts
from tests.support.passing_time import until_given_up
from tests.support.scripted_server import ScriptedServer, hangs, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import Behaviour, ReceivedRequest

pytestmark = pytest.mark.anyio


async def _ask(client: EnrichmentClient, who: str = PROFILE, **options: Any) -> EnrichmentResult:
    with anyio.fail_after(HANG):
        return await client.request(who, EmailType.WORK, **options)


async def _shows_that_it_honours_keys(client: EnrichmentClient, vendor: ScriptedServer) -> None:
    vendor.will(accepts("e0", replayed=False))
    await _ask(client, "linkedin.com/in/grace")
    vendor.seen.clear()


async def test_an_unknown_outcome_is_remembered_by_every_process(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.will(resets())
    async with new_client() as client:
        with pytest.raises(OutcomeUnknown):
            await _ask(client)
    async with new_client() as client:
        with pytest.raises(OutcomeUnknown):
            await _ask(client)
    assert len(vendor.posts) == 1


async def test_after_an_unknown_outcome_only_force_refresh_sends_another_post(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(resets(), accepts())
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    assert (await _ask(client, force_refresh=True)).reused is False
    assert len(vendor.posts) == 2


async def test_a_refused_force_refresh_leaves_the_outcome_unknown(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(resets(), replies(402, HTML))
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    with pytest.raises(EnrichmentError):
        await _ask(client, force_refresh=True)
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    assert len(vendor.posts) == 2


@pytest.mark.parametrize("fault", [resets(), replies(500, HTML), replies(201, HTML), hangs()])
async def test_a_server_that_honours_keys_is_sent_the_same_post_again(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    fault: Behaviour,
) -> None:
    await _shows_that_it_honours_keys(client, vendor)
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", HANG)
    fault = until_given_up(fault, http_api.POST_SECONDS)
    vendor.will(fault, fault, accepts(replayed=True))
    assert (await _ask(client)).id == "e1"
    assert len(vendor.posts) == 3
    assert len({(post.headers["idempotency-key"], post.body) for post in vendor.posts}) == 1


async def test_a_server_that_stays_away_is_sent_the_same_post_when_it_is_asked_again(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.1)
    await _shows_that_it_honours_keys(client, vendor)
    vendor.always(resets())
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    vendor.always(accepts(replayed=True))
    assert (await _ask(client)).id == "e1"
    assert len({post.headers["idempotency-key"] for post in vendor.posts}) == 1


async def test_a_post_whose_key_the_server_has_forgotten_is_not_sent_again(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    memory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be a new request, and a second credit."""
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.0)
    await _shows_that_it_honours_keys(client, vendor)
    vendor.will(resets())
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    with closing(sqlite3.connect(memory)) as file, file:
        file.execute("UPDATE requests SET asked_at = asked_at - ?", (IDEMPOTENCY_SECONDS,))
    assert (await client.preview_many([PROFILE], EmailType.WORK)).unknown == 1
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    assert len(vendor.posts) == 1


async def test_a_key_that_the_server_has_seen_with_another_body_leaves_the_outcome_unknown(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0)
    await _shows_that_it_honours_keys(client, vendor)
    vendor.will(resets())
    with pytest.raises(OutcomeUnknown):
        await _ask(client, external_id="one")
    conflict = replies(422, {"error": {"code": "idempotency_conflict", "message": ""}})
    vendor.will(conflict, conflict, accepts(replayed=False))
    with pytest.raises(OutcomeUnknown):
        await _ask(client, external_id="two")
    assert (await _ask(client, external_id="two", force_refresh=True)).id == "e1"
    keys = [post.headers["idempotency-key"] for post in vendor.posts]
    assert keys[0] == keys[1] == keys[2] != keys[3]


async def test_one_server_that_honours_keys_says_nothing_about_another(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    async with new_client() as one, new_client(api_key="k-other") as other:
        await _shows_that_it_honours_keys(one, vendor)
        vendor.will(resets())
        with pytest.raises(OutcomeUnknown):
            await _ask(other)
    assert len(vendor.posts) == 1


@pytest.mark.parametrize(
    ("after", "kind"),
    [(accepts(), None), (resets(), OutcomeUnknown), (replies(402, HTML), EnrichmentError)],
)
async def test_the_result_of_a_post_is_returned_even_if_it_cannot_be_saved(
    new_client: NewClient,
    vendor: ScriptedServer,
    memory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    after: Behaviour,
    kind: type[EnrichmentError] | None,
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.05)
    locked: list[sqlite3.Connection] = []

    async def locks_the_memory(stream: SocketStream, seen: ReceivedRequest) -> None:
        db = sqlite3.connect(memory, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        locked.append(db)
        await after(stream, seen)

    vendor.will(locks_the_memory)
    async with new_client() as client:
        if kind is None:
            assert (await _ask(client)).id == "e1"
        else:
            with pytest.raises(kind) as caught:
                await _ask(client)
            assert not isinstance(caught.value, StorageFailed)
        locked[0].close()
        monkeypatch.setattr(submitter, "SEND_LEASE_SECONDS", 0)
        with pytest.raises(OutcomeUnknown):
            await _ask(client)
    assert len(vendor.posts) == 1


async def test_a_cancelled_call_does_not_interrupt_its_post(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(takes=0.2)
    arrived = anyio.Event()

    async def late(stream: SocketStream, seen: ReceivedRequest) -> None:
        arrived.set()
        await lookups(stream, seen)

    vendor.always(late)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(client.request, PROFILE, EmailType.WORK, wait=HANG))
        await arrived.wait()
        tasks.cancel_scope.cancel()
    answer = await _ask(client)
    assert answer.id == "e1"
    assert len(vendor.posts) == 1


async def test_a_client_that_is_closed_in_the_middle_says_that_the_outcome_is_unknown(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    arrived = anyio.Event()

    async def hold(stream: SocketStream, seen: ReceivedRequest) -> None:
        arrived.set()
        await hangs()(stream, seen)

    vendor.will(hold)

    async def ask(client: EnrichmentClient) -> None:
        with pytest.raises(OutcomeUnknown):
            await _ask(client)

    async with anyio.create_task_group() as tasks, new_client() as client:
        tasks.start_soon(ask, client)
        await arrived.wait()


async def test_a_repeat_that_loses_to_another_caller_is_followed_by_no_new_post(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other caller's repeat may be refused, and leave the outcome as unknown as before."""
    await _shows_that_it_honours_keys(client, vendor)
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.05)
    vendor.always(resets())
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    save, lost = RequestStore.save_before_post, []

    async def loses_once(store: RequestStore, *rows: Any, **options: Any) -> bool:
        if not lost:
            lost.append(rows)
            return False
        return await save(store, *rows, **options)

    monkeypatch.setattr(RequestStore, "save_before_post", loses_once)
    vendor.always(accepts("e1", replayed=True))
    assert (await _ask(client)).id == "e1"
    assert lost
    assert len({seen.headers["idempotency-key"] for seen in vendor.posts}) == 1
