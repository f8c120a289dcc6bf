from __future__ import annotations

import pytest
from pydantic import ValidationError

from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.settings import Settings


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost.example", False),
        ("10.0.0.5", False),
        ("0.0.0.0", False),  # noqa: S104
        ("app.localhost", False),
        ("", False),
    ],
)
def test_only_loopback_counts_as_this_machine(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_an_issuer_is_trusted_without_encryption_on_any_address_of_this_machine() -> None:
    for host in ("localhost", "127.9.9.9", "[::1]"):
        Settings(oauth_issuer=f"http://{host}:9")
    for url in ("http://issuer.example", "http://10.0.0.5", "ftp://localhost"):
        with pytest.raises(ValidationError, match="https"):
            Settings(oauth_issuer=url)
