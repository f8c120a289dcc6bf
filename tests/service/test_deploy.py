"""The commands in the files of `deploy/` do what the page says, on a real Postgres and behind a
real nginx. The images themselves are built elsewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import psycopg
import pytest
import yaml

from mcp_enrichment.contract.http import BATCH, CREDITS, ENRICHMENTS
from tests.over_http.served import talking
from tests.support import postgres
from tests.support.databases import rows
from tests.support.fresh_copy import ROOT, fresh_copy
from tests.support.keyed_client import create_key
from tests.support.nginx import nginx
from tests.support.running_service import ADA, running_service, until
from tests.support.waiting import HANG, until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.postgres import Server

pytestmark = pytest.mark.anyio
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
PAGE = (DEPLOY / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
QUERIES = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
OURS = {name: service for name, service in COMPOSE.items() if service["image"] == "mcp-enrichment"}
ANSWERS = {"Serving on": "ready", "Serving MCP on": "health"}


def _instructions(name: str) -> list[str]:
    """The arguments of each instruction of this name in the last stage of the Dockerfile."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    last = text.rpartition("\nFROM ")[2]
    return re.findall(rf"^{name} (.*)$", last, re.MULTILINE)


def _execs(name: str) -> list[str]:
    """An instruction's command, which must be in the exec form."""
    (line,) = _instructions(name)
    return list(json.loads(line[line.index("[") :]))


@pytest.fixture
def home(url: str) -> dict[str, str]:
    """An environment like a container's, with our commands on the PATH and the test's database."""
    programs = postgres.installed()
    path = f"{BIN}{os.pathsep}{programs}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "ENRICHMENT_DATABASE_URL": url, "LANG": "C.UTF-8"}


