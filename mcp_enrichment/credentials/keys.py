"""The API key and the keys of vendors: from the environment, else from a file or the keyring."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.contract.pasted_text import (
    decode_text,
    path_problem,
    secret_problem,
    strip_invisible,
)
from mcp_enrichment.credentials import system_keyring

KEYLESS_SOURCES = frozenset({"contacts", "inferred"})
"""Our own sources, which need no key."""
MAX_FILE_BYTES = 8192
"""A longer file is not a key file."""


class KeyFileUnreadable(Unauthorized):
    """The key cannot be read. Without it, requests would go to another service than intended."""

    explanation = Explanation(
        happened="The file that ENRICHMENT_API_KEY_FILE names cannot be read, or holds no key.",
        money=NOTHING_SENT,
        for_person="Correct its name or its content.",
        for_assistant="Ask the user to correct it; do not retry before that.",
    )


class KeyFilePlaceholder(KeyFileUnreadable):
    explanation = Explanation(
        happened="The file that ENRICHMENT_API_KEY_FILE names holds a placeholder, or quotation "
        "marks, and no key.",
        money=NOTHING_SENT,
        for_person="Put the key into it, and nothing else.",
        for_assistant="Ask the user to put the key into it, and nothing else; do not retry before "
        "that.",
    )


class KeyOrigin(StrEnum):
    """The origins of a key, in the order of precedence."""

    ENVIRONMENT = "ENRICHMENT_API_KEY"
    FILE = "the file of ENRICHMENT_API_KEY_FILE"
    KEYRING = "the system's keyring"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedKey:
    key: SecretStr
    origin: KeyOrigin


def resolve_key(given: SecretStr | None, file: Path | None, url: str) -> ResolvedKey | None:
    """The key for the server of this URL; None if there is none.

    Raises `KeyFileUnreadable` and `system_keyring.KeyringUnreadable`. The keyring is the last, as
    it may prompt the user. Its keys belong to one server each, and are never sent to another.
    """
    if given is not None:
        return ResolvedKey(key=given, origin=KeyOrigin.ENVIRONMENT)
    if file is not None:
        return ResolvedKey(key=read_key(file), origin=KeyOrigin.FILE)
    kept = strip_invisible(system_keyring.read(url) or "")
    return ResolvedKey(key=SecretStr(kept), origin=KeyOrigin.KEYRING) if kept else None


def read_key(file: Path) -> SecretStr:
    """Read a key file. Raises `KeyFileUnreadable`."""
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


class MissingVendorKey(ValueError):
    """The key of a vendor is missing or invalid. The message names the variable."""


def key_variable(vendor: str) -> str:
    """The variable of a vendor's key. With the suffix `_FILE`, it names a file."""
    return f"ENRICHMENT_{vendor.upper().replace('-', '_')}_API_KEY"


def vendor_key(vendor: str) -> SecretStr:
    """The key of the vendor of this name. Raises `MissingVendorKey`."""
    variable = key_variable(vendor)
    if given := strip_invisible(os.environ.get(variable, "")):
        if fault := secret_problem(given):
            raise MissingVendorKey(f"{variable}: {fault}")
        return SecretStr(given)
    file = strip_invisible(os.environ.get(f"{variable}_FILE", ""))
    if not file:
        raise MissingVendorKey(f"{vendor} needs its key: set {variable} or {variable}_FILE")
    if fault := path_problem(file):
        raise MissingVendorKey(f"{variable}_FILE: {fault}")
    path = Path(os.path.expanduser(file))
    if not path.is_absolute():  # a chat client starts the server in any folder
        raise MissingVendorKey(f"{variable}_FILE must be an absolute path")
    try:
        return read_key(path)
    except KeyFileUnreadable:
        raise MissingVendorKey(
            f"the file that {variable}_FILE names cannot be read, or holds no key but a placeholder"
        ) from None
