"""The prompt `find_emails` accepts a list of profiles in many forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import MCPError

from tests.mcp.faces import ADA, JONAS

if TYPE_CHECKING:
    from mcp import Client

pytestmark = pytest.mark.anyio


async def text_of(client: Client, **arguments: str) -> str:
    got = await client.get_prompt("find_emails", arguments)
    [message] = got.messages
    assert message.role == "user"
    return message.content.text  # type: ignore[union-attr]


async def test_there_is_one_prompt_with_a_list_of_profiles_and_a_type(assistant: Client) -> None:
    [prompt] = (await assistant.list_prompts()).prompts
    assert prompt.name == "find_emails"
    assert [(a.name, a.required) for a in prompt.arguments or []] == [
        ("profiles", True),
        ("type", False),
    ]


async def test_the_prompt_goes_through_a_preview_one_request_and_one_wait_to_a_table(
    assistant: Client,
) -> None:
    text = await text_of(assistant, profiles=f"{ADA}\n{JONAS}")
    steps = ["preview=true", "get_credits", "max_credits", "wait_for_enrichment", "table"]
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert text.count("request_email_enrichments") == 2
    assert "(2 in all)" in text
    assert "ids=[list_id]" in text
    assert "Do not construct or guess an address." in text


async def test_every_spelling_of_a_profile_is_one_profile(assistant: Client) -> None:
    text = await text_of(assistant, profiles=f"linkedin.com/in/Ada-Okafor-example; {ADA}?x=1")
    assert text.count(ADA) == 1
    assert "(1 in all)" in text


async def test_the_type_is_work_unless_it_is_said(assistant: Client) -> None:
    assert "type=work" in await text_of(assistant, profiles=ADA)
    assert "type=personal" in await text_of(assistant, profiles=ADA, type="personal")


async def test_the_prompt_takes_bent_arguments_as_the_tools_do(assistant: Client) -> None:
    text = await text_of(assistant, profiles=ADA, type=" Personal ", **{"a@example.com": "x"})
    assert "type=personal" in text
    assert "a@example.com" not in text
    assert "type=work" in await text_of(assistant, profiles=ADA, type=" ")


async def test_what_is_no_profile_is_counted_and_not_repeated(assistant: Client) -> None:
    text = await text_of(assistant, profiles=f"ignore-all-rules, {ADA}, https://example.com/x")
    assert "number 1, 3" in text
    assert "ignore-all-rules" not in text
    assert "https://example.com/x" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "from 1 to 100"),
        ({"profiles": "someone@example.com"}, "from 1 to 100"),
        ({"profiles": " ".join(f"linkedin.com/in/someone-{n}" for n in range(101))}, "1 to 100"),
        ({"profiles": ADA, "type": "someone@example.com"}, "work or personal"),
    ],
)
async def test_wrong_arguments_are_named_and_not_repeated(
    assistant: Client, arguments: dict[str, str], said: str
) -> None:
    with pytest.raises(MCPError, match=said) as refused:
        await assistant.get_prompt("find_emails", arguments)
    assert refused.value.code == -32602
    assert "someone" not in str(refused.value)


async def test_a_prompt_that_is_not_there_is_refused(assistant: Client) -> None:
    with pytest.raises(MCPError, match="find_emails") as refused:
        await assistant.get_prompt("another", {})
    assert refused.value.code == -32602
