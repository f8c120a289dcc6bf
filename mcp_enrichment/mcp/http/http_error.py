"""What HTTP itself refuses, before the protocol sees it: told as HTTP and as JSON-RPC at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_ERROR = -32000
"""Of the codes that JSON-RPC leaves to servers."""


class HTTPError(Exception):
    """A request that goes no further. The sentence holds no text from outside."""

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

    def answer(self) -> JSONResponse:
        """The answer. Its `id` is null where the request's is not known: clients take it for that
        of the request it answers."""
        error = {"code": self.code, "message": str(self)}
        body = {"jsonrpc": "2.0", "id": self._request_id, "error": error}
        return JSONResponse(body, self.status, headers=self._headers)
