"""Checks each answer of the service against contract/openapi.yaml."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker

if TYPE_CHECKING:
    import httpx

DOCUMENT = yaml.safe_load(
    (Path(__file__).parents[1] / "contract" / "openapi.yaml").read_text("utf-8")
)
OF_HTTP_ITSELF = {405, 500, 503}
"""Statuses that any server may return and no contract lists; their body is the contract's Error."""


async def holds_to_contract(response: httpx.Response) -> None:
    """An event hook of httpx that raises if the contract does not describe the answer."""
    await response.aread()
    schema_name = _schema_of(
        response.request.method, response.request.url.path, response.status_code
    )
    assert response.headers["content-type"] == "application/json"
    must_be(schema_name, response.json())


def must_be(schema_name: str, value: Any) -> None:
    """Raise if the value does not match this schema of the contract."""
    _validator(schema_name).validate(value)


@cache
def _validator(schema_name: str) -> Draft202012Validator:
    root = {
        "$ref": f"#/components/schemas/{schema_name}",
        "components": DOCUMENT["components"],
    }
    return Draft202012Validator(root, format_checker=FormatChecker())


def _schema_of(method: str, path: str, status: int) -> str:
    declared = _declared(method.lower(), path)
    if status in OF_HTTP_ITSELF or (declared is None and status == 404):
        return "Error"
    assert declared is not None, (
        f"{method} {path} is not in the contract, and its answer is {status}"
    )
    answer = declared["responses"].get(str(status))
    assert answer is not None, f"the contract has no {status} for {method} {path}"
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return str(answer["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1])


def _declared(method: str, path: str) -> Any:
    # The literal paths come first, as `credits` is no id.
    for template in sorted(DOCUMENT["paths"], key=lambda template: "{" in template):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return DOCUMENT["paths"][template].get(method)
    return None
