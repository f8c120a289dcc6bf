"""Logs and metrics report the state and the work of the service, and no secret or personal data."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS, HISTORY
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.db import database
from tests.cli.commands import Shell
from tests.support.databases import change
from tests.support.keyed_client import create_key, keyed_client
from tests.support.running_service import Clock, running_service, until
from tests.support.scripted_server import ScriptedServer, replies, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
SLUG, EXTERNAL_ID, HOST = "zelda-zyxwv", "lead-qqqwww", "hooks-ppp"
EMAIL = f"{SLUG}@lumenmail.example"
EXPORT = f"""First Name,Last Name,URL,Email Address,Company,Position,Connected On
Zelda,Zyx,https://www.linkedin.com/in/{SLUG},{EMAIL},Lumen,CTO,05 Mar 2024
"""
LABELS = {
    "enrichment_http_requests_total": {"route", "status"},
    "enrichment_lookups_total": {"status", "source"},
    "enrichment_callback_attempts_total": {"number", "outcome"},
    "enrichment_jobs_waiting": {"kind"},
    "enrichment_credits": {"kind"},
    "enrichment_oldest_job_seconds": set(),
}


async def test_health_asks_nothing_and_readiness_asks_the_database(path: Path) -> None:
    async with running_service(path, jobs=False) as it, keyed_client(it) as http:
        assert [(await http.get(f"/{one}")).json()["status"] for one in ("health", "ready")] == [
            "ok",
            "ready",
        ]
        moved = await anyio.Path(path).rename(path.with_name("moved.db"))
        health, gone = await http.get("/health"), await http.get("/ready")
        await anyio.Path(path).write_bytes(b"another file")
        replaced = await http.get("/ready")
        await moved.replace(path)
        back = await http.get("/ready")
    assert health.status_code == 200
    assert [answer.status_code for answer in (gone, replaced, back)] == [503, 503, 200]
    assert gone.json()["error"]["code"] == "storage_unreachable"


async def test_a_database_without_its_tables_is_not_ready(place: Place) -> None:
    async with running_service(place, jobs=False) as it, keyed_client(it) as http:
        change(place, "ALTER TABLE teams RENAME TO elsewhere")
        answer = await http.get("/ready")
    assert answer.status_code == 503, "a health probe must not count it as ready either"


async def test_readiness_uses_up_no_id_of_a_team(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECK_EVERY", -1)  # each probe writes
    async with running_service(place, jobs=False) as it, keyed_client(it) as http:
        await create_key(it, "first")
        for _ in range(5):
            assert (await http.get("/ready")).status_code == 200
        await create_key(it, "second")
        ids = [team_id for (team_id,) in it.rows("SELECT id FROM teams ORDER BY id")]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) >= 2


async def test_there_are_no_metrics_unless_they_are_wanted(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        key = await create_key(it, "lumen")
        async with keyed_client(it, key) as http:
            assert (await http.get("/metrics")).status_code == 404
        async with keyed_client(it, metrics=True) as http:
            assert (await http.get("/metrics")).status_code == 200


def _samples(metrics: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
    }


async def _scenario(http: httpx.AsyncClient, receiver: ScriptedServer) -> list[httpx.Response]:
    """Everything that a caller can do, each with something that must not be logged."""
    receiver.will(replies(503), replies(200))
    asked = {"linkedin_url": f"https://www.linkedin.com/in/{SLUG}", "type": "work"}
    told = {"callback_url": f"{receiver.url}/{HOST}", "external_id": EXTERNAL_ID}
    answers = [
        await http.post(ENRICHMENTS, json=asked | told),
        await http.post(ENRICHMENTS, json=asked | {"type": "personal"}),
    ]
    for answer in list(answers):
        where = f"{ENRICHMENTS}/{answer.json()['_id']}"
        answers.append(await http.get(where, headers={"prefer": "wait=60"}))
    await until(lambda: len(receiver.seen) == 2)
    bad = {"linkedin_url": SLUG, "type": SLUG, "callback_url": f"http://{SLUG}.internal"}
    inward = asked | {"callback_url": f"http://{HOST}@10.0.0.1/"}
    answers += [await http.post(ENRICHMENTS, json=body) for body in (bad, inward, [EMAIL])]
    answers.append(await http.get(f"{ENRICHMENTS}/{SLUG}", params={"q": EMAIL}))
    answers.append(await http.get(f"/{SLUG}", headers={"x-api-key": f"mcpe_{EMAIL}"}))
    answers.append(await http.request(SLUG.upper().replace("-", ""), CREDITS))
    answers.append(await http.get(HISTORY, params={"limit": EMAIL}))
    answers.append(await http.get(CREDITS, headers={"x-api-key": EMAIL}))
    return answers


async def test_after_a_full_run_the_metrics_and_the_logs_tell_totals_and_nothing_personal(
    tmp_path: Path,
) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "Connections.csv").write_text(EXPORT)
    assert shell.run("contacts", "import", str(tmp_path / "Connections.csv")).code == 0
    shell.run("teams", "add", "lumen", "--credits", "9")
    key = shell.run("keys", "create", "lumen").out.strip()
    secret = shell.run("teams", "secret", "lumen").out.strip()
    chosen = {
        "LOG_LEVEL": "DEBUG",
        "METRICS": "true",
        "CALLBACK_NETWORKS": "127.0.0.0/8",
        "CALLBACK_DELAYS": "0,0.05,0.05",
    }
    async with scripted_server() as receiver:
        port = receiver.url.rpartition(":")[2]
        process = shell.start("service", "--port", "0", **chosen, CALLBACK_PORTS=port)
        try:
            assert process.stderr
            url = json.loads(process.stderr.readline())["message"].split()[2]
            async with httpx.AsyncClient(
                base_url=url, headers={"x-api-key": key}, timeout=HANG
            ) as http:
                answers = await _scenario(http, receiver)
                metrics = await _settled_metrics(http)
            process.send_signal(signal.SIGTERM)
            out, log = process.communicate(timeout=HANG)
        finally:
            process.kill()
            process.communicate(timeout=HANG)
    assert [answer.status_code for answer in answers] == [
        *(201, 201, 200, 200),
        *(400, 400, 400, 404, 404, 405, 400, 401),
    ]
    assert answers[2].json()["email"] == {"email": EMAIL, "type": "work"}, (
        "all parts of the scenario ran"
    )
    _metrics_are_right(metrics)
    lines = [json.loads(line) for line in log.splitlines()]
    assert len([line for line in lines if line["message"] == "answered"]) >= len(answers)
    assert {line["request_id"] for line in lines} >= {
        answer.headers["x-request-id"] for answer in answers
    }
    poison = [
        key,
        api_keys._hash(key),
        key.rpartition("_")[2],
        EMAIL,
        "zelda",
        "zyxwv",
        "lumenmail",
    ]
    poison += [EXTERNAL_ID, HOST, secret, secret.removeprefix("whsec_")]
    leaked = [word for word in poison if word.lower() in (out + log + metrics).lower()]
    assert leaked == []


async def _settled_metrics(http: httpx.AsyncClient) -> str:
    """The metrics once no job is left."""
    while True:
        told = (await http.get("/metrics")).text
        if _samples(told)["enrichment_jobs_waiting", ("deliver",)] == 0:
            return told


def _metrics_are_right(metrics: str) -> None:
    samples = _samples(metrics)
    expected = {
        ("enrichment_http_requests_total", (ENRICHMENTS, "201")): 2,
        ("enrichment_http_requests_total", ("404", "none")): 1,
        ("enrichment_lookups_total", ("completed", "contacts")): 1,
        ("enrichment_lookups_total", ("none", "not-found")): 1,
        ("enrichment_callback_attempts_total", ("1", "http-error")): 1,
        ("enrichment_callback_attempts_total", ("2", "delivered")): 1,
        ("enrichment_jobs_waiting", ("look-up",)): 0,
        ("enrichment_jobs_waiting", ("deliver",)): 0,
        ("enrichment_oldest_job_seconds", ()): 0,
        ("enrichment_credits", ("available",)): 8,
        ("enrichment_credits", ("held",)): 0,
    }
    assert {name: samples.get(name) for name in expected} == expected
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name in LABELS:
                assert set(sample.labels) == LABELS[sample.name]
                assert all(value.isascii() and len(value) < 50 for value in sample.labels.values())


async def test_whatever_callers_send_the_number_of_series_stays_bounded(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        key = await create_key(it, "lumen")
        async with keyed_client(it, key, metrics=True) as http:

            async def ask(start: int) -> int:
                for number in range(start, start + 40):
                    await http.get(f"/{number}")
                    await http.get(f"{ENRICHMENTS}/{number}", headers={"x-api-key": f"k{number}"})
                    await http.get(f"{ENRICHMENTS}/{number}?{number}={number}")
                    await http.request(f"M{number}", CREDITS)
                    body = {"linkedin_url": f"https://linkedin.com/in/p-{number}", "type": "work"}
                    await http.post(ENRICHMENTS, json=body)
                return len(_samples((await http.get("/metrics")).text))

            once = await ask(0)
            assert await ask(1000) == once


async def test_the_queue_tells_how_deep_it_is_and_how_old(place: Place) -> None:
    clock = Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        key = await create_key(it, "lumen")
        async with keyed_client(it, key, metrics=True) as http:
            for number in range(3):
                body = {"linkedin_url": f"https://linkedin.com/in/p-{number}", "type": "work"}
                await http.post(ENRICHMENTS, json=body)
            clock.now += 100
            samples = _samples((await http.get("/metrics")).text)
    assert samples["enrichment_jobs_waiting", ("look-up",)] == 3
    assert 100 <= samples["enrichment_oldest_job_seconds", ()] < 110
    assert samples["enrichment_credits", ("held",)] == 3
