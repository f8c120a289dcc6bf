"""A refusal over HTTP has the right status and one sentence, is free, and repeats no input."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mcp_enrichment.service
from mcp_enrichment.contract import errors
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.service.http.errors import STATUS, error_response
from tests.support.keyed_client import create_key
from tests.support.running_service import ADA, ledger_is_exact, running_service

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio

SECRET = "zelda-zyx"
"""Part of the input; it must not be in an answer."""
GOOD = f'"linkedin_url": "{ADA}", "type": "work"'

RAISED_WITH_A_SENTENCE_OF_THEIR_OWN = {errors.CallbackRefused, errors.InvalidProfileURL}
"""Raised by the service with its own sentences; these are tested with the URLs that it refuses."""
CODES = {"invalid_arguments", "invalid_profile_url", "invalid_callback_url"}
BAD_BODIES: dict[str, bytes | str] = {
    "nothing": b"",
    "no JSON": f"{{{SECRET}",
    "an array": f'["{SECRET}"]',
    "a string": f'"{SECRET}"',
    "null": b"null",
    "no type": f'{{"linkedin_url": "{ADA}"}}',
    "no URL": '{"type": "work"}',
    "an unknown type": f'{{"linkedin_url": "{ADA}", "type": "{SECRET}"}}',
    "a type that is a number": f'{{"linkedin_url": "{ADA}", "type": 1}}',
    "a URL that is a list": f'{{"linkedin_url": ["{SECRET}"], "type": "work"}}',
    "a company": f'{{"linkedin_url": "https://www.linkedin.com/company/{SECRET}", "type": "work"}}',
    "another site": f'{{"linkedin_url": "https://example.com/in/{SECRET}", "type": "work"}}',
    "no URL at all": f'{{"linkedin_url": "{SECRET} at lumen", "type": "work"}}',
    "an empty URL": '{"linkedin_url": "", "type": "work"}',
    "a NUL in the URL": f'{{"linkedin_url": "{ADA}\\u0000{SECRET}", "type": "work"}}',
    "a lone surrogate in the URL": f'{{"linkedin_url": "{ADA}\\ud800", "type": "work"}}',
    "a lone surrogate elsewhere": f'{{{GOOD}, "external_id": "{SECRET}\\udfff"}}',
    "a NUL in the external_id": f'{{{GOOD}, "external_id": "{SECRET}\\u0000"}}',
    "a NUL in the callback": f'{{{GOOD}, "callback_url": "https://a.example/\\u0000{SECRET}"}}',
    "an external_id of 300": f'{{{GOOD}, "external_id": "{SECRET + 291 * "x"}"}}',
    "an external_id of 257": f'{{{GOOD}, "external_id": "{257 * "x"}"}}',
    "an external_id that is a number": f'{{{GOOD}, "external_id": 42}}',
    "a callback to this machine": f'{{{GOOD}, "callback_url": "http://localhost/{SECRET}"}}',
    "a callback that is no URL": f'{{{GOOD}, "callback_url": "{SECRET}"}}',
    "a callback without a host": f'{{{GOOD}, "callback_url": "https:///{SECRET}"}}',
    "a callback by mail": f'{{{GOOD}, "callback_url": "mailto:{SECRET}@example.com"}}',
    "a long callback": f'{{{GOOD}, "callback_url": "https://a.example/{2048 * "x"}"}}',
    "half a UTF-8 character": b'{"linkedin_url": "\xc3", "type": "work"}',
    "UTF-16": f"{{{GOOD}}}".encode("utf-16"),
    "deep nesting": "[" * 5000 + "]" * 5000,
    "NaN": f'{{{GOOD}, "external_id": NaN}}',
}


@pytest.mark.parametrize("what", BAD_BODIES)
async def test_a_bad_body_is_a_400_that_repeats_nothing(place: Place, what: str) -> None:
    headers = {"content-type": "application/json"}
    async with running_service(place, jobs=False) as it:
        response = await it.http.post(ENRICHMENTS, content=BAD_BODIES[what], headers=headers)
        assert response.status_code == 400, response.text
        assert response.json()["error"]["code"] in CODES
        assert SECRET not in response.text
        assert await it.balance() == 10
        assert it.rows("SELECT * FROM requests") == it.rows("SELECT * FROM jobs") == []


async def test_a_refusal_of_a_url_says_what_to_paste_instead(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        error = (await it.post(linkedin_url="https://www.linkedin.com/company/x")).json()["error"]
    assert error["code"] == "invalid_profile_url"
    assert "/in/" in error["message"]


async def test_without_a_credit_nothing_is_started(place: Place) -> None:
    async with running_service(place, jobs=False, credits=1) as it:
        await it.accepted()
        response = await it.post(type="personal")
        assert response.status_code == 402
        assert response.json()["error"]["code"] == "insufficient_credits"
        assert len(it.rows("SELECT * FROM requests")) == 1
    ledger_is_exact(place)


@pytest.mark.parametrize(
    "request_id",
    [
        "0" * 24,
        "credit",
        "1",
        "x" * 1900,
        "%00",
        "%ff",
        "%F0%9F%A6%9C",
        "'%20OR%201=1",
        "a%2Fb",
        "",
    ],
)
async def test_an_unknown_id_of_any_shape_is_a_404(place: Place, request_id: str) -> None:
    async with running_service(place, jobs=False) as it:
        await it.accepted()
        assert (await it.get(request_id)).status_code == 404


async def test_the_id_of_another_team_is_a_404(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        request_id = await it.accepted()
        it.http.headers["x-api-key"] = await create_key(it, "another")
        response = await it.get(request_id)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_enrichment"


@pytest.mark.parametrize("where", ["/", "/v1", CREDITS + "/", ENRICHMENTS + "/x/y", "/metrics"])
async def test_a_path_that_is_not_of_the_contract_is_a_404(place: Place, where: str) -> None:
    async with running_service(place, jobs=False) as it:
        assert (await it.http.get(where)).status_code == 404


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_64_kib_is_a_413(place: Place, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(65):
            yield b" " * 1024

    body: Any = b" " * (64 * 1024 + 1) if declared else chunks()
    headers = {"content-type": "application/json"}
    async with running_service(place, jobs=False) as it:
        response = await it.http.post(ENRICHMENTS, content=body, headers=headers)
    assert response.status_code == 413


async def test_a_body_of_just_64_kib_is_read(place: Place) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    body = f"{{{GOOD}}}".ljust(64 * 1024).encode()
    async with running_service(place, jobs=False) as it:
        response = await it.http.post(ENRICHMENTS, content=body, headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_a_415(place: Place, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    async with running_service(place, jobs=False) as it:
        response = await it.http.post(ENRICHMENTS, content=f"{{{GOOD}}}", headers=headers)
    assert response.status_code == 415


async def test_a_defect_is_a_500_that_tells_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("mcp_enrichment.service.billing.ledger.hold", break_down)
    async with running_service(place, jobs=False) as it:
        response = await it.post()
        assert response.status_code == 500
        assert SECRET not in response.text
        assert it.rows("SELECT * FROM requests") == []


def test_each_error_that_the_service_names_has_its_status() -> None:
    named: set[str] = set()
    for file in Path(next(iter(mcp_enrichment.service.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == errors.__name__:
                named |= {alias.name for alias in node.names}
    never_in_a_response = {"EnrichmentError", "StorageFault", "CommandError"}
    assert named - never_in_a_response == {error.__name__ for error in STATUS}


@pytest.mark.parametrize("error", STATUS, ids=lambda error: error.__name__)
def test_error_texts_over_http_are_for_programs_and_not_for_a_model(error: Any) -> None:
    """An integrator has no user to inform, no tools to call and no settings of the service."""
    raised = error(errors.StorageFault.FULL) if error is errors.StorageFailed else error()
    said = json.loads(error_response(raised).body)["error"]["message"]
    spoken = ["the user", "Tell ", "_enrichment", "ENRICHMENT_", "Call again", "`"]
    if error not in RAISED_WITH_A_SENTENCE_OF_THEIR_OWN:
        assert [word for word in spoken if word in said] == []
