"""Ids that are sealed for a caller, and the secret that all processes of a site seal them with."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.seal import Opened, Seal
from mcp_enrichment.contract.errors import StorageFailed, UnknownEnrichment
from mcp_enrichment.contract.paths import ENRICHMENT_ID
from mcp_enrichment.secret_file import secret_in
from mcp_enrichment.settings import Settings
from tests.cli.commands import Shell

if TYPE_CHECKING:
    from pathlib import Path

IDS = ["6650c0ffee0123456789abcd", "e1", "a-b-c_d", "x" * 110]
ADA = Seal(secret=b"s" * 32, caller="ada")


@pytest.mark.parametrize("enrichment_id", IDS)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_sealed_id_opens_for_its_caller_and_can_be_passed_to_a_tool(
    enrichment_id: str, is_own: bool
) -> None:
    sealed = ADA.close(enrichment_id, is_own=is_own)
    assert re.fullmatch(ENRICHMENT_ID, sealed)
    same = Seal(secret=b"s" * 32, caller="ada")
    assert same.open(sealed) == Opened(id=enrichment_id, is_own=is_own)


def test_nobody_else_can_open_it_and_no_part_of_it_can_be_changed() -> None:
    sealed = ADA.close(IDS[0], is_own=True)
    changed = [sealed[:at] + "A" + sealed[at + 1 :] for at in range(len(sealed))]
    for wrong in [*changed, IDS[0], "", "-", sealed[:-1], f"{sealed}A", sealed[1:], "é" * 30]:
        if wrong != sealed:
            with pytest.raises(UnknownEnrichment):
                ADA.open(wrong)
    for other in (Seal(secret=b"s" * 32, caller="jonas"), Seal(secret=b"t" * 32, caller="ada")):
        with pytest.raises(UnknownEnrichment):
            other.open(sealed)


def test_the_secret_is_made_once_however_many_begin_at_once(tmp_path: Path) -> None:
    file = tmp_path / "state" / "http.secret"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(secret_in, [file] * 64))
    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [one.name for one in file.parent.iterdir()] == ["http.secret"]


def test_a_secret_that_is_damaged_is_told_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "http.secret"
    for damaged in ("", "00", "no secret", "é"):
        file.write_text(damaged)
        with pytest.raises(StorageFailed, match="a secret is damaged") as raised:
            secret_in(file)
        assert "Restore it from a backup." in raised.value.to_person()
        assert not raised.value.retryable
        assert file.read_text() == damaged


def test_a_secret_of_the_operators_is_long_and_never_shown(tmp_path: Path) -> None:
    told = Shell(tmp_path).run("serve", "--http", HTTP_SECRET="too-short-a-secret")
    assert "ENRICHMENT_HTTP_SECRET" in told.refused(2)
    assert "too-short" not in told.err
    assert "long-enough" not in repr(Settings(http_secret="long-enough-" * 4))
