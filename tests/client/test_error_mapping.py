"""Each exception of httpx and each status code becomes one of our errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    InsufficientCredits,
    InvalidArguments,
    OutcomeUnknown,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
    UnknownEnrichment,
)
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from tests.support.contract_server import HTML, PROFILE
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

ASKED = EnrichmentRequest(linkedin_url=PROFILE, type=EmailType.WORK)

NEVER_LEFT = (ServiceUnavailable, ServiceUnavailable)
MAY_HAVE_ARRIVED = (ServiceUnavailable, OutcomeUnknown)
UNREADABLE = (BadAnswer, OutcomeUnknown)

ON_GET_AND_POST: dict[type[Exception], tuple[type[EnrichmentError], type[EnrichmentError]]] = {
    httpx.ConnectError: NEVER_LEFT,
    httpx.ConnectTimeout: NEVER_LEFT,
    httpx.PoolTimeout: NEVER_LEFT,
    httpx.ProxyError: NEVER_LEFT,
    httpx.UnsupportedProtocol: NEVER_LEFT,
    httpx.InvalidURL: NEVER_LEFT,
    httpx.DecodingError: UNREADABLE,
    httpx.TooManyRedirects: UNREADABLE,
    httpx.CloseError: MAY_HAVE_ARRIVED,
    httpx.CookieConflict: MAY_HAVE_ARRIVED,
    httpx.HTTPError: MAY_HAVE_ARRIVED,
    httpx.HTTPStatusError: MAY_HAVE_ARRIVED,
    httpx.LocalProtocolError: MAY_HAVE_ARRIVED,
    httpx.NetworkError: MAY_HAVE_ARRIVED,
    httpx.ProtocolError: MAY_HAVE_ARRIVED,
    httpx.ReadError: MAY_HAVE_ARRIVED,
    httpx.ReadTimeout: MAY_HAVE_ARRIVED,
    httpx.RemoteProtocolError: MAY_HAVE_ARRIVED,
    httpx.RequestError: MAY_HAVE_ARRIVED,
    httpx.RequestNotRead: MAY_HAVE_ARRIVED,
    httpx.ResponseNotRead: MAY_HAVE_ARRIVED,
    httpx.StreamClosed: MAY_HAVE_ARRIVED,
    httpx.StreamConsumed: MAY_HAVE_ARRIVED,
    httpx.StreamError: MAY_HAVE_ARRIVED,
    httpx.TimeoutException: MAY_HAVE_ARRIVED,
    httpx.TransportError: MAY_HAVE_ARRIVED,
    httpx.WriteError: MAY_HAVE_ARRIVED,
    httpx.WriteTimeout: MAY_HAVE_ARRIVED,
}

BY_STATUS = {
    303: (BadAnswer, OutcomeUnknown),
    400: (InvalidArguments, InvalidArguments),
    401: (Unauthorized, Unauthorized),
    402: (InsufficientCredits, InsufficientCredits),
    403: (Unauthorized, Unauthorized),
    404: (UnknownEnrichment, BadAnswer),
    408: (ServiceUnavailable, ServiceUnavailable),
    409: (InvalidArguments, OutcomeUnknown),  # a request with this key is in progress
    410: (UnknownEnrichment, BadAnswer),
    422: (InvalidArguments, InvalidArguments),
    425: (ServiceUnavailable, ServiceUnavailable),
    429: (RateLimited, RateLimited),
    503: (ServiceUnavailable, ServiceUnavailable),
}
BY_HUNDRED = {
    1: (BadAnswer, BadAnswer),
    2: (BadAnswer, OutcomeUnknown),  # accepted, but the body cannot be parsed
    3: (BadAnswer, BadAnswer),
    4: (InvalidArguments, InvalidArguments),
    5: (ServiceUnavailable, OutcomeUnknown),
}


class Raises(httpx.AsyncBaseTransport):
    """A transport below httpx that raises this error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        raise self._error


class Says(httpx.AsyncBaseTransport):
    """Answers with a status that no server can end an exchange with."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(self._status, content=HTML)


def _instance(kind: type[Exception]) -> Exception:
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", "http://x")
        return httpx.HTTPStatusError("x", request=request, response=httpx.Response(500))
    try:
        return kind("x")
    except TypeError:
        return kind()


async def _of_get_and_post(
    url: str, transport: httpx.AsyncBaseTransport | None
) -> tuple[type[Exception], type[Exception]]:
    reading, asking = HTTPApi(url, None, transport), HTTPApi(url, None, transport)
    with pytest.raises(EnrichmentError) as got:
        await reading.get("e1")
    with pytest.raises(EnrichmentError) as posted:
        await asking.post(ASKED, key="key")
    await reading.aclose()
    await asking.aclose()
    return got.type, posted.type


def test_the_table_names_every_exception_that_httpx_has() -> None:
    kinds = {
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert kinds == set(ON_GET_AND_POST)


@pytest.mark.parametrize("kind", ON_GET_AND_POST, ids=lambda kind: kind.__name__)
async def test_each_exception_of_httpx_is_an_error_of_the_tree(kind: type[Exception]) -> None:
    raises = Raises(_instance(kind))
    assert await _of_get_and_post("http://x", raises) == ON_GET_AND_POST[kind]


@pytest.mark.parametrize("kind", [OSError, ValueError, RuntimeError, KeyError, ExceptionGroup])
async def test_an_exception_that_httpx_does_not_wrap_is_an_error_of_the_tree_too(
    kind: type[Exception],
) -> None:
    error = ExceptionGroup("x", [OSError()]) if kind is ExceptionGroup else kind()
    assert await _of_get_and_post("http://x", Raises(error)) == MAY_HAVE_ARRIVED


async def test_each_status_from_100_to_599_is_an_error_of_the_tree(vendor: ScriptedServer) -> None:
    wrong = {}
    for status in range(100, 600):
        if status < 200:
            kinds = await _of_get_and_post("http://x", Says(status))
        else:
            vendor.will(*[replies(status, b"" if status in (204, 304) else HTML)] * 2)
            kinds = await _of_get_and_post(vendor.url, None)
        if kinds != BY_STATUS.get(status, BY_HUNDRED[status // 100]):
            wrong[status] = kinds
    assert not wrong
    assert len(vendor.posts) == 400


@pytest.mark.parametrize("status", [404, 410])
async def test_only_an_id_can_be_unknown(vendor: ScriptedServer, status: int) -> None:
    vendor.will(replies(status))
    with pytest.raises(BadAnswer):
        await HTTPApi(vendor.url, None, None).credits()
