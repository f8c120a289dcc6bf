"""Sessions of the console: a signed cookie, and the token that each form carries.

Nothing is stored on the server, so any process with the same secret reads the session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION_SECONDS = 8 * 3600.0
LOCAL = "local"
"""In place of a key's id: the person who started the console on this machine."""
_ID_BYTES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One browser's session."""

    id: str
    key_id: str = ""
    """The id of the operator's key, or `LOCAL`; empty before the sign-in."""
    expires_at: int
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Signs and reads sessions with one secret."""

    secret: bytes
    clock: Callable[[], float]

    def start(self, key_id: str = "") -> Session:
        """A new session, for this key or for nobody yet."""
        expires_at = int(self.clock() + SESSION_SECONDS)
        return Session(id=secrets.token_hex(_ID_BYTES), key_id=key_id, expires_at=expires_at)

    def cookie(self, session: Session) -> str:
        """The signed value of the session's cookie."""
        return self.seal("session", f"{session.id}.{session.key_id}.{session.expires_at}")

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None if it is forged or has expired."""
        text = self.unseal("session", cookie)
        if text is None:
            return None
        session_id, key_id, expires_at = text.split(".")
        session = Session(id=session_id, key_id=key_id, expires_at=int(expires_at))
        return None if self.has_expired(session) else session

    def has_expired(self, session: Session) -> bool:
        """Whether the session's time is over."""
        return self.clock() >= session.expires_at

    def token(self, session: Session) -> str:
        """The token of the session's forms: another site cannot know it."""
        return self._sign("form", session.id)

    def is_token(self, session: Session, given: str) -> bool:
        """Whether a form of this session sent it."""
        return hmac.compare_digest(self.token(session).encode(), given.encode())

    def seal(self, purpose: str, text: str) -> str:
        """The text with a signature, in characters that a cookie may have."""
        encoded = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return f"{encoded}.{self._sign(purpose, encoded)}"

    def unseal(self, purpose: str, sealed: str) -> str | None:
        """The text that was sealed for this purpose; None if it is forged."""
        encoded, _, signature = sealed.partition(".")
        if not hmac.compare_digest(self._sign(purpose, encoded).encode(), signature.encode()):
            return None
        return base64.urlsafe_b64decode(f"{encoded}==").decode()

    def _sign(self, purpose: str, text: str) -> str:
        message = f"console {purpose} {text}".encode()
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()
