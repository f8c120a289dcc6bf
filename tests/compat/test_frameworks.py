"""Each agent framework converts the tools for its model, and can call them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.mcp.tools import TOOLS
from tests.compat.frameworks import FRAMEWORKS, PROGRAMS
from tests.compat.servers import over_stdio
from tests.compat.toolbox import ran

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.compat.frameworks import Framework
    from tests.compat.toolbox import Toolbox

pytestmark = pytest.mark.compat

FILLED: dict[str, Any] = {
    "linkedin_url": "https://www.linkedin.com/in/ada-okafor-example",
    "type": "work",
    "callback_url": "",
    "external_id": "",
    "wait_seconds": 50,
    "force_refresh": False,
}
"""A model that must give every argument gives empty texts for those that it does not need."""
LEFT_OUT = {name: FILLED[name] for name in ("linkedin_url", "type", "wait_seconds")}


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=str)
def framework(request: pytest.FixtureRequest) -> Framework:
    return request.param


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The server as a framework starts it, with a state file that is kept."""
    with over_stdio(tmp_path_factory.mktemp("frameworks")) as started:
        yield started


@pytest.fixture(scope="module")
def told(framework: Framework, server: dict[str, Any], tools: Toolbox) -> dict[str, Any]:
    """The schemas that the framework shows its model, and the answer to one call."""
    arguments = FILLED if framework.fills_in else LEFT_OUT
    ended = ran(*framework.command(tools), json.dumps(server), json.dumps(arguments), seconds=300)
    assert ended.code == 0, ended
    answered: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return answered


def test_each_framework_shows_its_model_every_argument_with_its_words(
    told: dict[str, Any],
) -> None:
    assert set(told["schemas"]) == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        shown = told["schemas"][tool.name].get("properties", {})
        published = tool.to_mcp().input_schema["properties"]
        assert set(shown) == set(published)
        for name, argument in published.items():
            assert argument["description"] in shown[name]["description"]
            assert argument["type"] == _type(shown[name])


def test_each_framework_shows_its_model_which_types_there_are(told: dict[str, Any]) -> None:
    shown = told["schemas"]["request_email_enrichment"]["properties"]
    assert shown["type"]["enum"] == ["work", "personal"]
    assert told["schemas"]["wait_for_enrichment"]["properties"]["ids"]["items"]


def test_no_framework_shows_its_model_a_null_or_a_reference(
    framework: Framework, told: dict[str, Any]
) -> None:
    own = ("anyOf", "any_of", "null") if not framework.makes_models else ()
    shown = json.dumps(told["schemas"])
    assert not [word for word in ("$ref", *own) if word in shown]


def test_a_call_through_each_framework_finds_the_address(told: dict[str, Any]) -> None:
    assert json.loads(told["answer"])["email"] == "ada.okafor@example.com"


def test_openai_strict_mode_takes_every_tool_that_has_arguments(
    framework: Framework, told: dict[str, Any]
) -> None:
    if framework.program != "openai_strict":
        pytest.skip("the strict mode is openai-agents'")
    refused = {name for name, is_strict in told["strict"].items() if not is_strict}
    assert refused <= {"get_credits"}
    for schema in told["schemas"].values():
        assert not {"default", "maxLength", "minLength"} & set(json.dumps(schema).split('"'))


def _type(argument: dict[str, Any]) -> str:
    [shown] = [one for one in argument.get("anyOf", [argument]) if one["type"] != "null"]
    return str(shown["type"]).lower()


def test_each_program_is_run() -> None:
    programs = {program.stem for program in PROGRAMS.glob("*.py")}
    assert programs == {framework.program for framework in FRAMEWORKS}
