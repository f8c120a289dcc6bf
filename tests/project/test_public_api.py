"""The package's public names are listed and typed; importing it imports no other package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

import mcp_enrichment
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLIC = {
    "__version__",
    "connect",
    "EnrichmentClient",
    "EnrichmentResult",
    "ListPreview",
    "ListRow",
    "EmailType",
    "Status",
    "BadAnswer",
    "BudgetExceeded",
    "CommitUnknown",
    "EnrichmentError",
    "InsufficientCredits",
    "InternalError",
    "InvalidArguments",
    "InvalidProfileURL",
    "OutcomeUnknown",
    "RateLimited",
    "ServiceUnavailable",
    "StorageFailed",
    "Unauthorized",
    "UnknownEnrichment",
}
SAMPLE = ROOT / "mcp_enrichment" / "data" / "Connections.csv"
ADA = "https://www.linkedin.com/in/ada-okafor-example"


def test_the_public_names_are_these() -> None:
    assert set(mcp_enrichment.__all__) == PUBLIC
    assert set(dir(mcp_enrichment)) >= PUBLIC
    assert all(getattr(mcp_enrichment, name) for name in PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'Memory'"):
        mcp_enrichment.Memory  # type: ignore[attr-defined]  # noqa: B018


def test_every_public_name_is_typed_and_no_other() -> None:
    stub = ast.parse((ROOT / "mcp_enrichment" / "__init__.pyi").read_text("utf-8"))
    imported = {
        (f"{node.module}.{alias.name}")
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = mcp_enrichment._MODULES  # type: ignore[attr-defined]
    assert imported == {f"mcp_enrichment.{module}.{name}" for name, module in modules.items()}
    [listed] = [
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert set(listed) == PUBLIC
    assert (ROOT / "mcp_enrichment" / "py.typed").exists()


def test_every_error_with_a_code_of_its_own_is_public() -> None:
    from mcp_enrichment.contract import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    coded = {
        kind.__name__ for kind in kinds if "code" in vars(kind) and "explanation" in vars(kind)
    }
    assert coded <= PUBLIC


def test_importing_the_package_imports_no_other_package() -> None:
    code = (
        "import sys; before = set(sys.modules); import mcp_enrichment; "
        "print(*{name for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    packages = {name.partition(".")[0] for name in done.stdout.split()}
    assert packages - sys.stdlib_module_names == {"mcp_enrichment"}
    assert "mcp_enrichment.client" not in done.stdout.split()


def _imports() -> Iterator[tuple[str, str, str]]:
    """Each import of our package in documents and examples: file, module, names."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py")]
    for page in pages:
        text = page.read_text("utf-8")
        for found in re.finditer(
            r"^\s*(?:from (mcp_enrichment[\w.]*) import (.*)|import (mcp_enrichment[\w.]*))$",
            text,
            re.MULTILINE,
        ):
            yield str(page), found[1] or found[3], found[2] or ""


def test_documents_and_examples_import_public_names_only() -> None:
    found = list(_imports())
    assert found
    for page, module, names in found:
        assert module == "mcp_enrichment", page
        assert {name.strip() for name in names.split(",") if name} <= PUBLIC, page


@pytest.mark.anyio
async def test_connect_needs_no_settings_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_enrichment import EmailType, Status, connect

    monkeypatch.setenv("ENRICHMENT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ENRICHMENT_STATE_DIR", str(tmp_path))
    command = [sys.executable, "-m", "mcp_enrichment", "contacts", "import", str(SAMPLE)]
    await anyio.run_process(command)
    async with connect() as client:
        result = await client.request(ADA, "work", wait=45)
    assert (result.status, result.type) == (Status.COMPLETED, EmailType.WORK)
    assert result.email == "ada.okafor@example.com"


@pytest.mark.anyio
async def test_an_email_type_that_there_is_not_is_an_error_of_the_library(tmp_path: Path) -> None:
    from mcp_enrichment import EnrichmentClient, InvalidArguments

    async with EnrichmentClient("http://127.0.0.1:9", memory=tmp_path / "memory.db") as client:
        with pytest.raises(InvalidArguments):
            await client.request(ADA, "both")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ENRICHMENT_API_URL", "no url", "ENRICHMENT_API_URL"),
        ("ENRICHMENT_API_KEY", "two words", "The API key"),
        ("HTTPS_PROXY", "ftp://proxy", "HTTPS_PROXY"),
    ],
)
async def test_a_wrong_setting_is_an_error_of_the_library(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_enrichment import Unauthorized, connect

    monkeypatch.setenv("ENRICHMENT_API_KEY", "sk-1")
    monkeypatch.setenv(variable, value)
    with pytest.raises(Unauthorized, match=said):
        async with connect():
            pass


@pytest.mark.anyio
async def test_an_error_within_connect_is_raised_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATA_DIR", "STATE_DIR"):
        monkeypatch.setenv(f"ENRICHMENT_{name}", str(tmp_path / name))
    with pytest.raises(mcp_enrichment.UnknownEnrichment):
        async with mcp_enrichment.connect() as client:
            await client.get("6650c0ffee0123456789abcd")
    with pytest.raises(ZeroDivisionError):
        async with mcp_enrichment.connect():
            1 / 0  # noqa: B018
