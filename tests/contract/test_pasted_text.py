"""A placeholder in a setting is never used as a value; all usual forms of keys are accepted."""

from __future__ import annotations

import base64
import random
import re
import string
import uuid

import pytest

from mcp_enrichment.contract.pasted_text import (
    api_key_problem,
    decode_text,
    path_problem,
    secret_problem,
    strip_invisible,
    url_problem,
)
from mcp_enrichment.contract.standard_webhooks import new_secret

PLACEHOLDERS = [
    "${ENRICHMENT_API_KEY}", "${user_config.api_key}", "${input:key}", "${env:KEY}", "${KEY:-x}",
    "Bearer ${KEY}", "${{ secrets.API_KEY }}", "{{key}}", "{{ key }}", "{env:KEY}", "{file:~/.key}",
    "$(KEY)", "$API_KEY", "$api_key", "$env:API_KEY", "%API_KEY%", "%key%", "@API_KEY@", "@@KEY@@",
    "{}", "{API_KEY}", "#{API_KEY}", "__API_KEY__", "<your-key>", "<API key>", "[your key]",
    "[object Object]", "op://vault/item/key",
    "YOUR_API_KEY", "your-api-key", "your_api_key_here", "YourApiKey", "sk-your-key", "my-key-here",
    "YOUR_ENRICHMENT_API_KEY", "INSERT_KEY_HERE", "paste your token here", "enter-api-key",
    "changeme", "CHANGE_ME", "change-this", "change it", "replace_me", "REPLACE_WITH_YOUR_KEY",
    "placeholder", "API_KEY", "apikey", "ENRICHMENT_API_KEY", "TODO", "TBD", "null", "None",
    "undefined", "xxx", "XXXXXXXX", "sk-xxxxxxxxxxxx", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "sk-****", "sk-ab...yz", "ab…yz", "••••••", '"sk-1234"', "'sk-1234'", "`sk-1234`", "“sk-1234”",
]  # fmt: skip


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_never_taken_for_a_key_and_never_repeated(text: str) -> None:
    fault = api_key_problem(text)
    assert fault
    assert not re.search("[$%<>{}]|sk-", fault)


BASE62, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
FORMS = {
    "hex": ("", HEX, (20, 32, 37, 40, 64), ""),
    "letters and digits": ("", BASE62, (17, 22, 24, 30, 40, 48), ""),
    "capitals": ("AKIA", string.ascii_uppercase + "234567", (16,), ""),
    "url-safe base64": ("", BASE62 + "-_", (22, 43, 64), ""),
    "base64": ("", BASE62 + "+/", (42,), "=="),
    "a short prefix": ("sk-", BASE62, (20, 48), ""),
    "a long prefix": ("sk-ant-api03-", BASE62 + "_-", (93,), "AA"),
    "a prefix with its kind": ("sk_live_", BASE62, (24, 99), ""),
    "with dots and tildes": ("8Q~", BASE62 + "_.~-", (34,), ""),
    "with a version": ("v1.0-", HEX, (146,), ""),
    "a token of parts": ("eyJhbGciOiJIUzI1NiJ9.", BASE62 + "-_", (80,), ".c2ln"),
    "our own": ("mcpe_0123456789ab_", HEX, (64,), ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_of_a_form_that_services_give_out_is_taken(form: str) -> None:
    prefix, letters, lengths, suffix = FORMS[form]
    chance = random.Random(form)  # noqa: S311 (the same ones each time)
    for length in [one for one in lengths for _ in range(500)]:
        # No three dots in a row: they mark a key that is shown with most of it hidden.
        key = "".join(chance.choices(letters, k=length)).replace("...", ".a.")
        assert api_key_problem(f"{prefix}{key}{suffix}") is None, (prefix, key)


def test_identifiers_and_secrets_of_webhooks_are_taken() -> None:
    chance = random.Random(1)  # noqa: S311 (the same ones each time)
    for _ in range(200):
        assert api_key_problem(str(uuid.UUID(bytes=chance.randbytes(16)))) is None
        assert api_key_problem(f"id:{base64.b64encode(chance.randbytes(18)).decode()}") is None
        assert secret_problem(new_secret()) is None


@pytest.mark.parametrize("key", ["a-key", "k", "secret", "my-team", "xx", "the-vendors-key"])
def test_a_key_that_a_team_chose_by_itself_is_taken(key: str) -> None:
    assert api_key_problem(key) is None


@pytest.mark.parametrize(
    "path",
    ["${HOME}", "${HOME}/data", "$HOME/data", "/srv/$USER/data", "%APPDATA%", r"%APPDATA%\it",
     r"C:\Users\%USERNAME%\it", "/path/to/data", "~/${name}", "<folder>"],
)  # fmt: skip
def test_a_variable_within_a_path_is_no_folder(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize(
    "path", ["/srv/data", "~/data", r"C:\Users\ada\it", r"\\host\c$\it", "/srv/100%/x", "/a/path/b"]
)
def test_a_folder_with_a_strange_name_is_one(path: str) -> None:
    assert path_problem(path) is None


def test_a_url_with_a_part_to_fill_in_is_none() -> None:
    for url in (
        "https://<host>/",
        "https://${HOST}",
        "postgresql://u:[YOUR-PASSWORD]@db.example/x",
    ):
        assert url_problem(url)
    for url in ("https://api.example/v1", "http://[::1]:8700", "https://a.example/%3Cb%3E"):
        assert url_problem(url) is None


def test_invisible_characters_around_a_copied_text_are_removed() -> None:
    for around in (" ", "\r\n", "\t", "\u00a0", "\u200b", "\ufeff", "\u2060\n", "\u200e", "\x00"):
        assert strip_invisible(f"{around}a key{around}") == "a key"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_that_editors_and_shells_write(encoding: str) -> None:
    assert decode_text("sk-ü\r\n".encode(encoding)) == "sk-ü\r\n"
