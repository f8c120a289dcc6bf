"""The system's keyring, with one key a server. Only this module uses the optional library.

The service name is the program's, and the user name is the URL of the server.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.errors import CommandError, Unauthorized
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

# The library searches for backends when it is imported, so it is imported only when needed.
# ruff: noqa: PLC0415


class KeyringUnreadable(Unauthorized):
    """The key cannot be read. Without it, requests would go to another service than intended."""

    explanation = Explanation(
        happened="The system's keyring is locked, or did not answer.",
        money=NOTHING_SENT,
        for_person="Unlock it, or set ENRICHMENT_API_KEY_FILE.",
        for_assistant="Ask the user to unlock it, or to set ENRICHMENT_API_KEY_FILE; do not retry "
        "before that.",
    )


class KeyringUnavailable(CommandError):
    """There is no keyring. The message names the alternative."""

    def __init__(self, why: str = "This system has no keyring that Python can use.") -> None:
        instead = "A file that only you can read serves too: name it in ENRICHMENT_API_KEY_FILE."
        super().__init__(f"{why} {instead}")


def is_installed() -> bool:
    return find_spec("keyring") is not None


def read(url: str) -> str | None:
    """The stored key for the server of this URL. Raises `KeyringUnreadable`."""
    try:
        with _backend() as keyring:
            return keyring.get_password(PROGRAM, url)
    except KeyringUnavailable:
        return None  # no key can be stored


def store(url: str, key: str) -> None:
    """Store the key for the server. Raises `KeyringUnavailable` and `KeyringUnreadable`."""
    with _backend() as keyring:
        keyring.set_password(PROGRAM, url, key)


def forget(url: str) -> bool:
    """Remove the key for the server, and return whether there was one. Raises as `store` does."""
    with _backend() as keyring:
        if keyring.get_password(PROGRAM, url) is None:
            return False
        keyring.delete_password(PROGRAM, url)
        return True


@contextmanager
def _backend() -> Iterator[KeyringBackend]:
    """The keyring of the system. Errors of the library become ours."""
    if not is_installed():
        raise KeyringUnavailable("The keyring is an extra: install mcp-enrichment[keyring].")
    import keyring
    from keyring.errors import KeyringError, NoKeyringError

    try:
        yield keyring.get_keyring()
    except NoKeyringError as error:
        raise KeyringUnavailable from error
    except (KeyringError, OSError) as error:
        raise KeyringUnreadable from error
