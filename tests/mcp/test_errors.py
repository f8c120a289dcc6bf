"""Each error has a code, its effect on money and a next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.mcp.server import create_server
from tests.mcp.faces import ADA, ID, ONE_CALL_OF_EACH, WORK, data_of, error_of, face, wire
from tests.support.explanations import whole_tree
from tests.support.scripted_server import replies, resets

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings
    from tests.support.scripted_server import Behaviour, ScriptedServer

pytestmark = pytest.mark.anyio

CODES = {
    "invalid_arguments",
    "invalid_profile_url",
    "unauthorized",
    "insufficient_credits",
    "budget_exceeded",
    "unknown_enrichment",
    "rate_limited",
    "outcome_unknown",
    "service_unavailable",
    "bad_answer",
    "internal_error",
}


TREE = list(whole_tree(EnrichmentError))


@pytest.mark.parametrize("failure", TREE, ids=lambda failure: type(failure).__name__)
async def test_each_failure_is_a_result_with_its_code_its_money_and_a_next_step(
    failure: EnrichmentError, era: str
) -> None:
    async def no_client() -> Any:
        raise failure

    async with Client(create_server(no_client), mode=era) as client:
        error = error_of(await client.call_tool("get_credits", {}))
    assert error["code"] in CODES
    assert error["retryable"] is failure.retryable
    assert error["charged"] is failure.charged
    assert error["retry_after_seconds"] == (8 if failure.retry_after else None)
    assert error["sentence"].startswith(failure.to_assistant())
    shown = {name: getattr(failure.explanation, name) for name in error["explanation"]}
    assert error["explanation"] == shown, "for programs without a model"
    assert ("8 seconds" in error["sentence"]) is bool(failure.retry_after)
    assert error["sentence"].count(". ") >= 1, "it says what happened, and what to do"
    assert "charged" in error["sentence"]


def test_every_code_can_be_met() -> None:
    assert {failure.code for failure in TREE} == CODES


async def test_a_defect_is_told_without_its_text(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    poison = "".join(["p", "oison"])

    poison = "".join(["p", "oison"])

    async def broken() -> Any:
        raise RuntimeError(poison)

    async with Client(create_server(broken), mode=era) as client:
        error = error_of(await client.call_tool("get_credits", {}))
    assert error["code"] == "internal_error"
    assert "get_credits raised RuntimeError" in caplog.text
    assert poison not in error["sentence"] + caplog.text.replace("RuntimeError(poison)", "")


HUNDRED_AND_ONE = [f"{number:024}" for number in range(101)]
POST, GET = "request_email_enrichment", "get_enrichment"
FAR_ENDS: list[tuple[str, Behaviour, str, bool | None, int | None]] = [
    (POST, replies(400, b"no"), "invalid_arguments", False, None),
    (POST, replies(401, b"no"), "unauthorized", False, None),
    (GET, replies(403, b"no"), "unauthorized", False, None),
    (POST, replies(402, b"no"), "insufficient_credits", False, None),
    (GET, replies(404, b"no"), "unknown_enrichment", False, None),
    (POST, replies(404, b"no"), "bad_answer", False, None),
    (POST, replies(429, b"", {"retry-after": "900"}), "rate_limited", False, 900),
    (GET, replies(503, b"", {"retry-after": "900"}), "service_unavailable", False, 900),
    (POST, replies(500, b"no"), "outcome_unknown", None, None),
    (POST, resets(), "outcome_unknown", None, None),
    (POST, replies(201, b"<html>"), "outcome_unknown", None, None),
    (GET, replies(200, b"<html>"), "bad_answer", False, None),
    (GET, replies(200, wire("completed", email="j***@e.com")), "bad_answer", False, None),
]


@pytest.mark.parametrize(("tool", "far_end", "code", "charged", "wait"), FAR_ENDS)
async def test_an_error_of_the_server_is_reported_by_its_code(
    *,
    tool: str,
    far_end: Behaviour,
    code: str,
    charged: bool | None,
    wait: int | None,
    vendor: ScriptedServer,
    remote: Settings,
) -> None:
    vendor.will(far_end)
    async with face(remote, "auto") as client:
        error = error_of(await client.call_tool(tool, ONE_CALL_OF_EACH[tool]))
    assert (error["code"], error["charged"], error["retry_after_seconds"]) == (code, charged, wait)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        POST,
        {"linkedin_url": ADA},
        "invalid_arguments",
        "type is missing: give 'work' or",
    ),
    (POST, {"type": "work", "linkedin_url": " "}, "invalid_arguments", "linkedin_url is missing"),
    (POST, WORK | {"type": "both"}, "invalid_arguments", "type: give 'work' or 'personal'."),
    (POST, WORK | {"linkedin_url": 7}, "invalid_arguments", "linkedin_url: give a text."),
    (POST, WORK | {"wait_seconds": -1}, "invalid_arguments", "wait_seconds: give a number from 0"),
    (POST, WORK | {"wait_seconds": 51}, "invalid_arguments", "to 50, or leave it out"),
    (POST, WORK | {"force_refresh": "perhaps"}, "invalid_arguments", "give true or false, or"),
    (POST, WORK | {"external_id": "x" * 300}, "invalid_arguments", "at most 256 characters, or"),
    (POST, WORK | {"callback_url": "http://localhost"}, "invalid_arguments", "callback_url"),
    (POST, WORK | {"callback_url": "ftp://x"}, "invalid_arguments", "callback_url"),
    (POST, WORK | {"linkedin_url": "x.com/in/ada"}, "invalid_profile_url", "not on linkedin.com"),
    (
        POST,
        WORK | {"linkedin_url": "https://www.linkedin.com/sales/lead/ACwAAAB"},
        "invalid_profile_url",
        "Sales Navigator",
    ),
    (GET, {}, "invalid_arguments", "id is missing: give one id, as a tool returned it"),
    (GET, {"id": "../credits"}, "invalid_arguments", "id: give one id, as a tool returned it"),
    (GET, {"id": ["a", "b"]}, "invalid_arguments", "id: give one id, as a tool returned it"),
    (GET, {"id": ID}, "unknown_enrichment", "no enrichment with this id"),
    ("wait_for_enrichment", {"ids": []}, "invalid_arguments", "ids: give a list of 1 to 100 ids"),
    ("wait_for_enrichment", {"ids": HUNDRED_AND_ONE}, "invalid_arguments", "a list of 1 to 100"),
    ("wait_for_enrichment", {"ids": [ID, "a/b"]}, "invalid_arguments", "ids.1: give one id"),
    ("wait_for_enrichment", {"ids": ID, "timeout_seconds": 0}, "invalid_arguments", "timeout_"),
    ("wait_for_enrichment", {"ids": ID}, "unknown_enrichment", ID),
]


async def test_bad_input_is_refused_by_name_and_costs_nothing(
    assistant: Client, subtests: pytest.Subtests
) -> None:
    for tool, arguments, code, says in REFUSED:
        with subtests.test(tool=tool, arguments=arguments):
            error = error_of(await assistant.call_tool(tool, arguments))
            assert (error["code"], error["charged"], error["retryable"]) == (code, False, False)
            assert says in error["sentence"]
            assert "charged" in error["sentence"]
    assert data_of(await assistant.call_tool("get_credits", {}))["balance"] == 250


async def test_an_unknown_tool_is_an_error_of_the_protocol(assistant: Client) -> None:
    with pytest.raises(MCPError) as raised:
        await assistant.call_tool("request_phone_number", {})
    assert raised.value.error.code == -32602
    assert "request_phone_number" not in raised.value.error.message
