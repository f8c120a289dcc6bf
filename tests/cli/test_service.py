"""`mcp-enrichment service` serves the contract over HTTP, beside the user's other processes."""

from __future__ import annotations

import json
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.accounts.teams import embedded_team
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.cli.commands import ADA, Shell
from tests.support.waiting import HANG

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from sqlalchemy import Connection


@contextmanager
def serving(shell: Shell, port: int = 0, **settings: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """The service as a process, and the URL that it says it serves on."""
    process = shell.start("service", "--port", str(port), **settings)
    try:
        assert process.stderr
        said = json.loads(process.stderr.readline())["message"]
        assert said.startswith("Serving on http://127.0.0.1:"), said
        yield process, said.split()[2]
    finally:
        process.kill()
        process.communicate(timeout=HANG)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def key_of(shell: Shell) -> str:
    """A key for the same team that the commands act for."""

    def make(connection: Connection) -> str:
        embedded_team(connection, at=0)
        return api_keys.create(connection, DEFAULT_TEAM, at=0).key

    database = open_sqlite(shell.database)
    made = database.write_now(make)
    database.close()
    return made


def client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=HANG)


def test_the_service_serves_the_contract_on_the_port_that_was_chosen(with_contacts: Shell) -> None:
    port, key = free_port(), key_of(with_contacts)
    with serving(with_contacts, port) as (_, url), client(url, key) as http:
        assert url == f"http://127.0.0.1:{port}"
        assert http.get(CREDITS).json() == {"balance": 250, "held": 0}
        posted = http.post(ENRICHMENTS, json={"linkedin_url": ADA, "type": "work"})
        assert posted.status_code == 201
        its_url = f"{ENRICHMENTS}/{posted.json()['_id']}"
        found = http.get(its_url, headers={"prefer": "wait=60"}).json()
        assert found["email"] == {"email": "ada.okafor@example.com", "type": "work"}


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(number: signal.Signals, shell: Shell) -> None:
    key = key_of(shell)
    with serving(shell) as (process, url):
        with client(url, key) as http:
            assert http.get(CREDITS).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=HANG)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_reported_and_what_to_choose(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = shell.run("service", "--port", str(port)).refused()
    assert f"Port {port}" in told
    assert "--port" in told


def test_a_folder_that_cannot_be_made_is_reported(shell: Shell) -> None:
    (shell.folder / "data").touch()
    assert "ENRICHMENT_DATA_DIR" in shell.run("service", "--port", "0").refused()


def test_two_services_and_a_command_share_one_folder(with_contacts: Shell) -> None:
    key = key_of(with_contacts)
    with (
        serving(with_contacts) as (_, one),
        serving(with_contacts) as (_, other),
        client(one, key) as here,
        client(other, key) as there,
    ):
        posted = here.post(ENRICHMENTS, json={"linkedin_url": ADA, "type": "work"})
        its_path = f"{ENRICHMENTS}/{posted.json()['_id']}"
        found = there.get(its_path, headers={"prefer": "wait=60"})
        assert found.json()["status"] == "completed"
        assert with_contacts.balance() == 249
        assert with_contacts.run("enrich", ADA).out == "ada.okafor@example.com\n"
        assert there.get(CREDITS).json() == {"balance": 248, "held": 0}


def test_the_commands_of_a_team_talk_to_its_service(with_contacts: Shell) -> None:
    key = key_of(with_contacts)
    with serving(with_contacts) as (_, url):
        member = Shell(with_contacts.folder / "member")
        member.folder.mkdir()
        assert member.run("enrich", ADA, API_URL=url, API_KEY=key).out == "ada.okafor@example.com\n"
        assert with_contacts.balance() == 249
        assert not member.database.exists()
