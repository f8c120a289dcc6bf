"""`mcp-enrichment service` serves the contract on a port, or ends with one plain sentence."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx
import pytest

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.requests import request_table
from mcp_enrichment.service.requests.request_table import Request
from tests.support import forks
from tests.support.databases import open_place, rows, settings_of
from tests.support.running_service import ADA, ledger_is_exact, until
from tests.support.scripted_server import hangs, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "mcp_enrichment", "service", "--port"]


@contextmanager
def served(
    place: Place,
    port: int = 0,
    *,
    callbacks_to: int = 80,
    popen: dict[str, Any] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    callbacks = {
        "ENRICHMENT_CALLBACK_NETWORKS": "127.0.0.0/8",
        "ENRICHMENT_CALLBACK_PORTS": f"443,{callbacks_to}",
        "ENRICHMENT_STOP_SECONDS": "1",
    }
    environment = os.environ | settings_of(place) | callbacks
    with forks.popen(
        [*PROGRAM, str(port)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **popen or {},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _request_that_never_ends(place: Place) -> str:
    """Add a request without a job, so that no worker completes it."""
    request_id = "0" * 24

    def add(connection: Connection) -> None:
        team_id = teams.team_id_of(connection, "acme")
        new = Request(
            id=request_id, team_id=team_id, linkedin_url=ADA, type=EmailType.WORK, created_at=0
        )
        request_table.add(connection, new)

    database = open_place(place)
    database.write_now(add)
    database.close()
    return request_id


def _end_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=HANG)


def _key(place: Place) -> str:
    """A key of a team with 250 credits."""

    def make(connection: Connection) -> str:
        teams.add(connection, "acme", 250, at=0)
        return api_keys.create(connection, "acme", at=0).key

    database = open_place(place)
    made = database.write_now(make)
    database.close()
    return made


def _client(process: subprocess.Popen[str], key: str) -> httpx.AsyncClient:
    assert process.stderr
    said = re.search(r"http://[0-9.:]+", process.stderr.readline())
    assert said
    return httpx.AsyncClient(base_url=said[0], headers={"x-api-key": key}, timeout=HANG)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_the_contract_until_it_is_stopped(
    place: Place, end: signal.Signals
) -> None:
    key = _key(place)
    async with scripted_server() as receiver:
        receiver.will(hangs())
        with served(place, callbacks_to=receiver.port) as process:
            async with _client(process, key) as http:
                asked = {"linkedin_url": ADA, "type": "work", "callback_url": receiver.url}
                first = await http.post(ENRICHMENTS, json=asked)
                where = f"{ENRICHMENTS}/{first.json()['_id']}"
                body = (await http.get(where, headers={"prefer": "wait=60"})).json()
                balance = (await http.get(CREDITS)).json()
                await until(lambda: len(receiver.seen) == 1)
                process.send_signal(end)
                out, told = await anyio.to_thread.run_sync(_end_of, process)
    assert (first.status_code, body["status"], body["reason"]) == (201, "not-found", "no-contacts")
    assert balance == {"balance": 250, "held": 0}
    assert out == ""
    assert "Traceback" not in told
    assert rows(place, "SELECT kind, lease_owner FROM jobs") == [("deliver", None)]
    ledger_is_exact(place)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_a_held_answer_is_given_when_the_service_is_told_to_end(
    place: Place, end: signal.Signals
) -> None:
    key, statuses = _key(place), []

    async def hold(http: httpx.AsyncClient, where: str) -> None:
        answer = await http.get(where, headers={"prefer": "wait=60"}, timeout=HANG)
        statuses.append((answer.status_code, answer.json()["status"]))

    with served(place) as process:
        async with _client(process, key) as http, anyio.create_task_group() as tasks:
            where = f"{ENRICHMENTS}/{_request_that_never_ends(place)}"
            tasks.start_soon(hold, http, where)
            await anyio.sleep(0.5)  # no event shows that an answer is held
            assert (await http.get(where)).json()["status"] == "pending"
            process.send_signal(end)
            _, told = await anyio.to_thread.run_sync(_end_of, process)
    assert (process.returncode, told) == (0, "")
    assert statuses == [(200, "pending")]


async def test_a_caller_who_hangs_up_leaves_no_traceback(place: Place) -> None:
    key = _key(place)
    with served(place) as process:
        async with _client(process, key) as http:
            with socket.create_connection((http.base_url.host, http.base_url.port)) as caller:
                head = "Host: it\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
                caller.sendall(f"POST {ENRICHMENTS} HTTP/1.1\r\n{head}{{".encode())
            assert (await http.get(CREDITS)).json() == {"balance": 250, "held": 0}
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=HANG)
    assert told == ""


async def test_a_body_that_is_still_coming_does_not_hold_up_the_end(place: Place) -> None:
    """It ends within ten seconds, and sends no answer that the contract lacks."""
    key = _key(place)
    with served(place) as process:
        async with _client(process, key) as http:
            with socket.create_connection((http.base_url.host, http.base_url.port)) as caller:
                head = f"Host: it\r\nx-api-key: {key}\r\nContent-Type: application/json\r\n"
                sent = f"POST {ENRICHMENTS} HTTP/1.1\r\n{head}Content-Length: 99\r\n\r\n{{"
                caller.sendall(sent.encode())
                assert (await http.get(CREDITS)).status_code == 200
                process.send_signal(signal.SIGTERM)
                _, told = await anyio.to_thread.run_sync(_end_of, process)
                with suppress(ConnectionResetError):
                    assert caller.recv(9999) == b""
    assert (process.returncode, told) == (0, "")


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="it is read there")
async def test_hundreds_of_silent_connections_take_the_service_from_nobody(place: Place) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2000)), hard))
    key = _key(place)
    few = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 400))}
    with served(place, popen=few) as process, ExitStack() as silent:
        async with _client(process, key) as http:
            limits = await anyio.Path(f"/proc/{process.pid}/limits").read_text()
            assert re.search(r"Max open files +400 +400 ", limits), (
                "it raises its limit to the most allowed"
            )
            for _ in range(600):
                where = (http.base_url.host, http.base_url.port)
                silent.enter_context(socket.create_connection(where))
            for _ in range(3):
                assert (await http.get("/health", headers={"connection": "close"})).is_success
        process.send_signal(signal.SIGTERM)
        _, told = await anyio.to_thread.run_sync(_end_of, process)
    assert told.count("\n") <= 1, "they do not fill the log"


async def test_the_first_line_is_a_line_of_the_log_like_any_other(place: Place) -> None:
    with served(place) as process:
        assert process.stderr
        line = json.loads(process.stderr.readline())
    assert (line["level"], line["logger"]) == ("INFO", "mcp_enrichment.cli.http_server")
    assert re.fullmatch(r"Serving on http://127\.0\.0\.1:\d+ \(.*\)", line["message"])


async def test_a_port_that_is_taken_ends_the_command_with_a_sentence(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(place, port) as process:
            _, told = process.communicate(timeout=HANG)
    assert process.returncode == 1
    assert str(port) in told
    assert "Traceback" not in told


@pytest.mark.parametrize("what", ["not a folder", "not a database"])
async def test_a_data_folder_that_cannot_be_used_ends_the_command_with_a_sentence(
    tmp_path: Path, what: str
) -> None:
    file = tmp_path / "enrichment.db"
    file.write_bytes(b"%PDF-1.7 " * 999)
    place = file / "enrichment.db" if what == "not a folder" else file
    with served(place) as process:
        out, told = process.communicate(timeout=HANG)
    assert process.returncode == 1
    assert out == ""
    assert told.count("\n") == 1
    assert told.startswith("Error: The ")
