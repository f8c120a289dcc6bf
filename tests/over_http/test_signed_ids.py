"""Signed ids are valid for one caller only; all processes of a server share the secret."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.scoped import IdSigner, VerifiedId
from mcp_enrichment.contract.errors import StorageFailed, UnknownEnrichment
from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.credentials.secret_file import read_or_create_secret
from mcp_enrichment.settings import Settings
from tests.cli.commands import Shell

if TYPE_CHECKING:
    from pathlib import Path

IDS = ["6650c0ffee0123456789abcd", "e1", "a-b-c_d", "x" * 110]
ADA = IdSigner(secret=b"s" * 32, caller="ada")


@pytest.mark.parametrize("enrichment_id", IDS)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_sealed_id_opens_for_its_caller_and_can_be_passed_to_a_tool(
    enrichment_id: str, is_own: bool
) -> None:
    signed_id = ADA.sign(enrichment_id, is_own=is_own)
    assert re.fullmatch(ENRICHMENT_ID, signed_id)
    same = IdSigner(secret=b"s" * 32, caller="ada")
    assert same.verify(signed_id) == VerifiedId(id=enrichment_id, is_own=is_own)


def test_nobody_else_can_open_it_and_no_part_of_it_can_be_changed() -> None:
    signed_id = ADA.sign(IDS[0], is_own=True)
    changed = [signed_id[:at] + "A" + signed_id[at + 1 :] for at in range(len(signed_id))]
    for wrong in [
        *changed,
        IDS[0],
        "",
        "-",
        signed_id[:-1],
        f"{signed_id}A",
        signed_id[1:],
        "é" * 30,
    ]:
        if wrong != signed_id:
            with pytest.raises(UnknownEnrichment):
                ADA.verify(wrong)
    for other in (
        IdSigner(secret=b"s" * 32, caller="jonas"),
        IdSigner(secret=b"t" * 32, caller="ada"),
    ):
        with pytest.raises(UnknownEnrichment):
            other.verify(signed_id)


def test_the_secret_is_made_once_however_many_begin_at_once(tmp_path: Path) -> None:
    file = tmp_path / "state" / "http.secret"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(read_or_create_secret, [file] * 64))
    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [one.name for one in file.parent.iterdir()] == ["http.secret"]


def test_a_secret_that_is_damaged_is_reported_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "http.secret"
    for damaged in ("", "00", "no secret", "é"):
        file.write_text(damaged)
        with pytest.raises(StorageFailed, match="a secret is damaged") as raised:
            read_or_create_secret(file)
        assert "Restore it from a backup." in raised.value.to_person()
        assert not raised.value.retryable
        assert file.read_text() == damaged


def test_a_secret_of_the_operators_is_long_and_never_shown(tmp_path: Path) -> None:
    told = Shell(tmp_path).run("serve", "--http", HTTP_SECRET="too-short-a-secret")
    assert "ENRICHMENT_HTTP_SECRET" in told.refused(2)
    assert "too-short" not in told.err
    assert "long-enough" not in repr(Settings(http_secret="long-enough-" * 4))
