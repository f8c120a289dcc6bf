"""Batches of requests to a service in this process, as a team sends them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.http import BATCH, CREDITS, ENRICHMENTS
from tests.support.keyed_client import create_key, keyed_client
from tests.support.openapi import must_be

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from tests.support.running_service import RunningService


def person(number: int, **more: Any) -> dict[str, Any]:
    """A request about one of many persons."""
    return {"linkedin_url": f"https://www.linkedin.com/in/person-{number}", "type": "work"} | more


@asynccontextmanager
async def team(
    it: RunningService,
    name: str = "lumen",
    *,
    credits: int = 10,  # noqa: A002
    **options: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key of the team."""
    key = await create_key(it, name, credits=credits)
    async with keyed_client(it, key, **options) as http:
        yield http


async def post(
    http: httpx.AsyncClient, *requests: Any, headers: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """POST a batch that must be answered; return the results."""
    response = await http.post(BATCH, json={"requests": requests}, headers=headers)
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    assert len(results) == len(requests)
    for result in results:
        if result["status"] == 201:
            must_be("Enrichment", result["enrichment"])
        else:
            must_be("Error", result)
    return results


def statuses(results: list[dict[str, Any]]) -> list[int]:
    return [result["status"] for result in results]


def ids(results: list[dict[str, Any]]) -> list[str]:
    return [result["enrichment"]["_id"] for result in results]


async def balance(http: httpx.AsyncClient) -> int:
    return int((await http.get(CREDITS)).json()["balance"])


async def final(http: httpx.AsyncClient, request_id: str) -> dict[str, Any]:
    """The request once it is final."""
    while True:
        got = await http.get(f"{ENRICHMENTS}/{request_id}", headers={"prefer": "wait=60"})
        if got.json()["status"] not in ("pending", "processing"):
            return dict(got.json())
