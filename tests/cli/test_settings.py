"""A variable's text is read as it was meant, or refused in one sentence with its name."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from mcp_enrichment.cli import main
from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.credentials.keys import KeyFileUnreadable, vendor_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Shell

SECRET, OTHER = ("whsec_" + text * 8 for text in ("c2VjcmV0", "b2xkZXIh"))


def read(monkeypatch: pytest.MonkeyPatch, **given: str) -> Any:
    for name, value in given.items():
        monkeypatch.setenv(f"ENRICHMENT_{name}", value)
    return load_settings()


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("log_level", "info", "INFO"),
        ("log_level", "INFO\r", "INFO"),
        ("log_level", "Warn", "WARNING"),
        ("log_level", "WARN\n", "WARNING"),
        ("confirm", "Always", "always"),
        ("confirm", " NEVER ", "never"),
        ("sandbox", "true ", True),
        ("sandbox", "\u00a0ON", True),
        ("check_mx", "No\r\n", False),
        ("reserve", " 5\r", 5),
        ("memory_days", "30 \n", 30.0),
        ("reserve", " \t", None),
        ("api_key", "\ufeffsk-1234\r\n", SecretStr("sk-1234")),
        ("api_key", " ", None),
        ("oauth_audience", "https://mcp.example/mcp\r", "https://mcp.example/mcp"),
        ("oauth_team", " acme ", "acme"),
        ("sources", " contacts , inferred ,", ("contacts", "inferred")),
        ("callback_ports", "80, 443 ,", (80, 443)),
        ("prices", " ", {}),
        ("prices", "hunter=0.10", {"hunter": Decimal("0.10")}),
        (
            "prices",
            " hunter = .02 ,wiza=0,\r\n",
            {"hunter": Decimal("0.02"), "wiza": Decimal(0)},
        ),
        ("currency", " €\r", "€"),
        ("currency", "US$", "US$"),
        ("push_secrets", f"{SECRET},", (SecretStr(SECRET),)),
        ("push_secrets", f" , {SECRET} ,, {OTHER}\r\n", (SecretStr(SECRET), SecretStr(OTHER))),
    ],
)
def test_white_space_capitals_and_a_comma_too_many_are_no_mistakes(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, meant: object
) -> None:
    assert getattr(read(monkeypatch, **{name.upper(): given}), name) == meant


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("API_KEY", "${ENRICHMENT_API_KEY}"),
        ("API_KEY", "YOUR_API_KEY"),
        ("API_KEY", '"sk-1234"'),
        ("API_KEY_FILE", "${HOME}/key"),
        ("API_URL", "${ENRICHMENT_API_URL}"),
        ("API_URL", "https://<host>/"),
        ("DATA_DIR", "${HOME}"),
        ("DATA_DIR", "/srv/$USER/data"),
        ("STATE_DIR", "%APPDATA%"),
        ("DATABASE_URL", "${DATABASE_URL}"),
        ("DATABASE_URL", "postgresql://ada:<password>@db.example/it"),
        ("DATABASE_URL", "postgresql://ada:[YOUR-PASSWORD]@db.example/it"),
        ("DATABASE_URL", "postgresql://ada:pl[ant]ed@db.example/it"),
        ("PRIVACY_KEY", "${PRIVACY_KEY_OF_THE_SUPPRESSION_LIST}"),
        ("HTTP_SECRET", "replace-this-with-your-own-secret-here"),
        ("HTTP_SECRET", " " * 40),
        ("OAUTH_ISSUER", "https://<tenant>.example/"),
        ("PUBLIC_URL", "https://${HOST}"),
        ("LOG_LEVEL", "${LOG_LEVEL}"),
        ("PUSH_SECRETS", "whsec_"),
        ("PUSH_SECRETS", " "),
        ("PUSH_SECRETS", " , "),
        ("PUSH_SECRETS", "whsec_YQ=="),
        ("PUSH_SECRETS", f"{SECRET},whsec_"),
        ("PUSH_SECRETS", f"{SECRET},whsec_YQ=="),
        ("PUSH_SECRETS", "whsec_" + "c2VjcmV0" * 11),
        ("PUSH_SECRETS", "${PUSH_SECRET}"),
        ("SOURCES", ","),
        ("PRICES", ","),
        ("PRICES", "wiza"),
        ("PRICES", "hunter=0,02"),
        ("PRICES", "hunter=cheap"),
        ("PRICES", "hunter=-0.02"),
        ("PRICES", "hunter=NaN"),
        ("PRICES", "hunter=Infinity"),
        ("PRICES", "hunter=1e9"),
        ("PRICES", "hunter=1,hunter=2"),
        ("PRICES", "contacts=0.02"),
        ("PRICES", "hunt=0.02"),
        ("CURRENCY", "${CURRENCY}"),
        ("CURRENCY", "guineas ha'pence"),
        ("CURRENCY", "E\tR"),
    ],
)
def test_an_invalid_value_is_refused_with_its_variable_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    with pytest.raises(click.UsageError, match=f"ENRICHMENT_{name}: ") as refusal:
        read(monkeypatch, **{name: given})
    assert not given.strip(" ,") or given not in refusal.value.message
    assert "ant" not in re.split(r"\W", refusal.value.message), "a part of the password"


def test_a_folder_that_is_called_by_a_placeholder_is_never_made(shell: Shell) -> None:
    for value in ("${HOME}", str(shell.folder / "${user_config.folder}")):
        assert "ENRICHMENT_DATA_DIR" in shell.run("credits", DATA_DIR=value).refused(code=2)
    assert list(shell.folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfsk-1234\r\n", "sk-1234\r\n".encode("utf-16")])
def test_a_key_file_of_any_editor_is_read_without_its_marks(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.txt"
    file.write_bytes(content)
    found = read(monkeypatch, API_KEY_FILE=f" {file}\r\n")
    assert found.key.key.get_secret_value() == "sk-1234"
    monkeypatch.setenv("ENRICHMENT_HUNTER_API_KEY_FILE", f"{file}\n")
    assert vendor_key("hunter").get_secret_value() == "sk-1234"


def test_a_key_file_with_a_placeholder_holds_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.txt"
    file.write_text("<your-key>\n")
    with pytest.raises(KeyFileUnreadable, match="holds a placeholder"):
        _ = read(monkeypatch, API_KEY_FILE=str(file)).key


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HUNTER_API_KEY", "${HUNTER_API_KEY}"), ("HUNTER_API_KEY_FILE", "$HOME/hunter.key")],
)
def test_a_vendors_key_that_was_not_filled_in_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(click.UsageError, match=f"ENRICHMENT_{variable}: "):
        read(monkeypatch, SOURCES="contacts,hunter", **{variable: value})


def examined(monkeypatch: pytest.MonkeyPatch, folder: Path, **given: str) -> list[str]:
    """The wrong settings that the doctor finds."""
    folders = {"DATA_DIR": str(folder / "data"), "STATE_DIR": str(folder / "state")}
    for name, value in (folders | given).items():
        monkeypatch.setenv(f"ENRICHMENT_{name}", value)
    monkeypatch.setenv("HOME", str(folder))
    done = CliRunner().invoke(main, ["doctor"])
    wrong = [line for line in done.output.splitlines() if line.startswith("wrong")]
    assert done.exit_code == bool(wrong), done.output
    return wrong


def test_doctor_names_the_placeholder_that_stands_for_a_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [wrong] = examined(monkeypatch, tmp_path, API_KEY="${ENRICHMENT_API_KEY}")
    assert "settings  ENRICHMENT_API_KEY: it holds a placeholder" in wrong


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_DIR", "/nonexistent"),
        ("ALL_PROXY", "socks4://proxy.example"),
    ],
)
def test_doctor_names_the_variable_that_keeps_the_server_from_being_reached(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    team = {"API_KEY": "sk-1234", "API_URL": "https://team.example"}
    [wrong] = examined(monkeypatch, tmp_path, **team)
    assert f"network   {variable} names a" in wrong
