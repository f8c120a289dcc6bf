"""How a caller is told what its credential lacks (RFC 6750, section 3, and RFC 9728, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from mcp_enrichment import PROGRAM
from mcp_enrichment.mcp.http.auth.principal import Scope
from mcp_enrichment.mcp.http.http_error import HTTPError

NO_CREDENTIAL = "Send a credential: Authorization: Bearer <key or access token>."
BAD_CREDENTIAL = "The credential is unknown, expired, or not meant for this server."
MALFORMED = "There must be one Authorization header, of the form: Bearer <key or access token>."
UNCHECKED = "The credential cannot be checked at the moment. Try again in a minute."


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenges:
    """The refusals of one server."""

    metadata_url: str | None = None
    """Where the server says which issuer it trusts; None where it trusts none."""

    def no_credential(self) -> HTTPError:
        """Asks for both scopes at once: one consent, since who may not request has little to do."""
        return self._refused(401, NO_CREDENTIAL, scope=" ".join(Scope))

    def bad_credential(self) -> HTTPError:
        return self._refused(401, BAD_CREDENTIAL, error="invalid_token", scope=" ".join(Scope))

    def malformed(self) -> HTTPError:
        return self._refused(400, MALFORMED, error="invalid_request")

    def missing(self, scope: Scope) -> HTTPError:
        """The credential is good, and not enough."""
        sentence = f"This needs a token with the scope {scope}."
        return self._refused(403, sentence, error="insufficient_scope", scope=scope)

    def unchecked(self, retry_after: float | None) -> HTTPError:
        """Whether the credential is good cannot be told: it is not refused for good."""
        return HTTPError(503, UNCHECKED, headers={"Retry-After": str(int(retry_after or 30))})

    def _refused(
        self, status: int, sentence: str, *, error: str = "", scope: str = ""
    ) -> HTTPError:
        said = {
            "realm": PROGRAM,
            "error": error,
            "error_description": sentence if error else "",
            "scope": scope if self.metadata_url else "",
            "resource_metadata": self.metadata_url or "",
        }
        challenge = ", ".join(f'{name}="{value}"' for name, value in said.items() if value)
        return HTTPError(status, sentence, headers={"WWW-Authenticate": f"Bearer {challenge}"})
