"""After an erasure, no file of the program contains the person's address: no database, write-ahead
log, log or export. A service runs meanwhile."""

from __future__ import annotations

import json
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio.to_thread
import httpx
import pytest

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import Verification
from mcp_enrichment.service.sources.base import Hit, Unavailable
from tests.cli.commands import Shell
from tests.support.running_service import rows, running_service, until
from tests.support.scripted_server import ScriptedServer, replies, scripted_server
from tests.support.scripted_vendors import scripted_vendor
from tests.support.waiting import HANG

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.commands import Done

pytestmark = pytest.mark.anyio
SLUG = "zelda-zyxwv"
PROFILE = f"https://www.linkedin.com/in/{SLUG}"
EMAIL = f"{SLUG}@lumenmail.example"
HEADER = "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
AT_VENDORS = f"{SLUG}@{SLUG}.example"
PUT_OFF = "SELECT 1 FROM jobs WHERE lease_until IS NULL AND run_at > ?"
TRIES = "SELECT count(*) FROM callback_attempts WHERE finished_at > 0"


def export_of(*, mailbox: str) -> str:
    """Her row and enough other rows that the tables have more than one page."""
    others = [
        f"O{n},Other,https://www.linkedin.com/in/o{n},o{n}@example.com,,," for n in range(900)
    ]
    her = f"Zelda,Zyxwv,{PROFILE},{mailbox},Lumen,CTO,05 Mar 2024"
    return HEADER + "\n".join([*others[:450], her, *others[450:]]) + "\n"


