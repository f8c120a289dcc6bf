"""For any request, the service answers as its documents say. Schemathesis generates the requests
and judges the answers of a real process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.cli.commands import Shell
from tests.support.fresh_copy import ROOT
from tests.support.openapi import DOCUMENT
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = {"contract.yaml": 1050, "served.json": 165}
"""At most this many cases for one operation; it stops sooner if there are no new ones."""
CASES = 2000
"""At least this many for each document."""
LEFT_OPEN = {"414", "431", "503"}
"""Statuses that any server may return, so the contract does not list them. Separate checks judge
404 and 405 of other paths and methods."""
CONFIG = """
# A `linkedin_url` is any string in the schema, and a person's profile in prose: most strings are a
# 400. A key with another body is a 422, and two cases may share a short one; two requests of one
# batch with the same key are a 400. Everywhere else what the schema allows must be accepted.
[[operations]]
include-operation-id = "requestEmailEnrichment"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "422"]
[[operations]]
include-operation-id = "requestEmailEnrichments"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400"]
"""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """A service process: its URL, and the key of a team that never runs out of credits."""
    shell = Shell(folder)
    assert shell.run("teams", "add", "fuzz", "--credits", "100000000").code == 0
    key = shell.run("keys", "create", "fuzz").out.strip()
    # The callbacks wait for a day: the generated URLs must not be called.
    settings = {"RATE_LIMIT": "1000000", "CALLBACK_DELAYS": "86400,5,30"}
    with (folder / "log").open("w") as log:
        process = shell.start("service", "--port", "0", popen={"stderr": log}, **settings)
        try:
            yield _url(folder / "log", process), key
        finally:
            process.kill()
            process.communicate(timeout=HANG)
    assert "Traceback" not in (folder / "log").read_text()
    assert '"level": "ERROR"' not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with serving(tmp_path_factory.mktemp("fuzzed")) as served:
        yield served


@pytest.mark.long
@pytest.mark.parametrize("document", EXAMPLES)
def test_2000_cases_of_each_document_find_no_answer_that_the_documents_do_not_describe(
    document: str, service: tuple[str, str], tmp_path: Path
) -> None:
    """Both for the contract and for the served document. The contract lists the answers of its
    vendor. 414, 431 and 503 come from HTTP and from the machine, so they are added here: a
    generated path of 3 KiB would otherwise count as a failure."""
    url, key = service
    file = tmp_path / document
    if file.suffix == ".yaml":
        file.write_text(yaml.safe_dump(_with_what_it_leaves_open()))
    else:
        file.write_text(httpx.get(f"{url}/openapi.json", timeout=HANG).text)
    cases = _fuzzed(file, url, key, tmp_path)
    print(cases)
    assert cases >= CASES


def test_a_document_that_does_not_fit_is_told(service: tuple[str, str], tmp_path: Path) -> None:
    """The control: the checks report a mismatch if there is one."""
    changed = deepcopy(DOCUMENT)
    changed["components"]["schemas"]["Credits"]["properties"]["balance"]["maximum"] = 1
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(changed))
    with pytest.raises(AssertionError, match="violates schema"):
        _fuzzed(wrong, *service, tmp_path, "--include-operation-id", "getEnrichmentCredits")


def _with_what_it_leaves_open() -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    for methods in document["paths"].values():
        for operation in methods.values():
            for status in LEFT_OPEN:
                operation["responses"][status] = {"$ref": "#/components/responses/Error"}
    return document


def _fuzzed(document: Path, url: str, key: str, folder: Path, *options: str) -> int:
    """The number of cases generated from the document, with all checks on."""
    examples = str(EXAMPLES.get(document.name, 100))
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    # One worker: two threads that parse Python at once fail in CPython 3.11 (issue 106905).
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("--config-file", str(config), "run", str(document), "--url", url),
        *("--header", f"x-api-key: {key}", "--checks", "all", "--max-examples", examples),
        *("--generation-deterministic", "--workers", "1", "--no-color"),
        *options,
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env=_with_tables(),
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert made, done.stdout
    assert made[1] == made[2]
    return int(made[1])


def _with_tables() -> dict[str, str]:
    """The environment, with the folder where Hypothesis keeps its tables of characters. To make
    them takes seconds."""
    return os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}


def _url(log: Path, process: subprocess.Popen[str]) -> str:
    """The URL in its first line, which comes once the port listens."""
    while process.poll() is None:
        if said := re.search(r"http://[0-9.:]+", log.read_text()):
            return said[0]
    raise AssertionError(log.read_text())
