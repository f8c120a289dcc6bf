"""After kill -9 between any two steps of a request, the same request never pays twice."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client import submitter
from mcp_enrichment.contract.errors import OutcomeUnknown
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import ADDRESS, PROFILE, ContractServer, found
from tests.support.forks import by_fork
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import NewClient
    from tests.support.scripted_server import ScriptedServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]

MORE_THAN_THERE_ARE = 40


async def _dies_before(vendor: ScriptedServer, memory: Path, step: int, *known: str) -> bool:
    """Request in a process that dies before this step; False if it had fewer steps and finished."""
    program = [
        sys.executable,
        "-m",
        "tests.support.crash_steps",
        vendor.url,
        str(memory),
        str(step),
    ]
    with by_fork():
        ended = await anyio.run_process([*program, *known], check=False, stderr=None)
    assert ended.returncode in (0, -9)
    return ended.returncode == -9


def _lookups(vendor: ScriptedServer, *, supports_idempotency: bool) -> ContractServer:
    lookups = ContractServer(supports_idempotency=supports_idempotency)
    lookups.end(found())
    vendor.always(lookups)
    vendor.seen.clear()
    return lookups


@pytest.mark.parametrize(
    ("supports_idempotency", "known", "unknowns"),
    # Before the server is known to honour keys, a process that dies between its claim and the
    # answer leaves no trace of whether the POST was sent: one unknown before it, and one after it.
    [(False, (), 2), (True, (), 2), (True, ("known",), 0)],
    ids=["no keys", "keys, at first contact", "keys"],
)
async def test_a_request_interrupted_at_any_step_is_joined_or_reported_as_unknown(
    new_client: NewClient,
    vendor: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    supports_idempotency: bool,
    known: tuple[str, ...],
    unknowns: int,
) -> None:
    monkeypatch.setattr(submitter, "SEND_LEASE_SECONDS", 0)
    unknown, step = 0, 1
    with anyio.fail_after(5 * HANG):  # forty processes, on a machine that may be busy
        while True:
            memory = tmp_path / str(step) / "memory.db"
            lookups = _lookups(vendor, supports_idempotency=supports_idempotency)
            if not await _dies_before(vendor, memory, step, *known):
                break
            async with new_client(memory=memory, supports_idempotency=bool(known)) as client:
                try:
                    answer = await client.request(PROFILE, EmailType.WORK, wait=HANG)
                except OutcomeUnknown:
                    unknown += 1
                else:
                    assert answer.email == ADDRESS
            assert lookups.accepted <= 1
            step += 1
            assert step < MORE_THAN_THERE_ARE
    assert unknown == unknowns
    assert step > 8