@contextmanager
def running(command: Sequence[str], home: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the end of the block; end it with SIGTERM, as a container ends."""
    process = subprocess.Popen(command, env=home, text=True, stderr=subprocess.PIPE)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0
    finally:
        process.kill()
        process.communicate(timeout=HANG)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _on(port: int, command: Sequence[str]) -> list[str]:
    """The command, changed to loopback and another port."""
    return [part.replace("8700", str(port)).replace("0.0.0.0", "127.0.0.1") for part in command]  # noqa: S104


def test_the_image_runs_as_nobody_and_its_command_serves_what_its_health_check_asks_for(
    home: dict[str, str], server: Server
) -> None:
    port = _free_port()
    assert [int(part) > 0 for part in _instructions("USER")[0].split(":")] == [True, True]
    assert [*_execs("ENTRYPOINT"), *_execs("CMD")][:2] == ["mcp-enrichment", "service"]
    asks = _on(port, _execs("HEALTHCHECK"))
    with running(_on(port, [*_execs("ENTRYPOINT"), *_execs("CMD")]), home):
        until_listening(port)
        _becomes_healthy(asks, home)
        server.stop("immediate")
        ill = subprocess.run(asks, env=home, check=False, capture_output=True)
        server.start()
        assert ill.returncode == 1


def _becomes_healthy(asks: Sequence[str], home: dict[str, str]) -> None:
    """Wait until a check passes: on a busy machine one may give up before its answer arrives."""
    deadline = time.monotonic() + HANG
    while subprocess.run(asks, env=home, check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline


@pytest.mark.installs
def test_the_image_is_built_by_commands_that_work(tmp_path: Path) -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    build = re.findall(r"^RUN (.*)$", text.rpartition("\nFROM ")[0], re.MULTILINE)
    source = fresh_copy(tmp_path / "source")
    copied = re.findall(r"^COPY (.*) (?:\./|mcp_enrichment)$", text, re.MULTILINE)
    for name in [path.name for path in source.iterdir()]:
        if name not in " ".join(copied).split():
            gone = source / name
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    for line in build:
        command = shlex.split(
            line.replace("/opt", str(tmp_path)).replace("python3", sys.executable)
        )
        subprocess.run(command, cwd=source, check=True)
    made = tmp_path / "enrichment"
    assert list(made.rglob("mcp_enrichment/**/client.*.pyc")), "it is byte-compiled"
    said = subprocess.run(
        [made / "bin" / "mcp-enrichment", "worker"],
        env={"ENRICHMENT_DATABASE_URL": "postgresql://127.0.0.1:1/it", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "leads to no database" in said.stderr, "the driver is in the image"


async def test_the_processes_of_the_compose_file_serve_together_behind_its_nginx(
    home: dict[str, str], url: str, tmp_path: Path
) -> None:
    assert set(OURS) == {"migrate", "service-1", "service-2", "worker", "mcp"}
    ports = {name: _free_port() for name in ("service-1", "service-2", "mcp", "nginx")}
    where = f"http://127.0.0.1:{ports['nginx']}"
    await anyio.run_process(_command("migrate"), env=home | _settings("migrate"))
    async with running_service(url, jobs=False) as it:
        key = await create_key(it, "lumen")
    with (
        _started("service-1", ports["service-1"], home) as one,
        _started("service-2", ports["service-2"], home),
        _started("worker", 0, home),
        _mcp(ports["mcp"], home, tmp_path, public=where),
        nginx(ports, tmp_path),
    ):
        for port in ports.values():
            until_listening(port)
        headers = {"x-api-key": key}
        async with httpx.AsyncClient(base_url=where, headers=headers, timeout=HANG) as http:
            assert await _statuses(http, 6) == {"not-found"}
            one.kill()
            assert await _statuses(http, 6) == {"not-found"}, "the other one continues to serve"
            assert (await http.get("/metrics")).status_code == 404
            assert (await http.get("/.well-known/ai-catalog.json")).json()["entries"]
            for route, bytes_read in ((ENRICHMENTS, 64 * 1024), (BATCH, 256 * 1024)):
                too_much = b"{" + b" " * bytes_read + b"}"
                json = {"content-type": "application/json"}
                answer = await http.post(route, content=too_much, headers=json)
                assert answer.status_code == 413
            nobody = {"linkedin_url": "no URL", "type": "work", "external_id": "x" * 256}
            batch = await http.post(BATCH, json={"requests": [nobody] * 100})
            assert {one["status"] for one in batch.json()["results"]} == {400}
            assert (await http.get(CREDITS)).json() == {"balance": 10, "held": 0}
        async with talking(f"{where}/mcp", "auto", key) as assistant:
            asked = {"linkedin_url": ADA, "type": "personal", "wait_seconds": 50}
            ended = await assistant.call_tool("request_email_enrichment", asked)
            told = await assistant.call_tool("get_credits", {})
        assert ended.structured_content["status"] == "not-found"
        assert told.structured_content["balance"] == 10
        one.returncode = 0  # it was killed on purpose


async def _statuses(http: httpx.AsyncClient, many: int) -> set[str]:
    """The statuses of new requests, each held until it is final."""
    ends = set()

    async def ask(number: int) -> None:
        asked = {"linkedin_url": f"{ADA}-{number}", "type": "work"}
        key = {"idempotency-key": f"k-{number}-{os.urandom(4).hex()}"}
        answer = await http.post(ENRICHMENTS, json=asked, headers=key)
        if answer.status_code == 502:  # sent to the killed one: the key makes a repeat safe
            answer = await http.post(ENRICHMENTS, json=asked, headers=key)
        one = f"{ENRICHMENTS}/{answer.json()['_id']}"
        ends.add((await http.get(one, headers={"prefer": "wait=60"})).json()["status"])

    async with anyio.create_task_group() as tasks:
        for number in range(many):
            tasks.start_soon(ask, number)
    return ends


@contextmanager
def _mcp(port: int, home: dict[str, str], folder: Path, *, public: str) -> Iterator[None]:
    """The MCP server, once its health check passes."""
    own = {"ENRICHMENT_PUBLIC_URL": public, "ENRICHMENT_STATE_DIR": str(folder)}
    command = [part.replace("8701", str(port)) for part in _on(0, _command("mcp"))]
    with running(command, home | _settings("mcp") | own):
        until_listening(port)
        check = [part.replace("8701", str(port)) for part in OURS["mcp"]["healthcheck"]["test"][1:]]
        # Docker repeats the check too; 30 times are enough on a busy machine.
        codes = (subprocess.run(check, env=home, check=False).returncode for _ in range(30))
        assert 0 in codes
        yield


def _started(name: str, port: int, home: dict[str, str]) -> Any:
    return running(_on(port, _command(name)), home | _settings(name))


def _command(name: str) -> list[str]:
    return [*_execs("ENTRYPOINT"), *OURS[name]["command"]]


def _settings(name: str) -> dict[str, str]:
    """A process's settings in the compose file, except the URL of the database."""
    given: dict[str, Any] = OURS[name]["environment"]
    assert given["ENRICHMENT_DATABASE_URL"].endswith("@postgres/enrichment")
    return {key: value for key, value in given.items() if key != "ENRICHMENT_DATABASE_URL"}


def test_the_commands_of_the_page_work_one_after_the_other(
    home: dict[str, str], url: str, tmp_path: Path
) -> None:
    serves = [command for command in COMMANDS if re.search(r"enrichment (serv|work)", command)]
    assert len(serves) == 3
    for command in COMMANDS:
        if command in serves:
            port = _free_port()
            here = _on(port, shlex.split(command.replace("8701", "8700")))
            with running(here, home | {"ENRICHMENT_STATE_DIR": str(tmp_path)}) as process:
                assert process.stderr
                said = json.loads(process.stderr.readline())["message"]
                answers = ANSWERS.get(said.partition(" http")[0])
                assert answers or said.startswith("Working")
                if answers:
                    assert httpx.get(f"http://127.0.0.1:{port}/{answers}", timeout=HANG).is_success
        else:
            subprocess.run(["/bin/sh", "-c", command], env=home, cwd=tmp_path, check=True)
    assert rows(url, "SELECT name, available FROM teams") == [("acme", 1000)]


def test_each_container_command_of_the_page_names_the_file_and_what_can_be_done() -> None:
    first, *lines = re.findall(r"^((?:export|docker compose) .*)$", PAGE, re.MULTILINE)
    assert first.startswith("export POSTGRES_PASSWORD="), "the file needs it for every command"
    assert len(lines) > 10
    for line in lines:
        file, verb, words = re.fullmatch(r"docker compose --file (\S+) (\S+) ?(.*)", line).groups()
        assert (ROOT / file) == DEPLOY / "compose.yaml"
        named = [word for word in words.split() if word in COMPOSE]
        assert named or verb in ("build", "up"), line
        if verb == "run":
            ours = shlex.split(words)[shlex.split(words).index("migrate") + 1 :]
            command = [BIN / "mcp-enrichment", *ours[:2], "--help"]
            subprocess.run(command, check=True, capture_output=True)


def test_the_queries_of_the_page_are_queries(url: str) -> None:
    assert QUERIES
    statements = [one for one in QUERIES[1].split(";") if one.strip()]
    assert len(statements) == 3
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


async def test_a_process_takes_no_more_connections_than_the_page_says(url: str) -> None:
    kinds = ("service", "worker")
    service, worker = (
        re.search(rf"^\| {name} \| up to (\d+), and (\d+)", PAGE, re.MULTILINE) for name in kinds
    )
    assert service
    assert worker
    async with (
        running_service(url, jobs=False, credits=200) as it,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(it.service.completion_waiter.watch)
        await _busy(it)
        assert _connections(url) <= int(service[1]) + int(service[2])
        tasks.cancel_scope.cancel()
    async with running_service(url):
        await until(lambda: rows(url, "SELECT count(*) FROM jobs") == [(0,)])
        ends = 1  # a worker alone does not listen for outcomes
        assert _connections(url) - ends <= int(worker[1]) + int(worker[2])


def _connections(url: str) -> int:
    """The number of connections, without the one of this query."""
    query = "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
    return int(rows(url, query)[0][0])


async def _busy(it: Any) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(lambda n=number: it.accepted(linkedin_url=f"{ADA}-{n}"))