def spellings(text: str) -> set[bytes]:
    """The spellings in which a text can be in a file, in lower case."""
    encoded = {text.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")}
    escaped = {quote(text, safe="").encode(), json.dumps(text)[1:-1].encode()}
    return {one.lower() for one in encoded | escaped | {text.encode().hex().encode()}}


def files_with(folder: Path, *texts: str) -> list[str]:
    """The files that contain one of the texts, in any spelling, byte by byte."""
    wanted = set().union(*map(spellings, texts))
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [f.name for f in files if any(one in f.read_bytes().lower() for one in wanted)]


@asynccontextmanager
async def service(
    shell: Shell, receiver: ScriptedServer, name: str, key: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A service that logs as much as it can into a file; yields a client of it."""
    log = shell.folder / f"{name}.log"
    settings = {
        "LOG_LEVEL": "DEBUG",
        "CALLBACK_NETWORKS": "127.0.0.0/8",
        "CALLBACK_DELAYS": "0,0.01,0.01",
        "CALLBACK_PORTS": str(receiver.port),
    }
    with log.open("w") as stderr:
        process = shell.start("service", "--port", "0", popen={"stderr": stderr}, **settings)
        try:
            options = {"base_url": _url(log, process), "timeout": HANG}
            async with httpx.AsyncClient(headers={"x-api-key": key}, **options) as http:
                yield http
            process.send_signal(signal.SIGTERM)
            await anyio.to_thread.run_sync(process.wait, HANG)
        finally:
            process.kill()
            process.communicate(timeout=HANG)


def _url(log: Path, process: subprocess.Popen[str]) -> str:
    while process.poll() is None:
        if (first := log.read_text()).endswith("\n"):
            return str(json.loads(first.splitlines()[0])["message"].split()[2])
    raise AssertionError(log.read_text())


async def find_at_vendors(shell: Shell) -> None:
    """One vendor's address of her is returned; another's is stored during a wait for a third
    one."""
    told = Hit(email=AT_VENDORS, verification=Verification.VERIFIED)
    kept = Hit(email=AT_VENDORS, verification=Verification.UNVERIFIED, evidence=AT_VENDORS)
    away = Unavailable(retry_after=50)
    async with running_service(shell.database, scripted_vendor(told, name="hunter")) as it:
        await it.final(await it.accepted(linkedin_url=PROFILE))
    vendors = scripted_vendor(kept, name="wiza"), scripted_vendor(away, name="apollo")
    async with running_service(shell.database, *vendors) as it:
        await it.accepted(linkedin_url=PROFILE, type="personal", external_id=AT_VENDORS)
        await until(lambda: it.rows(PUT_OFF, time.time() + 30) != [])
        assert it.rows("SELECT email FROM source_calls WHERE source = 'wiza'") == [(AT_VENDORS,)]
        assert it.rows("SELECT email_local FROM contact_persons WHERE last_name = 'Zyxwv'") == [
            (SLUG,)
        ]


async def ask_all(http: httpx.AsyncClient, receiver: ScriptedServer) -> str:
    """Send all valid and invalid requests about her; return the id of her request."""
    asked = {"linkedin_url": PROFILE, "type": "work", "external_id": EMAIL}
    told = {"callback_url": f"{receiver.url}/{EMAIL}"}
    posted = await http.post(ENRICHMENTS, json=asked | told, headers={"idempotency-key": EMAIL})
    where = f"{ENRICHMENTS}/{posted.json()['_id']}"
    held = await http.get(where, headers={"prefer": "wait=60"})
    assert (
        (await http.get(where)).json()["email"]["email"] == held.json()["email"]["email"] == EMAIL
    )
    await http.post(ENRICHMENTS, json={"linkedin_url": EMAIL, "type": EMAIL})
    await http.post(ENRICHMENTS, json=asked, headers={"idempotency-key": EMAIL})
    await http.post(ENRICHMENTS, content=EMAIL)
    await http.get(f"{ENRICHMENTS}/{EMAIL}", params={"q": EMAIL})
    await http.get(f"/{quote(EMAIL)}")
    await http.get(CREDITS, headers={"x-api-key": EMAIL})
    return where


async def test_after_an_erasure_nothing_of_the_person_is_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, theirs = Shell(tmp_path / "ours"), tmp_path / "theirs.csv"
    shell.folder.mkdir()
    said: list[Done] = []

    async def run(*command: str) -> Done:
        said.append(await anyio.to_thread.run_sync(lambda: shell.run(*command, LOG_LEVEL="DEBUG")))
        assert said[-1].code == 0, said[-1].err
        return said[-1]

    for mailbox in (f"{SLUG}.old@lumenmail.example", EMAIL):
        theirs.write_text(export_of(mailbox=mailbox))
        await run("contacts", "import", str(theirs))
    await run("enrich", PROFILE)
    await find_at_vendors(shell)
    said.clear()  # the export printed the address, as it should
    await run("teams", "add", "lumen", "--credits", "9")
    key = (await run("keys", "create", "lumen")).out.strip()
    async with scripted_server() as receiver, scripted_server() as collector:
        collector.always(replies(200))
        receiver.will(replies(503), replies(200))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        async with (
            service(shell, receiver, "one", key) as http,
            service(shell, receiver, "two", key) as other,
        ):
            where = await ask_all(http, receiver)
            await until(lambda: rows(shell.database, TRIES) == [(2,)])
            assert (await other.get(where)).json()["email"]["email"] == EMAIL
            for email in (EMAIL, AT_VENDORS):
                assert "enrichment.db" in " ".join(files_with(shell.folder, email)), "it was there"
            erased = await run("privacy", "erase", "--profile", PROFILE)
            assert files_with(shell.folder, "zyxwv", "lumenmail") == []
            for one in (http, other):
                told = (await one.get(where)).json()
                assert (told["status"], told["reason"]) == ("not-found", "erased")
        exported = b"".join(seen.body for seen in collector.seen)
    assert files_with(shell.folder, "zyxwv", "lumenmail") == []
    assert "people: 1\nrequests: 4\nsource_calls: 5\n" in erased.out
    assert "Remembered questions: 1. Suppressed: 4." in erased.out
    printed = "".join(done.out + done.err for done in said) + str(exported)
    assert exported
    assert not any(word in printed.lower() for word in ("zyxwv", "lumenmail"))
