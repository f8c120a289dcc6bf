"""The keys of vendors: each from the environment, else from a file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from mcp_enrichment.contract.placeholders import path_problem, secret_problem
from mcp_enrichment.contract.text import strip_invisible
from mcp_enrichment.credentials.resolve import KeyFileUnreadable, read_key

KEYLESS_SOURCES = frozenset({"contacts", "inferred"})
"""Our own sources, which need no key."""


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
