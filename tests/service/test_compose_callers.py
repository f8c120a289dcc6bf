"""In the compose file nginx has an address of its own. Each caller is known by theirs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from mcp_enrichment.contract.http import CREDITS
from tests.cli.commands import Shell
from tests.cli.test_service import free_port, key_of, serving
from tests.support.fresh_copy import ROOT
from tests.support.nginx import nginx
from tests.support.waiting import HANG, until_listening

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]
SERVERS = ("service-1", "service-2", "mcp")
TRUSTED = "FORWARDED_ALLOW_IPS"
LIMIT = 12


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address only")
def test_wrong_keys_of_one_caller_do_not_delay_the_first_request_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, front = Shell(tmp_path), free_port()
    key = key_of(shell)
    wrong = key[:-1] + ("1" if key.endswith("0") else "0")
    monkeypatch.setenv(TRUSTED, COMPOSE["service-1"]["environment"].get(TRUSTED, ""))
    with serving(shell, RATE_LIMIT=str(LIMIT)) as (_, root):
        ports = dict.fromkeys(SERVERS, int(root.rpartition(":")[2])) | {"nginx": front}
        with nginx(ports, tmp_path, address="127.0.0.5"):
            until_listening(front)
            with _caller(front, key, of="127.0.0.3") as other:
                with _caller(front, wrong, of="127.0.0.2") as guesser:
                    # More than its address may, and more than all such addresses share.
                    guesses = [guesser.get(CREDITS).status_code for _ in range(5 * LIMIT)]
                assert set(guesses) <= {401, 429}
                assert other.get(CREDITS).status_code == 200


def test_all_servers_of_the_compose_file_believe_its_nginx_which_alone_publishes_a_port() -> None:
    assert [COMPOSE[name]["environment"][TRUSTED] for name in SERVERS] == ["*"] * len(SERVERS)
    assert [name for name, one in COMPOSE.items() if "ports" in one] == ["nginx"]


def _caller(port: int, key: str, *, of: str) -> httpx.Client:
    """A caller with this key at this address of loopback."""
    transport = httpx.HTTPTransport(local_address=of)
    headers, root = {"x-api-key": key}, f"http://127.0.0.1:{port}"
    return httpx.Client(transport=transport, base_url=root, timeout=HANG, headers=headers)
