"""The system's keyring, one key a server: the only place that knows the optional library.

It shows the keys under the program's name; the user name there is the server's URL.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

# The library looks for backends when it is imported; who keeps no key there does not pay for it.
# ruff: noqa: PLC0415


class KeyringUnreadable(Unauthorized):
    """It may hold a key, so going on without one would ask another service than was meant."""

    explanation = Explanation(
        happened="The system's keyring is locked, or did not answer.",
        money=NOTHING_SENT,
        for_person="Unlock it, or set ENRICHMENT_API_KEY_FILE.",
        for_assistant="Ask the user to unlock it, or to set ENRICHMENT_API_KEY_FILE; do not retry "
        "before that.",
    )


class KeyringUnavailable(Exception):
    """There is nowhere to keep a key; the message says what to do instead."""

    def __init__(self, why: str = "This system has no keyring that Python can use.") -> None:
        instead = "A file that only you can read serves too: name it in ENRICHMENT_API_KEY_FILE."
        super().__init__(f"{why} {instead}")


def is_installed() -> bool:
    """Whether the optional library is there."""
    return find_spec("keyring") is not None


def read(url: str) -> str | None:
    """The key that is kept for the server of this URL. Raises `KeyringUnreadable`."""
    try:
        with _backend() as keyring:
            return keyring.get_password(PROGRAM, url)
    except KeyringUnavailable:
        return None  # then nothing can have been kept


def store(url: str, key: str) -> None:
    """Keep this key for the server, in place of an earlier one. Raises `KeyringUnavailable` and
    `KeyringUnreadable`."""
    with _backend() as keyring:
        keyring.set_password(PROGRAM, url, key)


def forget(url: str) -> bool:
    """Remove the server's key; whether there was one. Raises as `store` does."""
    with _backend() as keyring:
        if keyring.get_password(PROGRAM, url) is None:
            return False
        keyring.delete_password(PROGRAM, url)
        return True


@contextmanager
def _backend() -> Iterator[KeyringBackend]:
    """What keeps keys on this system; the seam from the library's errors to ours."""
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
