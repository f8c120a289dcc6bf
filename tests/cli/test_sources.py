"""`sources list` shows how each source performs; `sources check` tries one before it is used."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from mcp_enrichment.cli import main
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.lookup.circuit_breaker import Circuit
from mcp_enrichment.service.privacy.subject_requests import NamedSubject, suppress
from mcp_enrichment.service.sources import factory
from mcp_enrichment.service.sources.base import Hit, InProgress, Misconfigured, Miss, Unavailable
from mcp_enrichment.settings import Settings
from mcp_enrichment.setup.entry import settings_to_pass_on
from tests.cli.commands import ADA
from tests.support.running_service import ADAS, running_service
from tests.support.scripted_vendors import ScriptedVendor, scripted_vendor

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
KEY = "sk-of-hunter-1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "enrichment.db"


@pytest.fixture
def hunter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedVendor:
    """A scripted vendor of this name, with its key set."""
    vendor = scripted_vendor(Miss(), name="hunter")
    monkeypatch.setattr(factory, "NAMES", frozenset({"hunter", "people-data"}))
    monkeypatch.setattr(factory, "create_vendor", lambda _name, _key: vendor)
    monkeypatch.setenv("ENRICHMENT_SOURCES", "contacts, hunter")
    monkeypatch.setenv("ENRICHMENT_HUNTER_API_KEY", KEY)
    monkeypatch.setenv("ENRICHMENT_DATA_DIR", str(tmp_path))
    return vendor


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["sources", *arguments], input=typed, catch_exceptions=False)


async def test_the_list_says_what_each_was_asked_found_and_charged(
    path: Path, hunter: ScriptedVendor
) -> None:
    async with running_service(path, hunter) as it:
        await it.final(await it.accepted())
        hunter.says[0] = Hit(email=ADAS, cost=1.5)
        await it.final(await it.accepted(type="personal"))
    contacts, line, warning = run("list").stdout.splitlines()
    assert contacts.startswith("1. contacts\tready\tfree\tasked 0,")
    assert line.startswith("2. hunter\tready\t2 of its credits for an address, 0 for a miss\t")
    assert "asked 2, 1 hits, 1 misses, 0 answers lost, spent 1.5, median 0.0 s" in line
    assert "not tried with a real key" in warning


async def test_the_list_says_who_is_left_alone_until_when_and_why(
    path: Path, hunter: ScriptedVendor
) -> None:
    hunter.says[0] = Misconfigured()
    async with running_service(path, hunter) as it:
        await it.final(await it.accepted())
    assert "\tpaused until 2" in run("list").stdout
    assert ": it refuses its key or its settings\t" in run("list").stdout


def test_a_check_asks_for_the_balance_alone_and_ends_being_left_alone(
    path: Path, hunter: ScriptedVendor
) -> None:
    database = open_sqlite(path)
    alone = Circuit(source="hunter", failures=9, reason="lost", open_until=time.time() + 999)
    database.write_now(lambda c: circuit_breaker.put(c, alone))
    done = run("check", "hunter")
    assert done.exit_code == 0
    assert "balance: 99\n" in done.stdout
    assert hunter.asked == ["closed"]
    assert (
        database.read_now(lambda c: circuit_breaker.open_circuit(c, "hunter", now=time.time()))
        is None
    )
    database.close()


def test_a_lookup_is_made_only_once_its_price_was_agreed_to(hunter: ScriptedVendor) -> None:
    refused = run("check", "hunter", "--profile", ADA, typed="n\n")
    assert refused.exit_code == 1
    assert "2 of its credits for an address, 0 for a miss" in refused.stdout
    assert hunter.asked == []
    assert run("check", "hunter", "--profile", ADA, typed="y\n").exit_code == 0
    assert hunter.asked == [ADA, "closed"]


def test_a_lookup_shows_the_address_masked_also_from_one_that_takes_its_time(
    hunter: ScriptedVendor,
) -> None:
    hunter.says[0] = InProgress(job_id="t", poll_after=0)
    hunter.tells.append(Hit(email=ADAS, checked_at=1_700_000_000))
    done = run("check", "hunter", "--profile", ADA, "--yes")
    assert "lookup: a***@example.com, unverified, checked 2023-11-14\n" in done.stdout
    assert ADAS not in done.output


@pytest.mark.parametrize("url", [ADA, ADA.replace("www.", "de.") + "/?trk=x"])
def test_nobody_is_asked_about_a_person_who_asked_to_be_left_out(
    path: Path, hunter: ScriptedVendor, url: str
) -> None:
    _suppress(path, NamedSubject(profile=ADA))
    refused = run("check", "hunter", "--profile", url, "--yes")
    assert refused.exit_code == 2
    assert "on the suppression list" in refused.stderr
    assert hunter.asked == []


def test_a_suppressed_address_is_not_shown_masked_either(
    path: Path, hunter: ScriptedVendor
) -> None:
    _suppress(path, NamedSubject(address=ADAS))
    hunter.says[0] = Hit(email=ADAS)
    done = run("check", "hunter", "--profile", ADA, "--yes")
    assert done.exit_code == 0
    assert "lookup: it has no address that may be given out\n" in done.stdout
    assert "***" not in done.output


def test_a_vendor_is_not_asked_for_a_kind_of_address_that_it_does_not_have(
    hunter: ScriptedVendor,
) -> None:
    hunter.email_types = frozenset({EmailType.WORK})
    refused = run("check", "hunter", "--profile", ADA, "--type", "personal", "--yes")
    assert refused.exit_code == 2
    assert "hunter has no personal addresses" in refused.stderr
    assert hunter.asked == []


def test_a_vendor_without_credit_fails_the_check_and_stays_left_alone(
    path: Path, hunter: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing_left() -> float:
        return 0.0

    monkeypatch.setattr(hunter, "balance", nothing_left)
    database = open_sqlite(path)
    reason = "source-out-of-credit"
    alone = Circuit(source="hunter", failures=1, reason=reason, open_until=time.time() + 999)
    database.write_now(lambda c: circuit_breaker.put(c, alone))
    done = run("check", "hunter")
    assert (done.exit_code, "balance: 0\n" in done.stdout) == (1, True)
    assert database.read_now(lambda c: circuit_breaker.open_circuit(c, "hunter", now=time.time()))
    database.close()


def _suppress(path: Path, subject: NamedSubject) -> None:
    database = open_sqlite(path)
    suppress(database, subject, at=time.time())
    database.close()


@pytest.mark.parametrize("failure", [Misconfigured(), Unavailable()])
def test_a_source_that_does_not_answer_fails_the_check(
    hunter: ScriptedVendor, failure: Misconfigured | Unavailable
) -> None:
    hunter.says[0] = failure
    assert run("check", "hunter", "--profile", ADA, "--yes").exit_code == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SOURCES": "contacts,hunt"}, "unknown source; the sources are contacts, hunter"),
        ({"SOURCES": "contacts,contacts"}, "a source is listed twice"),
        ({"SOURCES": "people-data"}, "set ENRICHMENT_PEOPLE_DATA_API_KEY"),
        ({"HUNTER_API_KEY": "", "HUNTER_API_KEY_FILE": "key"}, "must be an absolute path"),
        ({"HUNTER_API_KEY": "", "HUNTER_API_KEY_FILE": "/no/such"}, "cannot be read"),
    ],
)
def test_settings_that_cannot_work_end_every_command_with_the_name_of_the_setting(
    hunter: ScriptedVendor,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"ENRICHMENT_{name}", value)
    done = run("list")
    assert done.exit_code == 2
    assert "ENRICHMENT_SOURCES: " in done.stderr
    assert said in done.stderr


def test_a_key_may_lie_in_a_file_and_is_never_shown(
    hunter: ScriptedVendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.delenv("ENRICHMENT_HUNTER_API_KEY")
    monkeypatch.setenv("ENRICHMENT_HUNTER_API_KEY_FILE", str(tmp_path / "key"))
    keys = Settings().vendor_keys
    assert keys["hunter"].get_secret_value() == KEY
    assert KEY not in f"{keys} {Settings()!r}"


def test_a_chat_client_is_given_the_files_of_keys_and_a_key_only_where_that_is_wanted(
    hunter: ScriptedVendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = str(tmp_path / "key")
    monkeypatch.setenv("ENRICHMENT_HUNTER_API_KEY_FILE", file)
    handed_on = settings_to_pass_on(Settings())
    assert handed_on["ENRICHMENT_SOURCES"] == "contacts, hunter"
    assert handed_on["ENRICHMENT_HUNTER_API_KEY_FILE"] == file
    assert handed_on["ENRICHMENT_HUNTER_API_KEY"] == KEY
