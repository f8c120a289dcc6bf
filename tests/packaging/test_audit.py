"""`tasks.py audit` reports vulnerable packages, and never takes silence for a clean result."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.fresh_copy import ROOT
from tests.support.scripted_server import ScriptedServer, replies

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio
AUDIT = [sys.executable, str(ROOT / "packaging" / "audit.py")]


def told_of(name: str, fixed: str) -> dict[str, Any]:
    """A vulnerability as an OSV service words it."""
    events = [{"introduced": "0"}, {"fixed": fixed}]
    return {
        "id": "PYSEC-2019-217",
        "aliases": ["CVE-2019-10906"],
        "summary": "planted",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": name},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }


def service_that_knows(*vulnerable: str) -> Any:
    """The answers of an OSV service to which only these packages are known as vulnerable."""

    async def behave(stream: SocketStream, asked: ReceivedRequest) -> None:
        name = asked.json["package"]["name"]
        known = [told_of(name, "2.10.1")] if name in vulnerable else []
        await replies(200, {"vulns": known} if known else {})(stream, asked)

    return behave


async def audit(*options: str) -> subprocess.CompletedProcess[bytes]:
    return await anyio.run_process([*AUDIT, *options], check=False)


def at(service: ScriptedServer) -> list[str]:
    return ["--vulnerability-service=osv", f"--osv-url={service.url}/v1/query"]


async def test_a_vulnerable_package_is_named_and_fails_the_audit(vendor: ScriptedServer) -> None:
    vendor.always(service_that_knows("jinja2", "rich"))
    done = await audit(*at(vendor))
    assert b"rich 15" in done.stdout
    assert b"CVE-2019-10906" in done.stdout
    assert done.returncode == 1


async def test_without_a_vulnerability_the_audit_says_how_many_packages_it_audited(
    vendor: ScriptedServer,
) -> None:
    vendor.will(service_that_knows("jinja2"))
    vendor.always(service_that_knows())
    done = await audit(*at(vendor))
    asked = {seen.json["package"]["name"] for seen in vendor.seen}
    assert {"mcp", "pytest", "pywin32"} < asked, "all extras, and all platforms"
    assert f"{len(asked)} packages audited: 0 known vulnerabilities" in done.stdout.decode()
    assert done.returncode == 0


@pytest.mark.parametrize("answer", [replies(200, {}), replies(404), replies(503)])
async def test_a_service_that_does_not_judge_is_no_clean_result(
    vendor: ScriptedServer, answer: Any
) -> None:
    vendor.always(answer)
    done = await audit(*at(vendor))
    assert done.stdout.startswith(b"NOT AUDITED")
    assert done.returncode == 2


async def test_a_service_that_cannot_be_reached_is_no_clean_result() -> None:
    done = await audit("--vulnerability-service=osv", "--osv-url=http://127.0.0.1:1/v1/query")
    assert done.stdout.startswith(b"NOT AUDITED")
    assert done.returncode == 2


@pytest.mark.installs
def test_no_locked_package_has_a_known_vulnerability() -> None:
    done = subprocess.run(AUDIT, capture_output=True, text=True, check=False)
    if done.returncode == 2:  # a package index may be reachable without its vulnerability service
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout
