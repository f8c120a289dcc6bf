"""The public keys of an OAuth issuer: fetched by its metadata, cached, and bounded."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import anyio
from pydantic import BaseModel, Field

from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.errors import ServiceUnavailable
from mcp_enrichment.net.http import http_client, read_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

M = TypeVar("M", bound=BaseModel)

logger = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
"""Age up to which cached keys are used: a withdrawn key is accepted that long."""
STALE_SECONDS = DAY
"""Age up to which they are used while the issuer cannot be reached."""
RETRY_SECONDS = 30.0
"""Seconds between two fetches, however many tokens name an unknown key."""
FETCH_SECONDS = 5.0
MAX_DOCUMENT = 256 * 1024
"""Bytes."""
MAX_KEYS = 100


class _Metadata(BaseModel):
    issuer: str
    jwks_uri: str


class _KeySet(BaseModel):
    keys: list[dict[str, Any]] = Field(max_length=MAX_KEYS)


class _FetchFailed(Exception):
    """No response, or not the document."""


class JWKSCache:
    """The keys of one issuer, fetched on first use."""

    def __init__(
        self, issuer: str, *, url: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`url`: of the JSON Web Key Set; None: the issuer's metadata names it."""
        self._issuer = issuer
        self._url = url
        self._clock = clock
        self._keys: Sequence[dict[str, Any]] = ()
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = anyio.Lock()

    async def __call__(self, key_id: str | None) -> Sequence[dict[str, Any]]:
        """The keys with this `kid`; all keys for None. Raises `ServiceUnavailable`."""
        if not self._knows(key_id):
            async with self._fetching:
                if not self._knows(key_id):
                    await self._refresh()
        if self._age() > STALE_SECONDS:
            raise ServiceUnavailable(retry_after=RETRY_SECONDS)
        return self._named(key_id)

    def _knows(self, key_id: str | None) -> bool:
        """Whether a fetch is not needed, or not allowed yet."""
        if self._clock() - self._tried_at < RETRY_SECONDS:
            return True
        return self._age() < FRESH_SECONDS and bool(self._named(key_id))

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _named(self, key_id: str | None) -> Sequence[dict[str, Any]]:
        return [key for key in self._keys if key_id in (None, key.get("kid"))]

    async def _refresh(self) -> None:
        try:
            with anyio.fail_after(FETCH_SECONDS):
                found = await _document(self._url or await self._named_url(), _KeySet)
        except (_FetchFailed, TimeoutError):
            logger.warning("the issuer's keys cannot be fetched")
            return
        finally:
            self._tried_at = self._clock()
        self._keys = [key for key in found.keys if key.get("use", "sig") == "sig"]
        self._fetched_at = self._clock()

    async def _named_url(self) -> str:
        for where in _metadata_urls(self._issuer):
            try:
                metadata = await _document(where, _Metadata)
            except _FetchFailed:
                continue
            if metadata.issuer != self._issuer:
                _log_issuer_mismatch(metadata.issuer, self._issuer)
            elif _is_as_safe(metadata.jwks_uri, self._issuer):
                return metadata.jwks_uri
        raise _FetchFailed


def _log_issuer_mismatch(named: str, expected: str) -> None:
    """Issuers are compared exactly (RFC 8414, section 3.3), in metadata and in tokens."""
    if named.rstrip("/") == expected.rstrip("/"):
        logger.warning(
            "the issuers differ by a / at the end: the metadata says %s, and "
            "ENRICHMENT_OAUTH_ISSUER %s; set it as the metadata has it",
            named,
            expected,
        )
    else:  # the other name is text from outside
        logger.warning(
            "the issuers differ: the metadata of ENRICHMENT_OAUTH_ISSUER, %s, names another one",
            expected,
        )


def _metadata_urls(issuer: str) -> Iterator[str]:
    """The URLs of the metadata: RFC 8414, section 3.1, and OpenID Connect Discovery."""
    scheme, netloc, path, *_ = urlsplit(issuer.rstrip("/"))
    root = f"{scheme}://{netloc}/.well-known"
    yield f"{root}/oauth-authorization-server{path}"
    yield f"{scheme}://{netloc}{path}/.well-known/openid-configuration"
    if path:
        yield f"{root}/openid-configuration{path}"


def _is_as_safe(url: str, issuer: str) -> bool:
    """Whether it is https, or on the issuer's own host (http is allowed on loopback only)."""
    scheme, netloc, *_ = urlsplit(url)
    return scheme == "https" or (scheme, netloc) == urlsplit(issuer)[:2]


async def _document(url: str, model: type[M]) -> M:
    """Fetch a document. Each has its own HTTP client: it may be on another host."""
    accepts = {"accept": "application/json"}
    try:
        async with (
            http_client(url, accepts, None) as http,
            http.stream("GET", url, timeout=FETCH_SECONDS) as response,
        ):
            body = await read_limited(response, most=MAX_DOCUMENT) if response.is_success else b""
        return model.model_validate_json(body)
    except Exception as error:  # any exception: the token is not known to be invalid
        raise _FetchFailed from error
