"""The resources, which a client can read without a tool call: an enrichment, and the credits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from mcp_enrichment.contract.errors import UnknownEnrichment
from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.outputs import to_credits, to_enrichment
from mcp_enrichment.mcp.results import with_protocol_errors
from mcp_enrichment.mcp.sdk import is_modern

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.types import ReadResourceRequestParams
    from pydantic import BaseModel

    from mcp_enrichment.client.scoped import GetClient
    from mcp_enrichment.mcp.outputs import EnrichmentOutput

SCHEME = "enrichment://"
CREDITS = SCHEME + "credits"
JSON = "application/json"
LEGACY_NOT_FOUND = -32002
"""The error code of a missing resource before 2026-07-28. Since then it is INVALID_PARAMS."""

LISTED = ListResourcesResult(
    resources=[
        Resource(
            uri=CREDITS,
            name="credits",
            title="Credits",
            description="The credits left on the account, and in the user's budget.",
            mime_type=JSON,
        )
    ]
)
TEMPLATES = ListResourceTemplatesResult(
    resource_templates=[
        ResourceTemplate(
            uri_template=SCHEME + "{id}",
            name="enrichment",
            title="One enrichment",
            description=(
                "Its state and, once it is final, the address that was found, if one was. "
                "Subscribers are told when it becomes final."
            ),
            mime_type=JSON,
        )
    ]
)


async def read_resource(
    get_client: GetClient, context: ServerRequestContext[Any], params: ReadResourceRequestParams
) -> ReadResourceResult:
    """The resource as JSON. Raises `MCPError`."""
    return await with_protocol_errors("resources/read", _read(get_client, context, params.uri))


async def _read(
    get_client: GetClient, context: ServerRequestContext[Any], uri: str
) -> ReadResourceResult:
    if uri == apps.URI:
        return ReadResourceResult(contents=[_app()])
    if uri == CREDITS:
        client = await get_client()
        output: BaseModel = to_credits(await client.credits())
    else:
        output = await enrichment_at(uri, context, get_client)
    text = output.model_dump_json()
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=JSON, text=text)])


def _app() -> TextResourceContents:
    """The page of the app. It holds no data, and only its readers know its URI."""
    return TextResourceContents(
        uri=apps.URI, mime_type=apps.MIME_TYPE, text=apps.page(), _meta=apps.PAGE_META
    )


async def enrichment_at(
    uri: str, context: ServerRequestContext[Any], get_client: GetClient
) -> EnrichmentOutput:
    """The enrichment of this URI. Raises `MCPError` if there is none."""
    if (enrichment_id := id_in(uri)) is None:
        raise _unknown(context)
    client = await get_client()
    try:
        return to_enrichment(await client.get(enrichment_id))
    except UnknownEnrichment as error:
        raise _unknown(context) from error


def id_in(uri: str) -> str | None:
    """The id of the enrichment that the URI names, or None."""
    named = uri.removeprefix(SCHEME)
    if uri in {CREDITS, named} or not re.fullmatch(ENRICHMENT_ID, named):
        return None
    return named


def _unknown(context: ServerRequestContext[Any]) -> MCPError:
    code = INVALID_PARAMS if is_modern(context) else LEGACY_NOT_FOUND
    return MCPError(code=code, message=f"There is no such resource: read {SCHEME}<id>.")
