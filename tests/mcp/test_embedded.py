"""With the default settings, contacts are imported, and the tools find them."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.errors import CommitUnknown
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.requests import submission
from tests.mcp.faces import ADA, JONAS, NOBODY, data_of, face
from tests.support.exports import read_export

if TYPE_CHECKING:
    from mcp import Client

    from mcp_enrichment.contract.models import EnrichmentBody
    from mcp_enrichment.service.requests.request_table import Request
    from mcp_enrichment.settings import Settings

pytestmark = pytest.mark.anyio


def import_sample(settings: Settings) -> None:
    """Do what `mcp-enrichment contacts import` does with the file in the package."""
    database = open_sqlite(settings.database_file)
    with as_file(files("mcp_enrichment") / "data" / "Connections.csv") as sample:
        import_contacts(database, read_export(sample), source="linkedin")
    database.close()


async def ask(client: Client, profile: str, kind: str, **more: Any) -> dict[str, Any]:
    asked = {"linkedin_url": profile, "type": kind, "wait_seconds": 50} | more
    return data_of(await client.call_tool("request_email_enrichment", asked))


async def balance(client: Client) -> int:
    return data_of(await client.call_tool("get_credits", {}))["balance"]


async def test_an_address_is_found_paid_for_once_and_told_again_for_nothing(
    embedded: Settings, assistant: Client
) -> None:
    import_sample(embedded)
    assert await balance(assistant) == 250
    found = await ask(assistant, "linkedin.com/in/Ada-Okafor-Example/", "work", external_id="row 7")
    assert found["checked_at"] is not None
    assert found | {"id": "", "asked_at": "", "checked_at": ""} == {
        "id": "",
        "status": "completed",
        "is_final": True,
        "email": "ada.okafor@example.com",
        "type": "work",
        "linkedin_url": ADA,
        "external_id": "row 7",
        "reused": False,
        "asked_at": "",
        "credits_charged": 1,
        "source": "contacts",
        "verification": "own-data",
        "checked_at": "",
        "evidence": None,
        "next_step": None,
    }
    assert await balance(assistant) == 249
    again = await ask(assistant, ADA, "work")
    assert (again["id"], again["reused"], again["credits_charged"]) == (found["id"], True, 0)
    assert again["email"] == found["email"]
    assert await balance(assistant) == 249
    anew = await ask(assistant, ADA, "work", force_refresh=True)
    assert (anew["reused"], anew["credits_charged"]) == (False, 1)
    assert anew["id"] != found["id"]
    assert await balance(assistant) == 248


async def test_work_and_personal_are_two_questions(embedded: Settings, assistant: Client) -> None:
    import_sample(embedded)
    personal = await ask(assistant, JONAS, "personal")
    assert (personal["email"], personal["type"]) == ("jonas.weiss@freemail.example", "personal")
    work = await ask(assistant, JONAS, "work")
    assert (work["status"], work["email"], work["credits_charged"]) == ("not-found", None, 0)
    assert await balance(assistant) == 249


async def test_a_miss_is_data_that_forbids_to_make_an_address_up(
    embedded: Settings, assistant: Client
) -> None:
    import_sample(embedded)
    missed = await ask(assistant, NOBODY, "work")
    assert (missed["status"], missed["is_final"]) == ("not-found", True)
    assert "Do not construct or guess an address" in missed["next_step"]
    got = data_of(await assistant.call_tool("get_enrichment", {"id": missed["id"]}))
    waited = data_of(await assistant.call_tool("wait_for_enrichment", {"ids": missed["id"]}))
    assert [got] == waited["enrichments"] == [missed]
    assert (waited["all_final"], waited["next_step"]) == (True, None)


async def test_without_contacts_a_miss_says_how_to_import_some_and_is_asked_anew_after_that(
    embedded: Settings, assistant: Client
) -> None:
    missed = await ask(assistant, ADA, "work")
    assert missed["status"] == "not-found"
    assert "mcp-enrichment contacts import FILE" in missed["next_step"]
    assert "Do not construct" in missed["next_step"]
    import_sample(embedded)
    found = await ask(assistant, ADA, "work")
    assert (found["status"], found["reused"]) == ("completed", False)


async def test_many_are_asked_for_at_once_and_waited_for_in_one_call(
    embedded: Settings, assistant: Client
) -> None:
    import_sample(embedded)
    asked = [await ask(assistant, p, "work", wait_seconds=0) for p in (ADA, NOBODY, ADA)]
    ids = [one["id"] for one in asked]
    waited = data_of(
        await assistant.call_tool("wait_for_enrichment", {"ids": ids, "timeout_seconds": 50})
    )
    assert waited["all_final"]
    assert [one["status"] for one in waited["enrichments"]] == [
        "completed",
        "not-found",
        "completed",
    ]
    assert ids[0] == ids[2]


async def test_nothing_is_opened_before_the_first_call_that_needs_it(
    embedded: Settings, assistant: Client
) -> None:
    await assistant.list_tools()
    refused = await assistant.call_tool("get_enrichment", {"id": "no id"})
    assert refused.is_error
    assert not embedded.data_dir.exists()
    assert not embedded.state_dir.exists()
    await assistant.call_tool("get_credits", {})
    assert embedded.database_file.exists()


@pytest.mark.parametrize("error", [ValueError(), TimeoutError(), CommitUnknown()])
async def test_a_request_that_fails_after_it_was_stored_is_sent_again_and_charged_once(
    embedded: Settings, assistant: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    import_sample(embedded)
    answered, to_response = [], submission.to_response

    def fail_once(request: Request) -> EnrichmentBody:
        answered.append(request.id)
        if len(answered) == 1:
            raise error
        return to_response(request)

    monkeypatch.setattr(submission, "to_response", fail_once)
    found = await ask(assistant, ADA, "work")
    assert (found["email"], found["reused"]) == ("ada.okafor@example.com", False)
    assert answered == [found["id"]] * 2
    assert await balance(assistant) == 249


async def test_an_answer_to_one_process_is_remembered_by_another(embedded: Settings) -> None:
    import_sample(embedded)
    async with face(embedded, "auto") as one, face(embedded, "legacy") as other:
        first = await ask(one, ADA, "work")
        second = await ask(other, ADA, "work")
        assert (second["id"], second["reused"]) == (first["id"], True)
        assert await balance(other) == 249


async def test_a_folder_that_cannot_be_made_is_told_and_tried_again_at_the_next_call(
    embedded: Settings, assistant: Client
) -> None:
    embedded.data_dir.write_text("not a folder")
    refused = await assistant.call_tool("get_credits", {})
    assert refused.meta
    assert refused.meta["error"]["code"] == "service_unavailable"
    embedded.data_dir.unlink()
    assert await balance(assistant) == 250


@pytest.mark.parametrize("tool", ["get_credits", "request_email_enrichment", "get_enrichment"])
async def test_a_bug_while_the_service_opens_is_reported_at_once_as_internal_error(
    assistant: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tool: str
) -> None:
    opened: list[None] = []

    def broken(*_: object) -> None:
        opened.append(None)
        raise ValueError

    monkeypatch.setattr("mcp_enrichment.app.service.open_database", broken)
    asked = {
        "get_credits": {},
        "request_email_enrichment": {"linkedin_url": ADA, "type": "work"},
        "get_enrichment": {"id": "0" * 24},
    }
    refused = await assistant.call_tool(tool, asked[tool])
    assert refused.meta
    error = refused.meta["error"]
    assert (error["code"], error["retryable"], error["charged"]) == ("internal_error", False, False)
    assert len(opened) == 1, "a second attempt would fail again"
    assert "ValueError" in caplog.text
    monkeypatch.undo()
    assert await balance(assistant) == 250


async def test_a_bug_while_an_answer_is_read_is_reported_at_once_as_internal_error(
    assistant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_export: list[None] = []

    def broken(*_: object) -> None:
        read_export.append(None)
        raise ValueError

    monkeypatch.setattr("mcp_enrichment.service.billing.ledger.balance", broken)
    refused = await assistant.call_tool("get_credits", {})
    assert refused.meta
    error = refused.meta["error"]
    assert (error["code"], error["retryable"], error["charged"]) == ("internal_error", False, False)
    assert len(read_export) == 1


async def test_an_empty_balance_is_reported_before_a_request_and_when_it_is_refused(
    embedded: Settings, assistant: Client
) -> None:
    import_sample(embedded)
    await balance(assistant)
    database = open_sqlite(embedded.database_file)
    database.write_now(lambda c: c.exec_driver_sql("UPDATE teams SET available = 0"))
    database.close()
    left = data_of(await assistant.call_tool("get_credits", {}))
    assert left["balance"] == 0
    assert "No credits are left" in left["next_step"]
    asked = {"linkedin_url": ADA, "type": "work"}
    refused = await assistant.call_tool("request_email_enrichment", asked)
    assert refused.meta
    assert refused.meta["error"]["code"] == "insufficient_credits"
