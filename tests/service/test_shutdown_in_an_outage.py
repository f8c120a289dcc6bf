"""While Postgres is away, a process that receives SIGTERM still ends soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import rows, settings_of
from tests.support.forks import popen
from tests.support.running_service import until
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="has no such signals"),
]
COMMANDS = (["worker"], ["service", "--port", "0"], ["serve", "--http", "--port", "0"])
LISTENING = """SELECT count(*) FROM pg_stat_activity
WHERE query LIKE 'LISTEN "procrastinate%' AND datname = current_database()"""


def _at_work(command: list[str], url: str, folder: Path) -> subprocess.Popen[str]:
    ours = {"ENRICHMENT_STATE_DIR": str(folder), "ENRICHMENT_HTTP_OPEN": "true"}
    return popen(
        [sys.executable, "-m", "mcp_enrichment", *command],
        env=os.environ | ours | settings_of(url),
        text=True,
        stderr=subprocess.PIPE,
    )


def _says(process: subprocess.Popen[str], what: str) -> None:
    assert process.stderr
    assert any(what in line for line in process.stderr)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
async def test_told_to_end_while_postgres_is_away_it_ends_in_time_and_without_a_traceback(
    server: Server, url: str, tmp_path: Path, command: list[str]
) -> None:
    with _at_work(command, url, tmp_path) as process:
        try:
            await until(lambda: rows(url, LISTENING) == [(2,)])
            server.stop("immediate")
            try:
                _says(process, "no job can be requeued")  # all else has failed too by then
                process.send_signal(signal.SIGTERM)
                _, told = process.communicate(timeout=HANG)
            finally:
                server.start()
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in told
