"""An error response before the SDK gets the request, in the form of HTTP and of JSON-RPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_ERROR = -32000
"""A code that JSON-RPC reserves for servers."""


class HTTPError(Exception):
    """The request is refused. The sentence contains no text from outside."""

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        code: int = SERVER_ERROR,
        request_id: str | int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.code = status, code
        self._request_id, self._headers = request_id, headers

    def response(self) -> JSONResponse:
        """The response. Its `id` is null if the id of the request is not known."""
        error = {"code": self.code, "message": str(self)}
        body = {"jsonrpc": "2.0", "id": self._request_id, "error": error}
        return JSONResponse(body, self.status, headers=self._headers)
