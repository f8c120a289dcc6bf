"""The API key: from the environment, else from a file, else from the system's keyring."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import SecretStr

from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.contract.placeholders import secret_problem
from mcp_enrichment.contract.text import decode_text, strip_invisible
from mcp_enrichment.credentials import system_keyring

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 8192
"""Bytes; what is longer is some other file."""


class KeyFileUnreadable(Unauthorized):
    """A key was promised, so going on without one would ask another service than was meant."""

    explanation = Explanation(
        happened="The file that ENRICHMENT_API_KEY_FILE names cannot be read, or holds no key.",
        money=NOTHING_SENT,
        for_person="Correct its name or its content.",
        for_assistant="Ask the user to correct it; do not retry before that.",
    )


class KeyFilePlaceholder(KeyFileUnreadable):
    """There is a text, and no key."""

    explanation = Explanation(
        happened="The file that ENRICHMENT_API_KEY_FILE names holds a placeholder, or quotation "
        "marks, and no key.",
        money=NOTHING_SENT,
        for_person="Put the key into it, and nothing else.",
        for_assistant="Ask the user to put the key into it, and nothing else; do not retry before "
        "that.",
    )


class KeyOrigin(StrEnum):
    """Where a key was found, in the order of looking."""

    ENVIRONMENT = "ENRICHMENT_API_KEY"
    FILE = "the file of ENRICHMENT_API_KEY_FILE"
    KEYRING = "the system's keyring"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedKey:
    """A key and its origin."""

    key: SecretStr
    origin: KeyOrigin


def resolve_key(given: SecretStr | None, file: Path | None, url: str) -> ResolvedKey | None:
    """The key for the server of this URL; None where nobody has set one.

    Raises `KeyFileUnreadable` and `system_keyring.KeyringUnreadable`. The keyring is asked last, as
    it may have to ask the user; a key is kept there for one server and never sent to another.
    """
    if given is not None:
        return ResolvedKey(key=given, origin=KeyOrigin.ENVIRONMENT)
    if file is not None:
        return ResolvedKey(key=read_key(file), origin=KeyOrigin.FILE)
    kept = strip_invisible(system_keyring.read(url) or "")
    return ResolvedKey(key=SecretStr(kept), origin=KeyOrigin.KEYRING) if kept else None


def read_key(file: Path) -> SecretStr:
    """The key that a file holds. Raises `KeyFileUnreadable`."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        key = strip_invisible(decode_text(content))
    except (OSError, ValueError) as error:
        raise KeyFileUnreadable from error
    if not key or len(content) > MAX_FILE_BYTES:
        raise KeyFileUnreadable
    if secret_problem(key):
        raise KeyFilePlaceholder
    return SecretStr(key)
