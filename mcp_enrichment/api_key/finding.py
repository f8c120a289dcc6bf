"""The API key: from the environment, else from a file, else from the system's keyring."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import SecretStr

from mcp_enrichment.api_key import system_keyring
from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.contract.placeholders import secret_problem
from mcp_enrichment.contract.text import decode_text, strip_invisible

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_FILE = 8192
"""Bytes; what is longer is some other file."""


class KeyFileUnreadable(Unauthorized):
    """A key was promised, so going on without one would ask another service than was meant."""

    explanation = Explanation(
        happened="The file that ENRICHMENT_API_KEY_FILE names cannot be read, or holds no key.",
        money=NOTHING_SENT,
        for_person="Correct its name or its content.",
        for_assistant="Ask the user to correct it; do not retry before that.",
    )


class KeyFileUnfilled(KeyFileUnreadable):
    """There is a text, and no key."""

    explanation = Explanation(
        happened="The file that ENRICHMENT_API_KEY_FILE names holds a placeholder, or quotation "
        "marks, and no key.",
        money=NOTHING_SENT,
        for_person="Put the key into it, and nothing else.",
        for_assistant="Ask the user to put the key into it, and nothing else; do not retry before "
        "that.",
    )


class Origin(StrEnum):
    """Where a key was found, in the order of looking."""

    ENVIRONMENT = "ENRICHMENT_API_KEY"
    FILE = "the file of ENRICHMENT_API_KEY_FILE"
    KEYRING = "the system's keyring"


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundKey:
    """A key and its origin."""

    key: SecretStr
    origin: Origin


def find_key(given: SecretStr | None, file: Path | None, url: str) -> FoundKey | None:
    """The key for the server of this URL; None where nobody has set one.

    Raises `KeyFileUnreadable` and `system_keyring.KeyringUnreadable`. The keyring is asked last, as
    it may have to ask the user; a key is kept there for one server and never sent to another.
    """
    if given is not None:
        return FoundKey(key=given, origin=Origin.ENVIRONMENT)
    if file is not None:
        return FoundKey(key=read_key(file), origin=Origin.FILE)
    kept = strip_invisible(system_keyring.read(url) or "")
    return FoundKey(key=SecretStr(kept), origin=Origin.KEYRING) if kept else None


def read_key(file: Path) -> SecretStr:
    """The key that a file holds. Raises `KeyFileUnreadable`."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LONGEST_FILE + 1)
        key = strip_invisible(decode_text(content))
    except (OSError, ValueError) as error:
        raise KeyFileUnreadable from error
    if not key or len(content) > LONGEST_FILE:
        raise KeyFileUnreadable
    if secret_problem(key):
        raise KeyFileUnfilled
    return SecretStr(key)
